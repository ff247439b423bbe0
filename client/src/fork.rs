//! A group in which nobody understands this device any more, and it nobody: somebody in it made two commits for one
//! epoch, and the service showed one to some and the other to the rest (attack 34). Both are valid, so the commits tell
//! nothing; that messages of the own epoch do not decrypt, one after the other, does. The way back is the one that helps
//! with any lost state: an external commit to the group as the service has it (GRP-7).

use protocol::id::GroupId;
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::turn::Turn;

/// By group: what did not decrypt.
const FORK: &str = "fork";
/// So many in a row that do not decrypt are no accident.
const IN_A_ROW: u32 = 3;
/// Between two such entries, milliseconds: the service can damage every message, and gains nothing by it.
const PAUSE_MS: u64 = 3_600_000;

#[derive(Default, Serialize, Deserialize)]
struct Suspicion {
    /// Messages of the own epoch that did not decrypt, since one did.
    in_a_row: u32,
    /// When this device last entered for it.
    entered_ms: Option<u64>,
}

impl Suspicion {
    fn is_too_soon(&self, now_ms: u64) -> bool {
        self.entered_ms.is_some_and(|at| now_ms.abs_diff(at) < PAUSE_MS)
    }
}

impl Turn<'_> {
    /// A message was read.
    pub(crate) fn is_understood(&mut self, group: &GroupId) -> Result<(), Error> {
        match self.store.get::<Suspicion>(FORK, &group.0)? {
            Some(suspicion) if suspicion.in_a_row > 0 => {
                self.store.put(FORK, &group.0, &Suspicion { in_a_row: 0, ..suspicion })
            }
            _ => Ok(()),
        }
    }

    /// A message of the own epoch did not decrypt; after several this device enters anew.
    pub(crate) fn is_not_understood(&mut self, group: &GroupId) -> Result<(), Error> {
        let mut suspicion: Suspicion = self.store.get(FORK, &group.0)?.unwrap_or_default();
        suspicion.in_a_row = suspicion.in_a_row.saturating_add(1);
        let enters = suspicion.in_a_row >= IN_A_ROW && !suspicion.is_too_soon(self.now_ms);
        if enters {
            suspicion = Suspicion { in_a_row: 0, entered_ms: Some(self.now_ms) };
        }
        self.store.put(FORK, &group.0, &suspicion)?;
        if enters { self.enter_instead(group) } else { Ok(()) }
    }

    /// The service is at a later epoch: the commits that lead there are on their way. If they are not, because it has kept them
    /// no longer, this device enters anew, as seldom as in any other case.
    pub(crate) fn catch_up(&mut self, group: &GroupId) -> Result<(), Error> {
        let feeds = self.memory.feeds;
        let seen = *self.memory.behind.entry(*group).or_insert(feeds);
        // of two whole answers at least the second was asked for after that
        if feeds < seen.saturating_add(2) {
            return self.ask_for_feed();
        }
        let suspicion: Suspicion = self.store.get(FORK, &group.0)?.unwrap_or_default();
        if self.has_deliveries(group)? {
            return Ok(());
        }
        if suspicion.is_too_soon(self.now_ms) {
            // nothing else may wake this device before, and somebody's text may wait
            self.wake(suspicion.entered_ms.unwrap_or_default().saturating_add(PAUSE_MS));
            return Ok(());
        }
        self.memory.behind.remove(group);
        self.store.put(FORK, &group.0, &Suspicion { in_a_row: 0, entered_ms: Some(self.now_ms) })?;
        self.enter_instead(group)
    }
}
