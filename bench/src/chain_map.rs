//! Our side: the production map of crate `chain`, driven as the service drives it.

use chain::encoding::{Reader, Writer};
use chain::id::{AccountId, Digest};
use chain::map::{Change, MapKey, MapProof, MapValue, TransitionProof, Tree, Version};
use chain::sigchain::device_set::DeviceSet;

use crate::accounts::Account;

/// The map, with the version before the newest kept, so that the last epoch can be audited.
pub struct ChainMap {
    tree: Tree,
    before: Version,
    last: Vec<Change>,
}

impl Default for ChainMap {
    fn default() -> Self {
        let tree = Tree::new();
        Self { before: tree.newest(), tree, last: Vec::new() }
    }
}

/// Where an account stands in the map.
pub fn key(label: &str) -> MapKey {
    MapKey(DeviceSet::map_key(&AccountId(Digest::sha256(label.as_bytes()).0)))
}

impl ChainMap {
    /// Hashes labels and values, looks up the old values, makes the next version and releases the one that is too old.
    pub fn publish(&mut self, accounts: &[Account]) -> Digest {
        let newest = self.tree.newest();
        let change = |(label, value): &Account| {
            let new = MapValue(Digest::sha256(value));
            Change { key: key(label), old: None, new }
        };
        let mut changes: Vec<_> = accounts.iter().map(change).collect();
        changes.sort_unstable_by_key(|change| change.key);
        // in the order of the keys, whose ways lie near each other
        changes.iter_mut().for_each(|change| change.old = self.tree.get(newest, &change.key).unwrap());
        self.tree.apply(newest, &changes).unwrap();
        self.tree.release_before(newest).unwrap();
        (self.before, self.last) = (newest, changes);
        self.root()
    }

    /// Root of the newest version.
    pub fn root(&self) -> Digest {
        self.tree.root(self.tree.newest()).unwrap()
    }

    /// Root of the version before it.
    pub fn root_before(&self) -> Digest {
        self.tree.root(self.before).unwrap()
    }

    /// The bytes that prove what an account holds.
    pub fn prove(&self, label: &str) -> Vec<u8> {
        let mut writer = Writer::new();
        self.tree.prove(self.tree.newest(), &key(label)).unwrap().encode(&mut writer);
        writer.finish()
    }

    /// The bytes that prove the last publish, as an auditor without the map gets them: the changes and the proof.
    pub fn prove_transition(&self) -> Audit {
        let proof = self.tree.prove_transition(self.before, &self.last).unwrap().encode();
        let changes = chain::block::Body { entries: Vec::new(), changes: self.last.clone() }.encode();
        Audit { changes, proof }
    }

    /// The map itself.
    pub fn tree(&self) -> &Tree {
        &self.tree
    }
}

/// Proves an account's value to someone who has only the root.
pub fn verify(root: &Digest, (label, value): &Account, bytes: &[u8]) {
    let mut reader = Reader::new(bytes);
    let proof = MapProof::decode(&mut reader).unwrap();
    reader.finish().unwrap();
    let MapProof::Presence(proof) = proof else { panic!("the account is there") };
    assert_eq!(proof.verify(root, &key(label)), Ok(MapValue(Digest::sha256(value))));
}

/// One epoch's changes and the proof that they are all that changed.
pub struct Audit {
    changes: Vec<u8>,
    proof: Vec<u8>,
}

impl Audit {
    /// Bytes of both.
    pub fn len(&self) -> usize {
        self.changes.len() + self.proof.len()
    }

    /// True if there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Checks that the changes turn one root into the other.
    pub fn verify(&self, before: &Digest, after: &Digest) {
        let changes = chain::block::Body::decode(&self.changes).unwrap().changes;
        let proof = TransitionProof::decode(&self.proof).unwrap();
        assert_eq!(proof.verify(before, &changes).as_ref(), Ok(after));
    }
}
