//! What the service can make of a request to join, of digits, and of a device that is out. Rules CNF-1 to CNF-8, DEV-4,
//! SND-1; attacks 1, 2, 3, 7, 9, 13, 31, 40, 47, 63.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;

use chain::id::{DeviceId, Digest};
use chain::sigchain::body::{Answer as BodyAnswer, Body, Confirmer};
use chain::sigchain::device_set::DeviceSet;
use client::query::{self, Phase};
use client::step::{Answer, Call, Command, Event, Joining};
use protocol::api::accounts::{Challenge, TOKEN_CHALLENGE, TOKEN_INVALID, TOKENS, TokenRequest};
use protocol::api::delivery::{Delivery, DeliveryKind, RELAY, Relay};
use protocol::api::{ACCOUNTS, AccountAnswer, ENTRIES};
use protocol::bytes::Base64Url;
use protocol::confirm::{Offer, Reveal};
use protocol::history::{HistoryRequest, Wanted};
use protocol::introduction::Introduction;
use protocol::refusal::Problem;
use protocol::relay::RelayBody;
use scenarios::evil::is_record;
use scenarios::people::{Device, nothing_seen};
use scenarios::town::{Town, Who};

use crate::{account, fill, is_done, is_place, last_to, lies, places, reasons, refused, send, stranger, two};

/// Somebody who logged in to Bob's account; the digits that he shows, if he shows any.
fn waiting(town: &mut Town) -> (Who, Option<String>) {
    let who = town.device();
    town.wish(who, Command::LogIn(Town::joining("bob")));
    let code = town.read(who, query::code).map(|(code, _)| code);
    (who, code)
}

fn phase(town: &Town, who: Who) -> Phase {
    town.read(who, |store| query::status(store, town.now_ms())).phase
}

fn entries(town: &Town) -> usize {
    town.entries("bob").len()
}

/// Changes what one device of an account relays to another.
fn change_relays(town: &mut Town, mut lie: impl FnMut(Who, RelayBody) -> Option<RelayBody> + 'static) {
    town.liar.change_deliveries(move |who, mut deliveries| {
        for delivery in deliveries.iter_mut().filter(|it| it.kind == DeliveryKind::Relay) {
            let body = lie(who, RelayBody::decode(&delivery.bytes.0).unwrap());
            delivery.bytes.0 = body.map(|body| body.encode()).unwrap_or_default();
        }
        deliveries
    });
}

/// Attack 1, DEV-4: a device that nobody confirmed is shown once and encrypted to never, even if the service hands it all
/// that Bob's own device gets.
#[test]
fn a_ghost_that_is_handed_everything_reads_nothing() {
    let (mut town, alice, bob) = two();
    let (ghost, _) = waiting(&mut town);
    let copies = Rc::new(RefCell::new(Vec::<Delivery>::new()));
    town.liar.change_deliveries(move |who, deliveries| match who {
        who if who == bob => {
            copies.borrow_mut().extend(deliveries.clone());
            deliveries
        }
        who if who == ghost => copies.take(),
        _ => deliveries,
    });
    for text in ["three", "four"] {
        assert!(is_done(&town.send(alice, "bob", text)));
        let row = town.read(alice, |store| query::messages(store, None, 1)).pop().unwrap();
        assert_eq!(row.encrypted_to, [town.id(bob)]);
    }
    assert!(town.liar.delivered.iter().any(|(who, it)| *who == ghost && it.kind == DeliveryKind::Message));
    assert_eq!((phase(&town, ghost), town.texts(ghost, None)), (Phase::Pending, Vec::new()));
    let seen = town.events(bob).iter().filter(|event| matches!(event, Event::RequestSeen { .. }));
    assert_eq!(seen.count(), 1);
}

