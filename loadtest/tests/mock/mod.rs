//! A small authorization server: discovery, client_credentials, introspection, revocation. Its tokens are JWTs in shape,
//! with a `jti`; it remembers which it has issued and which it has revoked.

pub mod harness;
pub mod people;

use std::collections::HashMap;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use bytes::Bytes;
use h2::RecvStream;
use h2::server::SendResponse;
use http::{Request, Response};
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

pub const SECRET: &str = "correct-horse-battery";

/// How the server treats introspection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    Honest,
    ForgetsRevocations,
    /// Every answer is of the first token issued.
    MixesTokensUp,
    /// 1.5 s after the load began (in the measured time), answers nothing for 400 ms.
    StallsOnce,
    /// After the setup, no answer at all.
    FallsSilent,
    /// Tokens live four seconds.
    ShortLives,
    /// Each connection ends after 60 requests.
    HangsUp,
    /// HTTP/1.1 and nothing newer, chunked, and a new connection after 20 requests.
    Http1,
    /// No session is ever resumed.
    ForgetsSessions,
    /// A revocation shows 150 ms after it was answered.
    RevokesLate,
    /// With SigID's bench routes; every fifth login is refused.
    Bench,
    /// With SigID's pages for people and its session check; after those of the setup, every fifth sign-in is refused.
    People,
    /// The same, and every session check passes, whoever asks.
    LetsAnybodyPass,
    /// With the same pages, refusing nobody, and alike to everybody.
    Discreet,
    /// The same, but sign-in takes longer for its account, and recovery says a word more.
    Telltale,
}

pub struct Mock {
    pub directory: PathBuf,
    pub ca: PathBuf,
    port: u16,
    state: Arc<State>,
}

struct State {
    manner: Manner,
    issuer: String,
    /// Serial number and end of life.
    tokens: Mutex<HashMap<String, (u64, Instant)>>,
    revoked: Mutex<HashMap<String, Instant>>,
    minted: AtomicU64,
    logins: AtomicU64,
    addresses: Mutex<std::collections::HashSet<String>>,
    introspections: AtomicU64,
    loaded_since: Mutex<Option<Instant>>,
}

impl Mock {
    /// Serves from a thread of its own until the test process ends.
    pub fn start(manner: Manner) -> Self {
        static DIRECTORIES: AtomicU64 = AtomicU64::new(0);
        let serial = DIRECTORIES.fetch_add(1, Ordering::Relaxed);
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{}-{serial}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        let certificate = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        let ca = directory.join("ca.pem");
        std::fs::write(&ca, certificate.cert.pem()).unwrap();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(State {
            manner,
            issuer: format!("https://localhost:{port}"),
            tokens: Mutex::default(),
            revoked: Mutex::default(),
            minted: AtomicU64::new(0),
            logins: AtomicU64::new(0),
            addresses: Mutex::default(),
            introspections: AtomicU64::new(0),
            loaded_since: Mutex::default(),
        });
        let shared = Arc::clone(&state);
        std::thread::spawn(move || serve(listener, &certificate, shared));
        Self { directory, ca, port, state }
    }

    pub fn url(&self) -> String {
        format!("https://localhost:{}", self.port)
    }

    /// Addresses that were registered.
    pub fn addresses(&self) -> usize {
        self.state.addresses.lock().unwrap().len()
    }

    pub fn minted(&self) -> u64 {
        self.state.minted.load(Ordering::Relaxed)
    }

