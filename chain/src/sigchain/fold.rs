//! The fold: the one place that decides what an entry does to an account, and whether it may.
//!
//! The service calls it before it accepts, senders before they encrypt, auditors for every entry ever. A strict left
//! fold (DEV-1): no look-ahead, no fix-point, no clock but block time. The rules' numbers are those of
//! `docs/protocol.md`. Not in scope: resets ([`super::reset`]), handles and what holds between entries of one block
//! ([`crate::audit`]).

use std::collections::{BTreeMap, BTreeSet};

use crate::block::Parameters;
use crate::id::{DeviceId, DeviceKeys, Digest, PublicKey};
use crate::sigchain::body::{Answer, Body, Confirmer};
use crate::sigchain::broken::RuleBroken;
use crate::sigchain::device_set::{AccountState, Confirmed, DeviceSet, Pending};
use crate::sigchain::entry::{Claim, Entry, Role, Signatures, Statement, account_id};
use crate::sigchain::reset;
use crate::sigchain::rules::{MAX_DEVICES, MAX_PENDING, NOTICE_LAPSES_AFTER_S, REQUEST_LAPSES_AFTER_S};

/// What an entry is judged against, besides its account: the log that it stands in.
#[derive(Clone, Copy)]
pub struct Ground<'a> {
    /// The parameters in block 0.
    pub parameters: &'a Parameters,
    /// Number of the entry's block: also the size of the log before it.
    pub block: u64,
    /// Time of that block, seconds since 1970.
    pub time_s: u64,
    /// Root of the log at a size, where the caller knows it. The service and auditors know every root; a client knows
    /// those that it has verified.
    pub root_at: &'a dyn Fn(u64) -> Option<Digest>,
}

impl std::fmt::Debug for Ground<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ground").field("block", &self.block).field("time_s", &self.time_s).finish_non_exhaustive()
    }
}

impl DeviceSet {
    /// Opens an account: the first step of the fold (DEV-2).
    ///
    /// # Errors
    /// [`RuleBroken`].
    pub fn open(entry: &Entry, ground: &Ground<'_>, signatures: &mut Signatures<'_>) -> Result<Self, RuleBroken> {
        let statement = &entry.statement;
        let position = statement.position;
        let Body::AccountCreated { device, reset_choice, handle, predecessor, .. } = &statement.body else {
            return Err(RuleBroken::Opening);
        };
        if position.sequence != 0 {
            return Err(RuleBroken::Sequence { expected: 0, got: position.sequence });
        }
        if position.previous != Digest::ZERO {
            return Err(RuleBroken::Previous { expected: Digest::ZERO, got: position.previous });
        }
        if account_id(&statement.body) != position.account {
            return Err(RuleBroken::AccountId);
        }
        // the first identity has number 1; what number a successor has, its predecessor says (RST-4)
        if (position.generation == 1) == predecessor.is_some() || position.generation == 0 {
            return Err(RuleBroken::Generation { got: position.generation });
        }
        check_checkpoint(statement, ground)?;
        check_signatures(entry, ground, signatures, &device.chain, Some(&device.mls))?;
        let first = Confirmed { keys: *device, sequence: 0, at_s: ground.time_s, by: None };
        let mut set = Self {
            account: position.account,
            generation: position.generation,
            sequence: 0,
            head: entry.hash(),
            history: Digest::ZERO,
            state: AccountState::Open,
            reset_choice: *reset_choice,
            next_request: 1,
            handle: *handle,
            recovery_key: None,
            confirmed: BTreeMap::from([(device.id(), first)]),
            pending: BTreeMap::new(),
            retired: BTreeSet::new(),
            notice: None,
            vetoed_at_s: None,
        };
        set.chain_history(ground);
        Ok(set)
    }

