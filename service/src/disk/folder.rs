//! The data folder: one log, one process, and files that are on disk when a function here says so.
//!
//! ```text
//! DATA/lock            held while a service runs
//! DATA/keys/           the four secrets, mode 0600
//! DATA/store.sqlite    records; its transactions are the points of no return
//! DATA/accounts.sqlite password records, permits, tokens
//! DATA/delivery.sqlite groups, messages and key packages until every device has them
//! DATA/blobs.sqlite    whose blobs there are and how far each is
//! DATA/reports.sqlite  who was reported, by whom and why
//! DATA/blobs/          encrypted files, one a blob, mode 0600
//! DATA/tree.snapshot   the map after one block, so that a start need not build it from records
//! DATA/policy          the witness policy (C2SP tlog-policy), for clients
//! DATA/public/         what any web server may serve: checkpoint, tile/..., block/<number>
//! ```
//!
//! Not in scope: what the files say.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use crate::error::StartError;

/// The opened data folder; the lock ends with it.
#[derive(Debug)]
pub(crate) struct Folder {
    root: PathBuf,
    /// None beside a service that may be running.
    _lock: Option<File>,
}

impl Folder {
    /// Makes the folder if it is missing, and locks it.
    pub(crate) fn open(root: &Path) -> Result<Self, StartError> {
        for part in ["keys", "public/block", "public/tile"] {
            fs::create_dir_all(root.join(part))?;
        }
        let lock = OpenOptions::new().create(true).append(true).open(root.join("lock"))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { root: root.to_owned(), _lock: Some(lock) }),
            Err(TryLockError::WouldBlock) => Err(StartError::Locked),
            Err(TryLockError::Error(error)) => Err(error.into()),
        }
    }

    /// The folder of a log that is there, beside the service that may be running on it: nothing is made, nothing locked.
    /// `None` if no log is there.
    pub(crate) fn beside(root: &Path) -> io::Result<Option<Self>> {
        let folder = Self { root: root.to_owned(), _lock: None };
        for file in [folder.store(), folder.accounts(), folder.key("vrf")] {
            if !file.try_exists()? {
                return Ok(None);
            }
        }
        Ok(Some(folder))
    }

    /// The folder itself.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The database.
    pub(crate) fn store(&self) -> PathBuf {
        self.root.join("store.sqlite")
    }

    /// The database of log-ins.
    pub(crate) fn accounts(&self) -> PathBuf {
        self.root.join("accounts.sqlite")
    }

    /// The database of deliveries.
    pub(crate) fn delivery(&self) -> PathBuf {
        self.root.join("delivery.sqlite")
    }

    /// The database of blobs.
    pub(crate) fn blobs_database(&self) -> PathBuf {
        self.root.join("blobs.sqlite")
    }

    /// The database of reports.
    pub(crate) fn reports(&self) -> PathBuf {
        self.root.join("reports.sqlite")
    }

    /// The folder of blobs.
    pub(crate) fn blobs(&self) -> PathBuf {
        self.root.join("blobs")
    }

    /// A secret key.
    pub(crate) fn key(&self, name: &str) -> PathBuf {
        self.root.join("keys").join(name)
    }

    /// The map's snapshot.
    pub(crate) fn snapshot(&self) -> PathBuf {
        self.root.join("tree.snapshot")
    }

    /// The witness policy.
    pub(crate) fn policy(&self) -> PathBuf {
        self.root.join("policy")
    }

    /// A file that everybody may read. `path` is made by this crate, never taken from a request as it is.
    pub(crate) fn public(&self, path: &str) -> PathBuf {
        self.root.join("public").join(path)
    }

    /// The body of a block, named by its number.
    pub(crate) fn block(&self, number: u64) -> PathBuf {
        self.public("block").join(number.to_string())
    }

    /// The newest checkpoint with a quorum.
    pub(crate) fn checkpoint(&self) -> PathBuf {
        self.public("checkpoint")
    }
}

/// Writes a file so that after a crash it is the old one or the new one, and that it is on disk on return.
pub(crate) fn write_durably(path: &Path, bytes: &[u8]) -> io::Result<()> {
    finish_durably(&write_beside(path, bytes, PUBLIC)?, path)
}

/// Writes a file that only its owner may read, as [`write_durably`] does.
pub(crate) fn write_secretly(path: &Path, bytes: &[u8]) -> io::Result<()> {
    finish_durably(&write_beside(path, bytes, SECRET)?, path)
}

/// Writes a file so that a reader sees the old one or the new one. For what is written again at the next start.
pub(crate) fn write_atomically(path: &Path, bytes: &[u8]) -> io::Result<()> {
    write_beside(path, bytes, PUBLIC)?;
    fs::rename(beside(path), path)
}

const PUBLIC: u32 = 0o644;
const SECRET: u32 = 0o600;

fn beside(path: &Path) -> PathBuf {
    path.with_added_extension("new")
}

fn write_beside(path: &Path, bytes: &[u8], mode: u32) -> io::Result<File> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(beside(path))?;
    file.write_all(bytes)?;
    Ok(file)
}

fn finish_durably(file: &File, path: &Path) -> io::Result<()> {
    file.sync_all()?;
    fs::rename(beside(path), path)?;
    let parent = path.parent().unwrap_or(Path::new("."));
    File::open(parent)?.sync_all()
}

/// Reads a file; `None` if there is none.
pub(crate) fn read_if_there(path: &Path) -> io::Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// The free part of the disk that holds `path`, in percent, as an unprivileged process sees it.
///
/// # Errors
/// What the system says.
pub fn free_percent(path: &Path) -> io::Result<u64> {
    let disk = rustix::fs::statvfs(path)?;
    Ok((disk.f_bavail.saturating_mul(100)).checked_div(disk.f_blocks).unwrap_or(100))
}
