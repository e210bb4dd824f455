//! `[server]` and `[server.tls]`: the listener, whom it believes, and the limits of a connection.

use std::net::IpAddr;
use std::time::Duration;

use sigid_core::settings::{
    Key, Kind, Origin, Problems, Section, Standard, Values, is_host_name, is_local_host, shown,
};
use sigid_io::settings::{ConnectionLimits, Network, ServerSettings, TlsSettings};
use sigid_io::tls::{PairFault, check_pair};

use super::files::{self, Files};

pub static SECTION: Section = Section {
    name: "server",
    doc: "The listener.",
    keys: &[
        Key::new("host", Kind::Text, Standard::Text("127.0.0.1"), "Listen address: an IP address, or localhost."),
        Key::new("port", Kind::Port, Standard::Integer(8443), "Listen port."),
        Key::new(
            "transport",
            Kind::Word { meaning: "a transport SigID has", words: &["tls_h2_only"] },
            Standard::Required("\"tls_h2_only\""),
            "\"tls_h2_only\": TLS ends in this process, and the client must speak h2.",
        ),
        Key::new(
            "base_domain",
            Kind::Text,
            Standard::Absent("\"localhost\""),
            "The domain of edge cookies: the issuer's host or a domain above it. Without it, the issuer's host.",
        ),
        Key::list(
            "cors_allowed_origins",
            "Origins whose pages may call the token endpoint; empty means the issuer's origin.",
        ),
        Key::list(
            "trusted_proxies",
            "Addresses and ranges allowed to send X-Forwarded-For. Production wants it written, if only as [].",
        ),
        Key::list(
            "allowed_hosts",
            "Host headers that are answered, as host or host:port; empty answers all. Production wants it filled.",
        ),
        Key::boolean(
            "proxy_protocol",
            false,
            "Connections from trusted_proxies begin with a PROXY protocol v2 header.",
        ),
        Key::integer("shards", (0, 1024), 0, "Threads with a loop of their own; 0 chooses by the number of cores."),
        Key::integer("drain_secs", (1, 3600), 30, "How long running requests may take after SIGTERM."),
        Key::integer("handshake_timeout_secs", (1, 120), 10, "From accept to the end of the TLS handshake."),
        Key::integer("idle_timeout_secs", (1, 86_400), 300, "How long a connection may stand without a stream."),
        Key::integer(
            "connection_age_max_secs",
            (1, 604_800),
            3600,
            "Older connections are sent GOAWAY, so that clients spread.",
        ),
        Key::integer("body_timeout_secs", (1, 600), 15, "From a request's header to the end of its body."),
        Key::integer("reply_timeout_secs", (1, 600), 20, "How long a reply may wait for the peer to read it."),
        Key::integer("connections_max", (1, 1_000_000), 20_000, "Connections of one shard."),
        Key::integer("connections_per_address_max", (1, 1_000_000), 8192, "Connections of one address on one shard."),
        Key::integer(
            "streams_max",
            (1, 10_000),
            256,
            "Streams open at once on a connection (SETTINGS_MAX_CONCURRENT_STREAMS).",
        ),
        Key::integer(
            "header_list_bytes_max",
            (1024, 1_048_576),
            32_768,
            "A request's header (SETTINGS_MAX_HEADER_LIST_SIZE).",
        ),
        Key::integer(
            "resets_max",
            (1, 100_000),
            64,
            "Streams that a peer may open and reset before the connection is closed.",
        ),
        Key::integer(
            "unproductive_bytes_max",
            (16_384, 1_073_741_824),
            1_048_576,
            "Bytes that a connection may receive without completing a request.",
        ),
    ],
};

pub static TLS_SECTION: Section = Section {
    name: "server.tls",
    doc: "The certificate. Paths are relative to this file's directory; the files are read again when they change.",
    keys: &[
        Key::new(
            "cert_pem_path",
            Kind::Path,
            Standard::Required("\"server.pem\""),
            "Certificate chain, the server's own first.",
        ),
        Key::new("key_pem_path", Kind::Path, Standard::Required("\"server.key\""), "Its private key, not encrypted."),
        Key::new(
            "ca_pem_path",
            Kind::Path,
            Standard::Absent("\"ca.pem\""),
            "What local clients of the direct listener trust, such as sigid health.",
        ),
        Key::new(
            "min_version",
            Kind::Word { meaning: "a TLS version SigID speaks", words: &["1.3", "1.2"] },
            Standard::Text("1.3"),
            "\"1.2\" also allows TLS 1.2, with AEAD suites only.",
        ),
    ],
};

