//! What an auditor keeps: the replayed state, the newest checkpoint it audited, its key, and the lies it found.
//!
//! ```text
//! state          chain::replay state behind its SHA-256, replaced whole
//! checkpoint     the newest audited checkpoint with the auditor's cosignature, if it has a key
//! key            the auditor's secret key (0600)
//! evidence/      one file per lie
//! ```

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use chain::id::Digest;
use chain::replay::{Replay, ReplayError};
use thiserror::Error;

use crate::durable;

/// Why the folder cannot be used.
#[derive(Debug, Error)]
pub enum FolderError {
    /// Another process uses it.
    #[error("another auditor uses {}", .0.display())]
    Locked(PathBuf),
    /// The kept state is damaged; deleting it starts over from block 0.
    #[error("the kept state in {} is damaged; delete the file to start over from block 0", .0.display())]
    Damaged(PathBuf),
    /// The disk.
    #[error("{}: {source}", path.display())]
    Disk {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl FolderError {
    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Locked(_) => "store.locked",
            Self::Damaged(_) => "store.corrupt",
            Self::Disk { .. } => "store.io",
        }
    }
}

/// An auditor's folder, used by one process at a time.
#[derive(Debug)]
pub struct AuditFolder {
    path: PathBuf,
    _lock: File,
}

impl AuditFolder {
    /// Opens or makes the folder.
    ///
    /// # Errors
    /// [`FolderError`].
    pub fn open(path: &Path) -> Result<Self, FolderError> {
        let disk = |source| FolderError::Disk { path: path.to_owned(), source };
        fs::create_dir_all(path.join("evidence")).map_err(disk)?;
        let lock = File::create(path.join("lock")).map_err(disk)?;
        lock.try_lock().map_err(|_| FolderError::Locked(path.to_owned()))?;
        Ok(Self { path: path.to_owned(), _lock: lock })
    }

    /// The state of the last run; a new one if there was none.
    ///
    /// # Errors
    /// [`FolderError`].
    pub fn state(&self) -> Result<Replay, FolderError> {
        let Some(bytes) = self.read("state")? else { return Ok(Replay::new()) };
        let damaged = || FolderError::Damaged(self.path.join("state"));
        let (checksum, state) = bytes.split_first_chunk::<32>().ok_or_else(damaged)?;
        if Digest::sha256(state).0 != *checksum {
            return Err(damaged());
        }
        Replay::decode(state).map_err(|_: ReplayError| damaged())
    }

    /// Keeps the state, so that the next run goes on from here.
    ///
    /// # Errors
    /// [`FolderError::Disk`].
    pub fn keep_state(&self, state: &Replay) -> Result<(), FolderError> {
        let state = state.encode();
        self.replace("state", &[&Digest::sha256(&state).0, state.as_slice()].concat())
    }

    /// Keeps the checkpoint that was audited.
    ///
    /// # Errors
    /// [`FolderError::Disk`].
    pub fn keep_checkpoint(&self, checkpoint: &str) -> Result<(), FolderError> {
        self.replace("checkpoint", checkpoint.as_bytes())
    }

    /// The checkpoint of the last run.
    ///
    /// # Errors
    /// [`FolderError::Disk`].
    pub fn checkpoint(&self) -> Result<Option<Vec<u8>>, FolderError> {
        self.read("checkpoint")
    }

    /// The secret key's text, if one was made.
    ///
    /// # Errors
    /// [`FolderError::Disk`].
    pub fn key(&self) -> Result<Option<Vec<u8>>, FolderError> {
        self.read("key")
    }

    /// Keeps a secret key's text; only the owner may read it.
    ///
    /// # Errors
    /// [`FolderError::Disk`].
    pub fn keep_key(&self, text: &str) -> Result<(), FolderError> {
        self.replace("key", text.as_bytes())
    }

    /// Keeps an evidence file.
    ///
    /// # Errors
    /// [`FolderError::Disk`].
    pub fn keep_evidence(&self, name: &str, evidence: &[u8]) -> Result<PathBuf, FolderError> {
        let name = format!("evidence/{name}");
        self.replace(&name, evidence)?;
        Ok(self.path.join(name))
    }

    fn read(&self, name: &str) -> Result<Option<Vec<u8>>, FolderError> {
        let path = self.path.join(name);
        match fs::read(&path) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(FolderError::Disk { path, source }),
        }
    }

    fn replace(&self, name: &str, bytes: &[u8]) -> Result<(), FolderError> {
        let path = self.path.join(name);
        durable::replace(&path, bytes).map_err(|source| FolderError::Disk { path, source })
    }
}
