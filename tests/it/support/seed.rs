//! What every test's database holds from the start: two tenants and a client of each kind, made once per run
//! through the command line, as an operator would.
//!
//! Tenant `one`: `service`, `poster`, `signer` and `narrow` get tokens by `client_credentials` (basic, post,
//! private_key_jwt; `narrow` has no resource), `api` and `other-api` are resource servers, `spa` is public. Tenant
//! `two`: `foreign` asks for the same resource, and `foreign-api` is a resource server of the same name.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::cluster::{APP, Cluster, OWNER, connect_in};
use super::forge::{Pair, thumb};
use super::server::Start;
use super::settings::Settings;
use super::wait::until_blocking;
use super::{cli, cluster, place};

pub const API: &str = "https://api.one.example";
pub const OTHER_API: &str = "https://other.one.example/v1";
/// The database that tests copy.
pub const TEMPLATE: &str = "seeded";

/// A client and what it authenticates with.
#[derive(Clone, Debug)]
pub struct Credential {
    pub id: String,
    /// Empty where there is none.
    pub secret: String,
}

/// The client of that name.
pub fn client(name: &str) -> Credential {
    let seeds: Value = serde_json::from_str(&fs::read_to_string(shared_file("seed.json")).unwrap()).unwrap();
    let seed = &seeds[name];
    assert!(seed.is_object(), "no seed is called {name}");
    let text = |member: &str| seed[member].as_str().unwrap_or_default().to_owned();
    Credential { id: text("client_id"), secret: text("client_secret") }
}

/// The key that `signer` registered, of an algorithm.
pub fn signer_key(alg: &str) -> Pair {
    Pair::load(alg, &fs::read(shared_file(&format!("signer.{alg}"))).unwrap())
}

pub fn shared_file(name: &str) -> PathBuf {
    cluster::shared().directory.join(name)
}

/// The settings of a server that needs nothing but a database.
pub fn settings(directory: &Path, url: &str, owner_url: &str) -> Settings {
    let file = |name: &str| directory.join(name).display().to_string();
    Settings::default()
        .text("server.transport", "tls_h2_only")
        .text("server.tls.cert_pem_path", file("server.pem"))
        .text("server.tls.key_pem_path", file("server.key"))
        .text("server.tls.ca_pem_path", file("ca.pem"))
        .text("database.url", url)
        .text("database.migration_url", owner_url)
        .set("database.max_connections", 6)
        .text("security.root_key_path", file("root.key"))
        .text("oidc.issuer", "https://localhost:8443")
        .text("telemetry.log_format", "json")
}

/// Keys and certificates of the run, and the template.
pub fn make(cluster: &Cluster) {
    let directory = &cluster.directory;
    make_certificates(directory);
    fs::write(directory.join("root.key"), "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=\n").unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    // A thread of its own: the caller may be inside a runtime.
    std::thread::scope(|scope| {
        let create = scope.spawn(|| {
            runtime.unwrap().block_on(async {
                let client = connect_in(cluster, "postgres", OWNER).await;
                client.batch_execute(&format!("create database {TEMPLATE}")).await.unwrap();
            });
        });
        create.join().unwrap();
    });
    let settings = settings(directory, &cluster.url(TEMPLATE, APP), &cluster.url(TEMPLATE, OWNER))
        .text("server.host", place::address().to_string())
        .text("telemetry.metrics_listen", format!("{}:9464", place::address()));
    let config = settings.write(directory);
    cli::run(&["migrate", "-c", config.to_str().unwrap()], &[]).expect(0);
    let seeds = make_clients(directory, &config);
    fs::write(directory.join("seed.json"), seeds.to_string()).unwrap();
    first_start(directory);
}

/// One start of a server, which leaves signing keys and the partitions of these days behind.
fn first_start(directory: &Path) {
    let mut child = super::server::spawn(directory, &Start::default());
    until_blocking("the first server", || {
        if let Some(status) = child.try_wait().unwrap() {
            let log = fs::read_to_string(directory.join("log")).unwrap();
            panic!("the first server ended with {status}:\n{log}");
        }
        has_partitions().then_some(())
    });
    let status = std::process::Command::new("kill").arg(child.id().to_string()).status().unwrap();
    assert!(status.success());
    until_blocking("the first server's end", || child.try_wait().unwrap());
}

