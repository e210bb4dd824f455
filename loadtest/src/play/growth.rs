//! The hot set while everything around it grows: live tokens from a thousand to a million (ten with `--full`), clients
//! from ten to ten thousand (a hundred thousand). What is asked about stays the same thousand tokens; a server whose
//! tables are as good as they should be does not notice.

use std::time::Duration;

use crate::args::Settings;
use crate::bench::{ABSENT, Bench};
use crate::fault::Fault;
use crate::figures::{Figure, Figures, Unit};
use crate::play::rounds::repeat;
use crate::play::{closed_loop, idle::settle, settled};
use crate::plot::{Line, Plot, X, Y};
use crate::progress::say;
use crate::report::Report;
use crate::server::Server;
use crate::setup;
use crate::worker::Errand;

struct Step {
    tokens: u64,
    clients: u64,
}

/// What one step found.
struct Found {
    tokens: u64,
    rss_bytes: Option<u64>,
    figures: Vec<Figure>,
}

pub async fn play(settings: &Settings) -> Result<Report, Fault> {
    let Some(bench) = Bench::find(settings).await? else {
        return Report::skipped(settings, ABSENT.to_owned());
    };
    let prepared = setup::prepare(settings).await?;
    let settings = settled(settings, &prepared);
    let server = Server::find(&settings.server_pid, prepared.target.address());
    let (mut parts, mut found) = (Vec::new(), Vec::<Found>::new());
    let mut there = Step { tokens: settings.tokens as u64, clients: 1 };
    for step in STEPS.iter().take(if settings.full { STEPS.len() } else { STEPS.len() - 1 }) {
        say(&format!("growing to {} live tokens and {} clients", step.tokens, step.clients));
        bench.create_clients(step.clients.saturating_sub(there.clients)).await?;
        bench.mint(step.tokens.saturating_sub(there.tokens)).await?;
        there = Step { tokens: step.tokens.max(there.tokens), clients: step.clients.max(there.clients) };
        let rss_bytes = settle(server.as_ref()).await;
        let (outcome, mut figures) = repeat(&settings, &prepared, Errand::Request).await?;
        for _ in 0..settings.rounds {
            let busy = closed_loop(&settings, &prepared, BUSY).await?;
            figures.add_some(BUSY_CPU, Unit::Micros, busy.cpu_us_per_request());
            figures.add(BUSY_RATE, Unit::PerSecond, busy.rate_achieved());
        }
        let early = outcome.ended_early;
        let title = format!("growth: {} live tokens, {} clients", there.tokens, there.clients);
        let report = Report::new(&settings, outcome).titled(title).with(figures, Vec::new(), Vec::new());
        found.push(Found { tokens: there.tokens, rss_bytes, figures: report.figures.clone() });
        parts.push(report);
        if early {
            break;
        }
    }
    let notes = vec![format!(
        "Asked about are always the same {} live tokens. Those that were added are live and known to the server; they \
         were signed by the code that answers the token endpoint.",
        settings.tokens
    )];
    let whole = Report::of_parts(&settings, parts)?;
    Ok(whole.with(figures(&found), drawings(&found), notes))
}

fn figures(found: &[Found]) -> Figures {
    let mut figures = Figures::default();
    let (Some(first), Some(last)) = (found.first(), found.last()) else { return figures };
    for name in ["latency p50", "latency p99", BUSY_CPU, BUSY_RATE] {
        let rounds = |of: &Found| of.figures.iter().find(|f| f.name == name).map(|f| f.rounds.clone());
        // Round by round: the spread of the ratio is that of both.
        for (a, b) in rounds(first).unwrap_or_default().iter().zip(rounds(last).unwrap_or_default()) {
            figures.add_some(format!("{name}: {} tokens to {}", last.tokens, first.tokens), Unit::Ratio, Some(b / a));
        }
    }
    for pair in found.windows(2) {
        let [before, after] = pair else { continue };
        let added = after.tokens.saturating_sub(before.tokens);
        if let (Some(a), Some(b), true) = (before.rss_bytes, after.rss_bytes, added >= COUNTED_MIN) {
            let each = (b as f64 - a as f64) / added as f64;
            figures.add(format!("memory per token, {} to {}", before.tokens, after.tokens), Unit::Bytes, each);
        }
    }
    figures.add_some("RSS at the end", Unit::Bytes, last.rss_bytes.map(|b| b as f64));
    figures
}

fn drawings(found: &[Found]) -> Vec<Plot> {
    let at = |of: &Found| (of.tokens.max(1) as f64).log10();
    let line = |name: &'static str, class| Line {
        name: name.into(),
        class,
        points: found.iter().map(|of| (at(of), of.figures.iter().find(|f| f.name == name).map(|f| f.median))).collect(),
    };
    let memory = Line {
        name: "RSS".into(),
        class: "a",
        points: found.iter().map(|of| (at(of), of.rss_bytes.map(|b| b as f64))).collect(),
    };
    vec![
        Plot {
            title: "Latency of the hot set, by live tokens".into(),
            x: X::Decades,
            y: Y::LogMicros,
            lines: vec![line("latency p99", "b"), line("latency p50", "a")],
        },
        Plot {
            title: "Server CPU per request of the hot set, µs, closed loop, by live tokens".into(),
            x: X::Decades,
            y: Y::Number,
            lines: vec![line(BUSY_CPU, "a")],
        },
        Plot { title: "Server memory (RSS), by live tokens".into(), x: X::Decades, y: Y::Bytes, lines: vec![memory] },
    ]
}

const STEPS: [Step; 5] = [
    Step { tokens: 1_000, clients: 10 },
    Step { tokens: 10_000, clients: 100 },
    Step { tokens: 100_000, clients: 1_000 },
    Step { tokens: 1_000_000, clients: 10_000 },
    Step { tokens: 10_000_000, clients: 100_000 },
];
/// Below this many tokens their memory is lost in that of everything else.
const COUNTED_MIN: u64 = 50_000;
/// At a low rate a request's CPU is mostly that of waking up; a closed loop shows what the look-ups cost.
const BUSY: Duration = Duration::from_secs(2);
const BUSY_CPU: &str = "closed loop: server CPU per request";
const BUSY_RATE: &str = "closed loop: right answers";

#[cfg(test)]
#[allow(clippy::float_cmp, reason = "sums of few exact numbers")]
mod tests {
    use super::*;

    fn found(tokens: u64, rss_bytes: u64, cpu: [f64; 2]) -> Found {
        let mut figures = Figures::default();
        for value in cpu {
            figures.add(BUSY_CPU, Unit::Micros, value);
        }
        Found { tokens, rss_bytes: Some(rss_bytes), figures: figures.done() }
    }

    #[test]
    fn the_last_step_is_held_against_the_first_and_memory_against_the_step_before() {
        let steps = [
            found(1_000, 50_000_000, [2.0, 4.0]),
            found(10_000, 51_000_000, [9.0, 9.0]),
            found(110_000, 61_000_000, [2.2, 4.2]),
        ];
        let told = figures(&steps).done();
        let find = |name: &str| told.iter().find(|f| f.name == name).unwrap();
        let ratio = find("closed loop: server CPU per request: 110000 tokens to 1000");
        assert_eq!((ratio.min, ratio.max), (1.05, 1.1), "{told:?}");
        assert_eq!(find("memory per token, 10000 to 110000").median, 100.0);
        assert!(!told.iter().any(|f| f.name.contains("1000 to 10000")), "too few to tell");
    }
}
