//! A waiting device says what it is called, before anybody types a digit, and all devices call it so afterwards. Rule
//! CNF-8; story 4.

use client::query::{self, DeviceRow};
use client::step::{Command, Joining};
use protocol::introduction::{DeviceKind, MAX_NAME};
use scenarios::town::{Town, Who};

fn called(name: &str) -> Joining {
    Joining { device_name: name.to_owned(), device_kind: DeviceKind::Bsd, ..Town::joining("bob") }
}

/// Somebody who logged in to Bob's account on a device that is called so.
fn waiting(town: &mut Town, name: &str) -> Who {
    let who = town.device();
    town.wish(who, Command::LogIn(called(name)));
    who
}

fn row(town: &Town, who: Who, of: Who) -> DeviceRow {
    let device = town.id(of);
    town.read(who, query::devices).into_iter().find(|row| row.device == device).unwrap()
}

fn names(town: &Town, who: Who) -> Vec<String> {
    town.read(who, query::devices).into_iter().map(|row| row.name.unwrap_or_default()).collect()
}

fn confirm(town: &mut Town, older: Who, new: Who) {
    let (device, code) = (town.id(new), town.read(new, query::code).unwrap().0);
    town.wish(older, Command::Confirm { device, code, history: false });
}

/// CNF-8: the name is there with the request, on every device of the account, and no word of it is the record's.
#[test]
fn a_waiting_device_says_its_name_to_every_device_that_could_let_it_in() {
    let mut town = Town::new();
    let laptop = town.sign_up("bob");
    let tablet = town.add_device("bob", laptop, false);
    let desktop = waiting(&mut town, "Bob's desktop");
    for who in [laptop, tablet] {
        let row = row(&town, who, desktop);
        assert_eq!((row.state, row.name.as_deref()), ("pending", Some("Bob's desktop")), "{who:?}");
        assert_eq!(row.kind, Some(DeviceKind::Bsd));
    }
    let found = town.entries("bob").iter().any(|entry| entry.windows(7).any(|part| part == b"desktop"));
    assert!(!found, "decision: no name of a device is in the record");
}

/// CNF-8: whoever lets it in calls it so on all devices, also while the new one is off.
#[test]
fn a_device_that_was_let_in_has_its_name_everywhere_at_once() {
    let mut town = Town::new();
    let laptop = town.sign_up("bob");
    let tablet = town.add_device("bob", laptop, false);
    let desktop = waiting(&mut town, "Bob's desktop");
    town.set_online(tablet, false);
    town.pass_ms(20_000);
    let device = town.id(desktop);
    town.wish(laptop, Command::OpenRequest { device });
    let code = town.read(desktop, query::code).unwrap().0;
    town.set_online(desktop, false);
    town.wish(laptop, Command::Confirm { device, code, history: false });
    town.set_online(tablet, true);
    town.pass_ms(60_000);
    for who in [laptop, tablet] {
        let row = row(&town, who, desktop);
        let told = (row.state, row.name.as_deref(), row.kind);
        assert_eq!(told, ("confirmed", Some("Bob's desktop"), Some(DeviceKind::Bsd)), "{who:?}");
    }
    town.set_online(desktop, true);
    town.settle();
    for who in [laptop, tablet, desktop] {
        assert_eq!(names(&town, who), ["bob's device", "bob's device", "Bob's desktop"]);
        assert_eq!(row(&town, who, laptop).kind, Some(DeviceKind::Linux));
    }
}

/// CNF-8: what a person calls a device stands above what it calls itself, whichever was written later.
#[test]
fn a_name_that_a_person_gave_is_not_taken_back_by_the_device() {
    let mut town = Town::new();
    let laptop = town.sign_up("bob");
    let desktop = waiting(&mut town, "localhost");
    let (device, code) = (town.id(desktop), town.read(desktop, query::code).unwrap().0);
    town.set_online(desktop, false);
    town.wish(laptop, Command::Confirm { device, code, history: false });
    town.wish(laptop, Command::NameDevice { device, name: "the old one".to_owned() });
    town.pass_ms(60_000);
    town.set_online(desktop, true);
    town.settle();
    town.restart(desktop);
    town.pass_ms(60_000);
    for who in [laptop, desktop] {
        assert_eq!(row(&town, who, desktop).name.as_deref(), Some("the old one"), "{who:?}");
    }
}

/// CNF-8: a name of any length comes, as much of it as there is room for; none is none, and stops nothing.
#[test]
fn long_names_and_no_name_stop_nothing() {
    for (name, told) in [("x".repeat(500), Some("x".repeat(MAX_NAME))), (String::new(), None)] {
        let mut town = Town::new();
        let laptop = town.sign_up("bob");
        let desktop = waiting(&mut town, &name);
        let before = row(&town, laptop, desktop);
        assert_eq!((before.name, before.kind), (told.clone(), Some(DeviceKind::Bsd)));
        confirm(&mut town, laptop, desktop);
        assert_eq!((row(&town, laptop, desktop).state, row(&town, laptop, desktop).name), ("confirmed", told));
    }
}

/// CNF-8: killed at any moment, the new device still says the same.
#[test]
fn a_name_survives_a_kill_of_either_side() {
    for kill_at in 0..12 {
        let mut town = Town::new();
        let laptop = town.sign_up("bob");
        let desktop = town.device();
        town.command(desktop, Command::LogIn(called("Bob's desktop")));
        while town.read(desktop, query::code).is_none() {
            assert!(town.exchange(), "no digits");
        }
        for _ in 0..kill_at {
            town.exchange();
        }
        town.restart(desktop);
        town.restart(laptop);
        town.pass_ms(20_000);
        assert_eq!(row(&town, laptop, desktop).name.as_deref(), Some("Bob's desktop"), "killed after {kill_at}");
    }
}
