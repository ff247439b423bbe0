//! The service: the one writer of the public record, its store and its HTTP interface.
//!
//! A shell around crate `chain`, which makes every decision: here are sockets, files, threads and the clock. In scope:
//! `trefoil serve`. Not in scope: witnesses and auditors (crate `witness`), clients, arguments and output (`app`).
//!
//! Reading order: [`entries`](Service) (admission) → `sequencer` (what goes into a block) → `seal` (in which order a
//! block reaches the disk) → `witnesses` (from sealed to published) → `lookup` (answers). `start` and `genesis` are how
//! it begins, `store` and `folder` are the disk.

mod entries;
mod error;
mod folder;
mod genesis;
mod http;
mod judge;
mod keys;
mod lookup;
mod nodes;
mod options;
mod rates;
mod record;
mod refusal;
mod resets;
mod seal;
mod sequencer;
mod service;
mod shared;
mod start;
mod store;
mod tiles;
mod witness_http;
mod witnesses;

pub use error::{Corrupt, SecondLook, StartError, Stopped};
pub use folder::free_percent;
pub use options::{Options, WitnessAddress};
pub use service::Service;
pub use shared::Clock;
