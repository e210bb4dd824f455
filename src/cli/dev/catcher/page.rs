//! The catcher's page over plain HTTP/1.1: a list of messages, a message, its HTML in a sandbox.
//!
//! GET only; nothing can be changed here. A request for another host than this one is refused (DNS rebinding).

use std::io;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, HeaderValue, StatusCode, header};
use sigid_core::form::Form;
use sigid_io::backend::spawn;
use sigid_io::clock;
use sigid_io::http::Reply;
use sigid_pages::{CatcherList, CatcherMessage, CatcherRow, Locale, Look, render, render_html};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use super::mime;
use super::store::{self, Store};

/// Serves until the runtime ends.
pub async fn serve(listener: TcpListener, port: u16, store: Arc<Store>) {
    let permits = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(5)).await;
            continue;
        };
        let Ok(permit) = permits.clone().try_acquire_owned() else { continue };
        let store = store.clone();
        spawn(async move {
            let _ = tokio::time::timeout(DEADLINE, exchange(stream, port, &store)).await;
            drop(permit);
        });
    }
}

async fn exchange(mut stream: TcpStream, port: u16, store: &Store) -> io::Result<()> {
    let mut head = Vec::with_capacity(1024);
    while !head.windows(4).any(|window| window == b"\r\n\r\n") {
        if head.len() > HEAD_BYTES_MAX || stream.read_buf(&mut head).await? == 0 {
            return Ok(());
        }
    }
    let reply = answer(&Ask::read(&String::from_utf8_lossy(&head)), port, store);
    stream.write_all(&written(&reply)).await?;
    stream.shutdown().await
}

/// What a request asks for.
#[derive(Debug, Default)]
struct Ask<'r> {
    method: &'r str,
    path: &'r str,
    query: &'r str,
    headers: Vec<(&'r str, &'r str)>,
}

impl<'r> Ask<'r> {
    fn read(head: &'r str) -> Self {
        let mut lines = head.lines();
        let mut words = lines.next().unwrap_or_default().split(' ');
        let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let headers = lines.filter_map(|line| line.split_once(':')).map(|(name, value)| (name, value.trim())).collect();
        Self { method, path, query, headers }
    }

    fn find(&self, name: &str) -> &'r str {
        self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map_or("", |(_, value)| value)
    }

    /// The chosen language, or the browser's.
    fn locale(&self) -> Locale {
        let chosen = self.find("cookie").split(';').find_map(|pair| pair.trim().strip_prefix(COOKIE));
        Locale::negotiate(chosen, None, Some(self.find("accept-language")))
    }
}

fn answer(ask: &Ask<'_>, port: u16, store: &Store) -> Reply {
    let is_here = ["127.0.0.1", "localhost"].iter().any(|host| ask.find("host") == format!("{host}:{port}"));
    if !is_here {
        return Reply::empty(StatusCode::MISDIRECTED_REQUEST);
    }
    if ask.method != "GET" {
        return Reply::empty(StatusCode::METHOD_NOT_ALLOWED);
    }
    let mut look = Look::default();
    look.locale = ask.locale();
    let message = ask.path.strip_prefix(MESSAGES);
    match (ask.path, message) {
        ("/", _) => render(&look, StatusCode::OK, &list(store)),
        (sigid_pages::paths::LANGUAGE, _) => switch(ask.query),
        ("/assets/sigid.css", _) => asset(SHEET, "text/css; charset=utf-8"),
        ("/assets/icon.svg", _) => asset(ICON, "image/svg+xml"),
        (_, Some(id)) => show(&look, id, store).unwrap_or_else(|| Reply::empty(StatusCode::NOT_FOUND)),
        _ => Reply::empty(StatusCode::NOT_FOUND),
    }
}

fn list(store: &Store) -> CatcherList {
    let row = |id: String| {
        let shown = mime::read(&store.find(&id)?);
        let (path, at_s) = (format!("{MESSAGES}{id}"), store::caught_s(&id));
        Some(CatcherRow { path, to: shown.to, subject: shown.subject, at_s })
    };
    CatcherList { now_s: clock::system_ms() / 1000, messages: store.list().into_iter().filter_map(row).collect() }
}

/// `ID`, `ID/html` or `ID/eml`.
fn show(look: &Look, path: &str, store: &Store) -> Option<Reply> {
    let (id, part) = path.split_once('/').unwrap_or((path, ""));
    let message = store.find(id)?;
    let shown = mime::read(&message);
    match part {
        "" => {
            let html_path = shown.html.as_ref().map(|_| format!("{MESSAGES}{id}/html"));
            let page = CatcherMessage {
                list_path: "/".to_owned(),
                html_path,
                from: shown.from,
                to: shown.to,
                subject: shown.subject,
                at_s: store::caught_s(id),
                text: shown.text,
            };
            Some(render(look, StatusCode::OK, &page))
        }
        "html" => shown.html.map(render_html),
        "eml" => {
            let mut reply = asset("", "text/plain; charset=utf-8");
            reply.body = message.into();
            Some(reply)
        }
        _ => None,
    }
}

/// Remembers a language, and goes back to the list.
fn switch(query: &str) -> Reply {
    let form = Form::parse(query.as_bytes(), &[]).ok();
    let locale = form.as_ref().and_then(|form| form.find("to")).and_then(Locale::from_tag).unwrap_or_default();
    let cookie = format!("{COOKIE}{}; Path=/; HttpOnly; SameSite=Lax", locale.tag());
    let reply = Reply::empty(StatusCode::SEE_OTHER).with(header::LOCATION, HeaderValue::from_static("/"));
    match HeaderValue::from_str(&cookie) {
        Ok(cookie) => reply.with(header::SET_COOKIE, cookie),
        Err(_) => reply,
    }
}

