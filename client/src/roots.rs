//! Roots of the log at earlier sizes, which somebody names and the log has to prove (GRP-2, CNF-3).
//!
//! A proof that leads to the view's root begins at the one root that this log had, whatever was claimed. One that leads anywhere
//! else says nothing of whoever claims: it is no verdict, and asked for again (GRP-5).

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

impl Turn<'_> {
    /// The root that the log is proven to have at the size of a checkpoint that somebody names (GRP-2); asks for the proof
    /// if there is none yet. `account`: whose record is looked at to move on to a larger size.
    pub(crate) fn root_at(&mut self, log: &SeenCheckpoint, account: &AccountId) -> Result<Option<Digest>, Error> {
        if let Some(root) = self.proven_root(log.size)? {
            return Ok(Some(root));
        }
        let Some(newest) = self.view()?.map(View::size) else { return Ok(None) };
        if log.size > newest {
            // the view moves on with any look at an account
            self.look_further(account)?;
        } else {
            self.ask_for_root(log.size, newest);
        }
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
        self.prove_root(size, &answer.proof.0, &view)?;
        self.judge_gossip(size, &answer.proof.0, &view)
    }

    fn prove_root(&mut self, size: u64, proof: &[Digest], view: &View) -> Result<(), Error> {
        // of a complete tree the root stands in front, else a hash of the way
        let (first, rest) = match proof.split_first() {
            Some((first, rest)) if size.is_power_of_two() => (*first, rest),
            _ => (Digest::ZERO, proof),
        };
        match merkle::consistency_roots(size, view.size(), rest, &first) {
            Ok((proven, newest)) if newest == view.root() => self.store.put_bytes(ROOT, &size.to_be_bytes(), &proven.0),
            _ => {
                self.pause_for(TROUBLE_MS);
                Ok(())
            }
        }
    }
}
