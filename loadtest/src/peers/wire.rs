//! One connection of a closed loop: bytes in, bytes out, no socket and no clock (RFC 9113).
//!
//! Every request is the same, so its frames are made once and only the stream's number is written in: the generator
//! must be cheaper than the fastest server, or it would be the generator that is measured. For the same reason
//! replies are not decoded: each must begin with the one byte that says 200, and what they hold is summed up. A reply
//! that was read whole before the load says what the sum must be.

use crate::peers::hpack;

/// The frames of a request.
pub struct Plan {
    first: Template,
    later: Template,
    body_bytes: usize,
    table_bytes: usize,
}

struct Template {
    bytes: Vec<u8>,
    /// Where the stream's number stands.
    streams: Vec<usize>,
}

impl Plan {
    pub fn new(header: &[(&str, &str)], body: &[u8]) -> Self {
        let blocks = hpack::blocks(header);
        Self {
            first: Template::new(&blocks.first, body),
            later: Template::new(&blocks.later, body),
            body_bytes: body.len(),
            table_bytes: blocks.table_bytes,
        }
    }
}

impl Template {
    fn new(block: &[u8], body: &[u8]) -> Self {
        let end = if body.is_empty() { END_STREAM } else { 0 };
        let mut bytes = frame(HEADERS, END_HEADERS | end, 0, block);
        let mut streams = vec![STREAM_AT];
        if !body.is_empty() {
            streams.push(bytes.len() + STREAM_AT);
            bytes.extend(frame(DATA, END_STREAM, 0, body));
        }
        Self { bytes, streams }
    }

    fn push(&self, stream: u32, out: &mut Vec<u8>) {
        let from = out.len();
        out.extend_from_slice(&self.bytes);
        for at in &self.streams {
            if let Some(place) = out.get_mut(from + at..from + at + 4) {
                place.copy_from_slice(&stream.to_be_bytes());
            }
        }
    }
}

#[derive(Default)]
pub struct Wire {
    /// The beginning of a frame whose end has not come.
    partial: Vec<u8>,
    next_stream: u32,
    /// What the peer lets us send on the connection.
    window: i64,
    /// Requests that wait for that.
    held: usize,
    /// Received since the peer was last allowed more.
    received: u32,
    streams: usize,
    is_told: bool,
    is_acknowledged: bool,
    pub in_flight: usize,
    pub done: u64,
    pub body_bytes: u64,
    /// Of a single request, which is read.
    pub body: Option<Vec<u8>>,
}

impl Wire {
    /// The connection, and what to send first.
    pub fn open(streams: usize) -> (Self, Vec<u8>) {
        let wire = Self { next_stream: 1, window: WINDOW_DEFAULT, streams, ..Self::default() };
        let mut out = PREFACE.to_vec();
        let mut settings = Vec::new();
        for (id, value) in [(ENABLE_PUSH, 0), (INITIAL_WINDOW_SIZE, WINDOW_BYTES)] {
            settings.extend_from_slice(&u16::to_be_bytes(id));
            settings.extend_from_slice(&u32::to_be_bytes(value));
        }
        out.extend(frame(SETTINGS, 0, 0, &settings));
        out.extend(window_update(WINDOW_BYTES - WINDOW_DEFAULT as u32));
        (wire, out)
    }

    /// Both sides' settings are known to both. The peer has then read something that was sent after the handshake, and
    /// so has sent before whatever it had to send at the handshake's end, tickets among it.
    pub fn is_settled(&self) -> bool {
        self.is_told && self.is_acknowledged
    }

    /// One more request, at once or as soon as the peer's window allows.
    pub fn send(&mut self, plan: &Plan, out: &mut Vec<u8>) {
        self.in_flight += 1;
        self.held += 1;
        self.send_held(plan, out);
    }

    fn send_held(&mut self, plan: &Plan, out: &mut Vec<u8>) {
        while self.held > 0 && self.window >= plan.body_bytes as i64 {
            self.held -= 1;
            self.window -= plan.body_bytes as i64;
            let template = if self.next_stream == 1 { &plan.first } else { &plan.later };
            template.push(self.next_stream, out);
            self.next_stream += 2;
        }
    }

