//! All state and cryptography of one device, without network and clock: a step over a transaction.

mod client;
mod confirm;
mod conversation;
mod device;
mod error;
mod feed;
mod group;
mod history;
mod intent;
mod key_packages;
mod log_in;
mod membership;
mod message;
mod mls;
mod own;
pub mod query;
mod receiving;
mod record;
mod repair;
mod seal;
mod sending;
mod sign_up;
pub mod step;
mod store;
mod token;
mod turn;
mod wishes;

pub use client::Client;
pub use error::Error;
pub use seal::StoreKey;
pub use store::{Store, prepare};
