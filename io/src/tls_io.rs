//! tokio's `AsyncRead + AsyncWrite` over a monoio socket and a rustls session, for the h2 crate.
//!
//! No buffer is held while a connection is idle: readiness comes from the driver (`PollAdd` on
//! io_uring, epoll otherwise), bytes move by non-blocking `recv` and `sendmsg` through buffers that
//! belong to the shard. What is written is encrypted at once (h2 gathers frames to 16 KiB, one record) and
//! leaves as one flight per turn, when the driver of the connection calls [`TlsIo::push`]; `poll_flush`
//! does nothing, so whoever polls h2 pushes afterwards.
//!
//! Limits: [`OUT_BYTES_MAX`] waiting for a peer that does not read stops `poll_write`.

use crate::frames::FrameWatch;
use monoio::net::TcpStream;
use reusable_box_future::ReusableLocalBoxFuture;
use rustls::ServerConnection;
use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::io::{self, BufRead, Read, Write};
use std::os::fd::{AsRawFd, RawFd};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

const RECV_BYTES: usize = 64 * 1024;
/// Bytes waiting for a peer that does not read, per connection.
pub const OUT_BYTES_MAX: usize = 256 * 1024;
/// Bytes a connection may receive before the shard's others have their turn.
pub const TURN_BYTES_MAX: usize = 64 * 1024;
/// The same for a connection that has received [`SUSPECT_BYTES`] beyond what its requests account for.
pub const SUSPECT_TURN_BYTES_MAX: usize = 8 * 1024;
const SUSPECT_BYTES: usize = 128 * 1024;
/// What one request accounts for: the largest body, header and framing.
pub const REQUEST_BYTES_MAX: usize = 96 * 1024;
/// How long, and for how many bytes, a connection that we end waits for the peer's end.
const LINGER: Duration = Duration::from_secs(1);
const LINGER_BYTES_MAX: usize = 256 * 1024;
/// Chunks a shard keeps for the next reads.
const CHUNKS_MAX: usize = 64;

thread_local! {
    static CHUNKS: RefCell<Vec<Box<[u8]>>> = const { RefCell::new(Vec::new()) };
}

/// Received bytes that the session has not taken yet, in a chunk of the shard's.
#[derive(Default)]
struct Incoming {
    chunk: Option<Box<[u8]>>,
    at: usize,
    end: usize,
}

impl Incoming {
    fn waiting(&self) -> &[u8] {
        self.chunk.as_ref().and_then(|chunk| chunk.get(self.at..self.end)).unwrap_or_default()
    }

    /// The session took `n` bytes; an empty chunk goes back to the shard.
    fn take(&mut self, n: usize) {
        self.at += n;
        if self.at >= self.end {
            self.release();
        }
    }

    /// Reads the socket once into an empty chunk.
    fn receive(&mut self, socket: &mut Socket<'_>, bytes_max: usize) -> io::Result<usize> {
        let chunk = CHUNKS.with_borrow_mut(Vec::pop).unwrap_or_else(|| vec![0; RECV_BYTES].into_boxed_slice());
        let chunk = self.chunk.insert(chunk);
        self.at = 0;
        self.end = 0;
        let room = bytes_max.min(chunk.len());
        match socket.read(chunk.get_mut(..room).unwrap_or_default()) {
            Ok(n) if n > 0 => {
                self.end = n;
                Ok(n)
            }
            nothing => {
                self.release();
                nothing
            }
        }
    }

    fn release(&mut self) {
        self.at = 0;
        self.end = 0;
        let Some(chunk) = self.chunk.take() else { return };
        CHUNKS.with_borrow_mut(|chunks| {
            if chunks.len() < CHUNKS_MAX {
                chunks.push(chunk);
            }
        });
    }
}

/// A readiness wait that is re-armed in place, without a new allocation each time.
struct Waiter {
    future: ReusableLocalBoxFuture<io::Result<()>>,
    is_armed: bool,
}

impl Waiter {
    fn new() -> Self {
        Self { future: ReusableLocalBoxFuture::new(async { Ok(()) }), is_armed: false }
    }

