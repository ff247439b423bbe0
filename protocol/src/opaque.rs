//! Passwords that the service never sees: OPAQUE (RFC 9807) with ristretto255, 3DH, SHA-512 and Argon2id.
//!
//! One suite for both sides, in small functions over bytes: [`client`] is what a device does, [`server`] what the service
//! does. Messages are those of RFC 9807 §5 and §6, of fixed lengths. The context (§6.2.1) is a label and the log's
//! origin, so a log-in at one service is none at another; identities are the public keys (§4, no names).
//!
//! Pure: randomness is an argument. Not in scope: which account a name is, how often somebody may try, what a log-in is
//! good for.

macro_rules! hidden_debug {
    ($($name:ident),*) => {
        $(impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(concat!(stringify!($name), "(..)"))
            }
        })*
    };
}

pub mod client;
pub mod server;

use chain::id::{AccountId, Digest, HandleLabel};
use opaque_ke::argon2::{Algorithm, Argon2, Params, Version};
use opaque_ke::errors::{InternalError, ProtocolError};
use opaque_ke::rand::{CryptoRng, Error as DrawError, RngCore};
use opaque_ke::{CipherSuite, Ristretto255, TripleDh};
use sha2_0_10::Sha512;
use thiserror::Error;

use crate::label::{self, labelled};

/// Length of RegistrationRequest, bytes.
pub const REGISTRATION_REQUEST: usize = 32;
/// Length of RegistrationResponse, bytes.
pub const REGISTRATION_RESPONSE: usize = 64;
/// Length of RegistrationRecord, bytes.
pub const RECORD: usize = 192;
/// Length of KE1, bytes.
pub const KE1: usize = 96;
/// Length of KE2, bytes.
pub const KE2: usize = 320;
/// Length of KE3, bytes.
pub const KE3: usize = 64;
/// Most bytes of a password.
pub const MAX_PASSWORD: usize = 1_024;

/// Fills bytes with randomness of the system; false if it has none.
pub type Random<'a> = &'a mut dyn FnMut(&mut [u8]) -> bool;

/// Why a step of OPAQUE does not succeed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum OpaqueError {
    /// Not a message of that kind: another length, or no element of the group.
    #[error("{what} is malformed")]
    Malformed {
        /// What was being read.
        what: &'static str,
    },
    /// Wrong password, or nobody has this name, or another service: all look alike.
    #[error("name and password do not fit")]
    Refused,
    /// No password, or too long a one.
    #[error("a password has 1 to {MAX_PASSWORD} bytes")]
    Password,
    /// Argon2id does not take these parameters, or finds no memory.
    #[error("the password could not be stretched")]
    Stretching,
    /// The system gives no random bytes.
    #[error("the system gives no random bytes")]
    Randomness,
}

impl OpaqueError {
    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Malformed { .. } => crate::refusal::MALFORMED,
            Self::Refused => crate::api::accounts::LOGIN_REFUSED,
            Self::Password => "password.length",
            Self::Stretching => "password.stretching",
            Self::Randomness => "system.randomness",
        }
    }
}

/// How a device stretches a password before it is worth anything (RFC 9807 §3, RFC 9106 §4). A registration and its
/// log-ins have to use the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stretching {
    /// Memory, KiB.
    pub memory_kib: u32,
    /// Passes over it.
    pub passes: u32,
    /// Lanes.
    pub lanes: u32,
}

impl Stretching {
    /// The second recommended choice of RFC 9106 §4: 64 MiB, three passes, four lanes.
    pub const RECOMMENDED: Self = Self { memory_kib: 65_536, passes: 3, lanes: 4 };

    pub(crate) fn argon2id(self) -> Result<Argon2<'static>, OpaqueError> {
        let params = Params::new(self.memory_kib, self.passes, self.lanes, None);
        Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params.map_err(|_| OpaqueError::Stretching)?))
    }
}

/// Under which name the service keeps an account's password (RFC 9807 §2.1 `credential_identifier`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Credential([u8; 32]);

impl Credential {
    /// An account's.
    pub fn of(account: &AccountId) -> Self {
        Self(account.0)
    }

