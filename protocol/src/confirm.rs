//! How an older device lets a new one in: commit, then reveal, then six digits that a person types (CNF-1 to CNF-7 of
//! `docs/protocol.md`).
//!
//! The new device's entry holds the hashes of three nonces, so its commitment is in the public record before anybody
//! offers to confirm it. An older device offers a random value of its own; only then is a nonce revealed; the digits
//! hash both, the entry and both devices. Neither the service nor a thief of the password can fit a key to them: a swap
//! succeeds with one in a million per try, three tries per request.
//!
//! Pure: nonces and random values are arguments. Not in scope: who carries the messages (`POST /v1/relay`).

use chain::encoding::{DecodeError, Reader, Writer};
use chain::id::{AccountId, DeviceId, Digest, PublicKey, SignatureBytes};
use chain::sigchain::entry::SeenCheckpoint;
use chain::sigchain::rules::CODE_COMMITMENTS;
use ed25519_dalek::{Signer as _, SigningKey};

use crate::history::MAX_KEM;
use crate::label::{self, labelled};

/// How long a try lasts from the reveal on, seconds.
pub const TRY_S: u64 = 600;

/// The request that offer and reveal are about, as the record shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Request {
    /// The account.
    pub account: AccountId,
    /// Its generation.
    pub generation: u32,
    /// Hash of the DeviceAdded entry.
    pub added: Digest,
    /// Number of the request.
    pub request: u64,
}

/// An older device's offer (CNF-2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// What it is about.
    pub request: Request,
    /// Which try: 0, 1 or 2.
    pub attempt: u8,
    /// The older device.
    pub device: DeviceId,
    /// Its newest checkpoint.
    pub checkpoint: SeenCheckpoint,
    /// Its random value.
    pub random: [u8; 32],
    /// The HPKE key to which the new device seals what it says of itself, made for this offer; 1 to [`MAX_KEM`] bytes.
    pub public_key: Vec<u8>,
}

/// A new device's answer (CNF-3).
#[derive(Clone, PartialEq, Eq)]
pub struct Reveal {
    /// What it is about.
    pub request: Request,
    /// Which try.
    pub attempt: u8,
    /// The older device that it answers.
    pub device: DeviceId,
    /// The nonce behind the commitment of this try.
    pub nonce: [u8; 32],
}

impl std::fmt::Debug for Reveal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reveal").field("attempt", &self.attempt).finish_non_exhaustive()
    }
}

/// The commitment to a nonce, as a DeviceAdded entry holds it (CNF-1).
pub fn commitment(nonce: &[u8; 32]) -> Digest {
    Digest::labelled(chain::label::CODE_COMMITMENT, &[nonce])
}

/// The six digits (CNF-4). `key` is the older device's chain key.
pub fn code(origin: &str, offer: &Offer, key: &PublicKey, nonce: &[u8; 32]) -> Code {
    let mut w = Writer::new();
    w.bytes8(origin.as_bytes());
    encode_request(&mut w, &offer.request);
    w.u8(offer.attempt).raw(&offer.device.0).raw(key.as_bytes());
    w.u64(offer.checkpoint.size).raw(&offer.checkpoint.root.0).raw(&offer.random).raw(nonce);
    let digest = Digest::labelled(label::CONFIRM_CODE, &[&w.finish()]);
    // the remainder of 128 bits: no digit string is likelier than another by more than 2^-108
    let number = digest.0.iter().take(16).fold(0_u128, |number, byte| number << 8 | u128::from(*byte));
    Code(u32::try_from(number % 1_000_000).unwrap_or_default())
}

/// Six digits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Code(u32);

impl Code {
    /// Reads what a person typed: six digits, spaces and hyphens between them allowed. `None` for anything else.
    pub fn parse(typed: &str) -> Option<Self> {
        let digits: String = typed.chars().filter(|c| !matches!(c, ' ' | '-' | '\u{a0}' | '\u{2009}')).collect();
        let six = digits.len() == 6 && digits.bytes().all(|byte| byte.is_ascii_digit());
        if six { digits.parse().ok().map(Self) } else { None }
    }
}

impl std::fmt::Display for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:06}", self.0)
    }
}

impl std::fmt::Debug for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Code(..)")
    }
}

/// The typed code is that of this device (CNF-5): what a DeviceConfirmed may be signed for. Only
/// [`CodeMatched::check`] makes one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CodeMatched {
    request: Request,
}

