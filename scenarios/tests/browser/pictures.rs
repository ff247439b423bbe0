//! Pictures in messages: something is in their place before they are there, and nothing moves when they come (BLB-10); and those of conversations
//! (MSG-13); and what pictures tell that are sent here (BLB-11).

use std::path::Path;

use image::{ExtendedColorType, ImageEncoder as _, Rgb, RgbImage};
use scenarios::device::Device;
use scenarios::program::eventually;
use scenarios::world::World;
use serde_json::{Value, json};

use crate::driver::Driver;
use crate::looks::Faults;
use crate::person::{Person, file, link_of};

/// Of the picture of this number: which element shows it, its width and height, and the height of its message.
const PLACE: &str = r#"
    const place = document.querySelectorAll(".picture")[arguments[0]];
    const shown = place?.querySelector("img, canvas");
    if (!shown) return null;
    const box = shown.getBoundingClientRect();
    return [shown.tagName, Math.round(box.width), Math.round(box.height), place.closest("li").offsetHeight];
"#;

/// The colours in two corners of a preview.
const CORNERS: &str = r#"
    const canvas = document.querySelectorAll(".picture canvas")[arguments[0]];
    const points = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
    return [[...points.slice(0, 4)], [...points.slice(-4)]];
"#;

/// Red on the left, blue on the right.
fn two_colours(width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, _| if x < width / 2 { Rgb([220, 20, 20]) } else { Rgb([20, 20, 220]) })
}

/// A JPEG as a telephone makes it that is held upright: the points lie, and Exif says how to turn them.
fn upright() -> Vec<u8> {
    let (picture, mut bytes) = (two_colours(900, 600), Vec::new());
    let mut encoder = image::codecs::jpeg::JpegEncoder::new_with_quality(&mut bytes, 80);
    let exif = b"MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0\0";
    encoder.set_exif_metadata(exif.to_vec()).unwrap();
    encoder.write_image(&picture, 900, 600, ExtendedColorType::Rgb8).unwrap();
    bytes
}

fn png(width: u32, height: u32) -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    two_colours(width, height).write_to(&mut bytes, image::ImageFormat::Png).unwrap();
    bytes.into_inner()
}

fn place(person: &Person, number: usize, tag: &str) -> Value {
    eventually(&format!("picture {number} is a {tag}"), || {
        let place = person.browser.run(PLACE, json!([number]));
        (place[0] == tag).then_some(place)
    })
}

fn is_red(colour: &Value) -> bool {
    colour[0].as_u64() > colour[2].as_u64()
}

#[test]
fn the_place_of_a_picture_is_kept_and_shows_what_it_is_like() {
    let Some(driver) = Driver::start() else { return };
    let world = World::new();
    let service = world.service("service");
    let [carol, bob] = ["carol", "bob"].map(|handle| Device::signed_up(&world, handle, &service.api.url));
    let sent = [("wide.png", png(1_600, 500)), ("small.png", png(60, 40)), ("upright.jpg", upright())];
    for (name, bytes) in &sent {
        carol.says(&["send", "bob", "--file", &file(&world, name, bytes).display().to_string()]);
    }
    let person = Person::at(&driver, &world, "bob", bob);
    person.opens_talk("carol");
    person.sees("#messages", "upright.jpg");
    person.browser.looks(1_200, "light");
    // a stranger's picture is not fetched, and has its place
    let before: Vec<_> = (0..3).map(|number| place(&person, number, "CANVAS")).collect();
    for (number, turned) in [(0, false), (1, false), (2, true)] {
        let corners = person.browser.run(CORNERS, json!([number]));
        let (first, last) = (is_red(&corners[0]), is_red(&corners[1]));
        assert!(first && !last, "{number}: {corners}");
        let is_high = before[number][2].as_u64() > before[number][1].as_u64();
        assert_eq!(is_high, turned, "{number}: {}", before[number]);
    }
    for width in [1_200, 360] {
        person.browser.looks(width, "dark");
        person.browser.picture(&format!("preview-{width}-dark"));
        person.browser.looks(width, "light");
        person.browser.picture(&format!("preview-{width}-light"));
    }
    // asked for in a narrow window: nothing moves
    let narrow: Vec<_> = (0..3).map(|number| place(&person, number, "CANVAS")).collect();
    for (number, narrow) in narrow.iter().enumerate() {
        person.presses_in("#messages .picture:not(.is-there)", "Show");
        let there = place(&person, number, "IMG");
        assert!(is_where_it_was(&there, narrow), "{number}, narrow: {narrow}, {there}");
    }
    person.browser.picture("pictures-360");
    person.browser.looks(1_200, "light");
    for (number, before) in before.iter().enumerate() {
        let there = place(&person, number, "IMG");
        assert!(is_where_it_was(&there, before), "{number}, wide: {before}, {there}");
    }
    person.browser.picture("pictures-1200");
    // where somebody was let in they come by themselves, into the same places
    person.presses_in(".decision", "Accept");
    person.sees("form.write", "");
    person.goes_to(&person.place());
    for (number, before) in before.iter().enumerate() {
        let there = place(&person, number, "IMG");
        assert!(is_where_it_was(&there, before), "{number}, by itself: {before}, {there}");
    }
    person.was_left_in_peace();
}

