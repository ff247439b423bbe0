//! What became of a message at the others: delivered, read (MSG-9, MSG-10).

use std::cell::Cell;
use std::rc::Rc;

use chain::id::AccountId;
use client::query::{self, MessageRow, MessageState, Receipts};
use client::step::{Answer, Command};
use protocol::api::delivery::{Delivery, DeliveryKind};
use protocol::content::Receipt;
use protocol::people::Decision;
use scenarios::town::{Town, Weather, Who};

/// Longer than what is owed is gathered.
const SOON_MS: u64 = 8_000;

fn row(town: &Town, who: Who, text: &str) -> MessageRow {
    town.messages(who).into_iter().find(|row| row.text == text).unwrap()
}

fn state(town: &Town, who: Who, text: &str) -> MessageState {
    row(town, who, text).state
}

/// Who has said what of a message.
fn said(town: &Town, who: Who, text: &str) -> Vec<(String, Receipt)> {
    let rows = row(town, who, text).receipts.into_iter();
    let mut said: Vec<_> = rows.map(|it| (it.from_handle.unwrap(), it.receipt)).collect();
    said.sort();
    said
}

fn mark_read(town: &mut Town, who: Who, with: &str) {
    town.wish(who, Command::MarkRead { with: with.to_owned() });
}

fn set(town: &mut Town, who: Who, receipt: Receipt, on: bool) {
    town.wish(who, Command::SetReceipts(receipt, on));
}

/// How often a device has asked for something whose path ends so.
fn asked(town: &Town, who: Who, end: &str) -> usize {
    town.asked.iter().filter(|(by, path)| *by == who && path.ends_with(end)).count()
}

fn account(town: &Town, who: Who) -> AccountId {
    town.read(who, |store| query::status(store, 0)).account.unwrap()
}

/// Alice and Bob, who have written to each other and said so.
fn two() -> (Town, Who, Who) {
    let mut town = Town::new();
    let (alice, bob) = (town.sign_up("alice"), town.sign_up("bob"));
    town.send(alice, "bob", "hello");
    town.send(bob, "alice", "hello yourself");
    town.pass_ms(60_000);
    (town, alice, bob)
}

/// MSG-9: waiting, sent, delivered, read; on all devices of the account, and nothing of it is a message.
#[test]
fn a_message_is_sent_delivered_and_read_on_all_devices() {
    let (mut town, alice, bob) = two();
    let phone = town.add_device("alice", alice, false);
    town.pass_ms(60_000);
    town.set_online(alice, false);
    town.command(alice, Command::Send { to: "bob".to_owned(), text: "tea?".to_owned() });
    assert_eq!(state(&town, alice, "tea?"), MessageState::Waiting);
    town.set_online(alice, true);
    town.set_online(bob, false);
    town.settle();
    town.pass_ms(60_000);
    assert_eq!(state(&town, alice, "tea?"), MessageState::Sent);
    town.set_online(bob, true);
    town.settle();
    town.pass_ms(SOON_MS);
    for who in [alice, phone] {
        assert_eq!(state(&town, who, "tea?"), MessageState::Delivered);
        assert_eq!(said(&town, who, "tea?"), [("bob".to_owned(), Receipt::Delivered)]);
    }
    mark_read(&mut town, bob, "alice");
    town.pass_ms(SOON_MS);
    for who in [alice, phone] {
        assert_eq!(state(&town, who, "tea?"), MessageState::Read);
        assert_eq!(said(&town, who, "tea?"), [("bob".to_owned(), Receipt::Read)]);
        let rows = town.read(who, query::conversations);
        assert!(rows.iter().all(|row| row.unread == 0));
    }
    assert_eq!(town.texts(bob, None), ["hello", "hello yourself", "tea?"]);
    assert!(row(&town, bob, "tea?").receipts.is_empty(), "what he said himself he need not be told");
    assert!(town.messages(alice).iter().all(|row| row.state != MessageState::Unreadable));
}

