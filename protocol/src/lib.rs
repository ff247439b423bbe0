//! What devices and the service say to each other: paths, bodies, limits and refusals; and what devices say to each
//! other through it.
//!
//! Pure code: no clock, no I/O, no randomness. Not in scope: what makes a proof or an entry valid (crate `chain`), how
//! the service keeps it (crate `service`), encryption (crate `client`).
//!
//! Reading order: [`api`] and its parts, [`members`] (whom a group may have, the one rule), [`confirm`] (how a device is
//! let in), [`opaque`] (passwords), [`content`] (what a message says), [`effect`] (what it does to an earlier one), [`blob`]
//! (files), [`picture`], [`gossip`],
//! [`relay`], [`history`], [`backup`] (a file of them), [`recovery`] (words on paper), [`reset_permit`] (the operator's),
//! [`settings`] (what an account's devices share), [`people`] (who may write), [`verification_code`], [`tame`]; [`refusal`],
//! [`limits`], [`label`], [`id`], [`bytes`].

pub mod api;
pub mod backup;
pub mod blob;
pub mod bytes;
pub mod confirm;
pub mod content;
pub mod effect;
pub mod gossip;
pub mod history;
pub mod id;
pub mod introduction;
pub mod label;
pub mod limits;
pub mod members;
pub mod opaque;
pub mod people;
pub mod picture;
pub mod recovery;
pub mod refusal;
pub mod relay;
pub mod reset_permit;
pub mod settings;
pub mod tame;
pub mod typing;
pub mod verification_code;
