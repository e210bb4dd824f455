#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use super::*;
use proptest::prelude::*;
use serde_json::json;

fn kept(document: &Value) -> Result<Value, ClaimFault> {
    normalize(document.as_object().unwrap()).map(Value::Object)
}

/// Section 5.1, in its order.
const STANDARD: [&str; 20] = [
    "sub",
    "name",
    "given_name",
    "family_name",
    "middle_name",
    "nickname",
    "preferred_username",
    "profile",
    "picture",
    "website",
    "email",
    "email_verified",
    "gender",
    "birthdate",
    "zoneinfo",
    "locale",
    "phone_number",
    "phone_number_verified",
    "address",
    "updated_at",
];

#[test]
fn every_standard_claim_is_the_persons_or_the_accounts() {
    let mut ours: Vec<&str> = CLAIMS.into_iter().map(|(name, _)| name).chain(OWN).collect();
    let mut standard = STANDARD.to_vec();
    ours.sort_unstable();
    standard.sort_unstable();
    assert_eq!(ours, standard);
    let members: Vec<&str> = MEMBERS.into_iter().map(|(name, _)| name).collect();
    assert_eq!(members, ["formatted", "street_address", "locality", "region", "postal_code", "country"], "5.1.1");
}

#[test]
fn a_claim_is_kept_in_its_one_spelling() {
    for (reason, given, expected) in [
        ("nothing", json!({}), json!({})),
        ("a name", json!({ "name": "Ann Éclair" }), json!({ "name": "Ann Éclair" })),
        ("a joiner within a word", json!({ "name": "نامه\u{200c}ای" }), json!({ "name": "نامه\u{200c}ای" })),
        ("two characters for one", json!({ "name": "E\u{301}clair" }), json!({ "name": "Éclair" })),
        ("blanks around", json!({ "nickname": "  ann " }), json!({ "nickname": "ann" })),
        ("blanks alone say nothing", json!({ "nickname": "   " }), json!({})),
        ("null says nothing", json!({ "name": null, "address": null }), json!({})),
        ("a URL", json!({ "website": "https://a.example/?b=c#d" }), json!({ "website": "https://a.example/?b=c#d" })),
        ("its port", json!({ "picture": "https://a.example:8443" }), json!({ "picture": "https://a.example:8443" })),
        ("a date", json!({ "birthdate": "1990-02-28" }), json!({ "birthdate": "1990-02-28" })),
        ("a year", json!({ "birthdate": "1990" }), json!({ "birthdate": "1990" })),
        ("a day of no year", json!({ "birthdate": "0000-02-29" }), json!({ "birthdate": "0000-02-29" })),
        (
            "a zone",
            json!({ "zoneinfo": "America/Argentina/Ushuaia" }),
            json!({ "zoneinfo": "America/Argentina/Ushuaia" }),
        ),
        ("a zone without area", json!({ "zoneinfo": "UTC" }), json!({ "zoneinfo": "UTC" })),
        ("a language", json!({ "locale": "ZH-hant-tw" }), json!({ "locale": "zh-Hant-TW" })),
        ("an underscore", json!({ "locale": "de_at" }), json!({ "locale": "de-AT" })),
        ("what is private keeps its case", json!({ "locale": "en-x-AB-abcd" }), json!({ "locale": "en-x-ab-abcd" })),
        (
            "a telephone",
            json!({ "phone_number": "+43 (1) 555-0100", "phone_number_verified": true }),
            json!({ "phone_number": "+4315550100", "phone_number_verified": true }),
        ),
        ("a flag of no telephone", json!({ "phone_number_verified": true }), json!({})),
        (
            "an address",
            json!({ "address": { "formatted": "A\r\nB", "country": " AT ", "region": "" } }),
            json!({ "address": { "formatted": "A\nB", "country": "AT" } }),
        ),
        ("an address of nothing", json!({ "address": { "region": "" } }), json!({})),
    ] {
        assert_eq!(kept(&given), Ok(expected), "{reason}");
    }
}

