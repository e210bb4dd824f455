//! Half of the capacity for long. What leaks shows as a slope: memory, descriptors, errors. The slope is the line of
//! least squares through the seconds after the first tenth, in which caches fill.

use crate::args::{Loop, Settings};
use crate::fault::Fault;
use crate::figures::{Figures, Unit, slope};
use crate::play::{capacity, settled};
use crate::plot::{Line, Plot, X, Y};
use crate::report::{Outcome, Point, Report};
use crate::run::load;
use crate::setup;
use crate::worker::Errand;

pub async fn play(settings: &Settings) -> Result<Report, Fault> {
    let prepared = setup::prepare(settings).await?;
    let mut settings = settled(settings, &prepared);
    let mut notes = Vec::new();
    if !settings.pace_is_given {
        let capacity = capacity(&settings, &prepared).await?;
        settings.pace = Loop::Open { rate: (capacity / 2.0).round().max(1.0) };
        notes.push(format!(
            "The rate is half of what a closed loop of {} x {} got before: {capacity:.0} right answers a second.",
            settings.connections, settings.streams
        ));
    }
    let outcome = load(&settings, &prepared, Errand::Request).await?;
    let figures = figures(&outcome);
    let drawings = vec![descriptors(&outcome.series)];
    Ok(Report::new(&settings, outcome).with(figures, drawings, notes))
}

fn figures(outcome: &Outcome) -> Figures {
    let mut figures = Figures::default();
    let settled = outcome.series.get(outcome.series.len() / 10..).unwrap_or_default();
    let growth = |value: fn(&Point) -> Option<u64>| {
        let points: Vec<(f64, f64)> = settled.iter().filter_map(|p| Some((p.t_s, value(p)? as f64))).collect();
        slope(&points).map(|per_s| per_s * 3600.0)
    };
    let ends = |value: fn(&Point) -> Option<u64>| {
        let first = settled.iter().find_map(value)? as f64;
        Some(settled.iter().rev().find_map(value)? as f64 - first)
    };
    figures.add_some("RSS, growth", Unit::BytesPerHour, growth(|p| p.server_rss_bytes));
    figures.add_some("RSS, last less first", Unit::Bytes, ends(|p| p.server_rss_bytes));
    figures.add_some("descriptors, growth", Unit::PerHour, growth(|p| p.server_descriptors));
    figures.add_some("descriptors, last less first", Unit::Count, ends(|p| p.server_descriptors));
    figures.add("errors", Unit::Count, outcome.total.measured.failed() as f64);
    figures.add("latency p99", Unit::Micros, outcome.latency_us(0.99));
    figures.add_some("server CPU per request", Unit::Micros, outcome.cpu_us_per_request());
    figures
}

fn descriptors(series: &[Point]) -> Plot {
    let points = series.iter().map(|p| (p.t_s, p.server_descriptors.map(|n| n as f64))).collect();
    let line = Line { name: "descriptors".into(), class: "a", points };
    Plot { title: "Open descriptors of the server".into(), x: X::Time, y: Y::Number, lines: vec![line] }
}

#[cfg(test)]
#[allow(clippy::float_cmp, reason = "sums of few exact numbers")]
mod tests {
    use super::*;
    use crate::record::Counts;

    #[test]
    fn a_leak_is_told_as_its_growth_an_hour_and_the_filling_of_caches_is_not() {
        let point = |second: u64| Point {
            t_s: second as f64,
            right_per_s: 1.0,
            errors_per_s: 0.0,
            ended: Counts::default(),
            p50_us: None,
            p99_us: None,
            max_us: None,
            server_cores: None,
            server_rss_bytes: Some(if second < 10 { 1000 * second } else { 1_000_000 + 10 * second }),
            server_descriptors: Some(40),
            generator_cores: 0.0,
            feed_age_s: None,
        };
        let outcome = Outcome { series: (0..100).map(point).collect(), ..Outcome::nothing().unwrap() };
        let told = figures(&outcome).done();
        let find = |name: &str| told.iter().find(|f| f.name == name).unwrap().median;
        assert!((find("RSS, growth") - 36_000.0).abs() < 1.0, "{told:?}");
        assert_eq!((find("descriptors, growth"), find("descriptors, last less first")), (0.0, 0.0));
        assert_eq!(find("errors"), 0.0);
    }
}
