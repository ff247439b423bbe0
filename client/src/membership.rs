//! Whom a group has and whom it should have: the facts for the one rule (`protocol::members`), and what a sender has to
//! change before it sends (SND-1).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chain::id::{AccountId, DeviceId, Digest};
use chain::sigchain::device_set::{AccountState, ConfirmedDevice, DeviceSet};
use protocol::api::accounts::DEVICE_UNCONFIRMED;
use protocol::id::GroupId;
use protocol::members::{Composition, Members, MembersBroken, Record, Roles, Standing};

use crate::contacts::was_reset;
use crate::conversation::Conversation;
use crate::error::Error;
use crate::record::{BOUND_S, FRESH_MS, Known};
use crate::step::{Blame, Failure};
use crate::turn::{Purpose, Turn};
use crate::unchecked::{old_enough, unchecked};

/// Most groups of which it is remembered that they are as they should be.
const MOST_SETTLED: usize = 256;

/// Facts of the record that a composition needs, all of them proven.
pub(crate) struct Facts {
    size: u64,
    root: Digest,
    sets: BTreeMap<AccountId, DeviceSet>,
}

impl Facts {
    /// Asks the rule with these facts.
    pub(crate) fn judge(
        &self,
        rule: impl FnOnce(&Record<'_>) -> Result<(), MembersBroken>,
    ) -> Result<(), MembersBroken> {
        let root = |size: u64| (size == self.size).then_some(self.root);
        let set = |account: &AccountId, _: &Standing| self.sets.get(account).cloned();
        rule(&Record { root: &root, set: &set })
    }
}

/// What has to change before anything is sent.
pub(crate) struct Difference {
    pub(crate) add: Vec<ConfirmedDevice>,
    pub(crate) remove: Vec<DeviceId>,
    /// The group's members afterwards.
    pub(crate) members: Members,
    /// Who lets people in and out afterwards, if that changes.
    pub(crate) roles: Option<Roles>,
}

/// A group that was as it should be. To find that out takes as long as there are members, so it is remembered.
pub(crate) struct Settled {
    composition: Arc<Composition>,
    /// Of the accounts that it was compared with.
    version: u64,
    /// When the last of them was looked at, and when the first look will be too long ago.
    since_ms: u64,
    until_ms: u64,
    /// When the record was seen to be so about the one who was looked at longest ago, by the witnesses' time.
    seen_s: u64,
}

/// What an account should have in a group; `Ok(None)`: not known yet.
type Expected = Result<Option<(Standing, Vec<ConfirmedDevice>)>, Failure>;

/// Whether something can be sent.
pub(crate) enum Standpoint {
    /// The group is as it should be, as far as is known; how long the record could not be checked, if that is to be told.
    Fits(Option<u64>),
    /// The group's members are known well enough; this has to change first.
    Differs(Difference),
    /// Something is being fetched.
    Later,
    /// It waits for a person or for better times.
    Held(Failure),
}

impl Turn<'_> {
    /// The facts for a composition, fetched where they are lacking. `None`: not yet (GRP-5).
    pub(crate) fn facts(&mut self, id: &GroupId, group: &Composition) -> Result<Option<Facts>, Error> {
        let Some(first) = group.members.accounts.keys().next().copied() else {
            return Ok(Some(Facts { size: 0, root: Digest::ZERO, sets: BTreeMap::new() }));
        };
        let mut sets = BTreeMap::new();
        let mut lookups = BTreeSet::new();
        for (account, standing) in &group.members.accounts {
            let known = self.known(account)?;
            let place = (standing.generation, standing.sequence);
            let found = known.and_then(|known| known.set_at(standing).cloned());
            // an account that is known beyond the named place has another record than the group names
            let beyond = known.map(|known| known.set().clone());
            let beyond = beyond.filter(|set| (set.generation(), set.sequence()) >= place);
            match found.or(beyond) {
                Some(set) => {
                    sets.insert(*account, set);
                }
                None => {
                    self.look_further(account)?;
                    lookups.insert(Purpose::Account(*account));
                }
            }
        }
        let size = group.members.log.size;
        let root = self.root_at(&group.members.log, &first)?;
        if root.is_none() {
            lookups.insert(Purpose::Root(size));
        }
        let facts = root.filter(|_| lookups.is_empty()).map(|root| Facts { size, root, sets });
        if !lookups.is_empty() {
            self.memory.lookups.insert(*id, lookups);
        }
        Ok(facts)
    }

    /// True while a fact that a composition of this group needs is still on its way: until all of them are there, what
    /// came would be opened once for each of them, and in vain.
    pub(crate) fn is_looking_up(&self, group: &GroupId) -> bool {
        let lookups = self.memory.lookups.get(group);
        lookups.is_some_and(|lookups| lookups.iter().any(|it| self.memory.in_flight.contains_key(it)))
    }

