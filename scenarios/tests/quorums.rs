//! An entry is sealed before a quorum has cosigned it, and what a device is shown meanwhile is the record as it was. Nobody is
//! called a liar for that, and nothing that changes meanwhile is missed. Rules CNF-1, CHK-3, CHK-8.

use chain::id::AccountId;
use chain::sigchain::entry::{Proposal, account_id};
use client::query;
use client::step::{Answer, Call, Command, Event};
use protocol::api::accounts::{SIGNUP, Signup};
use protocol::api::delivery::{Delivery, DeliveryKind};
use protocol::api::{ACCOUNTS, ENTRIES, GENESIS, GenesisAnswer, HANDLE_LOOKUP};
use protocol::bytes::Base64Url;
use scenarios::api::checkpoint;
use scenarios::town::{Town, Who};

fn get(path: String) -> Call {
    Call { path, body: None, bearer: None }
}

/// How many blocks the record has.
fn size(town: &Town) -> u64 {
    let head = town.ask_for::<GenesisAnswer>(GENESIS, None, None).head;
    checkpoint(head.checkpoint.as_bytes()).unwrap().size
}

/// What the service says now of an account to somebody whose view is as new as it can be.
fn said_of(town: &Town, account: &AccountId, since: usize) -> Vec<u8> {
    let (status, body) = town.ask(&get(format!("{ACCOUNTS}{account}?since={since}&from={}", size(town)))).unwrap();
    assert_eq!(status, 200);
    body
}

fn account_of(town: &Town, who: Who) -> AccountId {
    town.read(who, |store| query::status(store, 0)).account.unwrap()
}

fn troubles(events: &[Event]) -> Vec<&str> {
    let code = |event| match event {
        &Event::Failed { ref failure, .. } | &Event::Held { ref failure, .. } => Some(failure.code.as_str()),
        _ => None,
    };
    events.iter().filter_map(code).collect()
}

/// Shows a device of an account what was so before, until it looks somebody up, which moves its view on, or the liar stops.
fn shows_what_was(town: &mut Town, who: Who, account: &AccountId, was: Vec<u8>) {
    let path = format!("{ACCOUNTS}{account}");
    let mut is_over = false;
    town.liar.answer_instead(move |asker, call| {
        is_over |= asker == who && call.path.starts_with(HANDLE_LOOKUP);
        (asker == who && !is_over && call.path.starts_with(&path)).then(|| Answer::Ok(was.clone()))
    });
}

/// CNF-1: a removal is sealed, and no quorum has it. Then somebody else is looked up, under a newer checkpoint, before the own
/// account is looked at again: what is known of that is older than the entry, so nothing is missing there.
#[test]
fn an_own_entry_is_not_missed_in_a_record_that_is_older() {
    let mut town = Town::new();
    town.sign_up("carol");
    let laptop = town.sign_up("bob");
    let desktop = town.add_device("bob", laptop, false);
    let account = account_of(&town, laptop);
    let was = said_of(&town, &account, town.entries("bob").len());
    shows_what_was(&mut town, laptop, &account, was);
    let device = town.id(desktop);
    let before = town.events(laptop).len();
    town.command(laptop, Command::Remove { device });
    while town.exchange() {}
    assert_eq!(troubles(&town.events(laptop)[before..]), [""; 0]);
    town.send(laptop, "carol", "hello");
    town.pass_ms(10_000);
    assert_eq!(troubles(&town.events(laptop)[before..]), [""; 0]);
    let rows = town.read(laptop, query::devices);
    assert!(!rows.iter().any(|row| row.device == device && row.state == "confirmed"));
}

/// The same for a device that asks to be let in.
#[test]
fn a_new_device_is_not_missed_in_a_record_that_is_older() {
    let mut town = Town::new();
    let laptop = town.sign_up("bob");
    let account = account_of(&town, laptop);
    let desktop = town.device();
    town.command(desktop, Command::LogIn(Town::joining("bob")));
    // up to the entry that lists it
    let entry = loop {
        let request = town.take_request(desktop).expect("it lists itself");
        if request.call.path.starts_with(ENTRIES) {
            break request;
        }
        let (status, body) = town.ask(&request.call).unwrap();
        assert_eq!(status, 200);
        town.answer(desktop, request.id, Answer::Ok(body));
    };
    let was = said_of(&town, &account, town.entries("bob").len());
    let (_, accepted) = town.ask(&entry.call).unwrap();
    town.answer(desktop, entry.id, Answer::Ok(accepted));
    shows_what_was(&mut town, desktop, &account, was);
    // until the handle is a minute old, and is looked up before the account
    town.pass_ms(61_000);
    assert_eq!(troubles(town.events(desktop)), [""; 0]);
    town.pass_ms(10_000);
    assert!(town.read(desktop, query::code).is_some(), "{:?}", town.events(desktop));
}

