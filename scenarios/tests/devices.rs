//! Ghosts, replays, races and floods against a person's devices, through the real service's HTTP interface, judged by
//! what `trefoil record show` proves to somebody else.

use chain::sigchain::body::ResetChoice;
use chain::sigchain::entry::Proposal;
use scenarios::people::{Device, Person, confirmation, nothing_seen};
use scenarios::world::{Service, World};

/// The devices of an account as somebody sees them who believes nobody: id and state.
fn proven_devices(world: &World, service: &Service, person: &Person) -> Vec<(String, String)> {
    let seen = world.look(service, &person.account.to_string(), "observer");
    assert_eq!(seen.status, Some(0), "{seen:?}");
    let devices = seen.last()["devices"].as_array().unwrap().clone();
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    devices.iter().map(|it| (text(&it["device"]), text(&it["state"]))).collect()
}

fn state_of(devices: &[(String, String)], device: &Device) -> Option<String> {
    devices.iter().find(|(id, _)| *id == device.id().to_string()).map(|(_, state)| state.clone())
}

/// Attack 1, DEV-4: the service can list a device, and that is all it can do.
#[test]
fn a_ghost_device_never_counts() {
    let world = World::new();
    let service = world.service("service");
    let bob = Person::sign_up(&service.api, None);
    let ghost = bob.add();
    let devices = proven_devices(&world, &service, &bob);
    assert_eq!(state_of(&devices, &bob.laptop).as_deref(), Some("confirmed"));
    assert_eq!(state_of(&devices, &ghost).as_deref(), Some("pending"));
    // it cannot confirm itself, and nobody else's device can
    let stranger = Device::new();
    for signer in [&ghost, &stranger] {
        let refused = bob.propose(&bob.confirming(&ghost, signer));
        assert_eq!(refused.refusal(), (403, "device.unconfirmed".into()));
    }
    // nor does its signature under the laptop's name count (ENT-2)
    let set = bob.set();
    let body = confirmation(&set, &ghost, &bob.laptop);
    let forged = ghost.sign(set.following(body, nothing_seen()), &bob.origin);
    assert_eq!(bob.propose(&forged).refusal(), (422, "entry.signature".into()));
    assert_eq!(proven_devices(&world, &service, &bob), devices);
}

/// Attacks 1 and 9 in part: what a removed device signs is void, and a new device counts only once it is confirmed.
#[test]
fn a_removed_device_signs_for_nobody() {
    let world = World::new();
    let service = world.service("service");
    let bob = Person::sign_up(&service.api, None);
    let phone = bob.add_and_confirm();
    assert_eq!(state_of(&proven_devices(&world, &service, &bob), &phone).as_deref(), Some("confirmed"));
    bob.propose(&bob.removing(&phone, &bob.laptop)).accepted();
    let late = bob.add();
    let refused = bob.propose(&bob.confirming(&late, &phone));
    assert_eq!(refused.refusal(), (403, "device.unconfirmed".into()));
    let devices = proven_devices(&world, &service, &bob);
    assert_eq!(state_of(&devices, &phone), None);
    assert_eq!(state_of(&devices, &late).as_deref(), Some("pending"));
}

/// Attack 3, DEV-5: a confirmation works once.
#[test]
fn a_replayed_confirmation_brings_no_device_back() {
    let world = World::new();
    let service = world.service("service");
    let bob = Person::sign_up(&service.api, None);
    let phone = bob.add();
    let confirmation = bob.confirming(&phone, &bob.laptop);
    bob.propose(&confirmation).accepted();
    bob.propose(&bob.removing(&phone, &bob.laptop)).accepted();
    assert_eq!(bob.propose(&confirmation).refusal(), (409, "confirm.replayed".into()));
    // a removed key is never let in again (DEV-3, DEV-7)
    assert_eq!(bob.propose(&bob.joining(&phone)).refusal(), (422, "device.known_key".into()));
    assert_eq!(state_of(&proven_devices(&world, &service, &bob), &phone), None);
    // and in another account it names entries that are not there
    let alice = Person::sign_up(&service.api, None);
    let recorded = Proposal::decode(&confirmation).unwrap().statement;
    let mut statement = alice.set().following(recorded.body.clone(), nothing_seen());
    statement.request = recorded.request;
    let moved = bob.laptop.sign(statement, &alice.origin);
    assert_eq!(alice.propose(&moved).refusal(), (403, "device.unconfirmed".into()));
}

