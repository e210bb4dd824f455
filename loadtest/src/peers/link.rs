//! A connection to a peer: TLS 1.3 with ALPN h2, and a [`Wire`] on it.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::{ClientConfig, DigitallySignedStruct, HandshakeKind, RootCertStore, SignatureScheme};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::fault::Fault;
use crate::peers::wire::{Plan, Wire};

/// How connections of this comparison are made.
#[derive(Clone)]
pub struct Caller {
    tls: Arc<ClientConfig>,
}

pub struct Link {
    stream: TlsStream<TcpStream>,
    pub wire: Wire,
    buffer: Vec<u8>,
    out: Vec<u8>,
    name: String,
}

impl Caller {
    /// Every handshake in full.
    pub fn new(ca: &Path) -> Result<Self, Fault> {
        let fault = |why: String| Fault::Usage(format!("{}: {why}", ca.display()));
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_file_iter(ca).map_err(|e| fault(e.to_string()))? {
            roots.add(certificate.map_err(|e| fault(e.to_string()))?).map_err(|e| fault(e.to_string()))?;
        }
        let builder = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()));
        let builder = builder.with_protocol_versions(&[&rustls::version::TLS13]).map_err(|e| Fault::local("TLS", e))?;
        let mut tls = builder.with_root_certificates(roots).with_no_client_auth();
        tls.alpn_protocols = vec![b"h2".to_vec()];
        tls.resumption = Resumption::disabled();
        Ok(Self { tls: Arc::new(tls) })
    }

    /// Takes this certificate as it is, its signature too: for servers whose handshake was checked before, so that
    /// there are enough handshakes to fill their core.
    pub fn trusting(&self, certificate: &Path) -> Result<Self, Fault> {
        let fault = |e: &dyn std::fmt::Display| Fault::Usage(format!("{}: {e}", certificate.display()));
        let known = CertificateDer::from_pem_file(certificate).map_err(|e| fault(&e))?;
        let mut tls = ClientConfig::clone(&self.tls);
        let schemes = tls.crypto_provider().signature_verification_algorithms.supported_schemes();
        tls.dangerous().set_certificate_verifier(Arc::new(Known { certificate: known, schemes }));
        Ok(Self { tls: Arc::new(tls) })
    }

    /// Handshakes resumed from the second on, with tickets of its own.
    pub fn resuming(&self) -> Self {
        let mut tls = ClientConfig::clone(&self.tls);
        tls.resumption = Resumption::in_memory_sessions(TICKETS);
        Self { tls: Arc::new(tls) }
    }

    /// A connection on which the peer has said its settings. `from` spares its address' ports.
    pub async fn connect(&self, name: &str, port: u16, from: Ipv4Addr, streams: usize) -> Result<Link, Fault> {
        let fault = |why: String| Fault::Unreachable(format!("{name}: {why}"));
        let work = self.open(name, port, from, streams);
        timeout(DEADLINE, work).await.map_err(|_| fault(format!("no connection within {DEADLINE:?}")))?.map_err(fault)
    }

    async fn open(&self, name: &str, port: u16, from: Ipv4Addr, streams: usize) -> Result<Link, String> {
        let text = |e: std::io::Error| e.to_string();
        let socket = TcpSocket::new_v4().map_err(text)?;
        socket.bind(SocketAddr::new(IpAddr::V4(from), 0)).map_err(text)?;
        let socket = socket.connect(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).await.map_err(text)?;
        socket.set_nodelay(true).map_err(text)?;
        let host = ServerName::try_from("localhost").map_err(|e| e.to_string())?;
        let stream = TlsConnector::from(Arc::clone(&self.tls)).connect(host, socket).await.map_err(text)?;
        if stream.get_ref().1.alpn_protocol() != Some(b"h2") {
            return Err("it did not agree on h2 by ALPN".to_owned());
        }
        let (wire, out) = Wire::open(streams);
        let mut link = Link { stream, wire, buffer: vec![0; SMALL_BYTES], out, name: name.to_owned() };
        let nothing = Plan::new(&[], &[]);
        while !link.wire.is_settled() {
            link.turn(&nothing, false).await?;
        }
        link.flush().await?;
        Ok(link)
    }
}

