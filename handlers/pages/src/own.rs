//! An operator's own words: catalogs that lie over those of this build.
//!
//! A file is named for its language (`de.ftl`) and holds the messages that shall read differently. It is read once, at
//! the start, and refused as a whole while anything in it would show on a page as a hole: what is no Fluent, a message
//! that no page says, an argument that the message does not get, a letter that lost its link, a reference that leads
//! nowhere. Every message is written once with numbers of each plural to see that. What one language says in the
//! operator's words, all that are offered must: half a page in another voice is worse than none.
//!
//! Limits: [`MESSAGE_BYTES_MAX`]; a file as the configuration reads files. Attacks considered: markup (pages escape what
//! catalogs say as they escape everything), characters that end a header or turn what follows around (refused).
//!
//! Alternatives rejected: languages of one's own (plurals, dates and the length of every button want a reader, and the
//! tests here are one); a look at the directory again while serving (see [`crate::i18n`]).

use crate::catalog::{Catalogs, Words, sources};
use crate::locale::Locale;
use fluent_bundle::FluentResource;
use fluent_syntax::ast::{Entry, Expression, InlineExpression, Message, Pattern, PatternElement};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Bytes of text in one message.
pub const MESSAGE_BYTES_MAX: usize = 4096;

/// One file: its language, what it is called, and its text.
pub(crate) struct File {
    pub locale: Locale,
    pub name: String,
    pub text: String,
}

/// What is wrong, and what would be right.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    /// File and message.
    pub place: String,
    pub what: String,
    pub cure: String,
}

/// The catalogs of this build with `files` over them, or everything that is wrong.
pub(crate) fn lay_over(files: &[File], offered: &[Locale]) -> Result<Arc<Catalogs>, Vec<Fault>> {
    let known = known();
    let mut faults = Vec::new();
    let mut parsed = Vec::new();
    for file in files {
        let resource = parse(file, &mut faults);
        let ids = check(file, &resource, &known, &mut faults);
        parsed.push((file, resource, ids));
    }
    check_missing(&parsed.iter().map(|(file, _, ids)| (*file, ids)).collect::<Vec<_>>(), offered, &mut faults);
    if !faults.is_empty() {
        return Err(faults);
    }
    let said: Vec<(&File, BTreeSet<String>)> = parsed.iter().map(|(file, _, ids)| (*file, ids.clone())).collect();
    let catalogs = Catalogs::with(parsed.into_iter().map(|(file, resource, _)| (file.locale, resource)).collect());
    for (file, ids) in said {
        try_out(file, &ids, &known, &catalogs, &mut faults);
    }
    if faults.is_empty() { Ok(Arc::new(catalogs)) } else { Err(faults) }
}

/// What a message of this build gets, and what it may not lose.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Shape {
    pub args: BTreeSet<String>,
    /// Texts and numbers that may be named.
    allowed: BTreeSet<String>,
    kept: BTreeSet<String>,
}

/// Every message of this build.
fn known() -> BTreeMap<String, Shape> {
    let [pages, letters] = sources(Locale::En);
    let of = |source: &str, is_letter: bool| {
        let resource = FluentResource::try_new(source.to_owned()).unwrap_or_else(|(partial, _)| partial);
        shapes(&resource).into_iter().map(move |(id, args)| {
            let kept = args.iter().filter(|arg| is_letter && LINKS.contains(&arg.as_str())).cloned().collect();
            let allowed = if is_letter { LETTER_ARGS.map(str::to_owned).into() } else { args.clone() };
            (id, Shape { args, allowed, kept })
        })
    };
    of(pages, false).chain(of(letters, true)).collect()
}

