//! What OpenMLS is given: cryptography, randomness, storage, the signing key, and the settings of every group.

use std::sync::Arc;

use ed25519_dalek::Signer as _;
use openmls::group::GroupId;
use openmls::prelude::{
    BasicCredential, Capabilities, Ciphersuite, CredentialType, CredentialWithKey, ExtensionType, Lifetime, MlsGroup,
    MlsGroupJoinConfig, OpenMlsProvider, PURE_PLAINTEXT_WIRE_FORMAT_POLICY, ProposalType, ProtocolVersion,
    RequiredCapabilitiesExtension, SenderRatchetConfiguration, WireFormatPolicy,
};
use openmls_rust_crypto::RustCrypto;
use openmls_traits::signatures::{Signer, SignerError};
use openmls_traits::types::SignatureScheme;
use protocol::members::Leaf;

use super::Layout;
use super::composition;
use super::loaded::Loaded;
use super::storage::{Room, Storage};
use crate::device::Device;
use crate::error::Error;
use crate::own::random;
use crate::store::Store;

/// ML-KEM-768 with X25519, AES-256-GCM, SHA-384, Ed25519 (draft-ietf-mls-pq-ciphersuites).
pub(super) const SUITE: Ciphersuite = Ciphersuite::MLS_128_MLKEM768X25519_AES256GCM_SHA384_Ed25519;
/// How far back in a sender's ratchet a message may be.
const OUT_OF_ORDER: u32 = 32;
/// How far ahead: messages that never came must not end a ratchet.
const FORWARD: u32 = 2_000;

/// Past epochs that OpenMLS keeps; see `storage`, which keeps them instead.
pub(super) const PAST_EPOCHS: usize = 0;

const EXTENSIONS: [ExtensionType; 2] = [ExtensionType::AppDataDictionary, ExtensionType::LastResort];
const PROPOSALS: [ProposalType; 1] = [ProposalType::AppDataUpdate];
const CREDENTIALS: [CredentialType; 1] = [CredentialType::Basic];

/// The provider of OpenMLS over one room of the store.
pub(super) struct Provider<'a> {
    crypto: RustCrypto,
    storage: Storage<'a>,
    loaded: Option<&'a Loaded>,
}

impl<'a> Provider<'a> {
    /// Groups are kept in memory only if there is a place for it, and only those that this device is in.
    pub(super) fn new(store: Store<'a>, room: Room, loaded: Option<&'a Loaded>) -> Self {
        Self { crypto: RustCrypto::default(), storage: Storage::new(store, room), loaded }
    }

    /// A group: from memory, or from the store.
    pub(super) fn load(&self, id: &GroupId) -> Result<MlsGroup, Error> {
        if let Some(loaded) = self.loaded
            && let Some(stamp) = self.storage.stamp(id)?
            && let Some(group) = loaded.take(id, &stamp)
        {
            return Ok(group);
        }
        let group = self.storage.settle(MlsGroup::load(&self.storage, id))?;
        group.map_err(|_| Error::Damaged)?.ok_or(Error::Fault("there is no such group"))
    }

    /// Looks at a group, and changes nothing.
    pub(super) fn look<T>(&self, id: &GroupId, at: impl Fn(&MlsGroup) -> T) -> Result<T, Error> {
        if let Some(loaded) = self.loaded
            && let Some(stamp) = self.storage.stamp(id)?
            && let Some(seen) = loaded.look(id, &stamp, &at)
        {
            return Ok(seen);
        }
        let group = self.load(id)?;
        let seen = at(&group);
        self.keep(group)?;
        Ok(seen)
    }

    /// Leaves and composition of a group as the store has it, if they were read before.
    pub(super) fn layout_as_stored(&self, id: &GroupId) -> Result<Option<Layout>, Error> {
        let Some(loaded) = self.loaded else { return Ok(None) };
        Ok(self.storage.stamp(id)?.and_then(|stamp| loaded.layout_at(id, &stamp)))
    }

