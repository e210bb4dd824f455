//! Key sets: what is taken holds public halves only, and each key is written so that it is read as itself.

#![no_main]

use libfuzzer_sys::fuzz_target;
use sigid_core::ids::Kid;
use sigid_core::json::json_object_strict;
use sigid_core::jwk::{Alg, JWK_SET_KEYS_MAX, JwkSet, PublicKey};

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(jwk) = json_object_strict(bytes)
        && let Ok(key) = PublicKey::from_jwk(&jwk.into())
    {
        check(&key);
    }
    let Ok(set) = JwkSet::parse(text) else { return };
    assert!(set.len() <= JWK_SET_KEYS_MAX);
    for alg in [Alg::Es256, Alg::EdDsa, Alg::Rs256, Alg::Ps256, Alg::Es384] {
        for key in set.find(None, alg) {
            assert!(key.allows(alg));
            check(key);
        }
    }
});

fn check(key: &PublicKey) {
    let jwk = key.to_jwk(&Kid::parse("key").unwrap());
    for private in ["d", "p", "q", "dp", "dq", "qi", "oth", "k"] {
        assert!(jwk.get(private).is_none(), "{private}");
    }
    let again = PublicKey::from_jwk(&jwk).expect("what we write we read");
    assert_eq!(again.thumbprint(), key.thumbprint());
    assert!(key.verify(key.alg(), b"message", &[1; 64]).is_err(), "nobody guesses a signature");
}
