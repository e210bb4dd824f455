//! Broken files: each is answered by one line that names the key and the cure, and exit 78; all problems at once.

use crate::support::cli;
use crate::support::settings::Settings;
use crate::support::site::Site;

const EXIT_CONFIGURATION: i32 = 78;

type Change = Box<dyn Fn(Settings) -> Settings>;

/// What is changed in a good file, and the key that must be named for it.
fn rows() -> Vec<(&'static str, Change, &'static str)> {
    fn set(name: &'static str, value: &'static str) -> Change {
        Box::new(move |settings| settings.set(name, value))
    }
    fn without(name: &'static str) -> Change {
        Box::new(move |settings| settings.without(name))
    }
    vec![
        ("no transport", without("server.transport"), "server.transport"),
        ("another transport", set("server.transport", "\"plain\""), "server.transport"),
        ("no certificate", without("server.tls.cert_pem_path"), "server.tls.cert_pem_path"),
        ("no key", without("server.tls.key_pem_path"), "server.tls.key_pem_path"),
        (
            "a certificate that is not there",
            set("server.tls.cert_pem_path", "\"nowhere.pem\""),
            "server.tls.cert_pem_path",
        ),
        ("a key that is not there", set("server.tls.key_pem_path", "\"nowhere.key\""), "server.tls.key_pem_path"),
        ("a CA that is not there", set("server.tls.ca_pem_path", "\"nowhere.pem\""), "server.tls.ca_pem_path"),
        ("TLS 1.1", set("server.tls.min_version", "\"1.1\""), "server.tls.min_version"),
        ("a port that is text", set("server.port", "\"8443\""), "server.port"),
        ("a port too large", set("server.port", "70000"), "server.port"),
        ("a negative port", set("server.port", "-1"), "server.port"),
        ("a host that is none", set("server.host", "\"not a host\""), "server.host"),
        ("a public host", set("server.host", "\"0.0.0.0\""), "server.host"),
        ("too many shards", set("server.shards", "100000"), "server.shards"),
        ("no drain", set("server.drain_secs", "0"), "server.drain_secs"),
        ("half a second", set("server.drain_secs", "0.5"), "server.drain_secs"),
        ("no streams", set("server.streams_max", "0"), "server.streams_max"),
        ("tiny headers", set("server.header_list_bytes_max", "10"), "server.header_list_bytes_max"),
        ("a proxy that is no address", set("server.trusted_proxies", "[\"proxy\"]"), "server.trusted_proxies"),
        ("a prefix too long", set("server.trusted_proxies", "[\"10.0.0.0/33\"]"), "server.trusted_proxies"),
        ("a proxy that is no list", set("server.trusted_proxies", "\"10.0.0.1\""), "server.trusted_proxies"),
        ("a host with a path", set("server.allowed_hosts", "[\"a/b\"]"), "server.allowed_hosts"),
        (
            "an origin with a path",
            set("server.cors_allowed_origins", "[\"https://a.example/x\"]"),
            "server.cors_allowed_origins",
        ),
        ("an origin of all", set("server.cors_allowed_origins", "[\"*\"]"), "server.cors_allowed_origins"),
        ("no database", without("database.url"), "database.url"),
        ("a database URL that is none", set("database.url", "\"nonsense\""), "database.url"),
        ("no connections", set("database.max_connections", "0"), "database.max_connections"),
        ("more kept than allowed", set("database.min_connections", "50"), "database.min_connections"),
        ("a timeout as text", set("database.connect_timeout_secs", "\"5s\""), "database.connect_timeout_secs"),
        ("no root key", without("security.root_key_path"), "security.root_key_path"),
        ("a root key that is not there", set("security.root_key_path", "\"nowhere\""), "security.root_key_path"),
        ("a root key that is none", set("security.root_key_path", "\"ca.pem\""), "security.root_key_path"),
        ("production as text", set("security.production", "\"yes\""), "security.production"),
        ("no issuer", without("oidc.issuer"), "oidc.issuer"),
        ("an issuer without TLS", set("oidc.issuer", "\"http://localhost:8443\""), "oidc.issuer"),
        ("an issuer with a slash", set("oidc.issuer", "\"https://localhost:8443/\""), "oidc.issuer"),
        ("an issuer with a query", set("oidc.issuer", "\"https://localhost?x\""), "oidc.issuer"),
        ("a public issuer", set("oidc.issuer", "\"https://auth.example.com\""), "oidc.issuer"),
        (
            "a lifetime of codes too long",
            set("oidc.authorization_code_lifetime_secs", "9999"),
            "oidc.authorization_code_lifetime_secs",
        ),
        ("an algorithm that is none", set("jwt.default_algorithm", "\"RS256\""), "jwt.default_algorithm"),
        ("no lifetime", set("jwt.access_token_lifetime_human_secs", "0"), "jwt.access_token_lifetime_human_secs"),
        ("no rotation", set("jwt.key_rotation_days", "0"), "jwt.key_rotation_days"),
        ("no bound", set("edge.max_stale_ms", "0"), "edge.max_stale_ms"),
        ("a poll beyond the bound", set("edge.poll_ms", "2000"), "edge.poll_ms"),
        ("public metrics", set("telemetry.metrics_listen", "\"0.0.0.0:9464\""), "telemetry.metrics_listen"),
        ("a log format that is none", set("telemetry.log_format", "\"xml\""), "telemetry.log_format"),
        ("a log level that is none", set("telemetry.log_level", "\"loud\""), "telemetry.log_level"),
        ("a plane that is none", set("deployment.plane", "\"all\""), "deployment.plane"),
        ("a coordination that is none", set("deployment.coordination", "\"redis\""), "deployment.coordination"),
        ("memory that is none", set("auth.argon2_memory_kib", "64"), "auth.argon2_memory_kib"),
        (
            "minutes of a hash",
            set("auth.argon2_memory_kib", "1048576\nargon2_iterations = 64"),
            "auth.argon2_iterations",
        ),
        ("short passwords", set("auth.password_length_min", "4"), "auth.password_length_min"),
        (
            "a failure beyond the budget",
            set("auth.password_verify_ip_failure_cost", "1000"),
            "auth.password_verify_ip_failure_cost",
        ),
        ("a key that is none", set("server.colour", "\"blue\""), "server.colour"),
        ("a typing error", set("server.prot", "8443"), "server.prot"),
        ("a section that is none", set("sevrer.port", "8443"), "sevrer"),
        ("a section of later", set("phone.provider", "\"smtp\""), "phone"),
        ("another section of later", set("passkey.origin", "\"https://localhost\""), "passkey"),
        ("the key service of later", set("kms.socket_path", "\"/run/kms\""), "kms"),
    ]
}

