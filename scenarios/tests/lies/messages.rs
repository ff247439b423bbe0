//! Messages repeated, shuffled, damaged and kept back; key packages and Welcomes used twice. Rules TXN-1, TXN-5; attacks
//! 37, 39, 57.

use client::query::{self, MessageState};
use client::step::{Answer, Event};
use protocol::api::delivery::{CLAIM, ClaimedKeyPackage, Delivery, DeliveryKind};
use scenarios::town::{Town, Who};

use crate::{fill, is_done, is_place, last_to, places, two};

/// The texts of a conversation but for those that could not be read.
fn readable(town: &Town, who: Who, with: &str) -> Vec<String> {
    let rows = town.read(who, |store| query::messages(store, Some(with), 10_000)).into_iter();
    rows.filter(|row| row.state != MessageState::Unreadable).map(|row| row.text).collect()
}

fn unreadable(town: &Town, who: Who) -> usize {
    let rows = town.read(who, |store| query::messages(store, None, 10_000));
    rows.iter().filter(|row| row.state == MessageState::Unreadable).count()
}

/// Attack 39, I2: every message three times, at its own place and at others: shown once.
#[test]
fn a_message_that_comes_three_times_is_shown_once() {
    let (mut town, alice, bob) = two();
    let desktop = town.add_device("bob", bob, false);
    town.send(alice, "bob", "three");
    town.liar.change_deliveries(move |who, deliveries| {
        let times = if who == bob { 3 } else { 1 };
        deliveries.into_iter().flat_map(|it| std::iter::repeat_n(it, times)).collect()
    });
    for number in 0..5 {
        assert!(is_done(&town.send(alice, "bob", &format!("tripled {number}"))));
    }
    let again = last_to(&town, bob, DeliveryKind::Message);
    town.liar.change_deliveries(move |who, mut deliveries| {
        let places = deliveries.iter_mut().filter(|it| who == bob && is_place(it));
        places.for_each(|place| fill(place, &again));
        deliveries
    });
    places(&town, desktop, bob, 10);
    town.settle();
    let expected = ["one", "two", "three", "tripled 0", "tripled 1", "tripled 2", "tripled 3", "tripled 4"];
    assert_eq!(town.texts(bob, None), expected);
    assert_eq!((unreadable(&town, bob), town.texts(desktop, None).len()), (0, 6));
}

/// Attack 39, I2, I3: messages that come in another order than they were sent, at places that the service made up: each
/// is shown once, also those that came too late for their keys and had to be asked for again.
#[test]
fn messages_that_were_shuffled_are_each_shown_once() {
    let (mut town, alice, bob) = two();
    town.set_online(bob, false);
    let texts: Vec<_> = (0..50).map(|number| format!("shuffled {number:02}")).collect();
    for text in &texts {
        assert!(is_done(&town.send(alice, "bob", text)));
    }
    town.liar.change_deliveries(move |who, deliveries| {
        if who != bob || deliveries.len() < 50 {
            return deliveries;
        }
        let positions: Vec<_> = deliveries.iter().map(|it| it.position).collect();
        let mut order: Vec<_> = (0..deliveries.len()).collect();
        order.sort_by_key(|index| (index * 37) % 53);
        let at = |(index, position)| Delivery { position, ..Delivery::clone(&deliveries[index]) };
        order.into_iter().zip(positions).map(at).collect()
    });
    town.set_online(bob, true);
    town.settle();
    town.pass_ms(60_000);
    let mut shown = readable(&town, bob, "alice").split_off(2);
    shown.sort();
    assert_eq!(shown, texts);
}

/// Attack 57, TXN-5: a thousand damaged copies of a message, each of them set aside, and the next true one is read.
#[test]
fn a_thousand_damaged_messages_stop_nothing() {
    let (mut town, alice, bob) = two();
    let desktop = town.add_device("bob", bob, false);
    town.send(alice, "bob", "three");
    let model = last_to(&town, bob, DeliveryKind::Message);
    let mut seed = 1_u64;
    let mut count = 0_usize;
    town.liar.change_deliveries(move |who, mut deliveries| {
        for place in deliveries.iter_mut().filter(|it| who == bob && is_place(it)) {
            fill(place, &model);
            let bytes = &mut place.bytes.0;
            let mut roll = |sides: usize| {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (seed >> 33) as usize % sides
            };
            match roll(4) {
                0 => bytes.truncate(roll(bytes.len())),
                1 => bytes.extend((0..=roll(64)).map(|it| it as u8)),
                _ => (0..=roll(3)).for_each(|_| {
                    let at = roll(bytes.len());
                    bytes[at] ^= 1 << roll(8);
                }),
            }
            // no two alike
            bytes.extend(count.to_be_bytes());
            count += 1;
        }
        deliveries
    });
    places(&town, desktop, bob, 1_000);
    town.settle();
    assert!(is_done(&town.send(alice, "bob", "after")));
    assert_eq!(unreadable(&town, bob), 1_000);
    assert_eq!(town.texts(bob, None).iter().filter(|text| !text.starts_with("mls.")).count(), 4);
    assert_eq!(town.texts(bob, None).last().unwrap(), "after");
}

