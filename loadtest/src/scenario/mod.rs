//! What is asked, and which answer is right. A scenario makes prebuilt requests and judges answers; it knows
//! nothing of schedules or connections. A new one is a variant here and a file beside.

pub mod introspect;
pub mod issue;

use bytes::Bytes;
use http::{HeaderValue, Method, Request, StatusCode, Uri, header};

use crate::client::form_headers;
use crate::record::Kind;
use introspect::{Expect, Introspect};
use issue::Issue;

pub enum Scenario {
    Introspect(Introspect),
    Issue(Issue),
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
        }
    }

    pub fn template(&self) -> &Template {
        match self {
            Self::Introspect(introspect) => introspect.template(),
            Self::Issue(issue) => issue.template(),
        }
    }

    pub fn judge(&mut self, expect: &Expect, status: StatusCode, body: &[u8]) -> Result<(), Kind> {
        check_status(status)?;
        match self {
            Self::Introspect(introspect) => introspect.judge(expect, body),
            Self::Issue(issue) => issue.judge(body),
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

/// A POST of a form, of which only the length and the body differ from shot to shot.
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

    pub fn with(&self, body: &Bytes) -> Request<()> {
        let mut request = self.0.clone();
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
