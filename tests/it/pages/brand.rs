//! A tenant's brand: who sees it, where its logo comes from, and when a change is there.

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::account::people::Browser;
use crate::login::application::{SHOP, make_applications, start};
use crate::login::site;
use crate::support::ask::{Ask, escape};
use crate::support::place;
use crate::support::relay::{Relay, State};
use crate::support::server::Server;
use crate::support::site::Site;
use crate::support::wait::until_true;

/// A PNG of so many pixels, with nothing behind its header; `mark` makes it another one.
fn png(width: u32, height: u32, mark: u8) -> Vec<u8> {
    let header = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR".as_slice();
    [header, &width.to_be_bytes(), &height.to_be_bytes(), &[8, 6, 0, 0, 0, mark]].concat()
}

fn file(name: &str, content: &[u8]) -> String {
    let path = place::directory("logo").join(name);
    std::fs::write(&path, content).unwrap();
    path.to_str().unwrap().to_owned()
}

fn set(site: &Site, slug: &str, members: &[&str]) -> Value {
    site.admin(&[&["tenant", "brand", "set", slug], members].concat()).json()
}

async fn login(server: &Server, next: &str) -> String {
    let target = if next.is_empty() { "/login".to_owned() } else { format!("/login?next={}", escape(next)) };
    server.ask(Ask::get(target)).await.expect(200).text().to_owned()
}

#[tokio::test]
async fn sign_in_looks_as_the_application_that_asked() {
    let (site, server, mailbox) = site().await;
    make_applications(&site);
    let logo = file("logo.png", &png(64, 64, 1));
    let made = set(&site, "one", &["--name", "Acme & Co", "--accent", "#FFD400", "--logo", &logo]);
    let path = made["logo"]["path"].as_str().unwrap().to_owned();
    let to_shop = start("shop", SHOP);
    until_true("the brand", async || login(&server, &to_shop).await.contains(&path)).await;
    let page = login(&server, &to_shop).await;
    for (reason, part) in [
        ("its name, escaped", "Acme &#38; Co</span>"),
        ("its colour", "--accent:#ffd400;--accent-text:#000000;"),
        ("its logo, where the page says who asks", &*format!("<img src=\"{path}\" alt=\"\"")),
        ("its logo, in the browser's tab", &*format!("<link rel=\"icon\" href=\"{path}\">")),
        ("where the person is going", "localhost:9443"),
    ] {
        assert!(page.contains(part), "{reason}: {part} in {page}");
    }
    assert!(!page.contains("src=\"http") && !page.contains("href=\"http"), "nobody else is asked: {page}");
    for (reason, next) in [
        ("no application", ""),
        ("another tenant's application", &*start("bank", "https://localhost:9444/")),
        ("an address that is not the application's", &*start("shop", "https://evil.example/")),
    ] {
        let page = login(&server, next).await;
        assert!(!page.contains("Acme") && page.contains("· SigID</title>"), "{reason}: {page}");
    }
    let mut newcomer = Browser::open(&server).await;
    let next = escape(&to_shop);
    let register = newcomer.get(&format!("/register?next={next}")).await.expect(200);
    assert!(register.text().contains("Acme"), "registration on the way there: {}", register.text());
    let form =
        [("email", "new@example.com"), ("name", "New"), ("new_password", "correct horse battery"), ("next", &to_shop)];
    newcomer.post("/register", &form).await.expect(200);
    let letter = mailbox.wait_for_link("new@example.com", "/verify").await;
    assert_eq!(letter.from, "Acme & Co", "the letter is from whom the person asked");
    assert!(letter.subject.contains("Acme & Co"), "{}", letter.subject);
    assert!(letter.html.contains(&format!("src=\"{}{path}\"", site.issuer)), "{}", letter.html);
    assert!(letter.html.contains("background:#ffd400;color:#000000"), "{}", letter.html);
}

