//! `[database]` and its pools: which connection string and how many connections each plane gets.
//!
//! `url` stands in for every plane that has no string of its own. A process that runs one plane needs
//! only that plane's and the identity plane's; its pool section then sizes its pools.

use std::time::Duration;

use sigid_core::settings::{Key, Kind, Problems, Section, Standard, Values};
use sigid_io::settings::{PgSettings, PgTarget, Plane};

use super::files::{self, Files};
use super::pg_url::PgUrl;

/// Where the data is. The strings hold passwords, so there is no `Debug`.
pub struct Database {
    pub pg: PgSettings,
    /// Connects with more rights than the server has, for jobs that drop partitions.
    pub maintenance_url: Option<String>,
    /// Connects as the owner of the schemas, for `sigid migrate`.
    pub migration_url: Option<String>,
}

pub static SECTION: Section = Section {
    name: "database",
    doc: "PostgreSQL, 15 or later. A connection string is postgres://user:password@host:port/name, or host=... user=... pairs.",
    keys: &[
        Key::new(
            "url",
            Kind::Secret,
            Standard::Conditional(EXAMPLE_URL),
            "The connection of every plane that has none of its own. Required unless each plane of the process has.",
        ),
        url("identity_url", "Accounts of people.").env("DATABASE_IDENTITY_URL"),
        url("auth_url", "Authentication, tokens and sessions.").env("DATABASE_AUTH_URL"),
        url("control_url", "Management.").env("DATABASE_CONTROL_URL"),
        url("async_url", "Background workers and events.").env("DATABASE_ASYNC_URL"),
        url("maintenance_url", "The privileged connection of maintenance.").env("MAINTENANCE_DATABASE_URL"),
        url("migration_url", "The privileged connection of sigid migrate.").env("MIGRATION_DATABASE_URL"),
        Key::integer(
            "max_connections",
            MAX_RANGE,
            10,
            "The most connections of each pool; each plane of a process has one.",
        ),
        Key::integer("min_connections", MIN_RANGE, 1, "The connections that each pool keeps open."),
        Key::integer("connect_timeout_secs", (1, 300), 5, "How long a new connection may take."),
        Key::integer("statement_timeout_secs", (1, 300), 5, "How long a statement may take."),
        Key::boolean("require_ssl", false, "Connect with TLS only. Production wants it."),
        Key::new(
            "ca_pem_path",
            Kind::Path,
            Standard::Absent("\"database-ca.pem\""),
            "The authority that signed the database's certificate.",
        ),
    ],
};

pub static AUTH_POOL: Section = Section {
    name: "database.auth_pool",
    doc: "Pool sizes of a process that runs the auth plane alone (SIGID_RUNTIME_PLANE=auth).",
    keys: POOL_KEYS,
};
pub static CONTROL_POOL: Section = Section {
    name: "database.control_pool",
    doc: "Pool sizes of a process that runs the control plane alone (SIGID_RUNTIME_PLANE=control).",
    keys: POOL_KEYS,
};
pub static ASYNC_POOL: Section = Section {
    name: "database.async_pool",
    doc: "Pool sizes of a process that runs the async plane alone (SIGID_RUNTIME_PLANE=async).",
    keys: POOL_KEYS,
};

const POOL_KEYS: &[Key] = &[
    Key::new(
        "max_connections",
        Kind::Integer { min: MAX_RANGE.0, max: MAX_RANGE.1 },
        Standard::Absent("10"),
        "In place of database.max_connections.",
    ),
    Key::new(
        "min_connections",
        Kind::Integer { min: MIN_RANGE.0, max: MIN_RANGE.1 },
        Standard::Absent("1"),
        "In place of database.min_connections.",
    ),
];

