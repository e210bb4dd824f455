//! `[edge]`: the bounds of the hot path.
//!
//! `max_stale_ms` is the one an operator answers for: it is the longest a revocation may take to be
//! honoured by a node that lost its feed, since past it the node stops answering from memory.

use std::time::Duration;

use sigid_core::settings::{Key, Problems, Section, Values};

/// What the hot path is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Edge {
    pub max_stale: Duration,
    pub poll: Duration,
    /// Per shard.
    pub reply_cache_entries: usize,
    /// In the process.
    pub verified_tokens_max: usize,
    /// Per address and shard.
    pub unknown_client_budget_per_minute: u32,
    /// Requests that the backend may refuse, per address and shard.
    pub failed_requests_per_minute: u32,
    /// Requests that wait for the backend, per shard.
    pub cold_queue_max: usize,
}

pub static SECTION: Section = Section {
    name: "edge",
    doc: "The hot path: how old its knowledge may be, and how much it may remember.",
    keys: &[
        Key::integer(
            "max_stale_ms",
            (100, 60_000),
            2000,
            "The oldest that the feed of revocations may be before the hot path stops answering from memory: the worst-case delay of a revocation.",
        ),
        Key::integer(
            "poll_ms",
            (10, 30_000),
            250,
            "How often the feed is read when nobody rings; at most half of max_stale_ms.",
        ),
        Key::integer(
            "reply_cache_entries",
            (0, 16_777_216),
            65_536,
            "Prepared answers that each shard keeps: so many of introspection, and as many of session checks. 24 bytes each, about 1 KiB in use.",
        ),
        Key::integer(
            "verified_tokens_max",
            (1024, 1_073_741_824),
            1_048_576,
            "Digests of verified tokens that the process keeps, about 20 bytes each.",
        ),
        Key::integer(
            "unknown_client_budget_per_minute",
            (1, 1_000_000),
            60,
            "Requests with an unknown client or a wrong secret that may ask the database, per address and shard; over it they are refused from memory.",
        ),
        Key::integer(
            "failed_requests_per_minute",
            (1, 1_000_000),
            6000,
            "Requests that the backend may refuse, per address and shard; over it the address gets 429 for whatever memory cannot answer.",
        ),
        Key::integer(
            "cold_queue_max",
            (1, 1_000_000),
            1024,
            "Requests that may wait for the backend, of all shards together; the next gets 503.",
        ),
    ],
};

/// The settings of this section; one bounds another: a feed polled too seldom would always be stale.
pub fn check(values: &Values, problems: &mut Problems) -> Edge {
    let (max_stale_ms, poll_ms) = (values.count::<u64>("max_stale_ms"), values.count::<u64>("poll_ms"));
    let doubted = problems.mentions("edge.max_stale_ms") || problems.mentions("edge.poll_ms");
    if !doubted && poll_ms.saturating_mul(2) > max_stale_ms {
        let what = format!("{poll_ms} is more than half of max_stale_ms, {max_stale_ms}");
        values.refuse(problems, "poll_ms", what, format!("use {} or less", max_stale_ms / 2));
    }
    Edge {
        max_stale: Duration::from_millis(max_stale_ms),
        poll: Duration::from_millis(poll_ms),
        reply_cache_entries: values.count("reply_cache_entries"),
        verified_tokens_max: values.count("verified_tokens_max"),
        unknown_client_budget_per_minute: values.count("unknown_client_budget_per_minute"),
        failed_requests_per_minute: values.count("failed_requests_per_minute"),
        cold_queue_max: values.count("cold_queue_max"),
    }
}
