//! What a person at the terminal sees: one line a second on stderr. stdout is for `--compare`.

use std::fmt::Write as _;
use std::io::Write as _;

use crate::record::{Counts, Kind};
use crate::report::Point;

pub fn say(line: &str) {
    // A closed terminal must not end the run.
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

pub fn line(point: &Point, phase: &str) -> String {
    let mut line = format!("{phase:>7} {:5.0}s  {:>9.0} right/s", point.t_s, point.right_per_s);
    if let Some((p50, p99, max)) = point.p50_us.zip(point.p99_us).zip(point.max_us).map(|((a, b), c)| (a, b, c)) {
        let _ = write!(line, "  p50 {}  p99 {}  max {}", micros(p50), micros(p99), micros(max));
    }
    if let Some(cores) = point.server_cores {
        let _ = write!(line, "  server {cores:.2} cores");
    }
    if let Some(rss) = point.server_rss_bytes {
        let _ = write!(line, " {:.0} MiB", rss as f64 / 1_048_576.0);
    }
    if let Some(age) = point.feed_age_s {
        let _ = write!(line, "  feed {age:.2} s");
    }
    line + &errors(&point.ended)
}

fn errors(counts: &Counts) -> String {
    let told: Vec<String> = Kind::LABELS
        .iter()
        .zip(counts.errors)
        .filter(|(_, n)| *n > 0)
        .map(|(label, n)| format!("{label} {n}"))
        .collect();
    if told.is_empty() { String::new() } else { format!("  ERRORS {}", told.join(", ")) }
}

/// A latency as a person reads it.
pub fn micros(us: u64) -> String {
    match us {
        0..1_000 => format!("{us} µs"),
        1_000..10_000 => format!("{:.2} ms", us as f64 / 1e3),
        10_000..1_000_000 => format!("{:.0} ms", us as f64 / 1e3),
        _ => format!("{:.2} s", us as f64 / 1e6),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latencies_are_told_in_their_own_unit() {
        assert_eq!([999, 1500, 43_000, 2_500_000].map(micros), ["999 µs", "1.50 ms", "43 ms", "2.50 s"]);
    }
}
