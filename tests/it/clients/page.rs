//! The page, and the files in it.

use std::collections::BTreeMap;

/// File name -> text, of every fenced block that has a name.
pub fn files() -> BTreeMap<String, String> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/CLIENTS.md");
    parse(&std::fs::read_to_string(path).unwrap())
}

/// The text of one of them.
pub fn file(name: &str) -> String {
    files().remove(name).unwrap_or_else(|| panic!("docs/CLIENTS.md has no block called {name}"))
}

fn parse(markdown: &str) -> BTreeMap<String, String> {
    let mut files = BTreeMap::new();
    let mut lines = markdown.lines();
    while let Some(line) = lines.next() {
        let Some(info) = line.strip_prefix("```") else { continue };
        let text: String = lines.by_ref().take_while(|line| *line != "```").flat_map(|line| [line, "\n"]).collect();
        if let Some(name) = info.split_whitespace().nth(1) {
            assert!(files.insert(name.to_owned(), text).is_none(), "{name} is there twice");
        }
    }
    files
}

#[test]
fn blocks_with_a_name_are_files_and_others_are_not() {
    let files = parse("text\n```sh a.sh\necho 1\n\necho 2\n```\n```sh\nno\n```\n```js b.mjs\n```\n");
    let found: Vec<(&str, &str)> = files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    assert_eq!(found, [("a.sh", "echo 1\n\necho 2\n"), ("b.mjs", "")]);
}
