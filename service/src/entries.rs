//! Admission: what a proposal has to pass on its caller's thread before the sequencer sees it.
//!
//! Cheap refusals come first, signatures last, so that a flood costs little and delays nobody (attacks 13, 28). What is
//! admitted is judged again by the sequencer against the newest state; only the signatures are not checked twice.

use std::net::IpAddr;

use chain::audit::BlockBroken;
use chain::id::{AccountId, Digest, PublicKey};
use chain::sigchain::body::Body;
use chain::sigchain::broken::RuleBroken;
use chain::sigchain::device_set::DeviceSet;
use chain::sigchain::entry::{Claim, Entry, Proposal};
use chain::sigchain::fold::Ground;
use chain::sigchain::rules::REQUEST_LAPSES_AFTER_S;
use protocol::limits::{DAY_S, MIN_FREE_PERCENT};
use tokio::sync::oneshot;

use crate::accounts::secret::Secret;
use crate::disk::store::{Store, StoredEntry};
use crate::http::refusal::Refusal;
use crate::record::Record;
use crate::sequencer::judge::{Reads, judge_unit, own_claim};
use crate::shared::Shared;

/// Kinds that open a request, by number (DeviceAdded, ResetRequested).
const REQUEST_KINDS: [u8; 2] = [2, 9];

/// Where an accepted entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Accepted {
    pub(crate) entry: Digest,
    pub(crate) account: AccountId,
    pub(crate) sequence: u64,
    pub(crate) block: u64,
}

/// Entries that stand or fall together, ascending by account: one, or a reset with its successor.
#[derive(Debug)]
pub(crate) struct Submission {
    pub(crate) entries: Vec<Entry>,
    /// Signatures that hold.
    pub(crate) checked: Vec<Claim>,
    /// The account whose entry the caller proposed.
    pub(crate) proposed: AccountId,
    /// Who waits.
    pub(crate) reply: oneshot::Sender<Result<Accepted, Refusal>>,
}

/// What a caller waits on.
pub(crate) type Reply = oneshot::Receiver<Result<Accepted, Refusal>>;

/// Entries that passed their checks and wait to be queued.
#[derive(Debug)]
pub(crate) struct Admitted {
    pub(crate) entries: Vec<Entry>,
    /// Signatures that hold.
    pub(crate) checked: Vec<Claim>,
    /// The account whose entry the caller proposed.
    pub(crate) proposed: AccountId,
}

/// What becomes of a proposal that nothing speaks against.
#[derive(Debug)]
pub(crate) enum Admission {
    /// It is sealed already.
    Sealed(Accepted),
    /// It is to be queued.
    New(Admitted),
}

impl Shared {
    /// Admits one proposal and queues it. A new device of an account with a password shows a `permit`.
    pub(crate) fn submit(&self, bytes: &[u8], permit: Option<&Secret>, address: IpAddr) -> Result<Reply, Refusal> {
        // before block 0 nothing is looked at
        self.record()?;
        match self.admit(Proposal::decode(bytes)?, permit, address)? {
            Admission::Sealed(accepted) => Ok(answered(accepted)),
            Admission::New(admitted) => self.queue(admitted),
        }
    }

    /// Checks one proposal.
    pub(crate) fn admit(
        &self,
        proposal: Proposal,
        permit: Option<&Secret>,
        address: IpAddr,
    ) -> Result<Admission, Refusal> {
        let record = self.record()?;
        self.check_disk()?;
        if matches!(proposal.statement.body, Body::AccountReset { .. }) {
            return Err(Refusal::NotProposable);
        }
        if let Some(accepted) = self.sealed_before(&proposal)? {
            return Ok(Admission::Sealed(accepted));
        }
        let now_s = self.now_s();
        let proposed = proposal.statement.position.account;
        let opens_account = matches!(proposal.statement.body, Body::AccountCreated { .. });
        if opens_account {
            self.rates().check_new_account(&self.limits, address, now_s)?;
        }
        let unspent = self.check_permit(&proposal, permit, now_s)?;
        let (entries, checked) = self.readers.with(|store| {
            let reads = Reads::new(store, None);
            self.check_limits(store, &reads, &proposal, now_s)?;
            let entry = proposal.complete(&record.parameters.origin, &self.keys.entry);
            let entries = vec![entry];
            let checked = self.check(record, &reads, &entries, now_s)?;
            Ok::<_, Refusal>((entries, checked))
        })?;
        if let Some(unspent) = &unspent {
            self.spend(unspent, now_s)?;
        }
        if opens_account {
            self.rates().add_new_account(&self.limits, address, now_s);
        }
        Ok(Admission::New(Admitted { entries, checked, proposed }))
    }

