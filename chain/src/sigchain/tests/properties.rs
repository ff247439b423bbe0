//! Random sigchains against the rules said another way.

use std::collections::BTreeSet;

use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use super::world::{Device, World};
use crate::id::{AccountId, Digest, HandleLabel};
use crate::sigchain::body::{Answer, Body, Confirmer, ResetChoice};
use crate::sigchain::device_set::DeviceSet;
use crate::sigchain::entry::Entry;
use crate::sigchain::rules::DAY_S;

/// The same cases in every run, nothing written to disk.
fn config(cases: u32) -> ProptestConfig {
    ProptestConfig {
        cases,
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(20_261_123),
        ..ProptestConfig::default()
    }
}

/// A confirmation of a device that need not be pending, by a device that need not be confirmed.
fn confirmation(world: &World, account: &AccountId, device: &Device, by: &Device) -> Entry {
    let pending = world.set(account).pending().get(&device.id());
    let added = pending.map_or(Digest::ZERO, |pending| pending.added);
    let answer = Answer { added, device: device.id(), signer: Confirmer::Device(by.id()) };
    world.entry(account, Body::DeviceConfirmed(answer), by)
}

/// One step of a random life: `what` happens to device `a`, by device `b`.
fn step(world: &World, account: &AccountId, what: u8, a: &Device, b: &Device) -> Entry {
    match what {
        0 | 1 => world.added(account, a),
        2..=4 => confirmation(world, account, a, b),
        5 => world.removed(account, &[a], b),
        6 if world.set(account).pending().contains_key(&a.id()) => world.refused(account, a, b),
        7 => world.recovery_key_set(account, Some(&Device::new(90)), b),
        8 => world.handle_bound(account, Some(HandleLabel([4; 32])), b),
        9 if world.set(account).notice().is_some() => world.vetoed(account, b),
        9 | 10 => {
            let successor = world.successor(account, &Device::new(60), None);
            world.announced(account, &successor, &Device::new(60))
        }
        11 => world.closed(account, b),
        _ => world.choice_set(account, ResetChoice::OneDay, b),
    }
}

/// All states of a random life.
fn life(steps: &[(u8, u8, u8, u64)]) -> Vec<DeviceSet> {
    let (mut world, account, _) = World::with_account();
    let mut states = vec![world.set(&account).clone()];
    for (what, a, b, days) in steps {
        world.wait(days * DAY_S);
        let entry = step(&world, &account, *what, &Device::new(*a), &Device::new(*b));
        if world.submit(entry).is_ok() {
            states.push(world.set(&account).clone());
        }
    }
    states
}

fn steps() -> impl Strategy<Value = Vec<(u8, u8, u8, u64)>> {
    prop::collection::vec((0_u8..13, 1_u8..5, prop_oneof![3 => Just(1_u8), 1 => 1_u8..5], 0_u64..4), 0..16)
}

proptest! {
    #![proptest_config(config(128))]

    /// The record that newcomers start from says all that the fold knows, in one encoding.
    #[test]
    fn a_record_reads_back_as_the_state_that_wrote_it(steps in steps()) {
        for state in life(&steps) {
            let bytes = state.encode();
            prop_assert!(DeviceSet::decode(&bytes).is_ok_and(|read| read == state));
            prop_assert!(DeviceSet::decode(&bytes[..bytes.len() - 1]).is_err());
            prop_assert!(DeviceSet::decode(&[bytes.as_slice(), &[0]].concat()).is_err());
        }
    }

    /// BLK-4: the hash in the head binds the whole state, so no two states share one.
    #[test]
    fn two_states_with_one_hash_are_one_state(one in steps(), other in steps()) {
        let states: Vec<_> = life(&one).into_iter().chain(life(&other)).collect();
        for a in &states {
            for b in &states {
                prop_assert_eq!(a == b, a.hash() == b.hash());
                prop_assert_eq!(a == b, a.map_value() == b.map_value());
            }
        }
    }

    /// A record with a changed bit is refused or is another record with another hash.
    #[test]
    fn a_changed_record_has_another_hash(steps in steps(), place in any::<prop::sample::Index>()) {
        let state = life(&steps).pop().expect("the opening is a state");
        let mut bytes = state.encode();
        let place = place.index(bytes.len() * 8);
        bytes[place / 8] ^= 1 << (place % 8);
        if let Ok(other) = DeviceSet::decode(&bytes) {
            prop_assert_eq!(other.encode(), bytes);
            prop_assert_ne!(other.hash(), state.hash());
        }
    }
}

/// What a random confirmation game does.
#[derive(Debug, Clone, Copy)]
enum Move {
    Add(u8),
    Confirm { device: u8, by: u8 },
    Leave(u8),
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let device = 1_u8..7;
    let one = prop_oneof![
        3 => device.clone().prop_map(Move::Add),
        6 => (device.clone(), device.clone()).prop_map(|(device, by)| Move::Confirm { device, by }),
        1 => device.prop_map(Move::Leave),
    ];
    prop::collection::vec(one, 0..24)
}

proptest! {
    #![proptest_config(config(256))]

    /// Attack 4, DEV-1: the folded set is what can be reached from the first device, in order.
    #[test]
    fn exactly_the_devices_reachable_from_the_first_one_count(moves in moves()) {
        let (mut world, account, _) = World::with_account();
        let (mut inside, mut waiting, mut gone) = (BTreeSet::from([1]), BTreeSet::new(), BTreeSet::new());
        for it in moves {
            let (entry, allowed) = match it {
                Move::Add(n) => {
                    let known = inside.contains(&n) || waiting.contains(&n) || gone.contains(&n);
                    (world.added(&account, &Device::new(n)), !known && waiting.insert(n))
                }
                Move::Confirm { device, by } => {
                    let allowed = inside.contains(&by) && waiting.remove(&device) && inside.insert(device);
                    (confirmation(&world, &account, &Device::new(device), &Device::new(by)), allowed)
                }
                Move::Leave(n) => {
                    let allowed = inside.len() > 1 && inside.remove(&n) && gone.insert(n);
                    (world.removed(&account, &[&Device::new(n)], &Device::new(n)), allowed)
                }
            };
            prop_assert_eq!(world.submit(entry).is_ok(), allowed, "{:?}", it);
            let ids: BTreeSet<_> = inside.iter().map(|n| Device::new(*n).id()).collect();
            prop_assert!(world.set(&account).confirmed().keys().eq(ids.iter()));
        }
    }
}
