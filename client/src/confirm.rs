//! What the devices of one account do with each other: confirm, refuse, remove.

use chain::id::{DeviceId, Digest};
use protocol::refusal::Problem;

use crate::error::Error;
use crate::turn::Turn;

impl Turn<'_> {
    /// Queues something for another device of the account.
    pub(crate) fn queue_relay(&mut self, _device: &DeviceId, _body: &protocol::relay::RelayBody) -> Result<(), Error> {
        Ok(())
    }
    pub(crate) fn go_on_with_own_account(&mut self) -> Result<(), Error> {
        Ok(())
    }
    pub(crate) fn open_request(&mut self, _device: &DeviceId) -> Result<(), Error> {
        Ok(())
    }
    pub(crate) fn confirm(&mut self, _device: &DeviceId, _code: &str, _history: bool) -> Result<(), Error> {
        Ok(())
    }
    pub(crate) fn refuse(&mut self, _device: &DeviceId) -> Result<(), Error> {
        Ok(())
    }
    pub(crate) fn remove_device(&mut self, _device: &DeviceId) -> Result<(), Error> {
        Ok(())
    }
    pub(crate) fn notices_read(&mut self, _up_to: u64) -> Result<(), Error> {
        Ok(())
    }
    pub(crate) fn take_entry(&mut self, _device: &DeviceId, _body: &[u8]) -> Result<(), Error> {
        Ok(())
    }
    pub(crate) fn entry_refused(&mut self, _device: &DeviceId, _problem: &Problem) -> Result<(), Error> {
        Ok(())
    }
    pub(crate) fn relay_taken(&mut self, _hash: &Digest) -> Result<(), Error> {
        Ok(())
    }
    pub(crate) fn relay_refused(&mut self, _hash: &Digest, _problem: &Problem) -> Result<(), Error> {
        Ok(())
    }
    /// Something came from another device of the account; `from` is what the service says.
    pub(crate) fn relayed(&mut self, _from: Option<DeviceId>, _body: &[u8]) -> Result<(), Error> {
        Ok(())
    }
}
