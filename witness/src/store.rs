//! What a witness must never forget, in plain files.
//!
//! ```text
//! <folder>/lock                                      held while a process uses the folder
//! <folder>/key                                       the signing key, mode 0600
//! <folder>/cosigned-origins                          one line per log that was ever cosigned
//! <folder>/logs/<hex SHA-256 of origin>.checkpoint   the newest cosigned checkpoint of the log, whole (WIT-1)
//! ```
//!
//! Every file is replaced, never changed: a temporary file is written and synced, renamed, and the folder is synced. A
//! log's checkpoint is written before its first mention in `cosigned-origins`, so a crash between the two leaves a
//! checkpoint too much, which is taken up at the next start, and never one too few. Not in scope: what may be signed;
//! a folder that was put back to an older state *as a whole*, which no program can see from inside.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use chain::id::Digest;
use chain::log::checkpoint::{Checkpoint, CheckpointError, Origin};
use chain::log::cosignature;
use chain::log::note::{KeyKind, KeyName, NoteError, NoteSigner, SignedNote};
use ed25519_dalek::SigningKey;
use thiserror::Error;
use zeroize::Zeroizing;

use crate::durable;

/// Why the store cannot be used.
#[derive(Debug, Error)]
pub enum StoreError {
    /// Another process uses the folder.
    #[error("another process uses this folder")]
    Locked,
    /// The folder was used, but its key or its list of cosigned logs is gone.
    #[error("{file} is missing in a folder that was used before")]
    LostFile {
        /// Which file.
        file: &'static str,
    },
    /// A log was cosigned, but its newest checkpoint is gone or not the one that this witness wrote (WIT-4).
    #[error("the cosigned checkpoint of {origin} is lost: this key must not sign again")]
    LostCheckpoint {
        /// The log.
        origin: String,
    },
    /// The key is not in its form.
    #[error("the key file is refused")]
    BadKey(#[source] NoteError),
    /// The key is of another name.
    #[error("the key in this folder is {found}")]
    OtherName {
        /// Its name.
        found: KeyName,
    },
    /// The note to record is no checkpoint.
    #[error("the note is no checkpoint")]
    NoCheckpoint(#[from] CheckpointError),
    /// The operating system gave no random bytes.
    #[error("no randomness")]
    NoRandomness(#[source] getrandom::Error),
    /// A file could not be read, written or synced.
    #[error("{action} {path} failed")]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which file or folder.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// An earlier write failed: what is on disk is not known, and nothing is signed any more.
    #[error("an earlier write failed")]
    Broken,
}

impl StoreError {
    /// The stable code of this refusal.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Locked => "store.locked",
            Self::LostFile { .. } | Self::LostCheckpoint { .. } => "store.rollback",
            Self::BadKey(_) => "store.key",
            Self::OtherName { .. } => "store.name",
            Self::NoCheckpoint(_) => "store.checkpoint",
            Self::NoRandomness(_) | Self::Io { .. } | Self::Broken => "store.broken",
        }
    }
}

/// Names the action and the file of an I/O error.
fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> StoreError {
    let path = path.to_owned();
    move |source| StoreError::Io { action, path, source }
}

/// The newest cosigned checkpoint of a log.
#[derive(Debug)]
struct Newest {
    note: SignedNote,
    checkpoint: Checkpoint,
}

/// The open folder of a witness. Only one process holds it at a time.
#[derive(Debug)]
pub struct Store {
    folder: PathBuf,
    signer: NoteSigner,
    newest: BTreeMap<Digest, Newest>,
    is_new: bool,
    is_broken: bool,
    /// Held, not used: the lock ends with the file.
    _lock: File,
}

impl Store {
    /// Opens the folder of the witness of this name. A folder that is missing or was never used is made new, with a
    /// fresh key; see [`Store::is_new`].
    ///
    /// # Errors
    /// [`StoreError`]; `store.rollback` if the folder was used and has lost anything (WIT-4).
    pub fn open(folder: &Path, name: &KeyName) -> Result<Self, StoreError> {
        let lock = lock(folder)?;
        let is_new = !is_used(folder)?;
        if is_new {
            initialise(folder, name)?;
        }
        let signer = read_key(folder)?;
        if signer.verifier_key().name() != name {
            return Err(StoreError::OtherName { found: signer.verifier_key().name().clone() });
        }
        let newest = read_checkpoints(folder, &signer)?;
        let store = Self { folder: folder.to_owned(), signer, newest, is_new, is_broken: false, _lock: lock };
        // a crash may have come between a log's first checkpoint and its mention
        store.write_origins()?;
        Ok(store)
    }

