//! The time, and how it is written: RFC 3339 in UTC.

use std::time::{SystemTime, UNIX_EPOCH};

/// Milliseconds since 1970.
pub(crate) fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// Milliseconds since 1970 as `2026-08-02T14:02:11.123Z`.
pub(crate) fn rfc3339(ms: u64) -> String {
    let (date, time) = (ms / 86_400_000, ms % 86_400_000);
    let (year, month, day) = civil(date);
    let (hour, minute) = (time / 3_600_000, time / 60_000 % 60);
    let (second, rest) = (time / 1_000 % 60, time % 1_000);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{rest:03}Z")
}

/// The date of a day after 1970-01-01, in the Gregorian calendar: eras of 400 years, years that begin in March.
fn civil(days: u64) -> (u64, u64, u64) {
    // a day beyond year 9999 is a lie of whoever wrote it, and only has to be written somehow
    let shifted = days.min(2_932_896) + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_the_calendar_has_them() {
        assert_eq!(rfc3339(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(rfc3339(951_782_400_000), "2000-02-29T00:00:00.000Z");
        assert_eq!(rfc3339(1_785_679_331_123), "2026-08-02T14:02:11.123Z");
        assert!(rfc3339(u64::MAX).starts_with("9999-12-31T"));
    }
}
