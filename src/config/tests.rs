//! Broken files, each with the line it must get; the environment; production; the example file.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::LazyLock;

use sigid_io::settings::Plane;

use super::production::Verdict::{self, Missing, NotInThisBuild as Later, Ok as Good};
use super::*;

/// A configuration as settings, so that a case is one changed line.
struct Draft(BTreeMap<String, BTreeMap<String, String>>);

impl Draft {
    /// The least that starts.
    fn local() -> Self {
        let mut draft = Self(BTreeMap::new());
        for line in [
            "server.transport = \"tls_h2_only\"",
            "server.tls.cert_pem_path = \"cert.pem\"",
            "server.tls.key_pem_path = \"key.pem\"",
            "database.url = \"postgres://sigid:hunter2@localhost/sigid\"",
            "security.root_key_path = \"root.key\"",
            "oidc.issuer = \"https://localhost:8443\"",
        ] {
            draft.change(line);
        }
        draft
    }

    /// The most that this build allows of production.
    fn production() -> Self {
        let mut draft = Self::local();
        for line in [
            "security.production = true",
            "server.trusted_proxies = []",
            "server.allowed_hosts = [\"auth.example.com\"]",
            "server.host = \"0.0.0.0\"",
            "database.url = \"postgres://sigid:hunter2@db.example.com/sigid\"",
            "database.require_ssl = true",
            "oidc.issuer = \"https://auth.example.com\"",
            "email.provider = \"smtp\"",
            "email.from_address = \"no-reply@example.com\"",
            "email.smtp.host = \"smtp.example.com\"",
        ] {
            draft.change(line);
        }
        draft
    }

    /// `section.key = value` writes a setting, `-section.key` removes it.
    fn change(&mut self, line: &str) {
        let (path, value) = line.split_once(" = ").unwrap_or((line, ""));
        let (section, key) = path.trim_start_matches('-').rsplit_once('.').unwrap();
        let section = self.0.entry(section.to_owned()).or_default();
        if line.starts_with('-') {
            section.remove(key);
        } else {
            section.insert(key.to_owned(), value.to_owned());
        }
    }

    fn with(mut self, lines: &[&str]) -> String {
        for line in lines.iter().filter(|line| !line.is_empty()) {
            self.change(line);
        }
        let section = |(name, keys): (&String, &BTreeMap<String, String>)| {
            let keys: Vec<String> = keys.iter().map(|(key, value)| format!("{key} = {value}\n")).collect();
            format!("[{name}]\n{}", keys.concat())
        };
        self.0.iter().map(section).collect()
    }
}

/// A certificate, long expired, which is no fault of the configuration; its key, and another key.
static PEM: LazyLock<[String; 3]> = LazyLock::new(|| {
    let [key, other] = [(); 2].map(|()| rcgen::KeyPair::generate().unwrap());
    let mut params = rcgen::CertificateParams::new(["localhost".to_owned()]).unwrap();
    params.not_before = rcgen::date_time_ymd(2000, 1, 1);
    params.not_after = rcgen::date_time_ymd(2001, 1, 1);
    [params.self_signed(&key).unwrap().pem(), key.serialize_pem(), other.serialize_pem()]
});

fn disk(path: &Path) -> io::Result<String> {
    let [certificate, key, other_key] = &*PEM;
    let text = match path.to_str().unwrap() {
        "/etc/sigid/cert.pem" | "/etc/sigid/ca.pem" | "/etc/sigid/server.pem" | "/etc/sigid/database-ca.pem" => {
            certificate
        }
        "/etc/sigid/key.pem" | "/etc/sigid/server.key" => key,
        "/etc/sigid/other.key" => other_key,
        "/etc/sigid/cut.pem" => "-----BEGIN CERTIFICATE-----\nMIIB\n",
        "/etc/sigid/noise.pem" => "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        "/etc/sigid/noise.key" => "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
        "/etc/sigid/locked.pem" => "-----BEGIN ENCRYPTED PRIVATE KEY-----\n",
        "/etc/sigid/root.key" | "/etc/sigid/shared.key" => "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n",
        "/etc/sigid/catalogs/en.ftl" => "login-button = Come in\n",
        "/etc/sigid/catalogs/de.ftl" => "login-button = Herein\n",
        "/etc/sigid/catalogs/fr.ftl" => "login-button = Entrez\n",
        "/etc/sigid/secret.pem" => return Err(io::ErrorKind::PermissionDenied.into()),
        _ => return Err(io::ErrorKind::NotFound.into()),
    };
    Ok(text.to_owned())
}

fn mode(path: &Path) -> Option<u32> {
    disk(path).ok().map(|_| if path.ends_with("shared.key") { 0o100_640 } else { 0o100_600 })
}

