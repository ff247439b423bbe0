//! What a person may ask of his device: reads the store, changes nothing, asks nobody.

use chain::handle::Handle;
use chain::id::{AccountId, DeviceId};
use chain::sigchain::body::Confirmer;
use protocol::id::{GroupId, MessageId};
use serde::{Deserialize, Serialize};

use crate::conversation::{self, CONTACT, Contact, Conversation, Stage};
use crate::device::Device;
use crate::error::Error;
use crate::message::Stored;
use crate::mls::Mls;
use crate::own;
use crate::record;
use crate::store::Store;

/// How far this device has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// No account yet.
    New,
    /// Signing up or logging in.
    Joining,
    /// In the record, waits to be confirmed.
    Pending,
    /// Counts.
    Confirmed,
    /// Was refused, removed, or its request lapsed.
    Ended,
}

/// The state of this device and of what it sees of the record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// How far it has come.
    pub phase: Phase,
    /// Address of the service.
    pub service: Option<String>,
    /// Its account.
    pub account: Option<AccountId>,
    /// The account's handle.
    pub handle: Option<String>,
    /// This device.
    pub device: Option<DeviceId>,
    /// How it is called.
    pub device_name: Option<String>,
    /// Origin of the log.
    pub origin: Option<String>,
    /// Number of blocks seen.
    pub chain_size: u64,
    /// Witnesses of the pinned policy.
    pub witnesses: usize,
    /// How many of them make a quorum.
    pub quorum: usize,
    /// When a quorum had cosigned the newest checkpoint seen, seconds since 1970.
    pub witnessed_s: u64,
    /// `fresh`, `aging` or `stale` (CHK-5).
    pub freshness: &'static str,
    /// Messages that wait to be sent.
    pub waiting: u64,
}

/// A device of the own account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceRow {
    /// Its id.
    pub device: DeviceId,
    /// How it calls itself, if that is known here: its own claim.
    pub name: Option<String>,
    /// `pending`, `confirmed` or `removed`.
    pub state: &'static str,
    /// Block of the entry that listed it.
    pub added_block: u64,
    /// Time of that block, seconds since 1970.
    pub added_s: u64,
    /// The device that confirmed it; `None` for the first one, the recovery key, and those not confirmed.
    pub confirmed_by: Option<DeviceId>,
    /// True for this device.
    pub this: bool,
    /// For a pending one: the try whose digits it shows now, if any.
    pub code_shown: bool,
}

/// What became of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MessageState {
    /// Written here, not yet taken by the service.
    Waiting,
    /// Taken by the service, on its disk.
    Sent,
    /// From somebody else.
    Received,
    /// Cannot be read here; a repair is under way.
    Unreadable,
    /// Refused for good.
    Failed,
}

/// A message.
#[derive(Clone, PartialEq, Eq)]
pub struct MessageRow {
    /// Number of its row.
    pub row: i64,
    /// Its id.
    pub message: MessageId,
    /// Where.
    pub group: GroupId,
    /// Whose it is.
    pub from: AccountId,
    /// The handle, if it is known here.
    pub from_handle: Option<String>,
    /// The device that wrote it.
    pub device: DeviceId,
    /// The text, as sent; tame it before showing (`protocol::tame`).
    pub text: String,
    /// When its writer says that it was written, milliseconds since 1970.
    pub sent_at_ms: u64,
    /// What became of it.
    pub state: MessageState,
    /// True if it came from another device of this account.
    pub from_history: bool,
    /// To which devices it was encrypted, for own messages of this device.
    pub encrypted_to: Vec<DeviceId>,
}

impl std::fmt::Debug for MessageRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MessageRow").field("row", &self.row).finish_non_exhaustive()
    }
}

/// A conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConversationRow {
    /// Its group.
    pub group: GroupId,
    /// Its title here, or the handle of the other person.
    pub title: String,
    /// Accounts in it, with their handles where known.
    pub members: Vec<(AccountId, Option<String>)>,
    /// True for a conversation of two people.
    pub pair: bool,
    /// Number of devices in it.
    pub devices: usize,
    /// Messages in it.
    pub messages: u64,
    /// Time of the newest message, milliseconds since 1970.
    pub newest_ms: Option<u64>,
    /// True if this device can write there now.
    pub ready: bool,
}

/// Somebody whom this device knows by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContactRow {
    /// The account.
    pub account: AccountId,
    /// Its handle.
    pub handle: String,
    /// Number of its confirmed devices.
    pub devices: usize,
    /// When the newest of them was confirmed, seconds since 1970.
    pub newest_s: u64,
    /// The device that confirmed the newest one, if one did.
    pub newest_by: Option<DeviceId>,
}

/// Something that stays until it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoticeRow {
    /// Its number.
    pub number: u64,
    /// What happened: `device.confirmed`, `device.refused`, `device.removed`, `device.requested`, …
    pub code: String,
    /// The device that it is about.
    pub device: Option<DeviceId>,
    /// The device that did it.
    pub by_device: Option<DeviceId>,
    /// Block of the entry.
    pub block: u64,
    /// When, seconds since 1970.
    pub at_s: u64,
}

/// The newest messages, oldest of them first: of all conversations, or of those that a handle, a title or the beginning of
/// an id names.
///
/// # Errors
/// [`Error`].
pub fn messages(store: &Store<'_>, with: Option<&str>, limit: u32) -> Result<Vec<MessageRow>, Error> {
    let groups = match with {
        None => None,
        Some(with) => Some(meant(store, with)?.into_iter().map(|it| it.group).collect::<Vec<_>>()),
    };
    let newest = store.newest_messages(groups.as_deref(), limit)?;
    newest.into_iter().map(|stored| message_row(store, stored)).collect()
}

