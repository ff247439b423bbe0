//! Handles: the readable names of accounts, their hidden place in the map, and who holds them.
//!
//! Implements ECVRF-EDWARDS25519-SHA512-ELL2 of RFC 9381 over handles and the rules HND-2 and HND-3. The map key of a
//! handle is a hash of a VRF output, so that whoever reads the whole record learns no name, and the holder of the VRF
//! key can put one handle at one place only. ELL2 and not TAI: a handle is a secret input, and the time that TAI
//! takes tells about it (RFC 9381 §7.5). Not in scope: the entries that may move a handle (HND-1, the audit).

use std::fmt;

use ed25519_dalek::SigningKey;
use thiserror::Error;
use vrf_rfc9381::ec::edwards25519::EdVrfProof;
use vrf_rfc9381::ec::edwards25519::elligator2::{EdVrfEdwards25519Ell2PublicKey, EdVrfEdwards25519Ell2SecretKey};
use vrf_rfc9381::{Proof as _, Prover as _, Verifier as _};

use crate::encoding::{DecodeError, Reader, Writer};
use crate::id::{AccountId, Digest, HandleLabel, PublicKey};
use crate::label;

/// Why a handle, a proof of its place or a change of its holder is refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum HandleError {
    /// Not 3 to 32 characters.
    #[error("a handle has {min} to {max} characters, not {length}", min = Handle::MIN_LEN, max = Handle::MAX_LEN)]
    Length {
        /// How many there are.
        length: usize,
    },
    /// A character other than a–z, A–Z, 0–9, `.`, `_` and `-`.
    #[error("the character at byte {position} is not allowed in a handle")]
    Charset {
        /// Where it starts, in bytes.
        position: usize,
    },
    /// The VRF proof does not hold for this handle under this key.
    #[error("the proof of the handle's place does not hold under the log's VRF key")]
    IndexKey,
    /// Somebody holds the handle (HND-2).
    #[error("the handle is taken, incarnation {incarnation}")]
    Taken {
        /// The holder's incarnation.
        incarnation: u64,
    },
    /// The handle was released less than a year ago (HND-3).
    #[error("the handle is locked until {until_s} s after 1970")]
    Locked {
        /// The first second at which it can be bound, in seconds since 1970 UTC.
        until_s: u64,
    },
    /// The account does not hold the handle, so it can neither release nor hand it over.
    #[error("the account does not hold the handle")]
    NotHeld,
    /// The incarnation counter is at its end.
    #[error("the handle has had all its incarnations")]
    Exhausted,
}

impl HandleError {
    /// The rule's number in `docs/protocol.md`.
    #[must_use]
    pub fn rule(&self) -> &'static str {
        match self {
            Self::Length { .. } | Self::Charset { .. } => "HND-4",
            Self::IndexKey => "HND-5",
            Self::NotHeld => "HND-1",
            Self::Taken { .. } | Self::Exhausted => "HND-2",
            Self::Locked { .. } => "HND-3",
        }
    }

    /// The code that a service answers with and that a person's sentence is chosen by.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Length { .. } => "handle.length",
            Self::Charset { .. } => "handle.charset",
            Self::IndexKey => "chain.index_key",
            Self::Taken { .. } => "handle.taken",
            Self::Locked { .. } => "handle.locked",
            Self::NotHeld => "handle.not_held",
            Self::Exhausted => "handle.exhausted",
        }
    }
}

/// A normalised handle: 3 to 32 of the characters a–z, 0–9, `.`, `_` and `-`, in any order.
///
/// `Debug` does not show it: names stay out of logs.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Handle(String);

impl Handle {
    /// Shortest, in characters.
    pub const MIN_LEN: usize = 3;
    /// Longest, in characters.
    pub const MAX_LEN: usize = 32;

    /// Normalises what somebody typed: ASCII capitals become small. Nothing is trimmed or replaced (attack 30).
    ///
    /// # Errors
    /// [`HandleError::Charset`], then [`HandleError::Length`].
    pub fn parse(text: &str) -> Result<Self, HandleError> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        if let Some(position) = text.find(|c| !allowed(c)) {
            return Err(HandleError::Charset { position });
        }
        // one byte a character from here on
        let length = text.len();
        if !(Self::MIN_LEN..=Self::MAX_LEN).contains(&length) {
            return Err(HandleError::Length { length });
        }
        Ok(Self(text.to_ascii_lowercase()))
    }

    /// The normalised text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The VRF input, alpha of RFC 9381: label length (1 byte), label, handle.
    fn alpha(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        writer.bytes8(label::VRF_HANDLE.as_bytes()).raw(self.0.as_bytes());
        writer.finish()
    }
}

