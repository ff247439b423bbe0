//! The rules of the fold, one by one, on a record in memory. Each test names the rule and the attack that it is about.

mod bytes;
mod confirming;
mod devices;
mod entries;
mod properties;
mod recovery;
mod resets;
mod wait;
pub(crate) mod world;
