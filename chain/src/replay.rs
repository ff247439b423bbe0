//! An auditor's state: every block from the first, replayed, with every rule checked.
//!
//! Signatures are collected, not checked, so that the caller can check those of many blocks on all cores; until he
//! says that they hold ([`Replay::settle`]) every step can be undone. When a block breaks a rule, [`Replay::accuse`]
//! gives what convicts the log. Not in scope: fetching, threads, files (crate `witness`).

use std::collections::BTreeMap;

use thiserror::Error;

use crate::audit::{Before, BlockBroken, Effects, judge_block, judge_genesis};
use crate::block::{Body, Header, Parameters};
use crate::encoding::{DecodeError, Reader, Writer};
use crate::handle::HandleHead;
use crate::id::{AccountId, Digest, HandleLabel};
use crate::log::checkpoint::Checkpoint;
use crate::log::merkle::{self, Frontier, leaf_hash};
use crate::map::{MapKey, MapProof, MapValue, Tree, TreeError, Version};
use crate::proven::{ProvenGenesis, ProvenHeader};
use crate::sealed_block::{RootBefore, SealedBlock, StateBefore};
use crate::sigchain::body::Body as EntryBody;
use crate::sigchain::device_set::DeviceSet;
use crate::sigchain::entry::{Claim, Entry, Signatures};
use crate::sigchain::fold::Ground;

/// What one step changed, to take it back.
#[derive(Debug)]
struct Step {
    version: Version,
    accounts: Vec<(AccountId, Option<Vec<u8>>)>,
    handles: Vec<(HandleLabel, Option<HandleHead>)>,
    frontier: Frontier,
    header: Vec<u8>,
    entries: u64,
}

/// The parameters and the bytes that prove them.
#[derive(Debug)]
struct Genesis {
    parameters: Parameters,
    header: Vec<u8>,
    body: Vec<u8>,
}

