//! Merkle trees of RFC 6962 (and RFC 9162, the same trees): hashes, proofs, and the frontier of a growing tree.
//!
//! A *node* is named by `(level, index)`: the root of the complete subtree over the 2^level leaves from
//! `index · 2^level` on. Every proof is made from such nodes only. Not in scope: where nodes are kept
//! ([`super::tile`]), and who signed a root ([`super::checkpoint`]).

use sha2::{Digest as _, Sha256};
use thiserror::Error;

use crate::encoding::{DecodeError, Reader, Writer};
use crate::id::Digest;

/// Most hashes in a proof (C2SP tlog-witness; attack 27).
pub const MAX_PROOF_HASHES: usize = 63;

/// Most leaves in a tree: 2^62, the largest size whose every proof has at most [`MAX_PROOF_HASHES`] hashes.
pub const MAX_SIZE: u64 = 1 << 62;

/// Why a proof is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ProofError {
    /// More hashes than any tree needs.
    #[error("the proof has {count} hashes, the most is {MAX_PROOF_HASHES}")]
    TooManyHashes {
        /// How many.
        count: usize,
    },
    /// A proof for sizes of this kind has another number of hashes.
    #[error("a proof with {count} hashes does not fit the sizes it is offered for")]
    WrongLength {
        /// How many.
        count: usize,
    },
    /// Positions that no proof can be about.
    #[error("position {position} is not within size {size}")]
    OutOfRange {
        /// Leaf index or older size.
        position: u64,
        /// Tree size, or newer size.
        size: u64,
    },
    /// The older root is not the one that the proof leads to.
    #[error("the proof does not lead to the older root")]
    WrongOldRoot,
    /// The root is not the one that the proof leads to.
    #[error("the proof does not lead to the root")]
    WrongRoot,
}

impl ProofError {
    /// The stable code of this refusal.
    pub fn code(&self) -> &'static str {
        "chain.proof_invalid"
    }
}

/// Why a proof or root cannot be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ProveError {
    /// The node is not to be had.
    #[error("the hash of node {index} at level {level} is missing")]
    Missing {
        /// Height over the leaves.
        level: u8,
        /// Position within the level.
        index: u64,
    },
    /// Positions that no proof can be about.
    #[error("position {position} is not within size {size}")]
    OutOfRange {
        /// Leaf index or older size.
        position: u64,
        /// Tree size, or newer size.
        size: u64,
    },
}

/// The hash of a leaf: SHA-256(0x00 ‖ data) (RFC 6962 §2.1).
pub fn leaf_hash(data: &[u8]) -> Digest {
    hash(&[&[0], data])
}

/// The hash of an inner node: SHA-256(0x01 ‖ left ‖ right) (RFC 6962 §2.1).
pub fn node_hash(left: &Digest, right: &Digest) -> Digest {
    hash(&[&[1], left.as_bytes(), right.as_bytes()])
}

/// The root of the tree without leaves: SHA-256 of nothing (RFC 6962 §2.1).
pub fn empty_root() -> Digest {
    hash(&[])
}

fn hash(parts: &[&[u8]]) -> Digest {
    let mut hash = Sha256::new();
    parts.iter().for_each(|part| hash.update(part));
    Digest(hash.finalize().into())
}

/// Checks that `leaf` (a leaf hash) is leaf `index` of the tree of `size` leaves with this `root` (RFC 9162 §2.1.3.2).
///
/// # Errors
/// [`ProofError`].
pub fn verify_inclusion(
    leaf: &Digest,
    index: u64,
    size: u64,
    proof: &[Digest],
    root: &Digest,
) -> Result<(), ProofError> {
    if index >= size || size > MAX_SIZE {
        return Err(ProofError::OutOfRange { position: index, size });
    }
    let mut walk = Walk::new(index, size, proof)?;
    let mut computed = *leaf;
    while let Some((side, hash)) = walk.next()? {
        computed = match side {
            Side::Left => node_hash(hash, &computed),
            Side::Right => node_hash(&computed, hash),
        };
    }
    if computed == *root { Ok(()) } else { Err(ProofError::WrongRoot) }
}

