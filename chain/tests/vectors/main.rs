//! The test vectors in `docs/vectors`: made here from production code and a fixed cast, compared byte for byte with the
//! files, and judged again from the files alone.
//!
//! `TREFOIL_WRITE_VECTORS=1 cargo test -p chain --test vectors` writes them anew.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test fails by panicking; what it reads it wrote itself"
)]

mod check_log;
mod example_log;
mod files;
#[expect(dead_code, clippy::cast_possible_truncation, reason = "each test uses a part of the ledger; logs are short")]
#[path = "../ledger/mod.rs"]
mod ledger;
