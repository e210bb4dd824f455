//! HTTP Basic credentials of a client (RFC 6749 section 2.3.1, RFC 7617).
//!
//! The header's base64 is read strictly, padding optional; then each half is form-unescaped, which
//! RFC 6749 demands and RFC 7617 does not know. The whole happens inside one buffer on the caller's
//! stack: this is on the hot path, and a secret should not be scattered over the heap.
//!
//! Refused: no colon, an empty id, control characters in either half (CVE-2026-9803 and its class),
//! text that is not UTF-8, credentials over 1024 bytes.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_PAD_INDIFFERENT;

use crate::form::unescape_in_place;

/// The longest decoded credentials, in bytes.
pub const BASIC_BYTES_MAX: usize = 1024;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BasicFault {
    /// Another scheme than Basic.
    OtherScheme,
    /// Not the Basic credentials of a client.
    Malformed,
}

/// The `client_id` and secret of an `Authorization` header, unescaped inside `scratch`.
pub fn decode_basic<'s>(
    header: &[u8],
    scratch: &'s mut [u8; BASIC_BYTES_MAX],
) -> Result<(&'s str, &'s str), BasicFault> {
    let encoded = strip_scheme(header).ok_or(BasicFault::OtherScheme)?;
    let halves = decode_halves(encoded, scratch);
    let (id, secret) = halves.ok_or(BasicFault::Malformed)?;
    if id.is_empty() { Err(BasicFault::Malformed) } else { Ok((id, secret)) }
}

/// What follows `Basic` and at least one space. The scheme's case does not matter.
fn strip_scheme(header: &[u8]) -> Option<&[u8]> {
    let (scheme, rest) = header.split_at_checked(b"basic ".len())?;
    if !scheme.eq_ignore_ascii_case(b"basic ") {
        return None;
    }
    let blanks = rest.iter().take_while(|b| **b == b' ').count();
    rest.get(blanks..)
}

fn decode_halves<'s>(encoded: &[u8], scratch: &'s mut [u8]) -> Option<(&'s str, &'s str)> {
    let length = STANDARD_PAD_INDIFFERENT.decode_slice(encoded, scratch).ok()?;
    let decoded = scratch.get_mut(..length)?;
    let colon = memchr::memchr(b':', decoded)?;
    let (id, secret) = decoded.split_at_mut_checked(colon)?;
    Some((unescape(id)?, unescape(secret.get_mut(1..)?)?))
}

fn unescape(half: &mut [u8]) -> Option<&str> {
    let length = unescape_in_place(half)?;
    let text = std::str::from_utf8(half.get(..length)?).ok()?;
    (!text.bytes().any(|b| b.is_ascii_control())).then_some(text)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
mod tests {
    use super::*;
    use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
    use proptest::prelude::*;

    fn decode(header: &[u8]) -> Result<(String, String), BasicFault> {
        let mut scratch = [0; BASIC_BYTES_MAX];
        decode_basic(header, &mut scratch).map(|(id, secret)| (id.into(), secret.into()))
    }

    #[test]
    fn reads_credentials() {
        type Halves = Result<(&'static str, &'static str), BasicFault>;
        let rows: &[(&str, Halves, &str)] = &[
            ("Basic czZCaGRSa3F0MzpnWDFmQmF0M2JW", Ok(("s6BhdRkqt3", "gX1fBat3bV")), "RFC 6749"),
            ("bAsIc YTpi", Ok(("a", "b")), "the scheme's case does not matter"),
            ("Basic   YTpi", Ok(("a", "b")), "more spaces"),
            ("Basic YTo=", Ok(("a", "")), "an empty secret is the caller's to refuse"),
            ("Basic YTo", Ok(("a", "")), "no padding"),
            ("Basic YTpiOmM=", Ok(("a", "b:c")), "the first colon parts"),
            ("Basic YSUzQWI6YyUyQis=", Ok(("a:b", "c+ ")), "form-escaped halves"),
            ("Basic w6Q6Yg==", Ok(("\u{e4}", "b")), "UTF-8"),
            ("Basic", Err(BasicFault::OtherScheme), "the scheme alone"),
            ("Basic ", Err(BasicFault::Malformed), "no credentials"),
            ("Basic =", Err(BasicFault::Malformed), "padding alone"),
            ("Basic YTpi=", Err(BasicFault::Malformed), "too much padding"),
            ("Basic YTpi YTpi", Err(BasicFault::Malformed), "two credentials"),
            ("Basic YTp\u{7f}", Err(BasicFault::Malformed), "not base64"),
            ("Basic YTr=", Err(BasicFault::Malformed), "stray bits in the last symbol"),
            ("Basic YWI=", Err(BasicFault::Malformed), "no colon"),
            ("Basic OmI=", Err(BasicFault::Malformed), "empty id"),
            ("Basic YSU6Yg==", Err(BasicFault::Malformed), "broken escape in the id"),
            ("Basic YTolMA==", Err(BasicFault::Malformed), "broken escape in the secret"),
            ("Basic YTpiCg==", Err(BasicFault::Malformed), "newline"),
            ("Basic YTpiJTAw", Err(BasicFault::Malformed), "escaped NUL"),
            ("Basic YTr/", Err(BasicFault::Malformed), "not UTF-8"),
            ("Bearer YTpi", Err(BasicFault::OtherScheme), "another scheme"),
            ("Basic\tYTpi", Err(BasicFault::OtherScheme), "a tab is no space"),
            ("", Err(BasicFault::OtherScheme), "empty"),
        ];
        for (header, expected, why) in rows {
            let expected = expected.map(|(id, secret)| (id.to_owned(), secret.to_owned()));
            assert_eq!(decode(header.as_bytes()), expected, "{why}");
        }
    }

    #[test]
    fn credentials_have_a_length() {
        let header = |n: usize| format!("Basic {}", STANDARD.encode(format!("a:{}", "s".repeat(n))));
        assert!(decode(header(BASIC_BYTES_MAX - 2).as_bytes()).is_ok(), "the longest");
        assert!(decode(header(BASIC_BYTES_MAX - 1).as_bytes()).is_err(), "one byte too long");
        assert!(decode(header(65536).as_bytes()).is_err(), "64 KB");
    }

    proptest! {
        #[test]
        fn round_trips(id in "[^\\p{Cc}]{1,40}", secret in "[^\\p{Cc}]{0,40}") {
            let mut pair = String::new();
            crate::form::escape_into(&id, &mut pair);
            pair.push(':');
            crate::form::escape_into(&secret, &mut pair);
            for encoded in [STANDARD.encode(&pair), STANDARD_NO_PAD.encode(&pair)] {
                let header = format!("Basic {encoded}");
                prop_assert_eq!(decode(header.as_bytes()), Ok((id.clone(), secret.clone())));
            }
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            let _ = decode(&bytes);
            let _ = decode(&[b"Basic ", bytes.as_slice()].concat());
            let _ = decode(format!("Basic {}", STANDARD.encode(&bytes)).as_bytes());
        }
    }
}
