//! Who a browser says it is at SigID's own pages, and what guards the forms there.
//!
//! ```text
//! request -> is it a form of ours? (Origin, Sec-Fetch-Site, content type, token) -> whose session? -> handler
//!               no: the pages' own refusal                                             none: to /login, where one is needed
//! ```
//!
//! Both page guards take this way. A form is believed when the browser says that it was sent from our own origin, and
//! when it holds the token made from the `__Host-sigid-form` cookie of that browser for that path: the first costs
//! nothing and no old browser says it, the second is true of all. Nothing is stored; the cookie is made when a page
//! first asks for a token, and set by the dispatcher.
//!
//! The session itself is looked up by the area that keeps sessions ([`PageHooks::find_session`]); there is no SQL here.
//!
//! Attacks considered: a form on another site, a frame without an origin (`null`), a planted or doubled cookie (neither is
//! believed), a token of one form at another. A browser that is told to send no referrer says `Origin: null` on its own
//! forms too: pages say `referrer-policy: same-origin`.

use crate::backend::{Backend, BackendFault, Call};
use crate::fault;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use sigid_core::cookie::{self, FormKey};
use sigid_core::form::{self, Form};
use sigid_core::ids::{SessionId, UserId};
use sigid_io::backend::BoxFuture;
use sigid_io::http::Reply;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// The cookie that ties a browser's forms to it.
pub const FORM_COOKIE: &str = "__Host-sigid-form";
/// The hidden field of every form.
pub const FORM_FIELD: &str = "csrf";
/// Where a person without a session is sent.
pub const LOGIN_PATH: &str = "/login";
/// A path and query longer than this are not come back to.
pub const NEXT_BYTES_MAX: usize = 2048;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// A living session of a person at SigID.
#[derive(Clone, Debug)]
pub struct Session {
    pub session_id: SessionId,
    pub user_id: UserId,
    pub created_s: i64,
    /// When the person last proved who they are.
    pub authenticated_s: i64,
    pub expires_s: i64,
    pub acr: String,
    /// `[{"method", "authority", "at"}]`.
    pub authentications: serde_json::Value,
}

/// Why a page's guard says no.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PageFault {
    /// The form was not sent from a page of ours.
    ForeignOrigin,
    /// The body is not a form, or a malformed one.
    BadForm,
    /// The form's token is missing, of another form, or of a cookie that is gone.
    Expired,
    /// Nobody can say whose session it is.
    Unavailable,
}

impl PageFault {
    /// The status of the refusal, whatever the page looks like.
    pub fn status(self) -> StatusCode {
        match self {
            Self::ForeignOrigin | Self::Expired => StatusCode::FORBIDDEN,
            Self::BadForm => StatusCode::BAD_REQUEST,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// The label of logs.
    pub const fn label(self) -> &'static str {
        match self {
            Self::ForeignOrigin => "foreign_origin",
            Self::BadForm => "bad_form",
            Self::Expired => "form_expired",
            Self::Unavailable => "unavailable",
        }
    }
}

/// Finds the session that a request's cookies name, from its headers, the client's address and the time.
pub type FindSession =
    for<'a> fn(&'a Arc<Backend>, &'a HeaderMap, IpAddr, i64) -> BoxFuture<'a, Result<Option<Session>, BackendFault>>;

/// What the areas that keep sessions and draw pages do for the guards of pages.
pub struct PageHooks {
    pub find_session: FindSession,
    /// The page of a refusal. The dispatcher sets its status, and `Retry-After` where it is due.
    pub refused: fn(&Call, PageFault) -> Reply,
    pub form_key: Arc<FormKey>,
}

impl PageHooks {
    /// Nobody has a session, refusals are RFC 9457 problems, and forms are good for this process only.
    pub fn plain() -> Self {
        Self {
            find_session: |_, _, _, _| Box::pin(std::future::ready(Ok(None))),
            refused: |_, fault| problem(fault),
            form_key: Arc::new(FormKey::from_bytes(&sigid_io::rng::random())),
        }
    }
}

fn problem(fault: PageFault) -> Reply {
    match fault {
        PageFault::ForeignOrigin => {
            fault::problem(403, "Forbidden", "The form was sent from another site's page or from none")
        }
        PageFault::BadForm => fault::problem(400, "Bad Request", "The body is not a well-formed form"),
        PageFault::Expired => fault::problem(403, "Forbidden", "The form is out of date: load its page again"),
        PageFault::Unavailable => fault::problem(503, "Service Unavailable", "The server cannot answer reliably now"),
    }
}

/// What the guard of a page for anybody knows.
pub struct Visit {
    pub session: Option<Session>,
    pub csrf: Csrf,
}

/// Makes the tokens of a page's forms.
#[derive(Clone)]
pub struct Csrf {
    key: Arc<FormKey>,
    secret: Arc<str>,
    /// The browser has no cookie with this secret yet.
    is_new: bool,
    is_asked: Arc<AtomicBool>,
}

impl Csrf {
    pub(crate) fn of(headers: &HeaderMap, key: &Arc<FormKey>) -> Self {
        let known = find_cookie(headers, FORM_COOKIE).filter(|value| cookie::is_form_secret(value));
        let secret = known.map_or_else(|| sigid_core::b64::encode(&sigid_io::rng::random::<32>()).into(), Arc::from);
        Self { key: key.clone(), secret, is_new: known.is_none(), is_asked: Arc::default() }
    }

