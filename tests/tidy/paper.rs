//! The documentation as the house rules look at it: tables, code spans, links.

/// The code spans of a text, outside of fenced blocks.
pub fn code_spans(markdown: &str) -> Vec<&str> {
    prose(markdown).flat_map(|line| line.split('`').skip(1).step_by(2)).collect()
}

/// The targets of links, outside of fenced blocks.
pub fn links(markdown: &str) -> Vec<&str> {
    prose(markdown).flat_map(|line| line.split("](").skip(1).filter_map(|rest| rest.split(')').next())).collect()
}

fn prose(markdown: &str) -> impl Iterator<Item = &str> {
    let mut is_fenced = false;
    markdown.lines().filter(move |line| {
        let is_fence = line.trim_start().starts_with("```");
        is_fenced ^= is_fence;
        !is_fenced && !is_fence
    })
}

/// The rows of every table with this many columns, without heads and rules.
pub fn rows(markdown: &str, columns: usize) -> Vec<Vec<&str>> {
    let lines: Vec<&str> = markdown.lines().collect();
    let is_rule = |line: &str| line.starts_with('|') && line.bytes().all(|byte| b"|-: ".contains(&byte));
    let mut rows = Vec::new();
    for (number, line) in lines.iter().enumerate() {
        let is_head = lines.get(number + 1).is_some_and(|next| is_rule(next));
        if !line.starts_with('|') || is_rule(line) || is_head {
            continue;
        }
        let cells: Vec<&str> = line.trim().trim_matches('|').split(" | ").map(str::trim).collect();
        if cells.len() == columns {
            rows.push(cells);
        }
    }
    rows
}

#[test]
fn tables_and_spans_are_found() {
    let text = "| a | b |\n|---|---|\n| `x` | [y](z.md) |\n```\n`not`\n```\n";
    assert_eq!(rows(text, 2), [["`x`", "[y](z.md)"]]);
    assert_eq!((code_spans(text), links(text)), (vec!["x"], vec!["z.md"]));
}
