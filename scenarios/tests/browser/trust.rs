//! Stories 8, 12 and 14: what happens to an account that its people have not wanted, and pages that nobody may look at.

use std::process::Command;

use scenarios::device::{Device, PASSWORD};
use scenarios::program::{eventually, trefoil};
use scenarios::world::{World, free_port};
use serde_json::json;

use crate::driver::Driver;
use crate::person::{Person, link_of};

/// Stories 8, 10, 12 and 14 (a): what somebody with the password can do, and what the record shows of it.
#[test]
fn who_knows_the_password_is_stopped_and_the_record_tells_of_it() {
    let Some(driver) = Driver::start() else { return };
    let world = World::new();
    let service = world.service("service");
    let url = service.api.url.clone();
    let bob = Person::signed_up(&driver, &world, "bob", &url, "laptop");
    let alice = Person::at(&driver, &world, "alice", Device::signed_up(&world, "alice", &url));
    alice.device.says(&["contact", "add", &link_of(&bob.device)]);

    // a device that none of his has let in counts for nobody
    let mallory = Device::new(&world, "mallory", &url);
    let waiting = mallory.start(&[&mallory.join("login", "bob")[..], &["--name", "Bob's phone"]].concat());
    bob.sees(".popup", "A new device wants to read all your messages");
    bob.browser.keys(&["\u{e00c}"]);
    bob.sees_no("body", "A new device wants");
    bob.goes("Devices");
    bob.sees("#devices", "Waiting to be let in");
    // who writes looks first
    alice.device.says(&["send", "bob", "hello"]);
    alice.goes_to("/record/bob");
    alice.sees(".legend", "waits; nothing is encrypted to it");
    alice.sees(".timeline", "asked to join");
    alice.browser.picture("record-of-another");
    bob.presses_in("#devices", "Not me");
    bob.sees("#said", "never saw your messages");
    assert_eq!(waiting.wait_for_end().code(), "device.refused");

    let stranger = Device::new(&world, "stranger", &url);
    stranger.says(&[&["account"], &stranger.join("reset", "bob")[..], &["--yes", "--name", "x"]].concat());
    bob.sees(".alarm-bar", "Someone asked to reset your account");
    bob.goes("Settings");
    bob.sees(".alarm-bar", "stop it now");
    bob.browser.picture("alarm");
    bob.presses("Stop it");
    bob.sees("#said", "Stopped: your account stays as it is.");
    bob.sees_no("body", "Unstopped, bob goes to a new identity");
    bob.presses_in("#notices", "All of them");
    bob.sees("#devices .notice", "the reset of your account was stopped");
    bob.presses_in("#devices .notice", "Seen");
    bob.sees_no("#devices", "Since you last looked");
    bob.goes("Settings");
    assert_eq!(bob.counts("#notices .notice"), 0);

    bob.writes("New password", "another horse battery");
    bob.writes("Once more", "another horse batteries");
    bob.presses("Change password");
    bob.sees("form [role=alert]", "aren't the same");
    bob.writes("Once more", "another horse battery");
    bob.presses("Change password");
    bob.sees("#said", "New password set");
    let refused = mallory.run(&mallory.join("login", "bob"));
    assert_eq!(refused.status, Some(5), "{refused:?}");
    bob.presses_in("main", "7 days");
    bob.presses_in("form[data-do='/do/reset-wait']", "Set");
    bob.sees("#said", "168 hours");

    bob.goes("Devices");
    bob.presses("Why these devices count");
    bob.sees(".verdict", "Verified on this device");
    for happened in ["it opened the account", "refused", "announced a reset", "stopped the reset", "168 hours"] {
        bob.sees(".timeline", happened);
    }
    bob.sees(".timeline", "laptop");
    alice.sees_no("main", "laptop");
    bob.browser.picture("record");
    for person in [&alice, &bob] {
        person.was_left_in_peace();
    }
}

/// Story 14 (c): a record that was taken back is said wherever it is shown, and nothing is sent.
#[test]
fn a_record_that_was_taken_back_is_said() {
    let Some(driver) = Driver::start() else { return };
    let world = World::new();
    let address = format!("127.0.0.1:{}", free_port());
    let serve = |folder: &str| world.serve_at(Command::new(trefoil()), folder, &address, &[]).unwrap();
    let service = serve("service");
    service.api.wait_for_size(1);
    let bob = Person::signed_up(&driver, &world, "bob", &service.api.url, "laptop");
    service.process.kill();
    world.copy("service", "older");
    let service = serve("service");
    bob.device.says(&["account", "reset-wait", "7d"]);
    let _alice = Device::signed_up(&world, "alice", &service.api.url);
    bob.goes("Devices");
    bob.presses("Why these devices count");
    bob.sees(".timeline", "168 hours");
    service.process.kill();
    let _older = serve("older");
    // the next look shows it
    bob.goes("People");
    bob.writes("Add somebody", "alice");
    bob.presses("Add");
    bob.sees("form [role=alert]", "");
    bob.browser.picture("rollback-add");
    bob.goes_to("/record");
    bob.sees(".verdict", "This service has shown different people different records");
    bob.browser.picture("rollback");
    bob.was_left_in_peace();
}

/// What is locked shows nothing, whichever way one comes.
#[test]
fn locked_pages_show_nothing() {
    let Some(driver) = Driver::start() else { return };
    let world = World::new();
    let service = world.service("service");
    let url = service.api.url.clone();
    let device = Device::signed_up(&world, "bob", &url);
    device.says(&["send", "bob", "a secret to himself"]);
    let mut bob = Person::at(&driver, &world, "bob", device);
    bob.presses_on("#side a.entry");
    bob.sees("#messages", "a secret to himself");
    let nothing_is_there = |bob: &Person| {
        bob.sees("#locked", "This page is locked");
        let all =
            bob.browser.run("return document.documentElement.outerHTML + JSON.stringify(sessionStorage)", json!([]));
        let all = all.as_str().unwrap();
        assert!(!all.contains("a secret") && !all.contains("bob"), "{all}");
        assert_eq!(bob.browser.run("return document.title", json!([])), "Trefoil");
    };
    bob.presses("Lock");
    nothing_is_there(&bob);
    bob.browser.picture("locked");
    bob.browser.back();
    nothing_is_there(&bob);
    bob.goes_to("/devices");
    nothing_is_there(&bob);
    bob.opens();
    bob.sees("#side", "Notes");
    bob.device.says(&["web", "--stop"]);
    eventually("the page notices", || bob.texts("#locked").pop());
    nothing_is_there(&bob);
    bob.sees("#gone", "The program that served this page has ended");
    assert_eq!(PASSWORD.len(), 21);
}
