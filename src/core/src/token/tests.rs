#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::collections::HashMap;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::b64;
use crate::ids::Kid;
use crate::marks::MarkKey;
use crate::testkit::TestKey;

const NOW_S: i64 = 1_764_000_000;
const ISS: &str = "https://issuer.example";
const TENANT: &str = "018f2f3e-7c1a-7b52-9c5b-0d4b9f6f1a2b";

/// A node that knows some keys.
#[derive(Default)]
struct Node {
    keys: HashMap<String, (PublicKey, Option<i64>, bool)>,
}

impl Keys for Node {
    fn key(&self, kid: &str) -> Option<KeyView<'_>> {
        let (key, iat_max_s, revoked) = self.keys.get(kid)?;
        Some(KeyView { alg: key.alg(), key, iat_max_s: *iat_max_s, revoked: *revoked })
    }

    fn is_issuer(&self, iss: &str) -> bool {
        iss == ISS
    }
}

fn node(key: &TestKey, iat_max_s: Option<i64>, revoked: bool) -> Node {
    let mut node = Node::default();
    node.keys.insert(key.public().thumbprint(), (key.public(), iat_max_s, revoked));
    node
}

fn access() -> Access {
    Access {
        iss: ISS.into(),
        sub: "subject".into(),
        aud: vec!["https://api.example".into()],
        client_id: ClientId::parse("client").unwrap(),
        scope: "read write".into(),
        iat_s: NOW_S,
        nbf_s: NOW_S,
        exp_s: NOW_S + 300,
        jti: "family.unique".into(),
        tenant_id: TENANT.parse().unwrap(),
        subject_type: SubjectType::Human,
        extra: serde_json::Map::new(),
    }
}

fn mint(key: &TestKey, access: &Access) -> String {
    let input = signing_input(key.alg(), &key.public().kid().unwrap(), access);
    let signature = key.sign(input.as_bytes());
    assemble(input, &signature)
}

fn header_of(key: &TestKey) -> Value {
    json!({"alg": key.alg().as_str(), "kid": key.public().thumbprint(), "typ": "at+jwt"})
}

fn payload_of(access: &Access) -> Value {
    let kid = Kid::parse("k").unwrap();
    let input = signing_input(Alg::Es256, &kid, access);
    let (_, payload) = input.split_once('.').unwrap();
    serde_json::from_slice(&b64::decode(payload.as_bytes()).unwrap()).unwrap()
}

/// The object with one member set, or removed by null.
fn with(mut object: Value, name: &str, value: Value) -> Value {
    let members = object.as_object_mut().unwrap();
    if value.is_null() {
        members.remove(name);
    } else {
        members.insert(name.into(), value);
    }
    object
}

fn verify_fresh(token: &str, node: &Node) -> Result<Access, Reason> {
    verify(token.as_bytes(), node, false, NOW_S).map(Verified::into_inner)
}

#[test]
fn what_is_minted_verifies() {
    for alg in Alg::ALL {
        let key = TestKey::new(alg);
        let token = mint(&key, &access());
        assert_eq!(verify_fresh(&token, &node(&key, None, false)), Ok(access()), "{alg}");
    }
}

