//! The step contract: what goes into a step and what comes out of it.
//!
//! The shell opens a transaction, calls [`crate::Client::step`], **commits, and only then** sends and shows. So no lost
//! power plug loses, doubles or re-keys a message. A request that was sent and whose answer was lost is asked for again
//! by the next step that needs it, with the same bytes where it changes something.

mod event;

use std::fmt;

use chain::id::{AccountId, DeviceId, PublicKey};
use chain::sigchain::body::ResetChoice;
use protocol::api::delivery::{Delivery, Passing};
use protocol::api::reports::Reason;
use protocol::backup::{Owner, Part};
use protocol::content::Receipt;
use protocol::id::MessageId;
use protocol::introduction::DeviceKind;
use protocol::people::{Decision, LinkToken};
use protocol::refusal::Problem;
use protocol::reset_permit::ResetPermit;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

pub use self::event::Event;
use crate::transfer::{End, Forgotten, LocalFile, Transfer};

/// What comes in.
#[derive(Debug)]
pub enum Input {
    /// A person wants something.
    Command(Command),
    /// The service answered a request, or nobody did.
    Answer {
        /// Which request.
        id: RequestId,
        /// What came.
        answer: Answer,
    },
    /// The push connection brought something.
    Delivered(Delivery),
    /// Or a word in passing.
    Passing(Passing),
    /// A transfer has ended.
    Transferred {
        /// Which.
        id: RequestId,
        /// How.
        end: End,
    },
    /// Time has passed: the shell's start, the time that [`Output::wake_at_ms`] named, or a new network.
    Tick,
    /// The service does not let this device listen: it may be one of the account's no more.
    Unwelcome,
}

