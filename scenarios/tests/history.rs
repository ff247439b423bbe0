//! Old messages come to a new device (story 6): in pages, from whichever device is on, whatever is killed on the way. Attacks
//! 47 to 49.

use client::query::{self, HistoryRow};
use client::step::{Answer, Call, Command, Event, Request};
use protocol::api::ENTRIES;
use protocol::api::delivery::RELAY;
use scenarios::impostor::Impostor;
use scenarios::people::Device;
use scenarios::town::{Town, Who};

/// Bytes of a text, so that a few dozen make several pages.
const LONG: usize = 30_000;

fn history(town: &Town, who: Who) -> HistoryRow {
    town.read(who, query::history).unwrap()
}

fn text(number: usize) -> String {
    format!("{number:04} {}", "x".repeat(LONG))
}

/// Bob has written so many long texts to Alice, and some short ones to Carol.
fn with_much(count: usize) -> (Town, Who, Who) {
    let mut town = Town::new();
    let (alice, laptop) = (town.sign_up("alice"), town.sign_up("bob"));
    town.sign_up("carol");
    for number in 0..count {
        town.send(
            if number % 2 == 0 { laptop } else { alice },
            if number % 2 == 0 { "alice" } else { "bob" },
            &text(number),
        );
    }
    // by the clock, too
    town.pass_ms(1_000);
    town.send(laptop, "carol", "the newest");
    (town, alice, laptop)
}

/// A new device of Bob is being let in with his old messages; what follows from that has not happened yet.
fn let_in(town: &mut Town, laptop: Who) -> Who {
    let desktop = town.device();
    town.wish(desktop, Command::LogIn(Town::joining("bob")));
    let (code, _) = town.read(desktop, query::code).unwrap();
    let device = town.id(desktop);
    town.command(laptop, Command::Confirm { device, code, history: true });
    desktop
}

/// A request that was taken out of a device's hands is answered.
fn answer(town: &mut Town, who: Who, request: &Request) {
    let Some((200, body)) = town.ask(&request.call) else { panic!("{:?}", request.call) };
    town.answer(who, request.id, Answer::Ok(body));
}

fn settle_for(town: &mut Town, ms: u64) {
    town.settle();
    town.pass_ms(ms);
}

/// All of it, in the order of the conversation, newest conversation first; counted on both sides.
#[test]
fn all_old_messages_come_in_pages() {
    let (mut town, alice, laptop) = with_much(60);
    let desktop = town.add_device("bob", laptop, true);
    settle_for(&mut town, 5_000);
    let row = history(&town, desktop);
    assert!(row.complete && row.granted, "{row:?}");
    assert_eq!((row.messages, row.total, row.from), (61, 61, Some(town.id(laptop))));
    let handed = town.read(laptop, query::handed);
    assert!(matches!(handed.as_slice(), [(device, 61..)] if *device == town.id(desktop)), "{handed:?}");
    assert_eq!(town.texts(desktop, Some("alice")), (0..60).map(text).collect::<Vec<_>>());
    assert_eq!(town.texts(desktop, Some("carol")), ["the newest"]);
    let steps: Vec<_> = town
        .events(desktop)
        .iter()
        .filter_map(|event| match event {
            Event::History { messages, total, .. } => Some((*messages, *total)),
            _ => None,
        })
        .collect();
    assert!(steps.iter().any(|(messages, total)| *messages < 20 && *total == 61), "{steps:?}");
    assert!(steps.is_sorted());
    // what is written afterwards stands behind it
    town.send(alice, "bob", "after");
    assert_eq!(town.texts(desktop, Some("alice")).last().map(String::as_str), Some("after"));
    assert!(town.read(desktop, query::conversations).iter().all(|row| !row.unverified));
}

