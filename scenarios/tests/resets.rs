//! All devices lost and nothing kept (stories 12, 13): announced, stopped or carried out, and what contacts do. Rules RST-1
//! to RST-7, PMT-2 to PMT-4; attacks 11, 29.

use chain::sigchain::body::ResetChoice;
use client::query::{self, MessageState, Phase};
use client::step::{Blame, Call, Command, Event, Failure, Joining, Secret};
use client::transfer::Forgotten;
use protocol::api::ENTRIES;
use protocol::api::blobs::BLOB_KEPT_S;
use protocol::content::Preview;
use protocol::reset_permit::ResetPermit;
use scenarios::people::Device;
use scenarios::town::{Town, Weather, Who};

const HOUR_MS: u64 = 3_600_000;
/// What the record demands by default.
const WAIT_MS: u64 = 72 * HOUR_MS;

fn failure(events: &[Event]) -> Option<Failure> {
    events.iter().find_map(|event| match event {
        Event::Failed { failure, .. } | Event::Held { failure, .. } => Some(failure.clone()),
        _ => None,
    })
}

fn code(events: &[Event]) -> String {
    failure(events).map(|failure| failure.code).unwrap_or_default()
}

fn is_done(events: &[Event]) -> bool {
    events.iter().any(|event| matches!(event, Event::Done { .. }))
}

fn phase(town: &Town, who: Who) -> Phase {
    town.read(who, |store| query::status(store, town.now_ms())).phase
}

fn notices(town: &Town, who: Who) -> Vec<String> {
    town.read(who, query::notices).into_iter().map(|row| row.code).collect()
}

fn accept(town: &mut Town, who: Who, handle: &str) -> Vec<Event> {
    town.wish(who, Command::AcceptReset { handle: handle.to_owned() })
}

/// A machine on which somebody has asked for a fresh identity.
fn resetting(town: &mut Town, handle: &str) -> (Who, Vec<Event>) {
    let who = town.device();
    let events = town.wish(who, Command::Reset(Town::joining(handle)));
    (who, events)
}

/// A password that nobody has chosen before.
const NEW_PASSWORD: &str = "four quite other words";

fn joining(handle: &str, password: &str) -> Joining {
    Joining { password: Secret(password.to_owned().into()), ..Town::joining(handle) }
}

/// The same with a permit of the operator, by somebody who does not have the password.
fn resetting_with(town: &mut Town, handle: &str, permit: &ResetPermit) -> (Who, Vec<Event>) {
    let (who, joining) = (town.device(), joining(handle, NEW_PASSWORD));
    let events = town.wish(who, Command::ResetWithPermit { joining, permit: permit.clone() });
    (who, events)
}

/// The log goes on while somebody waits, and everybody looks now and then.
fn wait(town: &mut Town, ms: u64) {
    for _ in 0..ms / HOUR_MS {
        let stranger = Device::new();
        let proposal = stranger.sign(stranger.opening(None), "town.example/log");
        town.ask(&Call { path: format!("{ENTRIES}?wait=quorum"), body: Some(proposal), bearer: None });
        town.pass_ms(HOUR_MS);
    }
}

/// Alice knows Bob, whose only device is lost; on a new machine he has asked for a fresh identity.
fn lost() -> (Town, Who, Who) {
    let mut town = Town::new();
    let (alice, bob) = (town.sign_up("alice"), town.sign_up("bob"));
    town.send(alice, "bob", "before");
    town.set_online(bob, false);
    let (fresh, events) = resetting(&mut town, "bob");
    assert!(is_done(&events), "{events:?}");
    (town, alice, fresh)
}

/// Story 12: same handle, another account, and nothing of what was before.
#[test]
fn a_reset_waits_and_then_gives_the_handle_a_fresh_identity() {
    let (mut town, _, fresh) = lost();
    assert_eq!(phase(&town, fresh), Phase::Resetting);
    let due_s = town.read(fresh, query::reset_due_s).unwrap();
    assert!(due_s * 1_000 >= town.now_ms() + WAIT_MS - HOUR_MS);
    wait(&mut town, WAIT_MS - 2 * HOUR_MS);
    assert_eq!(phase(&town, fresh), Phase::Resetting, "not a moment too early");
    town.restart(fresh);
    wait(&mut town, 4 * HOUR_MS);
    assert_eq!(phase(&town, fresh), Phase::Confirmed);
    let status = town.read(fresh, |store| query::status(store, town.now_ms()));
    assert_eq!(status.handle.as_deref(), Some("bob"));
    assert!(town.texts(fresh, None).is_empty());
    // the password that was typed is the fresh identity's
    let desktop = town.add_device("bob", fresh, false);
    assert_eq!(phase(&town, desktop), Phase::Confirmed);
}

