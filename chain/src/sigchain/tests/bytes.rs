//! ENT-1 and ENT-2 by brute force: no change of any bit of any kind of entry goes unnoticed.

use super::world::{Device, World};
use crate::id::{AccountId, HandleLabel};
use crate::sigchain::body::ResetChoice;
use crate::sigchain::device_set::DeviceSet;
use crate::sigchain::entry::{Claim, Entry, Proposal, Role, Signatures};
use crate::sigchain::rules::HOUR_S;

/// One good entry of every kind, each with the world that takes it; kinds with variants more than once.
fn every_kind() -> Vec<(World, Entry)> {
    type Make = fn(&World, &AccountId, &Device) -> Entry;
    let label = HandleLabel([4; 32]);
    let makes: [Make; 13] = [
        |world, _, _| world.opening(&Device::new(5), Some(HandleLabel([9; 32]))),
        |world, account, _| world.added(account, &Device::new(5)),
        |world, account, first| world.confirmed(account, &Device::new(2), first),
        |world, account, _| world.confirmed_by_recovery_key(account, &Device::new(2), &Device::new(90)),
        |world, account, first| world.refused(account, &Device::new(2), first),
        |world, account, first| world.removed(account, &[&Device::new(3), first], first),
        |world, account, first| world.handle_bound(account, Some(HandleLabel([9; 32])), first),
        |world, account, first| world.recovery_key_set(account, Some(&Device::new(91)), first),
        |world, account, first| world.choice_set(account, ResetChoice::OneDay, first),
        |world, account, first| world.vetoed(account, first),
        |world, account, _| world.reset_to(account, world.set(account).notice().unwrap().successor),
        |world, account, first| world.closed(account, first),
        |world, account, first| world.handle_bound(account, None, first),
    ];
    let mut kinds: Vec<_> = makes.into_iter().map(|make| busy_world(label, make)).collect();
    let (world, account, _) = World::with_account();
    let successor = world.successor(&account, &Device::new(60), None);
    let notice = world.announced(&account, &successor, &Device::new(60));
    kinds.push((world, notice));
    kinds
}

/// A world in which everything is possible, and an entry for it.
fn busy_world(label: HandleLabel, make: impl Fn(&World, &AccountId, &Device) -> Entry) -> (World, Entry) {
    let (mut world, account, first) = World::with_account();
    world.submit(world.recovery_key_set(&account, Some(&Device::new(90)), &first)).unwrap();
    world.submit(world.handle_bound(&account, Some(label), &first)).unwrap();
    world.join(&account, &Device::new(3), &first);
    let successor = world.successor(&account, &Device::new(60), None);
    world.submit(world.announced(&account, &successor, &Device::new(60))).unwrap();
    world.wait(72 * HOUR_S);
    world.submit(world.added(&account, &Device::new(2))).unwrap();
    let entry = make(&world, &account, &first);
    (world, entry)
}

/// The claims of a good entry.
fn claims_of(world: &World, entry: &Entry) -> Vec<Claim> {
    let mut claims = Vec::new();
    world.judge_with(entry, &mut Signatures::Collect(&mut claims)).expect("the entry is good");
    claims
}

/// Every kind is there, and good.
#[test]
fn the_entries_that_are_changed_below_are_good_and_of_every_kind() {
    let kinds = every_kind();
    for (world, entry) in &kinds {
        assert!(world.judge(entry).is_ok(), "{}", entry.statement.body.name());
    }
    let mut numbers: Vec<_> = kinds.iter().map(|(_, entry)| entry.statement.body.kind()).collect();
    numbers.sort_unstable();
    numbers.dedup();
    assert_eq!(numbers, (1..=12).collect::<Vec<_>>());
}

/// ENT-1, ENT-2: what decodes encodes as it stood, and is accepted only if nothing that was signed changed. The
/// signatures are judged ideally: exactly those of the good entry hold.
#[test]
fn no_entry_with_one_changed_bit_is_accepted() {
    for (world, entry) in every_kind() {
        let (name, bytes, claims) = (entry.statement.body.name(), entry.encode(), claims_of(&world, &entry));
        for place in 0..bytes.len() * 8 {
            let mut other = bytes.clone();
            other[place / 8] ^= 1 << (place % 8);
            let Ok(decoded) = Entry::decode(&other) else { continue };
            assert_eq!(decoded.encode(), other, "{name}, bit {place}");
            let mut found = Vec::new();
            let verdict = world.judge_with(&decoded, &mut Signatures::Collect(&mut found));
            assert!(verdict.is_err() || found.iter().any(|claim| !claims.contains(claim)), "{name}, bit {place}");
        }
    }
}

/// ENT-2: the same with real signatures, one bit of each byte.
#[test]
fn no_entry_with_one_changed_byte_verifies() {
    for (world, entry) in every_kind() {
        let (name, bytes) = (entry.statement.body.name(), entry.encode());
        for place in 0..bytes.len() {
            let mut other = bytes.clone();
            other[place] ^= 1 << (place % 8);
            let verdict = Entry::decode(&other).ok().map(|decoded| world.judge(&decoded));
            assert!(verdict.is_none_or(|it: Result<DeviceSet, _>| it.is_err()), "{name}, byte {place}");
        }
    }
}

/// ENT-1.
#[test]
fn no_shorter_or_longer_entry_is_read() {
    for (_, entry) in every_kind() {
        let bytes = entry.encode();
        assert_eq!(Entry::decode(&bytes), Ok(entry));
        assert!((0..bytes.len()).all(|length| Entry::decode(&bytes[..length]).is_err()));
        assert!(Entry::decode(&[bytes.as_slice(), &[0]].concat()).is_err());
    }
}

/// ENT-1, ENT-2: a proposal is the entry without the service's signature; changed on its way, the service's own
/// signature does not mend it.
#[test]
fn no_changed_proposal_becomes_an_entry() {
    for (world, entry) in every_kind() {
        let has_service = entry.signatures().any(|(role, _)| role == Role::Service);
        // a statement of the service alone has nothing that another signed
        if entry.statement.roles().len() == 1 && has_service {
            continue;
        }
        let mut bytes = entry.encode();
        bytes.truncate(bytes.len() - if has_service { 64 } else { 0 });
        let complete = |it: Proposal| it.complete(&world.parameters.origin, &world.service);
        let good = Proposal::decode(&bytes).unwrap();
        assert_eq!((good.encode(), complete(good)), (bytes.clone(), entry.clone()));
        assert!((0..bytes.len()).all(|length| Proposal::decode(&bytes[..length]).is_err()));
        assert!(Proposal::decode(&[bytes.as_slice(), &[0]].concat()).is_err());
        for place in 0..bytes.len() {
            let mut other = bytes.clone();
            other[place] ^= 1 << (place % 8);
            let Ok(decoded) = Proposal::decode(&other) else { continue };
            assert_eq!(decoded.encode(), other);
            assert!(world.judge(&complete(decoded)).is_err(), "{}, byte {place}", entry.statement.body.name());
        }
    }
}
