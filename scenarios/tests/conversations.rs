//! Conversations of named people in one process: who is encrypted to, and what a kill, a lost answer or a damaged message
//! leaves behind.

use chain::sigchain::body::Body;
use chain::sigchain::entry::Entry;
use client::query::{MessageRow, MessageState};
use client::step::{Command, Event};
use scenarios::town::{Town, Weather, Who};

fn send(to: &str, text: &str) -> Command {
    Command::Send { to: to.to_owned(), text: text.to_owned() }
}

fn newest(town: &Town, who: Who) -> MessageRow {
    town.read(who, |store| client::query::messages(store, None, 1)).pop().unwrap()
}

/// SND-1: a confirmed device that is missing is added before the message is encrypted, a removed one is out before.
#[test]
fn a_sender_brings_the_group_to_what_the_record_says_first() {
    let mut town = Town::new();
    let (bob, alice) = (town.sign_up("bob"), town.sign_up("alice"));
    town.send(alice, "bob", "one");
    assert_eq!(newest(&town, alice).encrypted_to, [town.id(bob)]);

    // confirmed, and off before it can enter by itself
    let desktop = town.add_device("bob", bob, false);
    town.send(alice, "bob", "two");
    let mut both = vec![town.id(bob), town.id(desktop)];
    both.sort();
    let mut to = newest(&town, alice).encrypted_to;
    to.sort();
    assert_eq!(to, both);

    town.set_online(desktop, false);
    town.wish(bob, Command::Remove { device: town.id(desktop) });
    town.send(alice, "bob", "three");
    assert_eq!(newest(&town, alice).encrypted_to, [town.id(bob)]);
    town.pass_ms(120_000);
    town.set_online(desktop, true);
    town.settle();
    assert!(!town.texts(desktop, None).contains(&"three".to_owned()));
    assert!(town.events(desktop).contains(&Event::Removed));
    assert_eq!(town.texts(bob, Some("alice")), ["one", "two", "three"]);
}

/// SND-1: a sender goes by the record and not by what it found a moment ago, also if the removed device stays in the group,
/// because nothing gets through that would take it out.
#[test]
fn a_removal_counts_for_whoever_has_just_written() {
    let mut town = Town::new();
    let (bob, alice) = (town.sign_up("bob"), town.sign_up("alice"));
    town.send(alice, "bob", "one");
    let desktop = town.add_device("bob", bob, false);
    for text in ["two", "three"] {
        town.send(alice, "bob", text);
        assert_eq!(newest(&town, alice).encrypted_to.len(), 2);
    }
    town.set_online(desktop, false);
    town.liar.answer_instead(move |who, call| {
        (who == bob && call.path.ends_with("/commits")).then_some(client::step::Answer::Unreachable)
    });
    town.command(bob, Command::Remove { device: town.id(desktop) });
    town.settle();
    town.send(alice, "bob", "four");
    assert_eq!(newest(&town, alice).encrypted_to, [town.id(bob)]);
}

/// GRP-4: a device that is switched off before it is confirmed holds up nobody, and gets what is written meanwhile.
#[test]
fn a_device_that_is_confirmed_while_it_is_off_is_let_in_by_whoever_writes() {
    let mut town = Town::new();
    let (bob, alice) = (town.sign_up("bob"), town.sign_up("alice"));
    town.send(alice, "bob", "one");
    let desktop = town.device();
    let shown = town.wish(desktop, Command::LogIn(Town::joining("bob")));
    let code = shown.iter().find_map(|event| match event {
        Event::Code { code, .. } => Some(code.clone()),
        _ => None,
    });
    town.set_online(desktop, false);
    let (device, code) = (town.id(desktop), code.unwrap());
    town.wish(bob, Command::Confirm { device, code, history: false });
    town.send(alice, "bob", "two");
    assert_eq!(newest(&town, alice).encrypted_to.len(), 2);
    assert_eq!(town.texts(bob, None), ["one", "two"]);
    town.set_online(desktop, true);
    town.settle();
    assert_eq!(town.texts(desktop, None), ["two"]);
}

