//! The standard claims (OpenID Connect Core 1.0, section 5.1) as an operator writes them: on the command line, or in a
//! file of many people.
//!
//! `sub`, `email`, `email_verified` and `updated_at` are no claims here: the account itself holds them. A claim of
//! another name, of the wrong type, or that would break out of a line or a page is refused by name; nothing is kept that
//! a later reader would have to doubt.

use serde_json::{Map, Value};
use std::fmt;

/// The longest text of a claim, in characters; the same as a person may write on the account page.
const TEXT_CHARS_MAX: usize = 255;
/// The longest text that may have several lines.
const LINES_CHARS_MAX: usize = 1024;
/// The longest URL.
const URL_BYTES_MAX: usize = 2048;

/// What a claim holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    Text,
    /// `http://` or `https://`.
    Url,
    /// ISO 8601: `YYYY-MM-DD`, `YYYY`, or `0000-MM-DD` where the year is nobody's business.
    Date,
    Flag,
    /// Section 5.1.1.
    Address,
}

/// Every claim that an account may hold, in the order of section 5.1.
pub const CLAIMS: [(&str, Shape); 16] = [
    ("name", Shape::Text),
    ("given_name", Shape::Text),
    ("family_name", Shape::Text),
    ("middle_name", Shape::Text),
    ("nickname", Shape::Text),
    ("preferred_username", Shape::Text),
    ("profile", Shape::Url),
    ("picture", Shape::Url),
    ("website", Shape::Url),
    ("gender", Shape::Text),
    ("birthdate", Shape::Date),
    ("zoneinfo", Shape::Text),
    ("locale", Shape::Text),
    ("phone_number", Shape::Text),
    ("phone_number_verified", Shape::Flag),
    ("address", Shape::Address),
];

/// The members of `address`.
const ADDRESS: [&str; 6] = ["formatted", "street_address", "locality", "region", "postal_code", "country"];

/// A claim that is not kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClaimFault {
    /// Not a standard claim, or one that the account itself holds.
    Unknown(String),
    /// Not of the claim's shape.
    Shape(&'static str, Shape),
}

impl fmt::Display for ClaimFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(name) => write!(f, "{name} is not a standard claim that an account holds"),
            Self::Shape(name, shape) => write!(f, "{name} is not {}", shape.describe()),
        }
    }
}

impl Shape {
    const fn describe(self) -> &'static str {
        match self {
            Self::Text => "a text of 1 to 255 characters, none of them a control character",
            Self::Url => "a URL that begins with https:// or http://",
            Self::Date => "a date such as 1990-02-28, 1990 or 0000-02-28",
            Self::Flag => "true or false",
            Self::Address => "an object with formatted, street_address, locality, region, postal_code or country",
        }
    }

    fn fits(self, value: &Value) -> bool {
        match (self, value) {
            (Self::Text, Value::String(text)) => is_text(text),
            (Self::Url, Value::String(text)) => is_url(text),
            (Self::Date, Value::String(text)) => is_date(text),
            (Self::Flag, Value::Bool(_)) => true,
            (Self::Address, Value::Object(parts)) => is_address(parts),
            _ => false,
        }
    }
}

/// Whether a document holds standard claims and nothing else.
///
/// # Errors
/// The first claim that is not kept.
pub fn check(document: &Map<String, Value>) -> Result<(), ClaimFault> {
    for (name, value) in document {
        let known = find(name).ok_or_else(|| ClaimFault::Unknown(shorten(name)))?;
        if !known.1.fits(value) {
            return Err(ClaimFault::Shape(known.0, known.1));
        }
    }
    Ok(())
}

/// A claim and its shape.
pub fn find(name: &str) -> Option<(&'static str, Shape)> {
    CLAIMS.into_iter().find(|(known, _)| *known == name)
}

/// The value of a claim that stands in a cell of a table: flags are words, an address is a JSON object or its one
/// formatted line.
pub(super) fn of_cell(shape: Shape, cell: &str) -> Value {
    match (shape, cell) {
        (Shape::Flag, "true" | "TRUE" | "1") => Value::Bool(true),
        (Shape::Flag, "false" | "FALSE" | "0") => Value::Bool(false),
        (Shape::Address, cell) if !cell.starts_with('{') => {
            let mut address = Map::new();
            address.insert("formatted".to_owned(), Value::String(cell.to_owned()));
            Value::Object(address)
        }
        (Shape::Address, cell) => match sigid_core::json::json_object_strict(cell.as_bytes()) {
            Ok(address) => Value::Object(address),
            Err(_) => Value::String(cell.to_owned()),
        },
        (_, cell) => Value::String(cell.to_owned()),
    }
}

/// A name from outside, short enough to be shown.
pub(super) fn shorten(name: &str) -> String {
    name.chars().filter(|c| !is_hidden(*c)).take(40).collect()
}

fn is_text(text: &str) -> bool {
    (1..=TEXT_CHARS_MAX).contains(&text.chars().count()) && !text.contains(is_hidden)
}

