//! The state of one account: what the fold over its entries gives.
//!
//! A [`DeviceSet`] is a record of what entries say; it proves nothing by itself. The type that proves something is
//! [`ConfirmedDevice`], and only a sigchain whose head was proven under a verified checkpoint hands one out
//! ([`crate::view`]).

use std::collections::{BTreeMap, BTreeSet};

use crate::id::{AccountId, DeviceId, DeviceKeys, Digest, HandleLabel, PublicKey};
use crate::label;
use crate::sigchain::body::{Body, Confirmer, ResetChoice};
use crate::sigchain::entry::{Position, SeenCheckpoint, Statement};
use crate::sigchain::rules::{CODE_COMMITMENTS, YOUNG_FOR_S};

/// A device of the set that an older device, the recovery key or the account's opening confirmed.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Confirmed {
    /// Its two keys.
    pub keys: DeviceKeys,
    /// Sequence number of the entry that confirmed it: "older" means smaller.
    pub sequence: u64,
    /// Block time of that entry, seconds.
    pub at_s: u64,
    /// Who confirmed it; `None` for the device that opened the account.
    pub by: Option<Confirmer>,
}

impl Confirmed {
    /// True while DEV-8 and DEV-9 hold for it; a device that the recovery key confirmed is exempt.
    pub fn is_young(&self, now_s: u64) -> bool {
        self.by != Some(Confirmer::RecoveryKey) && now_s < self.at_s.saturating_add(YOUNG_FOR_S)
    }
}

/// A device that waits for its confirmation.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Pending {
    /// Its two keys.
    pub keys: DeviceKeys,
    /// Number of its request.
    pub request: u64,
    /// Hash of its DeviceAdded entry.
    pub added: Digest,
    /// Block time of that entry, seconds.
    pub opened_at_s: u64,
    /// Hashes of the nonces behind the confirmation codes.
    pub commitments: [Digest; CODE_COMMITMENTS],
}

/// An announced reset.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Notice {
    /// Number of its request.
    pub request: u64,
    /// Hash of the ResetRequested entry.
    pub hash: Digest,
    /// Head of the sigchain before the notice.
    pub previous: Digest,
    /// Account id of the identity to come.
    pub successor: AccountId,
    /// First device of that identity.
    pub device: DeviceKeys,
    /// Block number of the notice.
    pub block: u64,
    /// Block time of the notice, seconds.
    pub opened_at_s: u64,
    /// The waiting time that holds for this notice, seconds.
    pub wait_s: u64,
}

/// Whether an account goes on.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum AccountState {
    /// It does.
    Open,
    /// It continues as another identity, if its contacts accept that (RST-6).
    ResetTo {
        /// Account id of that identity.
        successor: AccountId,
        /// Its first device.
        device: Box<DeviceKeys>,
        /// The head that the successor must name.
        head: Digest,
    },
    /// It has ended.
    Closed,
}

/// The state of one account after its newest entry.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct DeviceSet {
    pub(super) account: AccountId,
    pub(super) generation: u32,
    pub(super) sequence: u64,
    pub(super) head: Digest,
    pub(super) history: Digest,
    pub(super) state: AccountState,
    pub(super) reset_choice: ResetChoice,
    pub(super) next_request: u64,
    pub(super) handle: Option<HandleLabel>,
    pub(super) recovery_key: Option<PublicKey>,
    pub(super) confirmed: BTreeMap<DeviceId, Confirmed>,
    pub(super) pending: BTreeMap<DeviceId, Pending>,
    pub(super) retired: BTreeSet<[u8; 16]>,
    pub(super) notice: Option<Notice>,
    pub(super) vetoed_at_s: Option<u64>,
}

impl DeviceSet {
    /// The account.
    pub fn account(&self) -> AccountId {
        self.account
    }

    /// 1 for a first identity, one more after each reset.
    pub fn generation(&self) -> u32 {
        self.generation
    }

    /// Sequence number of the newest entry.
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// Hash of the newest entry.
    pub fn head(&self) -> Digest {
        self.head
    }

    /// Hash over all entries with the numbers and times of their blocks.
    pub fn history(&self) -> Digest {
        self.history
    }

    /// The history hash after one more entry.
    pub fn next_history(history: &Digest, entry: &Digest, block: u64, time_s: u64) -> Digest {
        let (block, time_s) = (block.to_be_bytes(), time_s.to_be_bytes());
        Digest::labelled(label::HISTORY, &[&history.0, &entry.0, &block, &time_s])
    }

    /// Whether the account goes on.
    pub fn state(&self) -> &AccountState {
        &self.state
    }

    /// How long a reset has to wait.
    pub fn reset_choice(&self) -> ResetChoice {
        self.reset_choice
    }

    /// The number that the next request has to have.
    pub fn next_request(&self) -> u64 {
        self.next_request
    }

    /// The handle's label, if one is bound.
    pub fn handle(&self) -> Option<HandleLabel> {
        self.handle
    }

    /// The recovery key, if there is one.
    pub fn recovery_key(&self) -> Option<PublicKey> {
        self.recovery_key
    }