/// Attack 2, CNF-1: the service keeps the new device's request back and lists a ghost in its place. The new device does
/// not find itself in the record and shows no digits, so nobody can be made to confirm the ghost with them.
#[test]
fn a_device_whose_entry_was_swapped_for_another_shows_no_digits() {
    let (mut town, _, bob) = two();
    let (ghost, _) = waiting(&mut town);
    let accepted = town.liar.answered.iter().find_map(|(who, call, answer)| match answer {
        Answer::Ok(body) if *who == ghost && call.path.starts_with(ENTRIES) => Some(body.clone()),
        _ => None,
    });
    let accepted = accepted.unwrap();
    town.liar.answer_instead(move |who, call| {
        (who != ghost && call.path.starts_with(ENTRIES)).then(|| Answer::Ok(accepted.clone()))
    });
    let before = entries(&town);
    let (desktop, code) = waiting(&mut town);
    town.pass_ms(120_000);
    assert_eq!(code, None);
    assert!(!town.events(desktop).iter().any(|event| matches!(event, Event::Code { .. })));
    assert_eq!(reasons(town.events(desktop)), ["chain.entry_missing"], "{:?}", town.events(desktop));
    assert_eq!(entries(&town), before);
    town.liar.stop();
    // whatever digits the person makes up, the ghost does not come in by them
    let device = town.id(ghost);
    let events = town.wish(bob, Command::Confirm { device, code: "000000".to_owned(), history: false });
    assert_eq!(reasons(&events), ["confirm.code_mismatch"]);
    assert_eq!((entries(&town), phase(&town, ghost)), (before, Phase::Pending));
}

/// Attack 2, CNF-2, CNF-3: an offer that was changed, or made up, is not answered: no nonce leaves the new device for it.
#[test]
fn an_offer_that_the_older_device_did_not_sign_gets_no_nonce() {
    let (mut town, _, bob) = two();
    let liar = Device::new();
    change_relays(&mut town, move |_, body| match body {
        RelayBody::Offer(bytes) => {
            let mut offer = Offer::decode(&bytes).unwrap();
            offer.random = [7; 32];
            Some(RelayBody::Offer(offer.sign(&liar.chain)))
        }
        body => Some(body),
    });
    let (desktop, code) = waiting(&mut town);
    assert_eq!(code, None);
    let revealed = |(who, call, _): &(Who, Call, Answer)| *who == desktop && call.path == RELAY;
    assert!(!town.liar.answered.iter().any(revealed));
    // the true one still serves
    town.liar.stop();
    town.pass_ms(20_000);
    let device = town.id(desktop);
    town.wish(bob, Command::OpenRequest { device });
    let code = town.read(desktop, query::code).unwrap().0;
    assert!(is_done(&town.wish(bob, Command::Confirm { device, code, history: false })));
    assert_eq!(phase(&town, desktop), Phase::Confirmed);
}

/// Attack 2, CNF-3, CNF-4: a reveal with another nonce, signed by whom it may, is none; the digits that the new device
/// shows are good for nothing then, and no entry is made.
#[test]
fn a_reveal_that_was_swapped_confirms_nobody() {
    let (mut town, _, bob) = two();
    let before = entries(&town);
    let liar = Device::new();
    change_relays(&mut town, move |_, body| match body {
        RelayBody::Reveal(bytes) => {
            let reveal = Reveal { nonce: [9; 32], ..Reveal::decode(&bytes).unwrap() };
            Some(RelayBody::Reveal(reveal.sign(&liar.chain)))
        }
        body => Some(body),
    });
    let (desktop, code) = waiting(&mut town);
    let device = town.id(desktop);
    town.command(bob, Command::Confirm { device, code: code.unwrap(), history: false });
    town.pass_ms(20_000);
    assert_eq!(reasons(town.events(bob)), ["confirm.no_answer"]);
    assert_eq!((entries(&town), phase(&town, desktop)), (before + 1, Phase::Pending));
}

/// Who asks to join Bob's account, as one of his devices is told: id, and what it is called.
fn asking(town: &Town, who: Who) -> Vec<(DeviceId, Option<String>)> {
    let rows = town.read(who, query::devices).into_iter().filter(|row| row.state == "pending");
    rows.map(|row| (row.device, row.name)).collect()
}

fn log_in_as(town: &mut Town, name: &str) -> Who {
    let who = town.device();
    town.wish(who, Command::LogIn(Joining { device_name: name.to_owned(), ..Town::joining("bob") }));
    who
}

/// What becomes of what a second device says, after the first one has said it.
type Relabel = Box<dyn Fn(Introduction, &Introduction) -> Vec<u8>>;

