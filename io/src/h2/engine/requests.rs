//! What a peer asks: HEADERS, CONTINUATION and DATA, up to the whole request.

use super::{
    Answer, Application, BUFFERED_BYTES_MAX, Block, CONNECTION_WINDOW_BYTES, Engine, HEADS_BYTES_MAX, Leaving, Phase,
    Stream,
};
use crate::h2::frame::{self, Header, PAYLOAD_BYTES_MAX, Reason, WINDOW_DEFAULT};
use crate::h2::head::{Builder, Head, HeadFault};
use crate::http::{BODY_BYTES_MAX, Reply};
use bytes::Bytes;
use http::StatusCode;
use std::rc::Rc;

/// What a head that is remembered for the next request may count.
const MEMO_BYTES_MAX: usize = 4096;

impl Engine {
    pub(super) fn headers(
        &mut self,
        header: Header,
        payload: &[u8],
        app: &mut impl Application,
        out: &mut Vec<u8>,
    ) -> Result<(), Reason> {
        if header.stream.is_multiple_of(2) {
            return Err(Reason::ProtocolError);
        }
        let mut fragment = frame::without_padding(header, payload).ok_or(Reason::ProtocolError)?;
        if header.has(frame::PRIORITY_FIELDS) {
            let (priority, rest) = fragment.split_at_checked(5).ok_or(Reason::FrameSizeError)?;
            // A stream that depends on itself (RFC 7540 section 5.3.1); priorities mean nothing here otherwise.
            if frame::number(priority) == Some(header.stream) {
                return Err(Reason::ProtocolError);
            }
            fragment = rest;
        }
        if header.has(frame::END_HEADERS) {
            return self.field_block(header.stream, header.flags, fragment, app, out);
        }
        self.block = Some(Block { stream: header.stream, flags: header.flags, bytes: fragment.to_vec() });
        Ok(())
    }

    pub(super) fn continuation(
        &mut self,
        header: Header,
        payload: &[u8],
        app: &mut impl Application,
        out: &mut Vec<u8>,
    ) -> Result<(), Reason> {
        let Some(mut block) = self.block.take().filter(|block| block.stream == header.stream) else {
            return Err(Reason::ProtocolError);
        };
        // Fields are shorter in HPACK than in the count of a field list, so this block is beyond the list's bound.
        if block.bytes.len() + payload.len() > self.bounds.header_list_bytes_max as usize + PAYLOAD_BYTES_MAX {
            return Err(Reason::EnhanceYourCalm);
        }
        block.bytes.extend_from_slice(payload);
        if header.has(frame::END_HEADERS) {
            return self.field_block(block.stream, block.flags, &block.bytes, app, out);
        }
        self.block = Some(block);
        Ok(())
    }

    /// A whole field block: a request's head, or trailers.
    fn field_block(
        &mut self,
        id: u32,
        flags: u8,
        block: &[u8],
        app: &mut impl Application,
        out: &mut Vec<u8>,
    ) -> Result<(), Reason> {
        if id <= self.last_stream {
            return self.trailers(id, flags, block, app, out);
        }
        let head = self.read_head(block)?;
        if self.leaving == Leaving::Now {
            return Ok(());
        }
        self.last_stream = id;
        if self.is_crowded() {
            self.refuse(id, out);
            return Ok(());
        }
        let is_ended = flags & frame::END_STREAM != 0;
        match head {
            Ok(head) => {
                // RFC 9110 section 10.1.1: some send no body before they are told to.
                if !is_ended && head.expects_continue() {
                    self.write_head(id, &Reply::empty(StatusCode::CONTINUE), false, out);
                }
                let stream = self.open(id, head, is_ended);
                if is_ended { self.request(stream, &[], app, out) } else { self.streams.push(stream) }
            }
            Err(HeadFault::Malformed) => self.reset(id, Reason::ProtocolError, out),
            Err(HeadFault::TooLarge) => {
                self.write_head(id, &Reply::empty(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE), true, out);
                if !is_ended {
                    self.reset(id, Reason::NoError, out);
                }
            }
        }
        Ok(())
    }

    fn is_crowded(&self) -> bool {
        let heads_bytes = || self.streams.iter().map(|stream| stream.head.list_bytes).sum::<usize>();
        self.streams.len() >= self.bounds.streams_max as usize || heads_bytes() > HEADS_BYTES_MAX
    }

    /// The peer may ask again; before it knows our bounds it is not blamed for that.
    fn refuse(&mut self, id: u32, out: &mut Vec<u8>) {
        self.reset(id, Reason::RefusedStream, out);
        if !self.is_acknowledged {
            self.resets -= 1;
        }
    }

    /// The head that a block means; from memory when the last block was the same.
    fn read_head(&mut self, block: &[u8]) -> Result<Result<Rc<Head>, HeadFault>, Reason> {
        if let Some((known, head)) = &self.memo
            && is_same(known, block)
        {
            return Ok(Ok(head.clone()));
        }
        let (builder, has_changed) = self.decode(block)?;
        let head = builder.finish().map(Rc::new);
        if let Ok(head) = &head
            && !has_changed
            && head.list_bytes <= MEMO_BYTES_MAX
        {
            self.memo = Some((block.into(), head.clone()));
        }
        Ok(head)
    }

    /// The fields of a block, and whether the table is another now: then what is remembered means nothing any more.
    fn decode(&mut self, block: &[u8]) -> Result<(Builder, bool), Reason> {
        let mut builder = Builder::new(self.bounds.header_list_bytes_max as usize);
        let decoded = self.decoder.decode(block, |field, bytes| builder.take(field, bytes));
        let has_changed = decoded.map_err(|_| Reason::CompressionError)?;
        if has_changed {
            self.memo = None;
        }
        Ok((builder, has_changed))
    }

