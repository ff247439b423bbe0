//! What happened to the account: every entry since the last one seen becomes an event and a notice, so that an addition
//! and a removal between two looks are both told (attack 12). Notices stay until they were read.

use chain::id::{AccountId, DeviceId};
use chain::sigchain::body::{Body, Confirmer};
use chain::sigchain::entry::Entry;
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::record::Known;
use crate::step::Event;
use crate::store::Store;
use crate::turn::Turn;

/// Notices that were not read; by their number.
const NOTICES: &str = "notices";
/// How far the own account's entries were told.
const WATCHED: &str = "watched";

/// Something that a person should have seen.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Notice {
    pub(crate) code: String,
    device: Option<[u8; 16]>,
    by: Option<[u8; 16]>,
    /// The contact that it is about.
    #[serde(default)]
    account: Option<[u8; 32]>,
    pub(crate) block: u64,
    pub(crate) at_s: u64,
}

impl Notice {
    pub(crate) fn new(code: &str, device: Option<DeviceId>, by: Option<DeviceId>, block: u64, at_s: u64) -> Self {
        let (device, by) = (device.map(|it| it.0), by.map(|it| it.0));
        Self { code: code.to_owned(), device, by, account: None, block, at_s }
    }

    /// About a contact.
    pub(crate) fn of_account(code: &str, account: &AccountId, block: u64, at_s: u64) -> Self {
        Self { account: Some(account.0), ..Self::new(code, None, None, block, at_s) }
    }

    pub(crate) fn account(&self) -> Option<AccountId> {
        self.account.map(AccountId)
    }

    pub(crate) fn device(&self) -> Option<DeviceId> {
        self.device.map(DeviceId)
    }

    pub(crate) fn by(&self) -> Option<DeviceId> {
        self.by.map(DeviceId)
    }
}

/// All notices that were not read, oldest first.
pub(crate) fn unread(store: &Store<'_>) -> Result<Vec<(u64, Notice)>, Error> {
    let mut unread = Vec::new();
    for key in store.keys(NOTICES)? {
        let number = <[u8; 8]>::try_from(key.as_slice()).map_err(|_| Error::Damaged)?;
        unread.extend(store.get(NOTICES, &key)?.map(|notice| (u64::from_be_bytes(number), notice)));
    }
    Ok(unread)
}

impl Turn<'_> {
    /// From here on: what the first `entries` entries say is known to whoever let this device in.
    pub(crate) fn begin_watching(&mut self, entries: usize) -> Result<(), Error> {
        self.store.put(WATCHED, b"entries", &entries)
    }

    /// Tells of every entry since the last one seen.
    pub(crate) fn watch_entries(&mut self, known: &Known) -> Result<(), Error> {
        let seen: usize = self.store.get(WATCHED, b"entries")?.unwrap_or_default();
        if seen >= known.entries.len() {
            return Ok(());
        }
        for stamped in known.entries.iter().skip(seen) {
            // every one of them was folded, so it can be read
            let Ok(entry) = Entry::decode(&stamped.entry) else { continue };
            self.tell(&entry.statement.body, stamped.block, stamped.time_s)?;
        }
        // there may be somebody to share with now
        self.memory.is_shared = false;
        self.begin_watching(known.entries.len())
    }

    fn tell(&mut self, body: &Body, block: u64, at_s: u64) -> Result<(), Error> {
        let mut answered = |device: DeviceId, confirmed: bool, by_device: Option<DeviceId>| {
            self.event(Event::RequestAnswered { device, confirmed, by_device });
        };
        let (code, devices, by) = match body {
            Body::DeviceAdded { device, .. } => ("device.requested", vec![device.id()], None),
            Body::DeviceConfirmed(answer) => {
                let by = match answer.signer {
                    Confirmer::Device(by) => Some(by),
                    Confirmer::RecoveryKey => None,
                };
                answered(answer.device, true, by);
                ("device.confirmed", vec![answer.device], by)
            }
            Body::DeviceRefused(answer) => {
                answered(answer.device, false, Some(answer.signer));
                ("device.refused", vec![answer.device], Some(answer.signer))
            }
            Body::DeviceRemoved { devices, signer } => ("device.removed", devices.clone(), Some(*signer)),
            Body::RecoveryKeySet { key, signer } => {
                let code = if key.is_some() { "recovery.set" } else { "recovery.dropped" };
                // whoever did it here knows
                if self.own()?.is_some_and(|own| own.id() == *signer) {
                    return Ok(());
                }
                return self.notice(Notice::new(code, None, Some(*signer), block, at_s));
            }
            Body::ResetRequested { device, .. } => ("reset.requested", vec![device.id()], None),
            Body::ResetVetoed { signer, .. } => {
                return self.notice(Notice::new("reset.vetoed", None, Some(*signer), block, at_s));
            }
            Body::AccountCreated { .. }
            | Body::HandleBound { .. }
            | Body::ResetChoiceSet { .. }
            | Body::AccountReset { .. }
            | Body::AccountClosed { .. } => return Ok(()),
        };
        for device in devices {
            self.notice(Notice::new(code, Some(device), by, block, at_s))?;
        }
        Ok(())
    }

    /// Keeps a notice until it is read.
    pub(crate) fn notice(&mut self, notice: Notice) -> Result<(), Error> {
        let number: u64 = self.store.get(WATCHED, b"notices")?.unwrap_or_default();
        let number = number.saturating_add(1);
        self.store.put(WATCHED, b"notices", &number)?;
        self.store.put(NOTICES, &number.to_be_bytes(), &notice)?;
        self.event(Event::Notice { number });
        Ok(())
    }

    /// A person has seen them.
    pub(crate) fn notices_read(&mut self, up_to: u64) -> Result<(), Error> {
        for (number, _) in unread(&self.store)? {
            if number <= up_to {
                self.store.remove(NOTICES, &number.to_be_bytes())?;
            }
        }
        Ok(())
    }
}
