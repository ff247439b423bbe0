//! Messages that are gone some time after they were read (MSG-6, MSG-7).

use client::query::{self, Wanted, search};
use client::step::{Command, Event};
use scenarios::town::{Town, Who};

const HOUR_MS: u64 = 3_600_000;

fn set_timer(chat: &str, seconds: u32) -> Command {
    Command::SetTimer { chat: chat.to_owned(), seconds }
}

/// The texts that are shown, without the lines that say how long they last.
fn texts(town: &Town, who: Who) -> Vec<String> {
    town.messages(who).into_iter().filter(|row| row.timer_s.is_none()).map(|row| row.text).collect()
}

fn timer(town: &Town, who: Who) -> u32 {
    town.read(who, query::conversations).into_iter().find(|row| !row.own).unwrap().timer_s
}

fn found(town: &Town, who: Who, words: &str) -> usize {
    let wanted = Wanted { words, with: None, from: None, limit: 10 };
    town.read(who, |store| search(store, &wanted)).unwrap().rows.len()
}

fn mark_read(town: &mut Town, who: Who, with: &str) {
    town.wish(who, Command::MarkRead { with: with.to_owned() });
}

/// MSG-7: for its writer an hour after it was sent, for its reader an hour after he read it, on all his devices; also on a device
/// that was off meanwhile, and on one that comes later. What stands around it still fits.
#[test]
fn a_message_is_gone_an_hour_after_it_was_read() {
    let mut town = Town::new();
    let (alice, laptop) = (town.sign_up("alice"), town.sign_up("bob"));
    let desktop = town.add_device("bob", laptop, true);
    town.send(alice, "bob", "stays");
    town.wish(alice, set_timer("bob", 3_600));
    for number in 0..130 {
        town.command(alice, Command::Send { to: "bob".to_owned(), text: format!("secret {number}") });
    }
    town.settle();
    let secret = town.messages(laptop).into_iter().find(|row| row.text == "secret 7").unwrap();
    assert_eq!(secret.lasts_s, Some(3_600));
    let react = Command::React { message: secret.message.to_string(), reaction: "+1".to_owned(), remove: false };
    town.set_online(desktop, false);
    town.wish(alice, react);
    town.pass_ms(HOUR_MS + 1_000);
    assert_eq!(texts(&town, alice), ["stays"]);
    assert_eq!((found(&town, alice, "secret"), found(&town, laptop, "secret")), (0, 10));
    town.pass_ms(5 * HOUR_MS);
    assert_eq!(texts(&town, laptop).len(), 131, "nobody has read it");

    mark_read(&mut town, laptop, "alice");
    town.pass_ms(HOUR_MS - 60_000);
    assert_eq!(texts(&town, laptop).len(), 131);
    town.set_online(desktop, true);
    town.settle();
    assert_eq!(texts(&town, desktop).len(), 131);
    town.pass_ms(2 * HOUR_MS);
    let tablet = town.add_device("bob", laptop, true);
    town.settle();
    town.pass_ms(5_000);
    for who in [laptop, desktop, tablet] {
        assert_eq!(texts(&town, who), ["stays"]);
        assert_eq!(found(&town, who, "secret"), 0);
        assert!(town.messages(who).iter().all(|row| row.reactions.is_empty()));
        assert!(town.read(who, query::conversations).iter().all(|row| !row.unverified && row.unread == 0));
    }
}