/// A secret that a person typed.
#[derive(Clone)]
pub struct Secret(pub Zeroizing<String>);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// What a person wants. Names, texts and titles are as typed.
#[derive(Debug, Clone)]
pub enum Command {
    /// A new account; this is its first device.
    SignUp(Joining),
    /// This becomes another device of an account.
    LogIn(Joining),
    /// Forget an attempt to sign up or log in that has not ended well, and everything kept of it.
    StartOver,
    /// A person looks at a device's request: offers to confirm it, so that it shows its digits (CNF-2).
    OpenRequest {
        /// The waiting device.
        device: DeviceId,
    },
    /// Somebody wants to see when the account's devices were last at the service; ends with [`Event::Seen`].
    /// On a device that waits for a reset: whether that still stands.
    LookWhoIsHere,
    /// A person typed the digits that the waiting device shows (CNF-5).
    Confirm {
        /// The waiting device.
        device: DeviceId,
        /// What was typed.
        code: String,
        /// True to hand it the old messages.
        history: bool,
    },
    /// "This is not me."
    Refuse {
        /// The waiting device.
        device: DeviceId,
    },
    /// Takes a device out of the account for good.
    Remove {
        /// A confirmed device.
        device: DeviceId,
    },
    /// All devices of an account are lost: announces a fresh identity in its place, with this as its first device.
    Reset(Joining),
    /// The same for whoever does not have the password either, with a permit of the service's operator (PMT-4).
    ResetWithPermit {
        /// What it needs. The password is a new one, and will be the fresh identity's.
        joining: Joining,
        /// The permit.
        permit: ResetPermit,
    },
    /// Resets of the account have to wait so long from now on (RST-1).
    SetResetChoice {
        /// How long, or never.
        choice: ResetChoice,
    },
    /// Stops a reset of the own account that was announced.
    Veto,
    /// A person accepts that a contact goes on as a fresh identity.
    AcceptReset {
        /// The contact's handle.
        handle: String,
    },
    /// A device that was let in before gets the old messages now.
    GrantHistory {
        /// The device.
        device: DeviceId,
    },
    /// Asks the other devices for old messages once more, now.
    FetchHistory,
    /// A backup file is to be taken in: is it of this account, or of one that it continues (BAK-3)?
    OpenBackup {
        /// Whose it says that it is.
        owner: Owner,
    },
    /// Takes in a part of a backup file that was opened.
    TakeBackup {
        /// Whose the file is.
        account: AccountId,
        /// The part.
        part: Part,
    },
    /// The parts of a backup file are here: looks at the next conversation that they were about.
    FinishBackup,
    /// A person has compared the verification code with somebody, or takes that back.
    MarkVerified {
        /// The other account.
        account: AccountId,
        /// True if the codes were the same.
        verified: bool,
    },
    /// The account has this password from now on; devices stay signed in.
    SetPassword {
        /// The new one.
        password: Secret,
    },
    /// Calls a device of the account otherwise.
    NameDevice {
        /// A confirmed device.
        device: DeviceId,
        /// How it is called from now on.
        name: String,
    },
    /// The account has this recovery key from now on, or none any more.
    SetRecoveryKey {
        /// The key's public half.
        key: Option<PublicKey>,
    },
    /// The recovery key was typed on this waiting device, to let it in.
    Recover {
        /// The words.
        words: Secret,
    },
    /// Remembers somebody by handle, after a look at the record.
    AddContact {
        /// The handle.
        handle: String,
        /// Who has to hold it, if that is known from a link: with anybody else, nothing is kept (`link.other_account`).
        account: Option<AccountId>,
        /// The link's token, if it has one: whoever made the link needs not to be asked (PPL-4).
        token: Option<LinkToken>,
    },
    /// A person decides about somebody who may write to him (PPL-1).
    Decide {
        /// The other account.
        account: AccountId,
        /// What was decided.
        decision: Decision,
    },
    /// A person tells the service's operator of somebody: who and why, and nothing else (PPL-5).
    Report {
        /// The other account.
        account: AccountId,
        /// Why.
        reason: Reason,
        /// True to block him as well.
        block: bool,
    },
    /// The account has a contact link from now on: the one that there is, or a fresh one.
    MakeLink {
        /// True to withdraw the links that were handed out before.
        renew: bool,
    },
    /// No contact link that was handed out is good any more.
    WithdrawLinks,
    /// A person has read what there is of a conversation.
    MarkRead {
        /// A handle, title, or beginning of an id.
        with: String,
    },
    /// Calls a conversation of several people otherwise, for all (MSG-8).
    RenameChat {
        /// Title or beginning of the id.
        chat: String,
        /// What it is called from now on.
        title: String,
    },
    /// Gives a conversation of several people a picture, for all (MSG-13).
    PictureChat {
        /// Title or beginning of the id.
        chat: String,
        /// A JPEG as [`protocol::content::Part::picture`] takes it; empty: it has none any more.
        jpeg: Vec<u8>,
    },
    /// From now on messages of a conversation are gone some time after they were read (MSG-6).
    SetTimer {
        /// A handle, title, or beginning of an id.
        chat: String,
        /// Seconds; 0: they stay.
        seconds: u32,
    },
    /// Keeps a conversation otherwise, on all devices of the account.
    Arrange {
        /// A handle, title, or beginning of an id.
        chat: String,
        /// How.
        arrangement: Arrangement,
    },
    /// Others hear from all devices of the account that their messages came, or were read; or not any more (MSG-10).
    SetReceipts(Receipt, bool),
    /// Others see that one types, and one sees it of them, or not any more; on all devices.
    SetTyping(bool),
    /// A person types in a conversation. No intent: who is there is told, or nobody.
    Typing {
        /// As for [`Command::Send`].
        chat: String,
    },
    /// Writes.
    Send {
        /// A handle, a conversation's title, or the beginning of its id.
        to: String,
        /// The text.
        text: String,
    },
    /// Answers a message, in its conversation (MSG-1).
    Reply {
        /// The message, by the beginning of its id.
        message: String,
        /// The text.
        text: String,
    },
    /// Says something else instead of an own text (MSG-2).
    Edit {
        /// The message, by the beginning of its id.
        message: String,
        /// What it says from now on.
        text: String,
    },
    /// Takes an own message back, on all devices of all members (MSG-3).
    Delete {
        /// The message, by the beginning of its id.
        message: String,
    },
    /// Says what a person thinks of a message, or not any more (MSG-4).
    React {
        /// The message, by the beginning of its id.
        message: String,
        /// An emoji, or a short word.
        reaction: String,
        /// True to take it back.
        remove: bool,
    },
    /// Sends a file.
    SendFile {
        /// As in [`Command::Send`].
        to: String,
        /// A text that goes with it; may be empty.
        text: String,
        /// The file.
        file: LocalFile,
    },
    /// Fetches the file of a message.
    SaveFile {
        /// The message.
        message: MessageId,
        /// Where it is to be: an absolute path.
        path: String,
        /// True if it may take the place of another one.
        replace: bool,
    },
    /// Fetches the file of a message, only to have it here, sealed as it comes (BLB-7).
    KeepFile(MessageId),
    /// Ends a file's way, in either direction.
    CancelFile {
        /// The intent.
        intent: IntentId,
    },
    /// Opens a conversation of several people.
    NewChat {
        /// Its title, for this account only.
        title: String,
        /// Handles.
        with: Vec<String>,
    },
    /// Lets people into a conversation.
    AddMembers {
        /// Title or beginning of the id.
        chat: String,
        /// Handles.
        with: Vec<String>,
    },
    /// Takes people out of a conversation.
    RemoveMembers {
        /// Title or beginning of the id.
        chat: String,
        /// Handles.
        with: Vec<String>,
    },
    /// Leaves a conversation of several people.
    LeaveChat {
        /// Its title, or the beginning of its id.
        chat: String,
    },
    /// From now on somebody in it lets people in and out, or does not any more.
    SetAdmin {
        /// Its title, or the beginning of its id.
        chat: String,
        /// A handle.
        who: String,
        /// True if he does.
        on: bool,
    },
    /// Sends in this conversation although the record cannot be checked, until it can (decision in words: CHK-5).
    SendUnchecked {
        /// A handle, title, or beginning of an id.
        to: String,
    },
    /// A person has seen the notices up to this one.
    NoticesRead {
        /// Number of the newest that was seen.
        up_to: u64,
    },
}

