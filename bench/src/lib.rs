//! What the benchmarks share: the accounts they write, the two maps under test, a signed record, and how times are taken.

pub mod accounts;
pub mod chain_map;
pub mod record;
pub mod rival;
pub mod timing;
