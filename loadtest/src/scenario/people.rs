//! Sign-ins and session checks: requests made beforehand (`crate::people`), and the one status that is right. What the
//! answers say beside it was looked at when they were made: while the load runs, nobody reads headers.

use bytes::Bytes;
use http::StatusCode;

use crate::people::SIGNED_IN;
use crate::record::{Kind, Wrong};
use crate::scenario::introspect::Expect;
use crate::scenario::{Shot, Template, check_status};

/// Each account in turn.
pub struct Login {
    template: Template,
    bodies: Vec<Bytes>,
    next: usize,
}

/// A new address each time, of one length, so that the header block stays the same.
pub struct Register {
    template: Template,
    body: String,
    /// Tells runs and threads apart.
    name: String,
    count: u64,
}

impl Register {
    pub fn new(template: Template, body: String, name: String) -> Self {
        Self { template, body, name, count: 0 }
    }

    pub fn aim(&mut self) -> Shot {
        self.count += 1;
        let body = format!("{}&email=load-{}-{:08}%40load.example", self.body, self.name, self.count);
        Shot { body: Bytes::from(body), expect: Expect::Status }
    }

    pub fn template(&self) -> &Template {
        &self.template
    }
}

/// One account's cookie, again and again.
pub struct SessionCheck {
    template: Template,
}

impl Login {
    /// `thread`: with whom this generator thread begins.
    pub fn new(template: Template, bodies: Vec<Bytes>, thread: usize) -> Self {
        Self { template, bodies, next: thread }
    }

    pub fn aim(&mut self) -> Shot {
        let at = self.next % self.bodies.len().max(1);
        self.next = at + 1;
        Shot { body: self.bodies.get(at).cloned().unwrap_or_default(), expect: Expect::Status }
    }

    pub fn template(&self) -> &Template {
        &self.template
    }
}

impl SessionCheck {
    pub fn new(template: Template) -> Self {
        Self { template }
    }

    pub fn aim() -> Shot {
        Shot { body: Bytes::new(), expect: Expect::Status }
    }

    pub fn template(&self) -> &Template {
        &self.template
    }

    /// 200 and nothing more: the answer is for a proxy, which reads the headers.
    pub fn judge(body: &[u8]) -> Result<(), Wrong> {
        if body.is_empty() { Ok(()) } else { Err(Wrong::Unreadable) }
    }
}

/// A sign-in sends the browser on; the page once more, with 200 or 422, signs nobody in.
pub fn judge_login(status: StatusCode) -> Result<(), Kind> {
    if status == SIGNED_IN {
        return Ok(());
    }
    check_status(status).and(Err(Kind::StatusOther))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_take_turns_and_threads_begin_with_different_ones() {
        let template = || Template::new(&http::Uri::from_static("https://a/login"), None);
        let bodies = vec![Bytes::from_static(b"a"), Bytes::from_static(b"b")];
        let mut login = Login::new(template(), bodies.clone(), 0);
        assert_eq!([login.aim().body, login.aim().body, login.aim().body], ["a", "b", "a"]);
        assert_eq!(Login::new(template(), bodies, 3).aim().body, "b");
    }

    #[test]
    fn no_address_comes_twice_and_all_are_of_one_length() {
        let template = Template::new(&http::Uri::from_static("https://a/register"), None);
        let mut register = Register::new(template, "csrf=x".to_owned(), "1-0".to_owned());
        let (first, second) = (register.aim().body, register.aim().body);
        assert_eq!(first, "csrf=x&email=load-1-0-00000001%40load.example");
        assert!(first != second && first.len() == second.len());
    }

    #[test]
    fn only_the_redirect_is_a_sign_in() {
        for (status, expected, why) in [
            (303, Ok(()), "signed in"),
            (200, Err(Kind::StatusOther), "the page once more"),
            (302, Err(Kind::StatusOther), "somebody else's redirect"),
            (422, Err(Kind::Status4xx), "wrong password"),
            (503, Err(Kind::Status5xx), "the hash pool is full"),
        ] {
            assert_eq!(judge_login(StatusCode::from_u16(status).unwrap()), expected, "{why}");
        }
    }

    #[test]
    fn an_answer_with_words_is_no_proxys() {
        let check = SessionCheck::new(Template::get(&http::Uri::from_static("https://a/session/check?client_id=x")));
        assert_eq!((SessionCheck::judge(b""), SessionCheck::judge(b"<html>")), (Ok(()), Err(Wrong::Unreadable)));
        assert!(check.template().with(&SessionCheck::aim().body).headers().get("content-length").is_none());
    }
}
