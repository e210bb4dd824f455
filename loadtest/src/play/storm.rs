//! Do logins slow down checks, and checks logins? The same schedule of introspection, quiet and while every thread of
//! the hash pool has work; then one login after another while introspection takes nine tenths of its capacity.

use std::time::Duration;

use crate::args::{Loop, Settings};
use crate::bench::{ABSENT, Bench};
use crate::fault::Fault;
use crate::figures::{Figures, Unit};
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
    let (mut quiet, mut stormy) = (Outcome::nothing()?, Outcome::nothing()?);
    for round in 0..settings.rounds {
        let calm = load(settings, prepared, Errand::Request).await?;
        say(&format!("{} logins at once", settings.hash_clients));
        let hashes = Hashes::start(source, Pace::AtOnce(settings.hash_clients))?;
        let storm = load(settings, prepared, Errand::Request).await?;
        tell(figures, &calm, &storm, &hashes.stop().await?);
        let early = calm.ended_early || storm.ended_early;
        if round == 0 {
            (quiet, stormy) = (calm, storm);
        } else {
            quiet.merge(calm)?;
            stormy.merge(storm)?;
        }
        if early {
            break;
        }
    }
    Ok((quiet, stormy))
}

fn tell(figures: &mut Figures, calm: &Outcome, storm: &Outcome, logins: &Tally) {
    for (name, quantile) in [("p50", 0.5), ("p99", 0.99)] {
        let (before, under) = (calm.latency_us(quantile), storm.latency_us(quantile));
        figures.add(format!("introspection {name}, quiet"), Unit::Micros, before);
        figures.add(format!("introspection {name}, hash pool saturated"), Unit::Micros, under);
        figures.add_some(format!("introspection {name}, saturated to quiet"), Unit::Ratio, Some(under / before));
    }
    figures.add("errors of introspection in the storm", Unit::Count, storm.total.measured.failed() as f64);
    figures.add("logins finished", Unit::PerSecond, logins.finished as f64 / logins.seconds.max(0.001));
    figures.add("logins refused (503)", Unit::Count, logins.refused as f64);
    figures.add("refusals without Retry-After", Unit::Count, logins.refused_without_retry_after as f64);
    figures.add("logins failed otherwise", Unit::Count, logins.failed as f64);
    figures.add("login p99 in the storm", Unit::Micros, logins.waited_us.value_at_quantile(0.99) as f64);
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

const LOADED: f64 = 0.9;
const LOADED_TIME_MIN: Duration = Duration::from_secs(6);
