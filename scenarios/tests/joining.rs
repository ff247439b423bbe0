//! Signing up, logging in, letting a device in, refusing and removing it: with the real service, and with what goes wrong
//! on the way. Rules CNF-1 to CNF-7; attacks 1, 2, 6, 8, 12 to 14.

use client::query::{self, Phase};
use client::step::{Blame, Call, Command, Event, Failure, Joining, Secret};
use protocol::api::ENTRIES;
use protocol::introduction::DeviceKind;
use scenarios::people::Device;
use scenarios::town::{Town, Weather, Who};

const PASSWORD: &str = "correct horse battery";

fn with_password(handle: &str, password: &str) -> Joining {
    Joining {
        service: "http://town".to_owned(),
        handle: handle.to_owned(),
        password: Secret(password.to_owned().into()),
        device_name: "a device".to_owned(),
        device_kind: DeviceKind::Linux,
        policy: None,
    }
}

fn joining(handle: &str) -> Joining {
    with_password(handle, PASSWORD)
}

fn failures(events: &[Event]) -> Vec<Failure> {
    let of = |event: &Event| match event {
        Event::Failed { failure, .. } => Some(failure.clone()),
        _ => None,
    };
    events.iter().filter_map(of).collect()
}

/// The one failure among these events.
fn failure(events: &[Event]) -> Failure {
    let failures = failures(events);
    assert_eq!(failures.len(), 1, "{events:?}");
    failures[0].clone()
}

fn phase(town: &Town, who: Who) -> Phase {
    town.read(who, |store| query::status(store, town.now_ms())).phase
}

fn code(town: &Town, who: Who) -> Option<String> {
    town.read(who, query::code).map(|(code, _)| code)
}

fn wrong(code: &str) -> String {
    format!("{:06}", (code.parse::<u32>().unwrap() + 1) % 1_000_000)
}

fn states(town: &Town, who: Who) -> Vec<&'static str> {
    town.read(who, query::devices).into_iter().map(|row| row.state).collect()
}

fn notices(town: &Town, who: Who) -> Vec<String> {
    town.read(who, query::notices).into_iter().map(|row| row.code).collect()
}

fn confirm(town: &mut Town, older: Who, newer: Who, code: &str) -> Vec<Event> {
    let device = town.id(newer);
    town.wish(older, Command::Confirm { device, code: code.to_owned(), history: false })
}

/// A device's connection is new: the service tells a device that it removed nothing more.
fn look(town: &mut Town, who: Who) {
    town.pass_ms(61_000);
    town.set_online(who, true);
    town.settle();
}

/// Time passes while these devices are off.
fn rest(town: &mut Town, devices: &[Who], ms: u64) {
    devices.iter().for_each(|who| town.set_online(*who, false));
    town.pass_ms(ms);
    // the log goes on meanwhile: somebody else opens an account
    let stranger = Device::new();
    let proposal = stranger.sign(stranger.opening(None), "town.example/log");
    let call = Call { path: format!("{ENTRIES}?wait=quorum"), body: Some(proposal), bearer: None };
    assert_eq!(town.ask(&call).unwrap().0, 200);
    devices.iter().for_each(|who| town.set_online(*who, true));
    town.settle();
}

/// A device that waits, and shows its digits.
fn waiting(town: &mut Town, handle: &str) -> (Who, String) {
    let who = town.device();
    town.wish(who, Command::LogIn(joining(handle)));
    let code = code(town, who).expect("digits to show");
    (who, code)
}

/// Story 1.
#[test]
fn a_sign_up_ends_with_the_first_device_in_the_record() {
    let mut town = Town::new();
    let bob = town.device();
    let events = town.wish(bob, Command::SignUp(joining("Bob@town")));
    let signed_up = events.iter().find_map(|event| match event {
        Event::SignedUp { handle, device, .. } => Some((handle.as_str(), *device)),
        _ => None,
    });
    assert_eq!(signed_up, Some(("bob", town.id(bob))));
    let status = town.read(bob, |store| query::status(store, town.now_ms()));
    assert_eq!((status.phase, status.freshness, status.handle.as_deref()), (Phase::Confirmed, "fresh", Some("bob")));
    assert_eq!(states(&town, bob), ["confirmed"]);
    assert!(notices(&town, bob).is_empty(), "{:?}", notices(&town, bob));
    assert_eq!(failure(&town.wish(bob, Command::SignUp(joining("bob2")))).code, "account.exists");
    assert_eq!(failure(&town.wish(bob, Command::StartOver)).code, "account.exists");
    assert_eq!(phase(&town, bob), Phase::Confirmed);
}

