//! The protocol of one HTTP/2 connection, server side (RFC 9113), without any I/O.
//!
//! ```text
//! bytes from the peer ── receive ── frames ── field blocks, bodies ── Application::request ── reply ─┐
//! bytes to the peer   ◄──────────────────────────────────────────────────────────── `out` ◄──────────┘
//! ```
//!
//! The caller hands over what it has decrypted and gets, in the same call, the bytes to encrypt: requests are answered
//! while they are read, so that all that came in one record leaves in one. A request that is answered later keeps its
//! stream until [`Engine::answer`]. Only what is half there is copied: a frame or a field block cut by a record's end,
//! a body in several DATA frames.
//!
//! Why not the `h2` crate on this side: it hands structures of hundreds of bytes by value between layers made for any
//! runtime, and keeps 24 KiB of buffers for each idle connection; measured, it was more than half of a cached answer
//! (docs/PERFORMANCE.md). Here a connection that repeats its field block, as a caller that introspects does, decodes
//! nothing: the same bytes under the same table mean the same head. (Compared without an early end: a proxy may carry
//! several callers' secrets on one connection.)
//!
//! Limits: frames of [`frame::PAYLOAD_BYTES_MAX`], a field block of the announced list's size, streams, bodies of
//! [`BODY_BYTES_MAX`](crate::http::BODY_BYTES_MAX) each and [`BUFFERED_BYTES_MAX`] together before the connection's window stays shut, heads of [`HEADS_BYTES_MAX`], and
//! [`OUT_BYTES`] written before [`Engine::receive`] pauses. Resets, by the peer or provoked from us, and SETTINGS are
//! counted for the caller's budgets ([`Engine::resets`], [`Engine::settings`]).

mod control;
mod replies;
mod requests;

use super::frame::{self, HEADER_BYTES, Header, PAYLOAD_BYTES_MAX, PREFACE, Reason, WINDOW_DEFAULT, WINDOW_MAX};
use super::head::Head;
use super::hpack::Decoder;
use crate::http::Reply;
use bytes::Bytes;
use std::collections::VecDeque;
use std::rc::Rc;

/// The window of a connection: what may be on its way to us.
pub const CONNECTION_WINDOW_BYTES: u32 = 256 * 1024;
/// Parts of bodies that a connection may make us keep before its window is no longer opened.
pub const BUFFERED_BYTES_MAX: usize = 512 * 1024;
/// What the heads of open streams may count together, each as its field list does; later streams are refused.
pub const HEADS_BYTES_MAX: usize = 1024 * 1024;
/// [`Engine::receive`] pauses once so much waits in `out`.
pub const OUT_BYTES: usize = 64 * 1024;
/// Streams that we reset and whose late frames are passed over; for one that the peer reset there is no excuse.
const RESET_STREAMS_KEPT: usize = 128;
/// Room for streams that an idle connection keeps.
const STREAMS_KEPT: usize = 4;
/// What the PING holds whose answer says that the peer has seen the first GOAWAY.
const GOING_AWAY: [u8; 8] = *b"going  \0";

/// What answers requests. Called in the middle of [`Engine::receive`], so it neither waits nor calls back.
pub trait Application {
    /// A request has come whole. `stream` names it for a later [`Engine::answer`].
    fn request(&mut self, stream: u32, head: &Rc<Head>, body: &[u8]) -> Answer;
}

/// What [`Application::request`] says.
pub enum Answer {
    Now(Reply),
    Later,
}

/// The bounds of a connection.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// `SETTINGS_MAX_CONCURRENT_STREAMS`.
    pub streams_max: u32,
    /// `SETTINGS_MAX_HEADER_LIST_SIZE`.
    pub header_list_bytes_max: u32,
}

/// How far the end of the connection has come on our side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Leaving {
    No,
    /// A GOAWAY said that we will go; requests on their way are still taken.
    Soon,
    /// A GOAWAY named the last stream.
    Now,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Receiving,
    /// The application has it.
    Answering,
    /// Some of the reply waits for the peer's window, or for room in `out`.
    Sending,
}

struct Stream {
    id: u32,
    phase: Phase,
    /// The second its request began, and then its reply.
    since_s: u32,
    /// The peer has ended its side.
    is_ended: bool,
    head: Rc<Head>,
    body: Vec<u8>,
    received: u64,
    receive_window: i64,
    /// Taken from the window and not yet given back.
    owed: u32,
    send_window: i64,
    /// What is left of the reply's body.
    rest: Bytes,
}

