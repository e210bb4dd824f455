//! Tokens that are not good, each in one respect: the answer is the same for all, to the last header.

use serde_json::{Value, json};

use crate::support::ask::{Reply, introspect, token};
use crate::support::connect::Conn;
use crate::support::forge::{self, Pair, encode, real_key, sign_hmac};
use crate::support::seed::client;
use crate::support::server::Server;
use crate::support::site::Site;
use crate::support::wait::now_s;

/// A live token's parts, and the key that signed it.
struct Real {
    token: String,
    header: Value,
    claims: Value,
    key: Pair,
    jwk: Value,
}

impl Real {
    async fn new(site: &Site, server: &Server) -> Self {
        let conn = server.connect().await;
        let token = conn.ask(token(&client("service"), &[])).await.token();
        let (header, claims) = forge::read(&token);
        let key = real_key(&site.database, header["kid"].as_str().unwrap()).await;
        let jwks = server.ask(crate::support::ask::Ask::get("/.well-known/jwks.json")).await.json();
        let jwk = jwks["keys"].as_array().unwrap().iter().find(|jwk| jwk["kid"] == header["kid"]).unwrap().clone();
        Self { token, header, claims, key, jwk }
    }

    /// Signed by the real key, with other header members.
    fn header(&self, members: Value) -> String {
        self.key.sign(&merged(&self.header, members), &self.claims)
    }

    /// Signed by the real key, with other claims; null takes one away.
    fn claims(&self, members: Value) -> String {
        self.key.sign(&self.header, &merged(&self.claims, members))
    }
}

fn merged(base: &Value, members: Value) -> Value {
    let mut all = base.as_object().unwrap().clone();
    for (name, value) in members.as_object().unwrap() {
        match value {
            Value::Null => drop(all.remove(name)),
            value => drop(all.insert(name.clone(), value.clone())),
        }
    }
    Value::Object(all)
}