/// CNF-8, attacks 2 and 63: two devices wait. Whatever the service makes of what they say of themselves, each is shown under
/// its own name or under none: not under the other's, nor under one that the service made up.
#[test]
fn a_name_that_the_service_made_up_or_moved_is_shown_nowhere() {
    let liar = Device::new();
    let sealed = |it: Introduction| Introduction { ciphertext: vec![7; it.ciphertext.len()], ..it };
    let lies: [Relabel; 4] = [
        // another's words, with this one's request
        Box::new(|it, first| Introduction { request: it.request, ..first.clone() }.sign(&Device::new().chain)),
        // made up, and signed by nobody who waits
        Box::new(move |it, _| it.sign(&liar.chain)),
        Box::new(move |it, _| sealed(it).sign(&Device::new().chain)),
        // for another try
        Box::new(|it, _| Introduction { attempt: 1, ..it }.sign(&Device::new().chain)),
    ];
    for (number, lie) in lies.into_iter().enumerate() {
        let (mut town, _, bob) = two();
        let first = Rc::new(RefCell::new(None));
        let kept = Rc::clone(&first);
        change_relays(&mut town, move |_, body| match body {
            RelayBody::Introduction(bytes) => {
                let it = Introduction::decode(&bytes).unwrap();
                let first = kept.borrow_mut().get_or_insert_with(|| (it.clone(), bytes.clone())).clone();
                let is_first = first.0.request == it.request;
                Some(RelayBody::Introduction(if is_first { bytes } else { lie(it, &first.0) }))
            }
            body => Some(body),
        });
        let phone = log_in_as(&mut town, "Bob's phone");
        let ghost = log_in_as(&mut town, "a ghost");
        let told = asking(&town, bob);
        assert!(told.contains(&(town.id(phone), Some("Bob's phone".to_owned()))), "{number}: {told:?}");
        assert!(told.contains(&(town.id(ghost), None)), "{number}: {told:?}");
        // the whole of what the first one said, under another envelope, is his still
        let bytes = first.borrow().clone().unwrap().1;
        change_relays(&mut town, move |_, body| match body {
            RelayBody::Introduction(_) => Some(RelayBody::Introduction(bytes.clone())),
            body => Some(body),
        });
        town.pass_ms(20_000);
        let device = town.id(ghost);
        town.wish(bob, Command::OpenRequest { device });
        assert_eq!(asking(&town, bob), told, "{number}");
        // and digits let in the one that shows them, named or not
        let code = town.read(ghost, query::code).unwrap().0;
        assert!(is_done(&town.wish(bob, Command::Confirm { device, code, history: false })), "{number}");
        assert_eq!((phase(&town, ghost), phase(&town, phone)), (Phase::Confirmed, Phase::Pending));
    }
}

/// CNF-8, attack 31: the service carries the name of a device and learns nothing of it: not the name, and not how long it is.
#[test]
fn a_name_that_passes_the_service_is_not_read_there() {
    let mut lengths = Vec::new();
    for name in ["b", "marker-of-bobs-desktop"] {
        let (mut town, _, bob) = two();
        let desktop = log_in_as(&mut town, name);
        assert_eq!(asking(&town, bob), [(town.id(desktop), Some(name.to_owned()))]);
        let code = town.read(desktop, query::code).unwrap().0;
        let device = town.id(desktop);
        assert!(is_done(&town.wish(bob, Command::Confirm { device, code, history: false })));
        let asked = town.liar.answered.iter().map(|(_, call, _)| call.body.clone().unwrap_or_default());
        let answered = town.liar.answered.iter().filter_map(|(.., answer)| match answer {
            Answer::Ok(body) => Some(body.clone()),
            _ => None,
        });
        let delivered = town.liar.delivered.iter().map(|(_, it)| it.bytes.0.clone());
        // what stands in a body is in base64: that of the marker, by where it begins
        for form in ["marker-of", "bWFya2VyLW9m", "1hcmtlci1vZ", "tYXJrZXItb2"] {
            let is_there = |bytes: Vec<u8>| bytes.windows(form.len()).any(|part| part == form.as_bytes());
            assert!(!asked.clone().chain(answered.clone()).chain(delivered.clone()).any(is_there), "{form}");
        }
        // an account's id may begin like one, too
        let relayed = town.liar.delivered.iter().filter(|(_, it)| it.kind == DeliveryKind::Relay);
        let introductions = relayed.filter(|(_, it)| it.bytes.0.first() == Some(&6));
        lengths.push(introductions.map(|(_, it)| it.bytes.0.len()).collect::<Vec<_>>());
    }
    assert_eq!((lengths[0].len(), &lengths[0]), (1, &lengths[1]));
}

