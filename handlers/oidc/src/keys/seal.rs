//! Sealing: private keys leave this process only encrypted under the root key.
//!
//! AES-256-GCM with a random 96-bit nonce; the associated data binds the blob to its purpose, algorithm and
//! `kid`, so a blob moved to another row does not open. A root key seals a few dozen keys in its life, far
//! from the 2^32 messages at which random nonces become a worry (NIST SP 800-38D 8.3).
//!
//! ```text
//! version (1) | nonce (12) | ciphertext | tag (16)
//! ```
//!
//! The key's fingerprint is kept beside each blob, so that a program with another root key notices before it
//! seals what no node could open. It tells nothing of the key: 32 random bytes stand behind the hash.
//!
//! Alternatives rejected: the database's own encryption (the database would see the keys).

use std::fmt::{self, Write as _};

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hkdf::{HKDF_SHA256, Salt};
use sigid_core::b64;
use sigid_core::ids::Kid;
use sigid_core::jwk::Alg;
use sigid_core::secret::{Digest32, Secret};
use sigid_io::rng;

const VERSION: u8 = 1;
const PURPOSE: &str = "sigid signing key";
const FINGERPRINT_PURPOSE: &[u8] = b"sigid root key fingerprint\0";
const FINGERPRINT_BYTES: usize = 8;
const DERIVE_PURPOSE: &[u8] = b"sigid derived keys v1";

/// The key that opens the others.
pub struct RootKey(Secret<[u8; 32]>);

/// Why a blob was not sealed or opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SealFault {
    /// The file does not hold 32 bytes in base64.
    BadRootKey,
    /// Not a blob of this form, of another key or row, or altered.
    NotOpened,
    NotSealed,
}

impl fmt::Display for SealFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BadRootKey => "the root key's file does not hold 32 bytes in base64",
            Self::NotOpened => "a stored signing key does not open with this root key",
            Self::NotSealed => "the signing key could not be sealed",
        })
    }
}

impl std::error::Error for SealFault {}

impl RootKey {
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(Secret::new(bytes))
    }

    /// The text of the file `security.root_key_path`: base64 or base64url, padded or not.
    pub fn parse(text: &str) -> Result<Self, SealFault> {
        let digits = text.trim();
        let digits = digits.strip_suffix('=').unwrap_or(digits);
        let digits = Secret::new(digits.replace('+', "-").replace('/', "_"));
        b64::decode_array(digits.expose().as_bytes()).map(Self::from_bytes).ok_or(SealFault::BadRootKey)
    }

    /// Which root key it is: 16 hexadecimal digits, the same for the same key.
    pub fn fingerprint(&self) -> String {
        let named = Secret::new([FINGERPRINT_PURPOSE, self.0.expose()].concat());
        let digest = Digest32::of(named.expose());
        digest.as_bytes().iter().take(FINGERPRINT_BYTES).fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
    }

    /// A key for one use, the same on every node (HKDF, RFC 5869); the label names the use.
    pub fn derive(&self, label: &str) -> Secret<[u8; 32]> {
        let salt = Salt::new(HKDF_SHA256, DERIVE_PURPOSE);
        let mut key = [0; 32];
        // 32 bytes are far from what HKDF cannot give.
        let _ =
            salt.extract(self.0.expose()).expand(&[label.as_bytes()], HKDF_SHA256).and_then(|okm| okm.fill(&mut key));
        Secret::new(key)
    }

    /// Seals the private half of the key `kid`.
    pub fn seal(&self, alg: Alg, kid: &Kid, pkcs8: &Secret<Vec<u8>>) -> Result<Vec<u8>, SealFault> {
        let nonce: [u8; NONCE_LEN] = rng::random();
        let mut sealed = pkcs8.expose().clone();
        let bound = Aad::from(associated(alg, kid));
        self.cipher()
            .and_then(|cipher| cipher.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), bound, &mut sealed))
            .map_err(|_| SealFault::NotSealed)?;
        let mut blob = Vec::with_capacity(1 + NONCE_LEN + sealed.len());
        blob.push(VERSION);
        blob.extend_from_slice(&nonce);
        blob.extend_from_slice(&sealed);
        Ok(blob)
    }

    /// Opens what [`RootKey::seal`] made for the same algorithm and key.
    pub fn open(&self, alg: Alg, kid: &Kid, blob: &[u8]) -> Result<Secret<Vec<u8>>, SealFault> {
        let Some((&VERSION, rest)) = blob.split_first() else {
            return Err(SealFault::NotOpened);
        };
        let (nonce, sealed) = rest.split_first_chunk::<NONCE_LEN>().ok_or(SealFault::NotOpened)?;
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let bound = Aad::from(associated(alg, kid));
        let mut in_place = sealed.to_vec();
        let length = self
            .cipher()
            .and_then(|cipher| cipher.open_in_place(nonce, bound, &mut in_place).map(|plain| plain.len()))
            .map_err(|_| SealFault::NotOpened)?;
        in_place.truncate(length);
        Ok(Secret::new(in_place))
    }

    fn cipher(&self) -> Result<LessSafeKey, ring::error::Unspecified> {
        UnboundKey::new(&AES_256_GCM, self.0.expose()).map(LessSafeKey::new)
    }
}

