//! The whole map in memory, in several versions.
//!
//! A block makes a new version in the place of the newest one and keeps what it overwrites, so that older versions stay
//! provable until they are released: proofs are published against the version that witnesses cosigned, while newer
//! blocks are being built. About 140 bytes a leaf. Not in scope: files ([`super::snapshot`]), who may change what (`block`).

use std::collections::VecDeque;
use std::fmt;

use thiserror::Error;

use super::nodes::{Node, NodeRef, Nodes, OldValueMismatch, Overwritten, Subtree, View, split_references};
use super::proof::{AbsenceProof, MapProof, PathStep, PresenceProof};
use super::transition::{NodeKind, TransitionProof};
use super::{Change, EMPTY_ROOT, MapKey, MapValue};
use crate::encoding::Writer;
use crate::id::Digest;

/// Most leaves of one tree, 2^30; a larger map is split by the top bits of the key.
pub const MAX_LEAVES: usize = 1 << 30;

/// Names one version of a [`Tree`]; the next one's number is one higher.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version(u64);

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Why the tree refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum TreeError {
    /// A version that was released or never made.
    #[error("version {version} is not held, only {oldest} to {newest}")]
    UnknownVersion {
        /// Asked for.
        version: Version,
        /// Oldest held.
        oldest: Version,
        /// Newest held.
        newest: Version,
    },
    /// Changes are applied to the newest version only.
    #[error("version {version} is not the newest, {newest}")]
    NotNewest {
        /// Given.
        version: Version,
        /// Newest held.
        newest: Version,
    },
    /// Keys that are not strictly ascending (BLK-3).
    #[error("the key at index {index} is not above the one before it")]
    NotAscending {
        /// Which key, from 0.
        index: usize,
    },
    /// A change whose old value is not what the map holds (BLK-2).
    #[error("the old value does not fit at key {}", key.0)]
    OldValueMismatch {
        /// Which key.
        key: MapKey,
    },
    /// More than [`MAX_LEAVES`].
    #[error("{count} leaves are more than 2^30")]
    TooManyLeaves {
        /// How many there would be.
        count: usize,
    },
}

impl From<OldValueMismatch> for TreeError {
    fn from(OldValueMismatch(key): OldValueMismatch) -> Self {
        Self::OldValueMismatch { key }
    }
}

/// One version: its tree, and what it overwrote of the one before.
#[derive(Debug)]
struct Record {
    root: Option<Subtree>,
    len: usize,
    overwritten: Overwritten,
}

/// The map, in one or more versions.
#[derive(Debug)]
pub struct Tree {
    nodes: Nodes,
    /// Never empty: the newest version cannot be released.
    versions: VecDeque<Record>,
    oldest: Version,
}

impl Default for Tree {
    fn default() -> Self {
        Self::new()
    }
}

impl Tree {
    /// The empty map, as its first version.
    pub fn new() -> Self {
        Self::with_first(Nodes::new(), None, 0)
    }

    fn with_first(nodes: Nodes, root: Option<Subtree>, len: usize) -> Self {
        let record = Record { root, len, overwritten: Overwritten::default() };
        Self { nodes, versions: VecDeque::from([record]), oldest: Version(0) }
    }

    /// Builds a map from leaves with strictly ascending keys, as its first version.
    ///
    /// # Errors
    /// [`TreeError::NotAscending`], [`TreeError::TooManyLeaves`].
    pub fn from_sorted(leaves: impl IntoIterator<Item = (MapKey, MapValue)>) -> Result<Self, TreeError> {
        let mut nodes = Nodes::new();
        let (mut count, mut last, mut error) = (0, None, None);
        let root = nodes.build(leaves.into_iter().map_while(|(key, value)| {
            if last.is_some_and(|last| last >= key) {
                error = Some(TreeError::NotAscending { index: count });
            } else if count == MAX_LEAVES {
                error = Some(TreeError::TooManyLeaves { count: count + 1 });
            }
            count += 1;
            last = Some(key);
            error.is_none().then_some((key, value))
        }));
        error.map_or_else(|| Ok(Self::with_first(nodes, root, count)), Err)
    }

    /// The newest version.
    pub fn newest(&self) -> Version {
        Version(self.oldest.0 + self.versions.len().saturating_sub(1) as u64)
    }

