//! What every page brings along: the sheet, the languages, the policy.

mod brand;
mod errors;
mod words;

use crate::support::ask::Ask;
use crate::support::site::Site;

#[tokio::test]
async fn a_first_page_takes_three_requests_and_keeps_two() {
    let site = Site::new().await;
    let server = site.serve().await;
    let conn = server.connect().await;
    let page = conn.ask(Ask::get("/login")).await.expect(200);
    let assets = addresses(page.text());
    assert_eq!(assets.len(), 2, "a sheet and an icon: {assets:?}");
    for address in &assets {
        let asset = conn.ask(Ask::get(address.as_str())).await.expect(200);
        assert_eq!(asset.header("cache-control"), Some("public, max-age=31536000, immutable"), "{address}");
        assert_eq!(asset.header("x-content-type-options"), Some("nosniff"), "{address}");
        let (path, _) = address.split_once('?').unwrap();
        for other in [path.to_owned(), format!("{path}?v=0000000000000000")] {
            let asset = conn.ask(Ask::get(other.as_str())).await.expect(200);
            assert_eq!(asset.header("cache-control"), Some("no-cache"), "{other}: of another build");
        }
    }
    let sheet = conn.ask(Ask::get(assets[1].as_str())).await;
    assert!(page.body.len() + sheet.body.len() < 50_000, "{} + {}", page.body.len(), sheet.body.len());
    conn.ask(Ask::get("/favicon.ico")).await.expect(204);
}

/// What the head of a document asks for.
fn addresses(document: &str) -> Vec<String> {
    let links = document.split("<link ").skip(1).filter_map(|rest| rest.split("href=\"").nth(1));
    links.filter_map(|rest| rest.split('"').next()).map(str::to_owned).collect()
}

#[tokio::test]
async fn a_page_speaks_the_language_that_was_chosen() {
    let site = Site::new().await;
    let server = site.serve().await;
    let conn = server.connect().await;
    for (reason, target, accept, lang) in [
        ("nothing asked", "/login", "", "en"),
        ("the browser's", "/login", "pt, de-AT;q=0.8", "de"),
        ("the application's", "/login?ui_locales=fr", "de", "fr"),
    ] {
        let page = conn.ask(Ask::get(target).header("accept-language", accept)).await.expect(200);
        assert!(page.text().contains(&format!("<html lang=\"{lang}\">")), "{reason}");
        assert_eq!(page.header("vary"), Some("accept-language, cookie"), "{reason}");
    }
    let page = conn.ask(Ask::get("/login?next=%2Faccount%2Femail")).await.expect(200);
    let switch = page.text().split("<a href=\"").find(|link| link.starts_with("/language?to=de")).unwrap();
    let switch = switch.split('"').next().unwrap().replace("&#38;", "&");
    let chosen = conn.ask(Ask::get(switch)).await.expect(303);
    assert_eq!(chosen.header("location"), Some("/login?next=%2Faccount%2Femail"), "back to where the person was");
    let cookie = chosen.header("set-cookie").unwrap();
    assert!(cookie.ends_with("; Secure; HttpOnly; SameSite=Lax"), "{cookie}");
    let (cookie, _) = cookie.split_once(';').unwrap();
    let page = conn.ask(Ask::get("/login").header("cookie", cookie).header("accept-language", "fr")).await;
    assert!(page.text().contains("<html lang=\"de\">"), "the choice is kept");
    for next in ["https%3A%2F%2Fevil.example", "%2F%2Fevil.example", "%2F%5Cevil.example", "%2F%09%2Fevil.example"] {
        let reply = conn.ask(Ask::get(format!("/language?to=de&next={next}"))).await.expect(303);
        assert_eq!(reply.header("location"), Some("/login"), "{next}");
    }
}
