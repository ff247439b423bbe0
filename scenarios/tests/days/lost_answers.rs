//! Answers that are lost after the service took the request (I1, I2, I10): nothing is done twice, nothing is lost.

use scenarios::program::eventually;
use scenarios::world::World;

use crate::stubborn::Stubborn;
use crate::wire::{Fate, Wire};
use scenarios::device::Device;

/// How a command may fail on such a day.
const UNREACHABLE: (i32, &str) = (3, "service.unreachable");

/// About a third of all answers is lost. An agent asks once more at once when a connection breaks, so about every ninth
/// time the service seems to be away.
fn lossy(mut dice: u64) -> impl FnMut(&str) -> Fate + Send {
    move |request| {
        // the push connection is no request: it brings what it can
        if request.starts_with("GET /v1/push") {
            return Fate::Answered;
        }
        // xorshift64
        dice ^= dice << 13;
        dice ^= dice >> 7;
        dice ^= dice << 17;
        if dice.is_multiple_of(3) { Fate::AnswerLost } else { Fate::Answered }
    }
}

fn succeeds(device: &Device, command: &[&str]) {
    Stubborn::start(device, command, UNREACHABLE).succeeds();
}

/// Two people, three devices and six messages, all over such a line.
#[test]
fn a_third_of_all_answers_lost_loses_and_doubles_nothing() {
    let world = World::new();
    let service = world.service("service");
    let wire = Wire::to(service.api.url.strip_prefix("http://").unwrap());
    let url = wire.url.clone();
    wire.judge(lossy(20_261_129));
    let names = ["laptop", "alice", "desktop"];
    let [laptop, alice, desktop] = &names.map(|name| Device::new(&world, name, &url));
    succeeds(laptop, &laptop.join("signup", "bob"));
    succeeds(alice, &alice.join("signup", "alice"));
    // what waits has been taken, and goes out by itself
    alice.says(&["send", "bob", "one"]);
    alice.says(&["send", "bob", "two"]);
    laptop.reads("two");
    laptop.says(&["send", "alice", "three"]);
    alice.reads("three");

    let line = [&desktop.join("login", "bob")[..], &["--wait", "60"]].concat();
    let mut login = Stubborn::start(desktop, &line, UNREACHABLE);
    let id = login.says("pending")["device"].as_str().unwrap().to_owned();
    let code = login.says("code")["code"].as_str().unwrap().to_owned();
    succeeds(laptop, &["device", "confirm", &id, "--code", &code, "--history", "yes"]);
    login.says("confirmed");
    alice.says(&["send", "bob", "four"]);
    for device in [laptop, desktop] {
        device.reads("four");
    }
    desktop.says(&["send", "alice", "five"]);
    laptop.says(&["send", "alice", "six"]);
    for device in [laptop, alice, desktop] {
        has_each_once(device, &["one", "two", "three", "four", "five", "six"]);
    }
    let shown = Stubborn::start(alice, &["record", "show", "bob", "--service", &url], UNREACHABLE).succeeds();
    let kinds: Vec<_> = shown.iter().filter_map(|it| it["kind"].as_str()).collect();
    assert_eq!(kinds, ["AccountCreated", "DeviceAdded", "DeviceConfirmed"]);
}

fn has_each_once(device: &Device, expected: &[&str]) {
    let texts = || {
        let mut texts: Vec<_> = device.messages().iter().map(|it| it["text"].as_str().unwrap().to_owned()).collect();
        texts.sort_unstable();
        texts
    };
    let mut expected = expected.to_vec();
    expected.sort_unstable();
    eventually("everything is there", || (texts().len() >= expected.len()).then_some(()));
    assert_eq!(texts(), expected, "{}", device.home.display());
}

/// The service takes the end of a log-in once. A right password whose answer was lost is not called a wrong one.
#[test]
fn a_log_in_whose_answer_was_lost_is_not_refused() {
    let world = World::new();
    let service = world.service("service");
    let wire = Wire::to(service.api.url.strip_prefix("http://").unwrap());
    let _laptop = Device::signed_up(&world, "bob", &wire.url);
    let desktop = Device::new(&world, "desktop", &wire.url);
    let mut is_over = false;
    wire.judge(move |request| {
        let is_first = request == "POST /v1/login/finish" && !std::mem::replace(&mut is_over, true);
        if is_first { Fate::AnswerLost } else { Fate::Answered }
    });
    let line = [&desktop.join("login", "bob")[..], &["--wait", "60"]].concat();
    let told = desktop.run(&line);
    assert_eq!(told.verdict(), (Some(3), "service.unreachable".to_owned()), "{told:?}");
    Stubborn::start(&desktop, &line, UNREACHABLE).says("pending");
}

/// Whoever was told that nobody answers runs the same command again, also when it has been carried out meanwhile.
#[test]
fn a_sign_up_whose_answer_was_lost_says_the_same_when_it_is_asked_for_again() {
    let world = World::new();
    let service = world.service("service");
    let wire = Wire::to(service.api.url.strip_prefix("http://").unwrap());
    let bob = Device::new(&world, "bob", &wire.url);
    let mut is_lost = false;
    wire.judge(move |request| {
        is_lost |= request == "POST /v1/signup";
        match request {
            "POST /v1/signup" => Fate::AnswerLost,
            _ if is_lost => Fate::Lost,
            _ => Fate::Answered,
        }
    });
    let line = bob.join("signup", "bob");
    let told = bob.run(&line);
    assert_eq!(told.verdict(), (Some(3), "service.unreachable".to_owned()), "{told:?}");
    wire.judge(|_| Fate::Answered);
    eventually("it goes on by itself", || (bob.says(&["status"])[0]["phase"] == "confirmed").then_some(()));
    let row = bob.says(&line).remove(0);
    assert_eq!((&row["handle"], &row["block"]), (&"bob".into(), &1.into()), "{row}");
    // and nobody else's
    let other = bob.run(&bob.join("signup", "bobby"));
    assert_eq!(other.verdict(), (Some(2), "profile.in_use".to_owned()), "{other:?}");
}
