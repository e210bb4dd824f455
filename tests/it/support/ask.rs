//! One request, and its reply.

use base64::Engine as _;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde_json::Value;

use super::seed::Credential;

/// A request; every part of it can be bent.
#[derive(Clone, Debug)]
pub struct Ask {
    pub method: Method,
    /// Path and query, as sent.
    pub target: String,
    /// `:authority`; `localhost` and the port where none is said.
    pub authority: Option<String>,
    pub headers: Vec<(HeaderName, HeaderValue)>,
    pub body: Option<Bytes>,
}

impl Ask {
    pub fn new(method: &str, target: impl Into<String>) -> Self {
        let method = method.parse().unwrap();
        Self { method, target: target.into(), authority: None, headers: Vec::new(), body: None }
    }

    pub fn get(target: impl Into<String>) -> Self {
        Self::new("GET", target)
    }

    pub fn post(target: impl Into<String>) -> Self {
        Self::new("POST", target)
    }

    pub fn header(mut self, name: &'static str, value: impl AsRef<[u8]>) -> Self {
        self.headers.push((HeaderName::from_static(name), HeaderValue::from_bytes(value.as_ref()).unwrap()));
        self
    }

    pub fn authority(mut self, authority: &str) -> Self {
        self.authority = Some(authority.to_owned());
        self
    }

    pub fn basic(self, client: &Credential) -> Self {
        self.header("authorization", basic(&client.id, &client.secret))
    }

    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = Some(body.into());
        self
    }

    /// A form body, as written.
    pub fn raw_form(self, body: impl Into<String>) -> Self {
        self.header("content-type", "application/x-www-form-urlencoded").body(body.into())
    }

    pub fn form(self, fields: &[(&str, &str)]) -> Self {
        self.raw_form(form(fields))
    }
}

/// `POST /oauth/token` for `client_credentials` by `client_secret_basic`, with more fields.
pub fn token(client: &Credential, more: &[(&str, &str)]) -> Ask {
    Ask::post("/oauth/token").basic(client).form(&[&[("grant_type", "client_credentials")], more].concat())
}

/// `POST /oauth/introspect` by `client_secret_basic`.
pub fn introspect(caller: &Credential, token: &str) -> Ask {
    Ask::post("/oauth/introspect").basic(caller).form(&[("token", token)])
}

/// `POST /oauth/revoke` by `client_secret_basic`.
pub fn revoke(caller: &Credential, token: &str) -> Ask {
    Ask::post("/oauth/revoke").basic(caller).form(&[("token", token)])
}

pub fn form(fields: &[(&str, &str)]) -> String {
    let fields: Vec<String> =
        fields.iter().map(|(name, value)| format!("{}={}", escape(name), escape(value))).collect();
    fields.join("&")
}

pub fn basic(id: &str, secret: &str) -> String {
    let pair = format!("{}:{}", escape(id), escape(secret));
    format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(pair))
}

/// Percent-encodes all but what a form leaves alone.
pub fn escape(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'*');
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

/// Percent-encodes every byte, which is the same text all the same.
pub fn escape_all(text: &str) -> String {
    hex(text.as_bytes(), "%")
}

/// Two digits a byte, each pair behind `mark`.
pub fn hex(bytes: &[u8], mark: &str) -> String {
    bytes.iter().fold(String::new(), |text, byte| format!("{text}{mark}{byte:02x}"))
}

#[derive(Clone, Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Reply {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{} {:?}", self.text(), self.headers);
        self
    }

    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {} {:?}", self.status, self.body))
    }

    /// The `error` member of an OAuth error.
    #[track_caller]
    pub fn error(&self) -> String {
        self.json()["error"].as_str().unwrap_or_default().to_owned()
    }

    /// The access token of a token response.
    #[track_caller]
    pub fn token(self) -> String {
        let reply = self.expect(200);
        reply.json()["access_token"].as_str().unwrap().to_owned()
    }

    pub fn is_active(&self) -> bool {
        self.status == 200 && self.json()["active"] == true
    }
}
