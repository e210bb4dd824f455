//! Settings as declarations: what a section of the configuration may hold, said once.
//!
//! A feature declares its section (`Section`, `Key`); from the declaration come the reader that types
//! and bounds each value, the refusal of names nobody declared, and the generated example file. What a
//! declaration cannot say (an issuer has no path, one setting bounds another) the feature's own `check`
//! says, on the `Values` read here.
//!
//! Two rules hold everywhere. All problems are collected, never only the first: an operator mends a file
//! once. And no problem repeats a value that may hold a credential: see `shown` and `Kind::Secret`.
//!
//! Pure: the file format, the environment and the disk belong to the caller.

mod example;
mod names;
mod origin;
mod problems;

pub use example::example;
pub use names::check_names;
pub use origin::{Origin, OriginFault, is_host_name, is_local_host};
pub use problems::{Problem, Problems, shown};

use std::collections::BTreeMap;

/// One section of the file. `name` is dotted for a section within another: `server.tls`.
#[derive(Debug)]
pub struct Section {
    pub name: &'static str,
    pub doc: &'static str,
    pub keys: &'static [Key],
}

/// One setting: its name, what it takes, what holds without it, and the variable that overrides it.
#[derive(Debug)]
pub struct Key {
    pub name: &'static str,
    pub kind: Kind,
    pub standard: Standard,
    pub doc: &'static str,
    pub env: Option<&'static str>,
}

/// What a setting takes.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    Boolean,
    /// Both ends are allowed. The unit is the end of the setting's name.
    Integer {
        min: i64,
        max: i64,
    },
    /// A TCP port.
    Port,
    /// One of `words`; anything else "is not `meaning`".
    Word {
        meaning: &'static str,
        words: &'static [&'static str],
    },
    Text,
    Path,
    /// Text that may hold a credential: no problem ever repeats it.
    Secret,
    /// Texts without repetition.
    List,
}

