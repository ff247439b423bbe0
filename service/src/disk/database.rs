//! How a database beside the record is opened: one connection writes, each durable when it says so, and readers see whole
//! transactions only. What is deleted is overwritten.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

/// How long a connection waits while the file is being set up.
const WAIT: Duration = Duration::from_secs(10);

/// Opens a database for writing, and makes the tables of `schema` that are missing.
///
/// # Errors
/// The store.
pub(crate) fn open_writer(path: &Path, schema: &str) -> Result<Connection, rusqlite::Error> {
    let db = Connection::open(path)?;
    db.busy_timeout(WAIT)?;
    db.pragma_update(None, "journal_mode", "WAL")?;
    db.pragma_update(None, "synchronous", "FULL")?;
    db.pragma_update(None, "secure_delete", "ON")?;
    db.execute_batch(schema)?;
    Ok(db)
}

/// Opens it for reading.
///
/// # Errors
/// The store.
pub(crate) fn open_reader(path: &Path) -> Result<Connection, rusqlite::Error> {
    let db = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    db.busy_timeout(WAIT)?;
    Ok(db)
}
