//! `/session/check?client_id=ID`: whose request is this? Asked by the proxy in front of an application, for each request.
//!
//! ```text
//! query: which application? ── its entry in the tables ── credential: a bearer token, else its edge cookie
//!                                  │ unknown: cold, once               │
//!                                  │                    level 1 ─ miss: open or judge ─ 200 with X-Auth-*, or 401
//! ```
//!
//! The application is named by the proxy in the query, once; a second `client_id`, however it is spelled, may be a
//! visitor's and is refused. A bearer token decides alone when there is one (a credential that was sent on purpose beats
//! one that the browser adds), and must be meant for the application: one of its audiences. A cookie is looked for under
//! that client's name and opens under that client's name only. Nothing of the request is ever repeated in `X-Auth-*`.
//!
//! Level 1 holds the headers of the answer as they are sent, under a digest that a token's can never equal; client, tenant, marks and
//! times are asked on every hit, as in [`crate::cache`]. A token also has level 2, in common with introspection. A cookie
//! has none: opening it is what would be saved, and it is opened for what it says.
//!
//! A 401 says where to sign in (`Location`) when the proxy says which page was asked for and that page's origin is one of
//! the client's redirect URIs under the cookie's domain. It says so whatever was wrong with the cookie: a stale one is made
//! anew by one redirect there and back. Because of that check, anybody's `X-Forwarded-*` may be believed:
//! the worst they can do is choose another page of the same application.
//!
//! Every method is taken and answered alike, `OPTIONS` too: a preflight's 204 would be a yes to a proxy. The body is not
//! looked at. Limits: the longest cookie is [`sigid_core::cookie::edge::EDGE_COOKIE_BYTES_MAX`], the longest address to come back to
//! [`RETURN_BYTES_MAX`].

mod place;

pub use place::{EdgeCookies, RETURN_BYTES_MAX, return_allowed};

use crate::backend::Call;
use crate::cache::{Expires, Live, MadeFrom, Standing};
use crate::fault::{self, OAuthError};
use crate::feature::{ANY_METHOD, Cors, Feature, Guarded, Hot, Route, Serve};
use crate::guard::{self, Anyone, Permit};
use crate::introspect;
use crate::shard::{EdgeShard, Memo, Shared};
use crate::tables::{ClientEntry, Tables};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use sigid_core::cookie;
use sigid_core::cookie::edge::{EdgeCookie, EdgeFault};
use sigid_core::ids::TenantId;
use sigid_core::marks;
use sigid_core::resource::same_resource;
use sigid_core::token::Reason;
use sigid_io::backend::BoxFuture;
use sigid_io::http::{BODY_BYTES_MAX, Block, Reply, Request};
use sigid_io::metrics::{self, Counter};
use sigid_io::settings::Plane;
use std::cell::Cell;
use std::fmt::Write as _;
use std::rc::Rc;

pub const PATH: &str = "/session/check/*";
/// What an edge cookie's name is before the client's id.
pub const COOKIE_PREFIX: &str = "__Secure-sigid-";

pub const FEATURE: Feature = Feature {
    name: "session-check",
    section: None,
    routes: &[Route {
        methods: ANY_METHOD,
        path: PATH,
        plane: Plane::Auth,
        serve: Serve::HotThenCold(hot, Guarded::Anyone(cold)),
        body_bytes_max: BODY_BYTES_MAX,
        cors: Cors::None,
        doc: "Whose session or token a request to an application has, for the proxy in front of it",
    }],
    jobs: &[],
    events: &[],
    discovery: &[],
};