/// What holds when the file does not write a setting.
#[derive(Clone, Copy, Debug)]
pub enum Standard {
    Boolean(bool),
    Integer(i64),
    Text(&'static str),
    EmptyList,
    /// Nothing; the text is an example of a value, as TOML.
    Absent(&'static str),
    /// Nothing here, but the section's `check` may want it; shown in the example file as if required.
    Conditional(&'static str),
    /// A problem; the text is an example of a value, as TOML.
    Required(&'static str),
}

impl Key {
    pub const fn new(name: &'static str, kind: Kind, standard: Standard, doc: &'static str) -> Self {
        Self { name, kind, standard, doc, env: None }
    }

    pub const fn boolean(name: &'static str, standard: bool, doc: &'static str) -> Self {
        Self::new(name, Kind::Boolean, Standard::Boolean(standard), doc)
    }

    /// Both ends of `range` are allowed.
    pub const fn integer(name: &'static str, range: (i64, i64), standard: i64, doc: &'static str) -> Self {
        Self::new(name, Kind::Integer { min: range.0, max: range.1 }, Standard::Integer(standard), doc)
    }

    /// An array of texts, empty when absent.
    pub const fn list(name: &'static str, doc: &'static str) -> Self {
        Self::new(name, Kind::List, Standard::EmptyList, doc)
    }

    /// The variable that overrides the file.
    #[must_use]
    pub const fn env(self, name: &'static str) -> Self {
        Self { env: Some(name), ..self }
    }
}

pub type Table = BTreeMap<String, Value>;

/// A value as the file has it. No `Debug`: it may hold a password.
#[derive(Clone, PartialEq)]
pub enum Value {
    Boolean(bool),
    Integer(i64),
    Text(String),
    List(Vec<Value>),
    Table(Table),
    /// What no setting takes; the text names the type with its article.
    Other(&'static str),
}

impl Value {
    /// With its article: "an integer".
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Boolean(_) => "a boolean",
            Self::Integer(_) => "an integer",
            Self::Text(_) => "a string",
            Self::List(_) => "an array",
            Self::Table(_) => "a section",
            Self::Other(name) => name,
        }
    }
}

/// Looks a variable up; `None` and an empty text both mean "not set".
pub type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

/// A section's settings, typed and within bounds; a refused one reads as its default.
pub struct Values {
    section: &'static Section,
    entries: BTreeMap<&'static str, Entry>,
}

struct Entry {
    setting: Setting,
    origin: Origination,
}

#[derive(Clone, PartialEq)]
enum Setting {
    Boolean(bool),
    Integer(i64),
    Text(String),
    List(Vec<String>),
}

#[derive(Clone, Copy, PartialEq)]
enum Origination {
    Default,
    File,
    Environment(&'static str),
}

/// Reads one section out of the file and the environment, which wins; every problem is added.
pub fn read(section: &'static Section, root: &Table, environment: Environment<'_>, problems: &mut Problems) -> Values {
    let table = find_section(root, section.name);
    let mut values = Values { section, entries: BTreeMap::new() };
    for key in section.keys {
        let path = values.path(key.name);
        let from_environment = key.env.and_then(|name| {
            let text = environment(name).filter(|text| !text.is_empty())?;
            Some((Value::Text(text), Origination::Environment(name)))
        });
        let from_file = || table.and_then(|table| table.get(key.name)).map(|value| (value.clone(), Origination::File));
        let entry = match from_environment.or_else(from_file) {
            Some((value, origin)) => read_written(key, &value, origin, &path, problems),
            None => read_absent(key, &path, problems),
        };
        if let Some(entry) = entry {
            values.entries.insert(key.name, entry);
        }
    }
    values
}

/// The table of a dotted section name.
fn find_section<'a>(root: &'a Table, name: &str) -> Option<&'a Table> {
    name.split('.').try_fold(root, |table, part| match table.get(part) {
        Some(Value::Table(inner)) => Some(inner),
        _ => None,
    })
}

fn read_written(key: &Key, value: &Value, origin: Origination, path: &str, problems: &mut Problems) -> Option<Entry> {
    match typed(key.kind, value) {
        Ok(setting) => Some(Entry { setting, origin }),
        Err((what, cure)) => {
            problems.add(path, origin.mark(what), cure);
            default_of(key)
        }
    }
}

fn read_absent(key: &Key, path: &str, problems: &mut Problems) -> Option<Entry> {
    if let Standard::Required(example) = key.standard {
        problems.add(path, "is missing", format!("write {} = {example}", key.name));
    }
    default_of(key)
}

fn default_of(key: &Key) -> Option<Entry> {
    let setting = match key.standard {
        Standard::Boolean(value) => Setting::Boolean(value),
        Standard::Integer(value) => Setting::Integer(value),
        Standard::Text(value) => Setting::Text(value.to_owned()),
        Standard::EmptyList => Setting::List(Vec::new()),
        Standard::Absent(_) | Standard::Conditional(_) | Standard::Required(_) => return None,
    };
    Some(Entry { setting, origin: Origination::Default })
}

/// The typed value, or what is wrong and what would be right.
fn typed(kind: Kind, value: &Value) -> Result<Setting, (String, String)> {
    match (kind, value) {
        (Kind::Boolean, Value::Boolean(value)) => Ok(Setting::Boolean(*value)),
        (Kind::Integer { min, max }, Value::Integer(value)) => check_range(*value, min, max),
        (Kind::Port, Value::Integer(value)) => check_range(*value, 1, 65_535),
        (Kind::Word { meaning, words }, Value::Text(text)) => check_word(text, meaning, words),
        (Kind::Text | Kind::Path | Kind::Secret, Value::Text(text)) => check_text(text),
        (Kind::List, Value::List(entries)) => check_list(entries),
        _ => Err((format!("is {}", value.type_name()), kind.cure())),
    }
}

fn check_range(value: i64, min: i64, max: i64) -> Result<Setting, (String, String)> {
    if (min..=max).contains(&value) {
        return Ok(Setting::Integer(value));
    }
    Err((format!("{value} is out of range"), format!("use {min} to {max}")))
}

fn check_word(text: &str, meaning: &str, words: &[&str]) -> Result<Setting, (String, String)> {
    if words.contains(&text) {
        return Ok(Setting::Text(text.to_owned()));
    }
    Err((format!("{} is not {meaning}", shown(text)), format!("use {}", alternatives(words))))
}

fn check_text(text: &str) -> Result<Setting, (String, String)> {
    if text.trim().is_empty() {
        return Err(("is empty".to_owned(), "write a value, or leave the setting out".to_owned()));
    }
    if text.chars().any(char::is_control) {
        return Err(("holds a control character".to_owned(), "write one line of plain text".to_owned()));
    }
    Ok(Setting::Text(text.to_owned()))
}

fn check_list(entries: &[Value]) -> Result<Setting, (String, String)> {
    let mut texts: Vec<String> = Vec::with_capacity(entries.len());
    for (position, entry) in (1..).zip(entries) {
        let Value::Text(text) = entry else {
            return Err((format!("entry {position} is {}", entry.type_name()), Kind::List.cure()));
        };
        if let Err((what, _)) = check_text(text) {
            return Err((format!("entry {position} {what}"), "write the entry, or remove it".to_owned()));
        }
        if texts.iter().any(|seen| seen.eq_ignore_ascii_case(text)) {
            return Err((format!("{} is listed twice", shown(text)), "list it once".to_owned()));
        }
        texts.push(text.clone());
    }
    Ok(Setting::List(texts))
}

/// `"a", "b" or "c"`.
fn alternatives(words: &[&str]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("\"{word}\"")).collect();
    match quoted.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
        None => String::new(),
    }
}

