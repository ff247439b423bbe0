//! A service that damages or keeps back messages, and the answers to them: what cannot be read is asked for, sent again, and
//! in the end leaves no trace; whatever the service does, the asking has a measure. Rule SND-4; attacks 39, 57.

use client::query::{self, MessageState};
use client::step::Answer;
use protocol::api::delivery::{Delivery, DeliveryKind, Submitted};
use scenarios::town::{Town, Who};

use crate::{is_done, send, two};

/// What a device shows, and how many of it could not be read.
fn shown(town: &Town, who: Who) -> (Vec<String>, usize) {
    let rows = town.read(who, |store| query::messages(store, None, 1_000));
    let (unread, read): (Vec<_>, Vec<_>) = rows.into_iter().partition(|row| row.state == MessageState::Unreadable);
    (read.into_iter().map(|row| row.text).collect(), unread.len())
}

/// Messages that were handed to the service.
fn written(town: &Town) -> usize {
    town.liar.answered.iter().filter(|(_, call, _)| call.body.is_some() && call.path.ends_with("/messages")).count()
}

/// Damages messages, the nth of all if it says so.
fn damage(town: &mut Town, mut is_hit: impl FnMut(Who, usize) -> bool + 'static) {
    let mut count = 0;
    town.liar.change_deliveries(move |who, mut deliveries| {
        for delivery in deliveries.iter_mut().filter(|it| it.kind == DeliveryKind::Message) {
            count += 1;
            if is_hit(who, count) {
                let middle = delivery.bytes.0.len() / 2;
                delivery.bytes.0[middle] ^= 1;
            }
        }
        deliveries
    });
}

/// SND-4: while everything is damaged, also what repairs, devices ask less and less; when it ends, all of it is there.
#[test]
fn a_storm_of_damage_is_met_with_patience_and_leaves_no_trace() {
    let (mut town, alice, bob) = two();
    let desktop = town.add_device("bob", bob, false);
    let people = [(alice, "bob"), (bob, "alice"), (desktop, "alice")];
    let mut texts: Vec<_> = shown(&town, alice).0;
    let before = written(&town);
    damage(&mut town, |_, _| true);
    for minute in 0..60 {
        if minute % 6 == 0 {
            let (who, to) = people[minute / 6 % 3];
            texts.push(format!("in the storm, {minute}"));
            town.command(who, send(to, texts.last().unwrap()));
        }
        town.pass_ms(60_000);
    }
    let in_the_storm = written(&town) - before;
    // each of three devices asks in the conversation, and two of them in their self-group
    assert!(in_the_storm <= 10 + 5 * 15, "{in_the_storm} messages for 10 texts");
    assert!(shown(&town, alice).1 > 0);
    town.liar.stop();
    for _ in 0..60 {
        town.pass_ms(60_000);
    }
    for (who, _) in people {
        let (mut read, unread) = shown(&town, who);
        let mut all = texts.clone();
        if who == desktop {
            all.drain(..2);
        }
        read.sort();
        all.sort();
        assert_eq!((read, unread), (all, 0));
    }
}

/// SND-4: an answer that is damaged is asked for as well, and so is a request.
#[test]
fn what_repairs_is_repaired() {
    for hits in [[1, 2].as_slice(), &[1, 3], &[1, 2, 3], &[1, 2, 3, 4, 5], &[1, 2, 4]] {
        let (mut town, alice, bob) = two();
        let texts = shown(&town, bob).0;
        damage(&mut town, |_, count| hits.contains(&count));
        assert!(is_done(&town.send(alice, "bob", "hit")));
        for _ in 0..10 {
            town.pass_ms(60_000);
        }
        assert!(is_done(&town.send(alice, "bob", "after")));
        let all = [texts.as_slice(), &["hit".to_owned(), "after".to_owned()]].concat();
        for who in [alice, bob] {
            assert_eq!(shown(&town, who), (all.clone(), 0), "{hits:?}");
        }
    }
}

