//! The message catalogs (Fluent): compiled in, and over them what an operator wrote ([`crate::own`]). A test holds that
//! all languages have the same messages with the same arguments, and that every message is used.
//!
//! An unknown message shows its own name: a page that lacks a word is still a page.

use crate::locale::Locale;
use fluent_bundle::concurrent::FluentBundle;
use fluent_bundle::{FluentArgs, FluentError, FluentResource, FluentValue};
use std::sync::{Arc, LazyLock};
use unic_langid::LanguageIdentifier;

/// The messages of every language.
pub struct Catalogs {
    en: Bundle,
    de: Bundle,
    fr: Bundle,
}

type Bundle = FluentBundle<FluentResource>;

impl Catalogs {
    /// Those of this build. Parsed once, at the first page: as constant as the text they are made of.
    pub(crate) fn builtin() -> &'static Arc<Self> {
        static BUILTIN: LazyLock<Arc<Catalogs>> = LazyLock::new(|| Arc::new(Catalogs::with(Vec::new())));
        &BUILTIN
    }

    /// Those of this build, and `own` over them.
    pub(crate) fn with(own: Vec<(Locale, FluentResource)>) -> Self {
        let mut catalogs = Self { en: parse(Locale::En), de: parse(Locale::De), fr: parse(Locale::Fr) };
        for (locale, resource) in own {
            let bundle = match locale {
                Locale::En => &mut catalogs.en,
                Locale::De => &mut catalogs.de,
                Locale::Fr => &mut catalogs.fr,
            };
            bundle.add_resource_overriding(resource);
        }
        catalogs
    }

    fn bundle(&self, locale: Locale) -> &Bundle {
        match locale {
            Locale::En => &self.en,
            Locale::De => &self.de,
            Locale::Fr => &self.fr,
        }
    }
}

/// One language with its messages.
#[derive(Clone, Copy)]
pub struct Words<'c> {
    locale: Locale,
    catalogs: &'c Catalogs,
}

impl<'c> Words<'c> {
    pub(crate) fn new(locale: Locale, catalogs: &'c Catalogs) -> Self {
        Self { locale, catalogs }
    }

    pub fn locale(self) -> Locale {
        self.locale
    }

    /// A message with text arguments. Nothing is escaped: that is the page's part.
    pub fn text(self, id: &str, args: &[(&str, &str)]) -> String {
        self.text_and_numbers(id, args, &[])
    }

    /// A message with the number `n`, which chooses its plural.
    pub(crate) fn count(self, id: &str, n: u64) -> String {
        self.text_and_numbers(id, &[], &[("n", n)])
    }

    /// A message with text arguments and numbers.
    pub(crate) fn text_and_numbers(self, id: &str, args: &[(&str, &str)], numbers: &[(&str, u64)]) -> String {
        let mut faults = Vec::new();
        self.format(id, args, numbers, &mut faults).unwrap_or_else(|| id.to_owned())
    }

    /// `None` for a message that there is not; what went wrong on the way is added.
    pub(crate) fn format(
        self,
        id: &str,
        args: &[(&str, &str)],
        numbers: &[(&str, u64)],
        faults: &mut Vec<FluentError>,
    ) -> Option<String> {
        let mut given = FluentArgs::with_capacity(args.len() + numbers.len());
        for (name, value) in args {
            given.set(*name, FluentValue::from(*value));
        }
        for (name, value) in numbers {
            given.set(*name, FluentValue::from(*value));
        }
        let bundle = self.catalogs.bundle(self.locale);
        let pattern = bundle.get_message(id)?.value()?;
        Some(bundle.format_pattern(pattern, Some(&given), faults).into_owned())
    }
}

#[cfg(test)]
impl Words<'static> {
    pub(crate) fn of(locale: Locale) -> Self {
        Self::new(locale, Catalogs::builtin())
    }
}

fn parse(locale: Locale) -> Bundle {
    let languages = locale.tag().parse::<LanguageIdentifier>().into_iter().collect();
    let mut bundle = FluentBundle::new_concurrent(languages);
    // The isolation marks of Unicode: our languages all run one way, and a mark would be copied with an address.
    bundle.set_use_isolating(false);
    for part in sources(locale) {
        // What cannot be parsed is left out and the rest kept; a test reads the faults.
        let resource = FluentResource::try_new(part.to_owned()).unwrap_or_else(|(partial, _)| partial);
        bundle.add_resource_overriding(resource);
    }
    bundle
}

/// The messages of pages, and those of letters.
pub(crate) fn sources(locale: Locale) -> [&'static str; 2] {
    match locale {
        Locale::En => [include_str!("../catalogs/en.ftl"), include_str!("../catalogs/en.mail.ftl")],
        Locale::De => [include_str!("../catalogs/de.ftl"), include_str!("../catalogs/de.mail.ftl")],
        Locale::Fr => [include_str!("../catalogs/fr.ftl"), include_str!("../catalogs/fr.mail.ftl")],
    }
}
