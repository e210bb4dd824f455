//! `[i18n]`: the languages of pages and letters, and an operator's own words.

use crate::catalog::Catalogs;
use crate::i18n::I18n;
use crate::locale::Locale;
use crate::own::{self, File};
use sigid_core::settings::{Key, Kind, Problems, Section, Standard, Values, shown};
use std::io;
use std::path::Path;
use std::sync::Arc;

pub static SECTION: Section = Section {
    name: "i18n",
    doc: "The languages of pages and letters.",
    keys: &[
        Key::new(
            "default_locale",
            Kind::Word { meaning: "a language of this build", words: &Locale::TAGS },
            Standard::Text("en"),
            "The language of whoever asks for none that is offered.",
        ),
        Key::list(
            "locales",
            "The languages that are offered, in the order in which pages list them: \"en\", \"de\", \"fr\". Empty offers all.",
        ),
        Key::new(
            "catalog_dir",
            Kind::Path,
            Standard::Absent("\"catalogs\""),
            "A directory with words of your own: en.ftl, de.ftl, fr.ftl, each with the messages that shall read differently, all in every offered language. Read at the start.",
        ),
    ],
};

/// Reads a file's text.
pub type ReadFile<'a> = &'a dyn Fn(&Path) -> io::Result<String>;

/// `[i18n]`; relative paths begin at `directory`.
pub fn check(values: &Values, directory: &Path, read: ReadFile<'_>, problems: &mut Problems) -> Arc<I18n> {
    let standard = Locale::from_tag(values.text("default_locale")).unwrap_or_default();
    let offered = check_offered(values, standard, problems);
    let catalogs = match values.find_text("catalog_dir") {
        Some(path) => check_catalogs(values, path, &offered, directory, read, problems),
        None => Catalogs::builtin().clone(),
    };
    Arc::new(I18n::new(standard, offered, catalogs))
}

fn check_offered(values: &Values, standard: Locale, problems: &mut Problems) -> Vec<Locale> {
    let listed = values.list("locales");
    if listed.is_empty() {
        return Locale::ALL.to_vec();
    }
    let mut offered = Vec::new();
    for tag in listed {
        if let Some(locale) = Locale::ALL.into_iter().find(|locale| locale.tag() == tag) {
            offered.push(locale);
        } else {
            let what = format!("{} is not a language of this build", shown(tag));
            values.refuse(problems, "locales", what, "list some of \"en\", \"de\" and \"fr\"");
        }
    }
    if !offered.is_empty() && !offered.contains(&standard) {
        let what = format!("does not hold \"{}\", which is i18n.default_locale", standard.tag());
        values.refuse(problems, "locales", what, "list it, or choose another default_locale");
    }
    if offered.contains(&standard) { offered } else { Locale::ALL.to_vec() }
}

