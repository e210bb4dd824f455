//! The languages of an installation: which are offered, which speaks where nobody asked, and their words.
//!
//! Made once from `[i18n]` and put into the backend's settings; a look at a page holds it. Nothing is read again while
//! the server runs: words that change under a page that somebody is filling in help nobody, and a restart is a matter of
//! a fifth of a second.

use crate::catalog::{Catalogs, Words};
use crate::locale::Locale;
use sigid_edge::backend::Settings;
use std::sync::{Arc, LazyLock};

/// The languages of an installation.
pub struct I18n {
    standard: Locale,
    /// In the order in which a page lists them; the standard one is among them.
    offered: Vec<Locale>,
    catalogs: Arc<Catalogs>,
}

impl I18n {
    pub(crate) fn new(standard: Locale, offered: Vec<Locale>, catalogs: Arc<Catalogs>) -> Self {
        Self { standard, offered, catalogs }
    }

    /// Every language of this build with its own words, and English where nobody asks.
    pub fn builtin() -> Arc<Self> {
        static BUILTIN: LazyLock<Arc<I18n>> =
            LazyLock::new(|| Arc::new(I18n::new(Locale::default(), Locale::ALL.to_vec(), Catalogs::builtin().clone())));
        BUILTIN.clone()
    }

    /// Those of a process.
    pub fn of(settings: &Settings) -> Arc<Self> {
        settings.find::<Arc<Self>>().cloned().unwrap_or_else(Self::builtin)
    }

    pub fn standard(&self) -> Locale {
        self.standard
    }

    pub fn words(&self, locale: Locale) -> Words<'_> {
        Words::new(locale, &self.catalogs)
    }

    /// The words for a person whose language is kept as a tag; the standard ones where it is not offered.
    pub fn words_for(&self, tag: &str) -> Words<'_> {
        self.words(self.find(tag).unwrap_or(self.standard))
    }

    /// The offered language of a tag, whatever its region.
    pub fn find(&self, tag: &str) -> Option<Locale> {
        Locale::from_tag(tag).filter(|locale| self.offered.contains(locale))
    }

    /// The languages that somebody who reads `locale` could change to.
    pub(crate) fn others(&self, locale: Locale) -> impl Iterator<Item = Locale> + '_ {
        self.offered.iter().copied().filter(move |other| *other != locale)
    }

    /// Chooses among what is offered: what the person chose, what the application asks for, what the browser prefers,
    /// the standard.
    pub fn negotiate(&self, chosen: Option<&str>, ui_locales: Option<&str>, accept_language: Option<&str>) -> Locale {
        let find = |tag: &str| self.find(tag);
        let asked = || ui_locales.and_then(|tags| tags.split(' ').find_map(find));
        let accepted = || accept_language.and_then(|list| self.preferred(list));
        chosen.and_then(find).or_else(asked).or_else(accepted).unwrap_or(self.standard)
    }

    /// The best of a weighted list; the first among equals.
    fn preferred(&self, list: &str) -> Option<Locale> {
        let mut best: Option<(u16, Locale)> = None;
        for range in list.split(',').take(RANGES_MAX) {
            let mut parts = range.split(';');
            let tag = parts.next().unwrap_or_default().trim();
            let weight = parts.find_map(|part| part.trim().strip_prefix("q=")).map_or(1000, thousandths);
            let Some(locale) = self.find(tag) else { continue };
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
pub(crate) fn thousandths(weight: &str) -> u16 {
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
            assert_eq!(I18n::builtin().negotiate(chosen, ui, accept), expected, "{reason}");
        }
    }

    #[test]
    fn what_is_not_offered_is_not_spoken() {
        let i18n = I18n::new(Locale::De, vec![Locale::De, Locale::Fr], Catalogs::builtin().clone());
        for (reason, chosen, ui, accept, expected) in [
            ("nothing asked: the standard", None, None, None, Locale::De),
            ("offered", None, None, Some("fr"), Locale::Fr),
            ("asked in every way, and not offered", Some("en"), Some("en"), Some("en"), Locale::De),
            ("the next that is", Some("en"), None, Some("en, fr;q=0.1"), Locale::Fr),
        ] {
            assert_eq!(i18n.negotiate(chosen, ui, accept), expected, "{reason}");
        }
        assert_eq!(i18n.words_for("en").locale(), Locale::De, "a letter to somebody who chose it before");
        assert_eq!(i18n.words_for("fr-CA").locale(), Locale::Fr);
        assert_eq!(i18n.others(Locale::De).collect::<Vec<_>>(), [Locale::Fr]);
    }
}
