//! TLS towards the target, and HTTP/2 or HTTP/1.1 above it as ALPN decides; the certificate must be signed by `--ca`.
//!
//! HTTP/2 windows are large and push is off, so that the flow control measured is the server's own.

use std::cell::RefCell;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::path::Path;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use h2::client::{ResponseFuture, SendRequest};
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Uri, header};
use rustls::client::Resumption;
use rustls::{ClientConfig, HandshakeKind, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::fault::Fault;
use crate::http1::{self, Broken};
use crate::record::Kind;

/// Where connections of this run go.
#[derive(Clone)]
pub struct Target {
    address: SocketAddr,
    name: ServerName<'static>,
    tls: Arc<ClientConfig>,
    /// The same, with nothing remembered of earlier connections.
    tls_afresh: Arc<ClientConfig>,
    streams: usize,
}

/// Drives a connection; ends with it.
pub type Wire = Pin<Box<dyn Future<Output = Result<(), String>>>>;

/// A connection that has finished its handshakes; `wire` must be polled for it to live.
pub struct Connected {
    pub requests: Requests,
    pub wire: Wire,
    /// What TLS agreed on, for the report.
    pub tls: String,
}

/// How requests are sent on a connection.
#[derive(Clone)]
pub enum Requests {
    H2(SendRequest<Bytes>),
    H1(Rc<http1::Connection>),
}

/// A TLS connection on which nothing has been said yet.
pub struct Shaken {
    stream: TlsStream<TcpStream>,
    pub resumed: bool,
}

impl Target {
    /// Resolves the host of `endpoint` once; `connect` overrides what it resolves to.
    pub async fn resolve(endpoint: &Uri, connect: Option<SocketAddr>, trust: &Trust<'_>) -> Result<Self, Fault> {
        let (host, port) = host_and_port(endpoint)?;
        let address = match connect {
            Some(address) => address,
            None => lookup(&host, port).await?,
        };
        let name =
            ServerName::try_from(host.clone()).map_err(|_| Fault::Usage(format!("{host} is not a host name")))?;
        let (tls, tls_afresh) = tls_configs(trust)?;
        Ok(Self { address, name, tls, tls_afresh, streams: trust.streams })
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub async fn connect(&self) -> Result<Connected, (Kind, String)> {
        let stream = self.shake(true).await?.stream;
        let (_, session) = stream.get_ref();
        let version = session.protocol_version().map_or_else(String::new, |v| format!("{v:?}"));
        let suite = session.negotiated_cipher_suite().map_or_else(String::new, |s| format!("{:?}", s.suite()));
        let tls = format!("{version} {suite}");
        if !is_h2(&stream) {
            let connection = Rc::new(http1::Connection::new(stream));
            let driven = Rc::clone(&connection);
            let wire: Wire = Box::pin(async move {
                driven.end().await;
                Ok(())
            });
            return Ok(Connected { requests: Requests::H1(connection), wire, tls });
        }
        let (requests, wire) = within(Kind::Connect, self.builder().handshake(stream)).await?;
        let wire: Wire = Box::pin(async move { wire.await.map_err(|e: h2::Error| e.to_string()) });
        Ok(Connected { requests: Requests::H2(requests), wire, tls })
    }

    /// TCP and TLS, with nothing said yet, where HTTP/2 was agreed on.
    pub async fn connect_h2(&self) -> Result<TlsStream<TcpStream>, (Kind, String)> {
        let stream = self.shake(true).await?.stream;
        if is_h2(&stream) {
            return Ok(stream);
        }
        Err((Kind::Tls, "the server did not agree on h2 by ALPN".to_owned()))
    }

    /// TCP and TLS, no more. `resume`: with what is remembered of earlier connections, where there is something.
    pub async fn shake(&self, resume: bool) -> Result<Shaken, (Kind, String)> {
        let socket = within(Kind::Connect, TcpStream::connect(self.address)).await?;
        socket.set_nodelay(true).map_err(|e| (Kind::Connect, e.to_string()))?;
        let tls = if resume { &self.tls } else { &self.tls_afresh };
        let connector = TlsConnector::from(Arc::clone(tls));
        let stream = within(Kind::Tls, connector.connect(self.name.clone(), socket)).await?;
        let resumed = stream.get_ref().1.handshake_kind() == Some(HandshakeKind::Resumed);
        Ok(Shaken { stream, resumed })
    }

    /// A whole connection without a request, whose session is remembered for those that resume.
    pub async fn shake_once(&self) -> Result<(), (Kind, String)> {
        let shaken = self.shake(true).await?;
        within(Kind::Tls, shaken.finish()).await
    }

    fn builder(&self) -> h2::client::Builder {
        let mut builder = h2::client::Builder::new();
        builder
            .initial_window_size(STREAM_WINDOW_BYTES)
            .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
            .initial_max_send_streams(self.streams)
            .max_concurrent_reset_streams(RESET_STREAMS_MAX)
            .enable_push(false);
        builder
    }
}

impl Shaken {
    /// Says what any client says first, waits for the server's first word (its session tickets come before that),
    /// and closes.
    pub async fn finish(mut self) -> std::io::Result<()> {
        let greeting = if is_h2(&self.stream) { H2_GREETING } else { H1_GREETING };
        self.stream.write_all(greeting).await?;
        self.stream.flush().await?;
        let mut word = [0; 256];
        if self.stream.read(&mut word).await? == 0 {
            return Ok(());
        }
        self.stream.shutdown().await
    }
}

impl Requests {
    pub fn is_http1(&self) -> bool {
        matches!(self, Self::H1(_))
    }

    /// Waits until a request may be sent.
    pub async fn ready(&mut self) -> Result<(), Broken> {
        match self {
            Self::H2(requests) => poll_fn(|cx| requests.poll_ready(cx)).await.map_err(|_| Broken::NotTaken),
            Self::H1(connection) if connection.is_usable() => Ok(()),
            Self::H1(_) => Err(Broken::NotTaken),
        }
    }

    /// After `ready`.
    pub async fn exchange(&mut self, request: Request<()>, body: Bytes) -> Result<Answer, Broken> {
        match self {
            Self::H2(requests) => exchange(requests, request, body).await.map_err(|e| Broken::Failed(e.to_string())),
            Self::H1(connection) => connection.exchange(&request, &body).await,
        }
    }
}

fn is_h2(stream: &TlsStream<TcpStream>) -> bool {
    stream.get_ref().1.alpn_protocol() == Some(b"h2")
}

/// One connection for the work before and beside the load; made again when the server has ended it.
#[derive(Clone)]
pub struct Session {
    requests: Rc<RefCell<Requests>>,
    target: Target,
    deadline: Duration,
}

pub struct Answer {
    pub status: StatusCode,
    pub server: Option<String>,
    pub retry_after: bool,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Session {
    pub async fn open(target: &Target, deadline: Duration) -> Result<(Self, String), Fault> {
        let (requests, tls) = connect(target).await?;
        Ok((Self { requests: Rc::new(RefCell::new(requests)), target: target.clone(), deadline }, tls))
    }

    pub fn is_http1(&self) -> bool {
        self.requests.borrow().is_http1()
    }

    pub async fn find(&self, uri: &Uri) -> Result<Answer, Fault> {
        self.call(Method::GET, uri, None, Bytes::new()).await
    }

    pub async fn post_form(
        &self,
        uri: &Uri,
        authorization: Option<&HeaderValue>,
        body: String,
    ) -> Result<Answer, Fault> {
        self.call(Method::POST, uri, authorization, Bytes::from(body)).await
    }

    async fn call(
        &self,
        method: Method,
        uri: &Uri,
        authorization: Option<&HeaderValue>,
        body: Bytes,
    ) -> Result<Answer, Fault> {
        let mut request = Request::new(());
        *request.method_mut() = method;
        *request.uri_mut() = uri.clone();
        form_headers(&mut request, authorization, &body);
        self.send(request, body).await
    }

    pub fn deadline(&self) -> Duration {
        self.deadline
    }

    pub async fn send(&self, request: Request<()>, body: Bytes) -> Result<Answer, Fault> {
        let unreachable = |why: String| Fault::Unreachable(format!("{}: {why}", request.uri().path()));
        match timeout(self.deadline, self.exchange(&request, &body)).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(Broken::NotTaken)) => Err(unreachable("the server takes no requests".to_owned())),
            Ok(Err(Broken::Failed(why))) => Err(unreachable(why)),
            Err(_) => Err(unreachable(format!("no answer within {:?}", self.deadline))),
        }
    }

    async fn exchange(&self, request: &Request<()>, body: &Bytes) -> Result<Answer, Broken> {
        for _ in 0..CONNECTIONS_TRIED {
            let mut requests = self.requests.borrow().clone();
            let tried = match requests.ready().await {
                Ok(()) => requests.exchange(request.clone(), body.clone()).await,
                Err(broken) => Err(broken),
            };
            let Err(Broken::NotTaken) = tried else { return tried };
            let (again, _) = connect(&self.target).await.map_err(|fault| Broken::Failed(fault.to_string()))?;
            *self.requests.borrow_mut() = again;
        }
        Err(Broken::NotTaken)
    }
}

async fn connect(target: &Target) -> Result<(Requests, String), Fault> {
    let connected = target.connect().await;
    let connected = connected
        .map_err(|(kind, why)| Fault::Unreachable(format!("{} at {}: {why}", kind.label(), target.address)))?;
    tokio::task::spawn_local(connected.wire);
    Ok((connected.requests, connected.tls))
}

/// The headers an ordinary client sends with a form.
pub fn form_headers(request: &mut Request<()>, authorization: Option<&HeaderValue>, body: &[u8]) {
    let headers = request.headers_mut();
    headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
    headers.insert(header::USER_AGENT, HeaderValue::from_static(concat!("sigid-loadtest/", env!("CARGO_PKG_VERSION"))));
    if let Some(value) = authorization {
        headers.insert(header::AUTHORIZATION, value.clone());
    }
    if !body.is_empty() {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
    }
}

async fn exchange(requests: &mut SendRequest<Bytes>, request: Request<()>, body: Bytes) -> Result<Answer, h2::Error> {
    let (response, mut stream) = requests.send_request(request, body.is_empty())?;
    if !body.is_empty() {
        stream.send_data(body, true)?;
    }
    read_answer(response).await
}

/// Waits for the head and the whole body, at most `BODY_BYTES_MAX` of it: what is longer is cut, and
/// so fails to be judged right.
async fn read_answer(response: ResponseFuture) -> Result<Answer, h2::Error> {
    let (head, mut incoming) = response.await?.into_parts();
    let server = head.headers.get(header::SERVER).and_then(|v| v.to_str().ok()).map(str::to_owned);
    let retry_after = head.headers.contains_key(header::RETRY_AFTER);
    let mut first = Bytes::new();
    let mut more = BytesMut::new();
    while let Some(chunk) = incoming.data().await {
        let chunk = chunk?;
        incoming.flow_control().release_capacity(chunk.len())?;
        if first.is_empty() {
            first = chunk;
        } else if more.len() < BODY_BYTES_MAX {
            more.extend_from_slice(&chunk);
        }
    }
    let body = if more.is_empty() { first } else { joined(&first, &more) };
    Ok(Answer { status: head.status, server, retry_after, headers: head.headers, body })
}

fn joined(first: &[u8], more: &[u8]) -> Bytes {
    let mut whole = BytesMut::with_capacity(first.len() + more.len());
    whole.extend_from_slice(first);
    whole.extend_from_slice(more);
    whole.freeze()
}

async fn within<T, E: std::fmt::Display>(
    kind: Kind,
    work: impl Future<Output = Result<T, E>>,
) -> Result<T, (Kind, String)> {
    match timeout(CONNECT_DEADLINE, work).await {
        Ok(done) => done.map_err(|e| (kind, e.to_string())),
        Err(_) => Err((kind, format!("nothing within {CONNECT_DEADLINE:?}"))),
    }
}

fn host_and_port(uri: &Uri) -> Result<(String, u16), Fault> {
    let host = uri.host().filter(|_| uri.scheme_str() == Some("https"));
    let host = host.ok_or_else(|| Fault::Refused(format!("{uri} is not an https URL")))?;
    Ok((host.trim_start_matches('[').trim_end_matches(']').to_owned(), uri.port_u16().unwrap_or(443)))
}

/// IPv4 first: most servers under test listen there, and a loopback pair may be split between two.
async fn lookup(host: &str, port: u16) -> Result<SocketAddr, Fault> {
    let found = tokio::net::lookup_host((host, port)).await;
    let mut addresses: Vec<SocketAddr> = found.map_err(|e| Fault::Unreachable(format!("{host}: {e}")))?.collect();
    addresses.sort_by_key(SocketAddr::is_ipv6);
    for address in &addresses {
        if timeout(CONNECT_DEADLINE, TcpStream::connect(address)).await.is_ok_and(|s| s.is_ok()) {
            return Ok(*address);
        }
    }
    Err(Fault::Unreachable(format!("{host}:{port}: nobody accepts connections")))
}

/// What a connection is made with, whoever it goes to.
pub struct Trust<'a> {
    pub ca: &'a Path,
    pub streams: usize,
    /// HTTP/1.1 only.
    pub http1: bool,
}