/// Story 13: receiving goes on, sending waits for one decision, and what waited is sent then.
#[test]
fn sending_to_somebody_who_was_reset_waits_for_one_decision() {
    let (mut town, alice, fresh) = lost();
    town.sign_up("carol");
    town.send(alice, "carol", "to carol");
    let phone = town.add_device("alice", alice, false);
    wait(&mut town, WAIT_MS + 2 * HOUR_MS);
    assert_eq!(phase(&town, fresh), Phase::Confirmed);
    let events = town.send(alice, "bob", "for whom?");
    let failure = failure(&events).unwrap();
    assert_eq!((failure.code.as_str(), failure.blame), ("account.reset", Blame::Waiting));
    assert_eq!(notices(&town, alice).iter().filter(|code| *code == "contact.reset").count(), 1);
    assert!(town.read(alice, query::contacts)[0].reset_s.is_some());
    // no other contact is affected
    assert!(is_done(&town.send(alice, "carol", "still to carol")));
    // the fresh identity writes first: that is read, and answers to it wait as well
    assert!(is_done(&town.send(fresh, "alice", "it is me")));
    assert!(town.texts(alice, Some("bob")).contains(&"it is me".to_owned()));
    assert_eq!(code(&town.send(alice, "bob", "really?")), "account.reset");
    assert!(town.texts(fresh, None).iter().all(|text| text == "it is me"), "{:?}", town.texts(fresh, None));

    assert!(is_done(&accept(&mut town, alice, "bob")));
    town.pass_ms(61_000);
    assert_eq!(town.texts(fresh, None), ["it is me", "for whom?", "really?"]);
    assert!(is_done(&town.send(alice, "bob", "and on")));
    // decided once for all devices of hers
    assert!(is_done(&town.send(phone, "bob", "from the phone")));
    assert_eq!(town.texts(fresh, None).last().map(String::as_str), Some("from the phone"));
    let waiting = |row: &query::MessageRow| row.state == MessageState::Waiting || row.state == MessageState::Failed;
    assert!(!town.read(alice, |store| query::messages(store, None, 100)).iter().any(waiting));
    // what was before is there still
    assert!(town.texts(alice, Some("bob")).contains(&"before".to_owned()));
    assert!(town.read(alice, query::contacts).iter().all(|row| row.reset_s.is_none()));
}

/// RST-6: what waits for the decision is written to the fresh identity as it is: a file as a file, a text as it was changed
/// last, each for as long as it was to last, and nothing that was taken back meanwhile.
#[test]
fn what_waited_for_the_decision_goes_out_as_what_it_is() {
    let mut town = Town::new();
    let (alice, bob) = (town.sign_up("alice"), town.sign_up("bob"));
    town.send(alice, "bob", "before");
    town.wish(alice, Command::SetTimer { chat: "bob".to_owned(), seconds: 86_400 });
    town.set_online(bob, false);
    let (fresh, _) = resetting(&mut town, "bob");
    wait(&mut town, WAIT_MS + 2 * HOUR_MS);
    let mut file = town.put_file(alice, "/home/alice/island.png", b"an island");
    file.preview = Preview::new(4_000, 3_000, vec![7; 24]);
    let like = file.preview.clone();
    let events = town.wish(alice, Command::SendFile { to: "bob".to_owned(), text: "us, there".to_owned(), file });
    assert_eq!(code(&events), "account.reset");
    for text in ["as it was", "never mind", "after"] {
        assert_eq!(code(&town.send(alice, "bob", text)), "account.reset");
    }
    let id = |town: &Town, text: &str| {
        let row = town.messages(alice).into_iter().find(|row| row.text == text).unwrap();
        (row.message, row.message.to_string())
    };
    let (kept, _) = id(&town, "us, there");
    let (_, message) = id(&town, "as it was");
    town.wish(alice, Command::Edit { message, text: "as it is".to_owned() });
    let (_, message) = id(&town, "never mind");
    town.wish(alice, Command::Delete { message });
    town.forgotten(alice);

    assert!(is_done(&accept(&mut town, alice, "bob")));
    town.pass_ms(61_000);
    assert_eq!(town.texts(fresh, None), ["us, there", "as it is", "after"]);
    let [row, text, _] = &town.messages(fresh)[..] else { panic!("{:?}", town.texts(fresh, None)) };
    let file = row.file.clone().unwrap();
    assert_eq!((file.name.as_str(), file.length, file.preview), ("island.png", 9, like));
    assert_eq!([row.lasts_s, text.lasts_s], [Some(86_400); 2]);
    let save = Command::SaveFile { message: row.message, path: "/saved".to_owned(), replace: false };
    assert!(is_done(&town.wish(fresh, save)));
    assert_eq!(town.file(fresh, "/saved"), Some(&b"an island"[..]));
    // BLB-7: what is kept of the file is kept for the message that it is now
    let is_moved = |it: &Forgotten| matches!(it, Forgotten::Unsent { message, .. } if *message == kept);
    assert!(town.forgotten(alice).iter().any(is_moved));
    assert_eq!(town.texts(alice, Some("bob")).iter().filter(|text| *text == "us, there").count(), 1);
    let is_open = |row: &query::MessageRow| matches!(row.state, MessageState::Waiting | MessageState::Failed);
    assert!(!town.messages(alice).iter().any(is_open));
    assert_eq!(town.read(alice, |store| query::status(store, town.now_ms())).waiting, 0);
}

