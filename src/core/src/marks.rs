//! Marks: "dead if issued at or before this moment" (DESIGN section 3).
//!
//! Revoking a token, a family, a client or a whole tenant writes one mark; every token and session
//! yields the short list of keys it could die by. Whoever asks knows no kinds: it looks all keys up.
//! A key is 128 bits of SHA-256 over kind and id, so that the table holds nothing but fixed-size
//! numbers and names nobody.

use std::fmt;

use crate::ids::{ClientId, TenantId};

/// The most keys of one token or session.
pub const MARK_KEYS_MAX: usize = 8;

/// What a mark kills. The number is part of every stored key: never renumber.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum MarkKind {
    Tenant = 1,
    Client = 2,
    Subject = 3,
    Family = 4,
    Session = 5,
    Token = 6,
    Actor = 7,
    Organization = 8,
}

/// The name of a mark: the first 16 bytes of `SHA-256(kind || id)`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MarkKey(u128);

impl MarkKey {
    /// The key of any kind. `id` must be unique among all tenants.
    pub fn of(kind: MarkKind, id: &[u8]) -> Self {
        Self::of_parts(kind, &[id])
    }

    /// Kills every token and session of a tenant.
    pub fn tenant(tenant: TenantId) -> Self {
        Self::of(MarkKind::Tenant, tenant.as_uuid().as_bytes())
    }

    /// Kills every token issued to a client.
    pub fn client(client: &ClientId) -> Self {
        Self::of(MarkKind::Client, client.as_str().as_bytes())
    }

    /// Kills every token and session of a subject in one tenant.
    pub fn subject(tenant: TenantId, sub: &str) -> Self {
        Self::of_parts(MarkKind::Subject, &[tenant.as_uuid().as_bytes(), sub.as_bytes()])
    }

    /// Kills a refresh family and the access tokens made from it.
    pub fn family(tenant: TenantId, family: &str) -> Self {
        Self::of_parts(MarkKind::Family, &[tenant.as_uuid().as_bytes(), family.as_bytes()])
    }

    /// Kills a session.
    pub fn session(tenant: TenantId, session: &str) -> Self {
        Self::of_parts(MarkKind::Session, &[tenant.as_uuid().as_bytes(), session.as_bytes()])
    }

    /// Kills one token, named by its `jti`.
    pub fn token(tenant: TenantId, jti: &str) -> Self {
        Self::of_parts(MarkKind::Token, &[tenant.as_uuid().as_bytes(), jti.as_bytes()])
    }

    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(u128::from_be_bytes(bytes))
    }

    pub const fn to_bytes(self) -> [u8; 16] {
        self.0.to_be_bytes()
    }

    fn of_parts(kind: MarkKind, parts: &[&[u8]]) -> Self {
        let mut context = ring::digest::Context::new(&ring::digest::SHA256);
        context.update(&[kind as u8]);
        for part in parts {
            context.update(part);
        }
        let digest = context.finish();
        let key = digest.as_ref().iter().take(16).fold(0, |key, byte| key << 8 | u128::from(*byte));
        Self(key)
    }
}

/// As the feed writes it: 32 hexadecimal digits.
impl fmt::Display for MarkKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for MarkKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The text is not 32 lower-case hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadMarkKey;

impl std::str::FromStr for MarkKey {
    type Err = BadMarkKey;

    fn from_str(text: &str) -> Result<Self, BadMarkKey> {
        let digits = text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if text.len() != 32 || !digits {
            return Err(BadMarkKey);
        }
        u128::from_str_radix(text, 16).map(Self).map_err(|_| BadMarkKey)
    }
}

/// The keys of one token or session, inline.
#[derive(Clone, Copy)]
pub struct MarkKeys {
    keys: [MarkKey; MARK_KEYS_MAX],
    length: u8,
}

impl MarkKeys {
    pub const fn new() -> Self {
        Self { keys: [MarkKey(0); MARK_KEYS_MAX], length: 0 }
    }

    /// Adds a key; `false`, with nothing added, when [`MARK_KEYS_MAX`] are in it.
    #[must_use]
    pub fn push(&mut self, key: MarkKey) -> bool {
        let Some(slot) = self.keys.get_mut(usize::from(self.length)) else {
            return false;
        };
        *slot = key;
        self.length += 1;
        true
    }

    pub fn as_slice(&self) -> &[MarkKey] {
        self.keys.get(..usize::from(self.length)).unwrap_or_default()
    }

