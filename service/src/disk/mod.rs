//! What is on the disk: the data folder, the secret keys, the records, the log's static files.

pub(crate) mod database;
pub(crate) mod folder;
pub(crate) mod keys;
pub(crate) mod store;
pub(crate) mod tiles;
