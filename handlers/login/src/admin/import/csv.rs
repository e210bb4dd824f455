//! Comma-separated values (RFC 4180): one record, which may stand on several lines.
//!
//! A cell in quotes may hold commas, line breaks, and quotes written twice; any other cell holds none of these. What
//! bends the rules is refused rather than guessed at: a shifted column would put a hash where a name belongs.

/// Whether a cell in quotes is still open, so that the record goes on in the next line.
pub fn is_open(text: &str) -> bool {
    text.bytes().filter(|byte| *byte == b'"').count() % 2 == 1
}

/// The cells of a whole record, without the line's end. `None`: quotes where they may not be.
pub fn split(record: &str) -> Option<Vec<String>> {
    let mut cells = Vec::new();
    let mut rest = record;
    loop {
        let (cell, after) = cell(rest)?;
        cells.push(cell);
        match after {
            Some(after) => rest = after,
            None => return Some(cells),
        }
    }
}

/// A cell, in quotes if it needs them.
pub fn quote(cell: &str) -> String {
    if cell.contains([',', '"', '\n', '\r']) { format!("\"{}\"", cell.replace('"', "\"\"")) } else { cell.to_owned() }
}

/// The first cell, and what stands behind its comma; nothing when it is the last.
fn cell(text: &str) -> Option<(String, Option<&str>)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let (cell, after) = match text.split_once(',') {
            Some((cell, after)) => (cell, Some(after)),
            None => (text, None),
        };
        return (!cell.contains('"')).then(|| (cell.to_owned(), after));
    };
    let end = closing(quoted)?;
    let cell = quoted.get(..end)?.replace("\"\"", "\"");
    let after = quoted.get(end + 1..)?;
    match after.strip_prefix(',') {
        Some(after) => Some((cell, Some(after))),
        None => after.is_empty().then_some((cell, None)),
    }
}

/// Where the quote stands that closes a cell.
fn closing(quoted: &str) -> Option<usize> {
    let mut quotes = quoted.match_indices('"').map(|(at, _)| at).peekable();
    while let Some(at) = quotes.next() {
        if quotes.peek() == Some(&(at + 1)) {
            quotes.next();
        } else {
            return Some(at);
        }
    }
    None
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn records_are_split_by_the_rules() {
        let rows: &[(&str, &str, Option<&[&str]>)] = &[
            ("plain", "a,b", Some(&["a", "b"])),
            ("one cell", "a", Some(&["a"])),
            ("empty cells", ",", Some(&["", ""])),
            ("nothing is one empty cell", "", Some(&[""])),
            ("blanks belong to the cell", " a , b ", Some(&[" a ", " b "])),
            ("a comma in quotes", "\"a,b\",c", Some(&["a,b", "c"])),
            ("a line break in quotes", "\"a\nb\",c", Some(&["a\nb", "c"])),
            ("a quote written twice", "\"a \"\"b\"\"\",c", Some(&["a \"b\"", "c"])),
            ("an empty cell in quotes", "\"\",c", Some(&["", "c"])),
            ("two quotes alone", "\"\"\"\"", Some(&["\""])),
            ("a quote within a plain cell", "a\"b,c", None),
            ("text behind the closing quote", "\"a\"b,c", None),
            ("no closing quote", "\"a,b", None),
        ];
        for (reason, record, cells) in rows {
            let cells = cells.map(|cells| cells.iter().map(ToString::to_string).collect::<Vec<_>>());
            assert_eq!(split(record), cells, "{reason}");
        }
    }

    #[test]
    fn what_is_quoted_is_read_again() {
        for cell in ["", "a", "a,b", "\"", "a\nb", "\"a\",\"b\"", "é"] {
            assert_eq!(split(&quote(cell)), Some(vec![cell.to_owned()]), "{cell:?}");
            assert!(!is_open(&quote(cell)), "{cell:?}");
        }
        assert!(is_open("\"a"));
    }
}
