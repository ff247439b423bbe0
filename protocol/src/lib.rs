//! What a device and the service say to each other: paths, bodies, limits and refusals.
//!
//! Pure code: no clock, no I/O, no randomness. In scope: the HTTP interface of the public record. Not in scope: what
//! makes a proof or an entry valid (crate `chain`), and how the service keeps it (crate `service`).
//!
//! Reading order: [`api`] and its parts, [`members`] (whom a group may have, the one rule), [`confirm`] (how a device is
//! let in), [`opaque`] (passwords), [`content`], [`history`]; [`refusal`], [`limits`], [`label`], [`id`], [`bytes`].

pub mod api;
pub mod bytes;
pub mod confirm;
pub mod content;
pub mod gossip;
pub mod history;
pub mod id;
pub mod label;
pub mod limits;
pub mod members;
pub mod opaque;
pub mod refusal;
pub mod relay;
pub mod tame;
pub mod verification_code;