/// The ordinary one, and one that remembers nothing.
fn tls_configs(trust: &Trust<'_>) -> Result<(Arc<ClientConfig>, Arc<ClientConfig>), Fault> {
    let usage = |why: String| Fault::Usage(format!("--ca {}: {why}", trust.ca.display()));
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(trust.ca).map_err(|e| usage(e.to_string()))? {
        roots.add(certificate.map_err(|e| usage(e.to_string()))?).map_err(|e| usage(e.to_string()))?;
    }
    if roots.is_empty() {
        return Err(usage("no certificate in it".to_owned()));
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = builder.map_err(|e| Fault::local("TLS", e))?;
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = if trust.http1 { vec![HTTP1.to_vec()] } else { vec![b"h2".to_vec(), HTTP1.to_vec()] };
    config.resumption = Resumption::in_memory_sessions(SESSIONS_REMEMBERED);
    let mut afresh = config.clone();
    afresh.resumption = Resumption::disabled();
    Ok((Arc::new(config), Arc::new(afresh)))
}

const HTTP1: &[u8] = b"http/1.1";
const SESSIONS_REMEMBERED: usize = 256;
/// The connection preface of RFC 9113 section 3.4 with empty SETTINGS.
const H2_GREETING: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00";
const H1_GREETING: &[u8] = b"HEAD / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
pub const BODY_BYTES_MAX: usize = 1 << 20;
const CONNECT_DEADLINE: Duration = Duration::from_secs(5);
const CONNECTIONS_TRIED: usize = 3;
const STREAM_WINDOW_BYTES: u32 = 1 << 20;
const CONNECTION_WINDOW_BYTES: u32 = 1 << 24;
const RESET_STREAMS_MAX: usize = 4096;
