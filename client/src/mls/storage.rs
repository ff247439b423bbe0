//! What OpenMLS keeps, in the store: sealed, and in the transaction of the step (TXN-2).
//!
//! A value's key is SHA-256 of the group's id, one byte for its kind, and a hash of what else names it: so everything of
//! a group stands behind one prefix, and can be erased or moved whatever the library has left there.
//!
//! **Past epochs.** OpenMLS would keep the secrets and all leaves of past epochs in the value that it rewrites with every
//! message: 2.5 MB at 100 leaves, measured. So it is told to keep none, and before a commit is merged what reading a late
//! message needs (tree, context, message secrets) is copied to a room of the epoch, and dropped five epochs later. The
//! secrets that lead from one epoch to the next are not copied.

use std::cell::RefCell;

use chain::id::Digest;
use openmls_traits::storage::{CURRENT_VERSION, StorageProvider, traits};
use protocol::api::delivery::PAST_EPOCHS;
use serde::Serialize;
use serde::de::DeserializeOwned;
use thiserror::Error;

use super::loaded::Stamp;
use crate::error::Error;
use crate::store::Store;

/// A part of the store that OpenMLS is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Room {
    /// The groups that this device is in.
    Groups,
    /// Groups that this device has sent an external commit to: they count when it is accepted.
    Entering,
    /// What is left of a past epoch, and for the rest the group as it is.
    Past(u64),
}

impl Room {
    fn space(self) -> &'static str {
        match self {
            Self::Groups => "mls",
            Self::Entering => "mls.entering",
            Self::Past(_) => "mls.past",
        }
    }
}

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
    /// Not of OpenMLS: names the state of the group, as long as nothing is written; see `loaded`.
    pub(super) const STAMP: u8 = 14;
}

/// What a late message is read with.
const OF_AN_EPOCH: [u8; 6] = [
    kind::TREE,
    kind::INTERIM_TRANSCRIPT_HASH,
    kind::CONTEXT,
    kind::CONFIRMATION_TAG,
    kind::MESSAGE_SECRETS,
    kind::OWN_LEAF_INDEX,
];

/// The store failed; why is in [`Storage::settle`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the store failed")]
pub(super) struct StorageFailed;

/// Where a value is.
struct Place {
    space: &'static str,
    key: Vec<u8>,
}

/// The storage of OpenMLS over one room of the store.
pub(super) struct Storage<'a> {
    store: Store<'a>,
    room: Room,
    failed: RefCell<Option<Error>>,
}

impl<'a> Storage<'a> {
    pub(super) fn new(store: Store<'a>, room: Room) -> Self {
        Self { store, room, failed: RefCell::new(None) }
    }

    /// Which part of the store it is.
    pub(super) fn room(&self) -> Room {
        self.room
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
        Ok(self.get(&self.place(group, kind::OWN_LEAF_INDEX)?)?.is_some())
    }

    /// Erases everything of a group in this room.
    pub(super) fn erase(&self, group: &impl Serialize) -> Result<(), Error> {
        let prefix = self.prefix(group)?;
        let keys = self.store.keys(self.room.space())?;
        let mut keys = keys.iter().filter(|key| key.starts_with(&prefix));
        keys.try_for_each(|key| self.store.remove(self.room.space(), key))
    }

    /// Erases everything of a group in all rooms.
    pub(super) fn erase_everywhere(store: Store<'_>, group: &impl Serialize) -> Result<(), Error> {
        let prefix = hash_of(group)?;
        for space in [Room::Groups, Room::Entering, Room::Past(0)].map(Room::space) {
            let keys = store.keys(space)?;
            keys.iter().filter(|key| key.starts_with(&prefix)).try_for_each(|key| store.remove(space, key))?;
        }
        Ok(())
    }

