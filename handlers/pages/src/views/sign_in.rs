//! Before a person is signed in: sign-in, registration, recovery, and the pages between.

use super::{Notice, Page};
use crate::field::{Faults, Field};
use crate::frame::Frame;
use crate::{paths, when};
use askama::Template;

pub struct Login {
    pub csrf: String,
    /// Where to go afterwards; empty: to the account.
    pub next: String,
    /// As it was typed.
    pub email: String,
    pub faults: Faults,
    pub notice: Option<Notice>,
    /// Whether a link to registration is shown.
    pub may_register: bool,
}

pub struct Register {
    pub csrf: String,
    pub next: String,
    pub email: String,
    pub display_name: String,
    pub faults: Faults,
}

/// "Look into your mail"; the same whether the address has an account or not.
pub struct MailSent {
    pub email: String,
    pub sent_for: SentFor,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SentFor {
    Registration,
    Recovery,
    EmailChange,
}

/// One button that uses a link: a mail scanner follows links, and presses no button.
pub struct Confirm {
    pub csrf: String,
    /// The address that it is about.
    pub email: String,
    /// The link's value; sent back in the field `link`.
    pub link: String,
    pub what: ConfirmWhat,
    /// Asks for [`Field::Password`] as well: this is not the browser that began.
    pub asks_password: bool,
    pub faults: Faults,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConfirmWhat {
    /// A new account's address; posts to [`paths::VERIFY`].
    Registration,
    /// The address that an account changes to; posts to [`paths::EMAIL_CONFIRM`].
    EmailChange,
    /// Back to the old address; posts to [`paths::EMAIL_UNDO`].
    EmailUndo,
}

/// Sets a password by a link; the field is [`Field::NewPassword`].
pub struct NewPassword {
    pub csrf: String,
    pub link: String,
    pub email: String,
    pub new_for: NewPasswordFor,
    /// Asks for the name as well, with this one there; an empty answer leaves what is there.
    pub display_name: Option<String>,
    pub faults: Faults,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NewPasswordFor {
    /// Posts to [`paths::RECOVER_PASSWORD`].
    Recovery,
    /// Posts to [`paths::SETUP`].
    Setup,
}

pub struct Recover {
    pub csrf: String,
    pub email: String,
    pub faults: Faults,
}

pub struct Logout {
    pub csrf: String,
    pub email: String,
    pub faults: Faults,
}

pub struct LoggedOut;

/// Too many tries, or too much to do; the reply should carry `Retry-After`.
pub struct Wait {
    pub retry_after_s: u64,
}

/// The end of the way. `title_id` and `text_id` are messages of the catalogs.
pub struct ErrorPage {
    pub title_id: &'static str,
    pub text_id: &'static str,
    pub request_id: String,
    /// What to change, for the people who run the application; English, a fixed text.
    pub developer: Option<&'static str>,
}

impl ErrorPage {
    /// A link that is used, too old, or not one of ours: nobody is told which.
    pub fn link_dead(request_id: &str) -> Self {
        Self::new("error-link-title", "error-link-text", request_id)
    }

    /// Somebody has proven the address meanwhile; for the one person who asked for it.
    pub fn address_taken(request_id: &str) -> Self {
        Self::new("error-taken-title", "error-taken-text", request_id)
    }

    /// The tenant of an application does not let this person in.
    pub fn not_a_member(request_id: &str) -> Self {
        Self::new("error-member-title", "error-member-text", request_id)
    }

    /// A form that came from elsewhere, or from another browser.
    pub fn form_refused(request_id: &str) -> Self {
        Self::new("error-form-title", "error-form-text", request_id)
    }

    /// A form that was open too long.
    pub fn form_expired(request_id: &str) -> Self {
        Self::new("error-expired-title", "error-expired-text", request_id)
    }

    /// Something of ours failed.
    pub fn failed(request_id: &str) -> Self {
        Self::new("error-failed-title", "error-failed-text", request_id)
    }

