//! Stories 1, 6 and 7: what is wrong with a new account is said, old messages come later too, and any device admits the next.

use std::process::Command;

use scenarios::device::{Device, PASSWORD};
use scenarios::program::trefoil;
use scenarios::world::{World, free_port};
use serde_json::json;

use crate::driver::Driver;
use crate::person::Person;
use crate::steps::{digits, know_each_other, logs_in, opens_an_account, were_left_in_peace};

/// Story 1: each has its own sentence, nothing half-made is left, and the same page goes on.
#[test]
fn what_is_wrong_with_a_new_account_is_said_and_can_be_mended() {
    let Some(driver) = Driver::start() else { return };
    let world = World::new();
    let address = format!("127.0.0.1:{}", free_port());
    let bob = Person::new(&driver, &world, "bob", &format!("http://{address}"));
    opens_an_account(&bob, "bob", "laptop");
    bob.sees("form [role=alert]", "The service does not answer");
    bob.browser.picture("nobody-answers");
    let service = world.serve_at(Command::new(trefoil()), "service", &address, &[]).unwrap();
    service.api.wait_for_size(1);
    bob.writes("Password", "bob");
    bob.presses("Open an account");
    let refused = "return document.querySelector('input:invalid')?.validationMessage ?? ''";
    assert!(bob.browser.run(refused, json!([])).as_str().unwrap().contains("8 characters"));
    assert_eq!(service.api.published().unwrap().size, 1, "nothing of it is in the record");
    bob.writes("Password", PASSWORD);
    bob.presses("Open an account");
    bob.sees("main", "Choose a conversation.");
    bob.was_left_in_peace();
}

/// Stories 2, 6 and 7: the laptop confirms a tower without old messages, and is off; the tower, minutes old, admits a third device. What was
/// written before comes when the laptop is on, and until the tower is three days old it does not remove who is older.
#[test]
fn no_device_is_the_boss_and_old_messages_come_when_they_can() {
    let Some(driver) = Driver::start() else { return };
    let world = World::new();
    let service = world.service("service");
    let url = service.api.url.clone();
    let alice = Person::signed_up(&driver, &world, "alice", &url, "notebook");
    let bob = Person::at(&driver, &world, "bob", Device::signed_up(&world, "bob", &url));
    know_each_other(&alice.device, &bob.device);
    alice.device.says(&["send", "bob", "long ago"]);
    bob.opens_talk("alice");
    bob.sees("#messages .theirs", "long ago");
    // what became of it is seen where it was written
    alice.opens_talk("bob");
    alice.sees("#messages .own .state", "read");

    let mut tower = Person::new(&driver, &world, "tower", &url);
    logs_in(&tower, PASSWORD, "tower");
    bob.sees(".popup", "tower");
    let code = digits(&tower);
    bob.writes_in(".popup", "The 6 digits", &code);
    bob.presses_in(".popup", "Confirm without old messages");
    bob.sees("#said", "\"tower\" is now one of your devices");
    tower.goes("Devices");
    tower.sees("#history", "None yet. On another of your devices, under Devices, send them to this one.");
    tower.sees("#devices", "connected now");
    // sent while the tower is off, and the laptop is when that is back
    tower.was_left_in_peace();
    tower.device.kill_everything();
    bob.goes("Devices");
    bob.presses_some("#devices li:nth-child(2)", "Change");
    bob.presses_in("#devices li:nth-child(2)", "Send it my old messages");
    bob.sees("#said", "");
    bob.was_left_in_peace();
    bob.device.kill_everything();
    tower.opens();
    tower.goes("Devices");
    tower.sees("#history", "Your older messages arrive when one of your other devices is next on.");
    tower.browser.picture("history-waits");

    let shell = Person::new(&driver, &world, "shell", &url);
    logs_in(&shell, PASSWORD, "shell");
    tower.sees("#devices", "A device calling itself \"shell\"");
    let code = digits(&shell);
    shell.sees("main", "let this device in");
    tower.writes_in("#devices", "The 6 digits", &code);
    tower.presses_in("#devices", "Confirm without old messages");
    tower.sees("#said", "\"shell\" is now one of your devices");
    shell.goes("Devices");
    shell.sees("#devices", "confirmed by \"tower\"");
    shell.browser.picture("devices-of-three");
    alice.sends("to all three");
    shell.opens_talk("alice");
    shell.sees("#messages .theirs", "to all three");

    // who is younger than three days removes nobody who is older
    tower.presses_some("#devices li:not(:has(.tag)):has(h2)", "Change");
    tower.presses_in("#devices li:has(details[open])", "Remove");
    tower.presses_some("#devices li details details", "Remove ");
    tower.sees("#devices [role=alert]", "This device joined less than 3 days ago, so it can't remove older ones");

    // the laptop is on again
    bob.device.says(&["status"]);
    tower.sees("#history", "Your old messages are here: ");
    tower.opens_talk("alice");
    tower.sees("#messages .theirs", "long ago");
    were_left_in_peace(&[&alice, &shell]);
}
