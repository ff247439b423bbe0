//! Entries: accepted ones are proven, the others refused by their code.

use crate::world::{
    Device, LOOPBACK, World, account, answer, bytes, fold, lookup, nothing_seen, proven, proven_handle, submit,
    submit_from, well_known,
};
use axum::http::Request;
use chain::sigchain::body::ResetChoice;
use chain::sigchain::device_set::DeviceSet;
use protocol::api::{AccountAnswer, ConsistencyAnswer};
use protocol::limits::Limits;

/// BLK-7: the answer comes after the block, and the block proves the entry.
#[test]
fn an_accepted_entry_is_in_a_block_and_proven() {
    let world = World::new();
    let service = world.open().unwrap();
    let (id, first) = account(&service);
    let second = Device::new();
    let set = proven(&service, &id).unwrap();
    let accepted = submit(&service, &second.joining(&set)).unwrap();
    assert_eq!((accepted.block, accepted.sequence, accepted.quorum), (2, 1, true));
    let set = proven(&service, &id).unwrap();
    assert_eq!(set.head().to_string(), accepted.entry);
    submit(&service, &first.confirming(&set, &second)).unwrap();
    let set = proven(&service, &id).unwrap();
    assert_eq!(set.confirmed().len(), 2);
    assert_eq!(well_known(&service).quorum, 0);
    service.close().unwrap();
}

/// Attacks 5, 23: of two entries on one head exactly one is taken.
#[test]
fn the_second_entry_on_one_head_is_a_conflict() {
    let world = World::new();
    let service = world.open().unwrap();
    let (id, device) = account(&service);
    let set = proven(&service, &id).unwrap();
    let proposals = [ResetChoice::OneDay, ResetChoice::Never].map(|choice| device.choosing(&set, choice));
    let answers = std::thread::scope(|scope| {
        let threads = proposals.each_ref().map(|proposal| scope.spawn(|| submit(&service, proposal)));
        threads.map(|thread| thread.join().unwrap())
    });
    let refused: Vec<_> = answers.iter().filter_map(|answer| answer.as_ref().err()).collect();
    assert_eq!(refused, ["chain.conflict"]);
    assert_eq!(proven(&service, &id).unwrap().sequence(), 1);
}

/// A device whose answer was lost asks again, and gets the answer that it would have had; nothing is sealed twice.
#[test]
fn the_newest_entry_handed_in_again_gets_the_same_answer() {
    let world = World::new();
    let service = world.open().unwrap();
    let (id, device) = account(&service);
    let proposal = device.choosing(&proven(&service, &id).unwrap(), ResetChoice::Never);
    let first = submit(&service, &proposal).unwrap();
    let again = submit(&service, &proposal).unwrap();
    assert_eq!((again.block, &again.entry, again.sequence), (first.block, &first.entry, first.sequence));
    assert_eq!(proven(&service, &id).unwrap().sequence(), 1);
}

/// Attack 3: a recorded confirmation is named for what it is.
#[test]
fn an_old_confirmation_is_refused_as_a_replay() {
    let world = World::new();
    let service = world.open().unwrap();
    let (id, first) = account(&service);
    let second = Device::new();
    submit(&service, &second.joining(&proven(&service, &id).unwrap())).unwrap();
    let confirmation = first.confirming(&proven(&service, &id).unwrap(), &second);
    submit(&service, &confirmation).unwrap();
    submit(&service, &first.choosing(&proven(&service, &id).unwrap(), ResetChoice::Never)).unwrap();
    assert_eq!(submit(&service, &confirmation).unwrap_err(), "confirm.replayed");
}

/// ENT-1, ENT-2: what is not signed, or not an entry, changes nothing.
#[test]
fn an_entry_with_a_changed_byte_is_refused() {
    let world = World::new();
    let service = world.open().unwrap();
    let (id, opening) = Device::new().opening(None);
    let good = opening.encode();
    for at in [0, 3, 40, 90, 130, 200, good.len() - 1] {
        let mut changed = good.clone();
        changed[at] ^= 1;
        let refused = answer::<AccountAnswer>(&service, Request::post("/v1/entries"), changed, LOOPBACK);
        assert!(refused.is_err(), "byte {at}");
    }
    assert_eq!(proven(&service, &id), None);
    assert_eq!(bytes(&service, "/checkpoint/latest"), bytes(&service, "/checkpoint"));
    submit(&service, &opening).unwrap();
}

