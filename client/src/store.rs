//! What a device keeps, over an open transaction of its shell: sealed values by space and key, and four lists in order.
//!
//! Whatever is written here is on disk when the shell commits, together with the state of the groups, or not at all
//! (TXN-1, TXN-2).

use rusqlite::{Connection, OptionalExtension as _, Transaction, params};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::Error;
use crate::seal::StoreKey;

/// The version of the schema, in `PRAGMA user_version`.
const VERSION: i64 = 4;

/// Prepares a database: settings and tables. Called once per opening, outside of a transaction.
///
/// # Errors
/// [`Error`]: the disk, or a database of a newer or older program.
pub fn prepare(db: &Connection) -> Result<(), Error> {
    db.pragma_update(None, "journal_mode", "WAL")?;
    db.pragma_update(None, "synchronous", "FULL")?;
    db.pragma_update(None, "secure_delete", "ON")?;
    let version: i64 = db.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if version > VERSION {
        return Err(Error::NewerStore);
    }
    if (1..VERSION).contains(&version) {
        return Err(Error::OlderStore);
    }
    db.execute_batch(include_str!("schema.sql"))?;
    db.pragma_update(None, "user_version", VERSION)?;
    Ok(())
}

/// Empties the write-ahead log into the database: what was written over or deleted before, as the keys of messages that were
/// read, is in neither file then. For a moment in which nothing else is to be done.
///
/// # Errors
/// [`Error`]: the disk. It can be tried again later.
pub fn tidy(db: &Connection) -> Result<(), Error> {
    db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
    Ok(())
}

/// The store inside one transaction.
#[derive(Clone, Copy)]
pub struct Store<'a> {
    db: &'a Connection,
    key: &'a StoreKey,
}

impl std::fmt::Debug for Store<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Store(..)")
    }
}

impl<'a> Store<'a> {
    /// Over an open transaction.
    pub fn new(transaction: &'a Transaction<'_>, key: &'a StoreKey) -> Self {
        Self { db: transaction, key }
    }

    /// For reading only, without a transaction.
    pub fn reading(db: &'a Connection, key: &'a StoreKey) -> Self {
        Self { db, key }
    }

