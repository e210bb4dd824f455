//! The claims of an access token behind a good header and a signature that is taken for good: what is accepted is
//! within its bounds, is written as it was read, and makes an introspection answer that is JSON.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use serde_json::Value;
use sigid_core::b64;
use sigid_core::ids::Kid;
use sigid_core::jwk::{Alg, PublicKey};
use sigid_core::token::{KeyView, Keys, assemble, introspection_body, signing_input, verify};

const NOW_S: i64 = 1_800_000_000;

struct Own(PublicKey);

impl Keys for Own {
    fn key(&self, kid: &str) -> Option<KeyView<'_>> {
        (kid == "key").then_some(KeyView { alg: Alg::EdDsa, key: &self.0, iat_max_s: None, revoked: false })
    }

    fn is_issuer(&self, iss: &str) -> bool {
        iss == "https://a.example"
    }
}

static KEYS: LazyLock<Own> = LazyLock::new(|| {
    let pair = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap();
    Own(PublicKey::from_raw(Alg::EdDsa, pair.public_key().as_ref()).unwrap())
});

fuzz_target!(|payload: &[u8]| {
    let header = b64::encode(br#"{"alg":"EdDSA","typ":"at+jwt","kid":"key"}"#);
    let input = format!("{header}.{}", b64::encode(payload));
    let token = assemble(input, &[0; 64]);
    assert!(verify(token.as_bytes(), &*KEYS, false, NOW_S).is_err(), "zeros are no signature");
    let Ok(access) = verify(token.as_bytes(), &*KEYS, true, NOW_S) else { return };
    assert!(access.exp_s > NOW_S && access.iat_s <= NOW_S + 5 && access.nbf_s <= NOW_S + 5);
    assert!(!access.aud.is_empty() && !access.sub.is_empty() && !access.jti.is_empty());
    let _ = access.mark_keys();
    let answer: Value = serde_json::from_slice(&introspection_body(&access)).expect("an answer is JSON");
    assert_eq!((&answer["active"], &answer["sub"]), (&Value::Bool(true), &Value::from(access.sub.as_str())));
    let written = assemble(signing_input(Alg::EdDsa, &Kid::parse("key").unwrap(), &access), &[0; 64]);
    // What we write has no unknown claims, so it is no longer than what was read, or nearly so.
    if let Ok(again) = verify(written.as_bytes(), &*KEYS, true, NOW_S) {
        assert_eq!(*again, *access, "what we write we read");
    } else {
        assert!(written.len() > sigid_core::jws::TOKEN_BYTES_MAX, "what we write we read");
    }
});
