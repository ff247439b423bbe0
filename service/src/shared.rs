//! What all threads of one service have in common. Each field is set once or locks itself.

use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use chain::log::note::VerifierKey;
use protocol::limits::Limits;
use tokio::sync::{Semaphore, watch};

use crate::accounts::Accounts;
use crate::blobs::Blobs;
use crate::delivery::Delivery;
use crate::disk::folder::Folder;
use crate::disk::keys::Keys;
use crate::disk::store::Readers;
use crate::entries::Submission;
use crate::error::Stopped;
use crate::http::rates::Rates;
use crate::http::refusal::Refusal;
use crate::record::Record;
use crate::reports::Reports;

/// Seconds since 1970 UTC.
pub type Clock = Arc<dyn Fn() -> u64 + Send + Sync>;

/// What the sequencer is sent.
#[derive(Debug)]
pub(crate) enum Message {
    /// Entries to seal.
    Propose(Submission),
    /// End after what is queued.
    Stop,
}

/// The common parts.
pub(crate) struct Shared {
    pub(crate) folder: Folder,
    pub(crate) readers: Readers,
    pub(crate) keys: Keys,
    pub(crate) accounts: Accounts,
    pub(crate) delivery: Delivery,
    pub(crate) blobs: Blobs,
    pub(crate) reports: Reports,
    pub(crate) origin: String,
    pub(crate) log_vkey: VerifierKey,
    pub(crate) clock: Clock,
    pub(crate) limits: Limits,
    pub(crate) heartbeat: std::time::Duration,
    pub(crate) free_percent: fn(&Path) -> io::Result<u64>,
    pub(crate) record: OnceLock<Record>,
    pub(crate) rates: Mutex<Rates>,
    pub(crate) queue: SyncSender<Message>,
    /// How much may read and check at once: each has a connection and a thread.
    pub(crate) blocking: Arc<Semaphore>,
    pub(crate) stopping: AtomicBool,
    /// Why the service ends, once it does.
    pub(crate) ended: watch::Sender<bool>,
    pub(crate) reason: Mutex<Option<Stopped>>,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("origin", &self.origin).finish_non_exhaustive()
    }
}

impl Shared {
    /// The record.
    ///
    /// # Errors
    /// [`Refusal::Starting`] before block 0 is sealed.
    pub(crate) fn record(&self) -> Result<&Record, Refusal> {
        self.record.get().ok_or(Refusal::Starting)
    }

    /// The time.
    pub(crate) fn now_s(&self) -> u64 {
        (self.clock)()
    }

    /// How often who has asked.
    pub(crate) fn rates(&self) -> MutexGuard<'_, Rates> {
        self.rates.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues entries for the sequencer.
    pub(crate) fn propose(&self, submission: Submission) -> Result<(), Refusal> {
        self.queue.try_send(Message::Propose(submission)).map_err(|error| match error {
            TrySendError::Full(_) => Refusal::Busy,
            TrySendError::Disconnected(_) => Refusal::Stopping,
        })
    }

    /// True once the service is to end.
    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    /// Ends the service for a reason; the first one counts.
    pub(crate) fn stop(&self, reason: Option<Stopped>) {
        self.stopping.store(true, Ordering::Release);
        if let Some(reason) = reason {
            self.reason.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(reason);
        }
        // a full queue wakes the sequencer as well
        self.queue.try_send(Message::Stop).unwrap_or_default();
        self.ended.send_replace(true);
    }
}

/// Ends the service when a thread that it cannot be without ends, however that happens.
pub(crate) struct EndWithThread<'a>(pub(crate) &'a Shared);

impl Drop for EndWithThread<'_> {
    fn drop(&mut self) {
        self.0.stop(None);
    }
}
