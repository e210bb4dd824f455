//! Exactly the file: TOML read into the tables that declarations are held against.

use sigid_core::settings::{Problems, Table, Value};

/// Sections of the operator's reference whose feature this build does not have.
pub const LATER: &[&str] = &[
    "access_control",
    "adaptive_mfa",
    "anonymous",
    "api_keys",
    "billing",
    "captcha",
    "chains",
    "challenge",
    "commerce",
    "device_authorization",
    "dpop",
    "email_otp",
    "enterprise_sso",
    "generic_oauth",
    "hibp",
    "invitations",
    KMS,
    "magic_link",
    "oauth_proxy",
    "openapi",
    "organizations",
    "passkey",
    "phone",
    "proxy",
    "refresh_family_cache",
    "scim",
    "siwe",
    "sms",
    "social",
    "two_factor",
    "vault",
    "verified_domains",
    "wallet",
    "webhooks",
];

/// The key service; production cannot do without it.
pub const KMS: &str = "kms";

/// The file's tables; one problem, with line and column, when it is not TOML.
pub fn parse(text: &str, file: &str, problems: &mut Problems) -> Option<Table> {
    match text.parse::<toml::Table>() {
        Ok(table) => Some(without_kms_in_production(convert_table(table))),
        Err(error) => {
            let (line, column) = position(text, error.span().map_or(0, |span| span.start));
            // The message alone: the rendered error repeats the line, which may hold a password.
            let what = format!("line {line}, column {column} is not TOML, {}", error.message());
            problems.add(file, what, "correct that line, sigid.example.toml shows the form");
            None
        }
    }
}

/// Production itself names the key service, with a better cure than "remove it".
fn without_kms_in_production(mut root: Table) -> Table {
    if let Some(Value::Table(security)) = root.get("security")
        && matches!(security.get("production"), Some(Value::Boolean(true)))
    {
        root.remove(KMS);
    }
    root
}

fn position(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    let column = before.get(line_start..).unwrap_or_default().chars().count() + 1;
    (before.matches('\n').count() + 1, column)
}

fn convert_table(table: toml::Table) -> Table {
    table.into_iter().map(|(name, value)| (name, convert(value))).collect()
}

fn convert(value: toml::Value) -> Value {
    match value {
        toml::Value::String(text) => Value::Text(text),
        toml::Value::Integer(value) => Value::Integer(value),
        toml::Value::Boolean(value) => Value::Boolean(value),
        toml::Value::Array(entries) => Value::List(entries.into_iter().map(convert).collect()),
        toml::Value::Table(table) => Value::Table(convert_table(table)),
        toml::Value::Float(_) => Value::Other("a fraction"),
        toml::Value::Datetime(_) => Value::Other("a date"),
    }
}
