//! What an agent tells of messages: of the objects of [`super::rows`] those that are about what people say.

use client::query::{MentionRow, MessageRow, MessageState, ReactionRow, ReceiptRow, UnplacedRow};
use protocol::content::Receipt;
use serde::{Deserialize, Serialize};

use super::files::FileInfo;
use crate::clock::rfc3339;

/// A message.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Message {
    pub(crate) message: String,
    pub(crate) conversation: String,
    /// The handle of who wrote it, or the account's id where no handle is known; `somebody` for what could not be read,
    /// and then account and device are zeros.
    pub(crate) from: String,
    pub(crate) account: String,
    pub(crate) device: String,
    pub(crate) text: String,
    pub(crate) sent_at: String,
    pub(crate) from_history: bool,
    pub(crate) state: MessageState,
    /// The message that it answers.
    pub(crate) answers: Option<Answered>,
    /// Its writer has changed it; the text is what it says now.
    pub(crate) edited: bool,
    /// Its writer has taken it back; there is no text.
    pub(crate) deleted: bool,
    /// What people think of it, in the order in which they said so.
    pub(crate) reactions: Vec<Reaction>,
    /// It says no text but that messages are gone from here on so many seconds after they were read; 0: that they stay.
    pub(crate) timer_s: Option<u32>,
    /// How many seconds after it was read it is gone.
    pub(crate) lasts_s: Option<u32>,
    /// It says no text but what the conversation is called from here on.
    pub(crate) title: Option<String>,
    /// It says no text but that the conversation has another picture from here on, or none any more.
    #[serde(default)]
    pub(crate) pictured: Option<bool>,
    /// It is no message but says who came and went; by whom is whose it is.
    pub(crate) change: Option<MemberChange>,
    /// The file that it came with.
    pub(crate) file: Option<FileInfo>,
    /// Of an own message: who has it, and who has read it.
    #[serde(default)]
    pub(crate) receipts: Vec<Receipted>,
    /// Whom the text mentions, in its order.
    #[serde(default)]
    pub(crate) mentions: Vec<Mentioned>,
    /// Of an own message of this device: for how many seconds the public record could not be checked when it was encrypted, if that
    /// was too long to say nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) unchecked_s: Option<u64>,
}

/// Somebody whom a text mentions: from one byte of it up to another there stands `@` and what he was called.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Mentioned {
    pub(crate) account: String,
    /// What he is called now, if that is known.
    pub(crate) handle: Option<String>,
    pub(crate) start: usize,
    pub(crate) end: usize,
}

impl Mentioned {
    /// What stands in the place of it: what he is called now, or else what was written.
    pub(crate) fn shown(&self, written: &str) -> String {
        self.handle.as_ref().map_or_else(|| written.to_owned(), |handle| format!("@{handle}"))
    }
}

/// What somebody has of an own message: `delivered`, or also `read`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Receipted {
    pub(crate) state: MessageState,
    pub(crate) from: String,
    pub(crate) account: String,
}

/// Who came into a conversation and who went: handles, or ids where none is known.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct MemberChange {
    pub(crate) came: Vec<String>,
    pub(crate) went: Vec<String>,
}

/// A message that another one answers; without a text it is not here, or was taken back.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Answered {
    pub(crate) message: String,
    pub(crate) from: Option<String>,
    pub(crate) text: Option<String>,
    /// The file that it came with; its name stands behind the text.
    #[serde(default)]
    pub(crate) file: Option<FileInfo>,
}

/// What somebody thinks of a message.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Reaction {
    pub(crate) reaction: String,
    pub(crate) from: String,
    pub(crate) account: String,
}

impl Message {
    /// True if it says that its writer has left.
    pub(crate) fn leaves(&self) -> bool {
        self.change.as_ref().is_some_and(|change| change.came.is_empty() && change.went == [self.from.clone()])
    }

    /// The text in pieces, some of which mention somebody. Nothing of it is left out.
    pub(crate) fn pieces(&self) -> Vec<(Option<&Mentioned>, &str)> {
        let (mut pieces, mut at) = (Vec::new(), 0);
        for mention in &self.mentions {
            let before = self.text.get(at..mention.start);
            let Some((before, said)) = before.zip(self.text.get(mention.start..mention.end)) else { continue };
            pieces.extend([(None, before), (Some(mention), said)]);
            at = mention.end;
        }
        pieces.push((None, self.text.get(at..).unwrap_or_default()));
        pieces.retain(|(_, piece)| !piece.is_empty());
        pieces
    }

    /// What the text says, with people as they are called now.
    pub(crate) fn said(&self) -> String {
        self.pieces()
            .into_iter()
            .map(|(who, piece)| who.map_or_else(|| piece.to_owned(), |who| who.shown(piece)))
            .collect()
    }
}

