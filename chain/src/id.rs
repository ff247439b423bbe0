//! Identifiers and public keys: newtypes, so that none is taken for another.

use std::fmt;

use ed25519_dalek::{Signature, VerifyingKey};
use sha2::{Digest as _, Sha256};

use crate::encoding::{DecodeError, Reader};
use crate::label;

macro_rules! bytes_newtype {
    ($(#[$doc:meta])* $name:ident, $len:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub [u8; $len]);

        impl $name {
            /// Length in bytes.
            pub const LEN: usize = $len;

            /// Reads one.
            ///
            /// # Errors
            /// [`DecodeError::Truncated`].
            pub fn decode(reader: &mut Reader<'_>, field: &'static str) -> Result<Self, DecodeError> {
                reader.array(field).map(Self)
            }

            /// The bytes.
            pub fn as_bytes(&self) -> &[u8; $len] {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({self})", stringify!($name))
            }
        }

        impl std::str::FromStr for $name {
            type Err = ParseHexError;
            fn from_str(text: &str) -> Result<Self, ParseHexError> {
                parse_hex(text).map(Self)
            }
        }
    };
}

/// Text that is not the lower-case hexadecimal form of an identifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not {expected} lower-case hexadecimal digits")]
pub struct ParseHexError {
    /// How many digits it should have.
    pub expected: usize,
}

fn parse_hex<const N: usize>(text: &str) -> Result<[u8; N], ParseHexError> {
    let error = ParseHexError { expected: N * 2 };
    let digit = |c: u8| match c {
        b'0'..=b'9' => Ok(c - b'0'),
        b'a'..=b'f' => Ok(c - b'a' + 10),
        _ => Err(error),
    };
    let mut out = [0; N];
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if pairs.len() != N || !rest.is_empty() {
        return Err(error);
    }
    for (byte, [high, low]) in out.iter_mut().zip(pairs) {
        *byte = digit(*high)? << 4 | digit(*low)?;
    }
    Ok(out)
}

bytes_newtype!(
    /// A SHA-256 digest.
    Digest, 32
);
bytes_newtype!(
    /// An account's id: the hash of its first entry's body, so nobody chooses it.
    AccountId, 32
);
bytes_newtype!(
    /// A device's id: the first half of the hash of its two keys.
    DeviceId, 16
);
bytes_newtype!(
    /// An Ed25519 signature (RFC 8032), unchecked.
    SignatureBytes, 64
);
bytes_newtype!(
    /// The map key of a handle: what the public record shows instead of a name.
    HandleLabel, 32
);

impl Digest {
    /// Thirty-two zero bytes: "nothing came before".
    pub const ZERO: Self = Self([0; 32]);

    /// SHA-256 over bytes without a label; only where a foreign document fixes the input.
    pub fn sha256(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// SHA-256 of label length (1 byte), label and the parts, one after the other (`docs/protocol.md` §2).
    pub fn labelled(label: &str, parts: &[&[u8]]) -> Self {
        let length = [u8::try_from(label.len()).unwrap_or(u8::MAX)];
        let all = [length.as_slice(), label.as_bytes()].into_iter().chain(parts.iter().copied());
        // what is short, and most of it is, is hashed in one go
        let mut short = [0; 128];
        let mut filled = 0;
        for part in all.clone() {
            let Some(place) = short.get_mut(filled..).and_then(|rest| rest.get_mut(..part.len())) else {
                let mut hash = Sha256::new();
                all.for_each(|part| hash.update(part));
                return Self(hash.finalize().into());
            };
            place.copy_from_slice(part);
            filled += part.len();
        }
        Self::sha256(short.get(..filled).unwrap_or_default())
    }
}

/// An Ed25519 public key: the canonical encoding of a point that is not of small order (attack 41).
///
/// A point with a small-order *part* is accepted: only its holder can make one, and the one verification equation of
/// the protocol (without cofactor, strict) gives the same verdict everywhere. Looking for it costs as much as a
/// verification.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct PublicKey(VerifyingKey);

/// 2^255 − 19, little-endian.
const FIELD_PRIME: [u8; 32] = {
    let mut p = [0xff; 32];
    p[0] = 0xed;
    p[31] = 0x7f;
    p
};

impl PublicKey {
    /// Length in bytes.
    pub const LEN: usize = 32;

    /// Accepts the 32 bytes of a key.
    ///
    /// # Errors
    /// [`DecodeError::BadKey`].
    pub fn from_bytes(bytes: &[u8; 32], field: &'static str) -> Result<Self, DecodeError> {
        let bad = DecodeError::BadKey { field };
        let mut y = *bytes;
        if let Some(last) = y.last_mut() {
            *last &= 0x7f;
        }
        // y < p, compared from the most significant byte; the two points with x = 0 and a sign are of small order
        let canonical = y.iter().rev().lt(FIELD_PRIME.iter().rev());
        let key = VerifyingKey::from_bytes(bytes).map_err(|_| bad.clone())?;
        if canonical && !key.is_weak() { Ok(Self(key)) } else { Err(bad) }
    }

    /// Reads one.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`], [`DecodeError::BadKey`].
    pub fn decode(reader: &mut Reader<'_>, field: &'static str) -> Result<Self, DecodeError> {
        Self::from_bytes(&reader.array(field)?, field)
    }

    /// The 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }

    /// True if `signature` is this key's over `message`, by strict verification: canonical `s`, no small-order `R`.
    #[must_use]
    pub fn verifies(&self, message: &[u8], signature: &SignatureBytes) -> bool {
        self.0.verify_strict(message, &Signature::from_bytes(&signature.0)).is_ok()
    }
}

impl From<&ed25519_dalek::SigningKey> for PublicKey {
    fn from(key: &ed25519_dalek::SigningKey) -> Self {
        Self(key.verifying_key())
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", Digest(*self.as_bytes()))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({self})")
    }
}

impl PartialOrd for PublicKey {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for PublicKey {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.as_bytes().cmp(other.as_bytes())
    }
}

/// The two public keys of one device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct DeviceKeys {
    /// Signs entries and requests to the service.
    pub chain: PublicKey,
    /// The key of the device's leaf in MLS groups.
    pub mls: PublicKey,
}