/// Checks that the tree of `new_size` leaves with `new_root` begins with the tree of `old_size` leaves with `old_root`
/// (RFC 9162 §2.1.4.2). From size 0, and between equal sizes, the only proof is the empty one.
///
/// # Errors
/// [`ProofError`].
pub fn verify_consistency(
    old_size: u64,
    new_size: u64,
    proof: &[Digest],
    old_root: &Digest,
    new_root: &Digest,
) -> Result<(), ProofError> {
    if old_size > new_size || new_size > MAX_SIZE {
        return Err(ProofError::OutOfRange { position: old_size, size: new_size });
    }
    if old_size == 0 || old_size == new_size {
        return verify_without_hashes(old_size, new_size, proof, old_root, new_root);
    }
    let (old, new) = consistency_roots(old_size, new_size, proof, old_root)?;
    if old != *old_root {
        Err(ProofError::WrongOldRoot)
    } else if new != *new_root {
        Err(ProofError::WrongRoot)
    } else {
        Ok(())
    }
}

/// The two cases of [`verify_consistency`] in which nothing is to be hashed.
fn verify_without_hashes(
    old_size: u64,
    new_size: u64,
    proof: &[Digest],
    old_root: &Digest,
    new_root: &Digest,
) -> Result<(), ProofError> {
    if !proof.is_empty() {
        Err(ProofError::WrongLength { count: proof.len() })
    } else if old_size == 0 && *old_root != empty_root() {
        Err(ProofError::WrongOldRoot)
    } else if old_size == new_size && old_root != new_root {
        Err(ProofError::WrongRoot)
    } else {
        Ok(())
    }
}

/// The older and the newer root that a consistency proof leads to, for `0 < old_size < new_size`.
///
/// If the newer one is a root that the log signed, then the older one is the only root that this log's tree had at
/// `old_size`: signed evidence of another root at that size is a fork. `old_root` is used only if `old_size` is a
/// power of two, because the proof then leaves that node out; the older root is then `old_root` itself.
///
/// # Errors
/// [`ProofError`].
pub fn consistency_roots(
    old_size: u64,
    new_size: u64,
    proof: &[Digest],
    old_root: &Digest,
) -> Result<(Digest, Digest), ProofError> {
    if old_size == 0 || old_size >= new_size || new_size > MAX_SIZE {
        return Err(ProofError::OutOfRange { position: old_size, size: new_size });
    }
    let (first, rest) = if old_size.is_power_of_two() {
        (old_root, proof)
    } else {
        proof.split_first().ok_or(ProofError::WrongLength { count: 0 })?
    };
    // the proof starts at the largest complete subtree that ends where the older tree ends
    let skipped = old_size.trailing_zeros();
    let mut walk = Walk::new((old_size - 1) >> skipped, ((new_size - 1) >> skipped) + 1, rest)?;
    let (mut old, mut new) = (*first, *first);
    while let Some((side, hash)) = walk.next()? {
        match side {
            Side::Left => {
                old = node_hash(hash, &old);
                new = node_hash(hash, &new);
            }
            Side::Right => new = node_hash(&new, hash),
        }
    }
    Ok((old, new))
}

/// A consistency proof as [`consistency_roots`] takes it, where the root of a complete older tree may stand in front
/// (docs/protocol.md §11): without it, if it is this one.
pub fn without_root<'a>(old_size: u64, old_root: &Digest, proof: &'a [Digest]) -> &'a [Digest] {
    match proof.split_first() {
        Some((first, rest)) if old_size.is_power_of_two() && first == old_root => rest,
        _ => proof,
    }
}

/// On which side of the computed hash the next hash of a proof stands.
enum Side {
    Left,
    Right,
}

/// The way from a node up to the root, taking one hash of the proof per step. Ends with an error unless the proof has
/// exactly the hashes that the way needs.
struct Walk<'a> {
    index: u64,
    last: u64,
    rest: std::slice::Iter<'a, Digest>,
    count: usize,
}

