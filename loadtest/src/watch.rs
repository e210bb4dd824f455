//! The main thread's eye on a run: one look a second at what the threads recorded, at the server's process and at the
//! generator's own time.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime};

use http::Uri;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinSet;

use crate::args::Settings;
use crate::crew::Crew;
use crate::fault::Fault;
use crate::metrics::find_feed_age_s;
use crate::procfs::Times;
use crate::progress::{self, say};
use crate::record::{Counts, Interval};
use crate::redact::scrubbed;
use crate::report::{Outcome, Point};
use crate::server::{Sample, Server};
use crate::setup::Prepared;
use crate::timer::Clock;

/// The oldest feed age seen since the last look.
pub struct FeedAge {
    worst: Rc<Cell<Option<f64>>>,
    /// Ends with this.
    _reader: JoinSet<()>,
}

impl FeedAge {
    pub fn watch(url: Uri) -> Self {
        let worst = Rc::new(Cell::new(None));
        let seen = Rc::clone(&worst);
        let mut reader = JoinSet::new();
        reader.spawn_local(async move {
            loop {
                if let Some(age) = find_feed_age_s(&url).await {
                    seen.set(Some(seen.get().map_or(age, |worst: f64| worst.max(age))));
                }
                tokio::time::sleep(FEED_PAUSE).await;
            }
        });
        Self { worst, _reader: reader }
    }
}

/// The main thread's eye on the run.
pub struct Watch {
    crew: Crew,
    server: Option<Server>,
    feed: Option<FeedAge>,
    clock: Clock,
    warm_ns: u64,
    drain: Duration,
    ended_early: bool,
    /// Reused by each look.
    spare: Interval,
    second: Interval,
    total: Interval,
    ended: Counts,
    server_times: Times,
    generator_times: Vec<Times>,
    generator_first: Vec<Times>,
    generator_last: Vec<Times>,
    last_ns: u64,
    measured_from_ns: u64,
    series: Vec<Point>,
}

impl Watch {
    pub fn new(
        settings: &Settings,
        crew: Crew,
        server: Option<Server>,
        feed: Option<FeedAge>,
        clock: Clock,
    ) -> Result<Self, Fault> {
        Ok(Self {
            crew,
            server,
            feed,
            clock,
            warm_ns: nanos(settings.warmup),
            drain: settings.deadline * 2 + DRAIN_SLACK,
            ended_early: false,
            spare: Interval::new()?,
            second: Interval::new()?,
            total: Interval::new()?,
            ended: Counts::default(),
            server_times: Times::default(),
            generator_times: Vec::new(),
            generator_first: Vec::new(),
            generator_last: Vec::new(),
            last_ns: 0,
            measured_from_ns: 0,
            series: Vec::new(),
        })
    }

    pub async fn follow(&mut self) -> Result<(), Fault> {
        let mut interrupts = Interrupts::listen()?;
        tokio::time::sleep_until(self.clock.at(0).into()).await;
        self.begin_measuring();
        let mut boundary_ns = 0;
        while boundary_ns < self.end_ns() {
            boundary_ns = self.next_boundary(boundary_ns);
            if self.is_interrupted_before(boundary_ns, &mut interrupts).await? {
                say("ending early; once more to leave at once");
                boundary_ns = self.clock.now_ns();
                self.ended_early = true;
                self.crew.end_ns.store(boundary_ns, Ordering::Relaxed);
            }
            boundary_ns = boundary_ns.min(self.end_ns().max(self.warm_ns));
            self.look(boundary_ns)?;
        }
        self.finish(&mut interrupts).await
    }

    async fn is_interrupted_before(&mut self, boundary_ns: u64, interrupts: &mut Interrupts) -> Result<bool, Fault> {
        let boundary = tokio::time::sleep_until(self.clock.at(boundary_ns).into());
        tokio::pin!(boundary);
        loop {
            tokio::select! {
                () = &mut boundary => return Ok(false),
                () = interrupts.next() => return Ok(true),
                ended = self.crew.ended() => {
                    ended?;
                    if self.crew.running == 0 && self.end_ns() < boundary_ns {
                        return Ok(false);
                    }
                }
            }
        }
    }

    /// What the server and the threads have used until now belongs to no measured second.
    fn begin_measuring(&mut self) {
        if let Some(server) = &mut self.server {
            server.sample();
        }
        self.generator_first = self.crew.times();
        self.generator_last.clone_from(&self.generator_first);
        self.last_ns = self.clock.now_ns();
        self.measured_from_ns = self.last_ns;
    }

    fn end_ns(&self) -> u64 {
        self.crew.end_ns.load(Ordering::Relaxed)
    }

    /// The next full second of the warm-up or of the measured time, which begins at a boundary of its own.
    fn next_boundary(&self, from_ns: u64) -> u64 {
        let phase_end_ns = if from_ns < self.warm_ns { self.warm_ns } else { self.end_ns() };
        (from_ns + SECOND_NS).min(phase_end_ns)
    }

