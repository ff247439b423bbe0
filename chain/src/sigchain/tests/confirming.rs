//! DEV-1, DEV-4, DEV-5: how a device comes to count.

use super::world::{Device, World};
use crate::id::{AccountId, Digest};
use crate::sigchain::body::{Answer, Body, Confirmer};
use crate::sigchain::broken::RuleBroken;
use crate::sigchain::entry::{Entry, Statement};
use crate::sigchain::rules::DAY_S;

/// An account in which device 2 waits for device 1.
fn with_a_pending_device() -> (World, AccountId, Device, Device) {
    let (mut world, account, first) = World::with_account();
    let second = Device::new(2);
    world.submit(world.added(&account, &second)).unwrap();
    (world, account, first, second)
}

/// A good confirmation after a change by the test, signed again by the confirming device.
fn changed(world: &World, good: &Entry, by: &Device, change: impl FnOnce(&mut Statement)) -> Entry {
    let mut statement = good.statement.clone();
    change(&mut statement);
    world.sign(statement, by)
}

fn answer_of(statement: &mut Statement) -> &mut Answer<Confirmer> {
    match &mut statement.body {
        Body::DeviceConfirmed(answer) => answer,
        other => panic!("{} is no confirmation", other.name()),
    }
}

/// DEV-4: service and older device, together.
#[test]
fn a_device_that_the_service_added_and_an_older_one_confirmed_counts() {
    let (mut world, account, first, second) = with_a_pending_device();
    world.submit(world.confirmed(&account, &second, &first)).unwrap();
    let confirmed = &world.set(&account).confirmed()[&second.id()];
    assert_eq!((confirmed.sequence, confirmed.at_s), (2, world.time_s));
    assert_eq!(confirmed.by, Some(Confirmer::Device(first.id())));
    assert!(world.set(&account).pending().is_empty());
}

/// DEV-4, attack 2: the confirmation names key, entry and request, and all three have to fit.
#[test]
fn a_confirmation_for_another_key_entry_or_request_is_refused() {
    let (mut world, account, first, second) = with_a_pending_device();
    let ghost = Device::new(66);
    world.submit(world.added(&account, &ghost)).unwrap();
    let good = world.confirmed(&account, &second, &first);
    let ghosts = world.set(&account).pending()[&ghost.id()].clone();
    let refusal = |change: fn(&mut Statement, Digest, Device)| {
        let entry = changed(&world, &good, &first, |it| change(it, ghosts.added, ghost.clone()));
        world.refusal(&entry)
    };
    assert_eq!(refusal(|it, _, ghost| answer_of(it).device = ghost.id()), "confirm.other_request");
    assert_eq!(refusal(|it, _, _| answer_of(it).device = Device::new(67).id()), "confirm.other_request");
    assert_eq!(refusal(|it, added, _| answer_of(it).added = added), "confirm.other_request");
    assert_eq!(refusal(|it, _, _| it.request = 2), "confirm.other_request");
    assert_eq!(refusal(|it, _, _| it.request = 3), "confirm.other_request");
    // what the older device signed for one key is no signature for another
    let mut bytes = good.encode();
    let device = bytes.len() - 64 - 16 - 1 - 16;
    bytes[device..device + 16].copy_from_slice(ghost.id().as_bytes());
    assert_eq!(world.refusal(&Entry::decode(&bytes).unwrap()), "entry.signature");
    assert!(world.judge(&good).is_ok());
}

/// Attack 3, DEV-5: confirm, remove, publish the recorded confirmation again.
#[test]
fn a_recorded_confirmation_published_again_is_refused() {
    let (mut world, account, first, second) = with_a_pending_device();
    let recorded = world.confirmed(&account, &second, &first);
    world.submit(recorded.clone()).unwrap();
    assert_eq!(world.refusal(&recorded), "confirm.replayed");
    world.submit(world.removed(&account, &[&second], &first)).unwrap();
    assert_eq!(world.judge(&recorded), Err(RuleBroken::Replayed(1)));
    // even if the confirming device were made to sign it at the new place
    let here = world.set(&account).following(recorded.statement.body.clone(), world.checkpoint());
    let here = world.sign(Statement { request: 1, ..here }, &first);
    assert_eq!(world.refusal(&here), "confirm.replayed");
    assert!(!world.counts(&account, &second));
}

/// Attack 3: the same devices in two accounts; what is signed for one says nothing in the other.
#[test]
fn a_confirmation_for_another_account_or_generation_is_refused() {
    let (mut world, account, first, second) = with_a_pending_device();
    let mut body = world.opening(&first, None).statement.body;
    if let Body::AccountCreated { salt, .. } = &mut body {
        *salt = [99; 32];
    }
    let opening = world.sign(Statement::opening(1, world.checkpoint(), body), &first);
    let other = opening.statement.position.account;
    world.submit(opening).unwrap();
    world.submit(world.added(&other, &second)).unwrap();
    let there = world.confirmed(&other, &second, &first);
    let set = world.set(&account);
    let refusal = |entry: &Entry| {
        set.apply(entry, &world.ground(), &mut crate::sigchain::entry::Signatures::CheckNow).unwrap_err().code()
    };
    assert_eq!(refusal(&there), "entry.other_account");
    // moved by hand: the old signature does not hold at the new place
    let here = world.confirmed(&account, &second, &first);
    let signature = there.encode().split_off(there.encode().len() - 64);
    let mut moved = here.encode();
    let end = moved.len() - 64;
    moved[end..].copy_from_slice(&signature);
    assert_eq!(refusal(&Entry::decode(&moved).unwrap()), "entry.signature");
    let next = changed(&world, &here, &first, |it| it.position.generation = 2);
    assert_eq!(refusal(&next), "entry.other_account");
}

