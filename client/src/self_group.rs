//! The self-group: the one group of an account's own devices, in which they share settings and notes.
//!
//! It is made when there is somebody to share with, or something to note. Any confirmed device may make one, and two may
//! do so at once: all are read, and written to is the one with the smallest id (SLF-2). A group is a self-group by its
//! members, who are this account alone; its id only says that it is meant to be one (SLF-1).

use chain::id::{AccountId, DeviceId};
use chain::sigchain::device_set::DeviceSet;
use protocol::content::Part;
use protocol::id::GroupId;
use protocol::members::Roles;
use protocol::settings::{SETTINGS_WANTED, is_self_group_id, self_group_id};

use crate::conversation::{Conversation, Stage};
use crate::error::Error;
use crate::own::random;
use crate::turn::Turn;

/// Self-groups in which this device has asked for the settings, or which it made.
const ASKED: &str = "self-group asked";

impl Turn<'_> {
    /// The self-group to write to, if there is one that this device is in.
    pub(crate) fn self_group(&self) -> Result<Option<Conversation>, Error> {
        let Some(device) = self.own_device()? else { return Ok(None) };
        let mut found = self.meant_as_self_groups(&device.account)?;
        found.retain(|it| it.stage == Stage::Active || it.stage == Stage::Creating);
        found.sort_by_key(|it| it.group);
        for conversation in found {
            if self.is_self_group(&conversation.group)? {
                return Ok(Some(conversation));
            }
        }
        Ok(None)
    }

    /// SLF-1: true if a group is meant to be a self-group of this account, and has no other account in it.
    pub(crate) fn is_self_group(&self, group: &GroupId) -> Result<bool, Error> {
        let Some(device) = self.own_device()? else { return Ok(false) };
        if !is_self_group_id(&device.account, group) || !self.mls(&device).has(group)? {
            return Ok(false);
        }
        let now = self.mls(&device).composition(group)?;
        Ok(now.members.accounts.keys().eq([&device.account]))
    }

    fn meant_as_self_groups(&self, account: &AccountId) -> Result<Vec<Conversation>, Error> {
        let mut found = self.conversations()?;
        found.retain(|it| is_self_group_id(account, &it.group));
        Ok(found)
    }

    /// The self-group, made if there is none. `None`: not yet.
    pub(crate) fn self_group_or_new(&mut self) -> Result<Option<GroupId>, Error> {
        if let Some(conversation) = self.self_group()? {
            return Ok(Some(conversation.group));
        }
        let account = self.device()?.account;
        let on_its_way = |it: &Conversation| matches!(it.stage, Stage::Entering | Stage::Creating);
        // another device may have made it: the service was asked which groups there are
        if !self.memory.knows_groups || self.meant_as_self_groups(&account)?.iter().any(on_its_way) {
            return Ok(None);
        }
        let group = self_group_id(&account, &random()?);
        let mut conversation = Conversation::new(group, Stage::Active);
        // nobody there needs to be told who the others are
        conversation.introduced = true;
        if !self.create_group(&mut conversation, &Roles::default())? {
            return Ok(None);
        }
        self.store.put_bytes(ASKED, &group.0, &[])?;
        Ok(Some(group))
    }

    /// Makes the self-group once there is somebody to share with, asks there for what others have shared, and shares.
    pub(crate) fn go_on_with_self_group(&mut self) -> Result<(), Error> {
        if self.memory.is_shared {
            return Ok(());
        }
        let Some((own, set)) = self.account_to_change()? else { return Ok(()) };
        self.name_this_device(&own)?;
        if set.confirmed().len() < 2 {
            self.memory.is_shared = true;
            return Ok(());
        }
        if self.trouble()?.is_some() {
            return Ok(());
        }
        let group = match self.self_group()? {
            Some(conversation) => conversation.group,
            // the newest device waits for the others to make it, and comes in by itself
            None if is_newest(&set, &own.id()) => return Ok(()),
            None => match self.self_group_or_new()? {
                Some(group) => group,
                None => return Ok(()),
            },
        };
        if self.store.bytes(ASKED, &group.0)?.is_none() {
            self.store.put_bytes(ASKED, &group.0, &[])?;
            let part = Part::Signal { content_type: SETTINGS_WANTED.to_owned(), bytes: Vec::new() };
            self.write(&group, part, None)?;
        }
        self.share_settings(&group)?;
        self.memory.is_shared = true;
        Ok(())
    }
}

/// True for the device that was confirmed last.
fn is_newest(set: &DeviceSet, device: &DeviceId) -> bool {
    set.confirmed().iter().max_by_key(|(_, confirmed)| confirmed.sequence).is_some_and(|(newest, _)| newest == device)
}
