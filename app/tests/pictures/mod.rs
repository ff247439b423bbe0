//! Pictures on pages of real accounts (BLB-9): what is shown, from where, to whom, and what is not.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use serde_json::json;

use super::home::Home;
use super::{Browser, Service, between};

const HTML: &str = "<!doctype html><script>alert('marker-of-eve')</script>";

/// Sixteen points square, as far as anybody reads who does not decode it; it tells nothing else.
fn png() -> Vec<u8> {
    let header = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR\0\0\0\x10\0\0\0\x10\x08\x02\0\0\0\x90\x91\x68\x36";
    let points = [&9_000_u32.to_be_bytes()[..], b"IDAT", &[7; 9_000], &[0; 4]].concat();
    [&header[..], &points, b"\0\0\0\0IEND\xae\x42\x60\x82"].concat()
}

impl Browser {
    /// Status, headers in lower case and bytes of a picture.
    fn picture(&self, message: &str) -> (u16, String, Vec<u8>) {
        let (address, token) = (self.0, &self.1);
        let request = format!(
            "GET /picture/{message} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nSec-Fetch-Site: same-origin\r\n\
             trefoil-token: {token}\r\ntrefoil-by: page\r\n\r\n"
        );
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        let head = answer.windows(4).position(|part| part == b"\r\n\r\n").unwrap();
        let body = answer.split_off(head + 4);
        let head = String::from_utf8(answer).unwrap().to_lowercase();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), head, body)
    }

    fn conversation(&self) -> String {
        between(&self.page_with("/part/side?at=/", "href=\"/c/"), "href=\"/c/", "\"").to_owned()
    }
}

/// Names of what is kept.
fn kept(home: &Home) -> Vec<String> {
    let entries = fs::read_dir(home.path().join("data/default/files")).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name().into_string().unwrap()).collect()
}

fn send(home: &Home, name: &str, bytes: &[u8]) {
    let path = home.path().join(name);
    fs::write(&path, bytes).unwrap();
    let sent = home.run(&["send", "bob", "--file", path.to_str().unwrap()]);
    assert!(sent.status.success(), "{}", String::from_utf8_lossy(&sent.stderr));
}

/// The id of the message that has a file of this name.
fn message(talk: &str, name: &str) -> String {
    let (before, _) = talk.split_once(&format!("<strong>{name}</strong>")).unwrap_or_else(|| panic!("{name}: {talk}"));
    before.rsplit_once("<li id=\"m-").unwrap().1.split('"').next().unwrap().to_owned()
}

#[test]
fn a_picture_is_shown_in_its_place_and_nothing_else_is() {
    let homes = [(); 3].map(|()| Home::new());
    let service = Service::start(&homes[0]);
    let [alice, bob] = [1, 2].map(|at| Browser::of(&homes[at], &service));
    alice.sign_up("alice", "laptop");
    bob.sign_up("bob", "laptop");
    send(&homes[1], "island.png", &png());
    send(&homes[1], "evil.png", HTML.as_bytes());

    // as long as she is a stranger, it comes when he asks for it
    let conversation = bob.conversation();
    let messages = format!("/part/messages/{conversation}");
    let talk = bob.page_with(&messages, "evil.png");
    let (picture, evil) = (message(&talk, "island.png"), message(&talk, "evil.png"));
    let place = format!("data-picture=\"/picture/{picture}\"");
    assert!(talk.contains(&place) && talk.contains("data-show>Show<") && !talk.contains("data-near"), "{talk}");
    bob.page(&format!("/page/c/{conversation}"));
    assert_eq!(kept(&homes[2]), [""; 0], "nothing of a stranger is fetched by itself");
    bob.wants("/do/decide", &json!({ "who": conversation, "decision": "accepted" }));
    let talk = bob.page(&messages).2;
    assert!(talk.contains("data-near") && talk.contains("data-show hidden"), "{talk}");
    // what she sends by the name of a picture is not sent as one
    assert!(!talk.contains(&format!("/picture/{evil}")), "{talk}");

    let (status, head, bytes) = bob.picture(&picture);
    assert!(status == 200 && bytes == png(), "{head}");
    for wanted in ["content-type: image/png\r\n", "x-content-type-options: nosniff\r\n", "cache-control: no-store\r\n"]
    {
        assert!(head.contains(wanted), "{wanted}: {head}");
    }
    // and if somebody asks for it all the same, its bytes are looked at
    let (status, head, bytes) = bob.picture(&evil);
    assert!(status == 409 && head.contains("trefoil-code: file.no_picture\r\n"), "{head}");
    assert!(!String::from_utf8(bytes).unwrap().contains("marker-of-eve"));
    assert!(bob.picture("00000000").1.contains("trefoil-code: file.unknown\r\n"));
    let (status, head, _) = Browser(bob.0, "guessed".to_owned()).picture(&picture);
    assert!(status == 401 && !head.contains("image/"), "{head}");

    answered_and_offline(&alice, &bob, &homes, service, &picture);
}

fn answered_and_offline(alice: &Browser, bob: &Browser, homes: &[Home; 3], service: Service, picture: &str) {
    let conversation = bob.conversation();
    bob.wants("/do/send", &json!({ "to": conversation, "text": "lovely", "answers": picture }));
    let talk = bob.page_with(&format!("/part/messages/{conversation}"), "lovely");
    let quote = between(&talk, "<button class=\"quote\"", "</button>");
    assert!(quote.contains(">Picture<") && quote.contains("data-small") && !quote.contains("island.png"), "{quote}");
    // a third file is here only as a message, when the service goes
    send(&homes[1], "later.png", &png());
    let talk = bob.page_with(&format!("/part/messages/{conversation}"), "later.png");
    let later = message(&talk, "later.png");
    drop(service);
    homes[2].run(&["agent", "--stop"]);
    let (address, secret) = super::open(&homes[2], &[]);
    let bob = Browser(address, super::token(address, &secret));
    for browser in [alice, &bob] {
        let (status, head, bytes) = browser.picture(picture);
        assert!(status == 200 && bytes == png(), "what was shown or sent is there without the service: {head}");
    }
    let (status, head, _) = bob.picture(&later);
    assert!(status == 503 && head.contains("trefoil-code: service.unreachable\r\n"), "{head}");
}
