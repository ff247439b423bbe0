//! Old messages that come over from elsewhere: another device of the account ([`crate::history`]) or a backup file
//! ([`crate::backup`]). Nobody signed them again, and they are marked so (HIS-4).

use std::collections::BTreeMap;

use chain::id::AccountId;
use protocol::content::{Content, Expiry, MAX_CONTENT, Part};
use protocol::effect::Effect;
use protocol::history::{Erased, HistoryMessage};
use protocol::id::{GroupId, MessageId};
use protocol::settings::is_self_group_id;

use crate::conversation::{Conversation, Stage};
use crate::effects::is_edit;
use crate::error::Error;
use crate::message::{Kept, Stored};
use crate::query::MessageState;
use crate::receiving::shown_text;
use crate::store::Store;
use crate::turn::Turn;

/// How the notes of the account before a reset are called.
const NOTES_BEFORE: &str = "notes from before the reset";
/// Messages that are looked at to find out with whom a conversation is.
const LOOKED_AT: u32 = 100;

/// Effects that are looked at at once.
const EFFECTS: u32 = 64;

/// What is handed over of messages, to another device or into a backup file: what they say now and nothing else. Of what was taken
/// back, and of what a text said before it was changed, there is only what those around it need to fit (MSG-2, MSG-3).
pub(crate) struct HandingOver<'a> {
    store: &'a Store<'a>,
    /// The last change of some messages, by its row.
    last: BTreeMap<(GroupId, MessageId), Option<i64>>,
}

impl<'a> HandingOver<'a> {
    pub(crate) fn of(store: &'a Store<'a>) -> Self {
        Self { store, last: BTreeMap::new() }
    }

    /// Nothing of one that others do not have, or that nobody could take.
    pub(crate) fn message(&mut self, stored: Stored) -> Result<Option<HistoryMessage>, Error> {
        let (message, group, about) = (stored.message, stored.group, stored.kept.about);
        let is_whole =
            stored.kept.content.is_empty() == stored.kept.deleted && stored.kept.content.len() <= MAX_CONTENT;
        let Some(place) = stored.place.filter(|_| is_said(&stored) && is_whole) else { return Ok(None) };
        let rest = if stored.kept.deleted { Some(Vec::new()) } else { self.rest(&stored)? };
        let erased = rest.as_ref().map(|_| Erased { message, previous: stored.kept.names().flatten(), about });
        let (ends_ms, kept) = (stored.ends_ms, stored.kept);
        Ok(Some(HistoryMessage {
            group,
            place,
            from: kept.from,
            device: kept.device,
            sent_at_ms: kept.sent_at_ms,
            ends_ms,
            content: rest.unwrap_or(kept.content),
            erased,
        }))
    }

    /// What is left of what its writer has changed since.
    fn rest(&mut self, stored: &Stored) -> Result<Option<Vec<u8>>, Error> {
        let Ok(content) = Content::decode(&stored.kept.content) else { return Ok(None) };
        let Part::Text(text) = &content.part else { return Ok(None) };
        Ok(match content.effect() {
            Some((about, Effect::Edit(_))) => match self.last_change(&stored.group, &about, &stored.kept.from)? {
                Some(row) if row != stored.row => Some(Vec::new()),
                _ => None,
            },
            None if text.is_empty() => Some(says_nothing(content)),
            None if stored.kept.edited => {
                let last = self.last_change(&stored.group, &stored.message, &stored.kept.from)?;
                last.map(|_| says_nothing(content))
            }
            _ => None,
        })
    }

    /// The last change of a message by its writer that others have: that is what it says.
    fn last_change(&mut self, group: &GroupId, about: &MessageId, writer: &AccountId) -> Result<Option<i64>, Error> {
        let key = (*group, *about);
        if let Some(last) = self.last.get(&key) {
            return Ok(*last);
        }
        let is_change = |it: &Stored| is_edit(&it.kept) && it.kept.from == *writer && is_said(it) && it.place.is_some();
        let (mut last, mut skipped, mut is_more) = (None, 0_u32, true);
        while is_more && last.is_none() {
            let some = self.store.newest_effects_on(group, about, EFFECTS, skipped)?;
            is_more = !some.is_empty();
            last = some.iter().find(|it| is_change(it)).map(|it| it.row);
            skipped = skipped.saturating_add(EFFECTS);
        }
        self.last.insert(key, last);
        Ok(last)
    }
}

fn is_said(stored: &Stored) -> bool {
    matches!(stored.kept.state, MessageState::Sent | MessageState::Received)
}

/// True for what is left of a text that was changed.
fn is_rest(content: &Content) -> bool {
    content.effect().is_none() && matches!(&content.part, Part::Text(text) if text.is_empty())
}

/// A content without its text, and without what its id could be made of together with a guess of that.
fn says_nothing(content: Content) -> Vec<u8> {
    Content { salt: [0; 16], mentions: Vec::new(), part: Part::Text(String::new()), ..content }.encode()
}

