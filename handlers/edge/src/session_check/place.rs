//! Where edge cookies live, and where a browser that needs one is sent.
//!
//! An edge cookie is for `server.base_domain` and what is below, for it is made at the issuer's host and needed at the
//! application's. Whoever has a host there can put a second one of its name into a browser; two are none, and that browser
//! goes in circles until its cookies are cleared. So the domain is for hosts that are trusted so far; a cookie of the
//! issuer's host alone (`__Host-`) would not reach an application.

use super::{COOKIE_PREFIX, PATH, Seen};
use crate::shard::Shared;
use crate::tables::{ClientEntry, Tables};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, header};
use sigid_core::cookie::edge::{EdgeCookie, EdgeFault, EdgeKey};
use sigid_core::form;
use sigid_core::ids::ClientId;
use sigid_core::jws::Verified;
use sigid_core::settings::Origin;
use sigid_io::http::Reply;

/// An address longer than this is not come back to.
pub const RETURN_BYTES_MAX: usize = 2048;
/// Where an edge cookie is made or renewed.
pub const START_PATH: &str = "/session/start";

/// The edge cookies of an installation: their key, and the hosts that get them.
pub struct EdgeCookies {
    key: EdgeKey,
    /// The `Domain` attribute; none: the issuer's host only.
    domain: Option<String>,
    issuer_host: String,
}

impl EdgeCookies {
    /// `key`: derived from the root key. `base_domain`: `server.base_domain`, the issuer's host or a domain above it.
    pub fn new(key: &[u8; 32], base_domain: &str, issuer: &str) -> Self {
        let issuer_host = Origin::parse(issuer).map(|origin| origin.host).unwrap_or_default();
        // A browser keeps no cookie for a domain of one label.
        let is_domain = base_domain != issuer_host && base_domain.contains('.');
        Self { key: EdgeKey::from_bytes(key), domain: is_domain.then(|| base_domain.to_owned()), issuer_host }
    }

    /// Under a key that no other process has, for no host: where nobody signs in.
    pub fn of_this_process() -> Self {
        Self::new(&sigid_io::rng::random(), "", "")
    }

    /// The `Set-Cookie` that lets a browser in at `client` until the cookie expires.
    ///
    /// # Errors
    /// A text of the cookie is too long.
    pub fn seal_for(&self, client: &ClientId, cookie: &EdgeCookie, now_s: i64) -> Result<HeaderValue, EdgeFault> {
        let value = self.key.seal(client, cookie, sigid_io::rng::random())?;
        self.set_cookie(client, &value, cookie.expires_s.saturating_sub(now_s).max(0))
    }

    /// The `Set-Cookie` that takes it away again.
    ///
    /// # Errors
    /// None: a client's id is a cookie's name.
    pub fn clear_for(&self, client: &ClientId) -> Result<HeaderValue, EdgeFault> {
        self.set_cookie(client, "", 0)
    }

    fn set_cookie(&self, client: &ClientId, value: &str, max_age_s: i64) -> Result<HeaderValue, EdgeFault> {
        let domain = self.domain.as_ref().map(|domain| format!("; Domain={domain}")).unwrap_or_default();
        let client = client.as_str();
        let text = format!(
            "{COOKIE_PREFIX}{client}={value}; Path=/{domain}; Max-Age={max_age_s}; Secure; HttpOnly; SameSite=Lax"
        );
        HeaderValue::from_str(&text).map_err(|_| EdgeFault::Malformed)
    }

    pub(super) fn open(&self, client: &ClientId, value: &[u8], now_s: i64) -> Result<Verified<EdgeCookie>, EdgeFault> {
        self.key.open(client, value, now_s)
    }

    /// Whether a browser may be sent back to `url` with a cookie of `client`: it is registered, and the cookie gets there.
    pub fn return_allowed(&self, client: &ClientEntry, url: &str) -> bool {
        self.return_origin(client, url).is_some()
    }

