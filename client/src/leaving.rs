//! Leaving a conversation of several people (MSG-11), and who lets people in and out of it.
//!
//! MLS lets nobody take himself out, and whoever may take accounts out is not always on. So whoever leaves says so, shows
//! and writes nothing there from then on, and goes with the next commit of a device that may let people out.

use std::collections::BTreeSet;

use chain::handle::Handle;
use chain::id::AccountId;
use protocol::content::{Content, Part};
use protocol::id::GroupId;
use protocol::members::{Composition, Roles};
use protocol::settings::SettingKey;

use crate::conversation::{Conversation, Stage};
use crate::error::Error;
use crate::intent::{Intent, Want};
use crate::membership::refused;
use crate::query::accounts_called;
use crate::settings;
use crate::step::{Event, Failure};
use crate::store::Store;
use crate::turn::Turn;

/// Where this account has said that it leaves a conversation, if it has.
fn left_at(store: &Store<'_>, group: &GroupId) -> Result<Option<u64>, Error> {
    let value = settings::value(store, &SettingKey::Left(*group))?;
    Ok(value.and_then(|value| value.try_into().ok()).map(u64::from_be_bytes))
}

/// True if this account has left a conversation, or was taken out of it.
pub(crate) fn is_left(store: &Store<'_>, conversation: &Conversation) -> Result<bool, Error> {
    Ok(conversation.stage == Stage::Removed || left_at(store, &conversation.group)?.is_some())
}

impl Conversation {
    /// The roles that this is to have for these members, as whoever lets people in and out wants them.
    pub(crate) fn roles_wanted(&self, now: &Roles, members: &BTreeSet<AccountId>) -> Roles {
        let mut roles = now.clone();
        for (account, is_admin) in &self.admins {
            match is_admin {
                true => roles.admins.insert(AccountId(*account)),
                false => roles.admins.remove(&AccountId(*account)),
            };
        }
        roles.admins.retain(|account| members.contains(account));
        roles
    }

    /// Forgets what a new composition has of this, and what this account may not want any more. Whoever may let people out
    /// wants those out who leave.
    pub(crate) fn follow_roles(&mut self, now: &Composition, own: &AccountId) {
        let there = now.accounts();
        let is_admin = |account: &[u8; 32]| now.roles.admins.contains(&AccountId(*account));
        self.leavers.retain(|account| there.contains(&AccountId(*account)));
        self.admins.retain(|(account, wanted)| is_admin(account) != *wanted && there.contains(&AccountId(*account)));
        if now.roles.admins.contains(own) {
            let new = self.leavers.iter().filter(|account| !self.expelled.contains(*account));
            let new: Vec<_> = new.copied().collect();
            self.expelled.extend(new);
        } else if now.epoch > 0 && !now.roles.admins.is_empty() {
            self.admins.clear();
            self.expelled.clear();
            self.invited.retain(|_| now.roles.open);
        }
    }
}

