//! Blocks: what changes at once.
//!
//! A header is a leaf of the log, 152 bytes:
//!
//! ```text
//! format u16 | number u64 | time u64 (s) | previous map root 32 | new map root 32 | entries u32 | body hash 32
//!   | VRF key id 32 | rule set u16
//! ```
//!
//! Block 0 has the log's parameters as its body. Every other body is the entries, strictly ascending by account id,
//! and the map's changes, strictly ascending by key. Not in scope: whether a block is true ([`crate::audit`]).

use crate::encoding::{DecodeError, Reader, Writer};
use crate::handle::{VrfKeyId, VrfPublicKey};
use crate::id::{Digest, PublicKey};
use crate::label;
use crate::log::policy::Policy;
use crate::map::{Change, EMPTY_ROOT, MapKey, MapValue};
use crate::sigchain::entry::Entry;
use crate::sigchain::rules::{MAX_ENTRY, MAX_ORIGIN, RULE_SET};

/// The only block format so far.
pub const FORMAT: u16 = 1;
/// Most entries in one block (BLK-6).
pub const MAX_ENTRIES: usize = 4_096;
/// Most changes in one block: an entry changes its account and at most two handles.
pub const MAX_CHANGES: usize = 3 * MAX_ENTRIES;
/// Most bytes of a body, a limit of every reader.
pub const MAX_BODY: usize = 16 << 20;
/// Most bytes of the witness policy in block 0.
pub const MAX_POLICY: usize = 8_192;

/// A block's header: one leaf of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// The block's number, which is its index in the log (BLK-1).
    pub number: u64,
    /// When it was sealed, seconds since 1970 (BLK-5).
    pub time_s: u64,
    /// Root of the map before it.
    pub previous_root: Digest,
    /// Root of the map after it.
    pub new_root: Digest,
    /// How many entries its body has.
    pub entries: u32,
    /// Labelled hash of its body.
    pub body_hash: Digest,
    /// The VRF key under which handles are placed.
    pub vrf_key: VrfKeyId,
    /// The rule set under which it was sealed.
    pub rule_set: u16,
}

impl Header {
    /// Length in bytes.
    pub const LEN: usize = 152;

    /// The canonical bytes: the log's leaf.
    pub fn encode(&self) -> Vec<u8> {
        let mut w = Writer::new();
        w.u16(FORMAT).u64(self.number).u64(self.time_s).raw(&self.previous_root.0).raw(&self.new_root.0);
        w.u32(self.entries).raw(&self.body_hash.0).raw(&self.vrf_key.0.0).u16(self.rule_set);
        w.finish()
    }

    /// Reads a header.
    ///
    /// # Errors
    /// [`DecodeError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut r = Reader::new(bytes);
        let format = r.u16("block format")?;
        if format != FORMAT {
            return Err(DecodeError::Unknown { field: "block format", value: format.into() });
        }
        let header = Self {
            number: r.u64("block number")?,
            time_s: r.u64("block time")?,
            previous_root: Digest::decode(&mut r, "previous map root")?,
            new_root: Digest::decode(&mut r, "new map root")?,
            entries: r.u32("number of entries")?,
            body_hash: Digest::decode(&mut r, "body hash")?,
            vrf_key: VrfKeyId(Digest::decode(&mut r, "VRF key id")?),
            rule_set: r.u16("rule set")?,
        };
        if header.rule_set != RULE_SET {
            return Err(DecodeError::Unknown { field: "rule set", value: header.rule_set.into() });
        }
        r.finish()?;
        Ok(header)
    }
}

/// The hash that a header names.
pub fn body_hash(body: &[u8]) -> Digest {
    Digest::labelled(label::BLOCK_BODY, &[body])
}

/// The parameters of a log, for its whole life: the body of block 0.
///
/// ```text
/// format u16 | rule set u16 | origin (length u8) | service key 32 | VRF key 32 | policy (length u16)
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameters {
    /// The log's origin, as in its checkpoints: 1 to 128 visible ASCII characters without `+`.
    pub origin: String,
    /// Under which the service signs entries.
    pub service_key: PublicKey,
    /// Under which handles are placed in the map.
    pub vrf_key: VrfPublicKey,
    /// The witnesses whose time proves the wait of a reset (RST-5), a C2SP tlog-policy text. In block 0, so that
    /// everybody judges an old reset alike, whatever witnesses he trusts today.
    pub policy: Policy,
}

