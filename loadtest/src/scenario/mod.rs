//! What is asked, and which answer is right. A scenario makes prebuilt requests and judges answers; it knows
//! nothing of schedules or connections. A new one is a variant here and a file beside.

pub mod introspect;
pub mod issue;
pub mod people;

use bytes::Bytes;
use http::{HeaderValue, Method, Request, StatusCode, Uri, header};

use crate::client::form_headers;
use crate::fault::Fault;
use crate::people::cookie_header;
use crate::record::Kind;
use introspect::{Expect, Introspect};
use issue::Issue;
use people::{Login, Register, SessionCheck, judge_login};

pub enum Scenario {
    Introspect(Introspect),
    Issue(Issue),
    Login(Login),
    Register(Register),
    SessionCheck(SessionCheck),
}

/// What one request asks, and what its answer must be. The rest of it is the scenario's template.
pub struct Shot {
    pub body: Bytes,
    pub expect: Expect,
}

impl Scenario {
    pub fn aim(&mut self) -> Shot {
        match self {
            Self::Introspect(introspect) => introspect.aim(),
            Self::Issue(issue) => issue.aim(),
            Self::Login(login) => login.aim(),
            Self::Register(register) => register.aim(),
            Self::SessionCheck(_) => SessionCheck::aim(),
        }
    }

    pub fn template(&self) -> &Template {
        match self {
            Self::Introspect(introspect) => introspect.template(),
            Self::Issue(issue) => issue.template(),
            Self::Login(login) => login.template(),
            Self::Register(register) => register.template(),
            Self::SessionCheck(check) => check.template(),
        }
    }

    pub fn judge(&mut self, expect: &Expect, status: StatusCode, body: &[u8]) -> Result<(), Kind> {
        if matches!(self, Self::Login(_)) {
            return judge_login(status);
        }
        check_status(status)?;
        match self {
            Self::Introspect(introspect) => introspect.judge(expect, body),
            Self::Issue(issue) => issue.judge(body),
            Self::Login(_) | Self::Register(_) => Ok(()),
            Self::SessionCheck(_) => SessionCheck::judge(body),
        }
        .map_err(Kind::Wrong)
    }
}

fn check_status(status: StatusCode) -> Result<(), Kind> {
    match status.as_u16() {
        200 => Ok(()),
        400..=499 => Err(Kind::Status4xx),
        500..=599 => Err(Kind::Status5xx),
        _ => Err(Kind::StatusOther),
    }
}

/// A POST of a form, of which only the length and the body differ from shot to shot; or a GET, alike each time.
#[derive(Clone)]
pub struct Template(Request<()>);

impl Template {
    pub fn new(uri: &Uri, authorization: Option<&HeaderValue>) -> Self {
        let mut request = Request::new(());
        *request.method_mut() = Method::POST;
        *request.uri_mut() = uri.clone();
        form_headers(&mut request, authorization, b"-");
        Self(request)
    }

    pub fn get(uri: &Uri) -> Self {
        let mut request = Request::new(());
        *request.uri_mut() = uri.clone();
        form_headers(&mut request, None, b"");
        Self(request)
    }

    pub fn with_cookie(mut self, cookie: &str) -> Result<Self, Fault> {
        self.0.headers_mut().insert(header::COOKIE, cookie_header(cookie)?);
        Ok(self)
    }

    /// Of the page that holds the form.
    pub fn with_origin(mut self, origin: &str) -> Result<Self, Fault> {
        let origin = HeaderValue::from_str(origin).map_err(|e| Fault::local("origin", e))?;
        self.0.headers_mut().insert(header::ORIGIN, origin);
        Ok(self)
    }

    pub fn with(&self, body: &Bytes) -> Request<()> {
        let mut request = self.0.clone();
        if request.method() == Method::GET {
            return request;
        }
        request.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
        request
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_an_error_of_its_class() {
        for (status, expected) in [
            (200, Ok(())),
            (401, Err(Kind::Status4xx)),
            (503, Err(Kind::Status5xx)),
            (204, Err(Kind::StatusOther)),
            (302, Err(Kind::StatusOther)),
        ] {
            assert_eq!(check_status(StatusCode::from_u16(status).unwrap()), expected, "{status}");
        }
    }

    #[test]
    fn the_length_is_that_of_each_body() {
        let template = Template::new(&Uri::from_static("https://a/i"), None);
        let request = template.with(&Bytes::from_static(b"token=abc"));
        assert_eq!(request.headers()[header::CONTENT_LENGTH], "9");
        assert_eq!(request.method(), Method::POST);
    }
}
