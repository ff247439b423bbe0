//! How old messages come to a new device: it asks for what there is, then for one page after the other, and an older
//! device of the same account answers.
//!
//! Whoever answers remembers nothing: a page is named by its conversation and the position before which its messages stand,
//! and positions are the service's, the same for all devices. So another device can give the next page, and whichever
//! side is killed, the asking one goes on where it was.
//!
//! The request names an HPKE key (RFC 9180) and the entry that confirmed the asking device, and is signed with its chain
//! key. Each part of the answer is sealed to that key, bound to the request and to its place among the parts, and signed
//! with the chain key of the device that sends it. So the service can neither read a part nor make one up, move it, or
//! play it again to another request.
//!
//! Messages keep the sender that the exporting device names: signatures of groups do not travel. Each part can be read
//! by itself.
//!
//! Not in scope: sealing (crate `client`), and whether the person agreed.

use chain::encoding::{DecodeError, Reader, Writer};
use chain::id::{AccountId, DeviceId, Digest, PublicKey, SignatureBytes};
use ed25519_dalek::SigningKey;

use crate::confirm::{is_signed, signed};
use crate::content::{MAX_CONTENT, message_id};
use crate::id::{GroupId, MessageId};
use crate::label::{self, labelled};

/// Most bytes of an HPKE public key or of what comes with a sealed key.
pub const MAX_KEM: usize = 4_096;
/// Bytes of messages that a part is filled with. One message that is longer by itself is a part of its own.
pub const PART_FILL: usize = 32_768;
/// Most bytes of a part before it is sealed: its head, and one message of the longest content.
pub const MAX_PLAIN: usize = PART_HEAD + MESSAGE_HEAD + END + MAX_CONTENT;
/// Most bytes of a sealed part: an AEAD adds 16 bytes (RFC 5116 §5).
pub const MAX_SEALED: usize = MAX_PLAIN + 16;
/// Most parts of one answer: half a mebibyte, and a page is no longer. Longer answers are asked for in pieces.
pub const MAX_PARTS: u32 = 16;
/// Most conversations that are asked for: as many as an index has room for, sixteen parts of 682.
pub const MAX_CONVERSATIONS: usize = MAX_PARTS as usize * ((PART_FILL - PART_HEAD) / ROW);
/// Most messages of all conversations together that are asked for (attack 48).
pub const MAX_MESSAGES: u64 = 10_000_000;

/// Bytes of a part before what it lists: what it is, whether there is more, and how many.
const PART_HEAD: usize = 1 + 1 + 4;
/// Bytes of a conversation in an index.
const ROW: usize = 32 + 8 + 8;
/// Bytes of an encoded message before its content, without the time at which it is gone.
pub(crate) const MESSAGE_HEAD: usize = 32 + 8 + 32 + 16 + 8 + 1 + 4;
/// Bytes of that time.
pub(crate) const END: usize = 8;

/// What a request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// 1: which conversations there are, and how much is in each.
    Index,
    /// 2: messages of one conversation, the newest before a position.
    Page {
        /// Its group.
        group: GroupId,
        /// Below this position.
        before: u64,
    },
    /// 3: as 1, for what was sent since the asking device counts (HIS-5).
    Gap,
    /// 4: as 2, for what was sent since the asking device counts (HIS-5).
    GapPage {
        /// Its group.
        group: GroupId,
        /// Below this position.
        before: u64,
    },
}

/// A new device asks an older one for messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryRequest {
    /// The account of both.
    pub account: AccountId,
    /// Its generation.
    pub generation: u32,
    /// The asking device.
    pub device: DeviceId,
    /// Hash of the DeviceConfirmed entry of the asking device.
    pub confirmed: Digest,
    /// The HPKE key that the answer is sealed to, made for this transfer; 1 to [`MAX_KEM`] bytes.
    pub public_key: Vec<u8>,
    /// Random: asked for again, it is another request.
    pub nonce: [u8; 16],
    /// What for.
    pub wanted: Wanted,
}

