//! Public keys: JWK (RFC 7517, 7518 section 6, 8037), thumbprints (RFC 7638) and verification.
//!
//! A key knows which algorithms it may be used with, and verification asks the key, never the
//! message: an RSA key cannot become an HMAC secret, and a key registered for PS256 verifies no
//! RS256 signature. Private and symmetric members are refused loudly, because somebody has just
//! published a secret.
//!
//! Limits: RSA moduli of 2048 to 8192 bits with exponents of 3 to 2^32 - 1; 32 keys in a set. That
//! a point lies on its curve is checked by ring at each verification; a bad point verifies nothing.

use std::fmt;
use std::str::FromStr;

use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, RSA_PSS_2048_8192_SHA256,
    RsaParameters, RsaPublicKeyComponents, UnparsedPublicKey, VerificationAlgorithm,
};
use serde_json::{Map, Value, json};

use crate::b64;
use crate::ids::Kid;
use crate::json::json_object_strict;
use crate::jws::KID_TEXT_BYTES_MAX;
use crate::secret::Digest32;

/// The most keys in one set.
pub const JWK_SET_KEYS_MAX: usize = 32;

/// A signature algorithm (RFC 7518 section 3.1, RFC 8037). Asymmetric only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Alg {
    Es256,
    EdDsa,
    Rs256,
    Ps256,
    Es384,
}

impl Alg {
    pub const ALL: [Self; 5] = [Self::Es256, Self::EdDsa, Self::Rs256, Self::Ps256, Self::Es384];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Es256 => "ES256",
            Self::EdDsa => "EdDSA",
            Self::Rs256 => "RS256",
            Self::Ps256 => "PS256",
            Self::Es384 => "ES384",
        }
    }
}

/// Not an algorithm that is spoken here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownAlg;

impl FromStr for Alg {
    type Err = UnknownAlg;

    /// "Ed25519" is the fully specified name of what we call "EdDSA" (RFC 9864); clients send either.
    fn from_str(text: &str) -> Result<Self, UnknownAlg> {
        if text == "Ed25519" {
            return Ok(Self::EdDsa);
        }
        Self::ALL.into_iter().find(|alg| alg.as_str() == text).ok_or(UnknownAlg)
    }
}

impl fmt::Display for Alg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JwkFault {
    /// Not a JWK, or a member of it is missing or malformed.
    Malformed,
    /// A symmetric key or private members.
    Private,
    /// A key type, curve or algorithm that is not spoken here.
    Unsupported,
    /// Registered for something else than signatures.
    OtherUse,
    /// An RSA key too short, too long, or with a useless exponent.
    BadRsa,
    /// Two keys of a set with one `kid`.
    DoubledKid,
    /// More than [`JWK_SET_KEYS_MAX`] keys in a set.
    TooMany,
}

/// The signature is not one of this key over this message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadSignature;

/// A public key that verifies signatures.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKey {
    material: Material,
    /// The only algorithm it may be used with, if it was registered for one.
    only: Option<Alg>,
}

#[derive(Clone, PartialEq, Eq)]
enum Material {
    /// Uncompressed points (SEC 1 section 2.3.3).
    P256([u8; 65]),
    P384([u8; 97]),
    Ed25519([u8; 32]),
    /// Big-endian without leading zeros.
    Rsa {
        n: Box<[u8]>,
        e: Box<[u8]>,
    },
}

impl PublicKey {
    /// Reads a JWK. Its `alg` and `use`, if it has them, are binding.
    pub fn from_jwk(jwk: &Value) -> Result<Self, JwkFault> {
        let members = jwk.as_object().ok_or(JwkFault::Malformed)?;
        check_public(members)?;
        check_use(members)?;
        let material = match text(members, "kty")? {
            "EC" => ec_material(members)?,
            "OKP" => okp_material(members)?,
            "RSA" => rsa_material(&field(members, "n")?, &field(members, "e")?)?,
            _ => return Err(JwkFault::Unsupported),
        };
        let only = match members.get("alg") {
            None => None,
            Some(alg) => Some(parse_alg(alg)?),
        };
        let key = Self { material, only: None };
        match only {
            Some(alg) if !key.allows(alg) => Err(JwkFault::Malformed),
            _ => Ok(Self { only, ..key }),
        }
    }