    fn arm(&mut self, future: impl Future<Output = io::Result<()>> + 'static) {
        self.future.set(future);
        self.is_armed = true;
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let result = ready!(self.future.poll(cx));
        self.is_armed = false;
        Poll::Ready(result)
    }
}

struct Inner {
    socket: Rc<TcpStream>,
    tls: ServerConnection,
    incoming: Incoming,
    /// Plaintext given to the session since it was last empty of things to send.
    out_bytes: usize,
    reading: Waiter,
    writing: Waiter,
    frames: FrameWatch,
    /// The socket was found empty in this turn; its waiter holds this turn's waker.
    is_drained: bool,
    /// Received in this turn.
    turn_bytes: usize,
    is_eof: bool,
}

/// A TLS connection as h2 wants it. Clones are handles to the same connection, on one thread.
#[derive(Clone)]
pub struct TlsIo {
    inner: Rc<RefCell<Inner>>,
    traffic: Rc<Traffic>,
}

/// What passed the socket, for the budgets of the connection.
#[derive(Default)]
pub struct Traffic {
    /// Bytes received beyond what the completed requests account for.
    pub unproductive_bytes: Cell<usize>,
    /// TLS bytes the kernel took from us so far.
    pub sent_bytes: Cell<u64>,
}

impl Traffic {
    /// What the connection may receive in one turn: little, once it has sent much and asked for nothing.
    fn turn_bytes_max(&self) -> usize {
        if self.unproductive_bytes.get() > SUSPECT_BYTES { SUSPECT_TURN_BYTES_MAX } else { TURN_BYTES_MAX }
    }

    /// A request has come whole: it accounts for as much as a request may be.
    pub fn note_request(&self) {
        self.unproductive_bytes.set(self.unproductive_bytes.get().saturating_sub(REQUEST_BYTES_MAX));
    }
}

struct Socket<'a> {
    fd: RawFd,
    traffic: &'a Traffic,
}

impl Read for Socket<'_> {
    #[allow(unsafe_code, reason = "recv into a slice we own")]
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        // SAFETY: the pointer and length are those of an exclusive slice that outlives the call.
        let n = unsafe { libc::recv(self.fd, buffer.as_mut_ptr().cast(), buffer.len(), libc::MSG_DONTWAIT) };
        usize::try_from(n).map_err(|_| io::Error::last_os_error())
    }
}

