//! Messages that are gone some time after they were read (MSG-6, MSG-7).
//!
//! Each message says itself how long it lasts, so nobody is told anything else; who writes takes the time that was said last in
//! the conversation, or, before anything was said here, that of the newest text. The time begins when the message was read on
//! any device of the account, and for its writer when the service has it. It binds honest programs only.

use chain::encoding::Reader;
use protocol::content::{Content, Expiry, MAX_TIMER, Part};
use protocol::id::GroupId;
use protocol::settings::SettingKey;
use rusqlite::params;

use crate::conversation::{Conversation, Timer};
use crate::error::Error;
use crate::intent::Want;
use crate::message::{NOT_YET_PLACED, NOTHING, Stored, column};
use crate::reading::read_up_to;
use crate::settings::value;
use crate::step::{Event, Failure};
use crate::store::Store;
use crate::transfer::Forgotten;
use crate::turn::Turn;

impl Conversation {
    /// MSG-6: of several the last in the service's order counts, and what was said more than what was concluded. False: another
    /// one does, or this one already.
    fn takes_timer(&mut self, said: Timer) -> bool {
        let is_newer = |before: Timer| match (before.is_said, said.is_said) {
            (true, false) => false,
            (false, true) => true,
            // what was said here has its place now, or another one says so again
            _ => said.place >= before.place || before.place == NOT_YET_PLACED,
        };
        let counts = self.timer != Some(said) && self.timer.is_none_or(is_newer);
        if counts {
            self.timer = Some(said);
        }
        counts
    }
}

impl Store<'_> {
    /// The messages of a group up to a position have been read: those that are to be gone after that have an end now.
    pub(crate) fn begin_ends(&self, group: &GroupId, position: u64, now_ms: u64) -> Result<(), Error> {
        let begin = "UPDATE messages SET ends_ms = ?3 + lasts_s * 1000 \
                     WHERE conversation = ?1 AND place <= ?2 AND lasts_s IS NOT NULL AND ends_ms IS NULL";
        self.db().prepare_cached(begin)?.execute(params![group.0, column(position), column(now_ms)])?;
        Ok(())
    }

    /// When the next message is to be gone, milliseconds since 1970.
    pub(crate) fn next_end_ms(&self) -> Result<Option<u64>, Error> {
        let next = "SELECT min(ends_ms) FROM messages WHERE ends_ms IS NOT NULL";
        let next: Option<i64> = self.db().prepare_cached(next)?.query_row([], |row| row.get(0))?;
        Ok(next.map(i64::unsigned_abs))
    }

    /// Some of the messages that are to be gone by now.
    pub(crate) fn ended(&self, now_ms: u64) -> Result<Vec<Stored>, Error> {
        self.select_messages("WHERE ends_ms <= ?1 ORDER BY ends_ms LIMIT 256", params![column(now_ms)])
    }
}

