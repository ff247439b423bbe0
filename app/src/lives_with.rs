//! Ends this process when the one that started it for its own sake is gone, however it went: `trefoil try` may be killed,
//! and must leave no agents behind.
//!
//! The one to live with holds a lock on a file for as long as it lives; the kernel lets go of it whatever happens.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::path::Path;

use rustix::process::{Signal, getpid, kill_process};

/// Names the locked file to those who are started, and to those whom they start.
pub(crate) const VARIABLE: &str = "TREFOIL_LIVES_WITH";

/// Proof of life: held by whoever others live with.
pub(crate) struct Alive(#[expect(dead_code, reason = "the lock ends with it")] File);

impl Alive {
    /// Locks the file, which is made.
    ///
    /// # Errors
    /// The disk.
    pub(crate) fn at(path: &Path) -> io::Result<Self> {
        let file = File::create_new(path)?;
        file.lock()?;
        Ok(Self(file))
    }
}

/// True for a process that somebody started for a story of his own: nobody's messages are in it.
pub(crate) fn is_somebodys() -> bool {
    std::env::var_os(VARIABLE).is_some()
}

/// Watches over whom this process lives with, if with anybody.
pub(crate) fn watch() {
    let Some(path) = std::env::var_os(VARIABLE) else { return };
    std::thread::spawn(move || {
        wait(&path);
        // as if somebody had asked for it: agents and services end in good order
        kill_process(getpid(), Signal::TERM).unwrap_or_default();
    });
}

/// Until nobody holds the lock, or the file is gone.
fn wait(path: &OsStr) {
    File::open(path).and_then(|file| file.lock_shared()).unwrap_or_default();
}
