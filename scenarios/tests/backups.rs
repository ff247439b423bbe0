//! A backup file comes back (story 20, lesson 11): on a new machine when all devices are lost, and after a reset. What is on the
//! disk and in sockets is in `days/backup_killed.rs`; here the file is a list of its parts. Rules BAK-3 to BAK-5.

use chain::id::{AccountId, DeviceId, PublicKey};
use client::query::{self, MessageRow, MessageState, Phase};
use client::step::{Command, Event, Secret};
use protocol::backup::{Owner, Part, Pile, settings_parts};
use protocol::content::{Content, Part as ContentPart};
use protocol::history::HistoryMessage;
use protocol::id::GroupId;
use protocol::recovery::{RANDOM, RecoveryKey};
use protocol::settings::{Setting, SettingKey};
use scenarios::people::Device;
use scenarios::town::{Town, Weather, Who};
use zeroize::Zeroizing;

const HOUR_MS: u64 = 3_600_000;

/// A file: whose it is, and its parts.
struct File {
    owner: Owner,
    parts: Vec<Part>,
}

impl File {
    fn of(town: &Town, who: Who) -> Self {
        let owner = town.read(who, query::backup_owner).unwrap();
        let mut parts = settings_parts(town.read(who, query::backed_up_settings));
        let mut pile = Pile::default();
        for message in messages(town, who) {
            parts.extend(pile.add(message));
        }
        parts.extend(pile.take());
        Self { owner, parts }
    }

    fn messages(&self) -> usize {
        let of = |part: &Part| if let Part::Messages(messages) = part { messages.len() } else { 0 };
        self.parts.iter().map(of).sum()
    }
}

/// What of a device goes into a file.
fn messages(town: &Town, who: Who) -> Vec<HistoryMessage> {
    let rows = town.read(who, |store| query::backup_rows(store, 0, 10_000));
    let rows: Vec<i64> = rows.into_iter().map(|it| it.row).collect();
    town.read(who, |store| query::backed_up_messages(store, &rows))
}

fn code(events: &[Event]) -> String {
    let of = |event: &Event| match event {
        Event::Failed { failure, .. } => Some(failure.code.clone()),
        _ => None,
    };
    events.iter().find_map(of).unwrap_or_default()
}

fn is_done(events: &[Event]) -> bool {
    events.iter().any(|event| matches!(event, Event::Done { .. }))
}

fn open(town: &mut Town, who: Who, owner: &Owner) -> Vec<Event> {
    town.wish(who, Command::OpenBackup { owner: owner.clone() })
}

/// Takes in a part; how many messages and settings were new.
fn take(town: &mut Town, who: Who, account: AccountId, part: Part) -> (u64, u64) {
    let events = town.wish(who, Command::TakeBackup { account, part });
    let of = |event: &Event| match event {
        Event::Backup { messages, settings, .. } => Some((*messages, *settings)),
        _ => None,
    };
    events.iter().find_map(of).unwrap_or_else(|| panic!("{events:?}"))
}

/// Takes in a file; how many messages were new.
fn import(town: &mut Town, who: Who, file: &File) -> u64 {
    assert!(is_done(&open(town, who, &file.owner)));
    let new = file.parts.iter().map(|part| take(town, who, file.owner.account, part.clone()).0).sum();
    finish(town, who);
    new
}

fn finish(town: &mut Town, who: Who) {
    loop {
        let events = town.wish(who, Command::FinishBackup);
        if events.iter().any(|event| matches!(event, Event::Backup { left: 0, .. })) {
            return;
        }
    }
}

fn rows(town: &Town, who: Who) -> Vec<MessageRow> {
    town.read(who, |store| query::messages(store, None, 10_000))
}

/// What has to be as it was: ids, conversations, writers, times and order.
fn essence(rows: &[MessageRow]) -> Vec<impl PartialEq + std::fmt::Debug + use<>> {
    rows.iter().map(|it| (it.message, it.group, it.from, it.device, it.sent_at_ms, it.text.clone())).collect()
}

fn phase(town: &Town, who: Who) -> Phase {
    town.read(who, |store| query::status(store, town.now_ms())).phase
}

