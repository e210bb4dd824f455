//! What happened to each request. A generator thread writes into its own `Interval`; once a second the main
//! thread takes it away whole and adds it to the `Totals`, so nothing on the way of a request is contended.
//!
//! `latency` holds right answers and timeouts (at the moment they were given up, a lower bound): leaving out
//! the requests that waited longest is how percentiles lie. Other failures are counted, not timed: a fast
//! refusal would flatter the figures.

use std::mem;
use std::sync::{Arc, Mutex, PoisonError};

use hdrhistogram::Histogram;

use crate::fault::Fault;

/// Why a request did not get its right answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Timeout,
    Connect,
    Tls,
    /// The stream was reset, or the connection went away under it.
    Reset,
    Status4xx,
    Status5xx,
    /// Any other status than 200.
    StatusOther,
    Wrong(Wrong),
}

/// An answer that is false or unreadable, although its status was 200.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wrong {
    LiveAnsweredInactive,
    DeadAnsweredActive,
    /// The answer names another token than the one asked about.
    OtherToken,
    /// The same token was issued twice.
    RepeatedToken,
    Unreadable,
    /// A handshake that was to be resumed was a full one.
    NotResumed,
}

impl Kind {
    pub const LABELS: [&str; 8] =
        ["timeout", "connect", "tls", "reset", "status_4xx", "status_5xx", "status_other", "wrong_answer"];

    pub fn label(self) -> &'static str {
        Self::LABELS.get(self.index()).copied().unwrap_or_default()
    }

    fn index(self) -> usize {
        match self {
            Self::Timeout => 0,
            Self::Connect => 1,
            Self::Tls => 2,
            Self::Reset => 3,
            Self::Status4xx => 4,
            Self::Status5xx => 5,
            Self::StatusOther => 6,
            Self::Wrong(_) => 7,
        }
    }
}

impl Wrong {
    pub const LABELS: [&str; 6] = [
        "live_answered_inactive",
        "dead_answered_active",
        "other_token",
        "repeated_token",
        "unreadable",
        "not_resumed",
    ];

    fn index(self) -> usize {
        match self {
            Self::LiveAnsweredInactive => 0,
            Self::DeadAnsweredActive => 1,
            Self::OtherToken => 2,
            Self::RepeatedToken => 3,
            Self::Unreadable => 4,
            Self::NotResumed => 5,
        }
    }
}

/// Counts by kind; the order is that of `Kind::LABELS` and `Wrong::LABELS`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    pub right: u64,
    pub errors: [u64; 8],
    pub wrongs: [u64; 6],
}

impl Counts {
    pub fn total(&self) -> u64 {
        self.right + self.failed()
    }

    pub fn failed(&self) -> u64 {
        self.errors.iter().sum()
    }

    /// The target did answer: what its CPU time is divided by.
    pub fn answered(&self) -> u64 {
        self.right + self.errors.iter().skip(Kind::Status4xx.index()).sum::<u64>()
    }

    pub fn add(&mut self, other: &Self) {
        self.right += other.right;
        add_each(&mut self.errors, &other.errors);
        add_each(&mut self.wrongs, &other.wrongs);
    }

    fn count(&mut self, outcome: Result<(), Kind>) {
        let Err(kind) = outcome else {
            self.right += 1;
            return;
        };
        increment(&mut self.errors, kind.index());
        if let Kind::Wrong(wrong) = kind {
            increment(&mut self.wrongs, wrong.index());
        }
    }
}

/// The life of one request on the run's clock.
#[derive(Debug, Clone, Copy)]
pub struct Passage {
    pub due_ns: u64,
    /// None: it could not be sent before its deadline.
    pub sent_ns: Option<u64>,
    pub done_ns: u64,
    /// A stream was free when it fell due, so lateness of the sending is the generator's own.
    pub stream_was_free: bool,
}

