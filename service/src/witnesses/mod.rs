//! Gathering cosignatures: rounds, one checkpoint each, all witnesses asked at once.
//!
//! A round asks for the newest checkpoint there is when it begins. When a quorum has answered, the cosigned checkpoint
//! is put on disk and published, and the next round begins with whatever is newest then: blocks sealed in between are
//! covered by it, so slow witnesses slow publication down, never sealing. A cosignature that comes after the quorum is
//! added as long as its round lasts. Each witness has a thread, which remembers the size that its witness has.

pub(crate) mod client;

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use chain::id::Digest;
use chain::log::checkpoint::VerifiedCheckpoint;
use chain::log::note::{NoteSignature, SignedNote, VerifierKey};

use crate::disk::folder::write_durably;
use crate::disk::store::Store;
use crate::error::{StartError, Stopped};
use crate::record::Record;
use crate::shared::Shared;
use crate::witnesses::client::{Answer, WitnessClient};

/// How long a witness may take.
const TIMEOUT: Duration = Duration::from_secs(5);
/// A round without a quorum after this time gives way to a newer checkpoint.
const ROUND: Duration = Duration::from_secs(10);
/// First and longest wait after a failure.
const BACK_OFF: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(5));

/// A witness and where it is.
#[derive(Debug, Clone)]
pub(crate) struct Witness {
    pub(crate) key: VerifierKey,
    pub(crate) url: String,
}

/// One checkpoint and who has cosigned it.
#[derive(Debug)]
struct Round {
    size: u64,
    note: SignedNote,
    /// By position of the witness.
    cosigned: BTreeMap<usize, NoteSignature>,
    began: Instant,
    quorum: bool,
}

/// The round that is on.
#[derive(Debug, Default)]
pub(crate) struct Gathering {
    round: Mutex<Option<Round>>,
    changed: Condvar,
    /// Held while a checkpoint is put on disk; the size of the last one that was kept for resets.
    publishing: Mutex<u64>,
}

impl Gathering {
    fn round(&self) -> MutexGuard<'_, Option<Round>> {
        self.round.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins a round if none is on.
    pub(crate) fn offer(&self, record: &Record) {
        let mut round = self.round();
        if round.as_ref().is_none_or(|round| round.quorum) {
            self.begin(&mut round, record);
        }
    }

    /// Wakes everybody, so that they see that the service ends.
    pub(crate) fn wake(&self) {
        let _round = self.round();
        self.changed.notify_all();
    }

    /// Replaces the round by one for the newest checkpoint, if that is newer.
    fn begin(&self, round: &mut Option<Round>, record: &Record) {
        let Some((size, head)) = record.newest() else { return };
        if round.as_ref().is_some_and(|round| round.size >= size) {
            return;
        }
        // a note that this service has signed
        let Ok(note) = SignedNote::parse(head.note.as_bytes()) else { return };
        *round = Some(Round { size, note, cosigned: BTreeMap::new(), began: Instant::now(), quorum: false });
        self.changed.notify_all();
    }

