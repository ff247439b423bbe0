//! Messages in: read, compared with the record, kept, shown once.

use chain::encoding::Reader;
use chain::handle::Handle;
use chain::id::{AccountId, Digest};
use protocol::api::delivery::{Delivery, STALE_EPOCH};
use protocol::content::{Content, PICTURE, Part, RECEIPTS, message_id, unpad};
use protocol::id::{GroupId, MessageId};
use protocol::members::Leaf;
use protocol::people::INVITED;
use protocol::settings::{SETTINGS, SETTINGS_WANTED, is_self_group_id};

use crate::conversation::Stage;
use crate::error::Error;
use crate::feed::Processed;
use crate::files::searched_text;
use crate::message::Kept;
use crate::mls::{Incoming, Unreadable};
use crate::repair::{AGAIN, RESENT};
use crate::sending::NAMES;
use crate::step::Event;
use crate::turn::Turn;

/// Names that others told and the record was not asked about yet; by account.
const CLAIMED_NAME: &str = "claimed name";
/// Most of them that wait at a time: each costs a question, and whoever is in a group can tell many.
const MAX_CLAIMED_NAMES: usize = 256;
/// Most of them that are asked about at a time: every step looks at all of those.
const MAX_ASKED_NAMES: usize = 8;

/// What stands for a content that is no text.
const CANNOT_SHOW: &str = "(something that this version cannot show)";

/// What people see of a part.
pub(crate) fn shown_text(part: &Part) -> String {
    match part {
        Part::Text(text) => text.clone(),
        Part::External(file) => searched_text(file),
        Part::Signal { .. } | Part::Timer(_) | Part::Title(_) | Part::Picture(_) | Part::Leaves => String::new(),
        Part::Reaction(_) | Part::Nothing | Part::Unknown { .. } => CANNOT_SHOW.to_owned(),
    }
}