impl CodeMatched {
    /// Compares without telling by its time where they differ; also that the nonce is the committed one (CNF-4).
    pub fn check(
        origin: &str,
        offer: &Offer,
        key: &PublicKey,
        commitments: &[Digest; CODE_COMMITMENTS],
        nonce: &[u8; 32],
        typed: Code,
    ) -> Option<Self> {
        let committed = commitments.get(usize::from(offer.attempt)) == Some(&commitment(nonce));
        let difference = std::hint::black_box(code(origin, offer, key, nonce).0 ^ typed.0);
        (committed && difference == 0).then_some(Self { request: offer.request })
    }

    /// What may be confirmed.
    pub fn request(&self) -> &Request {
        &self.request
    }
}

impl Offer {
    /// Signs the offer with the older device's chain key: what is relayed.
    pub fn sign(&self, key: &SigningKey) -> Vec<u8> {
        let mut w = Writer::new();
        encode_request(&mut w, &self.request);
        w.u8(self.attempt).raw(&self.device.0).u64(self.checkpoint.size).raw(&self.checkpoint.root.0);
        w.raw(&self.random).bytes16(&self.public_key);
        signed(label::CONFIRM_OFFER, w, key)
    }

    /// Reads a relayed offer; its signature is checked by [`Offer::is_signed`].
    ///
    /// # Errors
    /// [`DecodeError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut r = Reader::new(bytes);
        let offer = Self {
            request: decode_request(&mut r)?,
            attempt: decode_attempt(&mut r)?,
            device: DeviceId::decode(&mut r, "device")?,
            checkpoint: SeenCheckpoint { size: r.u64("log size")?, root: Digest::decode(&mut r, "log root")? },
            random: r.array("random")?,
            public_key: r.bytes16(1, MAX_KEM, "public key")?.to_vec(),
        };
        r.take(SignatureBytes::LEN, "signature")?;
        r.finish()?;
        Ok(offer)
    }

    /// True if `bytes`, a relayed offer, is signed by this chain key.
    #[must_use]
    pub fn is_signed(bytes: &[u8], key: &PublicKey) -> bool {
        is_signed(label::CONFIRM_OFFER, bytes, key)
    }
}

impl Reveal {
    /// Signs the reveal with the new device's chain key: what is relayed.
    pub fn sign(&self, key: &SigningKey) -> Vec<u8> {
        let mut w = Writer::new();
        encode_request(&mut w, &self.request);
        w.u8(self.attempt).raw(&self.device.0).raw(&self.nonce);
        signed(label::CONFIRM_REVEAL, w, key)
    }

    /// Reads a relayed reveal.
    ///
    /// # Errors
    /// [`DecodeError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut r = Reader::new(bytes);
        let reveal = Self {
            request: decode_request(&mut r)?,
            attempt: decode_attempt(&mut r)?,
            device: DeviceId::decode(&mut r, "device")?,
            nonce: r.array("nonce")?,
        };
        r.take(SignatureBytes::LEN, "signature")?;
        r.finish()?;
        Ok(reveal)
    }

    /// True if `bytes`, a relayed reveal, is signed by this chain key.
    #[must_use]
    pub fn is_signed(bytes: &[u8], key: &PublicKey) -> bool {
        is_signed(label::CONFIRM_REVEAL, bytes, key)
    }
}

pub(crate) fn signed(label: &str, body: Writer, key: &SigningKey) -> Vec<u8> {
    let mut bytes = body.finish();
    let signature = key.sign(&labelled(label, &[&bytes])).to_bytes();
    bytes.extend_from_slice(&signature);
    bytes
}

pub(crate) fn is_signed(label: &str, bytes: &[u8], key: &PublicKey) -> bool {
    let Some((body, signature)) = bytes.split_last_chunk::<{ SignatureBytes::LEN }>() else { return false };
    key.verifies(&labelled(label, &[body]), &SignatureBytes(*signature))
}

pub(crate) fn encode_request(w: &mut Writer, request: &Request) {
    w.raw(&request.account.0).u32(request.generation).raw(&request.added.0).u64(request.request);
}

pub(crate) fn decode_request(r: &mut Reader<'_>) -> Result<Request, DecodeError> {
    Ok(Request {
        account: AccountId::decode(r, "account")?,
        generation: r.u32("generation")?,
        added: Digest::decode(r, "added entry")?,
        request: r.u64("request")?,
    })
}

pub(crate) fn decode_attempt(r: &mut Reader<'_>) -> Result<u8, DecodeError> {
    match r.u8("attempt")? {
        attempt if usize::from(attempt) < CODE_COMMITMENTS => Ok(attempt),
        value => Err(DecodeError::Unknown { field: "attempt", value: value.into() }),
    }
}

#[cfg(test)]
mod tests;
