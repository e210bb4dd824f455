//! One GET over TLS and HTTP/2, for `sigid health`: what a client of the listener sees.
//!
//! A listener that expects the PROXY protocol from the probe's own address is sent the header LOCAL
//! (HAProxy's proxy-protocol.txt, section 2.2): a health check of the balancer itself, which names nobody.

use crate::proxy_protocol::{HEAD_BYTES, SIGNATURE};
use bytes::Bytes;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use std::fmt;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// Whom to ask for what.
pub struct Probe<'a> {
    pub address: SocketAddr,
    /// The name the certificate must have.
    pub name: &'a str,
    /// PEM file of the certificates that are trusted.
    pub trust_pem_path: &'a Path,
    pub path: &'a str,
    /// The listener expects a PROXY protocol header from this machine.
    pub proxy_header: bool,
}

/// Why there is no answer.
#[derive(Debug)]
pub enum ProbeFault {
    Trust,
    Connect(std::io::Error),
    Tls(std::io::Error),
    Http(h2::Error),
}

impl fmt::Display for ProbeFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Trust => f.write_str("the trusted certificates cannot be read"),
            Self::Connect(error) => write!(f, "cannot connect: {error}"),
            Self::Tls(error) => write!(f, "TLS failed: {error}"),
            Self::Http(error) => write!(f, "HTTP/2 failed: {error}"),
        }
    }
}

impl std::error::Error for ProbeFault {}

/// The status of the answer.
///
/// # Errors
/// Whatever kept an answer from coming.
pub async fn get(probe: &Probe<'_>) -> Result<u16, ProbeFault> {
    let mut roots = RootCertStore::empty();
    let trusted = CertificateDer::pem_file_iter(probe.trust_pem_path).map_err(|_| ProbeFault::Trust)?;
    roots.add_parsable_certificates(trusted.flatten());
    let mut config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|_| ProbeFault::Trust)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let name = ServerName::try_from(probe.name.to_owned()).map_err(|_| ProbeFault::Trust)?;
    let mut socket = TcpStream::connect(probe.address).await.map_err(ProbeFault::Connect)?;
    if probe.proxy_header {
        socket.write_all(&local_header()).await.map_err(ProbeFault::Connect)?;
    }
    let stream = TlsConnector::from(Arc::new(config)).connect(name, socket).await.map_err(ProbeFault::Tls)?;
    let (send, connection) = h2::client::handshake(stream).await.map_err(ProbeFault::Http)?;
    let driver = tokio::spawn(connection);
    let status = request(send, probe).await;
    driver.abort();
    status
}

async fn request(send: h2::client::SendRequest<Bytes>, probe: &Probe<'_>) -> Result<u16, ProbeFault> {
    let mut send = send.ready().await.map_err(ProbeFault::Http)?;
    let request =
        http::Request::get(format!("https://{}{}", probe.name, probe.path)).body(()).map_err(|_| ProbeFault::Trust)?;
    let (response, _) = send.send_request(request, true).map_err(ProbeFault::Http)?;
    Ok(response.await.map_err(ProbeFault::Http)?.status().as_u16())
}

/// Version 2, command LOCAL, no family, nothing after it.
fn local_header() -> [u8; HEAD_BYTES] {
    let mut header = [0; HEAD_BYTES];
    let (signature, rest) = header.split_at_mut(SIGNATURE.len());
    signature.copy_from_slice(&SIGNATURE);
    if let Some(command) = rest.first_mut() {
        *command = 0x20;
    }
    header
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proxy_protocol::{Source, parse_head, parse_source};

    #[test]
    fn the_header_names_nobody() {
        let header = local_header();
        assert_eq!(header, *b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0");
        let head = parse_head(&header).unwrap();
        assert_eq!((head.rest_bytes, parse_source(&head, &[])), (0, Some(Source::Own)), "as the listener reads it");
    }
}
