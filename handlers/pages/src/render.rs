//! From a view model to a reply: document, nonce, headers.
//!
//! The policy allows nothing by default: no script at all, styles by our sheet and by the nonce (a tenant's colour),
//! images and forms of this origin alone, no frame around the page. `Referrer-Policy` is `same-origin` and not
//! `no-referrer`: with the latter a browser sends `Origin: null` with our own forms (Fetch, "append a request `Origin`
//! header"), and the origin check could not tell us from a stranger.

use crate::frame::Frame;
use crate::look::Look;
use crate::views::Page;
use http::{HeaderName, HeaderValue, StatusCode, header};
use sigid_core::b64;
use sigid_io::http::Reply;

/// The page as an answer. Whoever needs more headers (`Set-Cookie`, `Retry-After`) adds them.
pub fn render(look: &Look, status: StatusCode, page: &dyn Page) -> Reply {
    let nonce = b64::encode(&sigid_io::rng::random::<16>());
    let frame = Frame::new(look, &nonce, page.holds_link());
    let Ok(document) = page.html(&frame) else {
        tracing::error!("a page could not be written");
        return document_reply(StatusCode::INTERNAL_SERVER_ERROR, String::new(), "default-src 'none'");
    };
    let frame_src = if page.has_frame() { "; frame-src 'self'" } else { "" };
    let policy = format!(
        "default-src 'none'; style-src 'self' 'nonce-{nonce}'; img-src 'self'; form-action 'self'{}; base-uri 'none'; \
         frame-ancestors 'none'{frame_src}",
        look.form_targets()
    );
    document_reply(status, document, &policy).with(VARY, HeaderValue::from_static("accept-language, cookie"))
}

/// Somebody else's document (the HTML part of a caught mail) in a sandbox of its own: no script, no form, styles only
/// inside; links leave the frame. Only our own pages may frame it.
pub fn render_html(document: String) -> Reply {
    let document = document.replacen("<head>", "<head><base target=\"_top\">", 1);
    let policy = "default-src 'none'; style-src 'unsafe-inline'; img-src 'self'; form-action 'none'; base-uri 'none'; \
                  frame-ancestors 'self'; sandbox allow-top-navigation-by-user-activation";
    document_reply(StatusCode::OK, document, policy)
}

fn document_reply(status: StatusCode, document: String, policy: &str) -> Reply {
    let policy = HeaderValue::from_str(policy).unwrap_or(HeaderValue::from_static("default-src 'none'"));
    let mut reply = Reply::empty(status)
        .with(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"))
        .with(header::CONTENT_SECURITY_POLICY, policy)
        .with(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))
        .with(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"))
        .with(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"))
        .with(OPENER, HeaderValue::from_static("same-origin"));
    reply.body = document.into();
    reply
}

const VARY: HeaderName = header::VARY;
const OPENER: HeaderName = HeaderName::from_static("cross-origin-opener-policy");

#[cfg(test)]
mod tests {
    use super::*;
    use crate::brand::{Accent, Brand};
    use crate::views::LoggedOut;

    fn header<'r>(reply: &'r Reply, name: &str) -> &'r str {
        reply.headers.get(name).unwrap_or_else(|| panic!("{name}")).to_str().unwrap()
    }

    #[test]
    fn a_page_has_its_headers_and_one_nonce() {
        let brand = Brand { accent: Some(Accent::parse("#005f56").unwrap()), ..Brand::default() };
        let look = Look::new(crate::Locale::En, brand);
        let reply = render(&look, StatusCode::OK, &LoggedOut);
        for (name, value) in [
            ("content-type", "text/html; charset=utf-8"),
            ("cache-control", "no-store"),
            ("referrer-policy", "same-origin"),
            ("x-content-type-options", "nosniff"),
            ("cross-origin-opener-policy", "same-origin"),
            ("vary", "accept-language, cookie"),
        ] {
            assert_eq!(header(&reply, name), value, "{name}");
        }
        let policy = header(&reply, "content-security-policy");
        let nonce = policy.split_once("'nonce-").unwrap().1.split_once('\'').unwrap().0;
        assert_eq!(nonce.len(), 22, "128 bits");
        let expected = format!(
            "default-src 'none'; style-src 'self' 'nonce-{nonce}'; img-src 'self'; form-action 'self'; base-uri 'none'; \
             frame-ancestors 'none'"
        );
        assert_eq!(policy, expected);
        let document = std::str::from_utf8(&reply.body).unwrap();
        assert!(document.contains(&format!("<style nonce=\"{nonce}\">:root{{--accent:#005f56;")), "the brand's colour");
        let again = render(&look, StatusCode::OK, &LoggedOut);
        assert_ne!(header(&again, "content-security-policy"), policy, "a nonce is used once");
    }

    #[test]
    fn a_strangers_document_is_in_a_sandbox() {
        let reply = render_html("<html><head></head><a href=x>x</a></html>".into());
        let policy = header(&reply, "content-security-policy");
        assert!(
            policy.contains("sandbox allow-top-navigation-by-user-activation") && !policy.contains("allow-scripts")
        );
        assert!(policy.contains("frame-ancestors 'self'"));
        assert!(reply.body.starts_with(b"<html><head><base target=\"_top\">"));
    }
}
