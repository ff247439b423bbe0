//! The rows of messages: their text sealed, their order in the clear.

mod sealed;

use std::collections::BTreeSet;

use chain::id::{AccountId, DeviceId, Digest};
use protocol::content::{Content, Expiry, Receipt};
use protocol::id::{GroupId, MessageId};
use protocol::members::Leaf;
use rusqlite::{Row, params};

use crate::error::Error;
use crate::query::MessageState;
use crate::step::IntentId;
use crate::store::Store;

const MESSAGE: &[u8] = b"message";
/// What is not yet taken by the service stands behind everything that is.
pub(crate) const NOT_YET: i64 = 1 << 62;

/// The place of what was said here and has none yet, for those who compare places.
pub(crate) const NOT_YET_PLACED: u64 = u64::MAX;
/// What a row is about that is no message, or none any more: so it is not counted, searched or handed on.
pub(crate) const NOTHING: MessageId = Digest::ZERO;

/// What is kept of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Kept {
    pub(crate) from: AccountId,
    pub(crate) device: DeviceId,
    /// The content's bytes, as sent.
    pub(crate) content: Vec<u8>,
    /// The text to show; empty for what is no text.
    pub(crate) text: String,
    pub(crate) sent_at_ms: u64,
    pub(crate) state: MessageState,
    pub(crate) from_history: bool,
    pub(crate) encrypted_to: Vec<DeviceId>,
    /// The request that carries it, once encrypted, until the service has it.
    pub(crate) submission: Option<String>,
    /// The intent that wanted it.
    pub(crate) intent: Option<IntentId>,
    /// False for what this device tells others by itself, and for what only has an effect on another message.
    pub(crate) is_shown: bool,
    /// The message that this one has an effect on.
    pub(crate) about: Option<MessageId>,
    /// When it is to be gone. A column, and written only with the row.
    pub(crate) expires: Option<Expiry>,
    /// Its writer has said something else instead since.
    pub(crate) edited: bool,
    /// Its writer has taken it back: neither content nor text are kept.
    pub(crate) deleted: bool,
    /// Of one that was taken back, what it named as the one before it.
    pub(crate) previous: Option<MessageId>,
    /// Who thinks what of it.
    pub(crate) reactions: Vec<(AccountId, String)>,
    /// It is no message but a line that says who came and went.
    pub(crate) change: Option<MemberChange>,
    /// Of an own message: whom it is for, and what each has said of it. Of somebody else's: what this account has said (MSG-9).
    pub(crate) receipts: Vec<(AccountId, Option<Receipt>)>,
    /// Of an own message: how long the record could not be checked when it was encrypted, seconds, if that is to be told (CHK-9).
    pub(crate) unchecked_s: Option<u64>,
}

/// Who came into a conversation and who went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MemberChange {
    pub(crate) came: Vec<AccountId>,
    pub(crate) went: Vec<AccountId>,
}

/// A message with its place.
pub(crate) struct Stored {
    pub(crate) row: i64,
    pub(crate) group: GroupId,
    pub(crate) message: MessageId,
    /// Its position at the service; `None` if it has none yet.
    pub(crate) place: Option<u64>,
    /// When it is gone, milliseconds since 1970, if that is known. A column, and never written with the row.
    pub(crate) ends_ms: Option<u64>,
    pub(crate) kept: Kept,
}

impl Kept {
    /// What stands for a message that cannot be shown; the code says why. `from`: its writer, if that is known.
    pub(crate) fn unreadable(from: Option<&Leaf>, code: &str, sent_at_ms: u64) -> Self {
        Self {
            from: from.map_or(AccountId([0; 32]), |leaf| leaf.account),
            device: from.map_or(DeviceId([0; 16]), |leaf| leaf.device),
            content: Vec::new(),
            text: code.to_owned(),
            sent_at_ms,
            state: MessageState::Unreadable,
            from_history: false,
            encrypted_to: Vec::new(),
            submission: None,
            intent: None,
            is_shown: true,
            about: None,
            expires: None,
            edited: false,
            deleted: false,
            previous: None,
            reactions: Vec::new(),
            change: None,
            receipts: Vec::new(),
            unchecked_s: None,
        }
    }

    /// The message before it of its device, if that can be told: what could not be read names nothing.
    pub(crate) fn names(&self) -> Option<Option<MessageId>> {
        if self.deleted {
            return Some(self.previous);
        }
        Content::decode(&self.content).ok().map(|content| content.previous)
    }

