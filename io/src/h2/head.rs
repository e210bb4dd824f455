//! The head of a request, from its fields (RFC 9113 section 8.2 and 8.3).
//!
//! What is malformed ends the stream and never reaches a handler: pseudo-header fields that are missing, doubled, unknown
//! or late, names in capitals, fields of a connection (`connection`, `transfer-encoding` ...), a `te` other than
//! `trailers`, a target or authority that holds anything but visible ASCII, userinfo, a doubled `content-length`.
//! Cookies that came in pieces are joined (section 8.2.3).

use super::hpack::{Field, Pseudo};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};

/// A request's head. Every text in it is visible ASCII, but for the values of `headers`.
#[derive(Debug)]
pub struct Head {
    pub method: Method,
    pub headers: HeaderMap,
    /// The length that the request announced.
    pub content_length: Option<u64>,
    /// What its fields count: name, value and 32 bytes each.
    pub list_bytes: usize,
    target: Bytes,
    /// Where the query's question mark stands.
    query_at: Option<usize>,
    authority: Option<Bytes>,
}

/// Why a request has no head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeadFault {
    /// A stream error of type `PROTOCOL_ERROR` (section 8.1.1).
    Malformed,
    /// Longer than the announced `SETTINGS_MAX_HEADER_LIST_SIZE`: 431.
    TooLarge,
}

impl Head {
    pub fn path(&self) -> &str {
        text(self.target.get(..self.query_at.unwrap_or(self.target.len())))
    }

    pub fn query(&self) -> Option<&str> {
        self.query_at.map(|at| text(self.target.get(at + 1..)))
    }

    /// Whether the peer waits for a 100 before it sends the body.
    pub fn expects_continue(&self) -> bool {
        self.headers.get(header::EXPECT).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue"))
    }

    /// `:authority`, or `host` when the peer sent none; empty when it sent neither. `None`: they contradict each other.
    pub fn authority(&self) -> Option<&str> {
        self.authority.as_ref().map(|authority| text(Some(authority)))
    }
}

/// Checked when the head was made: it is ASCII.
fn text(bytes: Option<&[u8]>) -> &str {
    bytes.and_then(|bytes| std::str::from_utf8(bytes).ok()).unwrap_or_default()
}

/// Takes the fields of one block, in order.
pub struct Builder {
    method: Option<Method>,
    scheme: Option<()>,
    authority: Option<Bytes>,
    target: Option<Bytes>,
    headers: HeaderMap,
    content_length: Option<u64>,
    bytes: usize,
    bytes_max: usize,
    fault: Option<HeadFault>,
}

impl Builder {
    /// `bytes_max` counts name, value and 32 bytes a field.
    pub fn new(bytes_max: usize) -> Self {
        Self {
            method: None,
            scheme: None,
            authority: None,
            target: None,
            headers: HeaderMap::new(),
            content_length: None,
            bytes: 0,
            bytes_max,
            fault: None,
        }
    }

    /// The next field, which counts `bytes`. Beyond a fault nothing is kept.
    pub fn take(&mut self, field: &Field, bytes: usize) {
        self.bytes = self.bytes.saturating_add(bytes);
        if self.fault.is_some() {
            return;
        }
        if self.bytes > self.bytes_max {
            self.fault = Some(HeadFault::TooLarge);
            return;
        }
        let taken = match field {
            Field::Pseudo(pseudo, value) => self.take_pseudo(*pseudo, value),
            Field::Header(name, value) => self.take_header(name, value),
            Field::Bad => None,
        };
        if taken.is_none() {
            self.fault = Some(HeadFault::Malformed);
        }
    }

    fn take_pseudo(&mut self, pseudo: Pseudo, value: &Bytes) -> Option<()> {
        if !self.headers.is_empty() {
            return None;
        }
        match pseudo {
            Pseudo::Method => set(&mut self.method, Method::from_bytes(value).ok()?),
            Pseudo::Scheme => set(&mut self.scheme, is_scheme(value).then_some(())?),
            Pseudo::Authority => set(&mut self.authority, is_authority(value).then(|| value.clone())?),
            Pseudo::Path => set(&mut self.target, is_visible(value).then(|| value.clone())?),
            Pseudo::Other => None,
        }
    }

    fn take_header(&mut self, name: &HeaderName, value: &HeaderValue) -> Option<()> {
        if *name == header::CONTENT_LENGTH {
            set(&mut self.content_length, parse_length(value)?)?;
        } else if is_of_connection(name) || (*name == header::TE && value != "trailers") {
            return None;
        }
        self.headers.try_append(name.clone(), value.clone()).ok().map(|_| ())
    }

