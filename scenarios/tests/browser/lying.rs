//! Stories 13 and 14: a contact that was reset, and a service that lies, behind real sockets. The same folder run twice is a service
//! with two faces; a town whose clock somebody moves is one in which three days have passed.

use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use client::query::{self, Phase};
use client::step::{Call, Command as Wish, Event, Joining};
use protocol::api::ENTRIES;
use scenarios::device::Device;
use scenarios::program::{eventually, trefoil};
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

/// Story 14 (c): a record that was taken back is said wherever it is shown, and nothing is sent until it is whole again.
#[test]
fn a_record_that_was_taken_back_is_said_and_stops_sending() {
    let Some(driver) = Driver::start() else { return };
    let world = World::new();
    let (address, service, bob, _alice) = two_faces(&driver, &world);
    service.process.kill();
    let older = address.serve("other");
    is_told(&bob, "rollback");
    bob.goes_to("/");
    bob.opens_talk("alice");
    bob.sends("to nobody now");
    bob.sees(
        "form.write [role=alert]",
        "This service has taken back a part of the public record that it had shown; sending is stopped until it shows it again.",
    );
    bob.sees("#messages .own:last-child .state", "waiting");
    assert_eq!(bob.written(), "", "it is kept, and not to be sent twice");
    bob.browser.picture("rollback-stops");
    older.process.kill();
    let _whole = address.serve("service");
    bob.sees("#messages .own:last-child .state", "sent");
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

/// A device of the town whose owner goes on with the real program, in a browser.
fn moves_out(driver: &Driver, world: &World, town: &mut Town, who: Who, name: &str, url: &str) -> Person {
    let device = Device::new(world, name, url);
    town.moves_to(who, &device.home.join("data/default"));
    Person::at(driver, world, name, device)
}

/// What somebody in the town types to reach it on its port.
fn joining(handle: &str, url: &str) -> Joining {
    Joining { service: url.to_owned(), ..Town::joining(handle) }
}

/// Somebody else opens an account: the record is of now.
fn goes_on(town: &Town) {
    let stranger = scenarios::people::Device::new();
    let proposal = stranger.sign(stranger.opening(None), "town.example/log");
    town.ask(&Call { path: format!("{ENTRIES}?wait=quorum"), body: Some(proposal), bearer: None });
}

/// The town's clock is set to now, and the record goes on.
fn catches_up(town: &mut Town) {
    let late_ms = now_ms().saturating_sub(town.now_ms());
    town.pass_ms(late_ms);
    goes_on(town);
}

/// Waits until somebody in the town shows a text.
fn comes(town: &mut Town, who: Who, text: &str) {
    eventually(&format!("{text:?} comes"), || {
        town.stir();
        town.settle();
        town.texts(who, None).iter().any(|it| it == text).then_some(())
    });
}

/// Story 14 (e), after the bound: nothing newer than a day was cosigned. What is written waits, and says so; one decision, for this
/// conversation, sends it to devices that were checked before, in words; somebody new waits, whatever was decided.
#[test]
fn after_a_day_without_a_record_a_message_waits_for_it_or_for_a_decision() {
    let Some(driver) = Driver::start() else { return };
    let world = World::new();
    let mut town = Town::beginning_at(now_ms() - 26 * HOUR_MS - HOUR_MS / 3);
    let url = town.on_a_port();
    let (bob, carol, alice) = (town.sign_up("bob"), town.sign_up("carol"), town.device());
    town.wish(alice, Wish::SignUp(joining("alice", &url)));
    town.send(alice, "bob", "before");
    town.wish(alice, Wish::AddContact { handle: "carol".to_owned(), account: None, token: None });
    let alice = moves_out(&driver, &world, &mut town, alice, "alice", &url);
    alice.opens_talk("bob");
    alice.sends("after a day");
    let banner =
        alice.sees(".talk .notice", "The public record couldn't be checked for 26 hours, so your messages wait here");
    assert!(banner.contains("only to devices of bob that were checked before"), "{banner}");
    alice.sees("#messages .own:last-child .state", "waiting");
    assert_eq!(alice.written(), "", "it is kept, and not to be sent twice");
    alice.browser.picture("unchecked-waits");
    let refused = alice.device.run(&["send", "bob", "from a terminal"]);
    assert_eq!((refused.status, refused.code()), (Some(6), "chain.stale".to_owned()), "{refused:?}");
    assert_eq!(refused.error()["waits"], true);

    alice.presses("Send anyway");
    alice.sees("#messages .own:last-child .state", "sent");
    let went = "The public record couldn't be checked for 26 hours; your message went only to devices of bob that were checked before.";
    alice.sees("#messages .own:last-child .unchecked", went);
    alice.sees(".talk .notice", "your messages go only to devices of bob that were checked before, until");
    alice.browser.picture("unchecked-goes");
    for text in ["after a day", "from a terminal"] {
        comes(&mut town, bob, text);
    }
    let shown = alice.device.shows(&["send", "bob", "and on"]);
    assert!(shown.lines.iter().any(|line| line == went), "{shown:?}");

    // whatever was decided, nobody new is believed
    alice.goes_to("/to/carol");
    alice.sends("hello");
    let unproven =
        "We can't check carol's devices against the public record right now, so your message is waiting here.";
    alice.sees("#begins .notice", unproven);
    alice.sees("#messages .own .state", "waiting");
    assert_eq!(alice.written(), "", "it is kept, and not to be sent twice");
    alice.goes_to("/to/carol");
    alice.sees("#begins .notice", unproven);
    alice.browser.picture("unproven-waits");
    assert!(town.texts(carol, None).is_empty());

    catches_up(&mut town);
    comes(&mut town, carol, "hello");
    alice.sees("main h1", "carol");
    alice.sees("#messages .own:last-child .state", "sent");
    alice.opens_talk("bob");
    alice.sees("#messages .own", "and on");
    alice.sees_no(".talk .notice", "public record");
    alice.sends("checked again");
    alice.sees("#messages .own:last-child .state", "sent");
    assert_eq!(alice.counts("#messages .own:last-child .unchecked"), 0);
    alice.was_left_in_peace();
}

/// Story 12, on the side of whoever has lost all devices: what the new one says while it waits, that the wait ends by itself, and that
/// it is somebody then who can write.
#[test]
fn whoever_has_lost_all_devices_is_told_when_and_can_write_then() {
    let Some(driver) = Driver::start() else { return };
    let world = World::new();
    // asked for 84 hours ago, and due 12 hours ago: the town's clock says when that is
    let mut town = Town::beginning_at(now_ms() - 84 * HOUR_MS);
    let url = town.on_a_port();
    let (alice, bob, fresh) = (town.sign_up("alice"), town.sign_up("bob"), town.device());
    town.send(bob, "alice", "from the one that is lost");
    let events = town.wish(fresh, Wish::Reset(joining("bob", &url)));
    assert!(events.iter().any(|event| matches!(event, Event::ResetAnnounced { .. })), "{events:?}");
    for who in [alice, bob, fresh] {
        town.set_online(who, false);
    }
    town.pass_ms(71 * HOUR_MS);
    goes_on(&town);
    let bob = moves_out(&driver, &world, &mut town, fresh, "bob", &url);
    bob.sees("h1", "A fresh identity");
    let said = bob.sees("main", "Your fresh start is possible from ");
    assert!(said.contains("unless one of your devices stops it"), "{said}");
    bob.browser.picture("reset-waits");

    catches_up(&mut town);
    bob.sees("main", "Choose a conversation.");
    bob.sees("#notices", "Your account has its fresh identity since ");
    bob.browser.picture("reset-done");
    assert_eq!(bob.counts("#side a[href^='/c/']"), 0, "what was before is gone");
    town.set_online(alice, true);
    town.settle();
    adds(&bob, "alice");
    bob.sees("main h1", "alice");
    bob.sends("it is me, on a new machine");
    bob.sees("#messages .own:last-child .state", "sent");
    comes(&mut town, alice, "it is me, on a new machine");
    bob.was_left_in_peace();
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
    goes_on(town);
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
