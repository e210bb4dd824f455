//! `private_key_jwt`: a client authenticates with a JWT that it signed (RFC 7523 section 3, OpenID
//! Connect Core section 9).
//!
//! `iss` and `sub` are the client; `aud` names us; `exp` is at most an hour away, so that the
//! replay mark of `jti`, which the caller must set, is short-lived. The algorithm is asymmetric and
//! one that the registered key allows (CVE-2026-53431, CVE-2026-11800). Without a `kid`, at most
//! four keys are tried, since each costs a signature check before anybody is authenticated.

use std::fmt;

use serde_json::{Map, Value};

use crate::ids::ClientId;
use crate::json::json_object_strict;
use crate::jwk::{Alg, JwkSet};
use crate::jws::{Jws, JwsFault, Typ};

/// The `client_assertion_type` of RFC 7523 section 2.2.
pub const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// How far ahead `exp` may be.
pub const ASSERTION_LIFE_S_MAX: i64 = 3_660;
/// How far ahead `iat` and `nbf` may be.
pub const ASSERTION_AHEAD_S_MAX: i64 = 5;
/// The longest `jti`, in bytes.
pub const ASSERTION_JTI_BYTES_MAX: usize = 256;
/// The most keys tried for one assertion.
pub const ASSERTION_KEYS_TRIED_MAX: usize = 4;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AssertionFault {
    /// Not a compact JWS with a header and claims that we accept.
    Malformed,
    /// Signed with `none`, an HMAC, or an algorithm that is not spoken here.
    UnsupportedAlg,
    /// A JWT of another type.
    BadType,
    /// No registered key has this `kid` and allows this `alg`.
    UnknownKey,
    BadSignature,
    /// `iss` or `sub` is not the client.
    BadIssuer,
    /// `aud` does not name us.
    BadAudience,
    Expired,
    /// `exp` is too far ahead.
    LivesTooLong,
    /// `iat` or `nbf` is in the future.
    NotYetValid,
}

impl fmt::Display for AssertionFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "malformed assertion",
            Self::UnsupportedAlg => "unsupported algorithm",
            Self::BadType => "a JWT of another type",
            Self::UnknownKey => "no registered key fits",
            Self::BadSignature => "bad signature",
            Self::BadIssuer => "iss and sub must be the client",
            Self::BadAudience => "aud must be the issuer",
            Self::Expired => "expired",
            Self::LivesTooLong => "exp is too far ahead",
            Self::NotYetValid => "issued in the future",
        })
    }
}

impl std::error::Error for AssertionFault {}

impl From<JwsFault> for AssertionFault {
    fn from(fault: JwsFault) -> Self {
        match fault {
            JwsFault::UnsupportedAlg => Self::UnsupportedAlg,
            JwsFault::TooLong | JwsFault::Malformed | JwsFault::BadHeader | JwsFault::UnsafeHeader => Self::Malformed,
        }
    }
}

/// Proof that a client signed an assertion for us. It authenticates once: mark `jti` until `exp_s`.
#[derive(Debug)]
pub struct VerifiedAssertion {
    jti: String,
    exp_s: i64,
}

impl VerifiedAssertion {
    /// Unique for the client.
    pub fn jti(&self) -> &str {
        &self.jti
    }

    pub const fn exp_s(&self) -> i64 {
        self.exp_s
    }
}

/// The client that an assertion speaks of, unverified: for requests without `client_id` (RFC 7521
/// section 4.2), to find the keys.
pub fn claimed_client(assertion: &[u8]) -> Result<ClientId, AssertionFault> {
    let jws = Jws::parse(assertion)?;
    let claims = parse_claims(jws.claimed())?;
    ClientId::parse(text(&claims, "sub")?).map_err(|_| AssertionFault::Malformed)
}

/// The algorithm that an assertion names, unverified: for clients that registered one.
pub fn claimed_alg(assertion: &[u8]) -> Result<Alg, AssertionFault> {
    Ok(Jws::parse(assertion)?.claimed().header.alg)
}

/// Checks an assertion of a client against its registered keys. `audiences` are the values that name
/// us: the issuer, and the endpoint URLs while clients still send those.
pub fn verify(
    assertion: &[u8],
    client_id: &ClientId,
    keys: &JwkSet,
    audiences: &[&str],
    now_s: i64,
) -> Result<VerifiedAssertion, AssertionFault> {
    let jws = Jws::parse(assertion)?;
    let jws = jws.claimed();
    check_type(jws)?;
    check_signature(jws, keys)?;
    let claims = parse_claims(jws)?;
    check_client(&claims, client_id)?;
    check_audience(&claims, audiences)?;
    let exp_s = check_times(&claims, now_s)?;
    let jti = check_jti(&claims)?;
    Ok(VerifiedAssertion { jti, exp_s })
}

