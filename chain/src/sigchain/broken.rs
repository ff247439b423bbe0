//! What it is called when an entry breaks a rule.

use thiserror::Error;

use crate::encoding::DecodeError;
use crate::id::{DeviceId, Digest};

/// The rule that an entry breaks, with the facts. [`RuleBroken::rule`] gives its number in `docs/protocol.md`,
/// [`RuleBroken::code`] the stable code.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RuleBroken {
    /// ENT-1: not the canonical encoding.
    #[error("the entry is not canonically encoded: {0}")]
    Encoding(#[from] DecodeError),
    /// ENT-2: a signature does not hold.
    #[error("signature {place} of the entry does not hold")]
    Signature {
        /// Which one, counted from 0.
        place: usize,
    },
    /// ENT-3: not the next sequence number.
    #[error("the entry has sequence number {got}, the next is {expected}")]
    Sequence {
        /// The number that would continue the sigchain.
        expected: u64,
        /// The number that stands there.
        got: u64,
    },
    /// ENT-3: does not name the newest entry.
    #[error("the entry follows {got}, the newest is {expected}")]
    Previous {
        /// Hash of the newest entry.
        expected: Digest,
        /// The hash that stands there.
        got: Digest,
    },
    /// ENT-3: another account or generation.
    #[error("the entry is for another account or generation")]
    OtherAccount,
    /// ENT-4: names a checkpoint beyond the log.
    #[error("the entry names a checkpoint of size {size}, the log had {log}")]
    CheckpointAhead {
        /// The size that it names.
        size: u64,
        /// The size of the log before the entry's block.
        log: u64,
    },
    /// ENT-4: names a root that the log never had.
    #[error("the entry names another root for size {size} than the log had")]
    CheckpointForeign {
        /// The size that it names.
        size: u64,
    },
    /// ENT-5: the sigchain has ended.
    #[error("the account has ended")]
    Ended,
    /// DEV-2: the first entry is not an AccountCreated, or a later one is.
    #[error("an account is opened by its first entry and by no other")]
    Opening,
    /// DEV-2: the account id is not the hash of the first body.
    #[error("the account id is not the hash of the first entry's body")]
    AccountId,
    /// DEV-2: a generation that does not fit the predecessor.
    #[error("generation {got} does not fit")]
    Generation {
        /// The generation that stands there.
        got: u32,
    },
    /// DEV-3: a key that is in the set, or was refused or removed.
    #[error("a key of the device is or was already in this account")]
    KnownKey,
    /// DEV-3: too many devices.
    #[error("the account has {count} devices of this state, at most {max} may be")]
    TooMany {
        /// How many there are.
        count: usize,
        /// How many may be.
        max: usize,
    },
    /// DEV-4, DEV-6, DEV-7, DEV-9, RST-3: the signer is not a confirmed device.
    #[error("device {0} is not confirmed")]
    Unconfirmed(DeviceId),
    /// DEV-4: names a request that is not the one that is open for this device.
    #[error("the answer names another request than the open one")]
    OtherRequest,
    /// DEV-5: the request was answered before, or has lapsed.
    #[error("request {0} has been answered or has lapsed")]
    Replayed(u64),
    /// DEV-3, RST-2: does not open the next request.
    #[error("the entry opens request {got}, the next is {expected}")]
    RequestNumber {
        /// The next number.
        expected: u64,
        /// The number that stands there.
        got: u64,
    },
    /// DEV-7: removes a device that is not confirmed.
    #[error("device {0} cannot be removed: it is not confirmed")]
    NotInSet(DeviceId),
    /// DEV-8: the signer is too young to remove an older device.
    #[error("device {0} was confirmed less than 72 hours ago and cannot remove an older one yet")]
    TooNew(DeviceId),
    /// DEV-9: the signer is too young for a change that could lock an older device out.
    #[error("device {0} was confirmed less than 72 hours ago and cannot change this yet")]
    TooNewToChange(DeviceId),
    /// DEV-10: nothing would be left.
    #[error("the last device cannot be removed without a recovery key")]
    LastDevice,
    /// REC-1: the recovery key is that of a device that is or was in this account.
    #[error("the recovery key is the key of a device")]
    RecoveryKeyKnown,
    /// REC-1: there is no recovery key.
    #[error("the account has no recovery key")]
    NoRecoveryKey,
    /// RST-1: the account chose never to be reset.
    #[error("the account chose never to be reset")]
    ResetNever,
    /// RST-2: a notice is open.
    #[error("a reset is already announced")]
    ResetOpen,
    /// RST-2: too soon after a veto.
    #[error("after a veto the next reset may be announced at {earliest_s}")]
    ResetTooSoon {
        /// Earliest block time, seconds.
        earliest_s: u64,
    },
    /// RST-2, RST-3: no such notice is open.
    #[error("no such reset is announced")]
    NoNotice,
    /// RST-2: another successor than announced.
    #[error("the reset names another successor than was announced")]
    OtherSuccessor,
    /// RST-4: before its time.
    #[error("the reset may be carried out at {earliest_s}, it is {now_s}")]
    ResetTooEarly {
        /// Earliest block time, seconds.
        earliest_s: u64,
        /// Block time, seconds.
        now_s: u64,
    },
    /// RST-4: the successor does not continue this account, or is not in the same block.
    #[error("the successor does not continue the account that was reset")]
    Successor,
    /// RST-5: the witnesses do not prove the wait.
    #[error("the witnesses' cosignatures do not prove the waiting time")]
    WaitUnproven,
}

