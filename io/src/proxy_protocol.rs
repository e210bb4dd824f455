//! PROXY protocol version 2: the true peer of a connection that a layer-4 balancer forwarded.
//!
//! Source: HAProxy's proxy-protocol.txt, section 2.2. Only trusted networks may send it; there it is
//! mandatory, so that a forged header from elsewhere is never read and a missing one is an error.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

pub const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";
/// Signature, version and command, family, length.
pub const HEAD_BYTES: usize = 16;
/// Addresses and type-length-value extensions after the head.
pub const REST_BYTES_MAX: usize = 2048;

/// What the head announces.
#[derive(Debug, PartialEq, Eq)]
pub struct Head {
    is_proxied: bool,
    family: u8,
    /// Bytes that follow the head.
    pub rest_bytes: usize,
}

/// Reads the fixed head; `None` for anything but version 2 with a known command.
pub fn parse_head(bytes: &[u8; HEAD_BYTES]) -> Option<Head> {
    let (signature, rest) = bytes.split_at_checked(SIGNATURE.len())?;
    let &[version_command, family, high, low] = rest else { return None };
    let is_proxied = match version_command {
        0x20 => false,
        0x21 => true,
        _ => return None,
    };
    let rest_bytes = usize::from(u16::from_be_bytes([high, low]));
    (signature == SIGNATURE && rest_bytes <= REST_BYTES_MAX).then_some(Head { is_proxied, family, rest_bytes })
}

/// Whose connection it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The balancer's own (LOCAL): a health check.
    Own,
    Of(IpAddr),
}

/// The source of the connection; `None` when malformed.
pub fn parse_source(head: &Head, rest: &[u8]) -> Option<Source> {
    if !head.is_proxied {
        return Some(Source::Own);
    }
    match head.family {
        0x11 if rest.len() >= 12 => {
            let octets: [u8; 4] = rest.first_chunk().copied()?;
            Some(Source::Of(IpAddr::V4(Ipv4Addr::from(octets))))
        }
        0x21 if rest.len() >= 36 => {
            let octets: [u8; 16] = rest.first_chunk().copied()?;
            Some(Source::Of(IpAddr::V6(Ipv6Addr::from(octets)).to_canonical()))
        }
        // UNSPEC: the balancer does not know; the connection's own peer stands (section 2.2).
        0x00 => Some(Source::Own),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(version_command: u8, family: u8, length: u16) -> [u8; HEAD_BYTES] {
        let mut bytes = [0; HEAD_BYTES];
        bytes[..12].copy_from_slice(&SIGNATURE);
        bytes[12] = version_command;
        bytes[13] = family;
        bytes[14..].copy_from_slice(&length.to_be_bytes());
        bytes
    }

    #[test]
    fn reads_addresses_and_refuses_the_rest() {
        let v4 = parse_head(&head(0x21, 0x11, 12)).unwrap();
        let mut rest = [0u8; 36];
        rest[..4].copy_from_slice(&[192, 0, 2, 7]);
        assert_eq!(parse_source(&v4, &rest[..12]), Some(Source::Of("192.0.2.7".parse().unwrap())));
        assert_eq!(parse_source(&v4, &rest[..11]), None, "addresses cut short");
        let v6 = parse_head(&head(0x21, 0x21, 36)).unwrap();
        rest[..16].copy_from_slice(&"2001:db8::7".parse::<Ipv6Addr>().unwrap().octets());
        assert_eq!(parse_source(&v6, &rest), Some(Source::Of("2001:db8::7".parse().unwrap())));
        let local = parse_head(&head(0x20, 0, 0)).unwrap();
        assert_eq!(parse_source(&local, &[]), Some(Source::Own), "LOCAL keeps the connection's own peer");
        assert_eq!(parse_head(&head(0x11, 0x11, 12)), None, "version 1 is not version 2");
        assert_eq!(parse_head(&head(0x21, 0x11, 4096)), None, "over the limit");
        let unspecified = parse_head(&head(0x21, 0x00, 0)).unwrap();
        assert_eq!(parse_source(&unspecified, &[]), Some(Source::Own), "UNSPEC keeps the connection's own peer");
        let unix = parse_head(&head(0x21, 0x31, 216)).unwrap();
        assert_eq!(parse_source(&unix, &[0; 216]), None, "a UNIX address is no peer");
    }
}
