//! Ports that nobody else has, and that stay the same from one start to the next.
//!
//! The listener shares its port among shards with SO_REUSEPORT, and the kernel lets any process of the same user
//! join: a second clone would bind 8443 without an error and take half of the requests. So a port is first bound
//! without it, on both loopback addresses, since `localhost` may lead to either. That leaves the moment between
//! this look and the server's own bind, in which another clone may look too; a name in the abstract namespace of
//! Unix sockets, held until the process ends, closes it. That namespace is the network namespace's, like the
//! ports, and the kernel forgets a name with its holder, so nothing can be left behind.
//!
//! The issuer holds the port, so a port is remembered, and one that was asked for is taken or refused, never moved.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpListener};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixListener};

use super::fault::Fault;

/// A port that is this process's until it ends.
#[derive(Debug)]
pub struct Claim {
    pub port: u16,
    _name: UnixListener,
}

/// The port that was asked for, or a refusal.
pub fn claim_exactly(port: u16) -> Result<Claim, Fault> {
    find_claim(port).ok_or_else(|| {
        Fault::refused(format!(
            "port {port} is busy; stop what listens there, or leave --port out and the next free one is taken"
        ))
    })
}

/// The first free port from `first` upwards.
pub fn claim_next(first: u16) -> Result<Claim, Fault> {
    let last = first.saturating_add(TRIES - 1);
    (first..=last)
        .find_map(find_claim)
        .ok_or_else(|| Fault::refused(format!("no port from {first} to {last} is free; name another with --port")))
}

fn find_claim(port: u16) -> Option<Claim> {
    let name = SocketAddr::from_abstract_name(format!("sigid-dev-port-{port}")).ok()?;
    let name = UnixListener::bind_addr(&name).ok()?;
    let free = port != 0 && is_free(Ipv4Addr::LOCALHOST.into(), port) && is_free(Ipv6Addr::LOCALHOST.into(), port);
    free.then_some(Claim { port, _name: name })
}

/// Only "in use" and "not permitted" count: a machine without IPv6 has nobody on its port either.
fn is_free(address: IpAddr, port: u16) -> bool {
    match TcpListener::bind((address, port)) {
        Ok(_) => true,
        Err(error) => !matches!(error.kind(), io::ErrorKind::AddrInUse | io::ErrorKind::PermissionDenied),
    }
}

const TRIES: u16 = 200;

#[cfg(test)]
mod tests {
    use super::*;

    /// A listener on a port of the kernel's choice.
    fn busy() -> (TcpListener, u16) {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        (listener, port)
    }

    #[test]
    fn a_busy_port_is_passed_over_and_an_explicit_one_refused() {
        let (_listener, port) = busy();
        assert!(claim_next(port).unwrap().port > port);
        let refusal = claim_exactly(port).unwrap_err();
        assert!(refusal.to_string().contains("is busy"), "{refusal}");
        assert_eq!(refusal.exit_code(), 1);
    }

    #[test]
    fn a_port_busy_on_the_other_loopback_address_counts() {
        let Ok(listener) = TcpListener::bind(("::1", 0)) else { return };
        let port = listener.local_addr().unwrap().port();
        assert!(find_claim(port).is_none());
    }

    #[test]
    fn a_claim_holds_before_anything_listens_and_ends_with_its_holder() {
        let (listener, port) = busy();
        drop(listener);
        let claim = claim_exactly(port).unwrap();
        assert!(find_claim(port).is_none(), "claimed, though nobody listens");
        drop(claim);
        assert!(find_claim(port).is_some());
    }

    #[test]
    fn the_server_may_still_bind_a_claimed_port() {
        let claim = claim_next(20_000).unwrap();
        assert!(TcpListener::bind(("127.0.0.1", claim.port)).is_ok());
    }

    #[test]
    fn zero_is_no_port() {
        assert!(find_claim(0).is_none());
    }
}
