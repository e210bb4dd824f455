//! Links that are good for one thing, once.
//!
//! ```text
//! (a letter is prepared, or an administrator asks) -> made -> used
//!                                                     made -> too old, or its object has moved on
//! ```
//!
//! A link's value carries its purpose and a MAC, so a forgery, or a link of another purpose, is dropped without asking
//! the database; only its digest is kept. A letter's link is derived from the letter's id ([`derive`]), so a letter that
//! is sent again holds the same link. [`find`] looks (a page is shown; mail scanners follow links), [`spend`] uses: the
//! row's old state stands in its `WHERE`, so of any number of uses at once exactly one wins.
//!
//! On the second presentation: the same page as for a link that never was.

use super::sql;
use crate::keys::Keys;
use serde_json::Value;
use sigid_core::ids::UserId;
use sigid_core::opaque::Purpose;
use sigid_core::secret::{Digest32, Secret};
use sigid_io::pg::{PgFault, Tx};
use sigid_pages::paths;
use uuid::Uuid;

/// What a link is for.
#[derive(Debug, PartialEq, Eq)]
pub struct Kind {
    /// In `auth.links.purpose`.
    pub name: &'static str,
    pub purpose: Purpose,
    /// Where it leads.
    pub path: &'static str,
    pub lifetime_s: i64,
}

/// Proves the address of a registration.
pub const VERIFY: Kind = Kind { name: "verify", purpose: Purpose::VerifyLink, path: paths::VERIFY, lifetime_s: DAY_S };
/// Sets a new password in place of a forgotten one.
pub const RECOVER: Kind =
    Kind { name: "recover", purpose: Purpose::RecoverLink, path: paths::RECOVER_PASSWORD, lifetime_s: 3600 };
/// Sets the first password of an account.
pub const SETUP: Kind = Kind { name: "setup", purpose: Purpose::SetupLink, path: paths::SETUP, lifetime_s: DAY_S };
/// Proves the address that an account is to change to.
pub const EMAIL: Kind =
    Kind { name: "email", purpose: Purpose::EmailLink, path: paths::EMAIL_CONFIRM, lifetime_s: DAY_S };
/// Takes a changed address back.
pub const UNDO: Kind =
    Kind { name: "undo", purpose: Purpose::UndoLink, path: paths::EMAIL_UNDO, lifetime_s: 7 * DAY_S };

const DAY_S: i64 = 86_400;

/// A link that is good.
pub struct Link {
    pub user_id: Option<UserId>,
    /// What its purpose needs.
    pub data: Value,
    pub created_s: i64,
}

impl Link {
    /// A text of the link's data; nothing when it is absent.
    pub fn text(&self, name: &str) -> &str {
        self.data.get(name).and_then(Value::as_str).unwrap_or_default()
    }
}

/// The link of a letter: the same each time the letter is prepared.
pub fn derive(keys: &Keys, kind: &Kind, mail_id: Uuid) -> Secret<String> {
    keys.opaque.derive(kind.purpose, mail_id.as_bytes())
}

/// The digest of a value that was presented; `None`: forged, or of another purpose.
pub fn read(keys: &Keys, kind: &Kind, value: &str) -> Option<Digest32> {
    keys.opaque.check(kind.purpose, value).ok()
}

/// The address that a link has in a letter.
pub fn url(issuer: &str, kind: &Kind, value: &Secret<String>) -> Secret<String> {
    Secret::new(format!("{issuer}{}?link={}", kind.path, value.expose()))
}

/// Makes a link good from `created_s` on; making it again changes nothing.
///
/// # Errors
/// The database refused; the transaction is over.
pub async fn insert(
    tx: &mut Tx<'_>,
    kind: &Kind,
    digest: &Digest32,
    created_s: i64,
    user: Option<UserId>,
    data: &Value,
) -> Result<(), PgFault> {
    sql::insert_link(tx, kind, digest, created_s, user, data).await
}

/// The link, if it is good now.
///
/// # Errors
/// The database refused.
pub async fn find(tx: &mut Tx<'_>, kind: &Kind, digest: &Digest32, now_s: i64) -> Result<Option<Link>, PgFault> {
    sql::find_link(tx, kind, digest, now_s).await
}

/// Uses the link; `None` when it is not good or somebody was first.
///
/// # Errors
/// The database refused; the transaction is over.
pub async fn spend(tx: &mut Tx<'_>, kind: &Kind, digest: &Digest32, now_s: i64) -> Result<Option<Link>, PgFault> {
    sql::spend_link(tx, kind, digest, now_s).await
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use std::collections::HashSet;

    const ALL: [&Kind; 5] = [&VERIFY, &RECOVER, &SETUP, &EMAIL, &UNDO];

    #[test]
    fn a_link_is_good_for_its_own_purpose_only() {
        let keys = Keys::derive(&|label| Secret::new([label.len() as u8; 32]));
        let mail_id = Uuid::from_u128(7);
        for kind in ALL {
            let value = derive(&keys, kind, mail_id);
            assert_eq!(value.expose(), derive(&keys, kind, mail_id).expose(), "{}: the same again", kind.name);
            for other in ALL {
                let is_read = read(&keys, other, value.expose()).is_some();
                assert_eq!(is_read, kind == other, "{} as {}", kind.name, other.name);
            }
        }
    }

    #[test]
    fn kinds_differ_and_lead_to_the_issuer() {
        assert_eq!(ALL.iter().map(|kind| kind.name).collect::<HashSet<_>>().len(), ALL.len());
        assert_eq!(ALL.iter().map(|kind| kind.path).collect::<HashSet<_>>().len(), ALL.len());
        let url = url("https://auth.example.com", &VERIFY, &Secret::new("x".to_owned()));
        assert_eq!(url.expose(), "https://auth.example.com/verify?link=x");
    }
}
