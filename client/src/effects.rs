//! What messages do to earlier ones: changes, take-backs, reactions (docs/protocol.md §28, MSG-1 to MSG-4).
//!
//! Whatever has an effect is kept as a message of its own that nobody is shown, so that it is missed when it is dropped, sent
//! again, and handed to new devices as any other. How the message it is about is shown is made anew from all that is here
//! whenever one of them comes, in whichever order: [`protocol::effect::outcome`] decides.

use chain::id::AccountId;
use protocol::content::{Content, Part};
use protocol::effect::{Effect, outcome};
use protocol::id::{GroupId, MessageId};

use crate::error::Error;
use crate::message::{Kept, Stored};
use crate::query::MessageState;
use crate::receiving::shown_text;
use crate::step::Event;
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

    /// Shows a message as its effects leave it.
    pub(crate) fn apply_effects(&mut self, group: &GroupId, message: &MessageId) -> Result<(), Error> {
        let effects = self.store.effects_on(group, message)?;
        let Some(mut stored) = self.store.message_by_id(group, message)? else { return Ok(()) };
        let contents: Vec<(AccountId, Content)> = effects
            .iter()
            .filter(|it| !it.kept.deleted && it.kept.state != MessageState::Failed)
            .filter_map(|it| Some((it.kept.from, Content::decode(&it.kept.content).ok()?)))
            .collect();
        let said = contents.iter().filter_map(|(from, content)| Some((*from, content.effect()?.1)));
        let outcome = outcome(&stored.kept.from, said);
        let before = stored.kept.clone();
        if outcome.deleted {
            for mut edit in effects.into_iter().filter(|it| is_edit(&it.kept)) {
                edit.erase();
                self.store.update_message(&edit)?;
            }
            // what waits is sent first, and then taken back
            if !stored.kept.deleted && !stored.is_waiting() {
                stored.erase();
            }
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
        match stored.kept.about {
            // a reaction that was taken back
            Some(about) => self.apply_effects(group, &about),
            None => {
                self.index_again(stored.row)?;
                let (row, message, group) = (stored.row, stored.message, *group);
                self.event(Event::Changed { row, message, group });
                Ok(())
            }
        }
    }
}

fn is_edit(kept: &Kept) -> bool {
    let content = Content::decode(&kept.content);
    content.is_ok_and(|content| matches!(content.effect(), Some((_, Effect::Edit(_)))))
}

/// What a message said first; nothing of one that could not be read.
fn original_text(kept: &Kept) -> Option<String> {
    let content = Content::decode(&kept.content).ok()?;
    Some(shown_text(&content.part)).filter(|_| matches!(content.part, Part::Text(_)))
}
