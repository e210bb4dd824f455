//! Peers that cost more than they should: each is ended, and another connection never notices.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::ask::{Ask, token};
use crate::support::raw::{
    ACK, CONTINUATION, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, PING, PRIORITY, RST_STREAM, Raw, SETTINGS,
    WINDOW_UPDATE, field, frame, head,
};
use crate::support::seed::client;
use crate::support::server::Server;
use crate::support::site::Site;
use crate::support::wait::{until_true, within};

const CALM: u32 = 0xb;

async fn assert_serves(server: &Server) {
    server.ask(token(&client("service"), &[])).await.expect(200);
}

/// Stream identifiers of a client.
fn stream(turn: usize) -> u32 {
    u32::try_from(turn * 2 + 1).unwrap()
}

#[tokio::test]
async fn floods_of_every_kind_end_the_connection() {
    type Flood<'a> = Box<dyn FnMut(usize) -> Vec<u8> + 'a>;
    let site = Site::new().await;
    let settings = site.settings().set("server.unproductive_bytes_max", 65_536).set("server.resets_max", 20);
    let server = site.serve_with(settings).await;
    let bystander = server.connect().await;
    let get = head("GET", "/health/live");
    let post = head("POST", "/oauth/token");
    let open = |turn: usize| frame(HEADERS, END_HEADERS, stream(turn), &post);
    let reset = |turn: usize, code: u32| frame(RST_STREAM, 0, stream(turn), &code.to_be_bytes());
    let rows: Vec<(&str, usize, Flood<'_>)> = vec![
        ("PING", 10_000, Box::new(|_| frame(PING, 0, 0, &[7; 8]))),
        ("PING acknowledgements", 10_000, Box::new(|_| frame(PING, ACK, 0, &[7; 8]))),
        ("SETTINGS", 10_000, Box::new(|_| frame(SETTINGS, 0, 0, &[]))),
        ("WINDOW_UPDATE", 20_000, Box::new(|_| frame(WINDOW_UPDATE, 0, 0, &1u32.to_be_bytes()))),
        ("PRIORITY", 20_000, Box::new(|turn| frame(PRIORITY, 0, stream(turn % 1000), &[0, 0, 0, 0, 1]))),
        ("unknown frames", 20_000, Box::new(|_| frame(0xfa, 0, 0, &[0; 8]))),
        ("rapid reset (CVE-2023-44487)", 2_000, Box::new(|turn| [open(turn), reset(turn, 8)].concat())),
        (
            "rapid reset of whole requests",
            2_000,
            Box::new(|turn| [frame(HEADERS, END_HEADERS | END_STREAM, stream(turn), &post), reset(turn, 8)].concat()),
        ),
        (
            "MadeYouReset: a window of zero (CVE-2025-55163)",
            2_000,
            Box::new(|turn| [open(turn), frame(WINDOW_UPDATE, 0, stream(turn), &0u32.to_be_bytes())].concat()),
        ),
        (
            "MadeYouReset: data after the end",
            2_000,
            Box::new(|turn| {
                [frame(HEADERS, END_HEADERS | END_STREAM, stream(turn), &post), frame(DATA, 0, stream(turn), b"x")]
                    .concat()
            }),
        ),
        ("tiny DATA frames", 20_000, Box::new(|turn| if turn == 0 { open(0) } else { frame(DATA, 0, 1, b"x") })),
        ("empty DATA frames", 20_000, Box::new(|turn| if turn == 0 { open(0) } else { frame(DATA, 0, 1, b"") })),
        (
            "CONTINUATION without end (CVE-2024-27983)",
            20_000,
            Box::new(|turn| match turn {
                0 => frame(HEADERS, END_STREAM, 1, &get),
                _ => frame(CONTINUATION, 0, 1, &field("x", "y")),
            }),
        ),
        (
            "empty CONTINUATION without end",
            20_000,
            Box::new(
                |turn| if turn == 0 { frame(HEADERS, END_STREAM, 1, &get) } else { frame(CONTINUATION, 0, 1, &[]) },
            ),
        ),
        ("streams beyond the limit", 5_000, Box::new(open)),
    ];
    for (reason, times, bytes) in rows {
        let (was_ended, code) = Raw::open(&server, &[]).await.flood(times, bytes).await;
        assert!(was_ended, "{reason}: {times} were taken");
        assert!(code.is_none_or(|code| code != 0), "{reason}: GOAWAY {code:?}");
        bystander.ask(Ask::get("/health/live")).await.expect(200);
    }
    bystander.ask(token(&client("service"), &[])).await.expect(200);
    let metrics = server.metrics().await;
    assert_eq!(metrics.sum("sigid_panics_total", &[]), 0);
    until_true("all of them gone", async || server.metrics().await.sum("sigid_connections_open", &[]) == 1).await;
}

