//! Key packages (RFC 9420 §10): each handed out once, then the last resort (attacks 37, 38).

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chain::id::{Digest, PublicKey};
use protocol::api::delivery::{
    ClaimRequest, ClaimedKeyPackage, KeyPackageCount, KeyPackages, MAX_KEY_PACKAGE, ONE_TIME_KEY_PACKAGES,
};
use protocol::members::{Leaf, MembersBroken};
use rusqlite::{OptionalExtension as _, params};

use crate::accounts::tokens::Caller;
use crate::delivery::claims::Claims;
use crate::delivery::rows::{Owner, Rows, column, number};
use crate::delivery::writer::Reply;
use crate::groups::{self, GroupBroken};
use crate::http::refusal::Refusal;
use crate::shared::Shared;

/// A key package that was checked.
struct Checked {
    hash: Digest,
    last_resort: bool,
    bytes: Vec<u8>,
}

impl Shared {
    /// Takes in key packages of the caller's device; without any it just counts. Of a pending device too, so that it can be
    /// let in while it is off: nobody gets them before it is confirmed.
    pub(crate) fn put_key_packages(
        &self,
        caller: &Caller,
        asked: KeyPackages,
    ) -> Result<Reply<KeyPackageCount>, Refusal> {
        self.check_disk()?;
        if asked.one_time.len() > ONE_TIME_KEY_PACKAGES {
            return Err(Refusal::Malformed { what: "the number of key packages" });
        }
        let key = self.leaf_key(&caller.owner())?.ok_or(Refusal::Removed)?;
        let leaf = Leaf { account: caller.account, device: caller.device, key };
        let one_time = asked.one_time.into_iter().map(|bytes| check(bytes.0, &leaf, false));
        let last_resort = asked.last_resort.into_iter().map(|bytes| check(bytes.0, &leaf, true));
        let all = one_time.chain(last_resort).collect::<Result<Vec<_>, _>>()?;
        let owner = caller.owner();
        self.delivery.write(move |change| Ok(change.rows.put_key_packages(&owner, &all)?))
    }

    /// Hands out one key package of a confirmed device.
    pub(crate) fn claim(&self, caller: &Caller, asked: &ClaimRequest) -> Result<Reply<ClaimedKeyPackage>, Refusal> {
        caller.require_confirmed()?;
        let (target, now_s) = (Owner { account: asked.account, device: asked.device }, self.now_s());
        let (asker, claims) = (caller.account, Arc::clone(&self.delivery.claims));
        locked(&claims).count(&asker, &target, now_s)?;
        let none = move || {
            locked(&claims).take_back(&asker, &target);
            Refusal::NoKeyPackage
        };
        if !self.is_confirmed(&target)? {
            return Err(none());
        }
        self.delivery.write(move |change| {
            let bytes = change.rows.claim(&target, now_s)?.ok_or_else(none)?;
            Ok(ClaimedKeyPackage { key_package: bytes.into() })
        })
    }

    /// True for a device that its account's newest sealed entries confirm.
    fn is_confirmed(&self, owner: &Owner) -> Result<bool, Refusal> {
        let set = self.readers.with(|store| store.account(&owner.account))?;
        Ok(set.is_some_and(|set| set.confirmed().contains_key(&owner.device)))
    }

    /// The key of the leaves of a device that its account's newest sealed entries list, pending or confirmed.
    fn leaf_key(&self, owner: &Owner) -> Result<Option<PublicKey>, Refusal> {
        let Some(set) = self.readers.with(|store| store.account(&owner.account))? else { return Ok(None) };
        let confirmed = set.confirmed().get(&owner.device).map(|confirmed| confirmed.keys.mls);
        Ok(confirmed.or_else(|| set.pending().get(&owner.device).map(|pending| pending.keys.mls)))
    }
}

fn locked(claims: &Mutex<Claims>) -> MutexGuard<'_, Claims> {
    claims.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Only for the device's own leaf, and marked as what it is handed out as.
fn check(bytes: Vec<u8>, leaf: &Leaf, last_resort: bool) -> Result<Checked, Refusal> {
    if bytes.len() > MAX_KEY_PACKAGE {
        return Err(Refusal::TooLarge);
    }
    let offered = groups::read_key_package(&bytes)?;
    if offered.leaf != *leaf {
        return Err(MembersBroken::NotConfirmed { account: leaf.account }.into());
    }
    if offered.last_resort != last_resort {
        return Err(GroupBroken::Unsupported { what: "key package" }.into());
    }
    Ok(Checked { hash: Digest::sha256(&bytes), last_resort, bytes })
}

impl Rows {
    fn put_key_packages(&self, owner: &Owner, all: &[Checked]) -> Result<KeyPackageCount, rusqlite::Error> {
        if all.iter().any(|package| package.last_resort) {
            let mut delete = self.db.prepare_cached("DELETE FROM key_packages WHERE owner = ?1 AND last_resort = 1")?;
            delete.execute([owner])?;
        }
        // one that was handed out is known by its hash and does not come again
        let mut insert =
            self.db.prepare_cached("INSERT OR IGNORE INTO key_packages VALUES (NULL, ?1, ?2, ?3, NULL, ?4)")?;
        for package in all {
            insert.execute(params![owner, package.hash.as_bytes(), package.last_resort, package.bytes])?;
        }
        // the newest stay
        let mut limit = self.db.prepare_cached(
            "DELETE FROM key_packages WHERE number IN (SELECT number FROM key_packages WHERE owner = ?1 \
             AND last_resort = 0 AND claimed_at_s IS NULL ORDER BY number DESC LIMIT -1 OFFSET ?2)",
        )?;
        limit.execute(params![owner, ONE_TIME_KEY_PACKAGES])?;
        let mut count = self.db.prepare_cached(
            "SELECT IFNULL(SUM(last_resort = 0), 0), IFNULL(SUM(last_resort), 0) FROM key_packages \
             WHERE owner = ?1 AND claimed_at_s IS NULL",
        )?;
        count.query_row([owner], |row| {
            let one_time = usize::try_from(number(row.get(0)?)).unwrap_or(usize::MAX);
            Ok(KeyPackageCount { one_time, last_resort: row.get::<_, i64>(1)? > 0 })
        })
    }

    fn claim(&self, target: &Owner, now_s: u64) -> Result<Option<Vec<u8>>, rusqlite::Error> {
        let mut select = self.db.prepare_cached(
            "SELECT number, bytes, last_resort FROM key_packages WHERE owner = ?1 AND claimed_at_s IS NULL \
             ORDER BY last_resort, number LIMIT 1",
        )?;
        let found: Option<(i64, Vec<u8>, bool)> =
            select.query_row([target], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).optional()?;
        let Some((number, bytes, last_resort)) = found else { return Ok(None) };
        if !last_resort {
            let mut mark =
                self.db.prepare_cached("UPDATE key_packages SET claimed_at_s = ?2, bytes = x'' WHERE number = ?1")?;
            mark.execute(params![number, column(now_s)])?;
        }
        Ok(Some(bytes))
    }
}