impl<'a> Walk<'a> {
    fn new(index: u64, size: u64, proof: &'a [Digest]) -> Result<Self, ProofError> {
        let count = proof.len();
        if count > MAX_PROOF_HASHES {
            return Err(ProofError::TooManyHashes { count });
        }
        Ok(Self { index, last: size.saturating_sub(1), rest: proof.iter(), count })
    }

    fn next(&mut self) -> Result<Option<(Side, &'a Digest)>, ProofError> {
        let wrong_length = ProofError::WrongLength { count: self.count };
        if self.last == 0 {
            return if self.rest.next().is_none() { Ok(None) } else { Err(wrong_length) };
        }
        let hash = self.rest.next().ok_or(wrong_length)?;
        let side = if self.index & 1 == 1 {
            Side::Left
        } else if self.index == self.last {
            // the last node of an uneven level has no sibling: it rises until it is a right child
            while self.index & 1 == 0 {
                self.up();
            }
            Side::Left
        } else {
            Side::Right
        };
        self.up();
        Ok(Some((side, hash)))
    }

    fn up(&mut self) {
        self.index >>= 1;
        self.last >>= 1;
    }
}

/// The root of the tree of the first `size` leaves. `read` gives the hash of a complete node within them.
///
/// # Errors
/// [`ProveError`].
pub fn root(size: u64, mut read: impl FnMut(u8, u64) -> Option<Digest>) -> Result<Digest, ProveError> {
    if size > MAX_SIZE {
        return Err(ProveError::OutOfRange { position: size, size: MAX_SIZE });
    }
    if size == 0 { Ok(empty_root()) } else { range_root(0, size, &mut read) }
}

/// The hashes that lead from leaf `index` to the root at `size`, leaf first (RFC 6962 §2.1.1). `read` as in [`root`].
///
/// # Errors
/// [`ProveError`].
pub fn prove_inclusion(
    index: u64,
    size: u64,
    mut read: impl FnMut(u8, u64) -> Option<Digest>,
) -> Result<Vec<Digest>, ProveError> {
    if index >= size || size > MAX_SIZE {
        return Err(ProveError::OutOfRange { position: index, size });
    }
    let mut proof = Vec::new();
    let (mut start, mut end) = (0, size);
    while end - start > 1 {
        let middle = start + split(end - start);
        if index < middle {
            proof.push(range_root(middle, end, &mut read)?);
            end = middle;
        } else {
            proof.push(range_root(start, middle, &mut read)?);
            start = middle;
        }
    }
    proof.reverse();
    Ok(proof)
}

/// The hashes that show that the tree at `new_size` begins with the tree at `old_size` (RFC 6962 §2.1.2); none from
/// size 0 and between equal sizes. `read` as in [`root`].
///
/// # Errors
/// [`ProveError`].
pub fn prove_consistency(
    old_size: u64,
    new_size: u64,
    mut read: impl FnMut(u8, u64) -> Option<Digest>,
) -> Result<Vec<Digest>, ProveError> {
    if old_size > new_size || new_size > MAX_SIZE {
        return Err(ProveError::OutOfRange { position: old_size, size: new_size });
    }
    let mut proof = Vec::new();
    if old_size == 0 {
        return Ok(proof);
    }
    let (mut start, mut end) = (0, new_size);
    while old_size < end {
        let middle = start + split(end - start);
        if old_size <= middle {
            proof.push(range_root(middle, end, &mut read)?);
            end = middle;
        } else {
            proof.push(range_root(start, middle, &mut read)?);
            start = middle;
        }
    }
    // the verifier has the node itself if it is the whole older tree
    if start > 0 {
        proof.push(range_root(start, end, &mut read)?);
    }
    proof.reverse();
    Ok(proof)
}

/// The largest power of two below `count`, for `count` of 2 and more: where RFC 6962 splits a tree.
fn split(count: u64) -> u64 {
    1 << (count - 1).ilog2()
}

