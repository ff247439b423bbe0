//! The device-set record: everything the fold knows, in one canonical encoding.
//!
//! Its hash is in the account's head, so a newcomer may start from a record instead of the first entry, and a
//! service stores one per account. Lists ascend by device id (marks by value) and have no duplicates.

use std::collections::{BTreeMap, BTreeSet};

use crate::encoding::{DecodeError, Reader, Writer};
use crate::id::{AccountId, DeviceId, DeviceKeys, Digest, HandleLabel, PublicKey};
use crate::sigchain::body::{Confirmer, ResetChoice};
use crate::sigchain::device_set::{AccountState, Confirmed, DeviceSet, Notice, Pending};
use crate::sigchain::rules::{MAX_DEVICES, MAX_PENDING};

/// Most retired keys that a decoder takes from outside: 16 MiB of them.
const MAX_RETIRED: usize = 1 << 20;

impl DeviceSet {
    /// The canonical record.
    pub fn encode(&self) -> Vec<u8> {
        let mut w = Writer::new();
        w.raw(&self.account.0).u32(self.generation).u64(self.sequence).raw(&self.head.0).raw(&self.history.0);
        match &self.state {
            AccountState::Open => w.u8(1),
            AccountState::ResetTo { successor, device, head } => {
                encode_keys(w.u8(2).raw(&successor.0), device).raw(&head.0)
            }
            AccountState::Closed => w.u8(3),
        };
        w.u8(self.reset_choice.code()).u64(self.next_request);
        w.option(self.handle.as_ref().map(|label| label.0.as_slice()));
        w.option(self.recovery_key.as_ref().map(|key| key.as_bytes().as_slice()));
        w.count32(self.confirmed.len());
        self.confirmed.values().for_each(|device| encode_confirmed(&mut w, device));
        w.count32(self.pending.len());
        self.pending.values().for_each(|device| encode_pending(&mut w, device));
        w.count32(self.retired.len());
        self.retired.iter().for_each(|mark| {
            w.raw(mark);
        });
        match &self.notice {
            None => w.u8(0),
            Some(notice) => encode_notice(w.u8(1), notice),
        };
        w.option(self.vetoed_at_s.map(u64::to_be_bytes).as_ref().map(|time| time.as_slice()));
        w.finish()
    }

    /// Reads a record. What it says is worth as much as the head that it is compared with.
    ///
    /// # Errors
    /// [`DecodeError`] for anything but the canonical encoding.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        let r = &mut reader;
        let set = Self {
            account: AccountId::decode(r, "account")?,
            generation: r.u32("generation")?,
            sequence: r.u64("sequence")?,
            head: Digest::decode(r, "head")?,
            history: Digest::decode(r, "history")?,
            state: decode_state(r)?,
            reset_choice: ResetChoice::decode(r)?,
            next_request: r.u64("next request")?,
            handle: if r.present("handle")? { Some(HandleLabel::decode(r, "handle")?) } else { None },
            recovery_key: if r.present("recovery key")? { Some(PublicKey::decode(r, "recovery key")?) } else { None },
            confirmed: decode_devices(r, MAX_DEVICES, decode_confirmed, |device| &device.keys)?,
            pending: decode_devices(r, MAX_PENDING, decode_pending, |device| &device.keys)?,
            retired: decode_retired(r)?,
            notice: if r.present("notice")? { Some(decode_notice(r)?) } else { None },
            vetoed_at_s: if r.present("veto")? { Some(r.u64("veto")?) } else { None },
        };
        reader.finish()?;
        Ok(set)
    }
}

fn encode_keys<'w>(w: &'w mut Writer, keys: &DeviceKeys) -> &'w mut Writer {
    w.raw(keys.chain.as_bytes()).raw(keys.mls.as_bytes())
}

fn encode_confirmed(w: &mut Writer, device: &Confirmed) {
    encode_keys(w, &device.keys).u64(device.sequence).u64(device.at_s);
    match device.by {
        None => w.u8(0),
        Some(Confirmer::Device(id)) => w.u8(1).raw(&id.0),
        Some(Confirmer::RecoveryKey) => w.u8(2),
    };
}

