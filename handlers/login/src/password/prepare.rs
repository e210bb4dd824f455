//! A password as it is hashed: the same for every keyboard that can type it.
//!
//! `é` is one character or two, and which of them a keyboard sends is not the person's choice. So a password is
//! prepared by the OpaqueString profile (RFC 8265 section 4.2.2): every space is U+0020, composition is that of NFC;
//! case and width are left alone, and unlike there nothing is refused, since a password that somebody can type again is
//! a good one. Other systems hashed what they were sent, so where the two differ, verification tries both, the likelier
//! first, and it does so for accounts that do not exist too.

use sigid_io::hash_pool::{PASSWORD_BYTES_MAX, Password};
use unicode_normalization::UnicodeNormalization as _;
use zeroize::Zeroizing;

/// Composition makes a text at most this much longer, in UTF-8.
const NFC_GROWTH: usize = 3;

/// The prepared form; as it is, if it is not UTF-8. `None` when there is no room for it.
pub(super) fn prepare(password: &Password) -> Option<Password> {
    let bytes = password.expose();
    if bytes.len() > PASSWORD_BYTES_MAX {
        return None;
    }
    let text = match std::str::from_utf8(bytes) {
        Ok(text) if !text.is_ascii() => text,
        _ => return Some(Password::new(bytes.to_vec())),
    };
    // With room for all of it, so that growing leaves no copy behind.
    let mut prepared = Zeroizing::new(String::with_capacity(text.len() * NFC_GROWTH));
    prepared.extend(text.chars().map(map_space).nfc());
    let bytes = prepared.as_bytes();
    (bytes.len() <= PASSWORD_BYTES_MAX).then(|| Password::new(bytes.to_vec()))
}

/// The prepared form and what was sent, if that is something else.
pub(super) struct Forms {
    pub prepared: Password,
    pub sent: Option<Password>,
}

impl Forms {
    /// `None` when it is longer than any password.
    pub fn of(password: &Password) -> Option<Self> {
        let prepared = prepare(password)?;
        let is_same = prepared.expose() == password.expose();
        Some(Self { prepared, sent: (!is_same).then(|| Password::new(password.expose().to_vec())) })
    }
}

/// Category Zs.
fn map_space(c: char) -> char {
    match c {
        '\u{a0}' | '\u{1680}' | '\u{2000}'..='\u{200a}' | '\u{202f}' | '\u{205f}' | '\u{3000}' => ' ',
        c => c,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn prepared(text: &str) -> String {
        let prepared = prepare(&Password::from(text.to_owned())).unwrap();
        String::from_utf8(prepared.expose().to_vec()).unwrap()
    }

    #[test]
    fn a_password_is_the_same_from_every_keyboard() {
        for (reason, text, expected) in [
            ("ASCII", "correct horse", "correct horse"),
            ("two characters for one", "cafe\u{301}", "café"),
            ("one character", "café", "café"),
            ("a no-break space", "a\u{a0}b", "a b"),
            ("an ideographic space", "a\u{3000}b", "a b"),
            ("case stays", "Café", "Café"),
            ("width stays", "ｃａｆé", "ｃａｆé"),
            ("spaces around stay", " café ", " café "),
            ("Hangul is composed", "\u{1112}\u{1161}\u{11ab}", "한"),
            ("an emoji", "🐎🐎", "🐎🐎"),
        ] {
            assert_eq!(prepared(text), expected, "{reason}");
            assert_eq!(prepared(expected), expected, "{reason}: once is enough");
        }
    }

    #[test]
    fn both_forms_are_tried_only_where_they_differ() {
        for (reason, text, has_sent) in [("the same", "café", false), ("another", "cafe\u{301}", true)] {
            let forms = Forms::of(&Password::from(text.to_owned())).unwrap();
            assert_eq!(forms.sent.is_some(), has_sent, "{reason}");
        }
    }

    #[test]
    fn what_is_too_long_is_not_prepared() {
        let of = |text: &str, count| Forms::of(&Password::from(text.repeat(count)));
        assert!(of("x", PASSWORD_BYTES_MAX).is_some());
        assert!(of("x", PASSWORD_BYTES_MAX + 1).is_none());
        // U+1D160 becomes three characters in NFC.
        assert!(of("\u{1d160}", PASSWORD_BYTES_MAX / 4).is_none(), "longer only when prepared");
        assert!(Forms::of(&Password::new(vec![0xff; 9])).is_some(), "not UTF-8 is hashed as it is");
    }
}
