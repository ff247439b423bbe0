//! Receipts: who wrote a message hears that it came, and that it was read (MSG-9, MSG-10).
//!
//! What is owed is kept by message until a pause is over, so that one receipt says all that came and was read meanwhile. It is
//! written only when the group is as it should be: a receipt makes no commit, and nobody waits for it. All devices of an account owe
//! the same; the first one says it, in the group, where the others hear it. What others say stands in the row of the message that
//! it is about, and only if that row is here and waits for their word: so nobody can fill a disk with words about nothing.

use chain::id::AccountId;
use protocol::api::delivery::{REMOVED_LEAF, STALE_EPOCH};
use protocol::content::{Content, MAX_RECEIPTS, Part, RECEIPTS, Receipt, decode_receipts, encode_receipts};
use protocol::id::{GroupId, MessageId};
use protocol::members::{Composition, Leaf};
use protocol::people::{Decision, Standing};
use protocol::refusal::{Kind, Problem};
use protocol::settings::{SettingKey, is_self_group_id};
use serde::{Deserialize, Serialize};

use crate::conversation::{Conversation, Stage};
use crate::error::Error;
use crate::intent::Want;
use crate::membership::Standpoint;
use crate::message::{Kept, Stored};
use crate::own::random;
use crate::people::{decision, standing};
use crate::query::MessageState;
use crate::reading::read_up_to;
use crate::settings;
use crate::step::Event;
use crate::store::Store;
use crate::turn::Turn;
use crate::typing;

/// What is to be said; by group and message.
const OWED: &str = "receipts owed";
/// When it is; by group.
const DUE: &str = "receipts due";
/// The position up to which it was looked what was read; by group.
const LOOKED: &str = "receipts looked";
/// Rows of receipts that were sent, oldest first; by group.
const SAID: &str = "receipts said";
/// Most of them.
const MOST_SAID: usize = 256;
/// Most accounts of a conversation with receipts: each text there is answered by all others, and each of them asks the record for
/// all others.
const MOST_ACCOUNTS: usize = 32;
/// How long what is owed is gathered, milliseconds: at least so long, and up to so much longer by chance.
const GATHER_MS: u64 = 4_000;
const GATHER_MORE_MS: u64 = 2_000;
/// The first pause when it cannot be said, milliseconds; each is twice as long as the one before.
const PAUSE_MS: u64 = 5_000;
/// Most pauses: after an hour and a half it is not worth saying any more.
const MOST_PAUSES: u32 = 10;
/// Most messages that are looked at when a person has read.
const MOST_READ: u32 = 1_000;

/// When a group's receipts are to be written. It is kept until the service has them.
#[derive(Serialize, Deserialize)]
struct Due {
    at_ms: u64,
    pauses: u32,
}

/// Which receipts an account gives, and sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Receipts {
    /// That messages came.
    pub delivered: bool,
    /// That they were read.
    pub read: bool,
    /// That somebody types (MSG-12).
    pub typing: bool,
}

impl Receipts {
    /// What of a state is said, or shown: who says nothing sees nothing (MSG-10).
    pub(crate) fn allow(self, receipt: Receipt) -> Option<Receipt> {
        match receipt {
            Receipt::Read if self.read => Some(Receipt::Read),
            Receipt::Read | Receipt::Delivered => self.delivered.then_some(Receipt::Delivered),
        }
    }
}

/// Which receipts the account wants.
pub(crate) fn wanted(store: &Store<'_>) -> Result<Receipts, Error> {
    let is_on =
        |receipt| Ok::<_, Error>(settings::value(store, &SettingKey::NoReceipts(receipt))?.is_none_or(|it| it != [1]));
    Ok(Receipts { delivered: is_on(Receipt::Delivered)?, read: is_on(Receipt::Read)?, typing: typing::is_told(store)? })
}

/// True for receipts of this device.
pub(crate) fn is_receipts(kept: &Kept) -> bool {
    !kept.is_shown && !receipts_of(kept).is_empty()
}

fn receipts_of(kept: &Kept) -> Vec<(MessageId, Receipt)> {
    match Content::decode(&kept.content).map(|content| content.part) {
        Ok(Part::Signal { content_type, bytes }) if content_type == RECEIPTS => {
            decode_receipts(&bytes).unwrap_or_default()
        }
        _ => Vec::new(),
    }
}

fn owed_key(group: &GroupId, message: &MessageId) -> Vec<u8> {
    [group.0, message.0].concat()
}

