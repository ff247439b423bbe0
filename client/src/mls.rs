//! MLS (RFC 9420) for one device: the only place in the client that names OpenMLS, behind types of our own.
//!
//! A group is taken from memory only in the state that the store has (`loaded`), so that nothing outlives a transaction
//! that is rolled back (TXN-3). Whatever comes from outside and is bad is a value ([`Unreadable`],
//! [`MlsRefused`]); an [`Error`] is this program's or its disk's fault.
//!
//! What is exchanged are MLSMessages (RFC 9420 §6): a commit is a PublicMessage, a message a PrivateMessage, the others
//! Welcome, GroupInfo (with external_pub, without the tree) and KeyPackage. A tree is the bare `optional<Node> <V>` of
//! §12.4.3.3.
//!
//! The group context carries `trefoil.members` and `trefoil.roles` as components of its application data dictionary; a
//! commit changes them with AppDataUpdate proposals (draft-ietf-mls-extensions §4.7), an external commit too.
//!
//! Not in scope: whether a composition is allowed (`protocol::members`), whom to add and when, sending.
//!
//! Reading order: this file (own groups, commits, messages), `read` (what comes), `join` (Welcomes and external
//! commits), `composition`, `provider` (settings), `loaded`, `storage`.

mod composition;
mod hpke;
mod join;
mod loaded;
mod provider;
mod read;
mod storage;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use chain::id::{AccountId, DeviceId, DeviceKeys};
use chain::sigchain::device_set::ConfirmedDevice;
use openmls::component::ComponentData;
use openmls::prelude::{
    AppDataDictionaryUpdater, AppDataUpdates, CommitMessageBundle, KeyPackage, KeyPackageIn, LeafNodeIndex, MlsGroup,
    MlsGroupCreateConfig, MlsMessageBodyIn, MlsMessageIn, MlsMessageOut, OpenMlsProvider as _, Proposal,
    ProtocolVersion,
};
use protocol::api::delivery::Welcomed;
use protocol::id::GroupId;
use protocol::members::{Composition, Leaf, Members, MembersUpdate, Roles};
use protocol::typing::EXPORTER_LABEL;
use thiserror::Error as ThisError;
use tls_codec::{Deserialize as _, Serialize as _};
use zeroize::Zeroizing;

pub(crate) use self::hpke::Sealed;
pub(crate) use self::loaded::Loaded;
pub(crate) use self::read::{Incoming, Unreadable};

use self::composition::Leaves;
use self::provider::{Provider, SUITE};
use self::storage::{Room, Storage};
use crate::device::Device;
use crate::error::Error;
use crate::store::Store;

/// The leaves of a group with their places, and what its context says.
#[derive(Clone)]
struct Layout {
    leaves: Arc<Leaves>,
    composition: Arc<Composition>,
}

/// The groups of one device, in the transaction of a step.
#[derive(Clone, Copy)]
pub(crate) struct Mls<'a> {
    store: Store<'a>,
    device: &'a Device,
    loaded: Option<&'a Loaded>,
}

/// A device that may be added: only a [`ConfirmedDevice`] becomes one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Admitted {
    account: AccountId,
    keys: DeviceKeys,
}

impl Admitted {
    /// Of a device that the record proves.
    pub(crate) fn of(device: &ConfirmedDevice) -> Self {
        Self { account: device.account(), keys: *device.keys() }
    }

    fn leaf(&self) -> Leaf {
        Leaf { account: self.account, device: self.keys.id(), key: self.keys.mls }
    }
}

/// A device to add, with a key package that somebody handed out as its own.
#[derive(Debug, Clone)]
pub(crate) struct Add {
    /// The device.
    pub(crate) device: Admitted,
    /// MLSMessage with the KeyPackage.
    pub(crate) key_package: Vec<u8>,
}

/// What a commit does. It renews the own keys in any case.
#[derive(Debug, Clone)]
pub(crate) struct CommitPlan {
    /// Devices to add.
    pub(crate) add: Vec<Add>,
    /// Devices to remove; each has a leaf.
    pub(crate) remove: Vec<DeviceId>,
    /// The change of `trefoil.members`.
    pub(crate) members: MembersUpdate,
    /// The new `trefoil.roles`, if they change.
    pub(crate) roles: Option<Roles>,
}