/// Who reads along in a conversation by its name is told when it has one, also if the text was there before.
#[test]
fn a_conversation_says_so_when_its_name_is_proven() {
    let mut town = Town::new();
    let (bob, alice) = (town.sign_up("bob"), town.sign_up("alice"));
    town.liar.answer_instead(move |who, call| {
        (who == bob && call.path == protocol::api::HANDLE_LOOKUP).then_some(client::step::Answer::Unreachable)
    });
    town.command(alice, Command::Send { to: "bob".to_owned(), text: "one".to_owned() });
    town.pass_ms(5_000);
    assert_eq!((town.texts(bob, None), town.texts(bob, Some("alice"))), (vec!["one".to_owned()], Vec::new()));
    let before = town.events(bob).len();
    town.liar.stop();
    town.pass_ms(60_000);
    assert_eq!(town.texts(bob, Some("alice")), ["one"]);
    assert!(town.events(bob)[before..].iter().any(|event| matches!(event, Event::Conversation { .. })));
}

/// CHK-5: what was looked at within the hour is good, what is older is looked at again before anything is encrypted.
#[test]
fn a_sender_looks_again_after_an_hour() {
    let mut town = Town::new();
    let (bob, alice) = (town.sign_up("bob"), town.sign_up("alice"));
    town.send(alice, "bob", "one");
    let account = town.read(bob, |store| client::query::status(store, 0)).account.unwrap().to_string();
    let looks = |town: &Town| town.asked.iter().filter(|(who, path)| *who == alice && path.contains(&account)).count();
    let before = looks(&town);
    town.send(alice, "bob", "two");
    assert_eq!(looks(&town), before);
    town.pass_ms(3_700_000);
    let before = looks(&town);
    town.send(alice, "bob", "three");
    assert_eq!(looks(&town), before + 1);
    assert_eq!(town.texts(bob, None), ["one", "two", "three"]);
}

/// CHK-6, CHK-8: every entry is told, also of a device that came and went while this one was off.
#[test]
fn a_device_that_was_off_is_told_of_each_entry() {
    let mut town = Town::new();
    let laptop = town.sign_up("bob");
    let desktop = town.add_device("bob", laptop, false);
    town.set_online(desktop, false);
    let phone = town.add_device("bob", laptop, false);
    town.wish(laptop, Command::Remove { device: town.id(phone) });
    town.set_online(desktop, true);
    town.settle();
    let told = town.read(desktop, client::query::notices);
    let told: Vec<_> = told.iter().filter(|it| it.device == Some(town.id(phone))).map(|it| it.code.clone()).collect();
    assert_eq!(told, ["device.requested", "device.confirmed", "device.removed"]);
}

/// CNF-6: killed right after the digits were typed, the older device signs once; asked again, it does not sign again.
#[test]
fn a_confirmation_is_signed_once() {
    let mut town = Town::new();
    let laptop = town.sign_up("bob");
    let desktop = town.device();
    let events = town.wish(desktop, Command::LogIn(Town::joining("bob")));
    let code = events.iter().rev().find_map(|event| match event {
        Event::Code { code, .. } => Some(code.clone()),
        _ => None,
    });
    let confirm = Command::Confirm { device: town.id(desktop), code: code.unwrap(), history: false };
    town.command(laptop, confirm.clone());
    town.restart(laptop);
    town.settle();
    assert!(town.events(desktop).iter().any(|event| matches!(event, Event::Confirmed { .. })));
    let again = town.wish(laptop, confirm);
    assert!(!again.iter().any(|event| matches!(event, Event::RequestAnswered { .. })), "{again:?}");
    let entries = town.entries("bob");
    let is_confirmation =
        |bytes: &Vec<u8>| matches!(Entry::decode(bytes).unwrap().statement.body, Body::DeviceConfirmed(_));
    assert_eq!(entries.iter().filter(|bytes| is_confirmation(bytes)).count(), 1);
}

/// TXN-3: a step whose transaction is rolled back has not happened, and no key is used twice for it.
#[test]
fn a_step_that_is_rolled_back_leaves_nothing() {
    let mut town = Town::new();
    let (bob, alice) = (town.sign_up("bob"), town.sign_up("alice"));
    town.send(alice, "bob", "one");
    for _ in 0..3 {
        town.fail(alice, send("bob", "never"));
    }
    town.send(alice, "bob", "two");
    assert_eq!(town.texts(bob, None), ["one", "two"]);
    assert_eq!(town.texts(alice, None), ["one", "two"]);
}

