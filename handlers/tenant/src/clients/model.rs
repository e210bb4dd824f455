//! What a client is, and which registration documents describe one.
//!
//! A registration arrives as a JSON object (from the command line's flags, later from `/oauth/register`)
//! and leaves [`Registration::check`] as a value whose every field is legal. The checks run in the order
//! of RFC 7591 section 2 and stop at the first fault, which names the member. The inverse,
//! [`Registration::document`], gives the canonical document: defaults filled in, nothing else added.
//!
//! Limits: see the constants below. Attacks considered (spec/attacks.md C): unknown methods and grant
//! types (refused, deny by default), private or symmetric keys in `jwks` (core refuses them), control and
//! direction characters in what people are shown, a public client that would act without proof of
//! identity, and promises that this build does not keep (see [`members`](super::members)).

use std::fmt;

use serde_json::{Map, Value, json};
use sigid_core::ids::{ClientId, TenantId};
use sigid_core::jwk::{Alg, JwkSet};
use sigid_core::resource::{check_resource, same_resource};
use sigid_core::scope::Scope;
pub use sigid_edge::tables::AuthMethod;

use super::members::{self, MEMBERS, Member, Shape, Standing};
use super::redirect::{check_https_uri, check_page_uri, check_redirect_uri};

/// A registration document, or changes to one.
pub type Document = Map<String, Value>;

pub const CLIENT_NAME_BYTES_MAX: usize = 200;
/// The longest text of any other member, in bytes.
pub const TEXT_BYTES_MAX: usize = 1024;
/// The most entries of any list.
pub const LIST_MAX: usize = 64;
/// The largest key set, in bytes of JSON.
pub const JWKS_BYTES_MAX: usize = 32 * 1024;

/// A client as it is stored.
#[derive(Clone, Debug)]
pub struct Client {
    pub client_id: ClientId,
    pub tenant: TenantId,
    pub state: ClientState,
    pub registration: Registration,
    pub created_s: i64,
    pub updated_s: i64,
}

impl Client {
    /// The RFC 7591 section 3.2.1 answer, without a secret. `tenant_id` and `state` are ours.
    pub fn document(&self) -> Document {
        let mut document = Document::new();
        document.insert("client_id".into(), json!(self.client_id.as_str()));
        document.insert("client_id_issued_at".into(), json!(self.created_s));
        document.extend(self.registration.document());
        document.insert("tenant_id".into(), json!(self.tenant.to_string()));
        document.insert("state".into(), json!(self.state.as_str()));
        document
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientState {
    Active,
    Disabled,
}

impl ClientState {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Disabled => "disabled",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        [Self::Active, Self::Disabled].into_iter().find(|state| state.as_str() == text)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GrantType {
    AuthorizationCode,
    RefreshToken,
    ClientCredentials,
}

impl GrantType {
    pub const ALL: [Self; 3] = [Self::AuthorizationCode, Self::RefreshToken, Self::ClientCredentials];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::AuthorizationCode => "authorization_code",
            Self::RefreshToken => "refresh_token",
            Self::ClientCredentials => "client_credentials",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|grant| grant.as_str() == text)
    }
}

/// A registration that passed every check.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Registration {
    pub client_name: Option<String>,
    pub auth_method: AuthMethod,
    pub grant_types: Vec<GrantType>,
    pub scope: Scope,
    /// What the client may ask for (RFC 8707); the first is the default.
    pub resources: Vec<String>,
    /// The resource servers that the client is.
    pub audiences: Vec<String>,
    pub redirect_uris: Vec<String>,
    pub post_logout_redirect_uris: Vec<String>,
    pub jwks: Option<Value>,
    /// The other members, as registered; form and limits are checked.
    pub metadata: Document,
}

/// Why a document is refused: the member and what is wrong with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RegistrationFault {
    pub member: &'static str,
    pub what: &'static str,
}

impl RegistrationFault {
    /// The error code of RFC 7591 section 3.2.2.
    pub fn code(&self) -> &'static str {
        match self.member {
            "redirect_uris" => "invalid_redirect_uri",
            _ => "invalid_client_metadata",
        }
    }
}

impl fmt::Display for RegistrationFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.member, self.what)
    }
}

impl std::error::Error for RegistrationFault {}

const NOT_IN_BUILD: &str = "not in this build";

