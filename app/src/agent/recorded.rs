//! What the public record says of an account, as this device has proven it.

use chain::id::AccountId;
use client::query;

use super::core::{Core, new_profile};
use super::face::Reply;
use crate::clock::now_ms;
use crate::failure::{Failure, Kind};
use crate::local::record::{RecordEntry, RecordProof};

impl Core {
    /// The entries of the own account, or of somebody known, and what proves them.
    pub(super) fn record(&self, handle: Option<&str>, reply: &Reply) -> Result<(), Failure> {
        let account = match handle {
            Some(handle) => self.contact(handle)?.account,
            None => self.opened()?.status()?.account.ok_or_else(new_profile)?,
        };
        let row = self.proven(&account)?;
        row.entries.iter().for_each(|entry| reply.event(&RecordEntry::from(entry)));
        reply.done(&RecordProof::from(&row));
        Ok(())
    }

    fn proven(&self, account: &AccountId) -> Result<query::AccountRecord, Failure> {
        let found = query::account_record(&self.opened()?.store(), account, now_ms());
        let unseen = || {
            let message = "this device has not looked this account up in the public record yet";
            Failure::new(Kind::Waiting, "record.unseen", message)
        };
        found.map_err(|error| Failure::from_store(&error))?.ok_or_else(unseen)
    }
}