/// CNF-1: a quorum may take its time; the account is looked for until it is there.
#[test]
fn an_account_that_waits_for_its_quorum_is_looked_for_until_it_is_there() {
    let mut town = Town::new();
    town.sign_up("carol");
    let bob = town.device();
    town.command(bob, Command::SignUp(Town::joining("bob")));
    let request = loop {
        let request = town.take_request(bob).expect("it signs up");
        if request.call.path.starts_with(SIGNUP) && !request.call.path.ends_with("start") {
            break request;
        }
        let (status, body) = town.ask(&request.call).unwrap();
        assert_eq!(status, 200);
        town.answer(bob, request.id, Answer::Ok(body));
    };
    let signup: Signup = serde_json::from_slice(request.call.body.as_deref().unwrap()).unwrap();
    let opening = Proposal::decode(&signup.proposal.0).unwrap().statement.body;
    let account = account_id(&opening);
    let was = said_of(&town, &account, 0);
    shows_what_was(&mut town, bob, &account, was);
    let (_, accepted) = town.ask(&request.call).unwrap();
    town.answer(bob, request.id, Answer::Ok(accepted));
    town.pass_ms(20_000);
    assert_eq!(troubles(town.events(bob)), [""; 0]);
    town.pass_ms(20_000);
    assert_eq!(troubles(town.events(bob)), ["witness.quorum"]);
    town.liar.stop();
    town.pass_ms(3_000);
    assert!(town.events(bob).iter().any(|event| matches!(event, Event::SignedUp { .. })), "{:?}", town.events(bob));
}

/// CHK-8: the service says that an account has changed while an earlier look at it is under way. The answer is of before, so the
/// account is looked at once more.
#[test]
fn a_change_that_is_told_while_an_older_look_is_under_way_is_not_missed() {
    let mut town = Town::new();
    let alice = town.sign_up("alice");
    let laptop = town.sign_up("bob");
    town.send(alice, "bob", "hello");
    let account = account_of(&town, laptop);
    let told = |position| Delivery {
        position,
        kind: DeliveryKind::Record,
        group: None,
        epoch: 0,
        bytes: Base64Url(account.0.to_vec()),
        at_s: 0,
        from: None,
    };
    while town.take_request(alice).is_some() {}
    town.hand(alice, told(1_000));
    let look = town.take_request(alice).expect("it looks at the account");
    let path = format!("{ACCOUNTS}{account}");
    assert!(look.call.path.starts_with(&path));
    let (_, was) = town.ask(&look.call).unwrap();
    town.set_online(alice, false);
    town.add_device("bob", laptop, false);
    town.hand(alice, told(1_001));
    town.answer(alice, look.id, Answer::Ok(was));
    let again = std::iter::from_fn(|| town.take_request(alice)).any(|it| it.call.path.starts_with(&path));
    assert!(again, "the account is looked at once more");
}

/// CNF-1: what the service says it has sealed is missing under that very block, of an account that is there and of one that is not.
#[test]
fn what_is_missing_under_its_block_is_a_lie() {
    let mut town = Town::new();
    let laptop = town.sign_up("bob");
    let desktop = town.add_device("bob", laptop, false);
    let accepted = |call: &Call| [ENTRIES, SIGNUP].contains(&call.path.split('?').next().unwrap());
    // of another entry, in a block that everybody can see
    let told =
        town.liar.answered.iter().rev().find(|(_, call, answer)| accepted(call) && matches!(answer, Answer::Ok(_)));
    let told = told.unwrap().2.clone();
    town.liar.answer_instead(move |_, call| accepted(call).then(|| told.clone()));
    let device = town.id(desktop);
    let events = town.wish(laptop, Command::Remove { device });
    assert_eq!(troubles(&events), ["chain.entry_missing"]);
    let carol = town.device();
    let events = town.wish(carol, Command::SignUp(Town::joining("carol")));
    assert_eq!(troubles(&events), ["chain.entry_missing"]);
    assert!(!events.iter().any(|event| matches!(event, Event::SignedUp { .. })));
}
