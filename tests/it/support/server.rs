//! A running `sigid serve`.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use serde_json::Value;

use super::ask::{Ask, Reply, token};
use super::cli::PROGRAM;
use super::connect::{Conn, Offer};
use super::forge;
use super::metrics::{self, Metrics};
use super::seed::client;
use super::wait::{now_s, until, until_blocking, until_true};

pub struct Server {
    child: Child,
    pub address: SocketAddr,
    pub metrics: SocketAddr,
    pub issuer: String,
    /// Configuration, certificate, clock and log.
    pub directory: PathBuf,
}

/// What a server is started with, beside its configuration.
#[derive(Clone, Default)]
pub struct Start {
    pub environment: Vec<(&'static str, String)>,
    pub arguments: Vec<&'static str>,
}

impl Server {
    /// Starts it and waits for the ready line.
    pub async fn start(
        directory: PathBuf,
        address: SocketAddr,
        metrics: SocketAddr,
        issuer: String,
        start: &Start,
    ) -> Self {
        let mut server = Self { child: spawn(&directory, start), address, metrics, issuer, directory };
        let ready = format!("sigid: serving {} on {address}", server.issuer);
        until("the server's ready line", async || {
            if let Some(status) = server.child.try_wait().unwrap() {
                panic!("the server ended with {status}");
            }
            server.out().lines().any(|line| line == ready).then_some(())
        })
        .await;
        server
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn config(&self) -> PathBuf {
        self.directory.join("sigid.toml")
    }

    pub fn ca(&self) -> PathBuf {
        self.directory.join("ca.pem")
    }

    pub fn offer(&self) -> Offer {
        Offer::h2(&self.ca())
    }

    pub async fn connect(&self) -> Conn {
        Conn::open(&self.offer(), self.address).await
    }

    /// One request on a connection of its own.
    pub async fn ask(&self, ask: Ask) -> Reply {
        self.connect().await.ask(ask).await
    }

    pub async fn metrics(&self) -> Metrics {
        Metrics::load(self.metrics).await
    }

    pub async fn is_ready(&self) -> bool {
        metrics::get(self.metrics, "/health/ready").await.0 == 200
    }

    /// A connection to each shard.
    pub async fn connect_each(&self) -> Vec<Conn> {
        let mut all: Vec<Conn> = Vec::new();
        let mut open = self.open_by_shard().await;
        let shards = open.len();
        while all.len() < shards {
            let conn = self.connect().await;
            conn.ask(Ask::get("/health/live")).await.expect(200);
            let now = self.open_by_shard().await;
            let is_new = now.iter().zip(&open).any(|(now, before)| *before == 0 && *now == 1);
            if is_new {
                all.push(conn);
                open = now;
            } else {
                drop(conn);
                until("the surplus connection's end", async || (self.open_by_shard().await == open).then_some(()))
                    .await;
            }
        }
        all
    }

    async fn open_by_shard(&self) -> Vec<i64> {
        self.metrics().await.series("sigid_connections_open", &[]).map(|(_, value)| value).collect()
    }

    /// Shifts the clock that the server reads, and waits until tokens show it.
    pub async fn shift_clock(&self, seconds: i64) {
        fs::write(self.directory.join("clock"), seconds.to_string()).unwrap();
        let conn = self.connect().await;
        until_true("the shifted clock", async || {
            let issued = conn.ask(token(&client("service"), &[])).await.token();
            let (_, claims) = forge::read(&issued);
            (claims["iat"].as_i64().unwrap() - now_s() - seconds).abs() <= 2
        })
        .await;
    }

    pub fn signal(&self, name: &str) {
        let status = Command::new("kill").args([&format!("-{name}"), &self.pid().to_string()]).status().unwrap();
        assert!(status.success());
    }

    /// SIGTERM, and how it ended.
    pub async fn stop(&mut self) -> ExitStatus {
        self.signal("TERM");
        self.ended().await
    }

    pub async fn ended(&mut self) -> ExitStatus {
        until("the server's end", async || self.child.try_wait().unwrap()).await
    }

    pub fn out(&self) -> String {
        fs::read_to_string(self.directory.join("out")).unwrap()
    }

    pub fn log(&self) -> String {
        fs::read_to_string(self.directory.join("log")).unwrap()
    }

    /// The JSON lines of the log.
    pub fn log_lines(&self) -> Vec<Value> {
        self.log().lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }
}

pub fn spawn(directory: &Path, start: &Start) -> Child {
    let file = |name: &str| File::create(directory.join(name)).unwrap();
    let mut command = Command::new(PROGRAM);
    command.arg("serve").arg("-c").arg(directory.join("sigid.toml"));
    command.arg("--clock-offset-file").arg(directory.join("clock")).args(&start.arguments);
    command.env_clear().env("PATH", "/usr/bin:/bin").envs(start.environment.iter().map(|(name, value)| (name, value)));
    command.stdin(Stdio::null()).stdout(file("out")).stderr(file("log")).spawn().unwrap()
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        until_blocking("the killed server's end", || self.child.try_wait().unwrap());
        if std::thread::panicking() {
            eprintln!("--- log of the server on {} ---\n{}", self.address, self.log());
        }
    }
}
