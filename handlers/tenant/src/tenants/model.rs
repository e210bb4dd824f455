//! What a tenant is.

use std::fmt;
use std::str::FromStr;

use sigid_core::ids::TenantId;

use super::Fault;

const SLUG_BYTES_MAX: usize = 63;
const DISPLAY_NAME_BYTES_MAX: usize = 200;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tenant {
    pub tenant_id: TenantId,
    pub slug: Slug,
    pub display_name: String,
    pub state: TenantState,
    pub created_s: i64,
    pub updated_s: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TenantState {
    Active,
    Disabled,
}

impl TenantState {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Disabled => "disabled",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        [Self::Active, Self::Disabled].into_iter().find(|state| state.as_str() == text)
    }
}

/// The name of a tenant in addresses and on the command line: a lower-case DNS label.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slug(String);

impl Slug {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Slug {
    type Err = Fault;

    fn from_str(text: &str) -> Result<Self, Fault> {
        let letters = text.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-'));
        let ends = !text.starts_with('-') && !text.ends_with('-');
        let sized = (1..=SLUG_BYTES_MAX).contains(&text.len());
        if letters && ends && sized { Ok(Self(text.to_owned())) } else { Err(Fault::BadSlug) }
    }
}

impl fmt::Display for Slug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The name shown to people.
pub(super) fn check_display_name(name: &str) -> Result<String, Fault> {
    let sized = (1..=DISPLAY_NAME_BYTES_MAX).contains(&name.len());
    if sized && name.trim() == name && !name.contains(crate::is_hidden) {
        Ok(name.to_owned())
    } else {
        Err(Fault::BadDisplayName)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slug_is_a_label() {
        let longest = "a".repeat(63);
        let too_long = "a".repeat(64);
        let rows = [
            ("demo", true, "letters"),
            ("a", true, "one"),
            ("a-1", true, "inner hyphen"),
            ("0", true, "digit"),
            (longest.as_str(), true, "the longest"),
            (too_long.as_str(), false, "one too long"),
            ("", false, "empty"),
            ("-a", false, "leading hyphen"),
            ("a-", false, "trailing hyphen"),
            ("Demo", false, "upper case"),
            ("a_b", false, "underscore"),
            ("a.b", false, "dot"),
            ("dеmo", false, "a Cyrillic letter"),
            ("a\n", false, "newline"),
        ];
        for (text, good, why) in rows {
            assert_eq!(text.parse::<Slug>().is_ok(), good, "{why}");
        }
    }

    #[test]
    fn a_display_name_shows_what_it_is() {
        let long = "x".repeat(201);
        let rows = [
            ("Demo GmbH", true, "words"),
            ("Büro 東京", true, "any script"),
            ("", false, "empty"),
            (" a", false, "white space at an end"),
            ("a\nb", false, "newline"),
            ("a\u{202e}b", false, "direction override"),
            (long.as_str(), false, "too long"),
        ];
        for (text, good, why) in rows {
            assert_eq!(check_display_name(text).is_ok(), good, "{why}");
        }
    }
}