/// A commit, ready to be sent; it is pending until [`Mls::merge_pending`] or [`Mls::clear_pending`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Committed {
    /// The epoch that it starts from.
    pub(crate) base_epoch: u64,
    /// MLSMessage with the commit.
    pub(crate) commit: Vec<u8>,
    /// MLSMessage with the GroupInfo after it.
    pub(crate) group_info: Vec<u8>,
    /// MLSMessage with the Welcome; empty if nobody is added.
    pub(crate) welcome: Vec<u8>,
    /// For whom the Welcome is.
    pub(crate) welcomed: Vec<Welcomed>,
}

/// A new group, for the service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Created {
    /// MLSMessage with the GroupInfo of epoch 0.
    pub(crate) group_info: Vec<u8>,
    /// The ratchet tree.
    pub(crate) tree: Vec<u8>,
}

/// Why something that somebody else made cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ThisError)]
pub(crate) enum MlsRefused {
    /// The key package is not one that the device can be added with.
    #[error("the key package is not that of device {device}, or not valid")]
    KeyPackage {
        /// The device that it was handed out for.
        device: DeviceId,
    },
    /// The commit would not be valid with these key packages.
    #[error("MLS refuses the commit")]
    Commit,
    /// The Welcome was used before.
    #[error("this Welcome, or its key package, was used before")]
    WelcomeReplayed,
    /// The Welcome is for no key package of this device.
    #[error("the Welcome is for no key package of this device")]
    NotForUs,
    /// This device is in the group already.
    #[error("this device is in the group already")]
    AlreadyIn,
    /// Not the message or tree that it should be.
    #[error("not the MLS message or tree that it should be")]
    Malformed,
    /// Signature, tag, tree or encryption is wrong.
    #[error("MLS refuses the Welcome, group info or tree")]
    Invalid,
    /// Suite, context or leaves are not those of a group of this protocol.
    #[error("not a group of this protocol")]
    NotOurs,
}

impl<'a> Mls<'a> {
    /// Over the transaction of a step, with the groups that its client has in memory.
    pub(crate) fn new(store: Store<'a>, device: &'a Device, loaded: &'a Loaded) -> Self {
        Self { store, device, loaded: Some(loaded) }
    }

    /// For looking only, without a transaction.
    pub(crate) fn reading(store: Store<'a>, device: &'a Device) -> Self {
        Self { store, device, loaded: None }
    }

    /// Makes key packages, each an MLSMessage, and keeps their private keys. One marked as the last resort can be used
    /// more than once; another one is gone when a Welcome to it is accepted.
    ///
    /// # Errors
    /// [`Error`].
    pub(crate) fn key_packages(&self, count: usize, last_resort: bool) -> Result<Vec<Vec<u8>>, Error> {
        let provider = self.groups();
        let make = || {
            let builder = KeyPackage::builder()
                .leaf_node_capabilities(provider::capabilities())
                .key_package_lifetime(provider::lifetime());
            let builder = if last_resort { builder.mark_as_last_resort() } else { builder };
            let made = builder.build(SUITE, &provider, self.device, provider::credential(self.device));
            let made = provider.storage().settle(made)?.map_err(|_| Error::Mls("a key package"))?;
            bytes_of(&made.into_key_package().into())
        };
        (0..count).map(|_| make()).collect()
    }

