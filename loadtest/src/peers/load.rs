//! The measurements. Each is the growth of what the scheduler says of the server's processes, over what was answered
//! in the same time; the server's core must be full, or the figure is of a server that waits for its callers.

use std::cell::{Cell, RefCell};
use std::net::Ipv4Addr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use tokio::task::{JoinHandle, spawn_local};
use tokio::time::sleep;

use crate::fault::Fault;
use crate::peers::link::{Caller, Link};
use crate::peers::peer::Peer;
use crate::peers::wire::Plan;
use crate::procfs::{self, Times};

/// Connections times streams of each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shape {
    pub connections: usize,
    pub streams: usize,
}

/// Of one stretch of time.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Measured {
    pub count: u64,
    pub per_s: f64,
    pub cpu_us: f64,
    /// Shares of a core: the server's work, its waiting for the core, the generator's work.
    pub server_busy: f64,
    pub server_waited: f64,
    pub generator_busy: f64,
}

/// What all connections of a measurement share.
#[derive(Default)]
struct Tally {
    done: Cell<u64>,
    is_over: Cell<bool>,
    fault: RefCell<Option<Fault>>,
}

impl Tally {
    fn fail(&self, fault: Fault) {
        self.fault.borrow_mut().get_or_insert(fault);
    }
}

#[derive(Clone, Copy)]
pub struct Stretch {
    pub warmup: Duration,
    pub duration: Duration,
}

/// A closed loop of one request. `body_bytes` is how long each reply's body must be.
pub async fn requests(
    caller: &Caller,
    peer: &Peer,
    plan: &Rc<Plan>,
    body_bytes: usize,
    shape: Shape,
    stretch: Stretch,
) -> Result<Measured, Fault> {
    let tally = Rc::new(Tally::default());
    let mut tasks = Vec::new();
    for _ in 0..shape.connections {
        let link = caller.connect(peer.kind.label(), peer.port, Ipv4Addr::LOCALHOST, shape.streams).await?;
        tasks.push(spawn_local(ask_on(link, Rc::clone(plan), shape.streams, body_bytes, Rc::clone(&tally))));
    }
    measure(peer, &tally, tasks, stretch).await
}

async fn ask_on(mut link: Link, plan: Rc<Plan>, streams: usize, body_bytes: usize, tally: Rc<Tally>) {
    let told = |count| tally.done.update(|done| done + count);
    if let Err(fault) = link.load(&plan, streams, || !tally.is_over.get(), told).await {
        return tally.fail(fault);
    }
    let (received, due) = (link.wire.body_bytes, link.wire.done * body_bytes as u64);
    if received != due {
        tally.fail(Fault::Refused(format!("{received} bytes of replies came, {due} were due")));
    }
    link.close().await;
}

/// Handshakes, one after the other by each of a few callers.
pub async fn handshakes(
    caller: &Caller,
    peer: &Rc<Peer>,
    are_resumed: bool,
    stretch: Stretch,
) -> Result<Measured, Fault> {
    let tally = Rc::new(Tally::default());
    let tasks = (0..SHAKING).map(|number| {
        let caller = if are_resumed { caller.resuming() } else { caller.clone() };
        spawn_local(shake_on(caller, Rc::clone(peer), are_resumed, number, Rc::clone(&tally)))
    });
    let tasks = tasks.collect();
    measure(peer, &tally, tasks, stretch).await
}

async fn shake_on(caller: Caller, peer: Rc<Peer>, are_resumed: bool, number: u8, tally: Rc<Tally>) {
    // The first one of a caller has no ticket yet.
    let mut is_first = true;
    while !tally.is_over.get() {
        // Each caller's own address, lest the ports of one run out.
        match caller.connect(peer.kind.label(), peer.port, Ipv4Addr::new(127, 0, 1, number + 1), 1).await {
            Ok(link) if is_first || link.is_resumed() == are_resumed => link.close().await,
            Ok(_) => return tally.fail(Fault::Refused(format!("{}: no resumption", peer.kind.label()))),
            Err(fault) => return tally.fail(fault),
        }
        is_first = false;
        tally.done.update(|done| done + 1);
    }
}

async fn measure(peer: &Peer, tally: &Tally, tasks: Vec<JoinHandle<()>>, stretch: Stretch) -> Result<Measured, Fault> {
    sleep(stretch.warmup).await;
    let from = Moment::now(peer, tally);
    sleep(stretch.duration).await;
    let to = Moment::now(peer, tally);
    tally.is_over.set(true);
    for task in tasks {
        task.await.map_err(|e| Fault::local("load", e))?;
    }
    match tally.fault.borrow_mut().take() {
        Some(fault) => Err(fault),
        None => to.since(&from).ok_or_else(|| Fault::Refused(format!("{} answered nothing", peer.kind.label()))),
    }
}

struct Moment {
    at: Instant,
    done: u64,
    server: Times,
    generator: Times,
}

impl Moment {
    fn now(peer: &Peer, tally: &Tally) -> Self {
        let generator = procfs::own_thread_times(std::process::id()).unwrap_or_default();
        Self { server: peer.times(), generator, done: tally.done.get(), at: Instant::now() }
    }

    fn since(&self, before: &Self) -> Option<Measured> {
        let elapsed = self.at.saturating_duration_since(before.at);
        let server = self.server.since(before.server);
        Measured::new(self.done - before.done, elapsed, server, self.generator.since(before.generator))
    }
}

impl Measured {
    pub fn new(count: u64, elapsed: Duration, server: Times, generator: Times) -> Option<Self> {
        let share = |ns: u64| ns as f64 / elapsed.as_nanos().max(1) as f64;
        (count > 0).then(|| Self {
            count,
            per_s: count as f64 / elapsed.as_secs_f64(),
            cpu_us: server.cpu_ns as f64 / 1e3 / count as f64,
            server_busy: share(server.cpu_ns),
            server_waited: share(server.wait_ns),
            generator_busy: share(generator.cpu_ns),
        })
    }
}

/// KiB a connection, untouched and after one request.
pub async fn idle(caller: &Caller, peer: &Peer, plan: &Plan, connections: usize) -> Result<(f64, f64), Fault> {
    let name = peer.kind.label();
    let connect = || caller.connect(name, peer.port, Ipv4Addr::LOCALHOST, 1);
    // What a server makes once and keeps is no connection's.
    connect().await?.ask(plan).await?;
    sleep(SETTLE).await;
    let before = peer.rss_bytes();
    let mut links = Vec::with_capacity(connections);
    for _ in 0..connections {
        let mut link = connect().await?;
        link.rest();
        links.push(link);
    }
    sleep(SETTLE).await;
    let untouched = peer.rss_bytes();
    for link in &mut links {
        link.ask(plan).await?;
        link.rest();
    }
    sleep(SETTLE).await;
    let asked = peer.rss_bytes();
    let each = |rss: u64| rss.saturating_sub(before) as f64 / 1024.0 / connections as f64;
    Ok((each(untouched), each(asked)))
}

/// Callers that shake hands at once: enough that the server's core is never without one.
const SHAKING: u8 = 8;
const SETTLE: Duration = Duration::from_millis(500);
