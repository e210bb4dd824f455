//! What every command needs: the configuration, a connection, the moment, and how to print.

use std::path::{Path, PathBuf};

use serde_json::Value;
use sigid_io::clock::{Clock, system_ms};
use sigid_io::pg::{Plane, Pool, Pools};
use sigid_oidc::keys::{Policy, RootKey};
use sigid_platform::outbox::{Act, load_database_ms};

use super::fault::Fault;
use crate::cli::say;
use crate::config::{self, Config};

pub(super) struct Context {
    pub(super) config: Config,
    pools: Pools,
    now_s: i64,
    json: bool,
}

impl Context {
    /// Reads the configuration and reaches the database.
    pub(super) async fn open(
        file: Option<PathBuf>,
        directory: Option<PathBuf>,
        clock_offset_file: Option<PathBuf>,
        json: bool,
    ) -> Result<Self, Fault> {
        let config = load(file, directory)?;
        let pools = Pools::connect(&config.database.pg, &[Plane::Control]).await?;
        let now_s = now_s(pools.pool(Plane::Control), clock_offset_file).await?;
        Ok(Self { config, pools, now_s, json })
    }

    pub(super) async fn close(&self) {
        self.pools.close().await;
    }

    pub(super) fn pool(&self) -> &Pool {
        self.pools.pool(Plane::Control)
    }

    pub(super) fn act(&self) -> Act<'static> {
        Act { actor: "admin-cli", now_s: self.now_s }
    }

    /// How long a mark must be kept: the longest life of anything it could concern.
    pub(super) fn token_life_max_s(&self) -> i64 {
        let jwt = &self.config.jwt;
        let refresh_secs = jwt.refresh_token_lifetime_human_secs.max(jwt.refresh_token_lifetime_agent_secs);
        i64::from(jwt.access_token_lifetime_max_secs().max(refresh_secs))
    }

    pub(super) fn policy(&self) -> Policy {
        Policy::from(&self.config.jwt)
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

fn load(file: Option<PathBuf>, directory: Option<PathBuf>) -> Result<Config, Fault> {
    let loaded = match file {
        Some(file) => config::load(&file, &crate::environment),
        None => {
            let directory = directory.unwrap_or_else(|| PathBuf::from(".sigid"));
            config::load(&directory.join(Path::new("sigid.toml")), &|_| None)
        }
    };
    loaded.map_err(|problems| Fault::configuration(problems.to_string()))
}

/// This machine's clock, corrected to the database's and by the development shift.
async fn now_s(pool: &Pool, clock_offset_file: Option<PathBuf>) -> Result<i64, Fault> {
    let clock = Clock::new();
    clock.set_database_offset_ms(load_database_ms(pool).await? - system_ms());
    if let Some(file) = clock_offset_file {
        clock.follow_offset_file(file).map_err(|_| Fault::refused("the clock's offset file cannot be followed"))?;
    }
    Ok(clock.now_s())
}