    /// Makes a group with the own leaf alone, at epoch 0.
    ///
    /// # Errors
    /// [`Error`].
    pub(crate) fn create(&self, group: &GroupId, members: &Members, roles: &Roles) -> Result<Created, Error> {
        let provider = self.groups();
        let extensions = composition::context_extensions(members, roles).ok_or(Error::Mls("a group context"))?;
        let config = MlsGroupCreateConfig::builder()
            .ciphersuite(SUITE)
            .wire_format_policy(provider::wire_format())
            .max_past_epochs(provider::PAST_EPOCHS)
            .sender_ratchet_configuration(provider::ratchet())
            .use_ratchet_tree_extension(false)
            .number_of_resumption_psks(0)
            .capabilities(provider::capabilities())
            .lifetime(provider::lifetime())
            .with_group_context_extensions(extensions)
            .build();
        let credential = provider::credential(self.device);
        let made = MlsGroup::new_with_group_id(&provider, self.device, &config, mls_id(group), credential);
        let made = provider.storage().settle(made)?.map_err(|_| Error::Mls("a new group"))?;
        let info = made.export_group_info(provider.crypto(), self.device, false);
        let tree = made.export_ratchet_tree().tls_serialize_detached();
        let created = Created {
            group_info: bytes_of(&info.map_err(|_| Error::Mls("a group info"))?)?,
            tree: tree.map_err(|_| Error::Mls("a ratchet tree"))?,
        };
        provider.keep(made)?;
        Ok(created)
    }

    /// True if this device has, or had, a leaf in the group and has not forgotten it.
    ///
    /// # Errors
    /// [`Error`].
    pub(crate) fn has(&self, group: &GroupId) -> Result<bool, Error> {
        self.groups().storage().has(&mls_id(group))
    }

    /// The composition of a group, as of its newest merged commit.
    ///
    /// # Errors
    /// [`Error`]; there is none if the group is not there.
    pub(crate) fn composition(&self, group: &GroupId) -> Result<Arc<Composition>, Error> {
        let (provider, id) = (self.groups(), mls_id(group));
        if let Some(layout) = provider.layout_as_stored(&id)? {
            return Ok(layout.composition);
        }
        provider.look(&id, |group| provider.layout(group))?.map(|layout| layout.composition)
    }

    /// The same for looking only: from what a client has read, if the store has the group in that state.
    ///
    /// # Errors
    /// [`Error`].
    pub(crate) fn composition_to_show(
        &self,
        group: &GroupId,
        loaded: Option<&Loaded>,
    ) -> Result<Arc<Composition>, Error> {
        let stamp = self.groups().storage().stamp(&mls_id(group))?;
        let known = loaded.zip(stamp).and_then(|(loaded, stamp)| loaded.layout_at(&mls_id(group), &stamp));
        known.map_or_else(|| self.composition(group), |layout| Ok(layout.composition))
    }

    /// The epoch of a group.
    ///
    /// # Errors
    /// [`Error`].
    pub(crate) fn epoch(&self, group: &GroupId) -> Result<u64, Error> {
        self.groups().look(&mls_id(group), |group| group.epoch().as_u64())
    }

    /// The epoch authenticator (RFC 9420 §8.7): all members in the same state have the same.
    ///
    /// # Errors
    /// [`Error`].
    #[cfg(test)]
    pub(crate) fn epoch_authenticator(&self, group: &GroupId) -> Result<Vec<u8>, Error> {
        Ok(self.groups().load(&mls_id(group))?.epoch_authenticator().as_slice().to_vec())
    }

    /// The key under which it is said that somebody types, in the group's epoch (MSG-12; RFC 9420 §8.5).
    ///
    /// # Errors
    /// [`Error`].
    pub(crate) fn typing_key(&self, group: &GroupId) -> Result<Zeroizing<[u8; 32]>, Error> {
        let provider = self.groups();
        let group = provider.load(&mls_id(group))?;
        let key = group.export_secret(provider.crypto(), EXPORTER_LABEL, &[], 32);
        let key = Zeroizing::new(key.map_err(|_| Error::Fault("an exporter without a secret"))?);
        key.as_slice().try_into().map(Zeroizing::new).map_err(|_| Error::Fault("an exporter of another length"))
    }

