//! What is kept of files on this machine (BLB-7, BLB-8): each blob as it came, in a folder of the profile. Nobody reads it
//! without the key, which stands in the sealed row of its message and nowhere else, and goes with it.
//!
//! ```text
//! files/<message>         a blob that is whole, and was the right one when it came
//! files/<message>.part    one that is still coming
//! files/sent-<intent>     one that was sent, until its message is written and gives it its name
//! ```
//!
//! By the message and not by the blob: what goes with a message is what was kept for it, also if somebody writes another one
//! that names the same blob.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::ops::Range;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use client::step::{Answer, IntentId};
use client::transfer::{Download, Downloading, End};
use protocol::blob::BlobBroken;
use protocol::id::MessageId;
use rustix::fs::OFlags;
use witness::durable;

use crate::failure::Failure;
use crate::places::make_private;

/// Most bytes that are kept; what was not used for the longest time goes first.
const MOST: u64 = 1 << 30;

/// The folder.
#[derive(Debug, Clone)]
pub(crate) struct Shelf {
    folder: PathBuf,
    most: u64,
}

/// A blob that is still coming, which this process alone writes.
#[derive(Debug)]
pub(crate) struct Coming {
    shelf: Shelf,
    file: File,
    path: PathBuf,
    name: PathBuf,
    length: u64,
    /// Some of it was there before.
    went_on: bool,
    /// Something of it could not be written, or it has its name.
    is_over: bool,
}

impl Shelf {
    /// Of a profile.
    pub(crate) fn of(profile: &Path) -> Self {
        Self { folder: profile.join("files"), most: MOST }
    }

    fn place(&self, message: &MessageId) -> PathBuf {
        self.folder.join(message.to_string())
    }

    fn sent(&self, intent: IntentId) -> PathBuf {
        self.folder.join(format!("sent-{intent}"))
    }

    /// True if something is kept for a message.
    pub(crate) fn has(&self, message: &MessageId) -> bool {
        self.place(message).is_file()
    }

    /// Opens what is kept for a message; the pieces of the file go to `write`. What is not the right blob is kept no longer.
    pub(crate) fn open(
        &self,
        download: &mut Download,
        mut write: impl FnMut(&[u8]) -> Result<(), Failure>,
    ) -> Result<End, Failure> {
        let path = self.place(&download.message());
        let file = File::open(&path).map_err(|error| unwritable(&path, &error))?;
        // it was used just now; where that cannot be noted it only goes a little earlier
        file.set_modified(SystemTime::now()).unwrap_or_default();
        loop {
            match download.go_on() {
                Downloading::Ask(_) => {
                    let bytes = read(&file, &download.wanted()).unwrap_or_default();
                    download.answered(Answer::Ok(bytes));
                }
                Downloading::Write(bytes) => write(&bytes)?,
                Downloading::Finish => download.finished(),
                Downloading::End(end) => {
                    if is_broken(&end) {
                        self.forget(&download.message());
                    }
                    return Ok(end);
                }
            }
        }
    }

    /// Goes on with the blob of a message, or begins it; `None` if that is being done at this moment.
    pub(crate) fn begin(&self, message: &MessageId) -> Result<Option<Coming>, Failure> {
        self.coming(self.place(message))
    }

    /// Begins the blob of a file that is being sent.
    pub(crate) fn begin_sent(&self, intent: IntentId) -> Result<Option<Coming>, Failure> {
        let path = self.sent(intent);
        fs::remove_file(part_of(&path)).unwrap_or_default();
        self.coming(path)
    }

