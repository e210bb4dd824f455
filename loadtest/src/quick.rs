//! One HTTP/2 connection of the load (RFC 9113), driven by one task: it sends what falls due to any of its streams in
//! one flight and reads the answers in place. A task for each stream and a general client would cost the generator five
//! times what the server spends, and then the figures would be the generator's own.
//!
//! It asks the server for no dynamic table (SETTINGS_HEADER_TABLE_SIZE 0), because of an answer's header it reads only
//! the status, which then stands in the first field alone. Whatever else comes is answered as the RFC wants it:
//! SETTINGS, PING, GOAWAY, windows. A server that breaks the rules loses the connection.

use std::cell::Cell;
use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;

use bytes::{Buf, BytesMut};
use http::StatusCode;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use crate::client::Target;
use crate::line::{Due, Seat};
use crate::record::{Kind, Passage};
use crate::scenario::introspect::Expect;
use crate::worker::Generator;

struct Quick<'a> {
    generator: &'a Generator,
    seat: Rc<Seat>,
    streams: usize,
    stream: TlsStream<TcpStream>,
    inbox: BytesMut,
    outbox: Vec<u8>,
    flights: HashMap<u32, Flight>,
    next_id: u32,
    /// What the server lets us send.
    window: i64,
    stream_window: i64,
    received_unannounced: u32,
    /// Its GOAWAY has come: no more requests.
    going: bool,
    over: bool,
}

/// A request that was sent.
struct Flight {
    due: Due,
    sent_ns: u64,
    expect: Expect,
    status: u16,
    body: Vec<u8>,
}

struct Frame<'a> {
    kind: u8,
    flags: u8,
    id: u32,
    payload: &'a [u8],
}

enum End {
    RunIsOver,
    Lost(String),
}

/// Connects, sends and reads until the connection ends, connects again. `first` was connected before the run; `closed`
/// once every request of the run has been taken.
pub async fn keep(
    generator: Rc<Generator>,
    target: Target,
    streams: usize,
    first: Option<TlsStream<TcpStream>>,
    closed: Rc<Cell<bool>>,
) {
    let mut next = first;
    while !closed.get() {
        let stream = match next.take() {
            Some(stream) => stream,
            None => match connect(&generator, &target).await {
                Some(stream) => stream,
                None => continue,
            },
        };
        generator.recorder.note_link(|links| links.opened += 1);
        let health = &generator.line.health;
        health.up.update(|up| up + 1);
        let end = Quick::new(&generator, streams, stream).run().await;
        health.up.update(|up| up.saturating_sub(1));
        if let End::Lost(why) = end {
            health.last.set(Kind::Reset);
            generator.recorder.note_link(|links| {
                links.lost += 1;
                links.why = Some(why);
            });
        }
    }
}

/// In a closed loop a failed attempt stands for the request that could not be made.
async fn connect(generator: &Generator, target: &Target) -> Option<TlsStream<TcpStream>> {
    let due_ns = generator.clock.now_ns();
    let (kind, why) = match target.connect_h2().await {
        Ok(stream) => return Some(stream),
        Err(failed) => failed,
    };
    generator.line.health.last.set(kind);
    generator.recorder.note_link(|links| {
        links.failed += 1;
        links.why = Some(format!("{}: {why}", kind.label()));
    });
    if generator.line.is_closed_loop() {
        let done_ns = generator.clock.now_ns();
        let passage = Passage { due_ns, sent_ns: None, done_ns, stream_was_free: true };
        generator.recorder.record(&passage, Err(kind));
    }
    tokio::time::sleep(BACKOFF).await;
    None
}

impl<'a> Quick<'a> {
    fn new(generator: &'a Generator, streams: usize, stream: TlsStream<TcpStream>) -> Self {
        Self {
            generator,
            seat: Rc::default(),
            streams,
            stream,
            inbox: BytesMut::with_capacity(INBOX_BYTES),
            outbox: GREETING.to_vec(),
            flights: HashMap::with_capacity(streams),
            next_id: 1,
            window: WINDOW_DEFAULT,
            stream_window: WINDOW_DEFAULT,
            received_unannounced: 0,
            going: false,
            over: false,
        }
    }

