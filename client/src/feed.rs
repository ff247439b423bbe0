//! What comes for this device, in the service's one order: kept first, then processed, then acknowledged. What own devices hand
//! each other waits for nothing, so it is processed in the step that it comes in, and not kept before.
//!
//! A delivery that cannot be judged yet, because a fact of the record is still to be fetched, waits, and with it what
//! follows in its group (GRP-5); other groups go on. One bad delivery never stops the queue (TXN-5).

use std::collections::BTreeSet;

use chain::id::AccountId;
use protocol::api::delivery::{ACK, Acknowledgement, Delivery, DeliveryKind, FEED, Feed, KEPT_S, PUSH};
use protocol::id::GroupId;
use protocol::limits::DAY_S;
use rusqlite::params;

use crate::error::Error;
use crate::message::{column, is_place};
use crate::notices::Notice;
use crate::own::{Own, Phase};
use crate::step::Listening;
use crate::store::Store;
use crate::token;
use crate::turn::{Purpose, Turn, get, post};

const FEED_SPACE: &str = "feed";
const DELIVERY: &[u8] = b"delivery";

/// Positions that are acknowledged together while old messages come in.
const ACKNOWLEDGED_AT_ONCE: u64 = 32;

/// What became of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Processed {
    /// It is dealt with.
    Done,
    /// Not yet: something is still to be fetched.
    Later,
}

/// Where to listen; `None` while there is nothing to listen to.
pub(crate) fn listening(store: &Store<'_>) -> Result<Option<Listening>, Error> {
    let own: Option<Own> = crate::own::stored(store)?;
    let listens = own.is_some_and(|own| matches!(own.phase, Phase::Pending(_) | Phase::Confirmed));
    let Some(bearer) = token::held(store)?.filter(|_| listens) else { return Ok(None) };
    let cursor = position(store, b"cursor")?;
    Ok(Some(Listening { path: format!("{PUSH}?after={cursor}"), bearer }))
}

fn position(store: &Store<'_>, name: &[u8]) -> Result<u64, Error> {
    let bytes = store.bytes(FEED_SPACE, name)?;
    Ok(bytes.and_then(|bytes| bytes.try_into().ok()).map_or(0, u64::from_be_bytes))
}

