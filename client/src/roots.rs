//! Roots of the log at earlier sizes, which somebody names and the log has to prove (GRP-2, CNF-3).
//!
//! A claim that proves wrong is wrong by itself: it says nothing of what others claim for the same size.

use chain::id::{AccountId, Digest};
use chain::log::merkle;
use chain::sigchain::entry::SeenCheckpoint;
use chain::view::View;
use protocol::api::{CONSISTENCY, ConsistencyAnswer};

use crate::error::Error;
use crate::record::TROUBLE_MS;
use crate::turn::{Purpose, Turn, get};

/// Roots that are proven, by size.
const ROOT: &str = "root";
/// Roots that somebody names, by size and root, with how many proofs did not lead to them.
const CLAIM: &str = "claimed root";
/// After so many proofs that lead nowhere, a claim is wrong, or the log cannot join what it signed.
pub(crate) const MAX_PROOFS: u8 = 3;

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

    /// The root at a size, if it is proven.
    pub(crate) fn proven_root(&mut self, size: u64) -> Result<Option<Digest>, Error> {
        if size == 0 {
            return Ok(Some(merkle::empty_root()));
        }
        if let Some(root) = self.view()?.and_then(|view| view.seen_root(size)) {
            return Ok(Some(root));
        }
        Ok(self.store.bytes(ROOT, &size.to_be_bytes())?.and_then(|bytes| bytes.try_into().ok()).map(Digest))
    }

    /// Asks for the proof that leads from a size to the view's.
    pub(crate) fn ask_for_root(&mut self, size: u64, newest: u64) {
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
}
