//! What commands and the agent of a profile say to each other over its socket: one JSON object a line.
//!
//! ```text
//! -> {"id":1,"do":"send","to":"bob","text":"hello","wait_s":10}
//! <- {"id":1,"event":{...}}         any number
//! <- {"id":1,"done":{...}}          or {"id":1,"error":{"code","kind","message"}}: the last line for this id
//! ```
//!
//! Ids are the asker's. Several requests may be under way on one connection; closing it ends them, but not what they
//! set going. The rows in `event` and `done` are what `--json` prints ([`rows`]). Documented for others in
//! docs/agent.md.

pub(crate) mod backup;
pub(crate) mod connection;
mod conversations;
pub(crate) mod files;
mod messages;
pub(crate) mod record;
pub(crate) mod rows;

use std::os::unix::fs::MetadataExt as _;

use protocol::api::reports::Reason;
use protocol::bytes::Base64Url;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::bot::rights::Right;
use crate::failure::{Failure, Kind};

/// Most bytes of a line that the agent reads: a text of 64 KiB, escaped as badly as JSON can.
pub(crate) const MAX_LINE: usize = 512 * 1024;
/// The version of what is said here, with that of the program.
pub(crate) const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), "/1");

/// Which build of this version runs: when its file was written, and how long it is. Empty if the file cannot be looked
/// at, as that of a program that was replaced while it ran.
pub(crate) fn build() -> String {
    let file = std::env::current_exe().and_then(std::fs::metadata);
    let stamp = |file: std::fs::Metadata| format!("{}.{:09}-{}", file.mtime(), file.mtime_nsec(), file.len());
    file.map(stamp).unwrap_or_default()
}

/// A request.
#[derive(Serialize, Deserialize)]
pub(crate) struct Ask {
    /// Chosen by the asker.
    pub(crate) id: u64,
    /// What is wanted.
    #[serde(flatten)]
    pub(crate) what: What,
}

