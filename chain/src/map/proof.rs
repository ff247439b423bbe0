//! Proofs that a map with a given root holds a value under a key, or holds nothing there.
//!
//! One root gives exactly one answer for each key (attack 19): the descent follows the key's bits and ends in one
//! leaf. Wire form, version 1 (integers big-endian):
//!
//! ```text
//! version 1 ‖ kind 1 present                ‖ value 32            ‖ path
//! version 1 ‖ kind 2 absent, other leaf     ‖ key 32 ‖ value 32   ‖ path
//! version 1 ‖ kind 3 absent, map is empty
//! path = count 1 (0 to 64) ‖ count × (p 1 ‖ sibling 32), from the leaf up
//! ```

#[cfg(test)]
mod tests;

use thiserror::Error;

use super::{EMPTY_ROOT, MapKey, MapValue, inner_hash, leaf_hash};
use crate::encoding::{DecodeError, Reader, Writer};
use crate::id::Digest;

/// Version of the proof container, its first byte.
pub const PROOF_VERSION: u8 = 1;

/// Most elements of a path (attack 27). Keys are hashes: a map of 2^30 leaves has paths of 31 to 40, and a key that
/// makes one longer than 64 costs about 2^64 hashes to find.
pub const MAX_PATH: usize = 64;

const PRESENT: u8 = 1;
const OTHER_LEAF: u8 = 2;
const EMPTY_MAP: u8 = 3;

/// One inner node on the way from a leaf to the root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PathStep {
    /// The bit position at which the node divides its keys.
    pub p: u8,
    /// Hash of the subtree that is not on the way.
    pub sibling: Digest,
}

/// Shows that a key has a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PresenceProof {
    /// The value.
    pub value: MapValue,
    /// From the leaf up.
    pub path: Vec<PathStep>,
}

/// Shows that a key is not in the map.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AbsenceProof {
    /// The map has no leaves.
    EmptyMap,
    /// The descent by the key's bits ends in another key's leaf.
    OtherLeaf {
        /// That leaf's key.
        key: MapKey,
        /// That leaf's value.
        value: MapValue,
        /// From that leaf up.
        path: Vec<PathStep>,
    },
}

/// The answer to a look-up, with its proof.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MapProof {
    /// The key has a value.
    Presence(PresenceProof),
    /// The key is not in the map.
    Absence(AbsenceProof),
}

/// Why a proof does not show what it claims. Honest software makes none of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum MapProofError {
    /// Bit positions do not fall strictly from the leaf up.
    #[error("bit position {p} follows {before} on the way up")]
    PathNotFalling {
        /// Nearer to the leaf.
        before: u8,
        /// The next one up.
        p: u8,
    },
    /// The path does not lead to the root.
    #[error("the path leads to root {computed}")]
    WrongRoot {
        /// Where it leads.
        computed: Digest,
    },
    /// The leaf that should show the key's absence is the key's own.
    #[error("the leaf shown for absence is the key's own")]
    KeyPresent,
    /// The other leaf is not where the key's descent ends.
    #[error("the other leaf's key parts from the key's way at bit {p}")]
    OffPath {
        /// Where.
        p: u8,
    },
    /// The map is said to be empty, and its root says otherwise.
    #[error("the map is not empty")]
    NotEmpty,
}

/// Folds a path from a leaf to the root; the key's bits choose the sides.
fn path_root(key: &MapKey, value: &MapValue, path: &[PathStep]) -> Result<Digest, MapProofError> {
    let mut before = None;
    let mut hash = leaf_hash(key, value);
    for PathStep { p, sibling } in path {
        if let Some(before) = before
            && before <= *p
        {
            return Err(MapProofError::PathNotFalling { before, p: *p });
        }
        before = Some(*p);
        hash = if key.bit(*p) { inner_hash(sibling, &hash, *p) } else { inner_hash(&hash, sibling, *p) };
    }
    Ok(hash)
}

fn check_root(computed: Digest, root: &Digest) -> Result<(), MapProofError> {
    if computed == *root { Ok(()) } else { Err(MapProofError::WrongRoot { computed }) }
}

