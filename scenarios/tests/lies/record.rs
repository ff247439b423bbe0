//! Two faces, a record that goes back or stands still, answers that leave something out. Rules CHK-2 to CHK-8;
//! attacks 1, 2, 15 to 19.

use chain::evidence::Evidence;
use client::step::{Answer, Blame, Call, Command, Event};
use protocol::api::delivery::{CLAIM, DeliveryKind};
use protocol::api::{ACCOUNTS, AccountAnswer, CONSISTENCY, ConsistencyAnswer, HANDLE_LOOKUP, HandleAnswer, Head};
use scenarios::people::Device;
use scenarios::town::{Town, Who};
use scenarios::usurper::Usurper;

use crate::{account, contact, is_done, lies, reasons, send, sleep, stranger, two};

const HOUR_MS: u64 = 3_600_000;

fn go_on(town: &Town) {
    assert_eq!(town.ask(&stranger()).unwrap().0, 200);
}

fn size(town: &Town, who: Who) -> u64 {
    town.read(who, |store| client::query::status(store, town.now_ms())).chain_size
}

fn assert_convicts(evidence: &[u8]) {
    assert_eq!(Evidence::decode(evidence).unwrap().check().unwrap().code, "chain.fork");
}

/// Attack 17, CHK-5, CHK-9: everything is valid and a day old. What is written waits, nobody new is believed, and a person may decide
/// otherwise in words, for one conversation and until the record can be checked again.
#[test]
fn a_record_that_stands_still_holds_up_what_is_sent_after_a_day() {
    let (mut town, alice, bob) = two();
    town.sign_up("carol");
    let frozen = town.second_face();
    town.liar.show(frozen, &[alice]);
    // an hour passes, and twenty: known well enough
    sleep(&mut town, 20 * HOUR_MS);
    assert!(is_done(&town.send(alice, "bob", "three")));
    sleep(&mut town, 6 * HOUR_MS);
    let held = town.send(alice, "bob", "four");
    assert_eq!(reasons(&held), ["chain.stale"], "{held:?}");
    assert_eq!(town.texts(bob, None), ["one", "two", "three"]);
    let nobody = town.wish(alice, contact("carol"));
    assert_eq!(reasons(&nobody), ["chain.stale"], "{nobody:?}");
    town.wish(alice, Command::SendUnchecked { to: "bob".to_owned() });
    town.pass_ms(61_000);
    assert_eq!(town.texts(bob, None), ["one", "two", "three", "four"]);
    town.liar.stop();
    go_on(&town);
    town.pass_ms(61_000);
    assert!(is_done(&town.send(alice, "bob", "five")));
    assert!(is_done(&town.wish(alice, contact("carol"))));
    // the decision was for then
    let frozen = town.second_face();
    town.liar.show(frozen, &[alice]);
    sleep(&mut town, 26 * HOUR_MS);
    assert_eq!(reasons(&town.send(alice, "bob", "six")), ["chain.stale"]);
    town.liar.stop();
    go_on(&town);
    town.pass_ms(61_000);
    assert_eq!(town.texts(bob, None), ["one", "two", "three", "four", "five", "six"]);
}

/// Attack 17, attack 74: ten minutes of anybody's clock are no reason to stop.
#[test]
fn a_clock_that_is_ten_minutes_off_stops_nothing() {
    for skew_ms in [600_000, -600_000] {
        let (mut town, alice, bob) = two();
        town.set_skew_ms(alice, skew_ms);
        sleep(&mut town, 2 * HOUR_MS);
        go_on(&town);
        assert!(is_done(&town.send(alice, "bob", "three")));
        assert_eq!(town.texts(bob, None), ["one", "two", "three"]);
        assert!(lies(&town, alice).is_empty());
    }
}

