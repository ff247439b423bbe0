//! What is deleted, and when: as soon as every device that may see it has it, else after 60 days.

use std::collections::BTreeSet;

use chain::id::DeviceId;
use protocol::api::delivery::KEPT_S;
use protocol::limits::DAY_S;
use rusqlite::{OptionalExtension as _, params};

use crate::delivery::rows::{Owner, Rows, column, number};

/// How long hashes of used key packages are kept: longer than a device keeps the private keys.
const USED_KEPT_S: u64 = 100 * DAY_S;
/// An answer is kept this long at least, because a device may hear of other things before it asks again.
const ANSWERS_KEPT_S: u64 = DAY_S;

type Group = [u8; 32];

impl Rows {
    /// Moves a device's cursor and empties its inbox up to there. False if it was there already.
    pub(super) fn acknowledge(&self, owner: &Owner, position: u64) -> Result<bool, rusqlite::Error> {
        let mut put = self.db.prepare_cached(
            "INSERT INTO cursors VALUES (?1, ?2) ON CONFLICT (owner) DO UPDATE SET acked = ?2 WHERE acked < ?2",
        )?;
        if put.execute(params![owner, column(position)])? == 0 {
            return Ok(false);
        }
        let mut delete = self.db.prepare_cached("DELETE FROM deliveries WHERE owner = ?1 AND position <= ?2")?;
        delete.execute(params![owner, column(position)])?;
        Ok(true)
    }

    /// How much of one sender waits in a device's inbox.
    pub(super) fn waiting_from(&self, to: &Owner, sender: &DeviceId) -> Result<u64, rusqlite::Error> {
        let mut count = self.db.prepare_cached("SELECT COUNT(*) FROM deliveries WHERE owner = ?1 AND sender = ?2")?;
        count.query_row(params![to, sender.as_bytes()], |row| row.get(0)).map(number)
    }

    /// True if something is still in a device's inbox.
    pub(super) fn is_waiting(&self, to: &Owner, position: u64) -> Result<bool, rusqlite::Error> {
        let mut find = self.db.prepare_cached("SELECT 1 FROM deliveries WHERE position = ?1 AND owner = ?2")?;
        find.exists(params![column(position), to])
    }

    /// Deletes what all have, in the groups of those who have acknowledged something, and with a time what is too old.
    pub(super) fn sweep(&self, acked: &BTreeSet<Owner>, now_s: Option<u64>) -> Result<(), rusqlite::Error> {
        let transaction = self.db.unchecked_transaction()?;
        let mut groups = BTreeSet::new();
        for owner in acked {
            let mut select = self.db.prepare_cached("SELECT DISTINCT group_id FROM leaves WHERE owner = ?1")?;
            let rows = select.query_map([owner], |row| row.get::<_, Group>(0))?;
            groups.extend(rows.collect::<Result<Vec<_>, _>>()?);
        }
        if let Some(now_s) = now_s {
            groups.extend(self.delete_old(now_s)?);
        }
        for group in &groups {
            self.sweep_group(group)?;
        }
        if now_s.is_some() {
            self.db
                .prepare_cached(
                    "DELETE FROM welcome_trees WHERE NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.kind = 2 \
                 AND d.group_id = welcome_trees.group_id AND d.epoch = welcome_trees.epoch)",
                )?
                .execute([])?;
        }
        transaction.commit()
    }

