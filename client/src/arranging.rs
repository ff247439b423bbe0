//! How a person keeps his conversations: muted, pinned, archived, and what he has begun to write there. One for all his devices, and nobody else is told.

use protocol::id::GroupId;
use protocol::settings::{MAX_VALUE, SettingKey};

use crate::error::Error;
use crate::intent::Want;
use crate::settings;
use crate::step::{Arrangement, Failure};
use crate::store::Store;
use crate::turn::Turn;

/// How one conversation is kept.
#[derive(Clone, PartialEq, Eq, Default)]
pub(crate) struct Arranged {
    pub(crate) muted_until_ms: Option<u64>,
    pub(crate) pinned: bool,
    pub(crate) archived: bool,
    pub(crate) draft: Option<String>,
}

/// How a conversation is kept. One that is archived comes back by itself when somebody writes there, unless it is muted.
pub(crate) fn arranged(store: &Store<'_>, group: &GroupId) -> Result<Arranged, Error> {
    let number = |key: &SettingKey| -> Result<Option<u64>, Error> {
        Ok(settings::value(store, key)?.and_then(|value| value.try_into().ok()).map(u64::from_be_bytes))
    };
    let muted_until_ms = number(&SettingKey::Muted(*group))?;
    let archived = match number(&SettingKey::Archived(*group))? {
        None => false,
        Some(_) if muted_until_ms.is_some() => true,
        Some(position) => store.count_messages_above(group, position)? == 0,
    };
    let pinned = settings::value(store, &SettingKey::Pinned(*group))?.is_some();
    let draft = settings::value(store, &SettingKey::Draft(*group))?.and_then(|text| String::from_utf8(text).ok());
    Ok(Arranged { muted_until_ms, pinned, archived, draft })
}

impl Turn<'_> {
    /// A person keeps a conversation otherwise.
    pub(crate) fn arrange(&mut self, with: &str, arrangement: Arrangement) -> Result<(), Error> {
        let conversations = self.chats_meant(with)?;
        let [conversation] = conversations.as_slice() else {
            let failure = Failure::misuse("chat.unknown", "there is no one conversation that is called that");
            return self.refuse_command(&Want::ChangeAccount, failure);
        };
        let group = conversation.group;
        if matches!(&arrangement, Arrangement::Draft(text) if text.len() > MAX_VALUE) {
            let message = format!("other devices are handed the beginning of a message of up to {MAX_VALUE} bytes");
            return self.refuse_command(&Want::ChangeAccount, Failure::misuse("draft.too_long", message));
        }
        let newest = self.store.newest_place(&group)?.to_be_bytes();
        let (key, value): (_, &[u8]) = match &arrangement {
            Arrangement::Muted { until_ms: Some(until_ms) } => (SettingKey::Muted(group), &until_ms.to_be_bytes()),
            Arrangement::Muted { until_ms: None } => (SettingKey::Muted(group), &[]),
            Arrangement::Pinned(true) => (SettingKey::Pinned(group), &[1]),
            Arrangement::Pinned(false) => (SettingKey::Pinned(group), &[]),
            Arrangement::Archived(true) => (SettingKey::Archived(group), &newest),
            Arrangement::Archived(false) => (SettingKey::Archived(group), &[]),
            Arrangement::Draft(text) => (SettingKey::Draft(group), text.as_bytes()),
        };
        self.set(&key, value)?;
        self.conversation_changed(&group);
        let intent = self.add_intent(&Want::ChangeAccount)?;
        self.intent_done(intent)
    }

    /// What was begun to be written there is sent.
    pub(crate) fn end_draft(&mut self, group: &GroupId) -> Result<(), Error> {
        let key = SettingKey::Draft(*group);
        match settings::value(&self.store, &key)? {
            Some(_) => self.set(&key, &[]),
            None => Ok(()),
        }
    }
}
