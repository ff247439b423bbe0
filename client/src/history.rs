//! Old messages for this device, from an older one of the account: what there is, then page after page, the conversation
//! with the newest message first and in each the newest message first.
//!
//! This side alone remembers how far it has come, so any older device can give the next page, and a kill of either
//! side costs at most two pages. Two requests are out at a time: the next page is asked for as soon as the oldest part of the
//! one before it is here, so that the older device gathers it while this one takes in the rest. Whoever does not answer is
//! passed over for another device.

mod links;
mod partial;
mod serve;

pub(crate) use self::links::fits_history;
pub use self::serve::handed;

use std::collections::BTreeSet;

use chain::id::{DeviceId, Digest, PublicKey};
use chain::sigchain::body::Confirmer;
use protocol::bytes::Base64Url;
use protocol::history::{HistoryPart, HistoryRequest, IndexRow, MAX_CONVERSATIONS, MAX_MESSAGES, Plain, Wanted};
use protocol::id::GroupId;
use protocol::relay::RelayBody;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::error::Error;
use crate::intent::Want;
use crate::mls::Sealed;
use crate::notices::Notice;
use crate::own::random;
use crate::step::{Event, Failure};
use crate::store::Store;
use crate::turn::Turn;

const HISTORY: &str = "history";
/// How long an answer may take before another device is asked, milliseconds; also the first pause when none answers.
const ANSWER_MS: u64 = 15_000;
/// Longest pause, milliseconds.
const MOST_PAUSE_MS: u64 = 600_000;
/// So long after a part of old messages what can be done later waits, milliseconds.
const AFTER_A_PART_MS: u64 = 1_000;
/// More messages of a conversation than it was said to have, which are taken: some may have come since.
const MORE_THAN_SAID: u64 = 10_000;

/// How far the transfer has come.
#[derive(Serialize, Deserialize)]
struct Fetch {
    /// Hash of the entry that confirmed this device.
    confirmed: [u8; 32],
    public: Base64Url,
    private: Zeroizing<Vec<u8>>,
    /// A device has answered, or is known to be allowed to.
    granted: bool,
    /// What there is, once that was told; the first `current` of them are here.
    rows: Option<Vec<Row>>,
    current: usize,
    /// The page that is asked for, and the one after it.
    asked: Vec<Asked>,
    /// Requests without an answer, one after the other.
    unanswered: u32,
    next_ms: u64,
    total: u64,
    messages: u64,
    from: Option<[u8; 16]>,
    complete: bool,
    /// Only what this device has missed while it was off.
    #[serde(default)]
    gap: Option<Gap>,
    /// Who told what there is.
    #[serde(default)]
    listed_by: Option<[u8; 16]>,
    /// That one has not all that others may have (HIS-6).
    #[serde(default)]
    partial: bool,
    /// The devices that have given all they have, and have not all.
    #[serde(default)]
    exhausted: Vec<[u8; 16]>,
}

/// What a device that was off has missed.
#[derive(Clone, Copy, Serialize, Deserialize)]
struct Gap {
    /// All up to this position is here.
    after: u64,
    /// When that was, milliseconds since 1970.
    since_ms: u64,
}

/// A conversation that is fetched.
#[derive(Clone, Serialize, Deserialize)]
struct Row {
    group: GroupId,
    /// All from here on are here.
    before: u64,
    said: u64,
    got: u64,
}

/// A request, and what has come of it.
#[derive(Clone, Serialize, Deserialize)]
struct Asked {
    /// As it is relayed: the same bytes to every device, so that they do not pile up with one that is off.
    request: Base64Url,
    since_ms: u64,
    /// The device that is asked now, and the one that answers.
    device: Option<[u8; 16]>,
    answers: Option<[u8; 16]>,
    parts: BTreeSet<u32>,
    /// How many there are.
    count: Option<u32>,
    older: bool,
    lowest: u64,
    rows: Vec<Row>,
    #[serde(default)]
    partial: bool,
}

/// How far the transfer has come, for showing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryRow {
    /// Messages that came.
    pub messages: u64,
    /// How many there are, as far as that was told.
    pub total: u64,
    /// True when all are here.
    pub complete: bool,
    /// False until a device has answered: either none is on, or nobody has agreed yet.
    pub granted: bool,
    /// The device that gave the last page.
    pub from: Option<DeviceId>,
}