    /// Deletes what nobody has fetched in time; gives the groups that it was in.
    fn delete_old(&self, now_s: u64) -> Result<Vec<Group>, rusqlite::Error> {
        let oldest = column(now_s.saturating_sub(KEPT_S));
        // positions and times grow together, so that the oldest are the first
        let mut select =
            self.db.prepare_cached("SELECT position FROM deliveries WHERE at_s >= ?1 ORDER BY position LIMIT 1")?;
        let first_kept: Option<i64> = select.query_row([oldest], |row| row.get(0)).optional()?;
        let first_kept = first_kept.unwrap_or(i64::MAX);
        let mut select = self.db.prepare_cached(
            "SELECT DISTINCT group_id FROM deliveries WHERE position < ?1 AND owner IS NULL AND group_id IS NOT NULL",
        )?;
        let groups = select.query_map([first_kept], |row| row.get(0))?.collect::<Result<Vec<_>, _>>()?;
        self.db.prepare_cached("DELETE FROM deliveries WHERE position < ?1")?.execute([first_kept])?;
        let mut answers = self.db.prepare_cached(
            "DELETE FROM submitted WHERE at_s < ?1 OR (at_s < ?2 AND position <= \
             (SELECT acked FROM cursors WHERE cursors.owner = submitted.owner))",
        )?;
        answers.execute(params![oldest, column(now_s.saturating_sub(ANSWERS_KEPT_S))])?;
        let mut used = self.db.prepare_cached("DELETE FROM key_packages WHERE claimed_at_s < ?1")?;
        used.execute([column(now_s.saturating_sub(USED_KEPT_S))])?;
        Ok(groups)
    }

    /// Deletes what everybody who sees it has. A device that is out of the group holds back only what it may still see.
    fn sweep_group(&self, group: &Group) -> Result<(), rusqlite::Error> {
        let mut select = self.db.prepare_cached(
            "SELECT MIN(MAX(l.from_position, IFNULL(c.acked, 0))) FROM leaves l \
             LEFT JOIN cursors c ON c.owner = l.owner WHERE l.group_id = ?1 AND l.until_position IS NULL",
        )?;
        let all_have: Option<i64> = select.query_row([group], |row| row.get(0))?;
        let mut delete = self.db.prepare_cached(
            "DELETE FROM deliveries WHERE group_id = ?1 AND owner IS NULL AND position <= ?2 AND NOT EXISTS \
             (SELECT 1 FROM leaves l LEFT JOIN cursors c ON c.owner = l.owner WHERE l.group_id = ?1 \
             AND l.from_position < deliveries.position AND l.until_position >= deliveries.position \
             AND IFNULL(c.acked, 0) < deliveries.position)",
        )?;
        delete.execute(params![group, all_have.unwrap_or(i64::MAX)])?;
        let mut close = self.db.prepare_cached(
            "DELETE FROM leaves WHERE group_id = ?1 AND until_position IS NOT NULL AND NOT EXISTS \
             (SELECT 1 FROM deliveries d WHERE d.group_id = ?1 AND d.owner IS NULL \
             AND d.position > leaves.from_position AND d.position <= leaves.until_position \
             AND d.position > IFNULL((SELECT acked FROM cursors c WHERE c.owner = leaves.owner), 0))",
        )?;
        close.execute([group]).map(|_| ())
    }

    /// Forgets the devices of an account that are not `among` those that it still has.
    pub(super) fn forget_others(
        &self,
        devices: &[Owner],
        account: &chain::id::AccountId,
    ) -> Result<(), rusqlite::Error> {
        let [first, last] = Owner::of_account(account);
        let mut select = self.db.prepare_cached(
            "SELECT owner FROM deliveries WHERE owner BETWEEN ?1 AND ?2 UNION \
             SELECT owner FROM cursors WHERE owner BETWEEN ?1 AND ?2 UNION \
             SELECT owner FROM leaves WHERE owner BETWEEN ?1 AND ?2 AND until_position IS NOT NULL UNION \
             SELECT owner FROM key_packages WHERE owner BETWEEN ?1 AND ?2",
        )?;
        let known = select.query_map([first, last], |row| row.get(0))?.collect::<Result<Vec<Owner>, _>>()?;
        for owner in known.iter().filter(|owner| !devices.contains(owner)) {
            for statement in [
                "DELETE FROM deliveries WHERE owner = ?1",
                "DELETE FROM key_packages WHERE owner = ?1",
                "DELETE FROM leaves WHERE owner = ?1 AND until_position IS NOT NULL",
                "DELETE FROM cursors WHERE owner = ?1",
            ] {
                self.db.prepare_cached(statement)?.execute([owner])?;
            }
        }
        Ok(())
    }
}
