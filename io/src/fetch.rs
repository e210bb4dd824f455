//! One document from a foreign server, asked for by somebody who was told its address: GET over HTTP/1.1 (RFC 9112).
//!
//! The address is not trusted. Its host is looked up once, every address found must be one that the whole internet can
//! reach, and the connection goes to what was checked, not to the name again: an answer that changes between check and
//! use (DNS rebinding) changes nothing. Https only; in development plain http and https to this machine as well. No
//! redirect is followed, since it would be another address; no credential is sent; the answer is bounded in bytes and by
//! one deadline from the first lookup to the last byte.
//!
//! Limits: [`FETCH_DEADLINE`], [`FETCH_HEAD_BYTES_MAX`], and the caller's on the body. Attacks considered: addresses of this
//! machine or its network in whatever notation (decimal, mapped into IPv6, 6to4, NAT64; what is not an address is a name
//! and is looked up), metadata services (169.254.0.0/16), a user and password that hide the host, a line break in the
//! address, an endless or compressed answer, lengths that contradict each other.

use crate::mail::dial::{Stream, Tls};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// From the lookup of the name to the last byte.
pub const FETCH_DEADLINE: Duration = Duration::from_secs(10);
/// Bytes of the answer's head.
pub const FETCH_HEAD_BYTES_MAX: usize = 16 * 1024;
/// Bytes of an address.
pub const FETCH_ADDRESS_BYTES_MAX: usize = 2048;

/// Where one may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// The internet, over https.
    Internet,
    /// This machine as well, also over http: development.
    InternetAndLoopback,
}

/// Why nothing was fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FetchFault {
    /// Not `https://HOST[:PORT][/...]`.
    Address,
    /// Http is for this machine, in development.
    NotHttps,
    Unknown,
    /// The host is this machine, or in a network that the internet cannot reach.
    Private,
    Unreachable,
    Tls,
    Timeout,
    Protocol,
    /// It answered with this status.
    Status(u16),
    TooLarge,
}

impl fmt::Display for FetchFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address => f.write_str("the address is not https://HOST/PATH"),
            Self::NotHttps => f.write_str("the address is not https"),
            Self::Unknown => f.write_str("there is no such host"),
            Self::Private => f.write_str("the host is not on the internet, and is not asked"),
            Self::Unreachable => f.write_str("the host cannot be reached"),
            Self::Tls => f.write_str("the host's certificate or TLS is not good"),
            Self::Timeout => write!(f, "the host did not answer within {} seconds", FETCH_DEADLINE.as_secs()),
            Self::Protocol => f.write_str("the host did not answer in HTTP/1.1"),
            Self::Status(status @ 300..=399) => {
                write!(f, "the host answered {status}; redirects are not followed, name the address it leads to")
            }
            Self::Status(status) => write!(f, "the host answered {status}"),
            Self::TooLarge => f.write_str("the answer is too large"),
        }
    }
}

impl std::error::Error for FetchFault {}

/// The body of the answer, at most `bytes_max` of it.
///
/// # Errors
/// See [`FetchFault`].
pub async fn fetch(address: &str, accept: &str, bytes_max: usize, reach: Reach) -> Result<Vec<u8>, FetchFault> {
    let target = Target::parse(address)?;
    let fetching = async {
        let found = resolve(&target, reach).await?;
        exchange(&target, found, accept, bytes_max).await
    };
    tokio::time::timeout(FETCH_DEADLINE, fetching).await.unwrap_or(Err(FetchFault::Timeout))
}

/// An address, taken apart.
#[derive(Debug, PartialEq, Eq)]
struct Target {
    is_https: bool,
    /// A name, or an IP address without brackets.
    host: String,
    port: u16,
    /// Path and query.
    path: String,
}

