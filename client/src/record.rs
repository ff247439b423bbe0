//! What this device has seen of the public record: one view of the log, and the accounts that matter to it, each with
//! all its entries. Rules CHK-1 to CHK-8; everything is checked by `chain::view`, nothing here decides what is valid.
//!
//! An account is asked for again when the last look is an hour old, when the service hints at a change, and when a
//! group names a newer place of its sigchain (CHK-8).

use chain::account::ProvenAccount;
use chain::encoding::{Reader, Writer};
use chain::handle::{Handle, HandleState, VrfProof};
use chain::id::{AccountId, DeviceId, Digest, HandleLabel, PublicKey};
use chain::log::merkle;
use chain::log::policy::Policy;
use chain::proven::{ProvenGenesis, ProvenHeader, ProvenRecord};
use chain::sigchain::body::Body;
use chain::sigchain::device_set::DeviceSet;
use chain::sigchain::entry::{Entry, SeenCheckpoint};
use chain::stamped::{StampedEntry, fold_stamped};
use chain::view::{
    AccountEvidence, HandleEvidence, LogEvidence, REFRESH_AFTER_S, SKEW_S, STALE_AFTER_S, View, ViewError,
};
use protocol::api::{
    ACCOUNTS, AccountAnswer, GENESIS, GenesisAnswer, HANDLE_LOOKUP, HandleAnswer, HandleQuestion, Head,
};
use protocol::members::Standing;
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::pausing::Pause;
use crate::step::{Blame, Event, Failure};
use crate::store::Store;
use crate::turn::{Flight, Purpose, Turn, get, post};

const RECORD: &str = "record";
const ACCOUNT: &str = "account";
const HANDLE: &str = "handle";
/// How long what is known of an account is good for sending (CHK-5), milliseconds.
pub(crate) const FRESH_MS: u64 = REFRESH_AFTER_S.saturating_mul(1_000);
/// How long it may be used if nobody can look again, by the witnesses' time (CHK-5), seconds.
pub(crate) const BOUND_S: u64 = STALE_AFTER_S.saturating_add(SKEW_S);
/// How long what is known of a handle is good, milliseconds.
const HANDLE_MS: u64 = 60_000;
/// How long the service is left alone after an answer that cannot be believed, milliseconds.
pub(crate) const TROUBLE_MS: u64 = 5_000;

/// An account that matters here.
#[derive(Debug, Clone)]
pub(crate) struct Known {
    /// Its newest proven state.
    pub(crate) account: ProvenAccount,
    /// What groups name that state by.
    pub(crate) standing: Standing,
    /// All its entries.
    pub(crate) entries: Vec<StampedEntry>,
    /// The state after each of them.
    states: Vec<(Standing, DeviceSet)>,
    /// When it was last proven, by this device's clock, milliseconds.
    checked_ms: u64,
    /// When the record that proved it was cosigned, seconds since 1970.
    witnessed_s: u64,
    /// The service said since then that something is new.
    hinted: bool,
}

#[derive(Serialize, Deserialize)]
struct StoredKnown {
    proven: Vec<u8>,
    entries: Vec<(u64, u64, Vec<u8>)>,
    checked_ms: u64,
    #[serde(default)]
    witnessed_s: u64,
    hinted: bool,
}

/// Who holds a handle, as last proven.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Holder {
    pub(crate) account: Option<[u8; 32]>,
    pub(crate) label: [u8; 32],
    checked_ms: u64,
}

impl Known {
    /// The state after the entry that a standing names, if it is that.
    pub(crate) fn set_at(&self, standing: &Standing) -> Option<&DeviceSet> {
        self.states.iter().find(|(at, _)| at == standing).map(|(_, set)| set)
    }

    /// Hash of the entry that made a device count: its confirmation, or the account's first one.
    pub(crate) fn confirmed_by_entry(&self, device: &DeviceId) -> Digest {
        let entries = || self.entries.iter().filter_map(|stamped| Entry::decode(&stamped.entry).ok());
        let confirms =
            |entry: &Entry| matches!(&entry.statement.body, Body::DeviceConfirmed(answer) if answer.device == *device);
        let entry = entries().find(confirms).or_else(|| entries().next());
        entry.map_or(Digest::ZERO, |entry| entry.hash())
    }

    /// When it was last proven, by this device's clock, milliseconds.
    pub(crate) fn checked_ms(&self) -> u64 {
        self.checked_ms
    }

    /// When it was so, whatever the service says: an old record that is shown again says nothing of now.
    pub(crate) fn seen_s(&self) -> u64 {
        self.witnessed_s.min(self.checked_ms / 1_000)
    }