    /// The name of the key that is in the folder; `None` if the folder is missing or was never used.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn kept_name(folder: &Path) -> Result<Option<KeyName>, StoreError> {
        if !folder.exists() || !is_used(folder)? {
            return Ok(None);
        }
        read_key(folder).map(|signer| Some(signer.verifier_key().name().clone()))
    }

    /// True if [`Store::open`] made the folder and the key: a new witness, which no policy names yet.
    pub fn is_new(&self) -> bool {
        self.is_new
    }

    /// The key of this witness.
    pub fn signer(&self) -> &NoteSigner {
        &self.signer
    }

    /// The newest cosigned checkpoint of the log of this origin.
    pub fn newest(&self, origin: &Origin) -> Option<&Checkpoint> {
        self.newest.get(&origin.hash()).map(|newest| &newest.checkpoint)
    }

    /// The same, whole and by SHA-256 of the origin (WIT-6).
    pub fn newest_note(&self, origin_hash: &Digest) -> Option<&SignedNote> {
        self.newest.get(origin_hash).map(|newest| &newest.note)
    }

    /// Puts a cosigned checkpoint in the place of the newest one of its log. Only after this returned may the
    /// cosignature leave (WIT-3).
    ///
    /// # Errors
    /// [`StoreError`]. After an I/O error the store is of no use any more, because nobody knows what a failed sync left
    /// on the disk: the process has to end.
    pub fn record(&mut self, note: SignedNote) -> Result<(), StoreError> {
        if self.is_broken {
            return Err(StoreError::Broken);
        }
        let checkpoint = Checkpoint::parse(note.text())?;
        // stays true if anything below fails
        self.is_broken = true;
        let hash = checkpoint.origin.hash();
        replace(&checkpoint_path(&self.folder, &hash), note.to_string().as_bytes())?;
        let is_first = self.newest.insert(hash, Newest { note, checkpoint }).is_none();
        if is_first {
            self.write_origins()?;
        }
        self.is_broken = false;
        Ok(())
    }

    fn write_origins(&self) -> Result<(), StoreError> {
        let lines: String = self.newest.values().map(|newest| format!("{}\n", newest.checkpoint.origin)).collect();
        let path = self.folder.join(ORIGINS);
        let written = fs::read(&path).map_err(failed("reading", &path))?;
        if written == lines.as_bytes() { Ok(()) } else { replace(&path, lines.as_bytes()) }
    }
}

const KEY: &str = "key";
const ORIGINS: &str = "cosigned-origins";
const LOGS: &str = "logs";

fn checkpoint_path(folder: &Path, origin_hash: &Digest) -> PathBuf {
    folder.join(LOGS).join(format!("{origin_hash}.checkpoint"))
}

/// Makes the folder if need be, and takes its lock.
fn lock(folder: &Path) -> Result<File, StoreError> {
    make_folder(folder)?;
    let path = folder.join("lock");
    let file = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&path);
    let file = file.map_err(failed("opening", &path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoreError::Locked),
        Err(TryLockError::Error(error)) => Err(failed("locking", &path)(error)),
    }
}