fn examine_with(text: &str, environment: &[(&str, &str)]) -> Examined {
    let find = |name: &str| environment.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
    let directory = Path::new("/etc/sigid");
    let world = World { file: "sigid.toml", directory, environment: &find, read_file: &disk, file_mode: &mode };
    examine(text, &world)
}

fn lines(text: &str, environment: &[(&str, &str)]) -> Vec<String> {
    examine_with(text, environment).problems.iter().map(ToString::to_string).collect()
}

fn good(text: &str, environment: &[(&str, &str)]) -> Config {
    let examined = examine_with(text, environment);
    assert_eq!(examined.problems.to_string(), "");
    examined.config.unwrap()
}

/// A changed setting, or two, and the one line that follows.
#[rustfmt::skip]
const BROKEN: &[(&[&str], &str)] = &[
    // [server]
    (&["-server.transport"], "server.transport: is missing; write transport = \"tls_h2_only\""),
    (&["server.transport = \"http\""], "server.transport: \"http\" is not a transport SigID has; use \"tls_h2_only\""),
    (&["server.port = 0"], "server.port: 0 is out of range; use 1 to 65535"),
    (&["server.port = 70000"], "server.port: 70000 is out of range; use 1 to 65535"),
    (&["server.port = \"8443\""], "server.port: is a string; write an integer from 1 to 65535, without quotes"),
    (&["server.prot = 8443"], "server.prot: is not a setting of [server]; did you mean \"port\"?"),
    (&["server.host = \"auth.example.com\""], "server.host: \"auth.example.com\" is not an IP address; use \"127.0.0.1\", \"::1\", \"0.0.0.0\" or \"::\""),
    (&["server.host = 1.5"], "server.host: is a fraction; write a string in quotes"),
    (&["server.base_domain = \"https://localhost\""], "server.base_domain: the value is not a domain in lower case; write it like \"example.com\""),
    (&["server.base_domain = \"\""], "server.base_domain: is empty; write a value, or leave the setting out"),
    (&["server.cors_allowed_origins = [\"*\"]"], "server.cors_allowed_origins: entry 1 does not begin with https:// or http://; write it like \"https://app.example.com\""),
    (&["server.cors_allowed_origins = [\"https://a.example/\"]"], "server.cors_allowed_origins: entry 1 ends with a slash; write it like \"https://app.example.com\""),
    (&["server.cors_allowed_origins = [\"https://a.example\", 5]"], "server.cors_allowed_origins: entry 2 is an integer; write an array of strings, such as [\"a\", \"b\"]"),
    (&["server.trusted_proxies = [\"10.0.0.0/33\"]"], "server.trusted_proxies: \"10.0.0.0/33\" is not an address or a range; write it like \"10.0.0.7\" or \"10.0.0.0/8\""),
    (&["server.trusted_proxies = [\"0.0.0.0/0\"]"], "server.trusted_proxies: \"0.0.0.0/0\" trusts every address; list only the proxies in front of this server"),
    (&["server.trusted_proxies = \"10.0.0.1\""], "server.trusted_proxies: is a string; write an array of strings, such as [\"a\", \"b\"]"),
    (&["server.trusted_proxies = [\"10.0.0.1\", \"10.0.0.1\"]"], "server.trusted_proxies: \"10.0.0.1\" is listed twice; list it once"),
    (&["server.allowed_hosts = [\"https://a.example\"]"], "server.allowed_hosts: entry 1 is not a host or host:port; write it like \"auth.example.com\", without a scheme"),
    (&["server.allowed_hosts = [\"a.example\", \"A.example\"]"], "server.allowed_hosts: \"A.example\" is listed twice; list it once"),
    (&["server.allowed_hosts = [\"localhost:443\", \"evil-localhost\"]"], "server.allowed_hosts: lacks the issuer's \"localhost:8443\", whose requests would all get 421; add \"localhost:8443\" to it"),
    (&["server.allowed_hosts = [\"auth.localhost\"]", "oidc.issuer = \"https://[::1]\""], "server.allowed_hosts: lacks the issuer's \"[::1]\", whose requests would all get 421; add \"[::1]\" to it"),
    (&["server.proxy_protocol = true"], "server.proxy_protocol: is true, but nobody is trusted to send the header; list the balancers in trusted_proxies, or set it to false"),
    (&["server.drain_secs = -1"], "server.drain_secs: -1 is out of range; use 1 to 3600"),
    (&["server.require_ssl = true"], "server.require_ssl: is not a setting of [server]; move it under [database]"),
    (&["server.zebra = true"], "server.zebra: is not a setting of [server]; remove it, sigid.example.toml lists every setting"),
    (&["server.tsl.min_version = \"1.2\""], "server.tsl: is not a setting of [server]; did you mean [server.tls]?"),
    // [server.tls]
    (&["-server.tls.cert_pem_path"], "server.tls.cert_pem_path: is missing; write cert_pem_path = \"server.pem\""),
    (&["server.tls.cert_pem_path = \"no.pem\""], "server.tls.cert_pem_path: \"no.pem\" cannot be read, there is no such file; name a file that this user may read"),
    (&["server.tls.cert_pem_path = \"key.pem\""], "server.tls.cert_pem_path: \"key.pem\" holds no certificate in PEM form; name a file with -----BEGIN CERTIFICATE-----"),
    (&["server.tls.key_pem_path = \"secret.pem\""], "server.tls.key_pem_path: \"secret.pem\" cannot be read, permission is denied; name a file that this user may read"),
    (&["server.tls.key_pem_path = \"cert.pem\""], "server.tls.key_pem_path: \"cert.pem\" holds no private key in PEM form; name a file with -----BEGIN PRIVATE KEY-----"),
    (&["server.tls.key_pem_path = \"locked.pem\""], "server.tls.key_pem_path: \"locked.pem\" is encrypted; name an unencrypted key that only this user may read"),
    (&["server.tls.key_pem_path = \"other.key\""], "server.tls.key_pem_path: \"other.key\" does not belong to the certificate of cert_pem_path; name the key that certificate was made for"),
    (&["server.tls.key_pem_path = \"noise.key\""], "server.tls.key_pem_path: \"noise.key\" holds a key that TLS cannot sign with; use an ECDSA P-256 or P-384, Ed25519 or RSA key"),
    (&["server.tls.cert_pem_path = \"noise.pem\""], "server.tls.cert_pem_path: \"noise.pem\" holds a certificate that cannot be read; name the file that the authority issued"),
    (&["server.tls.cert_pem_path = \"cut.pem\""], "server.tls.cert_pem_path: \"cut.pem\" holds a certificate that cannot be read; name the file that the authority issued"),
    (&["server.tls.ca_pem_path = \"no.pem\""], "server.tls.ca_pem_path: \"no.pem\" cannot be read, there is no such file; name a file that this user may read"),
    (&["server.tls.min_version = 1.2"], "server.tls.min_version: is a fraction; use \"1.3\" or \"1.2\""),
    (&["server.tls.min_version = \"1.1\""], "server.tls.min_version: \"1.1\" is not a TLS version SigID speaks; use \"1.3\" or \"1.2\""),
    (&["server.tls.cert_path = \"a\""], "server.tls.cert_path: is not a setting of [server.tls]; did you mean \"cert_pem_path\"?"),
    // [database]
    (&["-database.url"], "database.url: is missing, and so is identity_url, auth_url, control_url, async_url; write url = \"postgres://user:password@host/name\""),
    (&["database.url = \"mysql://u:hunter2@localhost/x\""], "database.url: does not begin with postgres://; write it like \"postgres://user:password@host:5432/name\""),
    (&["database.url = 5432"], "database.url: is an integer; write a string in quotes"),
    (&["database.auth_url = \"postgres://u:hunter2@localhost:99999/x\""], "database.auth_url: has no valid port; write it like \"postgres://user:password@host:5432/name\""),
    (&["database.migration_url = \"sigid\""], "database.migration_url: is neither a postgres:// URL nor name=value pairs; write it like \"postgres://user:password@host:5432/name\""),
    (&["database.control_url = \"postgres://u@localhost/x?sslmode=disable\"", "database.require_ssl = true"], "database.control_url: says sslmode=disable, against require_ssl = true; remove sslmode from it"),
    (&["database.max_connections = 0"], "database.max_connections: 0 is out of range; use 1 to 10000"),
    (&["database.max_connections = 2", "database.min_connections = 5"], "database.min_connections: 5 is more than max_connections, 2; use 2 or less"),
    (&["database.min_connections = 11"], "database.min_connections: 11 is more than max_connections, 10; use 10 or less"),
    (&["database.auth_pool.max_connections = 2", "database.auth_pool.min_connections = 3"], "database.auth_pool.min_connections: 3 is more than max_connections, 2; use 2 or less"),
    (&["database.async_pool.max_connections = 2", "database.min_connections = 3"], "database.async_pool.max_connections: 2 is less than min_connections, 3; use 3 or more"),
    (&["database.control_pool.min_connections = 1.5"], "database.control_pool.min_connections: is a fraction; write an integer from 0 to 10000, without quotes"),
    (&["database.authpool.max_connections = 2"], "database.authpool: is not a setting of [database]; did you mean [database.auth_pool]?"),
    (&["database.connect_timeout_secs = 0"], "database.connect_timeout_secs: 0 is out of range; use 1 to 300"),
    (&["database.require_ssl = \"yes\""], "database.require_ssl: is a string; write true or false, without quotes"),
    (&["database.ca_pem_path = \"no.pem\""], "database.ca_pem_path: \"no.pem\" cannot be read, there is no such file; name a file that this user may read"),
    // [security]
    (&["security.production = \"true\""], "security.production: is a string; write true or false, without quotes"),
    (&["-security.root_key_path"], "security.root_key_path: is missing; write root_key_path = \"root.key\", a file made with: openssl rand -base64 32"),
    (&["security.root_key_path = \"cert.pem\""], "security.root_key_path: \"cert.pem\" does not hold 32 bytes in base64; make one with: openssl rand -base64 32"),
    (&["security.webhook_allow_non_standard_ports = 1"], "security.webhook_allow_non_standard_ports: is an integer; write true or false, without quotes"),
    // [jwt]
    (&["jwt.default_algorithm = \"HS256\""], "jwt.default_algorithm: \"HS256\" is not an algorithm SigID signs with; use \"ES256\" or \"EdDSA\""),
    (&["jwt.access_token_lifetime_human_secs = 0"], "jwt.access_token_lifetime_human_secs: 0 is out of range; use 1 to 86400"),
    (&["jwt.refresh_token_lifetime_agent_secs = 299"], "jwt.refresh_token_lifetime_agent_secs: 299 is shorter than access_token_lifetime_agent_secs, 300; use 300 or more"),
    (&["jwt.key_rotation_days = 366"], "jwt.key_rotation_days: 366 is out of range; use 1 to 365"),
    (&["jwt.access_token_lifetime_secs = 5"], "jwt.access_token_lifetime_secs: is not a setting of [jwt]; did you mean \"access_token_lifetime_human_secs\"?"),
    // [oidc]
    (&["-oidc.issuer"], "oidc.issuer: is missing; write issuer = \"https://localhost:8443\""),
    (&["oidc.issuer = \"http://localhost:8443\""], "oidc.issuer: does not use https, which transport = \"tls_h2_only\" speaks; write it like \"https://auth.example.com\" or \"https://localhost:8443\""),
    (&["oidc.issuer = \"https://localhost:8443/\""], "oidc.issuer: ends with a slash; write it like \"https://auth.example.com\" or \"https://localhost:8443\""),
    (&["oidc.issuer = \"https://localhost:8443/a\""], "oidc.issuer: has a path; write it like \"https://auth.example.com\" or \"https://localhost:8443\""),
    (&["oidc.issuer = \"https://localhost?a=b\""], "oidc.issuer: has a query; write it like \"https://auth.example.com\" or \"https://localhost:8443\""),
    (&["oidc.issuer = \"https://u:hunter2@localhost\""], "oidc.issuer: names a user; write it like \"https://auth.example.com\" or \"https://localhost:8443\""),
    (&["oidc.issuer = \"localhost\""], "oidc.issuer: does not begin with https:// or http://; write it like \"https://auth.example.com\" or \"https://localhost:8443\""),
    (&["oidc.authorization_code_lifetime_secs = 601"], "oidc.authorization_code_lifetime_secs: 601 is out of range; use 1 to 600"),
    // [edge]
    (&["edge.max_stale_ms = 50"], "edge.max_stale_ms: 50 is out of range; use 100 to 60000"),
    (&["edge.poll_ms = 1500"], "edge.poll_ms: 1500 is more than half of max_stale_ms, 2000; use 1000 or less"),
    (&["edge.cold_queue_max = []"], "edge.cold_queue_max: is an array; write an integer from 1 to 1000000, without quotes"),
    // [telemetry]
    (&["telemetry.metrics_listen = \"9464\""], "telemetry.metrics_listen: \"9464\" is not an IP address with a port; write it like \"127.0.0.1:9464\""),
    (&["telemetry.metrics_listen = \"0.0.0.0:9464\""], "telemetry.metrics_listen: \"0.0.0.0:9464\" is reached from other machines; use a loopback address, or set metrics_public = true"),
    (&["telemetry.log_format = \"xml\""], "telemetry.log_format: \"xml\" is not a log format; use \"human\" or \"json\""),
    (&["telemetry.log_level = 1979-05-27"], "telemetry.log_level: is a date; use \"error\", \"warn\", \"info\" or \"debug\""),
    // [deployment]
    (&["deployment.coordination = \"redis\""], "deployment.coordination: \"redis\" is not in this build; use \"postgres\" or \"local\""),
    (&["deployment.plane = \"web\""], "deployment.plane: \"web\" is not a runtime plane; use \"auth\", \"control\" or \"async\""),
    (&["deployment.node_name = \"a b\""], "deployment.node_name: is not a name of that form; use up to 64 letters, digits, dots, dashes and underscores"),
    // [email]
    (&["email.provider = \"pigeon\""], "email.provider: \"pigeon\" is not a mail provider; use \"smtp\" or \"http_api\""),
    (&["email.smtp.ca_pem_path = \"gone.pem\""], "email.smtp.ca_pem_path: \"gone.pem\" cannot be read, there is no such file; name a file that this user may read"),
    // Other sections
    (&["social.enabled = true"], "social: the section belongs to a feature that is not in this build; remove it"),
    (&["sms.provider = \"a\""], "sms: the section belongs to a feature that is not in this build; remove it"),
    (&["kms.socket_path = \"a\""], "kms: the section belongs to a feature that is not in this build; remove it"),
    (&["sever.port = 1"], "sever: is not a section SigID knows; did you mean [server]?"),
    (&["zebra.port = 1"], "zebra: is not a section SigID knows; remove it"),
    // Beyond this machine
    (&["server.host = \"0.0.0.0\""], "security.production: is not true, yet this reaches beyond this machine: server.host; set production = true, or use only loopback addresses and localhost"),
    (&["oidc.issuer = \"https://auth.example.com\""], "security.production: is not true, yet this reaches beyond this machine: oidc.issuer; set production = true, or use only loopback addresses and localhost"),
    (&["database.url = \"postgres://u:hunter2@10.0.0.5/x\""], "security.production: is not true, yet this reaches beyond this machine: database.url; set production = true, or use only loopback addresses and localhost"),
    (&["database.maintenance_url = \"host=db.example.com password=hunter2\""], "security.production: is not true, yet this reaches beyond this machine: database.maintenance_url; set production = true, or use only loopback addresses and localhost"),
];

