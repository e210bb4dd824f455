//! `[admin]`: who may administer an installation that has nobody yet.

use crate::claims::{CLAIM_CHARS_MAX, Shape};
use sigid_core::email::Address;
use sigid_core::secret::Secret;
use sigid_core::settings::{Key, Kind, Problems, Section, Standard, Values};

/// The checked section.
#[derive(Clone, Debug, Default)]
pub struct Admin {
    /// The first administrator.
    pub bootstrap_email: Option<Address>,
    /// The claim `name`.
    pub bootstrap_name: Option<String>,
    /// Without it the account gets a set-up link.
    pub bootstrap_password: Option<Secret<String>>,
}

pub static SECTION: Section = Section {
    name: "admin",
    doc: "The first administrator. The account is made when the server starts and there is none; one that is there is left as it is.",
    keys: &[
        Key::new(
            "bootstrap_email",
            Kind::Text,
            Standard::Absent("\"admin@example.com\""),
            "Whose account it is. Without bootstrap_password a one-time set-up link is printed, once; sigid admin user setup-link prints another.",
        ),
        Key::new(
            "bootstrap_name",
            Kind::Text,
            Standard::Absent("\"Ada Lovelace\""),
            "What that person is called. Whoever uses the set-up link may write another name.",
        ),
        Key::new(
            "bootstrap_password",
            Kind::Secret,
            Standard::Absent("\"...\""),
            "The password that the account begins with. Change it after the first sign-in, and take it out of the file.",
        )
        .env("SIGID_ADMIN_BOOTSTRAP_PASSWORD"),
    ],
};

/// `[admin]`.
pub fn check(values: &Values, problems: &mut Problems) -> Admin {
    let (email, name, password) = ("bootstrap_email", "bootstrap_name", "bootstrap_password");
    let bootstrap_email = values.find_text(email).and_then(|text| {
        let read = Address::parse(text);
        if let Err(fault) = read {
            values.refuse(problems, email, fault.to_string(), "write an address such as \"admin@example.com\"");
        }
        read.ok()
    });
    let bootstrap_name = values.find_text(name).and_then(|text| {
        Shape::Text(CLAIM_CHARS_MAX).read(text).unwrap_or_else(|wrong| {
            values.refuse(problems, name, format!("the name {wrong}"), "write a name such as \"Ada Lovelace\"");
            None
        })
    });
    let bootstrap_password = values.find_text(password).map(|text| Secret::new(text.to_owned()));
    if values.find_text(email).is_none() {
        for key in [name, password].into_iter().filter(|key| values.find_text(key).is_some()) {
            values.refuse(problems, key, "belongs to nobody", "write bootstrap_email too, or remove it");
        }
    }
    Admin { bootstrap_email, bootstrap_name, bootstrap_password }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use sigid_core::settings::{Table, Value, read};

    fn checked(keys: &[(&str, &str)]) -> (Admin, Vec<String>) {
        let table = keys.iter().map(|(name, text)| ((*name).to_owned(), Value::Text((*text).to_owned()))).collect();
        let root = Table::from([("admin".to_owned(), Value::Table(table))]);
        let mut problems = Problems::default();
        let values = read(&SECTION, &root, &|_| None, &mut problems);
        let admin = check(&values, &mut problems);
        (admin, problems.to_string().lines().map(str::to_owned).collect())
    }

    #[test]
    fn a_first_administrator_has_an_address() {
        for (reason, keys, problem) in [
            ("nobody", &[][..], None),
            ("a link", &[("bootstrap_email", "Admin@Example.com")], None),
            ("a password", &[("bootstrap_email", "a@example.com"), ("bootstrap_password", "hush hush hush")], None),
            ("a name", &[("bootstrap_email", "a@example.com"), ("bootstrap_name", "Ada")], None),
            (
                "a name that breaks the line",
                &[("bootstrap_email", "a@example.com"), ("bootstrap_name", "hush\nAda")],
                Some("admin.bootstrap_name: "),
            ),
            ("nobody's name", &[("bootstrap_name", "Ada")], Some("admin.bootstrap_name: ")),
            ("no address", &[("bootstrap_email", "admin")], Some("admin.bootstrap_email: ")),
            ("nobody's password", &[("bootstrap_password", "hush hush hush")], Some("admin.bootstrap_password: ")),
        ] {
            let (_, problems) = checked(keys);
            assert_eq!(
                problems.first().map(|line| line.starts_with(problem.unwrap())),
                problem.map(|_| true),
                "{reason}"
            );
            assert!(!problems.concat().contains("hush"), "{reason}: a password is never repeated");
        }
        let (admin, _) = checked(&[("bootstrap_email", "Admin@Example.com")]);
        assert_eq!(admin.bootstrap_email.unwrap().key, "admin@example.com");
    }
}
