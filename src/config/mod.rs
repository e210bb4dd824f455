//! The operator's configuration: `sigid.toml` and the environment, read once, into values that hold.
//!
//! `raw` is exactly the file; each section's module (and each feature's `config.rs`) declares its
//! settings and checks what a declaration cannot say; `checked` puts them together; `production` refuses
//! what may not leave this machine. Every problem is found in one run and printed as one line,
//! `section.key: what is wrong; what would be right`, without ever repeating a credential.
//!
//! The environment and the disk are handed in (`World`), so a test needs neither.

mod checked;
mod database;
mod files;
mod limits;
mod pg_url;
mod process;
mod production;
mod raw;
mod server;

use std::path::Path;
use std::sync::Arc;

use sigid_core::settings::{Environment, Problems, Section};
use sigid_io::settings::ServerSettings;

pub use checked::{Examined, World, examine};
pub use database::Database;
pub use files::read_file;
pub use limits::Limit;
pub use process::{Coordination, Deployment, LogFormat, Security, Telemetry};
pub use production::Item;

/// Everything a process is told, checked.
pub struct Config {
    pub server: ServerSettings,
    /// The domain of edge cookies.
    pub base_domain: String,
    pub database: Database,
    pub security: Security,
    pub jwt: sigid_oidc::config::Jwt,
    pub oidc: sigid_oidc::config::Oidc,
    pub edge: sigid_edge::config::Edge,
    pub telemetry: Telemetry,
    pub deployment: Deployment,
    pub auth: sigid_login::config::Auth,
    pub email: sigid_platform::mail::config::Email,
    pub session_cookie: sigid_login::sessions::config::SessionCookie,
    pub user_self_service: sigid_account::config::SelfService,
    pub admin: sigid_login::admin::config::Admin,
    pub i18n: Arc<sigid_pages::I18n>,
}

/// Reads and checks the file at `path`; relative paths in it begin at its directory.
pub fn load(path: &Path, environment: Environment<'_>) -> Result<Config, Problems> {
    let examined = load_examined(path, environment);
    match examined.config {
        Some(config) if examined.problems.is_empty() => Ok(config),
        _ => Err(examined.problems),
    }
}

/// What `sigid check` prints: the problems, the checklist and the limits.
pub fn load_examined(path: &Path, environment: Environment<'_>) -> Examined {
    let name = path.display().to_string();
    match read_file(path) {
        Ok(text) => {
            let directory = path.parent().unwrap_or(Path::new(""));
            let (read_file, file_mode) = (&files::read_file, &files::file_mode);
            examine(&text, &World { file: &name, directory, environment, read_file, file_mode })
        }
        Err(error) => {
            let mut problems = Problems::default();
            let what = format!("cannot be read, {}", files::reason(&error));
            problems.add(name, what, "name a configuration file with -c, sigid.example.toml is a start");
            Examined::unread(problems)
        }
    }
}

/// `sigid.example.toml`, generated from the declarations.
#[cfg(test)]
pub fn example() -> String {
    sigid_core::settings::example(SECTIONS, EXAMPLE_HEADING)
}

/// Every section, in the order of the example file.
pub static SECTIONS: &[&Section] = &[
    &server::SECTION,
    &server::TLS_SECTION,
    &database::SECTION,
    &database::AUTH_POOL,
    &database::CONTROL_POOL,
    &database::ASYNC_POOL,
    &process::SECURITY,
    &sigid_oidc::config::OIDC_SECTION,
    &sigid_oidc::config::JWT_SECTION,
    &sigid_edge::config::SECTION,
    &process::TELEMETRY,
    &process::DEPLOYMENT,
    &sigid_login::config::SECTION,
    &sigid_platform::mail::config::SECTION,
    &sigid_platform::mail::config::SMTP_SECTION,
    &sigid_platform::mail::config::HTTP_API_SECTION,
    &sigid_login::sessions::config::SECTION,
    &sigid_account::config::SECTION,
    &sigid_login::admin::config::SECTION,
    &sigid_pages::config::SECTION,
];

#[cfg(test)]
const EXAMPLE_HEADING: &str = "SigID's configuration: every setting, its default and its meaning.\n\
    A setting behind # is at its default, or shows an example where the text says that there is none.\n\
    Generated from the declarations in the source; a test compares it byte for byte.\n\
    Check a file with: sigid check -c sigid.toml";

#[cfg(test)]
mod tests;
