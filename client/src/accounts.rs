//! The accounts that this device has looked at, in memory: what the store has of them, parsed and folded.

use std::collections::BTreeMap;

use chain::id::AccountId;

use crate::record::Known;

/// Accounts by id, with a number that every change of any of them changes: whatever was concluded from them holds while
/// it is the same.
#[derive(Default)]
pub(crate) struct Accounts {
    known: BTreeMap<AccountId, Known>,
    version: u64,
}

impl Accounts {
    /// What is known of one.
    pub(crate) fn get(&self, account: &AccountId) -> Option<&Known> {
        self.known.get(account)
    }

    /// Replaces what is known of one.
    pub(crate) fn insert(&mut self, account: AccountId, known: Known) {
        self.version = self.version.wrapping_add(1);
        self.known.insert(account, known);
    }

    /// Takes one out, to change it.
    pub(crate) fn remove(&mut self, account: &AccountId) -> Option<Known> {
        self.version = self.version.wrapping_add(1);
        self.known.remove(account)
    }

    /// Changes with every change.
    pub(crate) fn version(&self) -> u64 {
        self.version
    }
}
