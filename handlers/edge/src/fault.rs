//! Errors on the wire: RFC 6749 section 5.2 for OAuth endpoints, RFC 9457 for the rest, and a page where a browser shows
//! the answer to a person ([`ErrorPages`]).

use crate::tables::Tables;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
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

/// Draws the page of an error, from the tables, its status and the request's headers; `None` for one that has no page.
pub struct ErrorPages(pub DrawError);

/// See [`ErrorPages`]. Called on a shard: it may not wait.
pub type DrawError = Box<dyn Fn(&Tables, StatusCode, &HeaderMap) -> Option<Reply> + Send + Sync>;

impl ErrorPages {
    /// Programs only: every error is a document.
    pub fn none() -> Self {
        Self(Box::new(|_, _, _| None))
    }

    /// The page in place of `problem`, with what the problem says to the browser itself.
    pub(crate) fn in_place_of(&self, problem: Reply, tables: &Tables, headers: &HeaderMap) -> Reply {
        let Some(mut page) = (self.0)(tables, problem.status, headers) else { return problem };
        page.status = problem.status;
        for name in KEPT {
            if let Some(value) = problem.headers.get(&name) {
                page.headers.insert(name, value.clone());
            }
        }
        page
    }
}

/// What a client does about an error stands in these.
const KEPT: [HeaderName; 2] = [header::ALLOW, header::RETRY_AFTER];

/// Whether a person is to read the answer: HTML is named in `Accept` and preferred to what programs read (RFC 9110
/// section 12.5.1). `*/*` alone, or nothing, is a program.
pub fn wants_page(headers: &HeaderMap) -> bool {
    let (mut html, mut json, mut any) = (0, None, 0);
    let fields = headers.get_all(header::ACCEPT).iter().filter_map(|field| field.to_str().ok());
    for range in fields.flat_map(|field| field.split(',')) {
        let (name, parameters) = range.split_once(';').unwrap_or((range, ""));
        let weight = weight(parameters);
        match name.trim().to_ascii_lowercase().as_str() {
            "text/html" | "application/xhtml+xml" => html = weight.max(html),
            "application/json" | "application/problem+json" => json = Some(json.unwrap_or(0).max(weight)),
            "application/*" | "*/*" => any = weight.max(any),
            _ => {}
        }
    }
    html > json.unwrap_or(any)
}

/// The weight of a media range in thousandths (RFC 9110 section 12.4.2); one that cannot be read is none.
fn weight(parameters: &str) -> u16 {
    let said = parameters.split(';').find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim().eq_ignore_ascii_case("q").then(|| value.trim())
    });
    said.map_or(1000, |value| match value.split_once('.').unwrap_or((value, "")) {
        ("1", zeros) if zeros.len() <= 3 && zeros.bytes().all(|digit| digit == b'0') => 1000,
        ("0", digits) if digits.len() <= 3 && digits.bytes().all(|digit| digit.is_ascii_digit()) => {
            format!("{digits:0<3}").parse().unwrap_or(0)
        }
        _ => 0,
    })
}

fn status(code: u16) -> StatusCode {
    StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accept(fields: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for field in fields {
            headers.append(header::ACCEPT, HeaderValue::from_str(field).unwrap());
        }
        headers
    }

    #[test]
    fn a_page_is_for_who_prefers_one() {
        let browser = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8";
        for (reason, fields, expected) in [
            ("a browser's navigation", vec![browser], true),
            ("in two fields", vec!["text/html", "*/*;q=0.8"], true),
            ("HTML alone", vec!["text/html"], true),
            ("in another case", vec!["Text/HTML"], true),
            ("HTML before JSON", vec!["application/json;q=0.9, text/html"], true),
            ("a weight of one", vec!["text/html;q=1.000, */*;q=0.999"], true),
            ("with a parameter of its own", vec!["text/html;level=1;q=0.5, */*;q=0.4"], true),
            ("nothing", vec![], false),
            ("an empty field", vec![""], false),
            ("anything", vec!["*/*"], false),
            ("JSON", vec!["application/json"], false),
            ("JSON before HTML", vec!["text/html;q=0.5, application/json"], false),
            ("a problem before HTML", vec!["text/html;q=0.5, application/problem+json;q=0.6"], false),
            ("as good as JSON", vec!["text/html, application/json"], false),
            ("as good as anything", vec!["text/html, */*"], false),
            ("never HTML", vec!["text/html;q=0, */*;q=0"], false),
            ("no weight at all", vec!["text/html;q=x"], false),
            ("a weight above one", vec!["text/html;q=2"], false),
            ("a word that holds it", vec!["x-text/html"], false),
        ] {
            assert_eq!(wants_page(&accept(&fields)), expected, "{reason}");
        }
    }

    #[test]
    fn a_page_keeps_what_the_problem_says_to_the_browser() {
        let pages = ErrorPages(Box::new(|_, status, _| {
            let page = Reply::empty(StatusCode::OK).with(header::CONTENT_TYPE, HeaderValue::from_static("text/html"));
            (status != StatusCode::PAYLOAD_TOO_LARGE).then_some(page)
        }));
        let tables = Tables::new("https://localhost");
        let problem = |code| problem(code, "Title", "Detail").with(header::ALLOW, HeaderValue::from_static("GET"));
        let page = pages.in_place_of(problem(405), &tables, &HeaderMap::new());
        assert_eq!((page.status.as_u16(), page.headers.get(header::ALLOW).unwrap().as_bytes()), (405, &b"GET"[..]));
        assert_eq!(page.headers.get(header::CONTENT_TYPE).unwrap(), "text/html");
        let kept = pages.in_place_of(problem(413), &tables, &HeaderMap::new());
        assert_eq!(kept.headers.get(header::CONTENT_TYPE).unwrap(), "application/problem+json", "it has no page");
    }
}
