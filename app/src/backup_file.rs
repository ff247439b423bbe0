//! A backup file on the disk (docs/protocol.md §26): read part by part, continued behind its last whole part. Nothing in it is
//! ever written over; what belongs into it no more is left out of another file, which takes its place.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use protocol::backup::{
    BackupError, BackupKey, HEADER, MAX_PART, NONCE, Owner, Part, SALT, STEP, check_header, part_len,
};
use protocol::opaque::Stretching;
use witness::durable;

use crate::failure::{Failure, Kind};
use crate::store_key::random;

/// A file whose passphrase was right.
pub(crate) struct BackupFile {
    path: PathBuf,
    file: File,
    key: BackupKey,
    owner: Owner,
    length: u64,
    /// Where to read on.
    at: u64,
    /// Where the last whole part ends.
    whole: u64,
    damaged: Vec<(u64, u64)>,
    end: Option<Ended>,
}

/// That an export ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ended {
    /// When, milliseconds since 1970.
    pub(crate) at_ms: u64,
    /// How many messages were in the file then.
    pub(crate) messages: u64,
}

impl BackupFile {
    /// True if there is something to go on with.
    pub(crate) fn is_there(path: &Path) -> bool {
        std::fs::metadata(path).is_ok_and(|file| file.len() > 0)
    }

    /// Looks whether this is a file that [`Self::open`] can open, as far as that can be told without a passphrase.
    ///
    /// # Errors
    /// `backup.unreadable`, `backup.malformed`, `backup.newer`, `backup.damaged`.
    pub(crate) fn check(path: &Path) -> Result<(), Failure> {
        let file = File::open(path).map_err(|error| unreadable(path, &error))?;
        header(&file, path).map(drop)
    }

    /// Makes a new file, which only its owner can read. From the first moment on that it has its name it has its header.
    ///
    /// # Errors
    /// `backup.unreadable` where there can be no file, `backup.io`, `backup.key`, `app.broken` without randomness.
    pub(crate) fn create(path: &Path, owner: &Owner, passphrase: &str) -> Result<Self, Failure> {
        let (salt, nonce) = (random::<SALT>()?, random::<NONCE>()?);
        let made = BackupKey::create(owner, passphrase, Stretching::RECOMMENDED, salt, nonce);
        let (header, key) = made.map_err(refused)?;
        durable::replace(path, &header).map_err(|error| match error.kind() {
            ErrorKind::NotFound | ErrorKind::PermissionDenied | ErrorKind::NotADirectory => unreadable(path, &error),
            _ => disk(path, &error),
        })?;
        let file = OpenOptions::new().read(true).write(true).open(path).map_err(|error| disk(path, &error))?;
        Self::new(path, file, key, owner.clone(), true)
    }

    /// Opens a file, to read it or also to go on with it.
    ///
    /// # Errors
    /// Those of [`Self::check`]; `backup.passphrase`, `backup.busy`.
    pub(crate) fn open(path: &Path, passphrase: &str, writing: bool) -> Result<Self, Failure> {
        let file = OpenOptions::new().read(true).write(writing).open(path);
        let file = file.map_err(|error| unreadable(path, &error))?;
        let header = header(&file, path)?;
        let (owner, key) = BackupKey::open(&header, passphrase, Stretching::RECOMMENDED).map_err(refused)?;
        Self::new(path, file, key, owner, writing)
    }

