//! The edge cookie: what one application's proxy is shown of a session (DESIGN section 4, "Cookies").
//!
//! `base64url( version ‖ salt 16 ‖ nonce 12 ‖ AES-256-GCM( tenant ‖ session ‖ times ‖ sub ‖ acr ‖ email ) )`, opened by any
//! node alone. The associated data holds the client's id, so the cookie of one application opens no other. Each cookie has a
//! key of its own, HMAC-SHA256 of salt under the shared key, so that random nonces never run out however many are sealed.
//!
//! [`EdgeKey::open`] proves that we sealed it, for this client, and that it has not expired. Whether client, tenant, person
//! and session still stand is asked afterwards, of the tables and of the marks that [`EdgeCookie::mark_keys`] names.
//!
//! Alternatives rejected: a JWS (anybody who finds it reads it, and a signature costs 40 times as much); a session id
//! looked up in a table (every shard would hold every session).
//!
//! Limits: 255 bytes each of `sub`, `acr` and `email`; hence about 1,200 bytes of text.

use crate::b64;
use crate::ids::{ClientId, TenantId};
use crate::jws::Verified;
use crate::marks::{MarkKey, MarkKeys};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hmac;
use uuid::Uuid;

/// The longest text of an edge cookie that is looked at.
pub const EDGE_COOKIE_BYTES_MAX: usize = 2048;
/// How far the time of sealing may be ahead of our clock, in seconds.
const AHEAD_S_MAX: i64 = 5;
const VERSION: u8 = 1;
const SALT_BYTES: usize = 16;
const AAD_PREFIX: &str = "sigid edge cookie v1 ";

/// Fresh random bytes that one sealing uses up.
pub const SEAL_RANDOM_BYTES: usize = SALT_BYTES + NONCE_LEN;

/// What an edge cookie says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EdgeCookie {
    pub tenant_id: TenantId,
    /// The session's name as this tenant knows it ([`Self::session_text`]).
    pub session: [u8; 16],
    /// The person, as this tenant knows them.
    pub sub: String,
    pub acr: String,
    /// Only where the person let the application know it.
    pub email: Option<String>,
    pub issued_s: i64,
    pub expires_s: i64,
}

/// Why a cookie is not sealed or not opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EdgeFault {
    /// A text is longer than 255 bytes.
    TooLong,
    /// Not the form of an edge cookie.
    Malformed,
    /// Not sealed by us, or for another client.
    Forged,
    Expired,
    /// Sealed later than now, by more than clocks may differ.
    NotYetValid,
}

impl EdgeCookie {
    /// The session's name as text: 22 symbols of base64url.
    pub fn session_text(&self) -> String {
        b64::encode(&self.session)
    }

    /// The marks that this cookie of `client` can die by.
    pub fn mark_keys(&self, client: &ClientId) -> MarkKeys {
        let tenant = self.tenant_id;
        MarkKeys::from([
            MarkKey::tenant(tenant),
            MarkKey::client(client),
            MarkKey::subject(tenant, &self.sub),
            MarkKey::session(tenant, &self.session_text()),
        ])
    }
}

/// Seals and opens edge cookies; all nodes derive the same.
pub struct EdgeKey(hmac::Key);

impl EdgeKey {
    pub fn from_bytes(key: &[u8; 32]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, key))
    }

    /// The text of a cookie for `client`. `random` must be fresh.
    ///
    /// # Errors
    /// [`EdgeFault::TooLong`].
    pub fn seal(
        &self,
        client: &ClientId,
        cookie: &EdgeCookie,
        random: [u8; SEAL_RANDOM_BYTES],
    ) -> Result<String, EdgeFault> {
        let mut plain = write(cookie)?;
        let (salt, nonce) = parts(&random).ok_or(EdgeFault::Malformed)?;
        let key = self.key_of(salt).ok_or(EdgeFault::Malformed)?;
        key.seal_in_place_append_tag(nonce, aad(client), &mut plain).map_err(|_| EdgeFault::TooLong)?;
        Ok(b64::encode(&[&[VERSION], random.as_slice(), &plain].concat()))
    }

    /// What a cookie that was sent for `client` says.
    ///
    /// # Errors
    /// Any but [`EdgeFault::TooLong`].
    pub fn open(&self, client: &ClientId, text: &[u8], now_s: i64) -> Result<Verified<EdgeCookie>, EdgeFault> {
        let mut buffer = [0; EDGE_COOKIE_BYTES_MAX];
        let length = b64::decode_into(text, &mut buffer).ok_or(EdgeFault::Malformed)?.len();
        let sealed = buffer.get_mut(..length).ok_or(EdgeFault::Malformed)?;
        let (version, sealed) = sealed.split_first_mut().ok_or(EdgeFault::Malformed)?;
        let (random, sealed) = sealed.split_at_mut_checked(SEAL_RANDOM_BYTES).ok_or(EdgeFault::Malformed)?;
        if *version != VERSION {
            return Err(EdgeFault::Malformed);
        }
        let (salt, nonce) = parts(random).ok_or(EdgeFault::Malformed)?;
        let key = self.key_of(salt).ok_or(EdgeFault::Malformed)?;
        let plain = key.open_in_place(nonce, aad(client), sealed).map_err(|_| EdgeFault::Forged)?;
        let cookie = read(plain).ok_or(EdgeFault::Malformed)?;
        check_times(&cookie, now_s)?;
        Ok(Verified::new(cookie))
    }

    fn key_of(&self, salt: &[u8]) -> Option<LessSafeKey> {
        let mut context = hmac::Context::with_key(&self.0);
        context.update(AAD_PREFIX.as_bytes());
        context.update(salt);
        Some(LessSafeKey::new(UnboundKey::new(&AES_256_GCM, context.sign().as_ref()).ok()?))
    }
}

