//! Errors on the wire: RFC 6749 section 5.2 for OAuth endpoints, RFC 9457 for the rest.

use http::{HeaderValue, StatusCode, header};
use sigid_io::http::Reply;

/// An OAuth error: code and description are fixed strings, so nothing of a request can leak into one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OAuthError {
    pub status: u16,
    pub error: &'static str,
    pub description: &'static str,
}

impl OAuthError {
    pub const fn new(status: u16, error: &'static str, description: &'static str) -> Self {
        Self { status, error, description }
    }

    pub const fn invalid_request(description: &'static str) -> Self {
        Self::new(400, "invalid_request", description)
    }

    pub const fn invalid_client(description: &'static str) -> Self {
        Self::new(401, "invalid_client", description)
    }

    pub fn reply(self) -> Reply {
        let body = format!(r#"{{"error":"{}","error_description":"{}"}}"#, self.error, self.description);
        let reply = Reply::no_store_json(status(self.status), body);
        match self.status {
            401 => reply
                .with(header::WWW_AUTHENTICATE, HeaderValue::from_static(r#"Basic realm="sigid", charset="UTF-8""#)),
            503 => reply.with(header::RETRY_AFTER, HeaderValue::from_static("1")),
            _ => reply,
        }
    }
}

/// The database is out of reach and memory is too old to answer from.
pub const UNAVAILABLE: OAuthError =
    OAuthError::new(503, "temporarily_unavailable", "The server cannot answer reliably now");

/// Something of ours failed; the log has it under the request id.
pub const SERVER_ERROR: OAuthError = OAuthError::new(500, "server_error", "The server failed to answer");

/// An RFC 9457 problem.
pub fn problem(code: u16, title: &'static str, detail: &'static str) -> Reply {
    let body = format!(r#"{{"type":"about:blank","status":{code},"title":"{title}","detail":"{detail}"}}"#);
    Reply::no_store_json(status(code), body)
        .with(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"))
}

fn status(code: u16) -> StatusCode {
    StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}
