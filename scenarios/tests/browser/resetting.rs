//! Story 12 for somebody who has never seen a terminal: all devices are lost, and a fresh identity is asked for on the page, with the
//! password or with a permit of the operator. Rules RST-1, PMT-1 to PMT-4.

use scenarios::device::{Device, PASSWORD};
use scenarios::program::eventually;
use scenarios::world::World;
use serde_json::json;

use crate::driver::Driver;
use crate::person::Person;
use crate::steps::{digits, logs_in, were_left_in_peace};

const DUE: &str = "Your fresh start is possible from ";

fn is_alarmed(laptop: &Device) {
    eventually("the laptop shows the alarm", || laptop.says(&["status"])[0]["reset_due"].is_string().then_some(()));
}

/// The waiting device leads there; a wrong password and a person who does not mean it change nothing; who is not lost stops it.
#[test]
fn whoever_waits_and_has_no_device_left_asks_for_a_fresh_identity() {
    let Some(driver) = Driver::start() else { return };
    let world = World::new();
    let service = world.service("service");
    let url = service.api.url.clone();
    let laptop = Device::signed_up(&world, "bob", &url);
    let tower = Person::new(&driver, &world, "tower", &url);
    logs_in(&tower, PASSWORD, "tower");
    digits(&tower);
    tower.presses_in("#no-device", "I no longer have any of my devices");
    tower.presses_in("#no-device", "Ask for a fresh identity");
    tower.sees("main", "Only if none of your devices works any more");
    let typed = |what: &str| {
        let value = "return document.querySelector(arguments[0]).value";
        tower.browser.run(value, json!([what])).as_str().unwrap().to_owned()
    };
    assert_eq!((typed("#handle").as_str(), typed("#name").as_str()), ("bob", "tower"));
    tower.browser.picture("reset-form");
    tower.writes("Password", "wrong horse battery");
    tower.presses("Ask for a fresh identity");
    let refused = "return document.querySelectorAll('input:invalid').length";
    assert_eq!(tower.browser.run(refused, json!([])), 1, "it has to be meant");
    tower.presses_on("input[name=lost]");
    tower.presses("Ask for a fresh identity");
    tower.sees("form [role=alert]", "password");
    assert!(laptop.says(&["status"])[0]["reset_due"].is_null());
    tower.writes("Password", PASSWORD);
    tower.presses("Ask for a fresh identity");
    tower.sees("main", DUE);
    tower.sees("main", "unless one of your devices stops it");
    is_alarmed(&laptop);
    laptop.says(&["account", "veto"]);
    eventually("whoever looks sees that it was stopped", || {
        tower.goes_to("/waiting");
        let page = tower.browser.run("return document.body.innerText", json!([]));
        page.as_str()?.contains("The reset was stopped").then_some(())
    });
    were_left_in_peace(&[&tower]);
}

/// Who has lost the password too types the operator's permit; a mistyped one is noticed before anything happens.
#[test]
fn whoever_has_lost_the_password_too_types_a_permit() {
    let Some(driver) = Driver::start() else { return };
    let world = World::new();
    let service = world.service("service");
    let (url, data) = (service.api.url.clone(), service.data.display().to_string());
    let laptop = Device::signed_up(&world, "bob", &url);
    let permit = world.run(&["permit", "bob", "--data", &data, "--json"]).last()["permit"].as_str().unwrap().to_owned();
    let mut mistyped = permit.clone();
    let last = if mistyped.pop() == Some('0') { '1' } else { '0' };
    mistyped.push(last);
    let tower = Person::new(&driver, &world, "tower", &url);
    tower.presses("Log in on this machine");
    tower.presses("Ask for a fresh identity");
    tower.writes("Handle", "bob");
    tower.writes("Password", "quite another password");
    tower.presses("I don't have the password either");
    tower.writes("Permit", &mistyped);
    tower.presses_on("input[name=lost]");
    let ask = || tower.presses_in("form.fields", "Ask for a fresh identity");
    ask();
    tower.sees("form [role=alert]", "permit");
    assert!(laptop.says(&["status"])[0]["reset_due"].is_null());
    tower.writes("Permit", &permit);
    ask();
    tower.sees("main", DUE);
    is_alarmed(&laptop);
    were_left_in_peace(&[&tower]);
}