/// Bob has written with Alice and Carol, in a conversation of three and to himself, and has compared Alice's code.
fn much() -> (Town, Who, Who, RecoveryKey) {
    let mut town = Town::new();
    let (alice, bob) = (town.sign_up("alice"), town.sign_up("bob"));
    town.sign_up("carol");
    for number in 0..20 {
        let (who, to) = if number % 2 == 0 { (bob, "alice") } else { (alice, "bob") };
        town.send(who, to, &format!("text {number}"));
        town.pass_ms(1_000);
    }
    let with = vec!["alice".to_owned(), "carol".to_owned()];
    assert!(is_done(&town.wish(bob, Command::NewChat { title: "the three".to_owned(), with })));
    town.send(bob, "the three", "to both");
    town.send(bob, "bob", "a note");
    let account = town.read(bob, query::contacts).into_iter().find(|row| row.handle == "alice").unwrap().account;
    town.wish(bob, Command::MarkVerified { account, verified: true });
    let paper = RecoveryKey::new(&Zeroizing::new([1; RANDOM]));
    let key = Some(PublicKey::from(&paper.signing_key()));
    assert!(is_done(&town.wish(bob, Command::SetRecoveryKey { key })));
    (town, alice, bob, paper)
}

/// Bob's only device is lost, and a new one comes in by the recovery key.
fn recovered(town: &mut Town, lost: Who, paper: &RecoveryKey) -> Who {
    town.set_online(lost, false);
    let fresh = town.device();
    town.wish(fresh, Command::LogIn(Town::joining("bob")));
    let words = paper.words().collect::<Vec<_>>().join(" ");
    assert!(is_done(&town.wish(fresh, Command::Recover { words: Secret(words.into()) })));
    fresh
}

/// Story 20: an empty machine, the recovery key and the file give the same history, and the conversations go on.
#[test]
fn all_devices_lost_and_the_file_kept() {
    let (mut town, alice, bob, paper) = much();
    let file = File::of(&town, bob);
    assert_eq!(file.messages(), 22);
    let fresh = recovered(&mut town, bob, &paper);
    assert!(town.texts(fresh, None).is_empty());
    assert_eq!(import(&mut town, fresh, &file), 22);
    assert_eq!(essence(&rows(&town, fresh)), essence(&rows(&town, bob)));
    // HIS-4
    assert!(rows(&town, fresh).iter().all(|row| row.from_history));
    // MSG-9: who has read them is in no backup file
    assert!(rows(&town, bob).iter().any(|row| !row.receipts.is_empty()));
    let is_more = |state| matches!(state, MessageState::Delivered | MessageState::Read);
    let kept = |row: &MessageRow| if is_more(row.state) { MessageState::Sent } else { row.state };
    let states = |rows: &[MessageRow]| rows.iter().map(kept).collect::<Vec<_>>();
    assert_eq!(rows(&town, fresh).iter().map(|row| row.state).collect::<Vec<_>>(), states(&rows(&town, bob)));
    assert_eq!(town.texts(fresh, Some("alice")).len(), 20);
    town.pass_ms(61_000);
    assert!(town.read(fresh, query::contacts).iter().any(|row| row.handle == "alice" && row.verified));
    let conversations = town.read(fresh, query::conversations);
    assert!(conversations.iter().any(|row| row.title == "the three" && row.ready));
    assert!(conversations.iter().all(|row| !row.unverified), "{conversations:?}");
    let named = town.read(fresh, query::devices).into_iter().find(|row| row.device == town.id(bob)).unwrap();
    assert_eq!(named.name.as_deref(), Some("bob's device"));
    assert!(is_done(&town.send(fresh, "alice", "I am back")));
    assert!(is_done(&town.send(alice, "bob", "welcome back")));
    assert_eq!(town.texts(fresh, Some("alice"))[20..], ["I am back", "welcome back"]);
    // again: nothing is there twice
    assert_eq!(import(&mut town, fresh, &file), 0);
    assert_eq!(rows(&town, fresh).len(), 24);
    assert!(town.read(fresh, query::conversations).iter().all(|row| !row.unverified));
}

/// BAK-3: killed after every part, and begun again.
#[test]
fn an_import_is_repeated_until_it_is_whole() {
    let (mut town, _, bob, paper) = much();
    let mut file = File::of(&town, bob);
    let one_by_one = |part: Part| match part {
        Part::Messages(messages) => messages.into_iter().map(|message| Part::Messages(vec![message])).collect(),
        part => vec![part],
    };
    file.parts = file.parts.into_iter().flat_map(one_by_one).collect();
    let fresh = recovered(&mut town, bob, &paper);
    let mut new = 0;
    for killed_at in (0..file.parts.len()).step_by(3) {
        assert!(is_done(&open(&mut town, fresh, &file.owner)));
        for part in &file.parts[..killed_at] {
            new += take(&mut town, fresh, file.owner.account, part.clone()).0;
        }
        town.restart(fresh);
    }
    new += import(&mut town, fresh, &file);
    assert_eq!(new, 22);
    assert_eq!(essence(&rows(&town, fresh)), essence(&rows(&town, bob)));
}

