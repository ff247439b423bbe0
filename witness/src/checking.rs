//! Signatures of judged blocks, checked on all cores while later blocks are judged.
//!
//! One by one, not in batches: batch verification multiplies by random factors, so it accepts some signatures with
//! small-order parts that strict verification refuses, and an auditor must never accept what a client would refuse.

use std::panic;
use std::thread::{self, JoinHandle};

use chain::sigchain::entry::Claim;

/// How many claims are checked at once; they take about 3 MB.
const CLAIMS_AT_ONCE: usize = 8_192;
/// Of how many blocks claims are checked at once: blocks may have none.
const BLOCKS_AT_ONCE: usize = 1_024;

/// The claims of some blocks, in the order in which they were made.
#[derive(Debug, Default)]
pub struct Claims {
    /// What has to be true.
    pub all: Vec<Claim>,
    /// Each block's number, and how many claims there are up to its end.
    ends: Vec<(u64, usize)>,
}

impl Claims {
    /// Says that the newest claims are those of block `number`.
    pub fn end_block(&mut self, number: u64) {
        self.ends.push((number, self.all.len()));
    }

    /// True if it is worth while to start checking them.
    pub fn are_many(&self) -> bool {
        self.all.len() >= CLAIMS_AT_ONCE || self.ends.len() >= BLOCKS_AT_ONCE
    }
}

/// A check under way.
#[derive(Debug)]
pub struct Checking {
    parts: Vec<JoinHandle<Option<usize>>>,
    ends: Vec<(u64, usize)>,
}

impl Checking {
    /// Starts to check, on as many threads as there are cores.
    pub fn start(claims: Claims) -> Self {
        let Claims { mut all, ends } = claims;
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let length = all.len().div_ceil(cores).max(64);
        let mut parts = Vec::with_capacity(cores);
        while !all.is_empty() {
            let rest = all.split_off(length.min(all.len()));
            let (part, first) = (std::mem::replace(&mut all, rest), parts.len() * length);
            parts.push(thread::spawn(move || part.iter().position(|it| !it.holds()).map(|at| first + at)));
        }
        Self { parts, ends }
    }

    /// Waits for the end. All claims hold: the number above the newest block.
    ///
    /// # Errors
    /// The number of the first block that has a claim that does not hold.
    pub fn finish(self) -> Result<u64, u64> {
        let found = |part: JoinHandle<Option<usize>>| part.join().unwrap_or_else(|cause| panic::resume_unwind(cause));
        // the parts are in order, so the first find is the first of all
        let first_false = self.parts.into_iter().filter_map(found).next();
        let newest = self.ends.last().map_or(0, |(number, _)| *number);
        match first_false {
            None => Ok(newest.saturating_add(1)),
            Some(at) => Err(self.ends.iter().find(|(_, end)| at < *end).map_or(newest, |(number, _)| *number)),
        }
    }
}

#[cfg(test)]
mod tests {
    use chain::id::SignatureBytes;
    use ed25519_dalek::{Signer as _, SigningKey};

    use super::*;

    /// Blocks 5, 6 and so on with these many claims; the claims at `wrong` do not hold.
    fn check(blocks: &[usize], wrong: &[usize]) -> Result<u64, u64> {
        let key = SigningKey::from_bytes(&[1; 32]);
        let mut claims = Claims::default();
        for (number, count) in (5..).zip(blocks) {
            for _ in 0..*count {
                let mut signature = key.sign(b"message").to_bytes();
                if wrong.contains(&claims.all.len()) {
                    signature[0] ^= 1;
                }
                let signature = SignatureBytes(signature);
                claims.all.push(Claim { key: (&key).into(), message: b"message".to_vec(), signature });
            }
            claims.end_block(number);
        }
        Checking::start(claims).finish()
    }

    /// ENT-2 at an auditor.
    #[test]
    fn the_first_block_with_a_false_signature_is_named() {
        for (wrong, block) in [(0, 5), (99, 5), (100, 7), (101, 8), (300, 8)] {
            assert_eq!(check(&[100, 0, 1, 200], &[wrong, 300]), Err(block));
        }
    }

    #[test]
    fn claims_that_hold_settle_every_block_up_to_the_newest() {
        assert_eq!(check(&[100, 1, 70, 0], &[]), Ok(9));
        assert_eq!(check(&[], &[]), Ok(1));
    }

    #[test]
    fn blocks_without_claims_are_not_gathered_for_ever() {
        let mut claims = Claims::default();
        (1..=1_024).for_each(|number| claims.end_block(number));
        assert!(claims.are_many());
    }
}