/// TXN-1, TXN-2: killed after every single exchange of a conversation's first messages, nobody loses or doubles one.
#[test]
fn a_kill_at_any_moment_loses_and_doubles_nothing() {
    for exchanges in 0..14 {
        let mut town = Town::new();
        let (bob, alice) = (town.sign_up("bob"), town.sign_up("alice"));
        town.command(alice, send("bob", "one"));
        town.command(alice, send("bob", "two"));
        for _ in 0..exchanges {
            town.exchange();
        }
        town.restart(alice);
        town.restart(bob);
        town.settle();
        assert_eq!(town.texts(bob, None), ["one", "two"], "after {exchanges}");
        assert_eq!(town.texts(alice, None), ["one", "two"], "after {exchanges}");
    }
}

/// TXN-1: answers that are lost at any moment make no message twice, and none is lost.
#[test]
fn lost_answers_lose_and_double_nothing() {
    for exchanges in 0..14 {
        let mut town = Town::new();
        let (bob, alice) = (town.sign_up("bob"), town.sign_up("alice"));
        town.command(alice, send("bob", "one"));
        for _ in 0..exchanges {
            town.exchange();
        }
        town.weather = Weather::AnswersLost;
        for _ in 0..3 {
            town.exchange();
        }
        town.weather = Weather::Fine;
        town.send(alice, "bob", "two");
        assert_eq!(town.texts(bob, None), ["one", "two"], "after {exchanges}");
    }
}

/// TXN-5: a message that cannot be read stops nothing, and comes again without anybody's doing.
#[test]
fn a_damaged_message_is_repaired_and_holds_up_nothing() {
    let mut town = Town::new();
    let (bob, alice) = (town.sign_up("bob"), town.sign_up("alice"));
    town.send(alice, "bob", "one");
    town.send(bob, "alice", "two");
    town.spoiled = Some(bob);
    town.command(alice, send("bob", "three"));
    town.settle();
    assert_eq!(town.spoiled, None);
    town.send(alice, "bob", "four");
    assert_eq!(town.texts(bob, Some("alice")), ["one", "two", "three", "four"]);
    let rows = town.read(bob, |store| client::query::messages(store, None, 10));
    assert!(rows.iter().all(|row| row.state != MessageState::Unreadable));
}

/// Story 15: written while the service is away, they go out by themselves, once, in their order.
#[test]
fn what_is_written_offline_goes_out_by_itself() {
    let mut town = Town::new();
    let (bob, alice) = (town.sign_up("bob"), town.sign_up("alice"));
    town.send(alice, "bob", "one");
    town.weather = Weather::Down;
    for text in ["two", "three", "four"] {
        town.send(alice, "bob", text);
    }
    town.restart(alice);
    town.settle();
    assert_eq!(town.texts(bob, None), ["one"]);
    town.weather = Weather::Fine;
    town.pass_ms(60_000);
    assert_eq!(town.texts(bob, None), ["one", "two", "three", "four"]);
}

/// Groups: several people, people in and out; who is out reads nothing more.
#[test]
fn a_conversation_of_three_lets_people_in_and_out() {
    let mut town = Town::new();
    let (alice, bob, carol) = (town.sign_up("alice"), town.sign_up("bob"), town.sign_up("carol"));
    let (title, with) = ("Friends".to_owned(), vec!["bob".to_owned(), "carol".to_owned()]);
    town.wish(alice, Command::NewChat { title, with });
    town.send(alice, "Friends", "all of you");
    assert_eq!(
        (town.texts(bob, None), town.texts(carol, None)),
        (vec!["all of you".into()], vec!["all of you".into()])
    );
    let names = town.read(carol, client::query::conversations).pop().unwrap().members;
    assert!(names.iter().all(|(_, handle)| handle.is_some()), "{names:?}");
    let out = Command::RemoveMembers { chat: "Friends".to_owned(), with: vec!["carol".to_owned()] };
    let events = town.wish(alice, out);
    assert!(events.iter().any(|event| matches!(event, Event::Done { .. })), "{events:?}");
    town.send(alice, "Friends", "without carol");
    assert_eq!(town.texts(carol, None), ["all of you"]);
    assert_eq!(town.texts(bob, None), ["all of you", "without carol"]);
    let back = Command::AddMembers { chat: "Friends".to_owned(), with: vec!["carol".to_owned()] };
    town.wish(alice, back);
    town.send(alice, "Friends", "welcome back");
    assert_eq!(town.texts(carol, None), ["all of you", "welcome back"]);
}

