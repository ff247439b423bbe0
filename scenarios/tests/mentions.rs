//! Whom messages mention: who is meant, who is told, and what a member can make of it. Rules MEN-1 to MEN-4.

use chain::id::AccountId;
use client::query::{self, MessageRow};
use client::step::{Arrangement, Command};
use protocol::content::{Content, Mention, Part, pad};
use protocol::people::Decision;
use scenarios::impostor::Impostor;
use scenarios::people::random;
use scenarios::town::{Town, Who};

fn account(town: &Town, who: Who) -> AccountId {
    town.read(who, |store| query::status(store, 0)).account.unwrap()
}

/// Whom a message mentions in the eyes of a device: what stands there, and what he is called.
fn mentioned(town: &Town, who: Who, text: &str) -> Vec<(String, String)> {
    let row = town.messages(who).into_iter().find(|row| row.text == text).unwrap();
    let said = |row: &MessageRow, start: usize, end: usize| row.text[start..end].to_owned();
    row.mentions.iter().map(|it| (said(&row, it.start, it.end), it.handle.clone().unwrap_or_default())).collect()
}

/// True if the list of conversations says of this one that somebody waits there.
fn is_waited_for(town: &Town, who: Who, title: &str) -> bool {
    town.read(who, query::conversations).into_iter().any(|row| row.title == title && row.mentioned)
}

fn arrange(town: &mut Town, who: Who, arrangement: Arrangement) {
    town.wish(who, Command::Arrange { chat: "Three".to_owned(), arrangement });
}

fn read(town: &mut Town, who: Who) {
    town.wish(who, Command::MarkRead { with: "Three".to_owned() });
}

/// Somebody else than Alice, who has called the conversation so, says something there.
fn says(town: &mut Town, who: Who, text: &str) {
    let chat = town.read(who, query::conversations).into_iter().find(|row| row.title == "Three").unwrap();
    town.send(who, &chat.group.to_string(), text);
    assert!(town.texts(who, Some("Three")).contains(&text.to_owned()));
}

/// Alice, Bob and Carol in one conversation; Dave is not in it.
fn three() -> (Town, [Who; 3]) {
    let mut town = Town::new();
    let people = ["alice", "bob", "carol"].map(|handle| town.sign_up(handle));
    town.sign_up("dave");
    let with = vec!["bob".to_owned(), "carol".to_owned()];
    town.wish(people[0], Command::NewChat { title: "Three".to_owned(), with });
    (town, people)
}

/// MEN-2, MEN-3: on all devices of all members the same people are meant.
#[test]
fn whoever_is_named_behind_an_at_sign_is_mentioned() {
    let (mut town, [alice, bob, carol]) = three();
    let text = "@bob and @Carol, not @dave or a@bob";
    town.send(alice, "Three", text);
    let desktop = town.add_device("bob", bob, true);
    town.pass_ms(60_000);
    let expected = [("@bob".to_owned(), "bob".to_owned()), ("@Carol".to_owned(), "carol".to_owned())];
    for who in [alice, bob, carol, desktop] {
        assert_eq!(mentioned(&town, who, text), expected);
    }
    assert!(is_waited_for(&town, bob, "Three") && is_waited_for(&town, carol, "Three"));
    assert!(!is_waited_for(&town, alice, "Three"));
    // on the device that got it as an old message nothing is asked of anybody
    assert!(town.told(desktop).is_empty());
    read(&mut town, bob);
    assert!(!is_waited_for(&town, bob, "Three"));
}

/// MEN-4: a mention is heard where nothing else is, until it was read.
#[test]
fn whoever_is_mentioned_is_told_in_a_silent_conversation_too() {
    for arrangement in [Arrangement::Muted { until_ms: Some(u64::MAX) }, Arrangement::Archived(true)] {
        let (mut town, [alice, bob, _]) = three();
        town.send(alice, "Three", "welcome");
        read(&mut town, bob);
        arrange(&mut town, bob, arrangement);
        town.send(alice, "Three", "hello all");
        town.send(alice, "Three", "@carol, and you?");
        town.send(alice, "Three", "@bob?");
        assert_eq!(town.told(bob), ["@bob?"]);
        read(&mut town, bob);
        assert!(town.told(bob).is_empty());
    }
}

/// MEN-4: not by somebody who is blocked, and not after it was taken back.
#[test]
fn nobody_is_mentioned_by_whom_he_has_blocked() {
    let (mut town, [alice, bob, carol]) = three();
    let blocked = account(&town, carol);
    town.wish(bob, Command::Decide { account: blocked, decision: Decision::Blocked });
    says(&mut town, carol, "@bob @bob @bob");
    assert!(town.told(bob).is_empty() && !is_waited_for(&town, bob, "Three"));
    town.send(alice, "Three", "@bob, sorry");
    assert!(is_waited_for(&town, bob, "Three"));
    let message = town.messages(alice).into_iter().find(|row| row.text == "@bob, sorry").unwrap().message.to_string();
    town.wish(alice, Command::Delete { message });
    assert!(town.told(bob).is_empty() && !is_waited_for(&town, bob, "Three"));
}

