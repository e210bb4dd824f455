//! The one answer to a client without ALPN: HTTP/1.x gets a fixed 505 that names the cure.
//!
//! Nothing else is ever served that way; what is not an HTTP/1.x request gets nothing. Limits:
//! [`PLAIN_REQUEST_DEADLINE`] and [`PLAIN_REQUEST_BYTES_MAX`].

use crate::tls_io::TlsIo;
use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

/// A peer without ALPN gets this long, and this many bytes, to say what it speaks.
pub(crate) const PLAIN_REQUEST_DEADLINE: Duration = Duration::from_secs(5);
const PLAIN_REQUEST_BYTES_MAX: usize = 8 * 1024;

const NOT_HTTP1: &str = "HTTP/1.1 505 HTTP Version Not Supported\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: 183\r\nconnection: close\r\n\r\nThis server speaks HTTP/2 over TLS only, and your client offered no ALPN.\nLet it offer \"h2\" (curl: --http2), or put a proxy in front: see docs/CLIENTS.md in the SigID documentation.\n\n";

/// Answers and ends the connection; `true` when the client spoke HTTP/1.x.
pub(crate) async fn refuse(mut io: TlsIo) -> bool {
    let Some(head) = read_plain(&mut io).await else { return false };
    if !is_http1(&head) {
        return false;
    }
    let _ = io.write(NOT_HTTP1.as_bytes());
    io.close_notify();
    let _ = poll_fn(|cx| io.push(cx)).await;
    io.linger().await;
    true
}

/// Reads up to the end of a request head, or as far as the limit.
async fn read_plain(io: &mut TlsIo) -> Option<Vec<u8>> {
    let mut head = Vec::new();
    while head.len() < PLAIN_REQUEST_BYTES_MAX {
        let has_more = poll_fn(|cx| {
            io.turn();
            let polled = io.poll_readable(cx);
            match io.push(cx) {
                Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
                _ => polled,
            }
        })
        .await
        .ok()?;
        if !has_more {
            return None;
        }
        let plaintext = io.plaintext();
        head.extend_from_slice(plaintext);
        let taken = plaintext.len();
        io.consume(taken);
        if head.windows(4).any(|window| window == b"\r\n\r\n") || head.starts_with(b"PRI ") {
            break;
        }
    }
    Some(head)
}

fn is_http1(head: &[u8]) -> bool {
    let line = head.split(|byte| *byte == b'\r').next().unwrap_or_default();
    line.windows(9).any(|window| window.starts_with(b" HTTP/1.") || window.starts_with(b" HTTP/0."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fixed_answer_has_the_length_it_says() {
        let (head, body) = NOT_HTTP1.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("content-length: {}\r\n", body.len())), "{}", body.len());
    }

    #[test]
    fn only_http1_requests_get_the_fixed_answer() {
        for (reason, head, expected) in [
            ("a plain request", &b"GET / HTTP/1.1\r\nhost: a\r\n\r\n"[..], true),
            ("the oldest version", b"GET / HTTP/1.0\r\n\r\n", true),
            ("the preface of HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", false),
            ("noise", b"\x16\x03\x01", false),
            ("the version only in a header", b"GET /\r\nx: HTTP/1.1\r\n\r\n", false),
        ] {
            assert_eq!(is_http1(head), expected, "{reason}");
        }
    }
}
