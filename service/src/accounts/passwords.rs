//! Sign-up and log-in with a password (OPAQUE, RFC 9807), and what a log-in is good for.
//!
//! A record is on disk before the entry that opens its account is sealed, so that no account ever loses its password;
//! it goes again if the entry is refused. Log-ins do the same work and give the same answers for names that nobody
//! holds, accounts without a password and wrong passwords.

use std::net::IpAddr;
use std::sync::{Arc, PoisonError};

use axum::http::HeaderMap;
use chain::handle::{Handle, HandleState};
use chain::id::{AccountId, DeviceId};
use chain::sigchain::body::Body;
use chain::sigchain::entry::Proposal;
use protocol::api::accounts::{
    LOGIN_S, LoggedIn, LoginChallenge, LoginFinish, LoginStart, OpaqueAnswer, PERMIT_S, PasswordKept, PasswordSet,
    PasswordStart, RESET_PERMIT_AGAIN_S, Signup, SignupStart,
};
use protocol::bytes::Base64Url;
use protocol::opaque::server::{Record, StartedLogin};
use protocol::opaque::{Credential, OpaqueError, RECORD};

use crate::accounts::secret::{Secret, fill};
use crate::entries::{Accepted, Admission, Reply};
use crate::error::Stopped;
use crate::http::refusal::Refusal;
use crate::shared::Shared;

/// A log-in between start and finish.
#[derive(Debug)]
pub(crate) struct OpenLogin {
    started: StartedLogin,
    /// Nobody's, and then no last message fits; with the record that the log-in is for.
    account: Option<(AccountId, Vec<u8>)>,
}

impl From<OpaqueError> for Refusal {
    fn from(error: OpaqueError) -> Self {
        match error {
            OpaqueError::Refused => Self::Login,
            OpaqueError::Malformed { what } => Self::Malformed { what },
            OpaqueError::Password | OpaqueError::Stretching => Self::Malformed { what: "the password" },
            OpaqueError::Randomness => Self::Broken(Stopped::Fault { what: "the system's randomness" }),
        }
    }
}

/// Randomness in the shape that OPAQUE takes.
fn random(bytes: &mut [u8]) -> bool {
    getrandom::fill(bytes).is_ok()
}

/// Where a sign-up stands after its checks.
#[derive(Debug)]
pub(crate) enum SignupState {
    /// The same was sealed before.
    Sealed(Accepted),
    /// Password stored, entry queued.
    Queued(Reply, Opening),
}

/// An account whose password is stored and whose first entry waits to be sealed. Until this goes, no other sign-up
/// touches the account's record.
pub(crate) struct Opening {
    shared: Arc<Shared>,
    account: AccountId,
}

impl std::fmt::Debug for Opening {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Opening(..)")
    }
}

impl Drop for Opening {
    fn drop(&mut self) {
        let opening = &self.shared.accounts.opening;
        opening.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.account);
    }
}

impl Opening {
    fn begin(shared: &Arc<Shared>, account: AccountId) -> Result<Self, Refusal> {
        let mut opening = shared.accounts.opening.lock().unwrap_or_else(PoisonError::into_inner);
        if opening.insert(account) { Ok(Self { shared: Arc::clone(shared), account }) } else { Err(Refusal::Busy) }
    }

    /// Forgets the password of an account that was not opened. Blocks.
    pub(crate) fn abandon(self) -> Result<(), Refusal> {
        let shared = &self.shared;
        let is_open = shared.readers.with(|store| store.account(&self.account))?.is_some();
        if !is_open {
            shared.accounts.database.remove_password(&self.account)?;
        }
        Ok(())
    }
}

