//! Client secrets: made here, shown once, kept as digests.

use sigid_core::b64;
use sigid_core::secret::{Digest32, Secret};
use sigid_io::rng;

/// The shortest secret that may be handed in; a generated one has 43 characters.
const SECRET_CHARS_MIN: usize = 32;
const SECRET_CHARS_MAX: usize = 256;

/// 256 random bits as base64url: nothing that a form, a Basic header or a shell would read otherwise.
pub(super) fn mint() -> Secret<String> {
    let bytes = Secret::new(rng::random::<32>());
    Secret::new(b64::encode(bytes.expose()))
}

/// What is kept.
pub(super) fn digest(secret: &Secret<String>) -> Digest32 {
    Digest32::of(secret.expose().as_bytes())
}

/// A secret from outside must not need stretching: long, and of characters that need no escape.
pub(super) fn is_strong(secret: &Secret<String>) -> bool {
    let text = secret.expose();
    (SECRET_CHARS_MIN..=SECRET_CHARS_MAX).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_minted_is_strong_and_fresh() {
        let (one, two) = (mint(), mint());
        assert!(is_strong(&one));
        assert_eq!(one.expose().len(), 43);
        assert_ne!(digest(&one), digest(&two));
    }

    #[test]
    fn a_short_or_strange_secret_is_refused() {
        for (text, why) in [("secret", "short"), (" 0123456789012345678901234567890123", "white space")] {
            assert!(!is_strong(&Secret::new(text.to_owned())), "{why}");
        }
    }
}