    /// True if a device with this leaf key counted at any time.
    pub(crate) fn ever_confirmed(&self, device: &DeviceId, key: &PublicKey) -> bool {
        let confirmed = self.states.iter().filter_map(|(_, set)| set.confirmed().get(device));
        confirmed.into_iter().any(|it| it.keys.mls == *key)
    }

    /// The newest state.
    pub(crate) fn set(&self) -> &DeviceSet {
        self.account.set()
    }

    /// The state after each entry.
    pub(crate) fn sets(&self) -> impl Iterator<Item = &DeviceSet> {
        self.states.iter().map(|(_, set)| set)
    }
}

/// A trouble with the record that lasts: nothing new is believed meanwhile.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Trouble {
    pub(crate) code: String,
    /// True for a lie: sending stops for good.
    pub(crate) is_lie: bool,
    /// True if what convicts the service was handed out to be kept.
    #[serde(default)]
    pub(crate) has_evidence: bool,
    pub(crate) since_ms: u64,
}

impl Turn<'_> {
    /// The view; asks for the first look if there is none yet.
    pub(crate) fn view(&mut self) -> Result<Option<&View>, Error> {
        if self.memory.view.is_none() {
            self.memory.view = stored_view(&self.store)?;
        }
        if self.memory.view.is_none() {
            self.ask(Purpose::Genesis, get(GENESIS));
        }
        Ok(self.memory.view.as_ref())
    }

    /// What is known of an account, from memory or from the store; asks nobody.
    pub(crate) fn known(&mut self, account: &AccountId) -> Result<Option<&Known>, Error> {
        if self.memory.accounts.get(account).is_none()
            && let Some(stored) = self.store.get::<StoredKnown>(ACCOUNT, &account.0)?
            && self.view()?.is_some()
        {
            let view = self.memory.view.as_ref().ok_or(Error::Fault("an account without a view"))?;
            let known = restore(view, stored)?;
            self.memory.accounts.insert(*account, known);
        }
        Ok(self.memory.accounts.get(account))
    }

    fn keep_account(&self, id: &AccountId, known: &Known) -> Result<(), Error> {
        let mut w = Writer::new();
        known.account.proven().encode(&mut w);
        let entries = known.entries.iter().map(|it| (it.block, it.time_s, it.entry.clone())).collect();
        let (checked_ms, witnessed_s, hinted) = (known.checked_ms, known.witnessed_s, known.hinted);
        self.store.put(ACCOUNT, &id.0, &StoredKnown { proven: w.finish(), entries, checked_ms, witnessed_s, hinted })
    }

    /// An account as fresh as sending demands it (CHK-5, SND-1); asks if it is not. `None`: not now.
    pub(crate) fn fresh(&mut self, account: &AccountId) -> Result<Option<&Known>, Error> {
        if self.is_fresh(account)? {
            return Ok(self.memory.accounts.get(account));
        }
        self.refresh(account)?;
        Ok(None)
    }

    /// True if an account is known as well as sending demands it (CHK-5, SND-1).
    pub(crate) fn is_fresh(&mut self, account: &AccountId) -> Result<bool, Error> {
        let (now_ms, now_s) = (self.now_ms, self.now_s());
        let fresh = self.known(account)?.is_some_and(|known| {
            let (age_ms, age_s) = (now_ms.saturating_sub(known.checked_ms), now_s.saturating_sub(known.seen_s()));
            !known.hinted && age_ms <= FRESH_MS && age_s <= BOUND_S
        });
        Ok(fresh)
    }

    /// Looks at an account again.
    pub(crate) fn refresh(&mut self, account: &AccountId) -> Result<(), Error> {
        if self.view()?.is_none() {
            return Ok(());
        }
        let since = self.known(account)?.map_or(0, |known| known.entries.len());
        let from = self.memory.view.as_ref().map_or(0, View::size);
        self.ask(Purpose::Account(*account), get(format!("{ACCOUNTS}{account}?since={since}&from={from}")));
        Ok(())
    }

    /// Looks at an account again because somebody names a newer place of the record (CHK-8). Whoever is shown the same once more
    /// waits longer from time to time, or he would ask as fast as the network is.
    pub(crate) fn look_further(&mut self, account: &AccountId) -> Result<(), Error> {
        if !self.may_ask(&Purpose::Account(*account)) {
            return Ok(());
        }
        let now_ms = self.now_ms;
        let pause = self.memory.further.entry(*account).or_default();
        if let Some(end_ms) = pause.end_ms(now_ms) {
            self.wake(end_ms);
            return Ok(());
        }
        pause.begin(now_ms);
        self.refresh(account)
    }

    /// True if somebody names a place of the record that is not shown here, though it was asked for some times.
    pub(crate) fn is_held_back(&self, account: &AccountId) -> bool {
        self.memory.further.get(account).is_some_and(Pause::is_long)
    }

    /// The service says that an account has changed (CHK-8).
    pub(crate) fn hint(&mut self, account: &AccountId) -> Result<(), Error> {
        let known = self.known(account)?.is_some();
        if known && let Some(mut known) = self.memory.accounts.remove(account) {
            known.hinted = true;
            self.keep_account(account, &known)?;
            self.memory.accounts.insert(*account, known);
        }
        self.overtake(&Purpose::Account(*account));
        self.refresh(account)
    }

    /// Who holds a handle, proven within the last minute; asks if that is not known. The inner `None`: nobody.
    pub(crate) fn holder(&mut self, handle: &Handle) -> Result<Option<Holder>, Error> {
        let held: Option<Holder> = self.store.get(HANDLE, &self.store.pseudonym(HANDLE, handle.as_str()))?;
        if let Some(held) = held.filter(|held| self.now_ms.saturating_sub(held.checked_ms) <= HANDLE_MS) {
            return Ok(Some(held));
        }
        if let Some(from) = self.view()?.map(View::size) {
            let name = handle.as_str().to_owned();
            let question = HandleQuestion { handle: name.clone(), from: Some(from) };
            self.ask(Purpose::Handle(name), post(HANDLE_LOOKUP, &question)?);
        }
        Ok(None)
    }

    /// What stops the record from being believed now.
    pub(crate) fn trouble(&self) -> Result<Option<Trouble>, Error> {
        stored_trouble(&self.store)
    }

    /// The service was caught in a lie that another part found.
    pub(crate) fn stop_believing(&mut self, code: &str) -> Result<(), Error> {
        let trouble = Trouble { code: code.to_owned(), is_lie: true, has_evidence: false, since_ms: self.now_ms };
        self.store.put(RECORD, b"trouble", &trouble)
    }

    fn begin_trouble(&mut self, error: &ViewError) -> Result<(), Error> {
        let (code, is_lie) = (error.code().to_owned(), matches!(error, ViewError::Lie { .. }));
        let before = self.trouble()?;
        if let ViewError::Lie { evidence, .. } = error {
            self.event(Event::Lie { code: code.clone(), evidence: evidence.encode() });
        }
        if before.is_none_or(|before| !before.is_lie) {
            self.store.put(
                RECORD,
                b"trouble",
                &Trouble { code, is_lie, has_evidence: is_lie, since_ms: self.now_ms },
            )?;
        }
        // whoever needs the answer asks again at once, and would for ever
        self.pause_for(TROUBLE_MS);
        Ok(())
    }

    fn end_trouble(&mut self) -> Result<(), Error> {
        match self.trouble()? {
            Some(trouble) if !trouble.is_lie => {
                self.store.remove(RECORD, b"trouble")?;
                self.send_checked()
            }
            _ => Ok(()),
        }
    }

    fn keep_view(&mut self, view: View) -> Result<(), Error> {
        if self.memory.view.as_ref() != Some(&view) {
            if self.memory.view.as_ref().is_none_or(|before| before.size() < view.size()) {
                self.memory.further.clear();
            }
            self.store.put_bytes(RECORD, b"view", &view.encode())?;
            self.memory.view = Some(view);
        }
        Ok(())
    }

    /// Takes in the first look (CHK-1, CHK-2). `policy` is the one to pin, or else that of block 0.
    pub(crate) fn take_genesis(&mut self, body: &[u8], policy: Option<Policy>) -> Result<Result<(), Failure>, Error> {
        let Ok(answer) = serde_json::from_slice::<GenesisAnswer>(body) else { return Ok(Err(unreadable())) };
        let in_block = || chain::block::Parameters::decode(&answer.parameters.0).map(|it| it.policy);
        let policy = match policy {
            Some(policy) => policy,
            None => match in_block() {
                Ok(policy) => policy,
                Err(_) => return Ok(Err(unreadable())),
            },
        };
        let newest = newest(&answer.head);
        let genesis = ProvenGenesis {
            header: answer.genesis.0,
            inclusion: answer.genesis_inclusion.0,
            parameters: answer.parameters.0,
        };
        match View::begin(policy, genesis, newest, self.now_s()) {
            Ok(view) => self.keep_view(view).map(Ok),
            Err(error) => Ok(Err(failure(&error))),
        }
    }

    /// Moves the view on to an answer's head. `Ok(false)`: the view has moved meanwhile, ask again.
    fn take_head(&mut self, head: &Head, flight: Flight) -> Result<Result<bool, ViewError>, Error> {
        let Some(view) = self.memory.view.as_ref() else { return Ok(Ok(false)) };
        if flight.view_size != view.size() {
            return Ok(Ok(false));
        }
        let consistency = head.consistency.clone().unwrap_or_default().0;
        match view.advance(&LogEvidence { newest: newest(head), consistency }, self.now_s()) {
            Ok(view) => self.keep_view(view).map(|()| Ok(true)),
            Err(error) => Ok(Err(error)),
        }
    }

    /// Takes in what the service says of an account.
    pub(crate) fn take_account(&mut self, id: &AccountId, body: &[u8], flight: Flight) -> Result<(), Error> {
        let Ok(answer) = serde_json::from_slice::<AccountAnswer>(body) else {
            return self.begin_trouble(&ViewError::Proof(chain::proven::Unproven::Map));
        };
        match self.take_head(&answer.head, flight)? {
            Ok(true) => {}
            Ok(false) => return self.refresh(id),
            Err(error) => return self.begin_trouble(&error),
        }
        if let Err(error) = self.prove_account(id, answer, flight)? {
            return self.begin_trouble(&error);
        }
        if flight.is_overtaken {
            self.refresh(id)?;
        }
        self.end_trouble()
    }

    fn prove_account(
        &mut self,
        id: &AccountId,
        answer: AccountAnswer,
        flight: Flight,
    ) -> Result<Result<(), ViewError>, Error> {
        let before = self.known(id)?.cloned();
        let new = answer.entries.into_iter();
        let new: Vec<_> =
            new.map(|it| StampedEntry { block: it.block, time_s: it.time_s, entry: it.entry.0 }).collect();
        let Some(view) = self.memory.view.as_ref() else { return Ok(Ok(())) };
        if answer.record.0.is_empty() {
            let absent = view.absent(*id, &answer.map_proof.0);
            self.memory.joining.absent = absent.is_ok().then_some((*id, view.header().number));
            return Ok(absent);
        }
        if answer.more {
            // more entries than one answer takes: nobody needs that many devices
            return Ok(Err(ViewError::Proof(chain::proven::Unproven::Map)));
        }
        let evidence = AccountEvidence { proof: answer.map_proof.0, record: answer.record.0, entries: new.clone() };
        let account = match view.account(*id, before.as_ref().map(|known| &known.account), &evidence) {
            Ok(account) => account,
            Err(error) => return Ok(Err(error)),
        };
        let (mut entries, states) = before.map_or_else(Default::default, |known| (known.entries, known.states));
        let Some(states) = states_after(view, states, &new) else {
            return Ok(Err(ViewError::Proof(chain::proven::Unproven::Map)));
        };
        entries.extend(new);
        let (standing, witnessed_s) = (Standing::of(account.set()), view.witnessed_s());
        let (checked_ms, hinted) = (self.now_ms, flight.is_overtaken);
        let known = Known { account, standing, entries, states, checked_ms, witnessed_s, hinted };
        self.keep_account(id, &known)?;
        self.memory.accounts.insert(*id, known);
        self.tell_of_reset(id)?;
        Ok(Ok(()))
    }

    /// Takes in what the service says of a handle (CHK-4).
    pub(crate) fn take_handle(&mut self, name: &str, body: &[u8], flight: Flight) -> Result<(), Error> {
        let Ok(handle) = Handle::parse(name) else { return Ok(()) };
        let malformed = ViewError::Proof(chain::proven::Unproven::Map);
        let Ok(answer) = serde_json::from_slice::<HandleAnswer>(body) else { return self.begin_trouble(&malformed) };
        match self.take_head(&answer.head, flight)? {
            Ok(true) => {}
            Ok(false) => return self.holder(&handle).map(|_| ()),
            Err(error) => return self.begin_trouble(&error),
        }
        let Ok(vrf) = <[u8; VrfProof::LEN]>::try_from(answer.vrf_proof.0) else {
            return self.begin_trouble(&malformed);
        };
        let evidence = HandleEvidence { vrf, proof: answer.map_proof.0, head: answer.handle_head.0 };
        let Some(view) = self.memory.view.as_ref() else { return Ok(()) };
        match view.handle(&handle, &evidence) {
            Ok((HandleLabel(label), head)) => {
                let bound = head.filter(|head| head.state == HandleState::Bound);
                let account = bound.map(|head| head.account.0);
                let holder = Holder { account, label, checked_ms: self.now_ms };
                self.store.put(HANDLE, &self.store.pseudonym(HANDLE, handle.as_str()), &holder)?;
                self.end_trouble()
            }
            Err(error) => self.begin_trouble(&error),
        }
    }

    /// The newest checkpoint seen, as entries and messages name it.
    pub(crate) fn checkpoint(&self) -> SeenCheckpoint {
        let view = self.memory.view.as_ref();
        view.map_or(SeenCheckpoint { size: 0, root: merkle::empty_root() }, |view| SeenCheckpoint {
            size: view.size(),
            root: view.root(),
        })
    }
}

