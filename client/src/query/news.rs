//! What a person is told of although he does not look: what others wrote, and nobody of the account has read.

use std::collections::BTreeSet;

use protocol::content::{Content, Part};
use protocol::id::GroupId;
use protocol::people::{Decision, Standing};
use protocol::settings::SettingKey;

use super::talk::{conversation_row, rows_of};
use super::{ConversationRow, MessageRow, MessageState};
use crate::error::Error;
use crate::message::Stored;
use crate::mls::Loaded;
use crate::reading::read_up_to;
use crate::store::Store;
use crate::{conversation, mentions, own, people, settings};

/// What a person is told of one conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct News {
    /// The conversation.
    pub conversation: ConversationRow,
    /// What others wrote there, in the order in which it came here.
    pub messages: Vec<MessageRow>,
}

/// Of these rows of a conversation those that a person is told of. None in a request, a conversation of
/// people who are blocked, or one that was left; in one that is muted, or that was put away and not looked at since, only those that
/// mention the own account.
///
/// # Errors
/// [`Error`].
pub fn news(store: &Store<'_>, group: &GroupId, rows: &BTreeSet<i64>, now_ms: u64) -> Result<Option<News>, Error> {
    news_of(store, None, group, rows, now_ms)
}

/// The same, with the groups that a client has read.
pub(crate) fn news_of(
    store: &Store<'_>,
    loaded: Option<&Loaded>,
    group: &GroupId,
    rows: &BTreeSet<i64>,
    now_ms: u64,
) -> Result<Option<News>, Error> {
    let Some(own) = own::stored(store)?.filter(|own| matches!(own.phase, own::Phase::Confirmed)) else {
        return Ok(None);
    };
    let (Some(account), Some(found)) = (own.account(), conversation::found(store, group)?) else { return Ok(None) };
    let conversation = conversation_row(store, loaded, own.device().as_ref(), &found)?;
    let read = read_up_to(store, group)?;
    if conversation.standing != Standing::Open || conversation.left {
        return Ok(None);
    }
    let is_muted = conversation.muted_until_ms.is_some_and(|until_ms| until_ms > now_ms);
    let is_silent = is_muted || is_put_away(store, group, read)?;
    let mut messages = Vec::new();
    for row in rows {
        let Some(stored) = store.message(*row)? else { continue };
        let is_wanted = is_news(&stored, read) && stored.kept.from != account;
        // MEN-4: whoever is mentioned is wanted there all the same
        let is_heard = !is_silent || mentions::is_mentioned(store, &stored, &account)?;
        if is_wanted && is_heard && people::decision(store, &stored.kept.from)? != Some(Decision::Blocked) {
            messages.push(stored);
        }
    }
    let messages = rows_of(store, messages)?;
    Ok((!messages.is_empty()).then_some(News { conversation, messages }))
}

/// Somebody's text or file that is there, new and unread: no line, no effect, nothing old, nothing that cannot be read yet.
fn is_news(stored: &Stored, read: u64) -> bool {
    let kept = &stored.kept;
    let is_there = kept.about.is_none() && kept.is_shown && !kept.deleted && !kept.from_history;
    let is_said = Content::decode(&kept.content).is_ok_and(|it| matches!(it.part, Part::Text(_) | Part::External(_)));
    is_there && is_said && kept.state == MessageState::Received && stored.place.is_some_and(|place| place > read)
}

/// True for a conversation that was put away when nothing stood there that has been read since.
fn is_put_away(store: &Store<'_>, group: &GroupId, read: u64) -> Result<bool, Error> {
    let position = settings::value(store, &SettingKey::Archived(*group))?;
    let position = position.and_then(|value| value.try_into().ok()).map(u64::from_be_bytes);
    Ok(position.is_some_and(|position| read <= position))
}