#[tokio::test]
async fn slow_peers_are_ended() {
    let site = Site::new().await;
    let settings = site
        .settings()
        .set("server.handshake_timeout_secs", 1)
        .set("server.body_timeout_secs", 1)
        .set("server.reply_timeout_secs", 1);
    let server = site.serve_with(settings).await;
    let bystander = server.connect().await;
    // Says nothing at all.
    let mut socket = TcpStream::connect(server.address).await.unwrap();
    assert_eq!(within("the end of a silent peer", socket.read(&mut [0; 16])).await.unwrap_or(0), 0);
    // Shakes hands, then says nothing.
    let mut tls = server.offer().connect(server.address).await.unwrap();
    let mut got = Vec::new();
    let _ = within("the end of a peer without preface", tls.read_to_end(&mut got)).await;
    // Begins a body and never ends it.
    let mut raw = Raw::open(&server, &[]).await;
    assert!(raw.send(&frame(HEADERS, END_HEADERS, 1, &head("POST", "/oauth/token"))).await);
    let answer = loop {
        let frame = raw.read().await.expect("an answer to the slow body");
        if frame.stream == 1 {
            break frame;
        }
    };
    assert_eq!(answer.kind, HEADERS, "408 {answer:?}");
    assert!(answer.payload.windows(3).any(|window| window == b"408") || answer.payload.len() > 1, "{answer:?}");
    // Asks, and does not let the answer be sent.
    let mut raw = Raw::open(&server, &[(4, 0)]).await;
    assert!(raw.send(&frame(HEADERS, END_HEADERS | END_STREAM, 1, &head("GET", "/.well-known/jwks.json"))).await);
    raw.read_to_end().await;
    // Begins a header, or a frame, and never ends it; it may say other things meanwhile.
    let half_a_block = frame(HEADERS, END_STREAM, 1, &head("GET", "/health/live"));
    let half_a_frame = frame(HEADERS, END_HEADERS | END_STREAM, 1, &head("GET", "/health/live"))[..9].to_vec();
    for half in [half_a_block, half_a_frame] {
        let mut raw = Raw::open(&server, &[]).await;
        assert!(raw.send(&half).await);
        raw.read_to_end().await;
    }
    bystander.ask(token(&client("service"), &[])).await.expect(200);
    assert!(server.metrics().await.sum("sigid_connections_closed_total", &["reason=\"slow\""]) >= 2);
}

/// Each request buys a little room, and no more: a flood between requests is a flood.
#[tokio::test]
async fn a_flood_between_requests_ends_the_connection() {
    let site = Site::new().await;
    let server = site.serve_with(site.settings().set("server.shards", 1)).await;
    let bystander = server.connect().await;
    let get = head("GET", "/nothing");
    let pings = frame(PING, ACK, 0, &[7; 8]).repeat(18_000);
    let turn = |turn: usize| [frame(HEADERS, END_HEADERS | END_STREAM, stream(turn), &get), pings.clone()].concat();
    let (was_stopped, code) = Raw::open(&server, &[]).await.flood(40, turn).await;
    assert!(was_stopped && code.is_none_or(|code| code == CALM), "{was_stopped} {code:?}");
    bystander.ask(Ask::get("/health/live")).await.expect(200);
}

/// Megabytes of answers to a client with a small buffer: it gets all of them, also when it says that it leaves.
#[tokio::test]
async fn a_client_that_reads_late_gets_every_answer() {
    const REQUESTS: usize = 6_000;
    let site = Site::new().await;
    let server = site.serve().await;
    let block = head("GET", "/.well-known/openid-configuration");
    let requests: Vec<u8> =
        (0..REQUESTS).flat_map(|turn| frame(HEADERS, END_HEADERS | END_STREAM, stream(turn), &block)).collect();
    for (reason, end) in [("stays", Vec::new()), ("leaves", frame(GOAWAY, 0, 0, &[0; 8]))] {
        let mut raw = Raw::narrow(&server).await.greet(&[(4, 0x7fff_ffff)]).await;
        assert!(raw.send(&frame(WINDOW_UPDATE, 0, 0, &0x7f00_0000u32.to_be_bytes())).await);
        assert!(raw.send(&[&requests[..], &end].concat()).await, "{reason}");
        let mut answered = 0;
        while answered < REQUESTS {
            let frame = raw.read().await.unwrap_or_else(|| panic!("{reason}: {answered} answers"));
            answered += usize::from(frame.kind == DATA && frame.flags & END_STREAM != 0);
        }
    }
}

