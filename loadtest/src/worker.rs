//! One generator thread: a current-thread runtime, its share of the connections, a task for each of them.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};
use tokio::task::{JoinSet, LocalSet, spawn_local};
use tokio::time::timeout_at;
use tokio_rustls::client::TlsStream;

use crate::client::{Connected, Requests, Target};
use crate::fault::Fault;
use crate::heads::Heads;
use crate::http1::Broken;
use crate::line::{Due, Line, Seat};
use crate::link::{Keeper, Link};
use crate::quick;
use crate::record::{Kind, Passage, Recorder, Wrong};
use crate::scenario::Scenario;
use crate::schedule::Schedule;
use crate::timer::{Clock, Timer};

/// What one thread needs to know; sent to it, hence without anything of its own runtime.
pub struct Orders {
    pub target: Target,
    pub connections: usize,
    pub streams: usize,
    pub errand: Errand,
    pub http1: bool,
    pub schedule: Option<Schedule>,
    pub scenario: Scenario,
    pub recorder: Recorder,
    pub deadline: Duration,
    pub end_ns: Arc<AtomicU64>,
    pub pin: Option<usize>,
    pub spin: bool,
}

/// What falls due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Errand {
    /// A request on a connection that stands.
    Request,
    /// A connection: TLS afresh, or resumed.
    Handshake { resumed: bool },
}

/// What a thread tells before it starts.
pub struct Ready {
    pub thread_id: u32,
    pub start: oneshot::Sender<Instant>,
    /// Why a connection could not be made; it is tried again during the run.
    pub failed: Option<String>,
}

pub struct Generator {
    pub line: Rc<Line>,
    pub scenario: RefCell<Scenario>,
    pub heads: RefCell<Heads>,
    pub recorder: Recorder,
    pub clock: Clock,
    pub deadline: Duration,
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
    let target = orders.target.clone();
    let (first, failed) = match orders.errand {
        Errand::Handshake { .. } => (First::Nothing, remember_sessions(&orders).await),
        Errand::Request if orders.http1 => {
            let (connected, failed) = connect_all(orders.connections, async || target.connect().await).await;
            (First::Http1(connected), failed)
        }
        Errand::Request => {
            let (connected, failed) = connect_all(orders.connections, async || target.connect_h2().await).await;
            (First::Http2(connected), failed)
        }
    };
    let (start, started) = oneshot::channel();
    let thread_id = rustix::thread::gettid().as_raw_nonzero().get().unsigned_abs();
    let gone = |_| Fault::Local("the run was given up".to_owned());
    ready.send(Ready { thread_id, start, failed }).map_err(|_| Fault::Local("the run was given up".to_owned()))?;
    let start = started.await.map_err(gone)?;
    tokio::time::sleep_until(start.into()).await;
    generate(orders, first, Clock::from(start)).await
}

/// Connections made before the run.
enum First {
    Http1(Vec<Option<Connected>>),
    Http2(Vec<Option<TlsStream<TcpStream>>>),
    Nothing,
}

/// A session for each slot to resume. All at once: none of them resumes the session of another.
async fn remember_sessions(orders: &Orders) -> Option<String> {
    let mut slots = JoinSet::new();
    for _ in 0..orders.connections {
        let target = orders.target.clone();
        slots.spawn_local(async move { target.shake_once().await });
    }
    let failed = |(kind, why): (Kind, String)| format!("{}: {why}", kind.label());
    slots.join_all().await.into_iter().filter_map(Result::err).map(failed).next()
}

async fn connect_all<T>(
    count: usize,
    connect: impl AsyncFn() -> Result<T, (Kind, String)>,
) -> (Vec<Option<T>>, Option<String>) {
    let mut connected = Vec::with_capacity(count);
    let mut failed = None;
    for _ in 0..count {
        match connect().await {
            Ok(one) => connected.push(Some(one)),
            Err((kind, why)) => {
                failed = Some(format!("{}: {why}", kind.label()));
                connected.push(None);
            }
        }
    }
    (connected, failed)
}

async fn generate(orders: Orders, first: First, clock: Clock) -> Result<(), Fault> {
    let timer = Timer::new(orders.spin)?;
    let line = Rc::new(Line::new(orders.schedule, clock, orders.end_ns, orders.recorder.clone()));
    let generator = Rc::new(Generator {
        line: Rc::clone(&line),
        heads: RefCell::new(Heads::new(orders.scenario.template().clone())),
        scenario: RefCell::new(orders.scenario),
        recorder: orders.recorder.clone(),
        clock,
        deadline: orders.deadline,
    });
    match first {
        First::Http1(connected) => http1_connections(&generator, orders.target, connected, &timer).await?,
        First::Http2(connected) => {
            h2_connections(&generator, &orders.target, orders.streams, connected, &timer).await?;
        }
        First::Nothing => {
            let resumed = orders.errand == Errand::Handshake { resumed: true };
            shake_hands(&generator, &orders.target, orders.connections, resumed, &timer).await?;
        }
    }
    line.give_up();
    Ok(())
}

