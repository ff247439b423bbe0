//! Somebody who speaks MLS as well as any device and writes another's name into its leaf: groups, Welcomes and commits
//! that only the record shows to be wrong. A service has all that it takes. Or somebody with a true account, who says in
//! groups what no program of ours says.

use std::sync::atomic::{AtomicU64, Ordering};

use chain::id::{AccountId, DeviceId};
use ed25519_dalek::Signer as _;
use openmls::component::ComponentData;
use openmls::group::AppDataUpdates;
use openmls::prelude::tls_codec::{Deserialize as _, Serialize as _};
use openmls::prelude::*;
use openmls_rust_crypto::OpenMlsRustCrypto;
use openmls_traits::signatures::{Signer, SignerError};
use protocol::api::accounts::{Challenge, TOKEN_CHALLENGE, TOKENS, Token, TokenRequest, token_request};
use protocol::api::delivery::{
    CommitSubmission, Delivery, DeliveryKind, FEED, Feed, GROUPS, GroupState, KEY_PACKAGES, KeyPackageCount,
    KeyPackages, MessageSubmission, Submitted,
};
use protocol::api::{ENTRIES, EntryAccepted, HANDLE_LOOKUP, HandleAnswer, HandleQuestion};
use protocol::bytes::Base64Url;
use protocol::id::GroupId as Id;
use protocol::members::{Leaf, Members, MembersUpdate, Roles};

use crate::people::Device;
use crate::town::Town;

mod older;

static NUMBER: AtomicU64 = AtomicU64::new(1);

const ORIGIN: &str = "town.example/log";

const SUITE: Ciphersuite = Ciphersuite::MLS_128_MLKEM768X25519_AES256GCM_SHA384_Ed25519;

/// Keys of its own, and a name that it goes by.
pub struct Impostor {
    account: AccountId,
    device: DeviceId,
    keys: Device,
    provider: OpenMlsRustCrypto,
}

impl Signer for Device {
    fn sign(&self, payload: &[u8]) -> Result<Vec<u8>, SignerError> {
        Ok(self.mls.sign(payload).to_bytes().to_vec())
    }

    fn signature_scheme(&self) -> SignatureScheme {
        SignatureScheme::ED25519
    }
}

impl Impostor {
    /// Goes by the name of this device of this account.
    pub fn new(account: AccountId, device: DeviceId) -> Self {
        Self { account, device, keys: Device::new(), provider: OpenMlsRustCrypto::default() }
    }

    /// Opens a true account in a town, with a name, and puts key packages there.
    pub fn sign_up(town: &Town, handle: &str) -> Self {
        let keys = Device::new();
        let question = HandleQuestion { handle: handle.to_owned(), from: None };
        let named: HandleAnswer = town.ask_for(HANDLE_LOOKUP, Some(json(&question)), None);
        let statement = keys.opening(Some(named.label.parse().unwrap()));
        let account = statement.position.account;
        let _: EntryAccepted =
            town.ask_for(&format!("{ENTRIES}?wait=quorum"), Some(keys.sign(statement, ORIGIN)), None);
        Self { account, device: keys.id(), keys, provider: OpenMlsRustCrypto::default() }.with_key_packages(town)
    }

    fn with_key_packages(self, town: &Town) -> Self {
        let packages = KeyPackages { one_time: (0..3).map(|_| self.key_package()).collect(), last_resort: None };
        let _: KeyPackageCount = town.ask_for(KEY_PACKAGES, Some(json(&packages)), Some(self.bearer(town)));
        self
    }

    fn key_package(&self) -> Base64Url {
        let builder = KeyPackage::builder().leaf_node_capabilities(capabilities());
        let builder = builder.key_package_lifetime(Lifetime::init(0, u64::MAX));
        let made = builder.build(SUITE, &self.provider, &self.keys, self.credential()).unwrap();
        bytes_of(&made.into_key_package().into())
    }