/// A field block whose end has not come.
struct Block {
    stream: u32,
    flags: u8,
    bytes: Vec<u8>,
}

/// A connection.
pub struct Engine {
    bounds: Bounds,
    /// The second that streams are dated by.
    pub now_s: u32,
    /// Streams reset by either side since the caller last set it back.
    pub resets: usize,
    /// SETTINGS of the peer, likewise.
    pub settings: u32,
    /// A request that was answered [`Answer::Later`] has gone: its answer is not awaited any more.
    pub has_lost_waiting: bool,
    preface_left: usize,
    has_settings: bool,
    /// The peer knows our bounds.
    is_acknowledged: bool,
    /// The beginning of a frame whose rest has not come.
    partial: Vec<u8>,
    block: Option<Block>,
    decoder: Decoder,
    /// The last field block that left the table as it was, and its head.
    memo: Option<(Box<[u8]>, Rc<Head>)>,
    streams: Vec<Stream>,
    last_stream: u32,
    buffered: usize,
    receive_window: i64,
    owed: u32,
    send_window: i64,
    stream_send_window: u32,
    has_sent_block: bool,
    leaving: Leaving,
    peer_is_leaving: bool,
    reset_streams: VecDeque<u32>,
}

impl Engine {
    /// A new connection; our SETTINGS go to `out`.
    pub fn new(bounds: Bounds, out: &mut Vec<u8>) -> Self {
        frame::write_settings(
            out,
            &[
                (frame::MAX_CONCURRENT_STREAMS, bounds.streams_max),
                (frame::MAX_HEADER_LIST_SIZE, bounds.header_list_bytes_max),
            ],
        );
        frame::write_window_update(out, 0, CONNECTION_WINDOW_BYTES - WINDOW_DEFAULT);
        Self {
            bounds,
            now_s: 0,
            resets: 0,
            settings: 0,
            has_lost_waiting: false,
            preface_left: PREFACE.len(),
            has_settings: false,
            is_acknowledged: false,
            partial: Vec::new(),
            block: None,
            decoder: Decoder::default(),
            memo: None,
            streams: Vec::new(),
            last_stream: 0,
            buffered: 0,
            receive_window: i64::from(CONNECTION_WINDOW_BYTES),
            owed: 0,
            send_window: i64::from(WINDOW_DEFAULT),
            stream_send_window: WINDOW_DEFAULT,
            has_sent_block: false,
            leaving: Leaving::No,
            peer_is_leaving: false,
            reset_streams: VecDeque::new(),
        }
    }

    /// Takes bytes of the peer and answers what they ask; says how many it took: all, unless `out` is full.
    ///
    /// # Errors
    /// The connection is lost; the caller sends the reason with [`Self::abort`] and closes.
    pub fn receive(&mut self, bytes: &[u8], app: &mut impl Application, out: &mut Vec<u8>) -> Result<usize, Reason> {
        let mut input = self.take_preface(bytes)?;
        input = self.complete_partial(input, app, out)?;
        while out.len() < OUT_BYTES {
            let Some((head, rest)) = input.split_first_chunk::<HEADER_BYTES>() else { break };
            let header = Header::parse(*head);
            if header.length > PAYLOAD_BYTES_MAX {
                return Err(Reason::FrameSizeError);
            }
            let Some((payload, rest)) = rest.split_at_checked(header.length) else { break };
            self.frame(header, payload, app, out)?;
            input = rest;
        }
        if out.len() < OUT_BYTES && !input.is_empty() {
            self.partial.extend_from_slice(input);
            input = &[];
        }
        Ok(bytes.len() - input.len())
    }

