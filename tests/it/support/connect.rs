//! Connections to a server: TLS with what a test wants negotiated, HTTP/2 on top or nothing.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use h2::client::SendRequest;
use http::Request;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_rustls::client::TlsStream;

use super::ask::{Ask, Reply};
use super::wait::within;

/// What a TLS client offers.
#[derive(Clone)]
pub struct Offer {
    pub config: Arc<ClientConfig>,
}

impl Offer {
    /// `h2` alone over TLS 1.3 or 1.2.
    pub fn h2(ca: &Path) -> Self {
        Self::new(ca, &[b"h2"], rustls::ALL_VERSIONS)
    }

    pub fn new(ca: &Path, alpn: &[&[u8]], versions: &[&'static rustls::SupportedProtocolVersion]) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(ca).unwrap()).unwrap();
        let mut config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_protocol_versions(versions)
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
        Self { config: Arc::new(config) }
    }

    /// A TLS session, or why not.
    pub async fn connect(&self, address: SocketAddr) -> std::io::Result<TlsStream<TcpStream>> {
        let socket = within("connecting", TcpStream::connect(address)).await?;
        self.wrap(socket).await
    }

    pub async fn wrap(&self, socket: TcpStream) -> std::io::Result<TlsStream<TcpStream>> {
        socket.set_nodelay(true)?;
        let connector = tokio_rustls::TlsConnector::from(self.config.clone());
        let name = ServerName::try_from("localhost").unwrap();
        within("the TLS handshake", connector.connect(name, socket)).await
    }
}

/// An HTTP/2 connection; requests may run at once.
pub struct Conn {
    pub send: SendRequest<Bytes>,
    pub driver: JoinHandle<Result<(), h2::Error>>,
    /// What `:authority` says where the request does not.
    authority: String,
}

impl Conn {
    pub async fn open(offer: &Offer, address: SocketAddr) -> Self {
        let tls = offer.connect(address).await.unwrap();
        Self::over(tls, address).await
    }

    pub async fn over(tls: TlsStream<TcpStream>, address: SocketAddr) -> Self {
        let (send, connection) = within("the HTTP/2 handshake", h2::client::handshake(tls)).await.unwrap();
        let driver = tokio::spawn(connection);
        Self { send, driver, authority: format!("localhost:{}", address.port()) }
    }

    /// Asks, and waits for the whole reply.
    pub async fn ask(&self, ask: Ask) -> Reply {
        let what = format!("{} {}", ask.method, ask.target);
        self.try_ask(ask).await.unwrap_or_else(|error| panic!("{what}: {error}"))
    }

    pub async fn try_ask(&self, ask: Ask) -> Result<Reply, h2::Error> {
        let what = format!("{} {}", ask.method, ask.target);
        within(&what, exchange(self.send.clone(), request(&ask, &self.authority), ask.body)).await
    }
}

/// One exchange on a sender of one's own, for tasks that outlive a borrow.
pub async fn exchange_over(send: SendRequest<Bytes>, ask: &Ask, authority: &str) -> Result<Reply, h2::Error> {
    let what = format!("{} {}", ask.method, ask.target);
    within(&what, exchange(send, request(ask, authority), ask.body.clone())).await
}

pub fn request(ask: &Ask, authority: &str) -> Request<()> {
    let authority = ask.authority.as_deref().unwrap_or(authority);
    let mut request = Request::builder().method(ask.method.clone()).uri(format!("https://{authority}{}", ask.target));
    for (name, value) in &ask.headers {
        request = request.header(name, value);
    }
    request.body(()).unwrap()
}

/// One exchange, however long it takes.
pub async fn exchange(send: SendRequest<Bytes>, request: Request<()>, body: Option<Bytes>) -> Result<Reply, h2::Error> {
    let mut send = send.ready().await?;
    let (response, mut stream) = send.send_request(request, body.is_none())?;
    if let Some(body) = body {
        // A refused body may not be wanted to its end; the reply tells.
        let _ = stream.send_data(body, true);
    }
    let (parts, mut incoming) = response.await?.into_parts();
    let mut body = Vec::new();
    while let Some(chunk) = incoming.data().await {
        let chunk = chunk?;
        incoming.flow_control().release_capacity(chunk.len())?;
        body.extend_from_slice(&chunk);
    }
    Ok(Reply { status: parts.status.as_u16(), headers: parts.headers, body: body.into() })
}