fn is_url(text: &str) -> bool {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let is_plain = |c: char| !c.is_whitespace() && !is_hidden(c) && !"<>\"'`\\".contains(c);
    text.len() <= URL_BYTES_MAX && rest.is_some_and(|rest| !rest.is_empty() && rest.chars().all(is_plain))
}

fn is_date(text: &str) -> bool {
    let number = |part: &str, digits: usize| -> Option<u32> {
        let is_plain = part.len() == digits && part.bytes().all(|byte| byte.is_ascii_digit());
        part.parse().ok().filter(|_| is_plain)
    };
    let mut parts = text.split('-');
    let year = parts.next().and_then(|year| number(year, 4));
    let month = parts.next().map(|month| number(month, 2));
    let day = parts.next().map(|day| number(day, 2));
    match (year, month, day, parts.next()) {
        (Some(year), None, None, None) => year != 0,
        (Some(year), Some(Some(month)), Some(Some(day)), None) => (1..=days(year, month)).contains(&day),
        _ => false,
    }
}

/// The days of a month; none of a month that is none. A year that is not said may be a leap year.
fn days(year: u32, month: u32) -> u32 {
    let is_leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if is_leap => 29,
        2 => 28,
        _ => 0,
    }
}

/// Lines may break in `formatted` and `street_address` (section 5.1.1).
fn is_address(parts: &Map<String, Value>) -> bool {
    !parts.is_empty()
        && parts.iter().all(|(name, value)| {
            let may_break = matches!(name.as_str(), "formatted" | "street_address");
            let Value::String(text) = value else { return false };
            let is_shown = text.chars().all(|c| !is_hidden(c) || (may_break && matches!(c, '\n' | '\r')));
            let chars_max = if may_break { LINES_CHARS_MAX } else { TEXT_CHARS_MAX };
            ADDRESS.contains(&name.as_str()) && (1..=chars_max).contains(&text.chars().count()) && is_shown
        })
}

/// Control characters, and those that turn the direction of what follows.
fn is_hidden(c: char) -> bool {
    let directs = matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    c.is_control() || directs
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_standard_claims_of_their_shape_are_kept() {
        let long = "é".repeat(256);
        for (reason, document, is_kept) in [
            ("nothing", json!({}), true),
            ("names", json!({ "name": "Ann Éclair", "nickname": "ann" }), true),
            (
                "every kind",
                json!({ "website": "https://a.example/?b", "birthdate": "1990-02-28", "phone_number_verified": true }),
                true,
            ),
            ("a birthday without its year", json!({ "birthdate": "0000-02-29" }), true),
            ("a year alone", json!({ "birthdate": "1990" }), true),
            ("an address", json!({ "address": { "formatted": "A\nB", "country": "AT" } }), true),
            ("a claim of somebody's own", json!({ "shoe_size": "42" }), false),
            ("the account's own", json!({ "email": "a@example.com" }), false),
            ("the subject", json!({ "sub": "admin" }), false),
            ("a number for a text", json!({ "name": 7 }), false),
            ("an empty text", json!({ "name": "" }), false),
            ("a text that is too long", json!({ "name": long }), false),
            ("a line break in a name", json!({ "name": "a\nb" }), false),
            ("a name that turns the line around", json!({ "name": "a\u{202e}b" }), false),
            ("a script for a page", json!({ "website": "javascript:alert(1)" }), false),
            ("an address of the web that breaks out", json!({ "picture": "https://a.example/\"><b" }), false),
            ("a flag in words", json!({ "phone_number_verified": "true" }), false),
            ("a day that is none", json!({ "birthdate": "1990-02-30" }), false),
            ("a day in another form", json!({ "birthdate": "28.02.1990" }), false),
            ("a month alone", json!({ "birthdate": "1990-02" }), false),
            ("an address with a member of its own", json!({ "address": { "planet": "Mars" } }), false),
            ("an address in one text", json!({ "address": "Mars" }), false),
        ] {
            assert_eq!(check(document.as_object().unwrap()).is_ok(), is_kept, "{reason}");
        }
    }

    #[test]
    fn a_fault_names_the_claim_and_no_value() {
        let secret = json!({ "birthdate": "hush" });
        let fault = check(secret.as_object().unwrap()).unwrap_err().to_string();
        assert_eq!(fault, "birthdate is not a date such as 1990-02-28, 1990 or 0000-02-28");
    }

    #[test]
    fn a_cell_becomes_a_claim() {
        for (reason, shape, cell, value) in [
            ("a text", Shape::Text, "Ann", json!("Ann")),
            ("a flag", Shape::Flag, "true", json!(true)),
            ("no flag: refused by its shape", Shape::Flag, "yes", json!("yes")),
            (
                "an address in one line",
                Shape::Address,
                "A Street 1, 1010 Vienna",
                json!({ "formatted": "A Street 1, 1010 Vienna" }),
            ),
            ("an address in parts", Shape::Address, r#"{"country":"AT"}"#, json!({ "country": "AT" })),
            ("broken parts: refused by its shape", Shape::Address, "{", json!("{")),
        ] {
            assert_eq!(of_cell(shape, cell), value, "{reason}");
        }
    }
}