pub fn check(values: &Values, tls: TlsSettings, issuer: &str, problems: &mut Problems) -> ServerSettings {
    let trusted_proxies = check_proxies(values, problems);
    let proxy_protocol = values.boolean("proxy_protocol");
    if proxy_protocol && values.list("trusted_proxies").is_empty() && !problems.mentions("server.trusted_proxies") {
        let cure = "list the balancers in trusted_proxies, or set it to false";
        values.refuse(problems, "proxy_protocol", "is true, but nobody is trusted to send the header", cure);
    }
    ServerSettings {
        host: check_host(values, problems),
        port: values.count("port"),
        shards: values.count("shards"),
        tls,
        cors_allowed_origins: check_origins(values, problems),
        trusted_proxies,
        allowed_hosts: check_allowed_hosts(values, issuer, problems),
        proxy_protocol,
        limits: limits(values),
        drain: seconds(values, "drain_secs"),
        share_port: true,
    }
}

pub fn check_tls(values: &Values, files: &Files<'_>, problems: &mut Problems) -> TlsSettings {
    files.check(values, "cert_pem_path", files::is_certificate, problems);
    files.check(values, "key_pem_path", files::is_private_key, problems);
    files.check(values, "ca_pem_path", files::is_certificate, problems);
    check_certificate(values, files, problems);
    let path = |name| values.find_text(name).map(|path| files.resolve(path));
    TlsSettings {
        cert_pem_path: path("cert_pem_path").unwrap_or_default(),
        key_pem_path: path("key_pem_path").unwrap_or_default(),
        ca_pem_path: path("ca_pem_path"),
        tls12: values.text("min_version") == "1.2",
    }
}

/// A certificate and a key, each of which looks like one, that no handshake could use.
fn check_certificate(values: &Values, files: &Files<'_>, problems: &mut Problems) {
    let [certificate, key] = ["cert_pem_path", "key_pem_path"];
    if [certificate, key].iter().any(|name| problems.mentions(&values.path(name))) {
        return;
    }
    let (Some(chain), Some(private)) = (files.find_text(values, certificate), files.find_text(values, key)) else {
        return;
    };
    let (name, what, cure) = match check_pair(chain.as_bytes(), private.as_bytes()) {
        Ok(()) => return,
        Err(PairFault::Certificate) => {
            (certificate, "holds a certificate that cannot be read", "name the file that the authority issued")
        }
        Err(PairFault::Key) => {
            (key, "holds a key that TLS cannot sign with", "use an ECDSA P-256 or P-384, Ed25519 or RSA key")
        }
        Err(PairFault::Mismatch) => {
            (key, "does not belong to the certificate of cert_pem_path", "name the key that certificate was made for")
        }
    };
    values.refuse(problems, name, format!("{} {what}", shown(values.text(name))), cure);
}

/// The domain of edge cookies: as written, else the issuer's host.
pub fn check_base_domain(values: &Values, issuer_host: &str, problems: &mut Problems) -> String {
    let Some(domain) = values.find_text("base_domain") else { return issuer_host.to_owned() };
    let under = issuer_host == domain || issuer_host.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.'));
    let both_local = is_local_host(domain) && is_local_host(issuer_host);
    if !is_host_name(domain) || domain.chars().any(|c| c.is_ascii_uppercase()) {
        let what = format!("{} is not a domain in lower case", shown(domain));
        values.refuse(problems, "base_domain", what, "write it like \"example.com\"");
        return issuer_host.to_owned();
    }
    if !under && !both_local && !issuer_host.is_empty() {
        let what = format!("{} is not the issuer's host or a domain above it", shown(domain));
        values.refuse(problems, "base_domain", what, format!("use {} or a domain above it", shown(issuer_host)));
    }
    domain.to_owned()
}

