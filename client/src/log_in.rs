//! Another device of an account: from the password to a waiting device in the record.
//!
//! ```text
//! first look → log-in (two messages) → handle's holder, proven → own account → entry KEPT → sent until answered
//!   → own account again: is the entry there ours? (CNF-1) → pending
//! ```

use chain::handle::Handle;
use chain::id::{AccountId, DeviceId, Digest};
use chain::sigchain::body::Body;
use chain::sigchain::device_set::{AccountState, DeviceSet};
use chain::sigchain::entry::Proposal;
use chain::sigchain::rules::CODE_COMMITMENTS;
use protocol::api::accounts::{
    LOGIN_FINISH, LOGIN_START, LoggedIn, LoginChallenge, LoginFinish, LoginStart, PERMIT_INVALID,
};
use protocol::api::{ENTRIES, EntryAccepted};
use protocol::bytes::Base64Url;
use protocol::confirm::commitment;
use protocol::opaque::OpaqueError;
use protocol::opaque::client::start_login;
use protocol::refusal::{CONFLICT, Problem};
use protocol::reset_permit::ResetPermit;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::changes::Subject;
use crate::error::Error;
use crate::failure::is_passing;
use crate::intent::Want;
use crate::joining::{ENTRY_MISSING, Typed};
use crate::own::{Own, Phase, fill, random};
use crate::pending::Answered;
use crate::reset::Fresh;
use crate::step::{Event, Failure, IntentId, Joining};
use crate::turn::{Purpose, Turn, post, post_bytes};

/// How often an entry is made anew because somebody else was first.
pub(crate) const MAX_CONFLICTS: u8 = 10;

/// Where entries go that are to be answered under a quorum.
pub(crate) fn entries_path() -> String {
    format!("{ENTRIES}?wait=quorum")
}

/// How far a log-in has come, and what a waiting device knows.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct LogIn {
    pub(crate) intent: IntentId,
    /// The witness policy to pin; without one, that of block 0.
    pub(crate) policy: Option<String>,
    /// Whose password it was, as the service said; believed only as the holder of the handle.
    pub(crate) account: Option<[u8; 32]>,
    pub(crate) permit: Option<String>,
    /// True if the permit is the operator's, and the password a new one (PMT-4).
    #[serde(default)]
    by_operator: bool,
    /// Behind the commitments of the entry (CNF-1).
    pub(crate) nonces: Zeroizing<[[u8; 32]; CODE_COMMITMENTS]>,
    /// The newest entry of the account when the proposal was made.
    built_on: Option<[u8; 32]>,
    /// The proposal: the same bytes until there is an answer.
    pub(crate) entry: Option<Base64Url>,
    /// Number of the block that the service named.
    accepted: Option<u64>,
    /// Why the service did not take the entry.
    refused: Option<Failure>,
    conflicts: u8,
    /// The offer that was answered, for each try (CNF-3).
    pub(crate) answered: [Option<Answered>; CODE_COMMITMENTS],
    /// The try whose digits are shown.
    pub(crate) shown: Option<u8>,
    /// What is to take the place of the account, if this is to reset it.
    pub(crate) fresh: Option<Fresh>,
}

impl LogIn {
    fn new(
        intent: IntentId,
        policy: Option<String>,
        fresh: Option<Fresh>,
        permit: Option<&ResetPermit>,
    ) -> Result<Self, Error> {
        Ok(Self {
            intent,
            policy,
            account: None,
            permit: permit.and_then(|permit| bearer(&permit.bearer_text())),
            by_operator: permit.is_some(),
            nonces: Zeroizing::new([random()?, random()?, random()?]),
            built_on: None,
            entry: None,
            accepted: None,
            refused: None,
            conflicts: 0,
            answered: [None, None, None],
            shown: None,
            fresh,
        })
    }

    fn commitments(&self) -> [Digest; CODE_COMMITMENTS] {
        self.nonces.each_ref().map(commitment)
    }
}

/// As the header wants it, which is as in JSON.
fn bearer(permit: &Base64Url) -> Option<String> {
    let value = serde_json::to_value(permit).ok()?;
    value.as_str().map(str::to_owned)
}

/// What the record says of an entry that was sent.
enum Listed {
    /// Exactly what was signed.
    Ours,
    /// This device, with other commitments than its own: somebody could choose the digits.
    Altered,
    /// Not there.
    Missing,
}

