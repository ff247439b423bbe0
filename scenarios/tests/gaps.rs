//! A message that somebody drops on its way leaves a hole that can be seen, and comes after all (attack 39).

use client::query::{self, MessageState};
use client::step::Command;
use scenarios::town::{Town, Who};

fn rows(town: &Town, who: Who) -> Vec<(String, MessageState)> {
    let rows = town.read(who, |store| query::messages(store, None, 100));
    rows.into_iter().map(|row| (row.text, row.state)).collect()
}

/// SND-3, attack 39: the hole stands in its place while the writer is away, and is filled when he is back, with nobody's doing.
#[test]
fn a_message_that_never_came_is_seen_missing_and_comes_again() {
    let mut town = Town::new();
    let (alice, bob) = (town.sign_up("alice"), town.sign_up("bob"));
    town.send(alice, "bob", "one");
    town.robbed = Some(bob);
    town.send(alice, "bob", "two");
    assert_eq!(town.texts(bob, None), ["one"]);

    // the service gives him the third, but not to her that he lacks the second
    town.command(alice, Command::Send { to: "bob".to_owned(), text: "three".to_owned() });
    for _ in 0..3 {
        town.exchange();
    }
    town.set_online(alice, false);
    town.settle();
    let states: Vec<_> = rows(&town, bob).into_iter().map(|(_, state)| state).collect();
    assert_eq!(states, [MessageState::Received, MessageState::Unreadable, MessageState::Received]);

    town.set_online(alice, true);
    town.settle();
    let received = |text: &str| (text.to_owned(), MessageState::Received);
    assert_eq!(rows(&town, bob), [received("one"), received("two"), received("three")]);
}

/// What was written before a device came in is no hole, and neither is what nobody is shown.
#[test]
fn a_device_that_comes_later_misses_nothing_that_was_not_for_it() {
    let mut town = Town::new();
    let (alice, bob) = (town.sign_up("alice"), town.sign_up("bob"));
    town.send(alice, "bob", "one");
    town.send(bob, "alice", "two");
    let phone = town.add_device("bob", bob, false);
    town.send(alice, "bob", "three");
    town.send(alice, "bob", "four");
    let received = |text: &str| (text.to_owned(), MessageState::Received);
    assert_eq!(rows(&town, phone), [received("three"), received("four")]);
    assert!(rows(&town, bob).iter().all(|(_, state)| *state != MessageState::Unreadable));
}
