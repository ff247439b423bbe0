//! What a device keeps of files (BLB-7, BLB-8) with the real program: the service is away, the disk damages something, agents
//! are killed, messages are taken back; and what pictures tell (BLB-11).

use std::fs;
use std::path::{Path, PathBuf};

use scenarios::program::eventually;
use scenarios::world::World;

use scenarios::device::Device;

use crate::png;

/// What stands in the file and must not be readable in what is kept of it.
const MARK: &[u8] = b"marker-of-the-island";

fn picture() -> Vec<u8> {
    png(&MARK.repeat(20_000), b"")
}

fn shelf(device: &Device) -> PathBuf {
    device.home.join("data/default/files")
}

/// What is kept, by the message.
fn kept(device: &Device) -> Vec<(String, Vec<u8>)> {
    let entries = fs::read_dir(shelf(device)).into_iter().flatten().flatten();
    entries.map(|it| (it.file_name().into_string().unwrap(), fs::read(it.path()).unwrap())).collect()
}

fn the_file(device: &Device) -> String {
    let found =
        eventually("a file is there to read", || device.messages().into_iter().find(|it| it["file"].is_object()));
    found["message"].as_str().unwrap().to_owned()
}

fn saved(device: &Device, id: &str, path: &Path) -> Vec<u8> {
    device.says(&["file", "save", id, path.to_str().unwrap()]);
    fs::read(path).unwrap()
}

#[test]
fn what_was_sent_or_fetched_once_is_there_without_the_service() {
    let world = World::new();
    let service = world.service("service");
    let [alice, bob] = ["alice", "bob"].map(|name| Device::signed_up(&world, name, &service.api.url));
    let path = world.path("island.png");
    fs::write(&path, picture()).unwrap();
    alice.says(&["send", "bob", "--file", path.to_str().unwrap()]);
    fs::remove_file(&path).unwrap();
    let id = the_file(&bob);
    assert_eq!(kept(&bob), [], "nothing comes by itself");
    assert!(saved(&bob, &id, &world.path("first")) == picture());
    for device in [&alice, &bob] {
        let [(name, bytes)] = &kept(device)[..] else { panic!("one file is kept: {:?}", shelf(device)) };
        assert_eq!(*name, id);
        let is_readable = bytes.windows(MARK.len()).any(|part| part == MARK);
        assert!(bytes.len() >= picture().len() && !is_readable, "it is kept as it came");
    }
    assert_eq!(kept(&alice)[0].1, kept(&bob)[0].1);
    service.process.kill();
    for (device, name) in [(&alice, "second"), (&bob, "third")] {
        device.kill_everything();
        assert!(saved(device, &id, &world.path(name)) == picture());
        let again = device.run(&["file", "save", &id, world.path(name).to_str().unwrap()]);
        assert_eq!(again.verdict(), (Some(2), "file.exists".to_owned()));
    }
}

#[test]
fn what_is_damaged_here_is_fetched_anew() {
    let world = World::new();
    let service = world.service("service");
    let [alice, bob] = ["alice", "bob"].map(|name| Device::signed_up(&world, name, &service.api.url));
    let path = world.path("island.png");
    fs::write(&path, picture()).unwrap();
    alice.says(&["send", "bob", "--file", path.to_str().unwrap()]);
    let id = the_file(&bob);
    saved(&bob, &id, &world.path("first"));
    let right = kept(&bob);
    let mut wrong = right[0].1.clone();
    wrong[100_000] ^= 1;
    let place = shelf(&bob).join(&id);
    for wrong in [&wrong[..], &wrong[..70_000], b""] {
        fs::write(&place, wrong).unwrap();
        fs::remove_file(world.path("first")).unwrap();
        assert!(saved(&bob, &id, &world.path("first")) == picture());
        assert!(kept(&bob) == right, "and it is right from then on");
    }
    // the same of what was still coming when somebody was killed
    fs::remove_file(&place).unwrap();
    fs::write(place.with_extension("part"), &wrong).unwrap();
    assert!(saved(&bob, &id, &world.path("second")) == picture());
    assert!(kept(&bob) == right);
}

