//! RFC 7662: what a caller learns of a token, and what it does not.

use serde_json::json;

use crate::support::ask::{Ask, introspect, token};
use crate::support::forge;
use crate::support::seed::{API, OTHER_API, client};
use crate::support::site::Site;

#[tokio::test]
async fn a_live_token_is_described_as_the_contract_says() {
    let site = Site::new().await;
    let server = site.serve().await;
    let conn = server.connect().await;
    let issued = conn.ask(token(&client("service"), &[("scope", "read")])).await.token();
    let (_, claims) = forge::read(&issued);
    // The second answer comes from the reply cache and must not differ.
    for turn in ["first", "again"] {
        let reply = conn.ask(introspect(&client("api"), &issued)).await.expect(200);
        let expected = json!({
            "active": true, "iss": site.issuer, "sub": "service", "aud": API, "client_id": "service", "scope": "read",
            "token_type": "Bearer", "exp": claims["exp"], "iat": claims["iat"], "nbf": claims["nbf"],
            "jti": claims["jti"], "tenant_id": claims["tenant_id"], "subject_type": "service",
        });
        assert_eq!(reply.json(), expected, "{turn}");
        assert_eq!(reply.header("cache-control"), Some("no-store"), "{turn}");
        assert_eq!(reply.header("content-type"), Some("application/json"), "{turn}");
    }
}

#[tokio::test]
async fn who_may_learn_of_a_token() {
    let site = Site::new().await;
    let server = site.serve().await;
    let conn = server.connect().await;
    let own = conn.ask(token(&client("service"), &[])).await.token();
    let other = conn.ask(token(&client("service"), &[("resource", OTHER_API)])).await.token();
    let both = conn.ask(token(&client("service"), &[("resource", API), ("resource", OTHER_API)])).await.token();
    let foreign = conn.ask(token(&client("foreign"), &[])).await.token();
    let post = |token: &str| {
        let poster = client("poster");
        let fields = [("token", token), ("client_id", &poster.id), ("client_secret", &poster.secret)];
        Ask::post("/oauth/introspect").form(&fields)
    };
    let rows = [
        ("the resource server it is for", introspect(&client("api"), &own), true),
        ("another resource server", introspect(&client("other-api"), &own), false),
        ("issued to the caller itself", introspect(&client("service"), &own), true),
        ("issued to the caller, for elsewhere", introspect(&client("service"), &other), true),
        ("for elsewhere", introspect(&client("api"), &other), false),
        ("for it", introspect(&client("other-api"), &other), true),
        ("for both: the first", introspect(&client("api"), &both), true),
        ("for both: the second", introspect(&client("other-api"), &both), true),
        ("another client of the tenant", post(&own), false),
        ("same audience, other tenant's token", introspect(&client("api"), &foreign), false),
        ("same audience, other tenant's caller", introspect(&client("foreign-api"), &own), false),
        ("same audience, own tenant", introspect(&client("foreign-api"), &foreign), true),
    ];
    // Twice, so that each caller also meets a reply that another caller's question cached.
    for turn in 1..=2 {
        for (reason, ask, expected) in rows.clone() {
            let reply = conn.ask(ask).await.expect(200);
            assert_eq!(reply.is_active(), expected, "{reason}, turn {turn}: {}", reply.text());
            if !expected {
                assert_eq!(reply.text(), r#"{"active":false}"#, "{reason}");
            }
        }
    }
}

#[tokio::test]
async fn every_method_of_authentication_may_introspect() {
    let site = Site::new().await;
    let server = site.serve().await;
    let conn = server.connect().await;
    let (signer, poster) = (client("signer"), client("poster"));
    let assertion = || crate::token::assertion::good(&site.issuer);
    let kind = ("client_assertion_type", crate::token::assertion::TYPE);
    let signed = [("grant_type", "client_credentials"), kind, ("client_assertion", &assertion())];
    let issued = conn.ask(Ask::post("/oauth/token").form(&signed)).await.token();
    let fields = [("token", &*issued), kind, ("client_assertion", &assertion()), ("client_id", &signer.id)];
    assert!(conn.ask(Ask::post("/oauth/introspect").form(&fields)).await.is_active(), "private_key_jwt");
    let secret = [("client_id", &*poster.id), ("client_secret", &*poster.secret)];
    let grant = [&secret[..], &[("grant_type", "client_credentials")]].concat();
    let issued = conn.ask(Ask::post("/oauth/token").form(&grant)).await.token();
    let ask = Ask::post("/oauth/introspect").form(&[&secret[..], &[("token", &*issued)]].concat());
    assert!(conn.ask(ask).await.is_active(), "client_secret_post");
}
