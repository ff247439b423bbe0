//! Stories 13 and 14: a contact that was reset, and a service that lies, behind real sockets. The same folder run twice is a service
//! with two faces; a town whose clock somebody moves is one in which three days have passed.

use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use client::query::{self, Phase};
use client::step::{Call, Command as Wish, Event};
use protocol::api::ENTRIES;
use scenarios::device::Device;
use scenarios::program::trefoil;
use scenarios::town::{Town, Who};
use scenarios::world::{Service, World, free_port};
use serde_json::json;

use crate::driver::Driver;
use crate::person::Person;
use crate::steps::{adds, know_each_other};

const HOUR_MS: u64 = 3_600_000;

/// One address, at which one folder after the other is served.
struct Address<'a> {
    world: &'a World,
    address: String,
}

impl Address<'_> {
    fn serve(&self, folder: &str) -> Service {
        let service = self.world.serve_at(Command::new(trefoil()), folder, &self.address, &[]).unwrap();
        service.api.wait_for_size(1);
        service
    }
}

fn have_written(bob: &Person, alice: &Device) {
    alice.says(&["send", "bob", "before"]);
    bob.goes_to("/");
    bob.opens_talk("alice");
    bob.sees("#messages .theirs", "before");
}

/// Bob in a browser and Alice, who know each other; and another face of the service's record, from before Bob's last entry.
fn two_faces<'a>(driver: &Driver, world: &'a World) -> (Address<'a>, Service, Person, Device) {
    let address = Address { world, address: format!("127.0.0.1:{}", free_port()) };
    let service = address.serve("service");
    let url = service.api.url.clone();
    let bob = Person::signed_up(driver, world, "bob", &url, "laptop");
    let alice = Device::signed_up(world, "alice", &url);
    know_each_other(&bob.device, &alice);
    have_written(&bob, &alice);
    service.process.kill();
    world.copy("service", "other");
    let service = address.serve("service");
    bob.device.says(&["account", "reset-wait", "7d"]);
    bob.goes("Devices");
    bob.presses("Why these devices count");
    bob.sees(".timeline", "168 hours");
    (address, service, bob, alice)
}

/// The next look shows it.
fn is_told(bob: &Person, picture: &str) {
    adds(bob, "carol");
    bob.sees("form [role=alert]", "");
    bob.goes_to("/record");
    bob.sees(".verdict", "This service has shown different people different records");
    bob.browser.picture(picture);
}

/// From then on nothing is sent.
fn sends_nothing(bob: &Person) {
    bob.goes_to("/");
    bob.opens_talk("alice");
    bob.sends("to nobody now");
    bob.sees(
        "form.write [role=alert]",
        "This service has shown different people different records; sending is stopped and the evidence is saved.",
    );
    let kept = bob.device.says(&["record", "evidence"]);
    assert!(!kept.is_empty(), "the evidence is saved");
}

/// Story 14 (c): a record that was taken back is said wherever it is shown.
#[test]
fn a_record_that_was_taken_back_is_said() {
    let Some(driver) = Driver::start() else { return };
    let world = World::new();
    let (address, service, bob, _alice) = two_faces(&driver, &world);
    service.process.kill();
    let _older = address.serve("other");
    is_told(&bob, "rollback");
    bob.was_left_in_peace();
}

/// Story 14 (b), (d): a record that goes on otherwise than it was shown, further than that.
#[test]
fn a_record_with_two_faces_is_said() {
    let Some(driver) = Driver::start() else { return };
    let world = World::new();
    let (address, service, bob, _alice) = two_faces(&driver, &world);
    let size = service.api.published().unwrap().size;
    service.process.kill();
    let other = address.serve("other");
    for number in 0.. {
        if other.api.published().unwrap().size > size + 1 {
            break;
        }
        Device::signed_up(&world, &format!("stranger-{number}"), &other.api.url);
    }
    is_told(&bob, "fork");
    sends_nothing(&bob);
    bob.was_left_in_peace();
}

