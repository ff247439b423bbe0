//! What a device and the service say to each other: paths, bodies, limits and refusals.
//!
//! Pure code: no clock, no I/O, no randomness. In scope: the HTTP interface of the public record. Not in scope: what
//! makes a proof or an entry valid (crate `chain`), and how the service keeps it (crate `service`).
//!
//! Reading order: [`api`], [`refusal`], [`limits`], [`bytes`].

pub mod api;
pub mod bytes;
pub mod limits;
pub mod refusal;
