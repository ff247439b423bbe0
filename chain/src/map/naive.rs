//! The map by its definition, slow and short: what the tests compare the production tree with.

use std::collections::BTreeMap;

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;

use super::{Change, MapKey, MapValue};
use crate::id::Digest;

/// A map without a tree.
pub(super) type NaiveMap = BTreeMap<MapKey, MapValue>;

fn bit(key: &MapKey, position: usize) -> bool {
    key.0.0[position / 8] >> (7 - position % 8) & 1 == 1
}

/// The root straight from the set of leaves, in whatever order they are.
pub(super) fn root(leaves: &[(MapKey, MapValue)]) -> Digest {
    match leaves {
        [] => Digest::sha256(b""),
        [(key, value)] => Digest::sha256(&[key.0.0, value.0.0].concat()),
        [(key, _), ..] => {
            let p = (0..256).find(|p| leaves.iter().any(|(other, _)| bit(other, *p) != bit(key, *p))).unwrap();
            let (right, left): (Vec<_>, Vec<_>) = leaves.iter().copied().partition(|(key, _)| bit(key, p));
            Digest::sha256(&[&root(&left).0[..], &root(&right).0, &[u8::try_from(p).unwrap()]].concat())
        }
    }
}

/// The root of a naive map.
pub(super) fn map_root(map: &NaiveMap) -> Digest {
    root(&map.iter().map(|(key, value)| (*key, *value)).collect::<Vec<_>>())
}

/// Sets keys and gives the changes that a block would list.
pub(super) fn set(map: &mut NaiveMap, new: &NaiveMap) -> Vec<Change> {
    new.iter().map(|(key, new)| Change { key: *key, old: map.insert(*key, *new), new: *new }).collect()
}

/// A key for examples: a hash, as real keys are.
pub(super) fn key(i: u64) -> MapKey {
    MapKey(Digest::sha256(&i.to_be_bytes()))
}

/// A value for examples.
pub(super) fn value(i: u64) -> MapValue {
    MapValue(Digest::labelled("value", &[&i.to_be_bytes()]))
}

/// A map for examples.
pub(super) fn example(len: u64) -> NaiveMap {
    (0..len).map(|i| (key(i), value(i))).collect()
}

/// Random keys, and keys that differ in a few bits only, so that all shapes of trees are met.
pub(super) fn any_key() -> impl Strategy<Value = MapKey> {
    let near = vec(prop::sample::select(vec![0usize, 1, 2, 7, 8, 100, 127, 128, 200, 253, 254, 255]), 0..4);
    let near = near.prop_map(|bits| {
        let mut key = [0; 32];
        bits.into_iter().for_each(|bit| key[bit / 8] |= 0x80 >> (bit % 8));
        key
    });
    prop_oneof![near, any::<[u8; 32]>()].prop_map(|bytes| MapKey(Digest(bytes)))
}

/// Maps of up to `max` leaves.
pub(super) fn any_map(max: usize) -> impl Strategy<Value = NaiveMap> {
    btree_map(any_key(), any::<[u8; 32]>().prop_map(|bytes| MapValue(Digest(bytes))), 0..=max)
}
