//! SQL text cut into statements, and each statement's locks.
//!
//! Enough of the lexer to never cut inside a string, a quoted name, a dollar quote or a comment, and a table of
//! the statements that migrations are made of. What the table does not know is said to be unknown.

/// The statements of a file, without their semicolons and the comments between them.
pub(super) fn statements(sql: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let (mut start, mut rest) = (0, sql);
    while let Some(next) = rest.chars().next() {
        let at = sql.len() - rest.len();
        if next == ';' {
            push(&mut found, sql.get(start..at));
            start = at + 1;
        }
        rest = rest.get(token_len(rest)..).unwrap_or_default();
    }
    push(&mut found, sql.get(start..));
    found
}

fn push<'a>(found: &mut Vec<&'a str>, statement: Option<&'a str>) {
    let statement = statement.unwrap_or_default();
    let mut rest = statement.trim();
    while rest.starts_with("--") || rest.starts_with("/*") {
        rest = rest.get(token_len(rest)..).unwrap_or_default().trim_start();
    }
    if !rest.is_empty() {
        found.push(rest);
    }
}

/// Bytes of the token at the start: a comment, a quoted thing, a word, or one character.
fn token_len(sql: &str) -> usize {
    let first = sql.chars().next().map_or(0, char::len_utf8);
    if sql.starts_with("--") {
        sql.find('\n').map_or(sql.len(), |end| end + 1)
    } else if sql.starts_with("/*") {
        comment_len(sql)
    } else if sql.starts_with("e'") || sql.starts_with("E'") {
        1 + quoted_len(sql.get(1..).unwrap_or_default(), '\'', true)
    } else if sql.starts_with('\'') {
        quoted_len(sql, '\'', false)
    } else if sql.starts_with('"') {
        quoted_len(sql, '"', false)
    } else if sql.starts_with('$') {
        dollar_len(sql).unwrap_or(first)
    } else if sql.starts_with(is_word) {
        sql.find(|character| !is_word(character) && character != '$').unwrap_or(sql.len())
    } else {
        first
    }
}

fn is_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

/// Comments nest.
fn comment_len(sql: &str) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while let Some(rest) = sql.get(at..).filter(|rest| !rest.is_empty()) {
        if rest.starts_with("/*") {
            depth += 1;
            at += 2;
        } else if rest.starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += rest.chars().next().map_or(1, char::len_utf8);
        }
    }
    sql.len()
}

/// A doubled quote reads as two adjacent quotations, which cuts nothing differently.
fn quoted_len(sql: &str, quote: char, backslashes: bool) -> usize {
    let mut escaped = false;
    for (at, character) in sql.char_indices().skip(1) {
        if !escaped && character == quote {
            return at + 1;
        }
        escaped = backslashes && !escaped && character == '\\';
    }
    sql.len()
}

fn dollar_len(sql: &str) -> Option<usize> {
    let tag_end = sql.get(1..)?.find('$')? + 2;
    let tag = sql.get(..tag_end)?;
    if !tag.trim_matches('$').chars().all(is_word) || tag.get(1..)?.starts_with(|digit: char| digit.is_ascii_digit()) {
        return None;
    }
    let close = sql.get(tag_end..)?.find(tag);
    Some(close.map_or(sql.len(), |at| tag_end + at + tag_end))
}

/// A table that a statement touches, and the strongest lock it takes there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Touch {
    pub(super) table: String,
    pub(super) lock: &'static str,
}

/// What a statement locks; `None` for a statement that the table below does not know.
pub(super) fn touches(statement: &str) -> Option<Vec<Touch>> {
    let words = words(statement);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match *words.as_slice() {
        ["create", "table", ref rest @ ..] => Some(create_table(rest)),
        ["create", ref rest @ ..] if rest.iter().take(2).any(|word| *word == "index") => {
            let lock = if rest.contains(&"concurrently") { SHARE_UPDATE_EXCLUSIVE } else { SHARE };
            Some(after("on", rest, lock))
        }
        ["create", ref rest @ ..] if rest.iter().take(3).any(|word| *word == "trigger") => {
            Some(after("on", rest, SHARE_ROW_EXCLUSIVE))
        }
        ["create" | "drop" | "alter", "policy", ref rest @ ..] | ["drop", "trigger", ref rest @ ..] => {
            Some(after("on", rest, ACCESS_EXCLUSIVE))
        }
        ["drop", "table" | "index", ref rest @ ..]
        | ["truncate", "table", ref rest @ ..]
        | ["truncate", ref rest @ ..] => Some(listed(rest)),
        ["alter", "table", ref rest @ ..] => Some(alter_table(rest)),
        ["insert", "into", ref rest @ ..] | ["delete", "from", ref rest @ ..] | ["update", ref rest @ ..] => {
            Some(first(rest, ROW_EXCLUSIVE))
        }
        ["comment", "on", "table", ref rest @ ..] => Some(first(rest, SHARE_UPDATE_EXCLUSIVE)),
        ["grant" | "revoke", ..] => Some(Vec::new()),
        ["create" | "drop" | "alter" | "comment", ref rest @ ..]
            if rest.iter().take(4).any(|word| LOCKLESS.contains(word)) =>
        {
            Some(Vec::new())
        }
        _ => None,
    }
}