fn check_host(values: &Values, problems: &mut Problems) -> IpAddr {
    let host = values.text("host");
    let address = if host == "localhost" { Ok(IpAddr::from([127, 0, 0, 1])) } else { host.parse() };
    address.unwrap_or_else(|_| {
        let what = format!("{} is not an IP address", shown(host));
        values.refuse(problems, "host", what, "use \"127.0.0.1\", \"::1\", \"0.0.0.0\" or \"::\"");
        IpAddr::from([127, 0, 0, 1])
    })
}

fn check_proxies(values: &Values, problems: &mut Problems) -> Vec<Network> {
    let mut networks = Vec::new();
    for text in values.list("trusted_proxies") {
        match Network::parse(text) {
            Some(_) if text.ends_with("/0") => {
                let what = format!("{} trusts every address", shown(text));
                values.refuse(problems, "trusted_proxies", what, "list only the proxies in front of this server");
            }
            Some(network) => networks.push(network),
            None => {
                let what = format!("{} is not an address or a range", shown(text));
                values.refuse(problems, "trusted_proxies", what, "write it like \"10.0.0.7\" or \"10.0.0.0/8\"");
            }
        }
    }
    networks
}

fn check_origins(values: &Values, problems: &mut Problems) -> Vec<String> {
    let origins = values.list("cors_allowed_origins");
    for (position, text) in (1..).zip(origins) {
        if let Err(fault) = Origin::parse(text) {
            let what = format!("entry {position} {fault}");
            values.refuse(problems, "cors_allowed_origins", what, "write it like \"https://app.example.com\"");
        }
    }
    origins.to_vec()
}

fn check_allowed_hosts(values: &Values, issuer: &str, problems: &mut Problems) -> Vec<String> {
    let hosts: Vec<String> = values.list("allowed_hosts").iter().map(|host| host.to_ascii_lowercase()).collect();
    for (position, host) in (1..).zip(&hosts) {
        if !is_authority(host) {
            let what = format!("entry {position} is not a host or host:port");
            values.refuse(problems, "allowed_hosts", what, "write it like \"auth.example.com\", without a scheme");
        }
    }
    check_issuer_allowed(values, &hosts, issuer, problems);
    hosts
}

/// A server that turns away whoever follows its own issuer answers nobody.
fn check_issuer_allowed(values: &Values, hosts: &[String], issuer: &str, problems: &mut Problems) {
    let (Ok(origin), Some((_, authority))) = (Origin::parse(issuer), issuer.split_once("://")) else { return };
    let port = origin.port.map(|port| format!(":{port}")).unwrap_or_default();
    let host = authority.strip_suffix(&port).unwrap_or(authority);
    let is_allowed = hosts.is_empty() || hosts.iter().any(|allowed| allowed == authority || allowed == host);
    let doubted = ["server.allowed_hosts", "oidc.issuer"].iter().any(|name| problems.mentions(name));
    if !is_allowed && !doubted {
        let what = format!("lacks the issuer's {}, whose requests would all get 421", shown(authority));
        values.refuse(problems, "allowed_hosts", what, format!("add {} to it", shown(authority)));
    }
}

/// `host` or `host:port`, also with a default port, which a Host header may carry.
fn is_authority(host: &str) -> bool {
    let bare = host.strip_suffix(":443").unwrap_or(host);
    Origin::parse(&format!("https://{bare}")).is_ok()
}

fn limits(values: &Values) -> ConnectionLimits {
    ConnectionLimits {
        handshake: seconds(values, "handshake_timeout_secs"),
        idle: seconds(values, "idle_timeout_secs"),
        age_max: seconds(values, "connection_age_max_secs"),
        body: seconds(values, "body_timeout_secs"),
        reply: seconds(values, "reply_timeout_secs"),
        connections_max: values.count("connections_max"),
        connections_per_address_max: values.count("connections_per_address_max"),
        streams_max: values.count("streams_max"),
        header_list_bytes_max: values.count("header_list_bytes_max"),
        resets_max: values.count("resets_max"),
        unproductive_bytes_max: values.count("unproductive_bytes_max"),
    }
}

fn seconds(values: &Values, name: &str) -> Duration {
    Duration::from_secs(values.count(name))
}