/// Attack 16, CHK-9: yesterday's copy. It is not believed, what it says changes nothing that was seen, and nothing is sent until
/// the record is shown as it was; then what was written goes by itself.
#[test]
fn a_record_that_goes_back_is_not_believed() {
    let (mut town, alice, bob) = two();
    let yesterday = town.second_face();
    go_on(&town);
    sleep(&mut town, 2 * HOUR_MS);
    assert!(is_done(&town.send(alice, "bob", "three")));
    let seen = size(&town, alice);
    town.liar.show(yesterday, &[alice]);
    sleep(&mut town, 2 * HOUR_MS);
    let events = town.wish(alice, contact("carol"));
    assert_eq!(reasons(&events), ["chain.rollback"], "{events:?}");
    assert_eq!(size(&town, alice), seen);
    let held = town.send(alice, "bob", "four");
    assert_eq!(reasons(&held), ["chain.rollback"], "{held:?}");
    assert_eq!(town.texts(bob, None), ["one", "two", "three"]);
    assert!(lies(&town, alice).is_empty(), "an older copy proves nothing against the log");
    town.liar.stop();
    go_on(&town);
    town.pass_ms(61_000);
    assert_eq!(town.texts(bob, None), ["one", "two", "three", "four"]);
    assert!(is_done(&town.send(alice, "bob", "five")));
    assert!(size(&town, alice) > seen);
    assert_eq!(town.texts(bob, None), ["one", "two", "three", "four", "five"]);
}

/// Attack 15, CHK-2: who saw one face and is led to the other stops, and has what convicts the log.
#[test]
fn whoever_is_led_to_the_other_face_stops_and_has_evidence() {
    let (mut town, alice, bob) = two();
    let other = town.second_face();
    assert!(matches!(other.ask(&stranger()), Answer::Ok(_)));
    go_on(&town);
    sleep(&mut town, 2 * HOUR_MS);
    assert!(is_done(&town.send(alice, "bob", "three")));
    town.liar.show(other, &[alice]);
    sleep(&mut town, 2 * HOUR_MS);
    let held = town.send(alice, "bob", "four");
    assert_eq!(reasons(&held), ["chain.fork"], "{held:?}");
    let found = lies(&town, alice);
    assert_eq!(found[0].0, "chain.fork");
    assert_convicts(&found[0].1);
    // for good: the log has lied, whatever it says now
    town.liar.stop();
    sleep(&mut town, 2 * HOUR_MS);
    assert!(!is_done(&town.send(alice, "bob", "five")));
    assert_eq!(town.texts(bob, None), ["one", "two", "three"]);
}

/// Attack 15, CHK-7, I7: two people who were each shown another face find out by the first message between them.
#[test]
fn two_people_before_two_faces_find_out_by_their_first_message() {
    let (mut town, alice, bob) = two();
    // a receipt is a message too, and would find it out
    town.pass_ms(60_000);
    let other = town.second_face();
    assert!(matches!(other.ask(&stranger()), Answer::Ok(_)));
    go_on(&town);
    town.liar.show(other, &[bob]);
    sleep(&mut town, 2 * HOUR_MS);
    // both write at the same moment, each under the face that it sees
    town.command(alice, send("bob", "three"));
    town.command(bob, send("alice", "four"));
    town.settle();
    assert_eq!((town.texts(alice, None).len(), town.texts(bob, None).len()), (4, 4));
    // who has seen less looks further, and finds where they part
    sleep(&mut town, HOUR_MS + 60_000);
    for who in [alice, bob] {
        let found = lies(&town, who);
        assert_eq!(found.iter().map(|it| it.0.as_str()).collect::<Vec<_>>(), ["chain.fork"], "{who:?}");
        assert_convicts(&found[0].1);
        let (to, other, text) = if who == alice { ("bob", bob, "five") } else { ("alice", alice, "six") };
        assert!(!is_done(&town.send(who, to, text)));
        assert!(!town.texts(other, None).contains(&text.to_owned()));
    }
}

