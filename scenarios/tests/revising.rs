//! Answers, changes, take-backs and reactions (docs/protocol.md §28): what becomes of a message is the same on all devices of
//! everybody, in whichever order it comes, also on a device that comes later.

use client::query::{self, MessageRow, MessageState, Wanted, search};
use client::step::{Command, Event};
use scenarios::town::{Town, Who};

fn rows(town: &Town, who: Who) -> Vec<MessageRow> {
    town.messages(who)
}

fn id_of(town: &Town, who: Who, text: &str) -> String {
    let row = rows(town, who).into_iter().find(|row| row.text == text);
    row.unwrap_or_else(|| panic!("no {text}: {:?}", town.texts(who, None))).message.to_string()
}

/// What somebody thinks of the messages of a device: handle and reaction.
fn reactions(town: &Town, who: Who) -> Vec<(String, String)> {
    let all = rows(town, who).into_iter().flat_map(|row| row.reactions);
    all.map(|it| (it.from_handle.unwrap_or_default(), it.reaction)).collect()
}

fn found(town: &Town, who: Who, words: &str) -> usize {
    let wanted = Wanted { words, with: None, from: None, limit: 10 };
    town.read(who, |store| search(store, &wanted)).unwrap().rows.len()
}

fn react(message: &str, reaction: &str, remove: bool) -> Command {
    Command::React { message: message.to_owned(), reaction: reaction.to_owned(), remove }
}

fn edit(message: &str, text: &str) -> Command {
    Command::Edit { message: message.to_owned(), text: text.to_owned() }
}

fn delete(message: &str) -> Command {
    Command::Delete { message: message.to_owned() }
}

fn code(events: &[Event]) -> Option<String> {
    events.iter().find_map(|event| match event {
        Event::Failed { failure, .. } => Some(failure.code.clone()),
        _ => None,
    })
}

/// Alice with one device, Bob with two.
fn three_devices() -> (Town, [Who; 3]) {
    let mut town = Town::new();
    let (alice, laptop) = (town.sign_up("alice"), town.sign_up("bob"));
    let desktop = town.add_device("bob", laptop, true);
    (town, [alice, laptop, desktop])
}

/// MSG-1.
#[test]
fn an_answer_names_what_it_answers_on_all_devices() {
    let (mut town, [alice, laptop, desktop]) = three_devices();
    town.send(alice, "bob", "when?");
    let message = id_of(&town, laptop, "when?")[..8].to_owned();
    town.wish(laptop, Command::Reply { message, text: "at six".to_owned() });
    for who in [alice, laptop, desktop] {
        let row = rows(&town, who).pop().unwrap();
        let answered = row.answers.unwrap();
        assert_eq!((row.text.as_str(), answered.text.as_deref()), ("at six", Some("when?")));
        assert_eq!(answered.from.unwrap().1.as_deref(), Some("alice"));
    }
}

/// MSG-2: from another device than the one that wrote it, too; the last change counts; search knows the new words only.
#[test]
fn a_change_shows_on_all_devices_of_everybody() {
    let (mut town, [alice, laptop, desktop]) = three_devices();
    town.send(laptop, "alice", "at fixe");
    for number in 0..130 {
        town.command(alice, Command::Send { to: "bob".to_owned(), text: format!("filling {number}") });
    }
    town.settle();
    let message = id_of(&town, alice, "at fixe");
    town.wish(desktop, edit(&message, "at five"));
    town.wish(laptop, edit(&message, "at six"));
    for who in [alice, laptop, desktop] {
        let row = rows(&town, who).into_iter().find(|row| row.message.to_string() == message).unwrap();
        assert!(row.edited && row.text == "at six");
        assert_eq!((found(&town, who, "fixe"), found(&town, who, "at six")), (0, 1));
        assert_eq!(rows(&town, who).len(), 131, "a change is no message of its own");
    }
    let changed = |event: &&Event| matches!(event, Event::Changed { .. });
    assert_eq!(town.events(alice).iter().filter(changed).count(), 2);
}

/// MSG-3: neither the text nor what it said before is left, and what stands around it still fits.
#[test]
fn what_was_taken_back_is_nowhere_and_nothing_is_missing() {
    let (mut town, [alice, laptop, desktop]) = three_devices();
    for text in ["one", "a secret", "three"] {
        town.send(alice, "bob", text);
    }
    let message = id_of(&town, alice, "a secret");
    town.wish(alice, edit(&message, "another secret"));
    town.wish(laptop, react(&message, "\u{1f44d}", false));
    town.wish(alice, delete(&message));
    town.send(alice, "bob", "five");
    let tablet = town.add_device("bob", laptop, true);
    town.settle();
    town.pass_ms(5_000);
    for who in [alice, laptop, desktop, tablet] {
        let row = rows(&town, who).into_iter().find(|row| row.message.to_string() == message).unwrap();
        assert!(row.deleted && row.text.is_empty() && row.reactions.is_empty());
        assert_eq!(town.texts(who, None), ["one", "", "three", "five"]);
        assert_eq!(found(&town, who, "secret"), 0);
        assert!(town.read(who, query::conversations).iter().all(|row| !row.unverified));
        assert!(rows(&town, who).iter().all(|row| row.state != MessageState::Unreadable));
    }
    assert_eq!(code(&town.wish(alice, edit(&message, "again"))).as_deref(), Some("message.deleted"));
    assert_eq!(code(&town.wish(laptop, react(&message, "+1", false))).as_deref(), Some("message.deleted"));
}

