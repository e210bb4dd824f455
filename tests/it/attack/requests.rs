//! Requests that two readers could read differently: fields of HTTP/1.1, lengths that lie, pseudo-header fields out of
//! place, bytes that no field holds, and paths that mean something else to somebody else. With good credentials, so
//! that nothing but the form stands between them and a token.

use super::{BODY, Honest, assert_alone, credentials, one_shard, posted, token_request};
use crate::support::raw::{DATA, END_HEADERS, END_STREAM, Fate, HEADERS, Raw, field, frame, head};
use crate::support::site::Site;

const PATH: &str = "/oauth/token";

/// What it is, and the whole request on stream 1.
fn malformed() -> Vec<(&'static str, Vec<u8>)> {
    let with = |name: &str, value: &str| token_request(1, PATH, &field(name, value));
    let raw = |name: &str, value: &[u8]| {
        let value = [&field(name, "")[..2 + name.len()], &[value.len() as u8], value].concat();
        token_request(1, PATH, &value)
    };
    let pseudo = |fields: &[(&str, &str)]| {
        let fields: Vec<u8> = fields.iter().flat_map(|(name, value)| field(name, value)).collect();
        posted(1, &[fields, credentials()].concat())
    };
    let late = [&credentials()[..], &head("POST", PATH)].concat();
    let doubled = [field("content-length", "29"), field("content-length", "30")].concat();
    let whole = [&head("POST", PATH)[..], &credentials(), &field("content-length", "29")].concat();
    let usual = [(":method", "POST"), (":scheme", "https"), (":path", PATH), (":authority", "localhost")];
    let but = |name: &str| usual.into_iter().filter(|(known, _)| *known != name).collect::<Vec<_>>();
    vec![
        ("transfer-encoding: chunked", with("transfer-encoding", "chunked")),
        ("transfer-encoding: identity", with("transfer-encoding", "identity")),
        ("connection: close", with("connection", "close")),
        ("connection naming another field (CVE-2026-105299)", with("connection", "authorization")),
        ("keep-alive", with("keep-alive", "timeout=5")),
        ("proxy-connection", with("proxy-connection", "keep-alive")),
        ("upgrade", with("upgrade", "h2c")),
        ("te with more than trailers", with("te", "gzip, trailers")),
        ("a length that is too small", with("content-length", "10")),
        ("a length that is too large", with("content-length", "1000")),
        ("a length of nothing", with("content-length", "0")),
        ("a length beyond every number", with("content-length", "99999999999999999999999")),
        ("a length that is negative", with("content-length", "-1")),
        ("a length with a sign", with("content-length", "+29")),
        ("a length that is no number", with("content-length", "0x1d")),
        ("two lengths", token_request(1, PATH, &doubled)),
        ("a length, and the end before any body", frame(HEADERS, END_HEADERS | END_STREAM, 1, &whole)),
        ("a name in capitals", with("Content-Length", "29")),
        ("a name with a space", with("content length", "29")),
        ("a name with a colon", with("content-length:", "29")),
        ("a name with an end of line", with("x\r\ncontent-length", "29")),
        ("no name", with("", "29")),
        ("a value with NUL", raw("x-value", b"a\0b")),
        ("a value with an end of line", raw("x-value", b"a\r\ntransfer-encoding: chunked")),
        ("a value with a line feed", raw("x-value", b"a\nb")),
        ("a value with a carriage return", raw("x-value", b"a\rb")),
        ("pseudo-header fields at the end", posted(1, &late)),
        ("a second path", token_request(1, PATH, &field(":path", "/health/live"))),
        ("no method", pseudo(&but(":method"))),
        ("no scheme", pseudo(&but(":scheme"))),
        ("no path", pseudo(&but(":path"))),
        ("an empty path", pseudo(&[&but(":path")[..], &[(":path", "")]].concat())),
        ("two paths", pseudo(&[&usual[..], &[(":path", "/health/live")]].concat())),
        ("two methods", pseudo(&[&usual[..], &[(":method", "GET")]].concat())),
        ("two authorities", pseudo(&[&usual[..], &[(":authority", "evil.example")]].concat())),
        ("the status of a response", pseudo(&[&usual[..], &[(":status", "200")]].concat())),
        ("a pseudo-header field that is none", pseudo(&[&usual[..], &[(":tenant", "one")]].concat())),
        ("extended CONNECT, which was not offered", pseudo(&[&usual[..], &[(":protocol", "websocket")]].concat())),
        ("a method that is no token", pseudo(&[&but(":method")[..], &[(":method", "PO ST")]].concat())),
        ("another host than the authority", with("host", "evil.example")),
    ]
}

