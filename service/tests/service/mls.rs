//! A device that speaks MLS with the service: openmls in memory, real keys, real entries in the record.

use std::collections::BTreeMap;

use axum::body::Body;
use axum::http::Request;
use axum::http::request::Builder;
use chain::id::{AccountId, DeviceId};
use chain::sigchain::entry::SeenCheckpoint;
use ed25519_dalek::Signer as _;
use openmls::group::AppDataUpdates;
use openmls::prelude::tls_codec::{Deserialize as _, Serialize as _};
use openmls::prelude::*;
use openmls_rust_crypto::OpenMlsRustCrypto;
use openmls_traits::signatures::{Signer, SignerError};
use protocol::api::AccountAnswer;
use protocol::api::delivery::{
    ClaimRequest, ClaimedKeyPackage, CommitSubmission, Feed, GroupCreation, GroupState, KeyPackageCount, KeyPackages,
    MessageSubmission, Relay, Submitted, Welcomed,
};
use protocol::bytes::Base64Url;
use protocol::id::GroupId as Id;
use protocol::members::{Leaf, Members, MembersUpdate, Roles, Standing};
use serde::de::DeserializeOwned;
use service::Service;

use crate::accounts::{bearer, token};
use crate::world::{Device, LOOPBACK, answer, check_head, proven, submit};

const SUITE: Ciphersuite = Ciphersuite::MLS_128_MLKEM768X25519_AES256GCM_SHA384_Ed25519;

/// A device with its MLS state and its token.
pub(crate) struct Member {
    pub(crate) account: AccountId,
    pub(crate) device: Device,
    pub(crate) token: Base64Url,
    pub(crate) provider: OpenMlsRustCrypto,
}

impl Signer for Device {
    fn sign(&self, payload: &[u8]) -> Result<Vec<u8>, SignerError> {
        Ok(self.mls.sign(payload).to_bytes().to_vec())
    }

    fn signature_scheme(&self) -> SignatureScheme {
        SignatureScheme::ED25519
    }
}

/// The newest checkpoint.
pub(crate) fn seen(service: &Service, account: &AccountId) -> SeenCheckpoint {
    let path = format!("/v1/accounts/{account}");
    let found: AccountAnswer = answer(service, Request::get(path), "", LOOPBACK).unwrap();
    check_head(service, &found.head).1
}

/// The newest standings of accounts.
pub(crate) fn members(service: &Service, accounts: &[AccountId]) -> Members {
    let standing = |account: &AccountId| (*account, Standing::of(&proven(service, account).unwrap()));
    let standings: BTreeMap<_, _> = accounts.iter().map(standing).collect();
    Members { log: seen(service, &accounts[0]), accounts: standings }
}

fn capabilities() -> Capabilities {
    Capabilities::new(
        Some(&[ProtocolVersion::Mls10]),
        Some(&[SUITE]),
        Some(&[ExtensionType::AppDataDictionary, ExtensionType::LastResort]),
        Some(&[ProposalType::AppDataUpdate]),
        Some(&[CredentialType::Basic]),
    )
}

fn bytes_of(message: &MlsMessageOut) -> Base64Url {
    Base64Url(message.to_bytes().unwrap())
}

fn mls_id(group: &Id) -> GroupId {
    GroupId::from_slice(group.as_bytes())
}

/// What a commit does.
pub(crate) struct Plan<'a> {
    pub(crate) add: Vec<(&'a Member, Base64Url)>,
    pub(crate) remove: Vec<DeviceId>,
    pub(crate) members: Members,
    pub(crate) roles: Option<Roles>,
}

impl Plan<'_> {
    /// Only new standings.
    pub(crate) fn of(members: Members) -> Self {
        Self { add: Vec::new(), remove: Vec::new(), members, roles: None }
    }
}

impl Member {
    /// A device of an account, pending or confirmed.
    pub(crate) fn new(service: &Service, account: AccountId, device: Device) -> Self {
        let token = token(service, account, &device).unwrap();
        Self { account, device, token, provider: OpenMlsRustCrypto::default() }
    }

    /// The only device of a new account.
    pub(crate) fn alone(service: &Service) -> Self {
        let (account, device) = crate::world::account(service);
        Self::new(service, account, device)
    }

    /// Lists another device in the account.
    pub(crate) fn list(&self, service: &Service) -> Self {
        let device = Device::new();
        submit(service, &device.joining(&proven(service, &self.account).unwrap())).unwrap();
        Self::new(service, self.account, device)
    }

    /// Confirms a listed device.
    pub(crate) fn confirm(&self, service: &Service, other: &Self) {
        let set = proven(service, &self.account).unwrap();
        submit(service, &self.device.confirming(&set, &other.device)).unwrap();
    }