impl HistoryRequest {
    /// Signs the request with the asking device's chain key: what is relayed.
    pub fn sign(&self, key: &SigningKey) -> Vec<u8> {
        let mut w = Writer::new();
        w.raw(&self.account.0).u32(self.generation).raw(&self.device.0).raw(&self.confirmed.0);
        w.bytes16(&self.public_key).raw(&self.nonce);
        match self.wanted {
            Wanted::Index => w.u8(1),
            Wanted::Page { group, before } => w.u8(2).raw(&group.0).u64(before),
            Wanted::Gap => w.u8(3),
            Wanted::GapPage { group, before } => w.u8(4).raw(&group.0).u64(before),
        };
        signed(label::HISTORY_REQUEST, w, key)
    }

    /// Reads a relayed request; its signature is checked by [`Self::is_signed`].
    ///
    /// # Errors
    /// [`DecodeError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut r = Reader::new(bytes);
        let request = Self {
            account: AccountId::decode(&mut r, "account")?,
            generation: r.u32("generation")?,
            device: DeviceId::decode(&mut r, "device")?,
            confirmed: Digest::decode(&mut r, "confirming entry")?,
            public_key: r.bytes16(1, MAX_KEM, "public key")?.to_vec(),
            nonce: r.array("nonce")?,
            wanted: match r.u8("what is wanted")? {
                1 => Wanted::Index,
                2 => Wanted::Page { group: GroupId(r.array("group")?), before: r.u64("position")? },
                3 => Wanted::Gap,
                4 => Wanted::GapPage { group: GroupId(r.array("group")?), before: r.u64("position")? },
                value => return Err(DecodeError::Unknown { field: "what is wanted", value: value.into() }),
            },
        };
        r.take(SignatureBytes::LEN, "signature")?;
        r.finish()?;
        Ok(request)
    }

    /// True if `bytes`, a relayed request, is signed by this chain key.
    #[must_use]
    pub fn is_signed(bytes: &[u8], key: &PublicKey) -> bool {
        is_signed(label::HISTORY_REQUEST, bytes, key)
    }

    /// The name of a relayed request in its answers: the hash of its bytes with their signature.
    pub fn hash(bytes: &[u8]) -> Digest {
        Digest::labelled(label::HISTORY_REQUEST_HASH, &[bytes])
    }
}

/// One part of an answer.
#[derive(Clone, PartialEq, Eq)]
pub struct HistoryPart {
    /// [`HistoryRequest::hash`] of what it answers.
    pub request: Digest,
    /// Which part, from 0.
    pub index: u32,
    /// How many parts there are, at most [`MAX_PARTS`].
    pub count: u32,
    /// HPKE's encapsulated key (RFC 9180 §5.1), 1 to [`MAX_KEM`] bytes.
    pub kem_output: Vec<u8>,
    /// The sealed part, 1 to [`MAX_SEALED`] bytes.
    pub ciphertext: Vec<u8>,
}

impl std::fmt::Debug for HistoryPart {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HistoryPart").field("index", &self.index).field("count", &self.count).finish_non_exhaustive()
    }
}

impl HistoryPart {
    /// HPKE's `info` for a part: whoever opens it with the values of another request or place fails.
    pub fn info(request: &Digest, index: u32, count: u32) -> Vec<u8> {
        labelled(label::HISTORY_SEAL, &[&request.0, &index.to_be_bytes(), &count.to_be_bytes()])
    }

    /// Signs the part with the sending device's chain key: what is relayed.
    pub fn sign(&self, key: &SigningKey) -> Vec<u8> {
        let mut w = Writer::new();
        w.raw(&self.request.0).u32(self.index).u32(self.count);
        w.bytes16(&self.kem_output).bytes32(&self.ciphertext);
        signed(label::HISTORY_PART, w, key)
    }

