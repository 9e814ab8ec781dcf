//! Moments as texts.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// `2026-11-30T18:47:15Z` (RFC 3339): the moment so long ago, in whole seconds.
#[must_use]
pub fn ago(age: Duration) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    // A moment that is asked for again and again stays the same, although two clocks are read one after the other.
    rfc3339((now.saturating_sub(age) + Duration::from_millis(500)).as_secs())
}

/// Seconds since 1970 as RFC 3339 has them, in UTC.
#[must_use]
pub fn rfc3339(seconds: u64) -> String {
    let (year, month, day) = date(seconds / 86_400);
    let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// The Gregorian date so many days after 1970-01-01. Years are counted from March, so that the leap day comes last.
fn date(days: u64) -> (u64, u64, u64) {
    const ERA: u64 = 146_097;
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / ERA, shifted % ERA);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_written_as_rfc_3339_has_them() {
        let texts = [0, 951_782_400, 1_709_164_799, 4_102_444_800, 1_796_064_435].map(rfc3339);
        assert_eq!(
            texts,
            [
                "1970-01-01T00:00:00Z",
                "2000-02-29T00:00:00Z",
                "2024-02-28T23:59:59Z",
                "2100-01-01T00:00:00Z",
                "2026-11-30T18:47:15Z",
            ]
        );
        assert!(ago(Duration::from_secs(u64::MAX)).starts_with("1970-01-01T00:00:0"));
    }
}
