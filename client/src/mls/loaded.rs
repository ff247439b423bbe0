//! Groups in memory between steps, because reading one takes as long as it has leaves.
//!
//! What is in memory does not roll back (TXN-3). So a group in memory counts only while the store has the stamp that it
//! was kept under: every change of the stored group takes the stamp away ([`super::storage`]), in the same transaction, and
//! whoever keeps a group gives it a new one. After a rollback, a crash or a forgotten `keep` no stamp fits, and the group
//! is read from the store.
//!
//! What was read from a group's leaves and context is kept under its epoch authenticator (RFC 9420 §8.7), which no other
//! state of any group has, and under the stamp of the newest state in which the group has that one: so every step can ask
//! for the compositions of hundreds of groups, of which few are in memory.

use std::cell::RefCell;
use std::collections::BTreeMap;

use openmls::group::GroupId;
use openmls::prelude::MlsGroup;

use super::Layout;

/// Names one state of one group of this store, and no other.
pub(super) type Stamp = [u8; 16];

/// Most leaves of all groups in memory: a hundred are about a megabyte.
const MOST_LEAVES: usize = 1_600;
/// Most leaves of all compositions that are kept: a hundred are about 30 kilobytes.
const MOST_READ_LEAVES: usize = 16_000;
/// A group takes as much as this many leaves more than it has.
const OF_A_GROUP: usize = 8;

/// What is kept, by the ids of groups, and no more than so many leaves of it.
struct Kept<T> {
    by_id: BTreeMap<Vec<u8>, (T, usize)>,
    leaves: usize,
    most: usize,
}

impl<T> Kept<T> {
    fn new(most: usize) -> RefCell<Self> {
        RefCell::new(Self { by_id: BTreeMap::new(), leaves: 0, most })
    }

    fn get(&self, id: &[u8]) -> Option<&T> {
        self.by_id.get(id).map(|(kept, _)| kept)
    }

    fn get_mut(&mut self, id: &[u8]) -> Option<&mut T> {
        self.by_id.get_mut(id).map(|(kept, _)| kept)
    }

    fn remove(&mut self, id: &[u8]) -> Option<T> {
        let (kept, leaves) = self.by_id.remove(id)?;
        self.leaves = self.leaves.saturating_sub(leaves);
        Some(kept)
    }

    fn insert(&mut self, id: Vec<u8>, kept: T, leaves: usize) {
        self.remove(&id);
        let leaves = leaves.saturating_add(OF_A_GROUP);
        while self.leaves.saturating_add(leaves) > self.most
            && let Some((_, (_, gone))) = self.by_id.pop_first()
        {
            self.leaves = self.leaves.saturating_sub(gone);
        }
        self.leaves = self.leaves.saturating_add(leaves);
        self.by_id.insert(id, (kept, leaves));
    }
}

/// What was read from a group.
struct Read {
    /// Its epoch authenticator.
    state: Vec<u8>,
    stamp: Option<Stamp>,
    layout: Layout,
}

/// The groups that one client has read.
pub(crate) struct Loaded {
    groups: RefCell<Kept<(Stamp, MlsGroup)>>,
    layouts: RefCell<Kept<Read>>,
}

impl Default for Loaded {
    fn default() -> Self {
        Self { groups: Kept::new(MOST_LEAVES), layouts: Kept::new(MOST_READ_LEAVES) }
    }
}

impl Loaded {
    /// Gives away a group, if it is in the state that the store has: whoever changes it and fails keeps nothing.
    pub(super) fn take(&self, id: &GroupId, stamp: &Stamp) -> Option<MlsGroup> {
        let (kept, group) = self.groups.borrow_mut().remove(id.as_slice())?;
        (kept == *stamp).then_some(group)
    }

    /// Looks at a group, if it is in the state that the store has.
    pub(super) fn look<T>(&self, id: &GroupId, stamp: &Stamp, at: impl FnOnce(&MlsGroup) -> T) -> Option<T> {
        let seen = {
            let groups = self.groups.borrow();
            let (kept, group) = groups.get(id.as_slice())?;
            (kept == stamp).then(|| (at(group), group.epoch_authenticator().as_slice().to_vec()))
        };
        let (seen, state) = seen?;
        self.stamp_layout(id.as_slice(), &state, *stamp);
        Some(seen)
    }

    /// Keeps a group that is in the state that the store has.
    pub(super) fn keep(&self, stamp: Stamp, group: MlsGroup) {
        let id = group.group_id().as_slice().to_vec();
        // to count them is to copy their keys
        let leaves = self.layout(&group).map_or_else(|| group.members().count(), |layout| layout.leaves.len());
        self.stamp_layout(&id, group.epoch_authenticator().as_slice(), stamp);
        self.groups.borrow_mut().insert(id, (stamp, group), leaves);
    }

    /// What was read from a group in this state.
    pub(super) fn layout(&self, group: &MlsGroup) -> Option<Layout> {
        let layouts = self.layouts.borrow();
        let read = layouts.get(group.group_id().as_slice())?;
        (read.state.as_slice() == group.epoch_authenticator().as_slice()).then(|| read.layout.clone())
    }

    /// What was read from a group that the store has in this state.
    pub(super) fn layout_at(&self, id: &GroupId, stamp: &Stamp) -> Option<Layout> {
        let layouts = self.layouts.borrow();
        layouts.get(id.as_slice()).filter(|read| read.stamp == Some(*stamp)).map(|read| read.layout.clone())
    }

    /// Keeps what was read from a group.
    pub(super) fn keep_layout(&self, group: &MlsGroup, layout: Layout) {
        let state = group.epoch_authenticator().as_slice().to_vec();
        let (id, leaves) = (group.group_id().as_slice().to_vec(), layout.leaves.len());
        self.layouts.borrow_mut().insert(id, Read { state, stamp: None, layout }, leaves);
    }

    /// The store has a group in a state under this stamp.
    fn stamp_layout(&self, id: &[u8], state: &[u8], stamp: Stamp) {
        let mut layouts = self.layouts.borrow_mut();
        if let Some(read) = layouts.get_mut(id).filter(|read| read.state == state) {
            read.stamp = Some(stamp);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_is_kept_than_so_many_leaves() {
        let kept = Kept::new(100);
        let mut kept = kept.borrow_mut();
        for id in 0..10 {
            kept.insert(vec![id], id, 12);
        }
        assert_eq!(kept.by_id.keys().map(|id| id[0]).collect::<Vec<_>>(), [5, 6, 7, 8, 9]);
        kept.insert(vec![9], 9, 32);
        assert_eq!((kept.by_id.len(), kept.leaves), (4, 3 * 20 + 40));
        assert_eq!((kept.remove(&[9]), kept.leaves), (Some(9), 60));
        // one that is too large alone is kept alone
        kept.insert(vec![3], 3, 1_000);
        assert_eq!(kept.by_id.len(), 1);
    }
}
