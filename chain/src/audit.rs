//! Judging a block: one function for the sequencer's second look, auditors, evidence files and tests.
//!
//! It says whether every rule about entries, devices, resets, handles and blocks holds, given the state before. What
//! remains is whether the changes turn the old root into the new one: the caller asks its map ([`crate::map`]) or a
//! transition proof, and compares with the header.

use std::collections::BTreeMap;

use thiserror::Error;

use crate::block::{Body, Header, Parameters, body_hash};
use crate::encoding::DecodeError;
use crate::handle::{HandleError, HandleHead};
use crate::id::{AccountId, Digest, HandleLabel};
use crate::map::{Change, MapKey, MapValue};
use crate::sigchain::body::{Body as EntryBody, Predecessor};
use crate::sigchain::broken::RuleBroken;
use crate::sigchain::device_set::{AccountState, DeviceSet};
use crate::sigchain::entry::{Entry, Signatures};
use crate::sigchain::fold::Ground;
use crate::sigchain::reset::check_succession;

/// The rule that a block breaks.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum BlockBroken {
    /// BLK-1: not canonically encoded, or entries or changes out of order (BLK-3).
    #[error("the block is not canonically encoded: {0}")]
    Encoding(#[from] DecodeError),
    /// BLK-1: the header is not the one of this index.
    #[error("the header at index {expected} has number {got}")]
    Number {
        /// The index in the log.
        expected: u64,
        /// The number in the header.
        got: u64,
    },
    /// BLK-1: the body is not the one that the header names, or has another number of entries.
    #[error("the body is not the one that the header names")]
    OtherBody,
    /// BLK-1: block 0 is not what its parameters give, or the VRF key changed.
    #[error("the header does not fit the log's parameters")]
    OtherParameters,
    /// BLK-2: the map root before it is not the one that the block before left.
    #[error("the block starts from another map root than the one before left")]
    PreviousRoot,
    /// BLK-2: the changes give another root.
    #[error("the changes give map root {computed}, the header says {header}")]
    NewRoot {
        /// What the changes give.
        computed: Digest,
        /// What the header says.
        header: Digest,
    },
    /// BLK-2: the changes do not fit the map before.
    #[error("the changes do not fit the map before the block")]
    OldValues,
    /// BLK-3: two entries change one handle.
    #[error("two entries of one block change one handle")]
    HandleTwice,
    /// BLK-4: the changes are not exactly those that the entries explain.
    #[error("the map's changes are not the ones that the entries explain")]
    Unexplained,
    /// BLK-5: time falls.
    #[error("block time falls from {previous_s} to {got_s}")]
    TimeFalls {
        /// Time of the block before, seconds.
        previous_s: u64,
        /// Time of this block, seconds.
        got_s: u64,
    },
    /// An entry breaks a rule.
    #[error("entry {index}: {reason}")]
    Entry {
        /// Its place in the body.
        index: usize,
        /// What it breaks.
        reason: RuleBroken,
    },
    /// HND: a handle may not change like this.
    #[error("entry {index}: {reason}")]
    Handle {
        /// The entry's place in the body.
        index: usize,
        /// What it breaks.
        reason: HandleError,
    },
}

impl BlockBroken {
    /// The rule's number in `docs/protocol.md`.
    pub fn rule(&self) -> &'static str {
        match self {
            Self::Encoding(DecodeError::NotAscending { field: "entries" | "changes" }) | Self::HandleTwice => "BLK-3",
            Self::Encoding(_) | Self::Number { .. } | Self::OtherBody | Self::OtherParameters => "BLK-1",
            Self::PreviousRoot | Self::NewRoot { .. } | Self::OldValues => "BLK-2",
            Self::Unexplained => "BLK-4",
            Self::TimeFalls { .. } => "BLK-5",
            Self::Entry { reason, .. } => reason.rule(),
            Self::Handle { reason, .. } => reason.rule(),
        }
    }

    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Entry { reason, .. } => reason.code(),
            Self::Handle { reason, .. } => reason.code(),
            Self::Encoding(_)
            | Self::Number { .. }
            | Self::OtherBody
            | Self::OtherParameters
            | Self::PreviousRoot
            | Self::NewRoot { .. }
            | Self::OldValues
            | Self::HandleTwice
            | Self::Unexplained
            | Self::TimeFalls { .. } => "chain.block_invalid",
        }
    }
}