#[test]
fn members_go_out_in_their_order() {
    let mut access = access();
    access.aud.push("https://b.example/".into());
    access.extra.insert("act".into(), json!({"sub": "agent"}));
    access.extra.insert("cnf".into(), json!({"jkt": "x"}));
    access.extra.insert("iss".into(), "https://evil.example".into());
    access.extra.insert("other".into(), 1.into());
    let input = signing_input(Alg::Es256, &Kid::parse("k").unwrap(), &access);
    let (header, payload) = input.split_once('.').unwrap();
    let text = |segment: &str| String::from_utf8(b64::decode(segment.as_bytes()).unwrap()).unwrap();
    assert_eq!(text(header), r#"{"alg":"ES256","kid":"k","typ":"at+jwt"}"#);
    let expected = r#"{"iss":"https://issuer.example","sub":"subject","aud":["https://api.example","https://b.example/"],"client_id":"client","scope":"read write","exp":1764000300,"iat":1764000000,"nbf":1764000000,"jti":"family.unique","tenant_id":"018f2f3e-7c1a-7b52-9c5b-0d4b9f6f1a2b","subject_type":"human","cnf":{"jkt":"x"},"act":{"sub":"agent"}}"#;
    assert_eq!(text(payload), expected);
}

#[test]
fn headers_are_exact() {
    let key = TestKey::new(Alg::Es256);
    let node = node(&key, None, false);
    let payload = payload_of(&access()).to_string();
    let header = || header_of(&key);
    let rows = [
        (header(), None, "as minted"),
        (with(header(), "typ", "AT+JWT".into()), None, "the type's case does not matter"),
        (with(header(), "typ", "application/at+jwt".into()), None, "the whole media type"),
        (with(header(), "typ", "JWT".into()), Some(Reason::BadType), "an ID token"),
        (with(header(), "typ", "logout+jwt".into()), Some(Reason::BadType), "a logout token"),
        (with(header(), "typ", "client-authentication+jwt".into()), Some(Reason::BadType), "an assertion"),
        (with(header(), "typ", Value::Null), Some(Reason::BadType), "no type"),
        (with(header(), "typ", "".into()), Some(Reason::BadType), "empty type"),
        (with(header(), "kid", Value::Null), Some(Reason::Malformed), "no kid"),
        (with(header(), "kid", "other".into()), Some(Reason::UnknownKey), "unknown kid"),
        (with(header(), "kid", "../k".into()), Some(Reason::Malformed), "no kid of ours has dots"),
        (with(header(), "kid", "k".repeat(65).into()), Some(Reason::Malformed), "long kid"),
        (with(header(), "alg", "none".into()), Some(Reason::AlgMismatch), "none"),
        (with(header(), "alg", "HS256".into()), Some(Reason::AlgMismatch), "an HMAC"),
        (with(header(), "alg", "ES384".into()), Some(Reason::AlgMismatch), "not the key's"),
        (with(header(), "alg", "EdDSA".into()), Some(Reason::AlgMismatch), "of another type"),
        (with(header(), "alg", Value::Null), Some(Reason::Malformed), "no alg"),
        (with(header(), "jku", "https://e".into()), Some(Reason::Malformed), "jku"),
        (with(header(), "x5u", "https://e".into()), Some(Reason::Malformed), "x5u"),
        (with(header(), "x5c", json!([])), Some(Reason::Malformed), "x5c"),
        (with(header(), "jwk", json!({})), Some(Reason::Malformed), "jwk"),
        (with(header(), "crit", json!(["exp"])), Some(Reason::Malformed), "crit"),
        (with(header(), "b64", true.into()), Some(Reason::Malformed), "b64"),
        (with(header(), "cty", "JWT".into()), Some(Reason::Malformed), "any other member"),
    ];
    for (header, expected, why) in rows {
        let token = key.jws(&header.to_string(), &payload);
        assert_eq!(verify_fresh(&token, &node).err(), expected, "{why}");
    }
}

#[test]
fn an_hmac_with_the_public_key_is_no_signature() {
    let key = TestKey::new(Alg::Rs256);
    let header = b64::encode(with(header_of(&key), "alg", "HS256".into()).to_string().as_bytes());
    let payload = b64::encode(payload_of(&access()).to_string().as_bytes());
    let input = format!("{header}.{payload}");
    let secret = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, key.raw_public());
    let token = assemble(input.clone(), ring::hmac::sign(&secret, input.as_bytes()).as_ref());
    assert_eq!(verify_fresh(&token, &node(&key, None, false)), Err(Reason::AlgMismatch));
}

#[test]
fn rs_and_ps_are_not_exchanged() {
    let (rs, ps) = (TestKey::new(Alg::Rs256), TestKey::new(Alg::Ps256));
    let token = mint(&ps, &access());
    assert_eq!(verify_fresh(&token, &node(&rs, None, false)), Err(Reason::AlgMismatch));
    let header = header_of(&rs).to_string();
    let token = ps.jws(&header, &payload_of(&access()).to_string());
    assert_eq!(verify_fresh(&token, &node(&rs, None, false)), Err(Reason::BadSignature));
}