/// Story 1: each with its own message, and nothing half-made is left behind.
#[test]
fn a_sign_up_that_fails_leaves_nothing() {
    let mut town = Town::new();
    town.sign_up("bob");
    let alice = town.device();
    let without_quorum = Joining { policy: Some("log nothing\n".to_owned()), ..joining("alice") };
    let cases = [
        (joining("bob"), "handle.taken", Blame::Refused),
        (joining("al!ce"), "handle.charset", Blame::Misuse),
        (with_password("alice", "seven77"), "password.weak", Blame::Misuse),
        (without_quorum, "policy.malformed", Blame::Misuse),
    ];
    for (joining, code, blame) in cases {
        let failure = failure(&town.wish(alice, Command::SignUp(joining)));
        assert_eq!((failure.code.as_str(), failure.blame), (code, blame));
        assert_eq!(phase(&town, alice), Phase::New);
    }
    town.weather = Weather::Down;
    let unreachable = failure(&town.wish(alice, Command::SignUp(joining("alice"))));
    assert_eq!((unreachable.code.as_str(), unreachable.blame), ("service.unreachable", Blame::Unreachable));
    assert_eq!(phase(&town, alice), Phase::New);
    town.weather = Weather::Fine;
    let events = town.wish(alice, Command::SignUp(joining("alice")));
    assert!(events.iter().any(|event| matches!(event, Event::SignedUp { .. })), "{events:?}");
}

/// Attack 14: the same bytes are sent again, after any number of lost answers and restarts.
#[test]
fn a_sign_up_whose_answer_is_lost_ends_well_and_once() {
    let mut town = Town::new();
    let bob = town.device();
    let intent = town.command(bob, Command::SignUp(joining("bob"))).unwrap();
    // first look, handle, first message; then the request that opens the account
    for _ in 0..3 {
        town.exchange();
    }
    town.weather = Weather::AnswersLost;
    town.exchange();
    town.restart(bob);
    town.settle();
    assert_eq!(phase(&town, bob), Phase::Joining);
    assert!(town.events(bob).iter().any(|event| matches!(event, Event::Held { .. })), "{:?}", town.events(bob));
    let again = town.command(bob, Command::SignUp(joining("bob")));
    assert_eq!(again, Some(intent), "a second command continues the first");
    town.weather = Weather::Fine;
    town.settle();
    assert_eq!(phase(&town, bob), Phase::Confirmed);
    assert_eq!(town.events(bob).iter().filter(|event| matches!(event, Event::Done { .. })).count(), 1);
    assert_eq!(town.read(bob, query::devices).len(), 1);
}

/// The password is in memory only.
#[test]
fn a_restart_before_anything_was_sent_forgets_the_attempt() {
    for command in [Command::SignUp(joining("carol")), Command::LogIn(joining("bob"))] {
        let mut town = Town::new();
        town.sign_up("bob");
        let who = town.device();
        let intent = town.command(who, command).unwrap();
        town.exchange();
        town.restart(who);
        town.settle();
        assert_eq!(phase(&town, who), Phase::New);
        let failed = |event: &Event| matches!(event, Event::Failed { intent: it, failure } if *it == intent && failure.code == "join.interrupted");
        assert!(town.events(who).iter().any(failed), "{:?}", town.events(who));
    }
}

/// Stories 3, 4: the digits are there at once, and both devices tell what happened.
#[test]
fn a_new_device_is_let_in_by_its_digits() {
    let mut town = Town::new();
    let laptop = town.sign_up("bob");
    let (desktop, digits) = waiting(&mut town, "bob");
    assert_eq!(phase(&town, desktop), Phase::Pending);
    assert_eq!(states(&town, laptop), ["confirmed", "pending"]);
    assert!(town.read(laptop, query::devices)[1].code_shown);
    let id = town.id(desktop);
    let seen =
        town.events(laptop).iter().filter(|event| matches!(event, Event::RequestSeen { device } if *device == id));
    assert_eq!(seen.count(), 1);
    // digits as people type them
    let events = confirm(&mut town, laptop, desktop, &format!("{} {}", &digits[..3], &digits[3..]));
    assert!(failures(&events).is_empty(), "{events:?}");
    assert_eq!(phase(&town, desktop), Phase::Confirmed);
    for who in [laptop, desktop] {
        assert_eq!(states(&town, who), ["confirmed", "confirmed"]);
    }
    assert_eq!(town.read(laptop, query::devices)[1].confirmed_by, Some(town.id(laptop)));
    let answered =
        |event: &Event| matches!(event, Event::RequestAnswered { device, confirmed: true, .. } if *device == id);
    assert!(town.events(laptop).iter().any(answered));
    assert_eq!(notices(&town, laptop), ["device.requested", "device.confirmed"]);
    town.wish(laptop, Command::NoticesRead { up_to: 2 });
    assert!(notices(&town, laptop).is_empty());
    assert!(failures(&confirm(&mut town, laptop, desktop, &digits)).is_empty(), "once more is no mistake");
}

