//! What an answer looks like to somebody who asks twice: status, headers and body, without what differs between any two
//! answers (the address that was typed, date, request id, nonce, the form's token, values of cookies).

use std::collections::BTreeMap;
use std::fmt::Write as _;

use http::header;

use crate::client::Answer;
use crate::people::hidden_field;

/// The answers of one kind, by what they look like.
#[derive(Default)]
pub struct Looks(BTreeMap<String, u64>);

impl Looks {
    pub fn add(&mut self, answer: &Answer, email: &str) {
        let look = look(answer, email);
        // Whatever differs each time would fill memory, and is told by the first of them.
        if self.0.len() < LOOKS_MAX || self.0.contains_key(&look) {
            *self.0.entry(look).or_default() += 1;
        }
    }

    /// None: nobody can tell them from the others.
    pub fn find_difference(&self, other: &Self) -> Option<String> {
        let only = |one: &Self, than: &Self| one.0.keys().find(|look| !than.0.contains_key(*look)).cloned();
        let (own, foreign) = (only(self, other), only(other, self));
        let (a, b) = match (&own, &foreign) {
            (None, None) => return None,
            (Some(own), _) => (own, foreign.as_ref().or_else(|| other.0.keys().next())),
            (None, Some(foreign)) => (foreign, self.0.keys().next()),
        };
        Some(first_difference(a, b.map_or("", String::as_str)))
    }

    pub fn count(&self) -> usize {
        self.0.len()
    }
}

fn look(answer: &Answer, email: &str) -> String {
    let mut lines: Vec<String> = Vec::new();
    let mut hidden: Vec<(String, &str)> = vec![(email.to_owned(), "{address}"), (escaped(email), "{address}")];
    let body = String::from_utf8_lossy(&answer.body);
    for (name, value) in &answer.headers {
        let value = String::from_utf8_lossy(value.as_bytes());
        if name == header::DATE {
            lines.push("date".to_owned());
            continue;
        }
        if name == header::CONTENT_SECURITY_POLICY
            && let Some(nonce) = between(&value, "'nonce-", "'")
        {
            hidden.push((nonce.to_owned(), "{nonce}"));
        }
        if name == header::SET_COOKIE
            && let Some(cookie) = between(&value, "=", ";")
        {
            hidden.push((cookie.to_owned(), "{cookie}"));
        }
        if name == "x-request-id" {
            hidden.push((value.clone().into_owned(), "{request}"));
        }
        lines.push(format!("{name}: {value}"));
    }
    if let Some(token) = hidden_field(&body, "csrf") {
        hidden.push((token.to_owned(), "{token}"));
    }
    lines.sort();
    let mut text = format!("{}\n{}\n{} bytes\n", answer.status.as_u16(), lines.join("\n"), answer.body.len());
    let _ = write!(text, "{body}");
    hidden.retain(|(value, _)| !value.is_empty());
    hidden.into_iter().fold(text, |text, (value, name)| text.replace(&value, name))
}

fn between<'t>(text: &'t str, before: &str, after: &str) -> Option<&'t str> {
    Some(text.split_once(before)?.1.split_once(after)?.0)
}

fn escaped(email: &str) -> String {
    email.replace('@', "%40")
}

/// The first line in which two looks differ, of both.
fn first_difference(a: &str, b: &str) -> String {
    let pairs = a.lines().map(Some).chain(std::iter::repeat(None));
    let pairs = pairs.zip(b.lines().map(Some).chain(std::iter::repeat(None)));
    let found = pairs.take(a.lines().count().max(b.lines().count())).find(|(a, b)| a != b);
    let shown = |line: Option<&str>| line.map_or_else(|| "nothing".to_owned(), |line| line.chars().take(160).collect());
    found.map_or_else(|| "the end".to_owned(), |(a, b)| format!("{:?} beside {:?}", shown(a), shown(b)))
}

const LOOKS_MAX: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use http::{HeaderMap, HeaderValue, StatusCode};

    fn answer(status: u16, nonce: &str, more: Option<(&'static str, &'static str)>, body: &str) -> Answer {
        let mut headers = HeaderMap::new();
        let policy = format!("script-src 'nonce-{nonce}'");
        headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_str(&policy).unwrap());
        headers.insert("x-request-id", HeaderValue::from_str(&format!("id-{nonce}")).unwrap());
        headers.insert(header::DATE, HeaderValue::from_str(nonce).unwrap());
        if let Some((name, value)) = more {
            headers.append(name, HeaderValue::from_static(value));
        }
        let status = StatusCode::from_u16(status).unwrap();
        let body = Bytes::from(body.to_owned());
        Answer { status, server: None, retry_after: false, headers, body }
    }

    #[test]
    fn what_differs_each_time_is_no_difference_and_all_else_is() {
        let page = |nonce: &str, email: &str| {
            format!("<p nonce=\"{nonce}\">{email}</p>\n<input name=\"csrf\" value=\"token-{nonce}\">")
        };
        let mut known = Looks::default();
        known.add(&answer(422, "aaa", None, &page("aaa", "ann@a.example")), "ann@a.example");
        known.add(&answer(422, "bbb", None, &page("bbb", "bob@a.example")), "bob@a.example");
        assert_eq!(known.count(), 1);
        let other = page("ccc", "zed@a.example");
        for (reason, answer, expected) in [
            ("another address, date, nonce and token", answer(422, "ccc", None, &other), None),
            ("another status", answer(200, "ccc", None, &other), Some("422")),
            ("a header more", answer(422, "ccc", Some(("retry-after", "1")), &other), Some("retry-after")),
            ("a word", answer(422, "ccc", None, &other.replace("<p", "<b")), Some("<b")),
            ("a longer body", answer(422, "ccc", None, &format!("{other} ")), Some("bytes")),
        ] {
            let mut unknown = Looks::default();
            unknown.add(&answer, "zed@a.example");
            let found = known.find_difference(&unknown);
            assert_eq!(found.is_some(), expected.is_some(), "{reason}: {found:?}");
            assert!(found.is_none_or(|found| found.contains(expected.unwrap())), "{reason}");
        }
    }
}
