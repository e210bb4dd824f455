//! Where a session is from, without a map: the network of its address.
//!
//! A network is what a person can compare: the one they are in now, and others. No place is named, because none is
//! known: tables that guess cities from addresses are wrong where it matters (mobile networks, relays, companies) and
//! would be one more thing to keep up to date. Host parts are left out, since they change by themselves (IPv6 privacy
//! addresses, RFC 8981; carriers' address pools).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The network of an address: the /24 of IPv4, the /48 of IPv6, which is what a provider hands to a household or an
/// office. As it is, where it is no address.
pub fn network(address: &str) -> String {
    match address.parse::<IpAddr>().map(|address| address.to_canonical()) {
        Ok(IpAddr::V4(address)) => format!("{}/24", Ipv4Addr::from_bits(address.to_bits() & (u32::MAX << 8))),
        Ok(IpAddr::V6(address)) => format!("{}/48", Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 80))),
        Err(_) => address.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_is_told_and_no_host() {
        for (reason, address, expected) in [
            ("IPv4", "203.0.113.77", "203.0.113.0/24"),
            ("IPv4 in IPv6", "::ffff:203.0.113.77", "203.0.113.0/24"),
            ("IPv6", "2001:db8:1:2:3:4:5:6", "2001:db8:1::/48"),
            ("this machine", "::1", "::/48"),
            ("nothing: an account that was erased", "", ""),
            ("no address", "somewhere", "somewhere"),
        ] {
            assert_eq!(network(address), expected, "{reason}");
        }
    }
}
