//! A program of somebody's own (`trefoil bot`): it does what it was allowed, by HTTP on loopback, and nothing once it has ended.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::Duration;

use scenarios::program::{Process, eventually, trefoil};
use scenarios::world::{Service, World};
use serde_json::{Value, json};

use scenarios::device::Device;

/// A program that says where it may ask, and waits.
const TELLS: &str = r#"printf '{"api":"%s","token":"%s"}\n' "$TREFOIL_API" "$TREFOIL_TOKEN"; exec sleep 300"#;

fn two() -> (World, Service, Device, Device) {
    let world = World::new();
    let service = world.service("service");
    let url = service.api.url.clone();
    let [alice, bob] = ["alice", "bob"].map(|handle| Device::signed_up(&world, handle, &url));
    for (device, other) in [(&alice, "bob"), (&bob, "alice")] {
        device.says(&["contact", "add", other]);
    }
    (world, service, alice, bob)
}

/// What a request is answered: status and body.
fn ask(api: &str, head: &str, headers: &[(&str, &str)], body: &str) -> (u16, Value) {
    let host = api.strip_prefix("http://").unwrap();
    let Ok(mut stream) = TcpStream::connect(host) else { return (0, Value::Null) };
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let mut text = format!("{head} HTTP/1.1\r\nConnection: close\r\nContent-Length: {}\r\n", body.len());
    if !headers.iter().any(|(name, _)| *name == "Host") {
        text += &format!("Host: {host}\r\n");
    }
    headers.iter().for_each(|(name, value)| text += &format!("{name}: {value}\r\n"));
    stream.write_all(format!("{text}\r\n{body}").as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
    let body = answer.split_once("\r\n\r\n").unwrap().1;
    (status, serde_json::from_str(body).unwrap_or_default())
}

fn has_python() -> bool {
    let python = Command::new("python3").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    let has = python.is_ok_and(|status| status.success());
    if !has {
        eprintln!("skipped: there is no python3");
    }
    has
}

/// The example of the documentation, run as it says.
#[test]
fn the_example_answers_what_is_written_to_it() {
    if !has_python() {
        return;
    }
    let (_world, _service, alice, bob) = two();
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/bots/echo.py");
    let lines = std::fs::read_to_string(example).unwrap().lines().count();
    assert!(lines < 100, "{lines} lines");
    let bot = bob.at_home(Command::new(trefoil()));
    let mut bot = Process::start(bot, &bob.home, &["bot", "--may", "read,write", "--", "python3", example]);
    // what it says first is no JSON
    assert!(bot.ready().is_none());
    alice.says(&["send", "bob", "echo who is there?"]);
    alice.says(&["send", "bob", "thanks"]);
    let answer = alice.reads("who is there?");
    assert_eq!((&answer["from"], &answer["answers"]["text"]), (&"bob".into(), &"echo who is there?".into()));
    eventually("it likes what it is thanked for", || {
        let rows = alice.messages();
        rows.iter().any(|row| row["text"] == "thanks" && row["reactions"][0]["from"] == "bob").then_some(())
    });
    assert!(bot.is_alive());
}

/// Attacks 58, 59: no page of a browser, no other name of this machine, nobody without the token; and the token allows what was
/// said, as long as the program runs.
#[test]
fn a_token_allows_what_was_said_and_ends_with_its_program() {
    let (_world, _service, alice, bob) = two();
    alice.says(&["send", "bob", "hello"]);
    bob.reads("hello");
    let arguments = ["bot", "--may", "read", "--", "sh", "-c", TELLS];
    let mut bot = Process::start(bob.at_home(Command::new(trefoil())), &bob.home, &arguments);
    let told = bot.ready().unwrap();
    let api = told["api"].as_str().unwrap();
    let bearer = format!("Bearer {}", told["token"].as_str().unwrap());
    let good = [("Authorization", bearer.as_str()), ("Content-Type", "application/json")];
    let body = json!({ "with": null, "limit": 10, "follow": false }).to_string();
    let read = |headers: &[(&str, &str)]| ask(api, "POST /v1/read", headers, &body);
    let (status, answer) = read(&good);
    assert_eq!((status, &answer["events"][0]["text"]), (200, &"hello".into()), "{answer}");
    let with = |more: (&'static str, &'static str)| [good.as_slice(), &[more]].concat();
    let port = api.rsplit(':').next().unwrap();
    let other_name: &'static str = Box::leak(format!("localhost:{port}").into_boxed_str());
    for (headers, expected) in [
        (vec![good[1]], (401, "bot.token")),
        (vec![("Authorization", "Bearer guessed"), good[1]], (401, "bot.token")),
        (with(("Origin", "http://evil.example")), (403, "bot.page")),
        (with(("Sec-Fetch-Site", "cross-site")), (403, "bot.page")),
        (with(("Host", "evil.example")), (421, "bot.host")),
        (with(("Host", other_name)), (421, "bot.host")),
        (vec![good[0], ("Content-Type", "text/plain")], (400, "request.malformed")),
    ] {
        let (status, answer) = read(&headers);
        assert_eq!((status, answer["error"]["code"].as_str().unwrap()), expected, "{headers:?}");
    }
    let send = json!({ "to": "alice", "text": "by a bot", "wait_s": 5 }).to_string();
    for (verb, body, expected) in [
        ("send", send.as_str(), (403, "bot.not_allowed")),
        ("stop", "{}", (403, "bot.not_allowed")),
        ("devices", "{}", (403, "bot.not_allowed")),
        ("read", "{\"with\":null,\"limit\":3,\"follow\":true}", (403, "bot.not_allowed")),
        ("read", "{\"limit\":-1}", (400, "request.malformed")),
        ("read", "[]", (400, "request.malformed")),
        ("dance", "{}", (400, "request.malformed")),
    ] {
        let (status, answer) = ask(api, &format!("POST /v1/{verb}"), &good, body);
        assert_eq!((status, answer["error"]["code"].as_str().unwrap()), expected, "{verb}");
    }
    assert_eq!(ask(api, "GET /openapi.json", &[], "").1["openapi"], "3.1.0");
    assert!(alice.messages().iter().all(|row| row["text"] != "by a bot"));

    bot.kill();
    eventually("the token ends with its program", || [0, 401].contains(&read(&good).0).then_some(()));
    eventually("nothing listens any more", || (read(&good).0 == 0).then_some(()));
}

/// It fails as its program fails, and says why.
#[test]
fn a_bot_fails_as_its_program_fails() {
    let (_world, _service, _, bob) = two();
    let run = |program: &[&str]| bob.run(&[&["bot", "--may", "read", "--"], program].concat()).verdict();
    assert_eq!(run(&["true"]).0, Some(0));
    assert_eq!(run(&["false"]), (Some(1), "bot.failed".to_owned()));
    assert_eq!(run(&["/no/such/program"]), (Some(2), "bot.missing".to_owned()));
    assert_eq!(bob.run(&["bot", "--may", "everything", "--", "true"]).status, Some(2));
}
