//! What a confirmed device knows of those that wait: which offers it made, which nonces were revealed for them, and how
//! often the digits were wrong.
//!
//! A request has three tries, each with a nonce of its own that the waiting device reveals once. This device offers the
//! first as soon as it sees the request, so that the digits are there when a person looks; another device of the account
//! may have been quicker, so whoever opens the request and has no answer goes on to the next try.

use chain::id::{DeviceId, Digest};
use chain::sigchain::device_set::{DeviceSet, Pending};
use chain::sigchain::rules::{CODE_COMMITMENTS, REQUEST_LAPSES_AFTER_S};
use protocol::bytes::Base64Url;
use protocol::confirm::{Code, CodeMatched, Offer, Request, Reveal, TRY_S, commitment};
use protocol::introduction::Claim;
use protocol::relay::RelayBody;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::error::Error;
use crate::notices::Notice;
use crate::own::{Own, random};
use crate::step::Event;
use crate::store::Store;
use crate::turn::Turn;

/// What this device knows of a waiting one; by its id.
const REQUESTS: &str = "requests";
/// How long an offer may go unanswered before the next try is offered, milliseconds; also how long a person waits.
pub(crate) const ANSWER_MS: u64 = 15_000;

/// One try.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Try {
    /// The signed offer, as it was relayed.
    offer: Option<Base64Url>,
    offered_ms: u64,
    /// Opens what is sealed to the offer's key.
    #[serde(default)]
    private: Option<Zeroizing<Vec<u8>>>,
    /// What the waiting device revealed for it, and when that came.
    nonce: Option<[u8; 32]>,
    revealed_ms: u64,
    /// Digits for it were wrong, or came too late.
    over: bool,
}

/// What this device knows of a waiting one.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Asked {
    /// The entry that opened the request.
    added: [u8; 32],
    tries: [Try; CODE_COMMITMENTS],
    /// The try that was offered last.
    current: Option<u8>,
    /// How many wrong digits were typed.
    pub(crate) wrong: u8,
    /// The try whose digits were right.
    matched: Option<u8>,
    lapsed: bool,
    /// What it says of itself (CNF-8).
    #[serde(default)]
    pub(crate) claim: Option<Base64Url>,
}

/// What the digits that a person typed come to.
pub(crate) enum Typed {
    /// They are those of the waiting device.
    Matched(CodeMatched),
    /// They are not.
    Wrong,
    /// They are of a try that took too long.
    TooLate,
    /// The waiting device has not answered yet.
    NotRevealed,
}

impl Asked {
    fn new(added: Digest) -> Self {
        let (tries, current, wrong, matched, lapsed, claim) = (Default::default(), None, 0, None, false, None);
        Self { added: added.0, tries, current, wrong, matched, lapsed, claim }
    }

    /// The offer of a try, and what opens what is sealed to its key.
    pub(crate) fn sealing(&self, attempt: u8) -> Option<(&[u8], &[u8])> {
        let it = self.tries.get(usize::from(attempt))?;
        Some((&it.offer.as_ref()?.0, it.private.as_ref()?))
    }

    fn current(&self) -> Option<&Try> {
        self.tries.get(usize::from(self.current?))
    }

    fn current_mut(&mut self) -> Option<&mut Try> {
        self.tries.get_mut(usize::from(self.current?))
    }

    /// True if the waiting device shows digits that this one can compare.
    fn is_answered(&self, now_ms: u64) -> bool {
        self.current().is_some_and(|it| it.nonce.is_some() && !it.over && !it.is_late(now_ms))
    }

    /// True if the waiting device revealed the newest try's nonce, in time or not.
    pub(crate) fn is_revealed(&self) -> bool {
        self.current().is_some_and(|it| it.nonce.is_some() && !it.over)
    }

    /// True if an offer was made so recently that its answer may still come.
    fn is_awaited(&self, now_ms: u64) -> bool {
        let age_ms = |it: &Try| now_ms.saturating_sub(it.offered_ms);
        self.current().is_some_and(|it| it.nonce.is_none() && !it.over && age_ms(it) < ANSWER_MS)
    }

    /// The next try: the first that was never offered, or else one without an answer, to be offered once more.
    fn next(&self) -> Option<u8> {
        let fresh = self.tries.iter().position(|it| it.offer.is_none());
        let usable = |(index, it): (usize, &Try)| (!it.over && it.nonce.is_none()).then_some(index);
        let index = fresh.or_else(|| self.tries.iter().enumerate().find_map(usable))?;
        u8::try_from(index).ok()
    }

