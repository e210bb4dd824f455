//! The languages that this build has. Which of them a request gets is decided in [`crate::i18n`].
//!
//! In order: what the person chose (a cookie), what the application asks for (`ui_locales`, OpenID Connect Core
//! 3.1.2.1), what the browser prefers (`Accept-Language`, RFC 9110 section 12.5.4), `i18n.default_locale`. A tag matches
//! by its language alone (RFC 4647 lookup, one step): a reader of `de-AT` gets German.

use crate::i18n::I18n;

/// A language that every message exists in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Locale {
    #[default]
    En,
    De,
    Fr,
}

impl Locale {
    pub const ALL: [Self; 3] = [Self::En, Self::De, Self::Fr];
    pub(crate) const TAGS: [&'static str; 3] = ["en", "de", "fr"];

    /// Its BCP 47 tag.
    pub const fn tag(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::De => "de",
            Self::Fr => "fr",
        }
    }

    /// What its speakers call it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::En => "English",
            Self::De => "Deutsch",
            Self::Fr => "Français",
        }
    }

    /// The language of a tag, whatever its region.
    pub fn from_tag(tag: &str) -> Option<Self> {
        let language = tag.split(['-', '_']).next().unwrap_or_default();
        Self::ALL.into_iter().find(|locale| locale.tag().eq_ignore_ascii_case(language))
    }

    /// Chooses among all of this build, where there is no installation to ask.
    pub fn negotiate(chosen: Option<&str>, ui_locales: Option<&str>, accept_language: Option<&str>) -> Self {
        I18n::builtin().negotiate(chosen, ui_locales, accept_language)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tags_are_those_of_the_languages() {
        assert_eq!(Locale::ALL.map(Locale::tag), Locale::TAGS);
    }
}