    async fn run(mut self) -> End {
        let end = match self.exchange().await {
            Ok(()) => End::RunIsOver,
            Err(why) => End::Lost(why),
        };
        for due in self.generator.line.leave(&self.seat) {
            self.generator.line.give_back(due);
        }
        for (_, flight) in std::mem::take(&mut self.flights) {
            self.finish(&flight, Err(Kind::Reset));
        }
        end
    }

    async fn exchange(&mut self) -> Result<(), String> {
        let seat = Rc::clone(&self.seat);
        let mut look = tokio::time::interval(LOOK);
        look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            self.take_what_is_due()?;
            if !self.outbox.is_empty() {
                self.stream.write_all(&self.outbox).await.map_err(|e| e.to_string())?;
                self.stream.flush().await.map_err(|e| e.to_string())?;
                self.outbox.clear();
            }
            if self.flights.is_empty() && (self.over || self.going) {
                return if self.over { Ok(()) } else { Err("the server said GOAWAY".to_owned()) };
            }
            tokio::select! {
                read = self.stream.read_buf(&mut self.inbox) => match read.map_err(|e| e.to_string())? {
                    0 => return Err("the server closed the connection".to_owned()),
                    _ => self.read_frames()?,
                },
                () = seat.called() => {}
                _ = look.tick() => self.expire(),
            }
        }
    }

    fn take_what_is_due(&mut self) -> Result<(), String> {
        while let Some(due) = self.seat.next_given() {
            self.send(due)?;
        }
        while !self.going && !self.over && self.may_send() {
            match self.generator.line.claim_now() {
                Ok(Some(due)) => self.send(due)?,
                Ok(None) => {
                    let taken = self.flights.len() + self.seat.places();
                    self.generator.line.sit(&self.seat, self.streams.saturating_sub(taken));
                    return Ok(());
                }
                Err(_) => self.over = true,
            }
        }
        Ok(())
    }

    fn may_send(&self) -> bool {
        self.flights.len() + self.seat.places() < self.streams && self.window >= BODY_EXPECTED_MAX
    }

    fn send(&mut self, due: Due) -> Result<(), String> {
        let generator = self.generator;
        let shot = generator.scenario.borrow_mut().aim();
        let size = shot.body.len() as i64;
        if self.going || size > self.window || size > self.stream_window {
            generator.line.give_back(due);
            return Ok(());
        }
        let mut heads = generator.heads.borrow_mut();
        let head = heads.of(&shot.body).map_err(|fault| fault.to_string())?;
        let block = if self.next_id == 1 { &head.first } else { &head.later };
        let id = self.next_id;
        let end = if shot.body.is_empty() { END_STREAM } else { 0 };
        push_frame(&mut self.outbox, HEADERS, END_HEADERS | end, id, block);
        let mut chunks = shot.body.chunks(FRAME_BYTES_MAX).peekable();
        while let Some(chunk) = chunks.next() {
            let flags = if chunks.peek().is_none() { END_STREAM } else { 0 };
            push_frame(&mut self.outbox, DATA, flags, id, chunk);
        }
        self.window -= size;
        self.next_id += 2;
        // Stream identifiers are used up: another connection has more.
        self.going |= self.next_id >= ID_MAX;
        let sent_ns = generator.clock.now_ns();
        self.flights.insert(id, Flight { due, sent_ns, expect: shot.expect, status: 0, body: Vec::new() });
        Ok(())
    }

    fn read_frames(&mut self) -> Result<(), String> {
        let inbox = std::mem::take(&mut self.inbox);
        let mut rest: &[u8] = &inbox;
        let read = loop {
            match next_frame(rest) {
                Ok(Some((frame, after))) => {
                    rest = after;
                    if let Err(why) = self.react(&frame) {
                        break Err(why);
                    }
                }
                Ok(None) => break Ok(inbox.len() - rest.len()),
                Err(why) => break Err(why),
            }
        };
        self.inbox = inbox;
        self.inbox.advance(read?);
        // Room for a whole TLS record, so that reading stays one call.
        self.inbox.reserve(INBOX_BYTES / 2);
        if self.received_unannounced > ANNOUNCED_AT {
            push_frame(&mut self.outbox, WINDOW_UPDATE, 0, 0, &self.received_unannounced.to_be_bytes());
            self.received_unannounced = 0;
        }
        Ok(())
    }

    fn react(&mut self, frame: &Frame<'_>) -> Result<(), String> {
        match frame.kind {
            DATA => self.data(frame),
            HEADERS => self.headers(frame),
            RST_STREAM => {
                if let Some(flight) = self.flights.remove(&frame.id) {
                    self.finish(&flight, Err(Kind::Reset));
                }
                Ok(())
            }
            SETTINGS if frame.flags & ACK == 0 => self.settings(frame.payload),
            PING if frame.flags & ACK == 0 => {
                push_frame(&mut self.outbox, PING, ACK, 0, frame.payload);
                Ok(())
            }
            GOAWAY => self.goaway(frame.payload),
            WINDOW_UPDATE if frame.id == 0 => {
                self.window += i64::from(number(frame.payload)?);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn headers(&mut self, frame: &Frame<'_>) -> Result<(), String> {
        let mut block = unpadded(frame)?;
        if frame.flags & PRIORITY != 0 {
            block = block.get(5..).ok_or("a HEADERS frame is too short")?;
        }
        let Some(flight) = self.flights.get_mut(&frame.id) else { return Ok(()) };
        // Trailers have none.
        if flight.status < 200 {
            flight.status = status(block).ok_or("an answer without a status")?;
        }
        if frame.flags & END_STREAM != 0 { self.complete(frame.id, &[]) } else { Ok(()) }
    }

    fn data(&mut self, frame: &Frame<'_>) -> Result<(), String> {
        self.received_unannounced += frame.payload.len() as u32;
        let data = unpadded(frame)?;
        if frame.flags & END_STREAM != 0 {
            return self.complete(frame.id, data);
        }
        if let Some(flight) = self.flights.get_mut(&frame.id) {
            flight.body.extend_from_slice(data);
            if flight.body.len() > STREAM_WINDOW_BYTES as usize {
                return Err("an answer is too long".to_owned());
            }
        }
        Ok(())
    }

    fn complete(&mut self, id: u32, last: &[u8]) -> Result<(), String> {
        let Some(mut flight) = self.flights.remove(&id) else { return Ok(()) };
        let status = StatusCode::from_u16(flight.status).map_err(|e| e.to_string())?;
        let body = if flight.body.is_empty() {
            last
        } else {
            flight.body.extend_from_slice(last);
            &flight.body
        };
        let outcome = self.generator.scenario.borrow_mut().judge(&flight.expect, status, body);
        self.finish(&flight, outcome);
        Ok(())
    }

    fn finish(&self, flight: &Flight, outcome: Result<(), Kind>) {
        let passage = Passage {
            due_ns: flight.due.due_ns,
            sent_ns: Some(flight.sent_ns),
            done_ns: self.generator.clock.now_ns(),
            stream_was_free: flight.due.stream_was_free,
        };
        self.generator.recorder.record(&passage, outcome);
    }

    fn settings(&mut self, payload: &[u8]) -> Result<(), String> {
        for setting in payload.chunks_exact(6) {
            let (name, value) = setting.split_first_chunk::<2>().ok_or("SETTINGS")?;
            let value = number(value)?;
            match u16::from_be_bytes(*name) {
                MAX_CONCURRENT_STREAMS => self.streams = self.streams.min(value as usize).max(1),
                INITIAL_WINDOW_SIZE => self.stream_window = i64::from(value),
                _ => {}
            }
        }
        push_frame(&mut self.outbox, SETTINGS, ACK, 0, &[]);
        Ok(())
    }

    /// What the server has not taken is sent again elsewhere.
    fn goaway(&mut self, payload: &[u8]) -> Result<(), String> {
        let last = number(payload)? & ID_MAX;
        self.going = true;
        let not_taken: Vec<u32> = self.flights.keys().copied().filter(|id| *id > last).collect();
        for flight in not_taken.iter().filter_map(|id| self.flights.remove(id)) {
            self.generator.line.give_back(flight.due);
        }
        for due in self.generator.line.leave(&self.seat) {
            self.generator.line.give_back(due);
        }
        Ok(())
    }

    /// A request that was sent in time gets the whole deadline from there. Cutting it off at its due moment plus the
    /// deadline would, past the server's capacity, reset nearly every stream and measure its defence against that.
    fn expire(&mut self) {
        let now_ns = self.generator.clock.now_ns();
        let deadline_ns = self.generator.deadline.as_nanos() as u64;
        let late = self.flights.iter().filter(|(_, flight)| flight.sent_ns + deadline_ns <= now_ns);
        for id in late.map(|(id, _)| *id).collect::<Vec<u32>>() {
            if let Some(flight) = self.flights.remove(&id) {
                self.finish(&flight, Err(Kind::Timeout));
                push_frame(&mut self.outbox, RST_STREAM, 0, id, &CANCEL.to_be_bytes());
            }
        }
    }
}

fn push_frame(out: &mut Vec<u8>, kind: u8, flags: u8, id: u32, payload: &[u8]) {
    let [_, a, b, c] = (payload.len() as u32).to_be_bytes();
    out.extend_from_slice(&[a, b, c, kind, flags]);
    out.extend_from_slice(&id.to_be_bytes());
    out.extend_from_slice(payload);
}

/// None while it is not whole.
fn next_frame(received: &[u8]) -> Result<Option<(Frame<'_>, &[u8])>, String> {
    let Some((head, rest)) = received.split_first_chunk::<9>() else { return Ok(None) };
    let length = head.iter().take(3).fold(0, |length, byte| length << 8 | usize::from(*byte));
    let [_, _, _, kind, flags, id @ ..] = *head;
    if length > FRAME_BYTES_MAX {
        return Err("a frame is longer than was agreed".to_owned());
    }
    let Some((payload, after)) = rest.split_at_checked(length) else { return Ok(None) };
    let id = u32::from_be_bytes(id) & ID_MAX;
    Ok(Some((Frame { kind, flags, id, payload }, after)))
}

fn unpadded<'a>(frame: &Frame<'a>) -> Result<&'a [u8], String> {
    if frame.flags & PADDED == 0 {
        return Ok(frame.payload);
    }
    let (padding, rest) = frame.payload.split_first().ok_or("a padded frame is empty")?;
    let length = rest.len().checked_sub(usize::from(*padding)).ok_or("a frame is padding and more")?;
    Ok(rest.get(..length).unwrap_or_default())
}

