//! The claims that a person may set, and what each may hold.
//!
//! Every value is shown on pages and handed to applications, so nothing is kept that could mislead a reader: no control
//! characters, none that turn the direction of what follows, URLs of `https` alone. A number of a telephone is never
//! verified by being typed.

use serde_json::{Map, Value};
use sigid_core::form::Form;
use sigid_pages::{Field, FieldFault, ProfileValues};

/// The longest text of a claim, in characters.
pub const CLAIM_CHARS_MAX: usize = 255;
/// The longest `street_address`, in characters; it may have lines.
pub const STREET_CHARS_MAX: usize = 1024;
/// The longest URL of a claim, in bytes.
pub const CLAIM_URL_BYTES_MAX: usize = 2048;
const DATE_CHARS_MAX: usize = 10;
const ZONE_CHARS_MAX: usize = 64;
const TAG_CHARS_MAX: usize = 35;
const POSTAL_CODE_CHARS_MAX: usize = 32;
/// As a person writes it, with blanks and hyphens.
const PHONE_CHARS_MAX: usize = 64;

/// What a claim holds (OpenID Connect Core 1.0 section 5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    /// At most so many characters.
    Text(usize),
    /// The same, with line breaks.
    Lines(usize),
    /// `https` alone.
    Url,
    /// ISO 8601: `YYYY-MM-DD`, `YYYY`, or `0000-MM-DD`.
    Date,
    /// A name of the tz database, by its form.
    Zone,
    /// BCP 47, by its form.
    Tag,
    /// E.164.
    Phone,
}

const CLAIMS: [(Field, Shape); 14] = [
    (Field::Name, Shape::Text(CLAIM_CHARS_MAX)),
    (Field::GivenName, Shape::Text(CLAIM_CHARS_MAX)),
    (Field::MiddleName, Shape::Text(CLAIM_CHARS_MAX)),
    (Field::FamilyName, Shape::Text(CLAIM_CHARS_MAX)),
    (Field::Nickname, Shape::Text(CLAIM_CHARS_MAX)),
    (Field::PreferredUsername, Shape::Text(CLAIM_CHARS_MAX)),
    (Field::Profile, Shape::Url),
    (Field::Picture, Shape::Url),
    (Field::Website, Shape::Url),
    (Field::Gender, Shape::Text(CLAIM_CHARS_MAX)),
    (Field::Birthdate, Shape::Date),
    (Field::Zoneinfo, Shape::Zone),
    (Field::Locale, Shape::Tag),
    (Field::PhoneNumber, Shape::Phone),
];

/// The members of the claim `address` (section 5.1.1) that a person may set.
const ADDRESS: [(Field, Shape); 5] = [
    (Field::StreetAddress, Shape::Lines(STREET_CHARS_MAX)),
    (Field::Locality, Shape::Text(CLAIM_CHARS_MAX)),
    (Field::Region, Shape::Text(CLAIM_CHARS_MAX)),
    (Field::PostalCode, Shape::Text(POSTAL_CODE_CHARS_MAX)),
    (Field::Country, Shape::Text(CLAIM_CHARS_MAX)),
];

const ADDRESS_CLAIM: &str = "address";
const PHONE_VERIFIED: &str = "phone_number_verified";

/// The claims as the form would have them; what it does not ask for stays as it is.
///
/// # Errors
/// Every field that is wrong.
pub(super) fn read(form: &Form<'_>, old: &Map<String, Value>) -> Result<Map<String, Value>, Vec<(Field, FieldFault)>> {
    let mut claims = old.clone();
    let mut faults = read_fields(form, &CLAIMS, &mut claims);
    let old_address = old.get(ADDRESS_CLAIM).and_then(Value::as_object).cloned().unwrap_or_default();
    let mut address = old_address.clone();
    faults.extend(read_fields(form, &ADDRESS, &mut address));
    if address != old_address {
        // It said the same in one text; nobody has written it anew.
        address.remove("formatted");
    }
    if address.is_empty() {
        claims.remove(ADDRESS_CLAIM);
    } else {
        claims.insert(ADDRESS_CLAIM.to_owned(), Value::Object(address));
    }
    let phone = Field::PhoneNumber.name();
    if claims.get(phone) != old.get(phone) {
        claims.remove(PHONE_VERIFIED);
    }
    if faults.is_empty() { Ok(claims) } else { Err(faults) }
}

