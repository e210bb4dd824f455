//! CORS as the contract states it: who may read what, preflight included, never with credentials.

use crate::support::ask::{Ask, introspect, token};
use crate::support::connect::Conn;
use crate::support::seed::client;
use crate::support::site::Site;

/// The origin that a reply and its preflight admit; they must agree.
async fn admitted(conn: &Conn, ask: Ask, origin: &str) -> Option<String> {
    let preflight = Ask::new("OPTIONS", ask.target.clone())
        .header("origin", origin)
        .header("access-control-request-method", ask.method.as_str())
        .header("access-control-request-headers", "authorization, content-type");
    let said = conn.ask(preflight).await;
    let reply = conn.ask(ask.header("origin", origin)).await;
    let admits = |reply: &crate::support::ask::Reply| reply.header("access-control-allow-origin").map(str::to_owned);
    assert_eq!(admits(&said), admits(&reply), "{origin}: the preflight and the request");
    for reply in [&said, &reply] {
        assert!(reply.header("access-control-allow-credentials").is_none(), "{origin}");
    }
    if admits(&said).is_some() {
        assert_eq!(said.status, 204, "{origin}");
        let methods = said.header("access-control-allow-methods").unwrap();
        assert!(methods.contains("POST") || methods.contains("GET"), "{methods}");
        let headers = said.header("access-control-allow-headers").unwrap().to_lowercase();
        assert!(headers.contains("authorization") && headers.contains("content-type"), "{headers}");
    }
    admits(&reply)
}

#[tokio::test]
async fn each_endpoint_admits_whom_the_contract_names() {
    let site = Site::new().await;
    let server = site.serve().await;
    let conn = server.connect().await;
    let service = client("service");
    let (own, spa, evil) = (site.issuer.as_str(), "http://127.0.0.1:9091", "https://evil.example");
    for path in
        ["/.well-known/openid-configuration", "/.well-known/oauth-authorization-server", "/.well-known/jwks.json"]
    {
        for origin in [own, spa, evil, "null"] {
            assert_eq!(admitted(&conn, Ask::get(path), origin).await.as_deref(), Some("*"), "{path} {origin}");
        }
    }
    let revoke = || crate::support::ask::revoke(&service, "x");
    for ask in [|service: &_| token(service, &[]), |service: &_| crate::support::ask::revoke(service, "x")] {
        for (reason, origin, expected) in [
            ("the issuer's", own, true),
            ("a public client's redirect origin", spa, true),
            ("another port of it", "http://127.0.0.1:9999", false),
            ("another scheme of it", "https://127.0.0.1:9091", false),
            ("a confidential client's resource", "https://api.one.example", false),
            ("a stranger's", evil, false),
            ("null", "null", false),
            ("a suffix", "https://localhost.evil.example", false),
            ("the issuer's with a path", &format!("{own}/x"), false),
            ("in capitals", &own.to_uppercase(), false),
        ] {
            let admitted = admitted(&conn, ask(&service), origin).await;
            assert_eq!(admitted.as_deref(), expected.then_some(origin), "{reason}");
        }
    }
    let vary = conn.ask(revoke()).await.header("vary").map(str::to_lowercase).unwrap_or_default();
    assert!(vary.contains("origin"), "caches must tell origins apart: {vary}");
    for origin in [own, spa, evil] {
        assert_eq!(admitted(&conn, introspect(&service, "x"), origin).await, None, "introspection {origin}");
        assert_eq!(admitted(&conn, Ask::get("/health/live"), origin).await, None, "health {origin}");
    }
    // A browser reads an error like a success.
    let refused = token(&crate::support::seed::Credential { id: "service".into(), secret: "x".into() }, &[]);
    assert_eq!(admitted(&conn, refused, spa).await.as_deref(), Some(spa), "a refusal");
}

#[tokio::test]
async fn configured_origins_take_the_issuers_place() {
    let site = Site::new().await;
    let settings = site.settings().set("server.cors_allowed_origins", r#"["https://app.example.com"]"#);
    let server = site.serve_with(settings).await;
    let conn = server.connect().await;
    let service = client("service");
    for (origin, expected) in
        [("https://app.example.com", true), ("http://127.0.0.1:9091", true), (&site.issuer, false)]
    {
        let admitted = admitted(&conn, token(&service, &[]), origin).await;
        assert_eq!(admitted.as_deref(), expected.then_some(origin), "{origin}");
    }
}

#[tokio::test]
async fn a_disabled_or_deleted_public_client_takes_its_origin_along() {
    let site = Site::new().await;
    let server = site.serve().await;
    let conn = server.connect().await;
    let service = client("service");
    let spa = "http://127.0.0.1:9091";
    assert!(admitted(&conn, token(&service, &[]), spa).await.is_some());
    site.admin(&["client", "delete", "spa"]).expect(0);
    crate::support::wait::until_true("the origin's end", async || {
        conn.ask(token(&service, &[]).header("origin", spa)).await.header("access-control-allow-origin").is_none()
    })
    .await;
}
