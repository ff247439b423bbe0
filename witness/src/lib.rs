//! The witness: a small server that cosigns a log's checkpoints as long as the log only grows (C2SP tlog-witness).
//!
//! Whether a checkpoint may be cosigned is decided by [`chain::log::witness::decide`]; here are the files that must not
//! be forgotten ([`store`]), and the HTTP interface ([`server`]). Not in scope: what the leaves of the log say.

mod connection;
pub mod server;
pub mod store;
