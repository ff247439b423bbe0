//! Messages in: read, compared with the record, kept, shown once.

use chain::encoding::Reader;
use chain::evidence::Evidence;
use chain::handle::Handle;
use chain::id::{AccountId, Digest};
use chain::log::checkpoint::LogSignedCheckpoint;
use chain::log::note::SignedNote;
use chain::sigchain::entry::SeenCheckpoint;
use chain::view::ViewError;
use protocol::api::delivery::Delivery;
use protocol::content::{Content, Part, message_id, unpad};
use protocol::gossip::Gossip;
use protocol::id::GroupId;
use protocol::members::Leaf;
use serde::{Deserialize, Serialize};

use crate::conversation::{Conversation, Stage};
use crate::error::Error;
use crate::feed::Processed;
use crate::message::Kept;
use crate::mls::{Incoming, Mls};
use crate::query::MessageState;
use crate::repair::{AGAIN, RESENT};
use crate::sending::{NAMES, carries};
use crate::step::Event;
use crate::turn::Turn;

const GOSSIP: &str = "gossip";
const CLAIMED_NAME: &str = "claimed name";

#[derive(Serialize, Deserialize)]
struct Heard {
    size: u64,
    root: [u8; 32],
    note: Vec<u8>,
}

impl Turn<'_> {
    /// A message came.
    pub(crate) fn received(&mut self, group: &GroupId, delivery: &Delivery, bytes: &[u8]) -> Result<Processed, Error> {
        let Some(conversation) = self.conversation(group)? else { return Ok(Processed::Done) };
        if self.is_own(&conversation, bytes, delivery.position)? {
            return Ok(Processed::Done);
        }
        let device = self.device()?;
        let mls = Mls::new(self.store, &device);
        match conversation.stage {
            Stage::Active if mls.has(group)? => {}
            // sent while this device was out of step
            Stage::Active | Stage::Entering => {
                return self.unreadable(group, delivery, bytes, "mls.not_in").map(|()| Processed::Done);
            }
            Stage::Creating(_) | Stage::Removed | Stage::Halted(_) => return Ok(Processed::Done),
        }
        match mls.read(group, bytes)? {
            Ok(Incoming::Message { from, aad, content, .. }) => {
                self.keep_gossip(&aad)?;
                self.keep_message(group, delivery, &from, &content)?;
            }
            // a commit is no message, whatever the service calls it
            Ok(Incoming::Commit(_) | Incoming::OwnCommit) => {}
            Err(unreadable) => self.unreadable(group, delivery, bytes, unreadable.code())?,
        }
        Ok(Processed::Done)
    }

    /// A message of this device comes back with its place in the order.
    fn is_own(&mut self, conversation: &Conversation, bytes: &[u8], position: u64) -> Result<bool, Error> {
        for waiting in self.store.all_waiting(&conversation.group)? {
            if waiting.kept.submission.as_deref().is_some_and(|body| carries(body, bytes)) {
                return self.sent(waiting, position).map(|()| true);
            }
        }
        Ok(false)
    }

    fn keep_message(&mut self, group: &GroupId, delivery: &Delivery, from: &Leaf, padded: &[u8]) -> Result<(), Error> {
        let decoded =
            unpad(padded).ok().and_then(|bytes| Some((message_id(bytes), bytes, Content::decode(bytes).ok()?)));
        let Some((message, bytes, content)) = decoded else {
            return self.unreadable(group, delivery, padded, "message.content");
        };
        let (text, is_shown) = match &content.part {
            Part::Text(text) => (text.clone(), true),
            Part::Signal { content_type, bytes } if content_type == NAMES => {
                return self.named(bytes);
            }
            Part::Signal { content_type, bytes } if content_type == AGAIN => {
                return self.asked_again(group, from, bytes);
            }
            Part::Signal { content_type, bytes } if content_type == RESENT => {
                return self.resent(group, from, bytes, delivery.at_s.saturating_mul(1_000));
            }
            // a signal of a later version
            Part::Signal { .. } => return Ok(()),
            Part::Unknown { .. } => ("(something that this version cannot show)".to_owned(), true),
        };
        let kept = Kept {
            from: from.account.0,
            device: from.device.0,
            content: bytes.to_vec(),
            text,
            sent_at_ms: delivery.at_s.saturating_mul(1_000),
            state: MessageState::Received,
            from_history: false,
            encrypted_to: Vec::new(),
            submission: None,
            intent: None,
            is_shown,
        };
        if let Some(row) = self.store.add_message(group, &message, Some(delivery.position), &kept)? {
            self.event(Event::Message { row, message, group: *group, incoming: true });
        }
        Ok(())
    }

    /// It cannot be read here. What was read before, or is this device's own, is no loss.
    fn unreadable(&mut self, group: &GroupId, delivery: &Delivery, bytes: &[u8], code: &str) -> Result<(), Error> {
        if code == "mls.already_read" || code == "mls.own_message" {
            return Ok(());
        }
        let kept = Kept {
            from: [0; 32],
            device: [0; 16],
            content: Vec::new(),
            text: code.to_owned(),
            sent_at_ms: delivery.at_s.saturating_mul(1_000),
            state: MessageState::Unreadable,
            from_history: false,
            encrypted_to: Vec::new(),
            submission: None,
            intent: None,
            is_shown: true,
        };
        let message = Digest::sha256(bytes);
        if code != "message.content" {
            self.ask_again(group, &message, delivery.position)?;
        }
        if let Some(row) = self.store.add_message(group, &message, Some(delivery.position), &kept)? {
            self.event(Event::Message { row, message, group: *group, incoming: true });
        }
        Ok(())
    }

    /// Somebody says how people are called: believed once the record says so.
    pub(crate) fn named(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let mut r = Reader::new(bytes);
        while let (Ok(account), Ok(name)) = (AccountId::decode(&mut r, "account"), r.bytes8(0, 255, "handle")) {
            let handle = std::str::from_utf8(name).ok().and_then(|text| Handle::parse(text).ok());
            if let Some(handle) = handle
                && self.contact(&account)?.is_none()
                && self.own()?.is_none_or(|own| own.account() != Some(account))
            {
                self.store.put_bytes(CLAIMED_NAME, &account.0, handle.as_str().as_bytes())?;
            }
        }
        Ok(())
    }

    /// Checks names and checkpoints that others told, as far as the facts are there.
    pub(crate) fn go_on_checking(&mut self) -> Result<(), Error> {
        for key in self.store.keys(CLAIMED_NAME)? {
            let name = self.store.bytes(CLAIMED_NAME, &key)?.unwrap_or_default();
            let handle = Handle::parse(std::str::from_utf8(&name).unwrap_or_default());
            let (Ok(handle), Ok(account)) = (handle, <[u8; 32]>::try_from(key.as_slice())) else { continue };
            if let Some(holder) = self.holder(&handle)? {
                self.store.remove(CLAIMED_NAME, &key)?;
                if holder.account == Some(account) {
                    self.keep_contact(&AccountId(account), handle.as_str())?;
                }
            }
        }
        for key in self.store.keys(GOSSIP)? {
            if let Some(heard) = self.store.get::<Heard>(GOSSIP, &key)?
                && self.check_heard(&heard)?
            {
                self.store.remove(GOSSIP, &key)?;
            }
        }
        Ok(())
    }

    /// CHK-7: another view of the record, to be compared with the own one.
    fn keep_gossip(&mut self, aad: &[u8]) -> Result<(), Error> {
        let Ok(gossip) = Gossip::decode(aad) else { return Ok(()) };
        let SeenCheckpoint { size, root } = gossip.log;
        let same = self.view()?.is_some_and(|view| view.seen_root(size) == Some(root));
        if same || size == 0 {
            return Ok(());
        }
        let key = [size.to_be_bytes().as_slice(), &root.0].concat();
        self.store.put(GOSSIP, &key, &Heard { size, root: root.0, note: gossip.note })
    }

    /// True once it was compared.
    fn check_heard(&mut self, heard: &Heard) -> Result<bool, Error> {
        let account = self.device()?.account;
        let log = SeenCheckpoint { size: heard.size, root: Digest(heard.root) };
        let Some(root) = self.root_at(&log, &account)? else { return Ok(false) };
        if root == log.root {
            return Ok(true);
        }
        // two roots for one size: a fork, which the signed checkpoint proves to everybody
        let error = self.fork_of(heard).unwrap_or(ViewError::Proof(chain::proven::Unproven::Map));
        self.note_lie("chain.fork", if let ViewError::Lie { evidence, .. } = &error { Some(evidence) } else { None })?;
        Ok(true)
    }

    fn fork_of(&self, heard: &Heard) -> Option<ViewError> {
        let view = self.memory.view.as_ref()?;
        let note = SignedNote::parse(&heard.note).ok()?;
        let signed = LogSignedCheckpoint::verify(&note, view.policy()).ok()?;
        view.compare(&signed, &[]).err()
    }

    /// Keeps that the service has lied: sending stops, and the evidence is handed out.
    pub(crate) fn note_lie(&mut self, code: &str, evidence: Option<&Evidence>) -> Result<(), Error> {
        self.stop_believing(code)?;
        let evidence = evidence.map(Evidence::encode).unwrap_or_default();
        self.event(Event::Lie { code: code.to_owned(), evidence });
        Ok(())
    }
}