fn create_table(rest: &[&str]) -> Vec<Touch> {
    let mut touched = first(rest, ACCESS_EXCLUSIVE);
    if let Some(at) = position(rest, "partition").filter(|at| rest.get(at + 1) == Some(&"of")) {
        touched.extend(first(rest.get(at + 2..).unwrap_or_default(), ACCESS_EXCLUSIVE));
    }
    touched.extend(referenced(rest));
    touched
}

fn alter_table(rest: &[&str]) -> Vec<Touch> {
    let mut touched = first(rest, ACCESS_EXCLUSIVE);
    let has = |word: &str| rest.contains(&word);
    let lock = if has("attach") || has("validate") {
        SHARE_UPDATE_EXCLUSIVE
    } else if has("references") || has("trigger") {
        SHARE_ROW_EXCLUSIVE
    } else {
        ACCESS_EXCLUSIVE
    };
    for touch in &mut touched {
        touch.lock = lock;
    }
    if let Some(at) = position(rest, "partition") {
        touched.extend(first(rest.get(at + 1..).unwrap_or_default(), ACCESS_EXCLUSIVE));
    }
    touched.extend(referenced(rest));
    touched
}

fn referenced(rest: &[&str]) -> Vec<Touch> {
    let mut touched: Vec<Touch> = Vec::new();
    for (at, _) in rest.iter().enumerate().filter(|(_, word)| **word == "references") {
        let target = first(rest.get(at + 1..).unwrap_or_default(), SHARE_ROW_EXCLUSIVE);
        touched.extend(target.into_iter().filter(|touch| !touched.contains(touch)).collect::<Vec<_>>());
    }
    touched
}

fn after(word: &str, rest: &[&str], lock: &'static str) -> Vec<Touch> {
    position(rest, word).map_or_else(Vec::new, |at| first(rest.get(at + 1..).unwrap_or_default(), lock))
}

fn first(rest: &[&str], lock: &'static str) -> Vec<Touch> {
    let name = rest.iter().find(|word| !NOISE.contains(word));
    name.map(|name| Touch { table: (*name).to_owned(), lock }).into_iter().collect()
}

fn listed(rest: &[&str]) -> Vec<Touch> {
    let names = rest.iter().filter(|word| !NOISE.contains(word) && !["cascade", "restrict", ","].contains(word));
    names.map(|name| Touch { table: (*name).to_owned(), lock: ACCESS_EXCLUSIVE }).collect()
}

fn position(rest: &[&str], word: &str) -> Option<usize> {
    rest.iter().position(|other| *other == word)
}

/// Words in lower case, qualified names as one word, everything else a character at a time; no comments.
fn words(statement: &str) -> Vec<String> {
    let (mut words, mut rest): (Vec<String>, _) = (Vec::new(), statement);
    let mut joins = false;
    while !rest.is_empty() {
        let (token, tail) = rest.split_at(token_len(rest).clamp(1, rest.len()));
        rest = tail;
        if token.starts_with("--") || token.starts_with("/*") || token.trim().is_empty() {
            joins = false;
            continue;
        }
        let token = if token.starts_with('"') { token.to_owned() } else { token.to_lowercase() };
        match words.last_mut() {
            Some(word) if joins || (token == "." && rest_is_name(rest)) => word.push_str(&token),
            _ => words.push(token.clone()),
        }
        joins = token == ".";
    }
    words
}

fn rest_is_name(rest: &str) -> bool {
    rest.starts_with(|character| is_word(character) || character == '"')
}