/// CNF-8, attack 2: a service that puts a key of its own into an offer, so as to read what is sealed to it, gets nothing.
#[test]
fn an_offer_whose_key_was_swapped_gets_no_name() {
    let (mut town, _, bob) = two();
    change_relays(&mut town, |_, body| match body {
        RelayBody::Offer(mut bytes) => {
            let signature = bytes.len() - 64;
            bytes[signature - 32..signature].fill(9);
            assert!(Offer::decode(&bytes).unwrap().public_key.ends_with(&[9; 32]));
            Some(RelayBody::Offer(bytes))
        }
        body => Some(body),
    });
    let desktop = log_in_as(&mut town, "Bob's desktop");
    town.pass_ms(20_000);
    let said = |(who, call, _): &(Who, Call, Answer)| *who == desktop && call.path == RELAY;
    assert!(!town.liar.answered.iter().any(said));
    assert_eq!(asking(&town, bob), [(town.id(desktop), None)]);
    // the true offer comes, and the name with it
    town.liar.stop();
    let device = town.id(desktop);
    town.wish(bob, Command::OpenRequest { device });
    assert_eq!(asking(&town, bob), [(device, Some("Bob's desktop".to_owned()))]);
}

/// Attacks 3, 8 and 9, DEV-5, SND-1, SND-2: a removed device whose removal the service hides from it, and to which it goes on
/// handing everything that the others get, reads none of it; the confirmation of before does not bring it back.
#[test]
fn a_removed_device_that_is_kept_in_the_dark_and_fed_reads_nothing_more() {
    let (mut town, alice, bob) = two();
    let desktop = town.add_device("bob", bob, false);
    assert!(is_done(&town.send(alice, "bob", "both")));
    assert_eq!(town.texts(desktop, None), ["both"]);
    let confirmation =
        town.liar.answered.iter().rev().find(|(who, call, _)| *who == bob && call.path.starts_with(ENTRIES));
    let confirmation = confirmation.unwrap().1.clone();
    let old = town.second_face();
    town.liar.answer_instead(move |who, call| match who {
        who if who == desktop && is_record(call) => Some(old.ask(call)),
        who if who == desktop => Some(Answer::Unreachable),
        _ => None,
    });
    let copies = Rc::new(RefCell::new(Vec::<Delivery>::new()));
    town.liar.change_deliveries(move |who, deliveries| match who {
        who if who == bob => {
            let messages = deliveries.iter().filter(|it| it.kind == DeliveryKind::Message);
            copies.borrow_mut().extend(messages.cloned());
            deliveries
        }
        who if who == desktop => copies.take(),
        _ => deliveries,
    });
    let device = town.id(desktop);
    assert!(is_done(&town.wish(bob, Command::Remove { device })));
    let (status, body) = town.ask(&confirmation).unwrap();
    assert!(matches!(status, 409 | 422), "{}", String::from_utf8_lossy(&body));
    for number in 0..10 {
        assert!(is_done(&town.send(alice, "bob", &format!("secret {number}"))));
    }
    assert_eq!(phase(&town, desktop), Phase::Confirmed, "it does not know");
    assert!(
        town.liar.delivered.iter().filter(|(who, it)| *who == desktop && it.kind == DeliveryKind::Message).count()
            >= 10
    );
    assert!(!town.texts(desktop, None).iter().any(|text| text.starts_with("secret")));
    assert_eq!(town.texts(bob, None).len(), 13);
}

