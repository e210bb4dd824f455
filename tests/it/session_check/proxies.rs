//! Each recipe of docs/features/session-check.md, word for word but for names and files, in the program it is written for.

use std::ffi::{OsStr, OsString};
use std::net::SocketAddr;

use super::proxy::{Stage, Ways, guards_a_page, on_localhost, recipe};
use crate::support::ask::Ask;
use crate::support::connect::Conn;
use crate::support::place;
use crate::support::wait::{until, until_true};

#[tokio::test]
async fn caddy_guards_a_page() {
    let stage = Stage::set().await;
    let (address, port) = (stage.shop.ip(), stage.shop.port());
    let tls = format!("tls {} {}", stage.file("server.pem"), stage.file("server.key"));
    let transport =
        format!("transport http {{\ntls_server_name localhost\ntls_trusted_ca_certs {}\n}}", stage.file("ca.pem"));
    let text = recipe(
        "Caddy",
        "caddy",
        &[
            ("https://shop.example.com {", format!("https://localhost:{port} {{\nbind {address}\n{tls}")),
            ("https://auth.example.com {", format!("https://{} {{\n{transport}", stage.server.address)),
            ("{upstream_hostport}", stage.issuer_host()),
            ("127.0.0.1:8080", stage.application.to_string()),
        ],
    );
    let file = stage.write("Caddyfile", &format!("{{\nadmin off\nauto_https off\n}}\n{text}"));
    let arguments = ["run", "--adapter", "caddyfile", "--config", &file];
    let _caddy = stage.run("caddy", &arguments, stage.shop).await;
    guards_a_page(&stage, &Ways::default()).await;
}

/// The recipe for HAProxy, and where its listener on loopback is.
fn haproxy(stage: &Stage) -> (String, SocketAddr) {
    let hop = SocketAddr::from((place::address(), place::port()));
    let certificate = ["server.pem", "server.key"].map(|name| std::fs::read_to_string(stage.file(name)).unwrap());
    let certificate = stage.write("shop.pem", &certificate.concat());
    let script = recipe("HAProxy", "lua", &[("127.0.0.1:9080", hop.to_string())]);
    let script = stage.write("sigid.lua", &script);
    let text = recipe(
        "HAProxy",
        "haproxy",
        &[
            ("/etc/haproxy/sigid.lua", script),
            ("bind :443 ssl crt /etc/haproxy/shop.pem", format!("bind {} ssl crt {certificate}", stage.shop)),
            ("bind 127.0.0.1:9080", format!("bind {hop}")),
            ("set-header Host auth.example.com", format!("set-header Host {}", stage.issuer_host())),
            ("server sigid auth.example.com:443", format!("server sigid {}", stage.server.address)),
            ("@system-ca", stage.file("ca.pem")),
            ("str(auth.example.com)", "str(localhost)".to_owned()),
            ("127.0.0.1:8080", stage.application.to_string()),
        ],
    );
    let times = "defaults\n    timeout connect 5s\n    timeout client 30s\n    timeout server 30s\n\n";
    (text.replace("frontend shop", &format!("{times}frontend shop")), hop)
}

#[tokio::test]
async fn haproxy_guards_a_page() {
    let stage = Stage::set().await;
    let (text, _) = haproxy(&stage);
    let file = stage.write("haproxy.cfg", &text);
    let _haproxy = stage.run("haproxy", &["-db", "-f", &file], stage.shop).await;
    guards_a_page(&stage, &Ways::default()).await;
}

