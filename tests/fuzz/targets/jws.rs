//! Compact JWS: the raw text, and a well-formed one around a header. What is accepted has no second spelling.

#![no_main]

use libfuzzer_sys::fuzz_target;
use sigid_core::b64;
use sigid_core::jws::{Jws, KID_TEXT_BYTES_MAX, TOKEN_BYTES_MAX, json_object_strict};

fuzz_target!(|bytes: &[u8]| {
    check(bytes);
    let token = format!("{}.e30.c2lnbmF0dXJl", b64::encode(bytes));
    if check(token.as_bytes()) {
        check_header(bytes);
    }
});

fn check(token: &[u8]) -> bool {
    let Ok(jws) = Jws::parse(token) else { return false };
    let jws = jws.claimed();
    assert!(token.len() <= TOKEN_BYTES_MAX);
    assert!(jws.header.kid.as_ref().is_none_or(|kid| (1..=KID_TEXT_BYTES_MAX).contains(&kid.len())));
    let signature = b64::encode(&jws.signature);
    assert_eq!([jws.signing_input, b".", signature.as_bytes()].concat(), token, "one token, one spelling");
    if let Ok(payload) = jws.payload() {
        assert_eq!(b64::encode(&payload).as_bytes(), jws.payload_b64);
    }
    true
}

/// An accepted header is strict JSON without what must never be obeyed.
fn check_header(header: &[u8]) {
    let members = json_object_strict(header).expect("an accepted header is strict JSON");
    for name in ["crit", "b64", "jku", "jwk", "x5u", "x5c"] {
        assert!(!members.contains_key(name), "{name}");
    }
    let alg = members["alg"].as_str().unwrap();
    assert!(["ES256", "EdDSA", "RS256", "PS256", "ES384"].contains(&alg), "{alg}");
}
