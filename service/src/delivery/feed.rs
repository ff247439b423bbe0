//! What a device reads: its feed, its groups, and what it needs to join one.

use chain::id::{DeviceId, Digest};
use protocol::api::delivery::{
    Acknowledgement, Delivery as Delivered, Feed, GroupState, OwnGroup, OwnGroups, PAGE_DELIVERIES, Submitted,
};
use protocol::bytes::Base64Url;
use protocol::id::GroupId;
use rusqlite::{Row, params};

use crate::accounts::tokens::Caller;
use crate::delivery::change::kind_of;
use crate::delivery::rows::{Owner, Rows, column, number};
use crate::delivery::writer::Reply;
use crate::error::{Corrupt, Stopped};
use crate::http::refusal::Refusal;
use crate::shared::Shared;

/// Most bytes in one answer, unless it is one delivery alone: with base64url it stays below 1 MiB.
const MAX_PAGE_BYTES: usize = 700_000;

/// What a stretch of a group the device sees.
#[derive(Debug)]
struct Seen {
    group: [u8; 32],
    after: u64,
    until: u64,
}

const COLUMNS: &str = "position, kind, group_id, epoch, bytes, at_s, sender";

fn delivered(row: &Row<'_>) -> Result<Option<Delivered>, rusqlite::Error> {
    let Some(kind) = kind_of(row.get(1)?) else { return Ok(None) };
    let group: Option<[u8; 32]> = row.get(2)?;
    let sender: Option<[u8; 16]> = row.get(6)?;
    Ok(Some(Delivered {
        position: number(row.get(0)?),
        kind,
        group: group.map(GroupId),
        epoch: number(row.get(3)?),
        bytes: Base64Url(row.get(4)?),
        at_s: number(row.get(5)?),
        from: sender.map(|sender| DeviceId(sender).to_string()),
    }))
}

impl Rows {
    /// The next deliveries of a device after a position.
    pub(super) fn feed(&self, owner: &Owner, after: u64, limit: usize) -> Result<Feed, Stopped> {
        self.snapshot(|rows| {
            let newest = rows.position()?;
            let mut places = rows.inbox_places(owner, after, limit)?;
            for seen in rows.stretches(owner, after)? {
                places.extend(rows.group_places(&seen, limit)?);
            }
            places.sort_unstable();
            let mut found = Vec::new();
            let mut bytes = 0_usize;
            let total = places.len();
            for position in places.into_iter().take(limit) {
                let delivery = rows.delivery(position)?;
                bytes = bytes.saturating_add(delivery.bytes.0.len());
                if bytes > MAX_PAGE_BYTES && !found.is_empty() {
                    break;
                }
                found.push(delivery);
            }
            let more = found.len() < total;
            let last = found.last().map(|delivery| delivery.position);
            let up_to = last.filter(|_| more).unwrap_or_else(|| newest.max(after));
            Ok(Feed { deliveries: found, more, up_to })
        })
    }

    fn inbox_places(&self, owner: &Owner, after: u64, limit: usize) -> Result<Vec<i64>, rusqlite::Error> {
        let mut select = self.db.prepare_cached(
            "SELECT position FROM deliveries WHERE owner = ?1 AND position > ?2 ORDER BY position LIMIT ?3",
        )?;
        let rows = select.query_map(params![owner, column(after), wanted(limit)], |row| row.get(0))?;
        rows.collect()
    }

    fn group_places(&self, seen: &Seen, limit: usize) -> Result<Vec<i64>, rusqlite::Error> {
        let mut select = self.db.prepare_cached(
            "SELECT position FROM deliveries WHERE group_id = ?1 AND owner IS NULL AND position > ?2 \
             AND position <= ?3 ORDER BY position LIMIT ?4",
        )?;
        let bounds = params![seen.group, column(seen.after), column(seen.until), wanted(limit)];
        let rows = select.query_map(bounds, |row| row.get(0))?;
        rows.collect()
    }

    /// The stretches of groups that a device sees, without those that end before `after`.
    fn stretches(&self, owner: &Owner, after: u64) -> Result<Vec<Seen>, rusqlite::Error> {
        let mut select =
            self.db.prepare_cached("SELECT group_id, from_position, until_position FROM leaves WHERE owner = ?1")?;
        let rows = select.query_map([owner], |row| {
            let until: Option<i64> = row.get(2)?;
            let from = number(row.get(1)?);
            Ok(Seen { group: row.get(0)?, after: from.max(after), until: until.map_or(u64::MAX, number) })
        })?;
        let seen: Result<Vec<_>, _> = rows.collect();
        Ok(seen?.into_iter().filter(|seen| seen.until > after).collect())
    }

