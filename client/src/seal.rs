//! Values at rest: sealed one by one with XChaCha20-Poly1305 under the store's key and a random nonce.
//!
//! A value is bound to its place, so that nobody who can write the file moves one elsewhere (attack 62). Not in scope:
//! where the key is kept (the shell), rollback of the whole file (the service's counters and the record notice it).

use chacha20poly1305::aead::{Aead as _, KeyInit as _, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use chain::id::Digest;
use zeroize::Zeroizing;

use crate::error::Error;

const NONCE: usize = 24;

/// The key of a device's store: 32 bytes.
#[derive(Clone)]
pub struct StoreKey(Zeroizing<[u8; 32]>);

impl StoreKey {
    /// Takes the key.
    pub fn new(key: [u8; 32]) -> Self {
        Self(Zeroizing::new(key))
    }

    pub(crate) fn seal(&self, place: &[&[u8]], value: &[u8]) -> Result<Vec<u8>, Error> {
        let mut nonce = [0; NONCE];
        getrandom::fill(&mut nonce).map_err(|_| Error::Randomness)?;
        let aad = place_bytes(place);
        let payload = Payload { msg: value, aad: &aad };
        let sealed = self.cipher().encrypt(XNonce::from_slice(&nonce), payload).map_err(|_| Error::Damaged)?;
        Ok([nonce.as_slice(), &sealed].concat())
    }

    pub(crate) fn open(&self, place: &[&[u8]], sealed: &[u8]) -> Result<Vec<u8>, Error> {
        let (nonce, sealed) = sealed.split_at_checked(NONCE).ok_or(Error::Damaged)?;
        let aad = place_bytes(place);
        let payload = Payload { msg: sealed, aad: &aad };
        self.cipher().decrypt(XNonce::from_slice(nonce), payload).map_err(|_| Error::Damaged)
    }

    /// What stands for a name where values are found by it: without the key nobody tells which name it is.
    pub(crate) fn pseudonym(&self, space: &str, name: &[u8]) -> [u8; 32] {
        let place = place_bytes(&[b"pseudonym", space.as_bytes(), name]);
        Digest::sha256(&Zeroizing::new([self.0.as_slice(), &place].concat())).0
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new(self.0.as_slice().into())
    }
}

impl std::fmt::Debug for StoreKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("StoreKey(..)")
    }
}

/// The parts of a place, each behind its length, so that two places never have the same bytes.
fn place_bytes(place: &[&[u8]]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(128);
    for part in place {
        bytes.extend_from_slice(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        bytes.extend_from_slice(part);
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Attack 62: a thief of the disk cannot try names.
    #[test]
    fn a_name_is_found_by_whoever_has_the_key() {
        let key = StoreKey::new([7; 32]);
        assert_eq!(key.pseudonym("handle", b"bob"), key.pseudonym("handle", b"bob"));
        let others = [
            key.pseudonym("handle", b"eve"),
            key.pseudonym("title", b"bob"),
            StoreKey::new([8; 32]).pseudonym("handle", b"bob"),
        ];
        assert!(!others.contains(&key.pseudonym("handle", b"bob")));
    }

    /// Attack 62: not readable without the key, not movable with the file.
    #[test]
    fn a_value_opens_with_its_key_at_its_place_only() {
        let key = StoreKey::new([7; 32]);
        let sealed = key.seal(&[b"a", b"bc"], b"secret").unwrap();
        assert_eq!(key.open(&[b"a", b"bc"], &sealed).unwrap(), b"secret");
        assert!(!sealed.windows(6).any(|window| window == b"secret"));
        assert!(key.open(&[b"ab", b"c"], &sealed).is_err());
        assert!(StoreKey::new([8; 32]).open(&[b"a", b"bc"], &sealed).is_err());
        assert!(key.open(&[b"a", b"bc"], &sealed[..10]).is_err());
        assert_ne!(sealed, key.seal(&[b"a", b"bc"], b"secret").unwrap());
    }
}
