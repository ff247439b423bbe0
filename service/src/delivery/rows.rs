//! The database of deliveries: what every part of delivery reads.
//!
//! One connection writes, in the writer's thread (`writer`); readers have their own and see whole transactions only.

use std::path::Path;

use chain::id::{AccountId, DeviceId, Digest};
use protocol::api::delivery::Submitted;
use protocol::id::GroupId;
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSqlOutput, ValueRef};
use rusqlite::{Connection, OptionalExtension as _, ToSql, params};

use crate::disk::database::{open_reader, open_writer};

/// Columns are written by this module only, so a number that does not fit is damage.
pub(super) fn number(value: i64) -> u64 {
    value.unsigned_abs()
}

pub(super) fn column(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// Whose inbox or leaf it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Owner {
    /// The account.
    pub(crate) account: AccountId,
    /// One of its devices.
    pub(crate) device: DeviceId,
}

impl Owner {
    fn bytes(&self) -> Vec<u8> {
        [self.account.as_bytes().as_slice(), self.device.as_bytes().as_slice()].concat()
    }

    /// Names that include all devices of an account, and those of no other.
    pub(super) fn of_account(account: &AccountId) -> [Self; 2] {
        [[0; 16], [0xff; 16]].map(|device| Self { account: *account, device: DeviceId(device) })
    }
}

impl ToSql for Owner {
    fn to_sql(&self) -> Result<ToSqlOutput<'_>, rusqlite::Error> {
        Ok(self.bytes().into())
    }
}

impl FromSql for Owner {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let (account, device) = value.as_blob()?.split_first_chunk().ok_or(FromSqlError::InvalidType)?;
        let device = device.try_into().map_err(|_| FromSqlError::InvalidType)?;
        Ok(Self { account: AccountId(*account), device: DeviceId(device) })
    }
}

/// A group as messages need it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head {
    /// Its epoch.
    pub(super) epoch: u64,
    /// Messages of epochs before are refused.
    pub(super) floor: u64,
    /// Position of the newest thing in it.
    pub(super) position: u64,
}

/// A group as joiners need it.
#[derive(Debug)]
pub(super) struct StoredState {
    pub(super) group_info: Vec<u8>,
    pub(super) tree: Vec<u8>,
}

/// One connection.
#[derive(Debug)]
pub(crate) struct Rows {
    pub(super) db: Connection,
}

impl Rows {
    /// Opens the database for writing, and makes the tables if they are missing.
    pub(super) fn open(path: &Path) -> Result<Self, rusqlite::Error> {
        let db = open_writer(path, include_str!("schema.sql"))?;
        db.pragma_update(None, "cache_size", -32_768)?;
        db.pragma_update(None, "wal_autocheckpoint", 4_096)?;
        db.set_prepared_statement_cache_capacity(64);
        Ok(Self { db })
    }

    /// Opens the database for reading.
    pub(super) fn open_reader(path: &Path) -> Result<Self, rusqlite::Error> {
        let db = open_reader(path)?;
        db.pragma_update(None, "cache_size", -8_192)?;
        db.set_prepared_statement_cache_capacity(64);
        Ok(Self { db })
    }

    /// Reads several things as of one moment.
    pub(super) fn snapshot<T, E: From<rusqlite::Error>>(
        &self,
        read: impl FnOnce(&Self) -> Result<T, E>,
    ) -> Result<T, E> {
        // ends when it is dropped; nothing was written
        let _transaction = self.db.unchecked_transaction()?;
        read(self)
    }

    /// The newest position.
    pub(super) fn position(&self) -> Result<u64, rusqlite::Error> {
        self.db.prepare_cached("SELECT position FROM counter")?.query_row([], |row| row.get(0)).map(number)
    }

    /// Up to which block devices have been told; `None` in a new database.
    pub(super) fn blocks(&self) -> Result<Option<u64>, rusqlite::Error> {
        let mut select = self.db.prepare_cached("SELECT blocks FROM counter")?;
        select.query_row([], |row| row.get(0)).map(|blocks: Option<i64>| blocks.map(number))
    }

    /// A group's head.
    pub(super) fn head(&self, group: &GroupId) -> Result<Option<Head>, rusqlite::Error> {
        let mut select =
            self.db.prepare_cached("SELECT epoch, floor_epoch, position FROM groups WHERE group_id = ?1")?;
        let head = |row: &rusqlite::Row<'_>| {
            Ok(Head { epoch: number(row.get(0)?), floor: number(row.get(1)?), position: number(row.get(2)?) })
        };
        select.query_row([group.as_bytes()], head).optional()
    }

    /// What the service knows of a group by MLS.
    pub(super) fn mls_state(&self, group: &GroupId) -> Result<Option<Vec<u8>>, rusqlite::Error> {
        let mut select = self.db.prepare_cached("SELECT state FROM states WHERE group_id = ?1")?;
        select.query_row([group.as_bytes()], |row| row.get(0)).optional()
    }

    /// Group info and tree of the newest epoch.
    pub(super) fn joinable(&self, group: &GroupId) -> Result<Option<StoredState>, rusqlite::Error> {
        let mut select = self.db.prepare_cached("SELECT group_info, tree FROM states WHERE group_id = ?1")?;
        let state = |row: &rusqlite::Row<'_>| Ok(StoredState { group_info: row.get(0)?, tree: row.get(1)? });
        select.query_row([group.as_bytes()], state).optional()
    }

    /// The tree of an epoch that a waiting Welcome leads to.
    pub(super) fn welcome_tree(&self, group: &GroupId, epoch: u64) -> Result<Option<Vec<u8>>, rusqlite::Error> {
        let mut select = self.db.prepare_cached("SELECT tree FROM welcome_trees WHERE group_id = ?1 AND epoch = ?2")?;
        select.query_row(params![group.as_bytes(), column(epoch)], |row| row.get(0)).optional()
    }

    /// The devices that have a leaf in a group now, ascending.
    pub(super) fn leaves(&self, group: &GroupId) -> Result<Vec<Owner>, rusqlite::Error> {
        let mut select = self
            .db
            .prepare_cached("SELECT owner FROM leaves WHERE group_id = ?1 AND until_position IS NULL ORDER BY owner")?;
        let rows = select.query_map([group.as_bytes()], |row| row.get(0))?;
        rows.collect()
    }

    /// True if the device has a leaf in the group now.
    pub(super) fn has_leaf(&self, group: &GroupId, owner: &Owner) -> Result<bool, rusqlite::Error> {
        let mut select = self.db.prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM leaves WHERE group_id = ?1 AND owner = ?2 AND until_position IS NULL)",
        )?;
        select.query_row(params![group.as_bytes(), owner], |row| row.get(0))
    }

    /// True if any device of the account has a leaf in the group now.
    pub(super) fn has_member(&self, group: &GroupId, account: &AccountId) -> Result<bool, rusqlite::Error> {
        let mut select = self.db.prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM leaves WHERE group_id = ?1 AND owner BETWEEN ?2 AND ?3 \
             AND until_position IS NULL)",
        )?;
        let [first, last] = Owner::of_account(account);
        select.query_row(params![group.as_bytes(), first, last], |row| row.get(0))
    }

    /// The answer that a submission got.
    pub(super) fn submitted(&self, name: &Digest) -> Result<Option<Submitted>, rusqlite::Error> {
        let mut select = self.db.prepare_cached("SELECT position, epoch FROM submitted WHERE name = ?1")?;
        let answer =
            |row: &rusqlite::Row<'_>| Ok(Submitted { position: number(row.get(0)?), epoch: number(row.get(1)?) });
        select.query_row([name.as_bytes()], answer).optional()
    }
}