    /// Another confirmed device of the account.
    pub(crate) fn second(&self, service: &Service) -> Self {
        let other = self.list(service);
        self.confirm(service, &other);
        other
    }

    pub(crate) fn id(&self) -> DeviceId {
        self.device.keys().id()
    }

    fn credential(&self) -> CredentialWithKey {
        CredentialWithKey {
            credential: BasicCredential::new(Leaf::identity(&self.account, &self.id())).into(),
            signature_key: self.device.mls.verifying_key().to_bytes().as_slice().into(),
        }
    }

    pub(crate) fn request(&self, request: Builder) -> Builder {
        bearer(request, &self.token)
    }

    pub(crate) fn get<T: DeserializeOwned>(&self, service: &Service, path: &str) -> Result<T, String> {
        answer(service, self.request(Request::get(path)), "", LOOPBACK)
    }

    pub(crate) fn post<T: DeserializeOwned>(
        &self,
        service: &Service,
        path: &str,
        asked: &impl serde::Serialize,
    ) -> Result<T, String> {
        let body = Body::from(serde_json::to_vec(asked).unwrap());
        answer(service, self.request(Request::post(path)), body, LOOPBACK)
    }

    pub(crate) fn feed(&self, service: &Service, after: u64) -> Feed {
        self.get(service, &format!("/v1/feed?after={after}")).unwrap()
    }

    /// The feed without what the record has to say.
    pub(crate) fn texts(&self, service: &Service, after: u64) -> Vec<protocol::api::delivery::Delivery> {
        let mut all = self.feed(service, after).deliveries;
        all.retain(|delivery| delivery.kind != protocol::api::delivery::DeliveryKind::Record);
        all
    }

    pub(crate) fn send(&self, service: &Service, group: &Id, asked: &MessageSubmission) -> Result<Submitted, String> {
        self.post(service, &format!("/v1/groups/{group}/messages"), asked)
    }

    pub(crate) fn submit(&self, service: &Service, group: &Id, asked: &CommitSubmission) -> Result<Submitted, String> {
        self.post(service, &format!("/v1/groups/{group}/commits"), asked)
    }

    pub(crate) fn relay(&self, service: &Service, to: &Self, body: &[u8]) -> Result<Submitted, String> {
        self.post(service, "/v1/relay", &Relay { device: to.id(), body: Base64Url(body.to_vec()) })
    }

    pub(crate) fn state(&self, service: &Service, group: &Id) -> Result<GroupState, String> {
        self.get(service, &format!("/v1/groups/{group}"))
    }

    pub(crate) fn key_package(&self, last_resort: bool) -> Base64Url {
        let builder = KeyPackage::builder()
            .leaf_node_capabilities(capabilities())
            .key_package_lifetime(Lifetime::init(0, u64::MAX));
        let builder = if last_resort { builder.mark_as_last_resort() } else { builder };
        let made = builder.build(SUITE, &self.provider, &self.device, self.credential()).unwrap();
        bytes_of(&made.into_key_package().into())
    }

    pub(crate) fn offer(&self, service: &Service, one_time: usize, last_resort: bool) -> KeyPackageCount {
        let one_time = (0..one_time).map(|_| self.key_package(false)).collect();
        let last_resort = last_resort.then(|| self.key_package(true));
        self.post(service, "/v1/key-packages", &KeyPackages { one_time, last_resort }).unwrap()
    }

    pub(crate) fn claim(&self, service: &Service, of: &Self) -> Result<Base64Url, String> {
        let asked = ClaimRequest { account: of.account, device: of.id() };
        self.post::<ClaimedKeyPackage>(service, "/v1/key-packages/claim", &asked).map(|found| found.key_package)
    }

    /// A new group with the own leaf alone, not sent yet.
    pub(crate) fn creation(&self, group: &Id, members: &Members, roles: &Roles) -> GroupCreation {
        let mut dictionary = AppDataDictionary::new();
        dictionary.insert(Members::COMPONENT, members.encode());
        dictionary.insert(Roles::COMPONENT, roles.encode());
        let required = RequiredCapabilitiesExtension::new(
            &[ExtensionType::AppDataDictionary],
            &[ProposalType::AppDataUpdate],
            &[CredentialType::Basic],
        );
        let extensions = vec![
            Extension::RequiredCapabilities(required),
            Extension::AppDataDictionary(AppDataDictionaryExtension::new(dictionary)),
        ];
        let config = MlsGroupCreateConfig::builder()
            .ciphersuite(SUITE)
            .wire_format_policy(PURE_PLAINTEXT_WIRE_FORMAT_POLICY)
            .use_ratchet_tree_extension(false)
            .capabilities(capabilities())
            .lifetime(Lifetime::init(0, u64::MAX))
            .with_group_context_extensions(Extensions::from_vec(extensions).unwrap())
            .build();
        let made = MlsGroup::new_with_group_id(&self.provider, &self.device, &config, mls_id(group), self.credential());
        let made = made.unwrap();
        let info = made.export_group_info(self.provider.crypto(), &self.device, false).unwrap();
        let tree = made.export_ratchet_tree().tls_serialize_detached().unwrap();
        GroupCreation { group: *group, group_info: bytes_of(&info), tree: Base64Url(tree) }
    }