/// SND-2: whoever writes without having heard of a new device is told by the service, and writes to it too.
#[test]
fn a_sender_who_has_not_heard_of_a_new_device_writes_to_it_all_the_same() {
    let mut town = Town::new();
    let (alice, bob) = (town.sign_up("alice"), town.sign_up("bob"));
    town.send(alice, "bob", "one");
    town.deaf = Some(alice);
    let phone = town.add_device("bob", bob, false);
    town.send(alice, "bob", "two");
    assert_eq!(town.texts(phone, None), ["two"]);
    assert_eq!(newest(&town, alice).encrypted_to.len(), 2);
    assert!(
        town.read(phone, |store| client::query::messages(store, None, 10))
            .iter()
            .all(|row| row.state == MessageState::Received)
    );
}

/// SND-1, CHK-8: with whom one shares no group, of him one hears no hints; what one has seen of him before does not count
/// for the first message.
#[test]
fn whoever_comes_in_is_looked_at_once_more_before_anything_is_written() {
    let mut town = Town::new();
    let (alice, bob) = (town.sign_up("alice"), town.sign_up("bob"));
    // alice looked at bob a moment ago, in vain for what comes now
    town.wish(alice, Command::AddContact { handle: "bob".to_owned(), account: None, token: None });
    let phone = town.add_device("bob", bob, false);
    town.send(alice, "bob", "one");
    assert_eq!(town.texts(phone, None), ["one"]);
    assert_eq!(newest(&town, alice).encrypted_to.len(), 2);
}

/// Goes on until this device has just asked for something.
fn until_asked(town: &mut Town, who: Who, path: &str, end: &str) {
    let is_it = |asked: &(Who, String)| asked.0 == who && asked.1.starts_with(path) && asked.1.ends_with(end);
    let before = town.asked.len();
    while !town.asked[before..].iter().any(is_it) {
        assert!(town.exchange(), "{:?}", &town.asked[before..]);
    }
}

/// A phone of Bob's that has just asked for this on its way into his conversation with Alice. It is then off while she
/// writes, and lets it in.
fn phone_off_after(path: &str, end: &str) -> (Town, Who, Who) {
    let mut town = Town::new();
    let (alice, bob) = (town.sign_up("alice"), town.sign_up("bob"));
    town.send(alice, "bob", "one");
    // for whom Alice will say once more who is who, with the first text that she writes
    town.add_device("bob", bob, false);
    let phone = town.device();
    town.wish(phone, Command::LogIn(Town::joining("bob")));
    let (code, _) = town.read(phone, client::query::code).unwrap();
    town.command(bob, Command::Confirm { device: town.id(phone), code, history: false });
    until_asked(&mut town, phone, path, end);
    town.set_online(phone, false);
    town.settle();
    town.send(alice, "bob", "two");
    (town, alice, phone)
}

fn reads_everything(town: &mut Town, alice: Who, phone: Who) {
    town.send(alice, "bob", "three");
    town.send(phone, "alice", "four");
    let rows = town.read(phone, |store| client::query::messages(store, None, 10));
    assert!(rows.iter().all(|row| row.state != MessageState::Unreadable), "{rows:?}");
    assert_eq!(town.texts(phone, None), ["two", "three", "four"]);
    assert_eq!(town.texts(alice, None), ["one", "two", "three", "four"]);
}

/// I9: somebody has let it in while it looked for its own way; it takes that one, with which it can read what was sent since.
#[test]
fn a_device_that_somebody_has_let_in_makes_no_commit_of_its_own() {
    let (mut town, alice, phone) = phone_off_after("/v1/groups/", "");
    let before = town.asked.len();
    town.set_online(phone, true);
    town.settle();
    // into the self-group it finds its own way
    let group = town.read(alice, client::query::conversations)[0].group.to_string();
    let is_commit = |path: &str| path.contains(&group) && path.ends_with("/commits");
    let tries = town.asked[before..].iter().filter(|(who, path)| *who == phone && is_commit(path));
    assert_eq!(tries.count(), 0, "{:?}", &town.asked[before..]);
    reads_everything(&mut town, alice, phone);
}

