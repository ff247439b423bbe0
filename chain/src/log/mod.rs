//! The log: one file per C2SP document.
//!
//! Reading order: [`merkle`] (RFC 6962 trees and proofs), [`note`] (C2SP signed-note), [`checkpoint`]
//! (tlog-checkpoint), [`cosignature`] (tlog-cosignature), [`policy`] (tlog-policy), [`tile`] (tlog-tiles), [`witness`]
//! (tlog-witness: the decision, not the server). Not in scope: what the leaves mean (blocks), sockets, files, clocks.

pub mod checkpoint;
pub mod cosignature;
pub mod merkle;
pub mod note;
pub mod policy;
pub mod tile;
pub mod witness;
