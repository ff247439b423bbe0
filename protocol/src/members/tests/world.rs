//! A record in memory that keeps the device set after every entry.

use std::collections::BTreeMap;

use chain::block::Parameters;
use chain::handle::VrfPublicKey;
use chain::id::{AccountId, DeviceId, DeviceKeys, Digest, PublicKey};
use chain::sigchain::body::{Answer, Body, Confirmer, ResetChoice};
use chain::sigchain::device_set::DeviceSet;
use chain::sigchain::entry::{Entry, Proposal, SeenCheckpoint, Signatures, Statement};
use chain::sigchain::fold::Ground;
use ed25519_dalek::SigningKey;

use crate::members::{Composition, Leaf, Members, Record, Roles, Standing};

/// A device with both secret keys.
#[derive(Clone)]
pub(super) struct Device {
    chain: SigningKey,
    mls: SigningKey,
}

impl Device {
    pub(super) fn new(number: u8) -> Self {
        let key = |purpose: u8| {
            let mut seed = [number; 32];
            seed[0] = purpose;
            SigningKey::from_bytes(&seed)
        };
        Self { chain: key(1), mls: key(2) }
    }

    pub(super) fn keys(&self) -> DeviceKeys {
        DeviceKeys { chain: PublicKey::from(&self.chain), mls: PublicKey::from(&self.mls) }
    }

    pub(super) fn id(&self) -> DeviceId {
        self.keys().id()
    }
}

/// The leaf of a device.
pub(super) fn leaf(account: AccountId, device: &Device) -> Leaf {
    Leaf { account, device: device.id(), key: device.keys().mls }
}

/// The log's root at a size.
pub(super) fn root(size: u64) -> Option<Digest> {
    Some(Digest::sha256(&size.to_be_bytes()))
}

type Lookup = Box<dyn Fn(&AccountId, &Standing) -> Option<DeviceSet>>;

/// A service's record.
pub(super) struct World {
    parameters: Parameters,
    service: SigningKey,
    block: u64,
    sets: BTreeMap<AccountId, Vec<DeviceSet>>,
}

impl World {
    pub(super) fn new() -> Self {
        let service = SigningKey::from_bytes(&[200; 32]);
        let vrf = PublicKey::from(&SigningKey::from_bytes(&[201; 32]));
        let parameters = Parameters {
            origin: "trefoil.example/log".into(),
            service_key: PublicKey::from(&service),
            vrf_key: VrfPublicKey::from_bytes(vrf.as_bytes()).unwrap(),
            policy: "quorum none\n".parse().unwrap(),
        };
        Self { parameters, service, block: 1, sets: BTreeMap::new() }
    }

    pub(super) fn log_at(&self, size: u64) -> SeenCheckpoint {
        SeenCheckpoint { size, root: root(size).unwrap() }
    }

    /// What the record says of an account now.
    pub(super) fn set(&self, account: &AccountId) -> &DeviceSet {
        self.sets[account].last().unwrap()
    }

    /// What it said after the entry with this number.
    pub(super) fn at(&self, account: &AccountId, sequence: usize) -> &DeviceSet {
        &self.sets[account][sequence]
    }

    /// What it said at a place; of the place alone, as a record does.
    pub(super) fn at_standing(&self, account: &AccountId, standing: &Standing) -> Option<DeviceSet> {
        self.sets.get(account)?.get(usize::try_from(standing.sequence).ok()?).cloned()
    }

    /// The proven facts.
    pub(super) fn record(&self) -> Record<'static> {
        let sets = self.sets.clone();
        let lookup: Lookup = Box::new(move |account, standing| {
            sets.get(account)?.get(usize::try_from(standing.sequence).ok()?).cloned()
        });
        Record { root: &root, set: Box::leak(lookup) }
    }

    /// The group of these accounts as the record has them now.
    pub(super) fn group(&self, accounts: &[AccountId], admins: &[AccountId]) -> Composition {
        let sets = || accounts.iter().map(|account| self.set(account));
        let leaves = |set: &DeviceSet| {
            let account = set.account();
            let leaf = |(device, it): (&DeviceId, &chain::sigchain::device_set::Confirmed)| Leaf {
                account,
                device: *device,
                key: it.keys.mls,
            };
            set.confirmed().iter().map(leaf).collect::<Vec<_>>()
        };
        Composition {
            members: Members {
                log: self.log_at(self.block),
                accounts: sets().map(|set| (set.account(), Standing::of(set))).collect(),
            },
            roles: Roles { admins: admins.iter().copied().collect(), open: false },
            leaves: sets().flat_map(leaves).collect(),
            epoch: 1,
        }
    }

    /// Opens an account.
    pub(super) fn open(&mut self, device: &Device) -> AccountId {
        let body = Body::AccountCreated {
            salt: [7; 32],
            device: device.keys(),
            reset_choice: ResetChoice::ThreeDays,
            handle: None,
            predecessor: None,
        };
        let entry = self.sign(Statement::opening(1, self.log_at(self.block), body), device);
        let set = DeviceSet::open(&entry, &self.ground(), &mut Signatures::CheckNow).unwrap();
        self.block += 1;
        let account = set.account();
        self.sets.insert(account, vec![set]);
        account
    }

    /// A device asks to be let in.
    pub(super) fn ask(&mut self, account: &AccountId, device: &Device) {
        let body = Body::DeviceAdded { device: device.keys(), commitments: [Digest::ZERO; 3] };
        self.append(account, body, device);
    }

    /// An older device lets it in.
    pub(super) fn confirm(&mut self, account: &AccountId, device: &Device, by: &Device) {
        let added = self.set(account).pending()[&device.id()].added;
        let answer = Answer { added, device: device.id(), signer: Confirmer::Device(by.id()) };
        self.append(account, Body::DeviceConfirmed(answer), by);
    }

    pub(super) fn join(&mut self, account: &AccountId, device: &Device, by: &Device) {
        self.ask(account, device);
        self.confirm(account, device, by);
    }

    pub(super) fn remove(&mut self, account: &AccountId, device: &Device, by: &Device) {
        self.append(account, Body::DeviceRemoved { devices: vec![device.id()], signer: by.id() }, by);
    }

    /// The account ends.
    pub(super) fn close(&mut self, account: &AccountId, by: &Device) {
        self.append(account, Body::AccountClosed { signer: by.id() }, by);
    }

    fn append(&mut self, account: &AccountId, body: Body, signer: &Device) {
        let entry = self.sign(self.set(account).following(body, self.log_at(self.block)), signer);
        let set = self.set(account).apply(&entry, &self.ground(), &mut Signatures::CheckNow).unwrap();
        self.block += 1;
        self.sets.get_mut(account).unwrap().push(set);
    }

    fn sign(&self, statement: Statement, signer: &Device) -> Entry {
        let origin = &self.parameters.origin;
        Proposal::sign(statement, origin, &signer.chain, Some(&signer.mls)).complete(origin, &self.service)
    }

    /// Every entry in a block of its own, long after the one before.
    fn ground(&self) -> Ground<'_> {
        Ground { parameters: &self.parameters, block: self.block, time_s: 1_800_000_000 + self.block, root_at: &root }
    }
}