/// Attack 47: whoever asks for old messages in a device's name without its key, or asks for a device that waits, gets not
/// one part of them.
#[test]
fn a_request_for_old_messages_that_the_service_made_up_gets_nothing() {
    let (mut town, _, bob) = two();
    let desktop = town.add_device("bob", bob, true);
    assert_eq!(town.texts(desktop, None), ["one", "two"]);
    let (ghost, _) = waiting(&mut town);
    let liar = Device::new();
    let account = town.read(bob, |store| query::status(store, 0)).account.unwrap();
    let public_key = vec![1; 1_216];
    let mut lies = Vec::new();
    for device in [town.id(ghost), town.id(desktop), liar.id()] {
        let request = HistoryRequest {
            account,
            generation: 1,
            device,
            confirmed: Digest::sha256(b"made up"),
            public_key: public_key.clone(),
            nonce: [1; 16],
            wanted: Wanted::Index,
        };
        lies.push(RelayBody::HistoryRequest(request.sign(&liar.chain)).encode());
    }
    // and the true one again
    let asked = town
        .liar
        .delivered
        .iter()
        .find(|(who, it)| *who == bob && it.kind == DeliveryKind::Relay && it.bytes.0[0] == 3);
    lies.push(asked.unwrap().1.bytes.0.clone());
    let is_part = |(who, call, _): &(Who, Call, Answer)| {
        let body = call.body.as_deref().unwrap_or_default();
        let relay = serde_json::from_slice::<Relay>(body).ok().filter(|_| *who == bob && call.path == RELAY);
        relay.is_some_and(|relay| matches!(RelayBody::decode(&relay.body.0), Ok(RelayBody::HistoryPart(_))))
    };
    let parts = |town: &Town| town.liar.answered.iter().filter(|it| is_part(it)).count();
    let before = parts(&town);
    assert!(before > 0);
    let mut told = Some(lies);
    town.liar.change_deliveries(move |who, mut deliveries| {
        if who == bob
            && let Some(bodies) = told.take()
        {
            // behind everything that there is
            let position = |index: usize| 1_000_000 + index as u64;
            deliveries.extend(bodies.into_iter().enumerate().map(|(index, body)| Delivery {
                position: position(index),
                kind: DeliveryKind::Relay,
                group: None,
                epoch: 0,
                bytes: Base64Url(body),
                at_s: 0,
                from: None,
            }));
        }
        deliveries
    });
    town.settle();
    town.pass_ms(120_000);
    assert!(town.liar.delivered.iter().any(|(who, it)| *who == bob && it.position >= 1_000_000));
    assert_eq!(parts(&town), before);
}

/// Attack 47: a device that only another face of the record confirms asks for old messages, and its request is in order and
/// its person has agreed. The older device does not see it confirmed, and sends not one part.
#[test]
fn whoever_is_confirmed_on_another_face_alone_gets_no_old_messages() {
    let (mut town, _, bob) = two();
    let (desktop, code) = waiting(&mut town);
    let device = town.id(desktop);
    let face = town.second_face();
    // Bob's confirmation goes to the other face, which is the one that the new device sees
    town.liar.answer_instead(move |who, call| match who {
        who if who == bob && call.path.starts_with(ENTRIES) => Some(face.ask(call)).map(|_| Answer::Unreachable),
        who if who == desktop && is_record(call) => Some(face.ask(call)),
        _ => None,
    });
    town.command(bob, Command::Confirm { device, code: code.unwrap(), history: true });
    town.pass_ms(180_000);
    assert_eq!(phase(&town, desktop), Phase::Confirmed);
    let asked = |(who, it): &(Who, Delivery)| *who == bob && it.kind == DeliveryKind::Relay && it.bytes.0[0] == 3;
    assert!(town.liar.delivered.iter().any(asked), "the request has come");
    let from_bob = town.liar.answered.iter().filter(|(who, call, _)| *who == bob && call.path == RELAY);
    let relayed = from_bob.map(|(_, call, _)| serde_json::from_slice::<Relay>(call.body.as_deref().unwrap()).unwrap());
    let parts = relayed.filter(|it| matches!(RelayBody::decode(&it.body.0), Ok(RelayBody::HistoryPart(_))));
    assert_eq!(parts.count(), 0);
    assert!(town.texts(desktop, None).is_empty());
}