/// True for what somebody has written and this device has shown.
fn is_told_of(kept: &Kept) -> bool {
    let is_text = || {
        let part = Content::decode(&kept.content).map(|content| content.part);
        matches!(part, Ok(Part::Text(_) | Part::External(_) | Part::Timer(_) | Part::Title(_) | Part::Picture(_)))
    };
    let is_whole = kept.is_shown && kept.about.is_none() && !kept.deleted && !kept.from_history;
    is_whole && kept.state == MessageState::Received && is_text()
}

impl Kept {
    fn said_by(&self, account: &AccountId) -> Option<Receipt> {
        self.receipts.iter().find(|(of, _)| of == account).and_then(|(_, receipt)| *receipt)
    }
}

impl Turn<'_> {
    /// A person gives receipts of one kind, or does not any more; on all devices.
    pub(crate) fn set_receipts(&mut self, receipt: Receipt, on: bool) -> Result<(), Error> {
        self.set(&SettingKey::NoReceipts(receipt), if on { &[] } else { &[1] })?;
        let intent = self.add_intent(&Want::ChangeAccount)?;
        self.intent_done(intent)
    }

    /// Whose word an own message waits for: every other account that has it. In a conversation of too many nobody's.
    pub(crate) fn awaited(&self, group: &GroupId) -> Result<Vec<(AccountId, Option<Receipt>)>, Error> {
        let device = self.device()?;
        let accounts = self.mls(&device).composition(group)?.accounts();
        if accounts.len() > MOST_ACCOUNTS {
            return Ok(Vec::new());
        }
        Ok(accounts.into_iter().filter(|it| *it != device.account).map(|account| (account, None)).collect())
    }

    /// Somebody's message came.
    pub(crate) fn owe_delivered(&mut self, group: &GroupId, message: &MessageId, kept: &Kept) -> Result<(), Error> {
        if is_told_of(kept) && self.may_tell(group)? { self.owe(group, message, Receipt::Delivered) } else { Ok(()) }
    }

    /// A person has read on. In a conversation that is not accepted that is looked at again when it is.
    pub(crate) fn owe_read(&mut self, group: &GroupId) -> Result<(), Error> {
        let looked: u64 = self.store.get(LOOKED, &group.0)?.unwrap_or_default();
        let read = read_up_to(&self.store, group)?;
        if read <= looked || !self.may_tell(group)? {
            return Ok(());
        }
        self.store.put(LOOKED, &group.0, &read)?;
        let own = self.device()?.account;
        for stored in self.store.messages_within(group, looked, read, MOST_READ)? {
            let is_owed = stored.kept.from != own && is_told_of(&stored.kept);
            if is_owed && stored.kept.said_by(&own) < Some(Receipt::Read) {
                self.owe(group, &stored.message, Receipt::Read)?;
            }
        }
        Ok(())
    }

    fn owe(&mut self, group: &GroupId, message: &MessageId, receipt: Receipt) -> Result<(), Error> {
        let key = owed_key(group, message);
        if self.owed(&key)? < Some(receipt) {
            self.store.put_bytes(OWED, &key, &[receipt.number()])?;
        }
        if self.store.bytes(DUE, &group.0)?.is_none() {
            self.gather(group)?;
        }
        Ok(())
    }

    fn owed(&self, key: &[u8]) -> Result<Option<Receipt>, Error> {
        let kept = self.store.bytes(OWED, key)?;
        Ok(kept.and_then(|bytes| bytes.first().copied()).and_then(Receipt::of_number))
    }

    /// What is owed from now on is said together. By chance at another time than the other devices of the account.
    fn gather(&mut self, group: &GroupId) -> Result<(), Error> {
        let chance = u64::from(u16::from_be_bytes(random()?)) % GATHER_MORE_MS;
        let at_ms = self.now_ms.saturating_add(GATHER_MS).saturating_add(chance);
        self.wake(at_ms);
        self.store.put(DUE, &group.0, &Due { at_ms, pauses: 0 })
    }

    /// True if this account has accepted a conversation, and it is not with itself (PPL-2, attack 67).
    pub(crate) fn may_tell(&self, group: &GroupId) -> Result<bool, Error> {
        let (Some(device), Some(conversation)) = (self.own_device()?, self.conversation(group)?) else {
            return Ok(false);
        };
        if is_self_group_id(&device.account, group) || standing(&self.store, &conversation)? != Standing::Open {
            return Ok(false);
        }
        let mut is_accepted = conversation.opened_here;
        for opener in &conversation.openers {
            is_accepted |= decision(&self.store, &AccountId(*opener))? == Some(Decision::Accepted);
        }
        Ok(is_accepted)
    }

    /// Writes what is due.
    pub(crate) fn go_on_with_receipts(&mut self) -> Result<(), Error> {
        if !self.own()?.is_some_and(|own| own.is_confirmed()) {
            return Ok(());
        }
        for key in self.store.keys(DUE)? {
            let (Some(due), Ok(group)) = (self.store.get::<Due>(DUE, &key)?, key.try_into().map(GroupId)) else {
                continue;
            };
            // a time that is further off than any pause was told by a clock that was put back since
            let is_possible = due.at_ms.saturating_sub(self.now_ms) <= PAUSE_MS << MOST_PAUSES;
            if due.at_ms > self.now_ms && is_possible {
                self.wake(due.at_ms);
            } else {
                self.tell_owed(&group, due)?;
            }
        }
        Ok(())
    }

    fn tell_owed(&mut self, group: &GroupId, due: Due) -> Result<(), Error> {
        let conversation = self.conversation(group)?.filter(|it| it.stage.end().is_none());
        let Some(mut conversation) = conversation else { return self.forget_owed(group) };
        if !self.may_tell(group)? {
            return self.forget_owed(group);
        }
        let device = self.device()?;
        let is_in = conversation.stage == Stage::Active && self.mls(&device).has(group)?;
        // what is under way ends with a step; then it is looked again
        if !is_in || conversation.pending.is_some() || self.store.first_waiting(group)?.is_some() {
            return Ok(());
        }
        let now = self.mls(&device).composition(group)?;
        if now.epoch < conversation.known_epoch {
            return Ok(());
        }
        if self.is_not_for(&now)? {
            return self.forget_owed(group);
        }
        let receipts = self.next_owed(group, &device.account)?;
        if receipts.is_empty() {
            return self.forget_owed(group);
        }
        let is_changing = !conversation.invited.is_empty() || !conversation.expelled.is_empty();
        match self.standpoint(&conversation, &now)? {
            Standpoint::Fits(_) if !is_changing => self.write_receipts(&mut conversation, &receipts, &now),
            Standpoint::Later => Ok(()),
            // whoever has something to say there makes the commit
            Standpoint::Fits(_) | Standpoint::Differs(_) | Standpoint::Held(_) => self.put_off(group, due),
        }
    }

    /// MSG-10: there are too many in it, or somebody who is blocked.
    pub(crate) fn is_not_for(&self, now: &Composition) -> Result<bool, Error> {
        let accounts = now.accounts();
        let mut is_not_for = accounts.len() > MOST_ACCOUNTS;
        for account in accounts.iter().take(MOST_ACCOUNTS) {
            is_not_for |= decision(&self.store, account)? == Some(Decision::Blocked);
        }
        Ok(is_not_for)
    }

    /// What is owed and still worth saying, as much as goes into one message. The rest of that is not owed any more.
    fn next_owed(&mut self, group: &GroupId, own: &AccountId) -> Result<Vec<(MessageId, Receipt)>, Error> {
        let wanted = wanted(&self.store)?;
        let mut receipts = Vec::new();
        for key in self.store.keys_under(OWED, &group.0)? {
            let message = key.last_chunk().map_or(MessageId::ZERO, |id| chain::id::Digest(*id));
            let stored = self.store.message_by_id(group, &message)?.filter(|it| is_told_of(&it.kept));
            let said = stored.as_ref().and_then(|it| it.kept.said_by(own));
            let receipt = self.owed(&key)?.and_then(|receipt| wanted.allow(receipt));
            match receipt.filter(|receipt| stored.is_some() && said < Some(*receipt)) {
                Some(receipt) => receipts.push((message, receipt)),
                None => self.store.remove(OWED, &key)?,
            }
            if receipts.len() == MAX_RECEIPTS {
                break;
            }
        }
        Ok(receipts)
    }

    fn write_receipts(
        &mut self,
        conversation: &mut Conversation,
        receipts: &[(MessageId, Receipt)],
        now: &Composition,
    ) -> Result<(), Error> {
        let group = conversation.group;
        let part = Part::Signal { content_type: RECEIPTS.to_owned(), bytes: encode_receipts(receipts) };
        let (row, _) = self.write(&group, part, None)?;
        for (message, _) in receipts {
            self.store.remove(OWED, &owed_key(&group, message))?;
        }
        let Some(mut waiting) = self.store.message(row)? else { return Ok(()) };
        self.encrypt(conversation, &mut waiting, now)?;
        self.hand_in(&waiting)
    }

    fn put_off(&mut self, group: &GroupId, due: Due) -> Result<(), Error> {
        if due.pauses >= MOST_PAUSES {
            return self.forget_owed(group);
        }
        let at_ms = self.now_ms.saturating_add(PAUSE_MS << due.pauses);
        self.wake(at_ms);
        self.store.put(DUE, &group.0, &Due { at_ms, pauses: due.pauses.saturating_add(1) })
    }

    fn forget_owed(&mut self, group: &GroupId) -> Result<(), Error> {
        for key in self.store.keys_under(OWED, &group.0)? {
            self.store.remove(OWED, &key)?;
        }
        self.store.remove(DUE, &group.0)
    }

    /// The service has receipts of this device. They are kept for a while, for whoever cannot read them and asks for them again.
    pub(crate) fn receipts_sent(&mut self, sent: &Stored) -> Result<(), Error> {
        let own = self.device()?.account;
        for (message, receipt) in receipts_of(&sent.kept) {
            self.was_told(&sent.group, &message, &own, receipt)?;
        }
        let mut said: Vec<i64> = self.store.get(SAID, &sent.group.0)?.unwrap_or_default();
        said.push(sent.row);
        match self.store.keys_under(OWED, &sent.group.0)?.is_empty() {
            true => self.store.remove(DUE, &sent.group.0)?,
            false => self.gather(&sent.group)?,
        }
        let old = said.len().saturating_sub(MOST_SAID);
        for row in said.drain(..old) {
            self.store.remove_message(row)?;
        }
        self.store.put(SAID, &sent.group.0, &said)
    }

    /// The service did not take receipts. After a definite answer they are owed again, later each time: encrypted anew they are only
    /// once the group is as it should be, and not by a commit for their sake.
    pub(crate) fn receipts_refused(&mut self, refused: &Stored, problem: &Problem) -> Result<(), Error> {
        let is_too_early = matches!(problem.code.as_str(), STALE_EPOCH | REMOVED_LEAF);
        if !is_too_early && problem.kind != Kind::Misuse {
            return Ok(());
        }
        self.store.remove_message(refused.row)?;
        for (message, receipt) in receipts_of(&refused.kept).into_iter().filter(|_| is_too_early) {
            self.owe(&refused.group, &message, receipt)?;
        }
        let due: Option<Due> = self.store.get(DUE, &refused.group.0)?;
        due.map_or(Ok(()), |due| self.put_off(&refused.group, due))
    }

    /// MSG-9: somebody says what became of messages: another device of this account of those of others, another account of
    /// those of this one.
    pub(crate) fn told_receipts(&mut self, group: &GroupId, from: &Leaf, bytes: &[u8]) -> Result<(), Error> {
        for (message, receipt) in decode_receipts(bytes).unwrap_or_default() {
            self.was_told(group, &message, &from.account, receipt)?;
        }
        Ok(())
    }

    fn was_told(
        &mut self,
        group: &GroupId,
        message: &MessageId,
        by: &AccountId,
        receipt: Receipt,
    ) -> Result<(), Error> {
        let own = self.device()?.account;
        let Some(mut stored) = self.store.message_by_id(group, message)? else { return Ok(()) };
        if *by == own {
            let key = owed_key(group, message);
            if self.owed(&key)? <= Some(receipt) {
                self.store.remove(OWED, &key)?;
            }
        }
        let is_own = stored.kept.from == own;
        // nobody needs to say it of what he wrote, and nobody but the account itself of what others have
        if is_own == (*by == own) || !stored.kept.is_shown || stored.kept.deleted {
            return Ok(());
        }
        let place = stored.kept.receipts.iter_mut().find(|(account, _)| account == by);
        match place {
            Some((_, said)) if *said >= Some(receipt) => return Ok(()),
            Some((_, said)) => *said = Some(receipt),
            None if is_own => return Ok(()),
            None => stored.kept.receipts.push((own, Some(receipt))),
        }
        self.store.update_message(&stored)?;
        if is_own {
            self.event(Event::Reached { row: stored.row, message: *message, group: *group });
        }
        Ok(())
    }
}

/// What all for whom a message is have said of it.
pub(crate) fn said_by_all(receipts: &[(AccountId, Option<Receipt>)], wanted: Receipts) -> Option<Receipt> {
    let said = receipts.iter().map(|(_, receipt)| receipt.and_then(|receipt| wanted.allow(receipt)));
    said.min().flatten()
}
