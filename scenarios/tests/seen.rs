//! When the devices of an account were last at the service, as they are told. Rule SEE-1; lesson 19, story 3.

use client::query::{self, LastSeen, Phase};
use client::step::{Answer, Command, Event};
use protocol::api::accounts::{DEVICES_SEEN, DevicesSeen};
use scenarios::town::{Town, Who};

const HOUR_MS: u64 = 3_600_000;

/// What one device knows of when another was seen.
fn seen(town: &Town, who: Who, of: Who) -> Option<LastSeen> {
    let device = town.id(of);
    town.read(who, query::devices).into_iter().find(|row| row.device == device).and_then(|row| row.seen)
}

fn is_told(events: &[Event]) -> bool {
    events.iter().any(|event| matches!(event, Event::Seen { is_news: true }))
}

/// SEE-1: two devices of one account, one of them off for hours.
#[test]
fn a_device_that_was_off_is_shown_with_the_minute_in_which_it_was_last_there() {
    let mut town = Town::new();
    let laptop = town.sign_up("bob");
    let desktop = town.add_device("bob", laptop, false);
    assert_eq!(seen(&town, laptop, desktop), None, "nobody has asked");
    town.set_online(desktop, false);
    let off_ms = town.now_ms();
    town.pass_ms(5 * HOUR_MS);
    assert!(is_told(&town.wish(laptop, Command::LookWhoIsHere)));
    let at_ms = seen(&town, laptop, desktop).unwrap().last_ms().unwrap();
    assert!(at_ms <= off_ms && off_ms - at_ms < 2 * 60_000, "{at_ms} of {off_ms}");
    assert_eq!(seen(&town, laptop, laptop).unwrap().last_ms(), Some(town.now_ms()));
    // asked again at once, nobody is bothered
    let asked = |town: &Town| town.asked.iter().filter(|(_, path)| path == DEVICES_SEEN).count();
    let before = asked(&town);
    assert!(!is_told(&town.wish(laptop, Command::LookWhoIsHere)));
    assert_eq!(asked(&town), before);
}

/// SEE-1, story 3: one that waits is told of those that could let it in, the hour and no more; and their names not at all.
#[test]
fn a_waiting_device_is_told_the_hour_and_no_names() {
    let mut town = Town::new();
    let laptop = town.sign_up("bob");
    let desktop = town.add_device("bob", laptop, false);
    town.set_online(desktop, false);
    let off_s = town.now_ms() / 1_000;
    town.pass_ms(4 * HOUR_MS);
    let phone = town.device();
    town.wish(phone, Command::LogIn(Town::joining("bob")));
    let events = town.wish(phone, Command::LookWhoIsHere);
    assert!(is_told(&events), "{events:?} {:?}", town.liar.answered.last());
    let at_s = seen(&town, phone, desktop).unwrap().at_s.unwrap();
    assert!(at_s.is_multiple_of(3_600) && at_s <= off_s && off_s - at_s < 3_600 + 60, "{at_s} of {off_s}");
    for row in town.read(phone, query::devices) {
        assert_eq!(row.name.is_some(), row.this, "{row:?}");
        assert_eq!(row.kind.is_some(), row.this, "{row:?}");
    }
    // let in, it does not take the hour for a minute
    let device = town.id(phone);
    let shown = town.events(phone).iter().rev().find_map(|event| match event {
        Event::Code { code, .. } => Some(code.clone()),
        _ => None,
    });
    let code = shown.unwrap();
    town.wish(laptop, Command::Confirm { device, code, history: false });
    assert_eq!(town.read(phone, |store| query::status(store, 0)).phase, Phase::Confirmed);
    assert_eq!(seen(&town, phone, desktop), None);
    assert!(is_told(&town.wish(phone, Command::LookWhoIsHere)));
    assert_ne!(seen(&town, phone, desktop).unwrap().at_s, Some(at_s));
}

/// SEE-1: it is the service's word: it may say anything, and nothing comes of it but what is shown, never a time to come and never
/// a device that the record does not have.
#[test]
fn whatever_the_service_says_of_it_changes_nothing_else() {
    let mut town = Town::new();
    let (laptop, alice) = (town.sign_up("bob"), town.sign_up("alice"));
    let desktop = town.add_device("bob", laptop, false);
    let (ours, foreign) = (town.id(desktop), town.id(alice));
    town.liar.change(DEVICES_SEEN, move |_, told: &mut DevicesSeen| {
        for it in &mut told.devices {
            it.at_s = Some(u64::MAX);
        }
        let mut more = told.devices[0].clone();
        more.device = foreign;
        told.devices.extend(vec![more; 10_000]);
        told.devices.retain(|it| it.device != ours || it.at_s.is_some());
    });
    assert!(is_told(&town.wish(laptop, Command::LookWhoIsHere)));
    let rows = town.read(laptop, query::devices);
    assert_eq!(rows.len(), 2);
    assert!(rows.iter().all(|row| row.seen.is_none_or(|it| it.last_ms().is_none_or(|at| at <= town.now_ms()))));
    // neither an answer that is none nor silence is waited for
    for lie in [Answer::Ok(b"{}".to_vec()), Answer::Ok(Vec::new()), Answer::Unreachable] {
        town.pass_ms(60_000);
        let answer = lie.clone();
        town.liar.stop();
        town.liar.answer_instead(move |_, call| (call.path == DEVICES_SEEN).then(|| answer.clone()));
        let events = town.wish(laptop, Command::LookWhoIsHere);
        assert!(events.iter().any(|event| matches!(event, Event::Seen { is_news: false })), "{lie:?}: {events:?}");
    }
    town.liar.stop();
    assert!(town.send(alice, "bob", "still there").iter().any(|event| matches!(event, Event::Done { .. })));
    assert_eq!(town.texts(desktop, None), ["still there"]);
}
