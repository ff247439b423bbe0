//! RST-1 to RST-4, RST-6, RST-7: starting again, in public, late, and only if nobody objects.

use super::world::{Device, World};
use crate::audit::BlockBroken;
use crate::id::{AccountId, Digest};
use crate::sigchain::body::{Body, Predecessor, ResetChoice};
use crate::sigchain::broken::RuleBroken;
use crate::sigchain::device_set::AccountState;
use crate::sigchain::entry::{Entry, Statement};
use crate::sigchain::reset::check_succession;
use crate::sigchain::rules::{DAY_S, HOUR_S};

/// An account with an announced reset: the opening of its successor, and the successor's device.
fn announced() -> (World, AccountId, Device, Entry) {
    let (mut world, account, first) = World::with_account();
    let successor = world.successor(&account, &Device::new(60), None);
    world.submit(world.announced(&account, &successor, &Device::new(60))).unwrap();
    (world, account, first, successor)
}

fn refused_in_a_block(world: &World, mut entries: Vec<Entry>) -> &'static str {
    entries.sort_by_key(|entry| entry.statement.position.account);
    world.judge_block(&entries).expect_err("the block is refused").code()
}

/// RST-4, RST-6: notice, time, no veto, and both sides in one block.
#[test]
fn a_reset_ends_the_old_identity_and_opens_the_next() {
    let (mut world, account, first, successor) = announced();
    world.wait(72 * HOUR_S);
    world.seal(vec![world.reset(&account, &successor), successor.clone()]).unwrap();
    let new = successor.statement.position.account;
    assert!(world.set(&account).confirmed().is_empty() && !world.counts(&account, &first));
    assert!(matches!(world.set(&account).state(), AccountState::ResetTo { successor, .. } if *successor == new));
    assert_eq!((world.set(&new).generation(), world.set(&new).sequence()), (2, 0));
    assert!(world.counts(&new, &Device::new(60)));
    assert_eq!(check_succession(world.set(&account), &successor.statement), Ok(()));
}

/// ENT-5, RST-6: after a reset nothing follows, and nobody is left to sign it.
#[test]
fn an_account_that_was_reset_takes_nothing() {
    let (mut world, account, first, successor) = announced();
    world.wait(72 * HOUR_S);
    world.submit(world.reset(&account, &successor)).unwrap();
    assert_eq!(world.refusal(&world.choice_set(&account, ResetChoice::Never, &first)), "account.gone");
    assert_eq!(world.refusal(&world.added(&account, &Device::new(5))), "account.gone");
    assert_eq!(world.refusal(&world.reset(&account, &successor)), "account.gone");
    let set = world.set(&account);
    assert!(set.confirmed().is_empty() && set.pending().is_empty() && set.notice().is_none());
}

/// RST-4, attack 11: to the second, for each choice.
#[test]
fn a_reset_waits_as_long_as_the_account_chose() {
    let choices = [
        (ResetChoice::OneDay, 24 * HOUR_S),
        (ResetChoice::ThreeDays, 72 * HOUR_S),
        (ResetChoice::SevenDays, 7 * DAY_S),
    ];
    for (choice, wait_s) in choices {
        let (mut world, account, first) = World::with_account();
        world.submit(world.choice_set(&account, choice, &first)).unwrap();
        let successor = world.successor(&account, &Device::new(60), None);
        world.submit(world.announced(&account, &successor, &Device::new(60))).unwrap();
        world.wait(wait_s - 1);
        let (earliest_s, now_s) = (world.time_s + 1, world.time_s);
        let early = world.judge(&world.reset(&account, &successor)).unwrap_err();
        assert_eq!((early.code(), early), ("reset.too_early", RuleBroken::ResetTooEarly { earliest_s, now_s }));
        world.wait(1);
        assert!(world.judge(&world.reset(&account, &successor)).is_ok());
    }
}

/// RST-1: what holds for a notice is what was chosen when it was made.
#[test]
fn a_later_choice_does_not_shorten_an_open_notice() {
    let (mut world, account, first, successor) = announced();
    world.submit(world.choice_set(&account, ResetChoice::OneDay, &first)).unwrap();
    world.wait(24 * HOUR_S);
    assert_eq!(world.refusal(&world.reset(&account, &successor)), "reset.too_early");
}