/// RST-6, BLB-6: a decision that comes after the file's time says so, and sends no message that leads to nothing.
#[test]
fn a_file_whose_time_is_over_does_not_go_to_a_fresh_identity() {
    let (mut town, alice, fresh) = lost();
    wait(&mut town, WAIT_MS + 2 * HOUR_MS);
    let file = town.put_file(alice, "/island.png", b"an island");
    town.wish(alice, Command::SendFile { to: "bob".to_owned(), text: String::new(), file });
    town.send(alice, "bob", "hello");
    for who in [alice, fresh] {
        town.set_online(who, false);
    }
    town.pass_ms(BLOB_KEPT_S * 1_000);
    for who in [alice, fresh] {
        town.set_online(who, true);
    }
    town.settle();
    wait(&mut town, HOUR_MS);
    let mut events = accept(&mut town, alice, "bob");
    wait(&mut town, HOUR_MS);
    events.extend(town.events(alice).to_vec());
    let is_gone = |it: &Event| matches!(it, Event::Failed { failure, .. } if failure.code == "blob.gone");
    assert!(events.iter().any(is_gone), "{events:?}");
    assert_eq!(town.texts(fresh, None), ["hello"]);
}

/// GRP-1, GRP-3: among several people nobody waits for whoever opened the conversation: the next one who writes takes the lost
/// identity out. The fresh one comes in by somebody's act, and by nothing else (RST-6).
#[test]
fn among_several_people_a_reset_holds_nobody_up() {
    let mut town = Town::new();
    let (alice, bob, carol) = (town.sign_up("alice"), town.sign_up("bob"), town.sign_up("carol"));
    let with = vec!["bob".to_owned(), "carol".to_owned()];
    town.wish(alice, Command::NewChat { title: "trip".to_owned(), with });
    town.send(alice, "trip", "before");
    let group = town.read(carol, query::conversations)[0].group.to_string();
    assert!(is_done(&town.send(carol, &group, "I am in")));
    town.set_online(bob, false);
    let (fresh, events) = resetting(&mut town, "bob");
    assert!(is_done(&events), "{events:?}");
    wait(&mut town, WAIT_MS + 2 * HOUR_MS);
    assert_eq!(phase(&town, fresh), Phase::Confirmed);
    town.set_online(alice, false);
    assert!(is_done(&town.send(carol, &group, "without waiting")), "{:?}", town.events(carol));
    let devices = |town: &Town, who| town.read(who, query::conversations)[0].devices;
    let members = |town: &Town, who| town.read(who, query::conversations)[0].members.len();
    assert_eq!((devices(&town, carol), members(&town, carol)), (2, 2));
    assert!(town.texts(fresh, Some(&group)).is_empty());
    town.set_online(alice, true);
    town.settle();
    assert_eq!(town.texts(alice, Some("trip")), ["before", "I am in", "without waiting"]);
    assert!(is_done(&town.send(alice, "trip", "so am I")));
    assert!(town.texts(fresh, Some(&group)).is_empty());
    // and back, once somebody has asked him
    assert!(is_done(&accept(&mut town, alice, "bob")));
    let with = vec!["bob".to_owned()];
    assert!(is_done(&town.wish(alice, Command::AddMembers { chat: "trip".to_owned(), with })));
    assert!(is_done(&town.send(alice, "trip", "welcome back")));
    assert_eq!(town.texts(fresh, Some(&group)), ["welcome back"]);
    assert_eq!(members(&town, carol), 3);
}