    /// The one that a name which nobody holds is answered with: always the same, and nobody's (RFC 9807 §10.9).
    pub fn of_nobody(handle: &HandleLabel) -> Self {
        Self(Digest::labelled(label::OPAQUE_ABSENT, &[&handle.0]).0)
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// The one suite.
struct Suite;

impl CipherSuite for Suite {
    type OprfCs = Ristretto255;
    type KeyExchange = TripleDh<Ristretto255, Sha512>;
    type Ksf = Argon2<'static>;
}

fn context(origin: &str) -> Vec<u8> {
    labelled(label::OPAQUE_CONTEXT, &[origin.as_bytes()])
}

/// Bytes of a message, if there are as many as there have to be: the library reads from the front and leaves the rest.
fn exactly<'b>(bytes: &'b [u8], length: usize, what: &'static str) -> Result<&'b [u8], OpaqueError> {
    if bytes.len() == length { Ok(bytes) } else { Err(OpaqueError::Malformed { what }) }
}

/// What the library's errors are here.
fn broken(error: ProtocolError, what: &'static str) -> OpaqueError {
    match error {
        ProtocolError::InvalidLoginError => OpaqueError::Refused,
        ProtocolError::LibraryError(InternalError::KsfError) => OpaqueError::Stretching,
        _ => OpaqueError::Malformed { what },
    }
}

/// Randomness in the shape that the library wants. It has no way to fail there, so a failure is remembered, and what
/// was made of it is thrown away.
struct Draws<'a> {
    random: Random<'a>,
    failed: bool,
}

impl<'a> Draws<'a> {
    fn new(random: Random<'a>) -> Self {
        Self { random, failed: false }
    }

    fn finish(self) -> Result<(), OpaqueError> {
        if self.failed { Err(OpaqueError::Randomness) } else { Ok(()) }
    }
}

impl RngCore for Draws<'_> {
    fn next_u32(&mut self) -> u32 {
        let mut bytes = [0; 4];
        self.fill_bytes(&mut bytes);
        u32::from_le_bytes(bytes)
    }

    fn next_u64(&mut self) -> u64 {
        let mut bytes = [0; 8];
        self.fill_bytes(&mut bytes);
        u64::from_le_bytes(bytes)
    }

    fn fill_bytes(&mut self, bytes: &mut [u8]) {
        if !(self.random)(bytes) {
            self.failed = true;
            // not zero: the library draws again until a scalar is not zero
            bytes.fill(1);
        }
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), DrawError> {
        self.fill_bytes(bytes);
        Ok(())
    }
}