    fn coming(&self, name: PathBuf) -> Result<Option<Coming>, Failure> {
        make_private(&self.folder)?;
        let path = part_of(&name);
        let no_links = i32::try_from(OFlags::NOFOLLOW.bits()).unwrap_or_default();
        let mut options = OpenOptions::new();
        options.create(true).read(true).write(true).truncate(false).mode(0o600).custom_flags(no_links);
        let file = options.open(&path).map_err(|error| unwritable(&path, &error))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(unwritable(&path, &error)),
        }
        let length = file.metadata().map_err(|error| unwritable(&path, &error))?.len();
        let (shelf, went_on) = (self.clone(), length > 0);
        Ok(Some(Coming { shelf, file, path, name, length, went_on, is_over: false }))
    }

    /// The message of a file that was sent is written.
    pub(crate) fn name(&self, intent: IntentId, message: &MessageId) {
        // without it, it is fetched as any other
        fs::rename(self.sent(intent), self.place(message)).unwrap_or_default();
    }

    /// It was not sent, and is to be written once more.
    pub(crate) fn unname(&self, intent: IntentId, message: &MessageId) {
        // most messages have no file
        fs::rename(self.place(message), self.sent(intent)).unwrap_or_default();
    }

    /// Nothing is kept for a message any more.
    pub(crate) fn forget(&self, message: &MessageId) {
        let path = self.place(message);
        fs::remove_file(part_of(&path)).unwrap_or_default();
        fs::remove_file(path).unwrap_or_default();
    }

    /// Nor for what was to be sent.
    pub(crate) fn forget_sent(&self, intent: IntentId) {
        let path = self.sent(intent);
        fs::remove_file(part_of(&path)).unwrap_or_default();
        fs::remove_file(path).unwrap_or_default();
    }

    /// Nothing is kept any more.
    pub(crate) fn clear(&self) {
        fs::remove_dir_all(&self.folder).unwrap_or_default();
    }

    /// For which messages something is kept. What stands under no message's name is taken away.
    pub(crate) fn tidy(&self) -> BTreeSet<MessageId> {
        let mut messages = BTreeSet::new();
        for (path, _, _) in self.all() {
            let name = path.file_stem().unwrap_or_default().to_string_lossy();
            match name.parse() {
                Ok(message) => drop(messages.insert(message)),
                Err(_) => fs::remove_file(&path).unwrap_or_default(),
            }
        }
        messages
    }

    /// Each file with its length and when it was used.
    fn all(&self) -> Vec<(PathBuf, u64, SystemTime)> {
        let entries = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        let row = |entry: fs::DirEntry| {
            let about = entry.metadata().ok()?;
            Some((entry.path(), about.len(), about.modified().unwrap_or(SystemTime::UNIX_EPOCH)))
        };
        entries.filter_map(row).collect()
    }

    /// Takes away what was not used for the longest time, until the rest is not too much.
    fn make_room(&self) {
        let mut all = self.all();
        all.sort_by_key(|(_, _, used)| *used);
        let mut total: u64 = all.iter().map(|(_, length, _)| length).sum();
        for (path, length, _) in all {
            if total <= self.most {
                return;
            }
            fs::remove_file(path).unwrap_or_default();
            total = total.saturating_sub(length);
        }
    }
}

impl Coming {
    /// Bytes of the blob that are here already.
    pub(crate) fn read(&self, range: &Range<u64>) -> Option<Vec<u8>> {
        if range.end > self.length {
            return None;
        }
        read(&self.file, range).ok()
    }

    /// Bytes of the blob that came.
    pub(crate) fn write(&mut self, at: u64, bytes: &[u8]) {
        // a disk that takes nothing more keeps nothing, and ends nothing else
        match self.file.write_all_at(bytes, at) {
            Ok(()) => self.length = self.length.max(at.saturating_add(bytes.len() as u64)),
            Err(_) => self.discard(),
        }
    }

    /// True if some of it was there before, and may be what was wrong with it.
    pub(crate) fn went_on(&self) -> bool {
        self.went_on
    }

    /// What is there is not it.
    pub(crate) fn begin_again(&mut self) {
        (self.length, self.went_on) = (0, false);
        if self.file.set_len(0).is_err() {
            self.discard();
        }
    }

    /// It is whole, and was compared: it gets its name.
    pub(crate) fn finish(&mut self) -> Result<(), Failure> {
        if self.is_over {
            return Err(unwritable(&self.path, &io::Error::other("the disk takes nothing more")));
        }
        let finish = || {
            self.file.sync_all()?;
            fs::rename(&self.path, &self.name)?;
            durable::sync_folder_of(&self.name)
        };
        let finished = finish().map_err(|error: io::Error| unwritable(&self.name, &error));
        self.is_over = true;
        self.shelf.make_room();
        finished
    }

    /// Nobody goes on with it.
    pub(crate) fn discard(&mut self) {
        if !std::mem::replace(&mut self.is_over, true) {
            fs::remove_file(&self.path).unwrap_or_default();
        }
    }
}

