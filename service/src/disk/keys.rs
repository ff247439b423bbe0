//! The service's three secret keys: one signs checkpoints, one signs entries, one places handles; and the setup of
//! OPAQUE, which passwords are checked with.
//!
//! A key is a file of mode 0600 with 64 hexadecimal digits, the seed; the setup one with four such lines. They are made
//! at the first start, and on disk before anything is made with them; a store with blocks and without keys does not
//! start, nor does a database of passwords without their setup.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use chain::handle::VrfSecretKey;
use chain::id::Digest;
use chain::log::note::{KeyKind, NoteSigner};
use ed25519_dalek::SigningKey;
use protocol::opaque::server::Setup;
use zeroize::Zeroizing;

use crate::disk::folder::{Folder, write_secretly};
use crate::error::StartError;

/// The keys, opened.
#[derive(Debug)]
pub(crate) struct Keys {
    log: SigningKey,
    /// Signs entries.
    pub(crate) entry: SigningKey,
    /// Places handles.
    pub(crate) vrf: VrfSecretKey,
}

impl Keys {
    /// Reads the keys, or makes them if the log is new.
    pub(crate) fn open(folder: &Folder, new_log: bool) -> Result<Self, StartError> {
        let seed = |name: &str| open_seed(&folder.key(name), new_log);
        let vrf = vrf_of(&*seed("vrf")?)?;
        let (log, entry) = (SigningKey::from_bytes(&*seed("log")?), SigningKey::from_bytes(&*seed("entry")?));
        Ok(Self { log, entry, vrf })
    }

    /// The signer of checkpoints under an origin.
    pub(crate) fn log_signer(&self, origin: &str) -> Result<NoteSigner, StartError> {
        let name = origin.parse().map_err(|_| StartError::BadOrigin)?;
        Ok(NoteSigner::new(name, KeyKind::Ed25519, self.log.clone()))
    }
}

/// Reads the key that places handles, and makes none.
pub(crate) fn read_vrf(folder: &Folder) -> Result<VrfSecretKey, StartError> {
    vrf_of(&*open_seed(&folder.key("vrf"), false)?)
}

fn vrf_of(seed: &[u8; 32]) -> Result<VrfSecretKey, StartError> {
    VrfSecretKey::from_seed(seed).map_err(|_| StartError::BadKey { name: "vrf" })
}

/// Reads the setup of OPAQUE, or makes it if there are no passwords yet.
pub(crate) fn open_setup(folder: &Folder, may_make: bool) -> Result<Setup, StartError> {
    let path = folder.key("opaque");
    if may_make && !path.try_exists()? {
        let setup = Setup::new(&mut |bytes| getrandom::fill(bytes).is_ok()).map_err(|_| StartError::NoRandomness)?;
        write_digits(&path, &Zeroizing::new(setup.to_bytes()))?;
    }
    Setup::from_bytes(&read_digits(&path, "opaque")?).map_err(|_| StartError::BadKey { name: "opaque" })
}

fn open_seed(path: &Path, may_make: bool) -> Result<Zeroizing<[u8; 32]>, StartError> {
    let missing = !path.try_exists()?;
    if missing && may_make {
        let mut seed = Zeroizing::new([0; 32]);
        getrandom::fill(seed.as_mut_slice()).map_err(|_| StartError::NoRandomness)?;
        write_digits(path, seed.as_slice())?;
    }
    let seed = read_digits(path, "seed")?;
    let seed: &[u8; 32] = seed.as_slice().try_into().map_err(|_| StartError::BadKey { name: "seed" })?;
    Ok(Zeroizing::new(*seed))
}

/// Writes a secret as lines of 64 hexadecimal digits. Its length is a multiple of 32 bytes.
fn write_digits(path: &Path, secret: &[u8]) -> Result<(), StartError> {
    let mut text = Zeroizing::new(String::with_capacity(secret.len().saturating_mul(3)));
    for part in secret.as_chunks::<32>().0 {
        text.push_str(&Zeroizing::new(Digest(*part).to_string()));
        text.push('\n');
    }
    Ok(write_secretly(path, text.as_bytes())?)
}

/// Reads what [`write_digits`] wrote.
fn read_digits(path: &Path, name: &'static str) -> Result<Zeroizing<Vec<u8>>, StartError> {
    let mut text = Zeroizing::new(String::new());
    File::open(path)?.take(1_024).read_to_string(&mut text)?;
    let mut secret = Zeroizing::new(Vec::with_capacity(text.len()));
    for line in text.lines() {
        let part: Digest = line.trim_end().parse().map_err(|_| StartError::BadKey { name })?;
        secret.extend_from_slice(&part.0);
    }
    Ok(secret)
}