/// RST-6, GRP-1: nor does the fresh identity, once it is let in again and was reset itself, whoever has not decided about it: nobody
/// encrypts to it any more.
#[test]
fn among_several_people_a_second_reset_holds_nobody_up_either() {
    let mut town = Town::new();
    let (alice, bob, carol) = (town.sign_up("alice"), town.sign_up("bob"), town.sign_up("carol"));
    let with = vec!["bob".to_owned(), "carol".to_owned()];
    town.wish(alice, Command::NewChat { title: "trip".to_owned(), with });
    town.send(alice, "trip", "before");
    let group = town.read(carol, query::conversations)[0].group.to_string();
    town.set_online(bob, false);
    let (first, _) = resetting(&mut town, "bob");
    wait(&mut town, WAIT_MS + 2 * HOUR_MS);
    assert_eq!(phase(&town, first), Phase::Confirmed);
    assert!(is_done(&accept(&mut town, alice, "bob")));
    let with = vec!["bob".to_owned()];
    assert!(is_done(&town.wish(alice, Command::AddMembers { chat: "trip".to_owned(), with })));
    assert_eq!(code(&town.send(carol, &group, "to all but bob")), "account.reset");
    town.set_online(first, false);
    let (second, _) = resetting(&mut town, "bob");
    wait(&mut town, WAIT_MS + 2 * HOUR_MS);
    assert_eq!(phase(&town, second), Phase::Confirmed);
    town.pass_ms(61_000);
    assert_eq!(town.texts(alice, Some("trip")), ["before", "to all but bob"]);
    town.set_online(first, true);
    town.pass_ms(61_000);
    assert!(town.texts(first, None).is_empty() && town.texts(second, None).is_empty());
}

/// Attack 11: a reset of somebody who lost nothing. Every living device is told, and any of them stops it.
#[test]
fn a_living_device_stops_a_reset() {
    let mut town = Town::new();
    let laptop = town.sign_up("bob");
    let desktop = town.add_device("bob", laptop, false);
    assert_eq!(code(&town.wish(desktop, Command::Veto)), "reset.no_notice");
    let (thief, events) = resetting(&mut town, "bob");
    assert!(is_done(&events), "{events:?}");
    for who in [laptop, desktop] {
        assert!(notices(&town, who).contains(&"reset.requested".to_owned()));
        assert!(town.read(who, query::reset_due_s).is_some(), "an alarm that stays");
    }
    wait(&mut town, 71 * HOUR_MS);
    assert!(is_done(&town.wish(desktop, Command::Veto)));
    for who in [laptop, desktop] {
        assert!(notices(&town, who).contains(&"reset.vetoed".to_owned()));
        assert_eq!(town.read(who, query::reset_due_s), None);
    }
    wait(&mut town, 4 * HOUR_MS);
    assert_eq!(phase(&town, thief), Phase::Ended);
    assert!(town.events(thief).contains(&Event::ResetStopped));
    town.send(laptop, "bob", "still mine");
    assert_eq!(town.texts(desktop, Some("bob")), ["still mine"]);
    // RST-2: the next one not before the waiting time has passed again
    assert_eq!(code(&resetting(&mut town, "bob").1), "reset.too_soon");
}

/// Nobody resets an account with a wrong password, and whoever does it after an honest person has gets nothing.
#[test]
fn a_reset_needs_the_password_and_is_one_at_a_time() {
    let (mut town, _, _) = lost();
    let thief = town.device();
    let wrong = Joining { password: Secret("not the password".to_owned().into()), ..Town::joining("bob") };
    assert_eq!(code(&town.wish(thief, Command::Reset(wrong))), "login.refused");
    assert_eq!(phase(&town, thief), Phase::New);
    assert_eq!(code(&resetting(&mut town, "bob").1), "reset.open");
}

