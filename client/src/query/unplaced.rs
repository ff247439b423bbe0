//! What was written to somebody with whom there is no conversation yet.

use crate::error::Error;
use crate::intent::{self, Want};
use crate::record;
use crate::store::Store;

/// A text that waits for somebody to be found, and for the record to prove his devices (CHK-9).
#[derive(Clone, PartialEq, Eq)]
pub struct UnplacedRow {
    /// To whom, as the writer called him.
    pub to: String,
    /// What.
    pub text: String,
    /// True if it waits because the record cannot be checked now.
    pub is_unproven: bool,
}

/// All of them, oldest first.
///
/// # Errors
/// [`Error`].
pub fn unplaced(store: &Store<'_>) -> Result<Vec<UnplacedRow>, Error> {
    let is_unproven = record::stored_trouble(store)?.is_some_and(|trouble| !trouble.is_lie);
    let texts = intent::stored(store)?.into_iter().filter_map(|intent| match intent.want {
        Want::Send { to, text } | Want::SendFile { to, text } => Some((to, text)),
        _ => None,
    });
    Ok(texts.map(|(to, text)| UnplacedRow { to, text, is_unproven }).collect())
}
