//! Tokens: a device signs a challenge with its chain key, and is known by 32 random bytes for a day.

use axum::http::HeaderMap;
use chain::id::{AccountId, DeviceId};

use crate::http::refusal::Refusal;
use crate::shared::Shared;

/// The device that asks, by its token and by the newest sealed device set of its account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Caller {
    /// Its account.
    pub(crate) account: AccountId,
    /// Its id.
    pub(crate) device: DeviceId,
    /// False while it waits for its confirmation.
    pub(crate) confirmed: bool,
}

impl Caller {
    /// For what only a confirmed device may do.
    ///
    /// # Errors
    /// [`Refusal::Unconfirmed`].
    pub(crate) fn require_confirmed(&self) -> Result<(), Refusal> {
        if self.confirmed { Ok(()) } else { Err(Refusal::Unconfirmed) }
    }
}

impl Shared {
    /// The device that a request's token names. Reads the store: for the blocking threads.
    ///
    /// # Errors
    /// [`Refusal::NoToken`]; [`Refusal::Removed`] if its account no longer has the device.
    pub(crate) fn caller(&self, _headers: &HeaderMap) -> Result<Caller, Refusal> {
        Err(Refusal::NoToken)
    }
}
