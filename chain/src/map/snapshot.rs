//! The map as a file, so that a large service starts without replaying its blocks. Bytes only, no I/O.
//!
//! ```text
//! "trefoil-map-snapshot/v1" ‖ block number 8 ‖ root 32 ‖ leaf count 8
//! ‖ count × (key 32 ‖ value 32), keys strictly ascending ‖ SHA-256 of all bytes before, 32
//! ```
//!
//! Reading recomputes the root from the leaves, so a flipped bit is noticed twice (attack 24).

use sha2::{Digest as _, Sha256};
use thiserror::Error;

use super::tree::{MAX_LEAVES, Tree, TreeError, Version};
use super::{MapKey, MapValue};
use crate::encoding::{DecodeError, Reader};
use crate::id::Digest;

/// The first bytes of a snapshot.
pub const MAGIC: &[u8; 23] = b"trefoil-map-snapshot/v1";

const LEAF_LEN: usize = 64;

/// The map as it was after one block.
#[derive(Debug)]
pub struct Snapshot {
    /// The newest block whose changes are in it.
    pub block: u64,
    /// The map, with one version.
    pub tree: Tree,
}

/// Why bytes are not a snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SnapshotError {
    /// Other first bytes: another file or another version.
    #[error("the bytes are not a map snapshot of version 1")]
    WrongMagic,
    /// The length is not the one that the leaf count gives.
    #[error("the snapshot is malformed")]
    Malformed(#[from] DecodeError),
    /// The bytes changed after they were written.
    #[error("the checksum does not fit")]
    WrongChecksum,
    /// The leaves are not strictly ascending.
    #[error("the leaves make no map")]
    BadLeaves(#[from] TreeError),
    /// The leaves have another root than the one written down.
    #[error("the leaves have root {computed}, not {stated}")]
    WrongRoot {
        /// Written down.
        stated: Digest,
        /// Of the leaves.
        computed: Digest,
    },
}

/// Writes a version of the map, piece after piece, to `sink`.
///
/// # Errors
/// [`TreeError::UnknownVersion`], before the first piece.
pub fn encode(tree: &Tree, version: Version, block: u64, mut sink: impl FnMut(&[u8])) -> Result<(), TreeError> {
    let leaves = tree.leaves(version)?;
    let mut checksum = Sha256::new();
    let mut write = |piece: &[u8]| {
        checksum.update(piece);
        sink(piece);
    };
    write(MAGIC);
    write(&block.to_be_bytes());
    write(tree.root(version)?.as_bytes());
    write(&(tree.len(version)? as u64).to_be_bytes());
    for (key, value) in leaves {
        write(key.0.as_bytes());
        write(value.0.as_bytes());
    }
    sink(&checksum.finalize());
    Ok(())
}

/// Reads a snapshot, which is all of `bytes`, and rebuilds the map.
///
/// # Errors
/// [`SnapshotError`].
pub fn decode(bytes: &[u8]) -> Result<Snapshot, SnapshotError> {
    let mut reader = Reader::new(bytes);
    if reader.array("magic") != Ok(*MAGIC) {
        return Err(SnapshotError::WrongMagic);
    }
    let block = reader.u64("block number")?;
    let stated = Digest::decode(&mut reader, "root")?;
    let count = reader.u64("leaf count")?;
    let too_many = DecodeError::Length { field: "leaves", length: usize::MAX, min: 0, max: MAX_LEAVES };
    let count = usize::try_from(count).ok().filter(|count| *count <= MAX_LEAVES).ok_or(too_many)?;
    let leaves = reader.take(count * LEAF_LEN, "leaves")?;
    let checked = bytes.len() - reader.remaining();
    let checksum = Digest::decode(&mut reader, "checksum")?;
    reader.finish()?;
    if bytes.get(..checked).map(Digest::sha256) != Some(checksum) {
        return Err(SnapshotError::WrongChecksum);
    }
    let (pairs, _) = leaves.as_chunks::<32>();
    let leaf = |pair: &[[u8; 32]; 2]| (MapKey(Digest(pair[0])), MapValue(Digest(pair[1])));
    let tree = Tree::from_sorted(pairs.as_chunks::<2>().0.iter().map(leaf))?;
    let computed = tree.root(tree.newest())?;
    if computed == stated { Ok(Snapshot { block, tree }) } else { Err(SnapshotError::WrongRoot { stated, computed }) }
}

#[cfg(test)]
mod tests {
    use super::super::naive::example;
    use super::*;

    fn snapshot(leaves: u64) -> Vec<u8> {
        let mut bytes = Vec::new();
        let tree = Tree::from_sorted(example(leaves)).unwrap();
        encode(&tree, tree.newest(), 12, |piece| bytes.extend_from_slice(piece)).unwrap();
        bytes
    }

    /// Puts a fitting checksum under changed bytes.
    fn resealed(mut bytes: Vec<u8>) -> Vec<u8> {
        bytes.truncate(bytes.len() - 32);
        let checksum = Digest::sha256(&bytes);
        bytes.extend(checksum.0);
        bytes
    }

    #[test]
    fn a_snapshot_gives_the_same_map_again() {
        for len in [0, 1, 2, 500] {
            let bytes = snapshot(len);
            let Snapshot { block, tree } = decode(&bytes).unwrap();
            assert_eq!(block, 12);
            assert!(tree.leaves(tree.newest()).unwrap().eq(example(len)));
            let mut again = Vec::new();
            encode(&tree, tree.newest(), block, |piece| again.extend_from_slice(piece)).unwrap();
            assert_eq!(again, bytes);
        }
    }

    /// Attack 24.
    #[test]
    fn every_flipped_or_missing_byte_is_noticed() {
        let bytes = snapshot(8);
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut bytes = bytes.clone();
                bytes[at] ^= 1 << bit;
                assert!(decode(&bytes).is_err(), "byte {at} bit {bit}");
            }
            assert!(decode(&bytes[..at]).is_err());
        }
        assert!(decode(&[&bytes[..], &[0]].concat()).is_err());
    }

    /// Attack 24: a flip before the checksum was made.
    #[test]
    fn leaves_that_do_not_have_the_root_are_refused_under_a_fitting_checksum() {
        let bytes = snapshot(8);
        for at in MAGIC.len() + 8..bytes.len() - 32 {
            let mut bytes = bytes.clone();
            bytes[at] ^= 1;
            assert!(decode(&resealed(bytes)).is_err(), "byte {at}");
        }
    }

    #[test]
    fn leaves_out_of_order_or_twice_are_refused() {
        let bytes = snapshot(3);
        let first = MAGIC.len() + 48;
        let mut swapped = bytes.clone();
        swapped[first..first + 128].rotate_left(64);
        assert!(matches!(decode(&resealed(swapped)), Err(SnapshotError::BadLeaves(TreeError::NotAscending { .. }))));
        let mut twice = bytes;
        twice.copy_within(first..first + 64, first + 64);
        assert!(matches!(decode(&resealed(twice)), Err(SnapshotError::BadLeaves(TreeError::NotAscending { .. }))));
    }

    /// Attack 27.
    #[test]
    fn a_leaf_count_that_the_bytes_do_not_hold_is_refused() {
        for count in [9, 1 << 29, u64::MAX] {
            let mut bytes = snapshot(8);
            bytes[MAGIC.len() + 40..MAGIC.len() + 48].copy_from_slice(&count.to_be_bytes());
            assert!(matches!(decode(&resealed(bytes)), Err(SnapshotError::Malformed(_))));
        }
        assert_eq!(decode(b"trefoil-map-snapshot/v2").unwrap_err(), SnapshotError::WrongMagic);
    }
}
