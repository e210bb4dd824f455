//! TLS over a monoio socket, for one task that reads, answers and sends in turns.
//!
//! No buffer is held while a connection is idle: readiness comes from the driver (`PollAdd` on
//! io_uring, epoll otherwise), bytes move by non-blocking `recv` and `sendmsg` through buffers that
//! belong to the shard. What is written is encrypted at once and leaves as one flight per turn, when
//! the connection's driver calls [`TlsIo::push`].
//!
//! Limits: [`OUT_BYTES_MAX`] waiting for a peer that does not read ([`TlsIo::is_full`]), and
//! [`TURN_BYTES_MAX`] received before the shard's other connections have their turn.

use monoio::net::TcpStream;
use reusable_box_future::ReusableLocalBoxFuture;
use rustls::ServerConnection;
use std::cell::RefCell;
use std::future::poll_fn;
use std::io::{self, BufRead, Read, Write};
use std::os::fd::{AsRawFd, RawFd};
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

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

/// A TLS connection over a socket.
pub struct TlsIo {
    socket: Rc<TcpStream>,
    tls: ServerConnection,
    incoming: Incoming,
    /// Plaintext given to the session since it was last empty of things to send.
    out_bytes: usize,
    reading: Waiter,
    writing: Waiter,
    /// The socket was found empty in this turn; its waiter holds this turn's waker.
    is_drained: bool,
    /// Received in this turn.
    turn_bytes: usize,
    is_eof: bool,
    /// Bytes received beyond what the completed requests account for.
    unproductive_bytes: usize,
    sent_bytes: u64,
}

