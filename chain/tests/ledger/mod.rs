//! A small log in memory for tests: honest by itself, with ways around the rules for those who want to lie.

use std::collections::BTreeMap;

use chain::audit::{Before, Effects, judge_entries};
use chain::block::{Body as BlockBody, Header, Parameters, body_hash};
use chain::encoding::Writer;
use chain::evidence::{Evidence, Lie};
use chain::handle::{Handle, HandleHead, VrfSecretKey};
use chain::id::{AccountId, DeviceId, DeviceKeys, Digest, HandleLabel, PublicKey};
use chain::log::checkpoint::Checkpoint;
use chain::log::note::{KeyKind, NoteSigner, SignedNote};
use chain::log::policy::Policy;
use chain::log::{cosignature, merkle};
use chain::map::{Change, MapKey, MapValue, Tree};
use chain::proven::{ProvenGenesis, ProvenHeader, ProvenRecord};
use chain::replay::Replay;
use chain::sealed_block::SealedBlock;
use chain::sigchain::body::{Answer, Body, Confirmer, ResetChoice};
use chain::sigchain::device_set::DeviceSet;
use chain::sigchain::entry::{Entry, Proposal, SeenCheckpoint, Signatures, Statement};
use chain::sigchain::fold::Ground;
use chain::stamped::StampedEntry;
use chain::view::{AccountEvidence, HandleEvidence, LogEvidence, View};
use ed25519_dalek::SigningKey;

pub(crate) const ORIGIN: &str = "trefoil.example/log";
/// Time of block 0, seconds since 1970.
pub(crate) const START_S: u64 = 1_790_000_000;
pub(crate) const HOUR_S: u64 = 3_600;

/// A device with its secret keys.
#[derive(Clone)]
pub(crate) struct Device {
    pub(crate) chain: SigningKey,
    pub(crate) mls: SigningKey,
}

impl Device {
    pub(crate) fn new(seed: u8) -> Self {
        let mut mls = [seed; 32];
        mls[0] ^= 0xff;
        Self { chain: SigningKey::from_bytes(&[seed; 32]), mls: SigningKey::from_bytes(&mls) }
    }

    pub(crate) fn keys(&self) -> DeviceKeys {
        DeviceKeys { chain: PublicKey::from(&self.chain), mls: PublicKey::from(&self.mls) }
    }

    pub(crate) fn id(&self) -> DeviceId {
        self.keys().id()
    }
}

pub(crate) fn alice_phone() -> Device {
    Device::new(0xa1)
}

pub(crate) fn alice_laptop() -> Device {
    Device::new(0xa2)
}

pub(crate) fn bob_phone() -> Device {
    Device::new(0xb1)
}

pub(crate) fn carol_phone() -> Device {
    Device::new(0xc1)
}

/// The device of nobody: what a lying service would like to slip in.
pub(crate) fn ghost() -> Device {
    Device::new(0x66)
}

/// What the service holds after a block.
#[derive(Clone, Default)]
struct State {
    map: BTreeMap<MapKey, MapValue>,
    sets: BTreeMap<AccountId, DeviceSet>,
    handles: BTreeMap<HandleLabel, HandleHead>,
}

impl State {
    fn tree(&self) -> Tree {
        Tree::from_sorted(self.map.iter().map(|(key, value)| (*key, *value))).unwrap()
    }

    fn root(&self) -> Digest {
        let tree = self.tree();
        tree.root(tree.newest()).unwrap()
    }

    fn prove(&self, key: Digest) -> Vec<u8> {
        let tree = self.tree();
        let mut w = Writer::new();
        tree.prove(tree.newest(), &MapKey(key)).unwrap().encode(&mut w);
        w.finish()
    }
}

/// A log, its map, its service and its witnesses.
#[derive(Clone)]
pub(crate) struct Ledger {
    log: NoteSigner,
    witnesses: Vec<NoteSigner>,
    pub(crate) policy: Policy,
    pub(crate) parameters: Parameters,
    pub(crate) headers: Vec<Vec<u8>>,
    pub(crate) bodies: Vec<Vec<u8>>,
    states: Vec<State>,
    entries: BTreeMap<AccountId, Vec<StampedEntry>>,
}

