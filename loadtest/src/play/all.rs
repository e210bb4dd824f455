//! Every scenario in turn, each shortened, in one report. Ten minutes at most on two cores.

use std::time::{Duration, Instant};

use crate::args::{Loop, Mix, ScenarioName, Settings};
use crate::fault::Fault;
use crate::figures::Figures;
use crate::play::play_one;
use crate::progress::say;
use crate::report::Report;

/// One measurement of the whole: its title, and how its settings differ.
struct Part {
    title: &'static str,
    settings: Settings,
}

pub async fn play(settings: &Settings) -> Result<Report, Fault> {
    let begun = Instant::now();
    let parts = parts(settings);
    let count = parts.len();
    let mut reports: Vec<Report> = Vec::new();
    let mut notes = Vec::new();
    for (index, part) in parts.into_iter().enumerate() {
        say(&format!("\n[{}/{count}] {}", index + 1, part.title));
        match play_one(&part.settings).await {
            Ok(report) => reports.push(report.titled(part.title)),
            // The others are still worth having; the report says what is missing, and the exit code that it is.
            Err(fault) => {
                say(&format!("could not be measured: {fault}"));
                notes.push(format!("{} could not be measured: {fault}", part.title));
                reports.push(Report::failed(&part.settings, fault.to_string())?.titled(part.title));
            }
        }
        if reports.last().is_some_and(|report| report.ended_early) {
            break;
        }
    }
    notes.push(format!("The whole took {} s.", begun.elapsed().as_secs()));
    Ok(Report::of_parts(settings, reports)?.with(Figures::default(), Vec::new(), notes))
}

fn parts(settings: &Settings) -> Vec<Part> {
    let base = |scenario: ScenarioName| {
        let mut settings = settings.clone();
        settings.scenario = scenario;
        settings.warmup = settings.warmup.min(WARMUP);
        settings.pace_is_given = false;
        settings
    };
    let closed = |scenario, connections, streams| {
        let mut settings = base(scenario);
        (settings.pace, settings.connections, settings.streams) = (Loop::Closed, connections, streams);
        settings.spin = false;
        settings
    };
    let mut mixed = base(ScenarioName::Introspect);
    mixed.mix = mix(settings);
    let mut zipf = closed(ScenarioName::Introspect, 4, 32);
    (zipf.tokens, zipf.zipf) = (ZIPF_TOKENS, Some(1.0));
    let own = |scenario: ScenarioName| {
        let defaults = scenario.defaults();
        let mut settings = base(scenario);
        settings.pace = Loop::Open { rate: defaults.rate };
        settings.connections = defaults.connections;
        settings.rounds = settings.rounds.min(defaults.rounds);
        settings
    };
    let mut revoke = own(ScenarioName::RevokeToRefusal);
    revoke.duration = settings.duration * 4;
    let mut soak = own(ScenarioName::Soak);
    soak.duration = settings.duration * 15;
    vec![
        Part { title: "introspect: hot set of every kind of token, open loop", settings: mixed },
        Part { title: "introspect: hot set, closed loop, 4 x 32", settings: closed(ScenarioName::Introspect, 4, 32) },
        Part { title: "introspect: hot set, closed loop, 32 x 1", settings: closed(ScenarioName::Introspect, 32, 1) },
        Part { title: "introspect: Zipf over 20 000 tokens, closed loop, 4 x 32", settings: zipf },
        Part { title: "issue: closed loop, 4 x 8", settings: closed(ScenarioName::Issue, 4, 8) },
        Part { title: "revoke-to-refusal", settings: revoke },
        Part { title: "handshake", settings: own(ScenarioName::Handshake) },
        Part { title: "idle", settings: own(ScenarioName::Idle) },
        Part { title: "storm", settings: own(ScenarioName::Storm) },
        Part { title: "growth", settings: own(ScenarioName::Growth) },
        Part { title: "feed-loss", settings: own(ScenarioName::FeedLoss) },
        Part { title: "soak, shortened", settings: soak },
    ]
}

/// What was asked for; otherwise every kind, expired ones only where they can be had at once.
fn mix(settings: &Settings) -> Mix {
    let asked = settings.mix;
    if asked != (Mix { live: 1, expired: 0, revoked: 0, malformed: 0, foreign: 0 }) {
        return asked;
    }
    let expired = if settings.expired_tokens.is_some() || settings.clock_offset_file.is_some() { 2 } else { 0 };
    Mix { live: 92, expired, revoked: 2, malformed: 2, foreign: 2 }
}

const WARMUP: Duration = Duration::from_secs(1);
const ZIPF_TOKENS: usize = 20_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_is_planned_to_end_in_ten_minutes() {
        let mut settings = crate::report::tests::settings();
        settings.scenario = ScenarioName::All;
        (settings.duration, settings.rounds) = (ScenarioName::All.defaults().duration, 3);
        let parts = parts(&settings);
        // Growth has four steps and a shorter load in each, handshake two halves, storm two and a last one.
        let measured: f64 = parts
            .iter()
            .map(|part| {
                let loads = match part.settings.scenario {
                    ScenarioName::Growth => 7.0,
                    ScenarioName::Handshake | ScenarioName::Storm => 2.0,
                    _ => 1.0,
                };
                let each = (part.settings.duration + part.settings.warmup).as_secs_f64();
                loads * each * part.settings.rounds as f64
            })
            .sum();
        assert!(measured < 360.0, "{measured} s leave too little for preparing");
        assert!(parts.iter().all(|part| part.settings.scenario != ScenarioName::All));
    }

    #[test]
    fn tokens_that_cannot_be_made_to_expire_are_left_out() {
        let mut settings = crate::report::tests::settings();
        assert_eq!(mix(&settings).expired, 0);
        settings.clock_offset_file = Some("shift".into());
        assert_eq!(mix(&settings).expired, 2);
        settings.mix.foreign = 7;
        assert_eq!(mix(&settings), settings.mix, "what was asked for stands");
    }
}