impl PresenceProof {
    /// The value that the map with this root holds under this key.
    ///
    /// # Errors
    /// [`MapProofError`].
    pub fn verify(&self, root: &Digest, key: &MapKey) -> Result<MapValue, MapProofError> {
        check_root(path_root(key, &self.value, &self.path)?, root)?;
        Ok(self.value)
    }
}

impl AbsenceProof {
    /// Says that the map with this root does not hold this key.
    ///
    /// # Errors
    /// [`MapProofError`].
    pub fn verify(&self, root: &Digest, key: &MapKey) -> Result<(), MapProofError> {
        let Self::OtherLeaf { key: other, value, path } = self else {
            return if *root == EMPTY_ROOT { Ok(()) } else { Err(MapProofError::NotEmpty) };
        };
        if other == key {
            return Err(MapProofError::KeyPresent);
        }
        if let Some(step) = path.iter().find(|step| other.bit(step.p) != key.bit(step.p)) {
            return Err(MapProofError::OffPath { p: step.p });
        }
        check_root(path_root(other, value, path)?, root)
    }
}

impl MapProof {
    /// What the map with this root holds under this key: a value, or nothing.
    ///
    /// # Errors
    /// [`MapProofError`].
    pub fn verify(&self, root: &Digest, key: &MapKey) -> Result<Option<MapValue>, MapProofError> {
        match self {
            Self::Presence(proof) => proof.verify(root, key).map(Some),
            Self::Absence(proof) => proof.verify(root, key).map(|()| None),
        }
    }

    /// Writes the wire form.
    pub fn encode(&self, writer: &mut Writer) {
        writer.u8(PROOF_VERSION);
        match self {
            Self::Presence(PresenceProof { value, path }) => {
                writer.u8(PRESENT).raw(value.0.as_bytes());
                encode_path(path, writer);
            }
            Self::Absence(AbsenceProof::OtherLeaf { key, value, path }) => {
                writer.u8(OTHER_LEAF).raw(key.0.as_bytes()).raw(value.0.as_bytes());
                encode_path(path, writer);
            }
            Self::Absence(AbsenceProof::EmptyMap) => {
                writer.u8(EMPTY_MAP);
            }
        }
    }

    /// Reads the wire form; nothing is allocated before the number of path elements is checked.
    ///
    /// # Errors
    /// [`DecodeError`]; [`DecodeError::Length`] for more than [`MAX_PATH`] elements (attack 27).
    pub fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let version = reader.u8("map proof version")?;
        if version != PROOF_VERSION {
            return Err(DecodeError::Unknown { field: "map proof version", value: version.into() });
        }
        match reader.u8("map proof kind")? {
            PRESENT => {
                let value = MapValue(Digest::decode(reader, "map value")?);
                Ok(Self::Presence(PresenceProof { value, path: decode_path(reader)? }))
            }
            OTHER_LEAF => {
                let key = MapKey(Digest::decode(reader, "other key")?);
                let value = MapValue(Digest::decode(reader, "other value")?);
                Ok(Self::Absence(AbsenceProof::OtherLeaf { key, value, path: decode_path(reader)? }))
            }
            EMPTY_MAP => Ok(Self::Absence(AbsenceProof::EmptyMap)),
            kind => Err(DecodeError::Unknown { field: "map proof kind", value: kind.into() }),
        }
    }
}

/// A path longer than [`MAX_PATH`] is written with a length that no decoder takes.
fn encode_path(path: &[PathStep], writer: &mut Writer) {
    writer.u8(u8::try_from(path.len()).unwrap_or(u8::MAX));
    for step in path {
        writer.u8(step.p).raw(step.sibling.as_bytes());
    }
}

fn decode_path(reader: &mut Reader<'_>) -> Result<Vec<PathStep>, DecodeError> {
    let length = usize::from(reader.u8("map path length")?);
    if length > MAX_PATH {
        return Err(DecodeError::Length { field: "map path", length, min: 0, max: MAX_PATH });
    }
    let step = |reader: &mut Reader<'_>| {
        Ok(PathStep { p: reader.u8("bit position")?, sibling: Digest::decode(reader, "sibling")? })
    };
    (0..length).map(|_| step(reader)).collect()
}
