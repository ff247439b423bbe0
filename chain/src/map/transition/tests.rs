//! Transition proofs against the tree, and against a prover who lies.

use proptest::collection::vec;
use proptest::prelude::*;

use super::super::naive::{self, NaiveMap, any_map, example, key, value};
use super::super::{Tree, inner_hash, leaf_hash};
use super::*;

/// A tree, the changes of a block, and their proof.
struct Case {
    old: Digest,
    new: Digest,
    changes: Vec<Change>,
    proof: TransitionProof,
}

fn case(map: &NaiveMap, new: &NaiveMap) -> Case {
    let mut tree = Tree::from_sorted(map.clone()).unwrap();
    let before = tree.newest();
    let changes = naive::set(&mut map.clone(), new);
    let proof = tree.prove_transition(before, &changes).unwrap();
    let after = tree.apply(before, &changes).unwrap();
    Case { old: tree.root(before).unwrap(), new: tree.root(after).unwrap(), changes, proof }
}

fn mixed_case() -> Case {
    // 10 updates and 10 new keys
    case(&example(60), &(50..70).map(|i| (key(i), value(i + 1000))).collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// BLK-2 for an auditor without the map.
    #[test]
    fn a_proof_gives_the_root_that_the_changes_give(map in any_map(40), new in any_map(15), again in 0usize..5) {
        let again = map.keys().step_by(again + 1).map(|key| (*key, value(1)));
        let new: NaiveMap = again.take(5).chain(new.clone()).collect();
        let Case { old, new, changes, proof } = case(&map, &new);
        prop_assert_eq!(proof.verify(&old, &changes), Ok(new));
        prop_assert_eq!(TransitionProof::decode(&proof.encode()), Ok(proof));
    }

    #[test]
    fn a_changed_proof_is_refused(map in any_map(20), new in any_map(8), at in any::<prop::sample::Index>(), flip in 1u8..)
    {
        let Case { old, changes, proof, .. } = case(&map, &new);
        let mut body = proof.body;
        let at = at.index(body.len());
        body[at] ^= flip;
        let changed = TransitionProof::from_body(body.clone());
        let result = changed.verify(&old, &changes);
        prop_assert!(result.is_err());
        if let Err(TransitionError::WrongOldRoot { computed }) = result {
            // a liar may have chosen the old root too: whatever the verdict, it is one
            changed.verify(&computed, &changes).ok();
        }
        body[at] ^= flip;
        prop_assert!(TransitionProof::from_body(body[..at].to_vec()).verify(&old, &changes).is_err());
        body.push(flip);
        prop_assert!(TransitionProof::from_body(body).verify(&old, &changes).is_err());
    }

    /// Attack 27: nothing that arrives makes the verifier panic.
    #[test]
    fn bytes_from_outside_are_refused(body in vec(0u8..4, 0..400), new in any_map(8), map in any_map(8)) {
        let changes = naive::set(&mut map.clone(), &new);
        if !changes.is_empty() && !map.is_empty() {
            prop_assert!(TransitionProof::from_body(body).verify(&naive::map_root(&map), &changes).is_err());
        }
    }

    #[test]
    fn other_changes_do_not_give_the_new_root(map in any_map(20), new in any_map(8), at in any::<prop::sample::Index>()) {
        let Case { old, new, changes, proof } = case(&map, &new);
        if changes.is_empty() {
            return Ok(());
        }
        let at = at.index(changes.len());
        let changed = |edit: &dyn Fn(&mut Vec<Change>)| {
            let mut changes = changes.clone();
            edit(&mut changes);
            proof.verify(&old, &changes)
        };
        prop_assert_ne!(changed(&|changes| changes[at].new = value(9)), Ok(new));
        prop_assert!(changed(&|changes| changes[at].old = Some(value(9))).is_err());
        if changes[at].old.is_some() {
            prop_assert!(changed(&|changes| changes[at].old = None).is_err());
        }
        if changes[at].old != Some(changes[at].new) {
            let fewer = changed(&|changes| {
                changes.remove(at);
            });
            prop_assert_ne!(fewer, Ok(new));
        }
        let again = TransitionError::NotAscending { index: at + 1 };
        prop_assert_eq!(changed(&|changes| changes.insert(at, changes[at])), Err(again));
    }
}

#[test]
fn every_flipped_bit_of_a_proof_is_refused() {
    let Case { old, changes, proof, .. } = mixed_case();
    let bytes = proof.encode();
    for bit in 0..bytes.len() * 8 {
        let mut bytes = bytes.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        let result = TransitionProof::decode(&bytes).map(|proof| proof.verify(&old, &changes));
        assert!(!matches!(result, Ok(Ok(_))), "bit {bit}");
    }
}

#[test]
fn a_proof_does_not_serve_another_old_root() {
    let Case { old, changes, proof, .. } = mixed_case();
    assert_eq!(proof.verify(&Digest::ZERO, &changes), Err(TransitionError::WrongOldRoot { computed: old }));
}

#[test]
fn no_changes_leave_the_root_as_it_is() {
    for map in [NaiveMap::new(), example(1), example(9)] {
        let Case { old, new, proof, .. } = case(&map, &NaiveMap::new());
        assert_eq!((proof.verify(&old, &[]), new), (Ok(old), old));
    }
}

/// A key that parts from all others far above must not hide where: the leaf below is shown, and a prover who hides
/// it, or shows another, is refused.
#[test]
fn a_key_that_parts_high_above_a_subtree_needs_a_leaf_of_it() {
    let place = |first: u8, last: u8| {
        let mut bytes = [0; 32];
        (bytes[0], bytes[31]) = (first, last);
        MapKey(Digest(bytes))
    };
    let (a, b, new) = (place(0, 0), place(0, 1), place(0x10, 0));
    let map = NaiveMap::from([(a, value(1)), (b, value(2))]);
    let case = case(&map, &NaiveMap::from([(new, value(3))]));
    let (leaf_a, leaf_b) = (leaf_hash(&a, &value(1)), leaf_hash(&b, &value(2)));
    let shown = [&[2, 255, 1][..], &a.0.0, &value(1).0.0, &leaf_b.0].concat();
    assert_eq!(case.proof.body, shown);
    assert_eq!(case.proof.verify(&case.old, &case.changes), Ok(case.new));
    assert_eq!(case.new, inner_hash(&case.old, &leaf_hash(&new, &value(3)), 3));
    let other_leaf = [&[2, 255][..], &leaf_a.0, &[1], &b.0.0, &value(2).0.0].concat();
    let both = [&[2, 255, 1][..], &a.0.0, &value(1).0.0, &[1], &b.0.0, &value(2).0.0].concat();
    for body in [case.old.0.to_vec(), other_leaf, both] {
        assert!(TransitionProof::from_body(body).verify(&case.old, &case.changes).is_err());
    }
}

/// A tree that breaks the rule of the shape is refused even under its own root.
#[test]
fn a_misshapen_old_tree_is_refused() {
    let changes = [Change { key: key(1), old: Some(value(1)), new: value(2) }];
    let leaf = leaf_hash(&key(1), &value(1));
    // an inner node below one of the same bit position
    let (p, side) = (0, key(1).bit(0));
    let node = |inside: &[u8]| match side {
        true => [&[2, p][..], &[0; 32], inside].concat(),
        false => [&[2, p][..], inside, &[0; 32]].concat(),
    };
    let up = |hash: &Digest| if side { inner_hash(&Digest::ZERO, hash, p) } else { inner_hash(hash, &Digest::ZERO, p) };
    let proof = TransitionProof::from_body(node(&node(&[1])));
    assert_eq!(proof.verify(&up(&up(&leaf)), &changes), Err(TransitionError::PathNotRising { p }));
    // a leaf whose key belongs to the other side
    let new = [Change { key: key(1), old: None, new: value(2) }];
    let mut other = key(1);
    other.0.0[0] ^= 0x80;
    let shown = [&[1][..], &other.0.0, &value(3).0.0].concat();
    let root = up(&leaf_hash(&other, &value(3)));
    let proof = TransitionProof::from_body(node(&shown));
    assert_eq!(proof.verify(&root, &new), Err(TransitionError::LeafMisplaced { p }));
    // two leaves that part before the bit position above them
    let [left, right] = [0, 0x14].map(|first| {
        let mut key = Digest::ZERO;
        key.0[0] = first;
        Change { key: MapKey(key), old: Some(value(1)), new: value(2) }
    });
    let root = inner_hash(&leaf_hash(&left.key, &value(1)), &leaf_hash(&right.key, &value(1)), 5);
    let proof = TransitionProof::from_body(vec![2, 5, 1, 1]);
    assert_eq!(proof.verify(&root, &[left, right]), Err(TransitionError::LeafMisplaced { p: 5 }));
}

/// A key said to be new that the old map holds.
#[test]
fn a_present_key_cannot_pass_as_new() {
    let map = NaiveMap::from([(key(1), value(1))]);
    let old = naive::map_root(&map);
    let changes = [Change { key: key(1), old: None, new: value(2) }];
    let body = [&[1][..], &key(1).0.0, &value(1).0.0].concat();
    let result = TransitionProof::from_body(body).verify(&old, &changes);
    assert_eq!(result, Err(TransitionError::OldValueMismatch { key: key(1) }));
    let result =
        TransitionProof::from_body(vec![0]).verify(&EMPTY_ROOT, &[Change { old: Some(value(1)), ..changes[0] }]);
    assert_eq!(result, Err(TransitionError::OldValueMismatch { key: key(1) }));
}

/// Attack 27.
#[test]
fn a_proof_above_the_limit_or_of_another_version_is_refused() {
    let bomb = vec![1; MAX_TRANSITION_LEN + 1];
    assert!(matches!(TransitionProof::decode(&bomb), Err(DecodeError::Length { .. })));
    assert!(matches!(TransitionProof::decode(&[2]), Err(DecodeError::Unknown { value: 2, .. })));
    assert!(matches!(TransitionProof::decode(&[]), Err(DecodeError::Truncated { .. })));
}
