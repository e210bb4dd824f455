//! `hash-queue`: the thread that lets jobs wait, lays them on desks, and answers their askers.

use super::thread::{Desk, End, Finished, Work};
use super::{HashFault, Spent};
use crate::clock::monotonic_us;
use crate::metrics::{self, Counter, Gauge, Histogram};
use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::{JoinHandle, Thread};
use std::time::Instant;
use tokio::sync::oneshot;

pub(super) type Answer = Result<(Vec<u8>, Spent), HashFault>;

/// A hash that somebody waits for.
pub(super) struct Job {
    work: Work,
    due: Instant,
    submitted_us: u64,
    asker: oneshot::Sender<Answer>,
}

impl Job {
    pub fn new(work: Work, due: Instant, asker: oneshot::Sender<Answer>) -> Self {
        Self { work, due, submitted_us: monotonic_us(), asker }
    }
}

/// What waits. Its lock is never held by a hash thread.
pub(super) struct Queue {
    inbox: Mutex<Inbox>,
    jobs_max: usize,
    thread: OnceLock<Thread>,
    metrics: Metrics,
}

#[derive(Default)]
struct Inbox {
    jobs: VecDeque<Job>,
    is_closed: bool,
}

impl Queue {
    pub fn new(jobs_max: usize) -> Self {
        let inbox = Inbox { jobs: VecDeque::with_capacity(jobs_max.max(1)), is_closed: false };
        Self {
            inbox: Mutex::new(inbox),
            jobs_max: jobs_max.max(1),
            thread: OnceLock::new(),
            metrics: Metrics::register(),
        }
    }

    /// Puts a job at the end.
    pub fn submit(&self, job: Job) -> Result<(), HashFault> {
        let mut inbox = self.inbox();
        if inbox.is_closed {
            return Err(HashFault::Closed);
        }
        if inbox.jobs.len() >= self.jobs_max {
            drop(inbox);
            self.metrics.full.inc();
            return Err(HashFault::Full);
        }
        inbox.jobs.push_back(job);
        self.metrics.waiting.set(inbox.jobs.len() as i64);
        drop(inbox);
        self.ring();
        Ok(())
    }

    pub fn close(&self) {
        self.inbox().is_closed = true;
        self.ring();
    }

    /// Something to look at.
    pub fn ring(&self) {
        if let Some(thread) = self.thread.get() {
            thread.unpark();
        }
    }