#[test]
fn each_broken_file_gets_its_one_line() {
    for (changes, expected) in BROKEN {
        let got = lines(&Draft::local().with(changes), &[]);
        assert_eq!(got, [*expected], "{changes:?}");
    }
    assert!(BROKEN.len() >= 40);
}

#[test]
fn each_line_has_a_key_a_problem_and_a_cure_and_no_password() {
    for (changes, _) in BROKEN {
        for line in lines(&Draft::local().with(changes), &[]) {
            assert!(!line.contains("hunter2") && !line.contains('\n'), "{line}");
            let (key, rest) = line.split_once(": ").unwrap();
            assert!(!key.contains(' ') && rest.contains("; "), "{line}");
        }
    }
}

#[test]
fn what_is_not_toml_is_one_line_with_its_place() {
    let place = [
        ("[server\nport = 1\n", "sigid.toml: line 1, column 8 is not TOML, "),
        ("[server]\nport 8443\n", "sigid.toml: line 2, column 6 is not TOML, "),
        ("[server]\nhost = \"a\n", "sigid.toml: line 2, column 10 is not TOML, "),
        ("[database]\nurl = postgres://u:hunter2@h/x\n", "sigid.toml: line 2, column 7 is not TOML, "),
        ("[server]\nport = 1\nport = 2\n", "sigid.toml: line 3, column 1 is not TOML, "),
        ("[a]\n[a]\n", "sigid.toml: line 2, column 2 is not TOML, "),
    ];
    for (text, start) in place {
        let got = lines(text, &[]);
        assert_eq!(got.len(), 1, "{got:?}");
        assert!(got[0].starts_with(start) && !got[0].contains("hunter2"), "{got:?}");
    }
}