const SUBJECT: HeaderName = HeaderName::from_static("x-auth-subject");
const TENANT: HeaderName = HeaderName::from_static("x-auth-tenant");
const SESSION: HeaderName = HeaderName::from_static("x-auth-session");
const ACR: HeaderName = HeaderName::from_static("x-auth-acr");
const EMAIL: HeaderName = HeaderName::from_static("x-auth-email");
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");
const CHALLENGE: HeaderValue = HeaderValue::from_static(r#"Bearer realm="sigid""#);
/// To who sent a token (RFC 6750 section 3.1).
const BAD_TOKEN: HeaderValue = HeaderValue::from_static(r#"Bearer realm="sigid", error="invalid_token""#);

/// Why the answer is no.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refusal {
    /// The query names no application, or more than one.
    BadQuery,
    NoCredential,
    ClientUnknown,
    Disabled,
    /// Not made by us, not for this application, or not in the form of one.
    BadCookie,
    BadToken,
    UnknownKey,
    Expired,
    Revoked,
}

impl Refusal {
    const ALL: [Self; 9] = [
        Self::BadQuery,
        Self::NoCredential,
        Self::ClientUnknown,
        Self::Disabled,
        Self::BadCookie,
        Self::BadToken,
        Self::UnknownKey,
        Self::Expired,
        Self::Revoked,
    ];

    const fn label(self) -> &'static str {
        match self {
            Self::BadQuery => "bad_query",
            Self::NoCredential => "no_credential",
            Self::ClientUnknown => "client_unknown",
            Self::Disabled => "disabled",
            Self::BadCookie => "bad_cookie",
            Self::BadToken => "bad_token",
            Self::UnknownKey => "unknown_key",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
        }
    }

    /// Whether news could turn it.
    const fn is_curable(self) -> bool {
        matches!(self, Self::ClientUnknown | Self::Disabled | Self::UnknownKey)
    }
}

impl From<Reason> for Refusal {
    fn from(reason: Reason) -> Self {
        match reason {
            Reason::UnknownKey => Self::UnknownKey,
            Reason::Expired => Self::Expired,
            Reason::Revoked => Self::Revoked,
            Reason::ClientUnknown | Reason::ClientDisabled | Reason::TenantUnknown | Reason::TenantDisabled => {
                Self::Disabled
            }
            Reason::Malformed
            | Reason::BadType
            | Reason::KeyRevoked
            | Reason::KeyPastDate
            | Reason::AlgMismatch
            | Reason::BadSignature
            | Reason::BadClaims
            | Reason::BadIssuer
            | Reason::NotYetValid
            | Reason::ForeignTenant
            | Reason::ForeignAudience => Self::BadToken,
        }
    }
}

pub struct CheckMetrics {
    cached: Counter,
    checked: Counter,
    refused: [Counter; Refusal::ALL.len()],
}

impl CheckMetrics {
    pub fn new(shard: &str) -> Self {
        let counter = |outcome| {
            let labels = [("shard", shard), ("outcome", outcome)];
            metrics::counter("sigid_session_check_total", "Session checks, by outcome.", &labels)
        };
        Self {
            cached: counter("ok_cached"),
            checked: counter("ok"),
            refused: Refusal::ALL.map(|refusal| counter(refusal.label())),
        }
    }

    fn refused(&self, refusal: Refusal) {
        let at = Refusal::ALL.iter().position(|known| *known == refusal);
        if let Some(counter) = at.and_then(|at| self.refused.get(at)) {
            counter.inc();
        }
    }
}

/// A credential that is good at one application, and the headers that say so.
pub struct Checked {
    live: Live,
    /// The generation of the application's entry.
    client: u64,
    block: Block,
}

impl Checked {
    /// The application's entry is still the one that it was checked for.
    fn is_of(&self, tables: &Tables, client_id: &str) -> bool {
        tables.find_client(client_id).is_some_and(|client| client.generation == self.client)
    }
}

impl Expires for Checked {
    fn expires_s(&self) -> i64 {
        self.live.expires_s
    }
}

