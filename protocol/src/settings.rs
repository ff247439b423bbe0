//! What the devices of one account share with each other in its self-group: how they are called, whom the account knows,
//! and what else is one for all of them.
//!
//! Each setting is a register that the last writer wins (SLF-3): the greater stamp, and of equal ones the greater device
//! id. A stamp is a hybrid logical clock: the writer's time in milliseconds since 1970, or one more than the greatest
//! stamp it has seen, whichever is more. So a clock that is wrong loses nothing, and all devices come to the same
//! whatever order they read in.
//!
//! ```text
//! settings, one after the other: key, behind its length (u8, 1 to 64) | stamp u64 | device id 16
//!                                | value, behind its length (u16, up to 8192)
//! ```
//!
//! A value of length 0 is a setting that was taken back. Keys of kinds that a version does not know are kept and passed
//! on.

use chain::encoding::{DecodeError, Reader, Writer};
use chain::id::{AccountId, DeviceId, Digest};

use crate::content::Receipt;
use crate::id::GroupId;
use crate::label;
use crate::people::LinkToken;

/// Content type of settings.
pub const SETTINGS: &str = "application/vnd.trefoil.settings";
/// Content type of a request for all of them; it says nothing else.
pub const SETTINGS_WANTED: &str = "application/vnd.trefoil.settings-wanted";
/// Most bytes of a key.
pub const MAX_KEY: usize = 64;
/// Most bytes of a value.
pub const MAX_VALUE: usize = 8_192;

/// Bytes of a self-group's id that are random.
const SALT: usize = 16;

/// The id of a self-group of this account (SLF-1): random bytes, and the beginning of a hash of them with the account.
pub fn self_group_id(account: &AccountId, salt: &[u8; SALT]) -> GroupId {
    let hash = Digest::labelled(label::SELF_GROUP, &[&account.0, salt]);
    let mut id = [0; GroupId::LEN];
    let (front, back) = id.split_at_mut(SALT);
    front.copy_from_slice(salt);
    back.copy_from_slice(hash.0.split_at(GroupId::LEN - SALT).0);
    GroupId(id)
}

/// True if a group's id is that of a self-group of this account. What a group is its members say; the id only says which
/// groups are meant to be one.
pub fn is_self_group_id(account: &AccountId, group: &GroupId) -> bool {
    group.0.first_chunk().is_some_and(|salt| self_group_id(account, salt) == *group)
}

/// What a setting is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum SettingKey {
    /// 1: how a device is called, UTF-8.
    DeviceName(DeviceId),
    /// 2: the handle by which an account is known. Nobody is believed: the record knows.
    Contact(AccountId),
    /// 3: the title of a conversation, UTF-8.
    Title(GroupId),
    /// 4: the password was changed; the value is the time, milliseconds since 1970, u64.
    Password,
    /// 5: this account, a fresh identity, was accepted in the place of the account (id) that the value names.
    ResetAccepted(AccountId),
    /// 6: who holds this account is known: a person has compared the verification code (the value is 1), or has opened a contact
    /// link (2).
    Verified(AccountId),
    /// 7: a person agreed that this device gets the old messages; the value is 1, or 0 if he did not.
    HistoryGranted(DeviceId),
    /// 8: what a person has decided about somebody who may write to him ([`crate::people::Decision`]).
    Decided(AccountId),
    /// 9: a contact link of this account with this token is good; the value is 1.
    LinkToken(LinkToken),
    /// 10: the token of somebody's contact link, which is told with the next message to him.
    Invitation(AccountId),
    /// 11: a person has read a conversation up to the position that is the value, u64.
    ReadUpTo(GroupId),
    /// 12: this account, about which nothing was decided, has opened a conversation; the value is 1.
    Asked(AccountId),
    /// 13: a conversation makes no sound until a time, milliseconds since 1970, u64.
    Muted(GroupId),
    /// 14: a conversation stands above the others; the value is 1.
    Pinned(GroupId),
    /// 15: a conversation was put away when it had come to this position, u64.
    Archived(GroupId),
    /// 16, 17: nobody is told that messages came, or that they were read, nor does this account see it of its own; the value is 1.
    NoReceipts(Receipt),
    /// 18: what a person has begun to write in a conversation, UTF-8.
    Draft(GroupId),
    /// 19: this account has left a conversation, by what stands at this position, u64.
    Left(GroupId),
    /// 20: what a device is, the number of a [`crate::introduction::DeviceKind`], u8.
    DeviceKind(DeviceId),
    /// 21: nobody is told that this account's person types, nor does he see it of others; the value is 1.
    NoTyping,
    /// 22: the picture of a conversation, a JPEG.
    Picture(GroupId),
    /// 23: after how many seconds messages of a conversation are gone, u32, and at which position that was said, u64.
    Timer(GroupId),
}

