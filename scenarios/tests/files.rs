//! Files from one device to all others: on the way again and again, gone, changed, and on devices that come later. Rules
//! BLB-3 to BLB-6, BLB-10.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::BTreeSet;

use client::query::{self, FileRow, MessageRow};
use client::step::{Command, Event};
use client::transfer::{Forgotten, LocalFile};
use protocol::api::blobs::{BLOB_KEPT_S, BLOBS};
use protocol::content::Preview;
use scenarios::town::{Town, Weather, Who};

const DAY_MS: u64 = 86_400_000;

fn picture(length: usize) -> Vec<u8> {
    (0..length).map(|at| u8::try_from(at % 239).unwrap()).collect()
}

fn send(to: &str, text: &str, file: LocalFile) -> Command {
    Command::SendFile { to: to.to_owned(), text: text.to_owned(), file }
}

fn save(row: &MessageRow, path: &str) -> Command {
    Command::SaveFile { message: row.message, path: path.to_owned(), replace: false }
}

/// The messages of a device that have a file.
fn files(town: &Town, who: Who) -> Vec<MessageRow> {
    town.messages(who).into_iter().filter(|row| row.file.is_some()).collect()
}

fn is_done(events: &[Event]) -> bool {
    events.iter().any(|event| matches!(event, Event::Done { .. }))
}

fn failed(events: &[Event]) -> Option<&str> {
    events.iter().find_map(|event| match event {
        Event::Failed { failure, .. } => Some(failure.code.as_str()),
        _ => None,
    })
}

/// Requests about blobs so far.
fn pieces(town: &Town) -> usize {
    town.asked.iter().filter(|(_, path)| path.starts_with(BLOBS)).count()
}

fn fetched(town: &mut Town, who: Who, length: usize) {
    let row = files(town, who).pop().unwrap();
    let events = town.wish(who, save(&row, "/saved"));
    assert!(is_done(&events), "{events:?}");
    assert!(town.file(who, "/saved") == Some(&picture(length)));
}

#[test]
fn a_file_comes_to_all_devices_of_both_and_to_those_that_come_later() {
    let mut town = Town::new();
    let (bob, alice) = (town.sign_up("bob"), town.sign_up("alice"));
    let desktop = town.add_device("bob", bob, false);
    let tablet = town.add_device("alice", alice, false);
    let mut file = town.put_file(alice, "/home/alice/island.png", &picture(3_000_000));
    // BLB-10: its preview goes with the message, wherever that comes
    let like = Preview::new(4_000, 3_000, vec![7; 24]);
    assert!(like.is_some());
    file.preview = like.clone();
    let events = town.wish(alice, send("bob", "us, on the island", file));
    assert!(is_done(&events), "{events:?}");
    for who in [bob, desktop, alice, tablet] {
        let [row] = &files(&town, who)[..] else { panic!("one file") };
        assert_eq!(row.text, "us, on the island");
        let FileRow { name, length, content_type, inline, expires_s, preview } = row.file.clone().unwrap();
        assert_eq!(preview, like);
        assert_eq!(
            (name.as_str(), length, content_type.as_str(), inline),
            ("island.png", 3_000_000, "image/png", true)
        );
        assert!(expires_s.unwrap() >= town.now_ms() / 1_000 + BLOB_KEPT_S - 60);
        fetched(&mut town, who, 3_000_000);
    }
    town.send(bob, "alice", "lovely");
    let later = town.add_device("bob", bob, true);
    town.pass_ms(60_000);
    assert_eq!(town.texts(later, None), ["us, on the island", "lovely"]);
    assert_eq!(files(&town, later)[0].file.as_ref().unwrap().preview, like);
    fetched(&mut town, later, 3_000_000);
    let found = query::Wanted { words: "ISLAND.png", with: None, from: None, limit: 5 };
    let found = town.read(later, |store| query::search(store, &found)).unwrap();
    assert_eq!(found.rows.len(), 1, "it is found by its name");
}