/// Attack 18, CHK-3: the removal of a device is left out of what Alice is told.
#[test]
fn an_entry_that_is_left_out_is_missed() {
    let (mut town, alice, bob) = two();
    let desktop = town.add_device("bob", bob, false);
    town.send(alice, "bob", "three");
    town.set_online(desktop, false);
    let bobs = format!("{ACCOUNTS}{}", account(&town, bob));
    let removed = town.id(desktop);
    town.set_online(alice, false);
    town.liar.change(bobs, move |who, told: &mut AccountAnswer| {
        if who == alice {
            told.entries.clear();
        }
    });
    assert!(is_done(&town.wish(bob, Command::Remove { device: removed })));
    town.set_online(alice, true);
    sleep(&mut town, 2 * HOUR_MS);
    let events = town.wish(alice, contact("bob"));
    assert_eq!(reasons(&events), ["chain.proof_invalid"], "{events:?}");
    town.liar.stop();
    go_on(&town);
    town.pass_ms(61_000);
    assert!(is_done(&town.send(alice, "bob", "after")));
    let row = town.read(alice, |store| client::query::messages(store, None, 1)).pop().unwrap();
    assert_eq!(row.encrypted_to, [town.id(bob)]);
}

/// Attack 19, CHK-3: an answer of before, as it was and under the newest head.
#[test]
fn an_answer_of_before_does_not_bring_back_what_was() {
    for spliced in [false, true] {
        let (mut town, alice, bob) = two();
        let desktop = town.add_device("bob", bob, false);
        town.send(alice, "bob", "three");
        let bobs = format!("{ACCOUNTS}{}", account(&town, bob));
        let is_bobs = |who: Who, call: &Call| who == alice && call.path.starts_with(&bobs);
        let old = town.liar.answered.iter().rev().find_map(|(who, call, answer)| match answer {
            Answer::Ok(body) if is_bobs(*who, call) => Some(body.clone()),
            _ => None,
        });
        let old: AccountAnswer = serde_json::from_slice(&old.unwrap()).unwrap();
        let removed = town.id(desktop);
        assert!(is_done(&town.wish(bob, Command::Remove { device: removed })));
        sleep(&mut town, 2 * HOUR_MS);
        go_on(&town);
        assert!(is_done(&town.send(alice, "bob", "four")));
        town.liar.change(bobs, move |who, told: &mut AccountAnswer| {
            if who == alice {
                let head = if spliced { told.head.clone() } else { old.head.clone() };
                *told = AccountAnswer { head, ..old.clone() };
            }
        });
        sleep(&mut town, 2 * HOUR_MS);
        let code = if spliced { "chain.proof_invalid" } else { "chain.rollback" };
        let events = town.wish(alice, contact("bob"));
        assert_eq!(reasons(&events), [code], "{events:?}");
        town.command(alice, send("bob", "five"));
        town.settle();
        let rows = town.read(alice, |store| client::query::messages(store, None, 1));
        assert!(!rows[0].encrypted_to.contains(&removed));
        assert!(!town.texts(desktop, None).contains(&"five".to_owned()));
    }
}

/// Attacks 1 and 2, ENT-2, DEV-4: the service has all its own keys, and signs a ghost into Bob's account and its confirmation
/// into the log, in Bob's name. Everything is proven but Bob's signature. Alice writes to the ghost at no time, says that it is a
/// lie (exit status 4), and has what convicts the log.
#[test]
fn a_ghost_that_the_service_seals_with_its_own_keys_is_never_written_to() {
    let (mut town, alice, bob) = two();
    let mut usurper = Usurper::new(&town, &account(&town, bob));
    let ghost = Device::new();
    usurper.let_in(&ghost, town.id(bob));
    let bobs = format!("{ACCOUNTS}{}", account(&town, bob));
    town.liar
        .answer_instead(move |who, call| (who == alice && call.path.starts_with(&bobs)).then(|| usurper.answer(call)));
    sleep(&mut town, 2 * HOUR_MS);
    let events = town.send(alice, "bob", "secret");
    let why = events.iter().filter_map(|event| match event {
        Event::Held { failure, .. } => Some((failure.code.as_str(), failure.blame)),
        _ => None,
    });
    assert_eq!(why.collect::<Vec<_>>(), [("entry.signature", Blame::Lie)], "{events:?}");
    let found = lies(&town, alice);
    let finding = Evidence::decode(&found[0].1).unwrap().check().unwrap();
    assert_eq!((found.len(), found[0].0.as_str(), finding.code), (1, "entry.signature", "entry.signature"));
    // nothing was made for the ghost, and nothing goes to Bob either before somebody has looked into it
    let claims = town.liar.answered.iter().filter(|(who, call, _)| *who == alice && call.path == CLAIM);
    assert_eq!(claims.count(), 1, "the one for Bob's own device, in the beginning");
    town.liar.stop();
    sleep(&mut town, 2 * HOUR_MS);
    assert!(!is_done(&town.send(alice, "bob", "secret too")));
    assert_eq!(town.texts(bob, None), ["one", "two"]);
}

