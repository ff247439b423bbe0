//! What waits in a conversation that is over is written anew for whoever goes on in the place of the other one (RST-6): a text
//! as it was changed last, a file as a file, and nothing that was taken back.

use protocol::bytes::Base64Url;
use protocol::content::{Content, Part};
use protocol::effect::Effect;
use protocol::id::MessageId;

use crate::conversation::Stage;
use crate::error::Error;
use crate::files::no_longer_there;
use crate::intent::{Intent, Want};
use crate::message::Stored;
use crate::step::{Event, Failure, IntentId};
use crate::transfer::Forgotten;
use crate::turn::Turn;

/// The messages that some of what waits takes back.
fn taken_back(waiting: &[Stored]) -> Vec<MessageId> {
    let of = |it: &Stored| match Content::decode(&it.kept.content).ok()?.effect() {
        Some((about, Effect::Delete)) => Some(about),
        _ => None,
    };
    waiting.iter().filter_map(of).collect()
}

impl Turn<'_> {
    /// Takes what waits out of a conversation, so that it goes to `handle`, in the same order.
    pub(crate) fn write_anew(&mut self, waiting: &[Stored], handle: &str) -> Result<(), Error> {
        let taken_back = taken_back(waiting);
        let ids: Vec<_> = waiting.iter().map(|it| it.message).collect();
        for stored in waiting {
            let (intent, about) = (stored.kept.intent, stored.kept.about);
            self.store.remove_message(stored.row)?;
            match intent {
                Some(id) if taken_back.contains(&stored.message) => {
                    self.out.forgotten.push(Forgotten::Message(stored.message));
                    self.intent_failed(id, Failure::refused("message.deleted", "this message was taken back"))?;
                }
                Some(intent) if stored.kept.is_shown => {
                    self.out.forgotten.push(Forgotten::Unsent { message: stored.message, intent });
                    self.want_anew(intent, stored, handle)?;
                }
                // it was done to what waited with it, and went along
                Some(id) if about.is_some_and(|about| ids.contains(&about)) => self.intent_done(id)?,
                Some(id) => match Stage::Removed.end() {
                    Some(failure) => self.intent_failed(id, failure)?,
                    None => self.intent_done(id)?,
                },
                None => self.out.forgotten.push(Forgotten::Message(stored.message)),
            }
            if let Some(about) = about {
                self.apply_effects(&stored.group, &about)?;
            }
        }
        Ok(())
    }

    fn want_anew(&mut self, id: IntentId, stored: &Stored, handle: &str) -> Result<(), Error> {
        let mut content = Content::decode(&stored.kept.content).map_err(|_| Error::Damaged)?;
        if let Part::Text(text) = &mut content.part {
            text.clone_from(&stored.kept.text);
        }
        let want = Want::SendAnew { to: handle.to_owned(), content: Base64Url(content.encode()) };
        self.update_intent(&Intent { id, want })
    }

    /// What it may have answered stands in the conversation that is over; how long it lasts goes along.
    pub(crate) fn go_on_anew(&mut self, mut intent: Intent, to: &str, content: &[u8]) -> Result<(), Error> {
        let content = Content::decode(content).map_err(|_| Error::Damaged)?;
        let Some(group) = self.place_to_write(&intent, to)? else { return Ok(()) };
        if let Part::External(file) = &content.part
            && u64::from(file.expires_s) <= self.now_s()
        {
            return self.intent_failed(intent.id, no_longer_there());
        }
        self.note_timer(&group, &content, 0)?;
        let (row, message) = self.write(&group, content.part, Some(intent.id))?;
        intent.want = Want::Sending;
        self.update_intent(&intent)?;
        self.event(Event::Written { intent: intent.id, row, message, group });
        Ok(())
    }
}