fn associated(alg: Alg, kid: &Kid) -> Vec<u8> {
    [PURPOSE, alg.as_str(), kid.as_str()].join("\0").into_bytes()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn kid(text: &str) -> Kid {
        Kid::parse(text).unwrap()
    }

    #[test]
    fn a_blob_opens_in_its_own_row_only() {
        let root = RootKey::from_bytes([7; 32]);
        let other = RootKey::from_bytes([8; 32]);
        let blob = root.seal(Alg::Es256, &kid("a"), &Secret::new(b"private".to_vec())).unwrap();
        let opened = root.open(Alg::Es256, &kid("a"), &blob).unwrap();
        assert_eq!(opened.expose(), b"private");
        assert!(!blob.windows(7).any(|bytes| bytes == b"private"), "nothing shows");
        assert!(root.open(Alg::Es256, &kid("b"), &blob).is_err(), "another kid");
        assert!(root.open(Alg::EdDsa, &kid("a"), &blob).is_err(), "another algorithm");
        assert!(other.open(Alg::Es256, &kid("a"), &blob).is_err(), "another root key");
    }

    #[test]
    fn an_altered_blob_does_not_open() {
        let root = RootKey::from_bytes([7; 32]);
        let blob = root.seal(Alg::EdDsa, &kid("a"), &Secret::new(vec![1; 83])).unwrap();
        for at in 0..blob.len() {
            let mut altered = blob.clone();
            if let Some(byte) = altered.get_mut(at) {
                *byte ^= 1;
            }
            assert!(root.open(Alg::EdDsa, &kid("a"), &altered).is_err(), "byte {at}");
            assert!(root.open(Alg::EdDsa, &kid("a"), blob.get(..at).unwrap()).is_err(), "cut at {at}");
        }
        let again = root.seal(Alg::EdDsa, &kid("a"), &Secret::new(vec![1; 83])).unwrap();
        assert_ne!(blob, again, "a fresh nonce each time");
    }

    #[test]
    fn a_fingerprint_tells_root_keys_apart_and_nothing_else() {
        let fingerprint = RootKey::from_bytes([7; 32]).fingerprint();
        assert_eq!(fingerprint, RootKey::from_bytes([7; 32]).fingerprint(), "the same key");
        assert_ne!(fingerprint, RootKey::from_bytes([8; 32]).fingerprint(), "another key");
        assert!(fingerprint.len() == 16 && fingerprint.bytes().all(|digit| digit.is_ascii_hexdigit()), "{fingerprint}");
        let bare = Digest32::of(&[7; 32]);
        assert!(!bare.as_bytes().starts_with(&[u8::from_str_radix(&fingerprint[..2], 16).unwrap()]), "under a name");
    }

    #[test]
    fn a_derived_key_is_of_its_root_and_label() {
        let root = RootKey::from_bytes([7; 32]);
        let key = root.derive("one use");
        assert_eq!(key.expose(), RootKey::from_bytes([7; 32]).derive("one use").expose(), "on every node");
        assert_ne!(key.expose(), root.derive("another use").expose());
        assert_ne!(key.expose(), RootKey::from_bytes([8; 32]).derive("one use").expose());
        assert_ne!(key.expose(), &[0; 32], "it was filled");
    }

    #[test]
    fn the_root_key_is_32_bytes_in_base64() {
        let rows = [
            ("++++++++++++++++++++++++++++++++++++++++++8=", true, "base64"),
            ("//////////////////////////////////////////8=\n", true, "with a newline"),
            ("__________________________________________8", true, "base64url"),
            ("AAAA", false, "short"),
            ("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", false, "long"),
            ("", false, "empty"),
            ("not base64 at all, but 43 characters long!!!", false, "no base64"),
        ];
        for (text, good, why) in rows {
            assert_eq!(RootKey::parse(text).is_ok(), good, "{why}");
        }
    }
}
