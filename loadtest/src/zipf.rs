//! Zipf's law: the item of rank `r` is asked for in proportion to `1 / r^s`. What real callers do lies between it and
//! a small hot set. A table of the cumulated shares, searched: exact, and shared by all threads.

use crate::rng::Rng;

#[derive(Clone)]
pub struct Zipf {
    /// Up to and with each rank; the last is 1.
    cumulated: Vec<f64>,
}

impl Zipf {
    pub fn new(items: usize, exponent: f64) -> Self {
        let mut sum = 0.0;
        let mut cumulated: Vec<f64> = (1..=items)
            .map(|rank| {
                sum += (rank as f64).powf(-exponent);
                sum
            })
            .collect();
        for share in &mut cumulated {
            *share /= sum;
        }
        Self { cumulated }
    }

    /// An index below the number of items.
    pub fn draw(&self, rng: &mut Rng) -> usize {
        let at = (rng.next() >> 11) as f64 / (1u64 << 53) as f64;
        self.cumulated.partition_point(|share| *share <= at).min(self.cumulated.len().saturating_sub(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(items: usize, exponent: f64) -> Vec<u32> {
        let (zipf, mut rng) = (Zipf::new(items, exponent), Rng::seeded(5, 0));
        let mut counts = vec![0; items];
        for _ in 0..100_000 {
            counts[zipf.draw(&mut rng)] += 1;
        }
        counts
    }

    #[test]
    fn the_second_is_drawn_half_as_often_as_the_first() {
        let counts = counts(100, 1.0);
        let ratio = f64::from(counts[0]) / f64::from(counts[1]);
        assert!((1.9..2.1).contains(&ratio), "{ratio}");
        assert!(counts.iter().all(|n| *n > 0), "every item is drawn");
    }

    #[test]
    fn an_exponent_of_nothing_draws_all_alike() {
        let counts = counts(10, 0.0);
        assert!(counts.iter().all(|n| (9000..11_000).contains(n)), "{counts:?}");
    }
}
