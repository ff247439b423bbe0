//! What a person may ask of files.

use std::collections::BTreeSet;

use chain::id::Digest;
use protocol::content::{External, Preview};
use protocol::id::{GroupId, MessageId};

use super::MessageRow;
use super::talk::rows_of;
use crate::conversation;
use crate::error::Error;
use crate::files::{download, file_of, outgoing};
use crate::intent::{Intent, Want, stored};
use crate::step::IntentId;
use crate::store::Store;
use crate::transfer::{Download, Target};

/// The file that a message names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileRow {
    /// Its name, tamed: one part of a path, nothing hidden.
    pub name: String,
    /// Its length in bytes.
    pub length: u64,
    /// What its sender says that it is.
    pub content_type: String,
    /// True for a picture that may be shown in its place.
    pub inline: bool,
    /// Until when the service keeps it at least, seconds since 1970, if that is known.
    pub expires_s: Option<u64>,
    /// How large a picture is and what it is like, as its sender says (BLB-10).
    pub preview: Option<Preview>,
}

impl FileRow {
    pub(crate) fn of(file: &External) -> Self {
        Self {
            name: file.name.clone(),
            length: file.length,
            content_type: file.content_type.clone(),
            inline: file.inline,
            expires_s: Some(u64::from(file.expires_s)).filter(|at| *at > 0),
            preview: file.preview.clone(),
        }
    }
}

/// A file that is to be sent, and is not yet at the service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutgoingRow {
    /// The intent.
    pub intent: IntentId,
    /// For whom it is, as somebody said it: a handle, or a conversation's id or name.
    pub to: String,
    /// Where it is on this machine.
    pub path: String,
    /// Its name.
    pub name: String,
    /// Its length in bytes.
    pub length: u64,
}

/// A file that is on its way here, to be saved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IncomingRow {
    /// The intent.
    pub intent: IntentId,
    /// The message that it came with.
    pub message: MessageId,
    /// Where that stands.
    pub group: GroupId,
    /// What it is.
    pub file: FileRow,
}

/// The messages with a file whose id begins so (hexadecimal).
///
/// # Errors
/// [`Error`].
pub fn files_called(store: &Store<'_>, beginning: &str) -> Result<Vec<MessageRow>, Error> {
    let groups: Vec<_> = conversation::all(store)?.into_iter().map(|it| it.group).collect();
    let mut found = store.messages_called(&groups, &beginning.to_ascii_lowercase())?;
    found.retain(|stored| file_of(&stored.kept.content).is_some());
    rows_of(store, found)
}

/// What opens the file of a message out of what is kept of it; `None` if it has none.
///
/// # Errors
/// [`Error`].
pub fn file_download(store: &Store<'_>, row: &MessageRow, target: Option<Target>) -> Result<Option<Download>, Error> {
    let stored = store.message_by_id(&row.group, &row.message)?;
    Ok(stored.and_then(|it| file_of(&it.kept.content)).and_then(|file| download(&file, row.message, target)))
}

/// Which of these messages are here and have a file: for no other one anything may be kept (BLB-8).
///
/// # Errors
/// [`Error`].
pub fn with_files(store: &Store<'_>, messages: &BTreeSet<MessageId>) -> Result<BTreeSet<MessageId>, Error> {
    let mut found = BTreeSet::new();
    for row in store.rows_with_ids(messages)? {
        let stored = store.message(row)?.filter(|it| file_of(&it.kept.content).is_some());
        found.extend(stored.map(|it| it.message));
    }
    Ok(found)
}

/// The files that wait to be sent, oldest first.
///
/// # Errors
/// [`Error`].
pub fn outgoing_files(store: &Store<'_>) -> Result<Vec<OutgoingRow>, Error> {
    let mut rows = Vec::new();
    for Intent { id: intent, want } in stored(store)? {
        if let Want::SendFile { to, .. } = want
            && let Some((path, name, length)) = outgoing(store, intent)?
        {
            rows.push(OutgoingRow { intent, to, path, name, length });
        }
    }
    Ok(rows)
}

/// The files that somebody wants to save and that are not here yet, oldest wish first.
///
/// # Errors
/// [`Error`].
pub fn incoming_files(store: &Store<'_>) -> Result<Vec<IncomingRow>, Error> {
    let mut rows = Vec::new();
    for Intent { id: intent, want } in stored(store)? {
        let Want::SaveFile { message, .. } = want else { continue };
        for row in files_called(store, &Digest(message).to_string())? {
            let MessageRow { message, group, file, .. } = row;
            rows.extend(file.map(|file| IncomingRow { intent, message, group, file }));
        }
    }
    Ok(rows)
}
