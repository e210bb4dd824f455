//! PROXY protocol headers: what is read names an address that stands in the bytes.

#![no_main]

use std::net::{IpAddr, Ipv6Addr};

use libfuzzer_sys::fuzz_target;
use sigid_io::proxy_protocol::{HEAD_BYTES, REST_BYTES_MAX, SIGNATURE, Source, parse_head, parse_source};

fuzz_target!(|bytes: &[u8]| {
    // With its signature, and as it is.
    check(&[&SIGNATURE[..], bytes].concat());
    check(bytes);
});

fn check(bytes: &[u8]) {
    let Some((head, rest)) = bytes.split_first_chunk::<HEAD_BYTES>() else { return };
    let Some(read) = parse_head(head) else { return };
    assert!(head.starts_with(&SIGNATURE) && read.rest_bytes <= REST_BYTES_MAX);
    // The listener reads exactly what was announced, or gives up.
    let Some(rest) = rest.get(..read.rest_bytes) else { return };
    match (parse_source(&read, rest), head[12]) {
        (Some(Source::Of(IpAddr::V4(address))), 0x21) if head[13] == 0x11 => {
            assert!(rest.starts_with(&address.octets()))
        }
        (Some(Source::Of(address)), 0x21) => {
            let octets: [u8; 16] = *rest.first_chunk().expect("sixteen bytes");
            assert_eq!((head[13], address), (0x21, IpAddr::V6(Ipv6Addr::from(octets)).to_canonical()));
        }
        (Some(Source::Of(_)), _) => panic!("LOCAL names nobody"),
        (Some(Source::Own) | None, _) => {}
    }
}
