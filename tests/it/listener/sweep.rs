//! Every route, attacked in the same few ways. A new route fails here until it is listed.

use std::collections::BTreeSet;

use crate::support::ask::Ask;
use crate::support::seed::{Credential, client};
use crate::support::site::Site;

/// Method, path, and whether a client must authenticate.
const ROUTES: &[(&str, &str, bool)] = &[
    ("GET", "/.well-known/jwks.json", false),
    ("GET", "/.well-known/oauth-authorization-server", false),
    ("GET", "/.well-known/openid-configuration", false),
    ("GET", "/health/live", false),
    ("GET", "/health/ready", false),
    ("POST", "/oauth/introspect", true),
    ("POST", "/oauth/revoke", true),
    ("POST", "/oauth/token", true),
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
    for (method, path, is_guarded) in ROUTES.iter().copied() {
        let ask = || Ask::new(method, path);
        if !is_guarded {
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