/// HND-2, attack 31: unknown and bound handles have one shape, and the second binding is refused.
#[test]
fn absent_and_present_handles_have_one_shape() {
    let world = World::new();
    let service = world.open().unwrap();
    let (absent, label) = proven_handle(&service, "alice");
    assert_eq!(absent, None);
    let fields = |name: &str| {
        let found = serde_json::to_value(lookup(&service, name, LOOPBACK).unwrap()).unwrap();
        found.as_object().unwrap().iter().map(|(name, value)| (name.clone(), value.is_string())).collect::<Vec<_>>()
    };
    let before = fields("alice");
    let (id, opening) = Device::new().opening(Some(label));
    submit(&service, &opening).unwrap();
    assert_eq!(proven_handle(&service, "Alice").0.unwrap().account, id);
    assert_eq!(fields("alice"), before);
    assert_eq!(submit(&service, &Device::new().opening(Some(label)).1).unwrap_err(), "handle.taken");
    assert_eq!(lookup(&service, "а1ice", LOOPBACK).unwrap_err(), "handle.charset");
}

/// Attack 28: a stranger's address opens three accounts an hour, loopback as many as it likes.
#[test]
fn new_accounts_are_limited_by_address() {
    let world = World::new();
    let service = world.open().unwrap();
    let open = |from: &str| submit_from(&service, &Device::new().opening(None).1, from).map(|_| ());
    let opened: Vec<_> = (0..4).map(|_| open("192.0.2.1:9")).collect();
    assert_eq!(opened, [Ok(()), Ok(()), Ok(()), Err("rate.limited".into())]);
    assert_eq!(open("192.0.2.2:9"), Ok(()));
    assert!((0..5).all(|_| open(LOOPBACK).is_ok()));
    world.pass(3_600);
    assert_eq!(open("192.0.2.1:9"), Ok(()));
}

/// Attack 31: handles cannot be tried out in bulk, from the machine itself neither.
#[test]
fn lookups_are_limited_by_address() {
    let world = World::new();
    let service = world.open().unwrap();
    let results: Vec<_> = (0..61).map(|n| lookup(&service, &format!("name-{n}"), LOOPBACK).is_ok()).collect();
    assert_eq!(results.iter().filter(|ok| **ok).count(), 60);
    assert_eq!(lookup(&service, "alice", LOOPBACK).unwrap_err(), "rate.limited");
    assert!(lookup(&service, "alice", "192.0.2.1:9").is_ok());
}

/// Attack 13: one request at a time, three a day; the answer to it is not held up.
#[test]
fn requests_to_join_are_limited_by_account() {
    let world = World::new();
    let service = world.open().unwrap();
    let (id, first) = account(&service);
    for _ in 0..3 {
        let device = Device::new();
        submit(&service, &device.joining(&proven(&service, &id).unwrap())).unwrap();
        let set = proven(&service, &id).unwrap();
        assert_eq!(submit(&service, &Device::new().joining(&set)).unwrap_err(), "rate.limited");
        submit(&service, &first.confirming(&set, &device)).unwrap();
    }
    let set = proven(&service, &id).unwrap();
    assert_eq!(submit(&service, &Device::new().joining(&set)).unwrap_err(), "rate.limited");
    world.pass(86_400);
    submit(&service, &Device::new().joining(&set)).unwrap();
}

