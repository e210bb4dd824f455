//! Do logins slow down checks, and checks logins? The same schedule of introspection, quiet and while every thread of
//! the hash pool has work; then one login after another while introspection takes nine tenths of its capacity.
//!
//! Quiet and storm are a pair of neighbours each round, now one first and now the other, and what counts is the ratio of
//! each pair: what else the machine does changes slowly and meets both. A ratio of all rounds put together would be that
//! of their worst moments. The generator's threads run before all others where that is permitted, as if they were on another
//! machine; logins come from a thread of their own that gives way (`super::hashes`). How late the generator sent, and what
//! it saw from sending on, stand beside what its callers waited: where they differ in the storm alone, the harness was in
//! its own way.

use std::time::Duration;

use crate::args::{Loop, Settings};
use crate::bench::{ABSENT, Bench};
use crate::fault::Fault;
use crate::figures::{Figures, Unit, median};
use crate::people::SignIn;
use crate::play::hashes::{Hashes, Pace, Source, Tally};
use crate::play::{capacity, settled};
use crate::progress::say;
use crate::report::{Outcome, Report};
use crate::run::load;
use crate::setup::{self, Prepared};
use crate::worker::Errand;

pub async fn play(settings: &Settings) -> Result<Report, Fault> {
    let bench = if settings.people.accounts.is_empty() { Bench::find(settings).await? } else { None };
    if settings.people.accounts.is_empty() && bench.is_none() {
        return Report::skipped(settings, format!("{ABSENT}; accounts do as well (--users FILE)"));
    }
    let prepared = setup::prepare(settings).await?;
    let (source, note) = match &bench {
        Some(bench) => (Source::bench(bench, &prepared.target)?, "Logins are hashes by /bench/hash."),
        None => {
            (Source::people(SignIn::prepare(settings).await?), "Logins are sign-ins of accounts, with a session each.")
        }
    };
    let settings = settled(settings, &prepared);
    let mut figures = Figures::default();
    let mut notes = vec![note.to_owned()];
    let (quiet, stormy) = alternate(&settings, &prepared, &source, &mut figures).await?;
    let ended_early = quiet.ended_early || stormy.ended_early;
    notes.push(pairs(&figures));
    notes.push(if quiet.is_first && stormy.is_first { FIRST } else { NOT_FIRST }.to_owned());
    let mut parts = vec![
        Report::new(&settings, quiet).titled("storm: introspection, quiet"),
        Report::new(&settings, stormy)
            .titled("storm: introspection while logins saturate the hash pool")
            .without_cpu_per_request(),
    ];
    if !ended_early {
        parts.push(logins_under_load(&settings, &prepared, &source, &mut figures, &mut notes).await?);
    }
    Ok(Report::of_parts(&settings, parts)?.with(figures, Vec::new(), notes))
}

/// Quiet and storm in turn, so that whatever else the machine does meets both.
async fn alternate(
    settings: &Settings,
    prepared: &Prepared,
    source: &Source,
    figures: &mut Figures,
) -> Result<(Outcome, Outcome), Fault> {
    let (mut quiet, mut stormy) = (None, None);
    for round in 0..settings.rounds {
        let (calm, storm, logins) = if round % 2 == 0 {
            let calm = load(settings, prepared, Errand::Request).await?;
            let (storm, logins) = in_storm(settings, prepared, source).await?;
            (calm, storm, logins)
        } else {
            let (storm, logins) = in_storm(settings, prepared, source).await?;
            (load(settings, prepared, Errand::Request).await?, storm, logins)
        };
        tell(figures, &calm, &storm, &logins);
        let early = calm.ended_early || storm.ended_early;
        for (whole, part) in [(&mut quiet, calm), (&mut stormy, storm)] {
            add(whole, part)?;
        }
        if early {
            break;
        }
    }
    let whole = |found: Option<Outcome>| found.map_or_else(Outcome::nothing, Ok);
    Ok((whole(quiet)?, whole(stormy)?))
}

fn add(whole: &mut Option<Outcome>, part: Outcome) -> Result<(), Fault> {
    if let Some(whole) = whole {
        return whole.merge(part);
    }
    *whole = Some(part);
    Ok(())
}

async fn in_storm(settings: &Settings, prepared: &Prepared, source: &Source) -> Result<(Outcome, Tally), Fault> {
    say(&format!("{} logins at once", settings.hash_clients));
    let hashes = Hashes::start(source, Pace::AtOnce(settings.hash_clients))?;
    let storm = load(settings, prepared, Errand::Request).await?;
    Ok((storm, hashes.stop().await?))
}

