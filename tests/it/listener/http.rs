//! Routes, methods, hosts.

use crate::support::ask::{Ask, introspect, token};
use crate::support::seed::client;
use crate::support::site::Site;

#[tokio::test]
async fn a_path_is_matched_byte_for_byte() {
    let site = Site::new().await;
    let server = site.serve().await;
    let conn = server.connect().await;
    let service = client("service");
    for path in [
        "/oauth",
        "/oauth/",
        "/oauth/token/",
        "//oauth/token",
        "/oauth//token",
        "/OAUTH/TOKEN",
        "/oauth/Token",
        "/oauth/./token",
        "/x/../oauth/token",
        "/x/%2e%2e/oauth/token",
        "/oauth%2Ftoken",
        "/oauth%2ftoken",
        "/%6fauth/token",
        "/oauth/token;x=1",
        "/oauth/token%00",
        "/oauth/token%20",
        "/oauth/..;/token",
        "/oauth\\token",
        "/metrics",
        "/admin",
        "/debug",
        "/.env",
        "/health",
        "/health/",
        "/health/other",
        "/.well-known/",
        "/favicon.png",
    ] {
        let ask = Ask::post(path).basic(&service).form(&[("grant_type", "client_credentials")]);
        // A path that no URI has is refused by the client's library, or answered 400.
        let Ok(uri) = format!("https://localhost{path}").parse::<http::Uri>() else { continue };
        assert_eq!(uri.path(), path);
        let reply = conn.ask(ask).await;
        assert_eq!(reply.status, 404, "{path}");
        assert!(!reply.text().contains("access_token"), "{path}");
        assert_eq!(reply.header("content-type"), Some("application/problem+json"), "{path}");
    }
    let ask = Ask::post("/oauth/token?grant_type=x").basic(&service).form(&[("grant_type", "client_credentials")]);
    conn.ask(ask).await.expect(200);
}

#[tokio::test]
async fn other_methods_are_refused_by_name() {
    let site = Site::new().await;
    let server = site.serve().await;
    let conn = server.connect().await;
    let rows = [
        ("/oauth/token", "POST"),
        ("/oauth/introspect", "POST"),
        ("/oauth/revoke", "POST"),
        ("/.well-known/jwks.json", "GET, HEAD"),
        ("/.well-known/openid-configuration", "GET, HEAD"),
        ("/.well-known/oauth-authorization-server", "GET, HEAD"),
        ("/health/live", "GET, HEAD"),
        ("/health/ready", "GET, HEAD"),
        ("/login", "GET, POST, HEAD"),
        ("/session/start", "GET, HEAD"),
    ];
    for (path, allowed) in rows {
        for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "get"] {
            if allowed.split(", ").any(|one| one == method) {
                continue;
            }
            let reply = conn.ask(Ask::new(method, path)).await;
            assert_eq!(reply.status, 405, "{method} {path}");
            assert_eq!(reply.header("allow"), Some(allowed), "{method} {path}");
        }
    }
}