    /// The connection, for lists of one's own.
    pub(crate) fn db(&self) -> &'a Connection {
        self.db
    }

    /// Seals a value for a place.
    pub(crate) fn seal(&self, place: &[&[u8]], value: &[u8]) -> Result<Vec<u8>, Error> {
        self.key.seal(place, value)
    }

    /// Opens a value of a place.
    pub(crate) fn open(&self, place: &[&[u8]], sealed: &[u8]) -> Result<Vec<u8>, Error> {
        self.key.open(place, sealed)
    }

    /// The key to use for a name, so that it does not stand in the file.
    pub(crate) fn pseudonym(&self, space: &str, name: &str) -> [u8; 32] {
        self.key.pseudonym(space, name.as_bytes())
    }

    /// Reads the bytes at a key of a space.
    pub(crate) fn bytes(&self, space: &str, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        let mut select = self.db.prepare_cached("SELECT value FROM kept WHERE space = ?1 AND key = ?2")?;
        let sealed: Option<Vec<u8>> = select.query_row(params![space, key], |row| row.get(0)).optional()?;
        sealed.map(|sealed| self.key.open(&[space.as_bytes(), key], &sealed)).transpose()
    }

    /// Writes bytes.
    pub(crate) fn put_bytes(&self, space: &str, key: &[u8], value: &[u8]) -> Result<(), Error> {
        let sealed = self.key.seal(&[space.as_bytes(), key], value)?;
        self.db
            .prepare_cached(
                "INSERT INTO kept (space, key, value) VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET value = excluded.value",
            )?
            .execute(params![space, key, sealed])?;
        Ok(())
    }

    /// Removes what is at a key; nothing there is no error.
    pub(crate) fn remove(&self, space: &str, key: &[u8]) -> Result<(), Error> {
        self.db.prepare_cached("DELETE FROM kept WHERE space = ?1 AND key = ?2")?.execute(params![space, key])?;
        Ok(())
    }

    /// Removes a whole space.
    pub(crate) fn clear(&self, space: &str) -> Result<(), Error> {
        self.db.prepare_cached("DELETE FROM kept WHERE space = ?1")?.execute([space])?;
        Ok(())
    }

    /// Removes all spaces but these, and what came and was not processed.
    pub(crate) fn keep_only(&self, spaces: &[&str]) -> Result<(), Error> {
        let mut select = self.db.prepare_cached("SELECT DISTINCT space FROM kept")?;
        let found = select.query_map([], |row| row.get(0))?.collect::<Result<Vec<String>, _>>()?;
        for space in found.iter().filter(|space| !spaces.contains(&space.as_str())) {
            self.clear(space)?;
        }
        self.db.execute_batch("DELETE FROM deliveries")?;
        Ok(())
    }

    /// Removes all values of all spaces, all messages, and what came and was not processed.
    pub(crate) fn clear_all(&self) -> Result<(), Error> {
        self.db.execute_batch("DELETE FROM kept; DELETE FROM deliveries; DELETE FROM messages")?;
        Ok(())
    }

    /// All keys of a space, ascending.
    pub(crate) fn keys(&self, space: &str) -> Result<Vec<Vec<u8>>, Error> {
        let mut select = self.db.prepare_cached("SELECT key FROM kept WHERE space = ?1 ORDER BY key")?;
        let rows = select.query_map([space], |row| row.get(0))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// All keys of a space that begin so, ascending.
    pub(crate) fn keys_under(&self, space: &str, beginning: &[u8]) -> Result<Vec<Vec<u8>>, Error> {
        let mut select = self.db.prepare_cached("SELECT key FROM kept WHERE space = ?1 AND key >= ?2 ORDER BY key")?;
        let rows = select.query_map(params![space, beginning], |row| row.get(0))?;
        let is_under = |key: &Result<Vec<u8>, _>| key.as_ref().map_or(true, |key| key.starts_with(beginning));
        Ok(rows.take_while(is_under).collect::<Result<_, _>>()?)
    }

    /// The last key of a space.
    pub(crate) fn last_key(&self, space: &str) -> Result<Option<Vec<u8>>, Error> {
        let mut select = self.db.prepare_cached("SELECT max(key) FROM kept WHERE space = ?1")?;
        Ok(select.query_row([space], |row| row.get(0))?)
    }

    /// The first key of a space that is not below another one.
    pub(crate) fn key_from(&self, space: &str, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        let mut select = self.db.prepare_cached("SELECT min(key) FROM kept WHERE space = ?1 AND key >= ?2")?;
        Ok(select.query_row(params![space, key], |row| row.get(0))?)
    }

    /// The last key of a space below another one.
    pub(crate) fn key_before(&self, space: &str, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        let mut select = self.db.prepare_cached("SELECT max(key) FROM kept WHERE space = ?1 AND key < ?2")?;
        Ok(select.query_row(params![space, key], |row| row.get(0))?)
    }

    /// The first keys of a space, ascending.
    pub(crate) fn first_keys(&self, space: &str, count: usize) -> Result<Vec<Vec<u8>>, Error> {
        // a bound LIMIT would have SQLite plan the statement anew each time
        let mut select = self.db.prepare_cached("SELECT key FROM kept WHERE space = ?1 ORDER BY key")?;
        let rows = select.query_map([space], |row| row.get(0))?;
        Ok(rows.take(count).collect::<Result<_, _>>()?)
    }

    /// Reads a value.
    pub(crate) fn get<T: DeserializeOwned>(&self, space: &str, key: &[u8]) -> Result<Option<T>, Error> {
        let bytes = self.bytes(space, key)?;
        bytes.map(|bytes| serde_json::from_slice(&bytes).map_err(|_| Error::Damaged)).transpose()
    }

    /// Writes a value.
    pub(crate) fn put<T: Serialize>(&self, space: &str, key: &[u8], value: &T) -> Result<(), Error> {
        self.put_bytes(space, key, &serde_json::to_vec(value).map_err(|_| Error::Damaged)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_of_another_version_is_left_alone() {
        let db = Connection::open_in_memory().unwrap();
        prepare(&db).unwrap();
        prepare(&db).unwrap();
        for (version, code) in [(VERSION - 1, "store.older"), (VERSION + 1, "store.newer")] {
            db.pragma_update(None, "user_version", version).unwrap();
            assert_eq!(prepare(&db).unwrap_err().code(), code);
        }
    }
}