/// Attack 56: the same answer for both.
#[test]
fn a_wrong_password_and_an_unknown_name_get_the_same_answer() {
    let mut town = Town::new();
    town.sign_up("bob");
    let thief = town.device();
    let wrong = failure(&town.wish(thief, Command::LogIn(with_password("bob", "wrong horse battery"))));
    let unknown = failure(&town.wish(thief, Command::LogIn(joining("nobody"))));
    assert_eq!((wrong.code.as_str(), wrong.blame), ("login.refused", Blame::Refused));
    assert_eq!(wrong, unknown);
    assert_eq!(phase(&town, thief), Phase::New);
}

/// CNF-5, attack 2: three wrong codes end the request, and that key never comes back.
#[test]
fn three_wrong_codes_refuse_the_device() {
    let mut town = Town::new();
    let laptop = town.sign_up("bob");
    let (desktop, mut digits) = waiting(&mut town, "bob");
    for left in ["2 tries left", "1 try left", "refused"] {
        let failure = failure(&confirm(&mut town, laptop, desktop, &wrong(&digits)));
        assert_eq!(failure.code, "confirm.code_mismatch");
        assert!(failure.message.contains(left), "{}", failure.message);
        if left != "refused" {
            let next = code(&town, desktop).unwrap();
            assert_ne!(next, digits, "a try that failed is over");
            digits = next;
        }
    }
    look(&mut town, desktop);
    assert_eq!(phase(&town, desktop), Phase::Ended);
    let events = town.events(desktop);
    assert!(events.iter().any(|event| matches!(event, Event::NotConfirmed { expired: false })), "{events:?}");
    assert_eq!(states(&town, laptop), ["confirmed"]);
    assert_eq!(notices(&town, laptop), ["device.requested", "device.refused"]);
    // the same machine may try again, with other keys
    let before = town.id(desktop);
    town.wish(desktop, Command::LogIn(joining("bob")));
    assert_ne!(town.id(desktop), before);
    assert_eq!(phase(&town, desktop), Phase::Pending);
}

/// Story 8.
#[test]
fn a_refused_device_is_told_and_reads_nothing() {
    let mut town = Town::new();
    let laptop = town.sign_up("bob");
    let (thief, _) = waiting(&mut town, "bob");
    let device = town.id(thief);
    let events = town.wish(laptop, Command::Refuse { device });
    assert!(failures(&events).is_empty(), "{events:?}");
    look(&mut town, thief);
    assert_eq!(phase(&town, thief), Phase::Ended);
    assert_eq!(failure(town.events(thief)).code, "device.refused");
    assert_eq!(failure(&confirm(&mut town, laptop, thief, "123456")).code, "confirm.no_request");
}

/// Attack 6: what is no code starts nothing.
#[test]
fn only_six_digits_are_a_code() {
    let mut town = Town::new();
    let laptop = town.sign_up("bob");
    let (desktop, digits) = waiting(&mut town, "bob");
    let refused = |town: &mut Town, code: &str| failure(&confirm(town, laptop, desktop, code));
    assert_eq!(refused(&mut town, "trefoil:bob@town#00ff").code, "link.wrong_kind");
    assert_eq!(refused(&mut town, "12345").code, "confirm.code_malformed");
    assert_eq!(code(&town, desktop), Some(digits.clone()), "no try is spent");
    assert!(failures(&confirm(&mut town, laptop, desktop, &digits)).is_empty());
}

/// Attack 14; story 3: state on both sides, never only an event.
#[test]
fn a_request_survives_restarts_of_both_devices() {
    let mut town = Town::new();
    let laptop = town.sign_up("bob");
    let (desktop, digits) = waiting(&mut town, "bob");
    town.restart(desktop);
    town.restart(laptop);
    town.settle();
    assert_eq!(code(&town, desktop), Some(digits.clone()));
    let entries = |town: &Town| town.read(laptop, query::devices).len();
    let before = entries(&town);
    let events = town.wish(desktop, Command::LogIn(joining("bob")));
    assert!(matches!(&events[..], [Event::Pending { .. }, Event::Code { code, .. }] if *code == digits), "{events:?}");
    assert_eq!(entries(&town), before, "no second request");
    assert!(failures(&confirm(&mut town, laptop, desktop, &digits)).is_empty());
    assert_eq!(phase(&town, desktop), Phase::Confirmed);
}

