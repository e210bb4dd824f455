//! Tenants, how they look, and the clients registered in them.
//!
//! [`tenants`] and [`clients`] are used by the command line, by `sigid dev` when it seeds its demonstration,
//! and later by the admin API and `/oauth/register`; they decide the same for all of them. Every change is one
//! transaction of state, event and news ([`sigid_platform::outbox`]), so what an administrator did takes
//! effect on every shard of every node.

#![forbid(unsafe_code)]

pub mod bench;
pub mod brand;
pub mod clients;
pub mod tenants;

/// The least life of a mark: the longest access token that any configuration may issue. Lifetimes that are
/// lowered later must not bring back what was issued, and revoked, under the longer ones.
pub const MARK_LIFE_MIN_S: i64 = 86_400;

/// When a mark written at `now_s` may be forgotten. `token_life_max_s` is the longest life of anything it
/// could concern, as configured.
fn mark_end_s(now_s: i64, token_life_max_s: i64) -> i64 {
    now_s.saturating_add(token_life_max_s.max(MARK_LIFE_MIN_S))
}

/// A character that text shown to people or written to a log must not hold: control characters, and those
/// that turn the direction of what follows.
fn is_hidden(c: char) -> bool {
    let directs = matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    c.is_control() || directs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_outlives_every_token_that_could_have_been_issued() {
        let rows = [
            (1, MARK_LIFE_MIN_S, "lifetimes lowered after the tokens were issued"),
            (MARK_LIFE_MIN_S, MARK_LIFE_MIN_S, "the longest access token"),
            (31_536_000, 31_536_000, "a longer refresh token"),
        ];
        for (configured_s, kept_s, why) in rows {
            assert_eq!(mark_end_s(1_000, configured_s), 1_000 + kept_s, "{why}");
        }
        assert_eq!(mark_end_s(i64::MAX, 1), i64::MAX, "the end of time");
    }
}
