//! A message that cannot be read here is asked for again: the device that wrote it recognises it by the hash of what it
//! sent, and sends the content once more, in keys that this device has. Nobody has to press anything (SND-4).
//!
//! Both are messages of the group like any other, which nobody is shown, and which can get lost like any other: so they
//! are asked for and sent again as well. A service that damages everything would have devices ask each other for ever, so
//! a device asks for many at once, and waits longer after each time.

use chain::encoding::{Reader, Writer};
use chain::id::Digest;
use protocol::content::{Content, Part, message_id};
use protocol::id::{GroupId, hex};
use protocol::members::Leaf;
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::message::{Kept, Stored};
use crate::query::MessageState;
use crate::receiving::shown_text;
use crate::turn::Turn;

/// Content type of a request to send something again.
pub(crate) const AGAIN: &str = "application/vnd.trefoil.again";
/// Content type of something sent again.
pub(crate) const RESENT: &str = "application/vnd.trefoil.resent";
/// By hash of the MLSMessage: the row of an own message.
const SENT: &str = "sent";
/// Hashes that were asked for.
const ASKED: &str = "asked again";
/// What is to be asked for, by group.
const ASKING: &str = "asking again";
/// What was sent again: message and hash that was asked for; message, who asked, and how it was found.
const ANSWERED: &str = "sent again";
/// Most that one request names.
const MOST_AT_ONCE: usize = 64;
/// Most that waits to be asked for in a group; what is more stays unreadable.
const MOST_WAITING: usize = 1_024;
/// Most names that an answer has: it is one that itself was asked for seven times.
const MOST_NAMES: usize = 8;
/// After a request, the next one waits this long, and twice as long each time, up to the most; milliseconds.
const PAUSE_MS: u64 = 5_000;
const MOST_PAUSE_MS: u64 = 600_000;
/// After so long without a request the pauses begin anew, milliseconds.
const QUIET_MS: u64 = 3_600_000;

/// Something that is to be asked for.
#[derive(Clone, Copy, Serialize, Deserialize)]
struct Lost {
    /// Of the MLSMessage as it came, or the id of a message that never came.
    #[serde(with = "hex")]
    hash: Digest,
    position: u64,
}

/// What is to be asked for in a group, and when.
#[derive(Default, Serialize, Deserialize)]
struct Asking {
    lost: Vec<Lost>,
    /// How often it was asked without an hour between.
    times: u32,
    next_ms: u64,
}

impl Asking {
    /// True if the time has come, also when the clock was put back.
    fn is_due(&self, now_ms: u64) -> bool {
        now_ms >= self.next_ms || self.next_ms.saturating_sub(now_ms) > MOST_PAUSE_MS
    }

    /// What the next request names.
    fn next(&mut self, now_ms: u64) -> Vec<Lost> {
        if now_ms.saturating_sub(self.next_ms) > QUIET_MS {
            self.times = 0;
        }
        let pause = PAUSE_MS.saturating_mul(1 << self.times.min(10)).min(MOST_PAUSE_MS);
        (self.times, self.next_ms) = (self.times.saturating_add(1), now_ms.saturating_add(pause));
        self.lost.drain(..self.lost.len().min(MOST_AT_ONCE)).collect()
    }
}

/// Something sent again.
struct Resent<'a> {
    /// All that it was asked for as.
    hashes: Vec<Digest>,
    content: &'a [u8],
}

impl<'a> Resent<'a> {
    fn decode(bytes: &'a [u8]) -> Option<Self> {
        let mut r = Reader::new(bytes);
        let count = usize::from(r.u8("count").ok()?);
        if !(1..=MOST_NAMES).contains(&count) {
            return None;
        }
        let hashes = (0..count).map(|_| r.array("hash").map(Digest)).collect::<Result<_, _>>().ok()?;
        let content = r.take(r.remaining(), "content").ok()?;
        Some(Self { hashes, content })
    }