/// An account's newest state as it was proven and kept, for showing.
pub(crate) fn kept_set(store: &Store<'_>, account: &AccountId) -> Result<Option<DeviceSet>, Error> {
    let Some(stored) = store.get::<StoredKnown>(ACCOUNT, &account.0)? else { return Ok(None) };
    let mut reader = Reader::new(&stored.proven);
    let proven = ProvenRecord::decode(&mut reader).map_err(|_| Error::Damaged)?;
    DeviceSet::decode(&proven.record).map(Some).map_err(|_| Error::Damaged)
}

/// When an account's newest entry was sealed, seconds since 1970.
pub(crate) fn newest_entry_s(store: &Store<'_>, account: &AccountId) -> Result<Option<u64>, Error> {
    let stored: Option<StoredKnown> = store.get(ACCOUNT, &account.0)?;
    Ok(stored.and_then(|stored| stored.entries.last().map(|(_, time_s, _)| *time_s)))
}

/// The view as the store has it.
pub(crate) fn stored_view(store: &Store<'_>) -> Result<Option<View>, Error> {
    let bytes = store.bytes(RECORD, b"view")?;
    bytes.map(|bytes| View::decode(&bytes).map_err(|_| Error::Damaged)).transpose()
}

/// An account as the store has it.
pub(crate) fn stored_trouble(store: &Store<'_>) -> Result<Option<Trouble>, Error> {
    store.get(RECORD, b"trouble")
}

