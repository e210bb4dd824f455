//! `report.html`: one file, nothing loaded from elsewhere, no script. What an engineer would put before a sceptic: the
//! figures, the plots they come from, the machine, the settings, the command, and whether the generator was the limit.

use std::fmt::Write as _;

use serde_json::Value;

use crate::args::Loop;
use crate::plot::{Line, Plot, X, Y, trimmed};
use crate::progress::micros;
use crate::report::{Point, Report};

pub fn page(report: &Report) -> String {
    let mut out = String::new();
    let title = format!("{} load: {}", scenario(report), report.settings.target);
    let _ = write!(
        out,
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <meta name=\"color-scheme\" content=\"light dark\"><title>{}</title><style>{CSS}</style></head><body><main>",
        escaped(&title)
    );
    head(report, &mut out);
    tiles(report, &mut out);
    verdicts(report, &mut out);
    plots(report, &mut out);
    tables(report, &mut out);
    seconds(report, &mut out);
    out.push_str("</main></body></html>\n");
    out
}

/// Text for an element or a quoted attribute.
pub fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            _ => out.push(c),
        }
    }
    out
}

fn scenario(report: &Report) -> String {
    text_of(&report.scenario)
}

/// The JSON spelling of a small value, without the quotes of a string.
fn text_of(value: &impl serde::Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(Value::String(text)) => text,
        Ok(value) => value.to_string(),
        Err(_) => String::new(),
    }
}

fn head(report: &Report, out: &mut String) {
    let pace = match report.settings.pace {
        Loop::Open { rate } => format!("open loop, {} requests per second", trimmed(rate)),
        Loop::Closed => "closed loop".to_owned(),
    };
    let early = if report.ended_early { ", <strong>ended early</strong>" } else { "" };
    let _ = write!(
        out,
        "<header><h1>{} <span>{}</span></h1><p>{pace}; {} connections of {} streams; {} s measured after {} s of warm-up{early}; {}</p></header>",
        escaped(&scenario(report)),
        escaped(&report.settings.target.to_string()),
        report.settings.connections,
        report.settings.streams,
        trimmed(report.duration_s),
        trimmed(report.settings.warmup.as_secs_f64()),
        report.started_at,
    );
}

fn tiles(report: &Report, out: &mut String) {
    let latency = &report.latency_us;
    let errors: u64 = report.errors.values().sum();
    let mut tiles = vec![
        ("p50", micros(latency.p50), "of the latency, from the due moment".to_owned()),
        ("p99", micros(latency.p99), format!("p99.9 {}", micros(latency.p999))),
        ("maximum", micros(latency.max), format!("mean {}", micros(latency.mean as u64))),
        (
            "right answers",
            format!("{}/s", trimmed(report.rate_achieved.round())),
            format!("offered {}/s", trimmed(report.rate_offered.round())),
        ),
        ("errors", trimmed(errors as f64), format!("of {} requests", trimmed(report.requests as f64))),
    ];
    if let Some(us) = report.server.cpu_us_per_request {
        let cores = report.server.cpu_cores.unwrap_or_default();
        tiles.push(("server CPU per request", format!("{us:.2} µs"), format!("{cores:.2} cores")));
    }
    if let Some(rss) = report.server.rss_bytes_max {
        tiles.push((
            "server RSS, largest",
            mebibytes(rss),
            report.server.rss_bytes_first.map_or_else(String::new, |first| format!("at first {}", mebibytes(first))),
        ));
    }
    out.push_str("<section class=\"tiles\">");
    for (name, value, more) in tiles {
        let bad = if name == "errors" && errors > 0 { " bad" } else { "" };
        let _ = write!(
            out,
            "<div class=\"tile{bad}\"><h2>{name}</h2><b>{}</b><small>{}</small></div>",
            escaped(&value),
            escaped(&more)
        );
    }
    out.push_str("</section>");
}

fn verdicts(report: &Report, out: &mut String) {
    let class = if report.generator.is_the_limit { "note warn" } else { "note" };
    let _ = write!(out, "<p class=\"{class}\">{}", escaped(&report.generator.sentence()));
    let queued = report.generator.queued_share;
    if queued > 0.001 && !matches!(report.settings.pace, Loop::Closed) {
        let _ = write!(
            out,
            " {} % of requests found every stream busy when they were due; their waiting is part of the latency.",
            trimmed((queued * 10_000.0).round() / 100.0)
        );
    }
    out.push_str("</p>");
    if let Some(wait) = report.server.cpu_wait_cores.filter(|wait| *wait > SERVER_WAIT_TOLD) {
        let wait = trimmed((wait * 100.0).round() / 100.0);
        let _ = write!(
            out,
            "<p class=\"note warn\">The server's threads were ready to run without a core for {wait} s of every second: \
             latency holds what other work on this machine took from them.</p>"
        );
    }
    if !report.errors.is_empty() {
        let mut kinds: Vec<String> =
            report.errors.iter().map(|(kind, n)| format!("{kind} {}", trimmed(*n as f64))).collect();
        kinds.extend(
            report.wrong_answers.iter().map(|(kind, n)| format!("of the wrong ones {kind} {}", trimmed(*n as f64))),
        );
        let _ = write!(out, "<p class=\"note warn\">Errors: {}.</p>", escaped(&kinds.join(", ")));
    }
}

