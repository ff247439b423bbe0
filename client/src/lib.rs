//! All state and cryptography of one device, without network and clock: a step over a transaction.

mod client;
mod error;
pub mod query;
mod seal;
pub mod step;
mod store;

pub use client::Client;
pub use error::Error;
pub use seal::StoreKey;
pub use store::{Store, prepare};
