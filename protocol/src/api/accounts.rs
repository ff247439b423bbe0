//! Sign-up, log-in and tokens.
//!
//! ```text
//! POST /v1/signup/start      <- SignupStart                     -> OpaqueAnswer
//! POST /v1/signup            <- Signup                          -> EntryAccepted (waits for a quorum)
//! POST /v1/login/start       <- LoginStart                      -> LoginChallenge
//! POST /v1/login/finish      <- LoginFinish                     -> LoggedIn
//! POST /v1/entries           <- DeviceAdded, `Authorization: Bearer <permit>`
//! POST /v1/password/start    <- PasswordStart, with a token     -> OpaqueAnswer
//! POST /v1/password          <- PasswordSet, with a token       -> PasswordKept
//! POST /v1/tokens/challenge                                     -> Challenge
//! POST /v1/tokens            <- TokenRequest                    -> Token
//! GET  /v1/tokens            `Authorization: Bearer <token>`    -> TokenHolder
//! ```
//!
//! The password is never seen by the service: OPAQUE (RFC 9807) with ristretto255, 3DH, SHA-512 and Argon2id. A log-in
//! opens one thing, a `DeviceAdded` entry for that account; everything else is opened by a token, which a device of
//! the account gets for a signature of its chain key. Start requests are answered alike for names that exist and names
//! that do not. A sign-up can be started for an account that does not exist yet only: an answer for one that does would
//! let everybody try passwords without the limits of a log-in.

use chain::id::{AccountId, DeviceId, PublicKey, SignatureBytes};
use serde::{Deserialize, Serialize};

use crate::bytes::Base64Url;
use crate::id::hex;
use crate::label::{self, labelled};

/// Where a sign-up begins.
pub const SIGNUP_START: &str = "/v1/signup/start";
/// Where an account with a password is opened.
pub const SIGNUP: &str = "/v1/signup";
/// Where a log-in begins.
pub const LOGIN_START: &str = "/v1/login/start";
/// Where a log-in ends.
pub const LOGIN_FINISH: &str = "/v1/login/finish";
/// Where another password begins.
pub const PASSWORD_START: &str = "/v1/password/start";
/// Where an account gets another password.
pub const PASSWORD: &str = "/v1/password";
/// Where challenges for tokens are.
pub const TOKEN_CHALLENGE: &str = "/v1/tokens/challenge";
/// Where tokens are.
pub const TOKENS: &str = "/v1/tokens";
/// When the devices of an account were last there.
pub const DEVICES_SEEN: &str = "/v1/devices/seen";

/// Wrong password, or no such name: one answer for both.
pub const LOGIN_REFUSED: &str = "login.refused";
/// This account takes new devices only with a log-in's permit, and there is none, or an old or used one.
pub const PERMIT_INVALID: &str = "login.permit";
/// There is no token, or it has ended.
pub const TOKEN_INVALID: &str = "token.invalid";
/// The signature or the challenge of a token request does not hold.
pub const TOKEN_REFUSED: &str = "token.refused";
/// The device waits for its confirmation: it may not do this yet.
pub const DEVICE_UNCONFIRMED: &str = "device.unconfirmed";
/// Two copies of one device are in use: neither gets in any more (TOK-2).
pub const DEVICE_CLONED: &str = "device.cloned";
/// The device was removed or refused, or is unknown.
pub const DEVICE_REMOVED: &str = "device.removed";

/// How long a challenge is good for, seconds.
pub const CHALLENGE_S: u64 = 60;
/// How long a log-in may take from start to finish, seconds.
pub const LOGIN_S: u64 = 120;
/// How long a permit is good for, seconds.
pub const PERMIT_S: u64 = 600;
/// PMT-3: how long an operator's permit for a reset is good for, seconds.
pub const RESET_PERMIT_S: u64 = 72 * 3_600;
/// PMT-3: how long it is good again for the device that showed it first, seconds. Shorter than any reset has to wait, so that
/// it announces one.
pub const RESET_PERMIT_AGAIN_S: u64 = 12 * 3_600;
/// How long a token is good for, seconds.
pub const TOKEN_S: u64 = 86_400;

/// The first message of a registration (RFC 9807 §5.1). The account's id is the credential identifier: it follows from
/// the first entry, so the device knows it before the account exists.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignupStart {
    /// The account to be.
    #[serde(with = "hex")]
    pub account: AccountId,
    /// RegistrationRequest.
    pub message: Base64Url,
}

/// The first message of a registration for an account that is open, by one of its confirmed devices. Counted like a log-in:
/// whoever has a device could otherwise try passwords without the limits of one.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PasswordStart {
    /// RegistrationRequest.
    pub message: Base64Url,
}