/// The root over the leaves `start..end`, as it occurs in a tree of RFC 6962: not empty, and `start` a multiple of the
/// smallest power of two that is not below the length.
fn range_root(start: u64, end: u64, read: &mut impl FnMut(u8, u64) -> Option<Digest>) -> Result<Digest, ProveError> {
    let mut right = None;
    let mut end = end;
    while end > start {
        let level = u8::try_from((end - start).trailing_zeros()).unwrap_or(u8::MAX);
        let index = (end >> level) - 1;
        let node = read(level, index).ok_or(ProveError::Missing { level, index })?;
        right = Some(right.map_or(node, |right| node_hash(&node, &right)));
        end = index << level;
    }
    Ok(right.unwrap_or_else(empty_root))
}

/// What is needed of a tree to let it grow: its size and the roots of its complete subtrees, at most 63.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Frontier {
    size: u64,
    /// One per one-bit of `size`, largest subtree first.
    subtrees: Vec<Digest>,
}

impl Frontier {
    /// The tree without leaves.
    pub fn new() -> Self {
        Self::default()
    }

    /// The frontier of the tree of the first `size` leaves. `read` as in [`root`].
    ///
    /// # Errors
    /// [`ProveError`].
    pub fn read(size: u64, mut read: impl FnMut(u8, u64) -> Option<Digest>) -> Result<Self, ProveError> {
        if size > MAX_SIZE {
            return Err(ProveError::OutOfRange { position: size, size: MAX_SIZE });
        }
        let levels = (0..u8::MAX).take_while(|level| size.checked_shr((*level).into()).is_some_and(|rest| rest > 0));
        let mut subtrees = Vec::new();
        for level in levels.filter(|level| size >> level & 1 == 1) {
            let index = (size >> level) - 1;
            subtrees.push(read(level, index).ok_or(ProveError::Missing { level, index })?);
        }
        subtrees.reverse();
        Ok(Self { size, subtrees })
    }

    /// Number of leaves.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The root (RFC 6962 §2.1).
    pub fn root(&self) -> Digest {
        let from_the_right = self.subtrees.iter().rev().copied();
        from_the_right.reduce(|right, left| node_hash(&left, &right)).unwrap_or_else(empty_root)
    }

    /// Adds a leaf hash at the end.
    ///
    /// # Errors
    /// [`ProveError::OutOfRange`] at [`MAX_SIZE`].
    pub fn append(&mut self, leaf: Digest) -> Result<(), ProveError> {
        self.append_with(leaf, |_, _, _| ())
    }

    /// Adds a leaf hash at the end and tells every node that it completes (level, index, hash), the leaf first.
    ///
    /// # Errors
    /// [`ProveError::OutOfRange`] at [`MAX_SIZE`].
    pub fn append_with(&mut self, leaf: Digest, mut completed: impl FnMut(u8, u64, Digest)) -> Result<(), ProveError> {
        if self.size >= MAX_SIZE {
            return Err(ProveError::OutOfRange { position: self.size, size: MAX_SIZE });
        }
        let mut node = leaf;
        let mut index = self.size;
        let mut level = 0;
        completed(level, index, node);
        while index & 1 == 1
            && let Some(left) = self.subtrees.pop()
        {
            node = node_hash(&left, &node);
            index >>= 1;
            level += 1;
            completed(level, index, node);
        }
        self.subtrees.push(node);
        self.size += 1;
        Ok(())
    }

    /// The canonical encoding: size (8 bytes), then the roots of the complete subtrees, largest first (32 bytes each).
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        writer.u64(self.size);
        self.subtrees.iter().for_each(|node| {
            writer.raw(node.as_bytes());
        });
        writer.finish()
    }

    /// Reads [`Frontier::encode`].
    ///
    /// # Errors
    /// [`DecodeError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        let size = reader.u64("frontier size")?;
        if size > MAX_SIZE {
            return Err(DecodeError::Unknown { field: "frontier size", value: size });
        }
        let subtrees =
            (0..size.count_ones()).map(|_| Digest::decode(&mut reader, "frontier node")).collect::<Result<_, _>>()?;
        reader.finish()?;
        Ok(Self { size, subtrees })
    }
}

#[cfg(test)]
mod tests;