    pub fn iter(&self) -> impl Iterator<Item = MarkKey> + '_ {
        self.as_slice().iter().copied()
    }
}

impl Default for MarkKeys {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for MarkKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.as_slice()).finish()
    }
}

impl<const N: usize> From<[MarkKey; N]> for MarkKeys {
    fn from(keys: [MarkKey; N]) -> Self {
        const { assert!(N <= MARK_KEYS_MAX) };
        let mut all = Self::new();
        for (slot, key) in all.keys.iter_mut().zip(keys) {
            *slot = key;
        }
        all.length = N as u8;
        all
    }
}

/// Is something issued at `issued_s` dead by any mark that `find` knows under its keys?
pub fn is_dead(keys: &MarkKeys, issued_s: i64, find: impl Fn(MarkKey) -> Option<i64>) -> bool {
    keys.iter().any(|key| find(key).is_some_and(|mark_s| issued_s <= mark_s))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
mod tests {
    use super::*;

    fn tenant() -> TenantId {
        "018f2f3e-7c1a-7b52-9c5b-0d4b9f6f1a2b".parse().unwrap()
    }

    #[test]
    fn a_mark_kills_what_was_issued_up_to_its_second() {
        let mine = MarkKey::token(tenant(), "t");
        let other = MarkKey::token(tenant(), "u");
        let rows = [
            (vec![(mine, 99)], false, "issued after the mark"),
            (vec![(mine, 100)], true, "issued in the second of the mark"),
            (vec![(mine, 101)], true, "issued before the mark"),
            (vec![(other, 101)], false, "somebody else's mark"),
            (vec![], false, "no mark"),
            (vec![(other, 0), (MarkKey::tenant(tenant()), 100)], true, "any key will do"),
        ];
        let keys = MarkKeys::from([MarkKey::tenant(tenant()), mine]);
        for (marks, dead, why) in rows {
            let find = |key| marks.iter().find(|(known, _)| *known == key).map(|(_, at)| *at);
            assert_eq!(is_dead(&keys, 100, find), dead, "{why}");
        }
        assert!(!is_dead(&MarkKeys::new(), 0, |_| Some(i64::MAX)), "nothing to die by");
    }

    #[test]
    fn keys_differ_by_kind_and_tenant() {
        let elsewhere: TenantId = "018f2f3e-7c1a-7b52-9c5b-0d4b9f6f1a2c".parse().unwrap();
        let keys = [
            MarkKey::tenant(tenant()),
            MarkKey::client(&ClientId::parse("x").unwrap()),
            MarkKey::subject(tenant(), "x"),
            MarkKey::family(tenant(), "x"),
            MarkKey::session(tenant(), "x"),
            MarkKey::token(tenant(), "x"),
            MarkKey::subject(elsewhere, "x"),
            MarkKey::token(elsewhere, "x"),
            MarkKey::subject(tenant(), "X"),
        ];
        let distinct: std::collections::HashSet<MarkKey> = keys.into_iter().collect();
        assert_eq!(distinct.len(), keys.len());
    }

    #[test]
    fn a_key_is_the_start_of_the_digest() {
        let digest = crate::secret::Digest32::of(b"\x06abc");
        assert_eq!(MarkKey::of(MarkKind::Token, b"abc").to_bytes(), digest.as_bytes()[..16]);
    }

    #[test]
    fn a_key_is_stored_and_read() {
        let key = MarkKey::token(tenant(), "x");
        assert_eq!(MarkKey::from_bytes(key.to_bytes()), key);
        assert_eq!(key.to_string().parse(), Ok(key));
        assert_eq!(MarkKey::from_bytes([0; 16]).to_string().len(), 32, "leading zeros are kept");
        for (text, why) in [
            ("", "empty"),
            ("+0000000000000000000000000000001", "a sign"),
            ("0000000000000000000000000000000g", "no digit"),
            ("0000000000000000000000000000000A", "upper case"),
            ("000000000000000000000000000000000", "too long"),
        ] {
            assert_eq!(text.parse::<MarkKey>(), Err(BadMarkKey), "{why}");
        }
    }

    #[test]
    fn the_list_is_bounded() {
        let mut keys = MarkKeys::new();
        for _ in 0..MARK_KEYS_MAX {
            assert!(keys.push(MarkKey::tenant(tenant())));
        }
        assert!(!keys.push(MarkKey::tenant(tenant())), "full");
        assert_eq!(keys.as_slice().len(), MARK_KEYS_MAX);
    }
}
