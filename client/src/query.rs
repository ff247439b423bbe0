//! What a person may ask of his device: reads the store, changes nothing, asks nobody.

use chain::id::{AccountId, DeviceId};
use protocol::id::{GroupId, MessageId};
use serde::{Deserialize, Serialize};

use crate::error::Error;
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

/// Somebody whom this device knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContactRow {
    /// The account.
    pub account: AccountId,
    /// Its handle.
    pub handle: String,
    /// Number of its confirmed devices.
    pub devices: usize,
    /// When the newest of them was listed, seconds since 1970.
    pub newest_s: u64,
    /// The device that confirmed the newest one, if one did.
    pub newest_by: Option<DeviceId>,
}

/// The state of this device.
///
/// # Errors
/// [`Error`].
pub fn status(_store: &Store<'_>, _now_ms: u64) -> Result<Status, Error> {
    Ok(Status {
        phase: Phase::New,
        service: None,
        account: None,
        handle: None,
        device: None,
        device_name: None,
        origin: None,
        chain_size: 0,
        witnesses: 0,
        quorum: 0,
        witnessed_s: 0,
        freshness: "stale",
        waiting: 0,
    })
}

/// The devices of the own account.
///
/// # Errors
/// [`Error`].
pub fn devices(_store: &Store<'_>) -> Result<Vec<DeviceRow>, Error> {
    Ok(Vec::new())
}

/// The newest messages, oldest of them first.
///
/// # Errors
/// [`Error`].
pub fn messages(_store: &Store<'_>, _with: Option<&str>, _limit: u32) -> Result<Vec<MessageRow>, Error> {
    Ok(Vec::new())
}

/// One message.
///
/// # Errors
/// [`Error`].
pub fn message(_store: &Store<'_>, _row: i64) -> Result<Option<MessageRow>, Error> {
    Ok(None)
}

/// All conversations.
///
/// # Errors
/// [`Error`].
pub fn conversations(_store: &Store<'_>) -> Result<Vec<ConversationRow>, Error> {
    Ok(Vec::new())
}

/// Everybody whom this device knows.
///
/// # Errors
/// [`Error`].
pub fn contacts(_store: &Store<'_>) -> Result<Vec<ContactRow>, Error> {
    Ok(Vec::new())
}

/// What stays until it was read.
///
/// # Errors
/// [`Error`].
pub fn notices(_store: &Store<'_>) -> Result<Vec<NoticeRow>, Error> {
    Ok(Vec::new())
}
