//! The pages that people see, and the letters they get: one look, every string in a catalog.
//!
//! A handler fills a view model (plain fields, `views`) and calls [`render`]; what a page looks like, how it is
//! escaped, in which language it speaks and under which Content-Security-Policy it runs is decided here, once.
//! Letters come out of the same catalogs ([`mail::letter`]).
//!
//! Limits: a page with its sheet stays below 50 KB; a page works without a script, and none is allowed to run; nothing
//! comes from another origin. Attacks considered: markup in anything that a person typed (askama escapes every value,
//! Fluent arguments are put in before escaping), framing, injected styles and forms (`CSP`), an open redirect by the
//! language switch (`local_path`), a caller's language that is not one of ours (`Locale` is an enum).
//!
//! Alternatives rejected: a catalog per tenant (a tenant brands by name, logo and colour; words are the operator's to
//! change, [`config`]); client-side rendering (pages must work where scripts do not).

#![forbid(unsafe_code)]

pub mod assets;
pub mod brand;
mod catalog;
pub mod config;
mod device;
mod error_pages;
mod field;
mod frame;
mod i18n;
mod language;
mod locale;
mod logo;
mod look;
pub mod mail;
pub mod own;
pub mod paths;
mod refused;
mod render;
mod views;
mod when;

pub use brand::Brand;
pub use catalog::Words;
pub use device::device;
pub use error_pages::error_pages;
pub use field::{Faults, Field, FieldFault, FormFault};
pub use i18n::I18n;
pub use language::local_path;
pub use locale::Locale;
pub use logo::{LOGOS_IN_MEMORY_MAX, Logos};
pub use look::{Asking, Look};
pub use refused::refused;
pub use render::{render, render_html};
pub use views::{
    CatcherList, CatcherMessage, CatcherRow, Confirm, ConfirmWhat, Deleting, Deletion, EmailChange, ErrorPage,
    LoggedOut, Login, Logout, MailSent, NewPassword, NewPasswordFor, Notice, Page, PasswordChange, Profile,
    ProfileValues, Recover, Register, SentFor, SessionRow, Sessions, Wait,
};

use assets::{ICON_PATH, SHEET_PATH, home, icon, no_icon, sheet};
use sigid_edge::feature::{Cors, Feature, Guarded, Route, Serve};
use sigid_io::settings::Plane;

pub const FEATURE: Feature = Feature {
    name: "pages",
    section: Some("i18n"),
    routes: &[
        Route {
            methods: &["GET", "HEAD"],
            path: "/",
            plane: Plane::Auth,
            serve: Serve::Hot(home),
            body_bytes_max: 0,
            cors: Cors::None,
            doc: "Leads who typed only the host to the account",
        },
        Route {
            methods: &["GET", "HEAD"],
            path: SHEET_PATH,
            plane: Plane::Auth,
            serve: Serve::Hot(sheet),
            body_bytes_max: 0,
            cors: Cors::None,
            doc: "The stylesheet of every page",
        },
        Route {
            methods: &["GET", "HEAD"],
            path: ICON_PATH,
            plane: Plane::Auth,
            serve: Serve::Hot(icon),
            body_bytes_max: 0,
            cors: Cors::None,
            doc: "The icon of every page",
        },
        Route {
            methods: &["GET", "HEAD"],
            path: "/favicon.ico",
            plane: Plane::Auth,
            serve: Serve::Hot(no_icon),
            body_bytes_max: 0,
            cors: Cors::None,
            doc: "Nothing, for browsers that ask unasked",
        },
        Route {
            methods: &["GET"],
            path: paths::LANGUAGE,
            plane: Plane::Auth,
            serve: Serve::Cold(Guarded::Anyone(language::switch)),
            body_bytes_max: 0,
            cors: Cors::None,
            doc: "Chooses the language of the pages",
        },
        Route {
            methods: &["GET", "HEAD"],
            path: "/assets/logo/*",
            plane: Plane::Auth,
            serve: Serve::Cold(Guarded::Anyone(logo::logo)),
            body_bytes_max: 0,
            cors: Cors::None,
            doc: "A tenant's logo, by the digest of its content",
        },
    ],
    jobs: &[],
    events: &[],
    discovery: &[],
};

#[cfg(test)]
mod tests;
