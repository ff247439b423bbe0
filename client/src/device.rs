//! The keys of this device.

use chain::id::{AccountId, DeviceId, DeviceKeys};
use ed25519_dalek::SigningKey;

/// This device: its account and its two private keys, which never leave it.
#[derive(Clone)]
pub(crate) struct Device {
    /// Its account.
    pub(crate) account: AccountId,
    /// Signs entries and requests to the service.
    pub(crate) chain: SigningKey,
    /// The key of its leaf in groups.
    pub(crate) mls: SigningKey,
}

impl Device {
    /// Its public keys.
    pub(crate) fn keys(&self) -> DeviceKeys {
        DeviceKeys { chain: (&self.chain).into(), mls: (&self.mls).into() }
    }

    /// Its id.
    pub(crate) fn id(&self) -> DeviceId {
        self.keys().id()
    }
}

impl std::fmt::Debug for Device {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Device(..)")
    }
}
