//! Requests and replies as the shards and the backend exchange them.
//!
//! A hot handler sees a borrowed [`Request`] and answers with an [`Outcome`] at once; what it cannot
//! answer becomes an owned [`ColdRequest`] on the backend. A [`Reply`] is the same in both worlds.

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use std::net::IpAddr;

/// The largest request body that any route may accept; a route's own limit is lower.
pub const BODY_BYTES_MAX: usize = 64 * 1024;

/// One request on a shard, borrowed from the connection's buffers.
pub struct Request<'a> {
    pub method: &'a Method,
    /// As sent, not decoded; begins with `/`, or is `*` (OPTIONS) or nothing (CONNECT).
    pub path: &'a str,
    pub query: Option<&'a str>,
    /// `:authority`, or `Host` when the peer sent none; empty when it sent neither.
    pub authority: &'a str,
    pub headers: &'a HeaderMap,
    pub body: &'a [u8],
    /// The peer of the connection (after PROXY protocol, where that is on).
    pub peer: IpAddr,
}

/// What a hot handler decides.
pub enum Outcome {
    Reply(Reply),
    /// The cold twin of a route answers.
    Cold(Cold),
}

/// A request on its way to the backend.
#[derive(Clone, Copy)]
pub struct Cold {
    /// The service's own index of the route.
    pub route: u16,
    /// Who is answerable for it.
    pub address: IpAddr,
}

/// A request handed to the backend; owns everything it needs.
pub struct ColdRequest {
    pub route: u16,
    pub method: Method,
    pub path: String,
    pub query: Option<String>,
    pub authority: String,
    pub headers: HeaderMap,
    pub body: Bytes,
    pub peer: IpAddr,
}

/// An answer: status, headers, body. `content-length` is not needed in HTTP/2 and not sent.
#[derive(Clone)]
pub struct Reply {
    pub status: StatusCode,
    /// Headers beside `headers`, ready for the wire.
    pub ready: Ready,
    /// More of them, encoded when the answer was first made. None may be in `headers` too.
    pub block: Block,
    pub headers: HeaderMap,
    pub body: Bytes,
}

/// Headers of one's own that many replies will have, encoded once; a clone is a count.
#[derive(Clone, Default)]
pub struct Block(Bytes);

impl Block {
    pub fn of(headers: &HeaderMap) -> Self {
        let mut block = Vec::new();
        crate::h2::hpack::encode::headers(&mut block, headers);
        Self(block.into())
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The headers again, for tests.
    pub fn to_headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        // It is of our own making and names nothing that a peer's table holds.
        let _ = crate::h2::hpack::Decoder::default().decode(&self.0, |field, _| {
            if let crate::h2::hpack::Field::Header(name, value) = field {
                headers.append(name.clone(), value.clone());
            }
        });
        headers
    }
}

/// Headers that most replies have, as the field block that they are sent as: hashing and encoding them anew would cost
/// more than all else that a cached answer needs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ready {
    #[default]
    None,
    /// `content-type: application/json`, `cache-control: no-store`.
    NoStoreJson,
}

impl Ready {
    /// HPACK literals, never kept, with the names 31 and 24 of the static table.
    pub(crate) fn block(self) -> &'static [u8] {
        match self {
            Self::None => b"",
            Self::NoStoreJson => b"\x0f\x10\x10application/json\x0f\x09\x08no-store",
        }
    }

    fn headers(self) -> &'static [(HeaderName, HeaderValue)] {
        static NO_STORE_JSON: [(HeaderName, HeaderValue); 2] = [
            (CONTENT_TYPE, HeaderValue::from_static("application/json")),
            (CACHE_CONTROL, HeaderValue::from_static("no-store")),
        ];
        match self {
            Self::None => &[],
            Self::NoStoreJson => &NO_STORE_JSON,
        }
    }
}

impl Reply {
    pub fn empty(status: StatusCode) -> Self {
        Self { status, ready: Ready::None, block: Block::default(), headers: HeaderMap::new(), body: Bytes::new() }
    }

    /// A body that nobody may store: tokens, and everything said about them.
    pub fn no_store_json(status: StatusCode, body: impl Into<Bytes>) -> Self {
        Self { ready: Ready::NoStoreJson, body: body.into(), ..Self::empty(status) }
    }

