//! Moves files between this machine and the service, each on a thread of its own; the client says what comes next
//! (`client::transfer`), here is what it cannot do: open files and ask.
//!
//! Never more than a few parts of a file are in memory, or a picture that is cleaned. What is being fetched lies in a file beside its place, under a name
//! that nobody else has chosen, until all of it was compared; then it gets its own name (BLB-6).

mod source;
mod unfinished;

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::ops::Range;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use client::step::{Answer, Call, IntentId};
use client::transfer::{Download, Downloading, End, Job, LocalFile, Transfer, Upload, Uploading};
use protocol::api::blobs::MAX_PIECE;
use protocol::content::ANY_TYPE;
use tokio::sync::{Semaphore, mpsc, oneshot};

use self::source::Source;
use self::unfinished::Unfinished;
use super::Incoming;
use super::net;
use super::shelf::{Coming, Shelf, is_broken};
use crate::failure::Failure;
use crate::picture;
use crate::portrait;
use crate::tls::Trusted;
use crate::words;

/// Files that are moved at once.
const AT_ONCE: usize = 2;
/// How long one request may take.
const TIMEOUT: Duration = Duration::from_secs(60);
/// Faces are told how far it is this often.
const TOLD_EVERY: Duration = Duration::from_millis(200);
/// Bytes that are read at a time.
const STEP: usize = 1 << 20;

/// The one who moves them.
#[derive(Debug, Clone)]
pub(crate) struct Porter {
    http: ureq::Agent,
    places: Arc<Semaphore>,
    core: mpsc::Sender<Incoming>,
    shelf: Shelf,
    under_way: Arc<Mutex<BTreeMap<IntentId, Arc<UnderWay>>>>,
}

/// How far a transfer is.
#[derive(Debug, Default)]
struct UnderWay {
    done: AtomicU64,
    total: AtomicU64,
    is_unwanted: AtomicBool,
    /// What is there of a file that is fetched, also while nobody answers.
    unfinished: Mutex<Option<PathBuf>>,
}

/// One transfer, on its thread.
struct Trip {
    porter: Porter,
    service: String,
    intent: IntentId,
    state: Arc<UnderWay>,
    told: Instant,
}

impl Porter {
    /// What it hears goes to `core`.
    pub(crate) fn new(trusted: Option<&Trusted>, shelf: Shelf, core: mpsc::Sender<Incoming>) -> Self {
        let http = net::http(trusted, TIMEOUT, AT_ONCE * 2);
        Self { http, places: Arc::new(Semaphore::new(AT_ONCE)), core, shelf, under_way: Arc::default() }
    }

    /// What is kept of files.
    pub(crate) fn shelf(&self) -> &Shelf {
        &self.shelf
    }

    fn under_way(&self) -> MutexGuard<'_, BTreeMap<IntentId, Arc<UnderWay>>> {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins a transfer; how it ended comes to the core by itself. To be called within the runtime.
    pub(crate) fn begin(&self, service: Option<&str>, generation: u64, transfer: Transfer) {
        let Transfer { id, intent, job } = transfer;
        let state = Arc::<UnderWay>::default();
        if let Some(before) = self.under_way().insert(intent, Arc::clone(&state)) {
            before.is_unwanted.store(true, Ordering::SeqCst);
        }
        let message = match &job {
            Job::Download(download) => Some(download.message()),
            Job::Upload(_) => None,
        };
        let (porter, service) = (self.clone(), service.map(str::to_owned));
        tokio::spawn(async move {
            let Ok(_place) = Arc::clone(&porter.places).acquire_owned().await else { return };
            let core = porter.core.clone();
            let moved = tokio::task::spawn_blocking(move || {
                let Some(service) = service else { return End::Unreachable };
                let trip = Trip { porter, service, intent, state, told: Instant::now() };
                trip.make(job)
            });
            let end = moved.await.unwrap_or(End::Unreachable);
            // a core that has ended wants to hear nothing
            core.send(Incoming::Transferred { generation, id, end, message }).await.unwrap_or_default();
        });
    }

