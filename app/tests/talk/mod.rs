//! What people do with messages and conversations, on pages of real accounts; and W10 on what others have put into titles,
//! reactions and answers.

use std::io::{Read as _, Write as _};

use serde_json::{Value, json};

use super::home::Home;
use super::{Answer, Browser, Service, ask, between};

const TITLE: &str = "Tea <b>time</b>\u{202e}";
const TITLE_SHOWN: &str = "Tea &lt;b&gt;time&lt;/b&gt;\\u{202e}";
const HOSTILE: &str = "<script>alert(1)</script> marker-of-alice";

impl Browser {
    /// Status and code of something that is refused with a sentence.
    fn refused(&self, path: &str, body: &Value) -> (u16, String) {
        let Answer(status, head, body) = ask(self.0, Some(&self.1), path, Some(body));
        assert!(
            status != 200 && body.starts_with("<p class=\"trouble\">") && body.ends_with(".</p>"),
            "{path}: {body}"
        );
        (status, between(&head, "trefoil-code: ", "\r\n").to_owned())
    }

    /// The id of the message with some text in it.
    fn message(&self, conversation: &str, text: &str) -> String {
        let talk = self.page_with(&format!("/part/messages/{conversation}"), text);
        let (before, _) = talk.split_once(text).unwrap();
        let (_, id) = before.rsplit_once("<li id=\"m-").unwrap();
        id.split('"').next().unwrap().to_owned()
    }