/// Attack 14: at every point of the way, on both devices.
#[test]
fn a_confirmation_survives_a_kill_at_every_step() {
    for kill_at in 0..12 {
        let mut town = Town::new();
        let laptop = town.sign_up("bob");
        let (desktop, digits) = waiting(&mut town, "bob");
        let device = town.id(desktop);
        town.command(laptop, Command::Confirm { device, code: digits, history: true });
        for _ in 0..kill_at {
            town.exchange();
        }
        town.restart(laptop);
        town.restart(desktop);
        town.settle();
        town.pass_ms(60_000);
        assert_eq!(phase(&town, desktop), Phase::Confirmed, "killed after {kill_at} exchanges");
        assert_eq!(states(&town, laptop), ["confirmed", "confirmed"]);
    }
}

/// CNF-3: a waiting device answers one offer per nonce. A copy of the older device makes a second one.
#[test]
fn a_second_device_that_offers_the_same_try_is_not_answered() {
    let mut town = Town::new();
    let laptop = town.sign_up("bob");
    let tablet = town.add_device("bob", laptop, false);
    // both see the request, both offer the first try: one of them is answered, the other moves on when it is opened
    let (desktop, digits) = waiting(&mut town, "bob");
    let device = town.id(desktop);
    let shown = |town: &Town, who| town.read(who, query::devices).iter().any(|row| row.code_shown);
    let (quick, slow) = if shown(&town, laptop) { (laptop, tablet) } else { (tablet, laptop) };
    assert!(shown(&town, quick) && !shown(&town, slow));
    town.pass_ms(20_000);
    town.wish(slow, Command::OpenRequest { device });
    let second = code(&town, desktop).unwrap();
    assert_ne!(second, digits);
    assert!(shown(&town, slow));
    assert!(failures(&confirm(&mut town, slow, desktop, &second)).is_empty());
    assert_eq!(phase(&town, desktop), Phase::Confirmed);
    for who in [quick, slow] {
        let answered = |event: &Event| matches!(event, Event::RequestAnswered { device: it, confirmed: true, .. } if *it == device);
        assert_eq!(town.events(who).iter().filter(|event| answered(event)).count(), 1, "gone everywhere");
    }
}

/// Story 4: the new device is off.
#[test]
fn a_code_for_a_device_that_does_not_answer_is_refused_after_a_while() {
    let mut town = Town::new();
    let laptop = town.sign_up("bob");
    town.set_online(laptop, false);
    let desktop = town.device();
    town.wish(desktop, Command::LogIn(joining("bob")));
    assert_eq!(phase(&town, desktop), Phase::Pending);
    assert_eq!(code(&town, desktop), None, "nobody offered to confirm it");
    town.set_online(desktop, false);
    town.set_online(laptop, true);
    town.settle();
    let events = confirm(&mut town, laptop, desktop, "123456");
    assert!(failures(&events).is_empty(), "it is waited for: {events:?}");
    town.pass_ms(16_000);
    assert_eq!(failure(town.events(laptop)).code, "confirm.no_answer");
    town.set_online(desktop, true);
    town.settle();
    let digits = code(&town, desktop).unwrap();
    assert!(failures(&confirm(&mut town, laptop, desktop, &digits)).is_empty());
    assert_eq!(phase(&town, desktop), Phase::Confirmed);
}

/// CNF-5: digits are good for ten minutes.
#[test]
fn digits_that_are_older_than_ten_minutes_do_not_count() {
    let mut town = Town::new();
    let laptop = town.sign_up("bob");
    let (desktop, digits) = waiting(&mut town, "bob");
    town.pass_ms(11 * 60_000);
    assert_eq!(failure(&confirm(&mut town, laptop, desktop, &digits)).code, "confirm.code_expired");
    let next = code(&town, desktop).unwrap();
    assert_ne!(next, digits);
    assert!(failures(&confirm(&mut town, laptop, desktop, &next)).is_empty());
    assert_eq!(phase(&town, desktop), Phase::Confirmed);
}

/// Attack 12: what came and went between two looks is told all the same.
#[test]
fn a_device_that_came_and_went_unseen_is_told_of() {
    let mut town = Town::new();
    let laptop = town.sign_up("bob");
    let desktop = town.add_device("bob", laptop, false);
    town.wish(laptop, Command::NoticesRead { up_to: u64::MAX });
    town.set_online(laptop, false);
    let shell = town.add_device("bob", desktop, false);
    let device = town.id(shell);
    let events = town.wish(desktop, Command::Remove { device });
    assert!(failures(&events).is_empty(), "{events:?}");
    look(&mut town, shell);
    assert_eq!(phase(&town, shell), Phase::Ended);
    assert!(town.events(shell).iter().any(|event| matches!(event, Event::Removed)));
    town.set_online(laptop, true);
    town.settle();
    assert_eq!(notices(&town, laptop), ["device.requested", "device.confirmed", "device.removed"]);
    assert_eq!(states(&town, laptop), ["confirmed", "confirmed", "removed"]);
}

