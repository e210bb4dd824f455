//! TLS and HTTP/2 towards the target: ALPN must give `h2`, the certificate must be signed by `--ca`.
//!
//! Windows are large and push is off, so that the flow control measured is the server's own.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use h2::client::{Connection, ResponseFuture, SendRequest};
use http::{HeaderValue, Method, Request, StatusCode, Uri, header};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::fault::Fault;
use crate::record::Kind;

/// Where connections of this run go.
#[derive(Clone)]
pub struct Target {
    address: SocketAddr,
    name: ServerName<'static>,
    tls: Arc<ClientConfig>,
    streams: usize,
}

pub type Wire = Connection<TlsStream<TcpStream>, Bytes>;

/// A connection that has finished its handshakes; `wire` must be polled for it to live.
pub struct Connected {
    pub requests: SendRequest<Bytes>,
    pub wire: Wire,
    /// What TLS agreed on, for the report.
    pub tls: String,
}

impl Target {
    /// Resolves the host of `endpoint` once; `connect` overrides what it resolves to.
    pub async fn resolve(
        endpoint: &Uri,
        connect: Option<SocketAddr>,
        ca: &Path,
        streams: usize,
    ) -> Result<Self, Fault> {
        let (host, port) = host_and_port(endpoint)?;
        let address = match connect {
            Some(address) => address,
            None => lookup(&host, port).await?,
        };
        let name =
            ServerName::try_from(host.clone()).map_err(|_| Fault::Usage(format!("{host} is not a host name")))?;
        Ok(Self { address, name, tls: tls_config(ca)?, streams })
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub async fn connect(&self) -> Result<Connected, (Kind, String)> {
        let socket = within(Kind::Connect, TcpStream::connect(self.address)).await?;
        socket.set_nodelay(true).map_err(|e| (Kind::Connect, e.to_string()))?;
        let stream =
            within(Kind::Tls, TlsConnector::from(Arc::clone(&self.tls)).connect(self.name.clone(), socket)).await?;
        let (_, session) = stream.get_ref();
        if session.alpn_protocol() != Some(b"h2") {
            return Err((Kind::Tls, "the server did not agree on h2 by ALPN".to_owned()));
        }
        let version = session.protocol_version().map_or_else(String::new, |v| format!("{v:?}"));
        let suite = session.negotiated_cipher_suite().map_or_else(String::new, |s| format!("{:?}", s.suite()));
        let (requests, wire) = within(Kind::Connect, self.builder().handshake(stream)).await?;
        Ok(Connected { requests, wire, tls: format!("{version} {suite}") })
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

/// One connection for the work before and beside the load.
#[derive(Clone)]
pub struct Session {
    requests: SendRequest<Bytes>,
    deadline: Duration,
}

pub struct Answer {
    pub status: StatusCode,
    pub server: Option<String>,
    pub body: Bytes,
}

impl Session {
    pub async fn open(target: &Target, deadline: Duration) -> Result<(Self, String), Fault> {
        let connected = target
            .connect()
            .await
            .map_err(|(kind, why)| Fault::Unreachable(format!("{} at {}: {why}", kind.label(), target.address)))?;
        tokio::spawn(connected.wire);
        Ok((Self { requests: connected.requests, deadline }, connected.tls))
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
        let unreachable = |why: String| Fault::Unreachable(format!("{}: {why}", uri.path()));
        match timeout(self.deadline, exchange(self.requests.clone(), request, body)).await {
            Ok(answer) => answer.map_err(|e| unreachable(e.to_string())),
            Err(_) => Err(unreachable(format!("no answer within {:?}", self.deadline))),
        }
    }
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

async fn exchange(requests: SendRequest<Bytes>, request: Request<()>, body: Bytes) -> Result<Answer, h2::Error> {
    let mut requests = requests.ready().await?;
    let (response, mut stream) = requests.send_request(request, body.is_empty())?;
    if !body.is_empty() {
        stream.send_data(body, true)?;
    }
    read_answer(response).await
}

/// Waits for the head and the whole body, at most `BODY_BYTES_MAX` of it: what is longer is cut, and
/// so fails to be judged right.
pub async fn read_answer(response: ResponseFuture) -> Result<Answer, h2::Error> {
    let (head, mut incoming) = response.await?.into_parts();
    let server = head.headers.get(header::SERVER).and_then(|v| v.to_str().ok()).map(str::to_owned);
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
    Ok(Answer { status: head.status, server, body })
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

fn tls_config(ca: &Path) -> Result<Arc<ClientConfig>, Fault> {
    let usage = |why: String| Fault::Usage(format!("--ca {}: {why}", ca.display()));
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(ca).map_err(|e| usage(e.to_string()))? {
        roots.add(certificate.map_err(|e| usage(e.to_string()))?).map_err(|e| usage(e.to_string()))?;
    }
    if roots.is_empty() {
        return Err(usage("no certificate in it".to_owned()));
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = builder.map_err(|e| Fault::local("TLS", e))?;
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(Arc::new(config))
}

pub const BODY_BYTES_MAX: usize = 1 << 20;
const CONNECT_DEADLINE: Duration = Duration::from_secs(5);
const STREAM_WINDOW_BYTES: u32 = 1 << 20;
const CONNECTION_WINDOW_BYTES: u32 = 1 << 24;
const RESET_STREAMS_MAX: usize = 4096;