impl Parameters {
    /// The canonical bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut w = Writer::new();
        w.u16(FORMAT).u16(RULE_SET).bytes8(self.origin.as_bytes()).raw(self.service_key.as_bytes());
        w.raw(self.vrf_key.as_bytes()).bytes16(self.policy.to_string().as_bytes());
        w.finish()
    }

    /// Reads parameters.
    ///
    /// # Errors
    /// [`DecodeError`], also for a policy that is not in its canonical form.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut r = Reader::new(bytes);
        for (field, expected) in [("block format", FORMAT), ("rule set", RULE_SET)] {
            let value = r.u16(field)?;
            if value != expected {
                return Err(DecodeError::Unknown { field, value: value.into() });
            }
        }
        let origin = r.bytes8(1, MAX_ORIGIN, "origin")?;
        if let Some(byte) = origin.iter().find(|byte| !byte.is_ascii_graphic() || **byte == b'+') {
            return Err(DecodeError::Unknown { field: "origin", value: (*byte).into() });
        }
        let origin = String::from_utf8_lossy(origin).into_owned();
        let service_key = PublicKey::decode(&mut r, "service key")?;
        let vrf_key = VrfPublicKey::decode(&mut r)?;
        let text = r.bytes16(0, MAX_POLICY, "policy")?;
        let policy = std::str::from_utf8(text).ok().and_then(|text| text.parse::<Policy>().ok());
        let policy = policy.filter(|policy| policy.to_string().as_bytes() == text);
        let policy = policy.ok_or(DecodeError::Unknown { field: "policy", value: 0 })?;
        r.finish()?;
        Ok(Self { origin, service_key, vrf_key, policy })
    }

    /// The header of block 0: an empty map, and these parameters.
    pub fn genesis(&self, time_s: u64) -> Header {
        let empty = EMPTY_ROOT;
        Header {
            number: 0,
            time_s,
            previous_root: empty,
            new_root: empty,
            entries: 0,
            body_hash: body_hash(&self.encode()),
            vrf_key: self.vrf_key.id(),
            rule_set: RULE_SET,
        }
    }
}

/// The body of every block but the first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Body {
    /// Strictly ascending by account id, so one per account (BLK-3).
    pub entries: Vec<Entry>,
    /// Strictly ascending by key, so one per key (BLK-3).
    pub changes: Vec<Change>,
}

impl Body {
    /// The canonical bytes.
    ///
    /// ```text
    /// entries u32, each: length u16, entry | changes u32, each: key 32, old (0 | 1, value 32), new 32
    /// ```
    pub fn encode(&self) -> Vec<u8> {
        let mut w = Writer::new();
        w.count32(self.entries.len());
        self.entries.iter().for_each(|entry| {
            w.bytes16(&entry.encode());
        });
        w.count32(self.changes.len());
        for change in &self.changes {
            w.raw(&change.key.0.0).option(change.old.as_ref().map(|value| value.0.0.as_slice())).raw(&change.new.0.0);
        }
        w.finish()
    }

    /// Reads a body.
    ///
    /// # Errors
    /// [`DecodeError`], also for lists that do not ascend (BLK-3).
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        if bytes.len() > MAX_BODY {
            return Err(DecodeError::Length { field: "body", length: bytes.len(), min: 0, max: MAX_BODY });
        }
        let mut r = Reader::new(bytes);
        let count = r.count32(MAX_ENTRIES, 2, "entries")?;
        let entries = (0..count)
            .map(|_| Entry::decode(r.bytes16(1, MAX_ENTRY, "entry")?))
            .collect::<Result<Vec<_>, DecodeError>>()?;
        if !entries.is_sorted_by(|a, b| a.statement.position.account < b.statement.position.account) {
            return Err(DecodeError::NotAscending { field: "entries" });
        }
        let count = r.count32(MAX_CHANGES, 65, "changes")?;
        let changes = (0..count).map(|_| decode_change(&mut r)).collect::<Result<Vec<_>, DecodeError>>()?;
        if !changes.is_sorted_by(|a, b| a.key < b.key) {
            return Err(DecodeError::NotAscending { field: "changes" });
        }
        r.finish()?;
        Ok(Self { entries, changes })
    }
}

fn decode_change(r: &mut Reader<'_>) -> Result<Change, DecodeError> {
    Ok(Change {
        key: MapKey(Digest::decode(r, "changed key")?),
        old: if r.present("old value")? { Some(MapValue(Digest::decode(r, "old value")?)) } else { None },
        new: MapValue(Digest::decode(r, "new value")?),
    })
}