/// How a person keeps a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Arrangement {
    /// It makes no sound until then, milliseconds since 1970; `None`: it does.
    Muted {
        /// Until when; `u64::MAX` for good.
        until_ms: Option<u64>,
    },
    /// It stands above the others, or not any more.
    Pinned(bool),
    /// It is put away until somebody writes there, or not any more.
    Archived(bool),
    /// This was begun to be written there, up to 8,192 bytes; empty: nothing.
    Draft(String),
}

/// What both ways into an account need.
#[derive(Debug, Clone)]
pub struct Joining {
    /// The service's address, kept for the shell; `http://` or `https://`.
    pub service: String,
    /// The handle, as typed; a part from `@` on is cut off.
    pub handle: String,
    /// The password.
    pub password: Secret,
    /// How this device is called, for its own account only.
    pub device_name: String,
    /// What it is: the system that it runs on.
    pub device_kind: DeviceKind,
    /// The witness policy to pin (C2SP tlog-policy); without one, that of block 0 is pinned.
    pub policy: Option<String>,
}

/// Names an intent: what a command became.
pub type IntentId = i64;

/// Names a request for as long as this client lives.
pub type RequestId = u64;

/// A request to the service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// To be named in the answer.
    pub id: RequestId,
    /// The request.
    pub call: Call,
}

/// An HTTP request, but for the service's address.
#[derive(Clone, PartialEq, Eq)]
pub struct Call {
    /// With a body it is a POST, without one a GET.
    pub body: Option<Vec<u8>>,
    /// Path and query.
    pub path: String,
    /// `Authorization: Bearer …`.
    pub bearer: Option<String>,
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let route = self.path.split('?').next().unwrap_or_default();
        f.debug_struct("Call").field("route", &route.len()).finish_non_exhaustive()
    }
}

/// What came of a request.
#[derive(Debug, Clone)]
pub enum Answer {
    /// Status 200, with this body.
    Ok(Vec<u8>),
    /// A refusal of the service.
    Refused(Problem),
    /// No answer, or none that is HTTP: the request may or may not have arrived.
    Unreachable,
}

/// What comes out.
#[derive(Debug, Default)]
pub struct Output {
    /// To be sent after the commit, in any order.
    pub requests: Vec<Request>,
    /// Files to be moved after the commit, each by itself.
    pub transfers: Vec<Transfer>,
    /// What is kept of files for these is to be deleted after the commit (BLB-8).
    pub forgotten: Vec<Forgotten>,
    /// To be shown after the commit, in this order.
    pub events: Vec<Event>,
    /// When to come back with [`Input::Tick`], milliseconds since 1970, if nothing comes in before.
    pub wake_at_ms: Option<u64>,
    /// The intent that the command became.
    pub intent: Option<IntentId>,
}

/// Where to listen for deliveries: `GET path` as a WebSocket.
#[derive(Clone, PartialEq, Eq)]
pub struct Listening {
    /// Path and query.
    pub path: String,
    /// `Authorization: Bearer …`.
    pub bearer: String,
}

impl fmt::Debug for Listening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Listening(..)")
    }
}

/// Whose fault it is that something did not happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Blame {
    /// A rule was broken that honest software cannot break, or a record cannot be verified.
    Lie,
    /// Somebody said no.
    Refused,
    /// Nobody answers.
    Unreachable,
    /// The caller asked for something that makes no sense.
    Misuse,
    /// This program or its disk.
    Broken,
    /// It waits for something: a confirmation, a contact's reset to be accepted, a record that can be checked.
    Waiting,
}

/// Why something did not happen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The stable code.
    pub code: String,
    /// Whose fault it is.
    pub blame: Blame,
    /// One sentence for people.
    pub message: String,
}