impl Registration {
    /// Checks a document.
    pub fn check(document: &Document) -> Result<Self, RegistrationFault> {
        let said = Said::read(document)?;
        let registration = Self {
            client_name: said.text("client_name"),
            auth_method: check_auth_method(&said)?,
            grant_types: check_grant_types(&said)?,
            scope: check_scope(&said)?,
            resources: check_resources(&said, "resource")?,
            audiences: check_resources(&said, "audience")?,
            redirect_uris: said.list("redirect_uris"),
            post_logout_redirect_uris: said.list("post_logout_redirect_uris"),
            jwks: check_jwks(&said)?,
            metadata: said.metadata(),
        };
        registration.check_client_name()?;
        registration.check_grants()?;
        check_response_types(&said, &registration)?;
        registration.check_public()?;
        registration.check_keys()?;
        registration.check_addresses()?;
        registration.check_openid()?;
        Ok(registration)
    }

    /// This registration with some members replaced. An empty value takes the member away.
    pub fn changed(&self, changes: &Document) -> Result<Self, RegistrationFault> {
        let mut document = self.document();
        // What follows from the grant types is not carried over from the old ones.
        document.remove("response_types");
        for (name, value) in changes {
            document.insert(name.clone(), value.clone());
        }
        Self::check(&document)
    }

    /// The canonical document.
    pub fn document(&self) -> Document {
        let mut document = self.metadata.clone();
        let mut put = |name: &str, value: Value| document.insert(name.into(), value);
        if let Some(name) = &self.client_name {
            put("client_name", json!(name));
        }
        let grants: Vec<_> = self.grant_types.iter().map(|grant| grant.as_str()).collect();
        put("token_endpoint_auth_method", json!(self.auth_method.as_str()));
        put("grant_types", json!(grants));
        put("response_types", json!(self.response_types()));
        put("scope", json!(self.scope.to_string()));
        put("resource", json!(self.resources));
        put("audience", json!(self.audiences));
        put("redirect_uris", json!(self.redirect_uris));
        put("post_logout_redirect_uris", json!(self.post_logout_redirect_uris));
        if let Some(jwks) = &self.jwks {
            put("jwks", jwks.clone());
        }
        document.retain(|name, value| name == "grant_types" || !is_nothing(value));
        document
    }

    /// RFC 7591 section 2.1: `code` belongs to the authorization code grant; there is no other.
    pub fn response_types(&self) -> &'static [&'static str] {
        if self.uses(GrantType::AuthorizationCode) { &["code"] } else { &[] }
    }

    pub fn uses(&self, grant: GrantType) -> bool {
        self.grant_types.contains(&grant)
    }

    /// A native application (OpenID Connect Registration, `application_type`)?
    pub fn is_native(&self) -> bool {
        self.metadata_text("application_type") == Some("native")
    }

    fn metadata_text(&self, name: &str) -> Option<&str> {
        self.metadata.get(name).and_then(Value::as_str)
    }

    fn check_client_name(&self) -> Result<(), RegistrationFault> {
        match &self.client_name {
            Some(name) if name.len() > CLIENT_NAME_BYTES_MAX => fault("client_name", "longer than 200 bytes"),
            _ => Ok(()),
        }
    }

    fn check_grants(&self) -> Result<(), RegistrationFault> {
        let code = self.uses(GrantType::AuthorizationCode);
        if self.uses(GrantType::RefreshToken) && !code {
            return fault("grant_types", "refresh_token goes with authorization_code");
        }
        if code && self.redirect_uris.is_empty() {
            return fault("redirect_uris", "authorization_code needs at least one");
        }
        Ok(())
    }

    /// A public client proves nothing, so it acts for people only, and learns nothing about tokens.
    fn check_public(&self) -> Result<(), RegistrationFault> {
        if self.auth_method != AuthMethod::None {
            return Ok(());
        }
        if self.uses(GrantType::ClientCredentials) {
            return fault("grant_types", "a public client cannot use client_credentials");
        }
        if !self.audiences.is_empty() {
            return fault("audience", "a resource server authenticates; a public client cannot");
        }
        Ok(())
    }

    fn check_keys(&self) -> Result<(), RegistrationFault> {
        let by_key = self.auth_method == AuthMethod::PrivateKeyJwt;
        if by_key && self.jwks.is_none() {
            return fault("jwks", "private_key_jwt needs the client's public keys");
        }
        match self.metadata_text("token_endpoint_auth_signing_alg") {
            None => Ok(()),
            Some(_) if !by_key => fault("token_endpoint_auth_signing_alg", "belongs to private_key_jwt"),
            Some(alg) if alg.parse::<Alg>().is_ok() => Ok(()),
            Some(_) => fault("token_endpoint_auth_signing_alg", "no such algorithm here"),
        }
    }

    fn check_addresses(&self) -> Result<(), RegistrationFault> {
        let native = self.is_native() && self.auth_method == AuthMethod::None;
        for (member, uris) in
            [("redirect_uris", &self.redirect_uris), ("post_logout_redirect_uris", &self.post_logout_redirect_uris)]
        {
            for uri in uris {
                check_redirect_uri(uri, native).or_else(|what| fault(member, what))?;
            }
        }
        for (member, check) in ADDRESSES {
            if let Some(uri) = self.metadata_text(member) {
                check(uri).or_else(|what| fault(member, what))?;
            }
        }
        Ok(())
    }

    fn check_openid(&self) -> Result<(), RegistrationFault> {
        for (member, allowed, what) in CHOICES {
            if self.metadata_text(member).is_some_and(|said| !allowed.contains(&said)) {
                return fault(member, what);
            }
        }
        Ok(())
    }
}

