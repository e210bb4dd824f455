//! How a password becomes bytes: the way of our own hashes, and those that imported hashes were made in.
//!
//! Our own is Argon2id. The others are here to verify what another system stored, once for each account: the next
//! login makes a hash of our own of it. Parameters come out of a stored hash, so each recipe has a most, which is
//! refused before the job waits: memory by what a thread may have, time by the constants below, chosen so that the
//! dearest job takes a few seconds of one core.
//!
//! Argon2 works in the memory that its thread keeps, or in room that `hash-queue` made. bcrypt, PBKDF2, SHA-crypt and
//! AES work on the stack. scrypt allocates within its crate, on the hash thread: see the essay of the pool.

use super::{Cost, HashFault, OUTPUT_BYTES_MAX, PASSWORD_BYTES_MAX, SALT_BYTES_MAX};
use aes::cipher::{Array, BlockCipherEncrypt as _, KeyInit as _};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use ring::digest::{SHA256, digest};
use ring::pbkdf2;
use std::fmt;
use std::num::NonZeroU32;
use std::sync::Arc;
use zeroize::{Zeroize as _, Zeroizing};

/// The most passes over the memory (Argon2).
pub const ITERATIONS_MAX: u32 = 64;
/// The most lanes (Argon2 and scrypt).
pub const PARALLELISM_MAX: u32 = 64;
/// The most KiB that Argon2 writes in all its passes: some two seconds.
pub const ARGON2_WORK_KIB_MAX: u64 = 4 * 1024 * 1024;
/// The most KiB that scrypt mixes in all its lanes: some three seconds.
pub const SCRYPT_WORK_KIB_MAX: u64 = 1024 * 1024;
/// The most of bcrypt, a power of two: some two seconds.
pub const BCRYPT_COST_MAX: u32 = 15;
/// The most iterations of PBKDF2: some two seconds.
pub const PBKDF2_ITERATIONS_MAX: u32 = 2_000_000;
/// The same over all blocks of an output that is longer than the digest.
pub const PBKDF2_ROUNDS_MAX: u64 = 4_000_000;
/// The most rounds of SHA-crypt: some seconds.
pub const SHA_CRYPT_ROUNDS_MAX: u32 = 1_000_000;
/// The longest password for SHA-crypt, which hashes all of it in every round.
pub const SHA_CRYPT_PASSWORD_BYTES_MAX: usize = 256;

/// What bcrypt keeps of its 24 bytes.
pub const BCRYPT_OUTPUT_BYTES: usize = 23;
/// What bcrypt takes for a salt.
pub const BCRYPT_SALT_BYTES: usize = 16;
const BCRYPT_COST_MIN: u32 = 4;
/// What bcrypt reads of a password and the zero byte behind it.
const BCRYPT_PASSWORD_BYTES: usize = 72;
const AES_KEY_BYTES: usize = 32;
const AES_BLOCK_BYTES: usize = 16;

/// One way to hash a password. The salt and the length of the output belong to the hash, not to the recipe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recipe {
    /// RFC 9106, without a secret and without associated data.
    Argon2 { kind: Argon2Kind, version: Argon2Version, cost: Cost },
    /// `$2b$`, which `$2a$` and `$2y$` are too since their implementations were mended. Reads 72 bytes.
    Bcrypt { cost: u32 },
    /// Django's: bcrypt of the SHA-256 of the password in lower-case hexadecimal.
    BcryptSha256 { cost: u32 },
    /// RFC 7914; `log_n` is the binary logarithm of N.
    Scrypt { log_n: u32, r: u32, p: u32 },
    /// Firebase's: the signer key under AES-256-CTR, whose key is scrypt of the password. The salt is the account's and
    /// the project's separator behind it.
    FirebaseScrypt { log_n: u32, r: u32, signer_key: SignerKey },
    /// RFC 8018.
    Pbkdf2 { hmac: Pbkdf2Hmac, iterations: u32 },
    /// `$5$`.
    Sha256Crypt { rounds: u32 },
    /// `$6$`.
    Sha512Crypt { rounds: u32 },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Argon2Kind {
    Id,
    I,
    D,
}

