//! Members who say of messages what is not theirs to say, or say it without end; and those who hope for an answer. Rules MSG-9 and
//! MSG-10; attacks 34, 57, 67.

use client::query::{self, MessageState};
use client::step::Command;
use protocol::content::{Content, MAX_RECEIPTS, Part, RECEIPTS, Receipt, encode_receipts, pad};
use protocol::id::{GroupId, MessageId};
use rusqlite::Connection;
use scenarios::impostor::Impostor;
use scenarios::people::random;
use scenarios::town::{Town, Who};

use crate::{is_done, newest, refused, two};

fn say(mallory: &Impostor, town: &Town, group: &GroupId, in_reply_to: Option<MessageId>, part: Part) {
    let salt = *random().first_chunk().unwrap();
    let content = Content { in_reply_to, ..Content::of(salt, part) };
    mallory.say(town, group, b"", &pad(&content.encode()).unwrap());
}

fn receipts(of: &[(MessageId, Receipt)]) -> Part {
    Part::Signal { content_type: RECEIPTS.to_owned(), bytes: encode_receipts(of) }
}

fn invented() -> MessageId {
    chain::id::Digest(random())
}

/// Rows of a device's database: all that it keeps.
fn rows(town: &Town, number: usize) -> i64 {
    let db = Connection::open(town.path(&format!("device-{number}.sqlite"))).unwrap();
    let count = "SELECT (SELECT count(*) FROM kept) + (SELECT count(*) FROM messages)";
    db.query_row(count, [], |row| row.get(0)).unwrap()
}

fn written(town: &Town, who: Who) -> usize {
    town.asked.iter().filter(|(by, path)| *by == who && path.ends_with("/messages")).count()
}

/// Alice and Bob in a conversation with Mallory, and what Alice and Bob have said there.
fn three() -> (Town, Who, Who, Impostor, GroupId, [MessageId; 2]) {
    let mut town = Town::new();
    let (alice, bob) = (town.sign_up("alice"), town.sign_up("bob"));
    let mallory = Impostor::sign_up(&town, "mallory");
    let with = vec!["bob".to_owned(), "mallory".to_owned()];
    town.wish(alice, Command::NewChat { title: "Three".to_owned(), with });
    let group = mallory.join(&town);
    assert!(is_done(&town.send(alice, "Three", "of alice")));
    assert!(is_done(&town.send(bob, &group.to_string(), "of bob")));
    town.pass_ms(60_000);
    let ids = ["of alice", "of bob"].map(|text| {
        let row = town.messages(alice).into_iter().find(|row| row.text == text).unwrap();
        row.message
    });
    (town, alice, bob, mallory, group, ids)
}

/// MSG-9: a member says it for its own account alone, of messages that another one wrote.
#[test]
fn nobody_says_for_another_that_he_has_read() {
    let (mut town, alice, bob, mallory, group, [of_alice, of_bob]) = three();
    for _ in 0..3 {
        say(&mallory, &town, &group, None, receipts(&[(of_alice, Receipt::Read), (of_bob, Receipt::Delivered)]));
    }
    town.settle();
    let found = |town: &Town, who, message| {
        let row = town.messages(who).into_iter().find(|row| row.message == message).unwrap();
        let said: Vec<_> = row.receipts.iter().map(|it| (it.from_handle.clone().unwrap(), it.receipt)).collect();
        (row.state, said)
    };
    let (state, said) = found(&town, alice, of_alice);
    assert_eq!(state, MessageState::Read, "bob wrote after it, and mallory said so");
    assert_eq!(said.len(), 2);
    let (state, said) = found(&town, bob, of_bob);
    assert_eq!(state, MessageState::Delivered, "alice has it, and mallory says so");
    assert!(said.contains(&("mallory".to_owned(), Receipt::Delivered)));
    // of each other's messages neither hears anything
    assert!(found(&town, alice, of_bob).1.is_empty() && found(&town, bob, of_alice).1.is_empty());
    // less than before is nothing new; her own word does not make bob's
    assert!(is_done(&town.send(alice, "Three", "again")));
    let again = town.messages(alice).into_iter().find(|row| row.text == "again").unwrap().message;
    town.set_online(bob, false);
    say(&mallory, &town, &group, None, receipts(&[(again, Receipt::Read)]));
    say(&mallory, &town, &group, None, receipts(&[(again, Receipt::Delivered)]));
    town.settle();
    let (state, said) = found(&town, alice, again);
    assert_eq!((state, said), (MessageState::Sent, vec![("mallory".to_owned(), Receipt::Read)]));
}

