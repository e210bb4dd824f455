//! HTTP/2 from a peer: whatever comes, and however it is cut, the engine does the same, writes whole frames only, and
//! holds no more than its bounds.

#![no_main]

use std::rc::Rc;

use bytes::Bytes;
use http::StatusCode;
use libfuzzer_sys::fuzz_target;
use sigid_io::h2::engine::{Answer, Application, Bounds, Engine, OUT_BYTES};
use sigid_io::h2::head::Head;
use sigid_io::http::{BODY_BYTES_MAX, Reply};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
const FRAME_BYTES_MAX: usize = 16_384 + 9;

#[derive(Default)]
struct Asked(Vec<(u32, String, usize)>);

impl Application for Asked {
    fn request(&mut self, stream: u32, head: &Rc<Head>, body: &[u8]) -> Answer {
        assert!(stream % 2 == 1 && body.len() <= BODY_BYTES_MAX);
        let path = head.path();
        assert!(path.starts_with('/') || path == "*" || path.is_empty(), "{path}");
        assert!(path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'?' && byte != b'#'), "{path}");
        self.0.push((stream, format!("{} {path} {:?} {:?}", head.method, head.query(), head.authority()), body.len()));
        match self.0.len() % 3 {
            0 => Answer::Later,
            1 => Answer::Now(Reply::no_store_json(StatusCode::OK, Bytes::copy_from_slice(body))),
            _ => Answer::Now(Reply::no_store_json(StatusCode::OK, vec![b'x'; 70_000])),
        }
    }
}

fuzz_target!(|bytes: &[u8]| {
    let Some((cut, bytes)) = bytes.split_first() else { return };
    let script = [PREFACE, bytes].concat();
    let whole = serve(&script, usize::MAX);
    assert_eq!(serve(&script, usize::from(*cut).max(1)), whole, "cut at {cut}");
});

/// What was asked, what was written, and how it ended.
fn serve(script: &[u8], at_a_time: usize) -> (Vec<(u32, String, usize)>, Vec<u8>, bool) {
    let (mut out, mut sent) = (Vec::new(), Vec::new());
    let mut engine = Engine::new(Bounds { streams_max: 8, header_list_bytes_max: 4096 }, &mut out);
    let mut asked = Asked::default();
    for mut chunk in script.chunks(at_a_time) {
        while !chunk.is_empty() {
            match engine.receive(chunk, &mut asked, &mut out) {
                Ok(taken) => chunk = &chunk[taken..],
                Err(reason) => {
                    engine.abort(reason, &mut out);
                    sent.append(&mut out);
                    assert_frames(&sent);
                    return (asked.0, sent, true);
                }
            }
            assert!(out.len() <= OUT_BYTES + 3 * FRAME_BYTES_MAX, "{} bytes at once", out.len());
            sent.append(&mut out);
            while engine.can_resume() {
                engine.resume(&mut out);
                assert!(out.len() <= OUT_BYTES + FRAME_BYTES_MAX);
                sent.append(&mut out);
            }
        }
    }
    for (stream, ..) in &asked.0 {
        engine.answer(*stream, Reply::empty(StatusCode::OK), &mut out);
    }
    engine.leave(&mut out);
    sent.append(&mut out);
    assert_frames(&sent);
    (asked.0, sent, false)
}

fn assert_frames(mut bytes: &[u8]) {
    while let Some((header, rest)) = bytes.split_first_chunk::<9>() {
        let length = u32::from_be_bytes([0, header[0], header[1], header[2]]) as usize;
        assert!(length < FRAME_BYTES_MAX && header[3] <= 8, "{header:?}");
        bytes = &rest[length..];
    }
    assert!(bytes.is_empty());
}
