//! A device's part: one registration when an account is opened, one log-in for every further device.
//!
//! What a device has to keep between its two messages is secret (it holds the blinding factor) and goes through bytes,
//! so that a device that is killed in between goes on.

use opaque_ke::{
    ClientLogin, ClientLoginFinishParameters, ClientRegistration, ClientRegistrationFinishParameters,
    CredentialResponse, Identifiers, RegistrationResponse,
};

use super::{
    Draws, KE2, MAX_PASSWORD, OpaqueError, REGISTRATION_RESPONSE, Random, Stretching, Suite, broken, context, exactly,
};

/// Length of a stored registration: blinding factor and blinded element.
const REGISTRATION: usize = 64;
/// Length of a stored log-in: blinding factor, KE1, ephemeral key and nonce.
const LOGIN: usize = 192;

/// A registration between its two messages.
pub struct Registration(ClientRegistration<Suite>);

/// A log-in between its two messages.
pub struct Login(ClientLogin<Suite>);

/// Begins a registration: what to keep, and RegistrationRequest.
///
/// # Errors
/// [`OpaqueError::Password`], [`OpaqueError::Randomness`].
pub fn start_registration(password: &[u8], random: Random<'_>) -> Result<(Registration, Vec<u8>), OpaqueError> {
    check_password(password)?;
    let mut draws = Draws::new(random);
    let started = ClientRegistration::<Suite>::start(&mut draws, password).map_err(|_| OpaqueError::Password);
    draws.finish()?;
    let started = started?;
    Ok((Registration(started.state), started.message.serialize().to_vec()))
}

/// Begins a log-in: what to keep, and KE1.
///
/// # Errors
/// [`OpaqueError::Password`], [`OpaqueError::Randomness`].
pub fn start_login(password: &[u8], random: Random<'_>) -> Result<(Login, Vec<u8>), OpaqueError> {
    check_password(password)?;
    let mut draws = Draws::new(random);
    let started = ClientLogin::<Suite>::start(&mut draws, password).map_err(|_| OpaqueError::Password);
    draws.finish()?;
    let started = started?;
    Ok((Login(started.state), started.message.serialize().to_vec()))
}

fn check_password(password: &[u8]) -> Result<(), OpaqueError> {
    if password.is_empty() || password.len() > MAX_PASSWORD { Err(OpaqueError::Password) } else { Ok(()) }
}

impl Registration {
    /// Ends the registration: RegistrationRecord, for the service. `answer` is its RegistrationResponse.
    ///
    /// # Errors
    /// [`OpaqueError::Malformed`], [`OpaqueError::Stretching`], [`OpaqueError::Randomness`].
    pub fn finish(
        self,
        password: &[u8],
        answer: &[u8],
        stretching: Stretching,
        random: Random<'_>,
    ) -> Result<Vec<u8>, OpaqueError> {
        let what = "the service's answer to a registration";
        let answer = RegistrationResponse::deserialize(exactly(answer, REGISTRATION_RESPONSE, what)?);
        let answer = answer.map_err(|error| broken(error, what))?;
        let argon2id = stretching.argon2id()?;
        let parameters = ClientRegistrationFinishParameters::new(Identifiers::default(), Some(&argon2id));
        let mut draws = Draws::new(random);
        let finished = self.0.finish(&mut draws, password, answer, parameters);
        draws.finish()?;
        Ok(finished.map_err(|error| broken(error, what))?.message.serialize().to_vec())
    }

    /// For the device's store. Secret.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.0.serialize().to_vec()
    }

    /// From the device's store.
    ///
    /// # Errors
    /// [`OpaqueError::Malformed`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, OpaqueError> {
        let what = "a stored registration";
        let state = ClientRegistration::deserialize(exactly(bytes, REGISTRATION, what)?);
        state.map(Self).map_err(|error| broken(error, what))
    }
}

impl Login {
    /// Ends the log-in: KE3, for the service. `answer` is its KE2.
    ///
    /// # Errors
    /// [`OpaqueError::Refused`]: wrong password, or nobody has this name. [`OpaqueError::Malformed`],
    /// [`OpaqueError::Stretching`], [`OpaqueError::Randomness`].
    pub fn finish(
        self,
        password: &[u8],
        answer: &[u8],
        origin: &str,
        stretching: Stretching,
        random: Random<'_>,
    ) -> Result<Vec<u8>, OpaqueError> {
        let what = "the service's answer to a log-in";
        let answer = CredentialResponse::deserialize(exactly(answer, KE2, what)?);
        let answer = answer.map_err(|error| broken(error, what))?;
        let (argon2id, context) = (stretching.argon2id()?, context(origin));
        let parameters = ClientLoginFinishParameters::new(Some(&context), Identifiers::default(), Some(&argon2id));
        let mut draws = Draws::new(random);
        let finished = self.0.finish(&mut draws, password, answer, parameters);
        draws.finish()?;
        Ok(finished.map_err(|error| broken(error, what))?.message.serialize().to_vec())
    }

    /// For the device's store. Secret.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.0.serialize().to_vec()
    }

    /// From the device's store.
    ///
    /// # Errors
    /// [`OpaqueError::Malformed`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, OpaqueError> {
        let what = "a stored log-in";
        let state = ClientLogin::deserialize(exactly(bytes, LOGIN, what)?);
        state.map(Self).map_err(|error| broken(error, what))
    }
}

hidden_debug!(Registration, Login);