impl fmt::Display for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Handle(..)")
    }
}

/// The id of a VRF key: part of every label, so that another key is another namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VrfKeyId(pub Digest);

/// A VRF proof, pi of RFC 9381 §5.1, unchecked: Gamma (32 bytes), c (16), s (32).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct VrfProof(pub [u8; 80]);

impl VrfProof {
    /// Length in bytes.
    pub const LEN: usize = 80;

    /// Reads one.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`].
    pub fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        reader.array("VRF proof").map(Self)
    }

    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 80] {
        &self.0
    }

    /// Decodes as RFC 9381 §5.4.4 asks. The library reduces an s that is too large and takes a Gamma that is not in
    /// its canonical form; encoding again and comparing finds both.
    fn strict(&self) -> Option<EdVrfProof> {
        let proof = EdVrfProof::decode_pi(&self.0).ok()?;
        (proof.encode_to_pi() == self.0).then_some(proof)
    }
}

impl fmt::Debug for VrfProof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // whoever has a proof can test names offline (RFC 9381 §7.6)
        f.write_str("VrfProof(..)")
    }
}

/// A log's public VRF key, validated: a canonical point that is not of small order (RFC 9381 §5.4.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VrfPublicKey(PublicKey);

impl VrfPublicKey {
    /// Length in bytes.
    pub const LEN: usize = PublicKey::LEN;

    /// Accepts the 32 bytes of a key.
    ///
    /// # Errors
    /// [`DecodeError::BadKey`].
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self, DecodeError> {
        PublicKey::from_bytes(bytes, "VRF key").map(Self)
    }

    /// Reads one.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`], [`DecodeError::BadKey`].
    pub fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        PublicKey::decode(reader, "VRF key").map(Self)
    }

    /// The 32 bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }

    /// The key's id.
    #[must_use]
    pub fn id(&self) -> VrfKeyId {
        VrfKeyId(Digest::labelled(label::VRF_KEY_ID, &[self.as_bytes()]))
    }

    /// Checks that `proof` is this key's for `handle`, and returns the one place in the map that the handle has.
    ///
    /// # Errors
    /// [`HandleError::IndexKey`] (attack 26).
    pub fn verify(&self, handle: &Handle, proof: &VrfProof) -> Result<HandleLabel, HandleError> {
        self.output(&handle.alpha(), proof).map(|beta| self.label(&beta)).ok_or(HandleError::IndexKey)
    }

    /// ECVRF_verify of RFC 9381 §5.3: beta, 64 bytes.
    fn output(&self, alpha: &[u8], proof: &VrfProof) -> Option<[u8; 64]> {
        let key = EdVrfEdwards25519Ell2PublicKey::from_slice(self.as_bytes()).ok()?;
        key.verify(alpha, proof.strict()?).ok().map(Into::into)
    }

    fn label(&self, beta: &[u8; 64]) -> HandleLabel {
        HandleLabel(Digest::labelled(label::MAP_HANDLE, &[self.id().0.as_bytes(), beta]).0)
    }
}

/// A log's secret VRF key. Dropping it wipes it. Whoever has it can test names offline, but can forge nothing.
pub struct VrfSecretKey {
    secret: EdVrfEdwards25519Ell2SecretKey,
    public: VrfPublicKey,
}

impl VrfSecretKey {
    /// Derives the key from 32 secret random bytes, as Ed25519 does (RFC 8032 §5.1.5). The caller wipes its copy.
    ///
    /// # Errors
    /// [`DecodeError::BadKey`], which no seed is known to give.
    pub fn from_seed(seed: &[u8; 32]) -> Result<Self, DecodeError> {
        let secret =
            EdVrfEdwards25519Ell2SecretKey::from_slice(seed).map_err(|_| DecodeError::BadKey { field: "VRF key" })?;
        let public = VrfPublicKey(PublicKey::from(&SigningKey::from_bytes(seed)));
        Ok(Self { secret, public })
    }

    /// The public half.
    #[must_use]
    pub fn public(&self) -> VrfPublicKey {
        self.public
    }

    /// Proves where `handle` is in the map. Deterministic: a handle has one proof and one label under one key.
    ///
    /// # Errors
    /// [`HandleError::IndexKey`] if the fresh proof does not verify: a fault of this machine, and nothing is given out.
    pub fn prove(&self, handle: &Handle) -> Result<(VrfProof, HandleLabel), HandleError> {
        let pi = self.secret.prove(&handle.alpha()).map_err(|_| HandleError::IndexKey)?.encode_to_pi();
        let proof = VrfProof(pi.try_into().map_err(|_| HandleError::IndexKey)?);
        // a proof with a wrong nonce or challenge could give the secret key away
        let label = self.public.verify(handle, &proof)?;
        Ok((proof, label))
    }
}