fn read_fields(form: &Form<'_>, fields: &[(Field, Shape)], into: &mut Map<String, Value>) -> Vec<(Field, FieldFault)> {
    let mut faults = Vec::new();
    for (field, shape) in fields.iter().copied() {
        match form.find(field.name()).map(str::trim).filter(|text| !text.is_empty()) {
            None => {
                into.remove(field.name());
            }
            Some(text) => match shape.read(text) {
                Ok(value) => {
                    into.insert(field.name().to_owned(), Value::String(value));
                }
                Err(fault) => faults.push((field, fault)),
            },
        }
    }
    faults
}

/// What the page shows of an account.
pub(super) fn shown(claims: &Map<String, Value>) -> ProfileValues {
    let address = claims.get(ADDRESS_CLAIM).and_then(Value::as_object);
    let mut values = ProfileValues::default();
    for (field, _) in CLAIMS {
        fill(&mut values, field, claims.get(field.name()).and_then(Value::as_str));
    }
    for (field, _) in ADDRESS {
        fill(&mut values, field, address.and_then(|address| address.get(field.name())?.as_str()));
    }
    values
}

/// What was typed, to be shown again beside what is wrong with it.
pub(super) fn typed(form: &Form<'_>) -> ProfileValues {
    let mut values = ProfileValues::default();
    for (field, _) in CLAIMS.into_iter().chain(ADDRESS) {
        fill(&mut values, field, form.find(field.name()));
    }
    values
}

fn fill(values: &mut ProfileValues, field: Field, text: Option<&str>) {
    let place = match field {
        Field::Name => &mut values.name,
        Field::GivenName => &mut values.given_name,
        Field::MiddleName => &mut values.middle_name,
        Field::FamilyName => &mut values.family_name,
        Field::Nickname => &mut values.nickname,
        Field::PreferredUsername => &mut values.preferred_username,
        Field::Profile => &mut values.profile,
        Field::Picture => &mut values.picture,
        Field::Website => &mut values.website,
        Field::Gender => &mut values.gender,
        Field::Birthdate => &mut values.birthdate,
        Field::Zoneinfo => &mut values.zoneinfo,
        Field::Locale => &mut values.locale,
        Field::PhoneNumber => &mut values.phone_number,
        Field::StreetAddress => &mut values.street_address,
        Field::Locality => &mut values.locality,
        Field::Region => &mut values.region,
        Field::PostalCode => &mut values.postal_code,
        Field::Country => &mut values.country,
        Field::Email
        | Field::NewEmail
        | Field::Password
        | Field::CurrentPassword
        | Field::NewPassword
        | Field::DisplayName => return,
    };
    text.unwrap_or_default().clone_into(place);
}

impl Shape {
    fn read(self, text: &str) -> Result<String, FieldFault> {
        let (chars_max, may_break) = match self {
            Self::Text(max) => (max, false),
            Self::Lines(max) => (max, true),
            Self::Url => (CLAIM_URL_BYTES_MAX, false),
            Self::Date => (DATE_CHARS_MAX, false),
            Self::Zone => (ZONE_CHARS_MAX, false),
            Self::Tag => (TAG_CHARS_MAX, false),
            Self::Phone => (PHONE_CHARS_MAX, false),
        };
        let text = if may_break { text.replace("\r\n", "\n") } else { text.to_owned() };
        if text.chars().any(|c| is_hidden(c) && !(may_break && c == '\n')) {
            return Err(FieldFault::Unprintable);
        }
        if text.chars().count() > chars_max {
            return Err(FieldFault::TooLong(chars_max));
        }
        match self {
            Self::Text(_) | Self::Lines(_) => Ok(text),
            Self::Url => held(text, is_url, FieldFault::NotAUrl),
            Self::Date => held(text, is_date, FieldFault::NotADate),
            Self::Zone => held(text, is_zone, FieldFault::NotAZone),
            Self::Tag => held(text, is_tag, FieldFault::NotALocale),
            Self::Phone => e164(&text).ok_or(FieldFault::NotAPhone),
        }
    }
}

fn held(text: String, is_good: fn(&str) -> bool, fault: FieldFault) -> Result<String, FieldFault> {
    if is_good(&text) { Ok(text) } else { Err(fault) }
}

/// Control characters, and those that turn the direction of what follows or hide in it.
fn is_hidden(c: char) -> bool {
    let directs = matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let hides = matches!(c, '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}');
    c.is_control() || directs || hides
}

