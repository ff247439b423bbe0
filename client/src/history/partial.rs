//! Devices that have not all old messages themselves: let in without them, or still fetching (HIS-6). What they have is taken, and the
//! others are asked as well.

use chain::id::DeviceId;
use protocol::history::{Plain, Wanted};

use super::{Fetch, HISTORY};
use crate::error::Error;
use crate::turn::Turn;

impl Fetch {
    /// HIS-6: whether what a device says that may lack some can stand for what was listed.
    pub(super) fn may_give(&self, signer: &DeviceId, plain: &Plain) -> bool {
        self.rows.is_none() || !plain.is_partial() || self.listed_by.is_none_or(|by| by == signer.0)
    }
}

impl Turn<'_> {
    /// HIS-6: a device has given all it has. If others may have more, they are asked as well.
    pub(super) fn device_gave_all(&mut self, fetch: &mut Fetch) -> Result<(), Error> {
        let by = fetch.listed_by.filter(|_| fetch.partial);
        fetch.exhausted.extend(by);
        let is_left = |device: &DeviceId| !fetch.exhausted.contains(&device.0);
        if by.is_none() || !self.older_devices(None)?.iter().any(is_left) {
            fetch.end();
        } else {
            fetch.from = None;
            fetch.list_anew();
        }
        Ok(())
    }

    /// HIS-6: true if another device may have what is asked for and this one lacks. `since_s`: when the asking device was confirmed.
    pub(super) fn may_lack_some(&mut self, wanted: Wanted, since_s: u64) -> Result<bool, Error> {
        let fetch = self.fetch()?;
        if fetch.as_ref().is_some_and(|fetch| fetch.granted && !fetch.complete) {
            return Ok(true);
        }
        let device = self.device()?;
        let Some(known) = self.known(&device.account)? else { return Ok(true) };
        let Some(own) = known.set().confirmed().get(&device.id()) else { return Ok(true) };
        let is_younger = own.at_s > since_s;
        let has_all = own.by.is_none() || self.has_all(fetch.as_ref())?;
        Ok(!has_all
            && match wanted {
                Wanted::Index | Wanted::Page { .. } => true,
                Wanted::Gap | Wanted::GapPage { .. } => is_younger,
            })
    }

    /// True if all old messages came to this device at some time.
    pub(super) fn has_all(&self, fetch: Option<&Fetch>) -> Result<bool, Error> {
        let came: Option<bool> = self.store.get(HISTORY, b"all")?;
        Ok(came.unwrap_or_default() || fetch.is_some_and(|fetch| fetch.complete && fetch.gap.is_none()))
    }
}
