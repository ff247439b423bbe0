//! Messages that did not come (SND-3): every text names the one that its device wrote before it here, so whoever drops
//! one on its way leaves a hole that can be seen (attack 39). The hole is shown where the message should stand, and its
//! writer is asked for it; when it comes after all, late or again, it takes that place.

use chain::id::Digest;
use protocol::api::delivery::Delivery;
use protocol::content::Content;
use protocol::id::{GroupId, MessageId};
use protocol::members::Leaf;

use crate::error::Error;
use crate::message::{Kept, Stored};
use crate::query::MessageState;
use crate::step::Event;
use crate::turn::Turn;

/// What stands in the place of a message that did not come.
const MISSING: &str = "message.missing";
/// How far back an unreadable message explains why one is not there: it may be that one.
const LOOK_BACK: u32 = 50;

impl Stored {
    /// True for the place of a message that did not come; the row has its id.
    pub(crate) fn is_missing(&self) -> bool {
        self.kept.state == MessageState::Unreadable && self.kept.text == MISSING
    }
}

impl Turn<'_> {
    /// The place that was kept for a message, which is then free for it.
    pub(crate) fn take_missing_place(&mut self, group: &GroupId, message: &MessageId) -> Result<Option<u64>, Error> {
        let missing = self.store.message_by_id(group, message)?.filter(Stored::is_missing);
        let Some(missing) = missing else { return Ok(None) };
        self.store.remove_message(missing.row)?;
        Ok(missing.place)
    }

    /// Looks whether the text before this one of the same device is there.
    pub(crate) fn note_gap(
        &mut self,
        group: &GroupId,
        from: &Leaf,
        content: &Content,
        delivery: &Delivery,
    ) -> Result<(), Error> {
        let Some(mut conversation) = self.conversation(group)? else { return Ok(()) };
        if conversation.heard.insert(from.device.0) {
            // what it wrote before this device came in was not for this device
            return self.keep_conversation(&conversation);
        }
        match content.previous {
            Some(previous) if self.is_lacking(group, &previous)? => self.keep_missing(group, from, &previous, delivery),
            _ => Ok(()),
        }
    }

    fn is_lacking(&self, group: &GroupId, message: &MessageId) -> Result<bool, Error> {
        if self.store.message_by_id(group, message)?.is_some() {
            return Ok(false);
        }
        let unread = |it: &Stored| it.kept.state == MessageState::Unreadable && !it.is_missing();
        Ok(!self.store.newest_messages(Some(&[*group]), LOOK_BACK)?.iter().any(unread))
    }

    fn keep_missing(
        &mut self,
        group: &GroupId,
        from: &Leaf,
        message: &Digest,
        delivery: &Delivery,
    ) -> Result<(), Error> {
        let kept = Kept::unreadable(Some(from), MISSING, delivery.at_s.saturating_mul(1_000));
        // before the one that names it, also when it comes after it
        let place = delivery.position.saturating_sub(1);
        if let Some(row) = self.store.add_message(group, message, Some(place), &kept)? {
            self.event(Event::Message { row, message: *message, group: *group, incoming: true });
        }
        self.ask_again(group, message, 0)
    }
}
