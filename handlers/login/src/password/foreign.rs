//! The forms in which other systems keep or export their hashes.
//!
//! * Django: `algorithm$...`, as in `auth_user.password`. Its salts are text.
//! * Keycloak: a credential of an export, `{"credentialData": .., "secretData": ..}`, each an object or the text of one.
//! * Auth0: `passwordHash` of an export (bcrypt), and `custom_password_hash` of its bulk import for bcrypt, Argon2, PBKDF2
//!   and scrypt. What it takes beside these, digests and LDAP schemes, is no password hash and is refused.
//! * Firebase: an account of an export, `passwordHash` and `salt`, with the project's parameters beside it or in
//!   `hashConfig`.

use super::stored::{StoredFault, StoredHash, read_string, read_version};
use super::text::{self, B64};
use serde_json::{Map, Value};
use sigid_io::hash_pool::{Argon2Kind, Cost, Pbkdf2Hmac, Recipe, SignerKey};

type Object = Map<String, Value>;

// --- Django ----------------------------------------------------------------------------------------------------

pub(super) fn read_django(text: &str) -> Result<StoredHash, StoredFault> {
    let (name, rest) = text.split_once('$').ok_or(StoredFault::Unknown)?;
    let parts: Vec<&str> = rest.split('$').collect();
    match name {
        "pbkdf2_sha256" => read_django_pbkdf2(Pbkdf2Hmac::Sha256, &parts),
        "pbkdf2_sha1" => read_django_pbkdf2(Pbkdf2Hmac::Sha1, &parts),
        "scrypt" => read_django_scrypt(&parts),
        "argon2" => read_only(&format!("${rest}"), |recipe| matches!(recipe, Recipe::Argon2 { .. })),
        "bcrypt" => read_only(rest, |recipe| matches!(recipe, Recipe::Bcrypt { .. })),
        "bcrypt_sha256" => {
            let hash = read_only(rest, |recipe| matches!(recipe, Recipe::Bcrypt { .. }))?;
            let Recipe::Bcrypt { cost } = hash.recipe else { return Err(StoredFault::Malformed) };
            Ok(StoredHash { recipe: Recipe::BcryptSha256 { cost }, ..hash })
        }
        _ => Err(StoredFault::Unknown),
    }
}

/// A string whose algorithm was named before.
fn read_only(text: &str, is_named: impl Fn(&Recipe) -> bool) -> Result<StoredHash, StoredFault> {
    let hash = read_string(text)?;
    if is_named(&hash.recipe) { Ok(hash) } else { Err(StoredFault::Malformed) }
}

/// `iterations $ salt $ hash`.
fn read_django_pbkdf2(hmac: Pbkdf2Hmac, parts: &[&str]) -> Result<StoredHash, StoredFault> {
    let [iterations, salt, output] = parts else { return Err(StoredFault::Malformed) };
    let recipe = Recipe::Pbkdf2 { hmac, iterations: text::number(iterations)? };
    Ok(StoredHash { recipe, salt: salt.as_bytes().to_vec(), output: B64::decode(output)? })
}

/// `N $ salt $ r $ p $ hash`.
fn read_django_scrypt(parts: &[&str]) -> Result<StoredHash, StoredFault> {
    let [n, salt, r, p, output] = parts else { return Err(StoredFault::Malformed) };
    let log_n = binary_logarithm(text::number(n)?)?;
    let recipe = Recipe::Scrypt { log_n, r: text::number(r)?, p: text::number(p)? };
    Ok(StoredHash { recipe, salt: salt.as_bytes().to_vec(), output: B64::decode(output)? })
}

fn binary_logarithm(n: u32) -> Result<u32, StoredFault> {
    if n.is_power_of_two() { Ok(n.trailing_zeros()) } else { Err(StoredFault::Malformed) }
}

// --- JSON ------------------------------------------------------------------------------------------------------

pub(super) fn read_json(text: &str) -> Result<StoredHash, StoredFault> {
    let object: Object = serde_json::from_str(text).map_err(|_| StoredFault::Unknown)?;
    if object.contains_key("credentialData") {
        return read_keycloak(&object);
    }
    if let Some(Value::Object(inner)) = object.get("custom_password_hash") {
        return read_auth0(inner);
    }
    if object.get("hash").is_some_and(Value::is_object) {
        return read_auth0(&object);
    }
    match object.get("passwordHash").and_then(Value::as_str) {
        Some(hash) if hash.starts_with('$') => read_string(hash),
        Some(hash) => read_firebase(&object, hash),
        None => Err(StoredFault::Unknown),
    }
}

