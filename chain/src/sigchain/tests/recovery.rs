//! REC-1 to REC-3: the recovery key.

use super::world::{Device, World};
use crate::id::AccountId;
use crate::sigchain::body::{Body, Confirmer, ResetChoice};
use crate::sigchain::rules::YOUNG_FOR_S;

/// An account with device 1 and recovery key 90.
fn with_recovery_key() -> (World, AccountId, Device, Device) {
    let (mut world, account, first) = World::with_account();
    let recovery = Device::new(90);
    world.submit(world.recovery_key_set(&account, Some(&recovery), &first)).unwrap();
    (world, account, first, recovery)
}

/// REC-1: at most one; a new one replaces it, none drops it.
#[test]
fn an_account_has_at_most_one_recovery_key() {
    let (mut world, account, first, old) = with_recovery_key();
    let (new, asks) = (Device::new(91), Device::new(2));
    world.submit(world.recovery_key_set(&account, Some(&new), &first)).unwrap();
    world.submit(world.added(&account, &asks)).unwrap();
    assert_eq!(world.refusal(&world.confirmed_by_recovery_key(&account, &asks, &old)), "entry.signature");
    assert!(world.judge(&world.confirmed_by_recovery_key(&account, &asks, &new)).is_ok());
    world.submit(world.recovery_key_set(&account, None, &first)).unwrap();
    assert_eq!(world.refusal(&world.confirmed_by_recovery_key(&account, &asks, &new)), "recovery_key.none");
}

/// REC-1: the key is none that a device has.
#[test]
fn a_device_key_cannot_be_the_recovery_key() {
    let (mut world, account, first) = World::with_account();
    let waiting = Device::new(2);
    world.submit(world.added(&account, &waiting)).unwrap();
    for known in [&first, &waiting] {
        assert_eq!(world.refusal(&world.recovery_key_set(&account, Some(known), &first)), "device.known_key");
        let mls = Device { chain: known.mls.clone(), mls: known.mls.clone() };
        assert_eq!(world.refusal(&world.recovery_key_set(&account, Some(&mls), &first)), "device.known_key");
    }
}

/// REC-2: under a label of its own.
#[test]
fn the_recovery_key_confirms_a_device() {
    let (mut world, account, _, recovery) = with_recovery_key();
    let second = Device::new(2);
    world.submit(world.added(&account, &second)).unwrap();
    world.submit(world.confirmed_by_recovery_key(&account, &second, &recovery)).unwrap();
    assert_eq!(world.set(&account).confirmed()[&second.id()].by, Some(Confirmer::RecoveryKey));
}

/// REC-2: and nothing else, neither in its own name nor in a device's.
#[test]
fn the_recovery_key_signs_nothing_but_confirmations() {
    let (mut world, account, first, recovery) = with_recovery_key();
    let second = Device::new(2);
    world.join(&account, &second, &first);
    world.submit(world.added(&account, &Device::new(3))).unwrap();
    let successor = world.successor(&account, &Device::new(4), None);
    world.submit(world.announced(&account, &successor, &Device::new(4))).unwrap();
    let notice = world.set(&account).notice().unwrap().hash;
    let pending = world.refused(&account, &Device::new(3), &recovery).statement.body;
    let signer = recovery.id();
    let in_its_own_name = [
        pending,
        Body::DeviceRemoved { devices: vec![second.id()], signer },
        Body::HandleBound { handle: None, signer },
        Body::RecoveryKeySet { key: None, signer },
        Body::ResetChoiceSet { choice: ResetChoice::Never, signer },
        Body::ResetVetoed { notice, signer },
        Body::AccountClosed { signer },
    ];
    for body in in_its_own_name {
        assert_eq!(world.refusal(&world.entry(&account, body, &recovery)), "device.unconfirmed");
    }
    let signer = first.id();
    let in_the_name_of_a_device = [
        Body::DeviceRemoved { devices: vec![second.id()], signer },
        Body::ResetVetoed { notice, signer },
        Body::AccountClosed { signer },
        world.confirmed(&account, &Device::new(3), &first).statement.body,
    ];
    for body in in_the_name_of_a_device {
        assert_eq!(world.refusal(&world.entry(&account, body, &recovery)), "entry.signature");
    }
}

/// REC-3.
#[test]
fn the_recovery_key_is_no_device() {
    let (world, account, first, recovery) = with_recovery_key();
    assert_eq!(world.set(&account).confirmed().keys().copied().collect::<Vec<_>>(), [first.id()]);
    assert!(!world.counts(&account, &recovery));
    assert_eq!(world.refusal(&world.removed(&account, &[&recovery], &first)), "device.not_in_set");
}

/// DEV-8, DEV-9: the owner must be able to throw a thief out at once.
#[test]
fn a_device_that_the_recovery_key_confirmed_is_never_young() {
    let (mut world, account, thief, recovery) = with_recovery_key();
    let (back, helper) = (Device::new(2), Device::new(3));
    world.submit(world.added(&account, &back)).unwrap();
    world.submit(world.confirmed_by_recovery_key(&account, &back, &recovery)).unwrap();
    world.join(&account, &helper, &back);
    // the exemption is no heirloom
    assert_eq!(world.refusal(&world.removed(&account, &[&thief], &helper)), "device.too_new");
    assert!(world.judge(&world.choice_set(&account, ResetChoice::Never, &back)).is_ok());
    assert!(world.judge(&world.recovery_key_set(&account, None, &back)).is_ok());
    assert!(world.judge(&world.closed(&account, &back)).is_ok());
    world.submit(world.removed(&account, &[&thief], &back)).unwrap();
    world.wait(YOUNG_FOR_S);
    assert!(world.judge(&world.removed(&account, &[&back], &helper)).is_ok());
}
