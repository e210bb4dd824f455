//! The ways to a session and back: sign-in, registration, recovery, and the way to an application.
//!
//! ```text
//! /register -> letter -> /verify -> account ─┐
//! /recover  -> letter -> /recover/password ──┼-> /login -> session -> /account, /session/start -> application
//! letter, or an administrator -> /setup ─────┘                └-> /logout
//! ```
//!
//! A folder for each: [`registration`], [`recovery`] (with the first password of an account that somebody else made),
//! [`login`] (with logout), [`application`]; for which application, if any, is [`asked`]. What a login is, is decided in [`model`]; ways to prove who one is plug in
//! at [`methods`]; what is good once is a link ([`links`]); what a letter says is found out when it is sent
//! ([`letters`]).
//!
//! **Nobody learns who has an account.** An address with one and an address without one take the same statements, cost
//! the same hash, get the same page with the same headers: sign-in verifies a password against nothing, registration
//! stores a request and recovery a letter for either, and which letter it is, if any, a job decides later.
//!
//! **Rows are held in one order**, so that no two changes wait for each other in a circle: the account, its sessions,
//! links, and what hangs on them (memberships, what was handed out, marks, letters). A flow that changes who may sign in
//! (password, address, state, erasure; here, in the account's pages and in administration) holds the account's row first,
//! against everybody; a sign-in holds it against those; the way to an application, whose new membership refers to it,
//! against its lock and erasure. What has no account to hold takes one row of one kind at a time: a registration is
//! spent behind its link, a sign-out ends its one session. A statement over many people's rows waits for none of them
//! ([`crate::sessions`]' last-seen times). A link is found, then its account held, then the link used. Should PostgreSQL
//! see a circle all the same (two people who swap addresses), one of them is answered 503 and nothing of it is done.
//!
//! **Nothing is stored before somebody has proven something.** What a form needs travels in the form. A registration
//! is a row of a day; the account begins with the proof of the address.

pub mod application;
pub mod ask;
pub mod asked;
pub mod fault;
pub mod letters;
pub mod links;
pub mod login;
pub mod methods;
pub mod model;
pub mod recovery;
pub mod registration;
mod sql;
