//! Messages that did not come (SND-3): every text names the one that its device wrote before it here, so whoever drops
//! one on its way leaves a hole that can be seen (attack 39). The hole is shown where the message should stand, and its
//! writer is asked for it; when it comes after all, late or again, it takes that place.

use chain::id::Digest;
use protocol::content::Content;
use protocol::id::{GroupId, MessageId};
use protocol::members::Leaf;

use crate::error::Error;
use crate::history::fits_history;
use crate::message::{Kept, Stored};
use crate::query::MessageState;
use crate::step::Event;
use crate::turn::Turn;

/// What stands in the place of a message that did not come.
const MISSING: &str = "message.missing";

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

    /// Looks whether the text before this one of the same device is there. What could not be read may be that one; whoever
    /// counted on it could drop one and damage the next.
    pub(crate) fn note_gap(
        &mut self,
        group: &GroupId,
        from: &Leaf,
        content: &Content,
        place: u64,
        at_ms: u64,
    ) -> Result<(), Error> {
        let Some(mut conversation) = self.conversation(group)? else { return Ok(()) };
        // what it wrote before this device came in was not for this device
        let heard = conversation.heard.iter_mut().find(|(device, _)| *device == from.device.0);
        let is_first = match heard {
            Some((_, first)) => std::mem::replace(first, place.min(*first)) > place,
            None => {
                conversation.heard.push((from.device.0, place));
                true
            }
        };
        if is_first {
            // HIS-4: an older device may have handed over something else in the place of what it wrote last
            let previous = content.previous.as_ref();
            conversation.unverified |= !fits_history(&self.store, group, &from.device, previous, place)?;
            return self.keep_conversation(&conversation);
        }
        match content.previous {
            Some(previous) if self.store.message_by_id(group, &previous)?.is_none() => {
                self.keep_missing(group, from, &previous, place, at_ms)
            }
            _ => Ok(()),
        }
    }

    fn keep_missing(
        &mut self,
        group: &GroupId,
        from: &Leaf,
        message: &Digest,
        place: u64,
        at_ms: u64,
    ) -> Result<(), Error> {
        let kept = Kept::unreadable(Some(from), MISSING, at_ms);
        // before the one that names it, also when it comes after it
        let place = place.saturating_sub(1);
        if let Some(row) = self.store.add_message(group, message, Some(place), &kept)? {
            self.event(Event::Message { row, message: *message, group: *group, incoming: true });
        }
        self.ask_again(group, message, 0)
    }
}
