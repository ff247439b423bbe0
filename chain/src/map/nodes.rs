//! The nodes of the map's newest tree, how a batch of changes makes the next one in their place, and what they were
//! before, for as long as somebody may ask.
//!
//! Used by [`super::tree`] with the whole map and by [`super::transition`] with a pruned one, so the rule of the
//! shape is written once.

use std::sync::OnceLock;

use super::arena::Arena;
use super::{Change, MapKey, MapValue, inner_hash, leaf_hash};
use crate::id::Digest;

/// Marks a leaf's number; the rest of the 32 bits is the number in its arena.
const LEAF: u32 = 1 << 31;

/// How many changes descend at once when old values are checked: their look-ups do not wait for each other's memory.
const IN_STEP: usize = 64;

/// Where a node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct NodeRef(u32);

/// A node, looked up.
#[derive(Debug, Clone, Copy)]
pub(super) enum Node<'a> {
    /// A key and its value.
    Leaf(&'a Leaf),
    /// Two subtrees.
    Inner(&'a Inner),
}

/// A leaf, 64 bytes; its hash is computed when asked for.
#[derive(Debug)]
pub(super) struct Leaf {
    pub(super) key: MapKey,
    pub(super) value: MapValue,
}

/// An inner node, 76 bytes. It holds its children's hashes and not its own: whoever hashes or proves one child's way
/// never has to look the other child up.
#[derive(Debug)]
pub(super) struct Inner {
    pub(super) left: Subtree,
    pub(super) right: Subtree,
    pub(super) p: u8,
}

impl Inner {
    /// The child on the way of a key, and the other one.
    pub(super) fn children(&self, key: &MapKey) -> (Subtree, Subtree) {
        if key.bit(self.p) { (self.right, self.left) } else { (self.left, self.right) }
    }
}

/// A tree or a part of one: its top node and that node's hash.
#[derive(Debug, Clone, Copy)]
pub(super) struct Subtree {
    pub(super) node: NodeRef,
    pub(super) hash: Digest,
}

/// A change whose old value is not what the map holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct OldValueMismatch(pub(super) MapKey);

/// Nodes as they were before one batch of changes, in the order in which they were overwritten. Written one after the
/// other, because that is cheap; looked up only if somebody asks for the older tree while the newer one is there.
#[derive(Debug, Default)]
pub(super) struct Overwritten {
    leaves: Entries<Leaf>,
    inners: Entries<Inner>,
}

/// Old nodes with their places, and their order by place once somebody has asked.
#[derive(Debug)]
struct Entries<T> {
    nodes: Vec<(NodeRef, T)>,
    by_place: OnceLock<Vec<u32>>,
}

impl<T> Default for Entries<T> {
    fn default() -> Self {
        Self { nodes: Vec::new(), by_place: OnceLock::new() }
    }
}

impl<T> Entries<T> {
    fn find(&self, place: NodeRef) -> Option<&T> {
        let at = |index: &u32| self.nodes.get(*index as usize);
        let order = self.by_place.get_or_init(|| {
            // fewer than 2^32 nodes, as in the arena
            let mut order: Vec<u32> = (0..).take(self.nodes.len()).collect();
            order.sort_unstable_by_key(|index| at(index).map(|(place, _)| *place));
            order
        });
        let found = order.binary_search_by_key(&Some(place), |index| at(index).map(|(place, _)| *place)).ok()?;
        order.get(found).and_then(at).map(|(_, node)| node)
    }

    fn memory_bytes(&self) -> usize {
        self.nodes.capacity() * size_of::<(NodeRef, T)>()
            + self.by_place.get().map_or(0, |order| order.capacity() * size_of::<u32>())
    }
}

impl Overwritten {
    /// With room for what this many changes are likely to overwrite in a map of `len` leaves whose keys are hashes: the
    /// levels that they do not share, and a few.
    pub(super) fn expecting(changes: usize, len: usize) -> Self {
        let levels = (len / changes.max(1)).checked_ilog2().unwrap_or(0) as usize + 3;
        let mut overwritten = Self::default();
        overwritten.inners.nodes.reserve(changes.saturating_mul(levels).min(len));
        overwritten
    }

    fn find(&self, place: NodeRef) -> Option<Node<'_>> {
        match place.0 & LEAF {
            0 => self.inners.find(place).map(Node::Inner),
            _ => self.leaves.find(place).map(Node::Leaf),
        }
    }

    /// Bytes of memory reserved.
    pub(super) fn memory_bytes(&self) -> usize {
        self.leaves.memory_bytes() + self.inners.memory_bytes()
    }
}

