//! What a person is told of although he does not look: what is new, unread, of others, and where it makes a sound.

use chain::id::AccountId;
use client::query;
use client::step::{Arrangement, Command};
use protocol::people::Decision;
use scenarios::town::{Town, Who};

fn arrange(town: &mut Town, who: Who, chat: &str, arrangement: Arrangement) {
    town.wish(who, Command::Arrange { chat: chat.to_owned(), arrangement });
}

fn read(town: &mut Town, who: Who, with: &str) {
    town.wish(who, Command::MarkRead { with: with.to_owned() });
}

fn account(town: &Town, who: Who) -> AccountId {
    town.read(who, |store| query::status(store, 0)).account.unwrap()
}

fn two() -> (Town, Who, Who) {
    let mut town = Town::new();
    let (alice, bob) = (town.sign_up("alice"), town.sign_up("bob"));
    town.send(alice, "bob", "hello");
    (town, alice, bob)
}

#[test]
fn what_others_write_is_told_until_it_was_read_on_any_device() {
    let (mut town, alice, bob) = two();
    let desktop = town.add_device("bob", bob, false);
    town.send(alice, "bob", "are you there?");
    assert_eq!(town.told(bob), ["hello", "are you there?"]);
    assert_eq!(town.told(desktop), ["are you there?"]);
    assert!(town.told(alice).is_empty(), "nobody is told what he wrote himself");
    read(&mut town, desktop, "alice");
    for device in [bob, desktop] {
        assert!(town.told(device).is_empty());
    }
    // what one's other device wrote is no news, and whoever writes has read what stands before
    town.send(alice, "bob", "and now?");
    town.send(bob, "alice", "now, yes");
    assert!(town.told(desktop).is_empty() && town.told(bob).is_empty());
}

#[test]
fn a_request_and_whoever_is_blocked_make_no_sound() {
    let mut town = Town::new();
    let (bob, eve) = (town.stranger("bob"), town.stranger("eve"));
    town.send(eve, "bob", "you have won");
    assert!(town.told(bob).is_empty());
    let stranger = account(&town, eve);
    town.wish(bob, Command::Decide { account: stranger, decision: Decision::Accepted });
    town.send(eve, "bob", "thank you");
    assert!(town.told(bob).contains(&"thank you".to_owned()));
    town.wish(bob, Command::Decide { account: stranger, decision: Decision::Blocked });
    town.send(eve, "bob", "why?");
    assert!(town.told(bob).is_empty());
}

#[test]
fn a_muted_conversation_is_silent_for_as_long_as_it_is_muted() {
    let (mut town, alice, bob) = two();
    let until_ms = Some(town.now_ms() + 60_000);
    arrange(&mut town, bob, "alice", Arrangement::Muted { until_ms });
    town.send(alice, "bob", "psst");
    assert!(town.told(bob).is_empty());
    town.pass_ms(61_000);
    town.send(alice, "bob", "hey");
    assert!(town.told(bob).contains(&"hey".to_owned()));
}

#[test]
fn what_was_put_away_makes_no_sound_until_somebody_has_looked_at_it() {
    let (mut town, alice, bob) = two();
    read(&mut town, bob, "alice");
    arrange(&mut town, bob, "alice", Arrangement::Archived(true));
    town.send(alice, "bob", "still there?");
    assert!(town.told(bob).is_empty());
    read(&mut town, bob, "alice");
    town.send(alice, "bob", "good to see you");
    assert_eq!(town.told(bob), ["good to see you"]);
}

#[test]
fn changes_reactions_and_old_messages_are_no_news() {
    let (mut town, alice, bob) = two();
    read(&mut town, bob, "alice");
    let message = town.messages(alice).pop().unwrap().message.to_string();
    town.wish(alice, Command::Edit { message: message.clone(), text: "hello!".to_owned() });
    town.wish(alice, Command::React { message, reaction: "+".to_owned(), remove: false });
    town.wish(alice, Command::SetTimer { chat: "bob".to_owned(), seconds: 3_600 });
    assert!(town.told(bob).is_empty());
    let desktop = town.add_device("bob", bob, true);
    town.pass_ms(60_000);
    assert!(town.texts(desktop, None).contains(&"hello!".to_owned()), "it has the old messages");
    assert!(town.told(desktop).is_empty());
}

#[test]
fn what_was_taken_back_or_is_gone_is_told_no_more() {
    let (mut town, alice, bob) = two();
    town.send(alice, "bob", "regretted");
    let message = town.messages(alice).pop().unwrap().message.to_string();
    town.wish(alice, Command::Delete { message });
    assert_eq!(town.told(bob), ["hello"]);
}

#[test]
fn nobody_is_told_of_a_conversation_that_he_has_left() {
    let mut town = Town::new();
    let (alice, bob) = (town.sign_up("alice"), town.sign_up("bob"));
    town.sign_up("carol");
    let with = vec!["bob".to_owned(), "carol".to_owned()];
    town.wish(alice, Command::NewChat { title: "Three".to_owned(), with });
    town.send(alice, "Three", "welcome");
    assert_eq!(town.told(bob), ["welcome"]);
    town.wish(bob, Command::LeaveChat { chat: "Three".to_owned() });
    assert!(town.told(bob).is_empty());
}

/// A device that slept gets what came meanwhile as one step after the other; what is told is only what is unread then.
#[test]
fn after_a_long_sleep_only_what_nobody_has_read_is_told() {
    let (mut town, alice, bob) = two();
    let desktop = town.add_device("bob", bob, false);
    town.set_online(desktop, false);
    for number in 0..20 {
        town.send(alice, "bob", &format!("message {number}"));
    }
    read(&mut town, bob, "alice");
    town.send(alice, "bob", "the last one");
    town.set_online(desktop, true);
    town.settle();
    assert_eq!(town.told(desktop), ["the last one"]);
}
