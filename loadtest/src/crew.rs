//! The generator threads, as the main thread sees them.

use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Instant;

use tokio::sync::mpsc;

use crate::args::{Loop, Settings};
use crate::fault::Fault;
use crate::procfs::{self, Times};
use crate::progress::say;
use crate::record::Recorder;
use crate::schedule::{Pace, Schedule};
use crate::setup::Prepared;
use crate::timer::Clock;
use crate::watch::nanos;
use crate::worker::{self, Errand, Orders, Ready};

pub struct Crew {
    pub recorders: Vec<Recorder>,
    thread_ids: Vec<u32>,
    waiting: Vec<Ready>,
    pub end_ns: Arc<AtomicU64>,
    finished: mpsc::UnboundedReceiver<Result<(), Fault>>,
    /// Threads that have not told their end.
    pub running: usize,
    /// Threads run as soon as they have something to do, whoever else wants their core.
    pub is_first: bool,
    /// Threads stay until these are dropped, so that their CPU time can be read to the end.
    _stay: Vec<std::sync::mpsc::Sender<()>>,
}

impl Crew {
    /// Threads that are connected and wait for the start.
    pub async fn hire(settings: &Settings, prepared: &Prepared, errand: Errand) -> Result<Self, Fault> {
        let end_ns = Arc::new(AtomicU64::new(nanos(settings.warmup + settings.duration)));
        let (ready_to, mut ready) = mpsc::unbounded_channel();
        let (finished_to, mut finished) = mpsc::unbounded_channel();
        let (mut recorders, mut stay) = (Vec::new(), Vec::new());
        for thread in 0..settings.threads {
            let recorder = Recorder::new(nanos(settings.warmup))?;
            recorders.push(recorder.clone());
            let orders = orders(settings, prepared, errand, thread, recorder, Arc::clone(&end_ns));
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
        let thread_ids: Vec<u32> = waiting.iter().map(|r| r.thread_id).collect();
        Ok(Self {
            is_first: settings.scenario.is_of_latency_beside_work() && !settings.spin && are_first(&thread_ids),
            thread_ids,
            recorders,
            waiting,
            end_ns,
            finished,
            running: settings.threads,
            _stay: stay,
        })
    }

    /// A task of the main thread in the place of generator threads.
    pub fn of_task(
        recorder: Recorder,
        end_ns: Arc<AtomicU64>,
        finished: mpsc::UnboundedReceiver<Result<(), Fault>>,
    ) -> Self {
        let thread_id = rustix::thread::gettid().as_raw_nonzero().get().unsigned_abs();
        Self {
            recorders: vec![recorder],
            thread_ids: vec![thread_id],
            waiting: Vec::new(),
            end_ns,
            finished,
            running: 1,
            is_first: false,
            _stay: Vec::new(),
        }
    }

    /// All threads begin at one moment a little ahead.
    pub fn start(&mut self, start: Instant) -> Clock {
        for ready in self.waiting.drain(..) {
            // A thread that has died tells so through `finished`.
            let _ = ready.start.send(start);
        }
        Clock::from(start)
    }

    /// Waits for the next thread to end, well or not; forever when none is left.
    pub async fn ended(&mut self) -> Result<(), Fault> {
        let Some(result) = self.finished.recv().await else { return std::future::pending().await };
        self.running = self.running.saturating_sub(1);
        result
    }

    pub fn times(&self) -> Vec<Times> {
        self.thread_ids.iter().map(|tid| procfs::own_thread_times(*tid).unwrap_or_default()).collect()
    }
}

/// SCHED_FIFO for these threads, by util-linux's chrt, if this process may. A client on another machine does not wait until
/// this one's scheduler takes a core from somebody who is busy.
fn are_first(thread_ids: &[u32]) -> bool {
    thread_ids.iter().all(|id| {
        let mut chrt = std::process::Command::new("chrt");
        chrt.args(["--fifo", "--pid", "1", &id.to_string()]).stdout(Stdio::null()).stderr(Stdio::null());
        chrt.status().is_ok_and(|status| status.success())
    })
}

fn orders(
    settings: &Settings,
    prepared: &Prepared,
    errand: Errand,
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
        streams: if prepared.http1 { 1 } else { settings.streams },
        errand,
        http1: prepared.http1,
        schedule,
        scenario: prepared.scenario(settings.seed, thread),
        recorder,
        deadline: settings.deadline,
        end_ns,
        pin,
        spin: settings.spin,
    }
}
