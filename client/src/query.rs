//! What a person may ask of his device: reads the store, changes nothing, asks nobody.

use std::collections::{BTreeMap, BTreeSet};

use chain::id::{AccountId, DeviceId, Digest};
use chain::sigchain::body::{Body, Confirmer};
use chain::sigchain::entry::Entry;
use chain::sigchain::rules::YOUNG_FOR_S;
use chain::stamped::StampedEntry;
use chain::view::Freshness;
use protocol::content::Receipt;
use protocol::id::{GroupId, MessageId};
use protocol::introduction::DeviceKind;
use protocol::people::{Decision, LinkToken, Standing};
use protocol::verification_code::VerificationCode;
use serde::{Deserialize, Serialize};

use crate::contacts::{CONTACT, Contact};
use crate::error::Error;
use crate::store::Store;
use crate::{introducing, notices as kept_notices, own, people, record, requests, seen, settings};

mod files;
mod news;
mod proven;
mod talk;
mod unplaced;

pub use crate::backup::{BackupRow, backed_up_messages, backed_up_settings, backup_owner, backup_rows};
pub use crate::history::{HistoryRow, handed, history};
pub use crate::receipts::Receipts;
pub use crate::search::{Found, Unknown, Wanted, search};
pub use crate::seen::LastSeen;
pub use files::{
    FileRow, IncomingRow, OutgoingRow, file_download, files_called, incoming_files, outgoing_files, with_files,
};
pub(crate) use news::news_of;
pub use news::{News, news};
pub use proven::{AccountRecord, SealedEntry, account_record};
pub(crate) use talk::{accounts_called, conversations_of, groups_meant, rows_of};
pub use talk::{
    contacts, conversation_picture, conversations, is_of, is_open, knows, lines, message, messages, messages_before,
    openers,
};
pub use unplaced::{UnplacedRow, unplaced};

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
    /// Has announced a reset of its account, and waits until it is due.
    Resetting,
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
    /// Reports that the service does not have yet.
    pub reports: u64,
    /// True if the service said that a copy of this device is in use.
    pub cloned: bool,
    /// Which receipts the account gives and sees.
    pub receipts: Receipts,
    /// Why it counts no more, if it has ended: `device.removed`, `device.refused`, `confirm.expired`, …
    pub ended: Option<String>,
}

/// A device of the own account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceRow {
    /// Its id.
    pub device: DeviceId,
    /// How it is called, if that is known here: for a waiting one its own claim.
    pub name: Option<String>,
    /// What it is; its own claim too.
    pub kind: Option<DeviceKind>,
    /// `pending`, `confirmed` or `removed`.
    pub state: &'static str,
    /// Block of the entry that listed it.
    pub added_block: u64,
    /// Time of that block, seconds since 1970.
    pub added_s: u64,
    /// The device that confirmed it; `None` for the first one, the recovery key, and those not confirmed.
    pub confirmed_by: Option<DeviceId>,
    /// True if the recovery key confirmed it.
    pub recovered: bool,
    /// Of a confirmed one: until when it is too young for some things, seconds since 1970 (DEV-8, DEV-9); in the past, if it is not any
    /// more.
    pub young_until_s: Option<u64>,
    /// True for this device.
    pub this: bool,
    /// When the service has seen it last, if that was asked.
    pub seen: Option<LastSeen>,
    /// For a pending one: true if it shows digits for an offer of this device.
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
    /// An own message that all for whom it is have. Only shown: what is kept of it is whose word came (MSG-9).
    Delivered,
    /// The same, and all have read it.
    Read,
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
    /// Its position at the service, which is the order of all messages; `None` until the service has it.
    pub place: Option<u64>,
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
    /// What it answers.
    pub answers: Option<AnsweredRow>,
    /// True if its writer has changed it; the text is what it says now.
    pub edited: bool,
    /// True if its writer has taken it back; there is no text.
    pub deleted: bool,
    /// What people think of it, in the order in which they said so.
    pub reactions: Vec<ReactionRow>,
    /// It says no text but that messages are gone from here on so many seconds after they were read; 0: that they stay.
    pub timer_s: Option<u32>,
    /// How many seconds after it was read it is gone.
    pub lasts_s: Option<u32>,
    /// It says no text but what the conversation is called from here on.
    pub title: Option<String>,
    /// Of one that says what picture the conversation has: true for another one, false for none any more.
    pub pictured: Option<bool>,
    /// It is no message but says who came and went; by whom is whose it is.
    pub change: Option<ChangeRow>,
    /// The file that it names.
    pub file: Option<FileRow>,
    /// Of an own message: who has it, and who has read it.
    pub receipts: Vec<ReceiptRow>,
    /// Whom the text mentions, of those who are in the conversation, in the order of the text.
    pub mentions: Vec<MentionRow>,
    /// Of an own message of this device: for how long the record could not be checked when it was encrypted, seconds, if that is
    /// worth a word (CHK-9).
    pub unchecked_s: Option<u64>,
}

