//! ENT-1 to ENT-5: the entry itself. Every single changed bit is in [`super::bytes`].

use super::world::{Device, World};
use crate::encoding::DecodeError;
use crate::id::{AccountId, Digest};
use crate::sigchain::body::{Body, ResetChoice};
use crate::sigchain::broken::RuleBroken;
use crate::sigchain::entry::{Claim, Entry, Role, SeenCheckpoint, Signatures, VerifiedClaims};

/// The code with which bytes are refused.
fn refusal_of(bytes: &[u8]) -> &'static str {
    RuleBroken::from(Entry::decode(bytes).expect_err("the bytes are refused")).code()
}

/// ENT-1.
#[test]
fn an_entry_is_read_in_its_one_encoding_only() {
    let (world, account, first) = World::with_account();
    let bytes = world.choice_set(&account, ResetChoice::Never, &first).encode();
    assert_eq!(Entry::decode(&bytes).unwrap().encode(), bytes);
    assert_eq!(refusal_of(&[bytes.as_slice(), &[0]].concat()), "entry.encoding");
    for (place, value) in [(1, 2), (2, 13)] {
        let mut other = bytes.clone();
        other[place] = value;
        assert!(matches!(Entry::decode(&other), Err(DecodeError::Unknown { .. })), "byte {place}");
        assert_eq!(refusal_of(&other), "entry.encoding");
    }
}

/// ENT-1: a request number stands in the kinds that open or answer one, and in no other.
#[test]
fn a_request_number_where_none_belongs_is_refused() {
    let (world, account, first) = World::with_account();
    let mut statement = world.choice_set(&account, ResetChoice::Never, &first).statement;
    statement.request = 1;
    assert_eq!(refusal_of(&world.sign(statement, &first).encode()), "entry.encoding");
    let mut statement = world.added(&account, &Device::new(2)).statement;
    statement.request = 0;
    assert_eq!(refusal_of(&world.sign(statement, &Device::new(2)).encode()), "entry.encoding");
}

/// ENT-1: one list has one encoding.
#[test]
fn devices_to_remove_that_do_not_ascend_or_are_none_are_refused() {
    let (world, account, first) = World::with_account();
    let mut ids = vec![Device::new(2).id(), Device::new(3).id()];
    ids.sort();
    let encoded =
        |devices: Vec<_>| world.entry(&account, Body::DeviceRemoved { devices, signer: first.id() }, &first).encode();
    assert!(Entry::decode(&encoded(ids.clone())).is_ok());
    let many = (0..65).map(|number| crate::id::DeviceId([number; 16])).collect();
    for devices in [vec![ids[1], ids[0]], vec![ids[0], ids[0]], vec![], many] {
        assert_eq!(refusal_of(&encoded(devices)), "entry.encoding");
    }
}

/// Attack 41, ENT-1: a key of small order, or written in a second way, never gets as far as the fold.
#[test]
fn a_device_with_a_weak_or_non_canonical_key_is_refused_at_decoding() {
    let (world, account, _) = World::with_account();
    let bytes = world.added(&account, &Device::new(2)).encode();
    let body = bytes.len() - 3 * 64 - 3 * 32 - 64;
    let mut identity_written_twice = [0xff; 32];
    identity_written_twice[0] = 0xee;
    identity_written_twice[31] = 0x7f;
    let small = curve25519_dalek::constants::EIGHT_TORSION.map(|point| point.compress().0);
    for key in small.into_iter().chain([identity_written_twice, [0xff; 32]]) {
        for place in [body, body + 32] {
            let mut other = bytes.clone();
            other[place..place + 32].copy_from_slice(&key);
            assert_eq!(refusal_of(&other), "key.invalid");
        }
    }
}

/// ENT-2, attack 1: each signature is needed, of the right key, under the right label.
#[test]
fn an_entry_needs_every_signature_of_its_kind() {
    let (world, account, _) = World::with_account();
    let entry = world.added(&account, &Device::new(2));
    assert!(world.judge(&entry).is_ok());
    let end = entry.encode().len();
    for place in 0..3 {
        let mut bytes = entry.encode();
        bytes[end - 64 * (3 - place)] ^= 1;
        assert_eq!(world.judge(&Entry::decode(&bytes).unwrap()), Err(RuleBroken::Signature { place }));
    }
    assert_eq!(world.refusal(&world.sign(entry.statement.clone(), &Device::new(3))), "entry.signature");
    // the same key under the label of another role
    let origin = &world.parameters.origin;
    let swapped = entry.statement.sign(Role::Mls, origin, &Device::new(2).chain).unwrap();
    let mut bytes = entry.encode();
    bytes[end - 192..end - 128].copy_from_slice(&swapped.0);
    assert_eq!(world.refusal(&Entry::decode(&bytes).unwrap()), "entry.signature");
    bytes.truncate(end - 64);
    assert_eq!(refusal_of(&bytes), "entry.encoding");
}

