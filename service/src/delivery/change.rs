//! What one operation may write, inside the writer's transaction. Each function is one step of a whole operation; what
//! belongs together is one call of `Delivery::write`.

use std::collections::BTreeSet;

use chain::id::{DeviceId, Digest};
use protocol::api::delivery::{Delivery, DeliveryKind, Submitted};
use protocol::bytes::Base64Url;
use protocol::id::GroupId;
use rusqlite::params;

use crate::delivery::hub::Push;
use crate::delivery::rows::{Owner, Rows, column};
use crate::http::refusal::Refusal;

/// One thing that is delivered, as it comes in.
#[derive(Debug)]
pub(super) struct Incoming {
    pub(super) kind: DeliveryKind,
    pub(super) group: Option<GroupId>,
    /// `None`: everybody who has a leaf in the group.
    pub(super) owner: Option<Owner>,
    pub(super) sender: Option<DeviceId>,
    pub(super) epoch: u64,
    pub(super) bytes: Vec<u8>,
}

/// How kinds are numbered in the database.
const KINDS: [DeliveryKind; 5] =
    [DeliveryKind::Commit, DeliveryKind::Message, DeliveryKind::Welcome, DeliveryKind::Relay, DeliveryKind::Record];

/// The number of a kind.
pub(super) fn number_of(kind: DeliveryKind) -> usize {
    KINDS.iter().position(|known| *known == kind).unwrap_or(KINDS.len())
}

/// The kind with a number.
pub(super) fn kind_of(number: usize) -> Option<DeliveryKind> {
    KINDS.get(number).copied()
}

/// A transaction that goes on.
#[derive(Debug)]
pub(crate) struct Change<'a> {
    pub(super) rows: &'a Rows,
    pub(super) now_s: u64,
    pub(super) position: u64,
    /// Collected whoever listens: somebody may begin to before this is on disk, and not find it in the feed yet.
    pub(super) pushes: Vec<Push>,
    pub(super) acked: BTreeSet<Owner>,
    /// Why the whole transaction cannot go on.
    pub(super) broken: Option<rusqlite::Error>,
}

impl Change<'_> {
    /// Runs one operation; if it is refused, nothing of it stays.
    pub(super) fn attempt<T>(&mut self, work: impl FnOnce(&mut Self) -> Result<T, Refusal>) -> Result<T, Refusal> {
        let (position, pushes) = (self.position, self.pushes.len());
        self.savepoint("SAVEPOINT operation")?;
        let result = work(self);
        if result.is_err() {
            self.position = position;
            self.pushes.truncate(pushes);
            self.savepoint("ROLLBACK TO operation")?;
        }
        self.savepoint("RELEASE operation")?;
        result
    }

    fn savepoint(&mut self, statement: &str) -> Result<(), Refusal> {
        let done = self.rows.db.prepare_cached(statement).and_then(|mut statement| statement.execute([]));
        done.map(|_| ()).map_err(|error| {
            self.broken = Some(error);
            Refusal::Stopping
        })
    }

    /// The next position.
    pub(super) fn next_position(&mut self) -> u64 {
        self.position = self.position.saturating_add(1);
        self.position
    }

    /// Appends something; it is delivered once the transaction is on disk.
    pub(super) fn deliver(&mut self, incoming: Incoming) -> Result<u64, Refusal> {
        let position = self.next_position();
        let Incoming { kind, group, owner, sender, epoch, bytes } = incoming;
        let mut insert =
            self.rows.db.prepare_cached("INSERT INTO deliveries VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")?;
        insert.execute(params![
            column(position),
            number_of(kind),
            group.as_ref().map(GroupId::as_bytes),
            owner,
            sender.as_ref().map(DeviceId::as_bytes),
            column(epoch),
            bytes,
            column(self.now_s)
        ])?;
        let to = match (owner, group) {
            (Some(owner), _) => vec![owner],
            (None, Some(group)) => self.rows.leaves(&group)?,
            (None, None) => Vec::new(),
        };
        let from = sender.map(|sender| sender.to_string());
        let bytes = Base64Url(bytes);
        let delivery = Delivery { position, kind, group, epoch, bytes, at_s: self.now_s, from };
        self.pushes.push(Push { to, delivery });
        Ok(position)
    }

    /// Remembers an answer for the same submission again.
    pub(super) fn answer(&self, name: &Digest, owner: &Owner, answer: &Submitted) -> Result<(), rusqlite::Error> {
        let mut insert = self.rows.db.prepare_cached("INSERT INTO submitted VALUES (?1, ?2, ?3, ?4, ?5)")?;
        let (position, epoch) = (column(answer.position), column(answer.epoch));
        insert.execute(params![name.as_bytes(), owner, position, epoch, column(self.now_s)]).map(|_| ())
    }

    /// Forgets an answer, before another one takes its place.
    pub(super) fn forget_answer(&self, name: &Digest) -> Result<(), rusqlite::Error> {
        let mut delete = self.rows.db.prepare_cached("DELETE FROM submitted WHERE name = ?1")?;
        delete.execute([name.as_bytes()]).map(|_| ())
    }

    /// Moves a group to a position.
    pub(super) fn move_group(&self, group: &GroupId, position: u64) -> Result<(), rusqlite::Error> {
        let mut update = self.rows.db.prepare_cached("UPDATE groups SET position = ?2 WHERE group_id = ?1")?;
        update.execute(params![group.as_bytes(), column(position)]).map(|_| ())
    }

    /// Gives a device a leaf: it sees what comes after the position.
    pub(super) fn open_leaf(&self, group: &GroupId, owner: &Owner, position: u64) -> Result<(), rusqlite::Error> {
        let mut insert = self.rows.db.prepare_cached("INSERT INTO leaves VALUES (?1, ?2, ?3, NULL)")?;
        insert.execute(params![group.as_bytes(), owner, column(position)]).map(|_| ())
    }

    /// Takes a device's leaf away: it sees what came up to the position.
    pub(super) fn close_leaf(&self, group: &GroupId, owner: &Owner, position: u64) -> Result<(), rusqlite::Error> {
        let mut update = self.rows.db.prepare_cached(
            "UPDATE leaves SET until_position = ?3 WHERE group_id = ?1 AND owner = ?2 AND until_position IS NULL",
        )?;
        update.execute(params![group.as_bytes(), owner, column(position)]).map(|_| ())
    }

    /// Takes away everything that a device saw of a group.
    pub(super) fn drop_leaf(&self, group: &GroupId, owner: &Owner) -> Result<(), rusqlite::Error> {
        let mut delete = self.rows.db.prepare_cached("DELETE FROM leaves WHERE group_id = ?1 AND owner = ?2")?;
        delete.execute(params![group.as_bytes(), owner]).map(|_| ())
    }
}