    fn bearer(&self, town: &Town) -> String {
        let Challenge { challenge } = town.ask_for(TOKEN_CHALLENGE, Some(b"{}".to_vec()), None);
        // greater than before, whoever asked
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let message = token_request(ORIGIN, &self.account, &self.device, number, &challenge.0);
        let signature = Base64Url(self.keys.chain.sign(&message).to_bytes().to_vec());
        let request = TokenRequest { account: self.account, device: self.device, challenge, number, signature };
        let Token { token, .. } = town.ask_for(TOKENS, Some(json(&request)), None);
        serde_json::to_value(&token).unwrap().as_str().unwrap().to_owned()
    }

    fn feed(&self, town: &Town) -> Vec<Delivery> {
        let feed: Feed = town.ask_for(&format!("{FEED}?after=0"), None, Some(self.bearer(town)));
        feed.deliveries
    }

    /// Comes into the one group that it was welcomed to.
    pub fn join(&self, town: &Town) -> Id {
        self.join_one(town, |_| true)
    }

    /// Comes into the first group of these that it was welcomed to.
    fn join_one(&self, town: &Town, is_meant: impl Fn(&Id) -> bool) -> Id {
        let feed = self.feed(town);
        let is_it = |it: &&Delivery| it.kind == DeliveryKind::Welcome && it.group.is_some_and(|group| is_meant(&group));
        let welcome = feed.iter().find(is_it).unwrap();
        let (id, epoch) = (welcome.group.unwrap(), welcome.epoch);
        let path = format!("{GROUPS}/{id}?epoch={epoch}");
        let state: GroupState = town.ask_for(&path, None, Some(self.bearer(town)));
        let MlsMessageBodyIn::Welcome(welcome) = read(&welcome.bytes.0) else { panic!("no Welcome") };
        let tree = RatchetTreeIn::tls_deserialize_exact(&state.tree.0).unwrap();
        let config = MlsGroupJoinConfig::builder().wire_format_policy(PURE_PLAINTEXT_WIRE_FORMAT_POLICY).build();
        let staged = StagedWelcome::new_from_welcome(&self.provider, &config, welcome, Some(tree)).unwrap();
        staged.into_group(&self.provider).unwrap();
        id
    }

    /// What others say in a group, as it was encrypted: each with its content.
    pub fn hear(&self, town: &Town, id: &Id) -> Vec<Vec<u8>> {
        let mut group = self.load(id);
        let mut heard = Vec::new();
        for delivery in self.feed(town).iter().filter(|it| it.kind == DeliveryKind::Message) {
            let MlsMessageBodyIn::PrivateMessage(message) = read(&delivery.bytes.0) else { continue };
            let Ok(processed) = group.process_message(&self.provider, message) else { continue };
            if let ProcessedMessageContent::ApplicationMessage(message) = processed.into_content() {
                heard.push(message.into_bytes());
            }
        }
        heard
    }

    /// Says something in a group: this content, under this authenticated data.
    pub fn say(&self, town: &Town, id: &Id, aad: &[u8], content: &[u8]) {
        let mut group = self.load(id);
        group.set_aad(aad.to_vec());
        let message = bytes_of(&group.create_message(&self.provider, &self.keys, content).unwrap());
        let submission = MessageSubmission { epoch: group.epoch().as_u64(), message };
        let path = format!("{GROUPS}/{id}/messages");
        let _: Submitted = town.ask_for(&path, Some(json(&submission)), Some(self.bearer(town)));
    }

    fn load(&self, id: &Id) -> MlsGroup {
        MlsGroup::load(self.provider.storage(), &GroupId::from_slice(id.as_bytes())).unwrap().unwrap()
    }

    fn credential(&self) -> CredentialWithKey {
        CredentialWithKey {
            credential: BasicCredential::new(Leaf::identity(&self.account, &self.device)).into(),
            signature_key: self.keys.mls.verifying_key().to_bytes().as_slice().into(),
        }
    }