/// What a request presents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Credential<'a> {
    Bearer(&'a [u8]),
    Cookie(&'a [u8]),
    None,
}

impl<'a> Credential<'a> {
    fn read(headers: &'a HeaderMap, client_id: &str) -> Result<Self, Refusal> {
        let mut authorizations = headers.get_all(header::AUTHORIZATION).iter();
        let (first, second) = (authorizations.next(), authorizations.next());
        if second.is_some() {
            return Err(Refusal::BadToken);
        }
        if let Some(token) = first.and_then(bearer) {
            return Ok(Self::Bearer(token));
        }
        let fields = headers.get_all(header::COOKIE).iter().map(HeaderValue::as_bytes);
        Ok(cookie::find_raw(fields, COOKIE_PREFIX, client_id).map_or(Self::None, Self::Cookie))
    }
}

/// The token of a bearer credential (RFC 6750 section 2.1); `None` for another scheme, which is the application's own.
fn bearer(value: &HeaderValue) -> Option<&[u8]> {
    let (scheme, rest) = value.as_bytes().split_at_checked(6)?;
    if !scheme.eq_ignore_ascii_case(b"Bearer") || rest.first().is_some_and(|byte| *byte != b' ') {
        return None;
    }
    Some(rest.trim_ascii())
}

/// The hot answer.
fn hot(shard: &EdgeShard, request: &Request<'_>, _memo: &mut Memo) -> Hot {
    let shared = &*shard.shared;
    if !shared.freshness.is_fresh() {
        return Hot::Cold;
    }
    let now_s = shared.clock.coarse_now_s();
    let tables = shard.tables.borrow();
    let counters = &shard.metrics.checks;
    match check_hot(shard, &tables, request, now_s) {
        Ok((checked, true)) => {
            counters.cached.inc();
            Hot::Reply(yes(&checked))
        }
        Ok((checked, false)) => {
            counters.checked.inc();
            Hot::Reply(yes(&checked))
        }
        Err(refusal) if refusal.is_curable() && shard.may_ask_backend(shard.client_address(request), now_s) => {
            Hot::Cold
        }
        Err(refusal) => {
            counters.refused(refusal);
            let seen =
                Seen { method: request.method, path: request.path, query: request.query, headers: request.headers };
            Hot::Reply(no(shared, &tables, refusal, &seen))
        }
    }
}

/// What the credential is worth, and whether level 1 knew.
fn check_hot(
    shard: &EdgeShard,
    tables: &Tables,
    request: &Request<'_>,
    now_s: i64,
) -> Result<(Rc<Checked>, bool), Refusal> {
    let client_id = find_client_id(request.query)?;
    let credential = Credential::read(request.headers, client_id)?;
    // A client's id has no blank, so kind, id and credential cannot run into each other.
    let digest = match credential {
        Credential::None => return check_client(tables, client_id).and(Err(Refusal::NoCredential)),
        Credential::Bearer(token) => [b"b ", client_id.as_bytes(), token],
        Credential::Cookie(value) => [b"c ", client_id.as_bytes(), value],
    };
    let digest = shard.shared.check_hasher.digest_parts(digest);
    let known = shard.checks.borrow().find(digest).cloned();
    if let Some(checked) = known {
        let was_held = checked.live.seen.get().0 == tables.entities_version;
        match checked.live.standing(tables, now_s) {
            Standing::Good if was_held || checked.is_of(tables, client_id) => return Ok((checked, true)),
            Standing::Dead => {
                shard.checks.borrow_mut().remove(digest);
                return Err(Refusal::Revoked);
            }
            Standing::Good | Standing::Unknown => shard.checks.borrow_mut().remove(digest),
        }
    }
    let client = check_client(tables, client_id)?;
    let checked = Rc::new(check(&shard.shared, tables, client, credential, now_s)?);
    shard.checks.borrow_mut().insert(digest, checked.clone());
    Ok((checked, false))
}

/// Gone cold: the same with current tables, read again once if news could help.
fn cold(call: Call, _: Permit<Anyone>) -> BoxFuture<'static, Reply> {
    Box::pin(async move { answer_cold(&call).await.unwrap_or_else(OAuthError::reply) })
}