    fn take_preface<'a>(&mut self, bytes: &'a [u8]) -> Result<&'a [u8], Reason> {
        if self.preface_left == 0 {
            return Ok(bytes);
        }
        let (begin, rest) = bytes.split_at(bytes.len().min(self.preface_left));
        let at = PREFACE.len() - self.preface_left;
        if PREFACE.get(at..at + begin.len()) != Some(begin) {
            return Err(Reason::ProtocolError);
        }
        self.preface_left -= begin.len();
        Ok(rest)
    }

    /// Goes on with the frame that the last record cut.
    fn complete_partial<'a>(
        &mut self,
        mut input: &'a [u8],
        app: &mut impl Application,
        out: &mut Vec<u8>,
    ) -> Result<&'a [u8], Reason> {
        if self.partial.is_empty() {
            return Ok(input);
        }
        let mut missing = HEADER_BYTES.saturating_sub(self.partial.len());
        for _ in 0..2 {
            let (begin, rest) = input.split_at(input.len().min(missing));
            self.partial.extend_from_slice(begin);
            input = rest;
            let Some((head, payload)) = self.partial.split_first_chunk::<HEADER_BYTES>() else { return Ok(input) };
            let header = Header::parse(*head);
            if header.length > PAYLOAD_BYTES_MAX {
                return Err(Reason::FrameSizeError);
            }
            missing = header.length - payload.len();
            if missing == 0 {
                let whole = std::mem::take(&mut self.partial);
                self.frame(header, whole.get(HEADER_BYTES..).unwrap_or_default(), app, out)?;
                break;
            }
        }
        Ok(input)
    }

    fn frame(
        &mut self,
        header: Header,
        payload: &[u8],
        app: &mut impl Application,
        out: &mut Vec<u8>,
    ) -> Result<(), Reason> {
        if self.block.is_some() && header.kind != frame::CONTINUATION {
            return Err(Reason::ProtocolError);
        }
        if !self.has_settings && (header.kind != frame::SETTINGS || header.has(frame::ACK)) {
            return Err(Reason::ProtocolError);
        }
        match header.kind {
            frame::DATA => self.data(header, payload, app, out),
            frame::HEADERS => self.headers(header, payload, app, out),
            frame::PRIORITY => self.priority(header, payload, out),
            frame::RST_STREAM => self.rst_stream(header, payload, out),
            frame::SETTINGS => self.settings(header, payload, out),
            frame::PUSH_PROMISE => Err(Reason::ProtocolError),
            frame::PING => self.ping(header, payload, out),
            frame::GOAWAY => self.go_away(header, payload),
            frame::WINDOW_UPDATE => self.window_update(header, payload, out),
            frame::CONTINUATION => self.continuation(header, payload, app, out),
            _ => Ok(()),
        }
    }

    /// Says that the connection will end: requests on their way are still answered, until the peer has seen it.
    pub fn leave(&mut self, out: &mut Vec<u8>) {
        if self.leaving == Leaving::No {
            self.leaving = Leaving::Soon;
            frame::write_go_away(out, WINDOW_MAX as u32, Reason::NoError);
            frame::write_ping(out, 0, GOING_AWAY);
        }
    }

    /// Ends the connection for `reason`.
    pub fn abort(&mut self, reason: Reason, out: &mut Vec<u8>) {
        self.leaving = Leaving::Now;
        frame::write_go_away(out, self.last_stream, reason);
    }

    /// Nothing more will come of this connection.
    pub fn is_over(&self) -> bool {
        (self.leaving == Leaving::Now || self.peer_is_leaving) && self.streams.is_empty()
    }

    /// Gives back the room of a time with many streams.
    pub fn shrink(&mut self) {
        self.streams.shrink_to(STREAMS_KEPT);
    }

    /// Whether the peer's SETTINGS have come.
    pub fn has_begun(&self) -> bool {
        self.has_settings
    }

    /// Whether any stream is open.
    pub fn has_streams(&self) -> bool {
        !self.streams.is_empty()
    }

    /// Whether the peer has begun a frame or a field block, and the rest has not come.
    pub fn is_incomplete(&self) -> bool {
        !self.partial.is_empty() || self.block.is_some()
    }

    /// Not begun yet. Once a GOAWAY has named the last stream, later ones are nothing to us, and no error.
    fn is_idle(&self, id: u32) -> bool {
        id > self.last_stream && self.leaving != Leaving::Now
    }

    /// The newest are the ones that are spoken of.
    fn find(&self, id: u32) -> Option<usize> {
        self.streams.iter().rposition(|stream| stream.id == id)
    }

    /// A stream error; the stream is off the list already.
    fn fail(&mut self, mut stream: Stream, reason: Reason, out: &mut Vec<u8>) {
        self.forget(&mut stream);
        self.give_back(out);
        self.reset(stream.id, reason, out);
    }

    /// Of a stream that ends before its time.
    fn forget(&mut self, stream: &mut Stream) {
        self.buffered -= std::mem::take(&mut stream.body).len();
        self.has_lost_waiting |= stream.phase == Phase::Answering;
    }

    fn reset(&mut self, id: u32, reason: Reason, out: &mut Vec<u8>) {
        self.resets += 1;
        self.note_reset(id);
        frame::write_reset(out, id, reason);
    }

    fn note_reset(&mut self, id: u32) {
        if self.reset_streams.len() >= RESET_STREAMS_KEPT {
            self.reset_streams.pop_front();
        }
        self.reset_streams.push_back(id);
    }
}