/// Somebody whom a text mentions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MentionRow {
    /// Where in the text it begins, in bytes.
    pub start: usize,
    /// Where it ends.
    pub end: usize,
    /// Who is meant.
    pub account: AccountId,
    /// The handle, if it is known here: as he is called now.
    pub handle: Option<String>,
}

/// What somebody has said of an own message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceiptRow {
    /// Who.
    pub from: AccountId,
    /// The handle, if it is known here.
    pub from_handle: Option<String>,
    /// What.
    pub receipt: Receipt,
}

/// Who came into a conversation and who went, with their handles where known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeRow {
    /// Who came.
    pub came: Vec<(AccountId, Option<String>)>,
    /// Who went.
    pub went: Vec<(AccountId, Option<String>)>,
}

/// A message that another one answers.
#[derive(Clone, PartialEq, Eq)]
pub struct AnsweredRow {
    /// Its id.
    pub message: MessageId,
    /// Whose it is, and the handle, if they are known here.
    pub from: Option<(AccountId, Option<String>)>,
    /// The text, whole; nothing if the message is not here.
    pub text: Option<String>,
    /// The file that it names, whose name stands behind the text.
    pub file: Option<FileRow>,
}

impl std::fmt::Debug for AnsweredRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AnsweredRow(..)")
    }
}

/// What somebody thinks of a message.
#[derive(Clone, PartialEq, Eq)]
pub struct ReactionRow {
    /// Who.
    pub from: AccountId,
    /// The handle, if it is known here.
    pub from_handle: Option<String>,
    /// An emoji, or a short word; tame it before showing (`protocol::tame`).
    pub reaction: String,
}

impl std::fmt::Debug for ReactionRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ReactionRow(..)")
    }
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
    /// Those of them who let people in and out, and say what it is called; nobody in one of two people.
    pub admins: BTreeSet<AccountId>,
    /// True for a conversation of two people.
    pub pair: bool,
    /// True for the account's notes to itself.
    pub own: bool,
    /// True if old messages that came from another own device do not fit what their writers sent after them.
    pub unverified: bool,
    /// Who types there just now; known to the client, and not to the store.
    pub typing: Vec<(AccountId, Option<String>)>,
    /// Number of devices in it.
    pub devices: usize,
    /// Messages in it.
    pub messages: u64,
    /// The newest message, as much of it as stands in a line: at most [`NEWEST_LETTERS`] of its text, and neither what it answers nor
    /// what people think of it.
    pub newest: Option<Box<MessageRow>>,
    /// Messages that were not read, on no device.
    pub unread: u64,
    /// True if one of them mentions this account.
    pub mentioned: bool,
    /// Whether somebody unknown, or blocked, has opened it (PPL-2).
    pub standing: Standing,
    /// True if this device can write there now.
    pub ready: bool,
    /// True if this account has left it, or was taken out.
    pub left: bool,
    /// How many seconds after they were read messages are gone; 0: they stay.
    pub timer_s: u32,
    /// Until when it makes no sound, milliseconds since 1970; `u64::MAX` for good.
    pub muted_until_ms: Option<u64>,
    /// True if it stands above the others.
    pub pinned: bool,
    /// True if it is put away until somebody writes there.
    pub archived: bool,
    /// What was begun to be written there, on any device.
    pub draft: Option<String>,
    /// SHA-256 of its picture, if it has one.
    pub picture: Option<Digest>,
    /// When the record was last checked, seconds since 1970, while that is too long ago for what is written here (CHK-9).
    pub stale_since_s: Option<u64>,
    /// True if a person decided to write all the same.
    pub unchecked: bool,
}