/// What can be asked of an agent.
#[derive(Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub(crate) enum What {
    /// Who is there: [`rows::Hello`].
    Hello,
    /// Opens the messages of this profile.
    Unlock { passphrase: String },
    /// Makes the key of a profile that has none, with or without a passphrase.
    NewKey { passphrase: Option<String> },
    /// Ends the agent.
    Stop,
    /// [`rows::State`].
    Status,
    /// A new account; done with [`rows::SignedUp`].
    SignUp(Join),
    /// Announces a reset of an account whose devices are all lost; done with [`rows::ResetAnnounced`].
    Reset(Join),
    /// The same with a permit of the service's operator; the password is a new one.
    ResetWithPermit {
        #[serde(flatten)]
        join: Join,
        permit: String,
    },
    /// Resets of the account wait for so many hours from now on, or there is none.
    SetResetWait { hours: Option<u64> },
    /// Others are told that their messages came, or were read, or that one types, or not any more; on all devices.
    SetReceipts { receipt: ReceiptKind, on: bool },
    /// Stops a reset of the own account.
    Veto,
    /// Another device of an account; events [`rows::LogInEvent`].
    LogIn(Join),
    /// Goes on waiting for the confirmation of this device; events [`rows::LogInEvent`].
    AwaitConfirmation { wait_s: Option<u64> },
    /// Forgets an attempt that has not ended well.
    StartOver,
    /// Events [`rows::Device`].
    Devices,
    /// Asks the service when the devices were last there, which [`What::Devices`] tells then; done when it has answered, or after
    /// `wait_s`.
    WhoIsHere { wait_s: u64 },
    /// Somebody looks at a request; done when the device shows its digits, which it may do already.
    OpenRequest { device: String, wait_s: u64 },
    /// The digits were typed.
    Confirm { device: String, code: String, history: bool },
    /// "This is not me."
    Refuse { device: String },
    /// Takes a device out of the account.
    Remove { device: String },
    /// Calls a device of the account otherwise.
    NameDevice { device: String, name: String },
    /// The account has this password from now on.
    SetPassword { password: String },
    /// A device that was let in before gets the old messages now.
    GrantHistory { device: String },
    /// Asks the other devices for old messages once more.
    FetchHistory,
    /// Done with [`rows::History`].
    History,
    /// What the public record says of somebody known, or of the own account: events [`record::RecordEntry`], oldest first; done
    /// with [`record::RecordProof`].
    Record { handle: Option<String> },
    /// The account has this recovery key from now on (its public half, hexadecimal), or none.
    SetRecoveryKey { key: Option<String> },
    /// Lets this waiting device in, with the words of the recovery key.
    Recover { words: String },
    /// Remembers somebody; with an account, only if the handle is that account's.
    AddContact {
        handle: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        account: Option<String>,
        /// Of a contact link.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        token: Option<String>,
    },
    /// Decides about somebody: a handle, or the beginning of the id of a conversation that he has opened.
    Decide { who: String, decision: Decided },
    /// Tells the service's operator of somebody, named as in [`What::Decide`], and blocks him if wanted; done with
    /// [`Reported`].
    Report { who: String, reason: Reason, block: bool },
    /// Done with [`rows::Link`]: the contact link that there is, or a fresh one.
    ContactLink { renew: bool },
    /// No contact link that was handed out is good any more.
    WithdrawLinks,
    /// Somebody has read a conversation.
    MarkRead { with: String },
    /// Accepts that somebody known goes on as a fresh identity.
    AcceptReset { handle: String },
    /// Done with [`rows::Verification`].
    VerificationCode { handle: String },
    /// Somebody has compared the codes.
    MarkVerified { handle: String, verified: bool },
    /// Events [`rows::Contact`].
    Contacts,
    /// Events [`rows::Conversation`].
    Conversations,
    /// A conversation of several people.
    NewChat { title: String, with: Vec<String> },
    /// Lets people in.
    AddMembers { chat: String, with: Vec<String> },
    /// Calls a conversation of several people otherwise, for all; done as with [`What::Send`].
    RenameChat { chat: String, title: String, wait_s: u64 },
    /// Gives a conversation a picture out of a file of this machine, by its absolute path, for all in it; `null` takes it away.
    /// Done as with [`What::Send`].
    PictureChat { chat: String, path: Option<String>, wait_s: u64 },
    /// The picture of a conversation, by its whole id; done with [`files::Portrait`].
    ChatPicture { chat: String },
    /// From now on messages of a conversation are gone so many seconds after they were read, 0: they stay; done as with
    /// [`What::Send`].
    SetTimer { chat: String, seconds: u32, wait_s: u64 },
    /// Makes a conversation silent for some time, `null` for good; 0: it makes sounds again.
    Mute { chat: String, seconds: Option<u64> },
    /// Puts a conversation above the others, or back among them.
    Pin { chat: String, on: bool },
    /// Puts a conversation away until somebody writes there, or takes it out again.
    Archive { chat: String, on: bool },
    /// What was begun to be written there, for the other devices; empty: nothing.
    Draft { chat: String, text: String },
    /// A person types there: whoever is there sees it for some seconds. To be said again every few seconds.
    Typing { chat: String },
    /// Leaves a conversation of several people; done as with [`What::Send`].
    LeaveChat { chat: String, wait_s: u64 },
    /// From now on somebody in it lets people in and out, or does not any more.
    SetAdmin { chat: String, who: String, on: bool },
    /// Takes people out.
    RemoveMembers { chat: String, with: Vec<String> },
    /// Writes; done with [`rows::Sent`] once the service has it, or after `wait_s`.
    Send { to: String, text: String, wait_s: u64 },
    /// Answers a message, named by the beginning of its id; done as with [`What::Send`].
    Reply { message: String, text: String, wait_s: u64 },
    /// Says something else instead of an own message; done as with [`What::Send`].
    Edit { message: String, text: String, wait_s: u64 },
    /// Takes an own message back; done as with [`What::Send`].
    Delete { message: String, wait_s: u64 },
    /// Says what a person thinks of a message, or takes that back; done as with [`What::Send`].
    React { message: String, reaction: String, remove: bool, wait_s: u64 },
    /// Sends a file of this machine, by its absolute path, and a text with it that may be empty; events [`files::Moving`],
    /// done as [`What::Send`] is. A picture goes without what it tells (BLB-11), unless it is to be sent as it is.
    SendFile {
        to: String,
        path: String,
        text: String,
        #[serde(default)]
        as_is: bool,
    },
    /// Fetches the file of a message, by the beginning of its id, to this absolute path; events [`files::Moving`], done with
    /// [`files::Saved`].
    SaveFile { message: String, path: String, replace: bool },
    /// The file of a message is to be on this machine, sealed.
    KeepFile { message: String },
    /// Stops a file on its way.
    CancelFile { transfer: i64 },
    /// Events [`rows::Message`] of those that have a file, oldest first; done with [`files::Listed`].
    Files { with: Option<String>, limit: u32 },
    /// What waits in a conversation because the record cannot be checked goes to the devices that were checked before, and so does
    /// what is written there until it can be; `chain.checked` if nothing waits for that.
    SendUnchecked { to: String },
    /// Events [`rows::Unplaced`].
    Unplaced,
    /// Events [`rows::Message`]: the newest `limit`, and with `follow` whatever comes until the connection is closed.
    Read { with: Option<String>, limit: u32, follow: bool },
    /// Events [`rows::Message`]: up to `limit` that stand before one of a conversation, both by their whole ids.
    Older { conversation: String, before: String, limit: u32 },
    /// Events [`rows::Change`], until the connection is closed: what a face may want to look at again.
    Changes,
    /// Serves pages to a browser on this machine; done with [`rows::Web`]. What sign-up and log-in are to be filled in with
    /// may be given.
    OpenWeb {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        service: Option<String>,
        /// Text of a witness policy.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        policy: Option<String>,
    },
    /// Ends that; done with [`rows::WebEnded`].
    CloseWeb,
    /// Gives a program a token that allows so much: event [`rows::Bot`], and good until this connection ends.
    OpenBot { may: Vec<Right> },
    /// What may belong into a backup file: events [`backup::BackupRow`], some after a row; none when there is no more.
    BackupRows { after: i64 },
    /// Events [`backup::BackupPart`] of those that do.
    BackupMessages { rows: Vec<i64> },
    /// What the devices of the account share: events [`backup::BackupPart`]; done with [`backup::BackupOwner`].
    BackupSettings,
    /// Is a backup file of this account to be taken in here?
    BackupOpen { origin: String, account: String },
    /// Takes in a part of it; done with [`backup::BackupTaken`].
    BackupTake { account: String, part: Base64Url },
    /// Looks at a conversation of which something was taken in; done with [`backup::BackupTaken`], until none is left.
    BackupFinish,
    /// Events [`rows::Message`], newest first; done with [`rows::Searched`].
    Search { text: String, with: Option<String>, from: Option<String>, limit: u32 },
    /// How much the desktop of this machine is told, from now on if that is said; done with [`rows::Notifying`].
    Notifications {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        show: Option<Telling>,
    },
    /// Events [`rows::Notice`].
    Notices,
    /// They were seen.
    NoticesRead { up_to: u64 },
}

