//! This device itself: its account, its keys, and how far it has come.

use std::cell::RefCell;

use chain::id::{AccountId, DeviceId, DeviceKeys, PublicKey};
use ed25519_dalek::SigningKey;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::device::Device;
use crate::error::Error;
use crate::log_in::LogIn;
use crate::reset::Resetting;
use crate::sign_up::SignUp;
use crate::step::Joining;
use crate::store::Store;
use crate::turn::Turn;

const OWN: &str = "own";

/// What this device keeps of itself.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Own {
    /// The service's address, for the shell.
    pub(crate) service: String,
    /// The handle, as the person typed it and the record has it.
    pub(crate) handle: String,
    /// How the device is called, for its own account only.
    pub(crate) device_name: String,
    /// What it is ([`protocol::introduction::DeviceKind`]).
    #[serde(default)]
    pub(crate) device_kind: u8,
    /// Known once this device is in the record.
    pub(crate) account: Option<[u8; 32]>,
    id: [u8; 16],
    chain: Zeroizing<[u8; 32]>,
    mls: Zeroizing<[u8; 32]>,
    pub(crate) phase: Phase,
}

/// How far it has come.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) enum Phase {
    /// On its way to a new account.
    SigningUp(Box<SignUp>),
    /// On its way into the record as a waiting device.
    LoggingIn(Box<LogIn>),
    /// In the record, waits to be confirmed.
    Pending(Box<LogIn>),
    /// Has announced a reset, and waits until it is due.
    Resetting(Box<Resetting>),
    /// Counts.
    Confirmed,
    /// Was refused, removed, or nobody answered; the code says which.
    Ended(String),
}

impl Own {
    /// A device that is about to join, with new keys.
    pub(crate) fn new(handle: String, joining: &Joining, phase: Phase) -> Result<Self, Error> {
        let (chain, mls) = (Zeroizing::new(random()?), Zeroizing::new(random()?));
        let (service, device_name) = (joining.service.clone(), joining.device_name.clone());
        let device_kind = joining.device_kind.number();
        let mut own = Self { service, handle, device_name, device_kind, account: None, id: [0; 16], chain, mls, phase };
        own.id = own.keys().id().0;
        Ok(own)
    }

    /// True if it counts no more.
    pub(crate) fn has_ended(&self) -> bool {
        matches!(self.phase, Phase::Ended(_))
    }

    /// Its account, once that is known.
    pub(crate) fn account(&self) -> Option<AccountId> {
        self.account.map(AccountId)
    }

    /// Its public keys.
    pub(crate) fn keys(&self) -> DeviceKeys {
        DeviceKeys {
            chain: PublicKey::from(&self.chain_key()),
            mls: PublicKey::from(&SigningKey::from_bytes(&self.mls)),
        }
    }

    /// Its id.
    pub(crate) fn id(&self) -> DeviceId {
        DeviceId(self.id)
    }

    /// The key that signs entries and requests.
    pub(crate) fn chain_key(&self) -> SigningKey {
        SigningKey::from_bytes(&self.chain)
    }

    /// The key of its leaves.
    pub(crate) fn mls_key(&self) -> SigningKey {
        SigningKey::from_bytes(&self.mls)
    }

    /// Its keys with its account, while it is in the record.
    pub(crate) fn device(&self) -> Option<Device> {
        if !self.is_listed() {
            return None;
        }
        Some(Device { account: self.account()?, chain: self.chain_key(), mls: self.mls_key() })
    }

    /// True if these are its keys, and it is in the record.
    fn has(&self, device: &Device) -> bool {
        let keys = (device.chain.as_bytes(), device.mls.as_bytes());
        self.is_listed() && self.account() == Some(device.account) && keys == (&*self.chain, &*self.mls)
    }

    /// True if the record confirmed it, as far as this device knows.
    pub(crate) fn is_confirmed(&self) -> bool {
        matches!(self.phase, Phase::Confirmed)
    }

    /// True while the record has it, waiting or confirmed, as far as this device knows.
    pub(crate) fn is_listed(&self) -> bool {
        matches!(self.phase, Phase::Pending(_) | Phase::Confirmed)
    }

    /// Ends: keys and what was on its way are gone, the account's name stays for whoever reads here.
    pub(crate) fn end(&mut self, code: &str) {
        self.chain = Zeroizing::default();
        self.mls = Zeroizing::default();
        self.phase = Phase::Ended(code.to_owned());
    }
}

/// What a step has read of this device: nearly every part of it asks, and to read it is to open, parse and derive keys.
#[derive(Default)]
pub(crate) struct OwnRead {
    own: RefCell<Option<Own>>,
    device: RefCell<Option<Device>>,
}

impl OwnRead {
    /// What the store has is another one now.
    pub(crate) fn forget(&self) {
        self.own.take();
        self.device.take();
    }
}

impl Turn<'_> {
    /// This device, if it has begun to join.
    pub(crate) fn own(&self) -> Result<Option<Own>, Error> {
        let mut read = self.own_read.own.borrow_mut();
        if read.is_none() {
            *read = stored(&self.store)?;
        }
        Ok(read.clone())
    }

    /// Its keys with its account, while it is in the record.
    pub(crate) fn own_device(&self) -> Result<Option<Device>, Error> {
        let mut read = self.own_read.device.borrow_mut();
        if read.is_none() {
            let Some(own) = self.own()? else { return Ok(None) };
            // to derive the public keys takes longer than the rest of a small step
            let mut derived = self.memory.device.borrow_mut();
            if !derived.as_ref().is_some_and(|device| own.has(device)) {
                *derived = own.device();
            }
            read.clone_from(&derived);
        }
        Ok(read.clone())
    }

    /// Keeps a change of this device.
    pub(crate) fn keep_own(&self, own: &Own) -> Result<(), Error> {
        self.own_read.forget();
        self.store.put(OWN, b"device", own)
    }
}

/// This device as the store has it.
pub(crate) fn stored(store: &Store<'_>) -> Result<Option<Own>, Error> {
    store.get(OWN, b"device")
}

/// Random bytes of the system.
pub(crate) fn random<const N: usize>() -> Result<[u8; N], Error> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|_| Error::Randomness)?;
    Ok(bytes)
}

/// The system's randomness, as `protocol::opaque` takes it.
pub(crate) fn fill(bytes: &mut [u8]) -> bool {
    getrandom::fill(bytes).is_ok()
}