/// True if this folder ever held the key of a witness. A crash while it was made new does not count.
fn is_used(folder: &Path) -> Result<bool, StoreError> {
    let origins = read_if_there(&folder.join(ORIGINS))?;
    let logs = folder.join(LOGS);
    let has_logs = match fs::read_dir(&logs) {
        Ok(mut entries) => entries.next().is_some(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => false,
        Err(error) => return Err(failed("reading", &logs)(error)),
    };
    Ok(read_if_there(&folder.join(KEY))?.is_some() || has_logs || origins.is_some_and(|origins| !origins.is_empty()))
}

/// Makes a new key. The key comes last: without it the folder counts as never used.
fn initialise(folder: &Path, name: &KeyName) -> Result<(), StoreError> {
    make_folder(&folder.join(LOGS))?;
    replace(&folder.join(ORIGINS), b"")?;
    let mut seed = Zeroizing::new([0; 32]);
    getrandom::fill(seed.as_mut_slice()).map_err(StoreError::NoRandomness)?;
    let signer = NoteSigner::new(name.clone(), KeyKind::CosignatureV1, SigningKey::from_bytes(&seed));
    let mut text = signer.to_secret_text();
    text.push('\n');
    replace(&folder.join(KEY), text.as_bytes())
}

fn read_key(folder: &Path) -> Result<NoteSigner, StoreError> {
    let bytes = Zeroizing::new(read_if_there(&folder.join(KEY))?.ok_or(StoreError::LostFile { file: KEY })?);
    let text = std::str::from_utf8(&bytes).map_err(|_| StoreError::BadKey(NoteError::NotText))?;
    let signer: NoteSigner = text.trim_end().parse().map_err(StoreError::BadKey)?;
    match signer.verifier_key().kind() {
        KeyKind::CosignatureV1 => Ok(signer),
        KeyKind::Ed25519 => Err(StoreError::BadKey(NoteError::WrongKeyKind { expected: KeyKind::CosignatureV1 })),
    }
}

/// Reads the newest checkpoint of every log that is listed or has a file, and refuses to go on without one of them.
fn read_checkpoints(folder: &Path, signer: &NoteSigner) -> Result<BTreeMap<Digest, Newest>, StoreError> {
    let list = read_if_there(&folder.join(ORIGINS))?.ok_or(StoreError::LostFile { file: ORIGINS })?;
    let list = String::from_utf8_lossy(&list);
    let mut hashes: BTreeSet<Digest> = list.lines().map(|origin| Digest::sha256(origin.as_bytes())).collect();
    let names: BTreeMap<Digest, &str> =
        list.lines().map(|origin| (Digest::sha256(origin.as_bytes()), origin)).collect();
    let logs = folder.join(LOGS);
    for entry in fs::read_dir(&logs).map_err(|_| StoreError::LostFile { file: LOGS })? {
        let name = entry.map_err(failed("reading", &logs))?.file_name();
        let hash: Option<Digest> =
            name.to_str().and_then(|name| name.strip_suffix(".checkpoint")).and_then(|hex| hex.parse().ok());
        hashes.extend(hash);
    }
    let mut newest = BTreeMap::new();
    for hash in hashes {
        let lost = || StoreError::LostCheckpoint {
            origin: names.get(&hash).map_or_else(|| hash.to_string(), |origin| (*origin).to_owned()),
        };
        let bytes = fs::read(checkpoint_path(folder, &hash)).map_err(|_| lost())?;
        newest.insert(hash, parse_newest(&bytes, &hash, signer).ok_or_else(lost)?);
    }
    Ok(newest)
}

/// The checkpoint in a file, if it is of the right log and this witness's own cosignature on it is good.
fn parse_newest(bytes: &[u8], origin_hash: &Digest, signer: &NoteSigner) -> Option<Newest> {
    let note = SignedNote::parse(bytes).ok()?;
    let checkpoint = Checkpoint::parse(note.text()).ok()?;
    cosignature::verify(signer.verifier_key(), &note).ok()?;
    (checkpoint.origin.hash() == *origin_hash).then_some(Newest { note, checkpoint })
}

fn read_if_there(path: &Path) -> Result<Option<Vec<u8>>, StoreError> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed("reading", path)(error)),
    }
}

/// Makes a folder for this user only, durably, if it is not there.
fn make_folder(path: &Path) -> Result<(), StoreError> {
    if path.is_dir() {
        return Ok(());
    }
    DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(failed("making", path))?;
    sync_folder_of(path)
}

fn replace(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    durable::replace(path, bytes).map_err(failed("replacing", path))
}

fn sync_folder_of(path: &Path) -> Result<(), StoreError> {
    durable::sync_folder_of(path).map_err(failed("syncing the folder of", path))
}
