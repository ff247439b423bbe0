//! Groups, messages, key packages and the feed of a device. Every request here carries a token.
//!
//! ```text
//! POST /v1/key-packages           <- KeyPackages             -> KeyPackageCount
//! POST /v1/key-packages/claim     <- ClaimRequest            -> ClaimedKeyPackage
//! POST /v1/groups                 <- GroupCreation           -> Submitted
//! GET  /v1/groups                                            -> OwnGroups
//! GET  /v1/groups/<id>[?epoch=N]                             -> GroupState
//! POST /v1/groups/<id>/commits    <- CommitSubmission        -> Submitted
//! POST /v1/groups/<id>/messages   <- MessageSubmission       -> Submitted
//! POST /v1/groups/<id>/passing    <- PassingSubmission       -> {}
//! POST /v1/relay                  <- Relay                   -> Submitted
//! GET  /v1/feed?after=P[&limit=N]                            -> Feed
//! POST /v1/feed/ack               <- Acknowledgement         -> {}
//! GET  /v1/push?after=P           WebSocket: text frames out, each a Delivery or a Passing; text frames in, each an Acknowledgement
//! ```
//!
//! **One order.** Everything that the service takes in gets the next *position*, one counter for all. A group's commits
//! and messages are stored once, whatever the number of devices; a device's feed is what stands in its groups while it
//! has a leaf there, and what is addressed to itself, in the order of positions. It acknowledges by position.
//!
//! **Idempotent.** What is submitted is named by its hash: the same bytes again get the same answer (attack: a lost
//! answer).
//!
//! **Compare and swap.** A commit names the epoch that it starts from; one commit per epoch is taken, the others get
//! `mls.stale_epoch` with the current one. A message may be [`PAST_EPOCHS`] back, but not from before a commit that
//! took a leaf away: then it is encrypted anew, to those who are left.

use chain::id::{AccountId, DeviceId};
use serde::{Deserialize, Serialize};

use crate::bytes::Base64Url;
use crate::id::{GroupId, hex};

/// Where key packages are.
pub const KEY_PACKAGES: &str = "/v1/key-packages";
/// Where one key package of a device is claimed.
pub const CLAIM: &str = "/v1/key-packages/claim";
/// Prefix of groups; also where they are created and listed.
pub const GROUPS: &str = "/v1/groups";
/// Where devices of one account pass each other something.
pub const RELAY: &str = "/v1/relay";
/// Where a device reads what came for it.
pub const FEED: &str = "/v1/feed";
/// Where it says what it has.
pub const ACK: &str = "/v1/feed/ack";
/// Where it is told at once (RFC 6455).
pub const PUSH: &str = "/v1/push";

/// The commit or message is for another epoch; `epoch` in the problem document is the current one.
pub const STALE_EPOCH: &str = "mls.stale_epoch";
/// A leaf of the commit is not what the record says (GRP-1), or may not be changed by its committer (GRP-3, GRP-4).
pub const LEAF_NOT_IN_CHAIN: &str = "mls.leaf_not_in_chain";
/// The commit, group info or tree is not valid MLS, or they do not fit together.
pub const COMMIT_INVALID: &str = "mls.commit_invalid";
/// The group has a leaf that the record has removed: commit first (SND-2). By the newest *sealed* record, so it may come
/// a moment before the removal is published: look again then.
pub const REMOVED_LEAF: &str = "mls.removed_leaf";
/// There is no such group for this device.
pub const GROUP_UNKNOWN: &str = "group.unknown";
/// There is a group with this id already.
pub const GROUP_EXISTS: &str = "group.exists";
/// The group, or what is asked for, is larger than allowed.
pub const GROUP_FULL: &str = "group.full";
/// There is no key package of this device.
pub const NO_KEY_PACKAGE: &str = "key_package.none";

/// One-time key packages that a device keeps at the service.
pub const ONE_TIME_KEY_PACKAGES: usize = 20;
/// Most bytes of one key package.
pub const MAX_KEY_PACKAGE: usize = 8_192;
/// Most bytes of an application message.
pub const MAX_MESSAGE: usize = 65_536 + 2_048;
/// Most bytes of one commit with what belongs to it.
pub const MAX_COMMIT: usize = 4 << 20;
/// Most bytes of a relayed body: a part of the history with one message of the longest content.
pub const MAX_RELAY: usize = 65_536 + 8_192;
/// Most bytes of a word in passing.
pub const MAX_PASSING: usize = 512;
/// Most leaves of a group.
pub const MAX_LEAVES: usize = 250;
/// Most deliveries in one answer.
pub const PAGE_DELIVERIES: usize = 100;
/// How many epochs back a message may be (also kept by clients).
pub const PAST_EPOCHS: u64 = 5;
/// How long the service keeps what a device has not acknowledged, seconds.
pub const KEPT_S: u64 = 60 * 86_400;

/// Key packages (RFC 9420 §10) of the device that the token names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyPackages {
    /// Each an MLSMessage, handed out once. Added to those that are there; the newest [`ONE_TIME_KEY_PACKAGES`] are kept,
    /// and one that was handed out before is not taken again.
    pub one_time: Vec<Base64Url>,
    /// Handed out when the others are used up; replaces the one before. Marked as such (draft-ietf-mls-extensions, last_resort).
    pub last_resort: Option<Base64Url>,
}

