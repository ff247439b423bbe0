//! Who plays: devices, keys and the two accounts of the owner.

use chain::block::Parameters;
use chain::handle::VrfPublicKey;
use chain::id::{AccountId, DeviceId, DeviceKeys, Digest, PublicKey};
use chain::sigchain::body::{Answer, Body, Confirmer, Predecessor, ResetChoice};
use chain::sigchain::device_set::DeviceSet;
use chain::sigchain::entry::{Entry, SeenCheckpoint, Statement};
use chain::sigchain::rules::CODE_COMMITMENTS;
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
    templates: Vec<Entry>,
}

impl Cast {
    pub(crate) fn new() -> Self {
        let key = |seed: u8| PublicKey::from(&SigningKey::from_bytes(&[seed; 32]));
        let parameters = Parameters {
            origin: "trefoil.example/chain".into(),
            service_key: key(200),
            vrf_key: VrfPublicKey::from_bytes(key(201).as_bytes()).unwrap(),
            policy: "quorum none\n".parse().unwrap(),
        };
        let devices = [1, 2, 3, 4, 5].map(|n| DeviceKeys { chain: key(n), mls: key(100 + n) });
        let templates = templates(&devices);
        Self { parameters, devices, ids: devices.map(|keys| keys.id()), templates }
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
        self.unsigned(Statement::opening(1, checkpoint(), opening_body(self.devices[0], account, None)))
    }

    /// The entry of a statement, without signatures that hold.
    pub(crate) fn unsigned(&self, statement: Statement) -> Entry {
        let same_kind = |it: &&Entry| it.statement.body.kind() == statement.body.kind();
        let mut entry = self.templates.iter().find(same_kind).expect("the kind is played").clone();
        entry.statement = statement;
        entry
    }
}

/// What everybody names: the empty log.
pub(crate) fn checkpoint() -> SeenCheckpoint {
    SeenCheckpoint { size: 0, root: Digest::sha256(b"") }
}

/// An entry of every kind that is played, from which others are made: reading one checks its keys, which is slow.
fn templates(devices: &[DeviceKeys; 5]) -> Vec<Entry> {
    let (device, signer) = (devices[0], devices[0].id());
    let bodies = [
        opening_body(device, 0, None),
        Body::DeviceAdded { device, commitments: [Digest::ZERO; CODE_COMMITMENTS] },
        Body::DeviceConfirmed(Answer { added: Digest::ZERO, device: signer, signer: Confirmer::Device(signer) }),
        Body::DeviceRefused(Answer { added: Digest::ZERO, device: signer, signer }),
        Body::DeviceRemoved { devices: vec![signer], signer },
        Body::ResetRequested { successor: AccountId([0; 32]), device },
        Body::ResetVetoed { notice: Digest::ZERO, signer },
        Body::AccountReset {
            successor: AccountId([0; 32]),
            notice_checkpoint: Vec::new(),
            later_checkpoint: Vec::new(),
        },
    ];
    bodies.into_iter().map(template).collect()
}

/// The entry of a body, with zeros where signatures are: their claims are judged by who knows what.
fn template(body: Body) -> Entry {
    let request = u64::from(body.names_a_request());
    let statement = Statement { request, ..Statement::opening(1, checkpoint(), body) };
    let mut bytes = statement.encode();
    bytes.resize(bytes.len() + 64 * statement.roles().len(), 0);
    Entry::decode(&bytes).expect("the statement is canonical")
}

/// What opens an account.
pub(crate) fn opening_body(device: DeviceKeys, salt: u8, predecessor: Option<Predecessor>) -> Body {
    Body::AccountCreated { salt: [salt; 32], device, reset_choice: ResetChoice::ThreeDays, handle: None, predecessor }
}