    /// Makes a commit and keeps it as pending. A pending one before it is dropped.
    ///
    /// # Errors
    /// [`Error`]: also for a plan that does not fit the group: its caller has just looked at it.
    pub(crate) fn commit(&self, id: &GroupId, plan: &CommitPlan) -> Result<Result<Committed, MlsRefused>, Error> {
        self.clear_pending(id)?;
        let provider = self.groups();
        let mut group = provider.load(&mls_id(id))?;
        let Layout { leaves, composition: before } = provider.layout(&group)?;
        let key_packages = match plan.add.iter().map(|add| check_key_package(&provider, add)).collect() {
            Ok::<Vec<_>, _>(key_packages) => key_packages,
            Err(refused) => return Ok(Err(refused)),
        };
        let updates = composition::updates(&plan.members, plan.roles.as_ref());
        let components =
            composition::updated(&before, updates.iter()).map_err(|_| Error::Mls("a change of members"))?;
        let stage = group
            .commit_builder()
            .consume_proposal_store(false)
            .force_self_update(true)
            .propose_adds(key_packages)
            .propose_removals(self.places(&leaves, &plan.remove)?)
            .add_proposals(updates.into_iter().map(|update| Proposal::AppDataUpdate(Box::new(update))))
            .load_psks(provider.storage());
        let mut stage = stage.map_err(|_| Error::Mls("loading no PSKs"))?.create_group_info(true);
        stage.with_app_data_dictionary_updates(changes(stage.app_data_dictionary_updater(), components));
        let Ok(built) = stage.build(provider.rand(), provider.crypto(), self.device, |_| true) else {
            return Ok(Err(MlsRefused::Commit));
        };
        let bundle = provider.storage().settle(built.stage_commit(&provider))?;
        let bundle = bundle.map_err(|_| Error::Mls("a commit"))?;
        let welcomed = plan.add.iter().map(|add| add.device.leaf());
        let welcomed = welcomed.map(|leaf| Welcomed { account: leaf.account, device: leaf.device }).collect();
        let committed = committed(before.epoch, bundle, welcomed)?;
        provider.storage().put_own_commit(&mls_id(id), &committed.commit)?;
        provider.keep(group)?;
        Ok(Ok(committed))
    }

    /// The places of devices in the tree.
    fn places(&self, leaves: &Leaves, devices: &[DeviceId]) -> Result<Vec<LeafNodeIndex>, Error> {
        let place = |device: &DeviceId| leaves.iter().find(|(_, leaf)| leaf.device == *device);
        let places = devices.iter().map(|device| place(device).map(|(index, _)| *index));
        let places = places.collect::<Option<Vec<_>>>().ok_or(Error::Fault("a device to remove has no leaf"))?;
        if devices.contains(&self.device.id()) {
            return Err(Error::Fault("a device cannot remove itself"));
        }
        Ok(places)
    }

    /// Merges what is pending, because the service has accepted it: an external commit, and with it replaces what was
    /// known of the group, or the own commit (TXN-4).
    ///
    /// # Errors
    /// [`Error`]: also if nothing is pending.
    pub(crate) fn merge_pending(&self, id: &GroupId) -> Result<(), Error> {
        let (provider, entering) = (self.groups(), self.entering());
        if entering.storage().has(&mls_id(id))? {
            entering.storage().remove_own_commit(&mls_id(id))?;
            return Storage::enter(self.store, &mls_id(id));
        }
        let mut group = provider.load(&mls_id(id))?;
        let before = (group.epoch(), group.epoch_authenticator().as_slice().to_vec());
        if group.pending_commit().is_none() {
            return Err(Error::Fault("no commit is pending"));
        }
        Storage::leave_epoch(self.store, &mls_id(id), before.0.as_u64())?;
        let merged = provider.storage().settle(group.merge_pending_commit(&provider))?;
        merged.map_err(|_| Error::Mls("the own commit"))?;
        if group.epoch() == before.0 || group.epoch_authenticator().as_slice() == before.1 {
            return Err(Error::Fault("a merged commit did not move the epoch"));
        }
        provider.storage().remove_own_commit(&mls_id(id))?;
        provider.keep(group)
    }

