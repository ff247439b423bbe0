//! The operator's way into a reset: a permit to announce one, for somebody whom he knows and who has neither a device nor
//! the password (PMT-1 to PMT-3).
//!
//! He gives nothing that he could not do himself: it is the service that seals the announcement. What protects the owner is
//! in the record, and is the same as ever: the notice, the wait, the veto.
//!
//! This runs beside the service, or without it: it reads the records, and writes one row that the service looks up.

use std::path::Path;

use chain::handle::{Handle, HandleState};
use chain::id::AccountId;
use chain::sigchain::device_set::{AccountState, DeviceSet};
use chain::sigchain::rules::NOTICE_LAPSES_AFTER_S;
use protocol::api::accounts::RESET_PERMIT_S;
use protocol::reset_permit::{RANDOM, ResetPermit};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::accounts::database::Database;
use crate::accounts::secret::Secret;
use crate::disk::folder::Folder;
use crate::disk::keys::read_vrf;
use crate::disk::store::Store;
use crate::error::{Corrupt, StartError, Stopped};

/// A permit, and what its operator wants to know about it.
#[derive(Debug)]
pub struct Issued {
    /// The permit: kept nowhere, and shown by nobody a second time.
    pub permit: ResetPermit,
    /// Whose reset it announces.
    pub account: AccountId,
    /// When it ends, if it was not spent before: seconds since 1970.
    pub ends_s: u64,
    /// How long the reset then waits, seconds.
    pub wait_s: u64,
}

/// Why there is no permit.
#[derive(Debug, Error)]
pub enum PermitError {
    /// The folder is not that of a service.
    #[error("there is no service's data in this folder: name the one that `trefoil serve --data` has")]
    NoService,
    /// Nobody holds the handle.
    #[error("nobody is called {handle} at this service")]
    UnknownHandle {
        /// What was asked for.
        handle: String,
    },
    /// RST-1: the account has chosen to be reset never.
    #[error("this account has chosen never to be reset, and nobody can take that back")]
    Never,
    /// RST-2: one reset at a time.
    #[error("a reset of this account is announced already, by somebody with its password or with a permit")]
    Announced,
    /// The folder cannot be used.
    #[error(transparent)]
    Folder(#[from] StartError),
    /// The records cannot be read.
    #[error(transparent)]
    Records(#[from] Stopped),
}

impl PermitError {
    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoService => "service.none",
            Self::UnknownHandle { .. } => "handle.unknown",
            Self::Never => "reset.never",
            Self::Announced => "reset.open",
            Self::Folder(error) => error.code(),
            Self::Records(error) => error.code(),
        }
    }
}

/// Makes a permit to announce one reset of the account that holds `handle` in the log in `data`. It ends the one before it.
/// Takes effect at once, whether the service runs or not. `now_s` is the service's time, in seconds since 1970.
///
/// # Errors
/// [`PermitError`].
pub fn issue_reset_permit(data: &Path, handle: &Handle, now_s: u64) -> Result<Issued, PermitError> {
    let folder = Folder::beside(data).map_err(StartError::Io)?.ok_or(PermitError::NoService)?;
    let (account, wait_s) = resettable(&folder, handle, now_s)?;
    let mut random = Zeroizing::new([0; RANDOM]);
    getrandom::fill(random.as_mut_slice()).map_err(|_| StartError::NoRandomness)?;
    let permit = ResetPermit::new(random);
    let ends_s = now_s.saturating_add(RESET_PERMIT_S);
    let database = Database::open(folder.accounts()).map_err(StartError::Store)?;
    database.put_reset_permit(&Secret::of_permit(&permit), &account, now_s, ends_s).map_err(StartError::Store)?;
    Ok(Issued { permit, account, ends_s, wait_s })
}

/// Who holds the handle, and how long a reset of him waits.
fn resettable(folder: &Folder, handle: &Handle, now_s: u64) -> Result<(AccountId, u64), PermitError> {
    let unknown = || PermitError::UnknownHandle { handle: handle.as_str().to_owned() };
    let failed = Stopped::Fault { what: "placing the handle" };
    let (_, label) = read_vrf(folder)?.prove(handle).map_err(|_| failed)?;
    let store = Store::open_reader(&folder.store()).map_err(StartError::Store)?;
    let head = store.handle(&label)?.filter(|head| head.state == HandleState::Bound).ok_or_else(unknown)?;
    let missing = StartError::Corrupt(Corrupt::Unreadable { what: "the account that holds the handle" });
    let set = store.account(&head.account)?.filter(|set| *set.state() == AccountState::Open).ok_or(missing)?;
    if has_notice(&set, now_s) {
        return Err(PermitError::Announced);
    }
    Ok((head.account, set.reset_choice().wait_s().ok_or(PermitError::Never)?))
}

/// RST-7: one that nobody carried out in time is gone, although no entry says so.
fn has_notice(set: &DeviceSet, now_s: u64) -> bool {
    set.notice().is_some_and(|notice| notice.opened_at_s.saturating_add(NOTICE_LAPSES_AFTER_S) > now_s)
}
