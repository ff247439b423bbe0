//! The agent killed at its commits (attacks 14, 43; I1, I2, I3), as a power cut would, and started again by the next
//! command.
//!
//! SQLite commits with one `fdatasync` of its log (WAL, `synchronous=FULL`), and the transaction is written by then:
//! killed there, it has happened and nobody was told. Killed at a `pwrite64` it has not happened, or only in part.
//! Needs `strace` on the PATH; without it the tests say so and pass.

use std::process::Command;

use scenarios::program::{Ended, Process, eventually, trefoil};
use scenarios::world::World;
use serde_json::Value;

use crate::stubborn::Stubborn;
use scenarios::device::Device;

const SYNCS: &str = "fsync,fdatasync";
const WRITES: &str = "pwrite64";
/// Writes at which it dies: chosen once by dice, few since there are about ten in a commit.
const SOME_WRITES: [u32; 6] = [3, 14, 29, 47, 83, 131];

fn has_strace() -> bool {
    let found = Command::new("strace").arg("-V").output().is_ok();
    if !found {
        println!("SKIPPED: strace is not on the PATH, the agent was not killed at its commits");
    }
    found
}

/// The agent of a device, which dies at the nth of these calls (of one thread, and all commits are made on one). `None`:
/// it is dead already.
fn doomed(device: &Device, calls: &str, nth: u32) -> Option<Process> {
    let mut program = Command::new("strace");
    program.args(["-D", "-f", "-qq", "-o", "/dev/null", "-e", &format!("trace={calls}")]);
    program.args(["-e", &format!("inject={calls}:signal=KILL:when={nth}")]).arg(trefoil());
    device.agent_under(program)
}

/// Lets the agent of a device die at its first sync, its second, its third … until `act` has done all it wants and the
/// agent is still alive; then at some writes. Gives how often it died.
fn dies_again_and_again(device: &Device, mut act: impl FnMut(&mut Process)) -> u32 {
    let mut deaths = 0;
    let mut dies = |calls, nth| {
        let mut agent = doomed(device, calls, nth);
        agent.iter_mut().for_each(&mut act);
        let died = agent.is_none_or(|mut agent| !agent.is_alive());
        deaths += u32::from(died);
        died
    };
    let survived = (1..100).find(|nth| !dies(SYNCS, *nth));
    assert!(survived.is_some(), "it never came through");
    for nth in SOME_WRITES {
        dies(WRITES, nth);
    }
    device.kill_everything();
    deaths
}

/// It succeeded, or the agent died.
fn came_through(ended: &Ended) -> bool {
    if ended.status == Some(0) {
        return true;
    }
    assert_eq!(ended.verdict(), (Some(1), "agent.ended".to_owned()), "{ended:?}");
    false
}

fn essence(messages: &[Value]) -> Vec<(&Value, &Value)> {
    messages.iter().map(|it| (&it["message"], &it["text"])).collect()
}

/// Both have the same messages in the same order, each once, and all that are named.
fn have_the_same(writer: &Device, reader: &Device, named: &[String]) {
    eventually("everything is sent", || writer.messages().iter().all(|it| it["state"] != "waiting").then_some(()));
    let written = writer.messages();
    let last = written.last().unwrap()["text"].as_str().unwrap();
    reader.reads(last);
    let read = reader.messages();
    assert_eq!(essence(&read), essence(&written));
    for text in named {
        assert_eq!(read.iter().filter(|it| it["text"] == text.as_str()).count(), 1, "{text}");
    }
}

#[test]
fn an_account_is_opened_once_however_often_the_agent_dies() {
    if !has_strace() {
        return;
    }
    let world = World::new();
    let service = world.service("service");
    let url = service.api.url.clone();
    let bob = Device::new(&world, "bob", &url);
    let line = bob.join("signup", "bob");
    let deaths = dies_again_and_again(&bob, |_| {
        came_through(&bob.run(&line));
    });
    // twice in the command itself and once at a write; whether it dies later too before it answers, nobody can say
    assert!(deaths >= 3, "only {deaths} deaths");
    // whoever was not told asks again
    let row = bob.says(&line).remove(0);
    assert_eq!(bob.says(&line), std::slice::from_ref(&row));
    let shown = bob.says(&["record", "show", "bob", "--service", &url]);
    let kinds: Vec<_> = shown.iter().filter_map(|it| it["kind"].as_str()).collect();
    assert_eq!(kinds, ["AccountCreated"]);
    assert_eq!((&shown[1]["account"], &shown[0]["block"]), (&row["account"], &row["block"]));
    let alice = Device::signed_up(&world, "alice", &url);
    alice.says(&["send", "bob", "welcome"]);
    bob.reads("welcome");
}