    /// The origin of `url`, if a browser may be sent back there.
    pub fn return_origin(&self, client: &ClientEntry, url: &str) -> Option<String> {
        let origin = origin_of(url)?;
        let host = Origin::parse(&origin).map(|origin| origin.host).unwrap_or_default();
        let gets_there = match &self.domain {
            Some(domain) => {
                host.strip_suffix(domain.as_str()).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
            }
            None => host == self.issuer_host,
        };
        (gets_there && return_allowed(client, url)).then_some(origin)
    }
}

/// Whether `url` is of an origin that is registered for the client. Ask [`EdgeCookies::return_allowed`], which also knows
/// whether the cookie gets there.
pub fn return_allowed(client: &ClientEntry, url: &str) -> bool {
    origin_of(url).is_some_and(|origin| client.redirect_origins.contains(&origin))
}

/// The origin of an absolute http or https URL as browsers write it; `None` for all that two readers could read differently.
fn origin_of(url: &str) -> Option<String> {
    let is_plain = url.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    if url.len() > RETURN_BYTES_MAX || !is_plain {
        return None;
    }
    let (scheme, rest) = url.split_once("://")?;
    let scheme = scheme.to_ascii_lowercase();
    let default_port = match scheme.as_str() {
        "https" => ":443",
        "http" => ":80",
        _ => return None,
    };
    let authority = rest.split(['/', '?', '#']).next()?.to_ascii_lowercase();
    let origin = format!("{scheme}://{}", authority.strip_suffix(default_port).unwrap_or(&authority));
    Origin::parse(&origin).is_ok().then_some(origin)
}

/// The address that the visitor asked the application for, as its proxy says. One that names the host only says the path
/// behind ours.
fn asked_url(path: &str, headers: &HeaderMap) -> Option<String> {
    let one = |name: &str| {
        let mut values = headers.get_all(name).iter();
        let value = values.next()?.to_str().ok()?;
        values.next().is_none().then_some(value)
    };
    if headers.contains_key("x-original-url") {
        return one("x-original-url").map(str::to_owned);
    }
    let below = PATH.strip_suffix("/*").and_then(|prefix| path.strip_prefix(prefix)).filter(|below| !below.is_empty());
    let uri = if headers.contains_key("x-forwarded-uri") { one("x-forwarded-uri")? } else { below.unwrap_or("/") };
    let is_path = uri.starts_with('/');
    is_path.then_some(format!("{}://{}{uri}", one("x-forwarded-proto")?, one("x-forwarded-host")?))
}

/// Says in a 401 where to sign in, if the browser could come back from there.
pub(super) fn send_to_sign_in(
    reply: Reply,
    shared: &Shared,
    tables: &Tables,
    client: &ClientEntry,
    seen: &Seen<'_>,
) -> Reply {
    let url = asked_url(seen.path, seen.headers).filter(|url| shared.edge_cookies.return_allowed(client, url));
    let Some(url) = url else { return reply };
    let mut location = format!("{}{START_PATH}?client_id={}&return_to=", tables.issuer, client.client_id);
    form::escape_into(&url, &mut location);
    let Ok(value) = HeaderValue::from_str(&location) else { return reply };
    let reply = reply.with(header::LOCATION, value);
    if *seen.method == Method::GET && is_for_people(seen.headers) { with_page(reply, &location) } else { reply }
}

/// A navigation says that it takes HTML; a script's request does not.
fn is_for_people(headers: &HeaderMap) -> bool {
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
    accept.is_some_and(|accept| accept.contains("text/html"))
}

/// A few words that go to `location` by themselves, for proxies that hand a 401 to the browser as it is: no browser
/// follows the `Location` of one. After a second, so that a browser that keeps no cookie goes in circles slowly.
fn with_page(mut reply: Reply, location: &str) -> Reply {
    // Of all that a form escape leaves, only `&` means something to HTML.
    let href = location.replace('&', "&amp;");
    let page = format!(
        "<!doctype html><meta charset=\"utf-8\"><meta http-equiv=\"refresh\" content=\"1;url={href}\">\
         <title>Sign in</title><a href=\"{href}\">Sign in</a>"
    );
    reply.body = Bytes::from(page);
    reply
        .with(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"))
        .with(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"))
        .with(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"))
}
