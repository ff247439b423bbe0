//! How the service says no: one stable code, one kind, one sentence.
//!
//! On the wire a refusal is a problem document (RFC 9457, `application/problem+json`) with the extra members `code`
//! and `kind`. Codes of rules are those of crate `chain`; the service's own are listed here.

use serde::{Deserialize, Serialize};

use crate::api::accounts::{
    DEVICE_CLONED, DEVICE_REMOVED, DEVICE_UNCONFIRMED, LOGIN_REFUSED, PERMIT_INVALID, TOKEN_INVALID, TOKEN_REFUSED,
};
use crate::api::blobs::{BLOB_EXISTS, BLOB_GONE, BLOB_OFFSET, BLOB_QUOTA, BLOB_TOO_LARGE};
use crate::api::delivery::{GROUP_EXISTS, GROUP_UNKNOWN, NO_KEY_PACKAGE, REMOVED_LEAF, STALE_EPOCH};
use crate::api::reports::REPORT_OWN;

/// Somebody changed the account first: read, and sign again if it is still wanted.
pub const CONFLICT: &str = "chain.conflict";
/// More than the limits allow; `retry_after_s` says when to come back.
pub const RATE_LIMITED: &str = "rate.limited";
/// Too many entries wait to be sealed.
pub const BUSY: &str = "service.busy";
/// The log has no block yet: witness keys are still missing.
pub const STARTING: &str = "service.starting";
/// The service is ending.
pub const STOPPING: &str = "service.stopping";
/// Less than a tenth of the disk is free.
pub const STORE_FULL: &str = "store.full";
/// The store contradicts itself; nothing more is signed.
pub const STORE_CORRUPT: &str = "store.corrupt";
/// The store is behind what witnesses have cosigned, or beside it.
pub const STORE_ROLLBACK: &str = "store.rollback";
/// Another process has the store open.
pub const STORE_LOCKED: &str = "store.locked";
/// The store or its folder cannot be read or written.
pub const STORE_IO: &str = "store.io";
/// The body is larger than the limit.
pub const TOO_LARGE: &str = "request.too_large";
/// A path, query or body that does not have the form of the interface.
pub const MALFORMED: &str = "request.malformed";
/// There is nothing at this path.
pub const NOT_FOUND: &str = "request.not_found";
/// There is something at this path, and it takes another HTTP method.
pub const METHOD: &str = "request.method";
/// The record does not have what a commit names, or not yet.
pub const UNAVAILABLE: &str = "chain.unavailable";
/// A kind of entry that only the service itself makes.
pub const NOT_PROPOSABLE: &str = "entry.not_proposable";

/// Whose fault it is, and so what a program does about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A rule says no.
    Refused,
    /// Not now: try again.
    Unreachable,
    /// The request is not one.
    Misuse,
    /// The service's own fault.
    Broken,
}

/// A refusal as it stands on the wire.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// Always `about:blank`: the code says more than a type URI would.
    #[serde(rename = "type")]
    pub problem_type: String,
    /// HTTP status.
    pub status: u16,
    /// The stable code.
    pub code: String,
    /// Whose fault it is.
    pub kind: Kind,
    /// One sentence for people.
    pub detail: String,
    /// After how many seconds it makes sense to ask again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_s: Option<u64>,
    /// With `mls.stale_epoch`: the group's current epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epoch: Option<u64>,
}

/// HTTP status and kind of a code. Codes that are not listed are rules of the chain: 422.
pub fn status_of(code: &str) -> (u16, Kind) {
    match code {
        MALFORMED | REPORT_OWN | "entry.encoding" | "key.invalid" | "handle.charset" | "handle.length" => {
            (400, Kind::Misuse)
        }
        // a bearer's secret is missing or has ended (RFC 9110 §15.5.2)
        TOKEN_INVALID | PERMIT_INVALID => (401, Kind::Refused),
        LOGIN_REFUSED | TOKEN_REFUSED | DEVICE_UNCONFIRMED | DEVICE_REMOVED | DEVICE_CLONED => (403, Kind::Refused),
        NOT_FOUND => (404, Kind::Misuse),
        GROUP_UNKNOWN | NO_KEY_PACKAGE | BLOB_GONE => (404, Kind::Refused),
        METHOD => (405, Kind::Misuse),
        CONFLICT | "confirm.replayed" | "handle.taken" => (409, Kind::Refused),
        STALE_EPOCH | REMOVED_LEAF | GROUP_EXISTS | BLOB_EXISTS | BLOB_OFFSET => (409, Kind::Refused),
        BLOB_QUOTA => (403, Kind::Refused),
        TOO_LARGE => (413, Kind::Misuse),
        BLOB_TOO_LARGE => (413, Kind::Refused),
        RATE_LIMITED => (429, Kind::Refused),
        BUSY | STARTING | STOPPING | UNAVAILABLE => (503, Kind::Unreachable),
        STORE_FULL => (507, Kind::Unreachable),
        STORE_CORRUPT | STORE_IO | STORE_ROLLBACK | STORE_LOCKED | "service.fault" => (500, Kind::Broken),
        _ => (422, Kind::Refused),
    }
}