/// MSG-6: the last word counts on all devices; who comes in later concludes it from what is written; off means that they stay.
#[test]
fn the_time_that_was_said_last_counts() {
    let mut town = Town::new();
    let (alice, bob, carol) = (town.sign_up("alice"), town.sign_up("bob"), town.sign_up("carol"));
    let with = vec!["bob".to_owned()];
    town.wish(alice, Command::NewChat { title: "Trip".to_owned(), with });
    let group = town.read(bob, query::conversations)[0].group.to_string();
    town.wish(alice, set_timer("Trip", 60));
    town.wish(bob, set_timer(&group, 7_200));
    for who in [alice, bob] {
        assert_eq!(timer(&town, who), 7_200);
    }
    let with = vec!["carol".to_owned()];
    town.wish(alice, Command::AddMembers { chat: "Trip".to_owned(), with });
    assert_eq!(timer(&town, carol), 0);
    town.send(bob, &group, "welcome");
    assert_eq!(timer(&town, carol), 7_200);
    town.send(carol, &group, "thanks");
    let thanks = town.messages(alice).into_iter().find(|row| row.text == "thanks").unwrap();
    assert_eq!(thanks.lasts_s, Some(7_200));
    town.wish(carol, set_timer(&group, 0));
    town.send(bob, &group, "this stays");
    for who in [alice, bob, carol] {
        assert_eq!(timer(&town, who), 0);
        mark_read(&mut town, who, &group);
    }
    town.pass_ms(3 * HOUR_MS);
    for who in [alice, bob, carol] {
        assert_eq!(texts(&town, who), ["this stays"]);
    }
    let refused = town.wish(alice, set_timer("Trip", u32::MAX));
    assert!(refused.iter().any(|event| matches!(event, Event::Failed { failure, .. } if failure.code == "chat.timer")));
}

/// MSG-7: what a device gets as an old message, already read elsewhere, is gone here when it is gone there.
#[test]
fn what_comes_as_an_old_message_ends_with_the_others() {
    let mut town = Town::new();
    let (alice, laptop) = (town.sign_up("alice"), town.sign_up("bob"));
    town.send(alice, "bob", "stays");
    town.wish(alice, set_timer("bob", 3_600));
    town.send(alice, "bob", "secret");
    mark_read(&mut town, laptop, "alice");
    town.send(alice, "bob", "not read yet");
    town.pass_ms(HOUR_MS / 2);
    let tablet = town.add_device("bob", laptop, true);
    town.settle();
    for who in [laptop, tablet] {
        assert_eq!(texts(&town, who), ["stays", "secret", "not read yet"]);
    }
    town.pass_ms(HOUR_MS / 2 + 1_000);
    for who in [laptop, tablet] {
        assert_eq!(texts(&town, who), ["stays", "not read yet"], "{who:?}");
    }
    mark_read(&mut town, tablet, "alice");
    town.pass_ms(HOUR_MS + 1_000);
    for who in [laptop, tablet] {
        assert_eq!(texts(&town, who), ["stays"]);
    }
}

/// MSG-6: a device that comes later and gets no old messages writes what lasts as long as what the others write.
#[test]
fn a_device_without_old_messages_knows_how_long_they_last() {
    let mut town = Town::new();
    let (alice, laptop) = (town.sign_up("alice"), town.sign_up("bob"));
    town.send(alice, "bob", "hello");
    town.wish(alice, set_timer("bob", 60));
    town.wish(laptop, set_timer("alice", 3_600));
    let with = vec!["alice".to_owned()];
    town.wish(laptop, Command::NewChat { title: "Trip".to_owned(), with });
    town.wish(laptop, set_timer("Trip", 7_200));
    let tablet = town.add_device("bob", laptop, false);
    town.pass_ms(5_000);
    assert!(town.texts(tablet, None).is_empty());
    for (with, seconds) in [("alice", 3_600), ("Trip", 7_200)] {
        town.send(tablet, with, "from the tablet");
        for who in [tablet, laptop, alice] {
            let row = town.messages(who).pop().unwrap();
            assert_eq!((row.text.as_str(), row.lasts_s), ("from the tablet", Some(seconds)), "{with}");
        }
    }
    // and when it is said anew, that counts
    town.wish(alice, set_timer("bob", 0));
    let phone = town.add_device("bob", tablet, false);
    town.pass_ms(5_000);
    town.send(phone, "alice", "stays");
    assert_eq!(town.messages(alice).pop().unwrap().lasts_s, None);
}