#[test]
fn a_damaged_token_is_refused() {
    let key = TestKey::new(Alg::Es256);
    let node = node(&key, None, false);
    let good = mint(&key, &access());
    let (input, signature) = good.rsplit_once('.').unwrap();
    let (header, _) = input.split_once('.').unwrap();
    let other = mint(&key, &Access { sub: "other".into(), ..access() });
    let (_, other_signature) = other.rsplit_once('.').unwrap();
    let other_payload = other.split('.').nth(1).unwrap();
    let stranger = TestKey::new(Alg::Es256).jws(&header_of(&key).to_string(), &payload_of(&access()).to_string());
    let der_like = [b64::decode(signature.as_bytes()).unwrap(), vec![0]].concat();
    let rows = [
        (good.clone(), None, "untouched"),
        (stranger, Some(Reason::BadSignature), "signed by a stranger under our kid"),
        (format!("{input}.{other_signature}"), Some(Reason::BadSignature), "another's signature"),
        (format!("{header}.{other_payload}.{signature}"), Some(Reason::BadSignature), "payload"),
        (format!("{input}.{}", b64::encode(&[0; 64])), Some(Reason::BadSignature), "zeros"),
        (format!("{input}.{}", b64::encode(&der_like)), Some(Reason::BadSignature), "65 bytes"),
        (format!("{input}.AAAA"), Some(Reason::BadSignature), "short signature"),
        (format!("{input}."), Some(Reason::Malformed), "no signature"),
        (input.to_owned(), Some(Reason::Malformed), "two segments"),
        (format!("{good}.AAAA"), Some(Reason::Malformed), "four segments"),
        (format!("{good}A"), Some(Reason::BadSignature), "a trailing symbol"),
        (format!("{good}="), Some(Reason::Malformed), "padding"),
        (format!("{good}\n"), Some(Reason::Malformed), "newline"),
        (format!(" {good}"), Some(Reason::Malformed), "leading space"),
        (String::new(), Some(Reason::Malformed), "empty"),
        ("x".repeat(9000), Some(Reason::Malformed), "too long"),
    ];
    for (token, expected, why) in rows {
        assert_eq!(verify_fresh(&token, &node).err(), expected, "{why}");
    }
}

#[test]
fn a_token_has_no_second_spelling() {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let key = TestKey::new(Alg::Es256);
    let node = node(&key, None, false);
    let good = mint(&key, &access());
    // 64 bytes leave four spare bits in the last symbol: fifteen neighbours decode alike elsewhere.
    let last = ALPHABET.iter().position(|s| *s == good.as_bytes()[good.len() - 1]).unwrap();
    for spare in 1..16 {
        let neighbour = char::from(ALPHABET[last + spare]);
        let token = format!("{}{neighbour}", &good[..good.len() - 1]);
        assert_eq!(verify_fresh(&token, &node), Err(Reason::Malformed), "spare bits {spare}");
    }
}

