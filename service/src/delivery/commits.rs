//! New groups and commits: valid MLS, allowed by the record, one per epoch.
//!
//! The work is done on the caller's thread against the state of the epoch that the commit names; the writer compares
//! the epoch again and swaps everything at once, so of two commits for one epoch one is taken (GRP-6, invariant I10).

use std::cell::RefCell;
use std::collections::BTreeSet;

use chain::id::{AccountId, Digest};
use chain::sigchain::device_set::DeviceSet;
use chain::stamped::{StampedEntry, fold_stamped};
use protocol::api::delivery::{CommitSubmission, DeliveryKind, GroupCreation, MAX_COMMIT, Submitted, Welcomed};
use protocol::id::GroupId;
use protocol::members::{Committer, Composition, MembersBroken, Record, Standing, check_commit, check_creation};
use rusqlite::params;

use crate::accounts::tokens::Caller;
use crate::delivery::change::{Change, Incoming};
use crate::delivery::rows::{Owner, column};
use crate::delivery::writer::{Reply, answered};
use crate::error::Stopped;
use crate::groups::{self, Followed, Step};
use crate::http::refusal::Refusal;
use crate::shared::Shared;

/// Whose leaves a commit changes.
#[derive(Debug, Default)]
struct Moves {
    enter: Vec<Owner>,
    /// They still read what came before.
    leave: Vec<Owner>,
    /// They are no devices any more, and read nothing.
    gone: Vec<Owner>,
}

/// Who has a leaf.
fn owners(group: &Composition) -> BTreeSet<Owner> {
    group.leaves.iter().map(|leaf| Owner { account: leaf.account, device: leaf.device }).collect()
}

impl Shared {
    /// Takes in a new group: its creator's leaf alone, confirmed by the record.
    pub(crate) fn create_group(&self, caller: &Caller, asked: GroupCreation) -> Result<Reply<Submitted>, Refusal> {
        caller.require_confirmed()?;
        self.check_disk()?;
        let GroupCreation { group, group_info, tree } = asked;
        let name = caller.name(group.as_bytes(), &[&group_info.0, &tree.0]);
        if let Some(answer) = self.submitted_before(&name)? {
            return Ok(answered(answer));
        }
        let followed = groups::create(&group, &group_info.0, &tree.0)?;
        let own = followed.composition.leaves.iter().find(|leaf| leaf.device == caller.device);
        let own = *own.filter(|leaf| leaf.account == caller.account).ok_or(MembersBroken::NotAllowed)?;
        self.with_record(|record| check_creation(&followed.composition, &own, record))?;
        let owner = caller.owner();
        self.delivery.write(move |change| {
            if let Some(answer) = change.rows.submitted(&name)? {
                return Ok(answer);
            }
            let position = change.create_group(&group, &owner, &followed, &group_info.0)?;
            let answer = Submitted { position, epoch: 0 };
            change.answer(&name, &owner, &answer)?;
            Ok(answer)
        })
    }

    /// Takes in a commit.
    pub(crate) fn submit_commit(
        &self,
        caller: &Caller,
        group: GroupId,
        asked: CommitSubmission,
    ) -> Result<Reply<Submitted>, Refusal> {
        caller.require_confirmed()?;
        self.check_disk()?;
        let parts = [asked.commit.0.as_slice(), &asked.group_info.0, &asked.welcome.0];
        if parts.iter().map(|part| part.len()).sum::<usize>() > MAX_COMMIT {
            return Err(Refusal::TooLarge);
        }
        let name = caller.name(group.as_bytes(), &parts);
        if let Some(answer) = self.submitted_before(&name)? {
            return Ok(answered(answer));
        }
        let state = self.delivery.readers.with(|rows| {
            rows.snapshot(|rows| {
                let head = rows.head(&group)?.ok_or(Refusal::GroupUnknown)?;
                if !rows.has_member(&group, &caller.account)? {
                    return Err(Refusal::GroupUnknown);
                }
                if head.epoch != asked.base_epoch {
                    return Err(Refusal::StaleEpoch { epoch: head.epoch });
                }
                rows.mls_state(&group)?.ok_or(Refusal::GroupUnknown)
            })
        })?;
        let step = groups::follow(&group, &state, &asked)?;
        check_caller(caller, &step, &asked.welcomed)?;
        self.with_record(|record| check_commit(&step.before, &step.after.composition, &step.committer, record))?;
        let owner = caller.owner();
        let moves = self.moves(&step)?;
        self.delivery.write(move |change| {
            if let Some(answer) = change.rows.submitted(&name)? {
                return Ok(answer);
            }
            let head = change.rows.head(&group)?.ok_or(Refusal::GroupUnknown)?;
            if head.epoch != asked.base_epoch {
                return Err(Refusal::StaleEpoch { epoch: head.epoch });
            }
            let answer = change.take_commit(&group, asked, &step.after, &moves)?;
            change.answer(&name, &owner, &answer)?;
            Ok(answer)
        })
    }

    /// Who comes and goes with a commit.
    fn moves(&self, step: &Step) -> Result<Moves, Refusal> {
        let (before, after) = (owners(&step.before), owners(&step.after.composition));
        let mut moves = Moves { enter: after.difference(&before).copied().collect(), ..Moves::default() };
        for owner in before.difference(&after) {
            let still_there = self.devices_of(&owner.account)?.contains(owner);
            if still_there { &mut moves.leave } else { &mut moves.gone }.push(*owner);
        }
        Ok(moves)
    }

