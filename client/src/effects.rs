//! What messages do to earlier ones: changes, take-backs, reactions (docs/protocol.md §28, MSG-1 to MSG-4).
//!
//! Whatever has an effect is kept as a message of its own that nobody is shown, so that it is missed when it is dropped, sent
//! again, and handed to new devices as any other. How the message it is about is shown is made anew from all that is here
//! whenever one of them comes, in whichever order: [`protocol::effect::outcome`] decides.

use chain::id::AccountId;
use protocol::content::{Content, Part};
use protocol::effect::{Effect, Outcome, outcome};
use protocol::id::{GroupId, MessageId};

use crate::error::Error;
use crate::message::{Kept, Stored};
use crate::query::MessageState;
use crate::receiving::shown_text;
use crate::step::Event;
use crate::transfer::Forgotten;
use crate::turn::Turn;

impl Stored {
    /// Forgets what it said, but for what those around it need to fit. What it has an effect on it has none on any more.
    pub(crate) fn erase(&mut self) {
        let previous = self.kept.names().flatten();
        self.kept = Kept {
            from: self.kept.from,
            device: self.kept.device,
            from_history: self.kept.from_history,
            encrypted_to: std::mem::take(&mut self.kept.encrypted_to),
            submission: self.kept.submission.take(),
            intent: self.kept.intent,
            state: match self.kept.state {
                // it never came, and need not any more
                MessageState::Unreadable => MessageState::Received,
                state => state,
            },
            is_shown: self.kept.is_shown,
            about: self.kept.about,
            deleted: true,
            previous,
            ..Kept::unreadable(None, "", self.kept.sent_at_ms)
        };
    }
}

impl Turn<'_> {
    /// A message has come, or has its place now: shows what it is about as that leaves it, and itself as what came before it
    /// leaves it.
    pub(crate) fn apply_effects_of(
        &mut self,
        group: &GroupId,
        message: &MessageId,
        about: Option<MessageId>,
    ) -> Result<(), Error> {
        if self.store.has_effects(group, message)? {
            self.apply_effects(group, message)?;
        }
        about.map_or(Ok(()), |about| self.apply_effects(group, &about))
    }

    /// An effect has come. One that is the last on its message is taken by itself: who sends many must not have each looked at
    /// again with every one.
    pub(crate) fn take_effect(&mut self, group: &GroupId, row: i64) -> Result<(), Error> {
        let Some(mut last) = self.store.message(row)? else { return Ok(()) };
        let (Some(about), Some(place)) = (last.kept.about, last.place) else { return Ok(()) };
        let Some(stored) = self.store.message_by_id(group, &about)? else { return Ok(()) };
        if stored.kept.deleted && is_edit(&last.kept) {
            last.erase();
            return self.store.update_message(&last);
        }
        let content = Content::decode(&last.kept.content);
        let is_last = stored.kept.about.is_none() && !self.store.has_effect_after(group, &about, place, row)?;
        match content.as_ref().ok().and_then(Content::effect).filter(|_| is_last) {
            None | Some((_, Effect::Delete)) => self.apply_effects(group, &about),
            Some((_, effect)) => {
                let (writer, reactions) = (stored.kept.from, stored.kept.reactions.clone());
                let text = stored.kept.edited.then(|| stored.kept.text.clone());
                let mut outcome = Outcome { text, reactions, deleted: stored.kept.deleted };
                outcome.take(&writer, &last.kept.from, effect);
                self.show(stored, outcome)
            }
        }
    }

    /// Shows a message as its effects leave it.
    pub(crate) fn apply_effects(&mut self, group: &GroupId, message: &MessageId) -> Result<(), Error> {
        let effects = self.store.effects_on(group, message)?;
        let Some(stored) = self.store.message_by_id(group, message)? else { return Ok(()) };
        let contents: Vec<(AccountId, Content)> = effects
            .iter()
            .filter(|it| !it.kept.deleted && it.kept.state != MessageState::Failed)
            .filter_map(|it| Some((it.kept.from, Content::decode(&it.kept.content).ok()?)))
            .collect();
        let said = contents.iter().filter_map(|(from, content)| Some((*from, content.effect()?.1)));
        let outcome = outcome(&stored.kept.from, said);
        if outcome.deleted || stored.kept.deleted {
            for mut edit in effects.into_iter().filter(|it| is_edit(&it.kept)) {
                edit.erase();
                self.store.update_message(&edit)?;
            }
        }
        self.show(stored, outcome)
    }

    fn show(&mut self, mut stored: Stored, outcome: Outcome) -> Result<(), Error> {
        let before = stored.kept.clone();
        if outcome.deleted {
            // what waits is sent first, and then taken back
            if !stored.kept.deleted && !stored.is_waiting() {
                stored.erase();
                self.out.forgotten.push(Forgotten::Message(stored.message));
            }
        } else if stored.kept.state == MessageState::Unreadable {
            // what has not come yet is shown as it is then (MSG-5)
            return Ok(());
        } else if !stored.kept.deleted && stored.kept.about.is_none() {
            stored.kept.edited = outcome.text.is_some();
            stored.kept.reactions = outcome.reactions;
            if let Some(text) = outcome.text.or_else(|| original_text(&stored.kept)) {
                stored.kept.text = text;
            }
        }
        if stored.kept == before {
            return Ok(());
        }
        self.store.update_message(&stored)?;
        let (row, message, group) = (stored.row, stored.message, stored.group);
        if let Some(about) = stored.kept.about {
            // a reaction that was taken back
            return self.apply_effects(&group, &about);
        }
        if stored.kept.text != before.text {
            self.index_again(row)?;
        }
        self.event(Event::Changed { row, message, group });
        Ok(())
    }
}

pub(crate) fn is_edit(kept: &Kept) -> bool {
    let content = Content::decode(&kept.content);
    content.is_ok_and(|content| matches!(content.effect(), Some((_, Effect::Edit(_)))))
}

/// What a message said first; nothing of one that could not be read.
fn original_text(kept: &Kept) -> Option<String> {
    let content = Content::decode(&kept.content).ok()?;
    Some(shown_text(&content.part)).filter(|_| matches!(content.part, Part::Text(_)))
}