/// Most letters of the newest message that a conversation's row says.
pub const NEWEST_LETTERS: usize = 160;

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
    /// When the account was reset, seconds since 1970, if it was and nobody has accepted that yet.
    pub reset_s: Option<u64>,
    /// True if a person has compared the verification code, or has opened a contact link.
    pub verified: bool,
    /// True if that was a contact link.
    pub by_link: bool,
    /// What a person has decided about it, if anything (PPL-1).
    pub decision: Option<Decision>,
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
    /// The contact that it is about, with the handle by which this device knows it.
    pub contact: Option<(AccountId, String)>,
    /// Block of the entry.
    pub block: u64,
    /// When, seconds since 1970.
    pub at_s: u64,
}

impl From<&own::Phase> for Phase {
    fn from(phase: &own::Phase) -> Self {
        match phase {
            own::Phase::SigningUp(_) | own::Phase::LoggingIn(_) => Self::Joining,
            own::Phase::Pending(_) => Self::Pending,
            own::Phase::Resetting(_) => Self::Resetting,
            own::Phase::Confirmed => Self::Confirmed,
            own::Phase::Ended(_) => Self::Ended,
        }
    }
}

/// The state of this device and of what it sees of the record. `now_ms`: milliseconds since 1970.
///
/// # Errors
/// [`Error`].
pub fn status(store: &Store<'_>, now_ms: u64) -> Result<Status, Error> {
    let own = own::stored(store)?;
    let view = record::stored_view(store)?;
    let freshness = match view.as_ref().map(|view| view.freshness(now_ms / 1_000)) {
        Some(Freshness::Fresh) => "fresh",
        Some(Freshness::Aging) => "aging",
        Some(Freshness::Stale) | None => "stale",
    };
    Ok(Status {
        phase: own.as_ref().map_or(Phase::New, |own| Phase::from(&own.phase)),
        service: own.as_ref().map(|own| own.service.clone()),
        account: own.as_ref().and_then(own::Own::account),
        handle: own.as_ref().map(|own| own.handle.clone()),
        device: own.as_ref().map(own::Own::id),
        device_name: match &own {
            Some(own) => Some(settings::device_name(store, &own.id())?.unwrap_or_else(|| own.device_name.clone())),
            None => None,
        },
        origin: view.as_ref().map(|view| view.parameters().origin.clone()),
        chain_size: view.as_ref().map_or(0, chain::view::View::size),
        witnesses: view.as_ref().map_or(0, |view| view.policy().witnesses().len()),
        quorum: view.as_ref().map_or(0, |view| view.policy().smallest_quorum()),
        witnessed_s: view.as_ref().map_or(0, chain::view::View::witnessed_s),
        freshness,
        waiting: crate::intent::waiting_to_be_sent(store)?,
        reports: crate::intent::waiting_reports(store)?,
        cloned: crate::token::is_cloned(store)?,
        receipts: crate::receipts::wanted(store)?,
        ended: own.and_then(|own| match own.phase {
            own::Phase::Ended(code) => Some(code),
            _ => None,
        }),
    })
}

/// The digits that this waiting device shows, and the older device that offered to confirm it.
///
/// # Errors
/// [`Error`].
pub fn code(store: &Store<'_>) -> Result<Option<(String, DeviceId)>, Error> {
    Ok(own::stored(store)?.and_then(|own| match own.phase {
        own::Phase::Pending(log_in) => log_in.code().map(|answered| (answered.code.clone(), answered.by())),
        _ => None,
    }))
}

/// All devices that the own account ever had, but for those that were refused or that nobody answered, in the order of
/// the record.
///
/// # Errors
/// [`Error`].
pub fn devices(store: &Store<'_>) -> Result<Vec<DeviceRow>, Error> {
    let (Some(own), Some(view)) = (own::stored(store)?, record::stored_view(store)?) else { return Ok(Vec::new()) };
    let Some(account) = own.account() else { return Ok(Vec::new()) };
    let Some(known) = record::stored_account(store, &view, &account)? else { return Ok(Vec::new()) };
    let set = known.set();
    let mut rows = Vec::new();
    for (device, listed) in listed(&known.entries) {
        let lapsed = |it| requests::has_lapsed(it, view.header().time_s);
        let state = if set.confirmed().contains_key(&device) {
            "confirmed"
        } else if set.pending().get(&device).is_some_and(|it| !lapsed(it)) {
            "pending"
        } else if listed.counted {
            "removed"
        } else {
            continue;
        };
        let (name, kind) = introducing::name_and_kind(store, &own, &device)?;
        rows.push(DeviceRow {
            device,
            name,
            kind,
            state,
            added_block: listed.block,
            added_s: listed.at_s,
            confirmed_by: listed.confirmed_by,
            recovered: listed.recovered,
            young_until_s: set.confirmed().get(&device).map(|it| it.at_s.saturating_add(YOUNG_FOR_S)),
            this: device == own.id(),
            seen: seen::last_seen(store, &device)?,
            code_shown: state == "pending" && requests::shows_code(store, &device)?,
        });
    }
    rows.sort_by_key(|row| row.added_block);
    Ok(rows)
}