#[test]
fn claims_are_strict() {
    let key = TestKey::new(Alg::EdDsa);
    let node = node(&key, None, false);
    let header = header_of(&key).to_string();
    let bad = Some(Reason::BadClaims);
    let p = || payload_of(&access());
    let long = |n: usize| Value::from("x".repeat(n));
    let audiences = |n: usize| Value::from(vec!["https://a.example"; n]);
    let many = |n: usize| (0..n).fold(p(), |payload, index| with(payload, &format!("c{index}"), 1.into()));
    let rows = [
        (p(), None, "as minted"),
        (with(p(), "scope", Value::Null), None, "no scope"),
        (with(p(), "aud", audiences(1)), None, "an array of one"),
        (with(p(), "aud", audiences(AUDIENCES_MAX)), None, "the most audiences"),
        (with(p(), "later", json!({"a": [1]})), None, "a claim of a newer node"),
        (many(32), None, "the most unknown claims"),
        (many(33), bad, "too many unknown claims"),
        (with(p(), "sub", long(255)), None, "longest sub"),
        (with(p(), "sub", long(256)), bad, "long sub"),
        (with(p(), "sub", "".into()), bad, "empty sub"),
        (with(p(), "sub", 1.into()), bad, "sub is a number"),
        (with(p(), "jti", "".into()), bad, "empty jti"),
        (with(p(), "jti", long(256)), bad, "long jti"),
        (with(p(), "iss", "".into()), bad, "empty iss"),
        (with(p(), "iss", json!([ISS])), bad, "iss is an array"),
        (with(p(), "aud", audiences(0)), bad, "no audience"),
        (with(p(), "aud", audiences(AUDIENCES_MAX + 1)), bad, "too many audiences"),
        (with(p(), "aud", "".into()), bad, "empty audience"),
        (with(p(), "aud", json!(["a", ""])), bad, "one empty audience"),
        (with(p(), "aud", json!(["a", 1])), bad, "an audience is a number"),
        (with(p(), "aud", json!({"a": 1})), bad, "aud is an object"),
        (with(p(), "aud", 1.into()), bad, "aud is a number"),
        (with(p(), "client_id", "a b".into()), bad, "no client id"),
        (with(p(), "client_id", "".into()), bad, "empty client id"),
        (with(p(), "scope", "".into()), bad, "empty scope"),
        (with(p(), "scope", "a  b".into()), bad, "two spaces"),
        (with(p(), "scope", json!(["a"])), bad, "scope is an array"),
        (with(p(), "exp", json!(1_764_000_300.0)), bad, "a fraction"),
        (with(p(), "exp", "1764000300".into()), bad, "a string"),
        (with(p(), "exp", json!(1e300)), bad, "huge"),
        (with(p(), "exp", json!(u64::MAX)), bad, "beyond i64"),
        (with(p(), "exp", json!(i64::MAX)), bad, "beyond the year 9999"),
        (with(p(), "iat", json!(-1)), bad, "before 1970"),
        (with(p(), "iat", json!(NOW_S + 300)), bad, "issued when it expires"),
        (with(p(), "nbf", json!(NOW_S + 301)), bad, "valid only after it expires"),
        (with(p(), "tenant_id", "demo".into()), bad, "no tenant id"),
        (with(p(), "tenant_id", TENANT.to_uppercase().into()), bad, "another spelling"),
        (with(p(), "subject_type", "robot".into()), bad, "unknown subject type"),
        (with(p(), "cnf", json!({"jkt": "x"})), None, "cnf"),
        (with(p(), "cnf", "x".into()), bad, "cnf is no object"),
        (with(p(), "act", json!([])), bad, "act is no object"),
        (with(p(), "acr", 1.into()), bad, "acr is no string"),
        (with(p(), "amr", json!(["pwd", "otp"])), None, "amr"),
        (with(p(), "amr", json!(["pwd", 1])), bad, "amr holds a number"),
        (with(p(), "auth_time", json!(NOW_S)), None, "auth_time"),
        (with(p(), "auth_time", json!(1.5)), bad, "auth_time is a fraction"),
        (with(p(), "authorization_details", json!([{"type": "t"}])), None, "details"),
        (with(p(), "authorization_details", json!({})), bad, "details are no array"),
        (with(p(), "authorization_details", json!(["t"])), bad, "details hold a string"),
        (with(p(), "username", json!({})), bad, "username is no string"),
    ];
    for (payload, expected, why) in rows {
        let token = key.jws(&header, &payload.to_string());
        assert_eq!(verify_fresh(&token, &node).err(), expected, "{why}");
    }
    for name in ["iss", "sub", "aud", "client_id", "exp", "iat", "nbf", "jti", "tenant_id", "subject_type"] {
        let token = key.jws(&header, &with(p(), name, Value::Null).to_string());
        assert_eq!(verify_fresh(&token, &node).err(), bad, "without {name}");
        let token = key.jws(&header, &p().to_string().replace(&p()[name].to_string(), "null"));
        assert!(verify_fresh(&token, &node).is_err(), "{name} is null");
    }
}