    /// Applies the next entry: one step of the fold. `self` is unchanged; the new state is the result.
    ///
    /// # Errors
    /// [`RuleBroken`]: the entry is not allowed here.
    pub fn apply(
        &self,
        entry: &Entry,
        ground: &Ground<'_>,
        signatures: &mut Signatures<'_>,
    ) -> Result<Self, RuleBroken> {
        let statement = &entry.statement;
        let position = statement.position;
        if position.account != self.account || position.generation != self.generation {
            return Err(RuleBroken::OtherAccount);
        }
        if self.state != AccountState::Open {
            return Err(RuleBroken::Ended);
        }
        let answered = self.answered_before(statement);
        if position.sequence != self.sequence.saturating_add(1) {
            // a recorded answer that is published again is named for what it is (attack 3)
            let expected = self.sequence.saturating_add(1);
            return Err(answered.unwrap_or(RuleBroken::Sequence { expected, got: position.sequence }));
        }
        if position.previous != self.head {
            return Err(answered.unwrap_or(RuleBroken::Previous { expected: self.head, got: position.previous }));
        }
        check_checkpoint(statement, ground)?;
        let mut next = self.clone();
        next.drop_lapsed(ground.time_s);
        let (signer, mls) = next.signer_keys(statement, ground)?;
        check_signatures(entry, ground, signatures, &signer, mls.as_ref())?;
        next.sequence = position.sequence;
        next.head = entry.hash();
        next.take_effect(entry, ground)?;
        next.chain_history(ground);
        Ok(next)
    }

    /// Binds entry, block number and block time of every step into the record, so that a service that shows an entry
    /// with another time than the one it was sealed at is found out by the hash in the head.
    fn chain_history(&mut self, ground: &Ground<'_>) {
        self.history = Self::next_history(&self.history, &self.head, ground.block, ground.time_s);
    }

    /// DEV-5, RST-7: what nobody answered in time is gone.
    fn drop_lapsed(&mut self, now_s: u64) {
        let lapses = |opened_at_s: u64, after_s: u64| opened_at_s.saturating_add(after_s) <= now_s;
        self.pending.retain(|_, device| !lapses(device.opened_at_s, REQUEST_LAPSES_AFTER_S));
        if self.notice.as_ref().is_some_and(|notice| lapses(notice.opened_at_s, NOTICE_LAPSES_AFTER_S)) {
            self.notice = None;
        }
    }

    /// DEV-5: an answer to a request that is no longer open.
    fn answered_before(&self, statement: &Statement) -> Option<RuleBroken> {
        let answers = matches!(statement.body, Body::DeviceConfirmed(_) | Body::DeviceRefused(_));
        let was_opened = statement.request < self.next_request;
        let is_open = self.pending.values().any(|device| device.request == statement.request);
        (answers && was_opened && !is_open).then_some(RuleBroken::Replayed(statement.request))
    }

    /// The keys under which the entry has to be signed: the signer's, and the MLS key of a device that is added.
    fn signer_keys(
        &self,
        statement: &Statement,
        ground: &Ground<'_>,
    ) -> Result<(PublicKey, Option<PublicKey>), RuleBroken> {
        let device = |id: &DeviceId| {
            let confirmed = self.confirmed.get(id).ok_or(RuleBroken::Unconfirmed(*id))?;
            Ok((confirmed.keys.chain, None))
        };
        match &statement.body {
            Body::AccountCreated { .. } => Err(RuleBroken::Opening),
            Body::DeviceAdded { device, .. } => Ok((device.chain, Some(device.mls))),
            Body::ResetRequested { device, .. } => Ok((device.chain, None)),
            Body::AccountReset { .. } => Ok((ground.parameters.service_key, None)),
            Body::DeviceConfirmed(Answer { signer: Confirmer::RecoveryKey, .. }) => {
                Ok((self.recovery_key.ok_or(RuleBroken::NoRecoveryKey)?, None))
            }
            Body::DeviceConfirmed(Answer { signer: Confirmer::Device(signer), .. }) => device(signer),
            Body::DeviceRefused(Answer { signer, .. })
            | Body::DeviceRemoved { signer, .. }
            | Body::HandleBound { signer, .. }
            | Body::RecoveryKeySet { signer, .. }
            | Body::ResetChoiceSet { signer, .. }
            | Body::ResetVetoed { signer, .. }
            | Body::AccountClosed { signer } => device(signer),
        }
    }