/// MSG-10: one receipt says all that came and was read meanwhile; an answer says that what stands before was read.
#[test]
fn one_receipt_says_what_came_and_was_read_meanwhile() {
    let (mut town, alice, bob) = two();
    let before = asked(&town, bob, "/messages");
    for number in 0..30 {
        town.command(alice, Command::Send { to: "bob".to_owned(), text: format!("text {number}") });
    }
    town.settle();
    mark_read(&mut town, bob, "alice");
    assert_eq!(asked(&town, bob, "/messages"), before, "nothing is said at once");
    town.pass_ms(SOON_MS);
    assert_eq!(asked(&town, bob, "/messages"), before + 1);
    assert!((0..30).all(|number| state(&town, alice, &format!("text {number}")) == MessageState::Read));
    town.send(alice, "bob", "and?");
    town.send(bob, "alice", "all well");
    town.pass_ms(SOON_MS);
    assert_eq!(state(&town, alice, "and?"), MessageState::Read);
    town.pass_ms(600_000);
    assert_eq!(asked(&town, bob, "/messages"), before + 3);
    // more than one receipt takes
    town.set_online(bob, false);
    for number in 0..130 {
        town.command(alice, Command::Send { to: "bob".to_owned(), text: format!("more {number}") });
    }
    town.settle();
    town.set_online(bob, true);
    town.settle();
    town.pass_ms(2 * SOON_MS);
    assert!((0..130).all(|number| state(&town, alice, &format!("more {number}")) == MessageState::Delivered));
    assert_eq!(asked(&town, bob, "/messages"), before + 5);
}

/// MSG-10: what one device of the account has said no other one says again, on whichever it was read.
#[test]
fn devices_of_one_account_do_not_repeat_each_other() {
    let (mut town, alice, bob) = two();
    let desktop = town.add_device("bob", bob, false);
    town.pass_ms(60_000);
    let written = |town: &Town| asked(town, bob, "/messages") + asked(town, desktop, "/messages");
    town.set_online(desktop, false);
    let before = written(&town);
    town.send(alice, "bob", "tea?");
    town.pass_ms(SOON_MS);
    assert_eq!(written(&town), before + 1);
    town.set_online(desktop, true);
    town.settle();
    town.pass_ms(60_000);
    assert_eq!(written(&town), before + 1);
    // read on the one that did not say that it came; what both owe they say at different times
    town.set_online(bob, false);
    mark_read(&mut town, desktop, "alice");
    town.pass_ms(SOON_MS);
    assert_eq!(state(&town, alice, "tea?"), MessageState::Read);
    let before = written(&town);
    town.set_online(bob, true);
    town.settle();
    town.pass_ms(60_000);
    assert_eq!(written(&town), before);
}

/// MSG-9: among several it is delivered when all have it and read when all have read it; who has, is told. Who came in later has
/// nothing to say of it.
#[test]
fn among_several_all_have_to_have_it() {
    let mut town = Town::new();
    let [alice, bob, carol, dave] = ["alice", "bob", "carol", "dave"].map(|name| town.sign_up(name));
    let with = vec!["bob".to_owned(), "carol".to_owned()];
    town.wish(alice, Command::NewChat { title: "Three".to_owned(), with });
    let group = town.read(bob, query::conversations)[0].group.to_string();
    town.set_online(carol, false);
    town.send(alice, "Three", "who comes?");
    mark_read(&mut town, bob, &group);
    town.pass_ms(SOON_MS);
    assert_eq!(state(&town, alice, "who comes?"), MessageState::Sent);
    assert_eq!(said(&town, alice, "who comes?"), [("bob".to_owned(), Receipt::Read)]);
    town.set_online(carol, true);
    town.settle();
    town.pass_ms(SOON_MS);
    assert_eq!(state(&town, alice, "who comes?"), MessageState::Delivered);
    town.wish(alice, Command::AddMembers { chat: "Three".to_owned(), with: vec!["dave".to_owned()] });
    mark_read(&mut town, carol, &group);
    town.pass_ms(SOON_MS);
    assert_eq!(state(&town, alice, "who comes?"), MessageState::Read);
    town.send(bob, &group, "I do");
    town.pass_ms(SOON_MS);
    let names = said(&town, bob, "I do").into_iter().map(|(name, _)| name);
    assert_eq!(names.collect::<Vec<_>>(), ["alice", "carol", "dave"]);
    assert_eq!(town.texts(dave, None), ["I do"]);
}

