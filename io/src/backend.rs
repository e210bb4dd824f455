//! The cold side: one tokio runtime, a bounded queue from the shards, a deadline on every answer.
//!
//! A shard never waits here: it tries to enqueue and keeps serving; a full queue is answered 503 by
//! the shard itself. A request whose peer went away before its turn is not begun. Panics are caught
//! per request and counted.

use crate::http::{ColdRequest, Reply};
use crate::metrics::{self, Counter};
use http::{HeaderValue, StatusCode, header};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::time::Instant;

/// A cold request is answered within this of its arrival, time in the queue included, or 503.
pub const COLD_DEADLINE: Duration = Duration::from_secs(20);
/// Cold requests worked on at once; the rest wait in the queue.
pub const COLD_CONCURRENCY_MAX: usize = 256;

pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Answers a cold request; made once at boot.
pub type ColdHandler = Arc<dyn Fn(ColdRequest) -> BoxFuture<'static, Reply> + Send + Sync>;

struct Job {
    request: ColdRequest,
    due: Instant,
    reply: oneshot::Sender<Reply>,
}

/// The shards' end of the queue.
#[derive(Clone)]
pub struct ColdQueue {
    sender: mpsc::Sender<Job>,
    refused: Counter,
}

impl ColdQueue {
    /// Enqueues, or `None` when the queue is full or closed.
    pub fn offer(&self, request: ColdRequest) -> Option<oneshot::Receiver<Reply>> {
        let (reply, receiver) = oneshot::channel();
        if self.sender.try_send(Job { request, due: Instant::now() + COLD_DEADLINE, reply }).is_err() {
            self.refused.inc();
            return None;
        }
        Some(receiver)
    }
}

/// The backend's end of the queue, until [`Intake::run`] serves it.
pub struct Intake {
    receiver: mpsc::Receiver<Job>,
}

/// A queue of at most `queue_max` cold requests.
pub fn queue(queue_max: usize) -> (ColdQueue, Intake) {
    let (sender, receiver) = mpsc::channel(queue_max.max(1));
    let refused =
        metrics::counter("sigid_cold_refused_total", "Requests refused because the cold queue was full.", &[]);
    (ColdQueue { sender, refused }, Intake { receiver })
}

impl Intake {
    /// Serves until `stop`, then answers what is queued and waits for what is being answered.
    pub async fn run(mut self, handler: ColdHandler, stop: oneshot::Receiver<()>) {
        let mut stop = std::pin::pin!(async move { drop(stop.await) });
        let mut is_stopping = false;
        let permits = Arc::new(Semaphore::new(COLD_CONCURRENCY_MAX));
        let busy = metrics::gauge("sigid_cold_busy", "Cold requests being answered now.", &[]);
        let panics = metrics::counter("sigid_panics_total", "Panics caught.", &[("where", "cold")]);
        loop {
            let job = tokio::select! {
                job = self.receiver.recv() => job,
                () = &mut stop, if !is_stopping => {
                    is_stopping = true;
                    self.receiver.close();
                    continue;
                }
            };
            let Some(job) = job else { break };
            let Ok(permit) = permits.clone().acquire_owned().await else { return };
            if job.reply.is_closed() {
                continue;
            }
            let (handler, busy, panics) = (handler.clone(), busy.clone(), panics.clone());
            tokio::spawn(async move {
                busy.add(1);
                let reply = answer(handler, job.request, job.due, &panics).await;
                busy.add(-1);
                drop(permit);
                // The peer may have gone; then nobody wants the reply.
                let _ = job.reply.send(reply);
            });
        }
        let _ = permits.acquire_many(COLD_CONCURRENCY_MAX as u32).await;
    }
}

async fn answer(handler: ColdHandler, request: ColdRequest, due: Instant, panics: &Counter) -> Reply {
    if Instant::now() >= due {
        return unavailable();
    }
    // A task of its own, so that a panic ends the task and not the intake.
    let mut task = tokio::spawn(handler(request));
    match tokio::time::timeout_at(due, &mut task).await {
        Ok(Ok(reply)) => reply,
        Ok(Err(_panicked)) => {
            panics.inc();
            Reply::empty(StatusCode::INTERNAL_SERVER_ERROR)
        }
        Err(_late) => {
            task.abort();
            unavailable()
        }
    }
}

/// 503 with `Retry-After`: what a full queue, a late answer and a lost database look like.
pub fn unavailable() -> Reply {
    Reply::no_store_json(StatusCode::SERVICE_UNAVAILABLE, &br#"{"error":"temporarily_unavailable"}"#[..])
        .with(header::RETRY_AFTER, HeaderValue::from_static("1"))
}

/// Starts background work on the backend's runtime; the one place outside this package's own modules
/// that tasks are started through, so that they can be found.
pub fn spawn<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> tokio::task::JoinHandle<T> {
    tokio::spawn(work)
}

/// Waits for work that blocks (joining threads), on a thread of its own.
pub async fn wait_blocking(work: impl FnOnce() + Send + 'static) {
    // A panic of the work has been reported by its own thread.
    let _ = tokio::task::spawn_blocking(work).await;
}

/// The backend's runtime: `threads` workers.
///
/// # Errors
/// The system refused threads or descriptors.
pub fn runtime(threads: usize) -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(threads.max(1))
        .thread_name("backend")
        .enable_all()
        .build()
}
