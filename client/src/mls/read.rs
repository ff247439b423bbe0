//! What comes in a group: messages and commits.

use std::sync::Arc;

use openmls::framing::errors::{MessageDecryptionError, SecretTreeError};
use openmls::prelude::{
    CredentialWithKey, LeafNodeIndex, MlsGroup, MlsGroupStateError, MlsMessageBodyIn, OpenMlsProvider as _,
    ProcessMessageError, ProcessedMessage, ProcessedMessageContent, ProtocolMessage, Sender, StageCommitError,
    StagedCommit, ValidationError,
};
use protocol::api::delivery::PAST_EPOCHS;
use protocol::id::GroupId;
use protocol::members::{Committer, Composition, Leaf};
use thiserror::Error as ThisError;

use super::composition::{self, Leaves};
use super::provider::Provider;
use super::storage::{Room, Storage, StorageFailed};
use super::{Layout, Mls, changes, message_in, mls_id};
use crate::error::Error;

/// Something that came in a group and could be read.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "there is one of it at a time")]
pub(crate) enum Incoming {
    /// An application message; its key is used up.
    Message {
        /// The leaf that wrote it, in the message's epoch.
        from: Leaf,
        /// That epoch.
        epoch: u64,
        /// What it authenticates in the clear.
        aad: Vec<u8>,
        /// The content, as padded by its sender.
        content: Vec<u8>,
    },
    /// A commit of another device, valid MLS; nothing has changed before [`Mls::merge`].
    Commit(Box<Staged>),
    /// The own commit that is pending: [`Mls::merge_pending`].
    OwnCommit,
}

/// A commit to look at, and to merge or to drop.
pub(crate) struct Staged {
    /// The group before it.
    pub(crate) before: Arc<Composition>,
    /// The group after it.
    pub(crate) after: Composition,
    /// Who made it.
    pub(crate) committer: Committer,
    /// True if it removes this device.
    pub(crate) removes_me: bool,
    group: MlsGroup,
    commit: StagedCommit,
}

impl std::fmt::Debug for Staged {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Staged(epoch {})", self.after.epoch)
    }
}

/// Why something that came in a group cannot be read. Nothing has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ThisError)]
pub(crate) enum Unreadable {
    /// This device is not in the group, or no more.
    #[error("this device is not in the group")]
    NotIn,
    /// For an epoch that this device has no keys of, or a commit for another than the current one.
    #[error("it is of epoch {epoch}, this device is in {own}")]
    OtherEpoch {
        /// The epoch of what came.
        epoch: u64,
        /// The own epoch.
        own: u64,
    },
    /// Its key was used before: it is a repetition.
    #[error("this message was read before")]
    AlreadyRead,
    /// This device wrote it; MLS gives a sender no key to read it.
    #[error("this device wrote it")]
    OwnMessage,
    /// Not a message or commit of this group in the encoding of MLS.
    #[error("not a message of this group")]
    Malformed,
    /// It does not decrypt, or is too far off in its sender's ratchet.
    #[error("it does not decrypt")]
    Undecryptable,
    /// A signature, tag, path or proposal is wrong.
    #[error("not valid in MLS")]
    Invalid,
    /// MLS would allow it, this protocol does not: a kind of message, proposal or component.
    #[error("nothing that this protocol sends")]
    NotOurs,
}

impl Unreadable {
    /// The stable code.
    pub(crate) fn code(self) -> &'static str {
        match self {
            Self::NotIn => "mls.not_in",
            Self::OtherEpoch { .. } => "mls.other_epoch",
            Self::AlreadyRead => "mls.already_read",
            Self::OwnMessage => "mls.own_message",
            Self::Malformed => "mls.malformed",
            Self::Undecryptable => "mls.undecryptable",
            Self::Invalid => "mls.invalid",
            Self::NotOurs => "mls.not_ours",
        }
    }
}

