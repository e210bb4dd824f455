//! Handshakes that are begun and left, and the rest of what TLS lets a stranger do before anybody has asked anything.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::{Honest, MIB, Memory, assert_alone, assert_serves, one_shard};
use crate::support::connect::Conn;
use crate::support::server::Server;
use crate::support::site::Site;
use crate::support::wait::{until_true, within};

/// A good ClientHello of this server's client.
fn hello(server: &Server) -> Vec<u8> {
    let name = rustls::pki_types::ServerName::try_from("localhost").unwrap();
    let mut session = rustls::ClientConnection::new(server.offer().config, name).unwrap();
    let mut bytes = Vec::new();
    session.write_tls(&mut bytes).unwrap();
    bytes
}

#[tokio::test]
async fn half_open_handshakes_in_masses_are_ended() {
    const EACH: usize = 125;
    let site = Site::new().await;
    let server = site.serve_with(one_shard(&site).set("server.handshake_timeout_secs", 2)).await;
    let honest = Honest::begin(&server).await;
    let memory = Memory::watch(&server);
    let hello = hello(&server);
    let mut all = Vec::new();
    // Nothing, a byte, half a hello, and all of it without an answer to ours.
    for sent in [&[][..], &hello[..1], &hello[..hello.len() / 2], &hello] {
        for _ in 0..EACH {
            let mut socket = TcpStream::connect(server.address).await.unwrap();
            socket.write_all(sent).await.unwrap();
            all.push(socket);
        }
        honest.is_served().await;
    }
    for mut socket in all {
        let mut got = Vec::new();
        let _ = within("the end of half a handshake", socket.read_to_end(&mut got)).await;
    }
    honest.is_served().await;
    memory.assert_grew_at_most(24 * MIB);
    assert_alone(&server).await;
    let failed = server.metrics().await.sum("sigid_handshakes_failed_total", &[]);
    assert!(failed >= 4 * EACH as i64, "each is counted: {failed}");
}

/// Whoever fills the shard keeps out newcomers for as long as a handshake may take, and disturbs nobody who is in.
#[tokio::test]
async fn a_shard_full_of_half_open_handshakes_serves_who_is_in_and_recovers() {
    let site = Site::new().await;
    let settings = one_shard(&site).set("server.connections_max", 20).set("server.handshake_timeout_secs", 2);
    let server = site.serve_with(settings).await;
    let honest = Honest::begin(&server).await;
    let mut crowd = Vec::new();
    for _ in 0..60 {
        crowd.push(TcpStream::connect(server.address).await.unwrap());
    }
    until_true("the first that was turned away", async || {
        server.metrics().await.sum("sigid_connections_closed_total", &["reason=\"too_many\""]) >= 1
    })
    .await;
    honest.is_served().await;
    until_true("a place for a newcomer", async || server.offer().connect(server.address).await.is_ok()).await;
    honest.is_served().await;
    drop(crowd);
    assert_alone(&server).await;
}

/// Records that are none, too long, of the wrong kind, or out of turn.
#[tokio::test]
async fn records_that_no_handshake_has_end_the_connection() {
    let site = Site::new().await;
    let server = site.serve_with(one_shard(&site)).await;
    let honest = Honest::begin(&server).await;
    let hello = hello(&server);
    let record = |kind: u8, payload: &[u8]| {
        [&[kind, 3, 3][..], &u16::try_from(payload.len()).unwrap().to_be_bytes(), payload].concat()
    };
    for (reason, sent) in [
        ("application data before any handshake", record(23, &[0; 64])),
        ("an alert before any handshake", record(21, &[2, 40])),
        ("change_cipher_spec without end", record(20, &[1]).repeat(1_000)),
        ("a record longer than any", [&[22, 3, 1, 0xff, 0xff][..], &vec![0; 65_535]].concat()),
        ("a hello of sixteen megabytes", record(22, &[1, 0xff, 0xff, 0xff, 3, 3]).repeat(10)),
        ("empty records of a handshake", record(22, &[]).repeat(1_000)),
        (
            "a hello without suites",
            record(22, &[&[1, 0, 0, 42, 3, 3][..], &[7; 32], &[0, 0, 0, 1, 0, 0, 0, 0]].concat()),
        ),
        ("two hellos", hello.repeat(2)),
        ("a hello and application data", [&hello[..], &record(23, &[0; 64])].concat()),
        ("SSL 2", vec![0x80, 0x2e, 1, 0, 2, 0, 0x15, 0, 0, 0, 0x10]),
    ] {
        let mut socket = TcpStream::connect(server.address).await.unwrap();
        let _ = socket.write_all(&sent).await;
        let _ = socket.shutdown().await;
        let mut got = Vec::new();
        let _ = within(reason, socket.read_to_end(&mut got)).await;
        honest.is_served().await;
    }
    assert_alone(&server).await;
}