/// One message by its row.
///
/// # Errors
/// [`Error`].
pub fn message(store: &Store<'_>, row: i64) -> Result<Option<MessageRow>, Error> {
    store.message(row)?.map(|stored| message_row(store, stored)).transpose()
}

/// All conversations, the one with the newest message first.
///
/// # Errors
/// [`Error`].
pub fn conversations(store: &Store<'_>) -> Result<Vec<ConversationRow>, Error> {
    let device = own::read(store)?.and_then(|own| own.device());
    let mut rows = Vec::new();
    for conversation in conversation::all(store)? {
        rows.push(conversation_row(store, device.as_ref(), &conversation)?);
    }
    rows.sort_by_key(|row| std::cmp::Reverse(row.newest_ms));
    Ok(rows)
}

/// Everybody whom this device knows by name, in the order of their handles.
///
/// # Errors
/// [`Error`].
pub fn contacts(store: &Store<'_>) -> Result<Vec<ContactRow>, Error> {
    let mut rows = Vec::new();
    for key in store.keys(CONTACT)? {
        let Ok(account) = <[u8; 32]>::try_from(key.as_slice()).map(AccountId) else { continue };
        let Some(contact) = store.get::<Contact>(CONTACT, &key)? else { continue };
        let set = record::kept_set(store, &account)?;
        let newest = set.iter().flat_map(|set| set.confirmed().values()).max_by_key(|device| device.sequence);
        rows.push(ContactRow {
            account,
            handle: contact.handle,
            devices: set.as_ref().map_or(0, |set| set.confirmed().len()),
            newest_s: newest.map_or(0, |device| device.at_s),
            newest_by: newest.and_then(|device| match device.by {
                Some(Confirmer::Device(device)) => Some(device),
                Some(Confirmer::RecoveryKey) | None => None,
            }),
        });
    }
    rows.sort_by(|a, b| a.handle.cmp(&b.handle));
    Ok(rows)
}

/// True if a handle, a title or the beginning of an id names a conversation that is there.
///
/// # Errors
/// [`Error`].
pub fn knows(store: &Store<'_>, with: &str) -> Result<bool, Error> {
    Ok(!meant(store, with)?.is_empty())
}

fn meant(store: &Store<'_>, with: &str) -> Result<Vec<Conversation>, Error> {
    let named = conversation::named(store, with)?;
    let Ok(handle) = Handle::parse(with.split('@').next().unwrap_or_default()) else { return Ok(named) };
    if !named.is_empty() {
        return Ok(named);
    }
    let mut found = Vec::new();
    for conversation in conversation::all(store)? {
        let Some(pair) = conversation.pair else { continue };
        if handle_of(store, &AccountId(pair))?.as_deref() == Some(handle.as_str()) {
            found.push(conversation);
        }
    }
    Ok(found)
}

fn handle_of(store: &Store<'_>, account: &AccountId) -> Result<Option<String>, Error> {
    let own = own::read(store)?.filter(|own| own.account() == Some(*account)).map(|own| own.handle);
    match own {
        Some(handle) => Ok(Some(handle)),
        None => Ok(store.get::<Contact>(CONTACT, &account.0)?.map(|contact| contact.handle)),
    }
}

fn message_row(store: &Store<'_>, stored: Stored) -> Result<MessageRow, Error> {
    let kept = stored.kept;
    let from = AccountId(kept.from);
    Ok(MessageRow {
        row: stored.row,
        message: stored.message,
        group: stored.group,
        from,
        from_handle: handle_of(store, &from)?,
        device: DeviceId(kept.device),
        text: kept.text,
        sent_at_ms: kept.sent_at_ms,
        state: kept.state,
        from_history: kept.from_history,
        encrypted_to: kept.encrypted_to.into_iter().map(DeviceId).collect(),
    })
}

fn conversation_row(
    store: &Store<'_>,
    device: Option<&Device>,
    conversation: &Conversation,
) -> Result<ConversationRow, Error> {
    let group = conversation.group;
    let now = match device {
        Some(device) if Mls::new(*store, device).has(&group)? => Some(Mls::new(*store, device).composition(&group)?),
        _ => None,
    };
    let mut members = Vec::new();
    for account in now.iter().flat_map(|now| now.members.accounts.keys()) {
        members.push((*account, handle_of(store, account)?));
    }
    let others = members.iter().filter(|(account, _)| device.is_none_or(|device| device.account != *account));
    let names = others.map(|(account, handle)| handle.clone().unwrap_or_else(|| short(account)));
    let title = conversation.title.clone().unwrap_or_else(|| names.collect::<Vec<_>>().join(", "));
    let newest = store.newest_messages(Some(&[group]), 1)?;
    Ok(ConversationRow {
        group,
        title,
        members,
        pair: conversation.pair.is_some(),
        devices: now.as_ref().map_or(0, |now| now.leaves.len()),
        messages: store.count_messages(&group)?,
        newest_ms: newest.first().map(|newest| newest.kept.sent_at_ms),
        ready: conversation.stage == Stage::Active,
    })
}

/// The beginning of an id, for people without a name here.
fn short(account: &AccountId) -> String {
    account.to_string().chars().take(8).collect()
}
