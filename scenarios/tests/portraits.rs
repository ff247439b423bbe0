//! Pictures of conversations: who gives them, and to whom they come, also later. Rule MSG-13.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use client::query;
use client::step::{Command, Event};
use scenarios::town::{Town, Who};

/// As far as anybody reads who does not decode it, 128 points square.
fn jpeg(last: u8) -> Vec<u8> {
    [&b"\xff\xd8\xff\xe0\0\x04ab\xff\xc0\0\x11\x08\0\x80\0\x80"[..], &[7; 5_000], &[last]].concat()
}

fn give(chat: &str, jpeg: Vec<u8>) -> Command {
    Command::PictureChat { chat: chat.to_owned(), jpeg }
}

fn failed(events: &[Event], code: &str) -> bool {
    events.iter().any(|event| matches!(event, Event::Failed { failure, .. } if failure.code == code))
}

/// What a device shows as the picture of its conversation of several people.
fn picture(town: &Town, who: Who) -> Option<Vec<u8>> {
    let rows = town.read(who, query::conversations);
    let row = rows.iter().find(|row| !row.pair && !row.own).unwrap();
    let found = town.read(who, |store| query::conversation_picture(store, &row.group));
    assert_eq!(row.picture, found.as_deref().map(chain::id::Digest::sha256));
    found
}

/// What messages say about it, oldest first.
fn said(town: &Town, who: Who) -> Vec<(String, bool)> {
    let rows = town.read(who, |store| query::lines(store, None, 30));
    rows.into_iter().filter_map(|row| Some((row.from_handle?, row.pictured?))).collect()
}

/// Alice, who has opened it, with a phone, and Bob.
fn trip() -> (Town, [Who; 3]) {
    let mut town = Town::new();
    let [alice, bob] = ["alice", "bob"].map(|name| town.sign_up(name));
    let phone = town.add_device("alice", alice, false);
    town.wish(alice, Command::NewChat { title: "Trip".to_owned(), with: vec!["bob".to_owned()] });
    town.send(alice, "Trip", "hello");
    (town, [alice, phone, bob])
}

/// MSG-13: whoever is there, is let in later, or is a device that comes later, with old messages or without.
#[test]
fn a_picture_comes_to_everybody_and_to_those_who_come_later() {
    let (mut town, [alice, phone, bob]) = trip();
    assert_eq!([alice, phone, bob].map(|who| picture(&town, who)), [None, None, None]);
    town.wish(alice, give("Trip", jpeg(1)));
    town.wish(phone, give("Trip", jpeg(2)));
    for who in [alice, phone, bob] {
        assert_eq!(picture(&town, who), Some(jpeg(2)));
        assert_eq!(said(&town, who), [("alice".to_owned(), true), ("alice".to_owned(), true)]);
    }
    let carol = town.sign_up("carol");
    town.wish(alice, Command::AddMembers { chat: "Trip".to_owned(), with: vec!["carol".to_owned()] });
    town.pass_ms(10_000);
    assert_eq!(picture(&town, carol), Some(jpeg(2)), "she is told");
    assert!(said(&town, carol).is_empty());
    let later = [("alice", alice, false), ("bob", bob, true), ("carol", carol, false)];
    for (name, first, history) in later {
        let device = town.add_device(name, first, history);
        town.pass_ms(60_000);
        assert_eq!(picture(&town, device), Some(jpeg(2)), "a new device of {name}");
    }
}

/// MSG-13: no picture is said as one is; who comes later finds none.
#[test]
fn a_picture_is_taken_away_for_everybody() {
    let (mut town, [alice, phone, bob]) = trip();
    town.wish(alice, give("Trip", jpeg(1)));
    town.wish(phone, give("Trip", Vec::new()));
    for who in [alice, phone, bob] {
        assert_eq!(picture(&town, who), None);
        assert_eq!(said(&town, who).last(), Some(&("alice".to_owned(), false)));
    }
    let carol = town.sign_up("carol");
    town.wish(alice, Command::AddMembers { chat: "Trip".to_owned(), with: vec!["carol".to_owned()] });
    let desktop = town.add_device("bob", bob, true);
    town.pass_ms(60_000);
    assert_eq!([carol, desktop].map(|who| picture(&town, who)), [None, None]);
    // and of two that were said while one was away the last counts
    town.set_online(bob, false);
    town.wish(alice, give("Trip", jpeg(3)));
    town.wish(phone, give("Trip", jpeg(4)));
    town.set_online(bob, true);
    town.settle();
    assert_eq!(picture(&town, bob), Some(jpeg(4)));
    town.restart(bob);
    assert_eq!(picture(&town, bob), Some(jpeg(4)));
}

/// MSG-13, MSG-8: the same people as say what it is called, and only pictures.
#[test]
fn only_who_names_a_conversation_gives_it_a_picture_and_only_a_small_one() {
    let (mut town, [alice, _, bob]) = trip();
    town.send(alice, "bob", "between us");
    assert!(failed(&town.wish(bob, give("Trip", jpeg(1))), "chat.not_admin"));
    assert!(failed(&town.wish(alice, give("nowhere", jpeg(1))), "chat.unknown"));
    let png = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR\0\0\0\x10\0\0\0\x10".to_vec();
    let mut large = jpeg(1);
    large[13..17].copy_from_slice(&[1, 1, 1, 1]);
    let long = [jpeg(1), vec![0; 4_000]].concat();
    for wrong in [png, b"<svg xmlns='http://www.w3.org/2000/svg'/>".to_vec(), large, long, jpeg(1)[..12].to_vec()] {
        assert!(failed(&town.wish(alice, give("Trip", wrong)), "chat.picture"));
    }
    assert_eq!([alice, bob].map(|who| picture(&town, who)), [None, None]);
    town.wish(alice, Command::SetAdmin { chat: "Trip".to_owned(), who: "bob".to_owned(), on: true });
    town.wish(bob, give("Trip", jpeg(1)));
    assert_eq!([alice, bob].map(|who| picture(&town, who)), [Some(jpeg(1)), Some(jpeg(1))]);
}
