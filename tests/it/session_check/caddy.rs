//! A page behind Caddy, as a browser sees it.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use tokio::net::TcpStream;

use super::{edge_cookie, make_applications};
use crate::account::people::{Browser, PASSWORD, leads_to, make};
use crate::support::ask::Ask;
use crate::support::connect::Conn;
use crate::support::place;
use crate::support::server::Server;
use crate::support::site::Site;
use crate::support::wait::until;

const CADDY: &str = "/usr/bin/caddy";
const DOCS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/features/session-check.md");

struct Caddy {
    child: Child,
    shop: SocketAddr,
}

impl Drop for Caddy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Caddy {
    /// The recipe in front of an application that repeats what it is sent.
    async fn start(server: &Server, port: u16) -> Self {
        let (shop, application) = (SocketAddr::from((place::address(), port)), place::port());
        let directory = place::directory("caddy");
        std::fs::write(directory.join("Caddyfile"), caddyfile(server, shop, application)).unwrap();
        let log = std::fs::File::create(directory.join("log")).unwrap();
        let child = Command::new(CADDY)
            .args(["run", "--adapter", "caddyfile", "--config"])
            .arg(directory.join("Caddyfile"))
            .env("HOME", &directory)
            .env("XDG_DATA_HOME", &directory)
            .env("XDG_CONFIG_HOME", &directory)
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut caddy = Self { child, shop };
        until("Caddy's listener", async || {
            if let Some(status) = caddy.child.try_wait().unwrap() {
                panic!("Caddy ended with {status}: {}", std::fs::read_to_string(directory.join("log")).unwrap());
            }
            TcpStream::connect(shop).await.ok()
        })
        .await;
        caddy
    }

    async fn connect(&self, server: &Server) -> Conn {
        Conn::open(&server.offer(), self.shop).await
    }
}

/// The recipe, with this run's names and files in place of the example's.
fn caddyfile(server: &Server, shop: SocketAddr, application: u16) -> String {
    let page = std::fs::read_to_string(DOCS).unwrap();
    let recipe = page.split_once("```caddy\n").unwrap().1.split_once("```").unwrap().0;
    let file = |name: &str| server.directory.join(name).display().to_string();
    let (address, host) = (shop.ip(), server.issuer.trim_start_matches("https://"));
    let tls = format!("tls {} {}", file("server.pem"), file("server.key"));
    let transport =
        format!("transport http {{\ntls_server_name localhost\ntls_trusted_ca_certs {}\n}}", file("ca.pem"));
    let mut text = recipe.to_owned();
    for (example, real) in [
        ("https://shop.example.com {", format!("https://localhost:{} {{\nbind {address}\n{tls}", shop.port())),
        ("https://auth.example.com {", format!("https://{} {{\n{transport}", server.address)),
        ("{upstream_hostport}", host.to_owned()),
        ("127.0.0.1:8080", format!("{address}:{application}")),
    ] {
        assert_eq!(text.matches(example).count(), 1, "{example}");
        text = text.replace(example, &real);
    }
    let shown = ["X-Auth-Subject", "X-Auth-Tenant", "X-Auth-Role", "X-Auth-Email", "Cookie"];
    let shown: Vec<String> = shown.iter().map(|name| format!("{name}=<{{http.request.header.{name}}}>")).collect();
    format!(
        "{{\nadmin off\nauto_https off\n}}\n{text}\n\
         http://:{application} {{\nbind {address}\nrespond \"{}\"\n}}\n",
        shown.join(" ")
    )
}

#[tokio::test]
async fn caddy_guards_a_page() {
    assert!(Path::new(CADDY).exists(), "Debian's caddy is needed: apt-get install caddy");
    let site = Site::new().await;
    make(&site, "ann@example.com").await;
    let ports = [place::port(), place::port()];
    make_applications(&site, ports);
    let server = site.serve_unbudgeted().await;
    let caddy = Caddy::start(&server, ports[0]).await;
    let conn = caddy.connect(&server).await;
    let page = format!("https://localhost:{}/orders?id=1&x=a%20b", ports[0]);

    // Anonymous: to SigID, to sign in, and back.
    let to_start = conn.ask(Ask::get("/orders?id=1&x=a%20b").header("x-auth-subject", "root")).await.expect(302);
    let location = to_start.header("location").unwrap().to_owned();
    let to_start = location.strip_prefix(&server.issuer).unwrap().to_owned();
    let mut ann = Browser::open(&server).await;
    let to_login = ann.get(&to_start).await.expect(303);
    assert!(to_login.header("location").unwrap().starts_with("/login?next=%2Fsession%2Fstart"));
    let form = [("email", "ann@example.com"), ("password", PASSWORD), ("next", to_start.as_str())];
    leads_to(&ann.post("/login", &form).await, &to_start);
    leads_to(&ann.get(&to_start).await, &page);

    // Signed in: the page, with who it is; what the visitor said of it is gone, and so are SigID's cookies.
    let cookie = edge_cookie(&mut ann, "shop", ports[0]).await;
    let bank = edge_cookie(&mut ann, "bank", ports[1]).await;
    let session = format!("__Host-sigid={}", ann.session().unwrap());
    let dressed = |cookies: &[&str]| {
        Ask::get("/orders?id=1")
            .header("cookie", cookies.join("; "))
            .header("x-auth-subject", "root")
            .header("x-auth-role", "root")
            .header("x-auth-email", "root@example.com")
    };
    let seen = conn.ask(dressed(&["theme=dark", &cookie, &bank, &session, "lang=en"])).await.expect(200);
    let known = server.ask(Ask::get("/session/check?client_id=shop").header("cookie", &cookie)).await.expect(200);
    let subject = known.header("x-auth-subject").unwrap();
    assert!(seen.text().contains(&format!("X-Auth-Subject=<{subject}>")), "{}", seen.text());
    for (what, expected) in [
        ("no header of the visitor's", "X-Auth-Role=<>"),
        ("not even one that SigID did not send", "X-Auth-Email=<>"),
        ("the application's own cookies, and no others", "Cookie=<theme=dark; lang=en>"),
    ] {
        assert!(seen.text().contains(expected), "{what}: {}", seen.text());
    }
    for method in ["POST", "PUT", "OPTIONS"] {
        conn.ask(Ask { method: method.parse().unwrap(), ..dressed(&[&cookie]) }).await.expect(200);
    }

    // Another application's cookie, and none of ours.
    let renamed = bank.replace("__Secure-sigid-bank", "__Secure-sigid-shop");
    for (reason, cookies) in [
        ("another application's", vec![bank.as_str()]),
        ("renamed", vec![&renamed]),
        ("SigID's own session", vec![&session]),
        ("twice", vec![&cookie, &cookie]),
    ] {
        let refused = conn.ask(dressed(&cookies)).await;
        assert_eq!(refused.status, 302, "{reason}: {}", refused.text());
    }

    // Signed out: refused at once.
    ann.post("/logout", &[]).await.expect(200);
    let refused = conn.ask(dressed(&[&cookie])).await.expect(302);
    assert!(refused.header("location").unwrap().starts_with(&server.issuer));
}
