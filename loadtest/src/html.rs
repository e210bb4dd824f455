//! `report.html`: one file, nothing loaded from elsewhere, no script. What an engineer would put before a sceptic: the
//! figures, the plots they come from, the machine, the settings, the command, and whether the generator was the limit.

use std::fmt::Write as _;

use serde_json::Value;

use crate::args::Loop;
use crate::figures::Figure;
use crate::plot::{Line, Plot, X, Y, trimmed};
use crate::progress::micros;
use crate::report::{Point, Report};

pub fn page(report: &Report) -> String {
    let mut out = String::new();
    let title = format!("{} load: {}", report.title, report.settings.target);
    let _ = write!(
        out,
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <meta name=\"color-scheme\" content=\"light dark\"><title>{}</title><style>{CSS}</style></head><body><main>",
        escaped(&title)
    );
    head(report, &mut out);
    if report.parts.is_empty() {
        measurement(report, &mut out);
    } else {
        notes(report, &mut out);
        overview(report, &mut out);
        for part in &report.parts {
            section(part, &mut out);
        }
    }
    tables(report, &mut out);
    out.push_str("</main></body></html>\n");
    out
}

/// One part of a larger report.
fn section(part: &Report, out: &mut String) {
    let _ = write!(out, "<section class=\"part\"><h2 class=\"title\">{}</h2>", escaped(&part.title));
    if part.parts.is_empty() {
        let _ = write!(out, "<p class=\"small\">{}</p>", escaped(&conditions(part)));
        measurement(part, out);
    } else {
        notes(part, out);
        figures(part, out);
        drawings(part, out);
        for inner in &part.parts {
            section(inner, out);
        }
    }
    out.push_str("</section>");
}

/// Everything that one measured load has to show.
fn measurement(report: &Report, out: &mut String) {
    notes(report, out);
    if report.skipped.is_some() || report.fault.is_some() {
        return;
    }
    tiles(report, out);
    verdicts(report, out);
    figures(report, out);
    drawings(report, out);
    plots(report, out);
    latencies(report, out);
    seconds(report, out);
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

fn head(report: &Report, out: &mut String) {
    let _ = write!(
        out,
        "<header><h1>{} <span>{}</span></h1><p>{}; {}</p></header>",
        escaped(&report.title),
        escaped(&report.settings.target.to_string()),
        escaped(&conditions(report)),
        report.started_at,
    );
    if report.ended_early {
        out.push_str("<p class=\"note warn\"><strong>Ended early.</strong></p>");
    }
}

/// How the load was made, in one line.
fn conditions(report: &Report) -> String {
    let settings = &report.settings;
    if !report.parts.is_empty() {
        return format!("{} measurements, {} s in all", report.parts.len(), trimmed(report.duration_s.round()));
    }
    let pace = match settings.pace {
        Loop::Open { rate } => format!("open loop, {} per second", trimmed(rate)),
        Loop::Closed => "closed loop".to_owned(),
    };
    let rounds = if settings.rounds > 1 { format!(" in {} rounds", settings.rounds) } else { String::new() };
    format!(
        "{pace}; {} connections of {} streams; {} s measured{rounds}",
        settings.connections,
        settings.streams,
        trimmed((report.duration_s * 10.0).round() / 10.0),
    )
}

fn notes(report: &Report, out: &mut String) {
    if let Some(why) = &report.skipped {
        let _ = write!(out, "<p class=\"note warn\">Skipped, nothing was measured: {}.</p>", escaped(why));
    }
    if let Some(why) = &report.fault {
        let _ = write!(out, "<p class=\"note warn\">Could not be measured: {}.</p>", escaped(why));
    }
    for note in &report.notes {
        let _ = write!(out, "<p class=\"note\">{}</p>", escaped(note));
    }
}

const FIGURES_HEAD: &str =
    "<th>figure</th><th>median</th><th>min</th><th>max</th><th>rounds</th><th>a second run should find</th></tr>";

fn figures(report: &Report, out: &mut String) {
    if report.figures.is_empty() {
        return;
    }
    let _ = write!(out, "<div class=\"card\"><table class=\"numbers figures\"><tr>{FIGURES_HEAD}");
    for figure in &report.figures {
        let _ = write!(out, "<tr>{}</tr>", figure_cells(figure));
    }
    out.push_str("</table></div>");
}

/// The figures of all parts, the first thing of a report of many.
fn overview(report: &Report, out: &mut String) {
    let _ = write!(out, "<div class=\"card\"><table class=\"numbers figures\"><tr>{FIGURES_HEAD}");
    overview_rows(report, out);
    out.push_str("</table><p class=\"small\">Two runs differ more than the rounds of one: the last column is wider than the rounds \
                  by their own width, and by a tenth of the median at least, on both sides.</p></div>");
}

fn overview_rows(report: &Report, out: &mut String) {
    for part in &report.parts {
        let _ = write!(out, "<tr><th colspan=\"6\" class=\"of\">{}</th></tr>", escaped(&part.title));
        for (what, why) in [("skipped", &part.skipped), ("could not be measured", &part.fault)] {
            if let Some(why) = why {
                let _ = write!(out, "<tr><td colspan=\"6\">{what}: {}</td></tr>", escaped(why));
            }
        }
        for figure in &part.figures {
            let _ = write!(out, "<tr>{}</tr>", figure_cells(figure));
        }
        if !part.errors.is_empty() {
            let _ = write!(out, "<tr><td>errors</td><td colspan=\"5\">{}</td></tr>", escaped(&errors(part)));
        }
    }
}

fn figure_cells(figure: &Figure) -> String {
    let show = |value: f64| escaped(&figure.unit.show(value));
    let expected =
        figure.expected.map_or_else(|| "-".to_owned(), |(low, high)| format!("{} to {}", show(low), show(high)));
    format!(
        "<td>{}</td><td><strong>{}</strong></td><td>{}</td><td>{}</td><td>{}</td><td>{expected}</td>",
        escaped(&figure.name),
        show(figure.median),
        show(figure.min),
        show(figure.max),
        figure.rounds.len(),
    )
}

fn drawings(report: &Report, out: &mut String) {
    if !report.drawings.is_empty() {
        let drawn: String = report.drawings.iter().map(Plot::svg).collect();
        let _ = write!(out, "<section class=\"plots\">{drawn}</section>");
    }
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
        let _ = write!(out, "<p class=\"note warn\">Errors: {}.</p>", escaped(&errors(report)));
    }
}

