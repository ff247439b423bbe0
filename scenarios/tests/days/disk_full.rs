//! A disk without room (I1, I2): what does not fit is said, what was acknowledged stays, and with room everything goes on.

use std::fs;
use std::process::Command;

use scenarios::program::{Process, trefoil};
use scenarios::world::{World, files};

use scenarios::device::Device;

/// How much more than now the largest file may hold, in blocks of 512 bytes.
const ROOM: u64 = 1_000;

/// The agent of a device where no file grows beyond so many blocks of 512 bytes.
fn on_a_full_disk(device: &Device, blocks: u64) -> Option<Process> {
    let mut program = Command::new("sh");
    // a write beyond the limit fails, as on a full disk, instead of ending the process
    program.args(["-c", "trap '' XFSZ; ulimit -f $0; exec \"$@\"", &blocks.to_string()]).arg(trefoil());
    device.agent_under(program)
}

#[test]
fn a_full_disk_is_said_and_loses_nothing_that_was_acknowledged() {
    let world = World::new();
    let service = world.service("service");
    let [alice, bob] = &["alice", "bob"].map(|name| Device::signed_up(&world, name, &service.api.url));
    alice.says(&["send", "bob", "before"]);
    let largest = files(&alice.home).iter().map(|file| fs::metadata(file).unwrap().len()).max().unwrap();
    let agent = on_a_full_disk(alice, largest / 512 + ROOM).unwrap();

    let mut acknowledged = vec!["before".to_owned()];
    let failed = (0..100).find_map(|number| {
        let text = format!("{number} {}", "x".repeat(4_000));
        let ended = alice.run(&["send", "bob", &text]);
        if ended.status == Some(0) {
            acknowledged.push(text);
            return None;
        }
        Some(ended)
    });
    let failed = failed.expect("the disk is never full");
    assert_eq!(failed.verdict(), (Some(1), "store.io".to_owned()), "{failed:?}");
    assert!(acknowledged.len() > 1, "there was some room");

    drop(agent);
    alice.kill_everything();
    alice.says(&["send", "bob", "after"]);
    acknowledged.push("after".to_owned());
    bob.reads("after");
    for device in [alice, bob] {
        let shown: Vec<_> = device.messages().iter().map(|it| it["text"].as_str().unwrap().to_owned()).collect();
        let of_the_acknowledged: Vec<_> = shown.iter().filter(|text| acknowledged.contains(text)).cloned().collect();
        assert_eq!(of_the_acknowledged, acknowledged, "each once, in order");
        // the one that failed may have been written before the disk was full
        assert!(shown.len() <= acknowledged.len() + 1, "{} shown", shown.len());
    }
}
