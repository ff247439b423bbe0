//! `trefoil web` as a process: what listens where, what opens it, what ends it, and what the pages of a real account show.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "test code")]

mod home;
mod talk;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::process::{Child, Stdio};

use home::{Home, code_of, first_line};
use serde_json::{Value, json};

/// An answer as it came: status, headers in lower case, body.
struct Answer(u16, String, String);

/// Asks as a browser's page of this origin does.
fn ask(address: SocketAddr, token: Option<&str>, path: &str, body: Option<&Value>) -> Answer {
    let method = if body.is_some() { "POST" } else { "GET" };
    let mut request =
        format!("{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nSec-Fetch-Site: same-origin\r\n");
    if let Some(token) = token {
        request += &format!("trefoil-token: {token}\r\n");
    }
    let body = body.map(Value::to_string).unwrap_or_default();
    if !body.is_empty() {
        request += &format!(
            "Origin: http://{address}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n",
            body.len()
        );
    }
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(format!("{request}\r\n{body}").as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    Answer(head.split(' ').nth(1).unwrap().parse().unwrap(), head.to_lowercase(), body.to_owned())
}

/// Pages, and the secret that opens them.
fn open(home: &Home, more: &[&str]) -> (SocketAddr, String) {
    let output = home.run(&[&["web", "--json"], more].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let link = first_line(&output.stdout)["link"].as_str().unwrap().to_owned();
    let (address, secret) = link.strip_prefix("http://").unwrap().split_once("/#").unwrap();
    (address.parse().unwrap(), secret.to_owned())
}

fn token(address: SocketAddr, secret: &str) -> String {
    let Answer(status, _, body) = ask(address, None, "/start", Some(&json!({ "secret": secret })));
    assert_eq!(status, 200, "{body}");
    serde_json::from_str::<Value>(&body).unwrap()["token"].as_str().unwrap().to_owned()
}

/// Addresses on which the agent of a home listens.
#[cfg(target_os = "linux")]
fn listening(home: &Home) -> Vec<String> {
    let log = std::fs::read_to_string(home.path().join("state/default.log")).unwrap();
    let agent =
        log.lines().rfind(|line| line.contains("agent.started")).unwrap().rsplit(' ').next().unwrap().to_owned();
    let sockets: Vec<String> = std::fs::read_dir(format!("/proc/{agent}/fd"))
        .unwrap()
        .flatten()
        .filter_map(|entry| Some(std::fs::read_link(entry.path()).ok()?.display().to_string()))
        .collect();
    let mut found = Vec::new();
    for table in ["tcp", "tcp6"] {
        for line in std::fs::read_to_string(format!("/proc/net/{table}")).unwrap_or_default().lines().skip(1) {
            let parts: Vec<_> = line.split_whitespace().collect();
            // 0A: listening
            if parts[3] == "0A" && sockets.contains(&format!("socket:[{}]", parts[9])) {
                found.push(parts[1].split(':').next().unwrap().to_owned());
            }
        }
    }
    found
}

/// W1: nothing listens before, and on loopback alone after.
#[cfg(target_os = "linux")]
#[test]
fn pages_are_served_when_asked_for_and_on_loopback_alone() {
    let home = Home::new();
    assert!(home.run(&["status"]).status.success());
    assert_eq!(listening(&home), [""; 0]);
    let (address, _) = open(&home, &[]);
    // as the kernel writes 127.0.0.1 and ::1
    let loopback = ["0100007F", "00000000000000000000000001000000"];
    let found = listening(&home);
    assert!(!found.is_empty() && found.iter().all(|it| loopback.contains(&it.as_str())), "{found:?}");
    assert!(TcpStream::connect(("127.0.0.2", address.port())).is_err(), "another address of this machine");
    let (again, _) = open(&home, &[]);
    assert_eq!(again, address, "asked twice, served once");
    assert!(home.run(&["web", "--stop"]).status.success());
    assert_eq!(listening(&home), [""; 0]);
    let other = Home::new();
    assert_ne!(open(&other, &[]).0.port(), address.port(), "the port is nobody's to know");
}

/// W5, W12: a link opens once; stopped, nothing that was opened is good.
#[test]
fn a_link_opens_once_and_a_stop_ends_all() {
    let home = Home::new();
    let (address, secret) = open(&home, &[]);
    let first = token(address, &secret);
    assert_eq!(ask(address, None, "/start", Some(&json!({ "secret": secret }))).0, 401);
    assert_eq!(ask(address, Some(&first), "/page/welcome", None).0, 200);
    assert_eq!(ask(address, Some("guessed"), "/page/welcome", None).0, 401);
    let (_, second) = open(&home, &[]);
    assert_eq!(ask(address, Some(&first), "/page/welcome", None).0, 200, "another link ends nobody's page");
    assert_eq!(first_line(&home.run(&["web", "--stop", "--json"]).stdout)["ended"], true);
    assert!(TcpStream::connect(address).is_err());
    assert_eq!(first_line(&home.run(&["web", "--stop", "--json"]).stdout)["ended"], false);
    let (address, _) = open(&home, &[]);
    assert_eq!(ask(address, Some(&first), "/page/welcome", None).0, 401);
    assert_eq!(ask(address, None, "/start", Some(&json!({ "secret": second }))).0, 401);
}

/// W13: the secret is on no command line, which every user of the machine can read.
#[test]
fn a_browser_is_led_to_the_link_by_a_file_that_nobody_else_can_read() {
    let home = Home::new();
    let bin = home.path().join("bin");
    std::fs::create_dir(&bin).unwrap();
    let seen = home.path().join("seen");
    home.write("bin/xdg-open", &format!("#!/bin/sh\necho \"$@\" > {}\n", seen.display()));
    std::fs::set_permissions(bin.join("xdg-open"), std::fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    let both = home.run(&["web", "--open", "--stop", "--json"]);
    assert_eq!(code_of(&both), (Some(2), "usage".to_owned()));
    let output = home.command(&["web", "--open", "--json"]).env("PATH", path).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let link = first_line(&output.stdout)["link"].as_str().unwrap().to_owned();
    let file = std::fs::read_to_string(&seen).unwrap().trim().to_owned();
    assert!(!file.contains(link.split_once('#').unwrap().1), "{file}");
    assert!(std::fs::read_to_string(&file).unwrap().contains(&link));
    assert_eq!(std::fs::metadata(&file).unwrap().mode() & 0o777, 0o600);
}

/// A service without witnesses; it ends with this.
struct Service(Child, String);

impl Service {
    fn start(home: &Home) -> Self {
        let data = home.path().join("service").display().to_string();
        let mut command = home.command(&[
            "serve",
            "--json",
            "--origin",
            "test.example/log",
            "--data",
            &data,
            "--listen",
            "127.0.0.1:0",
        ]);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let ready: Value = serde_json::from_str(&line).unwrap();
        Self(child, ready["service"].as_str().unwrap().to_owned())
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.0.kill().unwrap_or_default();
        self.0.wait().map(drop).unwrap_or_default();
    }
}

/// The browser's side of somebody: his pages, opened.
struct Browser(SocketAddr, String);

impl Browser {
    fn of(home: &Home, service: &Service) -> Self {
        let (address, secret) = open(home, &["--service", &service.1]);
        Self(address, token(address, &secret))
    }

    fn page(&self, path: &str) -> Answer {
        ask(self.0, Some(&self.1), path, None)
    }

    /// A page with something on it that may take a moment.
    fn page_with(&self, path: &str, wanted: &str) -> String {
        let began = std::time::Instant::now();
        loop {
            let Answer(_, _, body) = self.page(path);
            if body.contains(wanted) {
                return body;
            }
            assert!(began.elapsed().as_secs() < 60, "no {wanted} on {path}: {body}");
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    }

    fn wants(&self, path: &str, body: &Value) -> Answer {
        let answer = ask(self.0, Some(&self.1), path, Some(body));
        assert_eq!(answer.0, 200, "{path}: {}", answer.2);
        answer
    }

    fn sign_up(&self, handle: &str, device: &str) {
        let fields = json!({ "handle": handle, "password": "correct horse battery", "name": device, "passphrase": "" });
        assert!(self.wants("/do/signup", &fields).1.contains("trefoil-go: /\r\n"));
    }
}

/// Where the part of a page between two marks begins and ends.
fn between<'a>(text: &'a str, before: &str, after: &str) -> &'a str {
    let (_, rest) = text.split_once(before).unwrap_or_else(|| panic!("no {before}: {text}"));
    rest.split_once(after).unwrap().0
}

/// Stories 1 to 6 in pages alone; and W7, W10, W11 on what others have written: all of it is shown, none of it is markup, and
/// without a token none of it is there.
#[test]
fn two_people_write_and_one_lets_a_device_in_by_pages_alone() {
    let (place, alice_home, bob_home, second_home) = (Home::new(), Home::new(), Home::new(), Home::new());
    let service = Service::start(&place);
    let (alice, bob) = (Browser::of(&alice_home, &service), Browser::of(&bob_home, &service));
    assert!(bob.page("/page/").1.contains("trefoil-go: /welcome"));
    alice.sign_up("alice", "notebook");
    bob.sign_up("bob", "laptop");

    // alice has bob's link, so she is no stranger
    let link = between(&bob.page("/page/contacts").2, "readonly value=\"", "\"").to_owned();
    assert!(alice.wants("/do/add", &json!({ "who": link })).1.contains("trefoil-go: /to/bob"));
    let hostile = "<script>alert('marker-of-alice')</script> https://a.example/?q=\"x\u{202e}y";
    alice.wants("/do/send", &json!({ "to": "bob", "text": hostile }));
    let side = bob.page_with("/part/side?at=/", "alice");
    let conversation = between(&side, "href=\"/c/", "\"").to_owned();
    let talk = bob.page_with(&format!("/page/c/{conversation}"), "marker-of-alice");
    assert!(
        talk.contains("&lt;script&gt;alert('marker-of-alice')&lt;/script&gt;") && !talk.contains("<script"),
        "{talk}"
    );
    assert!(talk.contains("rel=\"noreferrer noopener\"") && talk.contains("\\u{202e}"), "{talk}");
    bob.page_with("/part/side?at=/", "data-unread=\"1\"");
    bob.wants("/do/read", &json!({ "conversation": conversation }));
    bob.page_with("/part/side?at=/", "data-unread=\"0\"");

    // and writes back, more than a page holds
    for number in 0..60 {
        bob.wants("/do/send", &json!({ "to": conversation, "text": format!("answer {number}.") }));
    }
    let newest = bob.page(&format!("/part/messages/{conversation}")).2;
    assert!(newest.contains("answer 59.") && !newest.contains("answer 9."), "a page of fifty");
    let first = between(&newest, "id=\"m-", "\"");
    let older = bob.page(&format!("/part/older/{conversation}?before={first}")).2;
    assert!(older.contains("answer 9.") && older.contains("marker-of-alice") && older.contains("data-all"), "{older}");
    assert!(!older.contains("answer 59."));

    let_a_device_in(&bob, &second_home, &service);
    for path in ["/", "/devices", "/contacts", &format!("/c/{conversation}"), "/page/", "/part/side?at=/", "/events"] {
        let Answer(_, head, body) = ask(bob.0, None, path, None);
        let all = head + &body;
        for private in ["alice", "marker-of-alice", "answer", "notebook", "laptop", &link] {
            assert!(!all.contains(private), "{path}: {private}");
        }
    }
}

/// Stories 3 and 4: the digits of the one screen are typed on the other.
fn let_a_device_in(bob: &Browser, second_home: &Home, service: &Service) {
    let second = Browser::of(second_home, service);
    let name = "desk\u{202e}<b>top</b>\u{1b}[31m";
    let fields = json!({ "handle": "bob", "password": "correct horse battery", "name": name, "passphrase": "" });
    assert!(second.wants("/do/login", &fields).1.contains("trefoil-go: /waiting"));
    let popup = bob.page_with("/part/popup", "data-popup");
    assert!(popup.contains("Nobody from support, and no invitation, ever needs it."), "{popup}");
    let device = between(&popup, "data-popup=\"", "\"").to_owned();
    bob.wants("/do/look", &json!({ "device": device }));
    let waiting = second.page_with("/part/waiting", "class=\"code\"");
    let code = between(&waiting, "class=\"code\">", "<");
    let wrong = if code == "000 000" { "111111" } else { "000000" };
    let answer =
        ask(bob.0, Some(&bob.1), "/do/confirm", Some(&json!({ "device": device, "code": wrong, "history": "yes" })));
    assert!(answer.0 == 409 && answer.1.contains("confirm.code_mismatch"), "{}", answer.2);
    // each try has digits of its own
    let began = std::time::Instant::now();
    let fresh = loop {
        let waiting = second.page_with("/part/waiting", "class=\"code\"");
        let shown = between(&waiting, "class=\"code\">", "<").to_owned();
        if shown != code {
            break shown;
        }
        assert!(began.elapsed().as_secs() < 60, "{waiting}");
        std::thread::sleep(std::time::Duration::from_millis(20));
    };
    let said = bob.wants("/do/confirm", &json!({ "device": device, "code": fresh, "history": "yes" })).2;
    assert!(said.contains("is now one of your devices"), "{said}");
    assert!(!bob.page("/part/popup").2.contains("data-popup"), "the popup is gone");
    let shown = bob.page_with("/part/devices", "&lt;b&gt;top&lt;/b&gt;");
    assert!(!shown.contains("<b>") && shown.contains("\\u{202e}") && shown.contains("\\u{1b}"), "{shown}");
    second.page_with("/part/side?at=/", "alice");
}