    /// Reads a relayed part; its signature is checked by [`Self::is_signed`].
    ///
    /// # Errors
    /// [`DecodeError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut r = Reader::new(bytes);
        let request = Digest::decode(&mut r, "request")?;
        let (index, count) = (r.u32("index")?, r.u32("count")?);
        if count > MAX_PARTS {
            return Err(DecodeError::Unknown { field: "count", value: count.into() });
        }
        if index >= count {
            return Err(DecodeError::Unknown { field: "index", value: index.into() });
        }
        let kem_output = r.bytes16(1, MAX_KEM, "encapsulated key")?.to_vec();
        let ciphertext = r.bytes32(MAX_SEALED, "sealed part")?.to_vec();
        if ciphertext.is_empty() {
            return Err(DecodeError::Length { field: "sealed part", length: 0, min: 1, max: MAX_SEALED });
        }
        r.take(SignatureBytes::LEN, "signature")?;
        r.finish()?;
        Ok(Self { request, index, count, kem_output, ciphertext })
    }

    /// True if `bytes`, a relayed part, is signed by this chain key.
    #[must_use]
    pub fn is_signed(bytes: &[u8], key: &PublicKey) -> bool {
        is_signed(label::HISTORY_PART, bytes, key)
    }
}

/// An old message, as the exporting device has it.
#[derive(Clone, PartialEq, Eq)]
pub struct HistoryMessage {
    /// Its group.
    pub group: GroupId,
    /// Its position at the service.
    pub place: u64,
    /// Who sent it.
    pub from: AccountId,
    /// With which device.
    pub device: DeviceId,
    /// When, milliseconds since 1970.
    pub sent_at_ms: u64,
    /// When it is gone on the exporting device, milliseconds since 1970, if that is known there (MSG-7).
    pub ends_ms: Option<u64>,
    /// Its content ([`crate::content`]) as received, without padding; up to [`MAX_CONTENT`] bytes. None of one that was taken
    /// back, and of a text that was changed since a content that says nothing.
    pub content: Vec<u8>,
    /// What is left of one that was taken back or changed, and only of such a one.
    pub erased: Option<Erased>,
}

/// What is left of a message whose writer has taken it back, or says something else since: so that those around it still fit
/// (MSG-2, MSG-3, HIS-4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Erased {
    /// Its id, which was made of what it said.
    pub message: MessageId,
    /// The message before it of its device, which it named.
    pub previous: Option<MessageId>,
    /// The message that it had an effect on.
    pub about: Option<MessageId>,
}

impl std::fmt::Debug for HistoryMessage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "HistoryMessage({} bytes)", self.content.len())
    }
}

impl HistoryMessage {
    /// Its id: made of what it says, or told beside what is left of it.
    #[must_use]
    pub fn id(&self) -> MessageId {
        let made = || message_id(&self.group, &self.from, &self.device, &self.content);
        self.erased.map_or_else(made, |erased| erased.message)
    }

    /// Bytes on the wire.
    pub fn encoded_len(&self) -> usize {
        let of = |id: Option<MessageId>| 1 + id.map_or(0, |_| 32);
        let erased = self.erased.map_or(0, |erased| 32 + of(erased.previous) + of(erased.about) + 4);
        MESSAGE_HEAD + self.ends_ms.map_or(0, |_| END) + self.content.len() + erased
    }

    pub(crate) fn encode(&self, w: &mut Writer) {
        w.raw(&self.group.0).u64(self.place).raw(&self.from.0).raw(&self.device.0).u64(self.sent_at_ms);
        w.option(self.ends_ms.map(u64::to_be_bytes).as_ref().map(<[u8; END]>::as_slice));
        let Some(Erased { message, previous, about }) = &self.erased else {
            w.bytes32(&self.content);
            return;
        };
        w.bytes32(&[]).raw(&message.0);
        for id in [previous, about] {
            w.option(id.as_ref().map(|id| id.0.as_slice()));
        }
        w.bytes32(&self.content);
    }

