//! The file that is being fetched, beside its place, until it is whole.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use client::step::IntentId;
use client::transfer::{Download, Target};
use rustix::fs::{CWD, OFlags, RenameFlags, renameat_with};
use rustix::io::Errno;
use witness::durable;

use super::{STEP, is_there};
use crate::failure::Failure;

/// An unfinished file, which this process alone writes.
pub(super) struct Unfinished {
    file: File,
    path: PathBuf,
}

impl Unfinished {
    /// Opens what is there of a download, or begins it; `None` if somebody else writes it at this moment.
    pub(super) fn open(download: &Download, target: &Target, intent: IntentId) -> Result<Option<Self>, Failure> {
        let (target, replace) = (Path::new(&target.path), target.replace);
        if is_there(target) && !replace {
            return Err(exists(target));
        }
        // nothing in this name is its sender's choice, and a link by it is not followed
        let path = target.with_file_name(format!(".trefoil-{}-{intent}.part", download.mark()));
        let no_links = i32::try_from(OFlags::NOFOLLOW.bits()).unwrap_or_default();
        let mut options = OpenOptions::new();
        options.create(true).read(true).write(true).truncate(false).mode(0o600).custom_flags(no_links);
        let file = options.open(&path).map_err(|error| unwritable(&path, &error))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Self { file, path })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(unwritable(&path, &error)),
        }
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Shows the download what is there already, and cuts off the rest.
    pub(super) fn go_on_behind(&mut self, download: &mut Download) -> Result<(), Failure> {
        let there = self.file.metadata().map_err(|error| unwritable(&self.path, &error))?.len();
        let of_use = download.of_use(there);
        let mut shown = || -> io::Result<()> {
            self.file.set_len(of_use)?;
            self.file.seek(SeekFrom::Start(0))?;
            // whole chunks at a time, as the download counts them
            let step = download.of_use(STEP as u64).max(protocol::blob::CHUNK as u64);
            let mut left = of_use;
            while left > 0 {
                let mut bytes = vec![0; usize::try_from(left.min(step)).map_err(io::Error::other)?];
                self.file.read_exact(&mut bytes)?;
                download.found(&bytes);
                left = left.saturating_sub(bytes.len() as u64);
            }
            Ok(())
        };
        shown().map_err(|error| unwritable(&self.path, &error))
    }

    /// What is there is of no use.
    pub(super) fn begin_again(&mut self) -> Result<(), Failure> {
        let begun = self.file.set_len(0).and_then(|()| self.file.seek(SeekFrom::Start(0)));
        begun.map(drop).map_err(|error| unwritable(&self.path, &error))
    }

    /// Writes behind what is there.
    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.file.write_all(bytes).map_err(|error| unwritable(&self.path, &error))
    }

    /// It is whole: gives it its name, in the place of nothing that is not meant.
    pub(super) fn finish(&mut self, target: &Target) -> Result<(), Failure> {
        let (target, replace) = (Path::new(&target.path), target.replace);
        let disk = |error: io::Error| unwritable(target, &error);
        self.file.sync_all().map_err(disk)?;
        let flags = if replace { RenameFlags::empty() } else { RenameFlags::NOREPLACE };
        match renameat_with(CWD, &self.path, CWD, target, flags) {
            Ok(()) => {}
            Err(Errno::EXIST) => return Err(exists(target)),
            // a file system that cannot promise it: nearly as good
            Err(Errno::INVAL | Errno::NOSYS) if is_there(target) => return Err(exists(target)),
            Err(Errno::INVAL | Errno::NOSYS) => fs::rename(&self.path, target).map_err(disk)?,
            Err(error) => return Err(disk(error.into())),
        }
        durable::sync_folder_of(target).map_err(disk)
    }

    /// Nobody goes on with it. What got its name is not touched.
    pub(super) fn remove(self) {
        fs::remove_file(&self.path).unwrap_or_default();
    }
}

fn exists(target: &Path) -> Failure {
    let message = format_args!("{} is there already; --force writes over it", target.display());
    Failure::misuse("file.exists", message)
}

fn unwritable(path: &Path, error: &io::Error) -> Failure {
    Failure::misuse("file.unwritable", format_args!("{} can't be written: {error}", path.display()))
}
