//! One HTTP/2 connection on a shard: streams in, replies out, and every budget of the peer.
//!
//! One task per connection, none per stream: each turn reads what the socket has, answers all the
//! requests that came, and leaves as one TLS flight. A hot reply is made in the turn; a request that
//! goes cold waits here as a receiver while the connection serves its other streams. This is the
//! only module that knows the h2 crate.
//!
//! Limits (see [`ConnectionLimits`]): header list, streams, body bytes and time, reply time, idle
//! and total age, resets by the peer (also while a cold answer is on its way, so that resetting does
//! not buy unbounded backend work), and bytes received without completing a request, which bounds
//! PING, SETTINGS, WINDOW_UPDATE and PRIORITY floods. Rapid resets before a request is taken and
//! resets that the peer provokes from us are bounded inside h2 by the same number.
//!
//! Deadlines are looked at once a second by the shard's sweeper, which wakes only what is due.

use crate::http::{BODY_BYTES_MAX, ColdRequest, Outcome, Reply, Request};
use crate::settings::ConnectionLimits;
use crate::shard::{Service, Shard};
use crate::tls_io::TlsIo;
use bytes::Bytes;
use h2::server::{Builder, SendResponse};
use h2::{Reason, RecvStream};
use http::request::Parts;
use http::{HeaderMap, Method, Response, StatusCode, Uri, header};
use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Instant;
use tokio::sync::oneshot;

/// Flow-control credit of one stream: a whole body of the largest kind.
pub const STREAM_WINDOW_BYTES: u32 = 65_535;
/// Flow-control credit of a connection; bounds what h2 may hold for it.
pub const CONNECTION_WINDOW_BYTES: u32 = 256 * 1024;
pub const SEND_BUFFER_BYTES_MAX: usize = 64 * 1024;
/// SETTINGS of a connection in the time that resets are counted over: each walks every open stream.
pub const SETTINGS_MAX: u32 = 64;
/// Resets are counted over this many seconds.
pub const RESET_WINDOW_S: u32 = 10;

/// What the sweeper sees of a connection.
pub(crate) struct Watch {
    /// The shard's second at which the connection must be woken.
    pub due_s: Cell<u32>,
    pub waker: RefCell<Option<Waker>>,
}

impl Watch {
    pub fn new() -> Rc<Self> {
        Rc::new(Self { due_s: Cell::new(u32::MAX), waker: RefCell::default() })
    }

    pub fn wake(&self) {
        if let Some(waker) = self.waker.borrow().as_ref() {
            waker.wake_by_ref();
        }
    }
}

/// A request as h2 hands it over.
pub(crate) type Stream = (http::Request<RecvStream>, SendResponse<Bytes>);

struct Connection<S: Service> {
    h2: h2::server::Connection<TlsIo, Bytes>,
    io: TlsIo,
    shard: Rc<Shard<S>>,
    watch: Rc<Watch>,
    memo: S::Memo,
    peer: IpAddr,
    waiting: Vec<Waiting>,
    opened_s: u32,
    active_s: u32,
    sent_bytes: u64,
    /// Since when something waits to be read by the peer without a byte leaving.
    blocked_since_s: Option<u32>,
    draining_since_s: Option<u32>,
    resets: usize,
    resets_since_s: u32,
    settings: u32,
    /// Since when a frame or header block has been half there.
    incomplete_since_s: Option<u32>,
}

/// What came in a turn.
struct Accepted {
    requests: u64,
    is_over: bool,
}

/// A stream that is not answered yet.
struct Waiting {
    respond: SendResponse<Bytes>,
    since_s: u32,
    on: WaitingOn,
}

enum WaitingOn {
    Body { parts: Box<Parts>, stream: RecvStream, got: Vec<u8> },
    Cold(oneshot::Receiver<Reply>, IpAddr),
    Done,
}

