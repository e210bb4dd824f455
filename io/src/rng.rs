//! The one source of random bytes: the kernel's, through ring.
//!
//! Everything that is unguessable (identifiers, secrets, keys, nonces) is drawn here and passed on as
//! a value, so that `core` stays pure and a test can pass bytes of its own choosing.
//!
//! `getrandom(2)` cannot fail on a kernel that this binary starts on, once the kernel's pool has been
//! seeded. Should it fail all the same there is no safe way to go on: a process that keeps running
//! with predictable identifiers is worse than one that is gone, so it ends.

use ring::rand::{SecureRandom, SystemRandom};

/// Fills `bytes` with random bytes.
pub fn fill(bytes: &mut [u8]) {
    if SystemRandom::new().fill(bytes).is_err() {
        tracing::error!("the kernel gives no random bytes; ending");
        std::process::abort();
    }
}

/// `N` random bytes.
pub fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    fill(&mut bytes);
    bytes
}

#[cfg(test)]
mod tests {
    use super::random;

    #[test]
    fn bytes_differ_between_calls() {
        assert_ne!(random::<32>(), random::<32>());
    }
}
