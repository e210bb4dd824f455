//! A password's hash as it is stored: read in every form it may have, written in one.
//!
//! What is written is a PHC string, or the modular crypt string where that is what everybody uses. What is read beside
//! these are the forms in which other systems keep or export theirs: [`super::foreign`].

use super::foreign;
use super::text::{self, B64};
use sigid_io::hash_pool::{Argon2Kind, Argon2Version, Cost, HashFault, Pbkdf2Hmac, Recipe, SignerKey};
use std::fmt;

/// The longest text that is looked at.
pub const STORED_TEXT_BYTES_MAX: usize = 4096;
/// The shortest output that is taken: what is shorter can be met by chance.
pub const STORED_OUTPUT_BYTES_MIN: usize = 16;
/// The salt of our own hashes.
pub const SALT_BYTES: usize = 16;
/// What SHA-crypt does when its string does not say.
pub(super) const SHA_CRYPT_ROUNDS: u32 = 5000;
const SHA_CRYPT_SALT_BYTES_MAX: usize = 16;

/// A stored hash, with all that it takes to compute it again. Not printed: whoever has it can guess in peace.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredHash {
    pub recipe: Recipe,
    pub salt: Vec<u8>,
    pub output: Vec<u8>,
}

impl fmt::Debug for StoredHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[password hash]")
    }
}

/// Why a text is no hash that can be verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoredFault {
    /// It says that there is no password: empty, `!`, `*`.
    NoPassword,
    /// A format or an algorithm that is not known, or not taken: a plain digest is no password hash.
    Unknown,
    /// A known format whose parts do not fit together.
    Malformed,
    /// So short that a wrong password could meet it.
    Short,
}

impl fmt::Display for StoredFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoPassword => "there is no password",
            Self::Unknown => "the format of the password hash is not taken",
            Self::Malformed => "the password hash is malformed",
            Self::Short => "the password hash is too short",
        })
    }
}

impl std::error::Error for StoredFault {}

impl StoredHash {
    /// Reads a hash in any of the forms that are taken.
    ///
    /// # Errors
    /// Each [`StoredFault`].
    pub fn parse(text: &str) -> Result<Self, StoredFault> {
        let text = text.trim();
        if text.is_empty() || text.starts_with(['!', '*']) {
            return Err(StoredFault::NoPassword);
        }
        if text.len() > STORED_TEXT_BYTES_MAX {
            return Err(StoredFault::Malformed);
        }
        let hash = match text.as_bytes().first() {
            Some(b'{') => foreign::read_json(text)?,
            Some(b'$') => read_string(text)?,
            _ => foreign::read_django(text)?,
        };
        if hash.output.len() < STORED_OUTPUT_BYTES_MIN { Err(StoredFault::Short) } else { Ok(hash) }
    }

    /// Our own, of an output of the pool.
    pub fn of(cost: Cost, salt: &[u8], output: &[u8]) -> Self {
        Self { recipe: cost.into(), salt: salt.to_vec(), output: output.to_vec() }
    }

    /// Whether a pool whose threads may have this much computes it again.
    ///
    /// # Errors
    /// The pool's.
    pub fn check(&self, memory_kib_max: u32) -> Result<(), HashFault> {
        self.recipe.check(memory_kib_max, self.salt.len(), self.output.len())
    }

