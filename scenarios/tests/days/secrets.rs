//! What a thief of disks, or a neighbour on the machine, finds of secrets (attacks 62, 64, 65, 72; I18): nothing.

use std::fs;

use scenarios::program::{eventually, trefoil};
use scenarios::world::{World, files, free_port};

use scenarios::device::{Device, PASSWORD};

const TEXT: &str = "marker-text-7f3a, meet me at the old mill";
const TITLE: &str = "marker-title-91c4";
const NAME: &str = "marker-name-5d2e";
const HANDLES: [&str; 2] = ["marker-bob-1b7c", "marker-alice-e08d"];

/// UTF-8, UTF-16, and the forms in which bytes are written as text.
fn forms(marker: &str) -> Vec<Vec<u8>> {
    let hex: String = marker.bytes().map(|byte| format!("{byte:02x}")).collect();
    let decimal: Vec<_> = marker.bytes().map(|byte| byte.to_string()).collect();
    vec![
        marker.as_bytes().to_vec(),
        marker.encode_utf16().flat_map(u16::to_le_bytes).collect(),
        hex.into_bytes(),
        decimal.join(",").into_bytes(),
        decimal.join(", ").into_bytes(),
    ]
}

/// No form of a marker is in these bytes.
fn tells_none_of(bytes: &[u8], markers: &[&str], place: &str) {
    for marker in markers {
        for form in forms(marker) {
            assert!(!bytes.windows(form.len()).any(|part| part == form), "{place} tells {marker}");
        }
    }
}

/// The kernel's word on a process: it dumps no memory, and its neighbours read no secret.
fn shows_nothing(process: u32, markers: &[&str]) {
    let limits = fs::read_to_string(format!("/proc/{process}/limits")).unwrap();
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    assert_eq!(core.split_whitespace().skip(4).take(2).collect::<Vec<_>>(), ["0", "0"], "{core}");
    for file in ["cmdline", "environ"] {
        let bytes = fs::read(format!("/proc/{process}/{file}")).unwrap();
        assert!(!bytes.is_empty(), "{file}");
        tells_none_of(&bytes, markers, file);
    }
}

#[test]
fn nothing_secret_is_on_a_disk_in_a_log_or_shown_to_neighbours() {
    let world = World::new();
    let address = format!("127.0.0.1:{}", free_port());
    let service = world.serve_at(std::process::Command::new(trefoil()), "service", &address, &[]).unwrap();
    service.api.wait_for_size(1);
    let url = &service.api.url;
    let [bob, alice] = &["home-1", "home-2"].map(|name| Device::new(&world, name, url));
    for (device, handle) in [(bob, HANDLES[0]), (alice, HANDLES[1])] {
        device.says(&[&device.join("signup", handle)[..], &["--name", NAME]].concat());
    }
    alice.says(&["send", HANDLES[0], TEXT]);
    bob.reads(TEXT);
    alice.says(&["chat", "new", TITLE, HANDLES[0]]);
    alice.says(&["send", TITLE, TEXT]);

    let secrets = [PASSWORD, TEXT, TITLE, NAME, HANDLES[0], HANDLES[1]];
    shows_nothing(service.process.id(), &secrets);
    for device in [alice, bob] {
        let agents = device.processes();
        assert_eq!(agents.len(), 1, "{agents:?}");
        shows_nothing(agents[0], &secrets);
    }
    let mut following = bob.start(&["read", "--follow"]);
    eventually("it reads along", || (!following.said().is_empty()).then_some(()));
    shows_nothing(following.id(), &secrets);
    drop(following);
    for device in [alice, bob] {
        device.says(&["agent", "--stop"]);
        for file in files(&device.home) {
            tells_none_of(&fs::read(&file).unwrap(), &secrets, &file.display().to_string());
        }
    }
    let ended = service.process.stop();
    tells_none_of(ended.stderr.as_bytes(), &secrets, "the service's words");
    tells_none_of(ended.lines.join("\n").as_bytes(), &secrets, "the service's words");
    for file in files(&service.data) {
        tells_none_of(&fs::read(&file).unwrap(), &secrets, &file.display().to_string());
    }
}

/// I14: what an agent has written over, as the keys of messages that were read, is soon in none of its files.
#[test]
fn what_was_written_over_is_soon_on_no_disk() {
    let world = World::new();
    let service = world.service("service");
    let [bob, alice] = &["bob", "alice"].map(|handle| Device::signed_up(&world, handle, &service.api.url));
    alice.says(&["send", "bob", TEXT]);
    bob.reads(TEXT);
    for device in [alice, bob] {
        let log = files(&device.home).into_iter().find(|it| it.ends_with("store.sqlite-wal")).unwrap();
        let is_empty = || fs::metadata(&log).is_ok_and(|it| it.len() == 0).then_some(());
        eventually("its write-ahead log is emptied", is_empty);
        assert_eq!(device.processes().len(), 1, "by an agent that goes on");
    }
}
