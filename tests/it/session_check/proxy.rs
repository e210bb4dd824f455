//! A page behind a proxy, as a browser sees it: the same for each proxy, but for what it cannot do.

use std::ffi::OsStr;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

use super::{edge_cookie, make_applications};
use crate::account::people::{Browser, PASSWORD, leads_to, make};
use crate::support::ask::{Ask, Reply};
use crate::support::connect::Conn;
use crate::support::place;
use crate::support::server::Server;
use crate::support::site::Site;
use crate::support::wait::until;

const DOCS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/features/session-check.md");
const PAGE: &str = "/orders?id=1&x=a%20b";
const ANN: &str = "ann@example.com";

/// What the proxies differ in.
pub struct Ways {
    /// What a visitor gets who is sent to sign in.
    pub sends_with: u16,
    /// Whatever begins like a header of ours is taken away.
    pub knows_the_prefix: bool,
    /// What an application gets of its own cookies.
    pub cookies: &'static str,
}

impl Default for Ways {
    fn default() -> Self {
        Self { sends_with: 302, knows_the_prefix: true, cookies: "theme=dark; lang=en" }
    }
}

/// SigID, an application that repeats what it is sent, and where the proxy is to listen.
pub struct Stage {
    pub server: Server,
    pub application: SocketAddr,
    pub shop: SocketAddr,
    pub directory: PathBuf,
    bank_port: u16,
    _site: Site,
}

impl Stage {
    pub async fn set() -> Self {
        let site = Site::new().await;
        make(&site, ANN).await;
        let ports = [place::port(), place::port()];
        make_applications(&site, ports);
        let server = site.serve_unbudgeted().await;
        let shop = SocketAddr::from((place::address(), ports[0]));
        let (application, directory) = (application().await, place::directory("proxy"));
        Self { server, application, shop, directory, bank_port: ports[1], _site: site }
    }

    /// A file of SigID's: certificate, key, authority. The proxy shows the same certificate.
    pub fn file(&self, name: &str) -> String {
        self.server.directory.join(name).display().to_string()
    }

    /// `localhost:PORT`, as which SigID is known.
    pub fn issuer_host(&self) -> String {
        self.server.issuer.trim_start_matches("https://").to_owned()
    }

    pub fn write(&self, name: &str, text: &str) -> String {
        let path = self.directory.join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    }

    /// A program, once it listens at `address`.
    pub async fn run(&self, program: impl AsRef<OsStr>, arguments: &[&str], address: SocketAddr) -> Running {
        let log = self.directory.join("log");
        let mut command = Command::new(program.as_ref());
        command.args(arguments).env("HOME", &self.directory).current_dir(&self.directory);
        command.env("XDG_DATA_HOME", &self.directory).env("XDG_CONFIG_HOME", &self.directory);
        command.stdin(Stdio::null()).stdout(Stdio::null());
        let appended = std::fs::OpenOptions::new().create(true).append(true).open(&log).unwrap();
        let child = command.stderr(appended).spawn();
        let child = child.unwrap_or_else(|error| panic!("Debian's {} is needed: {error}", program.as_ref().display()));
        let mut running = Running { child, log };
        until("the proxy's listener", async || {
            if let Some(status) = running.child.try_wait().unwrap() {
                panic!("it ended with {status}: {}", running.said());
            }
            TcpStream::connect(address).await.ok()
        })
        .await;
        running
    }
}

pub struct Running {
    child: Child,
    log: PathBuf,
}

impl Running {
    fn said(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- the proxy ---\n{}", self.said());
        }
    }
}

/// A recipe of the documentation, below its heading, with this run's names in place of the example's, each met once.
pub fn recipe(heading: &str, language: &str, changes: &[(&str, String)]) -> String {
    let page = std::fs::read_to_string(DOCS).unwrap();
    let section = page.split_once(&format!("## {heading}\n")).unwrap().1;
    let begun = section.split_once(&format!("```{language}\n")).unwrap().1;
    let mut text = begun.split_once("```").unwrap().0.to_owned();
    for (example, real) in changes {
        assert_eq!(text.matches(example).count(), 1, "{example}");
        text = text.replace(example, real);
    }
    text
}

/// Says what it was sent, one request a connection.
async fn application() -> SocketAddr {
    let listener = TcpListener::bind((place::address(), place::port())).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            tokio::spawn(repeat(socket));
        }
    });
    address
}