/// The same bytes again, after lost answers, restarts and while the service is down when it is due.
#[test]
fn a_reset_ends_well_whatever_is_lost() {
    let mut town = Town::new();
    let bob = town.sign_up("bob");
    town.set_online(bob, false);
    let fresh = town.device();
    town.command(fresh, Command::Reset(Town::joining("bob")));
    while !town.asked.last().is_some_and(|(_, path)| path.starts_with("/v1/signup/start")) {
        assert!(town.exchange());
    }
    town.weather = Weather::AnswersLost;
    town.exchange();
    town.exchange();
    town.weather = Weather::Fine;
    town.pass_ms(61_000);
    town.settle();
    assert_eq!(phase(&town, fresh), Phase::Resetting, "{:?}", town.events(fresh));
    wait(&mut town, WAIT_MS - HOUR_MS);
    town.weather = Weather::AnswersLost;
    wait(&mut town, 2 * HOUR_MS);
    town.restart(fresh);
    town.weather = Weather::Fine;
    wait(&mut town, 2 * HOUR_MS);
    assert_eq!(phase(&town, fresh), Phase::Confirmed, "{:?}", town.events(fresh));
}

/// A contact who was away over two resets follows both with one decision.
#[test]
fn two_resets_are_followed_with_one_decision() {
    let (mut town, alice, first) = lost();
    town.set_online(alice, false);
    wait(&mut town, WAIT_MS + 2 * HOUR_MS);
    assert_eq!(phase(&town, first), Phase::Confirmed);
    town.set_online(first, false);
    let (second, events) = resetting(&mut town, "bob");
    assert!(is_done(&events), "{events:?}");
    wait(&mut town, WAIT_MS + 2 * HOUR_MS);
    assert_eq!(phase(&town, second), Phase::Confirmed);
    town.set_online(alice, true);
    town.settle();
    assert_eq!(code(&town.send(alice, "bob", "hello again")), "account.reset");
    assert!(is_done(&accept(&mut town, alice, "bob")));
    town.pass_ms(61_000);
    assert_eq!(town.texts(second, Some("alice")), ["hello again"]);
}

/// The same if the first fresh identity has written, and was never accepted, before it was reset too.
#[test]
fn a_fresh_identity_that_was_reset_itself_holds_up_nobody() {
    let (mut town, alice, first) = lost();
    let phone = town.add_device("alice", alice, false);
    wait(&mut town, WAIT_MS + 2 * HOUR_MS);
    assert!(is_done(&town.send(first, "alice", "it is me")));
    town.set_online(first, false);
    let (second, events) = resetting(&mut town, "bob");
    assert!(is_done(&events), "{events:?}");
    wait(&mut town, WAIT_MS + 2 * HOUR_MS);
    assert_eq!(phase(&town, second), Phase::Confirmed);
    for who in [alice, phone] {
        assert_eq!(code(&town.send(who, "bob", "for whom?")), "account.reset");
    }
    assert!(is_done(&accept(&mut town, alice, "bob")));
    town.pass_ms(61_000);
    assert_eq!(town.texts(second, None), ["for whom?", "for whom?"]);
    for who in [alice, phone] {
        assert!(is_done(&town.send(who, "bob", "and on")));
    }
}

/// I3: what was written before each of two resets, by somebody who had never written before, goes in its order after one decision.
#[test]
fn what_waits_over_two_resets_is_sent_in_its_order() {
    let (mut town, alice, first) = lost();
    // nobody waits for her
    town.set_online(alice, false);
    let carol = town.sign_up("carol");
    town.wish(carol, Command::AddContact { handle: "bob".to_owned(), account: None, token: None });
    wait(&mut town, WAIT_MS + 2 * HOUR_MS);
    for text in ["one", "two"] {
        assert_eq!(code(&town.send(carol, "bob", text)), "account.reset");
    }
    town.set_online(first, false);
    let (second, events) = resetting(&mut town, "bob");
    assert!(is_done(&events), "{events:?}");
    wait(&mut town, WAIT_MS + 2 * HOUR_MS);
    assert_eq!(phase(&town, second), Phase::Confirmed);
    assert_eq!(code(&town.send(carol, "bob", "three")), "account.reset");
    assert!(is_done(&accept(&mut town, carol, "bob")));
    town.pass_ms(61_000);
    assert!(is_done(&town.send(carol, "bob", "four")));
    assert_eq!(town.texts(second, None), ["one", "two", "three", "four"]);
}

