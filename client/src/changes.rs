//! What is wanted of the own account, until the record has it.
//!
//! ```text
//! command ─► kept with its intent ─► (Confirm: digits compared) ─► entry KEPT ─► sent until answered
//!    done: the record shows it under a quorum          conflict: looked again, made anew while it is still wanted
//! ```

use chain::id::{AccountId, DeviceId, PublicKey};
use chain::sigchain::body::{Answer, Body, Confirmer, ResetChoice};
use chain::sigchain::device_set::DeviceSet;
use chain::sigchain::entry::Proposal;
use ed25519_dalek::SigningKey;
use protocol::api::EntryAccepted;
use protocol::bytes::Base64Url;
use protocol::confirm::Code;
use protocol::refusal::{CONFLICT, Problem};
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::failure::is_passing;
use crate::intent::Want;
use crate::joining::ENTRY_MISSING;
use crate::log_in::{MAX_CONFLICTS, entries_path};
use crate::own::Own;
use crate::requests::has_lapsed;
use crate::step::{Failure, IntentId};
use crate::turn::{Purpose, Turn, post_bytes};

/// What is to be done; by its subject.
const CHANGES: &str = "device.changes";

/// What a change is about. Of each there is at most one under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Subject {
    /// One device.
    Device(DeviceId),
    /// The recovery key.
    RecoveryKey,
    /// A reset that was announced.
    Reset,
    /// How long a reset has to wait.
    ResetChoice,
}

impl Subject {
    fn key(&self) -> &[u8] {
        match self {
            Self::Device(device) => &device.0,
            Self::RecoveryKey => b"recovery key",
            Self::Reset => b"reset",
            Self::ResetChoice => b"reset choice",
        }
    }

    fn of_key(key: &[u8]) -> Option<Self> {
        match <[u8; 16]>::try_from(key) {
            Ok(device) => Some(Self::Device(DeviceId(device))),
            Err(_) => [Self::RecoveryKey, Self::Reset, Self::ResetChoice].into_iter().find(|it| key == it.key()),
        }
    }
}

/// What is wanted.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Change {
    /// A waiting device is let in.
    Confirm { code: String, history: bool },
    /// It is not.
    Refuse,
    /// A confirmed device is taken out.
    Remove,
    /// This device lets itself in, with the recovery key.
    Recover,
    /// The account gets a recovery key, another one, or has none any more.
    SetRecoveryKey(Option<[u8; 32]>),
    /// An announced reset is stopped.
    Veto,
    /// A reset has to wait so long, seconds; never without.
    SetResetChoice(Option<u64>),
}

/// The choice that makes a reset wait so long.
fn choice_of(wait_s: Option<u64>) -> Option<ResetChoice> {
    let all = [ResetChoice::OneDay, ResetChoice::ThreeDays, ResetChoice::SevenDays, ResetChoice::Never];
    all.into_iter().find(|choice| choice.wait_s() == wait_s)
}

/// A change that is under way.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Changing {
    /// None for a refusal that follows from three wrong codes.
    intent: Option<IntentId>,
    change: Change,
    pub(crate) since_ms: u64,
    /// The newest entry of the account when the proposal was made.
    built_on: Option<[u8; 32]>,
    /// The proposal: the same bytes until there is an answer.
    proposal: Option<Base64Url>,
    /// Number of the block that the service named.
    accepted: Option<u64>,
    refused: Option<Failure>,
    conflicts: u8,
}

impl Changing {
    pub(crate) fn new(intent: Option<IntentId>, change: Change, since_ms: u64) -> Self {
        let (built_on, proposal, accepted, refused) = (None, None, None, None);
        Self { intent, change, since_ms, built_on, proposal, accepted, refused, conflicts: 0 }
    }
}

/// How the record has a device.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Standing {
    Waits,
    Confirmed(Option<Confirmer>),
    Gone,
}

