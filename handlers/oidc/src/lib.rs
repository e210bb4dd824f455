//! OAuth 2.1 and OpenID Connect: what issues and ends tokens, and the keys they are signed with.

#![forbid(unsafe_code)]

pub mod bench;
pub mod config;
pub mod keyring;
pub mod keys;
pub mod mint;
pub mod revoke;
pub mod token;
