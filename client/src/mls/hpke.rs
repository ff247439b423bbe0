//! Sealing to one device outside of groups (RFC 9180), with the suite of the groups: for history.

use openmls::prelude::OpenMlsProvider as _;
use openmls_traits::crypto::OpenMlsCrypto as _;
use openmls_traits::random::OpenMlsRand as _;
use openmls_traits::types::HpkeCiphertext;
use zeroize::Zeroizing;

use super::Mls;
use super::provider::SUITE;
use crate::error::Error;

/// A key pair for one purpose.
pub(crate) struct SealingKey {
    pub(crate) public: Vec<u8>,
    pub(crate) private: Zeroizing<Vec<u8>>,
}

/// Something sealed.
pub(crate) struct Sealed {
    pub(crate) kem_output: Vec<u8>,
    pub(crate) ciphertext: Vec<u8>,
}

impl Mls<'_> {
    /// Makes a key pair.
    ///
    /// # Errors
    /// [`Error`].
    pub(crate) fn sealing_key(&self) -> Result<SealingKey, Error> {
        let provider = self.groups();
        let seed = provider.rand().random_vec(64).map_err(|_| Error::Randomness)?;
        let made = provider.crypto().derive_hpke_keypair(SUITE.hpke_config(), &Zeroizing::new(seed));
        let pair = made.map_err(|_| Error::Mls("an HPKE key"))?;
        Ok(SealingKey { public: pair.public, private: Zeroizing::new(pair.private.to_vec()) })
    }

    /// Seals to a public key; `None` if it is no key.
    pub(crate) fn seal_to(&self, public: &[u8], info: &[u8], plain: &[u8]) -> Option<Sealed> {
        let provider = self.groups();
        let sealed = provider.crypto().hpke_seal(SUITE.hpke_config(), public, info, &[], plain).ok()?;
        Some(Sealed { kem_output: sealed.kem_output.into(), ciphertext: sealed.ciphertext.into() })
    }

    /// Opens what was sealed to a key pair; `None` if it was not, or was changed.
    pub(crate) fn open_with(&self, private: &[u8], info: &[u8], sealed: Sealed) -> Option<Zeroizing<Vec<u8>>> {
        let provider = self.groups();
        let input = HpkeCiphertext { kem_output: sealed.kem_output.into(), ciphertext: sealed.ciphertext.into() };
        let opened = provider.crypto().hpke_open(SUITE.hpke_config(), &input, private, info, &[]);
        opened.ok().map(Zeroizing::new)
    }
}
