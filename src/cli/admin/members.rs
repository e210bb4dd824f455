//! The flags of a registration document, made from the table of its members.

use clap::builder::BoolishValueParser;
use clap::{Arg, ArgAction, ArgMatches, Command, Error, FromArgMatches};
use serde_json::{Value, json};
use sigid_core::json::json_object_strict;
use sigid_tenant::clients::Document;
use sigid_tenant::clients::members::{MEMBERS, Member, Shape, Standing};

/// The members that were named on the command line.
pub(super) struct Members(pub(super) Document);

impl clap::Args for Members {
    fn augment_args(command: Command) -> Command {
        command.args(MEMBERS.iter().map(flag))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for Members {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        let said = |member: &Member| Some((member.name.to_owned(), value(member, matches)?));
        Ok(Self(MEMBERS.iter().filter_map(said).collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        self.0.extend(Self::from_arg_matches(matches)?.0);
        Ok(())
    }
}

fn flag(member: &'static Member) -> Arg {
    let arg = Arg::new(member.name)
        .long(member.flag)
        .help(member.help)
        .help_heading("Registration (arrays: repeat the flag; an empty value takes a member away)")
        .hide(member.standing == Standing::Absent);
    match member.shape {
        Shape::Text => arg.value_name("TEXT"),
        Shape::List | Shape::Words => arg.value_name("TEXT").action(ArgAction::Append),
        Shape::Seconds => arg.value_name("SECONDS").value_parser(clap::value_parser!(u64)),
        Shape::Object => arg.value_name("JSON").value_parser(parse_object),
        Shape::Flag => {
            arg.value_name("BOOL").num_args(0..=1).default_missing_value("true").value_parser(BoolishValueParser::new())
        }
    }
}

fn value(member: &Member, matches: &ArgMatches) -> Option<Value> {
    let name = member.name;
    match member.shape {
        Shape::Text => matches.get_one::<String>(name).map(|text| json!(text)),
        Shape::Words => words(matches, name).map(|words| json!(words.join(" "))),
        Shape::List => words(matches, name).map(|words| json!(words)),
        Shape::Seconds => matches.get_one::<u64>(name).map(|seconds| json!(seconds)),
        Shape::Object => matches.get_one::<Value>(name).cloned(),
        Shape::Flag => matches.get_one::<bool>(name).map(|said| json!(said)),
    }
}

/// All values of a repeated flag but empty ones.
fn words<'m>(matches: &'m ArgMatches, name: &str) -> Option<Vec<&'m str>> {
    let values = matches.get_many::<String>(name)?;
    Some(values.map(String::as_str).filter(|text| !text.is_empty()).collect())
}

/// Strict: a doubled member in a key set is a mistake or an attack.
fn parse_object(text: &str) -> Result<Value, &'static str> {
    if text.is_empty() {
        return Ok(Value::Null);
    }
    json_object_strict(text.as_bytes()).map(Value::Object).map_err(|_| "not a JSON object")
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use clap::Args as _;

    use super::*;

    fn parse(words: &[&str]) -> Result<Value, Error> {
        let command = Members::augment_args(Command::new("create").no_binary_name(true));
        let matches = command.try_get_matches_from(words)?;
        Ok(Value::Object(Members::from_arg_matches(&matches)?.0))
    }

    #[test]
    fn flags_become_members() {
        let rows: &[(&[&str], Value, &str)] = &[
            (&[], json!({}), "nothing"),
            (&["--client-name", "A"], json!({ "client_name": "A" }), "text"),
            (&["--redirect-uri", "a", "--redirect-uri", "b"], json!({ "redirect_uris": ["a", "b"] }), "repeated"),
            (&["--redirect-uri", ""], json!({ "redirect_uris": [] }), "taken away"),
            (&["--scope", "a b", "--scope", "c"], json!({ "scope": "a b c" }), "words"),
            (&["--require-auth-time"], json!({ "require_auth_time": true }), "flag"),
            (&["--require-auth-time", "true"], json!({ "require_auth_time": true }), "flag, said apart"),
            (&["--require-auth-time=false"], json!({ "require_auth_time": false }), "flag, said"),
            (&["--default-max-age", "60"], json!({ "default_max_age": 60 }), "seconds"),
            (&["--jwks", r#"{"keys":[]}"#], json!({ "jwks": { "keys": [] } }), "object"),
            (&["--jwks-uri", "https://a"], json!({ "jwks_uri": "https://a" }), "not in this build, but known"),
        ];
        for (words, document, why) in rows {
            assert_eq!(parse(words).unwrap(), *document, "{why}");
        }
    }

    #[test]
    fn what_is_no_member_is_a_usage_error() {
        let rows: &[(&[&str], &str)] = &[
            (&["--favourite-colour", "blue"], "unknown flag"),
            (&["--default-max-age", "soon"], "no number"),
            (&["--jwks", "[]"], "no object"),
            (&["--jwks", r#"{"keys":[],"keys":[]}"#], "a doubled member"),
        ];
        for (words, why) in rows {
            assert!(parse(words).is_err(), "{why}");
        }
    }
}
