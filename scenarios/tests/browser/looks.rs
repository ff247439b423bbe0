//! How the pages are for everybody: with a screen reader, by keyboard, in both colour schemes, in a narrow window.

use std::fs;
use std::path::Path;

use chain::id::Digest;
use scenarios::device::{Device, PASSWORD};
use scenarios::program::eventually;
use scenarios::world::World;
use serde_json::{Value, json};

use crate::driver::Driver;
use crate::person::{Person, file};
use crate::steps::{asks_for_a_reset, asks_to_join, know_each_other};

/// axe-core 4.14.1 as its makers publish it; its licence is beside it. It is part of no program.
const AXE: &str = "tests/browser/vendor/axe.min.js";
const AXE_SHA256: &str = "29348999450cdf2849a8e70b7912fc2da85a849da39c0d0d5394f51d4a9ed95c";

/// WCAG 2.2, levels A and AA; the size of targets is not among what it looks at by itself.
const LOOK: &str = r#"
    axe.run(document, {
      runOnly: { type: "tag", values: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"] },
      rules: { "target-size": { enabled: true } },
      resultTypes: ["violations"],
    }).then((found) => JSON.stringify(found.violations.flatMap((it) =>
      it.nodes.map((node) => `${it.id}: ${node.html.slice(0, 200)}: ${node.failureSummary.replace(/\s+/g, " ")}`))))
"#;

/// What stands out at the side, or makes something scroll to the side; and what has no room.
const TOO_WIDE: &str = r#"
    const shown = [...document.querySelectorAll("body *")].filter((it) => it.checkVisibility());
    const isCut = (it) => {
      for (let at = it.parentElement; at; at = at.parentElement) {
        if (getComputedStyle(at).overflowX !== "visible") return true;
      }
      return false;
    };
    const scrolls = (it) => ["auto", "scroll"].includes(getComputedStyle(it).overflowX) && it.scrollWidth > it.clientWidth;
    const wide = shown.filter((it) => scrolls(it) || (it.getBoundingClientRect().right > innerWidth + 1 && !isCut(it)));
    // nor is a sentence squeezed into a strip
    wide.push(...shown.filter((it) => it.matches("main h1, main h2, main p") && it.innerText.length > 12
      && it.clientWidth > 0 && it.clientWidth < 90 && !it.closest(".bubble")));
    const all = document.scrollingElement.scrollWidth > innerWidth ? [document.scrollingElement, ...wide] : wide;
    return all.map((it) => it.outerHTML.slice(0, 160));
"#;

/// Everything that a person can use, of which the keyboard has to reach each; of radio buttons, one of a group.
const CONTROLS: &str = r#"
    const can = "a[href], button:enabled, input:enabled:not([type=hidden]), select:enabled, textarea:enabled, summary";
    window.reached = new Set();
    document.addEventListener("focusin", (event) => window.reached.add(event.target));
    window.controls = [...document.querySelectorAll(can)].filter((it) => it.checkVisibility());
    document.activeElement?.blur();
    return window.controls.length;
"#;
const NOT_REACHED: &str = r#"
    const groups = new Set([...window.reached].filter((it) => it.type === "radio").map((it) => it.name));
    const isReached = (it) => window.reached.has(it) || (it.type === "radio" && groups.has(it.name));
    return window.controls.filter((it) => it.isConnected && !isReached(it)).map((it) => it.outerHTML.slice(0, 160));
"#;

const TAB: &str = "\u{e004}";
const ENTER: &str = "\u{e007}";
const ESCAPE: &str = "\u{e00c}";

fn texts(value: &Value) -> Vec<String> {
    value.as_array().unwrap().iter().map(|it| it.as_str().unwrap_or_default().to_owned()).collect()
}

/// What axe-core finds, in a world beside the page's own, so that the page's policy holds for the page.
fn violations(person: &Person) -> Vec<String> {
    let frame = person.browser.devtools("Page.getFrameTree", json!({}))["frameTree"]["frame"]["id"].clone();
    let world = person.browser.devtools("Page.createIsolatedWorld", json!({ "frameId": frame, "worldName": "axe" }));
    let evaluated = |expression: &str| {
        let parameters = json!({
            "expression": expression, "contextId": world["executionContextId"], "awaitPromise": true, "returnByValue": true,
        });
        person.browser.devtools("Runtime.evaluate", parameters)
    };
    if evaluated("typeof axe")["result"]["value"] == "undefined" {
        let source = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(AXE)).unwrap();
        assert_eq!(Digest::sha256(source.as_bytes()).to_string(), AXE_SHA256);
        evaluated(&source);
    }
    let found = evaluated(LOOK);
    let found = found["result"]["value"].as_str().unwrap_or_else(|| panic!("{found}"));
    texts(&serde_json::from_str(found).unwrap())
}

/// What is wrong with the pages of a test.
#[derive(Default)]
pub(crate) struct Faults(Vec<String>);

