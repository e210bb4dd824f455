//! The form of a profile and the claims of an account: which fields stand for which claims, and what stays as it is.
//!
//! What a claim may hold is decided in [`sigid_login::claims`], for this form as for everybody else. A number of a
//! telephone is never verified by being typed.

use serde_json::{Map, Value};
use sigid_core::form::Form;
use sigid_login::claims::{self, Shape};
use sigid_pages::{Field, FieldFault, ProfileValues};

/// The claims that a person may set, in the order of the page.
const CLAIMS: [Field; 14] = [
    Field::Name,
    Field::GivenName,
    Field::MiddleName,
    Field::FamilyName,
    Field::Nickname,
    Field::PreferredUsername,
    Field::Profile,
    Field::Picture,
    Field::Website,
    Field::Gender,
    Field::Birthdate,
    Field::Zoneinfo,
    Field::Locale,
    Field::PhoneNumber,
];

/// The members of the claim `address` (section 5.1.1) that a person may set.
const ADDRESS: [Field; 5] = [Field::StreetAddress, Field::Locality, Field::Region, Field::PostalCode, Field::Country];

/// The claims as the form would have them; what it does not ask for stays as it is.
///
/// # Errors
/// Every field that is wrong.
pub(super) fn read(form: &Form<'_>, old: &Map<String, Value>) -> Result<Map<String, Value>, Vec<(Field, FieldFault)>> {
    let mut claims = old.clone();
    let mut faults = read_fields(form, &CLAIMS, claims::find, &mut claims);
    let old_address = old.get(claims::ADDRESS).and_then(Value::as_object).cloned().unwrap_or_default();
    let mut address = old_address.clone();
    faults.extend(read_fields(form, &ADDRESS, claims::find_member, &mut address));
    if address != old_address {
        // It said the same in one text; nobody has written it anew.
        address.remove("formatted");
    }
    if address.is_empty() {
        claims.remove(claims::ADDRESS);
    } else {
        claims.insert(claims::ADDRESS.to_owned(), Value::Object(address));
    }
    if claims.get(claims::PHONE) != old.get(claims::PHONE) {
        claims.remove(claims::PHONE_VERIFIED);
    }
    if faults.is_empty() { Ok(claims) } else { Err(faults) }
}

/// Where a claim's shape is found by its name.
type Find = fn(&str) -> Option<(&'static str, Shape)>;

fn read_fields(
    form: &Form<'_>,
    fields: &[Field],
    find: Find,
    into: &mut Map<String, Value>,
) -> Vec<(Field, FieldFault)> {
    let mut faults = Vec::new();
    for field in fields.iter().copied() {
        let Some((name, shape)) = find(field.name()) else { continue };
        match shape.read(form.find(name).unwrap_or_default()) {
            Ok(None) => {
                into.remove(name);
            }
            Ok(Some(text)) => {
                into.insert(name.to_owned(), Value::String(text));
            }
            Err(wrong) => faults.push((field, wrong.into())),
        }
    }
    faults
}

/// What the page shows of an account.
pub(super) fn shown(claims: &Map<String, Value>) -> ProfileValues {
    let address = claims.get(claims::ADDRESS).and_then(Value::as_object);
    let mut values = ProfileValues::default();
    for field in CLAIMS {
        fill(&mut values, field, claims.get(field.name()).and_then(Value::as_str));
    }
    for field in ADDRESS {
        fill(&mut values, field, address.and_then(|address| address.get(field.name())?.as_str()));
    }
    values
}

/// What was typed, to be shown again beside what is wrong with it.
pub(super) fn typed(form: &Form<'_>) -> ProfileValues {
    let mut values = ProfileValues::default();
    for field in CLAIMS.into_iter().chain(ADDRESS) {
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
    fn every_field_is_a_claim_that_an_account_may_hold() {
        let names: Vec<&str> = CLAIMS.into_iter().map(Field::name).collect();
        let others: Vec<&str> =
            claims::CLAIMS.into_iter().map(|(name, _)| name).filter(|name| !names.contains(name)).collect();
        assert_eq!(names.len() + others.len(), claims::CLAIMS.len());
        assert_eq!(others, [claims::PHONE_VERIFIED, claims::ADDRESS], "all but these are one field");
        assert!(ADDRESS.into_iter().all(|field| claims::find_member(field.name()).is_some()));
    }

    #[test]
    fn a_browser_is_told_the_length_that_is_taken() {
        for field in CLAIMS.into_iter().chain(ADDRESS).chain([Field::DisplayName]) {
            let (name, shape) = claims::find(field.name()).or_else(|| claims::find_member(field.name())).unwrap();
            assert_eq!(field.length_max(), shape.chars_max(), "{name}");
        }
    }

    #[test]
    fn a_form_is_read_by_the_shapes_of_its_claims() {
        for (reason, field, text, kept) in [
            ("a name", "name", " Ann Éclair ", json!({ "name": "Ann Éclair" })),
            ("nothing", "nickname", "   ", json!({})),
            ("a telephone", "phone_number", "+43 (1) 555-0100", json!({ "phone_number": "+4315550100" })),
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
        for (reason, field, text, fault) in [
            ("too long", "name", long.as_str(), TooLong(255)),
            ("a long street", "street_address", &long_street, TooLong(1024)),
            ("text that turns around", "name", "a\u{202e}b", Unprintable),
            ("a script", "website", "javascript:alert(1)", NotAUrl),
            ("a day that is none", "birthdate", "1990-02-30", NotADate),
            ("a path", "zoneinfo", "../etc/passwd", NotAZone),
            ("a number", "locale", "1", NotALocale),
            ("letters", "phone_number", "+1800FLOWERS", NotAPhone),
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
