//! What the record says of an account, with what proves it: the same that this device relies on when it encrypts.

use chain::id::AccountId;
use chain::log::checkpoint::VerifiedCheckpoint;
use chain::log::note::SignedNote;
use chain::proven::ProvenRecord;
use chain::sigchain::device_set::DeviceSet;
use chain::sigchain::entry::Entry;
use chain::view::Freshness;

use crate::error::Error;
use crate::record;
use crate::store::Store;

/// An account's entries, and the checkpoint under which they were proven.
#[derive(Debug, Clone)]
pub struct AccountRecord {
    /// Every entry, oldest first.
    pub entries: Vec<SealedEntry>,
    /// The state after the newest one, as the map of a block has it.
    pub set: DeviceSet,
    /// What proves that state.
    pub proven: ProvenRecord,
    /// The checkpoint that the proof leads to: log and witnesses signed it.
    pub checkpoint: VerifiedCheckpoint,
    /// The witnesses of the pinned policy, in its order.
    pub witnesses: Vec<String>,
    /// How many of them make a quorum.
    pub quorum: usize,
    /// When it was last proven, by this device's clock, milliseconds since 1970.
    pub checked_ms: u64,
    /// How far the record as a whole may be relied on now.
    pub freshness: Freshness,
    /// Code of what stops it from being believed now.
    pub trouble: Option<String>,
}

/// An entry in its block.
#[derive(Debug, Clone)]
pub struct SealedEntry {
    /// Number of the block.
    pub block: u64,
    /// Its time, seconds since 1970.
    pub time_s: u64,
    /// What it says.
    pub entry: Entry,
    /// The account's state after it.
    pub set: DeviceSet,
}

/// Every entry of an account that matters to this device: its own, or somebody's whom it knows. Rules and proofs are checked
/// again; nobody is asked. `None` for an account that was never looked at. `now_ms`: milliseconds since 1970.
///
/// # Errors
/// [`Error::Damaged`] if what was kept no longer proves itself.
pub fn account_record(store: &Store<'_>, account: &AccountId, now_ms: u64) -> Result<Option<AccountRecord>, Error> {
    let Some(view) = record::stored_view(store)? else { return Ok(None) };
    let Some(known) = record::stored_account(store, &view, account)? else { return Ok(None) };
    let set = known.set().clone();
    let mut entries = Vec::new();
    for (stamped, set) in known.entries.iter().zip(known.sets()) {
        let entry = Entry::decode(&stamped.entry).map_err(|_| Error::Damaged)?;
        entries.push(SealedEntry { block: stamped.block, time_s: stamped.time_s, entry, set: set.clone() });
    }
    // the entries lead to the proven state, or they are no reason for it
    if entries.last().is_none_or(|newest| newest.set != set) {
        return Err(Error::Damaged);
    }
    let proven = known.account.proven().clone();
    let note = SignedNote::parse(&proven.at.checkpoint).map_err(|_| Error::Damaged)?;
    let checkpoint = VerifiedCheckpoint::verify(&note, view.policy()).map_err(|_| Error::Damaged)?;
    Ok(Some(AccountRecord {
        entries,
        set,
        proven,
        checkpoint,
        witnesses: view.policy().witnesses().iter().map(|it| it.name.clone()).collect(),
        quorum: view.policy().smallest_quorum(),
        checked_ms: known.checked_ms(),
        freshness: view.freshness(now_ms / 1_000),
        trouble: record::stored_trouble(store)?.map(|trouble| trouble.code),
    }))
}