#[test]
fn a_section_of_the_wrong_shape_is_named() {
    let rest = Draft::local().with(&[]);
    let cases = [
        ("edge = 5\n", "edge: is an integer; write it once, as the section [edge]"),
        ("edge = [{}]\n", "edge: is an array of sections; write it once, as the section [edge]"),
        ("poll_ms = 5\n", "poll_ms: stands outside every section; move it under [edge]"),
        ("chains = [{}]\n", "chains: the section belongs to a feature that is not in this build; remove it"),
    ];
    for (head, expected) in cases {
        assert_eq!(lines(&format!("{head}{rest}"), &[]), [expected]);
    }
}

#[test]
fn every_section_of_the_reference_is_known() {
    assert!(raw::LATER.is_sorted());
    for section in raw::LATER {
        let expected = format!("{section}: the section belongs to a feature that is not in this build; remove it");
        assert_eq!(lines(&Draft::local().with(&[&format!("{section}.x = 1")]), &[]), [expected]);
    }
}

#[test]
fn all_problems_come_at_once() {
    let got = lines("[server]\nport = 0\nhots = \"a\"\n[jwt]\ndefault_algorithm = \"none\"\n[scim]\n", &[]);
    let keys: Vec<&str> = got.iter().filter_map(|line| line.split(": ").next()).collect();
    let expected = [
        "scim",
        "server.hots",
        "server.port",
        "server.transport",
        "server.tls.cert_pem_path",
        "server.tls.key_pem_path",
        "oidc.issuer",
        "jwt.default_algorithm",
        "database.url",
        "security.root_key_path",
    ];
    assert_eq!(keys, expected);
}