impl Mls<'_> {
    /// Reads what came in a group.
    ///
    /// # Errors
    /// [`Error`].
    pub(crate) fn read(&self, id: &GroupId, message: &[u8]) -> Result<Result<Incoming, Unreadable>, Error> {
        let (provider, entering) = (self.groups(), self.entering());
        let is_own = |provider: &Provider<'_>| provider.storage().is_own_commit(&mls_id(id), message);
        if is_own(&entering)? || is_own(&provider)? {
            return Ok(Ok(Incoming::OwnCommit));
        }
        if !self.has(id)? {
            return Ok(Err(Unreadable::NotIn));
        }
        let message = match message_in(message) {
            Some(MlsMessageBodyIn::PublicMessage(message)) => ProtocolMessage::from(message),
            Some(MlsMessageBodyIn::PrivateMessage(message)) => ProtocolMessage::from(message),
            _ => return Ok(Err(Unreadable::Malformed)),
        };
        if *message.group_id() != mls_id(id) {
            return Ok(Err(Unreadable::Malformed));
        }
        let group = provider.load(&mls_id(id))?;
        let (epoch, own) = (message.epoch().as_u64(), group.epoch().as_u64());
        let oldest = if message.is_handshake_message() { own } else { own.saturating_sub(PAST_EPOCHS) };
        if !group.is_active() {
            return provider.keep(group).map(|()| Err(Unreadable::NotIn));
        }
        if !(oldest..=own).contains(&epoch) {
            return provider.keep(group).map(|()| Err(Unreadable::OtherEpoch { epoch, own }));
        }
        if epoch < own {
            provider.keep(group)?;
            let past = Provider::new(self.store, Room::Past(epoch), None);
            // a device that came later has nothing of it
            if !past.storage().has(&mls_id(id))? {
                return Ok(Err(Unreadable::OtherEpoch { epoch, own }));
            }
            return read_in(&past, past.load(&mls_id(id))?, message);
        }
        read_in(&provider, group, message)
    }

    /// Merges a commit that [`Mls::read`] gave in the same step, and drops what of one's own was pending (TXN-4). After
    /// one that removes this device the group is there, to be looked at and then forgotten.
    ///
    /// Refused is a commit whose tree has keys for this device that it was never given: whoever welcomed it kept them
    /// back. Nothing has changed then, and only an external commit helps.
    ///
    /// # Errors
    /// [`Error`].
    pub(crate) fn merge(&self, staged: Staged) -> Result<Result<(), Unreadable>, Error> {
        let Staged { mut group, commit, removes_me, .. } = staged;
        let provider = self.groups();
        let before = (group.epoch(), group.epoch_authenticator().as_slice().to_vec());
        self.store.db().execute_batch("SAVEPOINT merge")?;
        Storage::leave_epoch(self.store, group.group_id(), before.0.as_u64())?;
        if provider.storage().settle(group.merge_staged_commit(&provider, commit))?.is_err() {
            self.store.db().execute_batch("ROLLBACK TO merge; RELEASE merge")?;
            return Ok(Err(Unreadable::Invalid));
        }
        self.store.db().execute_batch("RELEASE merge")?;
        let same_secrets = group.epoch_authenticator().as_slice() == before.1;
        if group.epoch() == before.0 || (same_secrets && !removes_me) {
            return Err(Error::Fault("a merged commit did not move the epoch"));
        }
        self.entering().storage().erase(group.group_id())?;
        provider.storage().remove_own_commit(group.group_id())?;
        provider.keep(group)?;
        Ok(Ok(()))
    }
}

/// Reads in the group as of the message's epoch.
fn read_in(
    provider: &Provider<'_>,
    mut group: MlsGroup,
    message: ProtocolMessage,
) -> Result<Result<Incoming, Unreadable>, Error> {
    let layout = provider.layout(&group)?;
    let processed = provider.storage().settle(group.process_message(provider, message))?;
    match processed {
        Ok(processed) => sort(provider, group, &layout, processed),
        Err(error) => Ok(Err(unreadable(&error))),
    }
}

