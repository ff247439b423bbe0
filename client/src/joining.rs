//! What sign-up and log-in share: what is demanded of what was typed, the first look at the log, and the two ways in
//! which an attempt ends badly.
//!
//! Until a request that changes something was made, an attempt that fails leaves nothing behind. From then on its bytes
//! are kept and sent again until there is an answer; only [`Turn::start_over`] drops it. The password is in memory
//! only, so a restart before that request forgets the attempt.

use std::collections::BTreeMap;

use chain::block::MAX_POLICY;
use chain::handle::Handle;
use chain::id::AccountId;
use chain::log::policy::Policy;
use protocol::opaque::Stretching;
use protocol::opaque::client::{Login, Registration};
use protocol::refusal::Problem;

use crate::error::Error;
use crate::failure::is_passing;
use crate::intent::Want;
use crate::own::{Own, Phase};
use crate::pending::{EXPIRED, REFUSED};
use crate::reset::VETOED;
use crate::step::{Event, Failure, IntentId, Joining};
use crate::transfer::Forgotten;
use crate::turn::{Memory, Purpose, Turn};

/// How long between two looks for an entry that the service says it has, milliseconds.
const LOOK_MS: u64 = 1_000;
/// The same once some have found nothing: a quorum may be away for hours.
const LATER_LOOK_MS: u64 = 5_000;
/// How many looks at an account that must be there find nothing before that is a lie.
const MAX_LOOKS: u32 = 5;

/// An entry that the service says it has is not in the record, or not as it was signed (CNF-1).
pub(crate) const ENTRY_MISSING: &str = "chain.entry_missing";

/// What joining remembers between steps.
pub(crate) struct JoiningMemory {
    /// How the password is stretched.
    pub(crate) stretching: Stretching,
    /// Between the two messages of a registration.
    pub(crate) registration: Option<Registration>,
    /// Between the two messages of a log-in.
    pub(crate) login: Option<Login>,
    /// The account that a block was proven not to have, and the number of that block.
    pub(crate) absent: Option<(AccountId, u64)>,
    next_look_ms: u64,
    looks: u32,
    /// What a person was told last of an intent that waits.
    held: BTreeMap<IntentId, String>,
}

impl Default for JoiningMemory {
    fn default() -> Self {
        Self {
            stretching: Stretching::RECOMMENDED,
            registration: None,
            login: None,
            absent: None,
            next_look_ms: 0,
            looks: 0,
            held: BTreeMap::new(),
        }
    }
}

/// Fewest characters of a new password.
const MIN_PASSWORD: usize = 8;

/// What is demanded of a new password.
pub(crate) fn check_new_password(password: &str) -> Result<(), Failure> {
    if password.len() > protocol::opaque::MAX_PASSWORD {
        let error = protocol::opaque::OpaqueError::Password;
        return Err(Failure::misuse(error.code(), error.to_string()));
    }
    if password.chars().count() < MIN_PASSWORD {
        let message = format!("a password has at least {MIN_PASSWORD} characters");
        return Err(Failure::misuse("password.weak", message));
    }
    Ok(())
}

/// What was typed, checked.
pub(crate) struct Typed {
    /// The handle in the form of the record.
    pub(crate) handle: Handle,
}

impl Typed {
    /// What both ways in demand.
    pub(crate) fn check(joining: &Joining) -> Result<Self, Failure> {
        let name = joining.handle.split('@').next().unwrap_or_default();
        let handle = Handle::parse(name).map_err(|error| Failure::misuse(error.code(), error.to_string()))?;
        if let Some(policy) = &joining.policy {
            policy.parse::<Policy>().map_err(|error| Failure::misuse(error.code(), error.to_string()))?;
            if policy.len() > MAX_POLICY {
                return Err(Failure::misuse("policy.malformed", "the policy is too long"));
            }
        }
        let length = joining.password.0.len();
        if length == 0 || length > protocol::opaque::MAX_PASSWORD {
            let error = protocol::opaque::OpaqueError::Password;
            return Err(Failure::misuse(error.code(), error.to_string()));
        }
        Ok(Self { handle })
    }
}

impl Own {
    /// The intent of an attempt that is under way.
    fn attempt(&self) -> Option<IntentId> {
        match &self.phase {
            Phase::SigningUp(it) => Some(it.intent),
            Phase::LoggingIn(it) | Phase::Pending(it) => Some(it.intent),
            Phase::Resetting(_) | Phase::Confirmed | Phase::Ended(_) => None,
        }
    }

