//! `trefoil web` as a process: what listens where, what opens it, what ends it, and what the pages of a real account show.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "test code")]

mod home;
mod pictures;
mod reports;
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
    the_record_is_shown(&alice, &bob);
    for path in [
        "/",
        "/devices",
        "/record",
        "/record/bob",
        "/contacts",
        &format!("/c/{conversation}"),
        "/page/",
        "/part/side?at=/",
        "/events",
    ] {
        let Answer(_, head, body) = ask(bob.0, None, path, None);
        let all = head + &body;
        for private in ["alice", "marker-of-alice", "answer", "notebook", "laptop", &link] {
            assert!(!all.contains(private), "{path}: {private}");
        }
    }
}

/// Stories 5, 14: why each device counts, with the names of one's own devices and without those of others.
fn the_record_is_shown(alice: &Browser, bob: &Browser) {
    let own = bob.page("/page/record").2;
    for wanted in [
        "Verified on this device",
        ">laptop<",
        "&lt;b&gt;top&lt;/b&gt;",
        "asked to join",
        "let ",
        "<svg>",
        "the service",
    ] {
        assert!(own.contains(wanted), "{wanted}: {own}");
    }
    assert!(!own.contains("<b>") && !own.contains("style=") && own.contains("\\u{202e}"), "{own}");
    assert!(bob.page("/page/devices").2.contains("href=\"/record\""));
    assert!(alice.page("/page/contacts/bob").2.contains("href=\"/record/bob\""));
    let seen = alice.page_with("/part/record/bob", "device 2");
    for private in ["laptop", "top&lt;"] {
        assert!(!seen.contains(private), "{private}: {seen}");
    }
    let Answer(status, head, _) = alice.page("/page/record/nobody");
    assert!(status == 409 && head.contains("contact.unknown"), "{head}");
}

/// Story 11, 20: a key counts once two of its words were typed; the last device goes only with one.
#[test]
fn a_recovery_key_is_made_in_two_steps_and_lets_the_last_device_go() {
    let (place, home) = (Home::new(), Home::new());
    let service = Service::start(&place);
    let bob = Browser::of(&home, &service);
    bob.sign_up("bob", "<i>laptop</i>");
    assert!(bob.page("/part/side?at=/").2.contains("href=\"/recovery\""), "offered early");
    let settings = bob.page("/page/settings").2;
    assert!(
        settings.contains("this is your last device") || settings.contains("This is your last device"),
        "{settings}"
    );
    assert!(settings.contains("lies beside them without a passphrase"), "{settings}");
    assert_eq!(ask(bob.0, Some(&bob.1), "/do/sign-out", Some(&json!({}))).0, 409);

    let shown = bob.wants("/do/recovery-make", &json!({})).2;
    let list = between(&shown, "<ol class=\"words\" translate=\"no\">", "</ol>").replace("</li>", "");
    let words: Vec<&str> = list.split("<li>").filter(|word| !word.is_empty()).collect();
    assert_eq!(words.len(), 24, "{shown}");
    let asked = bob.wants("/do/recovery-ask", &json!({})).2;
    assert!(!words.iter().any(|word| asked.contains(&format!(">{word}<"))), "the words are off the screen: {asked}");
    let place_of = |name: &str| between(&asked, &format!("for=\"{name}\">Word "), "<").parse::<usize>().unwrap();
    let right = [words[place_of("first") - 1], words[place_of("second") - 1]];
    let wrong = json!({ "first": right[0], "second": "xyzzy" });
    assert_eq!(ask(bob.0, Some(&bob.1), "/do/recovery-set", Some(&wrong)).0, 409);
    assert!(bob.page("/page/recovery").2.contains("has no recovery key"), "nothing counts yet");
    let done = bob.wants("/do/recovery-set", &json!({ "first": right[0], "second": right[1] })).2;
    assert!(done.contains("is in place"), "{done}");
    let again = ask(bob.0, Some(&bob.1), "/do/recovery-show", Some(&json!({})));
    assert!(again.0 == 409 && !again.2.contains(words[0]), "shown only while it is made");
    let record = bob.page_with("/part/record", "made a recovery key");
    assert!(record.contains("&lt;i&gt;laptop&lt;/i&gt;") && !record.contains("<i>"), "{record}");

    let reset = bob.wants("/do/reset-wait", &json!({ "hours": "168" })).2;
    assert!(reset.contains("168 hours"), "{reset}");
    bob.page_with("/page/settings", "value=\"168\" checked");
    let password = json!({ "password": "another horse battery", "again": "another horse battery" });
    assert!(bob.wants("/do/password", &password).2.contains("New password set"));
    assert!(bob.page("/page/settings").2.contains("Only your recovery key"), "what leaving costs now");
    assert!(bob.wants("/do/sign-out", &json!({})).1.contains("trefoil-go: /welcome\r\n"));
    assert!(bob.page("/page/").1.contains("trefoil-go: /welcome"));
}

/// Story 12: whoever knows the password can announce a reset; on whatever page somebody is, one step stops it.
#[test]
fn a_reset_raises_an_alarm_on_every_page_and_one_step_stops_it() {
    let (place, home, stranger) = (Home::new(), Home::new(), Home::new());
    let service = Service::start(&place);
    let bob = Browser::of(&home, &service);
    bob.sign_up("bob", "laptop");
    let password = stranger.write("password", "correct horse battery");
    let arguments =
        ["account", "reset", "bob", "--yes", "--name", "x", "--service", &service.1, "--password-file", &password];
    let announced = stranger.run(&arguments);
    assert!(announced.status.success(), "{}", String::from_utf8_lossy(&announced.stderr));
    bob.page_with("/part/alarm", "/do/veto");
    for path in ["/page/", "/page/devices", "/page/contacts", "/page/settings", "/page/help", "/page/record"] {
        assert!(bob.page(path).2.contains("Someone asked to reset your account"), "{path}");
    }
    assert!(bob.page("/page/record").2.contains("announced a reset of the account: due "));
    let notices = bob.page_with("/part/notices", "/do/notices-read");
    let up_to = between(&notices, "name=\"up_to\" value=\"", "\"").to_owned();
    assert!(bob.wants("/do/veto", &json!({})).2.contains("Stopped"));
    bob.page_with("/part/record", "stopped the reset");
    assert!(!bob.page("/part/alarm").2.contains("/do/veto"), "it is over");
    assert!(bob.page("/part/notices").2.contains("/do/notices-read"), "and told until it was read");
    bob.wants("/do/notices-read", &json!({ "up_to": up_to }));
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
    // story 6: both say how much went over
    let here = second.page_with("/part/history", "Your old messages are here: ");
    assert!(here.contains(": 61."), "{here}");
    let handed = bob.page_with("/part/history", "Handed to ");
    assert!(handed.contains(": 61 messages.") && !handed.contains("<b>"), "{handed}");
    assert!(!second.page("/part/progress").2.contains("<progress"), "no bar any more");
}
