//! Comma-separated values (RFC 4180): one record, which may stand on several lines.
//!
//! A cell in quotes may hold commas, line breaks, and quotes written twice; any other cell holds none of these. What
//! bends the rules is refused rather than guessed at: a shifted column would put a hash where a name belongs.

/// Where in a record one is, so that it is known whether it goes on in the next line. Only a quote at the beginning of a
/// cell opens one; a quote elsewhere is refused by [`split`], and takes no line with it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scan {
    #[default]
    Begin,
    Plain,
    Quoted,
    /// Behind a quote within a cell in quotes: its end, or the first of two.
    Closing,
}

impl Scan {
    /// Goes on over a part of a line; the ends of lines are not fed.
    pub fn feed(&mut self, part: &[u8]) {
        for byte in part {
            *self = match (*self, byte) {
                (Self::Quoted, b'"') => Self::Closing,
                (Self::Quoted, _) | (Self::Begin | Self::Closing, b'"') => Self::Quoted,
                (_, b',') => Self::Begin,
                _ => Self::Plain,
            };
        }
    }

    /// A cell in quotes is not closed.
    pub fn is_open(self) -> bool {
        self == Self::Quoted
    }
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
            assert!(!scanned(&quote(cell)).is_open(), "{cell:?}");
        }
    }

    fn scanned(text: &str) -> Scan {
        let mut scan = Scan::default();
        text.bytes().for_each(|byte| scan.feed(&[byte]));
        scan
    }

    #[test]
    fn a_quote_at_the_beginning_of_a_cell_opens_it() {
        for (reason, text, is_open) in [
            ("opened", "\"a", true),
            ("in the second cell", "a,\"b", true),
            ("closed", "\"a\"", false),
            ("closed and another opened", "\"a\",\"b", true),
            ("a quote in a cell", "\"a\"\"b", true),
            ("and closed", "\"a\"\"\"", false),
            ("a stray one in a plain cell", "a\"b,c", false),
            ("one behind a cell", "\"a\"b\"c", false),
            ("nothing", "", false),
        ] {
            assert_eq!(scanned(text).is_open(), is_open, "{reason}");
        }
    }
}