    pub(crate) fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut message = Self {
            group: GroupId(r.array("group")?),
            place: r.u64("place")?,
            from: AccountId::decode(r, "sender")?,
            device: DeviceId::decode(r, "device")?,
            sent_at_ms: r.u64("time")?,
            ends_ms: r.present("end")?.then(|| r.u64("end")).transpose()?,
            content: r.bytes32(MAX_CONTENT, "content")?.to_vec(),
            erased: None,
        };
        if message.content.is_empty() {
            let id = MessageId::decode(r, "message")?;
            let mut option = |field| r.present(field)?.then(|| MessageId::decode(r, field)).transpose();
            message.erased = Some(Erased { message: id, previous: option("previous")?, about: option("about")? });
            message.content = r.bytes32(MAX_CONTENT, "rest")?.to_vec();
        }
        Ok(message)
    }
}

/// A conversation of which there are messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IndexRow {
    /// Its group.
    pub group: GroupId,
    /// How many messages there are.
    pub messages: u64,
    /// When the newest of them was sent, milliseconds since 1970.
    pub newest_ms: u64,
}

/// What is in a part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Plain {
    /// 1: conversations, the one with the newest message first.
    Index {
        /// True if whoever answers has not all that others of the account may have (HIS-6).
        partial: bool,
        /// The conversations.
        rows: Vec<IndexRow>,
    },
    /// 2: messages of one conversation, newest first.
    Messages {
        /// As above.
        partial: bool,
        /// True if there are older ones than those of this page.
        older: bool,
        /// The messages.
        messages: Vec<HistoryMessage>,
    },
}

impl Plain {
    /// The bytes of a part before it is sealed: what it is u8, whether there are older ones (1) and others may have more (2)
    /// u8, number u32, and of each
    /// conversation group 32, messages u64, time u64; of each message group 32, position u64, account 32, device 16,
    /// time u64, when it is gone (u8, and u64 if that is known), content behind its length (4 bytes); of one that was taken back or
    /// changed no content, its id 32, the one before it and the one that it had an effect on (u8 each, and 32 if there is one), and
    /// what is left of its content behind its length (4 bytes).
    pub fn encode(&self) -> Vec<u8> {
        let mut w = Writer::new();
        match self {
            Self::Index { partial, rows } => {
                w.u8(1).u8(u8::from(*partial) << 1).count32(rows.len());
                for row in rows {
                    w.raw(&row.group.0).u64(row.messages).u64(row.newest_ms);
                }
            }
            Self::Messages { partial, older, messages } => {
                w.u8(2).u8(u8::from(*older) | u8::from(*partial) << 1).count32(messages.len());
                messages.iter().for_each(|message| message.encode(&mut w));
            }
        }
        w.finish()
    }

    /// HIS-6: true if whoever answers has not all that others may have.
    #[must_use]
    pub fn is_partial(&self) -> bool {
        match self {
            Self::Index { partial, .. } | Self::Messages { partial, .. } => *partial,
        }
    }

    /// Reads an opened part.
    ///
    /// # Errors
    /// [`DecodeError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        if bytes.len() > MAX_PLAIN {
            return Err(DecodeError::Length { field: "part", length: bytes.len(), min: PART_HEAD, max: MAX_PLAIN });
        }
        let mut r = Reader::new(bytes);
        let (kind, more) = (r.u8("kind of part")?, r.u8("more")?);
        let (older, partial) = (more & 1 != 0, more & 2 != 0);
        let plain = match (kind, more) {
            (1, 0 | 2) => {
                let count = r.count32(MAX_PLAIN / ROW, ROW, "conversations")?;
                let mut row = || -> Result<IndexRow, DecodeError> {
                    let group = GroupId(r.array("group")?);
                    Ok(IndexRow { group, messages: r.u64("messages")?, newest_ms: r.u64("time")? })
                };
                Self::Index { partial, rows: (0..count).map(|_| row()).collect::<Result<_, _>>()? }
            }
            (2, 0..=3) => {
                let count = r.count32(MAX_PLAIN / MESSAGE_HEAD, MESSAGE_HEAD, "messages")?;
                let messages = (0..count).map(|_| HistoryMessage::decode(&mut r)).collect::<Result<_, _>>()?;
                Self::Messages { partial, older, messages }
            }
            (1 | 2, value) => return Err(DecodeError::Unknown { field: "more", value: value.into() }),
            (value, _) => return Err(DecodeError::Unknown { field: "kind of part", value: value.into() }),
        };
        r.finish()?;
        Ok(plain)
    }
}

