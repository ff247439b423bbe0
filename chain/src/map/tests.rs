//! The tree against the definition of the map and against foreign vectors.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use proptest::collection::vec;
use proptest::prelude::*;

use super::naive::{self, NaiveMap, any_key, any_map, example, key, value};
use super::*;
use crate::encoding::{DecodeError, Reader, Writer};

const FOREIGN_ROOTS: &str = include_str!("../../../docs/vectors/waict-mpt/mpt_root_kats.jsonl");
const FOREIGN_PROOFS: &str = include_str!("../../../docs/vectors/waict-mpt/mpt_inclusion_kats.jsonl");

fn tree(map: &NaiveMap) -> Tree {
    Tree::from_sorted(map.iter().map(|(key, value)| (*key, *value))).unwrap()
}

fn newest_root(tree: &Tree) -> Digest {
    tree.root(tree.newest()).unwrap()
}

/// All base64 strings of a field in a line of JSON.
fn field(line: &str, name: &str) -> Vec<Vec<u8>> {
    let start = format!("\"{name}\": \"");
    line.split(&start).skip(1).map(|rest| BASE64_STANDARD.decode(rest.split('"').next().unwrap()).unwrap()).collect()
}

fn digest(bytes: &[u8]) -> Digest {
    Digest(bytes.try_into().unwrap())
}

fn foreign_leaves(line: &str) -> Vec<(MapKey, MapValue)> {
    let (keys, values) = (field(line, "key"), field(line, "value"));
    keys.iter().zip(&values).map(|(key, value)| (MapKey(digest(key)), MapValue(digest(value)))).collect()
}

#[test]
fn foreign_roots_are_ours() {
    for line in FOREIGN_ROOTS.lines() {
        let leaves = foreign_leaves(line);
        let root = digest(&field(line, "root")[0]);
        assert_eq!(newest_root(&tree(&leaves.iter().copied().collect())), root, "{line}");
        assert_eq!(naive::root(&leaves), root, "{line}");
    }
    assert_eq!(FOREIGN_ROOTS.lines().count(), 24);
}

#[test]
fn foreign_proofs_are_ours_in_another_container() {
    for line in FOREIGN_PROOFS.lines() {
        let leaves = foreign_leaves(line);
        let index: usize = line.split("\"target_index\": ").nth(1).unwrap().split(',').next().unwrap().parse().unwrap();
        let (key, root) = (leaves[index].0, digest(&field(line, "root")[0]));
        // "mptproof" ‖ 1 ‖ value ‖ (p ‖ sibling)…
        let foreign = field(line, "proof").remove(0);
        let (head, rest) = foreign.split_at(9);
        assert_eq!(head, b"mptproof\x01");
        let (value, path) = rest.split_at(32);
        let path = path.chunks_exact(33).map(|step| PathStep { p: step[0], sibling: digest(&step[1..]) }).collect();
        let proof = MapProof::Presence(PresenceProof { value: MapValue(digest(value)), path });
        assert_eq!(proof.verify(&root, &key), Ok(Some(leaves[index].1)));
        let tree = tree(&leaves.iter().copied().collect());
        assert_eq!(tree.prove(tree.newest(), &key).unwrap(), proof);
    }
    assert_eq!(FOREIGN_PROOFS.lines().count(), 36);
}

