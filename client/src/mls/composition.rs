//! A group as the one rule looks at it (`protocol::members`), read from what MLS has agreed on.

use openmls::component::ComponentData;
use openmls::prelude::{
    AppDataDictionary, AppDataDictionaryExtension, AppDataUpdateOperation, AppDataUpdateProposal, CredentialType,
    CredentialWithKey, Extension, Extensions, GroupContext, LeafNodeIndex, Member, Proposal, StagedCommit,
};
use protocol::members::{Composition, Leaf, Members, MembersUpdate, Roles};

use super::provider;

/// The group's context or leaves have another form than this protocol gives them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NotOurs;

/// The leaves of a group by their places in the tree.
pub(super) type Leaves = Vec<(LeafNodeIndex, Leaf)>;

/// Reads a leaf from its credential and key.
pub(super) fn leaf(of: &CredentialWithKey) -> Result<Leaf, NotOurs> {
    if of.credential.credential_type() != CredentialType::Basic {
        return Err(NotOurs);
    }
    Leaf::read(of.credential.serialized_content(), of.signature_key.as_slice()).map_err(|_| NotOurs)
}

/// Reads all leaves.
pub(super) fn leaves(members: impl Iterator<Item = Member>) -> Result<Leaves, NotOurs> {
    members.map(|member| Ok((member.index, leaf(&CredentialWithKey::from(&member))?))).collect()
}

/// The leaves without their places.
pub(super) fn only_leaves(leaves: &Leaves) -> Vec<Leaf> {
    leaves.iter().map(|(_, leaf)| *leaf).collect()
}

/// Reads a composition. The context has the two extensions that every group has, and nothing else.
pub(super) fn composition(context: &GroupContext, leaves: Vec<Leaf>) -> Result<Composition, NotOurs> {
    let extensions = context.extensions();
    let dictionary = extensions.app_data_dictionary().ok_or(NotOurs)?.dictionary();
    let ours = extensions.iter().count() == 2
        && extensions.required_capabilities() == Some(&provider::required())
        && dictionary.len() == 2
        && context.ciphersuite() == provider::SUITE;
    if !ours {
        return Err(NotOurs);
    }
    let members = dictionary.get(&Members::COMPONENT).ok_or(NotOurs)?;
    let roles = dictionary.get(&Roles::COMPONENT).ok_or(NotOurs)?;
    Ok(Composition {
        members: Members::decode(members).map_err(|_| NotOurs)?,
        roles: Roles::decode(roles).map_err(|_| NotOurs)?,
        leaves,
        epoch: context.epoch().as_u64(),
    })
}

/// The extensions of a new group's context.
pub(super) fn context_extensions(members: &Members, roles: &Roles) -> Option<Extensions<GroupContext>> {
    let mut dictionary = AppDataDictionary::new();
    dictionary.insert(Members::COMPONENT, members.encode());
    dictionary.insert(Roles::COMPONENT, roles.encode());
    let dictionary = Extension::AppDataDictionary(AppDataDictionaryExtension::new(dictionary));
    Extensions::from_vec(vec![Extension::RequiredCapabilities(provider::required()), dictionary]).ok()
}

/// The proposals that change the components in a commit.
pub(super) fn updates(members: &MembersUpdate, roles: Option<&Roles>) -> Vec<AppDataUpdateProposal> {
    let roles = roles.map(|roles| AppDataUpdateProposal::update(Roles::COMPONENT, roles.encode()));
    std::iter::once(AppDataUpdateProposal::update(Members::COMPONENT, members.encode())).chain(roles).collect()
}

/// What the components are after such proposals: at most one a component, and none takes a component out. This is the
/// "application logic" of draft-ietf-mls-extensions §4.7: a change of members, and roles as a whole.
pub(super) fn updated<'p>(
    before: &Composition,
    proposals: impl Iterator<Item = &'p AppDataUpdateProposal>,
) -> Result<Vec<ComponentData>, NotOurs> {
    let mut after: Vec<ComponentData> = Vec::new();
    for proposal in proposals {
        let AppDataUpdateOperation::Update(update) = proposal.operation() else { return Err(NotOurs) };
        let id = proposal.component_id();
        if after.iter().any(|component| component.id() == id) {
            return Err(NotOurs);
        }
        let value = match id {
            Members::COMPONENT => {
                let update = MembersUpdate::decode(update.as_slice()).map_err(|_| NotOurs)?;
                before.members.updated(&update).encode()
            }
            Roles::COMPONENT => Roles::decode(update.as_slice()).map_err(|_| NotOurs)?.encode(),
            _ => return Err(NotOurs),
        };
        after.push(ComponentData::from_parts(id, value.into()));
    }
    Ok(after)
}

/// The leaves after a commit, from its proposals and the leaf of its path: also of a commit that removes this device,
/// of which OpenMLS gives no tree. Any proposal but Add, Remove, AppDataUpdate and ExternalInit is none of ours.
pub(super) fn leaves_after(
    before: &Leaves,
    commit: &StagedCommit,
    committer: Option<LeafNodeIndex>,
) -> Result<Vec<Leaf>, NotOurs> {
    let mut removed = Vec::new();
    let mut added = Vec::new();
    for queued in commit.queued_proposals() {
        match queued.proposal() {
            Proposal::Remove(remove) => removed.push(remove.removed()),
            Proposal::Add(add) => added.push(leaf(&CredentialWithKey::from(add.key_package().leaf_node()))?),
            Proposal::AppDataUpdate(_) | Proposal::ExternalInit(_) => {}
            _ => return Err(NotOurs),
        }
    }
    let path = commit.update_path_leaf_node().map(|node| leaf(&CredentialWithKey::from(node))).transpose()?;
    let stays = before.iter().filter(|(index, _)| !removed.contains(index));
    let replaced = |(index, leaf): &(LeafNodeIndex, Leaf)| match path {
        Some(path) if Some(*index) == committer => path,
        _ => *leaf,
    };
    let new = path.filter(|_| committer.is_none());
    Ok(stays.map(replaced).chain(new).chain(added).collect())
}
