//! What the service can make of a recovery key, of a reset, and of the number in a request for a token. Rules REC-1, REC-2, RST-3,
//! RST-4, TOK-2; attacks 3, 7, 10, 11.

use chain::id::PublicKey;
use chain::sigchain::body::{Answer as BodyAnswer, Body, Confirmer};
use chain::sigchain::device_set::DeviceSet;
use chain::sigchain::entry::Proposal;
use client::query::{self, Phase};
use client::step::{Answer, Blame, Call, Command, Event};
use protocol::api::accounts::TOKENS;
use protocol::api::{ACCOUNTS, AccountAnswer, ENTRIES};
use protocol::recovery::{RANDOM, RecoveryKey};
use protocol::refusal::Problem;
use scenarios::people::{Device, nothing_seen};
use scenarios::town::{Town, Who};
use scenarios::usurper::Usurper;
use zeroize::Zeroizing;

use crate::{account, contact, is_done, lies, reasons, refused, send, sleep, stranger, two};

const HOUR_MS: u64 = 3_600_000;
/// What the record demands before a reset.
const WAIT_MS: u64 = 72 * HOUR_MS;

fn phase(town: &Town, who: Who) -> Phase {
    town.read(who, |store| query::status(store, 0)).phase
}

fn notices(town: &Town, who: Who) -> Vec<String> {
    town.read(who, query::notices).into_iter().map(|row| row.code).collect()
}

fn key(seed: u8) -> RecoveryKey {
    RecoveryKey::new(&Zeroizing::new([seed; RANDOM]))
}

fn set_key(town: &mut Town, who: Who, key: Option<&RecoveryKey>) {
    let key = key.map(|key| PublicKey::from(&key.signing_key()));
    assert!(is_done(&town.wish(who, Command::SetRecoveryKey { key })));
}

/// So long all are off, and the log goes on; those who are lost stay off.
fn pass(town: &mut Town, ms: u64, lost: &[Who]) {
    let all: Vec<_> = town.everybody().collect();
    all.iter().for_each(|who| town.set_online(*who, false));
    town.pass_ms(ms);
    assert_eq!(town.ask(&stranger()).unwrap().0, 200);
    all.into_iter().filter(|who| !lost.contains(who)).for_each(|who| town.set_online(who, true));
    town.settle();
    town.pass_ms(61_000);
}

fn code_of(answer: Option<(u16, Vec<u8>)>) -> String {
    let (status, body) = answer.unwrap();
    assert_ne!(status, 200);
    serde_json::from_slice::<Problem>(&body).unwrap().code
}

/// Attack 11, CHK-5: the service shows a living device a record that stands still, so that it hears nothing of a reset. After a day
/// that device says that nothing can be checked, and sends nothing; and whoever wrote with the account sends nothing to the fresh
/// identity.
#[test]
fn a_reset_that_is_hidden_from_the_living_device_is_not_hidden_from_anybody_else() {
    let (mut town, alice, bob) = two();
    let frozen = town.second_face();
    town.liar.show(frozen, &[bob]);
    let thief = town.device();
    assert!(is_done(&town.wish(thief, Command::Reset(Town::joining("bob")))));
    pass(&mut town, 25 * HOUR_MS, &[]);
    assert!(!notices(&town, bob).contains(&"reset.requested".to_owned()), "it is hidden");
    assert_eq!(town.read(bob, |store| query::status(store, town.now_ms())).freshness, "stale");
    assert_eq!(reasons(&town.send(bob, "alice", "three")), ["chain.stale"]);
    pass(&mut town, 49 * HOUR_MS, &[]);
    assert_eq!(phase(&town, thief), Phase::Confirmed);
    assert_eq!(reasons(&town.send(alice, "bob", "for whom?")), ["account.reset"]);
    assert!(town.texts(thief, None).is_empty());
    town.liar.stop();
    pass(&mut town, HOUR_MS, &[]);
    assert_eq!(phase(&town, bob), Phase::Ended);
    assert!(notices(&town, bob).contains(&"reset.requested".to_owned()), "it is told what happened");
    assert_eq!(town.texts(bob, None)[..2], ["one", "two"]);
}

/// RST-3, attacks 3 and 11: the veto of an earlier reset, handed in again, does not stop the one that Bob himself has asked for.
#[test]
fn a_veto_of_an_earlier_reset_stops_no_other_one() {
    let (mut town, _, bob) = two();
    let thief = town.device();
    town.wish(thief, Command::Reset(Town::joining("bob")));
    assert!(is_done(&town.wish(bob, Command::Veto)));
    let veto = town.liar.answered.iter().rev().find(|(who, call, _)| *who == bob && call.path.starts_with(ENTRIES));
    let veto = veto.unwrap().1.clone();
    pass(&mut town, WAIT_MS + HOUR_MS, &[bob]);
    let fresh = town.device();
    assert!(is_done(&town.wish(fresh, Command::Reset(Town::joining("bob")))));
    assert_eq!(code_of(town.ask(&veto)), "chain.conflict");
    pass(&mut town, WAIT_MS + HOUR_MS, &[bob]);
    assert_eq!(phase(&town, fresh), Phase::Confirmed);
}