    /// Reads a public key as ring gives it: an uncompressed point, 32 bytes of Ed25519, or the DER of
    /// an `RSAPublicKey` (RFC 8017 appendix A.1.1). It may be used with `alg` only.
    pub fn from_raw(alg: Alg, bytes: &[u8]) -> Result<Self, JwkFault> {
        let fixed = |_| JwkFault::Malformed;
        let material = match alg {
            Alg::Es256 => Material::P256(bytes.try_into().map_err(fixed)?),
            Alg::Es384 => Material::P384(bytes.try_into().map_err(fixed)?),
            Alg::EdDsa => Material::Ed25519(bytes.try_into().map_err(fixed)?),
            Alg::Rs256 | Alg::Ps256 => {
                let (n, e) = parse_rsa_der(bytes).ok_or(JwkFault::Malformed)?;
                rsa_material(n, e)?
            }
        };
        match material {
            Material::P256([4, ..]) | Material::P384([4, ..]) | Material::Ed25519(_) | Material::Rsa { .. } => {
                Ok(Self { material, only: Some(alg) })
            }
            _ => Err(JwkFault::Malformed),
        }
    }

    /// The algorithm to expect of this key: the registered one, else the usual one of its type.
    pub fn alg(&self) -> Alg {
        self.only.unwrap_or(match self.material {
            Material::P256(_) => Alg::Es256,
            Material::P384(_) => Alg::Es384,
            Material::Ed25519(_) => Alg::EdDsa,
            Material::Rsa { .. } => Alg::Rs256,
        })
    }

    /// May this key be used with that algorithm?
    pub fn allows(&self, alg: Alg) -> bool {
        let rsa = matches!(self.material, Material::Rsa { .. });
        alg == self.alg() || (self.only.is_none() && rsa && alg == Alg::Ps256)
    }

    /// Checks a signature. An algorithm that the key does not allow is a bad signature.
    pub fn verify(&self, alg: Alg, message: &[u8], signature: &[u8]) -> Result<(), BadSignature> {
        if !self.allows(alg) {
            return Err(BadSignature);
        }
        match &self.material {
            Material::P256(key) => check(&ECDSA_P256_SHA256_FIXED, key, message, signature),
            Material::P384(key) => check(&ECDSA_P384_SHA384_FIXED, key, message, signature),
            Material::Ed25519(key) => check(&ED25519, key, message, signature),
            Material::Rsa { n, e } => RsaPublicKeyComponents { n, e }
                .verify(rsa_parameters(alg), message, signature)
                .map_err(|_| BadSignature),
        }
    }

    /// The SHA-256 thumbprint (RFC 7638 section 3, RFC 8037 section 2), base64url.
    pub fn thumbprint(&self) -> String {
        // serde_json's map is sorted by name and has no white space, as the RFC demands.
        let canonical = Value::Object(self.required_members()).to_string();
        b64::encode(Digest32::of(canonical.as_bytes()).as_bytes())
    }

    /// The thumbprint as the id of one of our keys.
    pub fn kid(&self) -> Option<Kid> {
        Kid::parse(&self.thumbprint()).ok()
    }

    /// The JWK as we publish it.
    pub fn to_jwk(&self, kid: &Kid) -> Value {
        let mut members = self.required_members();
        members.insert("use".into(), "sig".into());
        members.insert("alg".into(), self.alg().as_str().into());
        members.insert("kid".into(), kid.as_str().into());
        Value::Object(members)
    }

    fn required_members(&self) -> Map<String, Value> {
        let point = |curve: &str, point: &[u8]| {
            let coordinates = point.get(1..).unwrap_or_default();
            let (x, y) = coordinates.split_at_checked(coordinates.len() / 2).unwrap_or_default();
            json!({"kty": "EC", "crv": curve, "x": b64::encode(x), "y": b64::encode(y)})
        };
        let members = match &self.material {
            Material::P256(key) => point("P-256", key),
            Material::P384(key) => point("P-384", key),
            Material::Ed25519(key) => {
                json!({"kty": "OKP", "crv": "Ed25519", "x": b64::encode(key)})
            }
            Material::Rsa { n, e } => {
                json!({"kty": "RSA", "n": b64::encode(n), "e": b64::encode(e)})
            }
        };
        match members {
            Value::Object(members) => members,
            _ => Map::new(),
        }
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({} {})", self.alg(), self.thumbprint())
    }
}

