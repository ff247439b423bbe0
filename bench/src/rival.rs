//! The rival's side: `akd` in the configuration that its largest user runs, in memory, without parallelism.

use akd::ecvrf::HardCodedAkdVRF;
use akd::proto::specs::types as wire;
use akd::storage::StorageManager;
use akd::storage::memory::AsyncInMemoryDatabase;
use akd::{
    AkdLabel, AkdValue, AppendOnlyProof, AzksParallelismConfig, Digest, Directory, EpochHash, LookupProof,
    WhatsAppV1Configuration,
};
use protobuf::Message as _;
use tokio::runtime::Runtime;

use crate::accounts::Account;

type InMemory = Directory<WhatsAppV1Configuration, AsyncInMemoryDatabase, HardCodedAkdVRF>;

/// A directory, with the roots of its two newest epochs.
pub struct Rival {
    runtime: Runtime,
    directory: InMemory,
    key: Vec<u8>,
    before: EpochHash,
    newest: EpochHash,
}

impl Default for Rival {
    fn default() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let storage = StorageManager::new_no_cache(AsyncInMemoryDatabase::new());
        let directory = Directory::new(storage, HardCodedAkdVRF, AzksParallelismConfig::disabled());
        let directory: InMemory = runtime.block_on(directory).unwrap();
        let key = runtime.block_on(directory.get_public_key()).unwrap().as_bytes().to_vec();
        let empty = runtime.block_on(directory.get_epoch_hash()).unwrap();
        Self { runtime, directory, key, before: empty.clone(), newest: empty }
    }
}

/// Accounts in the rival's types.
pub fn batch(accounts: &[Account]) -> Vec<(AkdLabel, AkdValue)> {
    accounts.iter().map(|(label, value)| (AkdLabel::from(label), AkdValue(value.to_vec()))).collect()
}

impl Rival {
    /// Publishes one epoch.
    pub fn publish(&mut self, batch: Vec<(AkdLabel, AkdValue)>) {
        let newest = self.runtime.block_on(self.directory.publish(batch)).unwrap();
        self.before = std::mem::replace(&mut self.newest, newest);
    }

    /// The bytes that prove what an account holds.
    pub fn prove(&self, label: &str) -> Vec<u8> {
        let (proof, _) = self.runtime.block_on(self.directory.lookup(AkdLabel::from(label))).unwrap();
        wire::LookupProof::from(&proof).write_to_bytes().unwrap()
    }

    /// Proves an account's value to someone who has only the root.
    pub fn verify(&self, (label, value): &Account, bytes: &[u8]) {
        let EpochHash(epoch, root) = self.newest;
        let proof = LookupProof::try_from(&wire::LookupProof::parse_from_bytes(bytes).unwrap()).unwrap();
        let label = AkdLabel::from(label);
        let found = akd::client::lookup_verify::<WhatsAppV1Configuration>(&self.key, root, epoch, label, proof);
        assert_eq!(found.unwrap().value.0, value);
    }

    /// The bytes that prove the last publish to an auditor.
    pub fn prove_transition(&self) -> Vec<u8> {
        let proof = self.runtime.block_on(self.directory.audit(self.before.0, self.newest.0)).unwrap();
        wire::AppendOnlyProof::from(&proof).write_to_bytes().unwrap()
    }

    /// Checks that nothing but those leaves was added.
    pub fn verify_transition(&self, bytes: &[u8]) {
        let proof = AppendOnlyProof::try_from(&wire::AppendOnlyProof::parse_from_bytes(bytes).unwrap()).unwrap();
        let hashes: Vec<Digest> = vec![self.before.1, self.newest.1];
        let verified = akd::auditor::audit_verify::<WhatsAppV1Configuration>(hashes, proof);
        self.runtime.block_on(verified).unwrap();
    }
}
