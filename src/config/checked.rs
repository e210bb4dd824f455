//! The file held against every declaration and rule, in one pass that collects all problems.

use std::path::Path;

use sigid_core::settings::{Environment, Problems, Section, Table, Values, check_names, read};
use sigid_io::settings::Plane;
use sigid_oidc::config as oidc;
use sigid_platform::mail::config as mail;

use super::files::{self, FileMode, Files, ReadFile};
use super::production::{self, Facts, Item};
use super::{Config, Limit, SECTIONS, database, limits, process, raw, server};

/// Everything outside the text that a configuration depends on.
pub struct World<'a> {
    /// What problems of the file itself are called after.
    pub file: &'a str,
    /// Where relative paths begin.
    pub directory: &'a Path,
    pub environment: Environment<'a>,
    pub read_file: ReadFile<'a>,
    pub file_mode: FileMode<'a>,
}

/// The outcome: a configuration to trust only if there are no problems.
pub struct Examined {
    /// `None` when the text is not TOML.
    pub config: Option<Config>,
    pub problems: Problems,
    pub checklist: Vec<Item>,
    pub limits: Vec<Limit>,
}

impl Examined {
    /// There was nothing to read.
    pub fn unread(problems: Problems) -> Self {
        Self { config: None, problems, checklist: Vec::new(), limits: Vec::new() }
    }
}

/// Checks a whole configuration; every problem is in the outcome.
pub fn examine(text: &str, world: &World<'_>) -> Examined {
    let mut problems = Problems::default();
    let Some(root) = raw::parse(text, world.file, &mut problems) else { return Examined::unread(problems) };
    check_names(&root, SECTIONS, raw::LATER, &mut problems);
    let sections = Sections::read(&root, world.environment, &mut problems);
    let files = Files { directory: world.directory, read: world.read_file, mode: world.file_mode };
    let config = sections.check(&files, &mut problems);
    let facts = Facts {
        config: &config,
        server: &sections.server,
        database: &sections.database,
        security: &sections.security,
        email: &sections.email,
    };
    production::check(&facts, &mut problems);
    let checklist = production::checklist(&facts, &problems);
    Examined { limits: limits::list(&sections.all()), config: Some(config), problems, checklist }
}

/// Every section's values.
struct Sections {
    server: Values,
    tls: Values,
    database: Values,
    auth_pool: Values,
    control_pool: Values,
    async_pool: Values,
    security: Values,
    oidc: Values,
    jwt: Values,
    edge: Values,
    telemetry: Values,
    deployment: Values,
    auth: Values,
    email: Values,
    email_smtp: Values,
    email_http_api: Values,
    session_cookie: Values,
    user_self_service: Values,
    admin: Values,
    i18n: Values,
}

impl Sections {
    fn read(root: &Table, environment: Environment<'_>, problems: &mut Problems) -> Self {
        let mut section = |section: &'static Section| read(section, root, environment, problems);
        Self {
            server: section(&server::SECTION),
            tls: section(&server::TLS_SECTION),
            database: section(&database::SECTION),
            auth_pool: section(&database::AUTH_POOL),
            control_pool: section(&database::CONTROL_POOL),
            async_pool: section(&database::ASYNC_POOL),
            security: section(&process::SECURITY),
            oidc: section(&oidc::OIDC_SECTION),
            jwt: section(&oidc::JWT_SECTION),
            edge: section(&sigid_edge::config::SECTION),
            telemetry: section(&process::TELEMETRY),
            deployment: section(&process::DEPLOYMENT),
            auth: section(&sigid_login::config::SECTION),
            email: section(&mail::SECTION),
            email_smtp: section(&mail::SMTP_SECTION),
            email_http_api: section(&mail::HTTP_API_SECTION),
            session_cookie: section(&sigid_login::sessions::config::SECTION),
            user_self_service: section(&sigid_account::config::SECTION),
            admin: section(&sigid_login::admin::config::SECTION),
            i18n: section(&sigid_pages::config::SECTION),
        }
    }

    fn all(&self) -> Vec<&Values> {
        vec![
            &self.server,
            &self.tls,
            &self.database,
            &self.auth_pool,
            &self.control_pool,
            &self.async_pool,
            &self.security,
            &self.oidc,
            &self.jwt,
            &self.edge,
            &self.telemetry,
            &self.deployment,
            &self.auth,
            &self.email,
            &self.email_smtp,
            &self.email_http_api,
            &self.session_cookie,
            &self.user_self_service,
            &self.admin,
            &self.i18n,
        ]
    }

    fn check(&self, files: &Files<'_>, problems: &mut Problems) -> Config {
        let issuer = oidc::check_oidc(&self.oidc, problems);
        let tls = server::check_tls(&self.tls, files, problems);
        let deployment = process::check_deployment(&self.deployment, problems);
        let email = self.check_email(&issuer.issuer_host, files, problems);
        Config {
            email,
            base_domain: server::check_base_domain(&self.server, &issuer.issuer_host, problems),
            server: server::check(&self.server, tls, &issuer.issuer, problems),
            database: database::check(&self.database_sources(), deployment.plane, files, problems),
            security: process::check_security(&self.security, files, problems),
            jwt: oidc::check_jwt(&self.jwt, problems),
            edge: sigid_edge::config::check(&self.edge, problems),
            telemetry: process::check_telemetry(&self.telemetry, problems),
            oidc: issuer,
            deployment,
            auth: sigid_login::config::check(&self.auth, problems),
            session_cookie: sigid_login::sessions::config::check(&self.session_cookie, problems),
            user_self_service: sigid_account::config::check(&self.user_self_service, problems),
            admin: sigid_login::admin::config::check(&self.admin, problems),
            i18n: sigid_pages::config::check(&self.i18n, files.directory, files.read, problems),
        }
    }

    fn check_email(&self, issuer_host: &str, files: &Files<'_>, problems: &mut Problems) -> mail::Email {
        for values in [&self.email_smtp, &self.email_http_api] {
            files.check(values, "ca_pem_path", files::is_certificate, problems);
        }
        let (email, smtp, http_api) = (&self.email, &self.email_smtp, &self.email_http_api);
        mail::check(&mail::Sources { email, smtp, http_api, directory: files.directory, issuer_host }, problems)
    }

    fn database_sources(&self) -> database::Sources<'_> {
        let pools =
            [(Plane::Auth, &self.auth_pool), (Plane::Control, &self.control_pool), (Plane::Async, &self.async_pool)];
        database::Sources { database: &self.database, pools }
    }
}
