//! When the record cannot be checked: what waits then, what a person may decide about it, and what is told (CHK-5, CHK-9).
//!
//! Whoever withholds cosignatures can do two things with that: keep what is written from going, and keep a removal from being
//! seen for a day; longer only where a person says so, and there for devices that were proven before.

use chain::id::AccountId;
use protocol::members::Composition;

use crate::conversation::{Conversation, Stage};
use crate::error::Error;
use crate::intent::{Intent, Want};
use crate::membership::Standpoint;
use crate::record::{BOUND_S, FRESH_MS, Trouble};
use crate::step::Failure;
use crate::turn::{Purpose, Turn};

/// Known devices, and the record could not be checked for longer than the bound.
pub(crate) const STALE: &str = "chain.stale";
/// Somebody or something new, and the record cannot be checked.
pub(crate) const UNCHECKED: &str = "chain.unchecked";
/// A service that shows less of the record than before.
const ROLLBACK: &str = "chain.rollback";
/// A record that is in order, seen within the last hour, is not older than this, seconds: it is cosigned anew in less than that.
const QUIET_S: u64 = FRESH_MS / 1_000 * 2;

impl Turn<'_> {
    /// Why nothing goes to anybody: the service has lied, or shows less of the record than it has shown.
    pub(crate) fn why_nothing_goes(&mut self) -> Result<Option<Failure>, Error> {
        let Some(trouble) = self.trouble()? else { return Ok(None) };
        if trouble.is_lie {
            return Ok(Some(lied(&trouble)));
        }
        if trouble.code != ROLLBACK {
            return Ok(None);
        }
        // it may be shown again at any time
        let own = self.device()?.account;
        self.refresh(&own)?;
        let message = "this service has taken back a part of the public record that it had shown; sending is stopped until it \
                       shows it again";
        Ok(Some(Failure::lie(ROLLBACK, message)))
    }

    /// True if the record cannot be believed now, although the service answers. While it does not answer at all, nothing
    /// can be sent anyway, and nothing is encrypted in advance for devices that may be gone by then.
    pub(crate) fn is_cut_off(&self) -> Result<bool, Error> {
        Ok(self.trouble()?.is_some())
    }

    /// The same, and no answer is on its way that could change it.
    pub(crate) fn is_cut_off_from(&self, account: &AccountId) -> Result<bool, Error> {
        Ok(!self.memory.in_flight.contains_key(&Purpose::Account(*account)) && self.is_cut_off()?)
    }

    /// Decision of CHK-5 about a known device's account that is not fresh: `None` if it is known well enough.
    pub(crate) fn too_old(
        &mut self,
        conversation: &Conversation,
        account: &AccountId,
    ) -> Result<Option<Failure>, Error> {
        let age_s = self.age_s(account)?;
        Ok((age_s > BOUND_S && !conversation.unchecked).then(|| stale(age_s)))
    }

    /// How long ago the record was last seen to be so about an account, by the witnesses' time, seconds.
    fn age_s(&mut self, account: &AccountId) -> Result<u64, Error> {
        let now_s = self.now_s();
        Ok(self.known(account)?.map_or(u64::MAX, |known| now_s.saturating_sub(known.seen_s())))
    }

    /// What is said of a message that goes now: how long the record could not be checked, if that is worth a word.
    pub(crate) fn unchecked_s(&mut self, now: &Composition) -> Result<Option<u64>, Error> {
        let (mut oldest_s, mut is_fresh) = (0, true);
        for account in now.accounts() {
            is_fresh = self.is_fresh(&account)? && is_fresh;
            oldest_s = self.age_s(&account)?.max(oldest_s);
        }
        Ok(if is_fresh { old_enough(oldest_s) } else { Some(oldest_s) })
    }

    /// Keeps since when a conversation is held up, for those who look at it.
    pub(crate) fn note_stale(
        &mut self,
        conversation: &mut Conversation,
        now: &Composition,
        standpoint: &Standpoint,
    ) -> Result<(), Error> {
        let is_held = match standpoint {
            Standpoint::Held(failure) => failure.code == STALE,
            Standpoint::Fits(_) | Standpoint::Differs(_) => conversation.unchecked,
            Standpoint::Later => return Ok(()),
        };
        let since_s = if is_held { self.oldest_s(now)? } else { None };
        if conversation.stale_since_s != since_s {
            conversation.stale_since_s = since_s;
            self.keep_conversation(conversation)?;
            self.conversation_changed(&conversation.group);
        }
        Ok(())
    }

    /// When the record was last seen to be so about the member who was looked at longest ago, if that is beyond the bound.
    fn oldest_s(&mut self, now: &Composition) -> Result<Option<u64>, Error> {
        let mut oldest_s = 0;
        for account in now.accounts() {
            oldest_s = self.age_s(&account)?.max(oldest_s);
        }
        Ok((oldest_s > BOUND_S).then(|| self.now_s().saturating_sub(oldest_s)))
    }

    /// CHK-9: a person accepts that the record cannot be checked, for one conversation and until it can be. Decided in advance,
    /// it would be there when somebody makes use of it.
    pub(crate) fn send_unchecked(&mut self, to: &str) -> Result<(), Error> {
        let is_cut_off = self.trouble()?.is_some_and(|trouble| !trouble.is_lie);
        let mut is_decided = false;
        for mut conversation in self.conversations_meant(to)? {
            let device = self.device()?;
            let mls = self.mls(&device);
            if !is_cut_off || conversation.stage != Stage::Active || !mls.has(&conversation.group)? {
                continue;
            }
            let now = mls.composition(&conversation.group)?;
            if let Some(since_s) = self.oldest_s(&now)? {
                (conversation.unchecked, conversation.stale_since_s) = (true, Some(since_s));
                self.keep_conversation(&conversation)?;
                self.conversation_changed(&conversation.group);
                is_decided = true;
            }
        }
        if is_decided {
            return Ok(());
        }
        let message = "there is nothing to decide: nothing waits there for the public record to be checked";
        self.refuse_command(&Want::Sending, Failure::refused("chain.checked", message))
    }

    /// The record can be checked again: what a person accepted was for the time until then (CHK-9).
    pub(crate) fn send_checked(&mut self) -> Result<(), Error> {
        let was_held = |it: &Conversation| it.unchecked || it.stale_since_s.is_some();
        for mut conversation in self.conversations()?.into_iter().filter(was_held) {
            (conversation.unchecked, conversation.stale_since_s) = (false, None);
            self.keep_conversation(&conversation)?;
            self.conversation_changed(&conversation.group);
        }
        Ok(())
    }

    /// What is written to somebody new waits, and the writer is told why; after a lie it ends.
    pub(crate) fn wait_for_record(&mut self, intent: &Intent, whom: &str) -> Result<(), Error> {
        match self.trouble()? {
            Some(trouble) if trouble.is_lie => self.intent_failed(intent.id, lied(&trouble)),
            Some(_) => {
                self.hold(intent.id, unchecked(whom));
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// What an account is called towards a person.
    pub(crate) fn called(&self, account: &AccountId) -> Result<String, Error> {
        Ok(self.name_of(account)?.unwrap_or_else(|| "this account".to_owned()))
    }

    /// What stands here behind what cannot be checked now: a commit that names what only the record can prove.
    pub(crate) fn hold_behind(&mut self, conversation: &Conversation) -> Result<(), Error> {
        let trouble = self.trouble()?;
        let is_lie = trouble.as_ref().is_some_and(|trouble| trouble.is_lie);
        let is_shown = trouble.is_none() && !self.members_of(conversation)?.iter().any(|it| self.is_held_back(it));
        if is_lie || is_shown || self.is_looking_up(&conversation.group) {
            return Ok(());
        }
        let whom = match conversation.pair.map(AccountId) {
            Some(other) => self.called(&other)?,
            None => "everybody".to_owned(),
        };
        self.hold_back(&conversation.group, &unchecked(&whom))
    }
}

/// An age of the record that is worth a word, although the look was fresh.
pub(crate) fn old_enough(age_s: u64) -> Option<u64> {
    Some(age_s).filter(|age_s| *age_s > QUIET_S)
}

/// The service was caught.
fn lied(trouble: &Trouble) -> Failure {
    let kept = if trouble.has_evidence { " and the evidence is saved" } else { "" };
    let message = format!("this service has shown different people different records; sending is stopped{kept}");
    Failure::lie(trouble.code.clone(), message)
}

fn stale(age_s: u64) -> Failure {
    let hours = age_s / 3_600;
    let message = format!("the public record couldn't be checked for {hours} hours, so your message waits here");
    Failure::waiting(STALE, message)
}

/// Decision 15, in words: nothing new is believed before a quorum has it.
pub(crate) fn unchecked(whom: &str) -> Failure {
    let message =
        format!("we can't check {whom}'s devices against the public record right now, so your message is waiting here");
    Failure::waiting(UNCHECKED, message)
}