    /// Takes what has come; `again` asks anew for every reply that is complete.
    pub fn feed(&mut self, arrived: &[u8], plan: &Plan, again: bool, out: &mut Vec<u8>) -> Result<(), String> {
        let mut joined = std::mem::take(&mut self.partial);
        let mut bytes = arrived;
        if !joined.is_empty() {
            joined.extend_from_slice(arrived);
            bytes = &joined;
        }
        while let Some((head, rest)) = bytes.split_at_checked(HEAD_BYTES) {
            let [a, b, c, kind, flags, s0, s1, s2, s3] = *head else { break };
            let length = u32::from_be_bytes([0, a, b, c]) as usize;
            let Some((payload, rest)) = rest.split_at_checked(length) else { break };
            let stream = u32::from_be_bytes([s0, s1, s2, s3]);
            self.take(Frame { kind, flags, stream, payload }, plan, again, out)?;
            bytes = rest;
        }
        self.partial = bytes.to_vec();
        if self.received > WINDOW_BYTES / 2 {
            out.extend(window_update(std::mem::take(&mut self.received)));
        }
        Ok(())
    }

    fn take(&mut self, frame: Frame<'_>, plan: &Plan, again: bool, out: &mut Vec<u8>) -> Result<(), String> {
        match frame.kind {
            DATA => self.take_data(&frame)?,
            HEADERS => check_header(&frame)?,
            SETTINGS => self.take_settings(&frame, plan, out)?,
            PING if frame.flags & ACK == 0 => out.extend(self::frame(PING, ACK, 0, frame.payload)),
            WINDOW_UPDATE if frame.stream == 0 => {
                self.window += number(frame.payload).map_or(0, i64::from);
                self.send_held(plan, out);
            }
            // A reply was complete before the request had been read; what remains of that is not wanted.
            RST_STREAM if number(frame.payload) == Some(0) => {}
            RST_STREAM => return Err(format!("stream {} was reset: {:?}", frame.stream, number(frame.payload))),
            GOAWAY => return Err(format!("the server ends the connection: {:?}", frame.payload)),
            _ => {}
        }
        if matches!(frame.kind, DATA | HEADERS) && frame.flags & END_STREAM != 0 {
            self.done += 1;
            self.in_flight = self.in_flight.saturating_sub(1);
            if again {
                self.send(plan, out);
            }
        }
        Ok(())
    }

    fn take_data(&mut self, frame: &Frame<'_>) -> Result<(), String> {
        if frame.flags & PADDED != 0 {
            return Err("the server pads its replies".to_owned());
        }
        self.received += frame.payload.len() as u32;
        self.body_bytes += frame.payload.len() as u64;
        if let Some(body) = &mut self.body {
            body.extend_from_slice(frame.payload);
        }
        Ok(())
    }

    /// The frames were made before these were known; they must fit.
    fn take_settings(&mut self, frame: &Frame<'_>, plan: &Plan, out: &mut Vec<u8>) -> Result<(), String> {
        if frame.flags & ACK != 0 {
            self.is_acknowledged = true;
            return Ok(());
        }
        for setting in frame.payload.chunks_exact(6) {
            let (id, value) = setting.split_at(2);
            let (least, name) = match id {
                [0, 1] => (plan.table_bytes, "header table"),
                [0, 3] => (self.streams, "limit of concurrent streams"),
                [0, 4] => (plan.body_bytes, "window of a stream"),
                _ => continue,
            };
            let given = number(value).unwrap_or(0) as usize;
            if given < least {
                return Err(format!("the server's {name} is {given}, less than {least}"));
            }
        }
        self.is_told = true;
        out.extend(self::frame(SETTINGS, ACK, 0, &[]));
        Ok(())
    }
}

struct Frame<'a> {
    kind: u8,
    flags: u8,
    stream: u32,
    payload: &'a [u8],
}

/// The reply's status must be the static table's 200, behind nothing but changes of the table's size.
fn check_header(frame: &Frame<'_>) -> Result<(), String> {
    if frame.flags & END_HEADERS == 0 || frame.flags & (PADDED | PRIORITY) != 0 {
        return Err("a reply's header is not one plain HEADERS frame".to_owned());
    }
    match frame.payload.iter().find(|byte| **byte & 0xe0 != 0x20) {
        Some(&STATUS_200) => Ok(()),
        Some(byte) => Err(format!("a reply is not 200: its header begins with {byte:#04x}")),
        None => Err("a reply's header is empty".to_owned()),
    }
}

fn number(bytes: &[u8]) -> Option<u32> {
    bytes.first_chunk().map(|bytes| u32::from_be_bytes(*bytes))
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let [_, a, b, c] = u32::to_be_bytes(payload.len() as u32);
    let mut bytes = vec![a, b, c, kind, flags];
    bytes.extend_from_slice(&stream.to_be_bytes());
    bytes.extend_from_slice(payload);
    bytes
}

