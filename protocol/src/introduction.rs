//! What a waiting device says of itself to an older one: how it is called, and what kind it is (CNF-8 of
//! `docs/protocol.md`).
//!
//! Both are claims of whoever holds the waiting key, and nobody else's: the new device signs them, bound to its request.
//! They are sealed to a key that the older device made for its offer and signed with it, and are as long whatever they say,
//! so the service that carries them learns neither.
//!
//! Not in scope: sealing (crate `client`), and how a name is shown ([`crate::tame`]).

use chain::encoding::{DecodeError, Reader, Writer};
use chain::id::{DeviceId, PublicKey, SignatureBytes};
use ed25519_dalek::SigningKey;
use serde::{Deserialize, Serialize};

use crate::confirm::{Request, decode_attempt, decode_request, encode_request, is_signed, signed};
use crate::history::MAX_KEM;
use crate::label::{self, labelled};

/// Most bytes of a device's name.
pub const MAX_NAME: usize = 256;
/// Bytes of a claim before it is sealed: kind, length of the name, name, zeros.
const CLAIM: usize = 1 + 2 + MAX_NAME;
/// Bytes of a sealed claim: an AEAD adds 16 (RFC 5116 §5).
const SEALED: usize = CLAIM + 16;

/// What a device is, as far as its program knows by itself: the system that it runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DeviceKind {
    /// 0: none of these, or one that a later version knows.
    Other,
    /// 1.
    Linux,
    /// 2.
    MacOs,
    /// 3.
    Windows,
    /// 4.
    Android,
    /// 5.
    Ios,
    /// 6: one of the BSDs.
    Bsd,
}

impl DeviceKind {
    /// All of them, each at the place of its number.
    pub const ALL: [Self; 7] =
        [Self::Other, Self::Linux, Self::MacOs, Self::Windows, Self::Android, Self::Ios, Self::Bsd];

    /// The number of a kind.
    pub fn number(self) -> u8 {
        Self::ALL.iter().position(|kind| *kind == self).and_then(|at| u8::try_from(at).ok()).unwrap_or_default()
    }

    /// The kind of a number.
    pub fn of(number: u8) -> Self {
        Self::ALL.get(usize::from(number)).copied().unwrap_or(Self::Other)
    }
}

/// What a device says of itself.
#[derive(Clone, PartialEq, Eq)]
pub struct Claim {
    kind: u8,
    name: String,
}

impl std::fmt::Debug for Claim {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Claim").field("kind", &self.kind).finish_non_exhaustive()
    }
}

impl Claim {
    /// A claim; what is too long of a name is cut off.
    pub fn new(kind: DeviceKind, name: &str) -> Self {
        let end = (0..=name.len().min(MAX_NAME)).rev().find(|end| name.is_char_boundary(*end)).unwrap_or_default();
        Self { kind: kind.number(), name: name.split_at(end).0.to_owned() }
    }

    /// What kind it says that it is.
    pub fn kind(&self) -> DeviceKind {
        DeviceKind::of(self.kind)
    }

    /// How it calls itself; up to [`MAX_NAME`] bytes, and empty if it does not.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The bytes that are sealed: of one length, whatever the name.
    pub fn encode(&self) -> Vec<u8> {
        let mut w = Writer::new();
        w.u8(self.kind).bytes16(self.name.as_bytes());
        let mut bytes = w.finish();
        bytes.resize(CLAIM, 0);
        bytes
    }

    /// Reads what was sealed.
    ///
    /// # Errors
    /// [`DecodeError`] for anything but the one encoding.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut r = Reader::new(bytes);
        let kind = r.u8("kind of device")?;
        let name = r.bytes16(0, MAX_NAME, "name of device")?;
        let name = std::str::from_utf8(name).map_err(|_| DecodeError::Unknown { field: "name of device", value: 0 })?;
        let rest = r.take(MAX_NAME.saturating_sub(name.len()), "filling")?;
        if rest.iter().any(|byte| *byte != 0) {
            return Err(DecodeError::Unknown { field: "filling", value: 1 });
        }
        let claim = Self { kind, name: name.to_owned() };
        r.finish()?;
        Ok(claim)
    }
}

