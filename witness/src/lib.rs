//! The programs for those who watch a log: witness and auditor.
//!
//! The **witness** is a small server that cosigns a log's checkpoints as long as the log only grows (C2SP tlog-witness).
//! Whether a checkpoint may be cosigned is decided by [`chain::log::witness::decide`]; here are the files that must not
//! be forgotten ([`store`]), and the HTTP interface ([`server`]). It does not look at what the leaves say.
//!
//! The **auditor** ([`auditor`]) replays every block and checks every rule by [`chain::replay`]; here are where it reads
//! ([`source`], [`headers`]), who checks the signatures meanwhile ([`checking`]) and what it keeps ([`audit_folder`]).

pub mod audit_folder;
pub mod auditor;
pub mod checking;
mod connection;
pub mod durable;
pub mod headers;
pub mod server;
pub mod source;
pub mod store;
