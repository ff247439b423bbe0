//! Key packages: this device's own at the service, so that others can let it in while it is off, and those of others.

use chain::id::{AccountId, DeviceId};
use protocol::api::delivery::{
    CLAIM, ClaimRequest, ClaimedKeyPackage, KEY_PACKAGES, KeyPackageCount, KeyPackages, ONE_TIME_KEY_PACKAGES,
};
use protocol::bytes::Base64Url;
use protocol::refusal::Problem;

use crate::error::Error;
use crate::group::CLAIMED;
use crate::turn::{Purpose, Turn, post};

const SPACE: &str = "key packages";
/// How often the last resort is replaced and the others are counted, milliseconds.
const AGAIN_MS: u64 = 7 * 86_400_000;
/// When a device's key package was no good, by its id; and how long none of its is claimed then, milliseconds.
const UNFIT: &str = "unfit key package";
const CLAIM_AGAIN_MS: u64 = 300_000;

impl Turn<'_> {
    /// Puts key packages at the service when there are none, when some were used, and once a week.
    pub(crate) fn keep_key_packages(&mut self) -> Result<(), Error> {
        let told_ms: Option<u64> = self.store.get(SPACE, b"told_ms")?;
        let fresh = told_ms.is_some_and(|told_ms| self.now_ms.saturating_sub(told_ms) < AGAIN_MS);
        if fresh || self.memory.in_flight.contains_key(&Purpose::KeyPackages) || self.bearer()?.is_none() {
            return Ok(());
        }
        if let Some(body) = self.store.get::<KeyPackages>(SPACE, b"made")? {
            return self.ask_as_device(Purpose::KeyPackages, post(KEY_PACKAGES, &body)?);
        }
        let device = self.device()?;
        let mls = self.mls(&device);
        let one_time = mls.key_packages(ONE_TIME_KEY_PACKAGES, false)?.into_iter().map(Base64Url).collect();
        let last_resort = mls.key_packages(1, true)?.into_iter().next().map(Base64Url);
        let body = KeyPackages { one_time, last_resort };
        self.store.put(SPACE, b"made", &body)?;
        self.ask_as_device(Purpose::KeyPackages, post(KEY_PACKAGES, &body)?)
    }

    /// The service has them.
    pub(crate) fn take_key_package_count(&mut self, body: &[u8]) -> Result<(), Error> {
        if serde_json::from_slice::<KeyPackageCount>(body).is_err() {
            self.pause();
            return Ok(());
        }
        self.store.remove(SPACE, b"made")?;
        self.store.put(SPACE, b"told_ms", &self.now_ms)
    }

    /// Asks for a key package of somebody's device, unless one was no good a short while ago.
    pub(crate) fn claim(&mut self, account: &AccountId, device: &DeviceId) -> Result<(), Error> {
        let unfit_ms: Option<u64> = self.store.get(UNFIT, &device.0)?;
        let again_ms = unfit_ms.filter(|at| *at <= self.now_ms).map(|at| at.saturating_add(CLAIM_AGAIN_MS));
        if let Some(again_ms) = again_ms.filter(|at| *at > self.now_ms) {
            self.wake(again_ms);
            return Ok(());
        }
        let request = ClaimRequest { account: *account, device: *device };
        self.ask_as_device(Purpose::Claim(*account, *device), post(CLAIM, &request)?)
    }

    /// A device's key package was no good: claimed at once again, it would use up all that may be claimed in an hour.
    pub(crate) fn unclaimable(&mut self, device: &DeviceId) -> Result<(), Error> {
        self.store.put(UNFIT, &device.0, &self.now_ms)
    }

    /// A key package came; whether it fits its device is found when it is used.
    pub(crate) fn take_claimed(&mut self, _: &AccountId, device: &DeviceId, body: &[u8]) -> Result<(), Error> {
        match serde_json::from_slice::<ClaimedKeyPackage>(body) {
            Ok(claimed) => self.store.put_bytes(CLAIMED, &device.0, &claimed.key_package.0),
            Err(_) => {
                self.pause();
                Ok(())
            }
        }
    }

    /// There is none now: its device has been confirmed this moment, or the limit is reached.
    pub(crate) fn claim_refused(&mut self, account: &AccountId, _: &DeviceId, _: &Problem) -> Result<(), Error> {
        self.hint(account)?;
        self.pause();
        Ok(())
    }
}