    pub fn wait_for_introspections(&self, count: u64) {
        let until = Instant::now() + Duration::from_secs(30);
        while self.state.introspections.load(Ordering::Relaxed) < count {
            assert!(Instant::now() < until, "the load did not come");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Mock {
    fn drop(&mut self) {
        // Reports are read by then, or the test has failed.
        if !std::thread::panicking() {
            let _ = std::fs::remove_file(&self.ca);
        }
    }
}

/// A page of metrics over plain HTTP/1.1; its address.
pub fn start_metrics(page: &'static str) -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/metrics", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for socket in listener.incoming() {
            let mut socket = socket.unwrap();
            let _ = socket.read(&mut [0; 1024]);
            let _ =
                write!(socket, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{page}", page.len());
        }
    });
    url
}

fn serve(listener: std::net::TcpListener, certificate: &rcgen::CertifiedKey<rcgen::KeyPair>, state: Arc<State>) {
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(certificate.signing_key.serialize_der()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let mut config = config.with_no_client_auth().with_single_cert(vec![certificate.cert.der().clone()], key).unwrap();
    config.alpn_protocols = if state.manner == Manner::Http1 {
        vec![b"http/1.1".to_vec()]
    } else {
        vec![b"h2".to_vec(), b"http/1.1".to_vec()]
    };
    if state.manner == Manner::ForgetsSessions {
        config.session_storage = Arc::new(rustls::server::NoServerSessionStorage {});
    }
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async move {
        let listener = TcpListener::from_std(listener).unwrap();
        loop {
            let (socket, _) = listener.accept().await.unwrap();
            tokio::spawn(connection(acceptor.clone(), socket, Arc::clone(&state)));
        }
    });
}

async fn connection(acceptor: TlsAcceptor, socket: TcpStream, state: Arc<State>) {
    socket.set_nodelay(true).unwrap();
    let Ok(stream) = acceptor.accept(socket).await else { return };
    if stream.get_ref().1.alpn_protocol() != Some(b"h2") {
        // The peer may go away at any moment.
        let _ = http1(stream, state).await;
        return;
    }
    let Ok(mut wire) = h2::server::handshake(stream).await else { return };
    let mut introspections = 0;
    while let Some(Ok((request, respond))) = wire.accept().await {
        introspections += u32::from(request.uri().path() == "/introspect");
        if state.manner == Manner::HangsUp && introspections > 60 {
            return;
        }
        tokio::spawn(answer(request, respond, Arc::clone(&state)));
    }
}

async fn answer(request: Request<RecvStream>, mut respond: SendResponse<Bytes>, state: Arc<State>) {
    let (head, mut incoming) = request.into_parts();
    let mut body = Vec::new();
    while let Some(Ok(chunk)) = incoming.data().await {
        let _ = incoming.flow_control().release_capacity(chunk.len());
        body.extend_from_slice(&chunk);
    }
    let authorization = head.headers.get("authorization").map(|v| v.to_str().unwrap().to_owned());
    if state.manner == Manner::Telltale && head.uri.path() == "/login" && names_the_account(&body) {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let people::Reply { status, body: text, headers } = if let Some(found) = people(&head, &body, &state) {
        found
    } else {
        let (status, body) = reply(head.uri.path(), authorization.as_deref(), body, &state).await;
        people::Reply { status, body, headers: Vec::new() }
    };
    let mut response = Response::builder().status(status).header("server", "mock/1");
    for (name, value) in headers {
        response = response.header(name, value);
    }
    let response = if status == 503 { response.header("retry-after", "1") } else { response };
    if let Ok(mut stream) = respond.send_response(response.body(()).unwrap(), text.is_empty())
        && !text.is_empty()
    {
        let _ = stream.send_data(Bytes::from(text), true);
    }
}

fn names_the_account(body: &[u8]) -> bool {
    form(&String::from_utf8_lossy(body)).get("email").is_some_and(|email| email == people::EMAIL)
}

fn people(head: &http::request::Parts, body: &[u8], state: &State) -> Option<people::Reply> {
    let path = head.uri.path();
    if state.manner == Manner::LetsAnybodyPass && path == "/session/check" {
        return Some(people::Reply {
            status: 200,
            body: String::new(),
            headers: vec![("x-auth-subject", "s".to_owned())],
        });
    }
    if matches!(state.manner, Manner::Discreet | Manner::Telltale) {
        let typed = form(&String::from_utf8_lossy(body));
        let mut reply = people::reply(&head.method, path, &HashMap::new(), &head.headers, &typed)?;
        if state.manner == Manner::Telltale && path == "/recover" && names_the_account(body) {
            reply.headers.push(("x-told", "yes".to_owned()));
        }
        return Some(reply);
    }
    if !matches!(state.manner, Manner::People | Manner::LetsAnybodyPass) {
        return None;
    }
    if head.method == http::Method::POST && path == "/login" && state.logins.fetch_add(1, Ordering::Relaxed) % 5 == 4 {
        return Some(people::Reply { status: 503, body: String::new(), headers: Vec::new() });
    }
    let query = form(head.uri.query().unwrap_or_default());
    let form = form(&String::from_utf8_lossy(body));
    if path == "/register"
        && let Some(email) = form.get("email")
    {
        assert!(state.addresses.lock().unwrap().insert(email.clone()), "asked for twice");
    }
    people::reply(&head.method, path, &query, &head.headers, &form)
}

/// One request after another; the answer in two chunks, and after twenty of them no more.
async fn http1(stream: tokio_rustls::server::TlsStream<TcpStream>, state: Arc<State>) -> std::io::Result<()> {
    let mut stream = tokio::io::BufReader::new(stream);
    for served in 1..=20 {
        let mut line = String::new();
        stream.read_line(&mut line).await?;
        let Some(path) = line.split(' ').nth(1).map(str::to_owned) else { return Ok(()) };
        let (mut authorization, mut length) = (None, 0);
        loop {
            line.clear();
            stream.read_line(&mut line).await?;
            let Some((name, value)) = line.trim_end().split_once(": ") else { break };
            match name.to_ascii_lowercase().as_str() {
                "authorization" => authorization = Some(value.to_owned()),
                "content-length" => length = value.parse().unwrap(),
                _ => {}
            }
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body).await?;
        let (status, text) = reply(&path, authorization.as_deref(), body, &state).await;
        let close = if served == 20 { "Connection: close\r\n" } else { "" };
        let (a, b) = text.split_at(text.len() / 2);
        let chunk =
            |part: &str| if part.is_empty() { String::new() } else { format!("{:x}\r\n{part}\r\n", part.len()) };
        let answer = format!(
            "HTTP/1.1 {status} X\r\nServer: mock/1\r\n{close}Transfer-Encoding: chunked\r\n\r\n{}{}0\r\n\r\n",
            chunk(a),
            chunk(b)
        );
        stream.write_all(answer.as_bytes()).await?;
        stream.flush().await?;
    }
    stream.shutdown().await
}

async fn reply(path: &str, authorization: Option<&str>, body: Vec<u8>, state: &State) -> (u16, String) {
    let form = form(&String::from_utf8(body).unwrap());
    let known = is_known(authorization, &form);
    match path {
        "/.well-known/openid-configuration" => (200, discovery(&state.issuer)),
        "/token" if known => (200, issue(state)),
        "/introspect" if known => match introspect(state, &form).await {
            Some(text) => (200, text),
            None => std::future::pending().await,
        },
        "/revoke" if known => {
            let late = if state.manner == Manner::RevokesLate { 150 } else { 0 };
            let from = Instant::now() + Duration::from_millis(late);
            state.revoked.lock().unwrap().insert(form["token"].clone(), from);
            (200, String::new())
        }
        "/bench/mint" if known && state.manner == Manner::Bench => {
            let count: u64 = form["count"].parse().unwrap();
            state.minted.fetch_add(count, Ordering::Relaxed);
            (200, format!(r#"{{"minted":{count},"tokens":["x"]}}"#))
        }
        "/bench/clients" if known && state.manner == Manner::Bench => {
            (200, format!(r#"{{"created":{}}}"#, form["count"]))
        }
        "/bench/hash" if known && state.manner == Manner::Bench => {
            if state.logins.fetch_add(1, Ordering::Relaxed) % 5 == 4 {
                return (503, String::new());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
            (200, r#"{"ms":20,"queued_ms":0}"#.to_owned())
        }
        "/token" | "/introspect" | "/revoke" => (401, r#"{"error":"invalid_client"}"#.to_owned()),
        _ => (404, String::new()),
    }
}

fn discovery(issuer: &str) -> String {
    format!(
        r#"{{"issuer":"{issuer}","token_endpoint":"{issuer}/token","introspection_endpoint":"{issuer}/introspect","revocation_endpoint":"{issuer}/revoke"}}"#
    )
}

fn issue(state: &State) -> String {
    let mut tokens = state.tokens.lock().unwrap();
    let serial = tokens.len() as u64;
    let claims = URL_SAFE_NO_PAD.encode(format!(r#"{{"jti":"t{serial}"}}"#));
    let token = format!("{}.{claims}.c2lnbmF0dXJl", URL_SAFE_NO_PAD.encode(r#"{"alg":"ES256"}"#));
    let life_s = if state.manner == Manner::ShortLives { 4 } else { 300 };
    tokens.insert(token.clone(), (serial, Instant::now() + Duration::from_secs(life_s)));
    format!(r#"{{"access_token":"{token}","token_type":"Bearer","expires_in":{life_s}}}"#)
}

/// None: never answer.
async fn introspect(state: &State, form: &HashMap<String, String>) -> Option<String> {
    let count = state.introspections.fetch_add(1, Ordering::Relaxed);
    if state.manner == Manner::FallsSilent && count > 0 {
        return None;
    }
    if state.manner == Manner::StallsOnce && count > 0 {
        stall(state).await;
    }
    let token = &form["token"];
    let issued = state.tokens.lock().unwrap().get(token).copied();
    let serial = issued.filter(|(_, end)| *end > Instant::now()).map(|(serial, _)| serial);
    let revoked = state.manner != Manner::ForgetsRevocations
        && state.revoked.lock().unwrap().get(token).is_some_and(|from| *from <= Instant::now());
    let Some(serial) = serial.filter(|_| !revoked) else { return Some(r#"{"active":false}"#.to_owned()) };
    let jti = if state.manner == Manner::MixesTokensUp && count > 0 { 0 } else { serial };
    Some(format!(r#"{{"active":true,"client_id":"load","jti":"t{jti}"}}"#))
}

async fn stall(state: &State) {
    let since = *state.loaded_since.lock().unwrap().get_or_insert_with(Instant::now);
    let (from, until) = (since + Duration::from_millis(1500), since + Duration::from_millis(1900));
    if Instant::now() > from {
        tokio::time::sleep_until(until.into()).await;
    }
}

fn is_known(authorization: Option<&str>, form: &HashMap<String, String>) -> bool {
    let basic = format!("Basic {}", STANDARD.encode(format!("load:{SECRET}")));
    let post =
        form.get("client_id").is_some_and(|id| id == "load") && form.get("client_secret").is_some_and(|s| s == SECRET);
    authorization == Some(&basic) || post
}

fn form(body: &str) -> HashMap<String, String> {
    body.split('&')
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, value)| (name.to_owned(), decoded(value)))
        .collect()
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'%' => {
                let digits = [rest.next().unwrap(), rest.next().unwrap()];
                bytes.push(u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap());
            }
            b'+' => bytes.push(b' '),
            _ => bytes.push(byte),
        }
    }
    String::from_utf8(bytes).unwrap()
}