/// How far the transfer of old messages to this device has come; `None` for an account's first device.
///
/// # Errors
/// [`Error`].
pub fn history(store: &Store<'_>) -> Result<Option<HistoryRow>, Error> {
    let fetch: Option<Fetch> = store.get(HISTORY, b"fetch")?;
    Ok(fetch.map(|it| HistoryRow {
        messages: it.messages,
        total: it.total.max(it.messages),
        complete: it.complete,
        granted: it.granted,
        from: it.from.map(DeviceId),
    }))
}

impl Asked {
    /// As if nobody had been asked for it yet.
    fn begin_again(&mut self) {
        (self.device, self.answers, self.older, self.lowest) = (None, None, false, u64::MAX);
        self.parts.clear();
        self.count = None;
        self.rows.clear();
    }

    fn wanted(&self) -> Option<Wanted> {
        HistoryRequest::decode(&self.request.0).ok().map(|request| request.wanted)
    }

    /// True when all its parts are here.
    fn is_here(&self) -> bool {
        self.count.is_some_and(|count| u32::try_from(self.parts.len()).is_ok_and(|parts| parts == count))
    }
}

impl Fetch {
    /// What to ask for next; nothing when all is here.
    fn wanted(&self) -> Option<Wanted> {
        let Some(rows) = &self.rows else {
            return Some(if self.gap.is_some() { Wanted::Gap } else { Wanted::Index });
        };
        let Row { group, before, .. } = *rows.get(self.current)?;
        Some(self.page_of(group, before))
    }

    fn page_of(&self, group: GroupId, before: u64) -> Wanted {
        match self.gap {
            None => Wanted::Page { group, before },
            Some(_) => Wanted::GapPage { group, before },
        }
    }

    /// As if nobody had been asked for the next page yet.
    fn ask_again(&mut self) {
        self.asked.truncate(1);
        self.asked.iter_mut().for_each(Asked::begin_again);
    }

    /// All is here; every step reads what is left.
    fn end(&mut self) {
        self.complete = true;
        self.exhausted.clear();
        self.list_anew();
    }

    /// As if nobody had told what there is.
    fn list_anew(&mut self) {
        (self.rows, self.current, self.listed_by, self.partial) = (None, 0, None, false);
        self.asked.clear();
    }

    /// Once more from the beginning: what is here already is passed over.
    fn begin_again(&mut self) {
        (self.messages, self.complete) = (0, false);
        self.exhausted.clear();
        self.list_anew();
    }

    /// Where the conversation goes on after a page; nothing if all of it is here then.
    fn next_in(&self, row: &Row, lowest: u64, older: bool) -> Option<u64> {
        // two messages may share a place, so the next page begins with the last place of this one
        let next = if lowest.saturating_add(1) < row.before { lowest.saturating_add(1) } else { lowest };
        let is_missed = self.gap.is_none_or(|gap| next > gap.after);
        let is_believed = row.got <= row.said.saturating_add(MORE_THAN_SAID);
        (is_missed && older && next < row.before && is_believed).then_some(next)
    }

    /// What to ask for once the page that is asked for is here, if that can be told already.
    fn wanted_after(&self, asked: &Asked) -> Option<Wanted> {
        let rows = self.rows.as_ref()?;
        let row = rows.get(self.current)?;
        match self.next_in(row, asked.lowest, asked.older) {
            Some(next) => Some(self.page_of(row.group, next)),
            None => rows.get(self.current.saturating_add(1)).map(|row| self.page_of(row.group, row.before)),
        }
    }
}