/// BLB-8: on whoever's disk, and also if the agent was killed before it had deleted anything.
#[test]
fn after_a_take_back_nothing_of_it_is_on_the_disk() {
    let world = World::new();
    let service = world.service("service");
    let [alice, bob] = ["alice", "bob"].map(|name| Device::signed_up(&world, name, &service.api.url));
    let path = world.path("island.png");
    fs::write(&path, picture()).unwrap();
    alice.says(&["send", "bob", "--file", path.to_str().unwrap()]);
    let id = the_file(&bob);
    saved(&bob, &id, &world.path("first"));
    let before = kept(&bob);
    alice.says(&["message", "delete", &id]);
    eventually("nothing is kept", || (kept(&bob).is_empty() && kept(&alice).is_empty()).then_some(()));
    bob.kill_everything();
    for name in [id.clone(), format!("{id}.part"), "sent-7".to_owned(), "something".to_owned()] {
        fs::write(shelf(&bob).join(name), &before[0].1).unwrap();
    }
    bob.says(&["status"]);
    assert_eq!(kept(&bob), [], "the next start looks after it");
    assert_eq!(bob.run(&["file", "save", &id]).verdict(), (Some(5), "file.unknown".to_owned()));
}

/// A JPEG of one point, with what a telephone writes.
fn photo() -> Vec<u8> {
    let segment = |code: u8, content: &[u8]| {
        let length = u16::try_from(content.len() + 2).unwrap();
        [&[0xff, code], &length.to_be_bytes()[..], content].concat()
    };
    let told = [&b"Exif\0\0MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"[..], MARK].concat();
    let frame = segment(0xc0, &[8, 0, 1, 0, 1, 1, 1, 0x11, 0]);
    let scan = [&segment(0xda, &[1, 1, 0, 0, 63, 0])[..], b"\x12\xff\x00\x34"].concat();
    [b"\xff\xd8", &segment(0xe1, &told)[..], &segment(0xfe, MARK), &frame, &scan, b"\xff\xd9", MARK].concat()
}

/// BLB-11: whoever gets a picture learns what it shows; the file stays as it is, and whoever wants to sends all of it.
#[test]
fn a_picture_that_is_sent_tells_only_what_it_shows() {
    let world = World::new();
    let service = world.service("service");
    let [alice, bob] = ["alice", "bob"].map(|name| Device::signed_up(&world, name, &service.api.url));
    let is_told = |bytes: &[u8]| bytes.windows(MARK.len()).any(|part| part == MARK);
    let put = |name: &str, bytes: &[u8]| {
        let path = world.path(name);
        fs::write(&path, bytes).unwrap();
        path
    };
    let got = |sent: &serde_json::Value| {
        let id = sent["message"].as_str().unwrap();
        eventually("it is there to read", || bob.messages().into_iter().find(|it| it["message"] == id));
        saved(&bob, id, &world.path(id))
    };
    let say = |line: &[&str]| alice.says(&[&["send", "bob", "--file"], line].concat()).pop().unwrap();
    let path = put("photo.jpg", &photo());
    let sent = say(&[path.to_str().unwrap()]);
    let bare = got(&sent);
    assert!(is_told(&photo()) && !is_told(&bare), "{bare:?}");
    assert!(bare.starts_with(b"\xff\xd8") && bare.ends_with(b"\x12\xff\x00\x34\xff\xd9"), "{bare:?}");
    assert!(bare.windows(10).any(|part| part == b"\x01\x12\0\x03\0\0\0\x01\0\x06"), "it stands upright: {bare:?}");
    assert!(fs::read(&path).unwrap() == photo(), "the file is nobody else's");
    // whatever it is called
    let other = put("photo.bin", &photo());
    assert!(got(&say(&[other.to_str().unwrap()])) == bare);
    assert!(got(&say(&[path.to_str().unwrap(), "--as-is"])) == photo());

    let whole = photo();
    let broken_off = &whole[..whole.len() - MARK.len() - 1];
    let damaged = put("damaged.jpg", broken_off);
    let line = ["send", "bob", "--file", damaged.to_str().unwrap()];
    assert_eq!(alice.run(&line).verdict(), (Some(2), "file.not_cleaned".to_owned()));
    assert!(got(&say(&[damaged.to_str().unwrap(), "--as-is"])) == broken_off);

    // nothing is taken out of a film, and that is said
    let film = put("film.bin", &[b"\0\0\0\x14ftypisom\0\0\0\0isom", MARK].concat());
    let told = say(&[film.to_str().unwrap()]);
    assert_eq!((&told["tells_place"], &sent["tells_place"]), (&true.into(), &serde_json::Value::Null));
    assert!(is_told(&got(&told)));
    let shown = alice.shows(&["send", "bob", "--file", film.to_str().unwrap()]);
    assert!(shown.lines.iter().any(|line| line == "This file can tell where it was made."), "{shown:?}");
}