    /// One second ends: what happened in it becomes a point, and counts if it was measured.
    fn look(&mut self, boundary_ns: u64) -> Result<(), Fault> {
        self.collect()?;
        let sample = self.server.as_mut().map(Server::sample);
        let generator = self.crew.times();
        let now_ns = self.clock.now_ns();
        let measured = boundary_ns > self.warm_ns;
        let point = self.point(boundary_ns, now_ns, sample, &generator);
        say(&progress::line(&point, if measured { "" } else { "warm-up" }));
        self.last_ns = now_ns;
        if measured {
            self.ended.add(&self.second.ended);
            self.server_times += sample.map(|s| s.times).unwrap_or_default();
            self.series.push(point);
        } else {
            self.generator_first.clone_from(&generator);
            self.measured_from_ns = now_ns;
        }
        self.generator_last = generator;
        Ok(())
    }

    fn point(&self, boundary_ns: u64, now_ns: u64, sample: Option<Sample>, generator: &[Times]) -> Point {
        let seconds = (now_ns.saturating_sub(self.last_ns)).max(1) as f64 / 1e9;
        let generator_ns: u64 =
            generator.iter().zip(&self.generator_last).map(|(now, last)| now.since(*last).cpu_ns).sum();
        let measured = boundary_ns > self.warm_ns;
        let from_ns = if measured { self.warm_ns } else { 0 };
        let latency = &self.second.latency;
        let quantile = |q: f64| (measured && !latency.is_empty()).then(|| latency.value_at_quantile(q));
        Point {
            t_s: boundary_ns.saturating_sub(from_ns) as f64 / 1e9,
            right_per_s: self.second.ended.right as f64 / seconds,
            errors_per_s: self.second.ended.failed() as f64 / seconds,
            ended: self.second.ended.clone(),
            p50_us: quantile(0.5),
            p99_us: quantile(0.99),
            max_us: quantile(1.0),
            server_cores: sample.map(|s| s.times.cpu_ns as f64 / 1e9 / seconds),
            server_rss_bytes: sample.map(|s| s.rss_bytes).filter(|rss| *rss > 0),
            server_descriptors: sample.map(|s| s.descriptors).filter(|n| *n > 0),
            generator_cores: generator_ns as f64 / 1e9 / seconds,
            feed_age_s: self.feed.as_ref().and_then(|f| f.worst.take()),
        }
    }

    /// Takes what the threads have recorded since the last time into `second` and `total`.
    fn collect(&mut self) -> Result<(), Fault> {
        self.second.clear();
        for recorder in &self.crew.recorders {
            self.spare.clear();
            recorder.take(&mut self.spare);
            self.second.merge(&self.spare)?;
        }
        self.total.merge(&self.second)
    }

    /// Waits until every request that was due is accounted for.
    async fn finish(&mut self, interrupts: &mut Interrupts) -> Result<(), Fault> {
        let generator = self.generator_last.iter().zip(&self.generator_first);
        self.generator_times = generator.map(|(last, first)| last.since(*first)).collect();
        let patience = tokio::time::sleep(self.drain);
        tokio::pin!(patience);
        while self.crew.running > 0 {
            tokio::select! {
                ended = self.crew.ended() => ended?,
                () = interrupts.next() => break,
                () = &mut patience => {
                    say("some requests could not be accounted for");
                    break;
                }
            }
        }
        self.collect()
    }

    pub fn outcome(self, settings: &Settings, started_at: SystemTime, prepared: &Prepared) -> Outcome {
        let measured_ns = self.end_ns().saturating_sub(self.warm_ns);
        let clean = |text: &str| scrubbed(text, &settings.secrets());
        let mut total = self.total;
        total.links.why = total.links.why.as_deref().map(clean);
        Outcome {
            started_at,
            duration: Duration::from_nanos(measured_ns),
            observed: Duration::from_nanos(self.last_ns.saturating_sub(self.measured_from_ns)),
            ended_early: self.ended_early,
            is_first: self.crew.is_first,
            total,
            ended: self.ended,
            server_times: self.server.as_ref().map(|_| self.server_times),
            server_pids: self.server.as_ref().map(|s| s.pids().to_vec()).unwrap_or_default(),
            server_processes: self.server.map(|s| s.names).unwrap_or_default(),
            generator_times: self.generator_times,
            series: self.series,
            tls: prepared.tls.clone(),
            server_header: prepared.server.as_deref().map(clean),
            http1: prepared.http1,
        }
    }
}

/// Ctrl-C and SIGTERM.
pub struct Interrupts {
    interrupt: Signal,
    terminate: Signal,
}

impl Interrupts {
    pub fn listen() -> Result<Self, Fault> {
        let listen = |kind| signal(kind).map_err(|e| Fault::local("signals", e));
        Ok(Self { interrupt: listen(SignalKind::interrupt())?, terminate: listen(SignalKind::terminate())? })
    }

    pub async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

pub fn nanos(duration: Duration) -> u64 {
    duration.as_nanos() as u64
}

const SECOND_NS: u64 = 1_000_000_000;
const FEED_PAUSE: Duration = Duration::from_millis(250);
/// Beyond the deadlines of the last request: one to be sent, one to be answered.
const DRAIN_SLACK: Duration = Duration::from_secs(6);
