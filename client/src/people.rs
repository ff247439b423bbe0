//! Who may write here: what a person has decided about others, requests from strangers, and contact links that stand for a
//! decision made before. Rules PPL-1 to PPL-4.

use chain::id::AccountId;
use protocol::api::delivery::Delivery;
use protocol::content::{Content, Part, message_id};
use protocol::id::GroupId;
use protocol::members::Leaf;
use protocol::people::{Decision, LinkToken, Standing};
use protocol::settings::SettingKey;

use crate::conversation::{Conversation, Stage};
use crate::error::Error;
use crate::message::Kept;
use crate::notices::Notice;
use crate::own::{self, random};
use crate::settings;
use crate::step::Failure;
use crate::store::Store;
use crate::turn::Turn;

/// Groups that the account had when this device came in.
const FOUND: &str = "found groups";
/// What was looked for once.
const LOOKED: &str = "looked once";

/// What a person has decided about an account.
pub(crate) fn decision(store: &Store<'_>, account: &AccountId) -> Result<Option<Decision>, Error> {
    let value = settings::value(store, &SettingKey::Decided(*account))?;
    Ok(value.and_then(|value| Decision::decode(&value)))
}

/// What a conversation is for this account (PPL-2).
pub(crate) fn standing(store: &Store<'_>, conversation: &Conversation) -> Result<Standing, Error> {
    // what is over asks for nothing
    if matches!(conversation.stage, Stage::Removed) {
        return Ok(Standing::Open);
    }
    let openers: Vec<_> = conversation.openers.iter().copied().map(AccountId).collect();
    let standing = Standing::of(&openers, |account| decision(store, account))?;
    if standing != Standing::Request {
        return Ok(standing);
    }
    let mut was_asked = false;
    for opener in &openers {
        was_asked |= settings::value(store, &SettingKey::Asked(*opener))?.is_some();
    }
    let was_there = !was_asked && store.bytes(FOUND, &conversation.group.0)?.is_some();
    // a device that has ended has nothing left that says what was decided
    Ok(if was_there || own::stored(store)?.is_some_and(|own| own.has_ended()) { Standing::Open } else { standing })
}

/// The token of the contact link to show: of several that are good the one made last.
pub(crate) fn link_token(store: &Store<'_>) -> Result<Option<LinkToken>, Error> {
    let good = link_tokens(store)?.into_iter().filter(|(_, is_good, _)| *is_good);
    Ok(good.max_by_key(|(token, _, stamp)| (*stamp, *token)).map(|(token, ..)| token))
}

/// All tokens that there ever were, whether each is still good, and when that was decided.
fn link_tokens(store: &Store<'_>) -> Result<Vec<(LinkToken, bool, u64)>, Error> {
    let found = settings::all(store)?.into_iter();
    let token = |setting: protocol::settings::Setting| match SettingKey::decode(&setting.key) {
        Some(SettingKey::LinkToken(token)) => Some((token, setting.value == [1], setting.stamp)),
        _ => None,
    };
    Ok(found.filter_map(token).collect())
}

