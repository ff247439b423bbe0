//! The log: one file per C2SP document.
