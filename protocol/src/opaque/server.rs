//! The service's part: one setup for all accounts, one record per password.

use opaque_ke::{
    CredentialFinalization, CredentialRequest, Identifiers, RegistrationRequest, RegistrationUpload, ServerLogin,
    ServerLoginParameters, ServerRegistration, ServerSetup,
};

use super::{
    Credential, Draws, KE1, KE3, OpaqueError, RECORD, REGISTRATION_REQUEST, Random, Suite, broken, context, exactly,
};

/// Length of a stored setup: seed, key pair's secret half, key of those who are not there.
const SETUP: usize = 128;

/// What all answers of one service are made with: OPRF seed and key pair (RFC 9807 §2.2). Whoever has it and a record
/// can try passwords, so it is kept apart from the records; without it no record is good for anything.
pub struct Setup(ServerSetup<Suite>);

/// An account's password as the service keeps it: worth a dictionary search to whoever has the [`Setup`] as well.
#[derive(Clone)]
pub struct Record(ServerRegistration<Suite>);

/// A log-in between its two messages.
pub struct StartedLogin(ServerLogin<Suite>);

impl Setup {
    /// A new one. All passwords of a service end with the old one.
    ///
    /// # Errors
    /// [`OpaqueError::Randomness`].
    pub fn new(random: Random<'_>) -> Result<Self, OpaqueError> {
        let mut draws = Draws::new(random);
        let setup = ServerSetup::new(&mut draws);
        draws.finish().map(|()| Self(setup))
    }

    /// For the key file. Secret.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.0.serialize().to_vec()
    }

    /// From the key file.
    ///
    /// # Errors
    /// [`OpaqueError::Malformed`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, OpaqueError> {
        let what = "a stored setup";
        let setup = ServerSetup::deserialize(exactly(bytes, SETUP, what)?);
        setup.map(Self).map_err(|error| broken(error, what))
    }

    /// The public key: every record is bound to it.
    pub fn public_key(&self) -> Vec<u8> {
        self.0.keypair().public().serialize().to_vec()
    }

    /// RegistrationResponse to RegistrationRequest.
    ///
    /// # Errors
    /// [`OpaqueError::Malformed`].
    pub fn answer_registration(&self, credential: &Credential, request: &[u8]) -> Result<Vec<u8>, OpaqueError> {
        let what = "the registration request";
        let request = RegistrationRequest::deserialize(exactly(request, REGISTRATION_REQUEST, what)?);
        let request = request.map_err(|error| broken(error, what))?;
        let answer = ServerRegistration::start(&self.0, request, credential.as_bytes());
        Ok(answer.map_err(|error| broken(error, what))?.message.serialize().to_vec())
    }

    /// KE2 to KE1, and what to keep until KE3. Without a `record` the answer has the same shape and takes the same work,
    /// and no KE3 fits it (RFC 9807 §6.3.2.2).
    ///
    /// # Errors
    /// [`OpaqueError::Malformed`], [`OpaqueError::Randomness`].
    pub fn answer_login(
        &self,
        credential: &Credential,
        record: Option<&Record>,
        origin: &str,
        ke1: &[u8],
        random: Random<'_>,
    ) -> Result<(StartedLogin, Vec<u8>), OpaqueError> {
        let what = "the first message of the log-in";
        let request = CredentialRequest::deserialize(exactly(ke1, KE1, what)?);
        let request = request.map_err(|error| broken(error, what))?;
        let context = context(origin);
        let parameters = ServerLoginParameters { context: Some(&context), identifiers: Identifiers::default() };
        let record = record.map(|record| record.0.clone());
        let mut draws = Draws::new(random);
        let answer = ServerLogin::start(&mut draws, &self.0, record, request, credential.as_bytes(), parameters);
        draws.finish()?;
        let answer = answer.map_err(|error| broken(error, what))?;
        Ok((StartedLogin(answer.state), answer.message.serialize().to_vec()))
    }
}

impl StartedLogin {
    /// Checks KE3: on success the other side has the password.
    ///
    /// # Errors
    /// [`OpaqueError::Refused`], [`OpaqueError::Malformed`].
    pub fn finish(self, origin: &str, ke3: &[u8]) -> Result<(), OpaqueError> {
        let what = "the last message of the log-in";
        let message = CredentialFinalization::deserialize(exactly(ke3, KE3, what)?);
        let message = message.map_err(|error| broken(error, what))?;
        let context = context(origin);
        let parameters = ServerLoginParameters { context: Some(&context), identifiers: Identifiers::default() };
        self.0.finish(message, parameters).map(|_| ()).map_err(|error| broken(error, what))
    }
}

impl Record {
    /// A RegistrationRecord, as a device uploads it and the service stores it.
    ///
    /// # Errors
    /// [`OpaqueError::Malformed`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, OpaqueError> {
        let what = "the password record";
        let upload = RegistrationUpload::deserialize(exactly(bytes, RECORD, what)?);
        upload.map(|upload| Self(ServerRegistration::finish(upload))).map_err(|error| broken(error, what))
    }

    /// Its one form.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.0.serialize().to_vec()
    }
}

hidden_debug!(Setup, Record, StartedLogin);
