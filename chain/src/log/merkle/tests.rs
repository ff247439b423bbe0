//! Proofs against a tree written down from the definition in RFC 6962 §2.1.

use proptest::prelude::*;

use super::*;

/// MTH of RFC 6962 §2.1, word for word.
fn naive_root(leaves: &[Digest]) -> Digest {
    match leaves {
        [] => empty_root(),
        [leaf] => *leaf,
        _ => {
            let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
            node_hash(&naive_root(left), &naive_root(right))
        }
    }
}

fn leaves(count: u64) -> Vec<Digest> {
    (0..count).map(|i| leaf_hash(&i.to_be_bytes())).collect()
}

fn reader(leaves: &[Digest]) -> impl FnMut(u8, u64) -> Option<Digest> {
    |level, index| {
        let start = usize::try_from(index << level).ok()?;
        Some(naive_root(leaves.get(start..start + (1 << level))?))
    }
}

/// The eight leaves and roots that the Certificate Transparency project publishes with RFC 6962.
#[test]
fn roots_agree_with_the_published_vectors() {
    let leaves = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"];
    let roots = [
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ];
    let unhex = |text: &str| -> Vec<u8> {
        let (pairs, _) = text.as_bytes().as_chunks::<2>();
        pairs.iter().map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
    };
    let mut frontier = Frontier::new();
    assert_eq!(frontier.root().to_string(), roots[0]);
    for (leaf, root) in leaves.iter().zip(&roots[1..]) {
        frontier.append(leaf_hash(&unhex(leaf))).unwrap();
        assert_eq!(frontier.root().to_string(), *root);
    }
}

#[test]
fn frontier_and_root_agree_with_the_definition_at_every_size_to_70() {
    let all = leaves(70);
    let mut frontier = Frontier::new();
    for size in 0..=70_u64 {
        let part = &all[..usize::try_from(size).unwrap()];
        assert_eq!(frontier.size(), size);
        assert_eq!(frontier.root(), naive_root(part));
        assert_eq!(root(size, reader(part)), Ok(naive_root(part)));
        assert_eq!(Frontier::decode(&frontier.encode()), Ok(frontier.clone()));
        assert_eq!(Frontier::read(size, reader(part)), Ok(frontier.clone()));
        if let Some(leaf) = all.get(part.len()) {
            let mut told = Vec::new();
            frontier.append_with(*leaf, |level, index, hash| told.push((level, index, hash))).unwrap();
            let mut read = reader(&all);
            assert!(told.iter().all(|(level, index, hash)| read(*level, *index) == Some(*hash)));
        }
    }
}

#[test]
fn every_inclusion_proof_to_size_70_holds_for_its_own_leaf_only() {
    let all = leaves(70);
    for size in 1..=70_u64 {
        let part = &all[..usize::try_from(size).unwrap()];
        let root = naive_root(part);
        for (index, leaf) in (0..).zip(part) {
            let proof = prove_inclusion(index, size, reader(part)).unwrap();
            assert_eq!(verify_inclusion(leaf, index, size, &proof, &root), Ok(()));
            assert_eq!(verify_inclusion(&Digest::ZERO, index, size, &proof, &root), Err(ProofError::WrongRoot));
            if size > 1 {
                let other = (index + 1) % size;
                assert!(verify_inclusion(leaf, other, size, &proof, &root).is_err());
                assert!(verify_inclusion(leaf, index, size, &proof[1..], &root).is_err());
            }
            let longer: Vec<_> = proof.iter().copied().chain([root]).collect();
            let refusal = ProofError::WrongLength { count: longer.len() };
            assert_eq!(verify_inclusion(leaf, index, size, &longer, &root), Err(refusal));
        }
    }
}

#[test]
fn every_consistency_proof_to_size_70_holds_for_its_own_roots_only() {
    let all = leaves(70);
    for new in 0..=70_usize {
        let new_root = naive_root(&all[..new]);
        for old in 0..=new {
            let old_root = naive_root(&all[..old]);
            let (m, n) = (old as u64, new as u64);
            let proof = prove_consistency(m, n, reader(&all)).unwrap();
            assert_eq!(verify_consistency(m, n, &proof, &old_root, &new_root), Ok(()));
            assert!(verify_consistency(m, n, &proof, &Digest::ZERO, &new_root).is_err());
            let longer: Vec<_> = proof.iter().copied().chain([new_root]).collect();
            assert!(verify_consistency(m, n, &longer, &old_root, &new_root).is_err());
            if 0 < old && old < new {
                assert_eq!(consistency_roots(m, n, &proof, &old_root), Ok((old_root, new_root)));
                assert!(verify_consistency(m, n, &proof, &old_root, &Digest::ZERO).is_err());
                assert!(verify_consistency(m, n, &proof[1..], &old_root, &new_root).is_err());
            }
        }
    }
}