    fn delivery(&self, position: i64) -> Result<Delivered, Stopped> {
        let mut select = self.db.prepare_cached(&format!("SELECT {COLUMNS} FROM deliveries WHERE position = ?1"))?;
        let found = select.query_row([position], delivered)?;
        found.ok_or_else(|| Corrupt::Unreadable { what: "a delivery" }.into())
    }

    fn own_groups(&self, owner: &Owner) -> Result<Vec<OwnGroup>, rusqlite::Error> {
        let mut select = self.db.prepare_cached(
            "SELECT g.group_id, g.epoch, g.position, MAX(l.owner = ?1) FROM leaves l \
             JOIN groups g ON g.group_id = l.group_id \
             WHERE l.owner BETWEEN ?2 AND ?3 AND l.until_position IS NULL \
             GROUP BY g.group_id ORDER BY g.position DESC",
        )?;
        let [first, last] = Owner::of_account(&owner.account);
        let rows = select.query_map(params![owner, first, last], |row| {
            let (epoch, position) = (number(row.get(1)?), number(row.get(2)?));
            Ok(OwnGroup { group: GroupId(row.get(0)?), epoch, present: row.get(3)?, position })
        })?;
        rows.collect()
    }
}

/// One more than is given, so that it is known whether more follow.
fn wanted(limit: usize) -> i64 {
    column(limit.saturating_add(1) as u64)
}

impl Shared {
    /// A part of the caller's feed.
    pub(crate) fn feed(&self, owner: &Owner, after: u64, limit: Option<usize>) -> Result<Feed, Refusal> {
        let limit = limit.unwrap_or(PAGE_DELIVERIES).clamp(1, PAGE_DELIVERIES);
        self.delivery.readers.with(|rows| Ok(rows.feed(owner, after, limit)?))
    }

    /// Takes an acknowledgement: what was for this device alone is deleted at once, what is a group's when the last one
    /// has it.
    pub(crate) fn acknowledge(&self, owner: Owner, upto: Acknowledgement) -> Result<Reply<()>, Refusal> {
        self.delivery.write(move |change| {
            if upto.position > change.position {
                return Err(Refusal::Malformed { what: "the position" });
            }
            if change.rows.acknowledge(&owner, upto.position)? {
                change.acked.insert(owner);
            }
            Ok(())
        })
    }

    /// The groups of the caller's account.
    pub(crate) fn own_groups(&self, caller: &Caller) -> Result<OwnGroups, Refusal> {
        caller.require_confirmed()?;
        let groups = self.delivery.readers.with(|rows| rows.own_groups(&caller.owner()))?;
        Ok(OwnGroups { groups })
    }

    /// What a joiner needs. For all devices of the accounts in the group.
    pub(crate) fn group_state(
        &self,
        caller: &Caller,
        group: &GroupId,
        epoch: Option<u64>,
    ) -> Result<GroupState, Refusal> {
        caller.require_confirmed()?;
        let read = |rows: &Rows| {
            let head = rows.head(group)?.ok_or(Refusal::GroupUnknown)?;
            if !rows.has_member(group, &caller.account)? {
                return Err(Refusal::GroupUnknown);
            }
            let (epoch, position) = (epoch.unwrap_or(head.epoch), head.position);
            if epoch != head.epoch {
                let tree = rows.welcome_tree(group, epoch)?.ok_or(Refusal::StaleEpoch { epoch: head.epoch })?;
                return Ok(GroupState { epoch, position, group_info: Base64Url::default(), tree: tree.into() });
            }
            let state = rows.joinable(group)?.ok_or(Refusal::GroupUnknown)?;
            Ok(GroupState { epoch, position, group_info: state.group_info.into(), tree: state.tree.into() })
        };
        self.delivery.readers.with(|rows| rows.snapshot(read))
    }

    /// The answer that the same submission got before.
    pub(super) fn submitted_before(&self, name: &Digest) -> Result<Option<Submitted>, Refusal> {
        Ok(self.delivery.readers.with(|rows| rows.submitted(name))?)
    }
}
