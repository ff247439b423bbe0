//! What OpenMLS keeps, in the store: sealed, and in the transaction of the step (TXN-2).
//!
//! A value's key is SHA-256 of the group's id, one byte for its kind, and a hash of what else names it: so everything of
//! a group stands behind one prefix, and can be erased or moved whatever the library has left there.

use std::cell::RefCell;

use chain::id::Digest;
use openmls_traits::storage::{CURRENT_VERSION, StorageProvider, traits};
use serde::Serialize;
use serde::de::DeserializeOwned;
use thiserror::Error;

use crate::error::Error;
use crate::store::Store;

/// Where the groups are that this device is in.
pub(super) const GROUPS: &str = "mls";
/// Where the groups are that this device has sent an external commit to: they count when it is accepted.
pub(super) const ENTERING: &str = "mls.entering";
/// Where key packages are.
const KEY_PACKAGES: &str = "mls.key_packages";

/// Where the hashes of Welcomes and of references to key packages are that were used.
const USED: &str = "mls.used";

/// Kinds of values; never renumbered.
mod kind {
    pub(super) const JOIN_CONFIG: u8 = 1;
    pub(super) const TREE: u8 = 2;
    pub(super) const INTERIM_TRANSCRIPT_HASH: u8 = 3;
    pub(super) const CONTEXT: u8 = 4;
    pub(super) const CONFIRMATION_TAG: u8 = 5;
    pub(super) const GROUP_STATE: u8 = 6;
    pub(super) const MESSAGE_SECRETS: u8 = 7;
    pub(super) const RESUMPTION_SECRETS: u8 = 8;
    pub(super) const OWN_LEAF_INDEX: u8 = 9;
    pub(super) const EPOCH_SECRETS: u8 = 10;
    pub(super) const EXPORT_TREE: u8 = 11;
    pub(super) const EPOCH_KEYS: u8 = 12;
    /// Not of OpenMLS: the hash of the own commit that waits for the service's answer.
    pub(super) const OWN_COMMIT: u8 = 13;
}

/// The store failed; why is in [`Storage::settle`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the store failed")]
pub(super) struct StorageFailed;

/// The storage of OpenMLS over one space of the store.
pub(super) struct Storage<'a> {
    store: Store<'a>,
    space: &'static str,
    failed: RefCell<Option<Error>>,
}

impl<'a> Storage<'a> {
    pub(super) fn new(store: Store<'a>, space: &'static str) -> Self {
        Self { store, space, failed: RefCell::new(None) }
    }

    /// Separates the store's failures from everything else that a call of OpenMLS can answer, because the library
    /// wraps, and sometimes swallows, what its storage says.
    pub(super) fn settle<T>(&self, result: T) -> Result<T, Error> {
        match self.failed.take() {
            Some(error) => Err(error),
            None => Ok(result),
        }
    }

    /// True if there is a group.
    pub(super) fn has(&self, group: &impl Serialize) -> Result<bool, Error> {
        Ok(self.store.bytes(self.space, &group_key(group, kind::OWN_LEAF_INDEX)?)?.is_some())
    }

    /// Erases everything of a group.
    pub(super) fn erase(&self, group: &impl Serialize) -> Result<(), Error> {
        self.keys_of(group)?.iter().try_for_each(|key| self.store.remove(self.space, key))
    }

    /// Takes over everything of a group from another space, in place of what is here.
    pub(super) fn replace_from(&self, other: &Self, group: &impl Serialize) -> Result<(), Error> {
        self.erase(group)?;
        for key in other.keys_of(group)? {
            let value = self.store.bytes(other.space, &key)?.ok_or(Error::Damaged)?;
            self.store.put_bytes(self.space, &key, &value)?;
            self.store.remove(other.space, &key)?;
        }
        Ok(())
    }

    /// Remembers the own commit that waits for an answer.
    pub(super) fn put_own_commit(&self, group: &impl Serialize, commit: &[u8]) -> Result<(), Error> {
        self.store.put_bytes(self.space, &group_key(group, kind::OWN_COMMIT)?, &Digest::sha256(commit).0)
    }

