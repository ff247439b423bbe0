//! The verifier in Python, run over the example log, over damaged copies of it, and over logs that lie.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use chain::audit::Effects;
use chain::block::Body as BlockBody;
use chain::id::Digest;
use chain::sigchain::body::{Body, ResetChoice};
use chain::sigchain::entry::Signatures;

use crate::example_log::{example, files};
use crate::files::{Files, folder, write};
use crate::ledger::{Ledger, alice_phone, bob_phone, ghost};

/// Exit status: something cannot be read.
const UNREADABLE: i32 = 3;
/// Exit status: a rule fails.
const BROKEN: i32 = 4;

/// Whether the verifier can run here; says so if it cannot.
fn has_python() -> bool {
    let found = Command::new("python3").args(["-c", "import cryptography"]).output();
    let found = found.is_ok_and(|output| output.status.success());
    if !found {
        println!("skipped: check_log.py needs python3 with the package `cryptography`");
    }
    found
}

fn run(log: &Path, vkey: &str) -> (i32, String) {
    let script = folder().join("check_log.py");
    let output = Command::new("python3").arg(script).arg(log).arg(vkey).output().unwrap();
    (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap())
}

/// Writes a log into a folder of its own.
fn stored(name: &str, files: &Files) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("check_log").join(name);
    if folder.exists() {
        fs::remove_dir_all(&folder).unwrap();
    }
    write(&folder, files);
    folder
}

fn judge(name: &str, files: &Files) -> (i32, String) {
    run(&stored(name, files), &example().log_key())
}

/// The example with byte `at` of a file changed.
fn with_a_flipped_byte(path: &str, at: usize) -> Files {
    let mut files = files(&example());
    files.get_mut(path).unwrap()[at] ^= 1;
    files
}

#[test]
fn the_python_verifier_accepts_the_example_log() {
    if !has_python() {
        return;
    }
    let log = example();
    let root = log.root_at(log.size());
    let expected = format!("ok 13 blocks 12 entries 3 accounts root {root}\n");
    assert_eq!(run(&folder().join("example-log"), &log.log_key()), (0, expected));
}

/// BLK-1, CHK-2: no byte can be changed, and nothing can be left out.
#[test]
fn the_python_verifier_refuses_damaged_logs() {
    if !has_python() {
        return;
    }
    for (path, at, rule) in [
        ("block/0", 30, "block 0: BLK-1"),
        ("block/3", 300, "block 3: BLK-1"),
        ("block/12", 7, "block 12: BLK-1"),
        ("tile/entries/000.p/13", 1_000, "BLK-1"),
        // in the root hash, and in the log's signature
        ("checkpoint", 30, "CHK-2"),
        ("checkpoint", 120, "CHK-2"),
    ] {
        let (status, output) = judge("flipped", &with_a_flipped_byte(path, at));
        assert_eq!(status, BROKEN, "{path}: {output}");
        assert!(output.starts_with(rule), "{path}: {output}");
    }
    let mut missing = files(&example());
    missing.remove("block/5").unwrap();
    assert_eq!(judge("missing", &missing).0, UNREADABLE);
    let other = Ledger::named("other.example/log", 0, 0);
    let (status, output) = run(&folder().join("example-log"), &other.log_key());
    assert_eq!((status, output.starts_with("CHK-2")), (BROKEN, true), "{output}");
}

/// A way to lie: something that is sealed on top of the example.
type Lie = fn(&mut Ledger);

/// BLK-2 to BLK-5, ENT-2 to ENT-4, DEV-3, DEV-4: what a log signs is judged, not believed.
#[test]
fn the_python_verifier_refuses_logs_that_lie() {
    if !has_python() {
        return;
    }
    let lies: [(&str, Lie); 8] = [
        ("BLK-2", |log| bent_header(log, |header| header.new_root = Digest([9; 32]))),
        ("BLK-2", |log| bent_header(log, |header| header.previous_root = Digest([9; 32]))),
        ("BLK-5", |log| bent_header(log, |header| header.time_s -= 3_700)),
        ("BLK-1", |log| bent_header(log, |header| header.entries = 1)),
        ("BLK-4", |log| {
            let account = account_of_alice(log);
            let set = log.set(&account).clone();
            log.seal_record(set, log.time_s());
        }),
        ("BLK-2", wrong_old_value),
        ("ENT-2", |log| {
            let choose = Body::ResetChoiceSet { choice: ResetChoice::OneDay, signer: alice_phone().id() };
            let forged = log.follow(&account_of_alice(log), choose, &ghost());
            log.seal_forged(forged, log.time_s(), log.time_s());
        }),
        ("DEV-4", |log| {
            let account = account_of_alice(log);
            let forged = log.choose(&account, ResetChoice::OneDay, &bob_phone());
            let set = log.set(&account).clone();
            log.seal_as(forged, &set, log.time_s());
        }),
    ];
    for (at, (rule, lie)) in lies.into_iter().enumerate() {
        let mut log = example();
        lie(&mut log);
        let (status, output) = judge("lie", &files(&log));
        assert_eq!(status, BROKEN, "lie {at}: {output}");
        assert!(output.starts_with(&format!("block 13: {rule}:")), "lie {at}, {rule}: {output}");
    }
}

fn account_of_alice(log: &Ledger) -> chain::id::AccountId {
    log.open(&alice_phone(), Some("alice")).statement.position.account
}

fn bent_header(log: &mut Ledger, bend: fn(&mut chain::block::Header)) {
    log.seal_bent(&BlockBody::default(), Effects::default(), log.time_s(), bend);
}

/// An honest entry, and a change that pretends another old value.
fn wrong_old_value(log: &mut Ledger) {
    let entry = log.choose(&account_of_alice(log), ResetChoice::OneDay, &alice_phone());
    let entries = vec![entry];
    let mut effects = log.effects(&entries, log.time_s(), &mut Signatures::CheckNow);
    effects.changes[0].old = None;
    log.seal_unchecked(entries, effects, log.time_s());
}
