//! Following groups from outside (RFC 9420 §6, openmls `PublicGroup`): pure functions from bytes to bytes, and the only
//! place in the service that names openmls.
//!
//! A group is followed from its creation on. What openmls knows of it is kept as one blob, and each commit leads from
//! one blob to the next. What comes out is a [`Composition`], for the rule in `protocol::members`. Only what this
//! product sends is taken: suite 0x004E, commits as public messages with all proposals inside, no other components and
//! extensions than ours, so that nothing that the rule does not look at can change a group.
//!
//! Not in scope: the rule itself, who may ask, and what is stored. The confirmation tag and the external public key can
//! be checked by members only.

mod kept;

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};

use openmls::component::ComponentData;
use openmls::group::{AppDataUpdates, UnresolvedAppDataCommit};
use openmls::messages::group_info::VerifiableGroupInfo;
use openmls::prelude::tls_codec::{Deserialize as _, Serialize as _};
use openmls::prelude::{
    AppDataUpdateOperation, BasicCredential, Ciphersuite, ContentType, Credential, Extension, GroupContext,
    KeyPackageIn, LeafNodeIndex, MlsMessageBodyIn, MlsMessageIn, OpenMlsSignaturePublicKey, ProcessedMessageContent,
    Proposal, ProposalStore, ProtocolMessage, ProtocolVersion, PublicGroup, RatchetTreeIn, Sender, StagedCommit,
    Verifiable as _, Welcome,
};
use openmls_rust_crypto::RustCrypto;
use protocol::api::delivery::{COMMIT_INVALID, CommitSubmission};
use protocol::id::GroupId;
use protocol::members::{Committer, Composition, Leaf, Members, MembersUpdate, Roles};
use thiserror::Error;

use crate::groups::kept::Kept;

/// ML-KEM-768 with X25519, AES-256-GCM, SHA-384, Ed25519 (draft-ietf-mls-pq-ciphersuites).
pub(crate) const SUITE: Ciphersuite = Ciphersuite::MLS_128_MLKEM768X25519_AES256GCM_SHA384_Ed25519;

/// Why bytes are not a group, commit, message or key package that the service takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(crate) enum GroupBroken {
    /// Not the TLS encoding of what it should be.
    #[error("the {what} is malformed")]
    Malformed {
        /// What.
        what: &'static str,
    },
    /// It belongs to another group or epoch than it was sent for.
    #[error("the {what} belongs to another group or epoch")]
    Elsewhere {
        /// What.
        what: &'static str,
    },
    /// Another suite, extension, component or kind of proposal than this product uses.
    #[error("the {what} is not of a kind that is used here")]
    Unsupported {
        /// What.
        what: &'static str,
    },
    /// MLS itself says no (RFC 9420 §12.4.2).
    #[error("the {what} is not valid MLS")]
    Invalid {
        /// What.
        what: &'static str,
    },
    /// The group info is not that of the epoch that the commit leads to.
    #[error("the group info does not fit the group after the commit")]
    OtherGroupInfo,
    /// The Welcome is not for exactly the leaves that the commit adds.
    #[error("the Welcome is not for the leaves that the commit adds")]
    OtherWelcome,
    /// The stored state is not one: damage.
    #[error("the stored group cannot be read")]
    Stored,
}

impl GroupBroken {
    /// The stable code.
    pub(crate) fn code(self) -> &'static str {
        match self {
            Self::Malformed { .. } => protocol::refusal::MALFORMED,
            Self::Stored => protocol::refusal::STORE_CORRUPT,
            _ => COMMIT_INVALID,
        }
    }
}

/// A group between two commits.
#[derive(Debug)]
pub(crate) struct Followed {
    /// For the rule.
    pub(crate) composition: Composition,
    /// What openmls knows of it.
    pub(crate) state: Vec<u8>,
    /// The ratchet tree for joiners.
    pub(crate) tree: Vec<u8>,
}

/// A commit that is valid MLS. Whether it is allowed is for `protocol::members::check_commit`.
#[derive(Debug)]
pub(crate) struct Step {
    /// The group before.
    pub(crate) before: Composition,
    /// The group after.
    pub(crate) after: Followed,
    /// Who makes it.
    pub(crate) committer: Committer,
    /// The leaves that the Welcome is for.
    pub(crate) added: BTreeSet<Leaf>,
}

/// A key package that is valid MLS.
#[derive(Debug)]
pub(crate) struct Offered {
    /// The leaf that it would become.
    pub(crate) leaf: Leaf,
    /// True if it says of itself that it may be used more than once.
    pub(crate) last_resort: bool,
}