/// ENT-2: `s` + the group's order verifies under a lax equation; here it does not, so nobody makes a second hash of an
/// entry.
#[test]
fn a_signature_written_with_a_larger_scalar_is_refused() {
    const ORDER: [u8; 32] = [
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0, 0, 0, 0,
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
    ];
    let (world, account, first) = World::with_account();
    let mut bytes = world.choice_set(&account, ResetChoice::Never, &first).encode();
    let scalar = bytes.len() - 32;
    let mut carry = 0;
    for (byte, add) in bytes[scalar..].iter_mut().zip(ORDER) {
        let sum = u16::from(*byte) + u16::from(add) + carry;
        *byte = u8::try_from(sum & 0xff).unwrap();
        carry = sum >> 8;
    }
    assert_eq!((carry, world.refusal(&Entry::decode(&bytes).unwrap())), (0, "entry.signature"));
}

/// ENT-2, attack 3: the origin is signed.
#[test]
fn an_entry_for_another_service_is_refused() {
    let (mut world, account, first) = World::with_account();
    let mut other = World::of_service("other.example/chain", 200);
    assert_eq!(other.open(&first), account);
    world.submit(world.added(&account, &Device::new(2))).unwrap();
    let mut twin = World::of_service("other.example/chain", 200);
    (twin.accounts, twin.block, twin.time_s) = (world.accounts.clone(), world.block, world.time_s);
    let there = twin.confirmed(&account, &Device::new(2), &first);
    assert!(twin.judge(&there).is_ok());
    assert_eq!(world.refusal(&there), "entry.signature");
}

/// ENT-2: the two ways to check later give the same verdict as checking now.
#[test]
fn collected_claims_hold_exactly_if_the_signatures_do() {
    let (world, account, first) = World::with_account();
    let entry = world.removed(&account, &[&first], &first);
    let good = world.choice_set(&account, ResetChoice::OneDay, &first);
    let forged = world.sign(good.statement.clone(), &Device::new(9));
    assert_eq!(world.refusal(&entry), "device.last");
    for (entry, expected) in [(good, true), (forged, false)] {
        let mut claims = Vec::new();
        assert!(world.judge_with(&entry, &mut Signatures::Collect(&mut claims)).is_ok());
        assert_eq!((claims.len(), claims.iter().all(Claim::holds)), (1, expected));
        let known = VerifiedClaims::check(claims);
        assert_eq!(known.is_some(), expected);
        let known = known.unwrap_or_default();
        assert_eq!(world.judge_with(&entry, &mut Signatures::Known(&known)).is_ok(), expected);
    }
}

/// ENT-3, attack 5: of two entries on one head exactly one is taken.
#[test]
fn the_second_of_two_entries_on_one_head_is_a_conflict() {
    let (mut world, account, first) = World::with_account();
    world.submit(world.added(&account, &Device::new(2))).unwrap();
    let never = world.choice_set(&account, ResetChoice::Never, &first);
    let day = world.choice_set(&account, ResetChoice::OneDay, &first);
    world.submit(never.clone()).unwrap();
    assert_eq!(world.refusal(&day), "chain.conflict");
    assert_eq!(world.refusal(&never), "chain.conflict");
}

/// ENT-3.
#[test]
fn an_entry_that_skips_a_number_or_follows_another_head_is_a_conflict() {
    let (world, account, first) = World::with_account();
    let good = world.choice_set(&account, ResetChoice::Never, &first).statement;
    for sequence in [0, 2, u64::MAX] {
        let mut other = good.clone();
        other.position.sequence = sequence;
        assert_eq!(world.refusal(&world.sign(other, &first)), "chain.conflict");
    }
    let mut other = good.clone();
    other.position.previous = Digest::ZERO;
    assert_eq!(world.refusal(&world.sign(other, &first)), "chain.conflict");
    assert!(world.judge(&world.sign(good, &first)).is_ok());
}

