//! The phases of a run: prepare, connect, warm up, measure, drain, report. The main thread does the first and
//! the last and looks at everything once a second in between.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use http::Uri;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tokio::task::LocalSet;

use crate::args::{Loop, Settings};
use crate::fault::Fault;
use crate::html;
use crate::metrics::find_feed_age_s;
use crate::procfs::{self, Times};
use crate::progress::{self, say};
use crate::record::{Counts, Interval, Recorder};
use crate::redact::scrubbed;
use crate::report::{Outcome, Point, Report};
use crate::schedule::{Pace, Schedule};
use crate::server::{Sample, Server};
use crate::setup::{self, Prepared};
use crate::timer::Clock;
use crate::worker::{self, Orders, Ready};

/// The exit code: 1 when an answer was wrong or none was right.
pub fn run(settings: &Settings) -> Result<u8, Fault> {
    std::fs::create_dir_all(&settings.out).map_err(|e| Fault::local(&settings.out.display().to_string(), e))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|e| Fault::local("runtime", e))?;
    let outcome = LocalSet::new().block_on(&runtime, drive(settings))?;
    // A second Ctrl-C leaves threads behind that need not be waited for.
    runtime.shutdown_background();
    let report = Report::new(settings, outcome);
    write(settings, &report)?;
    say(&report.summary());
    Ok(u8::from(report.wrong() > 0 || report.rate_achieved == 0.0))
}

fn write(settings: &Settings, report: &Report) -> Result<(), Fault> {
    let json = serde_json::to_string_pretty(report).map_err(|e| Fault::local("report.json", e))?;
    for (name, text) in [("report.json", json), ("report.html", html::page(report))] {
        let path = settings.out.join(name);
        std::fs::write(&path, text).map_err(|e| Fault::local(&path.display().to_string(), e))?;
        say(&format!("wrote {}", path.display()));
    }
    Ok(())
}

async fn drive(settings: &Settings) -> Result<Outcome, Fault> {
    let mut prepared = setup::prepare(settings).await?;
    let server = Server::find(&settings.server_pid, prepared.target.address());
    say(&match &server {
        Some(server) => format!("measuring the server: {}", server.names.join(", ")),
        None => "the server's process is not measured".to_owned(),
    });
    let mut crew = Crew::hire(settings, &prepared).await?;
    if let Some(refresh) = prepared.take_refresh() {
        tokio::task::spawn_local(refresh.run());
    }
    let feed = settings.metrics_url.clone().map(FeedAge::watch);
    let started_at = SystemTime::now();
    let clock = crew.start();
    let mut watch = Watch::new(settings, crew, server, feed, clock)?;
    watch.follow().await?;
    Ok(watch.outcome(settings, started_at, &prepared))
}

/// The generator threads, as the main thread sees them.
struct Crew {
    recorders: Vec<Recorder>,
    thread_ids: Vec<u32>,
    waiting: Vec<Ready>,
    end_ns: Arc<AtomicU64>,
    finished: mpsc::UnboundedReceiver<Result<(), Fault>>,
    /// Threads that have not told their end.
    running: usize,
    /// Threads stay until these are dropped, so that their CPU time can be read to the end.
    _stay: Vec<std::sync::mpsc::Sender<()>>,
}

impl Crew {
    /// Threads that are connected and wait for the start.
    async fn hire(settings: &Settings, prepared: &Prepared) -> Result<Self, Fault> {
        let end_ns = Arc::new(AtomicU64::new(nanos(settings.warmup + settings.duration)));
        let (ready_to, mut ready) = mpsc::unbounded_channel();
        let (finished_to, mut finished) = mpsc::unbounded_channel();
        let (mut recorders, mut stay) = (Vec::new(), Vec::new());
        for thread in 0..settings.threads {
            let recorder = Recorder::new(nanos(settings.warmup))?;
            recorders.push(recorder.clone());
            let orders = orders(settings, prepared, thread, recorder, Arc::clone(&end_ns));
            let (ready_to, finished_to) = (ready_to.clone(), finished_to.clone());
            let (stay_to, dismissed) = std::sync::mpsc::channel::<()>();
            stay.push(stay_to);
            let work = move || {
                // The receiver is gone only when the run was given up.
                let _ = finished_to.send(worker::work(orders, &ready_to));
                // Ends by the sender's end.
                let _ = dismissed.recv();
            };
            std::thread::Builder::new()
                .name(format!("generator-{thread}"))
                .spawn(work)
                .map_err(|e| Fault::local("thread", e))?;
        }
        let mut waiting: Vec<Ready> = Vec::new();
        while waiting.len() < settings.threads {
            tokio::select! {
                Some(one) = ready.recv() => waiting.push(one),
                Some(Err(fault)) = finished.recv() => return Err(fault),
                else => return Err(Fault::Local("a generator thread ended before the start".to_owned())),
            }
        }
        for why in waiting.iter().filter_map(|r| r.failed.as_deref()) {
            say(&format!("not every connection could be made, trying on: {why}"));
        }
        Ok(Self {
            thread_ids: waiting.iter().map(|r| r.thread_id).collect(),
            recorders,
            waiting,
            end_ns,
            finished,
            running: settings.threads,
            _stay: stay,
        })
    }

