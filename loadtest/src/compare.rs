//! `--compare A.json B.json`: B over A for each figure, after a warning for each setting in which they differ.
//! Reads any version of the report; a figure that one of them lacks is left out. A figure with a spread is held
//! against the range in which A said that a second run's should lie.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;

use serde_json::Value;

use crate::fault::Fault;

pub fn print(before: &Path, after: &Path) -> Result<u8, Fault> {
    let text = table(&load(before)?, &load(after)?);
    std::io::stdout().lock().write_all(text.as_bytes()).map_err(|e| Fault::local("stdout", e))?;
    Ok(0)
}

fn load(path: &Path) -> Result<Value, Fault> {
    let name = path.display().to_string();
    let text = std::fs::read_to_string(path).map_err(|e| Fault::local(&name, e))?;
    let report: Value = serde_json::from_str(&text).map_err(|e| Fault::local(&name, e))?;
    if report.pointer("/latency_us").is_none() {
        return Err(Fault::Refused(format!("{name} is not a report of this harness")));
    }
    Ok(report)
}

fn table(before: &Value, after: &Value) -> String {
    let mut out = String::new();
    for (name, pointer) in CONDITIONS {
        let (a, b) = (before.pointer(pointer), after.pointer(pointer));
        if a != b {
            let shown = |v: Option<&Value>| v.map_or_else(|| "absent".to_owned(), Value::to_string);
            let _ = writeln!(out, "differs: {name}: {} / {}", shown(a), shown(b));
        }
    }
    let _ = writeln!(out, "{:<26} {:>14} {:>14} {:>8}", "", "A", "B", "B/A");
    // The head of a report of many parts is that of its first.
    let is_whole = before.pointer("/parts/0").is_none();
    for (name, pointer) in FIGURES.into_iter().filter(|_| is_whole) {
        let number = |report: &Value| report.pointer(pointer).and_then(Value::as_f64);
        if let (Some(a), Some(b)) = (number(before), number(after)) {
            row(&mut out, name, a, b);
        }
    }
    row(&mut out, "errors", errors(before), errors(after));
    spreads(&mut out, before, after);
    out
}

/// The figures with a spread, part by part.
fn spreads(out: &mut String, before: &Value, after: &Value) {
    let list = |report: &'_ Value, pointer: &str| report.pointer(pointer).and_then(Value::as_array).cloned();
    let same = |a: &Value, b: &Value, by: &str| a.get(by).is_some() && a.get(by) == b.get(by);
    let theirs = list(after, "/figures").unwrap_or_default();
    let mut title = before.get("title").and_then(Value::as_str);
    for ours in list(before, "/figures").unwrap_or_default() {
        let Some(other) = theirs.iter().find(|other| same(&ours, other, "name")) else { continue };
        if let Some(title) = title.take() {
            let _ = writeln!(out, "\n{title}");
        }
        spread(out, &ours, other);
    }
    let parts = list(after, "/parts").unwrap_or_default();
    for ours in list(before, "/parts").unwrap_or_default() {
        if let Some(other) = parts.iter().find(|other| same(&ours, other, "title")) {
            spreads(out, &ours, other);
        }
    }
}

fn spread(out: &mut String, ours: &Value, theirs: &Value) {
    let number = |value: &Value, pointer: &str| value.pointer(pointer).and_then(Value::as_f64);
    let (Some(a), Some(b)) = (number(ours, "/median"), number(theirs, "/median")) else { return };
    let name = ours.get("name").and_then(Value::as_str).unwrap_or_default();
    let unit = ours.get("unit").and_then(Value::as_str).unwrap_or_default();
    let verdict = match (number(ours, "/expected/0"), number(ours, "/expected/1")) {
        (Some(low), Some(high)) if (low..=high).contains(&b) => "as expected",
        (Some(low), Some(_)) if b < low => "below what A expected",
        (Some(_), Some(_)) => "above what A expected",
        _ => "",
    };
    let ratio = if a == 0.0 { "-".to_owned() } else { format!("{:.3}", b / a) };
    let _ =
        writeln!(out, "  {:<64} {:>12} {:>12} {ratio:>8}  {verdict}", format!("{name}, {unit}"), shown(a), shown(b));
}

fn row(out: &mut String, name: &str, a: f64, b: f64) {
    let ratio = if a == 0.0 { "-".to_owned() } else { format!("{:.3}", b / a) };
    let _ = writeln!(out, "{name:<26} {:>14} {:>14} {ratio:>8}", shown(a), shown(b));
}