    /// A group of its own, that says to have these members.
    pub fn group(&self, id: &Id, members: &Members) -> GroupState {
        let mut dictionary = AppDataDictionary::new();
        dictionary.insert(Members::COMPONENT, members.encode());
        dictionary.insert(Roles::COMPONENT, Roles::default().encode());
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
        let id = GroupId::from_slice(id.as_bytes());
        let made = MlsGroup::new_with_group_id(&self.provider, &self.keys, &config, id, self.credential()).unwrap();
        self.state(&made)
    }

    fn state(&self, group: &MlsGroup) -> GroupState {
        let info = group.export_group_info(self.provider.crypto(), &self.keys, false).unwrap();
        let tree = group.export_ratchet_tree().tls_serialize_detached().unwrap();
        let epoch = group.epoch().as_u64();
        GroupState { epoch, position: 0, group_info: bytes_of(&info), tree: Base64Url(tree) }
    }

    /// Lets somebody into its group by a key package: the Welcome, and the group after it.
    pub fn welcome(&self, id: &Id, key_package: &[u8]) -> (Base64Url, GroupState) {
        let mut group = self.load(id);
        let MlsMessageBodyIn::KeyPackage(package) = read(key_package) else { panic!("no key package") };
        let package = package.validate(self.provider.crypto(), ProtocolVersion::Mls10).unwrap();
        let (_, welcome, _) = group.add_members(&self.provider, &self.keys, &[package]).unwrap();
        group.merge_pending_commit(&self.provider).unwrap();
        (bytes_of(&welcome), self.state(&group))
    }

    /// A group as the service has it.
    pub fn state_of(&self, town: &Town, id: &Id) -> GroupState {
        town.ask_for(&format!("{GROUPS}/{id}"), None, Some(self.bearer(town)))
    }

    /// Hands a commit to the service.
    pub fn submit(&self, town: &Town, id: &Id, commit: &CommitSubmission) {
        let path = format!("{GROUPS}/{id}/commits");
        let _: Submitted = town.ask_for(&path, Some(json(commit)), Some(self.bearer(town)));
    }

    /// Comes into somebody else's group, or anew into its own, by an external commit.
    pub fn enter(&self, state: &GroupState) -> CommitSubmission {
        let MlsMessageBodyIn::GroupInfo(info) = read(&state.group_info.0) else { panic!("no group info") };
        let dictionary = info.group_context().extensions().app_data_dictionary().unwrap().dictionary();
        let before = Members::decode(dictionary.get(&Members::COMPONENT).unwrap()).unwrap();
        let config = MlsGroupJoinConfig::builder().wire_format_policy(PURE_PLAINTEXT_WIRE_FORMAT_POLICY).build();
        let update = AppDataUpdateProposal::update(Members::COMPONENT, before.update_to(&before).encode());
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
        let built = stage.build(self.provider.rand(), self.provider.crypto(), &self.keys, |_| true).unwrap();
        let (_, bundle) = built.finalize(&self.provider).unwrap();
        let (commit, _, group_info) = bundle.into_messages();
        CommitSubmission {
            base_epoch: state.epoch,
            commit: bytes_of(&commit),
            group_info: bytes_of(&group_info.unwrap()),
            welcome: Base64Url::default(),
            welcomed: Vec::new(),
        }
    }
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

fn changes<'p>(
    before: &Members,
    proposals: impl Iterator<Item = &'p AppDataUpdateProposal>,
    mut updater: AppDataDictionaryUpdater<'_>,
) -> Option<AppDataUpdates> {
    for proposal in proposals {
        let AppDataUpdateOperation::Update(update) = proposal.operation() else { continue };
        let value = before.updated(&MembersUpdate::decode(update.as_slice()).unwrap()).encode();
        updater.set(ComponentData::from_parts(proposal.component_id(), value.into()));
    }
    updater.changes()
}

fn bytes_of(message: &MlsMessageOut) -> Base64Url {
    Base64Url(message.to_bytes().unwrap())
}

fn read(bytes: &[u8]) -> MlsMessageBodyIn {
    MlsMessageIn::tls_deserialize_exact(bytes).unwrap().extract()
}

fn json(value: &impl serde::Serialize) -> Vec<u8> {
    serde_json::to_vec(value).unwrap()
}