    /// True if these bytes are the own commit that waits for an answer.
    pub(super) fn is_own_commit(&self, group: &impl Serialize, commit: &[u8]) -> Result<bool, Error> {
        let own = self.store.bytes(self.space, &group_key(group, kind::OWN_COMMIT)?)?;
        Ok(own.is_some_and(|own| own == Digest::sha256(commit).0))
    }

    /// Forgets it.
    pub(super) fn remove_own_commit(&self, group: &impl Serialize) -> Result<(), Error> {
        self.store.remove(self.space, &group_key(group, kind::OWN_COMMIT)?)
    }

    /// Removes a key package with its private keys.
    pub(super) fn remove_key_package(&self, reference: &impl Serialize) -> Result<(), Error> {
        self.store.remove(KEY_PACKAGES, &hash_of(reference)?)
    }

    /// True if there is such a key package.
    pub(super) fn has_key_package(&self, reference: &impl Serialize) -> Result<bool, Error> {
        Ok(self.store.bytes(KEY_PACKAGES, &hash_of(reference)?)?.is_some())
    }

    /// Remembers that something can be used no more.
    pub(super) fn put_used(&self, bytes: &[u8]) -> Result<(), Error> {
        self.store.put_bytes(USED, &Digest::sha256(bytes).0, &[])
    }

    /// True if it was used.
    pub(super) fn is_used(&self, bytes: &[u8]) -> Result<bool, Error> {
        Ok(self.store.bytes(USED, &Digest::sha256(bytes).0)?.is_some())
    }

    fn keys_of(&self, group: &impl Serialize) -> Result<Vec<Vec<u8>>, Error> {
        let prefix = hash_of(group)?;
        let mut keys = self.store.keys(self.space)?;
        keys.retain(|key| key.starts_with(&prefix));
        Ok(keys)
    }

    fn record<T>(&self, result: Result<T, Error>) -> Result<T, StorageFailed> {
        result.map_err(|error| {
            self.failed.replace(Some(error));
            StorageFailed
        })
    }

    fn write(&self, key: Result<Vec<u8>, Error>, value: &impl Serialize) -> Result<(), StorageFailed> {
        self.record(key.and_then(|key| self.store.put_bytes(self.space, &key, &encode(value)?)))
    }

    fn read<T: DeserializeOwned>(&self, key: Result<Vec<u8>, Error>) -> Result<Option<T>, StorageFailed> {
        let bytes = key.and_then(|key| self.store.bytes(self.space, &key));
        self.record(bytes.and_then(|bytes| bytes.map(|bytes| decode(&bytes)).transpose()))
    }

    fn delete(&self, key: Result<Vec<u8>, Error>) -> Result<(), StorageFailed> {
        self.record(key.and_then(|key| self.store.remove(self.space, &key)))
    }

    /// For the parts of MLS that this program does not use: standing proposals, updates, external PSKs, stored
    /// signature keys.
    fn unused<T>(&self) -> Result<T, StorageFailed> {
        self.record(Err(Error::Mls("a part of MLS that is not in use was asked for")))
    }
}

fn encode(value: &impl Serialize) -> Result<Vec<u8>, Error> {
    serde_json::to_vec(value).map_err(|_| Error::Mls("a value of OpenMLS has no encoding"))
}

fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Error> {
    serde_json::from_slice(bytes).map_err(|_| Error::Damaged)
}

fn hash_of(name: &impl Serialize) -> Result<Vec<u8>, Error> {
    Ok(Digest::sha256(&encode(name)?).0.to_vec())
}

fn group_key(group: &impl Serialize, kind: u8) -> Result<Vec<u8>, Error> {
    let mut key = hash_of(group)?;
    key.push(kind);
    Ok(key)
}

fn epoch_keys_key<G: Serialize, E: Serialize>(group: &G, epoch: &E, leaf_index: u32) -> Result<Vec<u8>, Error> {
    let mut key = group_key(group, kind::EPOCH_KEYS)?;
    key.extend(hash_of(&(epoch, leaf_index))?);
    Ok(key)
}

