//! What is negotiated, what is refused and how, and the certificate's reload.

use std::fs;
use std::io::ErrorKind;

use rustls::{AlertDescription, HandshakeKind};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::ask::{Ask, token};
use crate::support::connect::{Conn, Offer};
use crate::support::seed::{self, client};
use crate::support::server::Server;
use crate::support::site::Site;
use crate::support::wait::{until_true, within};

async fn alert(server: &Server, offer: &Offer) -> AlertDescription {
    let error = offer.connect(server.address).await.expect_err("the handshake must fail");
    match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        Some(rustls::Error::AlertReceived(alert)) => *alert,
        other => panic!("{error}: {other:?}"),
    }
}

/// What a client without ALPN gets for these bytes.
async fn without_alpn(server: &Server, sent: &[u8]) -> String {
    let offer = Offer::new(&server.ca(), &[], rustls::ALL_VERSIONS);
    let mut tls = offer.connect(server.address).await.unwrap();
    assert_eq!(tls.get_ref().1.alpn_protocol(), None);
    tls.write_all(sent).await.unwrap();
    tls.flush().await.unwrap();
    let mut got = Vec::new();
    match within("the server's answer and end", tls.read_to_end(&mut got)).await {
        Ok(_) => {}
        Err(error) => assert_eq!(error.kind(), ErrorKind::UnexpectedEof, "{error}"),
    }
    String::from_utf8(got).unwrap()
}

#[tokio::test]
async fn only_h2_is_negotiated() {
    let site = Site::new().await;
    let server = site.serve().await;
    let offer = |alpn: &[&[u8]]| Offer::new(&server.ca(), alpn, rustls::ALL_VERSIONS);
    for (reason, alpn) in [
        ("HTTP/1.1", &[&b"http/1.1"[..]][..]),
        ("HTTP/1.0", &[b"http/1.0"]),
        ("an earlier name", &[b"h2-14"]),
        ("HTTP/3", &[b"h3"]),
        ("something else", &[b"spdy/3", b"x"]),
    ] {
        assert_eq!(alert(&server, &offer(alpn)).await, AlertDescription::NoApplicationProtocol, "{reason}");
    }
    for alpn in [&[&b"h2"[..]][..], &[b"h2", b"http/1.1"], &[b"http/1.1", b"h2"]] {
        let tls = offer(alpn).connect(server.address).await.unwrap();
        assert_eq!(tls.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
        Conn::over(tls, server.address).await.ask(Ask::get("/health/live")).await.expect(200);
    }
    let failed = server.metrics().await.sum("sigid_handshakes_failed_total", &["reason=\"tls\""]);
    assert!(failed >= 5, "refused handshakes are counted: {failed}");
}

#[tokio::test]
async fn a_client_without_alpn_reads_why_and_nothing_else() {
    let site = Site::new().await;
    let server = site.serve().await;
    for (reason, request) in [
        ("a GET", "GET / HTTP/1.1\r\nhost: localhost\r\n\r\n".to_owned()),
        ("HTTP/1.0", "GET /health/live HTTP/1.0\r\n\r\n".to_owned()),
        ("a token request", {
            let basic = crate::support::ask::basic("service", &client("service").secret);
            format!(
                "POST /oauth/token HTTP/1.1\r\nhost: localhost\r\nauthorization: {basic}\r\ncontent-length: 29\r\n\r\ngrant_type=client_credentials"
            )
        }),
        ("two requests", "GET /health/live HTTP/1.1\r\nhost: a\r\n\r\n".repeat(2)),
        ("an upgrade", "GET / HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n".to_owned()),
    ] {
        let said = without_alpn(&server, request.as_bytes()).await;
        assert!(said.starts_with("HTTP/1.1 505 "), "{reason}: {said}");
        assert_eq!(said.matches("HTTP/1.1 ").count(), 1, "{reason}: one answer: {said}");
        let (head, body) = said.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("content-length: {}", body.len())), "{reason}: {said}");
        assert!(head.contains("connection: close"), "{reason}: {said}");
        assert!(body.contains("h2") && body.contains("docs/CLIENTS.md"), "{reason}: names cure and page: {body}");
    }
    for (reason, bytes) in [
        ("the preface of HTTP/2", &b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0"[..]),
        ("noise", b"\x16\x03\x01\x02\x00\x01\r\n\r\n"),
        ("a text that is no request", b"HELO example.com\r\n\r\n"),
        ("nothing but an end of line", b"\r\n\r\n"),
    ] {
        assert_eq!(without_alpn(&server, bytes).await, "", "{reason}");
    }
    let metrics = server.metrics().await;
    assert_eq!(metrics.sum("sigid_handshakes_failed_total", &["reason=\"no_alpn\""]), 9);
    assert_eq!(metrics.sum("sigid_handshakes_failed_total", &["reason=\"http1\""]), 5);
    let lines = server.log_lines();
    let told = lines.iter().filter(|line| line["message"].as_str().unwrap_or_default().contains("no ALPN")).count();
    assert!((1..=2).contains(&told), "logged once per address (and shard), not {told} times");
}

