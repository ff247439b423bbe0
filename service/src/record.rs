//! The record as readers see it: the map in versions, the log's nodes, the newest sealed and the newest published
//! head.
//!
//! *Sealed* is what the log has signed, *published* what a quorum of witnesses has cosigned; without witnesses both are
//! one. Proofs are made for either, never across. Readers hold the lock for microseconds.

use std::collections::BTreeMap;
use std::sync::{PoisonError, RwLock, RwLockReadGuard};

use chain::block::{Header, Parameters};
use chain::id::Digest;
use chain::map::{Change, MapKey, MapProof, MapValue, TransitionProof, Tree, TreeError, Version};
use tokio::sync::watch;

use crate::nodes::LogNodes;

/// A sealed block, as far as proofs need it.
#[derive(Debug, Clone)]
pub(crate) struct SealedHead {
    /// The checkpoint with the log's signature alone.
    pub(crate) note: String,
    /// The block's header.
    pub(crate) header: Header,
    /// The map after it.
    pub(crate) version: Version,
}

/// Up to where the log is sealed and published, as numbers of blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Sizes {
    pub(crate) sealed: u64,
    pub(crate) published: u64,
}

/// Under which head to prove.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum At {
    /// The newest with a quorum.
    Published,
    /// The newest that the log has signed.
    Latest,
}

/// What is proven, taken at one moment.
#[derive(Debug)]
pub(crate) struct Proven {
    pub(crate) size: u64,
    pub(crate) note: String,
    pub(crate) header: Header,
    pub(crate) inclusion: Vec<Digest>,
    pub(crate) map_proof: MapProof,
    pub(crate) value: Option<MapValue>,
}

/// What changes from block to block.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) tree: Tree,
    pub(crate) log: LogNodes,
    /// By size: all heads from the published one on; never without the newest.
    pub(crate) heads: BTreeMap<u64, SealedHead>,
    /// Size and note of the newest published checkpoint.
    pub(crate) published: Option<(u64, String)>,
}

/// The record of one log.
#[derive(Debug)]
pub(crate) struct Record {
    /// What is in block 0.
    pub(crate) parameters: Parameters,
    state: RwLock<State>,
    sizes: watch::Sender<Sizes>,
}

impl Record {
    /// The record in the state that was found or begun.
    pub(crate) fn new(parameters: Parameters, state: State) -> Self {
        let sizes = Sizes { sealed: state.log.size(), published: state.published.as_ref().map_or(0, |it| it.0) };
        Self { parameters, state: RwLock::new(state), sizes: watch::Sender::new(sizes) }
    }

    fn state(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        change(&mut state);
        let published = state.published.as_ref().map_or(0, |published| published.0);
        self.sizes.send_replace(Sizes { sealed: state.log.size(), published });
    }

    /// Where sealed and published sizes are told.
    pub(crate) fn watch(&self) -> watch::Receiver<Sizes> {
        self.sizes.subscribe()
    }

    /// Sealed and published sizes.
    pub(crate) fn sizes(&self) -> Sizes {
        *self.sizes.borrow()
    }

    /// The newest sealed head with its size.
    pub(crate) fn newest(&self) -> Option<(u64, SealedHead)> {
        self.state().heads.last_key_value().map(|(size, head)| (*size, head.clone()))
    }

    /// The published checkpoint.
    pub(crate) fn published_note(&self) -> Option<String> {
        self.state().published.as_ref().map(|published| published.1.clone())
    }

    /// Root of the log at a size.
    pub(crate) fn root_at(&self, size: u64) -> Option<Digest> {
        self.state().log.root_at(size)
    }

    /// The log's consistency proof.
    pub(crate) fn consistency(&self, from: u64, to: u64) -> Option<Vec<Digest>> {
        let state = self.state();
        (from <= to && to <= state.log.size()).then(|| state.log.consistency(from, to).ok()).flatten()
    }

    /// Root of the log with one more header.
    pub(crate) fn root_with(&self, header: &[u8]) -> Option<Digest> {
        self.state().log.root_with(header).ok()
    }

    /// A node of the log.
    pub(crate) fn node(&self, level: u8, index: u64) -> Option<Digest> {
        self.state().log.node(level, index)
    }

    /// What the newest map holds under a key.
    pub(crate) fn value(&self, key: &MapKey) -> Option<MapValue> {
        let state = self.state();
        state.tree.get(state.tree.newest(), key).ok().flatten()
    }

    /// Number of leaves of the newest map.
    pub(crate) fn leaves(&self) -> usize {
        let state = self.state();
        state.tree.len(state.tree.newest()).unwrap_or_default()
    }

    /// Proves a key under one of the two heads. `None` if nothing is published yet.
    pub(crate) fn prove(&self, at: At, key: &MapKey) -> Option<Proven> {
        let state = self.state();
        let (size, note) = match at {
            At::Published => state.published.clone()?,
            At::Latest => state.heads.last_key_value().map(|(size, head)| (*size, head.note.clone()))?,
        };
        let head = state.heads.get(&size)?;
        Some(Proven {
            size,
            note,
            header: head.header.clone(),
            inclusion: state.log.inclusion(size.checked_sub(1)?, size).ok()?,
            map_proof: state.tree.prove(head.version, key).ok()?,
            value: state.tree.get(head.version, key).ok()?,
        })
    }

    /// Applies a block's changes to the map: gives the new version, its root, and the proof of the step.
    pub(crate) fn apply(&self, changes: &[Change]) -> Result<(Version, Digest, TransitionProof), TreeError> {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        let base = state.tree.newest();
        let proof = state.tree.prove_transition(base, changes)?;
        let version = state.tree.apply(base, changes)?;
        let root = state.tree.root(version)?;
        Ok((version, root, proof))
    }

    /// Shows a block that is on disk.
    pub(crate) fn add(&self, head: SealedHead) {
        self.change(|state| {
            // a log of 2^62 blocks ends
            if state.log.append(&head.header.encode()).is_ok() {
                let size = state.log.size();
                state.heads.insert(size, head);
                state.forget_unneeded();
            }
        });
    }

    /// Serves proofs under another checkpoint from now on.
    pub(crate) fn publish(&self, size: u64, note: String) {
        self.change(|state| {
            if state.published.as_ref().is_none_or(|published| published.0 <= size) {
                state.published = Some((size, note));
                state.forget_unneeded();
            }
        });
    }

    /// Lends the map after the published block, or after the newest if none is published, with the block's number: what
    /// the next start begins with.
    pub(crate) fn with_tree<T>(&self, write: impl FnOnce(&Tree, Version, u64) -> T) -> Option<T> {
        let state = self.state();
        let published = state.published.as_ref().and_then(|published| state.heads.get(&published.0));
        let head = published.or_else(|| state.heads.values().next_back())?;
        Some(write(&state.tree, head.version, head.header.number))
    }
}

impl State {
    /// Heads below the published one serve nobody.
    fn forget_unneeded(&mut self) {
        let oldest = self.published.as_ref().map_or(0, |published| published.0);
        self.heads = self.heads.split_off(&oldest);
        if let Some(head) = self.heads.values().next() {
            // the version is held: it is one of this state's own heads
            self.tree.release_before(head.version).unwrap_or_default();
        }
    }
}