/// BAK-3: nothing of another account is taken in, also not by somebody who does not ask first.
#[test]
fn a_file_of_another_account_is_refused() {
    let (mut town, alice, bob, _) = much();
    let (of_alice, of_bob) = (File::of(&town, alice), File::of(&town, bob));
    assert_eq!(code(&open(&mut town, bob, &of_alice.owner)), "backup.other_account");
    let elsewhere = Owner { origin: "other.example/log".to_owned(), ..of_bob.owner.clone() };
    assert_eq!(code(&open(&mut town, bob, &elsewhere)), "backup.other_account");
    let before = rows(&town, bob);
    for part in of_alice.parts {
        let events = town.wish(bob, Command::TakeBackup { account: of_alice.owner.account, part });
        assert_eq!(code(&events), "backup.other_account");
    }
    assert_eq!(essence(&rows(&town, bob)), essence(&before));
    assert!(is_done(&open(&mut town, bob, &of_bob.owner)));
}

/// BAK-3: the record says that the fresh identity continues the lost one, and so its messages come back. That codes were compared
/// with the lost one says nothing of this one.
#[test]
fn after_a_reset_the_messages_of_before_come_back_and_compared_codes_do_not() {
    let (mut town, alice, bob, _) = much();
    let file = File::of(&town, bob);
    let before = rows(&town, bob);
    let mut fresh = bob;
    // two resets one after the other
    for _ in 0..2 {
        town.set_online(fresh, false);
        fresh = town.device();
        assert!(is_done(&town.wish(fresh, Command::Reset(Town::joining("bob")))));
        for _ in 0..74 {
            let stranger = Device::new();
            let proposal = stranger.sign(stranger.opening(None), "town.example/log");
            let path = format!("{}?wait=quorum", protocol::api::ENTRIES);
            town.ask(&client::step::Call { path, body: Some(proposal), bearer: None });
            town.pass_ms(HOUR_MS);
        }
        assert_eq!(phase(&town, fresh), Phase::Confirmed);
    }
    // it has to look at the record for that, and waits for it
    town.weather = Weather::Down;
    let events = open(&mut town, fresh, &file.owner);
    assert!(!is_done(&events) && code(&events).is_empty(), "{events:?}");
    town.weather = Weather::Fine;
    assert_eq!(import(&mut town, fresh, &file), 22);
    assert_eq!(essence(&rows(&town, fresh)), essence(&before));
    assert!(rows(&town, fresh).iter().all(|row| row.from_history));
    let own = |row: &&MessageRow| row.from == file.owner.account;
    assert!(rows(&town, fresh).iter().filter(own).all(|row| row.state == MessageState::Sent));
    town.pass_ms(61_000);
    assert!(rows(&town, fresh).iter().filter(own).all(|row| row.from_handle.as_deref() == Some("bob")));
    assert!(town.read(fresh, query::contacts).iter().all(|row| !row.verified && row.handle != "bob"));
    assert_eq!(town.texts(fresh, Some("alice")).len(), 20);
    assert_eq!(town.texts(fresh, Some("notes from before the reset")), ["a note"]);
    // and it goes on with her, who decides for herself
    town.wish(alice, Command::AcceptReset { handle: "bob".to_owned() });
    assert!(is_done(&town.send(fresh, "alice", "new here")));
    assert_eq!(town.texts(fresh, Some("alice")).len(), 21);
    assert_eq!(import(&mut town, fresh, &file), 0);
    // alice is not taken for somebody whom it continues
    let of_alice = File::of(&town, alice).owner;
    assert_eq!(code(&open(&mut town, fresh, &of_alice)), "backup.other_account");
}