impl Ledger {
    /// Block 0 of a log with a quorum of `quorum` of `witnesses`; 0 of 0 for none.
    pub(crate) fn new(quorum: usize, witnesses: u8) -> Self {
        Self::named(ORIGIN, quorum, witnesses)
    }

    pub(crate) fn named(origin: &str, quorum: usize, witnesses: u8) -> Self {
        let signer = |name: String, kind, seed| {
            NoteSigner::new(name.parse().unwrap(), kind, SigningKey::from_bytes(&[seed; 32]))
        };
        let log = signer(origin.to_owned(), KeyKind::Ed25519, origin.len() as u8);
        let witnesses: Vec<_> = (0..witnesses)
            .map(|at| signer(format!("witness.example/w{at}"), KeyKind::CosignatureV1, 10 + at))
            .collect();
        let policy = policy_text(&log, &witnesses, quorum).parse::<Policy>().unwrap();
        let parameters = Parameters {
            origin: origin.to_owned(),
            service_key: PublicKey::from(&service_key()),
            vrf_key: vrf_key().public(),
            policy: policy.clone(),
        };
        Self {
            headers: vec![parameters.genesis(START_S).encode()],
            bodies: vec![parameters.encode()],
            states: vec![State::default()],
            entries: BTreeMap::new(),
            log,
            witnesses,
            policy,
            parameters,
        }
    }

    pub(crate) fn size(&self) -> u64 {
        self.headers.len() as u64
    }

    /// Time of the newest block.
    pub(crate) fn time_s(&self) -> u64 {
        self.header(self.size() - 1).time_s
    }

    fn header(&self, number: u64) -> Header {
        Header::decode(&self.headers[number as usize]).unwrap()
    }

    fn leaves(&self) -> Vec<Digest> {
        self.headers.iter().map(|header| merkle::leaf_hash(header)).collect()
    }

    pub(crate) fn node(&self, level: u8, index: u64) -> Option<Digest> {
        if level == 0 {
            return self.headers.get(index as usize).map(|header| merkle::leaf_hash(header));
        }
        Some(merkle::node_hash(&self.node(level - 1, 2 * index)?, &self.node(level - 1, 2 * index + 1)?))
    }

    pub(crate) fn root_at(&self, size: u64) -> Digest {
        merkle::root(size, |level, index| self.node(level, index)).unwrap()
    }

    pub(crate) fn inclusion(&self, number: u64, size: u64) -> Vec<Digest> {
        merkle::prove_inclusion(number, size, |level, index| self.node(level, index)).unwrap()
    }

    pub(crate) fn consistency(&self, old: u64, new: u64) -> Vec<Digest> {
        merkle::prove_consistency(old, new, |level, index| self.node(level, index)).unwrap()
    }

    /// The way from the old size to the new one that also says what the root at the old size was.
    pub(crate) fn telling_path(&self, old: u64, new: u64) -> Vec<Digest> {
        let mut path = self.consistency(old, new);
        if old.is_power_of_two() && old < new {
            path.insert(0, self.root_at(old));
        }
        path
    }

    /// What is said of an account after the newest block.
    pub(crate) fn set(&self, account: &AccountId) -> &DeviceSet {
        &self.states.last().unwrap().sets[account]
    }

    pub(crate) fn entries(&self, account: &AccountId) -> &[StampedEntry] {
        &self.entries[account]
    }

    /// The map after the newest block.
    pub(crate) fn tree(&self) -> Tree {
        self.states.last().unwrap().tree()
    }

    fn seen(&self) -> SeenCheckpoint {
        SeenCheckpoint { size: self.size(), root: self.root_at(self.size()) }
    }

    /// The first entry of an account.
    pub(crate) fn open(&self, device: &Device, handle: Option<&str>) -> Entry {
        let label = |name: &str| vrf_key().prove(&Handle::parse(name).unwrap()).unwrap().1;
        let body = Body::AccountCreated {
            salt: [7; 32],
            device: device.keys(),
            reset_choice: ResetChoice::OneDay,
            handle: handle.map(label),
            predecessor: None,
        };
        self.sign(Statement::opening(1, self.seen(), body), device)
    }

    /// The next entry of an account, signed by this device whatever the body says.
    pub(crate) fn follow(&self, account: &AccountId, body: Body, device: &Device) -> Entry {
        self.sign(self.set(account).following(body, self.seen()), device)
    }

