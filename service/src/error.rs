//! Why the service does not start, and why it stops.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use chain::audit::BlockBroken;
use protocol::refusal;
use thiserror::Error;

/// Why the service does not start. [`StartError::code`] is stable.
#[derive(Debug, Error)]
pub enum StartError {
    /// Another process has the data folder.
    #[error("another process has this data folder open")]
    Locked,
    /// A file cannot be read or written.
    #[error("the data folder cannot be used")]
    Io(#[from] io::Error),
    /// Nobody can listen at this address, or somebody does already.
    #[error("the service cannot listen at {address}")]
    Socket {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The certificate or its key is not usable.
    #[error("{} cannot be used for TLS: {reason}", .file.display())]
    Tls {
        /// Which file.
        file: PathBuf,
        /// Why.
        reason: &'static str,
    },
    /// The database cannot be read or written.
    #[error("the database cannot be used")]
    Store(#[from] rusqlite::Error),
    /// The store contradicts itself.
    #[error("the store is damaged: {0}")]
    Corrupt(#[from] Corrupt),
    /// A witness has cosigned more than the store has, or something else.
    #[error("witness {witness} has cosigned size {cosigned}, the store has size {stored}{}", if *.cosigned <= *.stored { " with another root" } else { "" })]
    Rollback {
        /// The witness's name.
        witness: String,
        /// What it has cosigned.
        cosigned: u64,
        /// What the store has.
        stored: u64,
    },
    /// A key file does not hold a key.
    #[error("the key file for {name} does not hold a key")]
    BadKey {
        /// Which key.
        name: &'static str,
    },
    /// The system gives no random bytes.
    #[error("the system gives no random bytes")]
    NoRandomness,
    /// The origin is not 1 to 128 visible ASCII characters without `+`.
    #[error("an origin is 1 to 128 visible ASCII characters without a plus")]
    BadOrigin,
    /// The log has another origin than the one asked for.
    #[error("the log in this folder has the origin {stored}")]
    OtherOrigin {
        /// Its origin.
        stored: String,
    },
    /// A witness's address or key is not one.
    #[error("{0} is no witness: give a URL, or a verifier key, @ and a URL")]
    BadWitness(String),
    /// The service ended while it was running.
    #[error(transparent)]
    Stopped(#[from] Stopped),
}

impl StartError {
    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Locked => refusal::STORE_LOCKED,
            Self::Store(error) => code_of(error),
            Self::Io(_) | Self::BadKey { .. } | Self::NoRandomness => refusal::STORE_IO,
            Self::Corrupt(_) => refusal::STORE_CORRUPT,
            Self::Rollback { .. } => refusal::STORE_ROLLBACK,
            Self::Socket { .. } => "service.socket",
            Self::Tls { .. } => "service.tls",
            Self::BadOrigin | Self::OtherOrigin { .. } => "service.origin",
            Self::BadWitness(_) => "service.witness",
            Self::Stopped(stopped) => stopped.code(),
        }
    }
}

/// What in the store contradicts what (attack 24). Nothing is signed after one of these.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Corrupt {
    /// Bytes that are not what they were written as.
    #[error("{what} cannot be read")]
    Unreadable {
        /// What was being read.
        what: &'static str,
    },
    /// The headers do not make the log root that was signed.
    #[error("the headers do not make the log root that was signed")]
    LogRoot,
    /// The records do not make the map root of the newest header.
    #[error("the records do not make the map root of block {block}")]
    MapRoot {
        /// The newest block.
        block: u64,
    },
    /// A record is not the one whose hash is in the map.
    #[error("the record of {what} is not the one in the map")]
    Record {
        /// Whose record.
        what: String,
    },
    /// The second look at a block came to another result than the first.
    #[error("block {block} fails the second look: {reason}")]
    SecondLook {
        /// The block.
        block: u64,
        /// What it found.
        reason: SecondLook,
    },
}

/// What the second look at a block found (BLK-7).
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SecondLook {
    /// The block breaks a rule.
    #[error(transparent)]
    Broken(#[from] BlockBroken),
    /// The changes do not lead from the signed root to the new one.
    #[error("the changes do not lead from the old root to the new one")]
    Transition,
    /// An entry has a signature that was not checked.
    #[error("an entry has a signature that nobody checked")]
    Unchecked,
}

/// Why a running service ended.
#[derive(Debug, Error)]
pub enum Stopped {
    /// The store is damaged.
    #[error("the store is damaged: {0}")]
    Corrupt(#[from] Corrupt),
    /// A write failed; it is not tried again (BLK-7).
    #[error("a write failed")]
    Io(#[from] io::Error),
    /// A transaction failed; it is not tried again.
    #[error("a transaction failed")]
    Store(#[from] rusqlite::Error),
    /// A witness has cosigned what this store does not have: a larger log, or another one of this size.
    #[error("a witness has cosigned a log of size {cosigned} that this store does not have")]
    Rollback {
        /// What it has cosigned.
        cosigned: u64,
    },
    /// A key does not sign, or a proof cannot be made of what is there: a fault of this program.
    #[error("{what} failed")]
    Fault {
        /// What failed.
        what: &'static str,
    },
}

impl Stopped {
    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Corrupt(_) => refusal::STORE_CORRUPT,
            Self::Rollback { .. } => refusal::STORE_ROLLBACK,
            Self::Store(error) => code_of(error),
            Self::Io(_) => refusal::STORE_IO,
            Self::Fault { .. } => "service.fault",
        }
    }
}

/// SQLite notices some damage itself.
fn code_of(error: &rusqlite::Error) -> &'static str {
    match error.sqlite_error_code() {
        Some(rusqlite::ErrorCode::DatabaseCorrupt | rusqlite::ErrorCode::NotADatabase) => refusal::STORE_CORRUPT,
        _ => refusal::STORE_IO,
    }
}