/// Serves the connection until either side ends it.
pub(crate) async fn drive<S: Service>(io: TlsIo, shard: Rc<Shard<S>>, watch: Rc<Watch>, peer: IpAddr) {
    // Boxed, here and below: what lives for a moment takes no room in a task that lives for hours.
    let Some(h2) = Box::pin(handshake(&io, &shard.limits)).await else { return };
    let now_s = shard.second.get();
    let mut connection = Box::new(Connection {
        h2,
        sent_bytes: 0,
        blocked_since_s: None,
        io: io.clone(),
        watch,
        memo: S::Memo::default(),
        peer,
        waiting: Vec::new(),
        opened_s: now_s,
        active_s: now_s,
        draining_since_s: None,
        resets: 0,
        resets_since_s: now_s,
        settings: 0,
        incomplete_since_s: None,
        shard,
    });
    poll_fn(|cx| {
        catch_unwind(AssertUnwindSafe(|| connection.turn(cx))).unwrap_or_else(|_| {
            connection.shard.metrics.panics.inc();
            Poll::Ready(())
        })
    })
    .await;
    drop(connection);
    io.close_notify();
    // One attempt: a peer that does not read does not get to keep us.
    poll_fn(|cx| {
        let _ = io.push(cx);
        Poll::Ready(())
    })
    .await;
    Box::pin(io.linger()).await;
}

async fn handshake(io: &TlsIo, limits: &ConnectionLimits) -> Option<h2::server::Connection<TlsIo, Bytes>> {
    let mut builder = Builder::new();
    builder
        .initial_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_concurrent_streams(limits.streams_max)
        .max_header_list_size(limits.header_list_bytes_max)
        .max_send_buffer_size(SEND_BUFFER_BYTES_MAX)
        .max_pending_accept_reset_streams(limits.resets_max)
        .max_local_error_reset_streams(Some(limits.resets_max))
        .max_concurrent_reset_streams(limits.resets_max);
    let mut handshake = Box::pin(builder.handshake::<_, Bytes>(io.clone()));
    let accepted = poll_fn(|cx| {
        io.turn();
        let polled = handshake.as_mut().poll(cx);
        // Our SETTINGS must leave even while the peer's are awaited.
        match io.push(cx) {
            Poll::Ready(Err(_)) => Poll::Ready(None),
            _ => polled.map(Result::ok),
        }
    });
    monoio::time::timeout(limits.handshake, accepted).await.ok().flatten()
}

impl<S: Service> Connection<S> {
    /// One turn: read, answer, let h2 frame the replies, send.
    fn turn(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.io.turn();
        let mut is_over = self.watch.due_s.get() <= self.shard.second.get() && self.check_deadlines();
        loop {
            let accepted = self.accept(cx);
            is_over |= accepted.is_over;
            let answered = self.poll_waiting(cx) || accepted.requests > 0;
            is_over |= self.check_budgets();
            if !answered || is_over {
                break;
            }
        }
        if is_over {
            // Lets a GOAWAY that was just queued reach the socket.
            let _ = self.h2.poll_accept(cx);
        }
        match self.io.push(cx) {
            Poll::Ready(Err(_)) => Poll::Ready(()),
            _ if is_over => Poll::Ready(()),
            _ => {
                self.set_due(cx);
                Poll::Pending
            }
        }
    }

    /// Takes every request that has come, then answers them; `true` when the connection is over. Answered one by one,
    /// h2 would look for frames to write before each: measured, half a microsecond a request.
    fn accept(&mut self, cx: &mut Context<'_>) -> Accepted {
        let mut is_over = false;
        // The shard's, not the connection's: an idle connection holds no room for requests.
        let mut batch = self.shard.batch.take();
        loop {
            match self.h2.poll_accept(cx) {
                Poll::Ready(Some(Ok(stream))) => batch.push(stream),
                Poll::Ready(Some(Err(_)) | None) => {
                    is_over = true;
                    break;
                }
                Poll::Pending => break,
            }
        }
        let requests = batch.len() as u64;
        if requests > 0 {
            let began = Instant::now();
            self.active_s = self.shard.second.get();
            for (request, respond) in batch.drain(..) {
                self.request(request, respond, cx);
            }
            let each = began.elapsed() / u32::try_from(requests).unwrap_or(u32::MAX);
            self.shard.metrics.hot_seconds.observe_many(each.as_micros() as u64, requests);
        }
        self.shard.batch.replace(batch);
        Accepted { requests, is_over }
    }