/// HIS-2: the older device gathers the next page while the newer one takes in what is left of this one.
#[test]
fn the_next_page_is_asked_for_before_this_one_is_whole() {
    let (mut town, _, laptop) = with_much(60);
    let desktop = let_in(&mut town, laptop);
    let relayed = |town: &Town| town.asked.iter().filter(|(who, path)| *who == desktop && path == RELAY).count();
    // how many messages were here when each request went out
    let (before, mut here) = (relayed(&town), Vec::new());
    while town.exchange() {
        let messages = town.read(desktop, query::history).map_or(0, |row| row.messages);
        here.resize(relayed(&town) - before, messages);
    }
    assert!(history(&town, desktop).complete);
    // what there is, Carol's one, and Alice's: pages of sixteen, each of which begins with the last one of that before it
    let [0, 0, 1, second, third, fourth] = here.as_slice() else { panic!("{here:?}") };
    assert!((2..17).contains(second) && (17..32).contains(third) && (32..47).contains(fourth), "{here:?}");
}

/// HIS-2, attack 49: either side is killed again and again.
#[test]
fn a_transfer_survives_the_kills_of_both_sides() {
    let (mut town, _, laptop) = with_much(60);
    let desktop = let_in(&mut town, laptop);
    for kill in 0..40 {
        for _ in 0..3 {
            town.exchange();
        }
        town.restart(if kill % 2 == 0 { laptop } else { desktop });
        if kill % 5 == 0 {
            town.pass_ms(16_000);
        }
    }
    for _ in 0..10 {
        settle_for(&mut town, 60_000);
    }
    assert!(history(&town, desktop).complete, "{:?}", history(&town, desktop));
    let all = |who| town.texts(who, None);
    assert_eq!(all(desktop), all(laptop));
    let ids = |who| {
        let rows = town.read(who, |store| query::messages(store, None, 1_000));
        rows.into_iter().map(|row| (row.message, row.sent_at_ms)).collect::<Vec<_>>()
    };
    assert_eq!(ids(desktop), ids(laptop));
}

/// HIS-2: that somebody agreed may be heard after the first old messages are here. Nothing of their page is lost by that.
#[test]
fn a_late_word_that_somebody_agreed_holds_up_nothing() {
    let (mut town, _, laptop) = with_much(60);
    let desktop = let_in(&mut town, laptop);
    // it enters the groups, and so hears what the account's devices share, after the first old messages
    let (mut held, mut here) = (Vec::new(), 0);
    while here < 5 {
        let requests: Vec<_> = std::iter::from_fn(|| town.take_request(desktop)).collect();
        let is_any = !requests.is_empty();
        for request in requests {
            if request.call.path.starts_with("/v1/groups/") {
                held.push(request);
            } else {
                answer(&mut town, desktop, &request);
            }
        }
        assert!(town.exchange() || is_any);
        here = town.read(desktop, query::history).map_or(0, |row| row.messages);
    }
    held.iter().for_each(|request| answer(&mut town, desktop, request));
    town.settle();
    assert!(history(&town, desktop).complete, "{:?}", history(&town, desktop));
}

/// HIS-2, lesson 11: it depends on no particular other device. The one that let it in goes off in the middle.
#[test]
fn another_device_goes_on_where_one_went_off() {
    let (mut town, _, laptop) = with_much(60);
    let tablet = town.add_device("bob", laptop, true);
    settle_for(&mut town, 5_000);
    assert!(history(&town, tablet).complete);
    town.set_online(laptop, false);
    town.settle();
    town.set_online(laptop, true);
    let desktop = let_in(&mut town, laptop);
    let first_page = |town: &Town| town.read(desktop, query::history).is_some_and(|row| row.messages > 0);
    while !first_page(&town) {
        assert!(town.exchange());
    }
    town.set_online(laptop, false);
    for _ in 0..4 {
        settle_for(&mut town, 60_000);
    }
    let row = history(&town, desktop);
    assert!(row.complete, "{row:?}");
    assert_eq!(row.from, Some(town.id(tablet)));
    assert_eq!(town.texts(desktop, Some("alice")).len(), 60);
}

