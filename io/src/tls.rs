//! The TLS side of the listener: certificate and key from files, what is negotiated, tickets.
//!
//! TLS 1.3, and 1.2 only when asked for (the provider's 1.2 suites are ECDHE with AEAD only).
//! ALPN is `h2` alone: a peer that offers another protocol gets the alert
//! `no_application_protocol` from rustls; one that offers none completes the handshake and is
//! answered by [`crate::shard`]. Session tickets are stateless under a key of this process, so a
//! session resumes on any shard; the key survives a reload of the certificate. No early data: a
//! replayed first flight could carry a token or a revocation.

use crate::settings::TlsSettings;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::ProducesTickets;
use rustls::sign::CertifiedKey;
use rustls::{InconsistentKeys, ServerConfig};
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

/// What a shard negotiates with; opaque outside this package.
pub type Config = ServerConfig;

const TICKETS_PER_HANDSHAKE: usize = 1;

/// Builds server configurations that share one ticket key.
pub struct TlsSource {
    settings: TlsSettings,
    ticketer: Arc<dyn ProducesTickets>,
}

/// Why a certificate or key cannot be used; names the file.
#[derive(Debug)]
pub struct TlsFault(String);

impl std::fmt::Display for TlsFault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for TlsFault {}

impl TlsSource {
    /// # Errors
    /// The system gave no randomness for the ticket key.
    pub fn new(settings: TlsSettings) -> Result<Self, TlsFault> {
        let ticketer =
            rustls::crypto::ring::Ticketer::new().map_err(|error| TlsFault(format!("ticket key: {error}")))?;
        Ok(Self { settings, ticketer })
    }

    /// Reads certificate and key and builds a configuration.
    ///
    /// # Errors
    /// A file is missing, not PEM, or the key does not belong to the certificate.
    pub fn load(&self) -> Result<Arc<ServerConfig>, TlsFault> {
        let chain = read_chain(&self.settings.cert_pem_path)?;
        let key = read_key(&self.settings.key_pem_path)?;
        let versions: &[&rustls::SupportedProtocolVersion] = if self.settings.tls12 {
            &[&rustls::version::TLS13, &rustls::version::TLS12]
        } else {
            &[&rustls::version::TLS13]
        };
        let mut config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_protocol_versions(versions)
            .map_err(|error| TlsFault(error.to_string()))?
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .map_err(|error| TlsFault(format!("{}: {error}", self.settings.cert_pem_path.display())))?;
        config.alpn_protocols = vec![b"h2".to_vec()];
        config.ticketer = self.ticketer.clone();
        config.send_tls13_tickets = TICKETS_PER_HANDSHAKE;
        config.max_early_data_size = 0;
        Ok(Arc::new(config))
    }

    /// The modification times of both files, to notice a change.
    pub fn stamp(&self) -> [Option<SystemTime>; 2] {
        [&self.settings.cert_pem_path, &self.settings.key_pem_path]
            .map(|path| std::fs::metadata(path).and_then(|metadata| metadata.modified()).ok())
    }
}

/// What of a certificate and its key a listener could not use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PairFault {
    /// No certificate, or one that cannot be read.
    Certificate,
    /// No private key, or one of a kind that TLS here does not sign with.
    Key,
    /// The key belongs to another certificate.
    Mismatch,
}

/// Checks the texts of a certificate chain and its key as [`TlsSource::load`] would. A certificate that has expired
/// passes: whether peers take it is not this program's to say.
///
/// # Errors
/// The first of the two that cannot be used, or that they do not belong together.
pub fn check_pair(chain_pem: &[u8], key_pem: &[u8]) -> Result<(), PairFault> {
    let chain = CertificateDer::pem_slice_iter(chain_pem).collect::<Result<Vec<_>, _>>();
    let chain = chain.ok().filter(|chain| !chain.is_empty()).ok_or(PairFault::Certificate)?;
    let key = PrivateKeyDer::from_pem_slice(key_pem).map_err(|_| PairFault::Key)?;
    let key = rustls::crypto::ring::sign::any_supported_type(&key).map_err(|_| PairFault::Key)?;
    match CertifiedKey::new(chain, key).keys_match() {
        Ok(()) | Err(rustls::Error::InconsistentKeys(InconsistentKeys::Unknown)) => Ok(()),
        Err(rustls::Error::InconsistentKeys(_)) => Err(PairFault::Mismatch),
        Err(_) => Err(PairFault::Certificate),
    }
}

fn read_chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsFault> {
    let named = |error: rustls::pki_types::pem::Error| TlsFault(format!("{}: {error}", path.display()));
    let chain: Vec<_> = CertificateDer::pem_file_iter(path).map_err(named)?.collect::<Result<_, _>>().map_err(named)?;
    if chain.is_empty() {
        return Err(TlsFault(format!("{}: holds no certificate", path.display())));
    }
    Ok(chain)
}

fn read_key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsFault> {
    PrivateKeyDer::from_pem_file(path).map_err(|_| TlsFault(format!("{}: holds no private key in PEM", path.display())))
}
