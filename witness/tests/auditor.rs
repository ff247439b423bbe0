//! The auditor over a small log in a folder.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::Path;

use chain::audit::{Before, judge_entries};
use chain::block::{Body, Header, Parameters, body_hash};
use chain::handle::VrfSecretKey;
use chain::id::{DeviceKeys, Digest};
use chain::log::checkpoint::Checkpoint;
use chain::log::merkle::{Frontier, leaf_hash};
use chain::log::note::{KeyKind, NoteSigner};
use chain::log::tile::{Tile, TileKind, encode_bundle};
use chain::map::Tree;
use chain::sigchain::body::{Body as EntryBody, ResetChoice};
use chain::sigchain::entry::{Entry, Proposal, SeenCheckpoint, Signatures, Statement};
use chain::sigchain::fold::Ground;
use ed25519_dalek::SigningKey;
use tempfile::TempDir;
use witness::auditor::{AuditError, Auditor};
use witness::source::Source;

const ORIGIN: &str = "auditor.example/log";
const START_S: u64 = 1_800_000_000;

fn key(number: u8) -> SigningKey {
    SigningKey::from_bytes(&[number; 32])
}

/// An entry that opens an account.
fn opening() -> Entry {
    let device = DeviceKeys { chain: (&key(1)).into(), mls: (&key(2)).into() };
    let reset_choice = ResetChoice::ThreeDays;
    let body = EntryBody::AccountCreated { salt: [3; 32], device, reset_choice, handle: None, predecessor: None };
    let seen = SeenCheckpoint { size: 0, root: Digest::sha256(b"") };
    Proposal::sign(Statement::opening(1, seen, body), ORIGIN, &key(1), Some(&key(2))).complete(ORIGIN, &key(9))
}

/// The same with another last signature, the service's.
fn with_false_signature(entry: &Entry) -> Entry {
    let mut bytes = entry.encode();
    *bytes.last_mut().unwrap() ^= 1;
    Entry::decode(&bytes).unwrap()
}

/// Writes a log of block 0, a block with this entry and one without entries; gives an auditor of it.
fn log_with(entry: Entry, folder: &Path) -> Auditor {
    let signer = NoteSigner::new(ORIGIN.parse().unwrap(), KeyKind::Ed25519, key(8));
    let policy = format!("log {}\nquorum none\n", signer.verifier_key()).parse().unwrap();
    let parameters = Parameters {
        origin: ORIGIN.to_owned(),
        service_key: (&key(9)).into(),
        vrf_key: VrfSecretKey::from_seed(&[7; 32]).unwrap().public(),
        policy: "quorum none\n".parse().unwrap(),
    };
    let mut headers = vec![parameters.genesis(START_S)];
    let mut bodies = vec![parameters.encode()];
    let mut tree = Tree::new();
    for entries in [vec![entry], vec![]] {
        let previous = headers.last().unwrap();
        let number = previous.number + 1;
        let before = Before { account: &|_| None, handle: &|_| None };
        let ground = Ground { parameters: &parameters, block: number, time_s: START_S, root_at: &|_| None };
        let effects = judge_entries(&entries, &before, &ground, &mut Signatures::Collect(&mut Vec::new())).unwrap();
        let version = tree.apply(tree.newest(), &effects.changes).unwrap();
        let count = u32::try_from(entries.len()).unwrap();
        let body = Body { entries, changes: effects.changes }.encode();
        let (previous_root, new_root) = (previous.new_root, tree.root(version).unwrap());
        let body_hash = body_hash(&body);
        headers.push(Header { number, previous_root, new_root, entries: count, body_hash, ..previous.clone() });
        bodies.push(body);
    }
    let leaves: Vec<_> = headers.iter().map(Header::encode).collect();
    let mut frontier = Frontier::new();
    leaves.iter().for_each(|leaf| frontier.append(leaf_hash(leaf)).unwrap());
    let checkpoint = Checkpoint::new(ORIGIN.parse().unwrap(), frontier.size(), frontier.root());
    write(folder, "checkpoint", checkpoint.sign(&signer).unwrap().to_string().as_bytes());
    let tile = Tile::within(frontier.size(), TileKind::Entries, 0).unwrap();
    write(folder, &tile.to_string(), &encode_bundle(&leaves).unwrap());
    for (number, body) in bodies.iter().enumerate() {
        write(folder, &format!("block/{number}"), body);
    }
    Auditor::new(Source::Folder(folder.to_owned()), policy, None, None).unwrap()
}

fn write(folder: &Path, path: &str, bytes: &[u8]) {
    let path = folder.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

/// ENT-2.
#[test]
fn a_false_signature_is_a_lie_of_its_block() {
    let folder = TempDir::new().unwrap();
    let error = log_with(with_false_signature(&opening()), folder.path()).look(&mut |_| ()).unwrap_err();
    assert!(matches!(error, AuditError::Lie { rule: "ENT-2", block: Some(1), evidence: Some(_), .. }), "{error}");
}

/// ENT-2: a log that withholds a file for a moment does not get an earlier block past the auditor.
#[test]
fn signatures_of_blocks_before_a_missing_file_are_checked() {
    let folder = TempDir::new().unwrap();
    let mut auditor = log_with(with_false_signature(&opening()), folder.path());
    fs::remove_file(folder.path().join("block/2")).unwrap();
    let error = auditor.look(&mut |_| ()).unwrap_err();
    assert!(matches!(error, AuditError::Lie { rule: "ENT-2", block: Some(1), .. }), "{error}");
}

#[test]
fn an_auditor_goes_on_when_a_missing_file_is_back() {
    let folder = TempDir::new().unwrap();
    let mut auditor = log_with(opening(), folder.path());
    let (path, away) = (folder.path().join("block/2"), folder.path().join("away"));
    fs::rename(&path, &away).unwrap();
    assert!(matches!(auditor.look(&mut |_| ()), Err(AuditError::Source(_))));
    fs::rename(&away, &path).unwrap();
    let summary = auditor.look(&mut |_| ()).unwrap();
    assert_eq!((summary.blocks, summary.entries, summary.accounts), (3, 1, 1));
}
