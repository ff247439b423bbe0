//! A witness that is killed at every sync of a file or folder, one after the other (attacks 22 and 23, I12).
//!
//! The witness is this very test program, started again under `strace`, which kills it at its nth sync. Needs `strace` on
//! the PATH; without it the tests say so and pass.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a test fails by panicking, and says what it skips")]

mod branches;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Output};

use branches::{NOW, ORIGINS, options, request};
use chain::log::witness::parse_size;
use witness::server::Witness;

const FOLDER: &str = "TREFOIL_CRASH_TEST_FOLDER";
const SYNCS: &str = "fsync,fdatasync";

/// What the killed witness is asked: sizes of branch a, each from the one before.
const SIZES: [u64; 4] = [11, 12, 12, 20];

fn add(witness: &Witness, origin: &str, branch: char, old: u64, new: u64) -> (u16, String) {
    let answer = witness.add_checkpoint(request(origin, branch, old, new).to_string().as_bytes());
    (answer.status, answer.body)
}

/// Not a test of its own: the program that is killed. Prints each answer as soon as it has it.
#[test]
#[ignore = "started by the other tests of this file"]
fn the_witness_that_is_killed() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let witness = Witness::open(options(folder.as_ref(), || NOW)).unwrap();
    let mut old = 0;
    for new in SIZES {
        for origin in ORIGINS {
            assert_eq!(add(&witness, origin, 'a', old, new).0, 200);
            println!("answered {origin} {new}");
        }
        old = new;
    }
}

fn has_strace() -> bool {
    let found = Command::new("strace").arg("-V").output().is_ok();
    if !found {
        println!("SKIPPED: strace is not on the PATH, the witness was not killed at its syncs");
    }
    found
}

/// Runs the witness in `folder` under strace.
fn run(folder: &Path, strace: &[&str]) -> Output {
    let mut command = Command::new("strace");
    command.args(["-f", "-qq"]).args(strace).arg(std::env::current_exe().unwrap());
    command.args(["--exact", "the_witness_that_is_killed", "--ignored", "--nocapture", "--test-threads=1"]);
    command.env(FOLDER, folder).output().unwrap()
}

/// The largest size that was answered for, by origin.
fn answered(output: &Output) -> BTreeMap<String, u64> {
    let lines = String::from_utf8_lossy(&output.stdout).into_owned();
    let answers = lines.lines().filter_map(|line| line.split_once("answered ")?.1.split_once(' '));
    answers.map(|(origin, size)| (origin.to_owned(), size.parse().unwrap())).collect()
}

/// After a restart: what was answered for is still there, and no other branch is signed from any size.
fn check_after_restart(folder: &Path, answered: &BTreeMap<String, u64>, kill: usize) {
    let witness = Witness::open(options(folder, || NOW)).unwrap();
    for origin in ORIGINS {
        let answered = answered.get(origin).copied().unwrap_or(0);
        let (status, body) = add(&witness, origin, 'a', 1, 20);
        let stored = parse_size(body.as_bytes()).unwrap();
        assert!(status == 409 && stored >= answered, "sync {kill}: {origin} fell from {answered} to {stored}");
        if stored > 0 {
            for old in [0, 10, 11, 12, 20] {
                for new in [11, 12, 20, 25] {
                    let (status, _) = add(&witness, origin, 'b', old, new);
                    assert_ne!(status, 200, "sync {kill}: {origin} signed from {old} to {new}");
                }
            }
        }
        assert_eq!(add(&witness, origin, 'a', stored, 20).0, 200, "sync {kill}: {origin} does not go on");
    }
}

#[test]
fn a_witness_killed_at_any_sync_never_signs_another_branch() {
    if !has_strace() {
        return;
    }
    for kill in 1.. {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("witness");
        let inject = format!("inject={SYNCS}:signal=KILL:when={kill}");
        let output = run(&folder, &["-o", "/dev/null", "-e", &format!("trace={SYNCS}"), "-e", &inject]);
        let answered = answered(&output);
        check_after_restart(&folder, &answered, kill);
        if output.status.success() {
            assert!(kill > 2 * SIZES.len() * ORIGINS.len(), "only {kill} syncs");
            assert!(ORIGINS.iter().all(|origin| answered[*origin] == 20));
            return;
        }
    }
}

/// WIT-3, by the order of system calls: a kill alone would not show a sync that is missing.
#[test]
fn an_answer_comes_after_its_file_is_synced_renamed_and_the_folder_synced() {
    if !has_strace() {
        return;
    }
    let parent = tempfile::tempdir().unwrap();
    let trace = parent.path().join("trace");
    let calls = format!("trace={SYNCS},rename,renameat,renameat2,write");
    let output = run(&parent.path().join("witness"), &["-s", "200", "-o", trace.to_str().unwrap(), "-e", &calls]);
    assert!(output.status.success());
    let trace = std::fs::read_to_string(trace).unwrap();
    let mut calls = Vec::new();
    let mut answers = 0;
    for line in trace.lines() {
        if line.contains("answered ") {
            let tail = &calls[calls.len() - 3..];
            assert_eq!(tail, ["sync", "rename", "sync"], "{trace}");
            calls.clear();
            answers += 1;
        } else if line.contains("sync(") {
            calls.push("sync");
        } else if line.contains("rename") {
            calls.push("rename");
        }
    }
    assert_eq!(answers, SIZES.len() * ORIGINS.len());
}
