//! People at their own accounts: profile, password, address of mail, sessions, deletion.
//!
//! ```text
//! GET  -> whose session? -> whose account? -> page
//! POST -> form of ours? -> whose session? -> whose account? -> password, where it is asked -> one transaction -> page
//! ```
//!
//! Every page stands behind the guard of persons, and every statement runs in the scope of that person, so that
//! row-level security shows it one account and no other. The two pages of links ([`email`]) are open to whoever holds
//! the link.
//!
//! What ends access ends it everywhere: sessions' rows, marks, links that were made before. What is about to happen is
//! told by letter to the address that it happens to.
//!
//! Limits: [`EMAIL_ASKS_DAILY_MAX`], [`ERASED_MAX`], those of [`profile`], the budget for passwords of sign-in. Attacks
//! considered: a session left open or stolen (whatever changes who may sign in asks for the password again), another
//! person's session id (a statement names its person), a form on another site (the guard), text that misleads its
//! reader ([`profile`]), a letter as a probe for accounts (the page does not know whether a new address has one; the
//! letter's job decides).

#![forbid(unsafe_code)]

pub mod config;
mod deletion;
mod desk;
mod email;
mod password;
pub mod profile;
mod sessions;
mod sql;

pub use deletion::ERASED_MAX;
pub use email::EMAIL_ASKS_DAILY_MAX;

use sigid_edge::feature::{Cors, FORM_BODY_BYTES_MAX, Feature, Guarded, Job, Route, Serve};
use sigid_io::settings::Plane;
use sigid_pages::paths;

pub const FEATURE: Feature = Feature {
    name: "account",
    section: Some("user_self_service"),
    routes: &[
        page(paths::ACCOUNT, Guarded::Person(profile::serve), "A person's profile"),
        page(paths::ACCOUNT_PASSWORD, Guarded::Person(password::serve), "A person changes the own password"),
        page(paths::ACCOUNT_EMAIL, Guarded::Person(email::serve), "A person asks for another address of mail"),
        page(paths::EMAIL_CONFIRM, Guarded::Page(email::confirm), "The link that proves a new address"),
        page(paths::EMAIL_UNDO, Guarded::Page(email::undo), "The link that takes a changed address back"),
        page(paths::ACCOUNT_SESSIONS, Guarded::Person(sessions::serve), "Where a person is signed in"),
        page(
            paths::ACCOUNT_DELETION,
            Guarded::Person(deletion::serve),
            "A person deletes the own account, or keeps it",
        ),
    ],
    jobs: &[Job { name: "account-erasure", plane: Plane::Async, every_s: 60, run: deletion::erase_due }],
    events: &[
        PROFILE_CHANGED,
        PASSWORD_CHANGED,
        EMAIL_ASKED,
        EMAIL_CHANGED,
        EMAIL_TAKEN_BACK,
        SESSION_ENDED,
        SESSIONS_ENDED,
        DELETION_BEGUN,
        DELETION_TAKEN_BACK,
        ERASED,
    ],
    discovery: &[],
};

const PROFILE_CHANGED: &str = "user.profile_changed";
const PASSWORD_CHANGED: &str = "user.password_changed";
const EMAIL_ASKED: &str = "user.email_asked";
const EMAIL_CHANGED: &str = "user.email_changed";
const EMAIL_TAKEN_BACK: &str = "user.email_taken_back";
const SESSION_ENDED: &str = "session.ended";
const SESSIONS_ENDED: &str = "user.sessions_ended";
const DELETION_BEGUN: &str = "user.deletion_begun";
const DELETION_TAKEN_BACK: &str = "user.deletion_taken_back";
const ERASED: &str = "user.erased";

const fn page(path: &'static str, guarded: Guarded, doc: &'static str) -> Route {
    Route {
        methods: &["GET", "POST"],
        path,
        plane: Plane::Auth,
        serve: Serve::Cold(guarded),
        body_bytes_max: FORM_BODY_BYTES_MAX,
        cors: Cors::None,
        doc,
    }
}