/// Begins to follow a group at epoch 0.
///
/// # Errors
/// [`GroupBroken`].
pub(crate) fn create(group: &GroupId, group_info: &[u8], tree: &[u8]) -> Result<Followed, GroupBroken> {
    caught("group info", || {
        let tree = RatchetTreeIn::tls_deserialize_exact(tree).map_err(|_| GroupBroken::Malformed { what: "tree" })?;
        let info = read_group_info(group_info)?;
        if info.group_id().as_slice() != group.as_bytes() || info.epoch().as_u64() != 0 {
            return Err(GroupBroken::Elsewhere { what: "group info" });
        }
        check_context(info.group_context())?;
        check_extensions(&info)?;
        let kept = Kept::default();
        let crypto = RustCrypto::default();
        let (public, _) = PublicGroup::from_external(&crypto, &kept, tree, info, ProposalStore::new())
            .map_err(|_| GroupBroken::Invalid { what: "group info" })?;
        followed(&public, &kept)
    })
}

/// Follows one commit, from a state that an earlier call gave.
///
/// # Errors
/// [`GroupBroken`].
pub(crate) fn follow(group: &GroupId, state: &[u8], submitted: &CommitSubmission) -> Result<Step, GroupBroken> {
    caught("commit", || {
        let crypto = RustCrypto::default();
        let kept = Kept::decode(state).ok_or(GroupBroken::Stored)?;
        let mut public = kept.load(group).ok_or(GroupBroken::Stored)?;
        let before = composition(&public)?;
        let message = read_commit(group, submitted)?;
        let processed =
            public.process_message(&crypto, message).map_err(|_| GroupBroken::Invalid { what: "commit" })?;
        let sender = processed.sender().clone();
        let staged = stage(&public, &crypto, processed.into_content())?;
        check_proposals(&staged)?;
        let added = check_welcome(&staged, &crypto, &submitted.welcome.0)?;
        let own_leaf = staged.update_path_leaf_node().map(|leaf| leaf.signature_key().clone());
        public.merge_commit(&kept, staged).map_err(|_| GroupBroken::Invalid { what: "commit" })?;
        let (index, committer) = match sender {
            Sender::Member(index) => (index, Committer::Member(leaf_at(&public, index)?)),
            Sender::NewMemberCommit => {
                let key = own_leaf.ok_or(GroupBroken::Invalid { what: "commit" })?;
                let entered = public.members().find(|member| member.signature_key == key.as_slice());
                let index = entered.ok_or(GroupBroken::Invalid { what: "commit" })?.index;
                (index, Committer::External(leaf_at(&public, index)?))
            }
            Sender::External(_) | Sender::NewMemberProposal => {
                return Err(GroupBroken::Unsupported { what: "commit" });
            }
        };
        check_group_info(&public, &crypto, index, &submitted.group_info.0)?;
        Ok(Step { before, after: followed(&public, &kept)?, committer, added })
    })
}

/// Looks at the outside of an application message.
///
/// # Errors
/// [`GroupBroken`].
pub(crate) fn check_message(group: &GroupId, epoch: u64, message: &[u8]) -> Result<(), GroupBroken> {
    let MlsMessageBodyIn::PrivateMessage(message) = read_message(message, "message")? else {
        return Err(GroupBroken::Unsupported { what: "message" });
    };
    if message.content_type() != ContentType::Application {
        return Err(GroupBroken::Unsupported { what: "message" });
    }
    let here = message.group_id().as_slice() == group.as_bytes() && message.epoch().as_u64() == epoch;
    if here { Ok(()) } else { Err(GroupBroken::Elsewhere { what: "message" }) }
}

/// Checks a key package (RFC 9420 §10.1). Whose it is, is for the caller to compare.
///
/// # Errors
/// [`GroupBroken`].
pub(crate) fn read_key_package(bytes: &[u8]) -> Result<Offered, GroupBroken> {
    caught("key package", || {
        let invalid = GroupBroken::Invalid { what: "key package" };
        let MlsMessageBodyIn::KeyPackage(package) = read_message(bytes, "key package")? else {
            return Err(GroupBroken::Unsupported { what: "key package" });
        };
        let package = KeyPackageIn::validate(package, &RustCrypto::default(), ProtocolVersion::Mls10);
        let package = package.map_err(|_| invalid)?;
        if package.ciphersuite() != SUITE {
            return Err(GroupBroken::Unsupported { what: "key package" });
        }
        let node = package.leaf_node();
        let leaf = read_leaf(node.credential(), node.signature_key().as_slice())?;
        Ok(Offered { leaf, last_resort: package.last_resort() })
    })
}

/// openmls asserts some things that it believes to hold of its own data. If bytes from outside ever break one, the
/// request is refused and nothing else happens (attack 54).
fn caught<T>(what: &'static str, work: impl FnOnce() -> Result<T, GroupBroken>) -> Result<T, GroupBroken> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or(Err(GroupBroken::Invalid { what }))
}

