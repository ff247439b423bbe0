//! The log's tree in memory: 64 bytes a block, so 34 MB for a year of heartbeats.
//!
//! Proofs and roots of every size are made from it. It is filled from the headers at the start, and its root is then
//! compared with the signed one.

use chain::id::Digest;
use chain::log::merkle::{self, Frontier, ProveError, leaf_hash};

/// Every complete node, by level and index, and the frontier.
#[derive(Debug, Default)]
pub(crate) struct LogNodes {
    levels: Vec<Vec<Digest>>,
    frontier: Frontier,
}

impl LogNodes {
    /// Number of leaves.
    pub(crate) fn size(&self) -> u64 {
        self.frontier.size()
    }

    /// Root of the whole tree.
    pub(crate) fn root(&self) -> Digest {
        self.frontier.root()
    }

    /// The root that the tree would have with one more header.
    pub(crate) fn root_with(&self, header: &[u8]) -> Result<Digest, ProveError> {
        let mut next = self.frontier.clone();
        next.append(leaf_hash(header))?;
        Ok(next.root())
    }

    /// Adds a header.
    pub(crate) fn append(&mut self, header: &[u8]) -> Result<(), ProveError> {
        let Self { levels, frontier } = self;
        frontier.append_with(leaf_hash(header), |level, _, hash| {
            let level = usize::from(level);
            if levels.len() <= level {
                levels.resize_with(level.saturating_add(1), Vec::new);
            }
            if let Some(nodes) = levels.get_mut(level) {
                nodes.push(hash);
            }
        })
    }

    /// The hash of a complete node.
    pub(crate) fn node(&self, level: u8, index: u64) -> Option<Digest> {
        self.levels.get(usize::from(level))?.get(usize::try_from(index).ok()?).copied()
    }

    /// The root at a size that the tree has or had.
    pub(crate) fn root_at(&self, size: u64) -> Option<Digest> {
        if size > self.size() {
            return None;
        }
        merkle::root(size, |level, index| self.node(level, index)).ok()
    }

    /// Proof that a leaf is in the tree of `size` leaves.
    pub(crate) fn inclusion(&self, index: u64, size: u64) -> Result<Vec<Digest>, ProveError> {
        merkle::prove_inclusion(index, size, |level, index| self.node(level, index))
    }

    /// Proof that one tree begins with the other.
    pub(crate) fn consistency(&self, from: u64, to: u64) -> Result<Vec<Digest>, ProveError> {
        merkle::prove_consistency(from, to, |level, index| self.node(level, index))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roots_of_all_sizes_are_those_the_frontier_had() {
        let mut nodes = LogNodes::default();
        let mut roots = vec![nodes.root()];
        for n in 0..70_u8 {
            let ahead = nodes.root_with(&[n]).unwrap();
            nodes.append(&[n]).unwrap();
            assert_eq!(ahead, nodes.root());
            roots.push(nodes.root());
        }
        for (size, root) in (0..).zip(&roots) {
            assert_eq!(nodes.root_at(size), Some(*root));
        }
        assert_eq!(nodes.root_at(71), None);
    }
}
