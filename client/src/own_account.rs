//! What a confirmed device does for its account: it watches the record of it, and ends when the record says so.

use chain::sigchain::device_set::{AccountState, DeviceSet};
use chain::view::REFRESH_AFTER_S;

use crate::changes::Subject;
use crate::error::Error;
use crate::own::{Own, Phase};
use crate::pending::REMOVED;
use crate::reset::RESET;
use crate::search::SEARCH;
use crate::step::{Event, Failure};
use crate::turn::Turn;

/// What stays when this device ends: who it was, what it has read, and what the record said. All else may hold secrets.
const KEPT_SPACES: [&str; 9] =
    ["own", "contact", "conversation", "picture", "notices", "watched", "record", "account", SEARCH];
/// How old a look at the own account is when it is repeated after a pause, milliseconds.
const LOOK_AFTER_PAUSE_MS: u64 = 60_000;

impl Turn<'_> {
    /// Watches the own account and goes on with what is wanted of it.
    pub(crate) fn go_on_with_own_account(&mut self) -> Result<(), Error> {
        let Some(own) = self.own()? else { return Ok(()) };
        let Some(account) = own.account() else { return Ok(()) };
        // without a token nothing is delivered
        self.bearer()?;
        match &own.phase {
            Phase::Pending(_) => return self.go_on_pending(),
            Phase::Confirmed => {}
            Phase::SigningUp(_) | Phase::LoggingIn(_) | Phase::Resetting(_) | Phase::Ended(_) => return Ok(()),
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
        self.go_on_with_changes(&own, set)?;
        self.go_on_with_history_requests(known.checked_ms(), &account)?;
        self.go_on_with_history()?;
        self.send_relays()
    }

    /// The record says that this device no longer counts.
    fn removed(&mut self, own: Own, set: &DeviceSet) -> Result<(), Error> {
        let code = match set.state() {
            AccountState::Open => REMOVED,
            AccountState::ResetTo { .. } => RESET,
            AccountState::Closed => "account.gone",
        };
        // its own removal may be what was wanted
        self.change_is_done(&Subject::Device(own.id()))?;
        self.event(Event::Removed);
        self.end(own, code)
    }

    /// This device ends: its secrets are erased, and what was still wanted is not carried out. What it has read stays.
    pub(crate) fn end(&mut self, mut own: Own, code: &str) -> Result<(), Error> {
        for intent in self.intents()? {
            self.intent_failed(intent.id, Failure::refused(code, "this device is no longer one of its account"))?;
        }
        own.end(code);
        self.keep_own(&own)?;
        self.memory.recovery = None;
        self.store.keep_only(&KEPT_SPACES)
    }

    /// The account and its newest state, for a device that may change it.
    pub(crate) fn account_to_change(&mut self) -> Result<Option<(Own, DeviceSet)>, Error> {
        let Some(own) = self.own()?.filter(Own::is_confirmed) else { return Ok(None) };
        let Some(account) = own.account() else { return Ok(None) };
        let set = self.known(&account)?.map(|known| known.set().clone());
        Ok(set.map(|set| (own, set)))
    }

    /// Time has passed, or the push connection is new: a removal, of which the service tells nobody who is removed, is
    /// looked for.
    pub(crate) fn look_after_pause(&mut self) -> Result<(), Error> {
        let account = self.own()?.filter(|own| own.is_listed()).and_then(|own| own.account());
        account.map_or(Ok(()), |account| self.look_at_least_every(&account, LOOK_AFTER_PAUSE_MS))
    }

    pub(crate) fn hint_own_account(&mut self) -> Result<(), Error> {
        let account = self.own()?.and_then(|own| own.account());
        account.map_or(Ok(()), |account| self.hint(&account))
    }
}