/// CNF-3, attack 2: the older device sees another face of the record than the new one. Its offer is in order, and names a
/// checkpoint that the new device's log never had: no nonce leaves the new device, no digits are shown, and it says why.
#[test]
fn an_offer_made_under_another_face_gets_no_nonce() {
    let (mut town, _, bob) = two();
    town.set_online(bob, false);
    let (desktop, code) = waiting(&mut town);
    assert_eq!(code, None);
    let face = town.second_face();
    // both go on by one block, each by its own
    assert_eq!(town.ask(&stranger()).unwrap().0, 200);
    assert!(matches!(face.ask(&stranger()), Answer::Ok(_)));
    town.liar.show(face, &[desktop]);
    town.set_online(bob, true);
    town.pass_ms(120_000);
    let offered = |(who, it): &(Who, Delivery)| *who == desktop && it.kind == DeliveryKind::Relay && it.bytes.0[0] == 1;
    assert!(town.liar.delivered.iter().any(offered));
    let revealed = |(who, call, _): &(Who, Call, Answer)| *who == desktop && call.path == RELAY;
    assert!(!town.liar.answered.iter().any(revealed));
    assert_eq!(town.read(desktop, query::code).map(|(code, _)| code), None);
    assert!(lies(&town, desktop).iter().any(|(code, _)| code == "chain.fork"), "{:?}", town.events(desktop));
}

/// CNF-3, attacks 2 and 13: one offer for each try, ever. The same one over and over gets the same answer over and over, and
/// shows one request and the same digits.
#[test]
fn an_offer_that_is_repeated_gets_the_same_answer_and_nothing_more() {
    let (mut town, _, bob) = two();
    let (desktop, code) = waiting(&mut town);
    let device = town.id(desktop);
    let offer = last_to(&town, desktop, DeliveryKind::Relay);
    town.liar.change_deliveries(move |who, mut deliveries| {
        deliveries.iter_mut().filter(|it| who == desktop && is_place(it)).for_each(|place| fill(place, &offer));
        deliveries
    });
    places(&town, bob, desktop, 4);
    town.settle();
    let relayed = town.liar.answered.iter().filter(|(who, call, _)| *who == desktop && call.path == RELAY);
    let said: Vec<_> = relayed.map(|(_, call, _)| call.body.clone().unwrap()).collect();
    // the nonce and the name (CNF-8), again and again
    let different: BTreeSet<_> = said.iter().collect();
    assert!(said.len() > 2 && different.len() == 2, "{} of {}", different.len(), said.len());
    let shown = town.events(desktop).iter().filter_map(|event| match event {
        Event::Code { code, .. } => Some(code.clone()),
        _ => None,
    });
    assert!(shown.clone().count() > 1 && shown.clone().all(|it| Some(it) == code));
    let asked = town.events(bob).iter().filter(|event| matches!(event, Event::RequestSeen { .. }));
    assert_eq!(asked.count(), 1);
    assert!(is_done(&town.wish(bob, Command::Confirm { device, code: code.unwrap(), history: false })));
}

