//! `GET /language?to=de&next=/login`: the person chooses a language. It is a link, not a form: nothing is changed but a
//! cookie that only says which words are shown, and the way back is a path of our own.

use crate::i18n::I18n;
use crate::look::COOKIE;
use crate::paths;
use http::{HeaderValue, StatusCode, header};
use sigid_core::form::Form;
use sigid_edge::backend::Call;
use sigid_edge::guard::{Anyone, Permit};
use sigid_io::backend::BoxFuture;
use sigid_io::http::Reply;

pub(crate) fn switch(call: Call, _permit: Permit<Anyone>) -> BoxFuture<'static, Reply> {
    Box::pin(async move { answer(&I18n::of(&call.backend.settings), call.request.query.as_deref()) })
}

fn answer(i18n: &I18n, query: Option<&str>) -> Reply {
    let form = query.and_then(|query| Form::parse(query.as_bytes(), &[]).ok());
    let find = |name| form.as_ref().and_then(|form| form.find(name));
    let next = find("next").and_then(local_path).unwrap_or(paths::LOGIN);
    let reply = Reply::empty(StatusCode::SEE_OTHER)
        .with(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))
        .with(header::LOCATION, HeaderValue::from_str(next).unwrap_or(HeaderValue::from_static(paths::LOGIN)));
    let Some(locale) = find("to").and_then(|tag| i18n.find(tag)) else { return reply };
    let cookie = format!("{COOKIE}={}; Path=/; Max-Age={KEPT_S}; Secure; HttpOnly; SameSite=Lax", locale.tag());
    match HeaderValue::from_str(&cookie) {
        Ok(cookie) => reply.with(header::SET_COOKIE, cookie),
        Err(_) => reply,
    }
}

/// A year.
const KEPT_S: u32 = 31_536_000;

/// The path, if a browser that is sent there stays on this origin: one `/` at the beginning, no backslash (browsers read
/// it as a slash), nothing that a browser would strip, and no dots or empty segment: `/..//evil.example` becomes
/// `//evil.example` for whoever normalizes it before using it. Visible ASCII, up to 2048 characters.
pub fn local_path(path: &str) -> Option<&str> {
    let is_plain = path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    let before_query = path.split(['?', '#']).next().unwrap_or_default();
    let is_normal = !before_query.contains("//") && !before_query.split('/').any(is_dots);
    (is_plain && path.starts_with('/') && is_normal && path.len() <= 2048).then_some(path)
}

/// `.` and `..`, whose dots may be escaped (URL Standard 4.4, "single-dot" and "double-dot" segments).
fn is_dots(segment: &str) -> bool {
    let plain = segment.to_ascii_lowercase().replace("%2e", ".");
    plain == "." || plain == ".."
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_back_is_a_path_of_our_own() {
        for (reason, path, is_local) in [
            ("a path", "/account", true),
            ("with a query that holds an address", "/login?next=https://a.example", true),
            ("the root", "/", true),
            ("an address", "https://evil.example/", false),
            ("an address without scheme", "//evil.example/", false),
            ("a backslash, which browsers read as a slash", "/\\evil.example", false),
            ("an address once its dots are gone", "/..//evil.example", false),
            ("the same with one dot", "/.//evil.example", false),
            ("the same, escaped", "/%2e%2E//evil.example", false),
            ("half escaped, deeper", "/a/.%2e/b", false),
            ("a dot at the end", "/account/.", false),
            ("an empty segment within", "/a//evil.example", false),
            ("a name that begins with dots", "/..account/.well-known", true),
            ("dots and slashes in the query", "/session/start?return_to=https://a.example/../b", true),
            ("dots behind a mark", "/account#..//a", true),
            ("a tab, which browsers drop", "/\t/evil.example", false),
            ("a line break, which would end the header", "/a\r\nset-cookie: a=b", false),
            ("a script", "javascript:alert(1)", false),
            ("relative", "account", false),
            ("nothing", "", false),
            ("a character that a header cannot hold", "/ä", false),
        ] {
            assert_eq!(local_path(path).is_some(), is_local, "{reason}");
        }
        assert!(local_path(&format!("/{}", "a".repeat(2048))).is_none(), "too long");
    }

    #[test]
    fn the_choice_is_kept_and_the_person_sent_back() {
        for (reason, query, location, cookie) in [
            ("chosen", Some("to=de&next=%2Flogin%3Fa%3Db"), "/login?a=b", Some("__Host-sigid-lang=de;")),
            ("a foreign way back", Some("to=de&next=%2F%2Fevil.example"), "/login", Some("__Host-sigid-lang=de;")),
            ("a language that is not ours", Some("to=xx&next=%2Faccount"), "/account", None),
            ("doubled", Some("to=de&to=fr"), "/login", None),
            ("nothing", None, "/login", None),
        ] {
            let reply = answer(&I18n::builtin(), query);
            assert_eq!(reply.headers.get(header::LOCATION).unwrap(), location, "{reason}");
            let set = reply.headers.get(header::SET_COOKIE).map(|value| value.to_str().unwrap());
            match cookie {
                Some(cookie) => assert!(set.unwrap().starts_with(cookie), "{reason}: {set:?}"),
                None => assert_eq!(set, None, "{reason}"),
            }
        }
    }
}
