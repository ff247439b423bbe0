//! Groups in memory between steps, because reading one takes as long as it has leaves.
//!
//! What is in memory does not roll back (TXN-3). So a group in memory counts only while the store has the stamp that it
//! was kept under: every change of the stored group takes the stamp away ([`super::storage`]), in the same transaction, and
//! whoever keeps a group gives it a new one. After a rollback, a crash or a forgotten `keep` no stamp fits, and the group
//! is read from the store.

use std::cell::RefCell;
use std::collections::BTreeMap;

use openmls::group::GroupId;
use openmls::prelude::MlsGroup;

/// Names one state of one group of this store, and no other.
pub(super) type Stamp = [u8; 16];

/// Most groups in memory: those of a hundred leaves are about a megabyte each.
const MOST: usize = 16;

/// The groups that one client has read.
#[derive(Default)]
pub(crate) struct Loaded(RefCell<BTreeMap<Vec<u8>, (Stamp, MlsGroup)>>);

impl Loaded {
    /// Gives away a group, if it is in the state that the store has: whoever changes it and fails keeps nothing.
    pub(super) fn take(&self, id: &GroupId, stamp: &Stamp) -> Option<MlsGroup> {
        let (kept, group) = self.0.borrow_mut().remove(id.as_slice())?;
        (kept == *stamp).then_some(group)
    }

    /// Keeps a group that is in the state that the store has.
    pub(super) fn keep(&self, stamp: Stamp, group: MlsGroup) {
        let mut groups = self.0.borrow_mut();
        let id = group.group_id().as_slice().to_vec();
        if groups.len() >= MOST && !groups.contains_key(&id) {
            groups.pop_first();
        }
        groups.insert(id, (stamp, group));
    }
}
