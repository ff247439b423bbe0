//! A file on a bad day: the line is cut in the middle, agents and the service are killed, the disk holds something else by
//! its name. Rules BLB-3, BLB-5, BLB-6, BLB-11 with the real program.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use scenarios::program::{eventually, trefoil};
use scenarios::world::{World, free_port};
use serde_json::Value;

use crate::png;
use crate::wire::{Fate, Wire};
use scenarios::device::Device;

const LENGTH: usize = 24_000_000;

fn film() -> Vec<u8> {
    (0..LENGTH).map(|at| u8::try_from(at % 241).unwrap()).collect()
}

/// Lets so many requests through whose name has this in it, then none, until it is released.
fn cut_after(wire: &Wire, wanted: &'static str, count: usize) -> (Arc<AtomicUsize>, Arc<AtomicBool>) {
    let (passed, released) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
    let (seen, open) = (Arc::clone(&passed), Arc::clone(&released));
    wire.judge(move |request| {
        if !request.contains(wanted) || open.load(Ordering::SeqCst) {
            return Fate::Answered;
        }
        // the last of them arrives, and nobody hears of it
        match seen.fetch_add(1, Ordering::SeqCst) + 1 {
            number if number < count => Fate::Answered,
            number if number == count => Fate::AnswerLost,
            _ => Fate::Lost,
        }
    });
    (passed, released)
}

