//! How a confirmed device answers one that waits, by the digits that a person types, and takes out one that counts.

use chain::id::DeviceId;
use chain::sigchain::body::{Answer, Body, Confirmer};
use chain::sigchain::device_set::DeviceSet;
use chain::sigchain::rules::CODE_COMMITMENTS;
use protocol::confirm::{Code, CodeMatched};

use crate::changes::{Change, Changing, Subject};
use crate::error::Error;
use crate::intent::Want;
use crate::own::Own;
use crate::requests::{ANSWER_MS, Typed};
use crate::step::Failure;
use crate::turn::Turn;

impl Turn<'_> {
    /// A person looks at a request.
    pub(crate) fn open_request(&mut self, device: &DeviceId) -> Result<(), Error> {
        if self.trouble()?.is_some() {
            return Ok(());
        }
        match self.account_to_change()? {
            Some((own, set)) => self.make_code_shown(&own, &set, device),
            None => Ok(()),
        }
    }

    /// A person typed digits.
    pub(crate) fn confirm(&mut self, device: &DeviceId, code: &str, history: bool) -> Result<(), Error> {
        if Code::parse(code).is_none() {
            let failure = if code.contains("trefoil:") || code.contains("://") || code.contains('#') {
                Failure::misuse("link.wrong_kind", "this is a contact link: a device is confirmed by its six digits")
            } else {
                Failure::misuse("confirm.code_malformed", "a code is six digits")
            };
            return self.refuse_command(&Want::ChangeAccount, failure);
        }
        let Some((own, set)) = self.change(device, Change::Confirm { code: code.to_owned(), history })? else {
            return Ok(());
        };
        // digits that came too late are told of before new ones are shown
        if self.asked(device)?.is_some_and(|asked| !asked.is_revealed()) {
            self.make_code_shown(&own, &set, device)?;
        }
        Ok(())
    }

    /// "This is not me."
    pub(crate) fn refuse(&mut self, device: &DeviceId) -> Result<(), Error> {
        self.change(device, Change::Refuse).map(|_| ())
    }

    /// Takes a device out for good.
    pub(crate) fn remove_device(&mut self, device: &DeviceId) -> Result<(), Error> {
        let last = |set: &DeviceSet| {
            set.confirmed().len() == 1 && set.confirmed().contains_key(device) && set.recovery_key().is_none()
        };
        if self.account_to_change()?.is_some_and(|(_, set)| last(&set)) {
            let message = "the last device cannot be removed without a recovery key";
            return self.refuse_command(&Want::ChangeAccount, Failure::refused("device.last", message));
        }
        self.change(device, Change::Remove).map(|_| ())
    }

    /// Begins to change a device's standing; the account as it was then, if that could be begun.
    fn change(&mut self, device: &DeviceId, change: Change) -> Result<Option<(Own, DeviceSet)>, Error> {
        let Some((own, set)) = self.account_to_change()? else {
            self.refuse_unconfirmed()?;
            return Ok(None);
        };
        if !self.begin_change(Subject::Device(*device), change)? {
            return Ok(None);
        }
        if !set.pending().contains_key(device) && !set.confirmed().contains_key(device) {
            // it may have come since the last look
            self.hint(&set.account())?;
        }
        Ok(Some((own, set)))
    }

    /// Only a confirmed device changes its account.
    pub(crate) fn refuse_unconfirmed(&mut self) -> Result<(), Error> {
        let message = "this device is not a confirmed one of an account";
        self.refuse_command(&Want::ChangeAccount, Failure::refused("device.unconfirmed", message))
    }

    /// Compares the digits (CNF-5). `None`: they do not match, or cannot be compared yet.
    pub(crate) fn matched(
        &mut self,
        own: &Own,
        set: &DeviceSet,
        device: DeviceId,
        changing: &Changing,
        typed: Code,
    ) -> Result<Option<CodeMatched>, Error> {
        let subject = Subject::Device(device);
        match self.compare_code(own, set, &device, typed)? {
            Typed::Matched(matched) => return Ok(Some(matched)),
            Typed::NotRevealed => {
                let until_ms = changing.since_ms.saturating_add(ANSWER_MS);
                if self.now_ms < until_ms {
                    self.wake(until_ms);
                    return Ok(None);
                }
                let message = "the new device has not answered; is Trefoil open on it?";
                self.changed(&subject, changing, Err(Failure::refused("confirm.no_answer", message)))?;
            }
            Typed::TooLate => {
                let message = "that code is older than 10 minutes; look at the new device again";
                self.changed(&subject, changing, Err(Failure::refused("confirm.code_expired", message)))?;
                self.offer_next(own, set, &device)?;
            }
            Typed::Wrong => self.wrong_code(own, set, device, changing)?,
        }
        Ok(None)
    }

    /// CNF-5: after three wrong codes the request is void.
    fn wrong_code(&mut self, own: &Own, set: &DeviceSet, device: DeviceId, changing: &Changing) -> Result<(), Error> {
        let wrong = self.asked(&device)?.map_or(0, |asked| usize::from(asked.wrong));
        let left = CODE_COMMITMENTS.saturating_sub(wrong);
        let message = match left {
            0 => "that code does not match either: the request is refused".to_owned(),
            1 => "that code does not match; look at the new device again (1 try left)".to_owned(),
            left => format!("that code does not match; look at the new device again ({left} tries left)"),
        };
        let subject = Subject::Device(device);
        self.changed(&subject, changing, Err(Failure::refused("confirm.code_mismatch", message)))?;
        if left > 0 {
            return self.offer_next(own, set, &device);
        }
        let refusal = Changing::new(None, Change::Refuse, self.now_ms);
        self.make_change(own, set, subject, refusal)
    }
}

/// The entry that lets a device in. It takes what only the right digits give.
pub(crate) fn confirmation(matched: &CodeMatched, device: DeviceId, signer: DeviceId) -> Body {
    Body::DeviceConfirmed(Answer { added: matched.request().added, device, signer: Confirmer::Device(signer) })
}
