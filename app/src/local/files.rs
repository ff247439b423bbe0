//! What commands and the agent say to each other about files.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use client::query::FileRow;
use protocol::bytes::Base64Url;
use protocol::content::Preview;
use serde::{Deserialize, Serialize};

use crate::clock::{now_ms, rfc3339};

/// The service need not have a file any more.
pub(crate) const EXPIRED: &str = "expired";
/// And it is on this machine.
pub(crate) const KEPT: &str = "kept";

/// The file of a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FileInfo {
    /// Tamed: one part of a path, nothing hidden, nothing that moves a cursor.
    pub(crate) name: String,
    /// In bytes.
    pub(crate) size: u64,
    /// Its media type, as its sender says.
    pub(crate) kind: String,
    /// True for a picture that may be shown in its place.
    pub(crate) inline: bool,
    /// `available`; `expired` once the service need not have it any more, or `kept` if it is on this machine then.
    pub(crate) state: String,
    /// Until when the service keeps it at least.
    pub(crate) expires_at: Option<String>,
    /// Of a picture: points from left to right and from top to bottom, as its sender says.
    #[serde(default)]
    pub(crate) width: Option<u32>,
    #[serde(default)]
    pub(crate) height: Option<u32>,
    /// And what it is like from afar: its ThumbHash, base64url.
    #[serde(default)]
    pub(crate) preview: Option<String>,
}

impl From<FileRow> for FileInfo {
    fn from(row: FileRow) -> Self {
        let is_over = row.expires_s.is_some_and(|at| at <= now_ms() / 1_000);
        Self {
            name: row.name,
            size: row.length,
            kind: row.content_type,
            inline: row.inline,
            state: if is_over { EXPIRED } else { "available" }.to_owned(),
            expires_at: row.expires_s.map(|at| rfc3339(at.saturating_mul(1_000))),
            width: row.preview.as_ref().map(Preview::width),
            height: row.preview.as_ref().map(Preview::height),
            preview: row.preview.map(|it| URL_SAFE_NO_PAD.encode(it.thumb())),
        }
    }
}

/// How far a file is on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Moving {
    /// Names it, to stop it.
    pub(crate) transfer: i64,
    /// Encrypted bytes that are where they are to be.
    pub(crate) done: u64,
    /// Of so many; 0 as long as it has not begun.
    pub(crate) total: u64,
}

/// A file that waits to be sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Outgoing {
    pub(crate) transfer: i64,
    /// For whom it is, as `send_file` said it.
    #[serde(default)]
    pub(crate) to: String,
    pub(crate) name: String,
    /// In bytes.
    pub(crate) size: u64,
    pub(crate) done: u64,
    pub(crate) total: u64,
}

/// A file that is being saved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Coming {
    pub(crate) transfer: i64,
    /// The message that it came with, and where that stands.
    pub(crate) message: String,
    pub(crate) conversation: String,
    pub(crate) name: String,
    /// In bytes.
    pub(crate) size: u64,
    pub(crate) done: u64,
    pub(crate) total: u64,
}

/// What a list of files ends with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Listed {
    pub(crate) outgoing: Vec<Outgoing>,
    #[serde(default)]
    pub(crate) incoming: Vec<Coming>,
}

/// The picture of a conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Portrait {
    /// A JPEG.
    pub(crate) picture: Base64Url,
}

/// A file was fetched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Saved {
    /// The message that it came with.
    pub(crate) message: String,
    /// Where it is.
    pub(crate) path: String,
    /// In bytes.
    pub(crate) size: u64,
}