#[test]
fn the_empty_root_is_the_hash_of_nothing() {
    assert_eq!(EMPTY_ROOT, Digest::sha256(b""));
    assert_eq!(newest_root(&Tree::new()), EMPTY_ROOT);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn the_root_depends_on_the_set_of_leaves_only(map in any_map(40), order in any::<u64>(), size in 1usize..8) {
        let mut leaves: Vec<_> = map.iter().map(|(key, value)| (*key, *value)).collect();
        leaves.sort_by_key(|(key, _)| Digest::labelled("order", &[&order.to_be_bytes(), key.0.as_bytes()]));
        prop_assert_eq!(naive::root(&leaves), naive::map_root(&map));
        prop_assert_eq!(newest_root(&tree(&map)), naive::map_root(&map));
        let (mut grown, mut model) = (Tree::new(), NaiveMap::new());
        for batch in leaves.chunks(size) {
            let changes = naive::set(&mut model, &batch.iter().copied().collect());
            grown.apply(grown.newest(), &changes).unwrap();
            prop_assert_eq!(newest_root(&grown), naive::map_root(&model));
        }
        prop_assert_eq!(grown.leaves(grown.newest()).unwrap().collect::<NaiveMap>(), map);
    }

    /// BLK-2, attack 19: a proof made from one version holds under another version's root only if it is true there.
    #[test]
    fn every_version_answers_for_itself(batches in vec(any_map(12), 1..6), absent in any_key()) {
        let (mut tree, mut model) = (Tree::new(), NaiveMap::new());
        let mut versions = vec![(tree.newest(), model.clone())];
        for batch in &batches {
            let changes = naive::set(&mut model, batch);
            versions.push((tree.apply(tree.newest(), &changes).unwrap(), model.clone()));
        }
        for (version, model_then) in &versions {
            let root = tree.root(*version).unwrap();
            prop_assert_eq!(root, naive::map_root(model_then));
            prop_assert_eq!(tree.len(*version).unwrap(), model_then.len());
            prop_assert!(tree.leaves(*version).unwrap().eq(model_then.iter().map(|(key, value)| (*key, *value))));
            for key in model.keys().chain([&absent]) {
                let truth = model_then.get(key).copied();
                prop_assert_eq!(tree.get(*version, key).unwrap(), truth);
                prop_assert_eq!(tree.prove(*version, key).unwrap().verify(&root, key), Ok(truth));
                for (other, _) in &versions {
                    let answer = tree.prove(*other, key).unwrap().verify(&root, key);
                    prop_assert!(answer.is_err() || answer == Ok(truth));
                }
            }
        }
    }
}

#[test]
fn old_versions_stay_right_while_newer_ones_are_made_and_released() {
    let mut model = example(300);
    let mut tree = tree(&model);
    let mut held = vec![(tree.newest(), model.clone())];
    for round in 0..60 {
        let new = (0..15).map(|i| (key((round * 7 + i * 31) % 900), value(round * 1000 + i))).collect();
        let changes = naive::set(&mut model, &new);
        held.push((tree.apply(tree.newest(), &changes).unwrap(), model.clone()));
        if held.len() > 4 {
            held.remove(0);
            tree.release_before(held[0].0).unwrap();
        }
        for (version, model) in &held {
            assert_eq!(tree.root(*version).unwrap(), naive::map_root(model));
            for i in (round % 10..900).step_by(10) {
                let answer = tree.prove(*version, &key(i)).unwrap().verify(&tree.root(*version).unwrap(), &key(i));
                assert_eq!(answer, Ok(model.get(&key(i)).copied()));
            }
        }
    }
}

#[test]
fn a_thousand_released_versions_leave_no_memory_behind() {
    let mut model = example(500);
    let mut tree = tree(&model);
    let mut cycle = |tree: &mut Tree, round: u64| {
        let new = (0..20).map(|i| (key((round * 13 + i * 29) % 500), value(round * 1000 + i))).collect();
        let changes = naive::set(&mut model, &new);
        tree.apply(tree.newest(), &changes).unwrap();
        tree.release_before(tree.newest()).unwrap();
        tree.memory_bytes()
    };
    let settled = (0..20).map(|round| cycle(&mut tree, round)).max().unwrap();
    assert!((20..1020).all(|round| cycle(&mut tree, round) <= settled));
    assert_eq!(newest_root(&tree), naive::map_root(&model));
}

#[test]
fn a_leaf_costs_less_than_150_bytes() {
    let tree = tree(&example(30_000));
    assert!(tree.memory_bytes() < 30_000 * 150, "{}", tree.memory_bytes());
}