    /// Makes the group that this device is entering the one that it is in.
    pub(super) fn enter(store: Store<'_>, group: &impl Serialize) -> Result<(), Error> {
        let prefix = hash_of(group)?;
        let mut entering = Vec::new();
        for key in store.keys(Room::Entering.space())? {
            if key.starts_with(&prefix) {
                let value = store.bytes(Room::Entering.space(), &key)?.ok_or(Error::Damaged)?;
                entering.push((key, value));
            }
        }
        Self::erase_everywhere(store, group)?;
        entering.iter().try_for_each(|(key, value)| store.put_bytes(Room::Groups.space(), key, value))
    }

    /// Copies what late messages of the current epoch are read with, and erases an epoch that is too old for them.
    pub(super) fn leave_epoch(store: Store<'a>, group: &impl Serialize, epoch: u64) -> Result<(), Error> {
        let (from, to) = (Self::new(store, Room::Groups), Self::new(store, Room::Past(epoch)));
        for kind in OF_AN_EPOCH {
            if let Some(value) = from.get(&from.place(group, kind)?)? {
                let place = to.place(group, kind)?;
                store.put_bytes(place.space, &place.key, &value)?;
            }
        }
        let Some(old) = epoch.checked_sub(PAST_EPOCHS) else { return Ok(()) };
        let old = Self::new(store, Room::Past(old));
        OF_AN_EPOCH.iter().try_for_each(|kind| {
            let place = old.place(group, *kind)?;
            store.remove(place.space, &place.key)
        })
    }

    /// The stamp of the state of a group that this device is in; none in other rooms, and after a change.
    pub(super) fn stamp(&self, group: &impl Serialize) -> Result<Option<Stamp>, Error> {
        if self.room != Room::Groups {
            return Ok(None);
        }
        let stamp = self.get(&self.place(group, kind::STAMP)?)?;
        stamp.map(|stamp| stamp.try_into().map_err(|_| Error::Damaged)).transpose()
    }

    /// Gives the state of a group a stamp.
    pub(super) fn put_stamp(&self, group: &impl Serialize, stamp: &Stamp) -> Result<(), Error> {
        let place = self.place(group, kind::STAMP)?;
        self.store.put_bytes(place.space, &place.key, stamp)
    }

    /// The state of a group is about to be another one.
    fn note_change(&self, place: &Place) -> Result<(), Error> {
        if place.space != Room::Groups.space() {
            return Ok(());
        }
        let mut stamp = place.key.get(..32).ok_or(Error::Damaged)?.to_vec();
        stamp.push(kind::STAMP);
        self.store.remove(place.space, &stamp)
    }

    /// Remembers the own commit that waits for an answer.
    pub(super) fn put_own_commit(&self, group: &impl Serialize, commit: &[u8]) -> Result<(), Error> {
        let place = self.place(group, kind::OWN_COMMIT)?;
        self.store.put_bytes(place.space, &place.key, &Digest::sha256(commit).0)
    }

    /// True if these bytes are the own commit that waits for an answer.
    pub(super) fn is_own_commit(&self, group: &impl Serialize, commit: &[u8]) -> Result<bool, Error> {
        let own = self.get(&self.place(group, kind::OWN_COMMIT)?)?;
        Ok(own.is_some_and(|own| own == Digest::sha256(commit).0))
    }