#[tokio::test]
async fn a_bad_token_is_inactive_and_nothing_more() {
    let site = Site::new().await;
    let server = site.serve_unbudgeted().await;
    let real = Real::new(&site, &server).await;
    let conn = server.connect().await;
    let api = client("api");
    let plain = conn.ask(introspect(&api, "nonsense")).await.expect(200);
    assert_eq!(plain.text(), r#"{"active":false}"#);
    for (reason, token) in good_rows(&real) {
        let reply = conn.ask(introspect(&api, &token)).await;
        assert!(reply.is_active(), "{reason}: {}", reply.text());
    }
    let rows = [header_rows(&real), signature_rows(&real), claim_rows(&real), shape_rows(&real)].concat();
    for (reason, token) in rows {
        let reply = conn.ask(introspect(&api, &token)).await;
        assert_same(reason, &reply, &plain);
    }
}

/// Same status, body and headers: nothing tells why.
#[track_caller]
fn assert_same(reason: &str, reply: &Reply, plain: &Reply) {
    assert_eq!((reply.status, reply.text()), (plain.status, plain.text()), "{reason}");
    assert_eq!(reply.headers, plain.headers, "{reason}");
}

type Row = (&'static str, String);

/// Each bad row is near one of these, which shows that the row fails for its own reason.
fn good_rows(real: &Real) -> Vec<Row> {
    vec![
        ("as issued", real.token.clone()),
        ("signed again by the real key", real.claims(json!({ "jti": "again" }))),
        ("the long form of the type", real.header(json!({ "typ": "application/at+jwt" }))),
        ("the type in capitals", real.header(json!({ "typ": "AT+JWT" }))),
        ("two audiences", real.claims(json!({ "aud": ["https://elsewhere.example", real.claims["aud"]] }))),
        ("an unknown claim", real.claims(json!({ "favourite_colour": "blue" }))),
        ("issued a little ahead of our clock", real.claims(json!({ "iat": now_s() + 3, "nbf": now_s() + 3 }))),
    ]
}

fn header_rows(real: &Real) -> Vec<Row> {
    let (own, _) = Pair::generate("ES256");
    let kid = real.header["kid"].as_str().unwrap();
    let none = |alg: &str| {
        let header = merged(&real.header, json!({ "alg": alg }));
        format!("{}.{}.", encode(header.to_string()), encode(real.claims.to_string()))
    };
    let hs256 = merged(&real.header, json!({ "alg": "HS256" }));
    let public_point = [&[4][..], &forge::decode(real.jwk["x"].as_str().unwrap())].concat();
    let own_header = merged(&real.header, json!({ "jwk": own.jwk(kid) }));
    let doubled = |member: &str| {
        let text = real.header.to_string();
        real.key.sign_text(&format!("{{{member},{}", &text[1..]), &real.claims.to_string())
    };
    vec![
        ("alg none, no signature", none("none")),
        ("alg None in capitals", none("NONE")),
        ("alg missing", real.header(json!({ "alg": null }))),
        ("alg none with a real signature", real.header(json!({ "alg": "none" }))),
        ("HS256 under the public key's document", sign_hmac(real.jwk.to_string().as_bytes(), &hs256, &real.claims)),
        ("HS256 under the public point", sign_hmac(&public_point, &hs256, &real.claims)),
        ("HS256 under nothing", sign_hmac(b"", &hs256, &real.claims)),
        ("the key's other algorithm", real.header(json!({ "alg": "ES384" }))),
        ("an algorithm of another key", real.header(json!({ "alg": "EdDSA" }))),
        ("RS256 for an EC key", real.header(json!({ "alg": "RS256" }))),
        ("jku", real.header(json!({ "jku": "https://evil.example/jwks.json" }))),
        ("x5u", real.header(json!({ "x5u": "https://evil.example/x5u" }))),
        ("x5c", real.header(json!({ "x5c": [] }))),
        ("jwk beside the right signature", real.header(json!({ "jwk": real.jwk }))),
        ("jwk of the forger, signed by it", own.sign(&own_header, &real.claims)),
        ("crit of something unknown", real.header(json!({ "crit": ["x"], "x": true }))),
        ("crit of exp", real.header(json!({ "crit": ["exp"], "exp": 1 }))),
        ("crit, empty", real.header(json!({ "crit": [] }))),
        ("b64 false", real.header(json!({ "b64": false, "crit": ["b64"] }))),
        ("b64 true", real.header(json!({ "b64": true }))),
        ("doubled alg", doubled(r#""alg":"none""#)),
        ("doubled alg, the same", doubled(r#""alg":"ES256""#)),
        ("doubled kid", doubled(r#""kid":"other""#)),
        ("doubled typ", doubled(r#""typ":"JWT""#)),
        ("typ of an ID token", real.header(json!({ "typ": "JWT" }))),
        ("typ of a logout token", real.header(json!({ "typ": "logout+jwt" }))),
        ("typ missing", real.header(json!({ "typ": null }))),
        ("typ no text", real.header(json!({ "typ": 1 }))),
        ("kid unknown", real.header(json!({ "kid": "unknown" }))),
        ("kid missing", real.header(json!({ "kid": null }))),
        ("kid a path", real.header(json!({ "kid": "../../etc/passwd" }))),
        ("kid no text", real.header(json!({ "kid": [kid] }))),
        ("kid of another case", real.header(json!({ "kid": kid.to_uppercase() }))),
    ]
}

fn signature_rows(real: &Real) -> Vec<Row> {
    let (own, _) = Pair::generate("ES256");
    let (own_ed, _) = Pair::generate("EdDSA");
    let (input, signature) = real.token.rsplit_once('.').unwrap();
    let bytes = forge::decode(signature);
    let with = |signature: &[u8]| format!("{input}.{}", encode(signature));
    let flipped: Vec<u8> = bytes.iter().enumerate().map(|(at, byte)| byte ^ u8::from(at == 5)).collect();
    // 64 bytes are 86 digits, of which the last carries four bits that mean nothing.
    let mut digits = signature.to_owned();
    let last = digits.pop().unwrap();
    digits.push(char::from(last as u8 + 1));
    let other = real.claims(json!({ "scope": "read admin" }));
    let (_, other_signature) = other.rsplit_once('.').unwrap();
    vec![
        ("a key of one's own under the real kid", own.sign(&real.header, &real.claims)),
        (
            "a real key, but not one of ours",
            own.sign(&merged(&real.header, json!({ "kid": forge::thumb(&own) })), &real.claims),
        ),
        (
            "another algorithm's key, not ours",
            own_ed.sign(&merged(&real.header, json!({ "kid": forge::thumb(&own_ed), "alg": "EdDSA" })), &real.claims),
        ),
        ("one bit off", with(&flipped)),
        ("cut short", with(&bytes[..63])),
        ("one byte more", with(&[&bytes[..], &[0]].concat())),
        ("zeros (CVE-2022-21449)", with(&[0; 64])),
        ("none", format!("{input}.")),
        ("of other claims", format!("{input}.{other_signature}")),
        ("another spelling of the same bytes", format!("{input}.{digits}")),
        ("padded", format!("{}=", real.token)),
    ]
}

fn claim_rows(real: &Real) -> Vec<Row> {
    let now_s = now_s();
    let iss = real.claims["iss"].as_str().unwrap();
    let doubled = |member: &str| {
        let text = real.claims.to_string();
        real.key.sign_text(&real.header.to_string(), &format!("{{{member},{}", &text[1..]))
    };
    vec![
        ("expired this second", real.claims(json!({ "exp": now_s }))),
        ("expired long ago", real.claims(json!({ "exp": now_s - 9000, "iat": now_s - 9900, "nbf": now_s - 9900 }))),
        ("no exp", real.claims(json!({ "exp": null }))),
        ("exp as text", real.claims(json!({ "exp": "9999999999" }))),
        ("exp as fraction", real.claims(json!({ "exp": 9_999_999_999.5 }))),
        ("exp beyond all years", real.claims(json!({ "exp": u64::MAX }))),
        ("issued in the future", real.claims(json!({ "iat": now_s + 60 }))),
        ("not yet valid", real.claims(json!({ "nbf": now_s + 60 }))),
        ("no iat", real.claims(json!({ "iat": null }))),
        ("no jti", real.claims(json!({ "jti": null }))),
        ("no sub", real.claims(json!({ "sub": null }))),
        ("no aud", real.claims(json!({ "aud": null }))),
        ("aud empty", real.claims(json!({ "aud": [] }))),
        ("aud a number", real.claims(json!({ "aud": 7 }))),
        ("aud in another spelling", real.claims(json!({ "aud": "HTTPS://api.one.example" }))),
        ("aud with a suffix", real.claims(json!({ "aud": "https://api.one.example.evil.example" }))),
        ("another issuer", real.claims(json!({ "iss": "https://evil.example" }))),
        ("the issuer with a slash", real.claims(json!({ "iss": format!("{iss}/") }))),
        ("no issuer", real.claims(json!({ "iss": null }))),
        ("a client that is not", real.claims(json!({ "client_id": "nobody" }))),
        ("a client of another tenant", real.claims(json!({ "client_id": "foreign" }))),
        ("a tenant that is not", real.claims(json!({ "tenant_id": "00000000-0000-4000-8000-000000000000" }))),
        ("no tenant", real.claims(json!({ "tenant_id": null }))),
        ("a subject type that is not", real.claims(json!({ "subject_type": "root" }))),
        ("doubled aud", doubled(r#""aud":"https://evil.example""#)),
        ("doubled exp", doubled(r#""exp":9999999999"#)),
        ("doubled within a claim", deep(real)),
    ]
}

/// A doubled member two levels down, where a lenient reader does not look.
fn deep(real: &Real) -> String {
    let text = real.claims.to_string();
    real.key.sign_text(&real.header.to_string(), &format!(r#"{{"cnf":{{"jkt":"a","jkt":"b"}},{}"#, &text[1..]))
}

fn shape_rows(real: &Real) -> Vec<Row> {
    let parts: Vec<&str> = real.token.split('.').collect();
    vec![
        ("one part", parts[0].to_owned()),
        ("two parts", parts[..2].join(".")),
        ("four parts", format!("{}.x", real.token)),
        ("five parts, as of a JWE", [&parts[..], &["", ""]].concat().join(".")),
        ("dots", "..".to_owned()),
        ("a space before", format!(" {}", real.token)),
        ("a newline after", format!("{}\n", real.token)),
        ("a zero byte", format!("{}\0", real.token)),
        ("not base64", format!("!{}", real.token)),
        ("another alphabet", real.token.replace('-', "+").replace('_', "/") + "+"),
        ("a payload that is no JSON", real.key.sign_text(&real.header.to_string(), "not json")),
        ("a payload that is no object", real.key.sign_text(&real.header.to_string(), "[]")),
        ("a header that is no JSON", real.key.sign_text("header", &real.claims.to_string())),
        ("a payload with something after it", {
            real.key.sign_text(&real.header.to_string(), &format!("{}x", real.claims))
        }),
        ("nested too deep", {
            let deep = format!("{}{}", "[".repeat(900), "]".repeat(900));
            real.key.sign_text(&real.header.to_string(), &format!(r#"{{"act":{deep}}}"#))
        }),
        ("longer than any token", "a".repeat(9000)),
        ("a real token made longer than any", real.claims(json!({ "x": "a".repeat(9000) }))),
        ("text that is no ASCII", "tökén".to_owned()),
    ]
}

#[tokio::test]
async fn why_is_told_to_the_operator_alone() {
    let site = Site::new().await;
    let server = site.serve().await;
    let real = Real::new(&site, &server).await;
    let conn: Conn = server.connect().await;
    let api = client("api");
    let rows = [
        ("malformed", "nonsense".to_owned()),
        ("bad_type", real.header(json!({ "typ": "JWT" }))),
        ("unknown_key", real.header(json!({ "kid": "unknown" }))),
        ("alg_mismatch", real.header(json!({ "alg": "EdDSA" }))),
        ("bad_signature", real.token[..real.token.len() - 4].to_owned() + "AAAA"),
        ("expired", real.claims(json!({ "exp": now_s() - 1, "iat": now_s() - 9, "nbf": now_s() - 9 }))),
        ("not_yet_valid", real.claims(json!({ "nbf": now_s() + 60 }))),
        ("bad_issuer", real.claims(json!({ "iss": "https://evil.example" }))),
        ("bad_claims", real.claims(json!({ "sub": null }))),
        ("client_unknown", real.claims(json!({ "client_id": "nobody" }))),
        ("foreign_audience", real.claims(json!({ "aud": "https://elsewhere.example" }))),
    ];
    for (reason, token) in rows {
        let label = format!("reason=\"{reason}\"");
        let count = async || server.metrics().await.sum("sigid_introspect_inactive_total", &[&label]);
        let before = count().await;
        assert!(!conn.ask(introspect(&api, &token)).await.expect(200).is_active(), "{reason}");
        assert!(count().await > before, "no inactive answer was counted as {reason}");
    }
    assert!(!server.log().contains(&real.token), "the log holds a token");
}
