//! DEV-2, DEV-3, DEV-6 to DEV-10: which devices an account has, and who may take one out.

use super::world::{Device, World};
use crate::id::{Digest, HandleLabel};
use crate::sigchain::body::{Body, ResetChoice};
use crate::sigchain::broken::RuleBroken;
use crate::sigchain::entry::{Entry, Statement};
use crate::sigchain::rules::{DAY_S, HOUR_S, MAX_DEVICES, MAX_PENDING};

/// DEV-2.
#[test]
fn the_opening_confirms_its_own_device_and_no_other() {
    let (world, account, first) = World::with_account();
    let set = world.set(&account);
    assert_eq!((set.generation(), set.sequence(), set.next_request()), (1, 0, 1));
    assert_eq!(set.confirmed().keys().copied().collect::<Vec<_>>(), [first.id()]);
    assert!(set.confirmed()[&first.id()].by.is_none());
}

/// DEV-2.
#[test]
fn an_account_is_opened_by_its_first_entry_and_by_no_other() {
    let (mut world, account, first) = World::with_account();
    let again = world.set(&account).following(world.opening(&first, None).statement.body, world.checkpoint());
    assert_eq!(world.refusal(&world.sign(again, &first)), "entry.opening");
    let never = world.choice_set(&account, ResetChoice::Never, &first);
    world.accounts.clear();
    assert_eq!(world.refusal(&never), "entry.opening");
}

/// DEV-2: position and generation of an opening are fixed.
#[test]
fn an_opening_stands_at_number_zero_of_generation_one() {
    let world = World::new();
    let first = Device::new(1);
    let good = world.opening(&first, None).statement;
    let judged = |change: fn(&mut Statement)| {
        let mut other = good.clone();
        change(&mut other);
        world.refusal(&world.sign(other, &first))
    };
    assert_eq!(judged(|it| it.position.generation = 0), "entry.opening");
    assert_eq!(judged(|it| it.position.generation = 2), "entry.opening");
    assert_eq!(judged(|it| it.position.sequence = 1), "chain.conflict");
    assert_eq!(judged(|it| it.position.previous = Digest::sha256(b"x")), "chain.conflict");
    assert_eq!(judged(|it| it.checkpoint.size += 1), "entry.checkpoint");
}

/// DEV-3, attack 1: the service lists a device, and it counts for nothing.
#[test]
fn an_added_device_is_pending_and_does_not_count() {
    let (mut world, account, _) = World::with_account();
    let ghost = Device::new(66);
    world.submit(world.added(&account, &ghost)).unwrap();
    let pending = &world.set(&account).pending()[&ghost.id()];
    assert_eq!((pending.request, pending.added), (1, world.set(&account).head()));
    assert!(!world.counts(&account, &ghost));
}

/// DEV-3: a key that is in the account does not come in again, with its partner or with another.
#[test]
fn a_key_that_is_in_the_set_cannot_be_added() {
    let (mut world, account, first) = World::with_account();
    let (waiting, recovery) = (Device::new(2), Device::new(90));
    world.submit(world.added(&account, &waiting)).unwrap();
    world.submit(world.recovery_key_set(&account, Some(&recovery), &first)).unwrap();
    for known in [&first, &waiting, &recovery] {
        assert_eq!(world.refusal(&world.added(&account, known)), "device.known_key");
        for fresh in mixtures(known).iter().take(2) {
            assert_eq!(world.refusal(&world.added(&account, fresh)), "device.known_key");
        }
    }
    assert!(world.judge(&world.added(&account, &Device::new(3))).is_ok());
}

/// Devices that have one of a known device's chain key, in either place, next to a fresh key; then of its MLS key.
fn mixtures(known: &Device) -> [Device; 4] {
    let fresh = Device::new(77).chain;
    let pair = |chain: &ed25519_dalek::SigningKey, mls: &ed25519_dalek::SigningKey| Device {
        chain: chain.clone(),
        mls: mls.clone(),
    };
    [pair(&known.chain, &fresh), pair(&fresh, &known.chain), pair(&known.mls, &fresh), pair(&fresh, &known.mls)]
}