/// Attack 27: no one finds such keys, but they must not end the process. Their proof is too long for a client.
#[test]
fn the_deepest_tree_there_can_be_is_handled() {
    let deep = |bit: usize| {
        let mut key = [0; 32];
        key[bit / 8] = 0x80 >> (bit % 8);
        (MapKey(Digest(key)), value(bit as u64))
    };
    let (mut tree, mut model) = (Tree::new(), NaiveMap::new());
    let new: NaiveMap = (0..256).map(deep).chain([(MapKey(Digest::ZERO), value(0))]).collect();
    let again = new.keys().map(|key| (*key, value(1))).collect();
    for batch in [&new, &again] {
        let base = tree.newest();
        let changes = naive::set(&mut model, batch);
        let proof = tree.prove_transition(base, &changes).unwrap();
        let next = tree.apply(base, &changes).unwrap();
        assert_eq!(proof.verify(&tree.root(base).unwrap(), &changes), Ok(tree.root(next).unwrap()));
        assert_eq!(newest_root(&tree), naive::map_root(&model));
    }
    let proof = tree.prove(tree.newest(), &MapKey(Digest::ZERO)).unwrap();
    assert_eq!(proof.verify(&newest_root(&tree), &MapKey(Digest::ZERO)), Ok(Some(value(1))));
    let mut writer = Writer::new();
    proof.encode(&mut writer);
    assert!(matches!(MapProof::decode(&mut Reader::new(&writer.finish())), Err(DecodeError::Length { .. })));
}

/// BLK-2, BLK-3.
#[test]
fn changes_that_do_not_fit_are_refused_and_nothing_happens() {
    let mut tree = tree(&example(50));
    let (version, root, memory) = (tree.newest(), newest_root(&tree), tree.memory_bytes());
    let change = |i, old: Option<u64>| Change { key: key(i), old: old.map(value), new: value(77) };
    let mismatch = |i| Err(TreeError::OldValueMismatch { key: key(i) });
    assert_eq!(tree.apply(version, &[change(3, None)]), mismatch(3));
    assert_eq!(tree.apply(version, &[change(3, Some(4))]), mismatch(3));
    assert_eq!(tree.apply(version, &[change(99, Some(99))]), mismatch(99));
    assert_eq!(tree.prove_transition(version, &[change(99, Some(99))]).unwrap_err(), mismatch(99).unwrap_err());
    let mut pair = [change(1, Some(1)), change(2, Some(2))];
    pair.sort_by_key(|change| change.key);
    pair.reverse();
    assert_eq!(tree.apply(version, &pair), Err(TreeError::NotAscending { index: 1 }));
    let twice = [change(1, Some(1)), change(1, Some(77))];
    assert_eq!(tree.apply(version, &twice), Err(TreeError::NotAscending { index: 1 }));
    assert_eq!(Tree::new().apply(Tree::new().newest(), &[change(1, Some(1))]), mismatch(1));
    let unsorted = [(key(1), value(1)), (key(1), value(2))];
    assert_eq!(Tree::from_sorted(unsorted).unwrap_err(), TreeError::NotAscending { index: 1 });
    assert_eq!((tree.newest(), newest_root(&tree), tree.memory_bytes()), (version, root, memory));
}

#[test]
fn a_released_version_and_a_version_never_made_are_unknown() {
    let mut tree = Tree::new();
    let first = tree.newest();
    let second = tree.apply(first, &[Change { key: key(1), old: None, new: value(1) }]).unwrap();
    assert_eq!(tree.apply(first, &[]), Err(TreeError::NotNewest { version: first, newest: second }));
    tree.release_before(second).unwrap();
    assert!(matches!(tree.prove(first, &key(1)), Err(TreeError::UnknownVersion { .. })));
    assert!(matches!(tree.release_before(first), Err(TreeError::UnknownVersion { .. })));
    let third = tree.apply(second, &[]).unwrap();
    assert_eq!(tree.root(third), tree.root(second));
    assert!(matches!(Tree::new().root(third), Err(TreeError::UnknownVersion { .. })));
}
