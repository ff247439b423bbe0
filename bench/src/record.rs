//! A made-up record, signed for real: accounts that open, and every third of them adding a second device and
//! confirming it.

use std::collections::BTreeMap;

use chain::audit::{Before, judge_entries};
use chain::block::{Body as BlockBody, Header, Parameters, body_hash};
use chain::handle::VrfSecretKey;
use chain::id::{AccountId, DeviceKeys, Digest};
use chain::map::Tree;
use chain::sigchain::body::{Answer, Body, Confirmer, ResetChoice};
use chain::sigchain::device_set::DeviceSet;
use chain::sigchain::entry::{Entry, Proposal, SeenCheckpoint, Signatures, Statement};
use chain::sigchain::fold::Ground;
use ed25519_dalek::SigningKey;

const START_S: u64 = 1_800_000_000;
const BLOCK_S: u64 = 2;

/// Blocks from the first: header and body of each.
pub struct Record {
    /// In the order of the log.
    pub blocks: Vec<(Vec<u8>, Vec<u8>)>,
}

/// Makes a record of block 0 and `blocks` blocks of `entries` entries each.
pub fn record(blocks: usize, entries: usize) -> Record {
    let mut maker = Maker::new();
    for _ in 0..blocks {
        maker.seal(entries);
    }
    Record { blocks: maker.blocks }
}

/// An account and its devices' seeds.
#[derive(Clone, Copy)]
struct Owner {
    account: AccountId,
    seed: u64,
}

struct Maker {
    parameters: Parameters,
    service: SigningKey,
    newest: Header,
    blocks: Vec<(Vec<u8>, Vec<u8>)>,
    sets: BTreeMap<AccountId, DeviceSet>,
    tree: Tree,
    /// Accounts that add a device in the next block.
    adding: Vec<Owner>,
    /// Accounts that confirm one in the next block.
    confirming: Vec<Owner>,
    opened: u64,
}

impl Maker {
    fn new() -> Self {
        let service = SigningKey::from_bytes(&[200; 32]);
        let parameters = Parameters {
            origin: "bench.example/log".to_owned(),
            service_key: (&service).into(),
            vrf_key: VrfSecretKey::from_seed(&[201; 32]).unwrap().public(),
            policy: "quorum none\n".parse().unwrap(),
        };
        let newest = parameters.genesis(START_S);
        let blocks = vec![(newest.encode(), parameters.encode())];
        let (sets, tree) = (BTreeMap::new(), Tree::new());
        Self { parameters, service, newest, blocks, sets, tree, adding: vec![], confirming: vec![], opened: 0 }
    }

    fn seal(&mut self, count: usize) {
        let confirming = std::mem::take(&mut self.confirming);
        let adding = std::mem::take(&mut self.adding);
        let mut entries: Vec<_> = confirming.iter().map(|owner| self.confirmed(owner)).collect();
        entries.extend(adding.iter().map(|owner| self.added(owner)));
        self.confirming = adding;
        for place in entries.len()..count {
            let (owner, entry) = self.opened();
            entries.push(entry);
            if place % 3 == 0 {
                self.adding.push(owner);
            }
        }
        entries.sort_by_key(|entry| entry.statement.position.account);
        self.append(entries);
    }

    fn append(&mut self, entries: Vec<Entry>) {
        let (block, time_s) = (self.newest.number + 1, self.newest.time_s + BLOCK_S);
        let before = Before { account: &|id| self.sets.get(id).cloned(), handle: &|_| None };
        let ground = Ground { parameters: &self.parameters, block, time_s, root_at: &|_| None };
        // signed a moment ago
        let mut unchecked = Vec::new();
        let effects = judge_entries(&entries, &before, &ground, &mut Signatures::Collect(&mut unchecked)).unwrap();
        let version = self.tree.apply(self.tree.newest(), &effects.changes).unwrap();
        let body = BlockBody { entries, changes: effects.changes };
        let bytes = body.encode();
        self.newest = Header {
            number: block,
            time_s,
            previous_root: self.newest.new_root,
            new_root: self.tree.root(version).unwrap(),
            entries: u32::try_from(body.entries.len()).unwrap(),
            body_hash: body_hash(&bytes),
            ..self.newest.clone()
        };
        self.blocks.push((self.newest.encode(), bytes));
        self.sets.extend(effects.accounts.into_iter().map(|set| (set.account(), set)));
    }

    fn opened(&mut self) -> (Owner, Entry) {
        self.opened += 1;
        let seed = self.opened;
        let device = device(seed, 1);
        let body = Body::AccountCreated {
            salt: key(seed, 0).to_bytes(),
            device,
            reset_choice: ResetChoice::ThreeDays,
            handle: None,
            predecessor: None,
        };
        let statement = Statement::opening(1, seen(), body);
        let account = statement.position.account;
        (Owner { account, seed }, self.signed(statement, &key(seed, 1), Some(&key(seed, 2))))
    }

    fn added(&self, owner: &Owner) -> Entry {
        let commitments = [3, 4, 5].map(|code| Digest([code; 32]));
        let body = Body::DeviceAdded { device: device(owner.seed, 3), commitments };
        let statement = self.sets[&owner.account].following(body, seen());
        self.signed(statement, &key(owner.seed, 3), Some(&key(owner.seed, 4)))
    }

    fn confirmed(&self, owner: &Owner) -> Entry {
        let set = &self.sets[&owner.account];
        let (first, second) = (device(owner.seed, 1).id(), device(owner.seed, 3).id());
        let added = set.pending()[&second].added;
        let body = Body::DeviceConfirmed(Answer { added, device: second, signer: Confirmer::Device(first) });
        self.signed(set.following(body, seen()), &key(owner.seed, 1), None)
    }

    fn signed(&self, statement: Statement, chain: &SigningKey, mls: Option<&SigningKey>) -> Entry {
        let origin = &self.parameters.origin;
        Proposal::sign(statement, origin, chain, mls).complete(origin, &self.service)
    }
}

fn seen() -> SeenCheckpoint {
    SeenCheckpoint { size: 0, root: Digest::sha256(b"") }
}

fn key(seed: u64, role: u8) -> SigningKey {
    let mut bytes = [role; 32];
    bytes[..8].copy_from_slice(&seed.to_be_bytes());
    SigningKey::from_bytes(&bytes)
}

/// The device whose chain key has this role; its MLS key has the next.
fn device(seed: u64, role: u8) -> DeviceKeys {
    DeviceKeys { chain: (&key(seed, role)).into(), mls: (&key(seed, role + 1)).into() }
}
