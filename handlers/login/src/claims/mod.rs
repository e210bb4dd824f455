//! The standard claims of a person (OpenID Connect Core 1.0, section 5.1): which there are, what each may hold, and the
//! one spelling in which it is kept.
//!
//! One model for all who write them: the person on the account page and at registration, an operator on the command line,
//! a file of many people. So what one of them could store, every other could too, and a reader need not ask whose it
//! was. `sub`, `email`, `email_verified` and `updated_at` are no claims here: the account itself holds them ([`OWN`]).
//!
//! | shape | is kept |
//! |---|---|
//! | text, lines | composed (NFC), without blanks around, lines ended by LF |
//! | URL | `https` alone, with a host and without user information |
//! | date | ISO 8601: `1990-02-28`, `1990`, or `0000-02-28` where the year is nobody's business |
//! | zone | a name of the tz database, by its form |
//! | language | BCP 47, by its form, in the case that RFC 5646 section 2.1.1 recommends; `de_at` is `de-AT` |
//! | telephone | E.164 |
//! | flag | true or false |
//! | address | an object of section 5.1.1, its members as above |
//!
//! Blanks, `null` and an address without members say nothing and are left out. What says something that does not fit is
//! refused by name, and a fault repeats no value.
//!
//! Limits: [`CLAIM_CHARS_MAX`], [`LINES_CHARS_MAX`], [`CLAIM_URL_BYTES_MAX`] and those of [`Shape`]. Attacks considered: text
//! that misleads its reader (no control characters, none that turn the direction of what follows or hide in it), a URL
//! that runs or breaks out of a page, a claim that is nobody's to set (a name that is not in the list), a telephone that
//! calls itself verified without being there.

mod shape;

pub use shape::{CLAIM_CHARS_MAX, CLAIM_URL_BYTES_MAX, LINES_CHARS_MAX, Shape, Wrong};

use serde_json::{Map, Value};
use sigid_pages::{FieldFault, Locale};
use std::fmt;

const TEXT: Shape = Shape::Text(CLAIM_CHARS_MAX);
const LINES: Shape = Shape::Lines(LINES_CHARS_MAX);

/// Every claim that an account may hold, in the order of section 5.1.
pub const CLAIMS: [(&str, Shape); 16] = [
    ("name", TEXT),
    ("given_name", TEXT),
    ("family_name", TEXT),
    ("middle_name", TEXT),
    ("nickname", TEXT),
    ("preferred_username", TEXT),
    ("profile", Shape::Url),
    ("picture", Shape::Url),
    ("website", Shape::Url),
    ("gender", TEXT),
    ("birthdate", Shape::Date),
    ("zoneinfo", Shape::Zone),
    ("locale", Shape::Tag),
    (PHONE, Shape::Phone),
    (PHONE_VERIFIED, Shape::Flag),
    (ADDRESS, Shape::Address),
];

/// The members of the claim `address` (section 5.1.1).
pub const MEMBERS: [(&str, Shape); 6] = [
    ("formatted", LINES),
    ("street_address", LINES),
    ("locality", TEXT),
    ("region", TEXT),
    ("postal_code", Shape::Text(32)),
    ("country", TEXT),
];

/// The standard claims that the account itself holds.
pub const OWN: [&str; 4] = ["sub", "email", "email_verified", "updated_at"];

pub const ADDRESS: &str = "address";
pub const PHONE: &str = "phone_number";
pub const PHONE_VERIFIED: &str = "phone_number_verified";

/// A claim that is not kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClaimFault {
    /// Not a standard claim, or one that the account itself holds.
    Unknown(String),
    /// The claim, or the member of `address`, and what is wrong with it.
    Wrong(&'static str, Wrong),
}

impl fmt::Display for ClaimFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(name) => write!(f, "{name} is not a standard claim that an account holds"),
            Self::Wrong(name, wrong) => write!(f, "{name} {wrong}"),
        }
    }
}

