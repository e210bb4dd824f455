//! Level 1: the replies of tokens already judged, one cache per shard.
//!
//! The answers to session checks ([`crate::session_check`]) are kept in a second cache of the same make and size.
//!
//! A fixed four-way set of entries under the token's keyed digest, so nothing grows, nothing is
//! rehashed in a request, and a crowd of new tokens can only push entries out. An entry remembers
//! which versions of the tables it was last held against; when one moved, its key, client and tenant
//! must still be of the generation that made it, and the marks are asked again. What the caller may
//! see (tenant, audience) is decided after the cache and never stored in it.

use crate::tables::{ClientEntry, Tables};
use crate::verified::TokenDigest;
use bytes::Bytes;
use sigid_core::ids::{ClientId, Kid, TenantId};
use sigid_core::marks::{self, MarkKeys};
use sigid_core::token::{self, Issue, Reason};
use std::cell::Cell;
use std::rc::Rc;

const WAYS: usize = 4;

/// A live token: its reply and all that may still kill it.
pub struct Live {
    pub expires_s: i64,
    pub issued_s: i64,
    pub tenant_id: TenantId,
    pub client_id: ClientId,
    pub audiences: Vec<String>,
    pub marks: MarkKeys,
    pub body: Bytes,
    pub made_from: MadeFrom,
    /// Versions of entities and marks it was last held against.
    pub seen: Cell<(u64, u64)>,
}

/// The generations of the entries a reply was made from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MadeFrom {
    /// The key that signed it, unless none of the published ones did.
    pub key: Option<(Kid, u64)>,
    pub client: u64,
    pub tenant: u64,
}

/// What an entry is worth now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    Good,
    /// A mark names it: dead for good.
    Dead,
    /// Something it was made from has changed: judge the token anew.
    Unknown,
}

impl Live {
    pub fn standing(&self, tables: &Tables, now_s: i64) -> Standing {
        let versions = (tables.entities_version, tables.marks_version);
        if self.expires_s <= now_s {
            return Standing::Unknown;
        }
        if self.seen.get() == versions {
            return Standing::Good;
        }
        if self.seen.get().0 != versions.0 && !self.is_of(tables) {
            return Standing::Unknown;
        }
        if marks::is_dead(&self.marks, self.issued_s, |key| tables.find_mark(key)) {
            return Standing::Dead;
        }
        self.seen.set(versions);
        Standing::Good
    }

    fn is_of(&self, tables: &Tables) -> bool {
        let made = &self.made_from;
        let is_signed = made.key.as_ref().is_none_or(|(kid, generation)| {
            tables.find_key(kid.as_str()).is_some_and(|key| key.generation == *generation)
        });
        is_signed
            && tables.find_client(self.client_id.as_str()).is_some_and(|client| client.generation == made.client)
            && tables.find_tenant(self.tenant_id).is_some_and(|tenant| tenant.generation == made.tenant)
    }

    /// Whether the caller may learn of the token; asked on each hit, whoever asked before.
    ///
    /// # Errors
    /// Why not.
    pub fn check_visible(&self, caller: &ClientEntry) -> Result<(), Reason> {
        let issue = Issue { tenant_id: self.tenant_id, client_id: &self.client_id, aud: &self.audiences };
        token::may_introspect(caller.tenant_id, &caller.client_id, &caller.audiences, issue)
    }
}

/// What a cache keeps has an end.
pub trait Expires {
    fn expires_s(&self) -> i64;
}

impl Expires for Live {
    fn expires_s(&self) -> i64 {
        self.expires_s
    }
}

struct Slot<T> {
    digest: TokenDigest,
    live: Rc<T>,
}

/// One shard's replies.
pub struct ReplyCache<T = Live> {
    slots: Vec<Option<Slot<T>>>,
    sets_mask: usize,
}

impl<T: Expires> ReplyCache<T> {
    /// Room for `entries_max` replies, rounded up to a power of two.
    pub fn new(entries_max: usize) -> Self {
        let sets = entries_max.div_ceil(WAYS).max(1).next_power_of_two();
        let mut slots = Vec::with_capacity(sets * WAYS);
        slots.resize_with(sets * WAYS, || None);
        Self { slots, sets_mask: sets - 1 }
    }

    pub fn find(&self, digest: TokenDigest) -> Option<&Rc<T>> {
        let first = self.first(digest);
        let set = self.slots.get(first..first + WAYS)?;
        set.iter().flatten().find(|slot| slot.digest == digest).map(|slot| &slot.live)
    }

    /// Keeps a reply; a full set gives up the one that expires first.
    pub fn insert(&mut self, digest: TokenDigest, live: Rc<T>) {
        let first = self.first(digest);
        let Some(set) = self.slots.get_mut(first..first + WAYS) else { return };
        let rank = |slot: &Option<Slot<T>>| match slot {
            Some(slot) if slot.digest == digest => i64::MIN,
            Some(slot) => slot.live.expires_s(),
            None => i64::MIN + 1,
        };
        if let Some(slot) = set.iter_mut().min_by_key(|slot| rank(slot)) {
            *slot = Some(Slot { digest, live });
        }
    }

    pub fn remove(&mut self, digest: TokenDigest) {
        let first = self.first(digest);
        let Some(set) = self.slots.get_mut(first..first + WAYS) else { return };
        for slot in set {
            if slot.as_ref().is_some_and(|slot| slot.digest == digest) {
                *slot = None;
            }
        }
    }

    fn first(&self, digest: TokenDigest) -> usize {
        (digest.place() as usize & self.sets_mask) * WAYS
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session_check::Checked;

    /// What an operator is told of `edge.reply_cache_entries`: an entry's own bytes, and about 1 KiB in use, of which a
    /// body, or a block of headers, and an audience are some 500.
    #[test]
    fn an_entry_takes_what_is_said() {
        assert_eq!([size_of::<Option<Slot<Live>>>(), size_of::<Option<Slot<Checked>>>()], [24, 24]);
        assert!([size_of::<Live>(), size_of::<Checked>()].iter().all(|bytes| *bytes <= 400), "a live one");
    }
}
