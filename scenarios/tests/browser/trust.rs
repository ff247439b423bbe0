//! Stories 8, 12 and 14: what happens to an account that its people have not wanted, and pages that nobody may look at.

use scenarios::device::{Device, PASSWORD};
use scenarios::program::eventually;
use scenarios::world::World;
use serde_json::json;

use crate::driver::Driver;
use crate::person::{Person, link_of};
use crate::steps::{asks_for_a_reset, asks_to_join, were_left_in_peace};

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
    let waiting = asks_to_join(&mallory, "Bob's phone\u{202e}\", confirmed by \"laptop");
    bob.sees(".popup", "A device calling itself \"Bob's phone\\u{202e}', confirmed by 'laptop\" asked at ");
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

    asks_for_a_reset(&world, &url, &bob);
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
    were_left_in_peace(&[&alice, &bob]);
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