#[test]
fn the_least_file_gives_the_defaults() {
    let config = good(&Draft::local().with(&[]), &[]);
    assert_eq!((config.server.host.to_string().as_str(), config.server.port), ("127.0.0.1", 8443));
    assert_eq!(config.server.tls.cert_pem_path, Path::new("/etc/sigid/cert.pem"));
    assert!(!config.server.tls.tls12 && config.server.share_port && !config.server.proxy_protocol);
    assert_eq!(config.server.limits.connections_max, 20_000);
    assert_eq!(config.server.drain.as_secs(), 30);
    assert_eq!(config.base_domain, "localhost");
    assert_eq!(config.oidc.issuer, "https://localhost:8443");
    assert_eq!(config.jwt.access_token_lifetime_max_secs(), 900);
    assert_eq!(config.edge.max_stale.as_millis(), 2000);
    assert_eq!(config.telemetry.metrics_listen.to_string(), "127.0.0.1:9464");
    assert_eq!(config.telemetry.log_format, LogFormat::Json);
    assert_eq!(config.deployment.coordination, Coordination::Postgres);
    assert_eq!(config.deployment.planes(), Plane::ALL);
    assert_eq!(config.database.pg.target(Plane::Async).url, "postgres://sigid:hunter2@localhost/sigid");
}