#[test]
fn members_are_not_doubled() {
    let key = TestKey::new(Alg::EdDsa);
    let node = node(&key, None, false);
    let whole = payload_of(&access()).to_string();
    let members = &whole[1..whole.len() - 1];
    let rows = [
        (format!("{{{members}}}"), None, "once"),
        (format!("{{{members},\"sub\":\"x\"}}"), Some(Reason::BadClaims), "sub"),
        (format!("{{\"sub\":\"x\",{members}}}"), Some(Reason::BadClaims), "sub in front"),
        (format!("{{{members},\"\\u0073ub\":\"x\"}}"), Some(Reason::BadClaims), "sub, escaped"),
        (format!("{{{members},\"exp\":9}}"), Some(Reason::BadClaims), "exp"),
        (format!("{{{members},\"aud\":\"x\"}}"), Some(Reason::BadClaims), "aud"),
        (format!("{{{members},\"acr\":\"1\",\"acr\":\"1\"}}"), Some(Reason::BadClaims), "acr"),
        (format!("{{{members},\"x\":1,\"x\":1}}"), Some(Reason::BadClaims), "unknown"),
        (format!("{{{members},\"cnf\":{{\"jkt\":\"a\",\"jkt\":\"b\"}}}}"), Some(Reason::BadClaims), "below"),
        (format!("{{{members}}}{{}}"), Some(Reason::BadClaims), "something follows"),
        (format!("{{{members}}}\0"), Some(Reason::BadClaims), "trailing NUL"),
        (format!("[{{{members}}}]"), Some(Reason::BadClaims), "an array"),
        ("x".to_owned(), Some(Reason::BadClaims), "no JSON"),
    ];
    for (payload, expected, why) in rows {
        let token = key.jws(&header_of(&key).to_string(), &payload);
        assert_eq!(verify_fresh(&token, &node).err(), expected, "{why}");
    }
}

#[test]
fn times_are_checked_against_now() {
    let key = TestKey::new(Alg::EdDsa);
    let (iat_s, exp_s) = (NOW_S, NOW_S + 300);
    let rows = [
        (iat_s, iat_s, exp_s, NOW_S, None, "now"),
        (iat_s, iat_s, exp_s, exp_s - 1, None, "the last second"),
        (iat_s, iat_s, exp_s, exp_s, Some(Reason::Expired), "the second of exp"),
        (iat_s, iat_s, exp_s, exp_s + 1, Some(Reason::Expired), "after exp"),
        (iat_s, iat_s, exp_s, i64::MAX, Some(Reason::Expired), "the end of time"),
        (NOW_S + 5, NOW_S, exp_s, NOW_S, None, "issued by a clock 5 s ahead"),
        (NOW_S + 6, NOW_S, exp_s, NOW_S, Some(Reason::NotYetValid), "issued 6 s ahead"),
        (iat_s, NOW_S + 5, exp_s, NOW_S, None, "valid by a clock 5 s ahead"),
        (iat_s, NOW_S + 6, exp_s, NOW_S, Some(Reason::NotYetValid), "valid 6 s ahead"),
        (iat_s, iat_s, exp_s, i64::MIN, Some(Reason::NotYetValid), "the beginning of time"),
    ];
    for (iat_s, nbf_s, exp_s, now_s, expected, why) in rows {
        let token = mint(&key, &Access { iat_s, nbf_s, exp_s, ..access() });
        let verified = verify(token.as_bytes(), &node(&key, None, false), false, now_s);
        assert_eq!(verified.err(), expected, "{why}");
    }
}

#[test]
fn keys_and_issuers_are_checked() {
    let key = TestKey::new(Alg::EdDsa);
    let foreign = Access { iss: "https://issuer.example/".into(), ..access() };
    let rows = [
        (access(), None, false, None, "a key in use"),
        (access(), Some(NOW_S), false, None, "issued in the key's last second"),
        (access(), Some(NOW_S - 1), false, Some(Reason::KeyPastDate), "issued after its date"),
        (access(), None, true, Some(Reason::KeyRevoked), "a compromised key"),
        (foreign, None, false, Some(Reason::BadIssuer), "an issuer that only looks like ours"),
    ];
    for (access, iat_max_s, revoked, expected, why) in rows {
        let node = node(&key, iat_max_s, revoked);
        let token = mint(&key, &access);
        assert_eq!(verify_fresh(&token, &node).err(), expected, "{why}");
        let known = verify(token.as_bytes(), &node, true, NOW_S);
        assert_eq!(known.err(), expected, "{why}, signature known");
    }
}

