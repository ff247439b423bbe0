//! Whom a group has and whom it should have: the facts for the one rule (`protocol::members`), and what a sender has to
//! change before it sends (SND-1).

use std::collections::{BTreeMap, BTreeSet};

use chain::id::{AccountId, DeviceId, Digest};
use chain::sigchain::device_set::{AccountState, ConfirmedDevice, DeviceSet};
use protocol::api::accounts::DEVICE_UNCONFIRMED;
use protocol::members::{Composition, Members, MembersBroken, Record, Standing};

use crate::conversation::Conversation;
use crate::error::Error;
use crate::step::{Blame, Failure};
use crate::turn::Turn;

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
}

impl Difference {
    /// True if the group is as it should be.
    pub(crate) fn is_empty(&self) -> bool {
        self.add.is_empty() && self.remove.is_empty()
    }
}

/// What an account should have in a group; `Ok(None)`: not known yet.
type Expected = Result<Option<(Standing, Vec<ConfirmedDevice>)>, Failure>;

/// Whether something can be sent.
pub(crate) enum Standpoint {
    /// The group's members are known well enough; this is what has to change first.
    Known(Difference),
    /// Something is being fetched.
    Later,
    /// It waits for a person or for better times.
    Held(Failure),
}

impl Turn<'_> {
    /// The facts for a composition, fetched where they are lacking. `None`: not yet (GRP-5).
    pub(crate) fn facts(&mut self, group: &Composition) -> Result<Option<Facts>, Error> {
        let Some(first) = group.members.accounts.keys().next().copied() else {
            return Ok(Some(Facts { size: 0, root: Digest::ZERO, sets: BTreeMap::new() }));
        };
        let mut sets = BTreeMap::new();
        let mut complete = true;
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
                    self.refresh(account)?;
                    complete = false;
                }
            }
        }
        let root = self.root_at(&group.members.log, &first)?;
        Ok(root.filter(|_| complete).map(|root| Facts { size: group.members.log.size, root, sets }))
    }

    /// SND-1: what has to change before a message may be encrypted here.
    pub(crate) fn standpoint(&mut self, conversation: &Conversation, now: &Composition) -> Result<Standpoint, Error> {
        if let Some(trouble) = self.trouble()?.filter(|trouble| trouble.is_lie) {
            let message = "this service has shown different people different records; sending is stopped".to_owned();
            return Ok(Standpoint::Held(Failure { code: trouble.code, blame: Blame::Lie, message }));
        }
        let invited = conversation.invited.iter().copied().map(AccountId);
        let mut wanted: BTreeSet<AccountId> = now.members.accounts.keys().copied().chain(invited).collect();
        wanted.retain(|account| !conversation.expelled.contains(&account.0));
        let mut difference = Difference {
            add: Vec::new(),
            remove: Vec::new(),
            members: Members { log: self.checkpoint(), accounts: BTreeMap::new() },
        };
        for account in &wanted {
            match self.should_be(conversation, now, account)? {
                Ok(Some((standing, devices))) => {
                    // a leaf counts with its key: the name of a device alone is anybody's to write
                    let leaves = now.leaves.iter().filter(|leaf| leaf.account == *account);
                    let there: BTreeSet<_> = leaves.map(|leaf| (leaf.device, leaf.key)).collect();
                    let named = |device: &ConfirmedDevice| (device.id(), device.keys().mls);
                    let wanted: BTreeSet<_> = devices.iter().map(named).collect();
                    difference.remove.extend(there.difference(&wanted).map(|(device, _)| *device));
                    difference.add.extend(devices.into_iter().filter(|device| !there.contains(&named(device))));
                    difference.members.accounts.insert(*account, standing);
                }
                Ok(None) => return Ok(Standpoint::Later),
                Err(failure) => return Ok(Standpoint::Held(failure)),
            }
        }
        let gone = now.leaves.iter().filter(|leaf| !wanted.contains(&leaf.account));
        difference.remove.extend(gone.map(|leaf| leaf.device));
        difference.members.log = self.checkpoint();
        Ok(Standpoint::Known(difference))
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
        let known = match self.fresh(account)?.cloned() {
            Some(known) => known,
            // a member whom nobody can look at again now is known well enough for a day (CHK-5); nobody new is
            None if is_member && self.is_cut_off()? => {
                let unchecked = conversation.unchecked;
                match self.usable(account)?.cloned() {
                    Some(known) => known,
                    None => match self.known(account)?.filter(|_| unchecked).cloned() {
                        Some(known) => known,
                        None => return Ok(Err(stale())),
                    },
                }
            }
            None => return Ok(Ok(None)),
        };
        match known.set().state() {
            AccountState::Open => {}
            AccountState::ResetTo { .. } => return Ok(Err(waiting("account.reset", "this account was reset"))),
            AccountState::Closed => return Ok(Err(refused("account.gone", "this account has ended"))),
        }
        let devices = known.account.confirmed_devices();
        if devices.is_empty() {
            return Ok(Err(refused(DEVICE_UNCONFIRMED, "this account has no confirmed device")));
        }
        Ok(Ok(Some((Standing::of(known.set()), devices))))
    }

    /// True if the record cannot be believed now, although the service answers. While it does not answer at all, nothing
    /// can be sent anyway, and nothing is encrypted in advance for devices that may be gone by then.
    fn is_cut_off(&self) -> Result<bool, Error> {
        Ok(self.trouble()?.is_some())
    }
}

fn stale() -> Failure {
    waiting("chain.stale", "the public record could not be checked for more than a day, so the message waits here")
}

fn waiting(code: &str, message: &str) -> Failure {
    Failure { code: code.to_owned(), blame: Blame::Waiting, message: message.to_owned() }
}

pub(crate) fn refused(code: &str, message: &str) -> Failure {
    Failure { code: code.to_owned(), blame: Blame::Refused, message: message.to_owned() }
}
