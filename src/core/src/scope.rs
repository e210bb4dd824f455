//! Scopes (RFC 6749 section 3.3): a set of case-sensitive tokens, parted by single spaces.
//!
//! The set is kept sorted, so the same permissions always have the same text. Limits: 64 tokens of
//! at most 128 bytes each.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

/// The most scope tokens in one set.
pub const SCOPES_MAX: usize = 64;
/// The longest scope token, in bytes.
pub const SCOPE_TOKEN_BYTES_MAX: usize = 128;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScopeFault {
    /// Not `scope-token *( SP scope-token )`.
    Malformed,
    /// More than [`SCOPES_MAX`] tokens.
    TooMany,
}

/// A set of scope tokens.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Scope(BTreeSet<Box<str>>);

impl Scope {
    /// Parses the text of a `scope` parameter or claim. The empty text is malformed: a request that
    /// wants no scope leaves the parameter out.
    pub fn parse(text: &str) -> Result<Self, ScopeFault> {
        let mut tokens = BTreeSet::new();
        for (index, token) in text.split(' ').enumerate() {
            if index >= SCOPES_MAX {
                return Err(ScopeFault::TooMany);
            }
            if !is_scope_token(token) {
                return Err(ScopeFault::Malformed);
            }
            tokens.insert(Box::from(token));
        }
        Ok(Self(tokens))
    }

    /// The set of these tokens; duplicates collapse.
    pub fn from_tokens<I>(tokens: I) -> Result<Self, ScopeFault>
    where
        I: IntoIterator,
        I::Item: AsRef<str>,
    {
        let mut set = BTreeSet::new();
        for token in tokens {
            if !is_scope_token(token.as_ref()) {
                return Err(ScopeFault::Malformed);
            }
            set.insert(Box::from(token.as_ref()));
            if set.len() > SCOPES_MAX {
                return Err(ScopeFault::TooMany);
            }
        }
        Ok(Self(set))
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn contains(&self, token: &str) -> bool {
        self.0.contains(token)
    }

    /// Is every token of this set in the other?
    pub fn is_subset(&self, of: &Self) -> bool {
        self.0.is_subset(&of.0)
    }

    /// The tokens in both sets.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        Self(self.0.intersection(&other.0).cloned().collect())
    }

    /// The tokens, in order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(AsRef::as_ref)
    }
}

/// Is this one `scope-token`: 1 to 128 of `%x21 / %x23-5B / %x5D-7E`?
pub fn is_scope_token(token: &str) -> bool {
    let sized = !token.is_empty() && token.len() <= SCOPE_TOKEN_BYTES_MAX;
    sized && token.bytes().all(|b| matches!(b, 0x21 | 0x23..=0x5b | 0x5d..=0x7e))
}

/// Is this the text of a scope? Asked where the set itself is not needed.
pub(crate) fn is_scope_text(text: &str) -> bool {
    let mut tokens = 0;
    text.split(' ').all(|token| {
        tokens += 1;
        tokens <= SCOPES_MAX && is_scope_token(token)
    })
}

impl FromStr for Scope {
    type Err = ScopeFault;

    fn from_str(text: &str) -> Result<Self, ScopeFault> {
        Self::parse(text)
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, token) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str(" ")?;
            }
            f.write_str(token)?;
        }
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn parses_the_grammar() {
        let most = vec!["a"; SCOPES_MAX].join(" ");
        let too_many = vec!["a"; SCOPES_MAX + 1].join(" ");
        let longest = "a".repeat(SCOPE_TOKEN_BYTES_MAX);
        let too_long = "a".repeat(SCOPE_TOKEN_BYTES_MAX + 1);
        let rows: &[(&str, Result<&str, ScopeFault>, &str)] = &[
            ("openid", Ok("openid"), "one token"),
            ("b a", Ok("a b"), "sorted"),
            ("a a", Ok("a"), "a set"),
            ("A a", Ok("A a"), "case-sensitive"),
            ("https://x/y!#[~", Ok("https://x/y!#[~"), "the whole alphabet"),
            (&most, Ok("a"), "the most"),
            (&longest, Ok(&longest), "the longest"),
            ("", Err(ScopeFault::Malformed), "empty"),
            (" a", Err(ScopeFault::Malformed), "leading space"),
            ("a ", Err(ScopeFault::Malformed), "trailing space"),
            ("a  b", Err(ScopeFault::Malformed), "two spaces"),
            ("a\tb", Err(ScopeFault::Malformed), "tab"),
            ("a\"", Err(ScopeFault::Malformed), "quote"),
            ("a\\", Err(ScopeFault::Malformed), "backslash"),
            ("ä", Err(ScopeFault::Malformed), "not ASCII"),
            (&too_long, Err(ScopeFault::Malformed), "one byte too long"),
            (&too_many, Err(ScopeFault::TooMany), "one token too many"),
        ];
        for (text, expected, why) in rows {
            let parsed = Scope::parse(text).map(|scope| scope.to_string());
            assert_eq!(parsed.as_deref().map_err(|fault| *fault), *expected, "{why}");
            assert_eq!(is_scope_text(text), expected.is_ok(), "{why}");
        }
    }

    #[test]
    fn sets_compare() {
        let small = Scope::parse("b").unwrap();
        let large = Scope::parse("a b c").unwrap();
        assert!(small.is_subset(&large), "a part");
        assert!(!large.is_subset(&small), "the whole is not a part");
        assert!(Scope::default().is_subset(&small), "nothing is part of everything");
        assert_eq!(large.intersection(&Scope::parse("c d").unwrap()).to_string(), "c");
        assert!(large.contains("a") && !large.contains("A"), "exact tokens");
        assert_eq!(Scope::from_tokens(["b", "a", "b"]).unwrap().to_string(), "a b");
        assert_eq!(Scope::from_tokens(["a b"]), Err(ScopeFault::Malformed), "a token has no space");
    }

    proptest! {
        #[test]
        fn canonical_text_is_a_fixed_point(text in "[!#-\\[\\]-~]{1,9}( [!#-\\[\\]-~]{1,9}){0,9}") {
            let scope = Scope::parse(&text).unwrap();
            let canonical = scope.to_string();
            prop_assert_eq!(Scope::parse(&canonical).unwrap(), scope.clone());
            prop_assert_eq!(Scope::parse(&canonical).unwrap().to_string(), canonical);
            prop_assert!(text.split(' ').all(|token| scope.contains(token)));
        }

        #[test]
        fn arbitrary_text_never_panics(text in ".{0,200}") {
            prop_assert_eq!(Scope::parse(&text).is_ok(), is_scope_text(&text));
        }
    }
}
