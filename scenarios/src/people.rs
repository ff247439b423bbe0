//! People with devices. They sign what they are told to, right or wrong: whether it counts is the product's business.

use chain::id::{AccountId, DeviceId, DeviceKeys, Digest, HandleLabel, PublicKey};
use chain::log::merkle;
use chain::sigchain::body::{Answer as BodyAnswer, Body, Confirmer, ResetChoice};
use chain::sigchain::device_set::DeviceSet;
use chain::sigchain::entry::{Proposal, SeenCheckpoint, Statement};
use ed25519_dalek::SigningKey;

use crate::api::{Answer, Api};

/// A device: its two secret keys.
#[derive(Debug, Clone)]
pub struct Device {
    /// Signs entries.
    pub chain: SigningKey,
    /// Signs in groups.
    pub mls: SigningKey,
}

impl Default for Device {
    fn default() -> Self {
        Self::new()
    }
}

impl Device {
    /// A new one.
    pub fn new() -> Self {
        Self { chain: SigningKey::from_bytes(&random()), mls: SigningKey::from_bytes(&random()) }
    }

    /// Its public keys.
    pub fn keys(&self) -> DeviceKeys {
        DeviceKeys { chain: PublicKey::from(&self.chain), mls: PublicKey::from(&self.mls) }
    }

    /// Its id.
    pub fn id(&self) -> DeviceId {
        self.keys().id()
    }

    /// Signs a statement for a log of this origin.
    pub fn sign(&self, statement: Statement, origin: &str) -> Vec<u8> {
        Proposal::sign(statement, origin, &self.chain, Some(&self.mls)).encode()
    }

    /// The statement that opens an account on this device.
    pub fn opening(&self, handle: Option<HandleLabel>) -> Statement {
        let body = Body::AccountCreated {
            salt: random(),
            device: self.keys(),
            reset_choice: ResetChoice::ThreeDays,
            handle,
            predecessor: None,
        };
        Statement::opening(1, nothing_seen(), body)
    }
}

/// The checkpoint of an author who has seen none.
pub fn nothing_seen() -> SeenCheckpoint {
    SeenCheckpoint { size: 0, root: merkle::empty_root() }
}

/// Random bytes.
pub fn random() -> [u8; 32] {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).unwrap();
    bytes
}

/// Somebody with an account.
#[derive(Debug, Clone)]
pub struct Person {
    /// The service.
    pub api: Api,
    /// The log's origin.
    pub origin: String,
    /// The account.
    pub account: AccountId,
    /// The first device.
    pub laptop: Device,
}

impl Person {
    /// Opens an account, with a name or without.
    ///
    /// # Panics
    /// If it is refused.
    pub fn sign_up(api: &Api, handle: Option<&str>) -> Self {
        let laptop = Device::new();
        let statement = laptop.opening(handle.map(|handle| api.label(handle)));
        let (origin, account) = (api.origin(), statement.position.account);
        api.propose(&laptop.sign(statement, &origin)).accepted();
        Self { api: api.clone(), origin, account, laptop }
    }

    /// The same person at another service.
    pub fn at(&self, api: &Api) -> Self {
        Self { api: api.clone(), ..self.clone() }
    }

    /// The account as the service tells it.
    pub fn set(&self) -> DeviceSet {
        self.api.device_set(&self.account).expect("the account is there")
    }

    /// A proposal by `signer` that follows the newest entry.
    pub fn proposal(&self, body: Body, signer: &Device) -> Vec<u8> {
        signer.sign(self.set().following(body, nothing_seen()), &self.origin)
    }

    /// A request to let `device` join.
    pub fn joining(&self, device: &Device) -> Vec<u8> {
        self.proposal(Body::DeviceAdded { device: device.keys(), commitments: [Digest::ZERO; 3] }, device)
    }

    /// The confirmation of a waiting device by `signer`.
    pub fn confirming(&self, device: &Device, signer: &Device) -> Vec<u8> {
        self.proposal(confirmation(&self.set(), device, signer), signer)
    }

    /// The removal of a device by `signer`.
    pub fn removing(&self, device: &Device, signer: &Device) -> Vec<u8> {
        self.proposal(Body::DeviceRemoved { devices: vec![device.id()], signer: signer.id() }, signer)
    }

    /// Something to do that changes no device.
    pub fn choosing(&self, choice: ResetChoice) -> Vec<u8> {
        self.proposal(Body::ResetChoiceSet { choice, signer: self.laptop.id() }, &self.laptop)
    }

    /// Lets a new device join, and nothing more.
    pub fn add(&self) -> Device {
        let device = Device::new();
        self.propose(&self.joining(&device)).accepted();
        device
    }

    /// Adds a device and confirms it with the first one.
    pub fn add_and_confirm(&self) -> Device {
        let device = self.add();
        self.propose(&self.confirming(&device, &self.laptop)).accepted();
        device
    }

    /// Hands in a proposal.
    pub fn propose(&self, proposal: &[u8]) -> Answer {
        self.api.propose(proposal)
    }

    /// The ids of the confirmed devices.
    pub fn confirmed(&self) -> Vec<DeviceId> {
        self.set().confirmed().keys().copied().collect()
    }
}

/// The body that confirms a waiting device.
///
/// # Panics
/// If it does not wait.
pub fn confirmation(set: &DeviceSet, device: &Device, signer: &Device) -> Body {
    let added = set.pending().get(&device.id()).expect("the device waits").added;
    Body::DeviceConfirmed(BodyAnswer { added, device: device.id(), signer: Confirmer::Device(signer.id()) })
}
