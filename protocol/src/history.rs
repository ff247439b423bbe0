//! Old messages from an older device of the account to a new one, sealed to the new one (the simple form: the newest
//! 1,000 of each conversation).
//!
//! The new device asks with an HPKE key made for this purpose, signed by its chain key; the older one answers in parts,
//! each sealed to that key (RFC 9180, the suite of the groups) and signed by its own chain key. Both signatures are
//! checked against the record, so that nothing goes to a device that is not confirmed (attack 47), and nothing comes from
//! one (attack 46). Not in scope: who carries the parts (`POST /v1/relay`), the sealing itself.

use chain::encoding::{DecodeError, Reader, Writer};
use chain::id::{AccountId, DeviceId, Digest, PublicKey, SignatureBytes};
use ed25519_dalek::SigningKey;

use crate::confirm::{is_signed, signed};
use crate::content::MAX_PART;
use crate::id::GroupId;
use crate::label;

/// Most messages of one conversation.
pub const MAX_MESSAGES: usize = 1_000;
/// Most bytes of a part before it is sealed.
pub const MAX_PLAIN: usize = 32_768;
/// Most parts of one answer.
pub const MAX_PARTS: u32 = 65_536;
/// Most bytes of an HPKE key or its encapsulation.
const MAX_KEM: usize = 4_096;
/// Most bytes of a sealed part: one message of the largest size stands alone in one.
const MAX_SEALED: usize = MAX_PART + 4_096;

/// A new device asks for old messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryRequest {
    /// The account.
    pub account: AccountId,
    /// The new device.
    pub device: DeviceId,
    /// Hash of the DeviceAdded entry of that device.
    pub added: Digest,
    /// HPKE public key.
    pub key: Vec<u8>,
}

/// A part of the answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryPart {
    /// The older device.
    pub device: DeviceId,
    /// Hash of the signed request that it answers.
    pub request: Digest,
    /// Which part.
    pub index: u32,
    /// Of how many.
    pub count: u32,
    /// HPKE encapsulation.
    pub encapsulated: Vec<u8>,
    /// HPKE ciphertext of messages; its authenticated data is [`HistoryPart::context`].
    pub sealed: Vec<u8>,
}

/// A message of the history.
#[derive(Clone, PartialEq, Eq)]
pub struct HistoryMessage {
    /// Where.
    pub group: GroupId,
    /// Its position at the service.
    pub place: u64,
    /// Who wrote it.
    pub from: AccountId,
    /// With which device.
    pub device: DeviceId,
    /// When, milliseconds since 1970.
    pub sent_at_ms: u64,
    /// The content's bytes as received.
    pub content: Vec<u8>,
}

impl std::fmt::Debug for HistoryMessage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HistoryMessage(..)")
    }
}

impl HistoryRequest {
    /// Signs with the new device's chain key: what is relayed.
    pub fn sign(&self, key: &SigningKey) -> Vec<u8> {
        let mut w = Writer::new();
        w.raw(&self.account.0).raw(&self.device.0).raw(&self.added.0).bytes16(&self.key);
        signed(label::HISTORY_REQUEST, w, key)
    }

    /// Reads a relayed request.
    ///
    /// # Errors
    /// [`DecodeError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut r = Reader::new(bytes);
        let request = Self {
            account: AccountId::decode(&mut r, "account")?,
            device: DeviceId::decode(&mut r, "device")?,
            added: Digest::decode(&mut r, "added entry")?,
            key: r.bytes16(1, MAX_KEM, "HPKE key")?.to_vec(),
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
}

impl HistoryPart {
    /// What the sealing authenticates besides the messages: request, index, count.
    pub fn context(request: &Digest, index: u32, count: u32) -> Vec<u8> {
        let mut w = Writer::new();
        w.raw(&request.0).u32(index).u32(count);
        w.finish()
    }

    /// Signs with the older device's chain key: what is relayed.
    pub fn sign(&self, key: &SigningKey) -> Vec<u8> {
        let mut w = Writer::new();
        w.raw(&self.device.0).raw(&self.request.0).u32(self.index).u32(self.count);
        w.bytes16(&self.encapsulated).bytes32(&self.sealed);
        signed(label::HISTORY_PART, w, key)
    }