/// DEV-3, DEV-6, DEV-7: keys of a refused or removed device never return, singly or paired with another.
#[test]
fn the_keys_of_a_refused_or_removed_device_never_return() {
    let (mut world, account, first) = World::with_account();
    let (removed, refused) = (Device::new(2), Device::new(3));
    world.join(&account, &removed, &first);
    world.submit(world.removed(&account, &[&removed], &first)).unwrap();
    world.submit(world.added(&account, &refused)).unwrap();
    world.submit(world.refused(&account, &refused, &first)).unwrap();
    world.wait(400 * DAY_S);
    for gone in [&removed, &refused] {
        assert_eq!(world.refusal(&world.added(&account, gone)), "device.known_key");
        for other in mixtures(gone) {
            assert_eq!(world.refusal(&world.added(&account, &other)), "device.known_key");
            let as_recovery_key = world.recovery_key_set(&account, Some(gone), &first);
            assert_eq!(world.refusal(&as_recovery_key), "device.known_key");
        }
    }
}

/// DEV-3, attack 13: at most eight wait at once.
#[test]
fn the_ninth_pending_device_is_refused() {
    let (mut world, account, first) = World::with_account();
    for number in 0..8 {
        world.submit(world.added(&account, &Device::new(10 + number))).unwrap();
    }
    let ninth = world.judge(&world.added(&account, &Device::new(18))).unwrap_err();
    assert_eq!((ninth.code(), ninth), ("device.too_many", RuleBroken::TooMany { count: 8, max: MAX_PENDING }));
    world.submit(world.refused(&account, &Device::new(10), &first)).unwrap();
    assert!(world.judge(&world.added(&account, &Device::new(18))).is_ok());
}

/// DEV-3: pending and confirmed count together, the recovery key (REC-3) does not.
#[test]
fn the_sixty_fifth_device_is_refused() {
    let (mut world, account, first) = World::with_account();
    world.submit(world.recovery_key_set(&account, Some(&Device::new(90)), &first)).unwrap();
    for number in 0..62 {
        world.join(&account, &Device::new(100 + number), &first);
    }
    world.submit(world.added(&account, &Device::new(162))).unwrap();
    let after_64 = world.judge(&world.added(&account, &Device::new(163))).unwrap_err();
    assert_eq!(after_64, RuleBroken::TooMany { count: 64, max: MAX_DEVICES });
    world.submit(world.removed(&account, &[&Device::new(100)], &first)).unwrap();
    assert!(world.judge(&world.added(&account, &Device::new(163))).is_ok());
}

/// DEV-3: requests have numbers without gaps, so that an answer fits one of them only.
#[test]
fn a_request_has_the_next_number() {
    let (mut world, account, _) = World::with_account();
    world.submit(world.added(&account, &Device::new(2))).unwrap();
    let good = world.added(&account, &Device::new(3)).statement;
    assert_eq!(good.request, 2);
    for request in [1, 3, u64::MAX] {
        let other = Statement { request, ..good.clone() };
        assert_eq!(world.refusal(&world.sign(other, &Device::new(3))), "entry.request");
    }
}

/// DEV-6: any confirmed device may refuse, and only a confirmed one.
#[test]
fn a_refused_device_is_gone_for_good() {
    let (mut world, account, first) = World::with_account();
    let (young, asks) = (Device::new(2), Device::new(3));
    world.join(&account, &young, &first);
    world.submit(world.added(&account, &asks)).unwrap();
    let confirmation = world.confirmed(&account, &asks, &first);
    assert_eq!(world.refusal(&world.refused(&account, &asks, &asks)), "device.unconfirmed");
    world.submit(world.refused(&account, &asks, &young)).unwrap();
    assert_eq!(world.refusal(&confirmation), "confirm.replayed");
    assert!(world.set(&account).pending().is_empty());
    assert!(world.set(&account).has_retired(&asks.keys().chain) && world.set(&account).has_retired(&asks.keys().mls));
}

