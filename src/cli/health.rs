//! `sigid health -c FILE`: asks the direct listener, as a container's health check does.
//!
//! Trusts `server.tls.ca_pem_path`, or the certificate itself where no CA is given; the name that is
//! verified is the issuer's. Where `server.proxy_protocol` is on and this machine is among the trusted
//! proxies, it begins as their health checks do. 0 ready, 1 not ready, 69 nobody answers.

use crate::cli::{complain, say};
use crate::config::{self, Config};
use sigid_io::probe::{self, Probe};
use sigid_io::settings::Network;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

#[derive(clap::Args)]
pub struct Args {
    /// The configuration file.
    #[arg(short, long, value_name = "FILE", default_value = "sigid.toml")]
    config: PathBuf,
}

const DEADLINE: Duration = Duration::from_secs(5);
const EXIT_NOT_READY: u8 = 1;
const EXIT_UNREACHABLE: u8 = 69;
const EXIT_CONFIGURATION: u8 = 78;

pub fn run(args: Args) -> u8 {
    let config = match config::load(&args.config, &crate::environment) {
        Ok(config) => config,
        Err(problems) => {
            complain(problems);
            return EXIT_CONFIGURATION;
        }
    };
    let asked = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| error.to_string());
    match asked.and_then(|runtime| runtime.block_on(ask(&config))) {
        Ok(200) => {
            say("ready");
            0
        }
        Ok(status) => {
            complain(format!("sigid health: not ready (status {status})"));
            EXIT_NOT_READY
        }
        Err(error) => {
            complain(format!("sigid health: {error}"));
            EXIT_UNREACHABLE
        }
    }
}

async fn ask(config: &Config) -> Result<u16, String> {
    let server = &config.server;
    let trust = server.tls.ca_pem_path.as_ref().unwrap_or(&server.tls.cert_pem_path);
    let address = reachable(server.host);
    let probe = Probe {
        address: SocketAddr::new(address, server.port),
        name: &config.oidc.issuer_host,
        trust_pem_path: trust,
        path: "/health/ready",
        proxy_header: expects_header(server.proxy_protocol, &server.trusted_proxies, address),
    };
    tokio::time::timeout(DEADLINE, probe::get(&probe))
        .await
        .map_err(|_| "no answer in time".to_owned())?
        .map_err(|fault| fault.to_string())
}

/// Who connects to an address of this machine from this machine comes from that address.
fn expects_header(proxy_protocol: bool, trusted_proxies: &[Network], address: IpAddr) -> bool {
    proxy_protocol && trusted_proxies.iter().any(|network| network.contains(address))
}

/// The address by which a listener on every address is reached from its own machine.
fn reachable(host: IpAddr) -> IpAddr {
    match host {
        IpAddr::V4(address) if address.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(address) if address.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        host => host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_is_sent_where_the_listener_wants_it_from_here() {
        let rows = [
            (true, "127.0.0.0/8", "127.0.0.1", true, "trusted"),
            (true, "10.0.0.0/8", "127.0.0.1", false, "this machine is not trusted, so a header would be refused"),
            (true, "10.0.0.0/8", "10.1.2.3", true, "a listener on an address of its own"),
            (false, "127.0.0.0/8", "127.0.0.1", false, "trusted for X-Forwarded-For only"),
        ];
        for (proxy_protocol, trusted, address, expected, reason) in rows {
            let trusted = [Network::parse(trusted).unwrap()];
            assert_eq!(expects_header(proxy_protocol, &trusted, address.parse().unwrap()), expected, "{reason}");
        }
    }
}
