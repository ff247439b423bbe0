//! Stories 2, 17 to 19, and what one does with messages: strangers, codes, groups, changes, files, search.

use scenarios::device::Device;
use scenarios::world::World;
use serde_json::json;

use crate::driver::Driver;
use crate::person::{Person, file};
use crate::steps::{know_each_other, two, were_left_in_peace};

/// Opens the menu of the message that says this.
fn opens_menu(person: &Person, text: &str) {
    let find = r##"
        const item = [...document.querySelectorAll("#messages > li")].find((it) => it.innerText.includes(arguments[0]));
        return item?.querySelector(".more") ?? null;
    "##;
    person.presses_found(&format!("the menu of {text:?}"), find, &json!([text]));
    person.sees("#menu", "Answer");
}

/// Stories 2 and 19.
#[test]
fn a_stranger_asks_first_and_two_who_know_each_other_compare_codes() {
    let Some(driver) = Driver::start() else { return };
    let world = World::new();
    let (service, alice, bob) = two(&driver, &world);
    let [carol, mallory] = ["carol", "mallory"].map(|handle| Device::signed_up(&world, handle, &service.api.url));
    mallory.says(&["send", "bob", "buy this"]);
    bob.sees("#side h2", "Requests");
    bob.sees("#side .entry .about", "Wants to write to you");
    bob.opens_talk("mallory");
    bob.sees(".decision", "mallory wants to write to you");
    assert_eq!(bob.counts("form.write"), 0, "nothing is written before that is decided");
    bob.browser.picture("request");
    bob.presses_in(".decision", "Block");
    bob.sees_no("#side", "mallory");
    carol.says(&["send", "bob", "it is me"]);
    bob.opens_talk("carol");
    bob.presses_in(".decision", "Accept");
    bob.sends("oh, hello");
    carol.reads("oh, hello");

    let code = |person: &Person, other: &str| {
        person.goes("People");
        person.presses_some("#contacts", other);
        let digits: String = person.sees(".sixty", "").split_whitespace().collect();
        assert_eq!(digits.len(), 60);
        digits
    };
    let of_alice = code(&alice, "bob");
    assert_eq!(of_alice, code(&bob, "alice"), "both see the same");
    bob.browser.picture("contact");
    let pasted = |code: &str| {
        bob.presses("Compare with a scanned code");
        bob.writes("What the scanner has read", code);
        bob.presses("Compare codes");
    };
    pasted(&"1".repeat(60));
    bob.sees("details [role=alert]", "Codes differ");
    bob.goes("People");
    bob.sees_no("#contacts", "verified");
    bob.presses_some("#contacts", "alice");
    pasted(&of_alice);
    bob.sees("#said", "Codes match: alice is marked as verified on all your devices.");
    bob.goes("People");
    bob.sees("#contacts", "verified");
    were_left_in_peace(&[&alice, &bob]);
}

/// A text is answered, changed, taken back, and people think something of it; what lasts an hour says so.
#[test]
fn a_message_can_be_answered_changed_and_taken_back() {
    let Some(driver) = Driver::start() else { return };
    let world = World::new();
    let (_service, alice, bob) = two(&driver, &world);
    alice.device.says(&["send", "bob", "see you at siven"]);
    alice.opens_talk("bob");
    bob.opens_talk("alice");
    bob.sees("#messages .theirs", "see you at siven");

    opens_menu(&bob, "siven");
    bob.browser.picture("menu");
    bob.presses_in("#menu", "React 👍");
    alice.sees("#messages .reactions", "👍");
    opens_menu(&bob, "siven");
    bob.presses_in("#menu", "Answer");
    bob.sees(".about-what", "see you at siven");
    bob.writes("Message to alice", "siven?\u{e007}");
    alice.sees("#messages .theirs .quote", "see you at siven");

    opens_menu(&alice, "see you");
    alice.presses_in("#menu", "Edit");
    alice.sees(".about-what", "You change what you wrote");
    alice.writes("Message to bob", "see you at seven\u{e007}");
    bob.sees("#messages .theirs", "see you at seven");
    bob.sees("#messages .theirs .edited", "edited");
    bob.sees("#side .entry .about", "You: siven?");
    alice.sees("#side .entry .about", "siven?");
    opens_menu(&bob, "siven?");
    bob.presses_in("#menu", "Take back");
    bob.presses_in("#menu details form", "Take back");
    alice.sees("#messages .theirs", "Taken back");
    alice.sees_no("#messages", "siven?");
    alice.sees("#side .entry .about", "Taken back");

    // a second press takes the reaction back
    bob.presses_on("#messages .reaction");
    alice.sees_no("#messages", "👍");

    bob.presses_in(".head", "Details");
    bob.presses_in("#keeping", "1 hour");
    bob.sees("#said", "1 hour");
    bob.sees("#keeping [aria-pressed=true]", "1 hour");
    alice.sees("#messages .line", "bob decided: from here on messages are gone 1 hour after they were read");
    alice.sends("soon gone");
    bob.presses_on("a.back");
    bob.sees("#messages .theirs", "soon gone");
    assert_eq!(bob.counts("#messages .theirs .lasts"), 1);
    were_left_in_peace(&[&alice, &bob]);
}