/// DEV-7: at once, for good, and by a confirmed device.
#[test]
fn a_removed_device_counts_no_longer_and_what_it_confirmed_stays() {
    let (mut world, account, first) = World::with_account();
    let (second, third) = (Device::new(2), Device::new(3));
    world.join(&account, &second, &first);
    world.join(&account, &third, &second);
    let by_stranger = world.removed(&account, &[&second], &Device::new(66));
    assert_eq!(world.refusal(&by_stranger), "device.unconfirmed");
    assert_eq!(world.refusal(&world.removed(&account, &[&Device::new(66)], &first)), "device.not_in_set");
    world.submit(world.removed(&account, &[&second], &first)).unwrap();
    assert!(!world.counts(&account, &second) && world.counts(&account, &third));
    assert_eq!(world.refusal(&world.removed(&account, &[&second], &first)), "device.not_in_set");
    assert_eq!(world.refusal(&world.removed(&account, &[&first], &second)), "device.unconfirmed");
}

/// DEV-7: only confirmed devices can be removed; pending ones are refused.
#[test]
fn a_pending_device_is_not_removed() {
    let (mut world, account, first) = World::with_account();
    world.submit(world.added(&account, &Device::new(2))).unwrap();
    assert_eq!(world.refusal(&world.removed(&account, &[&Device::new(2)], &first)), "device.not_in_set");
}

/// DEV-8, attack 10: to the second.
#[test]
fn a_device_removes_an_older_one_only_after_72_hours_of_block_time() {
    let (mut world, account, first) = World::with_account();
    let second = Device::new(2);
    world.join(&account, &second, &first);
    for waited_s in [0, HOUR_S, 72 * HOUR_S - 1] {
        let started_s = world.time_s;
        world.wait(waited_s);
        assert_eq!(world.refusal(&world.removed(&account, &[&first], &second)), "device.too_new");
        world.time_s = started_s;
    }
    world.wait(72 * HOUR_S);
    world.submit(world.removed(&account, &[&first], &second)).unwrap();
    assert!(!world.counts(&account, &first));
}

/// DEV-8: an older device in a list of younger ones spoils the list.
#[test]
fn a_young_device_cannot_hide_an_older_one_among_younger_ones() {
    let (mut world, account, first) = World::with_account();
    let (second, third) = (Device::new(2), Device::new(3));
    world.join(&account, &second, &first);
    world.join(&account, &third, &second);
    assert_eq!(world.refusal(&world.removed(&account, &[&first, &third], &second)), "device.too_new");
    assert!(world.judge(&world.removed(&account, &[&second, &third], &second)).is_ok());
}

/// DEV-8: what is younger, and the device itself, may go at once.
#[test]
fn younger_devices_and_itself_can_be_removed_at_once() {
    let (mut world, account, first) = World::with_account();
    let (second, third) = (Device::new(2), Device::new(3));
    world.join(&account, &second, &first);
    world.join(&account, &third, &second);
    assert!(world.judge(&world.removed(&account, &[&second, &third], &first)).is_ok());
    world.submit(world.removed(&account, &[&third], &second)).unwrap();
    world.submit(world.removed(&account, &[&second], &second)).unwrap();
    assert!(world.counts(&account, &first));
}

/// DEV-8: confirming is allowed from the start.
#[test]
fn a_young_device_may_confirm() {
    let (mut world, account, first) = World::with_account();
    let (second, third) = (Device::new(2), Device::new(3));
    world.join(&account, &second, &first);
    world.join(&account, &third, &second);
    assert!(world.counts(&account, &third));
}

