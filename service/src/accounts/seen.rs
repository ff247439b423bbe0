//! When each device was last here, for its own account and nobody else (SEE-1).
//!
//! Whole minutes, in memory, and from there into the database all at once every few minutes: no request waits for a disk
//! because of it, and a crash loses as much.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use axum::http::HeaderMap;
use chain::id::DeviceId;
use protocol::api::accounts::{DeviceSeen, DevicesSeen};

use crate::accounts::tokens::Caller;
use crate::delivery::rows::Owner;
use crate::http::refusal::Refusal;
use crate::shared::Shared;

/// Between two writings, seconds.
const KEPT_AFTER_S: u64 = 300;
/// How exactly a device of the account is told, and how exactly one that waits to be one.
const MINUTE_S: u64 = 60;
const HOUR_S: u64 = 3_600;

/// What is not in the database yet.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    at_s: BTreeMap<Owner, u64>,
    kept_s: u64,
}

impl Seen {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A device is here, or has just gone.
    pub(crate) fn note(&self, owner: Owner, now_s: u64) {
        self.state().at_s.insert(owner, now_s);
    }

    /// What is to be kept now, if it is time to.
    fn due(&self, now_s: u64) -> Option<BTreeMap<Owner, u64>> {
        let mut state = self.state();
        let is_early = now_s >= state.kept_s && now_s < state.kept_s.saturating_add(KEPT_AFTER_S);
        if is_early || state.at_s.is_empty() {
            return None;
        }
        state.kept_s = now_s;
        Some(std::mem::take(&mut state.at_s))
    }

    /// All that is not kept yet.
    pub(crate) fn rest(&self) -> BTreeMap<Owner, u64> {
        std::mem::take(&mut self.state().at_s)
    }
}

impl Shared {
    /// A device asks something: it is here. On a blocking thread.
    pub(crate) fn note_seen(&self, caller: &Caller) -> Result<(), Refusal> {
        let now_s = self.now_s();
        self.accounts.seen.note(caller.owner(), now_s);
        match self.accounts.seen.due(now_s) {
            Some(rows) => Ok(self.accounts.database.keep_seen(&rows, now_s)?),
            None => Ok(()),
        }
    }

    /// When the devices of the caller's account were last here. One that waits is told only of those that could let it in, and only
    /// in which hour.
    ///
    /// # Errors
    /// As [`Shared::caller`].
    pub(crate) fn devices_seen(&self, headers: &HeaderMap) -> Result<DevicesSeen, Refusal> {
        let caller = self.caller(headers)?;
        let set = self.readers.with(|store| store.account(&caller.account))?.ok_or(Refusal::Removed)?;
        let (confirmed, pending) = (set.confirmed().keys(), set.pending().keys().filter(|_| caller.confirmed));
        let known = self.accounts.database.seen(&caller.account)?;
        let step_s = if caller.confirmed { MINUTE_S } else { HOUR_S };
        let seen = |device: DeviceId| {
            let owner = Owner { account: caller.account, device };
            let newest = self.accounts.seen.state().at_s.get(&owner).copied();
            let at_s = newest.or_else(|| known.get(&device).copied());
            let connected = caller.confirmed && self.delivery.hub.is_listening(&owner);
            DeviceSeen { device, at_s: at_s.map(|at_s| at_s.saturating_sub(at_s % step_s)), connected }
        };
        Ok(DevicesSeen { devices: confirmed.chain(pending).copied().map(seen).collect() })
    }
}