/// MSG-2, MSG-3.
#[test]
fn only_its_writer_changes_a_message_or_takes_it_back() {
    let (mut town, [alice, laptop, _]) = three_devices();
    town.send(alice, "bob", "mine");
    let message = id_of(&town, laptop, "mine");
    for command in [edit(&message, "yours"), delete(&message)] {
        assert_eq!(code(&town.wish(laptop, command)).as_deref(), Some("message.not_yours"));
    }
    assert_eq!(town.texts(alice, None), ["mine"]);
    for name in ["mine", "", "00", "0123456789abcdef", &"0".repeat(65)] {
        assert_eq!(code(&town.wish(alice, delete(name))).as_deref(), Some("message.unknown"), "{name}");
    }
    assert_eq!(code(&town.wish(alice, edit(&message, ""))).as_deref(), Some("message.empty"));
}

/// MSG-4: the same from two devices of one person counts once, and is taken back from either.
#[test]
fn a_reaction_counts_once_and_goes_again() {
    let (mut town, [alice, laptop, desktop]) = three_devices();
    town.send(alice, "bob", "tea?");
    let message = id_of(&town, alice, "tea?");
    town.set_online(desktop, false);
    town.wish(laptop, react(&message, "\u{1f44d}", false));
    // it does not know yet
    town.command(desktop, react(&message, "\u{1f44d}", false));
    town.set_online(desktop, true);
    town.settle();
    town.wish(alice, react(&message, "+1", false));
    let said = |handle: &str, reaction: &str| (handle.to_owned(), reaction.to_owned());
    for who in [alice, laptop, desktop] {
        assert_eq!(reactions(&town, who), [said("bob", "\u{1f44d}"), said("alice", "+1")]);
        assert_eq!(town.texts(who, None), ["tea?"]);
    }
    town.wish(desktop, react(&message, "\u{1f44d}", true));
    town.wish(laptop, react(&message, "never said", true));
    for who in [alice, laptop, desktop] {
        assert_eq!(reactions(&town, who), [said("alice", "+1")]);
    }
    let long = "x".repeat(65);
    for reaction in ["", " ", "a\nb", long.as_str()] {
        let refused = code(&town.wish(alice, react(&message, reaction, false)));
        assert_eq!(refused.as_deref(), Some("reaction.malformed"), "{reaction:?}");
    }
}

/// MSG-3, MSG-5, SND-3, attack 39: a service that drops exactly a take-back is noticed with the next word of its writer, and it comes
/// after all.
#[test]
fn a_take_back_that_was_dropped_comes_again() {
    let mut town = Town::new();
    let (alice, bob) = (town.sign_up("alice"), town.sign_up("bob"));
    town.send(alice, "bob", "a secret");
    let message = id_of(&town, alice, "a secret");
    town.robbed = Some(bob);
    town.wish(alice, delete(&message));
    assert_eq!(town.texts(bob, None), ["a secret"]);
    town.send(alice, "bob", "next");
    town.settle();
    assert_eq!(town.texts(bob, None), ["", "next"]);
}

/// What is said about a message that waits goes out after it, and a kill loses none of it.
#[test]
fn what_is_said_offline_goes_out_in_its_order() {
    let (mut town, [alice, laptop, desktop]) = three_devices();
    town.send(alice, "bob", "hello");
    town.set_online(laptop, false);
    town.command(laptop, Command::Send { to: "alice".to_owned(), text: "at fixe".to_owned() });
    let message = id_of(&town, laptop, "at fixe");
    town.command(laptop, edit(&message, "at five"));
    town.restart(laptop);
    town.command(laptop, Command::Send { to: "alice".to_owned(), text: "oh no".to_owned() });
    let other = id_of(&town, laptop, "oh no");
    town.command(laptop, delete(&other));
    town.restart(laptop);
    town.set_online(laptop, true);
    town.settle();
    town.pass_ms(60_000);
    for who in [alice, laptop, desktop] {
        assert_eq!(town.texts(who, None), ["hello", "at five", ""]);
    }
}
