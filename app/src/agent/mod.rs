//! The agent: one process per profile that owns its keys, database and network. Everything else is a face of it.
//!
//! ```text
//!  face (socket) ──┐                                        ┌──► net   requests, answers come back
//!  net  (answers) ─┼──► core: transaction, step, COMMIT ────┼──► faces events
//!  push (frames) ──┘                                        ├──► push  where to listen
//!                                                           └──► desktop  what it shows now
//! ```
//!
//! [`core`] alone has the connection and the client. Nothing is sent or shown before the commit. A step that fails
//! through this program's or its disk's fault is rolled back and the client made anew from what is on disk; if the next
//! one fails too, the agent ends and says why.

mod asked;
mod backup;
mod core;
mod desktop;
mod face;
mod files;
mod keeper;
mod log;
mod net;
mod notifications;
mod porter;
mod portraits;
mod push;
mod recorded;
mod shelf;
mod telling;
mod waiting;

use std::fs::{File, OpenOptions, Permissions};
use std::io::ErrorKind;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use client::StoreKey;
use client::step::{Answer, IntentId, RequestId};
use client::transfer::{End, LocalFile};
use protocol::api::delivery::{Delivery, Passing};
use protocol::id::MessageId;
use rustix::fs::Mode;
use tokio::net::UnixListener;
use tokio::sync::{mpsc, oneshot, watch};
use zeroize::Zeroizing;

pub(crate) use self::face::{Face, Reply};
use self::files::Saving;
use self::keeper::Keeper;
use self::log::Log;
use self::notifications::{About, Shown};
use self::shelf::Shelf;
use crate::browser;
use crate::commands::{asked_to_end, runtime};
use crate::failure::{Failure, Kind};
use crate::local::What;
use crate::local::rows::{KeyState, Web};
use crate::outbox::Outbox;
use crate::places::{Profile, make_private};
use crate::tls::Trusted;

/// How long an agent that ends waits for the desktop to show nothing of it any more.
const LEAVE_WITHIN: Duration = Duration::from_secs(1);
/// What may wait for the core at once; more than that, and the senders wait.
const INBOX: usize = 256;

/// What comes in. No `Debug`: it holds texts and secrets.
pub(crate) enum Incoming {
    /// A face wants something.
    Asked { what: What, reply: Reply },
    /// The store can be opened.
    Key { key: StoreKey, reply: Reply },
    /// The service answered, or nobody did, a request of the client with this number.
    Answered { generation: u64, id: RequestId, answer: Answer },
    /// A file that a face sends was read once.
    Measured { to: String, text: String, file: Result<LocalFile, Failure>, reply: Reply },
    /// The picture of a conversation was made.
    Portrayed { chat: String, jpeg: Result<Vec<u8>, Failure>, wait_s: u64, reply: Reply },
    /// How far a file is.
    Moved { intent: IntentId, done: u64, total: u64 },
    /// A transfer of the client with this number has ended; for a file that came, with its message.
    Transferred { generation: u64, id: RequestId, end: End, message: Option<MessageId> },
    /// What is kept of a file was opened for a face.
    Opened { saving: Saving, end: Result<End, Failure>, reply: Reply },
    /// The pages want the bytes of a file that is kept.
    Kept { message: String, to: oneshot::Sender<Result<Option<Vec<u8>>, Failure>> },
    /// The push connection is open.
    Connected,
    /// It broke, or nobody answered.
    Disconnected,
    /// The service refused the push connection.
    Refused,
    /// It brought something.
    Delivered(Delivery),
    /// Or a word in passing.
    Passed(Passing),
}

/// What an agent needs to know. No `Debug`: it holds a secret.
pub(crate) struct Options {
    pub(crate) profile: Profile,
    pub(crate) ca_file: Option<PathBuf>,
    /// Opens the store at once.
    pub(crate) passphrase: Option<Zeroizing<String>>,
}

