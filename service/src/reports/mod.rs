//! Who was reported to the operator, by whom and why (PPL-5): a row for each two accounts, for 90 days.
//!
//! Whoever reports is known here so that he counts once; the operator is told only how many there are ([`operator`]). An
//! account is never looked up for a report: one that does not exist is answered like one that does.

pub(crate) mod operator;

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt as _;
use std::sync::{Mutex, MutexGuard, PoisonError};

use chain::id::AccountId;
use protocol::api::reports::{REPORT_KEPT_S, Report};
use protocol::limits::{DAY_S, Limits};
use rusqlite::{Connection, params};

use crate::accounts::tokens::Caller;
use crate::disk::database::open_writer;
use crate::disk::folder::Folder;
use crate::error::StartError;
use crate::http::refusal::Refusal;
use crate::shared::Shared;

/// The database. Nobody reads it while the service runs but the operator, who has a connection of his own.
#[derive(Debug)]
pub(crate) struct Reports(Mutex<Connection>);

fn column(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

impl Reports {
    /// Opens the database, and makes the tables if they are missing.
    pub(crate) fn open(folder: &Folder) -> Result<Self, StartError> {
        // who reported whom is for the service alone; SQLite gives the files beside it the same mode
        OpenOptions::new().create(true).append(true).mode(0o600).open(folder.reports())?;
        Ok(Self(Mutex::new(open_writer(&folder.reports(), include_str!("schema.sql"))?)))
    }

    fn writer(&self) -> MutexGuard<'_, Connection> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps a report in the place of the one that the account made about the same one before. The same again on the same day
    /// changes nothing and is not counted: its answer was lost.
    fn keep(&self, by: &AccountId, report: &Report, limits: &Limits, now_s: u64) -> Result<(), Refusal> {
        let (account, by, reason) = (report.account.as_bytes(), by.as_bytes(), report.reason.name());
        let (now, day_ago) = (column(now_s), column(now_s.saturating_sub(DAY_S)));
        let db = self.writer();
        let tx = db.unchecked_transaction()?;
        let is_there = tx
            .prepare_cached(
                "SELECT EXISTS (SELECT * FROM reports WHERE account = ?1 AND by_account = ?2 AND reason = ?3 AND at_s > ?4)",
            )?
            .query_row(params![account, by, reason, day_ago], |row| row.get::<_, bool>(0))?;
        if is_there {
            return Ok(());
        }
        tx.prepare_cached("DELETE FROM made WHERE at_s <= ?1")?.execute([day_ago])?;
        let (made, first_s) = tx
            .prepare_cached("SELECT COUNT(*), IFNULL(MIN(at_s), ?2) FROM made WHERE by_account = ?1")?
            .query_row(params![by, now], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?)))?;
        if limits.reports_a_day.is_some_and(|max| made >= i64::from(max.get())) {
            let retry_after_s = first_s.unsigned_abs().saturating_add(DAY_S).saturating_sub(now_s).max(1);
            return Err(Refusal::RateLimited { what: "reports of this account today", retry_after_s });
        }
        tx.prepare_cached("INSERT INTO made VALUES (?1, ?2)")?.execute(params![by, now])?;
        tx.prepare_cached("INSERT OR REPLACE INTO reports VALUES (?1, ?2, ?3, ?4)")?
            .execute(params![account, by, reason, now])?;
        Ok(tx.commit()?)
    }

    /// Deletes what has been here for its time.
    pub(crate) fn sweep(&self, now_s: u64) -> Result<(), rusqlite::Error> {
        let db = self.writer();
        db.prepare_cached("DELETE FROM reports WHERE at_s <= ?1")?
            .execute([column(now_s.saturating_sub(REPORT_KEPT_S))])?;
        db.prepare_cached("DELETE FROM made WHERE at_s <= ?1")?.execute([column(now_s.saturating_sub(DAY_S))])?;
        Ok(())
    }

    /// Moves all that is in the write-ahead log into the database file, so that nothing deleted stays in it.
    pub(crate) fn settle(&self) -> Result<(), rusqlite::Error> {
        settle(&self.writer())
    }
}

fn settle(db: &Connection) -> Result<(), rusqlite::Error> {
    db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
}

impl Shared {
    /// PPL-5: keeps what an account says about another one. It is on disk when this returns.
    pub(crate) fn take_report(&self, caller: &Caller, report: &Report) -> Result<(), Refusal> {
        caller.require_confirmed()?;
        if report.account == caller.account {
            return Err(Refusal::ReportOwn);
        }
        self.check_disk()?;
        self.reports.keep(&caller.account, report, &self.limits, self.now_s())
    }
}
