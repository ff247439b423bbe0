//! What others write is text, whatever they write (attacks 30, 56, 58): on the pages nothing of it runs, asks anybody, or
//! breaks out of its place; and a file is only ever saved.

use scenarios::device::Device;
use scenarios::program::eventually;
use scenarios::world::World;
use serde_json::json;

use crate::driver::Driver;
use crate::person::{Person, file, link_of};

/// What each of them tries to do.
const HIT: &str = "window.hit=1";

/// Ways into a page; `%` stands for what is to run.
const WAYS: [&str; 40] = [
    "<script>%</script>",
    "</script><script>%</script>",
    "<ScRiPt >%</sCrIpT>",
    "<img src=x onerror=%>",
    "<img src=x onerror='%'>",
    "<image href=x onerror=%>",
    "<svg onload=%>",
    "<svg><script>%</script></svg>",
    "<svg><animate onbegin=% attributeName=x dur=1s>",
    "<svg><foreignObject><iframe srcdoc='<script>parent.%</script>'>",
    "<body onload=%>",
    "<iframe src=\"javascript:parent.%\"></iframe>",
    "<iframe srcdoc=\"<script>parent.%</script>\"></iframe>",
    "<object data=\"javascript:%\"></object>",
    "<embed src=\"javascript:%\">",
    "<a href=\"javascript:%\" autofocus onfocus=%>x</a>",
    "<input autofocus onfocus=%>",
    "<details open ontoggle=%>x</details>",
    "<video><source onerror=%></video>",
    "<audio src=x onerror=%></audio>",
    "<math><mtext></form><form><mglyph><style></math><img src=x onerror=%>",
    "<noscript><p title=\"</noscript><img src=x onerror=%>\">",
    "<template><img src=x onerror=%></template>",
    "<base href=\"http://evil.example/\">",
    "<link rel=stylesheet href=\"http://evil.example/x.css\">",
    "<meta http-equiv=refresh content=\"0;url=javascript:%\">",
    "<style>*{display:none}@import 'http://evil.example/x.css';</style>",
    "<div style=\"position:fixed;inset:0;background:url(http://evil.example/x)\">",
    "<form action=http://evil.example/><button>Send</button></form>",
    "<button popovertarget=menu data-do=/do/sign-out>x</button>",
    "\" onmouseover=\"%\" autofocus onfocus=\"%\" x=\"",
    "' onmouseover='%' autofocus onfocus='%' x='",
    "\"><script>%</script>",
    "'><img src=x onerror=%>",
    "</textarea><script>%</script>",
    "</title><script>%</script>",
    "--><script>%</script><!--",
    "]]><script>%</script>",
    "</li></ol></div></section><img src=x onerror=%>",
    "{{constructor.constructor('%')()}}${%}#{%}<%= % %>",
];

/// What is no markup and tries to look or to lead otherwise.
const OTHERS: [&str; 30] = [
    "javascript:%",
    "JaVaScRiPt:%",
    "java\tscript:%",
    "data:text/html,<script>%</script>",
    "vbscript:%",
    "https://a.example/\"onmouseover=\"%",
    "https://a.example/'><script>%</script>",
    "http://a.example/<img src=x onerror=%>",
    "https://javascript:%@evil.example/",
    "https://evil.example\u{2024}com/\u{202e}moc.elgoog",
    "https://",
    "http://[::1",
    "//evil.example/x",
    "\\\\evil.example\\share",
    "\u{202e}txt.exe\u{202c}\u{2066}x\u{2069}",
    "\u{202e}\u{202d}\u{202b}\u{202a}\u{2067}\u{2068}",
    "a\u{200b}b\u{200c}c\u{200d}d\u{2060}e\u{feff}f",
    "\u{0}\u{1}\u{7}\u{8}\u{1b}[31m\u{7f}\u{9b}31m",
    "line\u{2028}line\u{2029}line\u{85}line\r\nline\rline",
    "שלום עולם, זה ארוך מאוד",
    "مرحبا بالعالم \u{200f}123",
    "👩‍👩‍👧‍👦👨🏿‍🚀🏴󠁧󠁢󠁳󠁣󠁴󠁿🇩🇪",
    "e\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}",
    "Z\u{336}\u{337}\u{338}\u{489}\u{334}a\u{336}\u{337}\u{338}\u{489}\u{334}l\u{336}\u{337}\u{338}\u{489}\u{334}g\u{336}o",
    "\u{1d4d7}\u{1d4ee}\u{1d4f5}\u{1d4f5}\u{1d4f8} \u{ff1c}script\u{ff1e}",
    "&lt;script&gt;%&lt;/script&gt;&#60;img src=x onerror=%&#62;&amp;",
    "\u{fffe}\u{ffff}\u{10ffff}\u{e000}",
    "`trefoil account reset bob`",
    "You left\nalice let in mallory",
    "...........................................................................................",
];