    /// What somebody wrote and this device can show.
    pub(crate) fn received(from: &Leaf, content: &[u8], text: String, sent_at_ms: u64) -> Self {
        let (content, state) = (content.to_vec(), MessageState::Received);
        Self { content, state, text, ..Self::unreadable(Some(from), "", sent_at_ms) }
    }
}

impl Store<'_> {
    /// Adds a message; `None` if it is there already.
    pub(crate) fn add_message(
        &self,
        group: &GroupId,
        message: &MessageId,
        place: Option<u64>,
        kept: &Kept,
    ) -> Result<Option<i64>, Error> {
        let sealed = self.seal_message(group, message, kept)?;
        let place = place.map_or(NOT_YET, column);
        let mut insert = self.db().prepare_cached(
            "INSERT OR IGNORE INTO messages (conversation, message, place, shown, about, lasts_s, ends_ms, value) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        )?;
        let about = kept.about.map(|about| about.0);
        let (lasts_s, ends_ms) = match kept.expires {
            Some(Expiry { relative: true, seconds }) => (Some(seconds), None),
            Some(Expiry { relative: false, seconds }) => (None, Some(i64::from(seconds).saturating_mul(1_000))),
            None => (None, None),
        };
        let row = params![group.0, message.0, place, kept.is_shown, about, lasts_s, ends_ms, sealed];
        let added = insert.execute(row)?;
        Ok((added > 0).then(|| self.db().last_insert_rowid()))
    }

    /// Replaces what is kept of a message, and its place.
    pub(crate) fn update_message(&self, stored: &Stored) -> Result<(), Error> {
        let sealed = self.seal_message(&stored.group, &stored.message, &stored.kept)?;
        let place = stored.place.map_or(NOT_YET, column);
        self.db()
            .prepare_cached("UPDATE messages SET place = ?2, value = ?3 WHERE id = ?1")?
            .execute(params![stored.row, place, sealed])?;
        Ok(())
    }

    /// A message by its row.
    pub(crate) fn message(&self, row: i64) -> Result<Option<Stored>, Error> {
        let found = self.select_messages("WHERE id = ?1", params![row])?;
        Ok(found.into_iter().next())
    }

    /// A message by its id.
    pub(crate) fn message_by_id(&self, group: &GroupId, message: &MessageId) -> Result<Option<Stored>, Error> {
        let found = self.select_messages("WHERE conversation = ?1 AND message = ?2", params![group.0, message.0])?;
        Ok(found.into_iter().next())
    }

    /// A message by its id alone, in whichever group.
    pub(crate) fn message_with_id(&self, message: &MessageId) -> Result<Option<Stored>, Error> {
        let found = self.select_messages("WHERE message = ?1 AND shown LIMIT 1", params![message.0])?;
        Ok(found.into_iter().next())
    }

    /// Rows of the messages with these ids, in whichever group. Reads an index and none of the messages.
    pub(crate) fn rows_with_ids(&self, wanted: &BTreeSet<MessageId>) -> Result<Vec<i64>, Error> {
        let mut found = Vec::new();
        let mut select = self.db().prepare_cached("SELECT id, message FROM messages")?;
        let mut rows = select.query([])?;
        while let Some(row) = rows.next()? {
            if wanted.contains(&Digest(row.get(1)?)) {
                found.push(row.get(0)?);
            }
        }
        Ok(found)
    }

    /// Ids of the messages of a group that begin so (hexadecimal).
    pub(crate) fn ids_between(&self, group: &GroupId, beginning: &str) -> Result<Vec<MessageId>, Error> {
        let [Ok(first), Ok(last)] = ['0', 'f'].map(|fill| {
            let filled: String = beginning.chars().chain(std::iter::repeat(fill)).take(64).collect();
            filled.parse::<MessageId>()
        }) else {
            return Ok(Vec::new());
        };
        let which = "SELECT message FROM messages WHERE conversation = ?1 AND message BETWEEN ?2 AND ?3";
        let mut select = self.db().prepare_cached(which)?;
        let rows = select.query_map(params![group.0, first.0, last.0], |row| row.get(0).map(Digest))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// What stands at a position: beside the message itself also what was damaged there, or is missing before the next.
    pub(crate) fn messages_at(&self, group: &GroupId, position: u64) -> Result<Vec<Stored>, Error> {
        self.select_messages("WHERE conversation = ?1 AND place = ?2", params![group.0, column(position)])
    }

    /// Takes a row away.
    pub(crate) fn remove_message(&self, row: i64) -> Result<(), Error> {
        self.db().prepare_cached("DELETE FROM messages WHERE id = ?1")?.execute([row])?;
        Ok(())
    }

    /// The oldest message of a group that the service does not have yet.
    pub(crate) fn first_waiting(&self, group: &GroupId) -> Result<Option<Stored>, Error> {
        let which = "WHERE conversation = ?1 AND place = ?2 ORDER BY id LIMIT 1";
        Ok(self.select_messages(which, params![group.0, NOT_YET])?.into_iter().next())
    }

    /// True if a text of a group waits to be sent.
    pub(crate) fn has_waiting_text(&self, group: &GroupId) -> Result<bool, Error> {
        let which = "SELECT EXISTS (SELECT 1 FROM messages WHERE conversation = ?1 AND place = ?2 AND shown)";
        Ok(self.db().prepare_cached(which)?.query_row(params![group.0, NOT_YET], |row| row.get(0))?)
    }

    /// The messages of a group that the service does not have yet, oldest first.
    pub(crate) fn all_waiting(&self, group: &GroupId) -> Result<Vec<Stored>, Error> {
        let which = "WHERE conversation = ?1 AND place = ?2 ORDER BY id";
        self.select_messages(which, params![group.0, NOT_YET])
    }

    /// The newest messages that are shown, oldest of them first: of some groups, or of all.
    pub(crate) fn newest_messages(&self, groups: Option<&[GroupId]>, count: u32) -> Result<Vec<Stored>, Error> {
        self.newest(groups, count, "shown AND about IS NULL")
    }

    /// The same with the lines that are no messages.
    pub(crate) fn newest_lines(&self, groups: Option<&[GroupId]>, count: u32) -> Result<Vec<Stored>, Error> {
        self.newest(groups, count, "shown")
    }

    fn newest(&self, groups: Option<&[GroupId]>, count: u32, shown: &str) -> Result<Vec<Stored>, Error> {
        let mut newest = Vec::new();
        match groups {
            None => {
                let which = format!("WHERE {shown} ORDER BY place DESC, id DESC LIMIT ?1");
                newest = self.select_messages(&which, [count])?;
            }
            Some(groups) => {
                let which = format!("WHERE conversation = ?1 AND {shown} ORDER BY place DESC, id DESC LIMIT ?2");
                for group in groups {
                    newest.extend(self.select_messages(&which, params![group.0, count])?);
                }
                newest.sort_by_key(|stored| std::cmp::Reverse((stored.place.unwrap_or(u64::MAX), stored.row)));
                newest.truncate(usize::try_from(count).unwrap_or(usize::MAX));
            }
        }
        newest.reverse();
        Ok(newest)
    }

    /// Takes away what a message says, and that it is shown, for good.
    pub(crate) fn update_gone(&self, stored: &Stored) -> Result<(), Error> {
        self.update_message(stored)?;
        let about = stored.kept.about.map(|about| about.0);
        let gone = "UPDATE messages SET shown = 0, about = ?2, lasts_s = NULL, ends_ms = NULL WHERE id = ?1";
        self.db().prepare_cached(gone)?.execute(params![stored.row, about])?;
        Ok(())
    }

    /// What has an effect on a message, in the service's order.
    pub(crate) fn effects_on(&self, group: &GroupId, message: &MessageId) -> Result<Vec<Stored>, Error> {
        let which = "WHERE conversation = ?1 AND about = ?2 ORDER BY place, id";
        self.select_messages(which, params![group.0, message.0])
    }

    /// What has an effect on a message, the newest first, but for the first `skipped`.
    pub(crate) fn newest_effects_on(
        &self,
        group: &GroupId,
        message: &MessageId,
        count: u32,
        skipped: u32,
    ) -> Result<Vec<Stored>, Error> {
        let which = "WHERE conversation = ?1 AND about = ?2 ORDER BY place DESC, id DESC LIMIT ?3 OFFSET ?4";
        self.select_messages(which, params![group.0, message.0, count, skipped])
    }

    /// True if something that has an effect on a message stands after a place and row.
    pub(crate) fn has_effect_after(
        &self,
        group: &GroupId,
        message: &MessageId,
        place: u64,
        row: i64,
    ) -> Result<bool, Error> {
        let which =
            "SELECT EXISTS (SELECT 1 FROM messages WHERE conversation = ?1 AND about = ?2 AND (place, id) > (?3, ?4))";
        let after = params![group.0, message.0, column(place), row];
        Ok(self.db().prepare_cached(which)?.query_row(after, |row| row.get(0))?)
    }

    /// True if anything here has an effect on a message.
    pub(crate) fn has_effects(&self, group: &GroupId, message: &MessageId) -> Result<bool, Error> {
        let which = "SELECT EXISTS (SELECT 1 FROM messages WHERE conversation = ?1 AND about = ?2)";
        Ok(self.db().prepare_cached(which)?.query_row([group.0, message.0], |row| row.get(0))?)
    }

    /// True if anything in a group has an effect on a message.
    pub(crate) fn has_any_effects(&self, group: &GroupId) -> Result<bool, Error> {
        let which = "SELECT EXISTS (SELECT 1 FROM messages WHERE conversation = ?1 AND about > ?2)";
        Ok(self.db().prepare_cached(which)?.query_row([group.0, NOTHING.0], |row| row.get(0))?)
    }

    /// The messages of a group that are shown and whose ids lie between two, two at most.
    pub(crate) fn messages_between(
        &self,
        group: &GroupId,
        first: &MessageId,
        last: &MessageId,
    ) -> Result<Vec<Stored>, Error> {
        let which = "WHERE conversation = ?1 AND message BETWEEN ?2 AND ?3 AND shown LIMIT 2";
        self.select_messages(which, params![group.0, first.0, last.0])
    }

    /// The newest messages of a group that stand after a place and not after another one, newest first.
    pub(crate) fn messages_within(
        &self,
        group: &GroupId,
        after: u64,
        up_to: u64,
        count: u32,
    ) -> Result<Vec<Stored>, Error> {
        let which = "WHERE conversation = ?1 AND shown AND about IS NULL AND place > ?2 AND place <= ?3 \
                     ORDER BY place DESC, id DESC LIMIT ?4";
        self.select_messages(which, params![group.0, column(after), column(up_to).min(NOT_YET - 1), count])
    }

    /// What was said in a group and stands before a place, newest first, but for the first `skipped`.
    pub(crate) fn messages_before(
        &self,
        group: &GroupId,
        place: u64,
        count: u32,
        skipped: u32,
    ) -> Result<Vec<Stored>, Error> {
        let which = "WHERE conversation = ?1 AND place < ?2 AND (shown OR about IS NOT NULL) \
                     ORDER BY place DESC, id DESC LIMIT ?3 OFFSET ?4";
        self.select_messages(which, params![group.0, column(place).min(NOT_YET), count, skipped])
    }

    /// The newest messages of a group that are shown and stand before another of them, oldest of them first.
    pub(crate) fn messages_above(&self, group: &GroupId, below: &MessageId, count: u32) -> Result<Vec<Stored>, Error> {
        let which = "WHERE conversation = ?1 AND shown AND (place, id) < (SELECT place, id FROM messages WHERE conversation = ?1 \
                     AND message = ?2) ORDER BY place DESC, id DESC LIMIT ?3";
        let mut found = self.select_messages(which, params![group.0, below.0, count])?;
        found.reverse();
        Ok(found)
    }

    /// What was said in a group and stands after a place and row, oldest first.
    pub(crate) fn messages_after(
        &self,
        group: &GroupId,
        after: Option<(u64, i64)>,
        count: u32,
    ) -> Result<Vec<Stored>, Error> {
        let (place, row) = after.map_or((-1, -1), |(place, row)| (column(place), row));
        let which = "WHERE conversation = ?1 AND (shown OR about IS NOT NULL) AND place < ?5 AND (place, id) > (?2, ?3) \
             ORDER BY place, id LIMIT ?4";
        self.select_messages(which, params![group.0, place, row, count, NOT_YET])
    }

    /// Messages by their rows, those after one: in the order in which they came here.
    pub(crate) fn messages_of_rows_after(&self, row: i64, count: u32) -> Result<Vec<Stored>, Error> {
        self.select_messages("WHERE id > ?1 ORDER BY id LIMIT ?2", params![row, count])
    }

    /// Messages whose rows are above one and not above another, in the order of their rows.
    pub(crate) fn messages_of_rows(&self, above: i64, up_to: i64) -> Result<Vec<Stored>, Error> {
        self.select_messages("WHERE id > ?1 AND id <= ?2 ORDER BY id", params![above, up_to])
    }

    /// The oldest message that is shown, of a group or of all.
    pub(crate) fn oldest_message(&self, group: Option<&GroupId>) -> Result<Option<Stored>, Error> {
        let oldest = match group {
            Some(group) => self.select_messages(
                "WHERE conversation = ?1 AND shown AND about IS NULL ORDER BY place, id LIMIT 1",
                [group.0],
            )?,
            None => self.select_messages("WHERE shown ORDER BY place, id LIMIT 1", [])?,
        };
        Ok(oldest.into_iter().next())
    }

    /// How many messages of a group are shown.
    pub(crate) fn count_messages(&self, group: &GroupId) -> Result<u64, Error> {
        let mut count = self
            .db()
            .prepare_cached("SELECT count(*) FROM messages WHERE conversation = ?1 AND shown AND about IS NULL")?;
        Ok(count.query_row([group.0], |row| row.get::<_, i64>(0))?.unsigned_abs())
    }

    /// How much was said in a group, with what has an effect on messages.
    pub(crate) fn count_said(&self, group: &GroupId) -> Result<u64, Error> {
        let which = "SELECT count(*) FROM messages WHERE conversation = ?1 AND (shown OR about IS NOT NULL)";
        Ok(self.db().prepare_cached(which)?.query_row([group.0], |row| row.get::<_, i64>(0))?.unsigned_abs())
    }

    /// How many messages of a group are shown and stand above a position.
    pub(crate) fn count_messages_above(&self, group: &GroupId, position: u64) -> Result<u64, Error> {
        let which = "SELECT count(*) FROM messages WHERE conversation = ?1 AND shown AND about IS NULL AND place > ?2 \
                     AND place < ?3";
        let above = params![group.0, column(position), NOT_YET];
        Ok(self.db().prepare_cached(which)?.query_row(above, |row| row.get::<_, i64>(0))?.unsigned_abs())
    }

    /// The position of the newest message of a group that the service has; 0 if there is none.
    pub(crate) fn newest_place(&self, group: &GroupId) -> Result<u64, Error> {
        let which = "SELECT coalesce(max(place), 0) FROM messages WHERE conversation = ?1 AND place < ?2";
        let newest: i64 = self.db().prepare_cached(which)?.query_row(params![group.0, NOT_YET], |row| row.get(0))?;
        Ok(newest.unsigned_abs())
    }

    /// How many messages wait to be sent.
    pub(crate) fn count_waiting(&self) -> Result<u64, Error> {
        let mut count = self.db().prepare_cached("SELECT count(*) FROM messages WHERE place = ?1 AND shown")?;
        Ok(count.query_row([NOT_YET], |row| row.get::<_, i64>(0))?.unsigned_abs())
    }

    /// A message that is never to be sent: it goes to the end of what was sent.
    pub(crate) fn give_up_message(&self, stored: &mut Stored) -> Result<(), Error> {
        stored.kept.state = MessageState::Failed;
        stored.kept.submission = None;
        stored.place = Some(self.newest_place(&stored.group)?);
        self.update_message(stored)
    }

    pub(crate) fn select_messages(&self, which: &str, parameters: impl rusqlite::Params) -> Result<Vec<Stored>, Error> {
        let sql = format!("SELECT id, conversation, message, place, about, ends_ms, value FROM messages {which}");
        let mut select = self.db().prepare_cached(&sql)?;
        let read = |r: &Row<'_>| Ok((r.get(0)?, r.get(1)?, r.get(2)?, r.get(3)?, r.get(4)?, r.get(5)?, r.get(6)?));
        let rows = select.query_map(parameters, read)?;
        let mut messages = Vec::new();
        for row in rows {
            type Columns = (i64, [u8; 32], [u8; 32], i64, Option<[u8; 32]>, Option<i64>, Vec<u8>);
            let (row, group, message, place, about, ends_ms, sealed): Columns = row?;
            let bytes = self.open(&[MESSAGE, &group, &message], &sealed)?;
            messages.push(Stored {
                row,
                group: GroupId(group),
                message: Digest(message),
                place: (place < NOT_YET).then_some(place.unsigned_abs()),
                ends_ms: ends_ms.map(i64::unsigned_abs),
                kept: Kept { about: about.map(Digest), ..Kept::decode(&bytes).map_err(|_| Error::Damaged)? },
            });
        }
        Ok(messages)
    }

    fn seal_message(&self, group: &GroupId, message: &MessageId, kept: &Kept) -> Result<Vec<u8>, Error> {
        self.seal(&[MESSAGE, &group.0, &message.0], &kept.encode())
    }
}

impl Stored {
    /// True if the oldest thing that is known of it is that it waits.
    pub(crate) fn is_waiting(&self) -> bool {
        self.place.is_none()
    }
}

/// True for a place that a column holds. No service counts further.
pub(crate) fn is_place(place: u64) -> bool {
    place < NOT_YET.unsigned_abs() - 1
}

/// Positions are far below 2^62.
pub(crate) fn column(place: u64) -> i64 {
    i64::try_from(place).unwrap_or(NOT_YET - 1).min(NOT_YET - 1)
}