#[test]
fn written_values_arrive() {
    let config = good(
        &Draft::local().with(&[
            "server.host = \"localhost\"",
            "server.allowed_hosts = [\"Auth.Localhost:443\", \"localhost\"]",
            "server.trusted_proxies = [\"10.0.0.0/8\"]",
            "server.proxy_protocol = true",
            "server.tls.min_version = \"1.2\"",
            "jwt.default_algorithm = \"EdDSA\"",
            "telemetry.metrics_listen = \"0.0.0.0:1\"",
            "telemetry.metrics_public = true",
            "telemetry.log_level = \"warn\"",
            "deployment.coordination = \"local\"",
            "deployment.node_name = \"a-1\"",
            "edge.poll_ms = 100",
        ]),
        &[],
    );
    assert_eq!(config.server.allowed_hosts, ["auth.localhost:443", "localhost"]);
    assert!(config.server.trusted_proxies[0].contains("10.1.2.3".parse().unwrap()));
    assert!(config.server.tls.tls12 && config.server.proxy_protocol);
    assert_eq!(config.jwt.default_algorithm.as_str(), "EdDSA");
    assert_eq!(config.telemetry.log_level.as_str(), "warn");
    assert_eq!(config.deployment.coordination, Coordination::Local);
    assert_eq!(config.deployment.node_name.as_deref(), Some("a-1"));
    assert_eq!(config.edge.poll.as_millis(), 100);
}

#[test]
fn each_database_variable_overrides_the_file() {
    let written = Draft::local().with(&[
        "database.identity_url = \"host=localhost dbname=file\"",
        "database.auth_url = \"host=localhost dbname=file\"",
        "database.control_url = \"host=localhost dbname=file\"",
        "database.async_url = \"host=localhost dbname=file\"",
        "database.maintenance_url = \"host=localhost dbname=file\"",
        "database.migration_url = 5",
    ]);
    let names = [
        "DATABASE_IDENTITY_URL",
        "DATABASE_AUTH_URL",
        "DATABASE_CONTROL_URL",
        "DATABASE_ASYNC_URL",
        "MAINTENANCE_DATABASE_URL",
        "MIGRATION_DATABASE_URL",
    ];
    let urls = names.map(|name| format!("host=localhost dbname={name}"));
    let environment: Vec<(&str, &str)> = names.into_iter().zip(urls.iter().map(String::as_str)).collect();
    let database = good(&written, &environment).database;
    let planes = Plane::ALL.map(|plane| database.pg.target(plane).url.clone());
    assert_eq!(planes, urls[..4]);
    assert_eq!([database.maintenance_url.unwrap(), database.migration_url.unwrap()], urls[4..]);

    let path = ["identity_url", "auth_url", "control_url", "async_url", "maintenance_url", "migration_url"];
    for (name, key) in names.into_iter().zip(path) {
        let got = lines(&Draft::local().with(&[]), &[(name, "mysql://u:hunter2@h/x")]);
        let start = format!("database.{key}: does not begin with postgres:// (from {name}); ");
        assert!(got.len() == 1 && got[0].starts_with(&start), "{got:?}");
        let remote = lines(&Draft::local().with(&[]), &[(name, "postgres://u:hunter2@db.example.com/x")]);
        assert!(
            remote.len() == 1 && remote[0].contains(&format!("beyond this machine: database.{key};")),
            "{remote:?}"
        );
    }
}