/// The keys of a client or provider (RFC 7517 section 5).
#[derive(Clone, Debug, Default)]
pub struct JwkSet {
    keys: Vec<(Option<Box<str>>, PublicKey)>,
}

impl JwkSet {
    /// Parses a set from strict JSON.
    pub fn parse(json: &str) -> Result<Self, JwkFault> {
        let members = json_object_strict(json.as_bytes()).map_err(|_| JwkFault::Malformed)?;
        Self::from_members(&members)
    }

    /// Reads a set that was parsed strictly before.
    pub fn from_value(value: &Value) -> Result<Self, JwkFault> {
        Self::from_members(value.as_object().ok_or(JwkFault::Malformed)?)
    }

    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// The keys that may have made a signature with this `kid` and `alg`. A key without `kid`
    /// answers to every `kid`.
    pub fn find<'k>(&'k self, kid: Option<&'k str>, alg: Alg) -> impl Iterator<Item = &'k PublicKey> {
        let named = move |known: &Option<Box<str>>| match (known.as_deref(), kid) {
            (Some(known), Some(kid)) => known == kid,
            _ => true,
        };
        let keys = self.keys.iter().filter(move |(known, key)| named(known) && key.allows(alg));
        keys.map(|(_, key)| key)
    }

    /// Keys of a type, curve, algorithm or use that is not ours are passed over (section 5).
    fn from_members(members: &Map<String, Value>) -> Result<Self, JwkFault> {
        let jwks = members.get("keys").and_then(Value::as_array).ok_or(JwkFault::Malformed)?;
        if jwks.len() > JWK_SET_KEYS_MAX {
            return Err(JwkFault::TooMany);
        }
        let mut set = Self::default();
        for jwk in jwks {
            let key = match PublicKey::from_jwk(jwk) {
                Ok(key) => key,
                Err(JwkFault::Unsupported | JwkFault::OtherUse) => continue,
                Err(fault) => return Err(fault),
            };
            set.insert_key(parse_kid(jwk)?, key)?;
        }
        Ok(set)
    }

    fn insert_key(&mut self, kid: Option<Box<str>>, key: PublicKey) -> Result<(), JwkFault> {
        if kid.is_some() && self.keys.iter().any(|(known, _)| *known == kid) {
            return Err(JwkFault::DoubledKid);
        }
        self.keys.push((kid, key));
        Ok(())
    }
}

fn check_public(members: &Map<String, Value>) -> Result<(), JwkFault> {
    let symmetric = members.get("kty").is_some_and(|kty| kty == "oct");
    let private = PRIVATE.iter().any(|name| members.contains_key(*name));
    if symmetric || private { Err(JwkFault::Private) } else { Ok(()) }
}

/// `use` is `sig` and `key_ops` has `verify`, if they are there (RFC 7517 section 4.2, 4.3).
fn check_use(members: &Map<String, Value>) -> Result<(), JwkFault> {
    if members.get("use").is_some_and(|usage| usage != "sig") {
        return Err(JwkFault::OtherUse);
    }
    match members.get("key_ops") {
        None => Ok(()),
        Some(Value::Array(ops)) if ops.iter().any(|op| op == "verify") => Ok(()),
        Some(Value::Array(_)) => Err(JwkFault::OtherUse),
        Some(_) => Err(JwkFault::Malformed),
    }
}

fn parse_alg(alg: &Value) -> Result<Alg, JwkFault> {
    let text = alg.as_str().ok_or(JwkFault::Malformed)?;
    text.parse().map_err(|_| JwkFault::Unsupported)
}

fn parse_kid(jwk: &Value) -> Result<Option<Box<str>>, JwkFault> {
    match jwk.get("kid") {
        None => Ok(None),
        Some(Value::String(kid)) if !kid.is_empty() && kid.len() <= KID_TEXT_BYTES_MAX => {
            Ok(Some(Box::from(kid.as_str())))
        }
        Some(_) => Err(JwkFault::Malformed),
    }
}

fn text<'m>(members: &'m Map<String, Value>, name: &str) -> Result<&'m str, JwkFault> {
    members.get(name).and_then(Value::as_str).ok_or(JwkFault::Malformed)
}

fn field(members: &Map<String, Value>, name: &str) -> Result<Vec<u8>, JwkFault> {
    let text = text(members, name)?;
    if text.len() > FIELD_SYMBOLS_MAX {
        return Err(JwkFault::Malformed);
    }
    b64::decode(text.as_bytes()).ok_or(JwkFault::Malformed)
}

