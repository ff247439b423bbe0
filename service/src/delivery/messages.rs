//! Application messages, and what devices of one account relay to each other.
//!
//! SND-2: no message goes to a group that still has a leaf which the record has removed, and none of an epoch before the
//! leaves last changed: it could be read by a device that has gone since, and by none that has come.

use std::collections::BTreeMap;
use std::sync::PoisonError;

use chain::id::AccountId;
use chain::map::{MapKey, MapValue};
use chain::sigchain::device_set::{AccountState, DeviceSet};
use protocol::api::delivery::{DeliveryKind, MAX_MESSAGE, MAX_RELAY, MessageSubmission, PAST_EPOCHS, Relay, Submitted};
use protocol::id::GroupId;

use crate::accounts::tokens::Caller;
use crate::delivery::change::{Change, Incoming};
use crate::delivery::rows::{Head, Owner, Rows};
use crate::delivery::writer::{Reply, answered};
use crate::groups;
use crate::http::refusal::Refusal;
use crate::shared::Shared;

/// Most groups whose verdict is remembered.
const MAX_SOUND: usize = 65_536;
/// Relayed bodies that wait for one device.
const MAX_RELAYED: u64 = 1_000;
/// Those that pending devices may leave there: offers, codes and little else.
const MAX_RELAYED_BY_PENDING: u64 = 32;

/// When all leaves of a group were found confirmed.
#[derive(Debug)]
pub(super) struct Sound {
    epoch: u64,
    /// Blocks that were sealed then: without a new one there is nothing to look at.
    sealed: u64,
    /// The accounts as they were: without a new value in the map an account need not be read.
    heads: BTreeMap<AccountId, MapValue>,
}

fn check_epoch(head: Head, epoch: u64) -> Result<(), Refusal> {
    let oldest = head.floor.max(head.epoch.saturating_sub(PAST_EPOCHS));
    if (oldest..=head.epoch).contains(&epoch) { Ok(()) } else { Err(Refusal::StaleEpoch { epoch: head.epoch }) }
}

/// The head of a group that the device may write to.
fn writable(rows: &Rows, group: &GroupId, owner: &Owner, epoch: u64) -> Result<Head, Refusal> {
    let head = rows.head(group)?.ok_or(Refusal::GroupUnknown)?;
    if !rows.has_leaf(group, owner)? {
        return Err(Refusal::GroupUnknown);
    }
    check_epoch(head, epoch)?;
    Ok(head)
}

impl Shared {
    /// Takes in a message.
    pub(crate) fn submit_message(
        &self,
        caller: &Caller,
        group: GroupId,
        asked: MessageSubmission,
    ) -> Result<Reply<Submitted>, Refusal> {
        caller.require_confirmed()?;
        self.check_disk()?;
        let MessageSubmission { epoch, message } = asked;
        if message.0.len() > MAX_MESSAGE {
            return Err(Refusal::TooLarge);
        }
        let name = caller.name(group.as_bytes(), &[&message.0]);
        if let Some(answer) = self.submitted_before(&name)? {
            return Ok(answered(answer));
        }
        groups::check_message(&group, epoch, &message.0)?;
        let owner = caller.owner();
        let head = self.delivery.readers.with(|rows| rows.snapshot(|rows| writable(rows, &group, &owner, epoch)))?;
        self.check_sound(&group, head.epoch)?;
        self.delivery.write(move |change| {
            if let Some(answer) = change.rows.submitted(&name)? {
                return Ok(answer);
            }
            let head = writable(change.rows, &group, &owner, epoch)?;
            let position = change.deliver(Incoming {
                kind: DeliveryKind::Message,
                group: Some(group),
                owner: None,
                sender: None,
                epoch,
                bytes: message.0,
            })?;
            change.move_group(&group, position)?;
            let answer = Submitted { position, epoch: head.epoch };
            change.answer(&name, &owner, &answer)?;
            Ok(answer)
        })
    }

