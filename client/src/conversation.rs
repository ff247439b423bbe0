//! Conversations.

use chain::id::{AccountId, DeviceId};
use protocol::api::delivery::{Delivery, DeliveryKind};
use protocol::id::GroupId;
use protocol::refusal::Problem;

use crate::error::Error;
use crate::turn::Turn;

impl Turn<'_> {
    pub(crate) fn delivered(&mut self, delivery: Delivery) -> Result<(), Error> {
        let from = delivery.from.and_then(|from| from.parse().ok());
        match delivery.kind {
            DeliveryKind::Relay => self.relayed(from, &delivery.bytes.0),
            DeliveryKind::Record => match delivery.bytes.0.try_into() {
                Ok(account) => self.hint(&AccountId(account)),
                Err(_) => Ok(()),
            },
            DeliveryKind::Commit | DeliveryKind::Message | DeliveryKind::Welcome => Ok(()),
        }
    }
    pub(crate) fn go_on_reading(&mut self) -> Result<(), Error> {
        Ok(())
    }
    pub(crate) fn go_on_with_conversations(&mut self) -> Result<(), Error> {
        Ok(())
    }
    pub(crate) fn want_to_send(&mut self, _to: String, _text: String) -> Result<(), Error> {
        Ok(())
    }
    pub(crate) fn send_unchecked(&mut self, _to: &str) -> Result<(), Error> {
        Ok(())
    }
    pub(crate) fn take_key_package_count(&mut self, _body: &[u8]) -> Result<(), Error> {
        Ok(())
    }
    pub(crate) fn take_claimed(&mut self, _a: &AccountId, _d: &DeviceId, _body: &[u8]) -> Result<(), Error> {
        Ok(())
    }
    pub(crate) fn claim_refused(&mut self, _a: &AccountId, _d: &DeviceId, _problem: &Problem) -> Result<(), Error> {
        Ok(())
    }
    pub(crate) fn take_own_groups(&mut self, _body: &[u8]) -> Result<(), Error> {
        Ok(())
    }
    pub(crate) fn take_group_state(&mut self, _g: &GroupId, _e: Option<u64>, _body: &[u8]) -> Result<(), Error> {
        Ok(())
    }
    pub(crate) fn group_state_refused(&mut self, _g: &GroupId, _e: Option<u64>, _p: &Problem) -> Result<(), Error> {
        Ok(())
    }
    pub(crate) fn take_creation(&mut self, _g: &GroupId, _body: &[u8]) -> Result<(), Error> {
        Ok(())
    }
    pub(crate) fn take_commit(&mut self, _g: &GroupId, _body: &[u8]) -> Result<(), Error> {
        Ok(())
    }
    pub(crate) fn commit_refused(&mut self, _g: &GroupId, _problem: &Problem) -> Result<(), Error> {
        Ok(())
    }
    pub(crate) fn take_sent(&mut self, _row: i64, _body: &[u8]) -> Result<(), Error> {
        Ok(())
    }
    pub(crate) fn message_refused(&mut self, _row: i64, _problem: &Problem) -> Result<(), Error> {
        Ok(())
    }
    pub(crate) fn take_feed(&mut self, _body: &[u8]) -> Result<(), Error> {
        Ok(())
    }
}
