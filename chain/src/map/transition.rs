//! The proof that a block's changes turned one map root into another and did nothing else, for auditors without the
//! map.
//!
//! It is the old tree, pruned to the ways on which the changed keys descend by their bits, in pre-order. Which
//! subtrees are pruned, and which leaf is a change's own, follows from the changes and is not written: so every old
//! tree and list of changes have exactly one proof, and nothing can be shown in excess.
//!
//! ```text
//! proof   = version 1 ‖ subtree
//! subtree = hash 32                          no changed key descends here
//!         | 0                                the map has no leaves (only alone)
//!         | 1                                a leaf, and one change that descends here has an old value:
//!                                            the leaf is that change's key with its old value
//!         | 1 ‖ key 32 ‖ value 32            a leaf, and no change that descends here has an old value
//!         | 2 ‖ p 1 ‖ subtree ‖ subtree      an inner node; the left subtree has bit p = 0
//! ```
//!
//! A new key always ends at a leaf that is shown, so the verifier knows where it parts from the keys it meets even if
//! that is far above the leaf.

#[cfg(test)]
mod tests;

use thiserror::Error;

use super::nodes::{Nodes, OldValueMismatch, Overwritten, Subtree, split_references};
use super::tree::descent;
use super::{Change, EMPTY_ROOT, MapKey, MapValue};
use crate::encoding::{DecodeError, Reader, Writer};
use crate::id::Digest;

/// Version of the wire form, its first byte.
const VERSION: u8 = 1;

/// Most bytes of an encoded proof, 4 MiB: 4,096 changes in a map of 2^30 leaves need about 3 MiB (attack 27).
pub const MAX_TRANSITION_LEN: usize = 4 << 20;

/// What a subtree on a changed key's way is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum NodeKind {
    /// The map has no leaves.
    Empty = 0,
    /// A leaf.
    Leaf = 1,
    /// An inner node.
    Inner = 2,
}

/// A pruned old tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransitionProof {
    /// Without the version byte. Its meaning depends on the changes, so it is read when they are known.
    body: Vec<u8>,
}

/// Why a transition is not shown. Honest software makes none of these.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TransitionError {
    /// The bytes are not a pruned tree for these changes.
    #[error("the proof is malformed")]
    Malformed(#[from] DecodeError),
    /// The changes' keys are not strictly ascending (BLK-3).
    #[error("the key at index {index} is not above the one before it")]
    NotAscending {
        /// Which change, from 0.
        index: usize,
    },
    /// Bit positions do not rise strictly from the root down.
    #[error("bit position {p} is not below its parent's")]
    PathNotRising {
        /// Of the lower node.
        p: u8,
    },
    /// A leaf stands where its key does not belong.
    #[error("a leaf below bit position {p} has a key of another place")]
    LeafMisplaced {
        /// Of the node above.
        p: u8,
    },
    /// The pruned tree is not that of the old root.
    #[error("the pruned tree has root {computed}")]
    WrongOldRoot {
        /// The root it has.
        computed: Digest,
    },
    /// A change whose old value is not what the old map holds (BLK-2).
    #[error("the old value does not fit at key {}", key.0)]
    OldValueMismatch {
        /// Which key.
        key: MapKey,
    },
}

impl From<OldValueMismatch> for TransitionError {
    fn from(OldValueMismatch(key): OldValueMismatch) -> Self {
        Self::OldValueMismatch { key }
    }
}

impl TransitionProof {
    pub(super) fn from_body(body: Vec<u8>) -> Self {
        Self { body }
    }

