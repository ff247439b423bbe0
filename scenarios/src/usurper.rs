//! The keys of a service in the wrong hands: the log of a town goes on with blocks that no rule allows, each signed and
//! proven as well as any other, and shown to whom the liar likes.
//!
//! It has what every service has on its disk. Not in scope: logs that lie to auditors ([`crate::lies`]).

use std::fs;
use std::path::Path;

use chain::audit::{Before, judge_entries};
use chain::block::{Body as BlockBody, Header, Parameters, body_hash};
use chain::encoding::Writer;
use chain::handle::{HandleHead, HandleState};
use chain::id::{AccountId, DeviceId, Digest, PublicKey};
use chain::log::checkpoint::Checkpoint;
use chain::log::merkle;
use chain::log::note::{KeyKind, NoteSigner};
use chain::log::tile::{Tile, TileKind, decode_bundle};
use chain::map::{MapKey, Tree};
use chain::replay::complete_node;
use chain::sigchain::body::{Answer as BodyAnswer, Body, Confirmer, Predecessor, ResetChoice};
use chain::sigchain::device_set::DeviceSet;
use chain::sigchain::entry::{Entry, Proposal, Signatures, Statement};
use chain::sigchain::fold::Ground;
use client::step::{Answer, Call};
use ed25519_dalek::SigningKey;
use protocol::api::{ACCOUNTS, AccountAnswer, Head, SealedEntry};
use protocol::bytes::{Base64Url, Hashes};

use crate::people::{Device, nothing_seen, random};
use crate::town::Town;

/// The log as it goes on, and the one account that is lied about.
pub struct Usurper {
    signer: NoteSigner,
    service: SigningKey,
    parameters: Parameters,
    headers: Vec<Header>,
    tree: Tree,
    account: DeviceSet,
    entries: Vec<SealedEntry>,
}

impl Usurper {
    /// Takes over the log of a town as it is now, to lie about an account.
    pub fn new(town: &Town, account: &AccountId) -> Self {
        let folder = town.path("service");
        let known: AccountAnswer = town.ask_for(&format!("{ACCOUNTS}{account}?since=0"), None, None);
        let headers = headers(&folder.join("public"), Header::decode(&known.head.header.0).unwrap().number + 1);
        let body = |number: u64| fs::read(folder.join(format!("public/block/{number}"))).unwrap();
        let mut tree = Tree::new();
        for header in &headers[1..] {
            tree.apply(tree.newest(), &BlockBody::decode(&body(header.number)).unwrap().changes).unwrap();
        }
        let parameters = Parameters::decode(&body(0)).unwrap();
        let origin = parameters.origin.parse().unwrap();
        Self {
            signer: NoteSigner::new(origin, KeyKind::Ed25519, key(&folder, "log")),
            service: key(&folder, "entry"),
            account: DeviceSet::decode(&known.record.0).unwrap(),
            entries: known.entries,
            parameters,
            headers,
            tree,
        }
    }

    /// Lists a device of its own in the account, and confirms it in the name of another device, whose signature it does
    /// not have.
    pub fn let_in(&mut self, ghost: &Device, in_the_name_of: DeviceId) {
        self.seal(Body::DeviceAdded { device: ghost.keys(), commitments: [Digest::ZERO; 3] }, ghost);
        let added = self.account.pending()[&ghost.id()].added;
        let signer = Confirmer::Device(in_the_name_of);
        self.seal(Body::DeviceConfirmed(BodyAnswer { added, device: ghost.id(), signer }), ghost);
    }

    /// Gives the account a recovery key in the name of one of its devices, whose signature it does not have.
    pub fn set_recovery_key(&mut self, key: PublicKey, in_the_name_of: DeviceId, signer: &Device) {
        self.seal(Body::RecoveryKeySet { key: Some(key), signer: in_the_name_of }, signer);
    }

    /// Lists a device of its own in the account, and confirms it with this key in the place of the recovery key.
    pub fn recover(&mut self, ghost: &Device, key: SigningKey) {
        self.seal(Body::DeviceAdded { device: ghost.keys(), commitments: [Digest::ZERO; 3] }, ghost);
        let added = self.account.pending()[&ghost.id()].added;
        let answer = BodyAnswer { added, device: ghost.id(), signer: Confirmer::RecoveryKey };
        self.seal(Body::DeviceConfirmed(answer), &Device { chain: key, ..ghost.clone() });
    }

    /// Announces a reset of the account to this device, and carries it out in the next block. The time of that it tells as it is,
    /// or, if `is_dated`, as the rule demands, which is after the block's.
    pub fn reset_at_once(&mut self, fresh: &Device, is_dated: bool) {
        let account = self.account.account();
        let opening = Body::AccountCreated {
            salt: random(),
            device: fresh.keys(),
            reset_choice: ResetChoice::ThreeDays,
            handle: None,
            predecessor: Some(Predecessor { account, head: self.account.head() }),
        };
        let opening = Statement::opening(self.account.generation() + 1, nothing_seen(), opening);
        let successor = opening.position.account;
        self.seal(Body::ResetRequested { successor, device: fresh.keys() }, fresh);
        let notice = self.account.notice().unwrap();
        let due_s = notice.opened_at_s + notice.wait_s;
        let (notice_checkpoint, later_checkpoint) = (Vec::new(), Vec::new());
        let reset = Body::AccountReset { successor, notice_checkpoint, later_checkpoint };
        let reset = self.complete(self.account.following(reset, nothing_seen()), fresh);
        let mut entries = vec![reset, self.complete(opening, fresh)];
        entries.sort_by_key(|entry| entry.statement.position.account);
        self.append(entries, Some(due_s), is_dated.then_some(due_s));
    }

