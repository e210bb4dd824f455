//! An account for people to read.

use sigid_login::admin::{Person, Standing};

use crate::cli::admin::print;

/// The account, a member a line, and its memberships as a table below.
pub(super) fn person(person: &Person, standings: &[Standing], sessions: i64) -> String {
    let yes =
        |since_s: Option<i64>| since_s.map_or_else(|| "no".to_owned(), |at_s| format!("yes, {}", print::time(at_s)));
    let mut lines: Vec<(&str, String)> = vec![
        ("user", person.user_id.to_string()),
        ("email", person.email.clone()),
        ("verified", yes(person.email_verified_s)),
        ("password", yes(person.password_changed_s)),
        ("state", person.state.as_str().to_owned()),
        ("sessions", sessions.to_string()),
        ("created", print::time(person.created_s)),
        ("updated", print::time(person.updated_s)),
    ];
    if let Some(at_s) = person.deletes_s {
        lines.push(("erased at", print::time(at_s)));
    }
    let mut text = lines.iter().fold(String::new(), |text, (name, value)| text + &format!("{name:<10}  {value}\n"));
    if !person.claims.is_empty() {
        text.push('\n');
        text.push_str(&print::members(&person.claims));
        text.push('\n');
    }
    text.push('\n');
    text.push_str(&print::table(
        ["TENANT", "SUBJECT", "STATE", "SINCE"],
        &standings.iter().map(row).collect::<Vec<_>>(),
    ));
    text
}

fn row(standing: &Standing) -> [String; 4] {
    [standing.slug.clone(), standing.sub.clone(), standing.state.as_str().to_owned(), print::time(standing.since_s)]
}
