//! One kind of load, as often as there are rounds: `introspect` and `issue`, and the steps of other scenarios.

use crate::args::Settings;
use crate::fault::Fault;
use crate::figures::{Figures, Unit};
use crate::play::settled;
use crate::report::{Outcome, Report};
use crate::run::load;
use crate::setup::{self, Prepared};
use crate::worker::Errand;

pub async fn play(settings: &Settings) -> Result<Report, Fault> {
    let prepared = setup::prepare(settings).await?;
    let settings = settled(settings, &prepared);
    let (outcome, figures) = repeat(&settings, &prepared, Errand::Request).await?;
    Ok(Report::new(&settings, outcome).with(figures, Vec::new(), Vec::new()))
}

/// All rounds together, and each one's figures.
pub async fn repeat(settings: &Settings, prepared: &Prepared, errand: Errand) -> Result<(Outcome, Figures), Fault> {
    let mut figures = Figures::default();
    let mut whole: Option<Outcome> = None;
    for _ in 0..settings.rounds {
        let outcome = load(settings, prepared, errand).await?;
        tell(&mut figures, &outcome);
        let early = outcome.ended_early;
        match &mut whole {
            Some(whole) => whole.merge(outcome)?,
            None => whole = Some(outcome),
        }
        if early {
            break;
        }
    }
    Ok((whole.map_or_else(Outcome::nothing, Ok)?, figures))
}

fn tell(figures: &mut Figures, outcome: &Outcome) {
    figures.add("right answers", Unit::PerSecond, outcome.rate_achieved());
    figures.add("latency p50", Unit::Micros, outcome.latency_us(0.5));
    figures.add("latency p99", Unit::Micros, outcome.latency_us(0.99));
    figures.add("latency p99.9", Unit::Micros, outcome.latency_us(0.999));
    figures.add_some("server CPU per request", Unit::Micros, outcome.cpu_us_per_request());
}
