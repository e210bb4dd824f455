//! People: accounts, how they prove who they are, and the sessions that come of it.
//!
//! [`accounts`] are global, memberships tenant by tenant; [`claims`] are what is said of a person; [`sessions`] are what a browser holds; the other modules are
//! the ways from one to the other. Nothing here is hot: the shards learn of what dies through marks.

#![forbid(unsafe_code)]

pub mod accounts;
pub mod admin;
pub mod claims;
pub mod config;
pub mod flows;
pub mod keys;
pub mod limits;
pub mod password;
pub mod sessions;
