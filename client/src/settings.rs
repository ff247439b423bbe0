//! What the devices of the account have in common: read from the self-group, written there.
//!
//! A setting that was written here is kept, and waits to be shared until there is a self-group. Whoever comes in asks for
//! all of them; every device that is there answers.

use chain::handle::Handle;
use chain::id::{AccountId, DeviceId};
use protocol::content::Part;
use protocol::id::GroupId;
use protocol::introduction::{DeviceKind, MAX_NAME};
use protocol::members::Leaf;
use protocol::settings::{MAX_VALUE, SETTINGS, Setting, SettingKey, decode_settings, encode_settings};
use serde::{Deserialize, Serialize};

use crate::contacts;
use crate::error::Error;
use crate::intent::Want;
use crate::notices::Notice;
use crate::own::Own;
use crate::step::{Event, Failure};
use crate::store::Store;
use crate::turn::Turn;

/// Settings; by their key.
const SPACE: &str = "settings";
/// Keys of those that are to be shared.
const UNSHARED: &str = "settings unshared";
/// The greatest stamp seen, with what else is remembered of the clock.
const CLOCK: &str = "settings clock";
/// Bytes of settings in one message: its content is padded to the next of a few sizes.
const FILL: usize = 15_000;
/// How far the clocks of a person's devices may differ, milliseconds.
const CLOCKS_DIFFER_MS: u64 = 86_400_000;

/// A setting as it is kept.
#[derive(Serialize, Deserialize)]
struct Kept {
    stamp: u64,
    device: [u8; 16],
    value: Vec<u8>,
}

fn kept(store: &Store<'_>, key: &[u8]) -> Result<Option<Setting>, Error> {
    let kept: Option<Kept> = store.get(SPACE, key)?;
    Ok(kept.map(|it| Setting { key: key.to_vec(), stamp: it.stamp, device: DeviceId(it.device), value: it.value }))
}

/// BAK-4: what a backup file has of settings. Names that this device has asked for itself are written with the lowest stamp.
pub(crate) fn to_back_up(store: &Store<'_>, device: &DeviceId) -> Result<Vec<Setting>, Error> {
    let mut settings = Vec::new();
    for (account, contact) in contacts::all(store)?.into_iter().filter(|(_, it)| it.is_called(&it.handle)) {
        let key = SettingKey::Contact(account).encode();
        settings.push(Setting { key, stamp: 0, device: *device, value: contact.handle.into_bytes() });
    }
    for key in store.keys(SPACE)? {
        let about = SettingKey::decode(&key);
        if !matches!(about, Some(SettingKey::Password | SettingKey::HistoryGranted(_))) {
            settings.retain(|it| it.key != key);
            settings.extend(kept(store, &key)?);
        }
    }
    Ok(settings)
}

/// Value of a setting that says that an account is known from a contact link.
pub(crate) const BY_LINK: &[u8] = &[2];

/// The value of a setting; nothing if it was taken back.
pub(crate) fn value(store: &Store<'_>, key: &SettingKey) -> Result<Option<Vec<u8>>, Error> {
    Ok(kept(store, &key.encode())?.map(|it| it.value).filter(|value| !value.is_empty()))
}

/// All settings, also those that were taken back.
pub(crate) fn all(store: &Store<'_>) -> Result<Vec<Setting>, Error> {
    let mut settings = Vec::new();
    for key in store.keys(SPACE)? {
        settings.extend(kept(store, &key)?);
    }
    Ok(settings)
}

/// How the account calls one of its devices.
pub(crate) fn device_name(store: &Store<'_>, device: &DeviceId) -> Result<Option<String>, Error> {
    Ok(value(store, &SettingKey::DeviceName(*device))?.and_then(|name| String::from_utf8(name).ok()))
}

/// What one of the account's devices is.
pub(crate) fn device_kind(store: &Store<'_>, device: &DeviceId) -> Result<Option<DeviceKind>, Error> {
    let value = value(store, &SettingKey::DeviceKind(*device))?;
    Ok(value.and_then(|value| value.first().copied()).map(DeviceKind::of))
}

