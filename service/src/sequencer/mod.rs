//! The one writer: takes what is queued, seals it into a block, answers.
//!
//! One thread. It takes all that waits, at most one entry per account and per handle (BLK-3; the rest waits for the
//! next block), and seals at once, so that a busy service writes large blocks and an idle one answers quickly (BLK-6).
//! How a block is made and in which order it reaches the disk is in [`seal`].

pub(crate) mod genesis;
pub(crate) mod judge;
pub(crate) mod seal;

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Instant;

use chain::audit::Effects;
use chain::block::{Header, MAX_ENTRIES};
use chain::id::{AccountId, HandleLabel};
use chain::sigchain::fold::Ground;
use tokio::sync::oneshot;

use crate::entries::{Accepted, Submission};
use crate::error::Stopped;
use crate::http::refusal::Refusal;
use crate::record::Record;
use crate::sequencer::judge::{CheckedClaims, Reads, judge_unit};
use crate::sequencer::seal::{Draft, Occasion, Sealer};
use crate::shared::{Message, Shared};
use crate::witnesses::Gathering;

/// Most bytes of entries in one block, so that a body stays below the limit of every reader.
const MAX_ENTRY_BYTES: usize = 8 << 20;

/// Takes entries and seals them.
#[derive(Debug)]
pub(crate) struct Sequencer {
    pub(crate) shared: Arc<Shared>,
    pub(crate) sealer: Sealer,
    pub(crate) queue: Receiver<Message>,
    pub(crate) gathering: Arc<Gathering>,
    /// Judged in the order of arrival; what one block cannot take stays.
    pub(crate) waiting: VecDeque<Submission>,
}

/// What goes into one block.
struct Batch {
    draft: Draft,
    replies: Vec<(oneshot::Sender<Result<Accepted, Refusal>>, Accepted)>,
}

impl Sequencer {
    /// Seals until the service is to end, or something fails.
    pub(crate) fn run(mut self) -> Result<(), Stopped> {
        let shared = Arc::clone(&self.shared);
        let Some(record) = shared.record.get() else { return Ok(()) };
        let mut heartbeat_at = Instant::now().checked_add(shared.heartbeat);
        loop {
            let running = self.receive(heartbeat_at);
            if !running && self.waiting.is_empty() {
                break;
            }
            let is_heartbeat = running && heartbeat_at.is_some_and(|at| at <= Instant::now());
            if self.waiting.is_empty() && !is_heartbeat {
                continue;
            }
            let occasion = if self.waiting.is_empty() { Occasion::Quiet } else { Occasion::Busy };
            if self.seal(record, is_heartbeat)? {
                heartbeat_at = Instant::now().checked_add(shared.heartbeat);
            }
            self.sealer.save(&shared, record, occasion)?;
        }
        self.sealer.save(&shared, record, Occasion::End)?;
        self.sealer.settle()
    }

    /// Waits for the first message, unless something waits already, and takes what else is there. False if the service
    /// is to end.
    fn receive(&mut self, until: Option<Instant>) -> bool {
        if self.waiting.is_empty() && !self.shared.is_stopping() {
            let first = match until {
                Some(until) => self.queue.recv_timeout(until.saturating_duration_since(Instant::now())),
                None => self.queue.recv().map_err(|_| RecvTimeoutError::Disconnected),
            };
            match first {
                Ok(Message::Propose(submission)) => self.waiting.push_back(submission),
                Ok(Message::Stop) | Err(RecvTimeoutError::Disconnected) => return false,
                Err(RecvTimeoutError::Timeout) => (),
            }
        }
        while self.waiting.len() < MAX_ENTRIES {
            match self.queue.try_recv() {
                Ok(Message::Propose(submission)) => self.waiting.push_back(submission),
                Ok(Message::Stop) | Err(_) => break,
            }
        }
        !self.shared.is_stopping()
    }