/// RST-6, attack 11: a device of Alice's that comes in after the reset, and before she has decided, never knew the account that
/// was reset; the others tell it, and it waits like them.
#[test]
fn a_device_that_comes_in_later_waits_for_the_decision_too() {
    let (mut town, alice, fresh) = lost();
    wait(&mut town, WAIT_MS + 2 * HOUR_MS);
    assert_eq!(phase(&town, fresh), Phase::Confirmed);
    let phone = town.add_device("alice", alice, true);
    town.pass_ms(61_000);
    assert_eq!(code(&town.send(phone, "bob", "from the phone")), "account.reset");
    assert_eq!(notices(&town, phone).iter().filter(|code| *code == "contact.reset").count(), 1);
    assert!(town.read(phone, query::contacts)[0].reset_s.is_some());
    assert!(town.texts(fresh, None).is_empty());
    // it may decide as well as any other
    assert!(is_done(&accept(&mut town, phone, "bob")));
    assert!(is_done(&town.send(alice, "bob", "from the laptop")));
    town.pass_ms(61_000);
    assert_eq!(town.texts(fresh, None), ["from the phone", "from the laptop"]);
    // and whoever comes in after that has nothing to decide
    let tablet = town.add_device("alice", alice, false);
    assert!(is_done(&town.send(tablet, "bob", "from the tablet")));
}

/// Only a reset can be accepted.
#[test]
fn nothing_else_is_accepted_as_a_reset() {
    let mut town = Town::new();
    let (alice, bob) = (town.sign_up("alice"), town.sign_up("bob"));
    town.send(alice, "bob", "one");
    assert_eq!(code(&accept(&mut town, alice, "bob")), "reset.none");
    assert_eq!(code(&accept(&mut town, alice, "nobody")), "contact.unknown");
    assert!(is_done(&town.send(bob, "alice", "two")));
}

/// RST-1: an account may choose how long a reset waits, or that there is none.
#[test]
fn an_account_chooses_how_long_a_reset_waits() {
    let mut town = Town::new();
    let bob = town.sign_up("bob");
    for choice in [ResetChoice::OneDay, ResetChoice::SevenDays, ResetChoice::SevenDays] {
        assert!(is_done(&town.wish(bob, Command::SetResetChoice { choice })));
    }
    let (_, events) = resetting(&mut town, "bob");
    assert!(is_done(&events), "{events:?}");
    let due_s = town.read(bob, query::reset_due_s).unwrap();
    assert!(due_s * 1_000 > town.now_ms() + 6 * 24 * HOUR_MS);
    assert!(is_done(&town.wish(bob, Command::Veto)));
    assert!(is_done(&town.wish(bob, Command::SetResetChoice { choice: ResetChoice::Never })));
    assert_eq!(code(&resetting(&mut town, "bob").1), "reset.never");
}

/// PMT-2, PMT-4: Bob has lost his phone and forgotten his password. Olga, who runs the service, knows him. He waits like
/// everybody, has the password that he chose, and Alice is asked before she writes to him.
#[test]
fn whoever_has_lost_the_password_too_is_let_in_by_the_operator() {
    let mut town = Town::new();
    let (alice, phone) = (town.sign_up("alice"), town.sign_up("bob"));
    town.send(alice, "bob", "before");
    town.set_online(phone, false);
    let permit = town.permit("bob");
    let (fresh, events) = resetting_with(&mut town, "bob", &permit);
    assert!(is_done(&events), "{events:?}");
    assert!(!town.asked.iter().any(|(who, path)| *who == fresh && path.starts_with("/v1/login")), "{:?}", town.asked);
    let due_s = town.read(fresh, query::reset_due_s).unwrap();
    assert!(due_s * 1_000 >= town.now_ms() + WAIT_MS - HOUR_MS);
    town.restart(fresh);
    wait(&mut town, WAIT_MS - 2 * HOUR_MS);
    assert_eq!(phase(&town, fresh), Phase::Resetting, "not a moment too early");
    wait(&mut town, 4 * HOUR_MS);
    assert_eq!(phase(&town, fresh), Phase::Confirmed);
    assert_eq!(code(&town.send(alice, "bob", "for whom?")), "account.reset");
    assert!(is_done(&accept(&mut town, alice, "bob")));
    town.pass_ms(61_000);
    assert_eq!(town.texts(fresh, None), ["for whom?"]);
    let desktop = town.add_device_as(joining("bob", NEW_PASSWORD), fresh, false);
    assert_eq!(phase(&town, desktop), Phase::Confirmed);
    let tablet = town.device();
    assert_eq!(code(&town.wish(tablet, Command::LogIn(Town::joining("bob")))), "login.refused");
}

