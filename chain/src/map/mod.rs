//! The map: one SHA-256 Merkle-Patricia tree from 32-byte keys to 32-byte values.