/// 1.0 (`v=16`) or 1.3 (`v=19`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Argon2Version {
    V16,
    V19,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pbkdf2Hmac {
    Sha1,
    Sha256,
    Sha512,
}

/// A Firebase project's key; wiped when dropped, never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct SignerKey(Arc<Zeroizing<Vec<u8>>>);

impl SignerKey {
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(Arc::new(Zeroizing::new(bytes)))
    }

    /// The key itself, to write it into the stored form.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for SignerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[signer key]")
    }
}

impl From<Cost> for Recipe {
    /// Our own: Argon2id, version 1.3.
    fn from(cost: Cost) -> Self {
        Self::Argon2 { kind: Argon2Kind::Id, version: Argon2Version::V19, cost }
    }
}

impl Recipe {
    /// Whether a pool whose threads may have `memory_kib_max` computes this for a salt and an output of this many bytes.
    ///
    /// # Errors
    /// [`HashFault::BadCost`] or [`HashFault::BadInput`].
    pub fn check(&self, memory_kib_max: u32, salt_bytes: usize, output_bytes: usize) -> Result<(), HashFault> {
        if !self.is_cost_bounded(output_bytes) || self.memory_kib() > u64::from(memory_kib_max) {
            return Err(HashFault::BadCost);
        }
        let is_salt = match self {
            Self::Argon2 { .. } => (argon2::MIN_SALT_LEN..=SALT_BYTES_MAX).contains(&salt_bytes),
            Self::Bcrypt { .. } | Self::BcryptSha256 { .. } => salt_bytes == BCRYPT_SALT_BYTES,
            _ => salt_bytes <= SALT_BYTES_MAX,
        };
        let is_output = match self {
            Self::Bcrypt { .. } | Self::BcryptSha256 { .. } => output_bytes == BCRYPT_OUTPUT_BYTES,
            Self::FirebaseScrypt { signer_key, .. } => output_bytes == signer_key.expose().len(),
            Self::Sha256Crypt { .. } => output_bytes == sha_crypt::BLOCK_SIZE_SHA256,
            Self::Sha512Crypt { .. } => output_bytes == sha_crypt::BLOCK_SIZE_SHA512,
            Self::Argon2 { .. } | Self::Scrypt { .. } | Self::Pbkdf2 { .. } => true,
        };
        let is_bounded = (Params::MIN_OUTPUT_LEN..=OUTPUT_BYTES_MAX).contains(&output_bytes);
        if is_salt && is_output && is_bounded { Ok(()) } else { Err(HashFault::BadInput) }
    }

    /// The longest password that this recipe takes, in bytes.
    pub fn password_bytes_max(&self) -> usize {
        match self {
            Self::Sha256Crypt { .. } | Self::Sha512Crypt { .. } => SHA_CRYPT_PASSWORD_BYTES_MAX,
            _ => PASSWORD_BYTES_MAX,
        }
    }

    /// What the computation needs beside its stack.
    fn memory_kib(&self) -> u64 {
        match self {
            Self::Argon2 { cost, .. } => u64::from(cost.memory_kib),
            Self::Scrypt { log_n, r, p } => scrypt_kib(*log_n, *r, 1).saturating_add(scrypt_kib(0, *r, *p)),
            Self::FirebaseScrypt { log_n, r, .. } => scrypt_kib(*log_n, *r, 1).saturating_add(1),
            _ => 0,
        }
    }

    /// The memory of Argon2, whose room is made before.
    pub(super) fn argon2_kib(&self) -> u32 {
        if let Self::Argon2 { cost, .. } = self { cost.memory_kib } else { 0 }
    }