impl Link {
    /// Sends what is due, then takes what has come.
    async fn turn(&mut self, plan: &Plan, again: bool) -> Result<(), String> {
        self.flush().await?;
        let read = self.stream.read(&mut self.buffer).await.map_err(|e| e.to_string())?;
        let Some(bytes) = self.buffer.get(..read).filter(|bytes| !bytes.is_empty()) else {
            return Err("the server closed the connection".to_owned());
        };
        self.wire.feed(bytes, plan, again, &mut self.out)
    }

    async fn flush(&mut self) -> Result<(), String> {
        if self.out.is_empty() {
            return Ok(());
        }
        self.stream.write_all(&self.out).await.map_err(|e| e.to_string())?;
        self.out.clear();
        self.stream.flush().await.map_err(|e| e.to_string())
    }

    /// Keeps as many requests in flight as there are streams, while `goes_on`; tells every reply.
    pub async fn load(
        &mut self,
        plan: &Plan,
        streams: usize,
        goes_on: impl Fn() -> bool,
        told: impl Fn(u64),
    ) -> Result<(), Fault> {
        self.buffer.resize(if streams > 1 { LARGE_BYTES } else { SMALL_BYTES }, 0);
        for _ in 0..streams {
            self.wire.send(plan, &mut self.out);
        }
        let mut seen = self.wire.done;
        while self.wire.in_flight > 0 {
            self.turn(plan, goes_on()).await.map_err(|why| self.fault(&why))?;
            told(self.wire.done - seen);
            seen = self.wire.done;
        }
        Ok(())
    }

    /// One request, and the body of its reply.
    pub async fn ask(&mut self, plan: &Plan) -> Result<Vec<u8>, Fault> {
        self.wire.body = Some(Vec::new());
        let asked = timeout(DEADLINE, self.load(plan, 1, || false, |_| ())).await;
        let body = self.wire.body.take().unwrap_or_default();
        asked.map_err(|_| self.fault("no answer in time"))?.map(|()| body)
    }

    pub fn is_resumed(&self) -> bool {
        self.stream.get_ref().1.handshake_kind() == Some(HandshakeKind::Resumed)
    }

    pub fn suite(&self) -> String {
        let suite = self.stream.get_ref().1.negotiated_cipher_suite();
        suite.map_or_else(String::new, |suite| format!("{:?}", suite.suite()))
    }

    pub async fn close(mut self) {
        // The peer may have been quicker; all the same.
        let _ = timeout(DEADLINE, self.stream.shutdown()).await;
    }

    /// Gives up the memory of the loop: an idle connection needs none.
    pub fn rest(&mut self) {
        self.buffer = Vec::new();
        self.out = Vec::new();
    }

    fn fault(&self, why: &str) -> Fault {
        Fault::Refused(format!("{}: {why}", self.name))
    }
}

#[derive(Debug)]
struct Known {
    certificate: CertificateDer<'static>,
    schemes: Vec<SignatureScheme>,
}

impl ServerCertVerifier for Known {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if *certificate == self.certificate {
            return Ok(ServerCertVerified::assertion());
        }
        Err(rustls::Error::General("not the certificate that was checked before".to_owned()))
    }

    /// TLS 1.2 is not offered.
    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(rustls::Error::General("TLS 1.2".to_owned()))
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.schemes.clone()
    }
}

