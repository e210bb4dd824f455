//! Client authentication that fails, at every endpoint that asks for it: 401 or 400, never worse, never a hint.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::support::ask::{Ask, basic, token};
use crate::support::seed::client;
use crate::support::site::Site;

/// Endpoints that take a client's credentials, and the rest of a good request there.
const ENDPOINTS: [(&str, &str); 3] = [
    ("/oauth/introspect", "token=nonsense"),
    ("/oauth/revoke", "token=nonsense"),
    ("/oauth/token", "grant_type=client_credentials"),
];

/// What is sent: `Authorization` headers, more form fields, and the status that is due.
type Row = (&'static str, Vec<Vec<u8>>, String, u16);

fn rows() -> Vec<Row> {
    let (service, poster, spa) = (client("service"), client("poster"), client("spa"));
    let encoded = |text: &[u8]| [b"Basic ", STANDARD.encode(text).as_bytes()].concat();
    let header = |value: &[u8]| vec![value.to_vec()];
    let good = basic(&service.id, &service.secret).into_bytes();
    let post = |id: &str, secret: &str| format!("&client_id={id}&client_secret={secret}");
    let none = String::new;
    vec![
        ("nothing", vec![], none(), 401),
        ("no scheme", header(b""), none(), 401),
        ("Bearer without a token", header(b"Bearer"), none(), 401),
        ("Bearer with one", header(b"Bearer abc"), none(), 401),
        ("Basic without anything", header(b"Basic"), none(), 401),
        ("Basic and a space", header(b"Basic "), none(), 401),
        ("Basic =", header(b"Basic ="), none(), 401),
        ("Basic ====", header(b"Basic ===="), none(), 401),
        ("not base64", header(b"Basic !!!"), none(), 401),
        ("base64 of no UTF-8", header(&encoded(b"\xff\xfe:\xff")), none(), 401),
        ("bytes that are no text", header(b"Basic \xff\xfe\xfd"), none(), 401),
        ("no colon", header(&encoded(b"service")), none(), 401),
        ("an empty id", header(&encoded(b":secret")), none(), 401),
        ("an empty secret", header(&encoded(b"service:")), none(), 401),
        ("a colon alone", header(&encoded(b":")), none(), 401),
        ("a zero byte", header(&encoded(b"service\0:x")), none(), 401),
        ("a broken escape", header(&encoded(b"service:%zz")), none(), 401),
        ("the scheme of another", header(&[b"Digest ", &good[6..]].concat()), none(), 401),
        ("a wrong secret", header(&encoded(b"service:wrong")), none(), 401),
        ("a client that is not", header(&encoded(b"nobody:secret")), none(), 401),
        ("another client's secret", header(basic(&service.id, &poster.secret).as_bytes()), none(), 401),
        ("basic, registered post", header(basic(&poster.id, &poster.secret).as_bytes()), none(), 401),
        ("post, registered basic", vec![], post(&service.id, &service.secret), 401),
        ("post with a wrong secret", vec![], post(&poster.id, "wrong"), 401),
        ("post with an empty secret", vec![], post(&poster.id, ""), 401),
        ("post without an id", vec![], format!("&client_secret={}", poster.secret), 401),
        ("basic with a public client's id", header(basic(&spa.id, "x").as_bytes()), none(), 401),
        ("a confidential client by its id alone", vec![], format!("&client_id={}", service.id), 401),
        ("two headers", vec![good.clone(), good.clone()], none(), 400),
        ("a good header and post", vec![good.clone()], post(&service.id, &service.secret), 400),
        ("a good header and another's post", vec![good.clone()], post(&poster.id, &poster.secret), 400),
        ("a good header and another id", vec![good.clone()], format!("&client_id={}", poster.id), 400),
        ("a good header and an assertion", vec![good], "&client_assertion=a.b.c".to_owned(), 400),
        ("an assertion without its type", vec![], "&client_assertion=a.b.c".to_owned(), 401),
        ("an assertion of an unknown type", vec![], "&client_assertion=a.b.c&client_assertion_type=x".to_owned(), 401),
        (
            "an assertion that is none",
            vec![],
            format!("&client_assertion=a.b.c&client_assertion_type={}", crate::token::assertion::TYPE),
            401,
        ),
    ]
}

#[tokio::test]
async fn bad_credentials_are_refused_alike_everywhere() {
    let site = Site::new().await;
    let server = site.serve_unbudgeted().await;
    let conn = server.connect().await;
    for (path, fields) in ENDPOINTS {
        for (reason, headers, more, status) in rows() {
            let mut ask = Ask::post(path).raw_form(format!("{fields}{more}"));
            for value in headers {
                ask = ask.header("authorization", value);
            }
            let reply = conn.ask(ask).await;
            assert_eq!(reply.status, status, "{path}: {reason}: {}", reply.text());
            let error = if status == 401 { "invalid_client" } else { "invalid_request" };
            assert_eq!(reply.error(), error, "{path}: {reason}");
            assert_eq!(reply.header("cache-control"), Some("no-store"), "{path}: {reason}");
            let challenge = reply.header("www-authenticate").unwrap_or_default();
            assert_eq!(challenge.starts_with("Basic "), status == 401, "{path}: {reason}: {challenge:?}");
        }
    }
    // None of it hurt the connection.
    conn.ask(token(&client("service"), &[])).await.expect(200);
}

#[tokio::test]
async fn a_public_client_may_not_introspect() {
    let site = Site::new().await;
    let server = site.serve().await;
    let reply = server.ask(Ask::post("/oauth/introspect").form(&[("token", "x"), ("client_id", "spa")])).await;
    assert_eq!((reply.status, reply.error().as_str()), (401, "invalid_client"));
}

#[tokio::test]
async fn an_enormous_credential_is_refused() {
    let site = Site::new().await;
    let server = site.serve().await;
    let other = server.connect().await;
    for (reason, bytes) in
        [("more than a credential is", 2_000), ("near the header limit", 12_000), ("over it", 65_536)]
    {
        for (path, fields) in ENDPOINTS {
            let value = format!("Basic {}", "A".repeat(bytes));
            let ask = Ask::post(path).raw_form(fields).header("authorization", value);
            match server.connect().await.try_ask(ask).await {
                Ok(reply) => assert!([400, 401, 431].contains(&reply.status), "{path}: {reason}: {}", reply.status),
                // A header far over the limit costs the connection, and no other.
                Err(error) => assert!(bytes > 16_384, "{path}: {reason}: {error}"),
            }
            other.ask(token(&client("service"), &[])).await.expect(200);
        }
    }
}

#[tokio::test]
async fn known_credentials_pass_in_every_spelling() {
    let site = Site::new().await;
    let server = site.serve().await;
    let conn = server.connect().await;
    let service = client("service");
    let escaped = |text: &str| crate::support::ask::escape_all(text);
    let pair = STANDARD.encode(format!("{}:{}", escaped(&service.id), escaped(&service.secret)));
    let plain = STANDARD.encode(format!("{}:{}", service.id, service.secret));
    for (reason, header) in [
        ("as usual", format!("Basic {plain}")),
        ("the scheme in small letters", format!("basic {plain}")),
        ("the scheme in capitals", format!("BASIC {plain}")),
        ("each byte escaped", format!("Basic {pair}")),
        ("without padding", format!("Basic {}", plain.trim_end_matches('='))),
    ] {
        for (path, fields) in ENDPOINTS {
            let reply = conn.ask(Ask::post(path).raw_form(fields).header("authorization", &header)).await;
            assert_eq!(reply.status, 200, "{path}: {reason}: {}", reply.text());
        }
    }
    // The same client named again in the body is no second method.
    for (path, fields) in ENDPOINTS {
        let reply = conn.ask(Ask::post(path).raw_form(format!("{fields}&client_id=service")).basic(&service)).await;
        assert_eq!(reply.status, 200, "{path}: {}", reply.text());
    }
    let poster = client("poster");
    for (path, fields) in ENDPOINTS {
        let more = format!("&client_id={}&client_secret={}", escaped(&poster.id), escaped(&poster.secret));
        let reply = conn.ask(Ask::post(path).raw_form(format!("{fields}{more}"))).await;
        assert_eq!(reply.status, 200, "{path}: each byte of the body escaped: {}", reply.text());
    }
}

#[tokio::test]
async fn guessing_runs_out_of_budget_and_harms_nobody_else() {
    let site = Site::new().await;
    let server = site.serve_with(site.settings().set("edge.unknown_client_budget_per_minute", 5)).await;
    let conn = server.connect().await;
    let service = client("service");
    let issued = conn.ask(token(&service, &[])).await.token();
    for turn in 0..40 {
        let guess = crate::support::seed::Credential { id: "service".into(), secret: format!("guess-{turn}") };
        let reply = conn.ask(crate::support::ask::introspect(&guess, &issued)).await;
        assert_eq!((reply.status, reply.error().as_str()), (401, "invalid_client"), "guess {turn}");
    }
    let unasked = server.metrics().await.sum("sigid_introspect_unauthenticated_total", &[]);
    assert!(unasked >= 20, "only {unasked} of 40 guesses were refused from memory");
    assert!(
        conn.ask(crate::support::ask::introspect(&service, &issued)).await.is_active(),
        "a known client never pays"
    );
}
