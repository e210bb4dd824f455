//! Every route, attacked in the same few ways. A new route fails here until it is listed.

use std::collections::BTreeSet;

use crate::support::ask::Ask;
use crate::support::seed::{Credential, client};
use crate::support::site::Site;

/// Who may ask.
#[derive(Clone, Copy, PartialEq)]
enum Who {
    /// Anybody, and no body is taken.
    Anybody,
    /// A client, with a form.
    Client,
    /// A browser, with the forms of pages.
    Page,
    /// A browser with a session, with the forms of pages.
    Person,
    /// Whoever has the credential of an application: its own tests attack it.
    Application,
}

/// Method, path, and who may ask.
const ROUTES: &[(&str, &str, Who)] = &[
    ("GET", "/", Who::Application),
    ("GET", "/.well-known/jwks.json", Who::Anybody),
    ("GET", "/.well-known/oauth-authorization-server", Who::Anybody),
    ("GET", "/.well-known/openid-configuration", Who::Anybody),
    ("POST", "/account", Who::Person),
    ("POST", "/account/deletion", Who::Person),
    ("POST", "/account/email", Who::Person),
    ("POST", "/account/password", Who::Person),
    ("POST", "/account/sessions", Who::Person),
    ("GET", "/assets/icon.svg", Who::Application),
    ("GET", "/assets/logo/*", Who::Application),
    ("GET", "/assets/sigid.css", Who::Application),
    ("GET", "/favicon.ico", Who::Application),
    ("POST", "/email/confirm", Who::Page),
    ("POST", "/email/undo", Who::Page),
    ("GET", "/health/live", Who::Anybody),
    ("GET", "/health/ready", Who::Anybody),
    ("GET", "/language", Who::Application),
    ("POST", "/login", Who::Page),
    ("POST", "/logout", Who::Page),
    ("POST", "/oauth/introspect", Who::Client),
    ("POST", "/oauth/revoke", Who::Client),
    ("POST", "/oauth/token", Who::Client),
    ("POST", "/recover", Who::Page),
    ("POST", "/recover/password", Who::Page),
    ("POST", "/register", Who::Page),
    ("GET", "/session/check", Who::Application),
    ("GET", "/session/check/*", Who::Application),
    ("GET", "/session/start", Who::Application),
    ("POST", "/setup", Who::Page),
    ("POST", "/verify", Who::Page),
];

#[tokio::test]
async fn the_list_is_complete() {
    let site = Site::new().await;
    let server = site.serve().await;
    let listed: BTreeSet<&str> = ROUTES.iter().map(|(_, path, _)| *path).collect();
    let said = server.ask(Ask::get("/.well-known/openid-configuration")).await.json();
    for (name, value) in said.as_object().unwrap() {
        let url = value.as_str().filter(|_| name.ends_with("_endpoint") || name == "jwks_uri");
        if let Some(path) = url.and_then(|url| url.strip_prefix(&site.issuer)) {
            assert!(listed.contains(path), "{path} is not swept");
        }
    }
    // Each cold route has a histogram of its own, made at the start.
    let metrics = server.metrics().await;
    for (labels, _) in metrics.series("sigid_cold_seconds_count", &[]) {
        let path = labels.split("route=\"").nth(1).unwrap().split('"').next().unwrap();
        assert!(listed.contains(path), "{path} is not swept");
    }
}

#[tokio::test]
async fn no_route_gives_way() {
    let site = Site::new().await;
    let server = site.serve_unbudgeted().await;
    let conn = server.connect().await;
    let service = client("service");
    let wrong = Credential { id: "service".into(), secret: "wrong".into() };
    let fields = "grant_type=client_credentials&token=x";
    for (method, path, who) in ROUTES.iter().copied() {
        let ask = || Ask::new(method, path);
        if !matches!(who, Who::Anybody | Who::Client) {
            continue;
        }
        if who == Who::Anybody {
            let reply = conn.ask(ask().body("x".repeat(100))).await;
            assert_eq!(reply.status, 413, "{path}: a body where none is taken");
            conn.ask(ask().basic(&wrong)).await.expect(200);
            continue;
        }
        for (reason, ask, status) in [
            ("no credentials", ask().raw_form(fields), 401),
            ("a wrong secret", ask().raw_form(fields).basic(&wrong), 401),
            ("nothing at all", ask(), 400),
            ("no form", ask().basic(&service), 400),
            ("another content type", ask().basic(&service).header("content-type", "application/json").body("{}"), 400),
            ("doubled parameters", ask().basic(&service).raw_form(format!("{fields}&token=x&grant_type=a")), 400),
            ("no parameters", ask().basic(&service).raw_form(""), 400),
            ("oversize", ask().basic(&service).raw_form(format!("{fields}&x={}", "a".repeat(60_000))), 413),
            ("oversize without credentials", ask().raw_form("a".repeat(60_000)), 413),
        ] {
            let reply = conn.ask(ask).await;
            assert_eq!(reply.status, status, "{path}: {reason}: {}", reply.text());
            assert_eq!(reply.header("cache-control"), Some("no-store"), "{path}: {reason}");
        }
    }
}

#[tokio::test]
async fn no_page_gives_way() {
    let site = Site::new().await;
    let server = site.serve_unbudgeted().await;
    let conn = server.connect().await;
    for (method, path, who) in ROUTES.iter().copied().filter(|(.., who)| matches!(who, Who::Page | Who::Person)) {
        let ask = || Ask::new(method, path);
        for (reason, ask, status) in [
            ("no token", ask().raw_form("email=a@b.example&password=x"), 403),
            ("an invented token", ask().raw_form("csrf=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"), 403),
            ("another site's form", ask().header("origin", "https://evil.example").raw_form("csrf=x"), 403),
            ("a frame's form", ask().header("origin", "null").raw_form("csrf=x"), 403),
            ("sent from elsewhere", ask().header("sec-fetch-site", "cross-site").raw_form("csrf=x"), 403),
            ("no form", ask().header("content-type", "application/json").body("{}"), 400),
            ("doubled fields", ask().raw_form("csrf=x&csrf=x"), 400),
            ("oversize", ask().raw_form("a".repeat(66_000)), 413),
        ] {
            let reply = conn.ask(ask).await;
            assert_eq!(reply.status, status, "{path}: {reason}: {}", reply.text());
            let is_refused_hot = status == 413;
            assert!(is_refused_hot || reply.header("cache-control") == Some("no-store"), "{path}: {reason}");
            let cookies = reply.header("set-cookie").unwrap_or_default();
            assert!(!cookies.starts_with("__Host-sigid="), "{path}: {reason}: {cookies}");
        }
        if who == Who::Person {
            let reply = conn.ask(Ask::get(path)).await;
            assert_eq!(reply.status, 303, "{path}: without a session");
            assert!(reply.header("location").unwrap().starts_with("/login?next=%2Faccount"), "{path}");
        }
    }
}