/// PMT-2, RST-3, RST-4, attack 11: the service hands a permit to a thief, and would like him to be Bob at once and in silence. He is
/// announced to Bob's device, gets nothing before its time, and nothing once Bob has said no.
#[test]
fn a_permit_that_the_service_hands_out_shortens_nothing_and_hides_nothing() {
    let (mut town, alice, bob) = two();
    let (thief, permit) = (town.device(), town.permit("bob"));
    assert!(is_done(&town.wish(thief, Command::ResetWithPermit { joining: Town::joining("bob"), permit })));
    assert!(notices(&town, bob).contains(&"reset.requested".to_owned()));
    // a thief whose clock is days ahead asks at once
    town.set_skew_ms(thief, i64::try_from(WAIT_MS + HOUR_MS).unwrap());
    town.restart(thief);
    for _ in 0..5 {
        town.pass_ms(60_000);
    }
    let asked = |(who, call, _): &&(Who, Call, Answer)| *who == thief && call.path.contains("/reset");
    let asked: Vec<_> = town.liar.answered.iter().filter(asked).cloned().collect();
    let is_refused = |answer: &Answer| matches!(answer, Answer::Refused(problem) if problem.code == "reset.too_early");
    assert!(!asked.is_empty() && asked.iter().all(|(.., answer)| is_refused(answer)), "{asked:?}");
    assert!(is_done(&town.wish(bob, Command::Veto)));
    pass(&mut town, WAIT_MS + HOUR_MS, &[]);
    assert_eq!(code_of(town.ask(&asked[0].1)), "reset.no_notice");
    assert!(is_done(&town.wish(alice, send("bob", "to whom it always was"))));
    assert_eq!(town.texts(bob, None).last().map(String::as_str), Some("to whom it always was"));
}

/// RST-4, attack 11: whoever has announced a reset, and whose clock is days ahead, does not get it before its time.
#[test]
fn a_reset_before_its_time_is_refused() {
    let (mut town, alice, bob) = two();
    let thief = town.device();
    town.wish(thief, Command::Reset(Town::joining("bob")));
    town.set_skew_ms(thief, i64::try_from(WAIT_MS + HOUR_MS).unwrap());
    town.restart(thief);
    for _ in 0..5 {
        town.pass_ms(60_000);
    }
    let asked = |(who, call, _): &&(Who, Call, Answer)| *who == thief && call.path.contains("/reset");
    let answers: Vec<_> = town.liar.answered.iter().filter(asked).map(|(.., answer)| answer.clone()).collect();
    assert!(!answers.is_empty(), "it has asked");
    let is_refused = |answer: &Answer| matches!(answer, Answer::Refused(problem) if problem.code == "reset.too_early");
    assert!(answers.iter().all(is_refused), "{answers:?}");
    assert!(is_done(&town.wish(bob, Command::Veto)));
    assert!(is_done(&town.send(alice, "bob", "three")));
}

/// REC-1, REC-2, attacks 3 and 10: the confirmation of a device by a recovery key that the account never had, has no more, or has
/// replaced is refused, whoever hands it in.
#[test]
fn a_recovery_key_that_is_none_of_the_account_confirms_nobody() {
    let (old, new) = (key(1), key(2));
    for keys in [vec![], vec![Some(&old), None], vec![Some(&old), Some(&new)]] {
        let (mut town, _, bob) = two();
        keys.iter().for_each(|key| set_key(&mut town, bob, *key));
        let ghost = town.device();
        town.wish(ghost, Command::LogIn(Town::joining("bob")));
        let known: AccountAnswer = town.ask_for(&format!("{ACCOUNTS}{}?since=0", account(&town, bob)), None, None);
        let set = DeviceSet::decode(&known.record.0).unwrap();
        let (added, device) = (set.pending()[&town.id(ghost)].added, town.id(ghost));
        let body = Body::DeviceConfirmed(BodyAnswer { added, device, signer: Confirmer::RecoveryKey });
        let statement = set.following(body, nothing_seen());
        let proposal = Proposal::sign(statement, "town.example/log", &old.signing_key(), None).encode();
        let answer = town.ask(&Call { path: ENTRIES.to_owned(), body: Some(proposal), bearer: None });
        let expected = if keys.len() == 2 && keys[1].is_some() { "entry.signature" } else { "recovery_key.none" };
        assert_eq!(code_of(answer), expected);
        assert_eq!(phase(&town, ghost), Phase::Pending);
    }
}

