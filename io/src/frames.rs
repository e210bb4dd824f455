//! The frame headers of a connection, watched as they pass on their way to h2.
//!
//! h2 shows neither a frame or header block that is only half there, nor how many SETTINGS came, and it leaves
//! pseudo-header fields of trailers out instead of refusing them (RFC 9113 section 8.1). Nine bytes a frame tell all
//! three: a slow header gets a deadline, a flood of SETTINGS (each walks every open stream) a budget, and trailers that
//! begin with a pseudo-header field an error. HPACK is not decoded: pseudo-header fields come first, and their names are
//! entries 1 to 14 of the static table (RFC 7541 appendix A) or text that begins with a colon. A name that a peer has put
//! into its dynamic table is not recognized, and does no harm: h2 drops the field.

const PREFACE_BYTES: u8 = 24;
const HEADER_BYTES: usize = 9;

const HEADERS: u8 = 1;
const SETTINGS: u8 = 4;
const CONTINUATION: u8 = 9;
const ACK: u8 = 1;
const END_HEADERS: u8 = 4;
const PADDED: u8 = 8;
const PRIORITY: u8 = 0x20;

/// What has passed so far.
pub struct FrameWatch {
    preface_left: u8,
    header: [u8; HEADER_BYTES],
    header_have: u8,
    payload_left: u32,
    /// Payload bytes before the first of a field block that must be looked at.
    block_begins_in: Option<u32>,
    is_block_open: bool,
    stream_max: u32,
    settings: u32,
    has_bad_trailers: bool,
    /// The first byte of a trailers' block, when it said that the name's text follows.
    names_text_follows: u8,
}

impl Default for FrameWatch {
    fn default() -> Self {
        Self {
            preface_left: PREFACE_BYTES,
            header: [0; HEADER_BYTES],
            header_have: 0,
            payload_left: 0,
            block_begins_in: None,
            is_block_open: false,
            stream_max: 0,
            settings: 0,
            has_bad_trailers: false,
            names_text_follows: 0,
        }
    }
}

impl FrameWatch {
    /// A frame or a field block has begun and is not all there.
    pub fn is_incomplete(&self) -> bool {
        self.header_have > 0 || self.payload_left > 0 || self.is_block_open
    }

    /// SETTINGS since the last call.
    pub fn take_settings(&mut self) -> u32 {
        std::mem::take(&mut self.settings)
    }

    pub fn has_bad_trailers(&self) -> bool {
        self.has_bad_trailers
    }

    /// The next bytes from the peer.
    pub fn observe(&mut self, mut bytes: &[u8]) {
        if self.preface_left > 0 {
            let skipped = bytes.len().min(usize::from(self.preface_left));
            self.preface_left -= skipped as u8;
            bytes = bytes.get(skipped..).unwrap_or_default();
        }
        while !bytes.is_empty() {
            if self.payload_left > 0 {
                let taken = bytes.len().min(self.payload_left as usize);
                let (payload, rest) = bytes.split_at(taken);
                if self.block_begins_in.is_some() {
                    self.look_at(payload);
                }
                self.payload_left -= taken as u32;
                bytes = rest;
                continue;
            }
            if self.header_have == 0
                && let Some((header, rest)) = bytes.split_first_chunk()
            {
                self.begin_frame(*header);
                bytes = rest;
                continue;
            }
            let have = usize::from(self.header_have);
            let taken = bytes.len().min(HEADER_BYTES - have);
            let (piece, rest) = bytes.split_at(taken);
            if let Some(place) = self.header.get_mut(have..have + taken) {
                place.copy_from_slice(piece);
            }
            self.header_have += taken as u8;
            bytes = rest;
            if usize::from(self.header_have) == HEADER_BYTES {
                self.header_have = 0;
                self.begin_frame(self.header);
            }
        }
    }

    fn begin_frame(&mut self, header: [u8; HEADER_BYTES]) {
        let [a, b, c, kind, flags, s0, s1, s2, s3] = header;
        self.payload_left = u32::from_be_bytes([0, a, b, c]);
        let stream = u32::from_be_bytes([s0 & 0x7f, s1, s2, s3]);
        match kind {
            HEADERS => {
                let is_trailers = stream <= self.stream_max;
                self.stream_max = self.stream_max.max(stream);
                self.is_block_open = flags & END_HEADERS == 0;
                let before = u32::from(flags & PADDED != 0) + if flags & PRIORITY != 0 { 5 } else { 0 };
                self.block_begins_in = is_trailers.then_some(before);
                self.names_text_follows = 0;
            }
            CONTINUATION => self.is_block_open = flags & END_HEADERS == 0,
            SETTINGS if flags & ACK == 0 => self.settings += 1,
            _ => {}
        }
    }

