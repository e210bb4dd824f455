//! Tokens made by hand: decoded, altered, signed with keys of our own, or with the server's real one.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as B64;
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, ED25519, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _,
    UnparsedPublicKey,
};
use serde_json::{Value, json};
use sigid_core::ids::Kid;
use sigid_core::jwk::Alg;
use sigid_oidc::keys::RootKey;

use super::cluster::{Database, OWNER};
use super::seed::shared_file;

pub fn encode(bytes: impl AsRef<[u8]>) -> String {
    B64.encode(bytes)
}

pub fn decode(text: &str) -> Vec<u8> {
    B64.decode(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// Header and claims of a compact JWS.
pub fn read(token: &str) -> (Value, Value) {
    let parts: Vec<&str> = token.split('.').collect();
    assert_eq!(parts.len(), 3, "{token}");
    let json = |part: &str| serde_json::from_slice(&decode(part)).unwrap();
    (json(parts[0]), json(parts[1]))
}

/// A signing key with its private half.
pub enum Pair {
    Es256(EcdsaKeyPair),
    EdDsa(Ed25519KeyPair),
}

impl Pair {
    /// A new one, and its PKCS #8 form.
    pub fn generate(alg: &str) -> (Self, Vec<u8>) {
        let rng = SystemRandom::new();
        let pkcs8 = match alg {
            "ES256" => EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &rng).unwrap().as_ref().to_vec(),
            _ => Ed25519KeyPair::generate_pkcs8(&rng).unwrap().as_ref().to_vec(),
        };
        (Self::load(alg, &pkcs8), pkcs8)
    }

    pub fn load(alg: &str, pkcs8: &[u8]) -> Self {
        match alg {
            "ES256" => Self::Es256(
                EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8, &SystemRandom::new()).unwrap(),
            ),
            _ => Self::EdDsa(Ed25519KeyPair::from_pkcs8_maybe_unchecked(pkcs8).unwrap()),
        }
    }

    pub fn alg(&self) -> &'static str {
        match self {
            Self::Es256(_) => "ES256",
            Self::EdDsa(_) => "EdDSA",
        }
    }

    pub fn jwk(&self, kid: &str) -> Value {
        match self {
            Self::Es256(pair) => {
                let (x, y) = pair.public_key().as_ref()[1..].split_at(32);
                json!({ "kty": "EC", "crv": "P-256", "x": encode(x), "y": encode(y), "alg": "ES256", "use": "sig", "kid": kid })
            }
            Self::EdDsa(pair) => {
                json!({ "kty": "OKP", "crv": "Ed25519", "x": encode(pair.public_key()), "alg": "EdDSA", "use": "sig", "kid": kid })
            }
        }
    }

    fn signature(&self, input: &[u8]) -> Vec<u8> {
        match self {
            Self::Es256(pair) => pair.sign(&SystemRandom::new(), input).unwrap().as_ref().to_vec(),
            Self::EdDsa(pair) => pair.sign(input).as_ref().to_vec(),
        }
    }

    /// A compact JWS over header and payload as they are written.
    pub fn sign_text(&self, header: &str, payload: &str) -> String {
        let input = format!("{}.{}", encode(header), encode(payload));
        let signature = encode(self.signature(input.as_bytes()));
        format!("{input}.{signature}")
    }

    pub fn sign(&self, header: &Value, claims: &Value) -> String {
        self.sign_text(&header.to_string(), &claims.to_string())
    }
}

/// A name for a key of ours.
pub fn thumb(pair: &Pair) -> String {
    let jwk = pair.jwk("");
    jwk["x"].as_str().unwrap()[..16].to_owned()
}

/// HMAC-SHA256 over header and payload, under bytes that were never meant to be a secret.
pub fn sign_hmac(secret: &[u8], header: &Value, claims: &Value) -> String {
    let input = format!("{}.{}", encode(header.to_string()), encode(claims.to_string()));
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, secret);
    let tag = encode(ring::hmac::sign(&key, input.as_bytes()));
    format!("{input}.{tag}")
}

/// Checks a token against a JWKS document as a resource server would, offline.
pub fn verify(token: &str, jwks: &Value) -> bool {
    let (header, _) = read(token);
    let Some(jwk) = jwks["keys"].as_array().unwrap().iter().find(|jwk| jwk["kid"] == header["kid"]) else {
        return false;
    };
    assert_eq!(jwk["alg"], header["alg"]);
    let (input, signature) = token.rsplit_once('.').unwrap();
    let coordinate = |name: &str| decode(jwk[name].as_str().unwrap());
    let checked = match jwk["kty"].as_str().unwrap() {
        "EC" => {
            let point = [&[4][..], &coordinate("x"), &coordinate("y")].concat();
            UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(input.as_bytes(), &decode(signature))
        }
        _ => UnparsedPublicKey::new(&ED25519, coordinate("x")).verify(input.as_bytes(), &decode(signature)),
    };
    checked.is_ok()
}

/// The server's private key of that id, out of its database.
pub async fn real_key(database: &Database, kid: &str) -> Pair {
    let client = database.connect(OWNER).await;
    let row =
        client.query_one("select alg, sealed_private from auth.signing_keys where kid = $1", &[&kid]).await.unwrap();
    let (alg, sealed): (String, Vec<u8>) = (row.get(0), row.get(1));
    let root = RootKey::parse(&std::fs::read_to_string(shared_file("root.key")).unwrap()).unwrap();
    let opened = root.open(alg.parse::<Alg>().unwrap(), &Kid::parse(kid).unwrap(), &sealed).unwrap();
    Pair::load(&alg, opened.expose())
}