/// True if a person has compared the verification code with this account, or has a contact link of it.
pub(crate) fn is_verified(store: &Store<'_>, account: &AccountId) -> Result<bool, Error> {
    Ok(value(store, &SettingKey::Verified(*account))?.is_some())
}

/// True if a contact link is all that says so.
pub(crate) fn is_known_by_link(store: &Store<'_>, account: &AccountId) -> Result<bool, Error> {
    Ok(value(store, &SettingKey::Verified(*account))?.is_some_and(|value| value == BY_LINK))
}

impl Turn<'_> {
    /// Writes a setting, to be shared.
    pub(crate) fn set(&mut self, key: &SettingKey, value: &[u8]) -> Result<(), Error> {
        let Some(own) = self.own()? else { return Ok(()) };
        let key = key.encode();
        let before = kept(&self.store, &key)?;
        if value.len() > MAX_VALUE || before.is_some_and(|it| it.value == value) {
            return Ok(());
        }
        let seen: u64 = self.store.get(CLOCK, b"stamp")?.unwrap_or_default();
        let stamp = self.now_ms.max(seen.saturating_add(1));
        let setting = Setting { key, stamp, device: own.id(), value: value.to_vec() };
        self.keep_setting(&setting)?;
        self.store.put_bytes(UNSHARED, &setting.key, &[])
    }

    fn keep_setting(&mut self, setting: &Setting) -> Result<(), Error> {
        let seen: u64 = self.store.get(CLOCK, b"stamp")?.unwrap_or_default();
        self.store.put(CLOCK, b"stamp", &seen.max(setting.stamp))?;
        self.memory.is_shared = false;
        let kept = Kept { stamp: setting.stamp, device: setting.device.0, value: setting.value.clone() };
        self.store.put(SPACE, &setting.key, &kept)
    }

    /// This device has the name that it was given when it joined, until somebody gives it another one.
    pub(crate) fn name_this_device(&mut self, own: &Own) -> Result<(), Error> {
        self.call_device(&own.id(), &own.claim())
    }

    /// Writes a setting that nobody has written, below everything that a person says: with the lowest stamp.
    pub(crate) fn set_first(&mut self, key: &SettingKey, value: &[u8]) -> Result<(), Error> {
        let Some(own) = self.own()? else { return Ok(()) };
        let key = key.encode();
        if kept(&self.store, &key)?.is_some() {
            return Ok(());
        }
        let setting = Setting { key, stamp: 0, device: own.id(), value: value.to_vec() };
        self.keep_setting(&setting)?;
        self.store.put_bytes(UNSHARED, &setting.key, &[])
    }

    /// A person calls a device of the account otherwise.
    pub(crate) fn name_device(&mut self, device: &DeviceId, name: &str) -> Result<(), Error> {
        let Some((_, set)) = self.account_to_change()? else { return self.refuse_unconfirmed() };
        let failure = if name.is_empty() || name.len() > MAX_NAME {
            Some(Failure::misuse("device.name", format!("a name has 1 to {MAX_NAME} bytes")))
        } else if !set.confirmed().contains_key(device) {
            Some(Failure::refused("device.not_in_set", "no device of this account has this id"))
        } else {
            None
        };
        match failure {
            Some(failure) => self.refuse_command(&Want::ChangeAccount, failure),
            None => self.set(&SettingKey::DeviceName(*device), name.as_bytes()),
        }
    }

    /// A person has compared the verification code with a contact, or takes that back.
    pub(crate) fn mark_verified(&mut self, account: &AccountId, verified: bool) -> Result<(), Error> {
        let value: &[u8] = if verified { &[1] } else { &[] };
        self.set(&SettingKey::Verified(*account), value)
    }

    /// Writes into the self-group what is to be shared.
    pub(crate) fn share_settings(&mut self, group: &GroupId) -> Result<(), Error> {
        loop {
            let mut some = Vec::new();
            let mut length = 0;
            for key in self.store.keys(UNSHARED)? {
                let Some(setting) = kept(&self.store, &key)? else { continue };
                length += setting.length();
                if length > FILL && !some.is_empty() {
                    break;
                }
                some.push(setting);
            }
            if some.is_empty() {
                return Ok(());
            }
            let part = Part::Signal { content_type: SETTINGS.to_owned(), bytes: encode_settings(&some) };
            self.write(group, part, None)?;
            for setting in some {
                self.store.remove(UNSHARED, &setting.key)?;
            }
        }
    }

    /// A device that came into the self-group asks for everything.
    pub(crate) fn settings_wanted(&mut self, group: &GroupId) -> Result<(), Error> {
        if self.is_self_group(group)? {
            self.memory.is_shared = false;
            for (account, contact) in contacts::all(&self.store)? {
                if contact.is_called(&contact.handle) {
                    self.set(&SettingKey::Contact(account), contact.handle.as_bytes())?;
                }
            }
            for key in self.store.keys(SPACE)? {
                self.store.put_bytes(UNSHARED, &key, &[])?;
            }
        }
        Ok(())
    }

    /// Another device of the account shares settings. In a group that has others in it too, nothing is believed (SLF-1).
    pub(crate) fn take_settings(&mut self, group: &GroupId, from: &Leaf, bytes: &[u8]) -> Result<(), Error> {
        let is_own = self.own()?.is_some_and(|own| own.account() == Some(from.account));
        if !is_own || !self.is_self_group(group)? {
            return Ok(());
        }
        let mut is_news = false;
        // of what is no list of settings nothing is taken
        for setting in decode_settings(bytes).unwrap_or_default() {
            let before = kept(&self.store, &setting.key)?;
            if before.as_ref().is_none_or(|before| setting.wins_over(before)) {
                self.keep_setting(&setting)?;
                // what this device wanted otherwise was written before
                self.store.remove(UNSHARED, &setting.key)?;
                self.apply(&setting)?;
                is_news = true;
            }
        }
        if is_news {
            self.event(Event::Settings);
        }
        Ok(())
    }

    /// BAK-5: takes in a setting of a backup file, to be shared; true if it takes the place of what was here. Not what is
    /// about a moment that is over, nor a stamp of a time to come, which would stand above all that is set from now on.
    /// `is_same`: it was written for this very account; with one before a reset no codes were compared.
    pub(crate) fn restore_setting(&mut self, setting: &Setting, is_same: bool) -> Result<bool, Error> {
        let is_worth_it = match SettingKey::decode(&setting.key) {
            Some(SettingKey::Password | SettingKey::HistoryGranted(_) | SettingKey::Left(_)) => false,
            Some(SettingKey::Verified(_) | SettingKey::LinkToken(_) | SettingKey::Invitation(_)) | None => is_same,
            Some(
                SettingKey::DeviceName(_)
                | SettingKey::DeviceKind(_)
                | SettingKey::Contact(_)
                | SettingKey::Title(_)
                | SettingKey::Picture(_)
                | SettingKey::Timer(_)
                | SettingKey::ResetAccepted(_)
                | SettingKey::Decided(_)
                | SettingKey::ReadUpTo(_)
                | SettingKey::Asked(_)
                | SettingKey::Muted(_)
                | SettingKey::Pinned(_)
                | SettingKey::Archived(_)
                | SettingKey::Draft(_)
                | SettingKey::NoReceipts(_)
                | SettingKey::NoTyping,
            ) => true,
        };
        let seen: u64 = self.store.get(CLOCK, b"stamp")?.unwrap_or_default();
        let is_possible = setting.stamp <= self.now_ms.saturating_add(CLOCKS_DIFFER_MS).max(seen);
        let before = kept(&self.store, &setting.key)?;
        if !is_worth_it || !is_possible || before.is_some_and(|before| !setting.wins_over(&before)) {
            return Ok(false);
        }
        self.keep_setting(setting)?;
        self.store.put_bytes(UNSHARED, &setting.key, &[])?;
        self.apply(setting)?;
        Ok(true)
    }

    fn apply(&mut self, setting: &Setting) -> Result<(), Error> {
        let text = || String::from_utf8(setting.value.clone()).ok();
        match SettingKey::decode(&setting.key) {
            Some(SettingKey::Contact(account)) => match text().and_then(|text| Handle::parse(&text).ok()) {
                Some(handle) => self.claim_name(&account, &handle).map(|_| ()),
                None => Ok(()),
            },
            Some(SettingKey::Title(group)) => self.call(&group),
            Some(SettingKey::Picture(group)) => self.picture_is_shared(&group),
            Some(SettingKey::Timer(group)) => self.timer_is_shared(&group),
            Some(SettingKey::HistoryGranted(device)) => self.history_is_granted(&device, &setting.value),
            Some(SettingKey::ResetAccepted(successor)) => match <[u8; 32]>::try_from(setting.value.as_slice()) {
                Ok(before) => self.accept(&AccountId(before), &successor),
                Err(_) => Ok(()),
            },
            Some(SettingKey::Password) => self.password_was_changed(setting),
            Some(SettingKey::Decided(account) | SettingKey::Asked(account)) => self.decided(&account),
            Some(SettingKey::ReadUpTo(group)) => {
                self.was_read(&group)?;
                self.conversation_changed(&group);
                Ok(())
            }
            Some(
                SettingKey::Muted(group)
                | SettingKey::Pinned(group)
                | SettingKey::Archived(group)
                | SettingKey::Draft(group)
                | SettingKey::Left(group),
            ) => {
                self.conversation_changed(&group);
                Ok(())
            }
            // read where it is needed, or of a later version
            Some(
                SettingKey::DeviceName(_)
                | SettingKey::DeviceKind(_)
                | SettingKey::Verified(_)
                | SettingKey::LinkToken(_)
                | SettingKey::Invitation(_)
                | SettingKey::NoReceipts(_)
                | SettingKey::NoTyping,
            )
            | None => Ok(()),
        }
    }

    /// How the account calls a conversation.
    pub(crate) fn shared_title(&self, group: &GroupId) -> Result<Option<String>, Error> {
        self.shared_text(&SettingKey::Title(*group))
    }

    /// What a setting says.
    pub(crate) fn shared_text(&self, key: &SettingKey) -> Result<Option<String>, Error> {
        Ok(value(&self.store, key)?.and_then(|text| String::from_utf8(text).ok()))
    }

    /// True if a setting is 1.
    pub(crate) fn is_set(&self, key: &SettingKey) -> Result<bool, Error> {
        Ok(kept(&self.store, &key.encode())?.is_some_and(|it| it.value == [1]))
    }

    /// An account that a setting names.
    pub(crate) fn shared_account(&self, key: &SettingKey) -> Result<Option<AccountId>, Error> {
        let found = kept(&self.store, &key.encode())?;
        Ok(found.and_then(|it| it.value.try_into().ok()).map(AccountId))
    }

    /// Calls a conversation as the account calls it.
    pub(crate) fn call(&mut self, group: &GroupId) -> Result<(), Error> {
        let (Some(title), Some(mut conversation)) = (self.shared_title(group)?, self.conversation(group)?) else {
            return Ok(());
        };
        // what was said to all counts for all
        let is_said = conversation.titled.is_some();
        if conversation.pair.is_none() && !is_said && conversation.title.as_ref() != Some(&title) {
            conversation.title = Some(title);
            self.keep_conversation(&conversation)?;
            self.conversation_changed(group);
        }
        Ok(())
    }

    fn password_was_changed(&mut self, setting: &Setting) -> Result<(), Error> {
        let at_ms = setting.value.as_slice().try_into().map_or(0, u64::from_be_bytes);
        self.notice(Notice::new("password.changed", None, Some(setting.device), 0, at_ms / 1_000))
    }
}
