//! The recovery key: all devices lost and the words kept (story 11). Rules REC-1 to REC-3; attacks 10, 14.

use chain::id::PublicKey;
use client::query::{self, Phase};
use client::step::{Blame, Command, Event, Failure, Secret};
use protocol::recovery::{RANDOM, RecoveryKey, WORDS};
use scenarios::town::{Town, Weather, Who};
use zeroize::Zeroizing;

fn key(seed: u8) -> RecoveryKey {
    RecoveryKey::new(&Zeroizing::new([seed; RANDOM]))
}

fn words(key: &RecoveryKey) -> String {
    key.words().collect::<Vec<_>>().join(" ")
}

fn set(town: &mut Town, who: Who, key: Option<&RecoveryKey>) -> Vec<Event> {
    let key = key.map(|key| PublicKey::from(&key.signing_key()));
    town.wish(who, Command::SetRecoveryKey { key })
}

fn recover(words: &str) -> Command {
    Command::Recover { words: Secret(words.to_owned().into()) }
}

/// A device that waits to be let in.
fn waiting(town: &mut Town, handle: &str) -> Who {
    let who = town.device();
    town.wish(who, Command::LogIn(Town::joining(handle)));
    assert_eq!(phase(town, who), Phase::Pending);
    who
}

fn phase(town: &Town, who: Who) -> Phase {
    town.read(who, |store| query::status(store, town.now_ms())).phase
}

fn notices(town: &Town, who: Who) -> Vec<String> {
    town.read(who, query::notices).into_iter().map(|row| row.code).collect()
}

fn failure(events: &[Event]) -> Failure {
    let failures: Vec<_> = events
        .iter()
        .filter_map(|event| match event {
            Event::Failed { failure, .. } => Some(failure.clone()),
            _ => None,
        })
        .collect();
    assert_eq!(failures.len(), 1, "{events:?}");
    failures[0].clone()
}

fn is_done(events: &[Event]) -> bool {
    events.iter().any(|event| matches!(event, Event::Done { .. }))
}

/// Story 11: same account, contacts see an added device and no alarm; the lost ones can be taken out at once.
#[test]
fn all_devices_lost_and_the_recovery_key_kept() {
    let mut town = Town::new();
    let (alice, laptop) = (town.sign_up("alice"), town.sign_up("bob"));
    let desktop = town.add_device("bob", laptop, false);
    town.send(alice, "bob", "before");
    let paper = key(1);
    assert!(is_done(&set(&mut town, laptop, Some(&paper))));
    assert_eq!(notices(&town, desktop).last().map(String::as_str), Some("recovery.set"));
    assert!(!notices(&town, laptop).contains(&"recovery.set".to_owned()), "whoever made it knows");
    let account = town.read(laptop, |store| query::status(store, 0)).account;
    let lost = [town.id(laptop), town.id(desktop)];
    [laptop, desktop].into_iter().for_each(|who| town.set_online(who, false));

    let phone = waiting(&mut town, "bob");
    assert!(town.read(phone, query::has_recovery_key), "the waiting screen shows only the ways that there are");
    let events = town.wish(phone, recover(&words(&paper)));
    assert!(is_done(&events) && events.iter().any(|it| matches!(it, Event::Confirmed { by_device: None, .. })));
    assert_eq!(phase(&town, phone), Phase::Confirmed);
    assert_eq!(town.read(phone, |store| query::status(store, 0)).account, account);
    let row = town.read(phone, query::devices).into_iter().find(|row| row.this).unwrap();
    assert!(row.recovered && row.confirmed_by.is_none());

    // alice needs to do nothing, and nobody else is let in
    town.send(alice, "bob", "after");
    assert_eq!(town.texts(phone, None), ["after"]);
    // DEV-8: who came in by the recovery key is not too young to throw out a thief
    for device in lost {
        assert!(is_done(&town.wish(phone, Command::Remove { device })));
    }
    town.send(alice, "bob", "to the phone alone");
    town.pass_ms(61_000);
    [laptop, desktop].into_iter().for_each(|who| town.set_online(who, true));
    town.settle();
    for who in [laptop, desktop] {
        assert_eq!(phase(&town, who), Phase::Ended);
        assert!(!town.texts(who, None).contains(&"to the phone alone".to_owned()));
    }
}

/// A living device is told of whoever came in by the recovery key, and can take it out: the key may have been stolen.
#[test]
fn a_living_device_is_told_who_came_in_by_the_recovery_key() {
    let mut town = Town::new();
    let laptop = town.sign_up("bob");
    let paper = key(2);
    set(&mut town, laptop, Some(&paper));
    let thief = waiting(&mut town, "bob");
    town.wish(thief, recover(&words(&paper)));
    let told = town.read(laptop, query::notices).pop().unwrap();
    assert_eq!((told.code.as_str(), told.device, told.by_device), ("device.confirmed", Some(town.id(thief)), None));
    let device = town.id(thief);
    assert!(is_done(&town.wish(laptop, Command::Remove { device })));
}

