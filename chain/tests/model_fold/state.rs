//! One state of the search: the record, what honest devices signed, the time, and which promise was broken.

use std::collections::BTreeSet;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use chain::id::{DeviceId, PublicKey};
use chain::sigchain::body::Body;
use chain::sigchain::device_set::{AccountState, DeviceSet};
use chain::sigchain::entry::Entry;
use chain::sigchain::rules::{DAY_S, YOUNG_FOR_S};

/// The owner's account in which everything happens.
pub(crate) const ACCOUNT: usize = 0;
/// The owner's other account, with the same first device: nothing signed is meant for it.
pub(crate) const OTHER: usize = 1;

/// What the fold promises to an owner, as the model keeps book of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Promise {
    /// A device of the owner confirmed this device, for this request of this account.
    OwnerConfirms,
    /// A device of the owner removed these devices.
    DeviceRemoves,
    /// A device younger than 72 hours removes no older one.
    YoungSpares,
    /// A reset follows its notice after the waiting time, without a veto between.
    ResetWaits,
}

/// A statement that an honest device signed and handed to the service.
#[derive(Debug, PartialEq)]
pub(crate) struct Signed {
    pub(crate) entry: Entry,
    /// Each key with the bytes that it signed.
    pub(crate) claims: Vec<(PublicKey, Vec<u8>)>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct State {
    /// The owner's accounts.
    pub(crate) sets: [Arc<DeviceSet>; 2],
    /// The identity that follows [`ACCOUNT`] after a reset.
    pub(crate) successor: Option<Arc<DeviceSet>>,
    /// The opening of the identity that was announced last.
    pub(crate) announced: Option<Arc<Entry>>,
    pub(crate) signed: Vec<Arc<Signed>>,
    pub(crate) time_s: u64,
    pub(crate) jumps: u8,
    pub(crate) entries: u8,
    /// Devices that were removed from or refused in [`ACCOUNT`].
    pub(crate) gone: BTreeSet<DeviceId>,
    /// Time of the notice that is open, by the model's own book.
    pub(crate) notice_s: Option<u64>,
    pub(crate) first_was_removed: bool,
    pub(crate) broken: Option<Promise>,
}

impl State {
    pub(crate) fn broke(&self, promise: Promise) -> bool {
        self.broken == Some(promise)
    }

    pub(crate) fn something_returned(&self) -> bool {
        let set = &self.sets[ACCOUNT];
        self.gone.iter().any(|id| set.confirmed().contains_key(id) || set.pending().contains_key(id))
    }

    /// True if the statement continues the account that it names.
    pub(crate) fn is_current(&self, entry: &Entry) -> bool {
        self.sets.iter().any(|set| set.head() == entry.statement.position.previous)
    }
}

/// Two states are one if the same can follow: heads and times count by what compares equal to them or lies how far
/// back, not by their bytes.
impl Hash for State {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        (self.entries, self.jumps, self.first_was_removed, self.broken, &self.gone).hash(hasher);
        self.notice_s.map(|at_s| self.time_s - at_s).hash(hasher);
        for set in self.sets.iter().chain(&self.successor) {
            hash_set(set, self.time_s, hasher);
        }
        let mut signed: Vec<_> = self.signed.iter().map(|it| self.abstracted(&it.entry)).collect();
        signed.sort_unstable();
        signed.hash(hasher);
    }
}

impl State {
    /// Kind, account, request and bodies of what was signed, and whether it still fits.
    fn abstracted(&self, entry: &Entry) -> (u8, u64, bool, Vec<DeviceId>, bool) {
        let statement = &entry.statement;
        let open = |id, added| self.sets[ACCOUNT].pending().get(id).is_some_and(|it| it.added == added);
        let (who, fits) = match &statement.body {
            Body::DeviceAdded { device, .. } => (vec![device.id()], false),
            Body::DeviceConfirmed(answer) => {
                (vec![answer.device, signer_of(&statement.body)], open(&answer.device, answer.added))
            }
            Body::DeviceRefused(answer) => (vec![answer.device, answer.signer], open(&answer.device, answer.added)),
            Body::DeviceRemoved { devices, signer } => ([devices.as_slice(), &[*signer]].concat(), false),
            Body::ResetVetoed { notice, signer } => {
                (vec![*signer], self.sets[ACCOUNT].notice().is_some_and(|it| it.hash == *notice))
            }
            other => panic!("no honest device signs {} here", other.name()),
        };
        (statement.body.kind(), statement.request, self.is_current(entry), who, fits)
    }
}

/// The device that a body names as its signer.
pub(crate) fn signer_of(body: &Body) -> DeviceId {
    match body {
        Body::DeviceConfirmed(answer) => match answer.signer {
            chain::sigchain::body::Confirmer::Device(id) => id,
            chain::sigchain::body::Confirmer::RecoveryKey => panic!("there is no recovery key here"),
        },
        Body::DeviceRefused(answer) => answer.signer,
        Body::DeviceRemoved { signer, .. } | Body::ResetVetoed { signer, .. } => *signer,
        other => panic!("{} names no signer here", other.name()),
    }
}

fn hash_set<H: Hasher>(set: &DeviceSet, now_s: u64, hasher: &mut H) {
    let age = |at_s: u64, up_to_s: u64| now_s.saturating_sub(at_s).min(up_to_s);
    matches!(set.state(), AccountState::Open).hash(hasher);
    set.next_request().hash(hasher);
    for (id, device) in set.confirmed() {
        let rank = set.confirmed().values().filter(|other| other.sequence < device.sequence).count();
        (id, rank, age(device.at_s, YOUNG_FOR_S)).hash(hasher);
    }
    for (id, device) in set.pending() {
        (id, device.request, age(device.opened_at_s, 7 * DAY_S)).hash(hasher);
    }
    let notice = set.notice().map(|notice| (notice.request, age(notice.opened_at_s, 30 * DAY_S)));
    (notice, set.vetoed_at_s().map(|at_s| age(at_s, YOUNG_FOR_S))).hash(hasher);
}