/// HIS-1, HIS-2: let in without old messages, and given them later, by another device than the one that let it in.
#[test]
fn old_messages_can_be_given_later() {
    let (mut town, _, laptop) = with_much(2);
    let tablet = town.add_device("bob", laptop, true);
    let desktop = town.add_device("bob", laptop, false);
    for _ in 0..3 {
        settle_for(&mut town, 60_000);
    }
    let row = history(&town, desktop);
    assert!(!row.granted && row.messages == 0, "{row:?}");
    assert!(town.texts(desktop, None).is_empty());
    let asked = town.asked.len();
    for _ in 0..60 {
        settle_for(&mut town, 60_000);
    }
    let relayed = town.asked[asked..].iter().filter(|(who, path)| *who == desktop && path == "/v1/relay").count();
    assert_eq!(relayed, 0, "nobody is asked for ever");
    town.set_online(laptop, false);
    let device = town.id(desktop);
    town.wish(tablet, Command::GrantHistory { device });
    // the one that let it in is asked first, and is off
    settle_for(&mut town, 16_000);
    assert!(history(&town, desktop).complete);
    assert_eq!(town.texts(desktop, None).len(), 3);
    // asked for once more, nothing is there twice
    town.wish(desktop, Command::FetchHistory);
    settle_for(&mut town, 60_000);
    assert!(history(&town, desktop).complete);
    assert_eq!(town.texts(desktop, None).len(), 3);
}

/// Who is asked already, and may not answer yet, answers as soon as somebody agrees.
#[test]
fn what_was_asked_for_before_comes_as_soon_as_somebody_agrees() {
    let (mut town, _, laptop) = with_much(2);
    let desktop = town.add_device("bob", laptop, false);
    assert!(!history(&town, desktop).granted);
    let device = town.id(desktop);
    town.wish(laptop, Command::GrantHistory { device });
    assert!(history(&town, desktop).complete, "{:?}", history(&town, desktop));
    assert_eq!(town.texts(desktop, None).len(), 3);
}

/// No older device is on: it says so by what it knows, and goes on by itself when one is.
#[test]
fn it_waits_for_a_device_that_is_off() {
    let (mut town, _, laptop) = with_much(4);
    let desktop = let_in(&mut town, laptop);
    while !town.asked.last().is_some_and(|(who, path)| *who == laptop && path.starts_with("/v1/entries")) {
        assert!(town.exchange());
    }
    town.set_online(laptop, false);
    for _ in 0..3 {
        settle_for(&mut town, 60_000);
    }
    let row = history(&town, desktop);
    assert!(!row.complete && row.messages == 0, "{row:?}");
    town.set_online(laptop, true);
    for _ in 0..3 {
        settle_for(&mut town, 60_000);
    }
    assert!(history(&town, desktop).complete, "{:?}", history(&town, desktop));
    assert_eq!(town.texts(desktop, Some("alice")).len(), 4);
}

/// An account's first device has nobody to ask.
#[test]
fn a_first_device_fetches_nothing() {
    let mut town = Town::new();
    let laptop = town.sign_up("bob");
    assert_eq!(town.read(laptop, query::history), None);
    let events = town.wish(laptop, Command::FetchHistory);
    assert!(
        events.iter().any(|event| matches!(event, Event::Failed { failure, .. } if failure.code == "history.none"))
    );
}

/// Attack 57: what a member says who speaks MLS and no program of ours, and that no page has room for, holds up nothing.
#[test]
fn what_nobody_could_take_holds_up_no_old_messages() {
    let mut town = Town::new();
    let laptop = town.sign_up("bob");
    let mallory = Impostor::sign_up(&town, "mallory");
    town.send(laptop, "mallory", "one");
    let group = mallory.join(&town);
    for content in [Vec::new(), vec![0xff; 66_000]] {
        mallory.say(&town, &group, b"", &content);
    }
    town.settle();
    town.send(laptop, "mallory", "two");
    assert_eq!(town.texts(laptop, None).len(), 4);
    let desktop = town.add_device("bob", laptop, true);
    settle_for(&mut town, 5_000);
    assert!(history(&town, desktop).complete, "{:?}", history(&town, desktop));
    assert_eq!(town.texts(desktop, None), ["one", "two"]);
}

