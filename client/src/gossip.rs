//! What others have seen of the public record, and roots of the log that somebody names (CHK-7, GRP-2, CNF-3).
//!
//! Nobody's word stops anything here: only a checkpoint under the log's own signature is kept to be compared, and a claim
//! that proves wrong is wrong by itself. Otherwise whoever is in a group could write a made-up root and so keep its
//! members from sending, or from believing the right one.

use chain::evidence::Evidence;
use chain::id::{AccountId, Digest};
use chain::log::checkpoint::LogSignedCheckpoint;
use chain::log::merkle;
use chain::log::note::SignedNote;
use chain::sigchain::entry::SeenCheckpoint;
use chain::view::{View, ViewError};
use protocol::api::{CONSISTENCY, ConsistencyAnswer};
use protocol::gossip::Gossip;
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::record::TROUBLE_MS;
use crate::step::Event;
use crate::turn::{Purpose, Turn, get};

/// Roots of the log at earlier sizes, proven.
const ROOT: &str = "root";
/// Roots that somebody names, by size and root, with how many proofs did not lead to them.
const CLAIM: &str = "claimed root";
/// Checkpoints of the log that others have seen and this device has not compared yet; by their root.
const GOSSIP: &str = "gossip";
/// Most of them that wait at a time; a log that is asked about more has told many people different things.
const MAX_GOSSIP: usize = 64;
/// After so many proofs that lead nowhere, a claim is wrong, or the log cannot join what it signed.
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

fn claim_key(size: u64, root: &Digest) -> Vec<u8> {
    [size.to_be_bytes().as_slice(), &root.0].concat()
}

impl Turn<'_> {
    /// The root that the log is proven to have at the size of a checkpoint that somebody names (GRP-2); asks for the proof
    /// if there is none yet. `account`: whose record is looked at to move on to a larger size. A claim that no proof leads
    /// to is answered with a root that no log has.
    pub(crate) fn root_at(&mut self, log: &SeenCheckpoint, account: &AccountId) -> Result<Option<Digest>, Error> {
        if let Some(root) = self.proven_root(log.size)? {
            return Ok(Some(root));
        }
        let Some(newest) = self.view()?.map(View::size) else { return Ok(None) };
        if log.size > newest {
            // the view moves on with any look at an account
            self.refresh(account)?;
            return Ok(None);
        }
        let key = claim_key(log.size, &log.root);
        let failed: Option<u8> = self.store.get(CLAIM, &key)?;
        if failed.is_some_and(|failed| failed >= MAX_PROOFS) {
            return Ok(Some(Digest::ZERO));
        }
        if failed.is_none() {
            self.store.put(CLAIM, &key, &0_u8)?;
        }
        self.ask_for_root(log.size, newest);
        Ok(None)
    }

    fn proven_root(&mut self, size: u64) -> Result<Option<Digest>, Error> {
        if size == 0 {
            return Ok(Some(merkle::empty_root()));
        }
        if let Some(root) = self.view()?.and_then(|view| view.seen_root(size)) {
            return Ok(Some(root));
        }
        Ok(self.store.bytes(ROOT, &size.to_be_bytes())?.and_then(|bytes| bytes.try_into().ok()).map(Digest))
    }

    fn ask_for_root(&mut self, size: u64, newest: u64) {
        self.ask(Purpose::Root(size), get(format!("{CONSISTENCY}?from={size}&to={newest}")));
    }

    /// Takes in the proof that leads from an earlier size to the view's root, and holds it against whatever was said of
    /// that size.
    pub(crate) fn take_root(&mut self, size: u64, body: &[u8]) -> Result<(), Error> {
        let Ok(answer) = serde_json::from_slice::<ConsistencyAnswer>(body) else {
            self.pause_for(TROUBLE_MS);
            return Ok(());
        };
        let Some(view) = self.memory.view.clone() else { return Ok(()) };
        if answer.from != size || answer.to != view.size() {
            // the view has moved meanwhile: whoever needs it asks again
            return Ok(());
        }
        self.judge_claims(size, &answer.proof.0, &view)?;
        self.judge_gossip(size, &answer.proof.0, &view)
    }

    fn judge_claims(&mut self, size: u64, proof: &[Digest], view: &View) -> Result<(), Error> {
        for key in self.store.keys(CLAIM)? {
            let Some((at, root)) = key.split_first_chunk::<8>() else { continue };
            let (true, Ok(root)) = (*at == size.to_be_bytes(), <[u8; 32]>::try_from(root)) else { continue };
            let Some(failed) = self.store.get::<u8>(CLAIM, &key)?.filter(|failed| *failed < MAX_PROOFS) else {
                continue;
            };
            // what leads to the view's root begins at the one root that this log had, whatever was claimed
            match merkle::consistency_roots(size, view.size(), proof, &Digest(root)) {
                Ok((proven, newest)) if newest == view.root() => {
                    self.store.put_bytes(ROOT, &size.to_be_bytes(), &proven.0)?;
                    self.store.remove(CLAIM, &key)?;
                }
                _ => {
                    self.store.put(CLAIM, &key, &failed.saturating_add(1))?;
                    self.pause_for(TROUBLE_MS);
                }
            }
        }
        Ok(())
    }

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
    fn judge_gossip(&mut self, size: u64, proof: &[Digest], view: &View) -> Result<(), Error> {
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