/// MSG-10, PPL-2, attack 67: whoever was not accepted hears nothing, whatever he sends and whatever is looked at; nor does
/// somebody blocked, in no conversation.
#[test]
fn nobody_unknown_or_blocked_is_told_anything() {
    let mut town = Town::new();
    let (alice, bob, carol) = (town.stranger("alice"), town.stranger("bob"), town.stranger("carol"));
    for number in 0..20 {
        town.command(alice, Command::Send { to: "bob".to_owned(), text: format!("text {number}") });
    }
    town.settle();
    mark_read(&mut town, bob, "alice");
    town.pass_ms(60_000);
    assert_eq!(asked(&town, bob, "/messages"), 0);
    let pest = account(&town, alice);
    town.wish(bob, Command::Decide { account: pest, decision: Decision::Accepted });
    town.send(alice, "bob", "now?");
    town.pass_ms(SOON_MS);
    assert_eq!(state(&town, alice, "now?"), MessageState::Delivered);
    mark_read(&mut town, bob, "alice");
    town.pass_ms(SOON_MS);
    assert_eq!((state(&town, alice, "now?"), state(&town, alice, "text 0")), (MessageState::Read, MessageState::Read));

    town.send(bob, "carol", "hi");
    town.send(carol, "bob", "hi");
    town.wish(bob, Command::NewChat { title: "Trip".to_owned(), with: vec!["alice".to_owned(), "carol".to_owned()] });
    town.send(bob, "Trip", "where to?");
    let trip = town.read(carol, query::conversations).into_iter().find(|row| !row.pair).unwrap().group.to_string();
    town.pass_ms(60_000);
    town.wish(bob, Command::Decide { account: pest, decision: Decision::Blocked });
    let before = asked(&town, bob, "/messages");
    town.send(alice, "bob", "hey");
    town.send(alice, &trip, "hey");
    town.send(carol, &trip, "to the sea");
    mark_read(&mut town, bob, "Trip");
    town.pass_ms(60_000);
    assert_eq!(asked(&town, bob, "/messages"), before);
    assert_eq!(state(&town, alice, "where to?"), MessageState::Received);
}

/// MSG-10, SND-1: a receipt makes no commit. It waits until whoever has something to say there has made it.
#[test]
fn a_receipt_makes_no_commit() {
    let (mut town, alice, bob) = two();
    let phone = town.add_device("alice", alice, false);
    town.pass_ms(60_000);
    town.set_online(bob, false);
    town.send(alice, "bob", "tea?");
    town.liar.answer_instead(move |who, call| {
        (who == alice && call.path.ends_with("/commits")).then_some(Answer::Unreachable)
    });
    let gone = town.id(phone);
    town.wish(alice, Command::Remove { device: gone });
    let (commits, messages) = (asked(&town, bob, "/commits"), asked(&town, bob, "/messages"));
    town.set_online(bob, true);
    town.settle();
    mark_read(&mut town, bob, "alice");
    town.pass_ms(60_000);
    assert_eq!((asked(&town, bob, "/commits"), asked(&town, bob, "/messages")), (commits, messages));
    assert_eq!(state(&town, alice, "tea?"), MessageState::Sent);
    town.liar.stop();
    town.pass_ms(300_000);
    assert_eq!(asked(&town, bob, "/commits"), commits);
    assert_eq!(state(&town, alice, "tea?"), MessageState::Read);
}

/// MSG-10: each kind is switched off by itself, on all devices; who does not say it does not see it.
#[test]
fn who_does_not_say_it_does_not_see_it() {
    let (mut town, alice, bob) = two();
    let desktop = town.add_device("bob", bob, false);
    town.pass_ms(60_000);
    set(&mut town, desktop, Receipt::Read, false);
    let receipts = town.read(bob, |store| query::status(store, 0)).receipts;
    assert_eq!(receipts, Receipts { delivered: true, read: false, typing: true });
    town.send(alice, "bob", "one");
    for who in [bob, desktop] {
        mark_read(&mut town, who, "alice");
    }
    town.pass_ms(SOON_MS);
    assert_eq!(state(&town, alice, "one"), MessageState::Delivered);
    town.send(bob, "alice", "two");
    mark_read(&mut town, alice, "bob");
    town.pass_ms(SOON_MS);
    for who in [bob, desktop] {
        assert_eq!(state(&town, who, "two"), MessageState::Delivered);
        assert_eq!(said(&town, who, "two"), [("alice".to_owned(), Receipt::Delivered)]);
    }
    set(&mut town, bob, Receipt::Delivered, false);
    assert_eq!(state(&town, bob, "two"), MessageState::Sent);
    assert!(said(&town, bob, "two").is_empty());
    town.pass_ms(1_000);
    town.send(alice, "bob", "three");
    town.pass_ms(60_000);
    assert_eq!(state(&town, alice, "three"), MessageState::Sent);
    // what was read while nobody was to know stays so
    set(&mut town, desktop, Receipt::Read, true);
    town.pass_ms(60_000);
    assert_eq!(state(&town, alice, "one"), MessageState::Delivered);
    mark_read(&mut town, bob, "alice");
    town.pass_ms(SOON_MS);
    assert_eq!(state(&town, alice, "three"), MessageState::Read);
    assert_eq!(state(&town, bob, "two"), MessageState::Read);
}