/// Bob's laptop with all of it, and a tablet that was let in without.
fn with_a_tablet(count: usize) -> (Town, Who, Who, Who) {
    let (mut town, alice, laptop) = with_much(count);
    let tablet = town.add_device("bob", laptop, false);
    settle_for(&mut town, 60_000);
    town.send(alice, "bob", "to both");
    (town, alice, laptop, tablet)
}

/// HIS-6: one that was let in without old messages gives what it has, and is taken for nobody who has all.
#[test]
fn a_device_without_old_messages_does_not_stand_for_one_that_has_them() {
    let (mut town, _, laptop, tablet) = with_a_tablet(4);
    town.set_online(laptop, false);
    let desktop = town.add_device("bob", tablet, true);
    for _ in 0..3 {
        settle_for(&mut town, 60_000);
    }
    let row = history(&town, desktop);
    assert!(row.granted && !row.complete && row.messages == 1 && row.from.is_none(), "{row:?}");
    assert_eq!(town.texts(desktop, None), ["to both"]);
    town.set_online(laptop, true);
    for _ in 0..3 {
        settle_for(&mut town, 60_000);
    }
    let row = history(&town, desktop);
    assert!(row.complete && row.messages == 6 && row.from == Some(town.id(laptop)), "{row:?}");
    assert_eq!(town.texts(desktop, None).len(), 6);
    // this one has all now, and another gets it from it alone
    town.set_online(laptop, false);
    let phone = town.add_device("bob", desktop, true);
    for _ in 0..3 {
        settle_for(&mut town, 60_000);
    }
    assert!(history(&town, phone).complete, "{:?}", history(&town, phone));
    assert_eq!(town.texts(phone, None).len(), 6);
}

/// HIS-6: whoever has all is lost for good: what the others have is all there is, once he is removed.
#[test]
fn what_a_lost_device_had_is_waited_for_until_it_is_removed() {
    let (mut town, _, laptop, tablet) = with_a_tablet(4);
    let all: Vec<_> = town.everybody().collect();
    all.iter().for_each(|who| town.set_online(*who, false));
    town.pass_ms(73 * 3_600_000);
    // the log goes on meanwhile: somebody else opens an account
    let stranger = Device::new();
    let proposal = stranger.sign(stranger.opening(None), "town.example/log");
    town.ask(&Call { path: format!("{ENTRIES}?wait=quorum"), body: Some(proposal), bearer: None });
    all.iter().filter(|who| **who != laptop).for_each(|who| town.set_online(*who, true));
    town.settle();
    let desktop = town.add_device("bob", tablet, true);
    for _ in 0..4 {
        settle_for(&mut town, 600_000);
    }
    assert!(!history(&town, desktop).complete);
    let device = town.id(laptop);
    town.wish(tablet, Command::Remove { device });
    for _ in 0..3 {
        settle_for(&mut town, 600_000);
    }
    let row = history(&town, desktop);
    assert!(row.complete && row.messages == 1, "{row:?}");
}

/// HIS-6: the one that has all goes off in the middle; what comes of one that has not ends no conversation.
#[test]
fn what_one_lists_that_has_all_is_not_completed_by_one_that_has_not() {
    let (mut town, _, laptop, tablet) = with_a_tablet(60);
    town.set_online(tablet, false);
    let desktop = let_in(&mut town, laptop);
    let first_page = |town: &Town| town.read(desktop, query::history).is_some_and(|row| row.messages > 0);
    while !first_page(&town) {
        assert!(town.exchange());
    }
    town.set_online(laptop, false);
    town.set_online(tablet, true);
    for _ in 0..4 {
        settle_for(&mut town, 60_000);
    }
    let row = history(&town, desktop);
    assert!(!row.complete && row.messages < 60, "{row:?}");
    town.set_online(laptop, true);
    for _ in 0..4 {
        settle_for(&mut town, 600_000);
    }
    assert!(history(&town, desktop).complete, "{:?}", history(&town, desktop));
    assert_eq!(town.texts(desktop, Some("alice")).len(), 61);
}
