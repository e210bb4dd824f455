//! Sign-in, put together: what its areas find by type, and what the guards of pages call.

use crate::boot::Budgets;
use crate::config::{Config, Coordination};
use sigid_core::cookie::FormKey;
use sigid_edge::backend::Settings;
use sigid_edge::session::PageHooks;
use sigid_edge::session_check::EdgeCookies;
use sigid_io::hash_pool::HashPool;
use sigid_io::settings::Plane;
use sigid_login::config::MemoryFault;
use sigid_login::flows::login::SignIn;
use sigid_login::keys::Keys;
use sigid_login::limits::{LimitSettings, Limits};
use sigid_login::password::Passwords;
use sigid_login::sessions::{self, Sessions};
use sigid_oidc::keys::RootKey;
use sigid_platform::bench::Hashing;
use sigid_platform::mail::{Mailer, Preparer};
use std::fmt;
use std::io;
use std::sync::Arc;

/// Why sign-in does not start.
pub enum Fault {
    Memory(MemoryFault),
    Threads(io::Error),
    Mail(String),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Memory(fault) => fault.fmt(f),
            Self::Threads(error) => write!(f, "the hash pool cannot start: {error}"),
            Self::Mail(what) => f.write_str(what),
        }
    }
}

/// The threads that hash passwords, within the memory they may have; none where nobody signs in.
///
/// # Errors
/// They may not have so much, or the system refused it.
pub fn start_hash_pool(config: &Config, planes: &[Plane]) -> Result<Option<Arc<HashPool>>, Fault> {
    if !planes.contains(&Plane::Auth) {
        return Ok(None);
    }
    let settings = config.auth.pool_settings().map_err(Fault::Memory)?;
    let pool = HashPool::start(settings).map_err(Fault::Threads)?.with_fail(&config.database.pg.fail);
    let memory_mib = settings.memory_bytes() / (1024 * 1024);
    tracing::info!(threads = settings.threads, memory_mib, "hash pool");
    Ok(Some(Arc::new(pool)))
}

/// What sign-in, accounts and mail look for.
///
/// # Errors
/// Mail cannot be sent as configured.
pub fn add(
    settings: &mut Settings,
    config: &Config,
    root: &RootKey,
    pool: Option<&Arc<HashPool>>,
    budgets: Budgets,
) -> Result<(), Fault> {
    let cost = config.auth.cost;
    let limits = LimitSettings { is_off: budgets == Budgets::Off, ..config.auth.limits };
    let is_shared = config.deployment.coordination != Coordination::Local;
    if let Some(pool) = pool {
        settings.insert(Hashing { pool: pool.clone(), cost });
        settings.insert(Arc::new(Passwords::new(pool.clone(), cost, config.auth.password_length_min)));
    }
    settings.insert(keys(root));
    settings.insert(config.auth);
    settings.insert(Arc::new(SignIn::default()));
    settings.insert(Arc::new(Sessions::new(config.session_cookie.clone())));
    settings.insert(Limits::new(limits, &root.derive("limits"), is_shared));
    settings.insert(config.user_self_service);
    settings.insert(config.i18n.clone());
    settings.insert(Arc::new(sigid_pages::Logos::default()));
    let mailer =
        Mailer::new(&config.email, &config.oidc.issuer_host).map_err(|fault| Fault::Mail(fault.to_string()))?;
    settings.insert(Arc::new(mailer));
    settings.insert(Preparer(sigid_login::flows::letters::prepare));
    Ok(())
}

/// The keys of sign-in.
pub fn keys(root: &RootKey) -> Arc<Keys> {
    Arc::new(Keys::derive(&|label| root.derive(label)))
}

/// The cookies of applications.
pub fn edge_cookies(config: &Config, root: &RootKey) -> EdgeCookies {
    EdgeCookies::new(keys(root).edge.expose(), &config.base_domain, &config.oidc.issuer)
}

/// Who has a session, and what a refusal looks like.
pub fn pages(root: &RootKey) -> PageHooks {
    PageHooks {
        find_session: sessions::find,
        refused: sigid_pages::refused,
        form_key: Arc::new(FormKey::from_bytes(root.derive("form").expose())),
    }
}
