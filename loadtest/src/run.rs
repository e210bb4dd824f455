//! From settings to a report on disk, and the two ways in which a scenario measures: `load`, by generator threads that
//! follow a schedule; and `observe`, around work of its own that records what it sees. Both are watched alike.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use tokio::sync::mpsc;
use tokio::task::LocalSet;

use crate::args::Settings;
use crate::crew::Crew;
use crate::fault::Fault;
use crate::html;
use crate::play;
use crate::procfs;
use crate::progress::say;
use crate::record::{Passage, Recorder};
use crate::report::{Outcome, Report};
use crate::server::Server;
use crate::setup::Prepared;
use crate::timer::Clock;
use crate::watch::{FeedAge, Interrupts, Watch};
use crate::worker::Errand;

/// The exit code: 1 when an answer was wrong, or nothing right was seen.
pub fn run(settings: &Settings) -> Result<u8, Fault> {
    std::fs::create_dir_all(&settings.out).map_err(|e| Fault::local(&settings.out.display().to_string(), e))?;
    procfs::raise_descriptor_limit();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|e| Fault::local("runtime", e))?;
    let report = LocalSet::new().block_on(&runtime, until_interrupted(settings))?;
    // A second Ctrl-C leaves threads behind that need not be waited for.
    runtime.shutdown_background();
    write(settings, &report)?;
    say(&report.summary());
    Ok(u8::from(report.has_failed()))
}

/// A load that runs ends by itself at the first interrupt and leaves at the second; what is between loads does not.
async fn until_interrupted(settings: &Settings) -> Result<Report, Fault> {
    let mut interrupts = Interrupts::listen()?;
    let mut too_often = async || {
        for _ in 0..INTERRUPTS_MAX {
            interrupts.next().await;
        }
    };
    tokio::select! {
        report = play::play(settings) => report,
        () = too_often() => Err(Fault::Local("interrupted".to_owned())),
    }
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

/// One measured load of `settings.duration` after `settings.warmup`.
pub async fn load(settings: &Settings, prepared: &Prepared, errand: Errand) -> Result<Outcome, Fault> {
    let server = find_server(settings, prepared);
    let mut crew = Crew::hire(settings, prepared, errand).await?;
    let feed = settings.metrics_url.clone().map(FeedAge::watch);
    let started_at = SystemTime::now();
    let clock = crew.start(Instant::now() + START_AHEAD);
    let mut watch = Watch::new(settings, crew, server, feed, clock)?;
    watch.follow().await?;
    Ok(watch.outcome(settings, started_at + settings.warmup, prepared))
}

/// What work of a scenario's own may tell, and ask.
#[derive(Clone)]
pub struct Observed {
    recorder: Recorder,
    pub clock: Clock,
    end_ns: Arc<AtomicU64>,
}

impl Observed {
    pub fn is_over(&self) -> bool {
        self.clock.now_ns() >= self.end_ns.load(Ordering::Relaxed)
    }

    pub fn record(&self, from_ns: u64, outcome: Result<(), crate::record::Kind>) {
        let done_ns = self.clock.now_ns();
        self.record_passage(from_ns, done_ns, outcome);
    }

    pub fn record_passage(&self, from_ns: u64, done_ns: u64, outcome: Result<(), crate::record::Kind>) {
        let passage = Passage { due_ns: from_ns, sent_ns: Some(from_ns), done_ns, stream_was_free: true };
        self.recorder.record(&passage, outcome);
    }

    pub fn note_link(&self, note: impl FnOnce(&mut crate::record::Links)) {
        self.recorder.note_link(note);
    }
}

/// Watches the server while `work` goes on. `planned`: what `is_over` tells the work; None leaves the end to it.
pub async fn observe<T: 'static, F: Future<Output = Result<T, Fault>> + 'static>(
    settings: &Settings,
    prepared: &Prepared,
    planned: Option<Duration>,
    work: impl FnOnce(Observed) -> F,
) -> Result<(Outcome, T), Fault> {
    let mut settings = settings.clone();
    settings.warmup = Duration::ZERO;
    let server = find_server(&settings, prepared);
    let recorder = Recorder::new(0)?;
    let end_ns = Arc::new(AtomicU64::new(planned.unwrap_or(ENDLESS).as_nanos() as u64));
    let (finished_to, finished) = mpsc::unbounded_channel();
    let mut crew = Crew::of_task(recorder.clone(), Arc::clone(&end_ns), finished);
    let feed = settings.metrics_url.clone().map(FeedAge::watch);
    let started_at = SystemTime::now();
    let clock = crew.start(Instant::now());
    let work = work(Observed { recorder, clock, end_ns: Arc::clone(&end_ns) });
    let task = tokio::task::spawn_local(async move {
        let done = work.await;
        end_ns.store(clock.now_ns(), Ordering::Relaxed);
        // The receiver is gone only when the run was given up.
        let _ = finished_to.send(Ok(()));
        done
    });
    let mut watch = Watch::new(&settings, crew, server, feed, clock)?;
    watch.follow().await?;
    let found = task.await.map_err(|e| Fault::local("the work observed", e))??;
    Ok((watch.outcome(&settings, started_at, prepared), found))
}

fn find_server(settings: &Settings, prepared: &Prepared) -> Option<Server> {
    let server = Server::find(&settings.server_pid, prepared.target.address());
    if server.is_none() {
        say("the server's process is not measured");
    }
    server
}

const START_AHEAD: Duration = Duration::from_millis(20);
const ENDLESS: Duration = Duration::from_hours(24 * 7);
const INTERRUPTS_MAX: usize = 3;
