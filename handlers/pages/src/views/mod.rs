//! View models: one struct a page, plain fields. A value is escaped where it is shown, never before.
//!
//! None is `Debug`: they carry links and form keys.

mod account;
mod catcher;
mod sign_in;

pub(crate) use account::NAV;
pub use account::{Deleting, Deletion, EmailChange, PasswordChange, Profile, ProfileValues, SessionRow, Sessions};
pub use catcher::{CatcherList, CatcherMessage, CatcherRow};
pub(crate) use sign_in::Elsewhere;
pub use sign_in::{
    Confirm, ConfirmWhat, ErrorPage, LoggedOut, Login, Logout, MailSent, NewPassword, NewPasswordFor, Recover,
    Register, SentFor, Wait,
};

use crate::catalog::Words;
use crate::frame::Frame;

/// A page that can be shown.
pub trait Page {
    /// The document.
    ///
    /// # Errors
    /// Formatting failed; only memory could be the cause.
    fn html(&self, frame: &Frame<'_>) -> Result<String, askama::Error>;

    /// Whether the page shows a frame of our own (the mail catcher's message).
    fn has_frame(&self) -> bool {
        false
    }

    /// Whether the page is about a link that a POST does not carry in its address: no switch of language then, it would
    /// lose the link.
    fn holds_link(&self) -> bool {
        false
    }
}

/// What happened just before, said at the top of a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// The address is proven; the person may sign in.
    Verified,
    /// The password was changed; the person may sign in with it.
    PasswordSet,
    /// Sign in first, then go on.
    SignInFirst,
    /// The session that was here has ended.
    SessionEnded,
    SignedOut,
    Saved,
    PasswordChanged,
    /// A mail is on its way to the new address.
    EmailAsked,
    EmailChanged,
    EmailTakenBack,
    /// The session on a device (its words, see [`crate::device`]) was ended.
    DeviceEnded(String),
    /// So many sessions were ended.
    OthersEnded(u64),
    /// The account is to be erased; signing in again leads to the page that keeps it.
    DeletionBegun,
    /// The account stays.
    Kept,
}

impl Notice {
    pub(crate) fn is_good(&self) -> bool {
        !matches!(self, Self::SignInFirst | Self::SessionEnded | Self::DeletionBegun)
    }

    pub(crate) fn text(&self, words: Words<'_>) -> String {
        let plain = |id| words.text(id, &[]);
        match self {
            Self::Verified => plain("notice-verified"),
            Self::PasswordSet => plain("notice-password-set"),
            Self::SignInFirst => plain("notice-sign-in-first"),
            Self::SessionEnded => plain("notice-session-ended"),
            Self::SignedOut => plain("notice-signed-out"),
            Self::Saved => plain("notice-saved"),
            Self::PasswordChanged => plain("notice-password-changed"),
            Self::EmailAsked => plain("notice-email-asked"),
            Self::EmailChanged => plain("notice-email-changed"),
            Self::EmailTakenBack => plain("notice-email-taken-back"),
            Self::DeviceEnded(device) => words.text("notice-device-ended", &[("device", device)]),
            Self::OthersEnded(count) => words.count("notice-others-ended", *count),
            Self::DeletionBegun => plain("notice-deletion-begun"),
            Self::Kept => plain("notice-kept"),
        }
    }
}
