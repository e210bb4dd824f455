//! Two heaps of times, and whether anybody could tell which is which.
//!
//! * *Mann-Whitney U*: does one tend to be longer? Told as the share of all pairs in which the second takes longer (a half
//!   where they are alike), with the two-sided p of its normal approximation, ties corrected for.
//! * *Kolmogorov-Smirnov D*: do they differ in any other way, in spread or in a second hump? The largest distance of the two
//!   distribution functions, with the p of its limit distribution.
//! * the difference of medians, with the range in which 95 of 100 resamplings of both heaps put it.
//!
//! p is how often two heaps of one kind differ this much by chance. Neither test supposes a shape of the distribution, and
//! a few outliers move neither.

use crate::figures::median;
use crate::rng::Rng;

/// Both heaps, sorted.
pub struct Pair {
    first: Vec<f64>,
    second: Vec<f64>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Told {
    /// Share of all pairs in which the second takes longer; pairs of equals count half.
    pub longer: f64,
    pub longer_p: f64,
    /// The largest distance of the distribution functions.
    pub distance: f64,
    pub distance_p: f64,
    /// Median of the second less that of the first, and its range.
    pub median_less: f64,
    pub median_range: (f64, f64),
}

impl Pair {
    pub fn new(mut first: Vec<f64>, mut second: Vec<f64>) -> Self {
        first.sort_by(f64::total_cmp);
        second.sort_by(f64::total_cmp);
        Self { first, second }
    }

    /// None where a heap is empty.
    pub fn tell(&self, seed: u64) -> Option<Told> {
        if self.first.is_empty() || self.second.is_empty() {
            return None;
        }
        let (longer, longer_p) = self.mann_whitney();
        let (distance, distance_p) = self.kolmogorov_smirnov();
        let median_less = median(&self.second) - median(&self.first);
        let median_range = self.median_range(seed);
        Some(Told { longer, longer_p, distance, distance_p, median_less, median_range })
    }

    /// `(quantile of the first, quantile of the second)`.
    pub fn quantiles(&self, quantile: f64) -> (f64, f64) {
        (at(&self.first, quantile), at(&self.second, quantile))
    }

    fn sizes(&self) -> (f64, f64) {
        (self.first.len() as f64, self.second.len() as f64)
    }

    fn mann_whitney(&self) -> (f64, f64) {
        let (n, m) = self.sizes();
        let (mut wins, mut ties) = (0.0, 0.0);
        self.each_value(|(before, own), (_, others)| {
            // Each of the second is longer than all of the first before it, and ties with its equals.
            wins += others * (before + own / 2.0);
            let tied = own + others;
            ties += tied * tied * tied - tied;
        });
        let all = n + m;
        let spread = n * m / 12.0 * (all + 1.0 - ties / (all * (all - 1.0)).max(1.0));
        if spread <= 0.0 {
            return (wins / (n * m), 1.0);
        }
        let z = (wins - n * m / 2.0) / spread.sqrt();
        (wins / (n * m), beyond(z.abs()))
    }

    fn kolmogorov_smirnov(&self) -> (f64, f64) {
        let (n, m) = self.sizes();
        let mut distance = 0.0_f64;
        self.each_value(|(before, own), (others_before, others)| {
            distance = distance.max(((before + own) / n - (others_before + others) / m).abs());
        });
        let size = (n * m / (n + m)).sqrt();
        (distance, kolmogorov((size + 0.12 + 0.11 / size) * distance))
    }

    /// Each distinct value in order: how many of either heap are below it, and how many are equal to it.
    fn each_value(&self, mut look: impl FnMut((f64, f64), (f64, f64))) {
        let (mut first, mut second) = (self.first.as_slice(), self.second.as_slice());
        let (mut before, mut others_before) = (0.0, 0.0);
        loop {
            let value = match (first.first(), second.first()) {
                (Some(a), Some(b)) => a.min(*b),
                (Some(value), None) | (None, Some(value)) => *value,
                (None, None) => return,
            };
            let take = |heap: &mut &[f64]| {
                let equal = heap.partition_point(|other| *other <= value);
                *heap = heap.get(equal..).unwrap_or_default();
                equal as f64
            };
            let (own, others) = (take(&mut first), take(&mut second));
            look((before, own), (others_before, others));
            before += own;
            others_before += others;
        }
    }