/// Whoever hands in a [`Random`] promises that it is one.
impl CryptoRng for Draws<'_> {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::opaque::server::{Record, Setup};

    const CHEAP: Stretching = Stretching { memory_kib: 8, passes: 1, lanes: 1 };
    const ORIGIN: &str = "test.example/log";

    /// A repeatable stream that is good enough for a test.
    fn random() -> impl FnMut(&mut [u8]) -> bool {
        let mut count = 0_u64;
        move |bytes| {
            for part in bytes.chunks_mut(32) {
                count += 1;
                let block = Digest::sha256(&count.to_be_bytes()).0;
                part.copy_from_slice(&block[..part.len()]);
            }
            true
        }
    }

    struct World {
        setup: Setup,
        record: Record,
        credential: Credential,
    }

    fn registered(password: &[u8], random: Random<'_>) -> World {
        let setup = Setup::new(random).unwrap();
        let credential = Credential::of(&AccountId([7; 32]));
        let (registration, request) = client::start_registration(password, random).unwrap();
        let answer = setup.answer_registration(&credential, &request).unwrap();
        let registration = client::Registration::from_bytes(&registration.to_bytes()).unwrap();
        let upload = registration.finish(password, &answer, CHEAP, random).unwrap();
        assert_eq!((request.len(), answer.len(), upload.len()), (REGISTRATION_REQUEST, REGISTRATION_RESPONSE, RECORD));
        World { setup, record: Record::from_bytes(&upload).unwrap(), credential }
    }

    fn log_in(
        world: &World,
        record: Option<&Record>,
        password: &[u8],
        origins: [&str; 2],
        random: Random<'_>,
    ) -> Result<(), OpaqueError> {
        let (login, ke1) = client::start_login(password, random).unwrap();
        let (started, ke2) = world.setup.answer_login(&world.credential, record, origins[0], &ke1, random).unwrap();
        assert_eq!((ke1.len(), ke2.len()), (KE1, KE2));
        let login = client::Login::from_bytes(&login.to_bytes()).unwrap();
        let ke3 = login.finish(password, &ke2, origins[1], CHEAP, random)?;
        assert_eq!(ke3.len(), KE3);
        started.finish(origins[0], &ke3)
    }

    #[test]
    fn the_right_password_logs_in_after_every_state_was_stored() {
        let mut random = random();
        let mut world = registered(b"correct horse", &mut random);
        world.setup = Setup::from_bytes(&world.setup.to_bytes()).unwrap();
        let record = Record::from_bytes(&world.record.to_bytes()).unwrap();
        assert_eq!(log_in(&world, Some(&record), b"correct horse", [ORIGIN; 2], &mut random), Ok(()));
    }

    #[test]
    fn a_wrong_password_another_service_and_a_name_without_record_look_alike() {
        let mut random = random();
        let world = registered(b"correct horse", &mut random);
        let record = Some(&world.record);
        let refused = Err(OpaqueError::Refused);
        assert_eq!(log_in(&world, record, b"wrong horse", [ORIGIN; 2], &mut random), refused);
        assert_eq!(log_in(&world, record, b"correct horse", [ORIGIN, "other.example/log"], &mut random), refused);
        assert_eq!(log_in(&world, None, b"correct horse", [ORIGIN; 2], &mut random), refused);
    }

    #[test]
    fn a_guessed_last_message_is_refused() {
        let mut random = random();
        let world = registered(b"correct horse", &mut random);
        let (_, ke1) = client::start_login(b"correct horse", &mut random).unwrap();
        for record in [Some(&world.record), None] {
            let (started, _) = world.setup.answer_login(&world.credential, record, ORIGIN, &ke1, &mut random).unwrap();
            assert_eq!(started.finish(ORIGIN, &[7; KE3]), Err(OpaqueError::Refused));
        }
    }

    /// Bytes from outside: other lengths, and no element of the group.
    #[test]
    fn messages_of_another_form_are_malformed() {
        let mut random = random();
        let world = registered(b"correct horse", &mut random);
        for byte in [0, 1, 0x80, 0xff] {
            for length in [0, 31, 32, 33, 63, 64, 65, 95, 96, 97, 191, 192, 193, 320, 321, 1_000] {
                let bytes = vec![byte; length];
                assert!(world.setup.answer_registration(&world.credential, &bytes).is_err());
                assert!(world.setup.answer_login(&world.credential, None, ORIGIN, &bytes, &mut random).is_err());
                assert!(Record::from_bytes(&bytes).is_err());
                assert!(Setup::from_bytes(&bytes).is_err());
                let (registration, _) = client::start_registration(b"x", &mut random).unwrap();
                assert!(registration.finish(b"x", &bytes, CHEAP, &mut random).is_err());
                let (login, _) = client::start_login(b"x", &mut random).unwrap();
                assert!(login.finish(b"x", &bytes, ORIGIN, CHEAP, &mut random).is_err());
                assert!(client::Login::from_bytes(&bytes).is_err());
            }
        }
    }

    #[test]
    fn no_password_and_a_very_long_one_are_refused() {
        let mut random = random();
        assert_eq!(client::start_login(b"", &mut random).err(), Some(OpaqueError::Password));
        let long = vec![b'a'; MAX_PASSWORD + 1];
        assert_eq!(client::start_registration(&long, &mut random).err(), Some(OpaqueError::Password));
    }

    #[test]
    fn nothing_is_made_without_randomness() {
        let mut none = |_: &mut [u8]| false;
        assert_eq!(Setup::new(&mut none).err(), Some(OpaqueError::Randomness));
        assert_eq!(client::start_login(b"x", &mut none).err(), Some(OpaqueError::Randomness));
    }

    #[test]
    fn the_recommended_stretching_is_one() {
        assert!(Stretching::RECOMMENDED.argon2id().is_ok());
        assert!(Stretching { lanes: 0, ..CHEAP }.argon2id().is_err());
    }
}