const LARGE_BYTES: usize = 65_536;
/// For what is asked one by one: making a large one would take as long as a part of the handshake.
const SMALL_BYTES: usize = 4096;
const DEADLINE: Duration = Duration::from_secs(10);
const TICKETS: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    use bytes::Bytes;
    use rustls_pki_types::PrivateKeyDer;
    use tokio::net::TcpListener;
    use tokio_rustls::TlsAcceptor;

    /// What a server of a library makes of our frames: method, path, and each field.
    async fn serve(listener: TcpListener, tls: TlsAcceptor) -> Vec<Vec<(String, String)>> {
        let (socket, _) = listener.accept().await.unwrap();
        let mut connection = h2::server::handshake(tls.accept(socket).await.unwrap()).await.unwrap();
        let mut seen = Vec::new();
        while let Some(Ok((request, mut respond))) = connection.accept().await {
            let (head, mut body) = request.into_parts();
            let field = |(name, value): (&http::HeaderName, &http::HeaderValue)| {
                (name.to_string(), value.to_str().unwrap().to_owned())
            };
            let mut fields: Vec<(String, String)> = head.headers.iter().map(field).collect();
            fields.push((head.method.to_string(), head.uri.to_string()));
            tokio::spawn(async move {
                while let Some(Ok(chunk)) = body.data().await {
                    body.flow_control().release_capacity(chunk.len()).unwrap();
                }
                let mut reply = respond.send_response(http::Response::new(()), false).unwrap();
                reply.send_data(Bytes::from_static(b"ok"), true).unwrap();
            });
            seen.push(fields);
        }
        seen
    }

    fn directory(name: &str) -> std::path::PathBuf {
        let path = std::env::temp_dir().join(format!("sigid-peers-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        path
    }

    #[tokio::test]
    async fn a_trusted_certificate_is_the_only_one_that_is_taken() {
        let (ours, other) = (directory("ours"), directory("other"));
        let tls = certificate(&ours);
        certificate(&other);
        let caller = Caller::new(&other.join("ca.pem")).unwrap();
        for (directory, is_taken) in [(&ours, true), (&other, false)] {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
            let port = listener.local_addr().unwrap().port();
            let tls = tls.clone();
            let server = tokio::spawn(async move {
                let (socket, _) = listener.accept().await.unwrap();
                let stream = tls.accept(socket).await;
                if let Ok(stream) = stream {
                    h2::server::handshake(stream).await.unwrap().accept().await;
                }
            });
            let caller = caller.trusting(&directory.join("ca.pem")).unwrap();
            let connected = caller.connect("test", port, Ipv4Addr::LOCALHOST, 1).await;
            assert_eq!(connected.is_ok(), is_taken);
            drop(connected);
            server.await.unwrap();
            std::fs::remove_dir_all(directory).unwrap();
        }
    }

    fn certificate(directory: &Path) -> TlsAcceptor {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        std::fs::write(directory.join("ca.pem"), made.cert.pem()).unwrap();
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let mut tls =
            builder.unwrap().with_no_client_auth().with_single_cert(vec![made.cert.der().clone()], key).unwrap();
        tls.alpn_protocols = vec![b"h2".to_vec()];
        TlsAcceptor::from(Arc::new(tls))
    }

    #[tokio::test]
    async fn a_librarys_server_reads_every_request_as_it_was_meant() {
        let directory = directory("reads");
        let tls = certificate(&directory);
        let caller = Caller::new(&directory.join("ca.pem")).unwrap();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = tokio::spawn(serve(listener, tls));

        let mut link = caller.connect("test", port, Ipv4Addr::LOCALHOST, 4).await.unwrap();
        let secret = "Basic ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/==";
        let header = [
            (":path", "/oauth/introspect"),
            (":scheme", "https"),
            (":authority", "localhost:1"),
            (":method", "POST"),
            ("user-agent", "a (b; c) ~!#$%&'*<>?@[]^_`{|}"),
            ("authorization", secret),
            ("content-length", "3"),
        ];
        let plan = Plan::new(&header, b"abc");
        assert_eq!(link.ask(&plan).await.unwrap(), b"ok");
        let replies = std::cell::Cell::new(0);
        link.load(&plan, 4, || replies.get() < 100, |count| replies.update(|all| all + count)).await.unwrap();
        link.close().await;

        let seen = server.await.unwrap();
        assert!(seen.len() > 100 && seen.len() as u64 == replies.get() + 1, "{} {}", seen.len(), replies.get());
        let first = seen.first().unwrap();
        let of = |name: &str| first.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str());
        for (name, value) in &header[4..] {
            assert_eq!(of(name), Some(*value));
        }
        assert_eq!(of("POST"), Some("https://localhost:1/oauth/introspect"));
        assert!(seen.iter().all(|fields| fields == first), "later requests say what the first one did");
        std::fs::remove_dir_all(&directory).unwrap();
    }
}
