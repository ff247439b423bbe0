//! Groups in memory between steps, because reading one takes as long as it has leaves.
//!
//! What is in memory does not roll back (TXN-3). So a group in memory counts only while the store has the stamp that it
//! was kept under: every change of the stored group takes the stamp away ([`super::storage`]), in the same transaction, and
//! whoever keeps a group gives it a new one. After a rollback, a crash or a forgotten `keep` no stamp fits, and the group
//! is read from the store.
//!
//! What was read from a group's leaves and context is kept under its epoch authenticator (RFC 9420 §8.7), which no other
//! state of any group has.

use std::cell::RefCell;
use std::collections::BTreeMap;

use openmls::group::GroupId;
use openmls::prelude::MlsGroup;

use super::Layout;

/// Names one state of one group of this store, and no other.
pub(super) type Stamp = [u8; 16];

/// Most groups in memory: those of a hundred leaves are about a megabyte each.
pub(crate) const MOST: usize = 16;

/// By the ids of groups: the state that something is of, and what is kept.
type Kept<S, T> = RefCell<BTreeMap<Vec<u8>, (S, T)>>;

/// The groups that one client has read.
#[derive(Default)]
pub(crate) struct Loaded {
    groups: Kept<Stamp, MlsGroup>,
    layouts: Kept<Vec<u8>, Layout>,
}

impl Loaded {
    /// Gives away a group, if it is in the state that the store has: whoever changes it and fails keeps nothing.
    pub(super) fn take(&self, id: &GroupId, stamp: &Stamp) -> Option<MlsGroup> {
        let (kept, group) = self.groups.borrow_mut().remove(id.as_slice())?;
        (kept == *stamp).then_some(group)
    }

    /// Looks at a group, if it is in the state that the store has.
    pub(super) fn look<T>(&self, id: &GroupId, stamp: &Stamp, at: impl FnOnce(&MlsGroup) -> T) -> Option<T> {
        let groups = self.groups.borrow();
        groups.get(id.as_slice()).filter(|(kept, _)| kept == stamp).map(|(_, group)| at(group))
    }

    /// Keeps a group that is in the state that the store has.
    pub(super) fn keep(&self, stamp: Stamp, group: MlsGroup) {
        insert(&mut self.groups.borrow_mut(), group.group_id().as_slice().to_vec(), (stamp, group));
    }

    /// What was read from a group in this state.
    pub(super) fn layout(&self, group: &MlsGroup) -> Option<Layout> {
        let layouts = self.layouts.borrow();
        let (state, layout) = layouts.get(group.group_id().as_slice())?;
        (state.as_slice() == group.epoch_authenticator().as_slice()).then(|| layout.clone())
    }

    /// Keeps what was read from a group.
    pub(super) fn keep_layout(&self, group: &MlsGroup, layout: Layout) {
        let state = group.epoch_authenticator().as_slice().to_vec();
        insert(&mut self.layouts.borrow_mut(), group.group_id().as_slice().to_vec(), (state, layout));
    }
}

fn insert<T>(kept: &mut BTreeMap<Vec<u8>, T>, id: Vec<u8>, value: T) {
    if kept.len() >= MOST && !kept.contains_key(&id) {
        kept.pop_first();
    }
    kept.insert(id, value);
}
