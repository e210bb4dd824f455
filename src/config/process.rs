//! `[security]`, `[telemetry]` and `[deployment]`: how this process runs, is watched and is placed.

use std::net::SocketAddr;
use std::path::PathBuf;

use sigid_core::settings::{Key, Kind, Problems, Section, Standard, Values, shown};
use sigid_io::settings::Plane;

use super::database::needed_planes;
use super::files::{self, Files};

#[derive(Clone, Debug)]
pub struct Security {
    pub production: bool,
    /// The root key that opens sealed signing keys; empty in production, where the key service opens them.
    pub root_key_path: PathBuf,
    /// Others than its owner have rights to that file.
    pub root_key_shared: bool,
    pub webhook_allow_non_standard_ports: bool,
}

#[derive(Clone, Debug)]
pub struct Telemetry {
    pub metrics_listen: SocketAddr,
    pub log_format: LogFormat,
    pub log_level: LogLevel,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    Human,
    Json,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogLevel {
    Error,
    Warn,
    Info,
    Debug,
}

#[derive(Clone, Debug)]
pub struct Deployment {
    pub coordination: Coordination,
    /// The one plane this process runs; `None` runs all.
    pub plane: Option<Plane>,
    pub node_name: Option<String>,
}

/// What carries counters, replay marks and wake-ups between nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coordination {
    Postgres,
    /// This process alone; a second one is refused.
    Local,
}

impl LogLevel {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
        }
    }
}

impl Deployment {
    /// The planes whose connections this process opens.
    pub fn planes(&self) -> Vec<Plane> {
        needed_planes(self.plane)
    }
}

pub static SECURITY: Section = Section {
    name: "security",
    doc: "How strict this server is.",
    keys: &[
        Key::boolean(
            "production",
            false,
            "Must be true as soon as anything leaves this machine; then [kms], server.trusted_proxies, server.allowed_hosts, server.tls and database.require_ssl are wanted too.",
        ),
        Key::new(
            "root_key_path",
            Kind::Path,
            Standard::Conditional("\"root.key\""),
            "A file with 32 random bytes in base64 (openssl rand -base64 32): the key that opens the sealed signing keys. Required outside production, where the key service opens them.",
        ),
        Key::boolean(
            "webhook_allow_non_standard_ports",
            false,
            "Let webhooks go to other ports than 443. Production refuses it.",
        ),
    ],
};

pub static TELEMETRY: Section = Section {
    name: "telemetry",
    doc: "Metrics and logs.",
    keys: &[
        Key::new(
            "metrics_listen",
            Kind::Text,
            Standard::Text("127.0.0.1:9464"),
            "Where /metrics and the health checks are served over plain HTTP/1.1.",
        ),
        Key::boolean("metrics_public", false, "Let metrics_listen be an address that other machines reach."),
        Key::new(
            "log_format",
            Kind::Word { meaning: "a log format", words: &["human", "json"] },
            Standard::Text("json"),
            "The form of a log line.",
        ),
        Key::new(
            "log_level",
            Kind::Word { meaning: "a log level", words: &["error", "warn", "info", "debug"] },
            Standard::Text("info"),
            "The least that is logged; \"debug\" exists in debug builds only.",
        ),
    ],
};

pub static DEPLOYMENT: Section = Section {
    name: "deployment",
    doc: "This process among others.",
    keys: &[
        Key::new(
            "coordination",
            Kind::Word { meaning: "in this build", words: &["postgres", "local"] },
            Standard::Text("postgres"),
            "What carries counters, replay marks and wake-ups between nodes; \"local\" is for one process and refuses a second.",
        ),
        Key::new(
            "plane",
            Kind::Word { meaning: "a runtime plane", words: &["auth", "control", "async"] },
            Standard::Absent("\"auth\""),
            "The one plane whose routes and workers this process runs. Without it, all.",
        )
        .env("SIGID_RUNTIME_PLANE"),
        Key::new(
            "node_name",
            Kind::Text,
            Standard::Absent("\"node-1\""),
            "This node in logs and metrics: up to 64 letters, digits, dots, dashes and underscores.",
        ),
    ],
};

pub fn check_security(values: &Values, files: &Files<'_>, problems: &mut Problems) -> Security {
    let production = values.boolean("production");
    files.check(values, "root_key_path", files::is_root_key, problems);
    if !production && !values.is_written("root_key_path") && !problems.mentions("security.root_key_path") {
        let cure = "write root_key_path = \"root.key\", a file made with: openssl rand -base64 32";
        values.refuse(problems, "root_key_path", "is missing", cure);
    }
    let root_key_shared = files.is_shared(values, "root_key_path");
    if production && root_key_shared && !problems.mentions("security.root_key_path") {
        let what = format!("{} can be read by others than its owner", shown(values.text("root_key_path")));
        values.refuse(problems, "root_key_path", what, "take their rights away with: chmod 600");
    }
    Security {
        production,
        root_key_shared,
        root_key_path: values.find_text("root_key_path").map(|path| files.resolve(path)).unwrap_or_default(),
        webhook_allow_non_standard_ports: values.boolean("webhook_allow_non_standard_ports"),
    }
}

pub fn check_telemetry(values: &Values, problems: &mut Problems) -> Telemetry {
    Telemetry {
        metrics_listen: check_metrics_listen(values, problems),
        log_format: if values.text("log_format") == "human" { LogFormat::Human } else { LogFormat::Json },
        log_level: match values.text("log_level") {
            "error" => LogLevel::Error,
            "warn" => LogLevel::Warn,
            "debug" => LogLevel::Debug,
            _ => LogLevel::Info,
        },
    }
}

fn check_metrics_listen(values: &Values, problems: &mut Problems) -> SocketAddr {
    let text = values.text("metrics_listen");
    let Ok(address) = text.parse::<SocketAddr>() else {
        let what = format!("{} is not an IP address with a port", shown(text));
        values.refuse(problems, "metrics_listen", what, "write it like \"127.0.0.1:9464\"");
        return SocketAddr::from(([127, 0, 0, 1], 9464));
    };
    if !address.ip().to_canonical().is_loopback() && !values.boolean("metrics_public") {
        let what = format!("{} is reached from other machines", shown(text));
        values.refuse(problems, "metrics_listen", what, "use a loopback address, or set metrics_public = true");
    }
    address
}

pub fn check_deployment(values: &Values, problems: &mut Problems) -> Deployment {
    let node_name = values.find_text("node_name");
    let shaped = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    if node_name.is_some_and(|name| name.len() > NODE_NAME_BYTES_MAX || !name.chars().all(shaped)) {
        let cure = "use up to 64 letters, digits, dots, dashes and underscores";
        values.refuse(problems, "node_name", "is not a name of that form", cure);
    }
    Deployment {
        coordination: if values.text("coordination") == "local" { Coordination::Local } else { Coordination::Postgres },
        plane: match values.text("plane") {
            "auth" => Some(Plane::Auth),
            "control" => Some(Plane::Control),
            "async" => Some(Plane::Async),
            _ => None,
        },
        node_name: node_name.map(str::to_owned),
    }
}

const NODE_NAME_BYTES_MAX: usize = 64;
