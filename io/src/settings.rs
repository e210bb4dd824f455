//! What the runtime is told: plain values, already validated by whoever read them.
//!
//! Nothing here parses or defaults; the configuration does both, so that one place knows them.

use crate::fail::Fail;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

/// The listener: where, how many shards, whose word counts, and every limit of a connection.
#[derive(Clone, Debug)]
pub struct ServerSettings {
    pub host: IpAddr,
    pub port: u16,
    /// Shards (threads with their own loop); 0 chooses by the number of cores.
    pub shards: usize,
    pub tls: TlsSettings,
    pub cors_allowed_origins: Vec<String>,
    pub trusted_proxies: Vec<Network>,
    /// Lower-case authorities (`host` or `host:port`); empty accepts any.
    pub allowed_hosts: Vec<String>,
    /// Connections from `trusted_proxies` begin with a PROXY protocol v2 header.
    pub proxy_protocol: bool,
    pub limits: ConnectionLimits,
    /// Deadline of the drain after SIGTERM.
    pub drain: Duration,
    /// `false` binds without SO_REUSEPORT first, so that a busy port is noticed (`sigid dev`).
    pub share_port: bool,
}

#[derive(Clone, Debug)]
pub struct TlsSettings {
    pub cert_pem_path: PathBuf,
    pub key_pem_path: PathBuf,
    pub ca_pem_path: Option<PathBuf>,
    /// Also speak TLS 1.2, with AEAD suites only.
    pub tls12: bool,
}

/// The limits of one shard's connections. Bytes, counts and durations as named.
#[derive(Clone, Debug)]
pub struct ConnectionLimits {
    pub handshake: Duration,
    pub idle: Duration,
    pub age_max: Duration,
    /// From a request's header to the end of its body.
    pub body: Duration,
    /// How long a reply may wait for the peer to read it.
    pub reply: Duration,
    pub connections_max: usize,
    pub connections_per_address_max: usize,
    pub streams_max: u32,
    pub header_list_bytes_max: u32,
    pub resets_max: usize,
    /// Bytes received without completing a request, after which the connection is closed.
    pub unproductive_bytes_max: usize,
}

/// An address range: `10.0.0.0/8`, `::1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    prefix_bits: u8,
}

impl Network {
    /// `address/prefix`, or one address alone.
    pub fn parse(text: &str) -> Option<Self> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().ok()?;
        let bits_max = if address.is_ipv4() { 32 } else { 128 };
        let prefix_bits = match prefix {
            Some(prefix) => prefix.parse().ok().filter(|bits| *bits <= bits_max)?,
            None => bits_max,
        };
        Some(Self { address, prefix_bits })
    }

    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(a), IpAddr::V4(b)) => {
                let shift = 32 - u32::from(self.prefix_bits);
                u32::from(a).checked_shr(shift) == u32::from(b).checked_shr(shift)
            }
            (IpAddr::V6(a), IpAddr::V6(b)) => {
                let shift = 128 - u32::from(self.prefix_bits);
                u128::from(a).checked_shr(shift) == u128::from(b).checked_shr(shift)
            }
            _ => false,
        }
    }
}

/// The planes of a process; each has its own URL, pool and role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Plane {
    Identity,
    Auth,
    Control,
    Async,
}

impl Plane {
    pub const ALL: [Self; 4] = [Self::Identity, Self::Auth, Self::Control, Self::Async];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Auth => "auth",
            Self::Control => "control",
            Self::Async => "async",
        }
    }
}

/// One plane's connection string and pool size.
#[derive(Clone)]
pub struct PgTarget {
    /// A libpq URL or key=value string; holds a password, so it is never printed.
    pub url: String,
    pub max_connections: u32,
    pub min_connections: u32,
}

/// PostgreSQL: a target for each plane of this process, and the deadlines of every statement.
#[derive(Clone)]
pub struct PgSettings {
    pub identity: PgTarget,
    pub auth: PgTarget,
    pub control: PgTarget,
    pub async_: PgTarget,
    pub connect_timeout: Duration,
    pub statement_timeout: Duration,
    pub require_ssl: bool,
    pub ca_pem_path: Option<PathBuf>,
    /// Development's fail points; by default none strikes.
    pub fail: Fail,
}

impl PgSettings {
    pub fn target(&self, plane: Plane) -> &PgTarget {
        match plane {
            Plane::Identity => &self.identity,
            Plane::Auth => &self.auth,
            Plane::Control => &self.control,
            Plane::Async => &self.async_,
        }
    }
}
