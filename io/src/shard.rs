//! The shards: pinned threads, each with its own loop, listener, connections and service.
//!
//! SO_REUSEPORT spreads connections over the shards; nothing is shared between them but counters,
//! the TLS ticket key and what the service itself shares. Where io_uring is not permitted (the
//! default seccomp profile of containers) monoio's epoll driver serves instead, found out once.
//!
//! Limits: connections per shard and per address, one deadline from accept to the end of the TLS
//! handshake (PROXY protocol included). At drain the accept queue is emptied before the port is
//! closed, so that a process taking over loses no connection.
//!
//! A peer without ALPN completes its handshake and, if it then speaks HTTP/1.x, gets one fixed 505
//! that names the cure; nothing else is ever served that way. Both cases are counted, and logged
//! once per address ([`ADDRESSES_LOGGED_MAX`] addresses).

use crate::affinity::{allowed_cores, pin, prefer_latency};
use crate::backend::ColdQueue;
use crate::h2::{self, Watch};
use crate::http::{Outcome, Request};
use crate::plain::{self, PLAIN_REQUEST_DEADLINE};
use crate::proxy_protocol::{self, Source};
use crate::settings::{ConnectionLimits, Network, ServerSettings};
use crate::shard_metrics::ShardMetrics;
use crate::tls_io::TlsIo;
use monoio::net::{TcpListener, TcpStream};
use rustls::{ServerConfig, ServerConnection};
use std::cell::{Cell, RefCell};
use std::collections::{HashMap, HashSet};
use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsRawFd, FromRawFd, RawFd};
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::mpsc;

const RING_ENTRIES: u32 = 1024;
const LISTEN_BACKLOG: i32 = 8192;
/// Errors of a connection that ended in the queue; the next one is as good as any.
const GONE_BEFORE_ACCEPT: [io::ErrorKind; 3] =
    [io::ErrorKind::ConnectionAborted, io::ErrorKind::Interrupted, io::ErrorKind::NotConnected];
/// Connections accepted before those that stand are served again: a handshake costs as much as a hundred answers.
const ACCEPTED_AT_ONCE_MAX: usize = 8;

/// How long accept rests after the system refused a descriptor.
const ACCEPT_REST: Duration = Duration::from_millis(5);
/// Addresses remembered so that each is logged once; beyond, only the counter moves.
pub const ADDRESSES_LOGGED_MAX: usize = 1024;

/// What the shards run. One value per shard, made on its thread; it never waits.
pub trait Service: 'static {
    /// What the service remembers for one connection.
    type Memo: Default + 'static;
    /// What the rest of the program tells a shard's service.
    type Message: Send + 'static;
    fn call(&self, request: &Request<'_>, memo: &mut Self::Memo) -> Outcome;
    fn message(&self, message: Self::Message);
    /// A request that went cold was answered with this status.
    fn settle(&self, address: IpAddr, status: http::StatusCode);
}

/// What the program tells a shard.
pub enum Control<M> {
    /// A new certificate, for connections from now on.
    Tls(Arc<ServerConfig>),
    /// Stop accepting, send GOAWAY, end when every connection has, or at the deadline.
    Drain,
    Service(M),
}

pub(crate) struct Shard<S: Service> {
    pub service: S,
    pub limits: ConnectionLimits,
    pub drain: Duration,
    /// Seconds since the shard began; moved by the sweeper.
    pub second: Cell<u32>,
    pub is_draining: Cell<bool>,
    pub cold: ColdQueue,
    pub metrics: ShardMetrics,
    /// Room for what one turn writes, of whichever connection has it.
    pub out: RefCell<Vec<u8>>,
    proxies: Vec<Network>,
    proxy_protocol: bool,
    tls: RefCell<Arc<ServerConfig>>,
    connections: RefCell<HashMap<u64, Rc<Watch>>>,
    addresses: RefCell<HashMap<IpAddr, usize>>,
    /// Shared by the shards; only a peer that speaks something else ever asks for it.
    logged: Arc<Mutex<HashSet<IpAddr>>>,
}

/// The running shards.
pub struct Shards<M> {
    senders: Vec<mpsc::UnboundedSender<Control<M>>>,
    threads: Vec<std::thread::JoinHandle<()>>,
    ended: mpsc::UnboundedReceiver<usize>,
    /// Where the shards listen.
    pub address: SocketAddr,
    /// Whether the loops run on io_uring (else epoll).
    pub is_uring: bool,
}