    /// All threads begin at one moment a little ahead.
    fn start(&mut self) -> Clock {
        let start = Instant::now() + START_AHEAD;
        for ready in self.waiting.drain(..) {
            // A thread that has died tells so through `finished`.
            let _ = ready.start.send(start);
        }
        Clock::from(start)
    }

    /// Waits for the next thread to end, well or not; forever when none is left.
    async fn ended(&mut self) -> Result<(), Fault> {
        let Some(result) = self.finished.recv().await else { return std::future::pending().await };
        self.running = self.running.saturating_sub(1);
        result
    }

    fn times(&self) -> Vec<Times> {
        self.thread_ids.iter().map(|tid| procfs::own_thread_times(*tid).unwrap_or_default()).collect()
    }
}

fn orders(
    settings: &Settings,
    prepared: &Prepared,
    thread: usize,
    recorder: Recorder,
    end_ns: Arc<AtomicU64>,
) -> Orders {
    let share = settings.connections / settings.threads + usize::from(thread < settings.connections % settings.threads);
    let schedule = match settings.pace {
        Loop::Open { rate } => Some(Schedule::new(Pace::new(rate, settings.threads, thread), nanos(settings.deadline))),
        Loop::Closed => None,
    };
    let pin = settings.pin.iter().cycle().nth(thread).copied();
    Orders {
        target: prepared.target.clone(),
        connections: share,
        streams: settings.streams,
        schedule,
        scenario: prepared.scenario(settings.seed, thread),
        recorder,
        deadline: settings.deadline,
        end_ns,
        pin,
        spin: settings.spin,
    }
}

/// The oldest feed age seen since the last look.
struct FeedAge(Rc<Cell<Option<f64>>>);

impl FeedAge {
    fn watch(url: Uri) -> Self {
        let worst = Rc::new(Cell::new(None));
        let seen = Rc::clone(&worst);
        tokio::task::spawn_local(async move {
            loop {
                if let Some(age) = find_feed_age_s(&url).await {
                    seen.set(Some(seen.get().map_or(age, |worst: f64| worst.max(age))));
                }
                tokio::time::sleep(FEED_PAUSE).await;
            }
        });
        Self(worst)
    }
}

/// The main thread's eye on the run.
struct Watch {
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
    fn new(
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

    async fn follow(&mut self) -> Result<(), Fault> {
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
                ended = self.crew.ended() => ended?,
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
            generator_cores: generator_ns as f64 / 1e9 / seconds,
            feed_age_s: self.feed.as_ref().and_then(|f| f.0.take()),
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

    fn outcome(self, settings: &Settings, started_at: SystemTime, prepared: &Prepared) -> Outcome {
        let measured_ns = self.end_ns().saturating_sub(self.warm_ns);
        let clean = |text: &str| scrubbed(text, &settings.secrets());
        let mut total = self.total;
        total.links.why = total.links.why.as_deref().map(clean);
        Outcome {
            started_at: started_at + settings.warmup,
            duration: Duration::from_nanos(measured_ns),
            observed: Duration::from_nanos(self.last_ns.saturating_sub(self.measured_from_ns)),
            ended_early: self.ended_early,
            total,
            ended: self.ended,
            server_times: self.server.as_ref().map(|_| self.server_times),
            server_pids: self.server.as_ref().map(|s| s.pids().to_vec()).unwrap_or_default(),
            server_processes: self.server.map(|s| s.names).unwrap_or_default(),
            generator_times: self.generator_times,
            series: self.series,
            tls: prepared.tls.clone(),
            server_header: prepared.server.as_deref().map(clean),
        }
    }
}

/// Ctrl-C and SIGTERM.
struct Interrupts {
    interrupt: Signal,
    terminate: Signal,
}

impl Interrupts {
    fn listen() -> Result<Self, Fault> {
        let listen = |kind| signal(kind).map_err(|e| Fault::local("signals", e));
        Ok(Self { interrupt: listen(SignalKind::interrupt())?, terminate: listen(SignalKind::terminate())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

fn nanos(duration: Duration) -> u64 {
    duration.as_nanos() as u64
}

const SECOND_NS: u64 = 1_000_000_000;
const START_AHEAD: Duration = Duration::from_millis(20);
const FEED_PAUSE: Duration = Duration::from_millis(250);
/// Beyond the deadlines of the last request: one to be sent, one to be answered.
const DRAIN_SLACK: Duration = Duration::from_secs(6);
