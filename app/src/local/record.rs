//! What an agent tells of an account in the public record: its entries, and what proves them.

use chain::id::DeviceId;
use chain::sigchain::body::{Body, Confirmer};
use chain::sigchain::device_set::{AccountState, DeviceSet};
use chain::sigchain::entry::Role;
use chain::view::Freshness;
use client::query::{AccountRecord, SealedEntry};
use serde::{Deserialize, Serialize};

use crate::clock::rfc3339;

/// An entry of an account.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RecordEntry {
    /// 0 for the first one.
    pub(crate) number: u64,
    /// As docs/protocol.md calls it.
    pub(crate) kind: String,
    pub(crate) block: u64,
    pub(crate) at: String,
    /// Its hash, which the next one names.
    pub(crate) entry: String,
    pub(crate) bytes: usize,
    /// Whose signatures it carries: `device`, `mls`, `recovery_key`, `service`.
    pub(crate) signed_by: Vec<String>,
    /// Devices that it is about.
    pub(crate) devices: Vec<String>,
    /// The device of the account that wanted it.
    pub(crate) by: Option<String>,
    /// True if a recovery key or a handle was set, false if it was dropped.
    pub(crate) set: Option<bool>,
    /// How long resets have to wait from here on.
    pub(crate) wait_hours: Option<u64>,
    /// From when on the reset that is announced here can be carried out.
    pub(crate) due: Option<String>,
    /// The identity that this one follows, or the one that follows it.
    pub(crate) other_account: Option<String>,
}

impl From<&SealedEntry> for RecordEntry {
    fn from(sealed: &SealedEntry) -> Self {
        let entry = &sealed.entry;
        let row = Self {
            number: entry.statement.position.sequence,
            kind: entry.statement.body.name().to_owned(),
            block: sealed.block,
            at: time(sealed.time_s),
            entry: entry.hash().to_string(),
            bytes: entry.encode().len(),
            signed_by: entry.statement.roles().iter().map(|role| signer(*role).to_owned()).collect(),
            ..Self::default()
        };
        let with = |devices: &[DeviceId], by: Option<&DeviceId>| Self {
            devices: devices.iter().map(ToString::to_string).collect(),
            by: by.map(ToString::to_string),
            ..row.clone()
        };
        match &entry.statement.body {
            Body::AccountCreated { device, predecessor, reset_choice, .. } => Self {
                other_account: predecessor.map(|old| old.account.to_string()),
                wait_hours: reset_choice.wait_s().map(|wait_s| wait_s / 3_600),
                ..with(&[device.id()], None)
            },
            Body::DeviceAdded { device, .. } => with(&[device.id()], None),
            Body::DeviceConfirmed(answer) => match &answer.signer {
                Confirmer::Device(by) => with(&[answer.device], Some(by)),
                Confirmer::RecoveryKey => with(&[answer.device], None),
            },
            Body::DeviceRefused(answer) => with(&[answer.device], Some(&answer.signer)),
            Body::DeviceRemoved { devices, signer } => with(devices, Some(signer)),
            Body::HandleBound { handle, signer } => Self { set: Some(handle.is_some()), ..with(&[], Some(signer)) },
            Body::RecoveryKeySet { key, signer } => Self { set: Some(key.is_some()), ..with(&[], Some(signer)) },
            Body::ResetChoiceSet { choice, signer } => {
                Self { wait_hours: choice.wait_s().map(|wait_s| wait_s / 3_600), ..with(&[], Some(signer)) }
            }
            Body::ResetRequested { successor, device } => {
                let notice = sealed.set.notice();
                let due = notice.map(|notice| time(notice.opened_at_s.saturating_add(notice.wait_s)));
                Self { due, other_account: Some(successor.to_string()), ..with(&[device.id()], None) }
            }
            Body::ResetVetoed { signer, .. } | Body::AccountClosed { signer } => with(&[], Some(signer)),
            Body::AccountReset { successor, .. } => {
                Self { other_account: Some(successor.to_string()), ..with(&[], None) }
            }
        }
    }
}

