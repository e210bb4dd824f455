//! Where the pages stand. A form posts to the path of its page; links between pages are local.

pub const LOGIN: &str = "/login";
pub const LOGOUT: &str = "/logout";
pub const REGISTER: &str = "/register";
/// The link in a registration's mail.
pub const VERIFY: &str = "/verify";
pub const RECOVER: &str = "/recover";
/// The link in a recovery's mail.
pub const RECOVER_PASSWORD: &str = "/recover/password";
/// The link that lets an account's first password be set.
pub const SETUP: &str = "/setup";
/// The link that proves a new address.
pub const EMAIL_CONFIRM: &str = "/email/confirm";
/// The link that takes a changed address back.
pub const EMAIL_UNDO: &str = "/email/undo";
pub const ACCOUNT: &str = "/account";
pub const ACCOUNT_PASSWORD: &str = "/account/password";
pub const ACCOUNT_EMAIL: &str = "/account/email";
pub const ACCOUNT_SESSIONS: &str = "/account/sessions";
pub const ACCOUNT_DELETION: &str = "/account/deletion";
pub const LANGUAGE: &str = "/language";

/// Where logos stand, each under the digest of its content.
pub const LOGOS: &str = "/assets/logo";

/// The path of a logo; `digest` is 64 hexadecimal digits.
pub fn logo(digest: &str) -> String {
    format!("{LOGOS}/{digest}")
}