/// Attack 25: a proof from 10 to 20 is none from 15 to 20.
#[test]
fn a_proof_for_other_sizes_is_refused() {
    let all = leaves(20);
    let proof = prove_consistency(10, 20, reader(&all)).unwrap();
    let (old, new) = (naive_root(&all[..15]), naive_root(&all));
    let refusal = verify_consistency(15, 20, &proof, &old, &new).unwrap_err();
    assert_eq!(refusal.code(), "chain.proof_invalid");
}

/// Attack 15: from a root that the log signed, the proof computes the only root the tree had at the older size.
#[test]
fn a_fork_is_seen_from_the_roots_of_a_consistency_proof() {
    let mut other = leaves(20);
    let one = leaves(11);
    other[3] = Digest::ZERO;
    let proof = prove_consistency(11, 20, reader(&other)).unwrap();
    let signed_at_11 = naive_root(&one);
    let (at_11, at_20) = consistency_roots(11, 20, &proof, &signed_at_11).unwrap();
    assert_eq!(at_20, naive_root(&other));
    assert_ne!(at_11, signed_at_11);
}

/// Attack 27: the number of hashes is looked at before any is hashed.
#[test]
fn a_proof_of_10000_hashes_is_refused() {
    let bomb = vec![Digest::ZERO; 10_000];
    let refusal = Err(ProofError::TooManyHashes { count: 10_000 });
    assert_eq!(verify_inclusion(&Digest::ZERO, 1, MAX_SIZE, &bomb, &Digest::ZERO), refusal);
    assert_eq!(verify_consistency(1, MAX_SIZE, &bomb, &Digest::ZERO, &Digest::ZERO), refusal);
}

#[test]
fn sizes_beyond_the_limit_are_refused() {
    assert!(verify_inclusion(&Digest::ZERO, 0, MAX_SIZE + 1, &[], &Digest::ZERO).is_err());
    assert!(verify_consistency(1, u64::MAX, &[], &Digest::ZERO, &Digest::ZERO).is_err());
    assert!(root(u64::MAX, |_, _| Some(Digest::ZERO)).is_err());
    let widest = prove_consistency(MAX_SIZE - 1, MAX_SIZE, |_, _| Some(Digest::ZERO)).unwrap();
    assert_eq!(widest.len(), MAX_PROOF_HASHES);
    assert_eq!(Frontier::decode(&[0xff; 8]).map_err(|e| matches!(e, DecodeError::Unknown { .. })), Err(true));
}

#[test]
fn a_missing_node_is_named() {
    let all = leaves(8);
    let mut read = reader(&all);
    let proof = prove_inclusion(0, 8, |level, index| if level == 1 { None } else { read(level, index) });
    assert_eq!(proof, Err(ProveError::Missing { level: 1, index: 1 }));
}

proptest! {
    #[test]
    fn random_trees_prove_what_they_hold(size in 1_u64..2_000, a in any::<u64>(), flip in any::<(u8, u8)>()) {
        let all = leaves(size);
        let mut frontier = Frontier::new();
        let mut nodes = std::collections::BTreeMap::new();
        for leaf in &all {
            frontier.append_with(*leaf, |level, index, hash| { nodes.insert((level, index), hash); }).unwrap();
        }
        let read = |level, index| nodes.get(&(level, index)).copied();
        let (root, index) = (frontier.root(), a % size);
        let leaf = &all[usize::try_from(index).unwrap()];
        let mut proof = prove_inclusion(index, size, read).unwrap();
        prop_assert_eq!(verify_inclusion(leaf, index, size, &proof, &root), Ok(()));
        if !proof.is_empty() {
            let at = usize::from(flip.0) % proof.len();
            proof[at].0[usize::from(flip.1) % 32] ^= 1 << (flip.0 % 8);
            prop_assert_eq!(verify_inclusion(leaf, index, size, &proof, &root), Err(ProofError::WrongRoot));
        }
        let old = super::root(index, read).unwrap();
        let mut proof = prove_consistency(index, size, read).unwrap();
        prop_assert_eq!(verify_consistency(index, size, &proof, &old, &root), Ok(()));
        if !proof.is_empty() {
            let at = usize::from(flip.0) % proof.len();
            proof[at].0[usize::from(flip.1) % 32] ^= 1 << (flip.0 % 8);
            prop_assert!(verify_consistency(index, size, &proof, &old, &root).is_err());
        }
    }
}