#[test]
fn the_runtime_plane_comes_from_the_environment() {
    let written = Draft::local().with(&["deployment.plane = \"async\""]);
    assert_eq!(good(&written, &[]).deployment.plane, Some(Plane::Async));
    assert_eq!(good(&written, &[("SIGID_RUNTIME_PLANE", "")]).deployment.plane, Some(Plane::Async));
    for (name, plane) in [("auth", Plane::Auth), ("control", Plane::Control), ("async", Plane::Async)] {
        let deployment = good(&written, &[("SIGID_RUNTIME_PLANE", name)]).deployment;
        assert_eq!(deployment.planes(), [Plane::Identity, plane]);
    }
    let expected = "deployment.plane: \"web\" is not a runtime plane (from SIGID_RUNTIME_PLANE); use \"auth\", \"control\" or \"async\"";
    assert_eq!(lines(&written, &[("SIGID_RUNTIME_PLANE", "web")]), [expected]);
}

#[test]
fn a_pool_section_counts_in_its_own_plane_only() {
    let written = Draft::local().with(&[
        "database.max_connections = 20",
        "database.auth_pool.max_connections = 7",
        "database.control_pool.min_connections = 3",
        "database.async_pool.max_connections = 5",
        "database.async_pool.min_connections = 5",
    ]);
    let cases = [(None, (20, 1)), (Some("auth"), (7, 1)), (Some("control"), (20, 3)), (Some("async"), (5, 5))];
    for (plane, sizes) in cases {
        let environment: Vec<(&str, &str)> = plane.map(|plane| ("SIGID_RUNTIME_PLANE", plane)).into_iter().collect();
        let pg = good(&written, &environment).database.pg;
        for target in [&pg.identity, &pg.auth, &pg.control, &pg.async_] {
            assert_eq!((target.max_connections, target.min_connections), sizes, "{plane:?}");
        }
    }
}

#[test]
fn url_may_be_absent_where_every_needed_plane_has_its_own() {
    let own = ["-database.url", "database.identity_url = \"host=localhost\"", "database.auth_url = \"host=::1\""];
    let text = Draft::local().with(&own);
    let config = good(&text, &[("SIGID_RUNTIME_PLANE", "auth")]);
    assert_eq!(config.database.pg.target(Plane::Auth).url, "host=::1");
    let expected = "database.url: is missing, and so is control_url, async_url; write url = \"postgres://user:password@host/name\"";
    assert_eq!(lines(&text, &[]), [expected]);
    let both = [("DATABASE_CONTROL_URL", "host=localhost"), ("DATABASE_ASYNC_URL", "host=localhost")];
    good(&text, &both);
}

#[test]
fn production_ends_with_the_key_service_alone_when_all_else_is_there() {
    let kms = "kms: production needs the key service, and [kms] is not in this build; set security.production = false and stay on localhost until a build has it";
    assert_eq!(lines(&Draft::production().with(&[]), &[]), [kms]);
    assert_eq!(lines(&Draft::production().with(&["kms.socket_path = \"a\""]), &[]), [kms]);
    assert_eq!(lines(&Draft::production().with(&["-security.root_key_path"]), &[]), [kms]);
}

#[test]
fn the_issuer_is_allowed_with_or_without_its_port() {
    for hosts in ["[]", "[\"localhost\"]", "[\"LOCALHOST:8443\"]", "[\"other.example\", \"localhost:8443\"]"] {
        assert_eq!(lines(&Draft::local().with(&[&format!("server.allowed_hosts = {hosts}")]), &[]), [""; 0], "{hosts}");
    }
    let v6 = ["server.allowed_hosts = [\"[::1]\"]", "oidc.issuer = \"https://[::1]:8443\""];
    assert_eq!(lines(&Draft::local().with(&v6), &[]), [""; 0]);
}

#[test]
fn a_mark_is_kept_past_the_longest_access_token_that_can_be_configured() {
    let longest = |key: &sigid_core::settings::Key| match key.kind {
        sigid_core::settings::Kind::Integer { max, .. } if key.name.starts_with("access_token_lifetime") => Some(max),
        _ => None,
    };
    let accepted_s = sigid_oidc::config::JWT_SECTION.keys.iter().filter_map(longest).max().unwrap();
    assert_eq!(sigid_tenant::MARK_LIFE_MIN_S, accepted_s);
    assert_eq!(sigid_oidc::keys::model::TOKEN_LIFE_MIN_S, accepted_s);
}

#[test]
fn a_root_key_that_others_read_is_noted_and_in_production_refused() {
    let shared = ["security.root_key_path = \"shared.key\""];
    let expected = "security.root_key_path: \"shared.key\" can be read by others than its owner; take their rights away with: chmod 600";
    assert!(lines(&Draft::production().with(&shared), &[]).contains(&expected.to_owned()));
    let local = examine_with(&Draft::local().with(&shared), &[]);
    assert_eq!(local.problems.to_string(), "", "development lives with it");
    assert_eq!(local.checklist.last().map(|item| item.verdict), Some(Missing));
}

