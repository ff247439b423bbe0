//! A service with two faces, or with a short memory: its folder copied, both copies run. No evil build is needed.

use std::fs;
use std::process::Command;

use chain::sigchain::body::ResetChoice;
use scenarios::people::Person;
use scenarios::program::{Ended, eventually, run, trefoil};
use scenarios::world::{World, addresses};

/// Checks an evidence file on another machine: another home, and no network but what `unshare` leaves.
fn check_elsewhere(world: &World, evidence: &str) -> Ended {
    let home = world.home("elsewhere");
    let copy = home.join("received.evidence");
    fs::copy(evidence, &copy).unwrap();
    let file = copy.display().to_string();
    let checked = run(&home, &["record", "check", &file, "--json"]);
    // where namespaces are to be had, the same without any network
    let mut offline = Command::new("unshare");
    offline.args(["-rn", "--"]).arg(trefoil()).args(["record", "check", &file, "--json"]);
    if let Ok(offline) = offline.output()
        && !String::from_utf8_lossy(&offline.stderr).contains("unshare")
    {
        assert_eq!(offline.status.code(), checked.status, "{offline:?}");
    }
    checked
}

/// Attacks 15, 32: Bob's observer saw one face and meets the other.
#[test]
fn whoever_saw_one_face_of_a_log_convicts_it_by_the_other() {
    let world = World::new();
    let service = world.service("service");
    let bob = Person::sign_up(&service.api, None);
    let policy = world.path("policy");
    fs::copy(&service.policy, &policy).unwrap();
    assert_eq!(service.process.stop().status, Some(0));
    world.copy("service", "other");
    let (one, other) = (world.service("service"), world.service("other"));
    // one face shows a choice, the other a device that Bob never asked for
    bob.at(&one.api).propose(&bob.at(&one.api).choosing(ResetChoice::Never)).accepted();
    bob.at(&other.api).add_and_confirm();
    let who = bob.account.to_string();
    assert_eq!(world.look(&one, &who, "observer").status, Some(0));
    let lied = world.look(&other, &who, "observer");
    assert_eq!(lied.verdict(), (Some(4), "chain.fork".into()), "{lied:?}");
    // a fresh observer sees nothing wrong in either: that is what witnesses are for
    assert_eq!(world.look(&other, &who, "newcomer").status, Some(0));
    // the observer stays with what it believed
    assert_eq!(world.look(&one, &who, "observer").status, Some(0));
    let evidence = lied.error()["evidence"].as_str().unwrap().to_owned();
    let checked = check_elsewhere(&world, &evidence);
    assert_eq!(checked.status, Some(0), "{checked:?}");
    assert_eq!((&checked.last()["code"], &checked.last()["proven"]), (&"chain.fork".into(), &true.into()));
    assert_eq!(checked.last()["log"], one.log_vkey.as_str());
    convict_by_policy_and_by_damage(&world, &evidence, &policy);
}

/// Attacks 15, 16: what was seen is not forgotten because another policy is given, or another log appears at the address.
#[test]
fn another_policy_does_not_make_an_observer_forget() {
    let world = World::new();
    let service = world.service("service");
    let bob = Person::sign_up(&service.api, None);
    assert_eq!(service.process.stop().status, Some(0));
    world.copy("service", "other");
    let (one, other) = (world.service("service"), world.service("other"));
    bob.at(&one.api).propose(&bob.at(&one.api).choosing(ResetChoice::Never)).accepted();
    bob.at(&other.api).add_and_confirm();
    let who = bob.account.to_string();
    assert_eq!(world.look(&one, &who, "observer").status, Some(0));
    let policy = fs::read_to_string(&one.policy).unwrap();
    let moved = world.path("moved-policy");
    fs::write(&moved, policy.replacen(&one.log_vkey, &format!("{} https://log.example", one.log_vkey), 1)).unwrap();
    let (moved, state) = (moved.display().to_string(), world.path("observer").display().to_string());
    let look = |url: &str, more: &[&str]| {
        world.run(&[&["record", "show", &who, "--json", "--state", &state, "--service", url], more].concat())
    };
    assert_eq!(look(&other.api.url, &["--policy", &moved]).verdict(), (Some(4), "chain.fork".into()));
    assert_eq!(look(&one.api.url, &["--policy", &moved]).status, Some(0));
    // without a policy the address is held to the log that it showed
    assert_eq!(look(&one.api.url, &[]).status, Some(0));
}