/// Story 14 (e): the witnesses are away. Whoever is known is written to as ever, for a day; nobody new is believed, and that is said.
#[test]
fn without_witnesses_the_known_are_written_to_and_nobody_new_is_believed() {
    let Some(driver) = Driver::start() else { return };
    let world = World::new();
    let mut witnesses = world.witnesses(4);
    let service = world.watched_service("service", &mut witnesses);
    let url = service.api.url.clone();
    let bob = Person::signed_up(&driver, &world, "bob", &url, "laptop");
    let alice = Device::signed_up(&world, "alice", &url);
    know_each_other(&bob.device, &alice);
    have_written(&bob, &alice);
    witnesses.iter_mut().for_each(scenarios::world::Witness::kill);
    bob.opens_talk("alice");
    bob.sends("while they are away");
    bob.sees("#messages .own:last-child .state", "sent");
    alice.reads("while they are away");
    // somebody new is in no cosigned record
    let carol = Device::new(&world, "carol", &url);
    let waiting = carol.start(&carol.join("signup", "carol"));
    adds(&bob, "carol");
    bob.sees("form [role=alert]", "");
    bob.browser.picture("no-quorum");
    assert_eq!(bob.counts("#contacts a[href='/contacts/carol']"), 0);
    waiting.kill();
    bob.was_left_in_peace();
}

fn now_ms() -> u64 {
    u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap()
}

/// Somebody whose only device was lost four days ago, and a new one on which a fresh identity was asked for then.
fn lost(town: &mut Town) -> (Who, Who) {
    let bob = town.sign_up("bob");
    let fresh = town.device();
    let events = town.wish(fresh, Wish::Reset(Town::joining("bob")));
    assert!(events.iter().any(|event| matches!(event, Event::ResetAnnounced { .. })), "{events:?}");
    for who in [bob, fresh] {
        town.set_online(who, false);
    }
    let days_ms = now_ms().saturating_sub(town.now_ms());
    town.pass_ms(days_ms);
    // somebody else opens an account: the record is of today
    let stranger = scenarios::people::Device::new();
    let proposal = stranger.sign(stranger.opening(None), "town.example/log");
    town.ask(&Call { path: format!("{ENTRIES}?wait=quorum"), body: Some(proposal), bearer: None });
    (bob, fresh)
}

/// Story 13: a line that does not scroll away, no mark any more, and one choice before anything is sent; nobody else is affected.
/// What comes of the choice is tested in `resets.rs`.
#[test]
fn a_contact_that_was_reset_is_asked_about_once() {
    let Some(driver) = Driver::start() else { return };
    let world = World::new();
    let mut town = Town::beginning_at(now_ms() - 96 * HOUR_MS);
    let (_bob, fresh) = lost(&mut town);
    let url = town.on_a_port();
    let carol = Device::signed_up(&world, "carol", &url);
    let alice = Person::signed_up(&driver, &world, "alice", &url, "notebook");
    know_each_other(&alice.device, &carol);
    adds(&alice, "bob");
    alice.sees("main h1", "bob");
    alice.sends("before");
    alice.sees("#messages .own .state", "sent");
    alice.device.says(&["contact", "verify", "bob", "--matches", "yes"]);
    alice.goes("People");
    alice.sees("#contacts", "verified");

    town.set_online(fresh, true);
    town.settle();
    assert_eq!(town.read(fresh, |store| query::status(store, 0)).phase, Phase::Confirmed);
    alice.goes_to("/");
    alice.opens_talk("bob");
    let said = alice.sees(".talk .notice", "bob's account was reset at ");
    let what = "it may be a new device after a loss, or someone else, so ask in another way before you share anything private.";
    assert!(said.contains(what), "{said}");
    alice.browser.picture("contact-reset");
    alice.goes("People");
    alice.sees("#contacts", "bob");
    assert!(!alice.sees("#contacts li:has([href='/contacts/bob'])", "").contains("verified"));

    // one message waits for the choice, however many come before it is made
    alice.opens_talk("bob");
    for text in ["is it you?", "and the cat?"] {
        alice.sends(text);
    }
    alice.sees("form.write [role=alert]", "This waits: decide above whether it goes to the new identity.");
    alice.sees("#messages .own:last-child .state", "waiting");
    // whatever is read, the line stays where it is
    let shown = "const it = document.querySelector('.talk .notice').getBoundingClientRect(); \
                 for (const at of [0, 1e6]) document.querySelector('#scroll').scrollTop = at; \
                 const now = document.querySelector('.talk .notice').getBoundingClientRect(); \
                 return now.top === it.top && now.top >= 0 && now.bottom <= innerHeight;";
    assert_eq!(alice.browser.run(shown, json!([])), true);
    alice.goes_to("/to/carol");
    alice.sends("nobody else waits");
    alice.sees("#messages .own:last-child .state", "sent");
    carol.reads("nobody else waits");

    alice.was_left_in_peace();
}
