//! What must not be the end of a device, and what must end: places that cannot be, and what waits in a conversation that
//! is over for its writer.

use client::query::{self, MessageState};
use client::step::{Command, Event};
use protocol::api::delivery::{Delivery, DeliveryKind};
use protocol::bytes::Base64Url;
use scenarios::town::{Town, Who};

fn failures(town: &Town, who: Who) -> Vec<String> {
    let code = |event: &Event| match event {
        Event::Failed { failure, .. } => Some(failure.code.clone()),
        _ => None,
    };
    town.events(who).iter().filter_map(code).collect()
}

/// Attack 57, TXN-5: a place that no column holds could never be found again, and every later step would fail.
#[test]
fn a_delivery_at_the_end_of_all_numbers_ends_nothing() {
    let mut town = Town::new();
    let (alice, bob) = (town.sign_up("alice"), town.sign_up("bob"));
    town.send(alice, "bob", "before");
    for position in [u64::MAX, 1 << 63, 1 << 62, (1 << 62) - 1] {
        let bytes = Base64Url(vec![7; 32]);
        let (kind, group, epoch, at_s, from) = (DeliveryKind::Record, None, 0, 0, None);
        town.hand(bob, Delivery { position, kind, group, epoch, bytes, at_s, from });
    }
    town.restart(bob);
    town.send(alice, "bob", "after");
    assert_eq!(town.texts(bob, None), ["before", "after"]);
}

/// Decision 13: whoever wrote it is told; nothing waits for ever where nothing can be sent any more.
#[test]
fn a_text_that_waits_where_its_writer_was_taken_out_fails_with_a_reason() {
    let mut town = Town::new();
    let (alice, bob, carol) = (town.sign_up("alice"), town.sign_up("bob"), town.sign_up("carol"));
    let (title, with) = ("Friends".to_owned(), vec!["bob".to_owned(), "carol".to_owned()]);
    town.wish(alice, Command::NewChat { title, with });
    let group = town.read(carol, query::conversations).pop().unwrap().group.to_string();
    town.set_online(carol, false);
    town.command(carol, Command::Send { to: group.clone(), text: "am I still in".to_owned() });
    town.wish(alice, Command::RemoveMembers { chat: "Friends".to_owned(), with: vec!["carol".to_owned()] });
    town.set_online(carol, true);
    town.settle();
    town.pass_ms(60_000);

    assert_eq!(failures(&town, carol), ["group.removed"]);
    let row = town.read(carol, |store| query::messages(store, None, 10)).pop().unwrap();
    assert_eq!((row.text.as_str(), row.state), ("am I still in", MessageState::Failed));
    assert_eq!(town.read(carol, |store| query::status(store, 0)).waiting, 0);
    assert!(town.texts(alice, None).is_empty() && town.texts(bob, None).is_empty());
    let more = Command::AddMembers { chat: group, with: vec!["bob".to_owned()] };
    town.wish(carol, more);
    assert_eq!(failures(&town, carol), ["group.removed", "group.removed"]);
}

/// A device that lost its state enters anew; if its account was taken out meanwhile, it finds out and asks no more.
#[test]
fn a_device_that_was_to_enter_where_its_account_is_no_more_stops_asking() {
    let mut town = Town::new();
    let (alice, _, carol) = (town.sign_up("alice"), town.sign_up("bob"), town.sign_up("carol"));
    let (title, with) = ("Friends".to_owned(), vec!["bob".to_owned(), "carol".to_owned()]);
    town.wish(alice, Command::NewChat { title, with });
    let group = town.read(carol, query::conversations).pop().unwrap().group;
    town.set_online(carol, false);
    let commit = Delivery {
        position: 1_000,
        kind: DeliveryKind::Commit,
        group: Some(group),
        epoch: 1_000,
        bytes: Base64Url(vec![7; 32]),
        at_s: 0,
        from: None,
    };
    town.hand(carol, commit);
    town.wish(alice, Command::RemoveMembers { chat: "Friends".to_owned(), with: vec!["carol".to_owned()] });
    town.set_online(carol, true);
    town.settle();
    let asked =
        |town: &Town| town.asked.iter().filter(|(who, path)| *who == carol && path.contains("/groups/")).count();
    let before = asked(&town);
    assert!(before > 0);
    town.pass_ms(300_000);
    assert_eq!(asked(&town), before);
    town.wish(carol, Command::Send { to: group.to_string(), text: "hello?".to_owned() });
    assert_eq!(failures(&town, carol), ["group.removed"]);
}
