//! Problems of a configuration: one line each, `section.key: what is wrong; what would be right`.

use std::fmt;

/// One thing wrong with the configuration, and its cure. Never holds a credential, always one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// `section.key`, a section alone, or the name of the file.
    pub key: String,
    pub problem: String,
    pub cure: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}; {}", self.key, self.problem, self.cure)
    }
}

/// Everything wrong with a configuration, in the order found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Problems(Vec<Problem>);

impl Problems {
    pub fn add(&mut self, key: impl Into<String>, problem: impl Into<String>, cure: impl Into<String>) {
        let [key, problem, cure] = [key.into(), problem.into(), cure.into()].map(one_line);
        self.0.push(Problem { key, problem, cure });
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn iter(&self) -> impl Iterator<Item = &Problem> {
        self.0.iter()
    }

    /// Something was already said about this setting, so what follows from it need not be.
    pub fn mentions(&self, key: &str) -> bool {
        self.0.iter().any(|problem| problem.key == key)
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<String> = self.0.iter().map(Problem::to_string).collect();
        f.write_str(&lines.join("\n"))
    }
}

impl std::error::Error for Problems {}

fn one_line(text: String) -> String {
    if text.chars().any(is_invisible) { text.replace(is_invisible, " ") } else { text }
}

/// Control characters, and the separators a terminal may take for the end of a line.
fn is_invisible(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')
}

/// A value quoted for a problem: shortened, and withheld when it looks like a URL, a `user@host` or a `password=`.
pub fn shown(text: &str) -> String {
    if text.contains("://") || text.contains('@') || text.contains('=') {
        return "the value".to_owned();
    }
    let short: String = text.chars().take(SHOWN_CHARS_MAX).collect();
    let more = if short.len() < text.len() { "..." } else { "" };
    format!("\"{short}{more}\"")
}

const SHOWN_CHARS_MAX: usize = 48;