/// Attack 5, ENT-3: a removal and a confirmation signed for one head, sent at once.
#[test]
fn of_two_changes_on_one_head_exactly_one_is_taken() {
    let world = World::new();
    let service = world.service("service");
    for _ in 0..4 {
        let bob = Person::sign_up(&service.api, None);
        let phone = bob.add_and_confirm();
        let tablet = bob.add();
        let changes = [bob.removing(&phone, &bob.laptop), bob.confirming(&tablet, &phone)];
        let answers: Vec<_> = std::thread::scope(|scope| {
            let sent: Vec<_> = changes.iter().map(|change| scope.spawn(|| bob.propose(change))).collect();
            sent.into_iter().map(|it| it.join().unwrap()).collect()
        });
        let taken = answers.iter().filter(|it| it.status == 200).count();
        assert_eq!(taken, 1, "{answers:?}");
        let refused = answers.iter().find(|it| it.status != 200).unwrap();
        assert_eq!(refused.refusal(), (409, "chain.conflict".into()));
        let devices = proven_devices(&world, &service, &bob);
        let removed = state_of(&devices, &phone).is_none();
        let confirmed = state_of(&devices, &tablet).as_deref() == Some("confirmed");
        assert!(removed != confirmed, "{devices:?}");
    }
}

/// Attack 10, DEV-8 and DEV-10: a device that was phished in cannot throw the owner out; the owner can throw it out.
#[test]
fn a_young_device_cannot_remove_an_older_one() {
    let world = World::new();
    let service = world.service("service");
    let bob = Person::sign_up(&service.api, None);
    let thief = bob.add_and_confirm();
    let refused = bob.propose(&bob.removing(&bob.laptop, &thief));
    assert_eq!(refused.refusal(), (422, "device.too_new".into()));
    assert_eq!(state_of(&proven_devices(&world, &service, &bob), &bob.laptop).as_deref(), Some("confirmed"));
    bob.propose(&bob.removing(&thief, &bob.laptop)).accepted();
    assert_eq!(bob.confirmed(), [bob.laptop.id()]);
    assert_eq!(bob.propose(&bob.removing(&bob.laptop, &bob.laptop)).refusal(), (422, "device.last".into()));
}

/// Attacks 13 and 28: one popup at a time, and a flood at one account does not hold up another's confirmation.
#[test]
fn fifty_requests_raise_one_popup_and_hold_up_nobody() {
    let world = World::new();
    let service = world.service("service");
    let bob = Person::sign_up(&service.api, None);
    let alice = Person::sign_up(&service.api, None);
    let phone = alice.add();
    bob.add();
    let requests: Vec<_> = (0..50).map(|_| bob.joining(&Device::new())).collect();
    std::thread::scope(|scope| {
        let flood = scope.spawn(|| requests.iter().map(|it| bob.propose(it)).collect::<Vec<_>>());
        let confirmed = alice.propose(&alice.confirming(&phone, &alice.laptop));
        assert_eq!(confirmed.accepted().sequence, 2);
        for refused in flood.join().unwrap() {
            assert_eq!(refused.refusal(), (429, "rate.limited".into()));
            assert!(refused.json()["retry_after_s"].as_u64().unwrap() > 0);
        }
    });
    assert_eq!(bob.set().pending().len(), 1);
    assert_eq!(alice.confirmed().len(), 2);
}

/// Attack 28: twenty changes a day and account.
#[test]
fn the_twenty_first_change_of_a_day_is_refused() {
    let world = World::new();
    let service = world.service("service");
    let bob = Person::sign_up(&service.api, None);
    let choices = [ResetChoice::OneDay, ResetChoice::SevenDays].into_iter().cycle();
    for choice in choices.take(19) {
        bob.propose(&bob.choosing(choice)).accepted();
    }
    let refused = bob.propose(&bob.choosing(ResetChoice::Never));
    assert_eq!(refused.refusal(), (429, "rate.limited".into()));
    Person::sign_up(&service.api, None).add_and_confirm();
}

/// ENT-3: a proposal that was accepted and is sent again after a lost answer gets the same answer; an older one does not.
#[test]
fn an_entry_that_is_sent_twice_is_in_the_record_once() {
    let world = World::new();
    let service = world.service("service");
    let bob = Person::sign_up(&service.api, None);
    let change = bob.choosing(ResetChoice::Never);
    let first = bob.propose(&change).accepted();
    assert_eq!(bob.propose(&change).accepted(), first);
    assert_eq!(bob.set().sequence(), 1);
    bob.propose(&bob.choosing(ResetChoice::OneDay)).accepted();
    assert_eq!(bob.propose(&change).refusal(), (409, "chain.conflict".into()));
}
