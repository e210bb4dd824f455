//! What a peer gets: the head of a reply at once, its body as the windows and `out` have room.

use super::{Engine, OUT_BYTES, Phase, Stream};
use crate::h2::frame::{self, HEADER_BYTES, PAYLOAD_BYTES_MAX, Reason};
use crate::h2::hpack::encode;
use crate::http::Reply;
use http::{Method, StatusCode};

impl Engine {
    /// The reply to a request that was answered [`Answer::Later`]; nothing happens when its stream is gone.
    pub fn answer(&mut self, id: u32, reply: Reply, out: &mut Vec<u8>) {
        if let Some(at) = self.find(id).filter(|_| self.is_waiting(id)) {
            let stream = self.streams.swap_remove(at);
            self.reply(stream, reply, out);
        }
    }

    /// Whether a request still waits for its answer; otherwise the peer has reset it.
    pub fn is_waiting(&self, id: u32) -> bool {
        self.streams.iter().any(|stream| stream.id == id && stream.phase == Phase::Answering)
    }

    pub(super) fn reply(&mut self, mut stream: Stream, mut reply: Reply, out: &mut Vec<u8>) {
        // A reply to HEAD has no body, a refusal neither (RFC 9110 section 9.3.2).
        if stream.head.method == Method::HEAD {
            reply.body.clear();
        }
        let has_body = !reply.body.is_empty();
        self.write_head(stream.id, &reply, !has_body, out);
        if has_body {
            stream.phase = Phase::Sending;
            stream.since_s = self.now_s;
            stream.rest = reply.body;
            if !self.send_rest(&mut stream, out) {
                self.streams.push(stream);
                return;
            }
        }
        self.end(stream, out);
    }

    /// The reply has left whole. A peer that is still sending is told that the rest is not wanted (section 8.1).
    fn end(&mut self, mut stream: Stream, out: &mut Vec<u8>) {
        if !stream.is_ended {
            self.forget(&mut stream);
            self.reset(stream.id, Reason::NoError, out);
        }
    }

    pub(super) fn write_head(&mut self, id: u32, reply: &Reply, is_end: bool, out: &mut Vec<u8>) {
        let at = out.len();
        let flags = frame::END_HEADERS | if is_end { frame::END_STREAM } else { 0 };
        frame::write_header(out, 0, frame::HEADERS, flags, id);
        if !std::mem::replace(&mut self.has_sent_block, true) {
            out.push(encode::NO_TABLE);
        }
        encode::status(out, reply.status);
        out.extend_from_slice(reply.ready.block());
        out.extend_from_slice(reply.block.as_bytes());
        encode::headers(out, &reply.headers);
        let length = (out.len() - at - HEADER_BYTES) as u32;
        // Replies of ours are far below a frame's size.
        let [_, l0, l1, l2] = length.to_be_bytes();
        if let Some(place) = out.get_mut(at..at + 3) {
            place.copy_from_slice(&[l0, l1, l2]);
        }
    }

    /// Sends what the windows and `out` have room for; `true` when that was all.
    fn send_rest(&mut self, stream: &mut Stream, out: &mut Vec<u8>) -> bool {
        while !stream.rest.is_empty() {
            let window = stream.send_window.min(self.send_window);
            let n = stream.rest.len().min(PAYLOAD_BYTES_MAX).min(usize::try_from(window).unwrap_or(0));
            if n == 0 || out.len() >= OUT_BYTES {
                return false;
            }
            let data = stream.rest.split_to(n);
            let flags = if stream.rest.is_empty() { frame::END_STREAM } else { 0 };
            frame::write_header(out, n, frame::DATA, flags, stream.id);
            out.extend_from_slice(&data);
            stream.send_window -= n as i64;
            self.send_window -= n as i64;
        }
        true
    }

    /// Goes on with replies that waited for a window or for room in `out`.
    pub fn resume(&mut self, out: &mut Vec<u8>) {
        let mut at = 0;
        while at < self.streams.len() && self.send_window > 0 && out.len() < OUT_BYTES {
            if !self.streams.get(at).is_some_and(|stream| stream.phase == Phase::Sending && stream.send_window > 0) {
                at += 1;
                continue;
            }
            let mut stream = self.streams.swap_remove(at);
            if self.send_rest(&mut stream, out) {
                self.end(stream, out);
            } else {
                self.streams.push(stream);
                let last = self.streams.len() - 1;
                self.streams.swap(at, last);
                at += 1;
            }
        }
    }

    /// Whether [`Self::resume`] would send something.
    pub fn can_resume(&self) -> bool {
        self.send_window > 0
            && self.streams.iter().any(|stream| stream.phase == Phase::Sending && stream.send_window > 0)
    }

    /// Whether a reply has waited `reply_s` seconds to be sent whole, however much of it or of others has moved.
    pub fn is_reply_overdue(&self, reply_s: u32) -> bool {
        let is_due = |stream: &Stream| self.now_s >= stream.since_s.saturating_add(reply_s);
        self.streams.iter().any(|stream| stream.phase == Phase::Sending && is_due(stream))
    }

    /// Answers 408 to the requests that have been coming for `body_s` seconds; says how many.
    pub fn expire(&mut self, body_s: u32, out: &mut Vec<u8>) -> usize {
        let mut expired = 0;
        while let Some(at) = self
            .streams
            .iter()
            .position(|stream| stream.phase == Phase::Receiving && self.now_s >= stream.since_s.saturating_add(body_s))
        {
            let mut stream = self.streams.swap_remove(at);
            self.forget(&mut stream);
            self.reply(stream, Reply::empty(StatusCode::REQUEST_TIMEOUT), out);
            expired += 1;
        }
        self.give_back(out);
        expired
    }
}