/// Through the listener on loopback that the recipe for HAProxy has.
#[tokio::test]
async fn nginx_guards_a_page() {
    let stage = Stage::set().await;
    let (text, hop) = haproxy(&stage);
    let (global, rest) = text.split_once("frontend shop").unwrap();
    let global = global.lines().filter(|line| !line.contains("lua-load")).collect::<Vec<_>>().join("\n");
    let listener = rest.split_once("listen sigid").unwrap().1.split_once("backend shop").unwrap().0;
    let file = stage.write("haproxy.cfg", &format!("{global}\n\nlisten sigid{listener}"));
    let _haproxy = stage.run("haproxy", &["-db", "-f", &file], hop).await;
    let asking = [
        ("http://127.0.0.1:9080", format!("http://{hop}")),
        ("Host auth.example.com", format!("Host {}", stage.issuer_host())),
    ];
    guards_with_nginx(&stage, "nginx", recipe("nginx", "nginx", &asking)).await;
}

/// By the lines that take the place of the way through loopback.
#[tokio::test]
async fn a_newer_nginx_guards_a_page_alone() {
    let Some(nginx) = find_program("SIGID_NGINX") else { return };
    let stage = Stage::set().await;
    let port = on_localhost(stage.server.address).await;
    let lines = recipe(
        "nginx",
        "",
        &[
            ("https://auth.example.com", format!("https://localhost:{port}")),
            ("/etc/ssl/certs/ca-certificates.crt", stage.file("ca.pem")),
        ],
    );
    let asking = [
        ("proxy_pass http://127.0.0.1:9080/session/check?client_id=shop;", lines),
        ("Host auth.example.com", format!("Host {}", stage.issuer_host())),
    ];
    guards_with_nginx(&stage, nginx, recipe("nginx", "nginx", &asking)).await;
}

async fn guards_with_nginx(stage: &Stage, program: impl AsRef<OsStr>, recipe: String) {
    let mut text = recipe;
    for (example, real) in [
        ("listen 443 ssl http2", format!("listen {} ssl http2", stage.shop)),
        ("server_name shop.example.com", "server_name localhost".to_owned()),
        ("/etc/nginx/shop.pem", stage.file("server.pem")),
        ("/etc/nginx/shop.key", stage.file("server.key")),
        ("127.0.0.1:8080", stage.application.to_string()),
    ] {
        assert_eq!(text.matches(example).count(), 1, "{example}");
        text = text.replace(example, &real);
    }
    let own = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(|what| format!("{what}_temp_path {what};\n"));
    let head = "daemon off;\nmaster_process off;\npid nginx.pid;\nerror_log stderr;\nevents {}\n";
    let text = format!("{head}http {{\naccess_log off;\n{}\n{text}\n}}\n", own.concat());
    let file = stage.write("nginx.conf", &text);
    let place = format!("{}/", stage.directory.display());
    let arguments = ["-p", place.as_str(), "-e", "stderr", "-c", &file];
    let _nginx = stage.run(program, &arguments, stage.shop).await;
    guards_a_page(stage, &Ways { knows_the_prefix: false, ..Ways::default() }).await;
}

/// A program that Debian has not; where nobody names one, the recipe is not tried.
fn find_program(variable: &str) -> Option<OsString> {
    let named = std::env::var_os(variable);
    if named.is_none() {
        eprintln!("not tried: {variable} names no program");
    }
    named
}

#[tokio::test]
async fn traefik_guards_a_page() {
    let Some(traefik) = find_program("SIGID_TRAEFIK") else { return };
    let stage = Stage::set().await;
    let port = on_localhost(stage.server.address).await;
    let text = recipe(
        "Traefik",
        "yaml",
        &[
            (
                "address: https://auth.example.com/session/check?client_id=shop",
                format!(
                    "address: https://localhost:{port}/session/check?client_id=shop\n        tls:\n          ca: {}",
                    stage.file("ca.pem")
                ),
            ),
            ("shop.example.com", "localhost".to_owned()),
        ],
    );
    let (certificate, key) = (stage.file("server.pem"), stage.file("server.key"));
    let text = format!(
        "{text}      tls: {{}}\n  services:\n    shop:\n      loadBalancer:\n        servers:\n        - url: http://{}\n\
         tls:\n  stores:\n    default:\n      defaultCertificate:\n        certFile: {certificate}\n        keyFile: {key}\n",
        stage.application
    );
    let file = stage.write("dynamic.yaml", &text);
    let listen = format!("--entrypoints.web.address={}", stage.shop);
    let provider = format!("--providers.file.filename={file}");
    let _traefik = stage.run(&traefik, &[&listen, &provider, "--log.level=ERROR"], stage.shop).await;
    // It listens before it has read what it serves: with a certificate of its own, and then nothing.
    let offer = stage.server.offer();
    let conn = until("Traefik's certificate", async || {
        let tls = offer.connect(stage.shop).await.ok()?;
        Some(Conn::over(tls, stage.shop).await)
    })
    .await;
    until_true("Traefik's routes", async || conn.ask(Ask::get("/")).await.status != 404).await;
    guards_a_page(&stage, &Ways { sends_with: 401, knows_the_prefix: true, cookies: "" }).await;
}

