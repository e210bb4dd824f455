//! Text for people: aligned columns, and times that can be read.

use std::fmt::Write as _;

use serde_json::{Map, Value};

/// Rows under headings, aligned, the last column unpadded. Headings alone when there is no row.
pub(super) fn table<const N: usize>(headings: [&str; N], rows: &[[String; N]]) -> String {
    let mut widths = headings.map(|heading| heading.chars().count());
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut lines = vec![line(&headings, &widths)];
    lines.extend(rows.iter().map(|row| line(&row.each_ref().map(String::as_str), &widths)));
    lines.join("\n")
}

/// The members of a document, one a line.
pub(super) fn members(document: &Map<String, Value>) -> String {
    let width = document.keys().map(String::len).max().unwrap_or(0);
    let shown = |(name, value): (&String, &Value)| format!("{name:<width$}  {}", member(value)).trim_end().to_owned();
    document.iter().map(shown).collect::<Vec<_>>().join("\n")
}

/// `2026-11-24 10:34:00Z`.
pub(super) fn time(unix_s: i64) -> String {
    let (day, second) = (unix_s.div_euclid(86_400), unix_s.rem_euclid(86_400));
    let (year, month, day) = civil(day);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}Z")
}

/// A time that may not be there.
pub(super) fn time_or_dash(unix_s: Option<i64>) -> String {
    unix_s.map_or_else(|| "-".to_owned(), time)
}

fn line<const N: usize>(cells: &[&str; N], widths: &[usize; N]) -> String {
    let mut line = String::new();
    for (cell, width) in cells.iter().zip(widths) {
        // Writing to a String cannot fail.
        let _ = write!(line, "{cell:<width$}  ");
    }
    line.trim_end().to_owned()
}

fn member(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(entries) if entries.iter().all(Value::is_string) => {
            entries.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" ")
        }
        other => other.to_string(),
    }
}

/// Year, month and day of a day counted from 1970-01-01 (Howard Hinnant, "chrono-compatible low-level date
/// algorithms": years begin in March, eras have 400 years).
fn civil(day: i64) -> (i64, i64, i64) {
    let shifted = day + 719_468;
    let (era, of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    (era * 400 + year_of_era + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_can_be_read() {
        let rows = [
            (0, "1970-01-01 00:00:00Z", "the epoch"),
            (951_782_400, "2000-02-29 00:00:00Z", "a leap day of a century"),
            (1_795_516_440, "2026-11-24 10:34:00Z", "a day like any other"),
            (4_107_542_399, "2100-02-28 23:59:59Z", "a century without leap day"),
            (4_107_542_400, "2100-03-01 00:00:00Z", "the second after"),
            (-1, "1969-12-31 23:59:59Z", "before the epoch"),
        ];
        for (unix_s, text, why) in rows {
            assert_eq!(time(unix_s), text, "{why}");
        }
    }

    #[test]
    fn columns_are_aligned() {
        let rows = [["a".to_owned(), "1".to_owned()], ["longer".to_owned(), "2".to_owned()]];
        assert_eq!(table(["NAME", "N"], &rows), "NAME    N\na       1\nlonger  2");
        assert_eq!(table(["NAME", "N"], &[]), "NAME  N");
    }

    #[test]
    fn members_are_shown_without_quotes() {
        let document = serde_json::json!({ "scope": "a b", "resource": ["x", "y"], "require_auth_time": true });
        let text = document.as_object().map(members).unwrap_or_default();
        assert_eq!(text, "require_auth_time  true\nresource           x y\nscope              a b");
    }
}