    /// Drops what is pending: another commit was first. Nothing pending is no error.
    ///
    /// # Errors
    /// [`Error`].
    pub(crate) fn clear_pending(&self, id: &GroupId) -> Result<(), Error> {
        self.entering().storage().erase(&mls_id(id))?;
        if !self.has(id)? {
            return Ok(());
        }
        let provider = self.groups();
        let mut group = provider.load(&mls_id(id))?;
        let cleared = provider.storage().settle(group.clear_pending_commit(provider.storage()))?;
        cleared.map_err(|_| Error::Mls("clearing a pending commit"))?;
        provider.storage().remove_own_commit(&mls_id(id))?;
        provider.keep(group)
    }

    /// Encrypts content, which the caller has padded, to all leaves of the current epoch, and authenticates `aad`, which
    /// anybody can read. Gives an MLSMessage. It may be sent after the step's transaction is committed (TXN-1).
    ///
    /// # Errors
    /// [`Error`].
    pub(crate) fn encrypt(&self, id: &GroupId, aad: &[u8], content: &[u8]) -> Result<Vec<u8>, Error> {
        let provider = self.groups();
        let mut group = provider.load(&mls_id(id))?;
        group.set_aad(aad.to_vec());
        let message = group.create_message(&provider, self.device, content);
        let message = bytes_of(&provider.storage().settle(message)?.map_err(|_| Error::Mls("a message"))?)?;
        provider.keep(group)?;
        Ok(message)
    }

    /// Erases everything of a group.
    ///
    /// # Errors
    /// [`Error`].
    pub(crate) fn forget(&self, group: &GroupId) -> Result<(), Error> {
        Storage::erase_everywhere(self.store, &mls_id(group))
    }

    fn groups(&self) -> Provider<'a> {
        Provider::new(self.store, Room::Groups, self.loaded)
    }

    fn entering(&self) -> Provider<'a> {
        Provider::new(self.store, Room::Entering, None)
    }
}

fn mls_id(group: &GroupId) -> openmls::group::GroupId {
    openmls::group::GroupId::from_slice(group.as_bytes())
}

fn bytes_of(message: &MlsMessageOut) -> Result<Vec<u8>, Error> {
    message.to_bytes().map_err(|_| Error::Mls("an MLSMessage"))
}

/// Reads an MLSMessage, to its last byte.
fn message_in(bytes: &[u8]) -> Option<MlsMessageBodyIn> {
    MlsMessageIn::tls_deserialize_exact(bytes).ok().map(MlsMessageIn::extract)
}

/// The changed components, in the form that OpenMLS takes; `None` if nothing changes.
fn changes(mut updater: AppDataDictionaryUpdater<'_>, components: Vec<ComponentData>) -> Option<AppDataUpdates> {
    components.into_iter().for_each(|component| updater.set(component));
    updater.changes()
}

fn committed(base_epoch: u64, bundle: CommitMessageBundle, welcomed: Vec<Welcomed>) -> Result<Committed, Error> {
    let (commit, welcome, group_info) = bundle.into_messages();
    Ok(Committed {
        base_epoch,
        commit: bytes_of(&commit)?,
        group_info: bytes_of(&group_info.ok_or(Error::Mls("a group info"))?)?,
        welcome: welcome.map(|welcome| bytes_of(&welcome)).transpose()?.unwrap_or_default(),
        welcomed,
    })
}

/// Only the device's own key package is taken, and only one that a group of ours can use.
fn check_key_package(provider: &Provider<'_>, add: &Add) -> Result<KeyPackage, MlsRefused> {
    let refused = MlsRefused::KeyPackage { device: add.device.keys.id() };
    let Some(MlsMessageBodyIn::KeyPackage(unchecked)) = message_in(&add.key_package) else { return Err(refused) };
    let checked = KeyPackageIn::validate(unchecked, provider.crypto(), ProtocolVersion::Mls10);
    let checked = checked.map_err(|_| refused)?;
    let node = checked.leaf_node();
    let leaf = composition::leaf(&node.into()).map_err(|_| refused)?;
    let can = node.capabilities();
    let required = provider::required();
    let able = required.extension_types().iter().all(|it| can.extensions().contains(it))
        && required.proposal_types().iter().all(|it| can.proposals().contains(it));
    let fits = leaf == add.device.leaf() && checked.ciphersuite() == SUITE && able;
    if fits { Ok(checked) } else { Err(refused) }
}
