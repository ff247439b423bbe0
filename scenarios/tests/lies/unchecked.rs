//! A service that keeps back what would show that its record is in order, and what it gains by that: it can keep what is written
//! from going, and for a day, or for as long as a person says so, a removal from being seen. Rules CHK-5, CHK-9; attacks 17, 18.

use client::query::{self, ConversationRow, MessageRow, MessageState, Phase};
use client::step::{Answer, Blame, Command, Event, Failure};
use protocol::api::ACCOUNTS;
use scenarios::town::{Town, Who};

use crate::{account, contact, is_done, newest, reasons, send, sleep, stranger, two};

const HOUR_MS: u64 = 3_600_000;
const DAY_S: u64 = 86_400;

fn go_on(town: &Town) {
    assert_eq!(town.ask(&stranger()).unwrap().0, 200);
}

/// Nobody's record moves for those.
fn withhold(town: &mut Town, from: &[Who]) {
    let frozen = town.second_face();
    town.liar.show(frozen, from);
}

/// All of it is shown again.
fn show(town: &mut Town) {
    town.liar.stop();
    go_on(town);
    town.pass_ms(61_000);
}

fn failure(events: &[Event]) -> Failure {
    let found = events.iter().find_map(|event| match event {
        Event::Failed { failure, .. } | Event::Held { failure, .. } => Some(failure.clone()),
        _ => None,
    });
    found.unwrap_or_else(|| panic!("{events:?}"))
}

fn conversation(town: &Town, who: Who, with: &str) -> ConversationRow {
    let rows = town.read(who, query::conversations);
    rows.into_iter().find(|row| row.title == with).unwrap()
}

fn unchecked(to: &str) -> Command {
    Command::SendUnchecked { to: to.to_owned() }
}

fn written(town: &Town, who: Who, text: &str) -> MessageRow {
    let rows = town.read(who, |store| query::messages(store, None, 50));
    rows.into_iter().find(|row| row.text == text).unwrap_or_else(|| panic!("{text} is not there"))
}

/// CHK-9: it waits and says since when; what was decided holds for one conversation; whoever reads his own message sees that it went
/// only to devices that were checked before.
#[test]
fn what_waits_says_since_when_and_goes_where_a_person_says_so() {
    let (mut town, alice, bob) = two();
    let carol = town.sign_up("carol");
    town.send(alice, "carol", "one for carol");
    withhold(&mut town, &[alice]);
    sleep(&mut town, 26 * HOUR_MS);
    let why = failure(&town.send(alice, "bob", "three"));
    let said = "the public record couldn't be checked for 26 hours, so your message waits here";
    assert_eq!((why.code.as_str(), why.blame, why.message.as_str()), ("chain.stale", Blame::Waiting, said));
    assert_eq!(reasons(&town.send(alice, "carol", "two for carol")), ["chain.stale"]);
    let row = conversation(&town, alice, "bob");
    let since_s = row.stale_since_s.unwrap();
    let hours = (town.now_ms() / 1_000 - since_s) / 3_600;
    assert_eq!((hours, row.unchecked), (26, false));

    town.wish(alice, unchecked("bob"));
    town.pass_ms(61_000);
    assert_eq!(town.texts(bob, None), ["one", "two", "three"]);
    let row = written(&town, alice, "three");
    assert_eq!(row.encrypted_to, [town.id(bob)]);
    assert_eq!(row.unchecked_s.unwrap() / 3_600, 26);
    assert!(conversation(&town, alice, "bob").unchecked);
    // a restart is no other decision, and no other conversation is meant
    town.restart(alice);
    town.settle();
    assert!(is_done(&town.send(alice, "bob", "four")));
    assert_eq!(town.texts(carol, None), ["one for carol"]);
    assert!(!conversation(&town, alice, "carol").unchecked);

    show(&mut town);
    assert_eq!(town.texts(carol, None), ["one for carol", "two for carol"]);
    for with in ["bob", "carol"] {
        let row = conversation(&town, alice, with);
        assert_eq!((row.stale_since_s, row.unchecked), (None, false), "{with}");
    }
    assert!(is_done(&town.send(alice, "bob", "five")));
    assert_eq!(written(&town, alice, "five").unchecked_s, None);
}

/// CHK-5: for a day it goes to known devices, with a quiet mark, and nobody has to decide anything.
#[test]
fn known_devices_get_it_for_a_day_with_a_quiet_mark() {
    let (mut town, alice, bob) = two();
    withhold(&mut town, &[alice]);
    sleep(&mut town, 20 * HOUR_MS);
    assert!(is_done(&town.send(alice, "bob", "three")));
    assert_eq!(town.texts(bob, None), ["one", "two", "three"]);
    let age_s = written(&town, alice, "three").unchecked_s.unwrap();
    assert!((20 * 3_600..DAY_S).contains(&age_s), "{age_s}");
    let row = conversation(&town, alice, "bob");
    assert_eq!((row.stale_since_s, row.unchecked), (None, false));
    assert_eq!(written(&town, bob, "two").unchecked_s, None);
}

