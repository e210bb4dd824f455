//! One HTTP/2 connection on a shard: streams in, replies out, and every budget of the peer.
//!
//! One task per connection, none per stream: each turn reads what the socket has, answers all the
//! requests that came, and leaves as one TLS flight. A hot reply is made in the turn; a request that
//! goes cold waits here as a receiver while the connection serves its other streams. The protocol
//! itself is [`engine`], which does no I/O; this module gives it bytes, time and the service.
//!
//! Limits (see [`ConnectionLimits`](crate::settings::ConnectionLimits)): header list, streams, body bytes and time, reply time, idle
//! and total age, resets by the peer or provoked from us (also while a cold answer is on its way, so
//! that resetting does not buy unbounded backend work), and bytes received without completing a
//! request, which bounds floods of every kind of frame.
//!
//! Deadlines are looked at once a second by the shard's sweeper, which wakes only what is due.

pub mod engine;
mod frame;
pub mod head;
pub(crate) mod hpack;
#[cfg(test)]
mod tests;

use crate::http::{ColdRequest, Outcome, Reply, Request};
use crate::shard::{Service, Shard};
use crate::tls_io::TlsIo;
use bytes::Bytes;
use engine::{Answer, Application, Bounds, Engine};
use frame::Reason;
use head::Head;
use http::StatusCode;
use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::io;
use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// SETTINGS of a connection in the time that resets are counted over.
pub const SETTINGS_MAX: u32 = 64;
/// Resets are counted over this many seconds.
pub const RESET_WINDOW_S: u32 = 10;
/// A peer that does not read all that waits for it reads so much in the time that a reply has.
const READ_BYTES_MIN: u64 = 16 * 1024;
/// What is written is encrypted once it fills a record of TLS, and at the end of the turn.
const RECORD_BYTES: usize = 16 * 1024;
/// Room for replies that a shard keeps for the next turn.
const OUT_BYTES_KEPT: usize = 128 * 1024;

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

struct Connection<S: Service> {
    io: TlsIo,
    engine: Engine,
    app: App<S>,
    watch: Rc<Watch>,
    opened_s: u32,
    active_s: u32,
    /// Since when something waits for the socket, and what had been sent by then.
    blocked: Option<(u32, u64)>,
    draining_since_s: Option<u32>,
    resets_since_s: u32,
    /// Since when a frame or header block has been half there.
    incomplete_since_s: Option<u32>,
}

/// What the engine asks: the service, and the way to the backend.
struct App<S: Service> {
    shard: Rc<Shard<S>>,
    memo: S::Memo,
    peer: IpAddr,
    waiting: Vec<Waiting>,
    /// Requests that have come whole.
    requests: u64,
}

/// A request that the backend answers.
struct Waiting {
    stream: u32,
    reply: oneshot::Receiver<Reply>,
    /// Who is answerable for it.
    address: IpAddr,
}

/// The connection is over; what is written may still be sent.
struct Over;

/// Serves the connection until either side ends it.
pub(crate) async fn drive<S: Service>(io: TlsIo, shard: Rc<Shard<S>>, watch: Rc<Watch>, peer: IpAddr) {
    let mut connection = Connection::new(io, shard, watch, peer);
    poll_fn(|cx| {
        catch_unwind(AssertUnwindSafe(|| connection.turn(cx))).unwrap_or_else(|_| {
            connection.app.shard.metrics.panics.inc();
            Poll::Ready(())
        })
    })
    .await;
    // All else goes now: nobody waits for what the backend still has of it.
    let mut io = {
        let ended = *connection;
        ended.io
    };
    io.close_notify();
    // One attempt: a peer that does not read does not get to keep us.
    poll_fn(|cx| {
        let _ = io.push(cx);
        Poll::Ready(())
    })
    .await;
    // Boxed: what lives for a moment takes no room in a task that lives for hours.
    Box::pin(io.linger()).await;
}

