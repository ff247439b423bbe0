//! What is kept of log-ins: password records, permits, tokens, in a database of their own.
//!
//! Apart from the public record, so that no reader of that ever opens this; apart from the setup's key file, without
//! which a stolen record cannot even be guessed at (attack 65). Permits and tokens are kept as hashes, names not at all;
//! what is deleted is overwritten. Times are seconds since 1970.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use chain::id::{AccountId, DeviceId, Digest};
use protocol::opaque::Credential;
use rusqlite::{Connection, OptionalExtension as _, params};

use crate::accounts::secret::Secret;
use crate::delivery::rows::Owner;
use crate::disk::database::{open_reader, open_writer};
use crate::disk::store::Readers;

/// How long it is kept when a device was last here, seconds.
const SEEN_KEPT_S: u64 = 366 * 86_400;

/// The database: one connection that writes, one for each thread that reads.
#[derive(Debug)]
pub(crate) struct Database {
    writer: Mutex<Connection>,
    readers: Readers<Connection>,
}

/// Whose token it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TokenRow {
    pub(crate) account: AccountId,
    pub(crate) device: DeviceId,
    pub(crate) ends_s: u64,
}

/// What a token request comes to by its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Numbered {
    /// The token is kept.
    Kept,
    /// A newer one was taken already.
    Late,
    /// Two copies of the device count on by themselves.
    Cloned,
}

