//! Another password for the account, from any of its confirmed devices. Devices stay signed in; only what a log-in needs is
//! another one from then on.
//!
//! Two messages (OPAQUE, RFC 9807 §5), and the second is kept before it is sent. The password is in memory only.

use protocol::api::accounts::{OpaqueAnswer, PASSWORD, PASSWORD_START, PasswordKept, PasswordSet, PasswordStart};
use protocol::bytes::Base64Url;
use protocol::opaque::client::start_registration;
use protocol::refusal::Problem;
use protocol::settings::SettingKey;
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::failure::is_passing;
use crate::intent::Want;
use crate::joining::check_new_password;
use crate::own::fill;
use crate::step::{Blame, Failure, IntentId, Secret};
use crate::turn::{Purpose, Turn, post, post_bytes};

const SPACE: &str = "password";

/// Another password on its way.
#[derive(Clone, Serialize, Deserialize)]
struct Changing {
    /// None for the password of an account that was reset.
    intent: Option<IntentId>,
    /// Body of the last request: the same bytes until there is an answer.
    request: Option<Base64Url>,
}

impl Turn<'_> {
    /// A person wants another password.
    pub(crate) fn set_password(&mut self, password: Secret) -> Result<(), Error> {
        if self.account_to_change()?.is_none() {
            return self.refuse_unconfirmed();
        }
        if let Err(failure) = check_new_password(&password.0) {
            return self.refuse_command(&Want::ChangeAccount, failure);
        }
        if let Some(before) = self.changing_password()? {
            let message = "another password was chosen after this one";
            self.password_changed(before.intent, Err(Failure::refused("password.replaced", message)))?;
        }
        let intent = self.add_intent(&Want::ChangeAccount)?;
        self.memory.password = Some(password.0);
        self.memory.joining.registration = None;
        self.store.put(SPACE, b"changing", &Changing { intent: Some(intent), request: None })
    }

    fn changing_password(&self) -> Result<Option<Changing>, Error> {
        self.store.get(SPACE, b"changing")
    }

    /// Goes on with another password.
    pub(crate) fn go_on_with_password(&mut self) -> Result<(), Error> {
        let Some(changing) = self.changing_password()? else { return Ok(()) };
        if let Some(request) = changing.request {
            return self.ask_as_device(Purpose::Password, post_bytes(PASSWORD, request.0));
        }
        let Some(password) = self.memory.password.clone() else {
            let message = "the program ended before the password was changed: the old one still holds, try again";
            let failure = Failure { blame: Blame::Unreachable, ..Failure::refused("password.interrupted", message) };
            return self.password_changed(changing.intent, Err(failure));
        };
        let is_asked = self.memory.in_flight.contains_key(&Purpose::PasswordStart);
        if is_asked || self.is_too_early(&Purpose::PasswordStart) || self.bearer()?.is_none() {
            return Ok(());
        }
        let (registration, message) =
            start_registration(password.as_bytes(), &mut fill).map_err(|_| Error::Randomness)?;
        self.memory.joining.registration = Some(registration);
        let start = PasswordStart { message: Base64Url(message) };
        let call = post(PASSWORD_START, &start)?;
        self.ask_as_device(Purpose::PasswordStart, call)
    }

    /// Ends the registration, and keeps what is to be sent.
    pub(crate) fn take_password_start(&mut self, body: &[u8]) -> Result<(), Error> {
        let (Some(changing), Some(registration), Some(password)) =
            (self.changing_password()?, self.memory.joining.registration.take(), self.memory.password.clone())
        else {
            return Ok(());
        };
        let Ok(OpaqueAnswer { message }) = serde_json::from_slice(body) else {
            return self.password_changed(changing.intent, Err(Failure::malformed()));
        };
        let stretching = self.memory.joining.stretching;
        let record = match registration.finish(password.as_bytes(), &message.0, stretching, &mut fill) {
            Ok(record) => record,
            Err(error) => {
                let failure = Failure::lie(error.code(), error.to_string());
                return self.password_changed(changing.intent, Err(failure));
            }
        };
        self.memory.password = None;
        self.keep_record(changing.intent, Base64Url(record))
    }

    /// The service has the new password; the other devices are told.
    pub(crate) fn take_password(&mut self, body: &[u8]) -> Result<(), Error> {
        let Some(changing) = self.changing_password()? else { return Ok(()) };
        if serde_json::from_slice::<PasswordKept>(body).is_err() {
            self.pause();
            return Ok(());
        }
        self.set(&SettingKey::Password, &self.now_ms.to_be_bytes())?;
        self.password_changed(changing.intent, Ok(()))
    }

    /// The service did not take it.
    pub(crate) fn password_refused(&mut self, problem: &Problem) -> Result<(), Error> {
        let Some(changing) = self.changing_password()? else { return Ok(()) };
        if is_passing(problem) {
            self.pause();
            if let Some(intent) = changing.intent {
                self.hold(intent, Failure::of(problem));
            }
            return Ok(());
        }
        self.password_changed(changing.intent, Err(Failure::of(problem)))
    }

    /// A fresh identity has the password that was typed when it was announced.
    pub(crate) fn keep_password(&mut self, record: Base64Url) -> Result<(), Error> {
        self.keep_record(None, record)
    }

    fn keep_record(&mut self, intent: Option<IntentId>, record: Base64Url) -> Result<(), Error> {
        let request = serde_json::to_vec(&PasswordSet { record });
        let request = Some(Base64Url(request.map_err(|_| Error::Fault("a body that is no JSON"))?));
        self.store.put(SPACE, b"changing", &Changing { intent, request })
    }

    fn password_changed(&mut self, intent: Option<IntentId>, result: Result<(), Failure>) -> Result<(), Error> {
        self.memory.password = None;
        self.store.remove(SPACE, b"changing")?;
        let Some(intent) = intent else { return Ok(()) };
        match result {
            Ok(()) => self.intent_done(intent),
            Err(failure) => self.intent_failed(intent, failure),
        }
    }
}
