//! Values that must not leak, and the digests that are kept in their place.
//!
//! `Secret<T>` cannot be printed, serialized or compared; `.expose()` is the one way in and can be
//! searched for. `Digest32` is what a database or a table keeps of a high-entropy value: SHA-256,
//! compared in constant time. (A password is not a high-entropy value; Argon2 answers for those.)

use std::fmt;
use std::hash::{Hash, Hasher};

use subtle::ConstantTimeEq as _;
use zeroize::Zeroize;

/// A value that is wiped when dropped and shown to nobody by accident.
pub struct Secret<T: Zeroize>(T);

impl<T: Zeroize> Secret<T> {
    pub const fn new(value: T) -> Self {
        Self(value)
    }

    /// The value itself. Each call is a place where it could leak.
    pub const fn expose(&self) -> &T {
        &self.0
    }
}

impl<T: Zeroize> Drop for Secret<T> {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl<T: Zeroize + Clone> Clone for Secret<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T: Zeroize> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

/// Whether two byte strings are the same, in a time that depends on their lengths alone.
///
/// For long values on the hot path: the loop has no barrier inside, so it is done sixteen bytes and
/// more at a time; the one at its end keeps the comparison from leaving early.
pub fn is_same_bytes(a: &[u8], b: &[u8]) -> bool {
    let difference = a.iter().zip(b).fold(0, |difference, (x, y)| difference | (x ^ y));
    a.len() == b.len() && std::hint::black_box(difference) == 0
}

/// A SHA-256 digest. Equality takes the same time whatever differs.
#[derive(Clone, Copy)]
pub struct Digest32([u8; 32]);

impl Digest32 {
    /// The digest of some bytes.
    pub fn of(bytes: &[u8]) -> Self {
        let digest = ring::digest::digest(&ring::digest::SHA256, bytes);
        let mut out = [0; 32];
        for (to, from) in out.iter_mut().zip(digest.as_ref()) {
            *to = *from;
        }
        Self(out)
    }

    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// A stored digest is not 32 bytes long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadDigest;

impl fmt::Display for BadDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a digest has 32 bytes")
    }
}

impl std::error::Error for BadDigest {}

impl TryFrom<&[u8]> for Digest32 {
    type Error = BadDigest;

    fn try_from(bytes: &[u8]) -> Result<Self, BadDigest> {
        bytes.try_into().map(Self).map_err(|_| BadDigest)
    }
}

impl PartialEq for Digest32 {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for Digest32 {}

impl Hash for Digest32 {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl fmt::Debug for Digest32 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[digest]")
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_the_same_or_not() {
        let rows: [(&[u8], &[u8], bool, &str); 5] = [
            (b"", b"", true, "both empty"),
            (b"abc", b"abc", true, "equal"),
            (b"abc", b"abd", false, "last differs"),
            (b"abc", b"ab", false, "a prefix"),
            (b"ab", b"abc", false, "longer"),
        ];
        for (a, b, same, why) in rows {
            assert_eq!(is_same_bytes(a, b), same, "{why}");
        }
    }

    #[test]
    fn a_secret_is_not_printed() {
        let secret = Secret::new(String::from("hunter2"));
        assert_eq!(format!("{secret:?}"), "[secret]");
        assert_eq!(secret.expose(), "hunter2");
    }

    #[test]
    fn a_digest_is_sha_256() {
        // FIPS 180-4, "abc".
        let expected = [
            0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea, 0x41, 0x41, 0x40, 0xde, 0x5d, 0xae, 0x22, 0x23, 0xb0, 0x03,
            0x61, 0xa3, 0x96, 0x17, 0x7a, 0x9c, 0xb4, 0x10, 0xff, 0x61, 0xf2, 0x00, 0x15, 0xad,
        ];
        assert_eq!(Digest32::of(b"abc").as_bytes(), &expected);
        assert_eq!(Digest32::of(b"abc"), Digest32::from_bytes(expected));
        assert_ne!(Digest32::of(b"abd"), Digest32::from_bytes(expected));
        assert_eq!(format!("{:?}", Digest32::of(b"abc")), "[digest]");
    }

    #[test]
    fn a_stored_digest_has_its_length() {
        assert!(Digest32::try_from([0u8; 32].as_slice()).is_ok(), "32 bytes");
        assert_eq!(Digest32::try_from([0u8; 31].as_slice()), Err(BadDigest), "31 bytes");
        assert_eq!(Digest32::try_from([0u8; 33].as_slice()), Err(BadDigest), "33 bytes");
    }
}