/// Attacks 54 and 57: no number of the service's ends a device.
#[test]
fn places_at_the_end_of_all_numbers_end_nothing() {
    let (mut town, alice, bob) = two();
    let model = last_to(&town, bob, DeliveryKind::Message);
    let mut positions = vec![u64::MAX, u64::MAX - 1, 1 << 63, (1 << 63) - 1];
    town.liar.change_deliveries(move |who, mut deliveries| {
        if who == bob {
            deliveries.extend(positions.pop().map(|position| Delivery { position, epoch: position, ..model.clone() }));
        }
        deliveries
    });
    town.settle();
    town.liar.stop();
    town.restart(bob);
    assert!(is_done(&town.send(bob, "alice", "still here")));
    assert_eq!(town.texts(alice, None).last().unwrap(), "still here");
}

/// Attack 37: the service gives the same key package of Bob's to two people. The second Welcome opens nothing; Bob comes
/// in by himself, and both can write to him.
#[test]
fn a_key_package_given_out_twice_is_used_once() {
    let (mut town, _, bob) = two();
    let (carol, dave) = (town.sign_up("carol"), town.sign_up("dave"));
    let mut first = None;
    town.liar.change(CLAIM, move |_, told: &mut ClaimedKeyPackage| {
        let first = first.get_or_insert_with(|| told.clone());
        *told = first.clone();
    });
    town.send(carol, "bob", "from carol");
    town.send(dave, "bob", "from dave");
    town.liar.stop();
    town.pass_ms(120_000);
    town.send(dave, "bob", "from dave again");
    town.send(carol, "bob", "from carol again");
    assert_eq!(readable(&town, bob, "carol"), ["from carol", "from carol again"]);
    assert_eq!(readable(&town, bob, "dave"), ["from dave", "from dave again"]);
    let packages =
        town.liar.answered.iter().filter(|(_, call, answer)| call.path == CLAIM && matches!(answer, Answer::Ok(_)));
    // Alice's, and one of each of them
    assert_eq!(packages.count(), 3);
}

/// Attack 37, the other way: asked twice, an honest service gives two.
#[test]
fn two_people_get_two_key_packages() {
    let (mut town, ..) = two();
    let (carol, dave) = (town.sign_up("carol"), town.sign_up("dave"));
    town.send(carol, "bob", "from carol");
    town.send(dave, "bob", "from dave");
    let claimed = town.liar.answered.iter().filter_map(|(_, call, answer)| match answer {
        Answer::Ok(body) if call.path == CLAIM => serde_json::from_slice::<ClaimedKeyPackage>(body).ok(),
        _ => None,
    });
    let mut claimed: Vec<_> = claimed.map(|it| it.key_package.0).collect();
    let all = claimed.len();
    claimed.sort();
    claimed.dedup();
    assert_eq!((all, claimed.len()), (3, 3));
}

/// Attack 37, `mls.welcome_replayed`: a Welcome that comes again changes nothing, in the group or after it was left.
#[test]
fn a_welcome_that_comes_again_changes_nothing() {
    let (mut town, alice, bob) = two();
    let desktop = town.add_device("bob", bob, false);
    town.send(alice, "bob", "three");
    let welcome = last_to(&town, bob, DeliveryKind::Welcome);
    town.liar.change_deliveries(move |who, mut deliveries| {
        let places = deliveries.iter_mut().filter(|it| who == bob && is_place(it));
        places.for_each(|place| fill(place, &welcome));
        deliveries
    });
    let before = town.events(bob).len();
    places(&town, desktop, bob, 3);
    town.settle();
    let changed = |event: &Event| matches!(event, Event::Conversation { .. } | Event::Lie { .. });
    assert!(!town.events(bob)[before..].iter().any(changed));
    assert!(is_done(&town.send(alice, "bob", "four")));
    assert!(is_done(&town.send(bob, "alice", "five")));
    assert_eq!(town.texts(bob, None), ["one", "two", "three", "four", "five"]);
    assert_eq!(town.texts(alice, None), ["one", "two", "three", "four", "five"]);
}
