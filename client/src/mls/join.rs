//! How this device comes into a group: by a Welcome (RFC 9420 §12.4.3.1), or by itself, with an external commit
//! (§12.4.3.2).

use std::sync::Arc;

use openmls::prelude::{
    CredentialWithKey, LeafNode, LeafNodeParameters, MlsGroup, MlsMessageBodyIn, OpenMlsProvider as _, RatchetTreeIn,
    StagedWelcome,
};
use openmls::treesync::EncryptionKey;
use protocol::id::GroupId;
use protocol::members::{Composition, Leaf, MembersUpdate};
use tls_codec::Deserialize as _;

use super::provider::Provider;
use super::{Committed, Mls, MlsRefused, changes, committed, composition, message_in, mls_id, provider};
use crate::error::Error;

/// A group that this device is welcomed to, valid MLS; nothing has changed before [`Mls::accept`].
pub(crate) struct Welcome {
    /// The group.
    pub(crate) group: GroupId,
    /// The group as it is joined.
    pub(crate) composition: Composition,
    /// Who sent it: the signer of its GroupInfo.
    pub(crate) from: Leaf,
    staged: StagedWelcome,
    used: Used,
}

impl std::fmt::Debug for Welcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Welcome(epoch {})", self.composition.epoch)
    }
}

/// What a Welcome uses up.
struct Used {
    welcome: Vec<u8>,
    reference: openmls::prelude::KeyPackageRef,
    last_resort: bool,
    encryption_key: EncryptionKey,
}

/// An external commit, ready to be sent; it is pending until [`Mls::merge_pending`] or [`Mls::clear_pending`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entering {
    /// The group.
    pub(crate) group: GroupId,
    /// The group before it.
    pub(crate) before: Composition,
    /// The group after it.
    pub(crate) after: Composition,
    /// What to send.
    pub(crate) committed: Committed,
}

