//! `[user_self_service]`: what people may do with their own accounts, and when they must prove who they are again.

use sigid_core::settings::{Key, Problems, Section, Values};

/// The checked section.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SelfService {
    pub deletion_enabled: bool,
    pub deletion_grace_days: u32,
    pub email_change_enabled: bool,
    pub password_change_ends_sessions: bool,
    pub reauthentication_s: i64,
}

impl SelfService {
    /// The grace period of a deletion, in seconds.
    pub fn deletion_grace_s(&self) -> i64 {
        i64::from(self.deletion_grace_days) * 86_400
    }
}

pub static SECTION: Section = Section {
    name: "user_self_service",
    doc: "What people may do with their own accounts.",
    keys: &[
        Key::boolean("deletion_enabled", true, "Whether a person may delete the own account."),
        Key::integer(
            "deletion_grace_days",
            (0, 90),
            14,
            "How long a deletion can be taken back; the account is erased within two minutes after it.",
        ),
        Key::boolean("email_change_enabled", true, "Whether a person may change the own address of mail."),
        Key::boolean(
            "password_change_ends_sessions",
            true,
            "A new password ends every other session of its person, and all that applications were given before it.",
        ),
        Key::integer(
            "reauthentication_secs",
            (0, 86_400),
            600,
            "An account that has a password is always asked for it before address, password or account change. One that has none may do so only this long after its sign-in.",
        ),
    ],
};

/// `[user_self_service]`.
pub fn check(values: &Values, _problems: &mut Problems) -> SelfService {
    SelfService {
        deletion_enabled: values.boolean("deletion_enabled"),
        deletion_grace_days: values.count("deletion_grace_days"),
        email_change_enabled: values.boolean("email_change_enabled"),
        password_change_ends_sessions: values.boolean("password_change_ends_sessions"),
        reauthentication_s: values.count("reauthentication_secs"),
    }
}
