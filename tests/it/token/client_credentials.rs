//! `client_credentials`: scope, resource, and the token itself (RFC 9068).

use serde_json::{Value, json};

use crate::support::ask::{Ask, token};
use crate::support::forge;
use crate::support::seed::{API, OTHER_API, client};
use crate::support::site::Site;

#[tokio::test]
async fn a_token_is_as_rfc_9068_says_and_verifies_offline() {
    let site = Site::new().await;
    let server = site.serve().await;
    let conn = server.connect().await;
    let reply = conn.ask(token(&client("service"), &[])).await.expect(200);
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    assert_eq!(reply.header("content-type"), Some("application/json"));
    let body = reply.json();
    let members: Vec<&str> = body.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(members, ["access_token", "expires_in", "scope", "token_type"]);
    assert_eq!(body["token_type"], "Bearer");
    assert_eq!(body["scope"], "read write");
    let issued = body["access_token"].as_str().unwrap();
    let (header, claims) = forge::read(issued);
    assert_eq!((&header["typ"], &header["alg"]), (&json!("at+jwt"), &json!("ES256")));
    let expected = [
        ("iss", json!(site.issuer)),
        ("sub", json!("service")),
        ("aud", json!(API)),
        ("client_id", json!("service")),
        ("scope", json!("read write")),
        ("subject_type", json!("service")),
    ];
    for (name, value) in expected {
        assert_eq!(claims[name], value, "{name}");
    }
    let time = |name: &str| claims[name].as_i64().unwrap();
    assert_eq!(Some(time("exp") - time("iat")), body["expires_in"].as_i64());
    assert_eq!(time("iat"), time("nbf"));
    assert!((time("iat") - crate::support::wait::now_s()).abs() <= 5);
    let jwks = conn.ask(Ask::get("/.well-known/jwks.json")).await.json();
    assert!(forge::verify(issued, &jwks));
    let again = conn.ask(token(&client("service"), &[])).await.token();
    assert_ne!(forge::read(&again).1["jti"], claims["jti"]);
}

#[tokio::test]
async fn lifetimes_are_configured() {
    let site = Site::new().await;
    let settings = site.settings().set("jwt.access_token_lifetime_agent_secs", 77);
    let server = site.serve_with(settings).await;
    let body = server.ask(token(&client("service"), &[])).await.expect(200).json();
    assert_eq!(body["expires_in"], 77, "the lifetime of agents and services");
}

#[tokio::test]
async fn scope_narrows_and_never_widens() {
    let site = Site::new().await;
    let server = site.serve().await;
    let conn = server.connect().await;
    let rows = [
        ("all it has", "service", None, Ok("read write")),
        ("empty is omitted", "service", Some(""), Ok("read write")),
        ("one of them", "service", Some("read"), Ok("read")),
        ("the other order", "service", Some("write read"), Ok("read write")),
        ("named twice", "service", Some("read read"), Ok("read")),
        ("one more than it has", "service", Some("read admin"), Err("invalid_scope")),
        ("something else", "service", Some("admin"), Err("invalid_scope")),
        ("another case", "service", Some("READ"), Err("invalid_scope")),
        ("no scope token", "service", Some("re\"ad"), Err("invalid_scope")),
        ("no ASCII", "service", Some("réad"), Err("invalid_scope")),
        ("a scope of people is not a machine's", "narrow", None, Ok("read")),
        ("not even when asked for", "narrow", Some("openid"), Err("invalid_scope")),
    ];
    for (reason, name, scope, expected) in rows {
        let fields: Vec<(&str, &str)> = scope.iter().map(|scope| ("scope", *scope)).collect();
        let reply = conn.ask(token(&client(name), &fields)).await;
        match expected {
            Ok(granted) => {
                let body = reply.expect(200).json();
                let (_, claims) = forge::read(body["access_token"].as_str().unwrap());
                let sorted = |value: &Value| {
                    let mut all: Vec<String> = value.as_str().unwrap().split(' ').map(str::to_owned).collect();
                    all.sort();
                    all.join(" ")
                };
                assert_eq!(
                    (sorted(&body["scope"]).as_str(), sorted(&claims["scope"]).as_str()),
                    (granted, granted),
                    "{reason}"
                );
            }
            Err(error) => assert_eq!((reply.status, reply.error().as_str()), (400, error), "{reason}"),
        }
    }
}