impl fmt::Debug for VrfSecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("VrfSecretKey(..)")
    }
}

/// Whether somebody holds a handle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HandleState {
    /// The account holds it.
    Bound,
    /// The account held it last.
    Released {
        /// Since when, in seconds since 1970 UTC, by the block's time.
        at_s: u64,
    },
}

/// What the map says of one handle: who holds it, or held it last, and the how-manieth holder that is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HandleHead {
    /// The holder, or the last one.
    pub account: AccountId,
    /// 1 for the first holder; one more for every other (HND-2).
    pub incarnation: u64,
    /// Whether the account still holds it.
    pub state: HandleState,
}

impl HandleHead {
    /// How long a released handle stays locked: 365 days, in seconds (HND-3).
    pub const LOCK_S: u64 = 31_536_000;

    /// The head after `account` binds the handle at `now_s`; `previous` is what the map says so far, `None` for a
    /// handle that was never bound. The last holder waits like everybody else.
    ///
    /// # Errors
    /// [`HandleError::Taken`], [`HandleError::Locked`] (HND-3), [`HandleError::Exhausted`].
    pub fn bind(previous: Option<&Self>, account: AccountId, now_s: u64) -> Result<Self, HandleError> {
        let Some(previous) = previous else {
            return Ok(Self { account, incarnation: 1, state: HandleState::Bound });
        };
        let at_s = match previous.state {
            HandleState::Bound => return Err(HandleError::Taken { incarnation: previous.incarnation }),
            HandleState::Released { at_s } => at_s,
        };
        let until_s = at_s.saturating_add(Self::LOCK_S);
        if now_s < until_s {
            return Err(HandleError::Locked { until_s });
        }
        previous.next_holder(account)
    }

    /// The head after `account`, which holds the handle, lets it go at `now_s`.
    ///
    /// # Errors
    /// [`HandleError::NotHeld`].
    pub fn release(&self, account: AccountId, now_s: u64) -> Result<Self, HandleError> {
        self.held_by(account)?;
        Ok(Self { state: HandleState::Released { at_s: now_s }, ..*self })
    }

    /// The head after a reset of the account `from`, which holds the handle: its successor `to` has it at once.
    ///
    /// # Errors
    /// [`HandleError::NotHeld`], [`HandleError::Exhausted`].
    pub fn succeed(&self, from: AccountId, to: AccountId) -> Result<Self, HandleError> {
        self.held_by(from)?;
        self.next_holder(to)
    }

    fn held_by(&self, account: AccountId) -> Result<(), HandleError> {
        if self.account == account && self.state == HandleState::Bound { Ok(()) } else { Err(HandleError::NotHeld) }
    }

    fn next_holder(&self, account: AccountId) -> Result<Self, HandleError> {
        let incarnation = self.incarnation.checked_add(1).ok_or(HandleError::Exhausted)?;
        Ok(Self { account, incarnation, state: HandleState::Bound })
    }

    /// The map value of the handle's leaf.
    #[must_use]
    pub fn value(&self) -> Digest {
        Digest::labelled(label::MAP_HANDLE_HEAD, &[&self.encode()])
    }

    /// The canonical encoding: account (32 bytes), incarnation (8), state (1: 1 bound, 2 released), for a released
    /// one the time (8).
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        writer.raw(self.account.as_bytes()).u64(self.incarnation);
        match self.state {
            HandleState::Bound => writer.u8(1),
            HandleState::Released { at_s } => writer.u8(2).u64(at_s),
        };
        writer.finish()
    }

    /// Reads one.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`]; [`DecodeError::Unknown`] for incarnation 0 or another state.
    pub fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let account = AccountId::decode(reader, "account")?;
        let incarnation = reader.u64("incarnation")?;
        if incarnation == 0 {
            return Err(DecodeError::Unknown { field: "incarnation", value: 0 });
        }
        let state = match reader.u8("handle state")? {
            1 => HandleState::Bound,
            2 => HandleState::Released { at_s: reader.u64("release time")? },
            value => return Err(DecodeError::Unknown { field: "handle state", value: value.into() }),
        };
        Ok(Self { account, incarnation, state })
    }
}

#[cfg(test)]
mod tests;
