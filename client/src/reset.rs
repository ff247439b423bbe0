//! All devices are lost: this one announces a fresh identity in the place of its account, waits as long as the record
//! demands, and then is its first device (RST-1 to RST-7). And from the other side: a living device stops that.
//!
//! ```text
//! log-in, or the operator's permit → registration for the identity to be → entry KEPT → sent until answered → announced
//!   → (stopped, or) due → asked for until the record has it → first device of the fresh identity
//! ```

use chain::id::{AccountId, Digest, HandleLabel};
use chain::sigchain::body::{Body, Predecessor, ResetChoice};
use chain::sigchain::device_set::{AccountState, DeviceSet, Notice};
use chain::sigchain::entry::{Proposal, Statement, account_id};
use protocol::api::ACCOUNTS;
use protocol::api::accounts::OpaqueAnswer;
use protocol::bytes::Base64Url;
use protocol::reset_permit::ResetPermit;
use serde::{Deserialize, Serialize};

use crate::changes::{Change, Subject};
use crate::error::Error;
use crate::intent::Want;
use crate::joining::check_new_password;
use crate::log_in::LogIn;
use crate::own::{Own, Phase, fill, random};
use crate::step::{Event, Failure, Joining};
use crate::turn::{Purpose, Turn, post_bytes};

/// A device of the account stopped the reset.
pub(crate) const VETOED: &str = "reset.vetoed";
/// The account goes on as another identity.
pub(crate) const RESET: &str = "account.reset";
/// How often a device that waits for its reset looks at the record, milliseconds.
const LOOK_MS: u64 = 600_000;
/// How often it looks for what it has been told is there, milliseconds.
const LOOK_FOR_MS: u64 = 1_000;
/// How old the last look is when somebody who looks himself makes another, milliseconds.
const LOOK_ASKED_MS: u64 = 2_000;

/// A fresh identity before the record has it.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Fresh {
    salt: [u8; 32],
    /// What it continues, once that is known.
    after: Option<After>,
    /// What the service will have of its password, for exactly this identity.
    record: Option<Base64Url>,
}

/// What a fresh identity continues: another head makes another identity.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
struct After {
    account: [u8; 32],
    head: [u8; 32],
    generation: u32,
    label: [u8; 32],
}

impl Fresh {
    fn new() -> Result<Self, Error> {
        Ok(Self { salt: random()?, after: None, record: None })
    }

    /// Its first entry says this; its id follows from it.
    fn opening(&self, own: &Own) -> Option<Body> {
        let after = self.after.as_ref()?;
        Some(Body::AccountCreated {
            salt: self.salt,
            device: own.keys(),
            reset_choice: ResetChoice::ThreeDays,
            handle: Some(HandleLabel(after.label)),
            predecessor: Some(Predecessor { account: AccountId(after.account), head: Digest(after.head) }),
        })
    }

    fn id(&self, own: &Own) -> Option<AccountId> {
        self.opening(own).as_ref().map(account_id)
    }

    /// The notice that announces it, if that is open.
    fn notice<'s>(&self, own: &Own, set: &'s DeviceSet) -> Option<&'s Notice> {
        set.notice().filter(|notice| Some(notice.successor) == self.id(own) && notice.device == own.keys())
    }

    /// True if the record announces it, or has carried it out.
    pub(crate) fn is_announced(&self, own: &Own, set: &DeviceSet) -> bool {
        self.notice(own, set).is_some() || self.is_carried_out(own, set)
    }

    fn is_carried_out(&self, own: &Own, set: &DeviceSet) -> bool {
        matches!(set.state(), AccountState::ResetTo { successor, .. } if Some(*successor) == self.id(own))
    }
}

/// A reset that was announced.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Resetting {
    account: [u8; 32],
    fresh: Fresh,
}

impl Resetting {
    /// The account that is to be reset.
    pub(crate) fn account(&self) -> AccountId {
        AccountId(self.account)
    }
}

