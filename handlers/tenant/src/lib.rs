//! Tenants and the clients registered in them.
//!
//! [`tenants`] and [`clients`] are used by the command line, by `sigid dev` when it seeds its demonstration,
//! and later by the admin API and `/oauth/register`; they decide the same for all of them. Every change is one
//! transaction of state, event and news ([`sigid_platform::outbox`]), so what an administrator did takes
//! effect on every shard of every node.

#![forbid(unsafe_code)]

pub mod clients;
pub mod tenants;

/// A character that text shown to people or written to a log must not hold: control characters, and those
/// that turn the direction of what follows.
fn is_hidden(c: char) -> bool {
    let directs = matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    c.is_control() || directs
}
