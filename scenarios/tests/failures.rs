//! How the program says that something did not work: exit status, code, one sentence; for people and for machines.

use std::net::TcpListener;
use std::path::Path;

use scenarios::people::Person;
use scenarios::program::{Ended, run};
use scenarios::world::{World, files};

/// The forms every failure has: with `--json` one object on standard error, without it one sentence with the code.
fn fails(home: &Path, arguments: &[&str], status: i32, kind: &str, code: &str) -> Ended {
    let ended = run(home, &[arguments, &["--json"]].concat());
    assert_eq!(ended.verdict(), (Some(status), code.into()), "{arguments:?}: {ended:?}");
    assert_eq!(ended.stderr.lines().count(), 1, "{ended:?}");
    assert_eq!(ended.error()["kind"], kind, "{ended:?}");
    assert!(ended.error()["message"].as_str().is_some_and(|text| text.len() > 8), "{ended:?}");
    let plain = run(home, arguments);
    assert_eq!(plain.status, Some(status), "{plain:?}");
    let sentence = plain.stderr.trim_end();
    assert!(sentence.ends_with(&format!("({code})")) && sentence.lines().count() == 1, "{sentence:?}");
    assert!(sentence.starts_with(|it: char| it.is_uppercase() || !it.is_alphabetic()), "{sentence:?}");
    assert!(!sentence.contains("panicked") && !sentence.contains("Os {"), "{sentence:?}");
    ended
}

/// Status 1: this machine's fault.
#[test]
fn a_port_or_address_that_cannot_be_used_is_said_in_one_sentence() {
    let world = World::new();
    let home = world.home("home");
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let log = world.service("service").log_vkey;
    for listen in [address.as_str(), "203.0.113.1:8400"] {
        let arguments = ["serve", "--data", "data", "--listen", listen];
        let ended = fails(&home, &arguments, 1, "broken", "service.socket");
        assert!(ended.error()["message"].as_str().unwrap().contains(listen), "{ended:?}");
        let arguments = ["witness", "--data", "witness", "--listen", listen, "--log", &log];
        fails(&home, &arguments, 1, "broken", "witness.socket");
    }
}

/// Status 2: the caller's fault.
#[test]
fn a_wrong_argument_is_misuse() {
    let world = World::new();
    let home = world.home("home");
    fails(&home, &["record", "show", "alice", "--service", "ftp://a.example"], 2, "misuse", "source.address");
    fails(&home, &["audit", "/nowhere/at/all"], 2, "misuse", "source.address");
    fails(&home, &["audit", "http://127.0.0.1:9", "--policy", "missing"], 2, "misuse", "policy.missing");
    fails(&home, &["record", "check", "missing"], 2, "misuse", "evidence.missing");
    fails(&home, &["record", "evidence", "missing"], 2, "misuse", "evidence.missing");
    fails(&home, &["serve", "--data", "data", "--witness", "nobody"], 2, "misuse", "service.witness");
    fails(
        &home,
        &["serve", "--data", "data", "--origin", "a b", "--listen", "127.0.0.1:0"],
        2,
        "misuse",
        "service.origin",
    );
    fails(&home, &["witness", "--data", "witness", "--log", "no key"], 2, "misuse", "witness.log_key");
    fails(&home, &["witness", "init", "--data", "witness", "--name", "a b"], 2, "misuse", "witness.name");
    std::fs::write(home.join("note"), "no evidence").unwrap();
    fails(&home, &["record", "check", "note"], 2, "misuse", "evidence.malformed");
    let unknown = run(&home, &["frobnicate"]);
    assert_eq!(unknown.status, Some(2), "{unknown:?}");
}

/// Status 3: nobody answers.
#[test]
fn a_dead_network_is_unreachable() {
    let world = World::new();
    let home = world.home("home");
    // nobody listens on a port that was just given back
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for url in [format!("http://{gone}"), "http://name.invalid".to_owned()] {
        fails(&home, &["record", "show", "alice", "--service", &url], 3, "unreachable", "service.unreachable");
        fails(&home, &["audit", &url], 3, "unreachable", "service.unreachable");
    }
}

/// Status 3 too: a service whose witnesses are away has nothing to show yet, and says so.
#[test]
fn a_service_without_its_witnesses_is_starting() {
    let world = World::new();
    let service = world.serve("service", &["http://127.0.0.1:9".into()]);
    assert_eq!(service.api.get("/checkpoint").refusal(), (503, "service.starting".into()));
    assert_eq!(service.api.propose(&[0; 100]).refusal(), (503, "service.starting".into()));
    let home = world.home("home");
    let arguments = ["record", "show", "alice", "--service", &service.api.url];
    let ended = run(&home, &[&arguments[..], &["--json"]].concat());
    assert_eq!(ended.status, Some(3), "{ended:?}");
    assert_eq!(service.process.stop().status, Some(0));
}

/// Status 5: somebody says no. One process per folder (attack 22, "one store opened twice").
#[test]
fn a_folder_is_open_in_one_process_only() {
    let world = World::new();
    let mut witnesses = world.witnesses(1);
    let service = world.watched_service("service", &mut witnesses);
    let data = service.data.display().to_string();
    let home = world.home("home");
    fails(&home, &["serve", "--data", &data, "--listen", "127.0.0.1:0"], 5, "refused", "store.locked");
    let folder = witnesses[0].folder().display().to_string();
    let log = service.log_vkey.as_str();
    let arguments = ["witness", "--data", &folder, "--listen", "127.0.0.1:0", "--log", log];
    fails(&home, &arguments, 5, "refused", "store.locked");
    fails(&home, &["record", "show", "nobody", "--service", &service.api.url], 5, "refused", "account.unknown");
    // the first one was not disturbed
    Person::sign_up(&service.api, None);
    service.api.wait_for_size(2);
}

/// Another log's folder is not taken for this one.
#[test]
fn a_log_keeps_its_origin() {
    let world = World::new();
    assert_eq!(world.service("service").process.stop().status, Some(0));
    let data = world.path("service").display().to_string();
    let arguments = ["serve", "--data", &data, "--listen", "127.0.0.1:0", "--origin", "other.example/log"];
    fails(&world.home("home"), &arguments, 2, "misuse", "service.origin");
}

/// What an observer looked up is nobody else's business: its memory is for its owner only.
#[test]
fn what_was_looked_up_can_be_read_by_its_owner_only() {
    use std::os::unix::fs::PermissionsExt as _;
    let world = World::new();
    let service = world.service("service");
    let bob = Person::sign_up(&service.api, None);
    assert_eq!(world.look(&service, &bob.account.to_string(), "observer").status, Some(0));
    let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o077;
    let files = files(&world.path("observer"));
    for path in files.iter().flat_map(|file| [file.as_path(), file.parent().unwrap()]) {
        assert_eq!(mode(path), 0, "{}", path.display());
    }
    assert!(files.len() >= 3, "the view, the account and the service's origin");
}