    /// The database is out of reach.
    pub fn unavailable(request_id: &str) -> Self {
        Self::new("error-unavailable-title", "error-unavailable-text", request_id)
    }

    pub fn not_found(request_id: &str) -> Self {
        Self::new("error-not-found-title", "error-not-found-text", request_id)
    }

    /// What the browser sent cannot be understood.
    pub fn bad_request(request_id: &str) -> Self {
        Self::new("error-request-title", "error-request-text", request_id)
    }

    /// There is such a page, and it does not take this method.
    pub(crate) fn another_method(request_id: &str) -> Self {
        Self::new("error-method-title", "error-method-text", request_id)
    }

    pub(crate) fn too_large(request_id: &str) -> Self {
        Self::new("error-large-title", "error-large-text", request_id)
    }

    /// The tenant of an application has closed its sign-in.
    pub fn sign_in_closed(request_id: &str) -> Self {
        Self::new("error-closed-title", "error-closed-text", request_id)
    }

    /// Nobody new is taken.
    pub fn registration_closed(request_id: &str) -> Self {
        Self::new("error-no-registration-title", "error-no-registration-text", request_id)
    }

    /// The way on: where it leads, and what it says.
    fn way_on(&self) -> (&'static str, &'static str) {
        match self.title_id {
            "error-no-registration-title" => (paths::LOGIN, "error-no-registration-button"),
            _ => (paths::ACCOUNT, "error-account"),
        }
    }

    fn new(title_id: &'static str, text_id: &'static str, request_id: &str) -> Self {
        Self { title_id, text_id, request_id: request_id.to_owned(), developer: None }
    }
}

impl SentFor {
    fn text_id(self) -> &'static str {
        match self {
            Self::Registration => "mail-sent-registration",
            Self::Recovery => "mail-sent-recovery",
            Self::EmailChange => "mail-sent-email-change",
        }
    }

    fn again(self) -> &'static str {
        match self {
            Self::Registration => paths::REGISTER,
            Self::Recovery => paths::RECOVER,
            Self::EmailChange => paths::ACCOUNT_EMAIL,
        }
    }
}

impl ConfirmWhat {
    /// A stranger may have begun it. Who takes an address back undoes what a stranger did.
    fn is_an_offer(self) -> bool {
        self != Self::EmailUndo
    }

    fn action(self) -> &'static str {
        match self {
            Self::Registration => paths::VERIFY,
            Self::EmailChange => paths::EMAIL_CONFIRM,
            Self::EmailUndo => paths::EMAIL_UNDO,
        }
    }

    /// Title, text and button.
    fn ids(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Registration => ("confirm-title", "confirm-text", "confirm-button"),
            Self::EmailChange => ("confirm-email-title", "confirm-email-text", "confirm-email-button"),
            Self::EmailUndo => ("undo-email-title", "undo-email-text", "undo-email-button"),
        }
    }
}

impl NewPasswordFor {
    fn action(self) -> &'static str {
        match self {
            Self::Recovery => paths::RECOVER_PASSWORD,
            Self::Setup => paths::SETUP,
        }
    }

    /// Title, text and button.
    fn ids(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Recovery => ("new-password-title", "new-password-text", "new-password-button"),
            Self::Setup => ("setup-title", "setup-text", "setup-button"),
        }
    }
}

#[derive(Template)]
#[template(path = "login.html")]
struct LoginHtml<'a> {
    f: &'a Frame<'a>,
    p: &'a Login,
}

impl Page for Login {
    fn html(&self, frame: &Frame<'_>) -> Result<String, askama::Error> {
        LoginHtml { f: frame, p: self }.render()
    }
}

#[derive(Template)]
#[template(path = "register.html")]
struct RegisterHtml<'a> {
    f: &'a Frame<'a>,
    p: &'a Register,
}

impl Page for Register {
    fn html(&self, frame: &Frame<'_>) -> Result<String, askama::Error> {
        RegisterHtml { f: frame, p: self }.render()
    }
}