#[test]
fn nothing_is_lost_or_doubled_when_the_writers_agent_dies() {
    if !has_strace() {
        return;
    }
    let world = World::new();
    let service = world.service("service");
    let people = ["bob", "alice"].map(|name| Device::signed_up(&world, name, &service.api.url));
    let [bob, alice] = &people;
    let (mut written, mut acknowledged) = (0, Vec::new());
    let deaths = dies_again_and_again(alice, |agent| {
        for _ in 0..2 {
            written += 1;
            let text = format!("text {written}");
            let sent = alice.run(&["send", "bob", &text]);
            if came_through(&sent) {
                acknowledged.push(text);
            }
            if !agent.is_alive() {
                return;
            }
        }
    });
    // two in each of two commands and one at a write; what it does beside them may come later
    assert!(deaths >= 5, "only {deaths} deaths");
    have_the_same(alice, bob, &acknowledged);
}

#[test]
fn nothing_is_lost_or_shown_twice_when_the_readers_agent_dies() {
    if !has_strace() {
        return;
    }
    let world = World::new();
    let service = world.service("service");
    let people = ["bob", "alice"].map(|name| Device::signed_up(&world, name, &service.api.url));
    let [bob, alice] = &people;
    bob.says(&["contact", "add", "alice"]);
    let mut written = Vec::new();
    let deaths = dies_again_and_again(bob, |_| {
        let text = format!("text {}", written.len() + 1);
        alice.says(&["send", "bob", &text]);
        written.push(text);
        // a command that meets a dead agent starts a new one
        eventually("he reads it", || {
            let read = bob.run(&["read", "--limit", "1000"]);
            let is_there = came_through(&read) && read.last()["text"] == *written.last().unwrap();
            is_there.then_some(())
        });
    });
    assert!(deaths >= 4, "only {deaths} deaths");
    have_the_same(alice, bob, &written);
}

/// Attack 14: the new device's agent dies, then that of the device which confirms.
#[test]
fn a_device_comes_in_however_often_the_agents_die() {
    if !has_strace() {
        return;
    }
    let world = World::new();
    let service = world.service("service");
    let url = service.api.url.clone();
    let people = ["bob", "alice"].map(|name| Device::signed_up(&world, name, &url));
    let [laptop, alice] = &people;
    let old = ["one", "two"].map(str::to_owned);
    for text in &old {
        alice.says(&["send", "bob", text]);
    }
    let desktop = Device::new(&world, "desktop", &url);
    let line = [&desktop.join("login", "bob")[..], &["--wait", "60"]].concat();

    let asks = dies_again_and_again(&desktop, |agent| {
        let mut login = desktop.start(&line);
        eventually("it shows digits, or dies", || {
            let shows = login.said().iter().any(|line| line["event"] == "code");
            (shows || !agent.is_alive()).then_some(())
        });
    });
    let mut login = Stubborn::start(&desktop, &line, (1, "agent.ended"));
    let id = login.says("pending")["device"].as_str().unwrap().to_owned();
    let confirms = dies_again_and_again(laptop, |_| {
        let code = login.says("code")["code"].as_str().unwrap().to_owned();
        let ended = laptop.run(&["device", "confirm", &id, "--code", &code, "--history", "yes"]);
        // what it did before it died counts
        assert!(
            ["confirm.answered", "agent.ended"].contains(&ended.code().as_str()) || came_through(&ended),
            "{ended:?}"
        );
    });
    assert!(asks >= 4 && confirms >= 4, "only {asks} and {confirms} deaths");
    laptop.says(&["status"]);
    login.says("confirmed");
    for text in &old {
        assert_eq!(desktop.reads(text)["from_history"], true);
    }
    alice.says(&["send", "bob", "three"]);
    desktop.reads("three");
    assert_eq!(desktop.messages().len(), 3);
    let shown = alice.says(&["record", "show", "bob", "--service", &url]);
    let kinds: Vec<_> = shown.iter().filter_map(|it| it["kind"].as_str()).collect();
    assert_eq!(kinds, ["AccountCreated", "DeviceAdded", "DeviceConfirmed"]);
}
