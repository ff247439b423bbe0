//! `map` and `transition`: what a map holds under a key, and what a block made of it.

use chain::encoding::{Reader, Writer};
use chain::id::Digest;
use chain::map::{Change, EMPTY_ROOT, MapKey, MapProof, MapValue, TransitionProof, Tree, inner_hash, leaf_hash};

use crate::case::{Case, Fields, Verdict, check};

/// A proof of one key: CHK-3 for an account, CHK-4 for a handle.
const UNPROVEN: (&str, &str) = ("chain.proof_invalid", "CHK-3");
/// A proof of a transition.
const NO_TRANSITION: (&str, &str) = ("chain.proof_invalid", "BLK-2");
/// Where the value begins in a proof of presence, and the first bit position of its path.
const VALUE: usize = 2;
const FIRST_P: usize = VALUE + 32 + 1;

fn hash(number: u8) -> Digest {
    Digest::sha256(&[number])
}

/// Seven keys, which are hashes of 0 to 6, with values that are hashes of 100 to 106.
fn tree() -> Tree {
    let mut leaves: Vec<_> = (0..7).map(|n| (MapKey(hash(n)), MapValue(hash(100 + n)))).collect();
    leaves.sort();
    Tree::from_sorted(leaves).unwrap()
}

fn root(tree: &Tree) -> Digest {
    tree.root(tree.newest()).unwrap()
}

fn prove(tree: &Tree, key: u8) -> Vec<u8> {
    let mut w = Writer::new();
    tree.prove(tree.newest(), &MapKey(hash(key))).unwrap().encode(&mut w);
    w.finish()
}

/// Attacks 19 and 27.
#[test]
fn map_proofs_show_presence_or_absence_or_nothing() {
    let cases: Vec<_> = shown().into_iter().chain(not_shown()).collect();
    assert_eq!(check("map", &cases, judge), 16);
}

fn judge(fields: &Fields) -> Verdict {
    let (root, key) = (Digest(fields.array("root")), MapKey(Digest(fields.array("key"))));
    let mut reader = Reader::new(fields.get("proof"));
    let proof = MapProof::decode(&mut reader).map_err(|_| UNPROVEN)?;
    reader.finish().map_err(|_| UNPROVEN)?;
    let value = proof.verify(&root, &key).map_err(|_| UNPROVEN)?;
    if value.map(|value| value.0.0.to_vec()) == fields.find("value").map(<[u8]>::to_vec) {
        Ok(())
    } else {
        Err(UNPROVEN)
    }
}

fn fields(root: &Digest, key: u8, value: Option<u8>, proof: impl AsRef<[u8]>) -> Fields {
    let fields = Fields::default().with("root", root.0).with("key", hash(key).0);
    let fields = match value {
        Some(value) => fields.with("value", hash(value).0),
        None => fields,
    };
    fields.with("proof", proof)
}

fn shown() -> Vec<Case> {
    let map = tree();
    let one = Tree::from_sorted([(MapKey(hash(0)), MapValue(hash(100)))]).unwrap();
    let ok = |name, what, fields| Case::new(name, Ok(()), what, fields);
    let empty = prove(&Tree::new(), 9);
    vec![
        ok("present", "a key and its value in a map of seven", fields(&root(&map), 3, Some(103), prove(&map, 3))),
        ok("absent", "a key that a map of seven does not hold", fields(&root(&map), 9, None, prove(&map, 9))),
        ok("present-alone", "the only key of a map", fields(&root(&one), 0, Some(100), prove(&one, 0))),
        ok("absent-beside-one", "a key that a map of one does not hold", fields(&root(&one), 9, None, prove(&one, 9))),
        ok("absent-in-the-empty-map", "any key of a map without leaves", fields(&EMPTY_ROOT, 9, None, empty)),
    ]
}

/// What a careless verifier lets through.
fn not_shown() -> Vec<Case> {
    let map = tree();
    let (root, good) = (root(&map), prove(&map, 3));
    let with_byte = |at: usize, value: u8| {
        let mut proof = good.clone();
        proof[at] = value;
        proof
    };
    let present = |name, what, proof: Vec<u8>| Case::new(name, Err(UNPROVEN), what, fields(&root, 3, Some(103), proof));
    let absent =
        |name, what, key, proof: Vec<u8>| Case::new(name, Err(UNPROVEN), what, fields(&root, key, None, proof));
    let own_leaf = [&[1, 2], &hash(3).0[..], &good[VALUE..]].concat();
    // the leaf of key 5 with its own path, said to be where the descent of key 3 ends
    let elsewhere = [&[1, 2], &hash(5).0[..], &prove(&map, 5)[VALUE..]].concat();
    let path = &good[FIRST_P..];
    let mut not_falling = path.to_vec();
    not_falling[0] = path[33];
    vec![
        led("p-not-falling", "two steps with the same bit position, under the root to which they lead", &not_falling),
        led("path-too-long", "a path of 65 steps, under the root to which they lead", &sixty_five_steps()),
        present("wrong-version", "version 2 of the proof", with_byte(0, 2)),
        present("wrong-kind", "kind 4 of the proof", with_byte(1, 4)),
        present(
            "wrong-value",
            "another value than the map holds",
            [&good[..VALUE], &hash(104).0, &good[VALUE + 32..]].concat(),
        ),
        present("trailing-byte", "one byte follows the proof", [good.as_slice(), &[0]].concat()),
        present("truncated", "the last byte is missing", good[..good.len() - 1].to_vec()),
        present("wrong-sibling", "a sibling is another hash", with_byte(FIRST_P + 1, !good[FIRST_P + 1])),
        Case::new(
            "wrong-root",
            Err(UNPROVEN),
            "a good proof, shown for another root",
            fields(&EMPTY_ROOT, 3, Some(103), &good),
        ),
        absent("absence-of-a-present-key", "the key's own leaf, shown for its absence", 3, own_leaf),
        absent("absence-beside-the-way", "a leaf that the key's bits do not lead to", 3, elsewhere),
    ]
}