/// A handle to tell every shard something.
pub struct ShardSenders<M>(Vec<mpsc::UnboundedSender<Control<M>>>);

impl<M> Clone for ShardSenders<M> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<M> ShardSenders<M> {
    /// Sends `make(shard)` to each shard; one that has ended is passed over.
    pub fn send(&self, mut make: impl FnMut(usize) -> Control<M>) {
        for (index, sender) in self.0.iter().enumerate() {
            let _ = sender.send(make(index));
        }
    }

    pub fn count(&self) -> usize {
        self.0.len()
    }
}

impl<M: Send + 'static> Shards<M> {
    pub fn senders(&self) -> ShardSenders<M> {
        ShardSenders(self.senders.clone())
    }

    /// Waits for a shard that ends without having been told to; gives its number.
    pub async fn ended(&mut self) -> usize {
        self.ended.recv().await.unwrap_or_default()
    }

    /// Drains every shard and waits for the threads.
    pub fn drain(self) {
        for sender in &self.senders {
            let _ = sender.send(Control::Drain);
        }
        for thread in self.threads {
            let _ = thread.join();
        }
    }
}

/// The number of shards for `wanted` (0 = by cores): one per core up to three, one less from four on.
pub fn shard_count(wanted: usize) -> usize {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    match (wanted, cores) {
        (0, 0..=3) => cores.max(1),
        (0, _) => cores - 1,
        (wanted, _) => wanted,
    }
}

/// Binds every shard's socket; do it early, so that a busy port is known before anything else is done. They
/// listen from [`start`] on: until then, connections go to the process that this one may be replacing.
///
/// # Errors
/// The address is taken (noticed for certain only with `share_port` off) or not ours.
pub fn bind(settings: &ServerSettings) -> io::Result<Vec<std::net::TcpListener>> {
    let address = SocketAddr::from((settings.host, settings.port));
    if !settings.share_port {
        // SO_REUSEPORT would let a second process of this user share the port unnoticed.
        bind_one(address, false)?;
    }
    let first = bind_one(address, true)?;
    let address = first.local_addr()?;
    let mut listeners = vec![first];
    for _ in 1..shard_count(settings.shards) {
        listeners.push(bind_one(address, true)?);
    }
    Ok(listeners)
}

