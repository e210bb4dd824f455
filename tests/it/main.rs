//! The integration tests: a real `sigid` process, real TLS and HTTP/2, a real PostgreSQL, and nothing known of the
//! program but what an outsider knows.
//!
//! `support` is the harness: a private cluster for the run, a database for each test (a copy of one that was made
//! through `sigid migrate` and `sigid admin`), servers, clients, forged tokens. A folder per area holds the tests;
//! each row of a table carries the reason it is there. No sleeps, no retries, no order: what takes time is awaited
//! by `support::wait::until`, which looks at something observable and has a deadline. The clock that tokens live by
//! is moved by a file.
//!
//! One exception to "from outside": a token that is signed by the real key and wrong in another respect can only be
//! made with that key, which `support::forge` takes from the database and opens with the root key.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and reads the real clock and environment"
)]

mod support;

mod account;
mod admin;
mod attack;
mod browser;
mod clients;
mod config;
mod edge;
mod fault;
mod limits;
mod listener;
mod login;
mod mail;
mod nodes;
mod pages;
mod revoke;
mod session_check;
mod token;