    /// Forgets it.
    pub(super) fn remove_own_commit(&self, group: &impl Serialize) -> Result<(), Error> {
        let place = self.place(group, kind::OWN_COMMIT)?;
        self.store.remove(place.space, &place.key)
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

    /// What the keys of a group in this room start with.
    fn prefix(&self, group: &impl Serialize) -> Result<Vec<u8>, Error> {
        let mut prefix = hash_of(group)?;
        if let Room::Past(epoch) = self.room {
            prefix.extend(epoch.to_be_bytes());
        }
        Ok(prefix)
    }

    fn place(&self, group: &impl Serialize, kind: u8) -> Result<Place, Error> {
        let (space, mut key) = match self.room {
            Room::Past(_) if !OF_AN_EPOCH.contains(&kind) => (Room::Groups.space(), hash_of(group)?),
            room => (room.space(), self.prefix(group)?),
        };
        key.push(kind);
        Ok(Place { space, key })
    }

    fn epoch_keys(&self, group: &impl Serialize, epoch: &impl Serialize, leaf_index: u32) -> Result<Place, Error> {
        let mut place = self.place(group, kind::EPOCH_KEYS)?;
        place.key.extend(hash_of(&(epoch, leaf_index))?);
        Ok(place)
    }

    fn get(&self, place: &Place) -> Result<Option<Vec<u8>>, Error> {
        self.store.bytes(place.space, &place.key)
    }

    fn record<T>(&self, result: Result<T, Error>) -> Result<T, StorageFailed> {
        result.map_err(|error| {
            self.failed.replace(Some(error));
            StorageFailed
        })
    }

    fn write(&self, place: Result<Place, Error>, value: &impl Serialize) -> Result<(), StorageFailed> {
        self.record(place.and_then(|place| {
            self.note_change(&place)?;
            self.store.put_bytes(place.space, &place.key, &encode(value)?)
        }))
    }

    fn read<T: DeserializeOwned>(&self, place: Result<Place, Error>) -> Result<Option<T>, StorageFailed> {
        let bytes = place.and_then(|place| self.get(&place));
        self.record(bytes.and_then(|bytes| bytes.map(|bytes| decode(&bytes)).transpose()))
    }

    fn delete(&self, place: Result<Place, Error>) -> Result<(), StorageFailed> {
        self.record(place.and_then(|place| {
            self.note_change(&place)?;
            self.store.remove(place.space, &place.key)
        }))
    }

    /// For the parts of MLS that this program does not use: standing proposals, updates, external PSKs, stored
    /// signature keys.
    fn unused<T>(&self) -> Result<T, StorageFailed> {
        self.record(Err(Error::Mls("a part of MLS that is not in use was asked for")))
    }
}

/// Bytes as bytes: as JSON the secrets of a large group would take longer to write than to use.
fn encode(value: &impl Serialize) -> Result<Vec<u8>, Error> {
    minicbor_serde::to_vec(value).map_err(|_| Error::Mls("a value of OpenMLS has no encoding"))
}

fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Error> {
    minicbor_serde::from_slice(bytes).map_err(|_| Error::Damaged)
}

fn hash_of(name: &impl Serialize) -> Result<Vec<u8>, Error> {
    Ok(Digest::sha256(&encode(name)?).0.to_vec())
}

/// Writing, reading and deleting of a value that a group has once. The order of the type parameters is the trait's.
macro_rules! group_value {
    ($kind:ident, $entity:ident, $write:ident <$($order:ident),*>, $read:ident, $delete:ident) => {
        fn $write<$($order: traits::$order<CURRENT_VERSION>),*>(
            &self,
            group: &GroupId,
            value: &$entity,
        ) -> Result<(), StorageFailed> {
            self.write(self.place(group, kind::$kind), value)
        }

        fn $read<$($order: traits::$order<CURRENT_VERSION>),*>(
            &self,
            group: &GroupId,
        ) -> Result<Option<$entity>, StorageFailed> {
            self.read(self.place(group, kind::$kind))
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
            self.delete(self.place(group, kind::EXPORT_TREE))
        }
    };
    (@delete $kind:ident, $delete:ident) => {
        fn $delete<GroupId: traits::GroupId<CURRENT_VERSION>>(&self, group: &GroupId) -> Result<(), StorageFailed> {
            self.delete(self.place(group, kind::$kind))
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
        self.write(self.epoch_keys(group, epoch, leaf_index), &key_pairs)
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
        Ok(self.read(self.epoch_keys(group, epoch, leaf_index))?.unwrap_or_default())
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
        self.delete(self.epoch_keys(group, epoch, leaf_index))
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