    fn inbox(&self) -> MutexGuard<'_, Inbox> {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Jobs by how they ended, and what is going on.
struct Metrics {
    waiting: Gauge,
    busy: Gauge,
    seconds: Histogram,
    queued_seconds: Histogram,
    done: Counter,
    full: Counter,
    late: Counter,
    abandoned: Counter,
    wasted: Counter,
    failed: Counter,
    panics: Counter,
}

impl Metrics {
    fn register() -> Self {
        let outcome = |outcome| {
            metrics::counter("sigid_hash_jobs_total", "Password hashes by how they ended.", &[("outcome", outcome)])
        };
        Self {
            waiting: metrics::gauge("sigid_hash_waiting", "Password hashes that wait for a thread.", &[]),
            busy: metrics::gauge("sigid_hash_busy", "Hash threads at work.", &[]),
            seconds: metrics::histogram("sigid_hash_seconds", "Time of a password hash on its thread.", &[]),
            queued_seconds: metrics::histogram(
                "sigid_hash_queued_seconds",
                "Time a password hash waited for a thread.",
                &[],
            ),
            done: outcome("done"),
            full: outcome("full"),
            late: outcome("late"),
            abandoned: outcome("abandoned"),
            wasted: outcome("wasted"),
            failed: outcome("failed"),
            panics: metrics::counter("sigid_panics_total", "Panics caught.", &[("where", "hash")]),
        }
    }
}

/// A desk as `hash-queue` sees it.
struct Seat {
    desk: Arc<Desk>,
    /// Who waits for what lies on it, and how long it lay in the queue.
    asker: Option<(oneshot::Sender<Answer>, u64)>,
}

/// Starts `hash-queue`.
pub(super) fn start(queue: &Arc<Queue>, desks: Vec<Arc<Desk>>, kept_kib: u32) -> io::Result<JoinHandle<()>> {
    let owned = queue.clone();
    let thread = std::thread::Builder::new().name("hash-queue".into()).spawn(move || {
        let queue = owned;
        let mut seats: Vec<Seat> = desks.into_iter().map(|desk| Seat { desk, asker: None }).collect();
        loop {
            collect(&queue, &mut seats);
            let next = hand_out(&queue, &mut seats, kept_kib);
            queue.metrics.busy.set(seats.iter().filter(|seat| seat.asker.is_some()).count() as i64);
            match next {
                Next::End => break,
                Next::Ring => std::thread::park(),
                Next::RingOr(due) => std::thread::park_timeout(due.saturating_duration_since(Instant::now())),
            }
        }
        for seat in &seats {
            seat.desk.close();
        }
    })?;
    let _ = queue.thread.set(thread.thread().clone());
    Ok(thread)
}

/// What `hash-queue` waits for.
enum Next {
    Ring,
    /// A ring, or the deadline of the first in the queue.
    RingOr(Instant),
    End,
}

/// Answers the askers of what is finished.
fn collect(queue: &Queue, seats: &mut [Seat]) {
    for seat in seats.iter_mut().filter(|seat| seat.asker.is_some()) {
        if let Some(finished) = seat.desk.collect()
            && let Some((asker, queued_us)) = seat.asker.take()
        {
            answer(&queue.metrics, finished, asker, queued_us);
        }
    }
}

fn answer(metrics: &Metrics, finished: Finished, asker: oneshot::Sender<Answer>, queued_us: u64) {
    let Finished { work, worked_us, end } = finished;
    metrics.seconds.observe_us(worked_us);
    if end != End::Done {
        metrics.failed.inc();
        if end == End::Panicked {
            metrics.panics.inc();
        }
        tracing::error!(is_panic = end == End::Panicked, "a password hash failed");
        let _ = asker.send(Err(HashFault::Failed));
        return;
    }
    match asker.send(Ok((work.output, Spent { queued_us, worked_us }))) {
        Ok(()) => metrics.done.inc(),
        // Nobody waits any more: the deadline passed meanwhile, or the peer went away.
        Err(_) => metrics.wasted.inc(),
    }
}

/// Refuses what is late, skips what nobody wants, and fills the free desks in the order of arrival.
fn hand_out(queue: &Queue, seats: &mut [Seat], kept_kib: u32) -> Next {
    let mut inbox = queue.inbox();
    let fault = if inbox.is_closed { HashFault::Closed } else { HashFault::Late };
    let refused = inbox.take_refused(Instant::now());
    fill(&queue.metrics, &mut inbox.jobs, seats, kept_kib);
    queue.metrics.waiting.set(inbox.jobs.len() as i64);
    let is_idle = seats.iter().all(|seat| seat.asker.is_none());
    let next = match inbox.jobs.front() {
        Some(first) => Next::RingOr(first.due),
        None if inbox.is_closed && is_idle => Next::End,
        None => Next::Ring,
    };
    drop(inbox);
    queue.metrics.late.add(if fault == HashFault::Late { refused.len() as u64 } else { 0 });
    for job in refused {
        let _ = job.asker.send(Err(fault));
    }
    next
}

impl Inbox {
    /// Those whose deadline has passed; all when closed. Every job may wait equally long, so the oldest are due first.
    fn take_refused(&mut self, now: Instant) -> Vec<Job> {
        let is_closed = self.is_closed;
        let refused = std::iter::from_fn(|| self.jobs.pop_front_if(|job| is_closed || job.due <= now));
        refused.collect()
    }
}

fn fill(metrics: &Metrics, jobs: &mut VecDeque<Job>, seats: &mut [Seat], kept_kib: u32) {
    for seat in seats.iter_mut().filter(|seat| seat.asker.is_none()) {
        let Some(job) = take_wanted(metrics, jobs, kept_kib) else { return };
        let queued_us = monotonic_us().saturating_sub(job.submitted_us);
        metrics.queued_seconds.observe_us(queued_us);
        seat.asker = Some((job.asker, queued_us));
        seat.desk.give(job.work);
    }
}

/// The first whose asker still waits and for which there is memory.
fn take_wanted(metrics: &Metrics, jobs: &mut VecDeque<Job>, kept_kib: u32) -> Option<Job> {
    loop {
        let mut job = jobs.pop_front()?;
        if job.asker.is_closed() {
            metrics.abandoned.inc();
        } else if job.work.make_room(kept_kib).is_err() {
            metrics.failed.inc();
            let _ = job.asker.send(Err(HashFault::Failed));
        } else {
            return Some(job);
        }
    }
}