/// `https`, a host, no user information, nothing that would break out of a page.
fn is_url(text: &str) -> bool {
    let Some(rest) = text.strip_prefix("https://") else { return false };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let is_plain = |c: char| !c.is_whitespace() && !"<>\"'`\\{}|^".contains(c);
    let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host);
    text.len() <= CLAIM_URL_BYTES_MAX
        && !host.is_empty()
        && !authority.contains('@')
        && !host.starts_with('.')
        && rest.chars().all(is_plain)
}

fn is_date(text: &str) -> bool {
    let number = |part: &str, digits: usize| -> Option<u32> {
        let is_plain = part.len() == digits && part.bytes().all(|byte| byte.is_ascii_digit());
        part.parse().ok().filter(|_| is_plain)
    };
    let parts: Vec<&str> = text.split('-').collect();
    match parts.as_slice() {
        [year] => number(year, 4).is_some_and(|year| year != 0),
        [year, month, day] => match (number(year, 4), number(month, 2), number(day, 2)) {
            (Some(year), Some(month), Some(day)) => (1..=days(year, month)).contains(&day),
            _ => false,
        },
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

/// `Europe/Vienna`, `America/Argentina/Ushuaia`, `UTC`.
fn is_zone(text: &str) -> bool {
    let is_part = |part: &str| {
        part.starts_with(|c: char| c.is_ascii_alphabetic())
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'+'))
    };
    text.split('/').all(is_part) && text.split('/').count() <= 3
}

/// A language and what narrows it: `de`, `de-AT`, `zh-Hant-TW`.
fn is_tag(text: &str) -> bool {
    let mut parts = text.split('-');
    let is_language = |part: &str| (2..=8).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphabetic());
    let is_part = |part: &str| (1..=8).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric());
    parts.next().is_some_and(is_language) && parts.all(is_part)
}

