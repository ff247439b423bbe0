//! Every bound of the service's interface, with unit and reason. They are start values of one service, not rules of
//! the chain: an auditor never looks at them.

use std::num::{NonZeroU32, NonZeroU64};

/// Most bytes of a text: what the largest bucket has room for.
pub const MAX_TEXT: usize = 65_536;
/// Most bytes of a request's body (attack 27).
pub const MAX_REQUEST_BODY: usize = 65_536;
/// Most entries in one answer.
pub const PAGE_ENTRIES: usize = 256;
/// Most bytes of an answer that a client reads.
pub const MAX_ANSWER: usize = 1 << 20;
/// Most entries that wait to be sealed at once: four full blocks. Beyond it the service answers `service.busy`.
pub const MAX_QUEUED: usize = 16_384;
/// Most connections that are open at once from one address, or one /64 network (attack 52). A device needs two.
pub const MAX_CONNECTIONS: usize = 64;
/// Below this part of the disk free, in percent, nothing is accepted (BLK-7).
pub const MIN_FREE_PERCENT: u64 = 10;

/// One hour, in seconds.
pub const HOUR_S: u64 = 3_600;
/// One day, in seconds.
pub const DAY_S: u64 = 86_400;

/// How much one account or one address may ask for.
///
/// Given to the service at construction, so that a load test can lift them ([`Limits::NONE`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Entries of one account in a day.
    pub entries_a_day: Option<NonZeroU32>,
    /// New requests (DeviceAdded, ResetRequested) of one account in a day (attack 13).
    pub requests_a_day: Option<NonZeroU32>,
    /// DeviceAdded requests of one account that are open at once (attack 13).
    pub open_requests: Option<NonZeroU32>,
    /// New accounts in an hour from one address that is not a loopback address (attack 28).
    pub accounts_an_hour: Option<NonZeroU32>,
    /// Handle lookups in a minute from one address (attack 31).
    pub lookups_a_minute: Option<NonZeroU32>,
    /// Log-ins begun in a minute for one handle (attack 56).
    pub logins_a_minute_for_handle: Option<NonZeroU32>,
    /// Log-ins begun in a minute from one address that is not a loopback address (attack 56).
    pub logins_a_minute_from_address: Option<NonZeroU32>,
    /// Blobs of one account that are kept at once.
    pub blobs_kept: Option<NonZeroU32>,
    /// Bytes of all blobs of one account that are kept at once.
    pub blob_bytes_kept: Option<NonZeroU64>,
    /// Bytes of blobs that one account begins in a day.
    pub blob_bytes_a_day: Option<NonZeroU64>,
    /// Reports to the operator that one account makes in a day.
    pub reports_a_day: Option<NonZeroU32>,
}

impl Limits {
    /// The limits of a public service.
    pub const PUBLIC: Self = Self {
        entries_a_day: NonZeroU32::new(20),
        requests_a_day: NonZeroU32::new(3),
        open_requests: NonZeroU32::new(1),
        accounts_an_hour: NonZeroU32::new(3),
        lookups_a_minute: NonZeroU32::new(60),
        logins_a_minute_for_handle: NonZeroU32::new(10),
        logins_a_minute_from_address: NonZeroU32::new(30),
        blobs_kept: NonZeroU32::new(10_000),
        blob_bytes_kept: NonZeroU64::new(20 << 30),
        blob_bytes_a_day: NonZeroU64::new(5 << 30),
        reports_a_day: NonZeroU32::new(20),
    };

    /// No limit at all, for load tests.
    pub const NONE: Self = Self {
        entries_a_day: None,
        requests_a_day: None,
        open_requests: None,
        accounts_an_hour: None,
        lookups_a_minute: None,
        logins_a_minute_for_handle: None,
        logins_a_minute_from_address: None,
        blobs_kept: None,
        blob_bytes_kept: None,
        blob_bytes_a_day: None,
        reports_a_day: None,
    };
}

impl Default for Limits {
    fn default() -> Self {
        Self::PUBLIC
    }
}