impl DeviceKeys {
    /// The id that these keys give: the first 16 bytes of their labelled hash.
    pub fn id(&self) -> DeviceId {
        let digest = Digest::labelled(label::DEVICE_ID, &[self.chain.as_bytes(), self.mls.as_bytes()]);
        let mut id = [0; DeviceId::LEN];
        id.iter_mut().zip(digest.0).for_each(|(to, from)| *to = from);
        DeviceId(id)
    }

    /// Reads both.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`], [`DecodeError::BadKey`]; also if the two keys are one.
    pub fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let chain = PublicKey::decode(reader, "chain key")?;
        let mls = PublicKey::decode(reader, "MLS key")?;
        if chain == mls { Err(DecodeError::BadKey { field: "MLS key" }) } else { Ok(Self { chain, mls }) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Attack 41: all eight small-order points, in every encoding, and non-canonical ones.
    #[test]
    fn small_order_and_non_canonical_keys_are_refused() {
        for point in curve25519_dalek::constants::EIGHT_TORSION {
            assert!(PublicKey::from_bytes(&point.compress().0, "key").is_err());
        }
        let mut above_p = [0xff; 32];
        assert!(PublicKey::from_bytes(&above_p, "key").is_err());
        above_p[31] = 0x7f;
        assert!(PublicKey::from_bytes(&above_p, "key").is_err());
    }

    #[test]
    fn hexadecimal_has_one_form() {
        let digest = Digest::sha256(b"");
        assert_eq!(digest.to_string().parse(), Ok(digest));
        assert!(digest.to_string().to_uppercase().parse::<Digest>().is_err());
        assert!("00".parse::<Digest>().is_err());
    }
}