fn errors(report: &Report) -> String {
    let told = |(kind, n): (&&str, &u64)| format!("{kind} {}", trimmed(*n as f64));
    let mut kinds: Vec<String> = report.errors.iter().map(told).collect();
    kinds.extend(report.wrong_answers.iter().map(|wrong| format!("of the wrong ones {}", told(wrong))));
    kinds.join(", ")
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
    Plot { title: title.into(), x: X::Time, y: Y::Bytes, lines: vec![rss] }.svg()
}

fn feed_figure(report: &Report) -> String {
    let title = "Feed age: how old the server's news is, worst of each second";
    if report.feed_age_s_max.is_none() {
        return missing_figure(title, "no --metrics-url was given, or sigid_feed_age_seconds is not there");
    }
    let age = over_time(report, "feed age", "a", |p| p.feed_age_s);
    Plot { title: title.into(), x: X::Time, y: Y::Seconds, lines: vec![age] }.svg()
}

fn missing_figure(title: &str, why: &str) -> String {
    let (title, why) = (escaped(title), escaped(why));
    format!("<figure><figcaption>{title}</figcaption><p class=\"small\">Not measured: {why}.</p></figure>")
}

fn percentile_plot(report: &Report) -> Plot {
    // Beyond one request in all there is nothing to see.
    let x_max = (report.requests.max(10) as f64).log10();
    let line = |name: &'static str, class, curve: &[(f64, u64)]| Line {
        name: name.into(),
        class,
        points: curve.iter().map(|(q, us)| (nines(*q).min(x_max), Some(*us as f64))).collect(),
    };
    Plot {
        title: "Latency by percentile".into(),
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
    Plot { title: "Latency over time".into(), x: X::Time, y: Y::LogMicros, lines }
}

fn throughput_plot(report: &Report) -> Plot {
    let mut lines = vec![
        over_time(report, "right answers", "a", |p| Some(p.right_per_s)),
        over_time(report, "errors", "bad", |p| Some(p.errors_per_s)),
    ];
    if let Loop::Open { rate } = report.settings.pace {
        lines.insert(
            0,
            Line {
                name: "offered".into(),
                class: "ref",
                points: vec![(0.0, Some(rate)), (report.duration_s, Some(rate))],
            },
        );
    }
    Plot { title: "Requests per second".into(), x: X::Time, y: Y::Number, lines }
}

fn cpu_plot(report: &Report) -> Plot {
    let mut lines = vec![over_time(report, "generator", "c", |p| Some(p.generator_cores))];
    if report.server.unmeasured.is_none() {
        lines.insert(0, over_time(report, "server", "a", |p| p.server_cores));
        return Plot { title: "CPU, in cores".into(), x: X::Time, y: Y::Number, lines };
    }
    Plot { title: "CPU of the generator, in cores".into(), x: X::Time, y: Y::Number, lines }
}

fn over_time(report: &Report, name: &'static str, class: &'static str, value: impl Fn(&Point) -> Option<f64>) -> Line {
    Line { name: name.into(), class, points: report.series.iter().map(|p| (p.t_s, value(p))).collect() }
}

fn latencies(report: &Report, out: &mut String) {
    let row = |name: &str, us: &crate::report::Percentiles| {
        let cells: String = [us.min, us.mean as u64, us.p50, us.p90, us.p99, us.p999, us.p9999, us.max]
            .map(|v| format!("<td>{}</td>", micros(v)))
            .concat();
        format!("<tr><th>{name}</th>{cells}</tr>")
    };
    let _ = write!(
        out,
        "<div class=\"card\"><table class=\"numbers\"><tr><td></td><th>min</th><th>mean</th><th>p50</th><th>p90</th><th>p99</th><th>p99.9</th><th>p99.99</th><th>max</th></tr>{}{}</table>\
         <p class=\"small\">Every request has a moment at which it is due, fixed before the run; latency counts from there, waiting for a free stream included. \
         Right answers and timeouts are timed; other errors are counted.</p></div>",
        row("from due", &report.latency_us),
        row("from sending", &report.service_us)
    );
}

fn tables(report: &Report, out: &mut String) {
    out.push_str("<section class=\"tables\">");
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
         <th>server cores</th><th>server RSS</th><th>descriptors</th><th>generator cores</th><th>feed age</th></tr>",
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
            p.server_descriptors.map_or_else(|| "-".to_owned(), |n| n.to_string()),
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
