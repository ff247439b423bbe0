//! A device that was off for longer than the service keeps messages (story 16; HIS-5).

use chain::sigchain::entry::Statement;
use client::query;
use client::step::{Call, Command, Event};
use protocol::api::ENTRIES;
use scenarios::people::Device;
use scenarios::town::{Town, Who};

const DAY_MS: u64 = 24 * 3_600_000;

/// The log goes on, and everybody who is on looks now and then.
fn sleep(town: &mut Town, days: u64) {
    for _ in 0..days {
        let stranger = Device::new();
        let opening: Statement = stranger.opening(None);
        let proposal = stranger.sign(opening, "town.example/log");
        town.ask(&Call { path: format!("{ENTRIES}?wait=quorum"), body: Some(proposal), bearer: None });
        town.pass_ms(DAY_MS);
    }
}

fn wake(town: &mut Town, who: Who) {
    town.set_online(who, true);
    town.settle();
    for _ in 0..5 {
        town.pass_ms(61_000);
    }
}

fn is_done(events: &[Event]) -> bool {
    events.iter().any(|event| matches!(event, Event::Done { .. }))
}

fn notices(town: &Town, who: Who) -> Vec<String> {
    town.read(who, query::notices).into_iter().map(|row| row.code).collect()
}

/// Bob's desktop, let in without old messages, is off for 70 days, in which people write, come and go.
fn away() -> (Town, Who, Who, Who) {
    let mut town = Town::new();
    let (alice, laptop) = (town.sign_up("alice"), town.sign_up("bob"));
    town.send(alice, "bob", "long ago");
    town.pass_ms(DAY_MS);
    let desktop = town.add_device("bob", laptop, false);
    town.send(alice, "bob", "to both");
    town.set_online(desktop, false);
    town.send(alice, "bob", "missed 1");
    town.add_device("alice", alice, false);
    town.send(laptop, "alice", "missed 2");
    let carol = town.sign_up("carol");
    town.send(carol, "bob", "missed 3");
    let with = vec!["bob".to_owned(), "carol".to_owned()];
    town.wish(alice, Command::NewChat { title: "trip".to_owned(), with });
    town.send(alice, "trip", "missed 4");
    sleep(&mut town, 70);
    town.send(alice, "bob", "just now");
    (town, alice, laptop, desktop)
}

fn texts(town: &Town, who: Who) -> Vec<String> {
    town.texts(who, None)
}

#[test]
fn a_device_that_was_off_for_70_days_gets_what_it_missed_from_the_others() {
    let (mut town, alice, laptop, desktop) = away();
    wake(&mut town, desktop);
    assert!(notices(&town, desktop).contains(&"device.away".to_owned()));
    let all = texts(&town, laptop);
    assert_eq!(all.len(), 7, "{all:?}");
    // what was sent before it came in is what its person has not agreed to
    assert_eq!(texts(&town, desktop), all[1..]);
    let row = town.read(desktop, query::history).unwrap();
    assert!(row.complete, "{row:?}");
    // and it takes part as before
    assert!(is_done(&town.send(desktop, "alice", "here again")));
    assert_eq!(texts(&town, alice).last().map(String::as_str), Some("here again"));
    let trip = town.read(desktop, query::conversations).into_iter().find(|row| !row.pair && !row.own).unwrap();
    assert!(is_done(&town.send(desktop, &trip.group.to_string(), "in the group too")));
    assert_eq!(texts(&town, laptop).last().map(String::as_str), Some("in the group too"));
    let unreadable = |row: &query::MessageRow| row.state == query::MessageState::Unreadable;
    assert!(!town.read(desktop, |store| query::messages(store, None, 100)).iter().any(unreadable));
}

/// HIS-2: it waits for a device that is on, and goes on by itself.
#[test]
fn what_was_missed_waits_until_another_device_is_on() {
    let (mut town, _, laptop, desktop) = away();
    town.set_online(laptop, false);
    wake(&mut town, desktop);
    assert!(!texts(&town, desktop).contains(&"missed 1".to_owned()));
    assert!(!town.read(desktop, query::history).unwrap().complete);
    wake(&mut town, laptop);
    for _ in 0..12 {
        town.pass_ms(61_000);
    }
    assert_eq!(texts(&town, desktop), texts(&town, laptop)[1..]);
}

/// The first device of an account can have been away as well.
#[test]
fn an_accounts_first_device_gets_what_it_missed_too() {
    let mut town = Town::new();
    let (alice, laptop) = (town.sign_up("alice"), town.sign_up("bob"));
    let desktop = town.add_device("bob", laptop, false);
    town.send(alice, "bob", "before");
    town.set_online(laptop, false);
    town.send(alice, "bob", "missed");
    town.send(desktop, "alice", "an answer");
    sleep(&mut town, 70);
    wake(&mut town, laptop);
    assert_eq!(texts(&town, laptop), ["before", "missed", "an answer"]);
    assert_eq!(texts(&town, laptop), texts(&town, desktop));
}

/// Nobody is asked for anything after a short absence: the service has it all.
#[test]
fn a_week_away_is_no_gap() {
    let mut town = Town::new();
    let (alice, laptop) = (town.sign_up("alice"), town.sign_up("bob"));
    let desktop = town.add_device("bob", laptop, false);
    town.set_online(desktop, false);
    town.send(alice, "bob", "while you were out");
    sleep(&mut town, 7);
    wake(&mut town, desktop);
    assert_eq!(texts(&town, desktop), ["while you were out"]);
    assert!(!notices(&town, desktop).contains(&"device.away".to_owned()));
}
