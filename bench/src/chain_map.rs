//! Our side: the production map of crate `chain`, driven as the service drives it.

use chain::encoding::{Reader, Writer};
use chain::id::{AccountId, Digest};
use chain::map::{Change, MapKey, MapProof, MapValue, TransitionProof, Tree, Version};
use chain::sigchain::device_set::DeviceSet;

use crate::accounts::{Account, VALUE_LEN};

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

/// Where an account stands in the map. An account id is 32 bytes; the label is one, filled up with zeros.
pub fn key(label: &str) -> MapKey {
    let mut id = [0; AccountId::LEN];
    id.iter_mut().zip(label.bytes()).for_each(|(to, from)| *to = from);
    MapKey(DeviceSet::map_key(&AccountId(id)))
}

impl ChainMap {
    /// Hashes labels and values, makes the next version, which checks every old value, and releases the one that is too
    /// old. `old`: what the accounts held before, none if they are new; a sequencer has it in hand, because it has just
    /// folded on top of it.
    pub fn publish(&mut self, accounts: &[Account], old: &[Account]) -> Digest {
        let newest = self.tree.newest();
        let hash = |value: &[u8; VALUE_LEN]| MapValue(Digest::sha256(value));
        let mut olds = old.iter();
        let mut change = |(label, value): &Account| {
            let old = olds.next().map(|(_, value)| hash(value));
            Change { key: key(label), old, new: hash(value) }
        };
        let mut changes: Vec<_> = accounts.iter().map(&mut change).collect();
        changes.sort_unstable_by_key(|change| change.key);
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
