//! Leaving a conversation of several people, and who lets people in and out. Rule MSG-11.

use client::query::{self, ConversationRow, MessageRow};
use client::step::{Command, Event};
use scenarios::town::{Town, Who};

const TRIP: &str = "Trip";

/// Alice opens a conversation with bob and carol; bob has two devices.
fn trip() -> (Town, Who, [Who; 2], Who) {
    let mut town = Town::new();
    let (alice, laptop, carol) = (town.sign_up("alice"), town.sign_up("bob"), town.sign_up("carol"));
    let desktop = town.add_device("bob", laptop, false);
    town.wish(alice, Command::NewChat { title: TRIP.to_owned(), with: ["bob", "carol"].map(str::to_owned).into() });
    say(&mut town, alice, "Monday?");
    (town, alice, [laptop, desktop], carol)
}

/// What it is called on all devices: a title that others gave could be somebody's handle.
fn chat(town: &Town, who: Who) -> String {
    row(town, who).group.to_string()
}

fn leave(town: &mut Town, who: Who) -> Vec<Event> {
    let chat = chat(town, who);
    town.wish(who, Command::LeaveChat { chat })
}

fn admin(town: &mut Town, who: Who, whom: &str, on: bool) -> Vec<Event> {
    let chat = chat(town, who);
    town.wish(who, Command::SetAdmin { chat, who: whom.to_owned(), on })
}

fn say(town: &mut Town, who: Who, text: &str) -> Vec<Event> {
    let to = chat(town, who);
    town.wish(who, Command::Send { to, text: text.to_owned() })
}

fn row(town: &Town, who: Who) -> ConversationRow {
    town.read(who, query::conversations).into_iter().find(|row| row.title == TRIP).unwrap()
}

fn members(town: &Town, who: Who) -> Vec<String> {
    let mut handles: Vec<_> = row(town, who).members.into_iter().filter_map(|(_, handle)| handle).collect();
    handles.sort();
    handles
}

fn admins(town: &Town, who: Who) -> usize {
    row(town, who).admins.len()
}

fn refusal(events: &[Event]) -> Option<String> {
    events.iter().find_map(|event| match event {
        Event::Failed { failure, .. } => Some(failure.code.clone()),
        _ => None,
    })
}

fn lines(town: &Town, who: Who) -> Vec<MessageRow> {
    town.read(who, |store| query::lines(store, Some(TRIP), 100))
}

/// MSG-11.
#[test]
fn who_leaves_is_let_out_at_once_and_all_see_that_he_left() {
    let (mut town, alice, bob, carol) = trip();
    assert_eq!(refusal(&leave(&mut town, bob[0])), None);
    for who in [alice, carol] {
        assert_eq!(members(&town, who), ["alice", "carol"]);
        let last = lines(&town, who).pop().unwrap();
        assert_eq!(last.from_handle.as_deref(), Some("bob"));
        assert_eq!(
            last.change.unwrap().went[0].1.as_deref(),
            Some("bob"),
            "one line says so, and none that somebody took him out"
        );
        assert_eq!(
            lines(&town, who).iter().filter(|it| it.change.as_ref().is_some_and(|it| !it.went.is_empty())).count(),
            1
        );
    }
    for device in bob {
        assert!(row(&town, device).left && !row(&town, device).ready);
        assert_eq!(town.texts(device, Some(TRIP))[0], "Monday?", "what was said stays");
        let events = say(&mut town, device, "still here");
        assert_eq!(refusal(&events).as_deref(), Some("group.removed"));
    }
    say(&mut town, alice, "just us now");
    assert!(bob.iter().all(|device| !town.texts(*device, Some(TRIP)).contains(&"just us now".to_owned())));
    assert!(town.texts(carol, Some(TRIP)).contains(&"just us now".to_owned()));
}

