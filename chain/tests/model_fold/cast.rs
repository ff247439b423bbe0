//! Who plays: devices, keys and the two accounts of the owner.

use chain::block::Parameters;
use chain::handle::VrfPublicKey;
use chain::id::{DeviceId, DeviceKeys, Digest, PublicKey};
use chain::log::policy::Policy;
use chain::sigchain::body::{Body, ResetChoice};
use chain::sigchain::device_set::DeviceSet;
use chain::sigchain::entry::{Entry, SeenCheckpoint, Statement};
use ed25519_dalek::SigningKey;

/// The owner's devices are 0, 1 and 2; device 0 opened both accounts.
pub(crate) const HONEST: usize = 3;
/// The service's device that wants to be confirmed.
pub(crate) const GHOST: usize = 3;
/// The service's device that waits for a reset.
pub(crate) const WAITING: usize = 4;

/// Time of the first block, seconds.
pub(crate) const START_S: u64 = 1_800_000_000;

/// Public keys are all there is: signatures are ideal.
pub(crate) struct Cast {
    pub(crate) parameters: Parameters,
    pub(crate) devices: [DeviceKeys; 5],
    pub(crate) ids: [DeviceId; 5],
}

impl Cast {
    pub(crate) fn new() -> Self {
        let key = |seed: u8| PublicKey::from(&SigningKey::from_bytes(&[seed; 32]));
        let parameters = Parameters {
            origin: "trefoil.example/chain".into(),
            service_key: key(200),
            vrf_key: VrfPublicKey::from_bytes(key(201).as_bytes()).unwrap(),
            policy: Policy::parse("quorum none\n").unwrap(),
        };
        let devices = [1, 2, 3, 4, 5].map(|n| DeviceKeys { chain: key(n), mls: key(100 + n) });
        Self { parameters, devices, ids: devices.map(|keys| keys.id()) }
    }

    /// True if the service holds the key itself.
    pub(crate) fn is_the_services(&self, key: &PublicKey) -> bool {
        let own = |device: usize| self.devices[device].chain == *key || self.devices[device].mls == *key;
        *key == self.parameters.service_key || own(GHOST) || own(WAITING)
    }

    /// True if the device counts in the account.
    pub(crate) fn counts(&self, set: &DeviceSet, device: usize) -> bool {
        set.confirmed().contains_key(&self.ids[device])
    }

    /// True if the device waits in the account.
    pub(crate) fn waits(&self, set: &DeviceSet, device: usize) -> bool {
        set.pending().contains_key(&self.ids[device])
    }

    /// The opening of one of the owner's accounts.
    pub(crate) fn opening(&self, account: u8) -> Entry {
        let body = Body::AccountCreated {
            salt: [account; 32],
            device: self.devices[0],
            reset_choice: ResetChoice::ThreeDays,
            handle: None,
            predecessor: None,
        };
        unsigned(&Statement::opening(1, checkpoint(), body))
    }
}

/// What everybody names: the empty log.
pub(crate) fn checkpoint() -> SeenCheckpoint {
    SeenCheckpoint { size: 0, root: Digest::sha256(b"") }
}

/// The entry of a statement, with zeros where signatures are: their claims are judged by who knows what.
pub(crate) fn unsigned(statement: &Statement) -> Entry {
    let mut bytes = statement.encode();
    bytes.resize(bytes.len() + 64 * statement.roles().len(), 0);
    Entry::decode(&bytes).expect("the statement is canonical")
}