const ACCESS_EXCLUSIVE: &str = "ACCESS EXCLUSIVE: readers and writers wait";
const SHARE: &str = "SHARE: writers wait";
const SHARE_ROW_EXCLUSIVE: &str = "SHARE ROW EXCLUSIVE: writers wait";
const SHARE_UPDATE_EXCLUSIVE: &str = "SHARE UPDATE EXCLUSIVE: nobody waits but maintenance";
const ROW_EXCLUSIVE: &str = "ROW EXCLUSIVE: nobody waits but on the same rows";
const NOISE: [&str; 7] = ["if", "not", "exists", "only", "concurrently", "of", "*"];
/// Objects whose making, change or end locks no table that holds rows.
const LOCKLESS: [&str; 8] = ["schema", "function", "procedure", "type", "domain", "role", "extension", "sequence"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuts_between_statements_only() {
        for (sql, expected, why) in [
            ("select 1; select 2", vec!["select 1", "select 2"], "two"),
            (" ;; -- nothing\n", vec![], "nothing but noise"),
            ("select ';';select 2", vec!["select ';'", "select 2"], "a string"),
            ("select 'it''s;' ;", vec!["select 'it''s;'"], "a doubled quote"),
            (r"select E'\';' ;", vec![r"select E'\';'"], "an escaped quote"),
            (r"select '\';select 2", vec![r"select '\'", "select 2"], "a plain string has no escapes"),
            ("select \"a;b\"", vec!["select \"a;b\""], "a quoted name"),
            ("-- a;b\nselect 1", vec!["select 1"], "a comment before"),
            ("select 1 -- a;b\n+ 1", vec!["select 1 -- a;b\n+ 1"], "a comment inside"),
            ("/* a; /* b; */ c; */ select 1", vec!["select 1"], "nested comments"),
            ("do $$ begin; end $$; select 1", vec!["do $$ begin; end $$", "select 1"], "a dollar quote"),
            ("do $a$ ;$$; $a$;", vec!["do $a$ ;$$; $a$"], "a tagged dollar quote"),
            ("select $1; select 2", vec!["select $1", "select 2"], "a parameter is no quote"),
            ("select a$b; select c$b", vec!["select a$b", "select c$b"], "a dollar within a name"),
            ("select 'ä;ö'; select 2", vec!["select 'ä;ö'", "select 2"], "more than ASCII"),
            ("select 'open;", vec!["select 'open;"], "an unclosed string ends with the text"),
        ] {
            assert_eq!(statements(sql), expected, "{why}");
        }
    }

    #[test]
    fn knows_the_locks_of_what_migrations_do() {
        for (sql, expected) in [
            (
                "CREATE TABLE IF NOT EXISTS a.b (c int references a.d, e int references a.d (x))",
                vec![("a.b", ACCESS_EXCLUSIVE), ("a.d", SHARE_ROW_EXCLUSIVE)],
            ),
            (
                "create table a.b_1 partition of a.b default",
                vec![("a.b_1", ACCESS_EXCLUSIVE), ("a.b", ACCESS_EXCLUSIVE)],
            ),
            ("create table a.b (c int) partition by range (c)", vec![("a.b", ACCESS_EXCLUSIVE)]),
            ("create unique index x on only a.b (c)", vec![("a.b", SHARE)]),
            ("create index concurrently on a.b (c)", vec![("a.b", SHARE_UPDATE_EXCLUSIVE)]),
            ("alter table if exists only a.b add column c int", vec![("a.b", ACCESS_EXCLUSIVE)]),
            ("alter table a.b validate constraint c", vec![("a.b", SHARE_UPDATE_EXCLUSIVE)]),
            (
                "alter table a.b add foreign key (c) references a.d",
                vec![("a.b", SHARE_ROW_EXCLUSIVE), ("a.d", SHARE_ROW_EXCLUSIVE)],
            ),
            (
                "alter table a.b attach partition a.c default",
                vec![("a.b", SHARE_UPDATE_EXCLUSIVE), ("a.c", ACCESS_EXCLUSIVE)],
            ),
            (
                "drop table if exists a.b, \"A\".\"c d\" cascade",
                vec![("a.b", ACCESS_EXCLUSIVE), ("\"A\".\"c d\"", ACCESS_EXCLUSIVE)],
            ),
            ("truncate a.b", vec![("a.b", ACCESS_EXCLUSIVE)]),
            ("create policy p on a.b for select using (true)", vec![("a.b", ACCESS_EXCLUSIVE)]),
            (
                "create trigger t after insert on a.b for each row execute function f()",
                vec![("a.b", SHARE_ROW_EXCLUSIVE)],
            ),
            ("insert into a.b values (1)", vec![("a.b", ROW_EXCLUSIVE)]),
            ("update only a.b set c = 1", vec![("a.b", ROW_EXCLUSIVE)]),
            ("delete from a.b", vec![("a.b", ROW_EXCLUSIVE)]),
            ("grant select on a.b to c", vec![]),
            ("create function a.f() returns int language sql return 1", vec![]),
            ("create or replace function a.f() returns int language sql return 1", vec![]),
            ("create schema a", vec![]),
        ] {
            let expected = expected.into_iter().map(|(table, lock)| Touch { table: table.to_owned(), lock }).collect();
            assert_eq!(touches(sql), Some(expected), "{sql}");
        }
        for sql in ["do $$ begin end $$", "select 1", "vacuum a.b", "cluster a.b"] {
            assert_eq!(touches(sql), None, "{sql}");
        }
    }
}
