//! The token that opens the service for this device: got for a signature, kept for a day, never on the wire in the clear
//! of TLS.

use chain::view::View;
use protocol::api::accounts::{Challenge, DEVICE_CLONED, TOKEN_CHALLENGE, TOKENS, Token, TokenRequest, token_request};
use protocol::bytes::Base64Url;
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::notices::Notice;
use crate::step::{Call, Failure};
use crate::store::Store;
use crate::turn::{Purpose, Turn, post, post_bytes};

const TOKEN: &str = "token";
/// A token is replaced this long before it ends, milliseconds.
const EARLY_MS: u64 = 600_000;

#[derive(Serialize, Deserialize)]
struct Held {
    bearer: String,
    until_ms: u64,
}

/// True if the service said that a copy of this device is in use.
pub(crate) fn is_cloned(store: &Store<'_>) -> Result<bool, Error> {
    Ok(store.get(TOKEN, b"cloned")?.unwrap_or_default())
}

/// The token that a store holds, as the header wants it.
pub(crate) fn held(store: &Store<'_>) -> Result<Option<String>, Error> {
    Ok(store.get::<Held>(TOKEN, b"held")?.map(|held| held.bearer))
}

impl Turn<'_> {
    /// The token, as the header wants it; asks for one if there is none. `None`: not yet.
    pub(crate) fn bearer(&mut self) -> Result<Option<String>, Error> {
        // TOK-1: each start asks anew, so that a copy of this device is noticed
        let held: Option<Held> = if self.memory.has_token { self.store.get(TOKEN, b"held")? } else { None };
        if let Some(held) = held
            && self.now_ms.saturating_add(EARLY_MS) < held.until_ms
        {
            return Ok(Some(held.bearer));
        }
        // a challenge that may not be answered yet would be asked for again as soon as it came
        let is_asked = self.memory.in_flight.contains_key(&Purpose::Token) || self.is_too_early(&Purpose::Token);
        if !is_asked && self.own()?.is_some_and(|own| own.is_listed()) {
            self.ask(Purpose::Challenge, post_bytes(TOKEN_CHALLENGE, Vec::new()));
        }
        Ok(None)
    }

    /// Asks with the token, or for the token first.
    pub(crate) fn ask_as_device(&mut self, purpose: Purpose, call: Call) -> Result<(), Error> {
        if let Some(bearer) = self.bearer()? {
            self.ask(purpose, Call { bearer: Some(bearer), ..call });
        }
        Ok(())
    }

    /// TOK-2: the service says that a copy of this device is in use as well. Neither goes on; nothing is deleted for that, since
    /// the service could say so of any device.
    pub(crate) fn is_cloned(&mut self) -> Result<(), Error> {
        if !is_cloned(&self.store)? {
            self.store.put(TOKEN, b"cloned", &true)?;
            self.notice(Notice::new(DEVICE_CLONED, None, None, 0, self.now_s()))?;
        }
        self.memory.has_token = false;
        self.pause();
        Ok(())
    }

    /// Whoever waits for something is told that nothing more comes of it here.
    pub(crate) fn hold_if_cloned(&mut self) -> Result<(), Error> {
        // whoever has a token is none
        if !self.memory.has_token && is_cloned(&self.store)? {
            let message =
                "a copy of this device is in use, so the service lets neither in any more: see `trefoil status`";
            for intent in self.intents()? {
                self.hold(intent.id, Failure::refused(DEVICE_CLONED, message));
            }
        }
        Ok(())
    }

    /// The service says that the token has ended.
    pub(crate) fn drop_token(&mut self) -> Result<(), Error> {
        self.store.remove(TOKEN, b"held")
    }

    /// Signs the challenge.
    pub(crate) fn take_challenge(&mut self, body: &[u8]) -> Result<(), Error> {
        let Ok(Challenge { challenge }) = serde_json::from_slice(body) else { return Ok(()) };
        let Some(device) = self.own_device()? else { return Ok(()) };
        let Some(origin) = self.view()?.map(View::parameters).map(|parameters| parameters.origin.clone()) else {
            return Ok(());
        };
        let number: u64 = self.store.get(TOKEN, b"number")?.unwrap_or_default();
        let number = number.saturating_add(1);
        self.store.put(TOKEN, b"number", &number)?;
        let message = token_request(&origin, &device.account, &device.id(), number, &challenge.0);
        let signature = ed25519_dalek::Signer::sign(&device.chain, &message).to_bytes();
        let request = TokenRequest {
            account: device.account,
            device: device.id(),
            challenge,
            number,
            signature: Base64Url(signature.to_vec()),
        };
        self.ask(Purpose::Token, post(TOKENS, &request)?);
        Ok(())
    }

    /// Keeps the token.
    pub(crate) fn take_token(&mut self, body: &[u8]) -> Result<(), Error> {
        let Ok(Token { token, expires_in_s }) = serde_json::from_slice(body) else { return Ok(()) };
        let Ok(serde_json::Value::String(bearer)) = serde_json::to_value(&token) else { return Ok(()) };
        let until_ms = self.now_ms.saturating_add(expires_in_s.saturating_mul(1_000));
        self.memory.has_token = true;
        self.store.remove(TOKEN, b"cloned")?;
        self.store.put(TOKEN, b"held", &Held { bearer, until_ms })?;
        self.note_heard()
    }
}