fn asset(content: &'static str, kind: &'static str) -> Reply {
    let mut reply = Reply::empty(StatusCode::OK)
        .with(header::CONTENT_TYPE, HeaderValue::from_static(kind))
        .with(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"))
        .with(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    reply.body = content.as_bytes().into();
    reply
}

/// As HTTP/1.1 has it.
fn written(reply: &Reply) -> Vec<u8> {
    let mut bytes = format!("HTTP/1.1 {}\r\n", reply.status).into_bytes();
    let headers: &HeaderMap = &reply.headers;
    for (name, value) in headers {
        for part in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
            bytes.extend_from_slice(part);
        }
    }
    bytes.extend_from_slice(format!("content-length: {}\r\nconnection: close\r\n\r\n", reply.body.len()).as_bytes());
    bytes.extend_from_slice(&reply.body);
    bytes
}

const MESSAGES: &str = "/messages/";
const COOKIE: &str = "catcher-lang=";
const SHEET: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/handlers/pages/assets/sigid.css"));
const ICON: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/handlers/pages/assets/icon.svg"));
const CONNECTIONS_MAX: usize = 64;
const HEAD_BYTES_MAX: usize = 16 * 1024;
const DEADLINE: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::super::store::Envelope;
    use super::*;
    use crate::cli::dev::tests::scratch;

    fn ask(store: &Store, head: &str) -> (u16, String) {
        let reply = answer(&Ask::read(head), 8025, store);
        (reply.status.as_u16(), String::from_utf8(reply.body.to_vec()).unwrap())
    }

    fn get(store: &Store, path: &str) -> (u16, String) {
        ask(store, &format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1:8025\r\n\r\n"))
    }

    #[test]
    fn a_message_is_listed_and_shown_and_cannot_run_anything() {
        let store = Store::open(scratch("catcher_page")).unwrap();
        let message = "From: a@b\r\nTo: c@d\r\nSubject: <i>Hello</i>\r\nContent-Type: multipart/alternative; boundary=x\r\n\r\n\
            --x\r\n\r\nGo to https://localhost:8443/verify?link=abc <script>\r\n--x\r\nContent-Type: text/html\r\n\r\n<b>hi</b>\r\n--x--\r\n";
        let id = store.write(&Envelope::default(), message.as_bytes()).unwrap();
        let (status, page) = get(&store, "/");
        assert!(status == 200 && page.contains("Hello") && page.contains(&format!("/messages/{id}")), "{page}");
        assert!(!page.contains("<i>Hello"), "escaped");
        let (_, page) = get(&store, &format!("/messages/{id}"));
        assert!(page.contains("href=\"https://localhost:8443/verify?link=abc\""), "{page}");
        assert!(page.contains(&format!("/messages/{id}/html")) && !page.contains("<script>"), "{page}");
        let reply = answer(
            &Ask::read(&format!("GET /messages/{id}/html HTTP/1.1\r\nhost: localhost:8025\r\n\r\n")),
            8025,
            &store,
        );
        let policy = reply.headers.get("content-security-policy").unwrap().to_str().unwrap();
        assert!(policy.contains("sandbox") && !policy.contains("allow-scripts"), "{policy}");
        assert!(get(&store, &format!("/messages/{id}/eml")).1.contains("Subject: <i>Hello</i>"));
        assert_eq!(get(&store, "/assets/sigid.css").0, 200);
    }

    #[test]
    fn other_hosts_methods_and_paths_get_nothing() {
        let store = Store::open(scratch("catcher_refuses")).unwrap();
        for (reason, head, status) in [
            ("a rebound name", "GET / HTTP/1.1\r\nhost: evil.example:8025\r\n\r\n", 421),
            ("no host", "GET / HTTP/1.1\r\n\r\n", 421),
            ("another port", "GET / HTTP/1.1\r\nhost: localhost:80\r\n\r\n", 421),
            ("a change", "POST / HTTP/1.1\r\nhost: localhost:8025\r\n\r\n", 405),
            ("a way out", "GET /messages/../../state.json HTTP/1.1\r\nhost: localhost:8025\r\n\r\n", 404),
            ("no message", "GET /messages/1 HTTP/1.1\r\nhost: localhost:8025\r\n\r\n", 404),
            ("no page", "GET /x HTTP/1.1\r\nhost: localhost:8025\r\n\r\n", 404),
            ("nothing", "", 421),
        ] {
            assert_eq!(ask(&store, head).0, status, "{reason}");
        }
    }

    #[test]
    fn a_language_is_remembered() {
        let reply = switch("to=de&next=%2F");
        let cookie = reply.headers.get("set-cookie").unwrap().to_str().unwrap();
        assert_eq!(cookie, "catcher-lang=de; Path=/; HttpOnly; SameSite=Lax");
        let head =
            format!("GET / HTTP/1.1\r\ncookie: a=b; {}\r\naccept-language: fr\r\n", cookie.split(';').next().unwrap());
        assert_eq!(Ask::read(&head).locale(), Locale::De);
        assert_eq!(Ask::read("GET / HTTP/1.1\r\naccept-language: xx, fr;q=0.5\r\n").locale(), Locale::Fr);
    }
}