/// BAK-4: what waits to be sent is not in a file before it is sent; keys never are.
#[test]
fn what_is_not_sent_yet_is_written_once_it_is() {
    let (mut town, _, bob, _) = much();
    town.set_online(bob, false);
    town.send(bob, "alice", "waits");
    let has = |town: &Town, text: &str| {
        let needle = text.as_bytes();
        messages(town, bob).iter().any(|it| it.content.windows(needle.len()).any(|part| part == needle))
    };
    assert!(!has(&town, "waits"));
    assert_eq!(messages(&town, bob).len(), 22);
    town.set_online(bob, true);
    town.settle();
    town.pass_ms(61_000);
    assert!(has(&town, "waits"));
    assert_eq!(messages(&town, bob).len(), 23);
    // a note of a password's change and who gets old messages are about a moment; the rest is there
    let password = Secret("another password".to_owned().into());
    town.add_device("bob", bob, true);
    town.wish(bob, Command::SetPassword { password });
    let kinds: Vec<_> =
        town.read(bob, query::backed_up_settings).into_iter().map(|it| SettingKey::decode(&it.key).unwrap()).collect();
    let is_momentary = |it: &SettingKey| matches!(it, SettingKey::Password | SettingKey::HistoryGranted(_));
    assert!(!kinds.iter().any(is_momentary), "{kinds:?}");
    for kind in [1, 2, 3, 6] {
        assert!(kinds.iter().any(|it| it.encode()[0] == kind), "{kind}: {kinds:?}");
    }
}

fn id(town: &Town, who: Who, text: &str) -> String {
    rows(town, who).into_iter().find(|row| row.text == text).unwrap().message.to_string()
}

fn edit(town: &mut Town, who: Who, text: &str, to: &str) {
    let message = id(town, who, text);
    assert!(is_done(&town.wish(who, Command::Edit { message, text: to.to_owned() })));
}

/// Those of some words that are in the messages of a file.
fn said<'a>(messages: &[HistoryMessage], words: &[&'a str]) -> Vec<&'a str> {
    let is_in = |content: &[u8], word: &str| content.windows(word.len()).any(|part| part == word.as_bytes());
    words.iter().copied().filter(|word| messages.iter().any(|it| is_in(&it.content, word))).collect()
}

/// BAK-4, MSG-2, MSG-3, MSG-7: what was taken back, what a text said before it was changed, and what is gone after a time is in no
/// file; what stands around it still fits, and an answer is one.
#[test]
fn what_was_taken_back_is_in_no_file() {
    let (mut town, alice, bob, paper) = much();
    town.send(alice, "bob", "one that goes");
    let (message, text) = (id(&town, bob, "one that goes"), "answer first".to_owned());
    assert!(is_done(&town.wish(bob, Command::Reply { message, text })));
    town.send(alice, "bob", "hers first");
    for (who, name) in [(bob, "answer"), (alice, "hers")] {
        edit(&mut town, who, &format!("{name} first"), &format!("{name} second"));
        edit(&mut town, who, &format!("{name} second"), &format!("{name} third"));
    }
    let old = File::of(&town, bob);
    let message = id(&town, alice, "one that goes");
    assert!(is_done(&town.wish(alice, Command::Delete { message })));
    town.wish(alice, Command::SetTimer { chat: "bob".to_owned(), seconds: 86_400 });
    town.send(alice, "bob", "timed first");
    edit(&mut town, alice, "timed first", "timed second");
    let all = [
        "one that goes",
        "answer first",
        "answer second",
        "answer third",
        "hers first",
        "hers second",
        "hers third",
        "timed first",
        "timed second",
    ];
    for who in [alice, bob] {
        assert_eq!(said(&messages(&town, who), &all), ["answer third", "hers third"], "{who:?}");
    }
    let file = File::of(&town, bob);
    let fresh = recovered(&mut town, bob, &paper);
    assert!(import(&mut town, fresh, &file) > 22);
    let shown = |town: &Town| {
        let rows = rows(town, fresh).into_iter().filter(|row| row.text.ends_with("third"));
        rows.map(|row| (row.text, row.edited, row.answers.is_some())).collect::<Vec<_>>()
    };
    let third = [("answer third".to_owned(), true, true), ("hers third".to_owned(), true, false)];
    assert_eq!(shown(&town), third);
    town.pass_ms(61_000);
    assert!(town.read(fresh, query::conversations).iter().all(|row| !row.unverified));
    // of a file that was written before nothing of that comes back
    assert_eq!(import(&mut town, fresh, &old), 0);
    assert_eq!(shown(&town), third);
    assert!(!rows(&town, fresh).iter().any(|row| row.text == "one that goes"));
    assert_eq!(said(&messages(&town, fresh), &all), ["answer third", "hers third"]);
    // it goes on from what is left
    edit(&mut town, alice, "hers third", "hers fourth");
    assert!(town.texts(fresh, None).contains(&"hers fourth".to_owned()));
}