    /// Sets a header; one of the ready ones is replaced.
    #[must_use]
    pub fn with(mut self, name: HeaderName, value: HeaderValue) -> Self {
        if self.ready.headers().iter().any(|(ready, _)| *ready == name) {
            let ready = std::mem::take(&mut self.ready);
            self.headers.extend(ready.headers().iter().cloned());
        }
        self.headers.insert(name, value);
        self
    }

    #[must_use]
    pub fn with_status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }
}

/// The address a request came from: the peer, or, when the peer is a trusted proxy, the rightmost
/// `X-Forwarded-For` entry that is not one (read right to left, so that a client cannot invent it).
pub fn client_address(peer: IpAddr, headers: &HeaderMap, trusted: &[crate::settings::Network]) -> IpAddr {
    let is_trusted = |address: IpAddr| trusted.iter().any(|network| network.contains(address));
    let mut nearest = peer.to_canonical();
    if !is_trusted(nearest) {
        return nearest;
    }
    for value in headers.get_all("x-forwarded-for").iter().rev() {
        let Ok(value) = value.to_str() else { return nearest };
        for entry in value.rsplit(',') {
            let Some(address) = parse_forwarded(entry.trim()) else { return nearest };
            nearest = address;
            if !is_trusted(nearest) {
                return nearest;
            }
        }
    }
    nearest
}

fn parse_forwarded(entry: &str) -> Option<IpAddr> {
    let bare = entry.trim_start_matches('[').trim_end_matches(']');
    bare.parse::<IpAddr>()
        .ok()
        .or_else(|| entry.parse::<std::net::SocketAddr>().ok().map(|address| address.ip()))
        .map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Network;

    #[test]
    fn ready_headers_are_what_they_say_and_can_be_replaced() {
        let mut map = HeaderMap::new();
        map.extend(Ready::NoStoreJson.headers().iter().cloned());
        let mut block = Vec::new();
        crate::h2::hpack::encode::headers(&mut block, &map);
        assert_eq!(Ready::NoStoreJson.block(), block);
        let reply = Reply::no_store_json(StatusCode::OK, "{}").with(CONTENT_TYPE, HeaderValue::from_static("a/b"));
        assert_eq!(reply.ready, Ready::None);
        assert_eq!(reply.headers.get_all(CONTENT_TYPE).iter().collect::<Vec<_>>(), ["a/b"]);
        assert_eq!(reply.headers.get(CACHE_CONTROL).unwrap(), "no-store");
    }

    #[test]
    fn a_block_is_its_headers() {
        let mut headers = HeaderMap::new();
        headers.append(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.append("x-auth-subject", HeaderValue::from_static("a"));
        headers.append("x-auth-subject", HeaderValue::from_static("b"));
        let block = Block::of(&headers);
        let mut encoded = Vec::new();
        crate::h2::hpack::encode::headers(&mut encoded, &headers);
        assert_eq!(block.as_bytes(), encoded);
        assert_eq!(block.to_headers(), headers);
        assert!(Block::default().to_headers().is_empty());
    }

    #[test]
    fn forwarded_addresses_are_read_right_to_left() {
        let trusted = [Network::parse("10.0.0.0/8").unwrap()];
        let proxy: IpAddr = "10.0.0.1".parse().unwrap();
        let stranger: IpAddr = "192.0.2.9".parse().unwrap();
        for (reason, peer, header, expected) in [
            ("no header: the proxy itself", proxy, None, "10.0.0.1"),
            ("an untrusted peer's header is ignored", stranger, Some("198.51.100.1"), "192.0.2.9"),
            ("the entry the proxy appended counts", proxy, Some("6.6.6.6, 198.51.100.1"), "198.51.100.1"),
            ("a chain of trusted proxies is walked", proxy, Some("198.51.100.1, 10.1.1.1"), "198.51.100.1"),
            ("nonsense stops the walk", proxy, Some("198.51.100.1, what"), "10.0.0.1"),
            ("a port is allowed", proxy, Some("[2001:db8::1]:443"), "2001:db8::1"),
        ] {
            let mut headers = HeaderMap::new();
            if let Some(header) = header {
                headers.insert("x-forwarded-for", header.parse().unwrap());
            }
            assert_eq!(client_address(peer, &headers, &trusted), expected.parse::<IpAddr>().unwrap(), "{reason}");
        }
    }
}
