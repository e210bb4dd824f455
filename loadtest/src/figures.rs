//! Figures that were measured several times: each round's value, and what a second run should find.
//!
//! The rounds of one run spread less than two runs do: what else the machine does changes slowly. So the range in
//! which a second run's median is expected is wider than the rounds: by once their own width, and by a tenth of the
//! median at least, on both sides.

use serde::Serialize;

use crate::plot::trimmed;
use crate::progress::micros;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Unit {
    #[serde(rename = "us")]
    Micros,
    #[serde(rename = "s")]
    Seconds,
    #[serde(rename = "1/s")]
    PerSecond,
    #[serde(rename = "bytes")]
    Bytes,
    #[serde(rename = "bytes/h")]
    BytesPerHour,
    #[serde(rename = "1/h")]
    PerHour,
    #[serde(rename = "ratio")]
    Ratio,
    #[serde(rename = "count")]
    Count,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Figure {
    pub name: String,
    pub unit: Unit,
    pub rounds: Vec<f64>,
    pub min: f64,
    pub median: f64,
    pub max: f64,
    /// Where a second run's median should lie; None after one round, whose spread nobody knows.
    pub expected: Option<(f64, f64)>,
}

/// Collects values under their names, in the order in which the names first came.
#[derive(Debug, Default)]
pub struct Figures(Vec<(String, Unit, Vec<f64>)>);

impl Figures {
    pub fn add(&mut self, name: impl Into<String>, unit: Unit, value: f64) {
        let name = name.into();
        match self.0.iter_mut().find(|(known, _, _)| *known == name) {
            Some((_, _, values)) => values.push(value),
            None => self.0.push((name, unit, vec![value])),
        }
    }

    pub fn add_some(&mut self, name: impl Into<String>, unit: Unit, value: Option<f64>) {
        if let Some(value) = value.filter(|v| v.is_finite()) {
            self.add(name, unit, value);
        }
    }

    /// The values under a name so far.
    pub fn rounds(&self, name: &str) -> &[f64] {
        self.0.iter().find(|(known, _, _)| known == name).map_or(&[], |(_, _, values)| values)
    }

    pub fn done(self) -> Vec<Figure> {
        self.0.into_iter().map(|(name, unit, rounds)| Figure::of(name, unit, rounds)).collect()
    }
}

impl Figure {
    fn of(name: String, unit: Unit, rounds: Vec<f64>) -> Self {
        let mut sorted = rounds.clone();
        sorted.sort_by(f64::total_cmp);
        let (min, max) = (sorted.first().copied().unwrap_or(0.0), sorted.last().copied().unwrap_or(0.0));
        let median = median(&sorted);
        let margin = (max - min).max(median.abs() / 10.0);
        let low = if min >= 0.0 { (min - margin).max(0.0) } else { min - margin };
        let expected = (rounds.len() > 1).then_some((low, max + margin));
        Self { name, unit, rounds, min, median, max, expected }
    }
}

impl Unit {
    /// A value as a person reads it.
    pub fn show(self, value: f64) -> String {
        match self {
            // CPU times have decimals that matter; latencies come whole.
            Self::Micros if value.abs() < 100.0 => format!("{} µs", trimmed(value)),
            Self::Micros => micros(value.max(0.0) as u64),
            Self::Seconds => format!("{} s", trimmed(value)),
            Self::PerSecond => format!("{}/s", trimmed(value.round())),
            Self::Bytes => bytes(value),
            Self::BytesPerHour => format!("{}/h", bytes(value)),
            Self::PerHour => format!("{}/h", trimmed(value)),
            Self::Ratio => format!("{value:.3}"),
            Self::Count => trimmed(value),
        }
    }
}

fn bytes(value: f64) -> String {
    match value.abs() {
        ..10_240.0 => format!("{} B", trimmed(value.round())),
        ..10_485_760.0 => format!("{} KiB", trimmed((value / 102.4).round() / 10.0)),
        _ => format!("{} MiB", trimmed((value / 104_857.6).round() / 10.0)),
    }
}

/// Of values in order; the mean of the two in the middle when their number is even.
pub fn median(sorted: &[f64]) -> f64 {
    let half = sorted.len() / 2;
    let at = |index: usize| sorted.get(index).copied().unwrap_or(0.0);
    if sorted.len() % 2 == 1 || sorted.is_empty() { at(half) } else { f64::midpoint(at(half - 1), at(half)) }
}

/// How fast `y` grows with `x`, by least squares; None when there are too few points to tell.
pub fn slope(points: &[(f64, f64)]) -> Option<f64> {
    if points.len() < 3 {
        return None;
    }
    let count = points.len() as f64;
    let mean = |value: fn(&(f64, f64)) -> f64| points.iter().map(value).sum::<f64>() / count;
    let (mean_x, mean_y) = (mean(|p| p.0), mean(|p| p.1));
    let (mut above, mut below) = (0.0, 0.0);
    for (x, y) in points {
        above += (x - mean_x) * (y - mean_y);
        below += (x - mean_x) * (x - mean_x);
    }
    (below > 0.0).then(|| above / below)
}

#[cfg(test)]
#[allow(clippy::float_cmp, reason = "sums of few exact numbers")]
mod tests {
    use super::*;

    #[test]
    fn rounds_of_one_name_become_one_figure_with_its_spread() {
        let mut figures = Figures::default();
        for value in [12.0, 10.0, 11.0] {
            figures.add("cpu", Unit::Micros, value);
            figures.add_some("absent", Unit::Bytes, None);
        }
        figures.add("other", Unit::Ratio, 1.0);
        let done = figures.done();
        assert_eq!(done.len(), 2, "{done:?}");
        assert_eq!((done[0].min, done[0].median, done[0].max), (10.0, 11.0, 12.0));
        assert_eq!(done[0].expected, Some((8.0, 14.0)), "wider by the width of the rounds");
        assert_eq!(done[0].rounds, [12.0, 10.0, 11.0]);
        assert_eq!(done[1].expected, None, "one round has no spread");
    }

    #[test]
    fn the_median_of_an_even_number_lies_between_the_middle_two() {
        assert_eq!(median(&[1.0, 2.0, 4.0, 9.0]), 3.0);
        assert_eq!((median(&[7.0]), median(&[])), (7.0, 0.0));
    }

    #[test]
    fn the_slope_is_that_of_the_line_through_the_points() {
        let line: Vec<(f64, f64)> = (0..10).map(|i| (f64::from(i), 5.0 + 3.0 * f64::from(i))).collect();
        assert!((slope(&line).unwrap() - 3.0).abs() < 1e-9);
        assert_eq!(slope(&line[..2]), None);
        assert_eq!(slope(&[(1.0, 1.0); 5]), None, "no time passed");
    }

    #[test]
    fn values_are_told_in_their_unit() {
        assert_eq!(Unit::Micros.show(2.345), "2.35 µs");
        assert_eq!(Unit::Micros.show(2345.0), "2.35 ms");
        assert_eq!(Unit::Bytes.show(4096.0), "4\u{202f}096 B");
        assert_eq!(Unit::Bytes.show(-20.0 * 1024.0), "-20 KiB");
        assert_eq!(Unit::Ratio.show(1.0), "1.000");
    }
}