impl Turn<'_> {
    /// Begins to fetch old messages; `confirmed`: hash of the entry that confirmed this device.
    pub(crate) fn begin_history(&mut self, confirmed: Digest) -> Result<(), Error> {
        if self.fetch()?.is_some() {
            return Ok(());
        }
        self.begin_fetch(confirmed, None)
    }

    /// HIS-5: begins to fetch what this device has missed since it was at a position.
    pub(crate) fn begin_gap(&mut self, after: u64, since_ms: u64) -> Result<(), Error> {
        // a transfer that is under way brings that as well
        if self.fetch()?.is_some_and(|fetch| fetch.granted && !fetch.complete) {
            return Ok(());
        }
        if self.has_all(self.fetch()?.as_ref())? {
            self.store.put(HISTORY, b"all", &true)?;
        }
        let device = self.device()?;
        let Some(known) = self.known(&device.account)? else { return Ok(()) };
        let confirmed = known.confirmed_by_entry(&device.id());
        self.begin_fetch(confirmed, Some(Gap { after, since_ms }))
    }

    fn begin_fetch(&mut self, confirmed: Digest, gap: Option<Gap>) -> Result<(), Error> {
        let device = self.device()?;
        let key = self.mls(&device).sealing_key()?;
        self.keep_fetch(&Fetch {
            confirmed: confirmed.0,
            public: Base64Url(key.public),
            private: key.private,
            // what was missed needs nobody's word
            granted: gap.is_some(),
            rows: None,
            current: 0,
            asked: Vec::new(),
            unanswered: 0,
            next_ms: 0,
            total: 0,
            messages: 0,
            from: None,
            complete: false,
            gap,
            listed_by: None,
            partial: false,
            exhausted: Vec::new(),
        })
    }

    fn fetch(&self) -> Result<Option<Fetch>, Error> {
        self.store.get(HISTORY, b"fetch")
    }

    fn keep_fetch(&self, fetch: &Fetch) -> Result<(), Error> {
        self.store.put(HISTORY, b"fetch", fetch)
    }

    /// A person wants to try again now.
    pub(crate) fn fetch_history(&mut self) -> Result<(), Error> {
        if self.fetch()?.is_none() && !self.older_devices(None)?.is_empty() {
            // an account's first device has missed what it has missed, too
            self.begin_gap(0, 0)?;
        }
        let Some(mut fetch) = self.fetch()? else {
            let message = "this is the account's first device: there are no older messages than its own";
            return self.refuse_command(&Want::ChangeAccount, Failure::misuse("history.none", message));
        };
        (fetch.unanswered, fetch.next_ms) = (0, 0);
        fetch.ask_again();
        if fetch.complete {
            fetch.begin_again();
        }
        self.keep_fetch(&fetch)
    }

    /// A person agreed, on another device.
    pub(crate) fn history_is_granted(&mut self, device: &DeviceId, value: &[u8]) -> Result<(), Error> {
        let is_mine = self.own()?.is_some_and(|own| own.id() == *device);
        if let Some(mut fetch) = self.fetch()?.filter(|_| is_mine && value == [1]) {
            let is_answered = fetch.granted && fetch.gap.is_none();
            (fetch.granted, fetch.unanswered, fetch.next_ms) = (true, 0, 0);
            if is_answered {
                // the word came after what it is about: what is here of a page stays
                return self.keep_fetch(&fetch);
            }
            if fetch.gap.take().is_some() {
                // all of it, in the place of what was missed
                fetch.begin_again();
            }
            // whoever was asked before that did not answer, and does now
            fetch.ask_again();
            self.keep_fetch(&fetch)?;
        }
        Ok(())
    }

    /// HIS-2: asks for the next page, of the next device if the last one did not answer.
    pub(crate) fn go_on_with_history(&mut self) -> Result<(), Error> {
        let Some(mut fetch) = self.fetch()?.filter(|fetch| !fetch.complete) else { return Ok(()) };
        let mut others = self.older_devices(fetch.from.map(DeviceId))?;
        others.retain(|device| !fetch.exhausted.contains(&device.0));
        if fetch.listed_by.is_some_and(|by| !others.contains(&DeviceId(by))) {
            // whoever said what there is counts no longer
            fetch.list_anew();
            self.keep_fetch(&fetch)?;
        }
        if others.is_empty() && !fetch.exhausted.is_empty() {
            // whoever else might have had more is of the account no longer
            fetch.end();
            self.tell_history(&fetch);
            return self.keep_fetch(&fetch);
        }
        if let Some(asked) = fetch.asked.first().filter(|asked| asked.device.is_some()) {
            let until_ms = asked.since_ms.saturating_add(ANSWER_MS);
            // a clock that was put back ends the waiting
            if (asked.since_ms..until_ms).contains(&self.now_ms) {
                self.wake(until_ms);
                return Ok(());
            }
            // that one is off; the messages that it has given of this page are here all the same
            fetch.ask_again();
            fetch.unanswered = fetch.unanswered.saturating_add(1);
            let in_a_round = u32::try_from(others.len()).unwrap_or(u32::MAX);
            if fetch.unanswered.checked_rem(in_a_round) == Some(0) {
                let rounds = fetch.unanswered.checked_div(in_a_round).unwrap_or_default();
                let pause_ms = ANSWER_MS.saturating_mul(1 << rounds.min(6)).min(MOST_PAUSE_MS);
                fetch.next_ms = self.now_ms.saturating_add(pause_ms);
            }
            self.keep_fetch(&fetch)?;
        }
        let everybody_was_asked = usize::try_from(fetch.unanswered).unwrap_or(usize::MAX) >= others.len();
        if others.is_empty() || (!fetch.granted && everybody_was_asked) {
            // it begins by itself once somebody agrees
            return Ok(());
        }
        if self.now_ms < fetch.next_ms && fetch.next_ms <= self.now_ms.saturating_add(MOST_PAUSE_MS) {
            self.wake(fetch.next_ms);
            return Ok(());
        }
        let turn = usize::try_from(fetch.unanswered).unwrap_or(usize::MAX).checked_rem(others.len());
        match turn.and_then(|turn| others.get(turn)).copied() {
            Some(device) => self.ask_for_page(fetch, device),
            None => Ok(()),
        }
    }

    /// The other devices: first the one that answered last, then the one that let this one in, then the oldest first.
    fn older_devices(&mut self, last: Option<DeviceId>) -> Result<Vec<DeviceId>, Error> {
        let device = self.device()?;
        let Some(known) = self.known(&device.account)? else { return Ok(Vec::new()) };
        let confirmed = known.set().confirmed();
        let by = confirmed.get(&device.id()).and_then(|own| match own.by {
            Some(Confirmer::Device(by)) => Some(by),
            Some(Confirmer::RecoveryKey) | None => None,
        });
        let mut others: Vec<_> = confirmed.iter().filter(|(id, _)| **id != device.id()).collect();
        others.sort_by_key(|(id, confirmed)| (Some(**id) != last, Some(**id) != by, confirmed.sequence));
        Ok(others.into_iter().map(|(id, _)| *id).collect())
    }

    fn ask_for_page(&mut self, mut fetch: Fetch, to: DeviceId) -> Result<(), Error> {
        if fetch.asked.is_empty() {
            let Some(wanted) = fetch.wanted() else { return Ok(()) };
            let Some(asked) = self.request_for(&fetch, wanted)? else { return Ok(()) };
            fetch.asked.push(asked);
        }
        let Some(asked) = fetch.asked.first_mut() else { return Ok(()) };
        (asked.device, asked.since_ms) = (Some(to.0), self.now_ms);
        let request = asked.request.0.clone();
        self.keep_fetch(&fetch)?;
        self.wake(self.now_ms.saturating_add(ANSWER_MS));
        self.relay(to, &RelayBody::HistoryRequest(request))
    }

    /// Asks whoever gives this page for the one after it, once that can be named.
    fn ask_ahead(&mut self, fetch: &mut Fetch, to: DeviceId) -> Result<(), Error> {
        let [asked] = fetch.asked.as_slice() else { return Ok(()) };
        let Some(wanted) = fetch.wanted_after(asked) else { return Ok(()) };
        let Some(mut ahead) = self.request_for(fetch, wanted)? else { return Ok(()) };
        (ahead.device, ahead.since_ms) = (Some(to.0), self.now_ms);
        let request = ahead.request.0.clone();
        fetch.asked.push(ahead);
        self.relay(to, &RelayBody::HistoryRequest(request))
    }

    fn request_for(&mut self, fetch: &Fetch, wanted: Wanted) -> Result<Option<Asked>, Error> {
        let device = self.device()?;
        let Some(known) = self.known(&device.account)? else { return Ok(None) };
        let request = HistoryRequest {
            account: device.account,
            generation: known.set().generation(),
            device: device.id(),
            confirmed: Digest(fetch.confirmed),
            public_key: fetch.public.0.clone(),
            nonce: random()?,
            wanted,
        };
        let request = Base64Url(request.sign(&device.chain));
        let (parts, rows) = (BTreeSet::new(), Vec::new());
        let (device, answers) = (None, None);
        Ok(Some(Asked {
            partial: false,
            request,
            since_ms: 0,
            device,
            answers,
            parts,
            count: None,
            older: false,
            lowest: u64::MAX,
            rows,
        }))
    }

    /// HIS-3: a part of a page, or of the list of what there is.
    pub(crate) fn history_part(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let Some(mut fetch) = self.fetch()?.filter(|fetch| !fetch.complete) else { return Ok(()) };
        let Ok(part) = HistoryPart::decode(bytes) else { return Ok(()) };
        let is_answered = |asked: &Asked| part.request == HistoryRequest::hash(&asked.request.0);
        let Some(which) = fetch.asked.iter().position(is_answered) else { return Ok(()) };
        let mut asked = fetch.asked.remove(which);
        let Some(signer) = self.signer_of(bytes, asked.device)? else { return Ok(()) };
        let is_turn = asked.answers.is_none_or(|answers| answers == signer.0);
        let is_counted = asked.count.is_none_or(|count| count == part.count);
        if !is_turn || !is_counted || asked.parts.contains(&part.index) {
            return Ok(());
        }
        let info = HistoryPart::info(&part.request, part.index, part.count);
        let (index, count) = (part.index, part.count);
        let sealed = Sealed { kem_output: part.kem_output, ciphertext: part.ciphertext };
        let device = self.device()?;
        let Some(plain) = self.mls(&device).open_with(&fetch.private, &info, sealed) else { return Ok(()) };
        let Ok(plain) = Plain::decode(&plain) else { return Ok(()) };
        if !fetch.may_give(&signer, &plain) {
            return Ok(());
        }
        asked.partial |= plain.is_partial();
        if !self.take_part(&mut fetch, &mut asked, plain)? {
            return Ok(());
        }
        self.memory.part_ms = self.now_ms;
        asked.parts.insert(index);
        (asked.count, asked.answers, asked.device, asked.since_ms) =
            (Some(count), Some(signer.0), Some(signer.0), self.now_ms);
        (fetch.granted, fetch.unanswered, fetch.next_ms, fetch.from) = (true, 0, 0, Some(signer.0));
        fetch.asked.insert(which, asked);
        if which == 0 && index.saturating_add(1) == count {
            self.ask_ahead(&mut fetch, signer)?;
        }
        self.tell_history(&fetch);
        while let Some(asked) = fetch.asked.first().filter(|asked| asked.is_here()).cloned() {
            fetch.asked.remove(0);
            self.page_is_here(&mut fetch, &asked)?;
        }
        self.keep_fetch(&fetch)
    }

    /// Takes in what was in a part; false if it is nothing that was asked for.
    fn take_part(&mut self, fetch: &mut Fetch, asked: &mut Asked, plain: Plain) -> Result<bool, Error> {
        match (asked.wanted(), plain) {
            (Some(Wanted::Index | Wanted::Gap), Plain::Index { rows, .. }) => {
                let since_ms = fetch.gap.map_or(0, |gap| gap.since_ms);
                asked.rows.extend(rows.iter().filter(|row| row.newest_ms >= since_ms).map(Row::new));
                Ok(true)
            }
            (
                Some(Wanted::Page { group, before } | Wanted::GapPage { group, before }),
                Plain::Messages { older, messages, .. },
            ) => {
                // whoever answers knows of nothing later than his answer
                let before = before.min(self.reached()?);
                if messages.iter().any(|message| message.group != group || message.place >= before) {
                    return Ok(false);
                }
                asked.older = older;
                let own = self.own_accounts()?;
                asked.lowest = messages.iter().fold(asked.lowest, |lowest, message| lowest.min(message.place));
                fetch.messages = fetch.messages.saturating_add(self.take_over(&messages, &own)?);
                let got = u64::try_from(messages.len()).unwrap_or(u64::MAX);
                let rows = fetch.rows.iter_mut().flat_map(|rows| rows.iter_mut().skip(fetch.current));
                // the page that comes ahead may be of the next conversation
                if let Some(row) = rows.take(2).find(|row| row.group == group) {
                    row.got = row.got.saturating_add(got);
                }
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    /// Which confirmed device of the account signed a part; `asked`: most likely this one.
    fn signer_of(&mut self, bytes: &[u8], asked: Option<[u8; 16]>) -> Result<Option<DeviceId>, Error> {
        let account = self.device()?.account;
        let Some(known) = self.known(&account)? else { return Ok(None) };
        let mut keys: Vec<(DeviceId, PublicKey)> =
            known.set().confirmed().iter().map(|(id, confirmed)| (*id, confirmed.keys.chain)).collect();
        keys.sort_by_key(|(id, _)| Some(id.0) != asked);
        Ok(keys.into_iter().find(|(_, key)| HistoryPart::is_signed(bytes, key)).map(|(id, _)| id))
    }

    fn page_is_here(&mut self, fetch: &mut Fetch, asked: &Asked) -> Result<(), Error> {
        if fetch.rows.is_none() {
            let Some(total) = total_of(&asked.rows) else {
                self.notice(Notice::new("history.refused", None, fetch.from.map(DeviceId), 0, self.now_s()))?;
                fetch.end();
                return Ok(());
            };
            // of what there is most is here already
            fetch.total = if fetch.gap.is_none() { total } else { 0 };
            fetch.rows = Some(asked.rows.clone());
            (fetch.listed_by, fetch.partial) = (asked.answers, asked.partial);
        } else if let Some(row) = fetch.rows.as_ref().and_then(|rows| rows.get(fetch.current)).cloned() {
            let next = fetch.next_in(&row, asked.lowest, asked.older);
            match (next, fetch.rows.as_mut().and_then(|rows| rows.get_mut(fetch.current))) {
                (Some(next), Some(row)) => row.before = next,
                _ => {
                    fetch.current = fetch.current.saturating_add(1);
                    let own = self.own_accounts()?;
                    self.conversation_is_here(&row.group, &own)?;
                }
            }
        }
        match fetch.wanted() {
            None => self.device_gave_all(fetch)?,
            // what was asked for ahead was a guess
            wanted => fetch.asked.retain(|ahead| ahead.wanted() == wanted),
        }
        self.tell_history(fetch);
        Ok(())
    }

    /// True while parts of old messages come in, and for a moment after; it comes back then.
    pub(crate) fn history_comes_first(&mut self) -> bool {
        let until_ms = self.memory.part_ms.saturating_add(AFTER_A_PART_MS);
        // a clock that was put back ends it
        let is_so = (self.memory.part_ms..until_ms).contains(&self.now_ms);
        if is_so {
            self.wake(until_ms);
        }
        is_so
    }

    fn tell_history(&mut self, fetch: &Fetch) {
        let (messages, complete) = (fetch.messages, fetch.complete);
        self.event(Event::History { messages, total: fetch.total.max(messages), complete });
    }
}

impl Row {
    fn new(row: &IndexRow) -> Self {
        Self { group: row.group, before: u64::MAX, said: row.messages, got: 0 }
    }
}

/// How many messages a list of what there is comes to; nothing if nobody can have that much (HIS-3, attack 48).
fn total_of(rows: &[Row]) -> Option<u64> {
    let total = rows.iter().fold(0_u64, |sum, row| sum.saturating_add(row.said));
    (total <= MAX_MESSAGES && rows.len() <= MAX_CONVERSATIONS).then_some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// HIS-3, attack 48.
    #[test]
    fn a_list_of_more_than_anybody_has_is_refused() {
        let row = |said| Row { group: GroupId([1; 32]), before: u64::MAX, said, got: 0 };
        assert_eq!(total_of(&[]), Some(0));
        assert_eq!(total_of(&[row(7), row(MAX_MESSAGES - 7)]), Some(MAX_MESSAGES));
        assert_eq!(total_of(&[row(7), row(MAX_MESSAGES - 6)]), None);
        assert_eq!(total_of(&[row(u64::MAX), row(u64::MAX)]), None);
        assert_eq!(total_of(&vec![row(1); MAX_CONVERSATIONS + 1]), None);
    }
}