/// RFC 9113 section 8.1: trailers carry no pseudo-header fields. Others are passed over.
#[tokio::test]
async fn trailers_with_a_pseudo_header_field_are_refused() {
    const PROTOCOL_ERROR: u32 = 1;
    let site = Site::new().await;
    let server = site.serve().await;
    let request = |trailers: &[u8]| {
        let open = frame(HEADERS, END_HEADERS, 1, &head("POST", "/nothing"));
        [open, frame(DATA, 0, 1, b"test"), frame(HEADERS, END_HEADERS | END_STREAM, 1, trailers)].concat()
    };
    let mut raw = Raw::open(&server, &[]).await;
    assert!(raw.send(&request(&[field(":method", "200"), field("x-test", "ok")].concat())).await);
    let refusal = loop {
        let frame = raw.read().await.expect("a refusal");
        if frame.stream == 1 {
            break frame;
        }
    };
    assert_eq!((refusal.kind, refusal.payload), (RST_STREAM, PROTOCOL_ERROR.to_be_bytes().to_vec()));
    let mut raw = Raw::open(&server, &[]).await;
    assert!(raw.send(&request(&field("x-test", "ok"))).await);
    while raw.read().await.expect("an answer").kind != HEADERS {}
}

/// What follows the peer's close_notify is nothing, however much it is.
#[tokio::test]
async fn bytes_after_the_end_of_tls_do_not_hold_the_shard() {
    let site = Site::new().await;
    let server = site.serve_with(site.settings().set("server.shards", 1)).await;
    let bystander = server.connect().await;
    let mut tls = server.offer().connect(server.address).await.unwrap();
    let (socket, session) = tls.get_mut();
    session.send_close_notify();
    let mut burst = Vec::new();
    session.write_tls(&mut burst).unwrap();
    burst.extend([23; 16_384]);
    assert!(within("the burst", socket.write_all(&burst)).await.is_ok());
    bystander.ask(Ask::get("/health/live")).await.expect(200);
}

#[tokio::test]
async fn connections_of_one_address_have_a_limit() {
    let site = Site::new().await;
    let settings = site.settings().set("server.shards", 1).set("server.connections_per_address_max", 3);
    let server = site.serve_with(settings).await;
    let mut kept = Vec::new();
    for _ in 0..3 {
        let conn = server.connect().await;
        conn.ask(Ask::get("/health/live")).await.expect(200);
        kept.push(conn);
    }
    assert!(server.offer().connect(server.address).await.is_err(), "one too many");
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.9:0".parse().unwrap()).unwrap();
    let socket = socket.connect(server.address).await.unwrap();
    server.offer().wrap(socket).await.expect("another address is not concerned");
    kept.pop();
    until_true("a free place", async || server.offer().connect(server.address).await.is_ok()).await;
    assert!(server.metrics().await.sum("sigid_connections_closed_total", &["reason=\"too_many\""]) >= 1);
}

#[tokio::test]
async fn limits_are_announced() {
    let site = Site::new().await;
    let settings = site.settings().set("server.streams_max", 17).set("server.header_list_bytes_max", 8192);
    let server = site.serve_with(settings).await;
    let mut raw = Raw::open(&server, &[]).await;
    let frame = raw.read().await.unwrap();
    assert_eq!(frame.kind, SETTINGS);
    let settings: Vec<(u16, u32)> = frame
        .payload
        .chunks(6)
        .map(|six| (u16::from_be_bytes([six[0], six[1]]), u32::from_be_bytes([six[2], six[3], six[4], six[5]])))
        .collect();
    assert!(settings.contains(&(3, 17)), "SETTINGS_MAX_CONCURRENT_STREAMS: {settings:?}");
    assert!(settings.contains(&(6, 8192)), "SETTINGS_MAX_HEADER_LIST_SIZE: {settings:?}");
    assert!(!settings.iter().any(|(id, value)| *id == 2 && *value != 0), "no push: {settings:?}");
}

#[tokio::test]
async fn resetting_cold_requests_buys_no_unbounded_work() {
    let site = Site::new().await;
    let server = site.serve_with(site.settings().set("server.resets_max", 10)).await;
    let body = "grant_type=client_credentials";
    let basic = crate::support::ask::basic("service", &client("service").secret);
    let block = [
        head("POST", "/oauth/token"),
        field("content-type", "application/x-www-form-urlencoded"),
        field("authorization", &basic),
    ]
    .concat();
    let request = move |turn: usize| {
        let id = stream(turn);
        let sent = [frame(HEADERS, END_HEADERS, id, &block), frame(DATA, END_STREAM, id, body.as_bytes())].concat();
        [sent, frame(RST_STREAM, 0, id, &8u32.to_be_bytes())].concat()
    };
    let (was_ended, code) = Raw::open(&server, &[]).await.flood(2_000, request).await;
    assert!(was_ended && code.is_none_or(|code| code == CALM), "GOAWAY {code:?}");
    assert_serves(&server).await;
}