/// MSG-9, attack 57: receipts of messages that nobody has written, thousands of them, and bytes that are none, leave nothing behind
/// and are answered by nothing.
#[test]
fn receipts_of_nothing_cost_nothing() {
    let (mut town, alice, _, mallory, group, _) = three();
    say(&mallory, &town, &group, None, receipts(&[(invented(), Receipt::Read)]));
    town.settle();
    town.pass_ms(60_000);
    let (before, written_before) = (rows(&town, 0), written(&town, alice));
    for _ in 0..30 {
        let many: Vec<_> = (0..MAX_RECEIPTS).map(|_| (invented(), Receipt::Read)).collect();
        say(&mallory, &town, &group, None, receipts(&many));
    }
    for bytes in [Vec::new(), vec![0x80], vec![0x9f, 0xff], vec![7; 4_000]] {
        say(&mallory, &town, &group, None, Part::Signal { content_type: RECEIPTS.to_owned(), bytes });
    }
    town.settle();
    town.pass_ms(60_000);
    assert_eq!((rows(&town, 0), written(&town, alice)), (before, written_before));
    assert_eq!(town.texts(alice, None), ["of alice", "of bob"]);
    assert!(is_done(&town.send(alice, "Three", "still here")));
}

/// MSG-10, attack 67: what is said about messages that are not there is no question that a device answers: who is there stays
/// unknown to whoever asks so. A text of a member is answered once.
#[test]
fn silent_probing_is_answered_by_nothing() {
    let (mut town, alice, bob, mallory, group, [of_alice, _]) = three();
    let before = [written(&town, alice), written(&town, bob)];
    for number in 0..100 {
        let reaction = Part::reaction(number.to_string()).unwrap();
        let target = if number % 2 == 0 { invented() } else { of_alice };
        say(&mallory, &town, &group, Some(target), reaction);
    }
    for number in 0..20 {
        let part = Part::Unknown { disposition: 0, content_type: "text/probe".to_owned(), bytes: vec![number] };
        say(&mallory, &town, &group, None, part);
    }
    town.settle();
    town.pass_ms(600_000);
    assert_eq!([written(&town, alice), written(&town, bob)], before);
    // her receipts said before the conversation was anything to Bob are his word of hers, and nothing else
    say(&mallory, &town, &group, None, Part::text("a text").unwrap());
    town.settle();
    town.pass_ms(600_000);
    assert_eq!([written(&town, alice), written(&town, bob)], before.map(|count| count + 1));
    assert!(town.read(alice, query::notices).is_empty());
}

/// MSG-10, TXN-1: receipts that the service says not to take are said again once it does, less and less often until then, and never by
/// a commit.
#[test]
fn receipts_that_are_refused_are_said_again_and_make_no_commit() {
    for (code, hours, state) in [
        ("mls.stale_epoch", 0, MessageState::Delivered),
        ("mls.removed_leaf", 0, MessageState::Delivered),
        ("mls.stale_epoch", 4, MessageState::Sent),
    ] {
        let (mut town, alice, bob) = two();
        town.pass_ms(60_000);
        let before = written(&town, bob);
        town.liar
            .answer_instead(move |who, call| (who == bob && call.path.ends_with("/messages")).then(|| refused(code)));
        town.set_online(bob, false);
        assert!(is_done(&town.send(alice, "bob", "tea?")));
        town.set_online(bob, true);
        town.settle();
        town.pass_ms(60_000 + hours * 3_600_000);
        assert!((2..=12).contains(&(written(&town, bob) - before)), "{}", written(&town, bob) - before);
        assert_eq!(newest(&town, alice).state, MessageState::Sent);
        town.liar.stop();
        town.pass_ms(600_000);
        assert_eq!(newest(&town, alice).state, state);
        assert!(!town.asked.iter().any(|(who, path)| *who == bob && path.ends_with("/commits")));
    }
}
