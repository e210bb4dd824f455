//! An application behind a real Caddy that runs the recipe of docs/features/session-check.md, seen from the address
//! bar: sent to sign in and back, let in, told who it is, let out.
//!
//! Unlike elsewhere in these tests the names are real ones, `auth.`, `shop.` and `bank.sigid.localhost`: only then is the
//! cookie that of a domain, and only a browser knows whether a form may end at another origin than its own (`form-action`).

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};
use tokio::net::TcpStream;

use super::audit::{self, Audit};
use super::chromium::{Chromium, World};
use super::tab::Tab;
use crate::account::people::{PASSWORD, make};
use crate::support::ask::escape;
use crate::support::seed::write_certificate_for;
use crate::support::server::{Server, Start};
use crate::support::site::Site;
use crate::support::wait::until;
use crate::support::{cluster, place};

const DOMAIN: &str = "sigid.localhost";
const DOCS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/features/session-check.md");
/// The applications: id, tenant, name.
const APPLICATIONS: [(&str, &str, &str); 2] = [("shop", "one", "Corner shop"), ("bank", "two", "River bank")];

/// SigID, and two applications behind one Caddy.
struct Town {
    server: Server,
    caddy: Child,
    port: u16,
}

impl Drop for Town {
    fn drop(&mut self) {
        let _ = self.caddy.kill();
        let _ = self.caddy.wait();
    }
}

impl Town {
    async fn start() -> Self {
        let mut site = Site::new().await;
        site.issuer = site.issuer.replace("localhost", &format!("auth.{DOMAIN}"));
        make(&site, "ann@example.com").await;
        let port = place::port();
        for (client, tenant, name) in APPLICATIONS {
            let back = format!("https://{client}.{DOMAIN}:{port}/");
            let arguments = ["client", "create", "--tenant", tenant, "--client-id", client, "--redirect-uri", &back];
            let more = ["--client-name", name, "--token-endpoint-auth-method", "none"];
            site.admin(&[&arguments[..], &more].concat()).expect(0);
        }
        let brand = ["tenant", "brand", "set", "one", "--name", "Main Street", "--accent", "#ffd400"];
        site.admin(&brand).expect(0);
        let server = serve(&site).await;
        let caddy = start_caddy(&server, port).await;
        Self { server, caddy, port }
    }

    fn world(&self) -> World {
        let names = format!("MAP *.{DOMAIN} {}", place::address());
        World { keys: vec![self.server.directory.join("server.key")], names }
    }

    fn page(&self, application: &str) -> String {
        format!("https://{application}.{DOMAIN}:{}/orders?id=1&x=a%20b", self.port)
    }
}

async fn serve(site: &Site) -> Server {
    let (directory, settings) = site.furnish(site.settings().text("server.base_domain", DOMAIN));
    let hosts = ["localhost", &format!("*.{DOMAIN}")];
    write_certificate_for(&cluster::shared().directory, &directory, DOMAIN, &hosts);
    let listen = format!("{}:{}", settings.find("server.host"), settings.find("server.port")).parse().unwrap();
    let metrics = settings.find("telemetry.metrics_listen").parse().unwrap();
    let start = Start { arguments: vec!["--budgets", "off"], ..Start::default() };
    Server::start(directory, listen, metrics, site.issuer.clone(), &start).await
}

async fn start_caddy(server: &Server, port: u16) -> Child {
    let directory = place::directory("caddy");
    let application = place::port();
    let mut text = "{\nadmin off\nauto_https off\n}\n".to_owned();
    for (client, ..) in APPLICATIONS {
        text.push_str(&recipe(server, client, port, application));
    }
    let address = place::address();
    let shown = "subject=<{http.request.header.X-Auth-Subject}> cookie=<{http.request.header.Cookie}>";
    let _ = write!(text, "http://:{application} {{\nbind {address}\nrespond \"{shown}\"\n}}\n");
    std::fs::write(directory.join("Caddyfile"), text).unwrap();
    let mut command = Command::new("caddy");
    command.args(["run", "--adapter", "caddyfile", "--config"]).arg(directory.join("Caddyfile"));
    command.env("HOME", &directory).env("XDG_DATA_HOME", &directory).env("XDG_CONFIG_HOME", &directory);
    command.stdin(Stdio::null()).stdout(Stdio::null());
    let log = directory.join("log");
    let child = command.stderr(std::fs::File::create(&log).unwrap()).spawn();
    let mut child = child.expect("Caddy is needed: ./dev test gets it, or apt-get install caddy");
    until("Caddy's listener", async || {
        if let Some(status) = child.try_wait().unwrap() {
            panic!("Caddy ended with {status}: {}", std::fs::read_to_string(&log).unwrap());
        }
        TcpStream::connect(SocketAddr::from((address, port))).await.ok()
    })
    .await;
    child
}

/// The page's recipe, with this run's names and files in place of the example's.
fn recipe(server: &Server, client: &str, port: u16, application: u16) -> String {
    let page = std::fs::read_to_string(DOCS).unwrap();
    let mut text = page.split_once("```caddy\n").unwrap().1.split_once("```").unwrap().0.to_owned();
    let file = |name: &str| server.directory.join(name).display().to_string();
    let tls = format!("tls {} {}", file("server.pem"), file("server.key"));
    let address = place::address();
    let transport =
        format!("transport http {{\ntls_server_name auth.{DOMAIN}\ntls_trusted_ca_certs {}\n}}", file("ca.pem"));
    for (example, real) in [
        ("https://shop.example.com {", format!("https://{client}.{DOMAIN}:{port} {{\nbind {address}\n{tls}")),
        ("https://auth.example.com {", format!("https://{} {{\n{transport}", server.address)),
        ("client_id=shop", format!("client_id={client}")),
        ("{upstream_hostport}", server.issuer.trim_start_matches("https://").to_owned()),
        ("127.0.0.1:8080", format!("{address}:{application}")),
    ] {
        assert_eq!(text.matches(example).count(), 1, "{example}");
        text = text.replace(example, &real);
    }
    text
}

