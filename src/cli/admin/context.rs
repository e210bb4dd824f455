//! What every command needs: the configuration, a connection, the moment, and how to print.

use std::path::{Path, PathBuf};

use serde_json::Value;
use sigid_core::settings::Environment;
use sigid_io::clock::{Clock, system_ms};
use sigid_io::migrate::{self, Level};
use sigid_io::pg::{self, Plane, Pool, Pools};
use sigid_oidc::keyring;
use sigid_oidc::keys::{Policy, RootKey};
use sigid_platform::outbox::{Act, load_database_ms};
use sigid_tenant::tenants;

use super::fault::Fault;
use crate::boot;
use crate::cli::say;
use crate::config::{self, Config};
use crate::migrations;

pub(super) struct Context {
    pub(super) config: Config,
    pools: Pools,
    clock: Clock,
    json: bool,
}

impl Context {
    /// Reaches the database.
    pub(super) async fn open(config: Config, clock_offset_file: Option<PathBuf>, json: bool) -> Result<Self, Fault> {
        let pools = connect(&config).await?;
        let clock = clock(pools.pool(Plane::Control), clock_offset_file).await?;
        Ok(Self { config, pools, clock, json })
    }

    pub(super) async fn close(&self) {
        self.pools.close().await;
    }

    pub(super) fn pool(&self) -> &Pool {
        self.pools.pool(Plane::Control)
    }

    /// Now, not when the command was given: an operator may have sat at a prompt since.
    pub(super) fn act(&self) -> Act<'static> {
        Act { actor: "admin-cli", now_s: self.clock.now_s() }
    }

    pub(super) fn clock(&self) -> &Clock {
        &self.clock
    }

    /// How long a mark must be kept: the longest life of anything it could concern.
    pub(super) fn token_life_max_s(&self) -> i64 {
        let jwt = &self.config.jwt;
        let refresh_secs = jwt.refresh_token_lifetime_human_secs.max(jwt.refresh_token_lifetime_agent_secs);
        i64::from(jwt.access_token_lifetime_max_secs().max(refresh_secs))
    }

    pub(super) fn policy(&self) -> Policy {
        keyring::policy(&self.config.jwt)
    }

    pub(super) fn root_key(&self) -> Result<RootKey, Fault> {
        let text = config::read_file(&self.config.security.root_key_path)
            .map_err(|_| Fault::configuration("security.root_key_path: cannot be read; see sigid check"))?;
        RootKey::parse(&text).map_err(|fault| Fault::configuration(format!("security.root_key_path: {fault}")))
    }

    /// Prints the document with `--json`, otherwise the text.
    pub(super) fn print(&self, document: impl FnOnce() -> Value, text: impl FnOnce() -> String) {
        if self.json { say(document()) } else { say(text()) }
    }
}

/// Reads the configuration.
pub(super) fn load(
    file: Option<PathBuf>,
    directory: Option<PathBuf>,
    fail_file: Option<&Path>,
) -> Result<Config, Fault> {
    let loaded = if let Some(file) = file {
        config::load(&file, &|name| as_control_plane(name, &crate::environment))
    } else {
        let directory = directory.unwrap_or_else(|| PathBuf::from(".sigid"));
        config::load(&directory.join("sigid.toml"), &|name| as_control_plane(name, &|_| None))
    };
    let mut config = loaded.map_err(|problems| Fault::configuration(problems.to_string()))?;
    boot::arm(&mut config, fail_file).map_err(|line| Fault::configuration(format!("sigid admin: {line}")))?;
    Ok(config)
}

/// This program is the control plane, whichever plane the node runs whose environment or file it is given: it
/// takes that plane's connection, and says so when there is none.
fn as_control_plane(name: &str, environment: Environment<'_>) -> Option<String> {
    if name == PLANE_VARIABLE { Some(Plane::Control.as_str().to_owned()) } else { environment(name) }
}

/// The control plane's pool, as the server would take it: a bound role, and a database of this program's level.
async fn connect(config: &Config) -> Result<Pools, Fault> {
    let planes = [Plane::Control];
    let pools = Pools::connect(&config.database.pg, &planes).await?;
    pg::check_planes(&pools, &planes).await?;
    match migrate::check_level(pools.pool(Plane::Control), migrations::ALL).await? {
        Level::Current => {}
        level => return Err(Fault::refused(format!("database: {level}"))),
    }
    tenants::check_control(pools.pool(Plane::Control)).await?;
    Ok(pools)
}

/// This machine's clock, corrected to the database's and by the development shift.
async fn clock(pool: &Pool, clock_offset_file: Option<PathBuf>) -> Result<Clock, Fault> {
    let clock = Clock::new();
    let offset_ms = load_database_ms(pool).await? - system_ms();
    if offset_ms.abs() >= OFFSET_MIN_MS {
        clock.set_database_offset_ms(offset_ms);
    }
    if let Some(file) = clock_offset_file {
        clock.follow_offset_file(file).map_err(|_| Fault::refused("the clock's offset file cannot be followed"))?;
    }
    Ok(clock)
}

/// Overrides `deployment.plane` of the file.
const PLANE_VARIABLE: &str = "SIGID_RUNTIME_PLANE";
/// A smaller offset is the time of the round trip; the nodes ignore it as well.
const OFFSET_MIN_MS: i64 = 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_administrator_is_the_control_plane_on_every_node() {
        let auth_node = |name: &str| Some(format!("auth's {name}"));
        assert_eq!(as_control_plane(PLANE_VARIABLE, &auth_node).as_deref(), Some("control"));
        assert_eq!(as_control_plane(PLANE_VARIABLE, &|_| None).as_deref(), Some("control"), "also against the file");
        let other = as_control_plane("DATABASE_CONTROL_URL", &auth_node);
        assert_eq!(other.as_deref(), Some("auth's DATABASE_CONTROL_URL"), "the rest stays");
    }
}