async fn h2_connections(
    generator: &Rc<Generator>,
    target: &Target,
    streams: usize,
    connected: Vec<Option<TlsStream<TcpStream>>>,
    timer: &Timer,
) -> Result<(), Fault> {
    let closed = Rc::new(Cell::new(false));
    let keep = |first| quick::keep(Rc::clone(generator), target.clone(), streams, first, Rc::clone(&closed));
    let tasks: Vec<_> = connected.into_iter().map(|first| spawn_local(keep(first))).collect();
    generator.line.pace(timer).await.map_err(|e| Fault::local("timer", e))?;
    closed.set(true);
    for task in tasks {
        task.await.map_err(|e| Fault::local("connection", e))?;
    }
    Ok(())
}

async fn http1_connections(
    generator: &Rc<Generator>,
    target: Target,
    connected: Vec<Option<Connected>>,
    timer: &Timer,
) -> Result<(), Fault> {
    let Generator { line, recorder, clock, .. } = generator.as_ref();
    let keeper = Rc::new(Keeper { target, line: Rc::clone(line), recorder: recorder.clone(), clock: *clock });
    let links: Vec<Rc<Link>> = connected.iter().map(|_| Link::down()).collect();
    for (link, first) in links.iter().zip(connected) {
        spawn_local(Rc::clone(&keeper).keep(Rc::clone(link), first));
    }
    let streams: Vec<_> = links.iter().map(|link| spawn_local(Rc::clone(generator).serve(Rc::clone(link)))).collect();
    line.pace(timer).await.map_err(|e| Fault::local("timer", e))?;
    for link in &links {
        link.close();
    }
    for stream in streams {
        stream.await.map_err(|e| Fault::local("stream", e))?;
    }
    Ok(())
}

/// Each slot makes one connection after another.
async fn shake_hands(
    generator: &Rc<Generator>,
    target: &Target,
    slots: usize,
    resumed: bool,
    timer: &Timer,
) -> Result<(), Fault> {
    let slots: Vec<_> = (0..slots).map(|_| spawn_local(Rc::clone(generator).shake(target.clone(), resumed))).collect();
    generator.line.pace(timer).await.map_err(|e| Fault::local("timer", e))?;
    for slot in slots {
        slot.await.map_err(|e| Fault::local("handshakes", e))?;
    }
    Ok(())
}

impl Generator {
    /// One HTTP/1.1 connection: waits until it stands, then sends what falls to it, one request at a time.
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

    /// One slot of handshakes. Timed until TLS is established; greeting and farewell follow, untimed.
    async fn shake(self: Rc<Self>, target: Target, resumed: bool) {
        let seat = Rc::new(Seat::default());
        while let Some(due) = self.line.claim(&seat).await {
            let sent_ns = self.clock.now_ns();
            let shaken = timeout_at((Instant::now() + self.deadline).into(), target.shake(resumed)).await;
            let done_ns = self.clock.now_ns();
            let (outcome, shaken) = match shaken {
                Ok(Ok(shaken)) if shaken.resumed == resumed => (Ok(()), Some(shaken)),
                Ok(Ok(shaken)) => (Err(Kind::Wrong(Wrong::NotResumed)), Some(shaken)),
                Ok(Err((kind, _))) => (Err(kind), None),
                Err(_) => (Err(Kind::Timeout), None),
            };
            let passage =
                Passage { due_ns: due.due_ns, sent_ns: Some(sent_ns), done_ns, stream_was_free: due.stream_was_free };
            self.recorder.record(&passage, outcome);
            if let Some(shaken) = shaken {
                // What the server does after the handshake is not judged here.
                let _ = timeout_at((Instant::now() + self.deadline).into(), shaken.finish()).await;
            }
        }
    }

    /// Until the connection takes no more requests; None when the run is over.
    async fn serve_on(&self, seat: &Rc<Seat>, mut requests: Requests) -> Option<()> {
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
    async fn send(&self, due: Due, requests: &mut Requests) -> Result<(), NotTaken> {
        let give_up = Instant::now() + self.deadline;
        let mut sent_ns = None;
        let outcome = match timeout_at(give_up.into(), self.exchange(requests, &mut sent_ns)).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(Broken::NotTaken)) => return Err(NotTaken),
            Ok(Err(Broken::Failed(_))) => Err(Kind::Reset),
            Err(_) => Err(Kind::Timeout),
        };
        let passage =
            Passage { due_ns: due.due_ns, sent_ns, done_ns: self.clock.now_ns(), stream_was_free: due.stream_was_free };
        self.recorder.record(&passage, outcome);
        Ok(())
    }

    async fn exchange(&self, requests: &mut Requests, sent_ns: &mut Option<u64>) -> Result<Result<(), Kind>, Broken> {
        requests.ready().await?;
        let shot = self.scenario.borrow_mut().aim();
        let request = self.scenario.borrow().template().with(&shot.body);
        *sent_ns = Some(self.clock.now_ns());
        let answer = requests.exchange(request, shot.body).await?;
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
