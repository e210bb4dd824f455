//! What a request says about itself counts for nothing: headers of proxies and gateways, of mutual TLS and of other
//! products. And a log that nobody reads.

use std::fs::OpenOptions;
use std::process::Command;

use super::{Honest, assert_alone, one_shard};
use crate::support::ask::{Ask, introspect, token};
use crate::support::seed::{Credential, client};
use crate::support::server::{Server, Start};
use crate::support::site::Site;

/// Headers that somewhere else make somebody of the sender, or something else of the request.
const CLAIMS: &[(&str, &str)] = &[
    ("x-auth-user", "admin"),
    ("x-auth-subject", "service"),
    ("x-auth-tenant", "two"),
    ("x-auth-request-user", "admin"),
    ("x-user", "admin"),
    ("x-remote-user", "admin"),
    ("remote-user", "admin"),
    ("x-forwarded-user", "admin"),
    ("x-forwarded-client-cert", "By=spiffe://one;Subject=\"CN=service\""),
    ("x-client-cert", "MIIB"),
    ("x-ssl-client-verify", "SUCCESS"),
    ("x-ssl-client-s-dn", "CN=service"),
    ("ssl-client-cert", "MIIB"),
    ("client-cert", ":MIIB:"),
    ("x-client-id", "service"),
    ("x-original-url", "/health/live"),
    ("x-rewrite-url", "/health/live"),
    ("x-original-method", "GET"),
    ("x-http-method-override", "GET"),
    ("x-method-override", "DELETE"),
    ("x-forwarded-host", "evil.example"),
    ("x-forwarded-proto", "http"),
    ("x-forwarded-prefix", "/admin"),
    ("forwarded", "for=127.0.0.1;host=evil.example;proto=http"),
    ("x-real-ip", "127.0.0.1"),
    ("true-client-ip", "127.0.0.1"),
    ("x-tenant-id", "two"),
    ("x-request-id", "chosen-by-the-client"),
    ("cookie", "session=admin"),
    ("early-data", "1"),
    ("expect", "100-continue"),
    ("range", "bytes=0-0"),
    ("accept-encoding", "gzip, br"),
    ("upgrade-insecure-requests", "1"),
];

#[tokio::test]
async fn what_a_request_claims_of_itself_changes_no_answer() {
    let site = Site::new().await;
    let server = site.serve_unbudgeted().await;
    let conn = server.connect().await;
    let (service, api) = (client("service"), client("api"));
    let issued = conn.ask(token(&service, &[])).await.token();
    let nobody = Credential { id: "service".into(), secret: "wrong".into() };
    let asks = || {
        [
            ("a good question", introspect(&api, &issued)),
            ("no credentials", Ask::post("/oauth/introspect").form(&[("token", &issued)])),
            ("wrong credentials", introspect(&nobody, &issued)),
            ("no credentials for a token", Ask::post("/oauth/token").form(&[("grant_type", "client_credentials")])),
            ("discovery", Ask::get("/.well-known/openid-configuration")),
            ("nowhere", Ask::get("/admin")),
        ]
    };
    for (reason, ask) in asks() {
        let plain = conn.ask(ask.clone()).await;
        let all = CLAIMS.iter().fold(ask.clone(), |ask, (name, value)| ask.header(name, value));
        let rows = CLAIMS.iter().map(|(name, value)| (*name, ask.clone().header(name, value))).chain([("all", all)]);
        for (name, ask) in rows {
            let reply = conn.ask(ask).await;
            assert_eq!((reply.status, &reply.body), (plain.status, &plain.body), "{reason}, {name}");
            let names = |reply: &crate::support::ask::Reply| {
                let mut names: Vec<String> = reply.headers.keys().map(ToString::to_string).collect();
                names.sort();
                names
            };
            assert_eq!(names(&reply), names(&plain), "{reason}, {name}: headers");
            for value in reply.headers.values() {
                let value = value.to_str().unwrap();
                let echoed = ["evil.example", "chosen-by-the-client", "spiffe", "MIIB"];
                assert!(!echoed.iter().any(|echoed| value.contains(echoed)), "{reason}, {name}: {value}");
            }
        }
    }
}

/// Standard error is a pipe whose reader has gone to sleep: the server answers on, and stops when told.
#[tokio::test]
async fn a_log_that_nobody_reads_stops_nothing() {
    const LINES: usize = 1_500;
    let site = Site::new().await;
    let (directory, settings) = site.furnish(one_shard(&site));
    let log = directory.join("log");
    assert!(Command::new("mkfifo").arg(&log).status().unwrap().success());
    // Open for both, so that neither side waits for the other to open it.
    let pipe = OpenOptions::new().read(true).write(true).open(&log).unwrap();
    let address = |host: &str, port: &str| format!("{}:{}", settings.find(host), settings.find(port)).parse().unwrap();
    let listen = address("server.host", "server.port");
    let metrics = settings.find("telemetry.metrics_listen").parse().unwrap();
    let mut server = Server::start(directory.clone(), listen, metrics, site.issuer.clone(), &Start::default()).await;
    // Whoever looks at the log from here on finds a file, not a pipe.
    std::fs::rename(&log, directory.join("pipe")).unwrap();
    std::fs::write(&log, "").unwrap();
    let honest = Honest::begin(&server).await;
    let conn = server.connect().await;
    // A line each, together far more than a pipe holds.
    for _ in 0..LINES {
        conn.ask(token(&client("service"), &[("scope", "unknown")])).await.expect(400);
    }
    honest.is_served().await;
    conn.ask(token(&client("service"), &[])).await.expect(200);
    drop(conn);
    assert_alone(&server).await;
    drop(honest);
    assert!(server.stop().await.success(), "and it stops, with a log that cannot be written");
    drop(pipe);
}
