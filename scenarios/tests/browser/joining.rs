//! Stories 1 to 9: somebody begins, writes with somebody else, and has more and fewer devices.

use scenarios::device::PASSWORD;
use scenarios::world::World;

use crate::driver::Driver;
use crate::person::Person;
use crate::steps::{adds, digits, logs_in, opens_an_account, says_to, were_left_in_peace};

/// Stories 1 to 7 and 9.
#[test]
fn two_people_write_and_one_of_them_adds_and_removes_a_device() {
    let Some(driver) = Driver::start() else { return };
    let world = World::new();
    let service = world.service("service");
    let url = service.api.url.clone();
    let alice = Person::signed_up(&driver, &world, "alice", &url, "notebook");
    let bob = Person::new(&driver, &world, "bob", &url);
    bob.browser.picture("welcome");
    opens_an_account(&bob, "alice", "laptop");
    bob.sees("form [role=alert]", "Somebody else has this handle.");
    opens_an_account(&bob, "bob", "laptop");
    bob.sees("main", "Choose a conversation.");

    // story 2: alice has his link, so she is no stranger
    bob.goes("People");
    let link = bob.browser.run("return document.querySelector('#own-link').value", serde_json::json!([]));
    adds(&alice, link.as_str().unwrap());
    alice.sees("main h1", "bob");
    alice.sends("hello, Bob");
    alice.sees("#messages .own .state", "sent");
    bob.opens_talk("alice");
    bob.sees("#messages .theirs", "hello, Bob");
    says_to(&bob, "hello, Alice", &[&alice]);
    bob.browser.picture("conversation");

    let desktop = another_device_comes_in(&driver, &world, &url, &alice, &bob);
    let mallory = somebody_knows_the_password(&driver, &world, &url, &bob, &desktop);
    a_device_goes(&alice, &bob, &desktop);
    were_left_in_peace(&[&alice, &bob, &desktop, &mallory]);
}

/// Stories 3 to 6: another machine, six digits, and what was written before.
fn another_device_comes_in(driver: &Driver, world: &World, url: &str, alice: &Person, bob: &Person) -> Person {
    let desktop = Person::new(driver, world, "desktop", url);
    logs_in(&desktop, "wrong horse battery", "tower");
    desktop.sees("form [role=alert]", "password");
    desktop.writes("Password", PASSWORD);
    desktop.presses("Log in");
    bob.sees(".popup", "A new device wants to read all your messages");
    // it says so itself, and that is all that is said
    bob.sees(".popup", "A device calling itself \"tower\" asked at ");
    bob.sees(".popup", " to join your account; if it is in front of you, type the 6 digits it shows.");
    bob.sees(".popup", "It says that it runs Linux.");
    bob.sees(".popup", "Nobody from support, and no invitation, ever needs it.");
    bob.browser.picture("popup");
    let code = digits(&desktop);
    desktop.browser.picture("waiting");
    desktop.sees("main", "type them to let this device in");
    // where to go, and nothing of what it is called there
    desktop.sees(".others", "last seen within the last two hours");
    assert!(!desktop.sees("main", "").contains("laptop"), "names are for devices of the account");
    let wrong = if code == "000000" { "111111" } else { "000000" };
    bob.writes_in(".popup", "The 6 digits", wrong);
    bob.presses_in(".popup", "Confirm and send my old messages");
    bob.sees(".popup [role=alert]", "2 tries left");
    let fresh = scenarios::program::eventually("each try has digits of its own", || {
        Some(digits(&desktop)).filter(|it| *it != code)
    });
    bob.writes_in(".popup", "The 6 digits", &fresh);
    bob.presses_in(".popup", "Confirm and send my old messages");
    bob.sees("#said", "\"tower\" is now one of your devices");
    bob.sees_no("body", "A new device wants to read all your messages");

    // story 5 and 6: nothing that alice has to do; and what was written before
    desktop.opens_talk("alice");
    desktop.sees("#messages .theirs", "hello, Bob");
    desktop.sees("#messages .own", "hello, Alice");
    says_to(alice, "to both of you", &[bob, &desktop]);
    says_to(&desktop, "from the tower", &[alice]);
    bob.sees("#messages .own", "from the tower");
    alice.goes("People");
    alice.presses_some("#contacts", "bob");
    alice.sees("main", "was confirmed by one of bob's older ones");

    desktop
}

/// Story 8.
fn somebody_knows_the_password(driver: &Driver, world: &World, url: &str, bob: &Person, desktop: &Person) -> Person {
    let mallory = Person::new(driver, world, "mallory", url);
    logs_in(&mallory, PASSWORD, "Bob's phone");
    desktop.sees(".popup", "A device calling itself \"Bob's phone\" asked at ");
    bob.presses_in(".popup", "Not me");
    bob.sees("#said", "never saw your messages");
    mallory.sees(".notice", "This device was not let in.");
    desktop.sees_no("body", "A new device wants");

    mallory
}

/// Stories 7 and 9.
fn a_device_goes(alice: &Person, bob: &Person, desktop: &Person) {
    bob.goes("Devices");
    bob.sees("#devices li:nth-child(2)", "Linux. Added ");
    bob.sees("#devices li:nth-child(2)", ", confirmed by \"laptop\"; connected now");
    bob.presses_some("#devices li:nth-child(2)", "Change");
    bob.writes_in("#devices li:nth-child(2)", "Its name", "cellar");
    bob.presses_in("#devices li:nth-child(2)", "Rename");
    bob.sees("#devices h2", "cellar");
    // what was open stays so
    bob.browser.picture("devices");
    bob.presses_in("#devices li:nth-child(2)", "Remove");
    bob.presses_some("#devices li:nth-child(2) details details", "Remove cellar");
    bob.sees("#said", "nothing sent from now on can be read on it");
    bob.sees("#devices", "removed device");
    desktop.sees(".notice", "This device is no longer one of your account's; its keys are gone.");
    alice.opens_talk("bob");
    alice.sends("to the one that is left");
    bob.opens_talk("alice");
    bob.sees("#messages .theirs", "to the one that is left");
}
