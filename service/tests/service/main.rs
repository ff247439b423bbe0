//! The service through its router, with a made-up clock; witnesses and one test of the listener on loopback ports.

#![expect(
    clippy::panic,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a test that cannot go on has failed"
)]

mod accounts;
mod blobs;
mod delivery;
mod entries;
mod listener;
mod looks;
mod mls;
mod push;
mod replay;
mod reports;
mod reset_permits;
mod restarts;
mod seen;
mod tls;
mod witness;
mod witnesses;
mod world;