    fn new(path: &Path, file: File, key: BackupKey, owner: Owner, writing: bool) -> Result<Self, Failure> {
        let locked = if writing { file.try_lock().is_ok() } else { file.try_lock_shared().is_ok() };
        if !locked {
            let message = "this backup is being written or read just now; try again when that has ended";
            return Err(Failure::new(Kind::Refused, "backup.busy", message));
        }
        let length = file.metadata().map_err(|error| disk(path, &error))?.len();
        let (path, begin) = (path.to_owned(), u64::try_from(HEADER).unwrap_or(u64::MAX));
        Ok(Self { path, file, key, owner, length, at: begin, whole: begin, damaged: Vec::new(), end: None })
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// As if nothing of it had been read yet.
    pub(crate) fn begin_again(&mut self) {
        self.at = u64::try_from(HEADER).unwrap_or(u64::MAX);
        (self.whole, self.end) = (self.at, None);
        self.damaged.clear();
    }

    /// Gives it the name of another file, whose place it takes.
    ///
    /// # Errors
    /// `backup.io`.
    pub(crate) fn rename(&mut self, path: &Path) -> Result<(), Failure> {
        let renamed = std::fs::rename(&self.path, path).and_then(|()| durable::sync_folder_of(path));
        renamed.map_err(|error| disk(path, &error))?;
        path.clone_into(&mut self.path);
        Ok(())
    }

    /// Whose it says that it is.
    pub(crate) fn owner(&self) -> &Owner {
        &self.owner
    }

    /// Its length, bytes.
    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    /// How far it was read, bytes.
    pub(crate) fn position(&self) -> u64 {
        self.at.min(self.length)
    }

    /// The stretches between whole parts that could not be read: first byte, and the first one behind.
    pub(crate) fn damaged(&self) -> &[(u64, u64)] {
        &self.damaged
    }

    /// What ended it, once all of it was read; nothing if an export was broken off, or the end is missing.
    pub(crate) fn end(&self) -> Option<Ended> {
        self.end.filter(|_| self.whole == self.length)
    }

    /// The next part that can be read; `None` behind the last one.
    ///
    /// # Errors
    /// `backup.io`.
    pub(crate) fn next(&mut self) -> Result<Option<Part>, Failure> {
        let step = u64::try_from(STEP).unwrap_or(u64::MAX);
        while self.at < self.length {
            if let Some((part, length)) = self.part_here()? {
                if self.whole < self.at {
                    self.damaged.push((self.whole, self.at));
                }
                self.at = self.at.saturating_add(length);
                self.whole = self.at;
                self.end = match part {
                    Part::End { at_ms, messages } => Some(Ended { at_ms, messages }),
                    Part::Settings(_) | Part::Messages(_) => None,
                };
                return Ok(Some(part));
            }
            self.at = self.at.saturating_add(step);
        }
        Ok(None)
    }

    fn part_here(&self) -> Result<Option<(Part, u64)>, Failure> {
        let mut head = [0; 4];
        if self.length.saturating_sub(self.at) < 4 {
            return Ok(None);
        }
        self.file.read_exact_at(&mut head, self.at).map_err(|error| disk(&self.path, &error))?;
        let Some(length) = part_len(head).filter(|length| *length <= MAX_PART) else { return Ok(None) };
        let long = u64::try_from(length).unwrap_or(u64::MAX);
        if long > self.length.saturating_sub(self.at) {
            return Ok(None);
        }
        let mut bytes = vec![0; length];
        self.file.read_exact_at(&mut bytes, self.at).map_err(|error| disk(&self.path, &error))?;
        Ok(self.key.read(&bytes, self.at).map(|part| (part, long)))
    }

    /// Cuts off what stands behind the last whole part, once all was read: an export was killed there.
    ///
    /// # Errors
    /// `backup.io`.
    pub(crate) fn cut(&mut self) -> Result<(), Failure> {
        if self.whole < self.length {
            self.file.set_len(self.whole).map_err(|error| disk(&self.path, &error))?;
            self.length = self.whole;
        }
        self.at = self.length;
        Ok(())
    }

    /// Writes a part behind the last one.
    ///
    /// # Errors
    /// `backup.io`, `app.broken` without randomness.
    pub(crate) fn write(&mut self, part: &Part) -> Result<(), Failure> {
        let sealed = self.key.seal(part, self.length, random()?);
        let sealed = sealed.ok_or_else(|| Failure::broken("a part that is too long"))?;
        self.file.write_all_at(&sealed, self.length).map_err(|error| disk(&self.path, &error))?;
        self.length = self.length.saturating_add(u64::try_from(sealed.len()).unwrap_or(u64::MAX));
        (self.at, self.whole) = (self.length, self.length);
        Ok(())
    }

    /// Returns when all of it is on the disk.
    ///
    /// # Errors
    /// `backup.io`.
    pub(crate) fn sync(&self) -> Result<(), Failure> {
        self.file.sync_all().map_err(|error| disk(&self.path, &error))
    }
}

fn header(file: &File, path: &Path) -> Result<Vec<u8>, Failure> {
    let mut header = vec![0; HEADER];
    let mut filled = 0;
    while let Some(rest) = header.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match file.read_at(rest, u64::try_from(filled).unwrap_or(u64::MAX)) {
            Ok(0) => break,
            Ok(read) => filled = filled.saturating_add(read),
            Err(error) if error.kind() == ErrorKind::Interrupted => (),
            Err(error) => return Err(unreadable(path, &error)),
        }
    }
    header.truncate(filled);
    check_header(&header).map_err(refused)?;
    Ok(header)
}

