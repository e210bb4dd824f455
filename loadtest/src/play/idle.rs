//! What a connection costs that does nothing: the growth of the server's RSS by a batch of connections, untouched, and
//! after one request on each. Batches pile up and none is closed, because an allocator that keeps what was freed would
//! make every batch after the first look free. Kernel memory (socket buffers) is not in RSS.

use std::time::Duration;

use crate::args::Settings;
use crate::client::{Requests, Target};
use crate::fault::Fault;
use crate::figures::{Figures, Unit};
use crate::http1::Broken;
use crate::plot::{Line, Plot, X, Y};
use crate::procfs;
use crate::progress::say;
use crate::record::Kind;
use crate::report::Report;
use crate::run::{Observed, observe};
use crate::scenario::Scenario;
use crate::server::Server;
use crate::setup;

/// Connections, and the server's memory with them: untouched, and used once.
struct Batch {
    connections: usize,
    before_bytes: u64,
    untouched_bytes: u64,
    used_bytes: u64,
}

pub async fn play(settings: &Settings) -> Result<Report, Fault> {
    let mut settings = settings.clone();
    settings.tokens = 1;
    let prepared = setup::prepare(&settings).await?;
    let Some(server) = Server::find(&settings.server_pid, prepared.target.address()) else {
        return Report::skipped(&settings, "the server's process is not on this machine, or cannot be seen".to_owned());
    };
    let scenario = prepared.scenario(settings.seed, 0);
    let (target, rounds, each) = (prepared.target.clone(), settings.rounds, settings.connections);
    let work = move |observed| batches(observed, target, scenario, server, rounds, each);
    let (outcome, found) = observe(&settings, &prepared, None, work).await?;
    let notes = vec![
        format!(
            "Batches of {each} connections, {rounds} of them, none closed before the end. Untouched: TLS and the first words of HTTP have been exchanged, no request was made."
        ),
        "Requests and latencies above are the one request on each connection.".to_owned(),
    ];
    let report = Report::new(&settings, outcome).without_cpu_per_request();
    Ok(report.with(figures(&found), vec![drawing(&found)], notes))
}

async fn batches(
    observed: Observed,
    target: Target,
    mut scenario: Scenario,
    server: Server,
    rounds: usize,
    each: usize,
) -> Result<Vec<Batch>, Fault> {
    let mut held: Vec<Requests> = Vec::new();
    let mut found = Vec::new();
    // What the first connections load into memory is no connection's own.
    open(&observed, &target, &mut held, WARMING).await;
    ask(&observed, &mut scenario, &mut held).await;
    for _ in 0..rounds {
        let before_bytes = settle(Some(&server)).await.unwrap_or(0);
        let already = held.len();
        open(&observed, &target, &mut held, each).await;
        let opened = held.len() - already;
        let untouched_bytes = settle(Some(&server)).await.unwrap_or(0);
        ask(&observed, &mut scenario, held.get_mut(already..).unwrap_or_default()).await;
        let used_bytes = settle(Some(&server)).await.unwrap_or(0);
        say(&format!("{} connections: {} MiB", held.len(), used_bytes >> 20));
        if opened < each {
            return Err(Fault::Refused(format!("only {opened} of {each} connections could be made")));
        }
        found.push(Batch { connections: opened, before_bytes, untouched_bytes, used_bytes });
    }
    Ok(found)
}

async fn open(observed: &Observed, target: &Target, held: &mut Vec<Requests>, count: usize) {
    for _ in 0..count {
        match target.connect().await {
            Ok(connected) => {
                observed.note_link(|links| links.opened += 1);
                let noted = observed.clone();
                tokio::task::spawn_local(async move {
                    let ended = connected.wire.await;
                    if !noted.is_over() {
                        noted.note_link(|links| {
                            links.lost += 1;
                            links.why = ended.err();
                        });
                    }
                });
                held.push(connected.requests);
            }
            Err((kind, why)) => {
                observed.record(observed.clock.now_ns(), Err(kind));
                observed.note_link(|links| {
                    links.failed += 1;
                    links.why = Some(why);
                });
            }
        }
    }
}

async fn ask(observed: &Observed, scenario: &mut Scenario, connections: &mut [Requests]) {
    for requests in connections {
        let from_ns = observed.clock.now_ns();
        let shot = scenario.aim();
        let request = scenario.template().with(&shot.body);
        let answered = async {
            requests.ready().await?;
            requests.exchange(request, shot.body).await
        };
        let outcome = match answered.await {
            Ok(answer) => scenario.judge(&shot.expect, answer.status, &answer.body),
            Err(Broken::NotTaken | Broken::Failed(_)) => Err(Kind::Reset),
        };
        observed.record(from_ns, outcome);
    }
}

/// The server's memory once it moves no more.
pub async fn settle(server: Option<&Server>) -> Option<u64> {
    let pids = server?.pids();
    let rss = || pids.iter().filter_map(|pid| procfs::rss_bytes(*pid)).sum::<u64>();
    let mut last = rss();
    for _ in 0..SETTLE_LOOKS {
        tokio::time::sleep(SETTLE_PAUSE).await;
        let now = rss();
        if now.abs_diff(last) < STILL_BYTES {
            return Some(now);
        }
        last = now;
    }
    Some(last)
}

fn figures(found: &[Batch]) -> Figures {
    let mut figures = Figures::default();
    for batch in found {
        let each = |bytes: u64| (bytes as f64 - batch.before_bytes as f64) / batch.connections.max(1) as f64;
        figures.add("memory per connection, untouched", Unit::Bytes, each(batch.untouched_bytes));
        figures.add("memory per connection, after one request", Unit::Bytes, each(batch.used_bytes));
    }
    figures
}

fn drawing(found: &[Batch]) -> Plot {
    let mut points = Vec::new();
    let mut connections = WARMING;
    for batch in found {
        points.push((connections as f64, Some(batch.before_bytes as f64)));
        connections += batch.connections;
        points.push((connections as f64, Some(batch.used_bytes as f64)));
    }
    let line = Line { name: "RSS".into(), class: "a", points };
    Plot {
        title: "Server memory (RSS) by connections, each used once".into(),
        x: X::Number,
        y: Y::Bytes,
        lines: vec![line],
    }
}

const WARMING: usize = 32;
const SETTLE_PAUSE: Duration = Duration::from_millis(250);
const SETTLE_LOOKS: usize = 12;
const STILL_BYTES: u64 = 64 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_batch_is_held_against_what_was_there_before_it() {
        let batch = |before_bytes, untouched_bytes, used_bytes| Batch {
            connections: 100,
            before_bytes,
            untouched_bytes,
            used_bytes,
        };
        let told = figures(&[batch(1000, 2000, 3000), batch(3000, 4200, 5400)]).done();
        assert_eq!((told[0].min, told[0].max), (10.0, 12.0));
        assert_eq!((told[1].min, told[1].max), (20.0, 24.0));
        assert_eq!(drawing(&[batch(1, 2, 3)]).lines[0].points, [(32.0, Some(1.0)), (132.0, Some(3.0))]);
    }
}
