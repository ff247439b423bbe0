//! Bits that flip on the disk, and answers that change on the way: nothing wrong is signed, nothing wrong is believed.

use std::fs;
use std::path::{Path, PathBuf};

use chain::sigchain::body::ResetChoice;
use protocol::api::{AccountAnswer, ConsistencyAnswer, HandleAnswer};
use scenarios::api::Answer;
use scenarios::people::Person;
use scenarios::program::Ended;
use scenarios::proxy::Proxy;
use scenarios::world::{Service, World, copy, files};
use serde::Serialize;
use serde::de::DeserializeOwned;

fn flip(path: &Path, at: usize) {
    let mut bytes = fs::read(path).unwrap();
    bytes[at] ^= 1 << (at % 8);
    fs::write(path, bytes).unwrap();
}

/// A few bytes of every file, more of the larger ones: relative path and position.
fn samples(folder: &Path) -> Vec<(PathBuf, usize)> {
    let sample = |path: PathBuf| {
        let length = fs::metadata(&path).unwrap().len() as usize;
        let count = (length / 2_000).clamp(1, 16).min(length);
        let name = path.strip_prefix(folder).unwrap().to_owned();
        (0..count).map(move |number| (name.clone(), (number * length + length / 2) / count))
    };
    files(folder).into_iter().flat_map(sample).collect()
}

/// Attack 24, BLK-7, I11: after any flipped bit the service refuses to start, or ends, or is not harmed by it. An
/// auditor who saw the log before never meets another history, and never a signed block that breaks a rule.
fn survives_every_flipped_bit(world: &World, bob: &Person, seen: &Path) {
    let folder = world.path("service");
    for (name, at) in samples(&folder) {
        let case = format!("byte {at} of {}", name.display());
        let (damaged, auditor) = (world.path("damaged"), world.path("auditor"));
        fs::remove_dir_all(&damaged).unwrap_or_default();
        fs::remove_dir_all(&auditor).unwrap_or_default();
        copy(&folder, &damaged);
        copy(seen, &auditor);
        flip(&damaged.join(&name), at);
        let service = match world.try_serve("damaged", &[]) {
            Ok(service) => service,
            Err(ended) => {
                assert_eq!(ended.status, Some(1), "{case}: {ended:?}");
                assert!(ended.code().starts_with("store."), "{case}: {ended:?}");
                continue;
            }
        };
        go_on(world, bob, service, &case);
    }
}

/// Uses a service that started on damaged files.
fn go_on(world: &World, bob: &Person, mut service: Service, case: &str) {
    let bob = bob.at(&service.api);
    let laptop = scenarios::people::Device::new();
    let sent = service.api.try_post("/v1/entries", &laptop.sign(laptop.opening(None), &bob.origin));
    let accepted = sent.is_some_and(|answer| answer.status == 200);
    let (data, policy) = (world.path("auditor").display().to_string(), world.path("policy").display().to_string());
    let audit = world.run(&["audit", &service.api.url, "--json", "--policy", &policy, "--data", &data]);
    let (status, code) = audit.verdict();
    // a file that is damaged is refused by its readers; that accuses nobody
    let harmless = status == Some(0) || code == "chain.proof_invalid" || code == "service.unreachable";
    assert!(harmless && audit.error()["evidence"].is_null(), "{case}: {audit:?}");
    if !service.process.is_alive() {
        let ended = service.process.wait_for_end();
        assert!(ended.status == Some(1) && ended.code().starts_with("store."), "{case}: {ended:?}");
        assert!(!accepted, "{case}: accepted, and then {ended:?}");
    }
}

/// A service with some history, and an auditor's folder of somebody who saw all of it.
fn some_history(world: &World) -> (Service, Person, PathBuf) {
    let service = world.service("service");
    let bob = Person::sign_up(&service.api, Some("bob"));
    bob.add_and_confirm();
    for choice in [ResetChoice::Never, ResetChoice::OneDay, ResetChoice::SevenDays] {
        bob.propose(&bob.choosing(choice)).accepted();
    }
    fs::copy(&service.policy, world.path("policy")).unwrap();
    let (data, policy) = (world.path("seen").display().to_string(), world.path("policy").display().to_string());
    let audit = world.run(&["audit", &service.api.url, "--json", "--policy", &policy, "--data", &data]);
    assert_eq!(audit.status, Some(0), "{audit:?}");
    (service, bob, world.path("seen"))
}

