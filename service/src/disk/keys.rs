//! The service's three secret keys: one signs checkpoints, one signs entries, one places handles.
//!
//! Each is a file of mode 0600 with 64 hexadecimal digits, the seed. They are made at the first start, and on disk
//! before anything is signed; a store with blocks and without keys does not start.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use chain::handle::VrfSecretKey;
use chain::id::Digest;
use chain::log::note::{KeyKind, NoteSigner};
use ed25519_dalek::SigningKey;
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
        let vrf = VrfSecretKey::from_seed(&*seed("vrf")?).map_err(|_| StartError::BadKey { name: "vrf" })?;
        let (log, entry) = (SigningKey::from_bytes(&*seed("log")?), SigningKey::from_bytes(&*seed("entry")?));
        Ok(Self { log, entry, vrf })
    }

    /// The signer of checkpoints under an origin.
    pub(crate) fn log_signer(&self, origin: &str) -> Result<NoteSigner, StartError> {
        let name = origin.parse().map_err(|_| StartError::BadOrigin)?;
        Ok(NoteSigner::new(name, KeyKind::Ed25519, self.log.clone()))
    }
}

fn open_seed(path: &Path, may_make: bool) -> Result<Zeroizing<[u8; 32]>, StartError> {
    let missing = !path.try_exists()?;
    if missing && may_make {
        let mut seed = Zeroizing::new([0; 32]);
        getrandom::fill(seed.as_mut_slice()).map_err(|_| StartError::NoRandomness)?;
        let text = Zeroizing::new(format!("{}\n", Digest(*seed)));
        write_secretly(path, text.as_bytes())?;
    }
    let mut text = Zeroizing::new(String::new());
    File::open(path)?.take(128).read_to_string(&mut text)?;
    let seed: Digest = text.trim_end().parse().map_err(|_| StartError::BadKey { name: "seed" })?;
    Ok(Zeroizing::new(seed.0))
}
