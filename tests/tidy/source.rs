//! The repository as the house rules look at it: files, string literals, functions.
//!
//! A small lexer, not a parser: it knows comments, strings, raw strings and characters, which is all that is
//! needed to tell what a program says from what it says about itself.

use std::path::{Path, PathBuf};

/// A file of the repository.
pub struct File {
    /// From the top of the repository, with `/`.
    pub path: String,
    pub text: String,
}

pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The text of one file.
pub fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Every file with one of these endings, sorted; what is built, hidden or private to a developer left out.
pub fn files(endings: &[&str]) -> Vec<File> {
    let mut found = Vec::new();
    collect(&root(), endings, &mut found);
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

fn collect(directory: &Path, endings: &[&str], found: &mut Vec<File>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            if !name.starts_with('.') && name != "target" {
                collect(&path, endings, found);
            }
        } else if endings.iter().any(|ending| name.ends_with(ending)) {
            // Another test may remove what it made between the listing and the reading.
            let Ok(text) = std::fs::read_to_string(&path) else { continue };
            found.push(File { path: path.strip_prefix(root()).unwrap().to_string_lossy().into_owned(), text });
        }
    }
}

/// Sources of the program: neither tests nor benches nor the load harness.
pub fn program() -> Vec<File> {
    files(&[".rs"]).into_iter().filter(|file| is_program(&file.path)).map(without_tests).collect()
}

fn is_program(path: &str) -> bool {
    let is_ours = ["src/", "io/src/", "handlers/"].iter().any(|place| path.starts_with(place));
    is_ours && !path.ends_with("tests.rs") && !path.contains("/tests/") && !path.contains("/testkit")
}

/// Everything before the test module, which comes last in a file.
fn without_tests(mut file: File) -> File {
    let end = file.text.find("\n#[cfg(test)]\nmod tests").or_else(|| file.text.find("\n#[cfg(test)]\n#[allow"));
    file.text.truncate(end.unwrap_or(file.text.len()));
    file
}

/// A string literal and where it begins.
#[derive(Debug, PartialEq)]
pub struct Literal {
    pub at: usize,
    pub value: String,
}

/// The string literals of a source, escapes left as they are written.
pub fn literals(text: &str) -> Vec<Literal> {
    let mut found = Vec::new();
    scan(text, |at, _, value| found.extend(value.map(|value| Literal { at, value: value.to_owned() })));
    found
}

/// The source with its comments and strings blanked, at unchanged places.
pub fn code(text: &str) -> String {
    let mut code = text.as_bytes().to_vec();
    scan(text, |at, end, _| code[at..end].iter_mut().filter(|byte| **byte != b'\n').for_each(|byte| *byte = b' '));
    String::from_utf8(code).unwrap()
}

/// Calls `on` with begin and end of every comment, and of every string with what is in it.
fn scan<'t>(text: &'t str, mut on: impl FnMut(usize, usize, Option<&'t str>)) {
    let mut at = 0;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        let found = if rest.starts_with("//") {
            Some((rest.find('\n').unwrap_or(rest.len()), None))
        } else if rest.starts_with("/*") {
            Some((rest.find("*/").map_or(rest.len(), |end| end + 2), None))
        } else if let Some(hashes) = raw_hashes(rest) {
            let close = format!("\"{}", "#".repeat(hashes));
            let inside = &rest[hashes + 2..];
            let inside = &inside[..inside.find(&close).unwrap_or(inside.len())];
            Some(((inside.len() + 2 * hashes + 3).min(rest.len()), Some(inside)))
        } else if rest.starts_with('"') {
            let length = string_length(&rest.as_bytes()[1..]);
            Some(((length + 2).min(rest.len()), Some(&rest[1..=length])))
        } else {
            None
        };
        match found {
            Some((length, value)) => {
                on(at, at + length, value);
                at += length;
            }
            None if rest.starts_with('\'') => at += char_length(rest),
            None => at += rest.chars().next().map_or(1, char::len_utf8),
        }
    }
}

/// `r"`, `r#"` and so on: the number of hashes.
fn raw_hashes(rest: &str) -> Option<usize> {
    let after = rest.strip_prefix('r')?;
    let hashes = after.bytes().take_while(|byte| *byte == b'#').count();
    after[hashes..].starts_with('"').then_some(hashes)
}

fn string_length(bytes: &[u8]) -> usize {
    let mut at = 0;
    while at < bytes.len() && bytes[at] != b'"' {
        at += if bytes[at] == b'\\' { 2 } else { 1 };
    }
    at.min(bytes.len())
}

/// A character literal whole; of a lifetime only its quote.
fn char_length(rest: &str) -> usize {
    let mut inner = rest[1..].chars();
    match (inner.next(), inner.next()) {
        (Some('\\'), _) => rest[2..].get(1..).and_then(|tail| tail.find('\'')).map_or(1, |end| end + 4),
        (Some(c), Some('\'')) => c.len_utf8() + 2,
        _ => 1,
    }
}

/// The name of the function around a place: the last one that began before it.
pub fn function_at(text: &str, at: usize) -> &str {
    let begin = text[..at].rfind("fn ").map_or(at, |begin| begin + 3);
    text[begin..].split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default()
}

/// The names of every function that a runner calls a test.
pub fn test_names() -> Vec<String> {
    let mut names = Vec::new();
    for file in files(&[".rs"]) {
        let mut is_test = false;
        for line in file.text.lines().map(str::trim) {
            let is_attribute = line.starts_with("#[");
            is_test = if is_attribute { is_test || line.contains("test") && !line.contains("cfg(") } else { is_test };
            if let Some((_, rest)) = line.split_once("fn ").filter(|_| !is_attribute && !line.starts_with("//")) {
                if is_test {
                    names.extend(rest.split(['(', '<']).next().map(str::to_owned));
                }
                is_test = false;
            }
        }
    }
    names
}

#[test]
fn the_lexer_tells_strings_from_the_rest() {
    let source = r##"// "no" /* "no" */
        let a = "one \" more"; /* "no" */ let b = '"'; let c: &'static str = r#"two " more"#; let d = '\''; "three" '\u{e9}' "four""##;
    let values: Vec<String> = literals(source).into_iter().map(|literal| literal.value).collect();
    assert_eq!(values, ["one \\\" more", "two \" more", "three", "four"]);
    assert_eq!(code("a // b\n\"c\" d"), "a     \n    d");
    assert_eq!(function_at("fn one() {} pub async fn two(x: u8) { \"here\" }", 40), "two");
}
