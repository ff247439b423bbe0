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

#[cfg(test)]
mod tests {
    use super::super::Tree;
    use super::super::naive::{any_key, any_map, example, key, value};
    use super::*;
    use proptest::prelude::*;

    fn encoded(proof: &MapProof) -> Vec<u8> {
        let mut writer = Writer::new();
        proof.encode(&mut writer);
        writer.finish()
    }

    fn decoded(bytes: &[u8]) -> Result<MapProof, DecodeError> {
        let mut reader = Reader::new(bytes);
        let proof = MapProof::decode(&mut reader)?;
        reader.finish()?;
        Ok(proof)
    }

    /// A map of 40 leaves, its root, and the proof for `key`.
    fn proven(key: &MapKey) -> (Digest, MapProof) {
        let tree = Tree::from_sorted(example(40)).unwrap();
        (tree.root(tree.newest()).unwrap(), tree.prove(tree.newest(), key).unwrap())
    }

    fn presence(i: u64) -> (Digest, PresenceProof) {
        match proven(&key(i)) {
            (root, MapProof::Presence(proof)) => (root, proof),
            (_, proof) => panic!("{proof:?}"),
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(100))]

        #[test]
        fn every_proof_has_one_encoding_and_survives_it(map in any_map(30), other in any_key()) {
            let tree = Tree::from_sorted(map.clone()).unwrap();
            let root = tree.root(tree.newest()).unwrap();
            for key in map.keys().chain([&other]) {
                let proof = tree.prove(tree.newest(), key).unwrap();
                let bytes = encoded(&proof);
                prop_assert_eq!(decoded(&bytes), Ok(proof.clone()));
                prop_assert_eq!(proof.verify(&root, key), Ok(map.get(key).copied()));
            }
        }

        #[test]
        fn bytes_that_decode_are_canonical(bytes in proptest::collection::vec(0u8..4, 0..200)) {
            if let Ok(proof) = decoded(&bytes) {
                prop_assert_eq!(encoded(&proof), bytes);
            }
        }
    }

    #[test]
    fn every_flipped_bit_of_a_proof_is_refused() {
        for key in [key(5), key(1000)] {
            let (root, proof) = proven(&key);
            let bytes = encoded(&proof);
            for bit in 0..bytes.len() * 8 {
                let mut bytes = bytes.clone();
                bytes[bit / 8] ^= 1 << (bit % 8);
                let answer = decoded(&bytes).map(|proof| proof.verify(&root, &key));
                assert!(!matches!(answer, Ok(Ok(_))), "bit {bit}");
            }
        }
    }

    #[test]
    fn an_unknown_version_or_kind_is_refused() {
        let mut bytes = encoded(&proven(&key(5)).1);
        bytes[0] = 2;
        assert_eq!(decoded(&bytes), Err(DecodeError::Unknown { field: "map proof version", value: 2 }));
        assert_eq!(decoded(&[1, 0]), Err(DecodeError::Unknown { field: "map proof kind", value: 0 }));
        assert_eq!(decoded(&[1, 4]), Err(DecodeError::Unknown { field: "map proof kind", value: 4 }));
    }

    #[test]
    fn a_proof_with_trailing_or_missing_bytes_is_refused() {
        let mut bytes = encoded(&proven(&key(5)).1);
        (0..bytes.len()).for_each(|len| assert!(decoded(&bytes[..len]).is_err()));
        bytes.push(0);
        assert_eq!(decoded(&bytes), Err(DecodeError::TrailingBytes { count: 1 }));
    }

    /// Attack 27.
    #[test]
    fn a_proof_of_10000_elements_is_refused_before_anything_is_reserved() {
        let step = PathStep { p: 9, sibling: Digest::ZERO };
        let bomb = MapProof::Presence(PresenceProof { value: value(1), path: vec![step; 10_000] });
        let too_long = |length| Err(DecodeError::Length { field: "map path", length, min: 0, max: 64 });
        assert_eq!(decoded(&encoded(&bomb)), too_long(255));
        // the length is judged before the elements are looked at
        let head = [&[1, 1][..], &[0; 32], &[65]].concat();
        assert_eq!(decoded(&head), too_long(65));
    }

    #[test]
    fn a_wrong_value_root_key_or_sibling_leads_elsewhere() {
        let (root, proof) = presence(5);
        let wrong = |result| assert!(matches!(result, Err(MapProofError::WrongRoot { .. })), "{result:?}");
        wrong(PresenceProof { value: value(6), ..proof.clone() }.verify(&root, &key(5)));
        wrong(proof.verify(&Digest::ZERO, &key(5)));
        wrong(proof.verify(&root, &key(6)));
        let mut short = proof.clone();
        short.path.pop();
        wrong(short.verify(&root, &key(5)));
        let mut other = proof;
        other.path[0].sibling = Digest::ZERO;
        wrong(other.verify(&root, &key(5)));
    }

    #[test]
    fn a_path_that_does_not_fall_is_refused_even_if_it_leads_to_the_root() {
        let (_, mut proof) = presence(5);
        let first = proof.path[0].p;
        for p in [first, first + 1] {
            proof.path.truncate(1);
            proof.path.push(PathStep { p, sibling: Digest::ZERO });
            let root = path_root_unchecked(&key(5), &proof);
            assert_eq!(proof.verify(&root, &key(5)), Err(MapProofError::PathNotFalling { before: first, p }));
        }
    }

    fn path_root_unchecked(key: &MapKey, proof: &PresenceProof) -> Digest {
        proof.path.iter().fold(leaf_hash(key, &proof.value), |hash, step| match key.bit(step.p) {
            true => inner_hash(&step.sibling, &hash, step.p),
            false => inner_hash(&hash, &step.sibling, step.p),
        })
    }

    /// Attack 19: of presence and absence only one can be shown.
    #[test]
    fn a_present_key_cannot_be_shown_absent() {
        let (root, PresenceProof { value: shown, path }) = presence(5);
        let own = AbsenceProof::OtherLeaf { key: key(5), value: shown, path: path.clone() };
        assert_eq!(own.verify(&root, &key(5)), Err(MapProofError::KeyPresent));
        for i in (0..40).filter(|i| *i != 5) {
            let (_, PresenceProof { value, path }) = presence(i);
            let other = AbsenceProof::OtherLeaf { key: key(i), value, path };
            assert!(matches!(other.verify(&root, &key(5)), Err(MapProofError::OffPath { .. })));
        }
        assert_eq!(AbsenceProof::EmptyMap.verify(&root, &key(5)), Err(MapProofError::NotEmpty));
        assert_eq!(AbsenceProof::EmptyMap.verify(&EMPTY_ROOT, &key(5)), Ok(()));
    }

    #[test]
    fn an_absent_key_cannot_be_shown_present() {
        for i in 0..40 {
            let (root, proof) = presence(i);
            assert!(matches!(proof.verify(&root, &key(1000)), Err(MapProofError::WrongRoot { .. })));
        }
    }
}