fn column(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

impl Database {
    /// Opens the database, and makes the tables if they are missing.
    pub(crate) fn open(path: PathBuf) -> Result<Self, rusqlite::Error> {
        let db = open_writer(&path, include_str!("schema.sql"))?;
        Ok(Self { writer: Mutex::new(db), readers: Readers::new(path, open_reader) })
    }

    fn writer(&self) -> MutexGuard<'_, Connection> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Moves all that is in the write-ahead log into the database file, so that nothing deleted stays in it.
    pub(crate) fn settle(&self) -> Result<(), rusqlite::Error> {
        self.writer().query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
    }

    /// The public key of the setup that the records were made with.
    pub(crate) fn setup_key(&self) -> Result<Option<Vec<u8>>, rusqlite::Error> {
        self.writer().query_row("SELECT value FROM meta WHERE name = 'setup'", [], |row| row.get(0)).optional()
    }

    /// Keeps the public key of the setup.
    pub(crate) fn keep_setup_key(&self, key: &[u8]) -> Result<(), rusqlite::Error> {
        self.writer().execute("INSERT OR REPLACE INTO meta VALUES ('setup', ?1)", [key]).map(|_| ())
    }

    /// Stores the password record of an account that is not open yet.
    pub(crate) fn put_password(&self, account: &AccountId, record: &[u8]) -> Result<(), rusqlite::Error> {
        let db = self.writer();
        let mut put = db.prepare_cached("INSERT OR REPLACE INTO passwords VALUES (?1, ?2)")?;
        put.execute(params![account.as_bytes(), record]).map(|_| ())
    }

    /// Stores another password record of an open account. The permits that the old one gave are gone with it.
    pub(crate) fn replace_password(&self, account: &AccountId, record: &[u8]) -> Written {
        let db = self.writer();
        let tx = db.unchecked_transaction()?;
        let mut put = tx.prepare_cached("INSERT OR REPLACE INTO passwords VALUES (?1, ?2)")?;
        put.execute(params![account.as_bytes(), record])?;
        drop(put);
        tx.prepare_cached("DELETE FROM permits WHERE account = ?1")?.execute([account.as_bytes()])?;
        // PMT-3: somebody has a device of the account, and wants nobody reset it
        tx.prepare_cached("DELETE FROM reset_permits WHERE account = ?1")?.execute([account.as_bytes()])?;
        tx.commit()
    }

    /// Forgets the password record of an account that was not opened.
    pub(crate) fn remove_password(&self, account: &AccountId) -> Result<(), rusqlite::Error> {
        let db = self.writer();
        let mut delete = db.prepare_cached("DELETE FROM passwords WHERE account = ?1")?;
        delete.execute([account.as_bytes()]).map(|_| ())
    }

    /// A password record.
    pub(crate) fn password(&self, credential: &Credential) -> Result<Option<Vec<u8>>, rusqlite::Error> {
        self.readers.with(|db| {
            let mut select = db.prepare_cached("SELECT record FROM passwords WHERE account = ?1")?;
            select.query_row([credential.as_bytes()], |row| row.get(0)).optional()
        })
    }

    /// Keeps a permit of an account that has this password record; false if it has another one by now.
    pub(crate) fn put_permit(
        &self,
        permit: &Secret,
        (account, record): (&AccountId, &[u8]),
        now_s: u64,
        ends_s: u64,
    ) -> Result<bool, rusqlite::Error> {
        let db = self.writer();
        let tx = db.unchecked_transaction()?;
        tx.prepare_cached("DELETE FROM permits WHERE ends_s <= ?1")?.execute([column(now_s)])?;
        let mut insert = tx.prepare_cached(
            "INSERT INTO permits SELECT ?1, ?2, ?3, NULL FROM passwords WHERE account = ?2 AND record = ?4",
        )?;
        let kept = insert.execute(params![permit.hash().as_bytes(), account.as_bytes(), column(ends_s), record])?;
        drop(insert);
        tx.commit()?;
        Ok(kept == 1)
    }

    /// Spends a permit of an account on a device. False if there is none, it has ended, or it was spent on another. For
    /// the same device again it is good, so that a lost answer or a conflict needs no second log-in.
    pub(crate) fn spend_permit(
        &self,
        permit: &Secret,
        account: &AccountId,
        device: &DeviceId,
        now_s: u64,
    ) -> Result<bool, rusqlite::Error> {
        let db = self.writer();
        let mut update = db.prepare_cached(
            "UPDATE permits SET device = ?1 WHERE hash = ?2 AND account = ?3 AND ends_s > ?4 \
             AND (device IS NULL OR device = ?1)",
        )?;
        let hash = permit.hash();
        let found = update.execute(params![device.as_bytes(), hash.as_bytes(), account.as_bytes(), column(now_s)])?;
        Ok(found == 1)
    }

    /// Keeps an operator's permit for a reset of an account, in the place of the one that there was (PMT-3).
    pub(crate) fn put_reset_permit(
        &self,
        permit: &Secret,
        account: &AccountId,
        now_s: u64,
        ends_s: u64,
    ) -> Result<(), rusqlite::Error> {
        let db = self.writer();
        let tx = db.unchecked_transaction()?;
        tx.prepare_cached("DELETE FROM reset_permits WHERE ends_s <= ?1")?.execute([column(now_s)])?;
        let mut put = tx.prepare_cached("INSERT OR REPLACE INTO reset_permits VALUES (?1, ?2, ?3, NULL)")?;
        put.execute(params![account.as_bytes(), permit.hash().as_bytes(), column(ends_s)])?;
        drop(put);
        tx.commit()
    }

    /// True if this is the operator's permit for a reset of the account, has not ended, and was spent on no other device.
    pub(crate) fn has_reset_permit(
        &self,
        permit: &Secret,
        account: &AccountId,
        device: &DeviceId,
        now_s: u64,
    ) -> Result<bool, rusqlite::Error> {
        let hash = permit.hash();
        self.readers.with(|db| {
            let mut select = db.prepare_cached(
                "SELECT EXISTS (SELECT * FROM reset_permits WHERE account = ?1 AND hash = ?2 AND ends_s > ?3 \
                 AND (device IS NULL OR device = ?4))",
            )?;
            let values = params![account.as_bytes(), hash.as_bytes(), column(now_s), device.as_bytes()];
            select.query_row(values, |row| row.get(0))
        })
    }

    /// Spends it on a device, for which it is good again until `again_until_s` at most. False if it is not there any more, or
    /// was spent on another.
    pub(crate) fn spend_reset_permit(
        &self,
        permit: &Secret,
        (account, device): (&AccountId, &DeviceId),
        now_s: u64,
        again_until_s: u64,
    ) -> Result<bool, rusqlite::Error> {
        let db = self.writer();
        let mut update = db.prepare_cached(
            "UPDATE reset_permits SET device = ?1, \
             ends_s = CASE WHEN device IS NULL THEN MIN(ends_s, ?2) ELSE ends_s END \
             WHERE account = ?3 AND hash = ?4 AND ends_s > ?5 AND (device IS NULL OR device = ?1)",
        )?;
        let (account, device, hash) = (account.as_bytes(), device.as_bytes(), permit.hash());
        let values = params![device, column(again_until_s), account, hash.as_bytes(), column(now_s)];
        Ok(update.execute(values)? == 1)
    }

    /// Keeps the token of a device, in the place of the one it had, if its number is greater than all before (TOK-1). If not,
    /// it is kept that there are two of the device, unless the request is only late.
    pub(crate) fn put_token(
        &self,
        token: &Secret,
        row: &TokenRow,
        (number, is_late): (u64, bool),
        now_s: u64,
    ) -> Result<Numbered, rusqlite::Error> {
        let db = self.writer();
        let tx = db.unchecked_transaction()?;
        tx.prepare_cached("DELETE FROM tokens WHERE ends_s <= ?1")?.execute([column(now_s)])?;
        let (account, device) = (row.account.as_bytes(), row.device.as_bytes());
        let mut select = tx.prepare_cached("SELECT number, cloned FROM numbers WHERE account = ?1 AND device = ?2")?;
        let before = select.query_row(params![account, device], |row| Ok((row.get::<_, i64>(0)?, row.get(1)?)));
        let before: Option<(i64, bool)> = before.optional()?;
        drop(select);
        if before.is_some_and(|(_, cloned)| cloned) {
            return Ok(Numbered::Cloned);
        }
        let is_new = before.is_none_or(|(before, _)| column(number) > before);
        if !is_new && is_late {
            return Ok(Numbered::Late);
        }
        tx.prepare_cached("DELETE FROM tokens WHERE account = ?1 AND device = ?2")?
            .execute(params![account, device])?;
        let newest = before.map_or(column(number), |(before, _)| before.max(column(number)));
        let mut keep = tx.prepare_cached("INSERT OR REPLACE INTO numbers VALUES (?1, ?2, ?3, ?4)")?;
        keep.execute(params![account, device, newest, !is_new])?;
        drop(keep);
        if !is_new {
            tx.commit()?;
            return Ok(Numbered::Cloned);
        }
        let mut insert = tx.prepare_cached("INSERT INTO tokens VALUES (?1, ?2, ?3, ?4)")?;
        insert.execute(params![token.hash().as_bytes(), account, device, column(row.ends_s)])?;
        drop(insert);
        tx.commit()?;
        Ok(Numbered::Kept)
    }

    /// Keeps when devices were last here, and forgets whoever was not for longer than a year.
    pub(crate) fn keep_seen(&self, rows: &BTreeMap<Owner, u64>, now_s: u64) -> Written {
        let db = self.writer();
        let tx = db.unchecked_transaction()?;
        tx.prepare_cached("DELETE FROM seen WHERE at_s < ?1")?.execute([column(now_s.saturating_sub(SEEN_KEPT_S))])?;
        let mut put = tx.prepare_cached("INSERT OR REPLACE INTO seen VALUES (?1, ?2, ?3)")?;
        for (owner, at_s) in rows {
            put.execute(params![owner.account.as_bytes(), owner.device.as_bytes(), column(*at_s)])?;
        }
        drop(put);
        tx.commit()
    }

    /// When the devices of an account were last here, as far as that is kept.
    pub(crate) fn seen(&self, account: &AccountId) -> Result<BTreeMap<DeviceId, u64>, rusqlite::Error> {
        self.readers.with(|db| {
            let mut select = db.prepare_cached("SELECT device, at_s FROM seen WHERE account = ?1")?;
            let row = |row: &rusqlite::Row<'_>| Ok((DeviceId(row.get(0)?), row.get::<_, i64>(1)?.unsigned_abs()));
            select.query_map([account.as_bytes()], row)?.collect()
        })
    }

    /// Whose token this is.
    pub(crate) fn token(&self, token: &Secret) -> Result<Option<TokenRow>, rusqlite::Error> {
        let Digest(hash) = token.hash();
        self.readers.with(|db| {
            let mut select = db.prepare_cached("SELECT account, device, ends_s FROM tokens WHERE hash = ?1")?;
            let row = |row: &rusqlite::Row<'_>| {
                let ends_s: i64 = row.get(2)?;
                let (account, device) = (AccountId(row.get(0)?), DeviceId(row.get(1)?));
                Ok(TokenRow { account, device, ends_s: ends_s.unsigned_abs() })
            };
            select.query_row([hash], row).optional()
        })
    }
}

/// Done and on disk.
pub(crate) type Written = Result<(), rusqlite::Error>;