fn read_message(bytes: &[u8], what: &'static str) -> Result<MlsMessageBodyIn, GroupBroken> {
    let message = MlsMessageIn::tls_deserialize_exact(bytes).map_err(|_| GroupBroken::Malformed { what })?;
    Ok(message.extract())
}

fn read_group_info(bytes: &[u8]) -> Result<VerifiableGroupInfo, GroupBroken> {
    match read_message(bytes, "group info")? {
        MlsMessageBodyIn::GroupInfo(info) => Ok(info),
        _ => Err(GroupBroken::Unsupported { what: "group info" }),
    }
}

fn read_commit(group: &GroupId, submitted: &CommitSubmission) -> Result<ProtocolMessage, GroupBroken> {
    let MlsMessageBodyIn::PublicMessage(message) = read_message(&submitted.commit.0, "commit")? else {
        return Err(GroupBroken::Unsupported { what: "commit" });
    };
    if message.content_type() != ContentType::Commit {
        return Err(GroupBroken::Unsupported { what: "commit" });
    }
    if message.group_id().as_slice() != group.as_bytes() || message.epoch().as_u64() != submitted.base_epoch {
        return Err(GroupBroken::Elsewhere { what: "commit" });
    }
    Ok(ProtocolMessage::from(message))
}

fn read_leaf(credential: &Credential, key: &[u8]) -> Result<Leaf, GroupBroken> {
    let malformed = GroupBroken::Malformed { what: "credential" };
    let credential = BasicCredential::try_from(credential.clone()).map_err(|_| malformed)?;
    Leaf::read(credential.identity(), key).map_err(|_| malformed)
}

fn leaf_at(public: &PublicGroup, index: LeafNodeIndex) -> Result<Leaf, GroupBroken> {
    let node = public.leaf(index).ok_or(GroupBroken::Invalid { what: "commit" })?;
    read_leaf(node.credential(), node.signature_key().as_slice())
}

/// Finishes what openmls has verified, with the components as the proposals change them.
fn stage(
    public: &PublicGroup,
    crypto: &RustCrypto,
    content: ProcessedMessageContent,
) -> Result<StagedCommit, GroupBroken> {
    match content {
        ProcessedMessageContent::StagedCommitMessage(staged) => Ok(*staged),
        ProcessedMessageContent::UnresolvedAppDataCommit(unresolved) => {
            let updates = updated_components(public, &unresolved)?;
            let staged = public.stage_app_data_commit(crypto, *unresolved, updates);
            staged.map_err(|_| GroupBroken::Invalid { what: "commit" })
        }
        _ => Err(GroupBroken::Unsupported { what: "commit" }),
    }
}

/// Applies the AppDataUpdate proposals: an update of the members changes them, one of the roles replaces them.
fn updated_components(
    public: &PublicGroup,
    commit: &UnresolvedAppDataCommit,
) -> Result<Option<AppDataUpdates>, GroupBroken> {
    let malformed = GroupBroken::Malformed { what: "component update" };
    let members = composition(public)?.members;
    let mut updater = public.app_data_dictionary_updater();
    let mut seen = BTreeSet::new();
    for proposal in commit.app_data_update_proposals() {
        let component = proposal.component_id();
        let AppDataUpdateOperation::Update(update) = proposal.operation() else {
            return Err(GroupBroken::Unsupported { what: "component update" });
        };
        let value = match component {
            Members::COMPONENT => {
                let update = MembersUpdate::decode(update.as_slice()).map_err(|_| malformed)?;
                members.updated(&update).encode()
            }
            Roles::COMPONENT => Roles::decode(update.as_slice()).map_err(|_| malformed)?.encode(),
            _ => return Err(GroupBroken::Unsupported { what: "component update" }),
        };
        if !seen.insert(component) {
            return Err(GroupBroken::Unsupported { what: "component update" });
        }
        updater.set(ComponentData::from_parts(component, value.into()));
    }
    Ok(updater.changes())
}

/// Only proposals whose effect the rule sees.
fn check_proposals(staged: &StagedCommit) -> Result<(), GroupBroken> {
    let known = |proposal: &Proposal| {
        matches!(
            proposal,
            Proposal::Add(_) | Proposal::Remove(_) | Proposal::ExternalInit(_) | Proposal::AppDataUpdate(_)
        )
    };
    let all_known = staged.queued_proposals().all(|queued| known(queued.proposal()));
    if all_known { Ok(()) } else { Err(GroupBroken::Unsupported { what: "proposal" }) }
}