/// One version of the tree, to be read: the newest nodes, under what later batches overwrote, first batch first.
#[derive(Debug, Clone, Copy)]
pub(super) struct View<'a, Later> {
    pub(super) nodes: &'a Nodes,
    pub(super) later: Later,
}

impl<'a, Later: Iterator<Item = &'a Overwritten> + Clone> View<'a, Later> {
    /// Looks a node up.
    pub(super) fn node(&self, place: NodeRef) -> Node<'a> {
        self.later.clone().find_map(|batch| batch.find(place)).unwrap_or_else(|| self.nodes.node(place))
    }

    /// The leaf at which the descent by the bits of `key` ends: the key's own if it is in the tree.
    pub(super) fn descend(&self, mut place: NodeRef, key: &MapKey) -> &'a Leaf {
        loop {
            match self.node(place) {
                Node::Leaf(leaf) => return leaf,
                Node::Inner(inner) => place = inner.children(key).0.node,
            }
        }
    }

    /// Checks each change's old value against the tree (BLK-2).
    pub(super) fn check_old(&self, root: NodeRef, changes: &[Change]) -> Result<(), OldValueMismatch> {
        for changes in changes.chunks(IN_STEP) {
            let mut places = [root; IN_STEP];
            let mut descending = true;
            while descending {
                descending = false;
                for (place, change) in places.iter_mut().zip(changes) {
                    if let Node::Inner(inner) = self.node(*place) {
                        *place = inner.children(&change.key).0.node;
                        descending = true;
                    }
                }
            }
            for (place, change) in places.iter().zip(changes) {
                let leaf = self.descend(*place, &change.key);
                if change.old != (change.key == leaf.key).then_some(leaf.value) {
                    return Err(OldValueMismatch(change.key));
                }
            }
        }
        Ok(())
    }
}

/// All nodes of the newest version.
#[derive(Debug)]
pub(super) struct Nodes {
    leaves: Arena<Leaf>,
    inners: Arena<Inner>,
}

impl Subtree {
    /// A part of which only the hash is known. It must never be looked into.
    pub(super) fn stub(hash: Digest) -> Self {
        Self { node: NodeRef(u32::MAX), hash }
    }
}

impl Nodes {
    /// Starts without nodes.
    pub(super) fn new() -> Self {
        Self { leaves: Arena::new(), inners: Arena::new() }
    }

