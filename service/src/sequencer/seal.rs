//! Making one block, in the order that keeps every promise (BLK-7).
//!
//! 1. The body is on disk: a file, synchronised.
//! 2. The map takes the changes in memory.
//! 3. Second look: the body is read back from its file and judged as an auditor would, and the changes have to lead
//!    from the last signed root to the new one by a proof that needs no map.
//! 4. The checkpoint is signed.
//! 5. One transaction makes it all exist: header, entries, device sets, handles, checkpoint.
//! 6. Tiles are written, readers see it, callers are answered.
//!
//! A crash before 5 leaves a file that the next block of this number replaces, and a signature that nobody has seen.
//! A crash after 5 loses nothing: 6 is done again at the start. So no two checkpoints of one size are ever shown.

use std::collections::BTreeMap;
use std::fs;

use chain::audit::{Before, judge_block};
use chain::block::{Body, Header, body_hash};
use chain::handle::HandleHead;
use chain::id::{AccountId, HandleLabel};
use chain::log::checkpoint::Checkpoint;
use chain::log::note::NoteSigner;
use chain::map::{Change, TransitionProof, snapshot};
use chain::sigchain::device_set::DeviceSet;
use chain::sigchain::entry::{Entry, Signatures};
use chain::sigchain::fold::Ground;
use chain::sigchain::rules::RULE_SET;

use crate::disk::folder::write_durably;
use crate::disk::store::{BlockRecords, EntryRow, Store};
use crate::disk::tiles;
use crate::error::{Corrupt, SecondLook, Stopped};
use crate::record::{Record, SealedHead};
use crate::sequencer::judge::{CheckedClaims, Reads, Remembered};
use crate::shared::Shared;

/// What is to become a block, in any order.
#[derive(Debug, Default)]
pub(crate) struct Draft {
    pub(crate) entries: Vec<Entry>,
    pub(crate) accounts: Vec<DeviceSet>,
    pub(crate) handles: BTreeMap<HandleLabel, HandleHead>,
    pub(crate) changes: Vec<Change>,
    pub(crate) checked: Option<CheckedClaims>,
    /// The state before, as the first look read it.
    pub(crate) before: Remembered,
}

/// Seals blocks: has the writing connection and the log's key.
#[derive(Debug)]
pub(crate) struct Sealer {
    store: Store,
    signer: NoteSigner,
    previous: Header,
    saved: Saved,
}

/// What the map's snapshot has, and how many changes it lacks.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Saved {
    /// The newest block in it.
    pub(crate) block: u64,
    /// The changes of the blocks since.
    pub(crate) missing_changes: usize,
}

impl Saved {
    /// No snapshot: whatever happens next, one is due.
    pub(crate) const NONE: Self = Self { block: 0, missing_changes: usize::MAX };
}

/// When a snapshot is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Occasion {
    /// While entries come: when so much is missing that a start would take long.
    Busy,
    /// Nothing waits: also when many blocks are missing.
    Quiet,
    /// The service ends: when anything is missing.
    End,
}

/// Fewest missing changes that are worth a snapshot while entries come; for a large map an eighth of its leaves, so
/// that the writing costs little per change.
const MISSING_CHANGES: usize = 65_536;
/// So many missing blocks are worth a snapshot at a quiet moment.
const MISSING_BLOCKS: u64 = 1_024;

impl Sealer {
    /// Continues after `previous`.
    pub(crate) fn new(store: Store, signer: NoteSigner, previous: Header, saved: Saved) -> Self {
        Self { store, signer, previous, saved }
    }

    /// The newest header.
    pub(crate) fn previous(&self) -> &Header {
        &self.previous
    }

    /// Reads the records, each compared with the map.
    pub(crate) fn reads<'a>(&'a self, record: &'a Record) -> Reads<'a> {
        Reads::new(&self.store, Some(record))
    }

