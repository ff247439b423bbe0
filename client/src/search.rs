//! Search in what is here, without asking anybody.
//!
//! Every message is sealed by itself, and to open a hundred thousand of them takes half a second. So the texts of each
//! [`PIECE`] messages that came one after the other are kept once more, together and as they are compared, sealed like
//! everything: without the store's key nothing of them can be read, or guessed and tried (attack 62). A piece says where
//! to look and nothing more; what is found is read from its own row. Rows are never used twice, so a piece is written once,
//! and again when the text of one of its messages changes or goes; what came after the last one is opened row by row.

use std::collections::BTreeSet;

use chain::encoding::{DecodeError, Reader, Writer};
use chain::handle::Handle;
use chain::id::AccountId;
use protocol::id::GroupId;
use rusqlite::params;

use crate::error::Error;
use crate::history::history;
use crate::message::Stored;
use crate::query::{MessageRow, MessageState, accounts_called, groups_meant, rows_of};
use crate::store::Store;
use crate::turn::Turn;

/// Pieces; by the row of the last message in each.
pub(crate) const SEARCH: &str = "search";
/// Messages of a piece.
const PIECE: u32 = 128;
/// Most pieces that one step makes.
const PIECES_A_STEP: usize = 8;

/// Of so many rows at most the pieces are made later.
const MOST_LATER: i64 = 20_000;

/// What somebody looks for.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// Words, each of which has to be in the text, in any case of letters, also as a part of a longer word.
    pub words: &'a str,
    /// Only in the conversations that this handle, title or beginning of an id names.
    pub with: Option<&'a str>,
    /// Only what somebody of this handle wrote.
    pub from: Option<&'a str>,
    /// Most messages to give.
    pub limit: usize,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The newest of them, newest first.
    pub rows: Vec<MessageRow>,
    /// How many there are.
    pub found: u64,
    /// How many messages were looked through.
    pub messages: u64,
    /// When the oldest of those was written, milliseconds since 1970.
    pub since_ms: Option<u64>,
    /// False while older messages are still on their way from another device of the account.
    pub complete: bool,
}

/// A name that means nothing here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unknown {
    /// No conversation is called that.
    Conversation,
    /// Nobody is.
    Person,
}

/// Looks through all messages that are here.
///
/// # Errors
/// [`Error`].
pub fn search(store: &Store<'_>, wanted: &Wanted<'_>) -> Result<Result<Found, Unknown>, Error> {
    let groups = match wanted.with {
        Some(with) => Some(groups_meant(store, with)?),
        None => None,
    };
    if groups.as_ref().is_some_and(Vec::is_empty) {
        return Ok(Err(Unknown::Conversation));
    }
    let accounts = match wanted.from.map(|from| Handle::parse(from.split('@').next().unwrap_or_default())) {
        Some(Ok(handle)) => Some(accounts_called(store, &handle)?),
        Some(Err(_)) => Some(BTreeSet::new()),
        None => None,
    };
    if accounts.as_ref().is_some_and(BTreeSet::is_empty) {
        return Ok(Err(Unknown::Person));
    }
    let words = folded(wanted.words);
    let sieve = Sieve { words: words.split_whitespace().collect(), groups: groups.as_deref(), accounts };
    let matched = sieve.matched(store)?;
    let (mut found, mut rows, mut newest) = (0_u64, 0_u64, Vec::new());
    store.each_row_newest_first(|row| {
        rows = rows.saturating_add(1);
        if matched.binary_search(&row).is_ok() {
            found = found.saturating_add(1);
            if newest.len() < wanted.limit {
                newest.push(row);
            }
        }
    })?;
    let (messages, oldest) = match &groups {
        None => (rows, store.oldest_message(None)?),
        Some(groups) => {
            let (mut messages, mut oldest) = (0_u64, None);
            for group in groups {
                messages = messages.saturating_add(store.count_messages(group)?);
                let first = store.oldest_message(Some(group))?;
                oldest = [oldest, first].into_iter().flatten().min_by_key(|it: &Stored| it.kept.sent_at_ms);
            }
            (messages, oldest)
        }
    };
    let mut stored = Vec::with_capacity(newest.len());
    for row in newest {
        stored.extend(store.message(row)?);
    }
    Ok(Ok(Found {
        rows: rows_of(store, stored)?,
        found,
        messages,
        since_ms: oldest.map(|it| it.kept.sent_at_ms),
        complete: history(store)?.is_none_or(|history| history.complete),
    }))
}

/// What a message has to have.
struct Sieve<'a> {
    words: Vec<&'a str>,
    groups: Option<&'a [GroupId]>,
    accounts: Option<BTreeSet<AccountId>>,
}

impl Sieve<'_> {
    /// The rows of all that pass, ascending.
    fn matched(&self, store: &Store<'_>) -> Result<Vec<i64>, Error> {
        let (mut matched, mut last) = (Vec::new(), 0);
        for key in store.keys(SEARCH)? {
            last = row_of(&key)?;
            let piece = store.bytes(SEARCH, &key)?.unwrap_or_default();
            self.pass_piece(&piece, &mut matched).map_err(|_| Error::Damaged)?;
        }
        loop {
            let some = store.messages_of_rows_after(last, PIECE)?;
            let Some(newest) = some.last() else { return Ok(matched) };
            last = newest.row;
            let passes =
                |it: &&Stored| self.is_from(&it.group, &it.kept.from) && self.has_words(&folded(&it.kept.text));
            matched.extend(some.iter().filter(|it| can_be_found(it)).filter(passes).map(|it| it.row));
        }
    }

    fn pass_piece(&self, piece: &[u8], matched: &mut Vec<i64>) -> Result<(), DecodeError> {
        let mut r = Reader::new(piece);
        let mut origins = Vec::new();
        for _ in 0..r.u8("origins")? {
            let (group, account) = (GroupId(r.array("group")?), AccountId(r.array("account")?));
            origins.push(self.is_from(&group, &account));
        }
        while r.remaining() > 0 {
            let (row, origin) = (r.u64("row")?, r.u8("origin")?);
            let text = r.bytes32(piece.len(), "text")?;
            let is_from = origins.get(usize::from(origin)).is_some_and(|is_from| *is_from);
            if is_from && std::str::from_utf8(text).is_ok_and(|text| self.has_words(text)) {
                matched.extend(i64::try_from(row));
            }
        }
        Ok(())
    }

    fn is_from(&self, group: &GroupId, account: &AccountId) -> bool {
        self.groups.is_none_or(|groups| groups.contains(group))
            && self.accounts.as_ref().is_none_or(|accounts| accounts.contains(account))
    }

    fn has_words(&self, text: &str) -> bool {
        self.words.iter().all(|word| text.contains(word))
    }
}