    fn open(&self, id: u32, head: Rc<Head>, is_ended: bool) -> Stream {
        Stream {
            id,
            phase: Phase::Receiving,
            since_s: self.now_s,
            is_ended,
            head,
            body: Vec::new(),
            received: 0,
            receive_window: i64::from(WINDOW_DEFAULT),
            owed: 0,
            send_window: i64::from(self.stream_send_window),
            rest: Bytes::new(),
        }
    }

    fn trailers(
        &mut self,
        id: u32,
        flags: u8,
        block: &[u8],
        app: &mut impl Application,
        out: &mut Vec<u8>,
    ) -> Result<(), Reason> {
        let (builder, _) = self.decode(block)?;
        let Some(at) = self.find(id) else {
            // Section 5.1: a stream that we reset may still be spoken of; one that the peer ended may not.
            return if self.reset_streams.contains(&id) { Ok(()) } else { Err(Reason::StreamClosed) };
        };
        let mut stream = self.streams.swap_remove(at);
        if stream.is_ended {
            self.fail(stream, Reason::StreamClosed, out);
            return Ok(());
        }
        if flags & frame::END_STREAM == 0 || builder.finish_trailers().is_err() {
            self.fail(stream, Reason::ProtocolError, out);
            return Ok(());
        }
        stream.is_ended = true;
        self.end_of_request(stream, &[], app, out);
        self.give_back(out);
        Ok(())
    }

    pub(super) fn data(
        &mut self,
        header: Header,
        payload: &[u8],
        app: &mut impl Application,
        out: &mut Vec<u8>,
    ) -> Result<(), Reason> {
        let id = header.stream;
        if id == 0 || self.is_idle(id) {
            return Err(Reason::ProtocolError);
        }
        let data = frame::without_padding(header, payload).ok_or(Reason::ProtocolError)?;
        self.receive_window -= payload.len() as i64;
        if self.receive_window < 0 {
            return Err(Reason::FlowControlError);
        }
        self.owed += payload.len() as u32;
        let Some(at) = self.find(id) else {
            if id <= self.last_stream && !self.reset_streams.contains(&id) {
                self.reset(id, Reason::StreamClosed, out);
            }
            self.give_back(out);
            return Ok(());
        };
        let mut stream = self.streams.swap_remove(at);
        stream.receive_window -= payload.len() as i64;
        stream.received += data.len() as u64;
        if let Err(reason) = check_data(&stream) {
            self.fail(stream, reason, out);
        } else if header.has(frame::END_STREAM) {
            stream.is_ended = true;
            self.end_of_request(stream, data, app, out);
        } else {
            stream.owed += payload.len() as u32;
            self.keep(stream, data, out);
        }
        self.give_back(out);
        Ok(())
    }

    /// Keeps a part of a body.
    fn keep(&mut self, mut stream: Stream, data: &[u8], out: &mut Vec<u8>) {
        if stream.body.len() + data.len() > BODY_BYTES_MAX {
            self.forget(&mut stream);
            return self.reply(stream, Reply::empty(StatusCode::PAYLOAD_TOO_LARGE), out);
        }
        stream.body.extend_from_slice(data);
        self.buffered += data.len();
        if stream.owed > WINDOW_DEFAULT / 2 {
            frame::write_window_update(out, stream.id, stream.owed);
            stream.receive_window += i64::from(std::mem::take(&mut stream.owed));
        }
        self.streams.push(stream);
    }

    /// Opens the connection's window again, while what is kept of unfinished bodies is within bounds.
    pub(super) fn give_back(&mut self, out: &mut Vec<u8>) {
        if self.owed > CONNECTION_WINDOW_BYTES / 2 && self.buffered <= BUFFERED_BYTES_MAX {
            frame::write_window_update(out, 0, self.owed);
            self.receive_window += i64::from(std::mem::take(&mut self.owed));
        }
    }

    /// The request has ended, with `last` behind what is kept of its body.
    fn end_of_request(&mut self, mut stream: Stream, last: &[u8], app: &mut impl Application, out: &mut Vec<u8>) {
        if stream.head.content_length.is_some_and(|length| length != stream.received) {
            return self.fail(stream, Reason::ProtocolError, out);
        }
        if stream.body.is_empty() {
            return self.request(stream, last, app, out);
        }
        if stream.body.len() + last.len() > BODY_BYTES_MAX {
            self.forget(&mut stream);
            return self.reply(stream, Reply::empty(StatusCode::PAYLOAD_TOO_LARGE), out);
        }
        let mut body = std::mem::take(&mut stream.body);
        self.buffered -= body.len();
        body.extend_from_slice(last);
        self.request(stream, &body, app, out);
    }

    fn request(&mut self, mut stream: Stream, body: &[u8], app: &mut impl Application, out: &mut Vec<u8>) {
        if stream.received == 0 && stream.head.content_length.is_some_and(|length| length != 0) {
            return self.fail(stream, Reason::ProtocolError, out);
        }
        match app.request(stream.id, &stream.head, body) {
            Answer::Now(reply) => self.reply(stream, reply, out),
            Answer::Later => {
                stream.phase = Phase::Answering;
                self.streams.push(stream);
            }
        }
    }
}

fn check_data(stream: &Stream) -> Result<(), Reason> {
    if stream.is_ended {
        return Err(Reason::StreamClosed);
    }
    if stream.receive_window < 0 {
        return Err(Reason::FlowControlError);
    }
    if stream.head.content_length.is_some_and(|length| stream.received > length) {
        return Err(Reason::ProtocolError);
    }
    Ok(())
}

/// Without an end at the first difference.
fn is_same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |difference, (a, b)| difference | (a ^ b)) == 0
}
