//! A device that waits: answers offers to confirm it with its digits, and watches the record for the answer.
//!
//! One nonce answers one offer, ever (CNF-3): a second random value for a nonce that is known could be searched for the
//! digits of another device. So what was answered is on disk before the nonce leaves.

use chain::id::{AccountId, DeviceId, Digest};
use chain::sigchain::body::{Body, Confirmer};
use chain::sigchain::device_set::{Confirmed, DeviceSet};
use chain::sigchain::entry::Entry;
use chain::sigchain::rules::REQUEST_LAPSES_AFTER_S;
use chain::view::View;
use protocol::bytes::Base64Url;
use protocol::confirm::{Offer, Request, Reveal, code};
use protocol::relay::RelayBody;
use serde::{Deserialize, Serialize};

use crate::changes::Subject;
use crate::error::Error;
use crate::log_in::LogIn;
use crate::own::{Own, Phase};
use crate::step::{Event, Failure};
use crate::turn::Turn;

/// Another device said no.
pub(crate) const REFUSED: &str = "device.refused";
/// Nobody answered in time (DEV-5).
pub(crate) const EXPIRED: &str = "confirm.expired";
/// The device was taken out of the account.
pub(crate) const REMOVED: &str = "device.removed";

/// Offers that came and were not judged yet; by their hash.
const OFFERS: &str = "offers";
/// Most of them: three tries of several devices, and no more than somebody can flood us with.
const MAX_OFFERS: usize = 16;
/// How often a waiting device looks for its answer, milliseconds.
const LOOK_MS: u64 = 10_000;

/// An offer that was answered.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Answered {
    /// As it came, signature and all.
    offer: Base64Url,
    pub(crate) code: String,
    by: [u8; 16],
}

impl Answered {
    pub(crate) fn by(&self) -> DeviceId {
        DeviceId(self.by)
    }
}

#[derive(Serialize, Deserialize)]
struct Waiting {
    offer: Base64Url,
    since_ms: u64,
}

/// What becomes of an offer.
enum Verdict {
    /// It cannot be judged yet.
    Wait,
    /// It is not one, or too late, or not for us.
    Drop,
    /// The same as before: it gets the same answer.
    Again(Box<Offer>),
    /// As good as the one that was answered for this try: it gets no nonce, and is told who waits (CNF-8).
    Late(Box<Offer>),
    /// To be answered.
    Answer(Box<(Offer, Confirmed)>),
}

/// How the record answers a waiting device.
enum Standing {
    Open(Request),
    Confirmed { by: Option<Confirmer> },
    Refused,
    Expired,
}

/// What the record says of this device; `time_s` is the time of the newest block.
fn standing(set: &DeviceSet, own: &Own, time_s: u64) -> Standing {
    if let Some(device) = set.confirmed().get(&own.id()) {
        return Standing::Confirmed { by: device.by };
    }
    match set.pending().get(&own.id()) {
        Some(it) if it.opened_at_s.saturating_add(REQUEST_LAPSES_AFTER_S) > time_s => Standing::Open(Request {
            account: set.account(),
            generation: set.generation(),
            added: it.added,
            request: it.request,
        }),
        None if set.has_retired(&own.keys().chain) => Standing::Refused,
        _ => Standing::Expired,
    }
}

