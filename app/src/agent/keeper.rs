//! Who holds the key of the store: makes it once, and lets nobody try passphrases fast.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use client::StoreKey;
use tokio::sync::Mutex;
use tokio::task::spawn_blocking;
use tokio::time::sleep;
use witness::durable;
use zeroize::Zeroizing;

use crate::failure::{Failure, Kind};
use crate::local::rows::KeyState;
use crate::store_key::KeyFile;

/// The longest pause before a passphrase is tried, in seconds.
const LONGEST_PAUSE_S: u64 = 60;

/// The key of one profile.
#[derive(Debug)]
pub(crate) struct Keeper {
    folder: PathBuf,
    file: KeyFile,
    database: PathBuf,
    is_open: AtomicBool,
    /// Held while a passphrase is tried, so that there is one try at a time.
    wrong: Mutex<WrongInARow>,
}

impl Keeper {
    /// Of a profile's folder.
    pub(crate) fn of(folder: &Path, database: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            file: KeyFile::of(folder),
            database: database.to_owned(),
            is_open: AtomicBool::new(false),
            wrong: Mutex::new(WrongInARow(folder.join("store.wrong"))),
        }
    }

    /// The profile's folder, which nobody else can read.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Whether the store is open, can be opened, or is not there.
    pub(crate) fn state(&self) -> KeyState {
        match (self.is_open.load(Ordering::SeqCst), self.file.exists(), self.database.exists()) {
            (true, _, _) => KeyState::Open,
            (false, true, _) => KeyState::Locked,
            (false, false, true) => KeyState::Missing,
            (false, false, false) => KeyState::None,
        }
    }

    /// True if the key needs a passphrase.
    pub(crate) fn is_wrapped(&self) -> bool {
        self.file.open_plain().is_ok_and(|plain| plain.is_none())
    }

    /// The store was opened.
    pub(crate) fn opened(&self) {
        self.is_open.store(true, Ordering::SeqCst);
    }

    /// The key of a profile that needs no passphrase.
    pub(crate) fn open_plain(&self) -> Result<Option<StoreKey>, Failure> {
        if self.file.exists() { self.file.open_plain() } else { Ok(None) }
    }

    /// Makes the key of a new profile.
    pub(crate) async fn create(&self, passphrase: Option<Zeroizing<String>>) -> Result<StoreKey, Failure> {
        if self.state() == KeyState::Missing {
            return Err(missing());
        }
        let file = self.file.clone();
        let made = spawn_blocking(move || file.create(passphrase.as_ref().map(|it| it.as_str()))).await;
        made.map_err(Failure::broken)?
    }

    /// Opens it, after a pause that doubles with every wrong passphrase before. A try counts as wrong from its beginning,
    /// so that an agent which is killed in the middle of one has not forgotten it.
    pub(crate) async fn unlock(&self, passphrase: Zeroizing<String>) -> Result<StoreKey, Failure> {
        match self.state() {
            KeyState::None | KeyState::Missing => return Err(missing()),
            KeyState::Open | KeyState::Locked => (),
        }
        let wrong = self.wrong.lock().await;
        let before = wrong.count();
        sleep(pause_after(before)).await;
        wrong.keep(before.saturating_add(1))?;
        let file = self.file.clone();
        let opened = spawn_blocking(move || file.open(&passphrase)).await.map_err(Failure::broken)?;
        match &opened {
            Err(failure) if failure.code == "store.locked" => (),
            Ok(_) => wrong.keep(0)?,
            // it was not the passphrase
            Err(_) => wrong.keep(before)?,
        }
        opened
    }
}

/// The file that says how many passphrases in a row were wrong. Whoever may write it may read the wrapped key too, and
/// needs no agent to guess.
#[derive(Debug)]
struct WrongInARow(PathBuf);

impl WrongInARow {
    /// A file that says nothing sensible is as good as many.
    fn count(&self) -> u32 {
        match std::fs::read_to_string(&self.0) {
            Ok(text) => text.trim().parse().unwrap_or(u32::MAX),
            Err(error) if error.kind() == ErrorKind::NotFound => 0,
            Err(_) => u32::MAX,
        }
    }

    fn keep(&self, count: u32) -> Result<(), Failure> {
        let kept = durable::replace(&self.0, format!("{count}\n").as_bytes());
        kept.map_err(|error| Failure::new(Kind::Broken, "store.io", format_args!("{}: {error}", self.0.display())))
    }
}

fn pause_after(wrong: u32) -> Duration {
    let seconds = wrong.checked_sub(1).map_or(0, |more| 1_u64.checked_shl(more).unwrap_or(LONGEST_PAUSE_S));
    Duration::from_secs(seconds.min(LONGEST_PAUSE_S))
}

fn missing() -> Failure {
    let message = "your messages are still here, but the key to open them isn't; nothing was deleted";
    Failure::new(Kind::Refused, "store.locked", message)
}

/// What everybody gets who asks for something while the store is locked.
pub(crate) fn locked() -> Failure {
    Failure::new(
        Kind::Refused,
        "store.locked",
        "your messages are locked with a passphrase; give --passphrase-file FILE",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_wrong_passphrase_makes_the_next_try_later() {
        let pauses: Vec<_> = [0, 1, 2, 3, 7, 64, u32::MAX].map(|wrong| pause_after(wrong).as_secs()).into();
        assert_eq!(pauses, [0, 1, 2, 4, 60, 60, 60]);
    }

    fn runtime() -> tokio::runtime::Runtime {
        tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap()
    }

    /// Nobody gets faster tries by ending the agent in between.
    #[test]
    fn wrong_passphrases_are_counted_across_agents_until_a_right_one() {
        let folder = tempfile::tempdir().unwrap();
        KeyFile::of(folder.path()).create(Some("right")).unwrap();
        let runtime = runtime();
        let try_anew = |passphrase: &str| {
            let keeper = Keeper::of(folder.path(), &folder.path().join("store.sqlite"));
            let began = std::time::Instant::now();
            let opened = runtime.block_on(keeper.unlock(Zeroizing::new(passphrase.to_owned()))).is_ok();
            (opened, began.elapsed() >= Duration::from_secs(1), keeper.wrong.into_inner().count())
        };
        assert!(matches!(try_anew("guess"), (false, _, 1)));
        assert_eq!(try_anew("guess"), (false, true, 2));
        assert_eq!(try_anew("right"), (true, true, 0));
        std::fs::write(folder.path().join("store.wrong"), "rubbish").unwrap();
        let keeper = Keeper::of(folder.path(), &folder.path().join("store.sqlite"));
        assert_eq!(keeper.wrong.into_inner().count(), u32::MAX);
    }

    #[test]
    fn messages_without_a_key_are_told_and_get_no_new_key() {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("store.sqlite");
        let keeper = Keeper::of(folder.path(), &database);
        assert_eq!(keeper.state(), KeyState::None);
        std::fs::write(&database, "messages").unwrap();
        assert_eq!(keeper.state(), KeyState::Missing);
        assert_eq!(runtime().block_on(keeper.create(None)).unwrap_err().code, "store.locked");
        assert_eq!(std::fs::read(&database).unwrap(), b"messages");
    }
}
