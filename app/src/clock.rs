//! The time, and how it is written: RFC 3339 in UTC between programs, the reader's own zone for people.

use std::time::{SystemTime, UNIX_EPOCH};

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// Milliseconds since 1970.
pub(crate) fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// Milliseconds since 1970 as `2026-08-02T14:02:11.123Z`.
pub(crate) fn rfc3339(ms: u64) -> String {
    let time = i64::try_from(ms).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok());
    // a time beyond year 9999 is a lie of whoever wrote it, and only has to be written somehow
    time.unwrap_or(Timestamp::MAX).strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

/// A time of RFC 3339 in milliseconds since 1970; `None` if it is none.
pub(crate) fn ms_of(rfc3339: &str) -> Option<u64> {
    u64::try_from(rfc3339.parse::<Timestamp>().ok()?.as_millisecond()).ok()
}

/// A time of RFC 3339 as `2026-08-02 16:02` in a zone; `None` if it is none.
pub(crate) fn in_zone(rfc3339: &str, zone: TimeZone) -> Option<String> {
    let time: Timestamp = rfc3339.parse().ok()?;
    Some(time.to_zoned_datetime(zone).strftime("%Y-%m-%d %H:%M").to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_the_calendar_has_them() {
        assert_eq!(rfc3339(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(rfc3339(951_782_400_000), "2000-02-29T00:00:00.000Z");
        assert_eq!(rfc3339(1_785_679_331_123), "2026-08-02T14:02:11.123Z");
        assert!(rfc3339(u64::MAX).starts_with("9999-12-30T"));
        assert_eq!(ms_of("2026-08-02T14:02:11.123Z"), Some(1_785_679_331_123));
        assert_eq!((ms_of("1969-12-31T23:59:59.000Z"), ms_of("yesterday")), (None, None));
    }

    /// Also where the clock is put forward between two messages.
    #[test]
    fn people_read_times_of_their_own_zone() {
        let berlin = TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap();
        let read = |time| in_zone(time, berlin.clone()).unwrap();
        assert_eq!(read("2026-08-02T14:02:11.123Z"), "2026-08-02 16:02");
        assert_eq!(
            [read("2026-03-29T00:59:59.000Z"), read("2026-03-29T01:00:00.000Z")],
            ["2026-03-29 01:59", "2026-03-29 03:00"]
        );
        assert_eq!(read("2026-12-31T23:30:00.000Z"), "2027-01-01 00:30");
        assert_eq!(in_zone("yesterday", berlin), None);
    }
}