impl Turn<'_> {
    fn pending(&self) -> Result<Option<(Own, LogIn)>, Error> {
        let own = self.own()?;
        Ok(own.and_then(|own| match own.phase.clone() {
            Phase::Pending(log_in) => Some((own, *log_in)),
            _ => None,
        }))
    }

    /// An older device offers to confirm this one. Judged when the record is at hand.
    pub(crate) fn take_offer(&mut self, offer: Vec<u8>) -> Result<(), Error> {
        if self.pending()?.is_none() || self.store.keys(OFFERS)?.len() >= MAX_OFFERS {
            return Ok(());
        }
        let hash = Digest::sha256(&offer);
        // it may name a newer record than was seen here
        self.begin_looking();
        self.store.put(OFFERS, &hash.0, &Waiting { offer: Base64Url(offer), since_ms: self.now_ms })
    }

    /// Goes on waiting.
    pub(crate) fn go_on_pending(&mut self) -> Result<(), Error> {
        let Some((own, log_in)) = self.pending()? else { return Ok(()) };
        let Some(account) = own.account() else { return Ok(()) };
        self.look_every(&account, LOOK_MS)?;
        if let Some(trouble) = self.trouble_failure()? {
            self.hold(log_in.intent, trouble);
            return Ok(());
        }
        let time_s = self.view()?.map_or(0, |view| view.header().time_s);
        let Some(set) = self.known(&account)?.map(|known| known.set().clone()) else { return Ok(()) };
        match standing(&set, &own, time_s) {
            Standing::Open(request) => {
                self.judge_offers(own.clone(), log_in, &set, &request)?;
                self.go_on_with_changes(&own, &set)?;
                self.send_relays()
            }
            Standing::Confirmed { by } => self.become_confirmed(own, &log_in, &account, by),
            Standing::Refused => self.not_confirmed(own, &log_in, &account),
            Standing::Expired => {
                self.event(Event::NotConfirmed { expired: true });
                let message = "nobody answered within 7 days: start again on this device";
                self.intent_failed(log_in.intent, Failure::refused(EXPIRED, message))?;
                self.end(own, EXPIRED)
            }
        }
    }

    /// Looks at an account whenever the last look is so old.
    pub(crate) fn look_every(&mut self, account: &AccountId, period_ms: u64) -> Result<(), Error> {
        match self.look_is_due(account, period_ms)? {
            None => self.refresh(account),
            Some(next_ms) => {
                self.wake(next_ms);
                Ok(())
            }
        }
    }

    /// Looks at an account if the last look is so old.
    pub(crate) fn look_at_least_every(&mut self, account: &AccountId, period_ms: u64) -> Result<(), Error> {
        if self.look_is_due(account, period_ms)?.is_none() { self.refresh(account) } else { Ok(()) }
    }

    /// When the next look is due; `None`: now.
    fn look_is_due(&mut self, account: &AccountId, period_ms: u64) -> Result<Option<u64>, Error> {
        let now_ms = self.now_ms;
        // a clock that was set back makes a look due, not impossible
        let next_ms = self.known(account)?.map_or(0, |known| known.checked_ms().saturating_add(period_ms));
        let is_later = next_ms > now_ms && next_ms <= now_ms.saturating_add(period_ms);
        Ok(is_later.then_some(next_ms))
    }

    fn judge_offers(
        &mut self,
        mut own: Own,
        mut log_in: LogIn,
        set: &DeviceSet,
        request: &Request,
    ) -> Result<(), Error> {
        let mut changed = false;
        for key in self.store.keys(OFFERS)? {
            let Some(waiting) = self.store.get::<Waiting>(OFFERS, &key)? else { continue };
            match self.judge_offer(&log_in, &waiting, set, request)? {
                Verdict::Wait => continue,
                Verdict::Drop => {}
                Verdict::Again(offer) => {
                    log_in.shown = Some(offer.attempt);
                    self.tell_code(&log_in);
                    // the same answer: the one before may have been lost
                    self.reveal(&own, &log_in, &offer)?;
                    self.introduce_itself(&own, &offer, &waiting.offer.0)?;
                }
                Verdict::Late(offer) => self.introduce_itself(&own, &offer, &waiting.offer.0)?,
                Verdict::Answer(offer) => self.answer_offer(&own, &mut log_in, &offer, waiting.offer)?,
            }
            changed = true;
            self.store.remove(OFFERS, &key)?;
        }
        if changed {
            own.phase = Phase::Pending(Box::new(log_in));
            self.keep_own(&own)?;
        }
        Ok(())
    }

    /// CNF-3: what is demanded of an offer before a nonce is revealed for it.
    fn judge_offer(
        &mut self,
        log_in: &LogIn,
        waiting: &Waiting,
        set: &DeviceSet,
        request: &Request,
    ) -> Result<Verdict, Error> {
        let bytes = &waiting.offer.0;
        let Ok(offer) = Offer::decode(bytes) else { return Ok(Verdict::Drop) };
        if offer.request != *request {
            return Ok(Verdict::Drop);
        }
        let before = log_in.answered.get(usize::from(offer.attempt)).and_then(Option::as_ref);
        if before.is_some_and(|before| before.offer == waiting.offer) {
            return Ok(Verdict::Again(Box::new(offer)));
        }
        let Some(confirmed) = set.confirmed().get(&offer.device).cloned() else {
            // it may have been confirmed since the last look
            let looked = self.known(&request.account)?.is_some_and(|known| known.checked_ms() >= waiting.since_ms);
            if !looked {
                self.refresh(&request.account)?;
            }
            return Ok(if looked { Verdict::Drop } else { Verdict::Wait });
        };
        if !Offer::is_signed(bytes, &confirmed.keys.chain) {
            return Ok(Verdict::Drop);
        }
        if self.view()?.map_or(0, View::size) < offer.checkpoint.size {
            // the older device is ahead: the view follows with a look
            self.look_again(&request.account)?;
            return Ok(Verdict::Wait);
        }
        let Some(root) = self.root_at(&offer.checkpoint, &request.account)? else { return Ok(Verdict::Wait) };
        if root != offer.checkpoint.root {
            // the older device sees another record than this one; its word alone is no evidence for others
            self.event(Event::Lie { code: "chain.fork".to_owned(), evidence: Vec::new() });
            return Ok(Verdict::Drop);
        }
        let is_taken = before.is_some();
        Ok(if is_taken { Verdict::Late(Box::new(offer)) } else { Verdict::Answer(Box::new((offer, confirmed))) })
    }

    fn answer_offer(
        &mut self,
        own: &Own,
        log_in: &mut LogIn,
        (offer, by): &(Offer, Confirmed),
        bytes: Base64Url,
    ) -> Result<(), Error> {
        let attempt = usize::from(offer.attempt);
        let (Some(origin), Some(nonce)) = (self.origin()?, log_in.nonces.get(attempt).copied()) else {
            return Ok(());
        };
        let Some(place) = log_in.answered.get_mut(attempt) else { return Ok(()) };
        let code = code(&origin, offer, &by.keys.chain, &nonce).to_string();
        self.introduce_itself(own, offer, &bytes.0)?;
        *place = Some(Answered { offer: bytes, code, by: offer.device.0 });
        log_in.shown = Some(offer.attempt);
        self.tell_code(log_in);
        self.reveal(own, log_in, offer)
    }

    /// Hands the nonce of a try to the device whose offer was answered.
    fn reveal(&mut self, own: &Own, log_in: &LogIn, offer: &Offer) -> Result<(), Error> {
        let Some(nonce) = log_in.nonces.get(usize::from(offer.attempt)).copied() else { return Ok(()) };
        let reveal = Reveal { request: offer.request, attempt: offer.attempt, device: offer.device, nonce };
        self.relay(offer.device, &RelayBody::Reveal(reveal.sign(&own.chain_key())))
    }

    /// Shows the digits, if there are any.
    pub(crate) fn tell_code(&mut self, log_in: &LogIn) {
        if let Some(shown) = log_in.code() {
            self.event(Event::Code { code: shown.code.clone(), by_device: shown.by() });
        }
    }

    fn become_confirmed(
        &mut self,
        mut own: Own,
        log_in: &LogIn,
        account: &AccountId,
        by: Option<Confirmer>,
    ) -> Result<(), Error> {
        let device = own.id();
        let Some(place) = self.confirmation_of(account, &device)? else { return Ok(()) };
        own.phase = Phase::Confirmed;
        self.keep_own(&own)?;
        self.memory.recovery = None;
        self.change_is_done(&Subject::Device(device))?;
        self.forget_offers()?;
        self.forget_who_is_here()?;
        self.begin_watching(place.entries)?;
        self.begin_history(place.entry)?;
        let by_device = match by {
            Some(Confirmer::Device(by)) => Some(by),
            Some(Confirmer::RecoveryKey) | None => None,
        };
        self.event(Event::Confirmed { device, by_device, block: place.block });
        self.intent_done(log_in.intent)
    }

    fn not_confirmed(&mut self, own: Own, log_in: &LogIn, account: &AccountId) -> Result<(), Error> {
        if self.confirmation_of(account, &own.id())?.is_some() {
            // confirmed and removed between two looks
            self.event(Event::Removed);
            let message = "this device was let in and removed again";
            self.intent_failed(log_in.intent, Failure::refused(REMOVED, message))?;
            return self.end(own, REMOVED);
        }
        self.event(Event::NotConfirmed { expired: false });
        self.intent_failed(log_in.intent, Failure::refused(REFUSED, "this device was not let in"))?;
        self.end(own, REFUSED)
    }

    fn forget_offers(&mut self) -> Result<(), Error> {
        self.forget_introductions()?;
        self.store.clear(OFFERS)
    }

    /// Where the record confirms a device.
    fn confirmation_of(&mut self, account: &AccountId, device: &DeviceId) -> Result<Option<Place>, Error> {
        let Some(known) = self.known(account)? else { return Ok(None) };
        let place = known.entries.iter().enumerate().find_map(|(index, stamped)| {
            match Entry::decode(&stamped.entry).ok()?.statement.body {
                Body::DeviceConfirmed(answer) if answer.device == *device => Some(Place {
                    block: stamped.block,
                    entries: index.saturating_add(1),
                    entry: Entry::decode(&stamped.entry).ok()?.hash(),
                }),
                _ => None,
            }
        });
        Ok(place)
    }
}

/// Where an entry stands.
struct Place {
    block: u64,
    /// How many entries there are up to it.
    entries: usize,
    /// Its hash.
    entry: Digest,
}

impl LogIn {
    /// The digits that are shown, and whose offer they are for.
    pub(crate) fn code(&self) -> Option<&Answered> {
        self.answered.get(usize::from(self.shown?))?.as_ref()
    }
}
