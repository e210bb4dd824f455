//! Whose address it is: `X-Forwarded-For` and PROXY protocol v2, from trusted proxies alone.

use std::net::Ipv4Addr;

use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use crate::support::ask::{Ask, token};
use crate::support::connect::Conn;
use crate::support::seed::client;
use crate::support::server::Server;
use crate::support::site::Site;
use crate::support::wait::until;

/// The address that the log names for a request that carries this header.
async fn logged(server: &Server, conn: &Conn, forwarded: &[&str]) -> String {
    let ask = forwarded.iter().fold(token(&client("service"), &[]), |ask, value| ask.header("x-forwarded-for", value));
    let reply = conn.ask(ask).await.expect(200);
    let id = reply.header("x-request-id").unwrap().to_owned();
    let line = until("the request's line in the log", async || {
        server.log_lines().into_iter().find(|line| line["request_id"] == id.as_str())
    })
    .await;
    for member in ["route", "method", "status", "tenant", "client", "address"] {
        assert!(!line[member].is_null(), "{member}: {line}");
    }
    line["address"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn forwarded_addresses_count_from_trusted_proxies_only() {
    let site = Site::new().await;
    let stranger = site.serve().await;
    let conn = stranger.connect().await;
    assert_eq!(logged(&stranger, &conn, &["192.0.2.1"]).await, "127.0.0.1", "nobody is trusted");
    let settings = site.another_port().set("server.trusted_proxies", r#"["127.0.0.0/8", "10.0.0.0/8"]"#);
    let server = site.serve_with(settings).await;
    let conn = server.connect().await;
    let rows: [(&str, &[&str], &str); 8] = [
        ("no header", &[], "127.0.0.1"),
        ("one address", &["192.0.2.1"], "192.0.2.1"),
        ("what the client invented stands left", &["6.6.6.6, 192.0.2.1"], "192.0.2.1"),
        ("a second trusted proxy", &["192.0.2.1, 10.1.2.3"], "192.0.2.1"),
        ("two headers are one list", &["6.6.6.6", "192.0.2.1, 10.1.2.3"], "192.0.2.1"),
        ("nonsense on the right", &["192.0.2.1, what"], "127.0.0.1"),
        ("IPv6", &["2001:db8::1"], "2001:db8::1"),
        ("IPv4 in IPv6", &["::ffff:192.0.2.1"], "192.0.2.1"),
    ];
    for (reason, forwarded, expected) in rows {
        assert_eq!(logged(&server, &conn, forwarded).await, expected, "{reason}");
    }
}

fn proxy_header(command: u8, source: Ipv4Addr) -> Vec<u8> {
    let addresses = [&source.octets()[..], &[127, 0, 0, 1], &4711u16.to_be_bytes(), &443u16.to_be_bytes()].concat();
    [&b"\r\n\r\n\0\r\nQUIT\n"[..], &[command, 0x11, 0, 12], &addresses].concat()
}

#[tokio::test]
async fn proxy_protocol_v2_is_mandatory_from_proxies_and_read_from_nobody_else() {
    let site = Site::new().await;
    let settings = site.settings().set("server.trusted_proxies", r#"["127.0.0.1"]"#).set("server.proxy_protocol", true);
    let server = site.serve_with(settings).await;
    let open = async |prefix: &[u8]| -> std::io::Result<Conn> {
        let mut socket = TcpStream::connect(server.address).await?;
        socket.write_all(prefix).await?;
        Ok(Conn::over(server.offer().wrap(socket).await?, server.address).await)
    };
    let source = Ipv4Addr::new(192, 0, 2, 77);
    let conn = open(&proxy_header(0x21, source)).await.unwrap();
    assert_eq!(logged(&server, &conn, &[]).await, "192.0.2.77");
    assert_eq!(logged(&server, &conn, &["6.6.6.6"]).await, "192.0.2.77", "the client itself is no trusted proxy");
    let conn = open(&proxy_header(0x20, source)).await.unwrap();
    assert_eq!(logged(&server, &conn, &[]).await, "127.0.0.1", "LOCAL: the balancer's own check");
    for (reason, prefix) in [
        ("no header", Vec::new()),
        ("version 1", b"PROXY TCP4 192.0.2.77 127.0.0.1 1 443\r\n".to_vec()),
        ("an unknown command", proxy_header(0x22, source)),
        ("longer than any", [&b"\r\n\r\n\0\r\nQUIT\n"[..], &[0x21, 0x11, 255, 255], &[0; 2000]].concat()),
    ] {
        assert!(open(&prefix).await.is_err(), "{reason}");
    }
    // From elsewhere the header is not read, so it is no TLS.
    let elsewhere = async |prefix: &[u8]| -> std::io::Result<Conn> {
        let socket = tokio::net::TcpSocket::new_v4()?;
        socket.bind((Ipv4Addr::new(127, 0, 0, 9), 0).into())?;
        let mut socket = socket.connect(server.address).await?;
        socket.write_all(prefix).await?;
        Ok(Conn::over(server.offer().wrap(socket).await?, server.address).await)
    };
    assert!(elsewhere(&proxy_header(0x21, source)).await.is_err(), "a forged header");
    let conn = elsewhere(b"").await.unwrap();
    assert_eq!(logged(&server, &conn, &[]).await, "127.0.0.9");
    conn.ask(Ask::get("/health/live")).await.expect(200);
}
