//! What a bearer shows: 32 random bytes, of which only the hash is kept.

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use chain::id::Digest;
use protocol::bytes::Base64Url;
use protocol::reset_permit::ResetPermit;
use serde::Deserialize as _;
use serde::de::IntoDeserializer as _;
use serde::de::value::{Error as ValueError, StrDeserializer};
use zeroize::Zeroizing;

use crate::error::Stopped;
use crate::http::refusal::Refusal;

/// A permit or a token, in clear.
pub(crate) struct Secret(Zeroizing<[u8; 32]>);

impl Secret {
    /// A new one.
    ///
    /// # Errors
    /// The system gives no random bytes.
    pub(crate) fn new() -> Result<Self, Refusal> {
        let mut bytes = Zeroizing::new([0; 32]);
        fill(bytes.as_mut_slice())?;
        Ok(Self(bytes))
    }

    /// The one in a request's `Authorization: Bearer`, if there is one and it can be one (RFC 6750 §2.1).
    pub(crate) fn of_bearer(headers: &HeaderMap) -> Option<Self> {
        let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
        let (scheme, text) = value.split_once(' ')?;
        if !scheme.eq_ignore_ascii_case("Bearer") {
            return None;
        }
        let text: StrDeserializer<'_, ValueError> = text.into_deserializer();
        let bytes = Base64Url::deserialize(text).ok()?;
        bytes.0.try_into().ok().map(|bytes| Self(Zeroizing::new(bytes)))
    }

    /// An operator's permit, as whoever has it shows it.
    pub(crate) fn of_permit(permit: &ResetPermit) -> Self {
        Self(permit.bearer())
    }

    /// What is kept of it. 256 random bits need no salt and no stretching.
    pub(crate) fn hash(&self) -> Digest {
        Digest::sha256(self.0.as_slice())
    }

    /// For the answer.
    pub(crate) fn to_base64url(&self) -> Base64Url {
        Base64Url(self.0.to_vec())
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// Random bytes of the system.
pub(crate) fn fill(bytes: &mut [u8]) -> Result<(), Refusal> {
    getrandom::fill(bytes).map_err(|_| Refusal::Broken(Stopped::Fault { what: "the system's randomness" }))
}
