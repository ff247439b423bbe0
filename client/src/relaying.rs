//! What devices of one account hand each other through the service: kept until the service has it, and read.
//!
//! The service sees who hands something to whom and how long it is. It may lose it: whoever waits for an answer can ask
//! again.

use chain::id::{AccountId, DeviceId, Digest};
use protocol::api::delivery::{RELAY, Relay};
use protocol::bytes::Base64Url;
use protocol::history::HistoryRequest;
use protocol::refusal::Problem;
use protocol::relay::RelayBody;
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::failure::is_passing;
use crate::turn::{Purpose, Turn, post_bytes};

/// What is on its way to another own device; by the hash of its bytes. First until when it is tried (milliseconds since
/// 1970, 8 bytes), then the request: base64 in JSON once more would be a third longer.
pub(crate) const OUTBOX: &str = "relay.outbox";
/// How long it is tried, milliseconds: as long as an attempt at a code.
const KEPT_MS: u64 = 600_000;
/// How long old messages are tried: as long as a request.
const HISTORY_KEPT_MS: u64 = 7 * 86_400_000;

/// Requests for old messages that were not looked at yet; by their hash: one that comes once more takes no other's place.
const ASKED: &str = "relay.asked";
/// Most of them.
const MAX_ASKED: usize = 16;

#[derive(Serialize, Deserialize)]
struct Asked {
    request: Base64Url,
    since_ms: u64,
}

impl Turn<'_> {
    /// Keeps something for another own device until the service has it.
    pub(crate) fn relay(&mut self, device: DeviceId, body: &RelayBody) -> Result<(), Error> {
        let relay = Relay { device, body: Base64Url(body.encode()) };
        let request = serde_json::to_vec(&relay).map_err(|_| Error::Fault("a body that is no JSON"))?;
        let hash = Digest::sha256(&request);
        let kept_ms = match body {
            RelayBody::Offer(_) | RelayBody::Reveal(_) | RelayBody::Introduction(_) | RelayBody::Closed => KEPT_MS,
            RelayBody::HistoryRequest(_) | RelayBody::HistoryPart(_) => HISTORY_KEPT_MS,
        };
        let until_ms = self.now_ms.saturating_add(kept_ms);
        self.store.put_bytes(OUTBOX, &hash.0, &[&until_ms.to_be_bytes()[..], &request].concat())?;
        self.send_relays()
    }

    /// Sends what is kept.
    pub(crate) fn send_relays(&mut self) -> Result<(), Error> {
        for key in self.store.keys(OUTBOX)? {
            let Ok(hash) = <[u8; 32]>::try_from(key.as_slice()) else { continue };
            // to open a page of old messages, which every step comes by, takes longer than to look whether it is on its way
            if !self.may_ask(&Purpose::Relay(Digest(hash))) {
                continue;
            }
            let Some(outgoing) = self.store.bytes(OUTBOX, &key)? else { continue };
            let (until_ms, request) = outgoing.split_first_chunk().ok_or(Error::Damaged)?;
            if self.now_ms > u64::from_be_bytes(*until_ms) {
                self.store.remove(OUTBOX, &key)?;
                continue;
            }
            self.ask_as_device(Purpose::Relay(Digest(hash)), post_bytes(RELAY, request.to_vec()))?;
        }
        Ok(())
    }

    /// The service has it.
    pub(crate) fn relay_taken(&mut self, hash: &Digest) -> Result<(), Error> {
        self.store.remove(OUTBOX, &hash.0)
    }

    /// The service does not take it.
    pub(crate) fn relay_refused(&mut self, hash: &Digest, problem: &Problem) -> Result<(), Error> {
        if is_passing(problem) || problem.code == protocol::refusal::RATE_LIMITED {
            self.pause();
            return Ok(());
        }
        self.store.remove(OUTBOX, &hash.0)
    }

    /// Something came from another device of the account. `from` is what the service says, so it is not used: every
    /// body names and proves its sender itself.
    pub(crate) fn relayed(&mut self, _from: Option<DeviceId>, body: &[u8]) -> Result<(), Error> {
        match RelayBody::decode(body) {
            Ok(RelayBody::Offer(bytes)) => self.take_offer(bytes),
            Ok(RelayBody::Reveal(bytes)) => self.take_reveal(&bytes),
            Ok(RelayBody::Introduction(bytes)) => self.take_introduction(&bytes),
            Ok(RelayBody::Closed) => {
                let account = self.own()?.filter(|own| own.is_listed()).and_then(|own| own.account());
                account.map_or(Ok(()), |account| self.hint(&account))
            }
            Ok(RelayBody::HistoryRequest(bytes)) => self.keep_history_request(bytes),
            Ok(RelayBody::HistoryPart(bytes)) if self.is_confirmed()? => self.history_part(&bytes),
            Ok(RelayBody::HistoryPart(_)) | Err(_) => Ok(()),
        }
    }

    fn is_confirmed(&self) -> Result<bool, Error> {
        Ok(self.own()?.is_some_and(|own| own.is_confirmed()))
    }

    /// A new device asks for old messages. It hears of its confirmation as soon as this one does, so this one looks first.
    fn keep_history_request(&mut self, bytes: Vec<u8>) -> Result<(), Error> {
        if !self.is_confirmed()? || self.store.keys(ASKED)?.len() >= MAX_ASKED {
            return Ok(());
        }
        if HistoryRequest::decode(&bytes).is_err() {
            return Ok(());
        }
        let key = HistoryRequest::hash(&bytes);
        self.store.put(ASKED, &key.0, &Asked { request: Base64Url(bytes), since_ms: self.now_ms })
    }

    /// Answers those who asked for old messages, by a look at the account that is not older than the question.
    pub(crate) fn go_on_with_history_requests(&mut self, checked_ms: u64, account: &AccountId) -> Result<(), Error> {
        for key in self.store.keys(ASKED)? {
            let Some(asked) = self.store.get::<Asked>(ASKED, &key)? else { continue };
            if checked_ms < asked.since_ms {
                self.refresh(account)?;
                continue;
            }
            self.history_requested(&asked.request.0)?;
            self.store.remove(ASKED, &key)?;
        }
        Ok(())
    }
}