/// MEN-4: whoever is mentioned more than once is waited for until none of it is left, and until he has read as far.
#[test]
fn a_mention_is_waited_for_though_a_newer_one_was_taken_back() {
    let (mut town, [alice, bob, carol]) = three();
    let take_back = |town: &mut Town, who: Who, text: &str| {
        let message = town.messages(who).into_iter().find(|row| row.text == text).unwrap().message.to_string();
        town.wish(who, Command::Delete { message });
    };
    town.send(alice, "Three", "@bob, first");
    says(&mut town, carol, "@bob, second");
    take_back(&mut town, carol, "@bob, second");
    assert!(is_waited_for(&town, bob, "Three"));
    take_back(&mut town, alice, "@bob, first");
    assert!(!is_waited_for(&town, bob, "Three"));
    says(&mut town, carol, "@bob, third");
    assert!(is_waited_for(&town, bob, "Three"));
    read(&mut town, bob);
    assert!(!is_waited_for(&town, bob, "Three"));
}

/// MEN-3, MEN-4: a changed message mentions whom its newest version does, and calls nobody.
#[test]
fn a_change_mentions_and_calls_nobody() {
    let (mut town, [alice, bob, carol]) = three();
    arrange(&mut town, bob, Arrangement::Muted { until_ms: Some(u64::MAX) });
    town.send(alice, "Three", "@carol, tea?");
    let message = town.messages(alice).into_iter().find(|row| row.text == "@carol, tea?").unwrap().message.to_string();
    town.wish(alice, Command::Edit { message, text: "tea, @bob?".to_owned() });
    for who in [alice, bob, carol] {
        assert_eq!(mentioned(&town, who, "tea, @bob?"), [("@bob".to_owned(), "bob".to_owned())]);
    }
    assert!(!is_waited_for(&town, bob, "Three"));
    let desktop = town.add_device("bob", bob, true);
    town.pass_ms(60_000);
    assert_eq!(mentioned(&town, desktop, "tea, @bob?").len(), 1, "old messages carry it");
}

/// MEN-1, MEN-3: a member mentions strangers, everybody, and what is not there; the texts are shown, and mention nobody.
#[test]
fn a_member_that_mentions_nonsense_is_shown_as_text() {
    let mut town = Town::new();
    let (alice, bob) = (town.sign_up("alice"), town.sign_up("bob"));
    let dave = town.sign_up("dave");
    let mallory = Impostor::sign_up(&town, "mallory");
    let with = vec!["bob".to_owned(), "mallory".to_owned()];
    town.wish(alice, Command::NewChat { title: "Three".to_owned(), with });
    let group = mallory.join(&town);
    town.send(alice, "Three", "welcome");
    read(&mut town, bob);
    let (bobs, stranger) = (account(&town, bob), account(&town, dave));
    let at = |start: usize, end: usize, account| Mention { start, end, account };
    let lists = [
        vec![at(0, 5, stranger)],
        vec![at(0, 5, AccountId([9; 32]))],
        vec![at(0, 500, bobs)],
        vec![at(4_000_000_000, 4_000_000_004, bobs)],
        vec![at(1, 3, bobs)],
        vec![at(0, 5, bobs), at(0, 5, bobs)],
        vec![at(0, 5, bobs); 1_200],
    ];
    let mut texts = vec!["welcome".to_owned()];
    for (number, mentions) in lists.into_iter().enumerate() {
        let text = format!("@dave {number}");
        texts.push(text.clone());
        let (salt, part) = (*random().first_chunk().unwrap(), Part::Text(text));
        let content = Content { mentions, ..Content::of(salt, part) };
        mallory.say(&town, &group, b"", &pad(&content.encode()).unwrap());
    }
    town.settle();
    for who in [alice, bob] {
        assert_eq!(town.texts(who, Some("Three")), texts);
        assert!(town.messages(who).iter().all(|row| row.mentions.is_empty()));
    }
    assert!(!is_waited_for(&town, bob, "Three"));
}

/// MEN-2: the longest text goes out whole, and mentions nobody.
#[test]
fn a_text_without_room_for_mentions_goes_without() {
    let (mut town, [alice, bob, _]) = three();
    let mut text = "@bob ".repeat(protocol::limits::MAX_TEXT / 5);
    text.push_str(&"x".repeat(protocol::limits::MAX_TEXT - text.len()));
    town.send(alice, "Three", &text);
    assert!(mentioned(&town, bob, &text).is_empty());
    town.send(alice, "Three", &"@bob ".repeat(60));
    assert_eq!(mentioned(&town, bob, &"@bob ".repeat(60)).len(), protocol::content::MAX_MENTIONS);
}