    /// Creates a group of which its account is the admin.
    pub(crate) fn create(&self, service: &Service, group: &Id) -> Submitted {
        let roles = Roles { admins: [self.account].into(), open: false };
        let asked = self.creation(group, &members(service, &[self.account]), &roles);
        self.post(service, "/v1/groups", &asked).unwrap()
    }

    pub(crate) fn group(&self, group: &Id) -> MlsGroup {
        MlsGroup::load(self.provider.storage(), &mls_id(group)).unwrap().unwrap()
    }

    fn context_members(group: &MlsGroup) -> Members {
        let dictionary = group.public_group().group_context().extensions().app_data_dictionary().unwrap();
        Members::decode(dictionary.dictionary().get(&Members::COMPONENT).unwrap()).unwrap()
    }

    /// A commit, pending here until [`Member::merge`].
    pub(crate) fn commit(&self, id: &Id, plan: &Plan<'_>) -> CommitSubmission {
        self.commit_by(id, plan, None)
    }

    /// The same with a change of the context, as a rogue makes it.
    pub(crate) fn commit_by(
        &self,
        id: &Id,
        plan: &Plan<'_>,
        context: Option<Extensions<GroupContext>>,
    ) -> CommitSubmission {
        let mut group = self.group(id);
        group.clear_pending_commit(self.provider.storage()).unwrap();
        let base_epoch = group.epoch().as_u64();
        let before = Self::context_members(&group);
        let packages = plan.add.iter().map(|(_, bytes)| read_package(&bytes.0)).collect::<Vec<_>>();
        let leaves: Vec<_> = group.members().collect();
        let removed = plan.remove.iter().map(|device| {
            let has = |member: &&openmls::prelude::Member| member.credential.serialized_content()[33..] == device.0;
            leaves.iter().find(has).unwrap().index
        });
        let update = AppDataUpdateProposal::update(Members::COMPONENT, before.update_to(&plan.members).encode());
        let roles = plan.roles.as_ref().map(|roles| AppDataUpdateProposal::update(Roles::COMPONENT, roles.encode()));
        let updates = std::iter::once(update).chain(roles).map(|it| Proposal::AppDataUpdate(Box::new(it)));
        let stage = group
            .commit_builder()
            .force_self_update(packages.is_empty())
            .propose_adds(packages)
            .propose_removals(removed.collect::<Vec<_>>());
        let stage = match context {
            Some(context) => stage.propose_group_context_extensions(context).unwrap(),
            None => stage,
        };
        let stage = stage.add_proposals(updates);
        let mut stage = stage.load_psks(self.provider.storage()).unwrap().create_group_info(true);
        let changed = changes(&before, stage.app_data_update_proposals(), stage.app_data_dictionary_updater());
        stage.with_app_data_dictionary_updates(changed);
        let built = stage.build(self.provider.rand(), self.provider.crypto(), &self.device, |_| true).unwrap();
        let (commit, welcome, info) = built.stage_commit(&self.provider).unwrap().into_messages();
        CommitSubmission {
            base_epoch,
            commit: bytes_of(&commit),
            group_info: bytes_of(&info.unwrap()),
            welcome: welcome.map(|welcome| bytes_of(&welcome)).unwrap_or_default(),
            welcomed: plan.add.iter().map(|(it, _)| Welcomed { account: it.account, device: it.id() }).collect(),
        }
    }

    pub(crate) fn merge(&self, id: &Id) {
        self.group(id).merge_pending_commit(&self.provider).unwrap();
    }

