//! What people do in more than one story.

use scenarios::device::{Device, PASSWORD};
use scenarios::program::Process;
use scenarios::world::{Service, World};

use crate::driver::Driver;
use crate::person::{Person, link_of};

/// Each adds the other by his link, so neither is a stranger.
pub(crate) fn know_each_other(one: &Device, other: &Device) {
    for (device, other) in [(one, other), (other, one)] {
        device.says(&["contact", "add", &link_of(other)]);
    }
}

/// Alice and Bob, who know each other, each with a browser.
pub(crate) fn two(driver: &Driver, world: &World) -> (Service, Person, Person) {
    let service = world.service("service");
    let url = service.api.url.clone();
    let [alice, bob] = ["alice", "bob"].map(|handle| {
        let device = Device::signed_up(world, handle, &url);
        Person::at(driver, world, handle, device)
    });
    know_each_other(&alice.device, &bob.device);
    (service, alice, bob)
}

/// On a page of somebody who is not in yet.
pub(crate) fn logs_in(device: &Person, password: &str, name: &str) {
    device.presses("Log in on this machine");
    device.sees("h1", "Log in");
    device.writes("Handle", "bob");
    device.writes("Password", password);
    device.writes("Name of this device", name);
    device.presses("Log in");
}

/// Bob's digits, as his new device shows them.
pub(crate) fn digits(device: &Person) -> String {
    device.sees(".code", " ").replace(' ', "")
}

/// Bob adds somebody by a handle or a link.
pub(crate) fn adds(person: &Person, whom: &str) {
    person.goes("People");
    person.writes("Add somebody", whom);
    person.presses("Add");
}

/// Somebody with Bob's password asks for a device of this name, in a terminal, and waits.
pub(crate) fn asks_to_join(device: &Device, name: &str) -> Process {
    device.start(&[&device.join("login", "bob")[..], &["--name", name]].concat())
}

/// Somebody with Bob's password asks for a reset, and every page of his says so.
pub(crate) fn asks_for_a_reset(world: &World, url: &str, bob: &Person) {
    let stranger = Device::new(world, "stranger", url);
    stranger.says(&[&["account"], &stranger.join("reset", "bob")[..], &["--yes", "--name", "x"]].concat());
    bob.sees(".alarm-bar", "Someone asked to reset your account");
}

/// Somebody opens an account on the page that he sees first.
pub(crate) fn opens_an_account(person: &Person, handle: &str, device: &str) {
    person.writes("Handle", handle);
    person.writes("Password", PASSWORD);
    person.writes("Name of this device", device);
    person.presses("Open an account");
}

/// Somebody writes, and all of them read it.
pub(crate) fn says_to(from: &Person, text: &str, readers: &[&Person]) {
    from.sends(text);
    for reader in readers {
        reader.sees("#messages .theirs", text);
    }
}

pub(crate) fn were_left_in_peace(people: &[&Person]) {
    people.iter().for_each(|person| person.was_left_in_peace());
}