/// Why a kept state cannot be taken up again.
#[derive(Debug, Error)]
pub enum ReplayError {
    /// Not what [`Replay::encode`] wrote.
    #[error("the kept state is damaged: {0}")]
    Malformed(#[from] DecodeError),
    /// The leaves do not make a map.
    #[error("the kept state is damaged: {0}")]
    Tree(#[from] TreeError),
    /// The map is not the one that the newest header names.
    #[error("the kept state does not give the map of its newest block")]
    OtherRoot,
}

/// The state after some number of blocks.
#[derive(Debug)]
pub struct Replay {
    genesis: Option<Genesis>,
    frontier: Frontier,
    roots: Vec<Digest>,
    newest: Vec<u8>,
    records: BTreeMap<AccountId, Vec<u8>>,
    handles: BTreeMap<HandleLabel, HandleHead>,
    tree: Tree,
    version: Version,
    entries: u64,
    undo: Vec<Step>,
}

impl Default for Replay {
    fn default() -> Self {
        Self::new()
    }
}

impl Replay {
    /// Before block 0.
    pub fn new() -> Self {
        let tree = Tree::new();
        Self {
            genesis: None,
            frontier: Frontier::new(),
            roots: Vec::new(),
            newest: Vec::new(),
            records: BTreeMap::new(),
            handles: BTreeMap::new(),
            version: tree.newest(),
            tree,
            entries: 0,
            undo: Vec::new(),
        }
    }

    /// How many blocks were replayed: the number of the next one.
    pub fn blocks(&self) -> u64 {
        self.frontier.size()
    }

    /// How many entries they held.
    pub fn entries(&self) -> u64 {
        self.entries
    }

    /// How many accounts there are.
    pub fn accounts(&self) -> usize {
        self.records.len()
    }

    /// The log's parameters, after block 0.
    pub fn parameters(&self) -> Option<&Parameters> {
        self.genesis.as_ref().map(|genesis| &genesis.parameters)
    }

    /// Root of the log after the replayed blocks.
    pub fn root(&self) -> Digest {
        self.frontier.root()
    }

    /// The Merkle state of the log after the replayed blocks.
    pub fn frontier(&self) -> &Frontier {
        &self.frontier
    }

    /// Root that the log had at `size`, if that many blocks were replayed.
    pub fn root_at(&self, size: u64) -> Option<Digest> {
        let index = usize::try_from(size.checked_sub(1)?).ok()?;
        self.roots.get(index).copied()
    }

    /// Header of the newest replayed block.
    pub fn newest(&self) -> Option<Header> {
        Header::decode(&self.newest).ok()
    }

    /// Replays the next block. Its signatures are added to `claims`; the verdict stands only if all of them hold.
    ///
    /// # Errors
    /// [`BlockBroken`]: the rule that it breaks. The state is then as before it.
    pub fn apply(&mut self, header: &[u8], body: &[u8], claims: &mut Vec<Claim>) -> Result<(), BlockBroken> {
        let decoded = Header::decode(header)?;
        let (version, effects) = match &self.genesis {
            None => {
                let parameters = judge_genesis(&decoded, body)?;
                self.genesis = Some(Genesis { parameters, header: header.to_vec(), body: body.to_vec() });
                (self.version, Effects::default())
            }
            Some(genesis) => {
                let parameters = &genesis.parameters;
                let effects = self.judge(parameters, &decoded, body, claims)?;
                let version = self.tree.apply(self.version, &effects.changes).map_err(|_| BlockBroken::OldValues)?;
                let computed = self.tree.root(version).map_err(|_| BlockBroken::OldValues)?;
                if computed != decoded.new_root {
                    return Err(BlockBroken::NewRoot { computed, header: decoded.new_root });
                }
                (version, effects)
            }
        };
        self.step(version, effects, header);
        Ok(())
    }

    fn judge(
        &self,
        parameters: &Parameters,
        header: &Header,
        body: &[u8],
        claims: &mut Vec<Claim>,
    ) -> Result<Effects, BlockBroken> {
        let previous = Header::decode(&self.newest)?;
        let root_at = |size: u64| self.root_at(size);
        let ground = Ground { parameters, block: self.blocks(), time_s: header.time_s, root_at: &root_at };
        let before = Before {
            account: &|id| self.records.get(id).and_then(|record| DeviceSet::decode(record).ok()),
            handle: &|label| self.handles.get(label).copied(),
        };
        let collected = claims.len();
        let judged = judge_block(&previous, header, body, &before, &ground, &mut Signatures::Collect(claims));
        if judged.is_err() {
            claims.truncate(collected);
        }
        judged
    }

    fn step(&mut self, version: Version, effects: Effects, header: &[u8]) {
        let frontier = self.frontier.clone();
        let mut step = Step {
            version: self.version,
            accounts: Vec::with_capacity(effects.accounts.len()),
            handles: Vec::with_capacity(effects.handles.len()),
            frontier,
            header: std::mem::replace(&mut self.newest, header.to_vec()),
            entries: self.entries,
        };
        self.entries = self.entries.saturating_add(effects.accounts.len() as u64);
        for set in effects.accounts {
            step.accounts.push((set.account(), self.records.insert(set.account(), set.encode())));
        }
        for (label, head) in effects.handles {
            step.handles.push((label, self.handles.insert(label, head)));
        }
        // a log of 2^62 blocks does not come to be
        let appended = self.frontier.append(leaf_hash(header));
        debug_assert!(appended.is_ok());
        self.roots.push(self.frontier.root());
        self.version = version;
        self.undo.push(step);
    }

    /// The signatures of all blocks below `number` hold: forgets how to undo them.
    pub fn settle(&mut self, number: u64) {
        let open = usize::try_from(self.blocks().saturating_sub(number)).unwrap_or(usize::MAX);
        self.undo.drain(..self.undo.len().saturating_sub(open));
        let oldest = self.undo.first().map_or(self.version, |step| step.version);
        // the version is held by this state, so it is known to the tree
        let released = self.tree.release_before(oldest);
        debug_assert!(released.is_ok());
    }

    /// Takes back every step from block `number` on, as far as they are not settled. For [`Replay::accuse`]: nothing
    /// can be applied on top.
    pub fn take_back(&mut self, number: u64) {
        while self.blocks() > number
            && let Some(step) = self.undo.pop()
        {
            for (id, record) in step.accounts {
                match record {
                    Some(record) => self.records.insert(id, record),
                    None => self.records.remove(&id),
                };
            }
            for (label, head) in step.handles {
                match head {
                    Some(head) => self.handles.insert(label, head),
                    None => self.handles.remove(&label),
                };
            }
            self.roots.pop();
            self.version = step.version;
            self.frontier = step.frontier;
            self.newest = step.header;
            self.entries = step.entries;
        }
    }

    /// The evidence against the next block, which breaks a rule. `leaves` are the leaf hashes of the whole log of
    /// `checkpoint`, whose signed bytes are `note`.
    ///
    /// `None` if something is missing: nobody is accused without proof.
    pub fn accuse(
        &self,
        note: &[u8],
        checkpoint: &Checkpoint,
        leaves: &[Digest],
        header: &[u8],
        body: &[u8],
    ) -> Option<SealedBlock> {
        let node = |level: u8, index: u64| complete_node(leaves, level, index);
        let inclusion = |number| merkle::prove_inclusion(number, checkpoint.size, node).ok();
        let number = self.blocks();
        let at = ProvenHeader { checkpoint: note.to_vec(), header: header.to_vec(), inclusion: inclusion(number)? };
        let first = self.genesis.as_ref();
        let genesis = ProvenGenesis {
            header: first.map_or(header, |genesis| &genesis.header).to_vec(),
            inclusion: inclusion(0)?,
            parameters: first.map_or(body, |genesis| &genesis.body).to_vec(),
        };
        let entries = Body::decode(body).map(|body| body.entries).unwrap_or_default();
        let changes = Body::decode(body).map(|body| body.changes).unwrap_or_default();
        let transition = self.tree.prove_transition(self.version, &changes).map(|proof| proof.encode());
        Some(SealedBlock {
            at,
            previous: self.newest.clone(),
            previous_inclusion: number.checked_sub(1).map_or(Some(Vec::new()), inclusion)?,
            genesis,
            body: body.to_vec(),
            accounts: self.accounts_before(&entries)?,
            handles: self.handles_before(&entries)?,
            roots: self.roots_before(&entries, checkpoint.size, node)?,
            transition: transition.unwrap_or_default(),
        })
    }

    fn accounts_before(&self, entries: &[Entry]) -> Option<Vec<StateBefore<AccountId>>> {
        let mut ids: Vec<_> = entries.iter().map(|entry| entry.statement.position.account).collect();
        ids.extend(entries.iter().filter_map(|entry| match &entry.statement.body {
            EntryBody::AccountCreated { predecessor, .. } => predecessor.map(|it| it.account),
            _ => None,
        }));
        ids.sort_unstable();
        ids.dedup();
        let state = |key: AccountId| {
            let proof = self.tree.prove(self.version, &MapKey(DeviceSet::map_key(&key))).ok()?;
            let state = self.records.get(&key).cloned().unwrap_or_default();
            Some(StateBefore { key, proof: encode_proof(&proof), state })
        };
        ids.into_iter().map(state).collect()
    }

    fn handles_before(&self, entries: &[Entry]) -> Option<Vec<StateBefore<HandleLabel>>> {
        let mut labels = Vec::new();
        for entry in entries {
            if let EntryBody::AccountCreated { handle, .. } | EntryBody::HandleBound { handle, .. } =
                &entry.statement.body
            {
                labels.extend(*handle);
            }
            let record = self.records.get(&entry.statement.position.account);
            labels.extend(record.and_then(|record| DeviceSet::decode(record).ok()?.handle()));
        }
        labels.sort_unstable();
        labels.dedup();
        let state = |key: HandleLabel| {
            let proof = self.tree.prove(self.version, &MapKey(Digest(key.0))).ok()?;
            let state = self.handles.get(&key).map(HandleHead::encode).unwrap_or_default();
            Some(StateBefore { key, proof: encode_proof(&proof), state })
        };
        labels.into_iter().map(state).collect()
    }

    fn roots_before(
        &self,
        entries: &[Entry],
        size: u64,
        node: impl Fn(u8, u64) -> Option<Digest>,
    ) -> Option<Vec<RootBefore>> {
        let mut sizes: Vec<_> = entries.iter().map(|entry| entry.statement.checkpoint.size).collect();
        sizes.sort_unstable();
        sizes.dedup();
        let known = sizes.into_iter().filter_map(|size| Some((size, self.root_at(size)?)));
        known
            .map(|(old, root)| {
                Some(RootBefore { size: old, root, path: merkle::prove_consistency(old, size, &node).ok()? })
            })
            .collect()
    }

    /// The bytes to keep, so that a later run goes on from here. Only what is settled should be kept.
    pub fn encode(&self) -> Vec<u8> {
        let mut w = Writer::new();
        w.u8(1).bytes16(self.genesis.as_ref().map_or(&[][..], |it| &it.header));
        w.bytes16(self.genesis.as_ref().map_or(&[][..], |it| &it.body)).bytes16(&self.newest).u64(self.entries);
        w.bytes16(&self.frontier.encode()).count32(self.roots.len());
        self.roots.iter().for_each(|root| {
            w.raw(&root.0);
        });
        w.count32(self.records.len());
        self.records.values().for_each(|record| {
            w.bytes32(record);
        });
        w.count32(self.handles.len());
        self.handles.iter().for_each(|(label, head)| {
            w.raw(&label.0).raw(&head.encode());
        });
        w.finish()
    }

    /// Takes up a kept state: rebuilds the map and compares its root with the newest header.
    ///
    /// # Errors
    /// [`ReplayError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, ReplayError> {
        let mut r = Reader::new(bytes);
        let version = r.u8("state version")?;
        if version != 1 {
            return Err(DecodeError::Unknown { field: "state version", value: version.into() }.into());
        }
        let header = r.bytes16(0, Header::LEN, "header 0")?.to_vec();
        let body = r.bytes16(0, usize::from(u16::MAX), "parameters")?.to_vec();
        let newest = r.bytes16(0, Header::LEN, "newest header")?.to_vec();
        let entries = r.u64("entries")?;
        let frontier = Frontier::decode(r.bytes16(0, usize::from(u16::MAX), "frontier")?)?;
        let roots = decode_list(&mut r, 32, |r| Digest::decode(r, "root"))?;
        let records = decode_list(&mut r, 4, |r| {
            let record = r.bytes32(crate::proven::MAX_RECORD, "record")?.to_vec();
            Ok((DeviceSet::decode(&record)?, record))
        })?;
        let handles = decode_list(&mut r, 33, |r| Ok((HandleLabel::decode(r, "handle")?, HandleHead::decode(r)?)))?;
        r.finish()?;
        if header.is_empty() {
            return Ok(Self::new());
        }
        let account_leaf =
            |(set, _): &(DeviceSet, Vec<u8>)| (MapKey(DeviceSet::map_key(&set.account())), MapValue(set.map_value()));
        let handle_leaf = |(label, head): &(HandleLabel, HandleHead)| (MapKey(Digest(label.0)), MapValue(head.value()));
        let leaves: BTreeMap<_, _> = records.iter().map(account_leaf).chain(handles.iter().map(handle_leaf)).collect();
        let tree = Tree::from_sorted(leaves)?;
        let version = tree.newest();
        let agree = tree.root(version)? == Header::decode(&newest)?.new_root
            && frontier.size() == roots.len() as u64
            && roots.last() == Some(&frontier.root());
        let parameters = Parameters::decode(&body)?;
        if !agree {
            return Err(ReplayError::OtherRoot);
        }
        Ok(Self {
            genesis: Some(Genesis { parameters, header, body }),
            frontier,
            roots,
            newest,
            records: records.into_iter().map(|(set, record)| (set.account(), record)).collect(),
            handles: handles.into_iter().collect(),
            tree,
            version,
            entries,
            undo: Vec::new(),
        })
    }
}

/// The hash of a complete subtree, from all leaf hashes: what the functions of [`merkle`] read.
pub fn complete_node(leaves: &[Digest], level: u8, index: u64) -> Option<Digest> {
    let width = 1u64.checked_shl(level.into())?;
    let start = usize::try_from(index.checked_mul(width)?).ok()?;
    let end = start.checked_add(usize::try_from(width).ok()?)?;
    let below = leaves.get(start..end)?;
    fold_complete(below)
}

/// The root of 2^k leaf hashes.
fn fold_complete(leaves: &[Digest]) -> Option<Digest> {
    match leaves {
        [leaf] => Some(*leaf),
        _ => {
            let (left, right) = leaves.split_at_checked(leaves.len() / 2)?;
            Some(merkle::node_hash(&fold_complete(left)?, &fold_complete(right)?))
        }
    }
}

fn encode_proof(proof: &MapProof) -> Vec<u8> {
    let mut w = Writer::new();
    proof.encode(&mut w);
    w.finish()
}

fn decode_list<Item>(
    r: &mut Reader<'_>,
    item_len: usize,
    item: impl Fn(&mut Reader<'_>) -> Result<Item, DecodeError>,
) -> Result<Vec<Item>, DecodeError> {
    let count = r.count32(u32::MAX as usize, item_len, "list")?;
    (0..count).map(|_| item(r)).collect()
}
