//! What people want of messages that are there: to answer one, to change or take back an own one, to say what they think of it
//! (MSG-1 to MSG-4).

use protocol::content::{Content, ContentError, Part};
use protocol::effect::Effect;
use protocol::id::MessageId;
use protocol::limits::MAX_TEXT;

use crate::conversation;
use crate::error::Error;
use crate::intent::Want;
use crate::message::Stored;
use crate::query::MessageState;
use crate::sending::About;
use crate::step::{Event, Failure};
use crate::store::Store;
use crate::turn::Turn;

/// Fewest digits of an id that name a message.
const FEWEST_DIGITS: usize = 4;

/// A message by the beginning of its id, in hexadecimal digits.
fn named(store: &Store<'_>, name: &str) -> Result<Result<Stored, Failure>, Error> {
    let unknown = || Failure::refused("message.unknown", "there is no message with this id");
    let name = name.to_ascii_lowercase();
    let is_id = (FEWEST_DIGITS..=64).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_hexdigit());
    let edge = |digit: &str| format!("{name}{}", digit.repeat(64_usize.saturating_sub(name.len()))).parse();
    let (Ok(first), Ok(last)): (Result<MessageId, _>, Result<MessageId, _>) = (edge("0"), edge("f")) else {
        return Ok(Err(unknown()));
    };
    if !is_id {
        return Ok(Err(unknown()));
    }
    let mut found = Vec::new();
    for conversation in conversation::all(store)? {
        found.extend(store.messages_between(&conversation.group, &first, &last)?);
    }
    let several = Failure::misuse("message.ambiguous", "more than one message has an id that begins so");
    Ok(match found.len() {
        0 => Err(unknown()),
        1 => found.pop().ok_or_else(unknown),
        _ => Err(several),
    })
}

impl Turn<'_> {
    /// The message that a person means, if nothing stands against saying something about it.
    fn message_meant(&mut self, name: &str) -> Result<Result<Stored, Failure>, Error> {
        let stored = match named(&self.store, name)? {
            Ok(stored) => stored,
            Err(failure) => return Ok(Err(failure)),
        };
        if stored.kept.deleted {
            return Ok(Err(Failure::refused("message.deleted", "this message was taken back")));
        }
        if matches!(stored.kept.state, MessageState::Unreadable | MessageState::Failed) {
            return Ok(Err(Failure::refused("message.not_there", "this message is one that the others do not have")));
        }
        Ok(Ok(stored))
    }

    /// A person answers a message.
    pub(crate) fn reply(&mut self, message: &str, text: String) -> Result<(), Error> {
        match (not_a_text(&text), self.message_meant(message)?) {
            (Some(failure), _) | (None, Err(failure)) => self.refuse_command(&Want::Sending, failure),
            (None, Ok(stored)) => self.say_about(&stored, About::Answers(stored.message), Part::Text(text)),
        }
    }

    /// A person says something else instead of an own text.
    pub(crate) fn edit(&mut self, message: &str, text: String) -> Result<(), Error> {
        match (not_a_text(&text), self.own_message_meant(message)?) {
            (Some(failure), _) | (None, Err(failure)) => self.refuse_command(&Want::Sending, failure),
            (None, Ok(stored)) if !is_text(&stored) => {
                let failure =
                    Failure::refused("message.no_text", "only a text can be changed; what this is can be taken back");
                self.refuse_command(&Want::Sending, failure)
            }
            (None, Ok(stored)) if stored.kept.text == text => self.done_already(),
            (None, Ok(stored)) => self.say_about(&stored, About::Replaces(stored.message), Part::Text(text)),
        }
    }

    /// A person takes an own message back.
    pub(crate) fn delete(&mut self, message: &str) -> Result<(), Error> {
        match self.own_message_meant(message)? {
            Ok(stored) => self.say_about(&stored, About::Replaces(stored.message), Part::Nothing),
            Err(failure) => self.refuse_command(&Want::Sending, failure),
        }
    }

    /// A person says what he thinks of a message, or not any more.
    pub(crate) fn react(&mut self, message: &str, reaction: String, remove: bool) -> Result<(), Error> {
        let part = match Part::reaction(reaction.clone()) {
            Ok(part) => part,
            Err(error) => return self.refuse_command(&Want::Sending, no_reaction(&error)),
        };
        let stored = match self.message_meant(message)? {
            Ok(stored) => stored,
            Err(failure) => return self.refuse_command(&Want::Sending, failure),
        };
        let mine = self.own_reactions(&stored, &reaction)?;
        match (remove, mine.first()) {
            (true, None) | (false, Some(_)) => self.done_already(),
            (false, None) => self.say_about(&stored, About::Answers(stored.message), part),
            (true, Some(_)) => {
                for mine in mine {
                    self.say_about(&stored, About::Replaces(mine), Part::Nothing)?;
                }
                Ok(())
            }
        }
    }

    fn own_message_meant(&mut self, message: &str) -> Result<Result<Stored, Failure>, Error> {
        let account = self.device()?.account;
        Ok(self.message_meant(message)?.and_then(|stored| {
            let not_yours =
                || Failure::refused("message.not_yours", "only its writer changes a message or takes it back");
            (stored.kept.from == account).then_some(stored).ok_or_else(not_yours)
        }))
    }

    /// The ids of the messages by which this account has said the same of a message.
    fn own_reactions(&mut self, stored: &Stored, reaction: &str) -> Result<Vec<MessageId>, Error> {
        let account = self.device()?.account;
        let effects = self.store.effects_on(&stored.group, &stored.message)?.into_iter();
        let mine = effects.filter(|it| {
            let said = Content::decode(&it.kept.content);
            let is_same =
                said.is_ok_and(|said| matches!(said.effect(), Some((_, Effect::React(it))) if it == reaction));
            is_same && it.kept.from == account && !it.kept.deleted && it.kept.state != MessageState::Failed
        });
        Ok(mine.map(|it| it.message).collect())
    }

    fn say_about(&mut self, stored: &Stored, about: About, part: Part) -> Result<(), Error> {
        let group = stored.group;
        if let Some(conversation) = self.conversation(&group)?
            && let Some(failure) = self.why_not_write(&conversation)?
        {
            return self.refuse_command(&Want::Sending, failure);
        }
        let intent = self.add_intent(&Want::Sending)?;
        let (row, message) = self.write_about(&group, about, part, Some(intent))?;
        self.event(Event::Written { intent, row, message, group });
        Ok(())
    }

    /// It is as the person wants it.
    fn done_already(&mut self) -> Result<(), Error> {
        let intent = self.add_intent(&Want::Sending)?;
        self.intent_done(intent)
    }
}

fn is_text(stored: &Stored) -> bool {
    Content::decode(&stored.kept.content).is_ok_and(|content| matches!(content.part, Part::Text(_)))
}

/// Why a text cannot be sent.
pub(crate) fn not_a_text(text: &str) -> Option<Failure> {
    match text.len() {
        0 => Some(Failure::misuse("message.empty", "there is nothing to send")),
        length if length > MAX_TEXT => {
            Some(Failure::misuse("message.too_large", format!("a text has up to {MAX_TEXT} bytes")))
        }
        _ => None,
    }
}

fn no_reaction(error: &ContentError) -> Failure {
    let message = match error {
        ContentError::TooLarge { .. } => "a reaction is an emoji or a short word",
        _ => "this is no reaction: one emoji, or a short word",
    };
    Failure::misuse("reaction.malformed", message)
}