/// CNF-1: whether the entry in the record is ours. A device's id is the hash of its keys, so these are right if it is.
fn listed(set: &DeviceSet, id: &DeviceId, commitments: &[Digest; CODE_COMMITMENTS]) -> Listed {
    match set.pending().get(id) {
        Some(pending) if pending.commitments == *commitments => Listed::Ours,
        Some(_) => Listed::Altered,
        None if set.confirmed().contains_key(id) => Listed::Ours,
        None => Listed::Missing,
    }
}

impl Turn<'_> {
    /// A person wants this to be another device of an account.
    pub(crate) fn log_in(&mut self, joining: Joining) -> Result<(), Error> {
        self.begin_log_in(joining, None, None)
    }

    /// Begins to log in; with a fresh identity, to reset the account, for which the operator may have given a permit.
    pub(crate) fn begin_log_in(
        &mut self,
        joining: Joining,
        fresh: Option<Fresh>,
        permit: Option<&ResetPermit>,
    ) -> Result<(), Error> {
        let typed = match Typed::check(&joining) {
            Ok(typed) => typed,
            Err(failure) => return self.refuse_command(&Want::Join, failure),
        };
        let handle = typed.handle.as_str().to_owned();
        let same = self.same_log_in(&joining.service, &handle)?;
        if let Some((own, log_in)) = same.filter(|(_, log_in)| log_in.fresh.is_some() == fresh.is_some()) {
            self.continue_with(log_in.intent);
            if own.is_listed() {
                self.tell_pending(&own, &log_in);
            }
            return Ok(());
        }
        if let Some(failure) = self.make_room()? {
            return self.refuse_command(&Want::Join, failure);
        }
        let intent = self.add_intent(&Want::Join)?;
        let phase = Phase::LoggingIn(Box::new(LogIn::new(intent, joining.policy.clone(), fresh, permit)?));
        self.keep_own(&Own::new(handle, &joining, phase)?)?;
        self.memory.password = Some(joining.password.0);
        Ok(())
    }

    /// A log-in under this handle that has got so far that it goes on.
    fn same_log_in(&self, service: &str, handle: &str) -> Result<Option<(Own, LogIn)>, Error> {
        let Some(own) = self.own()?.filter(|own| own.handle == handle && own.service == service) else {
            return Ok(None);
        };
        Ok(match own.phase.clone() {
            Phase::LoggingIn(log_in) if log_in.entry.is_some() => Some((own, *log_in)),
            Phase::Pending(log_in) => Some((own, *log_in)),
            _ => None,
        })
    }

    pub(crate) fn logging_in(&self) -> Result<Option<(Own, LogIn)>, Error> {
        let own = self.own()?;
        Ok(own.and_then(|own| match own.phase.clone() {
            Phase::LoggingIn(log_in) => Some((own, *log_in)),
            _ => None,
        }))
    }

    pub(crate) fn keep_log_in(&self, mut own: Own, log_in: LogIn) -> Result<(), Error> {
        own.phase = Phase::LoggingIn(Box::new(log_in));
        self.keep_own(&own)
    }

    pub(crate) fn go_on_logging_in(&mut self, own: Own, mut log_in: LogIn) -> Result<(), Error> {
        if let Some(trouble) = self.trouble_failure()? {
            if log_in.entry.is_none() {
                return self.attempt_failed(trouble);
            }
            self.hold(log_in.intent, trouble);
            let account = log_in.account.map(AccountId);
            return account.map_or(Ok(()), |account| self.refresh(&account));
        }
        if self.view()?.is_none() {
            return Ok(());
        }
        if log_in.account.is_none() && !log_in.by_operator {
            return self.start_login(&own);
        }
        let handle = Handle::parse(&own.handle).map_err(|_| Error::Damaged)?;
        let Some(holder) = self.holder(&handle)? else { return Ok(()) };
        if log_in.by_operator && log_in.entry.is_none() {
            // PMT-4: the permit does not say whose it is, the record does
            log_in.account = holder.account;
        }
        let Some(account) = log_in.account.map(AccountId) else {
            let message = format!("nobody here is called {handle}");
            return self.attempt_failed(Failure::refused("handle.unknown", message));
        };
        if holder.account != Some(account.0) && log_in.entry.is_none() {
            let message = "the service logged in another account than the one that has the handle";
            return self.attempt_failed(Failure::lie("chain.handle_mismatch", message));
        }
        let Some(known) = self.fresh_or_paced(&account)? else { return Ok(()) };
        let (set, is_open) = (known.set().clone(), *known.set().state() == AccountState::Open);
        if log_in.entry.is_some() {
            return self.go_on_with_own_entry(own, log_in, &set);
        }
        if !is_open {
            return self.attempt_failed(Failure::refused("account.gone", "this account has ended"));
        }
        self.make_own_entry(own, log_in, &set)
    }

    /// The account as fresh as it has to be; an account that the record turns out not to have is not asked for forever.
    fn fresh_or_paced(&mut self, account: &AccountId) -> Result<Option<&crate::record::Known>, Error> {
        if self.known(account)?.is_some() {
            return self.fresh(account);
        }
        self.look_again(account)?;
        if self.has_looked_enough() {
            let message = "the handle leads to an account that the public record does not have";
            self.attempt_failed(Failure::lie(ENTRY_MISSING, message))?;
        }
        Ok(None)
    }

    fn start_login(&mut self, own: &Own) -> Result<(), Error> {
        let under_way = [Purpose::LoginStart, Purpose::LoginFinish];
        if under_way.iter().any(|purpose| self.memory.in_flight.contains_key(purpose)) {
            return Ok(());
        }
        let Some(password) = self.memory.password.clone() else { return Ok(()) };
        let (login, message) = start_login(password.as_bytes(), &mut fill).map_err(|_| Error::Randomness)?;
        self.memory.joining.login = Some(login);
        let start = LoginStart { handle: own.handle.clone(), message: Base64Url(message) };
        self.ask(Purpose::LoginStart, post(LOGIN_START, &start)?);
        Ok(())
    }

    /// Answers the service's message; a wrong password shows here.
    pub(crate) fn take_login_start(&mut self, body: &[u8]) -> Result<(), Error> {
        let (Some(login), Some(password)) = (self.memory.joining.login.take(), self.memory.password.clone()) else {
            return Ok(());
        };
        let Some(origin) = self.origin()? else { return Ok(()) };
        let Ok(LoginChallenge { login: name, message }) = serde_json::from_slice(body) else {
            return self.attempt_failed(Failure::malformed());
        };
        let stretching = self.memory.joining.stretching;
        match login.finish(password.as_bytes(), &message.0, &origin, stretching, &mut fill) {
            Ok(message) => {
                let finish = LoginFinish { login: name, message: Base64Url(message) };
                self.ask(Purpose::LoginFinish, post(LOGIN_FINISH, &finish)?);
                Ok(())
            }
            Err(error @ OpaqueError::Refused) => {
                self.attempt_failed(Failure::refused(error.code(), "handle or password is wrong"))
            }
            Err(error) => self.attempt_failed(Failure::lie(error.code(), error.to_string())),
        }
    }

    /// Keeps whose password it was, and the permit.
    pub(crate) fn take_login_finish(&mut self, body: &[u8]) -> Result<(), Error> {
        let Some((own, mut log_in)) = self.logging_in()? else { return Ok(()) };
        let Ok(LoggedIn { account, permit }) = serde_json::from_slice(body) else {
            return self.attempt_failed(Failure::malformed());
        };
        log_in.account = Some(account.0);
        log_in.permit = bearer(&permit);
        self.keep_log_in(own, log_in)
    }

    /// Signs the entry that lists this device, or that announces the reset, and keeps it before it is sent.
    fn make_own_entry(&mut self, own: Own, mut log_in: LogIn, set: &DeviceSet) -> Result<(), Error> {
        let Some(origin) = self.origin()? else { return Ok(()) };
        let body = match &log_in.fresh {
            None => Body::DeviceAdded { device: own.keys(), commitments: log_in.commitments() },
            Some(_) => match self.announcement(&own, &mut log_in, set)? {
                Some(body) => body,
                None => return self.keep_log_in(own, log_in),
            },
        };
        let statement = set.following(body, self.checkpoint());
        let proposal = Proposal::sign(statement, &origin, &own.chain_key(), Some(&own.mls_key()));
        log_in.built_on = Some(set.head().0);
        log_in.entry = Some(Base64Url(proposal.encode()));
        self.ask_for_own_entry(&own, &log_in);
        self.keep_log_in(own, log_in)
    }

    fn ask_for_own_entry(&mut self, own: &Own, log_in: &LogIn) {
        if let Some(entry) = log_in.entry.clone() {
            let call = post_bytes(entries_path(), entry.0);
            let call = crate::step::Call { bearer: log_in.permit.clone(), ..call };
            self.ask(Purpose::Entry(Subject::Device(own.id())), call);
        }
    }

    /// Sends the entry until the record has it, and looks whether it is ours (CNF-1).
    fn go_on_with_own_entry(&mut self, own: Own, log_in: LogIn, set: &DeviceSet) -> Result<(), Error> {
        let found = match &log_in.fresh {
            None => listed(set, &own.id(), &log_in.commitments()),
            Some(fresh) if fresh.is_announced(&own, set) => Listed::Ours,
            Some(_) => Listed::Missing,
        };
        match found {
            Listed::Ours if log_in.fresh.is_some() => return self.become_resetting(own, log_in, set),
            Listed::Ours => return self.become_pending(own, log_in, set.account()),
            Listed::Altered => {
                let message = "the service put another entry for this device into the record than it signed";
                return self.attempt_failed(Failure::lie("chain.entry_altered", message));
            }
            Listed::Missing => {}
        }
        if let Some(refused) = log_in.refused.clone() {
            return self.own_entry_refused(own, log_in, refused, set);
        }
        let Some(block) = log_in.accepted else {
            self.ask_for_own_entry(&own, &log_in);
            return Ok(());
        };
        let account = set.account();
        if self.is_proven_with(&account, block)? {
            let message = "the service says that this device is listed, and the public record does not have it";
            return self.attempt_failed(Failure::lie(ENTRY_MISSING, message));
        }
        self.look_again(&account)
    }

    fn own_entry_refused(
        &mut self,
        own: Own,
        mut log_in: LogIn,
        refused: Failure,
        set: &DeviceSet,
    ) -> Result<(), Error> {
        if refused.code == CONFLICT && log_in.built_on == Some(set.head().0) {
            // what was first is sealed, and no quorum has it yet
            return self.look_again(&set.account());
        }
        log_in.conflicts = log_in.conflicts.saturating_add(1);
        let again = log_in.conflicts <= MAX_CONFLICTS;
        if again && refused.code == CONFLICT {
            log_in.entry = None;
        } else if log_in.by_operator && refused.code == PERMIT_INVALID {
            let message = "the service does not take this permit: it was made for another account, it was used before, or its \
                           time is over; ask the operator for another";
            return self.attempt_failed(Failure::refused("permit.refused", message));
        } else if again && refused.code == PERMIT_INVALID && self.memory.password.is_some() {
            (log_in.entry, log_in.account, log_in.permit) = (None, None, None);
        } else {
            return self.attempt_failed(refused);
        }
        log_in.refused = None;
        if log_in.account.is_some() {
            return self.make_own_entry(own, log_in, set);
        }
        self.start_login(&own)?;
        self.keep_log_in(own, log_in)
    }

    /// The service took the own entry, it says.
    pub(crate) fn take_own_entry(&mut self, own: Own, mut log_in: LogIn, body: &[u8]) -> Result<(), Error> {
        let Ok(EntryAccepted { block, .. }) = serde_json::from_slice(body) else {
            return self.attempt_failed(Failure::malformed());
        };
        log_in.accepted = Some(block);
        self.begin_looking();
        let account = log_in.account.map(AccountId);
        self.keep_log_in(own, log_in)?;
        account.map_or(Ok(()), |account| self.hint(&account))
    }

    /// The service did not take it. An answer may have been lost before, so the record is looked at first.
    pub(crate) fn refuse_own_entry(&mut self, own: Own, mut log_in: LogIn, problem: &Problem) -> Result<(), Error> {
        if is_passing(problem) {
            self.pause();
            self.hold(log_in.intent, Failure::of(problem));
            return Ok(());
        }
        log_in.refused = Some(Failure::of(problem));
        let account = log_in.account.map(AccountId);
        self.keep_log_in(own, log_in)?;
        account.map_or(Ok(()), |account| self.hint(&account))
    }

    fn become_pending(&mut self, mut own: Own, log_in: LogIn, account: AccountId) -> Result<(), Error> {
        own.account = Some(account.0);
        self.memory.password = None;
        self.tell_pending(&own, &log_in);
        own.phase = Phase::Pending(Box::new(log_in));
        self.keep_own(&own)
    }

    /// What the waiting screen shows.
    fn tell_pending(&mut self, own: &Own, log_in: &LogIn) {
        self.event(Event::Pending { device: own.id() });
        self.tell_code(log_in);
    }

    /// The log-in that an answer to an entry of this device is for.
    pub(crate) fn log_in_of(&self, subject: &Subject) -> Result<Option<(Own, LogIn)>, Error> {
        Ok(self.logging_in()?.filter(|(own, _)| Subject::Device(own.id()) == *subject))
    }
}
