//! How a request is refused, before it becomes a status and a document.

use chain::audit::BlockBroken;
use chain::encoding::DecodeError;
use protocol::api::{accounts, blobs, delivery, reports};
use protocol::members::MembersBroken;
use protocol::refusal as code;
use protocol::refusal::{Problem, status_of};

use crate::error::Stopped;
use crate::groups::GroupBroken;

/// Why a request is refused.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    /// A rule of the chain.
    #[error(transparent)]
    Rule(#[from] BlockBroken),
    /// The same head was continued by an entry that was first.
    #[error("another entry was first; read the account and sign again if it is still wanted")]
    Conflict,
    /// A handle that is none, or has no proof.
    #[error(transparent)]
    Handle(#[from] chain::handle::HandleError),
    /// More than the limits allow.
    #[error("too many {what}; try again in {retry_after_s} seconds")]
    RateLimited {
        /// Of what.
        what: &'static str,
        /// When to come back, in seconds.
        retry_after_s: u64,
    },
    /// The queue is full.
    #[error("too many entries wait to be sealed")]
    Busy,
    /// No block yet, or no quorum yet.
    #[error("the record has no cosigned checkpoint yet: witnesses are still missing")]
    Starting,
    /// The service ends.
    #[error("the service is ending")]
    Stopping,
    /// The disk is nearly full.
    #[error("less than a tenth of the disk is free")]
    StoreFull,
    /// A kind that only the service makes.
    #[error("an entry of this kind is made by the service only")]
    NotProposable,
    /// The body is too large.
    #[error("the body is larger than allowed here")]
    TooLarge,
    /// Not of the interface's form.
    #[error("{what} is malformed")]
    Malformed {
        /// What.
        what: &'static str,
    },
    /// A path that is there, asked in another way than it answers to.
    #[error("this address does not take requests of this kind")]
    Method,
    /// Nothing there.
    #[error("there is nothing at this address")]
    NotFound,
    /// Wrong password, or no such name, or no such log-in.
    #[error("name and password do not fit")]
    Login,
    /// A new device without a log-in.
    #[error("this account takes new devices with a fresh log-in only")]
    NoPermit,
    /// No token, or one that has ended.
    #[error("the token is missing or has ended; ask for another")]
    NoToken,
    /// A token request that does not hold.
    #[error("the signature or the challenge does not hold")]
    TokenRefused,
    /// Two copies of one device are in use.
    #[error("a copy of this device is in use: neither gets in any more")]
    Cloned,
    /// A pending device asks for what only confirmed ones get.
    #[error("this device waits for its confirmation on one of the account's other devices")]
    Unconfirmed,
    /// The account does not have this device any more.
    #[error("this device is not, or no longer, one of the account's devices")]
    Removed,
    /// Not a valid group, commit, message or key package.
    #[error(transparent)]
    Group(#[from] GroupBroken),
    /// Leaves that the record does not allow.
    #[error(transparent)]
    Members(#[from] MembersBroken),
    /// Another commit was first, or the message is too old.
    #[error("the group is at epoch {epoch}")]
    StaleEpoch {
        /// The current one.
        epoch: u64,
    },
    /// SND-2.
    #[error("the group has a device that the record has removed; commit first")]
    RemovedLeaf,
    /// No such group for this device.
    #[error("there is no such group for this device")]
    GroupUnknown,
    /// Somebody else's group has this id.
    #[error("there is a group with this id already")]
    GroupExists,
    /// No key package of this device.
    #[error("there is no key package of this device")]
    NoKeyPackage,
    /// No blob, none that is whole, or none any more.
    #[error("the service does not have this file, or not any more")]
    BlobGone,
    /// Another blob has this id.
    #[error("there is another file by this id already")]
    BlobExists,
    /// Not where the service is.
    #[error("this part does not begin where the one before it has ended")]
    BlobOffset,
    /// Larger than any blob.
    #[error("a file has up to 2 GiB")]
    BlobTooLarge,
    /// As much as an account may keep.
    #[error("your account has as many files at the service as it may; older ones go by themselves")]
    BlobQuota,
    /// Somebody reports his own account.
    #[error("nobody reports himself")]
    ReportOwn,
    /// The store fails; the service is ending.
    #[error("the store fails")]
    Broken(#[from] Stopped),
}

/// ENT-1.
impl From<DecodeError> for Refusal {
    fn from(error: DecodeError) -> Self {
        Self::Rule(BlockBroken::Entry { index: 0, reason: error.into() })
    }
}

impl From<rusqlite::Error> for Refusal {
    fn from(error: rusqlite::Error) -> Self {
        Self::Broken(error.into())
    }
}

impl Refusal {
    /// The stable code.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::Rule(broken) => broken.code(),
            Self::Handle(error) => error.code(),
            Self::Conflict => code::CONFLICT,
            Self::RateLimited { .. } => code::RATE_LIMITED,
            Self::Busy => code::BUSY,
            Self::Starting => code::STARTING,
            Self::Stopping => code::STOPPING,
            Self::StoreFull => code::STORE_FULL,
            Self::NotProposable => code::NOT_PROPOSABLE,
            Self::TooLarge => code::TOO_LARGE,
            Self::Malformed { .. } => code::MALFORMED,
            Self::NotFound => code::NOT_FOUND,
            Self::Method => code::METHOD,
            Self::Login => accounts::LOGIN_REFUSED,
            Self::NoPermit => accounts::PERMIT_INVALID,
            Self::NoToken => accounts::TOKEN_INVALID,
            Self::TokenRefused => accounts::TOKEN_REFUSED,
            Self::Cloned => accounts::DEVICE_CLONED,
            Self::Unconfirmed => accounts::DEVICE_UNCONFIRMED,
            Self::Removed => accounts::DEVICE_REMOVED,
            Self::Group(broken) => broken.code(),
            Self::Members(broken) => broken.code(),
            Self::StaleEpoch { .. } => delivery::STALE_EPOCH,
            Self::RemovedLeaf => delivery::REMOVED_LEAF,
            Self::GroupUnknown => delivery::GROUP_UNKNOWN,
            Self::GroupExists => delivery::GROUP_EXISTS,
            Self::NoKeyPackage => delivery::NO_KEY_PACKAGE,
            Self::BlobGone => blobs::BLOB_GONE,
            Self::BlobExists => blobs::BLOB_EXISTS,
            Self::BlobOffset => blobs::BLOB_OFFSET,
            Self::BlobTooLarge => blobs::BLOB_TOO_LARGE,
            Self::BlobQuota => blobs::BLOB_QUOTA,
            Self::ReportOwn => reports::REPORT_OWN,
            Self::Broken(stopped) => stopped.code(),
        }
    }

    /// The document that says it.
    pub(crate) fn problem(&self) -> Problem {
        let code = self.code();
        let (status, kind) = status_of(code);
        let retry_after_s = match self {
            Self::RateLimited { retry_after_s, .. } => Some(*retry_after_s),
            Self::Busy | Self::Starting | Self::Members(MembersBroken::Unavailable { .. }) => Some(1),
            _ => None,
        };
        let detail = match self {
            // "entry 0: " says nothing to somebody who sent one entry
            Self::Rule(BlockBroken::Entry { reason, .. }) => reason.to_string(),
            Self::Rule(BlockBroken::Handle { reason, .. }) => reason.to_string(),
            other => other.to_string(),
        };
        let epoch = match self {
            Self::StaleEpoch { epoch } => Some(*epoch),
            _ => None,
        };
        Problem { problem_type: "about:blank".into(), status, code: code.into(), kind, detail, retry_after_s, epoch }
    }
}