    /// SND-2, against the newest sealed record.
    pub(super) fn check_sound(&self, group: &GroupId, epoch: u64) -> Result<(), Refusal> {
        let record = self.record()?;
        let sealed = record.sizes().sealed;
        let remembered = || self.delivery.sound.lock().unwrap_or_else(PoisonError::into_inner);
        let known = remembered().remove(group).filter(|sound| sound.epoch == epoch);
        let known = match known {
            Some(sound) if sound.sealed == sealed => {
                remembered().insert(*group, sound);
                return Ok(());
            }
            Some(sound) => sound.heads,
            None => BTreeMap::new(),
        };
        let mut accounts: BTreeMap<AccountId, Vec<Owner>> = BTreeMap::new();
        for owner in self.delivery.readers.with(|rows| rows.leaves(group))? {
            accounts.entry(owner.account).or_default().push(owner);
        }
        let mut heads = BTreeMap::new();
        for (account, leaves) in accounts {
            let value = record.value(&MapKey(DeviceSet::map_key(&account)));
            let unchanged = known.get(&account).filter(|known| Some(**known) == value);
            if let Some(value) = unchanged {
                heads.insert(account, *value);
                continue;
            }
            let set = self.readers.with(|store| store.account(&account))?;
            let set = set.filter(|set| *set.state() == AccountState::Open).ok_or(Refusal::RemovedLeaf)?;
            if !leaves.iter().all(|leaf| set.confirmed().contains_key(&leaf.device)) {
                return Err(Refusal::RemovedLeaf);
            }
            // the map is a moment ahead of the store while a block is sealed; then the next message looks again
            if value == Some(MapValue(set.map_value())) {
                heads.insert(account, MapValue(set.map_value()));
            }
        }
        let mut all = remembered();
        if all.len() >= MAX_SOUND {
            all.clear();
        }
        all.insert(*group, Sound { epoch, sealed, heads });
        Ok(())
    }

    /// Takes in something for another device of the caller's account. Both may be pending. The same again is delivered
    /// again once the first has been taken: whoever asks again (CNF-3) has not got the answer.
    pub(crate) fn relay(&self, caller: &Caller, asked: Relay) -> Result<Reply<Submitted>, Refusal> {
        self.check_disk()?;
        let Relay { device, body } = asked;
        if body.0.len() > MAX_RELAY {
            return Err(Refusal::TooLarge);
        }
        let name = caller.name(b"relay", &[device.as_bytes(), &body.0]);
        let set = self.readers.with(|store| store.account(&caller.account))?;
        let set = set.filter(|set| set.confirmed().contains_key(&device) || set.pending().contains_key(&device));
        set.ok_or(Refusal::Removed)?;
        let (owner, to) = (caller.owner(), Owner { account: caller.account, device });
        let most = if caller.confirmed { MAX_RELAYED } else { MAX_RELAYED_BY_PENDING };
        self.delivery.write(move |change| {
            if let Some(answer) = change.rows.submitted(&name)?
                && change.rows.is_waiting(&to, answer.position)?
            {
                return Ok(answer);
            }
            change.check_room(&to, &owner, most)?;
            let position = change.deliver(Incoming {
                kind: DeliveryKind::Relay,
                group: None,
                owner: Some(to),
                sender: Some(owner.device),
                epoch: 0,
                bytes: body.0,
            })?;
            let answer = Submitted { position, epoch: 0 };
            change.forget_answer(&name)?;
            change.answer(&name, &owner, &answer)?;
            Ok(answer)
        })
    }
}

impl Change<'_> {
    /// Refuses while too much of one sender waits for a device.
    fn check_room(&self, to: &Owner, sender: &Owner, most: u64) -> Result<(), Refusal> {
        let waiting = self.rows.waiting_from(to, &sender.device)?;
        if waiting < most {
            return Ok(());
        }
        Err(Refusal::RateLimited { what: "bodies that wait for this device", retry_after_s: 10 })
    }
}