/// Story 9; attack 10.
#[test]
fn who_may_remove_whom_is_the_records_decision() {
    let mut town = Town::new();
    let laptop = town.sign_up("bob");
    let (first, alone) = (town.id(laptop), Command::Remove { device: town.id(laptop) });
    assert_eq!(failure(&town.wish(laptop, alone)).code, "device.last");
    let desktop = town.add_device("bob", laptop, false);
    let too_new = failure(&town.wish(desktop, Command::Remove { device: first }));
    assert_eq!((too_new.code.as_str(), too_new.blame), ("device.too_new", Blame::Refused));
    rest(&mut town, &[laptop, desktop], 73 * 3_600_000);
    let events = town.wish(desktop, Command::Remove { device: first });
    assert!(failures(&events).is_empty(), "{events:?}");
    look(&mut town, laptop);
    assert_eq!(phase(&town, laptop), Phase::Ended);
    assert_eq!(failure(&town.wish(laptop, Command::LogIn(joining("bob")))).code, "account.ended");
    town.wish(laptop, Command::StartOver);
    assert_eq!(phase(&town, laptop), Phase::New);
}

/// DEV-5.
#[test]
fn a_request_that_nobody_answers_lapses_with_a_line_on_both_sides() {
    let mut town = Town::new();
    let laptop = town.sign_up("bob");
    let (desktop, _) = waiting(&mut town, "bob");
    rest(&mut town, &[laptop, desktop], 7 * 86_400_000 + 7_200_000);
    assert_eq!(phase(&town, desktop), Phase::Ended);
    assert!(town.events(desktop).iter().any(|event| matches!(event, Event::NotConfirmed { expired: true })));
    assert_eq!(failure(town.events(desktop)).code, "confirm.expired");
    assert_eq!(notices(&town, laptop), ["device.requested", "device.expired"]);
    assert_eq!(states(&town, laptop), ["confirmed"]);
}

/// Attack 5: two log-ins at the same moment. One is first; the other is made anew.
#[test]
fn a_log_in_that_comes_second_is_made_anew() {
    let mut town = Town::new();
    let laptop = town.sign_up("bob");
    town.set_online(laptop, false);
    let (one, other) = (town.device(), town.device());
    town.command(one, Command::LogIn(joining("bob")));
    town.command(other, Command::LogIn(joining("bob")));
    town.settle();
    for who in [one, other] {
        assert_eq!(phase(&town, who), Phase::Pending, "{:?}", town.events(who));
    }
    town.set_online(laptop, true);
    town.settle();
    assert_eq!(states(&town, laptop), ["confirmed", "pending", "pending"]);
    // attack 2: the digits of one confirm that one
    let digits = code(&town, one).unwrap();
    let mismatch = failure(&confirm(&mut town, laptop, other, &digits));
    assert_eq!(mismatch.code, "confirm.code_mismatch");
    assert!(failures(&confirm(&mut town, laptop, one, &digits)).is_empty());
    assert_eq!((phase(&town, one), phase(&town, other)), (Phase::Confirmed, Phase::Pending));
}

/// Attack 14: an attempt is dropped when a person says so, and the device may begin again.
#[test]
fn an_attempt_can_be_dropped() {
    let mut town = Town::new();
    town.sign_up("bob");
    let (desktop, _) = waiting(&mut town, "bob");
    assert_eq!(failure(&town.wish(desktop, Command::SignUp(joining("carol")))).code, "account.joining");
    assert_eq!(failure(&town.wish(desktop, Command::StartOver)).code, "join.dropped");
    assert_eq!(phase(&town, desktop), Phase::New);
    let events = town.wish(desktop, Command::SignUp(joining("carol")));
    assert!(events.iter().any(|event| matches!(event, Event::SignedUp { .. })), "{events:?}");
}

#[test]
fn no_password_is_written_to_disk() {
    let mut town = Town::new();
    let laptop = town.sign_up("bob");
    town.add_device("bob", laptop, true);
    for file in scenarios::world::files(&town.path("")) {
        let bytes = std::fs::read(&file).unwrap();
        assert!(!bytes.windows(PASSWORD.len()).any(|it| it == PASSWORD.as_bytes()), "{}", file.display());
    }
}
