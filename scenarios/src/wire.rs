//! What whoever sees MLS messages pass can read of them.

use openmls::prelude::tls_codec::Deserialize as _;
use openmls::prelude::{EncryptedGroupSecrets, MlsMessageBodyIn, MlsMessageIn, ProtocolVersion};
use openmls_rust_crypto::RustCrypto;

/// The references of the key packages that a Welcome is for; none without one.
///
/// # Panics
/// If it is something else.
pub fn welcomed(welcome: &[u8]) -> Vec<Vec<u8>> {
    if welcome.is_empty() {
        return Vec::new();
    }
    let MlsMessageBodyIn::Welcome(welcome) = read(welcome) else { panic!("no Welcome") };
    let references = welcome.secrets().iter().map(EncryptedGroupSecrets::new_member);
    references.map(|reference| reference.as_slice().to_vec()).collect()
}

/// The reference of a key package (RFC 9420 §5.2).
///
/// # Panics
/// If it is something else.
pub fn reference(key_package: &[u8]) -> Vec<u8> {
    let MlsMessageBodyIn::KeyPackage(key_package) = read(key_package) else { panic!("no key package") };
    let crypto = RustCrypto::default();
    let key_package = key_package.validate(&crypto, ProtocolVersion::Mls10).unwrap();
    key_package.hash_ref(&crypto).unwrap().as_slice().to_vec()
}

fn read(bytes: &[u8]) -> MlsMessageBodyIn {
    MlsMessageIn::tls_deserialize_exact(bytes).unwrap().extract()
}