fn ec_material(members: &Map<String, Value>) -> Result<Material, JwkFault> {
    let curve = text(members, "crv")?;
    if !matches!(curve, "P-256" | "P-384") {
        return Err(JwkFault::Unsupported);
    }
    let (x, y) = (field(members, "x")?, field(members, "y")?);
    if x.len() != y.len() {
        return Err(JwkFault::Malformed);
    }
    let point = [&[4], x.as_slice(), y.as_slice()].concat();
    let fixed = |_| JwkFault::Malformed;
    match curve {
        "P-256" => point.try_into().map(Material::P256).map_err(fixed),
        _ => point.try_into().map(Material::P384).map_err(fixed),
    }
}

fn okp_material(members: &Map<String, Value>) -> Result<Material, JwkFault> {
    if text(members, "crv")? != "Ed25519" {
        return Err(JwkFault::Unsupported);
    }
    let key = field(members, "x")?.try_into();
    key.map(Material::Ed25519).map_err(|_| JwkFault::Malformed)
}

fn rsa_material(n: &[u8], e: &[u8]) -> Result<Material, JwkFault> {
    // A leading zero octet is not the one spelling of RFC 7518 section 2, Base64urlUInt.
    let (Some(&top), Some(&low)) = (n.first(), n.last()) else {
        return Err(JwkFault::BadRsa);
    };
    let bits = n.len() * 8 - top.leading_zeros() as usize;
    let modulus = top != 0 && low & 1 == 1 && (2048..=8192).contains(&bits);
    let value = e.iter().fold(0_u64, |value, byte| value << 8 | u64::from(*byte));
    let minimal = e.first().is_some_and(|top| *top != 0) && e.len() <= 4;
    if modulus && minimal && value >= 3 && value & 1 == 1 {
        Ok(Material::Rsa { n: n.into(), e: e.into() })
    } else {
        Err(JwkFault::BadRsa)
    }
}

/// Modulus and exponent of `SEQUENCE { INTEGER, INTEGER }`, both positive and in minimal DER.
fn parse_rsa_der(der: &[u8]) -> Option<(&[u8], &[u8])> {
    let (sequence, []) = read_der(0x30, der)? else {
        return None;
    };
    let (n, rest) = read_der(0x02, sequence)?;
    let (e, []) = read_der(0x02, rest)? else {
        return None;
    };
    Some((strip_sign(n)?, strip_sign(e)?))
}

/// The content of one DER value and what follows it.
fn read_der(tag: u8, der: &[u8]) -> Option<(&[u8], &[u8])> {
    let (&found, rest) = der.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0x81 => rest.split_first().map(|(l, rest)| (usize::from(*l), rest))?,
        0x82 => rest.split_first_chunk().map(|(l, rest)| (u16::from_be_bytes(*l).into(), rest))?,
        _ => (usize::from(first), rest),
    };
    let shortest = match first {
        0x81 => length >= 0x80,
        0x82 => length >= 0x100,
        _ => length < 0x80,
    };
    if !shortest {
        return None;
    }
    if found == tag { rest.split_at_checked(length) } else { None }
}

fn strip_sign(integer: &[u8]) -> Option<&[u8]> {
    match integer {
        [0, top, ..] if top & 0x80 != 0 => integer.get(1..),
        [top, ..] if top & 0x80 == 0 && *top != 0 => Some(integer),
        _ => None,
    }
}

fn check(
    algorithm: &'static dyn VerificationAlgorithm,
    key: &[u8],
    message: &[u8],
    signature: &[u8],
) -> Result<(), BadSignature> {
    UnparsedPublicKey::new(algorithm, key).verify(message, signature).map_err(|_| BadSignature)
}

fn rsa_parameters(alg: Alg) -> &'static RsaParameters {
    match alg {
        Alg::Ps256 => &RSA_PSS_2048_8192_SHA256,
        Alg::Rs256 | Alg::Es256 | Alg::EdDsa | Alg::Es384 => &RSA_PKCS1_2048_8192_SHA256,
    }
}

/// Private members of every key type (RFC 7518 section 6.2.2, 6.3.2, 6.4.1).
const PRIVATE: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];
/// base64url symbols of an 8192-bit modulus.
const FIELD_SYMBOLS_MAX: usize = 1366;

#[cfg(test)]
mod tests;
