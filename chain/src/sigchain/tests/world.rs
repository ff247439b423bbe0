//! A record in memory: one service, its accounts, and a clock that only the test moves.

use std::collections::BTreeMap;

use ed25519_dalek::SigningKey;

use crate::audit::{Before, BlockBroken, Effects, judge_entries};
use crate::block::Parameters;
use crate::handle::{HandleHead, VrfPublicKey};
use crate::id::{AccountId, DeviceId, DeviceKeys, Digest, HandleLabel, PublicKey};
use crate::sigchain::body::{Answer, Body, Confirmer, Predecessor, ResetChoice};
use crate::sigchain::broken::RuleBroken;
use crate::sigchain::device_set::DeviceSet;
use crate::sigchain::entry::{Entry, Proposal, Role, SeenCheckpoint, Signatures, Statement};
use crate::sigchain::fold::Ground;
use crate::sigchain::rules::{CODE_COMMITMENTS, YOUNG_FOR_S};

/// Block time at which every world begins, seconds.
pub(crate) const START_S: u64 = 1_800_000_000;

/// A device with both secret keys.
#[derive(Clone)]
pub(crate) struct Device {
    pub(crate) chain: SigningKey,
    pub(crate) mls: SigningKey,
}

impl Device {
    /// The device of a number: the same in every run.
    pub(crate) fn new(number: u8) -> Self {
        let key = |purpose: u8| {
            let mut seed = [number; 32];
            seed[0] = purpose;
            SigningKey::from_bytes(&seed)
        };
        Self { chain: key(1), mls: key(2) }
    }

    pub(crate) fn keys(&self) -> DeviceKeys {
        DeviceKeys { chain: PublicKey::from(&self.chain), mls: PublicKey::from(&self.mls) }
    }

    pub(crate) fn id(&self) -> DeviceId {
        self.keys().id()
    }
}

/// The log's root at a size, in every world.
pub(crate) fn root_at(size: u64) -> Option<Digest> {
    Some(Digest::sha256(&size.to_be_bytes()))
}

