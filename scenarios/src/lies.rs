//! A log that lies: it has all the keys of a service, signs what it likes, and publishes the files that auditors read.
//!
//! It has no witnesses; every block but the last is honest, so that the lie is the only thing wrong. Not in scope: a log
//! with two faces, for which the real service and a copy of its folder are enough.

use std::fs;
use std::path::{Path, PathBuf};

use chain::audit::{Before, judge_entries};
use chain::block::{Body as BlockBody, Header, Parameters, body_hash};
use chain::handle::VrfSecretKey;
use chain::id::{Digest, PublicKey};
use chain::log::checkpoint::Checkpoint;
use chain::log::merkle;
use chain::log::note::{KeyKind, NoteSigner};
use chain::log::tile::{TileKind, encode_bundle, hash_tile, tiles_for_growth};
use chain::map::{Change, MapKey, MapValue, Tree};
use chain::replay::complete_node;
use chain::sigchain::body::Body;
use chain::sigchain::device_set::DeviceSet;
use chain::sigchain::entry::{Entry, Proposal, Signatures, Statement};
use chain::sigchain::fold::Ground;
use chain::sigchain::rules::RULE_SET;
use ed25519_dalek::SigningKey;

use crate::people::{Device, confirmation, nothing_seen, random};

const ORIGIN: &str = "liar.example/log";
const START_S: u64 = 1_790_000_000;

/// What is wrong with the last block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lie {
    /// Nothing.
    None,
    /// A confirmation in the laptop's name, signed by the ghost (ENT-2, attack 1).
    ForgedSignature,
    /// The ghost confirms itself (DEV-4, attack 4).
    ConfirmsItself,
    /// A confirmation that was used before, of a device that has been removed (DEV-5, attack 3).
    Replay,
    /// The map changes, and no entry says why (BLK-4).
    Unexplained,
    /// The header has another map root than the changes give (BLK-2).
    WrongRoot,
    /// The block is dated before the one before it (BLK-5).
    TimeFalls,
    /// The header names another body (BLK-1).
    OtherBody,
}

/// The log, growing.
#[derive(Debug)]
pub struct LyingLog {
    signer: NoteSigner,
    service: SigningKey,
    parameters: Parameters,
    headers: Vec<Header>,
    bodies: Vec<Vec<u8>>,
    tree: Tree,
    account: Option<DeviceSet>,
}

impl LyingLog {
    /// Writes a log whose last block lies into `folder`, as a web server would have its files, and gives the path of
    /// its policy.
    pub fn publish(folder: &Path, lie: Lie) -> PathBuf {
        let mut log = Self::new();
        let (laptop, ghost) = (Device::new(), Device::new());
        log.seal(log.complete(laptop.opening(None), &laptop));
        log.seal(log.follow(joining(&ghost), &ghost));
        log.lie(lie, &laptop, &ghost);
        log.write(folder)
    }

    fn new() -> Self {
        let signer = NoteSigner::new(ORIGIN.parse().unwrap(), KeyKind::Ed25519, SigningKey::from_bytes(&random()));
        let service = SigningKey::from_bytes(&random());
        let policy = format!("log {}\nquorum none\n", signer.verifier_key());
        let parameters = Parameters {
            origin: ORIGIN.to_owned(),
            service_key: PublicKey::from(&service),
            vrf_key: VrfSecretKey::from_seed(&random()).unwrap().public(),
            policy: policy.parse().unwrap(),
        };
        Self {
            headers: vec![parameters.genesis(START_S)],
            bodies: vec![parameters.encode()],
            tree: Tree::new(),
            account: None,
            signer,
            service,
            parameters,
        }
    }

    fn lie(&mut self, lie: Lie, laptop: &Device, ghost: &Device) {
        let set = self.account.clone().unwrap();
        let named = |signer: &Device| confirmation(&set, ghost, signer);
        match lie {
            Lie::None => self.seal(self.follow(named(laptop), laptop)),
            // the fold takes it as long as nobody checks the signatures
            Lie::ForgedSignature => self.seal(self.follow(named(laptop), ghost)),
            Lie::ConfirmsItself => self.force(self.follow(named(ghost), ghost)),
            Lie::Replay => {
                let request = set.pending()[&ghost.id()].request;
                self.seal(self.follow(named(laptop), laptop));
                let removal = Body::DeviceRemoved { devices: vec![ghost.id()], signer: laptop.id() };
                self.seal(self.follow(removal, laptop));
                let mut again = self.account.clone().unwrap().following(named(laptop), nothing_seen());
                again.request = request;
                self.force(self.complete(again, laptop));
            }
            Lie::Unexplained => {
                let key = MapKey(Digest(random()));
                let body = BlockBody { entries: vec![], changes: vec![Change { key, old: None, new: value() }] };
                self.append(&body, |_| ());
            }
            Lie::WrongRoot => self.append(&BlockBody::default(), |header| header.new_root = Digest(random())),
            Lie::TimeFalls => self.append(&BlockBody::default(), |header| header.time_s = START_S - 1),
            Lie::OtherBody => self.append(&BlockBody::default(), |header| header.entries = 1),
        }
    }

