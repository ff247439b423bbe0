//! Files that pages have handed over to be sent: each a copy in a folder of its own in the profile, until it is sent or nobody wants
//! it any more. A page can be closed and the agent killed; what stays behind goes at the next start.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::places::make_private;

/// The folder of a profile in which they are.
#[derive(Debug, Clone)]
pub(crate) struct Outbox(PathBuf);

impl Outbox {
    pub(crate) fn of(profile: &Path) -> Self {
        Self(profile.join("outbox"))
    }

    /// Takes in a file with the folder in which it lies alone; where it is from then on.
    ///
    /// # Errors
    /// That of the disk.
    pub(crate) fn take_in(&self, file: &Path) -> io::Result<PathBuf> {
        let parts = file.parent().and_then(|folder| Some((folder, folder.file_name()?, file.file_name()?)));
        let (folder, called, name) = parts.ok_or_else(|| io::Error::other("no file in a folder"))?;
        make_private(&self.0).map_err(|failure| io::Error::other(failure.message))?;
        let here = self.0.join(called);
        fs::rename(folder, &here)?;
        Ok(here.join(name))
    }

    /// It is sent, or not wanted any more. Whatever lies elsewhere is its owner's.
    pub(crate) fn forget(&self, file: &Path) {
        if let Some(folder) = self.folder_of(file) {
            // what stays is tried again at the next start
            fs::remove_dir_all(folder).unwrap_or_default();
        }
    }

    /// Nothing is left but these.
    pub(crate) fn keep_only(&self, files: &BTreeSet<PathBuf>) {
        let kept: BTreeSet<_> = files.iter().filter_map(|file| self.folder_of(file)).collect();
        for entry in fs::read_dir(&self.0).into_iter().flatten().flatten() {
            if !kept.contains(entry.path().as_path()) {
                fs::remove_dir_all(entry.path()).unwrap_or_default();
            }
        }
    }

    /// The folder of a file of ours: one that stands directly in this one, and is no way out of it.
    fn folder_of<'f>(&self, file: &'f Path) -> Option<&'f Path> {
        let folder = file.parent().filter(|_| file.file_name().is_some())?;
        let is_ours = folder.file_name().is_some() && folder.parent() == Some(self.0.as_path());
        is_ours.then_some(folder)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_one(profile: &Path, name: &str) -> PathBuf {
        let folder = profile.join("moving").join(name);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("a.txt"), "a").unwrap();
        Outbox::of(profile).take_in(&folder.join("a.txt")).unwrap()
    }

    #[test]
    fn what_was_sent_goes_and_what_waits_stays() {
        let profile = tempfile::tempdir().unwrap();
        let outbox = Outbox::of(profile.path());
        let [first, second, third] = ["1", "2", "3"].map(|name| with_one(profile.path(), name));
        assert_eq!(fs::read_to_string(&first).unwrap(), "a");
        outbox.forget(&first);
        assert!(!first.exists() && second.exists());
        outbox.keep_only(&BTreeSet::from([third.clone()]));
        assert!(!second.exists() && third.exists());
    }

    /// Whatever a face says is to be sent: nothing but a copy of ours is ever removed.
    #[test]
    fn nobody_elses_file_is_removed() {
        let profile = tempfile::tempdir().unwrap();
        let own = profile.path().join("store.sqlite");
        fs::write(&own, "all there is").unwrap();
        let outbox = Outbox::of(profile.path());
        let ours = with_one(profile.path(), "1");
        for path in
            ["outbox/../store.sqlite", "outbox/1/../../store.sqlite", "outbox/store.sqlite", "outbox/..", "outbox", "."]
        {
            outbox.forget(&profile.path().join(path));
            assert!(own.exists() && ours.exists(), "{path}");
        }
        for path in ["", "/", "a", "/outbox/1/a.txt"] {
            outbox.forget(Path::new(path));
        }
        assert!(own.exists() && ours.exists());
    }
}