/// The messages of a resource with the arguments they name themselves.
pub(crate) fn shapes(resource: &FluentResource) -> BTreeMap<String, BTreeSet<String>> {
    let messages = resource.entries().filter_map(|entry| match entry {
        Entry::Message(message) => Some(message),
        _ => None,
    });
    messages
        .map(|message| {
            let mut args = BTreeSet::new();
            if let Some(pattern) = &message.value {
                walk(pattern, &mut |part| {
                    if let Part::Argument(name) = part {
                        args.insert(name.to_owned());
                    }
                });
            }
            (message.id.name.to_owned(), args)
        })
        .collect()
}

fn parse(file: &File, faults: &mut Vec<Fault>) -> FluentResource {
    let hidden = file.text.lines().position(|line| line.contains(is_hidden));
    if let Some(line) = hidden {
        faults.push(Fault {
            place: format!("{}, line {}", file.name, line + 1),
            what: "holds a character that cannot be seen".into(),
            cure: "remove it".into(),
        });
    }
    match FluentResource::try_new(file.text.clone()) {
        Ok(resource) => resource,
        Err((partial, errors)) => {
            for error in errors {
                let before = file.text.get(..error.pos.start).unwrap_or_default();
                let line = before.matches('\n').count() + 1;
                let entry = error.slice.and_then(|slice| file.text.get(slice)).unwrap_or_default();
                let place = match id_at(entry) {
                    Some(id) => format!("{}: {id}, line {line}", file.name),
                    None => format!("{}, line {line}", file.name),
                };
                let what = format!("is no Fluent, {}", error.kind);
                faults.push(Fault { place, what, cure: "correct it, https://projectfluent.org shows the form".into() });
            }
            partial
        }
    }
}

/// The name that a piece of a file begins with.
fn id_at(entry: &str) -> Option<&str> {
    let end = entry.find(|c: char| !c.is_ascii_alphanumeric() && !"-_".contains(c)).unwrap_or(entry.len());
    entry.get(..end).filter(|id| id.starts_with(|c: char| c.is_ascii_alphabetic()))
}

/// Line breaks and tabs are the form of a file; direction marks and other controls are nobody's words.
fn is_hidden(c: char) -> bool {
    let directs = matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}');
    (c.is_control() && !matches!(c, '\n' | '\r' | '\t')) || directs
}

/// The messages that the file says, each of them checked.
fn check(
    file: &File,
    resource: &FluentResource,
    known: &BTreeMap<String, Shape>,
    faults: &mut Vec<Fault>,
) -> BTreeSet<String> {
    let mut said = BTreeSet::new();
    for entry in resource.entries() {
        let (id, found) = match entry {
            Entry::Message(message) => (message.id.name, check_message(message, known)),
            Entry::Term(term) => {
                (term.id.name, Err(("is a term, which no message of this build is".into(), "write it out".into())))
            }
            // Junk: a parser's error says it, with its line.
            Entry::Junk { .. } | Entry::Comment(_) | Entry::GroupComment(_) | Entry::ResourceComment(_) => continue,
        };
        let again = !said.insert(id.to_owned());
        let found = if again { Err(("is there twice".into(), "keep one of them".into())) } else { found };
        if let Err((what, cure)) = found {
            faults.push(Fault { place: format!("{}: {id}", file.name), what, cure });
        }
    }
    said
}

/// What is wrong, and what would be right.
type Wrong = (String, String);