#[tokio::test]
async fn a_logo_is_served_from_here_alone_and_only_as_what_it_is() {
    let site = Site::new().await;
    let server = site.serve().await;
    let content = png(64, 32, 1);
    let made = set(&site, "one", &["--logo", &file("logo.svg", &content)]);
    assert_eq!(made["name"], "one", "called as the tenant is");
    let logo = &made["logo"];
    assert_eq!((&logo["media_type"], &logo["width"], &logo["height"]), (&json!("image/png"), &json!(64), &json!(32)));
    let path = logo["path"].as_str().unwrap().to_owned();
    let reply = server.ask(Ask::get(path.as_str())).await.expect(200);
    assert_eq!(reply.body, content);
    for (name, value) in [
        ("content-type", "image/png"),
        ("cache-control", "public, max-age=31536000, immutable"),
        ("x-content-type-options", "nosniff"),
        ("content-security-policy", "default-src 'none'; sandbox"),
    ] {
        assert_eq!(reply.header(name), Some(value), "{name}");
    }
    for (reason, target) in [
        ("another digest", format!("{}0", &path[..path.len() - 1])),
        ("upper case", path.to_uppercase().replace("/ASSETS/LOGO", "/assets/logo")),
        ("a suffix", format!("{path}.png")),
        ("nothing", "/assets/logo/".to_owned()),
        ("a way out", format!("/assets/logo/../../{path}")),
    ] {
        if target != path {
            assert_eq!(server.ask(Ask::get(target)).await.status, 404, "{reason}");
        }
    }
    assert_eq!(set(&site, "two", &["--logo", &file("same.png", &content)])["logo"]["path"], path.as_str());
    site.admin(&["tenant", "brand", "clear", "one"]).expect(0);
    server.ask(Ask::get(path.as_str())).await.expect(200);
    site.admin(&["tenant", "brand", "clear", "two"]).expect(0);
    until_true("the logo's end", async || server.ask(Ask::get(path.as_str())).await.status == 404).await;
}

#[tokio::test]
async fn pages_without_an_application_have_the_operators_brand() {
    let site = Site::new().await;
    let (server, another) = (site.serve().await, site.serve_with(site.another_port()).await);
    let says = async |name: &str| {
        for server in [&server, &another] {
            until_true(name, async || login(server, "").await.contains(&format!("· {name}</title>"))).await;
        }
    };
    set(&site, "one", &["--name", "One", "--operator"]);
    says("One").await;
    assert_eq!(set(&site, "two", &["--name", "Two", "--operator"])["operator"], true);
    says("Two").await;
    let one = site.admin(&["tenant", "brand", "show", "one"]).json();
    assert_eq!((&one["name"], &one["operator"]), (&json!("One"), &json!(false)), "one at a time");
    set(&site, "two", &["--no-operator"]);
    says("SigID").await;
    set(&site, "one", &["--operator"]);
    says("One").await;
    site.admin(&["tenant", "brand", "clear", "one"]).expect(0);
    says("SigID").await;
    assert_eq!(site.admin(&["tenant", "brand", "show", "one"]).code, 1, "there is none");
}

#[tokio::test]
async fn a_brand_that_people_could_not_read_or_trust_is_refused() {
    let site = Site::new().await;
    let set = ["tenant", "brand", "set", "one"];
    let (svg, wall) =
        (file("logo.png", b"<svg xmlns='http://www.w3.org/2000/svg'/>"), file("wall.png", &png(9999, 9999, 1)));
    let large = file("large.png", &[png(64, 64, 1), vec![0; 256 * 1024]].concat());
    for (reason, members, code, said) in [
        ("nothing", vec![], 64, "name at least one member"),
        ("a word", vec!["--accent", "red"], 1, "#rrggbb"),
        ("a line break", vec!["--name", "a\nb"], 1, "control characters"),
        ("another sender", vec!["--name", "CEO <ceo@bank.example>,"], 1, "without any of"),
        ("a script", vec!["--privacy-uri", "javascript:alert(1)"], 1, "https://"),
        ("without TLS", vec!["--terms-uri", "http://a.example/"], 1, "https://"),
        ("SVG", vec!["--logo", &svg], 1, "PNG, JPEG or WebP"),
        ("a wall of pixels", vec!["--logo", &wall], 1, "2048 pixels"),
        ("too large", vec!["--logo", &large], 1, "256 KiB"),
        ("no such file", vec!["--logo", "/nowhere/logo.png"], 1, "/nowhere/logo.png"),
        ("a private network", vec!["--logo", "https://10.0.0.1/logo.png"], 1, "not on the internet"),
        ("a metadata service", vec!["--logo", "http://169.254.169.254/logo.png"], 1, "not on the internet"),
        ("a file by its address", vec!["--logo", "file:///etc/passwd"], 1, "https://"),
        ("both", vec!["--logo", &wall, "--no-logo"], 64, "--no-logo"),
    ] {
        let ended = site.admin(&[&set[..], &members].concat());
        assert_eq!(ended.code, code, "{reason}: {}{}", ended.out, ended.err);
        assert!(ended.err.contains(said), "{reason}: {}", ended.err);
    }
    assert_eq!(site.admin(&["tenant", "brand", "set", "nobody", "--name", "x"]).code, 1, "no such tenant");
    assert_eq!(site.admin(&["tenant", "brand", "show", "one"]).code, 1, "nothing was done");
}