#[derive(Template)]
#[template(path = "mail_sent.html")]
struct MailSentHtml<'a> {
    f: &'a Frame<'a>,
    p: &'a MailSent,
}

impl Page for MailSent {
    fn html(&self, frame: &Frame<'_>) -> Result<String, askama::Error> {
        MailSentHtml { f: frame, p: self }.render()
    }
}

#[derive(Template)]
#[template(path = "confirm.html")]
struct ConfirmHtml<'a> {
    f: &'a Frame<'a>,
    p: &'a Confirm,
    title_id: &'static str,
    text_id: &'static str,
    button_id: &'static str,
}

impl Page for Confirm {
    fn html(&self, frame: &Frame<'_>) -> Result<String, askama::Error> {
        let (title_id, text_id, button_id) = self.what.ids();
        ConfirmHtml { f: frame, p: self, title_id, text_id, button_id }.render()
    }

    fn holds_link(&self) -> bool {
        true
    }
}

#[derive(Template)]
#[template(path = "new_password.html")]
struct NewPasswordHtml<'a> {
    f: &'a Frame<'a>,
    p: &'a NewPassword,
    title_id: &'static str,
    text_id: &'static str,
    button_id: &'static str,
}

impl Page for NewPassword {
    fn html(&self, frame: &Frame<'_>) -> Result<String, askama::Error> {
        let (title_id, text_id, button_id) = self.new_for.ids();
        NewPasswordHtml { f: frame, p: self, title_id, text_id, button_id }.render()
    }

    fn holds_link(&self) -> bool {
        true
    }
}

#[derive(Template)]
#[template(path = "recover.html")]
struct RecoverHtml<'a> {
    f: &'a Frame<'a>,
    p: &'a Recover,
}

impl Page for Recover {
    fn html(&self, frame: &Frame<'_>) -> Result<String, askama::Error> {
        RecoverHtml { f: frame, p: self }.render()
    }
}

#[derive(Template)]
#[template(path = "logout.html")]
struct LogoutHtml<'a> {
    f: &'a Frame<'a>,
    p: &'a Logout,
}

impl Page for Logout {
    fn html(&self, frame: &Frame<'_>) -> Result<String, askama::Error> {
        LogoutHtml { f: frame, p: self }.render()
    }
}

#[derive(Template)]
#[template(path = "logged_out.html")]
struct LoggedOutHtml<'a> {
    f: &'a Frame<'a>,
}

impl Page for LoggedOut {
    fn html(&self, frame: &Frame<'_>) -> Result<String, askama::Error> {
        LoggedOutHtml { f: frame }.render()
    }
}

#[derive(Template)]
#[template(path = "wait.html")]
struct WaitHtml<'a> {
    f: &'a Frame<'a>,
    text: String,
}

impl Page for Wait {
    fn html(&self, frame: &Frame<'_>) -> Result<String, askama::Error> {
        let wait = when::wait(frame.words(), self.retry_after_s);
        WaitHtml { f: frame, text: frame.words().text("wait-text", &[("wait", &wait)]) }.render()
    }
}

/// What is shown under a host that is not ours.
pub(crate) struct Elsewhere {
    pub issuer: String,
}

#[derive(Template)]
#[template(path = "elsewhere.html")]
struct ElsewhereHtml<'a> {
    f: &'a Frame<'a>,
    address: &'a str,
    account: String,
}

impl Page for Elsewhere {
    fn html(&self, frame: &Frame<'_>) -> Result<String, askama::Error> {
        let account = format!("{}{}", self.issuer, paths::ACCOUNT);
        ElsewhereHtml { f: frame, address: &self.issuer, account }.render()
    }
}

#[derive(Template)]
#[template(path = "error.html")]
struct ErrorHtml<'a> {
    f: &'a Frame<'a>,
    p: &'a ErrorPage,
}

impl Page for ErrorPage {
    fn html(&self, frame: &Frame<'_>) -> Result<String, askama::Error> {
        ErrorHtml { f: frame, p: self }.render()
    }
}