/// Attack 24 on a folder that was left in order.
#[test]
fn no_bit_flipped_at_rest_makes_the_service_sign_a_wrong_root() {
    let world = World::new();
    let (service, bob, seen) = some_history(&world);
    assert_eq!(service.process.stop().status, Some(0));
    survives_every_flipped_bit(&world, &bob, &seen);
}

/// Attack 24 on a folder that was left by a kill, with the database's write-ahead log.
#[test]
fn no_bit_flipped_after_a_kill_makes_the_service_sign_a_wrong_root() {
    let world = World::new();
    let (service, bob, seen) = some_history(&world);
    service.process.kill();
    assert!(world.path("service/store.sqlite-wal").exists());
    survives_every_flipped_bit(&world, &bob, &seen);
}

/// Attack 24 for whoever mirrors the files: every sampled bit of them is noticed, and nobody is accused.
#[test]
fn an_auditor_notices_every_flipped_bit_of_a_mirror() {
    let world = World::new();
    let (service, _, _) = some_history(&world);
    drop(service);
    let public = world.path("service/public");
    for (name, at) in samples(&public) {
        let mirror = world.path("mirror");
        fs::remove_dir_all(&mirror).unwrap_or_default();
        copy(&public, &mirror);
        flip(&mirror.join(&name), at);
        let audit = world.audit(&mirror.display().to_string(), &world.path("policy"));
        // hash tiles and tiles of earlier sizes are not needed to replay
        let needed = name == Path::new("checkpoint") || name.starts_with("block");
        assert!(audit.status == Some(4) || (!needed && audit.status == Some(0)), "{name:?} byte {at}: {audit:?}");
        assert!(audit.error()["evidence"].is_null(), "{name:?} byte {at}: {audit:?}");
    }
}

/// What somebody sees of Bob through a proxy that changes the answers below `prefix`.
fn look_through(
    world: &World,
    service: &Service,
    who: &str,
    prefix: &'static str,
    change: impl Fn(&mut Answer) + Send + Sync + 'static,
) -> Ended {
    let proxy = Proxy::start(&service.api, move |path, mut answer| {
        if path.starts_with(prefix) {
            change(&mut answer);
        }
        answer
    });
    let (policy, state) = (service.policy.display().to_string(), world.path("observer").display().to_string());
    world.run(&["record", "show", who, "--json", "--service", &proxy.url, "--policy", &policy, "--state", &state])
}

fn edit<T: DeserializeOwned + Serialize>(answer: &mut Answer, change: impl Fn(&mut T)) {
    let mut value: T = serde_json::from_slice(&answer.body).unwrap();
    change(&mut value);
    answer.body = serde_json::to_vec(&value).unwrap();
}

/// Attacks 18, 12, 25: entries left out, proofs of another range, of another account, of another handle, of nothing.
#[test]
fn an_answer_that_was_changed_on_the_way_is_not_believed() {
    let world = World::new();
    let (service, bob, _) = some_history(&world);
    let (who, wrong) = (bob.account.to_string(), (Some(4), "chain.proof_invalid".to_owned()));
    let accounts = "/v1/accounts/";
    let cut = |answer: &mut Answer| edit(answer, |it: &mut AccountAnswer| _ = it.entries.pop());
    let swap = |answer: &mut Answer| edit(answer, |it: &mut AccountAnswer| it.entries.swap(1, 2));
    let date = |answer: &mut Answer| edit(answer, |it: &mut AccountAnswer| it.entries[2].block += 1);
    let proof = |answer: &mut Answer| edit(answer, |it: &mut AccountAnswer| it.map_proof.0[40] ^= 1);
    let record = |answer: &mut Answer| edit(answer, |it: &mut AccountAnswer| it.record.0[40] ^= 1);
    let absent = |answer: &mut Answer| edit(answer, |it: &mut AccountAnswer| it.record.0.clear());
    let header = |answer: &mut Answer| edit(answer, |it: &mut AccountAnswer| it.head.header.0[20] ^= 1);
    let bomb = |answer: &mut Answer| edit(answer, |it: &mut AccountAnswer| it.map_proof.0 = vec![7; 300_000]);
    for (case, change) in [cut, swap, date, proof, record, absent, header, bomb].into_iter().enumerate() {
        let seen = look_through(&world, &service, &who, accounts, change);
        assert_eq!(seen.verdict(), wrong, "case {case}: {seen:?}");
        assert!(seen.error()["evidence"].is_null(), "case {case}: a changed answer accuses nobody: {seen:?}");
    }
    // another account's answer, whole and true
    let alice = Person::sign_up(&service.api, None);
    let other = service.api.get(&format!("{accounts}{}?since=0", alice.account)).body;
    let seen = look_through(&world, &service, &who, accounts, move |answer| answer.body.clone_from(&other));
    assert_eq!(seen.verdict(), wrong, "{seen:?}");
    assert_eq!(world.look(&service, &who, "observer").status, Some(0));
}