/// ENT-3, attack 3.
#[test]
fn an_entry_for_another_account_or_generation_is_refused() {
    let (mut world, account, first) = World::with_account();
    let foreign = world.open(&Device::new(50));
    let good = world.choice_set(&account, ResetChoice::Never, &first).statement;
    let set = world.set(&foreign).clone();
    let entry = world.sign(good.clone(), &first);
    let verdict = set.apply(&entry, &world.ground(), &mut Signatures::CheckNow);
    assert_eq!(verdict.unwrap_err().code(), "entry.other_account");
    let mut other = good;
    other.position.generation = 2;
    assert_eq!(world.refusal(&world.sign(other, &first)), "entry.other_account");
}

/// ENT-4: an author who was shown a fork leaves evidence; one who names the future is refused.
#[test]
fn a_checkpoint_that_the_log_never_had_is_refused() {
    let (world, account, first) = World::with_account();
    let choose = |checkpoint| {
        let body = Body::ResetChoiceSet { choice: ResetChoice::Never, signer: first.id() };
        world.sign(world.set(&account).following(body, checkpoint), &first)
    };
    let seen = |size, root| SeenCheckpoint { size, root };
    let root = |size| super::world::root_at(size).unwrap();
    let empty = Digest::sha256(b"");
    for size in 1..=world.block {
        assert!(world.judge(&choose(seen(size, root(size)))).is_ok());
        assert_eq!(world.refusal(&choose(seen(size, root(size + 1)))), "entry.checkpoint");
    }
    assert!(world.judge(&choose(seen(0, empty))).is_ok());
    assert_eq!(world.refusal(&choose(seen(0, root(0)))), "entry.checkpoint");
    assert_eq!(world.refusal(&choose(seen(world.block + 1, root(world.block + 1)))), "entry.checkpoint");
}

/// DEV-1: a service that shows an entry with another block or time than it was sealed at is found out by the head.
#[test]
fn the_device_set_hash_binds_block_and_time_of_every_entry() {
    let (mut world, account, first) = World::with_account();
    let entry = world.choice_set(&account, ResetChoice::Never, &first);
    let here = world.judge(&entry).unwrap().hash();
    world.time_s += 1;
    let later = world.judge(&entry).unwrap().hash();
    (world.time_s, world.block) = (world.time_s - 1, world.block + 1);
    let next = world.judge(&entry).unwrap().hash();
    assert!(here != later && here != next && later != next);
}

/// ENT-5, attack 29.
#[test]
fn a_closed_account_takes_nothing() {
    let (mut world, account, first) = World::with_account();
    world.submit(world.recovery_key_set(&account, Some(&Device::new(90)), &first)).unwrap();
    let pending = Device::new(2);
    world.submit(world.added(&account, &pending)).unwrap();
    let open = world.set(&account).clone();
    world.submit(world.closed(&account, &first)).unwrap();
    assert!(world.set(&account).confirmed().is_empty() && world.set(&account).pending().is_empty());
    assert_eq!(world.set(&account).recovery_key(), None);
    // nothing may follow, whoever signs it
    let successor = world.successor(&account, &Device::new(3), None);
    let entries = [
        world.choice_set(&account, ResetChoice::Never, &first),
        world.added(&account, &Device::new(3)),
        world.announced(&account, &successor, &Device::new(3)),
        world.reset(&account, &successor),
        world.closed(&account, &first),
    ];
    assert!(entries.iter().all(|entry| world.refusal(entry) == "account.gone"));
    let ended = world.accounts.insert(account, open).unwrap();
    let late = world.confirmed_by_recovery_key(&account, &pending, &Device::new(90));
    world.accounts.insert(account, ended);
    assert_eq!(world.refusal(&late), "account.gone");
}

/// DEV-2: the id is the hash of the first body, so nobody chooses it.
#[test]
fn an_account_id_that_is_not_the_hash_of_the_opening_is_refused() {
    let world = World::new();
    let first = Device::new(1);
    let good = world.opening(&first, None).statement;
    assert!(world.judge(&world.sign(good.clone(), &first)).is_ok());
    let mut other = good;
    other.position.account = AccountId([9; 32]);
    assert_eq!(world.refusal(&world.sign(other, &first)), "entry.opening");
}
