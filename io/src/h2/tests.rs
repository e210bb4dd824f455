//! The engine against a peer made of bytes: each rule of RFC 9113 that a client can break, and what it costs.

use super::engine::{
    Answer, Application, BUFFERED_BYTES_MAX, Bounds, CONNECTION_WINDOW_BYTES, Engine, HEADS_BYTES_MAX, OUT_BYTES,
};
use super::frame::{
    ACK, CONTINUATION, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADER_BYTES, HEADERS, Header, INITIAL_WINDOW_SIZE,
    PADDED, PING, PREFACE, PRIORITY, PRIORITY_FIELDS, PUSH_PROMISE, RST_STREAM, Reason, SETTINGS, WINDOW_UPDATE,
};
use super::head::Head;
use super::hpack::{Decoder, Field};
use crate::http::Reply;
use bytes::Bytes;
use http::StatusCode;
use std::rc::Rc;

/// Answers `/later` later, `/large` with a body of its query's size, all else with what was asked.
#[derive(Default)]
struct Echo {
    asked: Vec<(u32, String, Vec<u8>)>,
}

impl Application for Echo {
    fn request(&mut self, stream: u32, head: &Rc<Head>, body: &[u8]) -> Answer {
        self.asked.push((stream, format!("{} {}", head.method, head.path()), body.to_vec()));
        match head.path() {
            "/later" => Answer::Later,
            "/large" => {
                let size = head.query().and_then(|query| query.parse().ok()).unwrap_or(0);
                let mut reply = Reply::empty(StatusCode::OK);
                reply.body = vec![b'x'; size].into();
                Answer::Now(reply)
            }
            _ => Answer::Now(Reply::no_store_json(StatusCode::OK, Bytes::copy_from_slice(body))),
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
struct Frame {
    kind: u8,
    flags: u8,
    stream: u32,
    payload: Vec<u8>,
}

/// The server's side under test, and the frames it wrote.
struct Server {
    engine: Engine,
    app: Echo,
    out: Vec<u8>,
}

const BOUNDS: Bounds = Bounds { streams_max: 4, header_list_bytes_max: 2000 };

impl Server {
    /// After the exchange of SETTINGS.
    fn new() -> Self {
        let mut server = Self::silent();
        assert_eq!(server.feed(&[PREFACE.to_vec(), frame(SETTINGS, 0, 0, &[])].concat()), Ok(()));
        let said: Vec<u8> = server.frames().iter().map(|frame| frame.kind).collect();
        assert_eq!(said, [SETTINGS, WINDOW_UPDATE, SETTINGS]);
        server
    }

    fn silent() -> Self {
        let mut out = Vec::new();
        Self { engine: Engine::new(BOUNDS, &mut out), app: Echo::default(), out }
    }

    fn feed(&mut self, bytes: &[u8]) -> Result<(), Reason> {
        let mut left = bytes;
        let mut drained = std::mem::take(&mut self.out);
        loop {
            let taken = self.engine.receive(left, &mut self.app, &mut self.out)?;
            drained.append(&mut self.out);
            left = &left[taken..];
            while self.engine.can_resume() {
                self.engine.resume(&mut self.out);
                drained.append(&mut self.out);
            }
            if left.is_empty() {
                self.out = drained;
                return Ok(());
            }
        }
    }

    fn frames(&mut self) -> Vec<Frame> {
        let out = std::mem::take(&mut self.out);
        let mut bytes = &out[..];
        let mut frames = Vec::new();
        while let Some((head, rest)) = bytes.split_first_chunk::<HEADER_BYTES>() {
            let header = Header::parse(*head);
            let (payload, rest) = rest.split_at(header.length);
            frames.push(Frame {
                kind: header.kind,
                flags: header.flags,
                stream: header.stream,
                payload: payload.to_vec(),
            });
            bytes = rest;
        }
        assert!(bytes.is_empty());
        frames
    }

    /// The status of the reply on a stream, and its body as far as it came.
    fn reply(&mut self, stream: u32) -> (String, Vec<u8>) {
        let (mut status, mut body) = (String::new(), Vec::new());
        for frame in self.frames().into_iter().filter(|frame| frame.stream == stream) {
            match frame.kind {
                HEADERS => {
                    let mut decoder = Decoder::default();
                    let first = |field: &Field, _| {
                        if let Field::Pseudo(_, value) = field {
                            status = String::from_utf8(value.to_vec()).unwrap();
                        }
                    };
                    decoder.decode(&frame.payload, first).unwrap();
                }
                DATA => body.extend(frame.payload),
                _ => {}
            }
        }
        (status, body)
    }
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut bytes = (payload.len() as u32).to_be_bytes()[1..].to_vec();
    bytes.extend([kind, flags]);
    bytes.extend(stream.to_be_bytes());
    bytes.extend(payload);
    bytes
}

/// A literal that is not kept.
fn field(name: &str, value: &str) -> Vec<u8> {
    assert!(name.len() < 127 && value.len() < 127);
    [&[0, name.len() as u8], name.as_bytes(), &[value.len() as u8], value.as_bytes()].concat()
}

fn head(method: &str, path: &str) -> Vec<u8> {
    [field(":method", method), vec![0x87], field(":path", path), field(":authority", "a")].concat()
}

fn get(stream: u32, path: &str) -> Vec<u8> {
    frame(HEADERS, END_HEADERS | END_STREAM, stream, &head("GET", path))
}

fn post(stream: u32, path: &str, extra: &[u8]) -> Vec<u8> {
    frame(HEADERS, END_HEADERS, stream, &[&head("POST", path), extra].concat())
}

#[test]
fn requests_are_answered_in_the_call_that_brings_them() {
    let mut server = Server::new();
    let bytes = [post(1, "/a", &[]), frame(DATA, END_STREAM, 1, b"body"), get(3, "/b")].concat();
    server.feed(&bytes).unwrap();
    assert_eq!(server.app.asked, [(1, "POST /a".to_owned(), b"body".to_vec()), (3, "GET /b".to_owned(), vec![])]);
    let frames = server.frames();
    let shapes: Vec<_> = frames.iter().map(|frame| (frame.kind, frame.flags, frame.stream)).collect();
    let both = END_HEADERS | END_STREAM;
    assert_eq!(shapes, [(HEADERS, END_HEADERS, 1), (DATA, END_STREAM, 1), (HEADERS, both, 3)]);
    assert_eq!(frames[0].payload[..2], [0x20, 0x88], "the peer's table is given up once, then comes the status");
    assert_eq!(frames[2].payload[0], 0x88);
    assert!(!server.engine.has_streams());
}

#[test]
fn however_the_bytes_are_cut_the_answers_are_the_same() {
    let padded = [&[3][..], &[0, 0, 0, 0, 9], &head("POST", "/padded"), &[0; 3]].concat();
    let block = head("GET", "/cut");
    let script = [
        PREFACE.to_vec(),
        frame(SETTINGS, 0, 0, &[]),
        post(1, "/a", &field("content-length", "6")),
        frame(DATA, 0, 1, b"one"),
        frame(HEADERS, END_HEADERS | PADDED | PRIORITY_FIELDS, 3, &padded),
        frame(DATA, END_STREAM, 1, b"two"),
        frame(DATA, END_STREAM | PADDED, 3, b"\x02three\0\0"),
        frame(PING, 0, 0, b"12345678"),
        frame(HEADERS, END_STREAM, 5, &block[..7]),
        frame(CONTINUATION, 0, 5, &block[7..9]),
        frame(CONTINUATION, END_HEADERS, 5, &block[9..]),
        post(7, "/trailers", &[]),
        frame(DATA, 0, 7, &[b'b'; 9000]),
        frame(HEADERS, END_HEADERS | END_STREAM, 7, &field("x-checksum", "1")),
        get(9, "/large?100000"),
        frame(0xfa, 0xff, 77, b"unknown"),
        get(11, "/last"),
    ]
    .concat();
    let run = |at_a_time: usize| {
        let mut server = Server::silent();
        for chunk in script.chunks(at_a_time) {
            server.feed(chunk).unwrap();
        }
        (server.app.asked.clone(), server.frames())
    };
    let whole = run(usize::MAX);
    let asked: Vec<&str> = whole.0.iter().map(|(_, what, _)| what.as_str()).collect();
    assert_eq!(asked, ["POST /a", "POST /padded", "GET /cut", "POST /trailers", "GET /large", "GET /last"]);
    assert_eq!(whole.0[0].2, b"onetwo");
    assert_eq!(whole.0[1].2, b"three");
    assert_eq!(whole.0[3].2.len(), 9000);
    for at_a_time in [1, 2, 3, 8, 9, 10, 100, 1000, 16_384] {
        assert_eq!(run(at_a_time), whole, "{at_a_time} at a time");
    }
}

#[test]
fn a_repeated_field_block_means_what_it_meant_until_the_table_changes() {
    let mut server = Server::new();
    // Kept in the table as entry 62, then named by it.
    let keep = |value: &str| [&[0x40, 5][..], b"x-two", &[value.len() as u8], value.as_bytes()].concat();
    let path = |value: &str| [&[0x44, value.len() as u8][..], value.as_bytes()].concat();
    let request = |stream, block: &[u8]| frame(HEADERS, END_HEADERS | END_STREAM, stream, block);
    server.feed(&request(1, &[&[0x82, 0x87][..], &path("/one")].concat())).unwrap();
    let named = [0x82, 0x87, 0xbe];
    server.feed(&[request(3, &named), request(5, &named)].concat()).unwrap();
    server.feed(&request(7, &[&[0x82, 0x87][..], &path("/two")].concat())).unwrap();
    server.feed(&[request(9, &named), request(11, &named)].concat()).unwrap();
    let changes = [&[0x82, 0x87, 0xbe][..], &keep("v")].concat();
    server.feed(&[request(13, &changes), request(15, &[0x82, 0x87, 0xbf])].concat()).unwrap();
    let asked: Vec<&str> = server.app.asked.iter().map(|(_, what, _)| what.as_str()).collect();
    let two = ["GET /two"; 5];
    assert_eq!(asked, [&["GET /one"; 3][..], &two].concat());
}

#[test]
fn what_breaks_the_connection() {
    let open = post(1, "/later", &[]);
    let answered = get(1, "/a");
    let with_window = |size: u32| {
        let setting = [&INITIAL_WINDOW_SIZE.to_be_bytes()[..], &size.to_be_bytes()].concat();
        frame(SETTINGS, 0, 0, &setting)
    };
    let large: Vec<u8> = (0..40).flat_map(|_| field("x", &"y".repeat(120))).collect();
    let rows: Vec<(&str, Vec<Vec<u8>>, Reason)> = vec![
        ("a frame that is too long", vec![vec![0, 0x40, 1, DATA, 0, 0, 0, 0, 1]], Reason::FrameSizeError),
        ("DATA on stream 0", vec![frame(DATA, 0, 0, b"")], Reason::ProtocolError),
        ("DATA on an idle stream", vec![frame(DATA, 0, 1, b"")], Reason::ProtocolError),
        ("more padding than DATA", vec![open.clone(), frame(DATA, PADDED, 1, &[9, 0])], Reason::ProtocolError),
        ("HEADERS on stream 0", vec![frame(HEADERS, END_HEADERS, 0, &head("GET", "/"))], Reason::ProtocolError),
        ("HEADERS on an even stream", vec![get(2, "/")], Reason::ProtocolError),
        ("HEADERS on a closed stream", vec![answered.clone(), answered.clone()], Reason::StreamClosed),
        ("HEADERS on a lower stream", vec![get(5, "/"), get(3, "/")], Reason::StreamClosed),
        ("more padding than HEADERS", vec![frame(HEADERS, END_HEADERS | PADDED, 1, &[9])], Reason::ProtocolError),
        (
            "priority that is cut",
            vec![frame(HEADERS, END_HEADERS | PRIORITY_FIELDS, 1, &[0; 4])],
            Reason::FrameSizeError,
        ),
        (
            "HEADERS that depend on themselves",
            vec![frame(HEADERS, END_HEADERS | PRIORITY_FIELDS, 1, &[0, 0, 0, 1, 9])],
            Reason::ProtocolError,
        ),
        ("broken HPACK", vec![frame(HEADERS, END_HEADERS, 1, &[0x80])], Reason::CompressionError),
        (
            "broken HPACK in trailers",
            vec![open.clone(), frame(HEADERS, END_HEADERS | END_STREAM, 1, &[0x80])],
            Reason::CompressionError,
        ),
        (
            "another frame within a block",
            vec![frame(HEADERS, 0, 1, &[]), frame(PING, 0, 0, &[0; 8])],
            Reason::ProtocolError,
        ),
        (
            "CONTINUATION of another stream",
            vec![frame(HEADERS, 0, 1, &[]), frame(CONTINUATION, END_HEADERS, 3, &[])],
            Reason::ProtocolError,
        ),
        ("CONTINUATION of nothing", vec![frame(CONTINUATION, END_HEADERS, 1, &[])], Reason::ProtocolError),
        (
            "a block without bound",
            [vec![frame(HEADERS, 0, 1, &[])], vec![frame(CONTINUATION, 0, 1, &large); 4]].concat(),
            Reason::EnhanceYourCalm,
        ),
        ("PRIORITY on stream 0", vec![frame(PRIORITY, 0, 0, &[0, 0, 0, 1, 0])], Reason::ProtocolError),
        ("PRIORITY on itself", vec![frame(PRIORITY, 0, 1, &[0, 0, 0, 1, 0])], Reason::ProtocolError),
        ("PRIORITY that is cut", vec![frame(PRIORITY, 0, 1, &[0; 4])], Reason::FrameSizeError),
        ("RST_STREAM on stream 0", vec![frame(RST_STREAM, 0, 0, &[0; 4])], Reason::ProtocolError),
        ("RST_STREAM on an idle stream", vec![frame(RST_STREAM, 0, 1, &[0; 4])], Reason::ProtocolError),
        ("RST_STREAM of another size", vec![open.clone(), frame(RST_STREAM, 0, 1, &[0; 3])], Reason::FrameSizeError),
        ("SETTINGS on a stream", vec![frame(SETTINGS, 0, 1, &[])], Reason::ProtocolError),
        ("an acknowledgement with content", vec![frame(SETTINGS, ACK, 0, &[0; 6])], Reason::FrameSizeError),
        ("SETTINGS of another size", vec![frame(SETTINGS, 0, 0, &[0; 5])], Reason::FrameSizeError),
        ("ENABLE_PUSH of 2", vec![frame(SETTINGS, 0, 0, &[0, 2, 0, 0, 0, 2])], Reason::ProtocolError),
        (
            "a frame size that is too small",
            vec![frame(SETTINGS, 0, 0, &[0, 5, 0, 0, 0x3f, 0xff])],
            Reason::ProtocolError,
        ),
        ("a frame size that is too large", vec![frame(SETTINGS, 0, 0, &[0, 5, 1, 0, 0, 0])], Reason::ProtocolError),
        ("a window that is too large", vec![with_window(0x8000_0000)], Reason::FlowControlError),
        (
            "a window that SETTINGS overflow",
            vec![open.clone(), frame(WINDOW_UPDATE, 0, 1, &0x7fff_0000u32.to_be_bytes()), with_window(0x7fff_ffff)],
            Reason::FlowControlError,
        ),
        ("PUSH_PROMISE", vec![open.clone(), frame(PUSH_PROMISE, END_HEADERS, 1, &[0, 0, 0, 2])], Reason::ProtocolError),
        ("PING on a stream", vec![frame(PING, 0, 1, &[0; 8])], Reason::ProtocolError),
        ("PING of another size", vec![frame(PING, 0, 0, &[0; 7])], Reason::FrameSizeError),
        ("GOAWAY on a stream", vec![frame(GOAWAY, 0, 1, &[0; 8])], Reason::ProtocolError),
        ("GOAWAY that is cut", vec![frame(GOAWAY, 0, 0, &[0; 7])], Reason::FrameSizeError),
        ("a window opened by nothing", vec![frame(WINDOW_UPDATE, 0, 0, &[0; 4])], Reason::ProtocolError),
        ("WINDOW_UPDATE of another size", vec![frame(WINDOW_UPDATE, 0, 0, &[0; 3])], Reason::FrameSizeError),
        (
            "the connection's window overflows",
            vec![frame(WINDOW_UPDATE, 0, 0, &0x7fff_ffffu32.to_be_bytes())],
            Reason::FlowControlError,
        ),
        ("WINDOW_UPDATE on an idle stream", vec![frame(WINDOW_UPDATE, 0, 1, &[0, 0, 0, 1])], Reason::ProtocolError),
    ];
    for (reason, frames, expected) in rows {
        let mut server = Server::new();
        let (last, before) = frames.split_last().unwrap();
        assert_eq!(server.feed(&before.concat()), Ok(()), "{reason}");
        assert_eq!(server.feed(last), Err(expected), "{reason}");
    }
    for (reason, bytes) in [
        ("another preface", b"PRI * HTTP/1.1\r\n\r\nSM\r\n\r\n".to_vec()),
        ("no SETTINGS", [PREFACE.to_vec(), frame(PING, 0, 0, &[0; 8])].concat()),
        ("an acknowledgement first", [PREFACE.to_vec(), frame(SETTINGS, ACK, 0, &[])].concat()),
    ] {
        assert_eq!(Server::silent().feed(&bytes), Err(Reason::ProtocolError), "{reason}");
    }
}

#[test]
fn what_breaks_a_stream_leaves_the_others_alone() {
    let over_window = |stream| {
        let mut bytes = Vec::new();
        for _ in 0..4 {
            bytes.extend(frame(DATA, 0, stream, &[0; 16_384]));
        }
        bytes
    };
    let bad_head = [field(":method", "GET"), field("x", "y"), field(":path", "/")].concat();
    let length = field("content-length", "3");
    let rows: Vec<(&str, Vec<u8>, Reason)> = vec![
        ("a malformed head", frame(HEADERS, END_HEADERS | END_STREAM, 1, &bad_head), Reason::ProtocolError),
        ("too much DATA", [post(1, "/", &length), frame(DATA, 0, 1, b"four")].concat(), Reason::ProtocolError),
        ("too little DATA", [post(1, "/", &length), frame(DATA, END_STREAM, 1, b"no")].concat(), Reason::ProtocolError),
        (
            "no DATA at all",
            frame(HEADERS, END_HEADERS | END_STREAM, 1, &[head("POST", "/"), length.clone()].concat()),
            Reason::ProtocolError,
        ),
        (
            "trailers that end too early",
            [post(1, "/", &length), frame(HEADERS, END_HEADERS | END_STREAM, 1, &field("x", "y"))].concat(),
            Reason::ProtocolError,
        ),
        ("trailers that do not end", [post(1, "/", &[]), post(1, "/", &[])].concat(), Reason::ProtocolError),
        (
            "a pseudo-header field in trailers",
            [post(1, "/", &[]), frame(HEADERS, END_HEADERS | END_STREAM, 1, &head("GET", "/"))].concat(),
            Reason::ProtocolError,
        ),
        ("DATA after the end", [get(1, "/later"), frame(DATA, 0, 1, b"x")].concat(), Reason::StreamClosed),
        ("DATA after the answer", [get(1, "/a"), frame(DATA, 0, 1, b"x")].concat(), Reason::StreamClosed),
        ("HEADERS after the end", [get(1, "/later"), get(1, "/later")].concat(), Reason::StreamClosed),
        (
            "a window opened by nothing",
            [post(1, "/", &[]), frame(WINDOW_UPDATE, 0, 1, &[0; 4])].concat(),
            Reason::ProtocolError,
        ),
        (
            "a window that overflows",
            [post(1, "/", &[]), frame(WINDOW_UPDATE, 0, 1, &0x7fff_ffffu32.to_be_bytes())].concat(),
            Reason::FlowControlError,
        ),
        (
            "PRIORITY of another size",
            [post(1, "/", &[]), frame(PRIORITY, 0, 1, &[0; 6])].concat(),
            Reason::FrameSizeError,
        ),
    ];
    for (reason, bytes, expected) in rows {
        let mut server = Server::new();
        server.feed(&bytes).unwrap_or_else(|fault| panic!("{reason}: {fault:?}"));
        let reset = Frame { kind: RST_STREAM, flags: 0, stream: 1, payload: (expected as u32).to_be_bytes().to_vec() };
        let frames = server.frames();
        assert!(frames.contains(&reset), "{reason}: {frames:?}");
        assert_eq!(server.engine.resets, 1, "{reason}: a reset that was provoked is counted");
        server.feed(&get(3, "/other")).unwrap();
        assert_eq!(server.reply(3).0, "200", "{reason}");
        assert!(!server.engine.has_streams(), "{reason}");
    }
    // 65,535 bytes are the window, and a body may have 64 KiB: the window ends it first only when nothing is given back.
    let mut server = Server::new();
    server.feed(&[post(1, "/", &[]), over_window(1), frame(DATA, 0, 1, b"x")].concat()).unwrap();
    assert_eq!(server.reply(1).0, "413");
}

#[test]
fn late_frames_of_a_stream_that_we_reset_are_passed_over() {
    let mut server = Server::new();
    server.feed(&post(3, "/a", &[])).unwrap();
    server.feed(&frame(WINDOW_UPDATE, 0, 3, &[0; 4])).unwrap();
    server.frames();
    let late = [
        frame(DATA, END_STREAM, 3, b"late"),
        frame(HEADERS, END_HEADERS | END_STREAM, 3, &field("x", "y")),
        frame(WINDOW_UPDATE, 0, 3, &[0, 0, 0, 1]),
    ];
    server.feed(&late.concat()).unwrap();
    assert_eq!(server.frames(), [], "no word about them");
    assert_eq!((server.engine.resets, server.app.asked.len()), (1, 0));
}

#[test]
fn frames_of_a_stream_that_the_peer_reset_are_an_error() {
    let reset = [post(1, "/later", &[]), frame(RST_STREAM, 0, 1, &[0, 0, 0, 8])].concat();
    let mut server = Server::new();
    server.feed(&[reset.clone(), frame(DATA, END_STREAM, 1, b"x")].concat()).unwrap();
    let frames = server.frames();
    assert_eq!((frames[0].kind, frames[0].payload[3]), (RST_STREAM, Reason::StreamClosed as u8), "{frames:?}");
    let mut server = Server::new();
    server.feed(&reset).unwrap();
    assert_eq!(server.feed(&frame(HEADERS, END_HEADERS | END_STREAM, 1, &[])), Err(Reason::StreamClosed));
}

#[test]
fn streams_beyond_the_bound_are_refused_and_may_come_again() {
    let mut server = Server::new();
    let mut bytes = Vec::new();
    for stream in [1, 3, 5, 7, 9] {
        bytes.extend(get(stream, "/later"));
    }
    server.feed(&bytes).unwrap();
    let refused = Frame { kind: RST_STREAM, flags: 0, stream: 9, payload: vec![0, 0, 0, Reason::RefusedStream as u8] };
    assert_eq!(server.frames(), [refused]);
    server.engine.answer(3, Reply::empty(StatusCode::NO_CONTENT), &mut server.out);
    server.engine.answer(3, Reply::empty(StatusCode::NO_CONTENT), &mut server.out);
    assert_eq!(server.reply(3).0, "204");
    server.feed(&get(11, "/a")).unwrap();
    assert_eq!(server.reply(11).0, "200");
    assert!(server.engine.is_waiting(1) && !server.engine.is_waiting(3));
}

#[test]
fn a_peer_that_does_not_know_the_bounds_is_not_blamed_for_going_beyond() {
    let crowd: Vec<u8> = (0..9).flat_map(|n| get(n * 2 + 1, "/later")).collect();
    let mut server = Server::new();
    server.feed(&crowd).unwrap();
    assert_eq!((server.frames().len(), server.engine.resets), (5, 0));
    let mut server = Server::new();
    server.feed(&[frame(SETTINGS, ACK, 0, &[]), crowd].concat()).unwrap();
    assert_eq!((server.frames().len(), server.engine.resets), (5, 5));
}

#[test]
fn the_heads_of_open_streams_are_bounded_together() {
    let mut out = Vec::new();
    let mut engine = Engine::new(Bounds { streams_max: 1000, header_list_bytes_max: 30_000 }, &mut out);
    let mut app = Echo::default();
    engine.receive(&[PREFACE.to_vec(), frame(SETTINGS, 0, 0, &[])].concat(), &mut app, &mut out).unwrap();
    out.clear();
    for n in 0..1000 {
        let many: Vec<u8> = (0..800).flat_map(|_| field("x", "")).collect();
        engine.receive(&post(n * 2 + 1, "/a", &many), &mut app, &mut out).unwrap();
    }
    let refused = out.len() / 13;
    assert!((1000 - refused) * 26_400 <= HEADS_BYTES_MAX + 30_000, "{refused} refused");
    assert!(refused < 1000);
}

#[test]
fn a_peer_that_waits_for_100_is_told_to_go_on() {
    let mut server = Server::new();
    server.feed(&post(1, "/a", &field("expect", "100-continue"))).unwrap();
    let frames = server.frames();
    assert_eq!((frames.len(), frames[0].kind, frames[0].flags), (1, HEADERS, END_HEADERS));
    assert_eq!(frames[0].payload, [0x20, 0x08, 3, b'1', b'0', b'0']);
    server.feed(&frame(DATA, END_STREAM, 1, b"body")).unwrap();
    assert_eq!(server.reply(1), ("200".to_owned(), b"body".to_vec()));
    server
        .feed(&frame(
            HEADERS,
            END_HEADERS | END_STREAM,
            3,
            &[head("POST", "/a"), field("expect", "100-continue")].concat(),
        ))
        .unwrap();
    assert_eq!(server.reply(3).0, "200", "there is nothing to wait for");
}

#[test]
fn a_reply_to_head_has_no_body() {
    let mut server = Server::new();
    server.feed(&frame(HEADERS, END_HEADERS | END_STREAM, 1, &head("HEAD", "/large?100"))).unwrap();
    let frames = server.frames();
    assert_eq!((frames.len(), frames[0].flags), (1, END_HEADERS | END_STREAM));
}

#[test]
fn an_answer_that_nobody_awaits_is_known() {
    let mut server = Server::new();
    server.feed(&[get(1, "/later"), get(3, "/later")].concat()).unwrap();
    assert!(!server.engine.has_lost_waiting);
    server.feed(&frame(RST_STREAM, 0, 3, &[0, 0, 0, 8])).unwrap();
    assert!(server.engine.has_lost_waiting && server.engine.is_waiting(1) && !server.engine.is_waiting(3));
}

#[test]
fn a_head_that_is_too_large_is_answered_431() {
    let mut server = Server::new();
    let many: Vec<u8> = (0..60).flat_map(|n| field(&format!("h{n}"), "")).collect();
    server.feed(&frame(HEADERS, END_HEADERS | END_STREAM, 1, &[head("GET", "/"), many].concat())).unwrap();
    assert_eq!(server.reply(1).0, "431");
    // An entry of 1000 bytes, kept, then named again and again.
    let bomb = [&[0x40, 1, b'x', 0x7f, 0xe9, 0x06][..], &[b'b'; 1000], &[0xbe; 500]].concat();
    server.feed(&frame(HEADERS, END_HEADERS, 3, &[head("POST", "/"), bomb].concat())).unwrap();
    let frames = server.frames();
    assert_eq!((frames[0].kind, frames[0].flags), (HEADERS, END_HEADERS | END_STREAM));
    assert_eq!((frames[1].kind, frames[1].payload[3]), (RST_STREAM, 0), "the rest is not wanted: {frames:?}");
    assert!(server.app.asked.is_empty());
}

#[test]
fn replies_wait_for_the_windows_of_stream_and_connection() {
    let mut server = Server::new();
    let window =
        |size: u32| frame(SETTINGS, 0, 0, &[&INITIAL_WINDOW_SIZE.to_be_bytes()[..], &size.to_be_bytes()].concat());
    let open = |stream, size: u32| frame(WINDOW_UPDATE, 0, stream, &size.to_be_bytes());
    server.feed(&[window(10), get(1, "/large?100"), get(3, "/large?0")].concat()).unwrap();
    let (status, body) = server.reply(1);
    assert_eq!((status.as_str(), body.len()), ("200", 10));
    assert!(server.engine.has_streams() && !server.engine.can_resume());
    server.feed(&open(1, 5)).unwrap();
    assert_eq!(server.reply(1).1.len(), 5);
    server.feed(&window(20)).unwrap();
    assert_eq!(server.reply(1).1.len(), 10, "SETTINGS move the window of open streams");
    server.feed(&window(0)).unwrap();
    server.feed(&open(1, 1)).unwrap();
    assert_eq!(server.reply(1).1.len(), 0, "a window may be less than nothing");
    server.feed(&open(1, 1000)).unwrap();
    let frames = server.frames();
    assert_eq!(frames.last().map(|frame| (frame.kind, frame.flags, frame.payload.len())), Some((DATA, END_STREAM, 75)));
    assert!(!server.engine.has_streams());
    // The connection's: 65,535 less what has left.
    server.feed(&[window(1 << 20), get(5, "/large?100000")].concat()).unwrap();
    assert_eq!(server.reply(5).1.len(), 65_435);
    server.feed(&open(0, 1 << 20)).unwrap();
    assert_eq!(server.reply(5).1.len(), 100_000 - 65_435);
}

#[test]
fn a_reply_is_overdue_however_much_of_it_has_moved() {
    let mut server = Server::new();
    server
        .feed(&[frame(SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 0]), get(1, "/large?100"), get(3, "/later")].concat())
        .unwrap();
    for (second, expected) in [(0, false), (4, false), (5, true)] {
        server.engine.now_s = second;
        server.feed(&frame(WINDOW_UPDATE, 0, 1, &[0, 0, 0, 1])).unwrap();
        assert_eq!(server.engine.is_reply_overdue(5), expected, "{second}");
    }
    server.feed(&frame(RST_STREAM, 0, 1, &[0, 0, 0, 8])).unwrap();
    assert!(!server.engine.is_reply_overdue(5), "one that the backend still has is not late");
}

#[test]
fn what_is_written_at_once_is_bounded() {
    let mut server = Server::new();
    server.feed(&frame(SETTINGS, 0, 0, &[0, 4, 0x7f, 0xff, 0xff, 0xff])).unwrap();
    server.feed(&frame(WINDOW_UPDATE, 0, 0, &0x7000_0000u32.to_be_bytes())).unwrap();
    server.frames();
    let requests: Vec<u8> = (0..200).flat_map(|n| get(n * 2 + 1, "/large?60000")).collect();
    let mut left = &requests[..];
    while !left.is_empty() {
        let taken = server.engine.receive(left, &mut server.app, &mut server.out).unwrap();
        left = &left[taken..];
        assert!(server.out.len() <= OUT_BYTES + 16_384 + 100, "{}", server.out.len());
        server.out.clear();
        while server.engine.can_resume() {
            server.engine.resume(&mut server.out);
            server.out.clear();
        }
    }
    assert_eq!(server.app.asked.len(), 200);
}

#[test]
fn windows_are_opened_for_bodies_and_not_for_hoarders() {
    let mut server = Server::new();
    let mut given = 0u64;
    for turn in 0..100 {
        let stream = turn * 2 + 1;
        server.feed(&[post(stream, "/a", &[]), frame(DATA, END_STREAM, stream, &[0; 10_000])].concat()).unwrap();
        for frame in server.frames().iter().filter(|frame| frame.kind == WINDOW_UPDATE && frame.stream == 0) {
            given += u64::from(u32::from_be_bytes(frame.payload[..4].try_into().unwrap()));
        }
    }
    assert!(given > 1_000_000 - u64::from(CONNECTION_WINDOW_BYTES), "{given}");
    // Bodies that never end: the window closes in the end. (Here with as many streams as it takes.)
    let mut out = Vec::new();
    let mut engine = Engine::new(Bounds { streams_max: 1000, ..BOUNDS }, &mut out);
    let mut app = Echo::default();
    engine.receive(&[PREFACE.to_vec(), frame(SETTINGS, 0, 0, &[])].concat(), &mut app, &mut out).unwrap();
    let mut kept = 0;
    let broken = (0..1000).find_map(|turn| {
        let bytes = [post(turn * 2 + 1, "/a", &[]), frame(DATA, 0, turn * 2 + 1, &[0; 16_000])].concat();
        kept += 16_000;
        out.clear();
        engine.receive(&bytes, &mut app, &mut out).err()
    });
    assert_eq!(broken, Some(Reason::FlowControlError));
    assert!(kept <= BUFFERED_BYTES_MAX + 2 * CONNECTION_WINDOW_BYTES as usize, "{kept}");
}

#[test]
fn bodies_that_do_not_end_expire_and_give_their_memory_back() {
    let mut server = Server::new();
    server.feed(&[post(1, "/a", &[]), frame(DATA, 0, 1, &[0; 1000]), get(3, "/later")].concat()).unwrap();
    server.engine.now_s = 9;
    assert_eq!(server.engine.expire(10, &mut server.out), 0);
    server.engine.now_s = 10;
    assert_eq!(server.engine.expire(10, &mut server.out), 1);
    assert_eq!(server.reply(1).0, "408");
    assert!(server.engine.is_waiting(3), "what the backend has is not a slow body");
}

#[test]
fn leaving_is_said_twice_and_requests_on_their_way_are_answered() {
    let mut server = Server::new();
    server.feed(&get(1, "/later")).unwrap();
    server.engine.leave(&mut server.out);
    server.engine.leave(&mut server.out);
    let frames = server.frames();
    assert_eq!(frames.iter().map(|frame| frame.kind).collect::<Vec<_>>(), [GOAWAY, PING]);
    assert_eq!(frames[0].payload, [0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0]);
    server.feed(&get(3, "/on-its-way")).unwrap();
    assert_eq!(server.reply(3).0, "200");
    server.feed(&frame(PING, ACK, 0, &frames[1].payload)).unwrap();
    let last = server.frames();
    assert_eq!((last[0].kind, &last[0].payload[..4]), (GOAWAY, &[0, 0, 0, 3][..]));
    server.feed(&[get(5, "/too-late"), frame(DATA, 0, 5, b"x")].concat()).unwrap();
    assert_eq!(server.frames(), [], "nothing is said about what comes after");
    assert!(!server.engine.is_over());
    server.engine.answer(1, Reply::empty(StatusCode::OK), &mut server.out);
    assert!(server.engine.is_over());
    let mut server = Server::new();
    server.feed(&frame(GOAWAY, 0, 0, &[0; 8])).unwrap();
    assert!(server.engine.is_over(), "the peer leaves");
}

#[test]
fn what_is_half_there_is_known() {
    for (reason, bytes, expected) in [
        ("nothing", vec![], false),
        ("a whole frame", get(1, "/a"), false),
        ("half a frame's header", get(1, "/a")[..5].to_vec(), true),
        ("a frame's header", get(1, "/a")[..9].to_vec(), true),
        ("a block without its end", frame(HEADERS, 0, 1, &[]), true),
        (
            "a block that ended",
            [frame(HEADERS, 0, 1, &head("GET", "/")), frame(CONTINUATION, 4, 1, &[])].concat(),
            false,
        ),
    ] {
        let mut server = Server::new();
        server.feed(&bytes).unwrap();
        assert_eq!(server.engine.is_incomplete(), expected, "{reason}");
    }
}

/// Frames of random kinds, lengths and contents: whatever they are, nothing panics and nothing grows.
#[test]
fn random_frames_do_no_harm() {
    let mut seed = 0x9e37_79b9_7f4a_7c15u64;
    let mut random = move || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed
    };
    for _ in 0..2000 {
        let mut server = Server::new();
        for _ in 0..50 {
            let stream = (random() % 12) as u32;
            let mut payload = match random() % 3 {
                0 => head("POST", ["/a", "/later", "/large?70000"][(random() % 3) as usize]),
                1 => (random() % 0x10000).to_be_bytes()[4..].to_vec(),
                _ => (0..random() % 40).map(|_| random() as u8).collect(),
            };
            if random() % 4 == 0 {
                payload.insert(0, (random() % 8) as u8);
            }
            let bytes = frame((random() % 11) as u8, random() as u8, stream, &payload);
            let cut = random() as usize % bytes.len();
            if server.feed(&bytes[..cut]).and_then(|()| server.feed(&bytes[cut..])).is_err() {
                break;
            }
            server.engine.answer(stream, Reply::empty(StatusCode::OK), &mut server.out);
            server.frames();
        }
    }
}
