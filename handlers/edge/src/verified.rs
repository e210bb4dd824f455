//! Level 2: the digests of tokens whose signature was already checked, one array for the process.
//!
//! A fixed, lock-free, four-way set of two words a slot: 64 bits of the digest, and 32 more with the
//! expiry; together with the place in the array about 116 bits of a 128-bit hash under a key made at
//! start, so a collision can be neither aimed at nor met by chance. It says only "this signature was
//! good": key, times, marks, client and tenant are decided after it, from the tables.
//!
//! Two writers of one slot may leave the halves of two tokens: such a slot matches no token but with
//! a chance of 2^-96. A full set gives up the entry that expires first. Memory: 16 bytes a slot.

use highway::{HighwayHash, HighwayHasher, Key};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

const WAYS: usize = 4;

/// The 128-bit keyed digest of a token's bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenDigest([u64; 2]);

impl TokenDigest {
    /// A word for choosing a place in a table.
    pub const fn place(self) -> u64 {
        self.0[0].rotate_left(17) ^ self.0[1]
    }

    pub const fn words(self) -> [u64; 2] {
        self.0
    }
}

/// Hashes tokens under a key of this process.
#[derive(Clone)]
pub struct TokenHasher(Key);

impl TokenHasher {
    /// `key`: 32 random bytes as words.
    pub fn new(key: [u64; 4]) -> Self {
        Self(Key(key))
    }

    pub fn digest(&self, token: &[u8]) -> TokenDigest {
        TokenDigest(HighwayHasher::new(self.0).hash128(token))
    }

    /// The digest of several parts. The first ones must be such that nobody can move the bounds between parts.
    pub fn digest_parts(&self, parts: [&[u8]; 3]) -> TokenDigest {
        let mut hasher = HighwayHasher::new(self.0);
        for part in parts {
            hasher.append(part);
        }
        TokenDigest(hasher.finalize128())
    }

    /// A hasher for another `use_`: what one says of some bytes tells nothing of what the other does.
    #[must_use]
    pub fn for_use(&self, use_: &str) -> Self {
        let [a, b] = self.digest_parts([use_.as_bytes(), b"\0", b"1"]).words();
        let [c, d] = self.digest_parts([use_.as_bytes(), b"\0", b"2"]).words();
        Self::new([a, b, c, d])
    }
}

/// The array. Shared by every shard and by whoever mints tokens.
pub struct VerifiedTokens {
    slots: Box<[Slot]>,
    sets_mask: usize,
}

#[derive(Default)]
struct Slot {
    high: AtomicU64,
    /// 32 bits of the digest, 32 bits of expiry (Unix seconds).
    low_expiry: AtomicU64,
}

impl VerifiedTokens {
    /// Room for `entries_max` tokens, rounded up to a power of two.
    pub fn new(entries_max: usize) -> Self {
        let sets = entries_max.div_ceil(WAYS).max(1).next_power_of_two();
        let mut slots = Vec::with_capacity(sets * WAYS);
        slots.resize_with(sets * WAYS, Slot::default);
        Self { slots: slots.into_boxed_slice(), sets_mask: sets - 1 }
    }

    pub fn contains(&self, digest: TokenDigest, now_s: i64) -> bool {
        let [high, low] = digest.words();
        self.set(digest).iter().any(|slot| {
            let word = slot.low_expiry.load(Relaxed);
            slot.high.load(Relaxed) == high && word >> 32 == low >> 32 && expiry_s(word) > now_s
        })
    }

    pub fn insert(&self, digest: TokenDigest, expires_s: i64, now_s: i64) {
        let [high, low] = digest.words();
        let Ok(expiry) = u32::try_from(expires_s) else { return };
        let set = self.set(digest);
        let same = set.iter().find(|slot| slot.high.load(Relaxed) == high);
        let Some(slot) = same.or_else(|| set.iter().min_by_key(|slot| rank(slot, now_s))) else { return };
        slot.low_expiry.store(0, Relaxed);
        slot.high.store(high, Relaxed);
        slot.low_expiry.store((low & 0xffff_ffff_0000_0000) | u64::from(expiry), Relaxed);
    }

    fn set(&self, digest: TokenDigest) -> &[Slot] {
        let first = (digest.place() as usize & self.sets_mask) * WAYS;
        self.slots.get(first..first + WAYS).unwrap_or_default()
    }
}

fn expiry_s(word: u64) -> i64 {
    (word & 0xffff_ffff) as i64
}

/// What to give up first: what is dead, then what dies first.
fn rank(slot: &Slot, now_s: i64) -> i64 {
    let expires_s = expiry_s(slot.low_expiry.load(Relaxed));
    if expires_s <= now_s { 0 } else { expires_s }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remembers_until_expiry_and_gives_up_the_first_to_die() {
        let hasher = TokenHasher::new([1, 2, 3, 4]);
        let verified = VerifiedTokens::new(4);
        let digests: Vec<_> = (0..5).map(|n| hasher.digest(format!("token {n}").as_bytes())).collect();
        for (n, digest) in digests.iter().take(4).enumerate() {
            verified.insert(*digest, 1000 + n as i64, 500);
        }
        assert!(digests.iter().take(4).all(|digest| verified.contains(*digest, 999)), "a full set holds its four");
        assert!(!verified.contains(digests[0], 1000), "not at its expiry");
        verified.insert(digests[4], 2000, 500);
        assert!(verified.contains(digests[4], 1999));
        assert!(!verified.contains(digests[0], 500), "the first to die made room");
        assert!(verified.contains(digests[1], 500));
    }

    #[test]
    fn digests_depend_on_the_key() {
        let (a, b) = (TokenHasher::new([1, 2, 3, 4]), TokenHasher::new([1, 2, 3, 5]));
        assert_ne!(a.digest(b"token"), b.digest(b"token"));
        assert_eq!(a.digest(b"token"), a.digest(b"token"));
        assert_ne!(a.digest(b"token"), a.digest(b"tokem"));
        assert_eq!(a.digest_parts([b"to", b"", b"ken"]), a.digest(b"token"), "parts are the whole");
        assert_ne!(a.for_use("one").digest(b"token"), a.digest(b"token"));
        assert_ne!(a.for_use("one").digest(b"token"), a.for_use("two").digest(b"token"));
    }
}