#[tokio::test]
async fn malformed_requests_are_refused() {
    let site = Site::new().await;
    let server = site.serve_with(one_shard(&site)).await;
    let honest = Honest::begin(&server).await;
    for (reason, bytes) in [
        ("as it should be", token_request(1, PATH, &[])),
        ("with its length", token_request(1, PATH, &field("content-length", &BODY.len().to_string()))),
        ("with te: trailers", token_request(1, PATH, &field("te", "trailers"))),
    ] {
        let mut raw = Raw::open(&server, &[]).await;
        raw.send(&bytes).await;
        assert_eq!(raw.fate(1).await, Fate::Answered(200), "{reason}");
    }
    // Well-formed, and nothing that is done here.
    let connect = [field(":method", "CONNECT"), field(":authority", "localhost:22"), credentials()].concat();
    let mut raw = Raw::open(&server, &[]).await;
    raw.send(&frame(HEADERS, END_HEADERS | END_STREAM, 1, &connect)).await;
    let fate = raw.fate(1).await;
    assert!(matches!(fate, Fate::Answered(400 | 404 | 405 | 501) | Fate::Reset(1)), "CONNECT: {fate:?}");
    drop(raw);
    for (reason, bytes) in malformed() {
        let mut raw = Raw::open(&server, &[]).await;
        raw.send(&bytes).await;
        let fate = raw.fate(1).await;
        match fate {
            // A stream error or an answer that says so; or, for what no header block may hold, the connection.
            Fate::Answered(400 | 405 | 408 | 413 | 421 | 431 | 501) | Fate::Reset(1) | Fate::Gone(1) => {}
            fate => panic!("{reason}: {fate:?}"),
        }
        honest.is_served().await;
    }
    assert_alone(&server).await;
}

/// A stream error costs the stream: the connection's other streams are answered.
#[tokio::test]
async fn a_malformed_request_does_not_cost_its_neighbours_on_the_connection() {
    let site = Site::new().await;
    let server = site.serve_with(one_shard(&site)).await;
    let mut raw = Raw::open(&server, &[]).await;
    let good = |stream: u32| frame(HEADERS, END_HEADERS | END_STREAM, stream, &head("GET", "/nothing"));
    let smuggled = "GET /health/live HTTP/1.1\r\nhost: localhost\r\n\r\n";
    let block = [&head("POST", PATH)[..], &credentials(), &field("content-length", &BODY.len().to_string())].concat();
    let longer = format!("{BODY}{smuggled}");
    let bad = [frame(HEADERS, END_HEADERS, 3, &block), frame(DATA, END_STREAM, 3, longer.as_bytes())].concat();
    raw.send(&[good(1), bad, good(5)].concat()).await;
    let mut fates = Vec::new();
    for _ in 0..3 {
        fates.push(raw.fate_of(&[1, 3, 5]).await);
    }
    fates.sort_unstable_by_key(|(stream, _)| *stream);
    assert_eq!([fates[0], fates[2]], [(1, Fate::Answered(404)), (5, Fate::Answered(404))], "{fates:?}");
    assert!(matches!(fates[1], (3, Fate::Reset(1) | Fate::Answered(400))), "{fates:?}");
}

/// Every other spelling of a path is another path, whatever a proxy or a browser would make of it.
#[tokio::test]
async fn a_path_in_any_other_spelling_leads_nowhere() {
    let site = Site::new().await;
    let server = site.serve_with(one_shard(&site)).await;
    let honest = Honest::begin(&server).await;
    for path in [PATH, "/oauth/token?", "/oauth/token?x=/../%00"] {
        let mut raw = Raw::open(&server, &[]).await;
        raw.send(&token_request(1, path, &[])).await;
        assert_eq!(raw.fate(1).await, Fate::Answered(200), "{path}");
    }
    for path in [
        "oauth/token",
        "//oauth/token",
        "/oauth//token",
        "/./oauth/token",
        "/health/../oauth/token",
        "/health/..;/oauth/token",
        "/health/%2e%2e/oauth/token",
        "/health/%2E%2E/oauth/token",
        "/health/.%2e/oauth/token",
        "/health/%252e%252e/oauth/token",
        "/health/%c0%ae%c0%ae/oauth/token",
        "/health/..%2foauth/token",
        "/health/..\\oauth\\token",
        "/health/..%5coauth%5ctoken",
        "/oauth%2ftoken",
        "/oauth\\token",
        "\\oauth\\token",
        "/oauth/tok%65n",
        "/oauth/tok%2565n",
        "/Oauth/token",
        "/oauth/TOKEN",
        "/oauth/token/",
        "/oauth/token/.",
        "/oauth/token/..",
        "/oauth/token;",
        "/oauth/token;jsessionid=1",
        "/oauth;x=1/token",
        "/oauth/token.",
        "/oauth/token%20",
        "/oauth/token%00",
        "/oauth/token%00.css",
        "/oauth/token%0a",
        "/oauth/token%0d%0a",
        "/oauth/token%3f",
        "/oauth/token%23",
        "/oauth/token.json",
        "/oauth/token\0",
        "/oauth/token\t",
        "/oauth/token ",
        "/oauth/token HTTP/1.1",
        "/oauth/token\r\nx: y",
        " /oauth/token",
        "/oauth/token\u{feff}",
        "/oauth/\u{ff54}oken",
        "*",
        "?",
        "https://localhost/oauth/token",
        "//localhost/oauth/token",
        "/https://localhost/oauth/token",
    ] {
        let mut raw = Raw::open(&server, &[]).await;
        raw.send(&token_request(1, path, &[])).await;
        let fate = raw.fate(1).await;
        let is_nowhere = matches!(fate, Fate::Answered(400 | 404) | Fate::Reset(1));
        assert!(is_nowhere, "{path:?}: {fate:?}");
    }
    honest.is_served().await;
    assert_alone(&server).await;
}