    /// Nobody wants this any more.
    pub(crate) fn give_up(&self, intent: IntentId) {
        if let Some(state) = self.under_way().remove(&intent) {
            state.is_unwanted.store(true, Ordering::SeqCst);
            let unfinished = state.unfinished.lock().unwrap_or_else(PoisonError::into_inner).take();
            // gone already, if it got its name
            unfinished.map_or(Ok(()), fs::remove_file).unwrap_or_default();
        }
    }

    /// How many bytes of a transfer are where they are to be, and of how many.
    pub(crate) fn progress(&self, intent: IntentId) -> Option<(u64, u64)> {
        let state = self.under_way().get(&intent).cloned()?;
        Some((state.done.load(Ordering::Relaxed), state.total.load(Ordering::Relaxed)))
    }

    /// Puts a file under its name out of what is kept of it; the core hears of it.
    pub(crate) fn open_into(
        &self,
        mut download: Download,
        intent: IntentId,
        then: impl FnOnce(Result<End, Failure>) -> Incoming + Send + 'static,
    ) {
        let (core, shelf) = (self.core.clone(), self.shelf.clone());
        tokio::task::spawn_blocking(move || {
            let end = opened_into(&shelf, &mut download, intent);
            core.blocking_send(then(end)).unwrap_or_default();
        });
    }

    /// The bytes of a file that is kept; none if it is not, or is damaged.
    pub(crate) fn open(&self, mut download: Download, to: oneshot::Sender<Result<Option<Vec<u8>>, Failure>>) {
        let shelf = self.shelf.clone();
        tokio::task::spawn_blocking(move || {
            let mut bytes = Vec::new();
            let end = shelf.open(&mut download, |piece| {
                bytes.extend_from_slice(piece);
                Ok(())
            });
            // a page that was closed wants nothing any more
            to.send(Ok(matches!(end, Ok(End::Done)).then_some(bytes))).unwrap_or_default();
        });
    }

    /// Makes the picture of a conversation out of a file; the core hears of it.
    pub(crate) fn portray(
        &self,
        path: String,
        then: impl FnOnce(Result<Vec<u8>, Failure>) -> Incoming + Send + 'static,
    ) {
        let core = self.core.clone();
        tokio::task::spawn_blocking(move || core.blocking_send(then(portrayed(&path))).unwrap_or_default());
    }

    /// Reads a file once, to know what it is; the core hears of it.
    pub(crate) fn measure(
        &self,
        path: String,
        as_is: bool,
        then: impl FnOnce(Result<LocalFile, Failure>) -> Incoming + Send + 'static,
    ) {
        let core = self.core.clone();
        tokio::task::spawn_blocking(move || {
            core.blocking_send(then(source::measured(path, as_is))).unwrap_or_default()
        });
    }
}

/// A regular file, open for reading. Anything else could keep its reader waiting for ever.
fn open(path: &Path) -> io::Result<File> {
    let nonblocking = i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).unwrap_or_default();
    let file = OpenOptions::new().read(true).custom_flags(nonblocking).open(path)?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(io::Error::other("this is no regular file")) }
}

fn unreadable(path: &str, error: io::Error) -> Failure {
    Failure::misuse("file.unreadable", format_args!("{path} can't be read: {error}"))
}

fn portrayed(path: &str) -> Result<Vec<u8>, Failure> {
    let unreadable = |error: io::Error| unreadable(path, error);
    let file = open(Path::new(path)).map_err(unreadable)?;
    let length = file.metadata().map_err(unreadable)?.len();
    let kind = picture::kind(&read(&file, &(0..16)).map_err(unreadable)?).unwrap_or(ANY_TYPE);
    let jpeg = portrait::of(file, kind, length);
    jpeg.ok_or_else(|| Failure::misuse("chat.picture", words::file::NOT_DECODED))
}

/// These bytes of a file, or what there is of them.
fn read(file: &File, range: &Range<u64>) -> io::Result<Vec<u8>> {
    let length = usize::try_from(range.end.saturating_sub(range.start)).map_err(io::Error::other)?;
    let (mut bytes, mut filled) = (vec![0; length], 0_usize);
    while let Some(rest) = bytes.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match file.read_at(rest, range.start.saturating_add(filled as u64))? {
            0 => break,
            more => filled = filled.saturating_add(more),
        }
    }
    bytes.truncate(filled);
    Ok(bytes)
}