    /// Seals one block.
    pub(crate) fn seal(&mut self, shared: &Shared, record: &Record, time_s: u64, draft: Draft) -> Result<(), Stopped> {
        let Draft { mut entries, accounts, handles, mut changes, checked, before } = draft;
        entries.sort_unstable_by_key(|entry| entry.statement.position.account);
        changes.sort_unstable_by_key(|change| change.key);
        let rows: Vec<EntryRow> = entries.iter().map(entry_row).collect();
        let body = Body { entries, changes };
        let bytes = body.encode();
        let number = self.previous.number.saturating_add(1);
        let path = shared.folder.block(number);
        write_durably(&path, &bytes)?;
        let entries = u32::try_from(body.entries.len()).map_err(|_| Stopped::Fault { what: "counting entries" })?;
        let (version, new_root, step) = record.apply(&body.changes).map_err(|_| Corrupt::MapRoot { block: number })?;
        let header = Header {
            number,
            time_s,
            previous_root: self.previous.new_root,
            new_root,
            entries,
            body_hash: body_hash(&bytes),
            vrf_key: self.previous.vrf_key,
            rule_set: RULE_SET,
        };
        self.saved.missing_changes = self.saved.missing_changes.saturating_add(body.changes.len());
        record.touched.add(number, &body.entries);
        drop(body);
        look_again(&fs::read(&path)?, &self.previous, &header, &step, record, &before, &checked.unwrap_or_default())
            .map_err(|reason| Corrupt::SecondLook { block: number, reason })?;
        let note = sign(record, &self.signer, &header)?;
        let handles: Vec<_> = handles.into_iter().collect();
        let records =
            BlockRecords { header: &header, checkpoint: &note, entries: &rows, accounts: &accounts, handles: &handles };
        self.store.commit(&records)?;
        self.previous = header.clone();
        record.add(SealedHead { note: note.clone(), header, version });
        let size = number.saturating_add(1);
        tiles::write_growth(&shared.folder, &self.store, number, size, |level, index| record.node(level, index))?;
        if record.parameters.policy.witnesses().is_empty() {
            crate::disk::folder::write_atomically(&shared.folder.checkpoint(), note.as_bytes())?;
            record.publish(size, note);
        }
        Ok(())
    }

    /// Leaves the records in one file.
    pub(crate) fn settle(&self) -> Result<(), Stopped> {
        Ok(self.store.settle()?)
    }

    /// Writes the map to its snapshot if it is due.
    pub(crate) fn save(&mut self, shared: &Shared, record: &Record, occasion: Occasion) -> Result<(), Stopped> {
        let missing_blocks = self.previous.number.saturating_sub(self.saved.block);
        let many = self.saved.missing_changes >= MISSING_CHANGES.max(record.leaves() / 8);
        let is_due = match occasion {
            Occasion::Busy => many,
            Occasion::Quiet => many || missing_blocks >= MISSING_BLOCKS,
            Occasion::End => missing_blocks > 0,
        };
        if !is_due {
            return Ok(());
        }
        let mut bytes = Vec::new();
        let written = record.with_tree(|tree, version, number| {
            snapshot::encode(tree, version, number, |piece| bytes.extend_from_slice(piece)).map(|()| number)
        });
        let Some(Ok(block)) = written else { return Err(Stopped::Fault { what: "writing the map" }) };
        write_durably(&shared.folder.snapshot(), &bytes)?;
        self.saved = Saved { block, missing_changes: 0 };
        Ok(())
    }
}

fn entry_row(entry: &Entry) -> EntryRow {
    let position = entry.statement.position;
    EntryRow {
        account: position.account,
        sequence: position.sequence,
        kind: entry.statement.body.kind(),
        bytes: entry.encode(),
    }
}

/// The checkpoint over the log with one more header.
pub(crate) fn sign(record: &Record, signer: &NoteSigner, header: &Header) -> Result<String, Stopped> {
    let fault = Stopped::Fault { what: "signing the checkpoint" };
    let Some(root) = record.root_with(&header.encode()) else { return Err(fault) };
    let Ok(origin) = record.parameters.origin.parse() else { return Err(fault) };
    let checkpoint = Checkpoint::new(origin, header.number.saturating_add(1), root);
    checkpoint.sign(signer).map(|note| note.to_string()).map_err(|_| fault)
}

/// BLK-7: judges the block from the bytes that are on disk, by the auditor's code, and the step of the map by a proof.
fn look_again(
    body: &[u8],
    previous: &Header,
    header: &Header,
    step: &TransitionProof,
    record: &Record,
    before: &Remembered,
    checked: &CheckedClaims,
) -> Result<(), SecondLook> {
    let root_at = |size| record.root_at(size);
    let ground =
        Ground { parameters: &record.parameters, block: header.number, time_s: header.time_s, root_at: &root_at };
    let account = |id: &AccountId| before.accounts.get(id).cloned().flatten();
    let handle = |label: &HandleLabel| before.handles.get(label).copied().flatten();
    let before = Before { account: &account, handle: &handle };
    let mut claims = Vec::new();
    let effects = judge_block(previous, header, body, &before, &ground, &mut Signatures::Collect(&mut claims))?;
    if !checked.contain_all(&claims) {
        return Err(SecondLook::Unchecked);
    }
    let root = step.verify(&previous.new_root, &effects.changes).map_err(|_| SecondLook::Transition)?;
    if root == header.new_root { Ok(()) } else { Err(SecondLook::Transition) }
}