/// Attack 25, CHK-2: proofs that lead nowhere, of how the log has grown. Nothing new is believed meanwhile, nobody is accused, and
/// all goes on when the lie ends.
#[test]
fn a_lying_consistency_proof_stops_and_accuses_nobody() {
    let (mut town, alice, bob) = two();
    go_on(&town);
    let garble = |head: &mut Head| {
        head.consistency.iter_mut().flat_map(|proof| &mut proof.0).for_each(|hash| hash.0[7] ^= 1);
    };
    town.liar.change_answers(move |who, call, answer| match answer {
        Answer::Ok(body) if who == alice && call.path.starts_with(ACCOUNTS) => {
            let mut told: AccountAnswer = serde_json::from_slice(&body).unwrap();
            garble(&mut told.head);
            Answer::Ok(serde_json::to_vec(&told).unwrap())
        }
        Answer::Ok(body) if who == alice && call.path == HANDLE_LOOKUP => {
            let mut told: HandleAnswer = serde_json::from_slice(&body).unwrap();
            garble(&mut told.head);
            Answer::Ok(serde_json::to_vec(&told).unwrap())
        }
        answer => answer,
    });
    let seen = size(&town, alice);
    sleep(&mut town, 2 * HOUR_MS);
    let events = town.wish(alice, contact("carol"));
    assert_eq!(reasons(&events), ["chain.proof_invalid"]);
    assert_eq!(size(&town, alice), seen, "{events:?}");
    assert!(lies(&town, alice).is_empty());
    town.liar.stop();
    sleep(&mut town, 60_000);
    assert!(size(&town, alice) > seen);
    assert!(is_done(&town.send(alice, "bob", "three")));
    assert_eq!(town.texts(bob, None), ["one", "two", "three"]);
}

/// Attack 25, GRP-2, GRP-5: the same for a root that a group names and Carol has never seen: she takes no verdict from a proof
/// that shows nothing, and comes in when she is shown a true one.
#[test]
fn a_lying_proof_of_a_root_that_a_group_names_keeps_nobody_out_for_good() {
    let (mut town, alice, bob) = two();
    let carol = town.sign_up("carol");
    town.set_online(carol, false);
    town.sign_up("dave");
    let with = ["bob", "carol", "dave"].map(str::to_owned).to_vec();
    town.wish(alice, Command::NewChat { title: "Four".to_owned(), with });
    town.send(alice, "Four", "one for all");
    // what Carol sees next is a block beyond the one that Alice named
    go_on(&town);
    town.liar.change(CONSISTENCY, move |who, told: &mut ConsistencyAnswer| {
        if who == carol {
            told.proof.0.iter_mut().for_each(|hash| hash.0[7] ^= 1);
        }
    });
    town.set_online(carol, true);
    // however often it comes
    for _ in 0..10 {
        town.pass_ms(300_000);
    }
    let asked = town.liar.answered.iter().any(|(who, call, _)| *who == carol && call.path.starts_with(CONSISTENCY));
    let welcomed = town.liar.delivered.iter().any(|(who, it)| *who == carol && it.kind == DeliveryKind::Welcome);
    assert!(asked && welcomed, "{asked} {welcomed}");
    assert!(town.texts(carol, None).is_empty());
    town.liar.stop();
    sleep(&mut town, 60_000);
    assert!(is_done(&town.send(alice, "Four", "two for all")));
    assert_eq!(town.texts(carol, None).last().unwrap(), "two for all");
    assert_eq!(town.texts(bob, None).last().unwrap(), "two for all");
}