/// A text as it is compared: in lower case, letter by letter.
fn folded(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    // a sigma at the end of a word is the same letter
    text.chars().flat_map(char::to_lowercase).map(|letter| if letter == 'ς' { 'σ' } else { letter }).collect()
}

/// What could not be read has no text, and what nobody is shown is no message.
fn can_be_found(stored: &Stored) -> bool {
    stored.kept.is_shown && stored.kept.about.is_none() && stored.kept.state != MessageState::Unreadable
}

/// The row that a key of a piece names.
fn row_of(key: &[u8]) -> Result<i64, Error> {
    key.try_into().map(i64::from_be_bytes).map_err(|_| Error::Damaged)
}

/// The texts of some messages with their rows, behind the conversations and accounts that they are of.
fn piece_of(messages: &[Stored]) -> Vec<u8> {
    let mut origins: Vec<(GroupId, AccountId)> = Vec::new();
    let mut texts = Writer::new();
    for stored in messages.iter().filter(|it| can_be_found(it)) {
        let origin = (stored.group, stored.kept.from);
        let place = origins.iter().position(|it| *it == origin).unwrap_or_else(|| {
            origins.push(origin);
            origins.len().saturating_sub(1)
        });
        // a piece has fewer than 256 messages
        let place = u8::try_from(place).unwrap_or(u8::MAX);
        texts.u64(stored.row.unsigned_abs()).u8(place).bytes32(folded(&stored.kept.text).as_bytes());
    }
    let mut piece = Writer::new();
    piece.u8(u8::try_from(origins.len()).unwrap_or(u8::MAX));
    for (group, account) in origins {
        piece.raw(&group.0).raw(&account.0);
    }
    piece.raw(&texts.finish());
    piece.finish()
}

impl Turn<'_> {
    /// Makes pieces of what came, once it is enough for one.
    pub(crate) fn go_on_indexing(&mut self) -> Result<(), Error> {
        let key = self.store.last_key(SEARCH)?;
        let mut last = key.as_deref().map_or(Ok(0), row_of)?;
        // whoever waits for old messages waits for them first; so many can be searched as they are
        if self.store.newest_row()?.saturating_sub(last) < MOST_LATER && self.history_comes_first() {
            return Ok(());
        }
        for _ in 0..PIECES_A_STEP {
            if self.store.newest_row()?.saturating_sub(last) < i64::from(PIECE) {
                return Ok(());
            }
            let some = self.store.messages_of_rows_after(last, PIECE)?;
            let Some(newest) = some.last().filter(|_| u32::try_from(some.len()) == Ok(PIECE)) else { return Ok(()) };
            last = newest.row;
            self.store.put_bytes(SEARCH, &last.to_be_bytes(), &piece_of(&some))?;
        }
        // there may be more
        self.wake(self.now_ms);
        Ok(())
    }
}

impl Turn<'_> {
    /// The text of a message is another one now: the piece that it is in is made anew.
    pub(crate) fn index_again(&mut self, row: i64) -> Result<(), Error> {
        let Some(key) = self.store.key_from(SEARCH, &row.to_be_bytes())? else { return Ok(()) };
        let before = self.store.key_before(SEARCH, &key)?.as_deref().map_or(Ok(0), row_of)?;
        let some = self.store.messages_of_rows(before, row_of(&key)?)?;
        self.store.put_bytes(SEARCH, &key, &piece_of(&some))
    }
}

impl Store<'_> {
    /// The row that was added last.
    fn newest_row(&self) -> Result<i64, Error> {
        let newest = "SELECT coalesce(max(id), 0) FROM messages";
        Ok(self.db().prepare_cached(newest)?.query_row([], |row| row.get(0))?)
    }

    /// Calls with each row that is shown.
    fn each_row_newest_first(&self, mut call: impl FnMut(i64)) -> Result<(), Error> {
        let mut select = self
            .db()
            .prepare_cached("SELECT id FROM messages WHERE shown AND about IS NULL ORDER BY place DESC, id DESC")?;
        let mut rows = select.query(params![])?;
        while let Some(row) = rows.next()? {
            call(row.get(0)?);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_are_the_same_in_any_case() {
        assert_eq!(folded("Straße ÄÖÜ ΟΔΟΣ"), folded("STRAßE äöü οδος"));
        assert_eq!(folded("HELLO, world"), "hello, world");
        assert_ne!(folded("a"), folded("ä"));
    }

    #[test]
    fn a_damaged_piece_is_an_error_and_no_panic() {
        let sieve = Sieve { words: vec!["x"], groups: None, accounts: None };
        for piece in [&[][..], &[1], &[0, 1, 2], &[0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 9]] {
            assert!(sieve.pass_piece(piece, &mut Vec::new()).is_err(), "{piece:?}");
        }
    }
}