/// RST-1.
#[test]
fn an_account_that_chose_never_is_never_reset() {
    let (mut world, account, first) = World::with_account();
    world.submit(world.choice_set(&account, ResetChoice::Never, &first)).unwrap();
    let successor = world.successor(&account, &Device::new(60), None);
    assert_eq!(world.refusal(&world.announced(&account, &successor, &Device::new(60))), "reset.never");
    world.submit(world.choice_set(&account, ResetChoice::OneDay, &first)).unwrap();
    let successor = world.successor(&account, &Device::new(60), None);
    assert!(world.judge(&world.announced(&account, &successor, &Device::new(60))).is_ok());
}

/// RST-2, attack 11.
#[test]
fn a_reset_without_a_notice_is_refused() {
    let (world, account, _) = World::with_account();
    let successor = world.successor(&account, &Device::new(60), None);
    let statement = world.reset(&account, &successor).statement;
    for request in [1, 2] {
        let entry = world.sign(Statement { request, ..statement.clone() }, &Device::new(60));
        assert_eq!(world.refusal(&entry), "reset.no_notice");
    }
}

/// RST-2: one at a time.
#[test]
fn a_second_notice_is_refused_while_one_is_open() {
    let (mut world, account, _, _) = announced();
    let other = world.successor(&account, &Device::new(61), None);
    assert_eq!(world.refusal(&world.announced(&account, &other, &Device::new(61))), "reset.open");
    world.wait(30 * DAY_S - 1);
    assert_eq!(world.refusal(&world.announced(&account, &other, &Device::new(61))), "reset.open");
}

/// RST-2: the next number, and keys that are new to the account.
#[test]
fn a_notice_needs_the_next_number_and_a_new_device() {
    let (mut world, account, first) = World::with_account();
    let gone = Device::new(2);
    world.join(&account, &gone, &first);
    world.submit(world.removed(&account, &[&gone], &first)).unwrap();
    for known in [&first, &gone] {
        let successor = world.successor(&account, known, None);
        assert_eq!(world.refusal(&world.announced(&account, &successor, known)), "device.known_key");
    }
    let successor = world.successor(&account, &Device::new(60), None);
    let good = world.announced(&account, &successor, &Device::new(60)).statement;
    for request in [1, 3] {
        let entry = world.sign(Statement { request, ..good.clone() }, &Device::new(60));
        assert_eq!(world.refusal(&entry), "entry.request");
    }
    assert_eq!(good.request, 2);
}

/// RST-2.
#[test]
fn a_reset_to_another_identity_than_announced_is_refused() {
    let (mut world, account, _, _) = announced();
    let other = world.successor(&account, &Device::new(61), None);
    world.wait(72 * HOUR_S);
    assert_eq!(world.refusal(&world.reset(&account, &other)), "reset.successor");
    let mut statement = world.reset(&account, &other).statement;
    statement.request = 2;
    assert_eq!(world.refusal(&world.sign(statement, &Device::new(61))), "reset.no_notice");
}

/// RST-3, attack 11: any confirmed device, at any time until the reset is sealed.
#[test]
fn a_living_device_stops_a_reset_until_it_is_sealed() {
    let (mut world, account, first, successor) = announced();
    let young = Device::new(2);
    world.join(&account, &young, &first);
    world.wait(20 * DAY_S);
    for device in [&first, &young] {
        assert!(world.judge(&world.vetoed(&account, device)).is_ok());
    }
    let late = world.reset(&account, &successor);
    world.submit(world.vetoed(&account, &young)).unwrap();
    assert_eq!(world.refusal(&late), "chain.conflict");
    let mut again = world.reset(&account, &successor).statement;
    again.request = 1;
    assert_eq!(world.refusal(&world.sign(again, &Device::new(60))), "reset.no_notice");
    assert!(world.counts(&account, &first));
}

/// RST-3: and by nobody else; a veto is good for one notice only.
#[test]
fn a_veto_names_the_open_notice_and_is_signed_by_a_confirmed_device() {
    let (mut world, account, first, _) = announced();
    let good = world.vetoed(&account, &first);
    assert_eq!(world.refusal(&world.vetoed(&account, &Device::new(66))), "device.unconfirmed");
    let mut other = good.statement.clone();
    other.body = Body::ResetVetoed { notice: Digest::ZERO, signer: first.id() };
    assert_eq!(world.refusal(&world.sign(other, &first)), "reset.no_notice");
    let other = Statement { request: 2, ..good.statement.clone() };
    assert_eq!(world.refusal(&world.sign(other, &first)), "reset.no_notice");
    world.submit(good.clone()).unwrap();
    let again = world.set(&account).following(good.statement.body, world.checkpoint());
    assert_eq!(world.refusal(&world.sign(Statement { request: 1, ..again }, &first)), "reset.no_notice");
}

