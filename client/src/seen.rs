//! When the account's devices were last at the service, as that says (SEE-1): asked when somebody wants to see it.
//!
//! Nothing follows from it. A waiting device is told too, which of the others may be at hand.

use chain::id::DeviceId;
use protocol::api::accounts::{DEVICES_SEEN, DevicesSeen};
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::step::Event;
use crate::store::Store;
use crate::turn::{Purpose, Turn, get};

/// What the service said last; by device.
const SPACE: &str = "seen";
/// How long it is not asked again, milliseconds.
const AGAIN_MS: u64 = 30_000;
/// Most devices of which it is kept: no account has more.
const MAX_DEVICES: usize = 128;

/// When a device was last seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastSeen {
    /// Seconds since 1970, coarsely; `None` if the service does not know.
    pub at_s: Option<u64>,
    /// True if it was connected when that was asked.
    pub connected: bool,
    /// When that was asked, milliseconds since 1970.
    pub asked_ms: u64,
}

impl LastSeen {
    /// When that was, milliseconds since 1970.
    pub fn last_ms(&self) -> Option<u64> {
        let at_ms = self.at_s.map(|at_s| at_s.saturating_mul(1_000));
        if self.connected { Some(self.asked_ms) } else { at_ms }
    }
}

/// What the service said last of a device.
pub(crate) fn last_seen(store: &Store<'_>, device: &DeviceId) -> Result<Option<LastSeen>, Error> {
    store.get(SPACE, &device.0)
}

impl Turn<'_> {
    /// Somebody looks at the list of devices.
    pub(crate) fn look_who_is_here(&mut self) -> Result<(), Error> {
        let Some(own) = self.own()?.filter(|own| own.is_listed()) else {
            self.look_at_reset()?;
            self.devices_seen_refused();
            return Ok(());
        };
        let before = last_seen(&self.store, &own.id())?.map(|it| it.asked_ms);
        let is_new = before.is_some_and(|at| at <= self.now_ms && self.now_ms < at.saturating_add(AGAIN_MS));
        if is_new {
            self.event(Event::Seen { is_news: false });
            return Ok(());
        }
        self.ask_as_device(Purpose::DevicesSeen, get(DEVICES_SEEN))?;
        if !self.memory.in_flight.contains_key(&Purpose::DevicesSeen) {
            // not now: the list is there without it
            self.devices_seen_refused();
        }
        Ok(())
    }

    /// The service says when it has seen whom. Of a device that is none of the account's nothing is kept.
    pub(crate) fn take_devices_seen(&mut self, body: &[u8]) -> Result<(), Error> {
        let Ok(told) = serde_json::from_slice::<DevicesSeen>(body) else {
            self.devices_seen_refused();
            return Ok(());
        };
        let Some(own) = self.own()?.filter(|own| own.is_listed()) else { return Ok(()) };
        let Some(account) = own.account() else { return Ok(()) };
        let Some(set) = self.known(&account)?.map(|known| known.set().clone()) else { return Ok(()) };
        let is_ours = |device: &DeviceId| set.confirmed().contains_key(device) || set.pending().contains_key(device);
        let now_s = self.now_s();
        self.store.clear(SPACE)?;
        let asked_ms = self.now_ms;
        // what is to come was not seen
        let here = LastSeen { at_s: Some(now_s), connected: true, asked_ms };
        self.store.put(SPACE, &own.id().0, &here)?;
        for it in told.devices.into_iter().take(MAX_DEVICES).filter(|it| is_ours(&it.device) && it.device != own.id()) {
            let seen = LastSeen { at_s: it.at_s.map(|at_s| at_s.min(now_s)), connected: it.connected, asked_ms };
            self.store.put(SPACE, &it.device.0, &seen)?;
        }
        self.event(Event::Seen { is_news: true });
        Ok(())
    }

    /// What a waiting device was told was rough: it asks anew once it is confirmed.
    pub(crate) fn forget_who_is_here(&self) -> Result<(), Error> {
        self.store.clear(SPACE)
    }

    /// It does not say.
    pub(crate) fn devices_seen_refused(&mut self) {
        self.event(Event::Seen { is_news: false });
    }
}