async fn answer_cold(call: &Call) -> Result<Reply, OAuthError> {
    let (shared, feed, request) = (&call.backend.shared, &call.backend.feed, &call.request);
    let mut tables = feed.fresh_tables().await.map_err(|_| fault::UNAVAILABLE)?;
    let look = |tables: &Tables| {
        let client_id = find_client_id(request.query.as_deref())?;
        let client = check_client(tables, client_id)?;
        let credential = Credential::read(&request.headers, client_id)?;
        // Not kept: the headers are all that leaves, and what a shard keeps stays there.
        check(shared, tables, client, credential, call.now_s).map(|checked| yes(&checked))
    };
    let mut outcome = look(&tables);
    if matches!(&outcome, Err(refusal) if refusal.is_curable()) && call.may_read_again() {
        feed.refresh().await.map_err(|_| fault::UNAVAILABLE)?;
        tables = feed.tables();
        outcome = look(&tables);
    }
    Ok(match outcome {
        Ok(reply) => {
            call.backend.checks.checked.inc();
            reply
        }
        Err(refusal) => {
            call.backend.checks.refused(refusal);
            let seen = Seen {
                method: &request.method,
                path: &request.path,
                query: request.query.as_deref(),
                headers: &request.headers,
            };
            no(shared, &tables, refusal, &seen)
        }
    })
}

/// The one `client_id` of the query. The rest of the query may be the visitor's own and is not read.
fn find_client_id(query: Option<&str>) -> Result<&str, Refusal> {
    let mut found = None;
    for segment in query.unwrap_or_default().split('&') {
        let (name, value) = segment.split_once('=').unwrap_or((segment, ""));
        if spells(name.as_bytes(), b"client_id") && found.replace(value).is_some() {
            return Err(Refusal::BadQuery);
        }
    }
    found.filter(|id| !id.is_empty()).ok_or(Refusal::BadQuery)
}

/// Whether an escaped name stands for `plain`.
fn spells(mut name: &[u8], plain: &[u8]) -> bool {
    let hex = |digit: u8| char::from(digit).to_digit(16);
    for expected in plain {
        name = match name {
            [b'%', high, low, rest @ ..]
                if hex(*high).zip(hex(*low)).map(|(high, low)| high << 4 | low) == Some(u32::from(*expected)) =>
            {
                rest
            }
            [byte, rest @ ..] if byte == expected => rest,
            _ => return false,
        };
    }
    name.is_empty()
}

fn check_client<'t>(tables: &'t Tables, client_id: &str) -> Result<&'t ClientEntry, Refusal> {
    let client = tables.find_client(client_id).ok_or(Refusal::ClientUnknown)?;
    guard::check_active(tables, client).map_err(|_| Refusal::Disabled)?;
    Ok(client)
}

/// Decides from the tables alone whether a credential is good at an application.
fn check(
    shared: &Shared,
    tables: &Tables,
    client: &ClientEntry,
    credential: Credential<'_>,
    now_s: i64,
) -> Result<Checked, Refusal> {
    match credential {
        Credential::None => Err(Refusal::NoCredential),
        Credential::Bearer(token) => check_token(shared, tables, client, token, now_s),
        Credential::Cookie(value) => check_cookie(shared, tables, client, value, now_s),
    }
}

fn check_token(
    shared: &Shared,
    tables: &Tables,
    client: &ClientEntry,
    token: &[u8],
    now_s: i64,
) -> Result<Checked, Refusal> {
    let judged = introspect::judge(shared, tables, token, shared.hasher.digest(token), now_s)?;
    let access = &judged.access;
    let is_meant = client.audiences.iter().any(|own| access.aud.iter().any(|aud| same_resource(aud, own)));
    // A token that is bound to a key is nothing without the proof, and there is none here.
    if access.tenant_id != client.tenant_id || !is_meant || access.extra.contains_key("cnf") {
        return Err(Refusal::BadToken);
    }
    let acr = access.extra.get("acr").and_then(|acr| acr.as_str());
    let headers = identity(access.tenant_id, &access.sub, None, acr, None).ok_or(Refusal::BadToken)?;
    Ok(Checked { live: judged.live, client: client.generation, block: Block::of(&headers) })
}

