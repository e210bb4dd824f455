//! A budget per address for what costs more than it should: credentials that memory does not know.
//!
//! A fixed array of token buckets under a keyed hash of the address (IPv6 by its /64), so that
//! neither many addresses nor chosen ones grow or aim at anything; two addresses that share a bucket
//! share its budget. Over budget, unknown credentials are refused from memory; known ones never pay.

use crate::verified::TokenHasher;
use std::net::IpAddr;

const BUCKETS: usize = 4096;

/// Buckets of `per_minute` tokens.
pub struct Budget {
    hasher: TokenHasher,
    per_minute: u32,
    buckets: Vec<Bucket>,
}

#[derive(Clone, Copy)]
struct Bucket {
    /// In sixtieths of a token, so that a second refills `per_minute` of them.
    left: u32,
    at_s: u32,
}

impl Budget {
    /// `per_minute` 0 means no limit.
    pub fn new(hasher: TokenHasher, per_minute: u32) -> Self {
        Self { hasher, per_minute, buckets: vec![Bucket { left: per_minute.saturating_mul(60), at_s: 0 }; BUCKETS] }
    }

    /// Whether `address` has no token left; takes none.
    pub fn is_spent(&mut self, address: IpAddr, now_s: i64) -> bool {
        self.per_minute != 0 && self.refill(address, now_s).is_some_and(|bucket| bucket.left < 60)
    }

    /// Takes one token of `address`; `false` when it has none left.
    pub fn take(&mut self, address: IpAddr, now_s: i64) -> bool {
        if self.per_minute == 0 {
            return true;
        }
        let Some(bucket) = self.refill(address, now_s) else { return false };
        let Some(left) = bucket.left.checked_sub(60) else { return false };
        bucket.left = left;
        true
    }

    fn refill(&mut self, address: IpAddr, now_s: i64) -> Option<&mut Bucket> {
        let now_s = u32::try_from(now_s).unwrap_or(0);
        let at = self.hasher.digest(&prefix(address)).place() as usize % BUCKETS;
        let bucket = self.buckets.get_mut(at)?;
        let full = self.per_minute.saturating_mul(60);
        let refill = now_s.saturating_sub(bucket.at_s).saturating_mul(self.per_minute);
        bucket.left = bucket.left.saturating_add(refill).min(full);
        bucket.at_s = now_s.max(bucket.at_s);
        Some(bucket)
    }
}

fn prefix(address: IpAddr) -> [u8; 8] {
    match address.to_canonical() {
        IpAddr::V4(address) => {
            let [a, b, c, d] = address.octets();
            [0xff, 0xff, 0, 0, a, b, c, d]
        }
        IpAddr::V6(address) => address.octets().first_chunk().copied().unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spends_refills_and_keeps_addresses_apart() {
        let mut budget = Budget::new(TokenHasher::new([1, 2, 3, 4]), 3);
        let one: IpAddr = "192.0.2.1".parse().unwrap();
        let same64: [IpAddr; 2] = ["2001:db8::1".parse().unwrap(), "2001:db8::ffff".parse().unwrap()];
        assert_eq!([1, 2, 3, 4].map(|_| budget.take(one, 100)), [true, true, true, false], "three, then none");
        assert!(!budget.take(one, 119), "19 s refill less than one");
        assert!(budget.take(one, 120), "20 s refill one");
        assert!(budget.take(same64[0], 100) && budget.take(same64[1], 100) && budget.take(same64[0], 100));
        assert!(!budget.take(same64[1], 100), "a /64 is one address");
        assert!(!budget.take(one, 0), "a clock that goes back refills nothing");
        let mut unlimited = Budget::new(TokenHasher::new([1, 2, 3, 4]), 0);
        assert!((0..100).all(|_| unlimited.take(one, 1)));
    }
}