fn plots(report: &Report, out: &mut String) {
    out.push_str("<section class=\"plots\">");
    out.push_str(&percentile_plot(report).svg());
    out.push_str(&latency_plot(report).svg());
    out.push_str(&throughput_plot(report).svg());
    out.push_str(&cpu_plot(report).svg());
    out.push_str(&memory_figure(report));
    out.push_str(&feed_figure(report));
    out.push_str("</section>");
}

fn memory_figure(report: &Report) -> String {
    let title = "Server memory (RSS)";
    if let Some(why) = report.server.unmeasured {
        return missing_figure(title, why);
    }
    let rss = over_time(report, "RSS", "a", |p| p.server_rss_bytes.map(|b| b as f64));
    Plot { title, x: X::Time, y: Y::Bytes, lines: vec![rss] }.svg()
}

fn feed_figure(report: &Report) -> String {
    let title = "Feed age: how old the server's news is, worst of each second";
    if report.feed_age_s_max.is_none() {
        return missing_figure(title, "no --metrics-url was given, or sigid_feed_age_seconds is not there");
    }
    let age = over_time(report, "feed age", "a", |p| p.feed_age_s);
    Plot { title, x: X::Time, y: Y::Seconds, lines: vec![age] }.svg()
}

fn missing_figure(title: &str, why: &str) -> String {
    let (title, why) = (escaped(title), escaped(why));
    format!("<figure><figcaption>{title}</figcaption><p class=\"small\">Not measured: {why}.</p></figure>")
}

fn percentile_plot(report: &Report) -> Plot {
    // Beyond one request in all there is nothing to see.
    let x_max = (report.requests.max(10) as f64).log10();
    let line = |name, class, curve: &[(f64, u64)]| Line {
        name,
        class,
        points: curve.iter().map(|(q, us)| (nines(*q).min(x_max), Some(*us as f64))).collect(),
    };
    Plot {
        title: "Latency by percentile",
        x: X::Nines,
        y: Y::LogMicros,
        lines: vec![
            line("from the due moment", "a", &report.latency_curve),
            line("from sending", "b", &report.service_curve),
        ],
    }
}

fn nines(quantile: f64) -> f64 {
    -(1.0 - quantile.min(1.0)).max(1e-12).log10()
}

fn latency_plot(report: &Report) -> Plot {
    let lines = vec![
        over_time(report, "maximum", "c", |p| p.max_us.map(|us| us as f64)),
        over_time(report, "p99", "b", |p| p.p99_us.map(|us| us as f64)),
        over_time(report, "p50", "a", |p| p.p50_us.map(|us| us as f64)),
    ];
    Plot { title: "Latency over time", x: X::Time, y: Y::LogMicros, lines }
}

fn throughput_plot(report: &Report) -> Plot {
    let mut lines = vec![
        over_time(report, "right answers", "a", |p| Some(p.right_per_s)),
        over_time(report, "errors", "bad", |p| Some(p.errors_per_s)),
    ];
    if let Loop::Open { rate } = report.settings.pace {
        lines.insert(
            0,
            Line { name: "offered", class: "ref", points: vec![(0.0, Some(rate)), (report.duration_s, Some(rate))] },
        );
    }
    Plot { title: "Requests per second", x: X::Time, y: Y::Number, lines }
}

fn cpu_plot(report: &Report) -> Plot {
    let mut lines = vec![over_time(report, "generator", "c", |p| Some(p.generator_cores))];
    if report.server.unmeasured.is_none() {
        lines.insert(0, over_time(report, "server", "a", |p| p.server_cores));
        return Plot { title: "CPU, in cores", x: X::Time, y: Y::Number, lines };
    }
    Plot { title: "CPU of the generator, in cores", x: X::Time, y: Y::Number, lines }
}

fn over_time(report: &Report, name: &'static str, class: &'static str, value: impl Fn(&Point) -> Option<f64>) -> Line {
    Line { name, class, points: report.series.iter().map(|p| (p.t_s, value(p))).collect() }
}

