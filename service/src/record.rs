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
use crate::touched::Touched;

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

/// A head with what proves it, for somebody who knows nothing or an earlier size.
#[derive(Debug)]
pub(crate) struct ProvenHead {
    pub(crate) size: u64,
    pub(crate) note: String,
    pub(crate) header: Header,
    pub(crate) inclusion: Vec<Digest>,
    /// From the size that the asker named; `None` if he named none, or one that the head is not behind.
    pub(crate) consistency: Option<Vec<Digest>>,
}

/// What the map holds under a key, proven under a head that was taken at the same moment.
#[derive(Debug)]
pub(crate) struct Proven {
    pub(crate) head: ProvenHead,
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
    /// Header 0.
    pub(crate) genesis: Header,
    /// What is in block 0.
    pub(crate) parameters: Parameters,
    /// Whom the newest blocks are about.
    pub(crate) touched: Touched,
    state: RwLock<State>,
    sizes: watch::Sender<Sizes>,
}

impl Record {
    /// The record in the state that was found or begun.
    pub(crate) fn new(genesis: Header, parameters: Parameters, state: State) -> Self {
        let sizes = Sizes { sealed: state.log.size(), published: state.published.as_ref().map_or(0, |it| it.0) };
        Self {
            genesis,
            parameters,
            touched: Touched::default(),
            state: RwLock::new(state),
            sizes: watch::Sender::new(sizes),
        }
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

    /// The log's consistency proof, as witnesses take it (RFC 6962 §2.1.2).
    pub(crate) fn consistency(&self, from: u64, to: u64) -> Option<Vec<Digest>> {
        let state = self.state();
        (from <= to && to <= state.log.size()).then(|| state.log.consistency(from, to).ok()).flatten()
    }

    /// The same as the answers to verifiers have it, the earlier size not 0.
    pub(crate) fn consistency_with_root(&self, from: u64, to: u64) -> Option<Vec<Digest>> {
        let state = self.state();
        (to <= state.log.size()).then(|| state.consistency_with_root(from, to)).flatten()
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

    /// Proves a key under one of the two heads, with the way there from the size that the asker knows. `None` if nothing
    /// is published yet.
    pub(crate) fn prove(&self, at: At, key: &MapKey, from: Option<u64>) -> Option<Proven> {
        let state = self.state();
        let (head, version) = state.prove_head(at, from)?;
        let (map_proof, value) = (state.tree.prove(version, key).ok()?, state.tree.get(version, key).ok()?);
        Some(Proven { head, map_proof, value })
    }

    /// The published head and, under it, the inclusion proof of header 0. `None` if nothing is published yet.
    pub(crate) fn prove_genesis(&self, from: Option<u64>) -> Option<(ProvenHead, Vec<Digest>)> {
        let state = self.state();
        let (head, _) = state.prove_head(At::Published, from)?;
        let inclusion = state.log.inclusion(0, head.size).ok()?;
        Some((head, inclusion))
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
    /// One of the two heads with its proofs, and the map's version under it.
    fn prove_head(&self, at: At, from: Option<u64>) -> Option<(ProvenHead, Version)> {
        let (size, note) = match at {
            At::Published => self.published.clone()?,
            At::Latest => self.heads.last_key_value().map(|(size, head)| (*size, head.note.clone()))?,
        };
        let SealedHead { header, version, .. } = self.heads.get(&size)?;
        let inclusion = self.log.inclusion(size.checked_sub(1)?, size).ok()?;
        let consistency = from.and_then(|from| self.consistency_with_root(from, size));
        Some((ProvenHead { size, note, header: header.clone(), inclusion, consistency }, *version))
    }

    /// The consistency proof between two sizes (RFC 6962 §2.1.2), for a power of two with the root of that size in front.
    /// `None` if `from` is 0 or larger: to somebody who has seen more than there is, nothing can be proven, and that the
    /// answer is smaller than what he has seen tells him that the log was rolled back.
    fn consistency_with_root(&self, from: u64, size: u64) -> Option<Vec<Digest>> {
        if from == 0 || from > size {
            return None;
        }
        let mut path = self.log.consistency(from, size).ok()?;
        if from < size && from.is_power_of_two() {
            path.insert(0, self.log.root_at(from)?);
        }
        Some(path)
    }

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