    /// The wire form.
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        writer.u8(VERSION).raw(&self.body);
        writer.finish()
    }

    /// Reads the wire form, which is all of `bytes`.
    ///
    /// # Errors
    /// [`DecodeError`]: too long, or of an unknown version. The body is judged by [`TransitionProof::verify`].
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let field = "transition proof";
        if bytes.len() > MAX_TRANSITION_LEN {
            return Err(DecodeError::Length { field, length: bytes.len(), min: 1, max: MAX_TRANSITION_LEN });
        }
        let mut reader = Reader::new(bytes);
        match reader.u8(field)? {
            VERSION => Ok(Self { body: reader.take(reader.remaining(), field)?.to_vec() }),
            version => Err(DecodeError::Unknown { field, value: version.into() }),
        }
    }

    /// The root that the map with `old_root` has after `changes`.
    ///
    /// # Errors
    /// [`TransitionError`].
    pub fn verify(&self, old_root: &Digest, changes: &[Change]) -> Result<Digest, TransitionError> {
        if let Some(index) = descent(changes) {
            return Err(TransitionError::NotAscending { index });
        }
        let mut pruned = PrunedTree { nodes: Nodes::new(), reader: Reader::new(&self.body) };
        let old = pruned.read_root(&mut changes.iter().collect::<Vec<_>>())?;
        let PrunedTree { mut nodes, reader } = pruned;
        reader.finish()?;
        let computed = old.map_or(EMPTY_ROOT, |old| old.hash);
        if computed != *old_root {
            return Err(TransitionError::WrongOldRoot { computed });
        }
        let Some(old) = old else {
            return match changes.iter().find(|change| change.old.is_some()) {
                Some(change) => Err(TransitionError::OldValueMismatch { key: change.key }),
                None => {
                    let new = nodes.build(changes.iter().map(|change| (change.key, change.new)));
                    Ok(new.map_or(EMPTY_ROOT, |new| new.hash))
                }
            };
        };
        nodes.newest().check_old(old.node, changes)?;
        Ok(nodes.merge(old, 0, changes, &mut Overwritten::default()).hash)
    }
}

/// A pruned tree while it is read.
struct PrunedTree<'a> {
    nodes: Nodes,
    reader: Reader<'a>,
}

impl PrunedTree<'_> {
    /// Reads the whole tree, none if it is the empty map's.
    fn read_root(&mut self, changes: &mut [&Change]) -> Result<Option<Subtree>, TransitionError> {
        let mut ahead = self.reader.clone();
        if !changes.is_empty() && ahead.u8("node kind")? == NodeKind::Empty as u8 {
            self.reader = ahead;
            return Ok(None);
        }
        Ok(Some(self.read(0, changes)?.0))
    }

    /// Reads a subtree to which `changes` descend and whose bit position is at least `depth`; also gives the key of
    /// a leaf in it, if one is shown. Recursion ends at depth 256, because bit positions rise.
    fn read(&mut self, depth: u16, changes: &mut [&Change]) -> Result<(Subtree, Option<MapKey>), TransitionError> {
        if changes.is_empty() {
            let hash = Digest::decode(&mut self.reader, "pruned subtree")?;
            return Ok((Subtree::stub(hash), None));
        }
        match self.reader.u8("node kind")? {
            kind if kind == NodeKind::Leaf as u8 => {
                let (key, value) = self.read_leaf(changes)?;
                Ok((self.nodes.leaf(key, value), Some(key)))
            }
            kind if kind == NodeKind::Inner as u8 => {
                let p = self.reader.u8("bit position")?;
                if u16::from(p) < depth {
                    return Err(TransitionError::PathNotRising { p });
                }
                let (changes_left, changes_right) = split_references(changes, p);
                let (left, left_key) = self.read(u16::from(p) + 1, changes_left)?;
                let (right, right_key) = self.read(u16::from(p) + 1, changes_right)?;
                let key = check_places(p, left_key, right_key)?;
                Ok((self.nodes.join(p, left, right), key))
            }
            kind => Err(DecodeError::Unknown { field: "node kind", value: kind.into() }.into()),
        }
    }

    /// A leaf: the change's own if one of those that descend here has an old value, otherwise as written.
    fn read_leaf(&mut self, changes: &[&Change]) -> Result<(MapKey, MapValue), DecodeError> {
        if let Some((key, old)) = changes.iter().find_map(|change| Some((change.key, change.old?))) {
            return Ok((key, old));
        }
        let key = Digest::decode(&mut self.reader, "leaf key")?;
        let value = Digest::decode(&mut self.reader, "leaf value")?;
        Ok((MapKey(key), MapValue(value)))
    }
}

/// Checks that the leaves shown below a node with bit position `p` belong there, given one of each side: those of a
/// side agree beyond `p` already. Gives one of the two.
fn check_places(p: u8, left: Option<MapKey>, right: Option<MapKey>) -> Result<Option<MapKey>, TransitionError> {
    let sides = left.is_none_or(|key| !key.bit(p)) && right.is_none_or(|key| key.bit(p));
    let apart = match (&left, &right) {
        (Some(left), Some(right)) => left.first_difference(right) == Some(p),
        _ => true,
    };
    if sides && apart { Ok(left.or(right)) } else { Err(TransitionError::LeafMisplaced { p }) }
}