    /// Reads a relayed part.
    ///
    /// # Errors
    /// [`DecodeError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut r = Reader::new(bytes);
        let part = Self {
            device: DeviceId::decode(&mut r, "device")?,
            request: Digest::decode(&mut r, "request")?,
            index: r.u32("index")?,
            count: r.u32("count")?,
            encapsulated: r.bytes16(1, MAX_KEM, "encapsulation")?.to_vec(),
            sealed: r.bytes32(MAX_SEALED, "sealed part")?.to_vec(),
        };
        r.take(SignatureBytes::LEN, "signature")?;
        r.finish()?;
        if part.index < part.count && part.count <= MAX_PARTS {
            Ok(part)
        } else {
            Err(DecodeError::Unknown { field: "index", value: part.index.into() })
        }
    }

    /// True if `bytes`, a relayed part, is signed by this chain key.
    #[must_use]
    pub fn is_signed(bytes: &[u8], key: &PublicKey) -> bool {
        is_signed(label::HISTORY_PART, bytes, key)
    }
}

/// Messages in parts of at most [`MAX_PLAIN`] bytes each (a longer message has one for itself); at least one part.
pub fn split(messages: &[HistoryMessage]) -> Vec<Vec<u8>> {
    let mut parts = vec![Writer::new().finish()];
    for message in messages {
        let mut w = Writer::new();
        w.raw(&message.group.0).u64(message.place).raw(&message.from.0).raw(&message.device.0);
        w.u64(message.sent_at_ms).bytes32(&message.content);
        let bytes = w.finish();
        match parts.last_mut() {
            Some(part) if part.is_empty() || part.len().saturating_add(bytes.len()) <= MAX_PLAIN => {
                part.extend_from_slice(&bytes);
            }
            _ => parts.push(bytes),
        }
    }
    parts
}

/// The messages of one part.
///
/// # Errors
/// [`DecodeError`].
pub fn messages(part: &[u8]) -> Result<Vec<HistoryMessage>, DecodeError> {
    let mut r = Reader::new(part);
    let mut messages = Vec::new();
    while r.remaining() > 0 {
        messages.push(HistoryMessage {
            group: GroupId(r.array("group")?),
            place: r.u64("place")?,
            from: AccountId::decode(&mut r, "account")?,
            device: DeviceId::decode(&mut r, "device")?,
            sent_at_ms: r.u64("sent at")?,
            content: r.bytes32(MAX_PART.saturating_add(1_024), "content")?.to_vec(),
        });
    }
    Ok(messages)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(place: u64, length: usize) -> HistoryMessage {
        HistoryMessage {
            group: GroupId([1; 32]),
            place,
            from: AccountId([2; 32]),
            device: DeviceId([3; 16]),
            sent_at_ms: 4,
            content: vec![5; length],
        }
    }

    #[test]
    fn messages_arrive_in_their_order_whatever_their_size() {
        let all: Vec<_> = (0..500).map(|place| message(place, if place % 100 == 0 { 60_000 } else { 200 })).collect();
        let parts = split(&all);
        assert!(parts.len() > 5 && parts.iter().all(|part| part.len() <= MAX_PLAIN || part.len() < 61_000));
        let again: Vec<_> = parts.iter().flat_map(|part| messages(part).unwrap()).collect();
        assert!(again == all);
        assert_eq!(split(&[]).len(), 1);
        assert!(messages(&parts[1][..parts[1].len() - 1]).is_err());
    }

    /// Attacks 40, 46, 47: neither is good for the other, nor under another key, nor changed.
    #[test]
    fn request_and_part_are_signed_each_for_its_purpose() {
        let (new, old) = (SigningKey::from_bytes(&[1; 32]), SigningKey::from_bytes(&[2; 32]));
        let (new_key, old_key) = (PublicKey::from(&new), PublicKey::from(&old));
        let request = HistoryRequest {
            account: AccountId([1; 32]),
            device: DeviceId([2; 16]),
            added: Digest([3; 32]),
            key: vec![4; 1_216],
        };
        let bytes = request.sign(&new);
        assert_eq!(HistoryRequest::decode(&bytes), Ok(request));
        assert!(HistoryRequest::is_signed(&bytes, &new_key) && !HistoryRequest::is_signed(&bytes, &old_key));
        assert!(!HistoryPart::is_signed(&bytes, &new_key));
        let request = Digest::sha256(&bytes);
        let part = HistoryPart {
            device: DeviceId([5; 16]),
            request,
            index: 0,
            count: 1,
            encapsulated: vec![6],
            sealed: vec![7; 99],
        };
        let bytes = part.sign(&old);
        assert_eq!(HistoryPart::decode(&bytes), Ok(part.clone()));
        for place in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[place] ^= 1;
            assert!(!HistoryPart::is_signed(&changed, &old_key));
        }
        assert!(HistoryPart::decode(&HistoryPart { index: 1, ..part }.sign(&old)).is_err());
    }
}
