//! A database of one's own, and the servers on it.

use std::net::SocketAddr;
use std::path::PathBuf;

use super::cli::{self, Ended};
use super::cluster::{APP, Database, OWNER};
use super::seed::{self, TEMPLATE};
use super::server::{Server, Start};
use super::settings::Settings;
use super::{cluster, place};

pub struct Site {
    pub database: Database,
    /// The issuer of every server here.
    pub issuer: String,
    port: u16,
}

impl Site {
    /// With the seeds in it.
    pub async fn new() -> Self {
        let database = Database::copy(TEMPLATE).await;
        let port = place::port();
        Self { database, issuer: format!("https://localhost:{port}"), port }
    }

    /// The settings of a server here, on the site's own port.
    pub fn settings(&self) -> Settings {
        let shared = &cluster::shared().directory;
        seed::settings(shared, &self.database.url(APP), &self.database.url(OWNER))
            .text("server.host", place::address().to_string())
            .set("server.port", self.port)
            .set("server.shards", 2)
            .text("oidc.issuer", &self.issuer)
            .text("telemetry.metrics_listen", format!("{}:{}", place::address(), place::port()))
    }

    /// The settings of a second node: the same issuer, another port.
    pub fn another_port(&self) -> Settings {
        self.settings().set("server.port", place::port())
    }

    /// A server as configured by default.
    pub async fn serve(&self) -> Server {
        self.serve_with(self.settings()).await
    }

    pub async fn serve_with(&self, settings: Settings) -> Server {
        self.start(settings, &Start::default()).await
    }

    /// A server that any number of guesses may ask.
    pub async fn serve_unbudgeted(&self) -> Server {
        let start = Start { arguments: vec!["--budgets", "off"], ..Start::default() };
        self.start(self.settings(), &start).await
    }

    pub async fn start(&self, settings: Settings, start: &Start) -> Server {
        let (directory, settings) = self.furnish(settings);
        let address = |host: &str, port: &str| -> SocketAddr {
            format!("{}:{}", settings.find(host), settings.find(port)).parse().unwrap()
        };
        let listen = address("server.host", "server.port");
        let metrics = settings.find("telemetry.metrics_listen").parse().unwrap();
        Server::start(directory, listen, metrics, self.issuer.clone(), start).await
    }

    /// A directory with the configuration, and with copies of certificate and keys that a test may change.
    #[allow(clippy::unused_self, reason = "a site's settings are furnished, nobody else's")]
    pub fn furnish(&self, settings: Settings) -> (PathBuf, Settings) {
        let directory = place::directory("server");
        let mut settings = settings;
        for (name, file) in [
            ("server.tls.cert_pem_path", "server.pem"),
            ("server.tls.key_pem_path", "server.key"),
            ("server.tls.ca_pem_path", "ca.pem"),
            ("security.root_key_path", "root.key"),
        ] {
            std::fs::copy(seed::shared_file(file), directory.join(file)).unwrap();
            settings = settings.text(name, file);
        }
        settings.write(&directory);
        (directory, settings)
    }

    /// Settings whose server reaches the database through a relay.
    pub fn through(&self, relay: &super::relay::Relay) -> Settings {
        self.settings().text("database.url", relay.url(&self.database.name, APP))
    }

    /// `sigid admin` on this database, as an operator somewhere would.
    pub fn admin(&self, arguments: &[&str]) -> Ended {
        let (directory, _) = self.furnish(self.settings());
        cli::admin(&directory.join("sigid.toml"), arguments)
    }
}