/// Attack 28: a flood of requests to join one account is refused early, and another account goes on.
#[test]
fn a_flood_does_not_stop_another_account() {
    let world = World::new();
    let service = world.open().unwrap();
    let ((flooded, _), (id, first)) = (account(&service), account(&service));
    let second = Device::new();
    submit(&service, &second.joining(&proven(&service, &id).unwrap())).unwrap();
    let set = proven(&service, &flooded).unwrap();
    let accepted: usize = std::thread::scope(|scope| {
        let flood = || (0..100).filter(|_| submit(&service, &Device::new().joining(&set)).is_ok()).count();
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(flood)).collect();
        submit(&service, &first.confirming(&proven(&service, &id).unwrap(), &second)).unwrap();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert_eq!(accepted, 1);
    assert_eq!(proven(&service, &id).unwrap().confirmed().len(), 2);
}

/// Attack 28: twenty entries of one account in a day; others are not touched.
#[test]
fn entries_are_limited_by_account() {
    let world = World::new();
    let service = world.open().unwrap();
    let (id, device) = account(&service);
    let choose = |set: &DeviceSet| submit(&service, &device.choosing(set, ResetChoice::OneDay));
    for _ in 1..20 {
        choose(&proven(&service, &id).unwrap()).unwrap();
    }
    let set = proven(&service, &id).unwrap();
    assert_eq!(choose(&set).unwrap_err(), "rate.limited");
    account(&service);
    world.pass(86_400);
    choose(&set).unwrap();
}

/// Attack 27: an answer has at most 256 entries, and says that there are more.
#[test]
fn entries_come_in_pages() {
    let mut world = World::new();
    world.limits = Limits::NONE;
    let service = world.open().unwrap();
    let (id, device) = account(&service);
    let mut previous = proven(&service, &id).unwrap();
    for _ in 0..260 {
        let proposal = device.choosing(&previous, ResetChoice::OneDay);
        let accepted = submit(&service, &proposal).unwrap();
        let path = format!("/v1/accounts/{id}?since={}", accepted.sequence);
        let page: AccountAnswer = answer(&service, Request::get(path), "", LOOPBACK).unwrap();
        previous = fold(&service, Some(previous), &page.entries).unwrap();
    }
    let first: AccountAnswer = answer(&service, Request::get(format!("/v1/accounts/{id}")), "", LOOPBACK).unwrap();
    assert_eq!((first.entries.len(), first.more), (256, true));
    assert_eq!(proven(&service, &id), Some(previous));
}

/// BLK-7: below a tenth of the disk nothing is promised, and what is there is still served.
#[test]
fn a_nearly_full_disk_refuses_entries() {
    let mut world = World::new();
    world.free_percent = |_| Ok(9);
    let service = world.open().unwrap();
    let (id, opening) = Device::new().opening(None);
    assert_eq!(submit(&service, &opening).unwrap_err(), "store.full");
    assert_eq!(proven(&service, &id), None);
}

/// Attack 27: large bodies are cut off, and nobody proposes what the service makes itself.
#[test]
fn oversized_and_misshapen_requests_are_refused() {
    let world = World::new();
    let service = world.open().unwrap();
    let refused = |request, body: Vec<u8>| answer::<AccountAnswer>(&service, request, body, LOOPBACK).unwrap_err();
    assert_eq!(refused(Request::post("/v1/entries"), vec![0; 65_537]), "request.too_large");
    assert_eq!(refused(Request::post("/v1/entries"), vec![0; 100]), "entry.encoding");
    assert_eq!(refused(Request::get("/v1/accounts/zz"), vec![]), "request.malformed");
    assert_eq!(refused(Request::get("/v1/accounts"), vec![]), "request.not_found");
    assert_eq!(refused(Request::get("/block/1"), vec![]), "request.not_found");
    assert_eq!(refused(Request::get("/tile/..%2f..%2fkeys%2flog"), vec![]), "request.not_found");
    assert_eq!(refused(Request::get("/v1/consistency?from=2&to=1"), vec![]), "request.malformed");
}

/// Attack 25: a proof says which sizes it is for.
#[test]
fn a_consistency_proof_carries_its_sizes() {
    let world = World::new();
    let service = world.open().unwrap();
    (0..6).for_each(|_| drop(account(&service)));
    let proof = |from, to| {
        let path = format!("/v1/consistency?from={from}&to={to}");
        answer::<ConsistencyAnswer>(&service, Request::get(path), "", LOOPBACK).unwrap()
    };
    let found = proof(3, 7);
    assert_eq!((found.from, found.to), (3, 7));
    assert_ne!(found.proof, proof(4, 7).proof);
    let (id, _) = account(&service);
    let answer: AccountAnswer = answer(&service, Request::get(format!("/v1/accounts/{id}")), "", LOOPBACK).unwrap();
    let (header, seen) = crate::world::check_head(&service, &answer.head);
    assert_eq!((header.number + 1, seen.size), (8, 8));
    assert_ne!(seen, nothing_seen());
}