    pub(crate) fn sign(&self, statement: Statement, device: &Device) -> Entry {
        let origin = &self.parameters.origin;
        Proposal::sign(statement, origin, &device.chain, Some(&device.mls)).complete(origin, &service_key())
    }

    pub(crate) fn add(&self, account: &AccountId, device: &Device) -> Entry {
        let body = Body::DeviceAdded { device: device.keys(), commitments: [Digest([3; 32]); 3] };
        self.follow(account, body, device)
    }

    /// The confirmation of a pending device in the name of `by`, signed by `signer`.
    pub(crate) fn confirm(&self, account: &AccountId, device: &Device, by: &Device, signer: &Device) -> Entry {
        let added = self.set(account).pending()[&device.id()].added;
        let answer = Answer { added, device: device.id(), signer: Confirmer::Device(by.id()) };
        self.follow(account, Body::DeviceConfirmed(answer), signer)
    }

    pub(crate) fn remove(&self, account: &AccountId, device: &Device, by: &Device) -> Entry {
        let body = Body::DeviceRemoved { devices: vec![device.id()], signer: by.id() };
        self.follow(account, body, by)
    }

    pub(crate) fn choose(&self, account: &AccountId, choice: ResetChoice, by: &Device) -> Entry {
        self.follow(account, Body::ResetChoiceSet { choice, signer: by.id() }, by)
    }

    /// Opens an account in a block of its own, ten seconds later.
    pub(crate) fn opened(&mut self, device: &Device, handle: Option<&str>) -> AccountId {
        let entry = self.open(device, handle);
        let account = entry.statement.position.account;
        self.seal(vec![entry], self.time_s() + 10);
        account
    }

    /// What the entries of one block do.
    pub(crate) fn effects(&self, entries: &[Entry], time_s: u64, signatures: &mut Signatures<'_>) -> Effects {
        let root_at = |size| (size <= self.size()).then(|| self.root_at(size));
        let ground = Ground { parameters: &self.parameters, block: self.size(), time_s, root_at: &root_at };
        self.judge(entries, &ground, signatures)
    }

    fn judge(&self, entries: &[Entry], pretended: &Ground<'_>, signatures: &mut Signatures<'_>) -> Effects {
        let state = self.states.last().unwrap();
        let before =
            Before { account: &|id| state.sets.get(id).cloned(), handle: &|label| state.handles.get(label).copied() };
        judge_entries(entries, &before, pretended, signatures).unwrap()
    }

    /// Seals a block by the rules.
    pub(crate) fn seal(&mut self, mut entries: Vec<Entry>, time_s: u64) {
        entries.sort_by_key(|entry| entry.statement.position.account);
        let effects = self.effects(&entries, time_s, &mut Signatures::CheckNow);
        self.seal_unchecked(entries, effects, time_s);
    }

    /// Seals an entry as if its signatures held and it were `pretended_s` already.
    pub(crate) fn seal_forged(&mut self, entry: Entry, time_s: u64, pretended_s: u64) {
        let parameters = Ledger::new(0, 0).parameters;
        let ground = Ground { parameters: &parameters, block: self.size(), time_s: pretended_s, root_at: &|_| None };
        let account = entry.statement.position.account;
        let signatures = &mut Signatures::Collect(&mut Vec::new());
        let set = match self.states.last().unwrap().sets.get(&account) {
            Some(set) => set.apply(&entry, &ground, signatures).unwrap(),
            None => DeviceSet::open(&entry, &ground, signatures).unwrap(),
        };
        self.seal_as(entry, &set, time_s);
    }

    /// Seals an entry and says that it gives this state. Position and history are made to fit, or no client could
    /// arrive at them.
    pub(crate) fn seal_as(&mut self, entry: Entry, claimed: &DeviceSet, time_s: u64) {
        let old = self.states.last().unwrap().sets.get(&claimed.account()).cloned();
        let before = old.as_ref().map_or(Digest::ZERO, DeviceSet::history);
        let mut record = claimed.encode();
        record[36..44].copy_from_slice(&entry.statement.position.sequence.to_be_bytes());
        record[44..76].copy_from_slice(&entry.hash().0);
        record[76..108].copy_from_slice(&DeviceSet::next_history(&before, &entry.hash(), self.size(), time_s).0);
        let set = DeviceSet::decode(&record).unwrap();
        let change = account_change(old.as_ref(), &set);
        let effects = Effects { accounts: vec![set], changes: vec![change], ..Effects::default() };
        self.seal_unchecked(vec![entry], effects, time_s);
    }