#[test]
fn production_names_every_missing_companion() {
    let cases: [(&[&str], &str); 9] = [
        (
            &["-server.trusted_proxies"],
            "server.trusted_proxies: is missing, which production wants written; list the proxies in front, or write trusted_proxies = [] where there is none",
        ),
        (
            &["-server.allowed_hosts"],
            "server.allowed_hosts: is empty, which in production answers any Host header; list the hosts this server answers for, such as [\"auth.example.com\"]",
        ),
        (
            &["server.allowed_hosts = []"],
            "server.allowed_hosts: is empty, which in production answers any Host header; list the hosts this server answers for, such as [\"auth.example.com\"]",
        ),
        (&["-server.tls.cert_pem_path"], "server.tls.cert_pem_path: is missing; write cert_pem_path = \"server.pem\""),
        (&["-server.tls.key_pem_path"], "server.tls.key_pem_path: is missing; write key_pem_path = \"server.key\""),
        (
            &["-database.require_ssl"],
            "database.require_ssl: is not true, which production wants; set require_ssl = true",
        ),
        (
            &["security.webhook_allow_non_standard_ports = true"],
            "security.webhook_allow_non_standard_ports: is true, which production refuses; set it to false",
        ),
        (
            &["-email.provider"],
            "email.provider: is missing, which production wants; set provider = \"smtp\" or \"http_api\", with its section",
        ),
        (
            &["server.base_domain = \"example.org\""],
            "server.base_domain: \"example.org\" is not the issuer's host or a domain above it; use \"auth.example.com\" or a domain above it",
        ),
    ];
    for (changes, expected) in cases {
        let got = lines(&Draft::production().with(changes), &[]);
        assert!(got.len() == 2 && got.contains(&expected.to_owned()), "{got:?}");
    }
    let all: Vec<&str> = cases.iter().flat_map(|(changes, _)| changes.iter().copied()).collect();
    let got = lines(&Draft::production().with(&all), &[]);
    assert_eq!(got.len(), 9, "{got:?}");
}

#[test]
fn the_checklist_follows_the_configuration() {
    let verdicts =
        |text: &str| -> Vec<Verdict> { examine_with(text, &[]).checklist.iter().map(|item| item.verdict).collect() };
    let all = [Good, Later, Good, Good, Good, Good, Good, Good, Later, Later, Good, Good, Good];
    assert_eq!(verdicts(&Draft::production().with(&[])), all);
    let local = [Missing, Later, Good, Good, Missing, Missing, Missing, Good, Later, Later, Good, Missing, Good];
    assert_eq!(verdicts(&Draft::local().with(&[])), local);
}

#[test]
fn the_limits_list_what_is_set_and_what_is_fixed() {
    let limits = examine_with(&Draft::local().with(&["server.streams_max = 99"]), &[]).limits;
    let value = |name: &str| limits.iter().find(|limit| limit.name == name).map(|limit| limit.value);
    assert_eq!(value("server.streams_max"), Some(99));
    assert_eq!(value("edge.cold_queue_max"), Some(1024));
    assert_eq!(value("fixed.form_fields_max"), Some(64));
    assert_eq!(value("server.port"), None);
}

#[test]
fn the_example_is_checked_in_as_generated() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/sigid.example.toml");
    if option_env_at_run("SIGID_BLESS") {
        std::fs::write(path, example()).unwrap();
    }
    let checked_in = std::fs::read_to_string(path).unwrap_or_default();
    assert!(checked_in == example(), "run the test again with SIGID_BLESS=1");
}

#[expect(clippy::disallowed_methods, reason = "blessing is asked for in the environment of the test run")]
fn option_env_at_run(name: &str) -> bool {
    std::env::var_os(name).is_some()
}

#[test]
fn the_example_starts_and_uncommented_gives_the_same_defaults() {
    let commented = example();
    let bare = |line: &str| {
        let setting = line.strip_prefix('#').filter(|rest| rest.starts_with(|c: char| c.is_ascii_lowercase()));
        setting.unwrap_or(line).to_owned() + "\n"
    };
    let uncommented: String = commented.lines().map(bare).collect();
    let setting = |section: &Section, key: &sigid_core::settings::Key| format!("{}.{}", section.name, key.name);
    let examined = [examine_with(&commented, &[]), examine_with(&uncommented, &[])];
    for examined in &examined {
        assert_eq!(examined.problems.to_string(), "");
    }
    let limits = |examined: &Examined| -> BTreeMap<String, i64> {
        examined.limits.iter().map(|limit| (limit.name.clone(), limit.value)).collect()
    };
    let (first, second) = (limits(&examined[0]), limits(&examined[1]));
    assert!(first.iter().all(|(name, value)| second.get(name) == Some(value)));
    for section in SECTIONS {
        for key in section.keys {
            let shown =
                commented.lines().filter(|line| line.trim_start_matches('#').starts_with(&format!("{} = ", key.name)));
            assert!(shown.count() >= 1, "{}", setting(section, key));
        }
    }
}