/// Stories 17 and 18, and a search that leads to what it found.
#[test]
fn several_people_talk_exchange_a_file_and_find_what_was_said() {
    let Some(driver) = Driver::start() else { return };
    let world = World::new();
    let (service, alice, bob) = two(&driver, &world);
    let carol = Device::signed_up(&world, "carol", &service.api.url);
    know_each_other(&carol, &bob.device);
    know_each_other(&carol, &alice.device);
    bob.presses_in("nav.side header", "New conversation");
    bob.writes("What it is called", "Garden");
    bob.sees("fieldset", "alice");
    bob.presses_some("fieldset", "alice");
    bob.presses_some("fieldset", "carol");
    bob.browser.picture("new");
    bob.presses("Begin");
    bob.sees("main h1", "Garden");
    bob.sends("who waters it?");
    alice.opens_talk("Garden");
    alice.sees("#messages .from", "bob");
    alice.sees("#messages .theirs", "who waters it?");
    alice.sends("I do");
    carol.reads("I do");
    bob.sees("#messages .theirs", "I do");

    bob.presses_in(".head", "Details");
    bob.sees("#members", "carol");
    bob.browser.picture("details");
    bob.writes("What it is called", "Orchard");
    bob.presses_in("form.card", "Rename");
    alice.sees("main h1", "Orchard");
    bob.sees("main h1", "Orchard");
    alice.sees("#messages .line", "bob named this \"Orchard\"");
    bob.presses_in("#members li:has([href='/contacts/carol'])", "Take out");
    bob.presses_some("#members li details form", "Take out carol");
    bob.sees("#said", "carol is taken out");
    alice.sees("#messages .line", "bob took out carol");
    alice.sees("main .head", "2 people");
    bob.sees_no("#members", "carol");

    they_exchange_a_file(&world, &alice, &bob);
    what_was_said_is_found(&bob);
    were_left_in_peace(&[&alice, &bob]);
}

/// A file of several pieces, with a name that has to be tamed; it can be answered.
fn they_exchange_a_file(world: &World, alice: &Person, bob: &Person) {
    let bytes: Vec<u8> = (0..3_000_000_u32).map(|at| (at % 241) as u8).collect();
    let path = file(world, "plan & <b>map.bin", &bytes);
    alice.chooses_file(&path);
    alice.presses_in("form.write", "Send");
    alice.sees("#messages .own .file", "plan & _b_map.bin");
    bob.presses_on("a.back");
    let shown = bob.sees("#messages .theirs .file", "plan");
    bob.presses_in("#messages .theirs .file", "Save");
    let name = shown.lines().next().unwrap();
    assert!(bob.browser.downloaded(name) == bytes, "it came as it was");
    bob.browser.picture("file");
    opens_menu(bob, "plan");
    bob.presses_in("#menu", "Answer");
    bob.sees(".about-what", "plan & _b_map.bin");
    bob.writes("Message to Orchard", "thank you\u{e007}");
    alice.sees("#messages .theirs .quote", "plan");
}

/// By its words and by the name of a file.
fn what_was_said_is_found(bob: &Person) {
    bob.presses_in("nav.side header", "Search");
    bob.writes("Words", "WATERS");
    bob.presses_in("form.search", "Search");
    bob.sees("#found mark", "waters");
    bob.browser.picture("search");
    bob.writes("Words", "map.bin");
    bob.presses_in("form.search", "Search");
    bob.sees("#found .said", "plan & _b_map.bin");
    bob.writes("Words", "WATERS");
    bob.presses_in("form.search", "Search");
    bob.sees("#found mark", "waters");
    bob.presses_on("#found a.result");
    bob.sees("#messages .shown", "who waters it?");
    bob.browser.back();
    // the words stand in no address, and are still there
    bob.sees("#found mark", "waters");
    assert_eq!(bob.place(), "/search");
}

/// What the desktop is told is chosen on the page, for this device alone.
#[test]
fn what_the_desktop_shows_is_chosen_on_the_page() {
    let Some(driver) = Driver::start() else { return };
    let world = World::new();
    let (_service, alice, _bob) = two(&driver, &world);
    alice.goes_to("/settings");
    let form = "form[data-do='/do/notifications']";
    alice.sees(form, "Nothing on this machine shows notifications");
    alice.browser.picture("notifications");
    alice.presses_in(form, "Who, and what");
    alice.presses_in(form, "Set");
    alice.sees("#said", "who writes to you and what");
    assert_eq!(alice.device.says(&["device", "notifications"])[0]["notifications"], "text");
    alice.was_left_in_peace();
}

/// MEN-2 to MEN-4: the names of those who are there are offered behind an `@`, to the keyboard as well; whoever is mentioned sees
/// it before he has looked, and a mention leads to the person.
#[test]
fn people_are_mentioned_by_the_names_that_are_offered() {
    let Some(driver) = Driver::start() else { return };
    let world = World::new();
    let (_service, alice, bob) = two(&driver, &world);
    alice.device.says(&["chat", "new", "Garden", "bob"]);
    bob.sees("#side", "Garden");
    bob.device.says(&["chat", "mute", "Garden"]);
    alice.opens_talk("Garden");
    alice.writes("Message to Garden", "tea, @");
    alice.sees("#names [aria-selected=true]", "bob");
    alice.browser.picture("names");
    alice.writes("Message to Garden", "tea, @b\u{e007}\u{e003}? @nobody\u{e007}");
    alice.sees("#messages .own", "tea, @bob? @nobody");
    assert_eq!(alice.texts("#messages .own .mention"), ["@bob"]);
    bob.sees("#side .count.at", "@");
    bob.browser.picture("mentioned");
    bob.opens_talk("Garden");
    bob.sees("#messages .theirs mark.mention", "@bob");
    bob.browser.picture("mention");
    bob.goes_to("/");
    bob.sees_no("#side .count.at", "@");
    alice.presses_on("#messages .own a.mention");
    alice.sees("main h1", "bob");
    for person in [&alice, &bob] {
        person.was_left_in_peace();
    }
}