impl Mls<'_> {
    /// Opens a Welcome, with the tree of its epoch. A group that this device is in is not replaced.
    ///
    /// # Errors
    /// [`Error`].
    pub(crate) fn stage_welcome(&self, welcome: &[u8], tree: &[u8]) -> Result<Result<Welcome, MlsRefused>, Error> {
        let provider = self.groups();
        let (bytes, tree) = (welcome, RatchetTreeIn::tls_deserialize_exact(tree));
        let (Some(MlsMessageBodyIn::Welcome(welcome)), Ok(tree)) = (message_in(bytes), tree) else {
            return Ok(Err(MlsRefused::Malformed));
        };
        let storage = provider.storage();
        let references: Vec<_> = welcome.secrets().iter().map(|secrets| secrets.new_member()).collect();
        let mut known = storage.is_used(bytes)?;
        for reference in &references {
            known |= storage.is_used(reference.as_slice())?;
        }
        if known {
            return Ok(Err(MlsRefused::WelcomeReplayed));
        }
        if !references.iter().map(|it| storage.has_key_package(it)).collect::<Result<Vec<_>, _>>()?.contains(&true) {
            return Ok(Err(MlsRefused::NotForUs));
        }
        let opened = StagedWelcome::build_from_welcome(&provider, &provider::join_config(), welcome);
        let Ok(opened) = storage.settle(opened)? else { return Ok(Err(MlsRefused::Invalid)) };
        let processed = opened.processed_welcome();
        let (Ok(id), Some(key_package)) =
            (group_id(processed.unverified_group_info().group_id()), processed.own_key_package())
        else {
            return Ok(Err(MlsRefused::NotOurs));
        };
        let used = Used {
            welcome: bytes.to_vec(),
            reference: key_package.hash_ref(provider.crypto()).map_err(|_| Error::Mls("a key package reference"))?,
            last_resort: key_package.last_resort(),
            encryption_key: key_package.leaf_node().encryption_key().clone(),
        };
        if self.has(&id)? && provider.load(&mls_id(&id))?.is_active() {
            return Ok(Err(MlsRefused::AlreadyIn));
        }
        let built = opened.with_ratchet_tree(tree).skip_lifetime_validation().replace_old_group().build();
        let Ok(staged) = storage.settle(built)? else { return Ok(Err(MlsRefused::Invalid)) };
        // OpenMLS finds the own leaf by its signature key; it could be that of another key package
        if staged.own_leaf_node().map(LeafNode::encryption_key) != Some(&used.encryption_key) {
            return Ok(Err(MlsRefused::Invalid));
        }
        let composition = composition::leaves(staged.members())
            .and_then(|leaves| composition::composition(staged.group_context(), composition::only_leaves(&leaves)));
        let from = staged.welcome_sender().map_err(|_| composition::NotOurs);
        let from = from.and_then(|node| composition::leaf(&CredentialWithKey::from(node)));
        let (Ok(composition), Ok(from)) = (composition, from) else { return Ok(Err(MlsRefused::NotOurs)) };
        Ok(Ok(Welcome { group: id, composition, from, staged, used }))
    }

    /// Joins a group that [`Mls::stage_welcome`] opened in the same step. Its key package is used up, unless it was the
    /// last resort; neither it nor the Welcome opens anything again.
    ///
    /// # Errors
    /// [`Error`].
    pub(crate) fn accept(&self, welcome: Welcome) -> Result<(), Error> {
        self.forget(&welcome.group)?;
        let provider = self.groups();
        let joined = provider.storage().settle(welcome.staged.into_group(&provider))?;
        let joined = joined.map_err(|_| Error::Mls("a staged Welcome"))?;
        provider.storage().put_used(&welcome.used.welcome)?;
        if !welcome.used.last_resort {
            provider.storage().put_used(welcome.used.reference.as_slice())?;
            provider.storage().remove_key_package(&welcome.used.reference)?;
        }
        provider.keep(joined)
    }

    /// Makes an external commit, which lets this device in, and removes the leaf that it may have had. `update` says
    /// what changes in `trefoil.members`. What was known of the group stays until the commit is merged.
    ///
    /// # Errors
    /// [`Error`].
    pub(crate) fn enter(
        &self,
        group_info: &[u8],
        tree: &[u8],
        update: impl FnOnce(&Composition) -> MembersUpdate,
    ) -> Result<Result<Entering, MlsRefused>, Error> {
        let (Some(MlsMessageBodyIn::GroupInfo(info)), Ok(tree)) =
            (message_in(group_info), RatchetTreeIn::tls_deserialize_exact(tree))
        else {
            return Ok(Err(MlsRefused::Malformed));
        };
        // a tree in the group info would be the one that counts, and `before` would be of another
        if info.extensions().ratchet_tree().is_some() {
            return Ok(Err(MlsRefused::NotOurs));
        }
        let keys = tree.leaves().map(|node| (node.credential().clone(), node.signature_key().clone()));
        let keys = keys.map(|(credential, signature_key)| CredentialWithKey { credential, signature_key });
        let before = keys.map(|keys| composition::leaf(&keys)).collect::<Result<_, _>>();
        let before = before.and_then(|leaves| composition::composition(info.group_context(), leaves));
        let (Ok(id), Ok(before)) = (group_id(info.group_id()), before) else {
            return Ok(Err(MlsRefused::NotOurs));
        };
        let provider = self.entering();
        provider.storage().erase(&mls_id(&id))?;
        let builder = MlsGroup::external_commit_builder()
            .with_ratchet_tree(tree)
            .with_config(provider::join_config())
            .skip_lifetime_validation()
            .build_group(&provider, info, provider::credential(self.device));
        let Ok(builder) = provider.storage().settle(builder)? else { return Ok(Err(MlsRefused::Invalid)) };
        let made = self.external_commit(&provider, builder, &before, &update(&before))?;
        Ok(made.map(|(after, committed)| Entering { group: id, before, after, committed }))
    }

    fn external_commit(
        &self,
        provider: &Provider<'_>,
        builder: openmls::group::CommitBuilder<'_, openmls::group::Initial, MlsGroup>,
        before: &Composition,
        update: &MembersUpdate,
    ) -> Result<Result<(Composition, Committed), MlsRefused>, Error> {
        let updates = composition::updates(update, None);
        let components = composition::updated(before, updates.iter()).map_err(|_| Error::Mls("a change of members"))?;
        let leaf = LeafNodeParameters::builder().with_capabilities(provider::capabilities()).build();
        let builder = updates.into_iter().fold(builder, |builder, it| builder.add_app_data_update_proposal(it));
        let stage = builder.leaf_node_parameters(leaf).load_psks(provider.storage());
        let mut stage = stage.map_err(|_| Error::Mls("loading no PSKs"))?.create_group_info(true);
        stage.with_app_data_dictionary_updates(changes(stage.app_data_dictionary_updater(), components));
        let Ok(built) = stage.build(provider.rand(), provider.crypto(), self.device, |_| true) else {
            return Ok(Err(MlsRefused::Commit));
        };
        let (group, bundle) =
            provider.storage().settle(built.finalize(provider))?.map_err(|_| Error::Mls("an external commit"))?;
        let committed = committed(before.epoch, bundle, Vec::new())?;
        provider.storage().put_own_commit(group.group_id(), &committed.commit)?;
        let after = Arc::unwrap_or_clone(provider.layout(&group)?.composition);
        Ok(Ok((after, committed)))
    }
}

fn group_id(id: &openmls::group::GroupId) -> Result<GroupId, composition::NotOurs> {
    id.as_slice().try_into().map(GroupId).map_err(|_| composition::NotOurs)
}
