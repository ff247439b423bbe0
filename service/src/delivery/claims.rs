//! How often key packages are claimed (attack 38): per asker and device, and per device. In memory, for an hour.

use std::collections::{HashMap, VecDeque};

use chain::id::AccountId;
use protocol::limits::HOUR_S;

use crate::delivery::rows::Owner;
use crate::http::refusal::Refusal;

/// Claims of one account for one device in an hour.
const BY_PAIR: usize = 20;
/// Claims of all other accounts for one device in an hour.
const BY_TARGET: usize = 200;
/// Most windows that are remembered; beyond it those that have run out are forgotten, and if there are none, all.
const MAX_WINDOWS: usize = 65_536;

/// Whose claims are counted: of an account, or of everybody else together.
type Key = (Option<AccountId>, Owner);

/// All windows.
#[derive(Debug, Default)]
pub(super) struct Claims {
    times: HashMap<Key, VecDeque<u64>>,
}

impl Claims {
    /// Counts a claim. An account's own devices are not held up by what strangers do.
    pub(super) fn count(&mut self, asker: &AccountId, target: &Owner, now_s: u64) -> Result<(), Refusal> {
        let pair = (Some(*asker), *target);
        let all = (None, *target);
        let is_own = *asker == target.account;
        self.check(&pair, BY_PAIR, now_s)?;
        if !is_own {
            self.check(&all, BY_TARGET, now_s)?;
            self.add(all, now_s);
        }
        self.add(pair, now_s);
        Ok(())
    }

    /// Takes a claim back that got nothing: it drained nothing.
    pub(super) fn take_back(&mut self, asker: &AccountId, target: &Owner) {
        let all = (*asker != target.account).then_some((None, *target));
        for key in all.into_iter().chain([(Some(*asker), *target)]) {
            self.times.get_mut(&key).map(VecDeque::pop_back);
        }
    }

    fn check(&mut self, key: &Key, max: usize, now_s: u64) -> Result<(), Refusal> {
        let Some(times) = self.times.get_mut(key) else { return Ok(()) };
        while times.front().is_some_and(|first| first.saturating_add(HOUR_S) <= now_s) {
            times.pop_front();
        }
        match times.front() {
            Some(first) if times.len() >= max => Err(Refusal::RateLimited {
                what: "claims of key packages of this device",
                retry_after_s: first.saturating_add(HOUR_S).saturating_sub(now_s),
            }),
            _ => Ok(()),
        }
    }

    fn add(&mut self, key: Key, now_s: u64) {
        if self.times.len() >= MAX_WINDOWS {
            self.times.retain(|_, times| times.back().is_some_and(|last| last.saturating_add(HOUR_S) > now_s));
            if self.times.len() >= MAX_WINDOWS {
                self.times.clear();
            }
        }
        self.times.entry(key).or_default().push_back(now_s);
    }
}

#[cfg(test)]
mod tests {
    use chain::id::DeviceId;

    use super::*;

    /// Attack 38.
    #[test]
    fn claims_are_limited_per_pair_and_per_target_and_open_again_after_an_hour() {
        let mut claims = Claims::default();
        let account = |number: u8| AccountId([number; 32]);
        let target = Owner { account: account(1), device: DeviceId([1; 16]) };
        for _ in 0..BY_PAIR {
            claims.count(&account(2), &target, 0).unwrap();
        }
        assert!(matches!(
            claims.count(&account(2), &target, 10),
            Err(Refusal::RateLimited { retry_after_s: 3_590, .. })
        ));
        for asker in 3..12 {
            for _ in 0..BY_PAIR {
                claims.count(&account(asker), &target, 10).unwrap();
            }
        }
        assert!(claims.count(&account(99), &target, 20).is_err());
        // what got nothing counts for nobody
        claims.take_back(&account(11), &target);
        claims.count(&account(99), &target, 20).unwrap();
        assert!(claims.count(&account(99), &target, 20).is_err());
        assert!(claims.count(&account(1), &target, 20).is_ok());
        assert!(claims.count(&account(2), &target, 3_600).is_ok());
    }
}
