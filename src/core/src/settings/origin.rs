//! A web origin (RFC 6454) as settings write it, and the question "is this host this machine?".
//!
//! Strict on purpose: issuers and origins are compared character by character (RFC 8414 section 3.3,
//! the `Origin` header), so only the one canonical spelling is taken.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// `scheme://host[:port]`, lower case, without a default port, a path or anything behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// "http" or "https".
    pub scheme: &'static str,
    /// A name or an address; IPv6 without its brackets.
    pub host: String,
    pub port: Option<u16>,
}

/// Why a text is not an origin. The words never repeat the text, which may hold a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OriginFault {
    Scheme,
    UserInfo,
    Query,
    Fragment,
    TrailingSlash,
    Path,
    UpperCase,
    Host,
    Port,
    DefaultPort,
}

impl Origin {
    pub fn parse(text: &str) -> Result<Self, OriginFault> {
        let (scheme, rest) = parse_scheme(text)?;
        check_authority_only(rest)?;
        if rest.chars().any(|c| c.is_ascii_uppercase()) {
            return Err(OriginFault::UpperCase);
        }
        let (host, port) = split_port(rest)?;
        let default_port = if scheme == "https" { 443 } else { 80 };
        if port == Some(default_port) {
            return Err(OriginFault::DefaultPort);
        }
        Ok(Self { scheme, host: parse_host(host)?, port })
    }
}

fn parse_scheme(text: &str) -> Result<(&'static str, &str), OriginFault> {
    if let Some(rest) = text.strip_prefix("https://") {
        return Ok(("https", rest));
    }
    text.strip_prefix("http://").map(|rest| ("http", rest)).ok_or(OriginFault::Scheme)
}

fn check_authority_only(rest: &str) -> Result<(), OriginFault> {
    if rest.contains('#') {
        return Err(OriginFault::Fragment);
    }
    if rest.contains('?') {
        return Err(OriginFault::Query);
    }
    match rest.split_once('/') {
        Some((_, "")) => return Err(OriginFault::TrailingSlash),
        Some(_) => return Err(OriginFault::Path),
        None => {}
    }
    if rest.contains('@') { Err(OriginFault::UserInfo) } else { Ok(()) }
}

fn split_port(authority: &str) -> Result<(&str, Option<u16>), OriginFault> {
    let split = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, port),
        _ => return Ok((authority, None)),
    };
    let canonical = !split.1.starts_with('0') && split.1.bytes().all(|b| b.is_ascii_digit());
    let port = split.1.parse().ok().filter(|_| canonical).ok_or(OriginFault::Port)?;
    Ok((split.0, Some(port)))
}

fn parse_host(host: &str) -> Result<String, OriginFault> {
    if let Some(inner) = host.strip_prefix('[') {
        let inner = inner.strip_suffix(']').ok_or(OriginFault::Host)?;
        let address: Ipv6Addr = inner.parse().map_err(|_| OriginFault::Host)?;
        return Ok(address.to_string());
    }
    if is_host_name(host) { Ok(host.to_owned()) } else { Err(OriginFault::Host) }
}

/// A DNS name (RFC 1123, at most 253 characters) or a dotted IPv4 address. Punycode for other scripts.
///
/// Whatever ends in a number is an address to a browser, and is rewritten by it unless it is a dotted one (WHATWG URL,
/// section 3.5, "ends in a number checker"): `127.1` and `0x7f` are no names.
pub fn is_host_name(host: &str) -> bool {
    let label = |label: &str| {
        let shaped = label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        (1..=63).contains(&label.len()) && shaped && !label.starts_with('-') && !label.ends_with('-')
    };
    let numeric_is_address = !host.rsplit('.').next().is_some_and(is_number) || host.parse::<Ipv4Addr>().is_ok();
    host.len() <= 253 && host.split('.').all(label) && numeric_is_address
}

fn is_number(label: &str) -> bool {
    let hexadecimal = label.strip_prefix("0x").or_else(|| label.strip_prefix("0X"));
    match hexadecimal {
        Some(digits) => digits.bytes().all(|b| b.is_ascii_hexdigit()),
        None => label.bytes().all(|b| b.is_ascii_digit()),
    }
}

/// This machine: a loopback address, `localhost`, or a name under it (RFC 6761 section 6.3).
pub fn is_local_host(host: &str) -> bool {
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    if let Ok(address) = host.parse::<IpAddr>() {
        return address.to_canonical().is_loopback();
    }
    let host = host.to_ascii_lowercase();
    host == "localhost" || host.ends_with(".localhost")
}

impl fmt::Display for OriginFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Scheme => "does not begin with https:// or http://",
            Self::UserInfo => "names a user",
            Self::Query => "has a query",
            Self::Fragment => "has a fragment",
            Self::TrailingSlash => "ends with a slash",
            Self::Path => "has a path",
            Self::UpperCase => "has upper-case letters in its host",
            Self::Host => "has no valid host",
            Self::Port => "has no valid port",
            Self::DefaultPort => "writes the default port",
        })
    }
}
