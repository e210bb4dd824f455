//! One connection: the string checked and completed, TLS, startup options, the task that drives it.

use std::net::IpAddr;
use std::path::Path;
use std::str::FromStr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use tokio_postgres::config::{Host, SslMode, TargetSessionAttrs};
use tokio_postgres::{Client, Config, Connection, Socket};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::PgFault;
use crate::fail::{Fail, Point};

/// Where and how to connect: everything but the attempt.
#[derive(Clone)]
pub(crate) struct Target {
    config: Config,
    trust: Arc<Trust>,
    timeout: Duration,
    fail: Fail,
}

pub(crate) type Driver = Connection<Socket, <MakeRustlsConnect as tokio_postgres::tls::MakeTlsConnect<Socket>>::Stream>;

impl Target {
    /// `options` are `-c name=value` words for the server, added to those of the URL.
    pub(crate) fn new(
        url: &str,
        application_name: &str,
        options: &str,
        require_ssl: bool,
        timeout: Duration,
        trust: &Arc<Trust>,
        fail: Fail,
    ) -> Result<Self, PgFault> {
        let mut config = parse(url)?;
        let given = config.get_options().unwrap_or_default().to_owned();
        config.application_name(application_name).options(format!("{given} {options}").trim().to_owned());
        config.connect_timeout(timeout).tcp_user_timeout(TCP_USER_TIMEOUT);
        config.keepalives_idle(KEEPALIVE_IDLE).keepalives_interval(KEEPALIVE_INTERVAL).keepalives_retries(3);
        config.ssl_mode(ssl_mode(&config, require_ssl));
        // A standby knows a revocation late, or never while its replay is paused: only the primary is asked.
        config.target_session_attrs(TargetSessionAttrs::ReadWrite);
        Ok(Self { config, trust: Arc::clone(trust), timeout, fail })
    }
}

/// Connects within the target's deadline, handshakes included.
pub(crate) async fn dial(target: &Target) -> Result<(Client, Driver), PgFault> {
    let tls = MakeRustlsConnect::new(target.trust.client(target.config.get_ssl_mode())?);
    let strike = target.fail.at(Point::Connect);
    let connecting = async {
        if let Some(strike) = strike {
            strike.endure().await?;
        }
        target.config.connect(tls).await.map_err(PgFault::from)
    };
    match tokio::time::timeout(target.timeout, connecting).await {
        Ok(connected) => connected,
        Err(_) => Err(PgFault::Unreachable("the server does not answer")),
    }
}

/// The role and the password that a connection string names.
pub(crate) fn user_of(url: &str) -> Result<(String, Option<Vec<u8>>), PgFault> {
    let config = parse(url)?;
    let user = config.get_user().ok_or(PgFault::Settings("the connection string names no user"))?;
    Ok((user.to_owned(), config.get_password().map(<[u8]>::to_vec)))
}

/// The certificates that may vouch for the database, read at the first connection that speaks TLS.
pub(crate) struct Trust {
    ca_pem: Option<Box<Path>>,
    client: OnceLock<rustls::ClientConfig>,
}

impl Trust {
    /// Without `ca_pem` the system's bundle is trusted.
    pub(crate) fn new(ca_pem: Option<&Path>) -> Self {
        Self { ca_pem: ca_pem.map(Into::into), client: OnceLock::new() }
    }

    fn client(&self, mode: SslMode) -> Result<rustls::ClientConfig, PgFault> {
        if mode == SslMode::Disable {
            return client_config(rustls::RootCertStore::empty());
        }
        if let Some(client) = self.client.get() {
            return Ok(client.clone());
        }
        let client = client_config(self.read_roots()?)?;
        Ok(self.client.get_or_init(|| client).clone())
    }

    fn read_roots(&self) -> Result<rustls::RootCertStore, PgFault> {
        let path = self.ca_pem.as_deref().unwrap_or(Path::new(SYSTEM_BUNDLE));
        let unreadable = PgFault::Settings("the certificates that the database is checked against cannot be read");
        let mut roots = rustls::RootCertStore::empty();
        for certificate in CertificateDer::pem_file_iter(path).map_err(|_| unreadable.clone())? {
            // A bundle may hold what webpki cannot use; one broken entry must not cost the others.
            let _ = certificate.map_err(|_| ()).and_then(|der| roots.add(der).map_err(|_| ()));
        }
        if roots.is_empty() { Err(unreadable) } else { Ok(roots) }
    }
}