/// TOK-2, attacks 7 and 9: a thief's copy of a device runs beside it, with its keys. Within one look both are stopped, and say so;
/// nothing is deleted. No word that the true one has sent is lost, nobody else is affected, and removed it is out.
#[test]
fn a_copy_of_a_device_is_out_with_the_device() {
    let (mut town, alice, bob) = two();
    let desktop = town.add_device("bob", bob, false);
    assert!(is_done(&town.send(alice, "bob", "three")));
    let copy = town.copy_of(desktop);
    town.set_online(copy, false);
    // the true one alone notices nothing
    for number in 0..3 {
        assert!(is_done(&town.send(desktop, "alice", &format!("true {number}"))));
    }
    town.set_online(copy, true);
    town.settle();
    town.command(desktop, send("alice", "from whom?"));
    town.command(copy, send("alice", "false"));
    town.settle();
    town.pass_ms(60_000);
    // whatever was not sent by then waits, and says why
    let is_told = |event: &Event| matches!(event, Event::Held { failure, .. } if failure.code == "device.cloned");
    assert!([desktop, copy].iter().any(|who| town.events(*who).iter().any(is_told)));
    for who in [desktop, copy] {
        assert!(town.read(who, |store| query::status(store, 0)).cloned);
        let told = town.read(who, query::notices).into_iter().filter(|row| row.code == "device.cloned");
        assert_eq!(told.count(), 1);
        assert!(town.texts(who, None).contains(&"three".to_owned()), "what it has is there still");
    }
    assert!(!town.read(bob, |store| query::status(store, 0)).cloned);
    for text in ["true 0", "true 1", "true 2"] {
        assert!(town.texts(alice, None).contains(&text.to_owned()), "{:?}", town.texts(alice, None));
    }
    // a new start of either changes nothing
    for who in [desktop, copy] {
        town.restart(who);
    }
    assert!(is_done(&town.send(alice, "bob", "for the true one")));
    for who in [desktop, copy] {
        assert!(!town.texts(who, None).contains(&"for the true one".to_owned()));
    }
    assert!(town.texts(bob, None).contains(&"for the true one".to_owned()));
    let device = town.id(desktop);
    assert!(is_done(&town.wish(bob, Command::Remove { device })));
    for number in 0..3 {
        assert!(is_done(&town.send(alice, "bob", &format!("secret {number}"))));
    }
    for who in [desktop, copy] {
        assert!(!town.texts(who, None).iter().any(|text| text.starts_with("secret")));
    }
    let secrets = town.texts(bob, None).into_iter().filter(|text| text.starts_with("secret"));
    assert_eq!(secrets.count(), 3);
}

/// Attack 40: the service makes up the challenge that Bob's device signs to show who it is, so that it reads as a confirmation of a
/// ghost. What comes back is good for nothing but what it was asked for: each purpose has a label of its own.
#[test]
fn a_signature_that_was_asked_for_as_something_else_confirms_nobody() {
    let (mut town, _, bob) = two();
    let (ghost, _) = waiting(&mut town);
    let known: AccountAnswer = town.ask_for(&format!("{ACCOUNTS}{}?since=0", account(&town, bob)), None, None);
    let set = DeviceSet::decode(&known.record.0).unwrap();
    let added = set.pending()[&town.id(ghost)].added;
    let signer = Confirmer::Device(town.id(bob));
    let body = Body::DeviceConfirmed(BodyAnswer { added, device: town.id(ghost), signer });
    let mut proposal = Device::new().sign(set.following(body, nothing_seen()), "town.example/log");
    let (statement, _) = proposal.split_last_chunk::<64>().unwrap();
    let wanted = [b"\x28trefoil/entry/device-confirmed/device/v1\x10town.example/log".as_slice(), statement].concat();
    let mut wanted = Some(wanted);
    town.liar.change(TOKEN_CHALLENGE, move |_, told: &mut Challenge| {
        told.challenge = wanted.take().map_or(told.challenge.clone(), Base64Url);
    });
    // a token that is not known any more makes a device ask for a challenge
    let mut lost = true;
    town.liar.answer_instead(move |who, call| {
        let is_it = who == bob && call.bearer.is_some() && std::mem::take(&mut lost);
        is_it.then(|| refused(TOKEN_INVALID))
    });
    town.command(bob, send("alice", "three"));
    town.pass_ms(5_000);
    let asked = town.liar.answered.iter().filter(|(who, call, _)| *who == bob && call.path == TOKENS);
    let asked =
        asked.map(|(_, call, _)| serde_json::from_slice::<TokenRequest>(call.body.as_deref().unwrap()).unwrap());
    let signed = asked.into_iter().find(|it| it.challenge.0.len() > 32).expect("it signed that");
    let length = proposal.len();
    proposal[length - 64..].copy_from_slice(&signed.signature.0);
    let (status, body) = town.ask(&Call { path: ENTRIES.to_owned(), body: Some(proposal), bearer: None }).unwrap();
    let problem: Problem = serde_json::from_slice(&body).unwrap();
    assert_eq!((status, problem.code.as_str()), (422, "entry.signature"));
    assert_eq!(phase(&town, ghost), Phase::Pending);
}
