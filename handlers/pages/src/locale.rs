//! The languages of the pages, and which one a request gets.
//!
//! In order: what the person chose (a cookie), what the application asks for (`ui_locales`, OpenID Connect Core
//! 3.1.2.1), what the browser prefers (`Accept-Language`, RFC 9110 section 12.5.4), English. A tag matches by its
//! language alone (RFC 4647 lookup, one step): a reader of `de-AT` gets German.

/// A language that every message exists in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Locale {
    #[default]
    En,
    De,
    Fr,
}

impl Locale {
    pub const ALL: [Self; 3] = [Self::En, Self::De, Self::Fr];

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

    /// Chooses by what was asked, in the order of the module.
    pub fn negotiate(chosen: Option<&str>, ui_locales: Option<&str>, accept_language: Option<&str>) -> Self {
        let asked = || ui_locales.and_then(|tags| tags.split(' ').find_map(Self::from_tag));
        let accepted = || accept_language.and_then(Self::preferred);
        chosen.and_then(Self::from_tag).or_else(asked).or_else(accepted).unwrap_or_default()
    }

    /// The best of a weighted list; the first among equals.
    fn preferred(list: &str) -> Option<Self> {
        let mut best: Option<(u16, Self)> = None;
        for range in list.split(',').take(RANGES_MAX) {
            let mut parts = range.split(';');
            let tag = parts.next().unwrap_or_default().trim();
            let weight = parts.find_map(|part| part.trim().strip_prefix("q=")).map_or(1000, thousandths);
            let Some(locale) = Self::from_tag(tag) else { continue };
            if weight > best.map_or(0, |(known, _)| known) {
                best = Some((weight, locale));
            }
        }
        best.map(|(_, locale)| locale)
    }
}

/// More ranges than a browser sends.
const RANGES_MAX: usize = 32;

/// A weight (`0.8`) in thousandths; nonsense weighs nothing.
fn thousandths(weight: &str) -> u16 {
    weight
        .trim()
        .parse::<f32>()
        .ok()
        .filter(|weight| (0.0..=1.0).contains(weight))
        .map_or(0, |weight| (weight * 1000.0) as u16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_language_is_what_was_asked_for() {
        for (reason, chosen, ui, accept, expected) in [
            ("nothing asked: English", None, None, None, Locale::En),
            ("the person's choice wins", Some("fr"), Some("de"), Some("de"), Locale::Fr),
            ("the application's wish beats the browser's", None, Some("de"), Some("fr"), Locale::De),
            ("the first that we have", None, Some("pt fr-CA de"), None, Locale::Fr),
            ("a region is read over", None, None, Some("de-AT"), Locale::De),
            ("weights count", None, None, Some("de;q=0.5, fr;q=0.9"), Locale::Fr),
            ("first among equals", None, None, Some("fr,de"), Locale::Fr),
            ("refused by weight", None, None, Some("de;q=0"), Locale::En),
            ("a weight that is none", None, None, Some("de;q=x, fr;q=0.1"), Locale::Fr),
            ("a cookie that is none of ours", Some("<script>"), None, Some("fr"), Locale::Fr),
            ("a language that only begins alike", None, None, Some("den"), Locale::En),
            ("not ours, and a wildcard", None, None, Some("pt, *"), Locale::En),
        ] {
            assert_eq!(Locale::negotiate(chosen, ui, accept), expected, "{reason}");
        }
    }
}