    /// The value of the field [`FORM_FIELD`] in a form whose `action` is `path` (without its query).
    pub fn token(&self, path: &str) -> String {
        self.is_asked.store(true, Relaxed);
        self.key.token(&self.secret, path)
    }

    fn check(&self, path: &str, token: Option<&str>) -> Result<(), PageFault> {
        let is_good = !self.is_new && token.is_some_and(|token| self.key.is_token(&self.secret, path, token));
        if is_good { Ok(()) } else { Err(PageFault::Expired) }
    }

    /// Gives the browser its cookie when a page holds a token made from it.
    pub(crate) fn decorate(&self, reply: &mut Reply) {
        if !self.is_new || !self.is_asked.load(Relaxed) {
            return;
        }
        let cookie = format!("{FORM_COOKIE}={}; Path=/; Secure; HttpOnly; SameSite=Lax", self.secret);
        if let Ok(value) = HeaderValue::from_str(&cookie) {
            reply.headers.append(header::SET_COOKIE, value);
        }
    }
}

/// The value of one of our cookies; `None` when it is absent, there twice, or not a cookie's value.
pub fn find_cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    cookie::find(headers.get_all(header::COOKIE).iter().map(HeaderValue::as_bytes), name)
}

/// What every page guard asks first.
pub(crate) fn check_form(call: &Call, csrf: &Csrf) -> Result<(), PageFault> {
    let request = &call.request;
    if is_safe(&request.method) {
        return Ok(());
    }
    check_origin(&request.headers, &call.backend.feed.tables().issuer)?;
    if !crate::introspect::is_form(&request.headers) {
        return Err(PageFault::BadForm);
    }
    let form = Form::parse(&request.body, &[]).map_err(|_| PageFault::BadForm)?;
    csrf.check(&request.path, form.find(FORM_FIELD))
}

/// A method that changes nothing (RFC 9110 section 9.2.1), of those that pages take.
pub(crate) fn is_safe(method: &Method) -> bool {
    *method == Method::GET || *method == Method::HEAD
}

/// Whatever the browser says of where a form comes from must be: from here.
fn check_origin(headers: &HeaderMap, issuer: &str) -> Result<(), PageFault> {
    let says = |name: HeaderName, good: &[&str]| {
        headers.get_all(name).iter().all(|value| good.iter().any(|good| value.as_bytes() == good.as_bytes()))
    };
    let is_ours = says(header::ORIGIN, &[issuer]) && says(SEC_FETCH_SITE, &["same-origin", "none"]);
    if is_ours { Ok(()) } else { Err(PageFault::ForeignOrigin) }
}

/// Where somebody without a session is sent: to sign in, and for a page back to it.
pub(crate) fn to_login(call: &Call) -> Reply {
    let request = &call.request;
    let mut location = String::from(LOGIN_PATH);
    if is_safe(&request.method) {
        let query = request.query.as_deref().map(|query| format!("?{query}")).unwrap_or_default();
        let next = format!("{}{query}", request.path);
        if next.len() <= NEXT_BYTES_MAX {
            location.push_str("?next=");
            form::escape_into(&next, &mut location);
        }
    }
    see_other(&location)
}