fn shown(value: f64) -> String {
    if value.fract() == 0.0 { format!("{value:.0}") } else { format!("{value:.3}") }
}

fn errors(report: &Value) -> f64 {
    let kinds = report.pointer("/errors").and_then(Value::as_object);
    kinds.map_or(0.0, |kinds| kinds.values().filter_map(Value::as_f64).fold(0.0, |a, b| a + b))
}

/// What must be equal for the ratios to mean something.
const CONDITIONS: [(&str, &str); 12] = [
    ("scenario", "/scenario"),
    ("loop", "/settings/loop"),
    ("connections", "/settings/connections"),
    ("streams", "/settings/streams"),
    ("threads", "/settings/threads"),
    ("mix", "/settings/mix"),
    ("tokens", "/settings/tokens"),
    ("auth", "/settings/auth"),
    ("machine", "/machine/cpu"),
    ("cpus", "/machine/cpus"),
    ("tls", "/versions/tls"),
    ("generator is the limit", "/generator/is_the_limit"),
];

const FIGURES: [(&str, &str); 13] = [
    ("requests", "/requests"),
    ("rate offered /s", "/rate_offered"),
    ("rate achieved /s", "/rate_achieved"),
    ("latency p50 us", "/latency_us/p50"),
    ("latency p90 us", "/latency_us/p90"),
    ("latency p99 us", "/latency_us/p99"),
    ("latency p99.9 us", "/latency_us/p999"),
    ("latency max us", "/latency_us/max"),
    ("service p50 us", "/service_us/p50"),
    ("service p99 us", "/service_us/p99"),
    ("server CPU us/request", "/server/cpu_us_per_request"),
    ("server RSS max bytes", "/server/rss_bytes_max"),
    ("feed age max s", "/feed_age_s_max"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn ratios_are_of_b_to_a() {
        let report = |p50: u64, cpu: Value, errors: Value| json!({ "latency_us": { "p50": p50 }, "server": { "cpu_us_per_request": cpu }, "errors": errors });
        let text =
            table(&report(200, json!(3.0), json!({})), &report(100, json!(4.5), json!({ "timeout": 2, "reset": 1 })));
        let ratio = |name: &str| {
            text.lines().find(|l| l.starts_with(name)).and_then(|l| l.split_whitespace().last()).unwrap().to_owned()
        };
        assert_eq!(ratio("latency p50"), "0.500");
        assert_eq!(ratio("server CPU"), "1.500");
        assert!(text.lines().any(|l| l.split_whitespace().eq(["errors", "0", "3", "-"])), "{text}");
        assert_eq!(ratio("errors"), "-", "from none to three has no ratio");
        assert!(!text.contains("feed age"), "what neither has is not shown");
        assert!(!text.contains("differs"), "{text}");
    }

    #[test]
    fn different_conditions_are_named_first() {
        let report = |streams: u64| json!({ "latency_us": {}, "settings": { "streams": streams } });
        let text = table(&report(32), &report(1));
        assert!(text.starts_with("differs: streams: 32 / 1\n"), "{text}");
    }

    #[test]
    fn a_null_figure_is_left_out() {
        let none = json!({ "latency_us": {}, "server": { "cpu_us_per_request": null } });
        assert!(!table(&none, &none).contains("server CPU"));
    }

    #[test]
    fn a_second_run_is_held_against_what_the_first_expected() {
        let report = |median: f64| {
            json!({ "latency_us": {}, "parts": [{ "title": "storm", "figures": [
                { "name": "p99 ratio", "unit": "ratio", "median": median, "expected": [0.9, 1.3] }] }] })
        };
        let line = |b: f64| {
            let text = table(&report(1.0), &report(b));
            text.lines().find(|l| l.contains("p99 ratio")).unwrap().to_owned()
        };
        assert!(line(1.2).ends_with("1.200  as expected"), "{}", line(1.2));
        assert!(line(1.4).ends_with("above what A expected"));
        assert!(line(0.5).ends_with("below what A expected"));
        assert!(table(&report(1.0), &report(1.0)).contains("\nstorm\n"));
    }

    #[test]
    fn a_whole_report_compares_with_itself_as_one() {
        let report = serde_json::to_value(crate::report::tests::report()).unwrap();
        let text = table(&report, &report);
        let ratios: Vec<&str> = text.lines().skip(1).filter_map(|l| l.split_whitespace().last()).collect();
        assert_eq!(ratios, vec!["1.000"; 14], "{text}");
    }
}
