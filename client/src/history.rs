//! Old messages for a new device of the account (the simple form: the newest 1,000 of each conversation), from the older
//! device whose person agreed.
//!
//! Asked for once, right after the confirmation; answered in parts, each sealed and signed (`protocol::history`). Nothing
//! goes to a device that the record does not confirm (attack 47).

use chain::id::{DeviceId, Digest, PublicKey};
use protocol::bytes::Base64Url;
use protocol::content::{Content, Part, message_id};
use protocol::history::{HistoryMessage, HistoryPart, HistoryRequest, decode_messages, encode_messages, split};
use protocol::id::GroupId;
use protocol::relay::RelayBody;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::confirm::HISTORY_GRANTED;
use crate::contacts;
use crate::error::Error;
use crate::message::Kept;
use crate::mls::Sealed;
use crate::own::random;
use crate::query::MessageState;
use crate::sending::{NAMES, encode_names};
use crate::step::Event;
use crate::turn::Turn;

const HISTORY: &str = "history";
const ANSWERED: &str = "history answered";
/// Most messages of one conversation.
const NEWEST: u32 = 1_000;

/// What a new device asked for and got so far.
#[derive(Serialize, Deserialize)]
struct Asked {
    request: [u8; 32],
    private: Zeroizing<Vec<u8>>,
    /// Parts that came, by index.
    parts: std::collections::BTreeSet<u32>,
    messages: u64,
}

