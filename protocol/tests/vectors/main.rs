//! The test vectors in `docs/vectors` for part two of `docs/protocol.md`: made here from production code, compared byte
//! for byte with the files, and judged again from the files alone, as those of crate `chain` are.
//!
//! `TREFOIL_WRITE_VECTORS=1 cargo test -p protocol --test vectors` writes them anew.

#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test of files, which fails by panicking; what it reads it wrote itself"
)]

mod backup;
mod blob;
#[expect(dead_code, reason = "written for the vectors of crate chain, which use more of it")]
#[path = "../../../chain/tests/vectors/case.rs"]
mod case;
mod confirming;
#[path = "../../../chain/tests/vectors/files.rs"]
mod files;
mod groups;
mod history;
mod messages;
mod receipts;
mod recovery;
mod sharing;

use chain::id::PublicKey;
use ed25519_dalek::SigningKey;

use crate::case::{Case, Fields, Verdict};

const ORIGIN: &str = "trefoil.example/log";

/// The key pair of a seed.
fn key(seed: u8) -> (SigningKey, PublicKey) {
    let key = SigningKey::from_bytes(&[seed; 32]);
    let public = PublicKey::from(&key);
    (key, public)
}

fn ok(name: &str, what: &str, fields: Fields) -> Case {
    Case::new(name, Ok(()), what, fields)
}

/// A case that is refused for its form.
fn malformed(name: &str, rule: &'static str, what: &str, fields: Fields) -> Case {
    Case::new(name, Err(("malformed", rule)), what, fields)
}

/// The verdict on bytes that are read or not.
fn read<T, E>(result: Result<T, E>, rule: &'static str) -> Result<T, (&'static str, &'static str)> {
    result.map_err(|_| ("malformed", rule))
}

/// The verdict on a signature.
fn signed(holds: bool, rule: &'static str) -> Verdict {
    if holds { Ok(()) } else { Err(("signature", rule)) }
}