/// RFC 9457: what is refused before any feature has a say.
#[tokio::test]
async fn problems_say_what_is_wrong() {
    let site = Site::new().await;
    let server = site.serve_with(site.settings().set("server.allowed_hosts", r#"["localhost"]"#)).await;
    let conn = server.connect().await;
    let here = |ask: Ask| ask.authority("localhost");
    for (ask, status, title) in [
        (here(Ask::get("/nothing")), 404, "Not Found"),
        (here(Ask::get("/oauth/token")), 405, "Method Not Allowed"),
        (here(Ask::post("/oauth/token").body("x".repeat(40_000))), 413, "Content Too Large"),
        (Ask::get("/.well-known/jwks.json").authority("evil.example"), 421, "Misdirected Request"),
    ] {
        let reply = conn.ask(ask).await;
        assert_eq!((reply.status, reply.header("content-type")), (status, Some("application/problem+json")), "{title}");
        let problem = reply.json();
        assert_eq!((&problem["status"], &problem["title"]), (&status.into(), &title.into()), "{problem}");
        assert_eq!(problem["type"], "about:blank");
        assert!(problem["detail"].as_str().is_some_and(|detail| !detail.is_empty()), "{problem}");
    }
}

#[tokio::test]
async fn head_is_get_without_its_body() {
    let site = Site::new().await;
    let server = site.serve().await;
    let conn = server.connect().await;
    for (path, status) in [
        ("/.well-known/jwks.json", 200),
        ("/.well-known/openid-configuration", 200),
        ("/health/live", 200),
        ("/health/ready", 200),
        ("/login", 200),
        ("/register", 200),
        ("/logout", 200),
        ("/account", 303),
        ("/session/start", 400),
        ("/session/check", 400),
    ] {
        let get = conn.ask(Ask::get(path)).await.expect(status);
        let head = conn.ask(Ask::new("HEAD", path)).await.expect(status);
        assert!(head.body.is_empty(), "{path}");
        assert_eq!(get.header("location"), head.header("location"), "{path}");
        assert_eq!(get.header("content-type"), head.header("content-type"), "{path}");
    }
}

#[tokio::test]
async fn only_allowed_hosts_are_answered_and_health_always() {
    let site = Site::new().await;
    let own = site.issuer.trim_start_matches("https://");
    let allowed = format!(r#"["auth.example.com", "localhost:4444", "[::1]", "{own}"]"#);
    let settings = site.settings().set("server.allowed_hosts", allowed);
    let server = site.serve_with(settings).await;
    let conn = server.connect().await;
    let service = client("service");
    let rows = [
        ("as listed", "auth.example.com", 200),
        ("any port of it", "auth.example.com:8443", 200),
        ("capitals", "AUTH.Example.com", 200),
        ("the listed port", "localhost:4444", 200),
        ("the issuer's", own, 200),
        ("another port", "localhost:4445", 421),
        ("no port", "localhost", 421),
        ("an IPv6 literal", "[::1]:8443", 200),
        ("another host", "evil.example", 421),
        ("a suffix", "evil-auth.example.com", 421),
        ("a prefix", "auth.example.com.evil.example", 421),
        ("a trailing dot", "auth.example.com.", 421),
        ("the address", "127.0.0.1", 421),
    ];
    for (reason, authority, status) in rows {
        for ask in [token(&service, &[]), introspect(&service, "x"), Ask::get("/.well-known/jwks.json")] {
            let path = ask.target.clone();
            assert_eq!(conn.ask(ask.authority(authority)).await.status, status, "{reason}: {path}");
        }
        for path in ["/health/live", "/health/ready"] {
            conn.ask(Ask::get(path).authority(authority)).await.expect(200);
        }
    }
    assert!(server.metrics().await.sum("sigid_misdirected_total", &[]) >= 21);
    let forwarded = token(&service, &[]).authority("evil.example").header("x-forwarded-host", "auth.example.com");
    assert_eq!(conn.ask(forwarded).await.status, 421, "X-Forwarded-Host does not count");
    let said = conn.ask(Ask::get("/.well-known/openid-configuration").authority("auth.example.com")).await.json();
    assert_eq!(said["issuer"], site.issuer.as_str(), "no document speaks of the host that was asked for");
}

#[tokio::test]
async fn host_and_authority_must_agree() {
    let site = Site::new().await;
    let server = site.serve().await;
    let conn = server.connect().await;
    let ask = || Ask::get("/.well-known/jwks.json").authority("localhost");
    assert_eq!(conn.ask(ask().header("host", "localhost")).await.status, 200, "the same");
    assert_eq!(conn.ask(ask().header("host", "LOCALHOST")).await.status, 200, "the same in capitals");
    assert_eq!(conn.ask(ask().header("host", "evil.example")).await.status, 400, "another");
    assert_eq!(conn.ask(ask().header("host", "")).await.status, 400, "an empty one");
    assert_eq!(conn.ask(ask().header("host", "localhost").header("host", "localhost")).await.status, 400, "twice");
    assert_eq!(conn.ask(ask().header("host", b"\xff")).await.status, 400, "no text");
}

#[tokio::test]
async fn plain_health_and_metrics_are_on_their_own_port_only() {
    let site = Site::new().await;
    let server = site.serve().await;
    let get = async |path: &str| crate::support::metrics::get(server.metrics, path).await;
    assert_eq!(get("/health/live").await, (200, String::new()));
    assert_eq!(get("/health/ready").await, (200, String::new()));
    assert!(get("/metrics").await.1.contains("# TYPE sigid_requests_total counter"));
    for path in ["/", "/oauth/token", "/.well-known/jwks.json", "/metrics/x"] {
        assert_eq!(get(path).await.0, 404, "{path}");
    }
    assert_eq!(server.ask(Ask::get("/metrics")).await.status, 404);
}