impl Target {
    fn parse(address: &str) -> Result<Self, FetchFault> {
        let is_plain = address.bytes().all(|byte| byte.is_ascii_graphic() && !b"\\#\"<>^`{|}".contains(&byte));
        if !is_plain || address.len() > FETCH_ADDRESS_BYTES_MAX {
            return Err(FetchFault::Address);
        }
        let (scheme, rest) = address.split_once("://").ok_or(FetchFault::Address)?;
        let is_https = match scheme.to_ascii_lowercase().as_str() {
            "https" => true,
            "http" => false,
            _ => return Err(FetchFault::Address),
        };
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        let (host, port) = split_authority(authority).ok_or(FetchFault::Address)?;
        let port = port.unwrap_or(if is_https { 443 } else { 80 });
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        Ok(Self { is_https, host, port, path })
    }

    /// For the Host field.
    fn authority(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        let standard = if self.is_https { 443 } else { 80 };
        if self.port == standard { host } else { format!("{host}:{}", self.port) }
    }
}

/// Host and port; `None` for user information and whatever else is neither a name nor an address.
fn split_authority(authority: &str) -> Option<(String, Option<u16>)> {
    let (host, port) = if let Some(rest) = authority.strip_prefix('[') {
        let (host, after) = rest.split_once(']')?;
        host.parse::<Ipv6Addr>().ok()?;
        (host, if after.is_empty() { None } else { Some(after.strip_prefix(':')?) })
    } else {
        let (host, port) = authority.split_once(':').map_or((authority, None), |(host, port)| (host, Some(port)));
        let is_name = host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte));
        if host.is_empty() || host.len() > 253 || !is_name {
            return None;
        }
        (host, port)
    };
    let port = match port {
        Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
            Some(digits.parse().ok().filter(|port| *port != 0)?)
        }
        Some(_) => return None,
        None => None,
    };
    Some((host.to_ascii_lowercase(), port))
}

/// The addresses of the host, each of them allowed.
async fn resolve(target: &Target, reach: Reach) -> Result<Vec<SocketAddr>, FetchFault> {
    let found = tokio::net::lookup_host((target.host.as_str(), target.port)).await.map_err(|_| FetchFault::Unknown)?;
    let found: Vec<SocketAddr> = found.collect();
    check_reach(target.is_https, &found, reach)?;
    Ok(found)
}

fn check_reach(is_https: bool, found: &[SocketAddr], reach: Reach) -> Result<(), FetchFault> {
    if found.is_empty() {
        return Err(FetchFault::Unknown);
    }
    let is_here = |found: &SocketAddr| found.ip().to_canonical().is_loopback();
    if reach == Reach::InternetAndLoopback && found.iter().all(is_here) {
        return Ok(());
    }
    if !found.iter().all(|found| is_public(found.ip())) {
        return Err(FetchFault::Private);
    }
    if is_https { Ok(()) } else { Err(FetchFault::NotHttps) }
}

/// Whether the whole internet reaches it (the special-purpose registries of IANA, RFC 6890).
pub fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let is_special = match address.octets() {
        // This network, private, loopback, link-local.
        [0 | 10 | 127, ..] | [169, 254, ..] | [192, 168, ..]
        // Protocol assignments, documentation, relays of 6to4, benchmarks.
        | [192, 0, 0 | 2, _] | [192, 88, 99, _] | [198, 18 | 19, ..] | [198, 51, 100, _] | [203, 0, 113, _] => true,
        [172, second, ..] => (16..=31).contains(&second),
        // Shared by carriers.
        [100, second, ..] => (64..=127).contains(&second),
        // Multicast, reserved, broadcast.
        [first, ..] => first >= 224,
    };
    !is_special
}

/// Of 2000::/3, what holds no other address inside and is nobody's example.
fn is_public_v6(address: Ipv6Addr) -> bool {
    match address.segments() {
        // Protocol assignments with Teredo and ORCHID, 6to4, documentation.
        [0x2001, 0..=0x1ff | 0xdb8, ..] | [0x2002, ..] | [0x3fff, 0..=0xfff, ..] => false,
        [first, ..] => (0x2000..=0x3fff).contains(&first),
    }
}

