//! Client snippets: each gets a token that the server then calls active.

use std::path::Path;

use serde_json::Value;

use super::page;
use super::program::{Trial, run};
use crate::support::ask::introspect;
use crate::support::place;
use crate::support::seed::{self, client};
use crate::support::server::{Server, Start};
use crate::support::settings::Settings;
use crate::support::site::Site;

pub const TRIALS: &[Trial] = &[
    Trial { file: "client.sh", probe: "curl --version | grep -q HTTP2", command: "sh client.sh" },
    Trial { file: "client.go", probe: "go version", command: "go run client.go" },
    Trial { file: "Client.java", probe: "javac --version && command -v keytool", command: JAVA },
    Trial { file: "http2.mjs", probe: "node --version", command: "node http2.mjs" },
    Trial { file: "openid-client.mjs", probe: OPENID_CLIENT, command: "node openid-client.mjs" },
    Trial { file: "fetch.mjs", probe: UNDICI, command: "node --import ./h2.mjs fetch.mjs" },
    Trial { file: "client.py", probe: "python3 -c 'import httpx, h2'", command: "python3 client.py" },
    Trial { file: "client.php", probe: "php -r 'curl_version();'", command: r#"php -d curl.cainfo="$CA" client.php"# },
    Trial { file: "client.rb", probe: "ruby -e 'require \"typhoeus\"'", command: "ruby client.rb" },
];

const JAVA: &str = r#"keytool -importcert -noprompt -file "$CA" -keystore ca.p12 -storepass changeit &&
    java -Djavax.net.ssl.trustStore=ca.p12 -Djavax.net.ssl.trustStorePassword=changeit Client.java"#;
const UNDICI: &str = "node --input-type=module -e 'import \"undici\"'";
const OPENID_CLIENT: &str = "node --input-type=module -e 'import \"undici\"; import \"openid-client\"'";

/// Runs a snippet as the page says it is run. Where it cannot be run, `roll` says so.
async fn check_gets_a_token(file: &str) {
    let trial = TRIALS.iter().find(|trial| trial.file == file).unwrap();
    let directory = place::directory("snippet");
    if let Some(lack) = trial.find_lack(&directory) {
        return eprintln!("{file} cannot run here: {lack}");
    }
    let site = Site::new().await;
    let issuer = format!("https://{}:{}", place::address(), place::port());
    let server = serve_named(&site, site.settings().text("oidc.issuer", &issuer), &place::address().to_string()).await;
    // The preload belongs to another snippet, which does without it by itself.
    for name in [file, "h2.mjs"] {
        std::fs::write(directory.join(name), page::file(name)).unwrap();
    }
    let (service, ca) = (client("service"), server.ca().display().to_string());
    let environment = [
        ("ISSUER", issuer.as_str()),
        ("CLIENT_ID", &service.id),
        ("CLIENT_SECRET", &service.secret),
        ("CA", &ca),
        ("CURL_CA_BUNDLE", &ca),
        ("SSL_CERT_FILE", &ca),
        ("NODE_EXTRA_CA_CERTS", &ca),
    ];
    let (code, out, err) = run(trial.command, &directory, &environment);
    assert_eq!(code, 0, "{file}: {out}\n{err}");
    // Compilers and keytool may say something before.
    let json = out.find('{').map_or("", |at| &out[at..]);
    let answer = serde_json::Deserializer::from_str(json).into_iter::<Value>().next();
    let answer = answer.unwrap_or_else(|| panic!("{file} printed no answer: {out}\n{err}")).unwrap();
    let token = answer["access_token"].as_str().unwrap_or_else(|| panic!("{file}: {answer}"));
    assert!(server.ask(introspect(&client("api"), token)).await.is_active(), "{file}: the token is live");
}

/// A server with these settings, on the port of its issuer where that names one, whose certificate is for `name`.
pub async fn serve_named(site: &Site, settings: Settings, name: &str) -> Server {
    let issuer = settings.find("oidc.issuer").to_owned();
    let port = issuer.rsplit_once(':').and_then(|(_, port)| port.parse::<u16>().ok());
    let settings = if let Some(port) = port { settings.set("server.port", port) } else { settings };
    let (directory, settings) = site.furnish(settings);
    write_certificate(&directory, name);
    let listen = format!("{}:{}", settings.find("server.host"), settings.find("server.port")).parse().unwrap();
    let metrics = settings.find("telemetry.metrics_listen").parse().unwrap();
    Server::start(directory, listen, metrics, issuer, &Start::default()).await
}

/// A certificate for `name`, a host or an address, and for localhost as the harness wants it, under the run's CA.
fn write_certificate(directory: &Path, name: &str) {
    let ca_key = std::fs::read_to_string(seed::shared_file("ca.key")).unwrap();
    let ca_key = rcgen::KeyPair::from_pem(&ca_key).unwrap();
    let mut ca_params = rcgen::CertificateParams::default();
    ca_params.distinguished_name.push(rcgen::DnType::CommonName, "SigID tests");
    let issuer = rcgen::Issuer::new(ca_params, ca_key);
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::new(["localhost".to_owned(), name.to_owned()]).unwrap();
    params.distinguished_name.push(rcgen::DnType::CommonName, name);
    std::fs::write(directory.join("server.key"), key.serialize_pem()).unwrap();
    std::fs::write(directory.join("server.pem"), params.signed_by(&key, &issuer).unwrap().pem()).unwrap();
}

#[tokio::test]
async fn curl_gets_a_token_by_the_pages_snippet() {
    check_gets_a_token("client.sh").await;
}

#[tokio::test]
async fn go_gets_a_token_by_the_pages_snippet() {
    check_gets_a_token("client.go").await;
}

#[tokio::test]
async fn java_gets_a_token_by_the_pages_snippet() {
    check_gets_a_token("Client.java").await;
}

#[tokio::test]
async fn nodes_own_http2_gets_a_token_by_the_pages_snippet() {
    check_gets_a_token("http2.mjs").await;
}

#[tokio::test]
async fn openid_client_gets_a_token_by_the_pages_snippet() {
    check_gets_a_token("openid-client.mjs").await;
}

#[tokio::test]
async fn plain_fetch_gets_a_token_behind_the_pages_preload() {
    check_gets_a_token("fetch.mjs").await;
}

#[tokio::test]
async fn httpx_gets_a_token_by_the_pages_snippet() {
    check_gets_a_token("client.py").await;
}

#[tokio::test]
async fn php_gets_a_token_by_the_pages_snippet() {
    check_gets_a_token("client.php").await;
}

#[tokio::test]
async fn typhoeus_gets_a_token_by_the_pages_snippet() {
    check_gets_a_token("client.rb").await;
}
