//! The nine steps, with named people, in one process.

use client::step::Event;
use scenarios::town::Town;

/// Steps 1 to 9: from sign-up to a message that both of Bob's devices read, and the old ones.
#[test]
fn alice_writes_and_both_of_bobs_devices_read() {
    let mut town = Town::new();
    let bob = town.sign_up("bob");
    let alice = town.sign_up("alice");

    // 3, 4: Alice verifies Bob, writes, he reads
    let events = town.send(alice, "bob", "hello bob");
    assert!(events.iter().any(|event| matches!(event, Event::Done { .. })), "{events:?}");
    assert_eq!(town.texts(bob, Some("alice")), ["hello bob"]);
    town.send(bob, "alice", "hello alice");
    assert_eq!(town.texts(alice, Some("bob")), ["hello bob", "hello alice"]);

    // 5, 6, 7: a second device, confirmed by digits
    let desktop = town.add_device("bob", bob, true);
    assert!(town.events(desktop).iter().any(|event| matches!(event, Event::Confirmed { .. })));

    // 8, 9: both read, and the second has the old messages
    town.send(alice, "bob", "hello both");
    let all = ["hello bob", "hello alice", "hello both"];
    assert_eq!(town.texts(bob, Some("alice")), all);
    assert_eq!(town.texts(desktop, Some("alice")), all);
    town.send(desktop, "alice", "from my desktop");
    assert_eq!(town.texts(alice, Some("bob")).last().unwrap(), "from my desktop");
    assert_eq!(town.texts(bob, Some("alice")).last().unwrap(), "from my desktop");
}