    /// A piece of a page on which something is not any more, which may take a moment.
    fn page_without(&self, path: &str, unwanted: &str) -> String {
        let began = std::time::Instant::now();
        loop {
            let Answer(status, _, body) = self.page(path);
            if status == 200 && !body.contains(unwanted) {
                return body;
            }
            assert!(began.elapsed().as_secs() < 60, "still {unwanted} on {path}: {body}");
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    }
}

/// What a button says to take a reaction back, which nobody sees.
const REACTION_MEANT: &str = "value=\"&lt;i&gt;\u{202e}\"";

/// Nothing of what people have written is markup.
fn is_tame(page: &str) {
    let page = page.replace(REACTION_MEANT, "");
    for wrong in ["<script", "<b>", "<i>", "\u{202e}"] {
        assert!(!page.contains(wrong), "{wrong}: {page}");
    }
}

#[test]
fn several_people_talk_by_pages_alone() {
    let homes = [(); 4].map(|()| Home::new());
    let service = Service::start(&homes[0]);
    let [alice, bob, carol] = [1, 2, 3].map(|at| Browser::of(&homes[at], &service));
    for (browser, handle) in [(&alice, "alice"), (&bob, "bob"), (&carol, "carol")] {
        browser.sign_up(handle, "laptop");
    }
    let link = between(&bob.page("/page/contacts").2, "readonly value=\"", "\"").to_owned();
    alice.wants("/do/add", &json!({ "who": link }));
    let conversation = begin(&bob);
    alice.page_with("/part/side?at=/", TITLE_SHOWN);
    is_tame(&alice.page("/part/side?at=/").2);
    answer_and_react(&alice, &bob, &conversation);
    change_and_take_back(&alice, &bob, &conversation);
    people_come_and_go(&alice, &bob, &conversation);
    keep_it(&alice, &bob, &conversation);
    search(&alice, &bob, &conversation);
    receipts(&alice, &bob, &conversation);
    // lines and all: of what others wrote nothing is markup
    is_tame(&alice.page(&format!("/page/c/{conversation}")).2);
    is_tame(&bob.page(&format!("/page/c/{conversation}/details")).2);
}

/// A conversation of several people, and what is none.
fn begin(bob: &Browser) -> String {
    let new = |title: &str, with: &str| json!({ "title": title, "with": with });
    for title in ["", "  ", "a\nb", &"x".repeat(256)] {
        assert_eq!(bob.refused("/do/new", &new(title, "alice")), (422, "chat.title".to_owned()), "{title:?}");
    }
    assert_eq!(bob.refused("/do/new", &new("Tea", " , ")), (422, "chat.nobody".to_owned()));
    assert_eq!(bob.refused("/do/new", &new("Tea", "alice nobody")).1, "handle.unknown");
    assert_eq!(bob.refused("/do/new", &new("Tea", "alice@other.example")).1, "contact.other_service");
    let begun = bob.wants("/do/new", &new(TITLE, "alice"));
    let conversation = between(&begun.1, "trefoil-go: /c/", "\r\n").to_owned();
    is_tame(&bob.page_with(&format!("/page/c/{conversation}"), TITLE_SHOWN));
    conversation
}

fn answer_and_react(alice: &Browser, bob: &Browser, conversation: &str) {
    let part = format!("/part/messages/{conversation}");
    alice.page_with(&format!("/page/c/{conversation}"), "name=\"text\"");
    alice.wants("/do/send", &json!({ "to": conversation, "text": HOSTILE }));
    let first = bob.message(conversation, "marker-of-alice");
    bob.wants("/do/send", &json!({ "to": conversation, "text": "my-answer", "answers": first, "edits": "" }));
    let talk = alice.page_with(&part, "my-answer");
    let quote = between(&talk, "<button class=\"quote\"", "</button>");
    assert!(quote.contains(&format!("data-goto=\"m-{first}\"")) && quote.contains("&lt;script&gt;"), "{quote}");
    is_tame(&talk);

    let react = |reaction: &str, remove: &str| json!({ "message": first, "reaction": reaction, "remove": remove });
    bob.wants("/do/react", &react("<i>\u{202e}", "no"));
    bob.wants("/do/react", &react("👍", "no"));
    alice.wants("/do/react", &react("👍", "no"));
    let talk = bob.page_with(&part, "<span class=\"number\">2</span>");
    assert!(talk.contains("&lt;i&gt;\\u{202e}") && talk.contains("👍: you, alice"), "{talk}");
    assert!(talk.contains("value=\"yes\" aria-pressed=\"true\""), "a click takes back one's own: {talk}");
    is_tame(&talk);
    bob.wants("/do/react", &react("👍", "yes"));
    bob.page_without(&part, "<span class=\"number\">");
    for wrong in ["", "a\nb", &"x".repeat(65)] {
        assert_eq!(bob.refused("/do/react", &react(wrong, "no")), (422, "reaction.malformed".to_owned()));
    }
    let nowhere = json!({ "message": "00".repeat(32), "reaction": "👍", "remove": "no" });
    assert_eq!(bob.refused("/do/react", &nowhere).1, "message.unknown");
}

fn change_and_take_back(alice: &Browser, bob: &Browser, conversation: &str) {
    let part = format!("/part/messages/{conversation}");
    let first = alice.message(conversation, "marker-of-alice");
    let edit = |text: &str| json!({ "to": conversation, "text": text, "answers": "", "edits": first });
    assert_eq!(bob.refused("/do/send", &edit("not mine")), (409, "message.not_yours".to_owned()));
    assert_eq!(alice.refused("/do/send", &edit("")), (422, "message.empty".to_owned()));
    alice.wants("/do/send", &edit("<script> marker-changed"));
    let talk = bob.page_with(&part, "<p class=\"text\" dir=\"auto\">&lt;script&gt; marker-changed");
    assert!(talk.contains("<span class=\"edited\">") && !talk.contains("marker-of-alice"), "{talk}");
    assert_eq!(bob.refused("/do/take-back", &json!({ "message": first })).1, "message.not_yours");
    let said = alice.wants("/do/take-back", &json!({ "message": first })).2;
    assert!(said.contains("Taken back"), "{said}");
    let talk = bob.page_without(&part, "marker-changed");
    assert!(talk.contains("Taken back") && talk.contains("a message that is not here"), "{talk}");
}

/// MSG-9, MSG-10: in words, by itself, and not any more where it is switched off.
fn receipts(alice: &Browser, bob: &Browser, conversation: &str) {
    let part = format!("/part/messages/{conversation}");
    bob.wants("/do/send", &json!({ "to": conversation, "text": "marker-of-bob" }));
    alice.page_with(&part, "marker-of-bob");
    alice.wants("/do/read", &json!({ "conversation": conversation }));
    let talk = bob.page_with(&part, "<span class=\"state quiet read\" title=\"read by alice\">read</span>");
    assert!(talk.contains("marker-of-bob"), "{talk}");
    let settings = bob.page("/page/settings").2;
    assert!(
        settings.contains("Don't tell when I have read them") || settings.contains("Don&#39;t tell when I have"),
        "{settings}"
    );
    bob.wants("/do/receipts", &json!({ "receipt": "read", "on": "no" }));
    bob.page_with("/part/receipts", "Nobody sees whether you have read them");
    bob.page_without(&part, ">read</span>");
    assert_eq!(bob.refused("/do/receipts", &json!({ "receipt": "typed", "on": "no" })).0, 422);
}

fn people_come_and_go(alice: &Browser, bob: &Browser, conversation: &str) {
    let (part, members) = (format!("/part/messages/{conversation}"), format!("/part/members/{conversation}"));
    let page = alice.page(&format!("/page/c/{conversation}/details")).2;
    assert!(page.contains("Others here let people in and out") && !page.contains("/do/let-in\""), "{page}");
    let with = |with: &str| json!({ "conversation": conversation, "with": with });
    assert_eq!(alice.refused("/do/let-in", &with("carol")), (409, "chat.not_admin".to_owned()));
    assert_eq!(bob.refused("/do/let-in", &with("")), (422, "chat.nobody".to_owned()));
    bob.wants("/do/let-in", &with("carol"));
    let list = alice.page_with(&members, "carol");
    let (before, _) = list.split_once("lets people in").unwrap();
    assert!(before.rsplit("<li>").next().unwrap().contains("bob"), "{list}");
    alice.page_with(&part, "bob let in carol");
    bob.wants("/do/take-out", &json!({ "conversation": conversation, "who": "carol" }));
    alice.page_with(&part, "bob took out carol");
    alice.page_without(&members, "carol");

    let admin = |who: &str, on: &str| json!({ "conversation": conversation, "who": who, "on": on });
    let leave = json!({ "conversation": conversation });
    assert_eq!(alice.refused("/do/admin", &admin("alice", "yes")), (409, "chat.not_admin".to_owned()));
    assert_eq!(bob.refused("/do/leave", &leave), (409, "chat.last_admin".to_owned()));
    bob.wants("/do/admin", &admin("alice", "yes"));
    alice.page_with(&members, "May no longer let people in and out");
    bob.wants("/do/admin", &admin("alice", "no"));
    alice.page_without(&members, "May no longer let people in and out");

    let title = |title: &str| json!({ "conversation": conversation, "title": title });
    assert_eq!(alice.refused("/do/title", &title("mine")), (409, "chat.not_admin".to_owned()));
    assert_eq!(bob.refused("/do/title", &title(" ")), (422, "chat.title".to_owned()));
    bob.wants("/do/title", &title("<i>Coffee</i>"));
    alice.page_with(&part, "bob named this &quot;&lt;i&gt;Coffee&lt;/i&gt;&quot;");
}

fn keep_it(alice: &Browser, bob: &Browser, conversation: &str) {
    let keeping = format!("/part/keeping/{conversation}");
    let timer = |seconds: &str| json!({ "conversation": conversation, "seconds": seconds });
    assert_eq!(bob.refused("/do/timer", &timer("soon")), (422, "request.malformed".to_owned()));
    for much in ["4294967295", "18446744073709551615", "always"] {
        assert_eq!(bob.refused("/do/timer", &timer(much)), (422, "chat.timer".to_owned()), "{much}");
    }
    bob.wants("/do/timer", &timer("86400"));
    alice.page_with(&keeping, "value=\"86400\" aria-pressed=\"true\"");
    let part = format!("/part/messages/{conversation}");
    alice.page_with(&part, "bob decided: from here on messages are gone 1 day after they were read");
    alice.wants("/do/send", &json!({ "to": conversation, "text": "not-for-long" }));
    bob.page_with(&part, "title=\"gone 1 day after it was read\"");

    // for oneself alone
    let on = |on: &str| json!({ "conversation": conversation, "on": on });
    bob.wants("/do/mute", &timer("always"));
    bob.page_with(&keeping, "Silent for good");
    let side = bob.page_with("/part/side?at=/", "title=\"silent\"");
    assert!(side.contains("data-unread=\"0\"") && side.contains("count quiet"), "what is silent calls nobody: {side}");
    bob.wants("/do/mute", &timer("0"));
    bob.page_without("/part/side?at=/", "title=\"silent\"");
    bob.wants("/do/mute", &timer("28800"));
    bob.page_with(&keeping, "Until ");
    bob.wants("/do/pin", &on("yes"));
    bob.page_with("/part/side?at=/", "title=\"pinned\"");
    bob.wants("/do/put-away", &on("yes"));
    bob.page_with("/part/side?at=/", "Put away (1)");
    bob.wants("/do/put-away", &on("no"));
    bob.page_without("/part/side?at=/", "Put away");
    assert!(!alice.page("/part/side?at=/").2.contains("title=\"pinned\""), "nobody else is told");
    for place in ["/do/pin", "/do/mute", "/do/put-away"] {
        let nowhere = json!({ "conversation": "00ff", "on": "yes", "seconds": "0" });
        assert_eq!(bob.refused(place, &nowhere), (422, "chat.unknown".to_owned()), "{place}");
    }
}

fn search(alice: &Browser, bob: &Browser, conversation: &str) {
    alice.wants("/do/send", &json!({ "to": conversation, "text": "<script>Earl Grey</script>" }));
    bob.message(conversation, "Earl Grey");
    let look = |text: &str, from: &str, with: &str| json!({ "text": text, "from": from, "with": with });
    let found = bob.wants("/do/search", &look("GREY earl", "alice", conversation)).2;
    assert!(found.contains("<mark>Earl</mark> <mark>Grey</mark>") && found.contains("1 found, in the "), "{found}");
    assert!(found.contains(&format!("href=\"/c/{conversation}\" data-at=\"m-")), "{found}");
    is_tame(&found);
    let nothing = bob.wants("/do/search", &look("grey", "bob", "")).2;
    assert!(nothing.contains("Nothing found") && !nothing.contains("<mark>"), "{nothing}");
    assert_eq!(bob.refused("/do/search", &look("  ", "", "")), (422, "search.empty".to_owned()));
    assert_eq!(bob.refused("/do/search", &look("tea", "mallory", "")), (409, "contact.unknown".to_owned()));
    assert_eq!(bob.refused("/do/search", &look("tea", "", "00ff")), (409, "chat.unknown".to_owned()));
    let page = bob.page("/page/search").2;
    let found = between(&page, "<div id=\"found\"", "</div>");
    assert!(page.contains("&lt;i&gt;Coffee&lt;/i&gt;") && !found.contains("Earl"), "{page}");
    is_tame(&page);
}

/// A file that is chosen on one page is saved from another; W4: what it is sent as no form can send; W10: its name is no markup, and
/// no path.
#[test]
fn a_file_goes_by_pages_alone() {
    let homes = [(); 3].map(|()| Home::new());
    let service = Service::start(&homes[0]);
    let [alice, bob] = [1, 2].map(|at| Browser::of(&homes[at], &service));
    for (browser, handle) in [(&alice, "alice"), (&bob, "bob")] {
        browser.sign_up(handle, "laptop");
    }
    let link = between(&bob.page("/page/contacts").2, "readonly value=\"", "\"").to_owned();
    alice.wants("/do/add", &json!({ "who": link }));
    let bytes: String = (0..70_000).map(|number| char::from(b'a' + u8::try_from(number % 26).unwrap())).collect();
    let path = "/do/file?to=bob&name=..%2F..%2F%3Cb%3Enotes.txt";
    assert_eq!(upload(&alice, path, "application/json", &bytes), 415);
    assert_eq!(upload(&alice, "/do/send", "application/octet-stream", &bytes), 415);
    assert_eq!(upload(&alice, path, "application/octet-stream", &bytes), 200);
    let side = bob.page_with("/part/side?at=/", "href=\"/c/");
    let conversation = between(&side, "href=\"/c/", "\"").to_owned();
    let talk = bob.page_with(&format!("/part/messages/{conversation}"), "data-file=");
    is_tame(&talk);
    assert!(talk.contains("notes.txt") && !talk.contains("../"), "{talk}");
    let file = between(&talk, "data-file=\"", "\"").to_owned();
    let Answer(status, head, body) = bob.page(&file);
    assert_eq!((status, body.len()), (200, bytes.len()));
    assert!(body == bytes && head.contains("content-disposition: attachment"), "{head}");
    assert_eq!(ask(bob.0, None, &file, None).0, 401);
    assert_ne!(bob.page("/file/00ff").0, 200);
    for home in &homes[1..] {
        let left = std::fs::read_dir(home.path().join("data/default/moving")).map(Iterator::count);
        assert_eq!(left.unwrap_or_default(), 0, "nothing of it stays in the clear");
    }
}

/// The status of a file that is sent as something.
fn upload(browser: &Browser, path: &str, kind: &str, bytes: &str) -> u16 {
    let (address, token) = (browser.0, &browser.1);
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nSec-Fetch-Site: same-origin\r\n\
         Origin: http://{address}\r\ntrefoil-token: {token}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n",
        bytes.len()
    );
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    // who is refused early is not read to the end
    stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(bytes.as_bytes())).unwrap_or_default();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).map(drop).unwrap_or_default();
    let answer = String::from_utf8_lossy(&answer);
    answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_default()
}