/// `+` and 7 to 15 digits, without what people put between them.
fn e164(text: &str) -> Option<String> {
    let digits: String = text
        .strip_prefix('+')?
        .chars()
        .filter(|c| !matches!(c, ' ' | '-' | '.' | '(' | ')' | '/' | '\u{a0}'))
        .collect();
    let is_number = (7..=15).contains(&digits.len())
        && digits.bytes().all(|byte| byte.is_ascii_digit())
        && !digits.starts_with('0');
    is_number.then(|| format!("+{digits}"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use serde_json::json;

    fn escaped(text: &str) -> String {
        let mut out = String::new();
        sigid_core::form::escape_into(text, &mut out);
        out
    }

    fn read_one(field: &str, text: &str) -> Result<Map<String, Value>, Vec<(Field, FieldFault)>> {
        let body = format!("{field}={}", escaped(text));
        read(&Form::parse(body.as_bytes(), &[]).unwrap(), &Map::new())
    }

    #[test]
    fn claims_are_kept_in_their_one_spelling() {
        for (reason, field, text, kept) in [
            ("a name", "name", "Ann Éclair", json!({ "name": "Ann Éclair" })),
            ("blanks around", "nickname", "  ann ", json!({ "nickname": "ann" })),
            ("nothing", "nickname", "   ", json!({})),
            ("a URL", "website", "https://a.example/?b=c#d", json!({ "website": "https://a.example/?b=c#d" })),
            ("a URL with a port", "picture", "https://a.example:8443", json!({ "picture": "https://a.example:8443" })),
            ("a date", "birthdate", "1990-02-28", json!({ "birthdate": "1990-02-28" })),
            ("a year", "birthdate", "1990", json!({ "birthdate": "1990" })),
            ("a day of no year", "birthdate", "0000-02-29", json!({ "birthdate": "0000-02-29" })),
            ("a zone", "zoneinfo", "America/Argentina/Ushuaia", json!({ "zoneinfo": "America/Argentina/Ushuaia" })),
            ("a zone without area", "zoneinfo", "UTC", json!({ "zoneinfo": "UTC" })),
            ("a language", "locale", "zh-Hant-TW", json!({ "locale": "zh-Hant-TW" })),
            ("a telephone", "phone_number", "+43 (1) 234-5678", json!({ "phone_number": "+4312345678" })),
            ("a street of two lines", "street_address", "A\r\nB", json!({ "address": { "street_address": "A\nB" } })),
            ("a country", "country", "Österreich", json!({ "address": { "country": "Österreich" } })),
            ("a claim that is nobody's to set", "email_verified", "true", json!({})),
            ("a telephone that calls itself verified", "phone_number_verified", "true", json!({})),
        ] {
            assert_eq!(Value::Object(read_one(field, text).unwrap()), kept, "{reason}");
        }
    }

    #[test]
    fn what_does_not_fit_is_refused_by_its_field() {
        use FieldFault::{NotADate, NotALocale, NotAPhone, NotAUrl, NotAZone, TooLong, Unprintable};
        let long = "x".repeat(256);
        let long_street = "x".repeat(1025);
        let long_url = format!("https://a.example/{}", "x".repeat(2048));
        for (reason, field, text, fault) in [
            ("too long", "name", long.as_str(), TooLong(255)),
            ("a long street", "street_address", &long_street, TooLong(1024)),
            ("a line break in a name", "name", "a\nb", Unprintable),
            ("a NUL", "gender", "a\0b", Unprintable),
            ("text that turns around", "name", "a\u{202e}b", Unprintable),
            ("a mark of direction", "nickname", "\u{61c}ann", Unprintable),
            ("a hidden tag", "nickname", "ann\u{e0041}", Unprintable),
            ("a lone carriage return in a street", "street_address", "A\rB", Unprintable),
            ("http", "website", "http://a.example", NotAUrl),
            ("a script", "website", "javascript:alert(1)", NotAUrl),
            ("no host", "profile", "https:///x", NotAUrl),
            ("a user", "profile", "https://a@b.example", NotAUrl),
            ("a URL that breaks out", "picture", "https://a.example/\"><b", NotAUrl),
            ("a blank", "picture", "https://a.example/a b", NotAUrl),
            ("a long URL", "picture", &long_url, TooLong(2048)),
            ("a day that is none", "birthdate", "1990-02-30", NotADate),
            ("another form", "birthdate", "28.2.1990", NotADate),
            ("a month", "birthdate", "1990-02", NotADate),
            ("the year nought", "birthdate", "0000", NotADate),
            ("a path", "zoneinfo", "../etc/passwd", NotAZone),
            ("an offset", "zoneinfo", "+01:00", NotAZone),
            ("too deep", "zoneinfo", "A/B/C/D", NotAZone),
            ("an underscore", "locale", "de_AT", NotALocale),
            ("a number", "locale", "1", NotALocale),
            ("an empty part", "locale", "de-", NotALocale),
            ("no country", "phone_number", "0123456789", NotAPhone),
            ("a nought first", "phone_number", "+0123456789", NotAPhone),
            ("letters", "phone_number", "+1800FLOWERS", NotAPhone),
            ("too many digits", "phone_number", "+1234567890123456", NotAPhone),
        ] {
            let faults = read_one(field, text).unwrap_err();
            assert_eq!(
                faults.iter().map(|(field, fault)| (field.name(), *fault)).collect::<Vec<_>>(),
                [(field, fault)],
                "{reason}"
            );
        }
    }

    #[test]
    fn what_the_form_does_not_ask_for_stays() {
        let old = json!({
            "name": "Ann", "nickname": "a", "phone_number": "+4312345678", "phone_number_verified": true,
            "address": { "formatted": "A 1, Wien", "country": "AT" },
        });
        let old = old.as_object().unwrap();
        for (reason, body, kept) in [
            (
                "nothing changed",
                "name=Ann&nickname=a&phone_number=%2B43+1+2345678&country=AT",
                Value::Object(old.clone()),
            ),
            (
                "another telephone is not verified",
                "name=Ann&phone_number=%2B4387654321&country=AT",
                json!({ "name": "Ann", "phone_number": "+4387654321", "address": { "formatted": "A 1, Wien", "country": "AT" } }),
            ),
            (
                "an address that moved has no old text",
                "name=Ann&phone_number=%2B4312345678&country=DE",
                json!({ "name": "Ann", "phone_number": "+4312345678", "phone_number_verified": true, "address": { "country": "DE" } }),
            ),
            ("everything emptied", "csrf=x", json!({})),
        ] {
            let claims = read(&Form::parse(body.as_bytes(), &[]).unwrap(), old).unwrap();
            assert_eq!(Value::Object(claims), kept, "{reason}");
        }
    }

    #[test]
    fn what_is_kept_is_shown_and_what_was_typed_is_shown_again() {
        let claims = json!({ "name": "Ann", "birthdate": 7, "address": { "country": "AT" } });
        let values = shown(claims.as_object().unwrap());
        assert_eq!((values.name.as_str(), values.birthdate.as_str(), values.country.as_str()), ("Ann", "", "AT"));
        let values = typed(&Form::parse(b"phone_number=x&region=%20W", &[]).unwrap());
        assert_eq!((values.phone_number.as_str(), values.region.as_str()), ("x", " W"));
    }
}