/// Gives what OpenMLS has processed its place in this protocol.
fn sort(
    provider: &Provider<'_>,
    group: MlsGroup,
    layout: &Layout,
    processed: ProcessedMessage,
) -> Result<Result<Incoming, Unreadable>, Error> {
    let sender = processed.sender().clone();
    let unresolved = match processed.content() {
        ProcessedMessageContent::UnresolvedAppDataCommit(unresolved) => {
            composition::updated(&layout.composition, unresolved.app_data_update_proposals())
        }
        _ => Ok(Vec::new()),
    };
    let Ok(components) = unresolved else { return Ok(Err(Unreadable::NotOurs)) };
    let (aad, epoch) = (processed.aad().to_vec(), processed.epoch().as_u64());
    let commit = match processed.into_content() {
        ProcessedMessageContent::ApplicationMessage(message) => {
            let Sender::Member(index) = sender else { return Ok(Err(Unreadable::Invalid)) };
            let from = layout.leaves.iter().find(|(place, _)| *place == index).ok_or(Error::Damaged)?.1;
            provider.keep(group)?;
            return Ok(Ok(Incoming::Message { from, epoch, aad, content: message.into_bytes() }));
        }
        ProcessedMessageContent::OwnPrivateMessage => return Ok(Err(Unreadable::OwnMessage)),
        ProcessedMessageContent::OwnPendingCommit => return Ok(Ok(Incoming::OwnCommit)),
        ProcessedMessageContent::StagedCommitMessage(commit) => Ok(*commit),
        ProcessedMessageContent::UnresolvedAppDataCommit(unresolved) => {
            let changes = changes(group.app_data_dictionary_updater(), components);
            provider.storage().settle(group.stage_app_data_commit(provider, *unresolved, changes))?
        }
        _ => return Ok(Err(Unreadable::NotOurs)),
    };
    let Ok(commit) = commit else { return Ok(Err(Unreadable::Invalid)) };
    Ok(staged(group, layout, commit, &sender).map(|staged| Incoming::Commit(Box::new(staged))))
}

fn staged(group: MlsGroup, layout: &Layout, commit: StagedCommit, sender: &Sender) -> Result<Staged, Unreadable> {
    let (committer, index) = committer(&layout.leaves, &commit, sender).ok_or(Unreadable::NotOurs)?;
    let leaves = composition::leaves_after(&layout.leaves, &commit, index).map_err(|_| Unreadable::NotOurs)?;
    let after = composition::composition(commit.group_context(), leaves).map_err(|_| Unreadable::NotOurs)?;
    let before = layout.composition.clone();
    Ok(Staged { before, after, committer, removes_me: commit.self_removed(), group, commit })
}

fn committer(leaves: &Leaves, commit: &StagedCommit, sender: &Sender) -> Option<(Committer, Option<LeafNodeIndex>)> {
    match sender {
        Sender::Member(index) => {
            let (_, leaf) = leaves.iter().find(|(place, _)| place == index)?;
            Some((Committer::Member(*leaf), Some(*index)))
        }
        Sender::NewMemberCommit => {
            let node = commit.update_path_leaf_node()?;
            Some((Committer::External(composition::leaf(&CredentialWithKey::from(node)).ok()?), None))
        }
        Sender::External(_) | Sender::NewMemberProposal => None,
    }
}

fn unreadable(error: &ProcessMessageError<StorageFailed>) -> Unreadable {
    match error {
        ProcessMessageError::GroupStateError(MlsGroupStateError::UseAfterEviction) => Unreadable::NotIn,
        ProcessMessageError::ValidationError(ValidationError::UnableToDecrypt(
            MessageDecryptionError::SecretTreeError(SecretTreeError::SecretReuseError),
        )) => Unreadable::AlreadyRead,
        ProcessMessageError::ValidationError(ValidationError::UnableToDecrypt(_)) => Unreadable::Undecryptable,
        ProcessMessageError::InvalidCommit(StageCommitError::OwnCommitMismatch) => Unreadable::Invalid,
        ProcessMessageError::IncompatibleWireFormat => Unreadable::NotOurs,
        _ => Unreadable::Invalid,
    }
}