    fn encode(&self) -> Vec<u8> {
        let mut w = Writer::new();
        w.u8(u8::try_from(self.hashes.len()).unwrap_or(u8::MAX));
        for hash in &self.hashes {
            w.raw(&hash.0);
        }
        w.raw(self.content);
        w.finish()
    }
}

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

    /// Wants whoever wrote it to send it again; each is asked for once.
    pub(crate) fn ask_again(&mut self, group: &GroupId, hash: &Digest, position: u64) -> Result<(), Error> {
        if !self.may_answer(group)? {
            return Ok(());
        }
        let mut asking: Asking = self.store.get(ASKING, &group.0)?.unwrap_or_default();
        if asking.lost.len() >= MOST_WAITING || self.store.bytes(ASKED, &hash.0)?.is_some() {
            return Ok(());
        }
        self.store.put_bytes(ASKED, &hash.0, &[])?;
        asking.lost.push(Lost { hash: *hash, position });
        self.store.put(ASKING, &group.0, &asking)
    }

    /// Asks for what could not be read in a group, when it is time to.
    pub(crate) fn go_on_asking(&mut self, group: &GroupId) -> Result<(), Error> {
        let asking: Option<Asking> = self.store.get(ASKING, &group.0)?;
        let Some(mut asking) = asking.filter(|it| !it.lost.is_empty()) else { return Ok(()) };
        if !asking.is_due(self.now_ms) {
            self.wake(asking.next_ms);
            return Ok(());
        }
        let mut w = Writer::new();
        for lost in asking.next(self.now_ms) {
            w.raw(&lost.hash.0).u64(lost.position);
        }
        self.store.put(ASKING, &group.0, &asking)?;
        let part = Part::Signal { content_type: AGAIN.to_owned(), bytes: w.finish() };
        self.write(group, part, None).map(|_| ())
    }

    /// Somebody could not read messages; this device sends again those that it wrote.
    pub(crate) fn asked_again(&mut self, group: &GroupId, from: &Leaf, bytes: &[u8]) -> Result<(), Error> {
        let mut r = Reader::new(bytes);
        for _ in 0..MOST_AT_ONCE {
            let (Ok(hash), Ok(position)) = (r.array("hash").map(Digest), r.u64("position")) else { break };
            self.asked_for(group, from, &Lost { hash, position })?;
        }
        Ok(())
    }

    fn asked_for(&mut self, group: &GroupId, from: &Leaf, lost: &Lost) -> Result<(), Error> {
        let Some((found_by, stored)) = self.find_lost(group, lost)? else { return Ok(()) };
        // once for all who have the same before them, and once for each who asks in the same way, whatever is before him
        let for_hash = [stored.message.0.as_slice(), &lost.hash.0].concat();
        let for_asker = [stored.message.0.as_slice(), &from.device.0, &[found_by]].concat();
        if self.store.bytes(ANSWERED, &for_hash)?.is_some() || self.store.bytes(ANSWERED, &for_asker)?.is_some() {
            return Ok(());
        }
        // nobody who came later is handed what was not for him
        let device = self.device()?;
        let own = device.id();
        let was_for = |leaf: &Leaf| leaf.device == own || stored.kept.encrypted_to.contains(&leaf.device);
        if !self.mls(&device).composition(group)?.leaves.iter().all(was_for) {
            return Ok(());
        }
        self.store.put_bytes(ANSWERED, &for_hash, &[])?;
        self.store.put_bytes(ANSWERED, &for_asker, &[])?;
        self.send_again(group, &stored, lost.hash)
    }

    /// An own message by what somebody has of it, and in which of three ways it was found.
    fn find_lost(&self, group: &GroupId, lost: &Lost) -> Result<Option<(u8, Stored)>, Error> {
        let device = self.device()?.id();
        let is_own = |it: &Stored| it.group == *group && it.kept.device == device;
        if let Some(stored) = self.sent_as(&lost.hash)?.filter(is_own) {
            return Ok(Some((0, stored)));
        }
        if let Some(stored) = self.store.message_by_id(group, &lost.hash)?.filter(is_own) {
            return Ok(Some((1, stored)));
        }
        Ok(self.own_at(group, lost.position)?.map(|stored| (2, stored)))
    }

    /// The own message that has this place.
    pub(crate) fn own_at(&self, group: &GroupId, position: u64) -> Result<Option<Stored>, Error> {
        let device = self.device()?.id();
        let is_own = |it: &Stored| it.kept.device == device && it.kept.state == MessageState::Sent;
        Ok(self.store.messages_at(group, position)?.into_iter().find(is_own))
    }

    /// What could not be read where an own message stands is no loss.
    pub(crate) fn forget_unread_at(&mut self, group: &GroupId, position: u64) -> Result<(), Error> {
        for stored in self.store.messages_at(group, position)? {
            if stored.kept.state == MessageState::Unreadable && !stored.is_missing() {
                self.store.remove_message(stored.row)?;
            }
        }
        Ok(())
    }

    /// Sends a content once more. Of an answer that was lost the content that is in it, under one name more.
    fn send_again(&mut self, group: &GroupId, stored: &Stored, hash: Digest) -> Result<(), Error> {
        let content = &stored.kept.content;
        if content.is_empty() {
            // it was taken back, which comes by itself
            return Ok(());
        }
        let part = Content::decode(content).map(|content| content.part);
        let mut resent = Resent { hashes: Vec::new(), content };
        if let Ok(Part::Signal { content_type, bytes }) = &part
            && content_type == RESENT
        {
            let Some(inner) = Resent::decode(bytes) else { return Ok(()) };
            resent = inner;
        }
        resent.hashes.push(hash);
        if resent.hashes.len() > MOST_NAMES {
            return Ok(());
        }
        let part = Part::Signal { content_type: RESENT.to_owned(), bytes: resent.encode() };
        self.write(group, part, None).map(|_| ())
    }

    /// Something came again. It takes the place where it could not be read; what nobody is shown leaves no trace.
    pub(crate) fn resent(&mut self, group: &GroupId, from: &Leaf, bytes: &[u8], at_ms: u64) -> Result<(), Error> {
        let Some(Resent { hashes, content }) = Resent::decode(bytes) else { return Ok(()) };
        let Ok(decoded) = Content::decode(content) else { return Ok(()) };
        let id = message_id(group, &from.account, &from.device, content);
        let mut place = None;
        let mut sent_at_ms = at_ms;
        for hash in hashes {
            let unread = self.store.message_by_id(group, &hash)?;
            let fits =
                |it: &Stored| it.kept.state == MessageState::Unreadable && (!it.is_missing() || it.message == id);
            if let Some(unread) = unread.filter(fits) {
                self.store.remove_message(unread.row)?;
                sent_at_ms = sent_at_ms.min(unread.kept.sent_at_ms);
                place = place.or(unread.place);
            }
        }
        let Some(place) = place else { return Ok(()) };
        let Part::Signal { content_type, bytes } = decoded.part else {
            // it may be missed under its id as well
            let place = self.take_missing_place(group, &id)?.unwrap_or(place);
            self.note_gap(group, from, &decoded, place, sent_at_ms)?;
            let about = decoded.effect().map(|(about, _)| about);
            let text = shown_text(&decoded.part);
            let (expires, is_shown) = (decoded.expires.filter(|_| about.is_none()), about.is_none());
            self.note_timer(group, &decoded, place)?;
            self.note_called(group, &from.account, &decoded, place)?;
            let kept = Kept { about, expires, is_shown, ..Kept::received(from, content, text, sent_at_ms) };
            return self.add_received(group, &id, place, &kept);
        };
        // what is sent again is never an answer itself
        if content_type == RESENT { Ok(()) } else { self.told(group, from, &content_type, &bytes, at_ms) }
    }
}
