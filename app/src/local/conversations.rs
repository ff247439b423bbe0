//! Conversations as rows.

use client::query::ConversationRow;
use protocol::people::Standing;
use serde::{Deserialize, Serialize};

use super::messages::Message;
use crate::clock::rfc3339;

/// How a conversation stands like any other.
pub(crate) const OPEN: &str = "open";
/// How a conversation stands that somebody unknown has opened.
pub(crate) const REQUEST: &str = "request";
/// How one stands that somebody has opened who is blocked.
pub(crate) const BLOCKED: &str = "blocked";

/// A conversation.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Conversation {
    pub(crate) conversation: String,
    pub(crate) title: String,
    pub(crate) members: Vec<Member>,
    /// True for one of two people.
    pub(crate) pair: bool,
    /// True for the notes of the account to itself.
    #[serde(default)]
    pub(crate) own: bool,
    pub(crate) devices: usize,
    pub(crate) messages: u64,
    /// When the newest message was written, as its writer says.
    pub(crate) newest_at: Option<String>,
    /// That message: at most 160 letters of its text, and neither what it answers nor what people think of it.
    #[serde(default)]
    pub(crate) newest: Option<Box<Message>>,
    /// Messages that were not read, on no device.
    #[serde(default)]
    pub(crate) unread: u64,
    /// True if one of them mentions this account.
    #[serde(default)]
    pub(crate) mentioned: bool,
    /// `open`, `request` if somebody unknown has opened it, `blocked` if somebody has who is blocked.
    #[serde(default)]
    pub(crate) standing: String,
    /// True if this device can write there now.
    pub(crate) ready: bool,
    /// True if this account has left it, or was taken out.
    #[serde(default)]
    pub(crate) left: bool,
    /// True if old messages from another device do not fit what their writers sent after them.
    #[serde(default)]
    pub(crate) unverified: bool,
    /// The handles of those who type there just now; of who has none, the account.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) typing: Vec<String>,
    /// How many seconds after they were read messages are gone; 0: they stay.
    #[serde(default)]
    pub(crate) timer_s: u32,
    /// Until when it makes no sound; `always` for good.
    #[serde(default)]
    pub(crate) muted_until: Option<String>,
    /// True if it stands above the others.
    #[serde(default)]
    pub(crate) pinned: bool,
    /// True if it is put away until somebody writes there.
    #[serde(default)]
    pub(crate) archived: bool,
    /// What was begun to be written there, on any device.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) draft: Option<String>,
    /// SHA-256 of its picture, if it has one.
    #[serde(default)]
    pub(crate) picture: Option<String>,
    /// When the public record was last checked, while that is too long ago for what is written here: it waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) stale_since: Option<String>,
    /// True if a person decided to write all the same, until the record can be checked.
    #[serde(default)]
    pub(crate) unchecked: bool,
}

/// Stands for a time without an end.
pub(crate) const ALWAYS: &str = "always";

/// Somebody in a conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Member {
    pub(crate) account: String,
    pub(crate) handle: Option<String>,
    /// True for whoever lets people in and out of one of several people.
    #[serde(default)]
    pub(crate) admin: bool,
}

impl From<ConversationRow> for Conversation {
    fn from(row: ConversationRow) -> Self {
        let admins = row.admins;
        let member = |(account, handle): (chain::id::AccountId, _)| Member {
            account: account.to_string(),
            handle,
            admin: admins.contains(&account),
        };
        Self {
            conversation: row.group.to_string(),
            title: row.title,
            members: row.members.into_iter().map(member).collect(),
            pair: row.pair,
            own: row.own,
            devices: row.devices,
            messages: row.messages,
            newest_at: row.newest.as_ref().map(|newest| rfc3339(newest.sent_at_ms)),
            newest: row.newest.map(|newest| Box::new((*newest).into())),
            unread: row.unread,
            mentioned: row.mentioned,
            muted_until: row
                .muted_until_ms
                .map(|until| if until == u64::MAX { ALWAYS.to_owned() } else { rfc3339(until) }),
            timer_s: row.timer_s,
            pinned: row.pinned,
            archived: row.archived,
            draft: row.draft,
            picture: row.picture.map(|it| it.to_string()),
            stale_since: row.stale_since_s.map(|seconds| rfc3339(seconds.saturating_mul(1_000))),
            unchecked: row.unchecked,
            standing: match row.standing {
                Standing::Open => OPEN,
                Standing::Request => REQUEST,
                Standing::Blocked => BLOCKED,
            }
            .to_owned(),
            ready: row.ready,
            left: row.left,
            unverified: row.unverified,
            typing: row.typing.into_iter().map(|(who, handle)| handle.unwrap_or_else(|| who.to_string())).collect(),
        }
    }
}