impl<S: Service> Connection<S> {
    /// Boxed: a task that lives for hours holds a pointer, and moves nothing.
    fn new(mut io: TlsIo, shard: Rc<Shard<S>>, watch: Rc<Watch>, peer: IpAddr) -> Box<Self> {
        let now_s = shard.second.get();
        let bounds =
            Bounds { streams_max: shard.limits.streams_max, header_list_bytes_max: shard.limits.header_list_bytes_max };
        let mut hello = Vec::new();
        let engine = Engine::new(bounds, &mut hello);
        // A session that takes nothing any more is found out by the first turn.
        let _ = io.write(&hello);
        let app = App { shard, memo: S::Memo::default(), peer, waiting: Vec::new(), requests: 0 };
        Box::new(Self {
            io,
            engine,
            app,
            watch,
            opened_s: now_s,
            active_s: now_s,
            blocked: None,
            draining_since_s: None,
            resets_since_s: now_s,
            incomplete_since_s: None,
        })
    }

    /// One turn: read, answer, send.
    fn turn(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        // The shard's, not the connection's: an idle connection holds no room for replies.
        let mut out = self.app.shard.out.take();
        let polled = self.turn_with(cx, &mut out);
        out.clear();
        out.shrink_to(OUT_BYTES_KEPT);
        self.app.shard.out.replace(out);
        polled
    }

    fn turn_with(&mut self, cx: &mut Context<'_>, out: &mut Vec<u8>) -> Poll<()> {
        self.io.turn();
        self.engine.now_s = self.app.shard.second.get();
        loop {
            let is_over = self.serve(cx, out).is_err();
            let was_full = self.io.is_full();
            if self.flush(cx, out).is_err() || is_over {
                return Poll::Ready(());
            }
            // What was left unread, because the peer took no answers, has no waker but this turn.
            if !was_full || self.io.is_full() {
                break;
            }
        }
        // The last replies leave before the connection ends.
        if self.engine.is_over() && !self.io.is_blocked() {
            return Poll::Ready(());
        }
        self.set_due(cx);
        Poll::Pending
    }

    fn serve(&mut self, cx: &mut Context<'_>, out: &mut Vec<u8>) -> Result<(), Over> {
        if self.watch.due_s.get() <= self.engine.now_s {
            self.check_deadlines(out)?;
        }
        self.read(cx, out)?;
        self.poll_waiting(cx, out);
        self.check_budgets(out)?;
        while self.engine.can_resume() && !self.io.is_full() {
            self.engine.resume(out);
            self.flush(cx, out).map_err(|_| Over)?;
        }
        Ok(())
    }

    /// Reads and answers until the socket is empty, the turn is used up, or the peer does not take our answers.
    fn read(&mut self, cx: &mut Context<'_>, out: &mut Vec<u8>) -> Result<(), Over> {
        loop {
            if out.len() >= RECORD_BYTES {
                self.flush(cx, out).map_err(|_| Over)?;
            }
            if self.io.is_full() {
                return Ok(());
            }
            if self.engine.can_resume() {
                self.engine.resume(out);
                continue;
            }
            match self.io.poll_readable(cx) {
                Poll::Pending => return Ok(()),
                Poll::Ready(Ok(true)) => {
                    self.receive(out)?;
                    self.check_budgets(out)?;
                }
                Poll::Ready(Ok(false) | Err(_)) => return Err(Over),
            }
        }
    }

    /// Gives the engine what was decrypted.
    fn receive(&mut self, out: &mut Vec<u8>) -> Result<(), Over> {
        let began = Instant::now();
        let before = self.app.requests;
        let received = self.engine.receive(self.io.plaintext(), &mut self.app, out);
        let requests = self.app.requests - before;
        if requests > 0 {
            self.active_s = self.engine.now_s;
            self.incomplete_since_s = None;
            self.io.note_requests(requests);
            let each = began.elapsed() / u32::try_from(requests).unwrap_or(u32::MAX);
            self.app.shard.metrics.hot_seconds.observe_many(each.as_micros() as u64, requests);
        }
        match received {
            Ok(taken) => {
                self.io.consume(taken);
                Ok(())
            }
            Err(reason) => {
                if reason == Reason::EnhanceYourCalm {
                    self.app.shard.metrics.calmed.inc();
                }
                self.engine.abort(reason, out);
                Err(Over)
            }
        }
    }

