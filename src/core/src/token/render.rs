//! Writing access tokens, and the introspection response for one.
//!
//! Members go out in a fixed order, each at most once, whatever is in `extra`: only the names of
//! [`EXTRA_CLAIMS`] are looked up in it.

use serde_json::Value;

use super::{ACCESS_TYP, Access, EXTRA_CLAIMS};
use crate::b64;
use crate::ids::Kid;
use crate::json::{push_integer, push_string, push_value};
use crate::jwk::Alg;
use crate::jws::Verified;

/// What a signer must sign: header and payload, both base64url, with the dot between them.
///
/// A token longer than [`crate::jws::TOKEN_BYTES_MAX`] with its signature would verify nowhere; an
/// issuer that takes `authorization_details` from requests bounds them first.
pub fn signing_input(alg: Alg, kid: &Kid, claims: &Access) -> String {
    let mut header = Members::new();
    header.text("alg", alg.as_str());
    header.text("kid", kid.as_str());
    header.text("typ", ACCESS_TYP);
    let mut payload = Members::new();
    push_claims(&mut payload, claims);
    let mut input = String::with_capacity(1024);
    b64::encode_into(&header.close(), &mut input);
    input.push('.');
    b64::encode_into(&payload.close(), &mut input);
    input
}

/// The whole token, once its signing input is signed.
pub fn assemble(mut signing_input: String, signature: &[u8]) -> String {
    signing_input.push('.');
    b64::encode_into(signature, &mut signing_input);
    signing_input
}

/// The response about a live access token (RFC 7662 section 2.2).
pub fn introspection_body(access: &Verified<Access>) -> Vec<u8> {
    let bound = access.extra.get("cnf").and_then(|cnf| cnf.get("jkt")).is_some();
    let mut body = Members::new();
    body.value("active", &Value::Bool(true));
    body.text("iss", &access.iss);
    body.text("sub", &access.sub);
    push_aud(&mut body, access);
    body.text("client_id", access.client_id.as_str());
    body.text("scope", &access.scope);
    body.text("token_type", if bound { "DPoP" } else { "Bearer" });
    body.integer("exp", access.exp_s);
    push_rest(&mut body, access);
    body.close()
}

/// RFC 9068 section 2.2. No scope, no claim: its grammar has no empty text.
fn push_claims(payload: &mut Members, claims: &Access) {
    payload.text("iss", &claims.iss);
    payload.text("sub", &claims.sub);
    push_aud(payload, claims);
    payload.text("client_id", claims.client_id.as_str());
    if !claims.scope.is_empty() {
        payload.text("scope", &claims.scope);
    }
    payload.integer("exp", claims.exp_s);
    push_rest(payload, claims);
}

fn push_aud(members: &mut Members, claims: &Access) {
    if let [only] = claims.aud.as_slice() {
        return members.text("aud", only);
    }
    members.name("aud");
    for (index, aud) in claims.aud.iter().enumerate() {
        members.0.push(if index == 0 { b'[' } else { b',' });
        push_string(aud, &mut members.0);
    }
    members.0.push(b']');
}

fn push_rest(members: &mut Members, claims: &Access) {
    members.integer("iat", claims.iat_s);
    members.integer("nbf", claims.nbf_s);
    members.text("jti", &claims.jti);
    members.text("tenant_id", &claims.tenant_id.to_string());
    members.text("subject_type", claims.subject_type.as_str());
    for name in EXTRA_CLAIMS {
        if let Some(value) = claims.extra.get(name) {
            members.value(name, value);
        }
    }
}

/// An object under construction.
struct Members(Vec<u8>);

impl Members {
    fn new() -> Self {
        let mut out = Vec::with_capacity(512);
        out.push(b'{');
        Self(out)
    }

    fn name(&mut self, name: &str) {
        if self.0.len() > 1 {
            self.0.push(b',');
        }
        push_string(name, &mut self.0);
        self.0.push(b':');
    }

    fn text(&mut self, name: &str, value: &str) {
        self.name(name);
        push_string(value, &mut self.0);
    }

    fn integer(&mut self, name: &str, value: i64) {
        self.name(name);
        push_integer(value, &mut self.0);
    }

    fn value(&mut self, name: &str, value: &Value) {
        self.name(name);
        push_value(value, &mut self.0);
    }

    fn close(mut self) -> Vec<u8> {
        self.0.push(b'}');
        self.0
    }
}
