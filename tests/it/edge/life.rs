//! How a token's life ends: by the clock, by its key's date; and that nothing else ends it.

use serde_json::json;

use crate::support::ask::{Ask, introspect, token};
use crate::support::forge::{self, real_key};
use crate::support::seed::client;
use crate::support::site::Site;
use crate::support::wait::{now_s, until_true};

#[tokio::test]
async fn a_token_ends_when_it_says() {
    let site = Site::new().await;
    let server = site.serve().await;
    let conn = server.connect().await;
    let api = client("api");
    let issued = conn.ask(token(&client("service"), &[])).await.token();
    let life_s = {
        let (_, claims) = forge::read(&issued);
        claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap()
    };
    assert!(conn.ask(introspect(&api, &issued)).await.is_active(), "fresh");
    server.shift_clock(life_s - 20).await;
    assert!(conn.ask(introspect(&api, &issued)).await.is_active(), "near its end");
    server.shift_clock(life_s + 1).await;
    let reply = conn.ask(introspect(&api, &issued)).await;
    assert_eq!(reply.text(), r#"{"active":false}"#, "past its end, although it is cached");
    // A token of the shifted time is as good as any.
    let later = conn.ask(token(&client("service"), &[])).await.token();
    assert!(conn.ask(introspect(&api, &later)).await.is_active());
}

#[tokio::test]
async fn a_key_past_its_date_vouches_for_nothing_new() {
    let site = Site::new().await;
    let server = site.serve().await;
    let conn = server.connect().await;
    let api = client("api");
    let old = conn.ask(token(&client("service"), &[])).await.token();
    let (header, claims) = forge::read(&old);
    let kid = header["kid"].as_str().unwrap();
    let key = real_key(&site.database, kid).await;
    site.admin(&["key", "rotate", "--now"]).expect(0);
    until_true("the new key", async || {
        let issued = conn.ask(token(&client("service"), &[])).await.token();
        forge::read(&issued).0["kid"] != header["kid"]
    })
    .await;
    assert!(conn.ask(introspect(&api, &old)).await.is_active(), "issued before its key retired");
    server.shift_clock(100).await;
    let now_s = now_s() + 100;
    let forged = |iat: i64| {
        let mut claims = claims.clone();
        claims["iat"] = json!(iat);
        claims["nbf"] = json!(iat);
        claims["exp"] = json!(iat + 300);
        claims["jti"] = json!(format!("forged-{iat}"));
        key.sign(&header, &claims)
    };
    assert!(!conn.ask(introspect(&api, &forged(now_s))).await.is_active(), "issued after its key retired");
    assert!(conn.ask(introspect(&api, &old)).await.is_active(), "still good");
    let jwks = conn.ask(Ask::get("/.well-known/jwks.json")).await.json();
    assert!(forge::verify(&old, &jwks), "a retired key stays published");
}
