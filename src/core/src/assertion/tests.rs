#![allow(clippy::unwrap_used, reason = "tests")]

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::jwk::Alg;
use crate::testkit::TestKey;

const NOW_S: i64 = 1_764_000_000;
const ISS: &str = "https://issuer.example";
const TOKEN_URL: &str = "https://issuer.example/oauth/token";

fn client() -> ClientId {
    ClientId::parse("client").unwrap()
}

fn claims() -> Value {
    json!({"iss": "client", "sub": "client", "aud": ISS, "jti": "one", "iat": NOW_S, "exp": NOW_S + 60})
}

/// The claims with one set, or removed by null.
fn with(name: &str, value: Value) -> Value {
    let mut claims = claims();
    let members = claims.as_object_mut().unwrap();
    if value.is_null() {
        members.remove(name);
    } else {
        members.insert(name.into(), value);
    }
    claims
}

fn set_of(keys: &[(&str, &TestKey)]) -> JwkSet {
    let jwk = |(kid, key): &(&str, &TestKey)| {
        let mut jwk = key.public().to_jwk(&key.public().kid().unwrap());
        let members = jwk.as_object_mut().unwrap();
        members.insert("kid".into(), (*kid).into());
        if kid.is_empty() {
            members.remove("kid");
        }
        jwk
    };
    JwkSet::from_value(&json!({"keys": keys.iter().map(jwk).collect::<Vec<_>>()})).unwrap()
}

fn check(assertion: &str, keys: &JwkSet) -> Result<VerifiedAssertion, AssertionFault> {
    verify(assertion.as_bytes(), &client(), keys, &[ISS, TOKEN_URL], NOW_S)
}

#[test]
fn every_algorithm_authenticates() {
    for alg in Alg::ALL {
        let key = TestKey::new(alg);
        let header = json!({"alg": alg.as_str(), "kid": "k"}).to_string();
        let assertion = key.jws(&header, &claims().to_string());
        let verified = check(&assertion, &set_of(&[("k", &key)])).unwrap();
        assert_eq!((verified.jti(), verified.exp_s()), ("one", NOW_S + 60), "{alg}");
        assert_eq!(claimed_client(assertion.as_bytes()), Ok(client()));
    }
}