fn standing(set: &DeviceSet, device: &DeviceId, time_s: u64) -> Standing {
    if let Some(confirmed) = set.confirmed().get(device) {
        return Standing::Confirmed(confirmed.by);
    }
    let waits = set.pending().get(device).is_some_and(|pending| !has_lapsed(pending, time_s));
    if waits { Standing::Waits } else { Standing::Gone }
}

/// Whether a change is there already, or cannot be any more; `None`: it is still to be made.
fn outcome(
    change: &Change,
    subject: &Subject,
    set: &DeviceSet,
    time_s: u64,
    own: &DeviceId,
) -> Option<Result<(), Failure>> {
    match (subject, change) {
        (Subject::Device(device), _) => outcome_for_device(change, standing(set, device, time_s), own),
        (Subject::RecoveryKey, Change::SetRecoveryKey(key)) => {
            (set.recovery_key().map(|key| *key.as_bytes()) == *key).then_some(Ok(()))
        }
        (Subject::ResetChoice, Change::SetResetChoice(wait_s)) => {
            (set.reset_choice().wait_s() == *wait_s).then_some(Ok(()))
        }
        (Subject::Reset, Change::Veto) => set.notice().is_none().then_some(Ok(())),
        (Subject::RecoveryKey | Subject::Reset | Subject::ResetChoice, _) => {
            Some(Err(Failure::refused("device.unknown", "this is no device")))
        }
    }
}

fn outcome_for_device(change: &Change, standing: Standing, own: &DeviceId) -> Option<Result<(), Failure>> {
    let answered = || Failure::refused("confirm.replayed", "the request was answered by another device");
    let gone = || Failure::refused("confirm.no_request", "no device with this id asks to join");
    match (change, standing) {
        (Change::Confirm { .. } | Change::Refuse | Change::Recover, Standing::Waits)
        | (Change::Remove, Standing::Confirmed(_))
        | (Change::SetRecoveryKey(_) | Change::Veto | Change::SetResetChoice(_), _) => None,
        (Change::Recover, Standing::Confirmed(_)) => Some(Ok(())),
        (Change::Confirm { .. }, Standing::Confirmed(Some(Confirmer::Device(by)))) if by == *own => Some(Ok(())),
        (Change::Confirm { .. } | Change::Refuse, Standing::Confirmed(_)) => Some(Err(answered())),
        (Change::Confirm { .. } | Change::Recover, Standing::Gone) => Some(Err(gone())),
        (Change::Refuse | Change::Remove, Standing::Gone) => Some(Ok(())),
        (Change::Remove, Standing::Waits) => {
            let message = "this device waits to be confirmed: refuse it instead";
            Some(Err(Failure::refused("device.not_in_set", message)))
        }
    }
}

