//! Whom the newest blocks are about: from sealing, which knows it, to telling their devices, which else would read each
//! entry once more.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chain::id::AccountId;
use chain::sigchain::body::Body;
use chain::sigchain::entry::Entry;

/// Most blocks that wait to be told of; of those that are more the files are read.
const MOST: usize = 1_000;

/// Accounts, by block.
type Blocks = BTreeMap<u64, Arc<BTreeSet<AccountId>>>;

/// The accounts that the newest blocks are about.
#[derive(Debug, Default)]
pub(crate) struct Touched(Mutex<Blocks>);

impl Touched {
    fn blocks(&self) -> MutexGuard<'_, Blocks> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A block with these entries is about to be sealed.
    pub(crate) fn add(&self, block: u64, entries: &[Entry]) {
        let mut blocks = self.blocks();
        if blocks.len() < MOST {
            blocks.insert(block, Arc::new(touched(entries)));
        }
    }

    /// The accounts of a block, if they are remembered.
    pub(crate) fn of(&self, block: u64) -> Option<Arc<BTreeSet<AccountId>>> {
        self.blocks().get(&block).cloned()
    }

    /// Everybody was told of the blocks before this one.
    pub(crate) fn forget_before(&self, block: u64) {
        let mut blocks = self.blocks();
        *blocks = blocks.split_off(&block);
    }
}

/// The accounts with entries that concern somebody. An account's opening concerns nobody but the device that made it, and
/// that one is answered; a successor's devices are told, whoever proposed its reset.
pub(crate) fn touched(entries: &[Entry]) -> BTreeSet<AccountId> {
    let is_opening = |body: &Body| matches!(body, Body::AccountCreated { predecessor: None, .. });
    let concerning = entries.iter().filter(|entry| !is_opening(&entry.statement.body));
    concerning.map(|entry| entry.statement.position.account).collect()
}
