//! Names in the file that nobody declared, each with the name that was probably meant.

use super::{Problems, Section, Table, Value, shown};

/// Refuses every section and key of the file that is not declared. `later` are sections of features
/// that this build does not have: they are refused by name, so that nothing is silently ignored.
pub fn check_names(root: &Table, sections: &[&'static Section], later: &[&str], problems: &mut Problems) {
    for (name, value) in root {
        if later.contains(&name.as_str()) {
            problems.add(name, "the section belongs to a feature that is not in this build", "remove it");
        } else if is_declared(sections, name) {
            check_section(name, value, sections, problems);
        } else {
            refuse_top_level(name, value, sections, later, problems);
        }
    }
}

fn is_declared(sections: &[&'static Section], name: &str) -> bool {
    sections.iter().any(|section| section.name == name)
}

fn refuse_top_level(name: &str, value: &Value, sections: &[&'static Section], later: &[&str], problems: &mut Problems) {
    if let Some(home) = find_home(name, sections).filter(|_| !is_section(value)) {
        return problems.add(name, "stands outside every section", format!("move it under [{}]", home.name));
    }
    let candidates = sections.iter().map(|section| section.name).filter(|name| !name.contains('.'));
    let cure = match nearest(name, candidates.chain(later.iter().copied())) {
        Some(near) => format!("did you mean [{near}]?"),
        None => "remove it".to_owned(),
    };
    problems.add(name, "is not a section SigID knows", cure);
}

fn is_section(value: &Value) -> bool {
    match value {
        Value::Table(_) => true,
        Value::List(entries) => entries.iter().any(|entry| matches!(entry, Value::Table(_))),
        _ => false,
    }
}

fn check_section(path: &str, value: &Value, sections: &[&'static Section], problems: &mut Problems) {
    let Value::Table(table) = value else {
        let kind = if is_section(value) { "an array of sections" } else { value.type_name() };
        return problems.add(path, format!("is {kind}"), format!("write it once, as the section [{path}]"));
    };
    for (name, inner) in table {
        let inner_path = format!("{path}.{name}");
        if is_declared(sections, &inner_path) {
            check_section(&inner_path, inner, sections, problems);
        } else if !has_key(sections, path, name) {
            refuse_key(path, name, inner, sections, problems);
        }
    }
}

fn has_key(sections: &[&'static Section], path: &str, name: &str) -> bool {
    sections.iter().filter(|section| section.name == path).flat_map(|section| section.keys).any(|key| key.name == name)
}

fn refuse_key(path: &str, name: &str, value: &Value, sections: &[&'static Section], problems: &mut Problems) {
    let key = format!("{path}.{name}");
    let keys = sections.iter().filter(|section| section.name == path).flat_map(|section| section.keys);
    let inner = sections.iter().filter_map(|section| section.name.strip_prefix(path)?.strip_prefix('.'));
    let cure = if is_section(value) {
        nearest(name, inner).map(|near| format!("did you mean [{path}.{near}]?"))
    } else if let Some(home) = find_home(name, sections) {
        Some(format!("move it under [{}]", home.name))
    } else {
        nearest(name, keys.map(|key| key.name)).map(|near| format!("did you mean {}?", shown(near)))
    };
    let cure = cure.unwrap_or_else(|| "remove it, sigid.example.toml lists every setting".to_owned());
    problems.add(key, format!("is not a setting of [{path}]"), cure);
}

/// The section that has exactly this key.
fn find_home(name: &str, sections: &[&'static Section]) -> Option<&'static Section> {
    sections.iter().find(|section| section.keys.iter().any(|key| key.name == name)).copied()
}

/// The candidate closest to `word`, if any is close: few edits away, or holding all of its words.
pub(super) fn nearest<'a>(word: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase().replace('-', "_");
    let (_, near) = candidates
        .map(|candidate| (distance(&word, candidate), candidate))
        .filter(|(edits, candidate)| is_close(&word, candidate, *edits))
        .min_by_key(|(edits, _)| *edits)?;
    Some(near)
}

fn is_close(word: &str, candidate: &str, edits: usize) -> bool {
    let longer = word.len().max(candidate.len());
    edits <= (longer / 3).max(1) || (word.len() >= 3 && candidate.starts_with(word)) || holds_words(word, candidate)
}

fn holds_words(word: &str, candidate: &str) -> bool {
    let mut parts = word.split('_').filter(|part| !part.is_empty()).peekable();
    parts.peek().is_some() && parts.all(|part| candidate.split('_').any(|other| other == part))
}

/// Optimal string alignment: insertions, deletions, substitutions and swaps of neighbours.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().take(COMPARED_CHARS_MAX).collect();
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=b.len()).collect();
    let mut previous = None;
    for (row, c) in a.chars().take(COMPARED_CHARS_MAX).enumerate() {
        let line = next_line(row, c, previous, &b, &before, &above);
        before = std::mem::replace(&mut above, line);
        previous = Some(c);
    }
    above.last().copied().unwrap_or(usize::MAX)
}

fn next_line(row: usize, c: char, previous: Option<char>, b: &[char], before: &[usize], above: &[usize]) -> Vec<usize> {
    let at = |line: &[usize], column: usize| line.get(column).copied().unwrap_or(usize::MAX - 1);
    let mut line = vec![row + 1];
    let mut left = None;
    for (column, &d) in b.iter().enumerate() {
        let mut best =
            (at(above, column) + usize::from(c != d)).min(at(above, column + 1) + 1).min(at(&line, column) + 1);
        if previous == Some(d) && left == Some(c) && column > 0 {
            best = best.min(at(before, column - 1) + 1);
        }
        line.push(best);
        left = Some(d);
    }
    line
}

const COMPARED_CHARS_MAX: usize = 64;