impl SettingKey {
    /// The bytes on the wire: the kind, and what it is about.
    pub fn encode(&self) -> Vec<u8> {
        let (kind, about): (u8, &[u8]) = match self {
            Self::DeviceName(device) => (1, &device.0),
            Self::Contact(account) => (2, &account.0),
            Self::Title(group) => (3, &group.0),
            Self::Password => (4, &[]),
            Self::ResetAccepted(account) => (5, &account.0),
            Self::Verified(account) => (6, &account.0),
            Self::HistoryGranted(device) => (7, &device.0),
            Self::Decided(account) => (8, &account.0),
            Self::LinkToken(token) => (9, &token.0),
            Self::Invitation(account) => (10, &account.0),
            Self::ReadUpTo(group) => (11, &group.0),
            Self::Asked(account) => (12, &account.0),
            Self::Muted(group) => (13, &group.0),
            Self::Pinned(group) => (14, &group.0),
            Self::Archived(group) => (15, &group.0),
            Self::NoReceipts(Receipt::Delivered) => (16, &[]),
            Self::NoReceipts(Receipt::Read) => (17, &[]),
            Self::Draft(group) => (18, &group.0),
            Self::Left(group) => (19, &group.0),
            Self::DeviceKind(device) => (20, &device.0),
            Self::NoTyping => (21, &[]),
            Self::Picture(group) => (22, &group.0),
            Self::Timer(group) => (23, &group.0),
        };
        [&[kind], about].concat()
    }

    /// Reads a key; `None` for one of another version.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let (kind, about) = bytes.split_first()?;
        Some(match kind {
            1 => Self::DeviceName(DeviceId(about.try_into().ok()?)),
            2 => Self::Contact(AccountId(about.try_into().ok()?)),
            3 => Self::Title(GroupId(about.try_into().ok()?)),
            4 if about.is_empty() => Self::Password,
            5 => Self::ResetAccepted(AccountId(about.try_into().ok()?)),
            6 => Self::Verified(AccountId(about.try_into().ok()?)),
            7 => Self::HistoryGranted(DeviceId(about.try_into().ok()?)),
            8 => Self::Decided(AccountId(about.try_into().ok()?)),
            9 => Self::LinkToken(LinkToken(about.try_into().ok()?)),
            10 => Self::Invitation(AccountId(about.try_into().ok()?)),
            11 => Self::ReadUpTo(GroupId(about.try_into().ok()?)),
            12 => Self::Asked(AccountId(about.try_into().ok()?)),
            13 => Self::Muted(GroupId(about.try_into().ok()?)),
            14 => Self::Pinned(GroupId(about.try_into().ok()?)),
            15 => Self::Archived(GroupId(about.try_into().ok()?)),
            16 if about.is_empty() => Self::NoReceipts(Receipt::Delivered),
            17 if about.is_empty() => Self::NoReceipts(Receipt::Read),
            18 => Self::Draft(GroupId(about.try_into().ok()?)),
            19 => Self::Left(GroupId(about.try_into().ok()?)),
            20 => Self::DeviceKind(DeviceId(about.try_into().ok()?)),
            21 if about.is_empty() => Self::NoTyping,
            22 => Self::Picture(GroupId(about.try_into().ok()?)),
            23 => Self::Timer(GroupId(about.try_into().ok()?)),
            _ => return None,
        })
    }
}

/// A setting as one device wrote it.
#[derive(Clone, PartialEq, Eq)]
pub struct Setting {
    /// What it is about ([`SettingKey::encode`]), 1 to [`MAX_KEY`] bytes.
    pub key: Vec<u8>,
    /// When it was written, by a hybrid logical clock.
    pub stamp: u64,
    /// By which device.
    pub device: DeviceId,
    /// What it is; empty if it was taken back. Up to [`MAX_VALUE`] bytes.
    pub value: Vec<u8>,
}

impl std::fmt::Debug for Setting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Setting").field("stamp", &self.stamp).finish_non_exhaustive()
    }
}

impl Setting {
    /// True if this takes the place of another one with the same key (SLF-3).
    pub fn wins_over(&self, other: &Self) -> bool {
        (self.stamp, self.device, &self.value) > (other.stamp, other.device, &other.value)
    }

    /// Bytes on the wire.
    pub fn length(&self) -> usize {
        1 + self.key.len() + 8 + 16 + 2 + self.value.len()
    }
}

/// The bytes of settings.
pub fn encode_settings(settings: &[Setting]) -> Vec<u8> {
    let mut w = Writer::new();
    for setting in settings {
        w.bytes8(&setting.key).u64(setting.stamp).raw(&setting.device.0).bytes16(&setting.value);
    }
    w.finish()
}

