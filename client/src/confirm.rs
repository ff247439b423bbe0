//! What a confirmed device does for its account: it watches the record of it, and answers or removes devices.
//!
//! ```text
//! command ─► kept with its intent ─► (Confirm: digits compared) ─► entry KEPT ─► sent until answered
//!    done: the record shows it under a quorum          conflict: looked again, made anew while it is still wanted
//! ```

use chain::id::{AccountId, DeviceId};
use chain::sigchain::body::{Answer, Body, Confirmer};
use chain::sigchain::device_set::{AccountState, DeviceSet};
use chain::sigchain::entry::Proposal;
use chain::sigchain::rules::CODE_COMMITMENTS;
use chain::view::{REFRESH_AFTER_S, View};
use protocol::api::EntryAccepted;
use protocol::bytes::Base64Url;
use protocol::confirm::{Code, CodeMatched};
use protocol::refusal::{CONFLICT, Problem};
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::failure::is_passing;
use crate::intent::Want;
use crate::joining::ENTRY_MISSING;
use crate::log_in::{MAX_CONFLICTS, entries_path};
use crate::own::{Own, Phase};
use crate::pending::REMOVED;
use crate::requests::{ANSWER_MS, Typed, device_of, has_lapsed};
use crate::step::{Event, Failure, IntentId};
use crate::turn::{Purpose, Turn, post_bytes};

/// What is to be done with a device; by its id.
const CHANGES: &str = "device.changes";
/// Whether a device that this one confirmed gets the old messages; by its id.
pub(crate) const HISTORY_GRANTED: &str = "history granted";
/// The spaces that go when this device ends, besides those of its groups.
const SECRET_SPACES: [&str; 6] = [CHANGES, "requests", "token", "offers", "relay.outbox", HISTORY_GRANTED];
/// The spaces of its groups.
const GROUP_SPACES: [&str; 4] = ["mls", "mls.entering", "mls.key_packages", "mls.used"];

/// What is wanted of a device.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
enum Change {
    Confirm { code: String, history: bool },
    Refuse,
    Remove,
}

