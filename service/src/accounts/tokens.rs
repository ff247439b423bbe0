//! Tokens: a device signs a challenge with its chain key, and is known by 32 random bytes for a day.
//!
//! A token says which device asks, never what it may do: every request looks at the account's newest device set, so a
//! removal ends it in the block that seals it.

use std::sync::PoisonError;
use std::sync::atomic::Ordering;

use axum::http::HeaderMap;
use chain::id::{AccountId, DeviceId, PublicKey};
use chain::sigchain::device_set::AccountState;
use chain::sigchain::rules::REQUEST_LAPSES_AFTER_S;
use protocol::api::accounts::{CHALLENGE_S, Challenge, TOKEN_S, Token, TokenRequest};
use protocol::bytes::Base64Url;

use crate::accounts::database::{Numbered, TokenRow};
use crate::accounts::secret::{Secret, fill};
use crate::http::refusal::Refusal;
use crate::shared::Shared;

/// Devices of which it is remembered which challenge they answered last.
const MAX_TAKEN: usize = 65_536;

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
    /// A challenge, good for one token request.
    pub(crate) fn challenge(&self) -> Result<Challenge, Refusal> {
        let mut challenge = [0; 32];
        fill(&mut challenge)?;
        let now_s = self.now_s();
        let mut challenges = self.accounts.challenges.lock().unwrap_or_else(PoisonError::into_inner);
        let order = self.accounts.challenge_order.fetch_add(1, Ordering::Relaxed);
        challenges.put(challenge, order, now_s, now_s.saturating_add(CHALLENGE_S));
        Ok(Challenge { challenge: Base64Url(challenge.to_vec()) })
    }

    /// A token for a device that signed a challenge.
    pub(crate) fn issue_token(&self, question: &TokenRequest) -> Result<Token, Refusal> {
        let now_s = self.now_s();
        let challenge: [u8; 32] =
            question.challenge.0.as_slice().try_into().map_err(|_| Refusal::Malformed { what: "the challenge" })?;
        let mut challenges = self.accounts.challenges.lock().unwrap_or_else(PoisonError::into_inner);
        let order = challenges.take(&challenge, now_s);
        drop(challenges);
        let order = order.ok_or(Refusal::TokenRefused)?;
        let (key, _) = self.device(&question.account, &question.device, now_s)?;
        if !question.is_signed_by(&key, &self.origin) {
            return Err(Refusal::TokenRefused);
        }
        let token = Secret::new()?;
        let ends_s = now_s.saturating_add(TOKEN_S);
        let row = TokenRow { account: question.account, device: question.device, ends_s };
        let name = (question.account, question.device);
        // a request that was held up on its way is no copy's: its challenge is older than the one that was taken
        let mut taken = self.accounts.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let is_late = taken.get(&name).is_some_and(|newest| *newest > order);
        let numbered = self.accounts.database.put_token(&token, &row, (question.number, is_late), now_s)?;
        if numbered != Numbered::Late {
            let owner = Caller { account: row.account, device: row.device, confirmed: true }.owner();
            self.delivery.hub.cut(&owner);
        }
        match numbered {
            Numbered::Kept => {}
            Numbered::Late => return Err(Refusal::TokenRefused),
            Numbered::Cloned => return Err(Refusal::Cloned),
        }
        if taken.len() >= MAX_TAKEN {
            taken.clear();
        }
        taken.insert(name, order);
        drop(taken);
        Ok(Token { token: token.to_base64url(), expires_in_s: TOKEN_S })
    }

    /// The device that a request's token names. Reads the store: for the blocking threads.
    ///
    /// # Errors
    /// [`Refusal::NoToken`]; [`Refusal::Removed`] if its account no longer has the device.
    pub(crate) fn caller(&self, headers: &HeaderMap) -> Result<Caller, Refusal> {
        let token = Secret::of_bearer(headers).ok_or(Refusal::NoToken)?;
        let now_s = self.now_s();
        let row = self.accounts.database.token(&token)?.filter(|row| row.ends_s > now_s).ok_or(Refusal::NoToken)?;
        let (_, confirmed) = self.device(&row.account, &row.device, now_s)?;
        let caller = Caller { account: row.account, device: row.device, confirmed };
        self.note_seen(&caller)?;
        Ok(caller)
    }

    /// Chain key of a device, and whether it is confirmed, by the newest sealed device set.
    fn device(&self, account: &AccountId, device: &DeviceId, now_s: u64) -> Result<(PublicKey, bool), Refusal> {
        let set = self.readers.with(|store| store.account(account))?.ok_or(Refusal::Removed)?;
        if *set.state() != AccountState::Open {
            return Err(Refusal::Removed);
        }
        if let Some(confirmed) = set.confirmed().get(device) {
            return Ok((confirmed.keys.chain, true));
        }
        // DEV-5: a request that nobody answered in time is gone, although no entry says so
        let open = |opened_at_s: u64| opened_at_s.saturating_add(REQUEST_LAPSES_AFTER_S) > now_s;
        let pending = set.pending().get(device).filter(|pending| open(pending.opened_at_s));
        pending.map(|pending| (pending.keys.chain, false)).ok_or(Refusal::Removed)
    }
}
