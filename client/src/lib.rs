//! All state and cryptography of one device, without network and clock: a step over a transaction.

mod client;
mod confirm;
mod conversation;
mod error;
mod feed;
mod intent;
mod log_in;
mod own;
pub mod query;
mod record;
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
