//! What a person reads where no page was asked for, and a program does not.

use crate::support::ask::Ask;
use crate::support::site::Site;

const BROWSER: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8";

#[tokio::test]
async fn a_person_gets_a_page_and_a_program_a_document() {
    let site = Site::new().await;
    let server = site.serve_with(site.settings().set("server.allowed_hosts", "[\"localhost\", \"127.0.0.1\"]")).await;
    let conn = server.connect().await;
    for (reason, ask, status) in [
        ("no such path", Ask::get("/nowhere"), 404),
        ("another method", Ask::get("/oauth/token"), 405),
        ("too much", Ask::post("/login").body("x".repeat(40_000)), 413),
        ("another host", Ask::get("/login").authority("elsewhere.example"), 421),
        ("no such logo", Ask::get(format!("/assets/logo/{}", "0".repeat(64))), 404),
    ] {
        for (accept, is_page) in [(BROWSER, true), ("*/*", false), ("application/json", false)] {
            let reply = conn.ask(ask.clone().header("accept", accept)).await.expect(status);
            let kind = reply.header("content-type").unwrap();
            assert_eq!(kind.starts_with("text/html"), is_page, "{reason}: {accept}: {kind}");
            assert_eq!(kind == "application/problem+json", !is_page, "{reason}: {accept}: {kind}");
            assert_eq!(reply.header("cache-control"), Some("no-store"), "{reason}: {accept}");
            assert_eq!(reply.header("allow").is_some(), status == 405, "{reason}: {accept}");
            if is_page {
                assert!(reply.header("content-security-policy").unwrap().contains("default-src 'none'"), "{reason}");
                assert_eq!(reply.text().matches("<h1>").count(), 1, "{reason}: {}", reply.text());
            }
        }
    }
    let page = conn.ask(Ask::get("/login").authority("elsewhere.example").header("accept", BROWSER)).await;
    assert!(page.text().contains(&format!("href=\"{}/account\"", site.issuer)), "the way to us: {}", page.text());
}

#[tokio::test]
async fn who_types_only_the_host_comes_to_the_account() {
    let site = Site::new().await;
    let server = site.serve().await;
    let reply = server.ask(Ask::get("/")).await.expect(303);
    assert_eq!((reply.header("location"), reply.header("cache-control")), (Some("/account"), Some("no-store")));
}
