//! Where the key of a profile's store is kept: in the file `store.key` beside it, wrapped under a passphrase or not.
//!
//! Wrapped: XChaCha20-Poly1305 under Argon2id of the passphrase (RFC 9106 §4, second recommended option: 3 passes, 64 MiB,
//! 4 lanes). Not wrapped: whoever can read this user's files can read the messages, and the person is told so. The
//! desktop's keyring is not used. A key is made once, is never replaced, and nothing is deleted when it does not open.

use std::io;
use std::path::{Path, PathBuf};

use argon2::{Algorithm, Argon2, Params, Version};
use chacha20poly1305::aead::{Aead as _, KeyInit as _, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use client::StoreKey;
use protocol::bytes::Base64Url;
use serde::{Deserialize, Serialize};
use witness::durable;
use zeroize::Zeroizing;

use crate::failure::{Failure, Kind};

const FORMAT: &str = "trefoil store key 1";
const KEY: usize = 32;
const NONCE: usize = 24;
const SALT: usize = 16;
/// RFC 9106 §4.
const STRETCHING: Stretching = Stretching { memory_kib: 65_536, passes: 3, lanes: 4 };
/// What a file may ask for at most: it may be somebody else's (1 GiB, 16 passes, 16 lanes).
const MOST: Stretching = Stretching { memory_kib: 1_048_576, passes: 16, lanes: 16 };

/// The file of a profile's key.
#[derive(Debug, Clone)]
pub(crate) struct KeyFile(PathBuf);

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Content {
    format: String,
    #[serde(flatten)]
    kept: Kept,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kept {
    /// As it is.
    Plain(Base64Url),
    /// Under a passphrase.
    Wrapped(Wrapped),
}

#[derive(Serialize, Deserialize)]
struct Wrapped {
    argon2id: Stretching,
    salt: Base64Url,
    nonce: Base64Url,
    sealed: Base64Url,
}

/// How hard trying a passphrase is (RFC 9106).
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Stretching {
    memory_kib: u32,
    passes: u32,
    lanes: u32,
}

impl KeyFile {
    /// The key's place in a profile's folder.
    pub(crate) fn of(folder: &Path) -> Self {
        Self(folder.join("store.key"))
    }

    /// True if there is a key.
    pub(crate) fn exists(&self) -> bool {
        self.0.exists()
    }

    /// Makes a key and keeps it, wrapped if there is a passphrase. It is on disk before it is used.
    ///
    /// # Errors
    /// `store.key_exists`, `store.io`, `app.broken` without randomness.
    pub(crate) fn create(&self, passphrase: Option<&str>) -> Result<StoreKey, Failure> {
        self.create_with(passphrase, STRETCHING)
    }

    fn create_with(&self, passphrase: Option<&str>, stretching: Stretching) -> Result<StoreKey, Failure> {
        if self.exists() {
            return Err(Failure::new(Kind::Refused, "store.key_exists", "this profile has a key already"));
        }
        let key = Zeroizing::new(random::<KEY>()?);
        let kept = match passphrase {
            None => Kept::Plain(Base64Url(key.to_vec())),
            Some(passphrase) => Kept::Wrapped(wrap(&key, passphrase, stretching)?),
        };
        let content = Content { format: FORMAT.to_owned(), kept };
        let bytes = Zeroizing::new(serde_json::to_vec(&content).map_err(Failure::broken)?);
        durable::replace(&self.0, &bytes).map_err(|error| self.disk(&error))?;
        Ok(StoreKey::new(*key))
    }

    /// The key, if it is kept without a passphrase; `None` if one is needed.
    ///
    /// # Errors
    /// `store.io`, `store.corrupt`.
    pub(crate) fn open_plain(&self) -> Result<Option<StoreKey>, Failure> {
        match self.read()? {
            Kept::Plain(key) => Ok(Some(StoreKey::new(key.0.as_slice().try_into().map_err(|_| self.corrupt())?))),
            Kept::Wrapped(_) => Ok(None),
        }
    }

    /// The key, with the passphrase if it needs one.
    ///
    /// # Errors
    /// `store.locked` for a wrong passphrase, `store.io`, `store.corrupt`.
    pub(crate) fn open(&self, passphrase: &str) -> Result<StoreKey, Failure> {
        let wrapped = match self.read()? {
            Kept::Plain(key) => {
                return Ok(StoreKey::new(key.0.as_slice().try_into().map_err(|_| self.corrupt())?));
            }
            Kept::Wrapped(wrapped) => wrapped,
        };
        let nonce: [u8; NONCE] = wrapped.nonce.0.as_slice().try_into().map_err(|_| self.corrupt())?;
        let cipher = cipher(passphrase, &wrapped.salt.0, wrapped.argon2id).ok_or_else(|| self.corrupt())?;
        let payload = Payload { msg: &wrapped.sealed.0, aad: FORMAT.as_bytes() };
        let opened = cipher.decrypt(XNonce::from_slice(&nonce), payload).map(Zeroizing::new);
        let wrong = |_| Failure::new(Kind::Refused, "store.locked", "this passphrase doesn't open your messages");
        let opened = opened.map_err(wrong)?;
        Ok(StoreKey::new(opened.as_slice().try_into().map_err(|_| self.corrupt())?))
    }

    fn read(&self) -> Result<Kept, Failure> {
        let bytes = Zeroizing::new(std::fs::read(&self.0).map_err(|error| self.disk(&error))?);
        let content: Content = serde_json::from_slice(&bytes).map_err(|_| self.corrupt())?;
        if content.format != FORMAT {
            return Err(self.corrupt());
        }
        Ok(content.kept)
    }

    fn disk(&self, error: &io::Error) -> Failure {
        Failure::new(Kind::Broken, "store.io", format_args!("{}: {error}", self.0.display()))
    }

    fn corrupt(&self) -> Failure {
        let message = format_args!("{} is not a key that this program wrote; nothing was deleted", self.0.display());
        Failure::new(Kind::Broken, "store.corrupt", message)
    }
}

fn wrap(key: &[u8; KEY], passphrase: &str, stretching: Stretching) -> Result<Wrapped, Failure> {
    let (salt, nonce) = (random::<SALT>()?, random::<NONCE>()?);
    let cipher = cipher(passphrase, &salt, stretching).ok_or_else(|| Failure::broken("Argon2id"))?;
    let payload = Payload { msg: key, aad: FORMAT.as_bytes() };
    let sealed = cipher.encrypt(XNonce::from_slice(&nonce), payload).map_err(Failure::broken)?;
    let bytes = |bytes: &[u8]| Base64Url(bytes.to_vec());
    Ok(Wrapped { argon2id: stretching, salt: bytes(&salt), nonce: bytes(&nonce), sealed: Base64Url(sealed) })
}

/// `None` for parameters or a salt beyond all bounds.
fn cipher(passphrase: &str, salt: &[u8], asked: Stretching) -> Option<XChaCha20Poly1305> {
    if asked.memory_kib > MOST.memory_kib || asked.passes > MOST.passes || asked.lanes > MOST.lanes {
        return None;
    }
    let params = Params::new(asked.memory_kib, asked.passes, asked.lanes, Some(KEY)).ok()?;
    let mut key = Zeroizing::new([0; KEY]);
    let stretching = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    stretching.hash_password_into(passphrase.as_bytes(), salt, key.as_mut_slice()).ok()?;
    Some(XChaCha20Poly1305::new(key.as_slice().into()))
}

/// Random bytes of the system.
pub(crate) fn random<const LEN: usize>() -> Result<[u8; LEN], Failure> {
    let mut bytes = [0; LEN];
    getrandom::fill(&mut bytes).map_err(Failure::broken)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt as _;

    use super::*;

    const CHEAP: Stretching = Stretching { memory_kib: 8, passes: 1, lanes: 1 };

    /// Two keys are the same if one opens a store that the other wrote; here it is enough that the file opens at all.
    #[test]
    fn a_wrapped_key_opens_with_its_passphrase_only_and_survives_a_wrong_one() {
        let folder = tempfile::tempdir().unwrap();
        let file = KeyFile::of(folder.path());
        file.create_with(Some("right"), CHEAP).unwrap();
        let before = std::fs::read(folder.path().join("store.key")).unwrap();
        assert!(file.open_plain().unwrap().is_none());
        for wrong in ["", "Right", "right "] {
            let failure = file.open(wrong).unwrap_err();
            assert_eq!((failure.code.as_str(), failure.exit_status()), ("store.locked", 5));
        }
        file.open("right").unwrap();
        assert_eq!(std::fs::read(folder.path().join("store.key")).unwrap(), before);
    }

    #[test]
    fn a_key_is_made_once_and_only_its_owner_can_read_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = KeyFile::of(folder.path());
        assert!(!file.exists());
        file.create(None).unwrap();
        assert!(file.open_plain().unwrap().is_some());
        assert_eq!(std::fs::metadata(folder.path().join("store.key")).unwrap().mode() & 0o777, 0o600);
        assert_eq!(file.create(None).unwrap_err().code, "store.key_exists");
    }

    #[test]
    fn a_file_that_is_no_key_is_told_and_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.key");
        let greedy = r#"{"format":"trefoil store key 1","wrapped":{"argon2id":{"memory_kib":4294967295,"passes":1,"lanes":1},
            "salt":"AAAAAAAAAAAAAAAAAAAAAA","nonce":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA","sealed":"AAAA"}}"#;
        for text in ["", "{}", r#"{"format":"trefoil store key 1","plain":"AAAA"}"#, greedy] {
            std::fs::write(&path, text).unwrap();
            assert_eq!(KeyFile::of(folder.path()).open("x").unwrap_err().code, "store.corrupt", "{text}");
            assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
        }
    }
}
