//! People at a service of their own, all of it as real processes.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "test code")]

mod home;

use std::io::{BufRead as _, BufReader, Lines};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use home::{Home, code_of, first_line};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use serde_json::Value;

/// How long anything may take that has to happen.
const PATIENCE: Duration = Duration::from_secs(60);

/// A process whose lines are read; it ends with this.
struct Process(Child, Lines<BufReader<ChildStdout>>);

impl Process {
    fn start(mut command: Command) -> Self {
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self(child, lines)
    }

    fn next(&mut self) -> Value {
        serde_json::from_str(&self.1.next().unwrap().unwrap()).unwrap()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.0.kill().unwrap_or_default();
        self.0.wait().map(drop).unwrap_or_default();
    }
}

/// A service without witnesses.
struct Service {
    process: Process,
    home: Home,
    address: String,
    certificate: Option<String>,
}

impl Service {
    fn start() -> Self {
        Self::run(Home::new(), "127.0.0.1:0", None)
    }

    /// With a certificate that nobody else has heard of.
    fn start_with_tls() -> Self {
        let home = Home::new();
        let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        home.write("key.pem", &signing_key.serialize_pem());
        let certificate = home.write("cert.pem", &cert.pem());
        Self::run(home, "127.0.0.1:0", Some(certificate))
    }

    fn run(home: Home, listen: &str, certificate: Option<String>) -> Self {
        let path = |name: &str| home.path().join(name).display().to_string();
        let (data, key) = (path("service"), path("key.pem"));
        let mut line = vec!["serve", "--json", "--origin", "test.example/log", "--data", &data, "--listen", listen];
        if let Some(certificate) = &certificate {
            line.extend(["--tls-cert", certificate, "--tls-key", &key]);
        }
        let mut process = Process::start(home.command(&line));
        let address = process.next()["service"].as_str().unwrap().to_owned();
        Self { process, home, address, certificate }
    }

    /// Ends it; another one may begin where it was.
    fn kill(self) -> (Home, String) {
        drop(self.process);
        (self.home, self.address.strip_prefix("http://").unwrap().to_owned())
    }
}

/// Somebody's device.
struct Device {
    home: Home,
    certificate: Option<String>,
}

impl Device {
    fn of(service: &Service) -> Self {
        Self { home: Home::new(), certificate: service.certificate.clone() }
    }

    fn signed_up(service: &Service, handle: &str) -> Self {
        let device = Self::of(service);
        let password = device.home.write("password", "correct horse battery\n");
        device.says(&["signup", handle, "--service", &service.address, "--password-file", &password]);
        device
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.home.command(arguments);
        command.arg("--json");
        command.args(self.certificate.iter().flat_map(|file| ["--ca-file", file]));
        command
    }

    /// The first line of a command that has to succeed; null if it prints none.
    fn says(&self, arguments: &[&str]) -> Value {
        let output = self.command(arguments).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        if output.stdout.is_empty() { Value::Null } else { first_line(&output.stdout) }
    }

    fn refused(&self, arguments: &[&str]) -> (Option<i32>, String) {
        code_of(&self.command(arguments).output().unwrap())
    }

    /// Reads along until this text comes.
    fn reads(&self, text: &str) -> Value {
        let mut reader = Process::start(self.command(&["read", "--follow"]));
        std::iter::repeat_with(|| reader.next()).find(|line| line["text"] == text).unwrap()
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.home.path().join("state/default.log")).unwrap()
    }
}

/// Asks again until it is so.
fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < PATIENCE, "never happened: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Requests, the push connection, the look into the record and the auditor: all trust the file, and nothing trusts the
/// certificate without it.
#[test]
fn a_service_with_a_certificate_of_its_own_serves_whoever_trusts_it() {
    let service = Service::start_with_tls();
    assert!(service.address.starts_with("https://"), "{}", service.address);
    let (alice, bob) = (Device::signed_up(&service, "alice"), Device::signed_up(&service, "bob"));
    eventually("push over TLS", || bob.log().contains("push.connected"));
    bob.says(&["contact", "add", "alice"]);
    alice.says(&["send", "bob", "hello"]);
    // a text may be there before the record has proven what its writer is called
    assert_eq!(bob.reads("hello")["account"], alice.says(&["status"])["account"]);
    eventually("her name", || bob.says(&["read", "--limit", "1"])["from"] == "alice");
    let shown = alice.says(&["record", "show", "bob"]);
    assert_eq!(shown["kind"], "AccountCreated");
    let audit = ["audit", &service.address];
    assert_eq!(alice.says(&audit)["ok"], true);
    let stranger = Device { home: Home::new(), certificate: None };
    let look = ["record", "show", "bob", "--service", &service.address];
    assert_eq!(stranger.refused(&look), (Some(3), "service.unreachable".to_owned()));
    assert_eq!(stranger.refused(&audit), (Some(3), "service.unreachable".to_owned()));
}