    /// Looks at the first field of trailers, once its first bytes are there.
    fn look_at(&mut self, payload: &[u8]) {
        let Some(before) = self.block_begins_in else { return };
        let Some(block) = payload.get(before as usize..).filter(|block| !block.is_empty()) else {
            self.block_begins_in = Some(before - payload.len() as u32);
            return;
        };
        for byte in block.iter().take(3) {
            match self.names_text_follows {
                0 => match static_name(*byte) {
                    Some(0) => self.names_text_follows = 1,
                    Some(index) => return self.judge((1..=14).contains(&index)),
                    None => return self.judge(false),
                },
                // The length of the name, with the bit that says Huffman.
                1 => self.names_text_follows = if byte & 0x80 == 0 { 2 } else { 3 },
                2 => return self.judge(*byte == b':'),
                // Huffman's code of a colon: seven bits, 1011100.
                _ => return self.judge(byte >> 1 == 0b101_1100),
            }
        }
        self.block_begins_in = Some(0);
    }

    fn judge(&mut self, is_pseudo: bool) {
        self.block_begins_in = None;
        self.has_bad_trailers |= is_pseudo;
    }
}

/// The index of the name that a field representation begins with (RFC 7541 section 6); 0: its text follows, `None`: not
/// a field, or an index that takes more than this byte.
fn static_name(byte: u8) -> Option<u8> {
    let (index, max) = match byte {
        0x80.. => (byte & 0x7f, 0x7f),
        0x40..=0x7f => (byte & 0x3f, 0x3f),
        0x20..=0x3f => return None,
        0x00..=0x1f => (byte & 0x0f, 0x0f),
    };
    (index != max).then_some(index)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
        let mut bytes = (payload.len() as u32).to_be_bytes()[1..].to_vec();
        bytes.extend([kind, flags]);
        bytes.extend(stream.to_be_bytes());
        bytes.extend(payload);
        bytes
    }

    fn observed(pieces: &[Vec<u8>], at_a_time: usize) -> FrameWatch {
        let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
        bytes.extend(pieces.concat());
        let mut watch = FrameWatch::default();
        for chunk in bytes.chunks(at_a_time) {
            watch.observe(chunk);
        }
        watch
    }

    #[test]
    fn trailers_that_begin_with_a_pseudo_header_field_are_seen() {
        let request = frame(HEADERS, END_HEADERS, 1, &[0x83, 0x86, 0x84]);
        let trailers = |block: &[u8]| frame(HEADERS, END_HEADERS | 1, 1, block);
        let padded = frame(HEADERS, END_HEADERS | 1 | PADDED | PRIORITY, 1, &[0, 0, 0, 0, 0, 0, 0x42, 3, b'2']);
        for (reason, second, is_bad) in [
            ("an indexed :method", trailers(&[0x82]), true),
            ("a literal with :method's name", trailers(&[0x42, 3, b'2', b'0', b'0']), true),
            ("never indexed", trailers(&[0x12, 3, b'2', b'0', b'0']), true),
            ("a name in text", trailers(&[0x40, 5, b':', b't']), true),
            ("a name in Huffman's code", trailers(&[0x00, 0x84, 0xb8, 0x00]), true),
            ("behind padding and priority", padded, true),
            ("an ordinary field by name", trailers(&[0x40, 6, b'x', b'-']), false),
            ("an ordinary static name", trailers(&[0x5f, 1, b'a']), false),
            ("an entry of the dynamic table", trailers(&[0xbe]), false),
            ("no field", trailers(&[]), false),
            ("another request", frame(HEADERS, END_HEADERS | 1, 3, &[0x82]), false),
        ] {
            for at_a_time in [1, 2, 7, 1000] {
                let watch = observed(&[request.clone(), second.clone()], at_a_time);
                assert_eq!(watch.has_bad_trailers(), is_bad, "{reason}, {at_a_time} at a time");
                assert!(!watch.is_incomplete(), "{reason}");
            }
        }
    }

    #[test]
    fn what_is_half_there_is_incomplete() {
        let whole = frame(HEADERS, END_HEADERS, 1, &[0x83]);
        for (reason, bytes, expected) in [
            ("nothing", vec![], false),
            ("a whole frame", whole.clone(), false),
            ("half a frame header", whole[..5].to_vec(), true),
            ("a frame header alone", whole[..9].to_vec(), true),
            ("a block without its end", frame(HEADERS, 0, 1, &[0x83]), true),
            (
                "continued, without its end",
                [frame(HEADERS, 0, 1, &[0x83]), frame(CONTINUATION, 0, 1, &[0x86])].concat(),
                true,
            ),
            ("continued to its end", [frame(HEADERS, 0, 1, &[0x83]), frame(CONTINUATION, 4, 1, &[])].concat(), false),
        ] {
            assert_eq!(observed(&[bytes], 3).is_incomplete(), expected, "{reason}");
        }
    }

    #[test]
    fn settings_are_counted_and_acknowledgements_not() {
        let mut watch =
            observed(&[frame(SETTINGS, 0, 0, &[]), frame(SETTINGS, ACK, 0, &[]), frame(SETTINGS, 0, 0, &[0; 6])], 4);
        assert_eq!((watch.take_settings(), watch.take_settings()), (2, 0));
    }
}
