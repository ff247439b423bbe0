//! What the operator is told of reports: who was reported, by how many and why, never by whom (PPL-5).
//!
//! This runs beside the service, or without it.

use std::collections::BTreeMap;
use std::path::Path;

use chain::id::AccountId;
use protocol::api::reports::{REPORT_KEPT_S, Reason};
use rusqlite::Connection;
use thiserror::Error;

use crate::disk::database::{open_reader, open_writer};
use crate::disk::folder::Folder;
use crate::disk::store::Store;
use crate::error::{StartError, Stopped};
use crate::reports::{column, settle};

/// What was told of one account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// Who was reported.
    pub account: AccountId,
    /// By how many accounts, each counted once.
    pub reporters: u64,
    /// How many of them for which reason.
    pub reasons: BTreeMap<Reason, u64>,
    /// When the oldest of these reports was made, seconds since 1970.
    pub first_s: u64,
    /// And the newest.
    pub last_s: u64,
}

/// Why nothing is told.
#[derive(Debug, Error)]
pub enum ReportsError {
    /// The folder is not that of a service.
    #[error("there is no service's data in this folder: name the one that `trefoil serve --data` has")]
    NoService,
    /// The folder cannot be used.
    #[error(transparent)]
    Folder(#[from] StartError),
    /// The records cannot be read.
    #[error(transparent)]
    Records(#[from] Stopped),
}

impl ReportsError {
    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoService => "service.none",
            Self::Folder(error) => error.code(),
            Self::Records(error) => error.code(),
        }
    }
}

impl From<rusqlite::Error> for ReportsError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Folder(StartError::Store(error))
    }
}

/// All accounts that were reported at the log in `data`, those whom most have reported first. `now_s` is the service's time, in
/// seconds since 1970.
///
/// # Errors
/// [`ReportsError`].
pub fn told_of(data: &Path, now_s: u64) -> Result<Vec<Told>, ReportsError> {
    let Some(folder) = with_reports(data)? else { return Ok(Vec::new()) };
    let mut told = read(&open_reader(&folder.reports())?, now_s)?;
    let store = Store::open_reader(&folder.store())?;
    let mut known = Vec::new();
    for row in told.drain(..) {
        // anybody can report an account that never was
        if store.account(&row.account)?.is_some() {
            known.push(row);
        }
    }
    known.sort_by_key(|row| (std::cmp::Reverse((row.reporters, row.last_s)), row.account));
    Ok(known)
}

/// Forgets what was reported about an account; how many reports that were.
///
/// # Errors
/// [`ReportsError`].
pub fn forget_reports(data: &Path, account: &AccountId) -> Result<u64, ReportsError> {
    let Some(folder) = with_reports(data)? else { return Ok(0) };
    let db = open_writer(&folder.reports(), include_str!("schema.sql"))?;
    let gone = db.execute("DELETE FROM reports WHERE account = ?1", [account.as_bytes()])?;
    settle(&db)?;
    Ok(u64::try_from(gone).unwrap_or(u64::MAX))
}

/// The folder of a service; `None` if none of its service has ever taken a report.
fn with_reports(data: &Path) -> Result<Option<Folder>, ReportsError> {
    let folder = Folder::beside(data).map_err(StartError::Io)?.ok_or(ReportsError::NoService)?;
    Ok(folder.reports().try_exists().map_err(StartError::Io)?.then_some(folder))
}

fn read(db: &Connection, now_s: u64) -> Result<Vec<Told>, rusqlite::Error> {
    let mut select = db.prepare(
        "SELECT account, reason, COUNT(*), MIN(at_s), MAX(at_s) FROM reports WHERE at_s > ?1 GROUP BY account, reason",
    )?;
    let mut rows = select.query([column(now_s.saturating_sub(REPORT_KEPT_S))])?;
    let mut told: BTreeMap<AccountId, Told> = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let account = AccountId(row.get(0)?);
        let reason = row.get::<_, String>(1)?.parse().unwrap_or(Reason::Other);
        let [count, first_s, last_s] = [row.get::<_, i64>(2)?, row.get(3)?, row.get(4)?].map(i64::unsigned_abs);
        let nothing = Told { account, reporters: 0, reasons: BTreeMap::new(), first_s, last_s };
        let of_account = told.entry(account).or_insert(nothing);
        // an account has one report about another, so each counts in one of these rows only
        of_account.reporters = of_account.reporters.saturating_add(count);
        *of_account.reasons.entry(reason).or_default() += count;
        of_account.first_s = of_account.first_s.min(first_s);
        of_account.last_s = of_account.last_s.max(last_s);
    }
    Ok(told.into_values().collect())
}
