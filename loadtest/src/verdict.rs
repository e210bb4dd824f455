//! Whether the figures are the server's or the generator's own.
//!
//! Three signs: a generator thread that used its whole core, or would have, had others left it one; requests sent late although a stream was free;
//! and a load that did not go out as offered while the server (if it is seen) had time to spare.

use hdrhistogram::Histogram;
use serde::Serialize;

use crate::progress::micros;
use crate::record::Interval;

#[derive(Debug, Clone, Serialize)]
pub struct Generator {
    /// Threads never slept, so their share of a core says nothing.
    pub spins: bool,
    /// Of each thread in the measured time.
    pub threads: Vec<ThreadShare>,
    pub lateness_us: Lateness,
    /// Share of requests that found every stream busy when they were due: not the generator's fault, but a
    /// reason to offer more streams, or to believe that the server is at its limit.
    pub queued_share: f64,
    pub is_the_limit: bool,
    pub why: Vec<String>,
}

/// Parts of the measured time.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct ThreadShare {
    /// On a core.
    pub cpu: f64,
    /// Ready to run, without a core.
    pub wait: f64,
}

#[derive(Debug, Clone, Copy, Serialize)]
pub struct Lateness {
    pub p50: u64,
    pub p99: u64,
    pub max: u64,
}

impl Generator {
    pub fn judge(spins: bool, threads: Vec<ThreadShare>, total: &Interval, queued_share: f64) -> Self {
        let lateness = Lateness::of(&total.lateness);
        let mut why = if spins { Vec::new() } else { exhausted(&threads) };
        if lateness.p99 >= LATENESS_P99_LIMIT_US {
            why.push(format!(
                "1 % of requests were sent {} late or more, although a stream was free",
                micros(lateness.p99)
            ));
        }
        if lateness.p50 >= LATENESS_P50_FLOOR_US && lateness.p50 * 2 > total.latency.value_at_quantile(0.5) {
            let late = micros(lateness.p50);
            why.push(format!("sending was late by {late} at the median, half or more of the latency shown"));
        }
        Self { spins, threads, lateness_us: lateness, queued_share, is_the_limit: !why.is_empty(), why }
    }

    /// One sentence for people.
    pub fn sentence(&self) -> String {
        if self.is_the_limit {
            return format!("The generator may be the limit: {}.", self.why.join("; "));
        }
        let busiest = self.threads.iter().map(|t| t.cpu).fold(0.0, f64::max) * 100.0;
        let mut signs = Vec::new();
        if !self.spins {
            signs.push(format!("its busiest thread used {busiest:.0} % of a core"));
        }
        if self.lateness_us.max > 0 {
            signs.push(format!("99 % of sends were at most {} late", micros(self.lateness_us.p99)));
        }
        format!("The generator was not the limit: {}.", signs.join(", "))
    }
}

impl Lateness {
    fn of(histogram: &Histogram<u64>) -> Self {
        let at = |quantile| histogram.value_at_quantile(quantile);
        Self { p50: at(0.5), p99: at(0.99), max: histogram.max() }
    }
}

fn exhausted(threads: &[ThreadShare]) -> Vec<String> {
    let exhausted = threads.iter().enumerate().filter(|(_, t)| t.cpu + t.wait >= CPU_SHARE_LIMIT);
    let percent = |share: f64| (share * 100.0).round();
    exhausted
        .map(|(thread, t)| {
            let used = format!("generator thread {thread} used {} % of a core", percent(t.cpu));
            if t.cpu >= CPU_SHARE_LIMIT {
                used
            } else {
                format!("{used} and waited for one {} % of the time", percent(t.wait))
            }
        })
        .collect()
}

const CPU_SHARE_LIMIT: f64 = 0.9;
const LATENESS_P99_LIMIT_US: u64 = 1000;
const LATENESS_P50_FLOOR_US: u64 = 100;

#[cfg(test)]
mod tests {
    use super::*;

    fn threads(cpu: &[f64]) -> Vec<ThreadShare> {
        cpu.iter().map(|cpu| ThreadShare { cpu: *cpu, wait: 0.01 }).collect()
    }

    fn total(lateness_us: &[u64], latency_us: &[u64]) -> Interval {
        let mut total = Interval::new().unwrap();
        for us in lateness_us {
            total.lateness.record(*us).unwrap();
        }
        for us in latency_us {
            total.latency.record(*us).unwrap();
        }
        total
    }

    #[test]
    fn a_rested_generator_is_not_the_limit() {
        let verdict = Generator::judge(false, threads(&[0.4, 0.2]), &total(&[10, 20, 30], &[200, 300]), 0.0);
        assert!(!verdict.is_the_limit && verdict.why.is_empty());
        assert!(verdict.sentence().contains("not the limit: its busiest thread used 40 %"));
    }

    #[test]
    fn each_sign_is_seen_and_told() {
        let busy = Generator::judge(false, threads(&[0.2, 0.95]), &total(&[10], &[200]), 0.0);
        assert!(busy.sentence().contains("thread 1 used 95 %"));
        let late = Generator::judge(false, threads(&[0.2]), &total(&[5000], &[90_000]), 0.0);
        assert!(late.sentence().contains("5.00 ms late or more"), "{}", late.sentence());
        let slow_to_send = Generator::judge(false, threads(&[0.2]), &total(&[150], &[200]), 0.0);
        assert!(slow_to_send.is_the_limit, "most of the latency is ours");
    }

    #[test]
    fn a_thread_that_others_keep_from_its_core_is_told_from_a_rested_one() {
        let starved = Generator::judge(false, vec![ThreadShare { cpu: 0.3, wait: 0.65 }], &total(&[10], &[200]), 0.0);
        assert!(starved.sentence().contains("used 30 % of a core and waited for one 65 % of the time"));
    }

    #[test]
    fn a_spinning_thread_is_not_judged_by_its_cpu() {
        let verdict = Generator::judge(true, threads(&[1.0]), &total(&[5], &[200]), 0.0);
        assert_eq!(verdict.sentence(), "The generator was not the limit: 99 % of sends were at most 5 µs late.");
    }
}