/// RST-2: to the second.
#[test]
fn after_a_veto_the_next_notice_waits_as_long_again() {
    let (mut world, account, first, _) = announced();
    world.wait(HOUR_S);
    world.submit(world.vetoed(&account, &first)).unwrap();
    assert_eq!(world.set(&account).vetoed_at_s(), Some(world.time_s));
    world.wait(72 * HOUR_S - 1);
    let successor = world.successor(&account, &Device::new(61), None);
    let early = world.judge(&world.announced(&account, &successor, &Device::new(61))).unwrap_err();
    assert_eq!((early.code(), early), ("reset.too_soon", RuleBroken::ResetTooSoon { earliest_s: world.time_s + 1 }));
    world.wait(1);
    world.submit(world.announced(&account, &successor, &Device::new(61))).unwrap();
}

/// RST-7: to the second.
#[test]
fn a_notice_lapses_after_thirty_days() {
    let (mut world, account, first, successor) = announced();
    world.wait(30 * DAY_S - 1);
    assert!(world.judge(&world.reset(&account, &successor)).is_ok());
    assert!(world.judge(&world.vetoed(&account, &first)).is_ok());
    world.wait(1);
    assert_eq!(world.refusal(&world.reset(&account, &successor)), "reset.no_notice");
    assert_eq!(world.refusal(&world.vetoed(&account, &first)), "reset.no_notice");
    let next = world.successor(&account, &Device::new(61), None);
    world.submit(world.announced(&account, &next, &Device::new(61))).unwrap();
    assert_eq!(world.refusal(&world.reset(&account, &next)), "reset.too_early");
}

/// RST-4: both sides stand in one block, or neither.
#[test]
fn a_reset_and_its_successor_stand_in_one_block() {
    let (mut world, account, _, successor) = announced();
    world.wait(72 * HOUR_S);
    let end = world.reset(&account, &successor);
    assert_eq!(refused_in_a_block(&world, vec![end.clone()]), "reset.successor");
    assert_eq!(refused_in_a_block(&world, vec![successor.clone()]), "reset.successor");
    let alone = world.judge_block(std::slice::from_ref(&successor)).unwrap_err();
    assert!(matches!(alone, BlockBroken::Entry { reason: RuleBroken::Successor, .. }));
    let stranger = world.opening(&Device::new(80), None);
    assert_eq!(refused_in_a_block(&world, vec![end.clone(), stranger]), "reset.successor");
    assert!(world.seal(vec![end, successor]).is_ok());
}

/// RST-4: a successor made otherwise than the notice said, announced by a service that wants it so.
#[test]
fn a_successor_names_predecessor_head_and_the_next_generation() {
    let (world, account, _) = World::with_account();
    let device = Device::new(60);
    let good = world.successor(&account, &device, None).statement;
    let with = |generation: u32, names: Option<Predecessor>, first: &Device| {
        let mut body = good.body.clone();
        if let Body::AccountCreated { predecessor, device, .. } = &mut body {
            (*predecessor, *device) = (names, first.keys());
        }
        world.sign(Statement::opening(generation, good.checkpoint, body), first)
    };
    let head = world.set(&account).head();
    let names = Predecessor { account, head };
    let foreign = Predecessor { account: AccountId([5; 32]), head };
    let cases = [
        (with(2, Some(names), &device), None),
        (with(3, Some(names), &device), Some("entry.opening")),
        (with(1, None, &device), Some("reset.successor")),
        (with(2, Some(foreign), &device), Some("reset.successor")),
        (with(2, Some(Predecessor { account, head: Digest::ZERO }), &device), Some("reset.successor")),
        (with(2, Some(names), &Device::new(61)), Some("reset.successor")),
    ];
    for (successor, expected) in cases {
        let (mut world, account, _) = World::with_account();
        world.submit(world.announced(&account, &successor, &device)).unwrap();
        world.wait(72 * HOUR_S);
        let mut entries = vec![world.reset(&account, &successor), successor];
        entries.sort_by_key(|entry| entry.statement.position.account);
        assert_eq!(world.judge_block(&entries).err().map(|broken| broken.code()), expected);
    }
}

/// RST-4: an account that goes on has no successor.
#[test]
fn nothing_succeeds_an_account_that_goes_on() {
    let (world, account, _, successor) = announced();
    assert_eq!(check_succession(world.set(&account), &successor.statement), Err(RuleBroken::Successor));
}