/// Writing, reading and deleting of a value that a group has once. The order of the type parameters is the trait's.
macro_rules! group_value {
    ($kind:ident, $entity:ident, $write:ident <$($order:ident),*>, $read:ident, $delete:ident) => {
        fn $write<$($order: traits::$order<CURRENT_VERSION>),*>(
            &self,
            group: &GroupId,
            value: &$entity,
        ) -> Result<(), StorageFailed> {
            self.write(group_key(group, kind::$kind), value)
        }

        fn $read<$($order: traits::$order<CURRENT_VERSION>),*>(
            &self,
            group: &GroupId,
        ) -> Result<Option<$entity>, StorageFailed> {
            self.read(group_key(group, kind::$kind))
        }

        group_value!(@delete $kind, $delete);
    };
    (@delete EXPORT_TREE, $delete:ident) => {
        fn $delete<
            GroupId: traits::GroupId<CURRENT_VERSION>,
            ApplicationExportTree: traits::ApplicationExportTree<CURRENT_VERSION>,
        >(
            &self,
            group: &GroupId,
        ) -> Result<(), StorageFailed> {
            self.delete(group_key(group, kind::EXPORT_TREE))
        }
    };
    (@delete $kind:ident, $delete:ident) => {
        fn $delete<GroupId: traits::GroupId<CURRENT_VERSION>>(&self, group: &GroupId) -> Result<(), StorageFailed> {
            self.delete(group_key(group, kind::$kind))
        }
    };
}