/// TXN-4, I10: its own commit is taken, the answer is lost, and the Welcome of somebody comes first. It keeps its own, and
/// what was meant for it before stays no riddle.
#[test]
fn a_welcome_that_comes_late_does_not_undo_a_devices_own_commit() {
    let (mut town, alice, phone) = phone_off_after("/v1/groups", "groups");
    town.deaf = Some(phone);
    town.set_online(phone, true);
    // the first look tells whom it has to look up before the second
    until_asked(&mut town, phone, "/v1/groups/", "");
    until_asked(&mut town, phone, "/v1/groups/", "");
    town.weather = Weather::AnswersLost;
    until_asked(&mut town, phone, "/v1/groups/", "/commits");
    town.weather = Weather::Fine;
    town.deaf = None;
    town.settle();
    reads_everything(&mut town, alice, phone);
}

/// Attacks 38, 57: somebody whose device went off before it had handed in any key package is asked for now and then, whatever
/// else the service answers meanwhile, and gets what was written as soon as he is back.
#[test]
fn whoever_has_no_key_package_yet_is_asked_for_now_and_then() {
    let mut town = Town::new();
    let (alice, bob) = (town.sign_up("alice"), town.device());
    town.command(bob, Command::SignUp(Town::joining("bob")));
    until_asked(&mut town, bob, "/v1/tokens", "");
    town.set_online(bob, false);
    town.settle();
    let before = town.asked.len();
    town.send(alice, "bob", "one");
    town.pass_ms(600_000);
    let claims = town.asked[before..].iter().filter(|(_, path)| path.ends_with("/claim")).count();
    assert!((5..=30).contains(&claims), "{claims}");
    let looks = town.asked[before..].iter().filter(|(_, path)| path.contains("/accounts/")).count();
    assert!(looks <= 120, "{looks} looks into the record in ten minutes");
    town.set_online(bob, true);
    town.settle();
    town.pass_ms(31_000);
    assert_eq!(town.texts(bob, Some("alice")), ["one"]);
}

/// I3: two people write to each other for the first time at one moment, so there are two groups for a while. What somebody
/// writes then does not pass what he wrote before, whichever of them both come to.
#[test]
fn what_is_written_while_two_conversations_begin_keeps_its_order() {
    // ids are random: each of the two is the smaller one in half of the cases
    for rounds in (0..8).flat_map(|rounds| [rounds; 4]) {
        let mut town = Town::new();
        let (alice, bob) = (town.sign_up("alice"), town.sign_up("bob"));
        town.wish(bob, Command::AddContact { handle: "alice".to_owned(), account: None, token: None });
        town.set_online(bob, false);
        let send = |text: &str| Command::Send { to: "alice".to_owned(), text: text.to_owned() };
        town.command(bob, send("one"));
        town.send(alice, "bob", "hello");
        town.set_online(bob, true);
        for _ in 0..rounds {
            town.exchange();
        }
        town.command(bob, send("two"));
        town.settle();
        town.pass_ms(60_000);
        for who in [alice, bob] {
            let texts: Vec<_> = town.texts(who, None).into_iter().filter(|text| text != "hello").collect();
            assert_eq!(texts, ["one", "two"], "after {rounds}");
        }
    }
}

/// GRP-3: a group that its maker has not begun is left to it, also by a device of the same account that hears of it: entered before its
/// first commit, it could never take in anybody else. (Found by the random walk.)
#[test]
fn a_group_is_begun_by_whoever_made_it() {
    let mut town = Town::new();
    let (alice, bob) = (town.sign_up("alice"), town.sign_up("bob"));
    let phone = town.add_device("alice", alice, false);
    town.command(alice, Command::Send { to: "bob".to_owned(), text: "hello".to_owned() });
    until_asked(&mut town, alice, "/v1/groups", "/v1/groups");
    town.set_online(alice, false);
    town.restart(phone);
    town.settle();
    town.set_online(alice, true);
    town.settle();
    for who in [bob, phone] {
        assert_eq!(town.texts(who, None), ["hello"]);
    }
    town.send(phone, "bob", "from the phone");
    assert_eq!(town.texts(bob, Some("alice")), ["hello", "from the phone"]);
}

fn failed(events: &[Event], code: &str) -> bool {
    events.iter().any(|event| matches!(event, Event::Failed { failure, .. } if failure.code == code))
}

