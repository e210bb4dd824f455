//! From a request to its route, its limits and its guard; hot on the shard, cold in the backend.
//!
//! Order: host, route, preflight, method, body limit, then the feature's own function. A path is
//! matched byte for byte: an encoded or dotted variant of a route is another path, and there is none. A route for all
//! below its path is asked when none has exactly the path that is sent, the longest first.
//! What is refused on that way is a document (RFC 9457), and a page for who prefers one. Drawing a page costs more than
//! anything else here, so it is paid from the address's budget of failures; over it the document is good enough. So it
//! is when the backend has too much to do: that is no time to draw.
//! The cold side authenticates by the guard that the route declares before its handler runs, reading
//! the tables again when a credential is unknown (within the address's budget).

use crate::backend::{Backend, BackendFault, Call};
use crate::cors;
use crate::fault::{self, OAuthError};
use crate::feature::{Cors, Feature, Guarded, Hot, Route, Serve};
use crate::guard::{self, AuthFault, Authenticated, Client, Credentials, Permit};
use crate::health;
use crate::session::{self, Csrf, PageFault, Visit};
use crate::shard::{EdgeShard, Memo, Shared};
use http::{HeaderName, HeaderValue, Method, StatusCode, header};
use sigid_core::secret::Digest32;
use sigid_io::backend::BoxFuture;
use sigid_io::clock;
use sigid_io::http::{Cold, ColdRequest, Outcome, Reply, Request};
use sigid_io::metrics::{self, Histogram};
use sigid_io::settings::Plane;
use std::sync::Arc;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The routes of this process's planes.
pub struct Router {
    routes: Vec<Entry>,
    /// Indexes of `routes` by the length of their path: a look compares only what could be equal.
    by_length: Vec<Vec<u16>>,
    /// Indexes of routes for all below their path, the longest first.
    prefixes: Vec<(&'static str, u16)>,
}

struct Entry {
    route: &'static Route,
    feature: &'static str,
    cold_seconds: Histogram,
}

impl Router {
    /// Routes of `features` whose plane is in `planes`. Health answers in every plane.
    pub fn new(features: &[&'static Feature], planes: &[Plane]) -> Self {
        let mut routes = Vec::new();
        let mut by_length: Vec<Vec<u16>> = Vec::new();
        let mut prefixes = Vec::new();
        for feature in features {
            for route in feature.routes {
                if planes.contains(&route.plane) || route.path.starts_with(health::PREFIX) {
                    let at = routes.len() as u16;
                    if let Some(prefix) = route.prefix() {
                        prefixes.push((prefix, at));
                    }
                    if by_length.len() <= route.path.len() {
                        by_length.resize(route.path.len() + 1, Vec::new());
                    }
                    if let Some(same_length) = by_length.get_mut(route.path.len()) {
                        same_length.push(at);
                    }
                    let cold_seconds = metrics::histogram(
                        "sigid_cold_seconds",
                        "Time of a cold answer in the backend, by route.",
                        &[("route", route.path)],
                    );
                    routes.push(Entry { route, feature: feature.name, cold_seconds });
                }
            }
        }
        prefixes.sort_by_key(|(prefix, _)| std::cmp::Reverse(prefix.len()));
        Self { routes, by_length, prefixes }
    }

    fn find(&self, path: &str) -> Option<(u16, &Entry)> {
        self.find_exact(path).or_else(|| self.find_above(path))
    }

    fn find_exact(&self, path: &str) -> Option<(u16, &Entry)> {
        let mut candidates = self.by_length.get(path.len())?.iter();
        candidates.find_map(|at| {
            let entry = self.routes.get(usize::from(*at))?;
            (entry.route.path == path).then_some((*at, entry))
        })
    }

    fn find_above(&self, path: &str) -> Option<(u16, &Entry)> {
        let is_below = |prefix| path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        let (_, at) = self.prefixes.iter().find(|(prefix, _)| is_below(*prefix))?;
        self.routes.get(usize::from(*at)).map(|entry| (*at, entry))
    }
}

/// The hot side.
pub fn hot(shard: &EdgeShard, request: &Request<'_>, memo: &mut Memo) -> Outcome {
    let shared = &*shard.shared;
    if !is_allowed_host(&shared.allowed_hosts, request.authority) && !request.path.starts_with(health::PREFIX) {
        shard.metrics.misdirected.inc();
        let problem = fault::problem(421, "Misdirected Request", "This server does not answer for that host");
        return Outcome::Reply(refuse(shard, request, problem));
    }
    let Some((at, entry)) = shared.router.find(request.path) else {
        let problem = fault::problem(404, "Not Found", "There is nothing at this path");
        return Outcome::Reply(refuse(shard, request, problem));
    };
    let route = entry.route;
    if request.method == Method::OPTIONS
        && !route.takes_any_method()
        && let Some(reply) = cors::preflight(route.cors, route.methods, shared, &shard.tables.borrow(), request.headers)
    {
        return Outcome::Reply(reply);
    }
    if !route.takes(request.method.as_str()) {
        return Outcome::Reply(refuse(shard, request, method_not_allowed(route)));
    }
    if request.body.len() > route.body_bytes_max {
        let problem = fault::problem(413, "Content Too Large", "The body is larger than this endpoint takes");
        return Outcome::Reply(refuse(shard, request, problem));
    }
    let reply = match &route.serve {
        Serve::Hot(answer) | Serve::HotThenCold(answer, _) => answer(shard, request, memo),
        Serve::Cold(_) => Hot::Cold,
    };
    match reply {
        Hot::Cold => go_cold(shard, request, at),
        Hot::Reply(mut reply) => {
            if route.cors != Cors::None {
                cors::decorate(&mut reply, route.cors, shared, &shard.tables.borrow(), request.headers);
            }
            Outcome::Reply(reply)
        }
    }
}

/// A page in place of the problem, where the request prefers one and its address has not had too many of late.
fn refuse(shard: &EdgeShard, request: &Request<'_>, problem: Reply) -> Reply {
    if !fault::wants_page(request.headers) {
        return problem;
    }
    let address = shard.client_address(request);
    if !shard.failures.borrow_mut().take(address, shard.shared.clock.coarse_now_s()) {
        return problem;
    }
    shard.shared.error_pages.in_place_of(problem, &shard.tables.borrow(), request.headers)
}

/// Over to the backend, unless this address has made it fail too often of late.
fn go_cold(shard: &EdgeShard, request: &Request<'_>, route: u16) -> Outcome {
    let address = shard.client_address(request);
    if shard.failures.borrow_mut().is_spent(address, shard.shared.clock.coarse_now_s()) {
        shard.metrics.limited.inc();
        let reply = fault::problem(429, "Too Many Requests", "Too many requests of this address have failed");
        return Outcome::Reply(reply.with(header::RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER_S)));
    }
    Outcome::Cold(Cold { route, address })
}

/// When an address that is over its budget may try again; by then it has some left.
const RETRY_AFTER_S: &str = "5";

/// `allowed` entries are `host` (any port) or `host:port`, lower case.
fn is_allowed_host(allowed: &[String], authority: &str) -> bool {
    allowed.is_empty()
        || allowed
            .iter()
            .any(|known| authority.eq_ignore_ascii_case(known) || without_port(authority).eq_ignore_ascii_case(known))
}

fn without_port(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        Some((host, port))
            if port.bytes().all(|byte| byte.is_ascii_digit()) && (!host.contains(':') || host.ends_with(']')) =>
        {
            host
        }
        _ => authority,
    }
}