impl Turn<'_> {
    /// A person leaves a conversation.
    pub(crate) fn leave_chat(&mut self, chat: &str) -> Result<(), Error> {
        let conversations = self.chats_meant(chat)?;
        let [conversation] = conversations.as_slice() else {
            let failure = Failure::misuse("chat.unknown", "there is no one conversation that is called that");
            return self.refuse_command(&Want::Sending, failure);
        };
        if let Some(failure) = self.why_not_leave(conversation)? {
            return self.refuse_command(&Want::Sending, failure);
        }
        let (intent, group) = (self.add_intent(&Want::Sending)?, conversation.group);
        let (row, message) = self.write(&group, Part::Leaves, Some(intent))?;
        self.event(Event::Written { intent, row, message, group });
        Ok(())
    }

    fn why_not_leave(&mut self, conversation: &Conversation) -> Result<Option<Failure>, Error> {
        if conversation.pair.is_some() || self.is_self_group(&conversation.group)? {
            let message = "only a conversation of several people can be left; somebody can be blocked";
            return Ok(Some(Failure::misuse("chat.pair", message)));
        }
        if let Some(failure) = self.why_not_in(conversation)? {
            return Ok(Some(failure));
        }
        let device = self.device()?;
        let mls = self.mls(&device);
        if conversation.stage != Stage::Active || !mls.has(&conversation.group)? {
            return Ok(Some(refused(
                "chat.not_open",
                "this device is not in that conversation yet; try again in a moment",
            )));
        }
        let now = mls.composition(&conversation.group)?;
        let there = now.accounts();
        let is_last = now.roles.admins.iter().filter(|admin| there.contains(admin)).eq([&device.account]);
        Ok((is_last && there.len() > 1).then(last_admin))
    }

    /// Why nothing more is written in a conversation: it has ended for this account, or it was left.
    pub(crate) fn why_not_in(&self, conversation: &Conversation) -> Result<Option<Failure>, Error> {
        if let Some(failure) = conversation.stage.end() {
            return Ok(Some(failure));
        }
        let is_left = is_left(&self.store, conversation)?;
        Ok(is_left.then(|| refused("group.left", "you have left that conversation")))
    }

    /// True if this account has left a group that it is still in.
    pub(crate) fn has_left(&self, group: &GroupId) -> Result<bool, Error> {
        Ok(left_at(&self.store, group)?.is_some())
    }

    /// MSG-11: somebody says that he leaves. `place`: where that stands.
    pub(crate) fn note_leaving(
        &mut self,
        group: &GroupId,
        from: &AccountId,
        content: &Content,
        place: u64,
    ) -> Result<(), Error> {
        let Some(mut conversation) = self.conversation(group)?.filter(|_| content.part == Part::Leaves) else {
            return Ok(());
        };
        if conversation.pair.is_some() || self.is_self_group(group)? {
            return Ok(());
        }
        let device = self.device()?;
        if device.account == *from {
            self.set(&SettingKey::Left(*group), &place.to_be_bytes())?;
        } else if !conversation.leavers.contains(&from.0) {
            conversation.leavers.push(from.0);
            let mls = self.mls(&device);
            if conversation.stage == Stage::Active && mls.has(group)? && !self.has_left(group)? {
                conversation.follow_roles(&*mls.composition(group)?, &device.account);
            }
            self.keep_conversation(&conversation)?;
        }
        self.conversation_changed(group);
        Ok(())
    }

    /// This account was taken out at a place: what it had left before that is over.
    pub(crate) fn leaving_is_over(&mut self, group: &GroupId, place: u64) -> Result<(), Error> {
        match left_at(&self.store, group)? {
            Some(at) if at < place => self.set(&SettingKey::Left(*group), &[]),
            _ => Ok(()),
        }
    }

    /// Lets somebody let people in and out, or not any more.
    pub(crate) fn go_on_with_admin(&mut self, intent: &Intent, chat: &str, who: &str, on: bool) -> Result<(), Error> {
        let conversations = self.chats_meant(chat)?;
        let [conversation] = conversations.as_slice() else {
            let failure = Failure::misuse("chat.unknown", "there is no one conversation that is called that");
            return self.intent_failed(intent.id, failure);
        };
        let mut conversation = conversation.clone();
        if let Some(failure) = self.why_not_in(&conversation)? {
            return self.intent_failed(intent.id, failure);
        }
        if conversation.stage != Stage::Active {
            return Ok(());
        }
        let device = self.device()?;
        let now = self.mls(&device).composition(&conversation.group)?;
        let there = now.accounts();
        let called = match Handle::parse(who.split('@').next().unwrap_or_default()) {
            Ok(handle) => accounts_called(&self.store, &handle)?,
            Err(_) => BTreeSet::new(),
        };
        let Some(account) = called.into_iter().find(|account| there.contains(account)) else {
            let failure = refused("chat.not_member", "nobody who is called that is in this conversation");
            return self.intent_failed(intent.id, failure);
        };
        let failure = if now.roles.admins.contains(&account) == on {
            return self.intent_done(intent.id);
        } else if !now.roles.admins.contains(&device.account) {
            Some(refused("chat.not_admin", "only whoever lets people in and out here says who else does"))
        } else {
            let is_last = now.roles.admins.iter().filter(|admin| there.contains(admin)).eq([&account]);
            (!on && is_last).then(last_admin)
        };
        if let Some(failure) = failure {
            return self.intent_failed(intent.id, failure);
        }
        conversation.admins.retain(|(other, _)| *other != account.0);
        conversation.admins.push((account.0, on));
        self.keep_conversation(&conversation)
    }
}

fn last_admin() -> Failure {
    let message = "nobody else lets people in and out of that conversation: say first who does from now on";
    refused("chat.last_admin", message)
}
