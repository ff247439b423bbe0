//! All state and cryptography of one device, without network and clock: a step over a transaction.

mod error;
pub mod query;
mod seal;
pub mod step;
mod store;

pub use error::Error;
pub use seal::StoreKey;
pub use store::{Store, prepare};