    /// An external commit from what the service has of the group.
    pub(crate) fn enter(&self, id: &Id, state: &GroupState, later: &Members) -> CommitSubmission {
        let MlsMessageBodyIn::GroupInfo(info) = read(&state.group_info.0) else { panic!("no group info") };
        let dictionary = info.group_context().extensions().app_data_dictionary().unwrap().dictionary();
        let before = Members::decode(dictionary.get(&Members::COMPONENT).unwrap()).unwrap();
        assert_eq!(info.group_id().as_slice(), id.as_bytes());
        let config = MlsGroupJoinConfig::builder().wire_format_policy(PURE_PLAINTEXT_WIRE_FORMAT_POLICY).build();
        let update = AppDataUpdateProposal::update(Members::COMPONENT, before.update_to(later).encode());
        let stage = MlsGroup::external_commit_builder()
            .with_ratchet_tree(RatchetTreeIn::tls_deserialize_exact(&state.tree.0).unwrap())
            .with_config(config)
            .build_group(&self.provider, info, self.credential())
            .unwrap()
            .add_app_data_update_proposal(update)
            .leaf_node_parameters(LeafNodeParameters::builder().with_capabilities(capabilities()).build());
        let mut stage = stage.load_psks(self.provider.storage()).unwrap().create_group_info(true);
        let changed = changes(&before, stage.app_data_update_proposals(), stage.app_data_dictionary_updater());
        stage.with_app_data_dictionary_updates(changed);
        let built = stage.build(self.provider.rand(), self.provider.crypto(), &self.device, |_| true).unwrap();
        let (_, bundle) = built.finalize(&self.provider).unwrap();
        let (commit, _, info) = bundle.into_messages();
        CommitSubmission {
            base_epoch: state.epoch,
            commit: bytes_of(&commit),
            group_info: bytes_of(&info.unwrap()),
            welcome: Base64Url::default(),
            welcomed: Vec::new(),
        }
    }

    pub(crate) fn encrypt(&self, id: &Id, text: &[u8]) -> MessageSubmission {
        let mut group = self.group(id);
        let message = group.create_message(&self.provider, &self.device, text).unwrap();
        MessageSubmission { epoch: group.epoch().as_u64(), message: bytes_of(&message) }
    }

    /// Joins by a Welcome.
    pub(crate) fn join(&self, welcome: &[u8], tree: &[u8]) {
        let MlsMessageBodyIn::Welcome(welcome) = read(welcome) else { panic!("no Welcome") };
        let config = MlsGroupJoinConfig::builder().wire_format_policy(PURE_PLAINTEXT_WIRE_FORMAT_POLICY).build();
        let tree = RatchetTreeIn::tls_deserialize_exact(tree).unwrap();
        let staged = StagedWelcome::new_from_welcome(&self.provider, &config, welcome, Some(tree)).unwrap();
        staged.into_group(&self.provider).unwrap();
    }

    /// Reads what a group's feed has: the text of a message, nothing for a commit.
    pub(crate) fn read(&self, id: &Id, message: &[u8]) -> Option<Vec<u8>> {
        let mut group = self.group(id);
        let message = MlsMessageIn::tls_deserialize_exact(message).unwrap().try_into_protocol_message().unwrap();
        match group.process_message(&self.provider, message).unwrap().into_content() {
            ProcessedMessageContent::ApplicationMessage(text) => Some(text.into_bytes()),
            ProcessedMessageContent::UnresolvedAppDataCommit(commit) => {
                let before = Self::context_members(&group);
                let updates = changes(&before, commit.app_data_update_proposals(), group.app_data_dictionary_updater());
                let staged = group.stage_app_data_commit(&self.provider, *commit, updates).unwrap();
                group.merge_staged_commit(&self.provider, staged).unwrap();
                None
            }
            other => panic!("{other:?}"),
        }
    }
}

fn changes<'p>(
    before: &Members,
    proposals: impl Iterator<Item = &'p AppDataUpdateProposal>,
    mut updater: AppDataDictionaryUpdater<'_>,
) -> Option<AppDataUpdates> {
    for proposal in proposals {
        let AppDataUpdateOperation::Update(update) = proposal.operation() else { continue };
        let value = match proposal.component_id() {
            Members::COMPONENT => before.updated(&MembersUpdate::decode(update.as_slice()).unwrap()).encode(),
            _ => update.as_slice().to_vec(),
        };
        updater.set(openmls::component::ComponentData::from_parts(proposal.component_id(), value.into()));
    }
    updater.changes()
}

fn read(bytes: &[u8]) -> MlsMessageBodyIn {
    MlsMessageIn::tls_deserialize_exact(bytes).unwrap().extract()
}

fn read_package(bytes: &[u8]) -> KeyPackage {
    let MlsMessageBodyIn::KeyPackage(package) = read(bytes) else { panic!("no key package") };
    package.validate(OpenMlsRustCrypto::default().crypto(), ProtocolVersion::Mls10).unwrap()
}