async fn repeat(socket: TcpStream) -> std::io::Result<()> {
    let mut socket = BufReader::new(socket);
    let mut seen = std::collections::BTreeMap::<String, String>::new();
    loop {
        let mut line = String::new();
        socket.read_line(&mut line).await?;
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(": ") {
            seen.insert(name.to_ascii_lowercase(), value.to_owned());
        }
    }
    let shown = ["X-Auth-Subject", "X-Auth-Tenant", "X-Auth-Role", "X-Auth-Email", "Cookie"].map(|name| {
        let value = seen.get(&name.to_ascii_lowercase()).map(String::as_str).unwrap_or_default();
        format!("{name}=<{value}>")
    });
    let text = shown.join(" ");
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", text.len());
    socket.write_all(format!("{head}{text}").as_bytes()).await?;
    socket.shutdown().await
}

/// The page behind the proxy, from the first visit to the end of the session.
pub async fn guards_a_page(stage: &Stage, ways: &Ways) {
    let server = &stage.server;
    let conn = Conn::open(&server.offer(), stage.shop).await;

    // Anonymous: to SigID, to sign in, and back.
    let sent = conn.ask(Ask::get(PAGE).header("accept", "text/html").header("x-auth-subject", "root")).await;
    let to_start = way_in(server, ways, &sent);
    let mut ann = Browser::open(server).await;
    let to_login = ann.get(&to_start).await.expect(303);
    assert!(to_login.header("location").unwrap().starts_with("/login?next=%2Fsession%2Fstart"));
    let form = [("email", ANN), ("password", PASSWORD), ("next", to_start.as_str())];
    leads_to(&ann.post("/login", &form).await, &to_start);
    leads_to(&ann.get(&to_start).await, &format!("https://localhost:{}{PAGE}", stage.shop.port()));

    // Signed in: the page, with who it is; what the visitor said of it is gone, and so are SigID's cookies.
    let cookie = edge_cookie(&mut ann, "shop", stage.shop.port()).await;
    let bank = edge_cookie(&mut ann, "bank", stage.bank_port).await;
    let session = format!("__Host-sigid={}", ann.session().unwrap());
    let seen = conn.ask(dressed(&["theme=dark", &cookie, &bank, &session, "lang=en"])).await.expect(200);
    let known = server.ask(Ask::get("/session/check?client_id=shop").header("cookie", &cookie)).await.expect(200);
    let header = |name: &str| known.header(name).unwrap().to_owned();
    let role = if ways.knows_the_prefix { "X-Auth-Role=<>" } else { "X-Auth-Role=<root>" };
    for (what, expected) in [
        ("who it is", format!("X-Auth-Subject=<{}>", header("x-auth-subject"))),
        ("where", format!("X-Auth-Tenant=<{}>", header("x-auth-tenant"))),
        ("no header of the visitor's", role.to_owned()),
        ("not even one that SigID did not send", "X-Auth-Email=<>".to_owned()),
        ("the application's own cookies, and no others", format!("Cookie=<{}>", ways.cookies)),
    ] {
        assert!(seen.text().contains(&expected), "{what}: {}", seen.text());
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
        assert_eq!(refused.status, ways.sends_with, "{reason}: {}", refused.text());
        assert!(!refused.text().contains("X-Auth-Subject"), "{reason}: the application was asked");
    }
    let bearer = conn.ask(dressed(&[&cookie]).header("authorization", "Bearer x")).await;
    assert_eq!(bearer.status, 401, "a token decides alone, and no program is sent to sign in");

    // Signed out: refused at once.
    ann.post("/logout", &[]).await.expect(200);
    way_in(server, ways, &conn.ask(dressed(&[&cookie])).await);
}

fn dressed(cookies: &[&str]) -> Ask {
    Ask::get("/orders?id=1")
        .header("accept", "text/html")
        .header("cookie", cookies.join("; "))
        .header("x-auth-subject", "root")
        .header("x-auth-role", "root")
        .header("x-auth-email", "root@example.com")
}

/// Where an answer sends the visitor, at SigID: by its header, or by its page as well.
fn way_in(server: &Server, ways: &Ways, reply: &Reply) -> String {
    assert_eq!(reply.status, ways.sends_with, "{} {:?}", reply.text(), reply.headers);
    if reply.status == 401 {
        assert!(reply.text().contains("/session/start?client_id=shop"), "{}", reply.text());
    }
    let location = reply.header("location").unwrap_or_else(|| panic!("{:?}", reply.headers));
    location.strip_prefix(&server.issuer).unwrap_or_else(|| panic!("{location}")).to_owned()
}

/// A port of 127.0.0.1 that leads to `to`, for whoever resolves `localhost`.
pub async fn on_localhost(to: SocketAddr) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut near, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut far = TcpStream::connect(to).await?;
                tokio::io::copy_bidirectional(&mut near, &mut far).await
            });
        }
    });
    port
}
