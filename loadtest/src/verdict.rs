//! Whether the figures are the server's or the generator's own.
//!
//! Three signs: a generator thread that used its whole core; requests sent late although a stream was free;
//! and a load that did not go out as offered while the server (if it is seen) had time to spare.

use hdrhistogram::Histogram;
use serde::Serialize;

#[derive(Debug, Clone, Serialize)]
pub struct Generator {
    /// Share of one core each thread used in the measured time.
    pub cpu_share: Vec<f64>,
    pub lateness_us: Lateness,
    /// Share of requests that found every stream busy when they were due: not the generator's fault, but a
    /// reason to offer more streams, or to believe that the server is at its limit.
    pub queued_share: f64,
    pub is_the_limit: bool,
    pub why: Vec<String>,
}

#[derive(Debug, Clone, Copy, Serialize)]
pub struct Lateness {
    pub p50: u64,
    pub p99: u64,
    pub max: u64,
}

impl Generator {
    pub fn judge(cpu_share: Vec<f64>, lateness: &Histogram<u64>, latency: &Histogram<u64>, queued_share: f64) -> Self {
        let lateness_us = Lateness {
            p50: lateness.value_at_quantile(0.5),
            p99: lateness.value_at_quantile(0.99),
            max: lateness.max(),
        };
        let mut why: Vec<String> = cpu_share
            .iter()
            .enumerate()
            .filter(|(_, share)| **share >= CPU_SHARE_LIMIT)
            .map(|(thread, share)| format!("generator thread {thread} used {:.0} % of a core", share * 100.0))
            .collect();
        if lateness_us.p99 >= LATENESS_P99_LIMIT_US {
            why.push(format!(
                "1 % of requests were sent {} us late or more, although a stream was free",
                lateness_us.p99
            ));
        }
        if lateness_us.p50 >= LATENESS_P50_FLOOR_US && lateness_us.p50 * 2 > latency.value_at_quantile(0.5) {
            why.push(format!(
                "sending was late by {} us at the median, half or more of the latency shown",
                lateness_us.p50
            ));
        }
        Self { cpu_share, lateness_us, queued_share, is_the_limit: !why.is_empty(), why }
    }

    /// One sentence for people.
    pub fn sentence(&self) -> String {
        if self.is_the_limit {
            return format!("The generator may be the limit: {}.", self.why.join("; "));
        }
        let busiest = self.cpu_share.iter().copied().fold(0.0, f64::max);
        format!(
            "The generator was not the limit: its busiest thread used {:.0} % of a core, 99 % of sends were at most {} us late.",
            busiest * 100.0,
            self.lateness_us.p99
        )
    }
}

const CPU_SHARE_LIMIT: f64 = 0.9;
const LATENESS_P99_LIMIT_US: u64 = 1000;
const LATENESS_P50_FLOOR_US: u64 = 100;

#[cfg(test)]
mod tests {
    use super::*;

    fn histogram(values: &[u64]) -> Histogram<u64> {
        let mut histogram = Histogram::new(3).unwrap();
        for value in values {
            histogram.record(*value).unwrap();
        }
        histogram
    }

    #[test]
    fn a_rested_generator_is_not_the_limit() {
        let verdict = Generator::judge(vec![0.4, 0.2], &histogram(&[10, 20, 30]), &histogram(&[200, 300]), 0.0);
        assert!(!verdict.is_the_limit && verdict.why.is_empty());
        assert!(verdict.sentence().contains("not the limit"));
    }

    #[test]
    fn each_sign_is_seen_and_told() {
        let calm = histogram(&[10]);
        let latency = histogram(&[200]);
        assert!(Generator::judge(vec![0.2, 0.95], &calm, &latency, 0.0).sentence().contains("thread 1 used 95 %"));
        assert!(
            Generator::judge(vec![0.2], &histogram(&[5000]), &histogram(&[90_000]), 0.0).is_the_limit,
            "late at p99"
        );
        assert!(
            Generator::judge(vec![0.2], &histogram(&[150]), &latency, 0.0).is_the_limit,
            "most of the latency is ours"
        );
    }
}