impl Trip {
    fn make(mut self, job: Job) -> End {
        let end = match job {
            Job::Upload(mut upload) => self.upload(&mut upload),
            Job::Download(mut download) => self.download(&mut download),
        };
        self.tell(true);
        end
    }

    fn is_unwanted(&self) -> bool {
        self.state.is_unwanted.load(Ordering::SeqCst) || self.porter.core.is_closed()
    }

    fn note(&mut self, (done, total): (u64, u64)) {
        self.state.done.store(done, Ordering::Relaxed);
        self.state.total.store(total, Ordering::Relaxed);
        self.tell(false);
    }

    fn tell(&mut self, is_last: bool) {
        if !is_last && self.told.elapsed() < TOLD_EVERY {
            return;
        }
        self.told = Instant::now();
        let (done, total) = (self.state.done.load(Ordering::Relaxed), self.state.total.load(Ordering::Relaxed));
        // a core that has ended wants to hear nothing
        self.porter.core.blocking_send(Incoming::Moved { intent: self.intent, done, total }).unwrap_or_default();
    }

    fn upload(&mut self, upload: &mut Upload) -> End {
        let file = match Source::open(Path::new(upload.path()), upload.is_cleaned()) {
            Ok(file) => file,
            Err(error) => {
                upload.unreadable(&error.to_string());
                return ended(upload.go_on());
            }
        };
        loop {
            if self.is_unwanted() {
                return End::Unreachable;
            }
            match upload.go_on() {
                Uploading::Read(range) => give(upload, &file, &range),
                Uploading::Ask(call) => {
                    let began = Instant::now();
                    let (http, service) = (&self.porter.http, &self.service);
                    // while this part goes out, the next one is sealed
                    let answer = thread::scope(|scope| {
                        let asked = scope.spawn(|| net::ask(http, service, &call, MAX_PIECE));
                        if let Some(range) = upload.ahead() {
                            give(upload, &file, &range);
                        }
                        asked.join().unwrap_or(Answer::Unreachable)
                    });
                    upload.answered(answer, u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX));
                    self.note(upload.progress());
                }
                Uploading::End(end) => {
                    if matches!(end, End::Done) && upload.is_kept() {
                        self.keep_sent(upload, &file);
                    }
                    return end;
                }
            }
        }
    }

    /// BLB-7: what is sent from here is here as what came. Sealed once more, it is the same.
    fn keep_sent(&self, upload: &Upload, file: &Source) {
        let Ok(Some(mut coming)) = self.porter.shelf.begin_sent(self.intent) else { return };
        let (mut part, mut at) = (0, 0);
        while let Some(range) = upload.part(part) {
            let sealed = file.read(&range).ok().and_then(|bytes| upload.seal(part, &bytes));
            let Some(sealed) = sealed else { return coming.discard() };
            coming.write(at, &sealed);
            (part, at) = (part.saturating_add(1), at.saturating_add(sealed.len() as u64));
        }
        // without it, it is fetched as any other
        coming.finish().unwrap_or_default();
    }

    fn download(&mut self, download: &mut Download) -> End {
        let is_only_kept = download.target().is_none();
        let mut kept = match download.is_kept().then(|| self.porter.shelf.begin(&download.message())).transpose() {
            Ok(kept) => kept.flatten(),
            Err(failure) if is_only_kept => return unwritable(download, failure),
            Err(_) => None,
        };
        let mut unfinished = match download.target().map(|target| Unfinished::open(download, target, self.intent)) {
            Some(Ok(Some(unfinished))) => Some(unfinished),
            None if kept.is_some() => None,
            // another thread still writes there, and ends soon
            Some(Ok(None)) | None => return End::Unreachable,
            Some(Err(failure)) => return unwritable(download, failure),
        };
        let place = unfinished.as_ref().map(|it| it.path().to_owned());
        *self.state.unfinished.lock().unwrap_or_else(PoisonError::into_inner) = place;
        let begun = match (&mut unfinished, &kept) {
            (Some(unfinished), None) => unfinished.go_on_behind(download),
            // what is kept goes on, and from the beginning of that the file is written anew
            (Some(unfinished), Some(_)) => unfinished.begin_again(),
            (None, _) => Ok(()),
        };
        if let Err(failure) = begun {
            return unwritable(download, failure);
        }
        let mut end = self.fetch(download, unfinished.as_mut(), kept.as_mut());
        if let Some(kept) = kept.as_mut().filter(|kept| is_broken(&end) && kept.went_on()) {
            kept.begin_again();
            download.begin_again();
            end = match unfinished.as_mut().map_or(Ok(()), Unfinished::begin_again) {
                Ok(()) => self.fetch(download, unfinished.as_mut(), Some(kept)),
                Err(failure) => unwritable(download, failure),
            };
        }
        // what may be gone on with stays
        if !matches!(end, End::Unreachable) || self.state.is_unwanted.load(Ordering::SeqCst) {
            unfinished.into_iter().for_each(Unfinished::remove);
            kept.as_mut().into_iter().for_each(Coming::discard);
        }
        end
    }

    fn fetch(
        &mut self,
        download: &mut Download,
        mut unfinished: Option<&mut Unfinished>,
        mut kept: Option<&mut Coming>,
    ) -> End {
        let mut coming: Option<(Call, thread::JoinHandle<Answer>)> = None;
        loop {
            if self.is_unwanted() {
                return End::Unreachable;
            }
            match download.go_on() {
                Downloading::Ask(call) => {
                    let wanted = download.wanted();
                    if let Some(bytes) = kept.as_ref().and_then(|kept| kept.read(&wanted)) {
                        download.answered(Answer::Ok(bytes));
                        continue;
                    }
                    let answer = match coming.take().filter(|(asked, _)| *asked == call) {
                        Some((_, answer)) => answer.join().unwrap_or(Answer::Unreachable),
                        None => net::ask(&self.porter.http, &self.service, &call, MAX_PIECE),
                    };
                    // while this piece is opened and written, the next one comes
                    coming = download.ahead().filter(|_| matches!(answer, Answer::Ok(_))).map(|call| {
                        let (http, service, asked) = (self.porter.http.clone(), self.service.clone(), call.clone());
                        (call, thread::spawn(move || net::ask(&http, &service, &asked, MAX_PIECE)))
                    });
                    if let (Some(kept), Answer::Ok(bytes)) = (kept.as_mut(), &answer) {
                        kept.write(wanted.start, bytes);
                    }
                    download.answered(answer);
                }
                Downloading::Write(bytes) => match unfinished.as_mut().map_or(Ok(()), |it| it.write(&bytes)) {
                    Ok(()) => self.note(download.progress()),
                    Err(failure) => return unwritable(download, failure),
                },
                Downloading::Finish => {
                    let is_kept = kept.as_mut().map_or(Ok(()), |kept| kept.finish());
                    let finished = match (unfinished.as_mut(), download.target()) {
                        (Some(unfinished), Some(target)) => unfinished.finish(target),
                        _ => is_kept,
                    };
                    match finished {
                        Ok(()) => download.finished(),
                        Err(failure) => return unwritable(download, failure),
                    }
                }
                Downloading::End(end) => return end,
            }
        }
    }
}

