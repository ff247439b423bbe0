//! What was said before somebody went comes after it, with the service's help. Rule SND-5; attack 39.

use std::cell::RefCell;
use std::rc::Rc;

use client::query;
use client::step::Command;
use protocol::api::delivery::{Delivery, DeliveryKind};
use scenarios::town::{Town, Who};

use crate::{fill, is_done};

const TRIP: &str = "Trip";

/// Alice has opened a conversation with these.
fn trip(town: &mut Town, alice: Who, with: &[&str]) -> String {
    let with = with.iter().map(|it| (*it).to_owned()).collect();
    town.wish(alice, Command::NewChat { title: TRIP.to_owned(), with });
    let rows = town.read(alice, query::conversations);
    rows.iter().find(|row| row.title == TRIP).unwrap().group.to_string()
}

fn say(town: &mut Town, who: Who, chat: &str, text: &str) {
    assert!(is_done(&town.wish(who, Command::Send { to: chat.to_owned(), text: text.to_owned() })));
}

fn add(town: &mut Town, alice: Who, chat: &str, whom: &str) {
    assert!(is_done(&town.wish(alice, Command::AddMembers { chat: chat.to_owned(), with: vec![whom.to_owned()] })));
}

fn members(town: &Town, who: Who, chat: &str) -> usize {
    let rows = town.read(who, query::conversations);
    rows.iter().find(|row| row.group.to_string() == chat).unwrap().members.len()
}

/// The next message for somebody is kept back, and comes in the place of the last one that comes after a commit.
fn keep_back(town: &mut Town, from: Who) -> Rc<RefCell<(Option<Delivery>, bool)>> {
    let state = Rc::new(RefCell::new((None::<Delivery>, false)));
    let kept = Rc::clone(&state);
    town.liar.change_deliveries(move |who, mut deliveries| {
        if who != from {
            return deliveries;
        }
        let (kept, is_over) = &mut *kept.borrow_mut();
        if kept.is_none() {
            let first = deliveries.iter().position(|it| it.kind == DeliveryKind::Message);
            *kept = first.map(|at| deliveries.remove(at));
        }
        // what was kept is asked for until it was given
        deliveries.retain(|it| kept.as_ref().is_none_or(|kept| kept.position != it.position));
        match (&kept, deliveries.iter_mut().rfind(|it| it.kind == DeliveryKind::Message)) {
            (Some(kept), Some(place)) if *is_over => fill(place, kept),
            _ => (),
        }
        deliveries
    });
    state
}

/// SND-5: what somebody wrote before he was taken out is nothing that he says after it.
#[test]
fn what_comes_after_its_writer_was_taken_out_is_not_taken() {
    let mut town = Town::new();
    let (alice, bob, carol) = (town.sign_up("alice"), town.sign_up("bob"), town.sign_up("carol"));
    let chat = trip(&mut town, alice, &["bob", "carol"]);
    say(&mut town, alice, &chat, "Monday?");
    say(&mut town, bob, &chat, "yes");
    // names and receipts are told by then
    town.pass_ms(60_000);
    let state = keep_back(&mut town, carol);
    say(&mut town, bob, &chat, "sell everything");
    assert!(state.borrow().0.is_some());
    town.wish(alice, Command::RemoveMembers { chat: chat.clone(), with: vec!["bob".to_owned()] });
    assert_eq!(members(&town, carol, &chat), 2);
    state.borrow_mut().1 = true;
    say(&mut town, alice, &chat, "only us");
    town.liar.stop();
    town.pass_ms(60_000);
    say(&mut town, alice, &chat, "still us");
    assert!(town.texts(alice, Some(TRIP)).contains(&"sell everything".to_owned()), "it came in time");
    assert!(!town.texts(carol, Some(TRIP)).contains(&"sell everything".to_owned()));
    assert_eq!(town.texts(carol, Some(TRIP)).last().unwrap(), "still us");
}

/// SND-5, MSG-11: that somebody left takes nobody out who was let in again since.
#[test]
fn a_leaving_that_comes_late_takes_nobody_out_again() {
    let mut town = Town::new();
    let (alice, bob, carol) = (town.sign_up("alice"), town.sign_up("bob"), town.sign_up("carol"));
    let desktop = town.add_device("alice", alice, false);
    let chat = trip(&mut town, alice, &["bob", "carol"]);
    say(&mut town, alice, &chat, "Monday?");
    say(&mut town, bob, &chat, "yes");
    // names and receipts are told by then
    town.pass_ms(60_000);
    let state = keep_back(&mut town, desktop);
    town.wish(bob, Command::LeaveChat { chat: chat.clone() });
    assert!(state.borrow().0.is_some());
    assert_eq!((members(&town, alice, &chat), members(&town, desktop, &chat)), (2, 2), "he is out");
    add(&mut town, alice, &chat, "bob");
    assert_eq!((members(&town, alice, &chat), members(&town, desktop, &chat)), (3, 3), "he is in");
    state.borrow_mut().1 = true;
    say(&mut town, carol, &chat, "welcome back");
    town.liar.stop();
    town.pass_ms(60_000);
    assert_eq!((members(&town, alice, &chat), members(&town, desktop, &chat)), (3, 3), "he stays in");
    say(&mut town, bob, &chat, "thanks");
    assert_eq!(town.texts(desktop, Some(TRIP)).last().unwrap(), "thanks");
}
