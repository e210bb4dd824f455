//! Peers that always say a little more: a byte of a handshake, a header, a body, a window at a time. A deadline counts
//! from the beginning, not from the last byte. The pace is that of an honest client's answers.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::{Honest, assert_alone, credentials, one_shard, stream};
use crate::support::raw::{
    CONTINUATION, DATA, END_HEADERS, END_STREAM, Fate, HEADERS, PING, Raw, WINDOW_UPDATE, field, frame, head,
};
use crate::support::server::Server;
use crate::support::site::Site;
use crate::support::wait::within;

async fn impatient(site: &Site) -> Server {
    let settings = one_shard(site)
        .set("server.handshake_timeout_secs", 1)
        .set("server.body_timeout_secs", 1)
        .set("server.reply_timeout_secs", 1);
    site.serve_with(settings).await
}

/// Sends a little after each honest answer until the connection ends, or a request on it.
async fn trickle(raw: &mut Raw, honest: &Honest, little: &[u8], is_end: impl Fn(u8, u32) -> bool) {
    loop {
        tokio::select! {
            biased;
            frame = raw.read() => match frame {
                Some(frame) if !is_end(frame.kind, frame.stream) => {}
                _ => return,
            },
            () = honest.is_served() => {
                if !raw.send(little).await {
                    return;
                }
            }
        }
    }
}

#[tokio::test]
async fn requests_that_trickle_in_are_ended() {
    let site = Site::new().await;
    let server = impatient(&site).await;
    let honest = Honest::begin(&server).await;
    let length = field("content-length", "60000");
    let post = [&head("POST", "/oauth/token")[..], &credentials(), &length].concat();
    for (reason, begin, little) in [
        ("a body by the byte", frame(HEADERS, END_HEADERS, 1, &post), frame(DATA, 0, 1, b"a")),
        ("a body by nothing", frame(HEADERS, END_HEADERS, 1, &post), frame(DATA, 0, 1, b"")),
        ("a body that never begins, and PING", frame(HEADERS, END_HEADERS, 1, &post), frame(PING, 0, 0, &[7; 8])),
        (
            "a header by the field",
            frame(HEADERS, END_STREAM, 1, &head("GET", "/health/live")),
            frame(CONTINUATION, 0, 1, &field("a", "b")),
        ),
        (
            "a header by nothing",
            frame(HEADERS, END_STREAM, 1, &head("GET", "/health/live")),
            frame(CONTINUATION, 0, 1, &[]),
        ),
        ("a frame by the byte", frame(DATA, 0, 0, &[0; 16_000])[..9].to_vec(), vec![0]),
        ("an unknown frame by the byte", frame(0xfa, 0, 0, &[0; 16_000])[..9].to_vec(), vec![0]),
    ] {
        let mut raw = Raw::open(&server, &[]).await;
        raw.send(&begin).await;
        // The answer of a body's deadline ends the request; everything else the connection.
        let ends = trickle(&mut raw, &honest, &little, |kind, stream| kind == HEADERS && stream == 1);
        within(reason, ends).await;
    }
    assert_alone(&server).await;
}

/// One reply moves on by a byte, the others wait: they wait no longer for it.
#[tokio::test]
async fn replies_that_trickle_out_are_ended() {
    let site = Site::new().await;
    let server = impatient(&site).await;
    let honest = Honest::begin(&server).await;
    let get = |turn: usize| {
        frame(HEADERS, END_HEADERS | END_STREAM, stream(turn), &head("GET", "/.well-known/openid-configuration"))
    };
    let sent: Vec<u8> = (0..50).flat_map(get).collect();
    for (reason, little) in [
        ("a window opened by the byte", frame(WINDOW_UPDATE, 0, 1, &1u32.to_be_bytes())),
        ("the connection's window alone", frame(WINDOW_UPDATE, 0, 0, &1u32.to_be_bytes())),
        ("PING all along", frame(PING, 0, 0, &[7; 8])),
    ] {
        let mut raw = Raw::open(&server, &[(4, 0)]).await;
        raw.send(&sent).await;
        within(reason, trickle(&mut raw, &honest, &little, |_, _| false)).await;
    }
    assert_alone(&server).await;
}

#[tokio::test]
async fn handshakes_that_trickle_in_are_ended() {
    let site = Site::new().await;
    let server = impatient(&site).await;
    let honest = Honest::begin(&server).await;
    // TLS: a record of a handshake, by the byte.
    let mut socket = TcpStream::connect(server.address).await.unwrap();
    socket.write_all(&[22, 3, 1, 0x3f, 0xff, 1, 0, 0x3f, 0xf0]).await.unwrap();
    let mut got = [0; 64];
    let trickles = async {
        loop {
            tokio::select! {
                biased;
                _ = socket.read(&mut got) => return,
                () = honest.is_served() => {}
            }
            if socket.write_all(&[0]).await.is_err() {
                return;
            }
        }
    };
    within("a handshake by the byte", trickles).await;
    // HTTP/2: a preface that stops short, and one that nothing follows but half a frame by the byte.
    for (reason, begin, little) in [
        ("half a preface", &b"PRI * HTTP/2.0\r\n\r\nS"[..], &b""[..]),
        ("SETTINGS by the byte", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\x3f\xc0\x04\0\0\0\0\0", b"\0"),
    ] {
        let mut raw = Raw::silent(&server).await;
        raw.send(begin).await;
        within(reason, trickle(&mut raw, &honest, little, |_, _| false)).await;
    }
    assert_alone(&server).await;
}

/// The other side of it: a request that merely comes in small pieces is the same request.
#[tokio::test]
async fn a_request_in_single_bytes_is_the_same_request() {
    let site = Site::new().await;
    let server = site.serve_with(one_shard(&site)).await;
    let mut raw = Raw::open(&server, &[]).await;
    for byte in super::token_request(1, "/oauth/token", &[]) {
        assert!(raw.send(&[byte]).await);
    }
    assert_eq!(raw.fate(1).await, Fate::Answered(200));
}