fn check_message(message: &Message<&str>, known: &BTreeMap<String, Shape>) -> Result<(), Wrong> {
    let wrong = |what: &str, cure: &str| Err((what.to_owned(), cure.to_owned()));
    let Some(shape) = known.get(message.id.name) else {
        return wrong("is no message of this build", "remove it, or correct its name");
    };
    let Some(pattern) = &message.value else { return wrong("has no text", "write one, or remove the message") };
    if !message.attributes.is_empty() {
        return wrong("has attributes, which nothing shows", "remove them");
    }
    let (mut bytes, mut args, mut foreign) = (0, BTreeSet::new(), None);
    walk(pattern, &mut |part| match part {
        Part::Text(text) => bytes += text.len(),
        Part::Argument(name) => {
            args.insert(name.to_owned());
        }
        Part::Message(id) if known.contains_key(id) => {}
        Part::Message(name) | Part::Other(name) => foreign = Some(name.to_owned()),
    });
    if bytes > MESSAGE_BYTES_MAX {
        return Err((format!("has {bytes} bytes"), format!("use {MESSAGE_BYTES_MAX} at most")));
    }
    if let Some(name) = foreign {
        return Err((format!("refers to {name}, which there is not"), "write it out".into()));
    }
    if let Some(arg) = args.difference(&shape.allowed).next() {
        let names: Vec<String> = shape.allowed.iter().map(|name| format!("${name}")).collect();
        let cure = if names.is_empty() { "use none".to_owned() } else { format!("use only {}", names.join(", ")) };
        return Err((format!("names ${arg}, which it does not get"), cure));
    }
    match shape.kept.difference(&args).next() {
        Some(arg) => Err((format!("has lost ${arg}"), "keep it, or the reader has no way on".into())),
        None => Ok(()),
    }
}

/// A piece of a pattern.
enum Part<'p> {
    Text(&'p str),
    Argument(&'p str),
    Message(&'p str),
    /// A term or a function.
    Other(&'p str),
}

fn walk<'p>(pattern: &'p Pattern<&'p str>, see: &mut impl FnMut(Part<'p>)) {
    for element in &pattern.elements {
        match element {
            PatternElement::TextElement { value } => see(Part::Text(value)),
            PatternElement::Placeable { expression } => walk_expression(expression, see),
        }
    }
}

fn walk_expression<'p>(expression: &'p Expression<&'p str>, see: &mut impl FnMut(Part<'p>)) {
    match expression {
        Expression::Inline(inline) => walk_inline(inline, see),
        Expression::Select { selector, variants } => {
            walk_inline(selector, see);
            for variant in variants {
                walk(&variant.value, see);
            }
        }
    }
}

fn walk_inline<'p>(inline: &'p InlineExpression<&'p str>, see: &mut impl FnMut(Part<'p>)) {
    match inline {
        InlineExpression::StringLiteral { value } | InlineExpression::NumberLiteral { value } => see(Part::Text(value)),
        InlineExpression::VariableReference { id } => see(Part::Argument(id.name)),
        InlineExpression::MessageReference { id, attribute: None } => see(Part::Message(id.name)),
        InlineExpression::MessageReference { id, attribute: Some(_) }
        | InlineExpression::TermReference { id, .. }
        | InlineExpression::FunctionReference { id, .. } => see(Part::Other(id.name)),
        InlineExpression::Placeable { expression } => walk_expression(expression, see),
    }
}

/// What one language says in the operator's words, every offered one says.
fn check_missing(said: &[(&File, &BTreeSet<String>)], offered: &[Locale], faults: &mut Vec<Fault>) {
    for locale in offered {
        let own = said.iter().find(|(file, _)| file.locale == *locale);
        for (other, ids) in said.iter().filter(|(file, _)| file.locale != *locale) {
            let missing = ids.iter().filter(|id| !own.is_some_and(|(_, own)| own.contains(*id)));
            for id in missing {
                let name = own.map_or_else(|| format!("{}.ftl", locale.tag()), |(file, _)| file.name.clone());
                let place = format!("{name}: {id}");
                if faults.iter().all(|fault| fault.place != place) {
                    let cure = format!("write it, or leave {} out of i18n.locales", locale.tag());
                    faults.push(Fault { place, what: format!("is missing, {} has it", other.name), cure });
                }
            }
        }
    }
}