    /// Seals one block. False if nothing was left to seal.
    fn seal(&mut self, record: &Record, is_heartbeat: bool) -> Result<bool, Stopped> {
        let previous = self.sealer.previous().clone();
        let time_s = self.shared.now_s().max(previous.time_s);
        let batch = self.choose(record, &previous, time_s)?;
        if batch.draft.entries.is_empty() && !is_heartbeat {
            return Ok(false);
        }
        let Batch { draft, replies } = batch;
        self.sealer.seal(&self.shared, record, time_s, draft)?;
        for (reply, accepted) in replies {
            // a caller that has gone away finds its entry in the record
            reply.send(Ok(accepted)).unwrap_or_default();
        }
        self.gathering.offer(record);
        Ok(true)
    }

    /// Judges what waits against the newest state, refuses what a rule refuses, and leaves waiting what would touch an
    /// account or handle twice.
    fn choose(&mut self, record: &Record, previous: &Header, time_s: u64) -> Result<Batch, Stopped> {
        let root_at = |size| record.root_at(size);
        let block = previous.number.saturating_add(1);
        let ground = Ground { parameters: &record.parameters, block, time_s, root_at: &root_at };
        let reads = self.sealer.reads(record);
        let mut batch = Batch { draft: Draft::default(), replies: Vec::new() };
        let mut taken = Taken::default();
        let mut left = VecDeque::new();
        while let Some(submission) = self.waiting.pop_front() {
            if !taken.has_room_for(&submission) {
                left.push_back(submission);
                continue;
            }
            match judge(&submission, &reads, &ground) {
                Ok(effects) if taken.touches_handle_of(&effects) => left.push_back(submission),
                Ok(effects) => {
                    taken.take(&submission, &effects);
                    batch.add(submission, effects, block);
                }
                Err(Refusal::Broken(stopped)) => return Err(stopped),
                Err(refusal) => submission.reply.send(Err(refusal)).unwrap_or_default(),
            }
        }
        batch.draft.before = reads.remembered();
        self.waiting = left;
        Ok(batch)
    }
}

/// Judges one submission. Its signatures were checked when it was admitted. If others are needed now, the account has
/// changed since, and the entry was signed for another head.
fn judge(submission: &Submission, reads: &Reads<'_>, ground: &Ground<'_>) -> Result<Effects, Refusal> {
    let (effects, claims) = judge_unit(&submission.entries, reads, ground)?;
    if claims.iter().all(|claim| submission.checked.contains(claim)) { Ok(effects) } else { Err(Refusal::Conflict) }
}

/// What a block touches already.
#[derive(Debug, Default)]
struct Taken {
    accounts: BTreeSet<AccountId>,
    handles: BTreeSet<HandleLabel>,
    bytes: usize,
}

impl Taken {
    fn has_room_for(&self, submission: &Submission) -> bool {
        let entries = self.accounts.len().saturating_add(submission.entries.len());
        let free = |entry: &chain::sigchain::entry::Entry| !self.accounts.contains(&entry.statement.position.account);
        entries <= MAX_ENTRIES && self.bytes < MAX_ENTRY_BYTES && submission.entries.iter().all(free)
    }

    fn touches_handle_of(&self, effects: &Effects) -> bool {
        effects.handles.keys().any(|label| self.handles.contains(label))
    }

    fn take(&mut self, submission: &Submission, effects: &Effects) {
        self.accounts.extend(submission.entries.iter().map(|entry| entry.statement.position.account));
        self.handles.extend(effects.handles.keys());
        self.bytes = submission.entries.iter().fold(self.bytes, |sum, entry| sum.saturating_add(entry.encode().len()));
    }
}

impl Batch {
    fn add(&mut self, submission: Submission, effects: Effects, block: u64) {
        let Submission { entries, checked, proposed, reply } = submission;
        if let Some(entry) = entries.iter().find(|entry| entry.statement.position.account == proposed) {
            let position = entry.statement.position;
            let accepted =
                Accepted { entry: entry.hash(), account: position.account, sequence: position.sequence, block };
            self.replies.push((reply, accepted));
        }
        self.draft.checked.get_or_insert_with(CheckedClaims::default).add(checked);
        self.draft.entries.extend(entries);
        self.draft.accounts.extend(effects.accounts);
        self.draft.handles.extend(effects.handles);
        self.draft.changes.extend(effects.changes);
    }
}
