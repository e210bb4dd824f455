//! Proxy recipes: each lets clients of HTTP/1.1 and of HTTP/2 in, and tells SigID whose requests they are.
//!
//! The recipe is used as it stands on the page, but for addresses and file names; what surrounds it in a
//! distribution's configuration (modules, directories) stands here.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use serde_json::Value;

use super::program::{Trial, run, shell};
use super::{page, snippets};
use crate::support::place;
use crate::support::seed::client;
use crate::support::server::Server;
use crate::support::settings::Settings;
use crate::support::site::Site;
use crate::support::wait::{until, until_blocking};

pub const TRIALS: &[Trial] = &[
    Trial { file: "haproxy.cfg", probe: "haproxy -v", command: "exec haproxy -db -f haproxy.cfg" },
    Trial {
        file: "Caddyfile",
        probe: "caddy version",
        command: "exec caddy run --config Caddyfile --adapter caddyfile",
    },
    Trial { file: "apache.conf", probe: "apache2 -v", command: r#"exec apache2 -X -d "$PWD" -f apache.conf"# },
    Trial { file: "nginx.conf", probe: "nginx -v", command: r#"exec nginx -p "$PWD" -c nginx.conf -e error.log"# },
];

/// Requests of a token's life that the log tells of, which is all but introspection.
const LOGGED: usize = 4;

/// What stands before and after the recipe. PORT, ADDRESS and DIR are written in.
fn surroundings(file: &str) -> (&'static str, &'static str) {
    match file {
        "Caddyfile" => {
            ("{\n\tadmin off\n\tauto_https disable_redirects\n\tdefault_bind ADDRESS\n\thttps_port PORT\n}\n", "")
        }
        "apache.conf" => (APACHE, ""),
        "nginx.conf" => (NGINX, "}\n"),
        _ => ("", ""),
    }
}

const APACHE: &str = "
LoadModule mpm_event_module /usr/lib/apache2/modules/mod_mpm_event.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
LoadModule ssl_module /usr/lib/apache2/modules/mod_ssl.so
LoadModule http2_module /usr/lib/apache2/modules/mod_http2.so
LoadModule proxy_module /usr/lib/apache2/modules/mod_proxy.so
LoadModule proxy_http2_module /usr/lib/apache2/modules/mod_proxy_http2.so
ServerName localhost
DefaultRuntimeDir DIR
PidFile DIR/pid
ErrorLog DIR/error.log
User www-data
Group www-data
Listen ADDRESS:PORT
";
const NGINX: &str = "
daemon off;
master_process off;
pid DIR/pid;
events {}
http {
access_log off;
client_body_temp_path DIR;
proxy_temp_path DIR;
fastcgi_temp_path DIR;
uwsgi_temp_path DIR;
scgi_temp_path DIR;
";

/// Where the client of these tests comes from, so that it is neither the proxy nor SigID.
const CLIENT: &str = "127.200.0.9";
/// Instead of the page's: a server that is not in production has an issuer on this machine.
const HOST: &str = "auth.localhost";

async fn check_lets_clients_in(file: &str) {
    let trial = TRIALS.iter().find(|trial| trial.file == file).unwrap();
    let directory = place::directory("proxy");
    let lack = trial.find_lack(&directory).or_else(|| snippets::TRIALS[0].find_lack(&directory));
    if let Some(lack) = lack {
        return eprintln!("{file} cannot run here: {lack}");
    }
    let site = Site::new().await;
    let server = snippets::serve_named(&site, settings(&site), HOST).await;
    let proxy = Proxy::start(trial, &directory, &server).await;
    let versions = ["1.1", "2"];
    for version in versions {
        let visitor = Visitor { proxy: proxy.address, version, directory: directory.clone() };
        check_life_of_a_token(&visitor);
    }
    let told = until("the requests' lines in the log", async || {
        let lines = server.log_lines().into_iter().filter(|line| !line["route"].is_null());
        let lines: Vec<Value> = lines.collect();
        (lines.len() == versions.len() * LOGGED).then_some(lines)
    })
    .await;
    for line in told {
        assert_eq!(line["address"], CLIENT, "{line}");
    }
}

/// As the page has them, on the site's own port.
fn settings(site: &Site) -> Settings {
    let table: toml::Table = written("sigid.toml").replace("10.0.0.2", "127.0.0.1").parse().unwrap();
    let mut settings = site.settings();
    for (section, table) in &table {
        for (key, value) in table.as_table().unwrap() {
            if !["host", "port"].contains(&key.as_str()) {
                settings = settings.set(&format!("{section}.{key}"), value);
            }
        }
    }
    settings
}

/// A file of the page, for our host.
fn written(file: &str) -> String {
    page::file(file).replace("auth.example.com", HOST)
}

struct Proxy {
    child: Child,
    address: SocketAddr,
    directory: PathBuf,
}

impl Proxy {
    async fn start(trial: &Trial, directory: &Path, server: &Server) -> Self {
        let address = SocketAddr::from((place::address(), place::port()));
        furnish(trial.file, directory, server, address);
        let log = std::fs::File::create(directory.join("log")).unwrap();
        let data = directory.display().to_string();
        let mut command = shell(directory, &[("XDG_DATA_HOME", &data), ("XDG_CONFIG_HOME", &data)]);
        command.args(["sh", "-c", trial.command]).stdout(log.try_clone().unwrap()).stderr(log).stdin(Stdio::null());
        let mut proxy = Self { child: command.spawn().unwrap(), address, directory: directory.to_owned() };
        until("the proxy", async || {
            if let Some(status) = proxy.child.try_wait().unwrap() {
                panic!("the proxy ended with {status}");
            }
            tokio::net::TcpStream::connect(address).await.ok()
        })
        .await;
        proxy
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        until_blocking("the killed proxy's end", || self.child.try_wait().unwrap());
        if std::thread::panicking() {
            for name in ["log", "error.log"] {
                eprintln!("--- {name} ---\n{}", std::fs::read_to_string(self.directory.join(name)).unwrap_or_default());
            }
        }
    }
}

/// The configuration, the proxy's own certificate and the CA that it trusts.
fn furnish(file: &str, directory: &Path, server: &Server, address: SocketAddr) {
    let read = |path: &Path| std::fs::read_to_string(path).unwrap();
    let chain_and_key = read(&server.directory.join("server.pem")) + &read(&server.directory.join("server.key"));
    std::fs::write(directory.join(format!("{HOST}.pem")), chain_and_key).unwrap();
    std::fs::write(directory.join("sigid-ca.pem"), read(&server.ca())).unwrap();
    let shown = directory.display().to_string();
    let (before, after) = surroundings(file);
    let frame = |text: &str| {
        let port = address.port().to_string();
        text.replace("ADDRESS", &address.ip().to_string()).replace("PORT", &port).replace("DIR", &shown)
    };
    let recipe = written(file)
        .replace("bind :443", &format!("bind {address}"))
        .replace("*:443", &format!("*:{}", address.port()))
        .replace("listen 443", &format!("listen {address}"))
        .replace("10.0.0.7:8443", &server.address.to_string())
        .replace("/etc/ssl", &shown);
    std::fs::write(directory.join(file), frame(before) + &recipe + after).unwrap();
}

/// Somebody with curl at a distance.
struct Visitor {
    proxy: SocketAddr,
    version: &'static str,
    directory: PathBuf,
}

impl Visitor {
    /// The answer's status and body.
    fn post(&self, path: &str, caller: &str, form: &str, more: &str) -> (String, String) {
        let caller = client(caller);
        let (version, proxy) = (self.version, self.proxy);
        let flag = if version == "2" { "--http2" } else { "--http1.1" };
        let line = format!(
            "curl -sS {flag} --interface 'host!{CLIENT}' --connect-to {HOST}:443:{proxy} --cacert sigid-ca.pem {more} \
             -u {}:{} -d '{form}' -w '\\n%{{http_version}} %{{http_code}}' https://{HOST}{path}",
            caller.id, caller.secret
        );
        let (code, out, err) = run(&line, &self.directory, &[]);
        assert_eq!(code, 0, "{out}\n{err}");
        let (body, told) = out.rsplit_once('\n').unwrap();
        let status = told.strip_prefix(version).unwrap_or_else(|| panic!("not HTTP/{version}: {out}"));
        (status.trim().to_owned(), body.to_owned())
    }

    fn is_active(&self, token: &str) -> bool {
        let (status, body) = self.post("/oauth/introspect", "api", &format!("token={token}"), "");
        assert_eq!(status, "200", "{body}");
        let answer: Value = serde_json::from_str(&body).unwrap();
        answer["active"] == true
    }
}

fn check_life_of_a_token(visitor: &Visitor) {
    let (status, body) = visitor.post("/oauth/token", "service", "grant_type=client_credentials", "");
    assert_eq!(status, "200", "{body}");
    let answer: Value = serde_json::from_str(&body).unwrap();
    let token = answer["access_token"].as_str().unwrap();
    assert!(visitor.is_active(token), "a live token");
    let (status, body) = visitor.post("/oauth/revoke", "service", &format!("token={token}"), "");
    assert_eq!((status.as_str(), body.as_str()), ("200", ""), "revoked");
    assert!(!visitor.is_active(token), "a revoked token");
    // No Content-Length: chunks in HTTP/1.1, nothing in HTTP/2.
    let chunked = if visitor.version == "2" { "" } else { "-H 'transfer-encoding: chunked'" };
    let (status, body) = visitor.post("/oauth/token", "service", "grant_type=client_credentials", chunked);
    assert_eq!(status, "200", "{body}");
    let (status, body) = visitor.post("/oauth/token", "service", "grant_type=nonsense", "");
    assert_eq!(status, "400", "errors come through: {body}");
}

#[tokio::test]
async fn haproxy_lets_http1_and_http2_clients_in_by_the_pages_recipe() {
    check_lets_clients_in("haproxy.cfg").await;
}

#[tokio::test]
async fn caddy_lets_http1_and_http2_clients_in_by_the_pages_recipe() {
    check_lets_clients_in("Caddyfile").await;
}

#[tokio::test]
async fn apache_lets_http1_and_http2_clients_in_by_the_pages_recipe() {
    check_lets_clients_in("apache.conf").await;
}

#[tokio::test]
async fn nginx_lets_http1_and_http2_clients_in_by_the_pages_recipe() {
    check_lets_clients_in("nginx.conf").await;
}
