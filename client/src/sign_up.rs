//! A new account, and this as its first device.
//!
//! ```text
//! first look → handle free? → registration (two messages) → request KEPT → sent until answered → own account, proven
//! ```

use chain::handle::Handle;
use chain::id::{AccountId, HandleLabel};
use chain::sigchain::body::{Body, ResetChoice};
use chain::sigchain::entry::{Proposal, Statement, account_id};
use protocol::api::EntryAccepted;
use protocol::api::accounts::{OpaqueAnswer, SIGNUP, SIGNUP_START, Signup, SignupStart};
use protocol::bytes::Base64Url;
use protocol::opaque::client::start_registration;
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::intent::Want;
use crate::joining::{ENTRY_MISSING, Typed, check_new_password};
use crate::own::{Own, Phase, fill, random};
use crate::step::{Event, Failure, IntentId, Joining};
use crate::turn::{Purpose, Turn, post, post_bytes};

/// How long a quorum may take before a person is told what it waits for, milliseconds.
const QUORUM_MS: u64 = 30_000;

/// How far a sign-up has come.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct SignUp {
    pub(crate) intent: IntentId,
    /// The witness policy to pin; without one, that of block 0.
    pub(crate) policy: Option<String>,
    salt: [u8; 32],
    label: Option<[u8; 32]>,
    /// Body of `POST /v1/signup`: the same bytes until there is an answer.
    pub(crate) request: Option<Base64Url>,
    /// Number of the block that the service named, and when it did.
    accepted: Option<(u64, u64)>,
}

impl SignUp {
    /// The first entry says this; the account's id follows from it.
    fn body(&self, own: &Own) -> Option<Body> {
        Some(Body::AccountCreated {
            salt: self.salt,
            device: own.keys(),
            reset_choice: ResetChoice::ThreeDays,
            handle: Some(HandleLabel(self.label?)),
            predecessor: None,
        })
    }
}

