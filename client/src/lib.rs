//! All state and cryptography of one device, without network and clock: a step over a transaction.

mod device;
mod error;
mod mls;
mod seal;
mod store;

pub use error::Error;
pub use seal::StoreKey;
pub use store::{Store, prepare};
