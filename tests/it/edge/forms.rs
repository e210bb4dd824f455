//! Request bodies: doubled parameters, other content types, escapes, sizes.

use crate::support::ask::{Ask, escape_all, form, introspect, token};
use crate::support::seed::client;
use crate::support::site::Site;

const PATHS: [&str; 3] = ["/oauth/introspect", "/oauth/revoke", "/oauth/token"];

#[tokio::test]
async fn a_parameter_sent_twice_is_refused() {
    let site = Site::new().await;
    let server = site.serve().await;
    let conn = server.connect().await;
    let service = client("service");
    for path in PATHS {
        for (reason, body) in [
            ("the token", "token=a&token=a&grant_type=client_credentials"),
            ("the token, one empty", "token=a&token=&grant_type=client_credentials"),
            ("the grant type", "token=a&grant_type=client_credentials&grant_type=client_credentials"),
            ("the hint", "token=a&token_type_hint=x&token_type_hint=x&grant_type=client_credentials"),
            ("the client id", "token=a&client_id=service&client_id=service&grant_type=client_credentials"),
            ("the scope", "token=a&scope=read&scope=read&grant_type=client_credentials"),
            ("an unknown one", "token=a&grant_type=client_credentials&x=1&x=2"),
            ("one spelled with an escape", "token=a&%74oken=a&grant_type=client_credentials"),
        ] {
            let reply = conn.ask(Ask::post(path).raw_form(body).basic(&service)).await;
            assert_eq!((reply.status, reply.error().as_str()), (400, "invalid_request"), "{path}: {reason}");
        }
    }
}

#[tokio::test]
async fn only_forms_are_read() {
    let site = Site::new().await;
    let server = site.serve().await;
    let conn = server.connect().await;
    let service = client("service");
    let body = "token=a&grant_type=client_credentials";
    let ask = |path: &str, kind: Option<&str>| {
        let ask = Ask::post(path).basic(&service).body(body);
        kind.iter().fold(ask, |ask, kind| ask.header("content-type", kind))
    };
    for path in PATHS {
        for (reason, kind) in [
            ("none", None),
            ("JSON", Some("application/json")),
            ("multipart", Some("multipart/form-data; boundary=x")),
            ("text", Some("text/plain")),
            ("a longer name", Some("application/x-www-form-urlencoded-not")),
            ("nothing in it", Some("")),
        ] {
            let reply = conn.ask(ask(path, kind)).await;
            assert_eq!((reply.status, reply.error().as_str()), (400, "invalid_request"), "{path}: {reason}");
        }
        for (reason, kind) in [
            ("with a charset", "application/x-www-form-urlencoded; charset=UTF-8"),
            ("in capitals", "APPLICATION/X-WWW-FORM-URLENCODED"),
            ("a space before the parameter", "application/x-www-form-urlencoded ;charset=utf-8"),
        ] {
            let reply = conn.ask(ask(path, Some(kind))).await;
            assert_eq!(reply.status, 200, "{path}: {reason}: {}", reply.text());
        }
    }
}

#[tokio::test]
async fn escapes_do_not_matter() {
    let site = Site::new().await;
    let server = site.serve().await;
    let conn = server.connect().await;
    let (service, api) = (client("service"), client("api"));
    let issued = conn.ask(token(&service, &[])).await.token();
    for (reason, body) in [
        ("each byte escaped", format!("token={}", escape_all(&issued))),
        ("the dots escaped", format!("token={}", issued.replace('.', "%2E"))),
        ("the name escaped", format!("%74oken={issued}")),
        ("a hint", format!("token={issued}&token_type_hint=access_token")),
        ("a wrong hint", format!("token={issued}&token_type_hint=refresh_token")),
        ("an unknown parameter", format!("token={issued}&colour=blue")),
        ("an empty parameter", format!("token={issued}&scope=")),
        ("empty pairs", format!("&&token={issued}&")),
    ] {
        let reply = conn.ask(Ask::post("/oauth/introspect").raw_form(body).basic(&api)).await;
        assert!(reply.is_active(), "{reason}: {}", reply.text());
    }
    for (reason, body) in [
        ("no token", String::new()),
        ("an empty token", "token=".to_owned()),
        ("another name", format!("Token={issued}")),
        ("a broken escape", "token=%".to_owned()),
        ("an escape of no digits", "token=%zz".to_owned()),
        ("escaped bytes that are no text", "token=%ff%fe".to_owned()),
        ("too many", (0..200).fold(String::new(), |text, n| format!("{text}p{n}=1&")) + "token=a"),
    ] {
        let reply = conn.ask(Ask::post("/oauth/introspect").raw_form(body).basic(&api)).await;
        assert_eq!((reply.status, reply.error().as_str()), (400, "invalid_request"), "{reason}");
    }
}

#[tokio::test]
async fn the_token_is_not_taken_from_the_query() {
    let site = Site::new().await;
    let server = site.serve().await;
    let conn = server.connect().await;
    let (service, api) = (client("service"), client("api"));
    let issued = conn.ask(token(&service, &[])).await.token();
    let target = format!("/oauth/introspect?token={issued}");
    let reply = conn.ask(Ask::post(target).raw_form("").basic(&api)).await;
    assert_eq!((reply.status, reply.error().as_str()), (400, "invalid_request"));
    let target = format!("/oauth/introspect?token={issued}&client_id=poster&client_secret={}", client("poster").secret);
    assert_eq!(conn.ask(Ask::post(target).raw_form("")).await.status, 401);
    assert!(!server.log().contains(&issued), "a query does not reach the log");
}

#[tokio::test]
async fn bodies_have_a_size() {
    let site = Site::new().await;
    let server = site.serve().await;
    let conn = server.connect().await;
    let service = client("service");
    let issued = conn.ask(token(&service, &[])).await.token();
    let padded =
        |bytes: usize| form(&[("token", &issued), ("grant_type", "client_credentials"), ("x", &"a".repeat(bytes))]);
    for path in PATHS {
        let reply = conn.ask(Ask::post(path).raw_form(padded(20_000)).basic(&service)).await;
        assert_eq!(reply.status, 200, "{path}: a large body: {}", reply.text());
        for bytes in [40_000, 70_000, 200_000] {
            let reply = conn.ask(Ask::post(path).raw_form(padded(bytes)).basic(&service)).await;
            assert_eq!(reply.status, 413, "{path}: {bytes} bytes");
        }
    }
    assert!(!conn.ask(introspect(&service, &issued)).await.is_active(), "the first row of the revocation did its work");
}