impl Turn<'_> {
    /// Asks the other devices of the account for old messages; `confirmed`: hash of the entry that confirmed this one.
    pub(crate) fn ask_for_history(&mut self, confirmed: Digest) -> Result<(), Error> {
        if self.store.bytes(HISTORY, b"asked")?.is_some() {
            return Ok(());
        }
        let device = self.device()?;
        let key = self.mls(&device).sealing_key()?;
        let Some(known) = self.known(&device.account)? else { return Ok(()) };
        let generation = known.set().generation();
        let others: Vec<DeviceId> =
            known.set().confirmed().keys().copied().filter(|other| *other != device.id()).collect();
        let request = HistoryRequest {
            account: device.account,
            generation,
            device: device.id(),
            confirmed,
            public_key: key.public,
        };
        let bytes = request.sign(&device.chain);
        let hash = HistoryRequest::hash(&bytes);
        let asked = Asked { request: hash.0, private: key.private, parts: Default::default(), messages: 0 };
        self.store.put(HISTORY, b"asked", &asked)?;
        for other in others {
            self.relay(other, &RelayBody::HistoryRequest(bytes.clone()))?;
        }
        Ok(())
    }

    /// A new device asks. It gets what its person agreed to, once.
    pub(crate) fn history_requested(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let Ok(request) = HistoryRequest::decode(bytes) else { return Ok(()) };
        let device = self.device()?;
        let Some(known) = self.known(&device.account)? else { return Ok(()) };
        let confirmed = known.set().confirmed().get(&request.device).map(|confirmed| confirmed.keys.chain);
        let generation = known.set().generation();
        let is_ours = request.account == device.account && request.generation == generation;
        let Some(_) = confirmed.filter(|key| is_ours && HistoryRequest::is_signed(bytes, key)) else { return Ok(()) };
        let granted: Option<bool> = self.store.get(HISTORY_GRANTED, &request.device.0)?;
        let hash = HistoryRequest::hash(bytes);
        if granted != Some(true) || self.store.bytes(ANSWERED, &hash.0)?.is_some() {
            return Ok(());
        }
        self.store.put_bytes(ANSWERED, &hash.0, &[])?;
        let messages = self.messages_to_hand_over()?;
        let parts = split(&messages);
        let count = u32::try_from(parts.len()).unwrap_or(u32::MAX);
        for (index, part) in (0..count).zip(parts) {
            let info = HistoryPart::info(&hash, index, count);
            let plain = Zeroizing::new(encode_messages(part));
            let Some(sealed) = self.mls(&device).seal_to(&request.public_key, &info, &plain) else {
                return Ok(());
            };
            let (kem_output, ciphertext) = (sealed.kem_output, sealed.ciphertext);
            let part = HistoryPart { request: hash, index, count, kem_output, ciphertext };
            self.relay(request.device, &RelayBody::HistoryPart(part.sign(&device.chain)))?;
        }
        Ok(())
    }

    fn messages_to_hand_over(&self) -> Result<Vec<HistoryMessage>, Error> {
        let mut messages = self.names_to_hand_over()?;
        for conversation in self.conversations()? {
            for stored in self.store.newest_messages(Some(&[conversation.group]), NEWEST)? {
                let Some(place) = stored.place else { continue };
                if matches!(stored.kept.state, MessageState::Sent | MessageState::Received) {
                    messages.push(HistoryMessage {
                        group: stored.group,
                        place,
                        from: stored.kept.from,
                        device: stored.kept.device,
                        sent_at_ms: stored.kept.sent_at_ms,
                        content: stored.kept.content.0,
                    });
                }
            }
        }
        Ok(messages)
    }

    /// How others are called; the new device asks the record whether that is so.
    fn names_to_hand_over(&self) -> Result<Vec<HistoryMessage>, Error> {
        let device = self.device()?;
        let mut names = Vec::new();
        for (account, contact) in contacts::all(&self.store)? {
            names.push((account, contact.handle));
        }
        let mut messages = Vec::new();
        for some in names.chunks(500) {
            let part = Part::Signal { content_type: NAMES.to_owned(), bytes: encode_names(some) };
            let content = Content { salt: random()?, replaces: None, in_reply_to: None, previous: None, part };
            messages.push(HistoryMessage {
                group: GroupId([0; 32]),
                place: 0,
                from: device.account,
                device: device.id(),
                sent_at_ms: self.now_ms,
                content: content.encode(),
            });
        }
        Ok(messages)
    }

    /// Old messages come.
    pub(crate) fn history_part(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let Some(mut asked) = self.store.get::<Asked>(HISTORY, b"asked")? else { return Ok(()) };
        let Ok(part) = HistoryPart::decode(bytes) else { return Ok(()) };
        let device = self.device()?;
        let Some(known) = self.known(&device.account)? else { return Ok(()) };
        let keys: Vec<PublicKey> = known.set().confirmed().values().map(|confirmed| confirmed.keys.chain).collect();
        let is_signed = keys.iter().any(|key| HistoryPart::is_signed(bytes, key));
        if !is_signed || part.request.0 != asked.request || asked.parts.contains(&part.index) {
            return Ok(());
        }
        let info = HistoryPart::info(&part.request, part.index, part.count);
        let (index, count) = (part.index, part.count);
        let sealed = Sealed { kem_output: part.kem_output, ciphertext: part.ciphertext };
        let Some(plain) = self.mls(&device).open_with(&asked.private, &info, sealed) else { return Ok(()) };
        let Ok(messages) = decode_messages(&plain) else { return Ok(()) };
        for message in &messages {
            self.take_over(message, device.account == message.from)?;
        }
        asked.parts.insert(index);
        let count_here = messages.iter().filter(|message| message.place > 0).count();
        asked.messages = asked.messages.saturating_add(count_here as u64);
        self.store.put(HISTORY, b"asked", &asked)?;
        let complete = u32::try_from(asked.parts.len()).is_ok_and(|parts| parts == count);
        self.event(Event::History { messages: asked.messages, complete });
        Ok(())
    }

    fn take_over(&mut self, message: &HistoryMessage, is_own: bool) -> Result<(), Error> {
        let text = match Content::decode(&message.content).map(|content| content.part) {
            Ok(Part::Text(text)) => text,
            Ok(Part::Signal { content_type, bytes }) if content_type == NAMES => {
                return self.named(&bytes);
            }
            Ok(Part::Signal { .. } | Part::Unknown { .. }) | Err(_) => return Ok(()),
        };
        let kept = Kept {
            from: message.from,
            device: message.device,
            content: Base64Url(message.content.clone()),
            text,
            sent_at_ms: message.sent_at_ms,
            state: if is_own { MessageState::Sent } else { MessageState::Received },
            from_history: true,
            encrypted_to: Vec::new(),
            submission: None,
            intent: None,
            is_shown: true,
        };
        let id = message_id(&message.group, &message.from, &message.device, &message.content);
        self.take_missing_place(&message.group, &id)?;
        self.store.add_message(&message.group, &id, Some(message.place), &kept)?;
        Ok(())
    }
}