    /// The usual case: no body, or all of it in the first DATA frame, used in place. Its credit goes
    /// back to the connection when the stream is dropped.
    fn request(
        &mut self,
        mut request: http::Request<RecvStream>,
        mut respond: SendResponse<Bytes>,
        cx: &mut Context<'_>,
    ) {
        if request.method() != Method::POST && request.body().is_end_stream() {
            return self.dispatch(&mut request, &Bytes::new(), respond);
        }
        let mut got = Vec::new();
        if let Poll::Ready(Some(Ok(data))) = request.body_mut().poll_data(cx) {
            if request.body().is_end_stream() {
                return self.dispatch(&mut request, &data, respond);
            }
            let _ = request.body_mut().flow_control().release_capacity(data.len());
            if data.len() > BODY_BYTES_MAX {
                return send(&mut respond, Reply::empty(StatusCode::PAYLOAD_TOO_LARGE));
            }
            got = data.to_vec();
        }
        let (parts, stream) = request.into_parts();
        let on = WaitingOn::Body { parts: Box::new(parts), stream, got };
        self.wait(Waiting { respond, since_s: self.shard.second.get(), on });
    }

    /// Queues a stream for [`Self::poll_waiting`], which this turn still runs.
    fn wait(&mut self, waiting: Waiting) {
        self.waiting.push(waiting);
    }

    fn dispatch(&mut self, request: &mut http::Request<RecvStream>, body: &Bytes, mut respond: SendResponse<Bytes>) {
        self.io.traffic().note_request();
        match self.call(Head::of(request), body) {
            Outcome::Reply(reply) => {
                self.shard.metrics.hot.inc();
                send(&mut respond, reply);
            }
            Outcome::Cold(cold) => {
                // A stream that waits for the backend must not hold the connection's credit meanwhile.
                let _ = request.body_mut().flow_control().release_capacity(body.len());
                match self.shard.cold.offer(cold_request(cold.route, Head::of(request), body.clone(), self.peer)) {
                    Some(receiver) => {
                        self.shard.metrics.cold.inc();
                        self.wait(Waiting {
                            respond,
                            since_s: self.shard.second.get(),
                            on: WaitingOn::Cold(receiver, cold.address),
                        });
                    }
                    None => send(&mut respond, crate::backend::unavailable()),
                }
            }
        }
    }

    fn call(&mut self, head: Head<'_>, body: &[u8]) -> Outcome {
        let Some(authority) = authority(head) else {
            return Outcome::Reply(Reply::empty(StatusCode::BAD_REQUEST));
        };
        let request = Request {
            method: head.method,
            path: head.uri.path(),
            query: head.uri.query(),
            authority,
            headers: head.headers,
            body,
            peer: self.peer,
        };
        let memo = &mut self.memo;
        let shard = &self.shard;
        catch_unwind(AssertUnwindSafe(|| shard.service.call(&request, memo))).unwrap_or_else(|_| {
            shard.metrics.panics.inc();
            Outcome::Reply(Reply::empty(StatusCode::INTERNAL_SERVER_ERROR))
        })
    }

    /// Moves every waiting stream on; `true` when one was answered.
    fn poll_waiting(&mut self, cx: &mut Context<'_>) -> bool {
        let mut answered = false;
        let mut at = 0;
        while at < self.waiting.len() {
            let mut waiting = self.waiting.swap_remove(at);
            if self.step(&mut waiting, cx) {
                answered = true;
            } else {
                // Back to its place: swap_remove moved the last one here, unless it was the last.
                self.waiting.push(waiting);
                let last = self.waiting.len() - 1;
                self.waiting.swap(at, last);
                at += 1;
            }
        }
        answered
    }

    /// `true` when the stream needs no more waiting.
    fn step(&mut self, waiting: &mut Waiting, cx: &mut Context<'_>) -> bool {
        match std::mem::replace(&mut waiting.on, WaitingOn::Done) {
            WaitingOn::Body { parts, stream, got } => self.step_body(waiting, parts, stream, got, cx),
            WaitingOn::Cold(receiver, address) => self.step_cold(waiting, receiver, address, cx),
            WaitingOn::Done => true,
        }
    }

    fn step_cold(
        &mut self,
        waiting: &mut Waiting,
        mut receiver: oneshot::Receiver<Reply>,
        address: IpAddr,
        cx: &mut Context<'_>,
    ) -> bool {
        if let Poll::Ready(reply) = std::pin::Pin::new(&mut receiver).poll(cx) {
            let reply = reply.unwrap_or_else(|_| crate::backend::unavailable());
            self.shard.service.settle(address, reply.status);
            send(&mut waiting.respond, reply);
            return true;
        }
        if waiting.respond.poll_reset(cx).is_ready() {
            self.resets += 1;
            return true;
        }
        waiting.on = WaitingOn::Cold(receiver, address);
        false
    }