impl Turn<'_> {
    /// A person has lost all devices; with an operator's permit, the password as well.
    pub(crate) fn want_reset(&mut self, joining: Joining, permit: Option<&ResetPermit>) -> Result<(), Error> {
        if permit.is_some()
            && let Err(failure) = check_new_password(&joining.password.0)
        {
            return self.refuse_command(&Want::Join, failure);
        }
        if let Some((own, resetting)) = self.resetting()?
            && own.service == joining.service
        {
            let intent = self.add_intent(&Want::Join)?;
            self.tell_announced(&own, &resetting)?;
            return self.intent_done(intent);
        }
        let fresh = Fresh::new()?;
        self.begin_log_in(joining, Some(fresh), permit)
    }

    fn resetting(&self) -> Result<Option<(Own, Resetting)>, Error> {
        let own = self.own()?;
        Ok(own.and_then(|own| match own.phase.clone() {
            Phase::Resetting(resetting) => Some((own, *resetting)),
            _ => None,
        }))
    }

    /// What the entry that announces the reset says. `None`: the password of the identity to be is registered first.
    pub(crate) fn announcement(
        &mut self,
        own: &Own,
        log_in: &mut LogIn,
        set: &DeviceSet,
    ) -> Result<Option<Body>, Error> {
        let handle = chain::handle::Handle::parse(&own.handle).map_err(|_| Error::Damaged)?;
        let (Some(holder), Some(fresh)) = (self.holder(&handle)?, log_in.fresh.as_mut()) else { return Ok(None) };
        let generation = set.generation().saturating_add(1);
        let after = After { account: set.account().0, head: set.head().0, generation, label: holder.label };
        if fresh.after.as_ref() != Some(&after) {
            (fresh.after, fresh.record) = (Some(after), None);
            self.memory.joining.registration = None;
        }
        let successor = fresh.id(own).ok_or(Error::Fault("a fresh identity that follows nothing"))?;
        if fresh.record.is_some() {
            return Ok(Some(Body::ResetRequested { successor, device: own.keys() }));
        }
        let is_asked = self.memory.in_flight.contains_key(&Purpose::SignupStart);
        if !is_asked && !self.is_too_early(&Purpose::SignupStart) {
            self.start_registration(successor)?;
        }
        Ok(None)
    }

    /// Ends the registration for the identity to be.
    pub(crate) fn take_fresh_registration(&mut self, body: &[u8]) -> Result<(), Error> {
        let Some((own, mut log_in)) = self.logging_in()? else { return Ok(()) };
        // it may have become another identity meanwhile, and then there is none
        let registration = self.memory.joining.registration.take();
        let (Some(registration), Some(password), Some(fresh)) =
            (registration, self.memory.password.clone(), log_in.fresh.as_mut())
        else {
            return Ok(());
        };
        let Ok(OpaqueAnswer { message }) = serde_json::from_slice(body) else {
            return self.attempt_failed(Failure::malformed());
        };
        let stretching = self.memory.joining.stretching;
        match registration.finish(password.as_bytes(), &message.0, stretching, &mut fill) {
            Ok(record) => fresh.record = Some(Base64Url(record)),
            Err(error) => return self.attempt_failed(Failure::lie(error.code(), error.to_string())),
        }
        self.keep_log_in(own, log_in)
    }

    /// The record announces the reset.
    pub(crate) fn become_resetting(&mut self, mut own: Own, log_in: LogIn, set: &DeviceSet) -> Result<(), Error> {
        let Some(fresh) = log_in.fresh else { return Ok(()) };
        self.memory.password = None;
        let resetting = Resetting { account: set.account().0, fresh };
        own.phase = Phase::Resetting(Box::new(resetting.clone()));
        self.keep_own(&own)?;
        self.tell_announced(&own, &resetting)?;
        self.intent_done(log_in.intent)?;
        self.go_on_resetting(own, resetting)
    }

    fn tell_announced(&mut self, own: &Own, resetting: &Resetting) -> Result<(), Error> {
        let set = self.known(&resetting.account())?.map(|known| known.set().clone());
        let notice = set.as_ref().and_then(|set| resetting.fresh.notice(own, set));
        let due_s = notice.map_or(0, |notice| notice.opened_at_s.saturating_add(notice.wait_s));
        self.event(Event::ResetAnnounced { due_s });
        Ok(())
    }

    /// Goes on waiting for the reset, and carries it out when it is due.
    pub(crate) fn go_on_resetting(&mut self, own: Own, resetting: Resetting) -> Result<(), Error> {
        let account = resetting.account();
        self.look_every(&account, LOOK_MS)?;
        if self.trouble()?.is_some() {
            return Ok(());
        }
        let Some(set) = self.known(&account)?.map(|known| known.set().clone()) else { return Ok(()) };
        if resetting.fresh.is_carried_out(&own, &set) {
            return self.look_for_fresh(own, resetting);
        }
        let Some(notice) = resetting.fresh.notice(&own, &set) else {
            // stopped by a device, or by a reset that was quicker, or it lapsed
            self.event(Event::ResetStopped);
            return self.end(own, VETOED);
        };
        let due_s = notice.opened_at_s.saturating_add(notice.wait_s);
        if self.now_s() < due_s {
            self.wake(due_s.saturating_mul(1_000));
            return Ok(());
        }
        self.ask_for_reset(&own, &resetting)
    }

    /// Somebody looks whether the reset that this device waits for still stands: one of the devices may have stopped it.
    pub(crate) fn look_at_reset(&mut self) -> Result<(), Error> {
        match self.own()?.map(|own| own.phase) {
            Some(Phase::Resetting(resetting)) => self.look_at_least_every(&resetting.account(), LOOK_ASKED_MS),
            _ => Ok(()),
        }
    }

    fn ask_for_reset(&mut self, own: &Own, resetting: &Resetting) -> Result<(), Error> {
        let (Some(body), Some(after), Some(origin)) =
            (resetting.fresh.opening(own), &resetting.fresh.after, self.origin()?)
        else {
            return Ok(());
        };
        let statement = Statement::opening(after.generation, self.checkpoint(), body);
        let proposal = Proposal::sign(statement, &origin, &own.chain_key(), Some(&own.mls_key())).encode();
        let path = format!("{ACCOUNTS}{}/reset?wait=quorum", resetting.account());
        self.ask(Purpose::Reset, post_bytes(path, proposal));
        Ok(())
    }

    /// The service says that the reset is carried out; whether it is, the record says.
    pub(crate) fn take_reset(&mut self, _body: &[u8]) -> Result<(), Error> {
        match self.resetting()? {
            Some((_, resetting)) => self.refresh(&resetting.account()),
            None => Ok(()),
        }
    }

    /// The reset is carried out: this is the first device of the fresh identity.
    fn look_for_fresh(&mut self, mut own: Own, resetting: Resetting) -> Result<(), Error> {
        let Some(account) = resetting.fresh.id(&own) else { return Ok(()) };
        self.look_every(&account, LOOK_FOR_MS)?;
        let (id, keys) = (own.id(), own.keys());
        let Some(known) = self.known(&account)? else { return Ok(()) };
        let is_ours = known.set().confirmed().get(&id).is_some_and(|device| device.keys == keys);
        let (Some((first, at_s)), entries) =
            (known.entries.first().map(|it| (it.block, it.time_s)), known.entries.len())
        else {
            return Ok(());
        };
        if !is_ours {
            return Ok(());
        }
        own.account = Some(account.0);
        own.phase = Phase::Confirmed;
        self.keep_own(&own)?;
        self.begin_watching(entries)?;
        if let Some(record) = resetting.fresh.record {
            self.keep_password(record)?;
        }
        // days have passed, and nobody sits there
        self.notice(crate::notices::Notice::new("account.fresh", None, None, first, at_s))?;
        self.event(Event::SignedUp { account, handle: own.handle, device: id, block: first });
        Ok(())
    }

    /// A person wants resets of the account to wait so long.
    pub(crate) fn set_reset_choice(&mut self, choice: ResetChoice) -> Result<(), Error> {
        if self.account_to_change()?.is_none() {
            return self.refuse_unconfirmed();
        }
        self.begin_change(Subject::ResetChoice, Change::SetResetChoice(choice.wait_s())).map(|_| ())
    }

    /// A person of a living device says no.
    pub(crate) fn veto(&mut self) -> Result<(), Error> {
        match self.account_to_change()? {
            None => self.refuse_unconfirmed(),
            Some((_, set)) if set.notice().is_none() => {
                let message = "nobody has asked to reset this account";
                self.refuse_command(&Want::ChangeAccount, Failure::refused("reset.no_notice", message))
            }
            Some(_) => self.begin_change(Subject::Reset, Change::Veto).map(|_| ()),
        }
    }
}