    /// Leaves and composition of a group; that they have another form would be this program's fault.
    pub(super) fn layout(&self, group: &MlsGroup) -> Result<Layout, Error> {
        let loaded = self.loaded.filter(|_| self.storage.room() == Room::Groups);
        if let Some(layout) = loaded.and_then(|loaded| loaded.layout(group)) {
            return Ok(layout);
        }
        let leaves = composition::leaves(group.members()).map_err(|_| Error::Damaged)?;
        let context = group.public_group().group_context();
        let composition =
            composition::composition(context, composition::only_leaves(&leaves)).map_err(|_| Error::Damaged)?;
        let layout = Layout { leaves: Arc::new(leaves), composition: Arc::new(composition) };
        if let Some(loaded) = loaded {
            loaded.keep_layout(group, layout.clone());
        }
        Ok(layout)
    }

    /// Keeps a group in memory: one that is as the store has it, by the end of a call that went well (TXN-3).
    pub(super) fn keep(&self, group: MlsGroup) -> Result<(), Error> {
        let (Some(loaded), Room::Groups) = (self.loaded, self.storage.room()) else { return Ok(()) };
        let stamp = match self.storage.stamp(group.group_id())? {
            Some(stamp) => stamp,
            None => {
                let stamp = random()?;
                self.storage.put_stamp(group.group_id(), &stamp)?;
                stamp
            }
        };
        loaded.keep(stamp, group);
        Ok(())
    }
}

impl<'a> OpenMlsProvider for Provider<'a> {
    type CryptoProvider = RustCrypto;
    type RandProvider = RustCrypto;
    type StorageProvider = Storage<'a>;

    fn storage(&self) -> &Storage<'a> {
        &self.storage
    }

    fn crypto(&self) -> &RustCrypto {
        &self.crypto
    }

    fn rand(&self) -> &RustCrypto {
        &self.crypto
    }
}

impl Signer for Device {
    fn sign(&self, payload: &[u8]) -> Result<Vec<u8>, SignerError> {
        Ok(self.mls.sign(payload).to_bytes().to_vec())
    }

    fn signature_scheme(&self) -> SignatureScheme {
        SignatureScheme::ED25519
    }
}

/// The credential of a device's leaf, with its signature key.
pub(super) fn credential(device: &Device) -> CredentialWithKey {
    let identity = Leaf::identity(&device.account, &device.id());
    CredentialWithKey {
        credential: BasicCredential::new(identity).into(),
        signature_key: device.mls.verifying_key().to_bytes().as_slice().into(),
    }
}

/// What every leaf can do.
pub(super) fn capabilities() -> Capabilities {
    Capabilities::new(
        Some(&[ProtocolVersion::Mls10]),
        Some(&[SUITE]),
        Some(&EXTENSIONS),
        Some(&PROPOSALS),
        Some(&CREDENTIALS),
    )
}

/// What every group requires.
pub(super) fn required() -> RequiredCapabilitiesExtension {
    RequiredCapabilitiesExtension::new(&[ExtensionType::AppDataDictionary], &PROPOSALS, &CREDENTIALS)
}

/// No limit. Whether a leaf counts is what the record says (GRP-1); OpenMLS would compare a lifetime with the clock of
/// the machine, and a device whose clock is off could neither be added nor add anybody.
pub(super) fn lifetime() -> Lifetime {
    Lifetime::init(0, u64::MAX)
}

/// The settings of a group that is joined.
pub(super) fn join_config() -> MlsGroupJoinConfig {
    MlsGroupJoinConfig::builder()
        .wire_format_policy(wire_format())
        .max_past_epochs(PAST_EPOCHS)
        .sender_ratchet_configuration(ratchet())
        .use_ratchet_tree_extension(false)
        .padding_size(0)
        .number_of_resumption_psks(0)
        .build()
}

/// Commits are PublicMessages: the service checks them.
pub(super) fn wire_format() -> WireFormatPolicy {
    PURE_PLAINTEXT_WIRE_FORMAT_POLICY
}

/// The bounds of a sender's ratchet.
pub(super) fn ratchet() -> SenderRatchetConfiguration {
    SenderRatchetConfiguration::new(OUT_OF_ORDER, FORWARD)
}