fn tell(figures: &mut Figures, calm: &Outcome, storm: &Outcome, logins: &Tally) {
    let service = |outcome: &Outcome, quantile| outcome.total.service.value_at_quantile(quantile) as f64;
    for (name, quantile) in [("p50", 0.5), ("p99", 0.99)] {
        let (before, under) = (calm.latency_us(quantile), storm.latency_us(quantile));
        figures.add(format!("introspection {name}, quiet"), Unit::Micros, before);
        figures.add(format!("introspection {name}, hash pool saturated"), Unit::Micros, under);
        figures.add_some(format!("introspection {name}, saturated to quiet"), Unit::Ratio, Some(under / before));
        let from_sending = service(storm, quantile) / service(calm, quantile);
        let told = format!("introspection {name} from sending, saturated to quiet");
        figures.add_some(told, Unit::Ratio, Some(from_sending));
    }
    for (when, outcome) in [("quiet", calm), ("hash pool saturated", storm)] {
        let late = outcome.total.lateness.value_at_quantile(0.99) as f64;
        figures.add(format!("sent late by the generator p99, {when}"), Unit::Micros, late);
    }
    figures.add("errors of introspection in the storm", Unit::Count, storm.total.measured.failed() as f64);
    figures.add("logins finished", Unit::PerSecond, logins.finished as f64 / logins.seconds.max(0.001));
    figures.add("logins refused (503)", Unit::Count, logins.refused as f64);
    figures.add("refusals without Retry-After", Unit::Count, logins.refused_without_retry_after as f64);
    figures.add("logins failed otherwise", Unit::Count, logins.failed as f64);
    figures.add("login p99 in the storm", Unit::Micros, logins.waited_us.value_at_quantile(0.99) as f64);
}

/// The ratio that the target is about, of each round.
fn pairs(figures: &Figures) -> String {
    let mut ratios = figures.rounds("introspection p99, saturated to quiet").to_vec();
    let each: Vec<String> = ratios.iter().map(|ratio| format!("{ratio:.2}")).collect();
    ratios.sort_by(f64::total_cmp);
    let quarter = |part: usize| ratios.get((ratios.len() * part / 4).min(ratios.len().saturating_sub(1)));
    let [low, high] = [1, 3].map(|part| quarter(part).copied().unwrap_or(0.0));
    let median = median(&ratios);
    format!(
        "Introspection p99, saturated to quiet, round by round: {}; median {median:.2}, half of them from {low:.2} to {high:.2}.",
        each.join(", ")
    )
}

async fn logins_under_load(
    settings: &Settings,
    prepared: &Prepared,
    source: &Source,
    figures: &mut Figures,
    notes: &mut Vec<String>,
) -> Result<Report, Fault> {
    let capacity = capacity(settings, prepared).await?;
    let mut loaded = settings.clone();
    loaded.pace = Loop::Open { rate: (capacity * LOADED).round().max(1.0) };
    loaded.duration = settings.duration.max(LOADED_TIME_MIN);
    let hashes = Hashes::start(source, Pace::OneByOne)?;
    let outcome = load(&loaded, prepared, Errand::Request).await?;
    let logins = hashes.stop().await?;
    let within = 100.0 * logins.finished as f64 / logins.asked().max(1) as f64;
    figures.add("logins under 90 % load, finished within their deadline (%)", Unit::Count, within);
    figures.add("login p50 under 90 % load", Unit::Micros, logins.waited_us.value_at_quantile(0.5) as f64);
    figures.add("login longest under 90 % load", Unit::Micros, logins.waited_us.max() as f64);
    notes.push(format!(
        "At 90 % of {capacity:.0} introspections a second (a closed loop of {} x {}), {} of {} logins made one after \
         another finished within the server's deadline for them; {} were refused, {} failed otherwise.",
        settings.connections,
        settings.streams,
        logins.finished,
        logins.asked(),
        logins.refused,
        logins.failed
    ));
    let mut report =
        Report::new(&loaded, outcome).titled("storm: introspection at 90 % of capacity, a login at a time");
    report.settings.rounds = 1;
    Ok(report)
}

const FIRST: &str = "The generator's threads run before all others (SCHED_FIFO), in quiet and storm alike: a client on another \
                     machine does not wait for this machine's hash threads.";
const NOT_FIRST: &str = "The generator's threads had to wait for a core like anybody (SCHED_FIFO was refused): part of what the \
                         storm adds is their own waiting, which a client on another machine would not have.";
const LOADED: f64 = 0.9;
const LOADED_TIME_MIN: Duration = Duration::from_secs(6);