/// Attack 32: the file names whose key it is, and proves nothing once a byte of it is changed.
fn convict_by_policy_and_by_damage(world: &World, evidence: &str, policy: &std::path::Path) {
    let policy = policy.display().to_string();
    let known = world.run(&["record", "check", evidence, "--json", "--policy", &policy]);
    assert_eq!(known.last()["known"], true, "{known:?}");
    let listed = world.run(&["record", "evidence", "--json", "--state", &world.path("observer").display().to_string()]);
    assert_eq!(listed.last()["code"], "chain.fork", "{listed:?}");
    let bytes = fs::read(evidence).unwrap();
    let damaged = world.path("damaged.evidence");
    for at in (0..bytes.len()).step_by(bytes.len() / 23) {
        let mut changed = bytes.clone();
        changed[at] ^= 1;
        fs::write(&damaged, changed).unwrap();
        let checked = world.run(&["record", "check", &damaged.display().to_string(), "--json"]);
        // a byte of a comment, of a name of a witness or of an unused hash may change nothing; it must not accuse others
        if checked.status == Some(0) {
            assert_eq!(checked.last()["code"], "chain.fork", "byte {at}");
        } else {
            assert!(matches!(checked.status, Some(2 | 5)), "byte {at}: {checked:?}");
            assert!(checked.code().starts_with("evidence."), "byte {at}: {checked:?}");
        }
    }
}

/// Attack 15: both faces have the same size, so no proof leads from one to the other.
#[test]
fn two_faces_of_one_size_convict_too() {
    let world = World::new();
    let service = world.service("service");
    let bob = Person::sign_up(&service.api, None);
    assert_eq!(service.process.stop().status, Some(0));
    world.copy("service", "other");
    let (one, other) = (world.service("service"), world.service("other"));
    for (face, choice) in [(&one, ResetChoice::Never), (&other, ResetChoice::OneDay)] {
        bob.at(&face.api).propose(&bob.at(&face.api).choosing(choice)).accepted();
    }
    let sizes = [&one, &other].map(|face| face.api.published().unwrap().size);
    assert_eq!(sizes[0], sizes[1]);
    let who = bob.account.to_string();
    assert_eq!(world.look(&one, &who, "observer").status, Some(0));
    let lied = world.look(&other, &who, "observer");
    assert_eq!(lied.verdict(), (Some(4), "chain.fork".into()), "{lied:?}");
    assert_eq!(check_elsewhere(&world, lied.error()["evidence"].as_str().unwrap()).status, Some(0));
}

/// Attacks 15, 32: an auditor that follows one face and is led to the other.
#[test]
fn an_auditor_who_saw_one_face_convicts_the_log_by_the_other() {
    let world = World::new();
    let service = world.service("service");
    let bob = Person::sign_up(&service.api, None);
    assert_eq!(service.process.stop().status, Some(0));
    world.copy("service", "other");
    let (one, other) = (world.service("service"), world.service("other"));
    bob.at(&one.api).propose(&bob.at(&one.api).choosing(ResetChoice::Never)).accepted();
    bob.at(&other.api).add_and_confirm();
    let (policy, data) = (one.policy.display().to_string(), world.path("auditor").display().to_string());
    let audit = |url: &str| world.run(&["audit", url, "--json", "--policy", &policy, "--data", &data]);
    assert_eq!(audit(&one.api.url).status, Some(0));
    let lied = audit(&other.api.url);
    assert_eq!(lied.verdict(), (Some(4), "chain.fork".into()), "{lied:?}");
    let evidence = lied.error()["evidence"].as_str().unwrap().to_owned();
    let checked = check_elsewhere(&world, &evidence);
    assert_eq!((checked.status, &checked.last()["code"]), (Some(0), &"chain.fork".into()), "{checked:?}");
    assert_eq!(audit(&one.api.url).status, Some(0));
}