fn method_not_allowed(route: &Route) -> Reply {
    let reply = fault::problem(405, "Method Not Allowed", "This endpoint takes other methods");
    match HeaderValue::from_str(&route.allowed()) {
        Ok(allow) => reply.with(header::ALLOW, allow),
        Err(_) => reply,
    }
}

/// The cold side: guard, handler, log line.
pub fn cold(backend: Arc<Backend>, request: ColdRequest) -> BoxFuture<'static, Reply> {
    Box::pin(async move {
        let began_us = clock::monotonic_us();
        let shared = backend.shared.clone();
        let Some(entry) = shared.router.routes.get(usize::from(request.route)) else {
            return fault::SERVER_ERROR.reply();
        };
        let headers = request.headers.clone();
        let address = sigid_io::http::client_address(request.peer, &headers, &shared.trusted_proxies);
        let call =
            Call { now_s: shared.clock.now_s(), address, request_id: request_id(), request, backend: backend.clone() };
        let (request_id, method) = (call.request_id.clone(), call.request.method.clone());
        let served = serve(entry.route, call).await;
        let mut reply = served.reply;
        // A hot answer has no id; its cold twin must not be told apart by one.
        let is_twin = matches!(entry.route.serve, Serve::HotThenCold(..));
        if let (false, Ok(value)) = (is_twin, HeaderValue::from_str(&request_id)) {
            reply.headers.insert(REQUEST_ID, value);
        }
        let us = clock::monotonic_us().saturating_sub(began_us);
        entry.cold_seconds.observe_us(us);
        let outcome = served.refused.unwrap_or_else(|| outcome(reply.status));
        log(entry, &method, &reply, outcome, &request_id, address, served.asked.as_ref(), us);
        cors::decorate(&mut reply, entry.route.cors, &shared, &backend.feed.tables(), &headers);
        reply
    })
}

