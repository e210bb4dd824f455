//! Frames that break RFC 9113 outright: each ends its connection with the error that the RFC names, or one like it.

use super::{Honest, assert_alone, one_shard};
use crate::support::raw::{
    ACK, CONTINUATION, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, PADDED, PING, PUSH_PROMISE, RST_STREAM, Raw,
    SETTINGS, WINDOW_UPDATE, frame, head,
};
use crate::support::site::Site;

const FLOW_CONTROL_ERROR: u32 = 3;

#[tokio::test]
async fn frames_that_no_peer_may_send_end_the_connection() {
    let site = Site::new().await;
    let server = site.serve_with(one_shard(&site)).await;
    let honest = Honest::begin(&server).await;
    let get = head("GET", "/health/live");
    let setting = |id: u16, value: u32| frame(SETTINGS, 0, 0, &[&id.to_be_bytes()[..], &value.to_be_bytes()].concat());
    let open = frame(HEADERS, END_HEADERS, 1, &head("POST", "/oauth/token"));
    let unfinished = frame(HEADERS, END_STREAM, 1, &get);
    let after = |first: &[u8], second: Vec<u8>| [first, &second].concat();
    for (reason, bytes) in [
        ("DATA for the connection", frame(DATA, 0, 0, b"x")),
        ("DATA for a stream that never was", frame(DATA, 0, 1, b"x")),
        ("DATA of more padding than frame", after(&open, frame(DATA, PADDED, 1, &[200, 0]))),
        ("DATA that is padded and empty", after(&open, frame(DATA, PADDED, 1, &[]))),
        ("HEADERS for the connection", frame(HEADERS, END_HEADERS, 0, &get)),
        ("HEADERS on a stream of the server's", frame(HEADERS, END_HEADERS | END_STREAM, 2, &get)),
        (
            "HEADERS on a stream passed over",
            after(
                &frame(HEADERS, END_HEADERS | END_STREAM, 5, &get),
                frame(HEADERS, END_HEADERS | END_STREAM, 3, &get),
            ),
        ),
        ("HEADERS of more padding than frame", frame(HEADERS, END_HEADERS | END_STREAM | PADDED, 1, &[200, 0x82])),
        ("CONTINUATION of nothing", frame(CONTINUATION, END_HEADERS, 1, &get)),
        ("CONTINUATION of another stream", after(&unfinished, frame(CONTINUATION, END_HEADERS, 3, &[]))),
        ("PING inside of a header", after(&unfinished, frame(PING, 0, 0, &[0; 8]))),
        ("another header inside of a header", after(&unfinished, frame(HEADERS, END_HEADERS, 3, &get))),
        ("an unknown frame inside of a header", after(&unfinished, frame(0xfa, 0, 0, &[]))),
        ("RST_STREAM for the connection", frame(RST_STREAM, 0, 0, &[0; 4])),
        ("RST_STREAM for a stream that never was", frame(RST_STREAM, 0, 1, &[0; 4])),
        ("RST_STREAM cut short", after(&open, frame(RST_STREAM, 0, 1, &[0; 3]))),
        ("SETTINGS for a stream", frame(SETTINGS, 0, 1, &[])),
        ("SETTINGS cut short", frame(SETTINGS, 0, 0, &[0; 5])),
        ("SETTINGS acknowledged with a payload", frame(SETTINGS, ACK, 0, &[0; 6])),
        ("a window of more than 31 bits", setting(4, 0x8000_0000)),
        ("frames smaller than the least", setting(5, 16_383)),
        ("frames larger than the most", setting(5, 0x0100_0000)),
        ("push neither on nor off", setting(2, 2)),
        ("PUSH_PROMISE from a client", after(&open, frame(PUSH_PROMISE, END_HEADERS, 1, &[0, 0, 0, 2, 0x82]))),
        ("PING cut short", frame(PING, 0, 0, &[0; 7])),
        ("PING for a stream", frame(PING, 0, 1, &[0; 8])),
        ("GOAWAY for a stream", frame(GOAWAY, 0, 1, &[0; 8])),
        ("WINDOW_UPDATE cut short", frame(WINDOW_UPDATE, 0, 0, &[0; 3])),
        ("WINDOW_UPDATE of nothing", frame(WINDOW_UPDATE, 0, 0, &[0; 4])),
        ("WINDOW_UPDATE for a stream that never was", frame(WINDOW_UPDATE, 0, 1, &1u32.to_be_bytes())),
        ("a frame larger than was allowed", frame(DATA, 0, 1, &vec![0; 16_385])),
        ("a header of HTTP/1.1", b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n".to_vec()),
    ] {
        let mut raw = Raw::open(&server, &[]).await;
        raw.send(&bytes).await;
        let code = raw.read_to_end().await;
        assert!(code.is_some_and(|code| code != 0), "{reason}: GOAWAY {code:?}");
        honest.is_served().await;
    }
    let mut raw = Raw::open(&server, &[]).await;
    raw.send(&frame(WINDOW_UPDATE, 0, 0, &0x7fff_ffffu32.to_be_bytes())).await;
    assert_eq!(raw.read_to_end().await, Some(FLOW_CONTROL_ERROR), "a connection's window that overflows");
    assert_alone(&server).await;
}

/// What a peer sends beyond the windows it was given is not kept.
#[tokio::test]
async fn data_beyond_the_windows_ends_the_stream_or_the_connection() {
    let site = Site::new().await;
    let server = site.serve_with(one_shard(&site)).await;
    let honest = Honest::begin(&server).await;
    let memory = super::Memory::watch(&server);
    let chunk = |stream: u32| frame(DATA, 0, stream, &[b'a'; 16_384]);
    for (reason, streams) in [("one stream", 1), ("many streams", 100)] {
        let open = |turn: usize| frame(HEADERS, END_HEADERS, super::stream(turn), &head("POST", "/oauth/token"));
        let opened: Vec<u8> = (0..streams).flat_map(open).collect();
        let flood = |turn: usize| if turn == 0 { opened.clone() } else { chunk(super::stream(turn % streams)) };
        let (was_ended, code) = Raw::open(&server, &[]).await.flood(2_000, flood).await;
        assert!(was_ended, "{reason}: {code:?}");
        honest.is_served().await;
    }
    memory.assert_grew_at_most(16 * super::MIB);
    assert_alone(&server).await;
}

/// Numbers that are the same in every run (xorshift64).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % sides as u64).unwrap()
    }

    /// A frame that is often nearly right: known kinds, few streams, good header blocks, small payloads.
    fn frame(&mut self, blocks: &[Vec<u8>]) -> Vec<u8> {
        let kind = self.roll(12) as u8;
        let flags = [0, 1, 4, 5, 8, 0x20, 0x25, 0xff][self.roll(8)];
        let stream = [0, 1, 1, 3, 3, 5, 7, 9, 2, 0x7fff_ffff][self.roll(10)];
        let mut payload = match self.roll(4) {
            0 => blocks[self.roll(blocks.len())].clone(),
            1 => (0..self.roll(9)).map(|_| self.roll(256) as u8).collect(),
            2 => (0..self.roll(200)).map(|_| self.roll(256) as u8).collect(),
            _ => vec![self.roll(3) as u8; [0, 4, 5, 6, 8, 12][self.roll(6)]],
        };
        if self.roll(4) == 0 && !payload.is_empty() {
            let at = self.roll(payload.len());
            payload[at] ^= 1 << self.roll(8);
        }
        let mut bytes = frame(kind, flags, stream, &payload);
        if self.roll(20) == 0 {
            let at = self.roll(bytes.len());
            bytes.truncate(at);
        }
        bytes
    }
}

/// What nobody thought of: frames by the dice, a few good ones among them.
#[tokio::test]
async fn frames_at_random_disturb_nobody() {
    let site = Site::new().await;
    let server = site.serve_with(one_shard(&site)).await;
    let honest = Honest::begin(&server).await;
    let memory = super::Memory::watch(&server);
    let post = [&head("POST", "/oauth/token")[..], &super::credentials()].concat();
    let blocks = [head("GET", "/health/live"), post, vec![0x82, 0x86, 0x84], super::BODY.as_bytes().to_vec()];
    for seed in 1..=300 {
        let mut dice = Dice(u64::wrapping_mul(seed, 0x9e37_79b9_7f4a_7c15));
        let mut raw = Raw::open(&server, &[]).await;
        // A good request first, so that there is a stream to be wrong about.
        let good = frame(HEADERS, END_HEADERS, 1, &blocks[1]);
        let frames: Vec<u8> = (0..40).flat_map(|_| dice.frame(&blocks)).collect();
        raw.send(&[good, frames].concat()).await;
        if seed % 50 == 0 {
            honest.is_served().await;
        }
    }
    memory.assert_grew_at_most(16 * super::MIB);
    assert_alone(&server).await;
}