    /// Encrypts what was written, and sends what the socket takes.
    fn flush(&mut self, cx: &mut Context<'_>, out: &mut Vec<u8>) -> io::Result<()> {
        self.io.write(out)?;
        out.clear();
        match self.io.push(cx) {
            Poll::Ready(Err(error)) => Err(error),
            _ => Ok(()),
        }
    }

    /// Sends on what the backend has answered; drops what the peer no longer waits for.
    fn poll_waiting(&mut self, cx: &mut Context<'_>, out: &mut Vec<u8>) {
        let Self { engine, app, .. } = self;
        let shard = &app.shard;
        let has_lost_some = std::mem::take(&mut engine.has_lost_waiting);
        app.waiting.retain_mut(|waiting| {
            if has_lost_some && !engine.is_waiting(waiting.stream) {
                return false;
            }
            let Poll::Ready(reply) = Pin::new(&mut waiting.reply).poll(cx) else { return true };
            let reply = reply.unwrap_or_else(|_| crate::backend::unavailable());
            shard.service.settle(waiting.address, reply.status);
            engine.answer(waiting.stream, reply, out);
            false
        });
    }

    /// Ends a connection that spends our work without asking for anything.
    fn check_budgets(&mut self, out: &mut Vec<u8>) -> Result<(), Over> {
        let engine = &mut self.engine;
        if engine.now_s.saturating_sub(self.resets_since_s) >= RESET_WINDOW_S {
            self.resets_since_s = engine.now_s;
            engine.resets = 0;
            engine.settings = 0;
        }
        let limits = &self.app.shard.limits;
        let is_unproductive = self.io.unproductive_bytes() > limits.unproductive_bytes_max;
        if engine.resets <= limits.resets_max && engine.settings <= SETTINGS_MAX && !is_unproductive {
            return Ok(());
        }
        self.app.shard.metrics.calmed.inc();
        engine.abort(Reason::EnhanceYourCalm, out);
        Err(Over)
    }

    /// What became due since the last look.
    fn check_deadlines(&mut self, out: &mut Vec<u8>) -> Result<(), Over> {
        let second = self.engine.now_s;
        let shard = self.app.shard.clone();
        let limits = &shard.limits;
        if let Some(since_s) = self.draining_since_s {
            if second >= later(since_s, shard.drain) {
                return Err(Over);
            }
        } else if shard.is_draining.get()
            || second >= later(self.opened_s, limits.age_max)
            || (self.is_quiet() && second >= later(self.active_s, limits.idle))
        {
            self.draining_since_s = Some(second);
            self.engine.leave(out);
        }
        let expired = self.engine.expire(seconds(limits.body), out);
        shard.metrics.slow.add(expired as u64);
        let is_silent = !self.engine.has_begun() && second >= later(self.opened_s, limits.handshake);
        if is_silent || self.is_stalled(second) || self.is_trickling(second) {
            shard.metrics.slow.inc();
            return Err(Over);
        }
        Ok(())
    }

    /// A frame or a header has been half there for longer than a body may take.
    fn is_trickling(&mut self, second: u32) -> bool {
        if !self.engine.is_incomplete() {
            self.incomplete_since_s = None;
            return false;
        }
        let since_s = *self.incomplete_since_s.get_or_insert(second);
        second >= later(since_s, self.app.shard.limits.body)
    }