impl Shared {
    /// RegistrationResponse for an account to be. An account that is there gets none: everybody could ask for it, and
    /// would try passwords without the limits of a log-in.
    pub(crate) fn start_signup(&self, question: &SignupStart, address: IpAddr) -> Result<OpaqueAnswer, Refusal> {
        self.check_disk()?;
        let now_s = self.now_s();
        self.rates().check_new_account(&self.limits, address, now_s)?;
        if self.readers.with(|store| store.account(&question.account))?.is_some() {
            return Err(Refusal::Conflict);
        }
        let credential = Credential::of(&question.account);
        let message = self.accounts.setup.answer_registration(&credential, &question.message.0)?;
        Ok(OpaqueAnswer { message: Base64Url(message) })
    }

    /// Stores the password and queues the entry that opens the account.
    ///
    /// A record is replaced as long as its account is not open: nobody but the account's maker has an entry that opens
    /// it and is not sealed yet. Of an open account it stays what it is; the same request again has the same record.
    pub(crate) fn sign_up(self: &Arc<Self>, question: &Signup, address: IpAddr) -> Result<SignupState, Refusal> {
        let record = Record::from_bytes(&question.record.0)?.to_bytes();
        let proposal = Proposal::decode(&question.proposal.0)?;
        let account = proposal.statement.position.account;
        if !matches!(proposal.statement.body, Body::AccountCreated { .. }) {
            return Err(Refusal::Malformed { what: "the opening of the account" });
        }
        let opening = Opening::begin(self, account)?;
        match self.admit(proposal, None, address)? {
            Admission::Sealed(accepted) => {
                let stored = self.accounts.database.password(&Credential::of(&account))?;
                if stored == Some(record) { Ok(SignupState::Sealed(accepted)) } else { Err(Refusal::Conflict) }
            }
            Admission::New(admitted) => {
                self.accounts.database.put_password(&account, &record)?;
                match self.queue(admitted) {
                    Ok(reply) => Ok(SignupState::Queued(reply, opening)),
                    Err(refusal) => {
                        opening.abandon()?;
                        Err(refusal)
                    }
                }
            }
        }
    }

    /// RegistrationResponse for another password, asked for by a confirmed device of the account.
    pub(crate) fn start_password(
        &self,
        headers: &HeaderMap,
        question: &PasswordStart,
    ) -> Result<OpaqueAnswer, Refusal> {
        let caller = self.caller(headers)?;
        caller.require_confirmed()?;
        self.check_disk()?;
        self.rates().password_for(&self.limits, &caller.account, self.now_s())?;
        let credential = Credential::of(&caller.account);
        let message = self.accounts.setup.answer_registration(&credential, &question.message.0)?;
        Ok(OpaqueAnswer { message: Base64Url(message) })
    }

    /// Gives an account another password; devices stay what they are.
    pub(crate) fn set_password(&self, headers: &HeaderMap, question: &PasswordSet) -> Result<PasswordKept, Refusal> {
        let caller = self.caller(headers)?;
        caller.require_confirmed()?;
        self.check_disk()?;
        let record = Record::from_bytes(&question.record.0)?.to_bytes();
        self.accounts.database.replace_password(&caller.account, &record)?;
        Ok(PasswordKept {})
    }

    /// KE2. The same work whoever it is for (attack 31).
    pub(crate) fn start_login(&self, question: &LoginStart, address: IpAddr) -> Result<LoginChallenge, Refusal> {
        let now_s = self.now_s();
        self.rates().login_from(&self.limits, address, now_s)?;
        let handle = Handle::parse(&question.handle)?;
        let (_, label) = self.keys.vrf.prove(&handle)?;
        self.rates().login_for(&self.limits, &label, now_s)?;
        let head = self.readers.with(|store| store.handle(&label))?;
        let account = head.filter(|head| head.state == HandleState::Bound).map(|head| head.account);
        let credential = account.as_ref().map_or_else(|| Credential::of_nobody(&label), Credential::of);
        let stored = self.accounts.database.password(&credential)?;
        let account = account.zip(stored.clone());
        // an absent record is read as well
        let record = Record::from_bytes(&stored.unwrap_or_else(|| self.accounts.decoy()))?;
        let (started, message) = self.accounts.setup.answer_login(
            &credential,
            account.is_some().then_some(&record),
            &self.origin,
            &question.message.0,
            &mut random,
        )?;
        let mut login = [0; 16];
        fill(&mut login)?;
        let open = OpenLogin { started, account };
        let mut logins = self.accounts.logins.lock().unwrap_or_else(PoisonError::into_inner);
        logins.put(login, open, now_s, now_s.saturating_add(LOGIN_S));
        Ok(LoginChallenge { login: Base64Url(login.to_vec()), message: Base64Url(message) })
    }