impl Turn<'_> {
    /// A person wants messages of a conversation to be gone some time after they were read, or to stay.
    pub(crate) fn set_timer(&mut self, chat: &str, seconds: u32) -> Result<(), Error> {
        let conversations = self.chats_meant(chat)?;
        let failure = match conversations.as_slice() {
            _ if seconds > MAX_TIMER => {
                Some(Failure::misuse("chat.timer", "messages last a year at most, or for good"))
            }
            [conversation] => self.why_not_write(conversation)?,
            _ => Some(Failure::misuse("chat.unknown", "there is no one conversation that is called that")),
        };
        match (failure, conversations.first()) {
            (Some(failure), _) => self.refuse_command(&Want::Sending, failure),
            (None, Some(conversation)) => {
                let (intent, group) = (self.add_intent(&Want::Sending)?, conversation.group);
                let (row, message) = self.write(&group, Part::Timer(seconds), Some(intent))?;
                self.event(Event::Written { intent, row, message, group });
                Ok(())
            }
            (None, None) => Ok(()),
        }
    }

    /// MSG-6: what a message says, or shows, of the time that messages last.
    pub(crate) fn note_timer(&mut self, group: &GroupId, content: &Content, place: u64) -> Result<(), Error> {
        let (seconds, is_said) = match (&content.part, content.expires) {
            (Part::Timer(seconds), _) => (*seconds, true),
            (Part::Text(_) | Part::External(_), Some(Expiry { relative: true, seconds: seconds @ 0..=MAX_TIMER }))
                if content.replaces.is_none() =>
            {
                (seconds, false)
            }
            _ => return Ok(()),
        };
        let Some(mut conversation) = self.conversation(group)? else { return Ok(()) };
        if conversation.takes_timer(Timer { seconds, place, is_said }) {
            self.keep_conversation(&conversation)?;
            self.conversation_changed(group);
            self.share_timer(&conversation)?;
        }
        Ok(())
    }

    /// Own devices that come later were not told.
    fn share_timer(&mut self, conversation: &Conversation) -> Result<(), Error> {
        match conversation.timer.filter(|timer| timer.is_said && timer.place != NOT_YET_PLACED) {
            Some(Timer { seconds, place, .. }) => {
                let value = [&seconds.to_be_bytes()[..], &place.to_be_bytes()].concat();
                self.set(&SettingKey::Timer(conversation.group), &value)
            }
            None => Ok(()),
        }
    }

    /// What another device of the account has heard.
    pub(crate) fn shared_timer(&self, conversation: &mut Conversation) -> Result<bool, Error> {
        let shared = value(&self.store, &SettingKey::Timer(conversation.group))?.unwrap_or_default();
        let mut r = Reader::new(&shared);
        let (Ok(seconds @ 0..=MAX_TIMER), Ok(place)) = (r.u32("seconds"), r.u64("position")) else { return Ok(false) };
        // whoever heard it told so afterwards: it stands in front of that (MSG-6)
        Ok(place <= self.reached()? && conversation.takes_timer(Timer { seconds, place, is_said: true }))
    }

    /// The same, when that comes; who knows of something newer says so.
    pub(crate) fn timer_is_shared(&mut self, group: &GroupId) -> Result<(), Error> {
        let Some(mut conversation) = self.conversation(group)? else { return Ok(()) };
        if self.shared_timer(&mut conversation)? {
            self.keep_conversation(&conversation)?;
            self.conversation_changed(group);
        }
        self.share_timer(&conversation)
    }

    /// What was read of a conversation has an end now, if it is to have one.
    pub(crate) fn begin_ends(&mut self, group: &GroupId) -> Result<(), Error> {
        self.store.begin_ends(group, read_up_to(&self.store, group)?, self.now_ms)
    }

    /// MSG-7: erases what is to be gone, and comes back for the next.
    pub(crate) fn go_on_disappearing(&mut self) -> Result<(), Error> {
        let Some(next_ms) = self.store.next_end_ms()? else { return Ok(()) };
        if next_ms <= self.now_ms {
            for stored in self.store.ended(self.now_ms)? {
                self.is_gone(stored)?;
            }
        }
        if let Some(next_ms) = self.store.next_end_ms()? {
            self.wake(next_ms.max(self.now_ms));
        }
        Ok(())
    }

    fn is_gone(&mut self, mut stored: Stored) -> Result<(), Error> {
        let group = stored.group;
        for mut effect in self.store.effects_on(&group, &stored.message)? {
            effect.erase();
            self.store.update_message(&effect)?;
        }
        stored.erase();
        self.out.forgotten.push(Forgotten::Message(stored.message));
        stored.kept.about = Some(NOTHING);
        self.store.update_gone(&stored)?;
        self.index_again(stored.row)?;
        self.event(Event::Changed { row: stored.row, message: stored.message, group });
        self.conversation_changed(&group);
        Ok(())
    }
}