/// Cuts an index into parts; no conversations are one empty part. What is more than [`MAX_CONVERSATIONS`] is left out.
pub fn split_index(rows: &[IndexRow], partial: bool) -> Vec<Plain> {
    let rows = rows.get(..MAX_CONVERSATIONS).unwrap_or(rows);
    let part = |rows: &[IndexRow]| Plain::Index { partial, rows: rows.to_vec() };
    let parts: Vec<_> = rows.chunks((PART_FILL - PART_HEAD) / ROW).map(part).collect();
    if parts.is_empty() { vec![part(&[])] } else { parts }
}

/// Cuts messages, in their order, into as many parts as one answer has: each of at most [`PART_FILL`] encoded bytes, or one
/// message that is longer by itself. Those that find no room are left to the next page. No messages are one empty part,
/// so that every request has an answer. `older`: there are more before the last of them; `partial`: HIS-6.
pub fn split(messages: &[HistoryMessage], older: bool, partial: bool) -> Vec<Plain> {
    let mut parts: Vec<Vec<HistoryMessage>> = vec![Vec::new()];
    let (mut filled, mut all) = (PART_HEAD, true);
    for message in messages {
        let longer = filled + message.encoded_len();
        if longer > PART_FILL && parts.last().is_some_and(|part| !part.is_empty()) {
            if parts.len() >= MAX_PARTS as usize {
                all = false;
                break;
            }
            parts.push(Vec::new());
            filled = PART_HEAD;
        }
        filled += message.encoded_len();
        parts.last_mut().into_iter().for_each(|part| part.push(message.clone()));
    }
    let older = older || !all;
    parts.into_iter().map(|messages| Plain::Messages { partial, older, messages }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::delivery::MAX_RELAY;

    fn message(place: u64, length: usize) -> HistoryMessage {
        HistoryMessage {
            group: GroupId([1; 32]),
            place,
            from: AccountId([2; 32]),
            device: DeviceId([3; 16]),
            sent_at_ms: 1_800_000_000_000 + place,
            content: vec![place.to_be_bytes()[7]; length],
            ends_ms: None,
            erased: None,
        }
    }

    fn key(seed: u8) -> (SigningKey, PublicKey) {
        let key = SigningKey::from_bytes(&[seed; 32]);
        let public = PublicKey::from(&key);
        (key, public)
    }

    fn request() -> HistoryRequest {
        HistoryRequest {
            account: AccountId([4; 32]),
            generation: 1,
            device: DeviceId([5; 16]),
            confirmed: Digest([6; 32]),
            public_key: vec![7; 1_216],
            nonce: [8; 16],
            wanted: Wanted::Page { group: GroupId([1; 32]), before: 77 },
        }
    }

    fn part() -> HistoryPart {
        let request = HistoryRequest::hash(&request().sign(&key(1).0));
        HistoryPart { request, index: 1, count: 3, kem_output: vec![8; 1_120], ciphertext: vec![9; 100] }
    }

    #[test]
    fn request_and_part_are_read_as_they_were_signed() {
        let (secret, public) = key(1);
        let bytes = request().sign(&secret);
        assert_eq!(HistoryRequest::decode(&bytes), Ok(request()));
        assert!(HistoryRequest::is_signed(&bytes, &public) && !HistoryRequest::is_signed(&bytes, &key(2).1));
        let bytes = part().sign(&secret);
        assert_eq!(HistoryPart::decode(&bytes), Ok(part()));
        assert!(HistoryPart::is_signed(&bytes, &public) && !HistoryPart::is_signed(&bytes, &key(2).1));
    }

    /// Attack 40.
    #[test]
    fn a_signed_request_is_no_signed_part_and_the_other_way_round() {
        let (secret, public) = key(1);
        assert!(!HistoryPart::is_signed(&request().sign(&secret), &public));
        assert!(!HistoryRequest::is_signed(&part().sign(&secret), &public));
    }

    #[test]
    fn a_changed_byte_breaks_the_signature() {
        let (secret, public) = key(1);
        let bytes = part().sign(&secret);
        for at in (0..bytes.len()).step_by(41) {
            let mut bent = bytes.clone();
            bent[at] ^= 1;
            assert!(!HistoryPart::is_signed(&bent, &public), "byte {at}");
        }
    }

    #[test]
    fn values_outside_their_bounds_are_refused() {
        let secret = key(1).0;
        let requests: [fn(&mut HistoryRequest); 2] =
            [|it| it.public_key.clear(), |it| it.public_key.resize(MAX_KEM + 1, 0)];
        for change in requests {
            let mut other = request();
            change(&mut other);
            assert!(HistoryRequest::decode(&other.sign(&secret)).is_err());
        }
        let parts: [fn(&mut HistoryPart); 7] = [
            |it| it.index = 3,
            |it| (it.index, it.count) = (0, 0),
            |it| it.count = MAX_PARTS + 1,
            |it| it.kem_output.clear(),
            |it| it.kem_output.resize(MAX_KEM + 1, 0),
            |it| it.ciphertext.clear(),
            |it| it.ciphertext.resize(MAX_SEALED + 1, 0),
        ];
        for change in parts {
            let mut other = part();
            change(&mut other);
            assert!(HistoryPart::decode(&other.sign(&secret)).is_err());
        }
        for bytes in [request().sign(&secret), part().sign(&secret)] {
            assert!(HistoryRequest::decode(&[&bytes[..], &[0]].concat()).is_err());
            assert!(HistoryPart::decode(&bytes[..bytes.len() - 1]).is_err());
        }
    }

    #[test]
    fn a_part_is_sealed_for_one_request_and_one_place() {
        let infos =
            [(Digest([1; 32]), 0, 2), (Digest([2; 32]), 0, 2), (Digest([1; 32]), 1, 2), (Digest([1; 32]), 0, 3)]
                .map(|(request, index, count)| HistoryPart::info(&request, index, count));
        assert!(infos.iter().enumerate().all(|(at, info)| !infos[..at].contains(info)));
    }

    fn messages_of(parts: &[Plain]) -> Vec<HistoryMessage> {
        let read = parts.iter().map(|part| Plain::decode(&part.encode()).unwrap());
        let of = |part| match part {
            Plain::Messages { messages, .. } => messages,
            Plain::Index { .. } => panic!("an index"),
        };
        read.flat_map(of).collect()
    }

    #[test]
    fn split_and_read_again_they_are_the_same_messages_in_the_same_order() {
        let lengths = [100, 32_000, 600, 40_000, 1, MAX_CONTENT, 16_000, 16_000, 600, 100];
        let messages: Vec<_> = (0..).zip(lengths).map(|(place, length)| message(place, length)).collect();
        let parts = split(&messages, false, false);
        for part in &parts {
            let Plain::Messages { older: false, messages, .. } = part else { panic!("{part:?}") };
            assert!(part.encode().len() <= PART_FILL || messages.len() == 1);
            assert!(!messages.is_empty());
        }
        assert_eq!(messages_of(&parts), messages);
        assert_eq!(parts.len(), 7);
    }

    #[test]
    fn no_messages_are_one_part() {
        for (older, partial) in [(false, false), (true, false), (false, true), (true, true)] {
            let part = Plain::Messages { partial, older, messages: Vec::new() };
            assert_eq!(split(&[], older, partial), std::slice::from_ref(&part));
            assert_eq!(Plain::decode(&part.encode()), Ok(part));
            let part = Plain::Index { partial, rows: Vec::new() };
            assert_eq!(split_index(&[], partial), std::slice::from_ref(&part));
            assert_eq!(Plain::decode(&part.encode()), Ok(part));
        }
    }

    /// What an answer has no room for is left to the next page, and said to be there.
    #[test]
    fn a_page_ends_where_an_answer_is_full() {
        let messages: Vec<_> = (0..10_000).map(|place| message(place, 180)).collect();
        let parts = split(&messages, false, false);
        assert_eq!(parts.len(), MAX_PARTS as usize);
        assert!(parts.iter().all(|part| part.encode().len() > PART_FILL - 280 && part.encode().len() <= PART_FILL));
        assert!(parts.iter().all(|part| matches!(part, Plain::Messages { older: true, .. })));
        let read = messages_of(&parts);
        assert_eq!(read, messages[..read.len()]);
    }

    #[test]
    fn an_index_has_its_conversations_in_order() {
        let row = |number: usize| IndexRow { group: GroupId([1; 32]), messages: number as u64, newest_ms: 7 };
        let rows: Vec<_> = (0..MAX_CONVERSATIONS + 5).map(row).collect();
        let parts = split_index(&rows, false);
        assert_eq!(parts.len(), MAX_PARTS as usize);
        let read = parts.iter().flat_map(|part| match Plain::decode(&part.encode()).unwrap() {
            Plain::Index { rows, .. } => rows,
            Plain::Messages { .. } => panic!("messages"),
        });
        assert!(read.eq(rows[..MAX_CONVERSATIONS].iter().copied()));
    }

    /// Attack 27.
    #[test]
    fn a_number_of_messages_that_is_not_true_reserves_nothing() {
        let part =
            |length| Plain::Messages { partial: false, older: false, messages: vec![message(1, length)] }.encode();
        assert!(Plain::decode(&[2, 0, 0xff, 0xff, 0xff, 0xff]).is_err());
        assert!(Plain::decode(&[2, 0, 0, 0, 2, 0]).is_err());
        assert!(Plain::decode(&[1, 0, 0xff, 0xff, 0xff, 0xff]).is_err());
        assert!(Plain::decode(&[1, 1, 0, 0, 0, 0]).is_err());
        assert!(Plain::decode(&[1, 3, 0, 0, 0, 0]).is_err());
        assert!(Plain::decode(&[2, 4, 0, 0, 0, 0]).is_err());
        assert!(Plain::decode(&[3, 0, 0, 0, 0, 0]).is_err());
        assert!(Plain::decode(&part(0)).is_err());
        assert!(Plain::decode(&[part(1), vec![0]].concat()).is_err());
        assert!(Plain::decode(&part(MAX_CONTENT + 1)).is_err());
        assert!(Plain::decode(&part(1)).is_ok());
    }

    #[test]
    fn the_largest_part_can_be_relayed() {
        let kem_output = vec![1; MAX_KEM];
        let part = HistoryPart { kem_output, ciphertext: vec![1; MAX_SEALED], ..part() };
        let body = crate::relay::RelayBody::HistoryPart(part.sign(&key(1).0)).encode();
        assert!(body.len() <= MAX_RELAY, "{}", body.len());
        let longest = HistoryMessage { ends_ms: Some(1), ..message(1, MAX_CONTENT) };
        let longest = Plain::Messages { partial: true, older: true, messages: vec![longest] };
        assert_eq!(longest.encode().len(), MAX_PLAIN);
    }
}