pub struct Interval {
    /// From due to done, microseconds; right answers and timeouts that were due in the measured time.
    pub latency: Histogram<u64>,
    /// From sent to done.
    pub service: Histogram<u64>,
    /// From due to sent, where a stream was free.
    pub lateness: Histogram<u64>,
    /// Of requests due in the measured time.
    pub measured: Counts,
    /// Of whatever ended in this interval, whenever it was due.
    pub ended: Counts,
    /// Requests that found every stream busy when due.
    pub queued: u64,
    pub links: Links,
}

/// What became of connections.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Links {
    pub opened: u64,
    pub lost: u64,
    pub failed: u64,
    /// The last reason, for a human.
    pub why: Option<String>,
}

impl Interval {
    pub fn new() -> Result<Self, Fault> {
        Ok(Self {
            latency: histogram()?,
            service: histogram()?,
            lateness: histogram()?,
            measured: Counts::default(),
            ended: Counts::default(),
            queued: 0,
            links: Links::default(),
        })
    }

    fn record(&mut self, passage: &Passage, outcome: Result<(), Kind>, measured: bool) {
        self.ended.count(outcome);
        if !measured {
            return;
        }
        self.measured.count(outcome);
        self.queued += u64::from(!passage.stream_was_free);
        if matches!(outcome, Ok(()) | Err(Kind::Timeout)) {
            self.latency.saturating_record(micros(passage.due_ns, passage.done_ns));
        }
        let Some(sent_ns) = passage.sent_ns else { return };
        if outcome.is_ok() {
            self.service.saturating_record(micros(sent_ns, passage.done_ns));
        }
        if passage.stream_was_free {
            self.lateness.saturating_record(micros(passage.due_ns, sent_ns));
        }
    }

    /// Adds what `other` holds. Histograms share their bounds, so nothing can be lost.
    pub fn merge(&mut self, other: &Self) -> Result<(), Fault> {
        let failed = |e| Fault::local("merging histograms", format!("{e:?}"));
        self.latency.add(&other.latency).map_err(failed)?;
        self.service.add(&other.service).map_err(failed)?;
        self.lateness.add(&other.lateness).map_err(failed)?;
        self.measured.add(&other.measured);
        self.ended.add(&other.ended);
        self.queued += other.queued;
        self.links.opened += other.links.opened;
        self.links.lost += other.links.lost;
        self.links.failed += other.links.failed;
        if other.links.why.is_some() {
            self.links.why.clone_from(&other.links.why);
        }
        Ok(())
    }

    pub fn clear(&mut self) {
        self.latency.reset();
        self.service.reset();
        self.lateness.reset();
        self.measured = Counts::default();
        self.ended = Counts::default();
        self.queued = 0;
        self.links = Links::default();
    }
}

/// One generator thread's end of its interval.
#[derive(Clone)]
pub struct Recorder {
    interval: Arc<Mutex<Interval>>,
    measure_from_ns: u64,
}

impl Recorder {
    pub fn new(measure_from_ns: u64) -> Result<Self, Fault> {
        Ok(Self { interval: Arc::new(Mutex::new(Interval::new()?)), measure_from_ns })
    }

    pub fn record(&self, passage: &Passage, outcome: Result<(), Kind>) {
        let measured = passage.due_ns >= self.measure_from_ns;
        self.lock().record(passage, outcome, measured);
    }

    pub fn note_link(&self, note: impl FnOnce(&mut Links)) {
        note(&mut self.lock().links);
    }