    fn is_cost_bounded(&self, output_bytes: usize) -> bool {
        match self {
            Self::Argon2 { kind, version, cost } => {
                cost.iterations <= ITERATIONS_MAX
                    && cost.parallelism <= PARALLELISM_MAX
                    && u64::from(cost.memory_kib) * u64::from(cost.iterations) <= ARGON2_WORK_KIB_MAX
                    && make_argon2(*kind, *version, *cost).is_ok()
            }
            Self::Bcrypt { cost } | Self::BcryptSha256 { cost } => (BCRYPT_COST_MIN..=BCRYPT_COST_MAX).contains(cost),
            Self::Scrypt { log_n, r, p } => is_scrypt_bounded(*log_n, *r, *p),
            Self::FirebaseScrypt { log_n, r, .. } => is_scrypt_bounded(*log_n, *r, 1),
            Self::Pbkdf2 { hmac, iterations } => {
                let blocks = output_bytes.div_ceil(hmac.digest_bytes()) as u64;
                (1..=PBKDF2_ITERATIONS_MAX).contains(iterations) && u64::from(*iterations) * blocks <= PBKDF2_ROUNDS_MAX
            }
            Self::Sha256Crypt { rounds } | Self::Sha512Crypt { rounds } => {
                (sha_crypt::Params::ROUNDS_MIN..=SHA_CRYPT_ROUNDS_MAX).contains(rounds)
            }
        }
    }

    /// Fills `output`. `memory` must hold the blocks of an Argon2 job.
    pub(super) fn compute(
        &self,
        password: &[u8],
        salt: &[u8],
        output: &mut [u8],
        memory: &mut [Block],
    ) -> Result<(), HashFault> {
        match self {
            Self::Argon2 { kind, version, cost } => make_argon2(*kind, *version, *cost)?
                .hash_password_into_with_memory(password, salt, output, memory)
                .map_err(|_| HashFault::Failed),
            Self::Bcrypt { cost } => bcrypt_into(*cost, password, salt, output),
            Self::BcryptSha256 { cost } => bcrypt_sha256_into(*cost, password, salt, output),
            Self::Scrypt { log_n, r, p } => scrypt_into(*log_n, *r, *p, password, salt, output),
            Self::FirebaseScrypt { log_n, r, signer_key } => {
                let mut key = Zeroizing::new([0; AES_KEY_BYTES]);
                scrypt_into(*log_n, *r, 1, password, salt, key.as_mut_slice())?;
                fill(output, signer_key.expose())?;
                encrypt_in_place(&key, output);
                Ok(())
            }
            Self::Pbkdf2 { hmac, iterations } => {
                let iterations = NonZeroU32::new(*iterations).ok_or(HashFault::BadCost)?;
                pbkdf2::derive(hmac.algorithm(), iterations, salt, password, output);
                Ok(())
            }
            Self::Sha256Crypt { rounds } => {
                fill(output, &sha_crypt::sha256_crypt(password, salt, sha_crypt_params(*rounds)?))
            }
            Self::Sha512Crypt { rounds } => {
                fill(output, &sha_crypt::sha512_crypt(password, salt, sha_crypt_params(*rounds)?))
            }
        }
    }
}

impl Pbkdf2Hmac {
    fn algorithm(self) -> pbkdf2::Algorithm {
        match self {
            Self::Sha1 => pbkdf2::PBKDF2_HMAC_SHA1,
            Self::Sha256 => pbkdf2::PBKDF2_HMAC_SHA256,
            Self::Sha512 => pbkdf2::PBKDF2_HMAC_SHA512,
        }
    }

    fn digest_bytes(self) -> usize {
        match self {
            Self::Sha1 => 20,
            Self::Sha256 => 32,
            Self::Sha512 => 64,
        }
    }
}

fn make_argon2(kind: Argon2Kind, version: Argon2Version, cost: Cost) -> Result<Argon2<'static>, HashFault> {
    let algorithm = match kind {
        Argon2Kind::Id => Algorithm::Argon2id,
        Argon2Kind::I => Algorithm::Argon2i,
        Argon2Kind::D => Algorithm::Argon2d,
    };
    let version = match version {
        Argon2Version::V16 => Version::V0x10,
        Argon2Version::V19 => Version::V0x13,
    };
    let params = Params::new(cost.memory_kib, cost.iterations, cost.parallelism, None);
    params.map(|params| Argon2::new(algorithm, version, params)).map_err(|_| HashFault::BadCost)
}