#[tokio::test]
async fn resource_decides_the_audience() {
    type Row<'a> = (&'a str, &'a str, Vec<&'a str>, Result<Value, &'a str>);
    let site = Site::new().await;
    let server = site.serve().await;
    let conn = server.connect().await;
    let issuer = json!(site.issuer);
    let slash = format!("{API}/");
    let rows: Vec<Row<'_>> = vec![
        ("the default is the first", "service", vec![], Ok(json!(API))),
        ("none registered: the issuer", "narrow", vec![], Ok(issuer)),
        ("one", "service", vec![OTHER_API], Ok(json!(OTHER_API))),
        ("both", "service", vec![OTHER_API, API], Ok(json!([OTHER_API, API]))),
        ("one twice", "service", vec![API, API], Ok(json!(API))),
        ("with the slash of an empty path: the registered spelling", "service", vec![&slash], Ok(json!(API))),
        ("both spellings are one", "service", vec![API, &slash], Ok(json!(API))),
        ("an empty value is omitted", "service", vec![""], Ok(json!(API))),
        ("not registered", "service", vec!["https://elsewhere.example"], Err("invalid_target")),
        ("one registered, one not", "service", vec![API, "https://elsewhere.example"], Err("invalid_target")),
        ("a path below", "service", vec!["https://api.one.example/v1"], Err("invalid_target")),
        ("a slash after a path is another", "service", vec!["https://other.one.example/v1/"], Err("invalid_target")),
        ("a fragment", "service", vec!["https://api.one.example#x"], Err("invalid_target")),
        ("an empty fragment", "service", vec!["https://api.one.example#"], Err("invalid_target")),
        ("relative", "service", vec!["/v1"], Err("invalid_target")),
        ("no scheme", "service", vec!["api.one.example"], Err("invalid_target")),
        ("another case", "service", vec!["https://API.one.example"], Err("invalid_target")),
        ("userinfo", "service", vec!["https://api.one.example@evil.example"], Err("invalid_target")),
        ("spaces", "service", vec!["https://api.one.example/ x"], Err("invalid_target")),
        (
            "long",
            "service",
            vec!["https://api.one.example/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"],
            Err("invalid_target"),
        ),
        ("none registered, one asked", "narrow", vec![API], Err("invalid_target")),
    ];
    for (reason, name, resources, expected) in rows {
        let fields: Vec<(&str, &str)> = resources.iter().map(|resource| ("resource", *resource)).collect();
        let reply = conn.ask(token(&client(name), &fields)).await;
        match expected {
            Ok(audience) => assert_eq!(forge::read(&reply.token()).1["aud"], audience, "{reason}"),
            Err(error) => {
                assert_eq!((reply.status, reply.error().as_str()), (400, error), "{reason}: {}", reply.text());
            }
        }
    }
}

#[tokio::test]
async fn other_grants_are_refused() {
    let site = Site::new().await;
    let server = site.serve().await;
    let conn = server.connect().await;
    let service = client("service");
    let rows = [
        ("none", "scope=read", "invalid_request"),
        ("an empty one", "grant_type=", "invalid_request"),
        ("password", "grant_type=password&username=a&password=b", "unsupported_grant_type"),
        ("implicit", "grant_type=implicit", "unsupported_grant_type"),
        ("one that is not", "grant_type=x", "unsupported_grant_type"),
        ("another case", "grant_type=CLIENT_CREDENTIALS", "unsupported_grant_type"),
    ];
    for (reason, body, error) in rows {
        let reply = conn.ask(Ask::post("/oauth/token").raw_form(body).basic(&service)).await;
        assert_eq!((reply.status, reply.error().as_str()), (400, error), "{reason}");
    }
    let reply = conn.ask(token(&client("api"), &[])).await;
    assert_eq!((reply.status, reply.error().as_str()), (400, "unauthorized_client"), "a resource server");
    let fields = [("grant_type", "client_credentials"), ("client_id", "spa")];
    let reply = conn.ask(Ask::post("/oauth/token").form(&fields)).await;
    assert!([400, 401].contains(&reply.status), "a public client gets no machine token: {}", reply.status);
}