/// A change of the device set that is under way.
#[derive(Clone, Serialize, Deserialize)]
struct Changing {
    /// None for a refusal that follows from three wrong codes.
    intent: Option<IntentId>,
    change: Change,
    since_ms: u64,
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
    fn new(intent: Option<IntentId>, change: Change, since_ms: u64) -> Self {
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
fn outcome(change: &Change, standing: Standing, own: &DeviceId) -> Option<Result<(), Failure>> {
    let answered = || Failure::refused("confirm.replayed", "the request was answered by another device");
    let gone = || Failure::refused("confirm.no_request", "no device with this id asks to join");
    match (change, standing) {
        (Change::Confirm { .. } | Change::Refuse, Standing::Waits) | (Change::Remove, Standing::Confirmed(_)) => None,
        (Change::Confirm { .. }, Standing::Confirmed(Some(Confirmer::Device(by)))) if by == *own => Some(Ok(())),
        (Change::Confirm { .. } | Change::Refuse, Standing::Confirmed(_)) => Some(Err(answered())),
        (Change::Confirm { .. }, Standing::Gone) => Some(Err(gone())),
        (Change::Refuse | Change::Remove, Standing::Gone) => Some(Ok(())),
        (Change::Remove, Standing::Waits) => {
            let message = "this device waits to be confirmed: refuse it instead";
            Some(Err(Failure::refused("device.not_in_set", message)))
        }
    }
}

impl Turn<'_> {
    /// Watches the own account and goes on with what is wanted of its devices.
    pub(crate) fn go_on_with_own_account(&mut self) -> Result<(), Error> {
        let Some(own) = self.own()? else { return Ok(()) };
        let Some(account) = own.account() else { return Ok(()) };
        match &own.phase {
            Phase::Pending(_) => return self.go_on_pending(),
            Phase::Confirmed => {}
            Phase::SigningUp(_) | Phase::LoggingIn(_) | Phase::Ended(_) => return Ok(()),
        }
        self.fresh(&account)?;
        self.look_every(&account, REFRESH_AFTER_S.saturating_mul(1_000))?;
        if self.trouble()?.is_some() {
            return Ok(());
        }
        let time_s = self.view()?.map_or(0, |view| view.header().time_s);
        let Some(known) = self.known(&account)?.cloned() else { return Ok(()) };
        self.watch_entries(&known)?;
        let set = known.set();
        if !set.confirmed().contains_key(&own.id()) {
            return self.removed(own, set);
        }
        self.watch_requests(&own, set, time_s)?;
        for key in self.store.keys(CHANGES)? {
            if let (Some(device), Some(changing)) = (device_of(&key), self.store.get(CHANGES, &key)?) {
                self.go_on_changing(&own, set, device, changing)?;
            }
        }
        self.send_relays()
    }

    /// The record says that this device no longer counts.
    fn removed(&mut self, own: Own, set: &DeviceSet) -> Result<(), Error> {
        let code = if *set.state() == AccountState::Open { REMOVED } else { "account.gone" };
        for key in self.store.keys(CHANGES)? {
            let changing: Option<Changing> = self.store.get(CHANGES, &key)?;
            if let Some(intent) = changing.and_then(|it| it.intent) {
                // its own removal is what was wanted
                let wanted = device_of(&key) == Some(own.id());
                let message = "this device was removed from its account";
                if wanted {
                    self.intent_done(intent)?
                } else {
                    self.intent_failed(intent, Failure::refused(code, message))?
                }
            }
        }
        self.event(Event::Removed);
        self.end(own, code)
    }

    /// This device ends: its secrets are erased. What it has read stays.
    pub(crate) fn end(&mut self, mut own: Own, code: &str) -> Result<(), Error> {
        own.end(code);
        self.keep_own(&own)?;
        for space in SECRET_SPACES.iter().chain(&GROUP_SPACES) {
            self.store.clear(space)?;
        }
        Ok(())
    }

    /// The account and its newest state, for a device that may change it.
    fn account_to_change(&mut self) -> Result<Option<(Own, DeviceSet)>, Error> {
        let Some(own) = self.own()?.filter(Own::is_confirmed) else { return Ok(None) };
        let Some(account) = own.account() else { return Ok(None) };
        let set = self.known(&account)?.map(|known| known.set().clone());
        Ok(set.map(|set| (own, set)))
    }

    /// A person looks at a request.
    pub(crate) fn open_request(&mut self, device: &DeviceId) -> Result<(), Error> {
        if self.trouble()?.is_some() {
            return Ok(());
        }
        match self.account_to_change()? {
            Some((own, set)) => self.make_code_shown(&own, &set, device),
            None => Ok(()),
        }
    }

    /// A person typed digits.
    pub(crate) fn confirm(&mut self, device: &DeviceId, code: &str, history: bool) -> Result<(), Error> {
        if Code::parse(code).is_none() {
            let failure = if code.contains("trefoil:") || code.contains("://") || code.contains('#') {
                Failure::misuse("link.wrong_kind", "this is a contact link: a device is confirmed by its six digits")
            } else {
                Failure::misuse("confirm.code_malformed", "a code is six digits")
            };
            return self.refuse_command(&Want::AnswerDevice, failure);
        }
        self.change(device, Change::Confirm { code: code.to_owned(), history })
    }

    /// "This is not me."
    pub(crate) fn refuse(&mut self, device: &DeviceId) -> Result<(), Error> {
        self.change(device, Change::Refuse)
    }

    /// Takes a device out for good.
    pub(crate) fn remove_device(&mut self, device: &DeviceId) -> Result<(), Error> {
        let last = |set: &DeviceSet| {
            set.confirmed().len() == 1 && set.confirmed().contains_key(device) && set.recovery_key().is_none()
        };
        if self.account_to_change()?.is_some_and(|(_, set)| last(&set)) {
            let message = "the last device cannot be removed without a recovery key";
            return self.refuse_command(&Want::AnswerDevice, Failure::refused("device.last", message));
        }
        self.change(device, Change::Remove)
    }

    fn change(&mut self, device: &DeviceId, change: Change) -> Result<(), Error> {
        let Some((own, set)) = self.account_to_change()? else {
            let message = "this device is not a confirmed one of an account";
            return self.refuse_command(&Want::AnswerDevice, Failure::refused("device.unconfirmed", message));
        };
        if let Some(under_way) = self.store.get::<Changing>(CHANGES, &device.0)? {
            let is_sent = under_way.proposal.is_some();
            match under_way.intent {
                Some(intent)
                    if is_sent && std::mem::discriminant(&under_way.change) == std::mem::discriminant(&change) =>
                {
                    self.continue_with(intent);
                    return Ok(());
                }
                Some(intent) if !is_sent => {
                    self.intent_failed(
                        intent,
                        Failure::refused("confirm.replaced", "something else was wanted instead"),
                    )?;
                }
                _ => {
                    let message = "another answer to this device is on its way";
                    return self.refuse_command(&Want::AnswerDevice, Failure::refused("device.answering", message));
                }
            }
        }
        let intent = self.add_intent(&Want::AnswerDevice)?;
        if !set.pending().contains_key(device) && !set.confirmed().contains_key(device) {
            // it may have come since the last look
            self.hint(&set.account())?;
        }
        if matches!(change, Change::Confirm { .. }) {
            let shown = self.asked(device)?.is_some_and(|asked| asked.is_answered(self.now_ms));
            if !shown {
                self.make_code_shown(&own, &set, device)?;
            }
        }
        self.keep_changing(device, &Changing::new(Some(intent), change, self.now_ms))
    }

    fn keep_changing(&self, device: &DeviceId, changing: &Changing) -> Result<(), Error> {
        self.store.put(CHANGES, &device.0, changing)
    }

    fn go_on_changing(
        &mut self,
        own: &Own,
        set: &DeviceSet,
        device: DeviceId,
        mut changing: Changing,
    ) -> Result<(), Error> {
        let account = set.account();
        if self.fresh(&account)?.is_none() {
            return Ok(());
        }
        let time_s = self.view()?.map_or(0, |view| view.header().time_s);
        match outcome(&changing.change, standing(set, &device, time_s), &own.id()) {
            Some(Ok(())) => return self.changed(&device, &changing, Ok(())),
            Some(Err(failure)) => return self.changed(&device, &changing, Err(failure)),
            None => {}
        }
        if let Some(refused) = changing.refused.clone() {
            if refused.code != CONFLICT || changing.conflicts >= MAX_CONFLICTS {
                return self.changed(&device, &changing, Err(refused));
            }
            if changing.built_on == Some(set.head().0) {
                // what was first is sealed, and no quorum has it yet
                return self.look_again(&account).map(|_| ());
            }
            changing =
                Changing { refused: None, proposal: None, conflicts: changing.conflicts.saturating_add(1), ..changing };
        }
        if let Some(block) = changing.accepted {
            return self.wait_for_change(&device, &changing, &account, block);
        }
        let Some(proposal) = changing.proposal.clone() else {
            return self.make_change(own, set, device, changing);
        };
        self.ask(Purpose::Entry(device), post_bytes(entries_path(), proposal.0));
        Ok(())
    }

    /// The service says that it is done; the record does not show it yet.
    fn wait_for_change(
        &mut self,
        device: &DeviceId,
        changing: &Changing,
        account: &AccountId,
        block: u64,
    ) -> Result<(), Error> {
        if self.view()?.map_or(0, View::size) > block {
            let message = "the service says that it is done, and the public record does not have it";
            return self.changed(device, changing, Err(Failure::lie(ENTRY_MISSING, message)));
        }
        self.look_again(account).map(|_| ())
    }

    /// Signs the entry, and keeps it before it is sent.
    fn make_change(
        &mut self,
        own: &Own,
        set: &DeviceSet,
        device: DeviceId,
        mut changing: Changing,
    ) -> Result<(), Error> {
        let signer = own.id();
        let body = match &changing.change {
            Change::Confirm { code, history } => {
                let history = *history;
                let Some(typed) = Code::parse(code) else { return Err(Error::Damaged) };
                let Some(matched) = self.matched(own, set, device, &changing, typed)? else { return Ok(()) };
                self.store.put(HISTORY_GRANTED, &device.0, &history)?;
                confirmation(&matched, device, signer)
            }
            Change::Refuse => {
                let Some(pending) = set.pending().get(&device) else { return Ok(()) };
                Body::DeviceRefused(Answer { added: pending.added, device, signer })
            }
            Change::Remove => Body::DeviceRemoved { devices: vec![device], signer },
        };
        let Some(origin) = self.origin()? else { return Ok(()) };
        let statement = set.following(body, self.checkpoint());
        let proposal = Proposal::sign(statement, &origin, &own.chain_key(), None).encode();
        changing.built_on = Some(set.head().0);
        changing.proposal = Some(Base64Url(proposal.clone()));
        self.keep_changing(&device, &changing)?;
        self.ask(Purpose::Entry(device), post_bytes(entries_path(), proposal));
        Ok(())
    }

    /// Compares the digits (CNF-5). `None`: they do not match, or cannot be compared yet.
    fn matched(
        &mut self,
        own: &Own,
        set: &DeviceSet,
        device: DeviceId,
        changing: &Changing,
        typed: Code,
    ) -> Result<Option<CodeMatched>, Error> {
        match self.compare_code(own, set, &device, typed)? {
            Typed::Matched(matched) => return Ok(Some(matched)),
            Typed::NotRevealed => {
                let until_ms = changing.since_ms.saturating_add(ANSWER_MS);
                if self.now_ms < until_ms {
                    self.wake(until_ms);
                    return Ok(None);
                }
                let message = "the new device has not answered; is Trefoil open on it?";
                self.changed(&device, changing, Err(Failure::refused("confirm.no_answer", message)))?;
            }
            Typed::TooLate => {
                let message = "that code is older than 10 minutes; look at the new device again";
                self.changed(&device, changing, Err(Failure::refused("confirm.code_expired", message)))?;
                self.offer_next(own, set, &device)?;
            }
            Typed::Wrong => self.wrong_code(own, set, device, changing)?,
        }
        Ok(None)
    }

    /// CNF-5: after three wrong codes the request is void.
    fn wrong_code(&mut self, own: &Own, set: &DeviceSet, device: DeviceId, changing: &Changing) -> Result<(), Error> {
        let wrong = self.asked(&device)?.map_or(0, |asked| usize::from(asked.wrong));
        let left = CODE_COMMITMENTS.saturating_sub(wrong);
        let message = match left {
            0 => "that code does not match either: the request is refused".to_owned(),
            1 => "that code does not match; look at the new device again (1 try left)".to_owned(),
            left => format!("that code does not match; look at the new device again ({left} tries left)"),
        };
        self.changed(&device, changing, Err(Failure::refused("confirm.code_mismatch", message)))?;
        if left > 0 {
            return self.offer_next(own, set, &device);
        }
        let refusal = Changing::new(None, Change::Refuse, self.now_ms);
        self.make_change(own, set, device, refusal)
    }

    /// It is over with a change.
    fn changed(&mut self, device: &DeviceId, changing: &Changing, result: Result<(), Failure>) -> Result<(), Error> {
        self.store.remove(CHANGES, &device.0)?;
        let Some(intent) = changing.intent else { return Ok(()) };
        match result {
            Ok(()) => self.intent_done(intent),
            Err(failure) => self.intent_failed(intent, failure),
        }
    }

    /// The service took an entry, it says; whether it is there, the record says.
    pub(crate) fn take_entry(&mut self, device: &DeviceId, body: &[u8]) -> Result<(), Error> {
        if let Some((own, log_in)) = self.log_in_of(device)? {
            return self.take_own_entry(own, log_in, body);
        }
        let Some(mut changing) = self.store.get::<Changing>(CHANGES, &device.0)? else { return Ok(()) };
        match serde_json::from_slice::<EntryAccepted>(body) {
            Ok(accepted) => changing.accepted = Some(accepted.block),
            Err(_) => changing.refused = Some(Failure::malformed()),
        }
        self.keep_changing(device, &changing)?;
        self.hint_own_account()
    }

    /// The service did not take an entry. An answer may have been lost before, so the record is looked at first.
    pub(crate) fn entry_refused(&mut self, device: &DeviceId, problem: &Problem) -> Result<(), Error> {
        if let Some((own, log_in)) = self.log_in_of(device)? {
            return self.refuse_own_entry(own, log_in, problem);
        }
        let Some(mut changing) = self.store.get::<Changing>(CHANGES, &device.0)? else { return Ok(()) };
        if is_passing(problem) {
            self.pause();
            if let Some(intent) = changing.intent {
                self.hold(intent, Failure::of(problem));
            }
            return Ok(());
        }
        changing.refused = Some(Failure::of(problem));
        self.keep_changing(device, &changing)?;
        self.hint_own_account()
    }

    fn hint_own_account(&mut self) -> Result<(), Error> {
        let account = self.own()?.and_then(|own| own.account());
        account.map_or(Ok(()), |account| self.hint(&account))
    }
}

/// The entry that lets a device in. It takes what only the right digits give.
fn confirmation(matched: &CodeMatched, device: DeviceId, signer: DeviceId) -> Body {
    Body::DeviceConfirmed(Answer { added: matched.request().added, device, signer: Confirmer::Device(signer) })
}
