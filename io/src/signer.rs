//! Signing as a service: bytes in, signature out, by the key's name.
//!
//! `core` builds what is signed and puts the token together; whoever holds the private key sees only
//! opaque bytes. The trait is a seam on purpose: [`LocalSigner`] keeps ring key pairs in this process
//! (development, small installations), a key daemon on a unix socket is the other side of the same
//! trait. A caller must treat a signature as something that may be slow or unavailable.
//!
//! Signatures have the form that JWS wants (RFC 7518 3.4, RFC 8037 3.1): `r || s` of 64 bytes for
//! ES256, 64 bytes for Ed25519. ring draws the ECDSA nonce from the kernel, mixed with key and message.
//!
//! Attacks considered: a key of one algorithm used for another (the algorithm belongs to the pair, a
//! caller cannot choose it); a key that was revoked a moment ago (the set is replaced as a whole, so a
//! key that is not in the new set signs nothing from then on); key material in logs (no `Debug`).

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use arc_swap::ArcSwap;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _};

/// What an async method of an object-safe trait returns.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Signs bytes with the private key of a given name.
pub trait Signer: Send + Sync {
    /// The signature of `input` under the key `kid`, in JWS form.
    fn sign<'a>(&'a self, kid: &'a str, input: &'a [u8]) -> BoxFuture<'a, Result<Vec<u8>, SignFault>>;
}

/// What the signer can generate and sign with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// Ed25519.
    EdDsa,
}

/// Why there is no signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignFault {
    /// No private key of that name is held here.
    UnknownKey,
    /// The stored key is not a key of its algorithm.
    BadKey,
    /// The key is there and did not sign.
    Failed,
}

impl fmt::Display for SignFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::UnknownKey => "no private key of that name",
            Self::BadKey => "the stored private key cannot be read",
            Self::Failed => "signing failed",
        })
    }
}

impl std::error::Error for SignFault {}

/// A key pair fresh from the generator: the private half as PKCS #8 (v1 for P-256, v2 for Ed25519), the
/// public half raw (the uncompressed 65-byte point, or the 32 bytes of Ed25519).
///
/// The caller wraps the private half in a secret and seals it at once.
pub struct Generated {
    pub pkcs8: Vec<u8>,
    pub public: Vec<u8>,
}

/// Generates a key pair.
pub fn generate(algorithm: Algorithm) -> Result<Generated, SignFault> {
    let rng = SystemRandom::new();
    let pkcs8 = match algorithm {
        Algorithm::Es256 => EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &rng),
        Algorithm::EdDsa => Ed25519KeyPair::generate_pkcs8(&rng),
    }
    .map_err(|_| SignFault::Failed)?;
    let public = Pair::open(algorithm, pkcs8.as_ref())?.public();
    Ok(Generated { pkcs8: pkcs8.as_ref().to_vec(), public })
}

/// A signer whose key pairs live in this process.
///
/// The set is replaced as a whole when the feed brings news; signing never waits for that.
#[derive(Default)]
pub struct LocalSigner {
    pairs: ArcSwap<HashMap<String, Arc<Pair>>>,
    rng: Random,
}

impl LocalSigner {
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes over exactly these keys: name, algorithm, PKCS #8. Nothing changes if one is unreadable.
    pub fn replace<'a>(&self, keys: impl IntoIterator<Item = (&'a str, Algorithm, &'a [u8])>) -> Result<(), SignFault> {
        let pairs = keys
            .into_iter()
            .map(|(kid, algorithm, pkcs8)| Pair::open(algorithm, pkcs8).map(|pair| (kid.to_owned(), Arc::new(pair))))
            .collect::<Result<_, _>>()?;
        self.pairs.store(Arc::new(pairs));
        Ok(())
    }

    /// Whether the private key of that name is held here.
    pub fn holds(&self, kid: &str) -> bool {
        self.pairs.load().contains_key(kid)
    }

    /// The signature itself; it never waits.
    pub fn sign_now(&self, kid: &str, input: &[u8]) -> Result<Vec<u8>, SignFault> {
        let pair = self.pairs.load().get(kid).cloned().ok_or(SignFault::UnknownKey)?;
        pair.sign(&self.rng.0, input)
    }
}

impl Signer for LocalSigner {
    fn sign<'a>(&'a self, kid: &'a str, input: &'a [u8]) -> BoxFuture<'a, Result<Vec<u8>, SignFault>> {
        Box::pin(async move { self.sign_now(kid, input) })
    }
}

struct Random(SystemRandom);

impl Default for Random {
    fn default() -> Self {
        Self(SystemRandom::new())
    }
}

enum Pair {
    Es256(EcdsaKeyPair),
    EdDsa(Ed25519KeyPair),
}

impl Pair {
    fn open(algorithm: Algorithm, pkcs8: &[u8]) -> Result<Self, SignFault> {
        match algorithm {
            Algorithm::Es256 => {
                EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8, &SystemRandom::new()).map(Self::Es256)
            }
            Algorithm::EdDsa => Ed25519KeyPair::from_pkcs8(pkcs8).map(Self::EdDsa),
        }
        .map_err(|_| SignFault::BadKey)
    }

    fn public(&self) -> Vec<u8> {
        match self {
            Self::Es256(pair) => pair.public_key().as_ref().to_vec(),
            Self::EdDsa(pair) => pair.public_key().as_ref().to_vec(),
        }
    }

    fn sign(&self, rng: &SystemRandom, input: &[u8]) -> Result<Vec<u8>, SignFault> {
        match self {
            Self::Es256(pair) => {
                pair.sign(rng, input).map(|signature| signature.as_ref().to_vec()).map_err(|_| SignFault::Failed)
            }
            Self::EdDsa(pair) => Ok(pair.sign(input).as_ref().to_vec()),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

    use ring::signature::{ECDSA_P256_SHA256_FIXED, ED25519, UnparsedPublicKey};

    use super::*;

    #[test]
    fn what_is_generated_signs_and_verifies() {
        for algorithm in [Algorithm::Es256, Algorithm::EdDsa] {
            let made = generate(algorithm).unwrap();
            let signer = LocalSigner::new();
            signer.replace([("a", algorithm, made.pkcs8.as_slice())]).unwrap();
            let signature = signer.sign_now("a", b"input").unwrap();
            let verified = match algorithm {
                Algorithm::Es256 => {
                    UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, &made.public).verify(b"input", &signature)
                }
                Algorithm::EdDsa => UnparsedPublicKey::new(&ED25519, &made.public).verify(b"input", &signature),
            };
            assert!(verified.is_ok(), "{algorithm:?}");
        }
    }

    #[test]
    fn a_key_that_left_the_set_signs_nothing() {
        let made = generate(Algorithm::EdDsa).unwrap();
        let signer = LocalSigner::new();
        signer.replace([("a", Algorithm::EdDsa, made.pkcs8.as_slice())]).unwrap();
        assert!(signer.holds("a"));
        signer.replace([]).unwrap();
        assert_eq!(signer.sign_now("a", b"x"), Err(SignFault::UnknownKey));
    }

    #[test]
    fn a_key_of_another_algorithm_is_refused_and_changes_nothing() {
        let good = generate(Algorithm::Es256).unwrap();
        let other = generate(Algorithm::EdDsa).unwrap();
        let signer = LocalSigner::new();
        signer.replace([("a", Algorithm::Es256, good.pkcs8.as_slice())]).unwrap();
        let mixed = signer.replace([("b", Algorithm::Es256, other.pkcs8.as_slice())]);
        assert_eq!(mixed, Err(SignFault::BadKey));
        assert!(signer.holds("a"));
    }
}
