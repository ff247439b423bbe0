//! How far a person has read a conversation, on whichever device.
//!
//! Whoever writes has read what stands before; that every device sees by itself. What was read without an answer is shared with
//! the own devices. What others are told of it is in [`crate::receipts`].

use protocol::id::GroupId;
use protocol::settings::SettingKey;

use crate::error::Error;
use crate::settings;
use crate::store::Store;
use crate::turn::Turn;

/// Position of the newest own text, by group.
const WRITTEN: &str = "written";

/// The position up to which a conversation was read.
pub(crate) fn read_up_to(store: &Store<'_>, group: &GroupId) -> Result<u64, Error> {
    let shared = settings::value(store, &SettingKey::ReadUpTo(*group))?;
    let shared = shared.and_then(|value| value.try_into().ok()).map_or(0, u64::from_be_bytes);
    Ok(shared.max(written(store, group)?))
}

fn written(store: &Store<'_>, group: &GroupId) -> Result<u64, Error> {
    Ok(store.get(WRITTEN, &group.0)?.unwrap_or_default())
}

impl Turn<'_> {
    /// A text of the own account stands here.
    pub(crate) fn has_written(&mut self, group: &GroupId, position: u64) -> Result<(), Error> {
        if position > written(&self.store, group)? {
            self.store.put(WRITTEN, &group.0, &position)?;
        }
        self.was_read(group)
    }

    /// What stands up to where the account has read: those messages have an end now, and their writers hear of it.
    pub(crate) fn was_read(&mut self, group: &GroupId) -> Result<(), Error> {
        self.begin_ends(group)?;
        self.owe_read(group)
    }

    /// A person has read what there is.
    pub(crate) fn mark_read(&mut self, with: &str) -> Result<(), Error> {
        for group in self.chats_meant(with)?.into_iter().map(|it| it.group) {
            let newest = self.store.newest_place(&group)?;
            if self.store.count_messages_above(&group, read_up_to(&self.store, &group)?)? > 0 {
                self.set(&SettingKey::ReadUpTo(group), &newest.to_be_bytes())?;
                self.was_read(&group)?;
                self.conversation_changed(&group);
            }
        }
        Ok(())
    }
}