/// Serves a profile until asked to end; `ready` is called when the socket is there.
///
/// # Errors
/// `agent.running`, `store.locked`, `store.*`, `socket.io`.
pub(crate) fn run(options: Options, ready: impl FnOnce()) -> Result<(), Failure> {
    // whatever this process makes is its user's alone
    rustix::process::umask(Mode::RWXG | Mode::RWXO);
    let profile = &options.profile;
    make_private(&profile.folder)?;
    let lock = lock(profile)?;
    let trusted = options.ca_file.as_deref().map(Trusted::read).transpose()?;
    let log = Log::open(&profile.log)?;
    let database = profile.folder.join("store.sqlite");
    let keeper = Arc::new(Keeper::of(&profile.folder, &database));
    let runtime = runtime()?;
    let ended = runtime.block_on(async {
        let end = asked_to_end();
        let (to_core, inbox) = mpsc::channel(INBOX);
        let (to_push, targets) = watch::channel(None);
        let net = net::Net::new(trusted.as_ref(), to_core.clone());
        let porter = porter::Porter::new(trusted.as_ref(), Shelf::of(&profile.folder), to_core.clone());
        let (to_desktop, wanted) = watch::channel(Shown::new());
        let (to_open, chosen) = mpsc::channel(1);
        let desktop = tokio::spawn(desktop::run(wanted, to_open));
        let face = Face::new(Arc::clone(&keeper), to_core.clone());
        tokio::spawn(open_what_is_chosen(chosen, face.clone()));
        let state = profile.state.clone();
        let outbox = Outbox::of(&profile.folder);
        let outside = core::Outside { net, porter, outbox, push: to_push, desktop: to_desktop, log, state };
        let mut core = core::Core::new(database, Arc::clone(&keeper), outside);
        if let Some(key) = first_key(&keeper, options.passphrase).await? {
            core.open(key)?;
        }
        let listener = listen(profile)?;
        tokio::spawn(push::run(targets, trusted, to_core.clone()));
        tokio::spawn(face::run(listener, face));
        ready();
        let ended = core.run(inbox, end).await;
        // nobody takes away later what the desktop shows
        drop(tokio::time::timeout(LEAVE_WITHIN, desktop).await);
        ended
    });
    // a socket that stays behind is replaced by the next agent
    std::fs::remove_file(&profile.socket).unwrap_or_default();
    runtime.shutdown_background();
    drop(lock);
    ended
}

/// The key, if the store can be opened without asking anybody.
async fn first_key(keeper: &Keeper, passphrase: Option<Zeroizing<String>>) -> Result<Option<StoreKey>, Failure> {
    match (keeper.open_plain()?, passphrase) {
        (None, Some(passphrase)) if keeper.state() == KeyState::Locked => keeper.unlock(passphrase).await.map(Some),
        (plain, _) => Ok(plain),
    }
}

/// The path of a profile's lock.
pub(crate) fn lock_path(profile: &Profile) -> PathBuf {
    profile.folder.join("lock")
}

/// Whoever holds this is the profile's one agent.
fn lock(profile: &Profile) -> Result<File, Failure> {
    let path = lock_path(profile);
    let disk = |error| Failure::new(Kind::Broken, "store.io", format_args!("{}: {error}", path.display()));
    let file = OpenOptions::new().create(true).write(true).truncate(false).mode(0o600).open(&path).map_err(disk)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => {
            Err(Failure::new(Kind::Refused, "agent.running", "an agent serves this profile already"))
        }
        Err(std::fs::TryLockError::Error(error)) => Err(disk(error)),
    }
}

/// The socket, in the place of one that an agent left behind.
fn listen(profile: &Profile) -> Result<UnixListener, Failure> {
    let path = &profile.socket;
    let wrong = |error| Failure::new(Kind::Broken, "socket.io", format_args!("{}: {error}", path.display()));
    if let Some(folder) = path.parent() {
        make_private(folder)?;
    }
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(wrong(error)),
        _ => (),
    }
    let listener = UnixListener::bind(path).map_err(wrong)?;
    std::fs::set_permissions(path, Permissions::from_mode(0o600)).map_err(wrong)?;
    Ok(listener)
}

/// Whoever presses a notification gets the page of what it is about.
async fn open_what_is_chosen(mut chosen: mpsc::Receiver<About>, face: Face) {
    while let Some(about) = chosen.recv().await {
        let place = match about {
            About::Conversation(group) => format!("/c/{group}"),
            About::Device(_) => "/devices".to_owned(),
            About::Reset => "/".to_owned(),
        };
        let pages = face.done::<Web>(What::OpenWeb { service: None, policy: None }).await;
        let folder = face.folder().to_owned();
        // without pages, or without a browser, there is nobody to say so to
        let Ok(Web { link, .. }) = pages else { continue };
        let link = link.replacen("/#", &format!("{place}#"), 1);
        let opened = tokio::task::spawn_blocking(move || browser::open(&link, &folder)).await;
        drop(opened);
    }
}

/// An agent over a new profile in a folder, without a socket: what asks it here asks the real one.
#[cfg(test)]
pub(crate) async fn face_for_test(folder: &std::path::Path) -> Face {
    let database = folder.join("store.sqlite");
    let keeper = Arc::new(Keeper::of(folder, &database));
    let (to_core, inbox) = mpsc::channel(INBOX);
    let (push, _) = watch::channel(None);
    let (desktop, _) = watch::channel(Shown::new());
    let log = Log::open(&folder.join("log")).unwrap();
    let (net, porter) =
        (net::Net::new(None, to_core.clone()), porter::Porter::new(None, Shelf::of(folder), to_core.clone()));
    let outside =
        core::Outside { net, porter, outbox: Outbox::of(folder), push, desktop, log, state: folder.to_owned() };
    let mut core = core::Core::new(database, Arc::clone(&keeper), outside);
    core.open(keeper.create(None).await.unwrap()).unwrap();
    tokio::spawn(core.run(inbox, std::future::pending()));
    Face::new(keeper, to_core)
}