    /// Asks the rule, with the record as this service has it. A failure of the store is not taken for a verdict.
    fn with_record(&self, ask: impl FnOnce(&Record<'_>) -> Result<(), MembersBroken>) -> Result<(), Refusal> {
        let record = self.record()?;
        let failed = RefCell::new(None);
        let root = |size| record.root_at(size);
        let set = |account: &AccountId, standing: &Standing| {
            self.set_at(account, standing).unwrap_or_else(|error| {
                failed.replace(Some(error));
                None
            })
        };
        let verdict = ask(&Record { root: &root, set: &set });
        match failed.take() {
            Some(error) => Err(error),
            None => Ok(verdict?),
        }
    }

    /// The device set of an account at a place of its sigchain, if the record has that place.
    fn set_at(&self, account: &AccountId, standing: &Standing) -> Result<Option<DeviceSet>, Refusal> {
        let newest = self.readers.with(|store| store.account(account))?;
        let Some(newest) = newest.filter(|newest| newest.sequence() >= standing.sequence) else { return Ok(None) };
        if newest.sequence() == standing.sequence {
            return Ok(Some(newest));
        }
        let count = usize::try_from(standing.sequence).unwrap_or(usize::MAX).saturating_add(1);
        let found = self.readers.with(|store| store.entries_since(account, 0, u64::MAX, count))?;
        let stamped: Vec<_> =
            found.into_iter().map(|it| StampedEntry { block: it.block, time_s: it.time_s, entry: it.bytes }).collect();
        let record = self.record()?;
        let root_at = |size| -> Option<Digest> { record.root_at(size) };
        // entries that were sealed fold again
        let set = fold_stamped(None, &stamped, &record.parameters, &root_at);
        set.map(Some).map_err(|_| Refusal::Broken(Stopped::Fault { what: "folding sealed entries" }))
    }
}

/// The commit is the caller's own, and the Welcome goes to the leaves that it adds.
fn check_caller(caller: &Caller, step: &Step, welcomed: &[Welcomed]) -> Result<(), Refusal> {
    let (Committer::Member(leaf) | Committer::External(leaf)) = step.committer;
    if (leaf.account, leaf.device) != (caller.account, caller.device) {
        return Err(MembersBroken::NotAllowed.into());
    }
    let named: BTreeSet<_> = welcomed.iter().map(|it| (it.account, it.device)).collect();
    let added: BTreeSet<_> = step.added.iter().map(|leaf| (leaf.account, leaf.device)).collect();
    let fits = named == added && named.len() == welcomed.len();
    if fits { Ok(()) } else { Err(groups::GroupBroken::OtherWelcome.into()) }
}

impl Change<'_> {
    fn create_group(
        &mut self,
        group: &GroupId,
        creator: &Owner,
        followed: &Followed,
        group_info: &[u8],
    ) -> Result<u64, Refusal> {
        if self.rows.head(group)?.is_some() {
            return Err(Refusal::GroupExists);
        }
        let position = self.next_position();
        let db = &self.rows.db;
        db.prepare_cached("INSERT INTO groups VALUES (?1, 0, 0, ?2)")?
            .execute(params![group.as_bytes(), column(position)])?;
        db.prepare_cached("INSERT INTO states VALUES (?1, ?2, ?3, ?4)")?.execute(params![
            group.as_bytes(),
            group_info,
            followed.tree,
            followed.state
        ])?;
        self.open_leaf(group, creator, position)?;
        Ok(position)
    }

    /// The commit, its Welcomes, leaves and the new state.
    fn take_commit(
        &mut self,
        group: &GroupId,
        submitted: CommitSubmission,
        after: &Followed,
        moves: &Moves,
    ) -> Result<Submitted, Refusal> {
        let CommitSubmission { base_epoch, commit, group_info, welcome, welcomed } = submitted;
        let epoch = after.composition.epoch;
        let position = self.deliver(Incoming {
            kind: DeliveryKind::Commit,
            group: Some(*group),
            owner: None,
            sender: None,
            epoch: base_epoch,
            bytes: commit.0,
        })?;
        for owner in &moves.leave {
            self.close_leaf(group, owner, position)?;
        }
        for owner in &moves.gone {
            self.drop_leaf(group, owner)?;
        }
        for owner in &moves.enter {
            self.open_leaf(group, owner, position)?;
        }
        let db = &self.rows.db;
        // SND-2: nobody who has not seen it writes to a device that is gone any more, or past one that has come
        let has_moved = !moves.leave.is_empty() || !moves.gone.is_empty() || !moves.enter.is_empty();
        let floor = has_moved.then(|| column(epoch));
        db.prepare_cached(
            "UPDATE groups SET epoch = ?2, floor_epoch = IFNULL(?3, floor_epoch), position = ?4 WHERE group_id = ?1",
        )?
        .execute(params![group.as_bytes(), column(epoch), floor, column(position)])?;
        db.prepare_cached("UPDATE states SET group_info = ?2, tree = ?3, state = ?4 WHERE group_id = ?1")?
            .execute(params![group.as_bytes(), group_info.0, after.tree, after.state])?;
        if !welcomed.is_empty() {
            db.prepare_cached("INSERT OR REPLACE INTO welcome_trees VALUES (?1, ?2, ?3)")?.execute(params![
                group.as_bytes(),
                column(epoch),
                after.tree
            ])?;
        }
        for Welcomed { account, device } in welcomed {
            self.deliver(Incoming {
                kind: DeliveryKind::Welcome,
                group: Some(*group),
                owner: Some(Owner { account, device }),
                sender: None,
                epoch,
                bytes: welcome.0.clone(),
            })?;
        }
        Ok(Submitted { position, epoch })
    }
}
