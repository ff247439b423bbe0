//! Hostile names, texts and arguments through the real program (attacks 30, 56, 63): machines get them as they were,
//! terminals get them tamed, and every refusal has its code.

use std::ffi::OsStr;
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::process::{Command, Stdio};

use scenarios::program::{Ended, Process, trefoil};
use scenarios::world::World;

use scenarios::device::Device;

/// Clears the screen, sets the clipboard (OSC 52), colours in seven and in eight bits, rings, goes back, turns text around.
const WILD: &str = "\u{1b}[2J\u{1b}]52;c;aGk=\u{7}\u{9b}31m\u{8}\u{7f}\r\u{202e}txt.exe\u{2066}\u{2028}";

/// Nothing in it steers a terminal or turns text around.
fn is_harmless(ended: &Ended) {
    let turns = ['\u{61c}', '\u{200e}', '\u{200f}', '\u{2028}', '\u{2029}'];
    let steers = |letter: char| {
        let is_bidi = matches!(letter, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}') || turns.contains(&letter);
        is_bidi || (letter.is_control() && !matches!(letter, '\n' | '\t'))
    };
    let shown = [ended.lines.join("\n"), ended.stderr.clone()].concat();
    assert!(!shown.contains(steers), "{shown:?}");
    assert!(!shown.contains("panicked"), "{shown}");
}

/// Runs a command with any bytes as arguments, once for a machine and once for a person.
fn fails(device: &Device, arguments: &[&[u8]], status: i32, code: &str) {
    let command = || {
        let mut command = device.at_home(Command::new(trefoil()));
        command.args(arguments.iter().map(|bytes| OsStr::from_bytes(bytes)));
        command
    };
    let shown = arguments.iter().map(|it| String::from_utf8_lossy(it)).collect::<Vec<_>>();
    let told = Process::start(command(), &device.home, &["--json"]).wait_for_end();
    assert_eq!(told.verdict(), (Some(status), code.to_owned()), "{shown:?}: {told:?}");
    assert_eq!(told.error()["message"].as_str().map(str::is_empty), Some(false), "{told:?}");
    let said = Process::start(command(), &device.home, &[]).wait_for_end();
    assert_eq!(said.status, Some(status), "{shown:?}: {said:?}");
    is_harmless(&said);
}

