//! The claims of an access token (RFC 9068 section 2.2) and their strict reader.
//!
//! Every claim that decides something is required and has one type and bounds; times are integers
//! between 1970 and 9999; a doubled member anywhere is a fault. Claims that nobody here knows are
//! passed over (RFC 7519 section 4), so that a newer node's tokens work during a rolling upgrade.

use std::fmt;
use std::str::FromStr;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use crate::ids::{ClientId, TenantId};
use crate::json::{BadJson, Strict, Text, fill};
use crate::marks::{MarkKey, MarkKeys};
use crate::scope::is_scope_text;

/// The most audiences of one token.
pub const AUDIENCES_MAX: usize = 16;
/// The claims that a token may have beyond the required ones, in the order they are written.
pub const EXTRA_CLAIMS: [&str; 7] = ["cnf", "act", "acr", "amr", "auth_time", "authorization_details", "username"];

/// What kind of subject a token speaks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SubjectType {
    Human,
    Agent,
    Service,
}

impl SubjectType {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Human => "human",
            Self::Agent => "agent",
            Self::Service => "service",
        }
    }
}

/// Not a subject type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownSubjectType;

impl FromStr for SubjectType {
    type Err = UnknownSubjectType;

    fn from_str(text: &str) -> Result<Self, UnknownSubjectType> {
        match text {
            "human" => Ok(Self::Human),
            "agent" => Ok(Self::Agent),
            "service" => Ok(Self::Service),
            _ => Err(UnknownSubjectType),
        }
    }
}

/// The claims of an access token.
#[derive(Clone, Debug, PartialEq)]
pub struct Access {
    pub iss: String,
    pub sub: String,
    /// 1 to [`AUDIENCES_MAX`], in their registered spelling.
    pub aud: Vec<String>,
    pub client_id: ClientId,
    /// Empty when nothing was granted.
    pub scope: String,
    pub iat_s: i64,
    pub nbf_s: i64,
    pub exp_s: i64,
    /// `family.unique` for a token made from a refresh family.
    pub jti: String,
    pub tenant_id: TenantId,
    pub subject_type: SubjectType,
    /// Any of [`EXTRA_CLAIMS`]. Other members are never written.
    pub extra: Map<String, Value>,
}

impl Access {
    /// The refresh family this token was made from.
    pub fn family(&self) -> Option<&str> {
        self.jti.split_once('.').map(|(family, _)| family)
    }

    /// The marks this token can die by.
    pub fn mark_keys(&self) -> MarkKeys {
        let tenant = self.tenant_id;
        let mut keys = MarkKeys::from([
            MarkKey::tenant(tenant),
            MarkKey::client(&self.client_id),
            MarkKey::subject(tenant, &self.sub),
            MarkKey::token(tenant, &self.jti),
        ]);
        if let Some(family) = self.family() {
            // Four of eight are taken.
            let _ = keys.push(MarkKey::family(tenant, family));
        }
        keys
    }
}

/// Reads the payload of an access token.
pub(super) fn parse(payload: &[u8]) -> Result<Access, BadJson> {
    let mut json = serde_json::Deserializer::from_slice(payload);
    let members = json.deserialize_map(ClaimsVisitor).map_err(|_| BadJson)?;
    json.end().map_err(|_| BadJson)?;
    check(members).ok_or(BadJson)
}

#[derive(Default)]
struct Members<'de> {
    iss: Option<Text<'de>>,
    sub: Option<Text<'de>>,
    aud: Option<Vec<String>>,
    client_id: Option<Text<'de>>,
    scope: Option<Text<'de>>,
    iat_s: Option<i64>,
    nbf_s: Option<i64>,
    exp_s: Option<i64>,
    jti: Option<Text<'de>>,
    tenant_id: Option<Text<'de>>,
    subject_type: Option<Text<'de>>,
    extra: Map<String, Value>,
    unknown: Vec<String>,
}

fn check(members: Members<'_>) -> Option<Access> {
    let access = Access {
        iss: bounded(members.iss?, ISS_BYTES_MAX)?,
        sub: bounded(members.sub?, SUB_BYTES_MAX)?,
        aud: members.aud?,
        client_id: ClientId::parse(&members.client_id?.0).ok()?,
        scope: match members.scope {
            None => String::new(),
            Some(scope) => is_scope_text(&scope.0).then(|| scope.0.into_owned())?,
        },
        iat_s: sane(members.iat_s?)?,
        nbf_s: sane(members.nbf_s?)?,
        exp_s: sane(members.exp_s?)?,
        jti: bounded(members.jti?, JTI_BYTES_MAX)?,
        tenant_id: members.tenant_id?.0.parse().ok()?,
        subject_type: members.subject_type?.0.parse().ok()?,
        extra: members.extra,
    };
    let ordered = access.iat_s < access.exp_s && access.nbf_s < access.exp_s;
    let typed = access.extra.iter().all(|(name, value)| is_typed(name, value));
    (ordered && typed).then_some(access)
}

