//! HTTP/1.1 (RFC 9112) for targets that speak nothing newer: one request at a time on a connection that is kept
//! alive. No pipelining: hardly a client does it, and hardly a server is measured fairly with it.
//!
//! A request that is given up in the middle leaves the connection unusable, since its answer may still come; so
//! does an answer that says `Connection: close` or has no length.

use std::cell::Cell;
use std::fmt::Write as _;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, Request, StatusCode, header};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Mutex, Notify};
use tokio_rustls::client::TlsStream;

use crate::client::{Answer, BODY_BYTES_MAX};

pub struct Connection {
    io: Mutex<Io>,
    broken: Cell<bool>,
    ended: Notify,
}

struct Io {
    stream: TlsStream<TcpStream>,
    /// Received and not yet read.
    buffer: BytesMut,
}

#[derive(Debug)]
pub enum Broken {
    /// Nothing was sent: another connection may be tried.
    NotTaken,
    Failed(String),
}

/// Status line, headers, and what frames the body.
struct Head {
    status: StatusCode,
    headers: HeaderMap,
    server: Option<String>,
    retry_after: bool,
    length: Option<usize>,
    chunked: bool,
    close: bool,
}

impl Connection {
    pub fn new(stream: TlsStream<TcpStream>) -> Self {
        let io = Mutex::new(Io { stream, buffer: BytesMut::new() });
        Self { io, broken: Cell::new(false), ended: Notify::new() }
    }

    pub fn is_usable(&self) -> bool {
        !self.broken.get()
    }

    /// Ends when the connection cannot be used any more.
    pub async fn end(&self) {
        loop {
            let ended = self.ended.notified();
            if self.broken.get() {
                return;
            }
            ended.await;
        }
    }

    pub async fn exchange(&self, request: &Request<()>, body: &[u8]) -> Result<Answer, Broken> {
        let mut io = self.io.lock().await;
        if !self.is_usable() {
            return Err(Broken::NotTaken);
        }
        let mut whole = Whole { connection: self, kept: false };
        let (answer, kept) = io.exchange(request, body).await.map_err(|e| Broken::Failed(e.to_string()))?;
        whole.kept = kept;
        Ok(answer)
    }

    fn give_up(&self) {
        self.broken.set(true);
        self.ended.notify_waiters();
    }
}

/// Breaks the connection unless the exchange came to its end.
struct Whole<'a> {
    connection: &'a Connection,
    kept: bool,
}

impl Drop for Whole<'_> {
    fn drop(&mut self) {
        if !self.kept {
            self.connection.give_up();
        }
    }
}

impl Io {
    /// The answer, and whether another request may follow.
    async fn exchange(&mut self, request: &Request<()>, body: &[u8]) -> std::io::Result<(Answer, bool)> {
        let mut message = head_of(request).into_bytes();
        message.extend_from_slice(body);
        self.stream.write_all(&message).await?;
        self.stream.flush().await?;
        let head = self.read_head().await?;
        let body = match head.length {
            _ if head.chunked => self.read_chunks().await?,
            Some(length) => self.read_exactly(length).await?,
            None if matches!(head.status.as_u16(), 204 | 304) => Bytes::new(),
            None => self.read_to_end().await?,
        };
        let framed = head.chunked || head.length.is_some() || matches!(head.status.as_u16(), 204 | 304);
        let Head { status, headers, server, retry_after, close, .. } = head;
        Ok((Answer { status, server, retry_after, headers, body }, framed && !close))
    }

    async fn read_head(&mut self) -> std::io::Result<Head> {
        loop {
            if let Some((head, length)) = parse_head(&self.buffer)? {
                let _ = self.buffer.split_to(length);
                if head.status.as_u16() >= 200 {
                    return Ok(head);
                }
            } else if self.buffer.len() > HEAD_BYTES_MAX {
                return Err(invalid("the answer's head is too long"));
            } else {
                self.read_more().await?;
            }
        }
    }

    async fn read_exactly(&mut self, length: usize) -> std::io::Result<Bytes> {
        if length > BODY_BYTES_MAX {
            return Err(invalid("the answer's body is too long"));
        }
        while self.buffer.len() < length {
            self.read_more().await?;
        }
        Ok(self.buffer.split_to(length).freeze())
    }

    async fn read_chunks(&mut self) -> std::io::Result<Bytes> {
        let mut body = BytesMut::new();
        loop {
            let line = self.read_line().await?;
            let size = line.split(';').next().unwrap_or_default().trim();
            let size = usize::from_str_radix(size, 16).map_err(|_| invalid("the size of a chunk"))?;
            if size == 0 {
                while !self.read_line().await?.is_empty() {}
                return Ok(body.freeze());
            }
            body.extend_from_slice(&self.read_exactly(size).await?);
            if !self.read_line().await?.is_empty() || body.len() > BODY_BYTES_MAX {
                return Err(invalid("the end of a chunk"));
            }
        }
    }

