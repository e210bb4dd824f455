//! Resource indicators (RFC 8707 section 2): absolute URIs without a fragment.
//!
//! They are compared as registered, byte for byte, with one allowance: an empty path and `/` name
//! the same resource (RFC 3986 section 6.2.3), because clients and libraries disagree about it. No
//! other normalization: case, ports, dot segments and escapes stay significant, so that nothing an
//! attacker spells differently becomes somebody's audience.

use std::fmt;
use std::sync::Arc;

/// The longest resource indicator, in bytes.
pub const RESOURCE_BYTES_MAX: usize = 512;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResourceFault {
    /// Longer than [`RESOURCE_BYTES_MAX`].
    TooLong,
    /// No scheme, nothing after it, or an `http(s)` URI without host.
    NotAbsolute,
    /// Has a fragment.
    Fragment,
    /// User information before the host.
    UserInfo,
    /// A character no URI has, or a broken percent escape.
    Malformed,
}

/// A well-formed resource indicator in its registered spelling. Cheap to clone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Resource(Arc<str>);

impl Resource {
    pub fn parse(text: &str) -> Result<Self, ResourceFault> {
        check_resource(text)?;
        Ok(Self(Arc::from(text)))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Checks the form of a resource indicator.
pub fn check_resource(text: &str) -> Result<(), ResourceFault> {
    if text.len() > RESOURCE_BYTES_MAX {
        return Err(ResourceFault::TooLong);
    }
    if text.contains('#') {
        return Err(ResourceFault::Fragment);
    }
    check_characters(text.as_bytes())?;
    let (scheme, rest) = text.split_once(':').ok_or(ResourceFault::NotAbsolute)?;
    if !is_scheme(scheme) || rest.is_empty() {
        return Err(ResourceFault::NotAbsolute);
    }
    check_authority(scheme, rest)
}

/// Do two indicators name one resource: equal, or an empty path against `/`?
pub fn same_resource(a: &str, b: &str) -> bool {
    if a == b {
        return true;
    }
    let (Some((head_a, tail_a)), Some((head_b, tail_b))) = (split_path(a), split_path(b)) else {
        return false;
    };
    head_a == head_b && (adds_root(tail_a, tail_b) || adds_root(tail_b, tail_a))
}

/// `scheme://authority` and what follows; `None` for a URI without authority.
fn split_path(uri: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = uri.split_once(':')?;
    let authority = rest.strip_prefix("//")?;
    let end = authority.find(['/', '?', '#']).unwrap_or(authority.len());
    uri.split_at_checked(scheme.len() + 3 + end)
}

/// Is `long` the same as `short`, whose path is empty, with the path `/`?
fn adds_root(long: &str, short: &str) -> bool {
    let empty_path = short.is_empty() || short.starts_with('?');
    empty_path && long.strip_prefix('/') == Some(short)
}

fn check_characters(text: &[u8]) -> Result<(), ResourceFault> {
    let mut bytes = text.iter();
    while let Some(&byte) = bytes.next() {
        let legal = match byte {
            b'%' => {
                let mut hex = || bytes.next().is_some_and(u8::is_ascii_hexdigit);
                hex() && hex()
            }
            _ => is_uri_character(byte),
        };
        if !legal {
            return Err(ResourceFault::Malformed);
        }
    }
    Ok(())
}

fn check_authority(scheme: &str, rest: &str) -> Result<(), ResourceFault> {
    let web = scheme.eq_ignore_ascii_case("https") || scheme.eq_ignore_ascii_case("http");
    let Some(hierarchy) = rest.strip_prefix("//") else {
        return if web { Err(ResourceFault::NotAbsolute) } else { Ok(()) };
    };
    let authority = hierarchy.split(['/', '?']).next().unwrap_or_default();
    if authority.contains('@') {
        return Err(ResourceFault::UserInfo);
    }
    if web && (authority.is_empty() || authority.starts_with(':')) {
        return Err(ResourceFault::NotAbsolute);
    }
    Ok(())
}

fn is_scheme(scheme: &str) -> bool {
    let tail = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.');
    scheme.starts_with(|c: char| c.is_ascii_alphabetic()) && scheme.bytes().all(tail)
}

/// unreserved, gen-delims without `#`, sub-delims (RFC 3986 section 2).
const fn is_uri_character(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'-' | b'.'
                | b'_'
                | b'~'
                | b':'
                | b'/'
                | b'?'
                | b'['
                | b']'
                | b'@'
                | b'!'
                | b'$'
                | b'&'
                | b'\''
                | b'('
                | b')'
                | b'*'
                | b'+'
                | b','
                | b';'
                | b'='
        )
}

impl AsRef<str> for Resource {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_indicator_is_an_absolute_uri() {
        let too_long = format!("https://a/{}", "x".repeat(RESOURCE_BYTES_MAX));
        let rows: &[(&str, Result<(), ResourceFault>, &str)] = &[
            ("https://api.demo.example", Ok(()), "an origin"),
            ("https://api.demo.example/v1?x=%2F", Ok(()), "path and query"),
            ("https://[::1]:8443/", Ok(()), "an address literal"),
            ("urn:example:api", Ok(()), "a URN"),
            ("https://a/#x", Err(ResourceFault::Fragment), "fragment"),
            ("https://a/#", Err(ResourceFault::Fragment), "empty fragment"),
            ("/v1", Err(ResourceFault::NotAbsolute), "relative"),
            ("api.example", Err(ResourceFault::NotAbsolute), "no scheme"),
            ("https:", Err(ResourceFault::NotAbsolute), "nothing after the scheme"),
            ("https:///x", Err(ResourceFault::NotAbsolute), "no host"),
            ("https://:443/", Err(ResourceFault::NotAbsolute), "port without host"),
            ("https:a", Err(ResourceFault::NotAbsolute), "no authority"),
            ("1a:b", Err(ResourceFault::NotAbsolute), "a scheme begins with a letter"),
            ("https://a@b/", Err(ResourceFault::UserInfo), "user information"),
            ("https://a/ b", Err(ResourceFault::Malformed), "space"),
            ("https://a/\\b", Err(ResourceFault::Malformed), "backslash"),
            ("https://a/%2", Err(ResourceFault::Malformed), "broken escape"),
            ("https://a/%zz", Err(ResourceFault::Malformed), "no hexadecimal"),
            ("https://ä/", Err(ResourceFault::Malformed), "not ASCII"),
            ("", Err(ResourceFault::NotAbsolute), "empty"),
            (&too_long, Err(ResourceFault::TooLong), "too long"),
        ];
        for (text, expected, why) in rows {
            assert_eq!(check_resource(text), *expected, "{why}");
        }
    }

