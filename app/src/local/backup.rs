//! What commands and the agent say to each other about a backup file: the agent has the messages, the command the file.

use protocol::backup::Part;
use protocol::bytes::Base64Url;
use serde::{Deserialize, Serialize};

use crate::failure::{Failure, Kind};

/// A message that may belong into the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct BackupRow {
    /// Where the agent has it; ascending.
    pub(crate) row: i64,
    /// Its id.
    pub(crate) message: String,
    /// What it said first belongs into no file any more.
    #[serde(rename = "rest")]
    pub(crate) is_rest: bool,
}

/// What is in a part of the file, as docs/protocol.md §26 has it.
#[derive(Serialize, Deserialize)]
pub(crate) struct BackupPart {
    pub(crate) part: Base64Url,
}

/// Whose a file of this device is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct BackupOwner {
    /// Of the log.
    pub(crate) origin: String,
    pub(crate) account: String,
    pub(crate) handle: String,
}

/// What became of a part that was taken in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct BackupTaken {
    /// Messages that were not here.
    pub(crate) messages: u64,
    /// Settings that took the place of what was here.
    pub(crate) settings: u64,
    /// Conversations that are still to be looked at.
    pub(crate) left: u64,
}

impl BackupPart {
    /// As it stands on the socket.
    ///
    /// # Errors
    /// `app.broken` for more than a part has room for.
    pub(crate) fn of(part: &Part) -> Result<Self, Failure> {
        let bytes = part.encode().ok_or_else(|| Failure::broken("a part that is too long"))?;
        Ok(Self { part: Base64Url(bytes) })
    }

    /// What it says.
    ///
    /// # Errors
    /// `request.malformed`.
    pub(crate) fn read(&self) -> Result<Part, Failure> {
        let malformed = |_| Failure::new(Kind::Misuse, "request.malformed", "this is no part of a backup");
        Part::decode(&self.part.0).map_err(malformed)
    }
}