    fn step_body(
        &mut self,
        waiting: &mut Waiting,
        parts: Box<Parts>,
        mut stream: RecvStream,
        mut got: Vec<u8>,
        cx: &mut Context<'_>,
    ) -> bool {
        loop {
            match stream.poll_data(cx) {
                Poll::Pending => {
                    waiting.on = WaitingOn::Body { parts, stream, got };
                    return false;
                }
                Poll::Ready(Some(Ok(data))) => {
                    let _ = stream.flow_control().release_capacity(data.len());
                    if got.len() + data.len() > BODY_BYTES_MAX {
                        send(&mut waiting.respond, Reply::empty(StatusCode::PAYLOAD_TOO_LARGE));
                        return true;
                    }
                    got.extend_from_slice(&data);
                }
                Poll::Ready(Some(Err(_))) => {
                    self.resets += 1;
                    return true;
                }
                Poll::Ready(None) => break,
            }
        }
        match stream.poll_trailers(cx) {
            // Trailers mean nothing here and are passed over.
            Poll::Ready(Ok(_)) => {}
            Poll::Ready(Err(_)) => {
                self.resets += 1;
                return true;
            }
            Poll::Pending => {
                waiting.on = WaitingOn::Body { parts, stream, got };
                return false;
            }
        }
        self.active_s = self.shard.second.get();
        self.io.traffic().note_request();
        let body = Bytes::from(got);
        match self.call(Head::from(&*parts), &body) {
            Outcome::Reply(reply) => {
                self.shard.metrics.hot.inc();
                send(&mut waiting.respond, reply);
                true
            }
            Outcome::Cold(cold) => {
                if let Some(receiver) =
                    self.shard.cold.offer(cold_request(cold.route, Head::from(&*parts), body, self.peer))
                {
                    self.shard.metrics.cold.inc();
                    waiting.since_s = self.shard.second.get();
                    self.step_cold(waiting, receiver, cold.address, cx)
                } else {
                    send(&mut waiting.respond, crate::backend::unavailable());
                    true
                }
            }
        }
    }

    /// Closes a connection that spends our work without asking for anything.
    fn check_budgets(&mut self) -> bool {
        let second = self.shard.second.get();
        if second.saturating_sub(self.resets_since_s) >= RESET_WINDOW_S {
            self.resets_since_s = second;
            self.resets = 0;
            self.settings = 0;
        }
        let (settings, has_bad_trailers) = self.io.take_oddities();
        if has_bad_trailers {
            self.h2.abrupt_shutdown(Reason::PROTOCOL_ERROR);
            return true;
        }
        self.settings += settings;
        let limits = &self.shard.limits;
        let is_unproductive = self.io.traffic().unproductive_bytes.get() > limits.unproductive_bytes_max;
        if self.resets <= limits.resets_max && self.settings <= SETTINGS_MAX && !is_unproductive {
            return false;
        }
        self.shard.metrics.calmed.inc();
        self.h2.abrupt_shutdown(Reason::ENHANCE_YOUR_CALM);
        true
    }

    /// What became due since the last look; `true` when the connection is over.
    fn check_deadlines(&mut self) -> bool {
        let second = self.shard.second.get();
        let limits = &self.shard.limits;
        if let Some(since_s) = self.draining_since_s {
            if second >= since_s.saturating_add(seconds(self.shard.drain)) {
                return true;
            }
        } else if self.shard.is_draining.get()
            || second >= self.opened_s.saturating_add(seconds(limits.age_max))
            || (self.is_quiet() && second >= self.active_s.saturating_add(seconds(limits.idle)))
        {
            self.draining_since_s = Some(second);
            self.h2.graceful_shutdown();
        }
        let body_s = seconds(limits.body);
        for waiting in &mut self.waiting {
            if matches!(waiting.on, WaitingOn::Body { .. }) && second >= waiting.since_s.saturating_add(body_s) {
                send(&mut waiting.respond, Reply::empty(StatusCode::REQUEST_TIMEOUT));
                waiting.on = WaitingOn::Done;
                self.shard.metrics.slow.inc();
            }
        }
        let is_too_slow = self.is_stalled(second) || self.is_trickling(second);
        if is_too_slow {
            self.shard.metrics.slow.inc();
        }
        is_too_slow
    }

    /// A frame or a header has been half there for longer than a body may take.
    fn is_trickling(&mut self, second: u32) -> bool {
        if !self.io.is_incomplete() {
            self.incomplete_since_s = None;
            return false;
        }
        let since_s = *self.incomplete_since_s.get_or_insert(second);
        second >= since_s.saturating_add(seconds(self.shard.limits.body))
    }