fn parts(random: &[u8]) -> Option<(&[u8], Nonce)> {
    let (salt, nonce) = random.split_at_checked(SALT_BYTES)?;
    Some((salt, Nonce::try_assume_unique_for_key(nonce).ok()?))
}

fn aad(client: &ClientId) -> Aad<String> {
    Aad::from([AAD_PREFIX, client.as_str()].concat())
}

fn check_times(cookie: &EdgeCookie, now_s: i64) -> Result<(), EdgeFault> {
    if now_s >= cookie.expires_s {
        return Err(EdgeFault::Expired);
    }
    if cookie.issued_s > now_s.saturating_add(AHEAD_S_MAX) { Err(EdgeFault::NotYetValid) } else { Ok(()) }
}

fn write(cookie: &EdgeCookie) -> Result<Vec<u8>, EdgeFault> {
    let mut out = Vec::with_capacity(128);
    out.extend(cookie.tenant_id.as_uuid().as_bytes());
    out.extend(cookie.session);
    out.extend(cookie.issued_s.to_be_bytes());
    out.extend(cookie.expires_s.to_be_bytes());
    for text in [&cookie.sub, &cookie.acr, cookie.email.as_deref().unwrap_or_default()] {
        out.push(u8::try_from(text.len()).map_err(|_| EdgeFault::TooLong)?);
        out.extend(text.as_bytes());
    }
    Ok(out)
}

fn read(mut plain: &[u8]) -> Option<EdgeCookie> {
    let tenant_id = TenantId::from_uuid(Uuid::from_bytes(take_array(&mut plain)?));
    let session = take_array(&mut plain)?;
    let issued_s = i64::from_be_bytes(take_array(&mut plain)?);
    let expires_s = i64::from_be_bytes(take_array(&mut plain)?);
    let (sub, acr, email) = (take_text(&mut plain)?, take_text(&mut plain)?, take_text(&mut plain)?);
    let email = Some(email).filter(|email| !email.is_empty());
    plain.is_empty().then_some(EdgeCookie { tenant_id, session, sub, acr, email, issued_s, expires_s })
}

fn take_array<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (array, tail) = rest.split_first_chunk()?;
    *rest = tail;
    Some(*array)
}