impl Faults {
    /// Looks at the page as it is now, in every way.
    pub(crate) fn of(&mut self, person: &Person, name: &str) {
        self.0.extend(faults(person, name));
    }

    pub(crate) fn are_none(&self) {
        assert!(self.0.is_empty(), "{:#?}", self.0);
    }
}

fn faults(person: &Person, name: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    for (width, scheme) in [(1200, "light"), (1200, "dark"), (360, "dark"), (360, "light")] {
        person.browser.looks(width, scheme);
        person.browser.picture(&format!("{name}-{width}-{scheme}"));
        let here = violations(person).into_iter().chain(texts(&person.browser.run(TOO_WIDE, json!([]))));
        wrong.extend(here.map(|it| format!("{name}, {width} px, {scheme}: {it}")));
    }
    person.browser.looks(1200, "light");
    let controls = person.browser.run(CONTROLS, json!([])).as_u64().unwrap();
    person.browser.keys_in_turn(TAB, controls + 8);
    let missed = texts(&person.browser.run(NOT_REACHED, json!([])));
    wrong.extend(missed.into_iter().map(|it| format!("{name}: no Tab reaches {it}")));
    wrong
}

/// What looks at the pages sees something.
fn what_is_wrong_is_found(person: &Person) {
    let break_it = r#"
        document.querySelector("h1").style.color = "rgb(250 250 250)";
        document.querySelector("input").style.width = "1300px";
        document.querySelector("button").tabIndex = -1;
    "#;
    person.browser.run(break_it, json!([]));
    let found = faults(person, "broken").join("\n");
    for wrong in ["color-contrast", "id=\"handle\"", "no Tab reaches <button"] {
        assert!(found.contains(wrong), "{wrong}: {found}");
    }
    person.goes_to("/welcome");
    person.sees("h1", "Welcome");
}

/// The pages before somebody is in, and those that are locked.
#[test]
fn the_ways_in_are_for_everybody() {
    let Some(driver) = Driver::start() else { return };
    let world = World::new();
    let service = world.service("service");
    let url = service.api.url.clone();
    let person = Person::new(&driver, &world, "bob", &url);
    let mut faults = Faults::default();
    what_is_wrong_is_found(&person);
    faults.of(&person, "welcome");
    // by keyboard alone
    person.browser.run("document.activeElement.blur(); document.querySelector('#handle').focus()", json!([]));
    let (browser, bob) = (&person.browser, Device::new(&world, "first", &url));
    browser.writes("bo");
    browser.keys(&[TAB]);
    browser.writes(PASSWORD);
    browser.keys(&[ENTER]);
    person.sees("form [role=alert]", "handle");
    faults.of(&person, "welcome-refused");
    person.presses("Log in on this machine");
    person.sees("h1", "Log in");
    faults.of(&person, "login");
    person.presses("Ask for a fresh identity");
    person.sees("h1", "A fresh identity");
    faults.of(&person, "reset");
    person.presses("Back");
    person.sees("h1", "Log in");
    bob.says(&bob.join("signup", "bob"));
    // nobody answers who is not there
    bob.kill_everything();
    person.writes("Handle", "bob");
    person.writes("Password", PASSWORD);
    person.presses("Log in");
    person.sees("h1", "Almost there");
    person.presses("I no longer have any of my devices");
    faults.of(&person, "waiting");
    // who is there answers
    bob.says(&["device", "list"]);
    person.sees(".code", " ");
    faults.of(&person, "digits");
    person.presses("Start over");
    person.sees("h1", "Log in");
    person.device.says(&["web", "--stop"]);
    person.sees("#locked", "This page is locked");
    faults.of(&person, "locked");
    faults.are_none();
    person.was_left_in_peace();
}

