//! Password sign-ins, one session each, or registrations: how many a second the hash pool finishes when somebody always
//! waits for it, and how long people wait at seven tenths of that. `--rate N` or `--closed` measures that alone.
//!
//! Each sign-in is one request to `POST /login` with a form that was opened before. The accounts take turns; sessions
//! above the target's limit for one person end the oldest, which is work of the target too. So are the letters that
//! registrations send.

use crate::args::{Loop, ScenarioName, Settings};
use crate::fault::Fault;
use crate::figures::{Figures, Unit};
use crate::play::rounds::repeat;
use crate::play::settled;
use crate::report::{Outcome, Report};
use crate::setup::{self, Prepared};
use crate::worker::Errand;

pub async fn play(settings: &Settings) -> Result<Report, Fault> {
    let prepared = setup::prepare(settings).await?;
    let settings = settled(settings, &prepared);
    let notes = match settings.scenario {
        ScenarioName::Login => vec![format!("{} accounts take turns.", settings.people.accounts.len())],
        _ => Vec::new(),
    };
    let mut figures = Figures::default();
    if settings.pace_is_given && settings.pace != Loop::Closed {
        let outcome = measure(&settings, &prepared, "open loop", &mut figures).await?;
        return Ok(Report::new(&settings, outcome).with(figures, Vec::new(), notes));
    }
    let closed = closed(&settings);
    let outcome = measure(&closed, &prepared, "closed loop", &mut figures).await?;
    let finished = outcome.rate_achieved();
    if settings.pace_is_given || outcome.ended_early || finished < 1.0 {
        return Ok(Report::new(&closed, outcome).with(figures, Vec::new(), notes));
    }
    let mut open = settings.clone();
    open.pace = Loop::Open { rate: (finished * LOADED).round().max(1.0) };
    let under = measure(&open, &prepared, "open loop", &mut figures).await?;
    let scenario = settings.scenario.label();
    let at_once = format!("{scenario}: closed loop, {} at once", closed.connections * closed.streams);
    let parts = vec![
        Report::new(&closed, outcome).titled(at_once),
        Report::new(&open, under).titled(format!("{scenario}: open loop, at 70 % of that")),
    ];
    Ok(Report::of_parts(&settings, parts)?.with(figures, Vec::new(), notes))
}

async fn measure(
    settings: &Settings,
    prepared: &Prepared,
    loop_name: &str,
    figures: &mut Figures,
) -> Result<Outcome, Fault> {
    let (outcome, told) = repeat(settings, prepared, Errand::Request).await?;
    let one = if settings.scenario == ScenarioName::Register { "registration" } else { "login" };
    for (name, shown, unit) in [
        ("right answers", format!("{one}s"), Unit::PerSecond),
        ("latency p50", format!("{one} p50"), Unit::Micros),
        ("latency p99", format!("{one} p99"), Unit::Micros),
        ("server CPU per request", format!("server CPU per {one}"), Unit::Micros),
    ] {
        told.rounds(name).iter().for_each(|value| figures.add(format!("{loop_name}: {shown}"), unit, *value));
    }
    Ok(outcome)
}

/// So many at once that the pool has work always, and never so many that it refuses.
fn closed(settings: &Settings) -> Settings {
    let mut closed = settings.clone();
    closed.pace = Loop::Closed;
    closed.spin = false;
    closed.connections = settings.connections.min(settings.hash_clients).max(settings.threads);
    closed.streams = settings.hash_clients.div_ceil(closed.connections).min(settings.streams);
    closed
}

const LOADED: f64 = 0.7;