fn give(upload: &mut Upload, file: &Source, range: &Range<u64>) {
    match file.read(range) {
        Ok(bytes) => upload.read(&bytes),
        Err(error) => upload.unreadable(&error.to_string()),
    }
}

fn opened_into(shelf: &Shelf, download: &mut Download, intent: IntentId) -> Result<End, Failure> {
    let Some(target) = download.target().cloned() else { return Ok(End::Unreachable) };
    let Some(mut unfinished) = Unfinished::open(download, &target, intent)? else { return Ok(End::Unreachable) };
    let opened = unfinished.begin_again().and_then(|()| shelf.open(download, |bytes| unfinished.write(bytes)));
    let finished = match opened {
        Ok(End::Done) => unfinished.finish(&target).map(|()| End::Done),
        other => other,
    };
    unfinished.remove();
    finished
}

fn ended(doing: Uploading) -> End {
    match doing {
        Uploading::End(end) => end,
        Uploading::Ask(_) | Uploading::Read(_) => End::Unreachable,
    }
}

fn unwritable(download: &mut Download, failure: Failure) -> End {
    download.unwritable(&failure.code, failure.message);
    match download.go_on() {
        Downloading::End(end) => end,
        _ => End::Unreachable,
    }
}

/// True if there is something by this name, also a link that leads nowhere.
pub(super) fn is_there(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok()
}
