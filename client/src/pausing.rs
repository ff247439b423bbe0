//! When the service is asked again: what it did not answer, and what it refused.
//!
//! A service out of reach is left alone as a whole, until it answers anything. What it refused, or answered with something
//! of no use, is a pause of that one question: an answer to another one must not end it, or the two would go round as fast
//! as the network.

use std::collections::BTreeMap;

use crate::step::{Answer, Event};
use crate::turn::{Purpose, Turn};

const FIRST_PAUSE_MS: u64 = 500;
const LONGEST_PAUSE_MS: u64 = 30_000;
const LONG_PAUSE_MS: u64 = 4_000;

/// Whether the service answers, and when it is asked again if not.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reachability {
    pub(crate) is_reachable: bool,
    pause: Pause,
}

impl Default for Reachability {
    fn default() -> Self {
        Self { is_reachable: true, pause: Pause::default() }
    }
}

/// The questions that are not to be asked yet.
pub(crate) type Pauses = BTreeMap<Purpose, Pause>;

/// A pause, which doubles from one to the next.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pause {
    until_ms: u64,
    next_ms: u64,
}

impl Default for Pause {
    fn default() -> Self {
        Self { until_ms: 0, next_ms: FIRST_PAUSE_MS }
    }
}

impl Pause {
    pub(crate) fn begin(&mut self, now_ms: u64) {
        self.until_ms = now_ms.saturating_add(self.next_ms);
        self.next_ms = self.next_ms.saturating_mul(2).min(LONGEST_PAUSE_MS);
    }

    /// When it ends, if it lasts. One that lasts longer than any is of another time: the clock was set back.
    pub(crate) fn end_ms(&self, now_ms: u64) -> Option<u64> {
        Some(self.until_ms).filter(|until| *until > now_ms && *until <= now_ms.saturating_add(LONGEST_PAUSE_MS))
    }

    /// True after some in a row: what is waited for does not come by and by.
    pub(crate) fn is_long(&self) -> bool {
        self.next_ms >= LONG_PAUSE_MS
    }
}

impl Turn<'_> {
    /// True while this is not to be asked; the turn then comes back by itself.
    pub(crate) fn is_too_early(&mut self, purpose: &Purpose) -> bool {
        let pauses = [Some(&self.memory.reachability.pause), self.memory.pauses.get(purpose)];
        let end_ms = pauses.into_iter().flatten().filter_map(|pause| pause.end_ms(self.now_ms)).max();
        end_ms.into_iter().for_each(|end_ms| self.wake(end_ms));
        end_ms.is_some()
    }

    /// Notes whether the service answers.
    pub(crate) fn note_reachability(&mut self, answer: &Answer) {
        let now_reachable = !matches!(answer, Answer::Unreachable);
        let it = &mut self.memory.reachability;
        if now_reachable {
            it.pause = Pause::default();
        } else {
            it.pause.begin(self.now_ms);
        }
        if it.is_reachable != now_reachable {
            it.is_reachable = now_reachable;
            self.event(Event::Reachable(now_reachable));
        }
    }

    /// What was just answered is not asked again for a moment, which doubles from time to time; outside of an answer,
    /// nothing is.
    pub(crate) fn pause(&mut self) {
        let now_ms = self.now_ms;
        self.pause_of_the_answered().begin(now_ms);
    }

    /// The same for so long, milliseconds.
    pub(crate) fn pause_for(&mut self, pause_ms: u64) {
        let until_ms = self.now_ms.saturating_add(pause_ms.min(LONGEST_PAUSE_MS));
        let pause = self.pause_of_the_answered();
        pause.until_ms = pause.until_ms.max(until_ms);
    }

    fn pause_of_the_answered(&mut self) -> &mut Pause {
        match &self.answering {
            Some(purpose) => self.memory.pauses.entry(purpose.clone()).or_default(),
            None => &mut self.memory.reachability.pause,
        }
    }

    /// The answer was taken in: unless that began a pause, what it was for is none of those that have one.
    pub(crate) fn forget_old_pause(&mut self) {
        let now_ms = self.now_ms;
        if let Some(purpose) = self.answering.take()
            && self.memory.pauses.get(&purpose).is_some_and(|pause| pause.end_ms(now_ms).is_none())
        {
            self.memory.pauses.remove(&purpose);
        }
    }

    /// The network is new, or time has passed: a service that did not answer is asked again at once.
    pub(crate) fn stop_waiting_for_service(&mut self) {
        self.memory.reachability.pause.until_ms = 0;
    }

    /// A person pressed a key: everything is asked again at once.
    pub(crate) fn stop_pausing(&mut self) {
        self.stop_waiting_for_service();
        self.memory.pauses.clear();
    }
}