/// Attack 4, DEV-1: nobody vouches for himself.
#[test]
fn a_device_cannot_confirm_itself() {
    let (world, account, _, second) = with_a_pending_device();
    assert_eq!(world.refusal(&world.confirmed(&account, &second, &second)), "device.unconfirmed");
}

/// Attack 4, DEV-1: no fix-point.
#[test]
fn two_pending_devices_that_confirm_each_other_confirm_nothing() {
    let (mut world, account, _, one) = with_a_pending_device();
    let two = Device::new(3);
    world.submit(world.added(&account, &two)).unwrap();
    let before = world.set(&account).clone();
    assert_eq!(world.refusal(&world.confirmed(&account, &one, &two)), "device.unconfirmed");
    assert_eq!(world.refusal(&world.confirmed(&account, &two, &one)), "device.unconfirmed");
    assert_eq!(*world.set(&account), before);
}

/// DEV-4, attack 1: the service's own key confirms nothing.
#[test]
fn the_service_cannot_confirm_a_device() {
    let (world, account, first, second) = with_a_pending_device();
    let service = Device { chain: world.service.clone(), mls: world.service.clone() };
    assert_eq!(world.refusal(&world.confirmed(&account, &second, &service)), "device.unconfirmed");
    let named_as_first = world.confirmed(&account, &second, &first).statement;
    assert_eq!(world.refusal(&world.sign(named_as_first, &service)), "entry.signature");
}

/// Attack 5: the order of the chain decides.
#[test]
fn a_device_that_was_removed_before_confirms_nothing() {
    let (mut world, account, first, second) = with_a_pending_device();
    let ghost = Device::new(66);
    world.submit(world.confirmed(&account, &second, &first)).unwrap();
    world.submit(world.added(&account, &ghost)).unwrap();
    world.submit(world.removed(&account, &[&second], &first)).unwrap();
    assert_eq!(world.refusal(&world.confirmed(&account, &ghost, &second)), "device.unconfirmed");
}

/// Attack 5: removal of A and confirmation by A on one head; whichever comes first decides.
#[test]
fn of_a_removal_and_a_confirmation_on_one_head_one_is_a_conflict() {
    let (mut world, account, first, second) = with_a_pending_device();
    let third = Device::new(3);
    world.submit(world.confirmed(&account, &second, &first)).unwrap();
    world.submit(world.added(&account, &third)).unwrap();
    let removal = world.removed(&account, &[&second], &first);
    let confirmation = world.confirmed(&account, &third, &second);
    let before = world.set(&account).clone();
    world.submit(removal.clone()).unwrap();
    assert_eq!(world.refusal(&confirmation), "chain.conflict");
    world.accounts.insert(account, before);
    world.submit(confirmation).unwrap();
    assert_eq!(world.refusal(&removal), "chain.conflict");
    assert!(world.counts(&account, &third));
}

/// DEV-5: two devices confirm at once.
#[test]
fn the_second_confirmation_of_one_request_is_a_replay() {
    let (mut world, account, first, second) = with_a_pending_device();
    let third = Device::new(3);
    world.submit(world.confirmed(&account, &second, &first)).unwrap();
    world.submit(world.added(&account, &third)).unwrap();
    let (one, other) = (world.confirmed(&account, &third, &first), world.confirmed(&account, &third, &second));
    world.submit(one).unwrap();
    assert_eq!(world.refusal(&other), "confirm.replayed");
}

/// Races: a confirmation may be signed again for the new head while its request is open.
#[test]
fn a_confirmation_that_lost_a_race_can_be_signed_again() {
    let (mut world, account, first, second) = with_a_pending_device();
    let late = world.confirmed(&account, &second, &first);
    world.submit(world.added(&account, &Device::new(3))).unwrap();
    assert_eq!(world.refusal(&late), "chain.conflict");
    world.submit(world.confirmed(&account, &second, &first)).unwrap();
    assert!(world.counts(&account, &second));
}

/// DEV-5: to the second.
#[test]
fn a_request_lapses_after_exactly_seven_days() {
    let (mut world, account, first, second) = with_a_pending_device();
    world.wait(7 * DAY_S - 1);
    assert!(world.judge(&world.confirmed(&account, &second, &first)).is_ok());
    world.wait(1);
    assert_eq!(world.refusal(&world.confirmed(&account, &second, &first)), "confirm.replayed");
    assert_eq!(world.refusal(&world.refused(&account, &second, &first)), "confirm.replayed");
    // nobody refused it: the same device may ask again, under a new number
    world.submit(world.added(&account, &second)).unwrap();
    assert_eq!(world.set(&account).pending()[&second.id()].request, 2);
    world.submit(world.confirmed(&account, &second, &first)).unwrap();
}

/// DEV-5, attack 3: an answer to the lapsed request does not serve for the one that the same device opened later.
#[test]
fn an_answer_to_a_lapsed_request_does_not_fit_the_next_one() {
    let (mut world, account, first, second) = with_a_pending_device();
    let recorded = world.confirmed(&account, &second, &first);
    world.wait(7 * DAY_S);
    world.submit(world.added(&account, &second)).unwrap();
    assert_eq!(world.refusal(&recorded), "confirm.replayed");
    let here = changed(&world, &world.confirmed(&account, &second, &first), &first, |it| {
        it.request = 1;
    });
    assert_eq!(world.refusal(&here), "confirm.replayed");
}