impl Turn<'_> {
    /// Keeps what is wanted. The same again goes on with what is under way; something else takes its place until that
    /// has been sent. `false`: nothing is to be begun, and whoever asked was told.
    pub(crate) fn begin_change(&mut self, subject: Subject, change: Change) -> Result<bool, Error> {
        if let Some(under_way) = self.changing(&subject)? {
            let is_sent = under_way.proposal.is_some();
            let is_answer = matches!(subject, Subject::Device(_) | Subject::Reset);
            let is_same = std::mem::discriminant(&under_way.change) == std::mem::discriminant(&change);
            match under_way.intent {
                // the same answer to a device, or the very same of what has a value
                Some(intent) if is_sent && is_same && (is_answer || under_way.change == change) => {
                    self.continue_with(intent);
                    return Ok(false);
                }
                Some(intent) if !is_sent => {
                    let message = "something else was wanted instead";
                    self.intent_failed(intent, Failure::refused("confirm.replaced", message))?;
                }
                _ => {
                    let message = "another change of the same is on its way: try again when it is done";
                    self.refuse_command(&Want::ChangeAccount, Failure::refused("device.answering", message))?;
                    return Ok(false);
                }
            }
        }
        let intent = self.add_intent(&Want::ChangeAccount)?;
        self.keep_changing(&subject, &Changing::new(Some(intent), change, self.now_ms))?;
        Ok(true)
    }

    /// Goes on with everything that is wanted of the own account.
    pub(crate) fn go_on_with_changes(&mut self, own: &Own, set: &DeviceSet) -> Result<(), Error> {
        for key in self.store.keys(CHANGES)? {
            if let (Some(subject), Some(changing)) = (Subject::of_key(&key), self.store.get(CHANGES, &key)?) {
                self.go_on_changing(own, set, subject, changing)?;
            }
        }
        Ok(())
    }

    fn changing(&self, subject: &Subject) -> Result<Option<Changing>, Error> {
        self.store.get(CHANGES, subject.key())
    }

    fn keep_changing(&self, subject: &Subject, changing: &Changing) -> Result<(), Error> {
        self.store.put(CHANGES, subject.key(), changing)
    }

    fn go_on_changing(
        &mut self,
        own: &Own,
        set: &DeviceSet,
        subject: Subject,
        mut changing: Changing,
    ) -> Result<(), Error> {
        let account = set.account();
        if self.fresh(&account)?.is_none() {
            return Ok(());
        }
        let time_s = self.view()?.map_or(0, |view| view.header().time_s);
        if let Some(result) = outcome(&changing.change, &subject, set, time_s, &own.id()) {
            return self.changed(&subject, &changing, result);
        }
        if let Some(refused) = changing.refused.clone() {
            if refused.code != CONFLICT || changing.conflicts >= MAX_CONFLICTS {
                return self.changed(&subject, &changing, Err(refused));
            }
            if changing.built_on == Some(set.head().0) {
                // what was first is sealed, and no quorum has it yet
                return self.look_again(&account);
            }
            changing =
                Changing { refused: None, proposal: None, conflicts: changing.conflicts.saturating_add(1), ..changing };
        }
        if let Some(block) = changing.accepted {
            return self.wait_for_change(&subject, &changing, &account, block);
        }
        let Some(proposal) = changing.proposal.clone() else {
            return self.make_change(own, set, subject, changing);
        };
        self.ask(Purpose::Entry(subject), post_bytes(entries_path(), proposal.0));
        Ok(())
    }

    /// The service says that it is done; the record does not show it yet.
    fn wait_for_change(
        &mut self,
        subject: &Subject,
        changing: &Changing,
        account: &AccountId,
        block: u64,
    ) -> Result<(), Error> {
        if self.is_proven_with(account, block)? {
            let message = "the service says that it is done, and the public record does not have it";
            return self.changed(subject, changing, Err(Failure::lie(ENTRY_MISSING, message)));
        }
        self.look_again(account)
    }

    /// Signs the entry, and keeps it before it is sent.
    pub(crate) fn make_change(
        &mut self,
        own: &Own,
        set: &DeviceSet,
        subject: Subject,
        mut changing: Changing,
    ) -> Result<(), Error> {
        let Some((body, key)) = self.body_of(own, set, subject, &changing)? else { return Ok(()) };
        let Some(origin) = self.origin()? else { return Ok(()) };
        let statement = set.following(body, self.checkpoint());
        let proposal = Proposal::sign(statement, &origin, &key, None).encode();
        changing.built_on = Some(set.head().0);
        changing.proposal = Some(Base64Url(proposal.clone()));
        self.keep_changing(&subject, &changing)?;
        self.ask(Purpose::Entry(subject), post_bytes(entries_path(), proposal));
        Ok(())
    }

    /// What the entry says, and whose key signs it. `None`: not yet, or never, and then whoever asked was told.
    fn body_of(
        &mut self,
        own: &Own,
        set: &DeviceSet,
        subject: Subject,
        changing: &Changing,
    ) -> Result<Option<(Body, SigningKey)>, Error> {
        let (signer, key) = (own.id(), own.chain_key());
        let body = match (subject, &changing.change) {
            (Subject::Device(device), Change::Confirm { code, history }) => {
                let Some(typed) = Code::parse(code) else { return Err(Error::Damaged) };
                let Some(matched) = self.matched(own, set, device, changing, typed)? else { return Ok(None) };
                self.grant_history(&device, *history)?;
                self.name_new_device(&device)?;
                crate::confirm::confirmation(&matched, device, signer)
            }
            (Subject::Device(device), Change::Refuse) => {
                let Some(pending) = set.pending().get(&device) else { return Ok(None) };
                Body::DeviceRefused(Answer { added: pending.added, device, signer })
            }
            (Subject::Device(device), Change::Remove) => Body::DeviceRemoved { devices: vec![device], signer },
            (Subject::Device(device), Change::Recover) => {
                let Some(pending) = set.pending().get(&device) else { return Ok(None) };
                let added = pending.added;
                return match self.recovery_key_for(set) {
                    Ok(key) => {
                        let answer = Answer { added, device, signer: Confirmer::RecoveryKey };
                        Ok(Some((Body::DeviceConfirmed(answer), key)))
                    }
                    Err(failure) => self.changed(&subject, changing, Err(failure)).map(|()| None),
                };
            }
            (Subject::RecoveryKey, Change::SetRecoveryKey(key)) => {
                let key = key.map(|key| PublicKey::from_bytes(&key, "recovery key")).transpose();
                let key = key.map_err(|_| Error::Damaged)?;
                Body::RecoveryKeySet { key, signer }
            }
            (Subject::Reset, Change::Veto) => {
                let Some(notice) = set.notice() else { return Ok(None) };
                Body::ResetVetoed { notice: notice.hash, signer }
            }
            (Subject::ResetChoice, Change::SetResetChoice(wait_s)) => {
                let choice = choice_of(*wait_s).ok_or(Error::Damaged)?;
                Body::ResetChoiceSet { choice, signer }
            }
            (Subject::Device(_), Change::SetRecoveryKey(_) | Change::Veto | Change::SetResetChoice(_))
            | (Subject::RecoveryKey | Subject::Reset | Subject::ResetChoice, _) => return Err(Error::Damaged),
        };
        Ok(Some((body, key)))
    }

    /// It is over with a change.
    pub(crate) fn changed(
        &mut self,
        subject: &Subject,
        changing: &Changing,
        result: Result<(), Failure>,
    ) -> Result<(), Error> {
        self.store.remove(CHANGES, subject.key())?;
        let Some(intent) = changing.intent else { return Ok(()) };
        match result {
            Ok(()) => self.intent_done(intent),
            Err(failure) => self.intent_failed(intent, failure),
        }
    }

    /// The record has what was wanted of this, whatever it was.
    pub(crate) fn change_is_done(&mut self, subject: &Subject) -> Result<(), Error> {
        match self.changing(subject)? {
            Some(changing) => self.changed(subject, &changing, Ok(())),
            None => Ok(()),
        }
    }

    /// The service took an entry, it says; whether it is there, the record says.
    pub(crate) fn take_entry(&mut self, subject: &Subject, body: &[u8]) -> Result<(), Error> {
        if let Some((own, log_in)) = self.log_in_of(subject)? {
            return self.take_own_entry(own, log_in, body);
        }
        let Some(mut changing) = self.changing(subject)? else { return Ok(()) };
        match serde_json::from_slice::<EntryAccepted>(body) {
            Ok(accepted) => {
                changing.accepted = Some(accepted.block);
                self.begin_looking();
            }
            Err(_) => changing.refused = Some(Failure::malformed()),
        }
        self.keep_changing(subject, &changing)?;
        self.hint_own_account()
    }

    /// The service did not take an entry. An answer may have been lost before, so the record is looked at first.
    pub(crate) fn entry_refused(&mut self, subject: &Subject, problem: &Problem) -> Result<(), Error> {
        if let Some((own, log_in)) = self.log_in_of(subject)? {
            return self.refuse_own_entry(own, log_in, problem);
        }
        let Some(mut changing) = self.changing(subject)? else { return Ok(()) };
        if is_passing(problem) {
            self.pause();
            if let Some(intent) = changing.intent {
                self.hold(intent, Failure::of(problem));
            }
            return Ok(());
        }
        changing.refused = Some(Failure::of(problem));
        self.keep_changing(subject, &changing)?;
        self.hint_own_account()
    }
}
