//! The records: entries, device sets, handles and headers in SQLite. One function per whole operation.
//!
//! A block exists from the moment its transaction is on disk (WAL, `synchronous=FULL`); what was written before, the
//! block's file, means nothing without it, and what is written after, tiles and checkpoint file, is written again at
//! the next start. Nothing here is believed: records are compared with the map, headers with the signed log root.

use std::path::Path;
use std::sync::Mutex;

use chain::block::Header;
use chain::encoding::Reader;
use chain::handle::HandleHead;
use chain::id::{AccountId, Digest, HandleLabel};
use chain::map::{MapKey, MapValue};
use chain::sigchain::device_set::DeviceSet;
use rusqlite::{Connection, OpenFlags, OptionalExtension as _, params};

use crate::error::{Corrupt, StartError, Stopped};

/// A block as it goes into the store.
#[derive(Debug)]
pub(crate) struct BlockRecords<'a> {
    /// Its header.
    pub(crate) header: &'a Header,
    /// The signed checkpoint that covers it.
    pub(crate) checkpoint: &'a str,
    /// Its entries: account, sequence, kind, bytes.
    pub(crate) entries: &'a [EntryRow],
    /// Device sets after it.
    pub(crate) accounts: &'a [DeviceSet],
    /// Handles after it.
    pub(crate) handles: &'a [(HandleLabel, HandleHead)],
}

/// One entry as it goes into the store.
#[derive(Debug, Clone)]
pub(crate) struct EntryRow {
    pub(crate) account: AccountId,
    pub(crate) sequence: u64,
    pub(crate) kind: u8,
    pub(crate) bytes: Vec<u8>,
}

/// One entry as it comes out.
#[derive(Debug, Clone)]
pub(crate) struct StoredEntry {
    pub(crate) block: u64,
    pub(crate) time_s: u64,
    pub(crate) kind: u8,
    pub(crate) bytes: Vec<u8>,
}

/// One connection to the records.
#[derive(Debug)]
pub(crate) struct Store {
    db: Connection,
}

/// Columns are written by this file only, so a number that does not fit is damage.
fn number(value: i64) -> u64 {
    value.unsigned_abs()
}