fn bind_one(address: SocketAddr, share: bool) -> io::Result<std::net::TcpListener> {
    let socket = socket2::Socket::new(socket2::Domain::for_address(address), socket2::Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(share)?;
    if address.is_ipv6() {
        socket.set_only_v6(false)?;
    }
    socket.bind(&address.into())?;
    // Accept happens after readiness, by a call that must not block.
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

/// Starts one shard per listener. `make` builds a shard's service on the shard's thread.
///
/// # Errors
/// The system refused a thread or a ring.
pub fn start<S: Service>(
    settings: &ServerSettings,
    listeners: Vec<std::net::TcpListener>,
    tls: Arc<ServerConfig>,
    cold: ColdQueue,
    make: impl Fn(usize) -> S + Send + Clone + 'static,
) -> io::Result<Shards<S::Message>> {
    let address = listeners
        .first()
        .map_or_else(|| Err(io::Error::from(io::ErrorKind::InvalidInput)), std::net::TcpListener::local_addr)?;
    let cores = allowed_cores();
    let (mut senders, mut threads) = (Vec::new(), Vec::new());
    let logged = Arc::new(Mutex::default());
    let (starting, started) = std::sync::mpsc::channel();
    let (ending, ended) = mpsc::unbounded_channel();
    for (index, listener) in listeners.into_iter().enumerate() {
        let (sender, receiver) = mpsc::unbounded_channel();
        let (settings, tls, cold, make) = (settings.clone(), tls.clone(), cold.clone(), make.clone());
        let logged = Arc::clone(&logged);
        let (starting, ending) = (starting.clone(), Ending { shard: index, sender: ending.clone() });
        let core = cores.get(index % cores.len().max(1)).copied();
        let thread = std::thread::Builder::new().name(format!("shard{index}")).spawn(move || {
            // Tells when this thread ends, in whatever way.
            let _ending = ending;
            if let Some(core) = core {
                pin(core);
            }
            prefer_latency();
            let shard = Shard::new(index, &settings, tls, cold, make(index), logged);
            if let Err(error) = run(shard, listener, receiver, &starting) {
                let _ = starting.send(Err(error));
            }
        })?;
        senders.push(sender);
        threads.push(thread);
    }
    drop(starting);
    for _ in &threads {
        started.recv().unwrap_or_else(|_| Err(io::Error::other("a shard's thread ended")))?;
    }
    Ok(Shards { senders, threads, ended, address, is_uring: monoio::utils::detect_uring() })
}

impl<S: Service> Shard<S> {
    fn new(
        index: usize,
        settings: &ServerSettings,
        tls: Arc<ServerConfig>,
        cold: ColdQueue,
        service: S,
        logged: Arc<Mutex<HashSet<IpAddr>>>,
    ) -> Self {
        Self {
            service,
            limits: settings.limits.clone(),
            drain: settings.drain,
            second: Cell::new(0),
            is_draining: Cell::new(false),
            cold,
            metrics: ShardMetrics::new(index),
            out: RefCell::default(),
            proxies: settings.trusted_proxies.clone(),
            proxy_protocol: settings.proxy_protocol,
            tls: RefCell::new(tls),
            connections: RefCell::default(),
            addresses: RefCell::default(),
            logged,
        }
    }

    fn is_proxy(&self, address: IpAddr) -> bool {
        self.proxies.iter().any(|network| network.contains(address))
    }

    /// Counts a connection of `peer`, unless there are too many; gives the address it is counted under.
    fn count_in(&self, peer: IpAddr) -> Result<IpAddr, ()> {
        let address = counted_address(peer);
        let mut addresses = self.addresses.borrow_mut();
        let count = addresses.get(&address).copied().unwrap_or(0);
        if count >= self.limits.connections_per_address_max && !self.is_proxy(peer) {
            return Err(());
        }
        addresses.insert(address, count + 1);
        Ok(address)
    }

    fn count_out(&self, address: IpAddr) {
        let mut addresses = self.addresses.borrow_mut();
        if let Some(count) = addresses.get_mut(&address) {
            *count -= 1;
            if *count == 0 {
                addresses.remove(&address);
            }
        }
    }

    /// `true` the first time an address is seen here, as long as there is room to remember it.
    fn is_first_from(&self, address: IpAddr) -> bool {
        // Taken by another shard just now: this one does not wait, and the next connection logs.
        self.logged.try_lock().is_ok_and(|mut logged| logged.len() < ADDRESSES_LOGGED_MAX && logged.insert(address))
    }
}

/// Sends the shard's number when it is dropped: at the end of its thread, a panic included.
struct Ending {
    shard: usize,
    sender: mpsc::UnboundedSender<usize>,
}

impl Drop for Ending {
    fn drop(&mut self) {
        let _ = self.sender.send(self.shard);
    }
}

fn run<S: Service>(
    shard: Shard<S>,
    listener: std::net::TcpListener,
    receiver: mpsc::UnboundedReceiver<Control<S::Message>>,
    starting: &std::sync::mpsc::Sender<io::Result<()>>,
) -> io::Result<()> {
    let mut ring = io_uring::IoUring::builder();
    ring.setup_coop_taskrun();
    let mut runtime = monoio::RuntimeBuilder::<monoio::FusionDriver>::new()
        .with_entries(RING_ENTRIES)
        .uring_builder(ring)
        .enable_timer()
        .build()?;
    runtime.block_on(async move {
        socket2::SockRef::from(&listener).listen(LISTEN_BACKLOG)?;
        let listener = TcpListener::from_std(listener)?;
        let _ = starting.send(Ok(()));
        let shard = Rc::new(shard);
        monoio::spawn(sweep(shard.clone()));
        serve(shard, listener, receiver).await;
        Ok(())
    })
}

/// The sixth part of the hot path's way in: accept on this core until told to drain, then drain.
async fn serve<S: Service>(
    shard: Rc<Shard<S>>,
    listener: TcpListener,
    mut receiver: mpsc::UnboundedReceiver<Control<S::Message>>,
) {
    let mut next_id = 0;
    loop {
        monoio::select! {
            readiness = listener.readable(false) => {
                let accepted = readiness.is_ok() && accept_some(&shard, &listener, &mut next_id, ACCEPTED_AT_ONCE_MAX);
                if !accepted {
                    shard.metrics.accept_failed.inc();
                    monoio::time::sleep(ACCEPT_REST).await;
                }
            }
            control = receiver.recv() => match control {
                Some(Control::Tls(config)) => *shard.tls.borrow_mut() = config,
                Some(Control::Service(message)) => shard.service.message(message),
                Some(Control::Drain) | None => break,
            }
        }
    }
    accept_some(&shard, &listener, &mut next_id, usize::MAX);
    drop(listener);
    drain(&shard, receiver).await;
}

/// Ends every connection in order; messages to the service are still heard meanwhile.
async fn drain<S: Service>(shard: &Rc<Shard<S>>, mut receiver: mpsc::UnboundedReceiver<Control<S::Message>>) {
    shard.is_draining.set(true);
    let deadline = monoio::time::Instant::now() + shard.drain + Duration::from_secs(2);
    while !shard.connections.borrow().is_empty() && monoio::time::Instant::now() < deadline {
        for watch in shard.connections.borrow().values() {
            watch.due_s.set(0);
            watch.wake();
        }
        let _ = monoio::time::timeout(Duration::from_millis(50), async {
            while let Some(control) = receiver.recv().await {
                if let Control::Service(message) = control {
                    shard.service.message(message);
                }
            }
            std::future::pending::<()>().await;
        })
        .await;
    }
}

/// Moves the shard's second and wakes the connections that are due.
async fn sweep<S: Service>(shard: Rc<Shard<S>>) {
    loop {
        monoio::time::sleep(Duration::from_secs(1)).await;
        let second = shard.second.get().saturating_add(1);
        shard.second.set(second);
        for watch in shard.connections.borrow().values() {
            if watch.due_s.get() <= second {
                watch.wake();
            }
        }
    }
}

/// Accepts until the queue is empty or `limit` were tried; `false` when the system refused one.
fn accept_some<S: Service>(shard: &Rc<Shard<S>>, listener: &TcpListener, next_id: &mut u64, limit: usize) -> bool {
    for _ in 0..limit {
        match accept_one(listener.as_raw_fd()) {
            Ok((socket, peer)) => {
                *next_id += 1;
                admit(shard, socket, peer, *next_id);
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return true,
            Err(error) if GONE_BEFORE_ACCEPT.contains(&error.kind()) => {}
            Err(_) => return false,
        }
    }
    true
}

/// One `accept4`. io_uring wants blocking descriptors (an operation would answer EAGAIN otherwise),
/// epoll wants non-blocking ones.
#[allow(unsafe_code, reason = "accept4, because monoio's accept loses a connection when it is cancelled")]
fn accept_one(listener: RawFd) -> io::Result<(std::net::TcpStream, IpAddr)> {
    let flags =
        if monoio::utils::detect_uring() { libc::SOCK_CLOEXEC } else { libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK };
    // SAFETY: null address pointers are allowed; the descriptor is checked before it is used.
    let fd = unsafe { libc::accept4(listener, std::ptr::null_mut(), std::ptr::null_mut(), flags) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: `fd` was just returned by accept4, is open, and nobody else owns it.
    let socket = unsafe { std::net::TcpStream::from_raw_fd(fd) };
    let peer = socket.peer_addr()?.ip().to_canonical();
    Ok((socket, peer))
}

/// Counts the connection against its limits and gives it a task.
fn admit<S: Service>(shard: &Rc<Shard<S>>, socket: std::net::TcpStream, peer: IpAddr, id: u64) {
    shard.metrics.accepted.inc();
    let Ok(mut slot) = Slot::take(shard, peer, id) else {
        shard.metrics.refused.inc();
        return;
    };
    let _ = socket.set_nodelay(true);
    let Ok(socket) = TcpStream::from_std(socket) else { return };
    let shard = shard.clone();
    monoio::spawn(async move {
        // Boxed: the handshake's state must not stay inside the task of a connection that lives for hours.
        let opening = Box::pin(monoio::time::timeout(shard.limits.handshake, open(&shard, socket, peer, &mut slot)));
        let Ok(opened) = opening.await else {
            shard.metrics.handshake_failed.inc();
            return;
        };
        match opened {
            Some(Opened::H2(io, peer)) => {
                monoio::spawn(async move { h2::drive(io, shard, slot.watch.clone(), peer).await });
            }
            Some(Opened::Plain(io, peer)) => {
                let _ = monoio::time::timeout(PLAIN_REQUEST_DEADLINE, refuse_plain(&shard, io, peer)).await;
            }
            None => {}
        }
    });
}

enum Opened {
    H2(TlsIo, IpAddr),
    Plain(TlsIo, IpAddr),
}

/// PROXY protocol where it is due, then TLS. `None`: failed and counted.
async fn open<S: Service>(shard: &Shard<S>, socket: TcpStream, mut peer: IpAddr, slot: &mut Slot<S>) -> Option<Opened> {
    if shard.proxy_protocol && shard.is_proxy(peer) {
        let Some(source) = proxied_source(&socket).await else {
            shard.metrics.proxy_failed.inc();
            return None;
        };
        if let Source::Of(address) = source {
            peer = address;
            if slot.rename(peer).is_err() {
                shard.metrics.refused.inc();
                return None;
            }
        }
    }
    let config = shard.tls.borrow().clone();
    let Ok(session) = ServerConnection::new(config) else { return None };
    let mut io = TlsIo::new(socket, session);
    if io.handshake().await.is_err() {
        shard.metrics.handshake_failed.inc();
        return None;
    }
    Some(if io.is_h2() { Opened::H2(io, peer) } else { Opened::Plain(io, peer) })
}

async fn proxied_source(socket: &TcpStream) -> Option<Source> {
    let mut head = [0; proxy_protocol::HEAD_BYTES];
    read_exact(socket, &mut head).await.ok()?;
    let head = proxy_protocol::parse_head(&head)?;
    let mut rest = vec![0; head.rest_bytes];
    read_exact(socket, &mut rest).await.ok()?;
    proxy_protocol::parse_source(&head, &rest)
}

#[allow(unsafe_code, reason = "recv of an exact length, so that no byte of the handshake is taken")]
async fn read_exact(socket: &TcpStream, mut bytes: &mut [u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        socket.readable(false).await?;
        // SAFETY: the pointer and length are those of an exclusive slice that outlives the call.
        let n = unsafe { libc::recv(socket.as_raw_fd(), bytes.as_mut_ptr().cast(), bytes.len(), libc::MSG_DONTWAIT) };
        match usize::try_from(n) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(n) => bytes = bytes.get_mut(n..).unwrap_or_default(),
            Err(_) if io::Error::last_os_error().kind() == io::ErrorKind::WouldBlock => {}
            Err(_) => return Err(io::Error::last_os_error()),
        }
    }
    Ok(())
}

/// Counts and logs a client without ALPN, and tells it why.
async fn refuse_plain<S: Service>(shard: &Shard<S>, io: TlsIo, peer: IpAddr) {
    shard.metrics.no_alpn.inc();
    if shard.is_first_from(peer) {
        tracing::info!(%peer, "client offers no ALPN; it must offer h2 (see docs/CLIENTS.md); logged once per address");
    }
    if plain::refuse(io).await {
        shard.metrics.http1.inc();
    }
}

/// A connection's place in the shard's books; leaves them when dropped.
struct Slot<S: Service> {
    shard: Rc<Shard<S>>,
    watch: Rc<Watch>,
    address: IpAddr,
    id: u64,
}

impl<S: Service> Slot<S> {
    fn take(shard: &Rc<Shard<S>>, peer: IpAddr, id: u64) -> Result<Self, ()> {
        let mut connections = shard.connections.borrow_mut();
        if connections.len() >= shard.limits.connections_max {
            return Err(());
        }
        let address = shard.count_in(peer)?;
        let watch = Watch::new();
        connections.insert(id, watch.clone());
        shard.metrics.open.add(1);
        Ok(Self { shard: shard.clone(), watch, address, id })
    }

    /// The connection turns out to be another's (PROXY protocol): counted there from now on.
    fn rename(&mut self, peer: IpAddr) -> Result<(), ()> {
        let address = self.shard.count_in(peer)?;
        self.shard.count_out(self.address);
        self.address = address;
        Ok(())
    }
}

impl<S: Service> Drop for Slot<S> {
    fn drop(&mut self) {
        self.shard.metrics.open.add(-1);
        self.shard.connections.borrow_mut().remove(&self.id);
        self.shard.count_out(self.address);
    }
}

/// One address of IPv4, one /64 of IPv6: what one party has at the least.
fn counted_address(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into(),
    }
}