/// A sealed claim, as it is relayed.
#[derive(Clone, PartialEq, Eq)]
pub struct Introduction {
    /// Whose it is, as offer and reveal name it.
    pub request: Request,
    /// The try of the offer whose key it is sealed to.
    pub attempt: u8,
    /// The older device that made the offer.
    pub device: DeviceId,
    /// HPKE's encapsulated key (RFC 9180 §5.1), 1 to [`MAX_KEM`] bytes.
    pub kem_output: Vec<u8>,
    /// The sealed claim.
    pub ciphertext: Vec<u8>,
}

impl std::fmt::Debug for Introduction {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Introduction").field("attempt", &self.attempt).finish_non_exhaustive()
    }
}

impl Introduction {
    /// HPKE's `info`: whoever opens it for another offer fails. `offer`: as it was relayed.
    pub fn info(offer: &[u8]) -> Vec<u8> {
        labelled(label::INTRODUCTION_SEAL, &[offer])
    }

    /// Signs it with the new device's chain key: what is relayed.
    pub fn sign(&self, key: &SigningKey) -> Vec<u8> {
        let mut w = Writer::new();
        encode_request(&mut w, &self.request);
        w.u8(self.attempt).raw(&self.device.0).bytes16(&self.kem_output).bytes16(&self.ciphertext);
        signed(label::INTRODUCTION, w, key)
    }

    /// Reads what was relayed; its signature is checked by [`Self::is_signed`].
    ///
    /// # Errors
    /// [`DecodeError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut r = Reader::new(bytes);
        let introduction = Self {
            request: decode_request(&mut r)?,
            attempt: decode_attempt(&mut r)?,
            device: DeviceId::decode(&mut r, "device")?,
            kem_output: r.bytes16(1, MAX_KEM, "encapsulated key")?.to_vec(),
            ciphertext: r.bytes16(SEALED, SEALED, "sealed claim")?.to_vec(),
        };
        r.take(SignatureBytes::LEN, "signature")?;
        r.finish()?;
        Ok(introduction)
    }

    /// True if `bytes`, as they were relayed, are signed by this chain key.
    #[must_use]
    pub fn is_signed(bytes: &[u8], key: &PublicKey) -> bool {
        is_signed(label::INTRODUCTION, bytes, key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_its_number_and_a_later_one_is_another() {
        for (at, kind) in DeviceKind::ALL.into_iter().enumerate() {
            assert_eq!((usize::from(kind.number()), DeviceKind::of(kind.number())), (at, kind));
        }
        assert_eq!(DeviceKind::of(200), DeviceKind::Other);
    }

    /// CNF-8: whoever carries a claim learns nothing from its length.
    #[test]
    fn a_claim_is_as_long_whatever_it_says() {
        for name in ["", "Bob's desktop", &"é".repeat(400), &"x".repeat(MAX_NAME), &"漢".repeat(86)] {
            let claim = Claim::new(DeviceKind::Linux, name);
            assert_eq!(claim.encode().len(), CLAIM);
            assert!(name.starts_with(claim.name()) && claim.name().len() + 4 > name.len().min(MAX_NAME));
            assert_eq!(Claim::decode(&claim.encode()), Ok(claim));
        }
    }

    /// CNF-8.
    #[test]
    fn a_claim_has_one_form() {
        let bytes = Claim::new(DeviceKind::Bsd, "ab").encode();
        for cut in 0..bytes.len() {
            assert!(Claim::decode(&bytes[..cut]).is_err());
        }
        for (at, value) in [(1, 2), (2, 3), (5, 1), (CLAIM - 1, 1), (3, 0xff)] {
            let mut bent = bytes.clone();
            bent[at] = value;
            let other = Claim::decode(&bent);
            assert!(other.is_err() || other.unwrap().encode() == bent, "{at}");
        }
        assert!(Claim::decode(&[&bytes[..], &[0]].concat()).is_err());
        // what a later version knows is kept as it came
        let mut later = bytes;
        later[0] = 77;
        let claim = Claim::decode(&later).unwrap();
        assert_eq!((claim.kind(), claim.encode()), (DeviceKind::Other, later));
    }
}
