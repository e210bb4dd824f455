//! Addresses that a client registers: redirect URIs, and the pages that people are shown.
//!
//! A redirect URI is where authorization codes are sent, so registration is the moment to be narrow
//! (RFC 9700 4.1, OAuth 2.1 2.3, RFC 8252 7 and 8.3): whatever two parsers could read differently is not
//! registered at all, and the authorization endpoint then needs nothing but an exact comparison (with
//! a free port for loopback literals).
//!
//! Allowed: `https` with a host; `http` on the loopback literals `127.0.0.1` and `[::1]` (not
//! `localhost`, which resolves to what the machine's resolver says); for public native clients a
//! private-use scheme with a dot in it, which `javascript:`, `data:` and `file:` have not.
//!
//! Attacks considered (spec/attacks.md A): dot segments, also escaped or followed by a path parameter
//! (`..;/`), escaped slashes, `\`, `//`, tabs and newlines, double escapes, user information, wildcards,
//! a fragment, a query that already holds a response parameter.

use std::net::Ipv6Addr;

use sigid_core::settings::is_host_name;

/// The longest address that is registered, in bytes.
pub const URI_BYTES_MAX: usize = 1024;

/// Checks a redirect URI. `native` says that the client is public and registered as native.
pub fn check_redirect_uri(uri: &str, native: bool) -> Result<(), &'static str> {
    let parts = split(uri)?;
    match parts.scheme {
        "https" => check_https(&parts)?,
        "http" => check_loopback(&parts)?,
        scheme if native => check_private_use(scheme, &parts)?,
        _ => {
            return Err("use https, http on 127.0.0.1 or [::1], or, for a public client with \
                        application_type native, a private-use scheme");
        }
    }
    check_path(parts.path)?;
    check_query(parts.query)
}

/// Checks the address of a page or image that people are shown: `https`, or `http` on loopback.
pub fn check_page_uri(uri: &str) -> Result<(), &'static str> {
    let parts = split(uri)?;
    match parts.scheme {
        "https" => check_https(&parts),
        "http" => check_loopback(&parts),
        _ => Err("use https"),
    }
}

/// Checks an address that must be `https`.
pub fn check_https_uri(uri: &str) -> Result<(), &'static str> {
    let parts = split(uri)?;
    if parts.scheme != "https" {
        return Err("use https");
    }
    check_https(&parts)
}

/// The pieces of an address whose characters have been checked.
struct Parts<'a> {
    scheme: &'a str,
    authority: Option<&'a str>,
    path: &'a str,
    query: Option<&'a str>,
}

fn split(uri: &str) -> Result<Parts<'_>, &'static str> {
    check_characters(uri)?;
    let (scheme, rest) = uri.split_once(':').ok_or("an absolute URI has a scheme")?;
    check_scheme(scheme)?;
    let (hierarchy, query) = match rest.split_once('?') {
        Some((hierarchy, query)) => (hierarchy, Some(query)),
        None => (rest, None),
    };
    let (authority, path) = match hierarchy.strip_prefix("//") {
        Some(after) => {
            let end = after.find('/').unwrap_or(after.len());
            let (authority, path) = after.split_at(end);
            (Some(authority), path)
        }
        None => (None, hierarchy),
    };
    Ok(Parts { scheme, authority, path, query })
}

/// RFC 3986 section 2, without the fragment's `#` and without `*`.
fn check_characters(uri: &str) -> Result<(), &'static str> {
    if uri.len() > URI_BYTES_MAX {
        return Err("longer than 1024 bytes");
    }
    let mut rest = uri.bytes();
    let mut in_query = false;
    while let Some(byte) = rest.next() {
        match byte {
            b'?' => in_query = true,
            b'#' => return Err("a fragment is not allowed"),
            b'*' => return Err("a wildcard is not allowed; register each address"),
            b'\\' => return Err("a backslash is not allowed"),
            b'%' => check_escape(rest.next(), rest.next(), in_query)?,
            b'-' | b'.' | b'_' | b'~' | b':' | b'/' | b'[' | b']' | b'@' | b'!' | b'$' | b'&' | b'\'' | b'(' | b')'
            | b'+' | b',' | b';' | b'=' => {}
            _ if byte.is_ascii_alphanumeric() => {}
            _ => return Err("a character that no URI has (white space, control or not ASCII)"),
        }
    }
    Ok(())
}

