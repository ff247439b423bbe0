//! The service: the one writer of the public record, its store and its HTTP interface.
//!
//! A shell around crate `chain`, which makes every decision: here are sockets, files, threads and the clock. In scope:
//! `trefoil serve`. Not in scope: witnesses and auditors (crate `witness`), clients, arguments and output (`app`).
//!
//! Reading order: `entries` (what a proposal has to pass) → `sequencer` (what goes into a block) → `sequencer/seal` (in
//! which order a block reaches the disk) → `witnesses` (from sealed to published) → `lookup` (answers) → `http`
//! (routes) → `http/connections` (how long a caller may keep it waiting) → `http/tls`. `accounts` says who asks:
//! passwords, permits, tokens. `delivery` takes in and hands out what devices send each other, `groups` follows their
//! groups by MLS, `blobs` keeps encrypted files, `reports` what people tell the
//! operator. `start` and `sequencer/genesis` are how it begins, `record` and `nodes` what readers see, `disk` what
//! is kept.

mod accounts;
mod blobs;
mod delivery;
mod disk;
mod entries;
mod error;
mod groups;
mod http;
mod lookup;
mod nodes;
mod options;
mod record;
mod reports;
mod resets;
mod sequencer;
mod service;
mod shared;
mod start;
mod touched;
mod witnesses;

pub use accounts::reset_permits::{Issued, PermitError, issue_reset_permit};
pub use disk::folder::free_percent;
pub use error::{Corrupt, SecondLook, StartError, Stopped};
pub use http::connections::Patience;
pub use http::tls::TlsFiles;
pub use options::{Options, WitnessAddress};
pub use reports::operator::{ReportsError, Told, forget_reports, told_of};
pub use service::Service;
pub use shared::Clock;