    /// The peer reads too little of what waits for it, or has not let a reply through in time.
    fn is_stalled(&mut self, second: u32) -> bool {
        let reply = self.app.shard.limits.reply;
        if self.engine.is_reply_overdue(seconds(reply)) {
            return true;
        }
        if !self.io.is_blocked() {
            self.blocked = None;
            return false;
        }
        let sent_bytes = self.io.sent_bytes();
        let (since_s, sent_before) = *self.blocked.get_or_insert((second, sent_bytes));
        if sent_bytes - sent_before >= READ_BYTES_MIN {
            self.blocked = Some((second, sent_bytes));
            return false;
        }
        second >= later(since_s, reply)
    }

    /// Nothing is on its way in either direction.
    fn is_quiet(&self) -> bool {
        !self.engine.has_streams() && !self.io.is_blocked()
    }

    /// Tells the sweeper when to look again.
    fn set_due(&mut self, cx: &Context<'_>) {
        let (second, limits) = (self.engine.now_s, &self.app.shard.limits);
        let lifetime_s = match self.draining_since_s {
            Some(since_s) => later(since_s, self.app.shard.drain),
            None => later(self.opened_s, limits.age_max),
        };
        let is_incomplete = self.engine.is_incomplete();
        if !is_incomplete {
            self.incomplete_since_s = None;
        }
        let next_s = if self.is_quiet() && !is_incomplete && self.engine.has_begun() {
            self.engine.shrink();
            later(self.active_s, limits.idle)
        } else {
            second.saturating_add(1)
        };
        self.watch.due_s.set(lifetime_s.min(next_s).max(second.saturating_add(1)));
        let mut waker = self.watch.waker.borrow_mut();
        if !waker.as_ref().is_some_and(|known| known.will_wake(cx.waker())) {
            *waker = Some(cx.waker().clone());
        }
    }
}

impl<S: Service> Application for App<S> {
    fn request(&mut self, stream: u32, head: &Rc<Head>, body: &[u8]) -> Answer {
        self.requests += 1;
        match self.call(head, body) {
            Outcome::Reply(reply) => {
                self.shard.metrics.hot.inc();
                Answer::Now(reply)
            }
            Outcome::Cold(cold) => match self.shard.cold.offer(cold_request(cold.route, head, body, self.peer)) {
                Some(reply) => {
                    self.shard.metrics.cold.inc();
                    self.waiting.push(Waiting { stream, reply, address: cold.address });
                    Answer::Later
                }
                None => Answer::Now(crate::backend::unavailable()),
            },
        }
    }
}

impl<S: Service> App<S> {
    fn call(&mut self, head: &Head, body: &[u8]) -> Outcome {
        let Some(authority) = head.authority() else {
            return Outcome::Reply(Reply::empty(StatusCode::BAD_REQUEST));
        };
        let request = Request {
            method: &head.method,
            path: head.path(),
            query: head.query(),
            authority,
            headers: &head.headers,
            body,
            peer: self.peer,
        };
        let Self { shard, memo, .. } = self;
        catch_unwind(AssertUnwindSafe(|| shard.service.call(&request, memo))).unwrap_or_else(|_| {
            shard.metrics.panics.inc();
            Outcome::Reply(Reply::empty(StatusCode::INTERNAL_SERVER_ERROR))
        })
    }
}

fn cold_request(route: u16, head: &Head, body: &[u8], peer: IpAddr) -> ColdRequest {
    ColdRequest {
        route,
        method: head.method.clone(),
        path: head.path().to_owned(),
        query: head.query().map(str::to_owned),
        authority: head.authority().unwrap_or_default().to_owned(),
        headers: head.headers.clone(),
        body: Bytes::copy_from_slice(body),
        peer,
    }
}

/// One more than the duration has: what began at some moment of a second ends no earlier than promised.
fn seconds(duration: Duration) -> u32 {
    u32::try_from(duration.as_secs()).unwrap_or(u32::MAX).saturating_add(1)
}

/// The second by which `duration` has passed since `since_s`.
fn later(since_s: u32, duration: Duration) -> u32 {
    since_s.saturating_add(seconds(duration))
}