impl Write for Socket<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[io::IoSlice::new(bytes)])
    }

    #[allow(unsafe_code, reason = "sendmsg of borrowed slices")]
    fn write_vectored(&mut self, slices: &[io::IoSlice<'_>]) -> io::Result<usize> {
        // SAFETY: msghdr is plain data for which all-zero bytes are a valid value.
        let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
        message.msg_iov = slices.as_ptr().cast_mut().cast();
        message.msg_iovlen = slices.len().min(1024) as _;
        // SAFETY: IoSlice is ABI-compatible with iovec; sendmsg only reads through it, during the call.
        let n = unsafe { libc::sendmsg(self.fd, &raw const message, libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL) };
        let n = usize::try_from(n).map_err(|_| io::Error::last_os_error())?;
        self.traffic.sent_bytes.set(self.traffic.sent_bytes.get() + n as u64);
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl TlsIo {
    pub fn new(socket: TcpStream, mut tls: ServerConnection) -> Self {
        // The limit is ours: `OUT_BYTES_MAX` with backpressure in `poll_write`.
        tls.set_buffer_limit(None);
        let inner = Inner {
            socket: Rc::new(socket),
            tls,
            incoming: Incoming::default(),
            out_bytes: 0,
            reading: Waiter::new(),
            writing: Waiter::new(),
            frames: FrameWatch::default(),
            is_drained: false,
            turn_bytes: 0,
            is_eof: false,
        };
        Self { inner: Rc::new(RefCell::new(inner)), traffic: Rc::default() }
    }

    pub fn traffic(&self) -> &Traffic {
        &self.traffic
    }

    /// Completes the TLS handshake. A refused peer is told why: the alert is sent before the error returns.
    ///
    /// Not monoio-rustls's acceptor: on a fatal alert it writes only the first queued record, so that a
    /// peer without `h2` saw a closed connection instead of `no_application_protocol`, and it drops what
    /// it has read beyond the handshake.
    ///
    /// # Errors
    /// The peer went away, or what it sent was refused.
    pub async fn handshake(&self) -> io::Result<()> {
        poll_fn(|cx| self.inner.borrow_mut().handshake(&self.traffic, cx)).await
    }

    /// Ends our direction and waits, a moment, for the peer to end its own: a socket closed while it still has bytes to
    /// read is reset, and takes with it what the peer has not read yet, a GOAWAY for example.
    pub async fn linger(&self) {
        let socket = self.inner.borrow().socket.clone();
        let drained = async move {
            shutdown_write(socket.as_raw_fd());
            let mut left = LINGER_BYTES_MAX;
            let mut rubbish = vec![0; 4096];
            let traffic = Traffic::default();
            while left > 0 && socket.readable(false).await.is_ok() {
                match (Socket { fd: socket.as_raw_fd(), traffic: &traffic }).read(&mut rubbish) {
                    Ok(0) => return,
                    Ok(n) => left = left.saturating_sub(n),
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    Err(_) => return,
                }
            }
        };
        let _ = monoio::time::timeout(LINGER, drained).await;
    }

    /// The protocol that was negotiated, if the peer offered any.
    pub fn is_h2(&self) -> bool {
        self.inner.borrow().tls.alpn_protocol() == Some(b"h2")
    }

    /// Start of a turn of the connection's task: the socket may have bytes again.
    pub fn turn(&self) {
        let mut inner = self.inner.borrow_mut();
        inner.is_drained = false;
        inner.turn_bytes = 0;
    }

    /// End of a turn: send what was written, in one call where the kernel takes it.
    ///
    /// # Errors
    /// The socket or the TLS session failed; the connection is over.
    pub fn push(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.inner.borrow_mut().push(&self.traffic, cx)
    }

    /// Whether the peer has begun a frame or header block and not ended it.
    pub fn is_incomplete(&self) -> bool {
        self.inner.borrow().frames.is_incomplete()
    }

    /// SETTINGS that came since the last call, and whether trailers were malformed.
    pub fn take_oddities(&self) -> (u32, bool) {
        let frames = &mut self.inner.borrow_mut().frames;
        (frames.take_settings(), frames.has_bad_trailers())
    }

    /// Whether something written has not left yet: the peer does not read.
    pub fn is_blocked(&self) -> bool {
        self.inner.borrow().tls.wants_write()
    }

    /// Queues the TLS close alert behind what was written; a push sends both.
    pub fn close_notify(&self) {
        self.inner.borrow_mut().tls.send_close_notify();
    }
}

#[allow(unsafe_code, reason = "shutdown of one direction")]
fn shutdown_write(fd: RawFd) {
    // SAFETY: the descriptor is open, since its owner is borrowed by the caller; the call takes no pointer.
    unsafe { libc::shutdown(fd, libc::SHUT_WR) };
}

impl Inner {
    /// Reads the socket once; `false` when it had nothing.
    fn receive(&mut self, traffic: &Traffic, bytes_max: usize) -> io::Result<bool> {
        let mut socket = Socket { fd: self.socket.as_raw_fd(), traffic };
        match self.incoming.receive(&mut socket, bytes_max) {
            Ok(0) => {
                self.is_eof = true;
                Ok(true)
            }
            Ok(n) => {
                self.turn_bytes += n;
                traffic.unproductive_bytes.set(traffic.unproductive_bytes.get() + n);
                Ok(true)
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Gives the session the next slice: it takes at most 4096 bytes a call, and refuses more while over
    /// 16 KiB of plaintext wait, so what it has is read before it gets more.
    fn feed(&mut self) -> io::Result<()> {
        let taken = self.tls.read_tls(&mut self.incoming.waiting())?;
        if taken == 0 {
            // The peer has said that it sends no more; what follows is nothing.
            self.incoming.release();
            self.is_eof = true;
        }
        self.incoming.take(taken);
        let state =
            self.tls.process_new_packets().map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        self.is_eof |= state.peer_has_closed();
        Ok(())
    }

    fn handshake(&mut self, traffic: &Traffic, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            ready!(self.push(traffic, cx))?;
            if !self.tls.is_handshaking() {
                return Poll::Ready(Ok(()));
            }
            if self.is_eof {
                return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
            }
            if !self.incoming.waiting().is_empty() {
                if let Err(error) = self.feed() {
                    // One attempt to send the alert; a peer that does not read does not get to keep us.
                    let _ = self.push(traffic, cx);
                    return Poll::Ready(Err(error));
                }
                continue;
            }
            if self.reading.is_armed {
                ready!(self.reading.poll(cx))?;
            }
            if !self.receive(traffic, TURN_BYTES_MAX)? {
                self.arm_reading();
            }
        }
    }

    fn arm_reading(&mut self) {
        let socket = self.socket.clone();
        self.reading.arm(async move { socket.readable(false).await });
    }

    /// Sends what the session has encrypted.
    fn push(&mut self, traffic: &Traffic, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.tls.wants_write() {
            let mut socket = Socket { fd: self.socket.as_raw_fd(), traffic };
            match self.tls.write_tls(&mut socket) {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if !self.writing.is_armed {
                        let socket = self.socket.clone();
                        self.writing.arm(async move { socket.writable(false).await });
                    }
                    ready!(self.writing.poll(cx))?;
                }
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
        self.out_bytes = 0;
        Poll::Ready(Ok(()))
    }

    fn read(&mut self, traffic: &Traffic, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let mut has_read = false;
        loop {
            // An error only says that nothing waits.
            if let Ok(waiting) = self.tls.reader().fill_buf()
                && !waiting.is_empty()
            {
                let taken = waiting.len().min(buffer.remaining());
                let plain = waiting.get(..taken).unwrap_or_default();
                buffer.put_slice(plain);
                self.frames.observe(plain);
                self.tls.reader().consume(taken);
                has_read = true;
                if buffer.remaining() == 0 {
                    return Poll::Ready(Ok(()));
                }
                continue;
            }
            if !self.incoming.waiting().is_empty() {
                self.feed()?;
                continue;
            }
            if has_read {
                return Poll::Ready(Ok(()));
            }
            if self.is_eof {
                return Poll::Ready(Ok(()));
            }
            if self.is_drained {
                return Poll::Pending;
            }
            let allowance = traffic.turn_bytes_max().saturating_sub(self.turn_bytes);
            if allowance == 0 {
                return self.yield_turn(cx);
            }
            if self.reading.is_armed {
                match self.reading.poll(cx) {
                    Poll::Pending => {
                        self.is_drained = true;
                        return Poll::Pending;
                    }
                    Poll::Ready(result) => result?,
                }
            }
            if !self.receive(traffic, allowance)? {
                self.arm_reading();
            }
        }
    }

    /// The others' turn: this connection goes on when the driver has looked at all of them. It waits for readiness
    /// rather than waking itself, because a task that is always ready keeps timers and other threads' news waiting.
    fn yield_turn(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.is_drained = true;
        if !self.reading.is_armed {
            self.arm_reading();
        }
        if let Poll::Ready(ready) = self.reading.poll(cx) {
            ready?;
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    }
}

impl AsyncRead for TlsIo {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.inner.borrow_mut().read(&self.traffic, cx, buffer)
    }
}

impl AsyncWrite for TlsIo {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let mut inner = self.inner.borrow_mut();
        if inner.out_bytes >= OUT_BYTES_MAX {
            ready!(inner.push(&self.traffic, cx))?;
        }
        let taken = inner.tls.writer().write(bytes)?;
        inner.out_bytes += taken;
        Poll::Ready(Ok(taken))
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut inner = self.inner.borrow_mut();
        inner.tls.send_close_notify();
        inner.push(&self.traffic, cx)
    }
}