/// Two hundred and more of them: each alone, within words, and in a place too long for any line.
fn texts() -> Vec<String> {
    let all = || WAYS.iter().chain(&OTHERS).map(|it| it.replace('%', HIT));
    let within = all().map(|it| format!("look at {it}, please"));
    let long = all().map(|it| format!("{}{it}", "wide".repeat(60)));
    all().chain(within).chain(long).collect()
}

/// Nothing has run, whatever is on the page leads nowhere else, and nothing stands out of it.
const LOOK: &str = r##"
    const wrong = [];
    if ("hit" in window) wrong.push("something has run");
    const ours = new Set(["SCRIPT", "LINK", "META", "STYLE"]);
    for (const it of document.querySelectorAll("body script, body style, body link, body meta, body base, body iframe, body object, body embed, body math, body video, body audio, body form[action]")) {
      wrong.push("on the page: " + it.outerHTML.slice(0, 200));
    }
    for (const it of document.querySelectorAll("body *")) {
      for (const { name, value } of it.attributes) {
        if (name.startsWith("on") || /^\s*(java|vb)script:/i.test(value) && ["href", "src", "action", "formaction"].includes(name)) {
          wrong.push(`${name}=${value}`);
        }
      }
    }
    for (const it of document.querySelectorAll("a[href]")) {
      const href = it.getAttribute("href");
      const isWeb = /^https?:\/\//.test(href) && it.rel === "noreferrer noopener" && it.target === "_blank";
      if (!href.startsWith("/") && !isWeb || href.startsWith("//")) wrong.push("a link to " + href);
    }
    for (const it of document.querySelectorAll("img, image, source")) {
      const src = it.getAttribute("src") ?? it.getAttribute("href");
      if (!src?.startsWith("/assets/")) wrong.push("an image: " + it.outerHTML.slice(0, 200));
    }
    for (const it of performance.getEntriesByType("resource")) {
      if (!it.name.startsWith(location.origin + "/")) wrong.push("was asked for: " + it.name);
    }
    if (document.scrollingElement.scrollWidth > innerWidth) wrong.push("the page scrolls to the side");
    for (const it of document.querySelectorAll("main, main *, #side, .popup, .menu, nav.side, .side > header")) {
      const isScrolled = ["auto", "scroll"].includes(getComputedStyle(it).overflowX) && it.scrollWidth > it.clientWidth + 1;
      if (it.checkVisibility() && isScrolled) wrong.push("scrolls to the side: " + it.outerHTML.slice(0, 200));
    }
    for (const it of document.querySelectorAll("#messages > li, #side li, .cards > li, .popup, .write, .head")) {
      const at = it.getBoundingClientRect();
      if (it.checkVisibility() && (at.left < -1 || at.right > innerWidth + 1)) wrong.push("stands out: " + it.outerHTML.slice(0, 200));
    }
    return wrong;
"##;

fn holds(person: &Person, place: &str) {
    for width in [360, 1200] {
        person.browser.looks(width, "light");
        person.browser.picture(&format!("hostile-{}-{width}", place.replace('/', "-")));
        let wrong = person.browser.run(LOOK, json!([]));
        assert_eq!(wrong, json!([]), "{place} at {width} px");
    }
}