/// MSG-8, who let whom in: everybody sees it, also who comes in later; only whoever opened a conversation says what it is called.
#[test]
fn a_conversation_is_called_alike_by_all_and_says_who_came_and_went() {
    let mut town = Town::new();
    let [alice, bob, carol] = ["alice", "bob", "carol"].map(|name| town.sign_up(name));
    let phone = town.add_device("alice", alice, false);
    town.wish(alice, Command::NewChat { title: "Trip".to_owned(), with: vec!["bob".to_owned()] });
    town.send(alice, "Trip", "hello");
    let title = |town: &Town, who: Who| town.read(who, client::query::conversations)[0].title.clone();
    let rename = |chat: &str, title: &str| Command::RenameChat { chat: chat.to_owned(), title: title.to_owned() };
    assert_eq!([alice, phone, bob].map(|who| title(&town, who)), ["Trip"; 3]);
    town.wish(phone, rename("Trip", "Journey"));
    town.wish(alice, Command::AddMembers { chat: "Journey".to_owned(), with: vec!["carol".to_owned()] });
    assert_eq!([alice, phone, bob, carol].map(|who| title(&town, who)), ["Journey"; 4]);
    let refused = town.wish(bob, rename("Journey", "Mine"));
    assert!(failed(&refused, "chat.not_admin"), "{refused:?}");
    for title in ["", " ", "a\nb", &"x".repeat(256)] {
        assert!(failed(&town.wish(alice, rename("Journey", title)), "chat.title"));
    }
    town.wish(alice, Command::RemoveMembers { chat: "Journey".to_owned(), with: vec!["bob".to_owned()] });
    let lines = |who: Who| {
        let rows = town.read(who, |store| client::query::lines(store, Some("Journey"), 10));
        let names = |of: Vec<(_, Option<String>)>| of.into_iter().filter_map(|(_, handle)| handle).collect::<Vec<_>>();
        let changes = rows.into_iter().filter_map(|row| Some((row.from_handle?, row.change?)));
        changes.map(|(by, change)| (by, names(change.came), names(change.went))).collect::<Vec<_>>()
    };
    let line = |came: &[&str], went: &[&str]| {
        let of = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        ("alice".to_owned(), of(came), of(went))
    };
    assert_eq!(lines(alice), [line(&["bob"], &[]), line(&["carol"], &[]), line(&[], &["bob"])]);
    assert_eq!(lines(bob), [line(&["bob"], &[]), line(&["carol"], &[])]);
    assert_eq!(lines(carol), [line(&["carol"], &[]), line(&[], &["bob"])]);
    assert!(town.texts(carol, Some("Journey")).is_empty(), "a line is no message");
}

/// What was said last stands in the list, on a line: as it is now, and not more of it than fits there.
#[test]
fn the_list_says_what_was_said_last() {
    let mut town = Town::new();
    let (bob, alice) = (town.sign_up("bob"), town.sign_up("alice"));
    town.send(alice, "bob", "one");
    let last = |town: &Town, who: Who| {
        let rows = town.read(who, client::query::conversations);
        let newest = rows.into_iter().find_map(|row| row.newest).unwrap();
        (newest.from_handle.unwrap(), newest.text, newest.deleted)
    };
    let said = |text: &str, deleted| ("alice".to_owned(), text.to_owned(), deleted);
    for who in [alice, bob] {
        assert_eq!(last(&town, who), said("one", false));
    }
    let message = newest(&town, alice).message;
    town.wish(alice, Command::Edit { message: message.to_string(), text: "two".to_owned() });
    assert_eq!(last(&town, bob), said("two", false));
    town.wish(alice, Command::Delete { message: message.to_string() });
    assert_eq!(last(&town, bob), said("", true));
    town.send(alice, "bob", &"ä".repeat(2_000));
    assert_eq!(last(&town, bob), said(&"ä".repeat(client::query::NEWEST_LETTERS), false));
    // a mention that no longer fits is none
    town.send(alice, "bob", &format!("{} @bob", "ä".repeat(client::query::NEWEST_LETTERS - 3)));
    let row = town.read(bob, client::query::conversations).into_iter().find_map(|row| row.newest).unwrap();
    assert_eq!((row.text.chars().count(), row.mentions.len()), (client::query::NEWEST_LETTERS, 0));
    assert_eq!(newest(&town, bob).mentions.len(), 1);
}
