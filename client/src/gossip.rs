//! What others have seen of the public record (CHK-7).
//!
//! Nobody's word stops anything here: only a checkpoint under the log's own signature is kept to be compared. Otherwise
//! whoever is in a group could write a made-up root and so keep its members from sending.

use chain::evidence::Evidence;
use chain::id::Digest;
use chain::log::checkpoint::LogSignedCheckpoint;
use chain::log::note::SignedNote;
use chain::view::{View, ViewError};
use protocol::gossip::Gossip;
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::record::TROUBLE_MS;
use crate::step::Event;
use crate::turn::Turn;

/// Checkpoints of the log that others have seen and this device has not compared yet; by their root.
const GOSSIP: &str = "gossip";
/// Most of them that wait at a time; a log that is asked about more has told many people different things.
const MAX_GOSSIP: usize = 64;
/// After so many proofs that lead nowhere, the log cannot join what it signed.
const MAX_PROOFS: u8 = 3;
/// How often the record is looked at for a size that somebody else has seen, milliseconds.
const LOOK_MS: u64 = 60_000;

/// A checkpoint that somebody else has seen, signed by the log.
#[derive(Serialize, Deserialize)]
struct Heard {
    note: Vec<u8>,
    /// Proofs that showed neither that it fits nor that it does not.
    failed: u8,
}

impl Turn<'_> {
    /// CHK-7: keeps another view of the record, to be compared with the own one.
    pub(crate) fn keep_gossip(&mut self, aad: &[u8]) -> Result<(), Error> {
        let Ok(Gossip { log, note }) = Gossip::decode(aad) else { return Ok(()) };
        let Some(view) = self.view()? else { return Ok(()) };
        let is_new = !note.is_empty() && view.seen_root(log.size) != Some(log.root);
        let is_signed = is_new
            && signed(&note, view)
                .is_some_and(|it| (it.checkpoint().size, it.checkpoint().root) == (log.size, log.root));
        if is_signed && self.store.keys(GOSSIP)?.len() < MAX_GOSSIP {
            self.store.put(GOSSIP, &log.root.0, &Heard { note, failed: 0 })?;
        }
        Ok(())
    }

    /// Compares what others have seen, as far as the facts are there.
    pub(crate) fn go_on_with_gossip(&mut self) -> Result<(), Error> {
        for key in self.store.keys(GOSSIP)? {
            let Some(view) = self.view()?.cloned() else { return Ok(()) };
            let heard: Option<Heard> = self.store.get(GOSSIP, &key)?;
            let Some(other) = heard.and_then(|heard| signed(&heard.note, &view)) else {
                self.store.remove(GOSSIP, &key)?;
                continue;
            };
            let size = other.checkpoint().size;
            if size > view.size() {
                let account = self.device()?.account;
                self.look_every(&account, LOOK_MS)?;
            } else if self.proven_root(size)? == Some(other.checkpoint().root) {
                self.store.remove(GOSSIP, &key)?;
            } else if size == view.size() {
                self.judge_gossip(size, &[], &view)?;
            } else {
                self.ask_for_root(size, view.size());
            }
        }
        Ok(())
    }

    /// Two checkpoints under the log's signature that no proof joins are a fork.
    pub(crate) fn judge_gossip(&mut self, size: u64, proof: &[Digest], view: &View) -> Result<(), Error> {
        for key in self.store.keys(GOSSIP)? {
            let Some(mut heard) = self.store.get::<Heard>(GOSSIP, &key)? else { continue };
            let Some(other) = signed(&heard.note, view).filter(|other| other.checkpoint().size == size) else {
                continue;
            };
            match view.compare(&other, proof) {
                Ok(()) => self.store.remove(GOSSIP, &key)?,
                Err(ViewError::Lie { code, evidence }) => {
                    self.note_lie(code, Some(&evidence))?;
                    self.store.remove(GOSSIP, &key)?;
                }
                Err(_) => {
                    heard.failed = heard.failed.saturating_add(1);
                    self.pause_for(TROUBLE_MS);
                    if heard.failed < MAX_PROOFS {
                        self.store.put(GOSSIP, &key, &heard)?;
                        continue;
                    }
                    // the log has signed both, and shows no way from one to the other
                    self.note_lie("chain.fork", None)?;
                    self.store.remove(GOSSIP, &key)?;
                }
            }
        }
        Ok(())
    }

    /// Keeps that the service has lied: sending stops, and the evidence is handed out.
    fn note_lie(&mut self, code: &str, evidence: Option<&Evidence>) -> Result<(), Error> {
        self.stop_believing(code)?;
        let evidence = evidence.map(Evidence::encode).unwrap_or_default();
        self.event(Event::Lie { code: code.to_owned(), evidence });
        Ok(())
    }
}

/// A checkpoint of this view's log, under the log's signature.
fn signed(note: &[u8], view: &View) -> Option<LogSignedCheckpoint> {
    let note = SignedNote::parse(note).ok()?;
    let signed = LogSignedCheckpoint::verify(&note, view.policy()).ok()?;
    (signed.checkpoint().origin.as_str() == view.parameters().origin).then_some(signed)
}