/// CHK-5: the same where nothing that the service says of the record can be believed, from the beginning.
#[test]
fn known_devices_get_it_for_a_day_while_the_record_is_spoiled() {
    let (mut town, alice, bob) = two();
    town.liar.change_answers(move |who, call, answer| match answer {
        Answer::Ok(_) if who == alice && call.path.starts_with(ACCOUNTS) => Answer::Ok(b"{}".to_vec()),
        answer => answer,
    });
    for (hours, text) in [(2, "three"), (18, "four")] {
        sleep(&mut town, hours * HOUR_MS);
        town.send(alice, "bob", text);
        town.pass_ms(61_000);
        let row = written(&town, alice, text);
        assert_ne!(row.state, MessageState::Waiting, "{text}");
        assert!((hours * 3_600..DAY_S).contains(&row.unchecked_s.unwrap()), "{:?}", row.unchecked_s);
    }
    assert_eq!(town.texts(bob, None), ["one", "two", "three", "four"]);
    sleep(&mut town, 6 * HOUR_MS);
    town.send(alice, "bob", "five");
    town.pass_ms(61_000);
    assert_eq!(written(&town, alice, "five").state, MessageState::Waiting);
}

/// CHK-9: a decision is about what waits now. Made in advance, it would be there when somebody makes use of it.
#[test]
fn a_decision_made_in_advance_is_none() {
    let (mut town, alice, bob) = two();
    assert_eq!(failure(&town.wish(alice, unchecked("bob"))).code, "chain.checked");
    withhold(&mut town, &[alice]);
    sleep(&mut town, 20 * HOUR_MS);
    assert!(is_done(&town.send(alice, "bob", "three")));
    assert_eq!(failure(&town.wish(alice, unchecked("bob"))).code, "chain.checked");
    sleep(&mut town, 6 * HOUR_MS);
    assert_eq!(reasons(&town.send(alice, "bob", "four")), ["chain.stale"]);
    assert_eq!(failure(&town.wish(alice, unchecked("nobody"))).code, "chain.checked");
    assert_eq!(town.texts(bob, None), ["one", "two", "three"]);
}

/// Attack 17, CHK-9: what a service gains that withholds, if somebody decides to write all the same. A device that was removed
/// meanwhile still gets it, since nobody can see that; nothing else: no device that came meanwhile, no other person, no fresh handle.
#[test]
fn a_decision_lets_in_nobody_new() {
    let (mut town, alice, bob) = two();
    town.sign_up("carol");
    let old = town.add_device("bob", bob, false);
    town.send(alice, "bob", "three");
    withhold(&mut town, &[alice]);
    town.set_online(alice, false);
    let removed = town.id(old);
    assert!(is_done(&town.wish(bob, Command::Remove { device: removed })));
    let new = town.add_device("bob", bob, false);
    town.pass_ms(26 * HOUR_MS);
    town.set_online(alice, true);
    town.pass_ms(31_000);
    town.command(alice, send("bob", "four"));
    town.settle();
    town.wish(alice, unchecked("bob"));
    town.pass_ms(120_000);
    let row = written(&town, alice, "four");
    // as far as she knows; and his devices have let the new one in meanwhile, so the service does not even take it
    let known = [town.id(bob), removed];
    assert!(!row.encrypted_to.is_empty(), "it was decided");
    assert!(row.encrypted_to.iter().all(|it| known.contains(it)), "a new device is believed without the record");
    assert_eq!(row.state, MessageState::Waiting);
    assert!(!town.texts(new, None).contains(&"four".to_owned()));
    // nobody new, by whatever name
    assert_eq!(reasons(&town.wish(alice, contact("carol"))), ["chain.stale"]);
    assert_eq!(failure(&town.send(alice, "carol", "to you?")).code, "chain.unchecked");
    assert_eq!(failure(&town.wish(alice, unchecked("carol"))).code, "chain.checked");
    // and when it is shown again, it goes to those whom the record names
    show(&mut town);
    town.pass_ms(61_000);
    assert_ne!(written(&town, alice, "four").state, MessageState::Waiting);
    assert!(town.texts(bob, None).contains(&"four".to_owned()));
    assert!(is_done(&town.send(alice, "bob", "five")));
    let row = written(&town, alice, "five");
    assert!(!row.encrypted_to.contains(&removed) && row.encrypted_to.contains(&town.id(new)), "{:?}", row.encrypted_to);
}

