//! What an agent tells: the objects that `--json` prints, with names that stay.
//!
//! Ids are lower-case hexadecimal. Texts and names are as they came from others; a terminal gets them tamed.

use chain::id::DeviceId;
use client::query::{self, ContactRow, DeviceRow, HistoryRow, NoticeRow, Phase, Status};
use client::step::Command;
use protocol::content::Receipt;
use protocol::introduction::DeviceKind;
use protocol::people::Decision;
use serde::{Deserialize, Serialize};

pub(crate) use super::conversations::{ALWAYS, BLOCKED, Conversation, Member, OPEN, REQUEST};
pub(crate) use super::messages::{
    Answered, MemberChange, Mentioned, Message, Reaction, Receipted, Searched, Sent, Unplaced,
};

use super::{Decided, ReceiptKind, Telling};
use crate::clock::rfc3339;

/// Who answers on the socket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Hello {
    /// Of the agent's program.
    pub(crate) version: String,
    /// Which build of it ([`super::build`]); earlier ones did not say.
    #[serde(default)]
    pub(crate) build: String,
    /// Whether the messages can be opened.
    pub(crate) key: KeyState,
    /// True if it needs a passphrase to be opened.
    #[serde(default)]
    pub(crate) wrapped: bool,
    /// Id of the agent's process.
    pub(crate) process: u32,
}

/// Whether an agent can open its store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum KeyState {
    /// There is none yet, and nothing to open.
    None,
    /// A passphrase is needed.
    Locked,
    /// There are messages, and no key.
    Missing,
    /// The store is open.
    Open,
}

/// How a device is and what it sees.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct State {
    pub(crate) phase: Phase,
    pub(crate) connection: Connection,
    /// Since when nobody answers.
    pub(crate) offline_since: Option<String>,
    pub(crate) service: Option<String>,
    pub(crate) account: Option<String>,
    pub(crate) handle: Option<String>,
    pub(crate) device: Option<String>,
    pub(crate) device_name: Option<String>,
    /// The log's origin.
    pub(crate) origin: Option<String>,
    /// Blocks seen.
    pub(crate) chain_size: u64,
    /// Witnesses of the pinned policy.
    pub(crate) witnesses: usize,
    pub(crate) quorum: usize,
    /// When a quorum had cosigned the newest checkpoint seen.
    pub(crate) witnessed_at: Option<String>,
    /// `fresh`, `aging` or `stale`.
    pub(crate) freshness: String,
    /// Messages that wait to be sent.
    pub(crate) waiting: u64,
    /// Reports that the service does not have yet.
    #[serde(default)]
    pub(crate) reports: u64,
    /// True if the account has a recovery key.
    #[serde(default)]
    pub(crate) recovery_key: bool,
    /// True if a copy of this device is in use: neither gets in any more.
    #[serde(default)]
    pub(crate) cloned: bool,
    /// When a reset of the account is due that was announced: here, or by somebody whom this device can stop.
    #[serde(default)]
    pub(crate) reset_due: Option<String>,
    /// Which receipts the account gives and sees.
    #[serde(default = "Receipts::all")]
    pub(crate) receipts: Receipts,
    /// Why this device is one of the account's no more, if it is not.
    #[serde(default)]
    pub(crate) ended: Option<String>,
}

/// Whether others are told that their messages came, and that they were read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Receipts {
    pub(crate) delivered: bool,
    pub(crate) read: bool,
    /// That somebody types.
    pub(crate) typing: bool,
}

impl Receipts {
    fn all() -> Self {
        Self { delivered: true, read: true, typing: true }
    }
}

/// How much the desktop of this machine is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Notifying {
    pub(crate) notifications: Telling,
    /// True if somebody there shows it.
    pub(crate) shown: bool,
}

/// Whether the service answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Connection {
    /// It has not been asked yet.
    Unknown,
    /// It answers.
    Online,
    /// It does not.
    Offline,
}

impl State {
    /// What the store says; the agent adds the connection, and whether there is a recovery key.
    pub(crate) fn of(status: Status, connection: Connection, offline_since_ms: Option<u64>) -> Self {
        let witnessed_s = Some(status.witnessed_s).filter(|seconds| *seconds > 0);
        Self {
            phase: status.phase,
            connection,
            offline_since: offline_since_ms.map(rfc3339),
            service: status.service,
            account: status.account.map(|it| it.to_string()),
            handle: status.handle,
            device: status.device.map(|it| it.to_string()),
            device_name: status.device_name,
            origin: status.origin,
            chain_size: status.chain_size,
            witnesses: status.witnesses,
            quorum: status.quorum,
            witnessed_at: witnessed_s.map(|seconds| rfc3339(seconds.saturating_mul(1_000))),
            freshness: status.freshness.to_owned(),
            waiting: status.waiting,
            reports: status.reports,
            recovery_key: false,
            cloned: status.cloned,
            reset_due: None,
            receipts: Receipts::from(status.receipts),
            ended: status.ended,
        }
    }