fn refused(error: BackupError) -> Failure {
    let kind = match error {
        BackupError::Malformed => Kind::Misuse,
        BackupError::Newer | BackupError::Passphrase => Kind::Refused,
        BackupError::Header | BackupError::Key => Kind::Broken,
    };
    Failure::new(kind, error.code(), error)
}

fn unreadable(path: &Path, error: &io::Error) -> Failure {
    Failure::misuse("backup.unreadable", format_args!("the file {} cannot be opened: {error}", path.display()))
}

fn disk(path: &Path, error: &io::Error) -> Failure {
    Failure::new(Kind::Broken, "backup.io", format_args!("the file {}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use chain::id::AccountId;

    use super::*;

    const PASSPHRASE: &str = "four random words here";

    fn owner() -> Owner {
        Owner { origin: "trefoil.example/log".to_owned(), account: AccountId([7; 32]) }
    }

    fn end(messages: u64) -> Part {
        Part::End { at_ms: messages, messages }
    }

    fn read(file: &mut BackupFile) -> Vec<Part> {
        std::iter::from_fn(|| file.next().unwrap()).collect()
    }

    /// BAK-4: cut anywhere behind the header, it is gone on with behind what is whole.
    #[test]
    fn a_torn_file_is_gone_on_with_behind_its_last_whole_part() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("backup");
        let mut file = BackupFile::create(&path, &owner(), PASSPHRASE).unwrap();
        (0..4).for_each(|number| file.write(&end(number)).unwrap());
        drop(file);
        let whole = std::fs::read(&path).unwrap();
        assert_eq!(whole.len(), HEADER + 4 * STEP);
        for (length, parts) in [(HEADER, 0), (HEADER + 3, 0), (HEADER + STEP, 1), (HEADER + 4 * STEP - 1, 3)] {
            std::fs::write(&path, &whole[..length]).unwrap();
            let mut file = BackupFile::open(&path, PASSPHRASE, true).unwrap();
            let found = read(&mut file);
            assert_eq!(found, (0..parts).map(end).collect::<Vec<_>>());
            assert_eq!(file.end().is_some(), parts == 1, "{length}");
            assert!(file.damaged().is_empty());
            file.cut().unwrap();
            file.write(&end(9)).unwrap();
            drop(file);
            let mut file = BackupFile::open(&path, PASSPHRASE, false).unwrap();
            assert_eq!(read(&mut file), [found, vec![end(9)]].concat());
            assert_eq!(file.end(), Some(Ended { at_ms: 9, messages: 9 }));
        }
    }

    /// BAK-2: what is damaged is told by its place, what stands behind it is read, and none of it is cut off.
    #[test]
    fn damage_between_whole_parts_is_told_and_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("backup");
        let mut file = BackupFile::create(&path, &owner(), PASSPHRASE).unwrap();
        (0..4).for_each(|number| file.write(&end(number)).unwrap());
        drop(file);
        let mut bent = std::fs::read(&path).unwrap();
        bent[HEADER + STEP + 500] ^= 1;
        bent[HEADER + 2 * STEP + 1] ^= 1;
        std::fs::write(&path, &bent).unwrap();
        let mut file = BackupFile::open(&path, PASSPHRASE, true).unwrap();
        assert_eq!(read(&mut file), [end(0), end(3)]);
        let stretch = [HEADER + STEP, HEADER + 3 * STEP].map(|at| u64::try_from(at).unwrap());
        assert_eq!(file.damaged(), [stretch.into()]);
        file.cut().unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), bent);
        // one at a time
        let busy = BackupFile::open(&path, PASSPHRASE, false).err().map(|failure| failure.code);
        assert_eq!(busy.as_deref(), Some("backup.busy"));
    }
}