fn column(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

impl Store {
    /// Opens the records for writing, and makes the tables if they are missing.
    pub(crate) fn open(path: &Path) -> Result<Self, StartError> {
        let db = Connection::open(path)?;
        db.pragma_update(None, "journal_mode", "WAL")?;
        db.pragma_update(None, "synchronous", "FULL")?;
        db.pragma_update(None, "cache_size", -65_536)?;
        db.pragma_update(None, "wal_autocheckpoint", 16_384)?;
        db.busy_timeout(WAIT_FOR_WRITER)?;
        db.execute_batch(include_str!("schema.sql"))?;
        Ok(Self { db })
    }

    /// Opens a second connection for a rare small write beside the sequencer's.
    pub(crate) fn open_beside(path: &Path) -> Result<Self, rusqlite::Error> {
        let db = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        db.busy_timeout(WAIT_FOR_WRITER)?;
        Ok(Self { db })
    }

    /// Opens the records for reading.
    pub(crate) fn open_reader(path: &Path) -> Result<Self, rusqlite::Error> {
        let db = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        db.pragma_update(None, "cache_size", -8_192)?;
        Ok(Self { db })
    }

    /// Makes a block exist.
    pub(crate) fn commit(&mut self, block: &BlockRecords<'_>) -> Result<(), Stopped> {
        let tx = self.db.transaction()?;
        let (number, time_s) = (column(block.header.number), column(block.header.time_s));
        tx.prepare_cached("INSERT INTO blocks VALUES (?1, ?2)")?.execute(params![number, block.header.encode()])?;
        {
            let mut insert = tx.prepare_cached("INSERT INTO entries VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?;
            for entry in block.entries {
                let key = entry.account.as_bytes();
                insert.execute(params![key, column(entry.sequence), number, time_s, entry.kind, entry.bytes])?;
            }
            let mut replace = tx.prepare_cached("INSERT OR REPLACE INTO accounts VALUES (?1, ?2)")?;
            for set in block.accounts {
                replace.execute(params![set.account().as_bytes(), set.encode()])?;
            }
            let mut replace = tx.prepare_cached("INSERT OR REPLACE INTO handles VALUES (?1, ?2)")?;
            for (label, head) in block.handles {
                replace.execute(params![label.as_bytes(), head.encode()])?;
            }
            put_text(&tx, "checkpoint", block.checkpoint)?;
        }
        tx.commit()?;
        Ok(())
    }

    /// Keeps a text under a name, durably.
    pub(crate) fn keep(&self, name: &str, text: &str) -> Result<(), rusqlite::Error> {
        put_text(&self.db, name, text)
    }

    /// A text that was kept.
    pub(crate) fn kept(&self, name: &str) -> Result<Option<String>, rusqlite::Error> {
        let mut select = self.db.prepare_cached("SELECT value FROM meta WHERE name = ?1")?;
        let value: Option<Vec<u8>> = select.query_row([name], |row| row.get(0)).optional()?;
        Ok(value.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
    }

    /// Moves all that is in the write-ahead log into the database file, so that the folder can be copied as it is.
    pub(crate) fn settle(&self) -> Result<(), rusqlite::Error> {
        self.db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
    }

    /// True if there is no block yet.
    pub(crate) fn is_empty(&self) -> Result<bool, rusqlite::Error> {
        self.db.query_row("SELECT NOT EXISTS (SELECT * FROM blocks)", [], |row| row.get(0))
    }

    /// The headers of all blocks, in order.
    pub(crate) fn headers(&self) -> Result<Vec<Vec<u8>>, rusqlite::Error> {
        let mut select = self.db.prepare("SELECT number, header FROM blocks ORDER BY number")?;
        let rows = select.query_map([], |row| row.get(1))?;
        rows.collect()
    }

    /// The headers from one number on, at most `count`: the content of an entry bundle.
    pub(crate) fn headers_from(&self, first: u64, count: u64) -> Result<Vec<Vec<u8>>, rusqlite::Error> {
        let mut select =
            self.db.prepare_cached("SELECT header FROM blocks WHERE number >= ?1 ORDER BY number LIMIT ?2")?;
        let rows = select.query_map(params![column(first), column(count)], |row| row.get(0))?;
        rows.collect()
    }

    /// An account's device set as stored; compare it with the map before use.
    pub(crate) fn account(&self, account: &AccountId) -> Result<Option<DeviceSet>, Stopped> {
        let mut select = self.db.prepare_cached("SELECT device_set FROM accounts WHERE account = ?1")?;
        let bytes: Option<Vec<u8>> = select.query_row([account.as_bytes()], |row| row.get(0)).optional()?;
        let unreadable = Corrupt::Unreadable { what: "a device set" };
        bytes.map(|bytes| DeviceSet::decode(&bytes).map_err(|_| unreadable.into())).transpose()
    }

    /// A handle's head as stored; compare it with the map before use.
    pub(crate) fn handle(&self, label: &HandleLabel) -> Result<Option<HandleHead>, Stopped> {
        let mut select = self.db.prepare_cached("SELECT head FROM handles WHERE label = ?1")?;
        let bytes: Option<Vec<u8>> = select.query_row([label.as_bytes()], |row| row.get(0)).optional()?;
        bytes.map(|bytes| decode_handle(&bytes).map_err(Into::into)).transpose()
    }

    /// The newest entries of an account, newest first, at most `count`.
    pub(crate) fn newest_entries(&self, account: &AccountId, count: u32) -> Result<Vec<StoredEntry>, Stopped> {
        let mut select = self.db.prepare_cached(
            "SELECT block, time_s, kind, x'' FROM entries WHERE account = ?1 ORDER BY sequence DESC LIMIT ?2",
        )?;
        let rows = select.query_map(params![account.as_bytes(), count], stored_entry)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// The entries of an account from sequence number `since` on that are in blocks below `size`, at most `count`.
    pub(crate) fn entries_since(
        &self,
        account: &AccountId,
        since: u64,
        size: u64,
        count: usize,
    ) -> Result<Vec<StoredEntry>, Stopped> {
        let mut select = self.db.prepare_cached(
            "SELECT block, time_s, kind, entry FROM entries WHERE account = ?1 AND sequence >= ?2 AND block < ?3 \
             ORDER BY sequence LIMIT ?4",
        )?;
        let count = column(count as u64);
        let rows = select.query_map(params![account.as_bytes(), column(since), column(size), count], stored_entry)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Every leaf of the map as the records give it, in no order.
    pub(crate) fn leaves(&self) -> Result<Vec<(MapKey, MapValue)>, StartError> {
        let mut leaves = Vec::new();
        let mut select = self.db.prepare("SELECT account, device_set FROM accounts")?;
        let mut rows = select.query([])?;
        while let Some(row) = rows.next()? {
            let set = DeviceSet::decode(row.get_ref(1)?.as_blob().unwrap_or_default())
                .map_err(|_| Corrupt::Unreadable { what: "a device set" })?;
            leaves.push((MapKey(DeviceSet::map_key(&set.account())), MapValue(set.map_value())));
        }
        let mut select = self.db.prepare("SELECT label, head FROM handles")?;
        let mut rows = select.query([])?;
        while let Some(row) = rows.next()? {
            let label: [u8; 32] = row.get(0).map_err(|_| Corrupt::Unreadable { what: "a handle's label" })?;
            let head = decode_handle(row.get_ref(1)?.as_blob().unwrap_or_default())?;
            leaves.push((MapKey(Digest(label)), MapValue(head.value())));
        }
        Ok(leaves)
    }

    /// Keeps a cosigned checkpoint for resets to come, and forgets those that no reset can need any more. The newest is
    /// always kept, because nothing may follow it for days; of any three, the first and the last are [`KEEP_EVERY_S`] apart.
    pub(crate) fn keep_cosigned(&self, size: u64, time_s: u64, note: &str) -> Result<(), rusqlite::Error> {
        let oldest = time_s.saturating_sub(COSIGNED_KEPT_S);
        self.db.prepare_cached("DELETE FROM cosigned WHERE time_s < ?1")?.execute([column(oldest)])?;
        let mut insert = self.db.prepare_cached("INSERT OR REPLACE INTO cosigned VALUES (?1, ?2, ?3)")?;
        insert.execute(params![column(size), column(time_s), note])?;
        let nth = |n: u8| format!("ORDER BY size DESC LIMIT 1 OFFSET {n}");
        // the one before it, if the new one follows the one before that so closely that it covers the same in time
        let thin = format!(
            "DELETE FROM cosigned WHERE size = (SELECT size FROM cosigned {}) \
             AND ?1 < (SELECT time_s FROM cosigned {}) + ?2",
            nth(1),
            nth(2)
        );
        self.db.prepare_cached(&thin)?.execute([column(time_s), column(KEEP_EVERY_S)]).map(|_| ())
    }

    /// The oldest kept cosigned checkpoint that covers a block.
    pub(crate) fn cosigned_covering(&self, block: u64) -> Result<Option<String>, rusqlite::Error> {
        let mut select = self.db.prepare_cached("SELECT note FROM cosigned WHERE size > ?1 ORDER BY size LIMIT 1")?;
        select.query_row([column(block)], |row| row.get(0)).optional()
    }
}

/// How long one writer waits for the other.
const WAIT_FOR_WRITER: std::time::Duration = std::time::Duration::from_secs(10);

/// One cosigned checkpoint in this time is kept for resets to come.
const KEEP_EVERY_S: u64 = 60;

/// A reset notice lapses after 30 days (RST-7); a day more for slow clocks.
const COSIGNED_KEPT_S: u64 = 31 * protocol::limits::DAY_S;

fn put_text(db: &Connection, name: &str, text: &str) -> Result<(), rusqlite::Error> {
    let mut put = db.prepare_cached("INSERT OR REPLACE INTO meta VALUES (?1, ?2)")?;
    put.execute(params![name, text.as_bytes()]).map(|_| ())
}

fn stored_entry(row: &rusqlite::Row<'_>) -> Result<StoredEntry, rusqlite::Error> {
    Ok(StoredEntry { block: number(row.get(0)?), time_s: number(row.get(1)?), kind: row.get(2)?, bytes: row.get(3)? })
}

fn decode_handle(bytes: &[u8]) -> Result<HandleHead, Corrupt> {
    let mut reader = Reader::new(bytes);
    let head = HandleHead::decode(&mut reader).and_then(|head| reader.finish().map(|()| head));
    head.map_err(|_| Corrupt::Unreadable { what: "a handle's head" })
}

/// Reading connections, one per thread that reads at the moment.
#[derive(Debug)]
pub(crate) struct Readers<C = Store> {
    path: std::path::PathBuf,
    open: fn(&Path) -> Result<C, rusqlite::Error>,
    idle: Mutex<Vec<C>>,
}

impl<C> Readers<C> {
    /// No connection yet; `open` makes one.
    pub(crate) fn new(path: std::path::PathBuf, open: fn(&Path) -> Result<C, rusqlite::Error>) -> Self {
        Self { path, open, idle: Mutex::new(Vec::new()) }
    }

    /// Lends a connection to `read`.
    pub(crate) fn with<T, E: From<rusqlite::Error>>(&self, read: impl FnOnce(&C) -> Result<T, E>) -> Result<T, E> {
        let idle = || self.idle.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let lent = idle().pop();
        let store = lent.map_or_else(|| (self.open)(&self.path), Ok)?;
        let result = read(&store);
        idle().push(store);
        result
    }
}