/// The state before a block, as far as the block touches it.
#[derive(Clone, Copy)]
pub struct Before<'a> {
    /// An account's state; `None` if there is no such account.
    pub account: &'a dyn Fn(&AccountId) -> Option<DeviceSet>,
    /// A handle's state; `None` if it was never bound.
    pub handle: &'a dyn Fn(&HandleLabel) -> Option<HandleHead>,
}

impl std::fmt::Debug for Before<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Before")
    }
}

/// What a block does: the states after it, and the map's changes that follow from them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Effects {
    /// Each account that had an entry, in the order of the entries.
    pub accounts: Vec<DeviceSet>,
    /// Each handle that changed.
    pub handles: BTreeMap<HandleLabel, HandleHead>,
    /// The map's changes, strictly ascending by key.
    pub changes: Vec<Change>,
}

/// Judges block 0.
///
/// # Errors
/// [`BlockBroken`] of BLK-1.
pub fn judge_genesis(header: &Header, body: &[u8]) -> Result<Parameters, BlockBroken> {
    let parameters = Parameters::decode(body)?;
    if parameters.genesis(header.time_s) == *header { Ok(parameters) } else { Err(BlockBroken::OtherParameters) }
}

/// Judges every other block by all rules but the new root's (BLK-2), which needs a map.
///
/// # Errors
/// [`BlockBroken`]: the first rule that does not hold. With [`Signatures::Collect`] the verdict is open until the
/// collected claims are checked.
pub fn judge_block(
    previous: &Header,
    header: &Header,
    body: &[u8],
    before: &Before<'_>,
    ground: &Ground<'_>,
    signatures: &mut Signatures<'_>,
) -> Result<Effects, BlockBroken> {
    check_header(previous, header, ground)?;
    if body_hash(body) != header.body_hash {
        return Err(BlockBroken::OtherBody);
    }
    let body = Body::decode(body)?;
    if u32::try_from(body.entries.len()) != Ok(header.entries) {
        return Err(BlockBroken::OtherBody);
    }
    let effects = judge_entries(&body.entries, before, ground, signatures)?;
    if effects.changes == body.changes { Ok(effects) } else { Err(BlockBroken::Unexplained) }
}

/// BLK-1, BLK-2 and BLK-5, as far as headers tell.
fn check_header(previous: &Header, header: &Header, ground: &Ground<'_>) -> Result<(), BlockBroken> {
    let expected = previous.number.saturating_add(1);
    if header.number != expected || ground.block != expected {
        return Err(BlockBroken::Number { expected, got: header.number });
    }
    if header.previous_root != previous.new_root {
        return Err(BlockBroken::PreviousRoot);
    }
    if header.time_s < previous.time_s {
        return Err(BlockBroken::TimeFalls { previous_s: previous.time_s, got_s: header.time_s });
    }
    if header.vrf_key != ground.parameters.vrf_key.id() || ground.time_s != header.time_s {
        return Err(BlockBroken::OtherParameters);
    }
    Ok(())
}

/// Judges the entries of one block, ascending by account id, and says what follows for the map.
///
/// # Errors
/// [`BlockBroken`]: the first rule that does not hold.
pub fn judge_entries(
    entries: &[Entry],
    before: &Before<'_>,
    ground: &Ground<'_>,
    signatures: &mut Signatures<'_>,
) -> Result<Effects, BlockBroken> {
    if !entries.is_sorted_by(|a, b| a.statement.position.account < b.statement.position.account) {
        return Err(DecodeError::NotAscending { field: "entries" }.into());
    }
    let mut effects = Effects::default();
    let mut old_sets = Vec::with_capacity(entries.len());
    for (index, entry) in entries.iter().enumerate() {
        let old = (before.account)(&entry.statement.position.account);
        let step = match &old {
            None => DeviceSet::open(entry, ground, signatures),
            Some(set) => set.apply(entry, ground, signatures),
        };
        effects.accounts.push(step.map_err(|reason| BlockBroken::Entry { index, reason })?);
        old_sets.push(old);
    }
    let mut changes = BTreeMap::new();
    for (index, (entry, old)) in entries.iter().zip(&old_sets).enumerate() {
        let Some(new) = effects.accounts.get(index) else { continue };
        check_both_sides(entries, &effects.accounts, index)?;
        let change = Change {
            key: MapKey(DeviceSet::map_key(&new.account())),
            old: old.as_ref().map(|set| MapValue(set.map_value())),
            new: MapValue(new.map_value()),
        };
        changes.insert(change.key, change);
        let moved = move_handles(entry, old.as_ref(), new, entries, before, ground)
            .map_err(|reason| BlockBroken::Handle { index, reason })?;
        for (label, old_head, head) in moved {
            let change = Change {
                key: MapKey(Digest(label.0)),
                old: old_head.as_ref().map(|head| MapValue(head.value())),
                new: MapValue(head.value()),
            };
            if changes.insert(change.key, change).is_some() {
                return Err(BlockBroken::HandleTwice);
            }
            effects.handles.insert(label, head);
        }
    }
    effects.changes = changes.into_values().collect();
    Ok(effects)
}