    /// The head of a request.
    ///
    /// # Errors
    /// The fault of the first field that had one, or of what is missing.
    pub fn finish(mut self) -> Result<Head, HeadFault> {
        if let Some(fault) = self.fault {
            return Err(fault);
        }
        let method = self.method.ok_or(HeadFault::Malformed)?;
        let target = if method == Method::CONNECT {
            // Section 8.5: an authority, and neither scheme nor path.
            let is_well_formed = self.authority.is_some() && self.scheme.is_none() && self.target.is_none();
            is_well_formed.then(Bytes::new).ok_or(HeadFault::Malformed)?
        } else {
            self.scheme.ok_or(HeadFault::Malformed)?;
            self.target.filter(|target| is_target(target, &method)).ok_or(HeadFault::Malformed)?
        };
        join_cookies(&mut self.headers);
        let authority = agree(self.authority, &self.headers);
        let query_at = target.iter().position(|byte| *byte == b'?');
        Ok(Head {
            method,
            headers: self.headers,
            content_length: self.content_length,
            list_bytes: self.bytes,
            target,
            query_at,
            authority,
        })
    }

    /// Trailers: no pseudo-header fields; the others are passed over.
    ///
    /// # Errors
    /// As [`Self::finish`].
    pub fn finish_trailers(self) -> Result<(), HeadFault> {
        let has_pseudo =
            self.method.is_some() || self.scheme.is_some() || self.authority.is_some() || self.target.is_some();
        self.fault.or(has_pseudo.then_some(HeadFault::Malformed)).map_or(Ok(()), Err)
    }
}

/// Sets what must not be set twice.
fn set<T>(place: &mut Option<T>, value: T) -> Option<()> {
    place.replace(value).is_none().then_some(())
}

fn is_visible(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(u8::is_ascii_graphic)
}

fn is_scheme(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'))
}

/// `host` or `host:port`; userinfo is forbidden (section 8.3.1).
fn is_authority(text: &[u8]) -> bool {
    !text.contains(&b'@') && http::uri::Authority::try_from(text).is_ok()
}

/// A path and query; what follows a `#` is never sent.
fn is_target(target: &[u8], method: &Method) -> bool {
    (target.first() == Some(&b'/') && !target.contains(&b'#')) || (target == b"*" && *method == Method::OPTIONS)
}