/// The same of a fresh identity: a reset that was carried out meanwhile is not believed, and nothing goes to it.
#[test]
fn a_decision_brings_no_fresh_identity() {
    let (mut town, alice, bob) = two();
    town.set_online(bob, false);
    let fresh = town.device();
    assert!(is_done(&town.wish(fresh, Command::Reset(Town::joining("bob")))));
    withhold(&mut town, &[alice]);
    for _ in 0..76 {
        go_on(&town);
        town.pass_ms(HOUR_MS);
    }
    let phase = town.read(fresh, |store| query::status(store, town.now_ms())).phase;
    assert_eq!(phase, Phase::Confirmed);
    town.command(alice, send("bob", "for whom?"));
    town.settle();
    town.wish(alice, unchecked("bob"));
    town.command(alice, Command::AcceptReset { handle: "bob".to_owned() });
    town.pass_ms(120_000);
    assert!(town.texts(fresh, None).is_empty());
    let row = written(&town, alice, "for whom?");
    assert!(!row.encrypted_to.contains(&town.id(fresh)));
}

/// CHK-9, story 15: what is written to somebody new is kept, says why it waits, survives a restart and goes by itself.
#[test]
fn a_message_to_somebody_new_waits_for_the_record() {
    let (mut town, alice, _) = two();
    let carol = town.sign_up("carol");
    withhold(&mut town, &[alice]);
    sleep(&mut town, 26 * HOUR_MS);
    let why = failure(&town.send(alice, "carol", "hello"));
    let said = "we can't check carol's devices against the public record right now, so your message is waiting here";
    assert_eq!((why.code.as_str(), why.blame, why.message.as_str()), ("chain.unchecked", Blame::Waiting, said));
    assert_eq!(town.read(alice, |store| query::status(store, 0)).waiting, 1);
    assert!(town.texts(carol, None).is_empty());
    town.restart(alice);
    town.settle();
    assert!(town.texts(carol, None).is_empty());
    show(&mut town);
    assert_eq!(town.texts(carol, None), ["hello"]);
    assert_ne!(newest(&town, alice).state, MessageState::Waiting);
    assert_eq!(town.read(alice, |store| query::status(store, 0)).waiting, 0);
}

/// CHK-9: Bob's new device has come into the conversation, and what proves it is kept back. What Alice writes waits and says so, also
/// within the day.
#[test]
fn a_message_behind_a_new_device_waits_for_the_record() {
    let (mut town, alice, bob) = two();
    withhold(&mut town, &[alice]);
    sleep(&mut town, 2 * HOUR_MS);
    let desktop = town.add_device("bob", bob, false);
    assert!(is_done(&town.send(desktop, "alice", "from the desktop")));
    town.pass_ms(61_000);
    let mut events = town.send(alice, "bob", "three");
    town.pass_ms(61_000);
    events.extend(town.events(alice).iter().cloned());
    let codes = reasons(&events);
    assert!(codes.contains(&"chain.unchecked".to_owned()), "{codes:?}");
    assert!(!town.texts(bob, None).contains(&"three".to_owned()));
    show(&mut town);
    town.pass_ms(61_000);
    for who in [bob, desktop] {
        assert!(town.texts(who, None).contains(&"three".to_owned()), "{:?}", town.texts(who, None));
    }
}

/// Attack 18, CHK-5: the record goes on for Alice, and what is said of Bob alone is spoiled. For a day he is known well enough, not
/// for as long as others can be looked at.
#[test]
fn answers_about_one_person_that_are_spoiled_hold_up_what_goes_to_him() {
    let (mut town, alice, bob) = two();
    town.sign_up("carol");
    town.send(alice, "carol", "one for carol");
    let bobs = format!("{ACCOUNTS}{}", account(&town, bob));
    town.liar.change_answers(move |who, call, answer| match answer {
        Answer::Ok(_) if who == alice && call.path.starts_with(&bobs) => Answer::Ok(b"{}".to_vec()),
        answer => answer,
    });
    for _ in 0..30 {
        go_on(&town);
        sleep(&mut town, HOUR_MS);
        // others are looked at all the while
        town.command(alice, send("carol", "on"));
        town.settle();
    }
    let status = town.read(alice, |store| query::status(store, town.now_ms()));
    assert_ne!(status.freshness, "stale", "the record itself is there");
    let held = town.send(alice, "bob", "three");
    town.pass_ms(61_000);
    let mut codes = reasons(&held);
    codes.extend(reasons(town.events(alice)));
    assert!(codes.contains(&"chain.stale".to_owned()), "{codes:?}");
    assert!(!town.texts(bob, None).contains(&"three".to_owned()));
    show(&mut town);
    assert!(town.texts(bob, None).contains(&"three".to_owned()));
}