    fn take_effect(&mut self, entry: &Entry, ground: &Ground<'_>) -> Result<(), RuleBroken> {
        let statement = &entry.statement;
        match &statement.body {
            Body::AccountCreated { .. } => return Err(RuleBroken::Opening),
            Body::DeviceAdded { device, commitments } => {
                self.add(device, statement.request)?;
                let pending = Pending {
                    keys: *device,
                    request: statement.request,
                    added: self.head,
                    opened_at_s: ground.time_s,
                    commitments: *commitments,
                };
                self.pending.insert(device.id(), pending);
            }
            Body::DeviceConfirmed(answer) => {
                let keys = self.take_pending(&answer.added, &answer.device, statement.request)?;
                let (sequence, at_s) = (self.sequence, ground.time_s);
                self.confirmed.insert(answer.device, Confirmed { keys, sequence, at_s, by: Some(answer.signer) });
            }
            Body::DeviceRefused(answer) => {
                let keys = self.take_pending(&answer.added, &answer.device, statement.request)?;
                self.retire(&keys);
            }
            Body::DeviceRemoved { devices, signer } => self.remove(devices, signer, ground.time_s)?,
            Body::HandleBound { handle, signer } => {
                self.check_old_enough(signer, ground.time_s)?;
                self.handle = *handle;
            }
            Body::RecoveryKeySet { key, signer } => {
                self.check_old_enough(signer, ground.time_s)?;
                if key.is_some_and(|key| self.uses_key(&key) || self.has_retired(&key)) {
                    return Err(RuleBroken::RecoveryKeyKnown);
                }
                self.recovery_key = *key;
            }
            Body::ResetChoiceSet { choice, signer } => {
                self.check_old_enough(signer, ground.time_s)?;
                self.reset_choice = *choice;
            }
            Body::ResetRequested { successor, device } => {
                let previous = statement.position.previous;
                reset::announce(self, statement.request, previous, *successor, device, ground)?;
            }
            Body::ResetVetoed { notice, .. } => reset::veto(self, statement.request, notice, ground.time_s)?,
            Body::AccountReset { successor, notice_checkpoint, later_checkpoint } => {
                let carried = [notice_checkpoint.as_slice(), later_checkpoint.as_slice()];
                reset::carry_out(self, statement.request, successor, carried, ground)?;
            }
            Body::AccountClosed { signer } => {
                self.check_old_enough(signer, ground.time_s)?;
                self.end(AccountState::Closed);
            }
        }
        Ok(())
    }

    /// DEV-3: whether a device may be listed as pending.
    fn add(&mut self, keys: &DeviceKeys, request: u64) -> Result<(), RuleBroken> {
        for key in [&keys.chain, &keys.mls] {
            if self.uses_key(key) || self.has_retired(key) {
                return Err(RuleBroken::KnownKey);
            }
        }
        let (pending, all) = (self.pending.len(), self.pending.len().saturating_add(self.confirmed.len()));
        if pending >= MAX_PENDING {
            return Err(RuleBroken::TooMany { count: pending, max: MAX_PENDING });
        }
        if all >= MAX_DEVICES {
            return Err(RuleBroken::TooMany { count: all, max: MAX_DEVICES });
        }
        self.open_request(request)
    }

    /// Every request has the next number.
    pub(super) fn open_request(&mut self, request: u64) -> Result<(), RuleBroken> {
        if request != self.next_request {
            return Err(RuleBroken::RequestNumber { expected: self.next_request, got: request });
        }
        self.next_request = self.next_request.saturating_add(1);
        Ok(())
    }

