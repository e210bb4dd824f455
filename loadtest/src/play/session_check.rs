//! What a proxy asks for each request, held against what an API asks: session checks and introspections by the same
//! schedule, in turn, so that whatever else the machine does meets both.
//!
//! Both are answered from what the target has seen before. Each generator thread sends one account's cookie; the
//! introspected tokens are `--tokens` of them.

use crate::args::{ScenarioName, Settings};
use crate::fault::Fault;
use crate::figures::{Figures, Unit};
use crate::play::settled;
use crate::report::{Outcome, Report};
use crate::run::load;
use crate::setup;
use crate::worker::Errand;

pub async fn play(settings: &Settings) -> Result<Report, Fault> {
    let prepared = setup::prepare(settings).await?;
    let settings = settled(settings, &prepared);
    let mut other = settings.clone();
    other.scenario = ScenarioName::Introspect;
    let tokens = setup::prepare(&other).await?;
    let mut figures = Figures::default();
    let (mut checks, mut introspections) = (Outcome::nothing()?, Outcome::nothing()?);
    for round in 0..settings.rounds {
        let check = load(&settings, &prepared, Errand::Request).await?;
        let introspection = load(&other, &tokens, Errand::Request).await?;
        tell(&mut figures, &check, &introspection);
        let early = check.ended_early || introspection.ended_early;
        if round == 0 {
            (checks, introspections) = (check, introspection);
        } else {
            checks.merge(check)?;
            introspections.merge(introspection)?;
        }
        if early {
            break;
        }
    }
    let parts = vec![
        Report::new(&settings, checks).titled("session-check: by the cookie of an application"),
        Report::new(&other, introspections).titled("session-check: introspection, for comparison"),
    ];
    Ok(Report::of_parts(&settings, parts)?.with(figures, Vec::new(), Vec::new()))
}

fn tell(figures: &mut Figures, check: &Outcome, introspection: &Outcome) {
    for (who, outcome) in [("session check", check), ("introspection", introspection)] {
        figures.add(format!("{who}: right answers"), Unit::PerSecond, outcome.rate_achieved());
        figures.add(format!("{who}: p50"), Unit::Micros, outcome.latency_us(0.5));
        figures.add(format!("{who}: p99"), Unit::Micros, outcome.latency_us(0.99));
        figures.add_some(format!("{who}: server CPU per request"), Unit::Micros, outcome.cpu_us_per_request());
    }
    let both = check.cpu_us_per_request().zip(introspection.cpu_us_per_request());
    let ratio = both.filter(|(_, other)| *other > 0.0).map(|(check, other)| check / other);
    figures.add_some("session check to introspection, server CPU", Unit::Ratio, ratio);
}
