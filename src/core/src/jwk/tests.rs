#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use super::*;
use crate::testkit::TestKey;

const P256_X: &str = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU";
const P256_Y: &str = "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0";
const ED_X: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
const RSA_N: &str = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw";

fn p256() -> Value {
    json!({"kty": "EC", "crv": "P-256", "x": P256_X, "y": P256_Y})
}

fn ed25519() -> Value {
    json!({"kty": "OKP", "crv": "Ed25519", "x": ED_X})
}

fn rsa() -> Value {
    json!({"kty": "RSA", "n": RSA_N, "e": "AQAB"})
}

/// The JWK with one member changed.
fn with(mut jwk: Value, name: &str, value: Value) -> Value {
    jwk.as_object_mut().unwrap().insert(name.into(), value);
    jwk
}

fn without(mut jwk: Value, name: &str) -> Value {
    jwk.as_object_mut().unwrap().remove(name);
    jwk
}

#[test]
fn thumbprints_are_those_of_the_rfcs() {
    let rows = [
        (rsa(), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs", "RFC 7638 section 3.1"),
        (
            with(with(rsa(), "alg", "RS256".into()), "kid", "2011-04-29".into()),
            "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs",
            "optional members do not count",
        ),
        (ed25519(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k", "RFC 8037 appendix A.3"),
    ];
    for (jwk, expected, why) in rows {
        assert_eq!(PublicKey::from_jwk(&jwk).unwrap().thumbprint(), expected, "{why}");
    }
}

#[test]
fn es256_verifies_rfc_7515_a_3() {
    let key = PublicKey::from_jwk(&p256()).unwrap();
    let input = b"eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
    let signature =
        b64::decode(b"DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q").unwrap();
    assert_eq!(key.verify(Alg::Es256, input, &signature), Ok(()));
    assert_eq!(key.verify(Alg::Es256, &input[1..], &signature), Err(BadSignature), "other text");
    assert_eq!(key.verify(Alg::Es256, input, &[0; 64]), Err(BadSignature), "r = s = 0");
    assert_eq!(key.verify(Alg::Es256, input, &[0; 0]), Err(BadSignature), "no signature");
    assert_eq!(key.verify(Alg::Es256, input, &signature[1..]), Err(BadSignature), "63 bytes");
    assert_eq!(key.verify(Alg::EdDsa, input, &signature), Err(BadSignature), "not its algorithm");
}

#[test]
fn eddsa_verifies_rfc_8037_a_4() {
    let key = PublicKey::from_jwk(&ed25519()).unwrap();
    let input = b"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
    let signature =
        b64::decode(b"hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg").unwrap();
    assert_eq!(key.verify(Alg::EdDsa, input, &signature), Ok(()));
    assert_eq!(key.verify(Alg::EdDsa, &input[1..], &signature), Err(BadSignature), "other text");
}

#[test]
fn rs256_verifies_rfc_7515_a_2() {
    let n = "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ";
    let key = PublicKey::from_jwk(&with(rsa(), "n", n.into())).unwrap();
    let input = b"eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
    let signature = b64::decode(b"cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw").unwrap();
    assert_eq!(key.verify(Alg::Rs256, input, &signature), Ok(()));
    assert_eq!(key.verify(Alg::Ps256, input, &signature), Err(BadSignature), "other padding");
    assert_eq!(key.verify(Alg::Rs256, &input[1..], &signature), Err(BadSignature), "other text");
}

#[test]
fn every_algorithm_verifies_its_own_and_no_other() {
    for alg in Alg::ALL {
        let key = TestKey::new(alg);
        let signature = key.sign(b"message");
        for tried in Alg::ALL {
            let verified = key.public().verify(tried, b"message", &signature);
            assert_eq!(verified.is_ok(), tried == alg, "{alg} tried as {tried}");
        }
        let mut damaged = signature.clone();
        damaged[0] ^= 1;
        assert!(key.public().verify(alg, b"message", &damaged).is_err(), "{alg}, a bit flipped");
        let longer = [signature.as_slice(), &[0]].concat();
        assert!(key.public().verify(alg, b"message", &longer).is_err(), "{alg}, trailing byte");
    }
}

#[test]
fn a_jwk_round_trips() {
    for alg in Alg::ALL {
        let key = TestKey::new(alg).public();
        let kid = key.kid().unwrap();
        let jwk = key.to_jwk(&kid);
        assert_eq!(jwk["use"], "sig", "{alg}");
        assert_eq!(jwk["alg"], alg.as_str());
        assert_eq!(jwk["kid"], key.thumbprint());
        assert_eq!(PublicKey::from_jwk(&jwk), Ok(key), "{alg}");
    }
}

#[test]
fn a_jwk_is_strict() {
    use JwkFault::{BadRsa, Malformed, OtherUse, Private, Unsupported};
    let rsa_n = |bytes: &[u8]| with(rsa(), "n", b64::encode(bytes).into());
    let modulus = |bits: usize| {
        let mut n = vec![0xff; bits.div_ceil(8)];
        n[0] >>= n.len() * 8 - bits;
        rsa_n(&n)
    };
    let p384_x = b64::encode(&[1; 48]);
    let rows = [
        (p256(), None, "EC P-256"),
        (ed25519(), None, "OKP Ed25519"),
        (rsa(), None, "RSA"),
        (with(p256(), "use", "sig".into()), None, "for signatures"),
        (with(p256(), "key_ops", json!(["verify"])), None, "to verify"),
        (with(p256(), "alg", "ES256".into()), None, "its own algorithm"),
        (with(rsa(), "alg", "PS256".into()), None, "an RSA key for PS256"),
        (with(p256(), "x5t", "x".into()), None, "an unknown member"),
        (modulus(2048), None, "shortest RSA"),
        (modulus(8192), None, "longest RSA"),
        (with(rsa(), "e", "Aw".into()), None, "exponent 3"),
        (with(p256(), "d", "AA".into()), Some(Private), "private EC"),
        (with(ed25519(), "d", "AA".into()), Some(Private), "private OKP"),
        (with(rsa(), "p", "AA".into()), Some(Private), "a prime of RSA"),
        (with(rsa(), "oth", json!([])), Some(Private), "more primes"),
        (json!({"kty": "oct", "k": "AAAA"}), Some(Private), "symmetric"),
        (json!({"kty": "oct"}), Some(Private), "symmetric without its key"),
        (with(p256(), "k", "AAAA".into()), Some(Private), "a symmetric member"),
        (with(p256(), "kty", "XX".into()), Some(Unsupported), "unknown type"),
        (with(p256(), "crv", "secp256k1".into()), Some(Unsupported), "unknown curve"),
        (with(ed25519(), "crv", "X25519".into()), Some(Unsupported), "a curve that cannot sign"),
        (with(p256(), "alg", "ECDH-ES".into()), Some(Unsupported), "an algorithm for encryption"),
        (with(rsa(), "alg", "HS256".into()), Some(Unsupported), "an HMAC on an RSA key"),
        (with(p256(), "alg", "ES384".into()), Some(Malformed), "another curve's algorithm"),
        (with(p256(), "alg", 1.into()), Some(Malformed), "alg is no string"),
        (with(p256(), "use", "enc".into()), Some(OtherUse), "for encryption"),
        (with(p256(), "key_ops", json!(["sign"])), Some(OtherUse), "to sign"),
        (with(p256(), "key_ops", "verify".into()), Some(Malformed), "key_ops is no array"),
        (without(p256(), "kty"), Some(Malformed), "no type"),
        (without(p256(), "crv"), Some(Malformed), "no curve"),
        (without(p256(), "y"), Some(Malformed), "no y"),
        (without(rsa(), "e"), Some(Malformed), "no exponent"),
        (with(p256(), "x", format!("{P256_X}=").into()), Some(Malformed), "padding"),
        (with(p256(), "x", P256_X[..42].into()), Some(Malformed), "short coordinate"),
        (with(p256(), "x", p384_x.clone().into()), Some(Malformed), "unequal coordinates"),
        (
            with(with(p256(), "x", p384_x.clone().into()), "y", p384_x.into()),
            Some(Malformed),
            "coordinates of another curve",
        ),
        (with(ed25519(), "x", b64::encode(&[1; 33]).into()), Some(Malformed), "33 bytes"),
        (with(p256(), "x", 1.into()), Some(Malformed), "a number"),
        (modulus(2047), Some(BadRsa), "one bit too short"),
        (rsa_n(&[0xff; 128]), Some(BadRsa), "1024 bits"),
        (modulus(8200), Some(Malformed), "too long"),
        (rsa_n(&[[0].as_slice(), &[0xff; 256]].concat()), Some(BadRsa), "leading zero"),
        (rsa_n(&[0xfe; 256]), Some(BadRsa), "even modulus"),
        (rsa_n(&[]), Some(BadRsa), "empty modulus"),
        (with(rsa(), "e", "AQ".into()), Some(BadRsa), "exponent 1"),
        (with(rsa(), "e", "AQAC".into()), Some(BadRsa), "even exponent"),
        (with(rsa(), "e", "AAEAAQ".into()), Some(BadRsa), "exponent with leading zero"),
        (with(rsa(), "e", "AQAAAAE".into()), Some(BadRsa), "huge exponent"),
        (json!("x"), Some(Malformed), "a string"),
        (json!(null), Some(Malformed), "null"),
    ];
    for (jwk, expected, why) in rows {
        assert_eq!(PublicKey::from_jwk(&jwk).err(), expected, "{why}");
    }
}

#[test]
fn a_raw_key_is_strict() {
    let rsa = TestKey::new(Alg::Rs256);
    let der = rsa.raw_public();
    let mut compressed = [1; 65];
    compressed[0] = 2;
    let rows: &[(Alg, &[u8], bool, &str)] = &[
        (Alg::Rs256, der, true, "the DER of ring"),
        (Alg::Ps256, der, true, "the same for PS256"),
        (Alg::Rs256, &der[1..], false, "cut at the start"),
        (Alg::Rs256, &der[..der.len() - 1], false, "cut at the end"),
        (Alg::Rs256, &[der, &[0]].concat(), false, "trailing byte"),
        (Alg::Rs256, &[], false, "empty"),
        (Alg::Rs256, &[0x30, 0x81, 0x02, 0x02, 0x00], false, "length not in its shortest form"),
        (Alg::Es256, &compressed, false, "not an uncompressed point"),
        (Alg::Es256, &[4; 64], false, "short point"),
        (Alg::Es384, &[4; 65], false, "point of another curve"),
        (Alg::EdDsa, &[1; 31], false, "short"),
    ];
    for (alg, bytes, good, why) in rows {
        assert_eq!(PublicKey::from_raw(*alg, bytes).is_ok(), *good, "{why}");
    }
}

#[test]
fn a_registered_algorithm_binds() {
    let any = PublicKey::from_jwk(&rsa()).unwrap();
    assert_eq!(any.alg(), Alg::Rs256, "the usual one");
    assert!(any.allows(Alg::Rs256) && any.allows(Alg::Ps256), "either padding");
    assert!(!any.allows(Alg::Es256), "not another type's");
    let bound = PublicKey::from_jwk(&with(rsa(), "alg", "PS256".into())).unwrap();
    assert!(bound.allows(Alg::Ps256) && !bound.allows(Alg::Rs256), "only the registered one");
}

#[test]
fn a_set_is_strict() {
    use JwkFault::{DoubledKid, Malformed, Private, TooMany};
    let named = |kid: &str| with(p256(), "kid", kid.into());
    let set = |keys: Vec<Value>| json!({ "keys": keys }).to_string();
    let rows = [
        (set(vec![]), Ok(0), "empty"),
        (set(vec![named("a"), named("b"), ed25519()]), Ok(3), "three keys"),
        (set(vec![p256(), p256()]), Ok(2), "keys without kid"),
        (set(vec![json!({"kty": "XX"}), p256()]), Ok(1), "unknown types are passed over"),
        (set(vec![with(rsa(), "use", "enc".into()), p256()]), Ok(1), "other uses too"),
        (set(vec![p256(); JWK_SET_KEYS_MAX]), Ok(JWK_SET_KEYS_MAX), "the most"),
        (set(vec![p256(); JWK_SET_KEYS_MAX + 1]), Err(TooMany), "one too many"),
        (set(vec![named("a"), named("a")]), Err(DoubledKid), "one kid twice"),
        (set(vec![with(p256(), "d", "AA".into())]), Err(Private), "a private key"),
        (set(vec![json!({"kty": "oct", "k": "AA"})]), Err(Private), "a symmetric key"),
        (set(vec![without(p256(), "x")]), Err(Malformed), "a broken key"),
        (set(vec![named("")]), Err(Malformed), "empty kid"),
        (set(vec![with(p256(), "kid", 1.into())]), Err(Malformed), "kid is no string"),
        (set(vec![named(&"k".repeat(257))]), Err(Malformed), "long kid"),
        (r#"{"keys":{}}"#.to_owned(), Err(Malformed), "keys is no array"),
        ("{}".to_owned(), Err(Malformed), "no keys"),
        ("[]".to_owned(), Err(Malformed), "an array"),
        (r#"{"keys":[],"keys":[]}"#.to_owned(), Err(Malformed), "doubled keys"),
        (r#"{"keys":[{"kty":"EC","kty":"oct"}]}"#.to_owned(), Err(Malformed), "doubled kty"),
        (String::new(), Err(Malformed), "nothing"),
    ];
    for (json, expected, why) in rows {
        assert_eq!(JwkSet::parse(&json).map(|set| set.len()), expected, "{why}");
    }
}

#[test]
fn a_set_finds_by_kid_and_algorithm() {
    let keys = json!({"keys": [
        with(p256(), "kid", "a".into()),
        with(rsa(), "kid", "b".into()),
        ed25519(),
    ]});
    let set = JwkSet::from_value(&keys).unwrap();
    let rows = [
        (Some("a"), Alg::Es256, 1, "by both"),
        (None, Alg::Es256, 1, "by algorithm"),
        (Some("b"), Alg::Ps256, 1, "RSA for either padding"),
        (Some("a"), Alg::Rs256, 0, "another key's algorithm"),
        (Some("z"), Alg::Es256, 0, "unknown kid"),
        (Some("z"), Alg::EdDsa, 1, "a key without kid answers to all"),
        (None, Alg::Es384, 0, "no key for it"),
    ];
    for (kid, alg, expected, why) in rows {
        assert_eq!(set.find(kid, alg).count(), expected, "{why}");
    }
}
