//! How often the service is asked for what it cannot give.

use client::step::{Command, Event};
use scenarios::town::{Town, Who};

/// How often a device asked for a path that contains this.
fn asked(town: &Town, who: Who, path: &str) -> usize {
    town.asked.iter().filter(|(by, asked)| *by == who && asked.contains(path)).count()
}

/// Attack 57. A device that has just been confirmed and then went away has put no key packages at the service. Whoever
/// writes to its account has to wait for them; he must not ask as fast as the network answers.
#[test]
fn who_waits_for_a_devices_keys_asks_less_and_less_often() {
    let mut town = Town::new();
    let (alice, bob) = (town.sign_up("alice"), town.sign_up("bob"));
    town.send(alice, "bob", "first");
    let desktop = town.device();
    let events = town.wish(desktop, Command::LogIn(Town::joining("bob")));
    let code = events.iter().rev().find_map(|event| match event {
        Event::Code { code, .. } => Some(code.clone()),
        _ => None,
    });
    let (device, code) = (town.id(desktop), code.unwrap());
    town.set_online(desktop, false);
    town.wish(bob, Command::Confirm { device, code, history: false });

    town.command(alice, Command::Send { to: "bob".to_owned(), text: "to both".to_owned() });
    town.pass_ms(300_000);
    assert_eq!(town.texts(bob, None), ["first"], "it waits for the other device");
    let (claims, looks) = (asked(&town, alice, "/claim"), asked(&town, alice, "/accounts/"));
    assert!((5..25).contains(&claims), "{claims} claims in five minutes");
    assert!(looks < 60, "{looks} looks into the record in five minutes");

    town.set_online(desktop, true);
    town.pass_ms(60_000);
    assert_eq!(town.texts(bob, None), ["first", "to both"]);
    assert_eq!(town.texts(desktop, None), ["to both"]);
}