    /// A permit, if the last message fits.
    pub(crate) fn finish_login(&self, question: &LoginFinish) -> Result<LoggedIn, Refusal> {
        let now_s = self.now_s();
        let malformed = Refusal::Malformed { what: "the log-in's name" };
        let login: [u8; 16] = question.login.0.as_slice().try_into().map_err(|_| malformed)?;
        let mut logins = self.accounts.logins.lock().unwrap_or_else(PoisonError::into_inner);
        let open = logins.take(&login, now_s);
        drop(logins);
        let OpenLogin { started, account } = open.ok_or(Refusal::Login)?;
        started.finish(&self.origin, &question.message.0)?;
        let (account, record) = account.ok_or(Refusal::Login)?;
        let permit = Secret::new()?;
        let ends_s = now_s.saturating_add(PERMIT_S);
        // the password may be another one since the log-in began
        if !self.accounts.database.put_permit(&permit, (&account, &record), now_s, ends_s)? {
            return Err(Refusal::Login);
        }
        Ok(LoggedIn { account, permit: permit.to_base64url() })
    }

    /// A new device of an account with a password needs a permit, as does whoever wants to reset it. For a reset, and for
    /// nothing else, the operator's is as good (PMT-2): it is looked at here, and given back to be spent.
    pub(crate) fn check_permit<'p>(
        &self,
        proposal: &Proposal,
        permit: Option<&'p Secret>,
        now_s: u64,
    ) -> Result<Option<Unspent<'p>>, Refusal> {
        let (Body::DeviceAdded { device, .. } | Body::ResetRequested { device, .. }) = &proposal.statement.body else {
            return Ok(None);
        };
        let (account, device) = (proposal.statement.position.account, device.id());
        let database = &self.accounts.database;
        if database.password(&Credential::of(&account))?.is_none() {
            return Ok(None);
        }
        let permit = permit.ok_or(Refusal::NoPermit)?;
        if database.spend_permit(permit, &account, &device, now_s)? {
            return Ok(None);
        }
        let is_reset = matches!(proposal.statement.body, Body::ResetRequested { .. });
        if is_reset && database.has_reset_permit(permit, &account, &device, now_s)? {
            return Ok(Some(Unspent { permit, account, device }));
        }
        Err(Refusal::NoPermit)
    }

    /// PMT-3: spends it. Nobody can get another one by himself, so that is the last check that a proposal passes.
    pub(crate) fn spend(&self, unspent: &Unspent<'_>, now_s: u64) -> Result<(), Refusal> {
        let Unspent { permit, account, device } = unspent;
        let until_s = now_s.saturating_add(RESET_PERMIT_AGAIN_S);
        let spent = self.accounts.database.spend_reset_permit(permit, (account, device), now_s, until_s)?;
        if spent { Ok(()) } else { Err(Refusal::NoPermit) }
    }
}

/// An operator's permit that is good, and not spent yet.
#[derive(Debug)]
pub(crate) struct Unspent<'p> {
    permit: &'p Secret,
    account: AccountId,
    device: DeviceId,
}

impl crate::accounts::Accounts {
    /// A record that is nobody's and can be read.
    fn decoy(&self) -> Vec<u8> {
        let mut record = self.setup.public_key();
        record.resize(RECORD, 0);
        record
    }
}