fn window_update(bytes: u32) -> Vec<u8> {
    frame(WINDOW_UPDATE, 0, 0, &bytes.to_be_bytes())
}

/// The largest body of a request, so that it is one frame.
pub const REQUEST_BODY_BYTES_MAX: usize = 16_384;
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const HEAD_BYTES: usize = 9;
const STREAM_AT: usize = 5;
const WINDOW_DEFAULT: i64 = 65_535;
const WINDOW_BYTES: u32 = (1 << 30) - 1;
const STATUS_200: u8 = 0x88;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;

const END_STREAM: u8 = 0x01;
const ACK: u8 = 0x01;
const END_HEADERS: u8 = 0x04;
const PADDED: u8 = 0x08;
const PRIORITY: u8 = 0x20;

const ENABLE_PUSH: u16 = 2;
const INITIAL_WINDOW_SIZE: u16 = 4;

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(body: &[u8]) -> Plan {
        Plan::new(&[(":method", "POST"), (":authority", "a")], body)
    }

    fn reply(stream: u32, body: &[u8]) -> Vec<u8> {
        [frame(HEADERS, END_HEADERS, stream, &[0x20, 0x88]), frame(DATA, END_STREAM, stream, body)].concat()
    }

    fn opened(streams: usize) -> Wire {
        Wire::open(streams).0
    }

    #[test]
    fn each_reply_is_counted_once_however_its_bytes_arrive_and_asks_anew() {
        let plan = plan(b"x");
        let settled = [frame(SETTINGS, 0, 0, &[]), frame(SETTINGS, ACK, 0, &[])].concat();
        let bytes = [settled, reply(1, b"ok"), reply(3, b"ok")].concat();
        for size in [1, 7, bytes.len()] {
            let mut wire = opened(2);
            let mut out = Vec::new();
            wire.send(&plan, &mut out);
            wire.send(&plan, &mut out);
            for chunk in bytes.chunks(size) {
                wire.feed(chunk, &plan, true, &mut out).unwrap();
            }
            assert_eq!((wire.done, wire.body_bytes, wire.in_flight, wire.is_settled()), (2, 4, 2, true), "{size}");
            let last = frame(DATA, END_STREAM, 7, b"x");
            assert!(out.ends_with(&last), "the fourth request is on stream 7");
        }
    }

    #[test]
    fn no_more_is_sent_than_the_window_of_the_connection_allows() {
        let body = vec![0; 16_384];
        let plan = plan(&body);
        let (mut wire, mut out) = (opened(8), Vec::new());
        for _ in 0..5 {
            wire.send(&plan, &mut out);
        }
        assert_eq!(wire.next_stream, 7, "three fit into 65535 bytes");
        wire.feed(&window_update(16_384), &plan, true, &mut out).unwrap();
        assert_eq!((wire.next_stream, wire.held, wire.in_flight), (9, 1, 5));
    }

    #[test]
    fn a_reply_that_is_not_plainly_right_ends_the_run() {
        let plan = plan(b"");
        for (bytes, why) in [
            (frame(HEADERS, END_HEADERS | END_STREAM, 1, &[0x8d]), "404"),
            (frame(HEADERS, END_HEADERS | END_STREAM, 1, &[]), "no status"),
            (frame(HEADERS, END_STREAM, 1, &[0x88]), "a CONTINUATION to come"),
            (frame(RST_STREAM, 0, 1, &[0, 0, 0, 2]), "reset"),
            (frame(GOAWAY, 0, 0, &[0; 8]), "the connection's end"),
            (frame(SETTINGS, 0, 0, &[0, 3, 0, 0, 0, 1]), "fewer streams than wanted"),
            (frame(SETTINGS, 0, 0, &[0, 1, 0, 0, 0, 0]), "no header table"),
        ] {
            assert!(opened(2).feed(&bytes, &plan, true, &mut Vec::new()).is_err(), "{why}");
        }
        let fine = frame(RST_STREAM, 0, 1, &[0; 4]);
        assert!(opened(2).feed(&fine, &plan, true, &mut Vec::new()).is_ok(), "the rest of a body is not wanted");
    }

    #[test]
    fn pings_and_settings_are_acknowledged() {
        let plan = plan(b"");
        let mut out = Vec::new();
        let bytes = [frame(SETTINGS, 0, 0, &[]), frame(PING, 0, 0, b"12345678"), frame(PING, ACK, 0, b"12345678")];
        opened(2).feed(&bytes.concat(), &plan, true, &mut out).unwrap();
        assert_eq!(out, [frame(SETTINGS, ACK, 0, &[]), frame(PING, ACK, 0, b"12345678")].concat());
    }
}
