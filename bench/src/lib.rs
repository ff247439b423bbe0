//! What the benchmarks share: the accounts they write, the two maps under test, and how times are taken.

pub mod accounts;
pub mod chain_map;
pub mod rival;
pub mod timing;