/// Who asked, for the log.
struct Asked {
    tenant: String,
    client: String,
}

/// A cold answer, and what the log says of it.
struct Served {
    reply: Reply,
    asked: Option<Asked>,
    /// Why the guard refused.
    refused: Option<&'static str>,
}

async fn serve(route: &'static Route, call: Call) -> Served {
    let served = |reply, asked| Served { reply, asked, refused: None };
    let (Serve::Cold(guarded) | Serve::HotThenCold(_, guarded)) = &route.serve else {
        return served(fault::SERVER_ERROR.reply(), None);
    };
    match guarded {
        Guarded::Anyone(handler) => served(handler(call, Permit::anyone()).await, None),
        Guarded::Client(handler) => match check_client(&call, route.path).await {
            Ok(permit) => {
                let asked = Asked { tenant: permit.tenant_id.to_string(), client: permit.client_id.to_string() };
                served(handler(call, permit).await, Some(asked))
            }
            Err(refusal) => Served { reply: refusal.error.reply(), asked: None, refused: Some(refusal.label) },
        },
        Guarded::Page(_) | Guarded::Person(_) => serve_page(guarded, call).await,
    }
}

/// A page: its form is checked, the session looked up, and the browser given the cookie of its forms.
async fn serve_page(guarded: &'static Guarded, call: Call) -> Served {
    let csrf = Csrf::of(&call.request.headers, &call.backend.pages.form_key);
    let mut served = match check_visit(&call, &csrf).await {
        Ok(visit) => Served { reply: show_page(guarded, call, visit).await, asked: None, refused: None },
        Err(fault) => Served { reply: refuse_page(&call, fault), asked: None, refused: Some(fault.label()) },
    };
    csrf.decorate(&mut served.reply);
    served
}

async fn check_visit(call: &Call, csrf: &Csrf) -> Result<Visit, PageFault> {
    session::check_form(call, csrf)?;
    let find_session = call.backend.pages.find_session;
    let found = find_session(&call.backend, &call.request.headers, call.address, call.now_s).await;
    let session = found.map_err(|BackendFault| PageFault::Unavailable)?;
    Ok(Visit { session, csrf: csrf.clone() })
}

