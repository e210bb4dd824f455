//! A person at the own account.

use super::{Notice, Page};
use crate::field::{Faults, Field};
use crate::frame::Frame;
use crate::paths;
use askama::Template;

pub struct Profile {
    pub csrf: String,
    pub email: String,
    pub values: ProfileValues,
    pub faults: Faults,
    pub notice: Option<Notice>,
}

/// The claims of OpenID Connect Core 5.1 that a person may set; empty: not there. Named as the claims are, and as the
/// form's fields are ([`Field::name`]).
#[derive(Clone, Default)]
pub struct ProfileValues {
    pub name: String,
    pub given_name: String,
    pub middle_name: String,
    pub family_name: String,
    pub nickname: String,
    pub preferred_username: String,
    pub profile: String,
    pub picture: String,
    pub website: String,
    pub gender: String,
    pub birthdate: String,
    pub zoneinfo: String,
    pub locale: String,
    pub phone_number: String,
    pub street_address: String,
    pub locality: String,
    pub region: String,
    pub postal_code: String,
    pub country: String,
}

/// Fields [`Field::CurrentPassword`] (where there is one) and [`Field::NewPassword`].
pub struct PasswordChange {
    pub csrf: String,
    /// For password managers.
    pub email: String,
    /// False: the account has none yet.
    pub has_password: bool,
    pub faults: Faults,
    pub notice: Option<Notice>,
}

/// Fields [`Field::NewEmail`] and [`Field::CurrentPassword`].
pub struct EmailChange {
    pub csrf: String,
    pub email: String,
    pub is_verified: bool,
    /// An address that was asked for and is not proven yet.
    pub pending: Option<String>,
    /// As it was typed.
    pub new_email: String,
    pub faults: Faults,
    pub notice: Option<Notice>,
}

/// Posts `end` with a session's id, or with `others`.
pub struct Sessions {
    pub csrf: String,
    pub email: String,
    pub now_s: i64,
    pub here: SessionRow,
    /// Newest use first.
    pub others: Vec<SessionRow>,
    pub faults: Faults,
    pub notice: Option<Notice>,
}

pub struct SessionRow {
    /// What the form sends back; empty for this browser.
    pub id: String,
    /// As the browser said it.
    pub user_agent: String,
    /// Methods of its authentications, as `amr` has them: `pwd`, `hwk` ...
    pub methods: Vec<String>,
    pub since_s: i64,
    pub seen_s: i64,
    /// Where it was made, as far as it is known; shown as it is.
    /// The network it began in, as 203.0.113.0/24.
    pub address: String,
    /// That is the reader's network now.
    pub is_near: bool,
}

/// Field [`Field::CurrentPassword`] (where there is one).
pub struct Deletion {
    pub csrf: String,
    pub email: String,
    pub has_password: bool,
    /// How long it can be taken back.
    pub grace_days: u32,
    pub faults: Faults,
}

/// The account is to be erased at `deletes_s`; posts `keep` = `yes` to [`paths::ACCOUNT_DELETION`].
pub struct Deleting {
    pub csrf: String,
    pub email: String,
    pub deletes_s: i64,
    pub faults: Faults,
}

/// The pages of an account: path and label.
pub(crate) const NAV: [(&str, &str); 5] = [
    (paths::ACCOUNT, "nav-profile"),
    (paths::ACCOUNT_PASSWORD, "nav-password"),
    (paths::ACCOUNT_EMAIL, "nav-email"),
    (paths::ACCOUNT_SESSIONS, "nav-sessions"),
    (paths::ACCOUNT_DELETION, "nav-deletion"),
];

impl PasswordChange {
    fn title_id(&self) -> &'static str {
        if self.has_password { "password-title" } else { "password-set-title" }
    }
}

#[derive(Template)]
#[template(path = "profile.html")]
struct ProfileHtml<'a> {
    f: &'a Frame<'a>,
    p: &'a Profile,
    here: &'static str,
}

impl Page for Profile {
    fn html(&self, frame: &Frame<'_>) -> Result<String, askama::Error> {
        ProfileHtml { f: frame, p: self, here: paths::ACCOUNT }.render()
    }
}

#[derive(Template)]
#[template(path = "password.html")]
struct PasswordHtml<'a> {
    f: &'a Frame<'a>,
    p: &'a PasswordChange,
    here: &'static str,
}

impl Page for PasswordChange {
    fn html(&self, frame: &Frame<'_>) -> Result<String, askama::Error> {
        PasswordHtml { f: frame, p: self, here: paths::ACCOUNT_PASSWORD }.render()
    }
}

#[derive(Template)]
#[template(path = "email.html")]
struct EmailHtml<'a> {
    f: &'a Frame<'a>,
    p: &'a EmailChange,
    here: &'static str,
}

impl Page for EmailChange {
    fn html(&self, frame: &Frame<'_>) -> Result<String, askama::Error> {
        EmailHtml { f: frame, p: self, here: paths::ACCOUNT_EMAIL }.render()
    }
}

#[derive(Template)]
#[template(path = "sessions.html")]
struct SessionsHtml<'a> {
    f: &'a Frame<'a>,
    p: &'a Sessions,
    here: &'static str,
}

impl Page for Sessions {
    fn html(&self, frame: &Frame<'_>) -> Result<String, askama::Error> {
        SessionsHtml { f: frame, p: self, here: paths::ACCOUNT_SESSIONS }.render()
    }
}

#[derive(Template)]
#[template(path = "deletion.html")]
struct DeletionHtml<'a> {
    f: &'a Frame<'a>,
    p: &'a Deletion,
    here: &'static str,
    grace_days: u64,
}

impl Page for Deletion {
    fn html(&self, frame: &Frame<'_>) -> Result<String, askama::Error> {
        let grace_days = self.grace_days.into();
        DeletionHtml { f: frame, p: self, here: paths::ACCOUNT_DELETION, grace_days }.render()
    }
}

#[derive(Template)]
#[template(path = "deleting.html")]
struct DeletingHtml<'a> {
    f: &'a Frame<'a>,
    p: &'a Deleting,
}

impl Page for Deleting {
    fn html(&self, frame: &Frame<'_>) -> Result<String, askama::Error> {
        DeletingHtml { f: frame, p: self }.render()
    }
}