/// What proves the entries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RecordProof {
    pub(crate) account: String,
    /// 1 for a first identity, one more after each reset.
    pub(crate) generation: u32,
    /// `open`, `reset` or `closed`.
    pub(crate) state: String,
    /// Devices that count.
    pub(crate) confirmed: Vec<String>,
    /// Devices that wait to be let in.
    pub(crate) pending: Vec<String>,
    /// How long a reset has to wait; null: there can be none.
    pub(crate) reset_wait_hours: Option<u64>,
    /// Hash of the state, as the map has it.
    pub(crate) record: String,
    pub(crate) record_bytes: usize,
    /// Bytes of the proof that the map has it.
    pub(crate) map_proof_bytes: usize,
    /// Hashes of the proof that the map's block is in the log.
    pub(crate) inclusion_hashes: usize,
    /// Of the log.
    pub(crate) origin: String,
    /// Blocks of the log at the checkpoint that all of it was proven under.
    pub(crate) size: u64,
    /// Root of the log at that size.
    pub(crate) root: String,
    /// Witnesses of the pinned policy, and when each of them cosigned that checkpoint, if it did.
    pub(crate) witnesses: Vec<Witnessed>,
    /// How many of them have to.
    pub(crate) quorum: usize,
    /// When this device last proved it.
    pub(crate) checked_at: String,
    /// `fresh`, `aging` or `stale`: how far the record may be relied on now.
    pub(crate) freshness: String,
    /// Code of what stops the record from being believed now.
    pub(crate) trouble: Option<String>,
}

/// A witness, and what it did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Witnessed {
    /// Its name in the policy.
    pub(crate) name: String,
    pub(crate) cosigned_at: Option<String>,
}

impl From<&AccountRecord> for RecordProof {
    fn from(row: &AccountRecord) -> Self {
        let checkpoint = row.checkpoint.checkpoint();
        let cosigned = |number: usize| row.checkpoint.times().iter().find(|at| at.witness == number);
        let witnesses = row.witnesses.iter().enumerate().map(|(number, name)| Witnessed {
            name: name.clone(),
            cosigned_at: cosigned(number).map(|at| time(at.time)),
        });
        Self {
            account: row.set.account().to_string(),
            generation: row.set.generation(),
            state: state_word(&row.set).to_owned(),
            confirmed: row.set.confirmed().keys().map(ToString::to_string).collect(),
            pending: row.set.pending().keys().map(ToString::to_string).collect(),
            reset_wait_hours: row.set.reset_choice().wait_s().map(|wait_s| wait_s / 3_600),
            record: row.set.hash().to_string(),
            record_bytes: row.proven.record.len(),
            map_proof_bytes: row.proven.proof.len(),
            inclusion_hashes: row.proven.at.inclusion.len(),
            origin: checkpoint.origin.to_string(),
            size: checkpoint.size,
            root: checkpoint.root.to_string(),
            witnesses: witnesses.collect(),
            quorum: row.quorum,
            checked_at: rfc3339(row.checked_ms),
            freshness: match row.freshness {
                Freshness::Fresh => "fresh",
                Freshness::Aging => "aging",
                Freshness::Stale => "stale",
            }
            .to_owned(),
            trouble: row.trouble.clone(),
        }
    }
}

/// Whether an account goes on, in one word.
pub(crate) fn state_word(set: &DeviceSet) -> &'static str {
    match set.state() {
        AccountState::Open => "open",
        AccountState::ResetTo { .. } => "reset",
        AccountState::Closed => "closed",
    }
}

fn signer(role: Role) -> &'static str {
    match role {
        Role::Device => "device",
        Role::Mls => "mls",
        Role::RecoveryKey => "recovery_key",
        Role::Service => "service",
    }
}

fn time(seconds: u64) -> String {
    rfc3339(seconds.saturating_mul(1_000))
}