/// The section and the pools, in the order auth, control, async.
pub struct Sources<'a> {
    pub database: &'a Values,
    pub pools: [(Plane, &'a Values); 3],
}

pub fn check(sources: &Sources<'_>, plane: Option<Plane>, files: &Files<'_>, problems: &mut Problems) -> Database {
    let values = sources.database;
    check_urls(values, plane, problems);
    check_sizes(values, values, problems);
    for (_, pool) in &sources.pools {
        check_sizes(pool, values, problems);
    }
    files.check(values, "ca_pem_path", files::is_certificate, problems);
    let own = sources.pools.iter().find(|(pool, _)| Some(*pool) == plane).map(|(_, pool)| *pool);
    let target = |at: Plane| PgTarget {
        url: plane_url(values, at, plane),
        max_connections: size("max_connections", own, values),
        min_connections: size("min_connections", own, values),
    };
    Database {
        pg: PgSettings {
            identity: target(Plane::Identity),
            auth: target(Plane::Auth),
            control: target(Plane::Control),
            async_: target(Plane::Async),
            connect_timeout: Duration::from_secs(values.count("connect_timeout_secs")),
            statement_timeout: Duration::from_secs(values.count("statement_timeout_secs")),
            require_ssl: values.boolean("require_ssl"),
            ca_pem_path: values.find_text("ca_pem_path").map(|path| files.resolve(path)),
            fail: sigid_io::fail::Fail::default(),
        },
        maintenance_url: values.find_text("maintenance_url").map(str::to_owned),
        migration_url: values.find_text("migration_url").map(str::to_owned),
    }
}

/// The planes whose connection a process needs.
pub fn needed_planes(plane: Option<Plane>) -> Vec<Plane> {
    match plane {
        None => Plane::ALL.to_vec(),
        Some(Plane::Identity) => vec![Plane::Identity],
        Some(plane) => vec![Plane::Identity, plane],
    }
}

/// The settings whose connection leads to another machine.
pub fn find_remote(values: &Values) -> Vec<String> {
    let remote = |name: &&&str| {
        let url = values.find_text(name).and_then(|url| PgUrl::parse(url).ok());
        url.is_some_and(|url| url.find_remote_host().is_some())
    };
    URLS.iter().filter(remote).map(|name| values.path(name)).collect()
}

fn check_urls(values: &Values, plane: Option<Plane>, problems: &mut Problems) {
    for name in URLS {
        check_url(values, name, problems);
    }
    if values.is_written("url") || problems.mentions("database.url") {
        return;
    }
    let missing: Vec<&str> =
        needed_planes(plane).into_iter().map(url_name).filter(|name| !values.is_written(name)).collect();
    if let [_, ..] = missing.as_slice() {
        let what = format!("is missing, and so is {}", missing.join(", "));
        values.refuse(problems, "url", what, "write url = \"postgres://user:password@host/name\"");
    }
}

fn check_url(values: &Values, name: &str, problems: &mut Problems) {
    let Some(text) = values.find_text(name) else { return };
    match PgUrl::parse(text) {
        Err(fault) => values.refuse(problems, name, fault, "write it like \"postgres://user:password@host:5432/name\""),
        Ok(url) if url.ssl_disabled && values.boolean("require_ssl") => {
            let what = "says sslmode=disable, against require_ssl = true";
            values.refuse(problems, name, what, "remove sslmode from it");
        }
        Ok(_) => {}
    }
}

/// A pool that keeps more connections than it may have. What `pool` does not write, `base` does.
fn check_sizes(pool: &Values, base: &Values, problems: &mut Problems) {
    let (max_path, min_path) = (pool.path("max_connections"), pool.path("min_connections"));
    if [&max_path, &min_path].iter().any(|path| problems.mentions(path))
        || problems.mentions("database.min_connections")
    {
        return;
    }
    let (max, min) = (size("max_connections", Some(pool), base), size("min_connections", Some(pool), base));
    if min <= max {
        return;
    }
    if pool.is_written("min_connections") {
        let what = format!("{min} is more than max_connections, {max}");
        pool.refuse(problems, "min_connections", what, format!("use {max} or less"));
    } else if pool.is_written("max_connections") {
        let what = format!("{max} is less than min_connections, {min}");
        pool.refuse(problems, "max_connections", what, format!("use {min} or more"));
    }
}

fn size(name: &str, pool: Option<&Values>, base: &Values) -> u32 {
    let value = pool.and_then(|pool| pool.find_integer(name)).or_else(|| base.find_integer(name));
    value.and_then(|value| u32::try_from(value).ok()).unwrap_or_default()
}

/// The plane's own string, else `url`; a plane this process does not run gets the string of the one it runs.
fn plane_url(values: &Values, at: Plane, running: Option<Plane>) -> String {
    let names = [Some(url_name(at)), Some("url"), running.map(url_name)];
    names.into_iter().flatten().find_map(|name| values.find_text(name)).unwrap_or_default().to_owned()
}

fn url_name(plane: Plane) -> &'static str {
    match plane {
        Plane::Identity => "identity_url",
        Plane::Auth => "auth_url",
        Plane::Control => "control_url",
        Plane::Async => "async_url",
    }
}

const fn url(name: &'static str, doc: &'static str) -> Key {
    Key::new(name, Kind::Secret, Standard::Absent(EXAMPLE_URL), doc)
}

const EXAMPLE_URL: &str = "\"postgres://sigid:password@localhost:5432/sigid\"";
const URLS: [&str; 7] =
    ["url", "identity_url", "auth_url", "control_url", "async_url", "maintenance_url", "migration_url"];
const MAX_RANGE: (i64, i64) = (1, 10_000);
const MIN_RANGE: (i64, i64) = (0, 10_000);