fn bounded(text: Text<'_>, bytes_max: usize) -> Option<String> {
    let sized = !text.0.is_empty() && text.0.len() <= bytes_max;
    sized.then(|| text.0.into_owned())
}

fn sane(time_s: i64) -> Option<i64> {
    (0..=TIME_S_MAX).contains(&time_s).then_some(time_s)
}

/// Has an extra claim the type that its specification gives it?
fn is_typed(name: &str, value: &Value) -> bool {
    let array_of =
        |is_element: fn(&Value) -> bool| value.as_array().is_some_and(|elements| elements.iter().all(is_element));
    match name {
        "cnf" | "act" => value.is_object(),
        "acr" | "username" => value.is_string(),
        "amr" => array_of(Value::is_string),
        "auth_time" => value.as_i64().and_then(sane).is_some(),
        "authorization_details" => array_of(Value::is_object),
        _ => false,
    }
}

struct ClaimsVisitor;

impl<'de> Visitor<'de> for ClaimsVisitor {
    type Value = Members<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the claims of an access token")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut from: A) -> Result<Members<'de>, A::Error> {
        let mut members = Members::default();
        while let Some(name) = from.next_key::<Text<'de>>()? {
            match name.0.as_ref() {
                "iss" => fill(&mut members.iss, from.next_value()?)?,
                "sub" => fill(&mut members.sub, from.next_value()?)?,
                "aud" => fill(&mut members.aud, from.next_value_seed(Audiences)?)?,
                "client_id" => fill(&mut members.client_id, from.next_value()?)?,
                "scope" => fill(&mut members.scope, from.next_value()?)?,
                "iat" => fill(&mut members.iat_s, from.next_value()?)?,
                "nbf" => fill(&mut members.nbf_s, from.next_value()?)?,
                "exp" => fill(&mut members.exp_s, from.next_value()?)?,
                "jti" => fill(&mut members.jti, from.next_value()?)?,
                "tenant_id" => fill(&mut members.tenant_id, from.next_value()?)?,
                "subject_type" => fill(&mut members.subject_type, from.next_value()?)?,
                other => members.add_other(other, &mut from)?,
            }
        }
        Ok(members)
    }
}

impl Members<'_> {
    fn add_other<'de, A: MapAccess<'de>>(&mut self, name: &str, from: &mut A) -> Result<(), A::Error> {
        let doubled = self.extra.contains_key(name) || self.unknown.iter().any(|n| n == name);
        if doubled || self.unknown.len() == UNKNOWN_CLAIMS_MAX {
            return Err(A::Error::custom("doubled member, or too many"));
        }
        let value = from.next_value_seed(Strict::default())?;
        if EXTRA_CLAIMS.contains(&name) {
            self.extra.insert(name.to_owned(), value);
        } else {
            self.unknown.push(name.to_owned());
        }
        Ok(())
    }
}

/// `aud`: one string, or an array of 1 to [`AUDIENCES_MAX`].
struct Audiences;

impl<'de> DeserializeSeed<'de> for Audiences {
    type Value = Vec<String>;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Vec<String>, D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Audiences {
    type Value = Vec<String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string or an array of strings")
    }

    fn visit_str<E: serde::de::Error>(self, audience: &str) -> Result<Vec<String>, E> {
        if is_audience(audience) { Ok(vec![audience.to_owned()]) } else { Err(E::custom("audience")) }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut from: A) -> Result<Vec<String>, A::Error> {
        let mut audiences = Vec::new();
        while let Some(Text(audience)) = from.next_element::<Text<'de>>()? {
            if audiences.len() == AUDIENCES_MAX || !is_audience(&audience) {
                return Err(A::Error::custom("audience"));
            }
            audiences.push(audience.into_owned());
        }
        if audiences.is_empty() { Err(A::Error::custom("no audience")) } else { Ok(audiences) }
    }
}

fn is_audience(text: &str) -> bool {
    !text.is_empty() && text.len() <= AUD_BYTES_MAX
}

const ISS_BYTES_MAX: usize = 512;
const SUB_BYTES_MAX: usize = 255;
const AUD_BYTES_MAX: usize = 512;
const JTI_BYTES_MAX: usize = 255;
const UNKNOWN_CLAIMS_MAX: usize = 32;
/// The last second of the year 9999.
const TIME_S_MAX: i64 = 253_402_300_799;