/// The leaves that the commit adds; the Welcome has to be for exactly their key packages.
fn check_welcome(staged: &StagedCommit, crypto: &RustCrypto, welcome: &[u8]) -> Result<BTreeSet<Leaf>, GroupBroken> {
    let mut added = BTreeSet::new();
    let mut packages = Vec::new();
    for queued in staged.add_proposals() {
        let package = queued.add_proposal().key_package();
        let node = package.leaf_node();
        added.insert(read_leaf(node.credential(), node.signature_key().as_slice())?);
        packages.push(package.hash_ref(crypto).map_err(|_| GroupBroken::Invalid { what: "key package" })?);
    }
    let mut secrets = match welcome {
        [] => Vec::new(),
        bytes => {
            let MlsMessageBodyIn::Welcome(welcome) = read_message(bytes, "Welcome")? else {
                return Err(GroupBroken::Unsupported { what: "Welcome" });
            };
            Welcome::secrets(&welcome).iter().map(openmls::prelude::EncryptedGroupSecrets::new_member).collect()
        }
    };
    packages.sort();
    secrets.sort();
    if packages == secrets && added.len() == packages.len() { Ok(added) } else { Err(GroupBroken::OtherWelcome) }
}

/// The group info is the committer's, of the merged group: all of the context, and the confirmation tag.
fn check_group_info(
    public: &PublicGroup,
    crypto: &RustCrypto,
    committer: LeafNodeIndex,
    bytes: &[u8],
) -> Result<(), GroupBroken> {
    let info = read_group_info(bytes)?;
    check_extensions(&info)?;
    if info.group_context() != public.group_context() {
        return Err(GroupBroken::OtherGroupInfo);
    }
    // openmls keeps tag and signer to itself; the encoding has them behind context and extensions (RFC 9420 §12.4.3)
    let encoded = info.tls_serialize_detached().map_err(|_| GroupBroken::OtherGroupInfo)?;
    let mut expected = Vec::new();
    let written = info
        .group_context()
        .tls_serialize(&mut expected)
        .and_then(|_| info.extensions().tls_serialize(&mut expected))
        .and_then(|_| public.confirmation_tag().tls_serialize(&mut expected))
        .and_then(|_| committer.tls_serialize(&mut expected));
    if written.is_err() || !encoded.starts_with(&expected) {
        return Err(GroupBroken::OtherGroupInfo);
    }
    let key = public.leaf(committer).ok_or(GroupBroken::OtherGroupInfo)?.signature_key().clone();
    let key = OpenMlsSignaturePublicKey::from_signature_key(key, SUITE.signature_algorithm());
    info.verify(crypto, &key).map_err(|_| GroupBroken::OtherGroupInfo)?;
    Ok(())
}

/// Joiners need the external public key; the tree they get from the service.
fn check_extensions(info: &VerifiableGroupInfo) -> Result<(), GroupBroken> {
    let only = |extension: &Extension| matches!(extension, Extension::ExternalPub(_));
    let fits = info.extensions().external_pub().is_some() && info.extensions().iter().all(only);
    if fits { Ok(()) } else { Err(GroupBroken::Unsupported { what: "group info" }) }
}

/// Our suite, our components, the capabilities that they need, and nothing else.
fn check_context(context: &GroupContext) -> Result<(), GroupBroken> {
    let only = |extension: &Extension| {
        matches!(extension, Extension::RequiredCapabilities(_) | Extension::AppDataDictionary(_))
    };
    let dictionary = context.extensions().app_data_dictionary().map(|extension| extension.dictionary().len());
    let fits = context.ciphersuite() == SUITE
        && context.extensions().iter().count() == 2
        && context.extensions().iter().all(only)
        && dictionary == Some(2);
    if fits { Ok(()) } else { Err(GroupBroken::Unsupported { what: "group" }) }
}

fn composition(public: &PublicGroup) -> Result<Composition, GroupBroken> {
    let context = public.group_context();
    let malformed = GroupBroken::Malformed { what: "component" };
    let dictionary = context.extensions().app_data_dictionary().ok_or(malformed)?.dictionary();
    let component = |id| dictionary.get(&id).ok_or(malformed);
    let leaves = public.members().map(|member| read_leaf(&member.credential, &member.signature_key));
    Ok(Composition {
        members: Members::decode(component(Members::COMPONENT)?).map_err(|_| malformed)?,
        roles: Roles::decode(component(Roles::COMPONENT)?).map_err(|_| malformed)?,
        leaves: leaves.collect::<Result<_, _>>()?,
        epoch: context.epoch().as_u64(),
    })
}

fn followed(public: &PublicGroup, kept: &Kept) -> Result<Followed, GroupBroken> {
    let tree = public.export_ratchet_tree().tls_serialize_detached();
    Ok(Followed {
        composition: composition(public)?,
        state: kept.encode(),
        tree: tree.map_err(|_| GroupBroken::Invalid { what: "tree" })?,
    })
}