#[test]
fn what_does_not_fit_is_refused_by_its_name() {
    use Wrong::{
        NotADate, NotAFlag, NotALanguage, NotAPhone, NotAText, NotAUrl, NotAZone, NotAnAddress, TooLong, Unprintable,
    };
    let (long, lines) = ("é".repeat(256), "x".repeat(1025));
    let url = format!("https://a.example/{}", "x".repeat(2048));
    for (reason, given, name, wrong) in [
        ("too long", json!({ "name": long }), "name", TooLong(255)),
        ("longer when composed", json!({ "name": "\u{1d160}".repeat(200) }), "name", TooLong(255)),
        ("a long street", json!({ "address": { "street_address": lines } }), "street_address", TooLong(1024)),
        ("a long code", json!({ "address": { "postal_code": "1".repeat(33) } }), "postal_code", TooLong(32)),
        ("a line break in a name", json!({ "name": "a\nb" }), "name", Unprintable),
        ("a NUL", json!({ "gender": "a\0b" }), "gender", Unprintable),
        ("text that turns around", json!({ "name": "a\u{202e}b" }), "name", Unprintable),
        ("a mark of direction", json!({ "nickname": "\u{61c}ann" }), "nickname", Unprintable),
        ("a blank of no width", json!({ "name": "An\u{200b}n" }), "name", Unprintable),
        ("a joiner alone", json!({ "name": "\u{200d}" }), "name", Unprintable),
        ("fillers alone", json!({ "name": "\u{3164} \u{115f}" }), "name", Unprintable),
        ("a hidden tag", json!({ "nickname": "ann\u{e0041}" }), "nickname", Unprintable),
        ("a lone carriage return", json!({ "address": { "street_address": "A\rB" } }), "street_address", Unprintable),
        ("a number for a text", json!({ "name": 7 }), "name", NotAText),
        ("http", json!({ "website": "http://a.example" }), "website", NotAUrl),
        ("a script", json!({ "website": "javascript:alert(1)" }), "website", NotAUrl),
        ("no host", json!({ "profile": "https:///x" }), "profile", NotAUrl),
        ("a user", json!({ "profile": "https://a@b.example" }), "profile", NotAUrl),
        ("a URL that breaks out", json!({ "picture": "https://a.example/\"><b" }), "picture", NotAUrl),
        ("a blank in it", json!({ "picture": "https://a.example/a b" }), "picture", NotAUrl),
        ("a long URL", json!({ "picture": url }), "picture", TooLong(2048)),
        ("a day that is none", json!({ "birthdate": "1990-02-30" }), "birthdate", NotADate),
        ("another form", json!({ "birthdate": "28.2.1990" }), "birthdate", NotADate),
        ("a month", json!({ "birthdate": "1990-02" }), "birthdate", NotADate),
        ("the year nought", json!({ "birthdate": "0000" }), "birthdate", NotADate),
        ("a path", json!({ "zoneinfo": "../etc/passwd" }), "zoneinfo", NotAZone),
        ("an offset", json!({ "zoneinfo": "+01:00" }), "zoneinfo", NotAZone),
        ("too deep", json!({ "zoneinfo": "A/B/C/D" }), "zoneinfo", NotAZone),
        ("a number", json!({ "locale": "1" }), "locale", NotALanguage),
        ("one letter", json!({ "locale": "d" }), "locale", NotALanguage),
        ("an empty part", json!({ "locale": "de-" }), "locale", NotALanguage),
        ("no country", json!({ "phone_number": "0123456789" }), "phone_number", NotAPhone),
        ("a nought first", json!({ "phone_number": "+0123456789" }), "phone_number", NotAPhone),
        ("letters", json!({ "phone_number": "+1800FLOWERS" }), "phone_number", NotAPhone),
        ("too many digits", json!({ "phone_number": "+1234567890123456" }), "phone_number", NotAPhone),
        ("a flag in words", json!({ "phone_number_verified": "true" }), "phone_number_verified", NotAFlag),
        ("an address of another planet", json!({ "address": { "planet": "Mars" } }), "address", NotAnAddress),
        ("an address in one text", json!({ "address": "Mars" }), "address", NotAnAddress),
    ] {
        assert_eq!(kept(&given), Err(ClaimFault::Wrong(name, wrong)), "{reason}");
    }
}

#[test]
fn a_claim_that_is_nobodys_to_set_is_refused() {
    for (reason, name) in [
        ("one of somebody's own", "shoe_size"),
        ("the subject", "sub"),
        ("the account's own", "email"),
        ("the account's own word", "email_verified"),
        ("when it changed", "updated_at"),
        ("a name in a language of its own", "name#de"),
        ("another case", "Name"),
    ] {
        assert_eq!(kept(&json!({ name: "x" })), Err(ClaimFault::Unknown(name.to_owned())), "{reason}");
    }
}

#[test]
fn a_fault_names_the_claim_and_no_value() {
    let fault = kept(&json!({ "birthdate": "hush" })).unwrap_err().to_string();
    assert_eq!(fault, "birthdate is not a date such as 1990-02-28, 1990 or 0000-02-28");
    let fault = kept(&json!({ format!("hush\u{202e}{}", "x".repeat(99)): 1 })).unwrap_err().to_string();
    assert!(fault.len() < 100 && !fault.contains('\u{202e}'), "a name from outside is shortened: {fault}");
}

#[test]
fn a_cell_becomes_a_claim() {
    for (reason, shape, cell, value) in [
        ("a text", TEXT, "Ann", json!("Ann")),
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

#[test]
fn letters_speak_the_claims_language_where_it_is_one_of_ours() {
    for (reason, claims, expected) in [
        ("one of ours", json!({ "locale": "de-AT" }), Some("de")),
        ("another", json!({ "locale": "pt-BR" }), None),
        ("nothing said", json!({}), None),
    ] {
        assert_eq!(language(claims.as_object().unwrap()), expected, "{reason}");
    }
}

#[test]
fn a_typed_name_is_the_claim_or_what_is_wrong_with_it() {
    for (reason, typed, expected) in [
        ("a name", "  Ada Lovelace ", Ok(Some("Ada Lovelace".to_owned()))),
        ("nothing", "  ", Ok(None)),
        ("two lines", "Ada\nBcc: x", Err(FieldFault::Unprintable)),
        ("too long", &"x".repeat(256), Err(FieldFault::TooLong(255))),
    ] {
        assert_eq!(typed_name(typed), expected, "{reason}");
    }
}

proptest! {
    #[test]
    fn what_is_kept_is_kept_again(name in ".{0,300}", street in "(.|\r|\n){0,40}", phone in "[+0-9 ()-]{0,20}", tag in "[A-Za-z0-9_-]{0,12}") {
        let given = json!({ "name": name, "phone_number": phone, "locale": tag, "address": { "street_address": street } });
        for (member, value) in given.as_object().unwrap() {
            let document = Map::from_iter([(member.clone(), value.clone())]);
            if let Ok(once) = normalize(&document) {
                prop_assert_eq!(normalize(&once), Ok(once.clone()));
            }
        }
    }
}