/// Attack 15 with witnesses: the second face gets no quorum, so nobody believes it.
#[test]
fn the_second_face_of_a_watched_log_gets_no_quorum() {
    let world = World::new();
    let mut witnesses = world.witnesses(3);
    let one = world.watched_service("service", &mut witnesses);
    let bob = Person::sign_up(&one.api, None);
    one.api.wait_for_size(2);
    assert_eq!(one.process.stop().status, Some(0));
    world.copy("service", "other");
    // the operator's copy is led past the witnesses, so that it starts
    let other = world.serve("other", &[]);
    let strangers: Vec<String> = witnesses.iter().map(|it| format!("{}@http://127.0.0.1:9", it.vkey)).collect();
    drop(other);
    let other = world.serve("other", &strangers);
    bob.at(&other.api).add_and_confirm();
    bob.at(&other.api).propose(&bob.at(&other.api).choosing(ResetChoice::Never)).accepted();
    let one = world.serve("service", &addresses(&witnesses));
    bob.at(&one.api).propose(&bob.at(&one.api).choosing(ResetChoice::OneDay)).accepted();
    one.api.wait_for_size(3);
    // what the log alone has signed is there for everybody to see, and for nobody to believe
    let latest = other.api.get("/checkpoint/latest").body;
    assert!(other.api.published().is_none_or(|it| it.size <= 2));
    let served = scenarios::proxy::Proxy::start(&other.api, move |path, mut answer| {
        if path == "/checkpoint" {
            (answer.status, answer.body) = (200, latest.clone());
        }
        answer
    });
    let policy = one.policy.display().to_string();
    let who = bob.account.to_string();
    let refused = world.run(&["record", "show", &who, "--json", "--service", &served.url, "--policy", &policy]);
    assert_eq!(refused.verdict(), (Some(4), "witness.quorum".into()), "{refused:?}");
    assert_eq!(world.audit(&served.url, &one.policy).verdict(), (Some(4), "witness.quorum".into()));
    // offered to the witnesses themselves, it ends its own service
    drop(other);
    let ended = end_of(&world, "other", &witnesses);
    assert_eq!(ended.verdict(), (Some(1), "store.rollback".into()), "{ended:?}");
}

/// Attacks 15, 16: two copies of one folder run before the same witnesses. The one that comes second to a size ends, and
/// says why.
#[test]
fn of_two_copies_before_one_set_of_witnesses_one_ends() {
    let world = World::new();
    let mut witnesses = world.witnesses(3);
    let service = world.watched_service("service", &mut witnesses);
    let bob = Person::sign_up(&service.api, None);
    service.api.wait_for_size(2);
    assert_eq!(service.process.stop().status, Some(0));
    world.copy("service", "copy");
    let one = world.serve("service", &addresses(&witnesses));
    let copy = world.serve("copy", &addresses(&witnesses));
    // the same size, another root; made before the witnesses can tell the copy that it is one, which ends it
    let other = bob.at(&copy.api).choosing(ResetChoice::OneDay);
    let sealed = bob.at(&one.api).propose(&bob.at(&one.api).choosing(ResetChoice::Never)).accepted();
    one.api.wait_for_size(sealed.block + 1);
    let other = bob.at(&copy.api).propose(&other).accepted();
    assert_eq!((other.block, other.quorum), (sealed.block, false));
    let ended = copy.process.wait_for_end();
    assert_eq!(ended.verdict(), (Some(1), "store.rollback".into()), "{ended:?}");
    let next = bob.at(&one.api).propose(&bob.at(&one.api).choosing(ResetChoice::OneDay)).accepted();
    one.api.wait_for_size(next.block + 1);
}

/// Starts a service in a folder and waits for its end.
fn end_of(world: &World, folder: &str, witnesses: &[scenarios::world::Witness]) -> Ended {
    match world.try_serve(folder, &addresses(witnesses)) {
        Ok(service) => service.process.wait_for_end(),
        Err(ended) => ended,
    }
}

/// Attack 16, I11: yesterday's backup, with witnesses that remember today.
#[test]
fn a_service_does_not_start_behind_what_its_witnesses_cosigned() {
    let world = World::new();
    let mut witnesses = world.witnesses(3);
    let service = world.watched_service("service", &mut witnesses);
    let bob = Person::sign_up(&service.api, None);
    service.api.wait_for_size(2);
    assert_eq!(service.process.stop().status, Some(0));
    world.copy("service", "backup");
    let service = world.serve("service", &addresses(&witnesses));
    bob.at(&service.api).propose(&bob.at(&service.api).choosing(ResetChoice::Never)).accepted();
    service.api.wait_for_size(3);
    assert_eq!(service.process.stop().status, Some(0));
    let ended = end_of(&world, "backup", &witnesses);
    assert_eq!(ended.verdict(), (Some(1), "store.rollback".into()), "{ended:?}");
    // the folder that is not behind starts
    assert_eq!(world.serve("service", &addresses(&witnesses)).process.stop().status, Some(0));
}