/// What became of some old messages of a conversation.
struct TakenOver {
    /// Something there has an effect on something.
    has_effects: bool,
    /// Where the newest text of the own account among them stands.
    written: Option<u64>,
}

impl Turn<'_> {
    /// Keeps old messages; how many of them were not here. `own`: this account, and those that it continues.
    pub(crate) fn take_over(&mut self, messages: &[HistoryMessage], own: &[AccountId]) -> Result<u64, Error> {
        let mut new = 0_u64;
        let mut groups: BTreeMap<GroupId, TakenOver> = BTreeMap::new();
        for message in messages {
            let mut taken = match groups.remove(&message.group) {
                Some(taken) => taken,
                None => TakenOver { has_effects: self.store.has_any_effects(&message.group)?, written: None },
            };
            new = new.saturating_add(u64::from(self.take_over_one(message, own, &mut taken)?));
            groups.insert(message.group, taken);
        }
        // once for all of them: what was written after it was read, and what was read has an end
        for (group, taken) in groups {
            match taken.written {
                Some(place) => self.has_written(&group, place)?,
                None => self.begin_ends(&group)?,
            }
        }
        Ok(new)
    }

    fn take_over_one(
        &mut self,
        message: &HistoryMessage,
        own: &[AccountId],
        taken: &mut TakenOver,
    ) -> Result<bool, Error> {
        let state = if own.contains(&message.from) { MessageState::Sent } else { MessageState::Received };
        let old = Kept {
            from: message.from,
            device: message.device,
            state,
            from_history: true,
            ..Kept::unreadable(None, "", message.sent_at_ms)
        };
        let id = message.id();
        let kept = match (&message.erased, Content::decode(&message.content)) {
            (Some(Erased { previous, about, .. }), _) if message.content.is_empty() => {
                let (previous, about) = (*previous, *about);
                Kept { deleted: true, previous, about, is_shown: about.is_none(), ..old }
            }
            // what devices told each other then is of no use now
            (_, Err(_) | Ok(Content { part: Part::Signal { .. }, .. })) => return Ok(false),
            (Some(_), Ok(content)) if !is_rest(&content) => return Ok(false),
            (_, Ok(content)) => {
                let about = content.effect().map(|(about, _)| about);
                let expires = content.expires.filter(|_| about.is_none()).map(|it| self.ending(it, message.ends_ms));
                self.note_timer(&message.group, &content, message.place)?;
                let (content, text) = (message.content.clone(), shown_text(&content.part));
                Kept { content, text, about, expires, is_shown: about.is_none(), ..old }
            }
        };
        if kept.state == MessageState::Sent && kept.is_shown {
            taken.written = taken.written.max(Some(message.place));
        }
        taken.has_effects |= kept.about.is_some();
        let add = |turn: &Self| turn.store.add_message(&message.group, &id, Some(message.place), &kept);
        // what is missing stands where it would stand
        let is_new =
            add(self)?.is_some() || (self.take_missing_place(&message.group, &id)?.is_some() && add(self)?.is_some());
        if is_new && taken.has_effects {
            self.apply_effects_of(&message.group, &id, kept.about)?;
        }
        Ok(is_new)
    }

    /// MSG-7: what was read on any device ends here when it ends there, and no later than if it was read now.
    fn ending(&self, expires: Expiry, ends_ms: Option<u64>) -> Expiry {
        let Some(ends_ms) = ends_ms.filter(|_| expires.relative) else { return expires };
        let ends_s = ends_ms.div_ceil(1_000).min(self.now_s().saturating_add(expires.seconds.into()));
        Expiry { relative: false, seconds: u32::try_from(ends_s).unwrap_or(u32::MAX) }
    }

    /// All old messages of a conversation are here. One that this account is not in is kept to be read.
    pub(crate) fn conversation_is_here(&mut self, group: &GroupId, own: &[AccountId]) -> Result<(), Error> {
        let mut conversation = match self.conversation(group)? {
            Some(conversation) => conversation,
            None => {
                let title = match own.iter().skip(1).find(|account| is_self_group_id(account, group)) {
                    Some(_) => Some(NOTES_BEFORE.to_owned()),
                    None => self.shared_title(group)?,
                };
                let pair = if title.is_none() { self.somebody_else_in(group, own)? } else { None };
                Conversation { title, pair: pair.map(|it| it.0), ..Conversation::new(*group, Stage::Removed) }
            }
        };
        own.iter().skip(1).try_for_each(|before| self.was_own(before))?;
        self.share_picture(&mut conversation)?;
        self.keep_conversation(&conversation)?;
        self.begin_checking_links(group)?;
        self.conversation_changed(group);
        Ok(())
    }

    fn somebody_else_in(&self, group: &GroupId, own: &[AccountId]) -> Result<Option<AccountId>, Error> {
        let newest = self.store.newest_messages(Some(&[*group]), LOOKED_AT)?;
        Ok(newest.into_iter().map(|it| it.kept.from).find(|from| !own.contains(from) && from.0 != [0; 32]))
    }
}