/// A service's record, with its keys.
pub(crate) struct World {
    pub(crate) parameters: Parameters,
    pub(crate) service: SigningKey,
    /// Number of the next block.
    pub(crate) block: u64,
    /// Time of the next block, seconds.
    pub(crate) time_s: u64,
    pub(crate) accounts: BTreeMap<AccountId, DeviceSet>,
    pub(crate) handles: BTreeMap<HandleLabel, HandleHead>,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::of_service("trefoil.example/chain", 200)
    }

    /// A world of the service with this origin and this key number.
    pub(crate) fn of_service(origin: &str, key: u8) -> Self {
        let service = SigningKey::from_bytes(&[key; 32]);
        let vrf = PublicKey::from(&SigningKey::from_bytes(&[201; 32]));
        let parameters = Parameters {
            origin: origin.into(),
            service_key: PublicKey::from(&service),
            vrf_key: VrfPublicKey::from_bytes(vrf.as_bytes()).unwrap(),
            policy: "quorum none\n".parse().unwrap(),
        };
        let (accounts, handles) = (BTreeMap::new(), BTreeMap::new());
        Self { parameters, service, block: 1, time_s: START_S, accounts, handles }
    }

    /// A world with one account, opened by device 1 and older than DEV-8 asks.
    pub(crate) fn with_account() -> (Self, AccountId, Device) {
        let mut world = Self::new();
        let first = Device::new(1);
        let account = world.open(&first);
        world.wait(YOUNG_FOR_S);
        (world, account, first)
    }

    pub(crate) fn wait(&mut self, seconds: u64) {
        self.time_s += seconds;
    }

    pub(crate) fn ground(&self) -> Ground<'_> {
        Ground { parameters: &self.parameters, block: self.block, time_s: self.time_s, root_at: &root_at }
    }

    /// What an honest author names: the log before the next block.
    pub(crate) fn checkpoint(&self) -> SeenCheckpoint {
        SeenCheckpoint { size: self.block, root: root_at(self.block).unwrap() }
    }

    pub(crate) fn set(&self, account: &AccountId) -> &DeviceSet {
        &self.accounts[account]
    }

    /// True if the device counts.
    pub(crate) fn counts(&self, account: &AccountId, device: &Device) -> bool {
        self.set(account).confirmed().contains_key(&device.id())
    }

    /// Judges an entry with all its signatures, and changes nothing.
    pub(crate) fn judge(&self, entry: &Entry) -> Result<DeviceSet, RuleBroken> {
        self.judge_with(entry, &mut Signatures::CheckNow)
    }

    pub(crate) fn judge_with(&self, entry: &Entry, by: &mut Signatures<'_>) -> Result<DeviceSet, RuleBroken> {
        match self.accounts.get(&entry.statement.position.account) {
            None => DeviceSet::open(entry, &self.ground(), by),
            Some(set) => set.apply(entry, &self.ground(), by),
        }
    }

    /// Judges an entry in a block of its own and, if it is allowed, keeps what it does.
    pub(crate) fn submit(&mut self, entry: Entry) -> Result<(), RuleBroken> {
        let set = self.judge(&entry)?;
        self.accounts.insert(set.account(), set);
        self.block += 1;
        Ok(())
    }

    /// The code with which an entry is refused.
    pub(crate) fn refusal(&self, entry: &Entry) -> &'static str {
        self.judge(entry).expect_err("the entry is refused").code()
    }

    /// What these entries do in one block.
    pub(crate) fn judge_block(&self, entries: &[Entry]) -> Result<Effects, BlockBroken> {
        let account = |id: &AccountId| self.accounts.get(id).cloned();
        let handle = |label: &HandleLabel| self.handles.get(label).copied();
        let before = Before { account: &account, handle: &handle };
        judge_entries(entries, &before, &self.ground(), &mut Signatures::CheckNow)
    }

    /// Seals these entries, in the order of their accounts, as one block.
    pub(crate) fn seal(&mut self, mut entries: Vec<Entry>) -> Result<(), BlockBroken> {
        entries.sort_by_key(|entry| entry.statement.position.account);
        let effects = self.judge_block(&entries)?;
        self.accounts.extend(effects.accounts.into_iter().map(|set| (set.account(), set)));
        self.handles.extend(effects.handles);
        self.block += 1;
        Ok(())
    }

    /// Signs a statement as the device, and as the service where the kind asks for it.
    pub(crate) fn sign(&self, statement: Statement, signer: &Device) -> Entry {
        let origin = &self.parameters.origin;
        Proposal::sign(statement, origin, &signer.chain, Some(&signer.mls)).complete(origin, &self.service)
    }

    /// The next entry of an account, signed.
    pub(crate) fn entry(&self, account: &AccountId, body: Body, signer: &Device) -> Entry {
        self.sign(self.set(account).following(body, self.checkpoint()), signer)
    }

    /// The first entry of an account.
    pub(crate) fn opening(&self, device: &Device, handle: Option<HandleLabel>) -> Entry {
        let (salt, reset_choice) = ([7; 32], ResetChoice::ThreeDays);
        let body = Body::AccountCreated { salt, device: device.keys(), reset_choice, handle, predecessor: None };
        self.sign(Statement::opening(1, self.checkpoint(), body), device)
    }

    pub(crate) fn open(&mut self, device: &Device) -> AccountId {
        let entry = self.opening(device, None);
        let account = entry.statement.position.account;
        self.submit(entry).unwrap();
        account
    }

    pub(crate) fn added(&self, account: &AccountId, device: &Device) -> Entry {
        let body = Body::DeviceAdded { device: device.keys(), commitments: [Digest::ZERO; CODE_COMMITMENTS] };
        self.entry(account, body, device)
    }

    /// The answer to the open request of a device.
    fn answer<Signer>(&self, account: &AccountId, device: &Device, signer: Signer) -> Answer<Signer> {
        let added = self.set(account).pending().get(&device.id()).expect("the device is pending").added;
        Answer { added, device: device.id(), signer }
    }

    pub(crate) fn confirmed(&self, account: &AccountId, device: &Device, by: &Device) -> Entry {
        let answer = self.answer(account, device, Confirmer::Device(by.id()));
        self.entry(account, Body::DeviceConfirmed(answer), by)
    }

    pub(crate) fn confirmed_by_recovery_key(&self, account: &AccountId, device: &Device, key: &Device) -> Entry {
        let answer = self.answer(account, device, Confirmer::RecoveryKey);
        self.entry(account, Body::DeviceConfirmed(answer), key)
    }

    pub(crate) fn refused(&self, account: &AccountId, device: &Device, by: &Device) -> Entry {
        let answer = self.answer(account, device, by.id());
        self.entry(account, Body::DeviceRefused(answer), by)
    }

    pub(crate) fn removed(&self, account: &AccountId, devices: &[&Device], by: &Device) -> Entry {
        let mut devices: Vec<_> = devices.iter().map(|device| device.id()).collect();
        devices.sort();
        self.entry(account, Body::DeviceRemoved { devices, signer: by.id() }, by)
    }

    /// Sets the recovery key to the chain key of `key`.
    pub(crate) fn recovery_key_set(&self, account: &AccountId, key: Option<&Device>, by: &Device) -> Entry {
        let key = key.map(|key| PublicKey::from(&key.chain));
        self.entry(account, Body::RecoveryKeySet { key, signer: by.id() }, by)
    }

    pub(crate) fn choice_set(&self, account: &AccountId, choice: ResetChoice, by: &Device) -> Entry {
        self.entry(account, Body::ResetChoiceSet { choice, signer: by.id() }, by)
    }

    pub(crate) fn handle_bound(&self, account: &AccountId, handle: Option<HandleLabel>, by: &Device) -> Entry {
        self.entry(account, Body::HandleBound { handle, signer: by.id() }, by)
    }

    pub(crate) fn closed(&self, account: &AccountId, by: &Device) -> Entry {
        self.entry(account, Body::AccountClosed { signer: by.id() }, by)
    }

    /// Adds a device and lets another confirm it, in two entries.
    pub(crate) fn join(&mut self, account: &AccountId, device: &Device, by: &Device) {
        self.submit(self.added(account, device)).unwrap();
        self.submit(self.confirmed(account, device, by)).unwrap();
    }

    /// The opening of the identity that follows an account, if its reset is announced now.
    pub(crate) fn successor(&self, account: &AccountId, device: &Device, handle: Option<HandleLabel>) -> Entry {
        let set = self.set(account);
        let predecessor = Some(Predecessor { account: *account, head: set.head() });
        let (salt, reset_choice) = ([8; 32], ResetChoice::ThreeDays);
        let body = Body::AccountCreated { salt, device: device.keys(), reset_choice, handle, predecessor };
        self.sign(Statement::opening(set.generation() + 1, self.checkpoint(), body), device)
    }

    pub(crate) fn announced(&self, account: &AccountId, successor: &Entry, device: &Device) -> Entry {
        let successor = successor.statement.position.account;
        self.entry(account, Body::ResetRequested { successor, device: device.keys() }, device)
    }

    pub(crate) fn vetoed(&self, account: &AccountId, by: &Device) -> Entry {
        let notice = self.set(account).notice().expect("a reset is announced").hash;
        self.entry(account, Body::ResetVetoed { notice, signer: by.id() }, by)
    }

    /// The end of an account in favour of a successor.
    pub(crate) fn reset(&self, account: &AccountId, successor: &Entry) -> Entry {
        self.reset_to(account, successor.statement.position.account)
    }

    pub(crate) fn reset_to(&self, account: &AccountId, successor: AccountId) -> Entry {
        let (notice_checkpoint, later_checkpoint) = self.wait_proof();
        let body = Body::AccountReset { successor, notice_checkpoint, later_checkpoint };
        let statement = self.set(account).following(body, self.checkpoint());
        assert_eq!(statement.roles(), [Role::Service]);
        self.sign(statement, &Device::new(0))
    }

    /// Two checkpoints that prove the wait of a reset to the policy in block 0 (RST-5), which has no witness here.
    fn wait_proof(&self) -> (Vec<u8>, Vec<u8>) {
        (Vec::new(), Vec::new())
    }
}