/// MSG-11: MLS lets nobody take himself out.
#[test]
fn until_somebody_lets_him_out_a_leaver_hears_and_writes_nothing() {
    let (mut town, alice, bob, carol) = trip();
    town.set_online(alice, false);
    leave(&mut town, bob[0]);
    say(&mut town, carol, "has he gone?");
    let late = town.add_device("bob", bob[0], true);
    town.settle();
    for device in [bob[0], bob[1], late] {
        assert!(row(&town, device).left, "each of his devices knows it");
        assert!(!town.texts(device, Some(TRIP)).contains(&"has he gone?".to_owned()));
        let events = say(&mut town, device, "no");
        assert_eq!(refusal(&events).as_deref(), Some("group.left"));
    }
    assert_eq!(members(&town, carol), ["alice", "bob", "carol"]);
    town.set_online(alice, true);
    town.settle();
    assert_eq!(members(&town, carol), ["alice", "carol"]);
}

/// MSG-11: that he had left counts no longer once he was let in again.
#[test]
fn who_has_left_can_be_let_in_again() {
    let (mut town, alice, bob, _) = trip();
    leave(&mut town, bob[1]);
    town.wish(alice, Command::AddMembers { chat: TRIP.to_owned(), with: vec!["bob".to_owned()] });
    say(&mut town, alice, "welcome back");
    for device in bob {
        assert!(!row(&town, device).left && row(&town, device).ready);
        assert_eq!(town.texts(device, Some(TRIP)).last().map(String::as_str), Some("welcome back"));
    }
    say(&mut town, bob[0], "thanks");
    assert_eq!(town.texts(alice, Some(TRIP)).last().map(String::as_str), Some("thanks"));
}

/// GRP-3, MSG-11: a conversation is never without somebody who lets people in and out.
#[test]
fn the_last_one_who_lets_people_out_says_first_who_else_does() {
    let (mut town, alice, bob, carol) = trip();
    assert_eq!(refusal(&leave(&mut town, alice)).as_deref(), Some("chat.last_admin"));
    assert_eq!(refusal(&admin(&mut town, alice, "alice", false)).as_deref(), Some("chat.last_admin"));
    assert_eq!(refusal(&admin(&mut town, carol, "carol", true)).as_deref(), Some("chat.not_admin"));
    assert_eq!(refusal(&admin(&mut town, alice, "bob", true)), None);
    assert_eq!((admins(&town, alice), admins(&town, carol), admins(&town, bob[1])), (2, 2, 2));
    assert_eq!(refusal(&leave(&mut town, alice)), None);
    assert_eq!(members(&town, carol), ["bob", "carol"], "one of bob's devices has let her out");
    assert_eq!(admins(&town, carol), 1, "and who is out lets nobody in");
    town.wish(bob[1], Command::RemoveMembers { chat: TRIP.to_owned(), with: vec!["carol".to_owned()] });
    assert_eq!(members(&town, bob[0]), ["bob"]);
}

/// MSG-11: whoever comes to be allowed to lets those out who have left before.
#[test]
fn who_comes_to_let_people_out_lets_out_those_who_have_left() {
    let (mut town, alice, bob, carol) = trip();
    town.set_online(alice, false);
    leave(&mut town, carol);
    assert_eq!(members(&town, bob[0]), ["alice", "bob", "carol"]);
    town.set_online(alice, true);
    town.settle();
    assert_eq!(members(&town, bob[0]), ["alice", "bob"]);
    admin(&mut town, alice, "bob", true);
    admin(&mut town, bob[0], "alice", false);
    assert_eq!(refusal(&admin(&mut town, alice, "alice", true)).as_deref(), Some("chat.not_admin"));
    assert_eq!(admins(&town, alice), 1);
}

/// MSG-11: nobody leaves for somebody else, and two people have nothing to leave.
#[test]
fn a_conversation_of_two_is_not_left() {
    let (mut town, alice, bob, _) = trip();
    town.send(alice, "bob", "for you alone");
    let events = town.wish(bob[0], Command::LeaveChat { chat: "alice".to_owned() });
    assert_eq!(refusal(&events).as_deref(), Some("chat.pair"));
    let events = town.wish(bob[0], Command::LeaveChat { chat: "nowhere".to_owned() });
    assert_eq!(refusal(&events).as_deref(), Some("chat.unknown"));
}
