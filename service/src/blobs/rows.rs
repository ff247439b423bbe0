//! The database of blobs: whose there are, how large, how far. One connection writes, readers have their own.

use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use chain::id::AccountId;
use protocol::api::blobs::{BLOB_KEPT_S, BLOB_WAITS_S};
use protocol::id::BlobId;
use protocol::limits::{DAY_S, Limits};
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use crate::disk::database::{open_reader, open_writer};
use crate::disk::store::Readers;
use crate::http::refusal::Refusal;

/// The database.
#[derive(Debug)]
pub(super) struct Rows {
    writer: Mutex<Connection>,
    readers: Readers<Connection>,
}

/// A blob.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stored {
    pub(super) account: AccountId,
    pub(super) size: u64,
    pub(super) have: u64,
    touched_s: u64,
}

impl Stored {
    /// True if all of it is here.
    pub(super) fn is_whole(&self) -> bool {
        self.have == self.size
    }

    /// True if it is to be deleted.
    pub(super) fn is_over(&self, now_s: u64) -> bool {
        let kept_s = if self.is_whole() { BLOB_KEPT_S } else { BLOB_WAITS_S };
        self.touched_s.saturating_add(kept_s) <= now_s
    }
}

fn column(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn number(row: &Row<'_>, column: usize) -> Result<u64, rusqlite::Error> {
    row.get(column).map(i64::unsigned_abs)
}

fn find(db: &Connection, id: &BlobId) -> Result<Option<Stored>, rusqlite::Error> {
    let mut select = db.prepare_cached("SELECT account, size, have, touched_s FROM blobs WHERE id = ?1")?;
    let stored = |row: &Row<'_>| {
        let account = AccountId(row.get(0)?);
        Ok(Stored { account, size: number(row, 1)?, have: number(row, 2)?, touched_s: number(row, 3)? })
    };
    select.query_row([id.as_bytes()], stored).optional()
}

impl Rows {
    /// Opens the database, and makes the tables if they are missing.
    pub(super) fn open(path: PathBuf) -> Result<Self, rusqlite::Error> {
        let db = open_writer(&path, include_str!("schema.sql"))?;
        Ok(Self { writer: Mutex::new(db), readers: Readers::new(path, open_reader) })
    }

    fn writer(&self) -> MutexGuard<'_, Connection> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A blob, if there is one by this id.
    pub(super) fn find(&self, id: &BlobId) -> Result<Option<Stored>, rusqlite::Error> {
        self.readers.with(|db| find(db, id))
    }

    /// Notes a new blob, or finds the one that the account has begun before.
    pub(super) fn begin(
        &self,
        id: &BlobId,
        account: &AccountId,
        size: u64,
        limits: &Limits,
        now_s: u64,
    ) -> Result<Stored, Refusal> {
        let db = self.writer();
        match find(&db, id)? {
            Some(stored) if stored.account == *account && stored.size == size => return Ok(stored),
            Some(_) => return Err(Refusal::BlobExists),
            None => check_limits(&db, account, size, limits, now_s)?,
        }
        let mut insert = db.prepare_cached("INSERT INTO blobs VALUES (?1, ?2, ?3, 0, ?4, ?4)")?;
        insert.execute(params![id.as_bytes(), account.as_bytes(), column(size), column(now_s)])?;
        Ok(Stored { account: *account, size, have: 0, touched_s: now_s })
    }

    /// So much of it is on the disk now.
    pub(super) fn advance(&self, id: &BlobId, have: u64, now_s: u64) -> Result<(), rusqlite::Error> {
        let db = self.writer();
        let mut update =
            db.prepare_cached("UPDATE blobs SET have = ?2, touched_s = ?3 WHERE id = ?1 AND have <= ?2")?;
        update.execute(params![id.as_bytes(), column(have), column(now_s)]).map(drop)
    }

    /// Forgets what has been here for its time; gives the ids.
    pub(super) fn forget_old(&self, now_s: u64) -> Result<Vec<BlobId>, rusqlite::Error> {
        let db = self.writer();
        let [whole, begun] = [BLOB_KEPT_S, BLOB_WAITS_S].map(|kept_s| column(now_s.saturating_sub(kept_s)));
        let mut delete = db.prepare_cached(
            "DELETE FROM blobs WHERE touched_s <= ?1 OR (touched_s <= ?2 AND have < size) RETURNING id",
        )?;
        let rows = delete.query_map([whole, begun], |row| row.get(0).map(BlobId))?;
        rows.collect()
    }
}

/// How much an account may keep, and begin in a day.
fn check_limits(db: &Connection, account: &AccountId, size: u64, limits: &Limits, now_s: u64) -> Result<(), Refusal> {
    let mut sums = db.prepare_cached(
        "SELECT COUNT(*), IFNULL(SUM(size), 0), IFNULL(SUM(size) FILTER (WHERE begun_s > ?2), 0), \
         IFNULL(MIN(begun_s) FILTER (WHERE begun_s > ?2), ?2) FROM blobs WHERE account = ?1",
    )?;
    let day = params![account.as_bytes(), column(now_s.saturating_sub(DAY_S))];
    let [count, kept, today, first_s] =
        sums.query_row(day, |row| Ok([number(row, 0)?, number(row, 1)?, number(row, 2)?, number(row, 3)?]))?;
    let is_many = limits.blobs_kept.is_some_and(|max| count >= u64::from(max.get()));
    if is_many || limits.blob_bytes_kept.is_some_and(|max| kept.saturating_add(size) > max.get()) {
        return Err(Refusal::BlobQuota);
    }
    if limits.blob_bytes_a_day.is_some_and(|max| today.saturating_add(size) > max.get()) {
        let retry_after_s = first_s.saturating_add(DAY_S).saturating_sub(now_s).max(1);
        return Err(Refusal::RateLimited { what: "bytes of files of this account today", retry_after_s });
    }
    Ok(())
}
