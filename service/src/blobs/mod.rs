//! Encrypted files: taken in part by part, kept as they are for 60 days, given to every device that names one.
//!
//! ```text
//! blobs.sqlite    how far each is ([`rows`]); a row says no more than what the file has on the disk
//! blobs/<id>      the bytes; what stands behind that is of a part that has not ended, and goes
//! ```
//!
//! BLB-5: a part is on the disk before it is acknowledged, and the next one begins where it ended. Of two that come for one
//! blob at once the later one counts: a connection that is dead and does not know it holds up nobody.
//!
//! Not in scope: what is in them; the service has no key.

mod rows;

use std::collections::HashMap;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, FileExt as _, OpenOptionsExt as _};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use protocol::api::blobs::{BlobProgress, MAX_PIECE};
use protocol::blob::{Layout, MAX_FILE};
use protocol::id::BlobId;

use crate::accounts::tokens::Caller;
use crate::blobs::rows::Rows;
use crate::disk::folder::Folder;
use crate::error::StartError;
use crate::http::refusal::Refusal;
use crate::shared::Shared;

/// What is kept of blobs.
#[derive(Debug)]
pub(crate) struct Blobs {
    folder: PathBuf,
    rows: Rows,
    /// Of each blob that is being written: the number of the part that counts.
    writing: Mutex<HashMap<BlobId, Arc<Mutex<u64>>>>,
}

/// A part that is coming in.
#[derive(Debug)]
pub(crate) struct Part {
    shared: Arc<Shared>,
    id: BlobId,
    file: File,
    at: u64,
    size: u64,
    turn: Arc<Mutex<u64>>,
    number: u64,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn disk(error: io::Error) -> Refusal {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Refusal::StoreFull,
        _ => Refusal::Broken(error.into()),
    }
}

impl Blobs {
    /// Opens folder and database; files that no row names are deleted.
    pub(crate) fn open(folder: &Folder) -> Result<Self, StartError> {
        DirBuilder::new().recursive(true).mode(0o700).create(folder.blobs())?;
        // SQLite gives the files beside it the same mode
        OpenOptions::new().create(true).append(true).mode(0o600).open(folder.blobs_database())?;
        let rows = Rows::open(folder.blobs_database())?;
        for entry in fs::read_dir(folder.blobs())? {
            let entry = entry?;
            let id = entry.file_name().to_str().and_then(|name| name.parse().ok());
            if id.map(|id| rows.find(&id)).transpose()?.flatten().is_none() {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(Self { folder: folder.blobs(), rows, writing: Mutex::default() })
    }

    fn path(&self, id: &BlobId) -> PathBuf {
        self.folder.join(id.to_string())
    }

    /// Deletes what has been here for its time, whole or not.
    pub(crate) fn sweep(&self, now_s: u64) -> Result<(), rusqlite::Error> {
        for id in self.rows.forget_old(now_s)? {
            // one that stays behind goes at the next start
            fs::remove_file(self.path(&id)).unwrap_or_default();
        }
        let mut writing = locked(&self.writing);
        writing.retain(|_, turn| Arc::strong_count(turn) > 1);
        Ok(())
    }

    /// The turn of a blob, and the number of a part that begins now: it is the one that counts from here on.
    fn take_turn(&self, id: &BlobId) -> (Arc<Mutex<u64>>, u64) {
        let turn = Arc::clone(locked(&self.writing).entry(*id).or_default());
        let mut number = locked(&turn);
        *number = number.wrapping_add(1);
        let mine = *number;
        drop(number);
        (turn, mine)
    }
}

impl Shared {
    /// Begins a blob, or says how far it is (BLB-5).
    pub(crate) fn open_blob(&self, caller: &Caller, id: &BlobId, size: u64) -> Result<BlobProgress, Refusal> {
        caller.require_confirmed()?;
        self.check_disk()?;
        if size == 0 || size > Layout::of(MAX_FILE).map_or(0, |largest| largest.sealed()) {
            return Err(Refusal::BlobTooLarge);
        }
        let stored = self.blobs.rows.begin(id, &caller.account, size, &self.limits, self.now_s())?;
        Ok(BlobProgress { size, have: stored.have })
    }

    /// A part of a blob comes, from `at` on.
    pub(crate) fn begin_part(self: &Arc<Self>, caller: &Caller, id: &BlobId, at: u64) -> Result<Part, Refusal> {
        caller.require_confirmed()?;
        self.check_disk()?;
        let find = || self.blobs.rows.find(id)?.filter(|it| it.account == caller.account).ok_or(Refusal::BlobGone);
        // nobody else ends what is under way
        find()?;
        let (turn, number) = self.blobs.take_turn(id);
        let guard = locked(&turn);
        let stored = find()?;
        if stored.have != at || stored.is_whole() {
            return Err(Refusal::BlobOffset);
        }
        let path = self.blobs.path(id);
        let file = OpenOptions::new().create(true).write(true).truncate(false).mode(0o600).open(path).map_err(disk)?;
        if at == 0 {
            File::open(&self.blobs.folder).and_then(|folder| folder.sync_all()).map_err(disk)?;
        }
        // what a part that was cut off left behind was acknowledged to nobody
        file.set_len(at).map_err(disk)?;
        drop(guard);
        Ok(Part { shared: Arc::clone(self), id: *id, file, at, size: stored.size, turn, number })
    }

    /// Bytes of a whole blob, from `at` on; no more than [`MAX_PIECE`].
    pub(crate) fn read_blob(&self, id: &BlobId, at: u64, length: u64) -> Result<Vec<u8>, Refusal> {
        let stored = self.blobs.rows.find(id)?.filter(|it| it.is_whole() && !it.is_over(self.now_s()));
        let stored = stored.ok_or(Refusal::BlobGone)?;
        let length = length.min(MAX_PIECE).min(stored.size.saturating_sub(at));
        let mut bytes = vec![0; usize::try_from(length).map_err(|_| Refusal::TooLarge)?];
        let file = match File::open(self.blobs.path(id)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(Refusal::BlobGone),
            opened => opened.map_err(disk)?,
        };
        file.read_exact_at(&mut bytes, at).map_err(disk)?;
        Ok(bytes)
    }
}

impl Part {
    /// True if no later part has come meanwhile.
    fn counts(&self, turn: u64) -> Result<(), Refusal> {
        if turn == self.number { Ok(()) } else { Err(Refusal::BlobOffset) }
    }

    /// The next bytes of it.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<(), Refusal> {
        let turn = locked(&self.turn);
        self.counts(*turn)?;
        let end = self.at.saturating_add(bytes.len() as u64);
        if end > self.size {
            return Err(Refusal::BlobTooLarge);
        }
        self.file.write_all_at(bytes, self.at).map_err(disk)?;
        self.at = end;
        Ok(())
    }

    /// What came of it is on the disk, and how far the blob is.
    pub(crate) fn finish(self) -> Result<BlobProgress, Refusal> {
        let turn = locked(&self.turn);
        self.counts(*turn)?;
        self.file.sync_data().map_err(disk)?;
        self.shared.blobs.rows.advance(&self.id, self.at, self.shared.now_s())?;
        Ok(BlobProgress { size: self.size, have: self.at })
    }
}