/// An escape must be whole, and before the query it must not hide what the other checks look for.
fn check_escape(high: Option<u8>, low: Option<u8>, in_query: bool) -> Result<(), &'static str> {
    match escaped(high, low) {
        None => Err("a broken percent escape"),
        Some(..=0x1f | 0x7f) => Err("an escaped control character is not allowed"),
        Some(b'/' | b'\\' | b'.' | b'%') if !in_query => {
            Err("an escaped slash, backslash, dot or percent sign is not allowed")
        }
        Some(_) => Ok(()),
    }
}

fn escaped(high: Option<u8>, low: Option<u8>) -> Option<u8> {
    let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
    u8::try_from(digit(high)? * 16 + digit(low)?).ok()
}

fn check_scheme(scheme: &str) -> Result<(), &'static str> {
    let tail = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"+-.".contains(&b);
    if scheme.starts_with(|c: char| c.is_ascii_lowercase()) && scheme.bytes().all(tail) {
        Ok(())
    } else {
        Err("the scheme is written in lower case")
    }
}

fn check_https(parts: &Parts<'_>) -> Result<(), &'static str> {
    host(parts).map(|_| ())
}

/// RFC 8252 7.3 and 8.3.
fn check_loopback(parts: &Parts<'_>) -> Result<(), &'static str> {
    match host(parts)? {
        "127.0.0.1" | "[::1]" => Ok(()),
        _ => Err("http is for the loopback literals 127.0.0.1 and [::1] only; use https"),
    }
}

/// RFC 8252 7.1: a scheme under a name that its owner controls, reversed.
fn check_private_use(scheme: &str, parts: &Parts<'_>) -> Result<(), &'static str> {
    if !scheme.contains('.') {
        return Err("a private-use scheme is a reversed domain name, such as com.example.app");
    }
    match parts.authority {
        None if parts.path.starts_with('/') => Ok(()),
        None => Err("a private-use scheme is followed by a path"),
        Some("") => Ok(()),
        Some(_) => host(parts).map(|_| ()),
    }
}

/// The host, after the authority has been checked.
fn host<'a>(parts: &Parts<'a>) -> Result<&'a str, &'static str> {
    let authority = parts.authority.ok_or("the scheme is followed by // and a host")?;
    if authority.contains('@') {
        return Err("user information is not allowed");
    }
    let (host, port) = split_port(authority)?;
    check_host(host)?;
    match port.map(str::parse::<u16>) {
        None => Ok(host),
        Some(Ok(1..)) if port.is_some_and(|p| !p.starts_with(['+', '0'])) => Ok(host),
        Some(_) => Err("the port is a number from 1 to 65535"),
    }
}

fn split_port(authority: &str) -> Result<(&str, Option<&str>), &'static str> {
    if !authority.starts_with('[') {
        return Ok(match authority.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        });
    }
    let end = authority.find(']').ok_or("an address literal ends with ]")?;
    let (host, after) = authority.split_at(end + 1);
    match after.strip_prefix(':') {
        Some(port) => Ok((host, Some(port))),
        None if after.is_empty() => Ok((host, None)),
        None => Err("an address literal is followed by a port or nothing"),
    }
}

fn check_host(host: &str) -> Result<(), &'static str> {
    if let Some(literal) = host.strip_prefix('[') {
        let literal = literal.strip_suffix(']').unwrap_or_default();
        return match literal.parse::<Ipv6Addr>() {
            Ok(_) => Ok(()),
            Err(_) => Err("the host is not an IPv6 address"),
        };
    }
    if is_host_name(host) { Ok(()) } else { Err("the host is a domain name (punycode where needed) or an address") }
}