    async fn read_line(&mut self) -> std::io::Result<String> {
        loop {
            if let Some(end) = self.buffer.windows(2).position(|pair| pair == b"\r\n") {
                let line = self.buffer.split_to(end + 2);
                return Ok(String::from_utf8_lossy(line.get(..end).unwrap_or_default()).into_owned());
            }
            if self.buffer.len() > HEAD_BYTES_MAX {
                return Err(invalid("a line is too long"));
            }
            self.read_more().await?;
        }
    }

    async fn read_to_end(&mut self) -> std::io::Result<Bytes> {
        while self.buffer.len() <= BODY_BYTES_MAX && self.stream.read_buf(&mut self.buffer).await? > 0 {}
        Ok(self.buffer.split().freeze())
    }

    async fn read_more(&mut self) -> std::io::Result<()> {
        match self.stream.read_buf(&mut self.buffer).await? {
            0 => Err(std::io::Error::new(std::io::ErrorKind::UnexpectedEof, "the server closed the connection")),
            _ => Ok(()),
        }
    }
}

fn head_of(request: &Request<()>) -> String {
    let path = request.uri().path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
    let host = request.uri().authority().map_or("", http::uri::Authority::as_str);
    let mut head = format!("{} {path} HTTP/1.1\r\nhost: {host}\r\n", request.method());
    for (name, value) in request.headers() {
        let _ = write!(head, "{name}: {}\r\n", String::from_utf8_lossy(value.as_bytes()));
    }
    head.push_str("\r\n");
    head
}

/// None while it is not whole.
fn parse_head(received: &[u8]) -> std::io::Result<Option<(Head, usize)>> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut response = httparse::Response::new(&mut headers);
    let parsed = response.parse(received).map_err(|e| invalid(&e.to_string()))?;
    let httparse::Status::Complete(length) = parsed else { return Ok(None) };
    let status = response.code.and_then(|code| StatusCode::from_u16(code).ok()).ok_or_else(|| invalid("the status"))?;
    let find = |name: header::HeaderName| {
        let found = response.headers.iter().find(|h| h.name.eq_ignore_ascii_case(name.as_str()));
        found.map(|h| String::from_utf8_lossy(h.value).trim().to_owned())
    };
    let says = |name, word: &str| find(name).is_some_and(|v| v.to_ascii_lowercase().contains(word));
    let length_told = match find(header::CONTENT_LENGTH) {
        Some(text) => Some(text.parse().map_err(|_| invalid("content-length"))?),
        None => None,
    };
    let old = response.version == Some(0) && !says(header::CONNECTION, "keep-alive");
    let head = Head {
        status,
        headers: headers_of(response.headers),
        server: find(header::SERVER),
        retry_after: find(header::RETRY_AFTER).is_some(),
        length: length_told,
        chunked: says(header::TRANSFER_ENCODING, "chunked"),
        close: says(header::CONNECTION, "close") || old,
    };
    Ok(Some((head, length)))
}

/// Those that can be sent on.
fn headers_of(received: &[httparse::Header<'_>]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for one in received {
        let name = HeaderName::from_bytes(one.name.as_bytes());
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_bytes(one.value)) {
            headers.append(name, value);
        }
    }
    headers
}

fn invalid(why: &str) -> std::io::Error {
    std::io::Error::new(std::io::ErrorKind::InvalidData, why)
}

const HEADERS_MAX: usize = 96;
const HEAD_BYTES_MAX: usize = 64 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_tells_how_its_body_ends() {
        let parse = |text: &str| parse_head(text.as_bytes()).unwrap();
        let (head, length) = parse("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nServer: x/1\r\n\r\nhello").unwrap();
        assert_eq!((head.status.as_u16(), head.length, head.close, length), (200, Some(5), false, 51));
        assert_eq!(head.server.as_deref(), Some("x/1"));
        let (head, _) =
            parse("HTTP/1.1 503 X\r\nTransfer-Encoding: chunked\r\nConnection: Close\r\nRetry-After: 1\r\n\r\n")
                .unwrap();
        assert!(head.chunked && head.close && head.retry_after);
        assert!(parse("HTTP/1.0 200 OK\r\n\r\n").unwrap().0.close, "kept alive only where it is said");
        assert!(parse("HTTP/1.1 200 OK\r\nContent-Le").is_none());
        assert!(parse_head(b"SSH-2.0-x\r\n\r\n").is_err());
        assert!(parse_head(b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n").is_err());
    }

    #[test]
    fn a_request_names_its_host_and_path() {
        let mut request = Request::new(());
        *request.uri_mut() = http::Uri::from_static("https://a.example:8443/oauth/token?x=1");
        request.headers_mut().insert(header::ACCEPT, http::HeaderValue::from_static("*/*"));
        assert_eq!(head_of(&request), "GET /oauth/token?x=1 HTTP/1.1\r\nhost: a.example:8443\r\naccept: */*\r\n\r\n");
    }
}
