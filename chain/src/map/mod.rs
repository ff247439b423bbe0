//! The map: one SHA-256 Merkle-Patricia tree from 32-byte keys to 32-byte values.
//!
//! The hash rule is the one that WAICT's `merkle-patricia-tree.md` and Russ Cox's `rsc/tmp/mpt` share (foreign
//! vectors in `docs/vectors/waict-mpt`). Bit 0 is the most significant bit of byte 0.
//!
//! ```text
//! leaf  = SHA-256(key ‖ value)            64 bytes
//! inner = SHA-256(left ‖ right ‖ p)       65 bytes; p: first bit position at which the keys below differ,
//!                                         left has bit p = 0
//! empty = SHA-256("")
//! ```
//!
//! The shape depends only on the set of keys. Leaves are added and changed, never removed.
//!
//! [`tree`] holds the map at the service and at auditors, [`proof`] shows one key to a client, [`transition`] shows
//! a whole block's changes to an auditor without the map, [`snapshot`] is the map as a file. Not in scope: what keys
//! and values mean (account heads and handle heads), and where the root is written down (block headers).

mod arena;
mod hash;
#[cfg(test)]
mod naive;
mod nodes;
pub mod proof;
pub mod snapshot;
#[cfg(test)]
mod tests;
pub mod transition;
pub mod tree;

use crate::id::Digest;

pub use hash::{inner_hash, leaf_hash};
pub use proof::{AbsenceProof, MapProof, MapProofError, PathStep, PresenceProof};
pub use snapshot::{Snapshot, SnapshotError};
pub use transition::{TransitionError, TransitionProof};
pub use tree::{Tree, TreeError, Version};

/// A key of the map: always a hash, so that no one chooses its place (and paths stay short).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MapKey(pub Digest);

/// What the map holds under a key: the hash of an account head or of a handle head.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MapValue(pub Digest);

/// One key's change in a block. Changes are sorted by key, at most one a key (BLK-3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    /// Which key.
    pub key: MapKey,
    /// The value before, or none if the key was absent (BLK-2).
    pub old: Option<MapValue>,
    /// The value after.
    pub new: MapValue,
}

/// Root of the map without leaves: SHA-256 of the empty string.
pub const EMPTY_ROOT: Digest = Digest([
    0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9, 0x24, 0x27, 0xae, 0x41,
    0xe4, 0x64, 0x9b, 0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55,
]);

impl MapKey {
    /// The bit at position `p`, counted from the most significant bit of byte 0.
    pub fn bit(&self, p: u8) -> bool {
        self.0.0.get(usize::from(p / 8)).is_some_and(|byte| byte & (0x80 >> (p % 8)) != 0)
    }

    /// The first bit position at which two keys differ; none if they are equal.
    pub fn first_difference(&self, other: &Self) -> Option<u8> {
        let differing = |(i, (a, b)): (u32, (&u8, &u8))| (a != b).then(|| i * 8 + (a ^ b).leading_zeros());
        let p = (0u32..).zip(self.0.0.iter().zip(&other.0.0)).find_map(differing)?;
        u8::try_from(p).ok()
    }
}