/// RST-4: an AccountReset and the AccountCreated that continues it stand in one block.
fn check_both_sides(entries: &[Entry], accounts: &[DeviceSet], index: usize) -> Result<(), BlockBroken> {
    let broken = |reason| BlockBroken::Entry { index, reason };
    let (Some(entry), Some(set)) = (entries.get(index), accounts.get(index)) else { return Ok(()) };
    let find = |account: &AccountId| {
        let place = entries.binary_search_by_key(account, |entry| entry.statement.position.account).ok()?;
        Some((entries.get(place)?, accounts.get(place)?))
    };
    if let AccountState::ResetTo { successor, .. } = set.state() {
        let (opening, _) = find(successor).ok_or(broken(RuleBroken::Successor))?;
        check_succession(set, &opening.statement).map_err(broken)?;
    }
    if let Some(predecessor) = predecessor_of(entry) {
        let (_, ended) = find(&predecessor.account).ok_or(broken(RuleBroken::Successor))?;
        check_succession(ended, &entry.statement).map_err(broken)?;
    }
    Ok(())
}

fn predecessor_of(entry: &Entry) -> Option<Predecessor> {
    match &entry.statement.body {
        EntryBody::AccountCreated { predecessor, .. } => *predecessor,
        _ => None,
    }
}

type Moved = (HandleLabel, Option<HandleHead>, HandleHead);

/// HND-1 to HND-3: what an entry does to handles: the label, its state before and its state after.
///
/// A reset moves the handle to the successor if that one asks for it, else releases it.
fn move_handles(
    entry: &Entry,
    old: Option<&DeviceSet>,
    new: &DeviceSet,
    entries: &[Entry],
    before: &Before<'_>,
    ground: &Ground<'_>,
) -> Result<Vec<Moved>, HandleError> {
    let account = new.account();
    let had = old.and_then(DeviceSet::handle);
    let names_handle = matches!(entry.statement.body, EntryBody::HandleBound { .. });
    let mut moved = Vec::new();
    if let Some(label) = had.filter(|label| names_handle || new.handle() != Some(*label)) {
        let head = (before.handle)(&label).ok_or(HandleError::NotHeld)?;
        let heir = entries
            .iter()
            .find(|other| predecessor_of(other).is_some_and(|predecessor| predecessor.account == account))
            .filter(|other| asks_for(other, &label));
        let after = match (new.state(), heir) {
            (AccountState::ResetTo { .. }, Some(heir)) => head.succeed(account, heir.statement.position.account)?,
            _ => head.release(account, ground.time_s)?,
        };
        moved.push((label, Some(head), after));
    }
    let inherits = |label: &HandleLabel| {
        predecessor_of(entry)
            .and_then(|predecessor| (before.account)(&predecessor.account))
            .is_some_and(|ended| ended.handle() == Some(*label))
    };
    if let Some(label) = new.handle().filter(|label| (old.is_none() || names_handle) && !inherits(label)) {
        let head = (before.handle)(&label);
        let after = HandleHead::bind(head.as_ref(), account, ground.time_s)?;
        moved.push((label, head, after));
    }
    Ok(moved)
}

fn asks_for(entry: &Entry, label: &HandleLabel) -> bool {
    matches!(&entry.statement.body, EntryBody::AccountCreated { handle: Some(asked), .. } if asked == label)
}

#[cfg(test)]
mod tests;
