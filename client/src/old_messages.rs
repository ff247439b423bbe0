//! Old messages that come over from elsewhere: another device of the account ([`crate::history`]) or a backup file
//! ([`crate::backup`]). Nobody signed them again, and they are marked so (HIS-4).

use std::collections::BTreeMap;

use chain::id::AccountId;
use protocol::content::{Content, MAX_CONTENT, Part, message_id};
use protocol::history::{Erased, HistoryMessage};
use protocol::id::GroupId;
use protocol::settings::is_self_group_id;

use crate::conversation::{Conversation, Stage};
use crate::error::Error;
use crate::message::{Kept, Stored};
use crate::query::MessageState;
use crate::receiving::shown_text;
use crate::turn::Turn;

/// How the notes of the account before a reset are called.
const NOTES_BEFORE: &str = "notes from before the reset";
/// Messages that are looked at to find out with whom a conversation is.
const LOOKED_AT: u32 = 100;

/// What is handed over of a message; nothing of one that others do not have, or that nobody could take.
pub(crate) fn handed_over(stored: Stored) -> Option<HistoryMessage> {
    let kept = stored.kept;
    let is_said = matches!(kept.state, MessageState::Sent | MessageState::Received);
    let erased = kept.deleted.then_some(Erased { message: stored.message, previous: kept.previous, about: kept.about });
    if !is_said || kept.content.is_empty() != kept.deleted || kept.content.len() > MAX_CONTENT {
        return None;
    }
    Some(HistoryMessage {
        group: stored.group,
        place: stored.place?,
        from: kept.from,
        device: kept.device,
        sent_at_ms: kept.sent_at_ms,
        content: kept.content,
        erased,
    })
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
        let (id, kept) = match (&message.erased, Content::decode(&message.content)) {
            (Some(Erased { message, previous, about }), _) => {
                let (previous, about) = (*previous, *about);
                (*message, Kept { deleted: true, previous, about, is_shown: about.is_none(), ..old })
            }
            // what devices told each other then is of no use now
            (None, Err(_) | Ok(Content { part: Part::Signal { .. }, .. })) => return Ok(false),
            (None, Ok(content)) => {
                let about = content.effect().map(|(about, _)| about);
                let expires = content.expires.filter(|_| about.is_none());
                self.note_timer(&message.group, &content, message.place)?;
                let (content, text) = (message.content.clone(), shown_text(&content.part));
                let id = message_id(&message.group, &message.from, &message.device, &content);
                (id, Kept { content, text, about, expires, is_shown: about.is_none(), ..old })
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
