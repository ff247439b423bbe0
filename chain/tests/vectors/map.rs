//! The map: roots, presence, absence, transitions, and what a careless verifier takes.

use std::collections::BTreeMap;

use chain::encoding::Writer;
use chain::id::Digest;
use chain::map::{AbsenceProof, Change, EMPTY_ROOT, MapKey, MapProof, MapValue, PathStep, Tree, inner_hash, leaf_hash};

use crate::case::Case;

type Leaves = BTreeMap<MapKey, MapValue>;

/// A key that begins with these bits.
fn key(bits: u8) -> MapKey {
    let mut key = Digest::sha256(&[bits]).0;
    key[0] = bits;
    MapKey(Digest(key))
}

fn value(number: u8) -> MapValue {
    MapValue(Digest([number; 32]))
}

/// Five leaves: 00010…, 00100…, 00101…, 10000…, 10010….
fn leaves() -> Leaves {
    [0x10, 0x20, 0x28, 0x80, 0x90].iter().zip(1..).map(|(bits, number)| (key(*bits), value(number))).collect()
}

fn tree(leaves: &Leaves) -> Tree {
    Tree::from_sorted(leaves.clone()).unwrap()
}

fn root(leaves: &Leaves) -> Digest {
    let tree = tree(leaves);
    tree.root(tree.newest()).unwrap()
}

fn proof(key: MapKey) -> MapProof {
    let tree = tree(&leaves());
    tree.prove(tree.newest(), &key).unwrap()
}

fn encode(proof: &MapProof) -> Vec<u8> {
    let mut writer = Writer::new();
    proof.encode(&mut writer);
    writer.finish()
}

pub(crate) fn cases() -> Vec<Case> {
    [roots(), proofs(), careless(), malformed(), transitions(), bad_transitions()].concat()
}

fn roots() -> Vec<Case> {
    let case = |name: &str, what: &str, leaves: &Leaves| {
        let case = Case::new(&format!("map/root-{name}"), "map-root", "ok", what);
        leaves.iter().fold(case, |case, (key, value)| case.word("leaf", format!("{} {}", key.0, value.0)))
    };
    let mut last_bit = [0x33; 32];
    let first = MapKey(Digest(last_bit));
    last_bit[31] ^= 1;
    let close = Leaves::from([(first, value(1)), (MapKey(Digest(last_bit)), value(2))]);
    vec![
        case("empty", "The map without leaves.", &Leaves::new()),
        case("one", "A leaf alone is the root.", &Leaves::from([(key(0x10), value(1))])),
        case("close", "Two keys that differ in bit 255.", &close),
        case("five", "The map of the proofs in this folder.", &leaves()),
    ]
}

fn shown(name: &str, expect: &str, what: &str, root: Digest, key: MapKey, proof: &[u8]) -> Case {
    let case = Case::new(&format!("map/{name}"), "map-proof", expect, what);
    case.word("root", root).word("key", key.0).hex("proof", proof)
}

fn proofs() -> Vec<Case> {
    let root = root(&leaves());
    let show = |name, what, key| shown(name, "ok", what, root, key, &encode(&proof(key)));
    let empty = encode(&MapProof::Absence(AbsenceProof::EmptyMap));
    vec![
        show("present", "A leaf with three inner nodes above it.", key(0x28)),
        show("present-right", "A leaf on the right side.", key(0x90)),
        show("absent", "The descent ends at another leaf.", key(0x30)),
        show("absent-early", "The key parts above the leaf's lowest node; the descent goes on by its bits.", key(0x70)),
        shown("absent-empty", "ok", "Nothing is in the empty map.", EMPTY_ROOT, key(0x10), &empty),
    ]
}

const BAD: &str = "chain.proof_invalid CHK-3";

/// Proofs whose hashes lead to the root, and that show nothing.
fn careless() -> Vec<Case> {
    let root = root(&leaves());
    let other = |key: MapKey| match proof(key) {
        MapProof::Presence(it) => encode(&MapProof::Absence(AbsenceProof::OtherLeaf { key, value: it.value, path: it.path })),
        MapProof::Absence(_) => panic!("the key is there"),
    };
    let MapProof::Presence(mut swapped) = proof(key(0x10)) else { panic!("the key is there") };
    swapped.path.swap(0, 1);
    // a tree whose positions do not fall, with the root that it gives
    let low = inner_hash(&leaf_hash(&key(0x10), &value(1)), &Digest([7; 32]), 2);
    let path = vec![PathStep { p: 2, sibling: Digest([7; 32]) }, PathStep { p: 2, sibling: Digest([8; 32]) }];
    let twice = chain::map::PresenceProof { value: value(1), path };
    let twice_root = inner_hash(&low, &Digest([8; 32]), 2);
    let empty = encode(&MapProof::Absence(AbsenceProof::EmptyMap));
    let presence = |it| encode(&MapProof::Presence(it));
    let MapProof::Presence(mut lied) = proof(key(0x10)) else { panic!("the key is there") };
    lied.value = value(9);
    vec![
        shown("bad-own-leaf", BAD, "Absence shown by the key's own leaf.", root, key(0x10), &other(key(0x10))),
        shown("bad-off-path", BAD, "Absence shown by a leaf at which the descent does not end.", root, key(0x10), &other(key(0x90))),
        shown("bad-off-path-near", BAD, "And by its neighbour.", root, key(0x10), &other(key(0x20))),
        shown("bad-order", BAD, "Steps in another order.", root, key(0x10), &presence(swapped)),
        shown("bad-position-twice", BAD, "A position stands twice; the hashes lead to the root.", twice_root, key(0x10), &presence(twice)),
        shown("bad-value", BAD, "Another value.", root, key(0x10), &presence(lied)),
        shown("bad-other-key", BAD, "The presence of another key.", root, key(0x20), &encode(&proof(key(0x10)))),
        shown("bad-not-empty", BAD, "The map is said to be empty.", root, key(0x30), &empty),
    ]
}