/// How many one-time key packages of the device are left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyPackageCount {
    /// One-time ones.
    pub one_time: usize,
    /// True if there is a last resort.
    pub last_resort: bool,
}

/// Asks for one key package of a device. Limited per asker and per target (attack 38).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClaimRequest {
    /// The device's account.
    #[serde(with = "hex")]
    pub account: AccountId,
    /// The device.
    #[serde(with = "hex")]
    pub device: DeviceId,
}

/// One key package; whoever uses it checks it against the record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClaimedKeyPackage {
    /// MLSMessage with the KeyPackage.
    pub key_package: Base64Url,
}

/// A new group, with its creator's leaf alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GroupCreation {
    /// Its id.
    pub group: GroupId,
    /// MLSMessage with the GroupInfo of epoch 0, with external_pub, without the tree.
    pub group_info: Base64Url,
    /// The ratchet tree (RFC 9420 §12.4.3.3).
    pub tree: Base64Url,
}

/// A commit and everything that has to change with it, in one transaction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CommitSubmission {
    /// The epoch that it starts from.
    pub base_epoch: u64,
    /// MLSMessage: a PublicMessage with the commit.
    pub commit: Base64Url,
    /// MLSMessage with the GroupInfo of the following epoch, with external_pub, without the tree.
    pub group_info: Base64Url,
    /// MLSMessage with the Welcome; empty if nobody is added.
    pub welcome: Base64Url,
    /// The devices that the Welcome is for.
    pub welcomed: Vec<Welcomed>,
}

/// A device that a Welcome is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Welcomed {
    /// Its account.
    #[serde(with = "hex")]
    pub account: AccountId,
    /// Its id.
    #[serde(with = "hex")]
    pub device: DeviceId,
}

/// An application message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MessageSubmission {
    /// The epoch that it was encrypted in.
    pub epoch: u64,
    /// MLSMessage: a PrivateMessage.
    pub message: Base64Url,
}

/// A word for whoever of other accounts in a group is there just now. It is kept nowhere, and whoever does not listen misses it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PassingSubmission {
    /// The epoch that it was sealed in: the current one, or nobody is told.
    pub epoch: u64,
    /// At most [`MAX_PASSING`] bytes.
    pub passing: Base64Url,
}

/// Such a word as the others in the group hear it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Passing {
    /// Where.
    pub group: GroupId,
    /// The epoch that it was sealed in.
    pub epoch: u64,
    /// What was said.
    pub passing: Base64Url,
}

/// Something for one device of the same account, pending ones included. The service does not look into it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Relay {
    /// The device.
    #[serde(with = "hex")]
    pub device: DeviceId,
    /// See `protocol::relay`.
    pub body: Base64Url,
}

/// Accepted, and on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Submitted {
    /// Its position.
    pub position: u64,
    /// The group's epoch after it; 0 for what belongs to no group.
    pub epoch: u64,
}

/// One group of the asker's account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnGroup {
    /// Its id.
    pub group: GroupId,
    /// Its epoch.
    pub epoch: u64,
    /// True if this device has a leaf in it.
    pub present: bool,
    /// Position of the newest thing in it.
    pub position: u64,
}

/// All groups of the asker's account, those with the newest position first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnGroups {
    /// The groups.
    pub groups: Vec<OwnGroup>,
}

/// What a joiner needs: of the newest epoch, or, with `?epoch=N`, of an epoch that a waiting Welcome leads to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupState {
    /// The epoch.
    pub epoch: u64,
    /// Position of the newest thing in the group when this was read.
    pub position: u64,
    /// MLSMessage with the GroupInfo; empty when asked for an older epoch.
    pub group_info: Base64Url,
    /// The ratchet tree.
    pub tree: Base64Url,
}

/// What a delivery is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DeliveryKind {
    /// MLSMessage, a PublicMessage with a commit.
    Commit,
    /// MLSMessage, a PrivateMessage.
    Message,
    /// MLSMessage with a Welcome.
    Welcome,
    /// From another device of the account: the body of a [`Relay`].
    Relay,
    /// The record of an account that concerns this device has a new entry: its account id, 32 bytes.
    Record,
}

/// One thing in a device's feed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// Its place in the one order.
    pub position: u64,
    /// What it is.
    pub kind: DeliveryKind,
    /// The group, if it belongs to one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<GroupId>,
    /// The epoch that a commit starts from, a message was encrypted in, or a Welcome leads to; else 0.
    pub epoch: u64,
    /// The bytes.
    pub bytes: Base64Url,
    /// When the service took it in, seconds since 1970.
    pub at_s: u64,
    /// Who sent a relayed body, as the service says: 16 bytes, hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
}

/// A part of a device's feed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Feed {
    /// In the order of positions.
    pub deliveries: Vec<Delivery>,
    /// True if more follow.
    pub more: bool,
    /// Everything up to this position has been looked at: ask again from here.
    pub up_to: u64,
}

/// A device has everything up to a position on its disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Acknowledgement {
    /// The position.
    pub position: u64,
}