    /// Compares what was typed with the digits of the newest try. A match stays one.
    fn compare(&self, ours: (&str, &Own), commitments: &[Digest; CODE_COMMITMENTS], typed: Code, now_ms: u64) -> Typed {
        let attempt = self.matched.or(self.current);
        let attempt = attempt.and_then(|index| self.tries.get(usize::from(index))).filter(|it| !it.over);
        let Some(attempt) = attempt else { return Typed::NotRevealed };
        let offer = attempt.offer.as_ref().and_then(|bytes| Offer::decode(&bytes.0).ok());
        let (Some(offer), Some(nonce)) = (offer, attempt.nonce) else { return Typed::NotRevealed };
        if self.matched.is_none() && attempt.is_late(now_ms) {
            return Typed::TooLate;
        }
        let (origin, own) = ours;
        match CodeMatched::check(origin, &offer, &own.keys().chain, commitments, &nonce, typed) {
            Some(matched) => Typed::Matched(matched),
            None => Typed::Wrong,
        }
    }
}

impl Try {
    fn is_late(&self, now_ms: u64) -> bool {
        now_ms.saturating_sub(self.revealed_ms) > TRY_S.saturating_mul(1_000)
    }
}

/// True if the waiting device shows digits for an offer of this one.
pub(crate) fn shows_code(store: &Store<'_>, device: &DeviceId) -> Result<bool, Error> {
    let asked: Option<Asked> = store.get(REQUESTS, &device.0)?;
    Ok(asked.as_ref().and_then(Asked::current).is_some_and(|it| it.nonce.is_some() && !it.over))
}

/// What a waiting device says of itself, if it has.
pub(crate) fn claim_of(store: &Store<'_>, device: &DeviceId) -> Result<Option<Claim>, Error> {
    let asked: Option<Asked> = store.get(REQUESTS, &device.0)?;
    let claim = asked.and_then(|asked| asked.claim);
    claim.map(|claim| Claim::decode(&claim.0).map_err(|_| Error::Damaged)).transpose()
}

/// True if nobody answered this request in time (DEV-5), by the time of the newest block.
pub(crate) fn has_lapsed(pending: &Pending, time_s: u64) -> bool {
    pending.opened_at_s.saturating_add(REQUEST_LAPSES_AFTER_S) <= time_s
}

/// The device that a key of a space names.
pub(crate) fn device_of(key: &[u8]) -> Option<DeviceId> {
    key.try_into().ok().map(DeviceId)
}

