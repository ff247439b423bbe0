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
        let is_too_soon = suspicion.entered_ms.is_some_and(|at| self.now_ms.abs_diff(at) < PAUSE_MS);
        let enters = suspicion.in_a_row >= IN_A_ROW && !is_too_soon;
        if enters {
            suspicion = Suspicion { in_a_row: 0, entered_ms: Some(self.now_ms) };
        }
        self.store.put(FORK, &group.0, &suspicion)?;
        if enters { self.enter_instead(group) } else { Ok(()) }
    }
}