async fn show_page(guarded: &'static Guarded, call: Call, visit: Visit) -> Reply {
    match (guarded, visit) {
        (Guarded::Page(handler), visit) => handler(call, Permit::page(visit)).await,
        (Guarded::Person(handler), Visit { session: Some(session), csrf }) => {
            handler(call, Permit::person(session, csrf)).await
        }
        (Guarded::Person(_), Visit { session: None, .. }) => session::to_login(&call),
        (Guarded::Anyone(_) | Guarded::Client(_), _) => fault::SERVER_ERROR.reply(),
    }
}

fn refuse_page(call: &Call, fault: PageFault) -> Reply {
    let reply = (call.backend.pages.refused)(call, fault).with_status(fault.status());
    match fault {
        PageFault::Unavailable => reply.with(header::RETRY_AFTER, HeaderValue::from_static("1")),
        PageFault::ForeignOrigin | PageFault::BadForm | PageFault::Expired => reply,
    }
}

/// What the guard says no with: to the caller, and to the log.
struct Refusal {
    error: OAuthError,
    label: &'static str,
}

impl From<OAuthError> for Refusal {
    fn from(error: OAuthError) -> Self {
        Self { error, label: error.error }
    }
}

/// What the log calls an answer whose handler said no more.
fn outcome(status: StatusCode) -> &'static str {
    match status.as_u16() {
        ..400 => "ok",
        503 => "unavailable",
        500.. => "failed",
        _ => "refused",
    }
}

/// The client guard: tables first; when they do not know the credential, read again, once.
async fn check_client(call: &Call, path: &'static str) -> Result<Permit<Client>, Refusal> {
    let form = call.form(&["resource", "audience"])?;
    let feed = &call.backend.feed;
    let tables = feed.fresh_tables().await.map_err(|_| fault::UNAVAILABLE)?;
    let mut scratch = [0; sigid_core::basic::BASIC_BYTES_MAX];
    let credentials =
        Credentials::read(&call.request.headers, &form, &mut scratch).map_err(|fault| refused(call, fault))?;
    let mut checked = guard::authenticate(&tables, &credentials, path, call.now_s);
    if matches!(&checked, Err(fault) if fault.is_curable()) && call.may_read_again() {
        feed.refresh().await.map_err(|_| fault::UNAVAILABLE)?;
        checked = guard::authenticate(&feed.tables(), &credentials, path, call.now_s);
    }
    let authenticated = checked.map_err(|fault| refused(call, fault))?;
    consume_assertion(call, &authenticated).await?;
    Ok(authenticated.permit)
}

fn refused(call: &Call, fault: AuthFault) -> Refusal {
    call.backend.refused.inc(fault.label());
    Refusal { error: fault.error(), label: fault.label() }
}

/// An assertion authenticates once, on all nodes: its `jti` is kept until it expires.
async fn consume_assertion(call: &Call, authenticated: &Authenticated) -> Result<(), Refusal> {
    let Some(assertion) = &authenticated.assertion else { return Ok(()) };
    let digest = Digest32::of(format!("{}\n{}", authenticated.permit.client_id, assertion.jti()).as_bytes());
    let consume = call.backend.consume_assertion;
    let is_first =
        consume(call.backend.clone(), digest, assertion.exp_s()).await.map_err(|BackendFault| fault::UNAVAILABLE)?;
    if is_first {
        return Ok(());
    }
    call.backend.refused.inc(guard::ASSERTION_REPLAYED);
    let error = OAuthError::invalid_client("The client assertion was used before");
    Err(Refusal { error, label: guard::ASSERTION_REPLAYED })
}

#[allow(clippy::too_many_arguments, reason = "the fields of one log line")]
fn log(
    entry: &Entry,
    method: &Method,
    reply: &Reply,
    outcome: &'static str,
    request_id: &str,
    address: std::net::IpAddr,
    client: Option<&Asked>,
    us: u64,
) {
    tracing::info!(
        feature = entry.feature,
        route = entry.route.path,
        %method,
        status = reply.status.as_u16(),
        outcome,
        request_id,
        %address,
        tenant = client.map(|asked| asked.tenant.as_str()),
        client = client.map(|asked| asked.client.as_str()),
        us,
        "request"
    );
}