    /// The oldest version that is still held.
    pub fn oldest(&self) -> Version {
        self.oldest
    }

    /// A version to be read, with its root.
    fn view(
        &self,
        version: Version,
    ) -> Result<(Option<Subtree>, View<'_, impl Iterator<Item = &Overwritten> + Clone>), TreeError> {
        let root = self.record(version)?.root;
        let later = usize::try_from(version.0 - self.oldest.0).unwrap_or(usize::MAX).saturating_add(1);
        let later = self.versions.iter().skip(later).map(|record| &record.overwritten);
        Ok((root, View { nodes: &self.nodes, later }))
    }

    fn record(&self, version: Version) -> Result<&Record, TreeError> {
        let index = version.0.checked_sub(self.oldest.0).and_then(|index| usize::try_from(index).ok());
        let unknown = TreeError::UnknownVersion { version, oldest: self.oldest, newest: self.newest() };
        index.and_then(|index| self.versions.get(index)).ok_or(unknown)
    }

    /// Root hash of a version.
    ///
    /// # Errors
    /// [`TreeError::UnknownVersion`].
    pub fn root(&self, version: Version) -> Result<Digest, TreeError> {
        Ok(self.record(version)?.root.map_or(EMPTY_ROOT, |root| root.hash))
    }

    /// Number of leaves of a version.
    ///
    /// # Errors
    /// [`TreeError::UnknownVersion`].
    pub fn len(&self, version: Version) -> Result<usize, TreeError> {
        Ok(self.record(version)?.len)
    }

    /// The value of a key in a version, none if absent.
    ///
    /// # Errors
    /// [`TreeError::UnknownVersion`].
    pub fn get(&self, version: Version, key: &MapKey) -> Result<Option<MapValue>, TreeError> {
        let (Some(root), view) = self.view(version)? else { return Ok(None) };
        let leaf = view.descend(root.node, key);
        Ok((leaf.key == *key).then_some(leaf.value))
    }

    /// All leaves of a version in key order.
    ///
    /// # Errors
    /// [`TreeError::UnknownVersion`].
    pub fn leaves(&self, version: Version) -> Result<impl Iterator<Item = (MapKey, MapValue)>, TreeError> {
        let (root, view) = self.view(version)?;
        let mut waiting: Vec<NodeRef> = root.iter().map(|root| root.node).collect();
        Ok(std::iter::from_fn(move || {
            loop {
                match view.node(waiting.pop()?) {
                    Node::Leaf(leaf) => return Some((leaf.key, leaf.value)),
                    Node::Inner(inner) => waiting.extend([inner.right.node, inner.left.node]),
                }
            }
        }))
    }

    /// Proves what a version holds under a key: its value, or that it is absent.
    ///
    /// # Errors
    /// [`TreeError::UnknownVersion`].
    pub fn prove(&self, version: Version, key: &MapKey) -> Result<MapProof, TreeError> {
        let (Some(root), view) = self.view(version)? else {
            return Ok(MapProof::Absence(AbsenceProof::EmptyMap));
        };
        let mut path = Vec::with_capacity(32);
        let mut node = root.node;
        let leaf = loop {
            match view.node(node) {
                Node::Leaf(leaf) => break leaf,
                Node::Inner(inner) => {
                    let (next, sibling) = inner.children(key);
                    path.push(PathStep { p: inner.p, sibling: sibling.hash });
                    node = next.node;
                }
            }
        };
        path.reverse();
        Ok(if leaf.key == *key {
            MapProof::Presence(PresenceProof { value: leaf.value, path })
        } else {
            MapProof::Absence(AbsenceProof::OtherLeaf { key: leaf.key, value: leaf.value, path })
        })
    }

