//! How often an address may ask, and how often for a name: sliding windows in memory, forgotten within the hour.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;

use chain::id::{AccountId, DeviceId, HandleLabel};
use protocol::limits::{HOUR_S, Limits};

use crate::http::refusal::Refusal;

/// Words in passing that a device may say in a minute.
const PASSING_A_MINUTE: u32 = 60;
/// Most addresses that are remembered; beyond it the oldest windows are forgotten first.
const MAX_ADDRESSES: usize = 65_536;

/// Who asks: an IPv4 address, or the /64 network of an IPv6 address, since one customer has all of that; or for what:
/// half of a handle's label, or of an account's id.
pub(crate) type Asker = [u8; 16];

/// Who asks from an address.
pub(crate) fn asker(address: IpAddr) -> Asker {
    match address.to_canonical() {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
        IpAddr::V6(v6) => (u128::from(v6) & !u128::from(u64::MAX)).to_be_bytes(),
    }
}

/// One kind of request, counted by who asks.
#[derive(Debug, Default)]
struct Windows {
    times: BTreeMap<Asker, VecDeque<u64>>,
}

impl Windows {
    /// Refuses if `max` requests were counted in the last `window_s` seconds.
    fn check(&mut self, asker: Asker, now_s: u64, limit: &Limit) -> Result<(), Refusal> {
        let Some(times) = self.times.get_mut(&asker) else { return Ok(()) };
        while times.front().is_some_and(|first| first.saturating_add(limit.window_s) <= now_s) {
            times.pop_front();
        }
        match times.front() {
            Some(first) if times.len() >= limit.max as usize => {
                let retry_after_s = first.saturating_add(limit.window_s).saturating_sub(now_s);
                Err(Refusal::RateLimited { what: limit.what, retry_after_s })
            }
            _ => Ok(()),
        }
    }

    /// Counts one request.
    fn add(&mut self, asker: Asker, now_s: u64, limit: &Limit) {
        if self.times.len() >= MAX_ADDRESSES {
            self.times.retain(|_, times| times.back().is_some_and(|last| last.saturating_add(limit.window_s) > now_s));
            if self.times.len() >= MAX_ADDRESSES {
                self.times.clear();
            }
        }
        self.times.entry(asker).or_default().push_back(now_s);
    }
}

/// How many of what in how long.
struct Limit {
    what: &'static str,
    max: u32,
    window_s: u64,
}

/// All windows.
#[derive(Debug, Default)]
pub(crate) struct Rates {
    lookups: Windows,
    accounts: Windows,
    logins_from: Windows,
    logins_for: Windows,
    passing: Windows,
}

impl Rates {
    /// Counts a handle lookup (attack 31), from loopback addresses too.
    pub(crate) fn lookup(&mut self, limits: &Limits, address: IpAddr, now_s: u64) -> Result<(), Refusal> {
        let Some(max) = limits.lookups_a_minute else { return Ok(()) };
        let limit = Limit { what: "lookups", max: max.get(), window_s: 60 };
        self.lookups.check(asker(address), now_s, &limit)?;
        self.lookups.add(asker(address), now_s, &limit);
        Ok(())
    }

    /// Counts a log-in begun from an address (attack 56).
    pub(crate) fn login_from(&mut self, limits: &Limits, address: IpAddr, now_s: u64) -> Result<(), Refusal> {
        let max = limits.logins_a_minute_from_address.filter(|_| !address.to_canonical().is_loopback());
        let Some(max) = max else { return Ok(()) };
        let limit = Limit { what: "log-ins from this address", max: max.get(), window_s: 60 };
        self.logins_from.check(asker(address), now_s, &limit)?;
        self.logins_from.add(asker(address), now_s, &limit);
        Ok(())
    }

    /// Counts a log-in begun for a handle (attack 56), whether or not somebody holds it.
    pub(crate) fn login_for(&mut self, limits: &Limits, handle: &HandleLabel, now_s: u64) -> Result<(), Refusal> {
        self.count_login(limits, handle.0.first_chunk().copied().unwrap_or_default(), now_s)
    }

    /// Counts another password begun for an account, which is as good as a log-in to whoever tries passwords.
    pub(crate) fn password_for(&mut self, limits: &Limits, account: &AccountId, now_s: u64) -> Result<(), Refusal> {
        self.count_login(limits, account.0.first_chunk().copied().unwrap_or_default(), now_s)
    }

    /// Counts a word in passing of a device: a program says one every few seconds while its person types.
    pub(crate) fn pass(&mut self, device: &DeviceId, now_s: u64) -> Result<(), Refusal> {
        let limit = Limit { what: "words in passing", max: PASSING_A_MINUTE, window_s: 60 };
        self.passing.check(device.0, now_s, &limit)?;
        self.passing.add(device.0, now_s, &limit);
        Ok(())
    }

    fn count_login(&mut self, limits: &Limits, name: Asker, now_s: u64) -> Result<(), Refusal> {
        let Some(max) = limits.logins_a_minute_for_handle else { return Ok(()) };
        let limit = Limit { what: "log-ins with this name", max: max.get(), window_s: 60 };
        self.logins_for.check(name, now_s, &limit)?;
        self.logins_for.add(name, now_s, &limit);
        Ok(())
    }

    /// Refuses an address that has opened too many accounts (attack 28).
    pub(crate) fn check_new_account(&mut self, limits: &Limits, address: IpAddr, now_s: u64) -> Result<(), Refusal> {
        let limit = new_accounts(limits, address);
        limit.map_or(Ok(()), |limit| self.accounts.check(asker(address), now_s, &limit))
    }

    /// Counts a new account. One that is refused by a rule is not counted.
    pub(crate) fn add_new_account(&mut self, limits: &Limits, address: IpAddr, now_s: u64) {
        if let Some(limit) = new_accounts(limits, address) {
            self.accounts.add(asker(address), now_s, &limit);
        }
    }
}

/// People on the machine itself have its files anyway: no limit for them.
fn new_accounts(limits: &Limits, address: IpAddr) -> Option<Limit> {
    let max = limits.accounts_an_hour.filter(|_| !address.to_canonical().is_loopback())?;
    Some(Limit { what: "new accounts", max: max.get(), window_s: HOUR_S })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Attacks 28, 31: the window slides, networks count as one, and others are not touched.
    #[test]
    fn an_address_may_ask_so_often_in_a_window() {
        let mut rates = Rates::default();
        let limits = Limits::PUBLIC;
        let ask = |rates: &mut Rates, address: &str, now| {
            let address = address.parse().unwrap();
            rates.check_new_account(&limits, address, now).map(|()| rates.add_new_account(&limits, address, now))
        };
        for now in [0, 10, 20] {
            assert!(ask(&mut rates, "2001:db8::1", now).is_ok());
        }
        let refused = ask(&mut rates, "2001:db8::2", 30);
        assert!(matches!(refused, Err(Refusal::RateLimited { retry_after_s: 3_570, .. })), "{refused:?}");
        assert!(ask(&mut rates, "2001:db8:1::1", 30).is_ok());
        assert!(ask(&mut rates, "2001:db8::2", 3_600).is_ok());
        for _ in 0..9 {
            assert!(ask(&mut rates, "::ffff:127.0.0.1", 30).is_ok());
        }
    }
}