fn request_id() -> String {
    let bytes: [u8; 12] = sigid_io::rng::random();
    bytes.iter().fold(String::with_capacity(24), |mut text, byte| {
        use std::fmt::Write as _;
        let _ = write!(text, "{byte:02x}");
        text
    })
}

impl Shared {
    /// Every route of this process, for the sweep test and the documentation.
    pub fn routes(&self) -> impl Iterator<Item = &'static Route> + '_ {
        self.router.routes.iter().map(|entry| entry.route)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::ErrorPages;
    use crate::session_check::tests::World;
    use http::HeaderMap;
    use std::net::Ipv4Addr;

    fn drawn() -> ErrorPages {
        ErrorPages(Box::new(|_, _, _| {
            Some(Reply::empty(StatusCode::OK).with(header::CONTENT_TYPE, HeaderValue::from_static("text/html")))
        }))
    }

    fn ask(shard: &EdgeShard, method: &Method, authority: &str, path: &str, accept: &str, body: &[u8]) -> Reply {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT, HeaderValue::from_str(accept).unwrap());
        let peer = Ipv4Addr::LOCALHOST.into();
        let request = Request { method, path, query: None, authority, headers: &headers, body, peer };
        match hot(shard, &request, &mut Memo::default()) {
            Outcome::Reply(reply) => reply,
            Outcome::Cold(_) => panic!("went cold"),
        }
    }

    #[test]
    fn what_is_refused_is_a_page_for_people_and_a_document_for_programs() {
        let world = World::with_error_pages(drawn(), 0);
        let (get, head, post) = (Method::GET, Method::HEAD, Method::POST);
        for (status, method, authority, path, body) in [
            (404, &get, "auth.example.com", "/nothing", &b""[..]),
            (404, &get, "auth.example.com", "/health/live/", b""),
            (404, &head, "auth.example.com", "/nothing", b""),
            (405, &post, "auth.example.com", "/health/live", b""),
            (413, &get, "auth.example.com", "/health/live", b"x"),
            (421, &get, "evil.example", "/nothing", b""),
        ] {
            for (accept, expected) in [
                ("text/html,*/*;q=0.8", "text/html"),
                ("*/*", "application/problem+json"),
                ("application/json", "application/problem+json"),
            ] {
                let reply = ask(&world.shard, method, authority, path, accept, body);
                assert_eq!(reply.status, status, "{path} {accept}");
                let shown = reply.headers.get(header::CONTENT_TYPE).unwrap();
                assert_eq!(shown, expected, "{status} {path} {accept}");
                assert_eq!(reply.headers.contains_key(header::ALLOW), status == 405, "{status} {path} {accept}");
            }
        }
    }

    #[test]
    fn pages_of_errors_are_drawn_up_to_a_budget() {
        let world = World::with_error_pages(drawn(), 2);
        let kinds: Vec<HeaderValue> = (0..3)
            .map(|_| ask(&world.shard, &Method::GET, "auth.example.com", "/nothing", "text/html", b""))
            .map(|reply| reply.headers.get(header::CONTENT_TYPE).unwrap().clone())
            .collect();
        assert_eq!(kinds, ["text/html", "text/html", "application/problem+json"]);
    }

    #[test]
    fn hosts_match_with_and_without_port() {
        let allowed = ["auth.example.com".to_owned(), "localhost:8443".to_owned(), "[::1]".to_owned()];
        for (reason, authority, expected) in [
            ("the bare host", "auth.example.com", true),
            ("any port of a host without one", "AUTH.example.com:8443", true),
            ("the named port", "localhost:8443", true),
            ("another port than the named one", "localhost:9443", false),
            ("an IPv6 literal with port", "[::1]:8443", true),
            ("a suffix", "evil-auth.example.com", false),
            ("userinfo", "auth.example.com@evil.example", false),
            ("nothing", "", false),
        ] {
            assert_eq!(is_allowed_host(&allowed, authority), expected, "{reason}");
        }
    }
}