fn bcrypt_into(cost: u32, password: &[u8], salt: &[u8], output: &mut [u8]) -> Result<(), HashFault> {
    let salt = salt.try_into().map_err(|_| HashFault::BadInput)?;
    // Always with its zero byte, unless there is no room: so bcrypt never sees an empty key.
    let mut key = Zeroizing::new([0; BCRYPT_PASSWORD_BYTES]);
    key.iter_mut().zip(password).for_each(|(to, from)| *to = *from);
    let used = key.get(..password.len().saturating_add(1).min(BCRYPT_PASSWORD_BYTES)).ok_or(HashFault::Failed)?;
    let computed = bcrypt::bcrypt(cost, salt, used);
    fill(output, computed.get(..BCRYPT_OUTPUT_BYTES).unwrap_or_default())
}

fn bcrypt_sha256_into(cost: u32, password: &[u8], salt: &[u8], output: &mut [u8]) -> Result<(), HashFault> {
    const HEX: [u8; 16] = *b"0123456789abcdef";
    let digest = digest(&SHA256, password);
    let mut hex = Zeroizing::new([0; 64]);
    let halves = digest.as_ref().iter().flat_map(|byte| [byte >> 4, byte & 15]);
    for (to, half) in hex.iter_mut().zip(halves) {
        *to = HEX.get(usize::from(half)).copied().unwrap_or_default();
    }
    bcrypt_into(cost, hex.as_slice(), salt, output)
}

fn is_scrypt_bounded(log_n: u32, r: u32, p: u32) -> bool {
    (1..=30).contains(&log_n)
        && (1..=1024).contains(&r)
        && (1..=PARALLELISM_MAX).contains(&p)
        && scrypt_kib(log_n, r, p) <= SCRYPT_WORK_KIB_MAX
}

/// 128 bytes times N, r and p; the most there is when that is no number of ours.
fn scrypt_kib(log_n: u32, r: u32, p: u32) -> u64 {
    let n = 1_u64.checked_shl(log_n).unwrap_or(u64::MAX);
    n.saturating_mul(u64::from(r)).saturating_mul(u64::from(p)).saturating_mul(128).div_ceil(1024)
}

fn scrypt_into(log_n: u32, r: u32, p: u32, password: &[u8], salt: &[u8], output: &mut [u8]) -> Result<(), HashFault> {
    let log_n = u8::try_from(log_n).map_err(|_| HashFault::BadCost)?;
    let params = scrypt::Params::new(log_n, r, p).map_err(|_| HashFault::BadCost)?;
    scrypt::scrypt(password, salt, &params, output).map_err(|_| HashFault::Failed)
}

/// AES-256 in counter mode with a counter that begins at zero.
fn encrypt_in_place(key: &[u8; AES_KEY_BYTES], bytes: &mut [u8]) {
    let cipher = aes::Aes256Enc::new(&Array::from(*key));
    for (counter, chunk) in (0_u128..).zip(bytes.chunks_mut(AES_BLOCK_BYTES)) {
        let mut block = Array::from(counter.to_be_bytes());
        cipher.encrypt_block(&mut block);
        chunk.iter_mut().zip(&block).for_each(|(byte, stream)| *byte ^= stream);
        block.as_mut_slice().zeroize();
    }
}

fn sha_crypt_params(rounds: u32) -> Result<sha_crypt::Params, HashFault> {
    sha_crypt::Params::new(rounds).map_err(|_| HashFault::BadCost)
}

fn fill(output: &mut [u8], computed: &[u8]) -> Result<(), HashFault> {
    if output.len() != computed.len() {
        return Err(HashFault::BadInput);
    }
    output.copy_from_slice(computed);
    Ok(())
}

#[cfg(test)]
mod tests;
