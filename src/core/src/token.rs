//! JWT access tokens (RFC 9068): how they are written, and what makes one good.
//!
//! Verification is a fixed order of named checks, split in three steps so that the edge can put its
//! caches between them:
//!
//! 1. [`open`]: form, type, key by `kid`, and the key's algorithm against the header's.
//! 2. [`Opened::check_signature`], or [`Opened::signature_known`] if this very token was verified before.
//! 3. [`Signed::check_claims`]: strict claims, issuer, times against `now`, the key's last date.
//!
//! [`verify`] is all three. What depends on who asks or on what an administrator did since (marks,
//! client, tenant, audience) comes after and is decided with the pure functions at the end:
//! [`crate::marks::is_dead`] and [`may_introspect`].
//!
//! Attacks considered: `alg` `none` or HMAC with the public key (the algorithm is the key's); keys
//! brought along in the header (refused, and exactly `alg`, `kid`, `typ` are accepted); an ID token,
//! logout token or client assertion used as an access token (`typ`); members doubled so that two
//! readers disagree (refused at any depth); a token signed by a key past its date (CVE-2024-7318);
//! other spellings of one token, to dodge a denylist (canonical base64url only).
//!
//! Leeway: none for `exp`; `iat` and `nbf` may be 5 s ahead, since nodes' clocks differ.

mod claims;
mod render;

use crate::ids::{ClientId, KID_BYTES_MAX, TenantId};
use crate::jwk::{Alg, PublicKey};
use crate::jws::{Jws, JwsFault, Typ, Unverified, Verified};
use crate::resource::same_resource;

pub use claims::{AUDIENCES_MAX, Access, EXTRA_CLAIMS, SubjectType};
pub use render::{assemble, introspection_body, signing_input};

/// The `typ` of an access token (RFC 9068 section 2.1).
pub const ACCESS_TYP: &str = "at+jwt";
/// How far `iat` and `nbf` may be ahead of our clock.
pub const AHEAD_S_MAX: i64 = 5;

/// Why a token is not good. To callers they all look the same; logs and metrics carry the label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    Malformed,
    BadType,
    UnknownKey,
    KeyRevoked,
    KeyPastDate,
    AlgMismatch,
    BadSignature,
    BadClaims,
    BadIssuer,
    Expired,
    NotYetValid,
    Revoked,
    ClientUnknown,
    ClientDisabled,
    TenantUnknown,
    TenantDisabled,
    ForeignTenant,
    ForeignAudience,
}

impl Reason {
    pub const ALL: [Self; 18] = [
        Self::Malformed,
        Self::BadType,
        Self::UnknownKey,
        Self::KeyRevoked,
        Self::KeyPastDate,
        Self::AlgMismatch,
        Self::BadSignature,
        Self::BadClaims,
        Self::BadIssuer,
        Self::Expired,
        Self::NotYetValid,
        Self::Revoked,
        Self::ClientUnknown,
        Self::ClientDisabled,
        Self::TenantUnknown,
        Self::TenantDisabled,
        Self::ForeignTenant,
        Self::ForeignAudience,
    ];

    /// The value of the metrics label.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::BadType => "bad_type",
            Self::UnknownKey => "unknown_key",
            Self::KeyRevoked => "key_revoked",
            Self::KeyPastDate => "key_past_date",
            Self::AlgMismatch => "alg_mismatch",
            Self::BadSignature => "bad_signature",
            Self::BadClaims => "bad_claims",
            Self::BadIssuer => "bad_issuer",
            Self::Expired => "expired",
            Self::NotYetValid => "not_yet_valid",
            Self::Revoked => "revoked",
            Self::ClientUnknown => "client_unknown",
            Self::ClientDisabled => "client_disabled",
            Self::TenantUnknown => "tenant_unknown",
            Self::TenantDisabled => "tenant_disabled",
            Self::ForeignTenant => "foreign_tenant",
            Self::ForeignAudience => "foreign_audience",
        }
    }

    /// Could news that has not reached this node make the token good? Such a no is the cold path's
    /// to say.
    pub const fn curable(self) -> bool {
        matches!(
            self,
            Self::UnknownKey | Self::ClientUnknown | Self::ClientDisabled | Self::TenantUnknown | Self::TenantDisabled
        )
    }
}

impl From<JwsFault> for Reason {
    fn from(fault: JwsFault) -> Self {
        match fault {
            JwsFault::UnsupportedAlg => Self::AlgMismatch,
            JwsFault::TooLong | JwsFault::Malformed | JwsFault::BadHeader | JwsFault::UnsafeHeader => Self::Malformed,
        }
    }
}

/// What verification must know of the node that verifies.
pub trait Keys {
    /// The signing key of that id, whatever its state.
    fn key(&self, kid: &str) -> Option<KeyView<'_>>;
    /// Is this one of our issuers?
    fn is_issuer(&self, iss: &str) -> bool;
}

/// One signing key, as far as verification cares.
#[derive(Clone, Copy, Debug)]
pub struct KeyView<'k> {
    pub alg: Alg,
    pub key: &'k PublicKey,
    /// The key was retired: tokens issued later than this are not its own.
    pub iat_max_s: Option<i64>,
    /// The key was compromised: nothing signed with it counts.
    pub revoked: bool,
}

/// All checks that do not depend on who asks. `signature_known` is a promise of the caller that the
/// signature of exactly these bytes was checked before.
pub fn verify<K: Keys>(token: &[u8], keys: &K, signature_known: bool, now_s: i64) -> Result<Verified<Access>, Reason> {
    let opened = open(token, keys)?;
    let signed = if signature_known { opened.signature_known() } else { opened.check_signature()? };
    signed.check_claims(keys, now_s)
}

