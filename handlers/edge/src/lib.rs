//! The hot path of SigID: what is answered from memory on the core that received the request.
//!
//! [`dispatch`] finds the route and its guard, [`introspect`] answers RFC 7662 from two caches
//! ([`cache`] for replies, [`verified`] for signatures already checked), [`tables`] are what it
//! decides from, and [`feed`] is how they learn. [`session_check`] answers for cookies what [`introspect`] does
//! for tokens; [`session`] guards the pages for people. Every hot function is synchronous and takes no
//! lock; what it cannot answer goes to its cold twin. There is no SQL here: the cold twin makes the
//! tables current ([`feed::Feed::refresh`]) and asks the same functions again.
//!
//! [`feature`] holds the one declaration from which router, access checks, limits and documentation
//! are derived.

#![forbid(unsafe_code)]

pub mod backend;
pub mod brand;
pub mod budget;
pub mod cache;
pub mod config;
pub mod cors;
pub mod discovery;
pub mod dispatch;
pub mod fault;
pub mod feature;
pub mod feed;
pub mod guard;
pub mod health;
pub mod introspect;
pub mod session;
pub mod session_check;
pub mod shard;
pub mod tables;
pub mod verified;