impl Kind {
    /// What would be right, where the type is wrong.
    fn cure(self) -> String {
        match self {
            Self::Boolean => "write true or false, without quotes".to_owned(),
            Self::Integer { min, max } => format!("write an integer from {min} to {max}, without quotes"),
            Self::Port => "write an integer from 1 to 65535, without quotes".to_owned(),
            Self::Word { words, .. } => format!("use {}", alternatives(words)),
            Self::Text | Self::Secret => "write a string in quotes".to_owned(),
            Self::Path => "write the path of a file in quotes".to_owned(),
            Self::List => "write an array of strings, such as [\"a\", \"b\"]".to_owned(),
        }
    }
}

impl Origination {
    fn mark(self, what: String) -> String {
        match self {
            Self::Environment(name) => format!("{what} (from {name})"),
            Self::Default | Self::File => what,
        }
    }
}

impl Values {
    /// `section.key`.
    pub fn path(&self, name: &str) -> String {
        format!("{}.{name}", self.section.name)
    }

    /// The file or the environment gives this setting, even if only its default.
    pub fn is_written(&self, name: &str) -> bool {
        self.entries.get(name).is_some_and(|entry| entry.origin != Origination::Default)
    }

    /// `false` when absent.
    pub fn boolean(&self, name: &str) -> bool {
        matches!(self.setting(name), Some(Setting::Boolean(true)))
    }

    pub fn find_integer(&self, name: &str) -> Option<i64> {
        match self.setting(name) {
            Some(Setting::Integer(value)) => Some(*value),
            _ => None,
        }
    }

    /// An integer in the width its user wants; 0 when absent. The declared range keeps it from overflow.
    pub fn count<T: TryFrom<i64> + Default>(&self, name: &str) -> T {
        self.find_integer(name).and_then(|value| T::try_from(value).ok()).unwrap_or_default()
    }

    pub fn find_text(&self, name: &str) -> Option<&str> {
        match self.setting(name) {
            Some(Setting::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// Empty when absent.
    pub fn text(&self, name: &str) -> &str {
        self.find_text(name).unwrap_or_default()
    }

    /// Empty when absent.
    pub fn list(&self, name: &str) -> &[String] {
        match self.setting(name) {
            Some(Setting::List(texts)) => texts,
            _ => &[],
        }
    }

    /// Every integer of the section with its path, in the order declared: the limits in force.
    pub fn integers(&self) -> impl Iterator<Item = (String, i64, &'static str)> {
        let bounded = |key: &&Key| matches!(key.kind, Kind::Integer { .. });
        self.section.keys.iter().filter(bounded).filter_map(|key| {
            let value = self.find_integer(key.name)?;
            Some((self.path(key.name), value, key.doc))
        })
    }

    /// Adds a problem of this section, naming the variable if the value came from one.
    pub fn refuse(&self, problems: &mut Problems, name: &str, what: impl Into<String>, cure: impl Into<String>) {
        let origin = self.entries.get(name).map_or(Origination::Default, |entry| entry.origin);
        problems.add(self.path(name), origin.mark(what.into()), cure);
    }

    fn setting(&self, name: &str) -> Option<&Setting> {
        self.entries.get(name).map(|entry| &entry.setting)
    }
}

#[cfg(test)]
mod tests;