/// A presence of key 3 whose path leads to the root, as far as hashes tell.
fn led(name: &str, what: &str, path: &[u8]) -> Case {
    let (key, value) = (MapKey(hash(3)), MapValue(hash(103)));
    let root = path.chunks(33).fold(leaf_hash(&key, &value), |below, step| {
        let (p, sibling) = (step[0], Digest(step[1..].try_into().unwrap()));
        if key.bit(p) { inner_hash(&sibling, &below, p) } else { inner_hash(&below, &sibling, p) }
    });
    let steps = u8::try_from(path.len() / 33).unwrap();
    let proof = [&[1, 1], &value.0.0[..], &[steps], path].concat();
    Case::new(name, Err(UNPROVEN), what, fields(&root, 3, Some(103), proof))
}

fn sixty_five_steps() -> Vec<u8> {
    (0..65).rev().flat_map(|p| [&[p], &hash(p).0[..]].concat()).collect()
}

/// BLK-2.
#[test]
fn transitions_give_the_new_root_or_are_refused() {
    assert_eq!(check("transition", &transitions(), judge_transition), 11);
}

fn judge_transition(fields: &Fields) -> Verdict {
    let changes: Vec<_> = fields.all("change").map(read_change).collect();
    let proof = TransitionProof::decode(fields.get("proof")).map_err(|_| NO_TRANSITION)?;
    let new = proof.verify(&Digest(fields.array("old-root")), &changes).map_err(|_| NO_TRANSITION)?;
    if new.0 == fields.get("new-root") { Ok(()) } else { Err(NO_TRANSITION) }
}

/// As in the body of a block: key, optional old value, new value.
fn write_change(change: &Change) -> Vec<u8> {
    let mut w = Writer::new();
    w.raw(&change.key.0.0).option(change.old.as_ref().map(|value| value.0.0.as_slice())).raw(&change.new.0.0);
    w.finish()
}

fn read_change(bytes: &[u8]) -> Change {
    let mut r = Reader::new(bytes);
    let key = MapKey(Digest::decode(&mut r, "key").unwrap());
    let old = r.present("old value").unwrap().then(|| MapValue(Digest::decode(&mut r, "old value").unwrap()));
    Change { key, old, new: MapValue(Digest::decode(&mut r, "new value").unwrap()) }
}

/// A map, its changes with their proof, and the root after them.
struct Step {
    old_root: Digest,
    changes: Vec<Change>,
    proof: Vec<u8>,
    new_root: Digest,
}

impl Step {
    /// Keys `changed` get new values, keys `added` their first.
    fn of(mut map: Tree, changed: &[u8], added: &[u8]) -> Self {
        let value = |n: u8| MapValue(hash(100 + n));
        let old = changed.iter().map(|n| Change { key: MapKey(hash(*n)), old: Some(value(*n)), new: value(100 + n) });
        let new = added.iter().map(|n| Change { key: MapKey(hash(*n)), old: None, new: value(100 + n) });
        let mut changes: Vec<_> = old.chain(new).collect();
        changes.sort_by_key(|change| change.key);
        let base = map.newest();
        let proof = map.prove_transition(base, &changes).unwrap().encode();
        let old_root = root(&map);
        map.apply(base, &changes).unwrap();
        Self { old_root, changes, proof, new_root: root(&map) }
    }

    fn case(&self, name: &str, expect: Verdict, what: &str) -> Case {
        let fields = Fields::default().with("old-root", self.old_root.0);
        let fields = fields.with_all("change", self.changes.iter().map(write_change));
        Case::new(name, expect, what, fields.with("proof", &self.proof).with("new-root", self.new_root.0))
    }
}

fn transitions() -> Vec<Case> {
    let refused = |name, what, bend: fn(&mut Step)| {
        let mut step = Step::of(tree(), &[1, 4], &[9]);
        bend(&mut step);
        step.case(name, Err(NO_TRANSITION), what)
    };
    vec![
        Step::of(tree(), &[1, 4], &[9]).case("changed-and-added", Ok(()), "two values change and one key is new"),
        Step::of(Tree::new(), &[], &[1, 2, 3]).case("first-keys", Ok(()), "three keys in a map that was empty"),
        Step::of(tree(), &[], &[]).case("nothing", Ok(()), "no change, the same root"),
        refused("wrong-new-root", "another root than the changes give", |step| step.new_root = hash(7)),
        refused("wrong-old-root", "the proof of another map", |step| step.old_root = hash(7)),
        refused("wrong-old-value", "an old value that the map did not hold", |step| {
            step.changes
                .iter_mut()
                .filter(|change| change.old.is_some())
                .for_each(|change| change.old = Some(MapValue(hash(7))));
        }),
        refused("old-value-left-out", "a change that takes a present key for a new one", |step| {
            step.changes.iter_mut().for_each(|change| change.old = None);
        }),
        refused("change-left-out", "one of the changes is not shown", |step| {
            step.changes.pop();
        }),
        refused("changes-not-ascending", "the changes descend", |step| step.changes.reverse()),
        refused("trailing-byte", "one byte follows the proof", |step| step.proof.push(0)),
        refused("wrong-version", "version 2 of the proof", |step| step.proof[0] = 2),
    ]
}