impl StorageProvider<CURRENT_VERSION> for Storage<'_> {
    type Error = StorageFailed;

    group_value!(JOIN_CONFIG, MlsGroupJoinConfig, write_mls_join_config<GroupId, MlsGroupJoinConfig>,
        mls_group_join_config, delete_group_config);
    group_value!(TREE, TreeSync, write_tree<GroupId, TreeSync>, tree, delete_tree);
    group_value!(INTERIM_TRANSCRIPT_HASH, InterimTranscriptHash,
        write_interim_transcript_hash<GroupId, InterimTranscriptHash>,
        interim_transcript_hash, delete_interim_transcript_hash);
    group_value!(CONTEXT, GroupContext, write_context<GroupId, GroupContext>, group_context, delete_context);
    group_value!(CONFIRMATION_TAG, ConfirmationTag, write_confirmation_tag<GroupId, ConfirmationTag>,
        confirmation_tag, delete_confirmation_tag);
    group_value!(GROUP_STATE, GroupState, write_group_state<GroupState, GroupId>, group_state, delete_group_state);
    group_value!(MESSAGE_SECRETS, MessageSecrets, write_message_secrets<GroupId, MessageSecrets>,
        message_secrets, delete_message_secrets);
    group_value!(RESUMPTION_SECRETS, ResumptionPskStore, write_resumption_psk_store<GroupId, ResumptionPskStore>,
        resumption_psk_store, delete_all_resumption_psk_secrets);
    group_value!(OWN_LEAF_INDEX, LeafNodeIndex, write_own_leaf_index<GroupId, LeafNodeIndex>,
        own_leaf_index, delete_own_leaf_index);
    group_value!(EPOCH_SECRETS, GroupEpochSecrets, write_group_epoch_secrets<GroupId, GroupEpochSecrets>,
        group_epoch_secrets, delete_group_epoch_secrets);
    group_value!(EXPORT_TREE, ApplicationExportTree, write_application_export_tree<GroupId, ApplicationExportTree>,
        application_export_tree, delete_application_export_tree);

    fn write_encryption_epoch_key_pairs<
        GroupId: traits::GroupId<CURRENT_VERSION>,
        EpochKey: traits::EpochKey<CURRENT_VERSION>,
        HpkeKeyPair: traits::HpkeKeyPair<CURRENT_VERSION>,
    >(
        &self,
        group: &GroupId,
        epoch: &EpochKey,
        leaf_index: u32,
        key_pairs: &[HpkeKeyPair],
    ) -> Result<(), StorageFailed> {
        self.write(epoch_keys_key(group, epoch, leaf_index), &key_pairs)
    }

    fn encryption_epoch_key_pairs<
        GroupId: traits::GroupId<CURRENT_VERSION>,
        EpochKey: traits::EpochKey<CURRENT_VERSION>,
        HpkeKeyPair: traits::HpkeKeyPair<CURRENT_VERSION>,
    >(
        &self,
        group: &GroupId,
        epoch: &EpochKey,
        leaf_index: u32,
    ) -> Result<Vec<HpkeKeyPair>, StorageFailed> {
        Ok(self.read(epoch_keys_key(group, epoch, leaf_index))?.unwrap_or_default())
    }

    fn delete_encryption_epoch_key_pairs<
        GroupId: traits::GroupId<CURRENT_VERSION>,
        EpochKey: traits::EpochKey<CURRENT_VERSION>,
    >(
        &self,
        group: &GroupId,
        epoch: &EpochKey,
        leaf_index: u32,
    ) -> Result<(), StorageFailed> {
        self.delete(epoch_keys_key(group, epoch, leaf_index))
    }

    fn write_key_package<
        HashReference: traits::HashReference<CURRENT_VERSION>,
        KeyPackage: traits::KeyPackage<CURRENT_VERSION>,
    >(
        &self,
        reference: &HashReference,
        key_package: &KeyPackage,
    ) -> Result<(), StorageFailed> {
        let write = || self.store.put_bytes(KEY_PACKAGES, &hash_of(reference)?, &encode(key_package)?);
        self.record(write())
    }

    fn key_package<
        HashReference: traits::HashReference<CURRENT_VERSION>,
        KeyPackage: traits::KeyPackage<CURRENT_VERSION>,
    >(
        &self,
        reference: &HashReference,
    ) -> Result<Option<KeyPackage>, StorageFailed> {
        let read = || self.store.bytes(KEY_PACKAGES, &hash_of(reference)?);
        self.record(read().and_then(|bytes| bytes.map(|bytes| decode(&bytes)).transpose()))
    }

    /// Does nothing: OpenMLS deletes a key package before it knows whether the Welcome is good, and then a bad one
    /// would use it up. `Mls::accept` deletes it.
    fn delete_key_package<KeyPackageRef: traits::HashReference<CURRENT_VERSION>>(
        &self,
        _: &KeyPackageRef,
    ) -> Result<(), StorageFailed> {
        Ok(())
    }

    // Standing proposals and updates are refused before they get here; of them there is never one.

    fn append_own_leaf_node<GroupId: traits::GroupId<CURRENT_VERSION>, LeafNode: traits::LeafNode<CURRENT_VERSION>>(
        &self,
        _: &GroupId,
        _: &LeafNode,
    ) -> Result<(), StorageFailed> {
        self.unused()
    }

    fn own_leaf_nodes<GroupId: traits::GroupId<CURRENT_VERSION>, LeafNode: traits::LeafNode<CURRENT_VERSION>>(
        &self,
        _: &GroupId,
    ) -> Result<Vec<LeafNode>, StorageFailed> {
        Ok(Vec::new())
    }

    fn delete_own_leaf_nodes<GroupId: traits::GroupId<CURRENT_VERSION>>(
        &self,
        _: &GroupId,
    ) -> Result<(), StorageFailed> {
        Ok(())
    }

    fn queue_proposal<
        GroupId: traits::GroupId<CURRENT_VERSION>,
        ProposalRef: traits::ProposalRef<CURRENT_VERSION>,
        QueuedProposal: traits::QueuedProposal<CURRENT_VERSION>,
    >(
        &self,
        _: &GroupId,
        _: &ProposalRef,
        _: &QueuedProposal,
    ) -> Result<(), StorageFailed> {
        self.unused()
    }

    fn queued_proposal_refs<
        GroupId: traits::GroupId<CURRENT_VERSION>,
        ProposalRef: traits::ProposalRef<CURRENT_VERSION>,
    >(
        &self,
        _: &GroupId,
    ) -> Result<Vec<ProposalRef>, StorageFailed> {
        Ok(Vec::new())
    }

    fn queued_proposals<
        GroupId: traits::GroupId<CURRENT_VERSION>,
        ProposalRef: traits::ProposalRef<CURRENT_VERSION>,
        QueuedProposal: traits::QueuedProposal<CURRENT_VERSION>,
    >(
        &self,
        _: &GroupId,
    ) -> Result<Vec<(ProposalRef, QueuedProposal)>, StorageFailed> {
        Ok(Vec::new())
    }

    fn remove_proposal<GroupId: traits::GroupId<CURRENT_VERSION>, ProposalRef: traits::ProposalRef<CURRENT_VERSION>>(
        &self,
        _: &GroupId,
        _: &ProposalRef,
    ) -> Result<(), StorageFailed> {
        Ok(())
    }

    fn clear_proposal_queue<
        GroupId: traits::GroupId<CURRENT_VERSION>,
        ProposalRef: traits::ProposalRef<CURRENT_VERSION>,
    >(
        &self,
        _: &GroupId,
    ) -> Result<(), StorageFailed> {
        Ok(())
    }

    // Keys of leaf nodes proposed by Update, of external PSKs, and for signatures: none is kept here.

    fn write_encryption_key_pair<
        EncryptionKey: traits::EncryptionKey<CURRENT_VERSION>,
        HpkeKeyPair: traits::HpkeKeyPair<CURRENT_VERSION>,
    >(
        &self,
        _: &EncryptionKey,
        _: &HpkeKeyPair,
    ) -> Result<(), StorageFailed> {
        self.unused()
    }

    fn encryption_key_pair<
        HpkeKeyPair: traits::HpkeKeyPair<CURRENT_VERSION>,
        EncryptionKey: traits::EncryptionKey<CURRENT_VERSION>,
    >(
        &self,
        _: &EncryptionKey,
    ) -> Result<Option<HpkeKeyPair>, StorageFailed> {
        Ok(None)
    }

    fn delete_encryption_key_pair<EncryptionKey: traits::EncryptionKey<CURRENT_VERSION>>(
        &self,
        _: &EncryptionKey,
    ) -> Result<(), StorageFailed> {
        Ok(())
    }

    fn write_psk<PskId: traits::PskId<CURRENT_VERSION>, PskBundle: traits::PskBundle<CURRENT_VERSION>>(
        &self,
        _: &PskId,
        _: &PskBundle,
    ) -> Result<(), StorageFailed> {
        self.unused()
    }

    fn psk<PskBundle: traits::PskBundle<CURRENT_VERSION>, PskId: traits::PskId<CURRENT_VERSION>>(
        &self,
        _: &PskId,
    ) -> Result<Option<PskBundle>, StorageFailed> {
        Ok(None)
    }

    fn delete_psk<PskKey: traits::PskId<CURRENT_VERSION>>(&self, _: &PskKey) -> Result<(), StorageFailed> {
        Ok(())
    }

    fn write_signature_key_pair<
        SignaturePublicKey: traits::SignaturePublicKey<CURRENT_VERSION>,
        SignatureKeyPair: traits::SignatureKeyPair<CURRENT_VERSION>,
    >(
        &self,
        _: &SignaturePublicKey,
        _: &SignatureKeyPair,
    ) -> Result<(), StorageFailed> {
        self.unused()
    }

    fn signature_key_pair<
        SignaturePublicKey: traits::SignaturePublicKey<CURRENT_VERSION>,
        SignatureKeyPair: traits::SignatureKeyPair<CURRENT_VERSION>,
    >(
        &self,
        _: &SignaturePublicKey,
    ) -> Result<Option<SignatureKeyPair>, StorageFailed> {
        Ok(None)
    }

    fn delete_signature_key_pair<SignaturePublicKey: traits::SignaturePublicKey<CURRENT_VERSION>>(
        &self,
        _: &SignaturePublicKey,
    ) -> Result<(), StorageFailed> {
        Ok(())
    }
}