fn tables(report: &Report, out: &mut String) {
    out.push_str("<section class=\"tables\">");
    let row = |name: &str, us: &crate::report::Percentiles| {
        let cells: String = [us.min, us.mean as u64, us.p50, us.p90, us.p99, us.p999, us.p9999, us.max]
            .map(|v| format!("<td>{}</td>", micros(v)))
            .concat();
        format!("<tr><th>{name}</th>{cells}</tr>")
    };
    let _ = write!(
        out,
        "<div class=\"wide\"><h2>Latency</h2><table class=\"numbers\"><tr><td></td><th>min</th><th>mean</th><th>p50</th><th>p90</th><th>p99</th><th>p99.9</th><th>p99.99</th><th>max</th></tr>{}{}</table>\
         <p class=\"small\">Every request has a moment at which it is due, fixed before the run; latency counts from there, waiting for a free stream included. \
         Right answers and timeouts are timed; other errors are counted.</p></div>",
        row("from due", &report.latency_us),
        row("from sending", &report.service_us)
    );
    let machine = &report.machine;
    pairs(
        "Machine",
        &[
            ("CPU", machine.cpu.clone()),
            ("CPUs", machine.cpus.to_string()),
            ("memory", mebibytes(machine.memory_bytes)),
            ("kernel", machine.kernel.clone()),
        ],
        out,
    );
    let mut versions: Vec<(&str, String)> =
        report.versions.iter().map(|(name, version)| (*name, version.clone())).collect();
    versions.extend(report.server.processes.iter().map(|process| ("server process", process.clone())));
    pairs("Versions", &versions, out);
    let connections = &report.connections;
    pairs(
        "Connections",
        &[
            ("opened", connections.opened.to_string()),
            ("lost", connections.lost.to_string()),
            ("failed attempts", connections.failed_attempts.to_string()),
            ("last reason", connections.last_reason.clone().unwrap_or_else(|| "-".to_owned())),
        ],
        out,
    );
    settings(report, out);
    let _ = write!(out, "<div class=\"wide\"><h2>Command</h2><pre>{}</pre></div></section>", escaped(&report.command));
}

fn settings(report: &Report, out: &mut String) {
    let Ok(Value::Object(settings)) = serde_json::to_value(&report.settings) else { return };
    out.push_str("<div class=\"wide\"><h2>Settings</h2><dl>");
    for (name, value) in settings {
        let value = plain(&value);
        if !value.is_empty() {
            let _ = write!(out, "<div><dt>{}</dt><dd>{}</dd></div>", escaped(&name), escaped(&value));
        }
    }
    out.push_str("</dl></div>");
}

/// A setting without the marks of JSON; empty when it says nothing.
fn plain(value: &Value) -> String {
    match value {
        Value::Null | Value::Bool(false) => String::new(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Number(number) => number.as_f64().map_or_else(|| number.to_string(), trimmed),
        Value::String(text) => text.clone(),
        Value::Array(values) => values.iter().map(Value::to_string).collect::<Vec<_>>().join(", "),
        Value::Object(values) => {
            let told = values.iter().filter(|(_, v)| v.as_f64() != Some(0.0));
            told.map(|(name, v)| format!("{name} {}", plain(v))).collect::<Vec<_>>().join(", ")
        }
    }
}

fn pairs(title: &str, rows: &[(&str, String)], out: &mut String) {
    let _ = write!(out, "<div><h2>{title}</h2><table>");
    for (name, value) in rows {
        let _ = write!(out, "<tr><th>{}</th><td>{}</td></tr>", escaped(name), escaped(value));
    }
    out.push_str("</table></div>");
}

fn seconds(report: &Report, out: &mut String) {
    out.push_str(
        "<details><summary>Every second in figures</summary><table class=\"numbers\"><tr><th>s</th><th>right/s</th><th>errors/s</th><th>p50</th><th>p99</th><th>max</th>\
         <th>server cores</th><th>server RSS</th><th>generator cores</th><th>feed age</th></tr>",
    );
    for p in &report.series {
        let us = |v: Option<u64>| v.map_or_else(|| "-".to_owned(), micros);
        let number = |v: Option<f64>| v.map_or_else(|| "-".to_owned(), trimmed);
        let cells = [
            trimmed(p.t_s),
            trimmed(p.right_per_s.round()),
            trimmed(p.errors_per_s.round()),
            us(p.p50_us),
            us(p.p99_us),
            us(p.max_us),
            number(p.server_cores),
            p.server_rss_bytes.map_or_else(|| "-".to_owned(), mebibytes),
            trimmed(p.generator_cores),
            number(p.feed_age_s),
        ];
        let _ = write!(out, "<tr>{}</tr>", cells.map(|c| format!("<td>{c}</td>")).concat());
    }
    out.push_str("</table></details>");
}

fn mebibytes(bytes: u64) -> String {
    format!("{} MiB", trimmed((bytes as f64 / 104_857.6).round() / 10.0))
}

/// Seconds of waiting for a core, per second, above which a reader should know.
const SERVER_WAIT_TOLD: f64 = 0.1;
const CSS: &str = include_str!("report.css");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_is_whole_safe_and_alone() {
        let page = page(&crate::report::tests::report());
        assert!(page.starts_with("<!doctype html>") && page.ends_with("</html>\n"));
        assert_eq!(page.matches("<svg").count(), 6);
        assert!(!page.contains("NaN") && !page.contains("<x>"), "the command's <x> is escaped");
        for outside in ["src=", "href=", "@import", "url(", "<script"] {
            assert!(!page.contains(outside), "{outside}");
        }
        assert!(!page.contains("hunter2"));
        assert!(page.contains("wrong_answer 10") && page.contains("not the limit"));
    }

    #[test]
    fn text_is_escaped() {
        assert_eq!(escaped("<a b='c'>\"&"), "&lt;a b=&#39;c&#39;&gt;&quot;&amp;");
    }
}