    /// The most that a hash of this recipe may cost, in words for whoever brings one.
    pub fn most(&self) -> &'static str {
        match self.recipe {
            Recipe::Argon2 { .. } => "Argon2 may take 64 passes, 64 lanes, and write 4 GiB in all passes",
            Recipe::Bcrypt { .. } | Recipe::BcryptSha256 { .. } => "bcrypt may have a cost of 15",
            Recipe::Scrypt { .. } | Recipe::FirebaseScrypt { .. } => "scrypt may mix 1 GiB in all lanes",
            Recipe::Pbkdf2 { .. } => "PBKDF2 may take 2000000 iterations, and 4000000 over all blocks of its output",
            Recipe::Sha256Crypt { .. } | Recipe::Sha512Crypt { .. } => "SHA-crypt may take 1000000 rounds",
        }
    }

    /// Whether it is what would be made today.
    pub fn is_current(&self, cost: Cost) -> bool {
        let is_whole = self.salt.len() >= SALT_BYTES && self.output.len() == sigid_io::hash_pool::OUTPUT_BYTES;
        self.recipe == Recipe::from(cost) && is_whole
    }

    /// Of the form in which passwords are prepared: every hash of ours is, and every Argon2id may be.
    pub(super) fn may_be_prepared(&self) -> bool {
        matches!(self.recipe, Recipe::Argon2 { kind: Argon2Kind::Id, .. })
    }

    /// The one form in which it is stored; reading it gives the same hash.
    pub fn to_phc(&self) -> String {
        let (salt, output) = (B64::encode(&self.salt), B64::encode(&self.output));
        match &self.recipe {
            Recipe::Argon2 { kind, version, cost } => {
                let Cost { memory_kib, iterations, parallelism } = cost;
                let (kind, version) = (argon2_name(*kind), version_number(*version));
                format!("${kind}$v={version}$m={memory_kib},t={iterations},p={parallelism}${salt}${output}")
            }
            Recipe::Bcrypt { cost } => bcrypt_string(*cost, &self.salt, &self.output),
            Recipe::BcryptSha256 { cost } => {
                format!("bcrypt_sha256${}", bcrypt_string(*cost, &self.salt, &self.output))
            }
            Recipe::Scrypt { log_n, r, p } => format!("$scrypt$ln={log_n},r={r},p={p}${salt}${output}"),
            Recipe::FirebaseScrypt { log_n, r, signer_key } => {
                let signer_key = B64::encode(signer_key.expose());
                format!("$firebase-scrypt$ln={log_n},r={r}${signer_key}${salt}${output}")
            }
            Recipe::Pbkdf2 { hmac, iterations } => format!("${}$i={iterations}${salt}${output}", pbkdf2_name(*hmac)),
            Recipe::Sha256Crypt { rounds } => sha_crypt_string('5', *rounds, &self.salt, &self.output),
            Recipe::Sha512Crypt { rounds } => sha_crypt_string('6', *rounds, &self.salt, &self.output),
        }
    }
}

/// A PHC string or a modular crypt string.
pub(super) fn read_string(text: &str) -> Result<StoredHash, StoredFault> {
    let mut parts = text.split('$').skip(1);
    let name = parts.next().unwrap_or_default();
    let parts: Vec<&str> = parts.collect();
    match name {
        "argon2id" => read_argon2(Argon2Kind::Id, &parts),
        "argon2i" => read_argon2(Argon2Kind::I, &parts),
        "argon2d" => read_argon2(Argon2Kind::D, &parts),
        "2a" | "2b" | "2y" => read_bcrypt(&parts),
        "5" => read_sha_crypt(&parts, false),
        "6" => read_sha_crypt(&parts, true),
        "scrypt" => read_scrypt(&parts),
        "firebase-scrypt" => read_firebase(&parts),
        "pbkdf2" | "pbkdf2-sha1" => read_pbkdf2(Pbkdf2Hmac::Sha1, &parts),
        "pbkdf2-sha256" => read_pbkdf2(Pbkdf2Hmac::Sha256, &parts),
        "pbkdf2-sha512" => read_pbkdf2(Pbkdf2Hmac::Sha512, &parts),
        _ => Err(StoredFault::Unknown),
    }
}

/// `v=19 $ m=19456,t=2,p=1 $ salt $ hash`; without `v`, the version is 1.0.
fn read_argon2(kind: Argon2Kind, parts: &[&str]) -> Result<StoredHash, StoredFault> {
    let (version, parameters, salt, output) = match parts {
        [parameters, salt, output] => ("v=16", parameters, salt, output),
        [version, parameters, salt, output] => (*version, parameters, salt, output),
        _ => return Err(StoredFault::Malformed),
    };
    let version = read_version(version.strip_prefix("v=").ok_or(StoredFault::Malformed)?)?;
    let [memory_kib, iterations, parallelism] = text::numbers(parameters, ["m", "t", "p"])?;
    let cost = Cost { memory_kib, iterations, parallelism };
    Ok(StoredHash {
        recipe: Recipe::Argon2 { kind, version, cost },
        salt: B64::decode(salt)?,
        output: B64::decode(output)?,
    })
}

pub(super) fn read_version(text: &str) -> Result<Argon2Version, StoredFault> {
    match text {
        "16" | "1.0" => Ok(Argon2Version::V16),
        "19" | "1.3" => Ok(Argon2Version::V19),
        _ => Err(StoredFault::Unknown),
    }
}

/// `12 $ 22 characters of salt and 31 of hash`.
fn read_bcrypt(parts: &[&str]) -> Result<StoredHash, StoredFault> {
    let [cost, rest] = parts else { return Err(StoredFault::Malformed) };
    let (salt, output) = rest.split_at_checked(22).ok_or(StoredFault::Malformed)?;
    let (salt, output) = (text::bcrypt_decode(salt)?, text::bcrypt_decode(output)?);
    if cost.len() != 2 || salt.len() != 16 || output.len() != 23 {
        return Err(StoredFault::Malformed);
    }
    Ok(StoredHash { recipe: Recipe::Bcrypt { cost: text::number(cost)? }, salt, output })
}