    /// SND-1: what has to change before a message may be encrypted here.
    pub(crate) fn standpoint(
        &mut self,
        conversation: &Conversation,
        now: &Arc<Composition>,
    ) -> Result<Standpoint, Error> {
        if let Some(failure) = self.why_nothing_goes()? {
            return Ok(Standpoint::Held(failure));
        }
        if !conversation.wants_change()
            && let Some(unchecked_s) = self.settled(&conversation.group, now)
        {
            return Ok(Standpoint::Fits(unchecked_s));
        }
        let invited = conversation.invited.iter().copied().map(AccountId);
        let mut wanted: BTreeSet<AccountId> = now.members.accounts.keys().copied().chain(invited).collect();
        wanted.retain(|account| !conversation.expelled.contains(&account.0));
        let mut difference = Difference {
            add: Vec::new(),
            remove: Vec::new(),
            members: Members { log: self.checkpoint(), accounts: BTreeMap::new() },
            roles: None,
        };
        // a leaf counts with its key: the name of a device alone is anybody's to write
        let mut leaves: BTreeMap<AccountId, Vec<_>> = BTreeMap::new();
        for leaf in &now.leaves {
            leaves.entry(leaf.account).or_default().push((leaf.device, leaf.key));
        }
        let mut later = false;
        for account in &wanted {
            match self.should_be(conversation, now, account)? {
                Ok(Some((standing, devices))) => {
                    let there = leaves.remove(account).unwrap_or_default();
                    let named = |device: &ConfirmedDevice| (device.id(), device.keys().mls);
                    let gone = there.iter().filter(|leaf| !devices.iter().any(|device| named(device) == **leaf));
                    difference.remove.extend(gone.map(|(device, _)| *device));
                    difference.add.extend(devices.into_iter().filter(|device| !there.contains(&named(device))));
                    difference.members.accounts.insert(*account, standing);
                }
                // all that are not known are asked for at once
                Ok(None) => later = true,
                Err(failure) => return Ok(Standpoint::Held(failure)),
            }
        }
        if later {
            return Ok(Standpoint::Later);
        }
        // nobody asked for the accounts that are left
        difference.remove.extend(leaves.into_values().flatten().map(|(device, _)| device));
        difference.members.log = self.checkpoint();
        let own = self.device()?.account;
        if now.epoch > 0 && now.roles.admins.contains(&own) {
            let members = difference.members.accounts.keys().copied().collect();
            let roles = conversation.roles_wanted(&now.roles, &members);
            difference.roles = Some(roles).filter(|roles| *roles != now.roles);
        }
        if !difference.add.is_empty() || !difference.remove.is_empty() || difference.roles.is_some() {
            return Ok(Standpoint::Differs(difference));
        }
        self.note_settled(&conversation.group, now);
        Ok(Standpoint::Fits(self.unchecked_s(now)?))
    }

    /// Nothing has changed since a group was found to be as it should be, and all that was seen is still fresh: what is said of a
    /// message that goes there now.
    fn settled(&self, group: &GroupId, now: &Arc<Composition>) -> Option<Option<u64>> {
        let it = self.memory.settled.get(group)?;
        let is_same = Arc::ptr_eq(&it.composition, now) && it.version == self.memory.accounts.version();
        let is_good = is_same && (it.since_ms..=it.until_ms).contains(&self.now_ms);
        is_good.then(|| old_enough(self.now_s().saturating_sub(it.seen_s)))
    }

    fn note_settled(&mut self, group: &GroupId, now: &Arc<Composition>) {
        let known = now.members.accounts.keys().map(|account| self.memory.accounts.get(account));
        let known = known.collect::<Option<Vec<&Known>>>().unwrap_or_default();
        let checked: BTreeSet<_> = known.iter().map(|known| known.checked_ms()).collect();
        let seen_s = known.iter().map(|known| known.seen_s()).min();
        if let Some(((first, last), seen_s)) = checked.first().zip(checked.last()).zip(seen_s) {
            let (composition, version) = (now.clone(), self.memory.accounts.version());
            let until_ms = first.saturating_add(FRESH_MS).min(seen_s.saturating_add(BOUND_S).saturating_mul(1_000));
            let settled = Settled { composition, version, since_ms: *last, until_ms, seen_s };
            if self.memory.settled.len() >= MOST_SETTLED && !self.memory.settled.contains_key(group) {
                self.memory.settled.pop_first();
            }
            self.memory.settled.insert(*group, settled);
        }
    }

    /// The devices that an account should have in a group, and the place of its sigchain that says so. `Ok(None)`: not
    /// yet.
    fn should_be(
        &mut self,
        conversation: &Conversation,
        now: &Composition,
        account: &AccountId,
    ) -> Result<Expected, Error> {
        let is_member = now.members.accounts.contains_key(account);
        if !self.is_fresh(account)? {
            self.refresh(account)?;
            // a member whom nobody can look at again now is known well enough for a day (CHK-5); nobody new is
            if !is_member {
                let is_cut_off = self.is_cut_off_from(account)?;
                return Ok(if is_cut_off { Err(unchecked(&self.called(account)?)) } else { Ok(None) });
            }
            if !self.is_cut_off()? {
                return Ok(Ok(None));
            }
            if let Some(failure) = self.too_old(conversation, account)? {
                return Ok(Err(failure));
            }
        }
        // among several people nobody waits for a decision about one who gets nothing any more (GRP-1)
        if is_member
            && conversation.pair.is_none()
            && let Some(ended) = self.known(account)?.filter(|known| *known.set().state() != AccountState::Open)
        {
            return Ok(Ok(Some((ended.standing, Vec::new()))));
        }
        if let Some(failure) = self.unaccepted(account)? {
            return Ok(Err(failure));
        }
        let Some(known) = self.known(account)? else { return Ok(Err(unchecked(&self.called(account)?))) };
        match known.set().state() {
            AccountState::Open => {}
            AccountState::ResetTo { .. } => return Ok(Err(was_reset())),
            AccountState::Closed => return Ok(Err(refused("account.gone", "this account has ended"))),
        }
        let devices = known.account.confirmed_devices();
        if devices.is_empty() {
            return Ok(Err(refused(DEVICE_UNCONFIRMED, "this account has no confirmed device")));
        }
        Ok(Ok(Some((known.standing, devices))))
    }
}

pub(crate) fn refused(code: &str, message: &str) -> Failure {
    Failure { code: code.to_owned(), blame: Blame::Refused, message: message.to_owned() }
}
