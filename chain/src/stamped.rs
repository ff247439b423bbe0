//! An entry with the number and time of the block that sealed it: what a verifier folds.
//!
//! The stamp is not signed by itself; the history hash in the account's head binds it ([`DeviceSet::next_history`]), so
//! a service that shows an entry with another time is found out by the record it has to arrive at.

use crate::block::Parameters;
use crate::encoding::{DecodeError, Reader, Writer};
use crate::id::Digest;
use crate::sigchain::broken::RuleBroken;
use crate::sigchain::device_set::DeviceSet;
use crate::sigchain::entry::{Entry, Signatures};
use crate::sigchain::fold::Ground;
use crate::sigchain::rules::MAX_ENTRY;

/// An entry as it was sealed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StampedEntry {
    /// Number of its block.
    pub block: u64,
    /// Time of its block, seconds since 1970.
    pub time_s: u64,
    /// The entry's bytes.
    pub entry: Vec<u8>,
}

impl StampedEntry {
    /// Fewest bytes that one takes.
    pub const MIN_LEN: usize = 18;

    /// Adds the canonical bytes: block u64, time u64, entry behind its length (u16).
    pub fn encode(&self, w: &mut Writer) {
        w.u64(self.block).u64(self.time_s).bytes16(&self.entry);
    }

    /// Reads one; nothing is checked.
    ///
    /// # Errors
    /// [`DecodeError`].
    pub fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            block: r.u64("block")?,
            time_s: r.u64("block time")?,
            entry: r.bytes16(1, MAX_ENTRY, "entry")?.to_vec(),
        })
    }
}

/// Folds entries on top of a state, or from the first one, checking every signature.
///
/// # Errors
/// [`RuleBroken`]: the first entry that is not allowed. No entries and no state before is [`RuleBroken::Opening`].
pub fn fold_stamped(
    before: Option<DeviceSet>,
    entries: &[StampedEntry],
    parameters: &Parameters,
    root_at: &dyn Fn(u64) -> Option<Digest>,
) -> Result<DeviceSet, RuleBroken> {
    let mut set = before;
    for stamped in entries {
        let entry = Entry::decode(&stamped.entry)?;
        let ground = Ground { parameters, block: stamped.block, time_s: stamped.time_s, root_at };
        set = Some(match set {
            None => DeviceSet::open(&entry, &ground, &mut Signatures::CheckNow)?,
            Some(set) => set.apply(&entry, &ground, &mut Signatures::CheckNow)?,
        });
    }
    set.ok_or(RuleBroken::Opening)
}