/// Attack 6: whoever hands out a link says who it has to be; the service cannot put somebody else behind the name.
#[test]
fn a_link_for_another_account_leaves_nobody_behind() {
    let service = Service::start();
    let (alice, bob) = (Device::signed_up(&service, "alice"), Device::signed_up(&service, "bob"));
    let host = service.address.strip_prefix("http://").unwrap();
    let own = alice.says(&["contact", "link"])["account"].as_str().unwrap().to_owned();
    let wrong = format!("trefoil:bob@{host}#{own}");
    assert_eq!(alice.refused(&["contact", "add", &wrong]), (Some(5), "link.other_account".to_owned()));
    assert_eq!(alice.says(&["contact", "list"]), Value::Null);
    let right = bob.says(&["contact", "link"])["link"].as_str().unwrap().to_owned();
    assert_eq!(alice.says(&["contact", "add", &right])["handle"], "bob");
    assert_eq!(alice.says(&["contact", "list"])["handle"], "bob");
}

/// Whoever asks how it stands is not told what was true an hour ago.
#[test]
fn status_notices_that_the_service_has_gone_and_that_it_is_back() {
    let service = Service::start();
    let alice = Device::signed_up(&service, "alice");
    eventually("push", || alice.log().contains("push.connected"));
    assert_eq!(alice.says(&["status"])["connection"], "online");
    let (home, address) = service.kill();
    eventually("the loss is noticed", || alice.says(&["status"])["connection"] == "offline");
    let _service = Service::run(home, &address, None);
    eventually("the return is noticed", || alice.says(&["status"])["connection"] == "online");
}

/// A person reads along on one device and writes on the other.
#[test]
fn whoever_reads_along_sees_what_his_other_device_writes() {
    let service = Service::start();
    let (_alice, laptop) = (Device::signed_up(&service, "alice"), Device::signed_up(&service, "bob"));
    let desktop = Device::of(&service);
    let password = desktop.home.write("password", "correct horse battery\n");
    let log_in = ["login", "bob", "--service", &service.address, "--password-file", &password, "--wait", "60"];
    let mut login = Process::start(desktop.command(&log_in));
    let id = login.next()["device"].as_str().unwrap().to_owned();
    let code = std::iter::repeat_with(|| login.next()).find(|line| line["event"] == "code").unwrap()["code"].clone();
    laptop.says(&["device", "confirm", &id, "--code", code.as_str().unwrap(), "--history", "no"]);
    assert_eq!(login.next()["event"], "confirmed");
    let mut along = Process::start(desktop.command(&["read", "--follow"]));
    laptop.says(&["send", "alice", "from my laptop"]);
    let line = std::iter::repeat_with(|| along.next()).find(|line| line["text"] == "from my laptop").unwrap();
    assert_eq!((&line["from"], line["device"] == *id), (&Value::from("bob"), false));
}

/// The longest text goes all the way, and one byte more is refused where it was typed.
#[test]
fn a_text_of_the_greatest_length_arrives_and_a_longer_one_is_refused() {
    let service = Service::start();
    let (alice, bob) = (Device::signed_up(&service, "alice"), Device::signed_up(&service, "bob"));
    bob.says(&["contact", "add", "alice"]);
    let longest = "x".repeat(65_536);
    alice.says(&["send", "bob", &longest]);
    bob.reads(&longest);
    let longer = format!("{longest}x");
    assert_eq!(alice.refused(&["send", "bob", &longer]), (Some(2), "message.too_large".to_owned()));
}
