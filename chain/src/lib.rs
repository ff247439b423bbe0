//! The public record: who has which devices, so that nobody has to be believed.
//!
//! Pure code: no clock, no I/O, no randomness. The same functions judge at the service, at senders, at
//! receivers and at auditors. The bytes and the numbered rules are in `docs/protocol.md`.
//!
//! Reading order: [`encoding`] and [`id`], then [`sigchain`] (what an account is), [`map`] (where every
//! account's head is), [`block`] and [`audit`] (what changes at once, and whether it may), [`log`] (what order blocks
//! have, and who saw it). On top of these stand those who believe nobody: [`proven`], [`view`] and [`account`] (a
//! client), [`replay`] (an auditor), [`evidence`] and [`sealed_block`] (whoever has caught a lie).

pub mod account;
pub mod audit;
pub mod block;
pub mod encoding;
pub mod evidence;
pub mod handle;
pub mod id;
pub mod label;
pub mod log;
pub mod map;
pub mod proven;
pub mod replay;
pub mod sealed_block;
pub mod sigchain;
pub mod stamped;
pub mod view;
