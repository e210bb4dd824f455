//! The first administrator of an installation that has nobody.
//!
//! At the start of a process that serves the control plane, the account of `admin.bootstrap_email` is made if there is
//! none: with the name and the password of the configuration, or with a set-up link that is printed once. Whatever is there already
//! is left as it is, so a restart changes nothing and resets nobody's password. Of several nodes that start at once, one
//! makes the account.

use super::config::Admin;
use super::people::{NewPerson, create, find, setup_link};
use super::{Fault, Who};
use crate::keys::Keys;
use serde_json::Value;
use sigid_core::secret::Secret;
use sigid_io::pg::Pool;
use sigid_platform::outbox::Act;

/// Whether the account is still to be made.
///
/// # Errors
/// The database.
pub async fn is_due(pool: &Pool, admin: &Admin) -> Result<bool, Fault> {
    let Some(email) = &admin.bootstrap_email else { return Ok(false) };
    Ok(find(pool, &Who::Email(email.key.clone())).await?.is_none())
}

/// Makes the account. `password_hash` is that of the configured password; without one the link is given back that sets
/// the first password, for the operator's eyes. Nothing happens where somebody was first.
///
/// # Errors
/// The database.
pub async fn ensure(
    pool: &Pool,
    keys: &Keys,
    issuer: &str,
    admin: &Admin,
    password_hash: Option<Secret<String>>,
    act: Act<'_>,
) -> Result<Option<Secret<String>>, Fault> {
    let Some(email) = admin.bootstrap_email.clone() else { return Ok(None) };
    let who = Who::Email(email.key.clone());
    let is_link = password_hash.is_none();
    let claims = admin.bootstrap_name.iter().map(|name| ("name".to_owned(), Value::from(name.as_str()))).collect();
    let new = NewPerson { email, is_email_verified: true, claims, password_hash, tenant: None };
    match create(pool, &new, act).await {
        Ok(_) if is_link => Ok(Some(setup_link(pool, keys, issuer, &who, act).await?.1)),
        Ok(_) | Err(Fault::Exists) => Ok(None),
        Err(fault) => Err(fault),
    }
}