fn malformed() -> Vec<Case> {
    let bent = |name: &str, what: &str, bend: fn(&mut Vec<u8>)| {
        let mut bytes = encode(&proof(key(0x10)));
        bend(&mut bytes);
        shown(&format!("bad-{name}"), BAD, what, root(&leaves()), key(0x10), &bytes)
    };
    vec![
        bent("version", "Version 2 is not known.", |it| it[0] = 2),
        bent("kind", "Kind 4 is not known.", |it| it[1] = 4),
        bent("trailing", "A byte follows.", |it| it.push(0)),
        bent("truncated", "The last byte is missing.", |it| it.truncate(it.len() - 1)),
        bent("long-path", "A path has at most 64 steps.", |it| {
            it[34] = 65;
            it.resize(35 + 65 * 33, 0);
        }),
    ]
}

fn line(change: &Change) -> String {
    let old = change.old.map_or("-".to_owned(), |old| old.0.to_string());
    format!("{} {old} {}", change.key.0, change.new.0)
}

fn moved(name: &str, expect: &str, what: &str, old: &Leaves, changes: &[Change], proof: &[u8]) -> Case {
    let case = Case::new(&format!("map/transition-{name}"), "transition", expect, what).word("old-root", root(old));
    changes.iter().fold(case, |case, it| case.word("change", line(it))).hex("proof", proof)
}

/// The changes that set these values, in order.
fn changes(old: &Leaves, new: &[(u8, u8)]) -> Vec<Change> {
    let change = |(bits, number): &(u8, u8)| {
        let key = key(*bits);
        Change { key, old: old.get(&key).copied(), new: value(*number) }
    };
    let mut changes: Vec<_> = new.iter().map(change).collect();
    changes.sort_by_key(|change| change.key);
    changes
}

fn prove(old: &Leaves, changes: &[Change]) -> Vec<u8> {
    let tree = tree(old);
    tree.prove_transition(tree.newest(), changes).unwrap().encode()
}

fn transitions() -> Vec<Case> {
    let case = |name: &str, what: &str, old: &Leaves, new: &[(u8, u8)]| {
        let changes = changes(old, new);
        moved(name, "ok", what, old, &changes, &prove(old, &changes))
    };
    let one = Leaves::from([(key(0x10), value(1))]);
    vec![
        case("update", "One value changes.", &leaves(), &[(0x20, 9)]),
        case("insert", "A new key below an old leaf.", &leaves(), &[(0x30, 9)]),
        case("insert-early", "A new key parts above the leaf where its descent ends.", &leaves(), &[(0x70, 9), (0xf0, 8)]),
        case("mixed", "Two updates and two new keys.", &leaves(), &[(0x10, 6), (0x14, 7), (0x90, 8), (0xc0, 9)]),
        case("first", "The first leaves of a map.", &Leaves::new(), &[(0x20, 1), (0xa0, 2)]),
        case("second", "The second leaf of a map.", &one, &[(0x90, 2)]),
        case("nothing", "No changes: the proof is the root.", &leaves(), &[]),
        case("nothing-empty", "No changes to the empty map.", &Leaves::new(), &[]),
    ]
}

fn bad_transitions() -> Vec<Case> {
    let bad = "chain.proof_invalid BLK-2";
    let old = leaves();
    let good = changes(&old, &[(0x20, 9), (0x30, 8)]);
    let proof = prove(&old, &good);
    let bent = |bend: fn(&mut Vec<Change>)| {
        let mut changes = good.clone();
        bend(&mut changes);
        changes
    };
    let case = |name: &str, what: &str, changes: &[Change], proof: &[u8]| {
        moved(&format!("bad-{name}"), bad, what, &old, changes, proof)
    };
    let mut flipped = proof.clone();
    *flipped.last_mut().unwrap() ^= 1;
    let mut risen = proof.clone();
    assert_eq!(risen[..5], [1, 2, 0, 2, 2], "an inner node at bit 0, and below it one at bit 2");
    risen[4] = 0;
    let as_new = Change { old: None, ..good[0] };
    vec![
        case("old-value", "Another old value than the map's.", &bent(|it| it[0].old = Some(value(7))), &proof),
        case("not-absent", "A key that is there is called new.", &[as_new], &prove(&old, &changes(&old, &[(0x24, 9)]))),
        case("not-there", "A key that is not there has an old value.", &bent(|it| it[1].old = Some(value(7))), &proof),
        case("order", "The changes do not ascend.", &bent(|it| it.reverse()), &proof),
        case("stub", "Another hash for what is left out.", &good, &flipped),
        case("position", "A position does not grow downwards.", &good, &risen),
        case("trailing", "A byte follows.", &good, &[proof.clone(), vec![0]].concat()),
        case("version", "Version 2 is not known.", &good, &[&[2], &proof[1..]].concat()),
    ]
}