pub(crate) fn stored_account(store: &Store<'_>, view: &View, account: &AccountId) -> Result<Option<Known>, Error> {
    store.get::<StoredKnown>(ACCOUNT, &account.0)?.map(|stored| restore(view, stored)).transpose()
}

fn restore(view: &View, stored: StoredKnown) -> Result<Known, Error> {
    let mut reader = Reader::new(&stored.proven);
    let proven = ProvenRecord::decode(&mut reader).map_err(|_| Error::Damaged)?;
    let account = ProvenAccount::restore(view.policy(), proven).map_err(|_| Error::Damaged)?;
    let entries = stored.entries.into_iter();
    let entries: Vec<_> = entries.map(|(block, time_s, entry)| StampedEntry { block, time_s, entry }).collect();
    let states = states_after(view, Vec::new(), &entries).ok_or(Error::Damaged)?;
    let standing = Standing::of(account.set());
    let StoredKnown { checked_ms, witnessed_s, hinted, .. } = stored;
    Ok(Known { account, standing, entries, states, checked_ms, witnessed_s, hinted })
}

/// The states after each entry: those that are there and those that new entries give.
fn states_after(
    view: &View,
    mut states: Vec<(Standing, DeviceSet)>,
    new: &[StampedEntry],
) -> Option<Vec<(Standing, DeviceSet)>> {
    for entry in new {
        let before = states.last().map(|(_, set)| set.clone());
        let root_at = |size| view.seen_root(size);
        let set = fold_stamped(before, std::slice::from_ref(entry), view.parameters(), &root_at).ok()?;
        states.push((Standing::of(&set), set));
    }
    Some(states)
}

fn newest(head: &Head) -> ProvenHeader {
    ProvenHeader {
        checkpoint: head.checkpoint.clone().into_bytes(),
        header: head.header.0.clone(),
        inclusion: head.inclusion.0.clone(),
    }
}

fn unreadable() -> Failure {
    let message = "the service's answer is not one".to_owned();
    Failure { code: "chain.proof_invalid".to_owned(), blame: Blame::Lie, message }
}

/// What a verifier found, as a failure.
pub(crate) fn failure(error: &ViewError) -> Failure {
    Failure { code: error.code().to_owned(), blame: Blame::Lie, message: error.to_string() }
}