fn client_config(roots: rustls::RootCertStore) -> Result<rustls::ClientConfig, PgFault> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let versions = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = versions.map_err(|_| PgFault::Settings("TLS cannot be set up"))?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

/// libpq's stricter words for `sslmode` are what we always do.
fn parse(url: &str) -> Result<Config, PgFault> {
    let url = url.replace("sslmode=verify-full", "sslmode=require").replace("sslmode=verify-ca", "sslmode=require");
    let config = Config::from_str(&url).map_err(|_| PgFault::Settings("the connection string is not one"))?;
    if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
        return Err(PgFault::Settings("the connection string names no host"));
    }
    Ok(config)
}

/// `require_ssl` leaves nothing but TLS to a host that is not this machine. On this machine TLS is spoken only
/// when the connection string asks for it: a packaged server offers a certificate that nobody vouches for.
fn ssl_mode(config: &Config, require_ssl: bool) -> SslMode {
    let local = config.get_hosts().iter().all(is_local) && config.get_hostaddrs().iter().all(IpAddr::is_loopback);
    match (config.get_ssl_mode(), local) {
        (SslMode::Require, _) => SslMode::Require,
        (_, false) if require_ssl => SslMode::Require,
        (_, true) => SslMode::Disable,
        (asked, false) => asked,
    }
}

fn is_local(host: &Host) -> bool {
    match host {
        Host::Tcp(name) => name == "localhost" || name.parse().is_ok_and(|address: IpAddr| address.is_loopback()),
        Host::Unix(_) => true,
    }
}

const SYSTEM_BUNDLE: &str = "/etc/ssl/certs/ca-certificates.crt";
const KEEPALIVE_IDLE: Duration = Duration::from_secs(10);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(3);
/// How long sent bytes may stay unacknowledged before the kernel gives the connection up.
const TCP_USER_TIMEOUT: Duration = Duration::from_secs(15);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ssl_mode_follows_the_host_and_the_requirement() {
        for (url, require_ssl, expected, why) in [
            ("postgres://u@db.example/d", true, SslMode::Require, "a remote host must speak TLS"),
            ("postgres://u@db.example/d?sslmode=disable", true, SslMode::Require, "the URL cannot weaken the setting"),
            ("postgres://u@db.example/d", false, SslMode::Prefer, "not required: as the URL says"),
            ("postgres://u@db.example/d?sslmode=disable", false, SslMode::Disable, "not required: as the URL says"),
            ("postgres://u@db.example/d?sslmode=verify-full", false, SslMode::Require, "libpq's word for it"),
            ("postgres://u@127.0.0.1/d", true, SslMode::Disable, "loopback is exempt"),
            ("postgres://u@[::1]/d", true, SslMode::Disable, "loopback is exempt"),
            ("postgres://u@localhost/d?sslmode=require", false, SslMode::Require, "asked for"),
            ("host=/run/postgresql user=u dbname=d", true, SslMode::Disable, "a unix socket is exempt"),
            ("postgres://u@localhost,db.example/d", true, SslMode::Require, "one remote host is enough"),
            ("host=localhost hostaddr=10.0.0.1 user=u", true, SslMode::Require, "the address counts, not the name"),
        ] {
            let config = parse(url).unwrap();
            assert_eq!(ssl_mode(&config, require_ssl), expected, "{url}: {why}");
        }
    }

    #[test]
    fn unusable_strings_are_settings_faults() {
        for url in ["", "postgres://", "nonsense", "postgres://u@h/d?sslmode=maybe", "user=u dbname=d"] {
            assert!(matches!(parse(url), Err(PgFault::Settings(_))), "{url}");
        }
        assert!(matches!(user_of("host=localhost dbname=d"), Err(PgFault::Settings(_))), "no user");
        let (user, password) = user_of("postgres://sigid_auth:p%40ss@h/d").unwrap();
        assert_eq!((user.as_str(), password.as_deref()), ("sigid_auth", Some(&b"p@ss"[..])));
    }
}
