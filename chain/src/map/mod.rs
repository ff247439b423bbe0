//! The map: one SHA-256 Merkle-Patricia tree from 32-byte keys to 32-byte values.

use crate::id::Digest;
/// stub
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    /// k
    pub key: Digest,
    /// o
    pub old: Option<Digest>,
    /// n
    pub new: Digest,
}