/// When a token says that it was issued. Nothing is checked: for who decides as of which moment to verify it.
pub fn claimed_iat_s(token: &[u8]) -> Option<i64> {
    let payload = Jws::parse(token).ok()?.claimed().payload().ok()?;
    claims::parse(&payload).ok().map(|access| access.iat_s)
}

/// A token of the right form, and the key that must have signed it.
#[derive(Debug)]
pub struct Opened<'t, 'k> {
    jws: Unverified<Jws<'t>>,
    key: KeyView<'k>,
}

/// A token whose signature is good.
#[derive(Debug)]
pub struct Signed<'t, 'k> {
    jws: Unverified<Jws<'t>>,
    key: KeyView<'k>,
}

/// Step 1: form, type, key and algorithm. Costs no signature check.
pub fn open<'t, 'k, K: Keys>(token: &'t [u8], keys: &'k K) -> Result<Opened<'t, 'k>, Reason> {
    let jws = Jws::parse(token)?;
    check_type(&jws)?;
    let key = check_key(&jws, keys)?;
    check_alg(&jws, &key)?;
    Ok(Opened { jws, key })
}

impl<'t, 'k> Opened<'t, 'k> {
    /// The `kid` of the key that was found.
    pub fn kid(&self) -> &str {
        self.jws.claimed().header.kid.as_deref().unwrap_or_default()
    }

    /// Step 2, the expensive one.
    pub fn check_signature(self) -> Result<Signed<'t, 'k>, Reason> {
        let jws = self.jws.claimed();
        let checked = self.key.key.verify(self.key.alg, jws.signing_input, &jws.signature);
        checked.map_err(|_| Reason::BadSignature)?;
        Ok(Signed { jws: self.jws, key: self.key })
    }

    /// Step 2, when the signature of exactly these bytes was checked before.
    pub fn signature_known(self) -> Signed<'t, 'k> {
        Signed { jws: self.jws, key: self.key }
    }
}

impl Signed<'_, '_> {
    /// Step 3: what the token says.
    pub fn check_claims<K: Keys>(self, keys: &K, now_s: i64) -> Result<Verified<Access>, Reason> {
        let payload = self.jws.claimed().payload()?;
        let access = claims::parse(&payload).map_err(|_| Reason::BadClaims)?;
        check_issuer(&access, keys)?;
        check_times(&access, now_s)?;
        check_key_date(&access, &self.key)?;
        Ok(Verified::new(access))
    }
}

/// The part of a token that decides who may learn about it; a cache keeps this much of one.
#[derive(Clone, Copy, Debug)]
pub struct Issue<'a> {
    pub tenant_id: TenantId,
    pub client_id: &'a ClientId,
    pub aud: &'a [String],
}

impl Access {
    pub fn issue(&self) -> Issue<'_> {
        Issue { tenant_id: self.tenant_id, client_id: &self.client_id, aud: &self.aud }
    }
}

/// May this caller learn about this token: one of its own tenant that is meant for it or was issued
/// to it? Asked after every cache, never stored in one.
pub fn may_introspect(
    caller_tenant: TenantId,
    caller: &ClientId,
    caller_audiences: &[impl AsRef<str>],
    token: Issue<'_>,
) -> Result<(), Reason> {
    if token.tenant_id != caller_tenant {
        return Err(Reason::ForeignTenant);
    }
    let meant_for = |audience: &str| token.aud.iter().any(|aud| same_resource(aud, audience));
    let own = token.client_id == caller;
    if own || caller_audiences.iter().any(|audience| meant_for(audience.as_ref())) {
        Ok(())
    } else {
        Err(Reason::ForeignAudience)
    }
}

fn check_type(jws: &Unverified<Jws<'_>>) -> Result<(), Reason> {
    let header = &jws.claimed().header;
    if header.has_others {
        return Err(Reason::Malformed);
    }
    if header.typ == Some(Typ::AccessToken) { Ok(()) } else { Err(Reason::BadType) }
}

fn check_key<'k, K: Keys>(jws: &Unverified<Jws<'_>>, keys: &'k K) -> Result<KeyView<'k>, Reason> {
    let kid = jws.claimed().header.kid.as_deref().ok_or(Reason::Malformed)?;
    if kid.len() > KID_BYTES_MAX || !kid.bytes().all(crate::b64::is_symbol) {
        return Err(Reason::Malformed);
    }
    let key = keys.key(kid).ok_or(Reason::UnknownKey)?;
    if key.revoked { Err(Reason::KeyRevoked) } else { Ok(key) }
}

fn check_alg(jws: &Unverified<Jws<'_>>, key: &KeyView<'_>) -> Result<(), Reason> {
    if jws.claimed().header.alg == key.alg { Ok(()) } else { Err(Reason::AlgMismatch) }
}

fn check_issuer<K: Keys>(access: &Access, keys: &K) -> Result<(), Reason> {
    if keys.is_issuer(&access.iss) { Ok(()) } else { Err(Reason::BadIssuer) }
}

/// RFC 7519 section 4.1.4 to 4.1.6: not on or after `exp`, not before `nbf`.
fn check_times(access: &Access, now_s: i64) -> Result<(), Reason> {
    if now_s >= access.exp_s {
        return Err(Reason::Expired);
    }
    let latest_s = now_s.saturating_add(AHEAD_S_MAX);
    if access.iat_s > latest_s || access.nbf_s > latest_s {
        return Err(Reason::NotYetValid);
    }
    Ok(())
}

fn check_key_date(access: &Access, key: &KeyView<'_>) -> Result<(), Reason> {
    match key.iat_max_s {
        Some(iat_max_s) if access.iat_s > iat_max_s => Err(Reason::KeyPastDate),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
