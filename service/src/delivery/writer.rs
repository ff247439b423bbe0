//! The one thread that writes deliveries.
//!
//! It takes operations from a bounded queue, runs as many as wait in one transaction, each in a savepoint of its own,
//! and answers them after that transaction is on disk: one fsync for all (attack table §4, "acknowledges first"). An
//! operation that is refused leaves nothing behind; an error of the transaction itself ends the service, and whoever
//! waits is told that it is ending.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, TrySendError};
use std::time::Duration;

use tokio::sync::oneshot;

use crate::delivery::Delivery;
use crate::delivery::change::Change;
use crate::delivery::rows::{Owner, Rows, column};
use crate::error::Stopped;
use crate::http::refusal::Refusal;
use crate::shared::{EndWithThread, Shared};

/// Most operations in one transaction.
const MAX_BATCH: usize = 256;
/// After so much quiet, what everybody has is deleted.
const QUIET: Duration = Duration::from_secs(1);
/// In so many seconds at most, even without quiet.
const SWEEP_S: u64 = 60;

/// What a caller waits on: the answer comes after the transaction is on disk.
pub(crate) type Reply<T> = oneshot::Receiver<Result<T, Refusal>>;

/// Answers a caller; dropped if the transaction fails.
type Answer = Box<dyn FnOnce() + Send>;

/// What the writer is sent.
pub(crate) enum Message {
    /// One operation.
    Operation(Box<dyn FnOnce(&mut Change<'_>) -> Answer + Send>),
    /// End after what is queued.
    Stop,
}

impl Delivery {
    /// Queues an operation.
    pub(crate) fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Change<'_>) -> Result<T, Refusal> + Send + 'static,
    ) -> Result<Reply<T>, Refusal> {
        let (reply, waiting) = oneshot::channel();
        let operation = Box::new(move |change: &mut Change<'_>| {
            let result = change.attempt(work);
            let answer: Answer = Box::new(move || {
                // a caller that has gone away asks again
                reply.send(result).unwrap_or_default();
            });
            answer
        });
        let queued = self.queue.try_send(Message::Operation(operation));
        queued.map(|()| waiting).map_err(|error| match error {
            TrySendError::Full(_) => Refusal::Busy,
            TrySendError::Disconnected(_) => Refusal::Stopping,
        })
    }
}

/// A reply that is there already.
pub(super) fn answered<T>(answer: T) -> Reply<T> {
    let (reply, waiting) = oneshot::channel();
    // the receiver is held here, so it is taken
    reply.send(Ok(answer)).unwrap_or_default();
    waiting
}

/// The writer's side.
pub(super) struct Writer {
    shared: Arc<Shared>,
    rows: Rows,
    queue: Receiver<Message>,
    position: u64,
    acked: BTreeSet<Owner>,
    swept_s: u64,
}

impl Writer {
    /// With the connection that writes.
    pub(super) fn new(shared: Arc<Shared>, rows: Rows, queue: Receiver<Message>) -> Result<Self, rusqlite::Error> {
        let position = rows.position()?;
        Ok(Self { shared, rows, queue, position, acked: BTreeSet::new(), swept_s: 0 })
    }

    /// Works until it is told to end, or something fails.
    pub(super) fn run(mut self) {
        let shared = Arc::clone(&self.shared);
        let _on_panic = EndWithThread(&shared);
        let mut ended = self.work();
        if ended.is_ok() {
            ended = self.rows.sweep(&self.acked, None);
        }
        if let Err(error) = ended {
            self.shared.stop(Some(Stopped::Store(error)));
        }
        // what stays in the log beside the file is read from there
        self.rows.db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap_or_default();
    }

    fn work(&mut self) -> Result<(), rusqlite::Error> {
        loop {
            let first = match self.queue.recv_timeout(QUIET) {
                Ok(Message::Operation(first)) => first,
                Ok(Message::Stop) | Err(RecvTimeoutError::Disconnected) => return Ok(()),
                Err(RecvTimeoutError::Timeout) => {
                    self.sweep_if_due(!self.acked.is_empty())?;
                    continue;
                }
            };
            let is_last = self.batch(first)?;
            if is_last {
                return Ok(());
            }
            self.sweep_if_due(false)?;
        }
    }

    /// Runs what waits in one transaction. True if the service ends after it.
    fn batch(&mut self, first: Box<dyn FnOnce(&mut Change<'_>) -> Answer + Send>) -> Result<bool, rusqlite::Error> {
        self.rows.db.execute_batch("BEGIN IMMEDIATE")?;
        let mut change = Change {
            rows: &self.rows,
            now_s: self.shared.now_s(),
            position: self.position,
            pushes: Vec::new(),
            acked: BTreeSet::new(),
            broken: None,
        };
        let mut answers = vec![first(&mut change)];
        let mut is_last = false;
        while answers.len() < MAX_BATCH && change.broken.is_none() {
            match self.queue.try_recv() {
                Ok(Message::Operation(next)) => answers.push(next(&mut change)),
                Ok(Message::Stop) => {
                    is_last = true;
                    break;
                }
                Err(_) => break,
            }
        }
        let Change { position, pushes, mut acked, broken, .. } = change;
        if let Some(error) = broken {
            return Err(error);
        }
        if position != self.position {
            self.rows.db.prepare_cached("UPDATE counter SET position = ?1")?.execute([column(position)])?;
        }
        self.rows.db.execute_batch("COMMIT")?;
        self.position = position;
        self.acked.append(&mut acked);
        answers.into_iter().for_each(|answer| answer());
        self.shared.delivery.hub.push(&pushes);
        Ok(is_last)
    }

    fn sweep_if_due(&mut self, is_quiet: bool) -> Result<(), rusqlite::Error> {
        let now_s = self.shared.now_s();
        let is_due = now_s.abs_diff(self.swept_s) >= SWEEP_S;
        if !is_quiet && !is_due {
            return Ok(());
        }
        let acked = std::mem::take(&mut self.acked);
        self.rows.sweep(&acked, is_due.then_some(now_s))?;
        if is_due {
            self.shared.blobs.sweep(now_s)?;
            self.shared.reports.sweep(now_s)?;
            self.swept_s = now_s;
        }
        Ok(())
    }
}