/// Each with its own sentence, and nothing is lost: the device still waits, and may yet be let in.
#[test]
fn what_is_no_key_of_this_account_lets_nobody_in() {
    let mut town = Town::new();
    let laptop = town.sign_up("bob");
    let phone = waiting(&mut town, "bob");
    let none = failure(&town.wish(phone, recover(&words(&key(3)))));
    assert_eq!((none.code.as_str(), none.blame), ("recovery.none", Blame::Refused));
    let (old, new) = (key(3), key(4));
    set(&mut town, laptop, Some(&old));
    set(&mut town, laptop, Some(&new));
    town.pass_ms(11_000);
    town.settle();
    for stranger in [&old, &key(5)] {
        let wrong = failure(&town.wish(phone, recover(&words(stranger))));
        assert_eq!((wrong.code.as_str(), wrong.blame), ("recovery.wrong", Blame::Refused));
    }
    let mut typed: Vec<_> = new.words().collect();
    let right = typed[6];
    typed[6] = if right == "zoo" { "zone" } else { "zoo" };
    let mistyped = failure(&town.wish(phone, recover(&typed.join(" "))));
    assert_eq!((mistyped.code.as_str(), mistyped.blame), ("recovery.mistyped", Blame::Misuse));
    assert!(mistyped.message.contains("word 7") && mistyped.message.contains(right), "{}", mistyped.message);
    assert!(failure(&town.wish(phone, recover("abandon"))).message.contains(&WORDS.to_string()));
    assert_eq!(phase(&town, phone), Phase::Pending);
    assert!(is_done(&town.wish(phone, recover(&words(&new)))));
    assert_eq!(phase(&town, phone), Phase::Confirmed);
}

/// REC-1: a key that was replaced or dropped is good for nothing.
#[test]
fn a_dropped_recovery_key_lets_nobody_in() {
    let mut town = Town::new();
    let laptop = town.sign_up("bob");
    set(&mut town, laptop, Some(&key(6)));
    assert!(is_done(&set(&mut town, laptop, None)));
    assert!(!town.read(laptop, query::has_recovery_key));
    let phone = waiting(&mut town, "bob");
    assert_eq!(failure(&town.wish(phone, recover(&words(&key(6))))).code, "recovery.none");
}

/// Only where a device waits are the words of use: nobody types them on another machine (attack 62).
#[test]
fn the_words_are_taken_only_by_a_device_that_waits() {
    let mut town = Town::new();
    let laptop = town.sign_up("bob");
    set(&mut town, laptop, Some(&key(7)));
    assert_eq!(failure(&town.wish(laptop, recover(&words(&key(7))))).code, "recovery.not_waiting");
    let phone = town.device();
    assert_eq!(failure(&town.wish(phone, recover(&words(&key(7))))).code, "recovery.not_waiting");
    let waits = waiting(&mut town, "bob");
    let key = Some(PublicKey::from(&key(8).signing_key()));
    assert_eq!(failure(&town.wish(waits, Command::SetRecoveryKey { key })).code, "device.unconfirmed");
}

/// Lost answers and restarts: the entry is kept before it is sent, and the words are on no disk.
#[test]
fn a_recovery_survives_lost_answers_and_a_restart() {
    let mut town = Town::new();
    let laptop = town.sign_up("bob");
    let paper = key(9);
    set(&mut town, laptop, Some(&paper));
    let phone = waiting(&mut town, "bob");
    town.weather = Weather::AnswersLost;
    town.command(phone, recover(&words(&paper)));
    town.exchange();
    town.restart(phone);
    town.settle();
    assert_eq!(phase(&town, phone), Phase::Pending);
    town.weather = Weather::Fine;
    town.pass_ms(61_000);
    town.settle();
    assert_eq!(phase(&town, phone), Phase::Confirmed);
    let confirmations = town.read(phone, query::devices).into_iter().filter(|row| row.recovered).count();
    assert_eq!(confirmations, 1);
}

/// Somebody else changed the account while the signed entry was on its way and the program ended: the words are on no
/// disk, so they are asked for again.
#[test]
fn a_restart_forgets_the_words() {
    let mut town = Town::new();
    let laptop = town.sign_up("bob");
    let paper = key(10);
    set(&mut town, laptop, Some(&paper));
    let (phone, tablet) = (waiting(&mut town, "bob"), waiting(&mut town, "bob"));
    town.set_online(phone, false);
    let intent = town.command(phone, recover(&words(&paper))).unwrap();
    town.restart(phone);
    let device = town.id(tablet);
    assert!(is_done(&town.wish(laptop, Command::Refuse { device })));
    town.set_online(phone, true);
    town.pass_ms(61_000);
    town.settle();
    let interrupted = |event: &Event| matches!(event, Event::Failed { intent: it, failure } if *it == intent && failure.code == "recovery.interrupted");
    assert!(town.events(phone).iter().any(interrupted), "{:?}", town.events(phone));
    assert!(is_done(&town.wish(phone, recover(&words(&paper)))));
    assert_eq!(phase(&town, phone), Phase::Confirmed);
}
