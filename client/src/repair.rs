//! A message that cannot be read here is asked for again: the device that wrote it recognises it by the hash of what it
//! sent, and sends the content once more, in keys that this device has. Nobody has to press anything.
//!
//! Both are messages of the group like any other, which nobody is shown: a request holds the hash of the MLSMessage as it
//! came (32 bytes) and its position (u64), in case it came damaged, or the id of a message that never came; an answer
//! holds that hash and the content. Each is asked for and answered once, and only while nobody is in the group whom the
//! message was not for: nobody who comes later is handed old messages by asking for them.

use chain::id::Digest;
use protocol::content::{Content, Part, message_id};
use protocol::id::GroupId;
use protocol::members::Leaf;

use crate::error::Error;
use crate::message::{Kept, Stored};
use crate::query::MessageState;
use crate::sending::NAMES;
use crate::step::Event;
use crate::turn::Turn;

/// Content type of a request to send something again.
pub(crate) const AGAIN: &str = "application/vnd.trefoil.again";
/// Content type of something sent again.
pub(crate) const RESENT: &str = "application/vnd.trefoil.resent";
/// By hash of the MLSMessage: the row of an own message.
const SENT: &str = "sent";
/// Hashes that were answered, or asked for, by group.
const ASKED: &str = "asked again";
const ANSWERED: &str = "sent again";

impl Turn<'_> {
    /// Remembers what a message was sent as.
    pub(crate) fn remember_sent(&mut self, message: &[u8], row: i64) -> Result<(), Error> {
        self.store.put_bytes(SENT, &Digest::sha256(message).0, &row.to_be_bytes())
    }

    /// The own message that was sent as the MLSMessage with this hash.
    pub(crate) fn sent_as(&self, hash: &Digest) -> Result<Option<Stored>, Error> {
        let row = self.store.bytes(SENT, &hash.0)?.and_then(|bytes| bytes.try_into().ok()).map(i64::from_be_bytes);
        row.map_or(Ok(None), |row| self.store.message(row))
    }

    /// Asks whoever wrote it to send it again.
    pub(crate) fn ask_again(&mut self, group: &GroupId, hash: &Digest, position: u64) -> Result<(), Error> {
        if self.store.bytes(ASKED, &hash.0)?.is_some() {
            return Ok(());
        }
        self.store.put_bytes(ASKED, &hash.0, &[])?;
        let bytes = [hash.0.as_slice(), &position.to_be_bytes()].concat();
        let part = Part::Signal { content_type: AGAIN.to_owned(), bytes };
        self.write(group, part, None).map(|_| ())
    }

    /// Somebody could not read a message; this device answers if it wrote it.
    pub(crate) fn asked_again(&mut self, group: &GroupId, from: &Leaf, bytes: &[u8]) -> Result<(), Error> {
        let Some((hash, position)) = bytes.split_first_chunk::<32>() else { return Ok(()) };
        let Ok(position) = <[u8; 8]>::try_from(position).map(u64::from_be_bytes) else { return Ok(()) };
        let stored = match self.sent_as(&Digest(*hash))? {
            Some(stored) => Some(stored),
            None => match self.store.message_by_id(group, &Digest(*hash))? {
                Some(stored) => Some(stored),
                None => self.store.message_at(group, position)?,
            },
        };
        let device = self.device()?;
        let own = stored.filter(|it| it.group == *group && it.kept.device == device.id().0);
        // what only repairs is not repaired: that would have no end
        let Some(stored) = own.filter(|it| it.kept.is_shown || tells_names(&it.kept.content)) else { return Ok(()) };
        // once for each who asks, whatever it is called
        let key = [stored.message.0.as_slice(), &from.device.0].concat();
        if self.store.bytes(ANSWERED, &key)?.is_some() {
            return Ok(());
        }
        let now = self.mls(&device).composition(group)?;
        let was_for = |leaf: &Leaf| leaf.device == device.id() || stored.kept.encrypted_to.contains(&leaf.device.0);
        if !now.leaves.iter().all(was_for) {
            return Ok(());
        }
        self.store.put_bytes(ANSWERED, &key, &[])?;
        let bytes = [hash.as_slice(), &stored.kept.content].concat();
        let part = Part::Signal { content_type: RESENT.to_owned(), bytes };
        self.write(group, part, None).map(|_| ())
    }

    /// A message came again. It takes the place where it could not be read.
    pub(crate) fn resent(&mut self, group: &GroupId, from: &Leaf, bytes: &[u8], at_ms: u64) -> Result<(), Error> {
        let Some((hash, content)) = bytes.split_first_chunk::<32>() else { return Ok(()) };
        let unread = self.store.message_by_id(group, &Digest(*hash))?;
        let Some(unread) = unread.filter(|it| it.kept.state == MessageState::Unreadable) else { return Ok(()) };
        let text = match Content::decode(content).map(|content| content.part) {
            Ok(Part::Text(text)) => text,
            Ok(Part::Signal { content_type, bytes }) if content_type == NAMES => {
                self.named(&bytes)?;
                return self.store.remove_message(unread.row);
            }
            _ => return self.store.remove_message(unread.row),
        };
        let kept = Kept::received(from, content, text, unread.kept.sent_at_ms.min(at_ms));
        let message = message_id(group, &from.account, &from.device, content);
        if unread.is_missing() && message != unread.message {
            return Ok(());
        }
        self.store.remove_message(unread.row)?;
        if let Some(row) = self.store.add_message(group, &message, unread.place, &kept)? {
            self.event(Event::Message { row, message, group: *group, incoming: true });
        }
        Ok(())
    }
}

fn tells_names(content: &[u8]) -> bool {
    let part = Content::decode(content).map(|content| content.part);
    matches!(part, Ok(Part::Signal { content_type, .. }) if content_type == NAMES)
}