/// No segment may mean another one: `.`, `..`, with or without path parameters, and none may be empty.
fn check_path(path: &str) -> Result<(), &'static str> {
    let Some(segments) = path.strip_prefix('/') else {
        return Ok(());
    };
    if segments.contains("//") || segments.starts_with('/') {
        return Err("an empty path segment is not allowed");
    }
    for segment in segments.split('/') {
        let name = segment.split(';').next().unwrap_or_default();
        if name == "." || name == ".." {
            return Err("a dot segment is not allowed");
        }
    }
    Ok(())
}

/// Response parameters (RFC 6749 4.1.2, OIDC Core, RFC 9207) must come from the answer alone.
fn check_query(query: Option<&str>) -> Result<(), &'static str> {
    let names = query.unwrap_or_default().split('&');
    for name in names.map(|pair| pair.split('=').next().unwrap_or_default()) {
        if RESPONSE_PARAMETERS.contains(&unescaped(name).as_str()) {
            return Err("the query holds a parameter that belongs to the response");
        }
    }
    Ok(())
}

/// A parameter's name as a form decoder reads it; what is not ASCII becomes something unlike a name.
fn unescaped(name: &str) -> String {
    let mut bytes = name.bytes();
    let mut out = String::with_capacity(name.len());
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            b'+' => ' ',
            b'%' => escaped(bytes.next(), bytes.next()).map_or('%', char::from),
            _ => char::from(byte),
        });
    }
    out
}