/// What a person decides about somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Decided {
    /// He may write.
    Accepted,
    /// Nothing of him is shown.
    Blocked,
}

/// Somebody was reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Reported {
    /// True if the service has it; else it goes out by itself.
    pub(crate) sent: bool,
}

/// What others may be told of their messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ReceiptKind {
    /// That they came.
    Delivered,
    /// That they were read.
    Read,
    /// That one types.
    Typing,
}

/// How much the desktop of a machine is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Telling {
    /// Nothing
    Off,
    /// Who writes, and never what
    #[default]
    Name,
    /// Also what
    Text,
}

/// What both ways into an account need.
#[derive(Serialize, Deserialize)]
pub(crate) struct Join {
    pub(crate) service: String,
    pub(crate) handle: String,
    pub(crate) password: String,
    pub(crate) device_name: String,
    /// Text of a witness policy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) policy: Option<String>,
    /// How long a log-in waits for its confirmation; without it, for as long as it takes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) wait_s: Option<u64>,
}

/// A line of an agent.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Line {
    /// The request that it belongs to.
    pub(crate) id: u64,
    /// What it says.
    #[serde(flatten)]
    pub(crate) says: Says,
}

/// What a line says.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Says {
    /// More follows.
    Event(Value),
    /// It is done.
    Done(Value),
    /// It is not, and will not be.
    Error(Refusal),
}

