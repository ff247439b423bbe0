//! All state and cryptography of one device, without network and clock: a step over a transaction.

mod client;
mod confirm;
mod conversation;
mod error;
mod failure;
mod feed;
mod intent;
mod joining;
mod log_in;
mod notices;
mod own;
mod pending;
pub mod query;
mod record;
mod relaying;
mod requests;
mod seal;
mod sign_up;
pub mod step;
mod store;
mod token;
mod turn;

pub use client::Client;
pub use error::Error;
pub use seal::StoreKey;
pub use store::{Store, prepare};
