//! Cheap to send, dear to take: more of anything than a request needs ends the connection. What a simpler flood shows
//! stands in the listener's area; here are the ones that go through the state of streams and windows.

use super::{ENHANCE_YOUR_CALM, Honest, MIB, Memory, assert_alone, assert_serves, one_shard, stream, token_request};
use crate::support::raw::{
    ACK, DATA, END_HEADERS, END_STREAM, HEADERS, PADDED, PRIORITY, RST_STREAM, Raw, SETTINGS, WINDOW_UPDATE, field,
    frame, head,
};
use crate::support::site::Site;

type Flood<'a> = Box<dyn FnMut(usize) -> Vec<u8> + 'a>;

/// Bytes that one connection may send for nothing, and streams it may lose.
const UNPRODUCTIVE_BYTES: usize = 65_536;
const RESETS: usize = 20;

/// A name, how often it is sent, and what.
fn rows() -> Vec<(&'static str, usize, Flood<'static>)> {
    let setting = |id: u16, value: u32| frame(SETTINGS, 0, 0, &[&id.to_be_bytes()[..], &value.to_be_bytes()].concat());
    let open = |turn: usize| frame(HEADERS, END_HEADERS, stream(turn), &head("POST", "/oauth/token"));
    let get =
        |turn: usize| frame(HEADERS, END_HEADERS | END_STREAM, stream(turn), &head("GET", "/.well-known/jwks.json"));
    let update = |stream: u32, by: u32| frame(WINDOW_UPDATE, 0, stream, &by.to_be_bytes());
    let many = move || (0..100).flat_map(open).collect::<Vec<u8>>();
    vec![
        ("acknowledgements of SETTINGS", 20_000, Box::new(|_| frame(SETTINGS, ACK, 0, &[]))),
        (
            "SETTINGS that move the windows of a hundred streams",
            10_000,
            Box::new(move |turn| if turn == 0 { many() } else { setting(4, 1000 + (turn as u32 % 2)) }),
        ),
        ("SETTINGS that resize the header table", 10_000, Box::new(move |turn| setting(1, (turn as u32 % 2) * 4096))),
        (
            "a reply fetched byte by byte (CVE-2019-9511)",
            20_000,
            Box::new(move |turn| if turn == 0 { [setting(4, 0), get(0)].concat() } else { update(1, 1) }),
        ),
        (
            "PRIORITY between streams that never are (CVE-2019-9513)",
            20_000,
            Box::new(|turn| frame(PRIORITY, 0, stream(turn), &[0, 0, 0, 1 + (turn as u8 & 0xfe), 9])),
        ),
        (
            "resets of a stream that is long closed",
            20_000,
            Box::new(move |turn| if turn == 0 { get(0) } else { frame(RST_STREAM, 0, 1, &8u32.to_be_bytes()) }),
        ),
        (
            "DATA of nothing but padding",
            20_000,
            Box::new(
                move |turn| if turn == 0 { open(0) } else { frame(DATA, PADDED, 1, &[9, 0, 0, 0, 0, 0, 0, 0, 0, 0]) },
            ),
        ),
        (
            "MadeYouReset: a window that overflows (CVE-2025-55163)",
            2_000,
            Box::new(move |turn| [open(turn), update(stream(turn), 0x7fff_ffff)].concat()),
        ),
        (
            "MadeYouReset: PRIORITY cut short",
            2_000,
            Box::new(move |turn| [open(turn), frame(PRIORITY, 0, stream(turn), &[0, 0, 0, 0])].concat()),
        ),
        (
            "MadeYouReset: a stream that depends on itself",
            2_000,
            Box::new(move |turn| {
                let itself = [&stream(turn).to_be_bytes()[..], &[16]].concat();
                [open(turn), frame(PRIORITY, 0, stream(turn), &itself)].concat()
            }),
        ),
        ("MadeYouReset: a second header after the end", 2_000, Box::new(move |turn| [get(turn), get(turn)].concat())),
        (
            "MadeYouReset: requests without a path",
            2_000,
            Box::new(|turn| frame(HEADERS, END_HEADERS | END_STREAM, stream(turn), &field(":method", "GET"))),
        ),
        (
            "MadeYouReset: less body than was announced",
            2_000,
            Box::new(|turn| token_request(stream(turn), "/oauth/token", &field("content-length", "1000"))),
        ),
        (
            "MadeYouReset: fields of HTTP/1.1",
            2_000,
            Box::new(|turn| token_request(stream(turn), "/oauth/token", &field("transfer-encoding", "chunked"))),
        ),
    ]
}

#[tokio::test]
async fn floods_through_streams_and_windows_end_the_connection() {
    let site = Site::new().await;
    let settings =
        one_shard(&site).set("server.unproductive_bytes_max", UNPRODUCTIVE_BYTES).set("server.resets_max", RESETS);
    let server = site.serve_with(settings).await;
    let honest = Honest::begin(&server).await;
    let memory = Memory::watch(&server);
    for (reason, times, bytes) in rows() {
        let (was_ended, code) = Raw::open(&server, &[]).await.flood(times, bytes).await;
        assert!(was_ended, "{reason}: {times} were taken");
        assert!(code.is_none_or(|code| code != 0), "{reason}: GOAWAY {code:?}");
        honest.is_served().await;
    }
    memory.assert_grew_at_most(24 * MIB);
    assert_alone(&server).await;
}

/// At its ordinary limits the server lets go of a flood just as well, and many attackers are no more than one.
#[tokio::test]
async fn many_rapid_resets_at_once_are_each_ended() {
    let site = Site::new().await;
    let server = site.serve_with(one_shard(&site)).await;
    let honest = Honest::begin(&server).await;
    let memory = Memory::watch(&server);
    let mut attackers = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let raw = Raw::open(&server, &[]).await;
        let pair = |turn: usize| {
            let open = frame(HEADERS, END_HEADERS, stream(turn), &head("POST", "/oauth/token"));
            [open, frame(RST_STREAM, 0, stream(turn), &8u32.to_be_bytes())].concat()
        };
        attackers.spawn(raw.flood(5_000, pair));
    }
    honest.is_served().await;
    for (was_ended, code) in attackers.join_all().await {
        assert!(was_ended && code.is_none_or(|code| code == ENHANCE_YOUR_CALM), "GOAWAY {code:?}");
    }
    honest.is_served().await;
    memory.assert_grew_at_most(24 * MIB);
    assert_alone(&server).await;
    drop(honest);
    assert_serves(&server).await;
}