    /// A device whose answer was lost asks again: if the account's newest entry is this very proposal, the answer is the
    /// same as before. Older ones are not looked for: who sends those again has another aim (attack 3).
    fn sealed_before(&self, proposal: &Proposal) -> Result<Option<Accepted>, Refusal> {
        let position = proposal.statement.position;
        self.readers.with(|store| {
            let newest = store.account(&position.account)?.filter(|set| set.sequence() == position.sequence);
            let Some(set) = newest else { return Ok(None) };
            let entry = proposal.clone().complete(&self.origin, &self.keys.entry).hash();
            let stored = store.entries_since(&position.account, position.sequence, u64::MAX, 1)?;
            let place = stored.first().filter(|_| entry == set.head());
            Ok(place.map(|stored| Accepted {
                entry,
                account: position.account,
                sequence: position.sequence,
                block: stored.block,
            }))
        })
    }

    /// Hands checked entries to the sequencer.
    pub(crate) fn queue(&self, admitted: Admitted) -> Result<Reply, Refusal> {
        let Admitted { entries, checked, proposed } = admitted;
        let (reply, waiting) = oneshot::channel();
        self.propose(Submission { entries, checked, proposed, reply })?;
        Ok(waiting)
    }

    /// Folds completed entries and checks every signature but the service's own.
    pub(crate) fn check(
        &self,
        record: &Record,
        reads: &Reads<'_>,
        entries: &[Entry],
        now_s: u64,
    ) -> Result<Vec<Claim>, Refusal> {
        let newest = record.newest().map(|(_, head)| head.header);
        let root_at = |size| record.root_at(size);
        let ground = Ground {
            parameters: &record.parameters,
            block: newest.as_ref().map_or(0, |header| header.number.saturating_add(1)),
            time_s: now_s.max(newest.as_ref().map_or(0, |header| header.time_s)),
            root_at: &root_at,
        };
        let (_, claims) = judge_unit(entries, reads, &ground)?;
        let key = PublicKey::from(&self.keys.entry);
        let own: Vec<Claim> =
            entries.iter().filter_map(|entry| own_claim(entry, &record.parameters.origin, key)).collect();
        let broken = |place| BlockBroken::Entry { index: 0, reason: RuleBroken::Signature { place } };
        for (place, claim) in claims.iter().enumerate() {
            if !own.contains(claim) && !claim.holds() {
                return Err(broken(place).into());
            }
        }
        Ok(claims)
    }

    /// BLK-7: nothing is promised when the disk is nearly full.
    pub(crate) fn check_disk(&self) -> Result<(), Refusal> {
        let free = (self.free_percent)(self.folder.root()).map_err(|error| Refusal::Broken(error.into()))?;
        if free < MIN_FREE_PERCENT { Err(Refusal::StoreFull) } else { Ok(()) }
    }

    /// The limits of one account. Exact although nothing is locked: each accepted entry moves the head that the next
    /// one has to name, so of two that pass here only one is taken.
    fn check_limits(&self, store: &Store, reads: &Reads<'_>, proposal: &Proposal, now_s: u64) -> Result<(), Refusal> {
        let Some(set) = reads.account(&proposal.statement.position.account) else { return Ok(()) };
        let body = &proposal.statement.body;
        if let Some(max) = self.limits.open_requests
            && matches!(body, Body::DeviceAdded { .. })
        {
            check_open(&set, max.get(), now_s)?;
        }
        let count = self.limits.entries_a_day.map_or(0, std::num::NonZeroU32::get);
        let newest = store.newest_entries(&set.account(), count)?;
        if let Some(max) = self.limits.entries_a_day {
            check_window("entries of this account", newest.iter(), max.get(), now_s)?;
        }
        if let Some(max) = self.limits.requests_a_day
            && matches!(body, Body::DeviceAdded { .. } | Body::ResetRequested { .. })
        {
            let requests = newest.iter().filter(|entry| REQUEST_KINDS.contains(&entry.kind));
            check_window("requests of this account", requests, max.get(), now_s)?;
        }
        Ok(())
    }
}

/// A reply that is there already.
fn answered(accepted: Accepted) -> Reply {
    let (reply, waiting) = oneshot::channel();
    // the receiver is held here, so it is taken
    reply.send(Ok(accepted)).unwrap_or_default();
    waiting
}

/// Attack 13: one popup at a time.
fn check_open(set: &DeviceSet, max: u32, now_s: u64) -> Result<(), Refusal> {
    let lapses = set.pending().values().map(|pending| pending.opened_at_s.saturating_add(REQUEST_LAPSES_AFTER_S));
    let open: Vec<u64> = lapses.filter(|at_s| *at_s > now_s).collect();
    match open.iter().min() {
        Some(first) if open.len() >= max as usize => Err(Refusal::RateLimited {
            what: "open requests of this account",
            retry_after_s: first.saturating_sub(now_s),
        }),
        _ => Ok(()),
    }
}

/// Refuses if the `max`-th newest entry is less than a day old. `entries` are newest first.
fn check_window<'e>(
    what: &'static str,
    mut entries: impl Iterator<Item = &'e StoredEntry>,
    max: u32,
    now_s: u64,
) -> Result<(), Refusal> {
    let free_at_s = entries.nth(max.saturating_sub(1) as usize).map_or(0, |oldest| oldest.time_s.saturating_add(DAY_S));
    if free_at_s <= now_s { Ok(()) } else { Err(Refusal::RateLimited { what, retry_after_s: free_at_s - now_s }) }
}