/// Attack 16 without witnesses: who remembers more than the log shows says so.
#[test]
fn a_log_that_went_back_is_noticed_by_whoever_saw_it_further() {
    let world = World::new();
    let service = world.service("service");
    let bob = Person::sign_up(&service.api, None);
    assert_eq!(service.process.stop().status, Some(0));
    world.copy("service", "backup");
    let service = world.service("service");
    bob.at(&service.api).propose(&bob.at(&service.api).choosing(ResetChoice::Never)).accepted();
    let who = bob.account.to_string();
    assert_eq!(world.look(&service, &who, "observer").status, Some(0));
    let data = world.path("auditor").display().to_string();
    let policy = service.policy.display().to_string();
    let audit = |url: &str| world.run(&["audit", url, "--json", "--policy", &policy, "--data", &data]);
    assert_eq!(audit(&service.api.url).status, Some(0));
    let backup = world.service("backup");
    let noticed = world.look(&backup, &who, "observer");
    assert_eq!(noticed.verdict(), (Some(4), "chain.rollback".into()), "{noticed:?}");
    let noticed = audit(&backup.api.url);
    assert_eq!(noticed.verdict(), (Some(4), "chain.rollback".into()), "{noticed:?}");
}

/// Attack 17 and decision 15: without a quorum nothing new is shown; with one again, everything is.
#[test]
fn nothing_new_is_published_while_the_witnesses_are_away() {
    let world = World::new();
    let mut witnesses = world.witnesses(4);
    let service = world.watched_service("service", &mut witnesses);
    let bob = Person::sign_up(&service.api, None);
    let before = service.api.wait_for_size(2);
    witnesses[0].kill();
    // three of four are a quorum still
    let sealed = bob.propose(&bob.choosing(ResetChoice::Never)).accepted();
    service.api.wait_for_size(sealed.block + 1);
    witnesses[1].kill();
    let sealed = bob.propose(&bob.choosing(ResetChoice::OneDay)).accepted();
    assert!(!sealed.quorum);
    let late = bob.propose(&bob.choosing(ResetChoice::SevenDays)).accepted();
    assert_eq!(service.api.published().unwrap().size, sealed.block);
    assert!(before.size < sealed.block);
    let seen = world.look(&service, &bob.account.to_string(), "observer");
    assert_eq!((seen.status, &seen.last()["entries"]), (Some(0), &2.into()), "{seen:?}");
    for witness in &mut witnesses[..2] {
        witness.start(&service.log_vkey);
    }
    service.api.wait_for_size(late.block + 1);
    let seen = world.look(&service, &bob.account.to_string(), "observer");
    assert_eq!((seen.status, &seen.last()["entries"]), (Some(0), &4.into()), "{seen:?}");
}

/// Attack 20: quorums that need not overlap.
#[test]
fn a_policy_of_one_in_three_is_refused_by_everybody_who_reads_it() {
    let world = World::new();
    let mut witnesses = world.witnesses(3);
    let service = world.watched_service("service", &mut witnesses);
    let honest = fs::read_to_string(&service.policy).unwrap();
    let weak = honest.replace("group witnesses 2 ", "group witnesses 1 ");
    assert_ne!(honest, weak, "{honest}");
    let policy = world.path("weak-policy").display().to_string();
    fs::write(&policy, weak).unwrap();
    let url = service.api.url.as_str();
    for arguments in [
        vec!["audit", url, "--json", "--policy", &policy],
        vec!["record", "show", "alice", "--json", "--service", url, "--policy", &policy],
    ] {
        let refused = world.run(&arguments);
        assert_eq!(refused.verdict(), (Some(2), "policy.no_intersection".into()), "{refused:?}");
    }
    eventually("the service goes on", || service.api.published());
}