/// Whether the first server has made the partitions, as its metrics tell.
fn has_partitions() -> bool {
    let Ok(mut socket) = TcpStream::connect((place::address(), 9464)) else { return false };
    let mut text = String::new();
    let asked = socket.write_all(b"GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n");
    asked.is_ok()
        && socket.read_to_string(&mut text).is_ok()
        && text.contains(r#"sigid_job_runs_total{job="partitions",outcome="ok"} 1"#)
}

fn make_clients(directory: &Path, config: &Path) -> Value {
    cli::admin(config, &["tenant", "create", "one"]).expect(0);
    cli::admin(config, &["tenant", "create", "two", "--name", "The other"]).expect(0);
    let keys: Vec<Value> = ["ES256", "EdDSA"]
        .map(|alg| {
            let (pair, pkcs8) = Pair::generate(alg);
            fs::write(directory.join(format!("signer.{alg}")), pkcs8).unwrap();
            pair.jwk(&thumb(&pair))
        })
        .to_vec();
    let keys = json!({ "keys": keys }).to_string();
    let asks = ["--grant-type", "client_credentials", "--scope", "read", "--scope", "write", "--resource", API];
    let more = ["--resource", OTHER_API];
    let method = |name: &'static str| ["--token-endpoint-auth-method", name];
    let serves = |audience: &'static str| ["--grant-type", "", "--audience", audience];
    let rows: Vec<(&str, &str, Vec<&str>)> = vec![
        ("service", "one", [&asks[..], &more].concat()),
        ("poster", "one", [&asks[..], &more, &method("client_secret_post")].concat()),
        ("signer", "one", [&asks[..], &more, &method("private_key_jwt"), &["--jwks", &keys]].concat()),
        ("narrow", "one", vec!["--grant-type", "client_credentials", "--scope", "read openid"]),
        ("api", "one", serves(API).to_vec()),
        ("other-api", "one", serves(OTHER_API).to_vec()),
        ("spa", "one", [&method("none")[..], &["--redirect-uri", "http://127.0.0.1:9091/callback"]].concat()),
        ("foreign", "two", asks.to_vec()),
        ("foreign-api", "two", serves(API).to_vec()),
    ];
    let mut seeds = serde_json::Map::new();
    for (name, tenant, flags) in rows {
        let mut arguments = vec!["client", "create", "--tenant", tenant, "--client-id", name];
        arguments.extend(flags);
        seeds.insert(name.to_owned(), cli::admin(config, &arguments).json());
    }
    Value::Object(seeds)
}

fn make_certificates(directory: &Path) {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::default();
    params.distinguished_name.push(rcgen::DnType::CommonName, "SigID tests");
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Constrained(0));
    fs::write(directory.join("ca.pem"), params.self_signed(&key).unwrap().pem()).unwrap();
    fs::write(directory.join("ca.key"), key.serialize_pem()).unwrap();
    write_certificate(directory, directory, "first");
}

/// A new certificate for localhost under the run's CA, into `directory`.
pub fn write_certificate(ca: &Path, directory: &Path, name: &str) {
    write_certificate_for(ca, directory, name, &["localhost"]);
}

/// The same for other hosts.
pub fn write_certificate_for(ca: &Path, directory: &Path, name: &str, hosts: &[&str]) {
    let ca_key = rcgen::KeyPair::from_pem(&fs::read_to_string(ca.join("ca.key")).unwrap()).unwrap();
    let mut ca_params = rcgen::CertificateParams::default();
    ca_params.distinguished_name.push(rcgen::DnType::CommonName, "SigID tests");
    let issuer = rcgen::Issuer::new(ca_params, ca_key);
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params =
        rcgen::CertificateParams::new(hosts.iter().map(|host| (*host).to_owned()).collect::<Vec<_>>()).unwrap();
    params.distinguished_name.push(rcgen::DnType::CommonName, name);
    fs::write(directory.join("server.key"), key.serialize_pem()).unwrap();
    fs::write(directory.join("server.pem"), params.signed_by(&key, &issuer).unwrap().pem()).unwrap();
}