/// BAK-5, MSG-3: a file that was written before, taken in first: what the device hears of afterwards, or has heard of already,
/// counts.
#[test]
fn an_older_file_brings_nothing_back() {
    let (mut town, alice, bob, _) = much();
    town.send(alice, "bob", "one that goes");
    town.send(bob, "alice", "another one");
    let old = File::of(&town, bob);
    let words = ["one that goes", "another one"];
    assert_eq!(said(&messages(&town, bob), &words), words);
    for (who, text) in [(alice, words[0]), (bob, words[1])] {
        let message = id(&town, who, text);
        assert!(is_done(&town.wish(who, Command::Delete { message })));
    }
    // on the device that knows
    assert_eq!(import(&mut town, bob, &old), 0);
    assert!(said(&messages(&town, bob), &words).is_empty());
    // and on one that gets the old messages of the others after it was taken in
    let desktop = town.add_device("bob", bob, false);
    import(&mut town, desktop, &old);
    assert_eq!(said(&messages(&town, desktop), &words), words, "nobody has told it");
    let device = town.id(desktop);
    town.wish(bob, Command::GrantHistory { device });
    town.pass_ms(120_000);
    assert!(said(&messages(&town, desktop), &words).is_empty());
    assert!(!rows(&town, desktop).iter().any(|row| words.contains(&row.text.as_str())));
}

fn text(group: GroupId, from: (AccountId, DeviceId), place: u64, text: &str) -> HistoryMessage {
    let part = ContentPart::text(text).unwrap();
    let content = Content::of([3; 16], part).encode();
    HistoryMessage { group, place, from: from.0, device: from.1, sent_at_ms: 1, ends_ms: None, content, erased: None }
}

/// BAK-5: a file is input from outside, even behind the right passphrase: it changes nothing that is newer, no stamp of it stands
/// above what is set from now on, and nothing in it is this device's own words.
#[test]
fn a_made_up_file_overrules_nothing_and_speaks_for_nobody() {
    let (mut town, alice, bob, _) = much();
    let owner = File::of(&town, bob).owner;
    let alice_account = File::of(&town, alice).owner.account;
    assert!(is_done(&open(&mut town, bob, &owner)));
    let title = |group, stamp, value: &str| Setting {
        key: SettingKey::Title(group).encode(),
        stamp,
        device: DeviceId([9; 16]),
        value: value.as_bytes().to_vec(),
    };
    let chat = town.read(bob, query::conversations).into_iter().find(|row| row.title == "the three").unwrap().group;
    let verified = Setting { key: SettingKey::Verified(alice_account).encode(), ..title(chat, 1, "") };
    let granted = Setting { key: SettingKey::HistoryGranted(DeviceId([9; 16])).encode(), ..title(chat, 5, "\u{1}") };
    let made_up = vec![title(chat, 7, "older"), title(chat, u64::MAX, "of a time to come"), verified, granted];
    assert_eq!(take(&mut town, bob, owner.account, Part::Settings(made_up)), (0, 0));
    let row = town.read(bob, query::conversations).into_iter().find(|row| row.group == chat).unwrap();
    assert_eq!(row.title, "the three");
    assert!(town.read(bob, query::contacts).iter().any(|row| row.verified));
    let newer = title(chat, town.now_ms() + 1_000, "newer");
    assert_eq!(take(&mut town, bob, owner.account, Part::Settings(vec![newer])), (0, 1));
    // in her conversation: in this device's name, and at a place that there is not
    let pair = town.read(bob, query::conversations).into_iter().find(|row| row.pair).unwrap().group;
    let (this, hers) = (town.id(bob), town.id(alice));
    let forged =
        [text(pair, (owner.account, this), 3, "in my name"), text(pair, (alice_account, hers), u64::MAX, "nowhere")];
    assert_eq!(take(&mut town, bob, owner.account, Part::Messages(forged.to_vec())), (0, 0));
    // what names nobody's words and fits nothing is told apart (HIS-4)
    let lie = text(pair, (alice_account, hers), 1_000_000, "she never wrote that");
    assert_eq!(take(&mut town, bob, owner.account, Part::Messages(vec![lie])), (1, 0));
    finish(&mut town, bob);
    let shown = rows(&town, bob).into_iter().find(|row| row.text == "she never wrote that").unwrap();
    assert!(shown.from_history);
    assert!(is_done(&town.send(alice, "bob", "after")));
}