/// Attacks 30, 56, 58; W10, W11.
#[test]
fn nothing_that_others_write_runs_or_leads_anywhere() {
    let Some(driver) = Driver::start() else { return };
    let world = World::new();
    let service = world.service("service");
    let url = service.api.url.clone();
    let [alice, bob] = ["alice", "bob"].map(|handle| Device::signed_up(&world, handle, &url));
    for (device, other) in [(&alice, &bob), (&bob, &alice)] {
        device.says(&["contact", "add", &link_of(other)]);
    }
    let texts = texts();
    assert!(texts.len() >= 200);
    let argument = |text: &str| text.replace('\0', "");
    for some in texts.chunks(10) {
        alice.says(&["send", "bob", &argument(&some.join("\n"))]);
    }
    let first = alice.says(&["send", "bob", &argument(&texts[0])]).pop().unwrap();
    let first = first["message"].as_str().unwrap().to_owned();
    for way in WAYS.iter().take(6) {
        alice.says(&["message", "react", &first, &way.replace('%', "hit=1").chars().take(15).collect::<String>()]);
    }
    alice.says(&["message", "reply", &first, &texts[6]]);
    alice.says(&["message", "edit", &first, &texts[32]]);
    for way in [WAYS[0], WAYS[3], WAYS[30], OTHERS[14], OTHERS[21], OTHERS[29]] {
        let title = way.replace('%', HIT);
        alice.says(&["chat", "new", &title, "bob"]);
    }
    for name in ["page.html", "picture.svg", "<img src=x onerror=hit=1>.png", "\" onload=\"hit=1", "\u{202e}gpj.exe"] {
        let inside = format!("<svg xmlns='http://www.w3.org/2000/svg'><script>{HIT}</script></svg>");
        let path = file(&world, name, inside.as_bytes());
        alice.says(&["send", "bob", "--file", &path.display().to_string()]);
    }
    alice.says(&["send", "bob", "and that is all"]);
    bob.reads("and that is all");
    let person = Person::at(&driver, &world, "bob", bob);
    let bob = &person.device;
    let rows = bob.says(&["chat", "list"]);
    for row in &rows {
        let place = format!("/c/{}", row["conversation"].as_str().unwrap());
        person.goes_to(&place);
        person.sees("form.write, .decision", "");
        holds(&person, "conversation");
        // all of what was said
        eventually("all of it is on the page", || {
            person.browser.run("document.querySelector('[data-older]')?.click()", json!([]));
            (person.counts("[data-older]") == 0).then_some(())
        });
        holds(&person, "older");
        person.goes_to(&format!("{place}/details"));
        person.sees("main", "In the list");
        holds(&person, "details");
    }
    person.goes_to("/new");
    person.sees("main", "Who is in it");
    holds(&person, "new");
    what_is_searched_and_saved(&person);

    // names of one's own devices
    let own = bob.says(&["device", "list"]).pop().unwrap();
    for way in [WAYS[3], WAYS[30], OTHERS[14], OTHERS[21]] {
        let name: String = way.replace('%', "hit=1").chars().take(32).collect();
        bob.says(&["device", "rename", own["device"].as_str().unwrap(), &name]);
        for place in ["/devices", "/record", "/contacts", "/contacts/alice", "/settings"] {
            person.goes_to(place);
            person.sees("main h1", "");
            holds(&person, place);
        }
    }
    person.was_left_in_peace();
}

/// Results of a search with hostile words, and files that would be pages.
fn what_is_searched_and_saved(person: &Person) {
    person.goes_to("/search");
    for words in ["<script>window.hit=1</script>", "\"><img", "onerror"] {
        person.writes("Words", words);
        person.presses_in("form.search", "Search");
        person.sees("#found", "");
        holds(person, "search");
    }
    person.goes_to("/");
    person.opens_talk("alice");
    let place = person.place();
    for name in ["page.html", "picture.svg"] {
        person.presses_in(&format!("li:has([data-name='{name}']) .file"), "Save");
        assert!(person.browser.downloaded(name).ends_with(b"</script></svg>"));
        assert_eq!((person.place(), person.browser.windows()), (place.clone(), 1));
    }
    holds(person, "saved");
}