    /// The peer has not read a byte of what waits for it for too long, whatever else it does meanwhile.
    fn is_stalled(&mut self, second: u32) -> bool {
        // A stream with nothing left to do on our side waits for the peer's window; bytes that leave meanwhile
        // (answers to PING) are no progress of it.
        let is_window_shut = self.waiting.is_empty() && self.h2.has_streams();
        let sent_bytes = self.io.traffic().sent_bytes.get();
        let has_sent = std::mem::replace(&mut self.sent_bytes, sent_bytes) != sent_bytes;
        if !is_window_shut && (has_sent || !self.io.is_blocked()) {
            self.blocked_since_s = None;
            return false;
        }
        let since_s = *self.blocked_since_s.get_or_insert(second);
        second >= since_s.saturating_add(seconds(self.shard.limits.reply))
    }

    fn is_quiet(&self) -> bool {
        self.waiting.is_empty() && !self.h2.has_streams() && !self.io.is_blocked()
    }

    /// Tells the sweeper when to look again.
    fn set_due(&mut self, cx: &Context<'_>) {
        let limits = &self.shard.limits;
        let lifetime_s = match self.draining_since_s {
            Some(since_s) => since_s.saturating_add(seconds(self.shard.drain)),
            None => self.opened_s.saturating_add(seconds(limits.age_max)),
        };
        if !self.io.is_incomplete() {
            self.incomplete_since_s = None;
        }
        let next_s = if self.is_quiet() && !self.io.is_incomplete() {
            self.active_s.saturating_add(seconds(limits.idle))
        } else {
            self.shard.second.get().saturating_add(1)
        };
        self.watch.due_s.set(lifetime_s.min(next_s).max(self.shard.second.get().saturating_add(1)));
        let mut waker = self.watch.waker.borrow_mut();
        if !waker.as_ref().is_some_and(|known| known.will_wake(cx.waker())) {
            *waker = Some(cx.waker().clone());
        }
    }
}

fn seconds(duration: std::time::Duration) -> u32 {
    u32::try_from(duration.as_secs()).unwrap_or(u32::MAX)
}

/// `:authority`, else one `Host`; both must agree when both are there. `None`: contradictory.
fn authority(head: Head<'_>) -> Option<&str> {
    let mut hosts = head.headers.get_all(header::HOST).iter();
    let host = match hosts.next() {
        Some(host) => Some(host.to_str().ok()?),
        None => None,
    };
    if hosts.next().is_some() {
        return None;
    }
    match (head.uri.authority(), host) {
        (Some(authority), Some(host)) => authority.as_str().eq_ignore_ascii_case(host).then_some(host),
        (Some(authority), None) => Some(authority.as_str()),
        (None, host) => Some(host.unwrap_or_default()),
    }
}

fn cold_request(route: u16, head: Head<'_>, body: Bytes, peer: IpAddr) -> ColdRequest {
    ColdRequest {
        route,
        method: head.method.clone(),
        path: head.uri.path().to_owned(),
        query: head.uri.query().map(str::to_owned),
        authority: authority(head).unwrap_or_default().to_owned(),
        headers: head.headers.clone(),
        body,
        peer,
    }
}

/// A request's head, wherever it is kept.
#[derive(Clone, Copy)]
struct Head<'a> {
    method: &'a Method,
    uri: &'a Uri,
    headers: &'a HeaderMap,
}

impl<'a> Head<'a> {
    fn of<B>(request: &'a http::Request<B>) -> Self {
        Self { method: request.method(), uri: request.uri(), headers: request.headers() }
    }
}

impl<'a> From<&'a Parts> for Head<'a> {
    fn from(parts: &'a Parts) -> Self {
        Self { method: &parts.method, uri: &parts.uri, headers: &parts.headers }
    }
}

/// A stream that the peer reset meanwhile takes no reply, and nobody misses it.
fn send(respond: &mut SendResponse<Bytes>, reply: Reply) {
    let Reply { status, headers, body } = reply;
    let mut head = Response::new(());
    *head.status_mut() = status;
    *head.headers_mut() = if headers.is_empty() { HeaderMap::new() } else { headers };
    if body.is_empty() {
        let _ = respond.send_response(head, true);
    } else if let Ok(mut stream) = respond.send_response(head, false) {
        let _ = stream.send_data(body, true);
    }
}
