//! An account: its signed entries, hash-linked, and the one fold that says which devices it has.
//!
//! Reading order: [`rules`] (the numbers), [`body`] and [`entry`] (what is written), [`device_set`] (the state),
//! [`fold`] (every rule about devices), [`reset`] (every rule about starting again), [`broken`] (what refusals are
//! called).

pub mod body;
pub mod broken;
pub mod device_set;
pub mod entry;
pub mod fold;
mod record;
pub mod reset;
pub mod rules;

#[cfg(test)]
pub(crate) mod tests;