    /// Puts the empty `spare` in the place of the current interval, which is then in `spare`.
    pub fn take(&self, spare: &mut Interval) {
        mem::swap(&mut *self.lock(), spare);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Interval> {
        self.interval.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn micros(from_ns: u64, to_ns: u64) -> u64 {
    to_ns.saturating_sub(from_ns) / 1000
}

fn histogram() -> Result<Histogram<u64>, Fault> {
    Histogram::new_with_bounds(1, LATENCY_US_MAX, SIGNIFICANT_DIGITS)
        .map_err(|e| Fault::local("histogram", format!("{e:?}")))
}

fn increment(counts: &mut [u64], index: usize) {
    if let Some(count) = counts.get_mut(index) {
        *count += 1;
    }
}

fn add_each(to: &mut [u64], from: &[u64]) {
    for (to, from) in to.iter_mut().zip(from) {
        *to += from;
    }
}

/// Ten minutes; a longer wait is recorded as this.
const LATENCY_US_MAX: u64 = 600_000_000;
const SIGNIFICANT_DIGITS: u8 = 3;

#[cfg(test)]
mod tests {
    use super::*;

    fn passage(due_us: u64, sent_us: Option<u64>, done_us: u64, stream_was_free: bool) -> Passage {
        Passage {
            due_ns: due_us * 1000,
            sent_ns: sent_us.map(|us| us * 1000),
            done_ns: done_us * 1000,
            stream_was_free,
        }
    }

    #[test]
    fn latency_counts_from_the_due_moment_not_from_the_sending() {
        let mut interval = Interval::new().unwrap();
        interval.record(&passage(100, Some(900), 1000, false), Ok(()), true);
        assert_eq!(interval.latency.max(), 900, "waiting for a stream is part of it");
        assert_eq!(interval.service.max(), 100);
        assert_eq!(interval.lateness.len(), 0, "no stream was free: not the generator's fault");
        assert_eq!(interval.queued, 1);
    }

    #[test]
    fn a_timeout_is_timed_and_a_refusal_is_not() {
        let mut interval = Interval::new().unwrap();
        interval.record(&passage(0, None, 5_000_000, false), Err(Kind::Timeout), true);
        interval.record(&passage(0, Some(1), 10, true), Err(Kind::Status5xx), true);
        assert_eq!(interval.latency.len(), 1);
        assert!(interval.latency.max() >= 5_000_000);
        assert_eq!((interval.measured.failed(), interval.measured.answered()), (2, 1));
    }

    #[test]
    fn warm_up_counts_as_ended_only() {
        let recorder = Recorder::new(1_000_000).unwrap();
        recorder.record(&passage(999, Some(999), 2000, true), Ok(()));
        recorder.record(&passage(1000, Some(1000), 2000, true), Ok(()));
        let mut taken = Interval::new().unwrap();
        recorder.take(&mut taken);
        assert_eq!((taken.ended.right, taken.measured.right, taken.latency.len()), (2, 1, 1));
    }

    #[test]
    fn merging_keeps_every_count_and_the_maximum() {
        let mut total = Interval::new().unwrap();
        for thread in 0..3u64 {
            let mut one = Interval::new().unwrap();
            for i in 0..100 {
                one.record(&passage(0, Some(0), thread * 1000 + i, true), Ok(()), true);
            }
            one.record(&passage(0, Some(0), 5, true), Err(Kind::Wrong(Wrong::DeadAnsweredActive)), true);
            one.links = Links { opened: 1, lost: 0, failed: 2, why: Some(format!("{thread}")) };
            total.merge(&one).unwrap();
        }
        assert_eq!((total.measured.right, total.measured.failed(), total.latency.len()), (300, 3, 300));
        assert_eq!(total.measured.wrongs, [0, 3, 0, 0, 0, 0]);
        assert_eq!(total.latency.max() / 100, 20, "2099 within three digits");
        assert_eq!(total.links, Links { opened: 3, lost: 0, failed: 6, why: Some("2".to_owned()) });
        total.clear();
        assert_eq!((total.measured.total(), total.latency.len()), (0, 0));
    }

    #[test]
    fn every_kind_has_its_own_label() {
        let kinds = [
            Kind::Timeout,
            Kind::Connect,
            Kind::Tls,
            Kind::Reset,
            Kind::Status4xx,
            Kind::Status5xx,
            Kind::StatusOther,
            Kind::Wrong(Wrong::Unreadable),
        ];
        for (index, kind) in kinds.into_iter().enumerate() {
            assert_eq!((kind.index(), kind.label()), (index, Kind::LABELS[index]));
        }
    }
}