fn check_cookie(
    shared: &Shared,
    tables: &Tables,
    client: &ClientEntry,
    value: &[u8],
    now_s: i64,
) -> Result<Checked, Refusal> {
    let opened = shared.edge_cookies.open(&client.client_id, value, now_s);
    let cookie = opened.map_err(|fault| match fault {
        EdgeFault::Expired => Refusal::Expired,
        EdgeFault::Malformed | EdgeFault::Forged | EdgeFault::NotYetValid | EdgeFault::TooLong => Refusal::BadCookie,
    })?;
    if cookie.tenant_id != client.tenant_id {
        return Err(Refusal::BadCookie);
    }
    let marks = cookie.mark_keys(&client.client_id);
    if marks::is_dead(&marks, cookie.issued_s, |key| tables.find_mark(key)) {
        return Err(Refusal::Revoked);
    }
    let tenant = tables.find_tenant(cookie.tenant_id).ok_or(Refusal::Disabled)?;
    if tenant.sign_in.is_closed() {
        return Err(Refusal::Disabled);
    }
    let EdgeCookie { tenant_id, sub, acr, email, .. } = &*cookie;
    let session = cookie.session_text();
    let headers = identity(*tenant_id, sub, Some(&session), Some(acr), email.as_deref()).ok_or(Refusal::BadCookie)?;
    let live = Live {
        expires_s: cookie.expires_s,
        issued_s: cookie.issued_s,
        tenant_id: cookie.tenant_id,
        client_id: client.client_id.clone(),
        audiences: Vec::new(),
        marks,
        body: Bytes::new(),
        made_from: MadeFrom { key: None, client: client.generation, tenant: tenant.generation },
        seen: Cell::new((tables.entities_version, tables.marks_version)),
    };
    Ok(Checked { live, client: client.generation, block: Block::of(&headers) })
}

/// The headers of a yes; `None` when a value has characters that none of ours has.
fn identity(
    tenant: TenantId,
    sub: &str,
    session: Option<&str>,
    acr: Option<&str>,
    email: Option<&str>,
) -> Option<HeaderMap> {
    let mut headers = HeaderMap::with_capacity(6);
    headers.insert(header::CACHE_CONTROL, NO_STORE);
    headers.insert(SUBJECT, plain(sub)?);
    headers.insert(TENANT, HeaderValue::from_str(&tenant.to_string()).ok()?);
    for (name, value) in [(SESSION, session), (ACR, acr)] {
        if let Some(value) = value {
            headers.insert(name, plain(value)?);
        }
    }
    if let Some(email) = email {
        headers.insert(EMAIL, HeaderValue::from_str(&escape_email(email)).ok()?);
    }
    Some(headers)
}

fn plain(text: &str) -> Option<HeaderValue> {
    let is_plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
    HeaderValue::from_str(text).ok().filter(|_| is_plain)
}

/// An address as a header's value: UTF-8, percent-encoded where it is not visible ASCII, and `%` too.
fn escape_email(email: &str) -> String {
    let mut out = String::with_capacity(email.len());
    for byte in email.bytes() {
        if byte.is_ascii_graphic() && byte != b'%' {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

fn yes(checked: &Checked) -> Reply {
    Reply { block: checked.block.clone(), ..Reply::empty(StatusCode::OK) }
}

/// A request as the refusal needs it, at either speed.
struct Seen<'r> {
    method: &'r Method,
    path: &'r str,
    query: Option<&'r str>,
    headers: &'r HeaderMap,
}

fn no(shared: &Shared, tables: &Tables, refusal: Refusal, seen: &Seen<'_>) -> Reply {
    if refusal == Refusal::BadQuery {
        return fault::problem(400, "Bad Request", "The query must name one client_id");
    }
    // Who sent a token is no browser that could sign in.
    let is_bearer = seen.headers.get(header::AUTHORIZATION).is_some_and(|value| bearer(value).is_some());
    let reply = Reply::empty(StatusCode::UNAUTHORIZED)
        .with(header::CACHE_CONTROL, NO_STORE)
        .with(header::WWW_AUTHENTICATE, if is_bearer { BAD_TOKEN } else { CHALLENGE });
    let client = find_client_id(seen.query).and_then(|client_id| check_client(tables, client_id));
    match client {
        Ok(client) if !is_bearer => place::send_to_sign_in(reply, shared, tables, client, seen),
        _ => reply,
    }
}

#[cfg(test)]
pub(crate) mod tests;