    /// Makes the next version from `base`, which must be the newest, by changes with strictly ascending keys. On an
    /// error nothing has changed.
    ///
    /// # Errors
    /// [`TreeError::NotNewest`], [`TreeError::NotAscending`], [`TreeError::OldValueMismatch`] (BLK-2),
    /// [`TreeError::TooManyLeaves`].
    pub fn apply(&mut self, base: Version, changes: &[Change]) -> Result<Version, TreeError> {
        let newest = self.newest();
        if base != newest {
            return Err(TreeError::NotNewest { version: base, newest });
        }
        let &Record { root, len, .. } = self.record(base)?;
        check(&self.nodes.newest(), root, changes)?;
        let len = len + changes.iter().filter(|change| change.old.is_none()).count();
        if len > MAX_LEAVES {
            return Err(TreeError::TooManyLeaves { count: len });
        }
        let mut overwritten = Overwritten::expecting(changes.len(), len);
        let root = match root {
            Some(root) => Some(self.nodes.merge(root, 0, changes, &mut overwritten)),
            None => self.nodes.build(changes.iter().map(|change| (change.key, change.new))),
        };
        self.versions.push_back(Record { root, len, overwritten });
        Ok(self.newest())
    }

    /// Releases every version older than `version`, and with them what was kept for them.
    ///
    /// # Errors
    /// [`TreeError::UnknownVersion`], also if `version` itself was released.
    pub fn release_before(&mut self, version: Version) -> Result<(), TreeError> {
        self.record(version)?;
        while self.oldest < version && self.versions.pop_front().is_some() {
            self.oldest.0 += 1;
        }
        if let Some(oldest) = self.versions.front_mut() {
            oldest.overwritten = Overwritten::default();
        }
        Ok(())
    }

    /// Proves to someone without the map that `changes` turn this version's root into the next one's.
    ///
    /// # Errors
    /// [`TreeError::UnknownVersion`], [`TreeError::NotAscending`], [`TreeError::OldValueMismatch`].
    pub fn prove_transition(&self, version: Version, changes: &[Change]) -> Result<TransitionProof, TreeError> {
        let (root, view) = self.view(version)?;
        check(&view, root, changes)?;
        let mut writer = Writer::new();
        match root {
            Some(root) => write_pruned(&view, root, &mut changes.iter().collect::<Vec<_>>(), &mut writer),
            None if changes.is_empty() => {
                writer.raw(EMPTY_ROOT.as_bytes());
            }
            None => {
                writer.u8(NodeKind::Empty as u8);
            }
        }
        Ok(TransitionProof::from_body(writer.finish()))
    }

    /// Bytes of memory reserved for all versions held, without the allocator's own overhead.
    pub fn memory_bytes(&self) -> usize {
        let overwritten: usize = self.versions.iter().map(|record| record.overwritten.memory_bytes()).sum();
        size_of::<Self>() + self.nodes.memory_bytes() + self.versions.capacity() * size_of::<Record>() + overwritten
    }
}

/// Writes the part of a tree that the changes' descents touch; the form is in [`super::transition`].
fn write_pruned<'a>(
    view: &View<'a, impl Iterator<Item = &'a Overwritten> + Clone>,
    subtree: Subtree,
    changes: &mut [&Change],
    writer: &mut Writer,
) {
    if changes.is_empty() {
        writer.raw(subtree.hash.as_bytes());
        return;
    }
    match view.node(subtree.node) {
        Node::Leaf(leaf) => {
            writer.u8(NodeKind::Leaf as u8);
            if changes.iter().all(|change| change.old.is_none()) {
                writer.raw(leaf.key.0.as_bytes()).raw(leaf.value.0.as_bytes());
            }
        }
        Node::Inner(inner) => {
            writer.u8(NodeKind::Inner as u8).u8(inner.p);
            let (left, right) = split_references(changes, inner.p);
            write_pruned(view, inner.left, left, writer);
            write_pruned(view, inner.right, right, writer);
        }
    }
}

/// Whether the changes may be applied to this version.
fn check<'a>(
    view: &View<'a, impl Iterator<Item = &'a Overwritten> + Clone>,
    root: Option<Subtree>,
    changes: &[Change],
) -> Result<(), TreeError> {
    if let Some(index) = descent(changes) {
        return Err(TreeError::NotAscending { index });
    }
    match root {
        Some(root) => Ok(view.check_old(root.node, changes)?),
        None => match changes.iter().find(|change| change.old.is_some()) {
            Some(change) => Err(TreeError::OldValueMismatch { key: change.key }),
            None => Ok(()),
        },
    }
}

/// Index of the first change whose key is not above the one before it.
pub(super) fn descent(changes: &[Change]) -> Option<usize> {
    changes.iter().zip(changes.iter().skip(1)).position(|(a, b)| a.key >= b.key).map(|index| index + 1)
}