fn check_type(jws: &Jws<'_>) -> Result<(), AssertionFault> {
    match jws.header.typ {
        None | Some(Typ::Jwt | Typ::ClientAuthentication) => Ok(()),
        Some(Typ::AccessToken | Typ::Other) => Err(AssertionFault::BadType),
    }
}

fn check_signature(jws: &Jws<'_>, keys: &JwkSet) -> Result<(), AssertionFault> {
    let alg = jws.header.alg;
    let found = keys.find(jws.header.kid.as_deref(), alg).take(ASSERTION_KEYS_TRIED_MAX);
    let mut fault = AssertionFault::UnknownKey;
    for key in found {
        if key.verify(alg, jws.signing_input, &jws.signature).is_ok() {
            return Ok(());
        }
        fault = AssertionFault::BadSignature;
    }
    Err(fault)
}

fn parse_claims(jws: &Jws<'_>) -> Result<Map<String, Value>, AssertionFault> {
    json_object_strict(&jws.payload()?).map_err(|_| AssertionFault::Malformed)
}

fn check_client(claims: &Map<String, Value>, client: &ClientId) -> Result<(), AssertionFault> {
    let (iss, sub) = (text(claims, "iss")?, text(claims, "sub")?);
    let own = iss == client.as_str() && sub == client.as_str();
    if own { Ok(()) } else { Err(AssertionFault::BadIssuer) }
}

fn check_audience(claims: &Map<String, Value>, ours: &[&str]) -> Result<(), AssertionFault> {
    let is_ours = |aud: &str| ours.contains(&aud);
    let named = match claims.get("aud") {
        Some(Value::String(aud)) => is_ours(aud),
        Some(Value::Array(auds)) => {
            let texts = auds.iter().map(|aud| aud.as_str().ok_or(AssertionFault::Malformed));
            texts.collect::<Result<Vec<_>, _>>()?.into_iter().any(is_ours)
        }
        _ => return Err(AssertionFault::Malformed),
    };
    if named { Ok(()) } else { Err(AssertionFault::BadAudience) }
}

fn check_times(claims: &Map<String, Value>, now_s: i64) -> Result<i64, AssertionFault> {
    let exp_s = time(claims, "exp")?.ok_or(AssertionFault::Malformed)?;
    if now_s >= exp_s {
        return Err(AssertionFault::Expired);
    }
    if exp_s > now_s.saturating_add(ASSERTION_LIFE_S_MAX) {
        return Err(AssertionFault::LivesTooLong);
    }
    for name in ["iat", "nbf"] {
        if time(claims, name)?.is_some_and(|at| at > now_s.saturating_add(ASSERTION_AHEAD_S_MAX)) {
            return Err(AssertionFault::NotYetValid);
        }
    }
    Ok(exp_s)
}

fn check_jti(claims: &Map<String, Value>) -> Result<String, AssertionFault> {
    let jti = text(claims, "jti")?;
    if jti.is_empty() || jti.len() > ASSERTION_JTI_BYTES_MAX {
        return Err(AssertionFault::Malformed);
    }
    Ok(jti.to_owned())
}

fn text<'c>(claims: &'c Map<String, Value>, name: &str) -> Result<&'c str, AssertionFault> {
    claims.get(name).and_then(Value::as_str).ok_or(AssertionFault::Malformed)
}

/// Seconds, a fraction cut off (RFC 7519 section 2: NumericDate may have one).
fn time(claims: &Map<String, Value>, name: &str) -> Result<Option<i64>, AssertionFault> {
    let Some(value) = claims.get(name) else { return Ok(None) };
    let whole = value.as_i64();
    let cut = || value.as_f64().filter(|seconds| seconds.abs() < SECONDS_MAX).map(|seconds| seconds.floor() as i64);
    whole.or_else(cut).map(Some).ok_or(AssertionFault::Malformed)
}

/// What a double holds exactly, and no date is beyond.
const SECONDS_MAX: f64 = 9_007_199_254_740_992.0;

#[cfg(test)]
mod tests;