impl Turn<'_> {
    /// What this device knows of a waiting one.
    pub(crate) fn asked(&self, device: &DeviceId) -> Result<Option<Asked>, Error> {
        self.store.get(REQUESTS, &device.0)
    }

    pub(crate) fn keep_asked(&self, device: &DeviceId, asked: &Asked) -> Result<(), Error> {
        self.store.put(REQUESTS, &device.0, asked)
    }

    /// Looks at who waits: new ones are told of and offered a first try; those that were answered are forgotten.
    pub(crate) fn watch_requests(&mut self, own: &Own, set: &DeviceSet, time_s: u64) -> Result<(), Error> {
        for key in self.store.keys(REQUESTS)? {
            let waits = device_of(&key).is_some_and(|id| set.pending().contains_key(&id));
            if !waits {
                self.store.remove(REQUESTS, &key)?;
            }
        }
        for (device, pending) in set.pending() {
            let before = self.asked(device)?.filter(|asked| asked.added == pending.added.0);
            match (before, has_lapsed(pending, time_s)) {
                (None, true) => {}
                (None, false) => {
                    self.keep_asked(device, &Asked::new(pending.added))?;
                    self.event(Event::RequestSeen { device: *device });
                    self.offer_next(own, set, device)?;
                }
                (Some(asked), true) if !asked.lapsed => {
                    self.keep_asked(device, &Asked { lapsed: true, ..asked })?;
                    self.event(Event::RequestAnswered { device: *device, confirmed: false, by_device: None });
                    let (block, at_s) = (0, pending.opened_at_s.saturating_add(REQUEST_LAPSES_AFTER_S));
                    self.notice(Notice::new("device.expired", Some(*device), None, block, at_s))?;
                }
                (Some(_), _) => {}
            }
        }
        Ok(())
    }

    /// A person looks at a request: digits are to be there.
    pub(crate) fn make_code_shown(&mut self, own: &Own, set: &DeviceSet, device: &DeviceId) -> Result<(), Error> {
        let Some(asked) = self.asked(device)? else { return Ok(()) };
        if asked.is_answered(self.now_ms) {
            self.event(Event::CodeShown { device: *device });
            return Ok(());
        }
        if asked.is_awaited(self.now_ms) { Ok(()) } else { self.offer_next(own, set, device) }
    }

    /// Offers the next try (CNF-2).
    pub(crate) fn offer_next(&mut self, own: &Own, set: &DeviceSet, device: &DeviceId) -> Result<(), Error> {
        let (Some(mut asked), Some(pending)) = (self.asked(device)?, set.pending().get(device)) else { return Ok(()) };
        let Some(attempt) = asked.next() else { return Ok(()) };
        let request = request(set, pending);
        let checkpoint = self.checkpoint();
        let ours = self.device()?;
        asked.current = Some(attempt);
        let Some(current) = asked.current_mut() else { return Ok(()) };
        let signed = match &current.offer {
            // the same bytes: the waiting device answers one offer per try, ever (CNF-3)
            Some(offer) => offer.0.clone(),
            None => {
                let key = self.mls(&ours).sealing_key()?;
                let (random, public_key) = (random()?, key.public);
                current.private = Some(key.private);
                Offer { request, attempt, device: own.id(), checkpoint, random, public_key }.sign(&own.chain_key())
            }
        };
        current.offer = Some(Base64Url(signed.clone()));
        current.offered_ms = self.now_ms;
        self.keep_asked(device, &asked)?;
        self.relay(*device, &RelayBody::Offer(signed))
    }

    /// A waiting device revealed a nonce (CNF-3, CNF-4).
    pub(crate) fn take_reveal(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let Ok(reveal) = Reveal::decode(bytes) else { return Ok(()) };
        let Some((device, pending)) = self.waiting_device(&reveal.request, &reveal.device)? else { return Ok(()) };
        let attempt = usize::from(reveal.attempt);
        let is_committed = pending.commitments.get(attempt) == Some(&commitment(&reveal.nonce));
        if !is_committed || !Reveal::is_signed(bytes, &pending.keys.chain) {
            return Ok(());
        }
        let Some(mut asked) = self.asked(&device)? else { return Ok(()) };
        let now_ms = self.now_ms;
        let Some(it) = asked.tries.get_mut(attempt).filter(|it| it.offer.is_some() && it.nonce.is_none()) else {
            return Ok(());
        };
        (it.nonce, it.revealed_ms) = (Some(reveal.nonce), now_ms);
        self.keep_asked(&device, &asked)?;
        if asked.current == Some(reveal.attempt) {
            self.event(Event::CodeShown { device });
        }
        Ok(())
    }

    /// The device that waits with this request, if what it says is for this confirmed one.
    pub(crate) fn waiting_device(
        &mut self,
        about: &Request,
        to: &DeviceId,
    ) -> Result<Option<(DeviceId, Pending)>, Error> {
        let Some(own) = self.own()?.filter(|own| own.is_confirmed() && own.id() == *to) else { return Ok(None) };
        let Some(account) = own.account() else { return Ok(None) };
        let Some(known) = self.known(&account)? else { return Ok(None) };
        let set = known.set();
        let found = set.pending().iter().find(|(_, pending)| request(set, pending) == *about);
        Ok(found.map(|(device, pending)| (*device, pending.clone())))
    }

    /// Compares what a person typed for a waiting device, and keeps what came of it: a wrong or late try is over, a match
    /// stays one.
    pub(crate) fn compare_code(
        &mut self,
        own: &Own,
        set: &DeviceSet,
        device: &DeviceId,
        typed: Code,
    ) -> Result<Typed, Error> {
        let (Some(mut asked), Some(pending), Some(origin)) =
            (self.asked(device)?, set.pending().get(device), self.origin()?)
        else {
            return Ok(Typed::NotRevealed);
        };
        let result = asked.compare((&origin, own), &pending.commitments, typed, self.now_ms);
        match &result {
            Typed::Matched(_) => asked.matched = asked.matched.or(asked.current),
            Typed::Wrong | Typed::TooLate => {
                asked.matched = None;
                if let Some(current) = asked.current_mut() {
                    current.over = true;
                }
            }
            Typed::NotRevealed => return Ok(result),
        }
        if matches!(result, Typed::Wrong) {
            asked.wrong = asked.wrong.saturating_add(1);
        }
        self.keep_asked(device, &asked)?;
        Ok(result)
    }
}

/// The request of a waiting device, as offers and reveals name it.
fn request(set: &DeviceSet, pending: &Pending) -> Request {
    Request { account: set.account(), generation: set.generation(), added: pending.added, request: pending.request }
}