/// Attack 25: the proof from 10 to 20 for the question from 15 to 20.
#[test]
fn a_proof_of_another_range_is_not_believed() {
    let world = World::new();
    let (service, bob, _) = some_history(&world);
    let who = bob.account.to_string();
    assert_eq!(world.look(&service, &who, "observer").status, Some(0));
    let seen = service.api.published().unwrap().size;
    Person::sign_up(&service.api, None).add_and_confirm();
    let newest = service.api.published().unwrap().size;
    let other = service.api.get(&format!("/v1/consistency?from={}&to={newest}", seen - 1)).body;
    let through = look_through(&world, &service, &who, "/v1/consistency", move |answer| answer.body.clone_from(&other));
    assert_eq!(through.verdict(), (Some(4), "chain.proof_invalid".into()), "{through:?}");
    let empty = |answer: &mut Answer| edit(answer, |it: &mut ConsistencyAnswer| it.proof.0.clear());
    let through = look_through(&world, &service, &who, "/v1/consistency", empty);
    assert_eq!(through.verdict(), (Some(4), "chain.proof_invalid".into()), "{through:?}");
    assert_eq!(world.look(&service, &who, "observer").status, Some(0));
}

/// Attack 26: the proof of a handle's place under another key, or for another handle.
#[test]
fn a_handle_is_found_at_its_own_place_only() {
    let world = World::new();
    let (service, _, _) = some_history(&world);
    let lookup = "/v1/handles/lookup";
    let flipped = |answer: &mut Answer| edit(answer, |it: &mut HandleAnswer| it.vrf_proof.0[70] ^= 1);
    let seen = look_through(&world, &service, "bob", lookup, flipped);
    assert_eq!(seen.verdict(), (Some(4), "chain.index_key".into()), "{seen:?}");
    let other = service.api.look_up("mallory").body;
    let seen = look_through(&world, &service, "bob", lookup, move |answer| answer.body.clone_from(&other));
    assert_eq!(seen.verdict(), (Some(4), "chain.index_key".into()), "{seen:?}");
    let unheld = |answer: &mut Answer| edit(answer, |it: &mut HandleAnswer| it.handle_head.0.clear());
    let seen = look_through(&world, &service, "bob", lookup, unheld);
    assert_eq!(seen.verdict(), (Some(4), "chain.proof_invalid".into()), "{seen:?}");
}

/// Attack 27: an answer without an end.
#[test]
fn an_endless_answer_is_not_read_to_its_end() {
    let world = World::new();
    let (service, bob, _) = some_history(&world);
    let who = bob.account.to_string();
    for (prefix, length) in [("/v1/accounts/", 40 << 20), ("/checkpoint", 40 << 20), ("/block/0", 40 << 20)] {
        let seen = look_through(&world, &service, &who, prefix, move |answer| answer.body = vec![b'1'; length]);
        assert!(matches!(seen.status, Some(3 | 4)), "{prefix}: {seen:?}");
        fs::remove_dir_all(world.path("observer")).unwrap_or_default();
    }
}