/// The pages of somebody who has used all of it.
#[test]
fn every_page_is_for_everybody() {
    let Some(driver) = Driver::start() else { return };
    let world = World::new();
    let service = world.service("service");
    let url = service.api.url.clone();
    let [bob, alice, carol] = ["bob", "alice", "carol"].map(|handle| Device::signed_up(&world, handle, &url));
    know_each_other(&bob, &alice);
    let garden = alice.says(&["chat", "new", "Garden", "bob"]).pop().unwrap();
    alice.says(&["send", "bob", "hello https://a.example/path and\na second line"]);
    let path = file(&world, "a rather long name of a file that goes on and on.txt", b"text");
    alice.says(&["send", "bob", "--file", &path.display().to_string()]);
    bob.reads("hello https://a.example/path and\na second line");
    let message = bob.says(&["send", "alice", "hello yourself"]).pop().unwrap();
    alice.reads("hello yourself");
    alice.says(&["message", "react", message["message"].as_str().unwrap(), "👍"]);
    alice.says(&["message", "reply", message["message"].as_str().unwrap(), "an answer"]);
    bob.reads("an answer");
    carol.says(&["send", "bob", "it is me"]);
    let person = Person::at(&driver, &world, "bob", bob);
    let bob = &person.device;
    person.sees("#side", "carol");

    let mut faults = Faults::default();
    let conversation = person.device.says(&["chat", "list"]);
    let id_of = |title: &str| {
        let row = conversation.iter().find(|it| it["title"] == title).unwrap();
        row["conversation"].as_str().unwrap().to_owned()
    };
    let with_alice = id_of("alice");
    for (name, place, wanted) in [
        ("list", "/".to_owned(), "Choose a conversation."),
        ("people", "/contacts".to_owned(), "Your link"),
        ("contact", "/contacts/alice".to_owned(), "Verification code"),
        ("conversation", format!("/c/{with_alice}"), "an answer"),
        ("details", format!("/c/{with_alice}/details"), "Disappearing messages"),
        ("details-group", format!("/c/{}/details", id_of("Garden")), "lets people in"),
        ("request", format!("/c/{}", id_of("carol")), "Leave it here"),
        ("to", "/to/dave".to_owned(), "You haven't written to each other yet"),
        ("new", "/new".to_owned(), "What it is called"),
        ("search", "/search".to_owned(), "Written by"),
        ("devices", "/devices".to_owned(), "Add a device"),
        ("settings", "/settings".to_owned(), "Change password"),
        ("recovery", "/recovery".to_owned(), "24 words"),
        ("record", "/record".to_owned(), "What happened"),
        ("record-of-another", "/record/alice".to_owned(), "What happened"),
        ("help", "/help".to_owned(), "Shift-Enter"),
    ] {
        person.goes_to(&place);
        person.sees("main", wanted);
        if name == "search" {
            person.writes("Words", "hello");
            person.presses_in("form.search", "Search");
            person.sees("#found mark", "hello");
        }
        if name == "record" {
            // the name of a device is a word in a sentence
            let heights = "return [...document.querySelectorAll('.what .chip')].map((it) => it.offsetHeight)";
            let heights = person.browser.run(heights, json!([]));
            assert!(heights.as_array().unwrap().iter().all(|it| it.as_u64() < Some(26)), "{heights}");
        }
        person.browser.run("document.querySelectorAll('main details').forEach((it) => (it.open = true))", json!([]));
        faults.of(&person, name);
    }
    what_opens_on_pages_is_too(&mut faults, &person, &with_alice);
    somebody_waits_and_a_reset_is_announced(&mut faults, &world, &person, &url);
    assert!(garden.is_object() && bob.says(&["status"]).len() == 1);
    faults.are_none();
    person.was_left_in_peace();
}

/// Menu, answer, recovery words; and what keys do.
fn what_opens_on_pages_is_too(faults: &mut Faults, person: &Person, with_alice: &str) {
    person.goes_to(&format!("/c/{with_alice}"));
    person.presses_on("#messages .own .more");
    person.sees("#menu", "Answer");
    faults.of(person, "menu");
    person.browser.keys(&[ESCAPE]);
    person.sees_no("body", "Another emoji or word");
    person.presses_on("#messages .theirs .more");
    person.presses_in("#menu", "Answer");
    person.sees(".about-what", "You answer");
    faults.of(person, "answer");
    person.browser.run("document.querySelector('form.write textarea').focus()", json!([]));
    person.browser.keys(&[ESCAPE]);
    person.sees_no("form.write", "You answer");
    person.browser.writes("one");
    person.browser.keys(&["\u{e008}", ENTER]);
    person.browser.writes("two");
    person.browser.keys(&[ENTER]);
    person.sees("#messages .own", "one\ntwo");
    // Ctrl-K, then arrows, then Enter
    person.browser.keys(&["\u{e009}", "k"]);
    let focused = || person.browser.run("return document.activeElement.getAttribute('href') ?? ''", json!([]));
    assert!(focused().as_str().unwrap().starts_with("/c/"), "{}", focused());
    let first = focused();
    person.browser.keys(&["\u{e015}"]);
    assert_ne!(focused(), first);
    person.browser.keys(&[ENTER]);
    eventually("the other conversation is open", || (first != json!(person.place())).then_some(()));
    person.goes_to("/recovery");
    person.presses("Make a recovery key");
    person.sees(".words", "");
    faults.of(person, "recovery-words");
    person.presses("I have written them down");
    person.sees("main", "From your paper");
    faults.of(person, "recovery-check");
}

/// The popup, the alarm, what is told beside the pages; Escape puts the popup aside.
fn somebody_waits_and_a_reset_is_announced(faults: &mut Faults, world: &World, person: &Person, url: &str) {
    person.goes_to("/");
    let second = Device::new(world, "second", url);
    let _waiting = asks_to_join(&second, "a tower with a name that is long");
    person.sees(".popup", "a tower with a name that is long");
    faults.of(person, "popup");
    person.browser.keys(&[ESCAPE]);
    person.sees_no("body", "A new device wants");
    person.goes_to("/devices");
    person.sees("#devices", "Waiting to be let in");
    faults.of(person, "devices-waiting");
    person.goes_to("/");
    asks_for_a_reset(world, url, person);
    faults.of(person, "alarm");
}
