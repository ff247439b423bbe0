//! Two logs, each with two branches that agree in their first ten leaves: what a lying log offers to a witness.

use std::collections::BTreeMap;
use std::path::Path;

use chain::id::Digest;
use chain::log::checkpoint::Checkpoint;
use chain::log::merkle::{self, Frontier};
use chain::log::note::{KeyKind, NoteSigner, VerifierKey};
use chain::log::witness::AddCheckpointRequest;
use ed25519_dalek::SigningKey;
use witness::server::WitnessOptions;

pub(crate) const ORIGINS: [&str; 2] = ["example.com/one", "example.com/two"];
pub(crate) const NOW: u64 = 1_700_000_000;

pub(crate) fn log(origin: &str) -> NoteSigner {
    NoteSigner::new(origin.parse().unwrap(), KeyKind::Ed25519, SigningKey::from_bytes(&[1; 32]))
}

/// The witness of both logs, in this folder, at this time.
pub(crate) fn options(folder: &Path, clock: fn() -> u64) -> WitnessOptions {
    let logs: Vec<VerifierKey> = ORIGINS.map(|origin| log(origin).verifier_key().clone()).into();
    WitnessOptions { folder: folder.to_owned(), name: "witness.example/w1".parse().unwrap(), logs, clock }
}

fn nodes(branch: char, size: u64) -> impl FnMut(u8, u64) -> Option<Digest> {
    let mut nodes = BTreeMap::new();
    let mut frontier = Frontier::new();
    for i in 0..size {
        let leaf = format!("{} {i}", if i < 10 { 'a' } else { branch });
        let leaf = merkle::leaf_hash(leaf.as_bytes());
        frontier.append_with(leaf, |level, index, hash| _ = nodes.insert((level, index), hash)).unwrap();
    }
    move |level, index| nodes.get(&(level, index)).copied()
}

/// A request of this log to cosign `branch` at `new_size`, with an honest proof within that branch.
pub(crate) fn request(origin: &str, branch: char, old_size: u64, new_size: u64) -> AddCheckpointRequest {
    let root = merkle::root(new_size, nodes(branch, new_size)).unwrap();
    let proof = merkle::prove_consistency(old_size.min(new_size), new_size, nodes(branch, new_size)).unwrap();
    let checkpoint = Checkpoint::new(origin.parse().unwrap(), new_size, root);
    AddCheckpointRequest::new(old_size, proof, checkpoint.sign(&log(origin)).unwrap()).unwrap()
}