fn number(bytes: &[u8]) -> Result<u32, String> {
    bytes.first_chunk::<4>().map(|four| u32::from_be_bytes(*four)).ok_or_else(|| "a frame is too short".to_owned())
}

/// `:status`, the first field of an answer (RFC 9113 section 8.3), of a block for which there is no dynamic table.
fn status(block: &[u8]) -> Option<u16> {
    let mut rest = block;
    // Updates of the table's size come first.
    while let Some((byte, after)) = rest.split_first()
        && byte & 0b1110_0000 == 0b0010_0000
    {
        rest = after;
    }
    let (byte, after) = rest.split_first()?;
    match byte {
        0x88..=0x8e => [200, 204, 206, 304, 400, 404, 500].get(usize::from(byte - 0x88)).copied(),
        // A literal whose name is that of the static table's status.
        0x08..=0x0e | 0x18..=0x1e | 0x48..=0x4e => {
            let (length, text) = after.split_first()?;
            let text = text.get(..usize::from(length & 0x7f))?;
            if length & 0x80 == 0 { std::str::from_utf8(text).ok()?.parse().ok() } else { huffman_digits(text) }
        }
        _ => None,
    }
}

/// Three digits in the code of RFC 7541 appendix B: 0, 1 and 2 have five bits, 3 to 9 six.
fn huffman_digits(text: &[u8]) -> Option<u16> {
    let mut bits = text.iter().take(4).fold(0u32, |bits, byte| bits << 8 | u32::from(*byte));
    let mut left = text.len().min(4) as u32 * 8;
    let mut value = 0;
    for _ in 0..3 {
        let top = bits.checked_shl(32 - left).unwrap_or(0);
        let (digit, length) = match top >> 27 {
            short @ 0..=2 => (short, 5),
            _ => ((top >> 26).checked_sub(0x19 - 3).filter(|digit| (3..=9).contains(digit))?, 6),
        };
        left = left.checked_sub(length)?;
        bits &= (1u64 << left).wrapping_sub(1) as u32;
        value = value * 10 + digit as u16;
    }
    Some(value)
}

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const END_STREAM: u8 = 0x1;
const ACK: u8 = 0x1;
const END_HEADERS: u8 = 0x4;
const PADDED: u8 = 0x8;
const PRIORITY: u8 = 0x20;
const MAX_CONCURRENT_STREAMS: u16 = 3;
const INITIAL_WINDOW_SIZE: u16 = 4;
const CANCEL: u32 = 8;
const ID_MAX: u32 = 0x7fff_ffff;
const FRAME_BYTES_MAX: usize = 16_384;
const WINDOW_DEFAULT: i64 = 65_535;
const STREAM_WINDOW_BYTES: u32 = 1 << 20;
const ANNOUNCED_AT: u32 = 1 << 24;
const INBOX_BYTES: usize = 64 << 10;
/// Requests wait for a window that has less room than this.
const BODY_EXPECTED_MAX: i64 = 16 << 10;
const BACKOFF: Duration = Duration::from_millis(50);
const LOOK: Duration = Duration::from_millis(20);
/// Preface; SETTINGS without table and push, with a stream window of `STREAM_WINDOW_BYTES`; a connection window near
/// the largest.
const GREETING: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\
    \x00\x00\x12\x04\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x02\x00\x00\x00\x00\x00\x04\x00\x10\x00\x00\
    \x00\x00\x04\x08\x00\x00\x00\x00\x00\x7f\x00\x00\x00";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_read_in_every_spelling() {
        for (block, expected) in [
            (&b"\x88\x00"[..], Some(200)),
            (b"\x20\x8d", Some(404)),
            (b"\x48\x03503\x00", Some(503)),
            (b"\x08\x03401", Some(401)),
            (b"\x48\x82\x68\x01", Some(401)),
            (b"\x48\x03\x35", None),
            (b"\xbe", None),
            (b"", None),
        ] {
            assert_eq!(status(block), expected, "{block:02x?}");
        }
    }

    #[test]
    fn every_three_digits_survive_the_huffman_code() {
        for code in 100..1000u16 {
            let mut bits = 0u64;
            let mut length = 0;
            for digit in code.to_string().bytes().map(|b| u64::from(b - b'0')) {
                let (word, size) = if digit < 3 { (digit, 5) } else { (digit + 0x16, 6) };
                bits = bits << size | word;
                length += size;
            }
            let padding = (8 - length % 8) % 8;
            bits = bits << padding | ((1 << padding) - 1);
            let bytes = (length + padding) / 8;
            let text = &bits.to_be_bytes()[8 - bytes..];
            assert_eq!(huffman_digits(text), Some(code), "{text:02x?}");
        }
        assert_eq!(huffman_digits(&[]), None);
        assert_eq!(huffman_digits(&[0xff; 3]), None);
    }

    #[test]
    fn frames_come_whole_or_not_yet() {
        let mut wire = Vec::new();
        push_frame(&mut wire, DATA, END_STREAM, 7, b"abc");
        let (frame, rest) = next_frame(&wire).unwrap().unwrap();
        assert_eq!(
            (frame.kind, frame.flags, frame.id, frame.payload, rest.len()),
            (DATA, END_STREAM, 7, &b"abc"[..], 0)
        );
        assert!(next_frame(&wire[..11]).unwrap().is_none());
        assert!(next_frame(&[0xff; 9]).is_err(), "longer than agreed");
    }

    #[test]
    fn padding_is_taken_off_and_cannot_be_longer_than_its_frame() {
        let frame = |payload| Frame { kind: DATA, flags: PADDED, id: 1, payload };
        assert_eq!(unpadded(&frame(b"\x02ab\x00\x00")), Ok(&b"ab"[..]));
        assert!(unpadded(&frame(b"\x05ab")).is_err() && unpadded(&frame(b"")).is_err());
    }

    #[test]
    fn the_greeting_is_a_preface_and_two_whole_frames() {
        let (settings, rest) = next_frame(&GREETING[24..]).unwrap().unwrap();
        assert_eq!((settings.kind, settings.payload.len()), (SETTINGS, 18));
        let (update, rest) = next_frame(rest).unwrap().unwrap();
        assert_eq!((update.kind, number(update.payload), rest.len()), (WINDOW_UPDATE, Ok(0x7f00_0000), 0));
    }
}