/// BLB-5: killed, cut off, restarted on both sides: no message before the file is whole, and then one.
#[test]
fn an_upload_outlives_everybody_and_the_message_goes_when_it_is_whole() {
    let mut town = Town::new();
    let (bob, alice) = (town.sign_up("bob"), town.sign_up("alice"));
    let file = town.put_file(alice, "/big", &picture(20_000_000));
    town.pieces = Some(3);
    town.wish(alice, send("bob", "", file));
    assert!(files(&town, bob).is_empty() && files(&town, alice).is_empty());
    town.restart(alice);
    town.pieces = Some(2);
    town.settle();
    town.restart_service();
    town.weather = Weather::AnswersLost;
    town.pieces = None;
    town.settle();
    assert!(files(&town, bob).is_empty());
    town.weather = Weather::Fine;
    town.restart(alice);
    town.pass_ms(60_000);
    assert_eq!(files(&town, alice).len(), 1);
    fetched(&mut town, bob, 20_000_000);
}

/// BLB-6: a download goes on where it was, not from the beginning.
#[test]
fn a_download_outlives_everybody() {
    let mut town = Town::new();
    let (bob, alice) = (town.sign_up("bob"), town.sign_up("alice"));
    let file = town.put_file(alice, "/big", &picture(20_000_000));
    town.wish(alice, send("bob", "", file));
    let row = files(&town, bob).pop().unwrap();
    let before = pieces(&town);
    for _ in 0..3 {
        town.pieces = Some(5);
        town.wish(bob, save(&row, "/saved"));
        town.restart(bob);
        town.restart_service();
    }
    assert!(town.file(bob, "/saved").is_none());
    town.pieces = None;
    town.pass_ms(60_000);
    assert!(town.file(bob, "/saved") == Some(&picture(20_000_000)));
    assert!(pieces(&town) - before < 35, "{} pieces of 20", pieces(&town) - before);
}

/// BLB-3: another file is never sealed by the key of the first.
#[test]
fn a_file_that_changes_under_way_is_not_sent() {
    let mut town = Town::new();
    let (bob, alice) = (town.sign_up("bob"), town.sign_up("alice"));
    let file = town.put_file(alice, "/diary", &picture(20_000_000));
    town.pieces = Some(3);
    town.command(alice, send("bob", "", file));
    town.settle();
    let mut other = picture(20_000_000);
    other[19_999_999] ^= 1;
    town.put_file(alice, "/diary", &other);
    town.pieces = None;
    town.restart(alice);
    town.pass_ms(60_000);
    assert_eq!(failed(town.events(alice)), Some("file.changed"));
    assert!(files(&town, bob).is_empty());
    assert_eq!(town.read(alice, query::outgoing_files), []);
    // what was added behind its end since is not of the file that was sent
    town.files.clear();
    let file = town.put_file(alice, "/log", &picture(3_000_000));
    town.put_file(alice, "/log", &picture(3_000_001));
    town.wish(alice, send("bob", "", file));
    fetched(&mut town, bob, 3_000_000);
}

#[test]
fn what_was_stopped_is_not_sent_and_not_saved() {
    let mut town = Town::new();
    let (bob, alice) = (town.sign_up("bob"), town.sign_up("alice"));
    let file = town.put_file(alice, "/big", &picture(20_000_000));
    town.pieces = Some(2);
    let intent = town.command(alice, send("bob", "", file.clone())).unwrap();
    town.settle();
    assert_eq!(town.read(alice, query::outgoing_files).len(), 1);
    let events = town.wish(alice, Command::CancelFile { intent });
    assert_eq!(failed(&events), Some("file.cancelled"));
    assert_eq!(town.read(alice, query::outgoing_files), []);
    assert_eq!(town.forgotten(alice), [Forgotten::Source("/big".to_owned())], "nobody wants it any more");
    town.pieces = None;
    town.pass_ms(120_000);
    assert!(files(&town, bob).is_empty());
    // a text is not a file
    town.weather = Weather::Down;
    let text = Command::Send { to: "bob".to_owned(), text: "hello".to_owned() };
    let intent = town.command(alice, text).unwrap();
    town.wish(alice, Command::CancelFile { intent });
    town.weather = Weather::Fine;
    town.pass_ms(60_000);
    assert_eq!(town.texts(bob, None), ["hello"]);
}

