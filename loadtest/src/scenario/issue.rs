//! Tokens by the client_credentials grant (RFC 6749 section 4.4). Every request is the same; every answer must
//! be a token not seen in the thread's last answers: a server that hands out one token twice has a broken cache.

use std::collections::VecDeque;
use std::hash::{BuildHasher, RandomState};

use bytes::Bytes;
use serde::Deserialize;

use crate::record::Wrong;
use crate::scenario::introspect::Expect;
use crate::scenario::{Shot, Template};

pub struct Issue {
    template: Template,
    body: Bytes,
    hasher: RandomState,
    last_seen: VecDeque<u64>,
}

#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(borrow)]
    access_token: std::borrow::Cow<'a, str>,
    #[serde(borrow)]
    token_type: std::borrow::Cow<'a, str>,
}

impl Issue {
    pub fn new(template: Template, body: Bytes) -> Self {
        Self { template, body, hasher: RandomState::new(), last_seen: VecDeque::new() }
    }

    pub fn aim(&self) -> Shot {
        Shot { body: self.body.clone(), expect: Expect::Issued }
    }

    pub fn template(&self) -> &Template {
        &self.template
    }

    pub fn judge(&mut self, body: &[u8]) -> Result<(), Wrong> {
        let answer: Answer<'_> = serde_json::from_slice(body).map_err(|_| Wrong::Unreadable)?;
        if answer.access_token.is_empty() || answer.token_type.is_empty() {
            return Err(Wrong::Unreadable);
        }
        self.check_new(&answer.access_token)
    }

    fn check_new(&mut self, token: &str) -> Result<(), Wrong> {
        let digest = self.hasher.hash_one(token);
        if self.last_seen.contains(&digest) {
            return Err(Wrong::RepeatedToken);
        }
        if self.last_seen.len() == REMEMBERED {
            self.last_seen.pop_front();
        }
        self.last_seen.push_back(digest);
        Ok(())
    }
}

const REMEMBERED: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_token_is_new_and_whole() {
        let mut issue =
            Issue::new(Template::new(&http::Uri::from_static("https://a/t"), None), Bytes::from_static(b"x"));
        let first = br#"{"access_token":"one","token_type":"Bearer","expires_in":300}"#;
        assert_eq!(issue.judge(first), Ok(()));
        assert_eq!(issue.judge(first), Err(Wrong::RepeatedToken));
        assert_eq!(issue.judge(br#"{"access_token":"two","token_type":"Bearer"}"#), Ok(()));
        assert_eq!(issue.judge(br#"{"access_token":"","token_type":"Bearer"}"#), Err(Wrong::Unreadable));
        assert_eq!(issue.judge(br#"{"token_type":"Bearer"}"#), Err(Wrong::Unreadable));
        for i in 0..1000 {
            assert_eq!(issue.judge(format!(r#"{{"access_token":"t{i}","token_type":"DPoP"}}"#).as_bytes()), Ok(()));
        }
        assert_eq!(issue.last_seen.len(), REMEMBERED);
    }
}