/// Names of what lies in a folder, hidden or not.
fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn the_file(device: &Device) -> Value {
    eventually("a file is there to read", || device.messages().into_iter().find(|it| it["file"].is_object()))
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn a_file_arrives_however_often_somebody_is_killed_on_its_way() {
    let world = World::new();
    let address = format!("127.0.0.1:{}", free_port());
    let serve = || world.serve_at(Command::new(trefoil()), "service", &address, &[]).unwrap();
    let service = serve();
    service.api.wait_for_size(1);
    let (from_alice, from_bob) = (Wire::to(&address), Wire::to(&address));
    let alice = Device::signed_up(&world, "alice", &from_alice.url);
    let bob = Device::signed_up(&world, "bob", &from_bob.url);
    let path = world.path("film.mp4");
    fs::write(&path, film()).unwrap();

    let (parts, released) = cut_after(&from_alice, "/parts", 3);
    let sending = alice.start(&["send", "bob", "the film", "--file", text(&path)]);
    eventually("some of it is on its way", || (parts.load(Ordering::SeqCst) >= 3).then_some(()));
    alice.kill_everything();
    assert_ne!(sending.wait_for_end().status, Some(0));
    service.process.kill();
    assert!(bob.says(&["read"]).is_empty());
    let service = serve();
    released.store(true, Ordering::SeqCst);
    // any command starts the agent, and the agent goes on
    alice.says(&["status"]);
    let message = the_file(&bob);
    assert_eq!((&message["text"], &message["file"]["name"]), (&"the film".into(), &"film.mp4".into()));
    assert_eq!((&message["file"]["size"], &message["file"]["kind"]), (&LENGTH.into(), &"video/mp4".into()));

    let folder = world.path("downloads");
    fs::create_dir(&folder).unwrap();
    let (pieces, released) = cut_after(&from_bob, "GET /v1/blobs/", 9);
    let id: String = message["message"].as_str().unwrap().chars().take(8).collect();
    let line = ["file", "save", &id, text(&folder)];
    let saving = bob.start(&line);
    eventually("some of it came", || (pieces.load(Ordering::SeqCst) >= 9).then_some(()));
    bob.kill_everything();
    assert_ne!(saving.wait_for_end().status, Some(0));
    let [unfinished] = &names(&folder)[..] else { panic!("one unfinished file") };
    assert!(unfinished.starts_with(".trefoil-") && unfinished.ends_with(".part"), "{unfinished}");
    assert!(fs::metadata(folder.join(unfinished)).unwrap().len() >= 5_000_000);
    service.process.kill();
    let _service = serve();
    released.store(true, Ordering::SeqCst);
    let before = pieces.load(Ordering::SeqCst);
    let saved = bob.says(&line).pop().unwrap();
    assert_eq!((&saved["path"], &saved["size"]), (&text(&folder.join("film.mp4")).into(), &LENGTH.into()));
    assert_eq!(pieces.load(Ordering::SeqCst), before, "only the cut counted");
    assert_eq!(names(&folder), ["film.mp4"]);
    assert!(fs::read(folder.join("film.mp4")).unwrap() == film());
    assert_eq!(fs::metadata(folder.join("film.mp4")).unwrap().permissions().mode() & 0o777, 0o600);
}

/// BLB-11: a picture whose sending was cut off goes on as what is left of it, and one that is to go as it is goes on so.
#[test]
fn a_picture_goes_on_as_it_was_begun() {
    let world = World::new();
    let address = format!("127.0.0.1:{}", free_port());
    let service = world.serve_at(Command::new(trefoil()), "service", &address, &[]).unwrap();
    service.api.wait_for_size(1);
    let wire = Wire::to(&address);
    let [alice, bob] =
        [("alice", &wire.url), ("bob", &service.api.url)].map(|(name, url)| Device::signed_up(&world, name, url));
    let (full, bare) = (png(&film(), b"the place where it was taken"), png(&film(), b""));
    let path = world.path("island.png");
    fs::write(&path, &full).unwrap();
    for (name, wanted, more) in [("bare.png", &bare, None), ("full.png", &full, Some("--as-is"))] {
        let (parts, released) = cut_after(&wire, "/parts", 3);
        let line: Vec<_> = ["send", "bob", name, "--file", text(&path)].into_iter().chain(more).collect();
        let sending = alice.start(&line);
        eventually("some of it is on its way", || (parts.load(Ordering::SeqCst) >= 3).then_some(()));
        alice.kill_everything();
        assert_ne!(sending.wait_for_end().status, Some(0));
        released.store(true, Ordering::SeqCst);
        alice.says(&["status"]);
        let message = eventually("it has come", || bob.messages().into_iter().find(|it| it["text"] == name));
        assert_eq!(message["file"]["size"], wanted.len());
        bob.says(&["file", "save", message["message"].as_str().unwrap(), text(&world.path(name))]);
        assert!(fs::read(world.path(name)).unwrap() == *wanted, "{name}");
    }
}

/// BLB-6 (attack 61): nothing is written over, nothing is followed, and a name from somebody else leads nowhere.
#[test]
fn a_saved_file_takes_nobodys_place() {
    let world = World::new();
    let service = world.service("service");
    let [alice, bob] = ["alice", "bob"].map(|name| Device::signed_up(&world, name, &service.api.url));
    let hostile = world.path("\u{202e}gpj.exe\n");
    fs::write(&hostile, "not a picture").unwrap();
    alice.says(&["send", "bob", "--file", text(&hostile)]);
    let message = the_file(&bob);
    assert_eq!(message["file"]["name"], "gpj.exe");
    let id = message["message"].as_str().unwrap();
    let folder = world.path("downloads");
    fs::create_dir(&folder).unwrap();
    let target = folder.join("gpj.exe");
    fs::write(&target, "precious").unwrap();
    let line = ["file", "save", id, text(&folder)];
    assert_eq!(bob.run(&line).verdict(), (Some(2), "file.exists".to_owned()));
    assert_eq!(fs::read(&target).unwrap(), b"precious");
    fs::remove_file(&target).unwrap();
    // a link is something that is there, wherever it leads
    std::os::unix::fs::symlink(world.path("elsewhere"), &target).unwrap();
    assert_eq!(bob.run(&line).verdict(), (Some(2), "file.exists".to_owned()));
    bob.says(&[&line[..], &["--force"]].concat());
    assert_eq!(fs::read(&target).unwrap(), b"not a picture");
    assert!(!fs::symlink_metadata(&target).unwrap().is_symlink() && !world.path("elsewhere").exists());
    assert_eq!(names(&folder), ["gpj.exe"]);
    let absent: PathBuf = folder.join("absent/file");
    assert_eq!(bob.run(&["file", "save", id, text(&absent)]).verdict(), (Some(2), "file.unwritable".to_owned()));
    assert_eq!(bob.run(&["file", "save", "00000000"]).verdict(), (Some(5), "file.unknown".to_owned()));
    let shown = bob.shows(&["read"]);
    assert!(shown.lines.iter().any(|line| line.contains("[gpj.exe, 13 bytes")), "{shown:?}");
    for (path, code) in [("absent", "file.unreadable"), ("downloads", "file.unreadable")] {
        let path = world.path(path);
        assert_eq!(alice.run(&["send", "bob", "--file", text(&path)]).verdict(), (Some(2), code.to_owned()));
    }
}

/// Whoever does not want it any more presses Ctrl-C: nothing is sent, nothing stays.
#[test]
fn what_is_stopped_leaves_nothing_behind() {
    let world = World::new();
    let address = format!("127.0.0.1:{}", free_port());
    let service = world.serve_at(Command::new(trefoil()), "service", &address, &[]).unwrap();
    service.api.wait_for_size(1);
    let wire = Wire::to(&address);
    let alice = Device::signed_up(&world, "alice", &wire.url);
    let path = world.path("film.mp4");
    fs::write(&path, film()).unwrap();
    let (parts, released) = cut_after(&wire, "/parts", 2);
    let sending = alice.start(&["send", "alice", "--file", text(&path)]);
    eventually("some of it is on its way", || (parts.load(Ordering::SeqCst) >= 2).then_some(()));
    Command::new("kill").args(["-INT", &sending.id().to_string()]).status().unwrap();
    let ended = sending.wait_for_end();
    assert_eq!(ended.verdict(), (Some(5), "file.cancelled".to_owned()), "{ended:?}");
    released.store(true, Ordering::SeqCst);
    assert_eq!(alice.says(&["file", "list"]).pop().unwrap()["outgoing"].as_array().unwrap().len(), 0);
    assert!(alice.says(&["read"]).is_empty());

    alice.says(&["send", "alice", "--file", text(&path)]);
    let id = the_file(&alice)["message"].as_str().unwrap().to_owned();
    let folder = world.path("downloads");
    fs::create_dir(&folder).unwrap();
    let (pieces, _) = cut_after(&wire, "GET /v1/blobs/", 3);
    let saving = alice.start(&["file", "save", &id, text(&folder)]);
    eventually("some of it came", || (pieces.load(Ordering::SeqCst) >= 3).then_some(()));
    Command::new("kill").args(["-INT", &saving.id().to_string()]).status().unwrap();
    let ended = saving.wait_for_end();
    assert_eq!(ended.verdict(), (Some(5), "file.cancelled".to_owned()), "{ended:?}");
    eventually("nothing of it stays", || names(&folder).is_empty().then_some(()));
}