impl Turn<'_> {
    /// A person wants an account.
    pub(crate) fn sign_up(&mut self, joining: Joining) -> Result<(), Error> {
        let typed = match Typed::check(&joining) {
            Ok(typed) => typed,
            Err(failure) => return self.refuse_command(&Want::Join, failure),
        };
        if let Err(failure) = check_new_password(&joining.password.0) {
            return self.refuse_command(&Want::Join, failure);
        }
        let handle = typed.handle.as_str().to_owned();
        if let Some(intent) = self.same_sign_up(&joining.service, &handle)? {
            self.continue_with(intent);
            return Ok(());
        }
        if let Some(failure) = self.make_room()? {
            return self.refuse_command(&Want::Join, failure);
        }
        let intent = self.add_intent(&Want::Join)?;
        let (policy, salt) = (joining.policy.clone(), random()?);
        let sign_up = SignUp { intent, policy, salt, label: None, request: None, accepted: None };
        let phase = Phase::SigningUp(Box::new(sign_up));
        self.keep_own(&Own::new(handle, &joining, phase)?)?;
        self.memory.password = Some(joining.password.0);
        Ok(())
    }

    /// The intent of a sign-up of this handle that has got so far that it goes on.
    fn same_sign_up(&self, service: &str, handle: &str) -> Result<Option<IntentId>, Error> {
        let Some(own) = self.own()? else { return Ok(None) };
        match &own.phase {
            Phase::SigningUp(it) if it.request.is_some() && own.handle == handle && own.service == service => {
                Ok(Some(it.intent))
            }
            _ => Ok(None),
        }
    }

    fn keep_sign_up(&self, mut own: Own, sign_up: SignUp) -> Result<(), Error> {
        own.phase = Phase::SigningUp(Box::new(sign_up));
        self.keep_own(&own)
    }

    pub(crate) fn go_on_signing_up(&mut self, own: Own, mut sign_up: SignUp) -> Result<(), Error> {
        let trouble = self.trouble_failure()?;
        if let Some(request) = sign_up.request.clone() {
            if let Some(trouble) = trouble {
                self.hold(sign_up.intent, trouble);
            }
            if let Some((block, at_ms)) = sign_up.accepted {
                return self.look_for_new_account(own, &sign_up, block, at_ms);
            }
            self.ask(Purpose::Signup, post_bytes(SIGNUP, request.0));
            return Ok(());
        }
        if let Some(trouble) = trouble {
            return self.attempt_failed(trouble);
        }
        if self.memory.in_flight.contains_key(&Purpose::SignupStart) || self.view()?.is_none() {
            return Ok(());
        }
        // the service's word on who may have the name is not worth a registration
        let handle = Handle::parse(&own.handle).map_err(|_| Error::Damaged)?;
        let Some(holder) = self.holder(&handle)? else { return Ok(()) };
        if holder.account.is_some() {
            return self.attempt_failed(Failure::refused("handle.taken", "somebody else has this handle"));
        }
        sign_up.label = Some(holder.label);
        let body = sign_up.body(&own).ok_or(Error::Fault("a sign-up without a label"))?;
        self.keep_sign_up(own, sign_up)?;
        self.start_registration(account_id(&body))
    }

    pub(crate) fn start_registration(&mut self, account: AccountId) -> Result<(), Error> {
        let Some(password) = self.memory.password.clone() else { return Ok(()) };
        let (registration, message) =
            start_registration(password.as_bytes(), &mut fill).map_err(|_| Error::Randomness)?;
        self.memory.joining.registration = Some(registration);
        let start = SignupStart { account, message: Base64Url(message) };
        self.ask(Purpose::SignupStart, post(SIGNUP_START, &start)?);
        Ok(())
    }

    /// Ends the registration, and keeps the request that opens the account before it is sent.
    pub(crate) fn take_signup_start(&mut self, body: &[u8]) -> Result<(), Error> {
        if self.logging_in()?.is_some() {
            return self.take_fresh_registration(body);
        }
        let Some((own, mut sign_up)) = self.signing_up()? else { return Ok(()) };
        let (Some(registration), Some(password)) =
            (self.memory.joining.registration.take(), self.memory.password.clone())
        else {
            return Ok(());
        };
        let Ok(OpaqueAnswer { message }) = serde_json::from_slice(body) else {
            return self.attempt_failed(Failure::malformed());
        };
        let stretching = self.memory.joining.stretching;
        let record = match registration.finish(password.as_bytes(), &message.0, stretching, &mut fill) {
            Ok(record) => record,
            Err(error) => return self.attempt_failed(Failure::lie(error.code(), error.to_string())),
        };
        let opening = sign_up.body(&own).ok_or(Error::Fault("a sign-up without a label"))?;
        let statement = Statement::opening(1, self.checkpoint(), opening);
        let Some(origin) = self.origin()? else { return Ok(()) };
        let proposal = Proposal::sign(statement, &origin, &own.chain_key(), Some(&own.mls_key())).encode();
        let request = Signup { record: Base64Url(record), proposal: Base64Url(proposal) };
        let request = serde_json::to_vec(&request).map_err(|_| Error::Fault("a body that is no JSON"))?;
        sign_up.request = Some(Base64Url(request));
        self.memory.password = None;
        self.keep_sign_up(own, sign_up)
    }

    /// The service says that the account is open; whether it is, the record says.
    pub(crate) fn take_signup(&mut self, body: &[u8]) -> Result<(), Error> {
        let Some((own, mut sign_up)) = self.signing_up()? else { return Ok(()) };
        let Ok(EntryAccepted { block, .. }) = serde_json::from_slice(body) else {
            self.pause();
            self.hold(sign_up.intent, Failure::malformed());
            return Ok(());
        };
        sign_up.accepted = Some((block, self.now_ms));
        self.begin_looking();
        self.keep_sign_up(own, sign_up)
    }

    fn signing_up(&self) -> Result<Option<(Own, SignUp)>, Error> {
        let own = self.own()?;
        Ok(own.and_then(|own| match own.phase.clone() {
            Phase::SigningUp(sign_up) => Some((own, *sign_up)),
            _ => None,
        }))
    }

    /// Looks for the own account until the record has it.
    fn look_for_new_account(&mut self, own: Own, sign_up: &SignUp, block: u64, at_ms: u64) -> Result<(), Error> {
        let body = sign_up.body(&own).ok_or(Error::Fault("a sign-up without a label"))?;
        let account = account_id(&body);
        let (id, keys) = (own.id(), own.keys());
        let known = self.known(&account)?;
        let opened = known.and_then(|known| Some((known.entries.first()?.block, known.entries.len())));
        let confirmed = self.known(&account)?.and_then(|known| known.set().confirmed().get(&id));
        if let Some((block, entries)) = opened
            && confirmed.is_some_and(|device| device.keys == keys)
            && self.trouble()?.is_none()
        {
            return self.signed_up(own, sign_up.intent, account, block, entries);
        }
        if opened.is_none() && self.is_proven_with(&account, block)? {
            let message = "the service says that the account is open, and the public record does not have it";
            self.hold(sign_up.intent, Failure::lie(ENTRY_MISSING, message));
        } else if self.now_ms.saturating_sub(at_ms) > QUORUM_MS {
            let message = "the account is open, and waits for enough witnesses";
            self.hold(sign_up.intent, Failure::waiting("witness.quorum", message));
        }
        self.look_again(&account)
    }

    fn signed_up(
        &mut self,
        mut own: Own,
        intent: IntentId,
        account: AccountId,
        block: u64,
        entries: usize,
    ) -> Result<(), Error> {
        own.account = Some(account.0);
        own.phase = Phase::Confirmed;
        self.keep_own(&own)?;
        self.begin_watching(entries)?;
        let (handle, device) = (own.handle.clone(), own.id());
        self.event(Event::SignedUp { account, handle, device, block });
        self.intent_done(intent)
    }

    /// The log's origin, once it was looked at.
    pub(crate) fn origin(&mut self) -> Result<Option<String>, Error> {
        Ok(self.view()?.map(|view| view.parameters().origin.clone()))
    }
}
