//! That somebody types. Rule MSG-12.

use client::query;
use client::step::Command;
use protocol::api::delivery::Passing;
use protocol::people::Decision;
use scenarios::town::{Town, Who};

/// Longer than it is shown after the last word.
const OVER_MS: u64 = 7_000;

fn types(town: &mut Town, who: Who, chat: &str) {
    town.command(who, Command::Typing { chat: chat.to_owned() });
    // the word passes; no pause does, or it would be over
    while town.exchange() {}
}

/// Whom a device shows typing.
fn seen(town: &Town, who: Who) -> Vec<String> {
    town.typing(who).into_iter().map(|(_, name)| name).collect()
}

/// Alice and Bob, who know each other.
fn two() -> (Town, Who, Who) {
    let mut town = Town::new();
    let (alice, bob) = (town.sign_up("alice"), town.sign_up("bob"));
    town.send(alice, "bob", "hello");
    town.send(bob, "alice", "hello yourself");
    town.pass_ms(60_000);
    (town, alice, bob)
}

/// MSG-12: every device of the others shows it, for some seconds or until the message is there; it is kept nowhere.
#[test]
fn who_types_is_seen_while_he_does() {
    let (mut town, alice, bob) = two();
    let phone = town.add_device("bob", bob, false);
    let other = town.add_device("alice", alice, false);
    town.send(alice, "bob", "all of us");
    town.pass_ms(60_000);
    let disk = town.disk(bob);
    types(&mut town, alice, "bob");
    for who in [bob, phone] {
        assert_eq!(seen(&town, who), ["alice"]);
    }
    assert!(seen(&town, other).is_empty() && seen(&town, alice).is_empty());
    assert_eq!(town.disk(bob), disk);
    types(&mut town, alice, "bob");
    assert_eq!(town.passed.len(), 1, "not with each key");
    town.pass_ms(4_500);
    types(&mut town, alice, "bob");
    assert_eq!(town.passed.len(), 2);
    town.pass_ms(2_000);
    assert_eq!(seen(&town, bob), ["alice"], "she goes on");
    town.pass_ms(OVER_MS);
    assert!(seen(&town, bob).is_empty());
    types(&mut town, alice, "bob");
    town.send(alice, "bob", "there it is");
    assert!(seen(&town, bob).is_empty() && seen(&town, phone).is_empty());
}

/// MSG-12, MSG-10: who does not tell it is not shown it; on all devices.
#[test]
fn who_does_not_tell_does_not_see() {
    let (mut town, alice, bob) = two();
    let phone = town.add_device("alice", alice, false);
    town.send(alice, "bob", "all of us");
    town.wish(alice, Command::SetTyping(false));
    town.pass_ms(10_000);
    for who in [alice, phone] {
        types(&mut town, who, "bob");
    }
    assert!(town.passed.is_empty());
    types(&mut town, bob, "alice");
    assert_eq!(town.passed.len(), 1);
    assert!(seen(&town, alice).is_empty() && seen(&town, phone).is_empty());
    town.wish(phone, Command::SetTyping(true));
    town.pass_ms(10_000);
    types(&mut town, bob, "alice");
    assert_eq!((seen(&town, alice), seen(&town, phone)), (vec!["bob".to_owned()], vec!["bob".to_owned()]));
}

/// MSG-12, PPL-2, attack 67: a stranger learns nothing by it, and neither does somebody who is blocked.
#[test]
fn nobody_types_to_strangers_or_blocked_people() {
    let mut town = Town::new();
    let (alice, bob) = (town.stranger("alice"), town.stranger("bob"));
    town.send(alice, "bob", "do you know me?");
    town.pass_ms(60_000);
    // Alice has written to him; he has not accepted that
    types(&mut town, bob, "alice");
    assert!(town.passed.is_empty());
    types(&mut town, alice, "bob");
    assert_eq!(town.passed.len(), 1);
    assert!(seen(&town, bob).is_empty());
    let account = town.read(alice, |store| query::status(store, 0)).account.unwrap();
    town.wish(bob, Command::Decide { account, decision: Decision::Accepted });
    town.pass_ms(10_000);
    types(&mut town, alice, "bob");
    assert_eq!(seen(&town, bob), ["alice"]);
    town.pass_ms(OVER_MS);
    town.wish(bob, Command::Decide { account, decision: Decision::Blocked });
    types(&mut town, alice, "bob");
    types(&mut town, bob, "alice");
    assert!(seen(&town, bob).is_empty() && seen(&town, alice).is_empty());
}

/// MSG-12: for a word nobody changes a group, and a word for another epoch is none.
#[test]
fn a_word_makes_no_commit_and_is_of_its_epoch() {
    let (mut town, alice, bob) = two();
    types(&mut town, alice, "bob");
    let old = town.passed.pop().unwrap();
    town.pass_ms(OVER_MS);
    town.add_device("bob", bob, false);
    // the group has the new device's leaf by now, or does not: no word of Alice's changes that
    let commits = town.commits.borrow().len();
    types(&mut town, alice, "bob");
    assert_eq!(town.commits.borrow().len(), commits);
    town.pass_ms(OVER_MS);
    town.send(alice, "bob", "the epoch is another one");
    town.hear(bob, old);
    assert!(seen(&town, bob).is_empty());
    types(&mut town, alice, "bob");
    assert_eq!(seen(&town, bob), ["alice"]);
}

/// MSG-12: the service repeats words, changes them, gives them elsewhere and later; none of it is somebody who types.
#[test]
fn a_word_that_the_service_made_up_or_kept_is_none() {
    let (mut town, alice, bob) = two();
    let carol = town.sign_up("carol");
    town.send(bob, "carol", "hello");
    town.send(carol, "bob", "hello");
    town.pass_ms(60_000);
    town.set_online(bob, false);
    types(&mut town, alice, "bob");
    town.set_online(bob, true);
    town.settle();
    let said = town.passed.pop().unwrap();
    for place in 0..said.passing.0.len() {
        let mut changed = said.clone();
        changed.passing.0[place] ^= 1;
        town.hear(bob, changed);
    }
    let mut cut = said.clone();
    cut.passing.0.pop();
    town.hear(bob, cut);
    types(&mut town, carol, "bob");
    let other = town.passed.pop().unwrap();
    town.pass_ms(OVER_MS);
    town.hear(bob, Passing { group: other.group, ..said.clone() });
    assert!(seen(&town, bob).is_empty());
    town.hear(bob, said.clone());
    assert_eq!(seen(&town, bob), ["alice"], "the true one is");
    town.pass_ms(OVER_MS);
    town.hear(bob, said.clone());
    assert!(seen(&town, bob).is_empty(), "once");
    town.restart(bob);
    town.pass_ms(120_000);
    town.hear(bob, said);
    assert!(seen(&town, bob).is_empty(), "and not minutes later");
}
