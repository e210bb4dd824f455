//! base64url without padding (RFC 4648 section 5, RFC 7515 section 2), the strict way.
//!
//! One value has one spelling: padding, whitespace, foreign symbols and stray bits in the last
//! symbol are refused, so two different texts never decode to one token (a cache or a denylist
//! keyed by the text stays sound).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// The text of some bytes.
pub fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Appends the text of some bytes.
pub fn encode_into(bytes: &[u8], out: &mut String) {
    URL_SAFE_NO_PAD.encode_string(bytes, out);
}

/// The bytes of a text; `None` unless it is the canonical spelling.
pub fn decode(text: &[u8]) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

/// The bytes of a text, written to the start of `buffer`; `None` also when they do not fit.
pub fn decode_into<'b>(text: &[u8], buffer: &'b mut [u8]) -> Option<&'b [u8]> {
    let length = URL_SAFE_NO_PAD.decode_slice(text, buffer).ok()?;
    buffer.get(..length)
}

/// The bytes of a text that must be exactly `N` bytes long.
pub fn decode_array<const N: usize>(text: &[u8]) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    let length = URL_SAFE_NO_PAD.decode_slice(text, &mut bytes).ok()?;
    (length == N).then_some(bytes)
}

/// Is this one symbol of the alphabet?
pub const fn is_symbol(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn one_value_has_one_spelling() {
        let rows: &[(&str, Option<&[u8]>, &str)] = &[
            ("", Some(b""), "empty is the empty value"),
            ("Zg", Some(b"f"), "RFC 4648 section 10, one byte"),
            ("Zm9vYmE", Some(b"fooba"), "RFC 4648 section 10, five bytes"),
            ("-_8", Some(b"\xfb\xff"), "the URL alphabet"),
            ("Zg==", None, "padding"),
            ("Zh", None, "stray bits in the last symbol"),
            ("+/8", None, "the other alphabet"),
            ("Zg\n", None, "trailing newline"),
            ("Z", None, "an impossible length"),
            ("Zg Zg", None, "white space"),
        ];
        for (text, expected, why) in rows {
            assert_eq!(decode(text.as_bytes()).as_deref(), *expected, "{why}");
        }
    }

    #[test]
    fn an_array_has_its_exact_length() {
        assert_eq!(decode_array::<1>(b"Zg"), Some(*b"f"), "exact");
        assert_eq!(decode_array::<2>(b"Zg"), None, "too short");
        assert_eq!(decode_array::<4>(b"Zm9vYmE"), None, "too long");
    }

    proptest! {
        #[test]
        fn round_trips(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let text = encode(&bytes);
            prop_assert!(text.bytes().all(is_symbol));
            prop_assert_eq!(decode(text.as_bytes()), Some(bytes.clone()));
        }

        #[test]
        fn whatever_decodes_is_canonical(text in "[A-Za-z0-9_-]{0,40}") {
            if let Some(bytes) = decode(text.as_bytes()) {
                prop_assert_eq!(encode(&bytes), text);
            }
        }
    }
}