/// BLB-6: after 60 days the message is there and the file is not, and that is said.
#[test]
fn a_file_whose_time_is_over_is_said_to_be_gone() {
    let mut town = Town::new();
    let (bob, alice) = (town.sign_up("bob"), town.sign_up("alice"));
    let file = town.put_file(alice, "/small", b"hello");
    town.wish(alice, send("bob", "look", file));
    let row = files(&town, bob).pop().unwrap();
    for who in [alice, bob] {
        town.set_online(who, false);
    }
    town.pass_ms(BLOB_KEPT_S * 1_000 + DAY_MS);
    town.set_online(bob, true);
    town.settle();
    let events = town.wish(bob, save(&row, "/saved"));
    assert_eq!(failed(&events), Some("blob.gone"));
    assert!(town.file(bob, "/saved").is_none());
    assert_eq!(town.texts(bob, None), ["look"]);
}

/// Whom it is for is known before anything is sent; and what no message has cannot be saved.
#[test]
fn a_file_for_nobody_stays_where_it_is() {
    let mut town = Town::new();
    let alice = town.sign_up("alice");
    let file = town.put_file(alice, "/small", b"hello");
    let before = pieces(&town);
    assert_eq!(failed(&town.wish(alice, send("nobody", "", file.clone()))), Some("handle.unknown"));
    assert_eq!(pieces(&town), before);
    assert!(is_done(&town.wish(alice, send("alice", "to myself", file))));
    let mut row = files(&town, alice).pop().unwrap();
    row.message.0[0] ^= 1;
    assert_eq!(failed(&town.wish(alice, save(&row, "/saved"))), Some("file.unknown"));
}

/// BLB-8: whoever has it is told to keep nothing of it when its message is taken back, or gone; of the others nothing goes.
#[test]
fn what_is_kept_goes_with_its_message() {
    let mut town = Town::new();
    let (bob, alice) = (town.sign_up("bob"), town.sign_up("alice"));
    let desktop = town.add_device("bob", bob, false);
    for name in ["/a", "/b"] {
        let file = town.put_file(alice, name, b"hello");
        town.wish(alice, send("bob", "", file));
    }
    let [first, second] = &files(&town, bob)[..] else { panic!("two files") };
    let (first, second) = (first.message, second.message);
    let both = BTreeSet::from([first, second]);
    assert_eq!(town.read(bob, |store| query::with_files(store, &both)), both);
    assert!(is_done(&town.wish(bob, Command::KeepFile(first))));
    town.wish(alice, Command::Delete { message: first.to_string() });
    town.pass_ms(1_000);
    let sources = ["/a", "/b"].map(|path| Forgotten::Source(path.to_owned()));
    assert_eq!(
        town.forgotten(alice),
        [&sources[..], &[Forgotten::Message(first)]].concat(),
        "what is sent is not needed"
    );
    for who in [bob, desktop] {
        assert_eq!(town.forgotten(who), [Forgotten::Message(first)]);
    }
    for who in [alice, bob, desktop] {
        assert_eq!(town.read(who, |store| query::with_files(store, &both)), BTreeSet::from([second]));
    }
    town.wish(bob, Command::SetTimer { chat: "alice".to_owned(), seconds: 60 });
    town.pass_ms(1_000);
    let file = town.put_file(alice, "/c", b"hello");
    town.wish(alice, send("bob", "", file));
    let third = files(&town, bob).pop().unwrap().message;
    town.command(bob, Command::MarkRead { with: "alice".to_owned() });
    town.pass_ms(120_000);
    for who in [alice, bob, desktop] {
        let forgotten = town.forgotten(who).into_iter().filter(|it| !matches!(it, Forgotten::Source(_)));
        assert_eq!(forgotten.collect::<Vec<_>>(), [Forgotten::Message(third)]);
    }
    assert_eq!(failed(&town.wish(bob, Command::KeepFile(third))), Some("file.unknown"));
}
