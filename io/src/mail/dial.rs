//! A connection to a mail server, in the clear or under TLS.

use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::{SendFault, SetupFault};

/// What a message travels over.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// Speaks TLS to one server, whose name and certificate are always verified.
pub(crate) struct Tls {
    connector: TlsConnector,
    name: ServerName<'static>,
}

impl Tls {
    /// Without `ca_pem` the system's bundle is trusted.
    pub(crate) fn new(host: &str, ca_pem: Option<&Path>, alpn: &[&str]) -> Result<Self, SetupFault> {
        let name = ServerName::try_from(host.to_owned()).map_err(|_| SetupFault::Host)?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let versions = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let builder = versions.map_err(|_| SetupFault::Trust)?;
        let mut config = builder.with_root_certificates(read_roots(ca_pem)?).with_no_client_auth();
        config.alpn_protocols = alpn.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
        Ok(Self { connector: Arc::new(config).into(), name })
    }

    pub(crate) async fn wrap(&self, stream: TcpStream) -> Result<Box<dyn Stream>, SendFault> {
        let wrapped = self.connector.connect(self.name.clone(), stream).await;
        Ok(Box::new(wrapped.map_err(|_| SendFault::Temporary("tls"))?))
    }
}

pub(super) async fn connect(host: &str, port: u16) -> Result<TcpStream, SendFault> {
    let stream = TcpStream::connect((host, port)).await.map_err(|_| SendFault::Temporary("unreachable"))?;
    // Commands are small and answered one by one.
    let _ = stream.set_nodelay(true);
    Ok(stream)
}

fn read_roots(ca_pem: Option<&Path>) -> Result<rustls::RootCertStore, SetupFault> {
    let path = ca_pem.unwrap_or(Path::new(SYSTEM_BUNDLE));
    let mut roots = rustls::RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(path).map_err(|_| SetupFault::Trust)? {
        // A bundle may hold what webpki cannot use; one broken entry must not cost the others.
        let _ = certificate.map_err(|_| ()).and_then(|der| roots.add(der).map_err(|_| ()));
    }
    if roots.is_empty() { Err(SetupFault::Trust) } else { Ok(roots) }
}

const SYSTEM_BUNDLE: &str = "/etc/ssl/certs/ca-certificates.crt";
