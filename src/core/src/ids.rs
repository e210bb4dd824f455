//! Identifiers, parsed once at the edge and carried as types from there on.
//!
//! Each has one accepted spelling, so that comparing text is comparing identity. A `ClientId` is
//! unreserved URI characters only (RFC 3986 section 2.3): it means the same in a form, in a Basic
//! header, in a URL and in a log line, with no escaping anywhere.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use uuid::Uuid;

/// The longest `client_id`, in bytes.
pub const CLIENT_ID_BYTES_MAX: usize = 128;
/// The longest key id of our own keys, in bytes.
pub const KID_BYTES_MAX: usize = 64;

/// The text is not an identifier of this kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadId;

impl fmt::Display for BadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("malformed identifier")
    }
}

impl std::error::Error for BadId {}

/// An identifier that is a UUID, written with hyphens in lower case.
macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Uuid);

        impl $name {
            pub const fn from_uuid(uuid: Uuid) -> Self {
                Self(uuid)
            }

            pub const fn as_uuid(&self) -> &Uuid {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = BadId;

            fn from_str(text: &str) -> Result<Self, BadId> {
                parse_uuid(text).map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.as_hyphenated().fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
    };
}

uuid_id! {
    /// A tenant.
    TenantId
}

uuid_id! {
    /// A person's global account. Never shown to a tenant, which knows the person by a `sub` of its own.
    UserId
}

uuid_id! {
    /// A session at SigID's own pages: a UUID of version 7, whose time is when the session began.
    SessionId
}

fn parse_uuid(text: &str) -> Result<Uuid, BadId> {
    let hyphenated = text.len() == 36 && !text.bytes().any(|b| b.is_ascii_uppercase());
    let uuid = Uuid::try_parse(text).map_err(|_| BadId)?;
    if hyphenated { Ok(uuid) } else { Err(BadId) }
}

/// A `client_id` (RFC 6749 section 2.2): 1 to 128 unreserved characters. Cheap to clone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientId(Arc<str>);

impl ClientId {
    pub fn parse(text: &str) -> Result<Self, BadId> {
        check_text(text, CLIENT_ID_BYTES_MAX, is_unreserved)?;
        Ok(Self(Arc::from(text)))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The id of one of our keys: its RFC 7638 thumbprint, or any 1 to 64 base64url symbols.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Kid(Arc<str>);

impl Kid {
    pub fn parse(text: &str) -> Result<Self, BadId> {
        check_text(text, KID_BYTES_MAX, crate::b64::is_symbol)?;
        Ok(Self(Arc::from(text)))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn check_text(text: &str, bytes_max: usize, is_legal: fn(u8) -> bool) -> Result<(), BadId> {
    let sized = !text.is_empty() && text.len() <= bytes_max;
    if sized && text.bytes().all(is_legal) { Ok(()) } else { Err(BadId) }
}

const fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'~' | b'-')
}

impl FromStr for ClientId {
    type Err = BadId;

    fn from_str(text: &str) -> Result<Self, BadId> {
        Self::parse(text)
    }
}

impl FromStr for Kid {
    type Err = BadId;

    fn from_str(text: &str) -> Result<Self, BadId> {
        Self::parse(text)
    }
}

// `Hash` of an `Arc<str>` is that of its `str`, which `Borrow` needs for look-ups by `&str`.
impl Borrow<str> for ClientId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for Kid {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl AsRef<str> for ClientId {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl AsRef<str> for Kid {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Kid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Kid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
mod tests {
    use super::*;
    use std::collections::HashMap;

    #[test]
    fn a_tenant_has_one_spelling() {
        let rows = [
            ("018f2f3e-7c1a-7b52-9c5b-0d4b9f6f1a2b", true, "hyphenated, lower case"),
            ("018F2F3E-7C1A-7B52-9C5B-0D4B9F6F1A2B", false, "upper case"),
            ("018f2f3e7c1a7b529c5b0d4b9f6f1a2b", false, "no hyphens"),
            ("{018f2f3e-7c1a-7b52-9c5b-0d4b9f6f1a2b}", false, "braces"),
            ("urn:uuid:018f2f3e-7c1a-7b52-9c5b-0d4b9f6f1a2b", false, "URN"),
            ("018f2f3e-7c1a-7b52-9c5b-0d4b9f6f1a2", false, "short"),
            ("", false, "empty"),
        ];
        for (text, good, why) in rows {
            let parsed = text.parse::<TenantId>();
            assert_eq!(parsed.is_ok(), good, "{why}");
            if let Ok(id) = parsed {
                assert_eq!(id.to_string(), text, "{why}");
            }
        }
    }

    #[test]
    fn a_client_id_is_unreserved_characters() {
        let longest = "a".repeat(128);
        let too_long = "a".repeat(129);
        let rows = [
            ("web-1.A_b~", true, "all unreserved kinds"),
            (longest.as_str(), true, "the longest"),
            (too_long.as_str(), false, "one too long"),
            ("", false, "empty"),
            ("a b", false, "space"),
            ("a:b", false, "colon, the separator of Basic"),
            ("a%20", false, "percent"),
            ("a\n", false, "control"),
            ("ä", false, "not ASCII"),
        ];
        for (text, good, why) in rows {
            assert_eq!(ClientId::parse(text).is_ok(), good, "{why}");
        }
    }

    #[test]
    fn a_kid_is_base64url() {
        let rows = [
            ("NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs", true, "a thumbprint"),
            ("", false, "empty"),
            ("a.b", false, "dot"),
            ("../x", false, "path"),
        ];
        for (text, good, why) in rows {
            assert_eq!(Kid::parse(text).is_ok(), good, "{why}");
        }
        assert!(Kid::parse(&"k".repeat(65)).is_err(), "too long");
    }

    #[test]
    fn maps_are_asked_by_text() {
        let map = HashMap::from([(ClientId::parse("a").unwrap(), 1)]);
        assert_eq!(map.get("a"), Some(&1));
    }
}