#[tokio::test]
async fn tls_1_2_only_when_asked_for() {
    let site = Site::new().await;
    let old = |server: &Server| Offer::new(&server.ca(), &[b"h2"], &[&rustls::version::TLS12]);
    let server = site.serve().await;
    assert_eq!(alert(&server, &old(&server)).await, AlertDescription::ProtocolVersion);
    let tls = server.offer().connect(server.address).await.unwrap();
    assert_eq!(tls.get_ref().1.protocol_version(), Some(rustls::ProtocolVersion::TLSv1_3));
    let settings = site.another_port().text("server.tls.min_version", "1.2");
    let server = site.serve_with(settings).await;
    let conn = Conn::open(&old(&server), server.address).await;
    conn.ask(token(&client("service"), &[])).await.expect(200);
}

#[tokio::test]
async fn sessions_resume_on_whichever_shard() {
    let site = Site::new().await;
    let server = site.serve().await;
    let offer = server.offer();
    let mut kinds = Vec::new();
    for _ in 0..8 {
        let tls = offer.connect(server.address).await.unwrap();
        kinds.push(tls.get_ref().1.handshake_kind().unwrap());
        // The ticket comes with the first reply at the latest.
        Conn::over(tls, server.address).await.ask(Ask::get("/health/live")).await.expect(200);
    }
    assert_eq!(kinds[0], HandshakeKind::Full);
    assert!(kinds[1..].iter().all(|kind| *kind == HandshakeKind::Resumed), "{kinds:?}");
    let metrics = server.metrics().await;
    let shards = metrics.series("sigid_connections_accepted_total", &[]).filter(|(_, value)| *value > 0).count();
    assert_eq!(shards, 2, "and not on one shard alone; by chance once in 128 runs if this fails");
}

#[tokio::test]
async fn early_data_is_not_taken() {
    let site = Site::new().await;
    let server = site.serve().await;
    let mut offer = server.offer();
    std::sync::Arc::make_mut(&mut offer.config).enable_early_data = true;
    for turn in 0..2 {
        let tls = offer.connect(server.address).await.unwrap();
        assert!(!tls.get_ref().1.is_early_data_accepted(), "turn {turn}");
        Conn::over(tls, server.address).await.ask(Ask::get("/health/live")).await.expect(200);
    }
}

#[tokio::test]
async fn what_is_no_tls_is_closed_and_hurts_nobody() {
    let site = Site::new().await;
    let server = site.serve().await;
    let conn = server.connect().await;
    for bytes in [
        &b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n"[..],
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        &[0; 2000],
        &[0x16, 3, 1, 255, 255],
    ] {
        let mut socket = TcpStream::connect(server.address).await.unwrap();
        socket.write_all(bytes).await.unwrap();
        socket.shutdown().await.unwrap();
        let mut got = Vec::new();
        let _ = within("the end", socket.read_to_end(&mut got)).await;
        assert!(!got.starts_with(b"HTTP/"), "{got:?}");
    }
    conn.ask(Ask::get("/health/live")).await.expect(200);
}

/// The certificate's own bytes, which tell one from another.
async fn certificate(server: &Server) -> Vec<u8> {
    let tls = server.offer().connect(server.address).await.unwrap();
    tls.get_ref().1.peer_certificates().unwrap()[0].to_vec()
}

#[tokio::test]
async fn a_changed_certificate_is_taken_and_no_connection_dropped() {
    let site = Site::new().await;
    let server = site.serve().await;
    let conn = server.connect().await;
    let ca = crate::support::cluster::shared().directory.clone();
    let mut last = certificate(&server).await;
    for (reason, hint) in [("noticed by itself", None), ("told by SIGHUP", Some("HUP"))] {
        seed::write_certificate(&ca, &server.directory, reason);
        if let Some(signal) = hint {
            server.signal(signal);
        }
        until_true("the new certificate", async || certificate(&server).await != last).await;
        last = certificate(&server).await;
        conn.ask(token(&client("service"), &[])).await.expect(200);
    }
    let good = fs::read(server.directory.join("server.pem")).unwrap();
    fs::write(server.directory.join("server.pem"), "not a certificate").unwrap();
    server.signal("HUP");
    until_true("the refused certificate", async || {
        server.metrics().await.sum("sigid_certificate_reloads_total", &["outcome=\"failed\""]) >= 1
    })
    .await;
    assert_eq!(certificate(&server).await, last, "the old one stays");
    fs::write(server.directory.join("server.pem"), good).unwrap();
    let other = server.connect().await;
    other.ask(token(&client("service"), &[])).await.expect(200);
    conn.ask(token(&client("service"), &[])).await.expect(200);
}