    fn follow(&self, body: Body, signer: &Device) -> Entry {
        self.complete(self.account.clone().unwrap().following(body, nothing_seen()), signer)
    }

    fn complete(&self, statement: Statement, signer: &Device) -> Entry {
        Proposal::sign(statement, ORIGIN, &signer.chain, Some(&signer.mls)).complete(ORIGIN, &self.service)
    }

    /// Seals an entry with the changes that follow from it, whoever signed it.
    fn seal(&mut self, entry: Entry) {
        let entries = vec![entry];
        let (account, handle) = (|_: &_| self.account.clone(), |_: &_| None);
        let before = Before { account: &account, handle: &handle };
        let ground = Ground {
            parameters: &self.parameters,
            block: self.headers.len() as u64,
            time_s: self.next_s(),
            root_at: &|_| Some(merkle::empty_root()),
        };
        let mut claims = Vec::new();
        let effects = judge_entries(&entries, &before, &ground, &mut Signatures::Collect(&mut claims)).unwrap();
        self.account = effects.accounts.first().cloned();
        self.append(&BlockBody { entries, changes: effects.changes }, |_| ());
    }

    /// Seals an entry that no rule explains, with some change of its account.
    fn force(&mut self, entry: Entry) {
        let set = self.account.as_ref().unwrap();
        let key = MapKey(DeviceSet::map_key(&set.account()));
        let change = Change { key, old: Some(MapValue(set.map_value())), new: value() };
        self.append(&BlockBody { entries: vec![entry], changes: vec![change] }, |_| ());
    }

    fn next_s(&self) -> u64 {
        START_S + self.headers.len() as u64
    }

    fn append(&mut self, body: &BlockBody, spoil: impl FnOnce(&mut Header)) {
        let version = self.tree.apply(self.tree.newest(), &body.changes).unwrap();
        let bytes = body.encode();
        let previous = self.headers.last().unwrap();
        let mut header = Header {
            number: previous.number + 1,
            time_s: self.next_s(),
            previous_root: previous.new_root,
            new_root: self.tree.root(version).unwrap(),
            entries: u32::try_from(body.entries.len()).unwrap(),
            body_hash: body_hash(&bytes),
            vrf_key: previous.vrf_key,
            rule_set: RULE_SET,
        };
        spoil(&mut header);
        self.headers.push(header);
        self.bodies.push(bytes);
    }

    fn write(&self, folder: &Path) -> PathBuf {
        let leaves: Vec<_> = self.headers.iter().map(|header| merkle::leaf_hash(&header.encode())).collect();
        let size = leaves.len() as u64;
        let node = |level, index| complete_node(&leaves, level, index);
        let keep = |name: &str, bytes: &[u8]| {
            let path = folder.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        };
        for tile in tiles_for_growth(0, size) {
            let bytes = match tile.kind() {
                TileKind::Hashes(_) => hash_tile(&tile, node).unwrap(),
                TileKind::Entries => {
                    let headers: Vec<_> = self.headers.iter().map(Header::encode).collect();
                    encode_bundle(&headers).unwrap()
                }
            };
            keep(&tile.to_string(), &bytes);
        }
        for (number, body) in self.bodies.iter().enumerate() {
            keep(&format!("block/{number}"), body);
        }
        let checkpoint = Checkpoint::new(ORIGIN.parse().unwrap(), size, merkle::root(size, node).unwrap());
        keep("checkpoint", checkpoint.sign(&self.signer).unwrap().to_string().as_bytes());
        let policy = folder.with_extension("policy");
        fs::write(&policy, self.parameters.policy.to_string()).unwrap();
        policy
    }
}

fn joining(device: &Device) -> Body {
    Body::DeviceAdded { device: device.keys(), commitments: [Digest::ZERO; 3] }
}

/// Some value of the map.
fn value() -> MapValue {
    MapValue(Digest(random()))
}
