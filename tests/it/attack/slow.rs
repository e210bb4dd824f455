//! Peers that begin something and do not go on, in masses: each holds a little for as long as its deadline, and then
//! nothing.

use super::{BODY, Honest, MIB, Memory, assert_alone, credentials, one_shard, stream};
use crate::support::raw::{
    DATA, END_HEADERS, END_STREAM, HEADERS, PING, Raw, SETTINGS, WINDOW_UPDATE, field, frame, head,
};
use crate::support::server::Server;
use crate::support::settings::Settings;
use crate::support::site::Site;
use crate::support::wait::{until_true, within};

/// Every deadline at its least.
fn impatient(site: &Site) -> Settings {
    one_shard(site)
        .set("server.handshake_timeout_secs", 1)
        .set("server.body_timeout_secs", 1)
        .set("server.reply_timeout_secs", 1)
}

/// Connections of one attack.
const MANY: usize = 100;

/// That many connections, each having sent this.
async fn attackers(server: &Server, settings: &[(u16, u32)], sent: &[u8]) -> Vec<Raw> {
    let mut all = Vec::new();
    for _ in 0..MANY {
        let mut raw = Raw::open(server, settings).await;
        raw.send(sent).await;
        all.push(raw);
    }
    all
}

/// A token request of which all but the last byte has come.
fn almost_whole(stream: u32) -> Vec<u8> {
    let length = field("content-length", &BODY.len().to_string());
    let block = [&head("POST", "/oauth/token")[..], &credentials(), &length].concat();
    let body = &BODY.as_bytes()[..BODY.len() - 1];
    [frame(HEADERS, END_HEADERS, stream, &block), frame(DATA, 0, stream, body)].concat()
}

#[tokio::test]
async fn slow_headers_bodies_and_frames_in_masses_are_ended() {
    let site = Site::new().await;
    let server = site.serve_with(impatient(&site)).await;
    let honest = Honest::begin(&server).await;
    let memory = Memory::watch(&server);
    let get = frame(HEADERS, END_HEADERS | END_STREAM, 1, &head("GET", "/health/live"));
    let rows = [
        ("half a frame's header", get[..5].to_vec()),
        ("half a frame", get[..20].to_vec()),
        ("a header block without its end", frame(HEADERS, END_STREAM, 1, &head("GET", "/health/live"))),
        ("half a frame of SETTINGS", frame(SETTINGS, 0, 0, &[0; 6])[..10].to_vec()),
    ];
    for (reason, sent) in rows {
        let all = attackers(&server, &[], &sent).await;
        honest.is_served().await;
        for mut raw in all {
            within(reason, raw.read_to_end()).await;
        }
        honest.is_served().await;
        assert_alone(&server).await;
    }
    memory.assert_grew_at_most(24 * MIB);
}

/// A body that does not end costs its stream (408), and a connection of nothing else its life when it goes on so.
#[tokio::test]
async fn slow_bodies_in_masses_are_given_up() {
    let site = Site::new().await;
    let server = site.serve_with(impatient(&site).set("server.idle_timeout_secs", 3)).await;
    let honest = Honest::begin(&server).await;
    let memory = Memory::watch(&server);
    let sent: Vec<u8> = (0..20).flat_map(|turn| almost_whole(stream(turn))).collect();
    let all = attackers(&server, &[], &sent).await;
    honest.is_served().await;
    for mut raw in all {
        let fate = raw.fate(1).await;
        assert!(!matches!(fate, crate::support::raw::Fate::Answered(200)), "{fate:?}");
        raw.farewell().await;
    }
    honest.is_served().await;
    memory.assert_grew_at_most(24 * MIB);
    assert_alone(&server).await;
}

/// Replies that nobody lets be sent: whatever else the peer says meanwhile, it is ended.
#[tokio::test]
async fn replies_behind_shut_windows_are_given_up() {
    let site = Site::new().await;
    let server = site.serve_with(impatient(&site)).await;
    let honest = Honest::begin(&server).await;
    let memory = Memory::watch(&server);
    let get =
        |turn: usize| frame(HEADERS, END_HEADERS | END_STREAM, stream(turn), &head("GET", "/.well-known/jwks.json"));
    let sent: Vec<u8> = (0..200).flat_map(get).collect();
    let update = |stream: u32| frame(WINDOW_UPDATE, 0, stream, &1u32.to_be_bytes());
    for (reason, settings, more) in [
        ("windows of nothing", &[(4, 0)][..], Vec::new()),
        ("windows of one byte", &[(4, 1)], Vec::new()),
        ("windows of nothing, and a PING", &[(4, 0)], frame(PING, 0, 0, &[0; 8])),
        ("windows of nothing, opened by a byte", &[(4, 0)], (0..200).flat_map(|turn| update(stream(turn))).collect()),
    ] {
        let all = attackers(&server, settings, &[&sent[..], &more].concat()).await;
        honest.is_served().await;
        for mut raw in all {
            within(reason, raw.read_to_end()).await;
        }
        honest.is_served().await;
        assert_alone(&server).await;
    }
    memory.assert_grew_at_most(64 * MIB);
}

/// The connection's window, which all streams share, is shut by what was sent and not opened again.
#[tokio::test]
async fn a_connection_that_reads_nothing_is_ended() {
    let site = Site::new().await;
    let server = site.serve_with(impatient(&site)).await;
    let honest = Honest::begin(&server).await;
    let memory = Memory::watch(&server);
    let get = |turn: usize| {
        frame(HEADERS, END_HEADERS | END_STREAM, stream(turn), &head("GET", "/.well-known/openid-configuration"))
    };
    let mut all = Vec::new();
    for _ in 0..20 {
        let mut raw = Raw::open(&server, &[]).await;
        raw.send(&(0..200).flat_map(get).collect::<Vec<u8>>()).await;
        all.push(raw);
    }
    honest.is_served().await;
    // Nothing is read before the server has let go.
    assert_alone(&server).await;
    honest.is_served().await;
    memory.assert_grew_at_most(24 * MIB);
    drop(all);
}

/// The port of metrics has its own places and its own deadline; who fills them disturbs nobody on the public side.
#[tokio::test]
async fn a_crowd_at_the_metrics_port_passes() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpStream;
    let site = Site::new().await;
    let server = site.serve_with(one_shard(&site)).await;
    let honest = Honest::begin(&server).await;
    let mut crowd = Vec::new();
    for _ in 0..200 {
        let mut socket = TcpStream::connect(server.metrics).await.unwrap();
        let _ = socket.write_all(b"GET /metrics HTTP/1.1\r\nhost:").await;
        crowd.push(socket);
    }
    honest.is_served().await;
    for mut socket in crowd {
        let mut got = Vec::new();
        let _ = within("the end of a slow scrape", socket.read_to_end(&mut got)).await;
        assert!(got.is_empty(), "half a request is no request");
    }
    until_true("readiness", async || server.is_ready().await).await;
    assert_alone(&server).await;
}