/// BLB-11: it is cleaned; where that cannot be, nothing is sent that nobody has asked for, and a film is said to tell things.
#[test]
fn a_picture_that_is_chosen_tells_only_what_it_shows() {
    let Some(driver) = Driver::start() else { return };
    let world = World::new();
    let service = world.service("service");
    let [alice, bob] = ["alice", "bob"].map(|handle| Device::signed_up(&world, handle, &service.api.url));
    alice.says(&["send", "bob", "hello"]);
    bob.reads("hello");
    let alice = Person::at(&driver, &world, "alice", alice);
    alice.opens_talk("bob");
    let mark = b"marker-of-the-place";
    let full = [&upright()[..], mark].concat();
    let got = |name: &str| {
        let is_it = |it: &Value| it["file"]["name"] == name;
        let message = eventually(&format!("{name} is there"), || bob.messages().into_iter().find(is_it));
        let path = world.path(&format!("saved-{name}"));
        bob.says(&["file", "save", message["message"].as_str().unwrap(), path.to_str().unwrap()]);
        std::fs::read(path).unwrap()
    };
    alice.chooses_file(&file(&world, "us.jpg", &full));
    alice.presses_in("form.write", "Send");
    alice.sees("#messages .own", "us.jpg");
    let bare = got("us.jpg");
    assert!(bare.len() > full.len() - 100 && !bare.windows(mark.len()).any(|part| part == mark));

    let damaged = &full[..900];
    alice.chooses_file(&file(&world, "damaged.jpg", damaged));
    alice.presses_in("form.write", "Send");
    alice.sees("form.write [role=alert]", "It was not sent.");
    let mut faults = Faults::default();
    faults.of(&alice, "not-cleaned");
    faults.are_none();
    alice.sees_no("#messages .own", "damaged.jpg");
    alice.presses("Send it with all that it tells");
    alice.sees("#messages .own", "damaged.jpg");
    alice.sees_no("form.write [role=alert]", "sent");
    assert!(got("damaged.jpg") == damaged);

    alice.chooses_file(&file(&world, "film.mp4", b"\0\0\0\x14ftypisom"));
    alice.presses_in("form.write", "Send");
    alice.sees("#said", "This file can tell where it was made.");
    alice.was_left_in_peace();
}

/// MSG-13: on the page of whoever may, and there for all at once, in the list, above the conversation and on its page.
#[test]
fn a_conversation_has_a_picture_that_one_chooses_on_its_page() {
    let Some(driver) = Driver::start() else { return };
    let world = World::new();
    let service = world.service("service");
    let [alice, bob] = ["alice", "bob"].map(|handle| Device::signed_up(&world, handle, &service.api.url));
    for (device, other) in [(&alice, &bob), (&bob, &alice)] {
        device.says(&["contact", "add", &link_of(other)]);
    }
    alice.says(&["chat", "new", "Garden", "bob"]);
    alice.says(&["send", "Garden", "hello"]);
    bob.reads("hello");
    let [alice, bob] = [("alice", alice), ("bob", bob)].map(|(name, it)| Person::at(&driver, &world, name, it));
    for person in [&alice, &bob] {
        person.opens_talk("Garden");
    }
    let shown = |person: &Person, where_: &str, count: usize| {
        let is_so = || (person.counts(&format!("{where_} .avatar img")) == count).then_some(());
        eventually(&format!("{count} pictures in {where_}"), is_so);
    };
    alice.presses_in(".head", "Details");
    alice.sees("form h2", "Picture");
    chooses(&alice, &file(&world, "not.png", b"<svg onload=alert(1)>"));
    alice.sees("form [role=alert]", "not a picture");
    chooses(&alice, &file(&world, "us.jpg", &upright()));
    alice.sees("#said", "everybody in it sees the new picture");
    for (person, places) in [(&alice, &[".side", ".head", "form"][..]), (&bob, &[".side", ".head"])] {
        places.iter().for_each(|place| shown(person, place, 1));
    }
    bob.sees("#messages .line", "alice changed the picture");
    // the whole page anew, and a message that makes the list anew
    bob.goes_to(&bob.place());
    alice.device.says(&["send", "Garden", "look at us"]);
    bob.sees("#messages .theirs", "look at us");
    shown(&bob, ".side", 1);
    // also where no conversation was open yet
    bob.goes_to("/");
    shown(&bob, ".side", 1);
    bob.opens_talk("Garden");
    let mut faults = Faults::default();
    faults.of(&alice, "details-picture");
    faults.of(&bob, "conversation-picture");
    bob.presses_in(".head", "Details");
    bob.sees("#members", "alice");
    assert_eq!(bob.counts("form .choosing"), 0, "he has not opened it");
    alice.presses("Remove it");
    alice.sees("#said", "no picture any more");
    for person in [&alice, &bob] {
        shown(person, "body", 0);
        person.was_left_in_peace();
    }
    faults.are_none();
}

fn chooses(person: &Person, path: &Path) {
    let find = "return document.querySelector('input[data-place]')";
    // the part of the page in which it stands may be made anew at that moment
    eventually("a picture is chosen", || {
        let input = person.browser.element(find, json!([]))?;
        person.browser.type_into(&input, &path.display().to_string()).ok()
    });
}

/// Width and height of a picture, and the height of its message, are what they were; a point is lost where the place was counted
/// in whole ones.
fn is_where_it_was(now: &Value, before: &Value) -> bool {
    (1..=3).all(|at| now[at].as_u64().unwrap().abs_diff(before[at].as_u64().unwrap()) <= 1)
}