/// Reads settings.
///
/// # Errors
/// [`DecodeError`] for anything but the canonical encoding.
pub fn decode_settings(bytes: &[u8]) -> Result<Vec<Setting>, DecodeError> {
    let mut r = Reader::new(bytes);
    let mut settings = Vec::new();
    while r.remaining() > 0 {
        settings.push(Setting {
            key: r.bytes8(1, MAX_KEY, "setting")?.to_vec(),
            stamp: r.u64("stamp")?,
            device: DeviceId::decode(&mut r, "device")?,
            value: r.bytes16(0, MAX_VALUE, "value")?.to_vec(),
        });
    }
    Ok(settings)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOB: AccountId = AccountId([0xb0; 32]);

    fn setting(stamp: u64, device: u8, value: &[u8]) -> Setting {
        let key = SettingKey::DeviceName(DeviceId([1; 16])).encode();
        Setting { key, stamp, device: DeviceId([device; 16]), value: value.to_vec() }
    }

    #[test]
    fn a_self_groups_id_belongs_to_one_account() {
        let id = self_group_id(&BOB, &[7; SALT]);
        assert!(is_self_group_id(&BOB, &id));
        assert!(!is_self_group_id(&AccountId([0xa1; 32]), &id));
        for at in 0..GroupId::LEN {
            let mut other = id;
            other.0[at] ^= 1;
            assert!(!is_self_group_id(&BOB, &other));
        }
    }

    #[test]
    fn every_key_is_read_as_it_was_written_and_no_other_is() {
        let keys = [
            SettingKey::DeviceName(DeviceId([1; 16])),
            SettingKey::Contact(BOB),
            SettingKey::Title(GroupId([2; 32])),
            SettingKey::Password,
            SettingKey::ResetAccepted(BOB),
            SettingKey::Verified(BOB),
            SettingKey::HistoryGranted(DeviceId([3; 16])),
            SettingKey::Decided(BOB),
            SettingKey::LinkToken(LinkToken([4; 16])),
            SettingKey::Invitation(BOB),
            SettingKey::ReadUpTo(GroupId([5; 32])),
            SettingKey::Asked(BOB),
            SettingKey::Muted(GroupId([6; 32])),
            SettingKey::Pinned(GroupId([7; 32])),
            SettingKey::Archived(GroupId([8; 32])),
            SettingKey::Draft(GroupId([9; 32])),
            SettingKey::Left(GroupId([10; 32])),
            SettingKey::DeviceKind(DeviceId([11; 16])),
            SettingKey::NoReceipts(Receipt::Delivered),
            SettingKey::NoReceipts(Receipt::Read),
            SettingKey::NoTyping,
            SettingKey::Picture(GroupId([12; 32])),
            SettingKey::Timer(GroupId([13; 32])),
        ];
        for key in keys {
            let bytes = key.encode();
            assert!(bytes.len() <= MAX_KEY);
            assert_eq!(SettingKey::decode(&bytes), Some(key));
            assert_eq!(SettingKey::decode(&[bytes.as_slice(), &[0]].concat()), None);
        }
        for bytes in [&[][..], &[0], &[1], &[9, 1, 2], &[99, 1, 2]] {
            assert_eq!(SettingKey::decode(bytes), None);
        }
    }

    #[test]
    fn settings_have_one_form() {
        let settings = vec![setting(1, 2, b"laptop"), setting(u64::MAX, 3, b"")];
        let bytes = encode_settings(&settings);
        assert_eq!(bytes.len(), settings.iter().map(Setting::length).sum::<usize>());
        assert_eq!(decode_settings(&bytes), Ok(settings.clone()));
        let first = settings[0].length();
        for cut in (1..bytes.len()).filter(|cut| *cut != first) {
            assert!(decode_settings(&bytes[..cut]).is_err(), "{cut}");
        }
        assert_eq!(decode_settings(&[]), Ok(Vec::new()));
        let long = Setting { value: vec![0; MAX_VALUE + 1], ..setting(1, 1, b"") };
        assert!(decode_settings(&encode_settings(&[long])).is_err());
    }

    /// SLF-3: whatever order they are read in.
    #[test]
    fn the_last_writer_wins_in_every_order() {
        let all =
            [setting(5, 1, b"a"), setting(5, 2, b"b"), setting(4, 9, b"c"), setting(5, 2, b"bb"), setting(0, 0, b"")];
        let last = |order: &[usize]| {
            let mut kept: Option<&Setting> = None;
            for it in order.iter().map(|at| &all[*at]) {
                if kept.is_none_or(|kept| it.wins_over(kept)) {
                    kept = Some(it);
                }
            }
            kept.cloned()
        };
        for order in [[0, 1, 2, 3, 4], [4, 3, 2, 1, 0], [2, 3, 0, 4, 1], [3, 1, 4, 0, 2]] {
            assert_eq!(last(&order), Some(all[3].clone()));
        }
        assert!(!all[0].wins_over(&all[0]));
    }
}