    /// A profile without anything.
    pub(crate) fn new_profile() -> Self {
        Self {
            phase: Phase::New,
            connection: Connection::Unknown,
            offline_since: None,
            service: None,
            account: None,
            handle: None,
            device: None,
            device_name: None,
            origin: None,
            chain_size: 0,
            witnesses: 0,
            quorum: 0,
            witnessed_at: None,
            freshness: "stale".to_owned(),
            waiting: 0,
            reports: 0,
            recovery_key: false,
            cloned: false,
            reset_due: None,
            receipts: Receipts::all(),
            ended: None,
        }
    }
}

/// An account was opened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SignedUp {
    pub(crate) account: String,
    pub(crate) handle: String,
    pub(crate) device: String,
    /// The device's id in groups of four: the hash of its two keys.
    pub(crate) fingerprint: String,
    pub(crate) block: u64,
    /// Witnesses that were pinned.
    pub(crate) witnesses: usize,
    pub(crate) quorum: usize,
}

/// A reset was announced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ResetAnnounced {
    pub(crate) handle: String,
    /// From when on it can be carried out; any device of the account can stop it until then.
    pub(crate) due: String,
}

/// What two people compare.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Verification {
    pub(crate) handle: String,
    /// Sixty digits in groups of five.
    pub(crate) code: String,
    /// True if somebody has compared it, or has opened a contact link.
    pub(crate) verified: bool,
    /// True if it was a contact link.
    #[serde(default)]
    pub(crate) by_link: bool,
}

/// Old messages, on their way here and from here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct History {
    /// `none` for an account's first device, `waiting`, `running` or `complete`.
    pub(crate) state: String,
    /// Messages that came.
    pub(crate) messages: u64,
    /// How many there are, as far as that was told.
    pub(crate) total: u64,
    /// The device that gave the last page.
    pub(crate) from: Option<String>,
    /// What was handed to other devices.
    pub(crate) handed: Vec<Handed>,
}

/// Messages that were handed to another device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Handed {
    pub(crate) device: String,
    pub(crate) messages: u64,
}

impl History {
    /// Of what the store says.
    pub(crate) fn of(row: Option<HistoryRow>, handed: Vec<(DeviceId, u64)>) -> Self {
        let state = match &row {
            None => "none",
            Some(row) if row.complete => "complete",
            Some(row) if row.granted => "running",
            Some(_) => "waiting",
        };
        let handed = handed.into_iter().map(|(device, messages)| Handed { device: device.to_string(), messages });
        Self {
            state: state.to_owned(),
            messages: row.as_ref().map_or(0, |row| row.messages),
            total: row.as_ref().map_or(0, |row| row.total),
            from: row.and_then(|row| row.from).map(|it| it.to_string()),
            handed: handed.collect(),
        }
    }
}

/// How a log-in goes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub(crate) enum LogInEvent {
    /// In the record; an older device has to confirm it.
    Pending {
        device: String,
        /// True if the account has a recovery key, which would do it as well.
        #[serde(default)]
        recovery_key: bool,
    },
    /// The digits to type on an older device.
    Code { code: String, by_device: String, by_name: Option<String> },
    /// It counts.
    Confirmed { device: String, by_device: Option<String>, block: Option<u64> },
    /// It was not let in.
    Refused,
    /// Nobody answered in time.
    Expired,
}

/// A device of the own account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Device {
    pub(crate) device: String,
    /// As you call it; of one that waits as it calls itself.
    pub(crate) name: Option<String>,
    /// The system that it says it runs on.
    #[serde(default)]
    pub(crate) kind: Option<DeviceKind>,
    /// `pending`, `confirmed` or `removed`.
    pub(crate) state: String,
    pub(crate) added_block: u64,
    pub(crate) added_at: String,
    pub(crate) confirmed_by: Option<String>,
    /// True if the recovery key confirmed it.
    #[serde(default)]
    pub(crate) recovered: bool,
    pub(crate) this: bool,
    /// When the service has seen it last, as that says: in whole minutes, and for a device that waits in whole hours.
    #[serde(default)]
    pub(crate) seen_at: Option<String>,
    /// True while it shows digits to be typed here.
    pub(crate) code_shown: bool,
}

impl From<DeviceRow> for Device {
    fn from(row: DeviceRow) -> Self {
        Self {
            device: row.device.to_string(),
            name: row.name,
            kind: row.kind,
            state: row.state.to_owned(),
            added_block: row.added_block,
            added_at: rfc3339(row.added_s.saturating_mul(1_000)),
            confirmed_by: row.confirmed_by.map(|it| it.to_string()),
            recovered: row.recovered,
            this: row.this,
            seen_at: row.seen.and_then(|seen| seen.last_ms()).map(rfc3339),
            code_shown: row.code_shown,
        }
    }
}

