//! Frames of HTTP/2 (RFC 9113 section 4 and 6): the header of nine bytes, and what this side writes.

/// What a client sends first (section 3.4).
pub const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
pub const HEADER_BYTES: usize = 9;
/// The largest payload that we take and send: the least that the RFC allows (`SETTINGS_MAX_FRAME_SIZE`).
pub const PAYLOAD_BYTES_MAX: usize = 16_384;
/// The largest window of flow control (section 6.9.1).
pub const WINDOW_MAX: i64 = 0x7fff_ffff;
/// The window of every connection, and of its streams until SETTINGS say otherwise (section 6.9.2).
pub const WINDOW_DEFAULT: u32 = 65_535;

pub const DATA: u8 = 0;
pub const HEADERS: u8 = 1;
pub const PRIORITY: u8 = 2;
pub const RST_STREAM: u8 = 3;
pub const SETTINGS: u8 = 4;
pub const PUSH_PROMISE: u8 = 5;
pub const PING: u8 = 6;
pub const GOAWAY: u8 = 7;
pub const WINDOW_UPDATE: u8 = 8;
pub const CONTINUATION: u8 = 9;

/// Flags; SETTINGS and PING acknowledge with the bit that ends a stream elsewhere.
pub const ACK: u8 = 0x1;
pub const END_STREAM: u8 = 0x1;
pub const END_HEADERS: u8 = 0x4;
pub const PADDED: u8 = 0x8;
pub const PRIORITY_FIELDS: u8 = 0x20;

pub const ENABLE_PUSH: u16 = 2;
pub const MAX_CONCURRENT_STREAMS: u16 = 3;
pub const INITIAL_WINDOW_SIZE: u16 = 4;
pub const MAX_FRAME_SIZE: u16 = 5;
pub const MAX_HEADER_LIST_SIZE: u16 = 6;

/// Error codes (section 7) that this side sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Reason {
    NoError = 0,
    ProtocolError = 1,
    FlowControlError = 3,
    StreamClosed = 5,
    FrameSizeError = 6,
    RefusedStream = 7,
    CompressionError = 9,
    EnhanceYourCalm = 11,
}

/// The header of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    pub length: usize,
    pub kind: u8,
    pub flags: u8,
    /// Without the reserved bit.
    pub stream: u32,
}

impl Header {
    pub fn parse(bytes: [u8; HEADER_BYTES]) -> Self {
        let [l0, l1, l2, kind, flags, s0, s1, s2, s3] = bytes;
        Self {
            length: u32::from_be_bytes([0, l0, l1, l2]) as usize,
            kind,
            flags,
            stream: u32::from_be_bytes([s0 & 0x7f, s1, s2, s3]),
        }
    }

    pub fn has(self, flag: u8) -> bool {
        self.flags & flag != 0
    }
}

/// Writes a frame's header; the payload of `length` bytes follows.
pub fn write_header(out: &mut Vec<u8>, length: usize, kind: u8, flags: u8, stream: u32) {
    let [_, l0, l1, l2] = (length as u32).to_be_bytes();
    let [s0, s1, s2, s3] = stream.to_be_bytes();
    out.extend_from_slice(&[l0, l1, l2, kind, flags, s0, s1, s2, s3]);
}

pub fn write_settings(out: &mut Vec<u8>, settings: &[(u16, u32)]) {
    write_header(out, settings.len() * 6, SETTINGS, 0, 0);
    for (id, value) in settings {
        out.extend_from_slice(&id.to_be_bytes());
        out.extend_from_slice(&value.to_be_bytes());
    }
}

pub fn write_settings_ack(out: &mut Vec<u8>) {
    write_header(out, 0, SETTINGS, ACK, 0);
}

pub fn write_ping(out: &mut Vec<u8>, flags: u8, payload: [u8; 8]) {
    write_header(out, 8, PING, flags, 0);
    out.extend_from_slice(&payload);
}

pub fn write_reset(out: &mut Vec<u8>, stream: u32, reason: Reason) {
    write_header(out, 4, RST_STREAM, 0, stream);
    out.extend_from_slice(&(reason as u32).to_be_bytes());
}

pub fn write_window_update(out: &mut Vec<u8>, stream: u32, increment: u32) {
    write_header(out, 4, WINDOW_UPDATE, 0, stream);
    out.extend_from_slice(&increment.to_be_bytes());
}

pub fn write_go_away(out: &mut Vec<u8>, last_stream: u32, reason: Reason) {
    write_header(out, 8, GOAWAY, 0, 0);
    out.extend_from_slice(&last_stream.to_be_bytes());
    out.extend_from_slice(&(reason as u32).to_be_bytes());
}

/// The payload without its padding (section 6.1); `None`: more padding than payload.
pub fn without_padding(header: Header, payload: &[u8]) -> Option<&[u8]> {
    if !header.has(PADDED) {
        return Some(payload);
    }
    let (padding, rest) = payload.split_first()?;
    rest.get(..rest.len().checked_sub(usize::from(*padding))?)
}

/// A number of 31 bits at the start of `payload`.
pub fn number(payload: &[u8]) -> Option<u32> {
    payload.first_chunk().map(|bytes| u32::from_be_bytes(*bytes) & 0x7fff_ffff)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_read_as_it_was_written() {
        for (length, kind, flags, stream) in
            [(0, DATA, 0, 1), (16_384, HEADERS, END_HEADERS | PADDED, 0x7fff_ffff), (0xff_ffff, 0xfa, 0xff, 0)]
        {
            let mut bytes = Vec::new();
            write_header(&mut bytes, length, kind, flags, stream);
            let header = Header::parse(*bytes.first_chunk().unwrap());
            assert_eq!(header, Header { length, kind, flags, stream });
        }
        assert_eq!(Header::parse([0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]).stream, 0x7fff_ffff, "the reserved bit");
    }

    #[test]
    fn padding_is_taken_off_or_refused() {
        let header = |flags| Header { length: 0, kind: DATA, flags, stream: 1 };
        for (reason, flags, payload, expected) in [
            ("no padding", 0, &b"abc"[..], Some(&b"abc"[..])),
            ("padded", PADDED, b"\x01ab\0", Some(b"ab")),
            ("all padding", PADDED, b"\x02\0\0", Some(b"")),
            ("more than there is", PADDED, b"\x03\0\0", None),
            ("no length", PADDED, b"", None),
        ] {
            assert_eq!(without_padding(header(flags), payload), expected, "{reason}");
        }
    }
}
