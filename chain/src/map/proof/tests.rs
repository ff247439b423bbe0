//! Proofs of one key against the tree, and against a prover who lies.

use proptest::prelude::*;

use super::super::Tree;
use super::super::naive::{any_key, any_map, example, key, value};
use super::*;

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
