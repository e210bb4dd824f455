//! Times as people say them: near ones relative, far ones as a date. Hours are of UTC and say so: the server does not
//! know where the reader is.

use crate::catalog::Words;

/// How long ago `then_s` was, seen from `now_s` (Unix seconds): "20 minutes ago"; from a week on, the date. What lies
/// ahead by a clock's difference is now.
pub fn ago(words: Words<'_>, now_s: i64, then_s: i64) -> String {
    let passed_s = u64::try_from(now_s.saturating_sub(then_s)).unwrap_or(0);
    match passed_s {
        0..MINUTE_S => words.count("ago-now", 0),
        MINUTE_S..HOUR_S => words.count("ago-minutes", passed_s / MINUTE_S),
        HOUR_S..DAY_S => words.count("ago-hours", passed_s / HOUR_S),
        DAY_S..WEEK_S => words.count("ago-days", passed_s / DAY_S),
        _ => date(words, then_s),
    }
}

/// How long to wait: "5 minutes", rounded up.
pub(crate) fn wait(words: Words<'_>, wait_s: u64) -> String {
    match wait_s {
        ..=1 => words.count("wait-seconds", 1),
        2..=90 => words.count("wait-seconds", wait_s),
        91..=5400 => words.count("wait-minutes", wait_s.div_ceil(MINUTE_S)),
        _ => words.count("wait-hours", wait_s.div_ceil(HOUR_S)),
    }
}

/// The day, as it is written: "9 March 2026".
pub fn date(words: Words<'_>, unix_s: i64) -> String {
    let (year, month, day) = civil(unix_s.div_euclid(DAY_S as i64));
    words.text_and_numbers("date", &[("year", &year.to_string())], &[("day", day), ("month", month)])
}

/// Day and minute: "9 March 2026, 08:14 UTC".
pub fn date_time(words: Words<'_>, unix_s: i64) -> String {
    let second = unix_s.rem_euclid(DAY_S as i64);
    let time = format!("{:02}:{:02}", second / 3600, second / 60 % 60);
    words.text("date-time", &[("date", &date(words, unix_s)), ("time", &time)])
}

/// RFC 3339, for machines that read the page.
pub(crate) fn iso(unix_s: i64) -> String {
    let (year, month, day) = civil(unix_s.div_euclid(DAY_S as i64));
    let second = unix_s.rem_euclid(DAY_S as i64);
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", second / 3600, second / 60 % 60, second % 60)
}

/// Year, month and day of a day since 1970 in the Gregorian calendar (Hinnant, "chrono-compatible low-level date
/// algorithms", `civil_from_days`).
fn civil(days: i64) -> (i64, u64, u64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_of_year = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_of_year + 2) / 5 + 1;
    let month = if month_of_year < 10 { month_of_year + 3 } else { month_of_year - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month as u64, day as u64)
}

const MINUTE_S: u64 = 60;
const HOUR_S: u64 = 3600;
const DAY_S: u64 = 86_400;
const WEEK_S: u64 = 7 * DAY_S;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::locale::Locale;

    #[test]
    fn times_are_said_as_people_say_them() {
        let now_s = 1_773_044_040; // 2026-03-09T08:14:00Z
        for (reason, locale, passed_s, expected) in [
            ("this minute", Locale::En, 59, "just now"),
            ("ahead of us", Locale::En, -100, "just now"),
            ("one", Locale::En, 60, "1 minute ago"),
            ("several", Locale::En, 20 * 60, "20 minutes ago"),
            ("an hour", Locale::En, 3600, "1 hour ago"),
            ("days", Locale::En, 3 * 86_400, "3 days ago"),
            ("a week is a date", Locale::En, 7 * 86_400, "2 March 2026"),
            ("German has its own plural", Locale::De, 2 * 86_400, "vor 2 Tagen"),
            ("one day in German", Locale::De, 86_400, "vor 1 Tag"),
            ("a German date", Locale::De, 7 * 86_400, "2. März 2026"),
            ("French", Locale::Fr, 2 * 3600, "il y a 2 heures"),
            ("the first of a month in French", Locale::Fr, 8 * 86_400, "1er mars 2026"),
        ] {
            assert_eq!(ago(Words::of(locale), now_s, now_s - passed_s), expected, "{reason}");
        }
        assert_eq!(date_time(Words::of(Locale::En), now_s), "9 March 2026, 08:14 UTC");
    }

    #[test]
    fn days_become_dates() {
        for (reason, unix_s, expected) in [
            ("the beginning", 0, "1970-01-01T00:00:00Z"),
            ("before it", -1, "1969-12-31T23:59:59Z"),
            ("a leap day", 1_709_164_800, "2024-02-29T00:00:00Z"),
            ("the day after February in a common year", 1_772_323_200, "2026-03-01T00:00:00Z"),
            ("the last second of a year", 1_798_761_599, "2026-12-31T23:59:59Z"),
        ] {
            assert_eq!(iso(unix_s), expected, "{reason}");
        }
    }

    #[test]
    fn a_wait_is_rounded_up() {
        for (reason, wait_s, expected) in [
            ("nothing is a second", 0, "1 second"),
            ("seconds", 45, "45 seconds"),
            ("minutes, up", 121, "3 minutes"),
            ("hours, up", 3 * 3600 + 1, "4 hours"),
        ] {
            assert_eq!(wait(Words::of(Locale::En), wait_s), expected, "{reason}");
        }
    }
}