fn parse_length(value: &HeaderValue) -> Option<u64> {
    let text = value.to_str().ok()?;
    // `parse` would take a plus sign.
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

/// Section 8.2.2.
fn is_of_connection(name: &HeaderName) -> bool {
    *name == header::CONNECTION
        || *name == header::TRANSFER_ENCODING
        || *name == header::UPGRADE
        || name == "keep-alive"
        || name == "proxy-connection"
}

fn join_cookies(headers: &mut HeaderMap) {
    let mut pieces = headers.get_all(header::COOKIE).iter();
    if pieces.nth(1).is_none() {
        return;
    }
    let pieces: Vec<&[u8]> = headers.get_all(header::COOKIE).iter().map(HeaderValue::as_bytes).collect();
    if let Ok(joined) = HeaderValue::from_bytes(&pieces.join(&b"; "[..])) {
        headers.insert(header::COOKIE, joined);
    }
}

/// One authority from `:authority` and `host`; both must agree when both are there. `None`: contradictory.
fn agree(authority: Option<Bytes>, headers: &HeaderMap) -> Option<Bytes> {
    let mut hosts = headers.get_all(header::HOST).iter();
    let host = hosts.next();
    if hosts.next().is_some() {
        return None;
    }
    match (authority, host) {
        (Some(authority), Some(host)) => authority.eq_ignore_ascii_case(host.as_bytes()).then_some(authority),
        (Some(authority), None) => Some(authority),
        (None, Some(host)) => is_authority(host.as_bytes()).then(|| Bytes::copy_from_slice(host.as_bytes())),
        (None, None) => Some(Bytes::new()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: [(&str, &str); 4] =
        [(":method", "POST"), (":scheme", "https"), (":path", "/a/b?c=d"), (":authority", "example.com:8443")];

    fn built(fields: &[(&str, &str)]) -> Builder {
        let mut builder = Builder::new(1000);
        for (name, value) in fields {
            // As HPACK gives them.
            let value = Bytes::copy_from_slice(value.as_bytes());
            let field = Field::of(name.as_bytes(), value);
            builder.take(&field, name.len() + 32);
        }
        builder
    }

    fn with(extra: &[(&'static str, &'static str)]) -> Result<Head, HeadFault> {
        built(&[&GOOD[..], extra].concat()).finish()
    }

    #[test]
    fn a_head_is_taken_apart() {
        let head = with(&[("content-length", "12"), ("x-a", "1"), ("x-a", "2")]).unwrap();
        assert_eq!((head.path(), head.query(), head.authority()), ("/a/b", Some("c=d"), Some("example.com:8443")));
        assert_eq!((&head.method, head.content_length), (&Method::POST, Some(12)));
        assert_eq!(head.headers.get_all("x-a").iter().count(), 2);
        let head = built(&[(":method", "OPTIONS"), (":scheme", "https"), (":path", "*")]).finish().unwrap();
        assert_eq!((head.path(), head.query(), head.authority()), ("*", None, Some("")));
        let head = built(&[(":method", "CONNECT"), (":authority", "a:1")]).finish().unwrap();
        assert_eq!((head.path(), head.authority()), ("", Some("a:1")));
        let head = with(&[("x", " \ta b\t ")]).unwrap();
        assert_eq!(head.headers.get("x").unwrap(), "a b");
        let head = with(&[("cookie", "a=b"), ("cookie", "c=d")]).unwrap();
        assert_eq!(head.headers.get_all("cookie").iter().collect::<Vec<_>>(), ["a=b; c=d"]);
    }

    #[test]
    fn host_and_authority_agree_or_there_is_none() {
        for (reason, extra, expected) in [
            ("the same", &[("host", "example.com:8443")][..], Some("example.com:8443")),
            ("in capitals", &[("host", "EXAMPLE.com:8443")], Some("example.com:8443")),
            ("another", &[("host", "evil.example")], None),
            ("two", &[("host", "example.com:8443"), ("host", "example.com:8443")], None),
        ] {
            assert_eq!(with(extra).unwrap().authority(), expected, "{reason}");
        }
        let without = [GOOD[0], GOOD[1], GOOD[2], ("host", "b.example")];
        assert_eq!(built(&without).finish().unwrap().authority(), Some("b.example"));
        for host in ["", "a@b", "a b", "a/b"] {
            let without = [GOOD[0], GOOD[1], GOOD[2], ("host", host)];
            assert_eq!(built(&without).finish().unwrap().authority(), None, "{host:?}");
        }
    }

    #[test]
    fn what_is_malformed_has_no_head() {
        for (reason, extra) in [
            ("a pseudo-header field twice", &[(":path", "/")][..]),
            ("an unknown one", &[(":status", "200")]),
            ("an extended one that is not offered", &[(":protocol", "websocket")]),
            ("one after a field", &[("x", "y"), (":status", "200")]),
            ("a name in capitals", &[("X-A", "1")]),
            ("an empty name", &[("", "1")]),
            ("connection", &[("connection", "close")]),
            ("keep-alive", &[("keep-alive", "1")]),
            ("proxy-connection", &[("proxy-connection", "1")]),
            ("transfer-encoding", &[("transfer-encoding", "chunked")]),
            ("upgrade", &[("upgrade", "h2c")]),
            ("te", &[("te", "trailers, deflate")]),
            ("two lengths", &[("content-length", "1"), ("content-length", "1")]),
            ("a signed length", &[("content-length", "+1")]),
            ("no number", &[("content-length", "")]),
            ("a length beyond numbers", &[("content-length", "99999999999999999999")]),
            ("a line break", &[("x", "a\nb")]),
            ("a line break at the end", &[("x", "a\r\n")]),
            ("a line break at the start", &[("x", "\na")]),
            ("a length with a line break", &[("content-length", "5\r")]),
        ] {
            assert_eq!(with(extra).err(), Some(HeadFault::Malformed), "{reason}");
        }
        for (at, value) in [
            (0, ""),
            (0, "GE T"),
            (1, ""),
            (2, ""),
            (2, "a"),
            (2, "*"),
            (2, "/a b"),
            (2, "/\u{e4}"),
            (2, "/\0"),
            (2, "/a#b"),
            (3, ""),
            (3, "a@b"),
            (3, "a b"),
            (3, "a/b"),
        ] {
            let mut fields = GOOD;
            fields[at].1 = value;
            assert_eq!(built(&fields).finish().err(), Some(HeadFault::Malformed), "{} {value:?}", fields[at].0);
        }
        for missing in GOOD.iter().take(3) {
            let fields: Vec<_> = GOOD.into_iter().filter(|field| field != missing).collect();
            assert_eq!(built(&fields).finish().err(), Some(HeadFault::Malformed), "without {}", missing.0);
        }
        for fields in [&[(":method", "CONNECT")][..], &[(":method", "CONNECT"), (":authority", "a"), (":path", "/")]] {
            assert_eq!(built(fields).finish().err(), Some(HeadFault::Malformed), "{fields:?}");
        }
        assert!(with(&[("te", "trailers")]).is_ok());
    }

    #[test]
    fn a_long_list_is_too_large_and_nothing_of_it_is_kept() {
        let many = vec![("x", "y"); 40];
        let builder = built(&[&GOOD[..], &many].concat());
        assert!(builder.headers.len() < 40);
        assert_eq!(builder.finish().err(), Some(HeadFault::TooLarge));
    }

    #[test]
    fn trailers_hold_no_pseudo_header_fields() {
        assert_eq!(built(&[("x", "y")]).finish_trailers(), Ok(()));
        assert_eq!(built(&[]).finish_trailers(), Ok(()));
        for fields in [&[(":method", "GET")][..], &[("x", "y"), (":path", "/")], &[(":status", "200")]] {
            assert_eq!(built(fields).finish_trailers(), Err(HeadFault::Malformed), "{fields:?}");
        }
    }
}
