//! Keys for tests: they sign, and give the public half as the kernel knows it.

#![allow(clippy::disallowed_methods, reason = "tests make their own keys")]

use base64::Engine as _;
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _,
    RSA_PKCS1_SHA256, RSA_PSS_SHA256, RsaKeyPair,
};

use crate::b64;
use crate::jwk::{Alg, PublicKey};

/// A key pair of any algorithm. Each call of [`TestKey::new`] makes another, except for RSA, which
/// ring cannot generate: those are always the same.
pub enum TestKey {
    Ec(Alg, EcdsaKeyPair),
    Ed(Ed25519KeyPair),
    Rsa(Alg, RsaKeyPair),
}

impl TestKey {
    pub fn new(alg: Alg) -> Self {
        let rng = SystemRandom::new();
        let ec = |algorithm| {
            let pkcs8 = EcdsaKeyPair::generate_pkcs8(algorithm, &rng).unwrap();
            EcdsaKeyPair::from_pkcs8(algorithm, pkcs8.as_ref(), &rng).unwrap()
        };
        match alg {
            Alg::Es256 => Self::Ec(alg, ec(&ECDSA_P256_SHA256_FIXED_SIGNING)),
            Alg::Es384 => Self::Ec(alg, ec(&ECDSA_P384_SHA384_FIXED_SIGNING)),
            Alg::EdDsa => {
                let pkcs8 = Ed25519KeyPair::generate_pkcs8(&rng).unwrap();
                Self::Ed(Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).unwrap())
            }
            Alg::Rs256 | Alg::Ps256 => {
                let text: String = include_str!("testkit/rsa.b64").split_whitespace().collect();
                let pkcs8 = base64::engine::general_purpose::STANDARD.decode(text).unwrap();
                Self::Rsa(alg, RsaKeyPair::from_pkcs8(&pkcs8).unwrap())
            }
        }
    }

    pub fn alg(&self) -> Alg {
        match self {
            Self::Ec(alg, _) | Self::Rsa(alg, _) => *alg,
            Self::Ed(_) => Alg::EdDsa,
        }
    }

    pub fn raw_public(&self) -> &[u8] {
        match self {
            Self::Ec(_, pair) => pair.public_key().as_ref(),
            Self::Ed(pair) => pair.public_key().as_ref(),
            Self::Rsa(_, pair) => pair.public_key().as_ref(),
        }
    }

    pub fn public(&self) -> PublicKey {
        PublicKey::from_raw(self.alg(), self.raw_public()).unwrap()
    }

    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        let rng = SystemRandom::new();
        match self {
            Self::Ec(_, pair) => pair.sign(&rng, message).unwrap().as_ref().to_vec(),
            Self::Ed(pair) => pair.sign(message).as_ref().to_vec(),
            Self::Rsa(alg, pair) => {
                let mut signature = vec![0; pair.public().modulus_len()];
                let padding: &dyn ring::signature::RsaEncoding =
                    if *alg == Alg::Ps256 { &RSA_PSS_SHA256 } else { &RSA_PKCS1_SHA256 };
                pair.sign(padding, &rng, message, &mut signature).unwrap();
                signature
            }
        }
    }

    /// A compact JWS of any header and payload.
    pub fn jws(&self, header: &str, payload: &str) -> String {
        let header = b64::encode(header.as_bytes());
        let input = format!("{header}.{}", b64::encode(payload.as_bytes()));
        let signature = b64::encode(&self.sign(input.as_bytes()));
        format!("{input}.{signature}")
    }
}