#[tokio::test]
async fn each_broken_file_is_one_line_with_key_and_cure() {
    let site = Site::new().await;
    let mut wrong = Vec::new();
    for (reason, change, key) in rows() {
        let (directory, furnished) = site.furnish(site.settings());
        let config = change(furnished).write(&directory);
        let config = config.to_str().unwrap();
        let served = cli::run(&["serve", "-c", config], &[]);
        let lines: Vec<&str> = served.err.lines().collect();
        let line = lines.first().copied().unwrap_or_default();
        // What reaches beyond this machine is a matter of security.production, which names the culprit.
        let is_named = line.starts_with(key) || line.starts_with("security.production: ") && line.contains(key);
        let checked = cli::run(&["check", "-c", config], &[]);
        let is_right = served.code == EXIT_CONFIGURATION
            && lines.len() == 1
            && is_named
            && line.contains(": ")
            && line.contains("; ")
            && checked.code == EXIT_CONFIGURATION
            && checked.out.lines().next() == Some(line);
        if !is_right {
            wrong.push(format!(
                "{reason} ({key}): exit {}: {}\n  check: {}",
                served.code,
                served.err,
                checked.out.lines().next().unwrap_or_default()
            ));
        }
        for command in
            [&["migrate", "-c", config][..], &["health", "-c", config], &["admin", "-c", config, "tenant", "list"]]
        {
            let ended = cli::run(command, &[]);
            // `admin` is the control plane, whatever the file says of the node's.
            let is_its_business = !(command[0] == "admin" && key == "deployment.plane");
            if is_its_business && ended.code != EXIT_CONFIGURATION {
                wrong.push(format!("{reason}: {command:?}: exit {}", ended.code));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn all_problems_come_at_once() {
    let site = Site::new().await;
    let (directory, furnished) = site.furnish(site.settings());
    let settings = furnished
        .set("server.port", "\"x\"")
        .without("oidc.issuer")
        .set("jwt.key_rotation_days", 0)
        .set("edge.colour", 1)
        .set("phone.provider", "\"smtp\"");
    let config = settings.write(&directory);
    let ended = cli::run(&["serve", "-c", config.to_str().unwrap()], &[]);
    assert_eq!(ended.code, EXIT_CONFIGURATION);
    for key in ["server.port: ", "oidc.issuer: ", "jwt.key_rotation_days: ", "edge.colour: ", "phone"] {
        assert_eq!(ended.err.lines().filter(|line| line.starts_with(key)).count(), 1, "{key} in {}", ended.err);
    }
    let document = cli::run(&["check", "--json", "-c", config.to_str().unwrap()], &[]);
    assert_eq!(document.code, EXIT_CONFIGURATION);
    let document: serde_json::Value = serde_json::from_str(&document.out).unwrap();
    assert_eq!(document["problems"].as_array().unwrap().len(), ended.err.lines().count());
}

#[tokio::test]
async fn what_is_no_file_or_no_toml_says_so() {
    let site = Site::new().await;
    let (directory, _) = site.furnish(site.settings());
    let config = directory.join("sigid.toml");
    for (reason, text) in [
        ("no TOML", &b"[server\nport = 1"[..]),
        ("a key twice", b"[server]\nport = 1\nport = 2\n"),
        ("no text", b"\xff\xfe"),
    ] {
        std::fs::write(&config, text).unwrap();
        let ended = cli::run(&["serve", "-c", config.to_str().unwrap()], &[]);
        assert_eq!(ended.code, EXIT_CONFIGURATION, "{reason}: {}", ended.err);
        assert!(!ended.err.contains("panicked"), "{reason}: {}", ended.err);
    }
    std::fs::remove_file(&config).unwrap();
    let ended = cli::run(&["serve", "-c", config.to_str().unwrap()], &[]);
    assert_eq!(ended.code, EXIT_CONFIGURATION);
    assert!(ended.err.contains("sigid.toml"), "names the file: {}", ended.err);
}

#[tokio::test]
async fn a_good_file_is_checked_with_checklist_and_limits() {
    let site = Site::new().await;
    let (directory, _) = site.furnish(site.settings());
    let config = directory.join("sigid.toml");
    let out = cli::run(&["check", "-c", config.to_str().unwrap()], &[]).expect(0);
    for expected in
        ["Production checklist", "Limits", "server.streams_max", "server.header_list_bytes_max", "edge.max_stale_ms"]
    {
        assert!(out.contains(expected), "{expected} in {out}");
    }
    let document = cli::run(&["check", "--json", "-c", config.to_str().unwrap()], &[]).json();
    assert_eq!(document["ok"], true);
    assert!(document["checklist"].as_array().unwrap().len() >= 8, "{document}");
}

#[tokio::test]
async fn a_certificate_of_another_key_is_refused() {
    let site = Site::new().await;
    let (directory, _) = site.furnish(site.settings());
    let other = crate::support::place::directory("other");
    crate::support::seed::write_certificate(&crate::support::cluster::shared().directory, &other, "other");
    std::fs::copy(other.join("server.key"), directory.join("server.key")).unwrap();
    let ended = cli::run(&["serve", "-c", directory.join("sigid.toml").to_str().unwrap()], &[]);
    assert_eq!(ended.code, EXIT_CONFIGURATION, "{}", ended.err);
    assert!(ended.err.contains("server.tls"), "{}", ended.err);
}
