//! A configuration file, as a map from `section.key` to TOML text.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// Settings by their full name.
#[derive(Clone, Default)]
pub struct Settings(BTreeMap<String, String>);

impl Settings {
    /// `value` is TOML: strings bring their quotes.
    pub fn set(mut self, name: &str, value: impl std::fmt::Display) -> Self {
        self.0.insert(name.to_owned(), value.to_string());
        self
    }

    pub fn text(self, name: &str, value: impl AsRef<str>) -> Self {
        let value = format!("{:?}", value.as_ref());
        self.set(name, value)
    }

    pub fn without(mut self, name: &str) -> Self {
        self.0.remove(name);
        self
    }

    /// What is set, without its quotes.
    pub fn find(&self, name: &str) -> &str {
        self.0.get(name).unwrap_or_else(|| panic!("{name} is not set")).trim_matches('"')
    }

    pub fn render(&self) -> String {
        let mut sections: BTreeMap<&str, String> = BTreeMap::new();
        for (name, value) in &self.0 {
            let (section, key) = name.rsplit_once('.').unwrap();
            let _ = writeln!(sections.entry(section).or_default(), "{key} = {value}");
        }
        sections.iter().fold(String::new(), |mut text, (section, lines)| {
            let _ = write!(text, "[{section}]\n{lines}\n");
            text
        })
    }

    /// Writes it as `sigid.toml` into the directory.
    pub fn write(&self, directory: &Path) -> PathBuf {
        let path = directory.join("sigid.toml");
        std::fs::write(&path, self.render()).unwrap();
        path
    }
}
