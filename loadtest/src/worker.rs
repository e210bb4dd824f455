//! One generator thread: a current-thread runtime, its share of the connections, a task per stream.

use std::cell::RefCell;
use std::future::poll_fn;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use bytes::Bytes;
use h2::client::SendRequest;
use tokio::sync::{mpsc, oneshot};
use tokio::task::{LocalSet, spawn_local};
use tokio::time::timeout_at;

use crate::client::{Connected, Target, read_answer};
use crate::fault::Fault;
use crate::line::{Due, Line, Seat};
use crate::link::{Keeper, Link};
use crate::record::{Kind, Passage, Recorder};
use crate::scenario::Scenario;
use crate::schedule::Schedule;
use crate::timer::{Clock, Timer};

/// What one thread needs to know; sent to it, hence without anything of its own runtime.
pub struct Orders {
    pub target: Target,
    pub connections: usize,
    pub streams: usize,
    pub schedule: Option<Schedule>,
    pub scenario: Scenario,
    pub recorder: Recorder,
    pub deadline: Duration,
    pub end_ns: Arc<AtomicU64>,
    pub pin: Option<usize>,
    pub spin: bool,
}

/// What a thread tells before it starts.
pub struct Ready {
    pub thread_id: u32,
    pub start: oneshot::Sender<Instant>,
    /// Why a connection could not be made; it is tried again during the run.
    pub failed: Option<String>,
}

struct Generator {
    line: Rc<Line>,
    scenario: RefCell<Scenario>,
    recorder: Recorder,
    clock: Clock,
    deadline: Duration,
}