#[tokio::test]
async fn a_logo_is_fetched_once() {
    let site = Site::new().await;
    let content = png(16, 16, 7);
    let listener = TcpListener::bind((place::address(), place::port())).await.unwrap();
    let address = format!("http://{}/logo.png", listener.local_addr().unwrap());
    let answer = [b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\n\r\n".as_slice(), &content].concat();
    let served = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut asked = Vec::new();
        while !asked.ends_with(b"\r\n\r\n") {
            assert_ne!(stream.read_buf(&mut asked).await.unwrap(), 0);
        }
        stream.write_all(&answer).await.unwrap();
        // The listener ends here: whoever asked again would be refused.
        String::from_utf8(asked).unwrap()
    });
    let site = std::sync::Arc::new(site);
    let (asking, place) = (site.clone(), address.clone());
    let made = tokio::task::spawn_blocking(move || set(&asking, "one", &["--logo", &place])).await.unwrap();
    let asked = served.await.unwrap();
    assert!(asked.starts_with("GET /logo.png HTTP/1.1\r\n") && !asked.contains("cookie"), "{asked}");
    assert_eq!(made["logo"]["media_type"], "image/png", "what it is, whatever the header says");
    let server = site.serve().await;
    let path = made["logo"]["path"].as_str().unwrap().to_owned();
    let page = {
        set(&site, "one", &["--operator"]);
        until_true("the brand", async || login(&server, "").await.contains(&path)).await;
        login(&server, "").await
    };
    assert!(!page.contains(&address), "no page names where it came from");
    assert_eq!(server.ask(Ask::get(path.as_str())).await.expect(200).body, content);
}

#[tokio::test]
async fn without_a_database_pages_keep_their_brand_and_logos_their_readers() {
    let site = Site::new().await;
    let relay = Relay::new();
    let server = site.serve_with(site.through(&relay)).await;
    let unread = set(&site, "two", &["--logo", &file("unread.png", &png(8, 8, 2))]);
    let kept = set(&site, "one", &["--operator", "--logo", &file("kept.png", &png(8, 8, 1))]);
    let path = |made: &Value| made["logo"]["path"].as_str().unwrap().to_owned();
    // What is known of the second change is known of the first; the memory of logos begins anew with each.
    until_true("both brands", async || {
        server.ask(Ask::get(path(&kept))).await.status == 200 && login(&server, "").await.contains(&path(&kept))
    })
    .await;
    server.ask(Ask::get(path(&kept))).await.expect(200);
    relay.set(State::Cut);
    until_true("the database's end", async || server.ask(Ask::get(path(&unread))).await.status == 503).await;
    server.ask(Ask::get(path(&kept))).await.expect(200);
    assert!(login(&server, "").await.contains(&path(&kept)), "the brand is in memory");
    relay.set(State::Whole);
    until_true("the database again", async || server.ask(Ask::get(path(&unread))).await.status == 200).await;
}