impl From<MessageRow> for Message {
    fn from(row: MessageRow) -> Self {
        let account = row.from.to_string();
        Self {
            message: row.message.to_string(),
            conversation: row.group.to_string(),
            from: row.from_handle.unwrap_or_else(|| name_of(&row.from)),
            account,
            device: row.device.to_string(),
            text: row.text,
            sent_at: rfc3339(row.sent_at_ms),
            from_history: row.from_history,
            state: row.state,
            answers: row.answers.map(|answered| Answered {
                message: answered.message.to_string(),
                from: answered.from.map(|(account, handle)| handle.unwrap_or_else(|| name_of(&account))),
                text: answered.text,
                file: answered.file.map(FileInfo::from),
            }),
            edited: row.edited,
            deleted: row.deleted,
            reactions: row.reactions.into_iter().map(Reaction::from).collect(),
            timer_s: row.timer_s,
            lasts_s: row.lasts_s,
            title: row.title,
            pictured: row.pictured,
            file: row.file.map(FileInfo::from),
            change: row.change.map(|change| MemberChange { came: named(change.came), went: named(change.went) }),
            receipts: row.receipts.into_iter().map(Receipted::from).collect(),
            mentions: row.mentions.into_iter().map(Mentioned::from).collect(),
            unchecked_s: row.unchecked_s,
        }
    }
}

impl From<MentionRow> for Mentioned {
    fn from(row: MentionRow) -> Self {
        Self { account: row.account.to_string(), handle: row.handle, start: row.start, end: row.end }
    }
}

fn named(accounts: Vec<(chain::id::AccountId, Option<String>)>) -> Vec<String> {
    accounts.into_iter().map(|(account, handle)| handle.unwrap_or_else(|| name_of(&account))).collect()
}

impl From<ReactionRow> for Reaction {
    fn from(row: ReactionRow) -> Self {
        let account = row.from.to_string();
        Self { reaction: row.reaction, from: row.from_handle.unwrap_or_else(|| name_of(&row.from)), account }
    }
}

impl From<ReceiptRow> for Receipted {
    fn from(row: ReceiptRow) -> Self {
        let state = match row.receipt {
            Receipt::Delivered => MessageState::Delivered,
            Receipt::Read => MessageState::Read,
        };
        let account = row.from.to_string();
        Self { state, from: row.from_handle.unwrap_or_else(|| name_of(&row.from)), account }
    }
}

/// What a search has looked through.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Searched {
    /// How many messages have what was looked for.
    pub(crate) found: u64,
    /// How many messages were looked through: all that are here, or in that conversation.
    pub(crate) messages: u64,
    /// When the oldest of those was written.
    pub(crate) since: Option<String>,
    /// False while older ones are still on their way from another device.
    pub(crate) complete: bool,
}

/// What an account without a known handle is called.
fn name_of(account: &chain::id::AccountId) -> String {
    if account.0 == [0; 32] { "somebody".to_owned() } else { account.to_string() }
}

/// A text to somebody with whom there is no conversation yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Unplaced {
    /// As its writer called him.
    pub(crate) to: String,
    pub(crate) text: String,
    /// True if it waits because the public record cannot be checked now.
    pub(crate) unproven: bool,
}

impl From<UnplacedRow> for Unplaced {
    fn from(row: UnplacedRow) -> Self {
        Self { to: row.to, text: row.text, unproven: row.is_unproven }
    }
}

/// What became of a text that was to be sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Sent {
    /// `None` if it waits for the other person to be found.
    pub(crate) message: Option<String>,
    pub(crate) conversation: Option<String>,
    pub(crate) state: MessageState,
    pub(crate) encrypted_to: Vec<String>,
    /// Since when nobody answers, if so.
    pub(crate) offline_since: Option<String>,
    /// Messages that wait, this one among them.
    pub(crate) waiting: u64,
    /// It has a file of a kind that can tell where it was made, and nothing was taken out.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) tells_place: bool,
    /// For how many seconds the public record could not be checked when it was encrypted, if that was too long to say nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) unchecked_s: Option<u64>,
}

#[cfg(test)]
impl Message {
    /// A text as somebody else has sent it, for tests to change.
    pub(crate) fn sample(text: &str) -> Self {
        Self {
            message: "m".into(),
            conversation: "c".into(),
            from: "alice".into(),
            account: "a".into(),
            device: "d".into(),
            text: text.into(),
            sent_at: "2026-08-02T14:02:11.123Z".into(),
            from_history: false,
            state: MessageState::Received,
            answers: None,
            edited: false,
            deleted: false,
            reactions: Vec::new(),
            timer_s: None,
            lasts_s: None,
            title: None,
            pictured: None,
            change: None,
            file: None,
            receipts: Vec::new(),
            mentions: Vec::new(),
            unchecked_s: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// MEN-3: people are shown as they are called now, and whatever a list of mentions says, the whole text is there.
    #[test]
    fn a_text_with_mentions_is_whole_whatever_they_say() {
        let mention = |start, end, handle: Option<&str>| Mentioned {
            account: "a".into(),
            handle: handle.map(str::to_owned),
            start,
            end,
        };
        let mut row = Message::sample("hi @bob and @carl");
        row.mentions = vec![mention(3, 7, Some("robert")), mention(12, 17, None)];
        assert_eq!(row.said(), "hi @robert and @carl");
        for mentions in [
            vec![mention(12, 17, None), mention(3, 7, None)],
            vec![mention(0, 400, Some("x"))],
            vec![mention(7, 3, Some("x"))],
            vec![mention(usize::MAX, usize::MAX, Some("x"))],
        ] {
            row.mentions = mentions;
            assert_eq!(row.pieces().iter().map(|(_, piece)| *piece).collect::<String>(), row.text);
        }
    }

    #[test]
    fn nobody_is_called_by_zeros() {
        assert_eq!(name_of(&chain::id::AccountId([0; 32])), "somebody");
        assert_eq!(name_of(&chain::id::AccountId([7; 32])).len(), 64);
    }
}