fn encode_pending(w: &mut Writer, device: &Pending) {
    encode_keys(w, &device.keys).u64(device.request).raw(&device.added.0).u64(device.opened_at_s);
    device.commitments.iter().for_each(|commitment| {
        w.raw(&commitment.0);
    });
}

fn encode_notice<'w>(w: &'w mut Writer, notice: &Notice) -> &'w mut Writer {
    w.u64(notice.request).raw(&notice.hash.0).raw(&notice.previous.0).raw(&notice.successor.0);
    encode_keys(w, &notice.device).u64(notice.block).u64(notice.opened_at_s).u64(notice.wait_s)
}

fn decode_state(r: &mut Reader<'_>) -> Result<AccountState, DecodeError> {
    match r.u8("state")? {
        1 => Ok(AccountState::Open),
        2 => Ok(AccountState::ResetTo {
            successor: AccountId::decode(r, "successor")?,
            device: Box::new(DeviceKeys::decode(r)?),
            head: Digest::decode(r, "predecessor head")?,
        }),
        3 => Ok(AccountState::Closed),
        value => Err(DecodeError::Unknown { field: "state", value: value.into() }),
    }
}

fn decode_devices<Device>(
    r: &mut Reader<'_>,
    max: usize,
    decode: fn(&mut Reader<'_>) -> Result<Device, DecodeError>,
    keys: fn(&Device) -> &DeviceKeys,
) -> Result<BTreeMap<DeviceId, Device>, DecodeError> {
    let field = "devices";
    let mut devices = BTreeMap::new();
    for _ in 0..r.count32(max, 64, field)? {
        let device = decode(r)?;
        let id = keys(&device).id();
        if devices.last_key_value().is_some_and(|(last, _)| *last >= id) {
            return Err(DecodeError::NotAscending { field });
        }
        devices.insert(id, device);
    }
    Ok(devices)
}

fn decode_confirmed(r: &mut Reader<'_>) -> Result<Confirmed, DecodeError> {
    Ok(Confirmed {
        keys: DeviceKeys::decode(r)?,
        sequence: r.u64("sequence")?,
        at_s: r.u64("time")?,
        by: match r.u8("confirmer")? {
            0 => None,
            1 => Some(Confirmer::Device(DeviceId::decode(r, "confirmer")?)),
            2 => Some(Confirmer::RecoveryKey),
            value => return Err(DecodeError::Unknown { field: "confirmer", value: value.into() }),
        },
    })
}

fn decode_pending(r: &mut Reader<'_>) -> Result<Pending, DecodeError> {
    Ok(Pending {
        keys: DeviceKeys::decode(r)?,
        request: r.u64("request")?,
        added: Digest::decode(r, "added entry")?,
        opened_at_s: r.u64("time")?,
        commitments: [Digest::decode(r, "code")?, Digest::decode(r, "code")?, Digest::decode(r, "code")?],
    })
}

fn decode_retired(r: &mut Reader<'_>) -> Result<BTreeSet<[u8; 16]>, DecodeError> {
    let field = "retired keys";
    let mut retired = BTreeSet::new();
    for _ in 0..r.count32(MAX_RETIRED, 16, field)? {
        let mark = r.array(field)?;
        if retired.last().is_some_and(|last| *last >= mark) {
            return Err(DecodeError::NotAscending { field });
        }
        retired.insert(mark);
    }
    Ok(retired)
}

fn decode_notice(r: &mut Reader<'_>) -> Result<Notice, DecodeError> {
    Ok(Notice {
        request: r.u64("request")?,
        hash: Digest::decode(r, "notice")?,
        previous: Digest::decode(r, "head before the notice")?,
        successor: AccountId::decode(r, "successor")?,
        device: DeviceKeys::decode(r)?,
        block: r.u64("block")?,
        opened_at_s: r.u64("time")?,
        wait_s: r.u64("waiting time")?,
    })
}
