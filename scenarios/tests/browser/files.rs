//! Story 18: files that are chosen, dropped and pasted; how far they are, and what happens when the line or the page goes.

use std::process::Command;

use scenarios::device::Device;
use scenarios::program::{eventually, trefoil};
use scenarios::world::{World, files, free_port};
use serde_json::json;

use crate::driver::Driver;
use crate::looks::Faults;
use crate::person::{Person, file};
use crate::steps::{know_each_other, two, were_left_in_peace};

/// Lets a file go over the page, or pastes one where one writes.
const GIVE: &str = r##"
    const [how, name] = arguments;
    const given = new DataTransfer();
    given.items.add(new File([new Uint8Array(2000)], name, { type: "application/pdf" }));
    const target = document.querySelector(how === "drop" ? "#messages" : "form.write textarea");
    const options = { bubbles: true, cancelable: true };
    const event = how === "drop"
      ? new DragEvent("drop", { ...options, dataTransfer: given })
      : new ClipboardEvent("paste", { ...options, clipboardData: given });
    target.dispatchEvent(event);
    return event.defaultPrevented;
"##;

/// What is chosen is seen before it goes, can be left out, and goes with what is written; nothing goes because it was chosen.
#[test]
fn files_go_with_a_message_and_not_before() {
    let Some(driver) = Driver::start() else { return };
    let world = World::new();
    let (_service, alice, bob) = two(&driver, &world);
    alice.device.says(&["send", "bob", "hello"]);
    alice.opens_talk("bob");
    alice.chooses_file(&file(&world, "wrong one.txt", b"not for him"));
    alice.chooses_file(&file(&world, "plan.txt", b"the plan"));
    for (how, name) in [("drop", "dropped.pdf"), ("paste", "pasted.pdf")] {
        assert_eq!(alice.browser.run(GIVE, json!([how, name])), true);
        alice.sees(".chosen", name);
    }
    let mut faults = Faults::default();
    faults.of(&alice, "chosen");
    faults.are_none();
    alice.presses_in(".chosen li:first-child", "Leave out wrong one.txt");
    alice.sees_no(".chosen", "wrong one");
    // it is still there when she has looked elsewhere
    alice.goes("People");
    alice.presses_some("#side", "bob");
    alice.sees(".chosen", "plan.txt");
    alice.writes_in("form.write", "Message to", "look at this\u{e007}");
    for name in ["plan.txt", "dropped.pdf", "pasted.pdf"] {
        alice.sees("#messages .own .file", name);
    }
    alice.sees("#messages .own:has(.file) .text", "look at this");
    assert_eq!(alice.counts(".chosen"), 0);
    bob.opens_talk("alice");
    bob.sees("#messages .theirs .file", "pasted.pdf");
    bob.sees("#messages .theirs:has(.file) .text", "look at this");
    assert!(!bob.sees("#messages", "").contains("wrong one"));
    were_left_in_peace(&[&alice, &bob]);
}

/// The service is away: what was sent says how far it is, goes on when that is back though the page was closed, and can be stopped; what
/// was stopped or sent leaves nothing behind.
#[test]
fn a_file_goes_on_when_the_line_is_back_and_can_be_stopped() {
    let Some(driver) = Driver::start() else { return };
    let world = World::new();
    let address = format!("127.0.0.1:{}", free_port());
    let serve = || {
        let service = world.serve_at(Command::new(trefoil()), "service", &address, &[]).unwrap();
        service.api.wait_for_size(1);
        service
    };
    let service = serve();
    let url = service.api.url.clone();
    let mut alice = Person::at(&driver, &world, "alice", Device::signed_up(&world, "alice", &url));
    let bob = Device::signed_up(&world, "bob", &url);
    know_each_other(&alice.device, &bob);
    alice.device.says(&["send", "bob", "hello"]);
    bob.reads("hello");
    alice.opens_talk("bob");
    service.process.kill();
    alice.sends("are you there?");
    for name in ["holiday.mp4", "mistake.mp4"] {
        alice.chooses_file(&file(&world, name, &vec![7; 3_000_000]));
        alice.presses_in("form.write", "Send");
        alice.sees("#moving", &format!("Sending {name}"));
    }
    alice.sees("#moving", "holiday.mp4, 3.0 MB: when the connection is back");
    let mut faults = Faults::default();
    faults.of(&alice, "moving");
    faults.are_none();
    alice.presses_on("#moving .row:nth-child(2) button");
    alice.sees_no("#moving", "mistake.mp4");
    let copies = || files(&world.path("alice")).into_iter().filter(|it| it.to_string_lossy().contains("/outbox/"));
    assert_eq!(copies().count(), 1, "of what was stopped there is no copy");

    alice.was_left_in_peace();
    // the page goes, and the agent, as if the power had gone
    alice.browser.load("about:blank");
    alice.device.kill_everything();
    let service = serve();
    alice.opens();
    alice.opens_talk("bob");
    alice.sees("#messages .own .file", "holiday.mp4");
    alice.sees_no("#moving", "holiday.mp4");
    let came = eventually("bob has it", || bob.messages().into_iter().find(|row| !row["file"].is_null()));
    assert_eq!(came["file"]["name"], "holiday.mp4");
    eventually("no copy is left", || (copies().count() == 0).then_some(()));
    assert!(!bob.messages().iter().any(|row| row["file"]["name"] == "mistake.mp4"));

    // what cannot be sent is said where it was to go, until somebody has seen it
    service.process.kill();
    alice.chooses_file(&file(&world, "lost.mp4", b"lost"));
    alice.presses_in("form.write", "Send");
    alice.sees("#moving", "Sending lost.mp4");
    copies().for_each(|path| std::fs::remove_file(path).unwrap());
    let _service = serve();
    let said = alice.sees("#moving .failed", "lost.mp4 was not sent: ");
    assert!(said.contains("can't be read"), "{said}");
    alice.presses_in("#moving .failed", "Seen");
    alice.sees_no("#moving", "lost.mp4");
}