#[test]
fn a_known_signature_spares_only_the_signature() {
    let key = TestKey::new(Alg::EdDsa);
    let node = node(&key, None, false);
    let good = mint(&key, &access());
    let (input, _) = good.rsplit_once('.').unwrap();
    let unsigned = assemble(input.to_owned(), &[0; 64]);
    assert_eq!(verify_fresh(&unsigned, &node), Err(Reason::BadSignature));
    assert!(verify(unsigned.as_bytes(), &node, true, NOW_S).is_ok(), "the caller's promise");
    let late = verify(unsigned.as_bytes(), &node, true, NOW_S + 300);
    assert_eq!(late.err(), Some(Reason::Expired), "times are always asked");
    let opened = open(good.as_bytes(), &node).unwrap();
    assert_eq!(opened.kid(), key.public().thumbprint());
}

/// Caller's tenant, client and audiences; the token's; the expected fault; why.
type Row<'a> = (TenantId, &'a str, &'a [&'a str], Vec<String>, Option<Reason>, &'a str);

#[test]
fn callers_learn_only_their_own() {
    let tenant: TenantId = TENANT.parse().unwrap();
    let elsewhere: TenantId = "018f2f3e-7c1a-7b52-9c5b-0d4b9f6f1a2c".parse().unwrap();
    let two = || vec!["https://x.example".into(), "https://api.example/v1".into()];
    let one: &[&str] = &["https://api.example"];
    let none: &[&str] = &[];
    let rows: &[Row<'_>] = &[
        (tenant, "rs", one, vec![one[0].into()], None, "its audience"),
        (tenant, "rs", &["https://api.example/"], vec![one[0].into()], None, "empty path"),
        (tenant, "rs", &["https://y.example", one[0]], vec![one[0].into()], None, "one of its own"),
        (tenant, "rs", &["https://api.example/v1"], two(), None, "one of the token's"),
        (tenant, "client", none, vec![one[0].into()], None, "issued to the caller"),
        (tenant, "rs", none, vec![one[0].into()], Some(Reason::ForeignAudience), "no audience"),
        (tenant, "rs", &["https://api"], vec![one[0].into()], Some(Reason::ForeignAudience), "prefix"),
        (tenant, "rs", one, two(), Some(Reason::ForeignAudience), "a path below"),
        (elsewhere, "rs", one, vec![one[0].into()], Some(Reason::ForeignTenant), "other tenant"),
        (elsewhere, "client", none, vec![one[0].into()], Some(Reason::ForeignTenant), "same id there"),
    ];
    for (caller_tenant, caller, audiences, aud, expected, why) in rows {
        let access = Access { aud: aud.clone(), ..access() };
        let caller = ClientId::parse(caller).unwrap();
        let allowed = may_introspect(*caller_tenant, &caller, audiences, access.issue());
        assert_eq!(allowed.err(), *expected, "{why}");
    }
}

#[test]
fn a_token_dies_by_every_mark_of_its_own() {
    let access = access();
    let tenant = access.tenant_id;
    let expected = [
        MarkKey::tenant(tenant),
        MarkKey::client(&access.client_id),
        MarkKey::subject(tenant, "subject"),
        MarkKey::token(tenant, "family.unique"),
        MarkKey::family(tenant, "family"),
    ];
    assert_eq!(access.mark_keys().as_slice(), expected);
    let machine = Access { jti: "unique".into(), ..access };
    assert_eq!(machine.mark_keys().as_slice().len(), 4, "no family without a dot");
}

fn body_of(access: Access) -> Value {
    serde_json::from_slice(&introspection_body(&Verified::new(access))).unwrap()
}