/// REC-1, ENT-2, attacks 1 and 10: the service seals such a confirmation with its own keys all the same: by a key that the account
/// has replaced, or by one that it has set itself in Bob's name. Alice writes to the ghost at no time, and says that it is a lie.
#[test]
fn a_recovery_that_the_service_seals_is_a_lie() {
    for is_old in [true, false] {
        let (mut town, alice, bob) = two();
        let stolen = key(1);
        if is_old {
            set_key(&mut town, bob, Some(&stolen));
            set_key(&mut town, bob, Some(&key(2)));
        }
        let mut usurper = Usurper::new(&town, &account(&town, bob));
        let ghost = Device::new();
        if !is_old {
            usurper.set_recovery_key(PublicKey::from(&stolen.signing_key()), town.id(bob), &ghost);
        }
        usurper.recover(&ghost, stolen.signing_key());
        let bobs = format!("{ACCOUNTS}{}", account(&town, bob));
        town.liar.answer_instead(move |who, call| {
            (who == alice && call.path.starts_with(&bobs)).then(|| usurper.answer(call))
        });
        sleep(&mut town, 2 * HOUR_MS);
        let events = town.send(alice, "bob", "secret");
        let why = events.iter().filter_map(|event| match event {
            Event::Held { failure, .. } => Some((failure.code.as_str(), failure.blame)),
            _ => None,
        });
        assert_eq!(why.collect::<Vec<_>>(), [("entry.signature", Blame::Lie)], "{events:?}");
        assert_eq!(lies(&town, alice).len(), 1);
        assert_eq!(town.texts(bob, None), ["one", "two"]);
    }
}

/// RST-4, CHK-3, attack 11: the service, with all its keys, seals a reset of Bob, who lives, a second after it announced it. Whatever it
/// says about the time of that: what it tells proves nothing, and Alice hears of no reset. That it takes all of it back then stops what
/// she sends (CHK-9).
#[test]
fn a_reset_that_the_service_seals_at_once_is_not_believed() {
    for is_dated in [false, true] {
        let (mut town, alice, bob) = two();
        let mut usurper = Usurper::new(&town, &account(&town, bob));
        usurper.reset_at_once(&Device::new(), is_dated);
        let bobs = format!("{ACCOUNTS}{}", account(&town, bob));
        town.liar.answer_instead(move |who, call| {
            (who == alice && call.path.starts_with(&bobs)).then(|| usurper.answer(call))
        });
        sleep(&mut town, 2 * HOUR_MS);
        let events = town.wish(alice, contact("bob"));
        assert_eq!(reasons(&events), ["chain.proof_invalid"], "{events:?}");
        assert!(!notices(&town, alice).contains(&"contact.reset".to_owned()));
        assert!(town.read(alice, query::contacts)[0].reset_s.is_none());
        town.liar.stop();
        sleep(&mut town, HOUR_MS);
        assert_eq!(reasons(&town.send(alice, "bob", "still you")), ["chain.rollback"]);
        assert_eq!(town.texts(bob, None), ["one", "two"]);
    }
}

/// TOK-2, attack 7 turned round: the service says of an honest device that a copy of it is in use. It stops and says so, names where
/// to look, and deletes nothing; what was written is sent when the lie ends.
#[test]
fn a_device_that_is_called_a_copy_loses_nothing() {
    let (mut town, alice, bob) = two();
    town.liar.answer_instead(move |who, call| (who == bob && call.path == TOKENS).then(|| refused("device.cloned")));
    town.restart(bob);
    town.command(bob, send("alice", "three"));
    town.pass_ms(61_000);
    let held = town.events(bob).iter().find_map(|event| match event {
        Event::Held { failure, .. } if failure.code == "device.cloned" => Some(failure.clone()),
        _ => None,
    });
    let held = held.expect("it says so");
    assert!(held.blame == Blame::Refused && held.message.contains("trefoil status"), "{held:?}");
    assert!(town.read(bob, |store| query::status(store, 0)).cloned);
    assert_eq!(notices(&town, bob).iter().filter(|code| *code == "device.cloned").count(), 1);
    assert_eq!((phase(&town, bob), town.texts(bob, None).len()), (Phase::Confirmed, 3));
    assert!(is_done(&town.send(alice, "bob", "four")));
    town.liar.stop();
    for _ in 0..20 {
        town.pass_ms(60_000);
    }
    assert!(!town.read(bob, |store| query::status(store, 0)).cloned);
    for who in [alice, bob] {
        let mut texts = town.texts(who, None);
        texts.sort();
        assert_eq!(texts, ["four", "one", "three", "two"]);
    }
}
