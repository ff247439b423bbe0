//! Search over what a device has (story 5): by words, newest first, with what was looked through; nothing of it can be read
//! from the disk.

use client::query::{self, Found, Unknown, Wanted};
use client::step::Command;
use rusqlite::Connection;
use scenarios::town::{Town, Who};

/// More than what is kept together at a time.
const MANY: usize = 150;

fn wanted(words: &str) -> Wanted<'_> {
    Wanted { words, with: None, from: None, limit: 1_000 }
}

fn search(town: &Town, who: Who, wanted: Wanted<'_>) -> Result<Found, Unknown> {
    town.read(who, |store| query::search(store, &wanted))
}

fn texts(town: &Town, who: Who, wanted: Wanted<'_>) -> Vec<String> {
    search(town, who, wanted).unwrap().rows.into_iter().map(|row| row.text).collect()
}

/// Alice and Bob have written so many messages to each other.
fn with(count: usize) -> (Town, Who, Who) {
    let mut town = Town::new();
    let (alice, bob) = (town.sign_up("alice"), town.sign_up("bob"));
    town.send(alice, "bob", "Number 0: Ärger mit ΟΔΟΣ");
    for number in 1..count {
        let (who, to) = if number % 2 == 0 { (alice, "bob") } else { (bob, "alice") };
        town.command(who, Command::Send { to: to.to_owned(), text: format!("Number {number}: tea") });
    }
    town.settle();
    (town, alice, bob)
}

/// How many pieces of texts a device keeps together.
fn pieces(town: &Town, device: usize) -> usize {
    let db = Connection::open(town.path(&format!("device-{device}.sqlite"))).unwrap();
    db.query_row("SELECT count(*) FROM kept WHERE space = 'search'", [], |row| row.get(0)).unwrap()
}

#[test]
fn words_are_found_in_any_case_among_old_and_new_messages() {
    let (mut town, alice, bob) = with(MANY);
    assert_eq!((pieces(&town, 0), pieces(&town, 1)), (1, 1));
    for (words, count) in
        [("TEA", MANY - 1), ("number 14", 12), ("14 NUMBER tea", 12), ("number 149:", 1), ("coffee", 0)]
    {
        let found = search(&town, bob, wanted(words)).unwrap();
        assert_eq!((found.rows.len(), found.found), (count, count as u64), "{words}");
        assert_eq!((found.messages, found.complete), (MANY as u64, true));
    }
    assert_eq!(texts(&town, alice, wanted("ärger οδος")).len(), 1);
    // newest first, as they stand in the conversation, and no more than wanted
    let mut all = town.texts(bob, Some("alice"));
    all.reverse();
    assert_eq!(texts(&town, bob, wanted("number")), all);
    let three = search(&town, bob, Wanted { limit: 3, ..wanted("number") }).unwrap();
    assert_eq!((three.rows.len(), three.found), (3, MANY as u64));
    assert_eq!(three.rows.iter().map(|row| row.text.clone()).collect::<Vec<_>>(), all[..3]);
    let oldest = town.read(bob, |store| query::messages(store, None, 1_000)).remove(0);
    assert_eq!(three.since_ms, Some(oldest.sent_at_ms));
    // what is written now is found at once
    town.send(alice, "bob", "Coffee!");
    assert_eq!(texts(&town, bob, wanted("coffee")), ["Coffee!"]);
}

#[test]
fn a_search_keeps_to_a_conversation_and_to_a_writer() {
    let (mut town, alice, bob) = with(MANY);
    town.sign_up("carol");
    town.send(bob, "carol", "tea with Carol?");
    town.send(bob, "bob", "buy tea");
    let of = |with, from| search(&town, bob, Wanted { with, from, ..wanted("tea") }).map(|found| found.found);
    let count = MANY as u64;
    assert_eq!(of(None, None), Ok(count + 1));
    assert_eq!(of(Some("alice"), None), Ok(count - 1));
    assert_eq!((of(Some("carol"), None), of(Some("bob"), None)), (Ok(1), Ok(1)));
    assert_eq!((of(None, Some("alice")), of(None, Some("bob"))), (Ok(count / 2 - 1), Ok(count / 2 + 2)));
    assert_eq!(of(Some("carol"), Some("alice")), Ok(0));
    assert_eq!(
        (of(Some("nobody"), None), of(None, Some("nobody"))),
        (Err(Unknown::Conversation), Err(Unknown::Person))
    );
    let covered = search(&town, bob, Wanted { with: Some("carol"), ..wanted("tea") }).unwrap();
    assert_eq!(covered.messages, 1);
    // she has got nothing of what he wrote to others
    assert_eq!(search(&town, alice, wanted("tea")).unwrap().found, count - 1);
}

/// Old messages come newest first; they are found in their order all the same, and while some are missing that is said.
#[test]
fn a_new_device_finds_old_messages_and_says_when_some_are_missing() {
    let (mut town, alice, laptop) = with(MANY);
    let desktop = town.device();
    town.wish(desktop, Command::LogIn(Town::joining("bob")));
    let (code, _) = town.read(desktop, query::code).unwrap();
    let device = town.id(desktop);
    town.command(laptop, Command::Confirm { device, code, history: true });
    while !town.read(desktop, query::history).is_some_and(|row| row.granted) {
        assert!(town.exchange());
    }
    assert!(!search(&town, desktop, wanted("tea")).unwrap().complete);
    town.settle();
    town.pass_ms(5_000);
    let found = search(&town, desktop, wanted("number")).unwrap();
    assert_eq!((found.found, found.messages, found.complete), (MANY as u64, MANY as u64, true));
    assert_eq!(pieces(&town, 2), 1);
    let mut all = town.texts(laptop, Some("alice"));
    all.reverse();
    assert_eq!(texts(&town, desktop, wanted("number")), all);
    town.send(alice, "bob", "number next");
    assert_eq!(texts(&town, desktop, wanted("number"))[0], "number next");
}

/// What a device that was taken out has read stays, and can be found.
#[test]
fn a_removed_device_still_finds_what_it_has() {
    let (mut town, _, bob) = with(MANY);
    let second = town.add_device("bob", bob, true);
    town.settle();
    let device = town.id(second);
    town.wish(bob, Command::Remove { device });
    // its socket is cut off, and it looks
    town.pass_ms(61_000);
    town.set_online(second, true);
    town.settle();
    assert_eq!(town.read(second, |store| query::status(store, 0)).phase, query::Phase::Ended);
    assert_eq!(pieces(&town, 2), 1);
    assert_eq!(search(&town, second, wanted("tea")).unwrap().found, MANY as u64 - 1);
}

/// Attack 62: neither a text nor how it is compared stands in the file.
#[test]
fn no_text_stands_on_the_disk_for_being_searched() {
    let (town, ..) = with(MANY);
    assert_eq!(pieces(&town, 0), 1);
    for end in ["", "-wal"] {
        let bytes = std::fs::read(town.path(&format!("device-0.sqlite{end}"))).unwrap();
        for text in ["Number 7: tea", "number 7: tea", ": tea"] {
            assert!(!bytes.windows(text.len()).any(|window| window == text.as_bytes()), "{text}");
        }
    }
}
