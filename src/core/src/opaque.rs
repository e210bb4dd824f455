//! Opaque values: client secrets, registration tokens and the like, with their purpose inside.
//!
//! `sgd_<letter>_<43 symbols: 32 random bytes><11 symbols: 8 bytes of MAC>`. The MAC (HMAC-SHA256
//! under a key that the nodes share, truncated to 64 bits) covers purpose and random bytes, so one
//! kind of value can never be redeemed as another (CVE-2026-4282 and its class) and a forgery is
//! dropped without asking the database. It is a filter, not the proof: the proof is the digest that
//! was stored when the value was made. The fixed prefix lets secret scanners find leaked values.

use ring::hmac;
use subtle::ConstantTimeEq as _;
use zeroize::Zeroize as _;

use crate::b64;
use crate::secret::{Digest32, Secret};

/// What an opaque value is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Purpose {
    ClientSecret,
    RegistrationToken,
    InitialAccessToken,
    AuthorizationCode,
    RefreshToken,
    SessionCookie,
    DeviceCode,
    Link,
    /// Proves a new account's address.
    VerifyLink,
    /// Lets who reads the account's mail set a new password.
    RecoverLink,
    /// Lets an account's first password be set.
    SetupLink,
    /// Proves the address that an account is to change to.
    EmailLink,
    /// Takes a changed address back.
    UndoLink,
}

impl Purpose {
    /// The letter that names it in the value and in the MAC. Never reuse one.
    pub const fn letter(self) -> char {
        match self {
            Self::ClientSecret => 's',
            Self::RegistrationToken => 'r',
            Self::InitialAccessToken => 'i',
            Self::AuthorizationCode => 'c',
            Self::RefreshToken => 'f',
            Self::SessionCookie => 'k',
            Self::DeviceCode => 'd',
            Self::Link => 'l',
            Self::VerifyLink => 'v',
            Self::RecoverLink => 'w',
            Self::SetupLink => 'u',
            Self::EmailLink => 'e',
            Self::UndoLink => 'o',
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpaqueFault {
    /// Not the form of an opaque value.
    Malformed,
    /// An opaque value of another purpose.
    OtherPurpose,
    /// Not made under this key.
    Forged,
}

/// The key of the MAC, shared by all nodes.
pub struct OpaqueKey(hmac::Key);

impl OpaqueKey {
    pub fn from_bytes(key: &[u8; 32]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, key))
    }

    /// Makes the one value that belongs to `seed`: a letter that is sent again holds the same link, and only its digest
    /// is kept. `seed` must be unguessable or name its object, and be unique for the purpose.
    pub fn derive(&self, purpose: Purpose, seed: &[u8]) -> Secret<String> {
        let mut context = hmac::Context::with_key(&self.0);
        context.update(b"sigid derived v1 ");
        context.update(&[purpose.letter() as u8]);
        context.update(seed);
        let mut bytes = [0; 32];
        for (to, from) in bytes.iter_mut().zip(context.sign().as_ref()) {
            *to = *from;
        }
        self.mint(purpose, bytes)
    }

    /// Makes the value of 32 fresh random bytes.
    pub fn mint(&self, purpose: Purpose, mut random: [u8; 32]) -> Secret<String> {
        // Room for the whole, so that no half-written copy is left behind by growing.
        let mut value = String::with_capacity(VALUE_BYTES);
        value.push_str("sgd_");
        value.push(purpose.letter());
        value.push('_');
        b64::encode_into(&random, &mut value);
        b64::encode_into(&self.mac(purpose, &random), &mut value);
        random.zeroize();
        Secret::new(value)
    }

    /// Checks form, purpose and MAC, and gives the digest under which the value is stored.
    pub fn check(&self, purpose: Purpose, value: &str) -> Result<Digest32, OpaqueFault> {
        let (letter, random, mac) = parse(value.as_bytes()).ok_or(OpaqueFault::Malformed)?;
        if char::from(letter) != purpose.letter() {
            return Err(OpaqueFault::OtherPurpose);
        }
        if self.mac(purpose, &random).ct_eq(&mac).into() {
            Ok(Digest32::of(value.as_bytes()))
        } else {
            Err(OpaqueFault::Forged)
        }
    }

    fn mac(&self, purpose: Purpose, random: &[u8; 32]) -> [u8; MAC_BYTES] {
        let mut context = hmac::Context::with_key(&self.0);
        context.update(b"sigid opaque v1 ");
        context.update(&[purpose.letter() as u8]);
        context.update(random);
        let mut mac = [0; MAC_BYTES];
        for (to, from) in mac.iter_mut().zip(context.sign().as_ref()) {
            *to = *from;
        }
        mac
    }
}

impl std::fmt::Debug for OpaqueKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[secret]")
    }
}

fn parse(value: &[u8]) -> Option<(u8, [u8; 32], [u8; MAC_BYTES])> {
    let (letter, rest) = value.strip_prefix(b"sgd_")?.split_first()?;
    let (random, mac) = rest.strip_prefix(b"_")?.split_at_checked(RANDOM_SYMBOLS)?;
    Some((*letter, b64::decode_array(random)?, b64::decode_array(mac)?))
}