/// What the entries say of a device.
struct Listed {
    block: u64,
    at_s: u64,
    confirmed_by: Option<DeviceId>,
    recovered: bool,
    counted: bool,
}

fn listed(entries: &[StampedEntry]) -> BTreeMap<DeviceId, Listed> {
    let mut found = BTreeMap::new();
    for stamped in entries {
        let Ok(entry) = Entry::decode(&stamped.entry) else { continue };
        let (block, at_s, confirmed_by, recovered) = (stamped.block, stamped.time_s, None, false);
        match entry.statement.body {
            Body::AccountCreated { device, .. } => {
                found.insert(device.id(), Listed { block, at_s, confirmed_by, recovered, counted: true });
            }
            Body::DeviceAdded { device, .. } => {
                found.insert(device.id(), Listed { block, at_s, confirmed_by, recovered, counted: false });
            }
            Body::DeviceConfirmed(answer) => {
                if let Some(listed) = found.get_mut(&answer.device) {
                    listed.counted = true;
                    match answer.signer {
                        Confirmer::Device(by) => listed.confirmed_by = Some(by),
                        Confirmer::RecoveryKey => listed.recovered = true,
                    }
                }
            }
            _ => {}
        }
    }
    found
}

/// When a reset of the own account is due, seconds since 1970, if one was announced: by this device, or by another one that
/// this one can stop.
///
/// # Errors
/// [`Error`].
pub fn reset_due_s(store: &Store<'_>) -> Result<Option<u64>, Error> {
    let Some(own) = own::stored(store)? else { return Ok(None) };
    let account = match &own.phase {
        own::Phase::Resetting(resetting) => Some(resetting.account()),
        own::Phase::Confirmed => own.account(),
        _ => None,
    };
    let Some(account) = account else { return Ok(None) };
    let set = record::kept_set(store, &account)?;
    let notice = set.as_ref().and_then(|set| set.notice());
    Ok(notice.map(|notice| notice.opened_at_s.saturating_add(notice.wait_s)))
}

/// The verification code of this account and another one, the same on both sides.
///
/// # Errors
/// [`Error`].
pub fn verification_code(store: &Store<'_>, other: &AccountId) -> Result<Option<VerificationCode>, Error> {
    let (Some(own), Some(view)) = (own::stored(store)?, record::stored_view(store)?) else { return Ok(None) };
    let Some(account) = own.account() else { return Ok(None) };
    Ok(Some(VerificationCode::of(&view.parameters().origin, &account, other)))
}

/// True if the own account has a recovery key, as far as this device knows.
///
/// # Errors
/// [`Error`].
pub fn has_recovery_key(store: &Store<'_>) -> Result<bool, Error> {
    let (Some(own), Some(view)) = (own::stored(store)?, record::stored_view(store)?) else { return Ok(false) };
    let Some(account) = own.account() else { return Ok(false) };
    let known = record::stored_account(store, &view, &account)?;
    Ok(known.is_some_and(|known| known.set().recovery_key().is_some()))
}

/// The token of the account's contact link, if it has one.
///
/// # Errors
/// [`Error`].
pub fn link_token(store: &Store<'_>) -> Result<Option<LinkToken>, Error> {
    people::link_token(store)
}

/// Notices that were not read, oldest first.
///
/// # Errors
/// [`Error`].
pub fn notices(store: &Store<'_>) -> Result<Vec<NoticeRow>, Error> {
    let mut rows = Vec::new();
    for (number, notice) in kept_notices::unread(store)? {
        let contact = match notice.account() {
            Some(account) => store.get::<Contact>(CONTACT, &account.0)?.map(|contact| (account, contact.handle)),
            None => None,
        };
        let (device, by_device) = (notice.device(), notice.by());
        let (code, block, at_s) = (notice.code, notice.block, notice.at_s);
        rows.push(NoticeRow { number, code, device, by_device, contact, block, at_s });
    }
    Ok(rows)
}