impl Turn<'_> {
    /// A message came.
    pub(crate) fn received(&mut self, group: &GroupId, delivery: &Delivery, bytes: &[u8]) -> Result<Processed, Error> {
        let Some(conversation) = self.conversation(group)? else { return Ok(Processed::Done) };
        if self.is_own(group, bytes, delivery.position)? {
            return Ok(Processed::Done);
        }
        let device = self.device()?;
        let mls = self.mls(&device);
        match conversation.stage {
            Stage::Active if mls.has(group)? => {}
            // sent while this device was out of step
            Stage::Active | Stage::Entering => {
                return self.unreadable(group, delivery, bytes, "mls.not_in").map(|()| Processed::Done);
            }
            Stage::Creating | Stage::Removed | Stage::Halted(_) => return Ok(Processed::Done),
        }
        match mls.read(group, bytes)? {
            Ok(Incoming::Message { from, epoch, aad, content }) => {
                self.is_understood(group)?;
                self.keep_gossip(&aad)?;
                if conversation.leaves_since.is_after(epoch, delivery.position) {
                    return self.unreadable(group, delivery, bytes, STALE_EPOCH).map(|()| Processed::Done);
                }
                self.keep_message(group, delivery, &from, &content)?;
            }
            // a commit is no message, whatever the service calls it
            Ok(Incoming::Commit(_) | Incoming::OwnCommit) => {}
            Err(unreadable) => {
                self.unreadable(group, delivery, bytes, unreadable.code())?;
                let is_own_epoch = delivery.epoch == mls.epoch(group)?;
                if unreadable == Unreadable::Undecryptable && is_own_epoch && self.may_answer(group)? {
                    self.is_not_understood(group)?;
                }
            }
        }
        Ok(Processed::Done)
    }

    /// A message of this device comes back with its place in the order.
    fn is_own(&mut self, group: &GroupId, bytes: &[u8], position: u64) -> Result<bool, Error> {
        match self.sent_as(&Digest::sha256(bytes))?.filter(|it| it.group == *group) {
            Some(own) => self.sent(own, position).map(|()| true),
            None => Ok(false),
        }
    }

    fn keep_message(&mut self, group: &GroupId, delivery: &Delivery, from: &Leaf, padded: &[u8]) -> Result<(), Error> {
        let sent_at_ms = delivery.at_s.saturating_mul(1_000);
        // what another program made of it and this one cannot read is kept as it is
        let bytes = unpad(padded).unwrap_or(padded);
        let content = Content::decode(bytes).ok();
        if self.is_unwanted(group, &from.account)? {
            return self.pass_over(group, delivery, from, bytes, content.as_ref());
        }
        if let Some(Content { part: Part::Signal { content_type, bytes }, .. }) = &content {
            return self.told(group, from, content_type, bytes, sent_at_ms);
        }
        let message = message_id(group, &from.account, &from.device, bytes);
        let text = content.as_ref().map_or_else(|| CANNOT_SHOW.to_owned(), |content| shown_text(&content.part));
        if let Some(content) = &content {
            self.note_gap(group, from, content, delivery.position, sent_at_ms)?;
        }
        let about = content.as_ref().and_then(Content::effect).map(|(about, _)| about);
        let expires = content.as_ref().and_then(|content| content.expires).filter(|_| about.is_none());
        let kept = Kept { about, expires, is_shown: about.is_none(), ..Kept::received(from, bytes, text, sent_at_ms) };
        let place = self.take_missing_place(group, &message)?.unwrap_or(delivery.position);
        if let Some(content) = &content {
            self.note_timer(group, content, place)?;
            self.note_called(group, &from.account, content, place)?;
            // one that comes late may be of an earlier time
            if place == delivery.position {
                self.note_leaving(group, &from.account, content, place)?;
            }
        }
        self.add_received(group, &message, place, &kept)
    }

    /// Keeps what came, and tells.
    pub(crate) fn add_received(
        &mut self,
        group: &GroupId,
        message: &MessageId,
        place: u64,
        kept: &Kept,
    ) -> Result<(), Error> {
        let is_own = self.own()?.is_some_and(|own| own.account() == Some(kept.from));
        self.has_typed(group, &kept.from);
        let mut kept = kept.clone();
        if kept.is_shown && is_own {
            self.has_written(group, place)?;
            kept.receipts = self.awaited(group)?;
        }
        if let Some(row) = self.store.add_message(group, message, Some(place), &kept)? {
            if kept.is_shown {
                self.event(Event::Message { row, message: *message, group: *group, incoming: true });
            }
            if !is_own {
                self.owe_delivered(group, message, &kept)?;
                if kept.is_shown {
                    self.note_mention(group, place, &kept)?;
                }
            }
            self.apply_effects_of(group, message, None)?;
            if kept.about.is_some() {
                self.take_effect(group, row)?;
            }
            if kept.expires.is_some() {
                self.begin_ends(group)?;
            }
        }
        Ok(())
    }

    /// Another device tells this one something that nobody is shown.
    pub(crate) fn told(
        &mut self,
        group: &GroupId,
        from: &Leaf,
        content_type: &str,
        bytes: &[u8],
        at_ms: u64,
    ) -> Result<(), Error> {
        match content_type {
            NAMES => self.introduced(group, bytes),
            PICTURE => self.shown_picture(group, bytes),
            INVITED => self.invited(group, from, bytes),
            SETTINGS => self.take_settings(group, from, bytes),
            SETTINGS_WANTED => self.settings_wanted(group),
            AGAIN => self.asked_again(group, from, bytes),
            RESENT => self.resent(group, from, bytes, at_ms),
            RECEIPTS => self.told_receipts(group, from, bytes),
            // a signal of a later version
            _ => Ok(()),
        }
    }

    /// It cannot be read here. What was read before, or is this device's own, is no loss.
    fn unreadable(&mut self, group: &GroupId, delivery: &Delivery, bytes: &[u8], code: &str) -> Result<(), Error> {
        if code == "mls.already_read" || code == "mls.own_message" || self.own_at(group, delivery.position)?.is_some() {
            return Ok(());
        }
        // what one's own devices say to each other is hardly ever for a person: it comes again, and nobody need wait for it
        let is_shown = !is_self_group_id(&self.device()?.account, group);
        let kept = Kept { is_shown, ..Kept::unreadable(None, code, delivery.at_s.saturating_mul(1_000)) };
        let message = Digest::sha256(bytes);
        self.ask_again(group, &message, delivery.position)?;
        let row = self.store.add_message(group, &message, Some(delivery.position), &kept)?;
        if let Some(row) = row.filter(|_| is_shown) {
            self.event(Event::Message { row, message, group: *group, incoming: true });
        }
        Ok(())
    }

    /// Somebody says how people are called: believed once the record says so.
    pub(crate) fn named(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let mut r = Reader::new(bytes);
        let mut waiting = self.store.keys(CLAIMED_NAME)?.len();
        while let (Ok(account), Ok(name)) = (AccountId::decode(&mut r, "account"), r.bytes8(0, 255, "handle")) {
            let handle = std::str::from_utf8(name).ok().and_then(|text| Handle::parse(text).ok());
            if let Some(handle) = handle
                && waiting < MAX_CLAIMED_NAMES
                && self.claim_name(&account, &handle)?
            {
                waiting = waiting.saturating_add(1);
            }
        }
        Ok(())
    }

    /// Keeps a name until the record was asked about it; false if it is not worth a question.
    pub(crate) fn claim_name(&mut self, account: &AccountId, handle: &Handle) -> Result<bool, Error> {
        if self.contact(account)?.is_some() || self.own()?.is_some_and(|own| own.account() == Some(*account)) {
            return Ok(false);
        }
        self.store.put_bytes(CLAIMED_NAME, &account.0, handle.as_str().as_bytes())?;
        Ok(true)
    }

    /// Checks names that others told, as far as the facts are there.
    pub(crate) fn go_on_with_names(&mut self) -> Result<(), Error> {
        for key in self.store.first_keys(CLAIMED_NAME, MAX_ASKED_NAMES)? {
            let name = self.store.bytes(CLAIMED_NAME, &key)?.unwrap_or_default();
            let handle = Handle::parse(std::str::from_utf8(&name).unwrap_or_default());
            let (Ok(handle), Ok(account)) = (handle, <[u8; 32]>::try_from(key.as_slice())) else { continue };
            let Some(holder) = self.holder(&handle)? else { continue };
            let is_judged = match holder.account.map(AccountId) {
                Some(holder) if holder.0 == account => {
                    self.keep_contact(&AccountId(account), handle.as_str()).map(|()| true)?
                }
                Some(holder) => self.keep_reset_contact(&AccountId(account), handle.as_str(), &holder)?,
                None => true,
            };
            if is_judged {
                self.store.remove(CLAIMED_NAME, &key)?;
                self.event(Event::Settings);
            }
        }
        Ok(())
    }
}