/// Asking for new keys over and over (RFC 8446 section 4.6.3) is work that nobody needs.
#[tokio::test]
async fn key_updates_without_end_do_not_hold_the_shard() {
    let site = Site::new().await;
    let server = site.serve_with(one_shard(&site)).await;
    let honest = Honest::begin(&server).await;
    let mut tls = server.offer().connect(server.address).await.unwrap();
    let mut was_ended = false;
    for _ in 0..2_000 {
        let (socket, session) = tls.get_mut();
        session.refresh_traffic_keys().unwrap();
        let mut burst = Vec::new();
        while session.wants_write() {
            session.write_tls(&mut burst).unwrap();
        }
        if within("a key update", socket.write_all(&burst)).await.is_err() {
            was_ended = true;
            break;
        }
        tokio::task::yield_now().await;
    }
    honest.is_served().await;
    let mut got = Vec::new();
    if !was_ended {
        let (socket, _) = tls.get_mut();
        let _ = within("the end of the updates", socket.read_to_end(&mut got)).await;
    }
    honest.is_served().await;
    assert_alone(&server).await;
}

/// What a ticket was good for, it is good for again; what was sealed with it is not believed twice.
#[tokio::test]
async fn a_request_replayed_byte_for_byte_is_not_taken() {
    let site = Site::new().await;
    let server = site.serve_with(one_shard(&site)).await;
    // A recording of everything that one good connection sent.
    let name = rustls::pki_types::ServerName::try_from("localhost").unwrap();
    let mut session = rustls::ClientConnection::new(server.offer().config, name).unwrap();
    let mut socket = TcpStream::connect(server.address).await.unwrap();
    let mut recorded = Vec::new();
    while session.is_handshaking() || session.wants_write() {
        let mut flight = Vec::new();
        while session.wants_write() {
            session.write_tls(&mut flight).unwrap();
        }
        socket.write_all(&flight).await.unwrap();
        recorded.extend(flight);
        if session.is_handshaking() {
            let mut got = vec![0; 16_384];
            let length = within("the server's flight", socket.read(&mut got)).await.unwrap();
            session.read_tls(&mut &got[..length]).unwrap();
            session.process_new_packets().unwrap();
        }
    }
    std::io::Write::write_all(&mut session.writer(), b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").unwrap();
    let request = super::token_request(1, "/oauth/token", &[]);
    std::io::Write::write_all(&mut session.writer(), &request).unwrap();
    while session.wants_write() {
        let mut flight = Vec::new();
        session.write_tls(&mut flight).unwrap();
        recorded.extend(&flight);
        socket.write_all(&flight).await.unwrap();
    }
    let issued = async || server.metrics().await.sum("sigid_tokens_issued_total", &[]);
    until_true("the token", async || issued().await == 1).await;
    for _ in 0..3 {
        let mut socket = TcpStream::connect(server.address).await.unwrap();
        let _ = socket.write_all(&recorded).await;
        let mut got = Vec::new();
        let _ = within("the end of the replay", socket.read_to_end(&mut got)).await;
    }
    assert_eq!(issued().await, 1, "a recording is no request");
    drop(socket);
    assert_serves(&server).await;
    let conn: Conn = server.connect().await;
    drop(conn);
}

/// A balancer's header (PROXY protocol) that does not come, or not to its end, has the handshake's deadline too.
#[tokio::test]
async fn half_a_proxy_header_is_ended() {
    let site = Site::new().await;
    let settings = one_shard(&site)
        .set("server.trusted_proxies", r#"["127.0.0.9"]"#)
        .set("server.proxy_protocol", true)
        .set("server.handshake_timeout_secs", 1);
    let server = site.serve_with(settings).await;
    let honest = Honest::begin(&server).await;
    let head = [&b"\r\n\r\n\0\r\nQUIT\n"[..], &[0x21, 0x11, 0x07, 0xff]].concat();
    let mut all = Vec::new();
    for sent in [&[][..], &head[..5], &head, &[&head[..], &[0; 1000]].concat()] {
        for _ in 0..25 {
            let socket = tokio::net::TcpSocket::new_v4().unwrap();
            socket.bind("127.0.0.9:0".parse().unwrap()).unwrap();
            let mut socket = socket.connect(server.address).await.unwrap();
            socket.write_all(sent).await.unwrap();
            all.push(socket);
        }
        honest.is_served().await;
    }
    for mut socket in all {
        let mut got = Vec::new();
        let _ = within("the end of half a header", socket.read_to_end(&mut got)).await;
        assert!(got.is_empty());
    }
    assert_alone(&server).await;
}