#[tokio::test]
async fn caddy_sends_a_visitor_to_sign_in_and_lets_them_come_back() {
    let town = Town::start().await;
    let chromium = Chromium::start(&town.world());
    let tab = Tab::open(&chromium);
    let (shop, bank) = (town.page("shop"), town.page("bank"));

    // Anonymous: to sign in. A refused form leads on as the first one did.
    tab.go(&shop);
    at_sign_in(&tab, &town);
    assert_eq!(tab.heading(), "Sign in to Corner shop");
    let colour = tab.evaluate("getComputedStyle(document.querySelector('button.primary')).backgroundColor");
    assert_eq!(colour, "rgb(255, 212, 0)", "the tenant's colour, by the one style that the policy lets in");
    Audit::begin("guard").check(&tab, "login");
    for password in ["not the right one", PASSWORD] {
        tab.fill("Email", "ann@example.com");
        tab.fill("Password", password);
        assert_eq!(audit::faults_of_loading(&tab), Vec::<String>::new());
        tab.press("Sign in");
    }
    assert_eq!(tab.url(), shop, "back where the visitor wanted to go");
    let subject = subject(&tab);
    assert!(tab.shows("cookie=&lt;&gt;"), "the application sees no cookie of ours: {}", tab.html());

    // From now on the page comes at once.
    tab.forget();
    tab.go(&shop);
    assert_eq!(documents(&tab), [shop.as_str()]);

    // At the other application the cookie is worth nothing: the way leads through SigID, which knows the visitor.
    tab.forget();
    tab.go(&bank);
    let way = documents(&tab);
    assert!(way.len() == 3 && way[1].starts_with(&format!("{}/session/start?", town.server.issuer)), "{way:?}");
    assert_eq!((tab.url(), subject == self::subject(&tab)), (bank.clone(), false), "somebody else there");

    // Not even renamed, in a browser that has nothing else.
    let thief = Tab::open(&chromium);
    let stolen = cookie(&tab, "__Secure-sigid-shop");
    put_cookie(&thief, &bank, "__Secure-sigid-bank", &stolen);
    thief.go(&bank);
    at_sign_in(&thief, &town);
    put_cookie(&thief, &shop, "__Secure-sigid-shop", &stolen);
    thief.go(&shop);
    assert_eq!(self::subject(&thief), subject, "it is a good cookie, of one application");

    // The form of one application's sign-in ends at no other: the browser itself holds it to the page's policy.
    let led_astray = Tab::open(&chromium);
    led_astray.go(&shop);
    let astray = format!("/session/start?client_id=bank&return_to={}", escape(&bank));
    led_astray.evaluate(&format!("document.querySelector('[name=next]').value = '{astray}'"));
    led_astray.fill("Email", "ann@example.com");
    led_astray.fill("Password", PASSWORD);
    led_astray.click(&led_astray.find("button", "Sign in"));
    led_astray.hear("form-action");
    at_sign_in(&led_astray, &town);

    // Signed out: refused at once, wherever the cookie is.
    tab.go(&format!("{}/logout", town.server.issuer));
    tab.press("Sign out");
    for tab in [&tab, &thief] {
        tab.go(&shop);
        at_sign_in(tab, &town);
    }
}

#[track_caller]
fn at_sign_in(tab: &Tab, town: &Town) {
    assert!(tab.url().starts_with(&format!("{}/login?next=", town.server.issuer)), "{}: {}", tab.url(), tab.html());
}

/// Whom the application takes the visitor for.
#[track_caller]
fn subject(tab: &Tab) -> String {
    let html = tab.html();
    let found = html.split_once("subject=&lt;").and_then(|(_, rest)| rest.split_once("&gt;"));
    let subject = found.map(|(subject, _)| subject.to_owned()).unwrap_or_default();
    assert!(!subject.is_empty(), "{}: {html}", tab.url());
    subject
}

/// The addresses that the last load went through.
fn documents(tab: &Tab) -> Vec<String> {
    let is_document =
        |event: &&Value| event["method"] == "Network.requestWillBeSent" && event["params"]["type"] == "Document";
    let events = tab.events();
    let address = |event: &Value| event["params"]["request"]["url"].as_str().unwrap().to_owned();
    events.iter().filter(is_document).map(address).collect()
}

fn cookie(tab: &Tab, name: &str) -> String {
    let all = tab.call("Network.getCookies", json!({}));
    let found = all["cookies"].as_array().unwrap().iter().find(|cookie| cookie["name"] == name).cloned();
    let found = found.unwrap_or_else(|| panic!("no cookie {name}: {all}"));
    let rules = (&found["domain"], &found["httpOnly"], &found["secure"], &found["sameSite"]);
    assert_eq!(rules, (&json!(format!(".{DOMAIN}")), &json!(true), &json!(true), &json!("Lax")), "{name}");
    found["value"].as_str().unwrap().to_owned()
}

fn put_cookie(tab: &Tab, page: &str, name: &str, value: &str) {
    let cookie = json!({
        "url": page, "domain": format!(".{DOMAIN}"), "path": "/", "name": name, "value": value, "secure": true
    });
    assert_eq!(tab.call("Network.setCookie", cookie)["success"], true);
}