struct Socket<'a> {
    fd: RawFd,
    sent_bytes: &'a mut u64,
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
        *self.sent_bytes += n as u64;
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl TlsIo {
    pub fn new(socket: TcpStream, mut tls: ServerConnection) -> Self {
        // The limit is ours: [`OUT_BYTES_MAX`], by [`Self::is_full`].
        tls.set_buffer_limit(None);
        Self {
            socket: Rc::new(socket),
            tls,
            incoming: Incoming::default(),
            out_bytes: 0,
            reading: Waiter::new(),
            writing: Waiter::new(),
            is_drained: false,
            turn_bytes: 0,
            is_eof: false,
            unproductive_bytes: 0,
            sent_bytes: 0,
        }
    }

    /// Completes the TLS handshake. A refused peer is told why: the alert is sent before the error returns.
    ///
    /// Not monoio-rustls's acceptor: on a fatal alert it writes only the first queued record, so that a
    /// peer without `h2` saw a closed connection instead of `no_application_protocol`, and it drops what
    /// it has read beyond the handshake.
    ///
    /// # Errors
    /// The peer went away, or what it sent was refused.
    pub async fn handshake(&mut self) -> io::Result<()> {
        poll_fn(|cx| self.poll_handshake(cx)).await
    }

    /// The protocol that was negotiated, if the peer offered any.
    pub fn is_h2(&self) -> bool {
        self.tls.alpn_protocol() == Some(b"h2")
    }

    /// Start of a turn of the connection's task: the socket may have bytes again.
    pub fn turn(&mut self) {
        self.is_drained = false;
        self.turn_bytes = 0;
    }

    /// Waits for plaintext, which [`Self::plaintext`] then gives; `false`: the peer sends no more. `Pending` also when
    /// the turn's bytes are used up.
    ///
    /// # Errors
    /// The socket or the TLS session failed; the connection is over.
    pub fn poll_readable(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        loop {
            if !self.plaintext().is_empty() {
                return Poll::Ready(Ok(true));
            }
            if !self.incoming.waiting().is_empty() {
                self.feed()?;
                continue;
            }
            if self.is_eof {
                return Poll::Ready(Ok(false));
            }
            if self.is_drained {
                return Poll::Pending;
            }
            let allowance = self.turn_bytes_max().saturating_sub(self.turn_bytes);
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
            if !self.receive(allowance)? {
                self.arm_reading();
            }
        }
    }

    /// What has been decrypted and not yet consumed.
    pub fn plaintext(&mut self) -> &[u8] {
        // An error only says that nothing waits.
        self.tls.reader().into_first_chunk().unwrap_or_default()
    }

    /// `n` bytes of [`Self::plaintext`] have been used.
    pub fn consume(&mut self, n: usize) {
        self.tls.reader().consume(n);
    }

    /// Encrypts; a push sends it.
    ///
    /// # Errors
    /// The session encrypts no more.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.out_bytes += bytes.len();
        self.tls.writer().write_all(bytes)
    }

    /// Sends what was encrypted, in one call where the kernel takes it.
    ///
    /// # Errors
    /// The socket or the TLS session failed; the connection is over.
    pub fn push(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.tls.wants_write() {
            let mut socket = Socket { fd: self.socket.as_raw_fd(), sent_bytes: &mut self.sent_bytes };
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

    /// Whether something written has not left yet: the peer does not read.
    pub fn is_blocked(&self) -> bool {
        self.tls.wants_write()
    }

    /// Whether so much waits for a peer that does not read that nothing more may be written.
    pub fn is_full(&self) -> bool {
        self.out_bytes >= OUT_BYTES_MAX
    }

    /// Bytes received beyond what the completed requests account for.
    pub fn unproductive_bytes(&self) -> usize {
        self.unproductive_bytes
    }

    /// `n` requests have come whole: each accounts for as much as a request may be.
    pub fn note_requests(&mut self, n: u64) {
        let accounted = usize::try_from(n).unwrap_or(usize::MAX).saturating_mul(REQUEST_BYTES_MAX);
        self.unproductive_bytes = self.unproductive_bytes.saturating_sub(accounted);
    }

    /// TLS bytes that the kernel took from us so far.
    pub fn sent_bytes(&self) -> u64 {
        self.sent_bytes
    }

    /// Queues the TLS close alert behind what was written; a push sends both.
    pub fn close_notify(&mut self) {
        self.tls.send_close_notify();
    }

    /// Ends our direction and waits, a moment, for the peer to end its own: a socket closed while it still has bytes to
    /// read is reset, and takes with it what the peer has not read yet, a GOAWAY for example.
    pub async fn linger(self) {
        let drained = async move {
            shutdown_write(self.socket.as_raw_fd());
            let mut left = LINGER_BYTES_MAX;
            let mut rubbish = vec![0; 4096];
            while left > 0 && self.socket.readable(false).await.is_ok() {
                match (Socket { fd: self.socket.as_raw_fd(), sent_bytes: &mut 0 }).read(&mut rubbish) {
                    Ok(0) => return,
                    Ok(n) => left = left.saturating_sub(n),
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    Err(_) => return,
                }
            }
        };
        let _ = monoio::time::timeout(LINGER, drained).await;
    }

    /// What the connection may receive in one turn: little, once it has sent much and asked for nothing.
    fn turn_bytes_max(&self) -> usize {
        if self.unproductive_bytes > SUSPECT_BYTES { SUSPECT_TURN_BYTES_MAX } else { TURN_BYTES_MAX }
    }

    /// Reads the socket once; `false` when it had nothing.
    fn receive(&mut self, bytes_max: usize) -> io::Result<bool> {
        let mut socket = Socket { fd: self.socket.as_raw_fd(), sent_bytes: &mut self.sent_bytes };
        match self.incoming.receive(&mut socket, bytes_max) {
            Ok(0) => {
                self.is_eof = true;
                Ok(true)
            }
            Ok(n) => {
                self.turn_bytes += n;
                self.unproductive_bytes += n;
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

    fn poll_handshake(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            ready!(self.push(cx))?;
            if !self.tls.is_handshaking() {
                return Poll::Ready(Ok(()));
            }
            if self.is_eof {
                return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
            }
            if !self.incoming.waiting().is_empty() {
                if let Err(error) = self.feed() {
                    // One attempt to send the alert; a peer that does not read does not get to keep us.
                    let _ = self.push(cx);
                    return Poll::Ready(Err(error));
                }
                continue;
            }
            if self.reading.is_armed {
                ready!(self.reading.poll(cx))?;
            }
            if !self.receive(TURN_BYTES_MAX)? {
                self.arm_reading();
            }
        }
    }

    fn arm_reading(&mut self) {
        let socket = self.socket.clone();
        self.reading.arm(async move { socket.readable(false).await });
    }

    /// The others' turn: this connection goes on when the driver has looked at all of them. It waits for readiness
    /// rather than waking itself, because a task that is always ready keeps timers and other threads' news waiting.
    fn yield_turn(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
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

#[allow(unsafe_code, reason = "shutdown of one direction")]
fn shutdown_write(fd: RawFd) {
    // SAFETY: the descriptor is open, since its owner is borrowed by the caller; the call takes no pointer.
    unsafe { libc::shutdown(fd, libc::SHUT_WR) };
}