/// 303 to a path of ours, kept by nobody.
pub fn see_other(location: &str) -> Reply {
    let reply = Reply::empty(StatusCode::SEE_OTHER).with(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    match HeaderValue::from_str(location) {
        Ok(location) => reply.with(header::LOCATION, location),
        Err(_) => fault::SERVER_ERROR.reply(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(rows: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in rows {
            headers.append(*name, HeaderValue::from_str(value).unwrap());
        }
        headers
    }

    #[test]
    fn a_form_comes_from_our_own_origin() {
        const US: &str = "https://auth.example.com";
        for (reason, rows, is_good) in [
            ("an old browser says nothing", vec![], true),
            ("ours", vec![("origin", US), ("sec-fetch-site", "same-origin")], true),
            ("typed by hand", vec![("sec-fetch-site", "none")], true),
            ("another site", vec![("origin", "https://evil.example")], false),
            ("no origin", vec![("origin", "null")], false),
            ("another port", vec![("origin", "https://auth.example.com:8443")], false),
            ("another scheme", vec![("origin", "http://auth.example.com")], false),
            ("ours and another", vec![("origin", US), ("origin", "https://evil.example")], false),
            ("a sibling", vec![("origin", US), ("sec-fetch-site", "same-site")], false),
            ("a stranger", vec![("sec-fetch-site", "cross-site")], false),
            ("an empty word", vec![("sec-fetch-site", "")], false),
        ] {
            assert_eq!(check_origin(&headers(&rows), US).is_ok(), is_good, "{reason}");
        }
    }

    #[test]
    fn a_token_needs_the_browsers_cookie_and_its_path() {
        let key = Arc::new(FormKey::from_bytes(&[1; 32]));
        let first = Csrf::of(&headers(&[]), &key);
        let token = first.token("/login");
        let mut reply = Reply::empty(StatusCode::OK);
        first.decorate(&mut reply);
        let set = reply.headers.get(header::SET_COOKIE).unwrap().to_str().unwrap().to_owned();
        let (pair, attributes) = set.split_once("; ").unwrap();
        assert_eq!(attributes, "Path=/; Secure; HttpOnly; SameSite=Lax");
        let again = Csrf::of(&headers(&[("cookie", pair)]), &key);
        assert_eq!(again.check("/login", Some(&token)), Ok(()), "what the page held");
        let doubled = Csrf::of(&headers(&[("cookie", pair), ("cookie", pair)]), &key);
        for (reason, csrf, path, token) in [
            ("a browser without the cookie", &first, "/login", Some(token.as_str())),
            ("another browser", &Csrf::of(&headers(&[]), &key), "/login", Some(token.as_str())),
            ("the cookie twice", &doubled, "/login", Some(token.as_str())),
            ("another form", &again, "/logout", Some(token.as_str())),
            ("no token", &again, "/login", None),
        ] {
            assert_eq!(csrf.check(path, token), Err(PageFault::Expired), "{reason}");
        }
    }

    #[test]
    fn the_cookie_is_set_when_it_is_needed() {
        let key = Arc::new(FormKey::from_bytes(&[1; 32]));
        let known = format!("{FORM_COOKIE}={}", sigid_core::b64::encode(&[7; 32]));
        for (reason, cookie, is_asked, is_set) in [
            ("a page with a form", None, true, true),
            ("a page without", None, false, false),
            ("a browser that has it", Some(known.as_str()), true, false),
            ("one whose cookie is no secret", Some("__Host-sigid-form=x"), true, true),
        ] {
            let csrf =
                Csrf::of(&headers(&cookie.map(|cookie| ("cookie", cookie)).into_iter().collect::<Vec<_>>()), &key);
            if is_asked {
                csrf.token("/");
            }
            let mut reply = Reply::empty(StatusCode::OK);
            csrf.decorate(&mut reply);
            assert_eq!(reply.headers.contains_key(header::SET_COOKIE), is_set, "{reason}");
        }
    }
}