    /// Puts a state into the map that no entry explains: the record goes back, or aside.
    pub(crate) fn seal_record(&mut self, set: DeviceSet, time_s: u64) {
        let change = account_change(Some(self.set(&set.account())), &set);
        let effects = Effects { accounts: vec![set], changes: vec![change], ..Effects::default() };
        self.seal_unchecked(Vec::new(), effects, time_s);
    }

    /// Seals whatever it is told.
    pub(crate) fn seal_unchecked(&mut self, entries: Vec<Entry>, effects: Effects, time_s: u64) {
        let body = BlockBody { entries, changes: effects.changes.clone() };
        self.seal_bent(&body, effects, time_s, |_| ());
    }

    /// Seals a body as it is, under a header that is bent before.
    pub(crate) fn seal_bent(&mut self, body: &BlockBody, effects: Effects, time_s: u64, bend: impl Fn(&mut Header)) {
        let mut state = self.states.last().unwrap().clone();
        let previous_root = state.root();
        state.map.extend(effects.changes.iter().map(|change| (change.key, change.new)));
        state.sets.extend(effects.accounts.into_iter().map(|set| (set.account(), set)));
        state.handles.extend(effects.handles);
        let bytes = body.encode();
        let mut header = Header {
            number: self.size(),
            time_s,
            previous_root,
            new_root: state.root(),
            entries: body.entries.len() as u32,
            body_hash: body_hash(&bytes),
            ..self.header(0)
        };
        bend(&mut header);
        for entry in &body.entries {
            let stamped = StampedEntry { block: self.size(), time_s, entry: entry.encode() };
            self.entries.entry(entry.statement.position.account).or_default().push(stamped);
        }
        self.headers.push(header.encode());
        self.bodies.push(bytes);
        self.states.push(state);
    }

    /// Blocks without entries up to this size, a minute apart.
    pub(crate) fn grow(&mut self, size: u64) {
        while self.size() < size {
            self.seal(Vec::new(), self.time_s() + 60);
        }
    }

    /// The signed note of the log at `size`, cosigned by these witnesses at this time.
    pub(crate) fn checkpoint(&self, size: u64, witnesses: &[usize], time_s: u64) -> Vec<u8> {
        let checkpoint = Checkpoint::new(self.parameters.origin.parse().unwrap(), size, self.root_at(size));
        let text = checkpoint.to_text();
        let mut lines = vec![self.log.sign(&text).unwrap()];
        let cosign = |at: &usize| cosignature::cosign(&self.witnesses[*at], &checkpoint, time_s).unwrap();
        lines.extend(witnesses.iter().map(cosign));
        SignedNote::new(&text, &lines).unwrap().to_string().into_bytes()
    }

    fn all(&self) -> Vec<usize> {
        (0..self.witnesses.len()).collect()
    }

    /// Header `number` in the checkpoint of `size`, cosigned by all a second after the newest block.
    pub(crate) fn proven_header(&self, number: u64, size: u64) -> ProvenHeader {
        self.proven_header_in(number, size, self.checkpoint(size, &self.all(), self.header(size - 1).time_s + 1))
    }

    pub(crate) fn proven_header_in(&self, number: u64, size: u64, checkpoint: Vec<u8>) -> ProvenHeader {
        let (header, inclusion) = (self.headers[number as usize].clone(), self.inclusion(number, size));
        ProvenHeader { checkpoint, header, inclusion }
    }

    /// The newest header, cosigned by these witnesses at this time.
    pub(crate) fn newest(&self, witnesses: &[usize], time_s: u64) -> ProvenHeader {
        let size = self.size();
        self.proven_header_in(size - 1, size, self.checkpoint(size, witnesses, time_s))
    }

    pub(crate) fn genesis(&self, size: u64) -> ProvenGenesis {
        let (header, parameters) = (self.headers[0].clone(), self.bodies[0].clone());
        ProvenGenesis { header, inclusion: self.inclusion(0, size), parameters }
    }

