//! The example file, generated from the declarations: every setting, its default, its meaning.
//!
//! A line `#name = value` is a setting at its default, or an example where there is none; `# ` begins
//! prose. Taking the `#` off every setting therefore gives a file that parses.

use super::{Key, Kind, Section, Standard, alternatives};

/// The whole file; `heading` is prose for its top.
pub fn example(sections: &[&'static Section], heading: &str) -> String {
    let mut out = prose(heading);
    for section in sections {
        out.push('\n');
        out.push_str(&prose(section.doc));
        out.extend(["[", section.name, "]\n"]);
        for key in section.keys {
            out.push('\n');
            out.push_str(&setting(key));
        }
    }
    out
}

fn setting(key: &Key) -> String {
    let (mark, value) = match key.standard {
        Standard::Boolean(value) => ("#", value.to_string()),
        Standard::Integer(value) => ("#", value.to_string()),
        Standard::Text(value) => ("#", format!("\"{value}\"")),
        Standard::EmptyList => ("#", "[]".to_owned()),
        Standard::Absent(value) => ("#", value.to_owned()),
        Standard::Conditional(value) | Standard::Required(value) => ("", value.to_owned()),
    };
    let facts = facts(key).join(" ");
    let doc = if facts.is_empty() { prose(key.doc) } else { prose(&format!("{}\n{facts}", key.doc)) };
    format!("{doc}{mark}{} = {value}\n", key.name)
}

/// What the declaration itself says of a setting.
fn facts(key: &Key) -> Vec<String> {
    let kind = match key.kind {
        Kind::Integer { min, max } => Some(format!("{min} to {max}.")),
        Kind::Word { words: words @ [_, _, ..], .. } => Some(format!("{}.", alternatives(words))),
        _ => None,
    };
    let standard = match key.standard {
        Standard::Absent(_) => Some("No default; what follows is an example.".to_owned()),
        Standard::Required(_) => Some("Required; what follows is an example.".to_owned()),
        _ => None,
    };
    let env = key.env.map(|name| format!("{name} in the environment overrides it."));
    [kind, standard, env].into_iter().flatten().collect()
}

fn prose(text: &str) -> String {
    let mut out = String::new();
    for line in text.lines().flat_map(wrap) {
        out.push_str(format!("# {line}").trim_end());
        out.push('\n');
    }
    out
}

fn wrap(line: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in line.split(' ') {
        match lines.last_mut() {
            Some(last) if last.is_empty() => last.push_str(word),
            Some(last) if last.chars().count() + 1 + word.chars().count() <= PROSE_CHARS_MAX => {
                last.push(' ');
                last.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

const PROSE_CHARS_MAX: usize = 106;