#[test]
fn the_response_carries_the_contract() {
    let body = introspection_body(&Verified::new(access()));
    let expected = r#"{"active":true,"iss":"https://issuer.example","sub":"subject","aud":"https://api.example","client_id":"client","scope":"read write","token_type":"Bearer","exp":1764000300,"iat":1764000000,"nbf":1764000000,"jti":"family.unique","tenant_id":"018f2f3e-7c1a-7b52-9c5b-0d4b9f6f1a2b","subject_type":"human"}"#;
    assert_eq!(String::from_utf8(body).unwrap(), expected);
    let several = Access { aud: vec!["a".into(), "b/".into()], ..access() };
    assert_eq!(body_of(several)["aud"], json!(["a", "b/"]), "several audiences, as registered");
    let none = Access { scope: String::new(), ..access() };
    assert_eq!(body_of(none)["scope"], "", "no scope granted");
}

#[test]
fn the_response_carries_what_the_token_has() {
    let extra = json!({
        "cnf": {"jkt": "x"}, "act": {"sub": "a", "act": {"sub": "b"}}, "acr": "1", "amr": ["pwd"],
        "auth_time": 1, "authorization_details": [{"type": "t", "n": 1.5}], "username": "u",
    });
    let mut bound = access();
    bound.extra = extra.as_object().unwrap().clone();
    let body = body_of(bound);
    for name in EXTRA_CLAIMS {
        assert_eq!(body[name], extra[name], "{name}");
    }
    assert_eq!(body["token_type"], "DPoP", "a DPoP key");
    let mut mtls = access();
    mtls.extra.insert("cnf".into(), json!({"x5t#S256": "x"}));
    assert_eq!(body_of(mtls)["token_type"], "Bearer", "a certificate");
}

#[test]
fn every_reason_has_its_label() {
    let labels: std::collections::HashSet<_> = Reason::ALL.map(Reason::label).into();
    assert_eq!(labels.len(), Reason::ALL.len());
    let curable = Reason::ALL.into_iter().filter(|reason| reason.curable());
    let expected = [
        Reason::UnknownKey,
        Reason::ClientUnknown,
        Reason::ClientDisabled,
        Reason::TenantUnknown,
        Reason::TenantDisabled,
    ];
    assert_eq!(curable.collect::<Vec<_>>(), expected);
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        any::<String>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
        Just(Value::Null),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            proptest::collection::btree_map(any::<String>(), inner, 0..3)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn any_access_round_trips(
        sub in "\\PC{1,20}|[\"\\\\\\x00-\\x1f]{1,20}",
        aud in proptest::collection::vec(".{1,30}", 1..4),
        scope in "([!#-\\[\\]-~]{1,9}( [!#-\\[\\]-~]{1,9}){0,3})?",
        username in any::<String>(),
        act in any_value(),
    ) {
        let mut access = Access { sub, aud, scope, ..access() };
        access.extra.insert("username".into(), username.into());
        access.extra.insert("act".into(), json!({ "inner": act }));
        let body = body_of(access.clone());
        prop_assert_eq!(&body["sub"], &access.sub);
        prop_assert_eq!(&body["username"], &access.extra["username"]);
        prop_assert_eq!(&body["act"], &access.extra["act"]);
        prop_assert_eq!(&body["aud"], &match access.aud.as_slice() {
            [only] => json!(only),
            several => json!(several),
        });
        let input = signing_input(Alg::EdDsa, &Kid::parse("k").unwrap(), &access);
        let payload = b64::decode(input.split_once('.').unwrap().1.as_bytes()).unwrap();
        prop_assert_eq!(claims::parse(&payload), Ok(access));
    }

    #[test]
    fn arbitrary_payloads_never_panic(payload in proptest::collection::vec(any::<u8>(), 0..100)) {
        prop_assert!(claims::parse(&payload).is_err());
    }

    #[test]
    fn arbitrary_tokens_never_panic(token in proptest::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(verify(&token, &Node::default(), false, NOW_S).is_err());
    }
}