    /// The devices that count, by id. Empty for an account that has ended (RST-6).
    pub fn confirmed(&self) -> &BTreeMap<DeviceId, Confirmed> {
        &self.confirmed
    }

    /// The devices that wait, by id. Those whose time has run out are dropped by the next entry.
    pub fn pending(&self) -> &BTreeMap<DeviceId, Pending> {
        &self.pending
    }

    /// The announced reset, if any.
    pub fn notice(&self) -> Option<&Notice> {
        self.notice.as_ref()
    }

    /// Block time of the last veto, seconds.
    pub fn vetoed_at_s(&self) -> Option<u64> {
        self.vetoed_at_s
    }

    /// True if a device with this key was refused or removed: it never comes back (DEV-6, DEV-7).
    pub fn has_retired(&self, key: &PublicKey) -> bool {
        self.retired.contains(&key_mark(key))
    }

    /// Hash over the canonical record of everything the fold knows.
    pub fn hash(&self) -> Digest {
        Digest::labelled(label::DEVICE_SET, &[&self.encode()])
    }

    /// Key of the account's leaf in the map.
    pub fn map_key(account: &AccountId) -> Digest {
        Digest::labelled(label::MAP_ACCOUNT, &[&account.0])
    }

    /// Value of the account's leaf in the map: binds position, head, device set and state.
    pub fn map_value(&self) -> Digest {
        let state = match &self.state {
            AccountState::Open => [1; 1].to_vec(),
            AccountState::ResetTo { successor, .. } => [&[2], successor.0.as_slice()].concat(),
            AccountState::Closed => [3; 1].to_vec(),
        };
        let parts: [&[u8]; 6] = [
            &self.account.0,
            &self.generation.to_be_bytes(),
            &self.sequence.to_be_bytes(),
            &self.head.0,
            &self.hash().0,
            &state,
        ];
        Digest::labelled(label::MAP_ACCOUNT_HEAD, &parts)
    }

    /// The statement that would follow the newest entry: position and request number filled in. Whether it is allowed
    /// is asked of [`DeviceSet::apply`].
    pub fn following(&self, body: Body, checkpoint: SeenCheckpoint) -> Statement {
        let answered = |device: &DeviceId| self.pending.get(device).map_or(0, |pending| pending.request);
        let request = match &body {
            Body::DeviceAdded { .. } | Body::ResetRequested { .. } => self.next_request,
            Body::DeviceConfirmed(answer) => answered(&answer.device),
            Body::DeviceRefused(answer) => answered(&answer.device),
            Body::ResetVetoed { .. } | Body::AccountReset { .. } => {
                self.notice.as_ref().map_or(0, |notice| notice.request)
            }
            Body::AccountCreated { .. }
            | Body::DeviceRemoved { .. }
            | Body::HandleBound { .. }
            | Body::RecoveryKeySet { .. }
            | Body::ResetChoiceSet { .. }
            | Body::AccountClosed { .. } => 0,
        };
        let position = Position {
            account: self.account,
            generation: self.generation,
            sequence: self.sequence.saturating_add(1),
            previous: self.head,
        };
        Statement { position, request, checkpoint, body }
    }

    /// True if any device of the set, pending or confirmed, has the key, or the recovery key is it.
    pub(super) fn uses_key(&self, key: &PublicKey) -> bool {
        let held = |keys: &DeviceKeys| keys.chain == *key || keys.mls == *key;
        self.confirmed.values().any(|device| held(&device.keys))
            || self.pending.values().any(|device| held(&device.keys))
            || self.recovery_key.as_ref() == Some(key)
    }

    /// Keeps the keys of a device from ever returning.
    pub(super) fn retire(&mut self, keys: &DeviceKeys) {
        self.retired.insert(key_mark(&keys.chain));
        self.retired.insert(key_mark(&keys.mls));
    }
}

fn key_mark(key: &PublicKey) -> [u8; 16] {
    let mut mark = [0; 16];
    mark.iter_mut().zip(Digest::labelled(label::RETIRED_KEY, &[key.as_bytes()]).0).for_each(|(to, from)| *to = from);
    mark
}

/// A device that the service *and* an older device of its account confirmed, as proven by the public record.
///
/// The only type that can be encrypted to. There is no way to make one but [`crate::account::ProvenAccount`]:
///
/// ```compile_fail,E0451
/// use chain::id::{AccountId, DeviceKeys};
/// use chain::sigchain::device_set::ConfirmedDevice;
/// fn made_up(account: AccountId, keys: DeviceKeys) -> ConfirmedDevice {
///     ConfirmedDevice { account, keys }
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfirmedDevice {
    account: AccountId,
    keys: DeviceKeys,
}

impl ConfirmedDevice {
    pub(crate) fn proven(account: AccountId, confirmed: &Confirmed) -> Self {
        Self { account, keys: confirmed.keys }
    }

    /// The account it belongs to.
    pub fn account(&self) -> AccountId {
        self.account
    }

    /// Its id.
    pub fn id(&self) -> DeviceId {
        self.keys.id()
    }

    /// Its keys.
    pub fn keys(&self) -> &DeviceKeys {
        &self.keys
    }
}