    /// Looks a node up.
    pub(super) fn node(&self, node: NodeRef) -> Node<'_> {
        match node.0 & LEAF {
            0 => Node::Inner(self.inners.item(node.0)),
            _ => Node::Leaf(self.leaves.item(node.0 & !LEAF)),
        }
    }

    /// Adds a leaf.
    pub(super) fn leaf(&mut self, key: MapKey, value: MapValue) -> Subtree {
        let node = NodeRef(self.leaves.insert(Leaf { key, value }) | LEAF);
        Subtree { node, hash: leaf_hash(&key, &value) }
    }

    /// Adds an inner node above two subtrees.
    pub(super) fn join(&mut self, p: u8, left: Subtree, right: Subtree) -> Subtree {
        let hash = inner_hash(&left.hash, &right.hash, p);
        Subtree { node: NodeRef(self.inners.insert(Inner { left, right, p })), hash }
    }

    /// The newest version, to be read.
    pub(super) fn newest(&self) -> View<'_, std::iter::Empty<&Overwritten>> {
        View { nodes: self, later: std::iter::empty() }
    }

    /// Bytes of memory reserved.
    pub(super) fn memory_bytes(&self) -> usize {
        self.leaves.memory_bytes() + self.inners.memory_bytes()
    }

    /// Builds a tree from leaves with strictly ascending keys; none without leaves.
    pub(super) fn build(&mut self, leaves: impl Iterator<Item = (MapKey, MapValue)>) -> Option<Subtree> {
        // the inner nodes on the right edge that wait for their right subtree, with p rising
        let mut open: Vec<(u8, Subtree)> = Vec::new();
        let mut last: Option<(MapKey, Subtree)> = None;
        for (key, value) in leaves {
            let leaf = self.leaf(key, value);
            if let Some((before, mut done)) = last
                && let Some(p) = before.first_difference(&key)
            {
                while let Some((q, left)) = open.pop_if(|(q, _)| *q > p) {
                    done = self.join(q, left, done);
                }
                open.push((p, done));
            }
            last = Some((key, leaf));
        }
        let (_, done) = last?;
        Some(open.into_iter().rev().fold(done, |done, (p, left)| self.join(p, left, done)))
    }

    /// Makes the tree with these changes, whose old values were checked, in the place of the one there is. What nodes were
    /// before is added to `overwritten`. Every touched node is hashed once. `depth`: the first bit position at which the
    /// changes may differ from each other and from the keys below `old`. Recursion ends at depth 256.
    pub(super) fn merge(
        &mut self,
        old: Subtree,
        depth: u16,
        changes: &[Change],
        overwritten: &mut Overwritten,
    ) -> Subtree {
        let (Some(first), Some(last)) = (changes.first(), changes.last()) else { return old };
        let node = old.node;
        if let Some((p, node_is_right)) = self.divergence(node, depth, &first.key, &last.key) {
            let (left, right) = split(changes, p);
            let (near, far) = if node_is_right { (right, left) } else { (left, right) };
            let near = self.merge(old, u16::from(p) + 1, near, overwritten);
            return match self.build(far.iter().map(|change| (change.key, change.new))) {
                Some(far) if node_is_right => self.join(p, far, near),
                Some(far) => self.join(p, near, far),
                None => near,
            };
        }
        match self.node(node) {
            Node::Leaf(_) => {
                let leaf = Leaf { key: first.key, value: first.new };
                overwritten.leaves.nodes.push((node, self.leaves.replace(node.0 & !LEAF, leaf)));
                Subtree { node, hash: leaf_hash(&first.key, &first.new) }
            }
            Node::Inner(&Inner { p, left, right, .. }) => {
                let (changes_left, changes_right) = split(changes, p);
                let left = self.merge(left, u16::from(p) + 1, changes_left, overwritten);
                let right = self.merge(right, u16::from(p) + 1, changes_right, overwritten);
                overwritten.inners.nodes.push((node, self.inners.replace(node.0, Inner { left, right, p })));
                Subtree { node, hash: inner_hash(&left.hash, &right.hash, p) }
            }
        }
    }

    /// Where the first change leaves the edge above `node`: the bit position, and whether `node` is to its right.
    /// Of sorted keys the first or the last leaves earliest.
    fn divergence(&self, node: NodeRef, depth: u16, first: &MapKey, last: &MapKey) -> Option<(u8, bool)> {
        let end = match self.node(node) {
            Node::Leaf(_) => 256,
            Node::Inner(inner) => u16::from(inner.p),
        };
        if end == depth {
            return None; // no bit is skipped: the usual case near the root
        }
        // any leaf below would do; in a pruned tree the one on this path is known
        let key = self.newest().descend(node, first).key;
        let p = [first, last].iter().filter_map(|change| change.first_difference(&key)).min()?;
        (u16::from(p) < end).then(|| (p, key.bit(p)))
    }
}

/// Splits sorted changes that agree in all bits before `p`.
fn split(changes: &[Change], p: u8) -> (&[Change], &[Change]) {
    changes.split_at(changes.partition_point(|change| !change.key.bit(p)))
}

/// Splits changes by bit `p`, whatever the bits before it: the two ways of a descent by key bits alone.
pub(super) fn split_references<'a, 'b>(
    changes: &'a mut [&'b Change],
    p: u8,
) -> (&'a mut [&'b Change], &'a mut [&'b Change]) {
    changes.sort_by_key(|change| change.key.bit(p));
    let middle = changes.partition_point(|change| !change.key.bit(p));
    changes.split_at_mut(middle)
}
