//! That somebody types: said to those who are there just now, kept nowhere, and through no ratchet (MSG-12).
//!
//! Such a word is lost as easily as it is said, and a ratchet would have to keep a key for each that is. So it is sealed under a
//! key that all devices of the group have in its epoch, and signed, as any of them could write in another's name otherwise.
//!
//! ```text
//! nonce 24 | XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha), under the exporter's key (RFC 9420 §8.5), no additional data, of:
//! version u8 = 1 | group 32 | epoch u64 | account 32 | device 16 | time u64, milliseconds since 1970 | signature 64
//! ```
//!
//! Not in scope: the cipher and the key (the client), who may be told.

use chain::encoding::{DecodeError, Reader, Writer};
use chain::id::{AccountId, DeviceId, PublicKey};
use ed25519_dalek::SigningKey;

use crate::confirm::{is_signed, signed};
use crate::id::GroupId;
use crate::label;

/// Label of the exporter (RFC 9420 §8.5); the context is empty, the key has 32 bytes.
pub const EXPORTER_LABEL: &str = "trefoil typing";
/// Bytes of the nonce in front.
pub const NONCE: usize = 24;
/// Bytes of a sealed word, all of them.
pub const SEALED: usize = NONCE + 161 + 16;
/// How far the time of a word may be from the receiver's, milliseconds.
pub const FRESH_MS: u64 = 60_000;

const VERSION: u8 = 1;
const SIGNATURE: usize = 64;

/// Somebody types.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Typing {
    /// Where.
    pub group: GroupId,
    /// In which epoch.
    pub epoch: u64,
    /// Whose account.
    pub account: AccountId,
    /// On which device.
    pub device: DeviceId,
    /// When, milliseconds since 1970.
    pub at_ms: u64,
}

impl Typing {
    /// The bytes to seal, signed with the chain key of the device.
    pub fn sign(&self, key: &SigningKey) -> Vec<u8> {
        let mut w = Writer::new();
        w.u8(VERSION).raw(&self.group.0).u64(self.epoch);
        w.raw(&self.account.0).raw(&self.device.0).u64(self.at_ms);
        signed(label::TYPING, w, key)
    }

    /// Reads what was sealed; its signature is checked by [`Self::is_signed`], once it is known whose it has to be.
    ///
    /// # Errors
    /// [`DecodeError`] for anything but the canonical encoding.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut r = Reader::new(bytes);
        match r.u8("typing version")? {
            VERSION => {}
            value => return Err(DecodeError::Unknown { field: "typing version", value: value.into() }),
        }
        let (group, epoch) = (GroupId(r.array("group")?), r.u64("epoch")?);
        let (account, device) = (AccountId::decode(&mut r, "account")?, DeviceId::decode(&mut r, "device")?);
        let at_ms = r.u64("time")?;
        r.array::<SIGNATURE>("signature")?;
        r.finish()?;
        Ok(Self { group, epoch, account, device, at_ms })
    }

    /// True if `bytes`, what was sealed, is signed by this chain key.
    #[must_use]
    pub fn is_signed(bytes: &[u8], key: &PublicKey) -> bool {
        is_signed(label::TYPING, bytes, key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// MSG-12: it is the word of one device, in one group and epoch.
    #[test]
    fn a_word_is_that_of_its_device_there_and_then() {
        let key = SigningKey::from_bytes(&[7; 32]);
        let (public, other) = (PublicKey::from(&key), PublicKey::from(&SigningKey::from_bytes(&[8; 32])));
        let (account, device) = (AccountId([1; 32]), DeviceId([2; 16]));
        let said = Typing { group: GroupId([4; 32]), epoch: 5, account, device, at_ms: 3 };
        let bytes = said.sign(&key);
        assert_eq!(NONCE + bytes.len() + 16, SEALED);
        assert_eq!(Typing::decode(&bytes), Ok(said));
        assert!(Typing::is_signed(&bytes, &public) && !Typing::is_signed(&bytes, &other));
        for place in 1..bytes.len() {
            let mut changed = bytes.clone();
            changed[place] ^= 1;
            assert!(!Typing::is_signed(&changed, &public), "{place}");
        }
        for cut in 0..bytes.len() {
            assert!(Typing::decode(&bytes[..cut]).is_err(), "{cut}");
        }
        assert!(Typing::decode(&[&bytes[..], &[0]].concat()).is_err());
        assert!(Typing::decode(&[&[2], &bytes[1..]].concat()).is_err());
    }
}