const RESPONSE_PARAMETERS: [&str; 12] = [
    "code",
    "state",
    "iss",
    "error",
    "error_description",
    "error_uri",
    "id_token",
    "access_token",
    "token_type",
    "expires_in",
    "session_state",
    "response",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirect_uris() {
        let long = format!("https://a.example/{}", "x".repeat(URI_BYTES_MAX));
        // uri, web, native, why
        let rows: &[(&str, bool, bool, &str)] = &[
            ("https://app.example/cb", true, true, "https"),
            ("https://app.example", true, true, "no path"),
            ("https://app.example:8443/cb?x=1&y=%20", true, true, "port and query"),
            ("https://app.example/cb/", true, true, "trailing slash"),
            ("https://app.example/cb?to=%2Fhome%2F..", true, true, "escaped slash in a value"),
            ("https://app.example/cb?to=%0a", false, false, "escaped newline in a value"),
            ("https://[2001:db8::1]/cb", true, true, "address literal"),
            ("https://xn--bcher-kva.example/", true, true, "punycode"),
            ("http://127.0.0.1:9090/callback", true, true, "loopback literal"),
            ("http://[::1]/callback", true, true, "loopback literal, version 6"),
            ("https://localhost:3000/cb", true, true, "https may name localhost"),
            ("com.example.app:/cb", false, true, "private use, one slash"),
            ("com.example.app://cb/x", false, true, "private use, with authority"),
            ("com.example.app:///cb", false, true, "private use, empty authority"),
            ("http://localhost:9090/cb", false, false, "localhost is not a literal"),
            ("http://127.0.0.1.evil.example/cb", false, false, "loopback trick, suffix"),
            ("http://127.0.0.2/cb", false, false, "another loopback address"),
            ("http://127.1/cb", false, false, "short form of the loopback address"),
            ("http://2130706433/cb", false, false, "decimal form of the loopback address"),
            ("http://[::ffff:127.0.0.1]/cb", false, false, "mapped address"),
            ("http://app.example/cb", false, false, "http"),
            ("HTTPS://app.example/cb", false, false, "upper-case scheme"),
            ("javascript:alert(1)", false, false, "javascript"),
            ("data:text/html,x", false, false, "data"),
            ("file:///etc/passwd", false, false, "file"),
            ("myapp:/cb", false, false, "private use without a dot"),
            ("com.example.app:cb", false, false, "private use without a path"),
            ("//app.example/cb", false, false, "no scheme"),
            ("/cb", false, false, "relative"),
            ("", false, false, "empty"),
            ("https:app.example/cb", false, false, "no authority"),
            ("https:///cb", false, false, "no host"),
            ("https://:443/cb", false, false, "port without host"),
            ("https://app.example:/cb", false, false, "empty port"),
            ("https://app.example:0/cb", false, false, "port 0"),
            ("https://app.example:+443/cb", false, false, "signed port"),
            ("https://app.example:65536/cb", false, false, "port too large"),
            ("https://app.example:443:443/cb", false, false, "two ports"),
            ("https://app.example@evil.example/cb", false, false, "user information"),
            ("https://user:x@app.example/cb", false, false, "user and password"),
            ("https://app.example%40evil.example/cb", false, false, "escaped authority"),
            ("https://*.app.example/cb", false, false, "wildcard host"),
            ("https://app.example/*", false, false, "wildcard path"),
            ("https://.app.example/cb", false, false, "empty label"),
            ("https://app.example./cb", false, false, "trailing dot"),
            ("https://app_x.example/cb", false, false, "underscore"),
            ("https://[::g]/cb", false, false, "no address"),
            ("https://[::1]x/cb", false, false, "text after an address literal"),
            ("https://[::1/cb", false, false, "open address literal"),
            ("https://app.example/cb#f", false, false, "fragment"),
            ("https://app.example/cb#", false, false, "empty fragment"),
            ("https://app.example/../cb", false, false, "dot segment"),
            ("https://app.example/cb/..", false, false, "dot segment at the end"),
            ("https://app.example/./cb", false, false, "single dot"),
            ("https://app.example/x/..;/cb", false, false, "dot segment with a path parameter"),
            ("https://app.example/%2e%2e/cb", false, false, "escaped dots"),
            ("https://app.example/.%2E/cb", false, false, "half escaped dots"),
            ("https://app.example/a%2fb", false, false, "escaped slash"),
            ("https://app.example/a%5Cb", false, false, "escaped backslash"),
            ("https://app.example/%252e%252e/cb", false, false, "double escape"),
            ("https://app.example\\@evil.example/cb", false, false, "backslash"),
            ("https://app.example//evil.example", false, false, "empty segment"),
            ("https://app.example/a//b", false, false, "empty segment inside"),
            ("https://app.example/\tcb", false, false, "tab"),
            ("https://app.example/cb\n", false, false, "newline"),
            ("https://app.example/c b", false, false, "space"),
            ("https://app.example/%00", false, false, "escaped NUL"),
            ("https://app.example/%0d%0aX: y", false, false, "escaped newline"),
            ("https://app.example/%zz", false, false, "no hexadecimal"),
            ("https://app.example/%2", false, false, "broken escape"),
            ("https://bücher.example/", false, false, "not ASCII"),
            ("https://192.0.2.7/cb", true, true, "an address"),
            ("https://127.1/cb", false, false, "an address that a browser writes otherwise: short"),
            ("https://2130706433/cb", false, false, "decimal"),
            ("https://0177.0.0.1/cb", false, false, "octal"),
            ("https://a.0x7f/cb", false, false, "a label that makes the host an address, in hexadecimal"),
            ("https://app.example/cb?code=1", false, false, "code in the query"),
            ("https://app.example/cb?a=1&state=x", false, false, "state in the query"),
            ("https://app.example/cb?st%61te=x", false, false, "escaped name in the query"),
            ("https://app.example/cb?iss", false, false, "name without value"),
            (&long, false, false, "too long"),
        ];
        for (uri, web, native, why) in rows {
            assert_eq!(check_redirect_uri(uri, false).is_ok(), *web, "{why}: {uri}");
            assert_eq!(check_redirect_uri(uri, true).is_ok(), *native, "{why}, native: {uri}");
        }
    }

    #[test]
    fn pages() {
        let rows = [
            ("https://app.example/terms?lang=de", true, "https"),
            ("http://127.0.0.1:3000/logo.png", true, "loopback"),
            ("http://app.example/", false, "http"),
            ("javascript:alert(1)", false, "javascript"),
            ("https://a@b/", false, "user information"),
        ];
        for (uri, good, why) in rows {
            assert_eq!(check_page_uri(uri).is_ok(), good, "{why}: {uri}");
        }
        assert!(check_https_uri("http://127.0.0.1/").is_err(), "loopback is not https");
        assert!(check_https_uri("https://app.example/login").is_ok(), "https");
    }
}