impl Turn<'_> {
    /// Takes in what the push connection brought.
    pub(crate) fn delivered(&mut self, delivery: Delivery) -> Result<(), Error> {
        let up_to = delivery.position;
        self.keep_deliveries(vec![delivery], up_to)
    }

    /// Takes in a part of the feed.
    pub(crate) fn take_feed(&mut self, body: &[u8]) -> Result<(), Error> {
        let Ok(feed) = serde_json::from_slice::<Feed>(body) else {
            self.pause();
            return Ok(());
        };
        let up_to = feed.deliveries.last().map_or(feed.up_to, |last| last.position.max(feed.up_to));
        self.keep_deliveries(feed.deliveries, up_to)?;
        self.store.put_bytes(FEED_SPACE, b"looked", &[u8::from(!feed.more)])?;
        if feed.more {
            return self.ask_for_feed();
        }
        self.memory.feeds = self.memory.feeds.saturating_add(1);
        Ok(())
    }

    /// Keeps what is new. Both sources are in order and without gaps, so what is not above the cursor is known. What has
    /// a place that cannot be is passed over: kept, it could not be found again, and would end every later step.
    fn keep_deliveries(&mut self, deliveries: Vec<Delivery>, up_to: u64) -> Result<(), Error> {
        let cursor = position(&self.store, b"cursor")?;
        let mut last = cursor;
        let is_listed = self.own()?.is_some_and(|own| own.is_listed());
        for delivery in deliveries {
            if delivery.position <= last || !is_place(delivery.position) {
                continue;
            }
            last = delivery.position;
            if is_listed && delivery.kind == DeliveryKind::Relay {
                self.arrived.push(delivery);
                continue;
            }
            let key = last.to_be_bytes();
            let bytes = serde_json::to_vec(&delivery).map_err(|_| Error::Damaged)?;
            let sealed = self.store.seal(&[DELIVERY, &key], &bytes)?;
            let mut insert = self.store.db().prepare_cached("INSERT OR IGNORE INTO deliveries VALUES (?1, ?2)")?;
            insert.execute(params![column(last), sealed])?;
        }
        let cursor = if is_place(up_to) { last.max(up_to) } else { last };
        self.store.put_bytes(FEED_SPACE, b"cursor", &cursor.to_be_bytes())
    }

    /// The service answers again. What it has kept for this device for too long is gone: others have it (HIS-5), and whose
    /// commits are gone enters anew.
    pub(crate) fn note_heard(&mut self) -> Result<(), Error> {
        let heard_ms: Option<u64> = self.store.get(FEED_SPACE, b"heard")?;
        self.store.put(FEED_SPACE, b"heard", &self.now_ms)?;
        let longest_ms = KEPT_S.saturating_sub(DAY_S).saturating_mul(1_000);
        let Some(heard_ms) = heard_ms.filter(|at| self.now_ms.saturating_sub(*at) >= longest_ms) else { return Ok(()) };
        if self.own()?.is_some_and(|own| own.is_confirmed()) {
            self.memory.knows_groups = false;
            self.notice(Notice::new("device.away", None, None, 0, heard_ms / 1_000))?;
            self.begin_gap(position(&self.store, b"cursor")?, heard_ms)?;
        }
        Ok(())
    }

    /// The position up to which the feed is here.
    pub(crate) fn reached(&self) -> Result<u64, Error> {
        position(&self.store, b"cursor")
    }

    /// Asks for what came since.
    pub(crate) fn ask_for_feed(&mut self) -> Result<(), Error> {
        let cursor = position(&self.store, b"cursor")?;
        self.ask_as_device(Purpose::Feed, get(format!("{FEED}?after={cursor}")))
    }

    /// Tells the service what is on this disk; what it still has after that is for others.
    fn acknowledge(&mut self) -> Result<(), Error> {
        let (cursor, told) = (position(&self.store, b"cursor")?, position(&self.store, b"acknowledged")?);
        // of old messages it need not hear with each part
        let is_soon_enough = cursor.saturating_sub(told) < ACKNOWLEDGED_AT_ONCE && self.history_comes_first();
        if cursor > told && !is_soon_enough {
            self.ask_as_device(Purpose::Ack, post(ACK, &Acknowledgement { position: cursor })?)?;
        }
        Ok(())
    }

    /// The service has heard up to here.
    pub(crate) fn take_ack(&mut self) -> Result<(), Error> {
        let cursor = position(&self.store, b"cursor")?;
        self.store.put_bytes(FEED_SPACE, b"acknowledged", &cursor.to_be_bytes())
    }

    fn waiting_deliveries(&self) -> Result<Vec<Delivery>, Error> {
        let mut select = self.store.db().prepare_cached("SELECT position, value FROM deliveries ORDER BY position")?;
        let rows = select.query_map([], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, Vec<u8>>(1)?)))?;
        let mut deliveries = Vec::new();
        for row in rows {
            let (position, sealed) = row?;
            let bytes = self.store.open(&[DELIVERY, &position.to_be_bytes()], &sealed)?;
            deliveries.push(serde_json::from_slice(&bytes).map_err(|_| Error::Damaged)?);
        }
        Ok(deliveries)
    }

    /// True if a Welcome to this group waits to be processed.
    pub(crate) fn is_welcome(&self, group: &GroupId) -> Result<bool, Error> {
        let is_one = |it: &Delivery| it.kind == DeliveryKind::Welcome && it.group == Some(*group);
        Ok(self.waiting_deliveries()?.iter().any(is_one))
    }

    /// True if anything of this group waits to be processed.
    pub(crate) fn has_deliveries(&self, group: &GroupId) -> Result<bool, Error> {
        Ok(self.waiting_deliveries()?.iter().any(|it| it.group == Some(*group)))
    }

    /// Processes what waits, in order, as far as the facts reach.
    pub(crate) fn go_on_reading(&mut self) -> Result<(), Error> {
        let mut waiting_groups = BTreeSet::new();
        for delivery in self.waiting_deliveries()? {
            if delivery.group.is_some_and(|group| waiting_groups.contains(&group)) {
                continue;
            }
            let is_judged = matches!(delivery.kind, DeliveryKind::Welcome | DeliveryKind::Commit);
            if let Some(group) = delivery.group.filter(|group| is_judged && self.is_looking_up(group)) {
                waiting_groups.insert(group);
                continue;
            }
            match self.process(&delivery)? {
                Processed::Done => {
                    let mut delete = self.store.db().prepare_cached("DELETE FROM deliveries WHERE position = ?1")?;
                    delete.execute([column(delivery.position)])?;
                }
                Processed::Later => waiting_groups.extend(delivery.group),
            }
        }
        for delivery in std::mem::take(&mut self.arrived) {
            self.process(&delivery)?;
        }
        self.acknowledge()
    }

    fn process(&mut self, delivery: &Delivery) -> Result<Processed, Error> {
        let bytes = &delivery.bytes.0;
        match (delivery.kind, delivery.group) {
            (DeliveryKind::Record, _) => {
                if let Ok(account) = bytes.as_slice().try_into().map(AccountId) {
                    self.hint(&account)?;
                }
                Ok(Processed::Done)
            }
            (DeliveryKind::Relay, _) => {
                let from = delivery.from.as_deref().and_then(|from| from.parse().ok());
                self.relayed(from, bytes)?;
                Ok(Processed::Done)
            }
            (DeliveryKind::Welcome, Some(group)) => self.welcomed(&group, delivery.epoch, delivery.position, bytes),
            (DeliveryKind::Commit, Some(group)) => self.committed(&group, delivery.epoch, delivery.position, bytes),
            (DeliveryKind::Message, Some(group)) => self.received(&group, delivery, bytes),
            // nothing that this program knows
            (DeliveryKind::Welcome | DeliveryKind::Commit | DeliveryKind::Message, None) => Ok(Processed::Done),
        }
    }
}
