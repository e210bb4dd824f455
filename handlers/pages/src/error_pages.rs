//! The pages of what is refused before any page is asked: no such path, another method, another host, too large.
//!
//! The edge asks for one on a shard, for a request that prefers a page, and pays for it from the budget of failures of
//! the request's address. It is drawn from the tables and the headers alone; there is no request id, because nothing was
//! logged. A page on a host that is not ours brings its sheet along: that host has none of ours.

use crate::brand::Brand;
use crate::i18n::I18n;
use crate::look::Look;
use crate::render;
use crate::views::{Elsewhere, ErrorPage, Page, Wait};
use http::{HeaderMap, Method, StatusCode};
use sigid_edge::fault::ErrorPages;
use sigid_edge::tables::Tables;
use sigid_io::http::Reply;
use std::sync::Arc;

/// For `Shared::with_error_pages`.
pub fn error_pages(i18n: Arc<I18n>) -> ErrorPages {
    ErrorPages(Box::new(move |tables, status, headers| draw(&i18n, tables, status, headers)))
}

fn draw(i18n: &Arc<I18n>, tables: &Tables, status: StatusCode, headers: &HeaderMap) -> Option<Reply> {
    let page: Box<dyn Page> = match status {
        StatusCode::NOT_FOUND => Box::new(ErrorPage::not_found("")),
        StatusCode::METHOD_NOT_ALLOWED => Box::new(ErrorPage::another_method("")),
        StatusCode::PAYLOAD_TOO_LARGE => Box::new(ErrorPage::too_large("")),
        StatusCode::MISDIRECTED_REQUEST => Box::new(Elsewhere { issuer: tables.issuer.to_string() }),
        StatusCode::TOO_MANY_REQUESTS => Box::new(Wait { retry_after_s: RETRY_S }),
        StatusCode::SERVICE_UNAVAILABLE => Box::new(ErrorPage::unavailable("")),
        status if status.is_client_error() => Box::new(ErrorPage::bad_request("")),
        status if status.is_server_error() => Box::new(ErrorPage::failed("")),
        _ => return None,
    };
    let brand = Brand::of(tables, None);
    let mut look = Look::read(i18n.clone(), brand, &Method::GET, crate::paths::LOGIN, None, headers);
    if status == StatusCode::MISDIRECTED_REQUEST {
        look = look.elsewhere();
    }
    Some(render(&look, status, &*page))
}

/// What the edge says, in words.
const RETRY_S: u64 = 5;

#[cfg(test)]
mod tests {
    use super::*;
    use http::{HeaderValue, header};

    fn document(status: u16, headers: &[(&'static str, &'static str)]) -> (Option<Reply>, String) {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(*name, HeaderValue::from_static(value));
        }
        let tables = Tables::new("https://auth.example.com");
        let reply = draw(&I18n::builtin(), &tables, StatusCode::from_u16(status).unwrap(), &map);
        let text = reply.as_ref().map(|reply| String::from_utf8(reply.body.to_vec()).unwrap()).unwrap_or_default();
        (reply, text)
    }

    #[test]
    fn a_person_reads_what_it_means() {
        for (reason, status, headers, title) in [
            ("no such path", 404, vec![], "There is nothing here"),
            ("another method", 405, vec![], "This page cannot be reached that way"),
            ("too much", 413, vec![], "That was too much at once"),
            ("too many failures", 429, vec![], "Wait a moment"),
            ("out of reach", 503, vec![], "We cannot answer right now"),
            ("a fault of ours", 500, vec![], "This did not work"),
            ("anything else of theirs", 400, vec![], "We could not read that"),
            ("in their language", 404, vec![("accept-language", "de")], "Hier ist nichts"),
            ("in the chosen one", 404, vec![("cookie", "__Host-sigid-lang=fr")], "Il n’y a rien ici"),
        ] {
            let (reply, text) = document(status, &headers);
            let reply = reply.unwrap_or_else(|| panic!("{reason}"));
            assert_eq!(reply.status, status, "{reason}");
            assert!(text.contains(&format!("<h1>{title}</h1>")), "{reason}: {text}");
            assert!(!text.contains("<code>"), "{reason}: there is no request id to show");
            assert_eq!(reply.headers.get(header::CACHE_CONTROL).unwrap(), "no-store", "{reason}");
        }
        assert!(document(302, &[]).0.is_none(), "no error at all");
    }

    #[test]
    fn a_page_on_another_host_needs_nothing_of_it() {
        let (reply, text) = document(421, &[]);
        for (reason, part, is_there) in [
            ("its sheet is in it", "<style nonce=", true),
            ("no sheet is asked for", "<link rel=\"stylesheet\"", false),
            ("no icon is", "<link rel=\"icon\"", false),
            ("the way to us", "href=\"https://auth.example.com/account\"", true),
            ("no link on that host", "href=\"/", false),
        ] {
            assert_eq!(text.contains(part), is_there, "{reason}: {text}");
        }
        let policy = reply.unwrap().headers.get(header::CONTENT_SECURITY_POLICY).unwrap().to_str().unwrap().to_owned();
        let nonce = policy.split_once("'nonce-").unwrap().1.split_once('\'').unwrap().0;
        assert_eq!(text.matches(&format!("<style nonce=\"{nonce}\">")).count(), 1, "{policy}");
    }
}