/// Somebody known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Contact {
    pub(crate) account: String,
    pub(crate) handle: String,
    /// Confirmed devices.
    pub(crate) devices: usize,
    pub(crate) newest_at: String,
    pub(crate) newest_confirmed_by: Option<String>,
    /// True if the verification code was compared, or a contact link was opened.
    #[serde(default)]
    pub(crate) verified: bool,
    /// True if it was a contact link.
    #[serde(default)]
    pub(crate) by_link: bool,
    /// What was decided, if anything: others are known by name alone.
    #[serde(default)]
    pub(crate) decision: Option<Decided>,
    /// When the account was reset, until that is accepted.
    #[serde(default)]
    pub(crate) reset_at: Option<String>,
}

impl From<ContactRow> for Contact {
    fn from(row: ContactRow) -> Self {
        Self {
            account: row.account.to_string(),
            handle: row.handle,
            devices: row.devices,
            newest_at: rfc3339(row.newest_s.saturating_mul(1_000)),
            newest_confirmed_by: row.newest_by.map(|it| it.to_string()),
            verified: row.verified,
            by_link: row.by_link,
            decision: row.decision.map(Decided::from),
            reset_at: row.reset_s.map(|seconds| rfc3339(seconds.saturating_mul(1_000))),
        }
    }
}

impl From<Decision> for Decided {
    fn from(decision: Decision) -> Self {
        match decision {
            Decision::Accepted => Self::Accepted,
            Decision::Blocked => Self::Blocked,
        }
    }
}

impl ReceiptKind {
    /// What tells others, or does not any more.
    pub(crate) fn command(self, on: bool) -> Command {
        match self {
            Self::Delivered => Command::SetReceipts(Receipt::Delivered, on),
            Self::Read => Command::SetReceipts(Receipt::Read, on),
            Self::Typing => Command::SetTyping(on),
        }
    }
}

impl From<query::Receipts> for Receipts {
    fn from(of: query::Receipts) -> Self {
        Self { delivered: of.delivered, read: of.read, typing: of.typing }
    }
}

impl From<Decided> for Decision {
    fn from(decided: Decided) -> Self {
        match decided {
            Decided::Accepted => Self::Accepted,
            Decided::Blocked => Self::Blocked,
        }
    }
}

/// The own contact link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Link {
    /// Its token.
    pub(crate) token: String,
}

/// Something that stays until it was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Notice {
    pub(crate) number: u64,
    pub(crate) notice: String,
    pub(crate) device: Option<String>,
    pub(crate) by_device: Option<String>,
    /// The handle of the contact that it is about.
    #[serde(default)]
    pub(crate) contact: Option<String>,
    pub(crate) block: u64,
    pub(crate) at: String,
}

impl From<NoticeRow> for Notice {
    fn from(row: NoticeRow) -> Self {
        Self {
            number: row.number,
            notice: row.code,
            device: row.device.map(|it| it.to_string()),
            by_device: row.by_device.map(|it| it.to_string()),
            contact: row.contact.map(|(_, handle)| handle),
            block: row.block,
            at: rfc3339(row.at_s.saturating_mul(1_000)),
        }
    }
}

/// Something is not as it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Change {
    /// `account`, `connection`, `contacts`, `conversations`, `devices`, `files`, `history`, `messages`, `notices` or `typing`.
    pub(crate) changed: String,
    /// Which conversation, if it is about messages, or about who types.
    pub(crate) conversation: Option<String>,
}

impl Change {
    /// Of something that is one.
    pub(crate) fn of(changed: &str) -> Self {
        Self { changed: changed.to_owned(), conversation: None }
    }
}

/// Where the pages are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Web {
    /// The address with a secret that opens them once.
    pub(crate) link: String,
    /// Where they are served.
    pub(crate) addresses: Vec<String>,
}

/// The pages are gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct WebEnded {
    /// True if there were any.
    pub(crate) ended: bool,
}

/// Where a program of one's own asks, and with what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Bot {
    /// The address, on loopback.
    pub(crate) api: String,
    /// What it says in `Authorization: Bearer …`.
    pub(crate) token: String,
}

/// A device's id as people compare it: in groups of four.
pub(crate) fn fingerprint(device: &str) -> String {
    let letters: Vec<char> = device.chars().collect();
    letters.chunks(4).map(|group| group.iter().collect::<String>()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_events_of_a_log_in_have_the_names_that_scripts_wait_for() {
        let json = |event: LogInEvent| serde_json::to_value(event).unwrap();
        assert_eq!(
            json(LogInEvent::Pending { device: "d".into(), recovery_key: false }),
            serde_json::json!({"event":"pending","device":"d","recovery_key":false})
        );
        let code = LogInEvent::Code { code: "418093".into(), by_device: "e".into(), by_name: None };
        assert_eq!(json(code)["code"], "418093");
        assert_eq!(json(LogInEvent::Refused), serde_json::json!({"event":"refused"}));
        assert_eq!(json(LogInEvent::Expired), serde_json::json!({"event":"expired"}));
    }

    #[test]
    fn a_fingerprint_is_the_id_in_groups_of_four() {
        assert_eq!(fingerprint("00112233445566778899aabbccddeeff"), "0011 2233 4455 6677 8899 aabb ccdd eeff");
    }
}