async fn exchange(
    target: &Target,
    found: Vec<SocketAddr>,
    accept: &str,
    bytes_max: usize,
) -> Result<Vec<u8>, FetchFault> {
    let mut connected = Err(FetchFault::Unreachable);
    for address in found.into_iter().take(ADDRESSES_TRIED_MAX) {
        connected = TcpStream::connect(address).await.map_err(|_| FetchFault::Unreachable);
        if connected.is_ok() {
            break;
        }
    }
    let mut stream: Box<dyn Stream> = if target.is_https {
        let tls = Tls::new(&target.host, None, &["http/1.1"]).map_err(|_| FetchFault::Tls)?;
        tls.wrap(connected?).await.map_err(|_| FetchFault::Tls)?
    } else {
        Box::new(connected?)
    };
    let request = format!(
        "GET {} HTTP/1.1\r\nhost: {}\r\naccept: {accept}\r\naccept-encoding: identity\r\nuser-agent: SigID\r\n\
         connection: close\r\n\r\n",
        target.path,
        target.authority()
    );
    stream.write_all(request.as_bytes()).await.map_err(|_| FetchFault::Unreachable)?;
    stream.flush().await.map_err(|_| FetchFault::Unreachable)?;
    read_answer(&mut stream, bytes_max).await
}

async fn read_answer(stream: &mut Box<dyn Stream>, bytes_max: usize) -> Result<Vec<u8>, FetchFault> {
    let mut bytes = Vec::with_capacity(16 * 1024);
    let head = loop {
        if let Some(head) = read_head(&bytes)? {
            if (100..=199).contains(&head.status) {
                bytes.drain(..head.length);
                continue;
            }
            break head;
        }
        if bytes.len() > FETCH_HEAD_BYTES_MAX {
            return Err(FetchFault::Protocol);
        }
        if stream.read_buf(&mut bytes).await.map_err(|_| FetchFault::Unreachable)? == 0 {
            return Err(FetchFault::Protocol);
        }
    };
    if head.status != 200 {
        return Err(FetchFault::Status(head.status));
    }
    bytes.drain(..head.length);
    read_body(stream, bytes, head.framing, bytes_max).await
}

/// How the end of the body is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Framing {
    Length(usize),
    Chunked,
    Close,
}

struct Head {
    status: u16,
    length: usize,
    framing: Framing,
}

/// `None` while there is more to come.
fn read_head(bytes: &[u8]) -> Result<Option<Head>, FetchFault> {
    let mut fields = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut response = httparse::Response::new(&mut fields);
    let length = match response.parse(bytes) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(_) => return Err(FetchFault::Protocol),
    };
    let status = response.code.ok_or(FetchFault::Protocol)?;
    let framing = framing_of(response.headers)?;
    Ok(Some(Head { status, length, framing }))
}