/// Writes each message once with numbers of every plural.
fn try_out(
    file: &File,
    ids: &BTreeSet<String>,
    known: &BTreeMap<String, Shape>,
    catalogs: &Catalogs,
    faults: &mut Vec<Fault>,
) {
    let words = Words::new(file.locale, catalogs);
    for id in ids {
        let Some(shape) = known.get(id) else { continue };
        let texts: Vec<(&str, &str)> = shape.allowed.iter().map(|name| (name.as_str(), "x")).collect();
        for number in [0, 1, 2, 5, 12] {
            let numbers = NUMBERS.map(|name| (name, number));
            let texts: Vec<_> = texts.iter().filter(|(name, _)| !NUMBERS.contains(name)).copied().collect();
            let mut wrong = Vec::new();
            let written = words.format(id, &texts, &numbers, &mut wrong);
            if written.is_none() || !wrong.is_empty() {
                let why = wrong.first().map(ToString::to_string).unwrap_or_default();
                faults.push(Fault {
                    place: format!("{}: {id}", file.name),
                    what: format!("cannot be written, {why}"),
                    cure: "write it without the reference".into(),
                });
                break;
            }
        }
    }
}

/// What every letter gets.
const LETTER_ARGS: [&str; 8] = ["brand", "to", "email", "new_email", "link", "more", "device", "when"];
/// Without these a letter leads nowhere.
const LINKS: [&str; 2] = ["link", "more"];
/// Arguments that are numbers.
const NUMBERS: [&str; 3] = ["n", "day", "month"];

#[cfg(test)]
mod tests {
    use super::*;

    fn file(locale: Locale, text: &str) -> File {
        File { locale, name: format!("own/{}.ftl", locale.tag()), text: text.to_owned() }
    }

    /// `place: what` of everything wrong.
    fn wrong(files: &[File], offered: &[Locale]) -> Vec<String> {
        let faults = lay_over(files, offered).err().unwrap_or_default();
        faults.iter().map(|fault| format!("{}: {}", fault.place, fault.what)).collect()
    }

    #[test]
    fn what_would_be_a_hole_in_a_page_is_refused() {
        for (reason, text, expected) in [
            ("other words", "login-button = Come in", ""),
            ("an argument that it gets", "login-title = { $place }", ""),
            ("an argument left out", "login-title = Welcome", ""),
            ("a comment", "# ours\nlogin-button = Come in", ""),
            ("a letter with its link", "mail-recover-plain =\n    Go there:\n\n    { $link }", ""),
            ("a letter with an argument that all letters get", "mail-recover-after = For { $to }", ""),
            ("a plural", "ago-days = { $n ->\n    [one] a day ago\n   *[other] { $n } days ago\n  }", ""),
            ("a reference", "login-register = { login-button }", ""),
            ("an id that nothing shows", "login-titel = x", "own/en.ftl: login-titel: is no message of this build"),
            (
                "an argument that it does not get",
                "login-button = { $place }",
                "own/en.ftl: login-button: names $place, which it does not get",
            ),
            (
                "one in a variant that is seldom chosen",
                "ago-days = { $n ->\n    [7] { $when }\n   *[other] x\n  }",
                "own/en.ftl: ago-days: names $when, which it does not get",
            ),
            (
                "a letter without its link",
                "mail-recover-plain = Go there.",
                "own/en.ftl: mail-recover-plain: has lost $link",
            ),
            ("twice", "login-button = a\nlogin-button = b", "own/en.ftl: login-button: is there twice"),
            ("no text", "login-button =\n    .title = x", "own/en.ftl: login-button: has no text"),
            (
                "attributes",
                "login-button = x\n    .title = x",
                "own/en.ftl: login-button: has attributes, which nothing shows",
            ),
            ("a term", "-acme = Acme", "own/en.ftl: acme: is a term, which no message of this build is"),
            (
                "a reference to a term",
                "login-button = { -acme }",
                "own/en.ftl: login-button: refers to acme, which there is not",
            ),
            ("a function", "ago-days = { NUMBER($n) }", "own/en.ftl: ago-days: refers to NUMBER, which there is not"),
            (
                "a reference to nothing",
                "login-button = { nothing }",
                "own/en.ftl: login-button: refers to nothing, which there is not",
            ),
            (
                "a direction mark",
                "login-button = a\u{202e}b",
                "own/en.ftl, line 1: holds a character that cannot be seen",
            ),
        ] {
            assert_eq!(wrong(&[file(Locale::En, text)], &[Locale::En]).join("; "), expected, "{reason}");
        }
        let long = format!("login-button = {}", "a".repeat(MESSAGE_BYTES_MAX + 1));
        assert_eq!(wrong(&[file(Locale::En, &long)], &[Locale::En]), ["own/en.ftl: login-button: has 4097 bytes"]);
    }