/// `send` with a text from standard input.
fn send_from_input(device: &Device, to: &str, text: &[u8]) -> std::process::Output {
    let mut command = device.at_home(Command::new(trefoil()));
    command.args(["send", to, "--json"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(text).unwrap();
    child.wait_with_output().unwrap()
}

#[test]
fn hostile_texts_and_names_arrive_as_they_were_and_harm_no_terminal() {
    let world = World::new();
    let service = world.service("service");
    let url = service.api.url.clone();
    let (bob, alice) = (Device::new(&world, "bob", &url), Device::new(&world, "alice", &url));
    for (device, handle) in [(&bob, "bob"), (&alice, "alice")] {
        let line = [&device.join("signup", handle)[..], &["--name", WILD]].concat();
        is_harmless(&device.shows(&line));
    }
    let mut texts =
        vec![WILD.to_owned(), "one\ntwo\n\u{1b}[1A paid".to_owned(), "\u{feff}\u{200b} e\u{301}".to_owned()];
    for text in &texts {
        alice.says(&["send", "bob", text]);
    }
    // what no argument can hold
    let nul = "a\0b\u{1b}c\n\n";
    let sent = send_from_input(&alice, "bob", nul.as_bytes());
    assert!(sent.status.success(), "{}", String::from_utf8_lossy(&sent.stderr));
    texts.push(nul.strip_suffix('\n').unwrap().to_owned());
    let refused = send_from_input(&alice, "bob", b"\xff\xfe text");
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("message.not_text"));

    bob.reads(texts.last().unwrap());
    for device in [&alice, &bob] {
        let read: Vec<_> = device.messages().iter().map(|it| it["text"].as_str().unwrap().to_owned()).collect();
        assert_eq!(read, texts);
    }
    let title = format!("our {WILD}");
    let chat = alice.says(&["chat", "new", &title, "bob"]).remove(0);
    assert_eq!(chat["title"], title.as_str());
    alice.says(&["send", &title, "hello all"]);
    bob.reads("hello all");
    assert_eq!(alice.says(&["status"])[0]["device_name"], WILD);
    for device in [&alice, &bob] {
        for line in [
            &["read"][..],
            &["search", "paid"],
            &["chat", "list"],
            &["device", "list"],
            &["contact", "list"],
            &["status"],
        ] {
            let shown = device.shows(line);
            assert_eq!(shown.status, Some(0), "{shown:?}");
            is_harmless(&shown);
        }
    }
    assert!(bob.shows(&["read"]).lines.join("\n").contains("\\u{1b}[2J"), "it is shown, tamed");
    let found = bob.says(&["search", "PAID", "two", "--from", "alice"]);
    assert_eq!((found.len(), &found[0]["text"]), (2, &serde_json::json!(texts[1])));
    assert_eq!((&found[1]["found"], &found[1]["messages"]), (&1.into(), &(texts.len() + 1).into()));
    assert!(bob.shows(&["search", "paid"]).lines.last().unwrap().starts_with("1 found, in the "));
}

#[test]
fn hostile_arguments_are_refused_with_a_code_and_harmless_words() {
    let world = World::new();
    let service = world.service("service");
    let bob = Device::signed_up(&world, "bob", &service.api.url);
    let new = Device::new(&world, "new", &service.api.url);
    let wild = WILD.as_bytes();
    let long = "x".repeat(100_000);
    for name in [wild, "b\u{43e}b".as_bytes(), b"bob\n", b"a b c", b"bob/..", "\u{202e}bob".as_bytes()] {
        fails(&new, &[b"signup", name, b"--service", service.api.url.as_bytes()], 2, "handle.charset");
        fails(&bob, &[b"send", name, b"hello"], 2, "handle.charset");
        fails(&bob, &[b"chat", b"new", b"title", name], 2, "handle.charset");
    }
    for name in [&b"ab"[..], b"", long.as_bytes()] {
        fails(&new, &[b"signup", name, b"--service", service.api.url.as_bytes()], 2, "handle.length");
    }
    fails(&bob, &[b"send", b"nobody-at-all", b"hello"], 5, "handle.unknown");
    fails(&bob, &[b"send", b"bob", b""], 2, "message.empty");
    fails(&bob, &[b"device", b"confirm", wild, b"--code", b"123456"], 5, "device.unknown");
    fails(&bob, &[b"device", b"remove", b""], 2, "device.ambiguous");
    // attack 6
    fails(&bob, &[b"device", b"confirm", b"https://host/i/AAAA#bob.00", b"--code", b"123456"], 2, "link.wrong_kind");
    fails(&bob, &[b"contact", b"add", b"418 093"], 2, "link.wrong_kind");
    fails(&bob, &[b"search", b" "], 2, "search.empty");
    fails(&bob, &[b"search", wild, b"--with", wild], 5, "chat.unknown");
    fails(&bob, &[b"search", wild, b"--from", wild], 5, "contact.unknown");
    fails(&bob, &[b"contact", b"show", b"nobody-at-all"], 5, "contact.unknown");
    fails(&bob, &[b"status", b"--profile", wild], 2, "profile.name");
    fails(&bob, &[b"status", b"--profile", b"../../etc"], 2, "profile.name");
    // what is no argument at all
    fails(&bob, &[wild], 2, "usage");
    fails(&bob, &[b"send", b"bob", format!("-{WILD}").as_bytes()], 2, "usage");
    fails(&bob, &[b"send", b"bob", b"\xff\xfe"], 2, "usage");
    fails(&bob, &[b"read", b"--limit", wild], 2, "usage");
    assert_eq!(bob.says(&["chat", "list"]).len(), 0, "nothing was begun");
}

/// Attack 56: a wrong password and an unknown name are the same answer; and none of it leaves anything behind.
#[test]
fn a_wrong_password_an_unknown_name_and_a_taken_name_are_refused_and_leave_the_profile_new() {
    let world = World::new();
    let service = world.service("service");
    let url = service.api.url.clone();
    let _bob = Device::signed_up(&world, "bob", &url);
    let eve = Device::new(&world, "eve", &url);
    let wrong = world.path("wrong.password");
    std::fs::write(&wrong, "correct horse battery staple").unwrap();
    let wrong = wrong.display().to_string();
    let log_in = |handle| eve.run(&["login", handle, "--service", &url, "--password-file", &wrong, "--wait", "5"]);
    let refused = log_in("bob");
    assert_eq!(refused.verdict(), (Some(5), "login.refused".to_owned()), "{refused:?}");
    let unknown = log_in("nobody-at-all");
    assert_eq!((unknown.verdict(), unknown.error()), (refused.verdict(), refused.error()));
    let taken = eve.run(&eve.join("signup", "bob"));
    assert_eq!(taken.verdict(), (Some(5), "handle.taken".to_owned()), "{taken:?}");
    assert_eq!(eve.says(&["status"])[0]["phase"], "new");
    eve.says(&eve.join("signup", "eve"));
}
