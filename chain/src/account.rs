//! An account's state that the record proves: the only source of [`ConfirmedDevice`]s.
//!
//! Made by [`crate::view::View::account`] out of a service's answer, or out of what was kept of an earlier one.

use crate::log::checkpoint::VerifiedCheckpoint;
use crate::log::policy::Policy;
use crate::proven::ProvenRecord;
use crate::sigchain::device_set::{AccountState, ConfirmedDevice, DeviceSet};
use crate::view::ViewError;

/// An account's state that the record proves, and what proves it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProvenAccount {
    pub(crate) set: DeviceSet,
    pub(crate) block: u64,
    pub(crate) proven: ProvenRecord,
}

impl ProvenAccount {
    /// The state.
    pub fn set(&self) -> &DeviceSet {
        &self.set
    }

    /// Number of the newest block under which it was proven: what later blocks say of the account is not in it.
    pub fn block(&self) -> u64 {
        self.block
    }

    /// The devices that may be encrypted to, by id: none once the account has ended (RST-6).
    pub fn confirmed_devices(&self) -> Vec<ConfirmedDevice> {
        match self.set.state() {
            AccountState::Open => {
                self.set.confirmed().values().map(|it| ConfirmedDevice::proven(self.set.account(), it)).collect()
            }
            AccountState::ResetTo { .. } | AccountState::Closed => Vec::new(),
        }
    }

    /// What proves it: to keep, because the next answer is compared with it.
    pub fn proven(&self) -> &ProvenRecord {
        &self.proven
    }

    /// Reads what was kept, checking everything again.
    ///
    /// # Errors
    /// [`ViewError`]: the kept bytes are damaged.
    pub fn restore(policy: &Policy, kept: ProvenRecord) -> Result<Self, ViewError> {
        let (signed, header, set) = kept.check(policy)?;
        VerifiedCheckpoint::from_log_signed(signed, policy)?;
        Ok(Self { set, block: header.number, proven: kept })
    }

    /// True if `later` goes back behind this state, or stands beside it.
    pub(crate) fn contradicts(&self, later: &Self) -> bool {
        let place = |set: &DeviceSet| (set.generation(), set.sequence());
        let (own, other) = (place(&self.set), place(&later.set));
        other < own || (other == own && later.set != self.set)
    }
}