type AddressCheck = fn(&str) -> Result<(), &'static str>;

const ADDRESSES: [(&str, AddressCheck); 6] = [
    ("client_uri", check_page_uri),
    ("logo_uri", check_page_uri),
    ("tos_uri", check_page_uri),
    ("policy_uri", check_page_uri),
    ("sector_identifier_uri", check_https_uri),
    ("initiate_login_uri", check_https_uri),
];

const CHOICES: [(&str, &[&str], &str); 3] = [
    ("application_type", &["web", "native"], "is web or native"),
    ("subject_type", &["public", "pairwise"], "is public or pairwise"),
    ("id_token_signed_response_alg", &["ES256", "EdDSA"], "is ES256 or EdDSA in this build"),
];

/// The document's members, of the right form, without those that say nothing.
struct Said<'a>(Vec<(&'static Member, &'a Value)>);

impl<'a> Said<'a> {
    fn read(document: &'a Document) -> Result<Self, RegistrationFault> {
        let mut said = Vec::new();
        for member in MEMBERS {
            let Some(value) = document.get(member.name).filter(|value| is_said(member, value)) else {
                continue;
            };
            check_shape(member, value)?;
            if member.standing == Standing::Absent {
                if value != &Value::Bool(false) {
                    return fault(member.name, NOT_IN_BUILD);
                }
                continue;
            }
            said.push((member, value));
        }
        Ok(Self(said))
    }

    fn find(&self, name: &str) -> Option<&'a Value> {
        self.0.iter().find(|(member, _)| member.name == name).map(|(_, value)| *value)
    }

    fn text(&self, name: &str) -> Option<String> {
        self.find(name).and_then(Value::as_str).map(str::to_owned)
    }

    fn list(&self, name: &str) -> Vec<String> {
        let entries = self.find(name).and_then(Value::as_array).into_iter().flatten();
        entries.filter_map(Value::as_str).map(str::to_owned).collect()
    }

    fn metadata(&self) -> Document {
        let kept = self.0.iter().filter(|(member, _)| member.standing == Standing::Metadata);
        kept.map(|(member, value)| (member.name.to_owned(), (*value).clone())).collect()
    }
}

/// "No grant types" is a thing to say; any other empty member is as good as none.
fn is_said(member: &Member, value: &Value) -> bool {
    !is_nothing(value) || (member.name == "grant_types" && value.is_array())
}

fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(entries) => entries.is_empty(),
        Value::Object(members) => members.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

fn check_shape(member: &Member, value: &Value) -> Result<(), RegistrationFault> {
    let what = match (member.shape, value) {
        (Shape::Text | Shape::Words, Value::String(text)) => return check_text(member.name, text),
        (Shape::List, Value::Array(entries)) => return check_list(member.name, entries),
        (Shape::Flag, Value::Bool(_)) | (Shape::Object, Value::Object(_)) => return Ok(()),
        (Shape::Seconds, Value::Number(number)) if number.as_u64().is_some() => return Ok(()),
        (Shape::Text | Shape::Words, _) => "is a string",
        (Shape::List, _) => "is an array of strings",
        (Shape::Flag, _) => "is true or false",
        (Shape::Object, _) => "is an object",
        (Shape::Seconds, _) => "is a whole number of seconds",
    };
    fault(member.name, what)
}

fn check_list(member: &'static str, entries: &[Value]) -> Result<(), RegistrationFault> {
    if entries.len() > LIST_MAX {
        return fault(member, "more than 64 entries");
    }
    for (at, entry) in entries.iter().enumerate() {
        let Some(text) = entry.as_str().filter(|text| !text.is_empty()) else {
            return fault(member, "is an array of strings");
        };
        check_text(member, text)?;
        if entries.iter().take(at).any(|earlier| earlier == entry) {
            return fault(member, "names the same value twice");
        }
    }
    Ok(())
}

/// People are shown some of these, and logs all: no control and no direction-changing characters.
fn check_text(member: &'static str, text: &str) -> Result<(), RegistrationFault> {
    let limit = if member == "scope" { 16 * TEXT_BYTES_MAX } else { TEXT_BYTES_MAX };
    if text.len() > limit {
        return fault(member, "too long");
    }
    if text.contains(crate::is_hidden) || text.trim() != text {
        return fault(member, "holds a control character, or white space at an end");
    }
    Ok(())
}