/// RFC 9112 section 6.3; an answer that says two things says nothing, and one that is encoded was not asked for.
fn framing_of(fields: &[httparse::Header<'_>]) -> Result<Framing, FetchFault> {
    let find = |name: &str| {
        let mut values = fields.iter().filter(|field| field.name.eq_ignore_ascii_case(name)).map(|field| field.value);
        match (values.next(), values.next()) {
            (first, None) => Ok(first),
            _ => Err(FetchFault::Protocol),
        }
    };
    if find("content-encoding")?.is_some_and(|coding| !coding.eq_ignore_ascii_case(b"identity")) {
        return Err(FetchFault::Protocol);
    }
    match (find("transfer-encoding")?, find("content-length")?) {
        (Some(coding), None) if coding.eq_ignore_ascii_case(b"chunked") => Ok(Framing::Chunked),
        (None, Some(digits)) => {
            let digits = std::str::from_utf8(digits).ok().filter(|digits| digits.bytes().all(|b| b.is_ascii_digit()));
            digits.and_then(|digits| digits.parse().ok()).map(Framing::Length).ok_or(FetchFault::Protocol)
        }
        (None, None) => Ok(Framing::Close),
        _ => Err(FetchFault::Protocol),
    }
}

async fn read_body(
    stream: &mut Box<dyn Stream>,
    mut bytes: Vec<u8>,
    framing: Framing,
    bytes_max: usize,
) -> Result<Vec<u8>, FetchFault> {
    if matches!(framing, Framing::Length(length) if length > bytes_max) {
        return Err(FetchFault::TooLarge);
    }
    loop {
        match body_of(&bytes, framing, bytes_max)? {
            Body::Whole(body) => return Ok(body),
            Body::More => {}
        }
        // A chunk costs a few bytes of its own; whoever sends one byte in each is not worth it.
        if bytes.len() > bytes_max.saturating_mul(2) {
            return Err(FetchFault::TooLarge);
        }
        if stream.read_buf(&mut bytes).await.map_err(|_| FetchFault::Unreachable)? == 0 {
            let is_whole = framing == Framing::Close && bytes.len() <= bytes_max;
            return if is_whole { Ok(bytes) } else { Err(FetchFault::Protocol) };
        }
    }
}

enum Body {
    Whole(Vec<u8>),
    More,
}

fn body_of(bytes: &[u8], framing: Framing, bytes_max: usize) -> Result<Body, FetchFault> {
    match framing {
        Framing::Length(length) => Ok(bytes.get(..length).map_or(Body::More, |body| Body::Whole(body.to_vec()))),
        Framing::Close if bytes.len() > bytes_max => Err(FetchFault::TooLarge),
        Framing::Close => Ok(Body::More),
        Framing::Chunked => unchunk(bytes, bytes_max),
    }
}

/// RFC 9112 section 7.1; extensions and trailers are passed over.
fn unchunk(bytes: &[u8], bytes_max: usize) -> Result<Body, FetchFault> {
    let (mut body, mut at) = (Vec::new(), 0);
    loop {
        let rest = bytes.get(at..).unwrap_or_default();
        let (head, size) = match httparse::parse_chunk_size(rest) {
            Ok(httparse::Status::Complete(found)) => found,
            Ok(httparse::Status::Partial) => return Ok(Body::More),
            Err(_) => return Err(FetchFault::Protocol),
        };
        if size == 0 {
            return Ok(Body::Whole(body));
        }
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        if size > bytes_max.saturating_sub(body.len()) {
            return Err(FetchFault::TooLarge);
        }
        let Some(chunk) = rest.get(head..head + size) else { return Ok(Body::More) };
        match rest.get(head + size..head + size + 2) {
            Some(b"\r\n") => {}
            Some(_) => return Err(FetchFault::Protocol),
            None => return Ok(Body::More),
        }
        body.extend_from_slice(chunk);
        at += head + size + 2;
    }
}

const HEADERS_MAX: usize = 100;
/// Of a host with many addresses.
const ADDRESSES_TRIED_MAX: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    #[test]
    fn an_address_is_what_it_seems() {
        for (reason, address, expected) in [
            ("a host", "https://a.example/logo.png", Ok(("a.example", 443, "/logo.png", "a.example"))),
            ("no path", "https://a.example", Ok(("a.example", 443, "/", "a.example"))),
            ("a query alone", "https://a.example?x=1", Ok(("a.example", 443, "/?x=1", "a.example"))),
            ("a port", "HTTPS://A.example:8443/x", Ok(("a.example", 8443, "/x", "a.example:8443"))),
            ("an address of IPv6", "https://[2600::1]:8443/x", Ok(("2600::1", 8443, "/x", "[2600::1]:8443"))),
            ("user information", "https://good.example@evil.example/", Err(FetchFault::Address)),
            ("another scheme", "file:///etc/passwd", Err(FetchFault::Address)),
            ("a script", "javascript:alert(1)", Err(FetchFault::Address)),
            ("a line break", "https://a.example/\r\nx: y", Err(FetchFault::Address)),
            ("a space", "https://a.example/ x", Err(FetchFault::Address)),
            ("a backslash", "https://a.example\\@evil.example/", Err(FetchFault::Address)),
            ("a fragment", "https://a.example/#x", Err(FetchFault::Address)),
            ("no host", "https:///x", Err(FetchFault::Address)),
            ("a port that is none", "https://a.example:x/", Err(FetchFault::Address)),
            ("port zero", "https://a.example:0/", Err(FetchFault::Address)),
            ("a percent sign in the host", "https://a%2eexample/", Err(FetchFault::Address)),
            ("brackets around a name", "https://[a.example]/", Err(FetchFault::Address)),
            ("a zone", "https://[fe80::1%25eth0]/", Err(FetchFault::Address)),
        ] {
            let found = Target::parse(address);
            let shown = found.as_ref().map(|it| (it.host.as_str(), it.port, it.path.as_str(), it.authority()));
            let shown = shown.map_err(|fault| *fault);
            let expected = expected.map(|(host, port, path, authority)| (host, port, path, authority.to_owned()));
            assert_eq!(shown, expected, "{reason}");
        }
        let long = format!("https://a.example/{}", "a".repeat(FETCH_ADDRESS_BYTES_MAX));
        assert_eq!(Target::parse(&long), Err(FetchFault::Address), "too long");
    }

    #[test]
    fn only_the_internet_is_asked() {
        for (reason, address, expected) in [
            ("a host on the internet", "93.184.215.14", true),
            ("of IPv6", "2606:2800:21f:cb07::1", true),
            ("just beside the private ones", "172.32.0.1", true),
            ("just before the shared ones", "100.63.255.255", true),
            ("this machine", "127.0.0.1", false),
            ("all of it", "127.255.255.254", false),
            ("this network", "0.0.0.0", false),
            ("private, ten", "10.1.2.3", false),
            ("private, a hundred and seventy-two", "172.31.255.255", false),
            ("private, a hundred and ninety-two", "192.168.0.1", false),
            ("a metadata service", "169.254.169.254", false),
            ("a carrier's", "100.64.0.1", false),
            ("multicast", "224.0.0.1", false),
            ("broadcast", "255.255.255.255", false),
            ("documentation", "203.0.113.9", false),
            ("benchmarks", "198.19.0.1", false),
            ("this machine, six", "::1", false),
            ("none", "::", false),
            ("a private one inside", "::ffff:10.0.0.1", false),
            ("a public one inside", "::ffff:93.184.215.14", true),
            ("through a translator", "64:ff9b::a00:1", false),
            ("through 6to4", "2002:a00:1::1", false),
            ("through Teredo", "2001:0:a00:1::1", false),
            ("link-local, six", "fe80::1", false),
            ("unique local", "fd00::1", false),
            ("documentation, six", "2001:db8::1", false),
            ("multicast, six", "ff02::1", false),
        ] {
            assert_eq!(is_public(address.parse().unwrap()), expected, "{reason}");
        }
    }

    #[test]
    fn every_address_of_a_host_must_be_allowed() {
        use Reach::{Internet, InternetAndLoopback};
        let (public, here, inside) = ("93.184.215.14:443", "127.0.0.1:443", "10.0.0.1:443");
        for (reason, is_https, found, reach, expected) in [
            ("the internet", true, vec![public], Internet, Ok(())),
            ("one of two is inside", true, vec![public, inside], Internet, Err(FetchFault::Private)),
            ("this machine", true, vec![here], Internet, Err(FetchFault::Private)),
            ("without TLS", false, vec![public], Internet, Err(FetchFault::NotHttps)),
            ("nothing", true, vec![], Internet, Err(FetchFault::Unknown)),
            ("development: this machine", false, vec![here, "[::1]:443"], InternetAndLoopback, Ok(())),
            ("development: a network", true, vec![inside], InternetAndLoopback, Err(FetchFault::Private)),
            ("development: a mixture", true, vec![here, inside], InternetAndLoopback, Err(FetchFault::Private)),
            (
                "development: the internet without TLS",
                false,
                vec![public],
                InternetAndLoopback,
                Err(FetchFault::NotHttps),
            ),
        ] {
            let found: Vec<SocketAddr> = found.iter().map(|address| address.parse().unwrap()).collect();
            assert_eq!(check_reach(is_https, &found, reach), expected, "{reason}");
        }
    }

    #[test]
    fn the_end_of_a_body_is_known_or_it_is_none() {
        let head = |fields: &str| read_head(format!("HTTP/1.1 200 OK\r\n{fields}\r\n").as_bytes());
        for (reason, fields, expected) in [
            ("a length", "content-length: 5\r\n", Ok(Framing::Length(5))),
            ("chunks", "Transfer-Encoding: chunked\r\n", Ok(Framing::Chunked)),
            ("neither", "", Ok(Framing::Close)),
            ("both", "content-length: 5\r\ntransfer-encoding: chunked\r\n", Err(FetchFault::Protocol)),
            ("two lengths", "content-length: 5\r\ncontent-length: 6\r\n", Err(FetchFault::Protocol)),
            ("a length that is none", "content-length: +5\r\n", Err(FetchFault::Protocol)),
            ("compressed, which was not asked for", "content-encoding: gzip\r\n", Err(FetchFault::Protocol)),
        ] {
            let found = head(fields).map(|head| head.unwrap().framing);
            assert_eq!(found, expected, "{reason}");
        }
        for (reason, bytes, expected) in [
            ("two chunks", "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", Ok(Some("abcde"))),
            ("not yet", "3\r\nab", Ok(None)),
            ("no line break after a chunk", "3\r\nabcXX", Err(FetchFault::Protocol)),
            ("too large", "ff\r\n", Err(FetchFault::TooLarge)),
            ("too large for any machine", "fffffffffffffff\r\n", Err(FetchFault::TooLarge)),
            ("no size", "x\r\n", Err(FetchFault::Protocol)),
        ] {
            let found = unchunk(bytes.as_bytes(), 16).map(|body| match body {
                Body::Whole(body) => Some(String::from_utf8(body).unwrap()),
                Body::More => None,
            });
            assert_eq!(found, expected.map(|body| body.map(str::to_owned)), "{reason}");
        }
    }

    /// Answers once with these bytes, and gives what was asked.
    async fn serve(answer: &'static str) -> (SocketAddr, tokio::task::JoinHandle<String>) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let served = crate::backend::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut asked = Vec::new();
            while !asked.ends_with(b"\r\n\r\n") {
                assert_ne!(stream.read_buf(&mut asked).await.unwrap(), 0);
            }
            stream.write_all(answer.as_bytes()).await.unwrap();
            String::from_utf8(asked).unwrap()
        });
        (address, served)
    }

    #[tokio::test]
    async fn an_answer_is_read_whole_or_refused() {
        for (reason, answer, expected) in [
            ("a length", "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabc", Ok("abc")),
            ("to the end", "HTTP/1.1 200 OK\r\n\r\nabc", Ok("abc")),
            (
                "an interim answer first",
                "HTTP/1.1 103 Early\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\na",
                Ok("a"),
            ),
            ("cut short", "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nabc", Err(FetchFault::Protocol)),
            ("too long", "HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n", Err(FetchFault::TooLarge)),
            ("too long, and does not say so", "HTTP/1.1 200 OK\r\n\r\naaaaaaaaaaaaaaaaa", Err(FetchFault::TooLarge)),
            ("elsewhere", "HTTP/1.1 302 Found\r\nlocation: http://10.0.0.1/\r\n\r\n", Err(FetchFault::Status(302))),
            ("not there", "HTTP/1.1 404 Not Found\r\n\r\n", Err(FetchFault::Status(404))),
            ("no HTTP", "220 mail.example ESMTP\r\n", Err(FetchFault::Protocol)),
            ("nothing", "", Err(FetchFault::Protocol)),
        ] {
            let (address, served) = serve(answer).await;
            let url = format!("http://{address}/logo.png?v=1");
            let fetched = fetch(&url, "image/png", 16, Reach::InternetAndLoopback).await;
            let asked = served.await.unwrap();
            let expected_head = format!("GET /logo.png?v=1 HTTP/1.1\r\nhost: {address}\r\naccept: image/png\r\n");
            assert!(asked.starts_with(&expected_head), "{reason}: {asked}");
            assert_eq!(fetched, expected.map(|body| body.as_bytes().to_vec()), "{reason}");
        }
        let (address, _served) = serve("").await;
        let refused = fetch(&format!("http://{address}/"), "*/*", 16, Reach::Internet).await;
        assert_eq!(refused, Err(FetchFault::Private), "this machine is no host on the internet");
        for decimal in ["http://2130706433/", "http://0x7f000001/", "http://127.1/"] {
            let refused = fetch(decimal, "*/*", 16, Reach::Internet).await;
            assert!(matches!(refused, Err(FetchFault::Private | FetchFault::Unknown)), "{decimal}: {refused:?}");
        }
    }
}