const MAC_BYTES: usize = 8;
const RANDOM_SYMBOLS: usize = 43;
const VALUE_BYTES: usize = 6 + RANDOM_SYMBOLS + 11;

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ALL: [Purpose; 13] = [
        Purpose::ClientSecret,
        Purpose::RegistrationToken,
        Purpose::InitialAccessToken,
        Purpose::AuthorizationCode,
        Purpose::RefreshToken,
        Purpose::SessionCookie,
        Purpose::DeviceCode,
        Purpose::Link,
        Purpose::VerifyLink,
        Purpose::RecoverLink,
        Purpose::SetupLink,
        Purpose::EmailLink,
        Purpose::UndoLink,
    ];

    fn key() -> OpaqueKey {
        OpaqueKey::from_bytes(&[7; 32])
    }

    #[test]
    fn a_value_serves_its_purpose_only() {
        for made_for in ALL {
            let value = key().mint(made_for, [1; 32]);
            assert_eq!(value.expose().len(), VALUE_BYTES);
            for used_for in ALL {
                let checked = key().check(used_for, value.expose());
                if made_for == used_for {
                    assert_eq!(checked, Ok(Digest32::of(value.expose().as_bytes())));
                } else {
                    assert_eq!(checked, Err(OpaqueFault::OtherPurpose), "{made_for:?}");
                }
            }
        }
    }

    #[test]
    fn a_forgery_is_dropped() {
        let good = key().mint(Purpose::ClientSecret, [1; 32]).expose().clone();
        let relabelled = key().mint(Purpose::Link, [1; 32]).expose().replace("_l_", "_s_");
        let other_key = OpaqueKey::from_bytes(&[8; 32]).mint(Purpose::ClientSecret, [1; 32]);
        let rows = [
            (relabelled, OpaqueFault::Forged, "the purpose is in the MAC"),
            (other_key.expose().clone(), OpaqueFault::Forged, "made under another key"),
            (good.replace("_s_A", "_s_B"), OpaqueFault::Forged, "other random bytes"),
            (format!("{good}A"), OpaqueFault::Malformed, "too long"),
            (good[..good.len() - 1].to_owned(), OpaqueFault::Malformed, "too short"),
            (good.replace("sgd_", "SGD_"), OpaqueFault::Malformed, "the prefix has one case"),
            (format!("{good} "), OpaqueFault::Malformed, "trailing space"),
            ("sgd_s_".to_owned(), OpaqueFault::Malformed, "the prefix alone"),
            (String::new(), OpaqueFault::Malformed, "empty"),
            ("\u{e4}".repeat(30), OpaqueFault::Malformed, "not ASCII"),
        ];
        for (value, expected, why) in rows {
            assert_eq!(key().check(Purpose::ClientSecret, &value), Err(expected), "{why}");
        }
    }

    #[test]
    fn a_derived_value_is_the_same_again_and_no_other() {
        let value = |key: OpaqueKey, purpose, seed: &[u8]| key.derive(purpose, seed).expose().clone();
        let first = value(key(), Purpose::VerifyLink, b"letter 1");
        assert_eq!(first, value(key(), Purpose::VerifyLink, b"letter 1"), "the same letter");
        assert!(key().check(Purpose::VerifyLink, &first).is_ok());
        assert_ne!(first, value(key(), Purpose::VerifyLink, b"letter 2"), "another letter");
        assert_ne!(first[6..], value(key(), Purpose::RecoverLink, b"letter 1")[6..], "another purpose");
        assert_ne!(first, value(OpaqueKey::from_bytes(&[8; 32]), Purpose::VerifyLink, b"letter 1"), "another key");
    }

    #[test]
    fn letters_differ() {
        let letters: std::collections::HashSet<char> = ALL.iter().map(|p| p.letter()).collect();
        assert_eq!(letters.len(), ALL.len());
    }

    proptest! {
        #[test]
        fn round_trips(secret in any::<[u8; 32]>(), random in any::<[u8; 32]>()) {
            let key = OpaqueKey::from_bytes(&secret);
            let value = key.mint(Purpose::Link, random);
            prop_assert!(key.check(Purpose::Link, value.expose()).is_ok());
        }

        #[test]
        fn any_changed_symbol_is_refused(at in 6..VALUE_BYTES, symbol in "[A-Za-z0-9_-]") {
            let value = key().mint(Purpose::ClientSecret, [1; 32]).expose().clone();
            let mut changed = value.clone();
            changed.replace_range(at..=at, &symbol);
            prop_assert_eq!(key().check(Purpose::ClientSecret, &changed).is_ok(), changed == value);
        }

        #[test]
        fn arbitrary_text_never_panics(text in ".{0,80}") {
            prop_assert!(key().check(Purpose::ClientSecret, &text).is_err());
        }
    }
}
