//! DIR/sigid.toml: what `sigid serve -c` would be given, so that development runs the server that production runs.
//!
//! Written anew at every start, since ports and sockets may have moved. Paths are relative to it.

use std::fmt::Write as _;

use super::cluster::{APP, Cluster, OWNER};
use super::directory::{Directory, Name};
use super::fault::Fault;

/// Where the server listens, and where it delivers mail.
#[derive(Clone, Copy)]
pub struct Ports {
    pub listener: u16,
    pub metrics: u16,
    pub mail: u16,
}

pub fn write(directory: &Directory, cluster: &Cluster, ports: Ports) -> Result<(), Fault> {
    directory.write(Name::Config, &text(&cluster.url(APP), &cluster.url(OWNER), ports))
}

pub fn issuer(port: u16) -> String {
    format!("https://localhost:{port}")
}

pub fn metrics_url(port: u16) -> String {
    format!("http://127.0.0.1:{port}/metrics")
}

/// The catcher's page.
pub fn mail_url(port: u16) -> String {
    format!("http://127.0.0.1:{port}/")
}

fn text(app_url: &str, owner_url: &str, ports: Ports) -> String {
    let Ports { listener: port, metrics: metrics_port, mail: mail_port } = ports;
    let mut text = HEADING.to_owned();
    for (section, settings) in [
        (
            "server",
            vec![
                ("host", string("127.0.0.1")),
                ("port", port.to_string()),
                ("transport", string("tls_h2_only")),
                ("base_domain", string("localhost")),
                ("trusted_proxies", "[]".into()),
                ("allowed_hosts", r#"["localhost", "127.0.0.1", "[::1]"]"#.into()),
            ],
        ),
        (
            "server.tls",
            vec![
                ("cert_pem_path", string("server.pem")),
                ("key_pem_path", string("server.key")),
                ("ca_pem_path", string("ca.pem")),
            ],
        ),
        (
            "database",
            vec![
                ("url", string(app_url)),
                ("migration_url", string(owner_url)),
                ("maintenance_url", string(owner_url)),
            ],
        ),
        ("security", vec![("production", "false".into()), ("root_key_path", string("root.key"))]),
        ("oidc", vec![("issuer", string(&issuer(port)))]),
        (
            "edge",
            vec![("unknown_client_budget_per_minute", "600".into()), ("failed_requests_per_minute", "60000".into())],
        ),
        (
            "auth",
            vec![
                ("password_verify_ip_budget_per_minute", "600".into()),
                ("password_verify_ip_failure_cost", "10".into()),
                ("registration_rate_limit_per_minute", "600".into()),
            ],
        ),
        (
            "email",
            vec![
                ("provider", string("smtp")),
                ("from_address", string("no-reply@sigid.example")),
                ("from_name", string("SigID")),
            ],
        ),
        (
            "email.smtp",
            vec![("host", string("127.0.0.1")), ("port", mail_port.to_string()), ("encryption", string("none"))],
        ),
        (
            "telemetry",
            vec![("metrics_listen", string(&format!("127.0.0.1:{metrics_port}"))), ("log_format", string("human"))],
        ),
    ] {
        let _ = write!(text, "\n[{section}]\n");
        for (name, value) in settings {
            let _ = writeln!(text, "{name} = {value}");
        }
    }
    text
}

fn string(value: &str) -> String {
    toml::Value::from(value).to_string()
}

const HEADING: &str = "# Written by `sigid dev` at every start; edits do not last. Copy it to start a server of your own:\n\
    # sigid serve -c COPY (with another port), while `sigid dev` keeps the database running.\n";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_toml_and_says_what_it_was_told() {
        let ports = Ports { listener: 8444, metrics: 9465, mail: 1026 };
        let text = text("postgresql:///sigid?host=/a&user=app", "postgresql:///sigid?host=/a&user=owner", ports);
        let table: toml::Table = text.parse().unwrap();
        assert_eq!(table["server"]["port"].as_integer(), Some(8444));
        assert_eq!(table["server"]["tls"]["key_pem_path"].as_str(), Some("server.key"));
        assert_eq!(table["database"]["url"].as_str(), Some("postgresql:///sigid?host=/a&user=app"));
        assert_eq!(table["database"]["migration_url"].as_str(), Some("postgresql:///sigid?host=/a&user=owner"));
        assert_eq!(table["oidc"]["issuer"].as_str(), Some("https://localhost:8444"));
        assert_eq!(table["telemetry"]["metrics_listen"].as_str(), Some("127.0.0.1:9465"));
        assert_eq!(table["email"]["smtp"]["port"].as_integer(), Some(1026));
    }
}