impl RuleBroken {
    /// The rule's number in `docs/protocol.md`.
    pub fn rule(&self) -> &'static str {
        match self {
            Self::Encoding(_) => "ENT-1",
            Self::Signature { .. } => "ENT-2",
            Self::Sequence { .. } | Self::Previous { .. } | Self::OtherAccount => "ENT-3",
            Self::CheckpointAhead { .. } | Self::CheckpointForeign { .. } => "ENT-4",
            Self::Ended => "ENT-5",
            Self::Opening | Self::AccountId | Self::Generation { .. } => "DEV-2",
            Self::KnownKey | Self::TooMany { .. } | Self::RequestNumber { .. } => "DEV-3",
            Self::Unconfirmed(_) | Self::OtherRequest => "DEV-4",
            Self::Replayed(_) => "DEV-5",
            Self::NotInSet(_) => "DEV-7",
            Self::TooNew(_) => "DEV-8",
            Self::TooNewToChange(_) => "DEV-9",
            Self::LastDevice => "DEV-10",
            Self::NoRecoveryKey | Self::RecoveryKeyKnown => "REC-1",
            Self::ResetNever => "RST-1",
            Self::ResetOpen | Self::ResetTooSoon { .. } | Self::OtherSuccessor => "RST-2",
            Self::NoNotice => "RST-3",
            Self::ResetTooEarly { .. } | Self::Successor => "RST-4",
            Self::WaitUnproven => "RST-5",
        }
    }

    /// The stable code that a person, a script or another program can rely on.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Encoding(DecodeError::BadKey { .. }) => "key.invalid",
            Self::Encoding(_) => "entry.encoding",
            Self::Signature { .. } => "entry.signature",
            Self::Sequence { .. } | Self::Previous { .. } => "chain.conflict",
            Self::OtherAccount => "entry.other_account",
            Self::CheckpointAhead { .. } | Self::CheckpointForeign { .. } => "entry.checkpoint",
            Self::Ended => "account.gone",
            Self::Opening | Self::AccountId | Self::Generation { .. } => "entry.opening",
            Self::KnownKey | Self::RecoveryKeyKnown => "device.known_key",
            Self::TooMany { .. } => "device.too_many",
            Self::RequestNumber { .. } => "entry.request",
            Self::Unconfirmed(_) => "device.unconfirmed",
            Self::OtherRequest => "confirm.other_request",
            Self::Replayed(_) => "confirm.replayed",
            Self::NotInSet(_) => "device.not_in_set",
            Self::TooNew(_) | Self::TooNewToChange(_) => "device.too_new",
            Self::LastDevice => "device.last",
            Self::NoRecoveryKey => "recovery_key.none",
            Self::ResetNever => "reset.never",
            Self::ResetOpen => "reset.open",
            Self::ResetTooSoon { .. } => "reset.too_soon",
            Self::NoNotice => "reset.no_notice",
            Self::OtherSuccessor | Self::Successor => "reset.successor",
            Self::ResetTooEarly { .. } => "reset.too_early",
            Self::WaitUnproven => "reset.wait_unproven",
        }
    }
}
