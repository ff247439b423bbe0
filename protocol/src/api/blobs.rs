//! Encrypted files at the service (docs/protocol.md §29). Every request here carries a token.
//!
//! ```text
//! POST /v1/blobs/<id>              <- BlobOpening    -> BlobProgress    again: how far it is
//! POST /v1/blobs/<id>/parts?at=N   <- raw bytes      -> BlobProgress
//! GET  /v1/blobs/<id>?at=N&length=M                  -> raw bytes, M of them or what there is, at most [`MAX_PIECE`]
//! ```
//!
//! **Resumable.** A part begins where the service is (BLB-5). What came of one that broke off is kept, so whoever asks how
//! far it is goes on from there. **Not addressed.** The service knows size, time and whose account has brought it, and
//! gives it to every device that names it.

use serde::{Deserialize, Serialize};

/// Prefix of blobs.
pub const BLOBS: &str = "/v1/blobs/";

/// There is no such blob: it was never here, is not whole yet, or its time is over.
pub const BLOB_GONE: &str = "blob.gone";
/// Somebody else has brought a blob by this id, or this account one of another size.
pub const BLOB_EXISTS: &str = "blob.exists";
/// The part does not begin where the service is: ask how far that is.
pub const BLOB_OFFSET: &str = "blob.offset";
/// The blob is larger than any may be.
pub const BLOB_TOO_LARGE: &str = "blob.too_large";
/// The account has as much at the service as it may.
pub const BLOB_QUOTA: &str = "blob.quota";

/// Most bytes of one answer.
pub const MAX_PIECE: u64 = 1 << 20;
/// How long the service keeps a whole blob, seconds: as long as a message that nobody has fetched.
pub const BLOB_KEPT_S: u64 = super::delivery::KEPT_S;
/// How long it keeps one that is not whole, from its last part, seconds.
pub const BLOB_WAITS_S: u64 = 86_400;

/// A blob is to be brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BlobOpening {
    /// Its bytes.
    pub size: u64,
}

/// How far a blob is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlobProgress {
    /// Its bytes.
    pub size: u64,
    /// How many of them the service has on its disk; all of them make it whole.
    pub have: u64,
}