/// The body of the thread. `Ok` when every request of its schedule is accounted for.
pub fn work(orders: Orders, ready: &mpsc::UnboundedSender<Ready>) -> Result<(), Fault> {
    if let Some(cpu) = orders.pin {
        pin(cpu)?;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().event_interval(EVENT_INTERVAL).build();
    let runtime = runtime.map_err(|e| Fault::local("runtime", e))?;
    LocalSet::new().block_on(&runtime, run(orders, ready))
}

async fn run(orders: Orders, ready: &mpsc::UnboundedSender<Ready>) -> Result<(), Fault> {
    let (connected, failed) = connect_all(&orders).await;
    let (start, started) = oneshot::channel();
    let thread_id = rustix::thread::gettid().as_raw_nonzero().get().unsigned_abs();
    let gone = |_| Fault::Local("the run was given up".to_owned());
    ready.send(Ready { thread_id, start, failed }).map_err(|_| Fault::Local("the run was given up".to_owned()))?;
    let start = started.await.map_err(gone)?;
    tokio::time::sleep_until(start.into()).await;
    generate(orders, connected, Clock::from(start)).await
}

async fn connect_all(orders: &Orders) -> (Vec<Option<Connected>>, Option<String>) {
    let mut connected = Vec::with_capacity(orders.connections);
    let mut failed = None;
    for _ in 0..orders.connections {
        match orders.target.connect().await {
            Ok(one) => connected.push(Some(one)),
            Err((kind, why)) => {
                failed = Some(format!("{}: {why}", kind.label()));
                connected.push(None);
            }
        }
    }
    (connected, failed)
}

async fn generate(orders: Orders, connected: Vec<Option<Connected>>, clock: Clock) -> Result<(), Fault> {
    let timer = Timer::new(orders.spin)?;
    let line = Rc::new(Line::new(orders.schedule, clock, orders.end_ns, orders.recorder.clone()));
    let generator = Rc::new(Generator {
        line: Rc::clone(&line),
        scenario: RefCell::new(orders.scenario),
        recorder: orders.recorder.clone(),
        clock,
        deadline: orders.deadline,
    });
    let keeper = Rc::new(Keeper { target: orders.target, line: Rc::clone(&line), recorder: orders.recorder, clock });
    let links: Vec<Rc<Link>> = connected.iter().map(|_| Link::down()).collect();
    for (link, first) in links.iter().zip(connected) {
        spawn_local(Rc::clone(&keeper).keep(Rc::clone(link), first));
    }
    let streams = start_streams(&generator, &links, orders.streams);
    line.pace(&timer).await.map_err(|e| Fault::local("timer", e))?;
    for link in &links {
        link.close();
    }
    for stream in streams {
        stream.await.map_err(|e| Fault::local("stream", e))?;
    }
    line.give_up();
    Ok(())
}

/// Streams of all connections in turn, so that the first requests are spread.
fn start_streams(generator: &Rc<Generator>, links: &[Rc<Link>], streams: usize) -> Vec<tokio::task::JoinHandle<()>> {
    let mut tasks = Vec::with_capacity(links.len() * streams);
    for _ in 0..streams {
        for link in links {
            tasks.push(spawn_local(Rc::clone(generator).serve(Rc::clone(link))));
        }
    }
    tasks
}

impl Generator {
    /// One stream: waits for its connection, then sends what falls to it, one request at a time.
    async fn serve(self: Rc<Self>, link: Rc<Link>) {
        let seat = Rc::new(Seat::default());
        let mut seen = 0;
        while let Some((generation, requests)) = link.requests(seen).await {
            seen = generation;
            if self.serve_on(&seat, requests).await.is_none() {
                return;
            }
        }
    }

    /// Until the connection takes no more requests; None when the run is over.
    async fn serve_on(&self, seat: &Rc<Seat>, mut requests: SendRequest<Bytes>) -> Option<()> {
        loop {
            let due = self.line.claim(seat).await?;
            if let Err(NotTaken) = self.send(due, &mut requests).await {
                self.line.give_back(due);
                return Some(());
            }
        }
    }

    /// A request that was sent in time gets the whole deadline from there. Cutting it off at its due moment plus the
    /// deadline would, past the server's capacity, reset nearly every stream and measure its defence against that.
    async fn send(&self, due: Due, requests: &mut SendRequest<Bytes>) -> Result<(), NotTaken> {
        let give_up = Instant::now() + self.deadline;
        let mut sent_ns = None;
        let outcome = match timeout_at(give_up.into(), self.exchange(requests, &mut sent_ns)).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) if sent_ns.is_none() => return Err(NotTaken),
            Ok(Err(_)) => Err(Kind::Reset),
            Err(_) => Err(Kind::Timeout),
        };
        let passage =
            Passage { due_ns: due.due_ns, sent_ns, done_ns: self.clock.now_ns(), stream_was_free: due.stream_was_free };
        self.recorder.record(&passage, outcome);
        Ok(())
    }

    async fn exchange(
        &self,
        requests: &mut SendRequest<Bytes>,
        sent_ns: &mut Option<u64>,
    ) -> Result<Result<(), Kind>, h2::Error> {
        poll_fn(|cx| requests.poll_ready(cx)).await?;
        let shot = self.scenario.borrow_mut().aim();
        *sent_ns = Some(self.clock.now_ns());
        let (response, mut body) = requests.send_request(shot.request, false)?;
        body.send_data(shot.body, true)?;
        let answer = read_answer(response).await?;
        Ok(self.scenario.borrow_mut().judge(&shot.expect, answer.status, &answer.body))
    }
}

/// The connection is going away and did not take the request.
struct NotTaken;

fn pin(cpu: usize) -> Result<(), Fault> {
    let usage = |e: rustix::io::Errno| Fault::Usage(format!("--pin {cpu}: {e}"));
    if cpu >= rustix::thread::CpuSet::MAX_CPU {
        return Err(usage(rustix::io::Errno::INVAL));
    }
    let mut set = rustix::thread::CpuSet::new();
    set.set(cpu);
    rustix::thread::sched_setaffinity(None, &set).map_err(usage)
}

/// Tasks between looks at the sockets and the timer: low, so that a due moment is noticed in time.
const EVENT_INTERVAL: u32 = 16;