#[tokio::test]
async fn envoy_guards_a_page() {
    let Some(envoy) = find_program("SIGID_ENVOY") else { return };
    let stage = Stage::set().await;
    let text = recipe("Envoy", "yaml", &[("https://auth.example.com", "https://localhost".to_owned())]);
    let filters = text.lines().fold(String::new(), |filters, line| filters + "          " + line + "\n");
    let router = "          - name: envoy.filters.http.router\n";
    assert_eq!(filters.matches(router).count(), 1);
    let typed =
        "            typed_config: { \"@type\": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router }\n";
    let filters = filters.replace(router, &format!("{router}{typed}"));
    let at = |address: SocketAddr| format!("address: {}, port_value: {}", address.ip(), address.port());
    let text = ENVOY
        .replace("<FILTERS>\n", &filters)
        .replace("<SHOP>", &at(stage.shop))
        .replace("<APPLICATION>", &at(stage.application))
        .replace("<SIGID>", &at(stage.server.address))
        .replace("<CERTIFICATE>", &stage.file("server.pem"))
        .replace("<KEY>", &stage.file("server.key"))
        .replace("<AUTHORITY>", &stage.file("ca.pem"));
    let file = stage.write("envoy.yaml", &text);
    let id = place::number().to_string();
    let arguments = ["-c", &file, "--use-dynamic-base-id", "--concurrency", "1", "-l", "error", "--service-node", &id];
    let _envoy = stage.run(&envoy, &arguments, stage.shop).await;
    guards_a_page(&stage, &Ways { sends_with: 401, ..Ways::default() }).await;
}

/// What is around the recipe's filters.
const ENVOY: &str = r#"
static_resources:
  listeners:
  - address: { socket_address: { <SHOP> } }
    filter_chains:
    - transport_socket:
        name: tls
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext
          common_tls_context:
            alpn_protocols: [h2]
            tls_certificates: [{ certificate_chain: { filename: "<CERTIFICATE>" }, private_key: { filename: "<KEY>" } }]
      filters:
      - name: http
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: shop
          route_config:
            virtual_hosts: [{ name: all, domains: ["*"], routes: [{ match: { prefix: "/" }, route: { cluster: shop } }] }]
<FILTERS>
  clusters:
  - name: shop
    load_assignment: { cluster_name: shop, endpoints: [{ lb_endpoints: [{ endpoint: { address: { socket_address: { <APPLICATION> } } } }] }] }
  - name: sigid
    typed_extension_protocol_options:
      envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
        "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
        explicit_http_config: { http2_protocol_options: {} }
    transport_socket:
      name: tls
      typed_config:
        "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext
        sni: localhost
        common_tls_context:
          alpn_protocols: [h2]
          tls_params: { tls_maximum_protocol_version: TLSv1_3 }
          validation_context: { trusted_ca: { filename: "<AUTHORITY>" } }
    load_assignment: { cluster_name: sigid, endpoints: [{ lb_endpoints: [{ endpoint: { address: { socket_address: { <SIGID> } } } }] }] }
"#;
