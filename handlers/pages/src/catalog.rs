//! The message catalogs (Fluent), compiled in. A test holds that all have the same messages with the same arguments,
//! and that every message is used.
//!
//! An unknown message shows its own name: a page that lacks a word is still a page.

use crate::locale::Locale;
use fluent_bundle::concurrent::FluentBundle;
use fluent_bundle::{FluentArgs, FluentResource, FluentValue};
use std::sync::LazyLock;
use unic_langid::LanguageIdentifier;

/// A message with text arguments. Nothing is escaped: that is the page's part.
pub fn text(locale: Locale, id: &str, args: &[(&str, &str)]) -> String {
    text_and_numbers(locale, id, args, &[])
}

/// A message with the number `n`, which chooses its plural.
pub(crate) fn count(locale: Locale, id: &str, n: u64) -> String {
    text_and_numbers(locale, id, &[], &[("n", n)])
}

/// A message with text arguments and numbers.
pub(crate) fn text_and_numbers(locale: Locale, id: &str, args: &[(&str, &str)], numbers: &[(&str, u64)]) -> String {
    let mut given = FluentArgs::with_capacity(args.len() + numbers.len());
    for (name, value) in args {
        given.set(*name, FluentValue::from(*value));
    }
    for (name, value) in numbers {
        given.set(*name, FluentValue::from(*value));
    }
    format(locale, id, &given)
}

fn format(locale: Locale, id: &str, args: &FluentArgs<'_>) -> String {
    let bundle = bundle(locale);
    let Some(pattern) = bundle.get_message(id).and_then(|message| message.value()) else { return id.to_owned() };
    bundle.format_pattern(pattern, Some(args), &mut Vec::new()).into_owned()
}

/// Parsed once, at the first page: as constant as the text it is made of.
fn bundle(locale: Locale) -> &'static FluentBundle<FluentResource> {
    static EN: LazyLock<FluentBundle<FluentResource>> = LazyLock::new(|| parse(Locale::En));
    static DE: LazyLock<FluentBundle<FluentResource>> = LazyLock::new(|| parse(Locale::De));
    static FR: LazyLock<FluentBundle<FluentResource>> = LazyLock::new(|| parse(Locale::Fr));
    match locale {
        Locale::En => &EN,
        Locale::De => &DE,
        Locale::Fr => &FR,
    }
}

fn parse(locale: Locale) -> FluentBundle<FluentResource> {
    let languages = locale.tag().parse::<LanguageIdentifier>().into_iter().collect();
    let mut bundle = FluentBundle::new_concurrent(languages);
    // The isolation marks of Unicode: our languages all run one way, and a mark would be copied with an address.
    bundle.set_use_isolating(false);
    for part in sources(locale) {
        // What cannot be parsed is left out and the rest kept; a test reads the faults.
        let resource = FluentResource::try_new((*part).to_owned()).unwrap_or_else(|(partial, _)| partial);
        bundle.add_resource_overriding(resource);
    }
    bundle
}

pub(crate) fn sources(locale: Locale) -> &'static [&'static str] {
    match locale {
        Locale::En => &[include_str!("../catalogs/en.ftl"), include_str!("../catalogs/en.mail.ftl")],
        Locale::De => &[include_str!("../catalogs/de.ftl"), include_str!("../catalogs/de.mail.ftl")],
        Locale::Fr => &[include_str!("../catalogs/fr.ftl"), include_str!("../catalogs/fr.mail.ftl")],
    }
}
