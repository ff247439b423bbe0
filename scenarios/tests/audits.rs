//! Auditors: what they accept, what they convict, and that their evidence convinces others.

use std::fs;

use chain::sigchain::body::ResetChoice;
use scenarios::lies::{Lie, LyingLog};
use scenarios::people::Person;
use scenarios::program::run;
use scenarios::world::World;

/// Attacks 1, 3, 4, 24: a log whose keys sign a block against the rules, each rule by its number; and a third person
/// proves it from the file alone.
#[test]
fn a_log_that_breaks_a_rule_is_convicted_by_its_own_signature() {
    for (lie, code, rule) in [
        (Lie::ForgedSignature, "entry.signature", "ENT-2"),
        (Lie::ConfirmsItself, "device.unconfirmed", "DEV-4"),
        (Lie::Replay, "confirm.replayed", "DEV-5"),
        (Lie::Unexplained, "chain.block_invalid", "BLK-4"),
        (Lie::WrongRoot, "chain.block_invalid", "BLK-2"),
        (Lie::TimeFalls, "chain.block_invalid", "BLK-5"),
        (Lie::OtherBody, "chain.block_invalid", "BLK-1"),
    ] {
        let world = World::new();
        let folder = world.path("log");
        let policy = LyingLog::publish(&folder, lie);
        let ended = world.audit(&folder.display().to_string(), &policy);
        assert_eq!(ended.verdict(), (Some(4), code.into()), "{lie:?}: {ended:?}");
        assert_eq!(ended.error()["rule"], rule, "{lie:?}: {ended:?}");
        assert_eq!((&ended.last()["ok"], &ended.last()["rule"]), (&false.into(), &rule.into()));
        let evidence = fs::read(world.path(ended.error()["evidence"].as_str().unwrap())).unwrap();
        let elsewhere = World::new();
        fs::write(elsewhere.path("received"), evidence).unwrap();
        let checked = run(&elsewhere.home("home"), &["record", "check", "../received", "--json"]);
        assert_eq!(checked.status, Some(0), "{lie:?}: {checked:?}");
        assert_eq!((&checked.last()["rule"], &checked.last()["code"]), (&rule.into(), &code.into()), "{lie:?}");
    }
}

/// The same log without the lie: so the lie it was.
#[test]
fn a_log_that_breaks_no_rule_is_not_accused() {
    let world = World::new();
    let folder = world.path("log");
    let policy = LyingLog::publish(&folder, Lie::None);
    let ended = world.audit(&folder.display().to_string(), &policy);
    assert_eq!((ended.status, &ended.last()["ok"]), (Some(0), &true.into()), "{ended:?}");
    assert_eq!((&ended.last()["blocks"], &ended.last()["entries"]), (&4.into(), &3.into()));
}

/// A copy of a service's public files is enough: no service has to run, and none can tell the auditor anything else.
#[test]
fn a_copy_of_the_files_is_audited_like_the_service() {
    let world = World::new();
    let service = world.service("service");
    let bob = Person::sign_up(&service.api, Some("bob"));
    bob.add_and_confirm();
    let live = world.audit(&service.api.url, &service.policy);
    assert_eq!(live.status, Some(0), "{live:?}");
    let policy = world.path("policy");
    fs::copy(&service.policy, &policy).unwrap();
    assert_eq!(service.process.stop().status, Some(0));
    world.copy("service/public", "mirror");
    let mirror = world.path("mirror").display().to_string();
    let copied = world.audit(&mirror, &policy);
    assert_eq!(copied.last(), live.last(), "{copied:?}");
    let without_policy = world.run(&["audit", &mirror, "--json"]);
    assert_eq!(without_policy.verdict(), (Some(2), "policy.missing".into()));
}

/// The second run goes on where the first ended: it needs no block that the first one replayed.
#[test]
fn an_audit_goes_on_where_it_ended() {
    let world = World::new();
    let service = world.service("service");
    let bob = Person::sign_up(&service.api, None);
    bob.add_and_confirm();
    let policy = service.policy.display().to_string();
    let data = world.path("auditor").display().to_string();
    let audit = |source: &str| world.run(&["audit", source, "--json", "--policy", &policy, "--data", &data]);
    let first = audit(&service.api.url);
    assert_eq!(first.last()["entries"], 3, "{first:?}");
    let again = audit(&service.api.url);
    assert_eq!(again.last(), first.last());
    bob.propose(&bob.choosing(ResetChoice::Never)).accepted();
    world.copy("service/public", "mirror");
    for block in 0..=3 {
        fs::remove_file(world.path(&format!("mirror/block/{block}"))).unwrap();
    }
    let further = audit(&world.path("mirror").display().to_string());
    assert_eq!((further.status, &further.last()["entries"]), (Some(0), &4.into()), "{further:?}");
    // damage to what it remembers is told, not overlooked
    let state = world.path("auditor/state");
    let mut bytes = fs::read(&state).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&state, bytes).unwrap();
    assert_eq!(audit(&service.api.url).verdict(), (Some(1), "store.corrupt".into()));
}

/// An auditor with a key says in the log's own form what it replayed.
#[test]
fn an_auditor_with_a_key_cosigns_what_it_replayed() {
    let world = World::new();
    let service = world.service("service");
    Person::sign_up(&service.api, None);
    let (policy, data) = (service.policy.display().to_string(), world.path("auditor").display().to_string());
    let arguments = ["audit", &service.api.url, "--json", "--policy", &policy, "--data", &data];
    let ended = world.run(&[&arguments[..], &["--cosign", "auditor.example/a1"]].concat());
    assert_eq!(ended.status, Some(0), "{ended:?}");
    let note = fs::read_to_string(world.path("auditor/checkpoint")).unwrap();
    assert_eq!(note.matches("\n\u{2014} auditor.example/a1 ").count(), 1, "{note}");
    let other = world.run(&[&arguments[..], &["--cosign", "auditor.example/other"]].concat());
    assert_eq!(other.verdict(), (Some(2), "audit.key_name".into()));
}
