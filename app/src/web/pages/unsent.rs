//! Files that were to be sent from a page and were not.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use crate::failure::Failure;

/// Failures that are kept until somebody has seen them.
const MOST_KEPT: usize = 20;

/// Files that were to be sent from a page and were not: told where they were to go, until somebody has seen it.
#[derive(Debug)]
pub(in crate::web) struct Unsent {
    rows: Mutex<Vec<Row>>,
    /// How many there were so far.
    count: watch::Sender<u64>,
}

#[derive(Debug, Clone)]
pub(super) struct Row {
    pub(super) number: u64,
    pub(super) to: String,
    pub(super) name: String,
    pub(super) failure: Failure,
}

impl Default for Unsent {
    fn default() -> Self {
        Self { rows: Mutex::default(), count: watch::Sender::new(0) }
    }
}

impl Unsent {
    /// Whoever panicked in between left them whole.
    pub(super) fn rows(&self) -> MutexGuard<'_, Vec<Row>> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One could not be sent.
    pub(super) fn note(&self, to: String, name: String, failure: Failure) {
        let mut rows = self.rows();
        let number = self.count.borrow().saturating_add(1);
        rows.push(Row { number, to, name, failure });
        let too_many = rows.len().saturating_sub(MOST_KEPT);
        rows.drain(..too_many).for_each(drop);
        drop(rows);
        self.count.send_replace(number);
    }

    /// Tells of each.
    pub(in crate::web) fn news(&self) -> watch::Receiver<u64> {
        self.count.subscribe()
    }
}