    /// DEV-4, DEV-5: an answer must name the open request, the entry that opened it and the device, all three.
    fn take_pending(&mut self, added: &Digest, device: &DeviceId, request: u64) -> Result<DeviceKeys, RuleBroken> {
        let open = self.pending.values().any(|pending| pending.request == request);
        if !open && request < self.next_request {
            return Err(RuleBroken::Replayed(request));
        }
        let fits = |pending: &Pending| pending.request == request && pending.added == *added;
        if !self.pending.get(device).is_some_and(fits) {
            return Err(RuleBroken::OtherRequest);
        }
        self.pending.remove(device).map(|pending| pending.keys).ok_or(RuleBroken::OtherRequest)
    }

    /// DEV-7, DEV-8, DEV-10.
    fn remove(&mut self, devices: &[DeviceId], signer: &DeviceId, now_s: u64) -> Result<(), RuleBroken> {
        let by = self.confirmed.get(signer).cloned().ok_or(RuleBroken::Unconfirmed(*signer))?;
        for id in devices {
            let device = self.confirmed.get(id).ok_or(RuleBroken::NotInSet(*id))?;
            if by.is_young(now_s) && device.sequence < by.sequence {
                return Err(RuleBroken::TooNew(*signer));
            }
        }
        for id in devices {
            if let Some(device) = self.confirmed.remove(id) {
                self.retire(&device.keys);
            }
        }
        if self.confirmed.is_empty() && self.recovery_key.is_none() {
            return Err(RuleBroken::LastDevice);
        }
        Ok(())
    }

    /// DEV-9: a young device changes nothing that could lock an older one out.
    fn check_old_enough(&self, signer: &DeviceId, now_s: u64) -> Result<(), RuleBroken> {
        let by = self.confirmed.get(signer).ok_or(RuleBroken::Unconfirmed(*signer))?;
        let has_older = self.confirmed.values().any(|device| device.sequence < by.sequence);
        if by.is_young(now_s) && has_older { Err(RuleBroken::TooNewToChange(*signer)) } else { Ok(()) }
    }

    /// RST-6: an account that has ended has no device.
    pub(super) fn end(&mut self, state: AccountState) {
        self.state = state;
        self.confirmed.clear();
        self.pending.clear();
        self.notice = None;
        self.recovery_key = None;
        self.handle = None;
    }
}

/// ENT-4: the author's checkpoint is one that this log had.
fn check_checkpoint(statement: &Statement, ground: &Ground<'_>) -> Result<(), RuleBroken> {
    let named = statement.checkpoint;
    if named.size > ground.block {
        return Err(RuleBroken::CheckpointAhead { size: named.size, log: ground.block });
    }
    let known = if named.size == 0 { Some(Digest::sha256(b"")) } else { (ground.root_at)(named.size) };
    if known.is_some_and(|root| root != named.root) {
        return Err(RuleBroken::CheckpointForeign { size: named.size });
    }
    Ok(())
}

/// ENT-2: every signature of the kind, under its label, and no other.
fn check_signatures(
    entry: &Entry,
    ground: &Ground<'_>,
    signatures: &mut Signatures<'_>,
    signer: &PublicKey,
    mls: Option<&PublicKey>,
) -> Result<(), RuleBroken> {
    for (place, (role, signature)) in entry.signatures().enumerate() {
        let key = match role {
            Role::Service => Some(&ground.parameters.service_key),
            Role::Device | Role::RecoveryKey => Some(signer),
            Role::Mls => mls,
        };
        let message = entry.statement.signed_bytes(role, &ground.parameters.origin);
        let broken = RuleBroken::Signature { place };
        let (Some(key), Some(message)) = (key, message) else { return Err(broken) };
        if !signatures.accept(Claim { key: *key, message, signature: *signature }) {
            return Err(broken);
        }
    }
    Ok(())
}