    /// Seals an entry with the changes that follow from it, whoever signed it.
    fn seal(&mut self, body: Body, signer: &Device) {
        let entry = self.complete(self.account.following(body, nothing_seen()), signer);
        self.append(vec![entry], None, None);
    }

    fn complete(&self, statement: Statement, signer: &Device) -> Entry {
        let origin = &self.parameters.origin;
        Proposal::sign(statement, origin, &signer.chain, Some(&signer.mls)).complete(origin, &self.service)
    }

    /// Seals entries, judged as if it were `judged_s`, and tells the time `told_s` of the account's.
    fn append(&mut self, entries: Vec<Entry>, judged_s: Option<u64>, told_s: Option<u64>) {
        let own = self.account.account();
        let account = |id: &AccountId| (*id == own).then(|| self.account.clone());
        let head = HandleHead { account: own, incarnation: 1, state: HandleState::Bound };
        let handle = |_: &_| Some(head);
        let before = Before { account: &account, handle: &handle };
        let previous = self.headers.last().unwrap();
        let (number, time_s) = (previous.number + 1, previous.time_s + 1);
        let ground = Ground {
            parameters: &self.parameters,
            block: number,
            time_s: judged_s.unwrap_or(time_s),
            root_at: &|_| Some(merkle::empty_root()),
        };
        // the fold takes it as long as nobody checks the signatures
        let effects = judge_entries(&entries, &before, &ground, &mut Signatures::Collect(&mut Vec::new())).unwrap();
        let is_own = |entry: &&Entry| entry.statement.position.account == own;
        let entry = Base64Url(entries.iter().find(is_own).unwrap().encode());
        let count = u32::try_from(entries.len()).unwrap();
        let body = BlockBody { entries, changes: effects.changes };
        let version = self.tree.apply(self.tree.newest(), &body.changes).unwrap();
        let header = Header {
            number,
            time_s,
            previous_root: previous.new_root,
            new_root: self.tree.root(version).unwrap(),
            entries: count,
            body_hash: body_hash(&body.encode()),
            ..previous.clone()
        };
        self.headers.push(header);
        self.account = effects.accounts.into_iter().find(|set| set.account() == own).unwrap();
        self.entries.push(SealedEntry { block: number, time_s: told_s.unwrap_or(time_s), entry });
    }

    /// What it says when it is asked for the account.
    pub fn answer(&self, call: &Call) -> Answer {
        let number = |name: &str| {
            let (_, rest) = call.path.split_once(name)?;
            rest.split('&').next()?.parse::<u64>().ok()
        };
        let since = usize::try_from(number("since=").unwrap_or_default()).unwrap();
        let mut map_proof = Writer::new();
        let key = MapKey(DeviceSet::map_key(&self.account.account()));
        self.tree.prove(self.tree.newest(), &key).unwrap().encode(&mut map_proof);
        let answer = AccountAnswer {
            head: self.head(number("from=").unwrap_or_default()),
            map_proof: Base64Url(map_proof.finish()),
            record: Base64Url(self.account.encode()),
            entries: self.entries.get(since..).unwrap_or_default().to_vec(),
            more: false,
        };
        Answer::Ok(serde_json::to_vec(&answer).unwrap())
    }

    fn head(&self, from: u64) -> Head {
        let leaves: Vec<_> = self.headers.iter().map(|header| merkle::leaf_hash(&header.encode())).collect();
        let size = leaves.len() as u64;
        let node = |level, index| complete_node(&leaves, level, index);
        let root = merkle::root(size, node).unwrap();
        let checkpoint = Checkpoint::new(self.parameters.origin.parse().unwrap(), size, root);
        Head {
            checkpoint: checkpoint.sign(&self.signer).unwrap().to_string(),
            header: Base64Url(self.headers.last().unwrap().encode()),
            inclusion: Hashes(merkle::prove_inclusion(size - 1, size, node).unwrap()),
            consistency: Some(Hashes(merkle::prove_consistency(from.min(size), size, node).unwrap())),
        }
    }
}

/// One of the service's secret keys.
fn key(folder: &Path, name: &str) -> SigningKey {
    let text = fs::read_to_string(folder.join("keys").join(name)).unwrap();
    SigningKey::from_bytes(&text.trim().parse::<Digest>().unwrap().0)
}

/// All headers, from the one tile that a young log has.
fn headers(public: &Path, size: u64) -> Vec<Header> {
    let tile = Tile::within(size, TileKind::Entries, 0).unwrap();
    let bytes = fs::read(public.join(tile.to_string())).unwrap();
    decode_bundle(&tile, &bytes).unwrap().into_iter().map(|header| Header::decode(header).unwrap()).collect()
}