/// The four kinds of DEV-9, signed by one device.
fn locking_out(world: &World, account: &crate::id::AccountId, by: &Device) -> [Entry; 4] {
    [
        world.closed(account, by),
        world.choice_set(account, ResetChoice::OneDay, by),
        world.recovery_key_set(account, Some(&Device::new(90)), by),
        world.handle_bound(account, Some(HandleLabel([4; 32])), by),
    ]
}

/// DEV-9, attack 10: to the second.
#[test]
fn a_young_device_opens_no_other_door_while_an_older_one_is_there() {
    let (mut world, account, first) = World::with_account();
    let second = Device::new(2);
    world.join(&account, &second, &first);
    assert!(locking_out(&world, &account, &first).iter().all(|entry| world.judge(entry).is_ok()));
    world.wait(72 * HOUR_S - 1);
    assert!(locking_out(&world, &account, &second).iter().all(|entry| world.refusal(entry) == "device.too_new"));
    world.wait(1);
    assert!(locking_out(&world, &account, &second).iter().all(|entry| world.judge(entry).is_ok()));
}

/// DEV-9: where nobody is older, nobody is protected.
#[test]
fn a_young_device_that_is_the_oldest_may_do_everything() {
    let (mut world, account, first) = World::with_account();
    let second = Device::new(2);
    world.join(&account, &second, &first);
    world.submit(world.removed(&account, &[&first], &first)).unwrap();
    assert!(locking_out(&world, &account, &second).iter().all(|entry| world.judge(entry).is_ok()));
    let fresh = World::new().opening(&first, None);
    let mut world = World::new();
    world.submit(fresh).unwrap();
    assert!(locking_out(&world, &account, &first).iter().all(|entry| world.judge(entry).is_ok()));
}

/// DEV-9: and by nobody but a confirmed device.
#[test]
fn a_stranger_or_pending_device_changes_no_setting() {
    let (mut world, account, _) = World::with_account();
    world.submit(world.added(&account, &Device::new(2))).unwrap();
    for stranger in [Device::new(2), Device::new(66)] {
        let entries = locking_out(&world, &account, &stranger);
        assert!(entries.iter().all(|entry| world.refusal(entry) == "device.unconfirmed"));
    }
}

/// DEV-10.
#[test]
fn the_last_device_is_removed_only_if_a_recovery_key_is_left() {
    let (mut world, account, first) = World::with_account();
    let second = Device::new(2);
    world.join(&account, &second, &first);
    assert_eq!(world.refusal(&world.removed(&account, &[&first, &second], &first)), "device.last");
    world.submit(world.removed(&account, &[&second], &first)).unwrap();
    // a pending device is no device that is left
    world.submit(world.added(&account, &Device::new(3))).unwrap();
    assert_eq!(world.refusal(&world.removed(&account, &[&first], &first)), "device.last");
    world.submit(world.recovery_key_set(&account, Some(&Device::new(90)), &first)).unwrap();
    world.submit(world.removed(&account, &[&first], &first)).unwrap();
    assert!(world.set(&account).confirmed().is_empty());
    world.submit(world.confirmed_by_recovery_key(&account, &Device::new(3), &Device::new(90))).unwrap();
    assert!(world.counts(&account, &Device::new(3)));
}

/// HandleBound and ResetChoiceSet do what they say.
#[test]
fn a_setting_holds_from_its_entry_on() {
    let (mut world, account, first) = World::with_account();
    let label = HandleLabel([4; 32]);
    world.submit(world.handle_bound(&account, Some(label), &first)).unwrap();
    assert_eq!(world.set(&account).handle(), Some(label));
    world.submit(world.handle_bound(&account, None, &first)).unwrap();
    assert_eq!(world.set(&account).handle(), None);
    let body = Body::ResetChoiceSet { choice: ResetChoice::SevenDays, signer: first.id() };
    world.submit(world.entry(&account, body, &first)).unwrap();
    assert_eq!(world.set(&account).reset_choice(), ResetChoice::SevenDays);
}
