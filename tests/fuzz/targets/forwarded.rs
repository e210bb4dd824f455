//! `X-Forwarded-For`: a stranger's is not read, and a trusted proxy's gives the peer or an address that stands in it.

#![no_main]

use std::net::IpAddr;

use http::{HeaderMap, HeaderValue};
use libfuzzer_sys::fuzz_target;
use sigid_io::http::client_address;
use sigid_io::settings::Network;

fuzz_target!(|bytes: &[u8]| {
    let trusted: Vec<Network> = ["10.0.0.0/8", "2001:db8::/32"].map(|text| Network::parse(text).unwrap()).into();
    let is_trusted = |address: IpAddr| trusted.iter().any(|network| network.contains(address));
    let mut headers = HeaderMap::new();
    for line in bytes.split(|byte| *byte == b'\n') {
        let Ok(value) = HeaderValue::from_bytes(line) else { return };
        headers.append("x-forwarded-for", value);
    }
    let stranger: IpAddr = "192.0.2.9".parse().unwrap();
    assert_eq!(client_address(stranger, &headers, &trusted), stranger, "a stranger's header is not read");
    let proxy: IpAddr = "10.0.0.1".parse().unwrap();
    let found = client_address(proxy, &headers, &trusted);
    let text = String::from_utf8_lossy(bytes);
    let mut entries = text.split(['\n', ',']).map(|entry| entry.trim().trim_matches(['[', ']']));
    let is_there = entries.any(|entry| {
        let address = entry.parse().or_else(|_| entry.parse().map(|address: std::net::SocketAddr| address.ip()));
        address.is_ok_and(|address: IpAddr| address.to_canonical() == found)
    });
    // With a port, an address of version 6 keeps its brackets; those entries are looked at as text.
    let is_bracketed = text.contains("]:");
    assert!(found == proxy || is_there || is_bracketed, "{found} stands nowhere");
    assert!(is_trusted(proxy), "the proxy is one");
});
