//! Client assertions: the raw text, and claims under a good signature. What is accepted speaks of the client, of us,
//! and of a short time.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use serde_json::json;
use sigid_core::assertion::{ASSERTION_JTI_BYTES_MAX, ASSERTION_LIFE_S_MAX, claimed_alg, claimed_client, verify};
use sigid_core::b64;
use sigid_core::ids::ClientId;
use sigid_core::json::json_object_strict;
use sigid_core::jwk::JwkSet;

const NOW_S: i64 = 1_800_000_000;
const AUDIENCES: [&str; 2] = ["https://a.example", "https://a.example/oauth/token"];

static PAIR: LazyLock<Ed25519KeyPair> = LazyLock::new(|| Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap());
static KEYS: LazyLock<JwkSet> = LazyLock::new(|| {
    let x = b64::encode(PAIR.public_key().as_ref());
    JwkSet::parse(&json!({ "keys": [{ "kty": "OKP", "crv": "Ed25519", "x": x, "kid": "key" }] }).to_string()).unwrap()
});

fuzz_target!(|bytes: &[u8]| {
    let client = ClientId::parse("client").unwrap();
    let _ = (claimed_client(bytes), claimed_alg(bytes));
    assert!(verify(bytes, &client, &KEYS, &AUDIENCES, NOW_S).is_err(), "nobody guesses a signature");
    let input = format!("{}.{}", b64::encode(br#"{"alg":"EdDSA","kid":"key"}"#), b64::encode(bytes));
    let assertion = format!("{input}.{}", b64::encode(PAIR.sign(input.as_bytes()).as_ref()));
    let Ok(verified) = verify(assertion.as_bytes(), &client, &KEYS, &AUDIENCES, NOW_S) else { return };
    assert!((1..=ASSERTION_JTI_BYTES_MAX).contains(&verified.jti().len()));
    assert!(verified.exp_s() > NOW_S && verified.exp_s() <= NOW_S + ASSERTION_LIFE_S_MAX);
    let claims = json_object_strict(bytes).expect("accepted claims are strict JSON");
    assert_eq!((&claims["iss"], &claims["sub"]), (&json!("client"), &json!("client")));
    let ours = |aud: &serde_json::Value| aud.as_str().is_some_and(|aud| AUDIENCES.contains(&aud));
    assert!(ours(&claims["aud"]) || claims["aud"].as_array().is_some_and(|auds| auds.iter().any(ours)));
    assert_eq!(claimed_client(assertion.as_bytes()).ok(), Some(client));
});