/// RST-3, attack 11: Olga was talked into it. Bob's phone shows what was asked for, and stops it; and the permit is worth nothing.
#[test]
fn a_living_device_stops_whoever_talked_the_operator_into_a_permit() {
    let mut town = Town::new();
    let phone = town.sign_up("bob");
    let permit = town.permit("bob");
    let (thief, events) = resetting_with(&mut town, "bob", &permit);
    assert!(is_done(&events), "{events:?}");
    assert!(notices(&town, phone).contains(&"reset.requested".to_owned()));
    assert!(is_done(&town.wish(phone, Command::Veto)));
    wait(&mut town, HOUR_MS);
    assert_eq!(phase(&town, thief), Phase::Ended);
    wait(&mut town, WAIT_MS);
    assert_eq!(code(&resetting_with(&mut town, "bob", &permit).1), "permit.refused");
    town.send(phone, "bob", "still mine");
    assert_eq!(town.texts(phone, Some("bob")), ["still mine"]);
}

/// PMT-2, PMT-3: for one account, for one person, for so long; whoever is refused has left nothing behind.
#[test]
fn a_permit_is_good_once_for_one_account_and_for_a_while() {
    let mut town = Town::new();
    let (_, phone) = (town.sign_up("alice"), town.sign_up("bob"));
    let permit = town.permit("bob");
    let weak = Command::ResetWithPermit { joining: joining("bob", "short"), permit: permit.clone() };
    let machine = town.device();
    assert_eq!(code(&town.wish(machine, weak)), "password.weak");
    assert_eq!(code(&resetting_with(&mut town, "alice", &permit).1), "permit.refused");
    assert_eq!(code(&resetting_with(&mut town, "nobody", &permit).1), "handle.unknown");
    // another permit ends the first one, and another password the second
    let second = town.permit("bob");
    assert_eq!(code(&resetting_with(&mut town, "bob", &permit).1), "permit.refused");
    assert!(is_done(&town.wish(phone, Command::SetPassword { password: joining("bob", NEW_PASSWORD).password })));
    assert_eq!(code(&resetting_with(&mut town, "bob", &second).1), "permit.refused");
    let third = town.permit("bob");
    wait(&mut town, 72 * HOUR_MS);
    let (thief, events) = resetting_with(&mut town, "bob", &third);
    assert_eq!((code(&events).as_str(), phase(&town, thief)), ("permit.refused", Phase::New));
    let fourth = town.permit("bob");
    assert!(is_done(&resetting_with(&mut town, "bob", &fourth).1));
    assert_eq!(code(&resetting_with(&mut town, "bob", &fourth).1), "permit.refused");
}

/// PMT-3: a lost answer spends nothing twice; the same device goes on with the same permit.
#[test]
fn a_reset_with_a_permit_ends_well_whatever_is_lost() {
    let mut town = Town::new();
    let phone = town.sign_up("bob");
    town.set_online(phone, false);
    let (fresh, permit) = (town.device(), town.permit("bob"));
    town.command(fresh, Command::ResetWithPermit { joining: joining("bob", NEW_PASSWORD), permit });
    while !town.asked.last().is_some_and(|(_, path)| path.starts_with("/v1/signup/start")) {
        assert!(town.exchange());
    }
    town.weather = Weather::AnswersLost;
    town.exchange();
    town.exchange();
    town.restart(fresh);
    town.weather = Weather::Fine;
    town.pass_ms(61_000);
    town.settle();
    assert_eq!(phase(&town, fresh), Phase::Resetting, "{:?}", town.events(fresh));
    town.restart_service();
    wait(&mut town, WAIT_MS + 2 * HOUR_MS);
    assert_eq!(phase(&town, fresh), Phase::Confirmed, "{:?}", town.events(fresh));
    let desktop = town.add_device_as(joining("bob", NEW_PASSWORD), fresh, false);
    assert_eq!(phase(&town, desktop), Phase::Confirmed);
}