/// Gives an account another password. The old one, and every permit that it gave, is worth nothing from the answer on;
/// tokens stay. The same again gives the same answer.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PasswordSet {
    /// RegistrationRecord (the upload).
    pub record: Base64Url,
}

/// The password is on disk.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PasswordKept {}

/// The service's message in a registration.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpaqueAnswer {
    /// RegistrationResponse.
    pub message: Base64Url,
}

/// Opens an account with a password. The same again gives the same answer.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signup {
    /// RegistrationRecord (the upload).
    pub record: Base64Url,
    /// The proposal of an AccountCreated, as in `POST /v1/entries`.
    pub proposal: Base64Url,
}

/// The first message of a log-in (RFC 9807 §6.2).
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LoginStart {
    /// The handle, as typed.
    pub handle: String,
    /// KE1.
    pub message: Base64Url,
}

/// The service's message in a log-in.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoginChallenge {
    /// Names this log-in, 16 bytes.
    pub login: Base64Url,
    /// KE2.
    pub message: Base64Url,
}

/// The last message of a log-in.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LoginFinish {
    /// Which log-in.
    pub login: Base64Url,
    /// KE3.
    pub message: Base64Url,
}

/// The password was right.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoggedIn {
    /// Whose it was; to be checked against the record by whoever relies on it.
    #[serde(with = "hex")]
    pub account: AccountId,
    /// Lets one new device of this account in, 32 bytes: the device that it is first shown for, and that one again if
    /// the answer was lost or the account changed in between.
    pub permit: Base64Url,
}

/// A challenge, good for one token request.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Challenge {
    /// 32 random bytes.
    pub challenge: Base64Url,
}

/// A device, pending or confirmed, asks for a token.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenRequest {
    /// Its account.
    #[serde(with = "hex")]
    pub account: AccountId,
    /// Its id.
    #[serde(with = "hex")]
    pub device: DeviceId,
    /// The challenge.
    pub challenge: Base64Url,
    /// One more than in the request before, on the device's disk before it is sent (TOK-1).
    pub number: u64,
    /// Its chain key's signature over [`token_request`].
    pub signature: Base64Url,
}

/// When the devices of the asking one's account were last here: the service's word (SEE-1).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DevicesSeen {
    /// Confirmed ones and, for one that is confirmed, those that wait.
    pub devices: Vec<DeviceSeen>,
}

/// When a device was last here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceSeen {
    /// Its id.
    #[serde(with = "hex")]
    pub device: DeviceId,
    /// Seconds since 1970, a whole minute; for a device that waits a whole hour. Nothing if it is not known.
    pub at_s: Option<u64>,
    /// True while it listens; never for a device that waits.
    pub connected: bool,
}

/// Whose token it is, by the newest sealed device set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenHolder {
    /// The account.
    #[serde(with = "hex")]
    pub account: AccountId,
    /// The device.
    #[serde(with = "hex")]
    pub device: DeviceId,
    /// False while it waits for its confirmation.
    pub confirmed: bool,
}

/// A token: `Authorization: Bearer <token, base64url>`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    /// 32 random bytes.
    pub token: Base64Url,
    /// Seconds until it ends.
    pub expires_in_s: u64,
}

/// The bytes that a device signs to get a token: label, origin behind its length (1 byte), account, device, number (8 bytes),
/// challenge.
pub fn token_request(origin: &str, account: &AccountId, device: &DeviceId, number: u64, challenge: &[u8]) -> Vec<u8> {
    let length = [u8::try_from(origin.len()).unwrap_or(u8::MAX)];
    let number = number.to_be_bytes();
    labelled(label::TOKEN_REQUEST, &[&length, origin.as_bytes(), &account.0, &device.0, &number, challenge])
}

impl TokenRequest {
    /// True if `key` signed this request for the service of `origin`.
    #[must_use]
    pub fn is_signed_by(&self, key: &PublicKey, origin: &str) -> bool {
        let Ok(signature) = self.signature.0.as_slice().try_into() else { return false };
        let message = token_request(origin, &self.account, &self.device, self.number, &self.challenge.0);
        key.verifies(&message, &SignatureBytes(signature))
    }
}

macro_rules! hidden_debug {
    ($($name:ident),*) => {
        $(impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(concat!(stringify!($name), "(..)"))
            }
        })*
    };
}

hidden_debug!(
    SignupStart,
    OpaqueAnswer,
    PasswordStart,
    PasswordSet,
    PasswordKept,
    Signup,
    LoginStart,
    LoginChallenge,
    LoginFinish,
    LoggedIn,
    Challenge,
    TokenRequest,
    Token
);