fn read_keycloak(object: &Object) -> Result<StoredHash, StoredFault> {
    let (how, what) = (inner(object, "credentialData")?, inner(object, "secretData")?);
    let iterations = integer(&how, &["hashIterations"])?;
    let recipe = match string(&how, "algorithm")? {
        "pbkdf2" => Recipe::Pbkdf2 { hmac: Pbkdf2Hmac::Sha1, iterations },
        "pbkdf2-sha256" => Recipe::Pbkdf2 { hmac: Pbkdf2Hmac::Sha256, iterations },
        "pbkdf2-sha512" => Recipe::Pbkdf2 { hmac: Pbkdf2Hmac::Sha512, iterations },
        "argon2" => read_keycloak_argon2(&how, iterations)?,
        _ => return Err(StoredFault::Unknown),
    };
    Ok(StoredHash { recipe, salt: B64::decode(string(&what, "salt")?)?, output: B64::decode(string(&what, "value")?)? })
}

/// Each additional parameter is a list of one text.
fn read_keycloak_argon2(how: &Object, iterations: u32) -> Result<Recipe, StoredFault> {
    let parameters = inner(how, "additionalParameters")?;
    let first = |name| {
        let value = parameters.get(name).and_then(|value| value.as_array().map_or(Some(value), |list| list.first()));
        value.and_then(Value::as_str).ok_or(StoredFault::Malformed)
    };
    let kind = match first("type")? {
        "id" => Argon2Kind::Id,
        "i" => Argon2Kind::I,
        "d" => Argon2Kind::D,
        _ => return Err(StoredFault::Unknown),
    };
    let (memory_kib, parallelism) = (text::number(first("memory")?)?, text::number(first("parallelism")?)?);
    let cost = Cost { memory_kib, iterations, parallelism };
    Ok(Recipe::Argon2 { kind, version: read_version(first("version")?)?, cost })
}

fn read_auth0(object: &Object) -> Result<StoredHash, StoredFault> {
    let hash = inner(object, "hash")?;
    let value = string(&hash, "value")?;
    match string(object, "algorithm")? {
        "bcrypt" => read_only(value, |recipe| matches!(recipe, Recipe::Bcrypt { .. })),
        "argon2" => read_only(value, |recipe| matches!(recipe, Recipe::Argon2 { .. })),
        "pbkdf2" => read_only(value, |recipe| matches!(recipe, Recipe::Pbkdf2 { .. })),
        "scrypt" => {
            let log_n = binary_logarithm(integer(object, &["cost"])?)?;
            let recipe = Recipe::Scrypt {
                log_n,
                r: integer(object, &["blockSize"])?,
                p: integer(object, &["parallelization"])?,
            };
            let salt = inner(object, "salt")?;
            Ok(StoredHash { recipe, salt: read_encoded(&salt)?, output: read_encoded(&hash)? })
        }
        _ => Err(StoredFault::Unknown),
    }
}

/// `{"value": .., "encoding": ..}`.
fn read_encoded(object: &Object) -> Result<Vec<u8>, StoredFault> {
    let value = string(object, "value")?;
    match object.get("encoding").and_then(Value::as_str).unwrap_or("utf8") {
        "hex" => text::hex_decode(value),
        "base64" => B64::decode(value),
        "utf8" => Ok(value.as_bytes().to_vec()),
        _ => Err(StoredFault::Unknown),
    }
}

fn read_firebase(object: &Object, hash: &str) -> Result<StoredHash, StoredFault> {
    let nested = ["hashConfig", "hash_config"].iter().find_map(|name| object.get(*name)?.as_object());
    let project = nested.unwrap_or(object);
    let text = |names: &[&str]| names.iter().find_map(|name| project.get(*name)?.as_str());
    let signer_key = text(&["base64_signer_key", "signerKey", "signer_key"]).ok_or(StoredFault::Unknown)?;
    let separator = text(&["base64_salt_separator", "saltSeparator", "salt_separator"]).unwrap_or_default();
    let recipe = Recipe::FirebaseScrypt {
        log_n: integer(project, &["mem_cost", "memoryCost", "memCost"])?,
        r: integer(project, &["rounds"])?,
        signer_key: SignerKey::new(B64::decode(signer_key)?),
    };
    let salt = [B64::decode(string(object, "salt")?)?, B64::decode(separator)?].concat();
    Ok(StoredHash { recipe, salt, output: B64::decode(hash)? })
}

/// An object, or the text of one.
fn inner(object: &Object, name: &str) -> Result<Object, StoredFault> {
    match object.get(name) {
        Some(Value::Object(inner)) => Ok(inner.clone()),
        Some(Value::String(text)) => serde_json::from_str(text).map_err(|_| StoredFault::Malformed),
        _ => Err(StoredFault::Malformed),
    }
}

fn string<'a>(object: &'a Object, name: &str) -> Result<&'a str, StoredFault> {
    object.get(name).and_then(Value::as_str).ok_or(StoredFault::Malformed)
}

/// A number, or the text of one.
fn integer(object: &Object, names: &[&str]) -> Result<u32, StoredFault> {
    match names.iter().find_map(|name| object.get(*name)) {
        Some(Value::Number(number)) => {
            number.as_u64().and_then(|number| u32::try_from(number).ok()).ok_or(StoredFault::Malformed)
        }
        Some(Value::String(text)) => text::number(text),
        _ => Err(StoredFault::Malformed),
    }
}