fn check_catalogs(
    values: &Values,
    path: &str,
    offered: &[Locale],
    directory: &Path,
    read: ReadFile<'_>,
    problems: &mut Problems,
) -> Arc<Catalogs> {
    let folder = directory.join(path);
    let mut files = Vec::new();
    for locale in Locale::ALL {
        let name = Path::new(path).join(format!("{}.ftl", locale.tag())).display().to_string();
        match read(&folder.join(format!("{}.ftl", locale.tag()))) {
            Ok(_) if !offered.contains(&locale) => {
                let what = format!("{name} is of a language that is not offered");
                values.refuse(problems, "catalog_dir", what, "remove the file, or add its language to i18n.locales");
            }
            Ok(text) => files.push(File { locale, name, text }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => {
                let what = format!("{name} cannot be read, {}", reason(&error));
                values.refuse(problems, "catalog_dir", what, "make it a text file that this user may read");
            }
        }
    }
    if files.is_empty() && !problems.mentions("i18n.catalog_dir") {
        let what = format!("{} holds no catalog", shown(path));
        values.refuse(problems, "catalog_dir", what, "name a directory with en.ftl, de.ftl or fr.ftl");
    }
    own::lay_over(&files, offered).unwrap_or_else(|faults| {
        for fault in faults {
            values.refuse(problems, "catalog_dir", format!("{} {}", fault.place, fault.what), fault.cure);
        }
        Catalogs::builtin().clone()
    })
}

fn reason(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::PermissionDenied => "permission is denied",
        io::ErrorKind::IsADirectory => "it is a directory",
        io::ErrorKind::InvalidData => "it is not text",
        _ => "the system failed to read it",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sigid_core::settings::{Table, Value, read};

    fn text(value: &str) -> Value {
        Value::Text(value.to_owned())
    }

    fn list(values: &[&str]) -> Value {
        Value::List(values.iter().map(|value| text(value)).collect())
    }

    /// The outcome and the problems of a section, over a disk with these files.
    fn examine(rows: &[(&str, Value)], disk: &[(&str, &str)]) -> (Arc<I18n>, String) {
        let table: Table = rows.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        let root = Table::from([("i18n".to_owned(), Value::Table(table))]);
        let mut problems = Problems::default();
        let values = read(&SECTION, &root, &|_| None, &mut problems);
        let read_file = |path: &Path| {
            let found = disk.iter().find(|(name, _)| path == Path::new("/etc/sigid").join(name));
            match found {
                Some((_, "unreadable")) => Err(io::Error::from(io::ErrorKind::PermissionDenied)),
                Some((_, text)) => Ok((*text).to_owned()),
                None => Err(io::Error::from(io::ErrorKind::NotFound)),
            }
        };
        let i18n = check(&values, Path::new("/etc/sigid"), &read_file, &mut problems);
        (i18n, problems.to_string())
    }

    #[test]
    fn an_empty_section_offers_all_and_speaks_english() {
        let (i18n, problems) = examine(&[], &[]);
        assert_eq!((i18n.standard(), problems.as_str()), (Locale::En, ""));
        assert_eq!(i18n.others(Locale::En).collect::<Vec<_>>(), [Locale::De, Locale::Fr]);
    }

    #[test]
    fn languages_are_those_of_the_build_and_hold_the_default() {
        for (reason, rows, expected) in [
            ("one", vec![("default_locale", text("de")), ("locales", list(&["de"]))], ""),
            ("an order of one's own", vec![("locales", list(&["fr", "en"]))], ""),
            (
                "unknown",
                vec![("locales", list(&["en", "it"]))],
                "i18n.locales: \"it\" is not a language of this build; list some of \"en\", \"de\" and \"fr\"",
            ),
            (
                "a region",
                vec![("locales", list(&["en", "de-AT"]))],
                "i18n.locales: \"de-AT\" is not a language of this build; list some of \"en\", \"de\" and \"fr\"",
            ),
            (
                "without the default",
                vec![("locales", list(&["fr"]))],
                "i18n.locales: does not hold \"en\", which is i18n.default_locale; list it, or choose another default_locale",
            ),
            (
                "an unknown default",
                vec![("default_locale", text("it"))],
                "i18n.default_locale: \"it\" is not a language of this build; use \"en\", \"de\" or \"fr\"",
            ),
        ] {
            assert_eq!(examine(&rows, &[]).1, expected, "{reason}");
        }
    }

    #[test]
    fn words_of_ones_own_are_read_and_held_against_those_of_the_build() {
        let own = |locales: &[&str]| vec![("catalog_dir", text("own")), ("locales", list(locales))];
        let good = ("own/en.ftl", "login-button = Come in\n");
        let (i18n, problems) = examine(&own(&["en"]), &[good]);
        assert_eq!((i18n.words_for("en").text("login-button", &[]).as_str(), problems.as_str()), ("Come in", ""));
        for (reason, locales, disk, expected) in [
            (
                "no file",
                vec!["en"],
                vec![],
                "i18n.catalog_dir: \"own\" holds no catalog; name a directory with en.ftl, de.ftl or fr.ftl",
            ),
            (
                "a language that is not offered",
                vec!["en"],
                vec![good, ("own/de.ftl", "")],
                "i18n.catalog_dir: own/de.ftl is of a language that is not offered; remove the file, or add its language to i18n.locales",
            ),
            (
                "not for this user",
                vec!["en"],
                vec![("own/en.ftl", "unreadable")],
                "i18n.catalog_dir: own/en.ftl cannot be read, permission is denied; make it a text file that this user may read",
            ),
            (
                "a hole",
                vec!["en"],
                vec![("own/en.ftl", "login-titel = x")],
                "i18n.catalog_dir: own/en.ftl: login-titel is no message of this build; remove it, or correct its name",
            ),
            (
                "half of the languages",
                vec!["en", "fr"],
                vec![good],
                "i18n.catalog_dir: fr.ftl: login-button is missing, own/en.ftl has it; write it, or leave fr out of i18n.locales",
            ),
        ] {
            assert_eq!(examine(&own(&locales), &disk).1, expected, "{reason}");
        }
    }
}
