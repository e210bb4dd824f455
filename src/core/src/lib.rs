//! The pure kernel of SigID: what is decided, never how it arrives.
//!
//! Everything here is a function of its arguments. There is no async, clock, environment, file,
//! socket or SQL; `now_s`, random bytes and keys are handed in by the caller. HTTP is unknown, so
//! faults are plain enums that each feature maps to the wire.
//!
//! * Who and what: [`ids`], [`scope`], [`resource`].
//! * Where people are written to: [`email`].
//! * Secrets and values handed out: [`secret`], [`opaque`].
//! * Bytes that strangers send: [`form`], [`basic`], [`cookie`], [`json`], [`b64`].
//! * Signed things: [`jwk`], [`jws`], [`token`] (RFC 9068), [`assertion`] (RFC 7523).
//! * Revocation: [`marks`].
//! * The operator's file: [`settings`].

#![forbid(unsafe_code)]

pub mod assertion;
pub mod b64;
pub mod basic;
pub mod cookie;
pub mod email;
pub mod form;
pub mod ids;
pub mod json;
pub mod jwk;
pub mod jws;
pub mod marks;
pub mod opaque;
pub mod resource;
pub mod scope;
pub mod secret;
pub mod settings;
pub mod token;

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod testkit;