#[test]
fn claims_are_checked() {
    use AssertionFault::{BadAudience, BadIssuer, Expired, LivesTooLong, Malformed, NotYetValid};
    let key = TestKey::new(Alg::EdDsa);
    let keys = set_of(&[("k", &key)]);
    let rows = [
        (claims(), None, "as it should be"),
        (with("iat", Value::Null), None, "iat is optional"),
        (with("nbf", json!(NOW_S)), None, "nbf"),
        (with("aud", TOKEN_URL.into()), None, "the endpoint"),
        (with("aud", json!(["https://x.example", ISS])), None, "one of several"),
        (with("exp", json!(NOW_S + 1)), None, "about to expire"),
        (with("exp", json!(NOW_S + 3_660)), None, "the longest life"),
        (with("iat", json!(NOW_S + 5)), None, "a clock 5 s ahead"),
        (with("jti", "j".repeat(256).into()), None, "longest jti"),
        (with("iss", "other".into()), Some(BadIssuer), "another issuer"),
        (with("sub", "other".into()), Some(BadIssuer), "another subject"),
        (with("iss", Value::Null), Some(Malformed), "no iss"),
        (with("sub", Value::Null), Some(Malformed), "no sub"),
        (with("iss", json!(["client"])), Some(Malformed), "iss is an array"),
        (with("aud", "https://issuer.example/".into()), Some(BadAudience), "nearly us"),
        (with("aud", json!([])), Some(BadAudience), "nobody"),
        (with("aud", "".into()), Some(BadAudience), "empty"),
        (with("aud", json!([ISS, 1])), Some(Malformed), "a number among them"),
        (with("aud", Value::Null), Some(Malformed), "no aud"),
        (with("exp", Value::Null), Some(Malformed), "no exp"),
        (with("exp", json!(NOW_S)), Some(Expired), "expires now"),
        (with("exp", json!(0)), Some(Expired), "long ago"),
        (with("exp", json!(NOW_S + 3_661)), Some(LivesTooLong), "far exp"),
        (with("exp", json!(i64::MAX)), Some(LivesTooLong), "never"),
        (with("exp", json!(u64::MAX)), Some(Malformed), "beyond i64"),
        (with("exp", json!(NOW_S as f64 + 60.5)), None, "a fraction"),
        (with("exp", json!(1e300)), Some(Malformed), "no date"),
        (with("exp", "1764000060".into()), Some(Malformed), "a string"),
        (with("iat", json!(NOW_S + 6)), Some(NotYetValid), "issued ahead"),
        (with("nbf", json!(NOW_S + 6)), Some(NotYetValid), "valid later"),
        (with("nbf", "x".into()), Some(Malformed), "nbf is a string"),
        (with("jti", Value::Null), Some(Malformed), "no jti"),
        (with("jti", "".into()), Some(Malformed), "empty jti"),
        (with("jti", "j".repeat(257).into()), Some(Malformed), "long jti"),
        (with("jti", 1.into()), Some(Malformed), "jti is a number"),
    ];
    for (claims, expected, why) in rows {
        let assertion = key.jws(r#"{"alg":"EdDSA","kid":"k"}"#, &claims.to_string());
        assert_eq!(check(&assertion, &keys).err(), expected, "{why}");
    }
    let doubled = claims().to_string().replacen('{', r#"{"sub":"other","#, 1);
    let assertion = key.jws(r#"{"alg":"EdDSA"}"#, &doubled);
    assert_eq!(check(&assertion, &keys).err(), Some(Malformed), "doubled claim");
}

#[test]
fn headers_are_checked() {
    use AssertionFault::{BadSignature, BadType, Malformed, UnknownKey, UnsupportedAlg};
    let key = TestKey::new(Alg::Rs256);
    let keys = set_of(&[("k", &key)]);
    let rows = [
        (r#"{"alg":"RS256"}"#, None, "the least"),
        (r#"{"alg":"RS256","typ":"JWT"}"#, None, "JWT"),
        (r#"{"alg":"RS256","typ":"client-authentication+jwt"}"#, None, "the type of its own"),
        (r#"{"alg":"RS256","kid":"k","x5t":"x"}"#, None, "a hint that nobody follows"),
        (r#"{"alg":"RS256","typ":"at+jwt"}"#, Some(BadType), "an access token"),
        (r#"{"alg":"RS256","typ":"dpop+jwt"}"#, Some(BadType), "a DPoP proof"),
        (r#"{"alg":"RS256","kid":"z"}"#, Some(UnknownKey), "unknown kid"),
        (r#"{"alg":"PS256"}"#, Some(UnknownKey), "RS and PS swapped"),
        (r#"{"alg":"ES256"}"#, Some(UnknownKey), "an algorithm of no key"),
        (r#"{"alg":"none"}"#, Some(UnsupportedAlg), "none"),
        (r#"{"alg":"HS256"}"#, Some(UnsupportedAlg), "an HMAC"),
        (r#"{"alg":"RS256","crit":["x"],"x":1}"#, Some(Malformed), "crit"),
        (r#"{"alg":"RS256","b64":true}"#, Some(Malformed), "b64"),
        (r#"{"alg":"RS256","jku":"https://e"}"#, Some(Malformed), "jku"),
        (r#"{"alg":"RS256","jwk":{}}"#, Some(Malformed), "jwk"),
        (r#"{"alg":"RS256","x5u":"https://e"}"#, Some(Malformed), "x5u"),
        (r#"{"alg":"RS256","x5c":[]}"#, Some(Malformed), "x5c"),
        (r#"{"alg":"RS256","alg":"RS256"}"#, Some(Malformed), "doubled"),
    ];
    for (header, expected, why) in rows {
        let assertion = key.jws(header, &claims().to_string());
        assert_eq!(check(&assertion, &keys).err(), expected, "{why}");
    }
    let assertion = key.jws(r#"{"alg":"RS256"}"#, &claims().to_string());
    assert_eq!(check(&format!("{assertion}A"), &keys).err(), Some(BadSignature), "trailing symbol");
    assert_eq!(check("", &keys).err(), Some(Malformed), "empty");
    let (input, _) = assertion.rsplit_once('.').unwrap();
    assert_eq!(check(&format!("{input}.AAAA"), &keys).err(), Some(BadSignature), "damaged");
}

#[test]
fn an_hmac_with_the_public_key_is_no_signature() {
    let key = TestKey::new(Alg::Rs256);
    let header = crate::b64::encode(br#"{"alg":"HS256","kid":"k"}"#);
    let input = format!("{header}.{}", crate::b64::encode(claims().to_string().as_bytes()));
    let secret = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, key.raw_public());
    let mac = crate::b64::encode(ring::hmac::sign(&secret, input.as_bytes()).as_ref());
    let checked = check(&format!("{input}.{mac}"), &set_of(&[("k", &key)]));
    assert_eq!(checked.err(), Some(AssertionFault::UnsupportedAlg));
}

#[test]
fn few_keys_are_tried() {
    let others: Vec<TestKey> = (0..8).map(|_| TestKey::new(Alg::EdDsa)).collect();
    let key = TestKey::new(Alg::EdDsa);
    let assertion = |header: &str| key.jws(header, &claims().to_string());
    let among = |n: usize| {
        let mut keys: Vec<_> = others.iter().take(n).map(|other| ("", other)).collect();
        keys.push(("", &key));
        set_of(&keys)
    };
    let unnamed = assertion(r#"{"alg":"EdDSA"}"#);
    assert!(check(&unnamed, &among(3)).is_ok(), "the fourth key");
    let fault = check(&unnamed, &among(4)).err();
    assert_eq!(fault, Some(AssertionFault::BadSignature), "the fifth is not reached");
    assert!(check(&unnamed, &JwkSet::default()).is_err(), "no keys");
    let stranger = set_of(&[("k", others.first().unwrap())]);
    let named = assertion(r#"{"alg":"EdDSA","kid":"k"}"#);
    assert_eq!(check(&named, &stranger).err(), Some(AssertionFault::BadSignature), "stranger");
}

#[test]
fn the_claimed_client_is_an_identifier() {
    let key = TestKey::new(Alg::EdDsa);
    let bad = key.jws(r#"{"alg":"EdDSA"}"#, r#"{"sub":"a b"}"#);
    assert_eq!(claimed_client(bad.as_bytes()), Err(AssertionFault::Malformed));
    let none = key.jws(r#"{"alg":"EdDSA"}"#, "{}");
    assert_eq!(claimed_client(none.as_bytes()), Err(AssertionFault::Malformed));
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(verify(&bytes, &client(), &JwkSet::default(), &[ISS], NOW_S).is_err());
        prop_assert!(claimed_client(&bytes).is_err());
    }
}