    #[test]
    fn only_the_empty_path_is_forgiven() {
        let rows = [
            ("https://a", "https://a", true, "equal"),
            ("https://a", "https://a/", true, "empty path against root"),
            ("https://a?x", "https://a/?x", true, "the same before a query"),
            ("urn:a", "urn:a", true, "equal without authority"),
            ("https://a", "https://a//", false, "two slashes"),
            ("https://a/b", "https://a/b/", false, "a path is not forgiven"),
            ("https://a", "https://A", false, "case"),
            ("https://a", "https://a:443", false, "port"),
            ("https://a", "https://a.evil", false, "suffix"),
            ("https://a", "https://ab/", false, "longer host"),
            ("https://a/?x", "https://a/?y", false, "other query"),
            ("urn:a", "urn:a/", false, "no authority, no root"),
            ("urn:a://b", "urn:a://b/", false, "an authority follows the scheme at once"),
            ("", "/", false, "not a URI"),
        ];
        for (a, b, expected, why) in rows {
            assert_eq!(same_resource(a, b), expected, "{why}");
            assert_eq!(same_resource(b, a), expected, "{why}, turned round");
        }
    }

    proptest! {
        #[test]
        fn never_panics(a in ".{0,60}", b in ".{0,60}") {
            let _ = check_resource(&a);
            prop_assert!(same_resource(&a, &a));
            prop_assert_eq!(same_resource(&a, &b), same_resource(&b, &a));
        }
    }
}