fn take_text(rest: &mut &[u8]) -> Option<String> {
    let (length, tail) = rest.split_first()?;
    let (text, tail) = tail.split_at_checked(usize::from(*length))?;
    *rest = tail;
    std::str::from_utf8(text).ok().map(str::to_owned)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NOW_S: i64 = 1_800_000_000;

    fn cookie() -> EdgeCookie {
        EdgeCookie {
            tenant_id: "018f2f3e-7c1a-7b52-9c5b-0d4b9f6f1a2b".parse().unwrap(),
            session: [9; 16],
            sub: "pT3lJb2".into(),
            acr: "aal1".into(),
            email: Some("ada@example.com".into()),
            issued_s: NOW_S,
            expires_s: NOW_S + 900,
        }
    }

    fn client(id: &str) -> ClientId {
        ClientId::parse(id).unwrap()
    }

    #[test]
    fn opens_for_its_client_while_it_lives() {
        let key = EdgeKey::from_bytes(&[1; 32]);
        let text = key.seal(&client("shop"), &cookie(), [5; SEAL_RANDOM_BYTES]).unwrap();
        let flip = |at: usize| {
            let mut bytes = b64::decode(text.as_bytes()).unwrap();
            bytes[at] ^= 1;
            b64::encode(&bytes)
        };
        assert_eq!(*key.open(&client("shop"), text.as_bytes(), NOW_S).unwrap(), cookie());
        let bytes = b64::decode(text.as_bytes()).unwrap();
        let other_key = EdgeKey::from_bytes(&[2; 32]);
        let cases: [(&EdgeKey, &str, &str, i64, EdgeFault, &str); 14] = [
            (&key, "shop2", &text, NOW_S, EdgeFault::Forged, "another client's"),
            (&key, "sho", &text, NOW_S, EdgeFault::Forged, "a client whose id begins the same"),
            (&other_key, "shop", &text, NOW_S, EdgeFault::Forged, "another installation's"),
            (&key, "shop", &text, NOW_S + 900, EdgeFault::Expired, "at its expiry"),
            (&key, "shop", &text, NOW_S - 6, EdgeFault::NotYetValid, "sealed in the future"),
            (&key, "shop", &flip(0), NOW_S, EdgeFault::Malformed, "another version"),
            (&key, "shop", &flip(1), NOW_S, EdgeFault::Forged, "another salt"),
            (&key, "shop", &flip(17), NOW_S, EdgeFault::Forged, "another nonce"),
            (&key, "shop", &flip(40), NOW_S, EdgeFault::Forged, "another text"),
            (&key, "shop", &b64::encode(&bytes[..bytes.len() - 1]), NOW_S, EdgeFault::Forged, "cut short"),
            (&key, "shop", &b64::encode(&[bytes.as_slice(), &[0]].concat()), NOW_S, EdgeFault::Forged, "longer"),
            (&key, "shop", &format!("{text}="), NOW_S, EdgeFault::Malformed, "another spelling"),
            (&key, "shop", "", NOW_S, EdgeFault::Malformed, "empty"),
            (&key, "shop", &"A".repeat(4000), NOW_S, EdgeFault::Malformed, "too long"),
        ];
        for (key, id, text, now_s, fault, why) in cases {
            assert_eq!(key.open(&client(id), text.as_bytes(), now_s).map(|_| ()), Err(fault), "{why}");
        }
        assert!(key.open(&client("shop"), text.as_bytes(), NOW_S - 5).is_ok(), "clocks differ a little");
    }

    #[test]
    fn two_sealings_share_nothing() {
        let key = EdgeKey::from_bytes(&[1; 32]);
        let seal = |random| key.seal(&client("shop"), &cookie(), random).unwrap();
        let (one, other) = (seal([5; SEAL_RANDOM_BYTES]), seal([6; SEAL_RANDOM_BYTES]));
        assert_ne!(one[38..], other[38..], "what is behind salt and nonce");
    }

    #[test]
    fn texts_are_bounded() {
        let key = EdgeKey::from_bytes(&[1; 32]);
        let seal = |sub: usize| {
            let cookie = EdgeCookie { sub: "s".repeat(sub), ..cookie() };
            key.seal(&client("shop"), &cookie, [5; SEAL_RANDOM_BYTES])
        };
        assert!(seal(255).unwrap().len() < EDGE_COOKIE_BYTES_MAX);
        assert_eq!(seal(256), Err(EdgeFault::TooLong));
    }

    #[test]
    fn dies_by_four_marks() {
        let (cookie, client) = (cookie(), client("shop"));
        let tenant = cookie.tenant_id;
        let keys = cookie.mark_keys(&client);
        for key in [
            MarkKey::tenant(tenant),
            MarkKey::client(&client),
            MarkKey::subject(tenant, "pT3lJb2"),
            MarkKey::session(tenant, &b64::encode(&[9; 16])),
        ] {
            assert!(keys.iter().any(|known| known == key));
        }
    }

    proptest! {
        #[test]
        fn round_trips(
            tenant: [u8; 16], session: [u8; 16], sub in ".{0,60}", acr in "[a-z:/.]{0,40}", email in proptest::option::of(".{1,60}"),
            lives in 1_i64..1_000_000, random: [u8; SEAL_RANDOM_BYTES], key: [u8; 32],
        ) {
            let cookie = EdgeCookie {
                tenant_id: TenantId::from_uuid(Uuid::from_bytes(tenant)), session, sub, acr, email,
                issued_s: NOW_S, expires_s: NOW_S + lives,
            };
            let key = EdgeKey::from_bytes(&key);
            let text = key.seal(&client("shop"), &cookie, random).unwrap();
            prop_assert_eq!(&*key.open(&client("shop"), text.as_bytes(), NOW_S).unwrap(), &cookie);
            prop_assert!(key.open(&client("other"), text.as_bytes(), NOW_S).is_err());
        }

        #[test]
        fn arbitrary_texts_never_open(text in "[A-Za-z0-9_-]{0,400}") {
            prop_assert!(EdgeKey::from_bytes(&[1; 32]).open(&client("shop"), text.as_bytes(), NOW_S).is_err());
        }

        #[test]
        fn arbitrary_plain_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..120)) {
            if let Some(cookie) = read(&bytes) {
                prop_assert_eq!(write(&cookie).unwrap(), bytes);
            }
        }
    }
}
