//! What can go wrong inside a step through this program's or its disk's fault. Everything that comes from outside and is
//! bad is a result, an event or a stored verdict, never one of these.

use thiserror::Error;

/// The step is undone: its transaction is rolled back, and the client that took it is not used again.
#[derive(Debug, Error)]
pub enum Error {
    /// The database could not be read or written.
    #[error("the store could not be read or written")]
    Store(#[from] rusqlite::Error),
    /// A value does not open under the key, or is not what this program writes.
    #[error("the store holds something that this key does not open, or that this program did not write")]
    Damaged,
    /// The store was written by a newer program.
    #[error("the store was written by a newer version of this program")]
    NewerStore,
    /// The store was written by a program from before its first release; what it holds is not converted.
    #[error("the store was written by an older version of this program, which this one cannot read")]
    OlderStore,
    /// The system gives no randomness.
    #[error("the system gives no randomness")]
    Randomness,
    /// MLS refused something that this program made itself.
    #[error("MLS refused what this program made: {0}")]
    Mls(&'static str),
    /// A state that cannot be.
    #[error("a state that cannot be: {0}")]
    Fault(&'static str),
}

impl Error {
    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Store(_) => "store.io",
            Self::Damaged => "store.damaged",
            Self::NewerStore => "store.newer",
            Self::OlderStore => "store.older",
            Self::Randomness | Self::Mls(_) | Self::Fault(_) => "client.broken",
        }
    }
}
