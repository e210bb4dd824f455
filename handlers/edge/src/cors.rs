//! CORS (Fetch standard) as the contract states it: never with credentials.

use crate::feature::Cors;
use crate::shard::Shared;
use crate::tables::Tables;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use sigid_io::http::Reply;

const PREFLIGHT_AGE_S: &str = "600";

/// The origin that may read the reply, if the request names one that may.
fn allowed(cors: Cors, shared: &Shared, tables: &Tables, headers: &HeaderMap) -> Option<HeaderValue> {
    let origin = headers.get(header::ORIGIN)?;
    match cors {
        Cors::None => None,
        Cors::Any => Some(HeaderValue::from_static("*")),
        Cors::Clients => {
            let text = origin.to_str().ok()?;
            let is_listed = if shared.cors_allowed_origins.is_empty() {
                *tables.issuer == *text
            } else {
                shared.cors_allowed_origins.iter().any(|known| known == text)
            };
            (is_listed || tables.is_public_origin(text)).then(|| origin.clone())
        }
    }
}

/// Adds the headers of an actual request.
pub fn decorate(reply: &mut Reply, cors: Cors, shared: &Shared, tables: &Tables, headers: &HeaderMap) {
    if cors == Cors::Clients {
        reply.headers.append(header::VARY, HeaderValue::from_static("Origin"));
    }
    if let Some(origin) = allowed(cors, shared, tables, headers) {
        reply.headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        reply.headers.insert(
            header::ACCESS_CONTROL_EXPOSE_HEADERS,
            HeaderValue::from_static("WWW-Authenticate, Retry-After, DPoP-Nonce"),
        );
    }
}

/// The answer to a preflight, or `None` when the request is not one.
pub fn preflight(cors: Cors, methods: &[&str], shared: &Shared, tables: &Tables, headers: &HeaderMap) -> Option<Reply> {
    headers.get(header::ACCESS_CONTROL_REQUEST_METHOD)?;
    let mut reply = Reply::empty(StatusCode::NO_CONTENT).with(
        header::VARY,
        HeaderValue::from_static("Origin, Access-Control-Request-Method, Access-Control-Request-Headers"),
    );
    if let Some(origin) = allowed(cors, shared, tables, headers) {
        reply.headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        reply.headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_str(&methods.join(", ")).ok()?);
        reply.headers.insert(
            header::ACCESS_CONTROL_ALLOW_HEADERS,
            HeaderValue::from_static("Authorization, Content-Type, DPoP"),
        );
        reply.headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static(PREFLIGHT_AGE_S));
    }
    Some(reply)
}