    /// True if the attempt has sent something that changes the record, or may have.
    fn is_kept(&self) -> bool {
        match &self.phase {
            Phase::SigningUp(it) => it.request.is_some(),
            Phase::LoggingIn(it) => it.entry.is_some(),
            Phase::Pending(_) | Phase::Resetting(_) | Phase::Confirmed | Phase::Ended(_) => true,
        }
    }

    /// True while the attempt cannot go on without the password.
    fn needs_password(&self) -> bool {
        match &self.phase {
            Phase::SigningUp(it) => it.request.is_none(),
            Phase::LoggingIn(it) => it.permit.is_none() || (it.fresh.is_some() && it.entry.is_none()),
            Phase::Pending(_) | Phase::Resetting(_) | Phase::Confirmed | Phase::Ended(_) => false,
        }
    }

    fn policy(&self) -> Option<&str> {
        match &self.phase {
            Phase::SigningUp(it) => it.policy.as_deref(),
            Phase::LoggingIn(it) => it.policy.as_deref(),
            Phase::Pending(_) | Phase::Resetting(_) | Phase::Confirmed | Phase::Ended(_) => None,
        }
    }
}

impl Turn<'_> {
    /// The answer to a command that cannot be carried out as things are.
    pub(crate) fn refuse_command(&mut self, want: &Want, failure: Failure) -> Result<(), Error> {
        let intent = self.add_intent(want)?;
        self.intent_failed(intent, failure)
    }

    /// Makes room for an attempt, or says why there is none. `Ok(None)`: there is room now.
    pub(crate) fn make_room(&mut self) -> Result<Option<Failure>, Error> {
        self.forget_interrupted()?;
        let Some(own) = self.own()? else { return Ok(None) };
        match &own.phase {
            Phase::Ended(code) if [REFUSED, EXPIRED, VETOED].contains(&code.as_str()) => {
                // it never read anything: nothing is lost
                self.forget_everything()?;
                Ok(None)
            }
            Phase::Ended(_) => Ok(Some(Failure::misuse(
                "account.ended",
                "this device was removed from its account: start over, which forgets its messages, and log in again",
            ))),
            Phase::Confirmed => Ok(Some(Failure::misuse("account.exists", "this device already has an account"))),
            Phase::SigningUp(_) | Phase::LoggingIn(_) | Phase::Pending(_) | Phase::Resetting(_) => {
                Ok(Some(Failure::misuse("account.joining", "another attempt is under way: start over to drop it")))
            }
        }
    }

    /// Drops whatever has not ended well, and everything kept of it.
    pub(crate) fn start_over(&mut self) -> Result<(), Error> {
        let Some(own) = self.own()? else { return Ok(()) };
        if own.is_confirmed() {
            let failure = Failure::misuse("account.exists", "this device has an account");
            return self.refuse_command(&Want::Join, failure);
        }
        if let Some(intent) = own.attempt() {
            self.intent_failed(intent, Failure::refused("join.dropped", "the attempt was dropped"))?;
        }
        self.forget_everything()
    }

    /// Goes on with an attempt.
    pub(crate) fn go_on_joining(&mut self) -> Result<(), Error> {
        self.forget_interrupted()?;
        let Some(own) = self.own()? else { return Ok(()) };
        match own.phase.clone() {
            Phase::SigningUp(sign_up) => self.go_on_signing_up(own, *sign_up),
            Phase::LoggingIn(log_in) => self.go_on_logging_in(own, *log_in),
            Phase::Resetting(resetting) => self.go_on_resetting(own, *resetting),
            Phase::Pending(_) | Phase::Confirmed | Phase::Ended(_) => Ok(()),
        }
    }

    /// A restart lost the password of an attempt that had not changed anything yet.
    fn forget_interrupted(&mut self) -> Result<(), Error> {
        match self.own()? {
            Some(own) if own.needs_password() && self.memory.password.is_none() => {
                let message = "the program ended before the attempt could go on: try again";
                self.attempt_failed(Failure {
                    blame: crate::step::Blame::Unreachable,
                    ..Failure::refused("join.interrupted", message)
                })
            }
            _ => Ok(()),
        }
    }

    /// Takes in the first look at the log.
    pub(crate) fn take_first_look(&mut self, body: &[u8]) -> Result<(), Error> {
        let Some(own) = self.own()? else { return Ok(()) };
        // checked when it was typed
        let policy = own.policy().and_then(|policy| policy.parse().ok());
        match self.take_genesis(body, policy)? {
            Ok(()) => Ok(()),
            Err(failure) => self.attempt_failed(failure),
        }
    }

    /// The attempt has failed, and nothing of it stays.
    pub(crate) fn attempt_failed(&mut self, failure: Failure) -> Result<(), Error> {
        if let Some(intent) = self.own()?.and_then(|own| own.attempt()) {
            self.intent_failed(intent, failure)?;
        }
        self.forget_everything()
    }

    /// Forgets this device and what it has seen, as if nothing had been.
    fn forget_everything(&mut self) -> Result<(), Error> {
        self.store.clear_all()?;
        self.out.forgotten.push(Forgotten::Everything);
        self.own_read.forget();
        let Memory { joining, reachability, .. } = &mut *self.memory;
        let (stretching, reachability) = (joining.stretching, *reachability);
        self.memory.forget();
        self.memory.joining.stretching = stretching;
        self.memory.reachability = reachability;
        Ok(())
    }

    /// The attempt goes on by itself; a person is told why it has not ended, once for each reason.
    pub(crate) fn hold(&mut self, intent: IntentId, failure: Failure) {
        if self.memory.joining.held.get(&intent) != Some(&failure.code) {
            self.memory.joining.held.insert(intent, failure.code.clone());
            self.event(Event::Held { intent, failure });
        }
    }

    /// A person asks for what is under way already.
    pub(crate) fn continue_with(&mut self, intent: IntentId) {
        self.memory.joining.held.remove(&intent);
        self.out.intent = Some(intent);
    }

    /// Nobody answered a request of an attempt.
    pub(crate) fn joining_unreachable(&mut self, purpose: &Purpose) -> Result<(), Error> {
        let Some(own) = self.own()?.filter(|own| !own.is_listed()) else { return Ok(()) };
        let Some(intent) = own.attempt().filter(|_| purpose.is_joining()) else { return Ok(()) };
        if own.is_kept() {
            self.hold(intent, Failure::unreachable());
            return Ok(());
        }
        self.attempt_failed(Failure::unreachable())
    }

    /// The service refused a request of an attempt.
    pub(crate) fn joining_refused(&mut self, purpose: &Purpose, problem: &Problem) -> Result<(), Error> {
        let Some(own) = self.own()?.filter(|own| !own.is_listed()) else { return Ok(()) };
        let Some(intent) = own.attempt() else { return Ok(()) };
        let changes_nothing = !matches!(purpose, Purpose::Signup | Purpose::Entry(_));
        if own.is_kept() && (is_passing(problem) || changes_nothing) {
            self.pause();
            self.hold(intent, Failure::of(problem));
            return Ok(());
        }
        self.attempt_failed(Failure::of(problem))
    }

    /// Something that may not be in the record yet came: it is looked for from now on.
    pub(crate) fn begin_looking(&mut self) {
        let it = &mut self.memory.joining;
        (it.looks, it.next_look_ms) = (0, 0);
    }

    /// Looks at an account once more, at first every second.
    pub(crate) fn look_again(&mut self, account: &AccountId) -> Result<(), Error> {
        let it = &mut self.memory.joining;
        let pause_ms = if it.looks < MAX_LOOKS { LOOK_MS } else { LATER_LOOK_MS };
        if it.next_look_ms <= self.now_ms || it.next_look_ms > self.now_ms.saturating_add(pause_ms) {
            it.looks = it.looks.saturating_add(1);
            it.next_look_ms = self.now_ms.saturating_add(pause_ms);
            self.refresh(account)?;
        }
        let next = self.memory.joining.next_look_ms;
        self.wake(next);
        Ok(())
    }

    /// CNF-1: whether what an account is known to be, or that there is none, was proven under this block or a later one, so that an
    /// entry of the block that it does not show is missing. The view may be newer: somebody else was looked at since.
    pub(crate) fn is_proven_with(&mut self, account: &AccountId, block: u64) -> Result<bool, Error> {
        let is_absent = self.memory.joining.absent.is_some_and(|(absent, at)| absent == *account && at >= block);
        Ok(self.known(account)?.map_or(is_absent, |known| known.account.block() >= block))
    }

    /// True if an account that must be there was looked for often enough.
    pub(crate) fn has_looked_enough(&self) -> bool {
        self.memory.joining.looks > MAX_LOOKS
    }

    /// The trouble with the record, as a failure.
    pub(crate) fn trouble_failure(&self) -> Result<Option<Failure>, Error> {
        let message = "what the service shows of the public record cannot be verified";
        Ok(self.trouble()?.map(|trouble| Failure::lie(trouble.code, message)))
    }
}