    /// The first look of somebody, now.
    pub(crate) fn view(&self) -> View {
        let size = self.size();
        let newest = self.proven_header(size - 1, size);
        View::begin(self.policy.clone(), self.genesis(size), newest, self.time_s() + 1).unwrap()
    }

    /// What leads from an older size to now.
    pub(crate) fn log_evidence(&self, from: u64) -> LogEvidence {
        let size = self.size();
        LogEvidence { newest: self.proven_header(size - 1, size), consistency: self.consistency(from, size) }
    }

    /// What the service answers about an account, now; `since` is the sequence number that is known.
    pub(crate) fn account_evidence(&self, account: &AccountId, since: Option<u64>) -> AccountEvidence {
        let state = self.states.last().unwrap();
        let skip = since.map_or(0, |sequence| sequence as usize + 1);
        AccountEvidence {
            proof: state.prove(DeviceSet::map_key(account)),
            record: state.sets[account].encode(),
            entries: self.entries[account].get(skip..).unwrap_or_default().to_vec(),
        }
    }

    pub(crate) fn handle_evidence(&self, handle: &str) -> HandleEvidence {
        let state = self.states.last().unwrap();
        let (vrf, label) = vrf_key().prove(&Handle::parse(handle).unwrap()).unwrap();
        let head = state.handles.get(&label).map(HandleHead::encode).unwrap_or_default();
        HandleEvidence { vrf: vrf.0, proof: state.prove(Digest(label.0)), head }
    }

    /// The account's state as block `number` left it, in the newest checkpoint.
    pub(crate) fn proven_record(&self, account: &AccountId, number: u64) -> ProvenRecord {
        let state = &self.states[number as usize];
        ProvenRecord {
            at: self.proven_header(number, self.size()),
            proof: state.prove(DeviceSet::map_key(account)),
            record: state.sets[account].encode(),
        }
    }

    /// Block `number` as an auditor shows it, who replayed everything before.
    pub(crate) fn sealed(&self, number: u64) -> SealedBlock {
        let mut replay = Replay::new();
        for (header, body) in self.headers.iter().zip(&self.bodies).take(number as usize) {
            replay.apply(header, body, &mut Vec::new()).unwrap();
        }
        let size = self.size();
        let checkpoint = Checkpoint::new(self.parameters.origin.parse().unwrap(), size, self.root_at(size));
        let note = self.checkpoint(size, &self.all(), self.time_s() + 1);
        let at = number as usize;
        replay.accuse(&note, &checkpoint, &self.leaves(), &self.headers[at], &self.bodies[at]).unwrap()
    }

    pub(crate) fn evidence(&self, lie: Lie) -> Evidence {
        Evidence { policy: self.policy.clone(), lie }
    }

    pub(crate) fn log_key(&self) -> String {
        self.log.verifier_key().to_string()
    }

    pub(crate) fn witness_key(&self, at: usize) -> String {
        self.witnesses[at].verifier_key().to_string()
    }
}

/// `quorum` of the witnesses, one of whom is enough for nothing unless the text says so.
pub(crate) fn policy_text(log: &NoteSigner, witnesses: &[NoteSigner], quorum: usize) -> String {
    let mut text = format!("log {}\n", log.verifier_key());
    for (at, witness) in witnesses.iter().enumerate() {
        text.push_str(&format!("witness w{at} {}\n", witness.verifier_key()));
    }
    if quorum == 0 {
        return text + "quorum none\n";
    }
    let names: String = (0..witnesses.len()).map(|at| format!(" w{at}")).collect();
    text + &format!("group g {quorum}{names}\nquorum g\n")
}

fn account_change(old: Option<&DeviceSet>, new: &DeviceSet) -> Change {
    Change {
        key: MapKey(DeviceSet::map_key(&new.account())),
        old: old.map(|set| MapValue(set.map_value())),
        new: MapValue(new.map_value()),
    }
}

fn service_key() -> SigningKey {
    SigningKey::from_bytes(&[2; 32])
}

fn vrf_key() -> VrfSecretKey {
    VrfSecretKey::from_seed(&[4; 32]).unwrap()
}