    fn median_range(&self, seed: u64) -> (f64, f64) {
        let mut rng = Rng::seeded(seed, RESAMPLING);
        let mut resampled = |heap: &[f64]| {
            let mut drawn: Vec<f64> =
                (0..heap.len()).filter_map(|_| heap.get(rng.below(heap.len())).copied()).collect();
            drawn.sort_by(f64::total_cmp);
            median(&drawn)
        };
        let mut differences: Vec<f64> =
            (0..RESAMPLINGS).map(|_| resampled(&self.second) - resampled(&self.first)).collect();
        differences.sort_by(f64::total_cmp);
        (at(&differences, 0.025), at(&differences, 0.975))
    }
}

fn at(sorted: &[f64], quantile: f64) -> f64 {
    let index = (quantile * sorted.len().saturating_sub(1) as f64).round() as usize;
    sorted.get(index).copied().unwrap_or(0.0)
}

/// How often a normal variable lies further from its mean than `z` standard deviations, on either side: erfc(z / sqrt 2)
/// by Chebyshev's fit, wrong by 1.2e-7 of itself at most.
fn beyond(z: f64) -> f64 {
    let x = z / std::f64::consts::SQRT_2;
    let t = 1.0 / (1.0 + 0.5 * x);
    let sum = ERFC.iter().rev().fold(0.0, |sum, coefficient| sum * t + coefficient);
    (t * (sum - x * x).exp()).min(1.0)
}

/// How often the scaled distance is greater than `lambda`.
fn kolmogorov(lambda: f64) -> f64 {
    if lambda < 0.2 {
        return 1.0;
    }
    let term = |j: i32| {
        let sign = if j % 2 == 1 { 2.0 } else { -2.0 };
        sign * (-2.0 * f64::from(j * j) * lambda * lambda).exp()
    };
    (1..=100).map(term).sum::<f64>().clamp(0.0, 1.0)
}

const ERFC: [f64; 10] = [
    -1.265_512_23,
    1.000_023_68,
    0.374_091_96,
    0.096_784_18,
    -0.186_288_06,
    0.278_868_07,
    -1.135_203_98,
    1.488_515_87,
    -0.822_152_23,
    0.170_872_77,
];
const RESAMPLINGS: usize = 200;
/// Of the random numbers, apart from those that decide the order of requests.
const RESAMPLING: u64 = 0x5a;

#[cfg(test)]
mod tests {
    use super::*;

    fn draws(seed: u64, count: usize, shift: f64) -> Vec<f64> {
        let mut rng = Rng::seeded(seed, 0);
        let unit = |rng: &mut Rng| (rng.next() >> 11) as f64 / (1u64 << 53) as f64;
        // About normal: a hundred wide around a thousand.
        (0..count)
            .map(|_| 1000.0 + shift + 100.0 * ((0..12).map(|_| unit(&mut rng)).sum::<f64>() - 6.0))
            .map(f64::round)
            .collect()
    }

    #[test]
    fn small_heaps_are_as_the_tables_say() {
        let told = Pair::new(vec![1.0, 2.0, 3.0], vec![2.0, 4.0, 5.0]).tell(1).unwrap();
        assert!((told.longer - 7.5 / 9.0).abs() < 1e-12, "seven pairs and a tie: {told:?}");
        assert!((told.distance - 2.0 / 3.0).abs() < 1e-12, "{told:?}");
        assert!((told.median_less - 2.0).abs() < 1e-12);
        assert_eq!(Pair::new(Vec::new(), vec![1.0]).tell(1), None);
        for (z, p) in [(0.0, 1.0), (1.0, 0.317_310_5), (1.959_964, 0.05), (3.290_527, 0.001)] {
            assert!((beyond(z) - p).abs() < 1e-6, "{z}: {}", beyond(z));
        }
        for (lambda, p) in [(0.1, 1.0), (1.358_1, 0.05), (1.949_5, 0.001)] {
            assert!((kolmogorov(lambda) - p).abs() < 1e-4, "{lambda}: {}", kolmogorov(lambda));
        }
    }

    #[test]
    fn alike_heaps_are_not_told_apart_and_shifted_ones_are() {
        for (shift, reason, is_told) in
            [(0.0, "one kind", false), (30.0, "a third of their width", true), (-30.0, "the other way round", true)]
        {
            let told = Pair::new(draws(1, 2000, 0.0), draws(2, 2000, shift)).tell(3).unwrap();
            assert_eq!(told.longer_p < 0.001, is_told, "{reason}: {told:?}");
            assert_eq!(told.distance_p < 0.001, is_told, "{reason}: {told:?}");
            assert_eq!(told.longer > 0.5, told.median_less > 0.0, "{reason}: {told:?}");
            let (low, high) = told.median_range;
            assert!(low <= told.median_less && told.median_less <= high && high - low < 30.0, "{reason}: {told:?}");
        }
    }

    #[test]
    fn a_difference_that_is_no_shift_is_seen_by_distance_alone() {
        let wide = draws(2, 2000, 0.0).into_iter().map(|value| 1000.0 + (value - 1000.0) * 1.6).collect();
        let told = Pair::new(draws(1, 2000, 0.0), wide).tell(3).unwrap();
        assert!(told.longer_p > 0.001 && told.distance_p < 0.001, "{told:?}");
    }

    #[test]
    fn equal_times_are_equal() {
        let told = Pair::new(vec![5.0; 50], vec![5.0; 60]).tell(1).unwrap();
        assert_eq!((told.longer_p, told.distance_p, told.median_range), (1.0, 1.0, (0.0, 0.0)), "{told:?}");
    }
}
