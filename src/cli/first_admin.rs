//! The first administrator of an installation, made at the start of a process of the control plane (`[admin]`).
//!
//! The set-up link goes to standard output, for whoever started the process, once, and into no log.

use std::fmt;

use sigid_io::pg::{PgFault, Plane, Pools};
use sigid_login::admin::{self, bootstrap};
use sigid_login::keys::Keys;
use sigid_platform::outbox::Act;

use super::password::{self, Hasher};
use super::say;
use crate::config::Config;

/// Why there is none.
#[derive(Debug)]
pub enum Fault {
    Database(PgFault),
    Password(password::Fault),
    Refused(admin::Fault),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Database(fault) => write!(f, "database: {fault}"),
            Self::Password(fault) => write!(f, "admin.bootstrap_password: {fault}"),
            Self::Refused(fault) => write!(f, "admin.bootstrap_email: {fault}"),
        }
    }
}

impl From<admin::Fault> for Fault {
    fn from(fault: admin::Fault) -> Self {
        match fault {
            admin::Fault::Database(fault) => Self::Database(fault),
            fault => Self::Refused(fault),
        }
    }
}

/// Makes the account if there is none; a process of another plane leaves it to those of the control plane.
///
/// # Errors
/// The database, or a password that nobody may have.
pub async fn ensure(config: &Config, pools: &Pools, planes: &[Plane], keys: &Keys, now_s: i64) -> Result<(), Fault> {
    let pool = pools.pool(Plane::Control);
    if !planes.contains(&Plane::Control) || !bootstrap::is_due(pool, &config.admin).await? {
        return Ok(());
    }
    let hash = match (&config.admin.bootstrap_password, &config.admin.bootstrap_email) {
        (Some(password), Some(email)) => {
            let hasher = Hasher::start(config).map_err(Fault::Password)?;
            Some(hasher.hash(password, email).await.map_err(Fault::Password)?)
        }
        _ => None,
    };
    let act = Act { actor: "bootstrap", now_s };
    let link = bootstrap::ensure(pool, keys, &config.oidc.issuer, &config.admin, hash, act).await?;
    if let Some(link) = link {
        say(format!("sigid: the first administrator's password is set, within a day, at {}", link.expose()));
    }
    Ok(())
}