/// True for an end that says that the bytes were not those of the blob.
pub(crate) fn is_broken(end: &End) -> bool {
    matches!(end, End::Failed(failure) if failure.code == BlobBroken::CODE)
}

fn part_of(path: &Path) -> PathBuf {
    path.with_extension("part")
}

fn read(file: &File, range: &Range<u64>) -> io::Result<Vec<u8>> {
    let length = usize::try_from(range.end.saturating_sub(range.start)).map_err(io::Error::other)?;
    let mut bytes = vec![0; length];
    file.read_exact_at(&mut bytes, range.start)?;
    Ok(bytes)
}

fn unwritable(path: &Path, error: &io::Error) -> Failure {
    Failure::misuse("file.unwritable", format_args!("{} can't be used: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;
    use std::time::Duration;

    use super::*;

    fn id(number: u8) -> MessageId {
        chain::id::Digest([number; 32])
    }

    fn put(shelf: &Shelf, number: u8, length: usize) {
        let mut coming = shelf.begin(&id(number)).unwrap().unwrap();
        coming.write(0, &vec![number; length]);
        coming.finish().unwrap();
    }

    fn used(shelf: &Shelf, number: u8, ago_s: u64) {
        let file = File::open(shelf.place(&id(number))).unwrap();
        file.set_modified(SystemTime::now() - Duration::from_secs(ago_s)).unwrap();
    }

    /// BLB-7: what was not used for the longest time goes first, and what just came stays.
    #[test]
    fn the_shelf_holds_no_more_than_it_may() {
        let folder = tempfile::tempdir().unwrap();
        let shelf = Shelf { most: 300, ..Shelf::of(folder.path()) };
        for number in 1..=3 {
            put(&shelf, number, 100);
        }
        used(&shelf, 1, 10);
        used(&shelf, 2, 30);
        used(&shelf, 3, 20);
        put(&shelf, 4, 100);
        assert_eq!([1, 2, 3, 4].map(|number| shelf.has(&id(number))), [true, false, true, true]);
        put(&shelf, 5, 300);
        assert_eq!([1, 2, 3, 4, 5].map(|number| shelf.has(&id(number))), [false, false, false, false, true]);
        put(&shelf, 6, 301);
        assert_eq!(shelf.all(), [], "what is larger than all of it is not kept");
    }

    /// BLB-7: nobody else on this machine reads even the sealed bytes.
    #[test]
    fn what_is_kept_is_its_owners_alone() {
        let folder = tempfile::tempdir().unwrap();
        let shelf = Shelf::of(folder.path());
        put(&shelf, 1, 10);
        assert_eq!(fs::metadata(&shelf.folder).unwrap().permissions().mode() & 0o777, 0o700);
        assert_eq!(fs::metadata(shelf.place(&id(1))).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn what_broke_off_is_gone_on_with_by_one_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let shelf = Shelf::of(folder.path());
        let mut coming = shelf.begin(&id(1)).unwrap().unwrap();
        coming.write(0, b"half");
        assert!(shelf.begin(&id(1)).unwrap().is_none());
        drop(coming);
        assert!(!shelf.has(&id(1)));
        let mut coming = shelf.begin(&id(1)).unwrap().unwrap();
        assert!(coming.went_on());
        assert_eq!((coming.read(&(1..4)), coming.read(&(1..5))), (Some(b"alf".to_vec()), None));
        coming.discard();
        assert!(!shelf.begin(&id(1)).unwrap().unwrap().went_on());
    }

    /// BLB-8: what was sent has its message's name, and what nobody will name goes.
    #[test]
    fn what_belongs_to_no_message_is_taken_away() {
        let folder = tempfile::tempdir().unwrap();
        let shelf = Shelf::of(folder.path());
        for intent in [7, 8] {
            let mut coming = shelf.begin_sent(intent).unwrap().unwrap();
            coming.write(0, b"sealed");
            coming.finish().unwrap();
        }
        shelf.name(7, &id(7));
        put(&shelf, 1, 10);
        assert_eq!(shelf.tidy(), BTreeSet::from([id(1), id(7)]));
        assert_eq!(shelf.all().len(), 2);
        shelf.forget(&id(1));
        assert_eq!(shelf.tidy(), BTreeSet::from([id(7)]));
        shelf.clear();
        assert!(!shelf.folder.exists());
    }
}
