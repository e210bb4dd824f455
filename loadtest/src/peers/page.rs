//! `compare.html`: one file, nothing loaded from elsewhere, no script.

use std::fmt::Write as _;

use crate::peers::tally::{Comparison, Figure};

pub fn page(comparison: &Comparison) -> String {
    let mut out = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <meta name=\"color-scheme\" content=\"light dark\"><title>SigID, nginx, h2o</title><style>{CSS}</style></head><body>\
         <h1>SigID beside nginx and h2o</h1><p>One worker each, in turn on one core, over TLS 1.3 and HTTP/2. CPU of the \
         server, from the scheduler; median of the rounds, least and greatest behind. Ratios are taken within a round.</p>"
    );
    ratios(comparison, &mut out);
    figures(comparison, &mut out);
    checks(comparison, &mut out);
    about(comparison, &mut out);
    out.push_str("</body></html>\n");
    out
}

fn ratios(comparison: &Comparison, out: &mut String) {
    out.push_str("<h2>Ratios</h2><table><tr><th>of<th>to<th>at<th>ratio<th>target");
    for ratio in &comparison.summary.ratios {
        let target = match ratio.at_most.zip(ratio.is_met()) {
            Some((most, true)) => format!("<td class=met>at most {most:.2}: met"),
            Some((most, false)) => format!("<td class=missed>at most {most:.2}: missed"),
            None => "<td>".to_owned(),
        };
        let [of, to, under] = [&ratio.of, &ratio.to, &ratio.under].map(|text| escaped(text));
        let _ = write!(out, "<tr><td>{of}<td>{to}<td>{under}<td>{}{target}", ratio.value.text(2));
    }
    out.push_str("</table>");
}

fn figures(comparison: &Comparison, out: &mut String) {
    out.push_str("<h2>Figures</h2><table><tr><th>what<th>at<th>value<th>unit<th>per second<th>server's core");
    let all = &comparison.summary.figures;
    // Bars compare what was measured under the same load.
    let longest = |under: &str| {
        let alike = all.iter().filter(|figure| figure.under == under);
        alike.map(|figure| figure.value.median).fold(f64::MIN_POSITIVE, f64::max)
    };
    for Figure { subject, under, unit, value, per_s, server_busy } in all {
        let per_s = per_s.map(|per_s| format!("{:.0}", per_s.median)).unwrap_or_default();
        let busy = server_busy.map(|busy| format!("{:.0} %", busy.median * 100.0)).unwrap_or_default();
        let _ = write!(
            out,
            "<tr><td>{}<td>{}<td><span class=bar style=\"width:{:.1}px\"></span>{}<td>{unit}<td>{per_s}<td>{busy}",
            escaped(subject),
            escaped(under),
            value.median / longest(under) * BAR_PX,
            value.text(2),
        );
    }
    out.push_str("</table>");
}

fn checks(comparison: &Comparison, out: &mut String) {
    out.push_str("<h2>Checked with h2load</h2>");
    if comparison.summary.checks.is_empty() {
        return out.push_str("<p>h2load was not installed.</p>");
    }
    out.push_str("<table><tr><th>what<th>at<th>CPU, h2load's over ours<th>throughput<th>");
    for check in &comparison.summary.checks {
        let class = if check.agrees() { "met" } else { "missed" };
        let verdict = format!("<td class={class}>{}", check.verdict());
        let (subject, under) = (escaped(&check.subject), escaped(&check.under));
        let _ =
            write!(out, "<tr><td>{subject}<td>{under}<td>{}<td>{}{verdict}", check.cpu.text(3), check.per_s.text(3));
    }
    out.push_str("</table>");
}

fn about(comparison: &Comparison, out: &mut String) {
    let about = &comparison.about;
    if !comparison.summary.doubts.is_empty() {
        out.push_str("<h2>Doubts</h2><ul>");
        for doubt in &comparison.summary.doubts {
            let _ = write!(out, "<li>{}", escaped(doubt));
        }
        out.push_str("</ul>");
    }
    let body =
        if about.nginx_reads_body { "reads the body of the POST first" } else { "answers the POST without reading it" };
    let _ = write!(
        out,
        "<h2>How</h2><p>{}, Linux {}, {} CPUs; servers on CPU {}, generator on CPU {}; {}; {} rounds of {} s; {} idle \
         connections. nginx {body}.</p><p>{}</p><p><code>{}</code></p>",
        escaped(&about.cpu),
        escaped(&about.kernel),
        about.cpus,
        about.server_core,
        about.generator_core,
        escaped(&about.cipher_suite),
        about.rounds,
        about.duration_s,
        about.idle_connections,
        escaped(&about.versions.join("; ")),
        escaped(&about.command),
    );
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

const BAR_PX: f64 = 160.0;
const CSS: &str = "body{font:15px/1.5 system-ui,sans-serif;max-width:72rem;margin:2rem auto;padding:0 1rem}\
table{border-collapse:collapse;font-variant-numeric:tabular-nums}td,th{padding:.2rem .7rem;text-align:left;\
border-bottom:1px solid #8884;white-space:nowrap}.met{color:#1a7f37}.missed{color:#cf222e}code{word-break:break-all}\
.bar{display:inline-block;height:.7em;margin-right:.5em;background:#4a7bd0}";
