//! `/metrics` and health over plain HTTP/1.1, for the operator's side of the network.
//!
//! Loopback by default, its own listener, GET only: nothing here is reachable from the public side.
//! Limits: [`HEAD_BYTES_MAX`] a request head, [`DEADLINE`] a connection, [`CONNECTIONS_MAX`] at once.

use crate::metrics;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

pub const HEAD_BYTES_MAX: usize = 8 * 1024;
pub const DEADLINE: Duration = Duration::from_secs(5);
pub const CONNECTIONS_MAX: usize = 64;
const REBIND_REST: Duration = Duration::from_millis(500);

/// Serves until the runtime ends. `is_ready` is asked at each `/health/ready`, `refresh` before each
/// `/metrics`, to set the gauges that are read rather than counted.
pub async fn serve(
    listener: TcpListener,
    is_ready: impl Fn() -> bool + Send + Sync + 'static,
    refresh: impl Fn() + Send + Sync + 'static,
) {
    let shared = Arc::new((is_ready, refresh));
    let permits = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let Ok((socket, _)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(5)).await;
            continue;
        };
        let Ok(permit) = permits.clone().try_acquire_owned() else { continue };
        let shared = shared.clone();
        tokio::spawn(async move {
            let _ = tokio::time::timeout(DEADLINE, exchange(socket, &shared.0, &shared.1)).await;
            drop(permit);
        });
    }
}

/// # Errors
/// The address is taken or not ours.
pub async fn bind(address: SocketAddr) -> std::io::Result<TcpListener> {
    TcpListener::bind(address).await
}

/// Binds as soon as nobody else has the address.
pub async fn bind_when_free(address: SocketAddr) -> TcpListener {
    loop {
        if let Ok(listener) = bind(address).await {
            return listener;
        }
        tokio::time::sleep(REBIND_REST).await;
    }
}

async fn exchange(mut socket: TcpStream, is_ready: &impl Fn() -> bool, refresh: &impl Fn()) -> std::io::Result<()> {
    let mut head = Vec::with_capacity(1024);
    let reply = loop {
        if socket.read_buf(&mut head).await? == 0 {
            return Ok(());
        }
        let mut fields = [httparse::EMPTY_HEADER; 64];
        let mut request = httparse::Request::new(&mut fields);
        match request.parse(&head) {
            Ok(httparse::Status::Complete(_)) => break route(request.method, request.path, is_ready, refresh),
            Ok(httparse::Status::Partial) if head.len() < HEAD_BYTES_MAX => {}
            _ => break reply("400 Bad Request", ""),
        }
    };
    socket.write_all(reply.as_bytes()).await?;
    socket.shutdown().await
}

fn route(method: Option<&str>, path: Option<&str>, is_ready: &impl Fn() -> bool, refresh: &impl Fn()) -> String {
    let path = path.and_then(|path| path.split('?').next()).unwrap_or_default();
    match (method, path) {
        (Some("GET"), "/metrics") => {
            refresh();
            reply("200 OK", &metrics::render())
        }
        (Some("GET"), "/health/live") => reply("200 OK", ""),
        (Some("GET"), "/health/ready") => reply(if is_ready() { "200 OK" } else { "503 Service Unavailable" }, ""),
        (Some("GET"), _) => reply("404 Not Found", ""),
        _ => reply("405 Method Not Allowed", ""),
    }
}

fn reply(status: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\ncontent-type: text/plain; version=0.0.4; charset=utf-8\r\ncontent-length: {}\r\ncache-control: no-store\r\nconnection: close\r\n\r\n{body}",
        body.len()
    )
}