fn bcrypt_string(cost: u32, salt: &[u8], output: &[u8]) -> String {
    format!("$2b${cost:02}${}{}", text::bcrypt_encode(salt), text::bcrypt_encode(output))
}

/// `rounds=5000 $ salt $ hash`, the rounds may be missing.
fn read_sha_crypt(parts: &[&str], is_wide: bool) -> Result<StoredHash, StoredFault> {
    let (rounds, salt, output) = match parts {
        [salt, output] => (SHA_CRYPT_ROUNDS, salt, output),
        [rounds, salt, output] => {
            (text::number(rounds.strip_prefix("rounds=").ok_or(StoredFault::Malformed)?)?, salt, output)
        }
        _ => return Err(StoredFault::Malformed),
    };
    if salt.len() > SHA_CRYPT_SALT_BYTES_MAX {
        return Err(StoredFault::Malformed);
    }
    let recipe = if is_wide { Recipe::Sha512Crypt { rounds } } else { Recipe::Sha256Crypt { rounds } };
    let output = text::sha_crypt_decode(output, if is_wide { 64 } else { 32 })?;
    Ok(StoredHash { recipe, salt: salt.as_bytes().to_vec(), output })
}

/// The salt came as text, and is text again.
fn sha_crypt_string(name: char, rounds: u32, salt: &[u8], output: &[u8]) -> String {
    let salt = String::from_utf8_lossy(salt);
    let output = text::sha_crypt_encode(output);
    if rounds == SHA_CRYPT_ROUNDS {
        return format!("${name}${salt}${output}");
    }
    format!("${name}$rounds={rounds}${salt}${output}")
}

/// `ln=14,r=8,p=1 $ salt $ hash`.
fn read_scrypt(parts: &[&str]) -> Result<StoredHash, StoredFault> {
    let [parameters, salt, output] = parts else { return Err(StoredFault::Malformed) };
    let [log_n, r, p] = text::numbers(parameters, ["ln", "r", "p"])?;
    Ok(StoredHash { recipe: Recipe::Scrypt { log_n, r, p }, salt: B64::decode(salt)?, output: B64::decode(output)? })
}

/// `ln=14,r=8 $ signer key $ salt and separator $ hash`.
fn read_firebase(parts: &[&str]) -> Result<StoredHash, StoredFault> {
    let [parameters, signer_key, salt, output] = parts else { return Err(StoredFault::Malformed) };
    let [log_n, r] = text::numbers(parameters, ["ln", "r"])?;
    let signer_key = SignerKey::new(B64::decode(signer_key)?);
    let recipe = Recipe::FirebaseScrypt { log_n, r, signer_key };
    Ok(StoredHash { recipe, salt: B64::decode(salt)?, output: B64::decode(output)? })
}

/// `i=600000 $ salt $ hash`, with `l=32` behind the iterations or without; passlib writes the number alone.
fn read_pbkdf2(hmac: Pbkdf2Hmac, parts: &[&str]) -> Result<StoredHash, StoredFault> {
    let [parameters, salt, output] = parts else { return Err(StoredFault::Malformed) };
    let output = B64::decode(output)?;
    let iterations = if parameters.contains(',') {
        let [iterations, length] = text::numbers(parameters, ["i", "l"])?;
        if length as usize != output.len() {
            return Err(StoredFault::Malformed);
        }
        iterations
    } else {
        text::number(parameters.strip_prefix("i=").unwrap_or(parameters))?
    };
    Ok(StoredHash { recipe: Recipe::Pbkdf2 { hmac, iterations }, salt: B64::decode(salt)?, output })
}

fn argon2_name(kind: Argon2Kind) -> &'static str {
    match kind {
        Argon2Kind::Id => "argon2id",
        Argon2Kind::I => "argon2i",
        Argon2Kind::D => "argon2d",
    }
}

fn version_number(version: Argon2Version) -> u32 {
    match version {
        Argon2Version::V16 => 16,
        Argon2Version::V19 => 19,
    }
}

fn pbkdf2_name(hmac: Pbkdf2Hmac) -> &'static str {
    match hmac {
        Pbkdf2Hmac::Sha1 => "pbkdf2-sha1",
        Pbkdf2Hmac::Sha256 => "pbkdf2-sha256",
        Pbkdf2Hmac::Sha512 => "pbkdf2-sha512",
    }
}