    #[test]
    fn what_is_no_fluent_is_named_with_its_message_and_line() {
        for (reason, text, place) in [
            ("an open brace", "# x\nlogin-button = { $place\n\nlogin-title = x", "own/en.ftl: login-button, line "),
            ("a plural without a default", "ago-days = { $n ->\n    [one] x\n  }", "own/en.ftl: ago-days, line 3"),
            ("no name", "= x", "own/en.ftl, line 1"),
        ] {
            let wrong = wrong(&[file(Locale::En, text)], &[Locale::En]);
            assert!(wrong.len() == 1 && wrong[0].starts_with(place), "{reason}: {wrong:?}");
            assert!(wrong[0].contains(": is no Fluent, "), "{reason}: {wrong:?}");
        }
    }

    #[test]
    fn messages_that_refer_to_each_other_are_refused() {
        let text = "login-button = { login-register }\nlogin-register = { login-button }";
        let wrong = wrong(&[file(Locale::En, text)], &[Locale::En]);
        assert!(wrong.len() == 2 && wrong[0].starts_with("own/en.ftl: login-button: cannot be written, "), "{wrong:?}");
    }

    #[test]
    fn one_voice_in_every_language_that_is_offered() {
        let (en, de) = (|| file(Locale::En, "login-button = a"), |text: &str| file(Locale::De, text));
        for (reason, files, offered, expected) in [
            ("alone", vec![en()], vec![Locale::En], vec![]),
            ("both", vec![en(), de("login-button = b")], vec![Locale::En, Locale::De], vec![]),
            (
                "a language without a file",
                vec![en()],
                vec![Locale::En, Locale::De],
                vec!["de.ftl: login-button: is missing, own/en.ftl has it"],
            ),
            (
                "a file that says other things",
                vec![en(), de("login-forgot = b")],
                vec![Locale::En, Locale::De],
                vec![
                    "own/en.ftl: login-forgot: is missing, own/de.ftl has it",
                    "own/de.ftl: login-button: is missing, own/en.ftl has it",
                ],
            ),
        ] {
            assert_eq!(wrong(&files, &offered), expected, "{reason}");
        }
    }

    #[test]
    fn an_operators_words_are_said_and_the_rest_stays() {
        let files = [file(Locale::En, "login-button = Come in")];
        let catalogs = lay_over(&files, &[Locale::En]).unwrap();
        let say = |locale, id| Words::new(locale, &catalogs).text(id, &[]);
        assert_eq!(say(Locale::En, "login-button"), "Come in");
        assert_eq!(say(Locale::En, "login-forgot"), Words::of(Locale::En).text("login-forgot", &[]));
        assert_eq!(say(Locale::De, "login-button"), Words::of(Locale::De).text("login-button", &[]));
    }

    #[test]
    fn what_a_letter_gets_is_what_letters_name() {
        let known = known();
        for (id, shape) in &known {
            assert!(shape.args.is_subset(&shape.allowed), "{id}: {shape:?}");
        }
        assert_eq!(known["mail-exists-after"].kept, BTreeSet::from(["more".to_owned()]));
        assert!(known["mail-sent-again"].allowed.is_empty(), "a page about mail is no letter");
    }
}