impl Turn<'_> {
    /// A person decides about somebody.
    pub(crate) fn decide(&mut self, account: &AccountId, decision: Decision) -> Result<(), Error> {
        self.set(&SettingKey::Decided(*account), &decision.encode())?;
        self.decided(account)
    }

    /// What was decided about somebody, here or on another device, shows in the conversations that he has opened.
    pub(crate) fn decided(&mut self, account: &AccountId) -> Result<(), Error> {
        for conversation in self.conversations()? {
            if conversation.openers.contains(&account.0) {
                self.conversation_changed(&conversation.group);
            }
        }
        Ok(())
    }

    /// PPL-1: whoever writes to somebody accepts him, but for one whom he has blocked.
    pub(crate) fn accept_by_writing(&mut self, account: &AccountId) -> Result<Option<Failure>, Error> {
        match decision(&self.store, account)? {
            Some(Decision::Accepted) => Ok(None),
            Some(Decision::Blocked) => {
                let message = "you have blocked them; `trefoil contact accept` takes that back";
                Ok(Some(Failure::refused("contact.blocked", message)))
            }
            None => self.decide(account, Decision::Accepted).map(|()| None),
        }
    }

    /// The groups that the account has: those that it had before this device came in are requests only if another device says
    /// so. What was decided before may be on its way, or on no device any more.
    pub(crate) fn found_groups(&mut self, groups: impl Iterator<Item = GroupId>) -> Result<(), Error> {
        if self.store.bytes(LOOKED, b"groups")?.is_some() {
            return Ok(());
        }
        for group in groups {
            self.store.put_bytes(FOUND, &group.0, &[])?;
        }
        self.store.put_bytes(LOOKED, b"groups", &[])
    }

    /// A conversation that somebody has opened with this account: if nothing is decided about him, other devices are to know.
    pub(crate) fn was_asked(&mut self, conversation: &Conversation) -> Result<(), Error> {
        for opener in conversation.openers.iter().copied().map(AccountId) {
            if decision(&self.store, &opener)?.is_none() {
                self.set(&SettingKey::Asked(opener), &[1])?;
            }
        }
        Ok(())
    }

    /// PPL-3: true if nothing of this account is shown here: it is blocked, or whoever has opened the conversation is.
    pub(crate) fn is_unwanted(&self, group: &GroupId, from: &AccountId) -> Result<bool, Error> {
        if decision(&self.store, from)? == Some(Decision::Blocked) {
            return Ok(true);
        }
        let is_own = self.own()?.and_then(|own| own.account()) == Some(*from);
        if !is_own && self.has_left(group)? {
            return Ok(true);
        }
        let conversation = self.conversation(group)?;
        let standing = conversation.map(|it| standing(&self.store, &it)).transpose()?;
        Ok(standing == Some(Standing::Blocked) && !is_own)
    }

    /// PPL-3: of a text nobody is shown, only that it came is kept, so that it is not missed when its writer is heard again.
    pub(crate) fn pass_over(
        &mut self,
        group: &GroupId,
        delivery: &Delivery,
        from: &Leaf,
        bytes: &[u8],
        content: Option<&Content>,
    ) -> Result<(), Error> {
        if content.is_some_and(|content| matches!(content.part, Part::Signal { .. })) {
            return Ok(());
        }
        let message = message_id(group, &from.account, &from.device, bytes);
        let sent_at_ms = delivery.at_s.saturating_mul(1_000);
        let kept = Kept { is_shown: false, ..Kept::received(from, &[], String::new(), sent_at_ms) };
        self.take_missing_place(group, &message)?;
        self.store.add_message(group, &message, Some(delivery.position), &kept).map(drop)
    }

    /// True if this device may tell others something there by itself: in what a stranger has opened that would tell him that
    /// somebody is there (PPL-2, attack 67).
    pub(crate) fn may_answer(&self, group: &GroupId) -> Result<bool, Error> {
        match self.conversation(group)? {
            Some(conversation) => Ok(standing(&self.store, &conversation)? == Standing::Open),
            None => Ok(false),
        }
    }

    /// A person wants a contact link: the one that there is, or another one in the place of all before.
    pub(crate) fn make_link(&mut self, renew: bool) -> Result<(), Error> {
        if renew {
            self.withdraw_links()?;
        }
        if link_token(&self.store)?.is_none() {
            self.set(&SettingKey::LinkToken(LinkToken(random()?)), &[1])?;
        }
        Ok(())
    }

    /// No link that was handed out stands for a decision any more.
    pub(crate) fn withdraw_links(&mut self) -> Result<(), Error> {
        for (token, _, _) in link_tokens(&self.store)?.into_iter().filter(|(_, is_good, _)| *is_good) {
            self.set(&SettingKey::LinkToken(token), &[])?;
        }
        Ok(())
    }

    /// A person has opened a contact link: its token goes with the next message to that account, and whoever holds that account
    /// is as sure as the way that the link came.
    pub(crate) fn opened_link(&mut self, account: &AccountId, token: Option<LinkToken>) -> Result<(), Error> {
        if !settings::is_verified(&self.store, account)? {
            self.set(&SettingKey::Verified(*account), settings::BY_LINK)?;
        }
        let Some(token) = token else { return Ok(()) };
        self.set(&SettingKey::Invitation(*account), &token.0)?;
        for mut conversation in self.conversations()?.into_iter().filter(|it| it.pair == Some(account.0)) {
            conversation.introduced = false;
            self.keep_conversation(&conversation)?;
        }
        Ok(())
    }

    /// The token that goes with an introduction to somebody.
    pub(crate) fn invitation(&self, account: &AccountId) -> Result<Option<LinkToken>, Error> {
        let value = settings::value(&self.store, &SettingKey::Invitation(*account))?;
        Ok(value.and_then(|value| value.try_into().ok()).map(LinkToken))
    }

    /// PPL-4: somebody says that he has a contact link of this account. Names may follow.
    pub(crate) fn invited(&mut self, group: &GroupId, from: &Leaf, bytes: &[u8]) -> Result<(), Error> {
        let Some((token, names)) = bytes.split_first_chunk() else { return Ok(()) };
        let is_pair = self.conversation(group)?.is_some_and(|it| it.pair == Some(from.account.0));
        let is_good = self.is_set(&SettingKey::LinkToken(LinkToken(*token)))?;
        if is_pair && is_good && decision(&self.store, &from.account)?.is_none() {
            self.decide(&from.account, Decision::Accepted)?;
            self.notice(Notice::of_account("contact.linked", &from.account, 0, self.now_s()))?;
        }
        self.introduced(group, names)
    }
}