/// SND-3, SND-4: a text that is missed under its id and comes late and damaged, in the place of another's or of an own
/// message, is one text.
#[test]
fn a_text_that_is_missing_and_damaged_comes_once() {
    for late in 3..=6 {
        let (mut town, alice, bob) = two();
        let mut texts = shown(&town, bob).0;
        let mut kept: Option<Delivery> = None;
        let mut count = 0;
        town.liar.change_deliveries(move |who, mut deliveries| {
            for delivery in deliveries.iter_mut().filter(|it| who == bob && it.kind == DeliveryKind::Message) {
                count += 1;
                if count == 1 {
                    kept = Some(delivery.clone());
                    delivery.kind = DeliveryKind::Record;
                } else if count == late
                    && let Some(first) = kept.take()
                {
                    delivery.bytes = first.bytes;
                    delivery.bytes.0.push(0);
                }
            }
            deliveries
        });
        for text in ["first", "second", "third"] {
            assert!(is_done(&town.send(alice, "bob", text)));
            texts.push(text.to_owned());
        }
        town.pass_ms(300_000);
        assert!(is_done(&town.send(alice, "bob", "fourth")));
        texts.push("fourth".to_owned());
        town.pass_ms(600_000);
        assert_eq!(shown(&town, bob), (texts, 0), "{late}");
    }
}

/// SND-3, GRP-7, attack 39: a service that has a device enter anew, by damage, does not hide by it what it keeps back.
#[test]
fn whoever_enters_anew_still_sees_what_is_missing() {
    let (mut town, alice, bob) = two();
    let mut texts = shown(&town, bob).0;
    let mut count = 0;
    town.liar.change_deliveries(move |who, mut deliveries| {
        for delivery in deliveries.iter_mut().filter(|it| who == bob && it.kind == DeliveryKind::Message) {
            count += 1;
            match count {
                1 => delivery.kind = DeliveryKind::Record,
                2..=6 => {
                    let middle = delivery.bytes.0.len() / 2;
                    delivery.bytes.0[middle] ^= 1;
                }
                _ => {}
            }
        }
        deliveries
    });
    // whatever would repair it stays away as well
    for text in ["kept back", "damaged", "damaged too", "the third"] {
        town.command(alice, send("bob", text));
        while town.take_request(alice).is_some_and(|request| {
            let (_, body) = town.ask(&request.call).unwrap();
            town.answer(alice, request.id, Answer::Ok(body));
            true
        }) {}
        texts.push(text.to_owned());
    }
    town.settle();
    for _ in 0..60 {
        town.pass_ms(60_000);
    }
    assert!(is_done(&town.send(alice, "bob", "after")));
    texts.push("after".to_owned());
    town.pass_ms(3_600_000);
    assert!(town.liar.answered.iter().any(|(who, call, _)| *who == bob && call.path.ends_with("/commits")));
    let (mut read, unread) = shown(&town, bob);
    read.sort();
    texts.sort();
    assert_eq!((read, unread), (texts, 0));
}

/// SND-3, attack 39: the service damages a text, and has Bob believe that one of his own stands in its place, so that it is no
/// loss. It comes with the next text.
#[test]
fn a_false_place_for_ones_own_message_hides_nothing_for_long() {
    let (mut town, alice, bob) = two();
    let mut texts = shown(&town, bob).0;
    let taken = std::rc::Rc::new(std::cell::Cell::new(None));
    let place = taken.clone();
    town.liar.change_deliveries(move |who, mut deliveries| {
        let first = deliveries.iter_mut().find(|it| who == bob && it.kind == DeliveryKind::Message);
        if let Some(delivery) = first.filter(|_| place.get().is_none()) {
            delivery.bytes.0.push(0);
            place.set(Some(delivery.position));
        }
        deliveries
    });
    town.liar.change_answers(move |who, call, answer| match (answer, taken.get()) {
        (Answer::Ok(body), Some(position)) if who == bob && call.path.ends_with("/messages") => {
            let told: Submitted = serde_json::from_slice(&body).unwrap();
            Answer::Ok(serde_json::to_vec(&Submitted { position, ..told }).unwrap())
        }
        (answer, _) => answer,
    });
    for (who, to, text) in
        [(alice, "bob", "hit"), (bob, "alice", "mine"), (alice, "bob", "next"), (alice, "bob", "last")]
    {
        assert!(is_done(&town.send(who, to, text)));
        texts.push(text.to_owned());
    }
    town.pass_ms(600_000);
    let (mut read, unread) = shown(&town, bob);
    read.sort();
    texts.sort();
    assert_eq!((read, unread), (texts, 0));
}