impl std::error::Error for ClaimFault {}

/// The claims of a document as they are kept.
///
/// # Errors
/// The first claim that is not kept.
pub fn normalize(document: &Map<String, Value>) -> Result<Map<String, Value>, ClaimFault> {
    let mut kept = read_all(document, find)?;
    if !kept.contains_key(PHONE) {
        kept.remove(PHONE_VERIFIED);
    }
    Ok(kept)
}

/// A claim and its shape.
pub fn find(name: &str) -> Option<(&'static str, Shape)> {
    CLAIMS.into_iter().find(|(known, _)| *known == name)
}

/// A member of `address` and its shape.
pub fn find_member(name: &str) -> Option<(&'static str, Shape)> {
    MEMBERS.into_iter().find(|(known, _)| *known == name)
}

/// The claim `name` as it was typed into a form; nothing for blanks.
///
/// # Errors
/// What to say beside the field.
pub fn typed_name(text: &str) -> Result<Option<String>, FieldFault> {
    TEXT.read(text).map_err(FieldFault::from)
}

/// The language of letters to a person of these claims, where it is one of ours.
pub fn language(claims: &Map<String, Value>) -> Option<&'static str> {
    claims.get("locale").and_then(Value::as_str).and_then(Locale::from_tag).map(Locale::tag)
}

/// The value of a claim that stands in a cell of a table: flags are words, an address is a JSON object or its one
/// formatted line.
pub fn of_cell(shape: Shape, cell: &str) -> Value {
    match (shape, cell) {
        (Shape::Flag, "true" | "TRUE" | "1") => Value::Bool(true),
        (Shape::Flag, "false" | "FALSE" | "0") => Value::Bool(false),
        (Shape::Address, cell) if !cell.starts_with('{') => {
            Value::Object(Map::from_iter([("formatted".to_owned(), Value::from(cell))]))
        }
        (Shape::Address, cell) => match sigid_core::json::json_object_strict(cell.as_bytes()) {
            Ok(address) => Value::Object(address),
            Err(_) => Value::from(cell),
        },
        (_, cell) => Value::from(cell),
    }
}

/// A name from outside, short enough to be shown.
pub fn shorten(name: &str) -> String {
    name.chars().filter(|c| !shape::is_hidden(*c)).take(40).collect()
}

type Find = fn(&str) -> Option<(&'static str, Shape)>;

fn read_all(document: &Map<String, Value>, find: Find) -> Result<Map<String, Value>, ClaimFault> {
    let mut kept = Map::new();
    for (name, value) in document {
        let (name, shape) = find(name).ok_or_else(|| ClaimFault::Unknown(shorten(name)))?;
        if let Some(value) = read(name, shape, value)? {
            kept.insert(name.to_owned(), value);
        }
    }
    Ok(kept)
}

fn read(name: &'static str, shape: Shape, value: &Value) -> Result<Option<Value>, ClaimFault> {
    let wrong = |wrong| ClaimFault::Wrong(name, wrong);
    match (shape, value) {
        (_, Value::Null) => Ok(None),
        (Shape::Flag, Value::Bool(flag)) => Ok(Some(Value::Bool(*flag))),
        (Shape::Flag, _) => Err(wrong(Wrong::NotAFlag)),
        (Shape::Address, Value::Object(members)) => {
            let kept = read_all(members, find_member).map_err(|fault| match fault {
                ClaimFault::Unknown(_) => wrong(Wrong::NotAnAddress),
                fault @ ClaimFault::Wrong(..) => fault,
            })?;
            Ok((!kept.is_empty()).then_some(Value::Object(kept)))
        }
        (Shape::Address, _) => Err(wrong(Wrong::NotAnAddress)),
        (shape, Value::String(text)) => Ok(shape.read(text).map_err(wrong)?.map(Value::String)),
        _ => Err(wrong(Wrong::NotAText)),
    }
}

#[cfg(test)]
mod tests;