fn check_auth_method(said: &Said<'_>) -> Result<AuthMethod, RegistrationFault> {
    const NAME: &str = "token_endpoint_auth_method";
    match said.text(NAME).as_deref() {
        None => Ok(AuthMethod::ClientSecretBasic),
        Some("client_secret_jwt" | "tls_client_auth" | "self_signed_tls_client_auth") => fault(NAME, NOT_IN_BUILD),
        Some(text) => AuthMethod::parse(text)
            .map_or_else(|| fault(NAME, "is client_secret_basic, client_secret_post, private_key_jwt or none"), Ok),
    }
}

/// Where nothing is said: the code grant (RFC 7591 section 2), unless the client is only a resource server.
fn check_grant_types(said: &Said<'_>) -> Result<Vec<GrantType>, RegistrationFault> {
    const NAME: &str = "grant_types";
    if said.find(NAME).is_none() {
        let only_serves = said.find("audience").is_some() && said.find("redirect_uris").is_none();
        return Ok(if only_serves { vec![] } else { vec![GrantType::AuthorizationCode] });
    }
    let grant = |text: String| match text.as_str() {
        "implicit" | "password" => fault(NAME, "implicit and password do not exist (OAuth 2.1)"),
        "urn:ietf:params:oauth:grant-type:device_code"
        | "urn:ietf:params:oauth:grant-type:token-exchange"
        | "urn:ietf:params:oauth:grant-type:jwt-bearer"
        | "urn:openid:params:grant-type:ciba" => fault(NAME, NOT_IN_BUILD),
        text => GrantType::parse(text)
            .map_or_else(|| fault(NAME, "is authorization_code, refresh_token or client_credentials"), Ok),
    };
    said.list(NAME).into_iter().map(grant).collect()
}

fn check_scope(said: &Said<'_>) -> Result<Scope, RegistrationFault> {
    match said.text("scope") {
        None => Ok(Scope::default()),
        Some(text) => Scope::parse(&text)
            .or_else(|_| fault("scope", "must be up to 64 words of printable ASCII, parted by single spaces")),
    }
}

fn check_resources(said: &Said<'_>, member: &'static str) -> Result<Vec<String>, RegistrationFault> {
    let uris = said.list(member);
    for (at, uri) in uris.iter().enumerate() {
        if check_resource(uri).is_err() {
            return fault(member, "is an absolute URI without fragment");
        }
        if uris.iter().take(at).any(|earlier| same_resource(earlier, uri)) {
            return fault(member, "names the same resource twice");
        }
    }
    Ok(uris)
}

/// The spellings that name the same resource as `uri`: itself, and with or without the root path.
pub(super) fn spellings(uri: &str) -> Vec<String> {
    let (head, query) = match uri.split_once('?') {
        Some((head, query)) => (head, format!("?{query}")),
        None => (uri, String::new()),
    };
    let other = match head.strip_suffix('/') {
        Some(bare) => format!("{bare}{query}"),
        None => format!("{head}/{query}"),
    };
    let mut all = vec![uri.to_owned()];
    if same_resource(uri, &other) {
        all.push(other);
    }
    all
}

fn check_jwks(said: &Said<'_>) -> Result<Option<Value>, RegistrationFault> {
    let Some(jwks) = said.find("jwks") else {
        return Ok(None);
    };
    if jwks.to_string().len() > JWKS_BYTES_MAX {
        return fault("jwks", "larger than 32 KiB");
    }
    match JwkSet::from_value(jwks) {
        Ok(set) if set.is_empty() => fault("jwks", "holds no key that can be used here"),
        Ok(_) => Ok(Some(jwks.clone())),
        Err(_) => fault("jwks", "must be a JWK Set of public keys (EC P-256 or P-384, Ed25519, RSA)"),
    }
}

fn check_response_types(said: &Said<'_>, registration: &Registration) -> Result<(), RegistrationFault> {
    let types = said.list("response_types");
    if types.iter().any(|text| text != "code") {
        return fault("response_types", "must be code; there is no other (OAuth 2.1)");
    }
    if !types.is_empty() && registration.response_types().is_empty() {
        return fault("response_types", "code goes with the grant type authorization_code");
    }
    Ok(())
}

fn fault<T>(member: &'static str, what: &'static str) -> Result<T, RegistrationFault> {
    // Only members of the table are named; anything else would be a slip of this file.
    debug_assert!(members::find(member).is_some());
    Err(RegistrationFault { member, what })
}

#[cfg(test)]
mod tests;
