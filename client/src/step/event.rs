//! What comes out of a step to be shown.

use chain::id::{AccountId, DeviceId};
use protocol::id::{GroupId, MessageId};

use super::{Failure, IntentId};

/// What a person, or a program for him, may need to see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// An intent was carried out.
    Done {
        /// Which.
        intent: IntentId,
    },
    /// An intent was not carried out, and will not be.
    Failed {
        /// Which.
        intent: IntentId,
        /// Why.
        failure: Failure,
    },
    /// An intent waits for a person or for better times; it stays.
    Held {
        /// Which.
        intent: IntentId,
        /// Why.
        failure: Failure,
    },
    /// The message that an intent wants to send has a row of its own now; it waits to be sent.
    Written {
        /// The intent.
        intent: IntentId,
        /// Number of its row.
        row: i64,
        /// Its id.
        message: MessageId,
        /// Where.
        group: GroupId,
    },
    /// The account is open, in the record under a quorum.
    SignedUp {
        /// The account.
        account: AccountId,
        /// Its handle.
        handle: String,
        /// This device.
        device: DeviceId,
        /// Block of the entry.
        block: u64,
    },
    /// Somebody types in a conversation, or does no more.
    Typing {
        /// Where.
        group: GroupId,
    },
    /// This device is in the record and waits to be confirmed.
    Pending {
        /// This device.
        device: DeviceId,
    },
    /// An older device offered to confirm this one; the digits to show (CNF-5).
    Code {
        /// Six digits.
        code: String,
        /// The older device.
        by_device: DeviceId,
    },
    /// This device is confirmed, in the record under a quorum.
    Confirmed {
        /// This device.
        device: DeviceId,
        /// Who confirmed it; `None` for the recovery key.
        by_device: Option<DeviceId>,
        /// Block of the confirmation.
        block: u64,
    },
    /// The reset that this device announced is in the record.
    ResetAnnounced {
        /// When it is due, seconds since 1970; any device of the account can stop it until then.
        due_s: u64,
    },
    /// The reset that this device announced was stopped.
    ResetStopped,
    /// This device was refused, or its request lapsed.
    NotConfirmed {
        /// True if nobody answered in time.
        expired: bool,
    },
    /// This device was removed from its account; its keys are gone.
    Removed,
    /// Another device of the account has shared names, marks or decisions; or a name that others told was proven.
    Settings,
    /// Another device asks to join this account.
    RequestSeen {
        /// The device.
        device: DeviceId,
    },
    /// A request was answered: no popup any more.
    RequestAnswered {
        /// The device that asked.
        device: DeviceId,
        /// True if it was confirmed.
        confirmed: bool,
        /// The device that answered, if one did.
        by_device: Option<DeviceId>,
    },
    /// The service was asked when the account's devices were last there, and has answered or not.
    Seen {
        /// True if something was told that was not known.
        is_news: bool,
    },
    /// A waiting device has said what it is called (CNF-8).
    Introduced {
        /// The device that asked.
        device: DeviceId,
    },
    /// The new device has shown its digits: the popup may take them.
    CodeShown {
        /// The device that asked.
        device: DeviceId,
    },
    /// A message is new here, or its state changed.
    Message {
        /// Number of its row ([`crate::query`]).
        row: i64,
        /// Its id.
        message: MessageId,
        /// Where.
        group: GroupId,
        /// True if it is from another account or another device.
        incoming: bool,
    },
    /// A message is shown otherwise: changed, taken back, or somebody says what he thinks of it (MSG-2 to MSG-4).
    Changed {
        /// Number of its row ([`crate::query`]).
        row: i64,
        /// Its id.
        message: MessageId,
        /// Where.
        group: GroupId,
    },
    /// Somebody has an own message, or has read it (MSG-9).
    Reached {
        /// Number of its row ([`crate::query`]).
        row: i64,
        /// Its id.
        message: MessageId,
        /// Where.
        group: GroupId,
    },
    /// A conversation is new here, changed its members, or goes by another name.
    Conversation {
        /// Which.
        group: GroupId,
    },
    /// Old messages came from another device of the account.
    History {
        /// How many so far that were not here.
        messages: u64,
        /// How many there are, as far as that was told.
        total: u64,
        /// True when it was all.
        complete: bool,
    },
    /// Something of a backup file was taken in.
    Backup {
        /// How many messages were not here.
        messages: u64,
        /// How many settings took the place of what was here.
        settings: u64,
        /// Conversations that are still to be looked at.
        left: u64,
    },
    /// Something about the account or a contact that stays until it was read.
    Notice {
        /// Its number.
        number: u64,
    },
    /// A lie of the service, with the evidence to keep (chain::evidence); empty if nobody else can be shown it.
    Lie {
        /// The stable code.
        code: String,
        /// The file.
        evidence: Vec<u8>,
    },
    /// Whether the service answers has changed.
    Reachable(bool),
}
