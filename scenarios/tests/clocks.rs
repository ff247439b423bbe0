//! Clocks that are wrong.

use client::step::{Command, Event};
use scenarios::town::Town;

const HOUR_MS: i64 = 3_600_000;

/// A clock an hour wrong, either way, on any device: nobody is locked out, nothing is lost, and the order is the service's.
#[test]
fn a_clock_that_is_an_hour_wrong_stops_nobody() {
    for skew_ms in [HOUR_MS, -HOUR_MS] {
        let mut town = Town::new();
        let bob = town.sign_up("bob");
        let laptop = town.device();
        town.set_skew_ms(laptop, skew_ms);
        let events = town.wish(laptop, Command::SignUp(Town::joining("alice")));
        assert!(events.iter().any(|event| matches!(event, Event::SignedUp { .. })), "{skew_ms}: {events:?}");
        town.send(bob, "alice", "one");
        let desktop = town.add_device("alice", laptop, true);
        town.set_skew_ms(desktop, -skew_ms);
        town.pass_ms(120_000);
        town.send(desktop, "bob", "two");
        town.send(laptop, "bob", "three");
        town.send(bob, "alice", "four");
        town.pass_ms(120_000);
        for who in [bob, laptop, desktop] {
            assert_eq!(town.texts(who, None), ["one", "two", "three", "four"], "{skew_ms}");
        }
    }
}