/// A failure on the socket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Refusal {
    pub(crate) code: String,
    pub(crate) kind: Kind,
    pub(crate) message: String,
    /// True if what was wanted is kept, and done by itself as soon as it can be.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) waits: bool,
}

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Self {
        Self { code: failure.code, kind: failure.kind, message: failure.message, waits: failure.waits }
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self { waits: refusal.waits, ..Self::new(refusal.kind, &refusal.code, refusal.message) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reads(text: &str) -> bool {
        serde_json::from_str::<Ask>(text).is_ok()
    }

    #[test]
    fn requests_stand_on_the_socket_as_documented() {
        let what = What::Send { to: "bob".to_owned(), text: "a\nb".to_owned(), wait_s: 10 };
        let line = serde_json::to_string(&Ask { id: 7, what }).unwrap();
        assert_eq!(line, r#"{"id":7,"do":"send","to":"bob","text":"a\nb","wait_s":10}"#);
        assert!(reads(&line) && reads(r#"{"id":1,"do":"hello"}"#));
        assert!(reads(r#"{"id":1,"do":"record","handle":null}"#) && reads(r#"{"id":1,"do":"record","handle":"bob"}"#));
        assert!(reads(r#"{"id":1,"do":"read","with":null,"limit":3,"follow":true}"#));
        let join = r#""service":"http://a","handle":"bob","password":"p","device_name":"laptop""#;
        assert!(reads(&format!(r#"{{"id":1,"do":"reset",{join}}}"#)));
        assert!(reads(&format!(r#"{{"id":1,"do":"reset_with_permit",{join},"permit":"reset-0"}}"#)));
        assert!(!reads(&format!(r#"{{"id":1,"do":"reset_with_permit",{join}}}"#)));
        assert!(reads(r#"{"id":1,"do":"report","who":"bob","reason":"spam","block":true}"#));
        assert!(!reads(r#"{"id":1,"do":"report","who":"bob","reason":"he is rude","block":true}"#));
        assert!(reads(r#"{"id":1,"do":"search","text":"tea","with":null,"from":"bob","limit":3}"#));
    }

    #[test]
    fn what_is_no_request_is_an_error() {
        for text in ["", "{}", "[]", r#"{"id":1}"#, r#"{"id":1,"do":"dance"}"#, r#"{"id":-1,"do":"hello"}"#] {
            assert!(!reads(text), "{text}");
        }
        assert!(!reads(r#"{"id":1,"do":"send","to":"bob"}"#));
    }

    #[test]
    fn an_answer_is_one_of_three() {
        let failure = Failure::new(Kind::Waiting, "device.pending", "it waits");
        let line = Line { id: 1, says: Says::Error(failure.into()) };
        let text = serde_json::to_string(&line).unwrap();
        assert_eq!(text, r#"{"id":1,"error":{"code":"device.pending","kind":"waiting","message":"it waits"}}"#);
        let read: Line = serde_json::from_str(&text).unwrap();
        assert!(matches!(read.says, Says::Error(it) if Failure::from(it.clone()).exit_status() == 6));
        assert!(serde_json::from_str::<Line>(r#"{"id":1,"maybe":{}}"#).is_err());
    }
}