    /// Waits for a round of another size than `done`, but not before `earliest`.
    fn next(&self, shared: &Shared, done: u64, earliest: Instant) -> Option<(u64, SignedNote)> {
        let mut round = self.round();
        loop {
            if shared.is_stopping() {
                return None;
            }
            let pause = earliest.saturating_duration_since(Instant::now());
            if pause.is_zero()
                && let Some(round) = round.as_ref().filter(|round| round.size != done)
            {
                return Some((round.size, round.note.clone()));
            }
            let pause = if pause.is_zero() { TIMEOUT } else { pause };
            round = self.changed.wait_timeout(round, pause).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Takes a cosignature. True if the round has a quorum and something new to publish.
    fn add(&self, record: &Record, size: u64, witness: usize, line: NoteSignature) -> bool {
        let mut round = self.round();
        let Some(round) = round.as_mut().filter(|round| round.size == size) else { return false };
        round.cosigned.insert(witness, line);
        round.quorum = record.parameters.policy.quorum_met(round.cosigned.keys().copied());
        round.quorum
    }

    /// Puts the round's checkpoint on disk, shows it, and begins the next round.
    fn publish(&self, shared: &Shared, record: &Record, size: u64) -> Result<(), Stopped> {
        let mut kept = self.publishing.lock().unwrap_or_else(PoisonError::into_inner);
        let note = {
            let round = self.round();
            let Some(round) = round.as_ref().filter(|round| round.size == size && round.quorum) else { return Ok(()) };
            let lines = round.note.signatures().iter().chain(round.cosigned.values()).cloned().collect::<Vec<_>>();
            SignedNote::new(round.note.text(), &lines)
        };
        let note = note.map_err(|_| Stopped::Fault { what: "putting cosignatures together" })?;
        VerifiedCheckpoint::verify(&note, &record.parameters.policy)
            .map_err(|_| Stopped::Fault { what: "checking the cosigned checkpoint" })?;
        let note = note.to_string();
        write_durably(&shared.folder.checkpoint(), note.as_bytes())?;
        if *kept < size {
            Store::open_beside(&shared.folder.store())?.keep_cosigned(size, shared.now_s(), &note)?;
            *kept = size;
        }
        record.publish(size, note);
        self.begin(&mut self.round(), record);
        Ok(())
    }
}

/// Asks one witness, round after round, until the service ends.
pub(crate) fn attend(shared: &Shared, gathering: &Gathering, position: usize, witness: &Witness) {
    if let Err(stopped) = attend_until_stopped(shared, gathering, position, witness) {
        shared.stop(Some(stopped));
    }
}

fn attend_until_stopped(
    shared: &Shared,
    gathering: &Gathering,
    position: usize,
    witness: &Witness,
) -> Result<(), Stopped> {
    let Some(record) = shared.record.get() else { return Ok(()) };
    let client = WitnessClient::new(TIMEOUT);
    let (mut has, mut done) = (0, 0);
    let (mut earliest, mut back_off) = (Instant::now(), BACK_OFF.0);
    let mut corrected = false;
    while let Some((size, note)) = gathering.next(shared, done, earliest) {
        let proof = record.consistency(has, size).unwrap_or_default();
        match client.add_checkpoint(&witness.url, &witness.key, has, proof, &note) {
            Answer::Cosigned(note) => {
                (has, done, back_off, corrected) = (size, size, BACK_OFF.0, false);
                let line = note.signatures().iter().find(|line| witness.key.is_named_by(line)).cloned();
                if line.is_some_and(|line| gathering.add(record, size, position, line)) {
                    gathering.publish(shared, record, size)?;
                }
                continue;
            }
            // the answer tells where to start: ask again at once, but only once
            Answer::OtherSize(other) if !corrected && other <= record.sizes().sealed => {
                (has, corrected) = (other, true);
                if other > size {
                    gathering.begin(&mut gathering.round(), record);
                }
                continue;
            }
            Answer::OtherSize(_) | Answer::Refused => {
                check_no_other_log(shared, record, &client, witness)?;
                corrected = false;
            }
            Answer::Failed => (),
        }
        earliest = Instant::now().checked_add(back_off).unwrap_or(earliest);
        back_off = back_off.saturating_mul(2).min(BACK_OFF.1);
        let mut round = gathering.round();
        if round.as_ref().is_some_and(|round| !round.quorum && round.began.elapsed() > ROUND) {
            gathering.begin(&mut round, record);
        }
    }
    Ok(())
}

/// A refusal proves nothing; a checkpoint with the log's signature that is not of this log does (attacks 15, 16): the
/// store is behind what it has shown, or a copy of it goes on elsewhere.
fn check_no_other_log(
    shared: &Shared,
    record: &Record,
    client: &WitnessClient,
    witness: &Witness,
) -> Result<(), Stopped> {
    let origin = Digest::sha256(shared.origin.as_bytes());
    match client.newest(&witness.url, &origin, &shared.log_vkey) {
        Some(newest) if record.root_at(newest.size) != Some(newest.root) => {
            Err(Stopped::Rollback { cosigned: newest.size })
        }
        _ => Ok(()),
    }
}

/// Refuses to start behind or beside what a witness has cosigned (attack 16). Witnesses that do not answer do not stop
/// the start.
pub(crate) fn check_no_rollback(shared: &Shared, record: &Record, witnesses: &[Witness]) -> Result<(), StartError> {
    let client = WitnessClient::new(Duration::from_secs(2));
    let origin = Digest::sha256(shared.origin.as_bytes());
    let newest = std::thread::scope(|scope| {
        let ask = |witness: &Witness| client.newest(&witness.url, &origin, &shared.log_vkey);
        let asked: Vec<_> = witnesses.iter().map(|witness| scope.spawn(move || ask(witness))).collect();
        asked.into_iter().map(|thread| thread.join().ok().flatten()).collect::<Vec<_>>()
    });
    for (witness, newest) in witnesses.iter().zip(newest) {
        let Some(newest) = newest else { continue };
        if record.root_at(newest.size) != Some(newest.root) {
            let stored = record.sizes().sealed;
            return Err(StartError::Rollback {
                witness: witness.key.name().to_string(),
                cosigned: newest.size,
                stored,
            });
        }
    }
    Ok(())
}

/// Starts a thread for every witness.
pub(crate) fn start(
    shared: &Arc<Shared>,
    gathering: &Arc<Gathering>,
    witnesses: Vec<Witness>,
) -> std::io::Result<Vec<std::thread::JoinHandle<()>>> {
    let spawn = |(position, witness): (usize, Witness)| {
        let (shared, gathering) = (Arc::clone(shared), Arc::clone(gathering));
        std::thread::Builder::new()
            .name(format!("witness-{position}"))
            .spawn(move || attend(&shared, &gathering, position, &witness))
    };
    witnesses.into_iter().enumerate().map(spawn).collect()
}