/// MSG-9, TXN-1: with lost answers and killed processes each receipt is said once.
#[test]
fn a_receipt_survives_lost_answers_and_kills() {
    let (mut town, alice, bob) = two();
    town.send(alice, "bob", "tea?");
    town.restart(bob);
    town.weather = Weather::AnswersLost;
    town.pass_ms(SOON_MS);
    town.restart(bob);
    town.weather = Weather::Fine;
    town.settle();
    town.pass_ms(60_000);
    assert_eq!(state(&town, alice, "tea?"), MessageState::Delivered);
    let sent: Vec<_> =
        town.liar.answered.iter().filter(|(who, call, _)| *who == bob && call.path.ends_with("/messages")).collect();
    let bodies: std::collections::BTreeSet<_> = sent.iter().map(|(_, call, _)| call.body.clone()).collect();
    // his introduction, his text, that Alice's came, and that this one did
    assert_eq!(bodies.len(), 4, "of {} requests", sent.len());
}

/// MSG-9, SND-3, SND-4: a receipt that is dropped is no gap, one that is damaged leaves no trace, and one that comes before its
/// message is of no use to nobody.
#[test]
fn receipts_that_are_dropped_damaged_or_early_do_no_harm() {
    #[derive(Clone, Copy, PartialEq)]
    enum Harm {
        Dropped,
        Damaged,
        Early,
    }
    for harm in [Harm::Dropped, Harm::Damaged, Harm::Early] {
        let (mut town, alice, bob) = two();
        let phone = town.add_device("alice", alice, false);
        town.pass_ms(60_000);
        town.set_online(phone, false);
        town.set_online(bob, false);
        town.send(alice, "bob", "tea?");
        let done = Rc::new(Cell::new(false));
        let is_done = Rc::clone(&done);
        town.liar.change_deliveries(move |who, mut deliveries: Vec<Delivery>| {
            let mut messages: Vec<_> = deliveries.iter_mut().filter(|it| it.kind == DeliveryKind::Message).collect();
            match (harm, messages.as_mut_slice()) {
                (Harm::Damaged, [.., one]) if who == alice && !is_done.get() => {
                    let middle = one.bytes.0.len() / 2;
                    one.bytes.0[middle] ^= 1;
                }
                (Harm::Early, [.., first, second]) if who == phone => {
                    std::mem::swap(&mut first.bytes, &mut second.bytes);
                }
                (Harm::Dropped, [_, ..]) if who == alice => {
                    is_done.set(true);
                    return Vec::new();
                }
                _ => return deliveries,
            }
            is_done.set(true);
            deliveries
        });
        town.set_online(bob, true);
        town.settle();
        town.pass_ms(SOON_MS);
        town.set_online(phone, true);
        town.settle();
        town.pass_ms(600_000);
        assert!(done.get());
        assert!(harm == Harm::Dropped || state(&town, alice, "tea?") == MessageState::Delivered);
        town.liar.stop();
        town.send(bob, "alice", "with milk");
        town.pass_ms(600_000);
        for who in [alice, phone] {
            let rows = town.messages(who);
            assert!(rows.iter().all(|row| row.state != MessageState::Unreadable), "{rows:?}");
            assert_eq!(rows.last().unwrap().text, "with milk");
        }
    }
}

/// MSG-10: in a conversation of more than 32 accounts nobody is told anything.
#[test]
fn a_crowd_is_told_nothing() {
    let mut town = Town::new();
    let alice = town.sign_up("alice");
    let names: Vec<_> = (0..32).map(|number| format!("guest{number}")).collect();
    let guests: Vec<_> = names.iter().map(|name| town.stranger(name)).collect();
    let host = account(&town, alice);
    for guest in [guests[0], guests[1]] {
        town.wish(guest, Command::Decide { account: host, decision: Decision::Accepted });
    }
    town.wish(alice, Command::NewChat { title: "Feast".to_owned(), with: names[..31].to_vec() });
    let group = town.read(guests[0], query::conversations)[0].group.to_string();
    town.send(alice, "Feast", "welcome");
    town.pass_ms(SOON_MS);
    assert_eq!(said(&town, alice, "welcome").len(), 2, "those who have accepted");
    town.wish(alice, Command::AddMembers { chat: "Feast".to_owned(), with: names[31..].to_vec() });
    town.send(alice, "Feast", "and you");
    mark_read(&mut town, guests[0], &group);
    town.pass_ms(60_000);
    assert!(said(&town, alice, "and you").is_empty());
    assert_eq!(said(&town, alice, "welcome")[0].1, Receipt::Delivered);
}
